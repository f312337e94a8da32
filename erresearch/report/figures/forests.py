"""Pictures of estimates with their intervals, one or many, and of verdicts as a board."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from erresearch.errors import DataError
from erresearch.report.figures.style import (
    INK,
    MUTED,
    RULE,
    amount,
    label,
    new_axes,
    palette_colours,
    span,
    titled,
)
from erresearch.results import Estimate, rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
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
        With a title that says on which side of `null` the intervals lie.

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
    ('talk lies above 0; spend reaches across 0', ['talk', 'spend'])
    """
    several = [estimates] if isinstance(estimates, Estimate) else estimates
    named = list(several.items()) if isinstance(several, Mapping) else [("", e) for e in several]
    named = [(name or getattr(e, "name", ""), e) for name, e in named]
    strange = [type(e).__name__ for _, e in named if not isinstance(e, Estimate)]
    if strange or not named:
        raise DataError(
            "a forest needs an estimate",
            got=strange[0] if strange else "none",
            fix="hand over one or more, as er.correlate or er.regress make them",
        )
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
    titled(ax, _sides(named, null), _sides(named, null, count=True))
    return ax


def _sides(named: Sequence[tuple[object, Estimate]], null: float, *, count: bool = False) -> str:
    """Which intervals, or how many of them, lie on which side of `null`."""
    groups: dict[str, list[str]] = {"lie above": [], "lie below": [], "reach across": []}
    for name, estimate in named:
        above, below = estimate.interval.low > null, estimate.interval.high < null
        side = "lie above" if above else "lie below" if below else "reach across"
        groups[side].append(label(name))
    said: list[str] = []
    for verb, names in groups.items():
        who = f"{len(names)}{'' if said else f' of {len(named)}'}" if count else _joined(names)
        says = verb if len(names) > 1 else verb.replace("lie", "lies").replace("reach", "reaches")
        said += [f"{who} {says} {rounded(null)}"] if names else []
    return "; ".join(said)


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
