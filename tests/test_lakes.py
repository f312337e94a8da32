"""Parquet files and database tables under canonical names, their rows left where they are."""

from __future__ import annotations

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pytest

from erresearch import build_panel, engagement_rate
from erresearch.audits import account_table, side_by_side
from erresearch.engine.moments import Moments
from erresearch.engine.sources import says_simulated
from erresearch.errors import ColumnError, DataError, EngineError, UnknownNameError
from erresearch.exports.lazy_tables import KINDS, is_lake, open_lake
from erresearch.worlds import simulate


@pytest.fixture(scope="module")
def world():
    return simulate("effect", accounts=3, weeks=60, rng=1)


@pytest.fixture(scope="module")
def lake(world, tmp_path_factory):
    """Posts in two files of a folder, outcomes in one, and the posts in a database too."""
    folder = tmp_path_factory.mktemp("lake")
    (folder / "posts").mkdir()
    world.posts.iloc[:300].to_parquet(folder / "posts" / "a.parquet")
    world.posts.iloc[300:].to_parquet(folder / "posts" / "b.parquet")
    world.outcomes.to_parquet(folder / "sales.parquet")
    with duckdb.connect(str(folder / "shop.db")) as connection:
        connection.execute(f"CREATE TABLE posts AS SELECT * FROM '{folder}/posts/*.parquet'")
    return folder


def test_places_are_told_from_exports(lake, tmp_path):
    assert is_lake(lake / "posts")
    assert is_lake(lake / "posts" / "*.parquet")
    assert is_lake(f"duckdb:{lake}/shop.db?table=posts")
    assert not is_lake(tmp_path)
    assert not is_lake(lake / "posts.csv")


@pytest.mark.parametrize("place", ["posts", "posts/*.parquet", "duckdb"])
def test_the_panel_is_the_same_from_a_lake_and_from_memory(place, world, lake):
    posts = open_lake(f"duckdb:{lake}/shop.db?table=posts" if place == "duckdb" else lake / place)
    sales = open_lake(lake / "sales.parquet")
    assert (posts.kind, sales.kind) == ("posts", "outcomes")
    stored = build_panel(posts, sales.rows, freq="W", tz="UTC")
    held = build_panel(world.posts, world.outcomes, freq="W", tz="UTC")
    table = nw.from_native(stored.rows).lazy().collect("pandas").to_native()
    numbers = held.rows.select_dtypes("number").columns
    order = ["entity", "period"] if "entity" in held.rows else ["period"]
    pd.testing.assert_frame_equal(
        table.sort_values(order)[numbers].reset_index(drop=True).astype(float),
        held.rows.sort_values(order)[numbers].reset_index(drop=True).astype(float),
        rtol=1e-10,
    )
    assert stored.accounting == held.accounting


def test_simulated_rows_are_called_so_after_a_way_through_files(world, lake, tmp_path):
    assert open_lake(lake / "posts").simulated
    assert Moments.from_frame(lake / "posts" / "*.parquet", ["likes"]).simulated
    real = world.posts.copy()
    real.attrs = {}
    real.to_parquet(tmp_path / "real.parquet")
    assert not open_lake(tmp_path / "real.parquet").simulated
    pl.DataFrame({"likes": [1.0, 2.0]}).write_parquet(tmp_path / "other.parquet")
    assert not Moments.from_frame(tmp_path / "other.parquet", ["likes"]).simulated
    assert not says_simulated(tmp_path / "none.parquet")
    # one simulated file among many is enough
    world.posts.to_parquet(tmp_path / "z.parquet")
    assert Moments.from_frame(tmp_path / "[rz]*.parquet", ["likes"]).simulated


def test_a_mapping_names_columns_and_what_is_the_same_in_all_rows(tmp_path):
    table = pl.DataFrame({"when": ["2026-01-01"], "hearts": [3], "likes": [5]})
    table.drop("likes").write_parquet(tmp_path / "toots.parquet")
    said = {
        "kind": "posts",
        "platform": "mastodon",
        "account": "shop",
        "columns": {"published_at": "when", "likes": ["favourites", "hearts"]},
    }
    lake = open_lake(tmp_path / "toots.parquet", mapping=said)
    row = lake.rows.collect().row(0, named=True)
    assert row == {"published_at": "2026-01-01", "likes": 3.0, "platform": "mastodon", "account": "shop"}
    assert str(lake).startswith("toots.parquet: posts, 1 Parquet file; columns published_at, likes")
    table.write_parquet(tmp_path / "both.parquet")
    with pytest.raises(ColumnError, match=r"two columns of .* are meant for 'likes'.*'likes' and 'hearts'"):
        open_lake(tmp_path / "both.parquet", mapping=said)
    with pytest.raises(ColumnError, match="'stars'"):
        open_lake(tmp_path / "toots.parquet", mapping={"columns": {"likes": "stars"}})
    with pytest.raises(DataError, match=r"line for text files.*decimal"):
        open_lake(tmp_path / "toots.parquet", mapping={**said, "decimal": ","})
    with pytest.raises(UnknownNameError, match="colour"):
        open_lake(tmp_path / "toots.parquet", mapping={"colour": "red"})


