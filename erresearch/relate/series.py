"""Two series over time: what moves together once trend, season and memory are taken out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import DesignError, ErresearchWarning
from erresearch.relate.entity import EntityModels, calendar, complete_rows, cosine_covariance, leverages
from erresearch.relate.lagged import open_panel
from erresearch.results import Estimate, FisherZ, Fit

__all__ = ["correlate_series", "refuse_accounts", "regress_series", "warn_of_series"]

#: Lags of every column that enter: the second takes up what a unit root would leave to the first.
_LAGS: Final = 2
#: Rows from which on a column of distinct days is a series.
_SERIES: Final = 12


def regress_series(data: Any, outcome: Any, on: Sequence[Any], *, time: str, level: float) -> Fit:
    """Least squares of one series on others of the same period, given two lags of all of them, trend and season.

    y_t = x_tᵀβ + Σ_l (ρ_l y_t−l + γ_lᵀx_t−l) + trend + season + u_t, l = 1, 2, with equally weighted cosines, residuals
    over 1 − leverage and Student's t of 0.4·T^⅔ degrees of freedom. The lags take the memory out, so that two series
    that only remember themselves do not seem related; one lag more than needed keeps that true of unit roots.

    Parameters
    ----------
    data : frame or path
        One row per period.
    outcome, on
        As for :func:`erresearch.regress`.
    time : str
        Period: numbers, dates, times or sortable text.
    level : float
        Confidence level.

    Returns
    -------
    Fit
        The coefficients of `on`.

    Raises
    ------
    DataError
        Several rows per period, or irregular periods.
    DesignError
        Too few periods for the lags, or collinear columns.

    References
    ----------
    Toda & Yamamoto (1995) and Lazarus, Lewis, Stock & Watson (2018), as for :mod:`erresearch.relate.entity`.
    """
    models, (y, *names), past = _models([outcome, *on], data, time, level)
    every = [*names, *past]
    estimates = models.combinations(y, every, {name: {name: 1.0} for name in names})
    beta, covariance, _ = models.solve(y, every)
    left, own = models.without(every, y), models.without((), y)
    inflated = {name: 1 / max(1 - models.explained(every, name), 1e-300) for name in names}
    scaled = np.column_stack([models.without((), name) for name in every])
    spread = np.linalg.svd(scaled / np.linalg.norm(scaled, axis=0), compute_uv=False)
    k = len(names)
    return Fit(
        estimates=estimates,
        outcome=y,
        method=next(iter(estimates.values())).method,
        cov=covariance[:k, :k],
        r2=float(1 - left @ left / (own @ own)),
        vif=inflated,
        condition_number=float(spread[0] / spread[-1]),
        n_rows=models.n_rows,
        n_accounts=0,
        effective_accounts=math.nan,
        dropped=models.dropped,
        residual_variance=float(left @ left / (models.n_rows - len(beta) - models.fixed.shape[1])),
    )


def correlate_series(data: Any, x: Any, y: Any, *, time: str, level: float) -> Estimate:
    """Correlation of what is new in two series: trend, season and two lags of both taken out of each.

    Student's t on Fisher's scale; the standard error is that of the mean of the influence
    ψ_t = z_x z_y − r (z_x² + z_y²)/2, by equally weighted cosines.

    Parameters
    ----------
    data, x, y, time, level
        As for :func:`regress_series` and :func:`erresearch.correlate`.

    Returns
    -------
    Estimate

    Raises
    ------
    DataError, DesignError
        As for :func:`regress_series`.
    """
    models, names, past = _models([x, y], data, time, level)
    models.solve(names[1], [names[0], *past])  # refuses what cannot be told apart
    zx, zy = (models.without(past, name) for name in names)
    zx, zy = zx / np.sqrt(np.mean(zx**2)), zy / np.sqrt(np.mean(zy**2))
    r = float(np.mean(zx * zy))
    influence = zx * zy - r * (zx**2 + zy**2) / 2
    influence /= 1 - leverages(np.column_stack([models.fixed, *(models.table[name] for name in past)]))
    spread, df = cosine_covariance(np.ones((len(zx), 1)), influence, parameters=0)
    se = math.sqrt(max(float(spread[0, 0]), 0.0)) / (1 - r * r)
    reference = FisherZ(r, se, df)
    return Estimate(
        f"r({names[0]}, {names[1]})",
        value=r,
        se=se * (1 - r * r),
        df=df,
        interval=reference.interval(level),
        n_rows=models.n_rows,
        n_accounts=0,
        method=f"Pearson correlation, {models.words}, equally weighted cosines, t({df}) on Fisher's scale",
        reference=reference,
    )


def refuse_accounts(by: str | None, time: str | None) -> None:
    """Refuse accounts beside a time: with accounts, whole accounts carry the inference.

    Raises
    ------
    DesignError
        If both are named.
    """
    if by is not None and time is not None:
        raise DesignError(
            "`time` is for one series",
            got=f"by={by!r} beside it",
            fix="leave `time` out: with accounts the intervals allow for any memory within them",
        )


def warn_of_series(data: Any, call: str) -> None:
    """Warn where rows without accounts are one series: a column of days (or so), one row each.

    Parameters
    ----------
    data : object
        Looked at where it is a frame in memory.
    call : str
        What to write instead, with ``{time}`` where the column belongs.

    Warns
    -----
    ErresearchWarning
        Naming the call.
    """
    frame = nw.from_native(data, pass_through=True)
    if not isinstance(frame, nw.DataFrame) or len(frame) < _SERIES:
        return
    for name, dtype in frame.schema.items():
        if dtype in (nw.Date, nw.Datetime) and frame[name].n_unique() == len(frame):
            warnings.warn(
                f"the rows are a series over {name!r}, and neighbours in time are no independent rows: the interval is "
                f"too short. Write {call.format(time=name)}",
                ErresearchWarning,
                stacklevel=3,
            )
            return


def _models(
    columns: Sequence[Any], data: Any, time: str, level: float
) -> tuple[EntityModels, tuple[str, ...], list[str]]:
    """Columns of one series, their names, and the labels of their lags."""
    rows = open_panel(data, columns, by=None, time=time)
    pairs = [(column, lag) for column in range(len(columns)) for lag in range(1, _LAGS + 1)]
    table, dropped = complete_rows(rows, [*((column, 0) for column in range(len(columns))), *pairs])
    length = len(table[rows.names[0]])
    fixed, words = calendar(rows, table.pop("clock"), length)
    past = [rows.label(*pair) for pair in pairs]
    how = f"OLS given {_LAGS} lags of every column, {words}"
    models = EntityModels(
        table=table,
        fixed=fixed,
        also=tuple(past),
        words=how,
        level=level,
        dropped=dropped,
        n_accounts=0,
        jackknifed=True,
    )
    return models, rows.names, past
