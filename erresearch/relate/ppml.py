"""Poisson pseudo-maximum likelihood with account (and period) effects, by passes of the same aggregation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import ColumnError, DataError, DesignError, ErresearchError
from erresearch.inference import Scores
from erresearch.moments import Moments
from erresearch.relate.design import Effect, centred, check_design, free_constant, open_moments, still
from erresearch.relate.fitting import Covariance, Fitted, assemble, check_covariance
from erresearch.relate.newton import ITERATIONS, NEGLIGIBLE, ascend
from erresearch.relate.passes import leverage_pass, linear_predictor, unpack
from erresearch.relate.separation import SEPARATED, flat_directions, moments_again, without_separated
from erresearch.results import Fit
from erresearch.sources import gather

__all__ = ["poisson"]

#: Rows of the sample that gives the starting values, and the step at which its climb may end: its own sampling
#: error is larger.
_SAMPLE, _NEAR = 250_000, 1e-2


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
    if df_resid <= 0:
        raise DesignError(
            f"{moments.rows} complete rows cannot carry {moments.rows - df_resid} parameters",
            allowed=f"more than {moments.rows - df_resid} rows",
            fix="use fewer columns or effects, or more data",
        )
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
    if not effects:
        free_constant(moments.columns[:-1])
    check_covariance(cov, clustered=moments.by is not None)


def _usable(moments: Moments, *, within: bool) -> tuple[_Totals, Moments, dict[str, int]]:
    """Totals of the outcome, after leaving out the accounts that have none (they carry no information)."""
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


def _nudged(state: _State, step: np.ndarray) -> _State:
    """The state after a step so small that the Hessians stay what they are."""
    hessians = state.hessians
    if hessians.shape[1] > len(step):  # the common intercept moves along
        total = hessians.sum(axis=0)
        step = np.concatenate([[-(total[0, 1:] @ step) / total[0, 0]], step])
        means = state.means * math.exp(step[0])
    else:
        means = state.means
    return replace(
        state, beta=state.beta + step[-len(state.beta) :], means=means, scores=state.scores - hessians @ step
    )


def _climb(
    moments: Moments, totals: _Totals, start: np.ndarray, *, within: bool, negligible: float = NEGLIGIBLE
) -> tuple[_State, bool]:
    """Climb the concentrated likelihood; says whether it converged."""
    gram = centred(moments, within=within)[:-1, :-1]
    spread = np.sqrt(np.maximum(np.diag(gram), 0.0) / moments.weight.sum())

    def at(beta: np.ndarray) -> _State:
        return _state(moments, totals, beta, within=within)

    return ascend(at, at(start), spread, nudge=_nudged, negligible=negligible)


def _start(moments: Moments, *, within: bool) -> np.ndarray:
    """Slopes of a sample of accounts where there are many rows: two or three passes over all of them then do."""
    zero = np.zeros(len(moments.columns) - 1)
    step = moments.rows // _SAMPLE
    source = moments.source
    if source is None or source.account is None or step < 4 or moments.accounts < 20 * step:
        return zero
    few = moments.keys[::step].tolist()
    rows = source.complete().filter(nw.col(source.account).cast(nw.String()).is_in(few))
    sample = replace(source, frame=nw.from_native(gather(rows)).lazy())
    try:
        totals, part, _ = _usable(moments_again(moments, sample), within=within)
        state, converged = _climb(part, totals, zero, within=within, negligible=_NEAR)
    except ErresearchError:  # of the sample, not of the data: the climb begins at 0 then
        return zero
    return state.beta if converged else zero


def _fit(
    moments: Moments, totals: _Totals, *, within: bool, dropped: dict[str, int]
) -> tuple[_State, Moments, list[str], dict[str, int]]:
    """Fit; where the likelihood has no maximum, leave out the rows that the regressors separate and fit again."""
    lost: list[str] = []
    for _ in range(len(moments.columns)):
        if len(moments.columns) < 2:
            break
        gram, raw = centred(moments, within=within), np.einsum("gii->i", moments.grams())
        gone = dropped.get(SEPARATED, 0)
        when = f" once {gone:,} rows are left out whose zeros they predict perfectly" if gone else ""
        scale = check_design(gram[:-1, :-1], moments.columns[:-1], raw[:-1], when=when)
        state, converged = _climb(moments, totals, _start(moments, within=within), within=within)
        if converged:
            return state, moments, lost, dropped
        kept, count = _separated(moments, state, scale, within=within)
        totals, moments, again = _usable(kept, within=within)
        dropped = {**dropped, **{words: n for words, n in again.items() if words not in kept.dropped}}
        dropped[SEPARATED] = gone + count
        own, raw = np.diag(centred(moments, within=within)), np.einsum("gii->i", moments.grams())
        flat = [name for name, rests in zip(moments.columns[:-1], still(own, raw)[:-1], strict=True) if rests]
        lost += flat
        totals, moments = _only(totals, moments, [name for name in moments.columns if name not in flat])
    raise DesignError(
        f"every regressor predicts the zeros of {moments.columns[-1]!r} perfectly",
        got=", ".join(map(repr, lost)),
        fix="compare shares of zeros instead",
    )


def _separated(moments: Moments, state: _State, scale: np.ndarray, *, within: bool) -> tuple[Moments, int]:
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


def _only(totals: _Totals, moments: Moments, columns: list[str]) -> tuple[_Totals, Moments]:
    index = [moments.columns.index(name) for name in columns[:-1]]
    return replace(totals, xy=totals.xy[:, index]), moments[columns]


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
