"""Choices of a joining: lags, columns of their own, figures by day, refunds, advertised posts, cross-posts, breaks."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import MONDAY, as_orders, daily_sales, in_engine, weekly_posts
from test_panel import panel

from erresearch.errors import ColumnError, DataError, DesignError, GuardError, UnknownNameError
from erresearch.exports import Accounting, Export, definition_changes
from erresearch.panel import Rules


def export(rows: pd.DataFrame, kind: str, name: str, **more: object) -> Export:
    """A table as if it had been read."""
    rows = rows.assign(source_row=np.arange(len(rows)) + 2)
    return Export(
        rows=rows,
        kind=kind,
        format=more.pop("format", name),
        guesses=(),
        accounting=Accounting(len(rows), len(rows)),
        warnings=(),
        name=name,
        **more,
    )


# ── lags ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lags_are_earlier_periods_of_the_same_entity():
    two = pd.concat([weekly_posts(), weekly_posts(account="b", likes=1.0)])
    shops = pd.concat([daily_sales(entity="shop"), daily_sales(entity="b", value=3.0)])
    made = panel(two, shops, rules=Rules(lags=3)).rows
    for name in ("posts", "engagement", "revenue"):
        for n in (1, 2, 3):
            pd.testing.assert_series_equal(
                made[f"lag{n} {name}"], made.groupby("entity")[name].shift(n).astype(float), check_names=False,
                check_dtype=False,
            )  # fmt: skip
    assert not any(name.startswith("lag") for name in panel(rules=Rules(lags=0)).columns)
    assert "lag1 revenue" in panel().columns
    assert "one period earlier; missing after a gap" in panel().definitions["lag1 revenue"]


def test_no_lag_reaches_across_a_gap():
    whole = weekly_posts(weeks=30)
    late = whole["published_at"] > "2025-06-01"
    early = whole["published_at"] < "2025-04-01"
    exports = [export(whole[early], "posts", "a.csv"), export(whole[late], "posts", "b.csv")]
    made = panel(exports, daily_sales(210), rules=Rules(lags=2))
    rows = made.rows.set_index("period")
    first = rows.index[rows.index > "2025-05-01"].min()
    assert rows.loc[first, ["lag1 revenue", "lag2 revenue"]].isna().all()
    after = first + pd.Timedelta(days=7)
    assert rows.loc[after, "lag1 revenue"] == rows.loc[first, "revenue"]
    assert np.isnan(rows.loc[after, "lag2 revenue"])
    assert "1 period follows a gap, where lag 1 is missing" in made.notes
    assert "2 periods follow a gap, where lag 2 is missing" in made.notes


# ── columns of their own ─────────────────────────────────────────────────────────────────────────────────────────


def test_accounts_stand_in_columns_and_revenue_on_one_row():
    tiktok = weekly_posts(account="shop", platform="tiktok", per_week=1, likes=5.0)
    posts = pd.concat([weekly_posts(), weekly_posts(account="second"), tiktok])
    made = panel(posts, rules=Rules(apart="account")).rows
    labels = ["shop, instagram", "second, instagram", "shop, tiktok"]
    for name in ("posts", "engagement", "reach", "likes"):
        assert made[name].to_numpy() == pytest.approx(
            made[[f"{name} ({label})" for label in labels]].sum(axis=1).to_numpy()
        )
    assert made["revenue"].tolist() == [70.0] * 19
    assert not any("revenue (" in name or "followers (" in name for name in made.columns)
    alone = panel(weekly_posts(account="second")).rows
    assert made["er_by_reach (second, instagram)"].to_numpy() == pytest.approx(
        alone["er_by_reach"].to_numpy()
    )


@pytest.mark.parametrize("apart", ["platform", "post_type"])
def test_platforms_and_kinds_of_post_stand_apart(apart: str):
    odd = "=a <b> 🙂"
    posts = pd.concat(
        [weekly_posts(post_type="reel"), weekly_posts(account="x", platform=odd, post_type=odd)]
    )
    made = panel(posts, rules=Rules(apart=apart))
    assert made.rows[f"posts ({odd})"].tolist() == [3] * 19
    assert f"of {odd} only" in made.definitions[f"er_by_reach ({odd})"]
    quiet = posts[~((posts[apart] == odd) & posts["published_at"].between("2025-02-03", "2025-02-10"))]
    row = panel(quiet, rules=Rules(apart=apart)).rows.set_index("period").loc["2025-02-03"]
    assert (row[f"posts ({odd})"], row[f"engagement ({odd})"]) == (0, 0)
    assert np.isnan(row[f"er_by_reach ({odd})"])


def test_what_cannot_stand_apart_is_refused():
    with pytest.raises(ColumnError, match="no column 'post_type' to tell them apart"):
        panel(rules=Rules(apart="post_type"))
    many = pd.concat([weekly_posts(account=f"a{n}", per_week=1) for n in range(41)])
    with pytest.raises(GuardError, match=r"too many values of 'account' for columns of their own: 41"):
        panel(many, rules=Rules(apart="account"))
    with pytest.raises(UnknownNameError, match="There is no apart 'brand'"):
        Rules(apart="brand")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="There is no revenue 'gross'"):
        Rules(revenue="gross")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="`lags` must be a number of periods: True"):
        Rules(lags=True)


def test_s9_rates_over_several_kinds_of_post_are_said():
    posts = weekly_posts().assign(post_type=["reel", "image", "image"] * 20)
    assert any(
        "rates are of 2 kinds of post together (40 image, 20 reel)" in note and "apart='post_type'" in note
        for note in panel(posts).notes
    )
    assert not any("kinds of post" in note for note in panel(posts, rules=Rules(apart="post_type")).notes)


# ── figures by day ───────────────────────────────────────────────────────────────────────────────────────────────


def by_day(days: int = 140, **more: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {"date": pd.date_range(MONDAY, periods=days), "platform": "instagram", "account": "shop"}
    )
    return table.assign(**({"views": 2.0, "reach": 3.0, "profile_visits": 1.0} | more))


@pytest.mark.parametrize("table", ["posts", "outcomes", "followers", "spend"])
def test_categorical_names_give_the_panel_of_plain_text(table: str):
    spent = by_day(views=5.0).rename(columns={"views": "spend"})[["date", "account", "spend"]]
    tables = {
        "posts": pd.concat([weekly_posts(), weekly_posts(account="b", platform="tiktok")]),
        "outcomes": daily_sales(),
        "followers": pd.concat(
            [by_day(account="@Shop", followers=900.0), by_day(platform="tiktok", account="b")]
        ),
        "spend": spent.assign(entity="shop", currency="EUR", grain="day"),
    }
    whole = panel(**tables)
    names = tables[table].select_dtypes(["object", "string"]).columns
    assert len(names) > 1
    made = panel(**tables | {table: tables[table].astype(dict.fromkeys(names, "category"))})
    pd.testing.assert_frame_equal(made.rows, whole.rows)
    assert (made.accounting, made.notes) == (whole.accounting, whole.notes)
    assert {"followers", "daily_views (tiktok)", "spend"} <= set(made.rows)


def test_figures_by_day_are_added_up_over_whole_periods():
    made = panel(followers=by_day())
    assert made.rows["daily_views (instagram)"].tolist() == [14.0] * 19
    assert made.accounting["daily"].used == 133
    assert "more than once" in made.definitions["daily_reach (instagram)"]
    assert "followers" not in made.rows
    gap = by_day()[lambda t: t["date"] != pd.Timestamp("2025-03-05")]
    holed = panel(followers=gap)
    assert holed.rows.set_index("period")["daily_views (instagram)"].isna().sum() == 1
    assert any("3 sums of figures by day, with some days lacking" in note for note in holed.notes)


def test_figures_by_day_of_exports_beside_a_history_of_followers():
    overview = export(
        by_day(platform="tiktok", account="tiktok").drop(columns="reach"), "daily", "Overview.csv"
    )
    follows = export(
        by_day(followers=range(140))[["date", "platform", "account", "followers"]], "followers", "f.csv"
    )
    made = panel(followers=[follows, overview])
    assert made.rows["daily_profile_visits (tiktok)"].tolist() == [7.0] * 19  # the only entity's
    assert made.rows["followers"].iloc[0] == 6
    assert set(made.accounting) == {"posts", "outcomes", "followers", "daily", "periods"}
    again = panel(followers=[follows, overview, overview])
    assert again.accounting["daily"].reasons["rows that another export repeats"] == 140
    pd.testing.assert_frame_equal(again.rows, made.rows)


def test_rows_by_post_and_day_are_added_up_too():
    rows = pd.concat([by_day(post_id="a"), by_day(post_id="b")]).drop(columns="reach")
    made = panel(followers=export(rows, "daily", "daily.csv"))
    assert made.rows["daily_views (instagram)"].tolist() == [28.0] * 19


def test_accounts_of_one_platform_are_added_up_and_none_is_left_out_silently():
    two = pd.concat([weekly_posts(), weekly_posts(account="b")])
    table = pd.concat([by_day(), by_day(account="b").iloc[:70], by_day(account="b", date=pd.NaT).iloc[:3]])
    made = panel(two, followers=table)
    views = made.rows["daily_views (instagram)"]
    assert views.iloc[:10].tolist() == [28.0] * 10
    assert views.iloc[10:].isna().all()
    assert made.accounting["daily"].reasons["without a date"] == 3
    shops = pd.concat([daily_sales(entity="shop"), daily_sales(entity="b")])
    apart = panel(two, shops, followers=pd.concat([by_day(), by_day(account="stranger")]))
    assert apart.accounting["daily"].reasons["of no account here"] == 140
    assert any("figures by day of stranger (instagram) belong to no account" in note for note in apart.notes)
    with pytest.raises(ColumnError, match="do not say of which account they are"):
        panel(two, shops, followers=by_day().drop(columns="account"))
    old = panel(followers=by_day(date=pd.Timestamp("2020-01-01")))
    assert not any(name.startswith("daily") for name in old.columns)


def test_a_second_account_of_a_platform_is_not_taken_for_the_one_that_published():
    friend = by_day(account="friend", date=pd.date_range("2024-12-01", periods=140), followers=9.0)
    own = by_day(followers=5_000.0).iloc[30:]
    made = panel(followers=pd.concat([own, friend]))
    first = made.rows["followers"].first_valid_index()
    assert made.rows["followers"].iloc[first:].tolist() == [5_000.0] * (19 - first)
    assert first == 4  # before the own history begins nothing is known
    assert made.accounting["followers"].reasons == {"without a count or of no account here": 140}
    assert made.accounting["daily"].reasons["of no account here"] == 140
    assert any("follower counts of friend (instagram) belong to no account" in note for note in made.notes)
    assert any("figures by day of friend (instagram) belong to no account" in note for note in made.notes)
    # of two strangers nobody knows which it is; one alone is the account's, whatever its name
    strangers = panel(followers=pd.concat([friend, friend.assign(account="other")]))
    assert "followers" not in strangers.rows
    assert any("friend (instagram), other (instagram) belong" in note for note in strangers.notes)
    assert panel(followers=friend).rows["followers"].tolist() == [9.0] * 19


def test_a_table_that_knows_neither_followers_nor_figures_is_refused():
    with pytest.raises(ColumnError, match="No column 'followers' in the table of followers"):
        panel(followers=by_day()[["date", "platform", "account"]])
    with pytest.raises(DataError, match="is no table of followers: a table of posts"):
        panel(followers=[export(weekly_posts(), "posts", "p.csv")])


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_lazy_figures_by_day_are_the_same(engine: str):
    from test_panel import collected

    lazies = in_engine(engine, {"posts": weekly_posts(), "outcomes": daily_sales(), "followers": by_day()})
    whole = panel(followers=by_day())
    made = panel(lazies["posts"], lazies["outcomes"], followers=lazies["followers"])
    pd.testing.assert_frame_equal(collected(made, engine), whole.rows, check_dtype=False)


# ── repeated posts ───────────────────────────────────────────────────────────────────────────────────────────────


def test_s6_a_rate_by_post_counts_own_posts_only():
    """Two of three posts of a week are collaborations under the account's own name."""
    posts = weekly_posts(likes=100.0, comments=0.0, collaboration=[True, True, False] * 20, followers=1_000.0)
    made = panel(posts).rows
    assert made["posts"].tolist() == [3] * 19
    assert made["er_by_followers"].tolist() == pytest.approx([0.1] * 19)
    assert made["er_by_followers_post"].tolist() == pytest.approx([0.1] * 19)


