"""Where things stand on the report's interval strips, in per cent of the strip's width."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from erresearch.report.figures.style import rounded
from erresearch.results import Interval, Verdict

__all__ = ["Axis", "Bar", "axis_of"]

_TICKS = 4
_MARGIN = 0.06


@dataclass(frozen=True, slots=True)
class Bar:
    """One verdict's marks on a strip, in per cent; arrows where an end is unbounded or out of view."""

    point: float
    low: float
    high: float
    inner_low: float
    inner_high: float
    arrow_low: bool
    arrow_high: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """The common scale of a claim's strips.

    Parameters
    ----------
    low, high : float
        Ends of the scale.
    ticks : tuple of (float, str)
        Position in per cent and text of each tick.
    zero : float
        Position of 0 in per cent.
    band : (float, float) or None
        Where ±δ lies, in per cent; None where no δ was declared.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    zero: float
    band: tuple[float, float] | None

    def at(self, value: float) -> float:
        """Position of `value` in per cent, kept inside the strip."""
        if math.isnan(value):
            return self.zero
        share = 100 * (value - self.low) / (self.high - self.low)
        return round(min(max(share, 0.0), 100.0), 2)

    def bar(self, verdict: Verdict) -> Bar | None:
        """Marks of one verdict; None where it has no estimate."""
        estimate = verdict.estimate
        if estimate is None or not math.isfinite(estimate.value):
            return None
        shown, own = estimate.interval, verdict.interval or estimate.interval
        low, high = min(shown.low, own.low), max(shown.high, own.high)
        return Bar(
            self.at(estimate.value),
            self.at(low),
            self.at(high),
            self.at(shown.low),
            self.at(shown.high),
            low < self.low,
            high > self.high,
        )


def _ends(verdict: Verdict) -> Iterable[float]:
    estimate = verdict.estimate
    if estimate is None:
        return []
    intervals: list[Interval] = [estimate.interval]
    if verdict.interval is not None:
        intervals.append(verdict.interval)
    return [estimate.value, *(end for interval in intervals for end in (interval.low, interval.high))]


def axis_of(verdicts: Iterable[Verdict]) -> Axis | None:
    """Scale that holds 0, ±δ and every bounded interval; None where no verdict has an estimate.

    Parameters
    ----------
    verdicts : iterable of Verdict
        The verdicts of one claim, all in its unit.

    Examples
    --------
    >>> from erresearch.results import Estimate
    >>> estimate = Estimate("x", value=0.3, se=0.05, df=39, interval=Interval(0.2, 0.4), n_rows=100, n_accounts=10)
    >>> axis = axis_of([Verdict("C1", "shop", "supported", estimate=estimate, sesoi=0.05)])
    >>> [text for _, text in axis.ticks]
    ['0', '0.2', '0.4']
    """
    verdicts = list(verdicts)
    ends = [end for verdict in verdicts for end in _ends(verdict) if math.isfinite(end)]
    if not ends:
        return None
    deltas = [verdict.sesoi for verdict in verdicts if math.isfinite(verdict.sesoi) and verdict.sesoi > 0]
    delta = max(deltas, default=math.nan)
    ends += [0.0, *([-delta, delta] if deltas else [])]
    low, high = min(ends), max(ends)
    pad = _MARGIN * (high - low) if high > low else 1.0
    low, high = low - pad, high + pad
    blank = Axis(low, high, (), 0.0, None)
    zero = blank.at(0.0)
    band = (blank.at(-delta), blank.at(delta)) if deltas else None
    return Axis(low, high, tuple((blank.at(tick), rounded(tick)) for tick in _ticks(low, high)), zero, band)


def _ticks(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    located = MaxNLocator(nbins=_TICKS, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    step = located[1] - located[0]
    # a tick a rounding error away from 0 would be printed as 1e-17
    return [0.0 if abs(tick) < step / 1e6 else float(tick) for tick in located if low <= tick <= high]
