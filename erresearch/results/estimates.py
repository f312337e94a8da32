"""One number with its uncertainty: intervals, the distributions behind them, estimates, reliabilities."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field, replace
from enum import StrEnum
from numbers import Real
from typing import ClassVar, Literal, Protocol

from erresearch.errors import Count, DesignError
from erresearch.results.rounding import Headed, Printed, escape, grouped, plain, rounded


class IntervalKind(StrEnum):
    """What gave the intervals of a fit."""

    STUDENT_T = "Student's t"
    WILD_BOOTSTRAP = "wild cluster bootstrap"


def check_level(level: float) -> float:
    """Refuse a level that is none, before anything is computed with it.

    Examples
    --------
    >>> check_level(0.95)
    0.95
    """
    if not isinstance(level, Real) or not 0 < level < 1:
        raise DesignError("`level` must lie between 0 and 1", got=repr(level), fix="use 0.95 for 95 %")
    return float(level)


@dataclass(frozen=True, slots=True, repr=False)
class Interval(Printed):
    """A confidence interval, possibly unbounded.

    Parameters
    ----------
    low, high : float
        The ends; ``-inf`` and ``inf`` where the data set no bound.
    level : float
        Confidence level, between 0 and 1.

    See Also
    --------
    Estimate : A value with its interval.

    Examples
    --------
    >>> Interval(0.02, 0.31, 0.95).inside(0, 1)
    True
    """

    low: float
    high: float
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse an interval that is none."""
        check_level(self.level)
        if not self.low <= self.high:
            raise DesignError(
                "an interval's low end must not exceed its high end", got=f"{self.low}, {self.high}"
            )

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def __contains__(self, value: float) -> bool:
        """Whether `value` lies in the closed interval."""
        return self.low <= value <= self.high

    def inside(self, low: float, high: float) -> bool:
        """Whether the whole interval lies strictly between `low` and `high`."""
        return low < self.low and self.high < high

    def __str__(self) -> str:
        """The ends and the level."""
        return format(self, "")

    def __format__(self, spec: str) -> str:
        """The ends by a number's format, and the level: ``f"{interval:.3f}"``."""
        ends = f"[{plain(self.low, spec)}, {plain(self.high, spec)}]" if spec else self.ends()
        return f"{ends} ({100 * self.level:.4g} %)"

    @property
    def half(self) -> float:
        """Half its width; infinite where an end is."""
        return (self.high - self.low) / 2

    def shown(self, *beside: float) -> tuple[str, str]:
        """Both ends as the width allows, on the same side of 0 and of the lines `beside` as before."""
        low, high = (rounded(end, like=self.half, beside=beside) for end in (self.low, self.high))
        return low, high

    def ends(self, *beside: float) -> str:
        """The same in brackets."""
        return f"[{', '.join(self.shown(*beside))}]"


