"""The one lazy group-by: the passes that make moments are built here, whatever engine computes them.

Sums of more accounts than fit beside the engine are made in two levels, by account and then by groups of whole
accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine import coded, sort_periods, sum_into
from erresearch.engine.lazy_rows import (
    HEAD,
    LazyRows,
    aggregated,
    count_distinct,
    free_name,
    gather,
    near,
    numbers,
)
from erresearch.engine.stored import squares
from erresearch.errors import Count, DataError, DesignError
from erresearch.io import pl
from erresearch.io.resources import share_of_memory

Array = np.ndarray[Any, Any]

LONG = 1 << 17  # rows of one account from which a running sum may lose a digit of the promise
SPLIT = 1 << 11  # rows per partial sum there
CELL_BYTES = 1 << 30
#: Sums by account that are brought out of the engine at most, and rows that wait in it.
DRIVER_BYTES: Final = 1 << 30
#: Accounts that Polars sums as their rows come, and accounts of a slice where there are more.
_HOT, _SLICE = 50_000, 40_000
_DISTANT = 4.0  # standard deviations between origin and mean that cost a digit


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What one pass gives: keys with count, weight, sums and packed cross-products about the origin.

    `long` holds the accounts, as the engine knows them, that have more rows than one running sum should take;
    `accounts` is their number, also where a key stands for a group of them.
    """

    keys: Array
    count: Array
    weight: Array
    sums: Array
    cross: Array
    accounts: int
    long: tuple[object, ...] = ()

    def of_moments(self, source: LazyRows, *, within: bool) -> dict[str, Any]:
        """Fields of the moments that these are the sums of; `within`, means of accounts were taken out one by one."""
        return {
            **{name: getattr(self, name) for name in ("keys", "count", "weight", "sums", "cross")},
            "columns": source.columns,
            "origin": source.origin,
            "source": source,
            "merged": self.accounts - len(self.keys) if within else 0,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Sums by account and period, which sweep period effects out without dummy columns.

    Parameters
    ----------
    periods : (T,) ndarray of str
        Period labels, sorted by number where all are numbers, else as text (ISO dates then sort by time).
    account, period : (m,) ndarray of int
        Index of each cell's account among the keys and of its period among `periods`; sorted by both.
    weight : (m,) ndarray
        Sum of row weights (number of rows where there are no weights).
    sums : (m, k) ndarray
        Σ w(z − o) about the same origin as the moments.
    """

    periods: Array
    account: Array
    period: Array
    weight: Array
    sums: Array


def moment_pass(source: LazyRows, *, within: bool = False) -> tuple[LazyRows, Sums]:
    """Count, weight, sums and packed cross-products by account, or by group of accounts, in one group-by.

    The pass is repeated only where it would lose digits: about a better origin where the first one turns out far from
    the means (the rows that come back have it), and in partial sums for accounts so long that a running sum drifts
    (Polars; other engines sum as they do, with an error of up to n_g·2⁻⁵³ of Σ|w(z − o)| where all addends are
    alike). `within` says whether the means of accounts in groups are to be taken out. Squares that overflow are
    refused.
    """
    source = sliced(replace(source, cuts=()))
    sums = _sums(source, within=within)
    origin = better_origin(source, sums)
    if origin is not None:
        source = replace(source, origin=origin)
        sums = _sums(source, within=within)
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


def _sums(source: LazyRows, *, within: bool) -> Sums:
    if source.groups:
        return _by_group(source, within=within)
    return _sums_in_memory(source) if source.small else _packed(source, source.gathered(_lazy_sums))


def _sums_in_memory(source: LazyRows) -> Sums:
    """The same sums of few rows, without asking an engine: the same bits on every machine."""
    table, z, weight = _columns(source)
    keys, position = source.keys_in(table)
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
    sums = _added(left, starts)
    return Sums(keys=keys, count=count, weight=total, sums=sums, cross=cross, accounts=len(keys))


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


def _lazy_sums(
    source: LazyRows, *, split: int = 0, only: Sequence[object] | None = None, cells: bool = False
) -> nw.LazyFrame[Any]:
    """The group-by itself, not computed yet: count, weight (if there is one), s0, … and c0_0, … by account.

    `split` breaks each account into that many partial sums; `only` are the raw keys of those that are wanted then.
    Of `cells`, accounts and periods, there are sums and no products.
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
    names = (source.account, source.period if cells else None)
    groups = [name for name in names if name is not None]
    rows = source.complete()
    if only is not None and source.account is not None:
        index = free_name("part", {name.casefold() for name in rows.collect_schema().names()})
        rows = rows.filter(nw.col(source.account).is_in(only))
        rows = nw.from_native(rows.to_native().with_row_index(index))
        columns.append((nw.col(index) % split).alias("part"))
    rows = rows.select(*columns, *[nw.col(name) for name in groups])
    groups += ["part"] if only is not None else []
    aggregates = [*counts, *[nw.col(name).sum().alias(f"s{i}") for i, name in enumerate(left)]]
    upper = [] if cells else [(i, j) for i in range(k) for j in range(i, k)]
    aggregates += [(nw.col(left[i]) * nw.col(z[j])).sum().alias(f"c{i}_{j}") for i, j in upper]
    return aggregated(rows, groups, aggregates)


def _packed(source: LazyRows, table: pl.DataFrame) -> Sums:
    """Such sums once they are computed, packed; partial sums of an account are added up."""
    k = len(source.columns)
    keys, position = source.keys_in(table)

    def block(*names: str) -> Array:
        out = np.empty((len(keys), len(names)))
        for i, name in enumerate(names):
            out[:, i] = sum_into(numbers(table[name]), position, len(keys))
        return out

    count = block("count")[:, 0].astype(np.int64)
    weight = block("weight")[:, 0] if source.weight is not None else count.astype(np.float64)
    long: tuple[object, ...] = ()
    if source.account is not None and count.max(initial=0) > LONG:
        long = tuple(table[source.account].filter(pl.Series(count[position] > LONG)).to_list())
    sums = block(*(f"s{i}" for i in range(k)))
    cross = block(*(f"c{i}_{j}" for i in range(k) for j in range(i, k)))
    return Sums(keys=keys, count=count, weight=weight, sums=sums, cross=cross, accounts=len(keys), long=long)


def better_origin(source: LazyRows, sums: Sums) -> Array | None:
    """The pooled means of a pass, where the first rows gave an origin too far from them; else None."""
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
    parts = _lazy_sums(source, split=int(sums.count.max()) // SPLIT + 1, only=sums.long)
    again = _packed(source, gather(parts, small=source.small))
    place = {key: i for i, key in enumerate(sums.keys)}
    at = [place[key] for key in again.keys]
    weight, total, cross = sums.weight.copy(), sums.sums.copy(), sums.cross.copy()
    weight[at], total[at], cross[at] = again.weight, again.sums, again.cross
    return replace(sums, weight=weight, sums=total, cross=cross)


def cell_pass(source: LazyRows, accounts: int, rows: int) -> Cells:
    """Weight and sums by account and period; refused where they would not fit in 1 GiB.

    The first pass found so many `accounts` and complete `rows`; there are no more cells than rows.
    """
    assert source.period is not None
    k = len(source.columns)
    each = (k + 3) * 8
    most = share_of_memory(CELL_BYTES)
    if rows * each > most:
        periods = count_distinct(source.frame, source.period)
        size = min(rows, accounts * periods) * each
        if size > most:
            raise DesignError(
                "accounts by periods do not fit in memory",
                got=f"{Count(accounts):account} × {Count(periods):period} × {Count(k):column}: {size / 2**30:.3g} GiB",
                allowed=f"{most / 2**30:.3g} GiB",
                fix="use longer periods (weeks, months) or leave the period effects out",
            )
    if source.small:
        table, left, w = _columns(source)
        total = np.ones((len(left), 1)) if w is None else w[:, None]
        left = left * total
    else:
        table = replace(source, groups=0).gathered(lambda part: _lazy_sums(part, cells=True))
        total = numbers(table["count" if source.weight is None else "weight"]).astype(np.float64)[:, None]
        left = np.column_stack([numbers(table[f"s{i}"]) for i in range(k)])
    _, account = source.keys_in(table)
    names, period = coded(table[source.period], len(table), order=sort_periods)
    return _cells(names, account, period, total[:, 0], left)


def _cells(names: Array, account: Array, period: Array, weight: Array, sums: Array) -> Cells:
    """Cells from parts of them, each with its places among accounts and period names."""
    length = max(len(names), 1)
    cell, position = np.unique(account * length + period, return_inverse=True)
    order, starts = _stretches(position, len(cell))
    added = _added(weight[order, None], starts)[:, 0], _added(sums[order], starts)
    return Cells(names, cell // length, cell % length, *added)


def pool_cells(parts: Iterable[tuple[Cells, Array]]) -> Cells:
    """Cells of several moments about one origin; `at` places each part's accounts among the pooled keys."""
    parts = list(parts)
    labels = np.concatenate([cells.periods for cells, _ in parts])
    periods, place = sort_periods(labels)
    places = np.split(place, np.cumsum([len(cells.periods) for cells, _ in parts])[:-1])
    account = np.concatenate([at[cells.account] for cells, at in parts])
    period = np.concatenate([own[cells.period] for (cells, _), own in zip(parts, places, strict=True)])
    weight = np.concatenate([cells.weight for cells, _ in parts])
    return _cells(periods, account, period, weight, np.concatenate([cells.sums for cells, _ in parts]))


def _by_group(source: LazyRows, *, within: bool) -> Sums:
    """Sums by group of accounts, under the names of those by account."""
    assert source.account is not None
    k, key = len(source.columns), source.account
    upper = [(i, j) for i in range(k) for j in range(i, k)] if within else []
    between = {f"c{i}_{j}": nw.col(f"s{i}") * nw.col(f"s{j}") / nw.col("count") for i, j in upper}

    def accounts(part: LazyRows) -> nw.LazyFrame[Any]:
        inside = [(nw.col(name) - means).alias(name) for name, means in between.items()]
        return _lazy_sums(part).with_columns(nw.lit(1).alias("accounts"), *inside)

    table = nw.from_native(source.gathered(accounts))
    table = table.group_by(key).agg(*(nw.col(name).sum() for name in table.columns if name != key))
    table = table.with_columns(*((nw.col(name) + means).alias(name) for name, means in between.items()))
    sums = _packed(source, table.to_native())
    keys = np.array([f"group {key} of {len(sums.keys)}" for key in sums.keys], dtype=object)
    return replace(sums, keys=keys, accounts=int(table["accounts"].sum()), long=())


def sliced(source: LazyRows) -> LazyRows:
    """Rows whose accounts are to be summed a slice at a time, where Polars would else hold all rows at once.

    Its streaming engine keeps sums by key for some ten thousand keys; rows of further keys wait in memory, with every
    product that is to be summed, until the end (20 million rows, 100,000 accounts, 7 columns: 5.7 GB). A slice of the
    accounts at a time costs a further reading and keeps that within bounds; other engines go to the disk.
    """
    key = source.account
    if key is None or source.small or not source.frame.implementation.is_polars():
        return source
    dtype = source.frame.collect_schema()[key]
    if not (dtype.is_integer() or dtype in (nw.String, nw.Date, nw.Datetime)):
        return source
    if not expects_accounts(source, _HOT):
        return source
    waiting = source.row_count() * account_bytes(len(source.columns))
    most = share_of_memory(DRIVER_BYTES)
    if waiting <= most:
        return source
    keys = source.complete().select(key)
    accounts = count_distinct(keys, key)
    if accounts <= _HOT:
        return source
    step = -(-accounts // min(-(-waiting // most), -(-accounts // _SLICE)))
    numbered = keys.unique().with_row_index("number", order_by=key)
    firsts = gather(numbered.filter(nw.col("number") % step == 0, nw.col("number") > 0)).sort("number")
    return replace(source, cuts=tuple(zip(firsts[key].to_list(), firsts["number"].to_list(), strict=True)))


def account_bytes(columns: int) -> int:
    """Bytes that one account takes: k(k + 1)/2 cross-products, k sums, a count and a weight, 8 bytes each.

    Examples
    --------
    >>> account_bytes(7), DRIVER_BYTES // account_bytes(7)
    (296, 3627506)
    """
    return 8 * (columns * (columns + 1) // 2 + columns + 2)


def expects_accounts(source: LazyRows, least: float) -> bool:
    """Whether the first rows let expect `least` accounts or more; rows are counted only where it may be so."""
    assert source.account is not None
    keys = gather(source.frame.select(source.account).head(HEAD))[source.account]
    distinct, runs = keys.n_unique(), int((keys != keys.shift(1)).sum()) + 1
    if len(keys) < HEAD:
        return distinct >= least
    # runs of one account as draws: pairs among the first ones (birthdays), but no more than there are runs in all
    pairs = runs * runs / (2 * max(runs - distinct, 0.5))
    return pairs >= least and source.row_count() * runs / HEAD >= least
