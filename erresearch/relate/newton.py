"""Newton's method on a likelihood whose every evaluation is one pass over the rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import numpy as np

__all__ = ["ITERATIONS", "NEGLIGIBLE", "Likelihood", "ascend", "flattest"]

ITERATIONS: Final = 60
_HALVINGS = 30
#: Steps are quadratic: after one of this size (in standard deviations of the predictor) 1e-13 is left.
_TOLERANCE = 1e-7
#: A step of this size moves the Hessian by no more than its own rounding: it needs no further pass.
NEGLIGIBLE: Final = 1e-9
#: Curvature along the flattest direction, against the steepest seen, below which the likelihood has no maximum there.
_FLAT = 1e-11


class Likelihood(Protocol):
    """A log likelihood at one β and all that a Newton step from it needs."""

    @property
    def beta(self) -> np.ndarray:
        """Where it was evaluated."""
        ...

    @property
    def loglik(self) -> float:
        """Its value."""
        ...

    @property
    def slope(self) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and negative Hessian in β."""
        ...


State = TypeVar("State", bound=Likelihood)


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
        gradient, hessian = state.slope
        scaled = hessian / np.outer(spread, spread)
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


def flattest(state: Likelihood, spread: np.ndarray) -> np.ndarray:
    """Direction of least curvature, of length 1 in standard deviations; its small parts are set to 0."""
    _, hessian = state.slope
    direction = np.linalg.eigh(hessian / np.outer(spread, spread))[1][:, 0]
    direction[np.abs(direction) < 1e-6 * np.max(np.abs(direction))] = 0.0
    return np.asarray(direction / spread)
