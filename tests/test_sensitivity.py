"""Robustness values and bounds: against PySensemakr, against closed forms, against planted confounders."""

from __future__ import annotations

import json
import math
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings, strategies as st

from erresearch.errors import DesignError, UnknownNameError
from erresearch.relate import poisson, regress
from erresearch.results import Interval, StudentT
from erresearch.robustness import confounder_bounds, robustness_value, sensitivity

ORACLE = Path(__file__).parent / "oracle"
STORED = json.loads((ORACLE / "sensitivity.json").read_text())
ON = ["talk", "spend", "price", "posts"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return runpy.run_path(str(ORACLE / "make_sensitivity.py"))["simulated"]()


def test_the_published_example():
    stored = STORED["darfur"]
    t, df = stored["estimate"] / stored["se"], stored["df"]
    found = robustness_value(t, df), robustness_value(t, df, critical=StudentT(0, 1, df - 1).critical(0.95))
    assert found == pytest.approx((stored["robustness_value"], stored["robustness_value_alpha"]), rel=1e-10)
    # as printed in the article: 13.9 %, 7.6 %
    assert found == pytest.approx((0.139, 0.076), abs=5e-4)


def test_without_a_control_there_is_nothing_to_compare_with(table):
    found = sensitivity(regress(table, "sales", on=["talk"], cov="iid"))
    assert found.benchmark == ""
    assert math.isnan(found.adjusted)
    assert not found.withstands
    assert "no observed control" in str(found)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_bounds_of_the_published_example(k):
    stored = STORED["darfur"]
    row = stored["bounds"][k - 1]
    bound = confounder_bounds(row["partial_r2_x"], row["partial_r2_y"], strength_x=k)
    # as printed in the article
    printed = {1: (0.0092, 0.1246), 2: (0.0183, 0.2493), 3: (0.0275, 0.3741)}
    assert bound == pytest.approx(printed[k], abs=5e-5)
    assert bound == pytest.approx((row["r2dz_x"], row["r2yz_dx"]), rel=1e-10)


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("control", ["spend", "price", "posts"])
def test_fits_agree_with_pysensemakr(table, control, k, within):
    stored = STORED["simulated, within" if within else "simulated"]
    row = next(r for r in stored["bounds"] if (r["benchmark"], r["strength"]) == (control, k))
    if within:
        fit = regress(table, "sales", on=ON, by="shop", within=True, cov="CRV1")
    else:
        fit = regress(table, "sales", on=ON, cov="iid")
    found = sensitivity(fit, "talk", benchmark=control, strength=k)
    assert found.robustness_value == pytest.approx(stored["robustness_value"], rel=1e-9)
    assert found.partial_r2 == pytest.approx(stored["partial_r2"], rel=1e-9)
    assert (found.bound_x, found.bound_y) == pytest.approx((row["r2dz_x"], row["r2yz_dx"]), rel=1e-8)
    assert found.adjusted == pytest.approx(row["adjusted_estimate"], rel=1e-8)
    if not within:  # intervals are clustered there
        assert found.robustness_value_alpha == pytest.approx(stored["robustness_value_alpha"], rel=1e-8)
        half = row["adjusted_se"] * StudentT(0, 1, stored["df"] - 1).critical(0.95)
        ends = found.adjusted_interval
        assert (ends.low, ends.high) == pytest.approx(
            (found.adjusted - half, found.adjusted + half), rel=1e-8
        )
        assert found.withstands == (found.adjusted > half)


def test_the_strongest_control_is_the_one_whose_equal_moves_the_estimate_most(table):
    fit = regress(table, "sales", on=ON, cov="iid")
    left = {name: sensitivity(fit, "talk", benchmark=name).adjusted for name in ON[1:]}
    assert sensitivity(fit, "talk").benchmark == min(left, key=left.__getitem__) == "spend"
    assert sensitivity(fit).estimate.name == "talk"


def test_leaving_out_a_confounder_moves_the_estimate_by_the_formula(table):
    # the bias is exact: a "hidden" spend with its own partial R² takes the short estimate to the long one
    short = regress(table, "sales", on=["talk", "price"], cov="iid")
    long = regress(table, "sales", on=["talk", "price", "spend"], cov="iid")
    own = sm.add_constant(table[["price"]])

    def left(y: pd.Series, x: pd.DataFrame) -> pd.Series:
        return sm.OLS(y, x).fit().resid

    r2_x = np.corrcoef(left(table.talk, own), left(table.spend, own))[0, 1] ** 2
    beside = sm.add_constant(table[["price", "talk"]])
    r2_y = np.corrcoef(left(table.sales, beside), left(table.spend, beside))[0, 1] ** 2
    se, df = short["talk"].se, 600 - 3
    bias = math.sqrt(r2_y * r2_x / (1 - r2_x)) * se * math.sqrt(df)
    assert short["talk"].value - bias == pytest.approx(long["talk"].value, rel=1e-9)
    found = sensitivity(short, "talk")
    row, column = (np.searchsorted(found.r2_y, r2_y), np.searchsorted(found.r2_x, r2_x))
    assert found.contours[row, column] <= long["talk"].value < found.contours[row - 1, column - 1]


def test_a_confounder_of_the_robustness_value_takes_the_estimate_to_zero(table):
    found = sensitivity(regress(table, "sales", on=ON, cov="iid"), "talk")
    rv, se, df = found.robustness_value, found.estimate.se, 595
    bias = math.sqrt(rv * rv / (1 - rv)) * se * math.sqrt(df)
    assert bias == pytest.approx(found.estimate.value, rel=1e-12)
    inner = found.robustness_value_alpha
    low = found.estimate.value - math.sqrt(inner * inner / (1 - inner)) * se * math.sqrt(df)
    half = StudentT(0, 1, df - 1).critical(0.95) * se * math.sqrt(df / (df - 1))
    assert low == pytest.approx(half, rel=1e-9)


def test_a_clustered_interval_makes_the_interval_easier_to_take_to_zero(table):
    plain = sensitivity(regress(table, "sales", on=ON, cov="iid"), "talk")
    clustered = sensitivity(regress(table, "sales", on=ON, by="shop"), "talk")
    assert clustered.robustness_value == pytest.approx(plain.robustness_value, rel=1e-9)
    assert clustered.robustness_value_alpha < plain.robustness_value_alpha
    ends, own = clustered.adjusted_interval, clustered.estimate.interval
    shrunk = math.sqrt((1 - clustered.bound_y) / (1 - clustered.bound_x))
    assert (ends.high - ends.low) / (own.high - own.low) == pytest.approx(shrunk, rel=0.01)


def test_a_planted_confounder_is_caught_and_a_clean_effect_is_not():
    rng = np.random.default_rng(1)
    hidden, seen = rng.normal(size=(2, 2000))
    # seen and hidden are equally strong; with hidden left out, talk looks like it sells
    table = pd.DataFrame({"seen": seen, "talk": 0.7 * seen + 0.7 * hidden + rng.normal(size=2000)})
    table["confounded"] = 0.7 * seen + 0.7 * hidden + rng.normal(size=2000)
    table["moved"] = 0.7 * seen + 0.5 * table.talk + rng.normal(size=2000)
    caught = sensitivity(regress(table, "confounded", on=["talk", "seen"]), "talk")
    assert caught.estimate.interval.low > 0
    assert not caught.withstands
    quiet = sensitivity(regress(table.assign(seen=seen), "moved", on=["talk", "seen"]), "talk")
    assert quiet.withstands


def test_a_poisson_fit_is_labelled_an_approximation():
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.normal(size=(400, 2)), columns=["talk", "spend"])
    table["sales"] = rng.poisson(np.exp(1 + 0.3 * table.talk + 0.2 * table.spend))
    found = sensitivity(poisson(table, "sales", on=["talk", "spend"]), "talk")
    assert "linear approximation" in found.method
    assert found.benchmark == "spend"
    assert 0 < found.robustness_value_alpha < found.robustness_value < 1


