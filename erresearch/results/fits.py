"""Fitted models, what moves first, what predicts and what a shop's days answer, with the points that pictures draw."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from erresearch.errors import Count, UnknownNameError
from erresearch.io import pd
from erresearch.results.doubts import Shown, in_money
from erresearch.results.estimates import Estimate, IntervalKind, Reliability
from erresearch.results.rounding import Headed, Printed, escape, plain
from erresearch.results.verdicts import Cell, Doubt, Table


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Fit(Printed, Mapping[str, Estimate]):
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
    interval_kind : IntervalKind
        What gave the intervals.
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
    interval_kind: IntervalKind = IntervalKind.STUDENT_T

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
        table = _numbers(self.estimates, "regressor")
        pvalues = [each.pvalue for each in self.values()]
        return table.assign(pvalue=pvalues, vif=[self.vif.get(name, math.nan) for name in self])

    def __str__(self) -> str:
        """Head line and one line per regressor."""
        out = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items() if count) or "none"
        head = (
            f"{self.outcome}: {self.method}; {Count(self.n_rows):row} used, left out: {out}; R² {self.r2:.2f}"
        )
        return "\n".join([head, *(f"  {e.name}: {e.number()}" for e in self.values())])

    def _repr_markdown_(self) -> str:
        head, *_ = str(self).split("\n")
        rows = [(e.name, e.short(), e.se, e.interval) for e in self.values()]
        table = Table.of(["regressor", "estimate", "se", "interval"], rows)
        return f"{escape(head)}\n\n{table._repr_markdown_()}"


def _numbers(estimates: Mapping[str, Estimate], of: str) -> pd.DataFrame:
    """One row per estimate: value, standard error and the ends of its interval."""
    ends = [(each.value, each.se, each.interval.low, each.interval.high) for each in estimates.values()]
    index = pd.Index(list(estimates), name=of)
    return pd.DataFrame(ends, index=index, columns=["value", "se", "low", "high"])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Bins(Headed):
    """Reactions by followers, binned for a picture: what remains of the rows when only the result travels on.

    Parameters
    ----------
    x, y : (m,) ndarray
        Log of followers, and log of the mean of reactions.
    low, high : (m,) ndarray
        Interval of each mean; nan where it is not known.
    n : (m,) ndarray of int
        Rows per bin.
    """

    heading: ClassVar[str] = "bins"
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray

    def __str__(self) -> str:
        """One line: what is binned, how finely."""
        rows = Count(int(np.sum(self.n)))
        return f"reactions (log of the mean) by followers (log): {Count(len(self.x)):bin} of {rows:row}"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Decay(Headed):
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

    heading: ClassVar[str] = "decay"
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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Mix(Printed):
    """How an outcome moves with the total of some actions and with their mix.

    Parameters
    ----------
    outcome : str
        Left-hand side.
    total : Estimate
        Coefficient of the log of the total: more of everything in the same mix.
    actions : mapping of str to Estimate
        Coefficient of each action's log ratio to the geometric mean of the others, the total held: more of this
        action instead of the others. They sum to 0.
    adjusted : mapping of str to float
        Holm's p-value of each action, all actions together.
    shares : mapping of str to float
        Share of each action in the total of all rows.
    replaced : mapping of str to int
        Zeros of each action that were replaced.
    fit : Fit
        The regression in isometric log-ratios behind them.
    method : str
        Estimator, rule for zeros and correction in words.
    """

    outcome: str
    total: Estimate
    actions: Mapping[str, Estimate]
    adjusted: Mapping[str, float]
    shares: Mapping[str, float]
    replaced: Mapping[str, int]
    fit: Fit
    method: str

    def __str__(self) -> str:
        """The total, then a line per action."""
        zeros = ", ".join(f"{n:,} of {name}" for name, n in self.replaced.items() if n) or "none"
        lines = [
            f"{self.outcome}: {self.method}; {Count(self.fit.n_rows):row}, zeros replaced: {zeros}",
            f"  {self.total.name}: {self.total.number()}",
        ]
        for name, e in self.actions.items():
            share = f"share {100 * self.shares[name]:.2f} %"
            lines.append(f"  {e.name}: {e.number()}, Holm p {plain(self.adjusted[name])}, {share}")
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        head, *_ = str(self).split("\n")
        rows: list[tuple[Cell, ...]] = [
            (self.total.name, self.total.short(), self.total.interval, None, None)
        ]
        for name, e in self.actions.items():
            share = f"{100 * self.shares[name]:.2f} %"
            rows.append((e.name, e.short(), e.interval, self.adjusted[name], share))
        table = Table.of(["", "coefficient", "interval", "Holm p", "share"], rows)
        return f"{escape(head)}\n\n{table._repr_markdown_()}"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Precedence(Headed):
    """Which of two series moves first: both directions, and the ladder of leads and lags.

    Parameters
    ----------
    x, y : str
        The two series; `forward` is x before y.
    forward : Estimate
        Response of y to x of the period before, given lags of both and the controls; from the model without leads.
    reverse : Estimate
        The same with x and y exchanged.
    lead : Estimate
        Coefficient of next period's x beside this period's and the lags: the placebo, 0 where x only causes. It is
        a doubt, never the estimate: next period's x may be a consequence of both.
    lags : tuple of (int, Estimate)
        The ladder, one estimate per lag of x in periods: 1 and more from the model of `forward`, 0 is
        `contemporaneous`, −1 the lead.
    contemporaneous : Estimate or None
        Coefficient of x of the same period where it is added; None where the model leaves it out.
    method : str
        Estimator, effects and covariance in words.
    n_rows, n_accounts : int
        Complete rows used, accounts used.
    dropped : mapping of str to int
        Rows left out, by reason.
    cautions : tuple of str
        Reasons why no decisive word may be given; empty where one may.
    beside : Estimate or None
        `forward` with x of the same period held: what the period before adds to what works at once.
    over_lead : Estimate or None
        Coefficient of the period before less that of the period after, both from the model with the lead.
    cumulated : Estimate or None
        Same period and next together.
    explained : (float, float)
        Share of the variance of x now, and of x one period before, that the model's other regressors explain.
    reliability : Reliability or None
        Of x, from its autocovariances; None where it was not looked at.
    rungs : tuple of str
        What the rungs of the ladder are called, the first one first, where they are windows and no single lags.
    same, after : str
        What the period itself and the time after it are called.
    worth : tuple of Estimate
        Revenue of one more x, and of one more post, where days told it.
    halves : tuple of Estimate
        `beside` in the first and in the second half of the periods, and its change; empty where they are not compared.

    Examples
    --------
    >>> from erresearch.results import Estimate, StudentT
    >>> def e(value):
    ...     ref = StudentT(value, 0.02, 39)
    ...     return Estimate("x", value=value, se=0.02, df=39, interval=ref.interval(0.95), n_rows=4000,
    ...     n_accounts=40, reference=ref)
    >>> ladder = ((-1, e(0.01)), (1, e(0.09)))
    >>> print(Precedence(x="talk", y="sales", forward=e(0.09), reverse=e(0.02), lead=e(0.01), lags=ladder,
    ...     contemporaneous=None, method="OLS", n_rows=4000, n_accounts=40, dropped={}))
    talk before sales: 0.09; sales before talk: 0.02; lead of talk (placebo): 0.01
    """

    heading: ClassVar[str] = "precedence"
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
    cautions: tuple[str, ...] = ()
    beside: Estimate | None = None
    over_lead: Estimate | None = None
    cumulated: Estimate | None = None
    explained: tuple[float, float] = (math.nan, math.nan)
    reliability: Reliability | None = None
    rungs: tuple[str, ...] = ()
    same: str = "same period"
    after: str = "next period"
    worth: tuple[Estimate, ...] = ()
    halves: tuple[Estimate, ...] = ()

    def __str__(self) -> str:
        """Both directions and the placebo."""
        forward, reverse, lead = (plain(one.value) for one in (self.forward, self.reverse, self.lead))
        both = f"{self.x} before {self.y}: {forward}; {self.y} before {self.x}: {reverse}"
        return f"{both}; lead of {self.x} (placebo): {lead}"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class PredictiveGain(Headed):
    """Whether something predicts the outcome out of sample, and by how much.

    Parameters
    ----------
    outcome : str
        What is predicted, one period ahead.
    add, versus : tuple of str
        Predictors added to the baseline, and their rivals (empty where the baseline itself is the rival).
    gain : Estimate
        Share of the squared prediction error saved, over forecasts: above 0 where `add` predicts better.
    r2, r2_rival : float
        Out-of-sample R² with `add` and of the rival: 1 − MSE/MSE of the account's mean so far.
    losses : mapping of str to float
        Mean squared error of each forecast, the naive ones included.
    dropped : mapping of str to int
        Rows left out, by reason.
    cautions : tuple of str
        Reasons why no decisive word may be given; empty where one may.
    """

    heading: ClassVar[str] = "predictive gain"
    outcome: str
    add: tuple[str, ...]
    versus: tuple[str, ...]
    gain: Estimate
    r2: float
    r2_rival: float
    losses: Mapping[str, float]
    dropped: Mapping[str, int]
    cautions: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The gain in one sentence."""
        rival = ", ".join(self.versus) if self.versus else "the baseline"
        return (
            f"{', '.join(self.add)} against {rival} for {self.outcome}: {100 * self.gain.value:.2f} % of the squared "
            f"prediction error saved {self.gain.interval}; out-of-sample R² {plain(self.r2)} against "
            f"{plain(self.r2_rival)}"
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class DailyResponse(Printed):
    """How the revenue of one shop answers its posts over four weeks.

    Parameters
    ----------
    x, y : str
        Reactions and revenue.
    order : Precedence
        The box of two weeks: `forward` before, `contemporaneous` the same day, `lead` the two weeks after (the placebo),
        `over_lead` the difference. The word of a verdict is read from it.
    size : Estimate
        Elasticity over four weeks, the sum of the bands.
    bands : tuple of (int, int, Estimate)
        First and last day of each, and its part.
    capped : (Estimate, Estimate)
        Box and same day with viral posts capped: a nil needs both too, and *contradicted* the box.
    worth : Estimate
        Revenue over four weeks of one more x, at the shop's usual revenue and reactions.
    per_post : Estimate or None
        The same of one more usual post; None where posts are not counted.
    shown : tuple of Shown
        What the data could show, those at hand first.
    cautions : tuple of Doubt
        What was left out, filled or not declared, counted.
    first, last : str
        Days covered.
    shops : mapping of str to DailyResponse
        Each shop by itself where there are several; then the numbers above are of all together.

    See Also
    --------
    erresearch.daily_response : Makes it.
    """

    x: str
    y: str
    order: Precedence
    size: Estimate
    bands: tuple[tuple[int, int, Estimate], ...]
    capped: tuple[Estimate, Estimate]
    worth: Estimate
    per_post: Estimate | None
    shown: tuple[Shown, ...]
    cautions: tuple[Doubt, ...]
    first: str
    last: str
    shops: Mapping[str, DailyResponse] = field(default_factory=dict)

    @property
    def answer(self) -> str:
        """What one more x, and one more post, go with over four weeks, and what it may cost at most."""
        return in_money(self.worth, *([] if self.per_post is None else [self.per_post]))

    @property
    def amount(self) -> str:
        """What one more x goes with over four weeks, as a range of money."""
        return in_money(self.worth, pays=False)

    def to_frame(self) -> pd.DataFrame:
        """One row per number: value, se, low, high, unit."""
        found = self._numbers()
        return _numbers(found, "of").assign(unit=[each.unit for each in found.values()])

    def _numbers(self) -> dict[str, Estimate]:
        order = self.order
        found = {
            "before": order.forward,
            "same day": order.contemporaneous,
            "after (placebo)": order.lead,
            "before less after": order.over_lead,
            **{f"days {first}-{last}": each for first, last, each in self.bands},
            "four weeks": self.size,
            "worth": self.worth,
            "worth of a post": self.per_post,
        }
        return {name: each for name, each in found.items() if each is not None}

    def __str__(self) -> str:
        """What the days could show, the answer in money, the order."""
        lines = [
            f"{self.y} after {self.x}, {self.first} to {self.last}",
            *(f"  could show: {each}" for each in self.shown),
            f"  {self.answer}",
            *(f"  {code}: {each.number()}" for code, each in self._numbers().items()),
            *(f"  caution: {each}" for each in self.cautions if each.raised),
        ]
        lines += [f"  {name}: {one.amount}" for name, one in self.shops.items()]
        return "\n".join(textwrap.fill(line, 88, subsequent_indent="      ") for line in lines)

    def _repr_markdown_(self) -> str:
        """The answer between what the days could show and the numbers; then what weighs against it, and each shop."""
        heads = ["data", "periods", "supported from", "nil within ±"]
        could = Table.of(heads, [(one.which, one.periods, one.supported, one.nil) for one in self.shown])
        numbers = self.to_frame().reset_index()
        told = Table.of(list(numbers.columns), numbers.itertuples(index=False, name=None))
        said = [str(each) for each in self.cautions if each.raised]
        said += [f"{name}: {one.amount}" for name, one in self.shops.items()]
        answer = f"**daily response** {escape(self.answer)}"
        tables = [could._repr_markdown_(), answer, told._repr_markdown_()]
        return "\n\n".join([*tables, *(["\n".join(f"* {escape(one)}" for one in said)] if said else [])])
