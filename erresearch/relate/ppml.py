"""Poisson pseudo-maximum likelihood with account (and period) effects, by passes of the same aggregation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from erresearch.aggregate import Source, moment_pass
from erresearch.errors import ColumnError, DataError, DesignError
from erresearch.inference import Scores
from erresearch.moments import Moments
from erresearch.relate.design import Effect, check_design, open_moments
from erresearch.relate.fitting import Covariance, Fitted, assemble, check_covariance
from erresearch.relate.newton import ITERATIONS, ascend, flattest
from erresearch.relate.passes import leverage_pass, linear_predictor, unpack
from erresearch.results import Fit

__all__ = ["poisson"]

_KEEP = "__keep__"
_NEVER = 1e300  # stands for "no such row" in a maximum or minimum
SEPARATED = "separated (the regressors predict the zero perfectly)"


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The likelihood at one β and all that a Newton step from it needs."""

    beta: np.ndarray  # slopes only
    loglik: float  # Σ y·η + const, effects concentrated out
    means: np.ndarray  # exp(α) per group
    scores: np.ndarray
    hessians: np.ndarray

    @property
    def slope(self) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and negative Hessian in the slopes, a common intercept concentrated out."""
        gradient, hessian = self.scores.sum(axis=0), self.hessians.sum(axis=0)
        if len(gradient) == len(self.beta):
            return gradient, hessian
        return gradient[1:], hessian[1:, 1:] - np.outer(hessian[0, 1:], hessian[0, 1:]) / hessian[0, 0]


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
        Collinear columns, moments without their rows, or no convergence.

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
    moments = open_moments(data, [*on, outcome], by=by)
    effects = effects if effects is not None else (("account",) if moments.by is not None else ())
    _refuse(moments, effects, cov)
    within = bool(effects)
    totals, moments, dropped = _usable(moments, within=within)
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
    df_resid = moments.rows - len(beta) - (moments.accounts if within else 0)
    covariance, label = None, ""
    if moments.by is None:
        covariance, label = _row_covariance(moments, beta, bread, cov, df_resid)
    model = Scores(beta, bread, state.scores, state.hessians, moments.rows, len(beta) + (1 if within else 0))
    words = "PPML with account effects" if within else "PPML"
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
    )
    return assemble(fitted, cov=cov, level=level, rng=rng)


@dataclass(frozen=True, slots=True, eq=False)
class _Totals:
    """Per group: Σ y, Σ x·y (about the origin) and Σ y·log y."""

    y: np.ndarray
    xy: np.ndarray
    ylogy: np.ndarray


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
    check_covariance(cov, clustered=moments.by is not None)


def _usable(moments: Moments, *, within: bool) -> tuple[_Totals, Moments, dict[str, int]]:
    """Totals of the outcome, after leaving out the accounts that have none (they carry no information)."""
    import narwhals.stable.v2 as nw

    source, name = moments.source, moments.columns[-1]
    assert source is not None
    y = source.col(name)
    wy = source.w() * y
    expressions = [
        y.min().alias("low"),
        y.max().alias("high"),
        wy.sum().alias("y"),
        nw.when(y < 0).then(1).otherwise(0).sum().alias("negative"),
        nw.when(y > 0)
        .then(wy * nw.when(y > 0).then(y).otherwise(1.0).log())
        .otherwise(0.0)
        .sum()
        .alias("ylogy"),
    ]
    expressions += [(source.z(x) * wy).sum().alias(f"x{i}") for i, x in enumerate(moments.columns[:-1])]
    _, values = source.by_account(expressions)
    if values["low"].min() < 0:
        raise DataError(
            f"the outcome {name!r} must not be negative in a Poisson regression",
            got=f"{int(values['negative'].sum()):,} of {moments.rows:,} rows, the least {values['low'].min():g}",
            allowed="0 or more",
            fix="handle refunds and corrections before, or use `regress`",
        )
    if values["high"].max() <= 0:
        raise DataError(
            f"the outcome {name!r} is 0 in all {moments.rows:,} rows", fix="there is nothing to explain"
        )
    keep = values["high"] > 0 if within else np.ones(moments.accounts, dtype=bool)
    xy = np.column_stack([values[f"x{i}"] for i in range(len(moments.columns) - 1)])
    dropped = dict(moments.dropped)
    if not keep.all():
        dropped[f"in {int((~keep).sum()):,} accounts without any {name}"] = int(moments.count[~keep].sum())
        moments = replace(
            moments,
            keys=moments.keys[keep],
            count=moments.count[keep],
            weight=moments.weight[keep],
            sums=moments.sums[keep],
            cross=moments.cross[keep],
            cells=None,
        )
    return _Totals(values["y"][keep], xy[keep], values["ylogy"][keep]), moments, dropped


def _state(moments: Moments, totals: _Totals, beta: np.ndarray, *, within: bool) -> _State:
    """One pass: scores, Hessians and likelihood at `beta`, effects concentrated out."""
    source = moments.source
    assert source is not None
    names = moments.columns[:-1]
    k = len(names)
    mean = linear_predictor(moments, beta).exp()
    if source.weight is not None:
        mean = source.w() * mean
    z = [source.z(name) for name in names]
    pairs = list(combinations_with_replacement(range(k), 2))
    expressions = [mean.sum().alias("e"), *((z[i] * mean).sum().alias(f"f{i}") for i in range(k))]
    expressions += [(z[i] * z[j] * mean).sum().alias(f"q{i}_{j}") for i, j in pairs]
    keys, values = source.by_account(expressions)
    if len(keys) > moments.accounts:
        keep = np.isin(keys.astype(str), moments.keys.astype(str))
        values = {name: value[keep] for name, value in values.items()}
    e = values["e"]
    f = np.column_stack([values[f"f{i}"] for i in range(k)])
    q = unpack(values, "q", k)
    if within:
        means = totals.y / e
        centre = f / e[:, None]
        scores = totals.xy - totals.y[:, None] * centre
        hessians = (
            means[:, None, None] * q - totals.y[:, None, None] * centre[:, :, None] * centre[:, None, :]
        )
    else:
        means = np.array([totals.y.sum() / e.sum()])
        scores = np.column_stack([totals.y - means * e, totals.xy - means * f])
        hessians = np.empty((len(e), k + 1, k + 1))
        hessians[:, 0, 0], hessians[:, 1:, 1:] = means * e, means * q
        hessians[:, 0, 1:] = hessians[:, 1:, 0] = means * f
    weights = totals.y if within else np.array([totals.y.sum()])
    loglik = float(beta @ totals.xy.sum(axis=0) + weights @ np.log(means))
    return _State(beta, loglik, means, scores, hessians)


def _newton(moments: Moments, totals: _Totals, *, within: bool) -> tuple[_State, bool]:
    """Climb the concentrated likelihood; says whether it converged."""
    spread = np.sqrt(_swept(moments, within=within) / moments.weight.sum())[:-1]

    def at(beta: np.ndarray) -> _State:
        return _state(moments, totals, beta, within=within)

    return ascend(at, at(np.zeros(len(moments.columns) - 1)), spread)


def _fit(
    moments: Moments, totals: _Totals, *, within: bool, dropped: dict[str, int]
) -> tuple[_State, Moments, list[str], dict[str, int]]:
    """Fit; where the likelihood has no maximum, leave out the rows that the regressors separate and fit again."""
    lost: list[str] = []
    for _ in range(len(moments.columns)):
        if len(moments.columns) < 2:
            break
        _check(moments, within=within)
        state, converged = _newton(moments, totals, within=within)
        if converged:
            return state, moments, lost, dropped
        kept, count = _without_separated(moments, state, within=within)
        if not count:
            raise DesignError(
                "PPML did not converge",
                got=f"after {ITERATIONS} Newton steps without separated rows",
                fix="rescale the regressors or look for extreme values",
            )
        before = dropped.get(SEPARATED, 0)
        totals, moments, again = _usable(kept, within=within)
        dropped = {**dropped, **{words: n for words, n in again.items() if words not in kept.dropped}}
        dropped[SEPARATED] = before + count
        flat = _flat(moments, within=within)
        lost += flat
        totals, moments = _only(totals, moments, [name for name in moments.columns if name not in flat])
    raise DesignError(
        f"every regressor predicts the zeros of {moments.columns[-1]!r} perfectly",
        got=", ".join(map(repr, lost)),
        fix="compare shares of zeros instead",
    )


def _gram(moments: Moments, *, within: bool) -> np.ndarray:
    """Cross-products about the account means, or about the mean of all."""
    if within:
        return np.asarray(moments.within().sum(axis=0))
    sums = moments.sums.sum(axis=0)
    return np.asarray(moments.grams().sum(axis=0) - np.outer(sums, sums) / moments.weight.sum())


def _swept(moments: Moments, *, within: bool) -> np.ndarray:
    return np.maximum(np.diag(_gram(moments, within=within)), 0.0)


def _check(moments: Moments, *, within: bool) -> None:
    raw = np.einsum("gii->i", moments.grams())
    check_design(_gram(moments, within=within)[:-1, :-1], moments.columns[:-1], raw[:-1])


def _flat(moments: Moments, *, within: bool) -> list[str]:
    own, raw = _swept(moments, within=within), np.einsum("gii->i", moments.grams())
    return [
        n
        for n, left, before in zip(moments.columns[:-1], own, raw, strict=False)
        if not left > 1e-12 * before
    ]


def _only(totals: _Totals, moments: Moments, columns: list[str]) -> tuple[_Totals, Moments]:
    index = [moments.columns.index(name) for name in columns[:-1]]
    return replace(totals, xy=totals.xy[:, index]), moments[columns]


def _without_separated(moments: Moments, state: _State, *, within: bool) -> tuple[Moments, int]:
    """Moments without the rows whose zeros a direction of the regressors predicts perfectly.

    The likelihood keeps rising along the direction d of least curvature. d separates when x·d is the same for all
    positive outcomes (of an account, with effects) and no zero lies above it; the zeros below it are separated.
    """
    import narwhals.stable.v2 as nw

    source = moments.source
    assert source is not None
    spread = np.sqrt(_swept(moments, within=within)[:-1])
    direction = flattest(state, spread)
    direction /= np.max(np.abs(direction) * spread) / math.sqrt(moments.rows)
    y = source.col(moments.columns[-1])
    for sign in (1.0, -1.0):
        along = linear_predictor(moments, sign * direction)
        top = nw.when(y > 0).then(along).otherwise(-_NEVER)
        _, values = source.by_account(
            [
                top.max().alias("high"),
                nw.when(y > 0).then(along).otherwise(_NEVER).min().alias("low"),
                nw.when(y > 0).then(-_NEVER).otherwise(along).max().alias("zero"),
            ]
        )
        high, low, zero = values["high"], values["low"], values["zero"]
        seen = high > -_NEVER
        if not within:
            high, low = np.full_like(high, high.max()), np.full_like(low, low.min())
        margin = 1e-6
        if np.max((high - low)[seen]) < margin and not np.any(zero[seen] > high[seen] + margin):
            edge: Any = top.max().over(source.account) if within and source.account else float(high.max())
            keep = (y > 0) | (along >= edge - margin)
            frame = source.complete().with_columns(keep.alias(_KEEP)).filter(nw.col(_KEEP)).drop(_KEEP)
            fewer = _again(moments, replace(source, frame=frame))
            return fewer, moments.rows - fewer.rows
    return moments, 0


def _again(moments: Moments, source: Source) -> Moments:
    """The same moments from fewer rows."""
    source, sums = moment_pass(source)
    whole = replace(
        moments,
        columns=source.columns,
        origin=source.origin,
        keys=sums.keys,
        count=sums.count,
        weight=sums.weight,
        sums=sums.sums,
        cross=sums.cross,
        cells=None,
        source=source,
    )
    return whole[moments.columns]


def _row_covariance(
    moments: Moments, beta: np.ndarray, bread: np.ndarray, cov: Covariance, df_resid: int
) -> tuple[np.ndarray, str]:
    """HC3 (HC1, or the model's own) covariance of a pooled PPML: e² / (1 − h)², h = μ·xᵀH⁻¹x."""
    if cov == "iid":
        return bread, f"Poisson variance, t({df_resid})"
    power = 0 if cov == "HC1" else 2
    meat = leverage_pass(moments, beta, bread, intercept=True, power=power, family="poisson")
    factor = moments.rows / df_resid if cov == "HC1" else 1.0
    return factor * bread @ meat @ bread, f"{'HC1' if cov == 'HC1' else 'HC3'}, t({df_resid})"


def _deviance_share(moments: Moments, totals: _Totals, state: _State, *, within: bool) -> float:
    """1 − D/D₀ with D₀ the deviance of the effects alone."""
    y = totals.y if within else np.array([totals.y.sum()])
    n = moments.weight if within else np.array([moments.weight.sum()])
    alone = float(y @ np.log(y / n))
    saturated = float(totals.ylogy.sum())
    return 1 - (saturated - state.loglik) / (saturated - alone) if saturated > alone else math.nan
