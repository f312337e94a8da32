"""Opening whatever holds the rows: a frame of any engine, files or a table of a database; and what is left out."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import narwhals as nw_main
import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError, NarwhalsError

from erresearch.engine import label
from erresearch.engine.lazy_rows import (
    HEAD,
    Array,
    LazyRows,
    check_ids,
    check_text,
    free_name,
    gather,
    is_text,
    lacks,
    near,
    no_rows,
    refuse_negative,
)
from erresearch.engine.table_files import (
    check_files,
    find_files,
    open_database,
    open_files,
    written_as_simulated,
)
from erresearch.errors import (
    ColumnError,
    Count,
    EngineError,
    ErresearchError,
    first_line,
    missing_columns,
    not_a_column,
    type_name,
)
from erresearch.io import pd, pl

Names = Sequence[str]
Parts = tuple[tuple[str, nw.LazyFrame[Any]], ...]
_MOMENTS = ("datetime64", "period")  # kinds of a pandas index that is a calendar
FEW = 250_000  # rows up to which the engine with the repeatable sums is as fast


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Rows ready for a pass, and what each column asked for is called."""

    frame: nw.LazyFrame[Any]  # needed columns only
    present: tuple[str, ...]  # their names
    #: Path and rows of each file, or no path and the one table, as they came: to say where a problem lies.
    parts: Parts
    names: tuple[str, ...]  # output name of each column asked for
    roots: tuple[str, ...]  # columns that expressions read
    #: Numbers read from text (.csv), to be looked through for other text when rows turn out incomplete.
    parsed: tuple[str, ...]
    small: bool = False  # whether the rows came in memory and are few (gather)

    def column(self, asked: str | nw.Expr) -> nw.Expr:
        """A column as it came: by its place, since a name may be a pattern to an engine."""
        return nw.nth(self.present.index(asked)) if isinstance(asked, str) else asked

    def number(self, asked: str | nw.Expr) -> nw.Expr:
        """The same as a float."""
        return self.column(asked).cast(nw.Float64())

    def collect(self, *wanted: str | nw.Expr) -> pl.DataFrame:
        """All columns, or what is wanted of them, brought here."""
        return gather(self.frame.select(*wanted) if wanted else self.frame, small=self.small)


def open_rows(
    data: Any,
    columns: Sequence[str | nw.Expr],
    keys: Names,
    weights: str | None,
    *,
    period: str | None = None,
) -> Opened:
    """Open a table lazily; eager tables enter Polars with the needed columns only.

    Of a table of any engine, files or a table of a database (as :meth:`Moments.from_frame` takes them) come number
    columns, or expressions that make one each, `keys` (accounts and times) and `weights`. Where an expression reads
    the `period` too, numbers of it in a .csv are numbers, so that lags follow 2 after 1 and not 10.
    """
    plain = [c for c in columns if isinstance(c, str)]
    numbers = list(dict.fromkeys([*plain, *([] if weights is None else [weights])]))
    if period is not None and keys.count(period) > 1:
        raise ColumnError(
            f"{period!r} is asked for as account and as period",
            got=f"by={period!r} and period={period!r}",
            fix="name the column of the accounts with `by`, or leave `by` out for one entity",
        )
    files = find_files(data) if _names_files(data) else []
    data = data if files else _table(data)
    schema: dict[str, Any] = dict(files[0].schema) if files else _schema(data)
    wanted = list(dict.fromkeys([*numbers, *keys]))
    if any(name not in schema for name in wanted):
        where = repr(files[0].path) if files else "the table"
        raise missing_columns(wanted, schema, where=where, fix=in_the_index(data))
    names, roots = _probe(columns, schema)
    needed = list(dict.fromkeys([*wanted, *roots]))
    if files:
        named = [key for key in keys if key != period or key not in roots]
        frame = open_files(files, needed, numbers=numbers, keys=named)
    else:
        frame = _narrow(data, needed, numbers)
    parts = tuple((f.path, nw.from_native(f.rows)) for f in files) or (("", frame),)
    found = frame.collect_schema()
    types: list[Mapping[str, Any]] = [nw.Schema.from_polars(f.schema) for f in files] or [found]
    check_text(parts, [name for name in numbers if any(is_text(each.get(name)) for each in types)])
    _check_types(found, numbers, keys)
    guessed = any(f.is_csv for f in files)
    return Opened(
        frame=frame,
        present=tuple(found.names()),
        parts=parts,
        names=names,
        roots=tuple(roots),
        parsed=tuple(n for n, dtype in found.items() if guessed and dtype == nw.Float64),
        small=not files and not isinstance(data, nw.LazyFrame) and len(data) <= FEW,
    )