ts, dfs = st.floats(-50, 50), st.integers(3, 10_000)


@given(ts, dfs)
def test_robustness_values_are_shares_that_grow_with_t(t, df):
    value = robustness_value(t, df)
    assert 0 <= value <= 1
    assert robustness_value(-t, df) == value
    assert robustness_value(1.1 * t, df) >= value
    assert robustness_value(t, df, critical=1.96) <= value


@given(st.floats(0, 0.45), st.floats(0, 0.99), st.floats(0.1, 2))
def test_bounds_are_shares_that_grow_with_strength(r2_x, r2_y, k):
    if k * r2_x / (1 - r2_x) < 0.99:
        weak, strong = (confounder_bounds(r2_x, r2_y, strength_x=s) for s in (k / 2, k))
        assert 0 <= weak[0] <= strong[0] < 1
        assert 0 <= weak[1] <= strong[1] <= 1


@settings(max_examples=20)
@given(st.floats(0.01, 100), st.floats(0.01, 100), st.booleans())
def test_units_and_sign_do_not_matter(x_unit, y_unit, flipped):
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(120, 2)), columns=["x", "z"])
    table["y"] = table.x + table.z + rng.normal(size=120)
    a = sensitivity(regress(table, "y", on=["x", "z"], cov="iid"))
    turned = table.assign(x=table.x * x_unit * (-1 if flipped else 1), y=table.y * y_unit)
    b = sensitivity(regress(turned, "y", on=["x", "z"], cov="iid"))
    assert b.robustness_value_alpha == pytest.approx(a.robustness_value_alpha, rel=1e-7)
    assert abs(b.adjusted) * x_unit / y_unit == pytest.approx(a.adjusted, rel=1e-7)
    assert np.sign(b.adjusted) == (-1 if flipped else 1)


