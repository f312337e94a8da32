"""One body over all engines: the same moments, the same counts, the same refusals, wherever the rows live."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ibis
import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import weekly_posts

import erresearch as er
from erresearch.engine import aggregation
from erresearch.engine.expressions import lag, log
from erresearch.engine.moments import Moments, bounded_moments
from erresearch.engine.table_files import find_files
from erresearch.errors import ColumnError, DataError, EngineError, ErresearchError, ErresearchWarning
from erresearch.io.resources import memory_limit
from erresearch.relate import logit, poisson, precedence
from erresearch.worlds import simulate_panel

# ibis 12 still calls a method that DuckDB 2 has renamed; the warning is between those two
pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")

LOCAL = ("pandas", "polars", "polars lazy", "pyarrow", "parquet", "csv", "duckdb", "duckdb file", "ibis")
ENGINES = (*LOCAL, "pyspark")


@pytest.mark.parametrize(
    "ask",
    [
        er.nps,
        er.engagement_rate,
        lambda table: er.build_panel(table, tz="UTC"),
        lambda table: er.build_panel(weekly_posts(), table, tz="UTC"),
        er.plan_experiment,
        lambda table: er.plan_holdout(table, delta=1.0),
        er.adversary,
        lambda table: er.regress(table, "score", ["likes"]),
    ],
)
def test_a_column_that_stands_twice_is_named_and_no_cell_of_it(ask):
    """Columns of a PyArrow table are asked for by other names than those of a data frame."""
    cells = pa.array([4711.0, 4711.0])
    names = ["likes", "score", "likes", "person", "revenue", "value"]
    with pytest.raises(ColumnError, match="'likes'") as refused:
        ask(pa.table([cells] * len(names), names=names))
    assert "4711" not in str(refused.value)


def make(rows: int = 4000) -> pd.DataFrame:
    """Simulated posts with every kind of hole, a heavy tail, a high level and one account with most rows."""
    rng = np.random.default_rng(11)
    shop = np.where(rng.random(rows) < 0.6, "whale", rng.choice(["a", "b", "c d", "🦜", 'q"'], rows)).astype(
        object
    )
    table = pd.DataFrame(
        {
            "shop": shop,
            "week": rng.integers(1, 14, rows),
            "likes": rng.standard_t(3, rows) * 100 + 1e6,
            "reach": rng.integers(0, 50, rows),
            "paid": rng.random(rows) < 0.3,
            "weight": rng.integers(0, 4, rows) / 2,
            "unused": "text",
        }
    )
    table.loc[table.index[::97], "likes"] = np.nan
    table.loc[table.index[5], "likes"] = np.inf
    table.loc[table.index[::131], "shop"] = None
    return table


TABLE = make()


@pytest.fixture(scope="module")
def spark(tmp_path_factory) -> Iterator[Any]:
    """A local Spark of two workers; skips with the reason where it cannot be."""
    sql = pytest.importorskip("pyspark.sql", reason="PySpark is not installed (extra erresearch[spark])")
    if shutil.which("java") is None:
        pytest.skip("PySpark needs Java, and there is none on this machine")
    place = tmp_path_factory.mktemp("spark")
    patch = pytest.MonkeyPatch()
    patch.setenv("PYSPARK_PYTHON", sys.executable)
    session = (
        sql.SparkSession.builder.master("local[2,4]")  # two workers, four attempts per task
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(place))
        .getOrCreate()
    )
    yield session
    session.stop()
    patch.undo()


@pytest.fixture(params=ENGINES)
def put(request, tmp_path: Path) -> Callable[[pd.DataFrame], Any]:
    """Hand rows to one engine."""
    engine = request.param
    session = request.getfixturevalue("spark") if engine == "pyspark" else None
    stored = tmp_path / "rows.parquet"

    def database(table: pd.DataFrame) -> str:
        with duckdb.connect(str(tmp_path / "rows.db")) as connection:
            connection.register("held", pl.from_pandas(table).to_arrow())
            connection.execute('create table "po sts" as select * from held')
        return f"duckdb:{tmp_path / 'rows.db'}?table=po%20sts"

    def parquet(table: pd.DataFrame) -> str:
        pq.write_table(pl.from_pandas(table, nan_to_null=False).to_arrow(), stored)
        return str(stored)

    def csv(table: pd.DataFrame) -> Path:
        pl.from_pandas(table).write_csv(tmp_path / "rows.csv")
        return tmp_path / "rows.csv"

    return {
        "pandas": lambda table: table,
        "polars": lambda table: pl.from_pandas(table, nan_to_null=False),
        "polars lazy": lambda table: pl.from_pandas(table).lazy(),
        "pyarrow": lambda table: pl.from_pandas(table).to_arrow(),
        "parquet": parquet,
        "csv": csv,
        "duckdb": lambda table: duckdb.connect().read_parquet(parquet(table)),
        "duckdb file": database,
        "ibis": lambda table: ibis.duckdb.connect().read_parquet(parquet(table)),
        "pyspark": lambda table: session.read.parquet(parquet(table)),
    }[engine]


@pytest.fixture
def tolerance(request) -> float:
    """Relative to the size of what is summed; Spark sums in no fixed order."""
    return 1e-10 if "pyspark" in request.node.name else 1e-12


def expected(
    table: pd.DataFrame, columns: list[str], origin: np.ndarray, weights: str | None
) -> dict[str, Any]:
    """Plain numpy in extended precision."""
    numbers = table[columns].astype(float).to_numpy()
    w = np.ones(len(table)) if weights is None else table[weights].to_numpy(float)
    good = np.isfinite(numbers).all(axis=1) & table["shop"].notna().to_numpy() & (w > 0)
    z = numbers.astype(np.longdouble) - origin
    out = {}
    for key in sorted(table.loc[good, "shop"].unique()):
        rows = good & (table["shop"] == key).to_numpy()
        held, mass = z[rows], w[rows]
        out[key] = (rows.sum(), mass.sum(), mass @ held, (held * mass[:, None]).T @ held, mass @ np.abs(held))
    return out


@pytest.mark.parametrize("weights", [None, "weight"])
def test_moments_are_the_same_in_every_engine(put, tolerance, weights):
    columns = ["likes", "reach", "paid"]
    m = Moments.from_frame(put(TABLE), columns, by="shop", period="week", weights=weights)
    truth = expected(TABLE, columns, m.origin, weights)
    assert m.keys.tolist() == list(truth)
    for g, (count, weight, sums, cross, size) in enumerate(truth.values()):
        assert m.count[g] == count
        assert m.weight[g] == pytest.approx(weight, rel=1e-13)
        assert np.all(np.abs(m.sums[g] - sums) <= tolerance * size)
        scale = np.sqrt(np.diag(cross).astype(float))
        assert np.all(np.abs(m.grams()[g] - cross) <= tolerance * np.outer(scale, scale))
    assert m.rows + sum(m.dropped.values()) == len(TABLE)
    missing = int(TABLE["shop"].isna().sum())
    assert m.dropped["account missing"] == missing
    assert set(m.dropped) == {"account missing", "not finite: likes"} | (
        {"weight zero"} if weights else set()
    )
    assert m.cells.periods.tolist() == [str(week) for week in range(1, 14)]
    assert m.cells.weight.sum() == pytest.approx(m.weight.sum(), rel=1e-13)
    back = np.zeros_like(m.sums)
    np.add.at(back, m.cells.account, m.cells.sums)
    np.testing.assert_allclose(back, m.sums, rtol=1e-9, atol=1e-6)


def test_lazy_expressions_are_the_same_in_every_engine(put):
    table = TABLE.drop_duplicates(["shop", "week"]).reset_index(drop=True)
    columns = [log("reach"), lag("likes", by="shop", period="week"), (nw.col("reach") * 2 + 1).alias("odd")]
    m = Moments.from_frame(put(table), columns, by="shop")
    ordered = table.dropna(subset=["shop"]).sort_values(["shop", "week"])
    ordered["log"] = np.log(ordered["reach"].where(ordered["reach"] > 0))
    ordered["lag"] = ordered.groupby("shop")["likes"].shift(1)
    kept = ordered[np.isfinite(ordered["log"]) & np.isfinite(ordered["lag"])]
    assert m.columns == ("log reach", "lag1 likes", "odd")
    assert m.rows == len(kept)
    totals = m.sums.sum(axis=0) + m.rows * m.origin
    np.testing.assert_allclose(
        totals, [kept["log"].sum(), kept["lag"].sum(), (2 * kept["reach"] + 1).sum()], rtol=1e-9
    )


def test_without_accounts_all_rows_are_one_group(put):
    m = Moments.from_frame(put(TABLE), ["reach"])
    assert (m.keys.tolist(), m.rows, dict(m.dropped)) == ([""], len(TABLE), {})
    assert m.sums.item() + m.rows * m.origin.item() == TABLE["reach"].sum()


def test_further_passes_see_the_same_rows(put):
    m = Moments.from_frame(put(TABLE), ["likes", "reach"], by="shop")
    source = m.source
    keys, values = source.by_account([source.z("reach").sum().alias("s"), nw.len().alias("n")])
    assert keys.tolist() == m.keys.tolist()
    np.testing.assert_allclose(values["s"], m.sums[:, 1], rtol=1e-10)
    assert values["n"].tolist() == m.count.tolist()
    total = source.total([(source.w() * source.z("reach")).sum().alias("s")])
    assert total["s"] == pytest.approx(m.sums[:, 1].sum(), rel=1e-10)
    assert source.collect(["reach"]).height == m.rows


def test_text_and_wrong_names_are_refused_alike(put):
    wrong = TABLE.head(50).copy()
    wrong["reach"] = wrong["reach"].astype(str)
    wrong.loc[3, "reach"] = "n/a"
    held = put(wrong)
    with pytest.raises(DataError, match=r"'reach' in .* must hold numbers: 1 of 50 values is text"):
        Moments.from_frame(held, ["reach"], by="shop")
    with pytest.raises(ColumnError, match=r"No column 'raech' in .*Did you mean 'reach'"):
        Moments.from_frame(held, ["raech"])
    with pytest.raises(ColumnError, match=r"No column 'raech' in .*Did you mean 'reach'"):
        Moments.from_frame(held, [log("raech")])


def test_an_empty_table_and_negative_weights_are_refused_alike(put):
    table = TABLE.drop(columns="unused").head(20).copy()
    table["weight"] = -1.0
    held = put(table)
    with pytest.raises(DataError, match="a weight is negative: 20 of 20 rows"):
        Moments.from_frame(held, ["reach"], weights="weight")


def test_an_empty_table_is_refused_alike(put):
    with pytest.raises(DataError, match="the table has no rows"):
        Moments.from_frame(put(TABLE.head(0).astype({"reach": float, "shop": str})), ["reach"])


# ---------------------------------------------------------------- files


def write(folder: Path, **tables: pl.DataFrame) -> str:
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    return str(folder / "*.parquet")


def test_many_files_are_one_table(tmp_path):
    a = pl.DataFrame({"shop": [1, 2], "x": [1.0, 2.0], "extra": ["p", "q"]})
    b = pl.DataFrame({"x": [3, None], "shop": [2.0, 1.5]})
    c = pl.DataFrame({"shop": ["2", "z"], "x": pl.Series([True, False])})
    empty = pl.DataFrame({"shop": [], "x": []}, schema={"shop": pl.String, "x": pl.Float32})
    glob = write(tmp_path, a=a, b=b, c=c, d=empty)
    m = Moments.from_frame(glob, ["x"], by="shop")
    assert m.keys.tolist() == ["1", "2", "z"]
    assert m.count.tolist() == [1, 3, 1]
    assert (m.sums[:, 0] + m.count * m.origin[0]).tolist() == [1.0, 6.0, 0.0]
    assert m.dropped == {"not finite: x": 1}
    c.write_csv(tmp_path / "e.csv")
    both = Moments.from_frame(tmp_path, ["x"], by="shop")
    assert both.count.tolist() == [1, 4, 2]


def test_files_of_one_schema_are_read_whatever_else_is_in_the_folder(tmp_path):
    glob = write(tmp_path, a=pl.DataFrame({"k": [1], "x": [1.0]}), b=pl.DataFrame({"k": [2], "x": [5.0]}))
    (tmp_path / "notes.txt").write_text("not a table")
    for place in (glob, tmp_path, Path(glob)):
        assert Moments.from_frame(place, ["x"], by="k").rows == 2
    odd = tmp_path / "odd [1].parquet"
    pl.DataFrame({"x": [1.0]}).write_parquet(odd)
    assert Moments.from_frame(odd, ["x"]).rows == 1


def test_one_bad_file_among_many_is_named(tmp_path):
    good = pl.DataFrame({"shop": ["a"], "x": [1.0], "day": [1]})
    glob = write(tmp_path, a=good, b=good.drop("x"))
    with pytest.raises(ColumnError, match=r"No column 'x' in '.*b\.parquet'"):
        Moments.from_frame(glob, ["x"])
    glob = write(
        tmp_path, a=good, b=pl.DataFrame({"shop": ["a", "b", "c"], "x": ["1", "2", "oops"], "day": [1, 2, 3]})
    )
    with pytest.raises(
        DataError, match=r"'x' in '.*b\.parquet' must hold numbers: 1 of 3 values is text, first in row 2"
    ):
        Moments.from_frame(glob, ["x"])
    glob = write(tmp_path, b=good.with_columns(pl.lit("text").alias("day")))
    with pytest.raises(
        ColumnError, match=r"files disagree about the type of 'day': Int64 in .*a\.parquet' and String"
    ):
        Moments.from_frame(glob, ["x", nw.col("day").is_null().alias("d")])
    glob = write(tmp_path, b=good.with_columns(pl.lit("text").alias("day")))
    assert Moments.from_frame(glob, ["x"], period="day").cells.periods.tolist() == ["1", "text"]


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(EngineError, match=r"no file at '.*\*\.parquet': nothing there"):
        Moments.from_frame(str(tmp_path / "*.parquet"), ["x"])
    with pytest.raises(EngineError, match="no file at"):
        Moments.from_frame(tmp_path, ["x"])
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(EngineError, match=r"cannot tell what kind of table.*Allowed: \.parquet, \.csv"):
        Moments.from_frame(tmp_path / "a.xlsx", ["x"])
    whole = tmp_path / "whole.parquet"
    pl.DataFrame({"x": range(1000)}).write_parquet(whole)
    (tmp_path / "cut.parquet").write_bytes(whole.read_bytes()[:-50])
    with pytest.raises(
        EngineError, match=r"cannot read '.*cut\.parquet'.*check that the file is whole|Check that"
    ):
        Moments.from_frame(str(tmp_path / "*.parquet"), ["x"])
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(EngineError, match=r"cannot read '.*empty\.csv'"):
        Moments.from_frame(tmp_path / "empty.csv", ["x"])


def test_text_late_in_a_csv_is_found_and_never_dropped(tmp_path):
    path = tmp_path / "posts.csv"
    lines = [f"00{i % 3},{i}" for i in range(20_000)]
    lines[15_000] = "001,n/a"
    path.write_text("\n".join(["shop,likes", *lines]))
    pattern = r"'likes' in '.*posts\.csv' must hold numbers: 1 of 20,000 values is text, first in row 15000"
    with pytest.raises(DataError, match=pattern):
        Moments.from_frame(path, ["likes"], by="shop")
    with pytest.raises(DataError, match=pattern):
        Moments.from_frame(path, [log("likes")], by="shop")
    lines[15_000] = "001,"
    path.write_text("\n".join(["shop,likes", *lines]))
    m = Moments.from_frame(path, ["likes"], by="shop")
    assert m.keys.tolist() == ["000", "001", "002"]
    assert m.dropped == {"not finite: likes": 1}


def test_storage_that_only_pandas_has_is_read_and_what_is_no_number_refused():
    kept = {"long": np.array([1, 2, 3], dtype=np.longdouble), "sparse": pd.arrays.SparseArray([1.0, 2, 3])}
    for name, values in kept.items():
        m = Moments.from_frame(pd.DataFrame({name: values}), [name])
        assert m.sums[0, 0] + 3 * m.origin[0] == 6, name
    with pytest.raises(DataError, match=r"'x' .*must hold numbers: 3 of 3 values are text"):
        Moments.from_frame(pd.DataFrame({"x": np.array([1 + 2j, 2, 3])}), ["x"])


def test_lags_in_a_csv_follow_numbers_not_their_text(tmp_path):
    table = pl.DataFrame({"shop": ["001"] * 12, "week": range(1, 13), "y": np.arange(12.0) ** 2})
    table.write_csv(tmp_path / "weeks.csv")
    columns = ["y", lag("y", by="shop", period="week")]
    held = Moments.from_frame(table, columns, by="shop", period="week")
    read = Moments.from_frame(tmp_path / "weeks.csv", columns, by="shop", period="week")
    assert read.keys.tolist() == ["001"]
    assert read.cells.periods.tolist() == held.cells.periods.tolist()
    np.testing.assert_allclose(read.about(held.origin).cross, held.cross, rtol=1e-12)


def test_keys_read_the_same_whatever_type_they_have():
    days = [date(2026, 1, 5), date(2026, 1, 6), None]
    noon = datetime(2026, 1, 5, 11, 30, 0, 500_000, tzinfo=UTC)
    sorts = {
        "days": [
            pl.Series(days),
            *(pl.Series(days).cast(pl.Datetime(unit)) for unit in ("ms", "us", "ns")),
            pd.Series(days),
            pd.Series(pd.to_datetime(days)),
            pd.Series([None if day is None else pd.Timestamp(day) for day in days], dtype=object),
        ],
        "times": [
            pl.Series([noon] * 3),
            pl.Series([noon] * 3).dt.convert_time_zone("Europe/Berlin").cast(pl.Datetime("ns", "Europe/Berlin")),
            pd.Series([noon.astimezone(timezone(timedelta(hours=3)))] * 3, dtype=object),
        ],
        "ids": [
            pl.Series([17841400000000001, 17841400000000002, None]),
            pl.Series([17841400000000001, 17841400000000002, None]).cast(pl.Decimal(38, 0)),
            pl.Series(["17841400000000001.00", "17841400000000002.00", None]).cast(pl.Decimal(22, 2)),
            pd.Series([Decimal("17841400000000001.0"), Decimal(17841400000000002), None], dtype=object),
        ],
        "flags": [pl.Series([True, False, None]), pd.Series([True, False, None], dtype=object)],
        "shares": [pl.Series([0.5, 2.0, None]), pl.Series(["0.50", "2.00", None]).cast(pl.Decimal(9, 2))],
    }  # fmt: skip
    wanted = {
        "days": ["2026-01-05", "2026-01-06"],
        "times": ["2026-01-05 11:30:00.5+00:00"],
        "ids": ["17841400000000001", "17841400000000002"],
        "flags": ["false", "true"],
        "shares": ["0.5", "2"],
    }
    for name, kinds in sorts.items():
        for kind in kinds:
            frame = pl.DataFrame if isinstance(kind, pl.Series) else pd.DataFrame
            m = Moments.from_frame(frame({"key": kind, "x": [1.0, 2.0, 3.0]}), ["x"], by="key")
            assert m.keys.tolist() == wanted[name], (name, kind)


def test_ids_that_went_through_floats_are_refused(tmp_path):
    ids = [17841400000000001, 17841400000000002, None, 17841400000000002]
    held = pd.DataFrame({"shop": ids, "week": [1, 1, 1, 2], "x": [1.0, 2.0, 3.0, 4.0]})
    words = r"'shop' in .* names accounts by floats too large .*: ids up to 1784140000000000\d\."
    with pytest.raises(DataError, match=words):
        Moments.from_frame(held, ["x"], by="shop")
    with pytest.raises(DataError, match=words):
        precedence(held.assign(y=held["x"]), "x", "y", by="shop", time="week")
    assert Moments.from_frame(held.astype({"shop": "Int64"}), ["x"], by="shop").accounts == 2
    # parts of which one has a gap among its ids
    held.iloc[:2].astype({"shop": "int64"}).to_parquet(tmp_path / "a.parquet")
    held.iloc[2:].to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=words.replace(".*", r".*b\.parquet'", 1)):
        Moments.from_frame(tmp_path, ["x"], by="shop")


def test_parts_without_values_do_not_know_their_types(tmp_path):
    whole = pl.DataFrame({"shop": ["a", "b", "b"], "day": [date(2026, 1, 5)] * 3, "x": [1, 2, 4]})
    for suffix in ("csv", "parquet"):
        folder = tmp_path / suffix
        folder.mkdir()
        parts = [whole, whole.clear(), whole.with_columns(x=None), whole.select("x", "day", "shop")]
        for i, part in enumerate(parts):
            getattr(part, f"write_{suffix}")(folder / f"{i}.{suffix}")
        m = Moments.from_frame(str(folder / f"*.{suffix}"), [log("x")], by="shop", period="day")
        assert m.count.tolist() == [2, 4]
        assert m.dropped == {"not finite: log x": 3}
        assert m.cells.periods.tolist() == ["2026-01-05"]


def test_days_are_the_same_in_parts_that_store_them_in_other_ways(tmp_path):
    day = pl.Series("day", [date(2026, 1, 5), date(2026, 1, 6)])
    for i, kind in enumerate((pl.Date, pl.Datetime("ms"), pl.Datetime("ns"), pl.String)):
        pl.DataFrame([day.cast(kind), pl.Series("x", [1.0, 2.0])]).write_parquet(tmp_path / f"{i}.parquet")
        m = Moments.from_frame(tmp_path, ["x"], by="day")
        assert m.keys.tolist() == ["2026-01-05", "2026-01-06"]
        assert m.count.tolist() == [i + 1, i + 1]


def test_rows_are_read_once_and_unfinished_files_not_at_all(tmp_path):
    table = pl.DataFrame({"x": [1.0, 2.0]})
    for place in (
        "a.parquet",
        "more/b.parquet",
        "_temporary/0/c.parquet",
        ".hidden/d.parquet",
        "._a.parquet",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        table.write_parquet(tmp_path / place)
    assert Moments.from_frame(tmp_path, ["x"]).rows == 4
    assert [file.path for file in find_files([tmp_path / "a.parquet", tmp_path / "*.parquet"])] == [
        str(tmp_path / "a.parquet")
    ]


def test_headers_and_ids_of_a_csv_are_those_of_the_table(tmp_path):
    table = pl.DataFrame({'q"t': [1.0, 2.0, 3.0], "a,b": [1, 2, 2]})
    table.write_csv(tmp_path / "a.csv")
    # pandas writes whole numbers with a gap among them as floats
    table.with_columns(pl.Series("a,b", [1.0, 2.0, None])).write_csv(tmp_path / "b.csv")
    m = Moments.from_frame(str(tmp_path / "*.csv"), ['q"t'], by="a,b")
    assert (m.keys.tolist(), m.count.tolist()) == (["1", "2"], [2, 3])
    (tmp_path / "c.csv").write_text("x,k,k\n1,2,3\n")
    assert Moments.from_frame(tmp_path / "c.csv", ["x"]).rows == 1
    with pytest.raises(ColumnError, match=r"c\.csv' has several columns named 'k': the same name twice"):
        Moments.from_frame(tmp_path / "c.csv", ["x"], by="k")


def test_a_row_with_a_cell_too_many_is_not_read_one_column_off(tmp_path):
    lines = ["shop,title,likes,sales", *(f"a,post {i},{i},{2 * i}" for i in range(9))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    lines[4] = "a,Hello, 7,3,6"
    (tmp_path / "b.csv").write_text("\n".join(lines))
    words = r"cannot read '.*b\.csv': row 3 \(the first row is 0\) has 5 cells, the header 4.*in quotes"
    for place in (tmp_path, tmp_path / "b.csv"):
        with pytest.raises(EngineError, match=words):
            Moments.from_frame(place, ["sales"], by="shop")
    lines[4] = 'a,"Hello, 7",3,6'
    (tmp_path / "b.csv").write_text("\n".join(lines))
    assert Moments.from_frame(tmp_path, ["sales"], by="shop").rows == 18
    (tmp_path / "b.csv").write_bytes("\n".join(lines).replace("Hello", "Grüße").encode("latin-1"))
    with pytest.raises(EngineError, match=r"cannot read '.*b\.csv': text that is no UTF-8"):
        Moments.from_frame(tmp_path, ["sales"], by="shop")


def test_a_file_damaged_in_its_middle_is_named(tmp_path):
    table = pl.DataFrame({"shop": ["a", "b"] * 500, "x": np.random.default_rng(0).normal(size=1000)})
    for name in ("a", "b", "c"):
        table.write_parquet(tmp_path / f"{name}.parquet")
    raw = (tmp_path / "b.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(raw[:60] + bytes(2_000) + raw[2_060:])  # its footer is whole
    with pytest.raises(EngineError, match=r"cannot read '.*b\.parquet'.*file is whole"):
        Moments.from_frame(tmp_path, ["x"], by="shop")
    with memory_limit("200 MB"), pytest.raises(EngineError, match=r"cannot read '.*b\.parquet'"):
        Moments.from_frame(tmp_path, ["x"], by="shop")


def test_a_table_of_a_schema_is_found_in_a_database(tmp_path):
    with duckdb.connect(str(tmp_path / "a.db")) as connection:
        connection.execute("create schema shop; create table shop.posts as select 1 as x")
        connection.execute('create table "shop.other" as select 2 as x')
    for table, value in (("shop.posts", 1), ("shop.other", 2)):
        assert Moments.from_frame(f"duckdb:{tmp_path}/a.db?table={table}", ["x"]).origin[0] == value
    with pytest.raises(EngineError, match=r"no table 'shop\.none' in .*no table or view of the file itself"):
        Moments.from_frame(f"duckdb:{tmp_path}/a.db?table=shop.none", ["x"])


def test_names_that_duckdb_has_its_own_mind_about(tmp_path):
    table = pl.DataFrame({"x": [1.0, 2.0], "X": [5.0, 6.0], "*": [1, 2]})
    with pytest.raises(ColumnError, match=r"DuckDB takes the column name '\*' for all columns"):
        Moments.from_frame(put_in_duckdb(table), ["x"], by="*")
    table.write_parquet(tmp_path / "a.parquet")
    with memory_limit("200 MB"):
        m = Moments.from_frame(tmp_path / "a.parquet", ["x", "X"], by="*")
    assert (m.sums.sum(axis=0) + m.rows * m.origin).tolist() == [3.0, 11.0]


def put_in_duckdb(table: pl.DataFrame) -> duckdb.DuckDBPyRelation:
    return duckdb.connect().from_arrow(table.to_arrow())


def test_a_database_file_is_opened_for_reading_only(tmp_path):
    path = tmp_path / "a.db"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table posts as select 1 as x")
    before = path.read_bytes()
    assert Moments.from_frame(f"duckdb:{path}?table=posts", ["x"]).rows == 1
    assert path.read_bytes() == before
    with pytest.raises(EngineError, match=r"no table at .*no table named.*duckdb:file\.db\?table=posts"):
        Moments.from_frame(f"duckdb:{path}", ["x"])
    with pytest.raises(EngineError, match=r"no table at .*no file there"):
        Moments.from_frame(f"duckdb:{path}x?table=posts", ["x"])
    with pytest.raises(EngineError, match="no table 'post' in"):
        Moments.from_frame(f"duckdb:{path}?table=post", ["x"])
    path.write_text("no database")
    with pytest.raises(EngineError, match="cannot open 'duckdb:"):
        Moments.from_frame(f"duckdb:{path}?table=posts", ["x"])


def test_a_database_gives_nothing_but_its_own_rows(tmp_path):
    path, secret = tmp_path / "a.db", tmp_path / "secret.csv"
    secret.write_text("x\n1\n2\n")
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table posts as select 1 as x")
        connection.execute("create view mine as select * from posts")
        connection.execute(f"create view theirs as select * from read_csv('{secret}')")
    assert Moments.from_frame(f"duckdb:{path}?table=mine", ["x"]).rows == 1
    with pytest.raises(EngineError, match="disabled"):
        Moments.from_frame(f"duckdb:{path}?table=theirs", ["x"])
    for table in (str(secret), "secret.csv", f"read_csv('{secret}')", "duckdb_tables", 'posts" --'):
        with pytest.raises(EngineError, match="no table"):
            Moments.from_frame(f"duckdb:{path}?table={table}", ["x"])


@pytest.mark.parametrize(
    "place", ["", "a\0b.csv", "duckdb:", "duckdb:?table=x", "duckdb:a\0?table=x", "loop.csv"]
)
def test_what_is_no_place_is_refused(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("there.csv").write_text("x\n1\n")
    Path("loop.csv").symlink_to("loop.csv")
    with pytest.raises(EngineError, match=r"no (file|table) at"):
        Moments.from_frame(place, ["x"])


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_file_that_is_something_else_is_one_error(name, tmp_path):
    for number, content in enumerate((b"", b"x", b"PAR1" + bytes(40) + b"PAR1", b"\xff\xfe" + bytes(99))):
        path = tmp_path / f"{number}{name}"
        path.write_bytes(content)
        with pytest.raises(ErresearchError) as caught:
            Moments.from_frame(path, ["x"])
        assert len(str(caught.value)) < 600 + len(str(path))


def test_no_message_quotes_a_cell(tmp_path):
    secret = "ann@example.org"
    (tmp_path / "a.csv").write_text(f"x,y\n1,2\n{secret},3\n4,{secret},{secret}\n")
    tables = [
        pl.DataFrame({"x": ["1", secret]}),
        pd.DataFrame({"x": [1.0, secret]}),
        duckdb.sql(f"select '{secret}' as x"),
        tmp_path / "a.csv",
    ]
    for table in tables:
        for columns in (["x"], [nw.col("x").cast(nw.Float64()).alias("z")], [nw.col("x") + 1]):
            with pytest.raises(ErresearchError) as caught:
                Moments.from_frame(table, columns)
            assert secret not in str(caught.value)


def test_what_names_no_account_is_refused_by_name():
    rows = pl.DataFrame({"x": [1.0, 2.0, 4.0], "t": [1, 2, 3]})
    spans = rows.with_columns(pl.duration(days="t").alias("a"))
    for table in (spans, spans.lazy(), spans.to_pandas()):
        with pytest.raises(
            ColumnError, match="'a' cannot name accounts or periods: a column of type Duration"
        ):
            Moments.from_frame(table, ["x"], by="a")
    periods = rows.to_pandas().assign(a=pd.period_range("2026", periods=3, freq="M"))
    assert Moments.from_frame(periods, ["x"], by="a").keys.tolist() == ["2026-01", "2026-02", "2026-03"]
    for table in (rows, rows.lazy(), rows.to_pandas()):
        with pytest.raises(ColumnError, match="'t' is asked for as account and as period"):
            Moments.from_frame(table, ["x"], by="t", period="t")
    twice = pd.DataFrame([[1.0, 2.0, 3]], columns=["x", "y", "y"])
    assert Moments.from_frame(twice, ["x"]).rows == 1
    with pytest.raises(ColumnError, match="'y'"):
        Moments.from_frame(twice, ["x", nw.col("y")])
    with pytest.raises(ColumnError, match="the table has 2 columns named 'y'"):
        Moments.from_frame(twice, ["y"])


def test_one_account_with_most_rows_is_summed_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(aggregation, "LONG", 500)
    monkeypatch.setattr(aggregation, "SPLIT", 100)
    for by in (["whale"] * 1000 + ["b"] * 10, [7] * 1000 + [8] * 10, [True] * 1000 + [False] * 10):
        table = pl.DataFrame({"k": by, "x": np.arange(1010.0)})
        for held in (table, table.with_columns(pl.col("k").cast(pl.String).cast(pl.Categorical))):
            m = Moments.from_frame(held, ["x"], by="k")
            assert sorted(m.count.tolist()) == [10, 1000]
            at = int(np.argmax(m.count))
            assert m.sums[at, 0] == np.sum(np.arange(1000.0) - m.origin[0])


# ---------------------------------------------------------------- Spark


def test_spark_shuffles_once_and_sends_only_moments(spark, tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pl.from_pandas(TABLE).to_arrow(), path)
    m = Moments.from_frame(spark.read.parquet(str(path)), ["likes", "reach"], by="shop")
    source = m.source
    grouped = source.complete().group_by(source.account).agg(source.z("likes").sum().alias("s")).to_native()
    plan = grouped._jdf.queryExecution().executedPlan().toString()
    assert plan.count("Exchange") == 1
    assert grouped.count() == m.accounts


def test_spark_sums_too_many_accounts_in_groups(spark, tmp_path, monkeypatch):
    rng = np.random.default_rng(5)
    shop, x, noise = np.arange(4_000) % 400, rng.normal(size=4_000), rng.normal(size=4_000)
    table = {"shop": shop, "x": x, "y": rng.poisson(np.exp(0.4 * x)) * (shop % 4 > 0), "told": x + noise > 0}
    path = str(tmp_path / "rows.parquet")
    pl.DataFrame(table).write_parquet(path)

    def fits(rows):
        yield poisson(rows, "y", on=["x"], by="shop", cov="CRV1")
        yield logit(rows, "told", on=["x"], by="shop", cov="CRV1")

    whole = list(fits(path))
    settings = bounded_moments.__kwdefaults__ | {"most_bytes": 2_000, "groups": 40}
    monkeypatch.setattr(bounded_moments, "__kwdefaults__", settings)
    with pytest.warns(ErresearchWarning, match="400 accounts are summed in 40 groups"):
        here = list(fits(path))
    with pytest.warns(ErresearchWarning, match="400 accounts are summed in 40 groups"):
        there = list(fits(spark.read.parquet(path)))
    for one, two, all_of_them in zip(there, here, whole, strict=True):
        assert one["x"].value == pytest.approx(all_of_them["x"].value, rel=1e-9)
        assert one["x"].se == pytest.approx(two["x"].se, rel=1e-9)
        assert one.n_accounts == two.n_accounts == 40
        assert dict(one.dropped) == dict(all_of_them.dropped)


# PySpark warns on every pandas 3; no pandas is used here. Its Python workers take their time: slow
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
def test_a_lost_spark_task_is_done_again_with_the_same_answer(spark, tmp_path):
    from pyspark import TaskContext
    from pyspark.sql.functions import udf

    path = tmp_path / "rows.parquet"
    pq.write_table(pl.from_pandas(TABLE).to_arrow(), path)
    rows = spark.read.parquet(str(path))
    lost = tmp_path / "lost"

    @udf("double")
    def fragile(value):  # Spark reads type hints in a way of its own
        context = TaskContext.get()
        if context is not None and context.attemptNumber() == 0:
            lost.touch()
            raise RuntimeError("this worker is gone")
        return value

    columns = ["likes", "reach"]
    whole = Moments.from_frame(rows, columns, by="shop")
    again = Moments.from_frame(rows.withColumn("likes", fragile("likes")), columns, by="shop")
    assert lost.exists()
    assert again.dropped == whole.dropped
    assert again.count.tolist() == whole.count.tolist()
    np.testing.assert_allclose(again.about(whole.origin).cross, whole.cross, rtol=1e-9)


def test_a_header_that_stands_twice_is_refused_at_every_door():
    panel = simulate_panel("effect", accounts=4, weeks=20, rng=1)[0]
    twice = pd.concat([panel, panel[["reach"]]], axis=1)
    assert er.regress(twice, "revenue", on=["spend"], by="account").n_rows == 80
    for ask in (
        lambda: er.regress(twice, "revenue", on=["reach"], by="account"),
        lambda: er.build_panel(twice.rename(columns={"week": "published_at"}), tz="UTC"),
        lambda: er.engagement_rate(twice, denominator="reach"),
    ):
        with pytest.raises(ColumnError, match="'reach'"):
            ask()
