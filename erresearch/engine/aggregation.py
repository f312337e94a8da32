"""The one lazy group-by: the passes that make moments are built here, whatever engine computes them.

Sums of more accounts than fit beside the engine are made in two levels, by account and then by groups of whole accounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.group_keys import as_text, coded, sort_periods, sort_text, sum_into
from erresearch.engine.lazy_rows import (
    LazyRows,
    free_name,
    lacks,
    near,
    no_rows,
    numbers,
    refuse_negative,
    sliced,
)
from erresearch.engine.sources import Opened, check_text, gather
from erresearch.engine.stored import squares
from erresearch.errors import DataError, DesignError
from erresearch.io import pl
from erresearch.io.resources import share_of_memory

Array = np.ndarray[Any, Any]

LONG = 1 << 17  # rows of one account from which a running sum may lose a digit of the promise
SPLIT = 1 << 11  # rows per partial sum there
CELL_BYTES = 1 << 30
_DISTANT = 4.0  # standard deviations between origin and mean that cost a digit


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What one pass gives: keys with count, weight, sums and packed cross-products about the origin.

    `long` holds the accounts, as the engine knows them, that have more rows than one running sum should take.
    """

    keys: Array
    count: Array
    weight: Array
    sums: Array
    cross: Array
    long: tuple[object, ...] = ()


def moment_pass(source: LazyRows) -> tuple[LazyRows, Sums]:
    """Count, weight, sums and packed cross-products by account, in one group-by.

    The pass is repeated only where it would lose digits: about a better origin where the first one turns out far
    from the means, and in partial sums for accounts so long that a running sum drifts (Polars; other engines sum
    as they do, with an error of up to n_g·2⁻⁵³ of Σ|w(z − o)| where all addends are alike).

    Parameters
    ----------
    source : LazyRows
        Rows with a first origin.

    Returns
    -------
    source : LazyRows
        With the origin that was used.
    sums : Sums
        One entry per account.

    Raises
    ------
    DataError
        If squares overflow.
    """
    source = sliced(source)
    sums = sums_in_memory(source) if source.small else _pass(source)
    origin = better_origin(source, sums)
    if origin is not None:
        source = replace(source, origin=origin)
        sums = sums_in_memory(source) if source.small else _pass(source)
    if sums.long and source.frame.implementation.is_polars():
        sums = _replace_long(source, sums)
    if not np.isfinite(sums.cross).all():
        fine = np.atleast_1d(np.isfinite(squares(sums.cross, len(source.columns))).all(axis=0))
        wide = [name for name, ok in zip(source.columns, fine, strict=True) if not ok]
        raise DataError(
            "squares and products overflow",
            got=f"values too large in {', '.join(map(repr, wide or source.columns))}",
            allowed="values below about 1e150",
            fix="use a larger unit or the logarithm",
        )
    return source, sums


