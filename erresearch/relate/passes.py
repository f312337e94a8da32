"""The few further passes over the rows that a regression may need, each one lazy aggregation."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from erresearch.engine.moments import Moments

if TYPE_CHECKING:
    import narwhals.stable.v2 as nw

__all__ = ["Family", "leverage_pass", "linear_predictor", "logistic", "unpack"]


Family = Literal["gaussian", "poisson", "logit"]

#: 1 − h of a row below which the row fits by itself.
_LONE = 1e-8


def linear_predictor(moments: Moments, beta: np.ndarray, *, constant: float = 0.0) -> nw.Expr:
    """Σ_j β_j (x_j − o_j) + constant as a lazy expression; the last column of the moments is the outcome."""
    import narwhals.stable.v2 as nw

    source = moments.source
    assert source is not None
    expression: nw.Expr = nw.lit(float(constant))
    for name, slope in zip(moments.columns[:-1], beta, strict=True):
        expression = expression + source.z(name) * float(slope)
    return expression


def logistic(predictor: nw.Expr) -> nw.Expr:
    """1/(1 + exp(−η)) from an exponential that cannot overflow."""
    import narwhals.stable.v2 as nw

    small = (-predictor.abs()).exp()
    return nw.when(predictor >= 0).then(1 / (1 + small)).otherwise(small / (1 + small))


def unpack(values: dict[str, Any], prefix: str, k: int) -> np.ndarray:
    """Symmetric (…, k, k) array from packed columns `prefix`i_j."""
    first = np.asarray(values[f"{prefix}0_0"], dtype=float)
    out = np.empty((*first.shape, k, k))
    for i, j in combinations_with_replacement(range(k), 2):
        out[..., i, j] = out[..., j, i] = values[f"{prefix}{i}_{j}"]
    return out


def leverage_pass(
    moments: Moments,
    beta: np.ndarray,
    bread: np.ndarray,
    *,
    intercept: bool,
    power: int,
    family: Family = "gaussian",
) -> tuple[np.ndarray, np.ndarray | None]:
    """Σ_i x_i x_iᵀ e_i² / (1 − h_i)^power: the meat of HC1 (power 0) and HC3 (power 2).

    The mean is xβ, exp(xβ) or 1/(1 + exp(−xβ)) by `family`; h_i is weighted by the variance that goes with it.

    Returns
    -------
    meat : (k, k) ndarray
        Without the rows that fit by themselves (h = 1), whose residual is 0 whatever the truth.
    lone : (k, k) ndarray or None
        Their part of the Hessian: what is known only from them has no error that rows could tell. None without power,
        or where there are none.
    """
    import narwhals.stable.v2 as nw

    source = moments.source
    assert source is not None
    names = moments.columns[:-1]
    regressors: list[Any] = [source.z(name) for name in names]
    slopes, constant = beta, 0.0
    if intercept:
        regressors = [nw.lit(1.0), *regressors]
        slopes, constant = beta[1:], float(beta[0])
    predictor = linear_predictor(moments, slopes, constant=constant)
    weight = source.w()
    y, curvature = source.col(moments.columns[-1]), weight
    if family == "gaussian":
        residual = source.z(moments.columns[-1]) - predictor
    elif family == "poisson":
        residual, curvature = y - predictor.exp(), weight * predictor.exp()
    else:
        mean = logistic(predictor)
        residual, curvature = y - mean, weight * mean * (1 - mean)
    k = len(regressors)
    leverage: Any = nw.lit(0.0)
    for i, j in combinations_with_replacement(range(k), 2):
        leverage = leverage + regressors[i] * regressors[j] * float(bread[i, j] * (1 if i == j else 2))
    room = 1.0 - curvature * leverage
    share = (weight * residual) ** 2
    if power:
        share = nw.when(room > _LONE).then(share / room**power).otherwise(0.0)
    alone = nw.when(room > _LONE).then(0.0).otherwise(curvature)

    def products(factor: Any) -> list[nw.Expr]:
        pairs = combinations_with_replacement(range(k), 2)
        return [(regressors[i] * regressors[j] * factor).sum().alias(f"m{i}_{j}") for i, j in pairs]

    found = source.total([*products(share), alone.sum().alias("alone")])
    lone = unpack(source.total(products(alone)), "m", k) if power and found["alone"] else None
    return unpack(found, "m", k), lone
