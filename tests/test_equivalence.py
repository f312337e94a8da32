"""Equivalence tests: against textbook formulas, other libraries, and the truth of simulated tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from erresearch.errors import DesignError
from erresearch.relate import correlate, regress
from erresearch.relate.association import FisherZ
from erresearch.results import Estimate, StudentT
from erresearch.robustness import equivalence


def student(value: float, se: float, df: float, *, stored: bool = False) -> Estimate:
    reference = StudentT(value, se, df)
    ends = reference.interval(0.95)
    return Estimate(
        "b",
        value=value,
        se=se,
        df=df,
        interval=ends,
        n_rows=100,
        n_accounts=40,
        reference=None if stored else reference,
    )


def test_two_means_agree_with_statsmodels():
    from statsmodels.stats.weightstats import ttost_ind

    rng = np.random.default_rng(0)
    a, b = rng.normal(0.1, 1, 80), rng.normal(0.0, 1, 70)
    p, low, high = ttost_ind(a, b, -0.5, 0.5)
    table = pd.DataFrame({"y": np.r_[a, b], "x": np.r_[np.ones(80), np.zeros(70)]})
    found = equivalence(regress(table, "y", on=["x"], cov="iid")["x"], sesoi=0.5)
    assert found.p_low == pytest.approx(low[1], rel=1e-9)
    assert found.p_high == pytest.approx(high[1], rel=1e-9)
    assert found.pvalue == pytest.approx(p, rel=1e-9)


def test_a_coefficient_agrees_with_two_shifted_tests_of_statsmodels():
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(300, 2)), columns=["x", "z"])
    table["y"] = 0.03 * table.x + table.z + rng.normal(size=300)
    oracle = smf.ols("y ~ x + z", table).fit()
    found = equivalence(regress(table, "y", on=["x", "z"], cov="iid")["x"], sesoi=0.2)
    above = oracle.t_test("x = -0.2")
    below = oracle.t_test("x = 0.2")
    assert found.p_low == pytest.approx(stats.t.sf(above.tvalue.item(), oracle.df_resid), rel=1e-8)
    assert found.p_high == pytest.approx(stats.t.cdf(below.tvalue.item(), oracle.df_resid), rel=1e-8)
    assert [found.interval.low, found.interval.high] == pytest.approx(
        oracle.conf_int(0.10).loc["x"], rel=1e-8
    )


def test_a_correlation_is_tested_on_fishers_scale():
    n, r = 854, 0.01
    reference = FisherZ(r, 1 / math.sqrt(n - 3), math.inf)
    estimate = Estimate(
        "r",
        value=r,
        se=reference.se,
        df=math.inf,
        interval=reference.interval(0.95),
        n_rows=n,
        n_accounts=0,
        reference=reference,
    )
    found = equivalence(estimate, sesoi=0.1)
    z = (math.atanh(r) - np.array([-1, 1]) * math.atanh(0.1)) * math.sqrt(n - 3)
    assert [found.p_low, found.p_high] == pytest.approx([stats.norm.sf(z[0]), stats.norm.cdf(z[1])])
    assert found.nil


def test_a_difference_of_shares_is_a_coefficient():
    a, b = np.r_[np.ones(60), np.zeros(140)], np.r_[np.ones(64), np.zeros(136)]
    table = pd.DataFrame({"bought": np.r_[a, b], "saw": np.r_[np.ones(200), np.zeros(200)]})
    estimate = regress(table, "bought", on=["saw"])["saw"]
    assert estimate.value == pytest.approx(-0.02)
    assert equivalence(estimate, sesoi=0.12).nil
    assert not equivalence(estimate, sesoi=0.05).nil


def test_few_accounts_use_the_bootstrap_of_the_estimate():
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"shop": np.repeat(np.arange(12), 40), "x": rng.normal(size=480)})
    table["y"] = table["shop"] + rng.normal(size=480)
    estimate = regress(table, "y", on=["x"], by="shop", within=True)["x"]
    found = equivalence(estimate, sesoi=0.3)
    ends = estimate.at(0.90).interval
    assert (found.interval.low, found.interval.high) == (ends.low, ends.high)
    assert found.nil
    assert found.pvalue < 0.05


def test_an_exponent_is_tested_against_one():
    assert equivalence(student(0.99, 0.01, 500), sesoi=0.05, null=1.0).nil
    assert not equivalence(student(0.99, 0.01, 500), sesoi=0.05).nil


def test_rates_of_error_and_power_are_the_nominal_ones():
    # n = 854 gives 80 % power for ±.1 at a true 0, and at the edge itself the error rate is α
    rng = np.random.default_rng(3)
    se = 1 / math.sqrt(851)

    def share(true: float) -> float:
        values = np.tanh(math.atanh(true) + se * rng.normal(size=1500))
        made = (FisherZ(float(v), se, math.inf) for v in values)
        found = [
            equivalence(
                Estimate(
                    "r",
                    value=m.value,
                    se=se,
                    df=math.inf,
                    interval=m.interval(0.95),
                    n_rows=854,
                    n_accounts=0,
                    reference=m,
                ),
                sesoi=0.1,
            )
            for m in made
        ]
        return float(np.mean([f.nil for f in found]))

    assert share(0.0) == pytest.approx(0.80, abs=0.035)
    assert share(0.1) == pytest.approx(0.05, abs=0.02)


sizes = st.floats(0.01, 10)


@given(st.floats(-3, 3), sizes, st.floats(3, 1000), sizes, st.floats(0.6, 0.99))
def test_nil_means_both_tests_reject_and_the_interval_is_inside(value, se, df, sesoi, level):
    found = equivalence(student(value, se, df), sesoi=sesoi, level=level)
    if abs(found.pvalue - (1 - level)) > 1e-9:
        assert found.nil == (found.pvalue < 1 - level)
    assert 0 <= found.pvalue <= 1


@given(st.floats(-3, 3), sizes, sizes, st.floats(1.01, 5))
def test_a_wider_region_is_never_harder_to_be_in(value, se, sesoi, more):
    narrow, wide = (equivalence(student(value, se, 50), sesoi=s) for s in (sesoi, sesoi * more))
    assert wide.pvalue <= narrow.pvalue
    assert wide.nil >= narrow.nil


@given(st.floats(-3, 3), sizes, sizes, st.floats(0.001, 1000))
def test_the_unit_does_not_matter(value, se, sesoi, unit):
    a = equivalence(student(value, se, 30), sesoi=sesoi)
    b = equivalence(student(value * unit, se * unit, 30), sesoi=sesoi * unit)
    assert a.pvalue == pytest.approx(b.pvalue, rel=1e-9)


@given(st.floats(-3, 3), sizes, sizes)
def test_the_sign_does_not_matter(value, se, sesoi):
    a, b = (equivalence(student(v, se, 30), sesoi=sesoi) for v in (value, -value))
    assert (a.p_low, a.p_high) == pytest.approx((b.p_high, b.p_low))


def test_an_estimate_without_precision_is_never_nil():
    found = equivalence(student(0.0, math.inf, 5), sesoi=1e9)
    assert not found.nil
    assert found.pvalue == 0.5


@pytest.mark.parametrize("sesoi", [0, -0.1, math.nan, math.inf])
def test_a_region_without_width_is_refused(sesoi):
    with pytest.raises(DesignError, match="`sesoi` must be a positive number"):
        equivalence(student(0.0, 1.0, 5), sesoi=sesoi)


@pytest.mark.parametrize("level", [0.5, 1.0, 95])
def test_a_wrong_level_is_refused(level):
    with pytest.raises(DesignError, match=r"`level` must lie between 0.5 and 1"):
        equivalence(student(0.0, 1.0, 5), sesoi=1.0, level=level)


def test_a_stored_number_cannot_be_tested():
    with pytest.raises(DesignError, match="cannot be used for an equivalence test"):
        equivalence(student(0.0, 1.0, 5, stored=True), sesoi=1.0)


def test_a_region_beyond_one_is_refused_for_a_correlation():
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.normal(size=(50, 2)), columns=["x", "y"])
    with pytest.raises(DesignError, match="lies beyond what"):
        equivalence(correlate(table, "x", "y"), sesoi=1.2)


def test_it_says_itself_without_markup():
    found = equivalence(student(0.0, 0.1, 50), sesoi=0.05)
    assert "not shown to be nil within ±0.05" in str(found)
    assert "1 ± 0.05" in str(equivalence(student(1.0, 0.1, 50), sesoi=0.05, null=1.0))
    assert found._repr_markdown_().startswith("**equivalence**")
