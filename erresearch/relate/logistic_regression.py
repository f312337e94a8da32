"""Logistic regression by passes of the same aggregation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import DataError, DesignError
from erresearch.relate.design import (
    centred,
    check_design,
    check_regressors,
    check_rows,
    left_out,
    listed,
    open_moments,
)
from erresearch.relate.fitted_models import (
    Covariance,
    State,
    ascend,
    assemble,
    check_covariance,
    flattest,
    linear_predictor,
    logistic,
    not_converged,
    unpack,
)
from erresearch.relate.poisson_regression import deviance_share, fitted_maximum
from erresearch.results import Fit
from erresearch.results.estimates import check_level

_BEYOND_ANY = 1e300


def logit(
    data: Any,
    outcome: str,
    on: Sequence[Any],
    *,
    by: str | None = None,
    cov: Covariance = "auto",
    level: float = 0.95,
    rng: int = 0,
) -> Fit:
    """Logistic regression: the log odds of a yes, for example of a conversion.

    P(y_i = 1 | x_i) = 1 / (1 + exp(−α − x_iᵀβ)), each Newton step one weighted pass of the aggregation that makes
    moments. exp(β) is an odds ratio. There are no account effects (their number grows with the accounts and biases β);
    `by` clusters the inference.

    Parameters
    ----------
    data : frame, path or Moments
        Any frame that narwhals accepts, or a path or glob of .parquet or .csv; moments that still have their rows.
    outcome : str
        0 or 1 (false or true).
    on : sequence of str or narwhals expressions
        Regressors.
    by : str, optional
        The account: unit of the clustering.
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
        An outcome outside 0 and 1, or the same everywhere.
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
    check_regressors(on)
    moments = open_moments(data, [*on, outcome], by=by, within=False)
    check_covariance(cov, clustered=moments.by is not None)
    moments.need_rows("the logit needs passes over the rows")
    got, fix = left_out(moments.dropped), "use fewer columns or more data"
    check_rows(moments.rows, len(moments.columns), got=got, fix=fix)
    _check_outcome(moments)
    weight = float(moments.weight.sum())
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
    # a model that knew every answer would have a likelihood of 1
    r2 = deviance_share(0.0, state.loglik, alone)
    fitted = fitted_maximum(moments, state.beta, state, words="logit", family="logit", r2=r2)
    return assemble(fitted, moments, cov=cov, level=level, rng=rng)


def _check_outcome(moments: Moments) -> None:
    outcome = moments.columns[-1]
    y = moments.need_rows().col(outcome)
    wrong = nw.when((y != 0) & (y != 1)).then(1).otherwise(0).sum().alias("wrong")
    found = moments.need_rows().total([wrong, y.min().alias("low"), y.max().alias("high")])
    if found["wrong"]:
        raise DataError(
            f"{outcome!r} is no outcome for a logit",
            got=f"{int(found['wrong']):,} of {moments.rows:,} rows hold something else",
            allowed="0 and 1 (false and true)",
            fix="use `regress` or `poisson`",
        )
    if found["low"] == found["high"]:
        raise DataError(
            f"the outcome {outcome!r} is the same in all {moments.rows:,} rows",
            got="always no" if found["low"] == 0 else "always yes",
            fix="there is nothing to explain",
        )


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
        return not_converged("the logit")
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
