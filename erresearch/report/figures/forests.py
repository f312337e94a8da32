"""Pictures of estimates with their intervals, one or many, and of verdicts as a board."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from erresearch.errors import DataError
from erresearch.report.figures.style import (
    HATCH,
    INK,
    MUTED,
    RULE,
    SYMBOLS,
    WORD_COLOURS,
    amount,
    label,
    new_axes,
    palette_colours,
    span,
    titled,
)
from erresearch.results import WORDS, Estimate, Verdict, Word, rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "board",
    "distance_to_purchase",
    "estimate_interval",
    "forest",
    "real_estimates",
    "scale_of",
    "whisker",
]

_ROW = 0.42
_MARGIN = 0.06


def scale_of(estimates: Sequence[Estimate], *, beside: Sequence[float] = ()) -> tuple[float, float]:
    """Ends of an axis that holds every bounded interval, and the values `beside`, with a margin.

    Examples
    --------
    >>> from erresearch.results import Interval
    >>> low, high = scale_of([Estimate("x", value=0.5, se=0.1, df=9, interval=Interval(0.3, math.inf),
    ...     n_rows=20, n_accounts=10)], beside=[0.0])
    >>> round(low, 3), round(high, 3)
    (-0.03, 0.53)
    """
    ends = [
        end for e in estimates for end in (e.value, e.interval.low, e.interval.high) if math.isfinite(end)
    ]
    ends += [value for value in beside if math.isfinite(value)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    pad = _MARGIN * (high - low) if high > low else 1.0
    return low - pad, high + pad


def whisker(ax: Axes, at: float, estimate: Estimate, *, color: object, scale: tuple[float, float]) -> None:
    """Draw point and interval of one estimate on row `at`; an end without bound gets an arrow.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from erresearch.results import Interval
    >>> ax = Figure().subplots()
    >>> whisker(ax, 0,
    ...     Estimate("x", value=0.5, se=0.1, df=9, interval=Interval(0.3, 0.7), n_rows=20,
    ...     n_accounts=10), color="k", scale=(0, 1))
    >>> [line.get_gid() for line in ax.lines]
    ['interval', 'point']
    """
    low, high = max(estimate.interval.low, scale[0]), min(estimate.interval.high, scale[1])
    ax.plot([low, high], [at, at], color=color, lw=2.6, solid_capstyle="butt", gid="interval")
    if estimate.interval.low < scale[0]:
        ax.plot([low], [at], marker="<", ms=6, color=color, gid="unbounded", clip_on=False)
    if estimate.interval.high > scale[1]:
        ax.plot([high], [at], marker=">", ms=6, color=color, gid="unbounded", clip_on=False)
    if math.isfinite(estimate.value):
        ax.plot([estimate.value], [at], "o", ms=7.5, color=color, mec="white", mew=1, gid="point")


def _base(estimate: Estimate) -> str:
    accounts = f", {estimate.groups}" if estimate.n_accounts else ""
    return f"n = {estimate.n_rows:,}{accounts}"


def _prepare(
    ax: Axes, estimates: Sequence[Estimate], null: float, sesoi: float | None
) -> tuple[float, float]:
    """Zone of effects too small to matter, line of no effect, x axis with its unit."""
    beside = [null, *((null - sesoi, null + sesoi) if sesoi is not None else ())]
    scale = scale_of(estimates, beside=beside)
    if sesoi is not None:
        ax.axvspan(null - sesoi, null + sesoi, color=RULE, alpha=0.55, lw=0, gid="too small to matter")
    ax.axvline(null, color=MUTED, lw=1, gid="null")
    ax.set_xlim(scale)
    units = {estimate.unit for estimate in estimates}
    unit = f" ({label(units.pop())})" if len(units) == 1 and units != {""} else ""
    level = {estimate.interval.level for estimate in estimates}
    known = f", {100 * level.pop():.4g} % interval" if len(level) == 1 else ", interval"
    zone = f"; shaded: within ±{rounded(sesoi)}, too small to matter" if sesoi is not None else ""
    ax.set_xlabel(f"Estimate{unit}{known}{zone}")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return scale


def _where(estimate: Estimate, null: float, sesoi: float | None) -> str:
    interval, zero = estimate.interval, rounded(null)
    if sesoi is not None and interval.inside(null - sesoi, null + sesoi):
        return "too small to matter"
    if interval.low > null:
        return f"above {zero}"
    if interval.high < null:
        return f"below {zero}"
    return f"the interval holds {zero}"


def estimate_interval(
    estimate: Estimate, *, null: float = 0.0, sesoi: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw one estimate with its interval, the line of no effect and the zone of effects too small to matter.

    Parameters
    ----------
    estimate : Estimate
        What is drawn.
    null : float
        The value that means "no effect", on the estimate's scale.
    sesoi : float, optional
        Smallest effect of interest, δ; shades null ± δ.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        With a title that states where the interval lies.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from erresearch.results import Interval
    >>> estimate = Estimate("talk", value=0.31, se=0.045, df=39, interval=Interval(0.22, 0.40), n_rows=4160,
    ...     n_accounts=40)
    >>> print(estimate_interval(estimate, sesoi=0.05, ax=Figure().subplots()).get_title(loc="left"))
    talk: 0.310 (0.220 to 0.400), above 0
    """
    ax = new_axes(ax, size=(6.8, 1.9))
    scale = _prepare(ax, [estimate], null, sesoi)
    whisker(ax, 0, estimate, color=palette_colours(None, 1)[0], scale=scale)
    ax.set_ylim(-0.8, 0.8)
    ax.set_yticks([])
    ax.text(estimate.value, 0.3, _base(estimate), ha="center", color=MUTED, fontsize=9, gid="n")
    titled(
        ax,
        f"{label(estimate.name)}: {label(amount(estimate.value, estimate.interval, estimate.unit))} "
        f"({span(estimate.interval)}), {_where(estimate, null, sesoi)}",
    )
    return ax


