"""Pictures of estimates with their intervals, one or many, and of verdicts as a board."""

from __future__ import annotations

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
    "estimate_interval",
    "forest",
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
