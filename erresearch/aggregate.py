"""The one lazy group-by: every pass over the rows is built here, whatever engine computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import ColumnError, DataError, DesignError, EngineError
from erresearch.labels import as_text, sort_periods, sort_text, sum_into
from erresearch.sources import Opened, check_text, gather, open_rows

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Source", "Sums", "cell_pass", "count_dropped", "moment_pass", "prepare"]

Array = np.ndarray[Any, Any]
Column = str | nw.Expr

HEAD = 10_000  # rows that place the origin
LONG = 1 << 17  # rows of one account from which a running sum may lose a digit of the promise
SPLIT = 1 << 15  # rows per partial sum there
CELL_BYTES = 1 << 30
_DISTANT = 4.0  # standard deviations between origin and mean that cost a digit


@dataclass(frozen=True, slots=True)
class Source:
    """The rows behind moments, still lazy: what a further pass is made of.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        Needed columns only, numbers as Float64; not yet filtered.
    columns : tuple of str
        Names of the number columns, as in the moments.
    names : tuple of str
        Their names inside `frame`; use :meth:`col` and :meth:`z`, which know them.
    origin : (k,) ndarray
        The point near the means from which :meth:`z` measures.
    account, period, weight : str or None
        Names inside `frame` of the account, time and weight columns.

    Examples
    --------
    >>> import polars as pl
    >>> from erresearch.moments import Moments
    >>> posts = pl.DataFrame({"shop": ["a", "a", "b"], "likes": [1.0, 3.0, 8.0]})
    >>> source = Moments.from_frame(posts, ["likes"], by="shop").source
    >>> source.total([source.col("likes").max().alias("most")])
    {'most': 8.0}
    >>> keys, values = source.by_account([source.col("likes").exp().sum().alias("e")])
    >>> keys.tolist(), values["e"].round(1).tolist()
    (['a', 'b'], [22.8, 2981.0])
    """

    frame: nw.LazyFrame[Any]
    columns: tuple[str, ...]
    names: tuple[str, ...]
    origin: Array
    account: str | None = None
    period: str | None = None
    weight: str | None = None

    def col(self, name: str) -> nw.Expr:
        """Column `name` as it is."""
        return nw.col(self.names[self.columns.index(name)])

    def z(self, name: str) -> nw.Expr:
        """Column `name` minus its origin: safe to multiply however large the column's level is."""
        index = self.columns.index(name)
        return nw.col(self.names[index]) - float(self.origin[index])

    def w(self) -> nw.Expr:
        """Row weight (1 where the moments have none)."""
        return nw.lit(1.0) if self.weight is None else nw.col(self.weight)

    def complete(self) -> nw.LazyFrame[Any]:
        """Only the complete rows, the ones that the moments count."""
        return self.frame.filter(
            nw.all_horizontal(*[holds for _, holds in _conditions(self)], ignore_nulls=False)
        )

    def total(self, expressions: Sequence[nw.Expr]) -> dict[str, float]:
        """One pass: each expression aggregates the complete rows to one number."""
        table = gather(self.complete().select(*expressions))
        return {name: float(table[name][0] or 0.0) for name in table.columns}

    def by_account(self, expressions: Sequence[nw.Expr]) -> tuple[Array, dict[str, Array]]:
        """One pass: each expression sums to one number per account; keys in the order of the moments."""
        if self.account is None:
            total = self.total(expressions)
            return np.array([""], dtype=object), {name: np.array([value]) for name, value in total.items()}
        table = gather(self.complete().group_by(self.account).agg(*expressions))
        keys, position = sort_text(as_text(table[self.account]))
        table = table.drop(self.account)
        return keys, {name: sum_into(_numbers(table[name]), position, len(keys)) for name in table.columns}

    def by_cell(self, expressions: Sequence[nw.Expr]) -> tuple[Array, Array, dict[str, Array]]:
        """One pass: each expression sums to one number per account and period.

        Account keys and period labels come as text, one pair per cell, in no particular order.
        """
        if self.period is None:
            raise ColumnError(
                "there is no period to group by",
                got="moments made without `period`",
                fix="pass period= when the moments are made",
            )
        groups = [self.period] if self.account is None else [self.account, self.period]
        table = gather(self.complete().group_by(*groups).agg(*expressions))
        periods = as_text(table[self.period])
        keys = np.full(len(periods), "", dtype=object)
        if self.account is not None:
            keys = as_text(table[self.account])
        return keys, periods, {n: _numbers(table[n]) for n in table.columns if n not in groups}

    def collect(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Bring the complete rows into memory under their own names (small tables only).

        Account, period and weight follow as ``__account__``, ``__period__`` and ``__weight__`` where they are set.
        """
        chosen = self.columns if columns is None else tuple(columns)
        extra = [name for name in (self.account, self.period, self.weight) if name is not None]
        inside = [self.col(name).alias(f"c{i}") for i, name in enumerate(chosen)]
        table = gather(self.complete().select(*inside, *[nw.col(name) for name in extra]))
        table.columns = [*chosen, *extra]
        return table


@dataclass(frozen=True, slots=True)
class Sums:
    """What one pass gives: keys with count, weight, sums and packed cross-products about the origin."""

    keys: Array
    count: Array
    weight: Array
    sums: Array
    cross: Array


def _conditions(source: Source) -> list[tuple[str, nw.Expr]]:
    """What makes a row complete, each with the words for its absence."""
    found: list[tuple[str, nw.Expr]] = []
    schema = source.frame.collect_schema()
    for name, words in ((source.account, "account missing"), (source.period, "period missing")):
        if name is not None:
            there = ~nw.col(name).is_null()
            found.append((words, there & ~nw.col(name).is_nan() if schema[name].is_float() else there))
    if source.weight is not None:
        weight = nw.col(source.weight)
        found += [
            ("weight not finite", _finite(weight)),
            ("weight negative", weight >= 0),
            ("weight zero", weight > 0),
        ]
    pairs = zip(source.columns, source.names, strict=True)
    return found + [(f"not finite: {column}", _finite(nw.col(name))) for column, name in pairs]


def _finite(value: nw.Expr) -> nw.Expr:
    # only some engines take NaN for null: both are asked for
    return ~value.is_null() & value.is_finite()


def _numbers(column: pl.Series) -> Array:
    return column.fill_null(0).to_numpy()


def prepare(
    data: Any, columns: Sequence[Column], *, by: str | None, period: str | None, weights: str | None
) -> tuple[Source, Opened]:
    """Open the rows, check the columns asked for and choose the origin.

    Parameters
    ----------
    data : frame or path
        See :func:`erresearch.sources.open_rows`.
    columns : sequence of str or narwhals.Expr
        Number columns.
    by, period, weights : str or None
        Account, time and weight columns.

    Returns
    -------
    source : Source
        The lazy rows.
    opened : Opened
        The rows as they came, for :func:`count_dropped`.
    """
    opened = open_rows(data, columns, [name for name in (by, period) if name is not None], weights)
    present = opened.frame.collect_schema().names()

    def raw(column: Column) -> nw.Expr:
        return nw.nth(present.index(column)) if isinstance(column, str) else column

    names = _inner_names(opened.names)
    taken = {name.casefold() for name in names}
    account, time, weight = (
        None if column is None else _free(label, taken)
        for label, column in (("__account__", by), ("__period__", period), ("__weight__", weights))
    )
    numbers = [raw(c).cast(nw.Float64()).alias(n) for c, n in zip(columns, names, strict=True)]
    others = [raw(c).alias(n) for c, n in ((by, account), (period, time)) if c is not None and n is not None]
    if weights is not None and weight is not None:
        others.append(raw(weights).cast(nw.Float64()).alias(weight))
    frame = opened.frame.select(*numbers, *others)
    source = Source(frame, opened.names, names, np.zeros(len(names)), account, time, weight)
    try:
        return replace(source, origin=_origin(opened.frame.head(HEAD).select(*numbers), names)), opened
    except EngineError:
        # an expression that cannot read text fails here first: say which column holds it
        check_text(opened.parts, opened.roots)
        raise


def _inner_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names that no engine reads as a pattern, as nothing, or as another column in other letters."""
    out: list[str] = []
    taken = {name.casefold() for name in names}
    for i, name in enumerate(names):
        pattern = name in ("", "*") or (name.startswith("^") and name.endswith("$"))
        double = any(name.casefold() == other.casefold() for other in names[:i])
        out.append(_free(f"column {i}", taken) if pattern or double else name)
    return tuple(out)


def _free(name: str, taken: set[str]) -> str:
    while name.casefold() in taken:
        name += "_"
    taken.add(name.casefold())
    return name


def _origin(head: nw.LazyFrame[Any], names: Sequence[str]) -> Array:
    """Near the means, on a grid a little finer than the spread, so that z − o is exact wherever it can be."""
    values = [nw.col(name) for name in names]
    finite = [nw.when(_finite(v)).then(v).alias(f"v{i}") for i, v in enumerate(values)]
    table = gather(head.select(*finite))
    out = np.zeros(len(names))
    for i in range(len(names)):
        value = table[f"v{i}"].drop_nulls().to_numpy()
        if value.size:
            with np.errstate(over="ignore", invalid="ignore"):
                out[i] = near(float(np.mean(value)), float(np.std(value)), float(value[0]))
    return out


def near(mean: float, spread: float, first: float) -> float:
    """Round `mean` to a grid of a power of two below `spread`; a constant column gives its own value.

    Parameters
    ----------
    mean, spread : float
        Mean and standard deviation of some values.
    first : float
        One of the values.

    Returns
    -------
    float
        A number near the mean with few digits, so that subtracting it loses nothing.

    Examples
    --------
    >>> near(1e9 + 0.3, 1.0, 1e9)
    1000000000.25
    >>> near(5.1, 0.0, 5.1)
    5.1
    """
    if not np.isfinite(mean) or not np.isfinite(spread):
        return 0.0
    if spread <= abs(mean) * 1e-15:
        return first
    grid = 2.0 ** (np.floor(np.log2(spread)) - 2)
    return float(np.round(mean / grid) * grid)


def moment_pass(source: Source) -> tuple[Source, Sums]:
    """Count, weight, sums and packed cross-products by account, in one group-by.

    The pass is repeated only where it would lose digits: about a better origin where the first one turns out far
    from the means, and in partial sums for accounts so long that a running sum drifts.

    Parameters
    ----------
    source : Source
        Rows with a first origin.

    Returns
    -------
    source : Source
        With the origin that was used.
    sums : Sums
        One entry per account.

    Raises
    ------
    DataError
        If squares overflow.
    """
    sums = _pass(source)
    origin = _better_origin(source, sums)
    if origin is not None:
        source = replace(source, origin=origin)
        sums = _pass(source)
    longest = int(sums.count.max(initial=0))
    if longest > LONG and source.account is not None and source.frame.implementation.is_polars():
        sums = _replace_long(source, sums, longest)
    k = len(source.columns)
    squares = sums.cross[:, [i * k - i * (i - 1) // 2 for i in range(k)]]
    if not np.isfinite(sums.cross).all():
        fine = np.atleast_1d(np.isfinite(squares).all(axis=0))
        wide = [name for name, ok in zip(source.columns, fine, strict=True) if not ok]
        raise DataError(
            "squares and products overflow",
            got=f"values too large in {', '.join(map(repr, wide or source.columns))}",
            allowed="values below about 1e150",
            fix="use a larger unit or the logarithm",
        )
    return source, sums


def _pass(source: Source, *, split: int = 0, only: Sequence[object] | None = None) -> Sums:
    """One group-by; `split` breaks each account into that many partial sums, `only` keeps some raw keys."""
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
        index = _free("part", {name.casefold() for name in rows.collect_schema().names()})
        rows = rows.filter(nw.col(source.account).is_in(only))
        rows = nw.from_native(rows.to_native().with_row_index(index))
        columns.append((nw.col(index) % split).alias("part"))
    rows = rows.select(*columns, *[nw.col(name) for name in groups])
    groups += ["part"] if only is not None else []
    aggregates = [*counts, *[nw.col(name).sum().alias(f"s{i}") for i, name in enumerate(left)]]
    upper = [(i, j) for i in range(k) for j in range(i, k)]
    aggregates += [(nw.col(left[i]) * nw.col(z[j])).sum().alias(f"c{i}_{j}") for i, j in upper]
    table = gather(rows.group_by(*groups).agg(*aggregates) if groups else rows.select(*aggregates))
    return _fold(source, table, [f"s{i}" for i in range(k)], [f"c{i}_{j}" for i, j in upper])


def _fold(source: Source, table: pl.DataFrame, sums: list[str], cross: list[str]) -> Sums:
    keys, position = np.array([""], dtype=object), np.zeros(1, dtype=np.int64)
    if source.account is not None:
        keys, position = sort_text(as_text(table[source.account]))

    def column(name: str) -> Array:
        return sum_into(_numbers(table[name]), position, len(keys))

    count = column("count").astype(np.int64)
    weight = column("weight") if source.weight is not None else count.astype(np.float64)

    def block(names: list[str]) -> Array:
        out = np.empty((len(keys), len(names)))
        for i, name in enumerate(names):
            out[:, i] = column(name)
        return out

    return Sums(keys, count, weight, block(sums), block(cross))


def _better_origin(source: Source, sums: Sums) -> Array | None:
    """The pooled means, where the first rows gave an origin too far from them."""
    total = float(sums.weight.sum())
    if total <= 0:
        return None
    k = len(source.columns)
    mean = sums.sums.sum(axis=0) / total
    square = sums.cross[:, [i * k - i * (i - 1) // 2 for i in range(k)]].sum(axis=0) / total
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


def _replace_long(source: Source, sums: Sums, longest: int) -> Sums:
    """Sum the long accounts again in many short partial sums."""
    assert source.account is not None
    account = source.account
    long = set(sums.keys[sums.count > LONG].tolist())
    raw = gather(source.complete().group_by(account).agg(nw.len().alias("count")))[account]
    only = [value for value, text in zip(raw, as_text(raw), strict=True) if text in long]
    again = _pass(source, split=longest // SPLIT + 1, only=only)
    place = {key: i for i, key in enumerate(sums.keys)}
    at = [place[key] for key in again.keys]
    weight, total, cross = sums.weight.copy(), sums.sums.copy(), sums.cross.copy()
    weight[at], total[at], cross[at] = again.weight, again.sums, again.cross
    return replace(sums, weight=weight, sums=total, cross=cross)


def count_dropped(source: Source, opened: Opened, used: int) -> dict[str, int]:
    """Rows left out, by reason; the counts add up to the rows that are missing.

    A row that lacks several things is counted under the first reason, in the order account, period, weight, columns.

    Parameters
    ----------
    source : Source
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
    rows = int(gather(source.frame.select(nw.len().alias("rows")))["rows"][0])
    if rows == 0:
        raise DataError(
            "the table has no rows", got="0 rows", fix="check the filter or the file it came from"
        )
    if rows == used:
        return {}
    check_text([part for part in opened.parts if opened.parsed], opened.parsed)
    found = _conditions(source)
    counts, before = [], nw.lit(True)
    for i, (_, holds) in enumerate(found):
        counts.append(nw.when(before & ~holds).then(1).otherwise(0).sum().alias(f"d{i}"))
        before = before & holds
    table = gather(source.frame.select(*counts))
    dropped = {words: int(table[f"d{i}"][0] or 0) for i, (words, _) in enumerate(found)}
    if dropped.get("weight negative"):
        raise DataError(
            "a weight is negative",
            got=f"{dropped['weight negative']} of {rows} rows",
            allowed="weights above 0; rows of weight 0 are left out and counted",
        )
    return {words: count for words, count in dropped.items() if count}


def cell_pass(source: Source, accounts: int, rows: int) -> tuple[Array, Array, Array, Array, Array]:
    """Weight and sums by account and period: periods, account and period index, weight, sums.

    Parameters
    ----------
    source : Source
        Rows with a period.
    accounts, rows : int
        Accounts and complete rows found by the first pass; there are no more cells than rows.

    Returns
    -------
    tuple of ndarray
        See :class:`erresearch.moments.Cells`.

    Raises
    ------
    DesignError
        If the cells would not fit in 1 GiB.
    """
    assert source.period is not None
    k = len(source.columns)
    each = (k + 3) * 8
    if rows * each > CELL_BYTES:
        distinct = gather(source.frame.select(nw.col(source.period).n_unique().alias("periods")))
        periods = int(distinct["periods"][0])
        size = min(rows, accounts * periods) * each
        if size > CELL_BYTES:
            raise DesignError(
                "accounts by periods do not fit in memory",
                got=f"{accounts:,} accounts × {periods:,} periods × {k} columns: {size / 2**30:.3g} GiB",
                allowed=f"{CELL_BYTES / 2**30:.3g} GiB",
                fix="use longer periods (weeks, months) or leave the period effects out",
            )
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
