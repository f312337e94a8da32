"""Tables on disk: .parquet and .csv files or globs of them, checked file by file and read as one, and DuckDB files."""

from __future__ import annotations

import csv
import json
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import narwhals.stable.v2 as nw

from erresearch.engine import refuse_blurred, text_expression
from erresearch.errors import (
    ColumnError,
    Count,
    EngineError,
    missing_columns,
    raise_as,
    warn,
    without_cells,
)
from erresearch.io import pl
from erresearch.io.resources import allowed_memory

Names = Sequence[str]
SUFFIXES = (".parquet", ".csv")
_GUESS_ROWS = 10_000
_SETTING = threading.Lock()


@dataclass(frozen=True, slots=True)
class TableFile:
    """One file as it lies on disk: path, rows (of a .csv as text), and types (of a .csv a guess)."""

    path: str
    rows: pl.LazyFrame
    schema: pl.Schema

    @property
    def is_csv(self) -> bool:
        """Whether types are a guess from text."""
        return self.path.lower().endswith(".csv")


def find_files(place: str | Path | Sequence[str | Path]) -> list[TableFile]:
    """Open every file that a path, a folder or a glob of .parquet or .csv files names, in order of their names."""
    return [_open(path) for path in _all_paths(place)]


def written_as_simulated(place: str | Path | Sequence[str | Path]) -> bool:
    """Whether any .parquet file that a place names was written from a pandas table that said so of itself."""
    for path in _all_paths(place):
        if "://" in path or not path.lower().endswith(".parquet"):
            continue
        try:
            attributes = json.loads(pl.read_parquet_metadata(path).get("PANDAS_ATTRS") or "{}")
        except (Exception, pl.exceptions.PanicException):  # noqa: S112
            continue  # whoever reads its rows says what is wrong with the file
        if isinstance(attributes, dict) and attributes.get("simulated"):
            return True
    return False


def _all_paths(place: str | Path | Sequence[str | Path]) -> list[str]:
    places = [place] if isinstance(place, (str, Path)) else place
    # a file that is named twice, by itself and by a glob, holds its rows once
    return sorted({path for each in places for path in _paths(str(each))})


def is_file(path: str) -> bool:
    """Whether a path leads to a file; False for what no path can be, and for links that lead to themselves.

    Examples
    --------
    >>> is_file(__file__), is_file(""), is_file("a" + chr(0))
    (True, False, False)
    """
    try:
        return bool(path) and Path(path).is_file()
    except (OSError, ValueError):
        return False


def _paths(text: str) -> list[str]:
    if "://" in text:
        paths = [text]
    elif not text or "\0" in text:
        paths = []  # no path, and not the working folder either
    elif Path(text).is_dir():
        paths = [str(path) for path in Path(text).rglob("*") if _is_part(path.relative_to(text))]
    else:
        # a real file may have brackets in its name
        magic = has_magic(text) and not is_file(text)
        paths = glob(text, recursive=True) if magic else [text]  # noqa: PTH207 (a glob may be absolute)
    if not paths or (len(paths) == 1 and "://" not in text and not is_file(paths[0])):
        raise EngineError(
            f"no file at {text!r}",
            got="nothing there" if text else "an empty path",
            fix=f"check the path; the working folder is {str(Path.cwd())!r}",
        )
    wrong = [path for path in paths if not path.lower().split("?")[0].endswith(SUFFIXES)]
    if wrong:
        raise EngineError(
            f"cannot tell what kind of table {wrong[0]!r} is",
            got=f"{Count(len(wrong), of=len(paths)):file} without a known ending",
            allowed=", ".join(SUFFIXES),
        )
    return paths


def _is_part(path: Path) -> bool:
    """Whether a file of a folder is one of its tables: what engines are writing (_temporary), or hide, is not."""
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(("_", ".")) for part in path.parts)


def _open(path: str) -> TableFile:
    try:
        if path.lower().endswith(".csv"):
            # a header's quotes stand as two, as they do in quoted cells
            guessed, texts = (
                pl.scan_csv(
                    path,
                    glob=False,
                    with_column_names=lambda names: [name.replace('""', '"') for name in names],
                    **settings,
                )
                for settings in ({"infer_schema_length": _GUESS_ROWS}, {"infer_schema": False})
            )
            # read in part, Polars would pass over a row with a cell too many, whose cells stand one column off
            whole = texts.map_batches(lambda rows: rows, projection_pushdown=False, streamable=True)
            return TableFile(path, whole, guessed.collect_schema())
        rows = pl.scan_parquet(path, glob="://" in path)
        return TableFile(path, rows, rows.collect_schema())
    except (Exception, pl.exceptions.PanicException) as error:  # a damaged file may do anything to its reader
        raise EngineError(
            f"cannot read {path!r}",
            got=without_cells(error),
            fix="check that the file is whole and of the kind that its ending says",
        ) from None


