"""Rolling-origin forecasts from running sums, estimated again at every origin and without each group of accounts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from erresearch.engine.moments import Cells
from erresearch.errors import DesignError
from erresearch.relate.design import check_design

__all__ = ["HISTORY", "Forecasts", "forecast"]

#: Rows that an account must have behind it before it is forecast.
HISTORY = 8
#: Share of the periods before the first forecast; most origins; most groups of accounts that are left out in turn.
_FIRST, _ORIGINS, _FOLDS = 0.5, 200, 50


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """Errors of every forecast, one row per account and period."""

    account: np.ndarray
    period: np.ndarray
    row: np.ndarray
    mean: np.ndarray
    model: np.ndarray
    rival: np.ndarray
    origins: int
    without_history: int
    left_out: np.ndarray  # (2, F): Σ saved and Σ e² of the rival where a group of accounts was never seen


def forecast(
    cells: Cells,
    labels: list[str],
    sides: list[list[int]],
    *,
    shared: list[int],
    apart: list[int],
    nested: bool,
) -> Forecasts:
    """Walk through the periods: forecast each from running sums of those before, then add it to them.

    Columns `shared` enter every model a second time as averages over the accounts, each from its own first value on;
    columns `apart` enter as differences from such averages. Otherwise a predictor would be praised for knowing the
    season or the trend that all accounts share.

    Parameters
    ----------
    cells : Cells
        One row per account and period, the outcome first.
    labels : list of str
        Names of the columns.
    sides : list of list of int
        Regressors of the model and of its rival.
    shared, apart : list of int
        See above; empty for one entity.
    nested : bool
        Whether the rival is nested in the model.

    Returns
    -------
    Forecasts

    Raises
    ------
    DesignError
        Too few rows before the first forecast, too few forecasts, or collinear columns.
    """
    accounts, k = int(cells.account.max()) + 1, len(labels) + len(shared)
    order = np.lexsort((cells.account, cells.period))
    z, who, when = cells.sums[order], cells.account[order], cells.period[order]
    z = np.column_stack([z, np.zeros((len(z), len(shared)))])
    labels = [*labels, *(f"average of {labels[column]}" for column in shared)]
    sides = [[*range(len(labels) - len(shared), len(labels)), *side] for side in sides]
    edges = np.searchsorted(when, np.arange(len(cells.periods) + 1))
    start = math.ceil(_FIRST * len(cells.periods))
    stride = math.ceil((len(cells.periods) - start) / _ORIGINS)
    fold = np.arange(accounts) % min(accounts, _FOLDS)
    sums, first = np.zeros((2, accounts, k))
    count = np.zeros(accounts)
    cross, left_out = np.zeros((fold.max() + 1, k, k)), np.zeros((2, fold.max() + 1))
    betas: list[np.ndarray] = []
    errors, used = [], []
    for t in range(len(cells.periods)):
        rows = slice(edges[t], edges[t + 1])
        values, whose = z[rows], who[rows]
        met = count[whose] > 0
        first[whose[~met]] = values[~met]
        if shared and met.any():
            common = (values[met] - first[whose[met]]).mean(axis=0)
            values[:, len(labels) - len(shared) :] = common[shared]
            values[:, apart] -= common[apart]
        if t >= start:
            if (t - start) % stride == 0:
                grams = cross - _between(sums, count, fold)
                _need(int(count.sum()), max(map(len, sides)) + int((count > 0).sum()))
                betas = [_solve(grams, side, labels) for side in sides]
            known = count[whose] >= HISTORY
            off = (values - sums[whose] / np.maximum(count[whose], 1)[:, None])[known]
            model, rival = (off[:, :1] - off[:, s] @ b.T for s, b in zip(sides, betas, strict=True))
            errors.append(np.column_stack([off[:, 0], model[:, 0], rival[:, 0]]))
            seen = fold[whose[known]][:, None] != np.arange(fold.max() + 1)
            left_out += _losses(model[:, 1:], rival[:, 1:], seen, nested=nested)
            used.append(np.flatnonzero(known) + edges[t])
        sums[whose] += values
        count[whose] += 1
        np.add.at(cross, fold[whose], values[:, :, None] * values[:, None, :])
    index = np.concatenate(used) if used else np.zeros(0, dtype=int)
    if len(index) < 2 or len(np.unique(when[index])) < 3:
        raise DesignError(
            "too few forecasts to compare",
            got=f"{len(index)} forecasts",
            allowed=f"at least 3 periods after the first {start}, and {HISTORY} earlier rows of an account",
            fix="bring longer series or ask for fewer lags or a shorter season",
        )
    mean, model, rival = np.concatenate(errors).T
    return Forecasts(
        who[index],
        when[index],
        order[index],
        mean,
        model,
        rival,
        len(range(start, len(cells.periods), stride)),
        int(len(z) - edges[start] - len(index)),
        left_out,
    )


def _between(sums: np.ndarray, count: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Σ_g s_g s_gᵀ / n_g over the accounts of each group."""
    out = np.zeros((fold.max() + 1, sums.shape[1], sums.shape[1]))
    scaled = sums / np.maximum(count, 1)[:, None]
    np.add.at(out, fold, scaled[:, :, None] * sums[:, None, :])
    return out


def _need(rows: int, parameters: int) -> None:
    if rows <= parameters:
        raise DesignError(
            f"{rows} rows before the first forecast cannot carry {parameters} parameters",
            allowed=f"more than {parameters} rows",
            fix="bring longer series or ask for fewer lags or a shorter season",
        )


def _solve(grams: np.ndarray, side: list[int], labels: list[str]) -> np.ndarray:
    """Coefficients of all accounts, then without each group of accounts ((1 + F) × k)."""
    own, cross = grams[:, side][:, :, side], grams[:, side, 0]
    total = own.sum(axis=0)
    scale = check_design(total, [labels[i] for i in side], np.diag(total))
    left = np.concatenate([total[None], total - own]) / np.outer(scale, scale)
    right = np.concatenate([cross.sum(axis=0)[None], cross.sum(axis=0) - cross]) / scale
    if len(grams) == 1:
        left[1], right[1] = left[0], right[0]
    # a group that alone tells two columns apart: the least change keeps the rest going
    solved = np.einsum("fij,fj->fi", np.linalg.pinv(left, hermitian=True), right)
    return np.asarray(solved / scale)


def _losses(model: np.ndarray, rival: np.ndarray, seen: np.ndarray, *, nested: bool) -> np.ndarray:
    """Summed over rows: what the model saves, and the rival's squared error."""
    saved = rival * (rival - model) if nested else rival**2 - model**2
    return np.stack([(saved * seen).sum(axis=0), (rival**2 * seen).sum(axis=0)])