def forest(
    estimates: Estimate | Sequence[Estimate] | Mapping[str, Estimate],
    *,
    null: float = 0.0,
    sesoi: float | None = None,
    palette: object = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw estimates under each other, each with its interval and its number of rows.

    Parameters
    ----------
    estimates : Estimate, sequence of Estimate, or mapping of label to Estimate
        Drawn from top to bottom. A :class:`~erresearch.results.Fit` is such a mapping.
    null : float
        The value that means "no effect".
    sesoi : float, optional
        Smallest effect of interest, δ; shades null ± δ.
    palette : seaborn palette, optional
        A colour per estimate; one colour for all where it is not given.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        With a title that counts the intervals on either side of `null`.

    Raises
    ------
    DataError
        If there is no estimate to draw.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from erresearch.results import Interval
    >>> talk = Estimate("talk", value=0.31, se=0.045, df=39, interval=Interval(0.22, 0.40), n_rows=4160,
    ...     n_accounts=40)
    >>> spend = Estimate("spend", value=0.02, se=0.03, df=39, interval=Interval(-0.04, 0.08), n_rows=4160,
    ...     n_accounts=40)
    >>> ax = forest([talk, spend], ax=Figure().subplots())
    >>> ax.get_title(loc="left"), [tick.get_text() for tick in ax.get_yticklabels()]
    ('One of 2 intervals excludes 0, above it', ['talk', 'spend'])
    """
    several = [estimates] if isinstance(estimates, Estimate) else estimates
    named = list(several.items()) if isinstance(several, Mapping) else [(e.name, e) for e in several]
    if not named:
        raise DataError("a forest needs an estimate", got="none", fix="hand at least one estimate")
    drawn = [estimate for _, estimate in named]
    ax = new_axes(ax, size=(6.8, 1.3 + _ROW * len(named)))
    scale = _prepare(ax, drawn, null, sesoi)
    colours = (
        palette_colours(palette, len(named)) if palette is not None else palette_colours(None, 1) * len(named)
    )
    for at, (estimate, colour) in enumerate(zip(drawn, colours, strict=True)):
        whisker(ax, at, estimate, color=colour, scale=scale)
        ax.annotate(
            _base(estimate),
            (1.03, at),
            xycoords=("axes fraction", "data"),
            va="center",
            color=MUTED,
            fontsize=9,
        )
    ax.set_yticks(range(len(named)), [label(name, limit=32) for name, _ in named], color=INK)
    ax.set_ylim(len(named) - 0.5, -0.5)
    above = sum(estimate.interval.low > null for estimate in drawn)
    below = sum(estimate.interval.high < null for estimate in drawn)
    titled(ax, _counted(len(drawn), above, below, rounded(null)))
    return ax


def _counted(n: int, above: int, below: int, null: str) -> str:
    if not above + below:
        return f"No interval excludes {null}" if n > 1 else f"The interval holds {null}"
    number = "One" if above + below == 1 else f"{above + below}"
    head = f"{number} of {n} intervals exclude{'s' if above + below == 1 else ''} {null}"
    if n == 1:
        head = f"The interval excludes {null}"
    sides = (
        [f"{above} above and {below} below it"] if above and below else ["above it" if above else "below it"]
    )
    return f"{head}, {sides[0]}"


def distance_to_purchase(
    steps: Mapping[str, Estimate], *, palette: object = None, ax: Axes | None = None
) -> Axes:
    """Draw how strongly each count goes with sales, ordered by how near to the purchase it is made.

    The nearer a count sits to the till, the stronger it goes with sales and the less it can be used: the
    order is part of the claim, so it is the caller's, and is printed on the axis.

    Parameters
    ----------
    steps : mapping of str to Estimate
        From the step farthest from the purchase to the nearest one.
    palette : seaborn palette, optional
        Its first colour is used.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        With a title that says whether strength rises towards the purchase.

    Raises
    ------
    DataError
        With fewer than two steps.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from erresearch.results import Interval
    >>> likes = Estimate("likes", value=0.40, se=0.05, df=200, interval=Interval(0.30, 0.50), n_rows=200,
    ...     n_accounts=0)
    >>> votes = Estimate("votes", value=0.96, se=0.01, df=200, interval=Interval(0.94, 0.98), n_rows=200,
    ...     n_accounts=0)
    >>> ax = distance_to_purchase({"trailer likes": likes, "buyers' votes": votes}, ax=Figure().subplots())
    >>> print(ax.get_title(loc="left"))
    The nearer to the purchase, the stronger: 0.40
    to 0.960
    """
    if len(steps) < 2:
        raise DataError(
            "a distance needs two steps at least",
            got=f"{len(steps)}",
            fix="hand the steps from the farthest to the nearest",
        )
    ax = new_axes(ax, size=(6.8, 3.6))
    colour = palette_colours(palette, 1)[0]
    drawn = list(steps.values())
    at = range(len(drawn))
    values = [estimate.value for estimate in drawn]
    ax.plot(at, values, color=RULE, lw=1.2, zorder=1, gid="order")
    low, high = scale_of(drawn, beside=[0.0])
    for x, estimate in zip(at, drawn, strict=True):
        ends = max(estimate.interval.low, low), min(estimate.interval.high, high)
        ax.plot([x, x], ends, color=colour, lw=2.6, solid_capstyle="butt", gid="interval")
        ax.plot([x], [estimate.value], "o", ms=7.5, color=colour, mec="white", mew=1, gid="point")
        ax.annotate(
            f"{rounded(estimate.value, like=(ends[1] - ends[0]) / 2)}\nn = {estimate.n_rows:,}",
            (x, estimate.value),
            xytext=(10, -2),
            textcoords="offset points",
            va="top",
            fontsize=9,
            color=INK,
        )
    ax.axhline(0, color=MUTED, lw=1, gid="null")
    ax.set_ylim(low, high)
    ax.set_xlim(-0.4, len(drawn) - 0.4)
    ax.set_xticks(at, [label(name, limit=22) for name in steps])
    ax.set_xlabel("Step, from far from the purchase to near it →")
    ax.set_ylabel(f"Estimate{f' ({label(drawn[0].unit)})' if drawn[0].unit else ''}, with interval")
    rises = all(a <= b for a, b in itertools.pairwise(values)) and values[0] < values[-1]
    ends_text = [amount(e.value, e.interval) for e in (drawn[0], drawn[-1])]
    titled(
        ax,
        f"The nearer to the purchase, the stronger: {ends_text[0]} to {ends_text[1]}"
        if rises
        else "Strength does not rise steadily towards the purchase",
    )
    return ax


_CELL = (1.95, 0.82)


def board(
    verdicts: Sequence[Verdict], *, palette: Mapping[Word, str] | None = None, ax: Axes | None = None
) -> Axes:
    r"""Draw claims × data sets, one tile per verdict, in colour, symbol and word.

    Columns of simulated data stand at the right, hatched, with the word under their name; they are not
    counted in the title.

    Parameters
    ----------
    verdicts : sequence of Verdict
        What was judged; rows and columns in the order of appearance, real data first.
    palette : mapping of word to colour, optional
        Colours other than the package's own.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        With a title that counts the words given on real data.

    Raises
    ------
    DataError
        If there is no verdict to draw.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> made = [Verdict("C1", "shop", "inconclusive"),
    ...         Verdict("C1", "nil", "practically nil", qualifiers=("simulated",))]
    >>> ax = board(made, ax=Figure().subplots())
    >>> ax.get_title(loc="left"), [tick.get_text() for tick in ax.get_xticklabels()]
    ('On real data: 1 inconclusive', ['shop', 'nil\nsimulated'])
    """
    if not verdicts:
        raise DataError("a board needs a verdict", got="none", fix="judge at least one claim")
    claims = list(dict.fromkeys(verdict.claim for verdict in verdicts))
    columns = sorted(dict.fromkeys((v.dataset, v.simulated) for v in verdicts), key=lambda column: column[1])
    colours = {**WORD_COLOURS, **(palette or {})}
    ax = new_axes(ax, size=(1.2 + _CELL[0] * len(columns), 1.0 + _CELL[1] * len(claims)))
    for verdict in verdicts:
        place = columns.index((verdict.dataset, verdict.simulated)), claims.index(verdict.claim)
        _tile(ax, verdict, place, colours[verdict.word])
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(len(claims) - 0.5, -0.5)
    ax.xaxis.set_ticks_position("top")
    ax.set_xticks(
        range(len(columns)),
        [label(name, limit=20) + ("\nsimulated" if simulated else "") for name, simulated in columns],
        color=INK,
    )
    ax.set_yticks(range(len(claims)), [label(claim, limit=20) for claim in claims], color=INK)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    counts = Counter(verdict.word for verdict in verdicts if not verdict.simulated)
    said = ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])
    titled(ax, f"On real data: {said}" if said else "No verdict on real data")
    return ax


def real_estimates(
    verdicts: Sequence[Verdict], *, palette: Mapping[Word, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw every estimate on real data on one scale: in smallest effects of interest.

    θ/δ with its 95 % interval: inside the band ±1 an effect is too small to matter, whatever its unit. The scale is
    linear inside the band and logarithmic outside.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Of a board; what was simulated or not judged is left out.
    palette : mapping of word to colour, optional
        Colours other than the package's own.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        With a title that counts the intervals inside and beyond the band.

    Raises
    ------
    DataError
        If no verdict on real data has an estimate.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from erresearch.results import Interval
    >>> estimate = Estimate("x", value=0.02, se=0.01, df=90, interval=Interval(0.0, 0.04), n_rows=800, n_accounts=40)
    >>> made = [Verdict("C1", "shops", "practically nil", estimate=estimate, sesoi=0.05)]
    >>> print(real_estimates(made, ax=Figure().subplots()).get_title(loc="left"))
    Of 1 estimate on real data, 1 is too small to matter
    """
    shown = [v for v in verdicts if v.estimate is not None and v.sesoi and not v.simulated]
    if not shown:
        raise DataError(
            "no estimate on real data to draw", got=f"{len(verdicts)} verdicts", fix="judge a claim"
        )
    colours = {**WORD_COLOURS, **(palette or {})}
    ax = new_axes(ax, size=(8.4, 1.4 + 0.3 * len(shown)))
    ax.axvspan(-1, 1, color=RULE, alpha=0.55, lw=0, gid="too small to matter")
    ax.axvline(0, color=MUTED, lw=1, gid="null")
    inside = beyond = 0
    reach = 2.0
    for at, verdict in enumerate(shown):
        assert verdict.estimate is not None
        interval = verdict.estimate.interval
        low, value, high = (e / verdict.sesoi for e in (interval.low, verdict.estimate.value, interval.high))
        inside += low > -1 and high < 1
        beyond += low >= 1 or high <= -1
        reach = max([reach, *(abs(end) for end in (low, high) if math.isfinite(end))])
        colour = colours[verdict.word]
        ax.plot([low, high], [at, at], color=colour, lw=2.2, solid_capstyle="butt", gid="interval")
        ax.plot([value], [at], "o", ms=5.5, color=colour, mec="white", mew=0.8, gid="point")
        sure = "" if verdict.certainty is None else f" ({verdict.certainty.level})"
        ax.annotate(
            f"{SYMBOLS[verdict.word]} {verdict.word}{sure}",
            (1.02, at),
            xycoords=("axes fraction", "data"),
            va="center",
            color=colour,
            fontsize=8.4,
        )
    ax.set_xscale("symlog", linthresh=1, linscale=1)
    ax.set_xlim(-1.2 * reach, 1.2 * reach)
    marks = [mark for mark in (1, 3, 10, 30, 100) if mark <= 1.2 * reach]
    ticks = [*(-mark for mark in reversed(marks)), 0, *marks]
    ax.set_xticks(ticks, [f"{tick}".replace("-", "−") for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("estimate in smallest effects of interest (δ), 95 % interval")
    ax.set_yticks(range(len(shown)), [f"{v.claim}  {label(v.dataset, limit=24)}" for v in shown], color=INK)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    head = f"Of {len(shown)} estimate{'s' * (len(shown) > 1)} on real data,"
    said = [f"{inside} {_be(inside)} too small to matter"] + [f"{beyond} {_be(beyond)} beyond δ"] * bool(
        beyond
    )
    titled(ax, f"{head} {' and '.join(said)}")
    return ax


def _be(number: int) -> str:
    return "is" if number == 1 else "are"


def _tile(ax: Axes, verdict: Verdict, place: tuple[int, int], colour: str) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    x, y = place
    patch = Rectangle(
        (x - 0.47, y - 0.44),
        0.94,
        0.88,
        facecolor="none" if verdict.simulated else to_rgba(colour, 0.13),
        edgecolor=HATCH if verdict.simulated else "none",
        hatch="////" if verdict.simulated else None,
        linestyle="--" if verdict.simulated else "-",
        linewidth=0.8 if verdict.simulated else 0,
        gid="simulated" if verdict.simulated else "real",
    )
    ax.add_patch(patch)
    ax.plot(
        [x - 0.47, x - 0.47], [y - 0.44, y + 0.44], color=colour, lw=2.5, solid_capstyle="butt", gid="mark"
    )
    ax.text(
        x - 0.41,
        y - 0.2,
        f"{SYMBOLS[verdict.word]} {verdict.word}",
        color=colour,
        weight="bold",
        va="center",
        fontsize=8.8,
        gid="word",
    )
    if verdict.estimate is not None:
        interval = verdict.estimate.interval
        number = f"{amount(verdict.estimate.value, interval)} ({span(interval)})"
        ax.text(x - 0.41, y + 0.04, number, color=INK, va="center", fontsize=7.6, gid="number")
    sure = [f"certainty {verdict.certainty.level}"] if verdict.certainty else []
    notes = [verdict.size, *sure, *(q for q in verdict.qualifiers if q != "simulated")]
    if verdict.estimate is not None:
        notes.append(f"n = {verdict.estimate.n_rows:,}")
    ax.text(
        x - 0.41,
        y + 0.26,
        ", ".join(note for note in notes if note),
        color=MUTED,
        va="center",
        fontsize=7.2,
        gid="note",
    )
