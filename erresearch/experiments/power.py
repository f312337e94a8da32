"""What a plan would find: placebo plans laid over a shop's own past."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from erresearch.experiments.designs import FEWEST, Array, Design, draws
from erresearch.experiments.history import DAYS, Model, calendar_terms, filtered
from erresearch.experiments.plans import Power, counted, exposures
from erresearch.experiments.randomisation import Lots, Window, draw_again

__all__ = ["by_block", "foreseen"]

#: Starts in the past, plans at each of them, and plans drawn again to judge one.
STARTS, TRUTHS, AGAIN = 40, 10, 199
#: Sum of the quantiles for p ≤ .05 and 80 % power.
FOUND_80: Final = 2.8


def by_block(size: int, lags: tuple[int, int], noises: tuple[Model, ...], weeks: int) -> float:
    """Effect found four times in five with blocks of this size, by the spread that the noise gives it."""
    every = _every(noises)
    groups = max(FEWEST, weeks * 7 // (DAYS[every] * 2 * size))
    design = Design(kind="time", every=every, block=size, groups=groups, lags=lags, carried=every == "W")
    plans, _ = draws(design, 1, 50, np.random.default_rng(size))
    total = sum(
        float(draw_again((_empty(noise, design),), exposures(plans, design), False).size.mean())
        for noise in noises
    )
    return FOUND_80 / math.sqrt(total)


def _every(noises: tuple[Model, ...]) -> Literal["D", "W"]:
    return "D" if len(noises[0].memory) == 7 else "W"


def _empty(noise: Model, design: Design) -> Window:
    """The plan's window behind a history as long as the noise's, without an outcome."""
    history = len(noise.innovations)
    n = history + design.length + design.follow_up
    dates = np.datetime64("2024-01-01") + DAYS[design.every] * np.arange(n)
    terms = filtered(calendar_terms(dates, history, design.every).T, noise.memory).T
    basis, _ = np.linalg.qr(terms)
    keep = counted(design)
    memory = noise.memory[:0] if design.carried else noise.memory
    return Window(np.zeros((n - history, 1)), basis[history:], keep, memory, noise.sigma)


def foreseen(design: Design, noises: tuple[Model, ...], delta: float, seed: int) -> Power:
    """Lay placebo plans over the past and add effects to them.

    The plan's window of exposures meets the noise of the past at forty starts (in a circle, where the plan is longer than
    the past), each with ten of the plans that could have been drawn.

    Parameters
    ----------
    design : Design
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
    z = exposures(plans, design)
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
    enough = np.flatnonzero(np.minimum.accumulate(found[:1:-1])[::-1] >= 0.8)
    return Power(
        weeks=math.ceil(design.length * DAYS[design.every] / 7),
        groups=design.groups,
        smallest_p=design.smallest_p,
        size=float(found[0]),
        detectable=float(effects[2:][enough[0]]) if len(enough) else math.inf,
        at_delta=float(found[1]),
        placebos=STARTS * len(truths),
    )


def _information(windows: tuple[Window, ...], z: Array) -> float:
    return float(draw_again(windows, z, False).size.mean())


def _placebo(noise: Model, design: Design, starts: npt.NDArray[np.int64], periods: int) -> Window:
    window = _empty(noise, design)
    at = (starts[None, :] + np.arange(periods)[:, None]) % len(noise.innovations)
    rows = noise.innovations[at] * window.keep[:, None] / noise.sigma
    return replace(window, residual=rows - window.basis @ (window.basis.T @ rows))


def _share_found(lots: Lots, effects: Array, *, complete: bool) -> Array:
    """For each effect the share of starts with p ≤ .05."""
    root = np.sqrt(lots.size)
    score = (lots.outcome / root[:, None])[None] + effects[:, None, None] * (lots.cross / root)[None, :, None]
    extreme = (np.abs(score[:, 1:]) >= np.abs(score[:, :1]) - 1e-9).sum(axis=1)
    p = (1 + extreme) / score.shape[1]
    return np.asarray((p <= 0.05 + (1e-9 if complete else 0)).mean(axis=1))
