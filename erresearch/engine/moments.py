"""The narrow waist: per-account counts, sums and cross-products, all that a linear model ever needs.

For every account g, with an origin o near the column means and row weights w (1 by default):
n_g = Σ w, s_g = Σ w (z − o), C_g = Σ w (z − o)(z − o)ᵀ. Left of this value are rows, right of it small numbers:
pooled and within-account regressions, account-clustered covariances, the cluster bootstraps and whole specification
curves all follow from (n_g, s_g, C_g) without touching a row again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine import sort_text, sum_into
from erresearch.engine.aggregation import (
    DRIVER_BYTES,
    Cells,
    account_bytes,
    cell_pass,
    expects_accounts,
    moment_pass,
    pool_cells,
)
from erresearch.engine.lazy_rows import LazyRows, count_distinct
from erresearch.engine.sources import FEW, Opened, count_dropped, prepare, says_simulated
from erresearch.engine.stored import check_moments, fields_of, parts_of, read_archive, write_archive
from erresearch.engine.table_files import check_files
from erresearch.errors import ColumnError, Count, DesignError, EngineError, missing_columns, warn
from erresearch.io.resources import share_of_memory
from erresearch.results import escape

__all__ = ["Cells", "Moments"]

Array = np.ndarray[Any, Any]
FORMAT = 1
#: Groups in which accounts are summed that do not fit: clusters enough for any standard error.
GROUPS: Final = 5_000


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Moments:
    """Count, sums and cross-products per account.

    Made by :meth:`from_frame`, by adding two, by slicing columns or by :meth:`load`; never holds a row. With G
    accounts and k columns the arrays take about 8·G·(k²/2 + 3k/2 + 3) bytes (20,000 accounts and 7 columns: 6 MB).

    Parameters
    ----------
    columns : tuple of str
        Names of the k columns.
    origin : (k,) ndarray
        Point near the means about which sums and products are taken, in each column's unit.
    keys : (G,) ndarray of str
        Accounts as text, sorted; one empty key where no account column was named.
    count : (G,) ndarray of int
        Complete rows.
    weight : (G,) ndarray
        Σ w; equals `count` without weights.
    sums : (G, k) ndarray
        Σ w(z − o).
    cross : (G, k(k+1)/2) ndarray
        Upper triangle of Σ w(z − o)(z − o)ᵀ, row by row, in the order of ``numpy.triu_indices(k)``.
    cells : Cells or None
        Sums by account and period, where a period was named.
    dropped : mapping of str to int
        Rows left out, by reason; a row that lacks several things counts under the first.
    by, period, weights : str or None
        Names of the account, time and weight columns.
    source : LazyRows or None
        The lazy rows, for further passes; None for loaded and for added moments.
    merged : int
        Accounts beyond one per key, where a key stands for several whose means were taken out one by one.
    simulated : bool
        Whether the rows said of themselves that they were simulated (``attrs["simulated"]`` of a pandas table).

    See Also
    --------
    erresearch.regress : Linear models from moments.
    erresearch.claims.pool : Moments of several houses, added.
    """

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
    source: LazyRows | None = None
    merged: int = 0
    simulated: bool = False

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
        """Build moments from rows, in one pass of the engine that holds them.

        A row is complete when every column is a finite number, its weight is finite and above 0, and its account
        and period are not missing; other rows are left out and counted. Numbers are Float64 from the first step.

        Parameters
        ----------
        data : frame or path
            A pandas, Polars, PyArrow, DuckDB, Ibis or PySpark table; a path, folder or glob of .parquet or .csv
            files; or ``duckdb:file.db?table=posts``. Never changed; only the needed columns are read.
        columns : sequence of str or narwhals.Expr
            Number columns, or expressions such as ``erresearch.engine.expressions.log("reach")``.
        by : str, optional
            Account column (text, whole numbers, categories, dates); without it all rows are one group.
        period : str, optional
            Time column; adds :class:`Cells` by a second group-by, of at most 1 GiB.
        weights : str, optional
            Column of row weights.

        Returns
        -------
        Moments
            With its `source`.

        Raises
        ------
        ColumnError
            If a column is missing, misnamed, asked for twice or of a type that is no number.
        DataError
            If the table is empty, a number column holds text, a weight is negative or squares overflow.
        DesignError
            If accounts × periods do not fit in memory.
        EngineError
            If `data` is no table, a file cannot be read or the engine fails.

        References
        ----------
        Chan, T. F., Golub, G. H. and LeVeque, R. J. (1983). Algorithms for computing the sample variance: analysis
        and recommendations. *The American Statistician*, 37(3), 242-247.

        Examples
        --------
        >>> import pandas as pd
        >>> posts = pd.DataFrame({"shop": ["a", "a", "b", "b"], "likes": [1, 3, 10, None], "sales": [2, 4, 7, 9]})
        >>> m = Moments.from_frame(posts, ["likes", "sales"], by="shop")
        >>> m
        Moments of 'likes', 'sales': 3 rows, 2 accounts; left out: 1 not finite: likes
        >>> m.within()[0].tolist()
        [[2.0, 2.0], [2.0, 2.0]]
        """
        wanted = [columns] if isinstance(columns, (str, nw.Expr)) else list(columns)
        if not wanted:
            raise ColumnError(
                "no column was asked for", got="an empty list", fix="name at least one number column"
            )
        names = {"by": by, "period": period, "weights": weights}
        return _of_rows(data, *prepare(data, wanted, **names), names)

    @property
    def rows(self) -> int:
        """Complete rows."""
        return int(self.count.sum())

    @property
    def accounts(self) -> int:
        """Number of accounts (1 where no account column was named)."""
        return len(self.keys)

    def __repr__(self) -> str:
        """One line."""
        names = ", ".join(map(repr, self.columns[:8])) + (", …" if len(self.columns) > 8 else "")
        accounts = f", {Count(self.accounts):account}" if self.by is not None else ""
        out = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items())
        return f"Moments of {names}: {Count(self.rows):row}{accounts}" + (f"; left out: {out}" if out else "")

    def _repr_markdown_(self) -> str:
        head, _, rest = repr(self).partition(" of ")
        return f"**{head}** of {escape(rest)}"

    def need_rows(
        self, wrong: str = "this needs the rows", *, fix: str = "estimate from the rows"
    ) -> LazyRows:
        """The rows behind the sums.

        Raises
        ------
        DesignError
            If they were not kept: `wrong` says what needed them.
        """
        if self.source is None:
            raise DesignError(wrong, got="moments without their rows", fix=fix)
        return self.source

    def __getitem__(self, columns: str | Sequence[str]) -> Moments:
        """Moments of some columns, in the order asked for, over the same complete rows.

        Parameters
        ----------
        columns : str or sequence of str
            Names out of `columns`.

        Returns
        -------
        Moments
            About the same origin.

        Raises
        ------
        ColumnError
            If a name is not among the columns or is asked for twice.

        Examples
        --------
        >>> import polars as pl
        >>> m = Moments.from_frame(pl.DataFrame({"x": [1.0, 2], "y": [3.0, 5]}), ["x", "y"])
        >>> m[["y", "x"]].columns, m["y"].rows
        (('y', 'x'), 2)
        """
        chosen = [columns] if isinstance(columns, str) else list(columns)
        if any(name not in self.columns for name in chosen):
            raise missing_columns(chosen, self.columns, where="these moments")
        if len(set(chosen)) < len(chosen) or not chosen:
            raise ColumnError(
                "columns of moments are chosen once each", got=repr(chosen), fix="name each column once"
            )
        index = np.array([self.columns.index(name) for name in chosen])
        k = len(self.columns)
        packed = np.empty((k, k), dtype=np.int64)
        upper = np.triu_indices(k)
        packed[upper] = packed[upper[1], upper[0]] = np.arange(len(upper[0]))
        i, j = np.triu_indices(len(index))
        cells = None if self.cells is None else replace(self.cells, sums=self.cells.sums[:, index])
        return replace(
            self,
            columns=tuple(chosen),
            origin=self.origin[index],
            sums=self.sums[:, index],
            cross=self.cross[:, packed[index[i], index[j]]],
            cells=cells,
        )

    def grams(self) -> Array:
        """Cross-products about the origin.

        Returns
        -------
        (G, k, k) ndarray
            Σ w(z − o)(z − o)ᵀ of each account, in the order of `keys`.
        """
        k = len(self.columns)
        out = np.empty((len(self.keys), k, k))
        i, j = np.triu_indices(k)
        out[:, i, j] = self.cross
        out[:, j, i] = self.cross
        return out

    def within(self) -> Array:
        """Cross-products about each account's own means: C_g − s_g s_gᵀ / n_g.

        Returns
        -------
        (G, k, k) ndarray
            In the order of `keys`; pooled, what a regression with account effects needs.
        """
        weight = np.where(self.weight > 0, self.weight, 1.0)
        return self.grams() - self.sums[:, :, None] * (self.sums / weight[:, None])[:, None, :]

    def about(self, origin: Array) -> Moments:
        """The same moments about another origin: C′ = C + s dᵀ + d sᵀ + n d dᵀ with d = o − o′.

        Parameters
        ----------
        origin : (k,) ndarray
            New origin, in each column's unit. Far from the means, digits are lost.

        Returns
        -------
        Moments
            Without a source, which measures from the old origin.

        Examples
        --------
        >>> import polars as pl
        >>> m = Moments.from_frame(pl.DataFrame({"x": [1.0, 2, 3]}), ["x"])
        >>> m.about(np.zeros(1)).grams().item()
        14.0
        """
        d = self.origin - np.asarray(origin, dtype=float)
        if not d.any():
            return replace(self, source=None)
        i, j = np.triu_indices(len(self.columns))
        s, n = self.sums, self.weight[:, None]
        cross = self.cross + s[:, i] * d[j] + d[i] * s[:, j] + n * (d[i] * d[j])
        cells = self.cells
        if cells is not None:
            cells = replace(cells, sums=cells.sums + cells.weight[:, None] * d)
        origin = np.array(origin, dtype=float)
        return replace(self, origin=origin, sums=s + n * d, cross=cross, cells=cells, source=None)

    def __add__(self, other: Moments) -> Moments:
        """Moments of both tables together, so that evidence can be pooled without sharing rows.

        Parameters
        ----------
        other : Moments
            With the same columns (in any order) and the same account, time and weight columns.

        Returns
        -------
        Moments
            About the origin of the part with more weight, so that ``a + b`` equals ``b + a``; without a source.

        Raises
        ------
        ColumnError
            If columns, `by`, `period` or `weights` differ.
        DesignError
            If accounts were summed in groups.

        Examples
        --------
        >>> import polars as pl
        >>> a = Moments.from_frame(pl.DataFrame({"shop": ["a"], "x": [1.0]}), ["x"], by="shop")
        >>> b = Moments.from_frame(pl.DataFrame({"shop": ["a", "b"], "x": [3.0, 9]}), ["x"], by="shop")
        >>> both = a + b
        >>> both.count.tolist(), both.within().ravel().tolist()
        ([2, 1], [2.0, 0.0])
        """
        if not isinstance(other, Moments):
            return NotImplemented
        if set(self.columns) != set(other.columns):
            raise ColumnError(
                "moments of different columns cannot be added",
                got=f"{list(self.columns)} and {list(other.columns)}",
                fix="take the columns that both have: a[columns] + b[columns]",
            )
        for word in ("by", "period", "weights"):
            if getattr(self, word) != getattr(other, word):
                raise ColumnError(
                    f"moments with different `{word}` cannot be added",
                    got=f"{getattr(self, word)!r} and {getattr(other, word)!r}",
                    fix=f"make both with the same `{word}`, renaming a column where needed",
                )
        if self.merged or other.merged:
            raise DesignError(
                "moments whose accounts were summed in groups cannot be added",
                got="accounts that may be in both, each with its own mean taken out",
                fix="make the moments of all rows at once",
            )
        a, b = self, other[list(self.columns)]
        lead = max(a, b, key=lambda m: (float(m.weight.sum()), tuple(m.origin)))
        parts = (a.about(lead.origin), b.about(lead.origin))
        keys, position = sort_text(np.concatenate([part.keys for part in parts]))
        groups = len(keys)

        def pool(name: str) -> Array:
            return sum_into(np.concatenate([getattr(part, name) for part in parts]), position, groups)

        where = np.split(position, [len(a.keys)])
        cells = [(part.cells, at) for part, at in zip(parts, where, strict=True) if part.cells is not None]
        reasons = sorted({*a.dropped, *b.dropped})
        return Moments(
            columns=a.columns,
            origin=lead.origin,
            keys=keys,
            count=pool("count"),
            weight=pool("weight"),
            sums=pool("sums"),
            cross=pool("cross"),
            cells=pool_cells(cells) if cells else None,
            dropped={reason: a.dropped.get(reason, 0) + b.dropped.get(reason, 0) for reason in reasons},
            by=a.by,
            period=a.period,
            weights=a.weights,
            simulated=a.simulated or b.simulated,
        )

    def save(self, path: str | Path) -> Path:
        """Write to one private .npz file (mode 0600): arrays and names; whole or not at all.

        The file is for your own house: sums over few rows are rows, and accounts stand in it by their names. What may
        leave the house is written by :func:`erresearch.claims.share`.

        Parameters
        ----------
        path : path
            Where to write.

        Returns
        -------
        pathlib.Path
            The file written.

        Raises
        ------
        EngineError
            If it cannot be written.

        Examples
        --------
        >>> import tempfile, polars as pl
        >>> m = Moments.from_frame(pl.DataFrame({"x": [1.0, 2]}), ["x"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Moments.load(m.save(f"{folder}/x.npz"))
        Moments of 'x': 2 rows
        """
        words, arrays = parts_of(self)
        return write_archive(path, "moments", FORMAT, words, arrays, private=True)

    @classmethod
    def load(cls, path: str | Path) -> Moments:
        """Read what :meth:`save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : path
            A file written by :meth:`save`.

        Returns
        -------
        Moments
            Without a source: further passes over the rows are refused by name.

        Raises
        ------
        EngineError
            If the file is missing, cut short, too large, of another kind or of another version, or holds what no rows
            can give.

        See Also
        --------
        erresearch.claims.pool : Adds the files of several houses.
        """
        return read_archive(path, "moments", FORMAT, cls.from_parts)

    @classmethod
    def from_parts(cls, words: Mapping[str, Any], arrays: Mapping[str, Array]) -> Moments:
        """Build moments from the parts of a file, which are checked.

        Parameters
        ----------
        words, arrays : mapping
            As :func:`erresearch.engine.stored.parts_of` gave them.

        Returns
        -------
        Moments
            Without a source.

        Raises
        ------
        ValueError, KeyError, TypeError
            Where the parts do not hold together.
        """
        fields, cells = fields_of(words, arrays)
        made = cls(**fields, cells=None if cells is None else Cells(**cells))
        check_moments(made)
        return made


def bounded_moments(
    data: Any,
    columns: Sequence[Any],
    *,
    by: str,
    period: str | None = None,
    within: bool | None = None,
    most_bytes: int | None = None,
    groups: int = GROUPS,
) -> Moments:
    """Moments by account; by groups of accounts where those would take more than `most_bytes`.

    Above that the engine sums by account, and then those sums by group
    (:func:`erresearch.engine.lazy_rows.in_groups`). With `within`, a group's cross-products are W + s sᵀ/n with W =
    Σ_g (C_g − s_g s_gᵀ/n_g), so that :meth:`Moments.within` gives W, exactly what the accounts one by one would have
    given; without it they are ΣC_g. Estimates are the same; standard errors are clustered on the groups, which hold
    whole accounts.

    Parameters
    ----------
    data, columns, by, period
        As for :meth:`Moments.from_frame`.
    within : bool, optional
        Whether the accounts' means are to be taken out; not given where every account is needed by itself.
    most_bytes : int, optional
        Largest size of the sums by account; 1 GiB, or less within :func:`erresearch.memory_limit`.
    groups : int
        Number of groups.

    Returns
    -------
    Moments
        Those of :meth:`Moments.from_frame` where the accounts fit.

    Raises
    ------
    DesignError
        Where every account is needed by itself and they do not fit, with their number and the bound.

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
    names = {"by": by, "period": period}
    source, opened = prepare(data, list(columns), **names)
    accounts, each = _too_many(source, most_bytes), account_bytes(len(source.columns))
    if accounts and within is None:
        raise DesignError(
            f"every account in {by!r} is needed by itself here, and they do not fit beside the engine",
            got=f"{Count(accounts):account} of {each} bytes: {accounts * each / 2**30:.3g} GiB",
            allowed=f"{most_bytes / 2**30:.3g} GiB ({Count(most_bytes // each):account})",
            fix="take a sample of the accounts",
        )
    source = replace(source, groups=groups if accounts else 0)
    return _of_rows(data, source, opened, names, within=bool(within))


def _of_rows(
    data: Any, source: LazyRows, opened: Opened, names: Mapping[str, Any], *, within: bool = False
) -> Moments:
    try:
        source, sums = moment_pass(source, within=within)
    except EngineError:
        check_files(opened.parts)
        raise
    rows, keys = int(sums.count.sum()), len(sums.keys)
    if source.groups:
        size = sums.accounts * account_bytes(len(source.columns)) / 2**30
        warn(
            f"{Count(sums.accounts):account is} summed in {Count(keys):group} of whole accounts, since their sums "
            f"would take {size:.3g} GiB here; estimates stay the same, standard errors are clustered on the groups"
        )
        names = {**names, "period": None}
    return Moments(
        **sums.of_moments(source, within=within and bool(source.groups)),
        **names,
        cells=None if names["period"] is None else cell_pass(source, keys, rows),
        dropped=count_dropped(source, opened, rows),
        simulated=says_simulated(data),
    )


def _too_many(source: LazyRows, most_bytes: int) -> int:
    """Number of accounts, counted where the first rows let expect more than fit; 0 where they fit."""
    assert source.account is not None
    most = most_bytes // account_bytes(len(source.columns))
    if source.small and (most >= FEW or source.row_count() <= most):
        return 0  # no more accounts than rows
    if not expects_accounts(source, most / 4):
        return 0
    accounts = count_distinct(source.frame, source.account)
    return accounts if accounts > most else 0
