"""How long reactions go with the outcome, from the past alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from erresearch.experiments.history import (
    Array,
    Flags,
    Model,
    Series,
    calendar_terms,
    filtered,
    fit_history,
    logged,
)

__all__ = ["DEFAULT_WINDOW", "CarryOver", "box", "carry_over"]

#: Windows of the response that are compared, and the one that is taken where the past does not tell.
WINDOWS: Final = {
    "D": ((1, 3), (1, 7), (1, 14), (1, 21), (1, 28)),
    "W": ((0, 0), (1, 1), (0, 1), (0, 2), (0, 3)),
}
DEFAULT_WINDOW: Final = {"D": (1, 14), "W": (0, 1)}
#: Fall in −2 log likelihood that a window must bring to be believed (the 1 % point of χ² with 1 degree).
BELIEVED: Final = 6.63


@dataclass(frozen=True, slots=True)
class CarryOver:
    """Which window of the response fits the past, and by how much.

    Parameters
    ----------
    window : tuple of int
        First and last lag.
    gain : float
        Fall in −2 log likelihood against no response.
    believed : bool
        Whether that is beyond what chance brings.
    """

    window: tuple[int, int]
    gain: float
    believed: bool


def carry_over(shop: Series) -> CarryOver:
    """Find how long reactions go with the outcome, from the past alone.

    The outcome is regressed on log(B + .3 m), B the mean engagement over a window of lags and m its median, with the
    calendar terms and filtered by the memory of the noise. The past may be confounded, so this chooses a length of
    blocks and never an effect.

    Examples
    --------
    >>> days = np.arange("2024-01-01", "2025-01-01", dtype="datetime64[D]")
    >>> shop = Series(entity="a", every="D", dates=days, outcome=np.exp(np.sin(np.arange(366.0))))
    >>> carry_over(shop).window, carry_over(shop).believed
    ((1, 14), False)
    """
    unknown = CarryOver(DEFAULT_WINDOW[shop.every], 0.0, False)
    if shop.engagement is None or np.isnan(shop.engagement).mean() > 0.1:
        return unknown
    model = fit_history(shop)
    longest = WINDOWS[shop.every][-1][1]
    reactions = np.nan_to_num(shop.engagement, nan=float(np.nanmedian(shop.engagement)))
    y = logged(shop.outcome, model.floor)
    X = calendar_terms(shop.dates, len(shop), shop.every)
    use = np.isfinite(y) & (np.arange(len(y)) >= longest + len(model.memory))
    y = np.where(np.isfinite(y), y, np.nanmean(y))
    best = unknown
    plain_fit = _squares(y, X, model, use)
    for window in WINDOWS[shop.every]:
        felt = box(reactions, window)
        middle = float(np.median(felt[use]))
        if middle <= 0:
            continue
        gain = use.sum() * math.log(
            plain_fit / _squares(y, np.column_stack([X, np.log(felt + 0.3 * middle)]), model, use)
        )
        if gain > best.gain:
            best = CarryOver(window, float(gain), bool(gain > BELIEVED))
    return best if best.believed else unknown


def box(values: Array, window: tuple[int, int]) -> Array:
    """Mean over a window of lags; before the first value stands that value.

    Examples
    --------
    >>> box(np.array([1.0, 2.0, 4.0]), (0, 1))
    array([1. , 1.5, 3. ])
    """
    padded = np.r_[np.full(window[1], values[0]), values]
    lagged = [
        padded[window[1] - lag : window[1] - lag + len(values)] for lag in range(window[0], window[1] + 1)
    ]
    return np.asarray(np.mean(lagged, axis=0))


def _squares(y: Array, X: Array, model: Model, use: Flags) -> float:
    left, right = filtered(y, model.memory)[use], filtered(X.T, model.memory).T[use]
    beta, *_ = np.linalg.lstsq(right, left, rcond=None)
    rest = left - right @ beta
    return float(rest @ rest)
