"""Sums that may leave the house: cells large enough, small accounts merged, evidence of several houses pooled."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Final

import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import DataError

__all__ = ["LEAST_ROWS", "check_disclosure", "merge_small", "pool", "strata"]

#: A cell of fewer rows says too much about each of them.
LEAST_ROWS: Final = 10


def strata(rows: int, *, salt: str, least: int = 20) -> np.ndarray:
    """Put rows without an account into strata by a salted hash of their number, never of their content.

    Parameters
    ----------
    rows : int
        Number of rows.
    salt : str
        Makes the strata of one data set differ from those of another.
    least : int
        Rows per stratum at least; there are at most 200 strata.

    Returns
    -------
    (rows,) ndarray of str
        Label of each row's stratum; sizes differ by one at most.

    Raises
    ------
    DataError
        If there are too few rows for two strata.

    Examples
    --------
    >>> labels = strata(100, salt="films")
    >>> np.unique(labels, return_counts=True)[1].tolist()
    [20, 20, 20, 20, 20]
    """
    if least < LEAST_ROWS or rows < 2 * least:
        raise DataError(
            "rows cannot be put into strata",
            got=f"{rows} rows, {least} per stratum",
            allowed=f"at least {LEAST_ROWS} per stratum and two strata",
            fix="bring more rows",
        )
    digests = [hashlib.sha256(f"{salt}:{row}".encode()).digest() for row in range(rows)]
    order = sorted(range(rows), key=digests.__getitem__)
    groups = min(200, rows // least)
    labels = np.empty(rows, dtype="<U4")
    labels[order] = [f"{place * groups // rows:03d}" for place in range(rows)]
    return labels


def check_disclosure(moments: Moments, *, least: int = LEAST_ROWS) -> None:
    """Refuse moments whose cells say too much about single rows.

    Every group needs `least` rows, every cell of account and period too, and no column of zeros and ones may be
    constant in a group. This is disclosure control, not a guarantee of privacy: who knows all rows of a group but one
    can still work that one out.

    Raises
    ------
    DataError
        Naming the groups, the cells or the column.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame({"shop": ["a"] * 12 + ["b"] * 12, "x": range(24)})
    >>> check_disclosure(Moments.from_frame(table, ["x"], by="shop"))
    """
    small = np.flatnonzero(moments.count < least)
    if len(small):
        raise DataError(
            "cells of few rows would give rows away",
            got=f"{len(small):,} of {moments.accounts:,} accounts have fewer than {least} rows",
            allowed=f"{least} or more in each",
            fix="merge them with merge_small",
        )
    _check_cells(moments, least)
    plain = moments.about(np.zeros(len(moments.columns)))
    squares = np.einsum("gii->gi", plain.grams())
    for j, name in enumerate(moments.columns):
        ones, n = plain.sums[:, j], plain.weight
        binary = np.allclose(squares[:, j], ones, rtol=1e-9, atol=1e-6) and ones.min() >= -1e-6
        still = (np.abs(ones) < 1e-6) | (np.abs(ones - n) < 1e-6)
        if binary and still.any() and (ones <= n + 1e-6).all():
            raise DataError(
                f"{name!r} is the same in every row of a cell, which gives all of them away",
                got=f"{int(still.sum()):,} of {moments.accounts:,} accounts",
                allowed="zeros and ones in each cell",
                fix="leave the column out, or use fewer and larger cells",
            )


def _check_cells(moments: Moments, least: int) -> None:
    """Refuse sums by account and period over few rows: where an account has one row a week, they are that row."""
    if moments.cells is None:
        return
    # row weights hide how many rows a cell has
    few = moments.cells.weight < least if moments.weights is None else np.ones(1, dtype=bool)
    if few.any():
        raise DataError(
            f"sums by account and {moments.period!r} would give rows away",
            got=f"{int(few.sum()):,} of {len(moments.cells.weight):,} cells have fewer than {least} rows"
            if moments.weights is None
            else f"rows weighted by {moments.weights!r}, so that nobody can see how many a cell has",
            allowed=f"{least} or more in each, without weights",
            fix=f"take the means by {moments.period!r} out of the rows and make the moments without `period`",
        )


def merge_small(moments: Moments, *, least: int = LEAST_ROWS) -> Moments:
    """Merge accounts with few rows into one, keeping what regressions within accounts need exact.

    The merged account has C = W + s sᵀ/n with W = Σ_g (C_g − s_g s_gᵀ/n_g) and s = Σ_g s_g, so that
    :meth:`erresearch.Moments.within` gives back W: merging before taking the means out would turn differences between
    the accounts into an effect within them. What is lost: the differences between the merged accounts, and their
    number as clusters.

    Parameters
    ----------
    moments : Moments
        By account, without periods.
    least : int
        Rows below which an account is merged.

    Returns
    -------
    Moments
        The merged accounts under the key "(n accounts merged)".

    Raises
    ------
    DataError
        If there are periods, or the merged accounts together have fewer than `least` rows.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame({"shop": ["a"] * 12 + ["b"] * 6 + ["c"] * 6, "x": range(24)})
    >>> m = Moments.from_frame(table, ["x"], by="shop")
    >>> merged = merge_small(m)
    >>> merged.keys.tolist(), bool(np.isclose(merged.within().sum(), m.within().sum()))
    (['(2 accounts merged)', 'a'], True)
    """
    if moments.cells is not None:
        raise DataError(
            "moments with periods cannot be merged",
            got=f"period={moments.period!r}",
            fix="make them without `period`",
        )
    small = moments.count < least
    if not small.any():
        return moments
    if moments.count[small].sum() < least:
        raise DataError(
            "the accounts with few rows are too few to be merged",
            got=f"{int(moments.count[small].sum())} rows in {int(small.sum())} accounts",
            allowed=f"{least} rows or more together",
            fix="leave them out of the table",
        )
    within = moments.within()[small].sum(axis=0)
    sums, weight = moments.sums[small].sum(axis=0), moments.weight[small].sum()
    cross = (within + np.outer(sums, sums) / weight)[np.triu_indices(len(moments.columns))]
    keys = np.array([f"({int(small.sum())} accounts merged)", *moments.keys[~small]], dtype=object)
    order = np.argsort(keys.astype(str), kind="stable")
    return Moments(
        columns=moments.columns,
        origin=moments.origin,
        keys=keys[order],
        count=np.array([moments.count[small].sum(), *moments.count[~small]])[order],
        weight=np.array([weight, *moments.weight[~small]])[order],
        sums=np.vstack([sums, moments.sums[~small]])[order],
        cross=np.vstack([cross, moments.cross[~small]])[order],
        dropped=moments.dropped,
        by=moments.by,
        weights=moments.weights,
        merged=moments.merged + int(small.sum()) - 1,
        simulated=moments.simulated,
    )


def pool(paths: Sequence[str | Path], *, same_accounts: bool = False) -> Moments:
    """Add the moments of several houses, each refused where its cells would give rows away.

    Parameters
    ----------
    paths : sequence of path
        Files written by :meth:`erresearch.Moments.save`.
    same_accounts : bool
        Whether equal names in two files mean the same account. Otherwise two houses that both call an account "1"
        have two accounts, and the file's name is put before each.

    Returns
    -------
    Moments
        What the rows of all of them together would give, up to rounding.

    Raises
    ------
    DataError
        With fewer than two files, or where a cell has few rows or is constant.
    EngineError
        If a file is damaged or of another version.
    ColumnError
        If columns, account, time or weights differ.
    """
    if len(paths) < 2:
        raise DataError("there is nothing to pool", got=f"{len(paths)} file", allowed="two files or more")
    parts = [Moments.load(path) for path in paths]
    for part in parts:
        check_disclosure(part)
    names = [name for part in parts for name in part.keys]
    if not same_accounts and len(set(names)) < len(names) and parts[0].by is not None:
        labels = [f"{number}: {Path(path).stem}" for number, path in enumerate(paths, start=1)]
        parts = [
            replace(part, keys=np.array([f"{label}: {key}" for key in part.keys], dtype=object))
            for label, part in zip(labels, parts, strict=True)
        ]
    return reduce(add, parts)
