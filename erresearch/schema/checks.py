"""What may be wrong with a value, counted: by pandera in memory, by one aggregation anywhere else.

A test is one comparison that reads the same on a pandas Series and on a narwhals expression, so both ways
count the same declaration.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.schema.tables import Column, Table

__all__ = ["Found", "Measured", "Plan", "Test", "by_counting", "by_pandera"]

# beyond this a float no longer tells neighbouring whole numbers apart, so an id read as float is lost
_EXACT = 2.0**53
_SEPARATOR = "\x1f"


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
class Found:
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


@dataclass(frozen=True, slots=True)
class Measured:
    """The count of rows, of missing values per column, and of what failed."""

    rows: int
    missing: Mapping[str, int]
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to count on one table: tests per column, pairs in order, and the key."""

    tests: Mapping[str, tuple[Test, ...]]
    numbers: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    key: tuple[str, ...]

    @classmethod
    def of(
        cls, table: Table, present: list[Column], schema: Mapping[str, Any], divides: frozenset[str]
    ) -> Plan:
        """Turn the declaration into tests for the columns that are there."""
        names = {column.name for column in present}
        numbers = tuple(column.name for column in present if _counted(column, schema[column.name]))
        return cls(
            {column.name: _tests(column, schema[column.name], column.name in divides) for column in present},
            numbers,
            tuple(pair for pair in table.at_most if set(pair) <= names),
            tuple(name for name in table.key if name in names) if _required_key(table, names) else (),
        )


def _required_key(table: Table, names: set[str]) -> bool:
    """A key is worth checking when the columns it cannot do without are there."""
    required = {column.name for column in table.columns if column.required}
    return bool(table.key) and required & set(table.key) <= names


def _counted(column: Column, dtype: Any) -> bool:
    """Numbers have a size to test; so has a flag that came as 1 and 0."""
    return column.dtype == "number" or (column.dtype == "flag" and dtype.is_numeric())


def _tests(column: Column, dtype: Any, divides: bool) -> tuple[Test, ...]:
    name, rule = f"`{column.name}`", column.rule
    if column.dtype == "text":
        if not dtype.is_float():
            return ()
        lost = "read the column as text (dtype=str), long ids lose their last digits as numbers"
        wrong = f"{name} must be text: it was read as a floating number"
        return (
            Test(
                name="float id",
                bad=lambda c: (c >= _EXACT) | (c <= -_EXACT),
                wrong=wrong,
                rows="too large to be told apart",
                fix=lost,
            ),
        )
    if not _counted(column, dtype):
        return ()
    mend = "correct these rows or leave them out, and say so"
    tests = [
        Test(
            name="infinite",
            bad=lambda c: (c == math.inf) | (c == -math.inf),
            wrong=f"{name} must be finite",
            rows="infinite",
            fix="look for a division by 0 where the column was made",
        )
    ]
    low, high = rule.low, rule.high
    if math.isfinite(low):
        wrong = f"{name} must be {rule.text}"
        said = "negative" if low == 0 else f"below {low:g}"
        tests.append(
            Test(name="low", bad=lambda c: (c < low) & (c > -math.inf), wrong=wrong, rows=said, fix=mend)
        )
    if math.isfinite(high):
        wrong = f"{name} must be {rule.text}"
        tests.append(
            Test(
                name="high",
                bad=lambda c: (c > high) & (c < math.inf),
                wrong=wrong,
                rows=f"above {high:g}",
                fix=mend,
            )
        )
    if rule.divides or divides:
        wrong = f"{name} must be positive where it divides"
        way = 'drop them, pass zero="drop" where a rate is asked for, or divide by another column'
        tests.append(Test(name="zero", bad=lambda c: c == 0, wrong=wrong, rows="0", fix=way, fatal=divides))
    return tuple(tests)


def _pair_test(small: str, large: str) -> Test:
    return Test(
        name="order",
        bad=lambda c: c,
        wrong=f"`{small}` should not exceed `{large}`",
        rows="the other way round",
        fix="check which column is which, and that both were exported on one day",
        fatal=False,
    )


def _key_test(key: tuple[str, ...]) -> Test:
    return Test(
        name="duplicate",
        bad=lambda c: c,
        wrong=f"no two rows may share {', '.join(f'`{name}`' for name in key)}",
        rows="a repetition of an earlier one",
        fix="drop exact copies; of two exports keep the newer; for daily rows sum them to one row per post",
    )


def _place(frame: Any, plan: Plan, row: int) -> str:
    named = f", {plan.key[-1]} {frame[plan.key[-1]][row]!r}" if plan.key else ""
    return f"first: row {row}{named}"


