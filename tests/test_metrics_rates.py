"""Engagement rates against plain arithmetic, on every engine, and what they refuse."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from builders import ENGINES, on
from hypothesis import given, settings, strategies as st
from scipy import stats

from erresearch.errors import ColumnError, DataError, DesignError, EngineError, GuardError, UnknownNameError
from erresearch.metrics import (
    DEFINITIONS,
    PLATFORMS,
    RateDefinition,
    compare_rates,
    engagement_rate,
)
from erresearch.metrics.rates import resolve


def rows(values: object) -> pd.DataFrame:
    frame = nw.from_native(values)
    return (frame.collect() if isinstance(frame, nw.LazyFrame) else frame).to_pandas().reset_index(drop=True)


@pytest.fixture(scope="module")
def posts() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 60
    views = rng.integers(500, 900, n)
    return pd.DataFrame(
        {
            "platform": np.repeat(["vk", "YouTube", "Instagram"], n // 3),
            "account": rng.choice(["a", "b c", "🙂"], n),
            "post_id": [str(i) for i in range(n)],
            "published_at": pd.date_range("2024-01-01 06:00", periods=n, freq="7h"),
            "followers": rng.integers(900, 1100, n),
            "reach": rng.integers(50, 500, n),
            "impressions": views + 10,
            "views": views,
            "likes": rng.integers(0, 30, n),
            "comments": rng.integers(0, 9, n),
            "shares": rng.integers(0, 5, n),
            "saves": rng.integers(0, 5, n),
            "clicks": rng.integers(0, 5, n),
            "dislikes": rng.integers(0, 3, n),
        }
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "top", "bottom"),
    [
        ("M01", ["likes", "comments"], "followers"),
        ("M02", ["likes", "comments", "shares"], "followers"),
        ("M05", ["likes", "shares", "comments"], "views"),
        ("M05-youtube", ["likes", "comments", "dislikes"], "views"),
        ("M07", ["likes", "comments", "shares"], "followers"),
        ("M08", ["likes", "comments"], "followers"),
        ("M08-dislikes", ["likes", "comments", "dislikes"], "followers"),
        ("M09", ["likes", "comments", "views"], "followers"),
        ("M10", ["likes", "shares", "saves", "comments"], "followers"),
    ],
)
def test_rates_per_post(engine: str, name: str, top: list[str], bottom: str, posts: pd.DataFrame) -> None:
    got = engagement_rate(on(engine, posts), definition=name)
    want = posts[top].sum(axis=1) / posts[bottom]
    values = rows(got.values).set_index("post_id").loc[posts["post_id"]]
    np.testing.assert_allclose(values["rate"], want, rtol=1e-14)
    assert math.isclose(got.mean, want.mean(), rel_tol=1e-12)
    assert math.isclose(got.median, want.median(), rel_tol=1e-12)
    assert (got.n, got.posts, dict(got.dropped), got.definition.id) == (60, 60, {}, name)


OWN = {"vk": ["likes", "comments", "shares"], "YouTube": ["likes", "comments"]}


def own_total(posts: pd.DataFrame) -> pd.Series:
    four = ["likes", "comments", "shares", "saves"]
    return posts.apply(lambda row: row[OWN.get(row["platform"], four)].sum(), axis=1).astype(float)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_platform_by_its_own_set(engine: str, posts: pd.DataFrame) -> None:
    got = engagement_rate(on(engine, posts), denominator="reach")
    want = own_total(posts) / posts["reach"]
    values = rows(got.values).set_index("post_id").loc[posts["post_id"]]
    np.testing.assert_allclose(values["rate"], want, rtol=1e-14)
    assert dict(got.definition.by_platform)["youtube"] == ("likes", "comments")
    assert "youtube: likes + comments;" not in got.definition.formula
    assert "youtube: likes + comments)" in got.definition.formula


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "every"),
    [
        ("M03", None), ("M04", None), ("M03", "week"), ("M04", "week"),
        ("M04", "month"), ("M03", "quarter"), ("M04", "year"), ("M03", "day"),
    ],
)  # fmt: skip
def test_rates_per_period(engine: str, name: str, every: str | None, posts: pd.DataFrame) -> None:
    bottom, how = {"M03": ("followers", "mean"), "M04": ("reach", "sum")}[name]
    got = engagement_rate(on(engine, posts), definition=name, every=every)
    table = posts.assign(x=own_total(posts))
    keys = ["platform", "account"]
    if every is not None:
        code = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}[every]
        table["period"] = table["published_at"].dt.to_period(code).dt.start_time
        keys.append("period")
    groups = table.groupby(keys)
    want = (groups["x"].sum() / groups[bottom].agg(how)).sort_index()
    values = rows(got.values)
    if every is not None:
        values["period"] = pd.to_datetime(values["period"])
    values = values.set_index(keys).sort_index()
    np.testing.assert_allclose(values["rate"], want, rtol=1e-12)
    assert list(values.index) == list(want.index)
    assert (values["posts"] == groups.size().sort_index()).all()
    assert got.n == len(want)


@pytest.mark.parametrize("engine", ENGINES)
def test_rate_per_day_and_per_user(engine: str, posts: pd.DataFrame) -> None:
    day = engagement_rate(on(engine, posts), definition="M06")
    x = posts[["likes", "comments", "shares"]].sum(axis=1)
    groups = posts.assign(x=x, day=posts["published_at"].dt.floor("D")).groupby(
        ["platform", "account", "day"]
    )
    assert math.isclose(day.mean, (groups["x"].sum() / groups["followers"].mean()).mean(), rel_tol=1e-12)
    user = engagement_rate(
        on(engine, posts), definition="M11-user", denominator="reach", reactions=("likes",)
    )
    groups = posts.groupby(["platform", "account"])
    assert math.isclose(user.mean, (groups["likes"].sum() / groups["reach"].sum()).mean(), rel_tol=1e-12)
    assert "actions per user" in str(user)


def test_the_kind_of_table_stays(posts: pd.DataFrame) -> None:
    for engine in ENGINES:
        for per in ("post", "period"):
            data = on(engine, posts)
            assert type(engagement_rate(data, per=per).values) is type(data)


def test_one_account_when_there_is_none(posts: pd.DataFrame) -> None:
    got = engagement_rate(posts.drop(columns=["account", "platform"]), per="period", reactions="all", by=None)
    x = posts[["likes", "comments", "shares", "saves"]].sum().sum()
    assert math.isclose(got.mean, x / posts["followers"].mean(), rel_tol=1e-12)
    assert got.n == 1


def test_two_shops_of_one_name_on_two_platforms_stay_two() -> None:
    posts = pd.DataFrame(
        {"platform": ["vk", "x"], "account": "shop", "likes": [10, 10], "followers": [100, 1000]}
    )
    got = engagement_rate(posts, reactions=("likes",), per="period")
    assert rows(got.values)["rate"].tolist() == [0.1, 0.01]


def test_worked_examples_of_the_sources() -> None:
    one = pd.DataFrame(
        {"account": ["a"], "likes": [150], "comments": [7], "shares": [0], "followers": [5000]}
    )
    for name in ("M01", "M02"):
        assert engagement_rate(one, definition=name).mean == pytest.approx(0.0314, abs=1e-15)
    day = pd.DataFrame(
        {
            "platform": "vk",
            "account": "a",
            "published_at": pd.to_datetime(["2024-05-01 08:00", "2024-05-01 12:00", "2024-05-01 23:59"]),
            "likes": [90, 60, 20],
            "comments": [10, 5, 5],
            "shares": [4, 3, 3],
            "followers": 10_000,
        }
    )
    assert engagement_rate(day, definition="M03").mean == pytest.approx(0.02)
    assert engagement_rate(day, definition="M06").mean == pytest.approx(0.02)
    assert engagement_rate(day, definition="M07").mean == pytest.approx(0.02 / 3)
    assert "mean 0.667 %" in str(engagement_rate(day, definition="M07"))


def test_every_definition_is_whole_and_computes(posts: pd.DataFrame) -> None:
    assert {name[:3] for name in DEFINITIONS} == {f"M{i:02d}" for i in range(1, 12)}
    for name, definition in DEFINITIONS.items():
        got = engagement_rate(posts, definition=name)
        assert got.definition.id == name
        assert 0 < got.mean < 1.5
        assert definition.source
        assert str(got).startswith(name)
    assert all(one.source and one.reactions for one in PLATFORMS.values())
    spellings = [alias for one in PLATFORMS.values() for alias in one.aliases]
    assert len(set(spellings)) == len(spellings)
    assert all(alias == alias.strip().lower() for alias in spellings)


def test_the_definition_found_by_its_formula(posts: pd.DataFrame) -> None:
    assert engagement_rate(posts, reactions=("comments", "likes")).definition.id == "M01"
    assert engagement_rate(posts, reactions="vk").definition.id == "M02"
    assert engagement_rate(posts, reactions=("likes",)).definition.id == ""
    assert engagement_rate(posts[posts["platform"] == "vk"]).definition.reactions == OWN_VK
    assert engagement_rate(posts.drop(columns="saves"), reactions="all").definition.reactions == OWN_VK


OWN_VK = ("likes", "comments", "shares")


def test_views_in_the_numerator_are_flagged(posts: pd.DataFrame) -> None:
    got = engagement_rate(posts, definition="M09")
    assert got.definition.exposure == ("views",)
    assert any(note.startswith("incompatible: views in the numerator") for note in got.notes)
    assert not engagement_rate(posts, definition="M10").notes


# -- what is left out, and what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_counts_are_left_out_and_counted_once(engine: str) -> None:
    posts = pd.DataFrame(
        {
            "account": ["a", "a", "a", "a", None],
            "likes": [1.0, None, 3.0, None, 5.0],
            "comments": [1.0, None, None, 1.0, 1.0],
            "followers": [100.0, 100.0, 100.0, None, 100.0],
        }
    )
    got = engagement_rate(on(engine, posts), definition="M01")
    assert dict(got.dropped) == {"without likes": 2, "without comments": 1}
    assert (got.n, got.posts) == (2, 2)
    assert "left out: 2 without likes; 1 without comments" in str(got)
    period = engagement_rate(on(engine, posts), reactions=("likes", "comments"), per="period")
    assert dict(period.dropped) == {"without account": 1, "without likes": 2, "without comments": 1}
    assert (period.n, period.posts, period.mean) == (1, 1, 0.02)


@pytest.mark.parametrize("engine", ENGINES)
def test_zero_and_negative_denominators(engine: str, posts: pd.DataFrame) -> None:
    bad = posts.assign(reach=[0, 0, -5, *posts["reach"][3:]])
    with pytest.raises(DataError, match=r"`reach` must be 0 or more.*1 of 60 rows is negative"):
        engagement_rate(on(engine, bad), denominator="reach")
    zero = posts.assign(reach=[0, 0, *posts["reach"][2:]])
    with pytest.raises(DataError, match=r"`reach` must be positive where it divides: 2 of 60 rows are 0"):
        engagement_rate(on(engine, zero), denominator="reach")
    got = engagement_rate(on(engine, bad), denominator="reach", zero="drop")
    assert dict(got.dropped) == {"with reach of 0 or less": 3}
    assert math.isfinite(got.mean)
    assert got.n == 57


def test_nothing_left() -> None:
    posts = pd.DataFrame({"account": ["a"], "likes": [1], "comments": [None], "followers": [10]})
    with pytest.raises(DataError, match="no post has all that M01 needs: 1 without comments"):
        engagement_rate(posts, definition="M01")


def test_a_missing_column_is_missing_and_never_zero(posts: pd.DataFrame) -> None:
    fewer = engagement_rate(posts.drop(columns="saves"))
    assert "no column of saves, so they are not counted" in fewer.definition.caution
    assert all("saves" not in used for _, used in fewer.definition.by_platform)
    with pytest.raises(ColumnError, match=r"No columns 'likes', 'comments', 'shares'.*Name what VK counts"):
        engagement_rate(posts.drop(columns=["likes", "comments", "shares"]))
    with pytest.raises(ColumnError, match="No column 'dislikes'"):
        engagement_rate(posts.drop(columns="dislikes"), definition="M05-youtube")
    with pytest.raises(ColumnError, match="Did you mean 'folowers' for 'followers'"):
        engagement_rate(posts.rename(columns={"followers": "folowers"}))
    with pytest.raises(ColumnError, match="Pass by=None to take the table as one account"):
        engagement_rate(posts.rename(columns={"account": "x1"}), per="period")
    with pytest.raises(ColumnError, match="Say which with period="):
        engagement_rate(posts.drop(columns="published_at"), per="day", by=None)
    bare = posts[["post_id", "followers"]]
    with pytest.raises(ColumnError, match="No columns 'likes', 'comments', 'shares', 'saves'"):
        engagement_rate(bare, reactions="all")


def test_text_infinite_and_empty(posts: pd.DataFrame) -> None:
    with pytest.raises(ColumnError, match="`likes` in the posts table must hold numbers"):
        engagement_rate(posts.assign(likes="1,234"))
    with pytest.raises(DataError, match="`followers` must be finite"):
        engagement_rate(posts.assign(followers=math.inf))
    with pytest.raises(DataError, match="`comments` must be 0 or more"):
        engagement_rate(posts.assign(comments=-1))
    with pytest.raises(DataError, match="has no rows"):
        engagement_rate(posts.iloc[:0])
    with pytest.raises(EngineError, match="must be a table: list"):
        engagement_rate([1, 2])
    with pytest.raises(ColumnError, match="must hold dates"):
        engagement_rate(posts.assign(when="1 May"), per="day", period="when")


def test_contradictions_are_refused(posts: pd.DataFrame) -> None:
    with pytest.raises(GuardError, match="M01 fixes its denominator: denominator='reach'"):
        engagement_rate(posts, definition="M01", denominator="reach")
    with pytest.raises(GuardError, match="M02 fixes its reactions"):
        engagement_rate(posts, definition="M02", reactions=("likes",))
    with pytest.raises(GuardError, match="M11 is three rates under one name"):
        engagement_rate(posts, definition="M11")
    with pytest.raises(GuardError, match="a rate per user cannot divide by views"):
        engagement_rate(posts, denominator="views", per="user")
    with pytest.raises(GuardError, match="`views` cannot stand above and below the line"):
        engagement_rate(posts, definition="M09", denominator="views")
    with pytest.raises(GuardError, match="`every` cuts time into periods"):
        engagement_rate(posts, every="week")
    with pytest.raises(GuardError, match="`reactions` must name at least one column and none twice"):
        engagement_rate(posts, reactions=("likes", "likes"))
    with pytest.raises(ColumnError, match="`rate` cannot be the name of an account or time column"):
        engagement_rate(posts.rename(columns={"account": "rate"}), per="period", by="rate")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"definition": "M1"}, "There is no definition 'M1'"),
        ({"denominator": "follower"}, "There is no denominator 'follower'.*Did you mean 'followers'"),
        ({"per": "week"}, "There is no per 'week'"),
        ({"reactions": "vkk"}, "There is no reaction set 'vkk'.*Did you mean 'vk'"),
        ({"every": "fortnight", "per": "period"}, "There is no period length 'fortnight'"),
        ({"zero": "ignore"}, "There is no treatment of zeros 'ignore'"),
    ],
)
def test_unknown_names(options: dict[str, str], said: str, posts: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match=said):
        engagement_rate(posts, **options)


def test_input_is_not_changed_and_names_may_hold_anything(posts: pd.DataFrame) -> None:
    odd = posts.rename(
        columns={"account": "<b>'x'</b>", "likes": "__import__('os')", "published_at": "a b 🙂"}
    )
    before = odd.copy(deep=True)
    got = engagement_rate(
        odd, reactions=("__import__('os')",), per="period", every="week", by="<b>'x'</b>", period="a b 🙂"
    )
    pd.testing.assert_frame_equal(odd, before)
    assert "<b>'x'</b>" in rows(got.values).columns
    shown = engagement_rate(odd, reactions=("__import__('os')",), by=None)._repr_markdown_()
    assert "\\_\\_import\\_\\_" in shown
    assert not re.search(r"<(?!br>)", shown)
    assert repr(got) == str(got)


def test_a_definition_of_ones_own(posts: pd.DataFrame) -> None:
    mine = RateDefinition("", "clicks per view", ("clicks",), "views", "post")
    got = engagement_rate(posts, definition=mine)
    assert got.mean == pytest.approx((posts["clicks"] / posts["views"]).mean())
    assert resolve(mine, "views", None, None) is not None
    with pytest.raises(GuardError, match="this definition fixes its per"):
        engagement_rate(posts, definition=mine, per="day")


def test_rates_above_one_are_noted(posts: pd.DataFrame) -> None:
    got = engagement_rate(posts.assign(reach=1), denominator="reach")
    assert any("rates are above 100 %" in note for note in got.notes)


COUNT = st.integers(0, 10_000)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(COUNT, COUNT, st.integers(1, 10**7)), min_size=1, max_size=12), st.integers(2, 50))
def test_scale(table: list[tuple[int, int, int]], factor: int) -> None:
    posts = pd.DataFrame(table, columns=["likes", "comments", "followers"]).assign(account="a")
    one = engagement_rate(posts, definition="M01")
    smaller = engagement_rate(posts.assign(followers=posts["followers"] * factor), definition="M01")
    assert smaller.mean * factor == pytest.approx(one.mean)
    shuffled = engagement_rate(posts.iloc[::-1], definition="M01")
    assert shuffled.mean == pytest.approx(one.mean)
    # a period's sum is at least the largest post over the account's mean followers
    same = posts.assign(followers=1000)
    period = engagement_rate(same, reactions=("likes", "comments"), per="period")
    post = engagement_rate(same, reactions=("likes", "comments"))
    assert period.mean == pytest.approx(post.mean * len(posts))
    assert 0 <= one.mean < math.inf


def test_dates_that_pandas_holds_as_objects_have_a_calendar():
    days = pd.date_range("2026-01-05", periods=20, freq="D")
    posts = pd.DataFrame({"account": "shop", "published_at": days, "likes": range(20), "followers": 100})
    asked = {"reactions": ("likes",), "per": "period", "every": "week"}
    wanted = engagement_rate(posts, **asked)
    for held in (days.date, [day.to_pydatetime() for day in days]):
        objects = posts.assign(published_at=pd.Series(list(held), dtype=object))
        found = engagement_rate(objects, **asked)
        assert found.values["rate"].tolist() == wanted.values["rate"].tolist()
        assert objects["published_at"].dtype == object
    mixed = [day.tz_localize("UTC") if i % 2 else day for i, day in enumerate(days)]
    with pytest.raises(ColumnError, match=r"moments in 'published_at' are not of one calendar"):
        engagement_rate(posts.assign(published_at=pd.Series(mixed, dtype=object)), **asked)


def some_posts(rng: np.random.Generator, accounts: int, each: int = 20) -> pd.DataFrame:
    """Simulated posts whose accounts differ, photos and reels by turns over ten weeks."""
    n = accounts * each
    own = np.repeat(rng.normal(0, 0.3, accounts), each)
    return pd.DataFrame(
        {
            "account": np.repeat([f"a{i}" for i in range(accounts)], each),
            "post_type": np.tile(["photo", "reel"], n // 2),
            "published_at": np.tile(pd.date_range("2024-01-01", periods=each, freq="3D"), accounts),
            "likes": rng.poisson(50 * np.exp(own)),
            "followers": 1_000,
        }
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_rates_have_a_jackknife_over_accounts(engine: str):
    posts = some_posts(np.random.default_rng(3), 7)
    found = compare_rates(engagement_rate(on(engine, posts), reactions=("likes",)), "post_type")
    assert list(found) == ["photo", "reel", "reel less photo"]
    rate = posts["likes"] / posts["followers"]

    def difference(kept):
        by = rate[kept].groupby(posts["post_type"][kept]).mean()
        return by["reel"] - by["photo"]

    whole = difference(rate.notna())
    moves = [difference(posts["account"] != name) - whole for name in posts["account"].unique()]
    assert found["reel less photo"].value == pytest.approx(whole, rel=1e-10)
    assert found["reel less photo"].se == pytest.approx(math.sqrt(6 / 7 * np.sum(np.square(moves))), rel=1e-8)
    assert (found["reel less photo"].df, found["photo"].n_accounts) == (6, 7)


def test_one_account_and_pairs_of_accounts_are_compared_by_post():
    posts = some_posts(np.random.default_rng(4), 2)
    made = engagement_rate(posts, reactions=("likes",))
    rate = posts["likes"] / 1_000
    between = compare_rates(made, "account")["a1 less a0"]
    welch = stats.ttest_ind(rate[posts.account == "a1"], rate[posts.account == "a0"], equal_var=False)
    assert tuple(welch.confidence_interval(0.95)) == pytest.approx(
        (between.interval.low, between.interval.high), rel=1e-8
    )
    alone = engagement_rate(posts[posts.account == "a0"], reactions=("likes",))
    mean = compare_rates(alone)["mean rate"]
    own = rate[posts.account == "a0"]
    assert (mean.se, mean.df) == pytest.approx((own.std(ddof=1) / math.sqrt(20), 19))
    months = compare_rates(alone, "month")
    assert [name for name in months if "less" not in name] == ["2024-01-01", "2024-02-01"]
    # a group that one account or one post alone makes up has no error that it could tell
    lonely = posts.assign(post_type=np.where(posts.index == 0, "story", "photo"))
    for table in (lonely, lonely[lonely.account == "a0"]):
        found = compare_rates(engagement_rate(table, reactions=("likes",)), "post_type")
        assert not found["story"].interval.bounded
        assert not found["story less photo"].interval.bounded


@pytest.mark.parametrize("draws", [30, pytest.param(100, marks=pytest.mark.slow)])
def test_intervals_of_rates_hold_the_truth(draws):
    rng, held = np.random.default_rng(5), []
    made = engagement_rate(some_posts(rng, 8, 10), reactions=("likes",))
    for _ in range(draws):
        posts = some_posts(rng, 8, 10)
        made = replace(made, values=posts.assign(rate=posts["likes"] / 1_000))
        held.append(0.05 * math.exp(0.3**2 / 2) in compare_rates(made)["mean rate"].interval)
    assert np.mean(held) >= 0.93 - 2 * math.sqrt(0.93 * 0.07 / draws)


def test_comparisons_refuse_by_name():
    made = engagement_rate(
        some_posts(np.random.default_rng(1), 2).drop(columns="published_at"), reactions=("likes",)
    )
    with pytest.raises(ColumnError, match="No column 'format'"):
        compare_rates(made, "format")
    with pytest.raises(ColumnError, match="No column 'published_at'"):
        compare_rates(made, "month")
    with pytest.raises(DesignError, match="`level` must lie between 0 and 1"):
        compare_rates(made, level=95)
