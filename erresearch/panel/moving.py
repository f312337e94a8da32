"""Moments moved to the zone in which the business counts its days, by whatever engine holds them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.engine.periods import Clock, in_zone
from erresearch.engine.sources import gather
from erresearch.errors import ColumnError, DataError

__all__ = ["LOCAL", "UTC", "local_time", "timed"]

UTC = "__utc__"
LOCAL = "__local__"
_LONG = dt.timedelta(days=5 * 366)
"""Span from which on Polars' own conversion is quicker than steps, of which there is one for each change of the clock."""
Span = tuple[dt.datetime, dt.datetime]


def local_time(
    frame: nw.LazyFrame[Any], column: str, clock: Clock, *, as_printed: Any = None
) -> tuple[nw.LazyFrame[Any], Span | None]:
    """Add the moment in UTC and in the business's zone, both without a zone.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        Rows.
    column : str
        Moments; without a zone they are taken as UTC, and bare dates as days.
    clock : Clock
        The zone.
    as_printed : narwhals.Expr, optional
        Rows whose day is not to be moved.

    Returns
    -------
    frame, span
        With the two columns; first and last moment in UTC, None where no row has one.

    Raises
    ------
    ColumnError
        If the column holds no times, or a zone of the connection that is not UTC.
    """
    dtype = frame.collect_schema()[column]
    if dtype == nw.Date:
        frame = frame.with_columns(nw.col(column).cast(nw.Datetime("us")).alias(UTC))
    elif dtype == nw.Datetime:
        zone = getattr(dtype, "time_zone", None)
        moment = nw.col(column)
        if zone is not None and zone not in ("UTC", "Etc/UTC"):
            if not frame.implementation.is_polars():
                raise ColumnError(
                    f"the connection shows {column!r} in the zone {zone!r}",
                    allowed="UTC",
                    fix="set the connection to UTC (DuckDB: SET TimeZone = 'UTC')",
                )
            moment = moment.dt.convert_time_zone("UTC")
        frame = frame.with_columns(
            (moment.dt.replace_time_zone(None) if zone is not None else moment).alias(UTC)
        )
    else:
        raise ColumnError(
            f"column {column!r} holds no times",
            got=str(dtype),
            fix="make dates of it first, or read the file with read_export",
        )
    ends = gather(frame.select(nw.col(UTC).min().alias("first"), nw.col(UTC).max().alias("last")))
    first, last = ends["first"][0], ends["last"][0]
    if first is None or clock.tz == "UTC" or dtype == nw.Date:
        local = nw.col(UTC)
    elif frame.implementation.is_polars() and last - first > _LONG:
        local = (
            nw.col(UTC).dt.replace_time_zone("UTC").dt.convert_time_zone(clock.tz).dt.replace_time_zone(None)
        )
    else:
        local = in_zone(UTC, clock.tz, (first, last))
    if as_printed is not None:
        local = nw.when(as_printed).then(nw.col(UTC)).otherwise(local)
    return frame.with_columns(local.alias(LOCAL)), None if first is None else (first, last)


def timed(span: Span | None, column: str) -> Span:
    """The span, or a word on its absence.

    Raises
    ------
    DataError
        If no row has a time.
    """
    if span is None:
        raise DataError(f"no row has a time in {column!r}", fix="check the column")
    return span
