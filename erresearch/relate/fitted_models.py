"""From scores or row covariances to a :class:`~erresearch.results.Fit`: one way for every regression.

Here are also the few further passes over the rows that a regression may need, each one lazy aggregation, and Newton's
method on a likelihood whose every evaluation is one such pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Any, Final, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import DesignError
from erresearch.relate.inference import (
    FEW_CLUSTERS,
    Scores,
    WildBootstrap,
    crv1,
    crv3,
    effective_clusters,
    enough_draws,
    wild_bootstrap,
    wild_bootstraps,
    without_constant,
)
from erresearch.results import Estimate, Fit, IntervalKind, StudentT
from erresearch.results.rounding import grouped

Covariance = Literal["auto", "wild", "CRV3", "CRV1", "HC3", "HC1", "iid"]
Family = Literal["gaussian", "poisson", "logit"]
#: What the own variance of each is called, and the bootstrap that goes with it.
_WORDS: Mapping[Family, tuple[str, str]] = {
    "gaussian": ("homoskedastic errors", "restricted wild cluster bootstrap"),
    "poisson": ("Poisson variance", "restricted score bootstrap"),
    "logit": ("binomial variance", "restricted score bootstrap"),
}
#: Share of a coefficient's variance that may come from rows that fit by themselves.
_LOST = 1e-6
_CLUSTERED, _ROBUST = ("auto", "wild", "CRV3", "CRV1"), ("auto", "HC3", "HC1", "iid")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fitted:
    """A solved model on its way to a Fit.

    Parameters
    ----------
    names : tuple of str
        Coefficients in their order.
    words : str
        Estimator in words.
    family : {"gaussian", "poisson", "logit"}
        What the mean is a function of, and how the variance follows from it.
    model : Scores
        Estimates, bread and account scores (about the origin).
    basis : (k, k) ndarray
        Carries coefficients about the origin to those about zero.
    values : (k,) ndarray
        Coefficients about zero.
    slopes : (k, k) ndarray
        Cross-products, or Hessian, of the regressors without the constant.
    df_resid : int
        Residual degrees of freedom.
    r2, residual_variance : float
        As in Fit.
    """

    names: tuple[str, ...]
    words: str
    family: Family
    model: Scores
    basis: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    df_resid: int
    r2: float
    residual_variance: float = math.nan


def check_covariance(cov: str, *, clustered: bool) -> None:
    """Refuse a covariance that does not go with the rows.

    Raises
    ------
    DesignError
        Naming those that do.
    """
    allowed = _CLUSTERED if clustered else _ROBUST
    if cov not in allowed:
        kind = "accounts" if clustered else "rows without accounts"
        raise DesignError(f"cov={cov!r} does not go with {kind}", allowed=", ".join(allowed))


def over_accounts(
    model: Scores, picks: np.ndarray, *, level: float, rng: int, cov: Covariance = "auto"
) -> tuple[np.ndarray, list[float], list[WildBootstrap | None]]:
    """How combinations of coefficients scatter over accounts.

    Returns
    -------
    covariance : (m, m) ndarray
        CRV3 of the combinations, or CRV1.
    effective : list of float
        Effective number of clusters of each.
    drawn : list of WildBootstrap or None
        The restricted wild bootstrap of each that rests on few clusters, all on the same draws.
    """
    effective = [effective_clusters(model, pick) for pick in picks]
    covariance = picks @ crv1(model) @ picks.T if cov == "CRV1" else crv3(model, picks)
    few = [cov == "wild" or (cov == "auto" and size < FEW_CLUSTERS) for size in effective]
    draws = enough_draws(level)
    drawn = iter(wild_bootstraps(model, picks[few], draws=draws, rng=rng) if any(few) else ())
    return covariance, effective, [next(drawn) if one else None for one in few]


def assemble(fitted: Fitted, moments: Moments, *, cov: Covariance, level: float, rng: int) -> Fit:
    """Give every coefficient its interval by the rule of the house, or by the covariance asked for."""
    model, few, by = fitted.model, math.nan, moments.by
    accounts = 0 if by is None else model.clusters
    drawn: list[WildBootstrap | None] = [None] * len(fitted.names)
    if by is None:
        covariance, label = _row_covariance(fitted, moments, cov)
        df = float(fitted.df_resid)
    else:
        covariance, effective, drawn = over_accounts(model, fitted.basis, level=level, rng=rng, cov=cov)
        few, df = min(effective), float(accounts - 1)
        label = f"{'CRV1' if cov == 'CRV1' else 'CRV3'}, t({accounts - 1})"
        if any(drawn):
            label = f"{_WORDS[fitted.family][1]} ({few:.1f} effective of {grouped(accounts, by)})"
    method = f"{fitted.words}, {label}"
    estimates = {}
    for name, value, variance, boot in zip(
        fitted.names, map(float, fitted.values), np.diag(covariance), drawn, strict=True
    ):
        estimate = StudentT(value, math.sqrt(max(float(variance), 0.0)), df).estimate(
            name, level, n_rows=model.n_rows, n_accounts=accounts, method=method, by=by or ""
        )
        estimates[name] = estimate if boot is None else estimate.about(replace(boot, value=value))
    scale = np.sqrt(np.diag(fitted.slopes))
    scaled = fitted.slopes / np.outer(scale, scale)
    eigenvalues, inflation = np.linalg.eigvalsh(scaled), np.diag(np.linalg.inv(scaled))
    return Fit(
        estimates=estimates,
        outcome=moments.columns[-1],
        method=method,
        cov=covariance,
        r2=fitted.r2,
        vif=dict(zip(moments.columns[:-1], map(float, inflation), strict=True)),
        condition_number=math.sqrt(eigenvalues[-1] / eigenvalues[0]),
        n_rows=model.n_rows,
        n_accounts=accounts,
        effective_accounts=few,
        dropped=moments.dropped,
        residual_variance=fitted.residual_variance,
        model=fitted,
        interval_kind=IntervalKind.WILD_BOOTSTRAP if any(drawn) else IntervalKind.STUDENT_T,
    )


def contrast(
    fit: Fit, weights: Mapping[str, float], *, name: str | None = None, level: float = 0.95, rng: int = 0
) -> Estimate:
    """Estimate a linear combination of coefficients, for example "A rather than B".

    θ = Σ_j w_j β_j, with the same inference as the coefficients themselves.

    Parameters
    ----------
    fit : Fit
        A fitted model.
    weights : mapping of str to float
        Weight of each regressor; those not named weigh 0.
    name : str, optional
        Name of the estimate; made from the weights otherwise.
    level : float
        Confidence level.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Estimate
        The combination.

    Raises
    ------
    UnknownNameError
        If a weight names no regressor.

    See Also
    --------
    erresearch.regress : Makes the fit.
    erresearch.equivalence : Whether an estimate is practically nil.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from erresearch.relate import regress
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame(rng.normal(size=(500, 2)), columns=["a", "b"])
    >>> table["y"] = table["a"] + rng.normal(size=500)
    >>> difference = contrast(regress(table, "y", on=["a", "b"]), {"a": 1, "b": -1})
    >>> 1.0 in difference.interval
    True
    """
    for regressor in weights:
        fit[regressor]
    a = np.array([float(weights.get(regressor, 0.0)) for regressor in fit])
    value = float(sum(w * e.value for w, e in zip(a, fit.values(), strict=True)))
    # an infinite variance counts only where the combination holds its coefficient
    held = np.flatnonzero(a)
    se = math.sqrt(max(float(a[held] @ fit.cov[np.ix_(held, held)] @ a[held]), 0.0))
    any_estimate = next(iter(fit.values()))
    label = name or " ".join(f"{w:+g}·{regressor}" for regressor, w in weights.items())
    estimate = StudentT(value, se, any_estimate.df).estimate(
        label, level, n_rows=fit.n_rows, n_accounts=fit.n_accounts, method=fit.method, by=any_estimate.by
    )
    fitted = fit.model
    if isinstance(fitted, Fitted) and fit.interval_kind is IntervalKind.WILD_BOOTSTRAP:
        direction = a @ fitted.basis
        if effective_clusters(fitted.model, direction) < FEW_CLUSTERS:
            drawn = wild_bootstrap(fitted.model, direction, draws=enough_draws(level), rng=rng)
            return estimate.about(replace(drawn, value=value))
    return estimate


#: 1 − h of a row below which the row fits by itself.
_LONE = 1e-8


def linear_predictor(moments: Moments, beta: np.ndarray, *, constant: float = 0.0) -> nw.Expr:
    """Σ_j β_j (x_j − o_j) + constant as a lazy expression; the last column of the moments is the outcome."""
    source = moments.need_rows()
    expression: nw.Expr = nw.lit(float(constant))
    for name, slope in zip(moments.columns[:-1], beta, strict=True):
        expression = expression + source.z(name) * float(slope)
    return expression


def logistic(predictor: nw.Expr) -> nw.Expr:
    """1/(1 + exp(−η)) from an exponential that cannot overflow."""
    small = (0 - predictor.abs()).exp()
    return nw.when(predictor >= 0).then(1 / (1 + small)).otherwise(small / (1 + small))


def unpack(values: dict[str, Any], prefix: str, k: int) -> np.ndarray:
    """Symmetric (…, k, k) array from packed columns `prefix`i_j."""
    first = np.asarray(values[f"{prefix}0_0"], dtype=float)
    out = np.empty((*first.shape, k, k))
    for i, j in combinations_with_replacement(range(k), 2):
        out[..., i, j] = out[..., j, i] = values[f"{prefix}{i}_{j}"]
    return out


def _row_covariance(fitted: Fitted, moments: Moments, cov: str) -> tuple[np.ndarray, str]:
    """Covariance of independent rows about zero, and its name: HC3 for "auto", HC1, or the model's own for "iid".

    It is infinite where one row carries a coefficient alone.

    Raises
    ------
    DesignError
        If the moments came without the rows that a robust covariance needs.
    """
    basis, bread, df = fitted.basis, fitted.model.bread, fitted.df_resid
    if cov == "iid":
        sigma2 = fitted.residual_variance if fitted.family == "gaussian" else 1.0
        return sigma2 * basis @ bread @ basis.T, f"{_WORDS[fitted.family][0]}, t({df})"
    kind = "HC1" if cov == "HC1" else "HC3"
    moments.need_rows(
        f"{kind} needs one more pass over the rows",
        fix="estimate from the rows, give `by` when the moments are made, or ask for cov='iid'",
    )
    meat, lone = _leverage_pass(fitted, moments, power=0 if kind == "HC1" else 2)
    factor = moments.rows / df if kind == "HC1" else 1.0
    influence = basis @ bread
    covariance = np.asarray(factor * influence @ meat @ influence.T)
    if lone is not None:
        own, whole = influence @ lone @ influence.T, influence @ basis.T
        lost = np.diag(own) > _LOST * np.diag(whole)
        covariance[lost], covariance[:, lost] = 0.0, 0.0
        covariance[lost, lost] = np.inf
    return covariance, f"{kind}, t({df})"


def _leverage_pass(fitted: Fitted, moments: Moments, *, power: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Σ_i x_i x_iᵀ e_i² / (1 − h_i)^power: the meat of HC1 (power 0) and HC3 (power 2).

    The mean is xβ, exp(xβ) or 1/(1 + exp(−xβ)) by family; h_i is weighted by the variance that goes with it.

    Returns
    -------
    meat : (k, k) ndarray
        Without the rows that fit by themselves (h = 1), whose residual is 0 whatever the truth.
    lone : (k, k) ndarray or None
        Their part of the Hessian: what is known only from them has no error that rows could tell. None without power,
        or where there are none.
    """
    source, family = moments.need_rows(), fitted.family
    beta, bread = fitted.model.beta, fitted.model.bread
    intercept = len(beta) == len(moments.columns)
    slopes, constant = (beta[1:], float(beta[0])) if intercept else (beta, 0.0)
    regressors = [*([nw.lit(1.0)] if intercept else []), *(source.z(name) for name in moments.columns[:-1])]
    k, outcome = len(regressors), moments.columns[-1]
    y = source.z(outcome) if family == "gaussian" else source.col(outcome)
    rows = source.complete().select(
        *(regressor.alias(f"r{i}") for i, regressor in enumerate(regressors)),
        linear_predictor(moments, slopes, constant=constant).alias("p"),
        y.alias("y"),
        source.w().alias("w"),
    )
    r, w, p, m = [nw.col(f"r{i}") for i in range(k)], nw.col("w"), nw.col("p"), nw.col("m")
    rows = rows.with_columns(m={"gaussian": p, "poisson": p.exp(), "logit": logistic(p)}[family])
    variance: Any = {"gaussian": nw.lit(1.0), "poisson": m, "logit": m * (1 - m)}[family]
    leverage: Any = nw.lit(0.0)
    for i, j in combinations_with_replacement(range(k), 2):
        leverage = leverage + r[i] * r[j] * float(bread[i, j] * (1 if i == j else 2))
    rows = rows.with_columns(c=w * variance, s=(w * (nw.col("y") - m)) ** 2, h=leverage)
    room = 1.0 - nw.col("c") * nw.col("h")
    share: Any = nw.col("s")
    if power:
        share = nw.when(room > _LONE).then(share / room**power).otherwise(0.0)
    source = source.staged(
        rows.with_columns(s=share, a=nw.when(room > _LONE).then(0.0).otherwise(nw.col("c"))), "g"
    )
    share, alone = nw.col("s"), nw.col("a")

    def products(factor: Any) -> list[nw.Expr]:
        pairs = combinations_with_replacement(range(k), 2)
        return [(r[i] * r[j] * factor).sum().alias(f"m{i}_{j}") for i, j in pairs]

    found = source.total([*products(share), alone.sum().alias("alone")])
    lone = unpack(source.total(products(alone)), "m", k) if power and found["alone"] else None
    return unpack(found, "m", k), lone


