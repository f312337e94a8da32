"""Shares of counts and Net Promoter Scores, with the sampling error that is rarely printed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.expressions import Every, check_every, period_start
from erresearch.engine.sources import as_narwhals
from erresearch.errors import Count, DataError, GuardError, check_name, warn
from erresearch.io import pd
from erresearch.results import Estimate, Interval, Reference, StudentT
from erresearch.results.estimates import check_level
from erresearch.results.rounding import Lined
from erresearch.schema import SURVEY, Column, TableSchema, validate

UNIT = "NPS points"
_LOOK = 20


def proportion(name: str, successes: float, n: float, *, level: float = 0.95) -> Estimate:
    """A share with Wilson's interval.

    Parameters
    ----------
    name : str
        What it is the share of.
    successes, n : float
        How many of how many.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        The share, a fraction.

    Raises
    ------
    DataError
        If nothing was counted, a count is negative or not finite, or there are more successes than cases.

    See Also
    --------
    erresearch.engagement_rate : Rates of posts.

    Examples
    --------
    >>> print(proportion("bounce rate", 30, 120))
    bounce rate: 0.250 [0.181, 0.334] (95 %), 120 rows; Wilson
    """
    if not (math.isfinite(n) and math.isfinite(successes) and n > 0 and 0 <= successes <= n):
        raise DataError(
            f"{name}: a share needs at least one case and no more hits than cases",
            got=f"{successes!r} of {n!r}",
            fix="check that both were counted over the same rows",
        )
    p = float(successes / n)
    around = StudentT(p, math.sqrt(p * (1 - p) / n), math.inf)
    share = around.estimate(name, level, n_rows=int(n), method="Wilson")
    return share.about(Wilson(float(successes), float(n)))


def nps(
    scores: Any,
    *,
    score: str = "score",
    level: float = 0.95,
    interval: Literal["score", "wald"] = "score",
    scale: tuple[int, int] | None = None,
    name: str = "NPS",
) -> Estimate:
    r"""Net Promoter Score (M12): per cent of 9 and 10 minus per cent of 0 to 6, with its interval.

    .. math:: NPS = 100 (p_+ - p_-), \quad SE = 100 \sqrt{[p_+ + p_- - (p_+ - p_-)^2] / n}

    Parameters
    ----------
    scores : table or sequence
        A survey table (any engine) with a column of scores, or the scores themselves. Whole numbers from 0 to 10.
    score : str
        The column, where a table is given.
    level : float
        Confidence level.
    interval : {"score", "wald"}
        By the score test (:class:`erresearch.metrics.shares.ShareDifference`), or by the formula above. Of 30 answers
        with shares of 2, 8 and 90 per cent the formula covers 84 %, the score 96 %.
    scale : tuple of int, optional
        Declare ``(0, 10)`` where the question is known to have run so; answers without a single 0 but with a 1 are
        then not warned about.
    name : str
        What it is called.

    Returns
    -------
    Estimate
        In NPS points, −100 to 100. It is no percentage.

    Raises
    ------
    DataError
        Scores outside 0 to 10, scores that are not whole, no score at all.
    GuardError
        For another scale than 0 to 10: the cut-offs are not defined on it.

    Warns
    -----
    ErresearchWarning
        If the answers look like a scale from 1 to 10, or if all of them fall in one class.

    See Also
    --------
    enps : The same question asked of employees.
    nps_over_time : The score by period, with its noise.

    References
    ----------
    Reichheld, F. F. (2003). The one number you need to grow. Harvard Business Review 81(12).
    Rocks, B. (2016). Interval estimation for the "Net Promoter Score". The American Statistician 70.

    Examples
    --------
    >>> answers = [10] * 50 + [8] * 30 + [0] * 5 + [5] * 15
    >>> print(nps(answers))
    NPS: 30 NPS points [14, 44] (95 %), 100 rows; score
    """
    check_name("interval", interval, ["score", "wald"])
    _check_scale(scale, name)
    check_level(level)
    counts, missing = _counts(scores, score)
    if scale is None:
        _warn_of_one_to_ten(counts, name)
    note = f"; {missing:,} without a score left out" if missing else ""
    return _estimate(counts, name, level=level, note=note, wald=interval == "wald")


def enps(
    scores: Any,
    *,
    score: str = "score",
    level: float = 0.95,
    interval: Literal["score", "wald"] = "score",
    scale: tuple[int, int] | None = None,
) -> Estimate:
    """Employee NPS (M13): the arithmetic of :func:`nps` on employees' likelihood to recommend their employer.

    Parameters
    ----------
    scores, score, level, interval, scale
        As for :func:`nps`.

    Returns
    -------
    Estimate
        In NPS points.

    Raises
    ------
    DataError, GuardError
        As for :func:`nps`. The source's own "1 to 10" is refused: it gives no cut-offs for it.

    See Also
    --------
    nps : The same question asked of customers.

    References
    ----------
    As for :func:`nps`.

    Examples
    --------
    >>> enps([10, 9, 8, 0]).value
    25.0
    """
    return nps(scores, score=score, level=level, interval=interval, scale=scale, name="eNPS")


@dataclass(frozen=True, slots=True, kw_only=True)
class NpsSeries(Lined):
    """NPS per period, with the part of its ups and downs that is sampling error.

    Parameters
    ----------
    periods : tuple
        First day of each period.
    estimates : tuple of Estimate
        One per period.
    changes : tuple of Estimate
        From each period to the next.
    statistic : float
        Cochran's Q: weighted squared distances from the common mean.
    pvalue : float
        Of one true NPS in all periods.
    noise_share : float
        Share of the spread between periods that sampling alone explains, 0 to 1.
    dropped : mapping of str to int
        Answers left out.
    """

    periods: tuple[Any, ...]
    estimates: tuple[Estimate, ...]
    changes: tuple[Estimate, ...]
    statistic: float
    pvalue: float
    noise_share: float
    dropped: Mapping[str, int]

    def to_frame(self) -> pd.DataFrame:
        """One row per period (a pandas DataFrame)."""
        rows = [
            (one.value, one.se, one.interval.low, one.interval.high, one.n_rows) for one in self.estimates
        ]
        periods = pd.Index(self.periods, name="period")
        return pd.DataFrame(rows, index=periods, columns=["nps", "se", "low", "high", "answers"])

    def __str__(self) -> str:
        """What the series shows beyond sampling error."""
        first, last = self.estimates[0], self.estimates[-1]
        dropped = "; ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "none"
        return (
            f"NPS in {Count(len(self.periods)):period}, {first.value:.3g} to {last.value:.3g} points; sampling error "
            f"explains {100 * self.noise_share:.0f} % of the spread between periods (p of no change at all: "
            f"{self.pvalue:.2g}); left out: {dropped}"
        )


def nps_over_time(
    survey: Any,
    *,
    score: str = "score",
    period: str = "date",
    every: Every = "month",
    level: float = 0.95,
    scale: tuple[int, int] | None = None,
) -> NpsSeries:
    r"""NPS per period, and how much of its movement is only sampling.

    Parameters
    ----------
    survey : table
        One row per answer, any engine.
    score, period : str
        Columns of scores and dates.
    every : {"day", "week", "month", "quarter", "year"}
        Length of a period.
    level : float
        Confidence level.
    scale : tuple of int, optional
        As for :func:`nps`.

    Returns
    -------
    NpsSeries
        Estimates per period, changes between neighbours, and Cochran's Q with
        :math:`1 - I^2 = \min(1, (T - 1) / Q)` as share of noise.

    Raises
    ------
    DataError
        As for :func:`nps`, and where there are fewer than two periods.

    See Also
    --------
    nps : One score.

    References
    ----------
    Higgins, J. P. T. & Thompson, S. G. (2002). Quantifying heterogeneity in a meta-analysis. Statistics in Medicine 21.

    Examples
    --------
    >>> import pandas as pd
    >>> survey = pd.DataFrame({"date": pd.to_datetime(["2024-01-05"] * 40 + ["2024-02-05"] * 40),
    ...                        "score": [10, 9, 8, 0] * 10 + [10, 9, 8, 3] * 10})
    >>> nps_over_time(survey).to_frame()["nps"].tolist()
    [25.0, 25.0]
    """
    check_every(every)
    check_level(level)
    _check_scale(scale, "NPS")
    cells, dropped = _tally(
        survey, score, period_start(period, every), Column(period, "day", "time", required=True)
    )
    periods = tuple(sorted(cells))
    if len(periods) < 2:
        raise DataError(
            "NPS over time needs at least two periods",
            got=f"{len(periods)} with answers",
            fix="use a shorter period, or nps() for one figure",
        )
    if scale is None:
        _warn_of_one_to_ten(np.sum(list(cells.values()), axis=0), "NPS")
    estimates = tuple(_estimate(cells[when], f"NPS {when}", level=level) for when in periods)
    return NpsSeries(
        periods=periods,
        estimates=estimates,
        changes=tuple(_change(a, b, level) for a, b in pairwise(estimates)),
        **_spread(estimates),
        dropped={reason: count for reason, count in dropped.items() if count},
    )


def _change(before: Estimate, after: Estimate, level: float) -> Estimate:
    """Difference of two independent samples."""
    assert before.reference is not None
    assert after.reference is not None
    apart = StudentT(after.value - before.value, math.hypot(before.se, after.se), math.inf).estimate(
        f"change to {after.name}",
        level,
        n_rows=before.n_rows + after.n_rows,
        unit=UNIT,
        method="difference of two samples, from their score intervals",
    )
    return apart.about(Mover(before.value, after.value, before.reference, after.reference))


def _spread(estimates: tuple[Estimate, ...]) -> dict[str, float]:
    """Cochran's Q over the periods that have a standard error."""
    from scipy import special

    values, errors = np.array([(one.value, one.se) for one in estimates if one.se > 0]).reshape(-1, 2).T
    df, weights = len(values) - 1, 1 / errors**2
    if df < 1:
        return {"statistic": 0.0, "pvalue": 1.0, "noise_share": 1.0}
    q = float(np.sum(weights * (values - np.average(values, weights=weights)) ** 2))
    noise = min(1.0, df / q) if q > 0 else 1.0
    return {"statistic": q, "pvalue": float(special.chdtrc(df, q)), "noise_share": noise}


