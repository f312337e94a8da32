"""Every subset of the controls at once: estimates, jackknife errors and shared bootstrap draws from one cross-product.

With x̃ = X·a the residual of x on a model's controls and ũ = X·r that of the outcome, everything that model needs from
account g is a bilinear form in C_g: its restricted score is aᵀC_g r. Thousands of models are then one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erresearch.relate.design import Swept
from erresearch.relate.scores import without_each

#: Numbers held at a time (8 bytes each) while models or accounts go through in portions.
_PORTION = 4_000_000
#: A pivot below this share of its own diagonal: without that account nothing of the column is left.
_LOST = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Subsets:
    """All models of one sample group, definition, lag and set of effects.

    Parameters
    ----------
    included : (m, c) ndarray of bool
        Which controls each model holds.
    value, se : (m,) ndarray
        Coefficient of x and its standard error.
    raw_se : (m,) ndarray
        The sandwich without small-sample factor, which the bootstrap compares with itself.
    effective : (m,) ndarray
        Effective number of clusters.
    grams : (G, k, k) ndarray
        Scaled cross-products: x first, the fixed columns, the controls, the outcome last.
    directions, outcomes : (m, k) ndarray
        a and r of each model.
    inverses : (m, k−2, k−2) ndarray
        Inverse of the cross-products of each model's fixed columns and controls, 0 elsewhere.
    periods : tuple of two ndarrays or None
        Generalised inverse (T, T) and account cross-products (G, T, k) of swept period effects.
    """

    included: np.ndarray
    value: np.ndarray
    se: np.ndarray
    raw_se: np.ndarray
    effective: np.ndarray
    grams: np.ndarray
    directions: np.ndarray
    outcomes: np.ndarray
    inverses: np.ndarray
    periods: tuple[np.ndarray, np.ndarray] | None


def masks(controls: int) -> np.ndarray:
    """All subsets of so many controls, the empty one first.

    Examples
    --------
    >>> masks(2).astype(int).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    numbers = np.arange(2**controls)[:, None]
    return np.asarray(numbers >> np.arange(controls)[::-1] & 1, dtype=bool)


def solve_subsets(swept: Swept, fixed: int, rows: int, cov: str) -> Subsets:
    """Fit the outcome on x with every subset of the controls.

    Parameters
    ----------
    swept : Swept
        Cross-products with effects taken out; columns in the order x, fixed, controls, outcome.
    fixed : int
        Number of columns after x that every model holds.
    rows : int
        Complete rows.
    cov : {"CRV3", "CRV1"}
        Jackknife over accounts, or the sandwich with its small-sample factor.

    Returns
    -------
    Subsets
        In the order of :func:`masks`.
    """
    total = swept.grams.sum(axis=0)
    scale = np.sqrt(np.diag(total))
    grams = swept.grams / np.outer(scale, scale)
    total = grams.sum(axis=0)
    k = len(total)
    included = masks(k - 2 - fixed)
    directions, outcomes, inverses = _residual_makers(total, included, fixed)
    own = np.einsum("mi,ij,mj->m", directions, total, directions, optimize=True)
    slope = np.einsum("mi,ij,mj->m", directions, total, outcomes, optimize=True) / own
    packed = _packed(grams)
    leverage = packed @ _pairs(directions, directions).T
    scores = packed @ _pairs(directions, outcomes).T - leverage * slope
    raw = np.sqrt(np.sum(scores**2, axis=0)) / own
    groups = len(grams)
    if cov == "CRV1":
        parameters = 1 + fixed + included.sum(axis=1) + swept.absorbed - swept.nested + bool(swept.nested)
        se = raw * np.sqrt(groups / (groups - 1) * (rows - 1) / np.maximum(rows - parameters, 1))
    else:
        se = _jackknife(_without_each(swept, grams, scale), slope, fixed)
    unit = scale[-1] / scale[0]
    parts = None
    if swept.period_parts is not None:
        inverse, cross, _ = swept.period_parts
        parts = inverse, cross / scale
    spread = np.var(leverage, axis=0) / np.mean(leverage, axis=0) ** 2
    return Subsets(
        included,
        slope * unit,
        se * unit,
        raw * unit,
        groups / (1 + spread),
        grams,
        directions,
        outcomes,
        inverses,
        parts,
    )


