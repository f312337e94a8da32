"""How a result could be wrong: specification curves, sensitivity, equivalence, power, noise; and amounts of money."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

import numpy as np

from erresearch.errors import Count
from erresearch.results.estimates import Estimate, Interval
from erresearch.results.rounding import Headed, Printed, escape, plain, rounded
from erresearch.schema.vocabulary import DECISIVE


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Curve(Headed):
    """A specification curve: one claim estimated in every defensible way, one array entry per model.

    Parameters
    ----------
    outcome, x : str
        The two sides of the claim.
    value, se, t, low, high : (m,) ndarray
        Estimate, standard error, t and interval ends of each specification, in the same order.
    n_rows, n_accounts : int
        Complete rows and accounts that all used.
    definition, lag, effects : tuple of str, length m
        The choices of each specification: definition of x, lag, fixed effects.
    controls : tuple of tuple of str, length m
        The controls in each beyond the claim's minimal set.
    median_t, mean_signed_t, share_agreeing, share_significant : float
        Summaries: raw medians over definitions would mix units, so they are of t and of shares. `agreeing`
        means the claim's sign; `significant` means that sign and an interval without 0.
    pvalues : mapping of str to float
        Joint p-value of each summary, all models under the null together; empty where accounts are too few.
    level : float
        Level of the intervals.
    method : str
        Estimator and joint inference in words.
    """

    heading: ClassVar[str] = "specification curve"
    outcome: str
    x: str
    value: np.ndarray
    se: np.ndarray
    t: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_rows: int
    n_accounts: int
    definition: tuple[str, ...]
    lag: tuple[str, ...]
    effects: tuple[str, ...]
    controls: tuple[tuple[str, ...], ...]
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
            f"{self.x} on {self.outcome}: {Count(len(self)):specification}, {100 * self.share_agreeing:.1f} % "
            f"agree in sign, {100 * self.share_significant:.1f} % significantly; "
            f"median t {plain(self.median_t)}"
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Sensitivity(Headed):
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
    strength : float
        How many times as strong as `benchmark` the confounder of the bounds is.
    adjusted_interval : Interval or None
        Interval of the estimate beside such a confounder.
    method : str
        What was assumed, in words.

    References
    ----------
    Cinelli, C. & Hazlett, C. (2020). Making sense of sensitivity: extending omitted variable bias. Journal
    of the Royal Statistical Society B, 82(1), 39–67.
    """

    heading: ClassVar[str] = "sensitivity"
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
    strength: float = 1.0
    adjusted_interval: Interval | None = None
    method: str = ""

    @property
    def withstands(self) -> bool:
        """Whether the interval beside the confounder of the bounds is still on the estimate's side of 0."""
        ends = self.adjusted_interval
        if ends is None:
            return False
        return ends.low > 0 if self.estimate.value > 0 else ends.high < 0

    def __str__(self) -> str:
        """The robustness value beside the strongest observed control."""
        own = (
            f"{self.estimate.name}: robustness value {100 * self.robustness_value:.2f} % "
            f"({100 * self.robustness_value_alpha:.2f} % for its interval)"
        )
        if not self.benchmark:
            return f"{own}; no observed control to compare with"
        times = "" if self.strength == 1 else f"{self.strength:g} times "
        return f"{own}; a confounder {times}as strong as {self.benchmark} would leave {plain(self.adjusted)}"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Equivalence(Headed):
    """Two one-sided tests of an effect that is too small to matter.

    Parameters
    ----------
    estimate : Estimate
        The estimate tested.
    sesoi : float
        δ, the smallest effect of interest, in the estimate's unit.
    null : float
        The value that "no effect" stands for.
    p_low, p_high : float
        One-sided p-values of θ ≤ null − δ and of θ ≥ null + δ.
    interval : Interval
        At 1 − 2α: inside null ± δ exactly when the effect is practically nil.
    level : float
        1 − α of each one-sided test.
    """

    heading: ClassVar[str] = "equivalence"
    estimate: Estimate
    sesoi: float
    null: float
    p_low: float
    p_high: float
    interval: Interval
    level: float

    @property
    def pvalue(self) -> float:
        """The larger of the two one-sided p-values: that of "the effect is at least δ in size"."""
        return max(self.p_low, self.p_high)

    @property
    def nil(self) -> bool:
        """Whether the whole interval lies inside null ± δ."""
        return self.interval.inside(self.null - self.sesoi, self.null + self.sesoi)

    def __str__(self) -> str:
        """The answer in one sentence."""
        word = "practically nil" if self.nil else "not shown to be nil"
        about = f"{plain(self.null)} ± {plain(self.sesoi)}" if self.null else f"±{plain(self.sesoi)}"
        return f"{self.estimate.name}: {word} within {about}, {self.interval}, p = {plain(self.pvalue)}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Detectable(Headed):
    """What these data could have shown: an effect, and its absence.

    Parameters
    ----------
    estimate : Estimate
        The estimate whose precision it is.
    effect : float
        Least true effect that the interval at `level` would have found with `power`.
    nil : float
        Least δ for which a true zero would have been declared practically nil with `power`.
    power, level : float
        Chance asked for, and level of the interval that decides.
    """

    heading: ClassVar[str] = "detectable"
    estimate: Estimate
    effect: float
    nil: float
    power: float
    level: float

    def __str__(self) -> str:
        """Both figures in one sentence."""
        return (
            f"{self.estimate.name}: {100 * self.power:.4g} of 100 tables like this one would find an effect of "
            f"{plain(self.effect)} or more, and would show nil for a smallest effect of interest of "
            f"{plain(self.nil)} or more ({100 * self.level:.4g} % interval)"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ListSelection(Headed):
    """Whether a list of accounts looks as if it had been chosen by their reactions.

    Parameters
    ----------
    sharpness : float
        Place of the middle among the lowest reactions between the least and the largest of them: .5 at a sharp lower
        edge, .7 or more where the list thins out.
    low_slope, high_slope : float
        How the lower and the upper envelope of log reactions move with log followers among the smaller half of the
        accounts: a list cut at a number of reactions has a lower envelope that stands still.
    n_rows : int
        Accounts with both numbers.
    selected : bool
        Whether the edge is sharp and stands still.
    """

    heading: ClassVar[str] = "list"
    sharpness: float
    low_slope: float
    high_slope: float
    n_rows: int
    selected: bool

    def __str__(self) -> str:
        """What the edge looks like."""
        word = "looks selected on reactions" if self.selected else "does not look selected on reactions"
        return (
            f"the list {word}: sharpness of its lower edge {plain(self.sharpness)} (.5 is a cut), which moves by "
            f"{plain(self.low_slope)} per unit of log followers where the upper edge moves by "
            f"{plain(self.high_slope)} ({Count(self.n_rows):account})"
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Adversary(Printed):
    """How many honest-looking analyses of one table give each answer: counts and their spread, never a recipe.

    Parameters
    ----------
    wish : {"positive", "negative", "nothing"}
        The answer that somebody wants.
    counts : mapping of str to int
        Analyses whose interval lies above 0 ("positive"), below 0 ("negative") or holds 0 ("nothing").
    failed : int
        Analyses that the rows could not carry; in none of the counts.
    lowest, middle, highest : float
        The estimates' least, median and largest value: elasticities.
    choices : mapping of str to int
        How many options each decision had.
    level : float
        Level of the intervals.
    """

    wish: str
    counts: Mapping[str, int]
    failed: int
    lowest: float
    middle: float
    highest: float
    choices: Mapping[str, int]
    level: float

    @property
    def tried(self) -> int:
        """Analyses that gave an answer."""
        return sum(self.counts.values())

    @property
    def granted(self) -> int:
        """Analyses that gave the wished answer."""
        return self.counts[self.wish]

    def __str__(self) -> str:
        """The count, the other answers, and the spread."""
        others = ", ".join(f"{n:,} say {answer}" for answer, n in self.counts.items() if answer != self.wish)
        made = " × ".join(f"{n} {choice}" for choice, n in self.choices.items())
        lost = f"; {self.failed:,} could not be computed" if self.failed else ""
        return (
            f"{Count(self.granted, of=self.tried):analysis says} {self.wish} at {100 * self.level:.4g} %; "
            f"{others}{lost}\n"
            f"elasticities from {rounded(self.lowest)} through {rounded(self.middle)} to {rounded(self.highest)}\n"
            f"tried: {made}\n"
            "Which ones say it is not told: choose yours before you look"
        )

    def _repr_markdown_(self) -> str:
        return "  \n".join(map(escape, str(self).splitlines()))


Data = Literal["as-it-is", "another-year", "as-weeks", "without-events"]
_DATA: Final[Mapping[str, str]] = {
    "as-it-is": "these days",
    "another-year": "with another year like it",
    "as-weeks": "the same as weeks",
    "without-events": "without the declared events",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What data of one shop could show, by the noise of that shop.

    Parameters
    ----------
    data : {"as-it-is", "another-year", "as-weeks", "without-events"}
        Which data.
    periods : int
        How many days, or weeks.
    supported : float
        Least elasticity that would be called *supported* four times in five; infinite where none would.
    nil : float
        Least δ inside which an effect of 0 would lie four times in five, and so could be called nil.
    """

    data: Data
    periods: int
    supported: float
    nil: float

    @property
    def which(self) -> str:
        """Which data, in words."""
        return _DATA[self.data]

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.which} ({self.periods:,}): an elasticity of {plain(self.supported)} or more, or nil within "
            f"±{plain(self.nil)}"
        )


def in_money(*worth: Estimate, pays: bool = True) -> str:
    """What one more of something goes with in revenue, and what the last of them may cost.

    Parameters
    ----------
    *worth : Estimate
        Revenue of one more, named "one more like".
    pays : bool
        Whether to say what it may cost.

    Returns
    -------
    str

    See Also
    --------
    erresearch.break_even : What it must bring, from a cost and a margin.

    Examples
    --------
    >>> from erresearch.results import StudentT
    >>> def e(value, unit="EUR"):
    ...     ref = StudentT(value, 0.5, 40)
    ...     return Estimate("one more like", value=value, se=0.5, df=40, interval=ref.interval(0.95), n_rows=700,
    ...     n_accounts=1, reference=ref, unit=unit)
    >>> print(in_money(e(0.1)))
    one more like goes with anything from 0.9 EUR less to 1.1 EUR more revenue; it can pay only if it costs less than
    the profit on sales of 1.1 EUR
    >>> print(in_money(e(2.0, unit="")))
    one more like goes with 1.0 to 3.0 more revenue (in the currency of the data); it pays if it costs less than the
    profit on sales of 1.0
    >>> print(in_money(e(-2.0)))
    one more like goes with 1.0 to 3.0 EUR less revenue; these rows show no gain that could pay for it
    """
    first, *others = worth
    known = any(one.unit for one in worth)
    told = [_range(first, "revenue" if known else "revenue (in the currency of the data)")]
    told += [_range(one, "revenue") for one in others]
    ends, unit = worth[-1].interval, f" {worth[-1].unit}".rstrip()
    low, high = ends.shown()
    if pays and ends.low > 0:
        told.append(f"it pays if it costs less than the profit on sales of {low}{unit}")
    elif pays and 0 < ends.high < math.inf:
        told.append(f"it can pay only if it costs less than the profit on sales of {high}{unit}")
    elif pays and ends.high <= 0:
        told.append("these rows show no gain that could pay for it")
    return "; ".join(told)


def _range(worth: Estimate, revenue: str) -> str:
    """The revenue that one more of something goes with; `revenue` is what it is called."""
    ends, unit = worth.interval, f" {worth.unit}".rstrip()
    low, high = ends.shown()
    most, least = replace(ends, low=-ends.high, high=-ends.low).shown()
    goes = f"{worth.name} goes with"
    if ends.low > 0:
        return f"{goes} {low} to {high}{unit} more {revenue}"
    if ends.high == math.inf:
        return f"these data set no bound on the {revenue} that {worth.name} goes with"
    if ends.high > 0:
        range_ = f"anything from {least}{unit} less to" if ends.low > -math.inf else "at most"
        return f"{goes} {range_} {high}{unit} more {revenue}"
    less = f"{most} to {least}" if ends.low > -math.inf else f"{most} or more"
    return f"{goes} {less}{unit} less {revenue}"


def amount_beside(word: str, seen: Interval, amount: Interval, sesoi: float) -> str:
    """How an amount follows a word that was read from another interval; empty where the two agree.

    Parameters
    ----------
    word : str
        Of a verdict.
    seen : Interval
        From which it was read.
    amount : Interval
        Of the amount that is told beside it.
    sesoi : float
        δ.

    Returns
    -------
    str

    See Also
    --------
    in_money : The amount.

    Examples
    --------
    >>> amount_beside("supported", Interval(0.02, 0.06), Interval(-3.0, 3.8), 0.05)
    'the amount is less sure: '
    """
    if word not in DECISIVE:
        # an amount on one side of 0 says more than an open word does
        return "" if amount.low <= 0 <= amount.high else "do not rely on the amount alone: "
    if sesoi > 0 and seen.inside(-sesoi, sesoi):
        return "if anything, "
    agree = amount.low > 0 if seen.low > 0 else amount.high < 0
    return "" if agree else "the amount is less sure: "
