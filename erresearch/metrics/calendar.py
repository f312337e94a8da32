"""Cutting time into periods, as one expression for every engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.errors import ColumnError, UnknownNameError
from erresearch.schema.vocabulary import EVERY, Every

__all__ = ["Every", "check_every", "period_start", "with_calendar"]

# narwhals truncates to no week, so a week is cut by days and carried back to its Monday
_STEPS: Mapping[Every, str] = {"day": "1d", "week": "1d", "month": "1mo", "quarter": "1q", "year": "1y"}


def check_every(every: str) -> None:
    """Refuse a period length that is none.

    Examples
    --------
    >>> check_every("week")
    """
    if every not in EVERY:
        raise UnknownNameError.of("period length", every, EVERY)


def period_start(column: str, every: Every) -> Any:
    """First day of the period in which a moment lies; weeks begin on Monday.

    Parameters
    ----------
    column : str
        A column of dates or moments.
    every : {"day", "week", "month", "quarter", "year"}
        Length of a period.

    Returns
    -------
    narwhals.Expr
        Of the column's own type.

    Examples
    --------
    >>> import datetime, polars as pl
    >>> frame = nw.from_native(pl.DataFrame({"d": [datetime.date(2024, 5, 5)]}))
    >>> frame.select(period_start("d", "week"))["d"][0]
    datetime.date(2024, 4, 29)
    """
    start = nw.col(column).dt.truncate(_STEPS[every])
    if every != "week":
        return start
    weekday, monday = nw.col(column).dt.weekday(), start
    for back in range(1, 7):
        monday = nw.when(weekday == back + 1).then(start.dt.offset_by(f"-{back}d")).otherwise(monday)
    return monday


def with_calendar(frame: Any, column: str) -> Any:
    """The same table, with dates that pandas holds as Python objects as times, which know their calendar.

    Parameters
    ----------
    frame : narwhals frame
        Any table.
    column : str
        A column of dates or moments.

    Returns
    -------
    narwhals frame
        The one given where there is nothing to do.

    Raises
    ------
    ColumnError
        If they are no moments of one calendar, for example some with a zone and some without.

    Examples
    --------
    >>> import datetime, pandas as pd
    >>> frame = nw.from_native(pd.DataFrame({"d": [datetime.date(2024, 5, 5)]}))
    >>> with_calendar(frame, "d")["d"].dtype.is_temporal()
    True
    """
    table = nw.to_native(frame)
    if not nw.dependencies.is_pandas_dataframe(table) or table[column].dtype != object:
        return frame
    import pandas as pd

    try:
        return nw.from_native(table.assign(**{column: pd.to_datetime(table[column])}))
    except (TypeError, ValueError) as error:
        raise ColumnError(
            f"the moments in {column!r} are not of one calendar",
            got=str(error).split("\n")[0],
            fix="turn it into dates first, with pandas.to_datetime(…, utc=True)",
        ) from error
