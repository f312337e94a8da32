"""Return on marketing: gross as the source has it, net, on incremental margin; and what an action must be worth."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

from erresearch.errors import DataError, GuardError
from erresearch.results import Estimate, Interval, Reference, StudentT
from erresearch.results.estimates import check_level
from erresearch.results.rounding import Lined, percent

Number: TypeAlias = "float | Estimate"


def romi_gross(
    conversions: Number,
    *,
    revenue_per_conversion: Number,
    labour: float,
    platform: float,
    level: float = 0.95,
) -> Estimate:
    r"""ROMI as the source gives it (M14): (conversions × revenue per conversion) / (labour + platform cost).

    This ratio of revenue to cost breaks even at 1 only if goods and media cost nothing. It knows no margin and no
    media spend, and it counts conversions that would have come anyway.

    Parameters
    ----------
    conversions : float or Estimate
        How many; a bare number is taken as a Poisson count.
    revenue_per_conversion : float or Estimate
        Money per conversion; a bare number is taken as known.
    labour, platform : float
        Costs, in the same money.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        A pure ratio. Where only the count is uncertain its interval is exact (Garwood); otherwise the variance of the
        product of two independent estimates and the normal distribution.

    Raises
    ------
    DataError
        For a negative or infinite number, or no cost at all.

    See Also
    --------
    romi_net : After the margin.
    romi_incremental : Of what would not have been sold otherwise.

    References
    ----------
    Martech Zone, "Engagement is NOT a KPI for most companies" (West Frisian edition).

    Examples
    --------
    >>> print(romi_gross(40, revenue_per_conversion=50, labour=800, platform=200))
    ROMI, gross (M14): 2.00 [1.43, 2.72] (95 %), 40 rows; exact Poisson count, revenue per conversion as known
    """
    cost = _cost(labour, platform)
    revenue = _product(conversions, revenue_per_conversion)
    return _estimate("ROMI, gross (M14)", revenue, level, factor=1 / cost, shift=0.0)


def romi_net(
    conversions: Number,
    *,
    revenue_per_conversion: Number,
    labour: float,
    platform: float,
    media: float = 0.0,
    margin: float = 1.0,
    level: float = 0.95,
) -> Estimate:
    r"""Net ROMI: (margin × revenue − cost) / cost, with media among the costs; breaks even at 0.

    Parameters
    ----------
    conversions, revenue_per_conversion, labour, platform, level
        As for :func:`romi_gross`.
    media : float
        Money spent on reach.
    margin : float
        Share of revenue left after the goods, above 0 and at most 1; 1 takes revenue as profit.

    Returns
    -------
    Estimate
        Still counts conversions that would have come anyway: see :func:`romi_incremental`.

    Raises
    ------
    DataError
        For a negative or infinite number, no cost at all, or a margin outside 0 to 1.

    See Also
    --------
    romi_gross : The ratio as the source gives it, without margin and media.
    romi_incremental : Of what would not have been sold otherwise.

    References
    ----------
    Farris, P. W. et al. (2010). Marketing Metrics, 2nd ed., chapter on return on marketing investment.

    Examples
    --------
    >>> romi_net(40, revenue_per_conversion=50, labour=800, platform=200, margin=0.5).value
    0.0
    """
    cost = _cost(labour, platform, media)
    revenue = _product(conversions, revenue_per_conversion)
    return _estimate(
        f"ROMI, net at margin {percent(_margin(margin))}", revenue, level, factor=margin / cost, shift=-1.0
    )


def romi_incremental(
    revenue: Estimate,
    *,
    labour: float,
    platform: float,
    media: float = 0.0,
    margin: float,
    level: float = 0.95,
) -> Estimate:
    r"""ROMI on incremental margin: (margin × extra revenue − cost) / cost; breaks even at 0.

    Parameters
    ----------
    revenue : Estimate
        Revenue that would not have come otherwise, with its uncertainty: from an experiment, or from a model whose
        assumptions then carry over. A bare number is refused: nobody knows it.
    labour, platform, media : float
        Costs.
    margin : float
        Share of revenue left after the goods, above 0 and at most 1.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        Its interval is that of `revenue`, carried over exactly.

    Raises
    ------
    GuardError
        If the extra revenue comes without uncertainty.
    DataError
        As for :func:`romi_net`.

    See Also
    --------
    romi_net : Of all that was sold.
    break_even : What an action must be worth.

    References
    ----------
    Lewis, R. A. & Rao, J. M. (2015). The unfavorable economics of measuring the returns to advertising. QJE 130.

    Examples
    --------
    >>> from erresearch.results import StudentT
    >>> reference = StudentT(3000.0, 1000.0, 60)
    >>> extra = Estimate("extra revenue", value=3000.0, se=1000.0, df=60, interval=reference.interval(0.95),
    ...     n_rows=104, n_accounts=0, unit="EUR", method="", reference=reference)
    >>> print(romi_incremental(extra, labour=800, platform=200, margin=0.4))
    ROMI, incremental at margin 40.0 %: 0.20 [−0.60, 1.00] (95 %), 104 rows; from extra revenue
    """
    if not isinstance(revenue, Estimate):
        raise GuardError(
            "incremental revenue needs its uncertainty",
            got=repr(revenue),
            allowed="an Estimate, from an experiment or a model",
            fix="use romi_net for revenue as booked",
        )
    cost = _cost(labour, platform, media)
    known = _bare(revenue, f"from {revenue.name}")
    name = f"ROMI, incremental at margin {percent(_margin(margin))}"
    return _estimate(name, known, level, factor=margin / cost, shift=-1.0)


@dataclass(frozen=True, slots=True)
class BreakEven(Lined):
    """What an action must be worth for its cost to come back.

    Parameters
    ----------
    action : str
        What is counted.
    worth : Estimate
        Revenue that one action must bring.
    effect : float
        The elasticity of revenue in engagement at which the cost comes back; nan where revenue and increase were not
        given.
    cost, margin : float
        What it was computed from.
    """

    action: str
    worth: Estimate
    effect: float
    cost: float
    margin: float

    def compare(self, estimate: Estimate) -> str:
        """Say whether an estimated worth (or elasticity) reaches the break-even.

        Parameters
        ----------
        estimate : Estimate
            Revenue per action in the unit of ``worth``; or, where its unit is empty, an elasticity.

        Returns
        -------
        str
            "pays", "does not pay" or "not settled", by the intervals of both.
        """
        needed = self.worth.interval
        if not estimate.unit and math.isfinite(self.effect):
            needed = Interval(self.effect, self.effect, self.worth.interval.level)
        if estimate.interval.low > needed.high:
            return "pays"
        return "does not pay" if estimate.interval.high < needed.low else "not settled"

    def __str__(self) -> str:
        """The worth, and the effect where it is known."""
        effect = f"\nor revenue must rise with engagement at an elasticity of {self.effect:.3g}"
        return f"{self.worth}{effect if math.isfinite(self.effect) else ''}"


def break_even(
    cost: float,
    *,
    actions: Number,
    action: str = "comment",
    margin: float = 1.0,
    revenue: float | None = None,
    increase: float | None = None,
    level: float = 0.95,
) -> BreakEven:
    r"""What one action must be worth: cost / (margin × actions gained).

    Parameters
    ----------
    cost : float
        What the actions cost, in money.
    actions : float or Estimate
        How many were gained by it; a bare number is taken as a Poisson count.
    action : str
        Its name.
    margin : float
        Share of revenue left after the goods, above 0 and at most 1.
    revenue, increase : float, optional
        Revenue of the period, and by which share engagement rises (0.2 for a fifth). With both, the elasticity that
        pays back is given too: :math:`\log(1 + cost / (margin \cdot revenue)) / \log(1 + increase)`.
    level : float
        Confidence level.

    Returns
    -------
    BreakEven
        A small count means a large worth, so the interval of the worth comes from that of the count, turned round. It
        is unbounded where the count may be 0.

    Raises
    ------
    DataError
        For negative cost, no action at all, a margin outside 0 to 1, or only one of `revenue` and `increase`.

    See Also
    --------
    romi_incremental : The return on what was sold because of it.

    References
    ----------
    Martech Zone, "Engagement is NOT a KPI for most companies": how much money does your company earn from comments?

    Examples
    --------
    >>> print(break_even(1200, actions=300, margin=0.4, revenue=50_000, increase=0.25))
    revenue that one comment must bring: 10.0 [8.9, 11.2] (95 %), 300 rows; exact Poisson count
    or revenue must rise with engagement at an elasticity of 0.261
    """
    spent = _positive("cost", cost, zero=True)
    count = _count("actions", actions)
    if count.value <= 0:
        raise DataError(
            f"no {action} was gained, so none can pay the cost back",
            got=repr(count.value),
            fix="report the cost as lost, or wait for a longer period",
        )
    if (revenue is None) != (increase is None):
        raise DataError(
            "the break-even effect needs both the revenue and the increase in engagement",
            got="only one of `revenue` and `increase`",
        )
    effect = math.nan
    if revenue is not None and increase is not None:
        base = _positive("revenue", revenue) * _margin(margin)
        effect = math.log1p(spent / base) / math.log1p(_positive("increase", increase))
    numerator = spent / _margin(margin)
    value = numerator / count.value
    worth = replace(
        count, name=f"revenue that one {action} must bring", value=value, se=value * count.se / count.value
    )
    worth = worth.about(_Inverse(_reference(count), numerator)).at(level)
    return BreakEven(action, worth, effect, spent, margin)


@dataclass(frozen=True, slots=True)
class _Inverse:
    """Reference distribution of numerator / θ for a θ that is positive."""

    reference: Reference
    numerator: float

    def interval(self, level: float) -> Interval:
        ends = self.reference.interval(level)
        high = self.numerator / ends.low if ends.low > 0 else math.inf
        return Interval(self.numerator / ends.high if ends.high > 0 else math.inf, high, level)

    def pvalue(self, null: float = 0.0) -> float:
        return self.reference.pvalue(self.numerator / null) if null > 0 else 0.0


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


def _positive(name: str, value: float, *, zero: bool = False) -> float:
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise DataError(
            f"`{name}` must be {'0 or more' if zero else 'above 0'} and finite",
            got=repr(value),
            fix="costs and counts are given without a sign",
        )
    return float(value)


def _cost(labour: float, platform: float, media: float = 0.0) -> float:
    parts = {"labour": labour, "platform": platform, "media": media}
    total = sum(_positive(name, value, zero=True) for name, value in parts.items())
    if total == 0:
        raise DataError(
            "a return needs a cost to divide by", got="0 in all", fix="give the hours spent in money"
        )
    return total


def _margin(margin: float) -> float:
    if not 0 < margin <= 1:
        raise DataError(
            "`margin` must be a share above 0 and at most 1", got=repr(margin), fix="0.4 stands for 40 %"
        )
    return float(margin)


def _reference(estimate: Estimate) -> Reference:
    return estimate.reference or StudentT(estimate.value, estimate.se, estimate.df)


def _bare(estimate: Estimate, method: str) -> Estimate:
    """An estimate without unit and accounts, whose distribution is Student's t where it was stored without one."""
    reference = _reference(estimate)
    return replace(estimate, reference=reference, method=method, unit="", n_accounts=0, by="")


