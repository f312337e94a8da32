"""How much memory a job may take: what is held between passes, and engines that can be capped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from erresearch.errors import DesignError

__all__ = ["allowed_memory", "memory_limit", "share_of_memory"]

_LIMIT: ContextVar[int | None] = ContextVar("memory", default=None)
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
#: Below that no engine starts.
_LEAST: Final = 64 << 20
#: What rows, sums and an engine's own needs may each take of the whole.
_PART: Final = 4


@contextmanager
def memory_limit(size: int | str) -> Iterator[int]:
    """Keep what is done inside below a size, as far as the engines can.

    DuckDB keeps to it and goes to the disk beyond: databases and Parquet files are read by DuckDB then. Rows that are
    held between passes, and sums by account, keep to a quarter of it each. Polars, which reads .csv files and tables
    in memory, streams but knows no cap; engines that the caller opened (DuckDB, Ibis, Spark) keep their own.

    Parameters
    ----------
    size : int or str
        Bytes, or text such as "4 GB" (10⁹ bytes each) or "512 MiB" (2²⁰ bytes each); at least 64 MiB.

    Yields
    ------
    int
        The size in bytes.

    Raises
    ------
    DesignError
        If it is no size, or too small for any engine.

    See Also
    --------
    erresearch.Moments : What is held beside the engine.

    Examples
    --------
    >>> with memory_limit("2 GiB") as size:
    ...     size, allowed_memory()
    (2147483648, 2147483648)
    >>> allowed_memory() is None
    True
    """
    token = _LIMIT.set(_bytes(size))
    try:
        yield _LIMIT.get() or 0
    finally:
        _LIMIT.reset(token)


def allowed_memory() -> int | None:
    """Bytes that may be taken; None where nobody said.

    Examples
    --------
    >>> with memory_limit("100 MB"):
    ...     allowed_memory()
    100000000
    """
    return _LIMIT.get()


def share_of_memory(usual: int) -> int:
    """Bytes that one thing held may take: the usual ones, or a quarter of the limit if that is less.

    Examples
    --------
    >>> share_of_memory(1 << 30)
    1073741824
    >>> with memory_limit("1 GiB"):
    ...     share_of_memory(1 << 30)
    268435456
    """
    limit = _LIMIT.get()
    return usual if limit is None else min(usual, limit // _PART)


def _bytes(size: int | str) -> int:
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if isinstance(size, bool) or not (found or (isinstance(size, (int, float)) and math.isfinite(size))):
        raise DesignError(
            "a limit of memory must be a size",
            got=repr(size),
            allowed="bytes, or a number with KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024)",
            fix="write it like '4 GB'",
        )
    count = float(found[1] if found else size)
    if found and found[2]:
        count *= (1024 if found[3] else 1000) ** ("kmgt".index(found[2].lower()) + 1)
    if count < _LEAST:
        raise DesignError(
            "a limit of memory is too small for any engine",
            got=f"{count:,.0f} bytes",
            allowed=f"{_LEAST:,} bytes (64 MiB) or more",
        )
    return int(count)