def _names_files(data: Any) -> bool:
    return isinstance(data, (str, Path)) and not str(data).startswith("duckdb:")


def says_simulated(data: Any) -> bool:
    """Whether a table says of itself that it was simulated (``attrs["simulated"]``; .parquet files keep it).

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"likes": [1]})
    >>> table.attrs["simulated"] = True
    >>> says_simulated(table), says_simulated(table.assign(likes=2)), says_simulated(table.to_dict())
    (True, True, False)
    """
    if _names_files(data):
        try:
            return written_as_simulated(data)
        except EngineError:
            return False  # whoever reads the rows says what is wrong
    # some tables offer their columns as attributes, and a column may be called attrs
    attributes = getattr(data, "attrs", None)
    said = isinstance(attributes, Mapping) and attributes.get("simulated")
    return bool(said) or getattr(data, "simulated", None) is True  # as moments say it


def column_names(data: Any) -> tuple[str, ...]:
    """Names of the columns that a table or the first of some files has, in its order.

    Examples
    --------
    >>> import polars as pl
    >>> column_names(pl.DataFrame({"likes": [1], "reach": [9]}))
    ('likes', 'reach')
    """
    if _names_files(data):
        return tuple(map(str, find_files(data)[0].schema))
    return tuple(_schema(_table(data)))


def in_the_index(data: Any) -> str:
    """Advice for a pandas table whose rows have names, which are no column; else nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.DataFrame({"likes": [3, 5]}, index=pd.date_range("2024-01-01", periods=2))
    >>> in_the_index(days)
    "the table's index is no column, so call .reset_index() on it first; "
    >>> in_the_index(days.reset_index())
    ''
    """
    names_rows = _is_pandas(data) and (data.index.names != [None] or data.index.inferred_type in _MOMENTS)
    return "the table's index is no column, so call .reset_index() on it first; " if names_rows else ""


def as_narwhals(data: Any, *, pass_through: bool = False, allow_series: bool = False) -> Any:
    """Any table as narwhals has it, where no header stands twice; with `pass_through` what is none comes back.

    Examples
    --------
    >>> import pandas as pd
    >>> as_narwhals(pd.DataFrame([[1, 2]], columns=["likes", "likes"]))
    Traceback (most recent call last):
        ...
    erresearch.errors.ColumnError: a column name stands twice in the table: 'likes'. Rename one of them.
    """
    if _is_pandas(data):
        _check_names(data)
    try:
        return nw.from_native(data, pass_through=pass_through, allow_series=allow_series)
    except DuplicateError:
        # columns of a PyArrow table are its cells
        names = [str(name) for name in getattr(data, "column_names", data.columns)]
        double = next((name for name in names if names.count(name) > 1), "")
        raise ColumnError(
            "a column name stands twice in the table", got=repr(double), fix="rename one of them"
        ) from None


def _check_names(data: Any) -> None:
    if data.columns.nlevels > 1:
        fix = "make one of them: table.columns = ['_'.join(map(str, name)) for name in table.columns]"
        raise ColumnError("the names of the columns have several levels", fix=fix)