def by_pandera(frame: Any, plan: Plan) -> Measured:
    """Check an eager narwhals frame with pandera.

    Parameters
    ----------
    frame : narwhals.DataFrame
        The table.
    plan : Plan
        What to check.

    Returns
    -------
    Measured
        Counts, each with its first row.
    """
    import pandas as pd
    import pandera.pandas as pa

    table = pd.DataFrame({name: _series(frame, name, name in plan.numbers) for name in plan.tests})
    checks = {
        name: pa.Column(
            checks=[
                pa.Check(functools.partial(_good, test), name=test.name, ignore_na=True) for test in tests
            ],
            nullable=True,
        )
        for name, tests in plan.tests.items()
    }
    found = []
    try:
        pa.DataFrameSchema(checks).validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        tests = {(name, test.name): test for name, held in plan.tests.items() for test in held}
        for (name, check), rows in error.failure_cases.groupby(["column", "check"], sort=False)["index"]:
            found.append(Found(name, tests[name, check], len(rows), _place(frame, plan, int(rows.min()))))
    for small, large in plan.pairs:
        odd = np.flatnonzero(table[small].to_numpy() > table[large].to_numpy())
        if len(odd):
            found.append(Found(small, _pair_test(small, large), len(odd), _place(frame, plan, int(odd[0]))))
    repeated = _repeated(table, plan.key)
    if len(repeated):
        place = _place(frame, plan, int(repeated[0]))
        found.append(Found(plan.key[-1], _key_test(plan.key), len(repeated), place))
    missing = {str(name): int(count) for name, count in table.isna().sum().items()}
    return Measured(len(table), missing, tuple(found))


def _series(frame: Any, name: str, number: bool) -> Any:
    """The column as pandas holds it, numbers as floats whatever they were (object, Decimal, Int64)."""
    import pandas as pd

    series = frame[name]
    if number and series.dtype.is_numeric():
        return pd.Series(series.cast(nw.Float64()).to_numpy())
    return pd.Series(series.to_list(), dtype="float64" if number else object)


def _good(test: Test, series: Any) -> Any:
    return ~test.bad(series)


def _repeated(table: Any, key: tuple[str, ...]) -> Any:
    """Positions of rows whose complete key was seen before."""
    if not key:
        return np.array([], dtype=int)
    keys = table[list(key)]
    return np.flatnonzero(keys.duplicated() & keys.notna().all(axis=1))


def by_counting(frame: Any, plan: Plan) -> Measured:
    """Count everything in one aggregation; a second one names a first place only where something failed.

    Parameters
    ----------
    frame : narwhals.DataFrame or narwhals.LazyFrame
        The table.
    plan : Plan
        What to check.

    Returns
    -------
    Measured
        The same counts as :func:`by_pandera`.
    """
    wanted: dict[str, Any] = {"rows": nw.len()}
    bad: dict[str, tuple[str, Test, Any]] = {}
    for name, tests in plan.tests.items():
        values = _values(name) if tests else nw.col(name)
        wanted[f"missing {name}"] = _count(values.is_null())
        for test in tests:
            bad[f"{test.name} {name}"] = (name, test, test.bad(values))
    for small, large in plan.pairs:
        bad[f"order {small} {large}"] = (
            small,
            _pair_test(small, large),
            _values(small) > _values(large),
        )
    if plan.key:
        texts = [nw.col(name).cast(nw.String()) for name in plan.key]
        joined = nw.concat_str(texts, separator=_SEPARATOR)
        wanted["keys"], wanted["no key"] = joined.n_unique(), _count(joined.is_null())
    wanted |= {key: _count(where) for key, (_, _, where) in bad.items()}
    labels = {f"n{i}": key for i, key in enumerate(wanted)}
    row = _collect(frame.select(**{label: wanted[key] for label, key in labels.items()}))
    counts = {key: int(row[label][0] or 0) for label, key in labels.items()}
    found = [
        Found(name, test, counts[key], _first(frame, plan, where))
        for key, (name, test, where) in bad.items()
        if counts[key]
    ]
    if plan.key:
        # a missing key is one more distinct value to the engine, but names nothing
        distinct = counts["keys"] - (counts["no key"] > 0)
        repeated = counts["rows"] - counts["no key"] - distinct
        if repeated > 0:
            found.append(Found(plan.key[-1], _key_test(plan.key), repeated, ""))
    missing = {name: counts[f"missing {name}"] for name in plan.tests}
    return Measured(counts["rows"], missing, tuple(found))


def _values(name: str) -> Any:
    """The column as numbers, NaN as missing: some engines sort NaN above everything."""
    column = nw.col(name).cast(nw.Float64())
    return nw.when(~column.is_nan()).then(column)


def _count(condition: Any) -> Any:
    # half the nodes of when/then/otherwise: building expressions is what small tables cost
    return condition.cast(nw.Int64()).sum()


def _collect(frame: Any) -> Any:
    return frame.collect() if isinstance(frame, nw.LazyFrame) else frame


def _first(frame: Any, plan: Plan, where: Any) -> str:
    if isinstance(frame, nw.DataFrame):
        label = "row" + "_" * (1 + max(map(len, map(str, frame.columns))))
        row = int(frame.with_row_index(label).filter(where)[label][0])
        return _place(frame, plan, row)
    # rows of a lazy table have no number, so the first one that the engine meets is named by its key
    if not plan.key:
        return ""
    name = plan.key[-1]
    values = _collect(frame.filter(where).select(nw.col(name)).head(1))[name]
    return f"for example {name} {values[0]!r}" if len(values) else ""
