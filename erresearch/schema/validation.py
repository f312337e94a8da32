"""The check at the door: a table is let through as it is with an account of it, or refused with the place.

What may be wrong with a value is one comparison each; all of them are counted in one aggregation, by whatever engine
holds the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import narwhals.stable.v2 as nw

from erresearch.errors import ColumnError, Count, DataError, EngineError, missing_columns
from erresearch.schema.vocabulary import Column, Kind, TableSchema

# beyond this a float no longer tells neighbouring whole numbers apart, so an id read as float is lost
_EXACT = 2.0**53
# a mark that text hardly holds; where it does it is followed by a point, so that no two keys are joined to one text
_MARK, _SEPARATOR = "\x1f", "\x1f|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One thing that may be wrong with a column.

    Parameters
    ----------
    name : str
        Short name, unique within a column.
    bad : callable
        Takes a column and gives where it is wrong.
    wrong, rows, fix : str
        The rule that was broken, what the rows are, what to do.
    fatal : bool
        Whether the table is refused.
    """

    name: str
    bad: Callable[[Any], Any]
    wrong: str
    rows: str
    fix: str
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a test failed and where first."""

    column: str
    test: Test
    count: int
    place: str

    def sentence(self, rows: int) -> tuple[str, str]:
        """What was wrong, and what arrived."""
        first = f" ({self.place})" if self.place else ""
        verb = "row is" if rows == 1 else "rows is" if self.count == 1 else "rows are"
        return self.test.wrong, f"{self.count:,} of {rows:,} {verb} {self.test.rows}{first}"


def _counted(column: Column, dtype: Any) -> bool:
    """Numbers have a size to test; so has a flag that came as 1 and 0."""
    return column.dtype == "number" or (column.dtype == "flag" and dtype.is_numeric())


def _tests(column: Column, dtype: Any, divides: bool) -> Iterator[Test]:
    name, rule = f"`{column.name}`", column.rule
    if column.dtype == "text" and dtype.is_float():
        yield Test(
            name="float id",
            bad=lambda c: (c >= _EXACT) | (c <= -_EXACT),
            wrong=f"{name} must be text: it was read as a floating number",
            rows="too large to be told apart",
            fix="read the column as text (dtype=str), long ids lose their last digits as numbers",
        )
    if not _counted(column, dtype):
        return
    yield Test(
        name="infinite",
        bad=lambda c: (c == math.inf) | (c == -math.inf),
        wrong=f"{name} must be finite",
        rows="infinite",
        fix="look for a division by 0 where the column was made",
    )
    wrong, mend = f"{name} must be {rule.text}", "correct these rows or leave them out, and say so"
    low, high = rule.low, rule.high
    if math.isfinite(low):
        said = "negative" if low == 0 else f"below {low:g}"
        yield Test(name="low", bad=lambda c: (c < low) & (c > -math.inf), wrong=wrong, rows=said, fix=mend)
    if math.isfinite(high):
        said = f"above {high:g}"
        yield Test(name="high", bad=lambda c: (c > high) & (c < math.inf), wrong=wrong, rows=said, fix=mend)
    if rule.divides or divides:
        wrong = f"{name} must be positive where it divides"
        way = 'drop them, pass zero="drop" where a rate is asked for, or divide by another column'
        yield Test(name="zero", bad=lambda c: c == 0, wrong=wrong, rows="0", fix=way, fatal=divides)


def _pair_test(small: str, large: str) -> Test:
    return Test(
        name="order",
        bad=lambda c: c,
        wrong=f"`{small}` should not exceed `{large}`",
        rows="the other way round",
        fix="check which column is which, and that both were exported on one day",
        fatal=False,
    )


def _key_test(key: Sequence[str]) -> Test:
    return Test(
        name="duplicate",
        bad=lambda c: c,
        wrong=f"no two rows may share {', '.join(f'`{name}`' for name in key)}",
        rows="a repetition of an earlier one",
        fix="drop exact copies; of two exports keep the newer; for daily rows sum them to one row per post",
    )


def measure(
    frame: Any, table: TableSchema, schema: Mapping[str, Any], divides: Container[str]
) -> tuple[int, dict[str, int], list[Counted]]:
    """Count everything in one aggregation; a second one names a first place only where something failed.

    Parameters
    ----------
    frame : narwhals.DataFrame or narwhals.LazyFrame
        The rows.
    table : TableSchema
        What they are checked against.
    schema : mapping of str to dtype
        Their columns.
    divides : container of str
        Columns that will stand under a fraction.

    Returns
    -------
    rows : int
    missing : dict of str to int
        By column.
    found : list of Counted
        What failed, each with its first place.
    """
    there = {column.name: column for column in table.declared if column.name in schema}
    tests = {name: [*_tests(column, schema[name], name in divides)] for name, column in there.items()}
    pairs = [pair for pair in table.at_most if set(pair) <= there.keys()]
    # a key is looked at where the columns that it cannot do without are there
    whole = set(table.required) & set(table.key) <= there.keys()
    key = [name for name in table.key if whole and name in there]
    optional = set(table.key) - set(table.required)
    names = dict.fromkeys([*tests, *(name for pair in pairs for name in pair), *key])
    frame = _in_polars(frame, list(names))
    if names:
        # worked out once, under names of their own: every test asks for them again, and expressions are what small
        # tables cost
        held = {name: f"c{i}" for i, name in enumerate(names)}
        values = {held[name]: _values(name) if tests.get(name) else nw.col(name) for name in names}
        keys = [_key_part(name, missing="" if name in optional else None) for name in key]
        frame = frame.select(**values, **({"key": nw.concat_str(keys, separator=_SEPARATOR)} if keys else {}))
    wanted: dict[str, Any] = {"rows": nw.len()}
    bad: dict[str, tuple[str, Test, Any]] = {}
    for name, own in tests.items():
        column = nw.col(held[name])
        wanted[f"missing {name}"] = _count(column.is_null())
        for test in own:
            bad[f"{test.name} {name}"] = (name, test, test.bad(column))
    for small, large in pairs:
        exceeds = nw.col(held[small]) > nw.col(held[large])
        bad[f"order {small} {large}"] = (small, _pair_test(small, large), exceeds)
    joined = nw.col("key")
    if key:
        wanted["keys"], wanted["no key"] = joined.n_unique(), _count(joined.is_null())
    wanted |= {key: _count(where) for key, (_, _, where) in bad.items()}
    labels = {f"n{i}": key for i, key in enumerate(wanted)}
    row = _collect(frame.select(**{label: wanted[key] for label, key in labels.items()}))
    counts = {key: int(row[label][0] or 0) for label, key in labels.items()}
    found = [
        Counted(name, test, counts[key], _first(frame, where))
        for key, (name, test, where) in bad.items()
        if counts[key]
    ]
    if key:
        # a missing key is one more distinct value to the engine, but names nothing
        distinct = counts["keys"] - (counts["no key"] > 0)
        repeated = counts["rows"] - counts["no key"] - distinct
        if repeated > 0:
            place = _first(frame, ~joined.is_first_distinct() & ~joined.is_null())
            found.append(Counted(key[-1], _key_test(key), repeated, place))
    missing = {name: counts[f"missing {name}"] for name in tests}
    return counts["rows"], missing, found


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


def _collect(frame: Any) -> Any:
    return frame.collect() if isinstance(frame, nw.LazyFrame) else frame


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


def validate(
    frame: FrameT, table: TableSchema, *, divides: Iterable[str] = (), strict: bool = False
) -> Validated[FrameT]:
    """Check a table against its declaration, once, at the door.

    Parameters
    ----------
    frame : frame
        Any table narwhals knows (pandas, Polars, PyArrow, DuckDB, Ibis, PySpark). It is not changed.
    table : TableSchema
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
    fatal = [one for one in found if one.test.fatal or strict]
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
        ) from error
    except TypeError as error:
        raise EngineError(
            f"the {table.name} table must be a table",
            got=type(frame).__name__,
            allowed="pandas, Polars, PyArrow, DuckDB, Ibis or PySpark",
            fix="read the file first, for example with pandas.read_csv",
        ) from error


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
        got=f"it holds {str(dtype).lower()}{place}",
        fix=fix.get(column.dtype, "use True and False, or 1 and 0"),
    )


def _strangers(values: list[Any], kind: Kind) -> list[int]:
    """Positions of values that are not of the kind, missing ones aside."""
    import datetime
    import decimal
    import numbers

    kinds: dict[Kind, tuple[type, ...]] = {
        "number": (numbers.Number, decimal.Decimal),
        "flag": (numbers.Number, decimal.Decimal),
        "time": (datetime.date,),
    }
    return [
        row
        for row, value in enumerate(values)
        if value is not None
        and value == value  # noqa: PLR0124 - only a NaN differs from itself
        and not isinstance(value, kinds[kind])
    ]


def _error(found: list[Counted], rows: int) -> DataError:
    """One error for all that is wrong: the first in full, the others in a clause each."""
    wrong, got = found[0].sentence(rows)
    others = "; ".join(": ".join(one.sentence(rows)) for one in found[1:])
    also = f". Also: {others}" if others else ""
    return DataError(wrong, got=f"{got}{also}", fix=found[0].test.fix)
