"""Every value that a test returns, each with the (binned) points its picture draws.

Numbers happen in functions elsewhere; the objects here only carry them, say them in one sentence and
lay them out as a small table. Nothing here rounds except ``__str__`` and the Markdown shown in a notebook.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from erresearch.errors import DesignError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "WORDS",
    "Bins",
    "Curve",
    "Decay",
    "Doubt",
    "Estimate",
    "Fit",
    "Interval",
    "Precedence",
    "Reference",
    "Sensitivity",
    "StudentT",
    "Verdict",
    "Word",
]

Word = Literal[
    "supported", "contradicted", "practically nil", "inconclusive", "association only", "not judged"
]
WORDS: tuple[Word, ...] = (
    "supported",
    "contradicted",
    "practically nil",
    "inconclusive",
    "association only",
    "not judged",
)


def _number(value: float) -> str:
    """Four significant digits, without exponent for the sizes people read."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "not a number")
    if value == 0:
        return "0"
    size = abs(value)
    text = (
        f"{value:.3e}"
        if size < 1e-4 or size >= 1e9
        else f"{value:,.{max(0, 3 - math.floor(math.log10(size)))}f}"
    )
    return text.replace("-", "−")


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, possibly unbounded.

    Parameters
    ----------
    low, high : float
        The ends; ``-inf`` and ``inf`` where the data set no bound.
    level : float
        Confidence level, between 0 and 1.

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
        if not 0 < self.level < 1:
            raise DesignError(
                "`level` must lie between 0 and 1", got=repr(self.level), fix="use 0.95 for 95 %"
            )
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
        return f"[{_number(self.low)}, {_number(self.high)}] ({100 * self.level:.4g} %)"


class Reference(Protocol):
    """What an estimate is compared with: the distribution that gives its intervals and p-values."""

    def interval(self, level: float) -> Interval:
        """Two-sided confidence interval at `level`."""
        ...

    def pvalue(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the value equals `null`."""
        ...

    def critical(self, level: float) -> float:
        """Half the interval's width in standard errors: the critical value that it stands for."""
        ...


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


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number with its uncertainty: the currency of this package.

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
    reference : Reference, optional
        The distribution behind `interval`; lets :meth:`at` and :attr:`pvalue` answer. None for a stored number.

    Examples
    --------
    >>> ref = StudentT(0.1, 0.02, 39)
    >>> e = Estimate("log engagement", 0.1, 0.02, 39, ref.interval(0.95), 4160, 40, "", "OLS, CRV3", ref)
    >>> print(e)
    log engagement: 0.1000 [0.05955, 0.1405] (95 %), 4,160 rows, 40 accounts; OLS, CRV3
    >>> e.at(0.99).interval.low < e.interval.low
    True
    """

    name: str
    value: float
    se: float
    df: float
    interval: Interval
    n_rows: int
    n_accounts: int
    unit: str = ""
    method: str = ""
    reference: Reference | None = field(default=None, repr=False, compare=False)

    @property
    def statistic(self) -> float:
        """Estimate over standard error; infinite where the standard error is 0."""
        if self.se == 0:
            return math.copysign(math.inf, self.value) if self.value else math.nan
        return self.value / self.se

    @property
    def pvalue(self) -> float:
        """Two-sided p-value of a true value of 0."""
        return self._known().pvalue(0.0)

    def at(self, level: float) -> Estimate:
        """Return the same estimate with its interval at another level.

        Raises
        ------
        DesignError
            If the estimate was stored without the distribution behind its interval.
        """
        interval = self._known().interval(level)
        return Estimate(
            self.name,
            self.value,
            self.se,
            self.df,
            interval,
            self.n_rows,
            self.n_accounts,
            self.unit,
            self.method,
            self.reference,
        )

    def _known(self) -> Reference:
        if self.reference is None:
            raise DesignError(
                f"the interval of {self.name!r} cannot be moved to another level or tested",
                got="an estimate stored without the distribution behind it",
                fix="estimate it again from its rows or moments",
            )
        return self.reference

    def __str__(self) -> str:
        """One sentence."""
        unit = f" {self.unit}" if self.unit else ""
        accounts = f", {self.n_accounts:,} accounts" if self.n_accounts else ""
        method = f"; {self.method}" if self.method else ""
        return f"{self.name}: {_number(self.value)}{unit} {self.interval}, {self.n_rows:,} rows{accounts}{method}"

    def _repr_markdown_(self) -> str:
        return f"**{_escape(self.name)}** {_escape(str(self)[len(self.name) + 2 :])}"


def _escape(text: str) -> str:
    """Names come from files: they are shown as text, never as markup."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_{}[]|#$~" else c for c in text).replace("\n", " ")