def _residual_makers(
    total: np.ndarray, included: np.ndarray, fixed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a, r and the inverse of the other columns' cross-products, for every subset in one batch."""
    models, k = len(included), len(total)
    others = slice(1, k - 1)
    held = np.concatenate([np.ones((models, fixed), dtype=bool), included], axis=1)
    pairs = held[:, :, None] & held[:, None, :]
    inner = np.where(pairs, total[others, others], np.eye(k - 2))
    inverse = np.where(pairs, np.linalg.inv(inner), 0.0)
    right = np.where(held[:, :, None], total[others][:, [0, k - 1]], 0.0)
    found = inverse @ right
    found += inverse @ (right - inner @ found)
    directions, outcomes = np.zeros((models, k)), np.zeros((models, k))
    directions[:, 0] = outcomes[:, -1] = 1.0
    directions[:, others], outcomes[:, others] = -found[:, :, 0], -found[:, :, 1]
    return directions, outcomes, inverse


def _packed(grams: np.ndarray) -> np.ndarray:
    i, j = np.triu_indices(grams.shape[1])
    return np.ascontiguousarray(grams[:, i, j])


def _pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Weights on the packed triangle that give aᵀC b."""
    i, j = np.triu_indices(a.shape[1])
    return np.asarray(np.where(i == j, a[:, i] * b[:, i], a[:, i] * b[:, j] + a[:, j] * b[:, i]))


def _without_each(swept: Swept, grams: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Cross-products of all accounts but one (G, k, k); period effects are estimated again without it."""
    rest = np.asarray(grams.sum(axis=0) - grams)
    if swept.period_parts is None:
        return rest
    inverse, cross, counts = swept.period_parts
    own = cross / scale
    for g, solved in without_each(inverse, counts, own):
        rest[g] -= own[g].T @ solved
    return rest


def _jackknife(rest: np.ndarray, slope: np.ndarray, fixed: int) -> np.ndarray:
    """√((G−1)/G · Σ_g (β̂₍₋g₎ − β̂)²) of every model.

    One control after the other is left out or partialled out (a Schur complement), which doubles the number of
    matrices and takes a row and a column off each: the last step leaves x and the outcome alone.
    """
    groups, k = rest.shape[:2]
    order = [0, k - 1, *range(1 + fixed, k - 1), *range(1, 1 + fixed)]
    rest = rest[:, order][:, :, order]
    models = len(slope)
    total = np.zeros(models)
    step = max(1, _PORTION // (8 * models))
    for start in range(0, groups, step):
        some = rest[None, start : start + step]
        floor = _LOST * np.einsum("agii->agi", some)
        for _ in range(fixed):
            some = _partialled(some, floor)
        while some.shape[-1] > 2:
            some = np.concatenate([some[..., :-1, :-1], _partialled(some, floor)])
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.where(some[..., 0, 0] > floor[..., 0], some[..., 0, 1] / some[..., 0, 0], np.inf)
        moves = found - slope[:, None]
        total += np.sum(np.where(np.isnan(moves), np.inf, moves) ** 2, axis=1)
    return np.asarray(np.sqrt((groups - 1) / groups * total))


def _partialled(some: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """The last row and column partialled out; where nothing of it is left it leaves the model as it is."""
    last = some[..., -1]
    pivot = last[..., -1]
    there = pivot > floor[..., last.shape[-1] - 1]
    edge = last[..., :-1]
    share = np.where(there[..., None], edge / np.where(there, pivot, 1.0)[..., None], 0.0)
    return np.asarray(some[..., :-1, :-1] - edge[..., :, None] * share[..., None, :])


def bootstrap_t(subsets: Subsets, weights: np.ndarray) -> np.ndarray:
    """Draw the t of every model under the null, with weight vectors that all models share.

    The restricted wild cluster bootstrap: ũ_g is multiplied by v_g, every coefficient (and period effect) of the
    model is estimated again, and the new score of account g is v_g·aᵀC_g r − δ_x·aᵀC_g a − (C_g a)ᵀη.

    Parameters
    ----------
    subsets : Subsets
        The models.
    weights : (B, G) ndarray
        One row per draw.

    Returns
    -------
    (B, m) ndarray
        Coefficient over its sandwich error; times `raw_se` / `se` it is on the scale of the reported t.
    """
    groups, k = subsets.grams.shape[:2]
    flat = subsets.grams.reshape(groups, k * k)
    summed = (weights @ flat).reshape(-1, k, k)
    period_sums = None
    if subsets.periods is not None:
        inverse, cross = subsets.periods
        length = cross.shape[1]
        period_sums = (weights @ cross.reshape(groups, -1)).reshape(-1, length, k)
        period_sums = np.matmul(inverse, period_sums)
    packed = _packed(subsets.grams)
    width = k if subsets.periods is None else k + subsets.periods[1].shape[1]
    step = max(1, _PORTION // (max(groups, len(weights)) * width))
    out = np.empty((len(weights), len(subsets.value)))
    for start in range(0, len(subsets.value), step):
        some = slice(start, start + step)
        out[:, some] = _portion(
            subsets, some, weights=weights, packed=packed, summed=summed, period_sums=period_sums
        )
    return out


def _portion(
    subsets: Subsets,
    some: slice,
    *,
    weights: np.ndarray,
    packed: np.ndarray,
    summed: np.ndarray,
    period_sums: np.ndarray | None,
) -> np.ndarray:
    a, r, inverse = subsets.directions[some], subsets.outcomes[some], subsets.inverses[some]
    score = packed @ _pairs(a, r).T
    leverage = packed @ _pairs(a, a).T
    top = weights @ score
    delta = top / leverage.sum(axis=0)
    # how the other coefficients move with each draw (m, p, B), and what that does to each account's score (G, p, m)
    eta = np.matmul(inverse, _last_first(np.tensordot(summed[:, 1:-1], r, axes=(2, 1))))
    reach = np.tensordot(subsets.grams[:, 1:-1], a, axes=(2, 1))
    if subsets.periods is not None and period_sums is not None:
        moved = _last_first(np.tensordot(period_sums, r, axes=(2, 1)))
        eta = np.concatenate([eta, moved], axis=1)
        reach = np.concatenate([reach, np.tensordot(subsets.periods[1], a, axes=(2, 1))], axis=1)
    crossed = weights @ (reach * score[:, None, :]).reshape(len(reach), -1)
    crossed = _last_first(crossed.reshape(len(weights), *reach.shape[1:]))
    reach = _last_first(reach)
    squares = weights**2 @ score**2
    squares -= 2 * delta * (weights @ (score * leverage)) - delta**2 * np.sum(leverage**2, axis=0)
    mixed = np.matmul(reach, leverage.T[:, :, None])
    bent = np.matmul(np.matmul(reach, reach.transpose(0, 2, 1)), eta)
    squares += 2 * delta * np.sum(mixed * eta, axis=1).T
    squares += np.sum(eta * (bent - 2 * crossed), axis=1).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            np.where(squares > 0, top / np.sqrt(np.maximum(squares, 0.0)), np.copysign(np.inf, top))
        )


def _last_first(values: np.ndarray) -> np.ndarray:
    """(a, b, m) laid out as (m, b, a), so that products of many small matrices go through BLAS."""
    return np.ascontiguousarray(values.transpose(2, 1, 0))