def _count(name: str, number: Number) -> Estimate:
    if isinstance(number, Estimate):
        return _bare(number, f"{name}: {number.method or number.name}")
    count = _positive(name, number, zero=True)
    around = StudentT(count, math.sqrt(count), math.inf)
    counted = around.estimate(name, 0.95, n_rows=round(count), method="exact Poisson count")
    return counted.about(Garwood(count))


def _product(conversions: Number, money: Number) -> Estimate:
    """Conversions times money each, independent of one another."""
    count = _count("conversions", conversions)
    if not isinstance(money, Estimate):
        each = _positive("revenue_per_conversion", money)
        method = f"{count.method}, revenue per conversion as known"
        return replace(count.transformed(count.name, factor=each), method=method)
    variance = (count.value * money.se) ** 2 + (money.value * count.se) ** 2 + (count.se * money.se) ** 2
    around = StudentT(count.value * money.value, math.sqrt(variance), min(count.df, money.df))
    method = f"{count.method}, times {money.name}, taken as independent"
    return replace(count, value=around.value, se=around.se, df=around.df, reference=around, method=method)


def _estimate(name: str, known: Estimate, level: float, *, factor: float, shift: float) -> Estimate:
    if math.isnan(known.value) or math.isnan(known.se):
        raise DataError(
            f"{name}: value and standard error must be numbers",
            got=f"{known.value!r}, standard error {known.se!r}",
            fix="see where the estimate came from",
        )
    return known.transformed(name, factor=factor, shift=shift).at(level)
