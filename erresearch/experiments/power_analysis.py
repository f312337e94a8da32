"""What a plan would find: placebo plans laid over noise like that of the shops' past."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from erresearch.experiments.designs import (
    BELIEVABLE,
    Array,
    PauseDesign,
    PausePlan,
    Power,
    fewest_groups,
    share_lost,
)
from erresearch.experiments.history import (
    DAYS,
    WINDOWS,
    Model,
    Series,
    calendar_terms,
    filtered,
    fit_history,
    logged,
)
from erresearch.experiments.randomisation import (
    PlanSums,
    Window,
    counted,
    draw_again,
    draws,
    exposure,
    strength,
)
from erresearch.results import Table
from erresearch.schema.vocabulary import PERIODS

#: Courses of the noise for each of some plans that could have been drawn, and plans drawn again to judge one.
COURSES, TRUTHS, AGAIN = 40, 10, 199


def foreseen(
    design: PauseDesign,
    noises: tuple[Model, ...],
    delta: float,
    seed: int,
    *,
    truth: tuple[int, int] | None = None,
) -> Power:
    """Lay placebo plans over the past and add effects to them.

    Ten of the plans that could have been drawn meet forty courses of the noise each. A course draws periods of the past
    anew, the same ones for all units: in their own order they lack the slow movements that trend and waves of the year
    have taken.

    Parameters
    ----------
    design : PauseDesign
        What is tried.
    noises : tuple of Model
        One for each unit.
    delta : float
        Smallest effect of interest.
    seed : int
        For noise and plans.
    truth : tuple of int, optional
        Lags at which posting really works, where they are not those that the design declares.

    Returns
    -------
    Power

    Examples
    --------
    >>> from erresearch.experiments.history import read_series
    >>> from erresearch.worlds import simulate_shop
    >>> past = read_series(simulate_shop("nothing", days=728, rng=1))
    >>> design = PauseDesign(kind="time", every="D", block=7, groups=12, lags=(1, 7))
    >>> power = foreseen(design, noises_of(past), 0.3, seed=1)
    >>> 0.7 < power.at_delta < 0.85, power.placebos
    (True, 400)
    """
    rng = np.random.default_rng([seed, 2])
    plans, complete = draws(design, len(noises), AGAIN, rng)
    z = exposure(plans, design.lags)
    periods = z.shape[-1]
    places = rng.integers(
        0, max(len(noise.innovations) for noise in noises), (periods, COURSES * TRUTHS), dtype=np.int64
    )
    windows = tuple(
        _placebo_window(window, noise, places, rng)
        for window, noise in zip(_empty_windows(noises, design), noises, strict=True)
    )
    really = _built_up(design, noises, z if truth is None else exposure(plans, truth))
    effects = np.r_[
        0.0, delta, np.linspace(0.25, 8, 32) / np.sqrt(np.mean(strength(windows, z, really) ** 2))
    ]
    real = rng.choice(len(plans), min(TRUTHS, len(plans)), replace=False)
    found: Array = np.zeros(len(effects))
    for turn, plan in enumerate(real):
        own = slice(turn * COURSES, (turn + 1) * COURSES)
        laid = tuple(replace(window, residual=window.residual[:, own]) for window in windows)
        order = np.r_[plan, np.delete(np.arange(len(plans)), plan)]
        sums = draw_again(laid, z[order], False, really[plan])
        found += _share_found(sums, effects, complete=complete)
    found /= len(real)
    return _power(design, len(noises), effects, found, COURSES * len(real))


def approximated(
    design: PauseDesign,
    noises: tuple[Model, ...],
    delta: float,
    seed: int,
    *,
    truth: tuple[int, int] | None = None,
) -> Power:
    """Foresee by a formula: the mean power of Student's t over plans that chance could draw.

    The noncentrality of each plan is δ z′Mz₀/√(z′Mz), with one degree of freedom less than pairs (of all shops; a group
    of four blocks counts as three); the noise is taken for white after its filter, which placebo plans do not have to
    believe.

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
    >>> from erresearch.experiments.history import read_series
    >>> from erresearch.worlds import simulate_shop
    >>> past = read_series(simulate_shop("nothing", days=728, rng=1))
    >>> design = PauseDesign(kind="time", every="D", block=7, groups=12, lags=(1, 7))
    >>> power = approximated(design, noises_of(past), 0.3, seed=1)
    >>> 0.7 < power.at_delta < 0.85, power.placebos
    (True, 0)
    """
    from scipy.special import stdtr, stdtrit

    rng = np.random.default_rng([seed, 2])
    plans, _ = draws(design, len(noises), COURSES, rng)
    plans = plans[rng.permutation(len(plans))[:COURSES]]
    z = exposure(plans, design.lags)
    really = _built_up(design, noises, z if truth is None else exposure(plans, truth))
    root = np.maximum(strength(_empty_windows(noises, design), z, really), 1e-9)
    effects = np.r_[0.0, delta, np.linspace(0.25, 8, 125) / root.mean()]
    # draws that are free: of a group of blocks all but one
    df = design.groups * (design.size - 1) * (len(noises) if design.kind == "time" else 1) - 1
    critical = stdtrit(df, 0.975)
    shift = effects[:, None] * root
    found = stdtr(df, shift - critical) + stdtr(df, -shift - critical)
    return _power(design, len(noises), effects, found.mean(axis=1), 0)


def _built_up(design: PauseDesign, noises: tuple[Model, ...], exposures: Array) -> Array:
    """Where a shop stops for good, what is lost builds up, and no faster than the outcome forgets anything else."""
    from scipy.linalg import solve_triangular, toeplitz

    if design.kind == "time":
        return exposures
    built, periods = np.empty_like(exposures), exposures.shape[-1]
    for unit, noise in enumerate(noises):
        weights = np.r_[1, -noise.memory, np.zeros(periods)][:periods]
        autoregression = toeplitz(weights, np.zeros(periods))
        lost = (1 - noise.memory.sum()) * exposures[:, unit].reshape(-1, periods).T
        solved = solve_triangular(autoregression, lost, lower=True)
        built[:, unit] = solved.T.reshape(exposures[:, unit].shape)
    return built


def _power(design: PauseDesign, units: int, effects: Array, found: Array, placebos: int) -> Power:
    """The shares found at no effect, at delta, and over a grid, as one row."""
    enough = np.flatnonzero(np.minimum.accumulate(found[:1:-1])[::-1] >= 0.8)
    return Power(
        weeks=math.ceil(design.length * DAYS[design.every] / 7),
        groups=design.groups,
        smallest_p=design.reachable(design.length, units),
        size=float(found[0]),
        detectable=float(effects[2:][enough[0]]) if len(enough) else math.inf,
        at_delta=float(found[1]),
        placebos=placebos,
    )


def wrong_blocks(plan: PausePlan) -> Table:
    """Show what a wrong length of the block costs.

    Parameters
    ----------
    plan : PausePlan
        In time; its lags are those that it declares.

    Returns
    -------
    Table
        For each length of a block, and each last period at which posting may really work, the effect that so many weeks
        would find four times in five; "none" where it would be more than half of the outcome.

    See Also
    --------
    plan_experiment : Chooses the length.

    Examples
    --------
    >>> from erresearch.experiments import plan_experiment
    >>> from erresearch.worlds import simulate_shop
    >>> plan = plan_experiment(simulate_shop("nothing", days=728, rng=1), weeks=12, block=7, lags=(1, 7))
    >>> wrong_blocks(plan).columns[:3]
    ('block of days', 'works to day 3', 'works to day 7')
    """
    design, noises = plan.design, noises_of(plan.history)
    lags = {last: (first, last) for first, last in (*WINDOWS[design.every], design.lags, design.longer)}
    rows: list[list[str | float]] = []
    for block, _ in plan.blocks:
        groups = max(design.length // (2 * block), fewest_groups(2, len(noises)))
        tried = replace(design, block=block, groups=groups, size=2, washout=0)
        ways = (approximated(tried, noises, plan.delta, plan.seed, truth=lags[last]) for last in sorted(lags))
        found = [way.detectable for way in ways]
        rows.append([block, *(share_lost(one if one <= BELIEVABLE else math.inf) for one in found)])
    unit = PERIODS[design.every].one
    return Table.of((f"block of {unit}s", *(f"works to {unit} {last}" for last in sorted(lags))), rows)


def innovations_of(shops: tuple[Series, ...]) -> Array:
    """What each shop's past does not explain, over the latest periods that all of them have; a row a shop."""
    noises = [fit_history(shop).innovations for shop in shops]
    shortest = min(len(noise) for noise in noises)
    return np.stack([noise[-shortest:] for noise in noises])