def test_s14_each_file_has_its_own_day_of_export():
    """Figures of the last week before an early export are not taken for grown because another file is later."""
    early = weekly_posts(weeks=12)
    late = weekly_posts(weeks=20, account="b", platform="tiktok")
    both = [
        export(early, "posts", "ig.csv", exported_at=dt.date(2025, 3, 31)),
        export(late, "posts", "tt.csv", exported_at=dt.date(2025, 6, 30)),
    ]
    made = panel(both, min_age_days=7)
    assert made.accounting["posts"].reasons["younger than 7 days at the export"] == 3
    assert made.rows["period"].max() == pd.Timestamp("2025-03-17")
    assert any("3 posts are younger than 7 days at the export of their file" in note for note in made.notes)
    # a later file of the same account goes on: the week between is left out, not counted with half its reactions
    rest = weekly_posts(weeks=20).iloc[36:]
    parts = [
        export(early, "posts", "ig.csv", exported_at=dt.date(2025, 3, 31)),
        export(rest, "posts", "ig2.csv", exported_at=dt.date(2025, 6, 30)),
    ]
    joined = panel(parts, min_age_days=7)
    assert joined.accounting["periods"].reasons["with posts that were too young"] == 1
    assert pd.Timestamp("2025-03-24") not in set(joined.rows["period"])
    assert {pd.Timestamp("2025-03-17"), pd.Timestamp("2025-03-31")} <= set(joined.rows["period"])
    # parts of one download, of which no day is known, are as old as the newest of them
    unknown = panel([export(early, "posts", "ig.csv"), export(rest, "posts", "ig2.csv")], min_age_days=7)
    assert unknown.accounting["posts"].reasons["younger than 7 days at the export"] == 3
    assert pd.Timestamp("2025-03-24") in set(unknown.rows["period"])


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_s14_a_table_says_in_a_column_when_each_post_was_exported(engine: str):
    days = pd.Series(pd.Timestamp("2025-06-30"), index=range(60)).where(
        np.arange(60) >= 36, pd.Timestamp("2025-03-31")
    )
    for column in (days, days.dt.tz_localize("UTC"), days.dt.date):
        whole = weekly_posts(exported_at=column)
        made = panel(whole, min_age_days=7)
        assert made.accounting["posts"].reasons["younger than 7 days at the export"] == 3
        assert made.accounting["periods"].reasons["with posts that were too young"] == 1
        there = in_engine(engine, {"posts": whole, "outcomes": daily_sales()})
        lazy = panel(there["posts"], there["outcomes"], min_age_days=7)
        assert (lazy.accounting, lazy.notes) == (made.accounting, made.notes)


