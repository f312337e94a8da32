"""The joining: cases of the table of bad inputs by their ids, planted sums, and every engine alike.

Here: F17, S6, S14, S16, S17, O2, O3, O4 (as far as they meet in a join) and J1 to J15. The other cases are those of
one file and stand with the tests of the exports.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import MONDAY, as_orders, daily_sales, in_engine, weekly_posts
from hypothesis import given, settings, strategies as st

import erresearch as er
from erresearch.engine.expressions import Clock
from erresearch.errors import ColumnError, DataError, DesignError, EngineError, GuardError, UnknownNameError
from erresearch.exports import Export, read_export
from erresearch.panel import Panel, RowAccounting, Rules, build_panel
from erresearch.worlds import example_exports

ZONE = "Europe/Amsterdam"


def panel(posts: object = None, outcomes: object = None, **options: object) -> Panel:
    asked = {"tz": "UTC", "min_age_days": 0} | options
    return build_panel(
        weekly_posts() if posts is None else posts, daily_sales() if outcomes is None else outcomes, **asked
    )


def test_sums_are_those_of_the_rows():
    made = panel().rows
    assert made["posts"].tolist() == [3] * 19
    assert made["revenue"].tolist() == [70.0] * 19
    assert made["likes"].tolist() == [float(sum(10 + 3 * w + k for k in range(3))) for w in range(19)]
    assert made["engagement"].equals(made["likes"] + made["comments"])
    assert made["er_by_reach"].to_numpy() == pytest.approx(made["engagement"] / 300)
    assert made["engagement_per_post"].to_numpy() == pytest.approx(made["engagement"] / 3)
    assert made["period"].iloc[0] == pd.Timestamp(MONDAY)
    assert not made.duplicated(["entity", "period"]).any()


def test_inputs_are_not_changed():
    posts, outcomes = weekly_posts(), daily_sales()
    before = posts.copy(deep=True), outcomes.copy(deep=True)
    panel(posts, outcomes)
    pd.testing.assert_frame_equal(posts, before[0])
    pd.testing.assert_frame_equal(outcomes, before[1])


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_a_table_comes_back_as_it_came(kind: str):
    give = {
        "pandas": lambda t: t,
        "polars": pl.from_pandas,
        "pyarrow": lambda t: pl.from_pandas(t).to_arrow(),
    }[kind]
    made = panel(give(weekly_posts()), give(daily_sales()))
    assert type(made.rows) is type(give(daily_sales()))
    assert made.accounting == panel().accounting


def lazily(engine: str, table: pd.DataFrame) -> object:
    if engine == "polars":
        return pl.from_pandas(table).lazy()
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("rows", pl.from_pandas(table).to_arrow())
    return connection.table("rows")


def collected(made: Panel, engine: str) -> pd.DataFrame:
    """The rows of a lazy panel."""
    import duckdb

    kind = {"polars": pl.LazyFrame, "duckdb": duckdb.DuckDBPyRelation}[engine]
    assert isinstance(made.rows, kind)
    rows = made.rows.collect() if engine == "polars" else made.rows.pl()
    return rows.to_pandas().sort_values(["entity", "period"], ignore_index=True)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("tz", ["UTC", ZONE])
@pytest.mark.parametrize(("freq", "week_start"), [("W", "monday"), ("W", "sunday"), ("M", "monday")])
def test_lazy_tables_give_the_very_panel_of_pandas(engine: str, tz: str, freq: str, week_start: str):
    world = er.simulate("effect", accounts=3, weeks=60, rng=2)
    outcomes = world.outcomes
    if freq == "M" or week_start == "sunday":  # worlds count weeks from Mondays
        days = pd.date_range("2023-01-02", periods=420)
        outcomes = pd.concat(
            [daily_sales(420, entity=name).assign(date=days) for name in world.posts["account"].unique()]
        )
    options = {"tz": tz, "freq": freq, "week_start": week_start}
    whole = build_panel(world.posts, outcomes, **options)
    lazies = in_engine(engine, {"posts": world.posts, "outcomes": outcomes})
    made = build_panel(lazies["posts"], lazies["outcomes"], **options)
    pd.testing.assert_frame_equal(collected(made, engine), whole.rows, check_dtype=False)
    assert (made.accounting, made.notes) == (whole.accounting, whole.notes)
    assert "lazy" in str(made)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_lazy_tables_with_gaps_repeats_followers_and_a_mapping(engine: str):
    two = pd.concat([weekly_posts(), weekly_posts(account="second", per_week=1)])
    two = two[~two["published_at"].between("2025-02-03", "2025-02-10")]
    posts = pd.concat([two, two.iloc[:5]])
    sold = as_orders(pd.concat([daily_sales(entity="a"), daily_sales(entity="b")])).assign(kind="sale")
    reported = daily_sales(entity="a").assign(outcome="visits", currency="", kind="reported", order_id="")
    gap = reported[~reported["date"].isin(pd.to_datetime(["2025-03-04", "2025-03-05"]))]
    tables = {
        "posts": posts,
        "outcomes": pd.concat([sold, gap]),
        "followers": follower_counts(),
        "spend": pd.DataFrame(
            {"date": pd.date_range("2025-01-06", "2025-05-25", freq="2D"), "spend": 5.0, "account": "shop"}
        ),
    }
    options = {"tz": "UTC", "entity": {"shop": "a", "second": "b"}, "rules": Rules(lags=2, apart="account")}
    whole = build_panel(
        tables["posts"], tables["outcomes"], followers=tables["followers"], spend=tables["spend"], **options
    )
    made = build_panel(**in_engine(engine, tables), **options)
    pd.testing.assert_frame_equal(collected(made, engine), whole.rows, check_dtype=False)
    assert (made.accounting, made.notes) == (whole.accounting, whole.notes)
    assert made.accounting["posts"].reasons["copies of an earlier row"] == 5
    quiet = whole.rows[(whole.rows["entity"] == "a") & (whole.rows["period"] == "2025-02-03")].iloc[0]
    assert (quiet["posts"], quiet["revenue"], quiet["visits"]) == (0, 70.0, 70.0)
    visits = whole.rows.set_index(["entity", "period"])["visits"]
    assert visits.loc["b"].isna().all()
    assert visits.loc["a"].isna().sum() == 1  # two days of a week were not reported
    assert any("with some days lacking, taken as missing" in note for note in made.notes)


def test_tables_of_different_engines_are_joined():
    whole = panel()
    made = panel(lazily("polars", weekly_posts()), lazily("duckdb", daily_sales()))
    pd.testing.assert_frame_equal(collected(made, "polars"), whole.rows, check_dtype=False)


def test_lazy_tables_are_refused_like_others():
    posts = lazily("polars", weekly_posts())
    with pytest.raises(DataError, match="share too few days: instagram 2025-01-06 to"):
        panel(posts, lazily("polars", daily_sales(30)))
    mixed = lazily("polars", pd.concat([daily_sales(), daily_sales(currency="USD")]))
    made = panel(posts, mixed)
    assert any("(140 rows in EUR, 140 rows in USD): EUR was kept" in note for note in made.notes)
    with pytest.raises(DataError, match=r"no revenue is in CHF: 140 rows in EUR.*Rules\(currency="):
        panel(posts, mixed, rules=Rules(currency="CHF"))
    months = lazily("polars", daily_sales(5).assign(date=pd.date_range("2025-01-01", periods=5, freq="MS")))
    with pytest.raises(GuardError, match=r'one value per month.*Allowed: freq="M"'):
        panel(posts, months)
    with pytest.raises(GuardError, match="cross-posts of lazy tables are not searched for"):
        panel(posts, rules=Rules(crossposts="merged"))
    with pytest.raises(DataError, match="no row has a time"):
        panel(
            lazily(
                "polars",
                weekly_posts().assign(
                    published_at=pd.Series(pd.NaT, index=range(60), dtype="datetime64[us, UTC]")
                ),
            )
        )
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'America/New_York'")
    connection.register("rows", pl.from_pandas(weekly_posts()).to_arrow())
    with pytest.raises(ColumnError, match="the connection shows 'published_at' in the zone"):
        panel(connection.table("rows"))


def follower_counts() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": pd.date_range("2025-01-01", periods=150),
            "platform": "instagram",
            "account": "shop",
            "followers": range(150),
        }
    )


def test_f17_overlapping_exports_count_once(tmp_path):
    first = example_exports(tmp_path, weeks=20, rng=1)[0]
    export = read_export(first, tz=ZONE)
    half = Export(
        rows=export.rows.iloc[:20],
        kind="posts",
        format=export.format,
        guesses=(),
        accounting=type(export.accounting)(20, 20),
        warnings=(),
        name="half.csv",
        exported_at=dt.date(2024, 5, 1),
    )
    made = build_panel([export, half], tz="UTC", min_age_days=0)
    assert made.accounting["posts"].reasons["rows that another export repeats"] == 20
    assert made.accounting["posts"].rows_in == len(export.rows) + 20
    assert made.rows["posts"].sum() == made.accounting["posts"].used
    assert any("20 rows stand in several exports" in note for note in made.notes)


def test_copies_in_a_bare_table_count_once_and_contradictions_are_refused():
    posts = weekly_posts()
    made = panel(pd.concat([posts, posts.iloc[:4]]))
    assert made.accounting["posts"].reasons["copies of an earlier row"] == 4
    assert made.rows["likes"].equals(panel().rows["likes"])
    with pytest.raises(DataError, match="the same post stands in several rows with different figures"):
        panel(pd.concat([posts, posts.iloc[:1].assign(likes=99.0)]))


def test_s6_posts_of_other_accounts_are_not_divided_by_own_followers():
    posts = weekly_posts(followers=1000.0, collaboration=False)
    guest = weekly_posts(per_week=1, account="guest", followers=np.nan, collaboration=True)
    made = panel(pd.concat([posts, guest]))
    assert made.rows["posts"].iloc[0] == 4
    own = panel(posts).rows
    assert made.rows["er_by_followers"].to_numpy() == pytest.approx(own["er_by_followers"].to_numpy())
    assert any("of other accounts (collaborations)" in note for note in made.notes)


def test_s14_posts_too_young_are_left_out_with_their_periods():
    made = panel(min_age_days=7)
    assert made.accounting["posts"].reasons["younger than 7 days at the export"] == 3
    assert made.rows["period"].max() == pd.Timestamp("2025-05-05")
    assert any("younger than 7 days at 2025-05-23" in note for note in made.notes)
    with pytest.raises(DesignError, match="`min_age_days` must be a number of days"):
        panel(min_age_days=-1)


def test_s16_one_follower_count_for_the_whole_time_is_said():
    counts = pd.DataFrame(
        {"date": [pd.Timestamp("2025-01-01")], "platform": "instagram", "account": "shop", "followers": 500}
    )
    made = panel(followers=counts)
    assert any("one follower count for the whole time" in note for note in made.notes)
    assert any("more than five weeks old" in note for note in made.notes)
    assert made.rows["followers"].tolist() == [500.0] * 19


def test_followers_are_those_known_on_the_last_day_of_the_period():
    counts = pd.DataFrame(
        {
            "date": pd.date_range("2025-01-20", periods=100),
            "platform": "instagram",
            "account": "@Shop",
            "followers": range(100),
        }
    )
    made = panel(followers=counts)
    assert made.rows["followers"].isna().tolist()[:3] == [True, True, False]
    assert made.rows["followers"].iloc[2] == 6  # Sunday 26 January
    assert made.accounting["followers"] == RowAccounting(100, 100)
    strangers = panel(followers=counts.assign(account="x", platform="vk"))
    assert "followers" not in strangers.rows
    (note,) = [note for note in strangers.notes if "belong to no account that published" in note]
    assert "the lines platform and account of the file's mapping say whose they are" in note
    two = pd.concat([weekly_posts(), weekly_posts(account="b")])
    with pytest.raises(ColumnError, match="do not say of which account"):
        panel(two, followers=counts.drop(columns="account"))


def test_s17_reach_is_a_sum_of_reaches():
    assert "sum of reaches, which counts people more than once" in panel().definitions["er_by_reach"]


def test_o2_o3_what_failed_is_out_and_refunds_are_netted():
    rows = as_orders(daily_sales())
    failed = as_orders(daily_sales(), "failed")
    back = as_orders(daily_sales(14, value=-4.0), "refund")
    made = panel(outcomes=pd.concat([rows, failed, back]))
    assert made.rows["revenue"].tolist()[:3] == [42.0, 42.0, 70.0]
    assert made.accounting["outcomes"].reasons["failed, which is no sale"] == 140
    assert any("14 refunds (−56.00) netted" in note for note in made.notes)


def test_o4_currencies_are_not_added_up():
    mixed = pd.concat([daily_sales(), daily_sales(100, currency="usd", value=3.0)])
    made = panel(outcomes=mixed)
    assert (made.currency, made.rows["revenue"].iloc[0]) == ("EUR", panel().rows["revenue"].iloc[0])
    assert made.accounting["outcomes"].reasons["not in EUR"] == 100
    assert any('Rules(currency="USD")) keeps another' in note for note in made.notes)
    made = panel(outcomes=mixed, rules=Rules(currency="usd"))
    assert (made.currency, made.rows["revenue"].iloc[0]) == ("USD", 21.0)
    assert made.accounting["outcomes"].reasons["not in USD"] == 140
    with pytest.raises(DataError, match="no revenue is in CHF"):
        panel(outcomes=daily_sales(), rules=Rules(currency="CHF"))


def test_j1_a_coarser_outcome_is_not_spread():
    months = daily_sales(5, value=300.0).assign(date=pd.date_range("2025-01-01", periods=5, freq="MS"))
    with pytest.raises(
        GuardError, match=r"'revenue' has one value per month, which cannot be spread.*freq=\"M\""
    ):
        panel(outcomes=months, freq="W")
    with pytest.raises(GuardError, match="cannot be spread over days"):
        panel(outcomes=months, freq="D")
    made = panel(outcomes=months, freq="M")
    assert made.rows["revenue"].tolist() == [300.0] * 3  # February to April are whole
    ranged = daily_sales(2).assign(grain="range", date_end=pd.Timestamp("2025-05-01"))
    with pytest.raises(DataError, match="a whole range of dates"):
        panel(outcomes=ranged)
    weeks = daily_sales(20, value=70.0).assign(date=pd.date_range(MONDAY, periods=20, freq="7D"))
    assert panel(outcomes=weeks).rows["revenue"].tolist() == [70.0] * 19
    with pytest.raises(GuardError, match="one value per week"):
        panel(outcomes=weeks, freq="M")


def test_j2_every_source_is_moved_to_one_zone_and_the_moves_are_counted():
    late = weekly_posts()
    late["published_at"] += pd.Timedelta(hours=11, minutes=30)  # 23:30 UTC is the next day in Amsterdam
    made = panel(late, tz=ZONE, freq="D")
    assert any("60 of 60 posts fall on another day in Europe/Amsterdam" in note for note in made.notes)
    assert made.rows.set_index("period")["posts"].loc["2025-01-07"] == 1
    day = weekly_posts(time_precision="day")
    day["published_at"] = day["published_at"].dt.normalize()
    assert panel(day, tz="America/Los_Angeles", freq="D").rows["period"].min() == pd.Timestamp(MONDAY)
    moved = as_orders(daily_sales()).assign(
        at=pd.date_range(MONDAY, periods=140, tz="UTC") + pd.Timedelta(hours=23, minutes=30)
    )
    assert any(
        "140 of 140 outcome rows fall on another day" in n for n in panel(outcomes=moved, tz=ZONE).notes
    )
    unknown = weekly_posts(time_source="assumed", time_precision="minute")
    with pytest.raises(DataError, match="the time zone of the posts is not known"):
        panel(unknown, freq="D")
    assert any("unknown zone" in note for note in panel(unknown).notes)


def test_j3_summer_time_moves_the_day_only_where_it_does():
    days = pd.to_datetime(
        ["2025-03-29 23:30", "2025-03-30 22:30", "2025-10-25 22:30", "2025-10-26 22:30"], utc=True
    )
    local = ["2025-03-30", "2025-03-31", "2025-10-26", "2025-10-26"]
    filler = weekly_posts(weeks=45)
    extra = filler.iloc[:4].assign(post_id=list("wxyz"), published_at=days, likes=1000.0)
    made = build_panel(pd.concat([filler, extra]), tz=ZONE, freq="D", min_age_days=0).rows.set_index("period")
    loud = made[made["likes"] >= 1000]
    assert [f"{day:%Y-%m-%d}" for day in loud.index] == sorted(set(local))
    assert loud["likes"].loc["2025-10-26"] >= 2000


def test_j4_too_short_an_overlap_is_refused_with_the_dates():
    with pytest.raises(DataError, match=r"posts and outcomes of 'shop' share too few days.*overlap 40 days"):
        panel(outcomes=daily_sales(40))
    with pytest.raises(DataError, match="no overlap"):
        panel(outcomes=daily_sales().assign(date=pd.date_range("2020-01-01", periods=140)))


def test_j5_partial_ends_are_dropped_with_a_count():
    made = panel(weekly_posts().iloc[1:], freq="W")  # begins on a Wednesday, ends on a Friday
    assert made.accounting["periods"].reasons["partial at either end"] == 2
    assert len(made.rows) == 18


def test_j6_a_period_without_posts_has_no_rate_and_one_without_orders_is_zero():
    posts = weekly_posts()
    quiet = posts[~posts["published_at"].between("2025-02-03", "2025-02-10")]
    sold = as_orders(daily_sales()[lambda t: ~t["date"].between("2025-03-03", "2025-03-09")])
    made = panel(quiet, sold).rows.set_index("period")
    assert made.loc["2025-02-03", ["posts", "engagement", "revenue"]].tolist() == [0, 0, 70]
    assert made.loc["2025-02-03", ["er_by_reach", "engagement_per_post"]].isna().all()
    assert made.loc["2025-03-03", "revenue"] == 0
    assert len(made) == 19


def test_j7_gaps_of_reported_figures_are_missing_and_listed():
    gap = daily_sales()[lambda t: ~t["date"].isin(pd.to_datetime(["2025-03-04", "2025-03-05"]))]
    made = panel(outcomes=gap)
    assert made.rows.set_index("period")["revenue"].isna().sum() == 1
    assert any(
        "1 period with some days lacking, taken as missing, not as smaller: revenue 2025-03-03" in n
        for n in made.notes
    )


def test_j8_a_revenue_line_never_stands_on_several_rows():
    two = pd.concat([weekly_posts(), weekly_posts(account="second")])
    made = panel(two)
    assert made.rows["revenue"].sum() == 19 * 70
    assert made.rows["posts"].tolist() == [6] * 19
    assert any("2 accounts are summed to one entity" in note for note in made.notes)
    shops = pd.concat([daily_sales(entity="a"), daily_sales(entity="b")])
    with pytest.raises(GuardError, match="it is not said which account belongs to which"):
        panel(two, shops)
    with pytest.raises(GuardError, match="--entity shop=all adds them up"):
        panel(weekly_posts(), shops)
    mapped = panel(two, shops, entity={"shop": "a", "second": "b"})
    assert mapped.rows.groupby("entity")["posts"].sum().to_dict() == {"a": 57, "b": 57}
    column = panel(two.assign(brand=np.where(two["account"] == "shop", "a", "b")), shops, entity="brand")
    assert column.rows["posts"].equals(mapped.rows["posts"])
    with pytest.raises(DataError, match="no entity has both posts and outcomes"):
        panel(two.assign(entity="elsewhere"), shops)


def test_two_sources_of_one_outcome_are_not_added(tmp_path):
    paths = {path.name: path for path in example_exports(tmp_path, weeks=30, rng=1)}
    exports = {name: read_export(path, tz=ZONE) for name, path in paths.items()}
    made = build_panel(
        exports["instagram_posts.csv"], [exports["orders_export.csv"], exports["ga4_daily.csv"]], tz=ZONE
    )
    alone = build_panel(exports["instagram_posts.csv"], exports["orders_export.csv"], tz=ZONE)
    both = alone.rows.merge(made.rows, on="period")
    assert both["revenue_x"].equals(both["revenue_y"])
    assert any(
        "revenue is that of shopify-orders; ga4 also reports it and is not added" in n for n in made.notes
    )
    assert {"sessions", "conversion_rate"} <= set(made.rows)
    # a row of a file counts once, though an order is revenue and an order, and a day is visits and revenue
    used = {name: exports[name].accounting.used for name in ("orders_export.csv", "ga4_daily.csv")}
    assert alone.accounting["outcomes"].rows_in == used["orders_export.csv"]
    assert made.accounting["outcomes"].rows_in == sum(used.values())
    assert not any("states as well" in reason for reason in made.accounting["outcomes"].reasons)
    again = build_panel(exports["instagram_posts.csv"], [exports["orders_export.csv"]] * 2, tz=ZONE)
    repeated = again.accounting["outcomes"]
    assert repeated.reasons["rows that another export repeats"] == used["orders_export.csv"]
    assert (repeated.rows_in, repeated.used) == (
        2 * used["orders_export.csv"],
        alone.accounting["outcomes"].used,
    )


def test_j9_names_are_compared_without_their_spelling_and_unknown_ones_are_named():
    made = panel(entity={"@SHOP ": "my shop"})
    assert set(made.rows["entity"]) == {"my shop"}
    with pytest.raises(
        DataError, match=r"does not name the entity of account 'shop'.*perhaps 'shopp' means 'shop'"
    ):
        panel(entity={"shopp": "my shop"})


def test_j10_sources_of_visits_are_not_joined_by_their_spelling():
    # the panel knows no campaign parameters: parts of a figure beside the whole are left out with a count
    part = daily_sales(entity="site", value=2.0).assign(outcome="sessions", currency="", segment="ig")
    whole = daily_sales(entity="site", value=9.0).assign(outcome="sessions", currency="", segment="")
    made = panel(outcomes=pd.concat([part, whole]))
    assert made.rows["sessions"].tolist() == [63.0] * 19
    assert made.accounting["outcomes"].reasons["parts of a figure that is also there as a whole"] == 140


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=60, max_size=90), st.sampled_from(["D", "W", "M"]))
def test_j11_no_row_is_repeated_and_no_money_is_lost(counts: list[int], freq: str):
    when = np.repeat(pd.date_range(MONDAY, periods=len(counts), tz="UTC"), counts)
    posts = pd.DataFrame(
        {"account": "a", "published_at": when, "likes": 1.0, "post_id": [str(n) for n in range(len(when))]}
    )
    sold = daily_sales(len(counts), value=1.0)
    if len(posts) == 0 or (posts["published_at"].max() - posts["published_at"].min()).days < 62:
        return
    made = panel(posts, sold, freq=freq)
    assert not made.rows.duplicated(["entity", "period"]).any()
    inside = made.rows["revenue"].sum()
    assert inside == made.accounting["outcomes"].used
    assert made.rows["posts"].sum() == made.rows["likes"].sum() == made.accounting["posts"].used


def test_j12_one_first_day_of_the_week():
    weeks = daily_sales(20, value=70.0).assign(
        date=pd.date_range(MONDAY - dt.timedelta(days=1), periods=20, freq="7D")
    )
    with pytest.raises(
        DataError, match=r"do not begin on a monday.*first Sunday 2025-01-05.*week_start='sunday'"
    ):
        panel(outcomes=weeks)
    made = panel(outcomes=weeks, week_start="sunday")
    assert set(made.rows["period"].dt.day_name()) == {"Sunday"}
    # the year's week 53 is a week like the others
    weeks = Clock("W", "UTC", "monday")
    assert weeks.number(dt.date(2026, 12, 31)) + 1 == weeks.number(dt.date(2027, 1, 4))
    with pytest.raises(UnknownNameError, match="There is no week_start 'moonday'"):
        panel(week_start="moonday")
    with pytest.raises(UnknownNameError, match="There is no freq 'Q'"):
        panel(freq="Q")
    with pytest.raises(DataError, match="`tz` is no time zone: 'Mars/Base'"):
        panel(tz="Mars/Base")


@given(
    st.dates(dt.date(1990, 1, 1), dt.date(2100, 1, 1)),
    st.sampled_from("DWM"),
    st.sampled_from(["monday", "sunday", "thursday"]),
)
def test_periods_hold_their_days(day: dt.date, freq: str, week_start: str):
    clock = Clock(freq, "UTC", week_start)
    number = clock.number(day)
    assert clock.start(number) <= day < clock.start(number + 1)
    assert clock.length(number) == (clock.start(number + 1) - clock.start(number)).days


def test_j13_what_drives_both_is_a_control_not_an_error():
    world = er.simulate("effect", accounts=8, weeks=60, rng=1)
    made = build_panel(world.posts, world.outcomes, tz="UTC")
    (verdict,) = er.examine("C01", {"world": made.rows})
    assert "controls log (1 + spend)" in verdict.estimate.method
    assert verdict.simulated


def test_j14_posts_are_told_apart_by_their_ids():
    same = weekly_posts(title="the same title")
    assert panel(same).rows["posts"].sum() == panel().rows["posts"].sum()


def test_j15_money_is_neither_deflated_nor_converted():
    dear = daily_sales().assign(value=np.where(daily_sales()["date"] < "2025-03-01", 10.0, 20.0))
    assert panel(outcomes=dear).rows["revenue"].max() == 140.0
    # claims read elasticities off logs, to which a new price level is a step that the trend and lags take up
    assert "y" in er.read_claims()[0].options["logs"]


def test_periods_between_two_files_are_missing_not_zero(tmp_path):
    export = read_export(example_exports(tmp_path, weeks=40, rng=1)[0], tz=ZONE)
    rows = export.rows
    parts = [rows[rows["published_at"] < "2024-04-01"], rows[rows["published_at"] > "2024-06-03"]]
    exports = [
        Export(
            rows=part,
            kind="posts",
            format=export.format,
            guesses=(),
            accounting=type(export.accounting)(len(part), len(part)),
            warnings=(),
            name=f"{n}.csv",
        )
        for n, part in enumerate(parts)
    ]
    made = build_panel(exports, tz="UTC", min_age_days=0)
    assert made.accounting["periods"].reasons["between two files"] == 9
    assert not made.rows["period"].between("2024-04-01", "2024-05-27").any()
    assert any("covers 9 periods between two files" in note for note in made.notes)


def test_a_missing_column_is_missing_and_a_missing_value_is_no_zero():
    posts = weekly_posts()
    posts.loc[:2, "likes"] = np.nan
    posts.loc[:2, "comments"] = np.nan
    made = panel(posts)
    assert "shares" not in made.rows
    assert np.isnan(made.rows["engagement"].iloc[0])
    assert any("3 of 60 posts have no engagement" in note for note in made.notes)


def test_spend_knows_its_days_and_its_owner():
    ads = pd.DataFrame({"date": pd.date_range("2025-01-06", "2025-03-30", freq="2D"), "spend": 5.0})
    made = panel(spend=ads)
    spent = made.rows.set_index("period")["spend"]
    assert spent.loc["2025-01-06":"2025-03-17"].notna().all()
    assert spent.loc["2025-03-24":].isna().all()  # the last row is of a Saturday
    assert made.accounting["spend"].used == len(ads)
    with pytest.raises(DataError, match="one row for a whole range"):
        panel(spend=ads.assign(grain="range"))
    mixed = panel(spend=ads.assign(currency=["EUR", "USD"] * (len(ads) // 2)))
    assert mixed.accounting["spend"].reasons["in another currency"] == len(ads) // 2
    assert any("the advertising is in several currencies" in note for note in mixed.notes)
    with pytest.raises(DataError, match="no row of advertising is left"):
        panel(spend=ads.assign(spend=np.nan))
    two = pd.concat([weekly_posts(account="a"), weekly_posts(account="b")])
    shops = pd.concat([daily_sales(entity="a"), daily_sales(entity="b")])
    with pytest.raises(GuardError, match="whose spending the advertising is"):
        panel(two, shops, spend=ads)
    owned = panel(two, shops, spend=ads.assign(account="b"))
    assert owned.rows.groupby("entity")["spend"].sum().to_dict() == {
        "a": 0.0,
        "b": 5.0 * (len(ads) - 3),
    }  # the last week is not whole


def test_a_column_without_any_value_has_no_type_and_is_missing():
    days = pd.date_range(MONDAY, periods=140)
    visits = pd.DataFrame({"date": days, "platform": "instagram", "account": "shop", "reach": 9.0})
    empty = pd.Series([None] * 140, dtype="string")
    want = panel(weekly_posts(saves=np.nan), followers=visits.assign(saves=np.nan))
    for kind in (pl.from_pandas, lambda t: lazily("duckdb", t), lambda t: t):
        posts = kind(weekly_posts(saves=empty[:60]))
        made = panel(posts, followers=kind(visits.assign(saves=empty))).collect()
        pd.testing.assert_frame_equal(made.rows, want.rows, check_dtype=False)
        assert made.accounting == want.accounting


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"posts": 3}, EngineError, "posts must come as exports or as a table"),
        ({"posts": []}, DataError, "an empty list"),
        (
            {"posts": weekly_posts().drop(columns="account")},
            ColumnError,
            "No column 'account' in the table of posts",
        ),
        ({"posts": weekly_posts(likes="many")}, ColumnError, "'likes' of posts holds no numbers"),
        ({"posts": weekly_posts(published_at="soon")}, ColumnError, "'published_at' holds no times"),
        (
            {"outcomes": daily_sales().rename(columns={"value": "x"})},
            ColumnError,
            "the outcomes have no column 'value'",
        ),
        ({"outcomes": daily_sales(date="soon")}, ColumnError, "'date' of outcomes holds no days"),
        ({"outcomes": daily_sales(value=np.nan)}, DataError, "no outcome row is left: 140 without a value"),
        ({"posts": weekly_posts(1, 1), "freq": "M"}, DataError, "share too few days"),
    ],
)
def test_tables_that_cannot_be_joined(change: dict, error: type, said: str):
    with pytest.raises(error, match=said):
        panel(change.get("posts"), change.get("outcomes"), freq=change.get("freq", "W"))


def test_exports_of_another_kind_are_refused(tmp_path):
    paths = example_exports(tmp_path, weeks=12, rng=1)
    followers = read_export(paths[2], tz=ZONE)
    with pytest.raises(DataError, match="is no table of posts: a table of followers"):
        build_panel(followers, tz=ZONE)


def test_the_same_call_gives_the_same_bits():
    """Sums that are added up again: of accounts in a week, and of days with several rows."""
    likes = np.sqrt(np.arange(20))
    each = [weekly_posts(20, 1, account=f"shop {n}", likes=likes + n / 7) for n in range(120)]
    owners = {f"shop {n}": "shop" for n in range(120)}
    days = pd.DataFrame({"date": pd.date_range(MONDAY, periods=140).repeat(3), "reach": np.arange(420) / 7})
    days = days.assign(platform="instagram", account="shop")
    for posts, followers, entity in ((pd.concat(each), None, owners), (None, days, None)):
        first, *others = (panel(posts, followers=followers, entity=entity).rows for _ in range(9))
        assert all(first.equals(other) for other in others)


def test_names_may_hold_anything():
    odd = "=cmd|' /C calc'!A0 <script>alert(1)</script> 🙂 \"'"
    made = panel(weekly_posts(account=odd), daily_sales(entity="<b>"))
    assert set(made.rows["entity"]) == {"<b>"}
    assert "<b>" not in made._repr_markdown_()


def test_the_account_adds_up_or_is_refused():
    with pytest.raises(DataError, match="does not add up"):
        RowAccounting(3, 1, {"lost": 1})


def test_a_panel_shows_itself():
    made = panel()
    text = str(made)
    assert text.startswith("panel of 19 rows: 1 × week, 2025-01-06 to 2025-05-12; days of UTC, money in EUR")
    assert repr(made) == text
    assert made.columns[:2] == ("entity", "period")


def test_simulated_tables_stay_marked():
    world = er.simulate("nil", accounts=6, weeks=60, rng=1)
    assert build_panel(world.posts, world.outcomes, tz="UTC").rows.attrs["simulated"]
    assert not panel().rows.attrs


def test_the_old_name_of_an_accounting_is_known_for_one_release():
    import erresearch.panel

    with pytest.warns(
        DeprecationWarning, match=r"panel\.Account is erresearch\.panel\.RowAccounting from now on"
    ):
        assert erresearch.panel.Account is RowAccounting
    with pytest.raises(AttributeError, match="has no attribute 'Acount'; dir"):
        erresearch.panel.Acount  # noqa: B018