def nearest_pairs(innovations: Array) -> list[int]:
    """Rows in pairs that stand one after the other, those that correlate most first."""
    alike: Array = np.asarray(np.corrcoef(innovations))
    order = [(-round(float(alike[i, j]), 6), i, j) for i in range(len(alike)) for j in range(i)]
    taken: list[int] = []
    for _, i, j in sorted(order):
        if i not in taken and j not in taken:
            taken += [j, i]
    return taken


def noises_of(shops: tuple[Series, ...], *, in_pairs: bool = False) -> tuple[Model, ...]:
    """The noise of each shop, or of the difference of the two of each pair, which stand one after the other.

    Pairs are chosen because they moved alike, some of them by chance. So the noise of a pair is widened by how much
    further pairs that one half of the past would have chosen stray in the other half.
    """
    if not in_pairs:
        return tuple(fit_history(shop) for shop in shops)
    innovations = innovations_of(shops)
    half = innovations.shape[1] // 2
    halves = [innovations[:, :half], innovations[:, half:]]
    strayed = sum(_apart(later, nearest_pairs(earlier)) for earlier, later in (halves, halves[::-1]))
    chosen = sum(_apart(part, list(range(len(shops)))) for part in halves)
    wider = math.sqrt(max(strayed / chosen, 1.0))
    pairs = map(pair_model, shops[::2], shops[1::2])
    return tuple(
        replace(pair, innovations=wider * pair.innovations, sigma=wider * pair.sigma) for pair in pairs
    )