def _table(data: Any) -> Any:
    """A native table, or the reason why there is none."""
    data = nw_main.to_native(data, pass_through=True)
    if isinstance(data, (str, Path)):
        return open_database(str(data))
    if _is_pandas(data):
        _check_names(data)
        return data
    try:
        frame = nw.from_native(data)
    except TypeError:
        frame = None
    except NarwhalsError as error:
        raise ColumnError("the table cannot be read", got=str(error).replace("\n", " ")) from None
    if frame is None or not isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        raise EngineError(
            "the rows must come as a table or a path",
            got=f"a value of type {type(data).__name__}",
            allowed="a pandas, Polars, PyArrow, DuckDB, Ibis or PySpark table, or a path or glob of .parquet "
            "or .csv",
            fix="make a table of it first, as with pandas.DataFrame",
        )
    return frame


def _is_pandas(data: Any) -> bool:
    pandas = nw.dependencies.get_pandas()
    return pandas is not None and isinstance(data, pandas.DataFrame)


def _schema(data: Any) -> dict[str, Any]:
    """Column names with types as Polars calls them; text where it has no such type."""
    if _is_pandas(data):
        return {str(name): _pandas_type(dtype) for name, dtype in zip(data.columns, data.dtypes, strict=True)}
    out = {}
    for name, dtype in data.collect_schema().items():
        try:
            out[name] = nw.Schema({name: dtype}).to_polars()[name]
        except (NarwhalsError, NotImplementedError, TypeError):
            out[name] = pl.String()
    return out


@functools.lru_cache(maxsize=256)
def _pandas_type(dtype: Any) -> Any:
    return pandas_column(pd.Series([], dtype=dtype), number=False).dtype


def _probe(columns: Sequence[str | nw.Expr], schema: dict[str, Any]) -> tuple[tuple[str, ...], list[str]]:
    """Output name of each column, and the columns that expressions read, learned on an empty table."""
    from polars.io.plugins import register_io_source

    read: list[str] = []

    def rows(with_columns: list[str] | None, *_: object) -> Any:
        read.extend(schema if with_columns is None else with_columns)
        empty = pl.DataFrame(schema=schema)
        yield empty if with_columns is None else empty.select(with_columns)

    names = []
    for column in columns:
        if isinstance(column, str):
            names.append(column)
            continue
        if not isinstance(column, nw_main.Expr):
            raise not_a_column(column)
        try:
            frame: Any = nw.from_native(register_io_source(rows, schema=schema)).select(column)
            # the streaming engine would start threads to read no row
            made = frame.collect(engine="in-memory").columns
        except (NarwhalsError, TypeError, pl.exceptions.PolarsError) as error:
            raise _bad_expression(column, error, schema) from None
        if len(made) != 1:
            raise ColumnError(
                "an expression must make one column",
                got=f"{Count(len(made)):column}: {', '.join(map(repr, made[:5]))}",
                fix="ask for each column by its own expression",
            )
        names.append(made[0])
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise ColumnError(
            f"{double[0]!r} is asked for twice",
            got=f"{Count(len(names)):column}, {Count(len(set(names))):name}",
            fix="name each column once; give expressions their own .alias()",
        )
    return tuple(names), list(dict.fromkeys(read))


def _bad_expression(column: object, error: Exception, schema: dict[str, Any]) -> ErresearchError:
    message = first_line(error)
    quoted = [a or b for a, b in re.findall(r'"([^"]*)"|\'([^\']*)\'', message)]
    absent = [name for name in quoted[:1] if name not in schema]
    if (absent and "found" in type(error).__name__.lower() + message) or (absent and "find" in message):
        return missing_columns(absent, schema)
    return ColumnError("an expression cannot be computed on this table", got=message)


def _narrow(data: Any, needed: Names, numbers: Names) -> Any:
    """Only the needed columns; eager tables become Polars."""
    if _is_pandas(data):
        return nw.from_native(from_pandas(data, needed, numbers))
    present = data.collect_schema().names()
    if "*" in needed and data.implementation.is_duckdb():
        raise ColumnError(
            "DuckDB takes the column name '*' for all columns",
            got="a column of that name",
            fix="rename it",
        )
    frame = data.select(nw.nth(*map(present.index, needed))) if needed else data
    if isinstance(frame, nw.LazyFrame):
        return frame
    table = frame.to_polars().clone()
    table.columns = list(needed or present)  # an empty name does not survive every conversion
    return nw.from_native(table.lazy())


