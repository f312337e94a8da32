"""Best time, format and hashtag: planted truth is found, chance is not; growth and unusual posts."""

from __future__ import annotations

import datetime
import math

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from erresearch.errors import ColumnError, DataError, DesignError, EngineError, GuardError, UnknownNameError
from erresearch.metrics import RateDefinition
from erresearch.metrics.extras import growth_rates, posting_effects, unusual_posts
from erresearch.metrics.extras.posting import Joint, cell_effects, permuted, spread

MINE = RateDefinition("", "likes per follower", ("likes",), "followers", "post")


def world(
    seed: int, *, accounts: int = 12, n: int = 600, effect: float = 0.0, best: int = 18, hours: int = 6
) -> pd.DataFrame:
    """Big accounts keep to one hour, so raw averages crown that hour."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(8, 1.5, accounts)
    level = rng.lognormal(-4, 0.7, accounts)
    account = rng.integers(0, accounts, n)
    clock = np.linspace(0, 18, hours).astype(int)
    favourite = rng.integers(0, hours, accounts)
    hour = clock[np.where(rng.random(n) < 0.6, favourite[account], rng.integers(0, hours, n))]
    days = pd.to_timedelta(rng.integers(0, 180, n) * 24 + hour, unit="h")
    rate = level[account] * np.exp(effect * (hour == best)) * rng.lognormal(0, 0.5, n)
    return pd.DataFrame(
        {
            "account": [f"a{i}" for i in account],
            "published_at": pd.Timestamp("2024-01-01") + days,
            "post_type": rng.choice(["reel", "image"], n),
            "followers": size[account].round() + 10,
            "likes": rng.poisson((size[account].round() + 10) * rate),
            "text": "",
        }
    )


def test_two_way_fit_recovers_margins_exactly() -> None:
    block, code = np.repeat(np.arange(5), 4), np.tile(np.arange(4), 5)
    rng = np.random.default_rng(0)
    a, g = rng.normal(size=5), np.array([0.0, 0.3, -0.2, 0.9])
    got = cell_effects(np.exp(a[block] + g[code])[None, :], block, code, 4)
    np.testing.assert_allclose(got[0], g, atol=1e-6)


def test_two_way_fit_is_statsmodels_gamma() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    block, code = rng.integers(0, 6, 200), rng.integers(0, 3, 200)
    y = rng.gamma(2, np.exp(0.1 * block + 0.4 * (code == 2)))
    x = np.column_stack([np.eye(6)[block], np.eye(3)[code][:, 1:]])
    fit = sm.GLM(y, x, family=sm.families.Gamma(sm.families.links.Log())).fit()
    np.testing.assert_allclose(cell_effects(y[None, :], block, code, 3)[0, 1:], fit.params[-2:], atol=1e-5)


def test_permutations_keep_blocks() -> None:
    block = np.array([2, 0, 1, 0, 2, 2, 1])
    orders = np.concatenate(list(permuted(block, 300, np.random.default_rng(0))))
    assert orders.shape == (301, 7)
    assert (orders[0] == np.arange(7)).all()
    assert (block[orders] == block).all()
    assert (np.sort(orders, axis=1) == np.arange(7)).all()
    # the three posts of block 2 come in all six orders, about equally often
    _, counts = np.unique(orders[1:, [0, 4, 5]], axis=0, return_counts=True)
    assert len(counts) == 6
    assert counts.min() > 25


def test_planted_hour_is_found_and_sized() -> None:
    got = posting_effects(world(1, effect=0.5), of="hour", definition=MINE, draws=299)
    assert got.better == ("18:00",)
    ratio = got.to_frame()["ratio"]
    assert math.log(ratio["18:00"] / ratio.drop("18:00").mean()) == pytest.approx(0.5, abs=0.2)
    assert got.effects["18:00"].pvalue < 0.01
    assert got.effects["18:00"].at(0.5).interval.low > got.effects["18:00"].interval.low
    assert "above the rest: 18:00" in str(got)
    assert "an association" in got._repr_markdown_()
    assert got.n == 600


def test_no_hour_is_named_where_there_is_none() -> None:
    named = [
        posting_effects(world(seed), of="hour", definition=MINE, draws=199, rng=seed) for seed in range(25)
    ]
    assert sum(bool(one.better) for one in named) <= 3
    shrunk = [abs(v) for one in named for v in one.shrunken.values()]
    plain = [abs(e.value) for one in named for e in one.effects.values()]
    assert np.mean(shrunk) < 0.35 * np.mean(plain)
    assert any("none stands out beyond chance" in str(one) for one in named)


def test_raw_averages_would_have_named_one() -> None:
    posts = world(4)
    raw = posts.groupby(posts["published_at"].dt.hour)["likes"].mean()
    assert raw.max() > 1.5 * raw.median()
    assert posting_effects(posts, of="hour", definition=MINE, draws=199).better == ()


@pytest.mark.parametrize("engine", ["polars", "lazy", "duckdb"])
def test_engines_agree(engine: str) -> None:
    frame = world(3, n=200)
    table = pl.from_pandas(frame)
    data = {"polars": table, "lazy": table.lazy(), "duckdb": duckdb.from_arrow(table.to_arrow())}[engine]
    for of in ("weekday", "format"):
        want = posting_effects(frame, of=of, definition=MINE, draws=49)
        got = posting_effects(data, of=of, definition=MINE, draws=49)
        assert list(got.effects) == list(want.effects)
        for name, one in want.effects.items():
            assert got.effects[name].value == pytest.approx(one.value, abs=1e-9)


def test_hashtags_overlap_and_rare_ones_are_counted_out() -> None:
    posts = world(5, n=400)
    rng = np.random.default_rng(0)
    lift = rng.random(400) < 0.5
    posts["text"] = [
        "#Sale #shop" if flag else "nothing #shop" if i % 3 else "plain" for i, flag in enumerate(lift)
    ]
    posts.loc[0, "text"] = "#Once and <b>#цена</b>"
    posts["likes"] = (posts["likes"] * np.where(lift, 1.6, 1.0)).round()
    got = posting_effects(posts, of="hashtag", definition=MINE, draws=199)
    assert set(got.effects) == {"sale", "shop"}
    assert got.better[0] == "sale"
    assert got.dropped["cells with fewer than 10 posts"] == 2
    assert got.posts["shop"] > got.posts["sale"] > 150


def test_posting_counts_what_it_leaves_out() -> None:
    posts = world(6, n=300)
    posts["post_type"] = posts["post_type"].astype(object)
    posts.loc[0, "post_type"] = None
    posts.loc[1, "likes"] = None
    posts.loc[2, "post_type"] = "story"
    got = posting_effects(posts, of="format", definition=MINE, draws=49)
    assert got.dropped["without likes"] == 1
    assert got.dropped["without account, published_at or post_type"] == 1
    assert got.dropped["cells with fewer than 10 posts"] == 1


def test_posting_refusals() -> None:
    posts = world(0, n=200)
    with pytest.raises(UnknownNameError, match=r"There is no comparison 'hours'.*Did you mean 'hour'"):
        posting_effects(posts, of="hours")  # type: ignore[arg-type]
    with pytest.raises(ColumnError, match=r"No column 'kind' in the posts table"):
        posting_effects(posts, of="format", column="kind", definition=MINE)
    with pytest.raises(GuardError, match="cells are compared on rates per post"):
        posting_effects(posts, of="hour", definition="M03")
    days = posts.assign(published_at=posts["published_at"].dt.floor("D"))
    with pytest.raises(GuardError, match="holds days, not times of day"):
        posting_effects(days, of="hour", definition=MINE)
    with pytest.raises(ColumnError, match="`text` must hold dates"):
        posting_effects(posts, of="hour", column="text", definition=MINE)
    with pytest.raises(DesignError, match="too few cells to compare by format: 1 with 10 posts or more"):
        posting_effects(posts.assign(post_type="reel"), of="format", definition=MINE)
    with pytest.raises(DesignError, match="some cells never occur in the same account and quarter"):
        posting_effects(posts.assign(post_type=posts["account"]), of="format", definition=MINE)
    none = posts.assign(likes=np.where(posts["post_type"] == "reel", 0, posts["likes"]))
    with pytest.raises(DesignError, match=r"the effect of a cell has no bounds.*reel"):
        posting_effects(none, of="format", definition=MINE, draws=49)
    with pytest.raises(DataError, match="no post has a post_type"):
        posting_effects(posts.assign(post_type=None), of="format", definition=MINE)
    with pytest.raises(EngineError, match="must be a table"):
        posting_effects([1], of="hour")


def test_small_parts() -> None:
    joint = Joint(2.0, 1.0, np.linspace(0, 3, 301))
    assert joint.interval(0.5).low == pytest.approx(0.5)
    assert spread(np.array([1.0, -1.0]), np.array([0.1, 0.1])) == pytest.approx(math.sqrt(0.99), rel=1e-9)


# -- growth -----------------------------------------------------------------------------------------------------


def days(rate: float, n: int = 120, seed: int = 0, noise: float = 0.01, name: str = "a") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wander = np.zeros(n)
    for i in range(1, n):
        wander[i] = 0.7 * wander[i - 1] + rng.normal(0, noise)
    t = np.arange(n) / 30
    return pd.DataFrame(
        {
            "account": name,
            "published_at": pd.date_range("2024-01-01", periods=n),
            "followers": 5000 * np.exp(rate * t + wander),
        }
    )


def test_growth_against_statsmodels() -> None:
    import statsmodels.api as sm

    frame = days(0.05)
    got = growth_rates(frame).estimates["a"]
    t = np.arange(120) / 30
    fit = sm.OLS(np.log(frame["followers"].to_numpy()), sm.add_constant(t)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 4, "use_correction": True}
    )
    assert got.value == pytest.approx(fit.params[1])
    assert got.se == pytest.approx(fit.bse[1])
    assert got.value == pytest.approx(0.05, abs=0.02)


def test_growth_of_several_and_what_is_left_out() -> None:
    frame = pd.concat(
        [days(0.1), days(-0.1, seed=1, name="b"), days(0, n=4, name="short")], ignore_index=True
    )
    frame = pd.concat([frame, frame.iloc[:5]], ignore_index=True).astype({"account": object})
    frame.loc[3, "followers"] = None
    got = growth_rates(pl.from_pandas(frame).lazy())
    table = got.to_frame()
    assert list(table.index) == ["a", "b"]
    assert table.loc["a", "low"] > 0 > table.loc["b", "high"]
    assert got.dropped["accounts with fewer than 8 days"] == 1
    assert got.dropped["rows without account, day or value"] == 1
    assert "per 30 days" in got._repr_markdown_()


def test_hac_interval_is_honest_where_the_usual_one_is_not() -> None:
    hits = [0.0 in growth_rates(days(0.0, seed=seed)).estimates["a"].interval for seed in range(60)]
    assert np.mean(hits) >= 0.72


def test_growth_refusals() -> None:
    with pytest.raises(DataError, match="no account has followers on at least 8 days: 1 accounts"):
        growth_rates(days(0.1, n=5))
    with pytest.raises(DataError, match="`followers` must be positive where it divides"):
        growth_rates(days(0.1).assign(followers=0))
    with pytest.raises(ColumnError, match="No column 'reach'"):
        growth_rates(days(0.1), of="reach")
    zoned = days(0.1).assign(published_at=lambda t: t["published_at"].dt.tz_localize("Europe/Berlin"))
    assert growth_rates(zoned).estimates["a"].n_rows == 120


# -- unusual posts ----------------------------------------------------------------------------------------------


def feed(seed: int, n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    followers = np.round(5000 * np.exp(np.cumsum(rng.normal(0, 0.001, n))))
    return pd.DataFrame(
        {
            "account": rng.choice(["a", "b"], n),
            "published_at": pd.date_range("2024-01-01", periods=n, freq="D"),
            "followers": followers,
            "likes": np.round(150 * rng.lognormal(0, 0.3, n)),
            "comments": np.round(30 * rng.lognormal(0, 0.3, n)),
        }
    )


def test_ordinary_posts_are_left_alone() -> None:
    listed = [len(unusual_posts(feed(seed), definition="M01").table) for seed in range(20)]
    assert sum(count > 0 for count in listed) <= 5


def test_planted_oddities_are_listed_and_nobody_is_accused() -> None:
    posts = feed(1)
    posts.loc[50, "likes"] = 9000
    posts.loc[120:, "followers"] *= 2
    got = unusual_posts(posts, definition="M01")
    reasons = got.table.groupby("row")["reason"].agg(set)
    assert {"rate", "comments per like"} <= reasons[50]
    assert any("followers' jump" in found for found in reasons)
    assert "unusual is no proof of anything" in str(got)
    assert "bot" not in str(got).lower()
    assert not {"bot", "fake"} & set(" ".join(got.table["reason"]).split())
    assert got._repr_markdown_()


def test_unusual_counts_and_refuses() -> None:
    posts = feed(2).astype({"likes": float})
    posts.loc[0, "likes"] = None
    posts = pd.concat([posts, posts.iloc[:3].assign(account="tiny")], ignore_index=True)
    got = unusual_posts(pl.from_pandas(posts).lazy(), definition="M01")
    assert got.dropped["without likes"] == 2
    assert got.dropped["in accounts with fewer than 8 posts"] == 3
    same = unusual_posts(posts.assign(likes=10, comments=1, followers=100), definition="M01")
    assert len(same.table) == 0
    with pytest.raises(DesignError, match="no account has 8 posts"):
        unusual_posts(posts.head(5), definition="M01")
    with pytest.raises(GuardError, match="posts are compared on rates per post"):
        unusual_posts(posts, definition=reactions_of(posts))
    with pytest.raises(EngineError, match="must be a table"):
        unusual_posts("posts")


def reactions_of(_: pd.DataFrame) -> RateDefinition:
    return RateDefinition("", "likes in all", ("likes",), "followers", "period")


def test_dates_without_time_are_fine_for_weekdays() -> None:
    posts = world(7, n=200)
    posts["published_at"] = [moment.date() for moment in posts["published_at"]]
    table = pl.from_pandas(posts)
    assert table["published_at"].dtype == pl.Date
    assert isinstance(posts["published_at"][0], datetime.date)
    got = posting_effects(table, of="weekday", definition=MINE, draws=49)
    assert "Monday" in got.effects
    with pytest.raises(GuardError, match="holds days, not times of day"):
        posting_effects(table, of="hour", definition=MINE, draws=49)
