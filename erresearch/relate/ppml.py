"""Poisson pseudo-maximum likelihood with account effects, by passes of the same aggregation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DesignError
from erresearch.inference import Scores
from erresearch.relate.concentrated import State, Totals, climb, hold, only, starting_slopes, usable
from erresearch.relate.design import (
    Effect,
    centred,
    check_design,
    effect_word,
    free_constant,
    left_out,
    open_moments,
    still,
)
from erresearch.relate.fitting import Covariance, Fitted, assemble, check_covariance
from erresearch.relate.newton import ITERATIONS
from erresearch.relate.passes import leverage_pass
from erresearch.relate.separation import SEPARATED, flat_directions, without_separated
from erresearch.results import Fit

__all__ = ["poisson"]


def poisson(
    data: Any,
    outcome: Any,
    *,
    on: Sequence[Any],
    by: str | None = None,
    effects: tuple[Effect, ...] | None = None,
    cov: Covariance = "auto",
    level: float = 0.95,
    rng: int = 0,
) -> Fit:
    """Poisson pseudo-maximum likelihood (PPML): the default for money and counts, zeros included.

    E[y_it | x_it] = exp(α_i + x_itᵀβ). The effect of account i is concentrated out, exp(α_i) = Σy/Σexp(xβ), so each
    Newton step is one weighted pass of the same aggregation that makes moments. Only the mean has to be right: y
    need not be Poisson, nor whole numbers. Coefficients on logs are elasticities.

    Parameters
    ----------
    data : frame or path
        Any frame that narwhals accepts, or a path or glob of .parquet or .csv; moments that still have their rows.
    outcome : str or narwhals expression
        Left-hand side, not negative.
    on : sequence of str or narwhals expressions
        Regressors.
    by : str, optional
        The account: unit of the effects and of the clustering.
    effects : tuple, optional
        ``("account",)`` where `by` is given, else ``()`` (one intercept). Pass ``()`` with `by` for a pooled model
        with account-clustered inference.
    cov : {"auto", "wild", "CRV3", "CRV1", "HC3", "HC1"}
        As in :func:`erresearch.regress`; the bootstrap is the restricted score bootstrap, CRV3 takes one Newton step
        per account left out.
    level : float
        Confidence level.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Fit
        Estimates; ``.dropped`` counts accounts without any outcome and rows that the regressors separate.

    Raises
    ------
    DataError
        A negative outcome, or one that is 0 everywhere.
    DesignError
        Collinear columns, an outcome that does not vary, too few rows, moments without their rows, or no convergence.

    References
    ----------
    Santos Silva, J. M. C., & Tenreyro, S. (2006). The log of gravity. *Review of Economics and Statistics*, 88(4),
    641-658. Correia, S., Guimarães, P., & Zylkin, T. (2020). Fast Poisson estimation with high-dimensional fixed
    effects. *Stata Journal*, 20(1), 95-115.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"shop": np.repeat(np.arange(40), 25), "x": rng.normal(size=1000)})
    >>> table["orders"] = rng.poisson(np.exp(0.3 * table["x"] + table["shop"] / 20))
    >>> 0.3 in poisson(table, "orders", on=["x"], by="shop")["x"].interval
    True
    """
    named = by is not None or getattr(data, "by", None) is not None
    effects = effects if effects is not None else (("account",) if named else ())
    moments = open_moments(data, [*on, outcome], by=by, within=bool(effects))
    _refuse(moments, effects, cov)
    within, moments = bool(effects), hold(moments)
    totals, moments, dropped = usable(moments, within=within)
    _refuse_still(moments, within=within)
    state, moments, lost, dropped = _fit(moments, totals, within=within, dropped=dropped)
    names = tuple(name for name in moments.columns[:-1])
    origin = moments.origin[:-1]
    beta = state.beta
    if not within:
        beta = np.concatenate([[math.log(state.means[0])], state.beta])
        names = ("Intercept", *names)
    basis, shift = np.eye(len(beta)), np.zeros(len(beta))
    if not within:
        basis[0, 1:] = -origin
    total = state.hessians.sum(axis=0)
    bread = np.linalg.inv(total)
    df_resid = moments.rows - len(beta) - (moments.accounts + moments.merged if within else 0)
    if df_resid <= 0:
        raise DesignError(
            f"{moments.rows} complete rows cannot carry {moments.rows - df_resid} parameters",
            code="too-few-rows",
            allowed=f"more than {moments.rows - df_resid} rows",
            fix="use fewer columns or effects, or more data",
        )
    covariance, label, lone = None, "", None
    if moments.by is None:
        covariance, label, lone = _row_covariance(moments, beta, bread, cov, df_resid)
    model = Scores(beta, bread, state.scores, state.hessians, moments.rows, len(beta) + (1 if within else 0))
    words = f"PPML with {effect_word(moments.by)} effects" if within else "PPML"
    if lost:
        words += f" ({', '.join(map(repr, lost))} left out: predicts zeros perfectly)"
    slopes = total if within else total[1:, 1:] - np.outer(total[0, 1:], total[0, 1:]) / total[0, 0]
    scale = np.sqrt(np.diag(slopes))
    values = np.linalg.eigvalsh(slopes / np.outer(scale, scale))
    inflation = np.diag(np.linalg.inv(slopes)) * np.diag(slopes)
    fitted = Fitted(
        names,
        moments.columns[-1],
        words,
        "restricted score bootstrap",
        model,
        shift,
        basis,
        moments.by is not None,
        covariance,
        label,
        df_resid,
        _deviance_share(moments, totals, state, within=within),
        math.sqrt(values[-1] / values[0]),
        math.nan,
        dict(zip(moments.columns[:-1], map(float, inflation), strict=True)),
        dropped,
        by=moments.by or "",
        lone=lone,
    )
    return assemble(fitted, cov=cov, level=level, rng=rng)


def _refuse(moments: Moments, effects: tuple[Effect, ...], cov: str) -> None:
    if effects not in ((), ("account",)):
        raise DesignError(
            "PPML takes account effects only",
            got=repr(effects),
            allowed="(), ('account',)",
            fix="use `regress` on the log of a positive outcome for period effects",
        )
    if effects and moments.by is None:
        raise DesignError(
            "account effects need accounts", got="by=None", fix="name the account column with `by`"
        )
    if moments.source is None:
        raise DesignError(
            "PPML needs passes over the rows", got="moments without their rows", fix="estimate from the rows"
        )
    if len(moments.columns) < 2:
        raise ColumnError(
            "a regression needs a regressor", got="`on` is empty", fix="name at least one column"
        )
    if moments.rows <= len(moments.columns) - 1:
        raise DesignError(
            f"{moments.rows} complete rows cannot carry {len(moments.columns) - 1} parameters",
            code="too-few-rows",
            got=left_out(moments),
            allowed=f"more than {len(moments.columns) - 1} rows",
            fix="use fewer columns or effects, or more data",
        )
    if not effects:
        free_constant(moments.columns[:-1])
    check_covariance(cov, clustered=moments.by is not None)


def _refuse_still(moments: Moments, *, within: bool) -> None:
    own, raw = centred(moments, within=within)[-1, -1], np.einsum("gii->i", moments.grams())[-1]
    if still(own, raw):
        raise DesignError(
            f"the outcome {moments.columns[-1]!r} does not vary{' within its accounts' * within}",
            got=f"{moments.rows:,} rows",
            fix="there is nothing to explain: an effect of 0 would be no finding",
        )


def _fit(
    moments: Moments, totals: Totals, *, within: bool, dropped: dict[str, int]
) -> tuple[State, Moments, list[str], dict[str, int]]:
    """Fit; where the likelihood has no maximum, leave out the rows that the regressors separate and fit again."""
    lost: list[str] = []
    for _ in range(len(moments.columns)):
        if len(moments.columns) < 2:
            break
        gram, raw = centred(moments, within=within), np.einsum("gii->i", moments.grams())
        gone = dropped.get(SEPARATED, 0)
        when = f" once {gone:,} rows are left out whose zeros they predict perfectly" if gone else ""
        scale = check_design(gram[:-1, :-1], moments.columns[:-1], raw[:-1], when=when)
        state, converged = climb(moments, totals, starting_slopes(moments, within=within), within=within)
        if converged:
            return state, moments, lost, dropped
        kept, count = _separated(moments, state, scale, within=within)
        totals, moments, again = usable(kept, within=within)
        dropped = {**dropped, **{words: n for words, n in again.items() if words not in kept.dropped}}
        dropped[SEPARATED] = gone + count
        own, raw = np.diag(centred(moments, within=within)), np.einsum("gii->i", moments.grams())
        flat = [name for name, rests in zip(moments.columns[:-1], still(own, raw)[:-1], strict=True) if rests]
        lost += flat
        totals, moments = only(totals, moments, [name for name in moments.columns if name not in flat])
    raise DesignError(
        f"every regressor predicts the zeros of {moments.columns[-1]!r} perfectly",
        got=", ".join(map(repr, lost)),
        fix="compare shares of zeros instead",
    )


def _separated(moments: Moments, state: State, scale: np.ndarray, *, within: bool) -> tuple[Moments, int]:
    """Moments without the rows that a flat direction separates, and their number."""
    for direction in flat_directions(state.slope[1], scale):
        kept, count = without_separated(moments, direction, within=within)
        if count:
            return kept, count
    raise DesignError(
        "PPML did not converge",
        got=f"after {ITERATIONS} Newton steps without separated rows",
        fix="rescale the regressors or look for extreme values",
    )


def _row_covariance(
    moments: Moments, beta: np.ndarray, bread: np.ndarray, cov: Covariance, df_resid: int
) -> tuple[np.ndarray, str, np.ndarray | None]:
    """HC3 (HC1, or the model's own) covariance of a pooled PPML: e² / (1 − h)², h = μ·xᵀH⁻¹x."""
    if cov == "iid":
        return bread, f"Poisson variance, t({df_resid})", None
    power = 0 if cov == "HC1" else 2
    meat, lone = leverage_pass(moments, beta, bread, intercept=True, power=power, family="poisson")
    factor = moments.rows / df_resid if cov == "HC1" else 1.0
    label = f"{'HC1' if cov == 'HC1' else 'HC3'}, t({df_resid})"
    return factor * bread @ meat @ bread, label, lone


def _deviance_share(moments: Moments, totals: Totals, state: State, *, within: bool) -> float:
    """1 − D/D₀ with D₀ the deviance of the effects alone."""
    y = float(totals.y.sum())
    alone = float(totals.alone.sum()) if within else y * math.log(y / moments.weight.sum())
    saturated = float(totals.ylogy.sum())
    return 1 - (saturated - state.loglik) / (saturated - alone) if saturated > alone else math.nan
