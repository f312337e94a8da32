"""One entity over time: lag-augmented regressions with fixed-b intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from erresearch.engine.sources import gather
from erresearch.errors import DataError, DesignError
from erresearch.relate.design import check_design
from erresearch.relate.lagged import Panel
from erresearch.results import Estimate, Precedence, StudentT

__all__ = ["cosine_covariance", "one_entity"]

#: Fewer periods than this allow no decisive word.
SHORTEST = 52
#: Pairs of sine and cosine over the year; of days also over the week.
_YEAR, _WEEK = 2, 3


def cosine_covariance(regressors: np.ndarray, residuals: np.ndarray) -> tuple[np.ndarray, int]:
    """Covariance of least squares under autocorrelation, by equally weighted cosines, and its degrees of freedom.

    V = H⁻¹ΩH⁻¹ with H = XᵀX and Ω = T/ν · Σ_j Λ_jΛ_jᵀ, Λ_j = √(2/T) Σ_t x_t u_t cos(πj(t − ½)/T), j = 1 … ν,
    ν = 0.4·T^⅔; times T/(T − k). Under fixed-b asymptotics the t statistic has Student's t with ν degrees of freedom.

    Parameters
    ----------
    regressors : (T, k) ndarray
        In order of time.
    residuals : (T,) ndarray
        Of the regression.

    Returns
    -------
    covariance : (k, k) ndarray
        Of the coefficients.
    df : int
        ν.

    References
    ----------
    Lazarus, E., Lewis, D. J., Stock, J. H., & Watson, M. W. (2018). HAR inference: recommendations for practice.
    *Journal of Business & Economic Statistics*, 36(4), 541-559.

    Examples
    --------
    >>> u = np.random.default_rng(0).normal(size=400)
    >>> v, df = cosine_covariance(np.ones((400, 1)), u - u.mean())
    >>> df, bool(0.02 < v[0, 0] ** 0.5 < 0.09)
    (22, True)
    """
    length, k = regressors.shape
    df = max(1, round(0.4 * length ** (2 / 3)))
    angles = np.pi * np.arange(1, df + 1)[:, None] * (np.arange(length) + 0.5) / length
    waves = np.sqrt(2 / length) * np.cos(angles) @ (regressors * residuals[:, None])
    bread = np.linalg.inv(regressors.T @ regressors)
    meat = length / df * waves.T @ waves * length / (length - k)
    return bread @ meat @ bread, df


def one_entity(rows: Panel, *, lags: int, level: float) -> Precedence:
    """Precedence of one entity: lag-augmented (one more lag than is tested), trend, season, fixed-b intervals.

    Parameters
    ----------
    rows : Panel
        Rows of one account; x, y and controls.
    lags : int
        Lags that are tested; one more enters.
    level : float
        Confidence level.

    Returns
    -------
    Precedence

    Raises
    ------
    DataError
        If no row has all lags.
    DesignError
        If there are too few rows, or columns are collinear.

    References
    ----------
    Toda, H. Y., & Yamamoto, T. (1995). Statistical inference in vector autoregressions with possibly integrated
    processes. *Journal of Econometrics*, 66(1-2), 225-250.
    """
    deep = lags + 1
    wanted = [(column, lag) for column in range(len(rows.names)) for lag in range(deep + 1)]
    table, dropped = _complete(rows, [*wanted, (0, -1)])
    length = len(table[rows.names[0]])
    fixed, words = _calendar(rows, table.pop("clock"), length)
    x, y = rows.names[:2]
    own = [rows.label(0, lag) for lag in range(1, deep + 1)]
    past = [rows.label(1, lag) for lag in range(1, deep + 1)]
    also = [rows.label(column, lag) for column in range(2, len(rows.names)) for lag in range(deep + 1)]
    method = f"OLS, {lags} lag{'s' * (lags > 1)} of both and one more not tested, {words}"
    if rows.names[2:]:
        method += f", controls {', '.join(rows.names[2:])}"

    def estimates(outcome: str, on: list[str], wanted: Sequence[tuple[str, str]]) -> list[Estimate]:
        regressors = np.column_stack([fixed, *(table[name] for name in on)])
        beta, covariance, df = _fit(table[outcome], regressors, on, fixed.shape[1])
        found = []
        for column, name in wanted:
            at = fixed.shape[1] + on.index(column)
            value, se = float(beta[at]), math.sqrt(max(float(covariance[at, at]), 0.0))
            reference = StudentT(value, se, df)
            how = f"{method}, equally weighted cosines, t({df})"
            found.append(
                Estimate(
                    name,
                    value=value,
                    se=se,
                    df=df,
                    interval=reference.interval(level),
                    n_rows=length,
                    n_accounts=1,
                    unit="",
                    method=how,
                    reference=reference,
                )
            )
        return found

    ladder = [
        (column, f"{x} before {y}" if lag == 1 else f"{x} {lag} periods before {y}")
        for lag, column in enumerate(own[:lags], start=1)
    ]
    forward = estimates(y, [*own, *past, *also], ladder)
    (reverse,) = estimates(x, [*past, *own, *also], [(past[0], f"{y} before {x}")])
    (same,) = estimates(y, [x, *own, *past, *also], [(x, f"{x} with {y}")])
    ahead = rows.label(0, -1)
    (lead,) = estimates(y, [ahead, x, *own, *past, *also], [(ahead, f"{x} after {y} (placebo)")])
    return Precedence(
        x=x,
        y=y,
        forward=forward[0],
        reverse=reverse,
        lead=lead,
        lags=((-1, lead), (0, same), *enumerate(forward, start=1)),
        contemporaneous=same,
        method=forward[0].method,
        n_rows=length,
        n_accounts=1,
        dropped=dropped,
        cautions=(f"{length} periods: fewer than {SHORTEST} allow no decisive word",)
        if length < SHORTEST
        else (),
    )


def _complete(rows: Panel, wanted: Sequence[tuple[int, int]]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Columns over the rows that have them all, in order of time."""
    import narwhals.stable.v2 as nw

    table = gather(rows.frame.select(*[rows.shifted(*pair) for pair in wanted], nw.col("clock"))).sort(
        "clock"
    )
    labels = [rows.label(*pair) for pair in wanted]
    values = table[:, : len(labels)].to_numpy()
    whole = np.isfinite(values).all(axis=1)
    now = [i for i, pair in enumerate(wanted) if pair[1] == 0]
    dropped = dict(rows.dropped)
    bad = ~np.isfinite(values[:, now])
    for i, count in enumerate(np.bincount(bad.argmax(axis=1)[bad.any(axis=1)], minlength=len(now))):
        if count:
            dropped[f"not finite: {labels[now[i]]}"] = int(count)
    edge = int(np.sum(~whole & ~bad.any(axis=1)))
    if edge:
        dropped["without the earlier and later rows asked for"] = edge
    if not whole.any():
        raise DataError(
            "no row has all the earlier and later rows asked for",
            code="no-complete-row",
            got=", ".join(f"{n:,} {reason}" for reason, n in dropped.items()),
            fix="ask for fewer lags or bring longer series",
        )
    columns = {name: values[whole, i] for i, name in enumerate(labels)}
    return {**columns, "clock": table["clock"].to_numpy()[whole]}, dropped