@pytest.mark.parametrize("engine", ["pandas", "polars", "duckdb"])
def test_the_newest_figures_of_a_post_stay(engine: str):
    old = weekly_posts(exported_at=pd.Timestamp("2025-06-01")).assign(likes=1.0)
    new = weekly_posts(exported_at=pd.Timestamp("2025-07-01")).iloc[:30]
    posts = pd.concat([old, new, new.iloc[:2]])
    given = posts if engine == "pandas" else in_engine(engine, {"posts": posts})["posts"]
    made = panel(given)
    rows = made.rows if engine == "pandas" else None
    assert made.accounting["posts"].reasons["of posts with newer figures"] == 30
    assert made.accounting["posts"].reasons["copies of an earlier row"] == 2
    assert any("the newest stay" in note for note in made.notes)
    if rows is not None:
        assert rows["likes"].tolist()[:9] == panel().rows["likes"].tolist()[:9]
        assert rows["likes"].tolist()[10:] == [3.0] * 9


def test_posts_without_an_id_are_no_copies_of_each_other():
    posts = weekly_posts()
    posts.loc[:5, "post_id"] = None
    assert panel(posts).rows["posts"].sum() == panel().rows["posts"].sum()
    twice = panel(pd.concat([posts, posts.iloc[10:12]]))
    assert twice.accounting["posts"].reasons["copies of an earlier row"] == 2
    assert twice.rows["posts"].sum() == panel().rows["posts"].sum()


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("engine", ["pandas", "polars", "duckdb"])
def test_o3_refunds_on_their_own_day_or_on_that_of_their_order(engine: str):
    sold = as_orders(daily_sales())
    back = as_orders(daily_sales(14, value=-4.0), "refund").assign(date=pd.Timestamp("2025-04-07"))
    stray = back.iloc[:1].assign(order_id="#unknown")
    rows = pd.concat([sold, back, stray])
    given = rows if engine == "pandas" else in_engine(engine, {"rows": rows})["rows"]
    reported = panel(outcomes=given)
    assert reported.rows.set_index("period").loc["2025-04-07", "revenue"] == 70 - 15 * 4
    carried = panel(outcomes=given, rules=Rules(revenue="net-by-order-date"))
    assert carried.rows["revenue"].tolist()[:3] == [42.0, 42.0, 70.0]
    assert carried.rows.set_index("period").loc["2025-04-07", "revenue"] == 66
    assert any(
        "14 of 15 refunds are carried to the day of the order; 1 give back an order that is not here" in note
        for note in carried.notes
    )
    assert any("netted on the day of their order" in note for note in carried.notes)
    assert any("netted on the day that their file gives" in note for note in reported.notes)


