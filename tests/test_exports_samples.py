"""Real files, read where they are: their layout, the account of their rows, a few facts that were checked by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from erresearch.errors import ErresearchError
from erresearch.exports import inspect_export, read_export

# file: layout, kind, canonical rows, rows in, used, totals, error rows, rejected, out of scope
EXPECTED = {
    "ga4_events.csv": ("ga4", "outcomes", 117, 39, 39, 0, 0, 0, 0),
    "ga4_pages_standard_report.csv": ("ga4", "outcomes", 7, 1, 1, 0, 0, 0, 0),
    "ga4_report_daily.csv": ("ga4", "outcomes", 964, 241, 241, 0, 0, 0, 0),
    "ga4_reports_snapshot_nthday.csv": ("ga4", "outcomes", 1088, 3504, 1088, 0, 0, 0, 2416),
    "google_ads_campaign_2025.csv": ("google-ads", "ads", 2, 6, 2, 4, 0, 0, 0),
    "google_ads_timeseries_2026.csv": ("google-ads-series", "ads", 6, 6, 6, 0, 0, 0, 0),
    "linkedin_posts_handmade.csv": ("linkedin-page-posts", "posts", 5, 5, 5, 0, 0, 0, 0),
    "meta_ads_2024_summary_row.xlsx": ("meta-ads", "ads", 50, 51, 50, 1, 0, 0, 0),
    "meta_audience_utf16_blocks.csv": ("meta-audience", "followers", 2, 56, 2, 0, 0, 0, 54),
    "meta_fb_posts_2024_en.csv": ("meta-facebook-posts", "posts", 41, 44, 41, 0, 3, 0, 0),
    "meta_fb_posts_2026_en.csv": ("meta-facebook-posts", "posts", 13, 13, 13, 0, 0, 0, 0),
    "meta_fb_posts_daily_2026_en.csv": ("meta-facebook-posts", "daily", 51, 84, 51, 0, 0, 0, 33),
    "meta_ig_posts_2026_en.csv": ("meta-instagram-posts", "posts", 15, 15, 15, 0, 0, 0, 0),
    "meta_page_follows_utf16.csv": ("meta-page-series", "daily", 471, 471, 471, 0, 0, 0, 0),
    "meta_page_reach_utf16_tab.csv": ("meta-page-series", "daily", 484, 484, 484, 0, 0, 0, 0),
    "shopify_orders_2025_multiline.csv": ("shopify-orders", "outcomes", 41, 64, 20, 0, 0, 0, 44),
    "shopify_orders_resaved_wholeline_quoted.csv": ("shopify-orders", "outcomes", 18, 12, 9, 0, 0, 0, 3),
    "stripe_payments_default.csv": ("stripe-payments", "outcomes", 163, 80, 80, 0, 0, 0, 0),
    "tiktok_content_2026.csv": ("tiktok-content", "posts", 13, 13, 13, 0, 0, 0, 0),
    "twitter_tweet_activity_2018_11.csv": ("x-tweet-activity", "posts", 40, 40, 40, 0, 0, 0, 0),
    "twitter_tweet_activity_resaved_2016.csv": ("x-tweet-activity", "posts", 3, 103, 3, 0, 0, 100, 0),
    "x_content_2025.csv": ("x-content", "posts", 141, 141, 141, 0, 0, 0, 0),
    "youtube_table_data_2024.csv": ("youtube-content", "posts", 102, 103, 102, 1, 0, 0, 0),
    "youtube_table_data_2025.csv": ("youtube-content", "posts", 68, 72, 68, 1, 0, 3, 0),
    "youtube_totals_2021.csv": ("youtube-totals", "daily", 365, 365, 365, 0, 0, 0, 0),
}
REFUSED = {
    "meta_ads_no_data_2024.csv": "no data is available",
    "youtube_geography_2021.csv": "this table is by Geography",
}
WITH_A_WORD = {
    "tiktok_followers_2026.csv": ({"exported_at": "2026-02-28"}, "tiktok-followers", 365),
    "tiktok_overview_2026.csv": ({"exported_at": "2026-02-28"}, "tiktok-overview", 365),
    "qualtrics_3header_de.csv": ({"score": "Q1"}, "qualtrics", 1),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_file_is_read_and_accounted_for(name: str, real_samples: Path):
    export = read_export(real_samples / name)
    account = export.accounting
    found = (export.format, export.kind, len(export.rows), account.rows_in, account.used, account.totals)
    assert (*found, account.error_rows, account.rejected, account.out_of_scope) == EXPECTED[name]
    assert export.format in str(inspect_export(real_samples / name))


@pytest.mark.parametrize("name", REFUSED)
def test_a_real_file_that_cannot_be_used_says_why(name: str, real_samples: Path):
    with pytest.raises(ErresearchError, match=REFUSED[name]):
        read_export(real_samples / name)


@pytest.mark.parametrize("name", WITH_A_WORD)
def test_a_real_file_that_lacks_something_is_read_when_it_is_said(name: str, real_samples: Path):
    mapping, layout, rows = WITH_A_WORD[name]
    export = read_export(real_samples / name, mapping=mapping)
    assert (export.format, len(export.rows)) == (layout, rows)


def test_every_sample_here_is_looked_at(real_samples: Path):
    known = set(EXPECTED) | set(REFUSED) | set(WITH_A_WORD)
    assert {path.name for path in real_samples.iterdir() if path.suffix in (".csv", ".xlsx")} <= known


def test_meta_prints_the_pacific_clock(real_samples: Path):
    export = read_export(real_samples / "meta_ig_posts_2026_en.csv")
    printed = pd.read_csv(real_samples / "meta_ig_posts_2026_en.csv")["Publish time"]
    pacific = pd.to_datetime(printed, format="%m/%d/%Y %H:%M").dt.tz_localize("America/Los_Angeles")
    assert ((export.rows["published_at"] - pacific).dt.total_seconds().abs() < 300).all()
    assert export.rows["collaboration"].sum() == 2


def test_facebook_of_2024_has_only_days(real_samples: Path):
    export = read_export(real_samples / "meta_fb_posts_2024_en.csv")
    assert set(export.rows["time_precision"]) == {"day"}
    assert export.rows["published_at"].min() == pd.Timestamp("2023-12-12", tz="UTC")
    assert "views" not in export.rows.columns
    sums = export.rows[["likes", "comments", "shares"]].sum(axis=1)
    assert (sums == export.rows["engagements_reported"]).all()


def test_ids_of_x_agree_with_the_printed_times(real_samples: Path):
    export = read_export(real_samples / "twitter_tweet_activity_2018_11.csv")
    printed = pd.to_datetime(
        pd.read_csv(real_samples / "twitter_tweet_activity_2018_11.csv", dtype=str)["time"], utc=True
    )
    assert ((export.rows["published_at"] - printed).dt.total_seconds().between(0, 60)).all()


def test_payments_of_stripe_are_split_by_state(real_samples: Path):
    rows = read_export(real_samples / "stripe_payments_default.csv").rows
    kinds = rows[rows["outcome"] == "revenue"]["kind"].value_counts().to_dict()
    assert kinds == {"sale": 52, "failed": 28, "refund": 3}


def test_orders_of_shopify_are_counted_once(real_samples: Path):
    rows = read_export(real_samples / "shopify_orders_2025_multiline.csv").rows
    revenue = rows[rows["outcome"] == "revenue"]
    assert (revenue["kind"] == "sale").sum() == 20
    assert set(revenue["currency"]) == {"CAD"}


def test_dates_of_tiktok_span_two_years(real_samples: Path):
    rows = read_export(real_samples / "tiktok_followers_2026.csv", mapping={"exported_at": "2026-02-28"}).rows
    assert rows["date"].tolist() == pd.date_range("2025-02-28", "2026-02-27").tolist()
    assert rows["followers"].isna().sum() == 25


def test_names_of_real_people_are_not_loaded(real_samples: Path):
    export = read_export(real_samples / "shopify_orders_2025_multiline.csv")
    assert "REDACTED" not in export.rows.to_csv()
    assert {"Email", "Billing Name", "Phone"} <= set(export.dropped_columns)