ITERATIONS: Final = 60
_HALVINGS = 30
#: Steps are quadratic: after one of this size (in standard deviations of the predictor) 1e-13 is left.
_TOLERANCE = 1e-7
#: A step of this size moves the Hessian by no more than its own rounding: it needs no further pass.
NEGLIGIBLE: Final = 1e-11
#: Curvature along the flattest direction, against the steepest seen, below which the likelihood has no maximum there.
_FLAT = 1e-11
#: The same below which a direction may be one in which the likelihood rises for ever.
_RISING = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A log likelihood at one β and all that a Newton step from it needs.

    Parameters
    ----------
    beta : ndarray
        Where it was evaluated, the constant first where there is one.
    loglik : float
        Its value.
    scores, hessians : ndarray
        Per account.
    """

    beta: np.ndarray
    loglik: float
    scores: np.ndarray
    hessians: np.ndarray


def ascend(
    evaluate: Callable[[np.ndarray], State],
    start: State,
    spread: np.ndarray,
    *,
    nudge: Callable[[State, np.ndarray], State] | None = None,
    negligible: float = NEGLIGIBLE,
) -> tuple[State, bool]:
    """Newton steps with step-halving.

    Parameters
    ----------
    evaluate : callable
        From β to the likelihood there, by one pass.
    start : Likelihood
        Where to begin.
    spread : (k,) ndarray
        Standard deviation of each regressor: steps are measured in the linear predictor, so that along a separating
        direction they never shrink.
    nudge : callable, optional
        From a state and a negligible step to the state after it, without a pass.
    negligible : float
        Size of such a step, in standard deviations of the linear predictor.

    Returns
    -------
    state : Likelihood
        At the maximum, or as far as it came.
    converged : bool
        False where the likelihood has no maximum or none was found.
    """
    state, steepest = start, 0.0
    for _ in range(ITERATIONS):
        gradient, scaled = state.scores.sum(axis=0), state.hessians.sum(axis=0) / np.outer(spread, spread)
        curvature = np.linalg.eigvalsh(scaled)
        steepest = max(steepest, float(curvature[-1]))
        if curvature[0] < _FLAT * steepest:
            return state, False
        step = np.linalg.solve(scaled, gradient / spread) / spread
        size = float(np.max(np.abs(step) * spread))
        if nudge is not None and size < negligible:
            return nudge(state, step), True
        for _ in range(_HALVINGS):
            with np.errstate(all="ignore"):
                trial = evaluate(state.beta + step)
            if math.isfinite(trial.loglik) and trial.loglik >= state.loglik - 1e-9 * abs(state.loglik):
                break
            step = step / 2
        else:
            return state, False
        state = trial
        if size < _TOLERANCE:
            return state, True
    return state, False


def not_converged(what: str) -> DesignError:
    """The error of a climb that ended nowhere."""
    return DesignError(
        f"{what} did not converge",
        got=f"after {ITERATIONS} Newton steps without separated rows",
        fix="rescale the regressors or look for extreme values",
    )


def flat_directions(hessian: np.ndarray, spread: np.ndarray) -> Iterator[np.ndarray]:
    """Directions in which a likelihood hardly bends, the flattest first.

    Where several columns separate at once any mixture of them is as flat: the reduced echelon form of the flat space
    takes them apart again.

    Examples
    --------
    >>> flat = np.array([[0.6, 0.8], [-0.8, 0.6], [0.0, 0.0]])
    >>> hessian = np.eye(3) - flat @ flat.T
    >>> [(d / d.max()).round(6).tolist() for d in flat_directions(hessian, np.ones(3))][-2:]
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    values, vectors = np.linalg.eigh(hessian / np.outer(spread, spread))
    for size in range(1, max(1, int(np.sum(values < _RISING * values[-1]))) + 1):
        for row in _echelon(vectors[:, :size].T):
            row[np.abs(row) < 1e-6 * np.max(np.abs(row))] = 0.0
            yield row / spread


