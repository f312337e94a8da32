"""Noisy measures and back-transformed logs: what they may have done to a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import DataError, DesignError
from erresearch.relate.design import open_moments
from erresearch.relate.linear import regress
from erresearch.relate.passes import linear_predictor
from erresearch.results import Attenuation, Estimate, Interval, Smearing

__all__ = ["attenuation", "smearing"]


def attenuation(
    observed: float | Estimate,
    *,
    reliability: tuple[float, float],
    reliability_outcome: tuple[float, float] = (1.0, 1.0),
    kind: Literal["correlation", "slope"] = "correlation",
) -> Attenuation:
    """Say what noise in the measures may have taken from a correlation or a slope.

    r/√(λ_x λ_y) and β/λ_x over a declared range of reliabilities λ (share of the variance that is not noise). It is a
    range: a single corrected number would hide that nobody knows λ.

    Parameters
    ----------
    observed : float or Estimate
        r or β as measured; an estimate brings its interval.
    reliability, reliability_outcome : (float, float)
        Lowest and highest reliability of x and of the outcome, in (0, 1].
    kind : {"correlation", "slope"}
        What `observed` is. Noise in the outcome does not bias a slope.

    Returns
    -------
    Attenuation
        The range, cut at ±1 for a correlation, and whether the lowest reliability is possible at all.

    Raises
    ------
    DesignError
        If a range is not inside (0, 1] or a correlation not inside [−1, 1].

    References
    ----------
    Spearman, C. (1904). The proof and measurement of association between two things. *American Journal of
    Psychology*, 15(1), 72-101.

    Examples
    --------
    >>> print(attenuation(0.2, reliability=(0.5, 0.9)))
    observed correlation 0.2000; without noise between 0.2108 and 0.2828 for reliabilities 0.5 to 0.9
    """
    for word, ends in (("reliability", reliability), ("reliability_outcome", reliability_outcome)):
        if not (len(ends) == 2 and 0 < ends[0] <= ends[1] <= 1):
            raise DesignError(
                f"`{word}` must be two numbers in (0, 1], the lower first",
                got=repr(ends),
                fix="use (0.7, 1.0) where it is not known",
            )
    if kind not in ("correlation", "slope"):
        raise DesignError(f"`kind` is {kind!r}", allowed="correlation, slope")
    correlation = kind == "correlation"
    value = observed.value if isinstance(observed, Estimate) else float(observed)
    if correlation and abs(value) > 1:
        raise DesignError("a correlation lies between −1 and 1", got=f"{value:g}", fix="use kind='slope'")

    def corrected(number: float, end: int) -> float:
        factor = (
            reliability[end] if not correlation else math.sqrt(reliability[end] * reliability_outcome[end])
        )
        return max(-1.0, min(1.0, number / factor)) if correlation else number / factor

    interval = None
    if isinstance(observed, Estimate):
        own = observed.interval
        lows, highs = ([corrected(e, end) for end in (0, 1)] for e in (own.low, own.high))
        interval = Interval(min(lows), max(highs), own.level)
    worst = math.sqrt(reliability[0] * reliability_outcome[0])
    return Attenuation(
        observed=value,
        least=corrected(value, 1),
        most=corrected(value, 0),
        interval=interval,
        reliability=reliability,
        reliability_outcome=reliability_outcome,
        kind=kind,
        impossible=correlation and abs(value) > worst,
    )


def smearing(
    data: Any,
    outcome: Any,
    *,
    on: Sequence[Any],
    by: str | None = None,
    within: bool = False,
    level: float = 0.95,
) -> Smearing:
    """Find the factor that takes a regression on logs back to the outcome's own unit.

    E[y | x] = exp(xβ)·E[exp(e)], estimated by the mean of exp(residual) (Duan's smearing). It holds only where the
    residuals are alike for all x; so it is also given for low and for high predictions, and where these differ
    Poisson regression (:func:`erresearch.poisson`) is the way to money.

    Parameters
    ----------
    data : frame, path or Moments
        Rows; moments only with their rows.
    outcome : str or narwhals expression
        Outcome on logs, for example ``er.log("revenue")``.
    on : sequence of str or narwhals expressions
        Regressors.
    by : str, optional
        The account.
    within : bool
        Take account effects out.
    level : float
        Level of the regression's intervals.

    Returns
    -------
    Smearing
        The factor, overall and for low and high predictions, and the regression.

    Raises
    ------
    DesignError
        If the moments have no rows.
    DataError
        If the outcome does not look like logs: exp(residual) overflows.

    References
    ----------
    Duan, N. (1983). Smearing estimate: a nonparametric retransformation method. *Journal of the American Statistical
    Association*, 78(383), 605-610.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"x": rng.normal(size=2000)})
    >>> table["log sales"] = table.x + rng.normal(0, 0.5, 2000)
    >>> round(smearing(table, "log sales", on=["x"]).factor, 2)
    1.13
    """
    moments = open_moments(data, [*on, outcome], by=by, within=within)
    if moments.source is None:
        raise DesignError(
            "the smearing factor needs residuals of rows",
            got="moments without their rows",
            fix="estimate from the rows",
        )
    fit = regress(moments, moments.columns[-1], on=moments.columns[:-1], within=within, level=level)
    source, names = moments.source, moments.columns[:-1]
    slopes = np.array([fit[name].value for name in names])
    total = moments.sums.sum(axis=0) / moments.weight.sum()
    middle = float(total[:-1] @ slopes)
    predicted = linear_predictor(moments, slopes)
    left = source.z(moments.columns[-1]) - predicted
    grown = source.w() * left.exp()
    below = predicted < middle
    expressions = [
        grown.sum().alias("all"),
        nw.when(below).then(grown).otherwise(0.0).sum().alias("low"),
        nw.when(below).then(source.w()).otherwise(0.0).sum().alias("n"),
        (source.w() * left).sum().alias("e"),
        source.w().sum().alias("w") if source.weight is not None else nw.len().alias("w"),
    ]
    # account effects: exp(e − ē_g) = exp(e)·exp(−ē_g), so one number per account corrects the sums
    own = (-(nw.col("e") / nw.col("w"))).exp() if within else nw.lit(math.exp(middle - float(total[-1])))
    then = [*((nw.col(name) * own).alias(name) for name in ("all", "low")), nw.col("n")]
    _, found = source.by_account(expressions, then=then)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = {name: float(np.sum(found[name])) for name in ("all", "low")}
    if not math.isfinite(sums["all"]):
        raise DataError(
            f"{moments.columns[-1]!r} does not look like logs",
            got="exp(residual) is too large for a number",
            fix="pass the outcome on logs, such as er.log('revenue')",
        )
    weight, low = float(moments.weight.sum()), float(np.sum(found["n"]))
    return Smearing(
        sums["all"] / weight,
        math.exp(fit.residual_variance / 2),
        sums["low"] / low if low else math.nan,
        (sums["all"] - sums["low"]) / (weight - low) if weight > low else math.nan,
        fit,
    )
