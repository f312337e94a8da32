"""Work that is large: within a size of memory, on all cores, and with a line that counts the seconds."""

from __future__ import annotations

import math
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Final, TypeVar

from erresearch.errors import DesignError, printable
from erresearch.io import pl

__all__ = [
    "AFTER",
    "allowed_memory",
    "by_morsels",
    "in_threads",
    "memory_limit",
    "share_of_memory",
    "waiting",
]

_LIMIT: ContextVar[int | None] = ContextVar("memory", default=None)
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
#: Below that no engine starts.
_LEAST: Final = 64 << 20
#: What rows, sums and an engine's own needs may each take of the whole.
_PART: Final = 4
#: Cells below which one core is the fastest.
_MORSEL: Final = 10_000


@contextmanager
def memory_limit(size: int | str) -> Iterator[int]:
    """Keep the memory used inside the block below a size, as far as the engines can.

    DuckDB keeps to the limit and goes to the disk beyond it, so DuckDB then reads databases and Parquet files. Rows
    that are held between passes, and sums by account, take at most a quarter of it each. Polars, which reads .csv files
    and tables in memory, streams but knows no limit; engines that the caller opened (DuckDB, Ibis, Spark) keep their own.

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

    See Also
    --------
    memory_limit : Sets it.

    Examples
    --------
    >>> with memory_limit("100 MB"):
    ...     allowed_memory()
    100000000
    """
    return _LIMIT.get()


def share_of_memory(usual: int) -> int:
    """Bytes that one thing held may take: the usual ones, or a quarter of the limit if that is less.

    See Also
    --------
    memory_limit : Sets the whole.

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


Item = TypeVar("Item")
Result = TypeVar("Result")


def by_morsels(cells: pl.Series, expression: pl.Expr) -> pl.Series:
    """Work out an expression of one column, in the order of its rows.

    A method of a series runs on one core; the streaming engine takes the same expression piece by piece on all.

    Parameters
    ----------
    cells : polars.Series
        The column.
    expression : polars.Expr
        Row by row, of ``pl.col("")``.

    Returns
    -------
    polars.Series
        Of the same length.

    See Also
    --------
    in_threads : Several functions at once.

    Examples
    --------
    >>> import polars as pl
    >>> by_morsels(pl.Series(["1", "x"]), pl.col("").cast(pl.Int64, strict=False)).to_list()
    [1, None]
    """
    rows = pl.DataFrame({"": cells})
    # a plan for several cores takes longer than a few cells
    many = len(cells) > _MORSEL
    made = rows.lazy().select(expression).collect(engine="streaming") if many else rows.select(expression)
    return made.to_series().alias(cells.name)


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Map a function that leaves Python for most of its time over items, several at once.

    Parameters
    ----------
    function : callable
        Of one item.
    items : iterable
        Work begins while it is still being read.

    Returns
    -------
    list
        In the order of the items. In a browser, which has no threads, one is done after the other.

    See Also
    --------
    by_morsels : One expression over a long column.

    Examples
    --------
    >>> in_threads(len, ["a", "bc"])
    [1, 2]
    """
    if sys.platform == "emscripten":
        return [function(item) for item in items]
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        # a thread begins without the context of its caller, in which limits and places for messages stand
        contexts = iter(copy_context, None)
        return list(pool.map(lambda item, context: context.run(function, item), items, contexts))


#: Seconds of work before a word is said.
AFTER: Final = 3.0
_EVERY: Final = 1.0
_WIDEST: Final = 100
_WAITING: ContextVar[bool] = ContextVar("waiting", default=False)


@contextmanager
def waiting(what: str, *, after: float = AFTER) -> Iterator[None]:
    """Count the seconds on standard error (or below the cell of a notebook) while something takes long.

    Nothing is shown where nobody looks: into files and pipes, and in notebooks that a program runs. Inside another one
    it says nothing: the outermost work has the word.

    Parameters
    ----------
    what : str
        What is being done.
    after : float
        Seconds before the first word.

    See Also
    --------
    memory_limit : Keeps long work within a size.

    Examples
    --------
    >>> with waiting("adding up"):
    ...     sum(range(10))
    45
    """
    show = None if _WAITING.get() else _line()
    if show is None:
        yield
        return
    done = threading.Event()
    words = printable(what)[:_WIDEST]

    def count() -> None:
        start = time.monotonic()
        if done.wait(after):
            return
        while True:
            show(f"erresearch: {words} … {time.monotonic() - start:.0f} s")
            if done.wait(_EVERY):
                break
        show("")

    thread = threading.Thread(target=count, name="erresearch-patience", daemon=True)
    token = _WAITING.set(True)
    thread.start()
    try:
        yield
    finally:
        _WAITING.reset(token)
        done.set()
        thread.join()


def _line() -> Callable[[str], None] | None:
    """Where a line can be shown and taken back; None where nobody looks."""
    if sys.stderr is not None and sys.stderr.isatty():
        return _on_terminal
    return _below_cell()


def _on_terminal(text: str) -> None:
    # \r and "erase to the end of the line"
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()


def _below_cell() -> Callable[[str], None] | None:
    """A display that is updated in place, in a notebook in front of which somebody sits."""
    # another thread may be importing it at this moment: half a module has not everything
    shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    kernel = getattr(shell(), "kernel", None) if shell is not None else None
    # programs that run notebooks (nbclient, nbval) allow no input
    if kernel is None or not getattr(kernel, "_allow_stdin", False):
        return None
    from IPython import display

    shown: list[Callable[..., object]] = []

    def update(text: str) -> None:
        bundle = {"text/plain": text}
        if shown:
            shown[0](bundle, raw=True)
        else:
            handle = display.DisplayHandle()  # type: ignore[no-untyped-call]
            handle.display(bundle, raw=True)  # type: ignore[no-untyped-call]
            shown.append(handle.update)

    return update
