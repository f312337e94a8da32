"""The check at the door: a table is let through as it is with an account of it, or refused with the place.

The least and the largest value of a column tell what can be wrong with it; only that is counted, by whatever engine holds
the rows.
"""

from __future__ import annotations

import datetime
import decimal
import math
import numbers
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import narwhals.stable.v2 as nw

from erresearch.errors import ColumnError, Count, DataError, EngineError, missing_columns, type_name
from erresearch.schema.vocabulary import Column, Kind, TableSchema

# beyond this a float no longer tells neighbouring whole numbers apart, so an id read as float is lost
_EXACT = 2.0**53
# a mark that text hardly holds; where it does it is followed by a point, so that no two keys are joined to one text
_MARK, _SEPARATOR = "\x1f", "\x1f|"


@dataclass(frozen=True, slots=True)
class Test:
    """One thing that may be wrong with a column, and how often and where first it was found."""

    column: str
    code: str
    wrong: str  # the rule that was broken
    rows: str  # what the rows are
    fix: str
    fatal: bool = True  # whether the table is refused
    count: int = 0
    place: str = ""

    def sentence(self, rows: int) -> tuple[str, str]:
        """What was wrong, and what arrived."""
        first = f" ({self.place})" if self.place else ""
        verb = "row is" if rows == 1 else "rows is" if self.count == 1 else "rows are"
        return self.wrong, f"{self.count:,} of {rows:,} {verb} {self.rows}{first}"


def _has_size(column: Column, dtype: Any) -> bool:
    """Whether the size of the values can be wrong: of numbers, of a flag that came as 1 and 0, of ids read as floats."""
    return column.dtype == "number" or (
        dtype.is_numeric() if column.dtype == "flag" else column.dtype == "text" and dtype.is_float()
    )


def _tests(column: Column, low: float, high: float, divides: bool, value: Any) -> Iterator[tuple[Test, Any]]:
    """What is wrong with values from `low` to `high`, each with the rows where it is, as an expression of `value`."""
    of, name, rule = column.name, f"`{column.name}`", column.rule
    if column.dtype == "text":
        if max(high, -low) >= _EXACT:
            wrong = f"{name} must be text: it was read as a floating number"
            way = "read the column as text (dtype=str), long ids lose their last digits as numbers"
            far = (value >= _EXACT) | (value <= -_EXACT)
            yield Test(of, "float id", wrong, "too large to be told apart", way), far
        return
    if math.isinf(low) or math.isinf(high):
        way = "look for a division by 0 where the column was made"
        infinite = (value == math.inf) | (value == -math.inf)
        yield Test(of, "infinite", f"{name} must be finite", "infinite", way), infinite
    wrong, way = f"{name} must be {rule.text}", "correct these rows or leave them out, and say so"
    if low < rule.low:
        said = "negative" if rule.low == 0 else f"below {rule.low:g}"
        yield Test(of, "low", wrong, said, way), (value < rule.low) & (value > -math.inf)
    if high > rule.high:
        above = (value > rule.high) & (value < math.inf)
        yield Test(of, "high", wrong, f"above {rule.high:g}", way), above
    if low <= 0 <= high and (rule.divides or divides):
        wrong = f"{name} must be positive where it divides"
        way = 'drop them, pass zero="drop" where a rate is asked for, or divide by another column'
        yield Test(of, "zero", wrong, "0", way, fatal=divides), value == 0