def _echelon(rows: np.ndarray) -> np.ndarray:
    """Reduced row echelon form of independent rows, the largest entries as pivots."""
    rows = rows.copy()
    for i in range(len(rows)):
        below, column = divmod(int(np.argmax(np.abs(rows[i:]))), rows.shape[1])
        rows[[i, i + below]] = rows[[i + below, i]]
        rows[i] /= rows[i, column]
        others = np.arange(len(rows)) != i
        rows[others] -= np.outer(rows[others, column], rows[i])
    return rows


def fitted_maximum(moments: Moments, state: State, *, words: str, family: Family, r2: float) -> Fitted:
    """A maximum on its way to a Fit; without effects the constant comes first, and is carried back from the origin."""
    beta, slopes = state.beta, state.hessians.sum(axis=0)
    bread, basis = np.linalg.inv(slopes), np.eye(len(beta))
    within, names = len(beta) < len(moments.columns), moments.columns[:-1]
    parameters = len(beta) + (moments.accounts + moments.merged if within else 0)
    if not within:
        basis[0, 1:] = -moments.origin[:-1]
        slopes, names = without_constant(slopes), ("Intercept", *names)
    return Fitted(
        names=names,
        words=words,
        family=family,
        model=Scores(beta, bread, state.scores, state.hessians, moments.rows, len(beta) + within),
        basis=basis,
        values=basis @ beta,
        slopes=slopes,
        df_resid=moments.rows - parameters,
        r2=r2,
    )


def deviance_share(saturated: float, loglik: float, alone: float) -> float:
    """1 − D/D₀ with D₀ the deviance of the constant or the effects alone."""
    return 1 - (saturated - loglik) / (saturated - alone) if saturated > alone else math.nan