def _check_scale(scale: tuple[int, int] | None, name: str) -> None:
    if scale is not None and tuple(scale) != (0, 10):
        raise GuardError(
            f"{name} is defined on a scale from 0 to 10 only",
            got=f"scale={tuple(scale)!r}",
            fix="report the distribution of the answers; there are no agreed cut-offs on another scale",
        )


def _counts(scores: Any, score: str) -> tuple[np.ndarray, int]:
    """Answers per score 0 to 10, and how many were missing."""
    frame = as_narwhals(scores, pass_through=True, allow_series=True)
    if isinstance(frame, nw.Series):
        frame = frame.alias(score).to_frame()
    elif not isinstance(frame, nw.DataFrame | nw.LazyFrame):
        frame = nw.from_native(pd.DataFrame({score: list(scores)}))
    cells, dropped = _tally(nw.to_native(frame), score, nw.lit(0))
    missing = dropped["without a score"]
    if not cells:
        raise DataError(f"`{score}` holds no score", got=f"{missing:,} missing", allowed="0, 1, …, 10")
    return cells[0], missing


def _tally(
    survey: Any, score: str, when: Any, *others: Column
) -> tuple[dict[Any, np.ndarray], dict[str, int]]:
    """Answers per period and score 0 to 10, and those without a date or a score."""
    validate(survey, TableSchema("survey", (replace(SURVEY["score"], name=score, required=True), *others)))
    flat = nw.from_native(survey).lazy().select(when=when, score=nw.col(score).cast(nw.Float64()))
    rows = flat.group_by("when", "score").agg(n=nw.len()).collect()
    cells: dict[Any, np.ndarray] = {}
    dropped = {"without a date": 0, "without a score": 0}
    for at, answer, n in rows.iter_rows():
        if at is None or at != at:  # noqa: PLR0124 - a missing date differs from itself
            dropped["without a date"] += int(n)
        elif answer is None or math.isnan(answer):
            dropped["without a score"] += int(n)
        elif answer != int(answer):
            raise DataError(
                f"`{score}` must hold whole numbers",
                got=f"{answer:g} among the answers",
                allowed="0, 1, …, 10",
                fix="use the answers themselves, not averages of them",
            )
        else:
            cells.setdefault(at, np.zeros(11, dtype=int))[int(answer)] += int(n)
    return cells, dropped