class Reference(Protocol):
    """What an estimate is compared with: the distribution that gives its intervals and p-values."""

    def interval(self, level: float) -> Interval:
        """Two-sided confidence interval at `level`."""

    def pvalue(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the value equals `null`."""


@dataclass(frozen=True, slots=True)
class StudentT:
    """Student's t around an estimate (normal where `df` is infinite).

    Parameters
    ----------
    value, se : float
        Estimate and standard error.
    df : float
        Degrees of freedom; ``inf`` for the normal.

    Examples
    --------
    >>> StudentT(2.0, 1.0, math.inf).interval(0.95).low
    0.0400...
    """

    value: float
    se: float
    df: float

    def critical(self, level: float) -> float:
        """Quantile of |t| at `level`."""
        from scipy import special

        tail = (1 + level) / 2
        return float(special.ndtri(tail) if math.isinf(self.df) else special.stdtrit(self.df, tail))

    def interval(self, level: float) -> Interval:
        """Value ± t·se."""
        if not math.isfinite(self.se):
            return Interval(-math.inf, math.inf, level)
        half = self.critical(level) * self.se
        return Interval(self.value - half, self.value + half, level)

    def pvalue(self, null: float = 0.0) -> float:
        """Two-sided p-value of value = null."""
        from scipy import special

        if not math.isfinite(self.se):
            return 1.0
        if self.se == 0:
            return 1.0 if self.value == null else 0.0
        t = -abs(self.value - null) / self.se
        return float(2 * (special.ndtr(t) if math.isinf(self.df) else special.stdtr(self.df, t)))

    def estimate(
        self,
        name: str,
        level: float,
        *,
        n_rows: int,
        n_accounts: int = 0,
        unit: str = "",
        method: str = "",
        by: str = "",
    ) -> Estimate:
        """The estimate that it is around, with its interval at `level`."""
        return Estimate(
            name,
            value=self.value,
            se=self.se,
            df=self.df,
            interval=self.interval(level),
            n_rows=n_rows,
            n_accounts=n_accounts,
            unit=unit,
            method=method,
            reference=self,
            by=by,
        )


@dataclass(frozen=True, slots=True)
class FisherZ:
    """Student's t on Fisher's scale, carried back to correlations.

    Parameters
    ----------
    value : float
        Correlation r.
    se : float
        Standard error of atanh r; at r = ±1, where there is none, that of independent normals.
    df : float
        Degrees of freedom.
    pairs : int
        Independent pairs of units that can agree or not; what r = ±1, which has no scatter, is judged by.

    Notes
    -----
    Where r = ±1 the jackknife sees no scatter, although four rows of unrelated columns fall into one order one time
    out of twelve. If two random units agree in order with probability p = (1 + τ)/2, m pairs of them all do with
    p^m: the interval reaches from sin(πτ/2), Greiner's relation, with p = ((1 − level)/2)^(1/m), to 1.

    Examples
    --------
    >>> FisherZ(0.5, 0.1, 100).interval(0.95).high < 1
    True
    >>> print(FisherZ(1.0, 0.0, 8, pairs=5).interval(0.95))
    [−0.07, 1.00] (95 %)
    """

    value: float
    se: float
    df: float
    pairs: int = 0

    def _z(self) -> StudentT:
        return StudentT(math.atanh(self.value), self.se, self.df)

    def interval(self, level: float) -> Interval:
        """tanh(atanh r ± t·se); at r = ±1 as in the notes."""
        if abs(self.value) >= 1:
            inner = -1.0
            if self.pairs and math.isfinite(self.se):
                agree = ((1 - level) / 2) ** (1 / self.pairs)
                inner = math.sin(math.pi / 2 * (2 * agree - 1))
            low, high = sorted((math.copysign(inner, inner * self.value), self.value))
            return Interval(low, high, level)
        ends = self._z().interval(level)
        return Interval(math.tanh(ends.low), math.tanh(ends.high), level)

    def pvalue(self, null: float = 0.0) -> float:
        """Two-sided p-value of r = null."""
        if abs(self.value) >= 1:
            if null == self.value or not self.pairs or not math.isfinite(self.se):
                return 1.0
            agree = 0.5 + math.asin(max(-1.0, min(1.0, math.copysign(1.0, self.value) * null))) / math.pi
            return min(1.0, 2 * agree**self.pairs)
        return self._z().pvalue(math.atanh(null))


@dataclass(frozen=True, slots=True)
class IntervalTable:
    """Intervals of a stored estimate at some levels, where what they came from (draws, a profile) is not stored.

    Parameters
    ----------
    intervals : tuple of Interval
        One per level.

    Raises
    ------
    DesignError
        When asked for another level, a p-value or a critical value.

    Examples
    --------
    >>> IntervalTable((Interval(0.1, 0.3, 0.95),)).interval(0.95).low
    0.1
    """

    intervals: tuple[Interval, ...]

    def interval(self, level: float) -> Interval:
        """The interval that was stored at `level`."""
        for stored in self.intervals:
            if math.isclose(stored.level, level, rel_tol=0, abs_tol=1e-9):
                return stored
        raise self._absent(f"level {level:g}")

    def pvalue(self, null: float = 0.0) -> float:
        """Is not stored."""
        raise self._absent("a p-value")

    def _absent(self, asked: str) -> DesignError:
        return DesignError(
            "an estimate was stored without its distribution",
            got=asked,
            allowed="its intervals at " + ", ".join(f"{one.level:.4g}" for one in self.intervals),
            fix="compute it again from the rows",
        )


@dataclass(frozen=True, slots=True)
class Affine:
    """Reference distribution of shift + factor·θ, from that of θ.

    Parameters
    ----------
    reference : Reference
        Of θ.
    factor, shift : float
        Known numbers; the factor is not 0.

    Examples
    --------
    >>> Affine(StudentT(0.75, 0.01, 100), factor=-1.0, shift=1.0).interval(0.95).low > 0.2
    True
    """

    reference: Reference
    factor: float = 1.0
    shift: float = 0.0

    def interval(self, level: float) -> Interval:
        """The ends of θ's interval carried over, swapped by a negative factor."""
        ends = self.reference.interval(level)
        low, high = sorted((self.shift + self.factor * ends.low, self.shift + self.factor * ends.high))
        return Interval(low, high, level)

    def pvalue(self, null: float = 0.0) -> float:
        """Two-sided p-value of shift + factor·θ = null."""
        return self.reference.pvalue((null - self.shift) / self.factor)


@dataclass(frozen=True, slots=True, repr=False)
class Estimate(Printed):
    """One number with its uncertainty.

    Parameters
    ----------
    name : str
        What was estimated, in the field's words.
    value, se : float
        Point estimate and standard error, in `unit`.
    df : float
        Degrees of freedom of the reference distribution.
    interval : Interval
        Confidence interval at the level asked for.
    n_rows, n_accounts : int
        Complete rows and accounts (clusters) used; `n_accounts` is 0 where no account was named.
    unit : str
        Unit of `value`; empty for a pure number.
    method : str
        How value and interval were made, in words.
    by : str
        What the accounts are, where they are something else (the clustering column).
    reference : Reference, optional
        The distribution behind `interval`; lets :meth:`at` and :attr:`pvalue` answer. None for a stored number.

    See Also
    --------
    Interval : Its interval.
    erresearch.equivalence : Whether it is small enough not to matter.

    Examples
    --------
    >>> ref = StudentT(0.1, 0.02, 39)
    >>> e = Estimate("log engagement", value=0.1, se=0.02, df=39, interval=ref.interval(0.95), n_rows=4160,
    ...     n_accounts=40, unit="", method="OLS, CRV3", reference=ref)
    >>> print(e)
    log engagement: 0.100 [0.060, 0.140] (95 %), 4,160 rows, 40 accounts; OLS, CRV3
    >>> e.at(0.99).interval.low < e.interval.low
    True
    """

    name: str
    _: KW_ONLY
    value: float
    se: float
    df: float
    interval: Interval
    n_rows: int
    n_accounts: int
    unit: str = ""
    method: str = ""
    reference: Reference | None = field(default=None, repr=False, compare=False)
    by: str = ""

    @property
    def statistic(self) -> float:
        """Estimate over standard error; infinite where the standard error is 0."""
        if self.se == 0:
            return math.copysign(math.inf, self.value) if self.value else math.nan
        return self.value / self.se

    @property
    def pvalue(self) -> float:
        """Two-sided p-value of a true value of 0."""
        return self.behind().pvalue(0.0)

    def at(self, level: float) -> Estimate:
        """Return the same estimate with its interval at another level.

        Raises
        ------
        DesignError
            If the estimate was stored without the distribution behind its interval.
        """
        reference = self.behind()
        # the interval of a bootstrap takes longer than all else that is asked of an estimate
        return self if level == self.interval.level else replace(self, interval=reference.interval(level))

    def about(self, reference: Reference) -> Estimate:
        """Return the same number with another distribution behind it, and the interval that goes with that."""
        return replace(self, interval=reference.interval(self.interval.level), reference=reference)

    @property
    def groups(self) -> str:
        """The clusters in words: "40 accounts", "75 groups by year"; empty for independent rows."""
        return grouped(self.n_accounts, self.by) if self.n_accounts else ""

    def transformed(self, name: str, *, factor: float = 1.0, shift: float = 0.0) -> Estimate:
        """Return shift + factor·value as an estimate of its own, with the interval that goes with it.

        Raises
        ------
        DesignError
            If the factor is 0 or the estimate was stored without its distribution.
        """
        if factor == 0:
            raise DesignError("an estimate times 0 says nothing", got="factor=0", fix="use another factor")
        carried = replace(self, name=name, value=shift + factor * self.value, se=abs(factor) * self.se)
        return carried.about(Affine(self.behind(), factor, shift))

    def __format__(self, spec: str) -> str:
        """With a number's format, value and interval alone, ``f"{estimate:+.3f}"``; else the sentence."""
        if not spec:
            return str(self)
        return f"{plain(self.value, spec)} {self.interval:{spec.removeprefix('+')}}"

    def behind(self, purpose: str = "") -> Reference:
        """The distribution behind the interval.

        Raises
        ------
        DesignError
            If the estimate was stored without it: `purpose` says what it was wanted for.
        """
        if self.reference is None:
            wrong = f"the interval of {self.name!r} cannot be moved to another level or tested"
            raise DesignError(
                f"{self.name!r} cannot be used for {purpose}" if purpose else wrong,
                got="an estimate stored without the distribution behind its interval",
                fix="estimate it again from its rows or moments",
            )
        return self.reference

    def __str__(self) -> str:
        """One sentence."""
        return self.sentence()

    def sentence(self, *beside: float) -> str:
        """Name, number, rows and method; no number rounded to or across 0 or the lines `beside`."""
        accounts = f", {self.groups}" if self.n_accounts else ""
        method = f"; {self.method}" if self.method else ""
        return f"{self.name}: {self.number(*beside)}, {Count(self.n_rows):row}{accounts}{method}"

    def number(self, *beside: float) -> str:
        """Value, unit and interval, rounded as the interval allows; never across 0 or the lines `beside`."""
        unit = f" {self.unit}" if self.unit else ""
        return (
            f"{self.short(*beside)}{unit} {self.interval.ends(*beside)} ({100 * self.interval.level:.4g} %)"
        )

    def short(self, *beside: float) -> str:
        """The value alone, rounded as its interval allows."""
        return rounded(self.value, like=self.interval.half, beside=beside)

    def _repr_markdown_(self) -> str:
        return f"**{escape(self.name)}** {escape(str(self)[len(self.name) + 2 :])}"


Source = Literal["declared", "counts", "autocovariances", "days"]
_SAID = {
    "declared": "declared",
    "counts": "from several counts, whose errors are taken to be their own",
    "autocovariances": "read off how x follows itself over time; its errors are taken to have no memory",
    "days": "it is not looked at by day: declare it, as in examine(..., reliability=0.8)",
}


@dataclass(frozen=True, slots=True, repr=False)
class Reliability(Headed):
    """Share of the variance of x that is not an error of measurement.

    Parameters
    ----------
    value : float
        The share; nan where it is not known.
    low : float
        Its lower bound, in (0, 1]; nan where it is not known.
    source : {"declared", "counts", "autocovariances", "days"}
        Who says so.
    level : float
        Level of the lower bound (one-sided); 1 where it was declared.

    Raises
    ------
    DesignError
        If a bound lies outside (0, 1].

    See Also
    --------
    erresearch.relate.reliability : Estimates it.

    Examples
    --------
    >>> known = Reliability(0.9, 0.8, "declared", 1.0)
    >>> round(known.given(0.5), 2)
    0.6
    """

    heading: ClassVar[str] = "reliability"
    value: float
    low: float
    source: Source
    level: float = 0.9

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        number = isinstance(self.low, Real) and not isinstance(self.low, bool)
        unknown = number and math.isnan(self.low) and self.source != "declared"
        if not number or not (unknown or 0 < self.low <= 1):
            raise DesignError(
                "a reliability is a share of the variance",
                got=f"{self.low:g}" if number else repr(self.low),
                allowed="above 0, and 1 at most",
                fix="use 1.0 for a count without error, or leave it out where it is not known",
            )

    @property
    def known(self) -> bool:
        """Whether there is a lower bound."""
        return not math.isnan(self.low)

    def given(self, r2: float) -> float:
        """Lower bound beside other regressors: 1 − (1 − λ)/(1 − R²), 0 where nothing of x is left but error.

        Parameters
        ----------
        r2 : float
            Share of the variance of x that the other regressors explain.

        Returns
        -------
        float
            What a slope beside them keeps at least; nan where the reliability is not known.
        """
        if not self.known:
            return math.nan
        return max(0.0, 1 - (1 - self.low) / (1 - r2)) if r2 < 1 else 0.0

    def __str__(self) -> str:
        """The bound and its source in one sentence."""
        if not self.known:
            return f"how much of x is measurement error is not known ({_SAID[self.source]})"
        bound = (
            "" if self.source == "declared" else f", {plain(self.low)} or more at {100 * self.level:.4g} %"
        )
        what = f"{plain(self.value)}{bound}: the share of x that is no error of measurement"
        return f"reliability {what} ({_SAID[self.source]})"
