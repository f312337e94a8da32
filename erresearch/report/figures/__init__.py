"""Pictures of results. Each takes results and returns matplotlib axes; none estimates anything.

Examples
--------
>>> from matplotlib.figure import Figure
>>> from erresearch.results import Estimate, Interval
>>> talk = Estimate("talk", value=0.31, se=0.045, df=39, interval=Interval(0.22, 0.40), n_rows=4160, n_accounts=40)
>>> with theme():
...     ax = forest([talk], ax=Figure().subplots())
>>> ax.get_title(loc="left")
'talk lies above 0'
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from erresearch.errors import Count, DataError
from erresearch.report.figures.challenges import CalibrationCell, calibration, precedence, sensitivity
from erresearch.report.figures.style import (
    HATCH,
    INK,
    MUTED,
    RULE,
    SYMBOLS,
    WORD_COLOURS,
    label,
    new_axes,
    scale_of,
    span,
    theme,
    titled,
)
from erresearch.results import Curve, Decay, Estimate, rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "SYMBOLS",
    "WORD_COLOURS",
    "CalibrationCell",
    "calibration",
    "decay",
    "forest",
    "precedence",
    "sensitivity",
    "specification_curve",
    "theme",
]

_ROW = 0.42


def _prepare(ax: Axes, estimates: Sequence[Estimate], sesoi: float | None) -> tuple[float, float]:
    """Zone of effects too small to matter, line of no effect, x axis with its unit."""
    scale = scale_of(estimates, beside=[0.0, *((-sesoi, sesoi) if sesoi is not None else ())])
    if sesoi is not None:
        ax.axvspan(-sesoi, sesoi, color=RULE, alpha=0.55, lw=0, gid="too small to matter")
    ax.axvline(0.0, color=MUTED, lw=1, gid="null")
    ax.set_xlim(scale)
    ax.locator_params(axis="x", nbins=6)
    units = {estimate.unit for estimate in estimates}
    unit = f" ({label(units.pop())})" if len(units) == 1 and units != {""} else ""
    level = {estimate.interval.level for estimate in estimates}
    known = f", {100 * level.pop():.4g} % interval" if len(level) == 1 else ", interval"
    zone = f"; shaded: within ±{rounded(sesoi)}, too small to matter" if sesoi is not None else ""
    ax.set_xlabel(f"Estimate{unit}{known}{zone}")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return scale


def forest(
    estimates: Estimate | Sequence[Estimate] | Mapping[str, Estimate],
    *,
    sesoi: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw estimates under each other, each with its interval and its number of rows.

    Parameters
    ----------
    estimates : Estimate, sequence of Estimate, or mapping of label to Estimate
        Drawn from top to bottom. A :class:`~erresearch.results.Fit` is such a mapping.
    sesoi : float, optional
        Smallest effect of interest, δ; shades ±δ.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        With a title that says on which side of 0 the intervals lie.

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
    scale = _prepare(ax, drawn, sesoi)
    own = WORD_COLOURS["supported"]
    beside: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 9}
    for at, estimate in enumerate(drawn):
        low, high = max(estimate.interval.low, scale[0]), min(estimate.interval.high, scale[1])
        ax.plot([low, high], [at, at], color=own, lw=2.6, solid_capstyle="butt", gid="interval")
        for end, marker, beyond in (
            (low, "<", estimate.interval.low < scale[0]),
            (high, ">", estimate.interval.high > scale[1]),
        ):
            if beyond:
                ax.plot([end], [at], marker=marker, ms=6, color=own, gid="unbounded", clip_on=False)
        if math.isfinite(estimate.value):
            ax.plot([estimate.value], [at], "o", ms=7.5, color=own, mec="white", mew=1, gid="point")
        accounts = f", {estimate.groups}" if estimate.n_accounts else ""
        ax.annotate(f"n = {estimate.n_rows:,}{accounts}", (1.03, at), color=MUTED, **beside)
    ax.set_yticks(range(len(named)), [label(name, limit=32) for name, _ in named], color=INK)
    ax.set_ylim(len(named) - 0.5, -0.5)
    titled(ax, *_sides(named))
    return ax


def _sides(named: Sequence[tuple[object, Estimate]]) -> tuple[str, str, str]:
    """Which intervals lie on which side of 0: by their names, by those of all but the largest group, or counted."""
    groups: dict[str, list[str]] = {"lie above": [], "lie below": [], "reach across": []}
    for name, estimate in named:
        above, below = estimate.interval.low > 0, estimate.interval.high < 0
        side = "lie above" if above else "lie below" if below else "reach across"
        groups[side].append(label(name))
    there = {verb: names for verb, names in groups.items() if names}
    most = max(there, key=lambda verb: len(there[verb]))
    every = len(there[most])
    rest = "the other" if every == 1 else f"the other {every}" if len(there) > 1 else f"All {every}"
    whole = {verb: _joined(names) for verb, names in there.items()}
    few = {verb: who for verb, who in whole.items() if verb != most} | {most: rest}
    first = next(iter(there))
    counted = {
        verb: f"{len(names)} of {len(named)}" if verb == first else f"{len(names)}"
        for verb, names in there.items()
    }

    def told(who: Mapping[str, str]) -> str:
        return "; ".join(f"{it} {_says(verb, len(there[verb]))} 0" for verb, it in who.items())

    return told(whole), told(few), told(counted)


def _says(verb: str, count: int) -> str:
    return verb if count > 1 else verb.replace("lie", "lies").replace("reach", "reaches")


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


#: Above this number of models the marks are drawn as pixels, so that a picture stays small.
_VECTOR_LIMIT = 400


def decay(found: Decay, *, ax: Axes | None = None) -> Axes:
    """Draw the engagement rate over followers, log-log, beside what arithmetic alone would give.

    Points are bins of accounts with their intervals, the line is the fitted X = c·F^β, the thin curve the
    spline. The hatched band shows where the points would lie if reactions had nothing to do with followers:
    the rate would still fall, because followers stand in its denominator.

    Parameters
    ----------
    found : Decay
        What ``erresearch.relate.decay`` returns: bins of log followers and log reactions.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        Both axes logarithmic, with a title that states whether the rate falls.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from erresearch.results import Bins, Estimate, Interval
    >>> beta = Estimate("β (PPML)", value=0.75, se=0.02, df=400, interval=Interval(0.71, 0.79), n_rows=400,
    ...     n_accounts=0)
    >>> x = np.linspace(7, 12, 6)
    >>> points = Bins(x=x, y=0.75 * x, low=0.75 * x - 0.1, high=0.75 * x + 0.1, n=np.full(6, 60))
    >>> ax = decay(Decay(exponent=beta, log_ols=beta, reliability=((1.0, beta),), spline=None, points=points,
    ...     shared_denominator=-0.71, dropped={}), ax=Figure().subplots())
    >>> print(ax.get_title(loc="left"))
    The rate falls: 10 × followers, 5.6 × reactions
    """
    ax = new_axes(ax, size=(7.2, 4.6))
    data_colour, fit_colour = WORD_COLOURS["supported"], WORD_COLOURS["contradicted"]
    points, beta = found.points, found.exponent
    followers = np.exp(points.x)
    ax.set_xscale("log")
    ax.set_yscale("log")
    weight = points.n / points.n.sum()
    centre_x, centre_y = float(weight @ points.x), float(weight @ points.y)
    half = np.nan_to_num((points.high - points.low) / 2, nan=0.0)
    below, above = (np.exp(centre_y + side * half - points.x) for side in (-1, 1))
    hatched: dict[str, Any] = {"facecolor": "none", "edgecolor": HATCH, "hatch": "////", "lw": 0.6}
    ax.fill_between(followers, below, above, gid="shared denominator", **hatched)
    grid = np.linspace(points.x.min(), points.x.max(), 50)
    ax.axhline(np.exp(centre_y - centre_x), color=MUTED, lw=1, ls="--", gid="constant")
    fitted = centre_y + beta.value * (grid - centre_x) - grid
    if beta.interval.bounded:
        ends = (beta.interval.low, beta.interval.high)
        flat, steep = (np.exp(centre_y + end * (grid - centre_x) - grid) for end in ends)
        ax.fill_between(np.exp(grid), flat, steep, color=fit_colour, alpha=0.16, lw=0, gid="interval")
    ax.plot(np.exp(grid), np.exp(fitted), color=fit_colour, gid="fit")
    if found.spline is not None:
        shown = (found.spline.x >= grid[0]) & (found.spline.x <= grid[-1])
        x = found.spline.x[shown]
        ax.plot(np.exp(x), np.exp(found.spline.y[shown] - x), color=INK, lw=1.1, ls=":", gid="spline")
    low, rates, high = (np.exp(y - points.x) for y in (points.low, points.y, points.high))
    ax.vlines(followers, low, high, color=data_colour, lw=1.6)
    ax.plot(followers, rates, "o", color=data_colour, mec="white", mew=0.9, ms=7, gid="points")
    ax.set_ylim(rates.min() / 3, 3 * rates.max())
    _write_axes(ax)
    # what falls lies above the constant rate on the left and below it on the right; what rises, the other way
    over, under = ("bottom", "top") if beta.value < 1 else ("top", "bottom")
    shape = "fit" + (" (spline: dotted)" if found.spline is not None else "")
    ignored = "if reactions ignored followers"
    for text, x, y, ha, va, colour in (
        ("the same rate at any size", grid[-1], centre_y - centre_x, "right", over, MUTED),
        (f"{Count(int(points.n.sum())):account} in bins", points.x[0], fitted[0], "left", over, data_colour),
        (shape, grid[-4], fitted[-4], "right", under, fit_colour),
        (ignored, centre_x, np.log(ax.get_ylim()[0]), "right", "bottom", MUTED),
    ):
        place, gap = (float(np.exp(x)), float(np.exp(y))), (0, 12 if va == "bottom" else -12)
        ax.annotate(text, place, gap, textcoords="offset points", ha=ha, va=va, color=colour, fontsize=9)
    titled(ax, _decay_title(found))
    return ax


def _write_axes(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _counted(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    low, high = ax.get_ylim()
    few = high / low < 30
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:,.6g} %"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("Followers (logarithmic)")
    ax.set_ylabel("Reactions per follower (logarithmic)")


def _counted(value: float) -> str:
    size, letter = (1e6, "M") if value >= 1e6 else (1e3, "k") if value >= 1e3 else (1, "")
    return f"{value / size:g}{letter}"


def _decay_title(found: Decay) -> str:
    beta = found.exponent
    numbers = f"10 × followers, {10**beta.value:.2g} × reactions"
    if beta.interval.high < 1:
        return f"The rate falls: {numbers}"
    if beta.interval.low > 1:
        return f"The rate rises: {numbers}"
    return f"A falling rate is not settled: β = {span(beta.interval)}"


def specification_curve(found: Curve, *, ax: Axes | None = None) -> Axes:
    """Draw every specification in order of its estimate, with the choices that made it below.

    Parameters
    ----------
    found : Curve
        The curve, one entry per model.
    ax : matplotlib Axes, optional
        Where to draw: the curve takes its upper part, the choices the rest. A new figure where it is not
        given.

    Returns
    -------
    matplotlib Axes
        The axes of the curve; those of the choices are the figure's last.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> value, se = np.array([0.1, 0.2, -0.02]), np.full(3, 0.03)
    >>> curve = Curve(
    ...     outcome="sales", x="talk", value=value, se=se, t=value / se, low=value - 0.06, high=value + 0.06,
    ...     n_rows=900, n_accounts=30, definition=("likes", "all", "all"),
    ...     lag=("1",) * 3, effects=("account",) * 3, controls=((), ("spend",), ()),
    ...     median_t=3.3, mean_signed_t=2.9, share_agreeing=2 / 3, share_significant=2 / 3, pvalues={"median t": 0.01})
    >>> ax = specification_curve(curve, ax=Figure().subplots())
    >>> print(ax.get_title(loc="left"))
    67 % of 3 specifications agree in sign (joint p
    = 0.01)
    >>> [tick.get_text() for tick in ax.figure.axes[-1].get_yticklabels()]
    ['definition: all', 'definition: likes', 'with spend']
    """
    rows = _choices(found)
    ax = new_axes(ax, size=(7.2, 3.4 + 0.17 * len(rows)))
    order = np.argsort(found.value, kind="stable")
    at = np.arange(len(found))
    value, low, high = found.value[order], found.low[order], found.high[order]
    apart = (low > 0) | (high < 0)
    colours = [WORD_COLOURS["supported"] if one else MUTED for one in apart]
    raster = len(found) > _VECTOR_LIMIT
    width = float(np.clip(260 / max(len(found), 1), 0.4, 2.2))
    ax.vlines(at, low, high, colors=colours, lw=width, alpha=0.45, rasterized=raster)
    ax.scatter(at, value, s=min(16.0, 8 * width), c=colours, lw=0, zorder=3, rasterized=raster)
    ax.axhline(0, color=MUTED, lw=1, gid="null")
    ax.set_xlim(-0.7, len(found) - 0.3)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.set_ylabel(f"Estimate, {100 * found.level:.4g} % interval")
    ax.text(
        0.01, 0.97, f"{label(found.x)} on {label(found.outcome)}, n = {Count(found.n_rows):row}",
        transform=ax.transAxes, va="top", color=MUTED, fontsize=9, gid="n",
    )  # fmt: skip
    if rows:
        _draw_choices(ax, rows, order, colours=colours, width=width)
    joint = found.pvalues.get("median t")
    tail = f" (joint p = {rounded(joint)})" if joint is not None else ""
    agree = f"{100 * found.share_agreeing:.0f} % of {Count(len(found)):specification agrees} in sign"
    titled(ax, f"{agree}, {100 * found.share_significant:.0f} % significantly{tail}", agree + tail)
    return ax


def _choices(found: Curve) -> list[tuple[str, np.ndarray]]:
    """Rows of the lower panel: each choice that not every specification made."""
    rows: list[tuple[str, np.ndarray]] = []
    for kind in ("definition", "lag", "effects"):
        chosen = getattr(found, kind)
        options = sorted(set(chosen))
        if len(options) > 1:
            rows += [(f"{kind}: {option}", np.array([c == option for c in chosen])) for option in options]
    for control in sorted({control for controls in found.controls for control in controls}):
        inside = np.array([control in controls for controls in found.controls])
        if not inside.all():
            rows.append((f"with {control}", inside))
    return rows


def _split(ax: Axes, *, share: float) -> Axes:
    """Give the lower `share` of the place of `ax` to new axes with the same x."""
    spec = ax.get_subplotspec()
    if spec is not None:
        parts = spec.subgridspec(2, 1, height_ratios=[1 - share, share], hspace=0.05)
        ax.set_subplotspec(parts[0])
        below: Axes = ax.figure.add_subplot(parts[1], sharex=ax)
        return below
    box = ax.get_position()
    ax.set_position((box.x0, box.y0 + box.height * share, box.width, box.height * (1 - share)))
    below = ax.figure.add_axes((box.x0, box.y0, box.width, box.height * share * 0.94))
    below.sharex(ax)
    return below


def _draw_choices(
    ax: Axes, rows: list[tuple[str, np.ndarray]], order: np.ndarray, *, colours: list[str], width: float
) -> None:
    raster = len(order) > _VECTOR_LIMIT
    below = _split(ax, share=min(0.7, 0.19 + 0.025 * len(rows)))
    for at, (_, chosen) in enumerate(rows):
        where = np.flatnonzero(chosen[order])
        own, thick = [colours[i] for i in where], max(width, 0.5)
        below.vlines(where, at - 0.36, at + 0.36, colors=own, lw=thick, rasterized=raster)
    below.set_yticks(range(len(rows)), [label(name, limit=34) for name, _ in rows])
    below.set_ylim(len(rows) - 0.4, -0.6)
    below.tick_params(axis="x", bottom=False, labelbottom=False)
    below.spines[["left", "bottom"]].set_visible(False)
    below.set_xlabel("Specifications, in order of their estimate")
    for at in range(1, len(rows)):
        below.axhline(at - 0.5, color=RULE, lw=0.4)
