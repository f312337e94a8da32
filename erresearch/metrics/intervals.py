"""Reference distributions of counts and shares, and how ratios are written."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from erresearch.errors import DataError
from erresearch.results import Estimate, Interval, Reference, StudentT
from erresearch.results.estimates import check_level
from erresearch.results.rounding import escape


def percent(value: float) -> str:
    """Say a fraction in per cent, three significant digits.

    Examples
    --------
    >>> percent(0.0314), percent(0.02), percent(0.2 / 30), percent(-0.5)
    ('3.14 %', '2.00 %', '0.667 %', '−50.0 %')
    """
    number = 100 * value
    if not math.isfinite(number):
        return "not a number"
    size = math.floor(math.log10(abs(number))) if number else 0
    return f"{number:,.{min(max(2 - size, 0), 9)}f} %".replace("-", "−")


def markdown(text: str) -> str:
    r"""Lines of text as Markdown: names come from files and are shown as text, never as markup.

    Examples
    --------
    >>> print(markdown("a <b>*c*"))
    a &lt;b&gt;\*c\*
    """
    return "<br>".join(escape(line) for line in text.split("\n"))


def _normal(level: float) -> float:
    return StudentT(0.0, 1.0, math.inf).critical(check_level(level))


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
        z, p = _normal(level), self.successes / self.n
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
class Garwood:
    """Exact interval of a Poisson mean from one count.

    Parameters
    ----------
    count : float
        What was counted.

    References
    ----------
    Garwood, F. (1936). Fiducial limits for the Poisson distribution. Biometrika 28.

    Examples
    --------
    >>> print(Garwood(0).interval(0.95))
    [0, 3.7] (95 %)
    """

    count: float

    def interval(self, level: float) -> Interval:
        """Means under which the count lies in neither tail."""
        from scipy import special

        tail = (1 - check_level(level)) / 2
        low = float(special.gammaincinv(self.count, tail)) if self.count > 0 else 0.0
        return Interval(low, float(special.gammaincinv(self.count + 1, 1 - tail)), level)

    def pvalue(self, null: float = 0.0) -> float:
        """Twice the smaller tail of the count at mean `null`."""
        from scipy import special

        if null <= 0:
            return 1.0 if self.count == 0 and null == 0 else 0.0
        below = float(special.gammaincc(self.count + 1, null))
        above = float(special.gammainc(self.count, null)) if self.count > 0 else 1.0
        return min(1.0, 2 * min(below, above))


@dataclass(frozen=True, slots=True)
class ShareDifference:
    """Score interval of a difference of two shares of the same answers, such as promoters less detractors.

    θ is kept where |d − θ| ≤ z·√[(2q + θ − θ²)/n], d = (plus − minus)/n, and q is the share of minus that fits best if
    the difference is θ: the positive root of 2n·q² − [(plus + minus)(1 − θ) − 2·minus·θ − 2·rest·θ]·q − minus·θ(1 − θ).
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

        z, middle = _normal(level), (self.plus - self.minus) / self.n
        ends = []
        for side, end in ((1.0, -1.0), (-1.0, 1.0)):

            def beyond(theta: float, side: float = side) -> float:
                return float(np.clip(side * self._score(theta), -1e6, 1e6)) - z

            ends.append(
                end
                if middle == end or beyond(end) <= 0
                else float(optimize.brentq(beyond, end, middle, xtol=1e-12))
            )
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
        one, other, apart = (
            self.of_before.interval(level),
            self.of_after.interval(level),
            self.after - self.before,
        )
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
