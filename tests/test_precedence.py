"""precedence: oracles, planted truths, gaps, repeated series and refusals."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest

from erresearch.engine.expressions import log
from erresearch.errors import (
    ColumnError,
    DataError,
    DesignError,
    ErresearchWarning,
    GuardError,
    UnknownNameError,
)
from erresearch.relate import precedence
from erresearch.worlds import simulate_panel, simulate_shop

LOGS = (log("engagement"), log("revenue"))
HOW = {"by": "account", "time": "week", "controls": [log("spend")]}


def panel_of(world: str = "effect", accounts: int = 12, weeks: int = 40, rng: int = 3) -> pd.DataFrame:
    return simulate_panel(world, accounts=accounts, weeks=weeks, rng=rng)[0]


def lagged(panel: pd.DataFrame, lags: int = 2) -> pd.DataFrame:
    """The same columns made with pandas."""
    out = pd.DataFrame({"account": panel["account"], "week": panel["week"]})
    for short, name in (("x", "engagement"), ("y", "revenue"), ("z", "spend")):
        values = np.log(panel[name].astype(float))
        for n in range(-1, lags + 1):
            out[f"{short}{n}".replace("-", "m")] = values.groupby(panel["account"]).shift(n)
    return out.dropna(subset=[c for c in out if c not in ("ym1", "zm1")])


@pytest.fixture(scope="module")
def found():
    return precedence(panel_of(), *LOGS, **HOW)


def dummies(rows: pd.DataFrame, formula: str) -> pd.Series:
    """Least squares with dummy variables, by statsmodels."""
    import statsmodels.formula.api as smf

    return smf.ols(f"{formula} + C(account) + C(week)", data=rows).fit().params


def test_coefficients_and_jackknife_agree_with_statsmodels(found):
    rows = lagged(panel_of())
    models = (
        ("y0 ~ x1 + x2 + y1 + y2 + z0 + z1 + z2", "x1", found.forward),
        ("y0 ~ x1 + x2 + y1 + y2 + z0 + z1 + z2", "x2", found.lags[3][1]),
        ("x0 ~ y1 + y2 + x1 + x2 + z0 + z1 + z2", "y1", found.reverse),
        ("y0 ~ x0 + x1 + x2 + y1 + y2 + z0 + z1 + z2", "x0", found.contemporaneous),
        ("y0 ~ xm1 + x0 + x1 + x2 + y1 + y2 + z0 + z1 + z2", "xm1", found.lead),
    )
    for formula, name, estimate in models:
        full = dummies(rows, formula)[name]
        assert estimate.value == pytest.approx(full, rel=1e-8)
        assert estimate.n_rows == len(rows)
    # leaving one account out by refitting is CRV3 about the full estimate
    formula, name, estimate = models[0]
    left = [dummies(rows[rows["account"] != a], formula)[name] for a in sorted(rows["account"].unique())]
    moves = np.array(left) - estimate.value
    assert estimate.se == pytest.approx(np.sqrt(11 / 12 * np.sum(moves**2)), rel=1e-8)


def test_halves_of_the_periods_agree_with_statsmodels():
    """Each half is the model of all periods on its own rows; an event of one half holds nothing in the other."""
    panel = panel_of(weeks=60)
    weeks = sorted(panel["week"].unique())
    panel["sale"] = panel["week"].isin(weeks[40:43]).astype(float) * (panel.groupby("account").ngroup() % 2)
    rows = lagged(panel)
    times = sorted(rows["week"].unique())
    plain = precedence(panel, *LOGS, **HOW)
    formula = "y0 ~ x0 + x1 + x2 + y1 + y2 + z0 + z1 + z2"
    for late, half in zip((False, True), plain.halves[:2], strict=True):
        part = rows[rows["week"].isin(times[len(times) // 2 :]) == late]
        assert half.value == pytest.approx(dummies(part, formula)["x1"], rel=1e-8)
        assert half.n_rows == len(part)
    first, second, change = plain.halves
    assert change.value == pytest.approx(second.value - first.value)
    assert change.se == pytest.approx(np.hypot(first.se, second.se))
    declared = precedence(panel, *LOGS, **HOW, events={"sale": "step"})
    assert declared.halves[0].value == pytest.approx(first.value, rel=1e-9)
    assert declared.halves[1].value != pytest.approx(second.value, rel=1e-6)
    assert precedence(panel_of(weeks=40), *LOGS, **HOW).halves == ()


def test_what_it_says(found):
    assert found.x == "log engagement"
    assert found.y == "log revenue"
    assert [lag for lag, _ in found.lags] == [-1, 0, 1, 2]
    assert found.lags[0][1] is found.lead
    assert found.lags[1][1] is found.contemporaneous
    assert found.lags[2][1] is found.forward
    assert found.forward.name == "log engagement before log revenue"
    assert found.dropped == {"without the earlier and later rows asked for": 12 * 3}
    assert found.n_rows == 12 * 37
    assert found.n_accounts == 12
    assert found.cautions == ()
    assert "controls log spend" in found.method


def test_roles_exchanged(found):
    other = precedence(panel_of(), LOGS[1], LOGS[0], **HOW)
    # the rows differ by the lead alone, which is of the other series but in the same rows
    assert other.forward.value == pytest.approx(found.reverse.value, rel=1e-10)
    assert other.reverse.value == pytest.approx(found.forward.value, rel=1e-10)


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "duckdb", "pyarrow", "parquet", "shuffled"])
def test_any_engine_and_order(found, kind, tmp_path):
    panel = panel_of()
    before = panel.copy()
    frame = pl.from_pandas(panel)
    if kind == "duckdb":
        import duckdb

        data = duckdb.from_arrow(frame.to_arrow())
    elif kind == "parquet":
        frame.write_parquet(tmp_path / "panel.parquet")
        data = tmp_path / "panel.parquet"
    else:
        data = {
            "pandas": panel,
            "polars": frame,
            "lazy": frame.lazy(),
            "pyarrow": frame.to_arrow(),
            "shuffled": panel.sample(frac=1, random_state=1),
        }[kind]
    again = precedence(data, *LOGS, **HOW)
    assert again.forward.value == pytest.approx(found.forward.value, rel=1e-9)
    assert again.forward.interval.low == pytest.approx(found.forward.interval.low, rel=1e-6)
    assert again.dropped == found.dropped
    pd.testing.assert_frame_equal(panel, before)


def test_effect_reverse_and_nil_are_told_apart():
    effect, reverse, nil = (
        precedence(panel_of(world, 40, 90, 8), *LOGS, **HOW) for world in ("effect", "reverse", "nil")
    )
    assert effect.forward.interval.low > 0
    assert 0.1 in effect.forward.interval
    assert effect.lead.interval.inside(-0.06, 0.06)
    # the planted confounder: the raw correlation is strong, precedence is not moved by it
    raw = panel_of("nil", 40, 90, 8)
    assert np.corrcoef(np.log(raw["engagement"]), np.log(raw["revenue"]))[0, 1] > 0.5
    assert nil.forward.interval.inside(-0.05, 0.05)
    assert nil.lead.interval.inside(-0.05, 0.05)
    # the reversed arrow is caught by the reverse direction and by the placebo
    assert reverse.reverse.interval.low > 0.5
    assert reverse.lead.interval.low > 0.05
    assert reverse.forward.interval.inside(-0.05, 0.05)


def test_gaps_are_never_bridged():
    panel = panel_of(weeks=40)
    holes = panel[~((panel["account"] == "account-03") & (panel["week"] == panel["week"].iloc[20]))]
    found = precedence(holes, *LOGS, **HOW)
    rows = lagged(panel)
    gone = panel["week"].iloc[20] + pd.to_timedelta([-7, 0, 7, 14], unit="D")
    rows = rows[~((rows["account"] == "account-03") & rows["week"].isin(gone))]
    assert found.n_rows == len(rows)
    # as where the row is there and its values are not known
    there = (panel["account"] == "account-03") & (panel["week"] == panel["week"].iloc[20])
    names = ["engagement", "revenue", "spend"]
    same = precedence(panel.assign(**{n: panel[n].where(~there, np.nan) for n in names}), *LOGS, **HOW)
    assert found.forward.value == pytest.approx(same.forward.value, rel=1e-9)
    assert "1 gap" in found.method


@pytest.mark.parametrize(
    "kind", ["number", "float", "text", "date", "month", "quarter", "timestamp", "clock"]
)
def test_calendars(found, kind):
    panel = panel_of()
    index = panel.groupby("account").cumcount()
    start = dt.date(2020, 1, 31)
    month = [dt.date(2020 + i // 12, i % 12 + 1, 1) for i in range(200)]
    made = {
        "number": index * 3 + 5,
        "float": index / 10,
        "text": [f"2024-W{i:03d}" for i in index],
        "date": [start + dt.timedelta(days=int(i)) for i in index],
        "month": [month[i] for i in index],
        "quarter": [month[3 * i] for i in index],
        "timestamp": pd.Timestamp("2024-03-29", tz="Europe/Vienna") + pd.to_timedelta(index, unit="h"),
        # Mondays of a zone whose clocks change, in UTC
        "clock": (pd.Timestamp("2022-01-03") + pd.to_timedelta(7 * index, unit="D"))
        .dt.tz_localize("America/New_York")
        .dt.tz_convert("UTC"),
    }[kind]
    again = precedence(panel.assign(week=made), *LOGS, **HOW)
    assert again.forward.value == pytest.approx(found.forward.value, rel=1e-9)
    assert again.n_rows == found.n_rows
    hole = panel.assign(week=made).drop(index=panel.index[[20]])
    assert precedence(hole, *LOGS, **HOW).n_rows == found.n_rows - 4


@pytest.mark.parametrize("kind", ["whole", "negative", "number", "day", "midnight", "month"])
def test_periods_written_as_text_are_read_as_what_they_are(found, kind, tmp_path):
    panel = panel_of()
    index = panel.groupby("account").cumcount()
    day = pd.Timestamp("2019-12-29") + pd.to_timedelta(7 * index, unit="D")
    made = {
        "whole": index,
        "negative": index - 30,
        "number": index / 4,
        "day": day,
        "midnight": day.dt.strftime("%Y-%m-%dT00:00:00.000000"),
        "month": [f"{2015 + i // 12}-{i % 12 + 1:02d}-01" for i in index],
    }[kind]
    table = panel.assign(week=made).sample(frac=1, random_state=0)
    table.to_csv(tmp_path / "panel.csv", index=False)
    text = table.assign(week=table["week"].astype(str).astype("category"))
    for rows in (tmp_path / "panel.csv", text):
        again = precedence(rows, *LOGS, **HOW)
        assert again.forward.value == pytest.approx(found.forward.value, rel=1e-9)
        assert again.n_rows == found.n_rows
        hole = pd.read_csv(rows) if rows is not text else text
        gone = hole[hole["week"].astype(str) != str(sorted(hole["week"].astype(str).unique())[20])]
        assert "gap" in precedence(gone, *LOGS, **HOW).method


def test_hostile_names(found):
    panel = panel_of()
    names = {
        "account": "^a.*$",
        "week": "we'ek \"🙂",
        "engagement": "<script>",
        "revenue": "lag1 x",
        "spend": "*",
    }
    odd = pd.DataFrame(
        {
            new: np.log(panel[old]) if old in ("engagement", "revenue", "spend") else panel[old]
            for old, new in names.items()
        }
    )
    odd["^a.*$"] = odd["^a.*$"].str.replace("account", "__import__('os') 🙂")
    again = precedence(odd, "<script>", "lag1 x", by="^a.*$", time="we'ek \"🙂", controls=["*"])
    assert again.forward.value == pytest.approx(found.forward.value, rel=1e-9)
    assert "<script>" not in again._repr_markdown_()


def test_missing_keys_are_counted():
    panel = panel_of().astype({"account": object})
    panel.loc[[5, 6], "account"] = None
    panel.loc[[50], "week"] = pd.NaT
    found = precedence(panel, *LOGS, **HOW)
    assert found.dropped["account missing"] == 2
    assert found.dropped["period missing"] == 1
    assert found.n_rows + sum(found.dropped.values()) == len(panel)


def test_zero_revenue_is_counted():
    panel = panel_of()
    panel.loc[[100], "revenue"] = 0.0
    found = precedence(panel, *LOGS, **HOW)
    assert found.dropped["not finite: log revenue"] == 1
    assert found.n_rows == 12 * 37 - 3
    assert found.n_rows + sum(found.dropped.values()) == len(panel)


def test_few_accounts_are_flagged():
    found = precedence(panel_of(accounts=5), *LOGS, **HOW)
    assert found.cautions == ("5 accounts: fewer than 6 allow no decisive word",)


def test_level_and_seed(found):
    wide = precedence(panel_of(), *LOGS, **HOW, level=0.99)
    assert wide.forward.interval.low < found.forward.interval.low
    assert wide.forward.interval == found.forward.at(0.99).interval
    same = precedence(panel_of(), *LOGS, **HOW, rng=np.random.default_rng(7))
    again = precedence(panel_of(), *LOGS, **HOW, rng=np.random.default_rng(7))
    assert same.forward.interval == again.forward.interval
    assert same.forward.interval != found.forward.interval


def test_repeated_series_is_refused_by_name():
    panel = panel_of()
    twin = panel["account"] == "account-02"
    panel.loc[twin, "revenue"] = panel.loc[panel["account"] == "account-07", "revenue"].to_numpy()
    with pytest.raises(GuardError, match=r"same series on several accounts.*'account-02', 'account-07'"):
        precedence(panel, *LOGS, **HOW)
    # also where one of the two was seen for longer
    with pytest.raises(GuardError, match="'account-02', 'account-07'"):
        precedence(panel.drop(index=panel.index[twin][:15]), *LOGS, **HOW)


def test_equal_series_without_variation_are_no_repetition():
    panel = panel_of()
    panel.loc[panel["account"].isin(["account-02", "account-07"]), "revenue"] = 5.0
    assert precedence(panel, *LOGS, **HOW).n_accounts == 12


def test_two_rows_in_one_period():
    panel = panel_of()
    with pytest.raises(
        DataError,
        match=r"one row per account and period: 2 rows repeat one \(table.duplicated\(\['account', 'week'\]\)",
    ):
        precedence(pd.concat([panel, panel.iloc[[4, 9]]]), *LOGS, **HOW)


def test_irregular_periods():
    panel = panel_of()
    moved = panel["week"] + pd.to_timedelta(np.random.default_rng(0).integers(0, 6, len(panel)), unit="D")
    with pytest.raises(DataError, match=r"'week' are not equally far apart"):
        precedence(panel.assign(week=moved), *LOGS, **HOW)


def one_of(weeks: int = 110, world: str = "effect") -> pd.DataFrame:
    return panel_of(world, accounts=1, weeks=weeks)


def test_one_entity_agrees_with_statsmodels_and_cosines_by_hand():
    import statsmodels.api as sm

    panel = one_of()
    found = precedence(panel, *LOGS, by=None, time="week", controls=[log("spend")], lags=1)
    rows = lagged(panel, lags=2).dropna().reset_index(drop=True)
    n = len(rows)
    week = (rows["week"] - rows["week"].iloc[0]).dt.days / 365.2425
    waves = [f(2 * np.pi * k * week) for k in (1, 2) for f in (np.sin, np.cos)]
    names = ["x1", "x2", "y1", "y2", "z0", "z1", "z2"]
    design = np.column_stack([np.ones(n), np.arange(n), *waves, rows[names]])
    fit = sm.OLS(rows["y0"], design).fit()
    assert found.forward.value == pytest.approx(fit.params.iloc[6], rel=1e-8)
    assert [lag for lag, _ in found.lags] == [-1, 0, 1]
    df = round(0.4 * n ** (2 / 3))
    assert found.forward.df == df
    u = design * fit.resid.to_numpy()[:, None]
    omega = np.zeros((design.shape[1],) * 2)
    for j in range(1, df + 1):
        wave = np.sqrt(2 / n) * np.cos(np.pi * j * (np.arange(1, n + 1) - 0.5) / n) @ u
        omega += np.outer(wave, wave) / df
    bread = np.linalg.inv(design.T @ design)
    covariance = n * n / (n - design.shape[1]) * bread @ omega @ bread
    assert found.forward.se == pytest.approx(np.sqrt(covariance[6, 6]), rel=1e-6)
    assert found.n_accounts == 1
    assert found.n_rows == n
    assert found.cautions == ()
    assert "trend and 2 pairs of yearly waves" in found.method
    assert found.n_rows + sum(found.dropped.values()) == len(panel)


def test_a_column_with_one_account_is_one_entity():
    named = precedence(one_of(), *LOGS, **HOW)
    bare = precedence(one_of(), *LOGS, by=None, time="week", controls=[log("spend")])
    assert named.forward == bare.forward
    assert "one more not tested" in named.method


def test_days_of_one_shop_point_to_what_keeps_days_of_nothing():
    days = simulate_shop("nothing", days=200, rng=1)
    days["engagement"] += 1  # else six days are left of two hundred
    call = r"daily_response\(table, 'engagement', 'revenue', time='period'\) keeps them"
    with pytest.warns(ErresearchWarning, match=call):
        precedence(days, *LOGS, by=None, time="period", lags=1)
    precedence(days[:170], *LOGS, by=None, time="period", lags=1)  # too short for it
    precedence(
        days, "engagement", "revenue", by=None, time="period", lags=1
    )  # nothing is lost to a logarithm


def test_a_short_entity_is_flagged():
    found = precedence(one_of(50), *LOGS, **HOW)
    assert found.cautions == ("46 periods: fewer than 52 allow no decisive word",)


def test_days_have_weeks_and_numbers_no_season():
    panel = one_of(400)
    days = panel.assign(week=pd.date_range("2022-01-01", periods=len(panel)))
    with pytest.warns(ErresearchWarning, match="of one shop"):
        assert "3 of weekly waves" in precedence(days, *LOGS, **HOW).method
    numbered = panel.assign(week=np.arange(len(panel)))
    assert "waves" not in precedence(numbered, *LOGS, **HOW).method


def test_one_entity_counts_what_it_leaves_out():
    panel = one_of()
    panel.loc[[60], "revenue"] = 0.0
    found = precedence(panel, *LOGS, **HOW)
    assert found.dropped["not finite: log revenue"] == 1
    assert found.n_rows + sum(found.dropped.values()) == len(panel)


def test_one_entity_too_short():
    with pytest.raises(
        DesignError, match=r"\d+ complete rows cannot carry \d+ parameters and leave 3 for the error"
    ):
        precedence(one_of(20), *LOGS, **HOW)
    with pytest.raises(DataError, match="no row has all the earlier and later rows"):
        precedence(one_of(8), *LOGS, **HOW, lags=8)


def test_one_entity_with_two_rows_in_a_week_says_how_to_name_accounts():
    with pytest.raises(DataError, match="name the account column with `by`"):
        precedence(panel_of(), *LOGS, by=None, time="week")


def test_one_entity_with_collinear_columns_names_them():
    panel = one_of().assign(double=lambda t: 2 * t["spend"])
    with pytest.raises(DesignError, match="collinear"):
        precedence(panel, *LOGS, by=None, time="week", controls=["spend", "double"])


@pytest.mark.parametrize("lags", [0, -1, 1.5, True])
def test_lags_must_be_whole(lags):
    with pytest.raises(DesignError, match="`lags` must be a whole number of periods"):
        precedence(panel_of(), *LOGS, **HOW, lags=lags)


def test_series_shorter_than_the_lags():
    with pytest.raises(DataError, match="no row has all the earlier and later rows asked for"):
        precedence(panel_of(weeks=8), *LOGS, **HOW, lags=9)


@pytest.mark.parametrize("by", ["account", None], ids=str)
def test_a_table_without_rows_is_told_so(by):
    empty = panel_of()[:0]
    with pytest.raises(DataError, match="the table has no rows"):
        precedence(empty, "posts", "revenue", by=by, time="week")


def test_too_few_rows_for_the_model():
    with pytest.raises(DesignError, match=r"complete rows cannot carry \d+ parameters"):
        precedence(panel_of(accounts=2, weeks=9), *LOGS, **HOW, lags=4)


def test_missing_column():
    with pytest.raises(ColumnError, match="Did you mean 'engagement'"):
        precedence(panel_of(), log("engagment"), LOGS[1], **HOW)


def test_an_event_that_no_complete_row_saw_takes_no_word_away():
    days = one_of(104).assign(sale=0.0)
    blank = days["week"] == days["week"].iloc[60]
    days.loc[blank, "sale"] = 1.0
    days.loc[days["week"].between(days["week"].iloc[54], days["week"].iloc[66]), "engagement"] = np.nan
    with_event = precedence(days, *LOGS, **HOW, events={"sale": "pulse"})
    assert with_event.forward.value == precedence(days, *LOGS, **HOW).forward.value
    assert "events sale, of which 3 in none of these rows" in with_event.method


def test_one_control_needs_no_list(found):
    for one in ("spend", log("spend")):
        listed, alone = (
            precedence(panel_of(), *LOGS, by="account", time="week", controls=held) for held in ([one], one)
        )
        assert alone.forward.value == listed.forward.value
    with pytest.raises(DesignError, match="`level` must lie between 0 and 1: '95'"):
        precedence(panel_of(), *LOGS, **HOW, level="95")


def test_the_same_series_twice():
    with pytest.raises(ColumnError, match="asked for twice"):
        precedence(panel_of(), LOGS[0], LOGS[0], **HOW)


def test_what_works_at_once_is_no_precedence():
    panel = panel_of(accounts=12, weeks=60, rng=5)
    # revenue goes with engagement of the same week only; engagement remembers itself
    rng = np.random.default_rng(5)
    level = panel.groupby("account")["engagement"].transform(lambda e: np.log(e).mean())
    panel["revenue"] = np.exp(
        8 + 0.5 * (np.log(panel["engagement"]) - level) + 0.2 * rng.normal(size=len(panel))
    )
    found = precedence(panel, *LOGS, **HOW)
    assert found.contemporaneous.interval.low > 0.3
    assert found.beside.interval.low < 0 < found.beside.interval.high
    assert found.cumulated.value == pytest.approx(found.contemporaneous.value + found.beside.value)


def test_the_contrast_with_the_lead_is_of_one_model(found):
    rows = lagged(panel_of())
    lead = dummies(rows, "y0 ~ xm1 + x0 + x1 + x2 + y1 + y2 + z0 + z1 + z2")
    beside = dummies(rows, "y0 ~ x0 + x1 + x2 + y1 + y2 + z0 + z1 + z2")
    assert found.over_lead.value == pytest.approx(lead["x1"] - lead["xm1"], rel=1e-8)
    assert found.beside.value == pytest.approx(beside["x1"], rel=1e-8)
    assert found.cumulated.value == pytest.approx(beside["x0"] + beside["x1"], rel=1e-8)
    import statsmodels.formula.api as smf

    r2 = [
        smf.ols(f"{name} ~ {rest} + y1 + y2 + z0 + z1 + z2 + C(account) + C(week)", data=rows).fit()
        for name, rest in (("x0", "x1 + x2"), ("x1", "x0 + x2"))
    ]
    # within accounts and weeks, so the effects' own share is taken out on both sides
    for share, full, name in zip(found.explained, r2, ("x0", "x1"), strict=True):
        alone = smf.ols(f"{name} ~ C(account) + C(week)", data=rows).fit()
        assert share == pytest.approx(1 - full.ssr / alone.ssr, rel=1e-6)


@pytest.mark.parametrize("accounts", [1, 6])
def test_declared_events_enter_before_now_and_after(accounts):
    panel = panel_of(accounts=max(accounts, 2), weeks=80, rng=4)
    if accounts == 1:
        panel = panel[panel["account"] == panel["account"].iloc[0]]
    rng = np.random.default_rng(2)
    panel = panel.assign(sale=(rng.random(len(panel)) < 0.15) * 1.0, shut=(panel["week"].rank() > 60) * 1.0)
    panel["common"] = panel["week"].isin(panel["week"].unique()[10:12]) * 1.0
    plain, with_events = (
        precedence(panel, *LOGS, **HOW, **events)
        for events in ({}, {"events": {"sale": "pulse", "common": "pulse", "shut": "step"}})
    )
    assert "events sale, common, shut" in with_events.method
    assert "events" not in plain.method
    assert with_events.forward.value != plain.forward.value
    assert with_events.n_rows == plain.n_rows
    with pytest.raises(UnknownNameError, match="no kind of event 'ramp'"):
        precedence(panel, *LOGS, **HOW, events={"sale": "ramp"})


def test_a_lazy_table_and_one_in_memory_give_the_same_bits(tmp_path):
    panel = pl.from_pandas(simulate_panel("effect", accounts=8, weeks=90, rng=3)[0])
    panel.write_parquet(tmp_path / "panel.parquet")
    found = {
        precedence(table, "engagement", "revenue", by="account", time="week", lags=12).forward.value
        for table in (panel, panel.lazy(), panel.to_pandas(), tmp_path / "panel.parquet")
    }
    assert len(found) == 1