def _calendar(rows: Panel, clock: np.ndarray, length: int) -> tuple[np.ndarray, str]:
    """Constant, trend and season."""
    trend = np.linspace(-1.0, 1.0, length)
    columns, words = [np.ones(length), trend], "trend"
    if rows.season and length >= 0.8 * rows.season:
        pairs = min(_YEAR, math.ceil(rows.season / 2) - 1)
        position = (clock - clock[0]) / rows.unit
        columns += _waves(position / rows.season, pairs)
        words += f" and {pairs} pairs of yearly waves"
        if rows.season > 300:
            columns += _waves(position / 7, _WEEK)
            words += f" and {_WEEK} of weekly waves"
    return np.column_stack(columns), words


def _waves(turns: np.ndarray, pairs: int) -> list[np.ndarray]:
    angles = [2 * np.pi * n * turns for n in range(1, pairs + 1)]
    return [wave for angle in angles for wave in (np.sin(angle), np.cos(angle))]


def _fit(
    outcome: np.ndarray, regressors: np.ndarray, names: Sequence[str], fixed: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Coefficients and their covariance; near-singular designs are refused by name."""
    length, k = regressors.shape
    if length <= k + 2:
        raise DesignError(
            f"{length} complete rows cannot carry {k} parameters",
            code="too-few-rows",
            allowed=f"more than {k + 2} rows",
            fix="use fewer lags or controls, or more data",
        )
    calendar, own = regressors[:, :fixed], regressors[:, fixed:]
    swept = own - calendar @ np.linalg.lstsq(calendar, own, rcond=None)[0]
    check_design(swept.T @ swept, names, np.sum((own - own.mean(axis=0)) ** 2, axis=0))
    beta = np.linalg.lstsq(regressors, outcome, rcond=None)[0]
    covariance, df = cosine_covariance(regressors, outcome - regressors @ beta)
    return beta, covariance, df