def measure(
    frame: Any, table: TableSchema, schema: Mapping[str, Any], divides: Container[str]
) -> tuple[int, dict[str, int], list[Test]]:
    """Rows, missing values by column, and what failed, each with its first place.

    One aggregation counts what is missing and brings the ends of each column. A second one counts what these ends leave
    possible, and a first place is looked for only where something failed.
    """
    there = {column.name: column for column in table.declared if column.name in schema}
    held = {name: nw.col(f"c{i}") for i, name in enumerate(there)}
    sized = [name for name, column in there.items() if _has_size(column, schema[name])]
    # a key is looked at where the columns that it cannot do without are there
    whole = set(table.required) & set(table.key) <= there.keys()
    key = [name for name in table.key if whole and name in there]
    optional = set(table.key) - set(table.required)
    frame = _in_polars(frame, list(there))
    if there:
        # worked out once, under names of their own: expressions are what small tables cost
        values = {f"c{i}": _values(name) if name in sized else nw.col(name) for i, name in enumerate(there)}
        keys = [_key_part(name, missing="" if name in optional else None) for name in key]
        frame = frame.select(**values, **({"key": nw.concat_str(keys, separator=_SEPARATOR)} if keys else {}))
    joined = nw.col("key")
    first = [nw.len(), *(value.null_count() for value in held.values())]
    first += [joined.n_unique(), joined.null_count()] if key else []
    ends = [end for name in sized for end in (held[name].min(), held[name].max())]
    rows, *counts = _aggregated(frame, [*first, *ends])
    known = [math.nan if end is None else end for end in counts[len(first) - 1 :]]
    low, high = dict(zip(sized, known[::2], strict=True)), dict(zip(sized, known[1::2], strict=True))
    bad = [
        one
        for name in sized
        for one in _tests(there[name], low[name], high[name], name in divides, held[name])
    ]
    for small, large in (pair for pair in table.at_most if set(pair) <= there.keys()):
        if high.get(small, math.inf) > low.get(large, -math.inf):
            wrong = f"`{small}` should not exceed `{large}`"
            way = "check which column is which, and that both were exported on one day"
            swapped = Test(small, "order", wrong, "the other way round", way, fatal=False)
            bad.append((swapped, held[small] > held[large]))
    often = _aggregated(frame, [_count(at) for _, at in bad]) if bad else ()
    of_tests = zip(bad, often, strict=True)
    found = [replace(test, count=int(n or 0), place=_first(frame, at)) for (test, at), n in of_tests if n]
    if key:
        different, unnamed = (int(n or 0) for n in counts[len(there) : len(first) - 1])
        # a missing key is one more distinct value to the engine, but names nothing
        repeated = rows - unnamed - (different - (unnamed > 0))
        if repeated > 0:
            place = _first(frame, ~joined.is_first_distinct() & ~joined.is_null())
            wrong = f"no two rows may share {', '.join(f'`{name}`' for name in key)}"
            way = "drop exact copies; of two exports keep the newer; for daily rows sum them to one row per post"
            said = "a repetition of an earlier one"
            found.append(Test(key[-1], "duplicate", wrong, said, way, count=repeated, place=place))
    return int(rows), {name: int(n or 0) for name, n in zip(there, counts, strict=False)}, found


def _aggregated(frame: Any, wanted: list[Any]) -> tuple[Any, ...]:
    """One number for each expression, from one aggregation."""
    row = frame.select(**{f"n{i}": one for i, one in enumerate(wanted)}).lazy().collect().row(0)
    return tuple(row)


def _in_polars(frame: Any, names: list[str]) -> Any:
    """Columns of a pandas table where many small questions are answered at once, if they go there as they are."""
    if not names or not isinstance(frame, nw.DataFrame) or not frame.implementation.is_pandas():
        return frame
    import polars as pl

    try:
        return nw.from_native(frame.select(names).to_polars())
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return frame


def _key_part(name: str, *, missing: str | None) -> Any:
    """One column of the key as text; what need not be there names a row as well when it is missing."""
    text = nw.col(name).cast(nw.String()).str.replace_all(_MARK, f"{_MARK}.", literal=True)
    return text if missing is None else text.fill_null(missing)


def _values(name: str) -> Any:
    """The column as numbers, NaN as missing: some engines sort NaN above everything."""
    column = nw.col(name).cast(nw.Float64())
    return nw.when(~column.is_nan()).then(column)


def _count(condition: Any) -> Any:
    # half the nodes of when/then/otherwise: building expressions is what small tables cost
    return condition.cast(nw.Int64()).sum()


def _first(frame: Any, where: Any) -> str:
    """Name the first row where something is wrong; rows of a lazy table have no number."""
    if not isinstance(frame, nw.DataFrame):
        return ""
    label = "row" + "_" * (1 + max(map(len, map(str, frame.columns))))
    return f"first: row {int(frame.with_row_index(label).filter(where)[label][0])}"