def from_pandas(data: pd.DataFrame, needed: Names, numbers: Names) -> pl.LazyFrame:
    """Columns of a pandas table in Polars; `numbers` are numbers also where pandas holds them as Python objects.

    Examples
    --------
    >>> import pandas as pd
    >>> from_pandas(pd.DataFrame({"likes": [1, None], "shop": ["a", "b"]}), ["likes"], ["likes"]).collect().columns
    ['likes']
    """
    labels = [str(name) for name in data.columns]
    double = [name for name in needed if labels.count(name) > 1]
    if double:
        raise ColumnError(
            f"the table has {Count(labels.count(double[0])):column} named {double[0]!r}",
            got=f"positions {', '.join(str(i) for i, label in enumerate(labels) if label == double[0])}",
            fix="rename one of them",
        )
    series = {
        name: pandas_column(data.iloc[:, labels.index(name)], number=name in numbers) for name in needed
    }
    return pl.DataFrame(series).lazy() if series else pl.DataFrame({"": range(len(data))}).lazy()


def pandas_column(column: pd.Series[Any], *, number: bool) -> pl.Series:
    """One pandas column; Python objects become numbers where all are, else text."""
    if column.dtype == object:
        missing = column.isna().to_numpy()
        values = column.to_list()
        if number and not any(isinstance(v, (str, bytes)) for v in values):
            try:
                numbers = [None if gone else float(v) for v, gone in zip(values, missing, strict=True)]
                return pl.Series(numbers, dtype=pl.Float64)
            except (TypeError, ValueError, OverflowError):
                pass  # something that is neither number nor text: shown as text below
        texts = [None if gone else label(v) for v, gone in zip(values, missing, strict=True)]
        return pl.Series(texts, dtype=pl.String)
    try:
        kind = column.cat.categories.dtype if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype
        if isinstance(kind, (pd.PeriodDtype, pd.IntervalDtype)):
            raise TypeError("no such type in Polars")  # noqa: TRY301
        return pl.from_pandas(_plain(column).reset_index(drop=True), nan_to_null=not number)
    except (TypeError, ValueError, NotImplementedError, pl.exceptions.PolarsError, ImportError):
        texts = [None if gone else str(v) for v, gone in zip(column, column.isna(), strict=True)]
        return pl.Series(texts, dtype=pl.String)


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column without the storage that only pandas has: sparse, or floats of more digits."""
    if isinstance(column.dtype, pd.SparseDtype):
        return pd.Series(column.to_numpy(), dtype=column.dtype.subtype)
    return column.astype("float64") if column.dtype == "longdouble" else column


def _check_types(schema: Mapping[str, Any], numbers: Names, keys: Names) -> None:
    for name in numbers:
        dtype = schema[name]
        if not (dtype.is_numeric() or dtype in (nw.Boolean, nw.Unknown)):
            raise ColumnError(
                f"{name!r} does not hold numbers",
                got=f"a column of type {type_name(dtype)}",
                allowed="whole numbers, decimals, floats, true/false",
            )
    for name in keys:
        if schema[name].is_nested() or schema[name] in (nw.Duration, nw.Time, nw.Binary):
            raise ColumnError(
                f"{name!r} cannot name accounts or periods",
                got=f"a column of type {type_name(schema[name])}",
                allowed="text, whole numbers, dates, categories",
            )


def prepare(
    data: Any,
    columns: Sequence[str | nw.Expr],
    *,
    by: str | None,
    period: str | None,
    weights: str | None = None,
) -> tuple[LazyRows, Opened]:
    """Open the rows (:func:`open_rows`), check the columns asked for and choose the origin."""
    keys = [name for name in (by, period) if name is not None]
    opened = open_rows(data, columns, keys, weights, period=period)
    names = _inner_names(opened.names)
    taken = {name.casefold() for name in names}
    account, time, weight = (
        None if column is None else free_name(label, taken)
        for label, column in (("__account__", by), ("__period__", period), ("__weight__", weights))
    )
    values = [opened.number(c).alias(n) for c, n in zip(columns, names, strict=True)]
    keyed = ((by, account), (period, time))
    others = [opened.column(c).alias(n) for c, n in keyed if c is not None and n is not None]
    if weights is not None and weight is not None:
        others.append(opened.number(weights).alias(weight))
    frame = opened.frame.select(*values, *others)
    if by is not None and account is not None:
        check_ids(frame, account, by)
    source = LazyRows(
        frame=frame,
        columns=opened.names,
        names=names,
        origin=np.zeros(len(names)),
        account=account,
        period=time,
        weight=weight,
        small=opened.small,
    )
    try:
        if opened.small:
            return hold(source), opened
        head = gather(opened.frame.head(HEAD).select(*values))
        return replace(source, origin=_origin(head, names)), opened
    except EngineError:
        # an expression that cannot read text fails here first: say which column holds it
        check_text(opened.parts, opened.roots)
        check_files(opened.parts)
        raise


def _inner_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names that no engine reads as a pattern, as nothing, or as another column in other letters."""
    out: list[str] = []
    taken = {name.casefold() for name in names}
    for i, name in enumerate(names):
        pattern = name in ("", "*") or (name.startswith("^") and name.endswith("$"))
        double = any(name.casefold() == other.casefold() for other in names[:i])
        out.append(free_name(f"column {i}", taken) if pattern or double else name)
    return tuple(out)


