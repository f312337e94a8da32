"""Moments of more accounts than fit beside the engine: summed in two levels, accounts first and then groups of them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.aggregation import Sums, better_origin, count_dropped, lazy_sums, packed_sums
from erresearch.engine.lazy_rows import (
    DRIVER_BYTES,
    LazyRows,
    account_bytes,
    expects_accounts,
    prepare,
    row_count,
    sliced,
)
from erresearch.engine.moments import Moments
from erresearch.engine.sources import gather, says_simulated
from erresearch.errors import DesignError, ErresearchWarning
from erresearch.io.resources import share_of_memory

#: Groups that accounts are summed in above that: clusters enough for any standard error.
GROUPS: Final = 5_000


def bounded_moments(
    data: Any,
    columns: Sequence[Any],
    *,
    by: str,
    weights: str | None = None,
    within: bool,
    most_bytes: int | None = None,
    groups: int = GROUPS,
) -> Moments:
    """Moments by account; by groups of accounts where those would take more than `most_bytes`.

    Above that the engine sums by account, and then those sums by group
    (:func:`erresearch.engine.lazy_rows.in_groups`). With
    `within`, a group's cross-products are W + s sᵀ/n with W = Σ_g (C_g − s_g s_gᵀ/n_g), so that :meth:`Moments.within`
    gives W, exactly what the accounts one by one would have given; without it they are ΣC_g.
    Estimates are the same; standard errors are clustered on the groups, which hold whole accounts.

    Parameters
    ----------
    data, columns, by, weights
        As for :meth:`Moments.from_frame`.
    within : bool
        Whether the accounts' means are to be taken out.
    most_bytes : int, optional
        Largest size of the sums by account; 1 GiB, or less within :func:`erresearch.memory_limit`.
    groups : int
        Number of groups.

    Returns
    -------
    Moments
        Those of :meth:`Moments.from_frame` where the accounts fit.

    Warns
    -----
    ErresearchWarning
        That accounts were summed in groups, with the numbers.

    Examples
    --------
    >>> import polars as pl
    >>> posts = pl.DataFrame({"shop": [1, 1, 2, 2, 3, 3], "likes": [1.0, 2, 5, 9, 4, 4]})
    >>> bounded_moments(posts, ["likes"], by="shop", within=True)
    Moments of 'likes': 6 rows, 3 accounts
    """
    most_bytes = share_of_memory(DRIVER_BYTES) if most_bytes is None else most_bytes
    source, opened = prepare(data, list(columns), by=by, period=None, weights=weights)
    simulated = says_simulated(data)
    accounts = _too_many(source, most_bytes)
    if not accounts:
        return Moments.from_source(source, opened, by=by, weights=weights, simulated=simulated)
    source, sums, accounts = condense(replace(source, groups=groups), within=within)
    size = accounts * account_bytes(len(source.columns)) / 2**30
    warnings.warn(
        f"{accounts:,} accounts are summed in {len(sums.keys):,} groups of whole accounts, since their sums would take "
        f"{size:.3g} GiB here; estimates stay the same, standard errors are clustered on the groups",
        ErresearchWarning,
        stacklevel=_callers(),
    )
    return Moments.from_sums(
        source,
        sums,
        by=by,
        weights=weights,
        dropped=count_dropped(source, opened, int(sums.count.sum())),
        merged=accounts - len(sums.keys) if within else 0,
        simulated=simulated,
    )


def fitting_moments(
    data: Any,
    columns: Sequence[Any],
    *,
    by: str | None,
    period: str | None = None,
    most_bytes: int | None = None,
) -> Moments:
    """Moments by account for work that needs every account by itself, refused where they do not fit.

    Parameters
    ----------
    data, columns, by, period
        As for :meth:`Moments.from_frame`.
    most_bytes : int, optional
        Largest size of the sums by account; 1 GiB, or less within :func:`erresearch.memory_limit`.

    Returns
    -------
    Moments

    Raises
    ------
    DesignError
        With the number of accounts and the bound.

    Examples
    --------
    >>> import polars as pl
    >>> posts = pl.DataFrame({"shop": [1, 1, 2], "likes": [1.0, 2, 5]})
    >>> fitting_moments(posts, ["likes"], by="shop").accounts
    2
    """
    most_bytes = share_of_memory(DRIVER_BYTES) if most_bytes is None else most_bytes
    source, opened = prepare(data, list(columns), by=by, period=period, weights=None)
    accounts = 0 if by is None else _too_many(source, most_bytes)
    if accounts:
        each = account_bytes(len(source.columns))
        raise DesignError(
            f"every account in {by!r} is needed by itself here, and they do not fit beside the engine",
            got=f"{accounts:,} accounts of {each} bytes: {accounts * each / 2**30:.3g} GiB",
            allowed=f"{most_bytes / 2**30:.3g} GiB ({most_bytes // each:,} accounts)",
            fix="take a sample of the accounts",
        )
    return Moments.from_source(source, opened, by=by, period=period, simulated=says_simulated(data))


def _callers() -> int:
    """How many frames above the one that warns somebody else's code stands: that line is to be named."""
    package, depth = str(Path(__file__).parent.parent), 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, depth = frame.f_back, depth + 1
    return depth


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


def _too_many(source: LazyRows, most_bytes: int) -> int:
    """Number of accounts, counted where the first rows let expect more than fit; 0 where they fit."""
    assert source.account is not None
    most = most_bytes // account_bytes(len(source.columns))
    if source.small and row_count(source) <= most:
        return 0  # no more accounts than rows
    if not expects_accounts(source, most / 4):
        return 0
    unique = gather(source.frame.select(nw.col(source.account).n_unique().alias("accounts")))
    accounts = int(unique["accounts"][0])
    return accounts if accounts > most else 0


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
