"""What sums may leave the house: cells large enough, small accounts merged, no row that follows from them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations, permutations, product
from typing import Final

import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import Count, DataError

#: A cell of fewer rows says too much about each of them.
LEAST_ROWS: Final = 10
#: Rows apart from a column's commonest value; a row's share of a column's sum and of its squares about the mean.
_APART, _DOMINANT, _OUTLYING = 3, 0.5, 0.8
#: Share of a variance that is rounding; share left by a polynomial of this degree in another column.
_STILL, _SAME, _DEGREE = 1e-12, 1e-9, 5
#: Different values up to which a column is one of few, and rows to each; sets of values that can be searched, that are
#: few, and that are looked at.
_VALUES, _REPEATS, _SEARCHED, _SOLUTIONS, _LOOKED = 60, 3, 10**12, 10, 20_000
#: What is wrong with a cell as far as sums show it, and what is allowed.
_IN_CELLS: Final[Mapping[str, tuple[str, str]]] = {
    "constant": (
        "is the same in every row of a cell, which gives all of them away",
        "a column that differs between the rows of each cell",
    ),
    "rare": (
        f"has fewer than {_APART} ones or {_APART} zeros in a cell, whose rows the products give away",
        f"{_APART} ones and {_APART} zeros in each",
    ),
}
#: What is wrong with a group by each rule, and what is allowed.
_RULES: Final[Mapping[str, tuple[str, str]]] = {
    "constant": ("it is the same in every row", f"{_APART} rows or more apart from the commonest value"),
    "rare": (
        f"fewer than {_APART} rows differ from the commonest value",
        f"{_APART} rows or more apart from the commonest value",
    ),
    "dominant": ("one row has more than half of the sum", "rows with less than half of the sum each"),
    "outlier": (
        "one row has more than 80 % of the squares about the mean",
        "rows with less than 80 % of the squares each",
    ),
    "merged": (
        f"fewer than {LEAST_ROWS} rows of merged accounts have a neighbour of their own account",
        f"none, or {LEAST_ROWS} or more",
    ),
    "follows": (
        "its few values follow from their sum and squares",
        f"values that {_APART} rows or more share, or more rows in each group",
    ),
}


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
            got=f"{Count(rows):row}, {least} per stratum",
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
    """Refuse moments whose cells say too much about single rows, as far as sums show it.

    Every group needs `least` rows, every cell of account and period too; no column may be the same in every row of a
    group, none of zeros and ones may have fewer than 3 of either, and none may be a copy of another. What only rows
    show is looked at by :func:`erresearch.claims.share`. This is disclosure control, not a guarantee of privacy: who
    knows all rows of a group but one can still work that one out.

    Parameters
    ----------
    moments : Moments
        What is to leave the house, or has come from another.
    least : int
        Rows that every cell needs.

    Raises
    ------
    DataError
        Naming the groups, the cells or the column.

    See Also
    --------
    erresearch.claims.share : Writes a file after looking at the rows, too.

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
            got=f"{Count(len(small), of=moments.accounts):account has} fewer than {Count(least):row}",
            allowed=f"{least} or more in each",
            fix="merge them with merge_small",
        )
    _check_cells(moments, least)
    own = moments.within()
    spread, raw = np.einsum("gii->gi", own), np.einsum("gii->gi", moments.grams())
    plain = moments.about(np.zeros(len(moments.columns)))
    squares = np.einsum("gii->gi", plain.grams())
    for j, name in enumerate(moments.columns):
        ones, n = plain.sums[:, j], plain.weight
        binary = np.allclose(squares[:, j], ones, rtol=1e-9, atol=1e-6) and ones.min() >= -1e-6
        faults = {
            "constant": spread[:, j] <= _STILL * raw[:, j],
            "rare": binary & (np.minimum(ones, n - ones) < _APART - 1e-6),
        }
        for code, cells in faults.items():
            if cells.any():
                wrong, allowed = _IN_CELLS[code]
                raise DataError(
                    f"{name!r} {wrong}",
                    got=f"{Count(int(cells.sum()), of=moments.accounts):account}",
                    allowed=allowed,
                    fix="leave the column out, or use fewer and larger cells",
                    code=code,
                )
    total = own.sum(axis=0)
    size = np.sqrt(np.diag(total))
    alike = np.argwhere(np.triu(np.abs(total / np.outer(size, size)) > 1 - _SAME, k=1))
    if len(alike):
        raise _derived(*(moments.columns[j] for j in alike[0]))


