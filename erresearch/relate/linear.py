"""Linear regression from moments: pooled, within accounts, within accounts and periods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DesignError
from erresearch.inference import Scores
from erresearch.relate.design import (
    Effect,
    Swept,
    check_design,
    effect_word,
    left_out,
    open_moments,
    still,
    sweep,
)
from erresearch.relate.fitting import Covariance, Fitted, assemble, check_covariance
from erresearch.relate.passes import leverage_pass
from erresearch.relate.refinement import refine
from erresearch.relate.series import refuse_accounts, regress_series, warn_of_series
from erresearch.results import Fit

__all__ = ["regress", "scores", "solve"]

#: Refine the normal equations by further passes when the smallest eigenvalue of the correlation-scaled Gram matrix
#: is below this (above it they keep eleven digits anyway), when next to nothing is left unexplained, or when the
#: table is so short that a pass costs nothing.
_REFINE_BELOW, _EXPLAINED, _SHORT = 1e-4, 1e-8, 1_000


@dataclass(frozen=True, slots=True, eq=False)
class _Solved:
    """The normal equations, solved."""

    swept: Swept
    beta: np.ndarray
    bread: np.ndarray
    rss: float
    tss: float
    smallest: float
    largest: float
    constant: float  # intercept about zero, where it was refined


def regress(
    data: Any,
    outcome: Any,
    *,
    on: Sequence[Any],
    by: str | None = None,
    period: str | None = None,
    effects: tuple[Effect, ...] = (),
    within: bool = False,
    time: str | None = None,
    cov: Covariance = "auto",
    level: float = 0.95,
    rng: int = 0,
) -> Fit:
    """Least squares with account (and period) effects and intervals that hold for few accounts.

    y_it = x_itᵀβ + α_i + λ_t + u_it, computed from per-account cross-products (:class:`erresearch.Moments`), so
    that a million rows and a cluster table cost one aggregation.

    Parameters
    ----------
    data : frame, path or Moments
        Any frame that narwhals accepts, a path or glob of .parquet or .csv, or moments made before.
    outcome : str or narwhals expression
        Left-hand side.
    on : sequence of str or narwhals expressions
        Regressors, for example ``["spend", er.log("reach")]``.
    by : str, optional
        The account: unit of the effects and of the clustering.
    period : str, optional
        The time column, needed for period effects.
    effects : tuple
        ``()`` (with an intercept), ``("account",)`` or ``("account", "period")``.
    within : bool
        Short form of ``effects=("account",)``.
    time : str, optional
        Where the rows are one series, one row per period: coefficients given two lags of every column, trend and
        season, with fixed-b intervals that hold for series with a memory (:mod:`erresearch.relate.series`).
    cov : {"auto", "wild", "CRV3", "CRV1", "HC3", "HC1", "iid"}
        "auto" is the rule of the house: with accounts the restricted wild cluster bootstrap where the effective
        number of clusters is below 50, else CRV3 with t(G − 1); without accounts HC3 with t(n − k). The others
        are for comparison with other software.
    level : float
        Confidence level of the intervals.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Fit
        Mapping from regressor to :class:`~erresearch.results.Estimate`.

    Raises
    ------
    DesignError
        Too few rows or accounts, columns (or an outcome) that do not vary or are collinear.
    ColumnError, DataError
        Missing columns, text among numbers, no complete row.

    Warns
    -----
    ErresearchWarning
        Where rows without accounts look like one series and `time` is not given.

    Notes
    -----
    Rows that come with an origin near the means keep about eleven digits. Nearly collinear columns, next to nothing
    left unexplained, or a short table: the normal equations are refined by further passes, to the digits that NIST
    certifies (:mod:`erresearch.relate.refinement`). Moments without rows cannot be refined. Where other software
    multiplies by other small-sample factors, :func:`erresearch.inference.crv1` and
    :func:`erresearch.inference.crv3` state them.

    References
    ----------
    Cameron, A. C., & Miller, D. L. (2015). A practitioner's guide to cluster-robust inference. *Journal of Human
    Resources*, 50(2), 317-372.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"shop": np.repeat(np.arange(30), 20), "x": rng.normal(size=600)})
    >>> table["y"] = 0.5 * table["x"] + table["shop"] + rng.normal(size=600)
    >>> fit = regress(table, "y", on=["x"], by="shop", within=True)
    >>> 0.5 in fit["x"].interval
    True
    """
    refuse_accounts(by, time)
    if time is not None:
        return regress_series(data, outcome, on, time=time, level=level)
    if by is None:
        warn_of_series(data, "regress(…, time={time!r})")
    effects = tuple(effects) or (("account",) if within else ())
    timed = "period" in effects
    within_accounts = None if timed else "account" in effects
    moments = open_moments(
        data, [*on, outcome], by=by, period=period if timed else None, within=within_accounts
    )
    check_covariance(cov, clustered=moments.by is not None)
    solved = solve(moments, effects)
    df_resid = moments.rows - len(solved.beta) - solved.swept.absorbed
    sigma2 = max(solved.rss, 0.0) / df_resid
    covariance, label, lone = None, "", None
    if moments.by is None:
        covariance, label, lone = _row_covariance(moments, solved, cov, df_resid, sigma2)
    shift, basis = _back_from_origin(moments, solved.swept)
    values = basis @ solved.beta + shift
    if not math.isnan(solved.constant):
        values[0] = solved.constant
    fitted = Fitted(
        solved.swept.names[:-1],
        solved.swept.names[-1],
        _words(effects, moments.by),
        "restricted wild cluster bootstrap",
        scores(moments, solved),
        shift,
        basis,
        moments.by is not None,
        covariance,
        label,
        df_resid,
        1 - solved.rss / solved.tss if solved.tss > 0 else math.nan,
        math.sqrt(solved.largest / solved.smallest),
        sigma2,
        _vif(moments, solved),
        moments.dropped,
        values,
        moments.by or "",
        lone,
    )
    return assemble(fitted, cov=cov, level=level, rng=rng)


def _words(effects: tuple[Effect, ...], by: str | None) -> str:
    named = [effect_word(by) if effect == "account" else effect for effect in effects]
    return f"OLS with {' and '.join(named)} effects" if effects else "OLS"


def solve(moments: Moments, effects: tuple[Effect, ...]) -> _Solved:
    """Solve the normal equations of the last column on the others, refined by one more pass where it helps."""
    k = len(moments.columns) - 1
    if k < 1:
        raise ColumnError(
            "a regression needs a regressor", got="`on` is empty", fix="name at least one column"
        )
    swept = sweep(moments, effects)
    parameters = len(swept.names) - 1 + swept.absorbed
    if moments.rows <= parameters:
        raise DesignError(
            f"{moments.rows} complete rows cannot carry {parameters} parameters",
            code="too-few-rows",
            got=left_out(moments),
            allowed=f"more than {parameters} rows",
            fix="use fewer columns or effects, or more data",
        )
    total = swept.grams.sum(axis=0)
    first = 0 if effects else 1  # the intercept is not among the columns that must vary
    centred = total[first:, first:] - (np.outer(total[0, 1:], total[0, 1:]) / total[0, 0] if first else 0.0)
    raw = np.einsum("gii->i", moments.grams())
    scale = check_design(centred[:-1, :-1], moments.columns[:-1], raw[:-1])
    if still(centred[-1, -1], raw[-1]):
        raise DesignError(
            f"the outcome {moments.columns[-1]!r} does not vary{' once the effects are taken out' * bool(effects)}",
            got=f"{moments.rows:,} rows",
            fix="there is nothing to explain: an effect of 0 would be no finding",
        )
    values = np.linalg.eigvalsh(centred[:-1, :-1] / np.outer(scale, scale))
    diagonal = np.sqrt(np.diag(total)[:-1])
    inverse = np.linalg.inv(total[:-1, :-1] / np.outer(diagonal, diagonal))
    bread = inverse / np.outer(diagonal, diagonal)
    beta = bread @ total[:-1, -1]
    beta += bread @ (total[:-1, -1] - total[:-1, :-1] @ beta)
    rss = float(total[-1, -1] - 2 * beta @ total[:-1, -1] + beta @ total[:-1, :-1] @ beta)
    tss, constant = float(centred[-1, -1]), math.nan
    hard = values[0] < _REFINE_BELOW or rss < _EXPLAINED * tss or moments.rows <= _SHORT
    # the means of accounts that were summed in groups are not known here
    known = moments.source is not None and not (effects and moments.source.groups)
    if hard and known and "period" not in effects:
        beta, constant, rss = refine(moments, beta, bread, intercept=not effects)
    return _Solved(swept, beta, bread, rss, tss, float(values[0]), float(values[-1]), constant)


def scores(moments: Moments, solved: _Solved) -> Scores:
    """Account scores and Hessians of the solved model."""
    grams, beta = solved.swept.grams, solved.beta
    hessians = grams[:, :-1, :-1]
    own = grams[:, :-1, -1] - hessians @ beta
    return Scores(
        beta,
        solved.bread,
        own,
        hessians,
        moments.rows,
        # the effects nested in the account count as one, as in fixest
        len(beta) + solved.swept.absorbed - solved.swept.nested + (1 if solved.swept.nested else 0),
        solved.swept.periods(beta),
    )


def _back_from_origin(moments: Moments, swept: Swept) -> tuple[np.ndarray, np.ndarray]:
    """Shift and basis that turn coefficients about the origin into coefficients about zero."""
    k = len(swept.names) - 1
    basis, shift = np.eye(k), np.zeros(k)
    if swept.names[0] == "Intercept" and len(swept.names) > len(moments.columns):
        basis[0, 1:] = -moments.origin[:-1]
        shift[0] = moments.origin[-1]
    return shift, basis


def _row_covariance(
    moments: Moments, solved: _Solved, cov: Covariance, df_resid: int, sigma2: float
) -> tuple[np.ndarray, str, np.ndarray | None]:
    if cov == "iid":
        return sigma2 * solved.bread, f"homoskedastic errors, t({df_resid})", None
    if moments.source is None:
        raise DesignError(
            f"{'HC3' if cov == 'auto' else cov} needs one more pass over the rows",
            got="moments without their rows",
            fix="estimate from the rows, give `by` when the moments are made, or ask for cov='iid'",
        )
    power = 0 if cov == "HC1" else 2
    intercept = not solved.swept.absorbed
    meat, lone = leverage_pass(moments, solved.beta, solved.bread, intercept=intercept, power=power)
    factor = moments.rows / df_resid if cov == "HC1" else 1.0
    label = f"{'HC1' if cov == 'HC1' else 'HC3'}, t({df_resid})"
    return factor * solved.bread @ meat @ solved.bread, label, lone


def _vif(moments: Moments, solved: _Solved) -> dict[str, float]:
    """1/(1 − R²) of each regressor on the others: [H⁻¹]_jj · H_jj, about the mean where there is an intercept."""
    total = solved.swept.grams.sum(axis=0)[:-1, :-1]
    names = solved.swept.names[:-1]
    centred = np.diag(total).copy()
    if names[0] == "Intercept" and len(names) == len(moments.columns):
        centred -= total[0] ** 2 / total[0, 0]
    return {
        name: float(own * inverse)
        for name, own, inverse in zip(names, centred, np.diag(solved.bread), strict=True)
        if name != "Intercept"
    }
