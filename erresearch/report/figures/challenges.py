"""Pictures of doubts: hidden causes, the order in time, and whether the verdicts keep their promises."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from erresearch.errors import Count, DataError
from erresearch.report.figures.style import (
    INK,
    MUTED,
    RULE,
    WORD_COLOURS,
    amount,
    label,
    new_axes,
    scale_of,
    titled,
)
from erresearch.results import Estimate, Precedence, Sensitivity, plain, rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class CalibrationCell:
    """One line of the calibration table: how often something happened where the truth was known.

    Parameters
    ----------
    name : str
        The world, and what was varied in it.
    share : float
        Share of the draws in which it happened, between 0 and 1.
    draws : int
        Number of simulated draws.
    bar : float
        The promise.
    side : {"at most", "at least"}
        Which side of the bar keeps the promise.
    """

    name: str
    share: float
    draws: int
    bar: float
    side: Literal["at most", "at least"]


def sensitivity(found: Sensitivity, *, ax: Axes | None = None) -> Axes:
    """Draw what would be left of an estimate beside something hidden, of any strength.

    Contours join confounders that leave the same estimate; the strong one leaves nothing. The diamond is a
    confounder as strong as the strongest observed control.

    Parameters
    ----------
    found : Sensitivity
        Grid, adjusted estimates and benchmark.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        With a title that says what the benchmark would leave.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from erresearch.results import Interval
    >>> talk = Estimate("talk", value=0.10, se=0.02, df=39, interval=Interval(0.06, 0.14), n_rows=4160, n_accounts=40)
    >>> r = np.linspace(0, 0.4, 5)
    >>> left = 0.10 - 0.3 * np.outer(r, r) ** 0.5
    >>> found = Sensitivity(estimate=talk, robustness_value=0.28, robustness_value_alpha=0.19, partial_r2=0.09,
    ...     benchmark="spend", bound_x=0.05, bound_y=0.10, adjusted=0.079, r2_x=r, r2_y=r, contours=left)
    >>> print(sensitivity(found, ax=Figure().subplots()).get_title(loc="left"))
    A hidden cause like spend would leave 0.079 of 0.100
    """
    from matplotlib.patheffects import withStroke

    ax = new_axes(ax, size=(6.2, 4.6))
    x, y = 100 * found.r2_x, 100 * found.r2_y
    clear = [withStroke(linewidth=3.5, foreground="white")]
    write = partial(ax.annotate, textcoords="offset points", fontsize=9, path_effects=clear)
    levels = _levels(found.contours)
    if levels:
        look = {"colors": MUTED, "linewidths": 0.9, "linestyles": "solid"}
        drawn = ax.contour(x, y, found.contours, levels=levels, **look)
        ax.clabel(drawn, fmt=lambda value: plain(float(value), ".3g"), fontsize=8.5)
    if found.contours.min() < 0 < found.contours.max():
        nothing = ax.contour(x, y, found.contours, levels=[0.0], colors=INK, linewidths=2.2)
        # at the line's right end and below it: the robustness value is marked on its middle
        end = max((tuple(point) for line in nothing.allsegs[0] for point in line), default=(x.max(), y.max()))
        write("nothing left", end, xytext=(-5, -6), ha="right", va="top")
    _mark_strengths(ax, found, write)
    ax.set_xlim(0, x.max())
    ax.set_ylim(0, y.max())
    ax.set_xlabel("Share of the regressor that something hidden explains (partial R², %)")
    ax.set_ylabel("Share of the outcome that it explains (partial R², %)")
    name = label(found.benchmark, limit=24)
    interval = found.estimate.interval
    left = f"{rounded(found.adjusted, like=interval.half)} of {amount(found.estimate.value, interval)}"
    titled(ax, *(f"A hidden cause {like} {name} would leave {left}" for like in ("as strong as", "like")))
    return ax


def _mark_strengths(ax: Axes, found: Sensitivity, write: Callable[..., object]) -> None:
    """The estimate as it is, a hidden cause as strong as the benchmark, and the robustness value."""
    ax.plot([0], [0], "o", color=INK, ms=6, clip_on=False, gid="estimate", zorder=4)
    ax.annotate("as estimated", (0, 0), xytext=(8, 6), textcoords="offset points", fontsize=9, color=INK)
    mark = WORD_COLOURS["contradicted"]
    at = 100 * found.bound_x, 100 * found.bound_y
    ax.plot(*([end] for end in at), "D", color=mark, ms=8, mec="white", gid="benchmark", zorder=4)
    write(f"as strong as {label(found.benchmark, limit=24)}", at, xytext=(9, 5), color=mark)
    half = 100 * found.robustness_value
    ax.plot([half], [half], "x", color=INK, ms=7, mew=1.6, gid="robustness value")
    write(f"robustness value {rounded(half)} %", (half, half), xytext=(-8, -3), ha="right")


def _levels(contours: np.ndarray) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    located = MaxNLocator(nbins=7).tick_values(float(contours.min()), float(contours.max()))
    return [float(v) for v in located if contours.min() < v < contours.max() and abs(v) > 1e-12]


def precedence(found: Precedence, *, ax: Axes | None = None) -> Axes:
    """Draw the ladder of leads and lags, and both directions beside it.

    Left of 0 stands the placebo: the next period's regressor, which cannot have acted yet. Right of the ladder stands
    the reverse direction: the outcome's first lag on the regressor.

    Parameters
    ----------
    found : Precedence
        Both directions and the ladder.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        With a title that says which directions the intervals leave standing.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from erresearch.results import Interval
    >>> def e(value):
    ...     return Estimate("x", value=value, se=0.01, df=39, interval=Interval(value - 0.02, value + 0.02),
    ...     n_rows=4000, n_accounts=40)
    >>> found = Precedence(x="talk", y="sales", forward=e(0.09), reverse=e(0.01), lead=e(0.0),
    ...     lags=((-1, e(0.0)), (1, e(0.09))), contemporaneous=None, method="OLS", n_rows=4000, n_accounts=40,
    ...     dropped={})
    >>> print(precedence(found, ax=Figure().subplots()).get_title(loc="left"))
    talk goes with the next period's sales (0.090)
    """
    ax = new_axes(ax, size=(7.0, 3.8))
    own, lead = WORD_COLOURS["supported"], WORD_COLOURS["inconclusive"]
    steps = dict(found.lags)
    steps.setdefault(-1, found.lead)
    if found.contemporaneous is not None:
        steps.setdefault(0, found.contemporaneous)
    end = max(steps) + 1.5
    names = found.rungs or ("",) * len(steps)
    rungs: list[tuple[float, Estimate, str, str]] = []
    for (lag, estimate), name in zip(sorted(steps.items()), names, strict=True):
        when = f"{-lag} after\n(placebo)" if lag < 0 else f"{lag} before" if lag else "same period"
        rungs.append((lag, estimate, lead if lag < 0 else own, name or when))
    if found.reverse is not found.lead:
        rungs.append((end, found.reverse, WORD_COLOURS["association only"], "the reverse,\n1 before"))
    low, high = scale_of([estimate for _, estimate, _, _ in rungs], beside=[0.0])
    for at, estimate, colour, _ in rungs:
        ends = max(estimate.interval.low, low), min(estimate.interval.high, high)
        ax.plot([at, at], ends, color=colour, lw=2.6, solid_capstyle="butt", gid="interval")
        shape = "D" if at < 0 else "s" if at >= end else "o"
        ax.plot([at], [estimate.value], shape, ms=7, color=colour, mec="white", mew=1, gid="point")
    ax.axhline(0, color=MUTED, lw=1, gid="null")
    ax.axvline(-0.5 if 0 in steps else 0.0, color=RULE, lw=1, ls="--")
    ax.axvline(end - 0.75, color=RULE, lw=1)
    ax.set_xticks([at for at, _, _, _ in rungs], [name for _, _, _, name in rungs])
    ax.set_ylim(low, high)
    accounts = f", {Count(found.n_accounts):account}" if found.n_accounts else ""
    ax.set_xlabel(
        f"{label(found.x)}, periods before or after {label(found.y)} (n = {found.n_rows:,}{accounts})"
    )
    ax.set_ylabel(f"Effect on {label(found.y, limit=26)}")
    titled(ax, *_order_titles(found))
    return ax


def _order_titles(found: Precedence) -> tuple[str, ...]:
    """What the picture shows, at length and in short."""
    x, y = (label(name.removeprefix("log "), limit=24) for name in (found.x, found.y))
    clear = {name: 0 not in getattr(found, name).interval for name in ("forward", "reverse", "lead")}
    number = amount(found.forward.value, found.forward.interval)
    if clear["forward"] and found.over_lead is not None and 0 in found.over_lead.interval:
        moves = f"{x} moves with {y} ({number}),"
        return f"{moves} no more clearly before it than after it", f"{moves} the order is not shown"
    if clear["forward"] and not clear["reverse"] and not clear["lead"]:
        # without a test of the lag against the lead, a picture says what it shows and no more
        says = "comes before" if found.over_lead is not None else "goes with the next period's"
        short = f"{x} {says} {y} ({number})"
        return f"{short}; the reverse and the placebo hold 0", short
    if clear["forward"]:
        also_clear = {"reverse": f"{y} before {x}", "lead": "the placebo"}
        both = " and ".join(text for name, text in also_clear.items() if clear[name])
        also = "the reverse" if clear["reverse"] else "the placebo"
        head = f"{x} before {y} ({number})"
        return f"{head}, but so {'do' if ' and ' in both else 'does'} {both}", f"{head}, and {also} too"
    if clear["reverse"]:
        return (f"Only the reverse: {y} comes before {x}",)
    return (f"No order in time between {x} and {y} is settled",)


def calibration(cells: Sequence[CalibrationCell], *, ax: Axes | None = None) -> Axes:
    """Draw how often each thing happened where the truth is known, beside what was promised.

    Each point is a share of simulated tables, the line through it Wilson's interval at 2 standard errors, the
    upright mark the promise. A promise is missed where the whole interval lies on the wrong side of it.

    Parameters
    ----------
    cells : sequence of calibration cells
        See :class:`CalibrationCell`; drawn from top to bottom.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        With a title that counts the promises missed.

    Raises
    ------
    DataError
        If there is no cell to draw.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from types import SimpleNamespace as Cell
    >>> cells = [Cell(name="nil: false supported", share=0.021, draws=2000, bar=0.025, side="at most"),
    ...          Cell(name="effect: coverage", share=0.91, draws=2000, bar=0.93, side="at least")]
    >>> print(calibration(cells, ax=Figure().subplots()).get_title(loc="left"))
    One of 2 promises is clearly missed: effect: coverage
    """
    if not cells:
        raise DataError("a calibration needs a cell", got="none", fix="run the calibration first")
    ax = new_axes(ax, size=(7.2, 1.2 + 0.26 * len(cells)))
    beside: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8.5}
    missed = []
    for at, cell in enumerate(cells):
        low, high = _wilson(cell.share, cell.draws)
        beyond = low > cell.bar if cell.side == "at most" else high < cell.bar
        if beyond:
            missed.append(cell.name)
        colour = WORD_COLOURS["contradicted" if beyond else "supported"]
        ax.plot([100 * low, 100 * high], [at, at], color=colour, lw=2.4, gid="interval")
        shape, kept = ("X", "missed") if beyond else ("o", "kept")
        ax.plot([100 * cell.bar] * 2, [at - 0.4, at + 0.4], color=INK, lw=1.2, gid="promise")
        ax.plot([100 * cell.share], [at], shape, color=colour, mec="white", ms=8, gid=kept)
        ax.annotate(f"{100 * cell.share:.1f} % of {cell.draws:,}", (1.01, at), color=MUTED, **beside)
    ax.set_yticks(range(len(cells)), [label(cell.name, limit=36) for cell in cells], color=INK)
    ax.set_ylim(len(cells) - 0.5, -0.5)
    sides = " or ".join(dict.fromkeys(cell.side for cell in cells))
    ax.set_xlabel(f"% of simulated tables; upright mark: promised ({sides})")
    ax.spines["left"].set_visible(False)
    titled(ax, _kept_title(len(cells), missed))
    return ax


def _wilson(share: float, n: int, z: float = 2.0) -> tuple[float, float]:
    centre, width = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return (centre - width) / (1 + z * z / n), (centre + width) / (1 + z * z / n)


def _kept_title(n: int, missed: list[str]) -> str:
    if not missed:
        return f"{'The promise is not' if n == 1 else f'None of {Count(n):promise} is'} clearly missed"
    if len(missed) == 1:
        return f"One of {Count(n):promise} is clearly missed: {label(missed[0])}"
    return f"{Count(len(missed), of=n):promise is} clearly missed"
