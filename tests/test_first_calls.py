"""What a newcomer types first works and says something true, or names a call that does."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import erresearch as er
from erresearch.errors import (
    ColumnError,
    DataError,
    DesignError,
    EngineError,
    ErresearchWarning,
    GuardError,
    UnknownNameError,
)

WEEKS = 120


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    """Simulated: one shop, a row a week, as a spreadsheet holds it; revenue only remembers itself."""
    rng = np.random.default_rng(3)
    memory = np.zeros(WEEKS)
    for week in range(1, WEEKS):
        memory[week] = 0.9 * memory[week - 1] + rng.normal()
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=WEEKS, freq="W"),
            "likes": rng.integers(50, 500, WEEKS),
            "comments": rng.integers(0, 40, WEEKS),
            "followers": rng.integers(4_000, 6_000, WEEKS),
            "revenue": 1_000 + 30 * memory,
        }
    )


def advised(message: str, **names: object) -> object:
    """Run the call that a message advises, as it stands there."""
    call = re.search(r"er\.\w+\(.*\)", message)
    assert call is not None, message
    return eval(call.group(), {"er": er, **names})  # the package's own advice


def test_1_a_rate_of_what_is_there(shop):
    rates = er.engagement_rate(shop)
    expected = ((shop.likes + shop.comments) / shop.followers).mean()
    assert rates.mean == pytest.approx(expected, rel=1e-12)
    assert rates.definition.id == "M01"
    said = str(rates)
    assert "(likes + comments) / followers, per post" in said
    assert "no column of shares or saves, so they are not counted" in said


def test_2_a_rate_by_reach_where_only_reach_is_there(shop):
    rates = er.engagement_rate(shop.rename(columns={"followers": "reach"}))
    assert rates.definition.denominator == "reach"
    two = shop.assign(reach=1, views=1).drop(columns="followers")
    with pytest.raises(ColumnError, match="No column 'followers'"):
        er.engagement_rate(two)
    with pytest.raises(
        ColumnError, match=r"name what any other platform counts|Name what any other platform"
    ):
        er.engagement_rate(shop[["followers"]])


def test_3_a_band_for_the_rate_that_has_one(shop):
    placed = er.band(er.engagement_rate(shop))
    assert placed.source.name == "scrunch"
    assert "no engagement rate is good or bad for everybody" in str(placed)


def test_4_a_band_for_a_bare_number_is_refused_with_the_way(shop):
    with pytest.raises(GuardError, match="no source prints bands for this rate: a number without") as refused:
        er.band(0.03)
    assert advised(str(refused.value).split(", or compute")[0], posts=shop).source.name == "scrunch"
    four = er.engagement_rate(shop.assign(shares=1, saves=1))
    with pytest.raises(GuardError, match="no source prints bands") as refused:
        er.band(four)
    assert advised(str(refused.value).split("or compute")[1], posts=shop).definition.id == "M01"
    assert er.band(er.nps([10, 9, 8, 3, 10])).definition == "M12"


@pytest.mark.parametrize("text", [False, True], ids=["dates", "text"])
def test_5_and_6_a_correlation_of_a_series_warns_and_names_the_call(shop, text):
    table = shop.assign(date=shop.date.dt.strftime("%Y-%m-%d")) if text else shop
    table = pd.concat([pd.Series(range(WEEKS), name=0), table], axis=1)  # a name that is no text
    with pytest.warns(ErresearchWarning, match=r"time='date'\)") as caught:
        naive = er.correlate(table, "comments", "revenue")
    right = advised(str(caught[0].message), data=table)
    assert right.n_rows < naive.n_rows == WEEKS
    assert right.interval != naive.interval


def test_7_a_regression_on_one_column_named_as_text(shop):
    with pytest.warns(ErresearchWarning, match=r"er\.regress\(data, outcome='revenue', on=") as caught:
        fit = er.regress(shop, "revenue", on="comments")
    assert list(fit) == ["Intercept", "comments"]
    assert "comments" in advised(str(caught[0].message), data=shop)
    with pytest.warns(ErresearchWarning, match=r"on=…, time='date'"):
        er.regress(shop, "revenue", on=[er.log("likes")])


def test_8_a_world_without_a_seed_is_the_same_each_time():
    one, other = er.simulate("nil"), er.simulate("nil", rng=0)
    pd.testing.assert_frame_equal(one.panel, other.panel)


def test_9_a_picture_of_one_estimate(shop):
    estimate = er.correlate(shop, "comments", "revenue", time="date")
    axes = er.figures.forest(estimate, ax=Figure().subplots())
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [estimate.name]


def test_10_a_data_set_by_name_and_a_claim_on_a_world():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        films = er.load("movies")
        verdicts = er.examine("C07", {"decay": er.simulate("decay").panel})
    assert len(films) > 2_000
    assert verdicts[0].simulated
    assert {"name", "licence"} <= set(er.catalog().columns)


def test_11_claims_about_one_shop_from_a_table_as_one_has_it(shop):
    for verdict in er.examine(["C01", "C02"], shop):
        assert verdict.word in ("inconclusive", "practically nil", "supported", "association only")
        (taken,) = (d.text for d in verdict.doubts if d.name == "what the table does not say")
        assert taken.startswith("no column of accounts: all rows are taken as those of one")
        assert ("engagement is " in taken) == (verdict.claim == "C01")
    assert "engagement" not in shop.columns
    for form in ("%d-%m-%Y", "%m/%d/%y", "%d.%m.%Y", "%d %b %Y", "%b %d, %Y"):
        foreign = er.examine("C01", shop.assign(date=shop.date.dt.strftime(form)))[0]
        assert foreign.word == "not judged"
        assert "text of dates that does not sort by time" in foreign.reason
    named = pd.concat([shop.assign(store=name, revenue=shop.revenue + i) for i, name in enumerate("ab")])
    assert "several rows" not in er.examine("C01", named)[0].reason
    twice = pd.concat([shop, shop])
    assert er.examine("C01", twice)[0].word == "not judged"


def test_12_a_table_of_days_in_a_file(shop, tmp_path):
    shop.to_csv(tmp_path / "shop.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = er.audit([tmp_path / "shop.csv"], tz="UTC")
    assert {v.claim for v in found.verdicts if v.word != "not judged"} >= {"C01", "C02"}


def test_11_names_in_capitals_are_found_and_the_advice_works(shop):
    spoken = shop.rename(columns=str.title)
    with pytest.raises(
        ColumnError, match=r"Did you mean 'Followers' for 'followers'\? Capitals count"
    ) as refused:
        er.engagement_rate(spoken)
    call = re.search(r"table\.rename\(.*\)", str(refused.value)).group().rstrip(".")
    assert er.engagement_rate(eval(call, {"table": spoken})).mean == er.engagement_rate(shop).mean


def test_12_outcome_and_x_in_their_order(shop):
    rows = shop.drop(columns="date")
    assert er.regress(rows, "revenue", "likes") == er.regress(rows, "revenue", on="likes")


def test_13_a_table_where_a_file_or_an_estimate_belongs_is_refused_with_the_way(shop):
    with pytest.raises(DataError, match="an audit reads files: a table in memory") as refused:
        er.audit(shop, tz="UTC")
    table = shop.rename(columns={"date": "period"}).assign(engagement=shop.likes + shop.comments)
    (verdict,) = eval(re.search(r"er\.examine\(.*\)", str(refused.value)).group(), {"er": er, "table": table})
    assert verdict.claim == "C01"
    with pytest.raises(DataError, match=r"a forest needs an estimate: str\. Hand over one or more"):
        er.figures.forest(shop)
    with pytest.raises(
        DesignError, match=r"an equivalence test needs an estimate: float\. Make one: er\.correlate"
    ):
        er.equivalence(0.1, sesoi=0.05)


def test_14_a_room_that_a_guide_names_needs_no_import_of_its_own():
    code = "import erresearch as er; print(len(er.exports.platforms()) > 20)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "True\n"
    with pytest.raises(AttributeError, match="has no attribute 'cli_room'"):
        er.cli_room  # noqa: B018


def test_one_column_by_itself_is_a_list_of_one_in_every_model():
    panel = er.simulate("nil", accounts=12, weeks=40, rng=1).panel
    panel = panel.assign(sold=(panel["revenue"] > panel["revenue"].median()).astype(int))
    time = {"by": "account", "time": "week"}
    calls = (
        lambda on: er.regress(panel, "revenue", on=on, by="account")["likes"],
        lambda on: er.poisson(panel, "revenue", on=on, by="account")["likes"],
        lambda on: er.logit(panel, "sold", on=on, by="account")["likes"],
        lambda on: er.precedence(panel, "comments", "revenue", controls=on, **time).forward,
        lambda on: er.predictive_gain(panel, "revenue", baseline=on, add="comments", **time).gain,
    )
    for call in calls:
        assert call("likes").value == call(["likes"]).value
    alone = er.poisson(panel, "revenue", on=er.log("likes"), by="account")
    assert alone["log likes"].value == pytest.approx(
        er.poisson(panel, "revenue", on=[er.log("likes")], by="account")["log likes"].value
    )


# ------------------------------------------------------- ten more, of somebody who knows pandas and not this package
def taken(message: str, pattern: str, **names: object) -> object:
    """Run the step that a message names."""
    return eval(re.search(pattern, message).group(), {"er": er, "pandas": pd, **names})


@pytest.mark.parametrize("call", ["correlate", "regress", "log"])
def test_21_a_series_in_place_of_its_name_and_no_cell_of_it_is_told(shop, call):
    calls = {
        "correlate": lambda: er.correlate(shop.drop(columns="date"), shop["comments"], "revenue"),
        "regress": lambda: er.regress(shop.drop(columns="date"), shop["comments"], on="likes"),
        "log": lambda: er.log(shop["comments"]),
    }
    with pytest.raises(ColumnError, match=r"Series\. Write 'comments', its name, in its place") as refused:
        calls[call]()
    assert not re.search(r"\d", str(refused.value))


def test_21_two_series_in_place_of_a_table_and_names(shop):
    with pytest.raises(DesignError, match=r"a table and two of its columns: Series and Series") as refused:
        er.correlate(shop["comments"], shop["revenue"])
    table = shop.drop(columns="date")
    assert taken(str(refused.value), r"er\.correlate\(.*?\)", table=table).n_rows == len(table)


def test_22_a_list_of_columns_where_one_belongs(shop):
    with pytest.raises(ColumnError, match=r"list\. Write its name in quotation marks, one at a time"):
        er.correlate(shop.drop(columns="date"), ["comments", "likes"], "revenue")


@pytest.mark.parametrize("written", ["{:,.2f}", "€ {:,.2f}"])
def test_23_numbers_with_commas_and_signs_are_mended_by_the_step_that_is_named(shop, written):
    text = shop.assign(revenue=shop["revenue"].map(written.format))
    with pytest.raises(DataError, match="'revenue' in the table must hold numbers") as refused:
        er.correlate(text, "comments", "revenue", time="date")
    mended = taken(str(refused.value), r"table\[.*\(float\)", table=text)
    assert mended.to_numpy() == pytest.approx(shop["revenue"].round(2))
    likes = shop.assign(likes=shop["likes"].map("{:,}".format))
    with pytest.raises(ColumnError, match="`likes` in the posts table must hold numbers") as refused:
        er.engagement_rate(likes)
    assert (taken(str(refused.value), r"table\[.*\(float\)", table=likes) == shop["likes"]).all()


def test_24_a_table_with_a_column_for_each_shop_is_turned_by_the_call_that_is_named(shop):
    numbers = ["revenue", "comments"]
    wide = shop[["date"]].join([shop[numbers].add_suffix(f"_{name}") for name in ("north", "south")])
    with pytest.raises(ColumnError, match="column for each shop is read once they stand below") as refused:
        er.regress(wide, "revenue", on="comments", by="account")
    long = taken(str(refused.value), r"pandas\.wide_to_long.*\(\)", table=wide)
    assert len(long) == 2 * len(shop)
    assert er.regress(long, "revenue", on="comments", by="account").n_rows == len(long)
    assert "pandas.wide_to_long(table, ['comments', 'revenue']" in er.examine("C02", wide)[0].reason
    parts = shop.rename(columns={"likes": "likes_total"})
    assert "wide_to_long" not in er.examine("C01", parts.drop(columns="comments"))[0].reason


def test_25_names_of_columns_in_two_levels(shop):
    rows = shop.set_index("date")
    levels = pd.concat({"north": rows, "south": rows}, axis=1)
    for call in (lambda: er.correlate(levels, "comments", "revenue"), lambda: er.engagement_rate(levels)):
        with pytest.raises(ColumnError, match="names of the columns have several levels"):
            call()
    levels.columns = ["_".join(map(str, name)) for name in levels.columns]  # as the message says
    assert er.regress(levels.reset_index(drop=True), "north_revenue", on="south_comments").n_rows == WEEKS


def test_26_dates_in_the_index(shop):
    indexed = shop.set_index("date")
    with pytest.warns(ErresearchWarning, match=r"er\.correlate\(data\.reset_index\(\)") as caught:
        er.correlate(indexed, "comments", "revenue")
    assert advised(str(caught[0].message), data=indexed).n_rows < WEEKS
    assert "call .reset_index() on it first" in er.examine("C01", indexed)[0].reason


@pytest.mark.parametrize("made", [dict, lambda table: table.to_numpy(), lambda table: table.groupby("date")])
def test_27_what_is_no_table(shop, made):
    with pytest.raises(EngineError, match=r"Make a table of it first, as with pandas\.DataFrame"):
        er.correlate(made(shop), "comments", "revenue")


def test_28_a_band_for_a_rate_written_as_text():
    with pytest.raises(DataError, match=r"a band needs a number: text\. .*such as 0\.0314 for 3\.14 %"):
        er.band("3.14 %")


def test_29_one_verdict_in_a_table_and_a_claim_in_words(shop):
    (verdict,) = er.examine("c02", shop)
    assert str(er.verdict_table(verdict)) == str(er.verdict_table([verdict]))
    with pytest.raises(UnknownNameError, match="`erresearch claims` lists them with what they say"):
        er.examine("engagement brings revenue", shop)


def test_30_a_column_spelled_wrongly(shop):
    with pytest.raises(ColumnError, match="Did you mean 'comments' for 'coments'"):
        er.correlate(shop.drop(columns="date"), "coments", "revenue")