def test_o3_refunds_without_orders_cannot_be_carried():
    made = panel(rules=Rules(revenue="net-by-order-date"))
    assert any("the outcomes name no orders" in note for note in made.notes)


# ── advertised posts ─────────────────────────────────────────────────────────────────────────────────────────────


def test_s8_advertised_posts_are_counted_or_left_out():
    posts = weekly_posts().assign(is_paid=[True, False, False] * 20)
    posts.loc[posts["is_paid"], "likes"] = 1000.0
    made = panel(posts)
    assert made.rows["paid_posts"].tolist() == [1.0] * 19
    assert any("20 of 60 posts were boosted" in note and "a control" in note for note in made.notes)
    left = panel(posts, rules=Rules(paid="left out"))
    assert left.accounting["posts"].reasons["boosted (advertised)"] == 20
    assert left.rows["likes"].max() < 1000
    assert left.rows["posts"].tolist()[1:] == [2] * (len(left.rows) - 1)


# ── cross-posts ──────────────────────────────────────────────────────────────────────────────────────────────────


def sisters(**more: object) -> pd.DataFrame:
    facebook = weekly_posts(platform="facebook").assign(
        post_id=[f"f{n}" for n in range(60)], is_crosspost=[True, False, False] * 20
    )
    facebook["published_at"] += pd.Timedelta(seconds=50)
    return pd.concat([weekly_posts(), facebook.assign(**more)], ignore_index=True)


