"""Every layout of the registry on a fixture of its byte layout: what it is, what becomes of every row, a few facts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from builders import export_of, script

from erresearch.errors import ErresearchError
from erresearch.exports import Export, inspect_export, platforms, read_export
from erresearch.exports.layouts import load_registry

FOLDER = Path(__file__).resolve().parent / "exports"
FILES = FOLDER / "files"
MAKERS = script("tests/exports/make_fixtures.py")


# file: layout, kind, canonical rows, rows in, used, totals, error rows, rejected, out of scope
EXPECTED = {
    "Dec-01-2023_Mar-01-2024_100.csv": ("meta-facebook-posts", "posts", 12, 14, 12, 0, 2, 0, 0),
    "meta_fb_posts_2026.csv": ("meta-facebook-posts", "posts", 8, 8, 8, 0, 0, 0, 0),
    "meta_fb_daily.csv": ("meta-facebook-posts", "daily", 9, 15, 9, 0, 0, 0, 6),
    "meta_fb_split.csv": ("meta-facebook-posts", "posts", 4, 4, 4, 0, 0, 0, 0),
    "meta_fb_videos_es.csv": ("meta-facebook-videos", "posts", 3, 3, 3, 0, 0, 0, 0),
    "meta_ig_posts.csv": ("meta-instagram-posts", "posts", 12, 12, 12, 0, 0, 0, 0),
    "meta_ig_stories.csv": ("meta-instagram-posts", "posts", 6, 6, 6, 0, 0, 0, 0),
    "meta_ig_posts_es.csv": ("meta-instagram-posts", "posts", 5, 5, 5, 0, 0, 0, 0),
    "meta_ig_posts_nl.csv": ("meta-instagram-posts", "posts", 5, 5, 5, 0, 0, 0, 0),
    "meta_ig_posts_de.csv": ("meta-instagram-posts", "posts", 5, 5, 5, 0, 0, 0, 0),
    "Follows.csv": ("meta-page-series", "daily", 18, 18, 18, 0, 0, 0, 0),
    "Reach.csv": ("meta-page-series", "daily", 18, 18, 18, 0, 0, 0, 0),
    "Audience.csv": ("meta-audience", "followers", 2, 9, 2, 0, 0, 0, 7),
    "facebook_insights.csv": ("facebook-insights-posts", "posts", 4, 4, 4, 0, 0, 0, 0),
    "facebook_insights.xls": ("facebook-insights-posts", "posts", 3, 3, 3, 0, 0, 0, 0),
    "meta_ads_daily.csv": ("meta-ads", "ads", 6, 6, 6, 0, 0, 0, 0),
    "meta_ads_total_first.xlsx": ("meta-ads", "ads", 3, 4, 3, 1, 0, 0, 0),
    "meta_ads_months.csv": ("meta-ads", "ads", 2, 2, 2, 0, 0, 0, 0),
    "youtube_table.csv": ("youtube-content", "posts", 4, 6, 4, 1, 0, 1, 0),
    "youtube_table_es.csv": ("youtube-content", "posts", 4, 5, 4, 1, 0, 0, 0),
    "youtube_table_ru.csv": ("youtube-content", "posts", 4, 5, 4, 1, 0, 0, 0),
    "Totals.csv": ("youtube-totals", "daily", 10, 10, 10, 0, 0, 0, 0),
    "youtube.zip": ("youtube-content", "posts", 4, 6, 4, 1, 0, 1, 0),
    "Content.csv": ("tiktok-content", "posts", 4, 4, 4, 0, 0, 0, 0),
    "FollowerHistory_2026-01-19.csv": ("tiktok-followers", "followers", 40, 40, 40, 0, 0, 0, 0),
    "Overview_2026-01-19.csv": ("tiktok-overview", "daily", 40, 40, 40, 0, 0, 0, 0),
    "Viewers_2026-01-09.csv": ("tiktok-viewers", "daily", 20, 20, 20, 0, 0, 0, 0),
    "tweet_activity_metrics_maplemoss.csv": ("x-tweet-activity", "posts", 7, 7, 7, 0, 0, 0, 0),
    "tweet_activity_resaved.csv": ("x-tweet-activity", "posts", 5, 5, 5, 0, 0, 0, 0),
    "account_analytics_content.csv": ("x-content", "posts", 8, 8, 8, 0, 0, 0, 0),
    "account_overview_analytics.csv": ("x-overview", "daily", 9, 9, 9, 0, 0, 0, 0),
    "linkedin_page.xls": ("linkedin-page-posts", "posts", 6, 6, 6, 0, 0, 0, 0),
    "linkedin_followers.xls": ("linkedin-page-followers", "followers", 15, 15, 15, 0, 0, 0, 0),
    "linkedin_creator.xlsx": ("linkedin-creator-posts", "posts", 6, 9, 6, 0, 0, 0, 3),
    "crowdtangle_fb.csv": ("crowdtangle-facebook", "posts", 5, 5, 5, 0, 0, 0, 0),
    "crowdtangle_ig.csv": ("crowdtangle-instagram", "posts", 4, 4, 4, 0, 0, 0, 0),
    "fanpage_karma.xlsx": ("fanpage-karma-posts", "posts", 6, 6, 6, 0, 0, 0, 0),
    "ga4_daily.csv": ("ga4", "outcomes", 180, 30, 30, 0, 0, 0, 0),
    "ga4_es.csv": ("ga4", "outcomes", 10, 10, 10, 0, 0, 0, 0),
    "ga4_multi.csv": ("ga4", "outcomes", 20, 32, 20, 0, 0, 0, 12),
    "ga4_events.csv": ("ga4", "outcomes", 9, 4, 3, 1, 0, 0, 0),
    "ga4_resaved.csv": ("ga4-resaved", "outcomes", 60, 20, 20, 0, 0, 0, 0),
    "google_ads.csv": ("google-ads", "ads", 2, 4, 2, 2, 0, 0, 0),
    "google_ads_tab.csv": ("google-ads", "ads", 2, 4, 2, 2, 0, 0, 0),
    "google_ads_series.csv": ("google-ads-series", "ads", 6, 6, 6, 0, 0, 0, 0),
    "matomo_days.csv": ("matomo", "outcomes", 48, 12, 12, 0, 0, 0, 0),
    "matomo_scheduled.csv": ("matomo", "outcomes", 5, 6, 2, 0, 0, 0, 4),
    "orders_export.csv": ("shopify-orders", "outcomes", 22, 19, 10, 0, 0, 0, 9),
    "orders_export_damaged.csv": ("shopify-orders", "outcomes", 22, 19, 10, 0, 0, 0, 9),
    "shopify_sales.csv": ("shopify-sales", "outcomes", 180, 30, 30, 0, 0, 0, 0),
    "woocommerce.csv": ("woocommerce-orders", "outcomes", 12, 6, 6, 0, 0, 0, 0),
    "unified_payments.csv": ("stripe-payments", "outcomes", 25, 12, 12, 0, 0, 0, 0),
    "payments_currencies.csv": ("stripe-payments", "outcomes", 25, 12, 12, 0, 0, 0, 0),
    "hubspot-crm-exports-deals.csv": ("hubspot-deals", "outcomes", 4, 5, 2, 0, 0, 0, 3),
    "qualtrics.csv": ("qualtrics", "survey", 10, 12, 10, 0, 0, 0, 2),
    "qualtrics_legacy.csv": ("qualtrics", "survey", 6, 6, 6, 0, 0, 0, 0),
    "surveymonkey.csv": ("surveymonkey", "survey", 6, 6, 6, 0, 0, 0, 0),
    "typeform.csv": ("typeform", "survey", 11, 11, 11, 0, 0, 0, 0),
    "pinterest_ads.csv": ("pinterest-ads", "ads", 5, 6, 5, 1, 0, 0, 0),
    "weeks_by_hand.csv": ("own-table", "daily", 20, 20, 20, 0, 0, 0, 0),
    "web_page.xls": ("youtube-totals", "daily", 5, 5, 5, 0, 0, 0, 0),
}
# files that are understood and refused
REFUSED = {
    "Table data.csv": "by Geography; in YouTube Studio",
    "FollowerGender.csv": "by Gender; the follower counts by day are in FollowerHistory.csv",
    "Maple-Campaigns-1-Sep-202430-Sep-2024.csv": "no data is available for 1-Sep-202430-Sep-2024",
}
# layouts that are read through another sheet of a fixture
BY_NAME = {
    "linkedin-page-daily": ("linkedin_page.xls", 20),
    "linkedin-creator-daily": ("linkedin_creator.xlsx", 15),
    "linkedin-creator-followers": ("linkedin_creator.xlsx", 15),
}


def value(export: Export, column: str, **where: object) -> object:
    """The one value of a column in the rows that `where` names."""
    rows = export.rows
    for name, wanted in where.items():
        rows = rows[rows[name] == wanted]
    (found,) = rows[column].tolist()
    return found


def test_the_fixtures_are_what_their_script_writes():
    made = MAKERS.FIXTURES
    assert {path.name for path in FILES.iterdir()} == set(made) == set(EXPECTED) | set(REFUSED)
    for name, make in made.items():
        assert (FILES / name).read_bytes() == make(), name


@pytest.mark.parametrize("name", EXPECTED)
def test_a_fixture_is_recognised_and_every_row_accounted_for(name: str):
    export = export_of(name)
    account = export.accounting
    assert (
        export.format,
        export.kind,
        len(export.rows),
        account.rows_in,
        account.used,
        account.totals,
        account.error_rows,
        account.rejected,
        account.out_of_scope,
    ) == EXPECTED[name]
    assert str(account) in str(export)


@pytest.mark.parametrize("name", EXPECTED)
def test_no_personal_word_of_a_fixture_reaches_the_rows(name: str):
    text = export_of(name).rows.to_csv()
    for word in ("@example.org", "Buyer", "203.0.113.66", "Ann Example", "Doe", "+1 555", "soap, candles"):
        assert word not in text


@pytest.mark.parametrize("name", EXPECTED)
def test_inspection_says_the_same_and_writes_nothing(name: str, tmp_path: Path):
    copy = tmp_path / name
    copy.write_bytes((FILES / name).read_bytes())
    found = inspect_export(copy)
    assert found.whole
    assert EXPECTED[name][0] in str(found)
    assert "nothing was written" in str(found)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert copy.read_bytes() == (FILES / name).read_bytes()


@pytest.mark.parametrize("name", REFUSED)
def test_a_table_of_another_kind_is_refused_by_name(name: str):
    with pytest.raises(ErresearchError, match=REFUSED[name]):
        read_export(FILES / name)


@pytest.mark.parametrize("layout", BY_NAME)
def test_other_sheets_are_read_by_the_name_of_their_layout(layout: str):
    name, rows = BY_NAME[layout]
    export = read_export(FILES / name, platform=layout)
    assert export.format == layout
    assert len(export.rows) == rows


def test_every_layout_has_a_fixture():
    elsewhere = {"youtube-other", "youtube-chart", "youtube-content-days", "tiktok-other"}
    read = {entry[0] for entry in EXPECTED.values()} | set(BY_NAME) | elsewhere
    assert read == {layout.id for layout in load_registry().formats}


def test_every_column_of_the_registry_has_a_meaning_and_a_header():
    registry = load_registry()
    for layout in registry.formats:
        assert layout.evidence in ("bytes", "public code", "fixture"), layout.id
        for target, headers in layout.columns.items():
            assert target in registry.fields, (layout.id, target)
            assert all(text.strip() for texts in headers.values() for text in texts)
        for wanted in layout.signature:
            assert set(wanted.split("|")) <= set(layout.columns), (layout.id, wanted)


def test_the_list_of_platforms_is_the_registry():
    table = platforms()
    assert len(table) == len(load_registry().formats)
    assert table["format"].is_unique
    assert set(table["kind"]) == {"posts", "daily", "followers", "outcomes", "survey", "ads"}


def test_no_flow_is_read_as_a_stock():
    """No native export of posts has a follower count: what looks like one is won by the post."""
    for layout in load_registry().formats:
        if (
            layout.kind == "posts"
            and layout.platform not in ("other",)
            and not layout.id.startswith("crowdtangle")
        ):
            assert "followers" not in layout.columns, layout.id


def test_instagram_times_come_from_the_address_and_agree_with_the_pacific_clock():
    export = export_of("meta_ig_posts.csv")
    moments = pd.to_datetime(pd.Series(MAKERS.MOMENTS), utc=True)
    assert export.rows["published_at"].tolist() == moments.tolist()
    assert set(export.rows["time_source"]) == {"decoded-from-id"}
    assert set(export.rows["time_precision"]) == {"second"}
    assert export.rows["post_id"].str.len().eq(18).all()
    assert value(export, "likes", post_id="180000000000000011") == 121
    assert export.rows.loc[export.rows["collaboration"], "account"].tolist() == ["somebodyelse"]
    assert export.rows["reach"].isna().sum() == 1  # blank is missing, never 0


@pytest.mark.parametrize(
    "name", ["meta_ig_posts_es.csv", "meta_ig_posts_nl.csv", "meta_ig_posts_de.csv", "meta_ig_stories.csv"]
)
def test_languages_and_stories_give_the_same_moments(name: str):
    export = read_export(FILES / name)
    moments = pd.to_datetime(pd.Series(MAKERS.MOMENTS), utc=True)[: len(export.rows)]
    assert export.rows["published_at"].tolist() == moments.tolist()
    assert "followers" not in export.rows.columns
    assert "followers_gained" in export.rows.columns


def test_german_thousands_are_whole():
    export = export_of("meta_ig_posts_de.csv")
    assert export.rows["views"].tolist() == [1200, 1201, 1202, 1203, 1204]


def test_facebook_is_moved_from_the_pacific_clock():
    export = export_of("meta_fb_posts_2026.csv")
    assert (
        export.rows["published_at"].tolist()
        == pd.to_datetime(pd.Series(MAKERS.MOMENTS[:8]), utc=True).tolist()
    )
    assert any(guess.value == "America/Los_Angeles" for guess in export.guesses)
    later = read_export(FILES / "meta_fb_posts_2026.csv", mapping={"zone": "Europe/Amsterdam"})
    assert (export.rows["published_at"] - later.rows["published_at"]).dt.total_seconds().eq(9 * 3600).all()


def test_figures_by_post_and_day_add_up_to_posts_on_request():
    daily = export_of("meta_fb_daily.csv")
    posts = read_export(FILES / "meta_fb_daily.csv", mapping={"per_post": True})
    assert (daily.kind, posts.kind) == ("daily", "posts")
    assert daily.rows["likes"].sum() == posts.rows["likes"].sum()
    assert posts.rows["post_id"].is_unique
    assert daily.accounting.rows_in == posts.accounting.rows_in == 15


def test_reach_of_two_networks_is_never_added_up():
    both = export_of("Reach.csv")
    assert both.rows.groupby("platform")["reach"].sum().to_dict() == {
        "facebook": sum(2700 + 13 * n for n in range(9)),
        "instagram": sum(30 + 13 * n for n in range(9)),
    }
    one = read_export(FILES / "Reach.csv", platform="instagram")
    assert set(one.rows["platform"]) == {"instagram"}
    assert one.accounting.out_of_scope == 9


def test_a_stock_of_followers_is_read_from_the_audience():
    export = read_export(FILES / "Audience.csv", mapping={"exported_at": "2026-01-31"})
    assert export.rows[["date", "platform", "followers"]].to_dict("records") == [
        {"date": pd.Timestamp("2026-01-31"), "platform": "facebook", "followers": 30250},
        {"date": pd.Timestamp("2026-01-31"), "platform": "instagram", "followers": 3100},
    ]


def test_old_facebook_keeps_likes_on_a_second_sheet():
    export = export_of("facebook_insights.xls")
    assert export.rows.set_index("post_id")["likes"].to_dict() == {"700_0": 10, "700_1": 11, "700_2": 12}
    paid = export_of("facebook_insights.csv").rows
    assert paid["is_paid"].fillna(False).sum() == 1


def test_tiktok_years_come_from_the_ids_and_from_the_end_of_the_series():
    posts = export_of("Content.csv")
    assert posts.rows["published_at"].dt.date.tolist() == [moment.date() for moment in MAKERS.TIKTOK]
    assert posts.exported_at == dt.date(2026, 2, 28)
    series = export_of("FollowerHistory_2026-01-19.csv").rows
    assert series["date"].tolist() == pd.date_range("2025-12-10", periods=40).tolist()
    assert series["followers"].isna().sum() == 5  # "undefined"
    assert series["followers"].iloc[-1] == 30 + 9 * 39


def test_posts_of_x_have_the_second_of_their_id():
    for name in ("account_analytics_content.csv", "tweet_activity_resaved.csv"):
        export = read_export(FILES / name)
        moments = pd.to_datetime(pd.Series(MAKERS.MOMENTS), utc=True)[: len(export.rows)]
        assert export.rows["published_at"].tolist() == moments.tolist(), name
        assert export.rows["post_id"].str.len().eq(19).all()


def test_lists_side_by_side_are_one_list_of_posts():
    rows = export_of("linkedin_creator.xlsx").rows.set_index("post_id")
    assert rows.loc[
        "https://www.linkedin.com/feed/update/urn:li:share:0", ["engagements_reported", "impressions"]
    ].tolist() == [90, 900]
    assert pd.isna(rows.loc["https://www.linkedin.com/feed/update/urn:li:share:7", "engagements_reported"])


def test_crowdtangle_adds_the_reactions_and_reads_its_zone():
    rows = export_of("crowdtangle_fb.csv").rows
    assert rows["likes"].eq(1000 + 40 + 10 + 5 + 4 + 3 + 2).all()
    assert str(rows["published_at"].iloc[0]) == "2021-07-06 20:45:20+00:00"
    assert rows["followers"].isna().tolist() == [True, False, False, False, False]
    assert rows["followers"].iloc[1] == 1972


def test_google_analytics_counts_days_from_its_start():
    multi = export_of("ga4_multi.csv").rows
    assert (
        multi[multi["outcome"] == "revenue"]["date"].tolist()
        == pd.date_range("2026-01-01", periods=10).tolist()
    )
    assert multi[multi["outcome"] == "revenue"]["value"].sum() == sum(10.5 + n for n in range(10))
    daily = export_of("ga4_daily.csv")
    assert value(daily, "value", outcome="events", date=pd.Timestamp("2026-01-03")) == 900 - 14
    assert set(daily.rows["entity"]) == {"maple.example - GA4"}


def test_advertising_has_its_grain_and_currency():
    ranged = export_of("google_ads_tab.csv")
    assert set(ranged.rows["grain"]) == {"range"}
    assert any(caution.code == "one row per range" for caution in ranged.warnings)
    assert ranged.rows["date_end"].iloc[0] == pd.Timestamp("2026-02-23")
    assert set(export_of("meta_ads_daily.csv").rows["grain"]) == {"day"}
    months = export_of("meta_ads_months.csv").rows
    assert set(months["grain"]) == {"month"}
    assert months["currency"].tolist() == ["EUR", "EUR"]


def test_a_shop_counts_orders_once_and_refunds_apart():
    export = export_of("orders_export.csv")
    revenue = export.rows[export.rows["outcome"] == "revenue"]
    by_kind = revenue.groupby("kind")["value"].sum().round(2).to_dict()
    assert by_kind == {
        "cancelled": 58.06 + 59.06,
        "pending": 55.06,
        "refund": -67.06,
        "sale": pytest.approx(sum(50.06 + i for i in (0, 1, 2, 3, 4, 6, 7))),
    }
    assert (export.rows["outcome"] == "orders").sum() == 10
    damaged = export_of("orders_export_damaged.csv")
    pd.testing.assert_frame_equal(
        damaged.rows.drop(columns="source_row"), export.rows.drop(columns="source_row"), check_exact=True
    )


def test_payments_are_one_currency_and_failed_ones_no_sale():
    export = export_of("payments_currencies.csv")
    assert set(export.rows.loc[export.rows["outcome"] == "revenue", "currency"]) == {"THB"}
    kinds = export.rows[export.rows["outcome"] == "revenue"]["kind"].value_counts().to_dict()
    assert kinds == {"sale": 9, "failed": 3, "refund": 1}
    refund = export.rows[export.rows["kind"] == "refund"]
    assert refund["date"].tolist() == [pd.Timestamp("2026-02-17")]
    assert refund["value"].tolist() == [-8.0]
    one = read_export(FILES / "payments_currencies.csv", currency="eur")
    assert set(one.rows.loc[one.rows["outcome"] == "revenue", "currency"]) == {"EUR"}
    assert one.accounting.used == 4


def test_days_of_payments_follow_the_zone_asked_for():
    utc = export_of("unified_payments.csv").rows
    west = read_export(FILES / "unified_payments.csv", tz="America/New_York").rows
    assert (utc["at"].sort_values().tolist()) == west["at"].sort_values().tolist()
    sale = utc[utc["outcome"] == "orders"].set_index("order_id")["date"]
    other = west[west["outcome"] == "orders"].set_index("order_id")["date"]
    assert ((sale - other).dt.days == 1).all()  # 03:48 UTC is the evening before in New York


def test_surveys_keep_the_score_and_hash_the_person():
    export = export_of("surveymonkey.csv")
    assert export.rows["score"].tolist() == [10, 9, 0, 7, 8, 10]
    assert export.rows["respondent"].str.fullmatch("[0-9a-f]{16}").all()
    assert export_of("qualtrics.csv").rows["score"].between(0, 10).all()


def test_the_score_of_a_survey_is_named_among_its_columns():
    export = export_of("typeform.csv")
    header = export.columns["score"]
    assert any(guess.name == "score" and header[:20] in guess.value for guess in export.guesses)
    assert not any("not read" in note and header in note for note in export.notes)
