"""Opening whatever holds the rows: a frame of any engine, a file or a glob of files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.errors import EngineError, missing_columns

__all__ = ["open_rows"]


def open_rows(data: Any, needed: Sequence[str] | None) -> nw.LazyFrame[Any]:
    """Open a table lazily; eager tables enter Polars with the needed columns only.

    Parameters
    ----------
    data : frame or path
        Any table narwhals supports, or a path or glob of ``.parquet`` or ``.csv`` files.
    needed : sequence of str or None
        Columns to read; None where expressions decide it.

    Returns
    -------
    narwhals.LazyFrame
        The rows, computed by the engine that holds them.
    """
    try:
        frame = nw.from_native(data)
    except TypeError:
        raise EngineError(
            "the rows must come as a table or a path",
            got=f"a {type(data).__name__}",
            allowed="a pandas, Polars, PyArrow, DuckDB, Ibis or PySpark table, or a path or glob of .parquet or .csv",
        ) from None
    present = frame.collect_schema().names()
    if needed is not None:
        if any(name not in present for name in needed):
            raise missing_columns(needed, present)
        if isinstance(frame, nw.DataFrame):
            frame = frame.select(nw.nth(*[present.index(name) for name in needed]))
    if isinstance(frame, nw.DataFrame):
        return frame.lazy(backend="polars")
    return frame