def test_columns_decide_what_a_table_holds(tmp_path):
    for kind, (needed, some) in KINDS.items():
        path = tmp_path / f"{kind}.parquet"
        pl.DataFrame({key: [1] for key in (*needed, *some[:1])}).write_parquet(path)
        assert open_lake(path).kind == kind
        assert open_lake(path, kind=kind).kind == kind
    pl.DataFrame({"colour": [1], "ann.lee@x.org": [2], "likes": 3}).write_parquet(tmp_path / "odd.parquet")
    with pytest.raises(
        ColumnError,
        match=r"of no kind that is known: likes and 2 unknown columns.*posts: account, published_at",
    ) as refused:
        open_lake(tmp_path / "odd.parquet")
    assert "ann.lee" not in str(refused.value)
    with pytest.raises(
        ColumnError, match=r"cannot be a table of posts.*no column 'account', 'published_at'"
    ) as refused:
        open_lake(tmp_path / "odd.parquet", kind="posts")
    assert "ann.lee" not in str(refused.value)
    pl.DataFrame({"account": ["a"], "published_at": ["2026-01-01"]}).write_parquet(tmp_path / "bare.parquet")
    with pytest.raises(ColumnError, match=r"cannot be a table of posts.*none of followers, reach"):
        open_lake(tmp_path / "bare.parquet", kind="posts")
    with pytest.raises(DataError, match=r"is to hold survey.*posts, outcomes, ads, followers"):
        open_lake(tmp_path / "odd.parquet", kind="survey")


def test_files_that_disagree_are_named(tmp_path):
    pl.DataFrame({"account": ["a"], "published_at": ["x"], "likes": [1]}).write_parquet(
        tmp_path / "a.parquet"
    )
    pl.DataFrame({"account": ["a"], "published_at": ["x"]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(ColumnError, match=r"'likes'.*b\.parquet"):
        open_lake(tmp_path)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(EngineError, match="no file at"):
        open_lake(tmp_path / "none.parquet")
    with pytest.raises(EngineError, match="no table at"):
        open_lake(f"duckdb:{tmp_path}/none.db?table=posts")


def test_a_lake_of_another_kind_is_no_table_of_posts(lake):
    with pytest.raises(DataError, match=r"sales\.parquet is no table of posts.*a table of outcomes"):
        build_panel(open_lake(lake / "sales.parquet"), freq="W", tz="UTC")


@pytest.fixture(scope="module")
def gaps(world):
    """Posts with holes, posts of others, and a column without values."""
    some = world.posts["platform"].isin(["facebook", "youtube"]) & world.posts["post_type"].isin(
        ["image", "video"]
    )
    posts = world.posts[some].reset_index(drop=True)
    flags = [True, None, False] * (len(posts) // 3 + 1)
    posts = posts.assign(collaboration=flags[: len(posts)], clicks=None)
    posts.loc[posts.index[::7], "followers"] = None
    posts.loc[posts.index[::11], ["likes", "comments", "shares", "saves"]] = None
    return posts


@pytest.fixture(scope="module")
def rates_of_kinds(gaps):
    """The rates of the shops' own posts in memory, by platform, kind and definition."""
    own = gaps[~gaps["collaboration"].eq(True)]
    return {
        (platform, kind, definition): engagement_rate(some, definition=definition, zero="drop")
        for platform, posts in own.groupby("platform")
        for kind, some in [("", posts), *posts.groupby("post_type")]
        for definition in ("M01", "M05")
    }


@pytest.mark.parametrize("engine", ["memory", "parquet", "duckdb"])
def test_rates_and_accounts_are_those_of_each_platform_and_kind(engine, gaps, rates_of_kinds, tmp_path):
    lake: object = gaps
    if engine == "parquet":
        gaps.to_parquet(tmp_path / "gaps.parquet")
        lake = open_lake(tmp_path / "gaps.parquet")
    elif engine == "duckdb":
        with duckdb.connect(str(tmp_path / "gaps.db")) as connection:
            connection.register("held", pl.from_pandas(gaps).to_arrow())
            connection.execute("CREATE TABLE posts AS SELECT * FROM held")
        lake = open_lake(f"duckdb:{tmp_path}/gaps.db?table=posts")
    own = gaps[~gaps["collaboration"].eq(True)]
    rates = side_by_side(lake).set_index(["platform", "post_type", "definition"])
    for which, found in rates_of_kinds.items():
        row = rates.loc[which]
        assert (row["mean"], row["median"]) == pytest.approx((found.mean, found.median), rel=1e-10)
        assert row["n"] == found.n
    # a rate that lacks a column says so once for a platform, and not again for each kind
    untold = rates[rates["mean"].isna()]
    assert untold["why_not"].str.contains("dislikes").any()
    assert set(untold.index.get_level_values("post_type")) == {""}
    accounts = account_table(lake).set_index(["account", "platform"])
    assert accounts.attrs == (
        {} if engine == "duckdb" else {"simulated": True}
    )  # a database keeps no such word
    assert list(accounts.index) == sorted(own.groupby(["account", "platform"]).groups)
    for key, posts in own.sort_values("published_at").groupby(["account", "platform"]):
        total = posts[["likes", "comments", "shares", "saves"]].sum(axis=1, min_count=1)
        row = accounts.loc[key]
        assert row["engagement"] == pytest.approx(total.mean(), rel=1e-12)
        assert (row["posts"], row["followers"]) == (len(posts), posts["followers"].dropna().iloc[-1])


def test_accounts_may_say_by_their_names_that_they_were_simulated(gaps):
    named = gaps.assign(account="simulated-" + gaps["account"])
    named.attrs = {}
    assert account_table(named).attrs == {"simulated": True}


def test_accounts_without_followers_are_none(gaps):
    table = account_table(gaps.drop(columns="followers"))
    assert list(table) == ["account", "platform", "posts", "followers", "engagement"]
    assert table.empty
