"""A limit of memory reaches whatever can keep to it, and changes no number."""

from __future__ import annotations

import sys

import duckdb
import numpy as np
import polars as pl
import pytest

from erresearch import cli, memory_limit, poisson, regress
from erresearch.claims import share
from erresearch.engine import aggregation
from erresearch.engine.moments import Moments
from erresearch.engine.table_files import open_database
from erresearch.errors import DesignError, ErresearchWarning
from erresearch.exports.lazy_tables import open_lake
from erresearch.io.resources import allowed_memory, share_of_memory
from erresearch.relate import poisson_regression


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"shop": np.repeat([f"s{i}" for i in range(20)], 50), "x": rng.normal(size=1000)})
    table = table.with_columns(
        n=rng.poisson(np.exp(0.2 * table["x"].to_numpy())), day=pl.Series([1, 2] * 500)
    )
    folder = tmp_path_factory.mktemp("posts")
    table[:400].write_parquet(folder / "a.parquet")
    table[400:].write_parquet(folder / "b.parquet")
    table.write_csv(folder / "all.csv")
    return folder


def setting(relation) -> str:
    """What the database behind a relation says of its memory."""
    return relation.limit(1).project("current_setting('memory_limit')").fetchall()[0][0]


@pytest.mark.parametrize(
    ("said", "size"),
    [
        (100_000_000, 100_000_000),
        ("100MB", 100_000_000),
        ("1.5 GB", 1_500_000_000),
        ("256 MiB", 1 << 28),
        ("2g", 2_000_000_000),
        ("100000 KiB", 102_400_000),
        ("1 TiB", 1 << 40),
        ("67108864", 1 << 26),
    ],
)
def test_sizes_are_bytes_or_powers_of_them(said, size):
    with memory_limit(said) as found:
        assert found == allowed_memory() == size
    assert allowed_memory() is None


@pytest.mark.parametrize("said", ["much", "-4GB", "4 XB", "", None, True, float("nan"), [4]])
def test_what_is_no_size_is_refused(said):
    with pytest.raises(DesignError, match=r"must be a size.*powers of 1000.*'4 GB'"), memory_limit(said):
        pass


@pytest.mark.parametrize("said", ["63 MiB", 0, -1, "12"])
def test_a_size_that_no_engine_starts_in_is_refused(said):
    with pytest.raises(DesignError, match=r"too small for any engine.*64 MiB"), memory_limit(said):
        pass


def test_limits_nest_and_end_with_their_block():
    with memory_limit("1 GiB"):
        inner = memory_limit("2 GiB")
        inner.__enter__()
        assert share_of_memory(10**12) == 1 << 29
        assert not inner.__exit__(KeyError, KeyError(), None)
        assert share_of_memory(10**12) == 1 << 28
        assert share_of_memory(1000) == 1000


def test_parquet_is_read_by_an_engine_that_keeps_to_it(posts):
    free = Moments.from_frame(posts / "*.parquet", ["n", "x"], by="shop")
    assert free.source.frame.implementation.is_polars()
    with memory_limit("256 MiB"):
        capped = Moments.from_frame(posts / "*.parquet", ["n", "x"], by="shop")
        fit = poisson(posts / "*.parquet", "n", on=["x"], by="shop")
        assert capped.source.frame.implementation.is_duckdb()
        relation = capped.source.frame.to_native()
        said = setting(relation)
    assert said == "128.0 MiB"
    assert capped.keys.tolist() == free.keys.tolist()
    np.testing.assert_array_equal(capped.count, free.count)
    np.testing.assert_allclose(capped.cross, free.cross, rtol=1e-12)
    assert fit["x"].value == pytest.approx(
        poisson(posts / "*.parquet", "n", on=["x"], by="shop")["x"].value, rel=1e-9
    )


def test_a_lake_of_parquet_is_capped_too(tmp_path):
    rows = {"account": ["a"], "published_at": ["2026-01-01"], "likes": [3]}
    pl.DataFrame(rows).write_parquet(tmp_path / "posts.parquet")
    with memory_limit("256 MiB"):
        assert setting(open_lake(tmp_path / "posts.parquet").rows) == "128.0 MiB"


def test_text_files_and_files_that_differ_stay_with_polars(posts, tmp_path):
    pl.DataFrame({"shop": ["s1", "s2"], "x": [1, 2]}).write_parquet(tmp_path / "whole.parquet")
    pl.DataFrame({"shop": ["s1", "s3"], "x": [1.5, 2.0]}).write_parquet(tmp_path / "parts.parquet")
    with memory_limit("256 MiB"):
        for place in (posts / "all.csv", tmp_path):
            assert Moments.from_frame(place, ["x"], by="shop").source.frame.implementation.is_polars()


def test_without_duckdb_it_is_said_that_nothing_is_capped(posts, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with (
        memory_limit("256 MiB"),
        pytest.warns(ErresearchWarning, match=r"memory is not capped.*install DuckDB"),
    ):
        capped = Moments.from_frame(posts / "*.parquet", ["x"], by="shop")
    assert capped.source.frame.implementation.is_polars()


def test_a_database_is_capped_too(tmp_path):
    path = tmp_path / "shop.db"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE posts AS SELECT 'a' AS account, 1.0 AS likes, '2026-01-01' AS published_at"
        )
    with memory_limit("512 MiB"):
        rows = open_database(f"duckdb:{path}?table=posts").to_native()
        lake = open_lake(f"duckdb:{path}?table=posts")
    for relation in (rows, lake.rows):
        assert setting(relation) == "256.0 MiB"


def test_what_is_held_keeps_to_its_share(posts, monkeypatch):
    monkeypatch.setattr("erresearch.io.resources._LEAST", 0)
    with memory_limit(4 * 1000 * 4 * 8 - 4):  # a byte less than four times what the rows take
        moments = Moments.from_frame(posts / "all.csv", ["x", "n"], by="shop")
        assert poisson_regression.hold(moments) is moments
    assert poisson_regression.hold(moments) is not moments
    with memory_limit(100), pytest.raises(DesignError, match=r"accounts by periods do not fit"):
        Moments.from_frame(posts / "all.csv", ["x"], by="shop", period="day")
    assert share_of_memory(aggregation.CELL_BYTES) == aggregation.CELL_BYTES
    with memory_limit(1000), pytest.warns(ErresearchWarning, match="20 accounts are summed in 20 groups"):
        regress(posts / "all.csv", "n", on=["x"], by="shop", within=True)


def test_rows_that_do_not_fit_are_not_brought_here(posts, monkeypatch):
    monkeypatch.setattr("erresearch.io.resources._LEAST", 0)
    words = r"needs the rows in memory.*1,000 complete rows of 24 bytes.*GiB \(83 rows\)"
    with memory_limit(8_000), pytest.raises(DesignError, match=words):
        share(posts / "all.csv", ["n", "x"], "never.npz", house="north", by="shop", plain=True)


def test_the_command_line_takes_a_size(tmp_path, capsys):
    (tmp_path / "posts.csv").write_text("a\n1\n")
    assert cli.main(["audit", str(tmp_path / "posts.csv"), "--memory", "little"]) == 2
    assert "a limit of memory must be a size" in capsys.readouterr().err
    assert allowed_memory() is None
