"""Tables as they arrive: exports or frames of any engine, opened lazily with the needed columns only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import narwhals.stable.v2 as nw

from erresearch.errors import ColumnError, DataError, EngineError, missing_columns
from erresearch.exports import Export, combine_exports
from erresearch.exports.lazy_tables import Lake

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Arrived", "arrive", "give_back"]

Kind = Literal["pandas", "polars", "pyarrow", "lazy"]


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A table, and what is known of where it comes from.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        The needed columns that are there.
    columns : tuple of str
        Their names.
    kind : {"pandas", "polars", "pyarrow", "lazy"}
        What was given.
    rows : int or None
        Rows in, among them those that another export repeats; None where lazy.
    repeated : int
        Rows that another export repeats.
    exported_at : datetime.date or None
        Day of the export.
    parts : tuple of Export
        The exports, where they are.
    simulated : bool
        Whether the table says so of itself.
    cautions : tuple of str
        What was found while exports were put together.
    """

    frame: nw.LazyFrame[Any]
    columns: tuple[str, ...]
    kind: Kind
    rows: int | None
    repeated: int = 0
    exported_at: dt.date | None = None
    parts: tuple[Export, ...] = ()
    simulated: bool = False
    cautions: tuple[str, ...] = ()

    @property
    def lazy(self) -> bool:
        """Whether the rows stay where they are."""
        return self.kind == "lazy"


def arrive(
    data: Any, *, what: str, kinds: Sequence[str], needed: Sequence[str], wanted: Sequence[str]
) -> Arrived:
    """Open a table.

    Parameters
    ----------
    data : Export, sequence of Export, Lake, or frame
        The table.
    what : str
        Its name in messages.
    kinds : sequence of str
        Kinds of export that will do.
    needed, wanted : sequence of str
        Columns that must be there, and columns that are taken where they are.

    Returns
    -------
    Arrived

    Raises
    ------
    DataError
        If an export is of another kind, or there is none.
    ColumnError
        If a needed column is missing or a table cannot be read.
    EngineError
        If it is no table.
    """
    exports = _exports(data, what, kinds)
    if exports:
        together = exports[0] if len(exports) == 1 else combine_exports(_dated(exports))
        cautions = [c.text for c in together.warnings if c.code in ("overlap", "changed definition")]
        repeated = len(together.rows) - sum(len(export.rows) for export in exports)
        table = _narrow(together.rows, what, needed, wanted)
        return Arrived(
            table.lazy(),
            tuple(table.collect_schema().names()),
            "pandas",
            len(together.rows) - repeated,
            -repeated,
            together.exported_at,
            tuple(exports),
            any(export.rows.attrs.get("simulated") for export in exports),
            tuple(cautions) if len(exports) > 1 else (),
        )
    simulated = bool(getattr(data, "attrs", None) and data.attrs.get("simulated"))
    if isinstance(data, Lake):
        _refuse_other_kind(data.name, data.kind, what, kinds)
        data, simulated = data.rows, data.simulated
    try:
        frame = nw.from_native(data)
    except TypeError as error:
        raise EngineError(
            f"{what} must come as exports or as a table",
            got=f"a value of type {type(data).__name__}",
            allowed="what read_export returns, several of them, or a pandas, Polars, PyArrow or DuckDB table",
            fix="read a file with erresearch.read_export, or open it with polars.scan_parquet",
        ) from error
    if isinstance(frame, nw.LazyFrame):
        names = _there(frame.collect_schema().names(), what, needed, wanted)
        return Arrived(frame.select(names), tuple(names), "lazy", None, simulated=simulated)
    kind: Kind = "pyarrow"
    if frame.implementation.is_pandas():
        kind = "pandas"
    elif frame.implementation.is_polars():
        kind = "polars"
    table = _narrow(data, what, needed, wanted)
    return Arrived(table.lazy(), tuple(table.collect_schema().names()), kind, len(frame), simulated=simulated)


