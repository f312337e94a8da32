"""The one lazy group-by: every pass over the rows is built here, whatever engine computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import ColumnError, DataError
from erresearch.sources import open_rows

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Source", "aggregate", "prepare", "text_keys"]

Array = np.ndarray[Any, Any]
HEAD = 10_000


@dataclass(frozen=True, slots=True)
class Source:
    """The rows behind moments, still lazy: complete rows, numbers as Float64.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        Needed columns only; not yet filtered.
    columns : tuple of str
        Names of the number columns, as in the moments.
    names : tuple of str
        Their names inside `frame` (other than `columns` only where an engine would read a name as a pattern).
    origin : (k,) ndarray
        The point near the means from which :meth:`z` measures.
    account, period, weight : str or None
        Names inside `frame` of the account, time and weight columns.
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
        """Only the complete rows, the ones the moments count."""
        return self.frame.filter(nw.all_horizontal(*[c for _, c in conditions(self)], ignore_nulls=False))

    def total(self, expressions: Sequence[nw.Expr]) -> dict[str, float]:
        """One pass: each expression must aggregate the complete rows to one number."""
        table = gather(self.complete().select(*expressions))
        return {name: float(table.get_column(name)[0] or 0.0) for name in table.columns}

    def by_account(self, expressions: Sequence[nw.Expr]) -> tuple[Array, dict[str, Array]]:
        """One pass: each expression aggregates to one number per account; keys in the order of the moments."""
        if self.account is None:
            total = self.total(expressions)
            return np.array([""], dtype=object), {name: np.array([v]) for name, v in total.items()}
        table = gather(self.complete().group_by(self.account).agg(*expressions))
        keys, position = text_keys(table, self.account)
        return keys, {
            name: _sum_into(table.get_column(name).to_numpy(), position, len(keys))
            for name in table.columns
            if name != self.account
        }

    def by_cell(self, expressions: Sequence[nw.Expr]) -> tuple[Array, Array, dict[str, Array]]:
        """One pass: each expression aggregates to one number per account and period.

        Returns account keys and period labels (both as text, one per cell) and the values.
        """
        if self.period is None:
            raise ColumnError(
                "there is no period to group by",
                got="moments made without `period`",
                fix="pass period= to Moments.from_frame",
            )
        groups = [self.period] if self.account is None else [self.account, self.period]
        table = gather(self.complete().group_by(*groups).agg(*expressions))
        names = [name for name in table.columns if name not in groups]
        account = (
            _text(table.get_column(groups[0]))
            if self.account is not None
            else np.full(table.height, "", object)
        )
        return (
            account,
            _text(table.get_column(self.period)),
            {n: table.get_column(n).to_numpy() for n in names},
        )

    def collect(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Bring complete rows into memory under their own names, with the account as text (small tables only)."""
        chosen = self.columns if columns is None else tuple(columns)
        exprs = [self.col(name).alias(f"{i}") for i, name in enumerate(chosen)]
        labels = list(chosen)
        for extra in (self.account, self.period, self.weight):
            if extra is not None:
                exprs.append(nw.col(extra))
                labels.append(extra)
        table = gather(self.complete().select(*exprs))
        table.columns = labels
        return table


def conditions(source: Source) -> list[tuple[str, nw.Expr]]:
    """What makes a row complete, each with the words for its absence."""
    found: list[tuple[str, nw.Expr]] = []
    if source.account is not None:
        found.append(("account missing", ~nw.col(source.account).is_null()))
    if source.period is not None:
        found.append(("period missing", ~nw.col(source.period).is_null()))
    if source.weight is not None:
        weight = nw.col(source.weight)
        found.append(("weight not finite", _finite(weight)))
        found.append(("weight negative", weight >= 0))
        found.append(("weight zero", weight > 0))
    found += [
        (f"not finite: {column}", _finite(nw.col(name)))
        for column, name in zip(source.columns, source.names, strict=True)
    ]
    return found


def _finite(value: nw.Expr) -> nw.Expr:
    # only some engines take NaN for null: both are asked for
    return ~value.is_null() & value.is_finite()


def gather(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    """Compute a small result and bring it here as a Polars frame."""
    if frame.implementation.is_polars():
        return frame.collect(engine="streaming").to_native()  # type: ignore[no-any-return]
    return frame.collect(backend="polars").to_native()  # type: ignore[no-any-return]


def prepare(
    data: Any,
    columns: Sequence[str | nw.Expr],
    *,
    by: str | None,
    period: str | None,
    weights: str | None,
) -> Source:
    """Open the rows, check the columns asked for and choose the origin."""
    needed = [c for c in columns if isinstance(c, str)]
    needed += [name for name in (by, period, weights) if name is not None]
    opaque = any(not isinstance(c, str) for c in columns)
    raw = open_rows(data, None if opaque else list(dict.fromkeys(needed)))
    exprs = [nw.col(c) if isinstance(c, str) else c for c in columns]
    final = raw.select(*exprs).collect_schema().names()
    names = tuple(final)
    taken = {name.casefold() for name in final}
    account = _free("__account__", taken) if by is not None else None
    time = _free("__period__", taken) if period is not None else None
    weight = _free("__weight__", taken) if weights is not None else None
    cast = [e.cast(nw.Float64()).alias(n) for e, n in zip(exprs, names, strict=True)]
    for label, column in ((account, by), (time, period)):
        if label is not None and column is not None:
            cast.append(nw.col(column).alias(label))
    if weight is not None and weights is not None:
        cast.append(nw.col(weights).cast(nw.Float64()).alias(weight))
    frame = raw.select(*cast)
    origin = _origin(raw.head(HEAD).select(*cast[: len(names)]), names)
    return Source(frame, tuple(final), names, origin, account, time, weight)


def _free(name: str, taken: set[str]) -> str:
    while name.casefold() in taken:
        name += "_"
    return name


def _origin(head: nw.LazyFrame[Any], names: Sequence[str]) -> Array:
    """Near the means, on a grid a little finer than the spread, so that z − o is exact wherever it can be."""
    finite = [nw.when(_finite(nw.col(name))).then(nw.col(name)) for name in names]
    table = gather(head.select(*[f.alias(f"v{i}") for i, f in enumerate(finite)]))
    out = np.zeros(len(names))
    for i in range(len(names)):
        values = table.get_column(f"v{i}").drop_nulls().to_numpy()
        if values.size:
            out[i] = near(float(np.mean(values)), float(np.std(values)), float(values[0]))
    return out


def near(mean: float, spread: float, first: float) -> float:
    """Round `mean` to a power-of-two grid below `spread`; a constant column gives its own value.

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


def _text(column: pl.Series) -> Array:
    """Keys as text; a whole number is written the same way whether it came as 1 or as 1.0."""
    import polars as pl

    if column.dtype.is_float():
        whole = column.cast(pl.Float64)
        return np.array([str(int(v)) if float(v).is_integer() else str(v) for v in whole], dtype=object)
    if column.dtype == pl.Object:
        return np.array([str(v) for v in column], dtype=object)
    return column.cast(pl.String).to_numpy().astype(object)


def text_keys(table: pl.DataFrame, account: str) -> tuple[Array, Array]:
    """Sorted distinct keys as text, and the position of each row's key among them."""
    return sort_text(_text(table.get_column(account)))


def sort_text(labels: Array) -> tuple[Array, Array]:
    """Sorted distinct labels and the position of each label among them (order of code points)."""
    import polars as pl

    column = pl.Series(labels.tolist(), dtype=pl.String)
    keys = column.unique().sort()
    position = (
        column.replace_strict(keys, pl.int_range(len(keys), eager=True)).to_numpy()
        if len(keys)
        else np.empty(0)
    )
    return keys.to_numpy().astype(object), position.astype(np.int64)


def sort_periods(labels: Array) -> tuple[Array, Array]:
    """Sorted distinct period labels: by number where all are numbers, else as text (ISO dates sort by time)."""
    keys, position = sort_text(labels)
    try:
        order = np.argsort(np.array([float(key) for key in keys]), kind="stable")
    except ValueError:
        return keys, position
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return keys[order], rank[position]


def _sum_into(values: Array, position: Array, groups: int) -> Array:
    out = np.zeros(groups, dtype=values.dtype if values.dtype.kind in "iu" else np.float64)
    np.add.at(out, position, values)
    return out


def aggregate(source: Source) -> tuple[Array, Array, Array, Array, Array]:
    """The pass that makes moments: keys, count, weight, sums and packed cross-products."""
    k = len(source.columns)
    z = [f"z{i}" for i in range(k)]
    columns = [source.z(name).alias(z[i]) for i, name in enumerate(source.columns)]
    if source.weight is not None:
        columns += [(source.w() * source.z(name)).alias(f"w{i}") for i, name in enumerate(source.columns)]
        columns.append(source.w().alias("w"))
    if source.account is not None:
        columns.append(nw.col(source.account))
    rows = source.complete().select(*columns)
    left = [f"w{i}" for i in range(k)] if source.weight is not None else z
    aggregates = [nw.len().alias("count")]
    if source.weight is not None:
        aggregates.append(nw.col("w").sum().alias("weight"))
    aggregates += [nw.col(left[i]).sum().alias(f"s{i}") for i in range(k)]
    upper = [(i, j) for i in range(k) for j in range(i, k)]
    aggregates += [(nw.col(left[i]) * nw.col(z[j])).sum().alias(f"c{i}_{j}") for i, j in upper]
    if source.account is None:
        table = gather(rows.select(*aggregates))
        keys, position = np.array([""], dtype=object), np.zeros(1, dtype=np.int64)
    else:
        table = gather(rows.group_by(source.account).agg(*aggregates))
        keys, position = text_keys(table, source.account)

    def column(name: str) -> Array:
        return _sum_into(table.get_column(name).fill_null(0).to_numpy(), position, len(keys))

    count = column("count").astype(np.int64)
    weight = column("weight") if source.weight is not None else count.astype(np.float64)
    sums = np.column_stack([column(f"s{i}") for i in range(k)])
    cross = np.column_stack([column(f"c{i}_{j}") for i, j in upper])
    return keys, count, weight, sums, cross


def count_dropped(source: Source, used: int) -> dict[str, int]:
    """Rows left out by reason; a row that lacks several things is counted under the first, so the counts add up."""
    found = conditions(source)
    rows = int(gather(source.frame.select(nw.len().alias("n")))["n"][0])
    if rows == 0:
        raise DataError(
            "the table has no rows", got="0 rows", fix="check the filter or the file it came from"
        )
    if rows == used:
        return {}
    exprs, before = [], nw.lit(True)
    for i, (_, holds) in enumerate(found):
        exprs.append(nw.when(before & ~holds).then(1).otherwise(0).sum().alias(f"d{i}"))
        before = before & holds
    table = gather(source.frame.select(*exprs))
    out = {words: int(table[f"d{i}"][0]) for i, (words, _) in enumerate(found)}
    if out.get("weight negative"):
        raise DataError(
            "a weight is negative",
            got=f"{out['weight negative']} of {rows} rows",
            allowed="weights above 0; rows of weight 0 are left out and counted",
        )
    return {words: n for words, n in out.items() if n}