def test_s7_cross_posts_count_as_one_where_that_is_asked_for():
    posts = sisters()
    both, one = panel(posts), panel(posts, rules=Rules(crossposts="merged"))
    assert one.accounting["posts"].reasons["merged with the row of the sister network"] == 20
    assert one.accounting["posts"].rows_in == both.accounting["posts"].rows_in == 120
    assert one.rows["likes"].sum() == both.rows["likes"].sum()
    assert both.rows["posts"].iloc[1] - one.rows["posts"].iloc[1] == 1
    assert one.rows["reach"].iloc[1] == both.rows["reach"].iloc[1] - 200  # of a merged post it is not known
    assert any("20 posts stand on Facebook and on Instagram, counted once" in n for n in one.notes)


def test_s7_texts_decide_where_they_are_known():
    texts = [f"text {n}" for n in range(60)]
    posts = sisters().assign(caption=texts + ["another"] * 60)
    assert any("no post was found on both" in n for n in panel(posts, rules=Rules(crossposts="merged")).notes)
    same = sisters().assign(caption=texts * 2)
    made = panel(same, rules=Rules(crossposts="merged"))
    assert made.accounting["posts"].reasons["merged with the row of the sister network"] == 60


def test_s7_posts_of_other_brands_days_and_tables_are_not_merged():
    merged = Rules(crossposts="merged")
    extra = pd.concat(
        [sisters(account="page"), weekly_posts(account="other").assign(post_id=lambda t: "o" + t["post_id"])]
    )
    assert any("no post was found on both" in note for note in panel(extra, rules=merged).notes)
    days = sisters(time_precision="day")
    assert any("no post was found on both" in note for note in panel(days, rules=merged).notes)
    assert any(
        "name no platform" in n for n in panel(weekly_posts().drop(columns="platform"), rules=merged).notes
    )


# ── changed definitions ──────────────────────────────────────────────────────────────────────────────────────────


