"""correlate and regress over time: no relation where there is none, a planted one found, warnings and refusals."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from erresearch.errors import DataError, DesignError, ErresearchWarning
from erresearch.relate import correlate, regress

WEEKS = pd.date_range("2023-01-02", periods=104, freq="7D")


def two(seed: int, *, rho: float, trend: float = 0.0, effect: float = 0.0) -> pd.DataFrame:
    """Two AR(1) series over 104 weeks; y holds `effect` times x of the same week."""
    rng = np.random.default_rng([11, seed])
    shocks = rng.normal(size=(204, 2))
    series, state = np.empty_like(shocks), np.zeros(2)
    for t, shock in enumerate(shocks):
        state = rho * state + shock
        series[t] = state
    series = series[100:] + trend * np.arange(104)[:, None] * rng.normal(size=2)
    return pd.DataFrame({"week": WEEKS, "x": series[:, 0], "y": series[:, 1] + effect * series[:, 0]})


@pytest.mark.parametrize(
    ("rho", "draws"),
    [(0.95, 50), *(pytest.param(rho, 100, marks=pytest.mark.slow) for rho in (0.5, 0.8, 0.95))],
)
def test_series_that_only_remember_themselves_do_not_seem_related(rho, draws):
    tables = [two(seed, rho=rho) for seed in range(draws)]
    slopes = np.mean([0 not in regress(t, "y", on=["x"], time="week")["x"].interval for t in tables])
    correlations = np.mean([0 not in correlate(t, "x", "y", time="week").interval for t in tables])
    # 6 % plus two Monte-Carlo errors
    assert max(slopes, correlations) <= 0.06 + 2 * math.sqrt(0.06 * 0.94 / len(tables))
    # a trend of either is taken out to the last digit, so that what holds without trends holds with them
    plain, trending = (
        correlate(two(1, rho=rho, trend=slope), "x", "y", time="week") for slope in (0.0, 0.05)
    )
    assert trending.interval.low == pytest.approx(plain.interval.low, rel=1e-6)


def test_what_moves_together_is_found():
    tables = [two(seed, rho=0.8, trend=0.05, effect=0.4) for seed in range(20)]
    fits = [regress(t, "y", on=["x"], time="week") for t in tables]
    assert np.mean([fit["x"].value for fit in fits]) == pytest.approx(0.4, abs=0.05)
    assert np.mean([0.4 in fit["x"].interval for fit in fits]) >= 0.8
    planted = 0.4 / math.sqrt(1 + 0.4**2)
    found = [correlate(t, "x", "y", time="week") for t in tables]
    assert np.mean([each.value for each in found]) == pytest.approx(planted, abs=0.05)
    assert np.mean([each.interval.low > 0 for each in found]) >= 0.8


def test_the_slope_is_that_of_least_squares_with_everything_in_it():
    import statsmodels.api as sm

    table = two(1, rho=0.6, effect=0.2)
    lagged = pd.concat({f"{c}{k}": table[c].shift(k) for c in "xy" for k in (1, 2)}, axis=1)
    turns = 2 * np.pi * np.arange(104) / (365.2425 / 7)
    waves = {f"{n}{f.__name__}": f(n * turns) for n in (1, 2) for f in (np.sin, np.cos)}
    everything = sm.add_constant(
        pd.DataFrame({"x": table["x"], "t": np.arange(104.0), **waves}).join(lagged)
    ).dropna()
    expected = sm.OLS(table["y"][everything.index], everything).fit()
    fit = regress(table, "y", on=["x"], time="week")
    assert fit["x"].value == pytest.approx(expected.params["x"], rel=1e-8)
    assert list(fit) == ["x"]
    assert fit.n_rows == 102
    assert fit.dropped == {"without the earlier and later rows asked for": 2}
    assert fit["x"].df == 9
    assert "2 lags of every column" in fit.method
    assert fit.vif["x"] > 1
    assert 0 < fit.r2 < 1


def test_order_and_engine_do_not_matter():
    table = two(2, rho=0.5, effect=0.3)
    plain = correlate(table, "x", "y", time="week")
    for other in (table.sample(frac=1, random_state=1), pl.from_pandas(table).lazy()):
        assert correlate(other, "x", "y", time="week").value == pytest.approx(plain.value, rel=1e-9)


def test_rows_that_are_a_series_bring_a_warning_that_names_the_call():
    table = two(3, rho=0.5)
    with pytest.warns(ErresearchWarning, match=r"Write er\.correlate\(data, x='x', y='y', time='week'\)"):
        correlate(table, "x", "y")
    with pytest.warns(ErresearchWarning, match=r"Write er\.regress\(data, .*time='week'\)"):
        regress(table, "y", on=["x"])
    with pytest.warns(
        ErresearchWarning, match=r"Write er\.correlate\(data\.reset_index\(\), .*time='week'\)"
    ):
        correlate(table.set_index("week"), "x", "y")
    for named in ("week", "period", "Month"):  # a name tells it, whatever the column holds
        ordered = table.drop(columns="week").assign(**{named: [f"2024-{i}" for i in range(104)]})
        with pytest.warns(ErresearchWarning, match=f"the rows are a series over '{named}'"):
            correlate(ordered, "x", "y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        correlate(table.drop(columns="week"), "x", "y")
        correlate(table.assign(shop=np.arange(104) % 8), "x", "y", by="shop")
        correlate(table.assign(week=WEEKS[0]), "x", "y")
        correlate(table.head(8), "x", "y")


def test_refusals():
    table = two(4, rho=0.5)
    with pytest.raises(DesignError, match="`time` is for one series"):
        regress(table.assign(shop="a"), "y", on=["x"], by="shop", time="week")
    with pytest.raises(DesignError, match="ranks have no trend to take out"):
        correlate(table, "x", "y", method="spearman", time="week")
    with pytest.raises(DesignError, match="complete rows cannot carry"):
        regress(table.head(10), "y", on=["x"], time="week")
    with pytest.raises(DataError, match="a panel has one row per period"):
        regress(table.assign(week=WEEKS[0]), "y", on=["x"], time="week")
