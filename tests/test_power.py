"""Detectable effects and sample sizes: published tables, simulation, and how they scale."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from erresearch.errors import DesignError
from erresearch.relate import regress
from erresearch.relate.association import FisherZ
from erresearch.results import Estimate, StudentT
from erresearch.robustness import detectable, equivalence, sample_needed


def correlation(n: int) -> Estimate:
    reference = FisherZ(0.0, 1 / math.sqrt(n - 3), math.inf)
    return Estimate(
        "r",
        value=0.0,
        se=reference.se,
        df=math.inf,
        interval=reference.interval(0.95),
        n_rows=n,
        n_accounts=0,
        reference=reference,
    )


def student(value: float, se: float, df: float, accounts: int = 40) -> Estimate:
    reference = StudentT(value, se, df)
    return Estimate(
        "b",
        value=value,
        se=se,
        df=df,
        interval=reference.interval(0.95),
        n_rows=1000,
        n_accounts=accounts,
        reference=reference,
    )


@pytest.mark.parametrize(("n", "r"), [(52, 0.38), (104, 0.27)])
def test_the_least_correlation_that_so_many_weeks_can_show(n, r):
    assert detectable(correlation(n)).effect == pytest.approx(r, abs=0.005)


@pytest.mark.parametrize(("r", "n"), [(0.05, 3137), (0.091, 945), (0.1, 782), (0.2, 194)])
def test_sample_for_a_correlation_agrees_with_published_tables(r, n):
    # the tables use a t approximation that needs up to one row less than Fisher's
    assert sample_needed(correlation(104), effect=r).to_find - n in (0, 1)


@pytest.mark.parametrize(("sesoi", "n"), [(0.1, 854), (0.2, 212)])
def test_sample_for_an_equivalence_test_agrees_with_published_figures(sesoi, n):
    assert sample_needed(correlation(104), effect=sesoi, level=0.90).to_declare_nil == n


def test_a_normal_estimate_follows_the_two_formulas():
    found = detectable(student(0.3, 0.02, math.inf), power=0.9)
    c = stats.norm.ppf(0.975)
    assert found.effect == pytest.approx((c + stats.norm.ppf(0.9)) * 0.02)
    assert found.nil == pytest.approx((c + stats.norm.ppf(0.95)) * 0.02)


def test_the_power_promised_is_the_power_had():
    rng = np.random.default_rng(0)
    se, df = 0.02, 200
    found = detectable(student(0.0, se, df))

    def estimates(true: float) -> list[Estimate]:
        values = true + se * rng.normal(size=1500)
        spread = se * np.sqrt(rng.chisquare(df, 1500) / df)
        return [student(float(v), float(s), df) for v, s in zip(values, spread, strict=True)]

    assert np.mean([e.interval.low > 0 for e in estimates(found.effect)]) == pytest.approx(0.8, abs=0.035)
    nil = [equivalence(e, sesoi=found.nil, level=0.975).nil for e in estimates(0.0)]
    assert np.mean(nil) == pytest.approx(0.8, abs=0.035)


def test_few_accounts_pay_with_the_width_of_their_bootstrap():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"shop": np.repeat(np.arange(10), 40), "x": rng.normal(size=400)})
    table["y"] = rng.normal(size=400)
    estimate = regress(table, "y", on=["x"], by="shop", within=True)["x"]
    ends = estimate.interval
    half = (ends.high - ends.low) / 2
    found = detectable(estimate)
    assert found.effect == pytest.approx(half + stats.norm.ppf(0.8) * estimate.se)
    assert found.suffices(found.nil)
    assert not found.suffices(0.99 * found.nil)
    more = sample_needed(estimate, effect=found.effect / 2)
    assert 30 < more.to_find < 41
    assert more.now == 10
    assert more.entity == "accounts"


@given(st.floats(0.001, 10), st.integers(8, 500), st.floats(0.55, 0.95), st.floats(0.6, 0.99))
def test_asking_for_what_is_detectable_now_asks_for_what_is_there_now(se, accounts, power, level):
    estimate = student(0.0, se, accounts - 1, accounts)
    found = detectable(estimate, power=power, level=level)
    at = sample_needed(estimate, effect=found.effect * (1 + 1e-9), power=power, level=level)
    assert at.to_find == accounts
    at = sample_needed(estimate, effect=found.nil * (1 + 1e-9), power=power, level=level)
    assert at.to_declare_nil == accounts


@given(st.floats(0.01, 1), st.floats(0.05, 0.5), st.floats(1.1, 4))
def test_smaller_effects_need_more_entities(se, effect, less):
    estimate = student(0.0, se, 39)
    many, few = (sample_needed(estimate, effect=e) for e in (effect / less, effect))
    assert many.to_find >= few.to_find
    assert few.to_declare_nil >= few.to_find


@given(st.floats(0.01, 1), st.floats(0.001, 1000))
def test_figures_carry_the_unit_of_the_estimate(se, unit):
    a, b = detectable(student(0.0, se, 39)), detectable(student(0.0, se * unit, 39))
    assert b.effect == pytest.approx(a.effect * unit)
    assert b.nil == pytest.approx(a.nil * unit)


def test_the_sign_of_the_effect_does_not_matter():
    estimate = student(0.0, 0.1, 39)
    assert sample_needed(estimate, effect=-0.2).to_find == sample_needed(estimate, effect=0.2).to_find


def test_an_unbounded_interval_shows_nothing_and_plans_nothing():
    estimate = student(0.0, math.inf, 3, 4)
    assert detectable(estimate).effect == math.inf
    with pytest.raises(DesignError, match="is unbounded, so nothing can be scaled"):
        sample_needed(estimate, effect=0.1)


@pytest.mark.parametrize("effect", [0.0, 1.0, -1.5, math.nan])
def test_an_impossible_correlation_is_refused(effect):
    with pytest.raises(DesignError, match="no sample can be planned for an effect of"):
        sample_needed(correlation(100), effect=effect)


@pytest.mark.parametrize(("word", "options"), [("power", {"power": 1.0}), ("level", {"level": 95})])
def test_options_out_of_range_are_refused(word, options):
    with pytest.raises(DesignError, match=f"`{word}` must lie between 0 and 1"):
        detectable(student(0.0, 1.0, 39), **options)


def test_a_stored_number_has_no_power():
    stored = Estimate(
        "b",
        value=0.0,
        se=1.0,
        df=39,
        interval=StudentT(0.0, 1.0, 39).interval(0.95),
        n_rows=100,
        n_accounts=40,
    )
    with pytest.raises(DesignError, match="cannot be used for a statement on power"):
        detectable(stored)


def test_they_say_themselves():
    estimate = student(0.0, 0.1, 39)
    assert "would show nil for a smallest effect of interest of" in str(detectable(estimate))
    assert "more weeks of the same accounts do not help" in str(sample_needed(estimate, effect=0.1))
    assert "weeks" not in str(sample_needed(correlation(50), effect=0.1))
    for value in (detectable(estimate), sample_needed(estimate, effect=0.1)):
        assert value._repr_markdown_().startswith("**")
