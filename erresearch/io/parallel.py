"""Work on large columns on all cores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import polars as pl

__all__ = ["by_morsels", "in_threads"]

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

    Examples
    --------
    >>> import polars as pl
    >>> by_morsels(pl.Series(["1", "x"]), pl.col("").cast(pl.Int64, strict=False)).to_list()
    [1, None]
    """
    import polars as pl

    rows = pl.LazyFrame({"": cells})
    return rows.select(expression).collect(engine="streaming").to_series().alias(cells.name)


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

    Examples
    --------
    >>> in_threads(len, ["a", "bc"])
    [1, 2]
    """
    import polars as pl

    if sys.platform == "emscripten":
        return [function(item) for item in items]
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        return list(pool.map(function, items))
