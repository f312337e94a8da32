"""Parquet files and database tables under canonical names, their rows left where they are."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pytest

from erresearch import build_panel
from erresearch.auditing import account_table, side_by_side
from erresearch.errors import ColumnError, DataError, EngineError, UnknownNameError
from erresearch.lakes import KINDS, is_lake, open_lake
from erresearch.moments import Moments
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
    pl.DataFrame({"colour": [1], "size": [2]}).write_parquet(tmp_path / "odd.parquet")
    with pytest.raises(
        ColumnError, match=r"of no kind that is known.*colour, size.*posts: account, published_at"
    ):
        open_lake(tmp_path / "odd.parquet")
    with pytest.raises(ColumnError, match=r"cannot be a table of posts.*no column 'account', 'published_at'"):
        open_lake(tmp_path / "odd.parquet", kind="posts")
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


@pytest.mark.parametrize("place", ["posts/*.parquet", "duckdb"])
def test_rates_and_accounts_are_the_same_from_a_lake_and_from_memory(place, world, lake):
    posts = world.posts.assign(
        collaboration=[True, None, False] * (len(world.posts) // 3) + [None] * (len(world.posts) % 3),
        clicks=None,
    )
    posts.loc[posts.index[::7], "followers"] = None
    posts.loc[posts.index[::11], ["likes", "comments", "shares", "saves"]] = None
    if place == "duckdb":
        path = lake / "gaps.db"
        if not path.exists():
            table = pl.from_pandas(posts).to_arrow()
            with duckdb.connect(str(path)) as connection:
                connection.register("held", table)
                connection.execute("CREATE TABLE posts AS SELECT * FROM held")
        stored = open_lake(f"duckdb:{path}?table=posts")
    else:
        path = lake / "gaps.parquet"
        posts.to_parquet(path)
        stored = open_lake(path)
    held, afar = side_by_side(posts), side_by_side(stored)
    assert len(held) == len(afar) > 50
    pd.testing.assert_frame_equal(afar, held, check_dtype=False, rtol=1e-10)
    mine, theirs = account_table(posts), account_table(stored)
    assert len(mine) == 3
    pd.testing.assert_frame_equal(
        theirs.sort_values("account", ignore_index=True),
        mine.sort_values("account", ignore_index=True),
        check_dtype=False,
        rtol=1e-10,
    )
    nothing = open_lake(lake / "posts")
    nothing = replace(
        nothing,
        rows=nothing.rows.drop("followers"),
        columns=tuple(c for c in nothing.columns if c != "followers"),
    )
    assert list(account_table(nothing)) == list(mine)
    assert account_table(nothing).empty