def check_files(parts: Iterable[tuple[str, Any]]) -> None:
    """Read whole files after a pass over several failed, to name the one that cannot be read, and the place in a .csv."""
    for path, part in parts:
        try:
            for column in part.collect_schema().names() if path else ():
                part.to_native().select(_exact([column])).collect(engine="streaming")
        except (Exception, pl.exceptions.PanicException) as error:
            where = _odd_row(path) if path.lower().endswith(".csv") and "://" not in path else ""
            raise EngineError(
                f"cannot read {path!r}",
                got=where or without_cells(error),
                fix="put cells with a comma in quotes, and write the file as UTF-8"
                if where
                else "check that the file is whole",
            ) from None


def _odd_row(path: str) -> str:
    """The first row of a .csv with more cells than its header, or of another encoding."""
    number = -1
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as lines:
            cells = csv.reader(lines)
            header = next(cells, [])
            for number, row in enumerate(cells):
                if len(row) > len(header):
                    return f"row {number} (the first row is 0) has {Count(len(row)):cell}, the header {len(header)}"
    except UnicodeDecodeError:
        return f"text that is no UTF-8, after row {max(number, 0)}"
    except csv.Error:
        pass  # Polars has said what is wrong
    return ""


def open_files(
    files: Sequence[TableFile], needed: Names, *, numbers: Names, keys: Names
) -> nw.LazyFrame[Any]:
    """Columns of files as one lazy table: in Polars, or in DuckDB where memory is limited, since it can be capped.

    `numbers` among the needed columns are Float64 in the result; `keys` only name something, and are text where files
    disagree about their type. Text files, remote ones, and files whose types differ stay with Polars in any case;
    without DuckDB a warning says that nothing is capped. Refused are columns that are missing or stand twice, types
    on which files disagree, and accounts that are told by floats without their last digits.
    """
    for file in files:
        if any(name not in file.schema for name in needed):
            raise missing_columns(needed, file.schema, where=repr(file.path))
        double = [name for name in needed if file.is_csv and f"{name}_duplicated_0" in file.schema]
        if double:
            raise ColumnError(
                f"{file.path!r} has several columns named {double[0]!r}", got="the same name twice in its header",
                fix="rename one of them",
            )  # fmt: skip
    if len({tuple(file.schema.items()) for file in files}) == 1 and not files[0].is_csv:
        paths = [file.path for file in files]
        capped = None if allowed_memory() is None else _in_duckdb(paths, needed)
        rows = pl.scan_parquet(paths, glob="://" in paths[0]).select(_exact(needed))
        return nw.from_native(rows) if capped is None else capped
    target = {name: _common_type(files, name, name in numbers, name in keys) for name in needed}
    for file in files:
        for name in keys:
            if not file.is_csv and file.schema[name].is_float() and target[name] == pl.String:
                _check_ids(file, name)
    parts = [
        file.rows.select(_exact(needed)).with_columns(
            [_cast(name, file, dtype) for name, dtype in target.items()]
        )
        for file in files
    ]
    return nw.from_native(parts[0] if len(parts) == 1 else pl.concat(parts, how="vertical_relaxed"))


def _in_duckdb(paths: list[str], needed: Names) -> nw.LazyFrame[Any] | None:
    """Columns of .parquet files of one schema in DuckDB, which keeps to a cap; None where it cannot read them."""
    if any("://" in path for path in paths):
        return None
    try:
        import duckdb
    except ImportError:
        warn("memory is not capped: Polars reads the files, and it knows no cap; install DuckDB for one")
        return None
    connection = duckdb.connect()
    cap_duckdb(connection)
    held: nw.LazyFrame[Any] = nw.from_native(connection.read_parquet(paths))
    present = held.collect_schema().names()
    # DuckDB gives other names to columns that differ only in the case of their letters
    if "*" in needed or any(name not in present for name in needed):
        return None
    return held.select(nw.nth(*(present.index(name) for name in needed)))


def _exact(names: Sequence[str]) -> pl.Expr:
    """The columns of these very names: a name such as ``*`` or ``^a.*$`` is no pattern here."""
    import polars.selectors as cs

    return cs.by_name(*names).as_expr()


