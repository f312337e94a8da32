"""Shuffled weeks, attenuation and smearing."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings, strategies as st

from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DataError, DesignError
from erresearch.relate import correlate, regress
from erresearch.robustness import attenuation, permutation, smearing
from erresearch.robustness.permutations import _shuffled

EFFECTS = [(), ("account",), ("account", "period")]


def series(rng: np.random.Generator, length: int, memory: float) -> np.ndarray:
    shocks = rng.normal(size=length + 50)
    for t in range(1, length + 50):
        shocks[t] += memory * shocks[t - 1]
    return shocks[50:]


def panel(
    seed: int, *, shops: int = 8, weeks: int = 52, memory: float = 0.5, slope: float = 0.0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"shop": np.repeat(np.arange(shops), weeks), "week": np.tile(np.arange(weeks), shops)}
    )
    for name in ("x", "y", "c"):
        table[name] = np.concatenate([series(rng, weeks, memory) for _ in range(shops)])
    table["y"] += slope * table.x + 0.7 * table.c + 3 * rng.normal(size=shops)[table.shop]
    table["x"] += 0.5 * table.c
    return table


@pytest.mark.parametrize("effects", EFFECTS, ids=str)
@pytest.mark.parametrize("controls", [[], ["c"]], ids=str)
def test_the_slope_and_its_statistic_agree_with_statsmodels(effects, controls):
    table = panel(1, slope=0.2).sample(frac=0.9, random_state=1)
    found = permutation(
        table, "y", "x", by="shop", period="week", controls=controls, effects=effects, draws=99
    )
    dummies = [
        pd.get_dummies(table[c], drop_first=True)
        for c, e in (("shop", "account"), ("week", "period"))
        if e in effects
    ]
    design = np.column_stack([table[["x", *controls]], np.ones(len(table)), *dummies]).astype(float)
    oracle = sm.OLS(table.y, design).fit(cov_type="cluster", cov_kwds={"groups": table.shop})
    assert found.value == pytest.approx(oracle.params.iloc[0], rel=1e-8)
    (n, k), g = design.shape, 8
    factor = math.sqrt(g / (g - 1) * (n - 1) / (n - k))
    assert found.statistic == pytest.approx(oracle.tvalues.iloc[0] * factor, rel=1e-8)
    assert (found.n_rows, found.n_accounts, len(found.draws)) == (n, 8, 99)


@given(st.integers(3, 60), st.integers(1, 12), st.integers(0, 1000))
def test_a_shuffle_moves_whole_blocks_of_a_ring(size, block, seed):
    order = _shuffled(size, block, 4, np.random.default_rng(seed))
    assert (np.sort(order, axis=1) == np.arange(size)).all()
    blocks = -(-size // block)
    joined = (np.diff(order, axis=1) % size == 1).sum(axis=1)
    assert (joined >= size - 1 - blocks).all()


def test_a_planted_effect_is_beyond_the_shuffles():
    found = permutation(panel(2, slope=0.4), "y", "x", by="shop", period="week", controls=["c"])
    assert found.pvalue <= 0.005
    assert np.quantile(np.abs(found.draws), 0.99) < abs(found.statistic)


@pytest.mark.parametrize(("shops", "by"), [(1, None), (8, "shop")])
def test_series_with_memory_keep_the_size(shops, by):
    pvalues = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame({"shop": np.repeat(np.arange(shops), 80), "week": np.tile(np.arange(80), shops)})
        for name in ("x", "y"):
            table[name] = np.concatenate([series(rng, 80, 0.8) for _ in range(shops)])
        pvalues.append(permutation(table, "y", "x", by=by, period="week", draws=99, rng=seed).pvalue)
    assert np.mean(np.array(pvalues) <= 0.05) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 80)
    assert 0.3 < np.mean(pvalues) < 0.7


def test_single_weeks_shuffled_would_be_fooled_by_memory():
    fooled = kept = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame({"week": np.arange(104), "x": series(rng, 104, 0.9), "y": series(rng, 104, 0.9)})
        fooled += (
            permutation(table, "y", "x", by=None, period="week", block=1, draws=99, rng=seed).pvalue <= 0.05
        )
        kept += (
            permutation(table, "y", "x", by=None, period="week", block=20, draws=99, rng=seed).pvalue <= 0.05
        )
    assert fooled > 20
    assert kept < fooled / 2


@settings(max_examples=10)
@given(st.floats(0.01, 100), st.floats(-100, 100), st.integers(0, 5))
def test_units_and_row_order_do_not_matter(unit, level, seed):
    table = panel(3)
    a = permutation(table, "y", "x", by="shop", period="week", draws=99, rng=7)
    turned = table.sample(frac=1, random_state=seed).assign(y=table.y * unit + level, x=table.x / unit)
    b = permutation(turned, "y", "x", by="shop", period="week", draws=99, rng=7)
    assert b.statistic == pytest.approx(a.statistic, rel=1e-7)
    assert abs(b.pvalue - a.pvalue) <= 0.011
    assert table.equals(panel(3))


def test_weeks_are_ordered_by_time_and_not_by_text():
    table = panel(4, memory=0.9)
    a = permutation(table, "y", "x", by="shop", period="week", draws=199)
    b = permutation(table.assign(week=table.week.astype(str)), "y", "x", by="shop", period="week", draws=199)
    np.testing.assert_allclose(a.draws, b.draws)


def test_missing_rows_are_counted_and_names_may_be_odd():
    table = panel(5).rename(columns={"x": "__account__", "y": "<b>"})
    table.loc[3, "<b>"] = np.nan
    found = permutation(table, "<b>", "__account__", by="shop", period="week", draws=99)
    assert found.n_rows == len(table) - 1
    assert sum(found.dropped.values()) == 1
    assert "99 shuffles of blocks of 7 periods within 8 accounts" in str(found)
    assert "\\<b" in found._repr_markdown_() or "&lt;b" in found._repr_markdown_()


def test_columns_of_moments_are_taken_by_name():
    table = panel(6).assign(other=lambda t: np.sqrt(np.arange(len(t))))
    how = {"by": "shop", "period": "week", "rng": 3, "draws": 99}
    rows = permutation(table, "y", "x", **how)
    for columns in (["y", "x"], ["other", "y", "x"], ["x", "other", "y"]):
        moments = Moments.from_frame(table, columns, by="shop", period="week")
        again = permutation(moments, "y", "x", **how)
        assert (again.outcome, again.x) == ("y", "x")
        assert again.value == pytest.approx(rows.value, rel=1e-9)
        assert again.pvalue == rows.pvalue
    with pytest.raises(ColumnError, match="cannot be used with by='week'"):
        permutation(moments, "y", "x", by="week", period="week")
    weighted = Moments.from_frame(table, ["x", "y"], by="shop", period="week", weights="other")
    with pytest.raises(DesignError, match="shuffled weeks take no weights"):
        permutation(weighted, "y", "x", by="shop", period="week")


def test_what_cannot_be_shuffled_is_refused():
    table = panel(6)
    with pytest.raises(DesignError, match="98 shuffles are too few"):
        permutation(table, "y", "x", by="shop", period="week", draws=98)
    with pytest.raises(DesignError, match="cannot be shuffled in blocks of 30"):
        permutation(table, "y", "x", by="shop", period="week", block=30)
    with pytest.raises(DesignError, match="no variation is left in 'x'"):
        permutation(table.assign(d=table.x * 2), "y", "x", by="shop", period="week", controls=["d"])
    with pytest.raises(DesignError, match="these effects are not served"):
        permutation(table, "y", "x", by="shop", period="week", effects=("period",))
    moments = Moments.from_frame(table, ["x", "y"], by="shop")
    with pytest.raises(ColumnError, match="moments without a period"):
        permutation(moments, "y", "x", by="shop", period="week")
    with pytest.raises(ColumnError, match="moments without their rows"):
        permutation(moments + moments, "y", "x", by="shop", period="week")


def test_noise_of_known_reliability_is_undone_by_the_right_end_of_the_range():
    rng = np.random.default_rng(7)
    true = rng.normal(size=200_000)
    table = pd.DataFrame(
        {"x": true + rng.normal(0, 0.5, 200_000), "y": 0.5 * true + rng.normal(size=200_000)}
    )
    lam = 1 / 1.25
    clean = np.corrcoef(true, table.y)[0, 1]
    found = attenuation(float(np.corrcoef(table.x, table.y)[0, 1]), reliability=(lam, 1.0))
    assert found.most == pytest.approx(clean, abs=0.01)
    assert found.least == found.observed
    slope = attenuation(float(np.polyfit(table.x, table.y, 1)[0]), reliability=(lam, 1.0), kind="slope")
    assert slope.most == pytest.approx(0.5, abs=0.01)
    assert not found.impossible


def test_an_estimate_brings_the_union_of_its_intervals():
    rng = np.random.default_rng(8)
    table = pd.DataFrame(rng.normal(size=(300, 2)), columns=["x", "y"])
    estimate = correlate(table, "x", "y")
    found = attenuation(estimate, reliability=(0.64, 1.0))
    ends = estimate.interval
    assert ends.low < 0 < ends.high
    assert (found.interval.low, found.interval.high) == pytest.approx((ends.low / 0.8, ends.high / 0.8))
    assert attenuation(0.3, reliability=(0.5, 1)).interval is None


@given(st.floats(-1, 1), st.floats(0.05, 1), st.floats(0.05, 1))
def test_corrected_correlations_stay_correlations_and_never_shrink(r, low, high):
    found = attenuation(r, reliability=(min(low, high), max(low, high)))
    assert abs(r) <= abs(found.least) <= abs(found.most) <= 1
    assert found.impossible == (abs(r) > math.sqrt(min(low, high)))
    assert attenuation(-r, reliability=(0.5, 1)).most == -attenuation(r, reliability=(0.5, 1)).most


def test_wrong_reliabilities_are_refused():
    for ends in [(0, 1), (0.9, 0.8), (0.5, 1.1)]:
        with pytest.raises(DesignError, match="`reliability` must be two numbers in"):
            attenuation(0.2, reliability=ends)
    with pytest.raises(DesignError, match="`reliability_outcome` must be two numbers in"):
        attenuation(0.2, reliability=(0.5, 1), reliability_outcome=(0, 1))
    with pytest.raises(DesignError, match="a correlation lies between −1 and 1"):
        attenuation(1.2, reliability=(0.5, 1))
    with pytest.raises(DesignError, match="`kind` is 'r'"):
        attenuation(0.2, reliability=(0.5, 1), kind="r")
    assert "impossible with this correlation" in str(attenuation(0.9, reliability=(0.5, 1)))


@pytest.mark.parametrize("within", [False, True])
def test_smearing_agrees_with_the_residuals_of_statsmodels(within):
    rng = np.random.default_rng(9)
    table = pd.DataFrame({"shop": np.repeat(np.arange(12), 30), "x": rng.normal(5, 1, 360)})
    table["log sales"] = 8 + 0.4 * table.x + rng.normal(size=12)[table.shop] + rng.normal(0, 0.7, 360)
    found = smearing(table, "log sales", on=["x"], by="shop", within=within)
    dummies = [pd.get_dummies(table.shop, drop_first=True)] if within else []
    fit = sm.OLS(table["log sales"], np.column_stack([table.x, np.ones(360), *dummies]).astype(float)).fit()
    assert found.factor == pytest.approx(np.exp(fit.resid).mean(), rel=1e-9)
    assert found.normal == pytest.approx(math.exp(fit.mse_resid / 2), rel=1e-9)
    low = table.x < table.x.mean()
    assert found.low == pytest.approx(np.exp(fit.resid[low]).mean(), rel=1e-9)
    assert found.high == pytest.approx(np.exp(fit.resid[~low]).mean(), rel=1e-9)
    assert found.fit["x"].value == pytest.approx(fit.params.iloc[0])
    moments = Moments.from_frame(table, ["x", "log sales"], by="shop")
    again = smearing(moments, "log sales", on=["x"], within=within)
    assert again.factor == pytest.approx(found.factor)


def test_uneven_residuals_are_said():
    rng = np.random.default_rng(10)
    x = rng.normal(size=4000)
    even = pd.DataFrame({"x": x, "y": x + rng.normal(0, 0.5, 4000)})
    uneven = pd.DataFrame({"x": x, "y": x + rng.normal(size=4000) * np.exp(0.5 * x) / 2})
    assert "use Poisson" not in str(smearing(even, "y", on=["x"]))
    found = smearing(uneven, "y", on=["x"])
    assert found.uneven > 0.1
    assert "use Poisson regression" in str(found)
    assert found._repr_markdown_().startswith("**smearing**")


def test_money_that_is_no_log_is_refused():
    rng = np.random.default_rng(11)
    table = pd.DataFrame({"x": rng.normal(size=50), "sales": rng.normal(0, 1e5, 50)})
    with pytest.raises(DataError, match="does not look like logs"):
        smearing(table, "sales", on=["x"])
    moments = Moments.from_frame(table, ["x", "sales"])
    with pytest.raises(DesignError, match="needs residuals of rows"):
        smearing(moments + moments, "sales", on=["x"])
    assert regress(table, "sales", on=["x"]).n_rows == 50
