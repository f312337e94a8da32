"""Rows that are one series: lag-augmented regressions and correlations with fixed-b intervals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.lazy_rows import gather
from erresearch.engine.sources import as_narwhals, in_the_index
from erresearch.errors import Count, DesignError, ErresearchWarning
from erresearch.relate.design import LAGGED_FIX, check_design, left_out
from erresearch.relate.distributed_lags import cosine_covariance, waves
from erresearch.relate.lags import (
    DATE_TEXT,
    LaggedRows,
    LagSpecification,
    check_complete,
    of_series,
    open_panel,
)
from erresearch.results import Estimate, FisherZ, Fit, Reliability, StudentT
from erresearch.schema.vocabulary import PERIOD_NAMES

#: Fewer periods than this allow no decisive word.
SHORTEST = 52
#: Pairs of sine and cosine over the year; of days also over the week.
_YEAR, _WEEK = 2, 3


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EntityModels:
    """Models of one entity: lag-augmented (one more lag than is tested), trend, season, fixed-b intervals.

    Parameters
    ----------
    table : mapping of str to (T,) ndarray
        Columns over the complete rows, in order of time.
    fixed : (T, f) ndarray
        Constant, trend and season.
    also : tuple of str
        Controls with their lags, and events.
    words : str
        Estimator in words.
    level : float
        Confidence level.
    dropped : mapping of str to int
        Rows left out, by reason.
    n_accounts : int
        1, or 0 where rows are of no account.
    jackknifed : bool
        Residuals over 1 − leverage, as in HC3, in place of the factor T/(T − k).

    References
    ----------
    Toda, H. Y., & Yamamoto, T. (1995). Statistical inference in vector autoregressions with possibly integrated
    processes. *Journal of Econometrics*, 66(1-2), 225-250.
    """

    table: Mapping[str, np.ndarray]
    fixed: np.ndarray
    also: tuple[str, ...]
    words: str
    level: float
    dropped: Mapping[str, int]
    n_accounts: int = 1
    jackknifed: bool = False

    @classmethod
    def of(cls, asked: LagSpecification) -> EntityModels:
        """Models of x and y beside controls with their lags, and events.

        Raises
        ------
        DataError
            If no row has all lags.
        """
        also = [*asked.control_lags(asked.lags + 1), *asked.events]
        words = f"OLS, {asked.depth} and one more not tested, ", asked.also_held
        made = cls.collect(asked.rows, asked.wanted, also=also, words=words, level=asked.level)
        # none of the complete rows saw it
        unseen = {label for label in asked.events if np.ptp(made.table[label]) == 0}
        if not unseen:
            return made
        left = tuple(name for name in made.also if name not in unseen)
        return replace(made, also=left, words=f"{made.words}, of which {len(unseen)} in none of these rows")

    @classmethod
    def collect(
        cls,
        rows: LaggedRows,
        wanted: Sequence[tuple[int, int]],
        *,
        also: Sequence[str],
        words: tuple[str, str],
        level: float,
        n_accounts: int = 1,
        jackknifed: bool = False,
    ) -> EntityModels:
        """Collect the columns over the rows that have them all; `words` stand before and after the trend and the season.

        Raises
        ------
        DataError
            If no row has all lags.
        """
        labels = [rows.label(*pair) for pair in wanted]
        found = gather(rows.frame.select(*[rows.shifted(*pair) for pair in wanted], nw.col("clock")))
        found = found.sort("clock")
        values = found[:, : len(labels)].to_numpy()
        whole = np.isfinite(values).all(axis=1)
        now = [i for i, pair in enumerate(wanted) if pair[1] == 0]
        dropped = dict(rows.dropped)
        bad = ~np.isfinite(values[:, now])
        for i, count in enumerate(np.bincount(bad.argmax(axis=1)[bad.any(axis=1)], minlength=len(now))):
            if count:
                dropped[f"not finite: {labels[now[i]]}"] = int(count)
        check_complete(int(whole.sum()), dropped, int(np.sum(~whole & ~bad.any(axis=1))))
        fixed, season = _calendar(rows, found["clock"].to_numpy()[whole])
        return cls(
            table={name: values[whole, i] for i, name in enumerate(labels)},
            fixed=fixed,
            also=tuple(also),
            words=season.join(words),
            level=level,
            dropped=dropped,
            n_accounts=n_accounts,
            jackknifed=jackknifed,
        )

    @property
    def n_rows(self) -> int:
        """Complete rows."""
        return len(self.fixed)

    @property
    def cautions(self) -> tuple[str, ...]:
        """Why no decisive word may be given."""
        few = self.n_rows < SHORTEST
        return (f"{Count(self.n_rows):period}: fewer than {SHORTEST} allow no decisive word",) * few

    def combinations(
        self, outcome: str, on: Sequence[str], weights: Mapping[str, Mapping[str, float]]
    ) -> dict[str, Estimate]:
        """Combinations of coefficients, by name.

        Raises
        ------
        DesignError
            If there are too few rows, or columns are collinear.
        """
        beta, covariance, df = self.solve(outcome, on)
        how, found = f"{self.words}, equally weighted cosines, t({df})", {}
        for name, each in weights.items():
            pick = np.array([each.get(column, 0.0) for column in on])
            value = float(pick @ beta)
            se = math.sqrt(max(float(pick @ covariance @ pick), 0.0))
            found[name] = StudentT(value, se, df).estimate(
                name, self.level, n_rows=self.n_rows, n_accounts=self.n_accounts, method=how
            )
        return found

    def solve(self, outcome: str, on: Sequence[str]) -> tuple[np.ndarray, np.ndarray, int]:
        """Coefficients of `on`, their covariance and its degrees of freedom.

        Raises
        ------
        DesignError
            If there are too few rows, or columns are collinear.
        """
        regressors = np.column_stack([self.fixed, *(self.table[name] for name in on)])
        fixed = self.fixed.shape[1]
        length, k = regressors.shape
        if length <= k + 2:
            raise DesignError(
                f"{Count(length):complete row} cannot carry {Count(k):parameter} and leave 3 for the error",
                code="too-few-rows",
                got=left_out(self.dropped),
                allowed=f"{Count(k + 3):row} or more",
                fix=LAGGED_FIX,
            )
        own = regressors[:, fixed:]
        swept = _without(self.fixed, own)
        check_design(swept.T @ swept, on, np.sum((own - own.mean(axis=0)) ** 2, axis=0))
        beta = np.linalg.lstsq(regressors, self.table[outcome], rcond=None)[0]
        residuals = self.table[outcome] - regressors @ beta
        if self.jackknifed:
            residuals /= 1 - leverages(regressors)
        parameters = 0 if self.jackknifed else None
        covariance, df = cosine_covariance(regressors, residuals, parameters=parameters)
        return beta[fixed:], covariance[fixed:, fixed:], df

    def without(self, on: Sequence[str], column: str) -> np.ndarray:
        """What trend, season and the columns `on` leave of a column."""
        return _without(np.column_stack([self.fixed, *(self.table[name] for name in on)]), self.table[column])

    def explained(self, on: Sequence[str], column: str) -> float:
        """Share of a regressor's variance about trend and season that the others explain."""
        own, left = self.without((), column), self.without([name for name in on if name != column], column)
        return float(1 - left @ left / (own @ own))

    def reliability(self, series: Sequence[str]) -> Reliability:
        """Of x, from its autocovariances."""
        left = [self.without(self.also, name) for name in series]
        return of_series(np.column_stack(left), _mean_covariance)


