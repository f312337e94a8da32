"""An audit of tables that stay where they are: the same words and numbers from Parquet and from a database."""

from __future__ import annotations

import duckdb
import nbformat
import pandas as pd
import polars as pl
import pytest

from erresearch import build_panel, cli
from erresearch.audits import audit, judge_panel, read_files, side_by_side
from erresearch.errors import ColumnError, DataError
from erresearch.exports.lazy_tables import open_lake
from erresearch.worlds import simulate


@pytest.fixture(scope="module")
def world():
    return simulate("effect", accounts=2, weeks=60, rng=1)


@pytest.fixture(scope="module")
def lake(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    (folder / "posts").mkdir()
    posts = world.posts[world.posts["platform"] == "instagram"].drop(columns="post_type")
    posts.iloc[:100].to_parquet(folder / "posts" / "a.parquet")
    posts.iloc[100:].to_parquet(folder / "posts" / "b.parquet")
    world.outcomes.to_parquet(folder / "sales.parquet")
    with duckdb.connect(str(folder / "shop.db")) as connection:
        connection.execute(f"CREATE TABLE posts AS SELECT * FROM '{folder}/posts/*.parquet'")
        connection.execute(f"CREATE TABLE sales AS SELECT * FROM '{folder}/sales.parquet'")
    return folder


@pytest.fixture(scope="module")
def from_parquet(lake, tmp_path_factory):
    places = [str(lake / "posts" / "*.parquet"), lake / "sales.parquet"]
    return audit(places, tz="UTC", out=tmp_path_factory.mktemp("audit"))


def test_parquet_is_audited_as_the_public_functions_would(from_parquet, lake):
    posts = pl.scan_parquet(lake / "posts" / "*.parquet").collect().to_pandas()
    sales = pd.read_parquet(lake / "sales.parquet")
    panel = build_panel(posts, sales, freq="W", tz="UTC")
    assert from_parquet.panel.accounting == panel.accounting
    pd.testing.assert_frame_equal(from_parquet.panel.rows, panel.rows, rtol=1e-12)
    pd.testing.assert_frame_equal(from_parquet.rates, side_by_side(posts), rtol=1e-12)
    words = {verdict.claim: verdict.words for verdict in from_parquet.verdicts}
    assert "simulated" in words["C01"]
    again = {verdict.claim: verdict.words for verdict in judge_panel(panel)}
    assert words["C02"] == again["C02"] or words["C02"] == f"{again['C02']}, simulated"
    assert "posts/*.parquet: posts, 2 Parquet files" in str(from_parquet)


def test_the_report_and_the_notebook_name_the_tables(from_parquet):
    report = from_parquet.paths["report"].read_text(encoding="utf-8")
    assert "2 Parquet files" in report
    notebook = nbformat.read(from_parquet.paths["notebook"], as_version=4)
    printed = "".join(
        output.get("text", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert "posts/*.parquet: posts, 2 Parquet files" in printed


def test_a_database_gives_the_same(from_parquet, lake):
    found = audit([f"duckdb:{lake}/shop.db?table={name}" for name in ("posts", "sales")], tz="UTC")
    pd.testing.assert_frame_equal(found.panel.rows, from_parquet.panel.rows, rtol=1e-10)
    pd.testing.assert_frame_equal(found.rates, from_parquet.rates, rtol=1e-10)
    for mine, theirs in zip(found.verdicts, from_parquet.verdicts, strict=True):
        assert mine.word == theirs.word
        if mine.estimate is not None:
            assert mine.estimate.value == pytest.approx(theirs.estimate.value, rel=1e-8)


def test_a_mapping_lies_beside_the_file_or_the_folder(lake, tmp_path):
    (tmp_path / "toots").mkdir()
    posts = (
        pl.scan_parquet(lake / "posts" / "*.parquet").collect().rename({"likes": "hearts"}).drop("comments")
    )
    posts.write_parquet(tmp_path / "toots" / "part.parquet")
    text = 'kind = "posts"\n[columns]\nlikes = "hearts"\n'
    (tmp_path / "toots.toml").write_text(text)
    for place in (tmp_path / "toots", tmp_path / "toots" / "*.parquet"):
        (table,) = read_files([place], tz="UTC").lakes
        assert "likes" in table.columns
    (tmp_path / "toots" / "part.parquet.toml").write_text(text.replace("hearts", "stars"))
    with pytest.raises(ColumnError, match="'stars'"):
        read_files([tmp_path / "toots" / "part.parquet"], tz="UTC")
    (tmp_path / "odd.parquet").write_bytes((tmp_path / "toots" / "part.parquet").read_bytes())
    with pytest.raises(ColumnError, match=r"cannot be a table of outcomes.*odd\.parquet\.toml beside it"):
        read_files([], outcomes=[tmp_path / "odd.parquet"], tz="UTC")


def test_tables_that_nobody_can_put_together_are_refused(lake, tmp_path):
    database = f"duckdb:{lake}/shop.db?table=posts"
    files = read_files([lake / "posts" / "a.parquet", database], tz="UTC")
    with pytest.raises(DataError, match=r"posts come in several tables.*shop\.db\?table=posts, a\.parquet"):
        files.source("posts")
    (tmp_path / "posts.csv").write_text("a\n1\n")
    (tmp_path / "b.parquet").write_bytes((lake / "posts" / "b.parquet").read_bytes())
    with pytest.raises(
        DataError, match=r"holds exports and Parquet files.*1 export and 1 Parquet file, such as b"
    ):
        read_files([tmp_path], tz="UTC")


def test_a_lake_collects_to_the_panel_that_memory_gives(lake):
    panel = build_panel(open_lake(lake / "posts"), freq="W", tz="UTC")
    assert panel.simulated
    held = panel.collect()
    assert held.rows.attrs == {"simulated": True}
    assert held.collect() is held
    assert list(held.rows.columns) == ["entity", *panel.columns[1:]]


def test_files_that_a_shell_hands_over_one_by_one_are_one_table(lake, capsys):
    parts = sorted((lake / "posts").glob("*.parquet"))
    files = read_files([*parts, lake / "sales.parquet"], tz="UTC")
    assert [(one.name, one.kind) for one in files.lakes] == [
        ("a.parquet and 1 more", "posts"),
        ("sales.parquet", "outcomes"),
    ]
    panel = build_panel(files.source("posts"), freq="W", tz="UTC")
    assert panel.accounting == build_panel(open_lake(lake / "posts"), freq="W", tz="UTC").accounting
    (parts[0].parent.with_name("posts.toml")).write_text('platform = "other"\nkind = "posts"\n')
    assert cli.main(["inspect", str(parts[0]), f"duckdb:{lake}/shop.db?table=sales"]) == 0
    said = capsys.readouterr().out
    assert "a.parquet: posts, 1 Parquet file, 100 rows\n" in said
    assert "  account: 'account-01' | 'account-01' | 'account-01'\n" in said
    assert "table=sales: outcomes, a table of a DuckDB file" in said
    assert cli.main(["inspect", str(lake / "none.parquet")]) == 2
    assert "no file at" in capsys.readouterr().err