FrameT = TypeVar("FrameT")


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
    table : TableSchema
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
    table: TableSchema
    rows: int
    missing: Mapping[str, int]
    absent: tuple[str, ...]
    notices: tuple[Notice, ...]

    def __str__(self) -> str:
        """The account in a few lines."""
        lines = [f"{self.table.name}: {Count(self.rows):row} passed"]
        if self.absent:
            lines.append(f"columns not there: {', '.join(self.absent)}")
        lines += [f"missing in {name}: {count:,}" for name, count in self.missing.items()]
        return "\n".join([*lines, *(notice.text for notice in self.notices)])


def validate(frame: FrameT, table: TableSchema, *, divides: Iterable[str] = ()) -> Validated[FrameT]:
    """Check a table against its declaration, once, at the door.

    Parameters
    ----------
    frame : frame
        Any table narwhals knows (pandas, Polars, PyArrow, DuckDB, Ibis, PySpark). It is not changed.
    table : TableSchema
        :data:`POSTS`, :data:`OUTCOMES`, :data:`SURVEY` or one of your own.
    divides : iterable of str
        Columns that will stand under a fraction: a 0 in them is then an error, not a notice.

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

    See Also
    --------
    erresearch.schema.TABLES : The tables of exports.

    Notes
    -----
    Rows are counted from 0, as ``.iloc`` does.
    Lazy tables have no row order, so there only the number of rows is told. No cell is ever quoted.

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
    `reach` must be positive where it divides: 1 of 2 rows is 0 (first: row 1)
    """
    narwhal = _enter(frame, table)
    schema = dict(narwhal.collect_schema())
    present = [column for column in table.declared if column.name in schema]
    needed = list(table.required)
    if any(name not in schema for name in needed):
        raise missing_columns(needed, map(str, schema), where=f"the {table.name} table")
    for column in present:
        _check_kind(narwhal, column, schema[column.name], table)
    rows, missing, found = measure(narwhal, table, schema, set(divides))
    if rows == 0:
        raise DataError(
            f"the {table.name} table has no rows", fix="check the filter or the file that it came from"
        )
    fatal = [one for one in found if one.fatal]
    if fatal:
        raise _error(fatal, rows)
    return Validated(
        data=frame,
        table=table,
        rows=rows,
        missing={name: count for name, count in missing.items() if count},
        absent=tuple(column.name for column in table.columns if column.name not in schema),
        notices=tuple(Notice(one.column, ": ".join(one.sentence(rows)), one.count) for one in found),
    )


def _enter(frame: object, table: TableSchema) -> Any:
    from narwhals.exceptions import DuplicateError

    try:
        return nw.from_native(frame)
    except DuplicateError as error:
        raise ColumnError(
            f"a column name stands twice in the {table.name} table",
            got=" ".join(str(error).split()),
            fix="rename one of them",
        ) from None
    except TypeError:
        raise EngineError(
            f"the {table.name} table must be a table",
            got=type(frame).__name__,
            allowed="pandas, Polars, PyArrow, DuckDB, Ibis or PySpark",
            fix="read the file first, for example with pandas.read_csv",
        ) from None


def _check_kind(frame: Any, column: Column, dtype: Any, table: TableSchema) -> None:
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
        place = f", {Count(len(odd), of=len(frame)):row is} not (first: row {odd[0]})"
    fix = {
        "time": "turn it into dates first, for example with pandas.to_datetime",
        "number": "turn it into numbers first, as by "
        f"table[{column.name!r}].replace('[, €$£]', '', regex=True).astype(float), or let read_export read the file",
    }
    raise ColumnError(
        f"`{column.name}` in the {table.name} table must hold {wanted}",
        got=f"it holds {type_name(dtype).lower()}{place}",
        fix=fix.get(column.dtype, "use True and False, or 1 and 0"),
    )


def _strangers(values: list[Any], kind: Kind) -> list[int]:
    """Positions of values that are not of the kind, missing ones aside."""
    fitting = datetime.date if kind == "time" else (numbers.Number, decimal.Decimal)
    return [
        row
        for row, value in enumerate(values)
        if value is not None
        and value == value  # noqa: PLR0124 - only a NaN differs from itself
        and not isinstance(value, fitting)
    ]


def _error(found: list[Test], rows: int) -> DataError:
    """One error for all that is wrong: the first in full, the others in a clause each."""
    wrong, got = found[0].sentence(rows)
    others = "; ".join(": ".join(one.sentence(rows)) for one in found[1:])
    also = f". Also: {others}" if others else ""
    return DataError(wrong, got=f"{got}{also}", fix=found[0].fix)