def _common_type(
    files: Sequence[TableFile], name: str, number: bool, key: bool
) -> pl.DataType | type[pl.DataType]:
    types = {file.schema[name] for file in files}
    if key and all(
        dtype == pl.Date or (isinstance(dtype, pl.Datetime) and dtype.time_zone is None) for dtype in types
    ):
        return next(iter(types)) if len(types) == 1 else pl.Datetime("us")
    if key and (any(file.is_csv for file in files) or len(types) > 1):
        return pl.String
    if number:
        return pl.Float64
    if len(types) > 1:
        # a part without rows, or without a value in this column, does not know its type
        values = [file.rows.select(_exact([name]).count()).collect(engine="streaming") for file in files]
        files = [file for file, count in zip(files, values, strict=True) if count.item()] or files
    found = [file.schema[name] for file in files]
    if all(dtype.is_numeric() or dtype in (pl.Boolean, pl.Null) for dtype in found):
        return pl.Float64
    if len(set(found)) == 1:
        return found[0]
    if all(dtype.is_temporal() for dtype in found):
        return pl.Datetime("us")
    odd = next(i for i, dtype in enumerate(found) if dtype != found[0])
    raise ColumnError(
        f"files disagree about the type of {name!r}",
        got=f"{found[0]} in {files[0].path!r} and {found[odd]} in {files[odd].path!r}",
        fix="write the files again with one type",
    )


def _check_ids(file: TableFile, name: str) -> None:
    size = _exact([name]).abs()
    largest = file.rows.select(most=size.filter(size.is_finite()).max().cast(pl.Float64))
    refuse_blurred(name, repr(file.path), largest.collect(engine="streaming").item())


def _cast(name: str, file: TableFile, dtype: pl.DataType | type[pl.DataType]) -> pl.Expr:
    """One column of one file in the common type; text that is no number becomes null and is looked for later."""
    value = _exact([name])
    found = file.schema[name]
    if file.is_csv and dtype == pl.Float64:
        text = value.str.strip_chars()
        if found == pl.Boolean:
            return pl.when(text.is_in(["true", "false"])).then((text == "true").cast(pl.Float64)).alias(name)
        return text.cast(pl.Float64, strict=False)
    if file.is_csv and dtype == pl.String and found.is_float():
        # whole numbers that were written as floats because one of them is missing
        return value.str.replace(r"^\s*([-+]?\d+)\.0*\s*$", "$1")
    if file.is_csv:
        return value if dtype == pl.String else value.cast(dtype, strict=False)
    if dtype == pl.String and found.is_float():
        whole = pl.when(value == value.floor()).then(value.cast(pl.Int64, strict=False).cast(pl.String))
        return whole.otherwise(value.cast(pl.String)).alias(name)
    if dtype == pl.String:
        return text_expression(value, found)
    return value.cast(dtype)


def open_database(address: str) -> nw.LazyFrame[Any]:
    """Open a table of a DuckDB file, ``duckdb:file.db?table=posts``, for reading only; its rows stay there."""
    path, _, query = address.removeprefix("duckdb:").partition("?")
    table = parse_qs(query).get("table", [""])[0]
    if not path or not table or not is_file(path):
        raise EngineError(
            f"no table at {address!r}",
            got="no file named" if not path else "no file there" if table else "no table named",
            allowed="duckdb:file.db?table=posts",
        )
    with raise_as(EngineError, f"cannot open {address!r}", of=Exception, got=without_cells):
        import duckdb

        # a database from elsewhere may hold views that read other files, over the network too
        connection = duckdb.connect(path, read_only=True)
        # connections to one file share its settings, which the first of them locks, in whichever thread
        with _SETTING:
            if connection.execute("SELECT current_setting('lock_configuration')").fetchone() != (True,):
                cap_duckdb(connection)
                connection.execute("SET enable_external_access = false")
                connection.execute("SET lock_configuration = true")
        found = _own_table(connection, table)
        relation: Any = None if found is None else connection.sql(f"FROM {found}")
    if relation is None:
        raise EngineError(
            f"no table {table!r} in {path!r}",
            got="no table or view of the file itself has this name",
            allowed="a table of the file, or schema.table; names of other files are none",
        )
    rows: nw.LazyFrame[Any] = nw.from_native(relation)
    return rows


def _own_table(connection: Any, table: str) -> str | None:
    """The quoted name of a table or view of the file itself; None where there is none."""
    held = "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
    seen = "SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = current_database() AND NOT internal"
    names = connection.execute(f"{held} UNION ALL {seen}").fetchall()
    wanted = [("main", table), *([tuple(table.split(".", 1))] if "." in table else [])]
    for schema, name in wanted:
        if (schema, name) in names:
            return ".".join('"{}"'.format(part.replace('"', '""')) for part in (schema, name))
    return None


def cap_duckdb(connection: Any) -> None:
    """Tell DuckDB how much memory it may take, where somebody said so; beyond it goes to the disk."""
    limit = allowed_memory()
    if limit is not None:
        # half of it: what DuckDB counts is not all that it takes
        connection.execute(f"SET memory_limit = '{limit // 2} B'")
        connection.execute(
            "SET temp_directory = $place", {"place": str(Path(tempfile.gettempdir()) / "erresearch")}
        )
        connection.execute("SET preserve_insertion_order = false")