def _origin(head: pl.DataFrame, names: Sequence[str]) -> Array:
    """Near the means, on a grid a little finer than the spread, so that z − o is exact wherever it can be."""
    out = np.zeros(len(names))
    for i, name in enumerate(names):
        value = head[name].to_numpy()
        value = value[np.isfinite(value)]
        if value.size:
            with np.errstate(over="ignore", invalid="ignore"):
                out[i] = near(float(np.mean(value)), float(np.std(value)), float(value[0]))
    return out


def hold(source: LazyRows) -> LazyRows:
    """Few rows brought here once: complete ones for every pass to come, the others counted by their first lack.

    What :func:`conditions` asks an engine is asked of arrays here, which takes a tenth of the time.
    """
    table = gather(source.frame, small=True)
    if table.is_empty():
        raise no_rows()
    found: list[tuple[str, Array]] = []
    for name, words in ((source.account, "account missing"), (source.period, "period missing")):
        if name is not None:
            key = table[name]
            there = ~np.isnan(key.to_numpy()) if key.dtype.is_float() else key.is_not_null().to_numpy()
            found.append((words, there))
    if source.weight is not None:
        w = table[source.weight].to_numpy()
        found += [
            ("weight not finite", np.isfinite(w)),
            ("weight negative", ~(w < 0)),
            ("weight zero", w != 0),
        ]
    for column, name in zip(source.columns, source.names, strict=True):
        found.append((f"not finite: {column}", np.isfinite(table[name].to_numpy())))
    left, counts = np.ones(len(table), dtype=bool), {}
    for words, holds in found:
        counts[words] = int(np.count_nonzero(left & ~holds))
        left &= holds
    complete = table if left.all() else table.filter(left)
    lost, origin = refuse_negative(counts, len(table)), _origin(table.head(HEAD), source.names)
    return replace(source, frame=nw.from_native(complete.lazy()), origin=origin, whole=True, lost=lost)


def count_dropped(source: LazyRows, opened: Opened, used: int) -> dict[str, int]:
    """Rows left out, by reason; the counts add up to the rows that are missing where `used` are complete.

    A row that lacks several things is counted under the first reason, in the order account, period, weight, columns.
    Refused are a table without rows, a negative weight, and text among the numbers of a .csv.
    """
    if source.lost is not None:
        return dict(source.lost)
    rows = source.row_count()
    if rows == 0:
        raise no_rows()
    if rows == used:
        return {}
    check_text([part for part in opened.parts if opened.parsed], opened.parsed)
    return lacks(source)