def test_h7_impressions_that_become_views_are_one_column_only_where_allowed():
    posts = weekly_posts()
    later = posts["published_at"] >= "2025-03-10"
    posts["impressions"] = np.where(later, np.nan, 50.0)
    posts["views"] = np.where(later, 500.0, np.nan)
    made = panel(posts)
    assert "exposure" not in made.rows
    assert any(
        "impressions before 2025-03-10 and views from then on, which are different figures: they are not one"
        in note
        for note in made.notes
    )
    pooled = panel(posts, rules=Rules(allow_break=True))
    rows = pooled.rows.set_index("period")
    assert rows["exposure_break"].loc[:"2025-03-03"].eq(0).all()
    assert rows["exposure_break"].loc["2025-03-10":].eq(1).all()
    assert rows.loc["2025-03-03":"2025-03-10", "exposure"].tolist() == [150.0, 1500.0]
    both = weekly_posts(impressions=50.0, views=60.0)
    assert not any("different figures" in note for note in panel(both, rules=Rules(allow_break=True)).notes)


def ga4(header: str, rows: pd.DataFrame, name: str) -> Export:
    rows = rows.assign(kind="reported", segment="", outcome="conversions", currency="")
    return export(rows, "outcomes", name, format="ga4", columns={"conversions": header})


def test_h7_a_renamed_outcome_is_pooled_only_where_allowed():
    first = ga4("Conversions", daily_sales(70), "old.csv")
    second = ga4(
        "Key events", daily_sales(70).assign(date=pd.date_range("2025-03-17", periods=70)), "new.csv"
    )
    (change,) = definition_changes([first, second])
    assert (change.name, change.before, change.after, change.day) == (
        "conversions", "Conversions", "Key events", dt.date(2025, 3, 17),
    )  # fmt: skip
    with pytest.raises(
        GuardError, match=r"definition of conversions changes midway.*'Key events' from 2025-03-17"
    ):
        panel(outcomes=[first, second])
    made = panel(outcomes=[first, second], rules=Rules(allow_break=True))
    assert (
        made.rows.set_index("period")["conversions_break"].sum()
        == (made.rows["period"] >= "2025-03-17").sum()
    )
    assert made.rows["conversions"].tolist() == [70.0] * 19
    spanish = ga4("Conversiones", daily_sales(70), "es.csv")
    assert not definition_changes([first, spanish])  # another language is no other word


# ── age ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_s15_the_age_of_the_posts_stands_beside_their_figures():
    posts = weekly_posts()
    end = pd.Timestamp("2025-06-01", tz="UTC")
    made = panel(posts.assign(age_days=(end - posts["published_at"]).dt.days.astype(float))).rows
    assert made["post_age_days"].iloc[0] == pytest.approx(np.mean([145, 143, 141]))
    assert (made["post_age_days"].diff().dropna() == -7).all()
    assert made["post_age_days"].notna().all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # between ibis and its own libraries
def test_an_ibis_table_gives_the_same_panel_and_an_ibis_table():
    ibis = pytest.importorskip("ibis")
    made = panel(ibis.memtable(weekly_posts()), ibis.memtable(daily_sales()))
    assert isinstance(made.rows, ibis.expr.types.Table)
    rows = pl.from_arrow(made.rows.to_pyarrow()).to_pandas().sort_values("period", ignore_index=True)
    pd.testing.assert_frame_equal(rows, panel().rows, check_dtype=False)


def test_polars_in_polars_out_with_every_rule():
    posts = pl.from_pandas(sisters())
    made = panel(
        posts, rules=Rules(apart="platform", lags=2, crossposts="merged", paid="left out", allow_break=True)
    )
    assert isinstance(made.rows, pl.DataFrame)
    assert "posts (facebook)" in made.columns


# ── what no file covers ──────────────────────────────────────────────────────────────────────────────────────────


def sale_export(first: str, last: str, name: str, a_day: int = 2, entity: str = "shop") -> Export:
    """Orders one by one."""
    days = pd.date_range(first, last).repeat(a_day)
    rows = pd.DataFrame({"date": days, "entity": entity, "outcome": "revenue", "value": 10.0, "kind": "sale"})
    rows["order_id"] = [f"{name} {n}" for n in range(len(rows))]
    return export(rows, "outcomes", name, format="shopify-orders")


