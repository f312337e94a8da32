"""Generalised linear models by passes of the same aggregation: PPML with account effects, and the logit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import DataError, DesignError
from erresearch.relate.design import (
    Effect,
    centred,
    check_accounts,
    check_design,
    check_outcome,
    check_regressors,
    check_rows,
    effect_word,
    free_constant,
    left_out,
    listed,
    open_moments,
    still,
    without_constant,
)
from erresearch.relate.fitted_models import (
    ITERATIONS,
    Covariance,
    Family,
    Fitted,
    State,
    ascend,
    assemble,
    check_covariance,
    flattest,
    linear_predictor,
    logistic,
    row_covariance,
    unpack,
)
from erresearch.relate.poisson_profile_likelihood import (
    SEPARATED,
    Totals,
    climb,
    flat_directions,
    hold,
    only,
    starting_slopes,
    usable,
    without_separated,
)
from erresearch.relate.scores import Scores
from erresearch.results import Fit
from erresearch.results.estimates import check_level


def poisson(
    data: Any,
    outcome: Any,
    on: Sequence[Any],
    *,
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

    See Also
    --------
    erresearch.regress : Least squares.
    erresearch.decay : How reactions grow with followers.

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
    check_level(level)
    on = listed(on)
    named = by is not None or getattr(data, "by", None) is not None
    effects = effects if effects is not None else (("account",) if named else ())
    moments = open_moments(data, [*on, outcome], by=by, within=bool(effects))
    _refuse(moments, effects, cov)
    within, moments = bool(effects), hold(moments)
    totals, moments, dropped = usable(moments, within=within)
    left, raw = centred(moments, within=within)[-1, -1], np.einsum("gii->i", moments.grams())[-1]
    check_outcome(moments, left, raw, when=" within its accounts" * within)
    state, moments, lost, dropped = _fit(moments, totals, within=within, dropped=dropped)
    beta = state.beta
    if not within:
        beta = np.concatenate([[math.log(state.means[0])], beta])
    words = f"PPML with {effect_word(moments.by)} effects" if within else "PPML"
    if lost:
        words += f" ({', '.join(map(repr, lost))} left out: predicts zeros perfectly)"
    y = float(totals.y.sum())
    alone = float(totals.alone.sum()) if within else y * math.log(y / moments.weight.sum())
    fitted = _fitted(
        replace(moments, dropped=dropped),
        beta,
        state,
        within=within,
        words=words,
        family="poisson",
        r2=_deviance_share(float(totals.ylogy.sum()), state.loglik, alone),
        cov=cov,
    )
    return assemble(fitted, cov=cov, level=level, rng=rng)


def _fitted(
    moments: Moments,
    beta: np.ndarray,
    state: State,
    *,
    within: bool,
    words: str,
    family: Family,
    r2: float,
    cov: Covariance,
) -> Fitted:
    """A maximum on its way to a Fit; without effects the constant comes first, and is carried back from the origin."""
    total = state.hessians.sum(axis=0)
    bread = np.linalg.inv(total)
    parameters = len(beta) + (moments.accounts + moments.merged if within else 0)
    check_rows(moments.rows, parameters)
    df_resid = moments.rows - parameters
    covariance, label, lone = row_covariance(moments, beta, bread, cov, df_resid, family=family)
    basis, slopes = np.eye(len(beta)), total
    if not within:
        basis[0, 1:] = -moments.origin[:-1]
        slopes = without_constant(total)
    scale = np.sqrt(np.diag(slopes))
    values = np.linalg.eigvalsh(slopes / np.outer(scale, scale))
    inflation = np.diag(np.linalg.inv(slopes)) * np.diag(slopes)
    return Fitted(
        names=moments.columns[:-1] if within else ("Intercept", *moments.columns[:-1]),
        outcome=moments.columns[-1],
        words=words,
        bootstrap="restricted score bootstrap",
        model=Scores(beta, bread, state.scores, state.hessians, moments.rows, len(beta) + within),
        basis=basis,
        values=basis @ beta,
        covariance=covariance,
        label=label,
        lone=lone,
        df_resid=df_resid,
        r2=r2,
        condition_number=math.sqrt(values[-1] / values[0]),
        vif=dict(zip(moments.columns[:-1], map(float, inflation), strict=True)),
        dropped=moments.dropped,
        by=moments.by,
    )


def _deviance_share(saturated: float, loglik: float, alone: float) -> float:
    """1 − D/D₀ with D₀ the deviance of the constant or the effects alone."""
    return 1 - (saturated - loglik) / (saturated - alone) if saturated > alone else math.nan


def _refuse(moments: Moments, effects: tuple[Effect, ...], cov: str) -> None:
    if effects not in ((), ("account",)):
        raise DesignError(
            "PPML takes account effects only",
            got=repr(effects),
            allowed="(), ('account',)",
            fix="use `regress` on the log of a positive outcome for period effects",
        )
    check_accounts(moments, effects)
    moments.need_rows("PPML needs passes over the rows")
    check_regressors(moments.columns[:-1])
    check_rows(moments.rows, len(moments.columns) - 1, got=left_out(moments.dropped))
    if not effects:
        free_constant(moments.columns[:-1])
    check_covariance(cov, clustered=moments.by is not None)


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


_BEYOND_ANY = 1e300


def logit(
    data: Any,
    outcome: str,
    on: Sequence[Any],
    *,
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

    See Also
    --------
    erresearch.poisson : For counts and amounts.
    erresearch.regress : Differences of shares.

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
    check_level(level)
    on = listed(on)
    moments = _open(data, outcome, on, by=by, trials=trials, cov=cov)
    weight, saturated = _check_outcome(moments, outcome, trials)
    count = len(moments.columns)
    sums = moments.sums.sum(axis=0)
    gram, raw = centred(moments, within=False), np.einsum("gii->i", moments.grams())
    check_design(gram[:-1, :-1], moments.columns[:-1], raw[:-1])
    spread = np.concatenate([[1.0], np.sqrt(np.diag(gram)[:-1] / weight)])
    share = float(moments.origin[-1] + sums[-1] / weight)
    start = np.zeros(count)
    start[0] = math.log(share / (1 - share))

    def at(beta: np.ndarray) -> State:
        return _state(moments, beta)

    state, converged = ascend(at, at(start), spread)
    if not converged:
        raise _not_converged(moments, state, spread)
    alone = weight * (share * math.log(share) + (1 - share) * math.log(1 - share))
    fitted = _fitted(
        moments,
        state.beta,
        state,
        within=False,
        words="logit",
        family="logit",
        r2=_deviance_share(saturated, state.loglik, alone),
        cov=cov,
    )
    fitted = replace(fitted, outcome=outcome)
    return assemble(fitted, cov=cov, level=level, rng=rng)


def _open(
    data: Any, outcome: str, on: Sequence[Any], *, by: str | None, trials: str | None, cov: Covariance
) -> Moments:
    check_regressors(on)
    left: Any = outcome
    if trials is not None and not isinstance(data, Moments):
        successes = nw.col(outcome).cast(nw.Float64())
        left = (successes / nw.col(trials).cast(nw.Float64())).alias(f"{outcome} per {trials}")
    elif trials is not None:
        left = f"{outcome} per {trials}"
    moments = open_moments(data, [*on, left], by=by, weights=trials, within=False)
    check_covariance(cov, clustered=moments.by is not None)
    moments.need_rows("the logit needs passes over the rows")
    check_rows(
        moments.rows,
        len(moments.columns),
        got=left_out(moments.dropped),
        fix="use fewer columns or more data",
    )
    return moments


def _check_outcome(moments: Moments, outcome: str, trials: str | None) -> tuple[float, float]:
    """Sum of weights, and the likelihood of a model that knew every row."""
    source = moments.need_rows()
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


def _state(moments: Moments, beta: np.ndarray) -> State:
    """One pass: scores, Hessians and likelihood at `beta`."""
    source = moments.need_rows()
    count = len(beta)
    predictor = linear_predictor(moments, beta[1:], constant=float(beta[0]))
    z = [source.z(name).alias(f"z{i}") for i, name in enumerate(moments.columns[:-1], start=1)]
    own = [predictor.alias("p"), source.col(moments.columns[-1]).alias("y"), source.w().alias("w")]
    own += [] if source.account is None else [nw.col(source.account).alias("g")]
    rows = source.complete().select(*z, *own).with_columns(z0=nw.lit(1.0), m=logistic(nw.col("p")))
    p, y, w, m = (nw.col(name) for name in "pywm")
    top = nw.when(p > 0).then(p).otherwise(0.0)
    loglik = w * (y * p - top - (1 + (-p.abs()).exp()).log())
    rows = rows.with_columns(l=loglik, e=w * (y - m), c=w * m * (1 - m))
    rows = rows.with_columns(*((nw.col("c") * nw.col(f"z{i}")).alias(f"c{i}") for i in range(count)))
    sums = [nw.col("l").sum()]
    sums += [(nw.col("e") * nw.col(f"z{i}")).sum().alias(f"s{i}") for i in range(count)]
    pairs = combinations_with_replacement(range(count), 2)
    sums += [(nw.col(f"c{i}") * nw.col(f"z{j}")).sum().alias(f"h{i}_{j}") for i, j in pairs]
    _, values = source.staged(rows, "g").by_account(sums)
    scores = np.column_stack([values[f"s{i}"] for i in range(count)])
    return State(beta, float(values["l"].sum()), scores, unpack(values, "h", count))


def _not_converged(moments: Moments, state: State, spread: np.ndarray) -> DesignError:
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
    source = moments.need_rows()
    along, y = linear_predictor(moments, direction), source.col(moments.columns[-1])
    found = source.total(
        [
            nw.when(y < 1).then(along).otherwise(-_BEYOND_ANY).max().alias("no high"),
            nw.when(y < 1).then(along).otherwise(_BEYOND_ANY).min().alias("no low"),
            nw.when(y > 0).then(along).otherwise(-_BEYOND_ANY).max().alias("yes high"),
            nw.when(y > 0).then(along).otherwise(_BEYOND_ANY).min().alias("yes low"),
        ]
    )
    margin = 1e-9 * max(abs(found["no high"] - found["no low"]), abs(found["yes high"] - found["yes low"]))
    return found["no high"] <= found["yes low"] + margin or found["yes high"] <= found["no low"] + margin
