"""Lazy transformations of columns, written once and computed by whatever engine holds the rows."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from erresearch.errors import ColumnError

__all__ = ["center", "lag", "log"]


def log(column: str) -> nw.Expr:
    """Natural logarithm of a column, named ``log <column>``.

    Zero and negative values have no logarithm: such rows come out not finite and are counted in
    ``dropped`` as ``not finite: log <column>``, never shifted by an invented constant.

    Parameters
    ----------
    column : str
        A number column; any unit, which then only moves the intercept.

    Returns
    -------
    narwhals.Expr
        To be used wherever a column name is accepted.

    See Also
    --------
    lag : The value of an earlier period.

    Examples
    --------
    >>> import polars as pl
    >>> from erresearch.engine import expressions as er
    >>> from erresearch.engine.moments import Moments
    >>> posts = pl.DataFrame({"reach": [1.0, 10.0, 0.0]})
    >>> m = Moments.from_frame(posts, [er.log("reach")])
    >>> m.columns, m.rows, dict(m.dropped)
    (('log reach',), 2, {'not finite: log reach': 1})
    """
    value = nw.col(column).cast(nw.Float64())
    # SQL engines fail on log(0) where Polars gives -inf: only positive values reach the logarithm
    return nw.when(value > 0).then(value).log().alias(f"log {column}")


def lag(column: str, n: int = 1, *, by: str, period: str) -> nw.Expr:
    """Value of a column `n` rows earlier within the account, rows ordered by `period`.

    Named ``lag<n> <column>``; a negative `n` looks ahead and is named ``lead<n> <column>``. The first `n`
    rows of every account have no earlier value: they are counted in ``dropped``. The shift is by row, so there
    must be one row per account and period and no period left out (a built panel is so).

    Parameters
    ----------
    column : str
        A number column.
    n : int
        Number of periods; not 0.
    by, period : str
        Account and time columns.

    Returns
    -------
    narwhals.Expr
        To be used wherever a column name is accepted.

    Raises
    ------
    ColumnError
        If `n` is 0 or not a whole number.

    See Also
    --------
    log : The other transformation that every engine knows.

    Examples
    --------
    >>> import polars as pl
    >>> from erresearch.engine import expressions as er
    >>> from erresearch.engine.moments import Moments
    >>> weeks = pl.DataFrame({"shop": list("aaabb"), "week": [1, 2, 3, 1, 2], "sales": [5.0, 6, 7, 8, 9]})
    >>> m = Moments.from_frame(weeks, ["sales", er.lag("sales", by="shop", period="week")], by="shop")
    >>> m.columns, m.rows, dict(m.dropped)
    (('sales', 'lag1 sales'), 3, {'not finite: lag1 sales': 2})
    """
    if isinstance(n, bool) or not isinstance(n, int) or n == 0:
        raise ColumnError(
            f"the lag of {column!r} must be a whole number of periods",
            got=repr(n),
            allowed="1, 2, … (earlier) or -1, -2, … (later)",
        )
    name = f"lag{n} {column}" if n > 0 else f"lead{-n} {column}"
    return nw.col(column).cast(nw.Float64()).shift(n).over(by, order_by=period).alias(name)


def center(column: str, *, by: str | None = None) -> nw.Expr:
    """A column minus its mean, over all rows or within the account, named ``centered <column>``.

    Missing values do not enter the mean and stay missing.

    Parameters
    ----------
    column : str
        A number column.
    by : str, optional
        Account column; without it the mean of all rows is taken off.

    Returns
    -------
    narwhals.Expr
        To be used wherever a column name is accepted.

    Examples
    --------
    >>> import polars as pl
    >>> from erresearch.engine import expressions as er
    >>> from erresearch.engine.moments import Moments
    >>> m = Moments.from_frame(pl.DataFrame({"x": [1.0, 2, 6]}), [er.center("x")])
    >>> m.columns, m.grams().ravel().round(12).tolist()
    (('centered x',), [14.0])
    """
    value = nw.col(column).cast(nw.Float64())
    # one NaN would otherwise make the mean NaN in engines that tell it from null
    known = nw.when(value.is_finite()).then(value)
    mean = known.mean() if by is None else known.mean().over(by)
    return (value - mean).alias(f"centered {column}")