def _warn_of_one_to_ten(counts: np.ndarray, name: str) -> None:
    n = int(counts.sum())
    if n >= _LOOK and counts[0] == 0 and counts[1] > 0:
        warn(
            f"{name}: none of {Count(n):answer} is 0 and {int(counts[1]):,} are 1: this looks like a scale from 1 to 10, "
            "on which the cut-offs 0–6 and 9–10 are not defined; pass scale=(0, 10) if 0 could be answered"
        )


def _estimate(counts: np.ndarray, name: str, *, level: float, note: str = "", wald: bool = False) -> Estimate:
    """The score of counted answers, with the interval of the score test or of the formula."""
    n, detractors, promoters = int(counts.sum()), int(counts[:7].sum()), int(counts[9:].sum())
    minus, plus = detractors / n, promoters / n
    value = 100 * float(plus - minus)
    se = 100 * math.sqrt(max(0.0, float(plus + minus - (plus - minus) ** 2)) / n)
    if se == 0 and wald:
        warn(
            f"{name}: all {Count(n):answer falls} in one class, so the interval has no width; that is no certainty"
        )
    around = StudentT(value, se, math.inf)
    found = around.estimate(name, level, n_rows=n, unit=UNIT, method=f"{'Wald' if wald else 'score'}{note}")
    return found if wald else found.about(ShareDifference(promoters, detractors, n, 100.0))