def _exports(data: Any, what: str, kinds: Sequence[str]) -> list[Export]:
    if isinstance(data, Export):
        data = [data]
    if not isinstance(data, (list, tuple)):
        return []
    if not data or not all(isinstance(one, Export) for one in data):
        raise DataError(
            f"{what} must be exports or one table",
            got=f"{len(data)} values, not all of them exports" if data else "an empty list",
            fix="pass what read_export returned, or put tables together before",
        )
    for one in data:
        _refuse_other_kind(one.name, one.kind, what, kinds)
    return list(data)


def _dated(exports: list[Export]) -> list[Export]:
    """Posts with the day of their export, which differs between files; a platform's newest post stands in for it."""
    import pandas as pd

    if any("published_at" not in export.rows.columns for export in exports):
        return exports
    # files without a day may be parts of one download: what is newest in any of them stands for all
    newest: dict[str, pd.Timestamp] = {}
    for export in exports:
        if export.exported_at is None:
            times = export.rows["published_at"].dropna()
            for platform, at in times.groupby(export.rows["platform"]).max().items():
                newest[str(platform)] = max(newest.get(str(platform), at), at)
    made = []
    for export in exports:
        day = pd.Timestamp(export.exported_at) if export.exported_at is not None else None
        days = pd.Series(day, index=export.rows.index) if day else export.rows["platform"].map(newest)
        column = pd.to_datetime(days, utc=True).dt.tz_localize(None).astype("datetime64[us]")
        made.append(replace(export, rows=export.rows.assign(exported_at=column)))
    return made


def _refuse_other_kind(name: str, kind: str, what: str, kinds: Sequence[str]) -> None:
    if kind not in kinds:
        raise DataError(
            f"{name} is no table of {what}",
            got=f"a table of {kind}",
            allowed=" or ".join(kinds),
            fix="rows by post and day are not posts: export posts, or read with per_post = true in mapping="
            if kind == "daily"
            else "pass it where its kind belongs",
        )


def _there(names: Sequence[str], what: str, needed: Sequence[str], wanted: Sequence[str]) -> list[str]:
    if any(name not in names for name in needed):
        raise missing_columns(needed, names, where=f"the table of {what}")
    return [name for name in dict.fromkeys([*needed, *wanted]) if name in names]


def _narrow(data: Any, what: str, needed: Sequence[str], wanted: Sequence[str]) -> Any:
    """The columns in Polars; the given table is not touched."""
    import polars as pl

    columns = [str(name) for name in nw.from_native(data, eager_only=True).columns]
    names = _there(columns, what, needed, wanted)
    if isinstance(data, pl.DataFrame):
        return nw.from_native(data.select(names))
    try:
        made = pl.from_pandas(data[names]) if hasattr(data, "iloc") else pl.from_arrow(data.select(names))
    except Exception as error:
        raise ColumnError(
            f"the table of {what} cannot be read", got=str(error).split("\n", maxsplit=1)[0][:200]
        ) from error
    return nw.from_native(made)


def give_back(table: pl.DataFrame, like: Arrived, *, attributes: Mapping[str, Any]) -> Any:
    """Return a Polars table as the kind that was given.

    Parameters
    ----------
    table : polars.DataFrame
        The result.
    like : Arrived
        What was given. Where it was lazy the result is lazy, in the same engine (Polars; DuckDB, on its default
        connection; Ibis), else in Polars.
    attributes : mapping
        For ``attrs`` of a pandas table.

    Returns
    -------
    frame
    """
    if like.kind == "polars":
        return table
    if like.kind == "pyarrow":
        return table.to_arrow()
    if like.kind == "lazy":
        if like.frame.implementation.is_duckdb():
            import duckdb

            return duckdb.from_arrow(table.to_arrow())
        if like.frame.implementation.is_ibis():
            import ibis

            return ibis.memtable(table)
        return table.lazy()
    made = table.to_pandas()
    made.attrs.update(attributes)
    return made