def _derived(one: str, other: str) -> DataError:
    return DataError(
        f"{other!r} follows from {one!r}, so that more is told of each row than one column says",
        got="a copy, a power or another function of it",
        fix="leave one of the two out",
        code="derived",
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
            got=f"{Count(int(few.sum()), of=len(moments.cells.weight)):cell has} fewer than {Count(least):row}"
            if moments.weights is None
            else f"rows weighted by {moments.weights!r}: nobody can see how many a cell has",
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
        wrong, got = "moments with periods cannot be merged", f"period={moments.period!r}"
        raise DataError(wrong, got=got, fix="make them without `period`")
    small = moments.count < least
    if not small.any():
        return moments
    rows, accounts = int(moments.count[small].sum()), int(small.sum())
    if rows < least:
        raise DataError(
            "the accounts with few rows are too few to be merged",
            got=f"{Count(rows):row} in {Count(accounts):account}",
            allowed=f"{Count(least):row} or more together",
            fix="leave them out of the table",
        )
    within = moments.within()[small].sum(axis=0)
    sums, weight = moments.sums[small].sum(axis=0), moments.weight[small].sum()
    cross = (within + np.outer(sums, sums) / weight)[np.triu_indices(len(moments.columns))]
    keys = np.array([f"({Count(accounts):account} merged)", *moments.keys[~small]], dtype=object)
    whole = replace(
        moments,
        keys=keys,
        count=np.array([rows, *moments.count[~small]]),
        weight=np.array([weight, *moments.weight[~small]]),
        sums=np.vstack([sums, moments.sums[~small]]),
        cross=np.vstack([cross, moments.cross[~small]]),
        source=None,
        merged=moments.merged + accounts - 1,
    )
    return of_accounts(whole, np.argsort(keys.astype(str), kind="stable"))


def of_accounts(moments: Moments, places: np.ndarray) -> Moments:
    """Moments of some accounts, in the order of their places."""
    picked = {name: getattr(moments, name)[places] for name in ("keys", "count", "weight", "sums", "cross")}
    return replace(moments, **picked)


def check_rows(values: np.ndarray, group: np.ndarray, names: Sequence[str], least: int) -> None:
    """Refuse rows whose sums would give some of them away: every rule that only rows can tell.

    Parameters
    ----------
    values : (n, k) ndarray
        The rows, uncentred.
    group : (n,) ndarray of int
        Account of each; accounts of fewer than `least` rows are taken as one group.
    names : sequence of str
        The columns.
    least : int
        Rows that a group needs.

    Raises
    ------
    DataError
        Naming the rule and the column; its `code` is one of those of the rules.
    """
    cell = np.where(np.bincount(group)[group] < least, -1, group)
    lattices = [_lattice(column) for column in values.T]
    order = np.argsort(cell, kind="stable")
    bounds = np.flatnonzero(np.diff(cell[order], prepend=-2))
    for start, end in zip(bounds, [*bounds[1:], len(order)], strict=True):
        z = values[order[start:end]]
        own = group[order[start:end]]
        for column, name, follows in zip(z.T, names, lattices, strict=True):
            if code := _fault(column, own, follows, least):
                raise _told(code, name)
        for b, j in permutations(range(len(names)), 2):
            if _told_by_flag(z[:, b], z[:, j]):
                raise _told("dominant", f"{names[j]}' among the rows of one value of '{names[b]}")
    for one, other in combinations(range(len(names)), 2):
        if _follows(values[:, one], values[:, other]):
            raise _derived(names[one], names[other])


def _told(code: str, name: str) -> DataError:
    got, allowed = _RULES[code]
    return DataError(
        f"the sums of '{name}' would give rows away",
        got=f"a group in which {got}",
        allowed=allowed,
        fix="leave the column out, take logarithms, or use fewer and larger groups",
        code=code,
    )


def _fault(v: np.ndarray, own: np.ndarray, follows: Callable[[np.ndarray], bool], least: int) -> str:
    """Which rule one column breaks in one group, if any; `own` tells the accounts of a merged group apart."""
    found, often = np.unique(v, return_counts=True)
    if len(v) - often.max() < _APART:
        return "constant" if len(found) == 1 else "rare"
    size = np.abs(v)
    if size.max() > _DOMINANT * size.sum():
        return "dominant"
    _, place, count = np.unique(own, return_inverse=True, return_counts=True)
    several = count[place] > 1
    if len(count) > 1 and 0 < several.sum() < least:
        return "merged"
    # products of a merged group are about each account's own mean
    about = (v - (np.bincount(place, weights=v) / count)[place])[several] ** 2
    # one row alone among equal ones has 1 − 1/n of the squares
    if about.size and about.max() > _OUTLYING * (1 - 1 / about.size) * about.sum():
        return "outlier"
    return "follows" if often.min() < _APART and follows(v) else ""


def _told_by_flag(flag: np.ndarray, v: np.ndarray) -> bool:
    """Whether Σ flag·z of a two-valued flag leaves one row of z to be seen."""
    found = np.unique(flag)
    if len(found) != 2:
        return False
    sides = [v[flag == side] for side in found]
    if len(np.unique(v)) == 2:
        return any(min(np.unique(side, return_counts=True)[1]) < _APART for side in sides)
    return any(np.abs(side).max() > _DOMINANT * np.abs(side).sum() for side in sides)


def _lattice(v: np.ndarray) -> Callable[[np.ndarray], bool]:
    """Whether some values of a column follow, but for their order, from their number, sum and squares.

    The column may take whole steps of a unit from the least, or a list of some other values.
    """
    found = np.unique(v)
    if not 2 <= len(found) <= _VALUES:
        return lambda _: False
    unit = np.diff(found).min()
    steps = (found - found[0]) / unit
    if np.all(np.abs(steps - np.rint(steps)) < 1e-6):
        return partial(_few_steps, found[0], unit)
    # measured values hardly repeat, and nobody knows a list of them
    listed = _REPEATS * len(found) <= len(v)
    return lambda some: listed and math.comb(len(some) + len(found) - 1, len(some)) < _SEARCHED


def _few_steps(least: float, unit: float, v: np.ndarray) -> bool:
    steps = np.rint((v - least) / unit).astype(int)
    return _few_solutions(len(v), int(steps.sum()), int((steps**2).sum()))


def _few_solutions(n: int, total: int, squares: int) -> bool:
    """Whether fewer than ten sets of n whole numbers of 0 or more have this sum and these squares."""
    solutions = looked = 0
    stack = [(n, total, squares, math.isqrt(squares))]
    while stack and solutions < _SOLUTIONS and looked < _LOOKED:
        left, rest, square, most = stack.pop()
        looked += 1
        if not left:
            solutions += rest == 0 == square
            continue
        # what is left has to be reached with numbers up to the last one
        if rest > left * most or square > most * rest or rest * rest > left * square:
            continue
        for value in range(min(most, rest, math.isqrt(square)) + 1):
            stack.append((left - 1, rest - value, square - value * value, value))
    return not stack and solutions < _SOLUTIONS


def _follows(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether one column is a copy, a power, a monotone function or a polynomial of the other."""
    ranks = [[_ranks(v) for v in several] for several in ((one, np.abs(one)), (other, -other, np.abs(other)))]
    if any(np.array_equal(a, b) for a, b in product(*ranks)):
        return True
    if len(np.unique(one)) <= 1 + _DEGREE or len(np.unique(other)) <= 1 + _DEGREE:
        return False
    for a, b in ((one, other), (other, one)):
        spread = a.std() or 1.0
        design = np.vander((a - a.mean()) / spread, 1 + _DEGREE)
        centred = b - b.mean()
        rest = centred - design @ np.linalg.lstsq(design, centred, rcond=None)[0]
        if rest @ rest <= _SAME * (centred @ centred):
            return True
    return False


def _ranks(v: np.ndarray) -> np.ndarray:
    return np.asarray(np.unique(v, return_inverse=True)[1])
