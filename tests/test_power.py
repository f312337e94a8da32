"""Detectable effects: published tables, simulation, and how they scale."""

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
from erresearch.robustness import detectable, equivalence


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


@given(st.floats(0.01, 1), st.floats(0.001, 1000))
def test_figures_carry_the_unit_of_the_estimate(se, unit):
    a, b = detectable(student(0.0, se, 39)), detectable(student(0.0, se * unit, 39))
    assert b.effect == pytest.approx(a.effect * unit)
    assert b.nil == pytest.approx(a.nil * unit)


def test_an_unbounded_interval_shows_nothing():
    estimate = student(0.0, math.inf, 3, 4)
    assert detectable(estimate).effect == math.inf


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


def test_it_says_itself():
    found = detectable(student(0.0, 0.1, 39))
    assert "would show nil for a smallest effect of interest of" in str(found)
    assert found._repr_markdown_().startswith("**")