def _apart(innovations: Array, pairs: list[int]) -> float:
    """Mean square of the difference of two that form a pair."""
    return float(np.mean((innovations[pairs[::2]] - innovations[pairs[1::2]]) ** 2))


def pair_model(one: Series, other: Series) -> Model:
    """Noise of log outcome of one shop less that of the other, over their common past.

    Examples
    --------
    >>> from erresearch.experiments.history import read_series
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> weeks = pd.date_range("2024-01-01", periods=104, freq="7D")
    >>> past = pd.DataFrame({"period": weeks, "revenue": 1000 * np.exp(0.1 * rng.standard_normal(104))})
    >>> other = past.assign(entity="other", revenue=past["revenue"] * np.exp(0.02 * rng.standard_normal(104)))
    >>> one, other = read_series(pd.concat([past.assign(entity="one"), other]))
    >>> bool(pair_model(one, other).innovations.std() < 0.04)
    True
    """
    first = max(one.dates[0], other.dates[0])
    left, right = one.part(one.dates >= first), other.part(other.dates >= first)
    length = min(len(left), len(right))
    floors = [fit_history(shop).floor for shop in (one, other)]
    gap = logged(left.outcome[:length], floors[0]) - logged(right.outcome[:length], floors[1])
    model = fit_history(replace(left.part(np.arange(len(left)) < length), outcome=np.exp(gap)), floor=1e-12)
    return replace(model, usual=float(np.nanmean(left.outcome) + np.nanmean(right.outcome)) / 2)


def _empty_windows(noises: tuple[Model, ...], design: PauseDesign) -> tuple[Window, ...]:
    """The plan's window behind a history as long as each noise's, without an outcome."""
    keep, ahead = counted(design), design.length + design.follow_up
    terms = {}
    for history in {len(noise.innovations) for noise in noises}:
        dates = np.datetime64("2024-01-01") + DAYS[design.every] * np.arange(history + ahead)
        terms[history] = calendar_terms(dates, history, design.every).T
    found = []
    for noise in noises:
        history = len(noise.innovations)
        basis, _ = np.linalg.qr(filtered(terms[history], noise.memory).T)
        memory = noise.memory[:0] if design.carried else noise.memory
        found.append(Window(np.zeros((ahead, 1)), basis[history:], keep, memory, noise.sigma, memory[:0]))
    return tuple(found)


def _placebo_window(
    window: Window, noise: Model, places: npt.NDArray[np.int64], rng: np.random.Generator
) -> Window:
    rows = noise.innovations[places % len(noise.innovations)] * window.keep[:, None] / noise.sigma
    # the history has its own part in what the terms explain: so much of the basis as the plan does not hold
    weight, axes = np.linalg.eigh(np.eye(window.basis.shape[1]) - window.basis.T @ window.basis)
    before = axes * np.sqrt(np.maximum(weight, 0.0)) @ rng.standard_normal((len(weight), rows.shape[1]))
    return replace(window, residual=rows - window.basis @ (before + window.basis.T @ rows))


def _share_found(sums: PlanSums, effects: Array, *, complete: bool) -> Array:
    """For each effect the share of courses with p ≤ .05."""
    root = np.sqrt(sums.size)
    score = (sums.outcome / root[:, None])[None] + effects[:, None, None] * (sums.cross[0] / root)[
        None, :, None
    ]
    extreme = (np.abs(score[:, 1:]) >= np.abs(score[:, :1]) - 1e-9).sum(axis=1)
    p = (1 + extreme) / score.shape[1]
    return np.asarray((p <= 0.05 + (1e-9 if complete else 0)).mean(axis=1))