@dataclass(frozen=True, slots=True)
class Wilson:
    """Wilson's score interval of a share: never leaves 0 to 1, and has a width at 0 and at n of n.

    Parameters
    ----------
    successes, n : float
        How many of how many.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22.

    Examples
    --------
    >>> print(Wilson(0, 20).interval(0.95))
    [0, 0.161] (95 %)
    """

    successes: float
    n: float

    def interval(self, level: float) -> Interval:
        """The shares that a score test at 1 − level does not reject."""
        z, p = StudentT(0.0, 1.0, math.inf).critical(check_level(level)), self.successes / self.n
        spread = z * math.sqrt(p * (1 - p) / self.n + z * z / (4 * self.n**2))
        scale = 1 + z * z / self.n
        middle = p + z * z / (2 * self.n)
        low = 0.0 if self.successes == 0 else max(0.0, (middle - spread) / scale)
        high = 1.0 if self.successes == self.n else min(1.0, (middle + spread) / scale)
        return Interval(low, high, level)

    def pvalue(self, null: float = 0.0) -> float:
        """Two-sided score test of share = null."""
        from scipy import special

        p = self.successes / self.n
        if not 0 < null < 1:
            return 1.0 if p == null else 0.0
        return float(2 * special.ndtr(-abs(p - null) / math.sqrt(null * (1 - null) / self.n)))