def test_extremes():
    assert robustness_value(0.0, 100) == 0.0
    assert robustness_value(math.inf, 100) == 1.0
    assert robustness_value(1.0, 100, critical=1.98) == 0.0
    # a critical value so large that only x limits the confounder
    assert robustness_value(100.0, 2, critical=12.7) == pytest.approx((5000 - 12.7**2) / 5001)
    assert confounder_bounds(0.1, 1.0) == (pytest.approx(1 / 9), 1.0)


def test_an_unbounded_interval_withstands_nothing(table):
    fit = regress(table, "sales", on=ON, cov="iid")
    lost = replace(
        fit["talk"],
        interval=Interval(-math.inf, math.inf),
        reference=StudentT(fit["talk"].value, math.inf, 595),
    )
    found = sensitivity(replace(fit, estimates={**fit.estimates, "talk": lost}), "talk")
    assert found.robustness_value_alpha == 0.0
    assert not found.adjusted_interval.bounded
    assert not found.withstands


def test_what_cannot_be_answered_is_refused(table):
    fit = regress(table, "sales", on=ON, by="shop")
    with pytest.raises(UnknownNameError, match="Did you mean 'spend'"):
        sensitivity(fit, "talk", benchmark="spned")
    with pytest.raises(UnknownNameError, match="no control beside the estimate 'talk'"):
        sensitivity(fit, "talk", benchmark="talk")
    with pytest.raises(UnknownNameError, match="Did you mean 'talk'"):
        sensitivity(fit, "tlak")
    series = regress(table.head(60).assign(week=np.arange(60)), "sales", on=ON, time="week")
    for wrong in (fit["talk"], replace(fit, model=None), series):
        said = r"needs the scores of its regression: .*Fit it again without `time` and pass the fit"
        with pytest.raises(DesignError, match=said):
            sensitivity(wrong, "talk")
    with pytest.raises(DesignError, match="times as strong as this control"):
        sensitivity(fit, "talk", benchmark="spend", strength=50)
    with pytest.raises(DesignError, match="`strength` must not be negative"):
        sensitivity(fit, "talk", strength=-1)
    with pytest.raises(DesignError, match="needs residual degrees of freedom"):
        robustness_value(2.0, 1)


def test_it_says_itself(table):
    fit = regress(table, "sales", on=ON, cov="iid")
    assert "as strong as spend would leave" in str(sensitivity(fit, "talk"))
    twice = sensitivity(fit, "talk", benchmark="price", strength=2)
    assert "2 times as strong as price" in str(twice)
    assert twice._repr_markdown_().startswith("**sensitivity**")