def test_j7_between_two_files_of_sales_nothing_is_known():
    early, late = (
        sale_export("2025-01-06", "2025-02-12", "a.csv"),
        sale_export("2025-04-02", "2025-05-25", "b.csv"),
    )
    made = panel(outcomes=[early, late])
    rows = made.rows.set_index("period")["revenue"]
    assert (rows == 140).all()  # never 0, and no half week
    assert not {pd.Timestamp("2025-02-10"), pd.Timestamp("2025-03-10"), pd.Timestamp("2025-03-31")} & set(
        rows.index
    )
    assert made.accounting["periods"].reasons["between two files"] == 8
    assert any(
        "no file of the sales of shop covers 8 periods between two files" in note for note in made.notes
    )
    daily = panel(outcomes=[early, late], freq="D")
    assert (daily.rows["revenue"] == 20).all()
    # of neighbours, and of files with few sales, nothing is left out
    for a_day, start in ((2, "2025-02-13"), (1, "2025-02-15")):
        near = [
            sale_export("2025-01-06", "2025-02-12", "a.csv", a_day),
            sale_export(start, "2025-05-25", "b.csv", a_day),
        ]
        assert "between two files" not in panel(outcomes=near).accounting["periods"].reasons
    # the files of two shops are not parts of one
    shops = [early, sale_export("2025-03-25", "2025-05-25", "b.csv", entity="b")]
    posts = pd.concat([weekly_posts(), weekly_posts(account="b")])
    assert not any("between two files" in note for note in panel(posts, shops).notes)


def test_j7_a_spell_without_sales_that_chance_does_not_explain_is_said():
    whole = as_orders(daily_sales())
    hole = whole[(whole["date"] < "2025-03-03") | (whole["date"] > "2025-03-30")]
    made = panel(outcomes=hole)
    assert made.rows.set_index("period").loc["2025-03-10", "revenue"] == 0
    (said,) = [note for note in made.notes if "no sale of shop" in note]
    assert "from 2025-03-03 to 2025-03-30, where the usual 1 a day would have made 28" in said
    assert not any("no sale of" in note for note in panel(outcomes=whole).notes)


def test_j7_periods_of_a_reported_figure_without_any_row_are_listed():
    hole = daily_sales()[lambda t: (t["date"] < "2025-03-03") | (t["date"] > "2025-03-30")]
    made = panel(outcomes=hole)
    assert made.rows.set_index("period")["revenue"].isna().sum() == 4
    assert any(
        "4 periods without a row, taken as missing, not as 0: revenue 2025-03-03, revenue 2025-03-10" in note
        for note in made.notes
    )


def test_a_platform_that_falls_silent_is_said_and_a_rare_one_is_not():
    posts = weekly_posts()
    away = posts["published_at"].between("2025-02-03", "2025-03-17")
    (said,) = [note for note in panel(posts[~away]).notes if "no post of" in note]
    assert "no post of shop on instagram from 2025-02-01 to 2025-03-16" in said
    assert "if the export lacks them, leave these days out" in said
    rare = posts.iloc[::12]  # one in four weeks
    assert not any("no post of" in note for part in (posts, rare) for note in panel(part).notes)


def test_accounts_that_are_added_up_over_different_times_are_said():
    short = weekly_posts(weeks=8, account="second")
    made = panel(pd.concat([weekly_posts(), short]))
    (said,) = [note for note in made.notes if "do not cover the same time" in note]
    assert "second 2025-01-06 to 2025-02-28" in said
    assert "outside its own dates an account counts as silent" in said
    assert not any(
        "same time" in n for n in panel(pd.concat([weekly_posts(), weekly_posts(account="b")])).notes
    )


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_holidays_without_other_events_are_refused_and_their_country_is_known():
    with pytest.raises(DesignError, match=r"holidays alone do not say .* holidays of NL .* --events none"):
        Rules(holidays="NL")
    for events in ("", "none"):
        with pytest.raises(UnknownNameError, match="There is no country 'ZZ'"):
            Rules(events=events, holidays="ZZ")
        with pytest.raises(UnknownNameError, match="There is no part of DE 'XX'"):
            Rules(events=events, holidays="DE-XX")
    assert Rules(events="none", holidays="de-by").holidays == "de-by"
