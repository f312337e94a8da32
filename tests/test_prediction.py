"""predictive_gain: forecasts against refits at every origin, statsmodels' test, planted truths and refusals."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

from erresearch.engine.expressions import log
from erresearch.errors import ColumnError, DataError, DesignError, GuardError
from erresearch.relate import predictive_gain
from erresearch.worlds import simulate_panel

X, Y, Z = log("engagement"), log("revenue"), log("spend")
HOW = {"by": "account", "time": "week", "baseline": [Z]}


def panel_of(world: str = "effect", accounts: int = 12, weeks: int = 60, rng: int = 3) -> pd.DataFrame:
    return simulate_panel(world, accounts=accounts, weeks=weeks, rng=rng)[0]


@pytest.fixture(scope="module")
def one() -> pd.DataFrame:
    """One entity of 80 weeks."""
    return panel_of(accounts=1, weeks=80)


def refits(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Forecasts of one entity by statsmodels, fitted again at every origin."""
    import statsmodels.api as sm

    logs = np.log(table[["revenue", "engagement", "spend"]].astype(float))
    rows = pd.DataFrame({"y": logs["revenue"]})
    for name in ("revenue", "engagement", "spend"):
        for n in (1, 2):
            rows[f"{name}{n}"] = logs[name].shift(n)
    rows = rows.dropna().reset_index(drop=True)
    columns = [f"{name}{n}" for name in names for n in (1, 2)]
    start = -(-len(rows) // 2)
    made = []
    for t in range(start, len(rows)):
        fit = sm.OLS(rows["y"][:t], sm.add_constant(rows[columns][:t])).fit()
        made.append(float(fit.predict(np.append(1.0, rows[columns].iloc[t].to_numpy())[None])[0]))
    return pd.DataFrame({"y": rows["y"].to_numpy()[start:], "forecast": made})


def test_one_entity_agrees_with_statsmodels_refits_and_its_diebold_mariano(one):
    from statsmodels.tsa.stattools import diebold_mariano_test

    a, b = refits(one, ["revenue", "engagement"]), refits(one, ["revenue", "spend"])
    found = predictive_gain(one, Y, add=X, versus=Z, by=None, time="week", season=0)
    assert found.gain.n_rows == len(a)
    assert found.losses["add"] == pytest.approx(np.mean((a.y - a.forecast) ** 2), rel=1e-8)
    assert found.losses["rival"] == pytest.approx(np.mean((b.y - b.forecast) ** 2), rel=1e-8)
    oracle = diebold_mariano_test(a.y.to_numpy(), b.forecast.to_numpy(), a.forecast.to_numpy(), lags=0)
    saved = (b.y - b.forecast) ** 2 - (a.y - a.forecast) ** 2
    # the statistic is the mean of the same differences over a standard error of another kind
    t = saved.mean() / (saved.std(ddof=0) / np.sqrt(len(saved)))
    assert float(oracle.statistic) == pytest.approx(t, rel=1e-6)
    assert np.sign(found.gain.statistic) == np.sign(t)
    assert 0.3 < abs(found.gain.statistic / t) < 3
    assert found.cautions == ("39 forecasts of one entity: fewer than 52 allow no decisive word",)


def test_nested_gain_is_half_of_clark_and_west(one):
    small, large = refits(one, ["revenue", "spend"]), refits(one, ["revenue", "spend", "engagement"])
    found = predictive_gain(one, Y, baseline=[Z], add=X, by=None, time="week", season=0)
    e0, e1 = small.y - small.forecast, large.y - large.forecast
    clark_west = e0**2 - (e1**2 - (small.forecast - large.forecast) ** 2)
    assert found.gain.value == pytest.approx(clark_west.sum() / 2 / (e0**2).sum(), rel=1e-7)
    assert found.losses["add"] / found.losses["rival"] == pytest.approx(
        (e1**2).sum() / (e0**2).sum(), rel=1e-7
    )


def by_hand(table: pd.DataFrame) -> tuple[float, float, int]:
    """Squared errors of the model with engagement and of the baseline, by least squares with dummies."""
    logs = np.log(table[["revenue", "engagement", "spend"]].astype(float)).assign(account=table["account"])
    rows = pd.DataFrame({"account": table["account"], "week": table["week"], "y": logs["revenue"]})
    for name in ("revenue", "spend", "engagement"):
        for n in (1, 2):
            rows[f"{name}{n}"] = logs.groupby("account")[name].shift(n)
    rows = rows.dropna().sort_values(["week", "account"]).reset_index(drop=True)
    shifted = [c for c in rows if c[-1] in "12"]
    first = rows.groupby("account")[shifted].transform("first")
    average = (rows[shifted] - first).groupby(rows["week"]).transform("mean")
    rows["common"] = average["revenue1"]
    for n in (1, 2):
        rows[f"engagement{n}"] -= average[f"engagement{n}"]
    weeks = np.sort(rows["week"].unique())
    base = ["common", "revenue1", "revenue2", "spend1", "spend2"]
    sums = []
    for columns in ([*base, "engagement1", "engagement2"], base):
        total, count = 0.0, 0
        for week in weeks[int(np.ceil(len(weeks) / 2)) :]:
            past, now = rows[rows["week"] < week], rows[rows["week"] == week]
            means = past.groupby("account")[["y", *columns]].mean()
            centred = past[["y", *columns]] - means.loc[past["account"]].to_numpy()
            beta = np.linalg.lstsq(centred[columns].to_numpy(), centred["y"].to_numpy(), rcond=None)[0]
            ahead = now[["y", *columns]].to_numpy() - means.loc[now["account"]].to_numpy()
            total += float(np.sum((ahead[:, 0] - ahead[:, 1:] @ beta) ** 2))
            count += len(now)
        sums.append(total / count)
    return sums[0], sums[1], count


def test_panel_forecasts_agree_with_refits():
    panel = panel_of(accounts=6, weeks=40)
    found = predictive_gain(panel, Y, add=X, **HOW, season=0)
    add, rival, count = by_hand(panel)
    assert found.gain.n_rows == count
    assert found.losses["add"] == pytest.approx(add, rel=1e-8)
    assert found.losses["rival"] == pytest.approx(rival, rel=1e-8)
    assert "to 2023-10-02), least squares" in found.gain.method


def test_what_helps_and_what_does_not():
    effect, nil = panel_of("effect", 30, 80), panel_of("nil", 30, 80)
    planted = predictive_gain(effect, Y, add=X, **HOW)
    assert planted.gain.interval.low > 0.01
    assert planted.r2 > planted.r2_rival
    absent = predictive_gain(nil, Y, add=X, **HOW)
    assert absent.gain.interval.inside(-0.01, 0.01)
    rivals = predictive_gain(effect, Y, add=X, versus=log("followers"), **HOW)
    assert rivals.gain.interval.low > 0
    assert rivals.versus == ("log followers",)
    turned = predictive_gain(effect, Y, add=log("followers"), versus=X, **HOW)
    assert turned.gain.interval.high < 0
    assert turned.losses["add"] == pytest.approx(rivals.losses["rival"], rel=1e-9)


def test_the_season_is_not_credited():
    """A column that knows nothing but the season all accounts share earns nothing."""
    panel = panel_of("nil", 20, 104)
    week = panel.groupby("account").cumcount()
    g = np.random.default_rng(1)
    season = np.cos(2 * np.pi * (week - 34) / 52.18)
    panel["calendar"] = season + 0.01 * g.normal(size=len(panel))
    # it goes with revenue, as the season does
    assert np.corrcoef(season, np.log(panel["revenue"]))[0, 1] > 0.05
    found = predictive_gain(panel, Y, add="calendar", **HOW)
    assert found.gain.interval.inside(-0.03, 0.03)
    assert 0.0 in found.gain.interval
    assert "value 52 periods before" in found.gain.method
    assert set(found.losses) == {"account mean", "rival", "add", "last value", "value a season before"}


def test_naive_losses():
    panel = panel_of(accounts=4, weeks=30)
    found = predictive_gain(panel, Y, add=X, **HOW, season=4)
    logs = np.log(panel["revenue"]).groupby(panel["account"])
    first = re.search(r"origins \((\S+) to", found.gain.method)
    later = panel["week"].astype(str) >= first[1]
    for words, n in (("last value", 1), ("value a season before", 4)):
        errors = (np.log(panel["revenue"]) - logs.shift(n))[later]
        # the last row of an account is there: no lead is asked for
        assert found.losses[words] == pytest.approx(np.mean(errors**2), rel=1e-9)


@pytest.mark.parametrize("kind", ["polars", "lazy", "duckdb", "shuffled"])
def test_any_engine_and_order(kind):
    panel = panel_of(accounts=5, weeks=40)
    frame = pl.from_pandas(panel)
    if kind == "duckdb":
        import duckdb

        data = duckdb.from_arrow(frame.to_arrow())
    else:
        data = {"polars": frame, "lazy": frame.lazy(), "shuffled": panel.sample(frac=1, random_state=1)}[kind]
    found, same = (predictive_gain(d, Y, add=X, **HOW) for d in (data, panel))
    assert found.gain.value == pytest.approx(same.gain.value, rel=1e-7)
    assert found.gain.se == pytest.approx(same.gain.se, rel=1e-6)
    assert found.dropped == same.dropped


def test_the_standard_error_is_a_jackknife_of_whole_forecasts():
    """Where nothing is averaged over accounts, leaving one out by hand gives the same."""
    panel = panel_of(accounts=8, weeks=40)
    found = predictive_gain(panel, Y, add=X, **HOW, season=0)
    left = []
    for account in sorted(panel["account"].unique()):
        part = predictive_gain(panel[panel["account"] != account], Y, add=X, **HOW, season=0)
        left.append(part.gain.value)
    moves = np.array(left) - found.gain.value
    by_account = np.sqrt(7 / 8 * np.sum(moves**2))
    assert 0.8 * by_account < found.gain.se < 2.5 * by_account


def test_accounts_without_history_are_counted():
    panel = panel_of(accounts=8, weeks=60)
    late = (panel["account"] == "account-03") & (panel.groupby("account").cumcount() < 35)
    found = predictive_gain(panel[~late], Y, add=X, **HOW)
    assert found.dropped["forecasts of accounts with fewer than 8 rows behind them"] == 8


def test_few_accounts_are_flagged():
    found = predictive_gain(panel_of(accounts=5), Y, add=X, **HOW)
    assert found.cautions == ("5 accounts: fewer than 6 allow no decisive word",)
    assert predictive_gain(panel_of(accounts=6), Y, add=X, **HOW).cautions == ()


def test_repeated_series_is_refused_by_name():
    panel = panel_of()
    copy = panel[panel["account"] == "account-07"]["revenue"].to_numpy()
    panel.loc[panel["account"] == "account-02", "revenue"] = copy
    with pytest.raises(GuardError, match="'account-02', 'account-07'"):
        predictive_gain(panel, Y, add=X, **HOW)


def test_nothing_to_add_and_a_level_that_is_text():
    with pytest.raises(DesignError, match="there is nothing to compare"):
        predictive_gain(panel_of(), Y, **HOW)
    with pytest.raises(DesignError, match="`level` must lie between 0 and 1: '95'"):
        predictive_gain(panel_of(), Y, add=X, **HOW, level="95")


@pytest.mark.parametrize("lags", [0, 2.0, True])
def test_lags_must_be_whole(lags):
    with pytest.raises(DesignError, match="`lags` must be a whole number"):
        predictive_gain(panel_of(), Y, add=X, **HOW, lags=lags)


@pytest.mark.parametrize("season", [-1, 2.5, True])
def test_season_must_be_whole(season):
    with pytest.raises(DesignError, match="`season` must be a whole number"):
        predictive_gain(panel_of(), Y, add=X, **HOW, season=season)


def test_too_short_to_fit():
    with pytest.raises(DesignError, match=r"complete rows cannot carry .* before the first forecast"):
        predictive_gain(panel_of(accounts=2, weeks=10), Y, add=X, **HOW)


def test_too_short_to_compare():
    with pytest.raises(DesignError, match="too few forecasts to compare"):
        predictive_gain(panel_of(accounts=30, weeks=10), Y, add=X, by="account", time="week", lags=1)


def test_two_rows_in_one_period():
    panel = panel_of()
    with pytest.raises(DataError, match="one row per account and period"):
        predictive_gain(pd.concat([panel, panel.iloc[[4]]]), Y, add=X, **HOW)


def test_the_same_predictor_twice():
    with pytest.raises(ColumnError, match="asked for twice"):
        predictive_gain(panel_of(), Y, add=X, versus=X, **HOW)


def test_collinear_predictors_are_named():
    panel = panel_of().assign(double=lambda t: 2 * np.log(t["engagement"]) + 1)
    with pytest.raises(DesignError, match="collinear"):
        predictive_gain(panel, Y, add=[X, "double"], **HOW)


def test_what_it_says():
    found = predictive_gain(panel_of(), Y, add=X, **HOW)
    assert "log engagement against the baseline for log revenue" in str(found)
    assert found._repr_markdown_().startswith("**predictive gain**")
    assert "Clark–West" in found.gain.method
    assert found.gain.n_accounts == 12
    assert found.gain.at(0.99).interval.low < found.gain.interval.low
