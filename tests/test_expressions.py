"""Lazy transformations: the same values from every engine, and what has no value is counted."""

from __future__ import annotations

import math

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from erresearch.engine.expressions import lag, log
from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError

WEEKS = pd.DataFrame(
    {
        "shop": ["b", "a", "a", "b", "a", None, "b"],
        "week": [2, 10, 9, 1, 8, 1, 3],
        "sales": [9.0, 6.0, 5.0, 8.0, 4.0, 1.0, np.nan],
        "reach": [0, 1, 10, -5, 100, 7, 3],
    }
)


def duckdb_rows(table: pl.DataFrame) -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    connection.register("held", table.to_arrow())
    return connection.sql("select * from held")


ENGINES = {
    "pandas": pl.DataFrame.to_pandas,
    "polars": pl.DataFrame.clone,
    "polars lazy": pl.DataFrame.lazy,
    "pyarrow": pl.DataFrame.to_arrow,
    "duckdb": duckdb_rows,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_gives_the_same_values(engine):
    table = ENGINES[engine](pl.from_pandas(WEEKS))
    columns = [
        log("reach"),
        lag("sales", by="shop", period="week"),
        lag("sales", 2, by="shop", period="week"),
        lag("sales", -1, by="shop", period="week"),
    ]
    wanted = {
        "log reach": sum(math.log(v) for v in (1, 10, 100, 7, 3)),
        "lag1 sales": 4.0 + 5.0 + 8.0 + 9.0,
        "lag2 sales": 4.0 + 8.0,
        "lead1 sales": 5.0 + 6.0 + 9.0,
    }
    rows = {"log reach": 5, "lag1 sales": 4, "lag2 sales": 2, "lead1 sales": 3}
    for column, key in zip(columns, wanted, strict=True):
        m = Moments.from_frame(table, [column])
        assert m.columns == (key,)
        assert m.rows == rows[key]
        assert m.dropped == {f"not finite: {key}": 7 - rows[key]}
        assert m.sums.item() + m.rows * m.origin.item() == pytest.approx(wanted[key], abs=1e-12)


def test_zero_and_negative_have_no_logarithm_and_are_counted():
    m = Moments.from_frame(
        pl.DataFrame({"x": [math.e, 0.0, -1.0, None, float("nan"), float("inf"), 1.0]}), [log("x")]
    )
    assert m.rows == 2
    assert m.dropped == {"not finite: log x": 5}


def test_lags_of_one_column_do_not_collide_with_it():
    held = ["sales", *(lag("sales", n, by="shop", period="week") for n in (1, -1))]
    m = Moments.from_frame(WEEKS, held, by="shop")
    assert m.columns == ("sales", "lag1 sales", "lead1 sales")
    assert m.rows == 1
    assert m.origin.shape == (3,)


@pytest.mark.parametrize("n", [0, 1.0, True, "1"])
def test_a_lag_is_a_whole_number_of_periods(n):
    with pytest.raises(ColumnError, match="the lag of 'sales' must be a whole number of periods"):
        lag("sales", n, by="shop", period="week")


def test_only_needed_columns_leave_pandas():
    class Untouchable:
        def __str__(self):
            raise AssertionError("this column was not asked for")

    table = pd.DataFrame({"x": [1.0, 2.0], "heavy": pd.Series([Untouchable()] * 2, dtype=object)})
    assert Moments.from_frame(table, [log("x"), "x"]).rows == 2
