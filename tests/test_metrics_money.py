"""ROMI and break-even against arithmetic and against scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import estimate
from hypothesis import given, settings, strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from erresearch.errors import DataError, DesignError, GuardError
from erresearch.metrics import (
    break_even,
    romi_gross,
    romi_incremental,
    romi_net,
)
from erresearch.metrics.money import Garwood
from erresearch.metrics.shares import Wilson, proportion
from erresearch.results import Estimate


def money(value: float, se: float, *, unit: str = "EUR", df: float = math.inf) -> Estimate:
    """An effect in money that some model gave."""
    return estimate(value, se, name="worth", df=df, unit=unit, method="a model", n_rows=100, n_accounts=0)


# -- distributions ----------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.integers(0, 400), st.integers(1, 400), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_statsmodels(k: int, n: int, level: float) -> None:
    k = min(k, n)
    got = Wilson(k, n).interval(level)
    assert (got.low, got.high) == pytest.approx(
        proportion_confint(k, n, 1 - level, method="wilson"), abs=1e-12
    )
    inside = Wilson(k, n).pvalue(0.3) > 1 - level
    assert inside == (0.3 in got) or abs(got.low - 0.3) < 1e-9 or abs(got.high - 0.3) < 1e-9


@settings(max_examples=60)
@given(st.integers(0, 500), st.sampled_from([0.8, 0.95, 0.99]))
def test_garwood_is_chi_square(k: int, level: float) -> None:
    got, tail = Garwood(k).interval(level), (1 - level) / 2
    low = stats.chi2.ppf(tail, 2 * k) / 2 if k else 0.0
    assert (got.low, got.high) == pytest.approx((low, stats.chi2.ppf(1 - tail, 2 * k + 2) / 2), rel=1e-9)
    assert Garwood(k).pvalue(got.high) == pytest.approx(1 - level, rel=1e-6)


def test_levels() -> None:
    with pytest.raises(DesignError, match=r"`level` must lie between 0 and 1: 1\.5"):
        Wilson(1, 2).interval(1.5)
    assert Wilson(0, 5).pvalue(0.0) == 1.0
    assert Garwood(0).pvalue(0.0) == 1.0


# -- money ------------------------------------------------------------------------------------------------------

COSTS = {"labour": 800.0, "platform": 200.0}


def test_romi_by_hand() -> None:
    gross = romi_gross(40, revenue_per_conversion=50, **COSTS)
    assert gross.value == 2.0
    low, high = stats.chi2.ppf(0.025, 80) / 2, stats.chi2.ppf(0.975, 82) / 2
    assert (gross.interval.low, gross.interval.high) == pytest.approx((low * 0.05, high * 0.05))
    net = romi_net(40, revenue_per_conversion=50, media=500, margin=0.6, **COSTS)
    assert net.value == pytest.approx((0.6 * 2000 - 1500) / 1500)
    extra = money(2500.0, 900.0, df=60)
    incremental = romi_incremental(extra, media=500, margin=0.4, **COSTS)
    assert incremental.value == pytest.approx((0.4 * 2500 - 1500) / 1500)
    assert incremental.interval.high == pytest.approx((0.4 * extra.interval.high - 1500) / 1500)
    assert incremental.pvalue == pytest.approx(extra.reference.pvalue(1500 / 0.4))  # type: ignore[union-attr]
    assert incremental.at(0.5).interval.low > incremental.interval.low
    assert "margin 40.0 %" in incremental.name


def test_uncertain_money_per_conversion() -> None:
    rng = np.random.default_rng(4)
    value = money(50.0, 4.0)
    got = romi_gross(400, revenue_per_conversion=value, **COSTS)
    draws = rng.poisson(400, 200_000) * rng.normal(50, 4, 200_000) / 1000
    assert got.se == pytest.approx(draws.std(), rel=0.02)
    assert "taken as independent" in got.method
    both = romi_gross(money(400.0, 20.0, unit=""), revenue_per_conversion=50, **COSTS)
    assert both.se == pytest.approx(20 * 50 / 1000)
    stored = Estimate(
        "n",
        value=400.0,
        se=20.0,
        df=math.inf,
        interval=money(400.0, 20.0).interval,
        n_rows=10,
        n_accounts=0,
    )
    assert romi_gross(stored, revenue_per_conversion=50, **COSTS).interval == both.interval


def test_no_conversion_is_no_certainty() -> None:
    got = romi_net(0, revenue_per_conversion=50, **COSTS)
    assert got.value == -1.0
    assert got.interval.high == pytest.approx(3.688879 * 50 / 1000 - 1)


def test_break_even() -> None:
    got = break_even(1200, actions=300, margin=0.4)
    assert got.worth.value == pytest.approx(10.0)
    count = Garwood(300).interval(0.95)
    assert (got.worth.interval.low, got.worth.interval.high) == pytest.approx(
        (3000 / count.high, 3000 / count.low)
    )
    assert math.isnan(got.effect)
    assert "elasticity" not in str(got)
    effect = break_even(1200, actions=300, margin=0.4, revenue=50_000, increase=0.25)
    assert 50_000 * 0.4 * (1.25**effect.effect - 1) == pytest.approx(1200)
    assert "elasticity of 0.261" in effect._repr_markdown_()
    assert got.compare(money(20.0, 1.0)) == "pays"
    assert got.compare(money(2.0, 1.0)) == "does not pay"
    assert got.compare(money(10.0, 1.0)) == "not settled"
    assert effect.compare(money(0.1, 0.01, unit="")) == "does not pay"
    assert effect.compare(money(0.3, 0.01, unit="")) == "pays"
    unbounded = break_even(100, actions=money(5.0, 4.0), action="share").worth
    assert math.isinf(unbounded.interval.high)
    assert unbounded.pvalue == 0.0
    assert unbounded.at(0.5).interval.bounded


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: romi_gross(-1, revenue_per_conversion=5, **COSTS), "`conversions` must be 0 or more"),
        (
            lambda: romi_gross(1, revenue_per_conversion=0, **COSTS),
            "`revenue_per_conversion` must be above 0",
        ),
        (
            lambda: romi_gross(1, revenue_per_conversion=5, labour=-1, platform=2),
            "`labour` must be 0 or more",
        ),
        (lambda: romi_gross(1, revenue_per_conversion=5, labour=0, platform=0), "a return needs a cost"),
        (lambda: romi_net(1, revenue_per_conversion=5, media=math.nan, **COSTS), "`media` must be 0 or more"),
        (
            lambda: romi_net(1, revenue_per_conversion=5, margin=40, **COSTS),
            "`margin` must be a share above 0",
        ),
        (lambda: romi_incremental(money(1, math.nan), margin=0.4, **COSTS), "must be numbers"),
        (lambda: break_even(-5, actions=3), "`cost` must be 0 or more"),
        (lambda: break_even(5, actions=0), "no comment was gained"),
        (lambda: break_even(5, actions=3, revenue=100), "needs both the revenue and the increase"),
        (lambda: break_even(5, actions=3, revenue=100, increase=0), "`increase` must be above 0"),
    ],
)
def test_money_refusals(call: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        call()  # type: ignore[operator]


def test_incremental_revenue_needs_its_uncertainty() -> None:
    with pytest.raises(GuardError, match=r"incremental revenue needs its uncertainty: 3000"):
        romi_incremental(3000.0, margin=0.4, **COSTS)  # type: ignore[arg-type]


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match=r"bounce rate: a share needs at least one case.*5 of 0"):
        proportion("bounce rate", 5, 0)
    with pytest.raises(DataError, match=r"11 of 10"):
        proportion("x", 11, 10)
    with pytest.raises(DataError, match=r"-1 of 10"):
        proportion("x", -1, 10)
    nothing = proportion("x", 0, 50)
    assert nothing.interval.low == 0
    assert 0.05 < nothing.interval.high < 0.08
