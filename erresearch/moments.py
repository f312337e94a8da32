"""The narrow waist: per-account counts, sums and cross-products, all that a linear model ever needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.aggregate import Source, aggregate, count_dropped, prepare, sort_periods, sort_text
from erresearch.errors import missing_columns

__all__ = ["Cells", "Moments"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Sums by account and period, which sweep period effects out without dummy columns.

    Parameters
    ----------
    periods : (T,) ndarray of str
        Period labels, sorted (as numbers where all are numbers).
    account, period : (m,) ndarray of int
        Index of each cell's account among the keys and of its period among `periods`.
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


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Count, sums and cross-products per account."""

    columns: tuple[str, ...]
    origin: Array
    keys: Array
    count: Array
    weight: Array
    sums: Array
    cross: Array
    cells: Cells | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    by: str | None = None
    period: str | None = None
    weights: str | None = None
    source: Source | None = None

    @classmethod
    def from_frame(
        cls,
        data: Any,
        columns: Sequence[str | nw.Expr],
        *,
        by: str | None = None,
        period: str | None = None,
        weights: str | None = None,
    ) -> Moments:
        """Build moments from rows."""
        source = prepare(data, columns, by=by, period=period, weights=weights)
        keys, count, weight, sums, cross = aggregate(source)
        dropped = count_dropped(source, int(count.sum()))
        cells = _cells(source, keys) if period is not None else None
        return cls(
            source.columns,
            source.origin,
            keys,
            count,
            weight,
            sums,
            cross,
            cells,
            dropped,
            by,
            period,
            weights,
            source,
        )

    @property
    def rows(self) -> int:
        """Complete rows."""
        return int(self.count.sum())

    @property
    def accounts(self) -> int:
        """Number of accounts (1 where no account column was named)."""
        return len(self.keys)

    def __getitem__(self, columns: Sequence[str]) -> Moments:
        """Moments of some columns, in the order asked for, over the same complete rows."""
        if isinstance(columns, str):
            columns = [columns]
        if any(name not in self.columns for name in columns):
            raise missing_columns(columns, self.columns, where="these moments")
        index = [self.columns.index(name) for name in columns]
        k = len(self.columns)
        packed = np.empty((k, k), dtype=np.int64)
        upper = np.triu_indices(k)
        packed[upper] = np.arange(len(upper[0]))
        packed[upper[1], upper[0]] = packed[upper]
        rows, cols = np.triu_indices(len(index))
        chosen = np.asarray(index)
        return replace(
            self,
            columns=tuple(columns),
            origin=self.origin[index],
            sums=self.sums[:, index],
            cross=self.cross[:, packed[chosen[rows], chosen[cols]]],
            cells=None if self.cells is None else replace(self.cells, sums=self.cells.sums[:, index]),
        )

    def grams(self) -> Array:
        """Cross-products about the origin, (G, k, k)."""
        k = len(self.columns)
        out = np.empty((len(self.keys), k, k))
        rows, cols = np.triu_indices(k)
        out[:, rows, cols] = self.cross
        out[:, cols, rows] = self.cross
        return out

    def within(self) -> Array:
        """Cross-products about each account's own mean, (G, k, k)."""
        safe = np.where(self.weight > 0, self.weight, 1.0)
        return self.grams() - self.sums[:, :, None] * self.sums[:, None, :] / safe[:, None, None]


def _cells(source: Source, keys: Array) -> Cells:
    weighted = source.weight is not None
    exprs = [source.w().sum().alias("weight") if weighted else nw.len().alias("weight")]
    for i, name in enumerate(source.columns):
        value = source.w() * source.z(name) if weighted else source.z(name)
        exprs.append(value.sum().alias(f"s{i}"))
    account, period, values = source.by_cell(exprs)
    _, position = sort_text(account)
    periods, when = sort_periods(period)
    sums = np.column_stack([values[f"s{i}"] for i in range(len(source.columns))])
    order = np.lexsort((when, position))
    return Cells(
        periods, position[order], when[order], values["weight"].astype(np.float64)[order], sums[order]
    )