@dataclass(frozen=True, slots=True)
class ShareDifference:
    """Score interval of a difference of two shares of the same answers, such as promoters less detractors.

    θ is kept where |d − θ| ≤ z·√[(2q + θ − θ²)/n], d = (plus − minus)/n, and q is the share of minus that fits best
    if the difference is θ: the positive root of
    2n·q² − [(plus + minus)(1 − θ) − 2·minus·θ − 2·rest·θ]·q − minus·θ(1 − θ).
    Tango's interval of paired shares, which answers of three kinds are.

    Parameters
    ----------
    plus, minus, n : int
        Answers of either kind, of how many.
    scale : float
        What one stands for: 100 for points.

    References
    ----------
    Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. *Statistics in Medicine*, 17(8), 891-908.

    Examples
    --------
    >>> print(ShareDifference(27, 1, 30).interval(0.95))
    [0.60, 0.95] (95 %)
    """

    plus: int
    minus: int
    n: int
    scale: float = 1.0

    def _score(self, theta: float) -> float:
        """The statistic of difference = θ."""
        apart = (self.plus - self.minus) / self.n - theta
        rest = self.n - self.plus - self.minus
        linear = (self.plus + self.minus) * (1 - theta) - 2 * self.minus * theta - 2 * rest * theta
        root = math.sqrt(max(linear**2 + 8 * self.n * self.minus * theta * (1 - theta), 0.0))
        variance = 2 * max(linear + root, 0.0) / (4 * self.n) + theta - theta**2
        if variance <= 0:
            return 0.0 if apart == 0 else math.copysign(math.inf, apart)
        return apart / math.sqrt(variance / self.n)

    def interval(self, level: float) -> Interval:
        """The differences that a score test at 1 − level does not reject."""
        from scipy import optimize

        z = StudentT(0.0, 1.0, math.inf).critical(check_level(level))
        middle, ends = (self.plus - self.minus) / self.n, []
        for side, end in ((1.0, -1.0), (-1.0, 1.0)):

            def beyond(theta: float, side: float = side) -> float:
                return float(np.clip(side * self._score(theta), -1e6, 1e6)) - z

            inside = middle == end or beyond(end) <= 0
            ends.append(end if inside else float(optimize.brentq(beyond, end, middle, xtol=1e-12)))
        return Interval(self.scale * ends[0], self.scale * ends[1], level)

    def pvalue(self, null: float = 0.0) -> float:
        """Two-sided score test of difference = null."""
        from scipy import special

        theta = null / self.scale
        return float(2 * special.ndtr(-abs(self._score(theta)))) if -1 <= theta <= 1 else 0.0


@dataclass(frozen=True, slots=True)
class Mover:
    """Interval of a difference of two independent figures, from the interval of each (MOVER).

    Parameters
    ----------
    before, after : float
        The figures.
    of_before, of_after : Reference
        What gives their intervals.

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions. *Statistics in
    Medicine*, 17(8), 873-890.

    Examples
    --------
    >>> print(Mover(0.5, 0.8, Wilson(50, 100), Wilson(80, 100)).interval(0.95))
    [0.17, 0.42] (95 %)
    """

    before: float
    after: float
    of_before: Reference
    of_after: Reference

    def interval(self, level: float) -> Interval:
        """From after − before ∓ the root of the squared distances to the facing ends."""
        one, other = self.of_before.interval(level), self.of_after.interval(level)
        apart = self.after - self.before
        low = apart - math.hypot(self.after - other.low, one.high - self.before)
        return Interval(low, apart + math.hypot(other.high - self.after, self.before - one.low), level)

    def pvalue(self, null: float = 0.0) -> float:
        """1 − the level at which an end of the interval meets `null`."""
        from scipy import optimize

        def gap(level: float) -> float:
            ends = self.interval(level)
            return (null - ends.low) if null < self.after - self.before else (ends.high - null)

        least, most = 1e-9, 1 - 1e-12
        if gap(least) >= 0:
            return 1.0
        if gap(most) <= 0:
            return 1 - most
        return 1 - float(optimize.brentq(gap, least, most, xtol=1e-12))