def _without(regressors: np.ndarray, column: np.ndarray) -> np.ndarray:
    return np.asarray(column - regressors @ np.linalg.lstsq(regressors, column, rcond=None)[0])


def _mean_covariance(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Long-run variances of the means of columns, and their degrees of freedom."""
    ones = np.ones((len(values), 1))
    each = [cosine_covariance(ones, column) for column in values.T]
    return np.diag([float(covariance[0, 0]) for covariance, _ in each]), each[0][1]


def _calendar(rows: LaggedRows, clock: np.ndarray) -> tuple[np.ndarray, str]:
    """Constant, trend and season (T × f), and the same in words."""
    length = len(clock)
    columns, words = [np.ones(length), np.linspace(-1.0, 1.0, length)], "trend"
    if rows.season and length >= 0.8 * rows.season:
        pairs = min(_YEAR, math.ceil(rows.season / 2) - 1)
        position = (clock - clock[0]) / rows.unit
        columns += waves(position / rows.season, pairs)
        words += f" and {Count(pairs):pair} of yearly waves"
        if rows.season > 300:
            columns += waves(position / 7, _WEEK)
            words += f" and {_WEEK} of weekly waves"
    return np.column_stack(columns), words


def leverages(regressors: np.ndarray) -> np.ndarray:
    """Diagonal of the projection on the columns, kept off 1: a row that fits by itself has no residual to go by."""
    basis = np.linalg.qr(regressors)[0]
    return np.asarray(np.minimum(np.sum(basis**2, axis=1), 1 - 1e-9))


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
    Toda & Yamamoto (1995) and Lazarus, Lewis, Stock & Watson (2018), as for :mod:`erresearch.relate.time_series`.
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
    method = f"Pearson correlation, {models.words}, equally weighted cosines, t({df}) on Fisher's scale"
    around = StudentT(r, se * (1 - r * r), df)
    found = around.estimate(f"r({names[0]}, {names[1]})", level, n_rows=models.n_rows, method=method)
    return found.about(FisherZ(r, se, df))


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


def warn_of_series(data: Any, call: str, asked: Mapping[str, Any]) -> None:
    """Warn where rows without accounts are one series: a column of days (also as text) or of periods, one row each.

    Parameters
    ----------
    data : object
        Looked at where it is a frame in memory.
    call : str
        Name of the function that was called.
    asked : mapping of str to str, sequence of str or expression
        Its other arguments, to write the call that is right.

    Warns
    -----
    ErresearchWarning
        Naming the call.
    """
    indexed = bool(in_the_index(data)) and not set(data.index.names) & set(data.columns)
    frame = as_narwhals(data.reset_index() if indexed else data, pass_through=True)
    if not isinstance(frame, nw.DataFrame) or len(frame) < _SERIES:
        return
    for name, dtype in frame.schema.items():
        dated = dtype in (nw.Date, nw.Datetime) or (
            dtype == nw.String and frame[name].str.contains(DATE_TEXT).all()
        )
        if (dated or name.lower() in PERIOD_NAMES) and frame[name].n_unique() == len(frame):
            said = ", ".join(f"{key}={_written(value)}" for key, value in {**asked, "time": name}.items())
            table = "data.reset_index()" if indexed else "data"
            warnings.warn(
                f"the rows are a series over {name!r}, and neighbours in time are no independent rows: the interval is "
                f"too short. Write er.{call}({table}, {said})",
                ErresearchWarning,
                stacklevel=3,
            )
            return


def _written(value: Any) -> str:
    """A column, or several, as a call would name them; an expression has no short spelling."""
    plain = isinstance(value, str) or all(isinstance(one, str) for one in np.atleast_1d(value))
    return repr(value) if plain else "…"


def _models(
    columns: Sequence[Any], data: Any, time: str, level: float
) -> tuple[EntityModels, tuple[str, ...], list[str]]:
    """Columns of one series, their names, and the labels of their lags."""
    rows = open_panel(data, columns, by=None, time=time)
    pairs = [(column, lag) for column in range(len(columns)) for lag in range(1, _LAGS + 1)]
    past = [rows.label(*pair) for pair in pairs]
    models = EntityModels.collect(
        rows,
        [*((column, 0) for column in range(len(columns))), *pairs],
        also=past,
        words=(f"OLS given {_LAGS} lags of every column, ", ""),
        level=level,
        n_accounts=0,
        jackknifed=True,
    )
    return models, rows.names, past