@dataclass(frozen=True, slots=True, eq=False)
class Fit(Mapping[str, Estimate]):
    """A fitted regression: a mapping from column name to :class:`Estimate`.

    Parameters
    ----------
    estimates : mapping of str to Estimate
        One per regressor, in the order asked for (and ``Intercept`` where the model has one).
    outcome : str
        The left-hand side.
    method : str
        Estimator, effects and covariance in words.
    cov : (k, k) ndarray
        Covariance matrix of the estimates, in their order.
    r2 : float
        Share of (within-account, where effects are swept out) variance explained; for `poisson` the
        squared correlation is not defined and the deviance share is given.
    vif : mapping of str to float
        Variance inflation factor per regressor.
    condition_number : float
        Of the correlation-scaled regressors: √(largest/smallest eigenvalue).
    n_rows, n_accounts : int
        Complete rows used, accounts used.
    effective_accounts : float
        Effective number of clusters (Carter, Schnepel & Steigerwald 2017), the least over the regressors.
    dropped : mapping of str to int
        Rows left out, by reason.
    residual_variance : float
        Residual sum of squares over residual degrees of freedom.
    model : object, optional
        Account scores and Hessians, for contrasts and further inference without a pass over the rows.
    """

    estimates: Mapping[str, Estimate]
    outcome: str
    method: str
    cov: np.ndarray
    r2: float
    vif: Mapping[str, float]
    condition_number: float
    n_rows: int
    n_accounts: int
    effective_accounts: float
    dropped: Mapping[str, int]
    residual_variance: float = math.nan
    model: object | None = field(default=None, repr=False)

    def __getitem__(self, name: str) -> Estimate:
        """Estimate of the regressor `name`; a wrong name raises with the nearest right one."""
        try:
            return self.estimates[name]
        except KeyError:
            raise UnknownNameError.of("regressor", name, self.estimates) from None

    def __contains__(self, name: object) -> bool:
        """Whether `name` is a regressor."""
        return name in self.estimates

    def __iter__(self) -> Iterator[str]:
        """Names in their order."""
        return iter(self.estimates)

    def __len__(self) -> int:
        """Number of estimates."""
        return len(self.estimates)

    def to_frame(self) -> pd.DataFrame:
        """One row per regressor: value, se, low, high, p, vif (a pandas DataFrame)."""
        import pandas as pd

        rows = [
            {
                "regressor": name,
                "value": e.value,
                "se": e.se,
                "low": e.interval.low,
                "high": e.interval.high,
                "pvalue": e.pvalue,
                "vif": self.vif.get(name, math.nan),
            }
            for name, e in self.estimates.items()
        ]
        return pd.DataFrame(rows).set_index("regressor")

    def __str__(self) -> str:
        """Head line and one line per regressor."""
        out = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items() if count) or "none"
        head = f"{self.outcome}: {self.method}; {self.n_rows:,} rows used, left out: {out}; R² {self.r2:.4f}"
        return "\n".join([head, *(f"  {e.name}: {_number(e.value)} {e.interval}" for e in self.values())])

    def _repr_markdown_(self) -> str:
        head, *_ = str(self).split("\n")
        rows = [
            f"| {_escape(e.name)} | {_number(e.value)} | {_number(e.se)} | {e.interval} |"
            for e in self.values()
        ]
        return "\n".join(
            [_escape(head), "", "| regressor | estimate | se | interval |", "|---|--:|--:|---|", *rows]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Binned points for a picture: what remains of the rows when only the result travels on.

    Parameters
    ----------
    x, y : (m,) ndarray
        Bin means, on the scale the picture draws.
    low, high : (m,) ndarray
        Interval of each mean; nan where it is not known.
    n : (m,) ndarray of int
        Rows per bin.
    x_name, y_name : str
        Axis names with units.
    """

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    x_name: str
    y_name: str


@dataclass(frozen=True, slots=True, eq=False)
class Decay:
    """How reactions grow with followers: X = c·F^β; β < 1 means that the engagement rate falls.

    Parameters
    ----------
    exponent : Estimate
        β by PPML, the estimate that is judged.
    log_ols : Estimate
        β by OLS on logs (rows with reactions only), shown beside it.
    reliability : tuple of (float, Estimate)
        β corrected for each declared reliability of log followers, lowest first.
    spline : Bins or None
        Fitted reactions over log followers by a natural cubic spline, for the picture.
    points : Bins
        Mean log reactions by bin of log followers.
    shared_denominator : float
        r(log ER, log F) that independent reactions and followers would give by arithmetic alone.
    dropped : mapping of str to int
        Rows left out, by reason.
    """

    exponent: Estimate
    log_ols: Estimate
    reliability: tuple[tuple[float, Estimate], ...]
    spline: Bins | None
    points: Bins
    shared_denominator: float
    dropped: Mapping[str, int]

    def __str__(self) -> str:
        """The slope in one sentence."""
        return f"{self.exponent} (β < 1: the rate falls as followers grow)"

    def _repr_markdown_(self) -> str:
        return f"**decay** {_escape(str(self))}"


@dataclass(frozen=True, slots=True, eq=False)
class Precedence:
    """Which of two series moves first: both directions, and the ladder of leads and lags.

    Parameters
    ----------
    x, y : str
        The two series; `forward` is x before y.
    forward, reverse : Estimate
        Sum of the lagged effects of x on y given lags of y, and of y on x given lags of x.
    lead : Estimate
        Effect "of" next period's x on y in the forward model: the placebo, 0 where x only causes.
    lags : tuple of (int, Estimate)
        The ladder of the forward model, one estimate per lag of x in periods; lag −1 is the lead.
    contemporaneous : Estimate or None
        Effect of x on y in the same period; None where the model leaves it out.
    method : str
        Estimator, effects and covariance in words.
    n_rows, n_accounts : int
        Complete rows used, accounts used.
    dropped : mapping of str to int
        Rows left out, by reason.

    Examples
    --------
    >>> def e(value):
    ...     ref = StudentT(value, 0.02, 39)
    ...     return Estimate("x", value, 0.02, 39, ref.interval(0.95), 4000, 40, reference=ref)
    >>> ladder = ((-1, e(0.01)), (1, e(0.09)))
    >>> print(Precedence("talk", "sales", e(0.09), e(0.02), e(0.01), ladder, None, "OLS", 4000, 40, {}))
    talk before sales: 0.09000; sales before talk: 0.02000; lead of talk (placebo): 0.01000
    """

    x: str
    y: str
    forward: Estimate
    reverse: Estimate
    lead: Estimate
    lags: tuple[tuple[int, Estimate], ...]
    contemporaneous: Estimate | None
    method: str
    n_rows: int
    n_accounts: int
    dropped: Mapping[str, int]

    def __str__(self) -> str:
        """Both directions and the placebo."""
        return (
            f"{self.x} before {self.y}: {_number(self.forward.value)}; "
            f"{self.y} before {self.x}: {_number(self.reverse.value)}; "
            f"lead of {self.x} (placebo): {_number(self.lead.value)}"
        )

    def _repr_markdown_(self) -> str:
        return f"**precedence** {_escape(str(self))}"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A specification curve: one claim estimated in every defensible way, one array entry per model.

    Parameters
    ----------
    outcome, x : str
        The two sides of the claim.
    value, se, t, low, high : (m,) ndarray
        Estimate, standard error, t and interval ends of each specification, in the same order.
    n_rows, n_accounts : (m,) ndarray of int
        Complete rows and accounts each one used.
    group, definition, lag, effects : tuple of str, length m
        The choices of each specification: sample group, definition of x, lag, fixed effects.
    controls : tuple of tuple of str, length m
        The controls in each beyond the claim's minimal set.
    groups : mapping of str to (int, int)
        Rows and accounts of each sample group.
    median_t, mean_signed_t, share_agreeing, share_significant : float
        Summaries: raw medians over definitions would mix units, so they are of t and of shares. `agreeing`
        means the claim's sign; `significant` means that sign and an interval without 0.
    pvalues : mapping of str to float
        Joint p-value of each summary, all models under the null together.
    level : float
        Level of the intervals.
    method : str
        Estimator and joint inference in words.
    """

    outcome: str
    x: str
    value: np.ndarray
    se: np.ndarray
    t: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_rows: np.ndarray
    n_accounts: np.ndarray
    group: tuple[str, ...]
    definition: tuple[str, ...]
    lag: tuple[str, ...]
    effects: tuple[str, ...]
    controls: tuple[tuple[str, ...], ...]
    groups: Mapping[str, tuple[int, int]]
    median_t: float
    mean_signed_t: float
    share_agreeing: float
    share_significant: float
    pvalues: Mapping[str, float]
    level: float = 0.95
    method: str = ""

    def __len__(self) -> int:
        """Number of specifications."""
        return len(self.value)

    def __str__(self) -> str:
        """The shares in one sentence."""
        return (
            f"{self.x} on {self.outcome}: {len(self):,} specifications, {100 * self.share_agreeing:.1f} % "
            f"agree in sign, {100 * self.share_significant:.1f} % significantly; "
            f"median t {_number(self.median_t)}"
        )

    def _repr_markdown_(self) -> str:
        return f"**specification curve** {_escape(str(self))}"


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """How strong an unobserved confounder would have to be (Cinelli & Hazlett 2020).

    Parameters
    ----------
    estimate : Estimate
        The estimate in doubt.
    robustness_value : float
        Share of the residual variance of both x and the outcome that a confounder would have to explain to
        take the estimate to 0.
    robustness_value_alpha : float
        The same, to take its interval to 0.
    partial_r2 : float
        Share of the outcome's residual variance that x explains: what a confounder explaining all of the
        outcome would have to explain of x.
    benchmark : str
        The strongest observed control.
    bound_x, bound_y : float
        Partial R² with x and with the outcome of a confounder as strong as `benchmark`.
    adjusted : float
        The estimate beside such a confounder.
    r2_x : (a,) ndarray
        Grid of partial R² with x, for the contours.
    r2_y : (b,) ndarray
        Grid of partial R² with the outcome.
    contours : (b, a) ndarray
        Adjusted estimate at each point of the grid.

    References
    ----------
    Cinelli, C. & Hazlett, C. (2020). Making sense of sensitivity: extending omitted variable bias. Journal
    of the Royal Statistical Society B, 82(1), 39–67.
    """

    estimate: Estimate
    robustness_value: float
    robustness_value_alpha: float
    partial_r2: float
    benchmark: str
    bound_x: float
    bound_y: float
    adjusted: float
    r2_x: np.ndarray
    r2_y: np.ndarray
    contours: np.ndarray

    def __str__(self) -> str:
        """The robustness value beside the strongest observed control."""
        return (
            f"{self.estimate.name}: robustness value {100 * self.robustness_value:.2f} % "
            f"({100 * self.robustness_value_alpha:.2f} % for its interval); a confounder as strong as "
            f"{self.benchmark} would leave {_number(self.adjusted)}"
        )

    def _repr_markdown_(self) -> str:
        return f"**sensitivity** {_escape(str(self))}"


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason for caution, with its figure.

    Parameters
    ----------
    name : str
        Short name, for example "reverse direction" or "declarable nil".
    text : str
        What it says, in one sentence.
    value : float
        The figure; nan where the doubt is only words.
    raised : bool
        Whether the doubt weighs against the verdict here.
    """

    name: str
    text: str
    value: float = math.nan
    raised: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim judged on one data set.

    Parameters
    ----------
    claim, dataset : str
        Identifiers.
    word : Word
        One of :data:`WORDS`.
    size : str
        "at least δ" or "size not settled" beside *supported*; else empty.
    qualifiers : tuple of str
        Any of "fragile", "proxy", "simulated".
    estimate : Estimate or None
        The number judged, with its 95 % interval; None where the claim was not judged.
    interval : Interval or None
        The interval at the verdict's own level, after correction for the family.
    sesoi : float
        δ, the smallest effect of interest declared for the claim.
    reason : str
        The rule that gave the word, or why the claim was not judged.
    doubts : tuple of Doubt
        The figures beside the word.
    evidence : str
        "from rows", "from pack" or "stored".
    """

    claim: str
    dataset: str
    word: Word
    size: str = ""
    qualifiers: tuple[str, ...] = ()
    estimate: Estimate | None = None
    interval: Interval | None = None
    sesoi: float = math.nan
    reason: str = ""
    doubts: tuple[Doubt, ...] = ()
    evidence: str = "from rows"

    @property
    def simulated(self) -> bool:
        """Whether the data were simulated, and so say nothing about the world."""
        return "simulated" in self.qualifiers

    @property
    def words(self) -> str:
        """The word with its size and qualifiers, as it is printed everywhere."""
        size = f" ({self.size})" if self.size else ""
        return ", ".join([f"{self.word}{size}", *self.qualifiers])

    def __str__(self) -> str:
        """One sentence."""
        if self.estimate is None:
            return f"{self.claim} on {self.dataset}: {self.words}; {self.reason}"
        return f"{self.claim} on {self.dataset}: {self.words}; {self.estimate}"

    def _repr_markdown_(self) -> str:
        return f"**{_escape(self.claim)}** on *{_escape(self.dataset)}*: **{_escape(self.words)}** {_escape(self.reason)}"
