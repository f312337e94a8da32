"""The check at the door: a table is let through as it is with an account of it, or refused with the place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import narwhals.stable.v2 as nw

from erresearch.errors import ColumnError, DataError, EngineError, missing_columns
from erresearch.schema.checks import Found, Plan, by_counting, by_pandera
from erresearch.schema.tables import Column, Kind, Table

__all__ = ["Notice", "Validated", "validate"]

FrameT = TypeVar("FrameT")

# above this many rows pandera's list of failures costs more than a counted aggregation
_DOOR = 200_000


@dataclass(frozen=True, slots=True)
class Notice:
    """Something odd that was counted and let through.

    Parameters
    ----------
    column : str
        Where.
    text : str
        What, with the first place it was seen.
    count : int
        Rows.
    """

    column: str
    text: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated(Generic[FrameT]):
    """A table that passed, with the account of what was odd in it.

    Parameters
    ----------
    data : frame
        The very table that was given.
    table : Table
        What it was checked against.
    rows : int
        Rows seen.
    missing : mapping of str to int
        Missing values per declared column that is there (only those above 0).
    absent : tuple of str
        Declared columns that are not there.
    notices : tuple of Notice
        What was odd.
    """

    data: FrameT
    table: Table
    rows: int
    missing: Mapping[str, int]
    absent: tuple[str, ...]
    notices: tuple[Notice, ...]

    def __str__(self) -> str:
        """The account in a few lines."""
        lines = [f"{self.table.name}: {self.rows:,} rows passed"]
        if self.absent:
            lines.append(f"columns not there: {', '.join(self.absent)}")
        lines += [f"missing in {name}: {count:,}" for name, count in self.missing.items()]
        return "\n".join([*lines, *(notice.text for notice in self.notices)])


def validate(
    frame: FrameT, table: Table, *, divides: Iterable[str] = (), strict: bool = False
) -> Validated[FrameT]:
    """Check a table against its declaration, once, at the door.

    Parameters
    ----------
    frame : frame
        Any table narwhals knows (pandas, Polars, PyArrow, DuckDB, Ibis, PySpark). It is not changed.
    table : Table
        :data:`POSTS`, :data:`OUTCOMES`, :data:`PEOPLE`, :data:`SURVEY` or one of your own.
    divides : iterable of str
        Columns that will stand under a fraction: a 0 in them is then an error, not a notice.
    strict : bool
        Make every notice an error.

    Returns
    -------
    Validated
        ``.data`` is `frame` itself; ``.missing``, ``.absent`` and ``.notices`` account for the rest.

    Raises
    ------
    ColumnError
        A required column is not there, a name stands twice, or a column holds the wrong kind of value.
    DataError
        No rows, infinite values, values outside the rule, a key that names two rows.

    Notes
    -----
    Rows are counted from 0, as ``.iloc`` does.
    Lazy tables have no row order, so there a post is named instead.

    Examples
    --------
    >>> import pandas as pd
    >>> from erresearch.schema import POSTS, validate
    >>> posts = pd.DataFrame({"platform": "vk", "account": "a", "post_id": ["1", "2"], "reach": [10, 0],
    ...                       "published_at": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    >>> checked = validate(posts, POSTS)
    >>> checked.data is posts
    True
    >>> print(checked.notices[0].text)
    `reach` must be positive where it divides: 1 of 2 rows is 0 (first: row 1, post_id '2')
    """
    narwhal = _enter(frame, table)
    schema = dict(narwhal.collect_schema())
    present = [column for column in table.columns if column.name in schema]
    needed = [column.name for column in table.columns if column.required]
    if any(name not in schema for name in needed):
        raise missing_columns(needed, map(str, schema), where=f"the {table.name} table")
    for column in present:
        _check_kind(narwhal, column, schema[column.name], table)
    plan = Plan.of(table, present, schema, frozenset(divides))
    in_memory = isinstance(narwhal, nw.DataFrame) and len(narwhal) <= _DOOR
    measured = by_pandera(narwhal, plan) if in_memory else by_counting(narwhal, plan)
    rows, found = measured.rows, measured.found
    if rows == 0:
        raise DataError(
            f"the {table.name} table has no rows", fix="check the filter or the file that it came from"
        )
    fatal = [one for one in found if one.test.fatal or strict]
    if fatal:
        raise _error(fatal, rows)
    return Validated(
        data=frame,
        table=table,
        rows=rows,
        missing={name: count for name, count in measured.missing.items() if count},
        absent=tuple(column.name for column in table.columns if column.name not in schema),
        notices=tuple(Notice(one.column, ": ".join(one.sentence(rows)), one.count) for one in found),
    )


def _enter(frame: object, table: Table) -> Any:
    from narwhals.exceptions import DuplicateError

    try:
        return nw.from_native(frame)
    except DuplicateError as error:
        raise ColumnError(
            f"a column name stands twice in the {table.name} table",
            got=" ".join(str(error).split()),
            fix="rename one of them",
        ) from error
    except TypeError as error:
        raise EngineError(
            f"the {table.name} table must be a table",
            got=type(frame).__name__,
            allowed="pandas, Polars, PyArrow, DuckDB, Ibis or PySpark",
            fix="read the file first, for example with pandas.read_csv",
        ) from error


def _check_kind(frame: Any, column: Column, dtype: Any, table: Table) -> None:
    """Refuse text among numbers, and times that are still text."""
    wanted = {"number": "numbers", "flag": "numbers or true/false", "time": "dates"}.get(column.dtype)
    fine = {
        "text": True,
        "number": dtype.is_numeric(),
        "flag": dtype.is_numeric() or dtype == nw.Boolean,
        "time": dtype.is_temporal(),
    }[column.dtype]
    # an engine calls a column without any value Unknown (or text): there is nothing to refuse in it
    if fine or dtype == nw.Unknown:
        return
    place = ""
    if isinstance(frame, nw.DataFrame):
        odd = _strangers(frame[column.name].to_list(), column.dtype)
        if not odd:
            return
        place = f", {len(odd)} of {len(frame)} rows are not (first: row {odd[0][0]}, {odd[0][1]!r})"
    fix = {
        "time": "turn it into dates first, for example with pandas.to_datetime",
        "number": "turn it into numbers first (pandas.to_numeric), or let read_export read the file",
    }
    raise ColumnError(
        f"`{column.name}` in the {table.name} table must hold {wanted}",
        got=f"it holds {str(dtype).lower()}{place}",
        fix=fix.get(column.dtype, "use True and False, or 1 and 0"),
    )


def _strangers(values: list[Any], kind: Kind) -> list[tuple[int, Any]]:
    """Positions and values that are not of the kind, missing ones aside."""
    import datetime
    import decimal
    import numbers

    kinds: dict[Kind, tuple[type, ...]] = {
        "number": (numbers.Number, decimal.Decimal),
        "flag": (numbers.Number, decimal.Decimal),
        "time": (datetime.date,),
    }
    return [
        (row, value)
        for row, value in enumerate(values)
        if value is not None
        and value == value  # noqa: PLR0124 - only a NaN differs from itself
        and not isinstance(value, kinds[kind])
    ]


def _error(found: list[Found], rows: int) -> DataError:
    """One error for all that is wrong: the first in full, the others in a clause each."""
    wrong, got = found[0].sentence(rows)
    others = "; ".join(": ".join(one.sentence(rows)) for one in found[1:])
    also = f". Also: {others}" if others else ""
    return DataError(wrong, got=f"{got}{also}", fix=found[0].test.fix)
