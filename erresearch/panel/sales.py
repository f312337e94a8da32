"""Outcome rows to sums by day, where the rows are: what was said on which day, and of how many rows it is the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from erresearch.engine.periods import Clock
from erresearch.engine.sources import gather
from erresearch.errors import ColumnError
from erresearch.exports import Export, combine_exports
from erresearch.panel.activity import check_numbers
from erresearch.panel.arriving import Arrived
from erresearch.panel.moving import LOCAL, local_time
from erresearch.panel.rules import Rules

if TYPE_CHECKING:
    import polars as pl

__all__ = ["NEEDED", "OUTCOME_COLUMNS", "check_outcomes", "sum_by_day"]

NEEDED = ("date", "entity", "outcome", "value")
OUTCOME_COLUMNS = (
    *NEEDED, "currency", "kind", "grain", "date_end", "segment", "at", "order_id", "time_precision",
)  # fmt: skip
_KEPT = ("kind", "currency", "segment", "grain")
_DAY = nw.Datetime("us")


def check_outcomes(columns: list[str]) -> None:
    """Refuse a wide table with a word on how the long one looks.

    Raises
    ------
    ColumnError
        Naming the columns.
    """
    absent = [name for name in NEEDED if name not in columns]
    if absent:
        raise ColumnError(
            f"the outcomes have no column {', '.join(map(repr, absent))}",
            got=", ".join(columns[:12]),
            allowed="one row per date, entity and outcome with a value (and a currency)",
            fix="lay a table with one column per outcome out long, for example with pandas.melt",
        )


def sum_by_day(outcomes: Arrived, clock: Clock, rules: Rules, notes: list[str]) -> pl.DataFrame:
    """Sum outcomes by entity, outcome, kind and day; only sums come here.

    Days printed without a clock stay as printed; moments (``at``) are moved to the business's zone.

    Parameters
    ----------
    outcomes : Arrived
        Rows, of any engine.
    clock : Clock
        The zone.
    rules : Rules
        Where refunds are booked.
    notes : list of str
        Takes what was decided.

    Returns
    -------
    polars.DataFrame
        entity, outcome, source (the layout a row comes from), day, good (whether there is a value), single (one sale
        each, whose date is no grain), value, rows; kind, currency, segment, grain, date_end where they are there.

    Raises
    ------
    ColumnError
        If dates are no dates or values are no numbers.
    """
    frame = _labelled(outcomes)
    schema = frame.collect_schema()
    columns = schema.names()
    if schema["date"] not in (nw.Date, nw.Datetime):
        raise ColumnError(
            "column 'date' of outcomes holds no days",
            got=str(schema["date"]),
            fix="make dates of it first, or read the file with read_export",
        )
    check_numbers(schema, ["value"], "outcomes")
    frame = _with_days(frame, schema, clock)
    number = nw.col("value").cast(nw.Float64())
    single = nw.lit(False)
    if {"order_id", "at"} & set(columns):
        single = nw.lit(True)
        if "kind" in columns:
            single = nw.col("kind").is_in(["sale", "refund"]).fill_null(False)
    made = [
        nw.col("entity").cast(nw.String()).fill_null("(no entity)").alias("entity"),
        nw.col("outcome").cast(nw.String()).alias("outcome"),
        number.is_finite().fill_null(False).alias("good"),
        nw.when(number.is_finite()).then(number).alias("value"),
        single.alias("single"),
        *[nw.col(name).cast(nw.String()).alias(name) for name in _KEPT if name in columns],
    ]
    if "date_end" in columns:
        made.append(_printed("date_end", schema["date_end"]).alias("date_end"))
    frame = frame.with_columns(*made)
    frame = _carried(frame, columns, rules, notes)
    keys = ["entity", "outcome", "source", "day", "good", "single"]
    keys += [name for name in (*_KEPT, "date_end") if name in columns]
    table = gather(
        frame.group_by(*keys).agg(
            nw.col("value").sum(), nw.len().alias("rows"), nw.col("moved").sum().alias("moved")
        ),
        small=not outcomes.lazy,
    )
    moved = int(table["moved"].sum() or 0)
    if moved:
        notes.append(
            f"{moved:,} of {table['rows'].sum():,} outcome rows fall on another day in {clock.tz} than their file prints"
        )
    return table.drop("moved").sort(keys, nulls_last=True)


def _labelled(outcomes: Arrived) -> nw.LazyFrame[Any]:
    """Rows with a ``source``: the layout that each row comes from, where that is known."""
    import polars as pl

    if len(outcomes.parts) < 2:
        name = outcomes.parts[0].format if outcomes.parts else ""
        return outcomes.frame.with_columns(nw.lit(name).alias("source"))
    # exports of one layout are one source: overlaps between them were settled when they were put together
    formats: dict[str, list[Export]] = {}
    for part in outcomes.parts:
        formats.setdefault(part.format, []).append(part)
    tables = []
    for name, parts in formats.items():
        rows = (parts[0] if len(parts) == 1 else combine_exports(parts)).rows
        kept = [column for column in OUTCOME_COLUMNS if column in rows.columns]
        tables.append(pl.from_pandas(rows[kept]).with_columns(pl.lit(name).alias("source")))
    return nw.from_native(pl.concat(tables, how="diagonal_relaxed").lazy())


def _printed(name: str, dtype: Any) -> Any:
    """A day as it is printed, at midnight, without a zone."""
    day = nw.col(name)
    if dtype == nw.Datetime and getattr(dtype, "time_zone", None):
        day = day.dt.replace_time_zone(None)
    return day.cast(_DAY).dt.truncate("1d")


def _with_days(frame: nw.LazyFrame[Any], schema: Any, clock: Clock) -> nw.LazyFrame[Any]:
    """Add ``day`` and whether it is another than the printed one."""
    frame = frame.with_columns(_printed("date", schema["date"]).alias("__printed__"))
    day = nw.col("__printed__")
    if "at" in schema.names() and schema["at"] == nw.Datetime:
        frame, _ = local_time(frame, "at", clock)
        day = nw.coalesce(nw.col(LOCAL).cast(_DAY).dt.truncate("1d"), nw.col("__printed__"))
    frame = frame.with_columns(day.alias("day"))
    moved = (nw.col("day") != nw.col("__printed__")).fill_null(False)
    return frame.with_columns(nw.when(moved).then(1).otherwise(0).alias("moved"))


def _carried(
    frame: nw.LazyFrame[Any], columns: list[str], rules: Rules, notes: list[str]
) -> nw.LazyFrame[Any]:
    """Carry refunds to the day of the order that they give back, where that is asked for."""
    if rules.revenue != "net-by-order-date":
        return frame
    if not {"order_id", "kind"} <= set(columns):
        notes.append(
            "refunds cannot be carried to the day of their order: the outcomes name no orders, so they stay on the day "
            "that their file gives"
        )
        return frame
    keys = ["entity", "source", "order_id"]
    sold = frame.filter(nw.col("kind") == "sale", ~nw.col("order_id").is_null())
    sold = sold.group_by(*keys).agg(nw.col("day").min().alias("__sold__"))
    frame = frame.join(sold, on=keys, how="left")
    back = (nw.col("kind") == "refund").fill_null(False)
    counts = gather(frame.filter(back).select(nw.len().alias("n"), nw.col("__sold__").count().alias("found")))
    n, found = int(counts["n"][0]), int(counts["found"][0])
    if n:
        lost = (
            f"; {n - found:,} give back an order that is not here and stay on their own day"
            if n > found
            else ""
        )
        notes.append(f"{found:,} of {n:,} refunds are carried to the day of their order{lost}")
    day = nw.when(back).then(nw.coalesce(nw.col("__sold__"), nw.col("day"))).otherwise(nw.col("day"))
    return frame.with_columns(day.alias("day")).drop("__sold__")
