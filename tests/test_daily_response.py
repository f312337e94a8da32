"""One shop by day: oracles, planted truths, money, what the days could show, and bad input."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest

import erresearch as er
from erresearch.errors import ColumnError, DataError, DesignError, ErresearchWarning
from erresearch.relate.distributed_lags import (
    DAYS,
    Drawn,
    ShopSeries,
    coefficients,
    orthonormal,
    reach,
    season,
    triangle,
    weighted_sum,
    window_means,
)
from erresearch.relate.shop_days import daily_response, event_lags
from erresearch.results import in_money
from erresearch.worlds import SHOP_WORLDS, simulate_shop

N = 420


def shop(world: str = "nothing", days: int = N, effect: float = 0.2, **more) -> pd.DataFrame:
    return simulate_shop(world, days=days, effect=effect, own_usual=True, **{"rng": 3, **more})


def asked(table, **more):
    return daily_response(table, time="period", **{"events": "none", **more})


def codes(found) -> set[str]:
    return {doubt.code for doubt in found.cautions}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return shop()


@pytest.fixture(scope="module")
def found(table):
    return asked(table, currency="EUR")


# --- arithmetic -----------------------------------------------------------------------------------


def series(seed: int = 0, n: int = 300) -> ShopSeries:
    rng = np.random.default_rng(seed)
    x = rng.poisson(30, n) * (rng.random(n) < 0.5).astype(float)
    y = np.convolve(rng.normal(size=n), [1, 0.6, 0.3])[:n]
    fixed = np.column_stack(
        [*season(np.arange(n), DAYS.year), *(((np.arange(n) % 7) == k) * 1.0 for k in range(6))]
    )
    return ShopSeries(x=x, y=y, fixed=fixed, happened=np.empty((n, 0)), calendar=DAYS)


def test_every_shift_is_the_regression_of_shifted_columns_and_the_first_is_statsmodels():
    import statsmodels.api as sm
    from statsmodels.tsa.stattools import acovf, levinson_durbin

    from erresearch.relate import distributed_lags as lags

    one = series()
    own = np.column_stack([one.column(1, 14)[0], one.column(0, 0)[0]])
    fitted = lags.fit_shifts(one.y, own, one.fixed, DAYS)
    inside = np.isfinite(own).all(axis=1)
    y, x, z = one.y[inside], own[inside], one.fixed[inside]
    beta = np.linalg.lstsq(np.column_stack([x, z]), y, rcond=None)[0]
    for _ in range(2):
        left = acovf(y - np.column_stack([x, z]) @ beta, nlag=7, fft=False)
        memory = levinson_durbin(left, nlags=7, isacov=True)[1]
        y_, x_, z_ = (lags.prewhiten(part, memory) for part in (y, x, z))
        beta = sm.OLS(y_, np.column_stack([x_, z_])).fit().params
    assert fitted.beta == pytest.approx(beta[:2], rel=1e-6)
    shifts = range(42, len(y_) - 41, 7)
    for place in (0, 5, -1):
        moved = np.column_stack([np.roll(x_, shifts[place], axis=0), z_])
        again = sm.OLS(y_, moved).fit().params[:2]
        assert fitted.shifted[place, :, 0] == pytest.approx(again, rel=1e-6, abs=1e-9)


def test_windows_are_means_of_the_days_before():
    from erresearch.relate.distributed_lags import window_means

    values = np.r_[np.arange(20.0)]
    assert window_means(values, 1, 14)[14] == pytest.approx(np.mean(values[:14]))
    assert window_means(values, -14, -1)[2] == pytest.approx(np.mean(values[3:17]))
    assert np.isnan(window_means(values, 1, 14)[:14]).all()
    holes = np.where(np.arange(20) % 10 == 3, np.nan, values)
    assert window_means(holes, 1, 14)[14] == pytest.approx(np.nanmean(holes[:14]))
    holes[4:8] = np.nan
    assert np.isnan(window_means(holes, 1, 14)[14])


def test_events_that_pass_have_leads_and_lags_and_a_step_stays():
    pulse = np.zeros(40)
    pulse[20] = 1
    made = event_lags({"a": (pulse, True), "b": (np.ones(40), False)}, 40, range(-3, 4), ((4, 7),))
    assert made.shape == (40, 9)
    assert made[:, 0].argmax() == 17
    assert made[:, 6].argmax() == 23
    assert np.flatnonzero(made[:, 7]).tolist() == [24, 25, 26, 27]
    assert (made[:, 8] == 1).all()


def test_a_series_taken_twice_is_one_witness():
    one = series().movement[0]
    both = weighted_sum([(0.5, one), (0.5, one)])
    assert (both.value, both.se) == pytest.approx((one.value, one.se))


# --- planted truths -------------------------------------------------------------------------------


def test_an_effect_is_found_and_its_size_covered():
    found = asked(shop(effect=0.4, orders=200))
    assert found.order.forward.interval.low > 0
    assert found.order.over_lead.interval.low > 0
    assert 0.4 in found.size.interval
    assert found.order.contemporaneous.interval.low < 0 < found.order.contemporaneous.interval.high
    assert sum(each.value for *_, each in found.bands) == pytest.approx(found.size.value)


def test_nothing_is_not_found_and_small_shops_hear_not_more_than():
    none = asked(shop(effect=0.0, orders=5))
    assert 0.0 in none.order.forward.interval
    assert 0.0 in none.size.interval
    assert none.answer.startswith("one more reaction goes with anything from ")
    assert none.order.n_rows > N - 30  # days without posts are kept


def test_declared_stock_outs_are_taken_out():
    table = shop("stock-outs", days=500, effect=0.0, rng=5)
    declared = (
        table.loc[table["event"] > 0, ["period"]].rename(columns={"period": "date"}).assign(name="sold out")
    )
    bare, told = asked(table, events=None), asked(table, events=declared)
    assert bare.order.forward.interval.high < 0
    assert told.order.forward.interval.low < 0 < told.order.forward.interval.high
    assert "events-not-declared" in codes(bare) - codes(told)
    assert [each.data for each in told.shown][-1] == "without-events"


# --- units, engines, rows -------------------------------------------------------------------------


def test_units_change_the_money_and_nothing_else(table, found):
    other = asked(table.assign(revenue=table["revenue"] * 100, engagement=table["engagement"] * 8))
    assert other.size.value == pytest.approx(found.size.value)
    assert other.order.forward.se == pytest.approx(found.order.forward.se)
    assert other.worth.value == pytest.approx(found.worth.value * 100 / 8)
    usual = table["revenue"].mean() / table["engagement"].mean()
    assert found.worth.value == pytest.approx(found.size.value * usual)
    assert found.per_post.value == pytest.approx(
        found.size.value * table["revenue"].sum() / table["posts"].sum()
    )


def test_a_break_even_stands_beside_the_worth(found):
    cheap = er.break_even(1e-6, actions=1000, action="reaction", margin=0.4, revenue=1.0, increase=0.2)
    assert cheap.compare(found.worth) in ("pays", "not settled")
    dear = er.break_even(1e6, actions=1000, action="reaction")
    assert dear.compare(found.worth) == "does not pay"
    said = " ".join(str(found).split())  # lines are folded
    assert found.answer in said
    assert found.answer == in_money(found.worth, found.per_post)
    assert said.count("the profit on") == 1  # of a post, which is what a shop decides on
    assert max(map(len, str(found).splitlines())) <= 88
    assert found.order.worth == (found.worth, found.per_post)


def test_order_of_rows_engine_and_text_change_nothing(table, found, tmp_path):
    before = table.copy()
    mixed = table.sample(frac=1, random_state=1)
    path = tmp_path / "days.csv"
    table.to_csv(path, index=False)
    for other in (mixed, pl.from_pandas(table), path, str(path)):
        again = asked(other)
        assert again.size.value == pytest.approx(found.size.value, rel=1e-9)
        assert again.order.forward.se == pytest.approx(found.order.forward.se, rel=1e-9)
    pd.testing.assert_frame_equal(table, before)


def test_reactions_of_the_first_day_are_used_where_they_are_told(table, found):
    early = table.assign(engagement_24h=table["engagement"], engagement=0.0)
    told = asked(early)
    assert told.size.value == pytest.approx(found.size.value)
    assert "late-reactions" in codes(found) - codes(told)
    named = daily_response(early, "engagement_24h", time="period", events="none")
    assert "late-reactions" not in codes(named)
    assert named.worth.name == "one more reaction"


def test_controls_are_held_fixed():
    table = shop(advertising=True)
    bare, held = asked(table), asked(table, controls=["spend"])
    assert held.order.forward.value != pytest.approx(bare.order.forward.value, abs=1e-6)
    flat = asked(table.assign(spend=0.0), controls=["spend"])
    assert flat.order.forward.value == pytest.approx(bare.order.forward.value)
    assert "constant-control" in codes(flat)
    some = table.assign(spend=table["spend"].where(table.index % 50 != 7), price=np.sin(np.arange(N)))
    assert "control-missing" in codes(asked(some, controls=["spend", "price"]))


def test_a_control_without_a_number_is_left_out_and_said(table):
    bare = asked(table)
    empty = asked(table.assign(spend=np.nan), controls=["spend"])
    assert empty.order.forward.value == bare.order.forward.value
    assert "unknown-control" in codes(empty) - codes(bare)


@pytest.mark.parametrize("times", [3.0, 30.0, 20_000.0])
def test_one_day_that_carries_the_money_is_named_and_counts(table, times):
    revenue = table["revenue"].to_numpy().copy()
    revenue[400] = times * np.median(revenue[revenue > 0])
    told = [doubt for doubt in asked(table.assign(revenue=revenue)).cautions if doubt.code == "one-day"]
    assert len(told) == (times > 20)
    for doubt in told:
        share = revenue[400] / revenue.sum()
        assert doubt.value == pytest.approx(share, rel=1e-6)
        assert doubt.text.startswith(f"{table['period'][400]:%Y-%m-%d} holds ")
        assert f"{times:,.0f} times a usual day" in doubt.text


def test_several_shops_each_and_together(table, found):
    pair = pd.concat([table.assign(entity="a"), table.assign(entity="b")])
    twice = asked(pair, by="entity", currency="EUR")
    assert set(twice.shops) == {"a", "b"}
    assert twice.order.forward.se == pytest.approx(found.order.forward.se)
    other = pd.concat([table.assign(entity="a"), shop(rng=11).assign(entity="b")])
    both = asked(other, by="entity")
    assert both.order.forward.se < min(one.order.forward.se for one in both.shops.values())
    assert both.order.n_accounts == 2
    assert str(both).count("goes with") == 4
    sale = pd.DataFrame({"start": ["2023-06-01"], "end": ["2023-06-09"], "name": ["sale"], "entity": ["b"]})
    with pytest.raises(DataError, match="entities that the table does not have"):
        asked(other, by="entity", events=sale.assign(entity="c"))
    assert len(asked(other, by="entity", events=sale).shops) == 2


# --- what the days could show ---------------------------------------------------------------------


def test_another_year_is_one_of_each_shop():
    shops = pd.concat([shop(days=400, rng=i).assign(entity=f"shop {i}") for i in (1, 2, 3)])
    together = {each.data: each for each in asked(shops, by="entity").shown}
    alone = {each.data: each for each in asked(shop(days=400, rng=1)).shown}
    for one, times in ((together, 3), (alone, 1)):
        more = one["another-year"].periods - one["as-it-is"].periods
        assert more == pytest.approx(365.2425 * times, abs=1)


def test_another_year_shows_more_and_weeks_show_less(found):
    shown = {each.data: each for each in found.shown}
    assert shown["another-year"].supported < shown["as-it-is"].supported < shown["as-weeks"].supported
    assert shown["another-year"].nil < shown["as-it-is"].nil
    assert shown["as-it-is"].periods == found.order.n_rows


@pytest.mark.parametrize("days", range(401, 415, 2))
def test_any_number_of_days_can_be_played(table, days):
    shown = asked(table[:days]).shown
    assert [each.data for each in shown] == ["as-it-is", "another-year", "as-weeks"][: len(shown)]
    assert all(each.supported > 0 and 0 < each.nil < math.inf for each in shown)


@pytest.mark.slow
def test_an_effect_of_the_printed_size_is_found_four_times_in_five():
    """60 tables at the median of what such shops print: the share lies within two Monte-Carlo errors of .80."""
    sizes = [asked(shop(days=730, effect=0.0, rng=seed)).shown[0].supported for seed in range(20)]
    planted = float(np.median(sizes))
    hits = []
    for seed in range(100, 160):
        order = asked(shop(days=730, effect=planted, rng=seed)).order
        hits.append(order.forward.interval.low > 0 and order.over_lead.interval.low > 0)
    assert abs(np.mean(hits) - 0.8) < 0.15


@pytest.fixture(scope="module")
def cells(root) -> pd.DataFrame:
    return pd.read_csv(root / "data" / "daily_calibration.csv")


def beyond(share: pd.Series, bar: float, draws: pd.Series) -> pd.Series:
    """Whether shares lie above a bar by more than two Monte-Carlo errors."""
    return share > bar + 2 * np.sqrt(bar * (1 - bar) / draws)


def test_the_stored_table_keeps_the_promises(cells):
    promised = cells[
        cells["world"].isin(["nothing", "silent weeks"])
        | (cells["world"].isin(["promotions", "teasers", "stock-outs"]) & cells["declared"])
    ]
    assert len(promised) >= 12
    missed = promised[beyond(1 - promised["covered"], 0.10, promised["draws"])]
    assert missed.empty, missed
    power = {(30, 730): 0.90, (200, 365): 0.75, (5, 730): 0.50}
    for (orders, days), bar in power.items():
        (cell,) = promised.query(
            f"world == 'nothing' and orders == {orders} and days == {days} and effect > 0"
        ).itertuples()
        assert not beyond(1 - cell.supported, 1 - bar, cell.draws), cell
    nothing = cells[cells["effect"] == 0]
    hidden = nothing["world"] == "hidden demand"
    assert not beyond(nothing.loc[~hidden, "supported"], 0.05, nothing.loc[~hidden, "draws"]).any()
    assert not beyond(nothing.loc[hidden, "supported"], 0.10, nothing.loc[hidden, "draws"]).any()
    undeclared = (nothing["world"] == "stock-outs") & ~nothing["declared"]
    assert not beyond(nothing.loc[~undeclared, "contradicted"], 0.05, nothing.loc[~undeclared, "draws"]).any()
    assert not beyond(nothing.loc[undeclared, "contradicted"], 0.20, nothing.loc[undeclared, "draws"]).any()
    assert (cells["nil"] <= 0.02).all()


def test_a_table_of_the_calibration_is_made_again(root, cells):
    import runpy

    tool = runpy.run_path(str(root / "tools" / "daily_calibration.py"), run_name="tool")
    cell = next(c for c in tool["cells"]() if c.declared)
    rows, events = tool["table_of"](cell, 0)
    assert len(rows) == cell.days
    assert set(events["name"]) == {"event"}
    assert {c.key for c in tool["cells"]()} >= set(tool["read"](root / "data" / "daily_calibration.csv"))
    assert (
        tool["counted"](cell, [("supported", 0.2, 0.1, 0.3), ("inconclusive", 0.1, -0.1, 0.3)]).supported
        == 0.5
    )


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 6])
def test_cells_of_the_calibration_hold(root, cells, place):
    import runpy

    tool = runpy.run_path(str(root / "tools" / "daily_calibration.py"), run_name="tool")
    stored = list(tool["read"](root / "data" / "daily_calibration.csv").values())[place]
    again = tool["counted"](stored, [tool["seen"](stored, draw) for draw in range(25)])
    assert abs(again.supported - stored.supported) < 0.25
    assert abs(again.covered - stored.covered) < 0.25


# --- the word of a claim --------------------------------------------------------------------------


def test_a_claim_about_one_shop_by_day_has_its_word_and_its_money_from_here():
    days = shop(effect=0.4, orders=200)
    (verdict,) = er.examine("C01", {"shop": days}, events="none")
    found = asked(days)
    assert (verdict.word, verdict.size) == (
        "supported",
        "at least δ" if found.size.interval.low >= 0.05 else "size not settled",
    )
    assert verdict.estimate.value == pytest.approx(found.order.forward.value)
    assert f"; over four weeks, {found.amount}" in verdict.reason
    assert verdict.reason.count("revenue") == 1
    assert {"late-reactions", "advertising-not-declared", "reliability-unknown"} <= set(
        verdict.certainty.codes
    )
    assert {"size", "shown"} <= {doubt.code for doubt in verdict.doubts}
    as_text = days.assign(period=days["period"].astype(str))
    (again,) = er.examine("C01", {"shop": as_text}, events="none", reliability=1.0)
    assert again.word == "supported"
    assert "reliability-unknown" not in again.certainty.codes


@pytest.mark.parametrize(("library", "shops"), [("pandas", 1), ("polars", 3)])
def test_one_viral_day_that_carries_the_word_is_named_wherever_the_claim_is_judged(library, shops):
    import polars

    days = shop(effect=0.0, days=730, orders=200, rng=3)[["period", "engagement", "revenue"]]
    days.loc[400, "engagement"] = 500 * int(days["engagement"].mean())
    days.loc[405:414, "revenue"] *= 2.5 if shops == 1 else 6  # from another cause
    others = [shop(effect=0.0, days=730, orders=200, rng=3 + at) for at in range(1, shops)]
    scale = {
        "engagement": 30,
        "revenue": 100,
    }  # its days are far from those of the viral shop, and usual for it
    for at, other in enumerate(others):
        others[at] = other.assign(**{name: other[name] * by for name, by in scale.items()})
    if others:
        every = [one.assign(entity=f"shop {at}") for at, one in enumerate([days, *others])]
        days = pd.concat(every, ignore_index=True)[["entity", "period", "engagement", "revenue"]]
    rows = days if library == "pandas" else polars.from_pandas(days)
    (verdict,) = er.examine("C01", {"shop": rows}, events="none")
    assert (verdict.word, verdict.qualifiers[0]) == ("supported", "fragile")
    carries = f"the day of {days['period'][400]:%Y-%m-%d} carries it"
    assert verdict.reason.endswith(f"; fragile: {carries}")
    assert carries in verdict.certainty.reasons
    doubt = next(doubt for doubt in verdict.doubts if doubt.code == "one-carries")
    assert doubt.raised
    assert doubt.text.startswith(f"without the day of {days['period'][400]:%Y-%m-%d}, whose engagement is")
    (early,) = er.examine("C01", {"shop": days.assign(engagement_24h=days["engagement"])}, events="none")
    assert "fragile" in early.qualifiers
    said = "the amount is less sure: over four weeks, one more reaction goes with anything"
    assert (shops == 1) == (said in verdict.reason)


def test_a_period_without_a_date_is_named_by_no_text_of_the_table():
    rng = np.random.default_rng(1)
    weeks = pd.DataFrame(
        {"entity": "shop", "period": range(104), "engagement": np.exp(6 + 0.1 * rng.normal(size=104))}
    ).assign(revenue=np.exp(7 + 0.1 * rng.normal(size=104)))
    weeks.loc[40, "engagement"] *= 50
    weeks.loc[41, "revenue"] *= 4
    (verdict,) = er.examine("C01", {"shop": weeks})
    assert verdict.reason.endswith("; fragile: one period carries it")
    (dated,) = er.examine(
        "C01", {"shop": weeks.assign(period=pd.date_range("2024-01-01", periods=104, freq="7D"))}
    )
    assert dated.reason.endswith("; fragile: the week of 2024-10-07 carries it")


def test_weeks_many_shops_and_few_days_are_judged_as_before():
    days = shop(days=728).assign(engagement=lambda t: t["engagement"] + 5)
    weekly = days.set_index("period")[["engagement", "revenue"]].resample("7D").sum().reset_index()
    many = pd.concat([shop(days=200, rng=i).assign(entity=f"shop {i}") for i in range(6)])
    for rows in (weekly.assign(entity="a"), days[:150], many):
        (verdict,) = er.examine("C01", {"rows": rows}, events="none")
        assert "size" not in {doubt.code for doubt in verdict.doubts}
    (verdict,) = er.examine("C01", {"rows": days[:150]}, events="none")
    why = next(doubt for doubt in verdict.doubts if doubt.code == "too-few-days")
    assert why.text.startswith("150 days are too few to be judged by day")
    assert why.raised
    (verdict,) = er.examine("C01", {"rows": days[:12]}, events="none")
    assert verdict.word == "not judged"
    assert "12 days are too few" in verdict.reason
    other = shop(days=728, rng=9).assign(entity="b", engagement=lambda t: t["engagement"] + 5)
    holes = pd.concat([days.assign(entity="a"), other[other.index % 4 > 0]])
    (verdict,) = er.examine("C01", {"rows": holes}, events="none")
    assert "1 of 2 shops lacks too many days" in verdict.reason


def test_by_day_the_words_are_of_days_and_what_could_be_shown_comes_first():
    (verdict,) = er.examine("C01", {"shop": shop(effect=0.4, orders=200)}, events="none")
    names = [doubt.name for doubt in verdict.doubts]
    assert names[0] == "what these days could show"
    assert not {"reverse direction", "detectable effect", "declarable nil"} & set(names)  # said once
    said = {doubt.name: doubt.text for doubt in verdict.doubts}
    assert said["lead placebo"].startswith("x of the next two weeks")
    assert said["same period"].startswith("x and y of the same day")
    assert "period" not in verdict.reason


def test_two_shops_by_day_have_one_word_and_an_answer_each():
    shops = pd.concat([shop(effect=0.4, orders=200, rng=i).assign(entity=f"shop {i}") for i in (1, 2)])
    (verdict,) = er.examine("C01", {"shops": shops}, events="none")
    together = asked(shops, by="entity")
    assert verdict.word == "supported"
    assert verdict.estimate.value == pytest.approx(together.order.forward.value)
    assert {doubt.name: doubt.text for doubt in verdict.doubts}["shop 1"] == together.shops["shop 1"].amount


def test_too_many_empty_days_are_not_judged_with_the_way_out():
    days = shop()
    (verdict,) = er.examine(
        "C01", {"shop": days.assign(revenue=days["revenue"].where(days.index % 3 == 0, 0.0))}
    )
    assert verdict.word == "not judged"
    assert "judge weeks: freq='W'" in verdict.reason.replace("J", "j")


@pytest.mark.parametrize(("weeks", "freq"), [(34, "D"), (20, "W")])
def test_an_audit_takes_days_where_the_files_allow_it(tmp_path, weeks, freq):
    from erresearch.audits.folder import _as_asked, answer_in_money
    from erresearch.worlds import example_exports

    found = er.audit(example_exports(tmp_path, weeks=weeks, rng=1), tz="Europe/Amsterdam")
    assert found.panel.freq == freq
    assert any(text.startswith(f"judged by {'day' if freq == 'D' else 'week'}: ") for text in found.warnings)
    money = answer_in_money(found)[0]
    assert freq == "W" or "Over four weeks, one more reaction " in money
    assert ("the profit on" in money) == ("certainty" in money) == (freq == "D")
    first = next(verdict for verdict in found.verdicts if verdict.claim == "C01")
    assert (" EUR" in first.reason) == (freq == "D")
    assert freq == "W" or "what would help" not in {doubt.name for doubt in first.doubts}
    asked_again = {claim.id: claim for claim in _as_asked(found.panel)}["C01"]
    assert ("14 days before" in asked_again.estimand["order"]) == (freq == "D")


# --- what is said ---------------------------------------------------------------------------------


def test_the_result_is_told_in_text_table_and_markdown(found):
    frame = found.to_frame()
    assert frame.index.tolist()[:4] == ["before", "same day", "after (placebo)", "before less after"]
    assert frame.loc["worth", "unit"] == "EUR"
    page = found._repr_markdown_()
    assert "| data | periods | supported from |" in page
    assert "| of | value | se |" in page
    assert f"**daily response** {found.answer}" in page
    assert repr(found) == str(found)
    assert "could show: these days" in str(found)
    ax = er.figures.precedence(found.order)
    assert "days\n8–14" in [tick.get_text() for tick in ax.get_xticklabels()]


def test_names_from_files_are_shown_as_text(table):
    strange = table.rename(columns={"engagement": "<b>likes"})
    page = daily_response(strange, "<b>likes", time="period")._repr_markdown_()
    assert "<b>" not in page


def test_answers_above_and_below_zero(found):
    from dataclasses import replace

    from erresearch.results import Interval

    def said(low: float, high: float) -> str:
        return replace(found, worth=replace(found.worth, interval=Interval(low, high)), per_post=None).answer

    profit = "costs less than the profit on sales of"
    assert said(0.5, 1.4) == (
        f"one more reaction goes with 0.50 to 1.40 EUR more revenue; it pays if it {profit} 0.50 EUR"
    )
    assert said(-0.5, 1.4) == (
        "one more reaction goes with anything from 0.50 EUR less to 1.40 EUR more revenue; it can pay only if it "
        f"{profit} 1.40 EUR"
    )
    assert said(-math.inf, 1.4).startswith("one more reaction goes with at most 1.4 EUR more revenue")
    loss = "less revenue; these rows show no gain that could pay for it"
    assert said(-0.5, -0.1) == f"one more reaction goes with 0.10 to 0.50 EUR {loss}"
    assert said(-math.inf, -0.1).startswith("one more reaction goes with 0.1 or more EUR less revenue")
    assert said(-0.1, math.inf).startswith("these data set no bound")


# --- bad input ------------------------------------------------------------------------------------


def test_gaps_are_counted_and_cost_little(table, found):
    gone = table[~table.index.isin([100, 101, 200, 300])]
    some = asked(gone)
    assert next(doubt.value for doubt in some.cautions if doubt.code == "missing") == 4
    assert some.order.forward.value == pytest.approx(found.order.forward.value, abs=0.02)
    edge = asked(
        table.assign(engagement=table["engagement"].where(table.index >= 30).astype(float)).drop(
            columns="posts"
        )
    )
    assert next(doubt.value for doubt in edge.cautions if doubt.code == "outside") == 30
    early = table.index < 60  # days that the platform was not asked for, written as nothing
    unseen = asked(
        table.assign(engagement=table["engagement"].where(~early, 0), posts=table["posts"].where(~early, 0))
    )
    assert next(doubt.value for doubt in unseen.cautions if doubt.code == "silent") >= 60
    emptied = asked(
        table.assign(engagement=table["engagement"].where(~early), posts=table["posts"].where(~early))
    )
    assert next(doubt.value for doubt in emptied.cautions if doubt.code == "outside") == 60
    silent = table.assign(engagement=table["engagement"].where(table["posts"] > 0))
    assert asked(silent).size.value == pytest.approx(found.size.value)


def test_closed_days_weeks_and_weekdays_are_no_days_without_sales(table):
    long = asked(table.assign(revenue=table["revenue"].where(~table.index.isin(range(150, 171)), 0.0)))
    assert next(doubt.value for doubt in long.cautions if doubt.code == "closed") == 21
    sunday = (table["period"].dt.day_of_week == 6) & (table.index < 200)  # open on Sundays later on
    changed = asked(table.assign(revenue=table["revenue"].where(~sunday, 0.0)))
    assert next(doubt.value for doubt in changed.cautions if doubt.code == "closed") == sunday.sum()
    refund = asked(table.assign(revenue=table["revenue"].where(table.index != 77, -20.0), orders=0))
    assert {"negative"} <= codes(refund)


def test_posts_on_one_weekday_and_many_kinds_of_events_are_said(table):
    monday = table["period"].dt.day_of_week == 0
    some = table.assign(engagement=np.where(monday, table["engagement"] + 50, 0), posts=monday * 1)
    assert "one-weekday" in codes(asked(some))
    many = [{"date": day, "name": f"kind {i % 6}"} for i, day in enumerate(table["period"][10:400:16])]
    assert "events-merged" in codes(asked(table, events=pd.DataFrame(many)))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda t: t[:170], DesignError, "170 days that have both engagement and revenue .* 180 or more"),
        (
            lambda t: t.assign(revenue=[*t["revenue"][:100], *([math.nan] * (N - 100))]),
            DesignError,
            "100 days",
        ),
        (lambda t: pd.concat([t, t[5:8]]), DataError, "several rows of one day: 3 of 423 rows"),
        (lambda t: t[t.index % 5 != 0], DataError, "missing on too many days: 83 of 419"),
        (
            lambda t: t.assign(revenue=t["revenue"].where(t.index % 3 == 0, 0)),
            DataError,
            "most days have no revenue",
        ),
        (lambda t: t.assign(engagement=0), DataError, "`engagement` is never above 0"),
        (lambda t: t.assign(engagement=-t["engagement"]), DataError, "`engagement` is never above 0"),
        (lambda t: t.assign(engagement=t["engagement"] - 5), DataError, "`engagement` must be 0 or more"),
        (lambda t: t.assign(revenue=math.inf), DataError, "`revenue` holds infinite values"),
        (lambda t: t.assign(period=range(N)), DataError, "`period` must hold days: int64"),
        (
            lambda t: t.assign(period=["yesterday", *t["period"].astype(str)[1:]]),
            DataError,
            "no day, or days of several",
        ),
        (
            lambda t: t.assign(
                period=[f"{d:%Y-%m-%d}T00:00:00+0{1 + (i > 99)}:00" for i, d in enumerate(t["period"])]
            ),
            DataError,
            "days of several time zones",
        ),
        (
            lambda t: t.assign(period=t["period"].dt.tz_localize("Asia/Tokyo")),
            DataError,
            r"moments of a time zone.*Drop the zone: table\['period'\] = table\['period'\].dt.tz_localize",
        ),
        (
            lambda t: t.assign(period=(t["period"] + pd.Timedelta("3h")).dt.tz_localize("UTC")),
            DataError,
            r"moments of a time zone.*dt.tz_convert\('Europe/Amsterdam'\)",
        ),
        (
            lambda t: t.assign(period=t["period"] + pd.Timedelta("3h")),
            DataError,
            "whole days: times of the day",
        ),
        (
            lambda t: t.assign(period=t["period"].where(t.index != 3)),
            DataError,
            "whole days: 1 row without one",
        ),
        (lambda t: t.drop(columns="engagement"), ColumnError, "No column 'engagement'"),
    ],
)
def test_bad_days_are_refused_with_a_way_out(table, change, error, match):
    with pytest.raises(error, match=match):
        asked(change(table))


def test_bad_controls_and_too_many_shops_are_refused(table):
    gone = table.assign(price=np.where(table.index % 4 == 0, np.nan, 1.0))
    with pytest.raises(DataError, match="`price` is missing on too many days: 105 of 420"):
        asked(gone, controls=["price"])
    with pytest.raises(DesignError, match=r"cannot be told apart from what is held fixed.*alike every week"):
        asked(table.assign(engagement=np.where(table["period"].dt.day_of_week == 0, 50, 0)))
    with pytest.raises(DesignError, match="`engagement` is the same on every day: 420 days"):
        asked(table.assign(engagement=7))
    for name in ("engagement", "revenue"):
        with pytest.raises(DesignError, match=f"a control is x or y itself: '{name}'"):
            asked(table, controls=name)
    with pytest.raises(ColumnError, match="No column 'price'"):  # one name is no list of letters
        asked(table, controls="price")
    with pytest.raises(DesignError, match="`level` must lie between 0 and 1: '95'"):
        asked(table, level="95")
    many = pd.concat([table.assign(entity=f"shop {i}") for i in range(6)])
    with pytest.raises(DesignError, match="6 shops are not few"):
        asked(many, by="entity")
    noise = pd.DataFrame(np.random.default_rng(0).random((N, 150)), columns=[f"c{i}" for i in range(150)])
    wide = pd.concat([table, noise], axis=1)
    with pytest.raises(DesignError, match="cannot carry"):
        asked(wide, controls=list(noise))
    sale = pd.DataFrame({"date": ["2019-01-01", "2023-06-01"], "name": ["sale", "sale"]})
    with pytest.warns(ErresearchWarning, match="1 of 2 events lies outside"):
        asked(table, events=sale)


def test_every_world_of_a_shop_is_simulated_and_says_what_could_be_declared():
    for world in SHOP_WORLDS:
        made = shop(world, days=200, advertising=True)
        assert made["entity"].eq("simulated shop").all()
        declared = world in ("promotions", "teasers", "relaunch", "stock-outs")
        assert made["event"].any() == declared, world
        assert {"spend", "orders"} <= set(made)


def test_parts_with_more_or_fewer_shifts_are_told_together():
    # a run of days without posts leaves the parts different numbers of shifts
    rng = np.random.default_rng(1)

    def part(shifts):
        noise = 0.1 * rng.standard_normal(shifts)
        return Drawn(0.0, np.stack([noise, noise, np.zeros(shifts)]), 0.1, 20.0, 400)

    for counts in ((90, 88, 91), (88, 91, 90)):
        before, same, over = map(part, counts)
        _, nil = reach((before, same, over), (part(90), part(86)), 0.95)
        assert 0 < nil < 1


def test_prices_that_follow_reactions_pose_as_an_effect_until_they_are_held_fixed():
    days = shop(effect=0.0, days=730, rng=106)
    usual = days["engagement"].rolling(14, min_periods=1).mean().shift(1).bfill()
    noise = np.random.default_rng(0).normal(0, 0.05, len(days))
    days["price"] = 20 * (usual / usual.median()).clip(0.3, 3) ** 0.3 * np.exp(noise)
    days["revenue"] = days["revenue"] * (days["price"] / 20) ** -0.8
    assert asked(days).order.forward.interval.high < 0
    held = asked(days, controls=["price"])
    assert 0 in held.order.forward.interval
    assert "controls price" in held.order.forward.method


@pytest.mark.parametrize("value", [100.1, 600.0, 0.1])
def test_revenue_that_never_moves_is_refused_and_no_round_off_is_printed(value: float):
    days = pd.date_range("2024-01-01", periods=300)
    table = pd.DataFrame({"date": days, "engagement": np.arange(300) % 7, "revenue": value})
    with pytest.raises(DesignError, match="the outcome 'revenue' does not vary: 300 rows"):
        daily_response(table, time="date")


@pytest.mark.parametrize(
    "shape", [(0, 3), (3, 5), (5, 0), (40, 39), (700, 4), (2000, 30), (30_000, 3)], ids=str
)
@pytest.mark.parametrize("spare", [False, True], ids=["independent", "one too many"])
def test_least_squares_by_blocks_of_rows_are_those_of_all_rows(shape, spare):
    rng = np.random.default_rng(1)
    columns, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    if spare and shape[1] > 2:
        columns[:, -1] = columns[:, 0] - columns[:, 1]
    upper, basis = triangle(columns), orthonormal(columns)
    np.testing.assert_allclose(upper.T @ upper, columns.T @ columns, atol=1e-9)
    np.testing.assert_allclose(basis.T @ basis, np.eye(min(shape)), atol=1e-12)
    np.testing.assert_allclose(basis @ (basis.T @ columns), columns, atol=1e-11)
    wanted = np.linalg.lstsq(columns, y, rcond=None)[0]
    np.testing.assert_allclose(coefficients(columns, y), wanted, atol=1e-9)


@pytest.mark.parametrize(("first", "last"), [(1, 7), (0, 0), (-14, -1), (8, 28), (60, 90)])
def test_means_of_windows_are_those_of_the_days_in_them(first, last):
    values = np.random.default_rng(2).standard_normal(50)
    values[[3, 20, 21, 22, 40]] = math.nan
    for t, mean in enumerate(window_means(values, first, last)):
        inside = range(t - last, t - first + 1)
        days = values[inside] if inside[0] >= 0 and inside[-1] < 50 else np.full(1, math.nan)
        known = days[np.isfinite(days)]
        wanted = known.mean() if len(known) >= 0.8 * len(inside) else math.nan
        assert mean == pytest.approx(wanted, abs=1e-12, nan_ok=True)
