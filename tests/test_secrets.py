"""No cell of a table reaches a message, a warning, or a traceback behind it, whatever library met the cell first."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import few_posts

import erresearch as er
from erresearch.errors import ErresearchError, without_cells
from erresearch.relate import mix, reliability

#: In quotes of several kinds, and over two lines.
SECRET = "zsecretz"
CELLS = [f"{SECRET}@example.org", f'it\'s "{SECRET}" {SECRET}', f"1.5\n{SECRET}", f"`{SECRET}` [{SECRET}"]
ROWS = 60
FIGURES = ["likes", "reach", "followers", "engagement", "revenue", "spend", "score", "value", "posts"]
TABLE = few_posts(ROWS, **{name: np.arange(ROWS) % 11 + 1.0 for name in FIGURES}).assign(
    account="shop",
    entity="shop",
    week=pd.date_range("2024-01-01", periods=ROWS, freq="7D"),
    date=pd.date_range("2024-01-01", periods=ROWS),
    period=pd.date_range("2024-01-01", periods=ROWS, freq="7D"),
    person=np.arange(ROWS).astype(str),
    respondent=np.arange(ROWS).astype(str),
    currency="EUR",
    outcome="revenue",
    kind="sale",
)
#: What each call reads, and the call.
CALLS: dict[str, tuple[list[str], Callable[[pd.DataFrame], object]]] = {
    "regress": (["revenue", "engagement"], lambda t: er.regress(t, "revenue", ["engagement"], by="account")),
    "correlate": (["engagement"], lambda t: er.correlate(t, "engagement", "revenue")),
    "poisson": (["revenue"], lambda t: er.poisson(t, "revenue", ["engagement"])),
    "logit": (["score"], lambda t: er.logit(t, "score", ["engagement"])),
    "precedence": (["revenue"], lambda t: er.precedence(t, "engagement", "revenue", by=None, time="week")),
    "gain": (
        ["spend"],
        lambda t: er.predictive_gain(
            t, "revenue", baseline=["spend"], add="engagement", by="account", time="week"
        ),
    ),
    "rates": (["likes", "followers"], er.engagement_rate),
    "nps": (["score"], er.nps),
    "examine": (["revenue"], lambda t: er.examine("C01", t)),
    "adversary": (["likes"], er.adversary),
    "decay": (["followers"], er.decay),
    "days": (["engagement"], lambda t: er.daily_response(t, "engagement", "revenue", time="date")),
    "posts": (["likes", "reach", "followers"], lambda t: er.build_panel(t, tz="UTC")),
    "outcomes": (
        ["value", "date"],
        lambda t: er.build_panel(
            TABLE, t[["entity", "date", "outcome", "value", "currency", "kind"]], tz="UTC"
        ),
    ),
    "followers": (
        ["followers"],
        lambda t: er.build_panel(TABLE, followers=t[["platform", "account", "date", "followers"]], tz="UTC"),
    ),
    "figures": (
        ["reach"],
        lambda t: er.build_panel(TABLE, followers=t[["platform", "account", "date", "reach"]], tz="UTC"),
    ),
    "spend": (["spend"], lambda t: er.build_panel(TABLE, spend=t[["platform", "date", "spend"]], tz="UTC")),
    "plan": (["revenue", "posts"], er.plan_experiment),
    "holdout": (["revenue"], lambda t: er.plan_holdout(t, delta=1.0)),
    "mix": (["likes"], lambda t: mix(t, "revenue", actions=["likes", "reach"])),
    "reliability": (["reach"], lambda t: reliability(t, ["likes", "reach"], by="account", time="week")),
}


def said(ask: Callable[[object], object], table: object) -> str:
    """All that a caller sees: the result or the error with what stands behind it, and warnings."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            told = str(ask(table))
        except ErresearchError as error:
            told = "".join(traceback.format_exception(error))
    return told + "".join(str(one.message) for one in heard)


def shapes(column: str, cell: object) -> list[object]:
    """One cell among numbers, text in every row, a category, and one that a type names."""
    one = TABLE.assign(**{column: TABLE[column].astype(object)})
    one.loc[ROWS // 2, column] = cell
    every = TABLE.assign(**{column: cell})
    named = pl.from_pandas(every).with_columns(pl.col(column).cast(pl.Enum([str(cell)])))
    return [one, every, every.astype({column: "category"}), named]


@pytest.mark.parametrize("call", CALLS)
def test_a_cell_that_is_no_number_is_not_told(call):
    columns, ask = CALLS[call]
    for column in columns:
        for cell in CELLS[:2]:
            assert not [table for table in shapes(column, cell) if SECRET in said(ask, table)]


@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame({"x": [1.0, 2.0], "y": CELLS[:2]}, schema_overrides={"y": pl.Enum(CELLS)}),
        pl.DataFrame({"x": [1.0, 2.0], "y": [{SECRET: 1}] * 2}),
        pl.LazyFrame({"x": [1.0, 2.0], "y": CELLS[:2]}),
        f"SELECT 1.0 AS x, '{SECRET}' AS y UNION ALL SELECT 2.0, '{SECRET}'",
        f"SELECT 1.0 AS x, CAST('{SECRET}' AS ENUM ('{SECRET}', 'b')) AS y",
    ],
    ids=["categories", "keys", "lazy", "duckdb", "duckdb categories"],
)
def test_types_are_told_without_their_categories_and_keys(table):
    table = duckdb.sql(table) if isinstance(table, str) else table
    assert SECRET not in said(lambda rows: er.correlate(rows, "x", "y"), table)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("quote", ["'{}'", '"{}"', "`{}`", "[{}]", '["{}", "b"]', "{!r}"])
def test_what_a_library_quotes_is_left_out(cell, quote):
    error = ValueError(f"could not convert in column 'x' {quote.format(cell)} with type str: no number")
    assert SECRET not in without_cells(error)
    assert without_cells(error).startswith("could not convert in column …")
    assert without_cells(ValueError("'utf-8' codec can't decode byte")) == "… codec can't decode byte"
    # a quote that opens a million times and never ends is not looked for a million times
    for opened in ("'a ", "[", '"', "`"):
        assert SECRET not in without_cells(ValueError(f"no number in {opened * 10**6}{SECRET}"))
