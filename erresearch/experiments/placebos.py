"""What a plan would find: placebo plans laid over a shop's own past, or a formula in their place."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from erresearch.experiments.designs import Array, PauseDesign, Power
from erresearch.experiments.history import DAYS, Model, calendar_terms, filtered
from erresearch.experiments.randomisation import Lots, Window, counted, draw_again, draws, exposure

__all__ = ["approximated", "foreseen"]


#: Starts in the past, plans at each of them, and plans drawn again to judge one.
STARTS, TRUTHS, AGAIN = 40, 10, 199


def _empty(noise: Model, design: PauseDesign) -> Window:
    """The plan's window behind a history as long as the noise's, without an outcome."""
    history = len(noise.innovations)
    n = history + design.length + design.follow_up
    dates = np.datetime64("2024-01-01") + DAYS[design.every] * np.arange(n)
    terms = filtered(calendar_terms(dates, history, design.every).T, noise.memory).T
    basis, _ = np.linalg.qr(terms)
    keep = counted(design)
    memory = noise.memory[:0] if design.carried else noise.memory
    return Window(np.zeros((n - history, 1)), basis[history:], keep, memory, noise.sigma, memory[:0])


def foreseen(design: PauseDesign, noises: tuple[Model, ...], delta: float, seed: int) -> Power:
    """Lay placebo plans over the past and add effects to them.

    The plan's window of exposures meets the noise of the past at forty starts (in a circle, where the plan is longer than
    the past), each with ten of the plans that could have been drawn.

    Parameters
    ----------
    design : PauseDesign
        What is tried.
    noises : tuple of Model
        One for each unit.
    delta : float
        Smallest effect of interest.
    seed : int
        For starts and plans.

    Returns
    -------
    Power

    Examples
    --------
    >>> foreseen.__name__
    'foreseen'
    """
    rng = np.random.default_rng([seed, 2])
    plans, _ = draws(design, len(noises), AGAIN, rng)
    z = exposure(plans, design.lags)
    periods = z.shape[-1]
    starts = rng.integers(0, max(len(noise.innovations) for noise in noises), STARTS)
    windows = tuple(_placebo(noise, design, starts, periods) for noise in noises)
    effects = np.r_[0.0, delta, np.linspace(0.25, 8, 32) / math.sqrt(_information(windows, z))]
    truths = rng.choice(len(plans), min(TRUTHS, len(plans)), replace=False)
    found: Array = np.zeros(len(effects))
    for truth in truths:
        order = np.r_[truth, np.delete(np.arange(len(plans)), truth)]
        lots = draw_again(windows, z[order], False)
        found += _share_found(lots, effects, complete=len(plans) >= design.possible)
    found /= len(truths)
    return _power(design, effects, found, STARTS * len(truths))


def approximated(
    design: PauseDesign,
    noises: tuple[Model, ...],
    delta: float,
    seed: int,
    *,
    truth: tuple[int, int] | None = None,
) -> Power:
    """Foresee by a formula: the mean power of Student's t over plans that the lot could draw.

    The noncentrality of each plan is δ z′Mz₀/√(z′Mz), with one degree of freedom less than groups; the noise is taken
    for white after its filter, which placebo plans do not have to believe.

    Parameters
    ----------
    design : PauseDesign
        What is tried.
    noises : tuple of Model
        One for each unit.
    delta : float
        Smallest effect of interest.
    seed : int
        For the plans.
    truth : tuple of int, optional
        Lags at which posting really works (z₀), where they are not those that the design declares (z).

    Returns
    -------
    Power
        Its ``placebos`` is 0.

    See Also
    --------
    foreseen : By placebo plans.

    Examples
    --------
    >>> approximated.__name__
    'approximated'
    """
    from scipy.special import stdtr, stdtrit

    rng = np.random.default_rng([seed, 2])
    plans, _ = draws(design, len(noises), STARTS, rng)
    plans = plans[rng.permutation(len(plans))[:STARTS]]
    z, really = exposure(plans, design.lags), exposure(plans, truth or design.lags)
    root = np.maximum(_strength(tuple(_empty(noise, design) for noise in noises), z, really), 1e-9)
    effects = np.r_[0.0, delta, np.linspace(0.25, 8, 125) / root.mean()]
    df = design.groups - 1
    critical = stdtrit(df, 0.975)
    shift = effects[:, None] * root
    found = stdtr(df, shift - critical) + stdtr(df, -shift - critical)
    return _power(design, effects, found.mean(axis=1), 0)


def _power(design: PauseDesign, effects: Array, found: Array, placebos: int) -> Power:
    """The shares found at no effect, at delta, and over a grid, as one row."""
    enough = np.flatnonzero(np.minimum.accumulate(found[:1:-1])[::-1] >= 0.8)
    return Power(
        weeks=math.ceil(design.length * DAYS[design.every] / 7),
        groups=design.groups,
        smallest_p=design.smallest_p,
        size=float(found[0]),
        detectable=float(effects[2:][enough[0]]) if len(enough) else math.inf,
        at_delta=float(found[1]),
        placebos=placebos,
    )


def _strength(windows: tuple[Window, ...], z: Array, really: Array) -> Array:
    """What one unit of the real effect adds to each plan's statistic."""
    size, cross = np.zeros(len(z)), np.zeros(len(z))
    for unit, window in enumerate(windows):
        both = []
        for exposed in (z, really):
            one = exposed[:, unit, 0] - (exposed[:, unit, 1] if exposed.shape[2] > 1 else 0.0)
            one = one[:, : len(window.keep)]
            one = np.pad(one, ((0, 0), (0, len(window.keep) - one.shape[1])))
            both.append(filtered(one, window.memory) * window.keep / window.sigma)
        fitted = [one @ window.basis for one in both]
        size += (both[0] ** 2).sum(axis=1) - (fitted[0] ** 2).sum(axis=1)
        cross += (both[0] * both[1]).sum(axis=1) - (fitted[0] * fitted[1]).sum(axis=1)
    return np.asarray(cross / np.sqrt(np.maximum(size, 1e-12)))


def _information(windows: tuple[Window, ...], z: Array) -> float:
    return float(draw_again(windows, z, False).size.mean())


def _placebo(noise: Model, design: PauseDesign, starts: npt.NDArray[np.int64], periods: int) -> Window:
    window = _empty(noise, design)
    at = (starts[None, :] + np.arange(periods)[:, None]) % len(noise.innovations)
    rows = noise.innovations[at] * window.keep[:, None] / noise.sigma
    return replace(window, residual=rows - window.basis @ (window.basis.T @ rows))


def _share_found(lots: Lots, effects: Array, *, complete: bool) -> Array:
    """For each effect the share of starts with p ≤ .05."""
    root = np.sqrt(lots.size)
    score = (lots.outcome / root[:, None])[None] + effects[:, None, None] * (lots.cross[0] / root)[
        None, :, None
    ]
    extreme = (np.abs(score[:, 1:]) >= np.abs(score[:, :1]) - 1e-9).sum(axis=1)
    p = (1 + extreme) / score.shape[1]
    return np.asarray((p <= 0.05 + (1e-9 if complete else 0)).mean(axis=1))