def sums_in_memory(source: LazyRows) -> Sums:
    """The same sums of few rows, without asking an engine: the same bits on every machine.

    Parameters
    ----------
    source : LazyRows
        Rows that are small.

    Returns
    -------
    Sums
        One entry per account.
    """
    table, z, weight = _columns(source)
    account = None if source.account is None else table[source.account]
    keys, position = coded(account, len(table))
    # no row for an account is no account; without accounts there is one group all the same
    left = z if weight is None else z * weight[:, None]
    order, starts = _stretches(position, len(keys))
    z, left = z[order], left[order]
    k = z.shape[1]
    cross = np.empty((len(keys), k * (k + 1) // 2))
    at = 0
    with np.errstate(over="ignore", invalid="ignore"):  # whoever called looks for what is not finite
        for i in range(k):  # column by column: all products at once would not fit for many columns
            cross[:, at : at + k - i] = _added(left[:, i, None] * z[:, i:], starts)
            at += k - i
    count = np.diff([*starts, len(z)]) if len(z) else np.zeros(len(keys), dtype=np.int64)
    total = count.astype(np.float64) if weight is None else _added(weight[order, None], starts)[:, 0]
    return Sums(keys=keys, count=count, weight=total, sums=_added(left, starts), cross=cross)


def _columns(source: LazyRows) -> tuple[pl.DataFrame, Array, Array | None]:
    """Complete rows, their distances to the origin, and their weights."""
    table = gather(source.complete(), small=True)
    values = np.empty((len(table), len(source.names)))
    for i, name in enumerate(source.names):
        values[:, i] = table[name].to_numpy()
    weight = None if source.weight is None else table[source.weight].to_numpy()
    return table, values - source.origin, weight


def _stretches(position: Array, groups: int) -> tuple[Array | slice, Array]:
    """How to put rows of one group side by side, and where each group begins."""
    sorted_already = len(position) < 2 or bool((position[1:] >= position[:-1]).all())
    order: Array | slice = slice(None) if sorted_already else np.argsort(position, kind="stable")
    return order, np.searchsorted(position[order], np.arange(groups))


def _added(values: Array, starts: Array) -> Array:
    """Sums of stretches of rows (pairwise, as numpy adds)."""
    if not len(values):
        return np.zeros((len(starts), values.shape[1]))
    return np.asarray(np.add.reduceat(values, starts, axis=0))


def lazy_sums(source: LazyRows, *, split: int = 0, only: Sequence[object] | None = None) -> nw.LazyFrame[Any]:
    """The group-by itself, not computed yet: count, weight (if there is one), s0, … and c0_0, … by account.

    Parameters
    ----------
    source : LazyRows
        Rows.
    split : int
        Breaks each account into that many partial sums.
    only : sequence, optional
        Raw keys of the accounts to keep.

    Returns
    -------
    narwhals.LazyFrame
        For :func:`packed_sums`.
    """
    k = len(source.columns)
    z, left = [f"z{i}" for i in range(k)], [f"z{i}" for i in range(k)]
    columns = [source.z(name).alias(f"z{i}") for i, name in enumerate(source.columns)]
    counts = [nw.len().alias("count")]
    if source.weight is not None:
        left = [f"w{i}" for i in range(k)]
        columns += [(source.w() * source.z(name)).alias(f"w{i}") for i, name in enumerate(source.columns)]
        columns.append(source.w().alias("w"))
        counts.append(nw.col("w").sum().alias("weight"))
    groups = [] if source.account is None else [source.account]
    rows = source.complete()
    if only is not None and source.account is not None:
        index = free_name("part", {name.casefold() for name in rows.collect_schema().names()})
        rows = rows.filter(nw.col(source.account).is_in(only))
        rows = nw.from_native(rows.to_native().with_row_index(index))
        columns.append((nw.col(index) % split).alias("part"))
    rows = rows.select(*columns, *[nw.col(name) for name in groups])
    groups += ["part"] if only is not None else []
    aggregates = [*counts, *[nw.col(name).sum().alias(f"s{i}") for i, name in enumerate(left)]]
    upper = [(i, j) for i in range(k) for j in range(i, k)]
    aggregates += [(nw.col(left[i]) * nw.col(z[j])).sum().alias(f"c{i}_{j}") for i, j in upper]
    return rows.group_by(*groups).agg(*aggregates) if groups else rows.select(*aggregates)


def packed_sums(source: LazyRows, table: pl.DataFrame) -> Sums:
    """Such sums once they are computed, packed.

    Parameters
    ----------
    source : LazyRows
        The rows they are of.
    table : polars.DataFrame
        :func:`lazy_sums`, gathered.

    Returns
    -------
    Sums
        Partial sums of an account added up.
    """
    k = len(source.columns)
    upper = [f"c{i}_{j}" for i in range(k) for j in range(i, k)]
    return _fold(source, table, [f"s{i}" for i in range(k)], upper)


def _pass(source: LazyRows, *, split: int = 0, only: Sequence[object] | None = None) -> Sums:
    if source.account is None or only is not None:
        return packed_sums(source, gather(lazy_sums(source, split=split, only=only), small=source.small))
    return packed_sums(source, source.gathered(lazy_sums))


def _fold(source: LazyRows, table: pl.DataFrame, sums: list[str], cross: list[str]) -> Sums:
    keys, position = np.array([""], dtype=object), np.zeros(1, dtype=np.int64)
    if source.account is not None:
        keys, position = sort_text(as_text(table[source.account]))

    def column(name: str) -> Array:
        return sum_into(numbers(table[name]), position, len(keys))

    count = column("count").astype(np.int64)
    weight = column("weight") if source.weight is not None else count.astype(np.float64)

    def block(names: list[str]) -> Array:
        out = np.empty((len(keys), len(names)))
        for i, name in enumerate(names):
            out[:, i] = column(name)
        return out

    long: tuple[object, ...] = ()
    if source.account is not None and count.max(initial=0) > LONG:
        long = tuple(table[source.account].filter(pl.Series(count[position] > LONG)).to_list())
    return Sums(keys=keys, count=count, weight=weight, sums=block(sums), cross=block(cross), long=long)


def better_origin(source: LazyRows, sums: Sums) -> Array | None:
    """The pooled means, where the first rows gave an origin too far from them.

    Parameters
    ----------
    source : LazyRows
        With the first origin.
    sums : Sums
        What a pass about it gave.

    Returns
    -------
    (k,) ndarray or None
        A better origin, where there is one.
    """
    total = float(sums.weight.sum())
    if total <= 0:
        return None
    mean = sums.sums.sum(axis=0) / total
    square = squares(sums.cross, len(source.columns)).sum(axis=0) / total
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    if not np.isfinite(square).all() or np.all(np.abs(mean) <= _DISTANT * spread):
        return None
    # a column without spread keeps a mean near 0 by rounding alone: that is no reason to look again
    level = np.maximum(np.abs(source.origin), np.abs(source.origin + mean))
    far = (np.abs(mean) > _DISTANT * spread) & (np.abs(mean) > 1e-12 * level)
    if not far.any():
        return None
    moved = [
        near(float(o + m), float(s), float(o + m))
        for o, m, s in zip(source.origin, mean, spread, strict=True)
    ]
    return np.where(far, moved, source.origin)


def _replace_long(source: LazyRows, sums: Sums) -> Sums:
    """Sum the long accounts again in many short partial sums."""
    again = _pass(source, split=int(sums.count.max()) // SPLIT + 1, only=sums.long)
    place = {key: i for i, key in enumerate(sums.keys)}
    at = [place[key] for key in again.keys]
    weight, total, cross = sums.weight.copy(), sums.sums.copy(), sums.cross.copy()
    weight[at], total[at], cross[at] = again.weight, again.sums, again.cross
    return replace(sums, weight=weight, sums=total, cross=cross)


def count_dropped(source: LazyRows, opened: Opened, used: int) -> dict[str, int]:
    """Rows left out, by reason; the counts add up to the rows that are missing.

    A row that lacks several things is counted under the first reason, in the order account, period, weight, columns.

    Parameters
    ----------
    source : LazyRows
        The rows.
    opened : Opened
        The rows as they came.
    used : int
        Complete rows found by the pass; where they are all rows, nothing needs counting.

    Returns
    -------
    dict of str to int
        Only reasons that occur.

    Raises
    ------
    DataError
        If there are no rows, a weight is negative, or a .csv holds text among numbers.
    """
    if source.lost is not None:
        return dict(source.lost)
    rows = int(gather(source.frame.select(nw.len().alias("rows")))["rows"][0])
    if rows == 0:
        raise no_rows()
    if rows == used:
        return {}
    check_text([part for part in opened.parts if opened.parsed], opened.parsed)
    dropped = lacks(source)
    refuse_negative(dropped, rows)
    return dropped


def cell_pass(source: LazyRows, accounts: int, rows: int) -> tuple[Array, Array, Array, Array, Array]:
    """Weight and sums by account and period: periods, account and period index, weight, sums.

    Parameters
    ----------
    source : LazyRows
        Rows with a period.
    accounts, rows : int
        Accounts and complete rows found by the first pass; there are no more cells than rows.

    Returns
    -------
    tuple of ndarray
        See :class:`erresearch.engine.moments.Cells`.

    Raises
    ------
    DesignError
        If the cells would not fit in 1 GiB.
    """
    assert source.period is not None
    k = len(source.columns)
    each = (k + 3) * 8
    most = share_of_memory(CELL_BYTES)
    if rows * each > most:
        distinct = gather(source.frame.select(nw.col(source.period).n_unique().alias("periods")))
        periods = int(distinct["periods"][0])
        size = min(rows, accounts * periods) * each
        if size > most:
            raise DesignError(
                "accounts by periods do not fit in memory",
                got=f"{accounts:,} accounts × {periods:,} periods × {k} columns: {size / 2**30:.3g} GiB",
                allowed=f"{most / 2**30:.3g} GiB",
                fix="use longer periods (weeks, months) or leave the period effects out",
            )
    if source.small:
        return _cells_in_memory(source, source.period)
    weighted = source.weight is not None
    exprs = [source.w().sum().alias("weight") if weighted else nw.len().alias("weight")]
    for i, name in enumerate(source.columns):
        exprs.append((source.w() * source.z(name) if weighted else source.z(name)).sum().alias(f"s{i}"))
    keys, labels, values = source.by_cell(exprs)
    _, account = sort_text(keys)
    names, period = sort_periods(labels)
    cell, position = np.unique(account * len(names) + period, return_inverse=True)
    weight = sum_into(values["weight"].astype(np.float64), position, len(cell))
    sums = np.column_stack([sum_into(values[f"s{i}"], position, len(cell)) for i in range(k)])
    return names, cell // len(names), cell % len(names), weight, sums


def _cells_in_memory(source: LazyRows, time: str) -> tuple[Array, Array, Array, Array, Array]:
    table, z, weight = _columns(source)
    _, account = coded(None if source.account is None else table[source.account], len(table))
    names, period = coded(table[time], len(table), order=sort_periods)
    cell, position = np.unique(account * max(len(names), 1) + period, return_inverse=True)
    order, starts = _stretches(position, len(cell))
    left = z if weight is None else z * weight[:, None]
    total = np.ones((len(z), 1)) if weight is None else weight[:, None]
    length = max(len(names), 1)
    added = _added(total[order], starts)[:, 0], _added(left[order], starts)
    return names, cell // length, cell % length, *added


def condense(source: LazyRows, *, within: bool) -> tuple[LazyRows, Sums, int]:
    """Moments by groups of accounts, in one pass; in two where the first origin is far from the means.

    Parameters
    ----------
    source : LazyRows
        Rows, with the number of groups.
    within : bool
        Whether the accounts' means are to be taken out.

    Returns
    -------
    source : LazyRows
        With the origin that was used.
    sums : Sums
        One entry per group.
    accounts : int
        How many there are.
    """
    source = sliced(replace(source, cuts=()))
    sums, accounts = _by_group(source, within=within)
    origin = better_origin(source, sums)
    if origin is not None:
        source = replace(source, origin=origin)
        sums, accounts = _by_group(source, within=within)
    keys = np.array([f"group {key} of {len(sums.keys)}" for key in sums.keys], dtype=object)
    return source, replace(sums, keys=keys, long=()), accounts


def _by_group(source: LazyRows, *, within: bool) -> tuple[Sums, int]:
    """Sums by group, under the names of those by account, and the number of accounts."""
    assert source.account is not None
    k = len(source.columns)
    weight = nw.col("weight") if source.weight is not None else nw.col("count")
    upper = [(i, j) for i in range(k) for j in range(i, k)]
    between = [(nw.col(f"s{i}") * nw.col(f"s{j}") / weight, nw.col(f"c{i}_{j}")) for i, j in upper]
    names = [f"c{i}_{j}" for i, j in upper]

    def accounts(part: LazyRows) -> nw.LazyFrame[Any]:
        first = lazy_sums(part).with_columns(nw.lit(1).alias("accounts"))
        if not within:
            return first
        return first.with_columns(*((c - b).alias(n) for n, (b, c) in zip(names, between, strict=True)))

    table = nw.from_native(source.gathered(accounts))
    key = source.account
    table = table.group_by(key).agg(*(nw.col(name).sum() for name in table.columns if name != key))
    if within:
        table = table.with_columns(*((c + b).alias(n) for n, (b, c) in zip(names, between, strict=True)))
    return packed_sums(source, table.to_native()), int(table["accounts"].sum())
