"""Logistic regression by passes of the same aggregation: conversions, yes or no."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DataError, DesignError
from erresearch.inference import Scores
from erresearch.relate.design import check_design, left_out, open_moments
from erresearch.relate.fitting import Covariance, Fitted, assemble, check_covariance
from erresearch.relate.newton import ITERATIONS, ascend, flattest
from erresearch.relate.passes import leverage_pass, linear_predictor, logistic, unpack
from erresearch.results import Fit

__all__ = ["logit"]

_NEVER = 1e300


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The likelihood at one β, intercept first."""

    beta: np.ndarray
    loglik: float
    scores: np.ndarray
    hessians: np.ndarray

    @property
    def slope(self) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and negative Hessian."""
        return self.scores.sum(axis=0), self.hessians.sum(axis=0)


def logit(
    data: Any,
    outcome: str,
    *,
    on: Sequence[Any],
    by: str | None = None,
    trials: str | None = None,
    cov: Covariance = "auto",
    level: float = 0.95,
    rng: int = 0,
) -> Fit:
    """Logistic regression: the log odds of a yes, for example of a conversion.

    P(y_i = 1 | x_i) = 1 / (1 + exp(−α − x_iᵀβ)), each Newton step one weighted pass of the aggregation that makes
    moments. With `trials` a row counts successes out of trials (orders out of sessions). exp(β) is an odds ratio.
    There are no account effects (their number grows with the accounts and biases β); `by` clusters the inference.

    Parameters
    ----------
    data : frame, path or Moments
        Any frame that narwhals accepts, or a path or glob of .parquet or .csv; moments that still have their rows.
    outcome : str
        0 or 1 (false or true); with `trials` the number of successes.
    on : sequence of str or narwhals expressions
        Regressors.
    by : str, optional
        The account: unit of the clustering.
    trials : str, optional
        Column with the number of trials of each row; rows of none are left out and counted.
    cov : {"auto", "wild", "CRV3", "CRV1", "HC3", "HC1", "iid"}
        As in :func:`erresearch.regress`; the bootstrap is the restricted score bootstrap, CRV3 takes one Newton step
        per account left out.
    level : float
        Confidence level.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Fit
        Estimates in log odds; ``r2`` is the share of the deviance explained (McFadden's for yes and no).

    Raises
    ------
    DataError
        An outcome outside 0 and 1 (or outside 0 and the trials), or the same everywhere.
    DesignError
        Separation: a column predicts the outcome perfectly, and the estimate would be infinite. Collinear columns,
        moments without their rows, or no convergence.

    References
    ----------
    Albert, A., & Anderson, J. A. (1984). On the existence of maximum likelihood estimates in logistic regression
    models. *Biometrika*, 71(1), 1-10. Kline, P., & Santos, A. (2012). A score based approach to wild bootstrap
    inference. *Journal of Econometric Methods*, 1(1), 23-41.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"shop": np.repeat(np.arange(40), 50), "reach": rng.normal(size=2000)})
    >>> table["bought"] = rng.random(2000) < 1 / (1 + np.exp(1 - 0.7 * table["reach"]))
    >>> fit = logit(table, "bought", on=["reach"], by="shop")
    >>> 0.7 in fit["reach"].interval
    True
    """
    moments = _open(data, outcome, on, by=by, trials=trials, cov=cov)
    weight, saturated = _check_outcome(moments, outcome, trials)
    count = len(moments.columns)
    sums = moments.sums.sum(axis=0)
    centred = moments.grams().sum(axis=0) - np.outer(sums, sums) / weight
    raw = np.einsum("gii->i", moments.grams())
    check_design(centred[:-1, :-1], moments.columns[:-1], raw[:-1])
    spread = np.concatenate([[1.0], np.sqrt(np.diag(centred)[:-1] / weight)])
    share = float(moments.origin[-1] + sums[-1] / weight)
    start = np.zeros(count)
    start[0] = math.log(share / (1 - share))

    def at(beta: np.ndarray) -> _State:
        return _state(moments, beta)

    state, converged = ascend(at, at(start), spread)
    if not converged:
        raise _not_converged(moments, state, spread)
    hessian = state.hessians.sum(axis=0)
    bread = np.linalg.inv(hessian)
    df_resid = moments.rows - count
    covariance, label, lone = None, "", None
    if moments.by is None:
        covariance, label, lone = _row_covariance(moments, state.beta, bread, cov, df_resid)
    slopes = hessian[1:, 1:] - np.outer(hessian[0, 1:], hessian[0, 1:]) / hessian[0, 0]
    scale = np.sqrt(np.diag(slopes))
    values = np.linalg.eigvalsh(slopes / np.outer(scale, scale))
    inflation = np.diag(np.linalg.inv(slopes)) * np.diag(slopes)
    basis = np.eye(count)
    basis[0, 1:] = -moments.origin[:-1]
    alone = weight * (share * math.log(share) + (1 - share) * math.log(1 - share))
    fitted = Fitted(
        ("Intercept", *moments.columns[:-1]),
        outcome,
        "logit",
        "restricted score bootstrap",
        Scores(state.beta, bread, state.scores, state.hessians, moments.rows, count),
        np.zeros(count),
        basis,
        moments.by is not None,
        covariance,
        label,
        df_resid,
        1 - (saturated - state.loglik) / (saturated - alone) if saturated > alone else math.nan,
        math.sqrt(values[-1] / values[0]),
        math.nan,
        dict(zip(moments.columns[:-1], map(float, inflation), strict=True)),
        moments.dropped,
        by=moments.by or "",
        lone=lone,
    )
    return assemble(fitted, cov=cov, level=level, rng=rng)


def _open(
    data: Any, outcome: str, on: Sequence[Any], *, by: str | None, trials: str | None, cov: Covariance
) -> Moments:
    import narwhals.stable.v2 as nw

    if not list(on):
        raise ColumnError(
            "a regression needs a regressor", got="`on` is empty", fix="name at least one column"
        )
    left: Any = outcome
    if trials is not None and not isinstance(data, Moments):
        successes = nw.col(outcome).cast(nw.Float64())
        left = (successes / nw.col(trials).cast(nw.Float64())).alias(f"{outcome} per {trials}")
    elif trials is not None:
        left = f"{outcome} per {trials}"
    moments = open_moments(data, [*on, left], by=by, weights=trials, within=False)
    check_covariance(cov, clustered=moments.by is not None)
    if moments.source is None:
        raise DesignError(
            "the logit needs passes over the rows",
            got="moments without their rows",
            fix="estimate from the rows",
        )
    if moments.rows <= len(moments.columns):
        raise DesignError(
            f"{moments.rows} complete rows cannot carry {len(moments.columns)} parameters",
            code="too-few-rows",
            got=left_out(moments),
            allowed=f"more than {len(moments.columns)} rows",
            fix="use fewer columns or more data",
        )
    return moments


def _check_outcome(moments: Moments, outcome: str, trials: str | None) -> tuple[float, float]:
    """Sum of weights, and the likelihood of a model that knew every row."""
    import narwhals.stable.v2 as nw

    source = moments.source
    assert source is not None
    y, w = source.col(moments.columns[-1]), source.w()
    inner = (y > 0) & (y < 1)
    known = nw.when(inner).then(y).otherwise(0.5)
    entropy = known * known.log() + (1 - known) * (1 - known).log()
    wrong = (y < 0) | (y > 1) if trials is not None else (y != 0) & (y != 1)
    found = source.total(
        [
            nw.when(wrong).then(1).otherwise(0).sum().alias("wrong"),
            y.min().alias("low"),
            y.max().alias("high"),
            nw.when(inner).then(w * entropy).otherwise(0.0).sum().alias("saturated"),
        ]
    )
    if found["wrong"]:
        allowed = f"from 0 to {trials!r}" if trials is not None else "0 and 1 (false and true)"
        raise DataError(
            f"{outcome!r} is no outcome for a logit",
            got=f"{int(found['wrong']):,} of {moments.rows:,} rows hold something else",
            allowed=allowed,
            fix="name the number of trials with `trials`, or use `regress` or `poisson`",
        )
    if found["low"] == found["high"] and found["low"] in (0.0, 1.0):
        raise DataError(
            f"the outcome {outcome!r} is the same in all {moments.rows:,} rows",
            got="always no" if found["low"] == 0 else "always yes",
            fix="there is nothing to explain",
        )
    return float(moments.weight.sum()), found["saturated"]


def _state(moments: Moments, beta: np.ndarray) -> _State:
    """One pass: scores, Hessians and likelihood at `beta`."""
    import narwhals.stable.v2 as nw

    source = moments.source
    assert source is not None
    predictor = linear_predictor(moments, beta[1:], constant=float(beta[0]))
    mean, w, y = logistic(predictor), source.w(), source.col(moments.columns[-1])
    top = nw.when(predictor > 0).then(predictor).otherwise(0.0)
    loglik = w * (y * predictor - top - (1 + (-predictor.abs()).exp()).log())
    z: list[Any] = [nw.lit(1.0), *(source.z(name) for name in moments.columns[:-1])]
    error, curvature = w * (y - mean), w * mean * (1 - mean)
    expressions = [loglik.sum().alias("l"), *((error * x).sum().alias(f"s{i}") for i, x in enumerate(z))]
    pairs = combinations_with_replacement(range(len(z)), 2)
    expressions += [(z[i] * z[j] * curvature).sum().alias(f"h{i}_{j}") for i, j in pairs]
    _, values = source.by_account(expressions)
    scores = np.column_stack([values[f"s{i}"] for i in range(len(z))])
    return _State(beta, float(values["l"].sum()), scores, unpack(values, "h", len(z)))


def _not_converged(moments: Moments, state: _State, spread: np.ndarray) -> DesignError:
    """Name the columns that separate: one alone, or a direction in which the likelihood keeps rising."""
    names = moments.columns[:-1]
    alone = [name for name, d in zip(names, np.eye(len(names)), strict=True) if _separates(moments, d)]
    for direction in (
        flattest(state, spread)[1:],
        state.beta[1:] / np.max(np.abs(state.beta[1:] * spread[1:])),
    ):
        part = np.abs(direction * spread[1:])
        if not alone and part.max() > 0 and _separates(moments, direction):
            alone = [n for n, p in zip(names, part, strict=True) if p > 0.1 * part.max()]
    if not alone:
        return DesignError(
            "the logit did not converge",
            got=f"after {ITERATIONS} Newton steps without separated rows",
            fix="rescale the regressors or look for extreme values",
        )
    verb = "predict" if len(alone) > 1 else "predicts"
    return DesignError(
        f"{', '.join(map(repr, alone))} {verb} {moments.columns[-1]!r} perfectly (separation): the estimate would "
        "be infinite",
        got=f"beyond a line all answers are the same, in {moments.rows:,} rows",
        fix="leave the column out, or compare shares of yes in its groups instead",
    )


def _separates(moments: Moments, direction: np.ndarray) -> bool:
    """Whether no row that says no lies above one that says yes, or the other way round."""
    import narwhals.stable.v2 as nw

    source = moments.source
    assert source is not None
    along, y = linear_predictor(moments, direction), source.col(moments.columns[-1])
    found = source.total(
        [
            nw.when(y < 1).then(along).otherwise(-_NEVER).max().alias("no high"),
            nw.when(y < 1).then(along).otherwise(_NEVER).min().alias("no low"),
            nw.when(y > 0).then(along).otherwise(-_NEVER).max().alias("yes high"),
            nw.when(y > 0).then(along).otherwise(_NEVER).min().alias("yes low"),
        ]
    )
    margin = 1e-9 * max(abs(found["no high"] - found["no low"]), abs(found["yes high"] - found["yes low"]))
    return found["no high"] <= found["yes low"] + margin or found["yes high"] <= found["no low"] + margin


def _row_covariance(
    moments: Moments, beta: np.ndarray, bread: np.ndarray, cov: Covariance, df_resid: int
) -> tuple[np.ndarray, str, np.ndarray | None]:
    """HC3 (HC1, or the model's own): e² / (1 − h)², h = p(1 − p)·xᵀH⁻¹x."""
    if cov == "iid":
        return bread, f"binomial variance, t({df_resid})", None
    power = 0 if cov == "HC1" else 2
    meat, lone = leverage_pass(moments, beta, bread, intercept=True, power=power, family="logit")
    factor = moments.rows / df_resid if cov == "HC1" else 1.0
    label = f"{'HC1' if cov == 'HC1' else 'HC3'}, t({df_resid})"
    return factor * bread @ meat @ bread, label, lone
