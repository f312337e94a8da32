"""Rows of any engine, and the one lazy group-by that turns them into moments.

Here stand the keys of accounts and periods as text: the one form in which every engine's can be compared and saved.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np

from erresearch.errors import DataError
from erresearch.io import pl

Array = np.ndarray[Any, Any]
#: Whole numbers from which on two neighbours are one float: ids of 17 digits that became floats are no longer ids.
_WHOLE_FLOATS: Final = 2.0**53
#: Zeros at the end of a fraction, and the fraction where it is nothing else.
_ZEROS: Final = r"(\.\d*?)0+$"
_MIDNIGHT: Final = " 00:00:00"


def as_text(column: pl.Series) -> Array:
    """Keys without nulls as text that is the same whatever type an engine has for them.

    A whole number reads the same whether it came as 1 or as 1.0, a day whether it came as a date or as its midnight,
    a time in whatever unit; times with a zone read in UTC, since not every engine keeps the zone.

    Examples
    --------
    >>> import polars as pl
    >>> as_text(pl.Series([2.0, 10.5])).tolist(), as_text(pl.Series([True])).tolist()
    (['2', '10.5'], ['true'])
    """
    if column.dtype.is_float():
        values = column.cast(pl.Float64).to_list()
        return np.array([str(int(v)) if v.is_integer() else str(v) for v in values], dtype=object)
    if column.dtype in (pl.Object, pl.Binary):
        return np.array([label(value) for value in column], dtype=object)
    text = column.to_frame("key").select(text_expression(pl.col("key"), column.dtype))
    return np.array(text.to_series().to_list(), dtype=object)


def text_expression(value: pl.Expr, dtype: pl.DataType | type[pl.DataType]) -> pl.Expr:
    """The same for a lazy column of a type that is no float.

    Examples
    --------
    >>> import polars as pl
    >>> days = pl.Series("day", ["2026-01-05"]).str.to_datetime(time_unit="ns")
    >>> days.to_frame().select(text_expression(pl.col("day"), days.dtype)).item()
    '2026-01-05'
    """
    if dtype.is_decimal():
        # by way of floats ids of 17 digits would become others
        return value.cast(pl.String).str.replace(_ZEROS, "$1").str.strip_suffix(".")
    if not isinstance(dtype, pl.Datetime):
        return value.cast(pl.String)
    aware = dtype.time_zone is not None
    times = value.dt.convert_time_zone("UTC") if aware else value
    text = times.dt.to_string("%Y-%m-%d %H:%M:%S%.f").str.replace(_ZEROS, "$1").str.strip_suffix(".")
    return text + "+00:00" if aware else text.str.strip_suffix(_MIDNIGHT)


def label(value: object) -> str:
    """One Python object as :func:`as_text` would have it.

    Examples
    --------
    >>> label(2.0), label(Decimal("2.50")), label(np.True_), label(datetime(2026, 1, 5))
    ('2', '2.5', 'true', '2026-01-05')
    """
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, (float, np.floating)) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite():
        return re.sub(_ZEROS, r"\1", f"{value:f}").removesuffix(".")
    if isinstance(value, datetime):
        aware = value.tzinfo is not None
        moment = value.astimezone(UTC).replace(tzinfo=None) if aware else value
        text = re.sub(_ZEROS, r"\1", moment.isoformat(" ")).removesuffix(".")
        return f"{text}+00:00" if aware else text.removesuffix(_MIDNIGHT)
    return value.isoformat() if isinstance(value, date) else str(value)


def refuse_blurred(name: str, where: str, largest: float | None) -> None:
    """Refuse ids that have lost their last digits on the way through floats, where neighbours became one account.

    pandas makes floats of whole numbers with a gap among them; `largest` is the largest size of the floats.

    Examples
    --------
    >>> refuse_blurred("account", "the table", 9e15)
    >>> refuse_blurred("account", "the table", 17841400000000000.0)
    Traceback (most recent call last):
        ...
    erresearch.errors.DataError: 'account' in the table names accounts by floats too large to tell neighbours apart: ...
    """
    if largest is not None and _WHOLE_FLOATS <= largest < np.inf:
        raise DataError(
            f"{name!r} in {where} names accounts by floats too large to tell neighbours apart",
            got=f"ids up to {largest:.0f}",
            allowed=f"floats below {_WHOLE_FLOATS:.0f}; whole numbers and text of any size",
            fix='read the ids as text or whole numbers (pandas: dtype="Int64")',
        )


def sort_text(labels: Array) -> tuple[Array, Array]:
    """Sorted distinct labels (order of code points), and the position of each label among them.

    Examples
    --------
    >>> keys, position = sort_text(np.array(["b", "a", "b"], dtype=object))
    >>> keys.tolist(), position.tolist()
    (['a', 'b'], [1, 0, 1])
    """
    column = pl.Series(labels.tolist(), dtype=pl.String)
    keys = column.unique().sort()
    return np.array(keys.to_list(), dtype=object), keys.search_sorted(column).to_numpy().astype(np.int64)


def sort_periods(labels: Array) -> tuple[Array, Array]:
    """The same of periods, by number where all are numbers, else as text (ISO dates then sort by time).

    Examples
    --------
    >>> sort_periods(np.array(["10", "9"], dtype=object))[0].tolist()
    ['9', '10']
    """
    keys, position = sort_text(labels)
    try:
        order = np.argsort(np.array([float(key) for key in keys]), kind="stable")
    except ValueError:
        return keys, position
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return keys[order], rank[position]


def coded(
    column: pl.Series | None, rows: int, *, order: Callable[[Array], tuple[Array, Array]] = sort_text
) -> tuple[Array, Array]:
    """Sorted text of a column's values, and the place of each row's value among them.

    Without a column all rows stand under one empty key.

    Examples
    --------
    >>> import polars as pl
    >>> keys, position = coded(pl.Series([2.0, 10.0, 2.0]), 3)
    >>> keys.tolist(), position.tolist()
    (['10', '2'], [1, 0, 1])
    """
    if column is None:
        return np.array([""], dtype=object), np.zeros(rows, dtype=np.int64)
    if column.dtype in (pl.Object, pl.Binary):
        return order(as_text(column))
    # text is made of the distinct values only
    distinct = column.unique()
    if len(distinct) == rows:
        return order(as_text(column))
    if len(distinct) == 1:
        return as_text(distinct), np.zeros(rows, dtype=np.int64)
    keys, place = order(as_text(distinct))
    position = column.to_frame("key").join(
        pl.DataFrame({"key": distinct, "place": place}), on="key", how="left", maintain_order="left"
    )
    return keys, position["place"].to_numpy().astype(np.int64)


def sum_into(values: Array, position: Array, groups: int) -> Array:
    """Sum values, or rows of them, whose keys became the same text; whole numbers stay whole.

    Examples
    --------
    >>> sum_into(np.array([1, 2, 4]), np.array([1, 0, 1]), 2).tolist()
    [2, 5]
    """
    whole = values.dtype.kind in "biu"
    out = np.zeros((groups, *values.shape[1:]), dtype=np.int64 if whole else np.float64)
    if len(values) == groups:
        out[position] = values
    else:
        np.add.at(out, position, values)
    return out
