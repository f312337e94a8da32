"""Inference by drawing again: exact p-values, intervals in closed form, and what a plan would find."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from erresearch.errors import DesignError
from erresearch.experiments.designs import PauseDesign, Plans, Power, seed_of
from erresearch.experiments.history import DAYS, Array, Dates, Flags, Model, Series, calendar_terms, filtered
from erresearch.relate.distributed_lags import orthonormal
from erresearch.results import Interval, StudentT

#: Statistics closer than this are ties, so that no p-value hangs on the last bits of a double.
TIE: Final = 1e-9


#: Up to this many possible plans all of them are gone through, and the p-value is exact.
ALL_OF_THEM: Final = 4096

#: Plans drawn again for a p-value.
REDRAWS = 999


def draws(design: PauseDesign, units: int, count: int, rng: np.random.Generator) -> tuple[Plans, bool]:
    """Draw plans, or go through all of them where they are few, and say which.

    Units are shops of a plan in time, pairs of shops otherwise. Plans have the shape (plans, units, members, periods);
    members are the two shops of a pair, one in a plan in time.

    Examples
    --------
    >>> design = PauseDesign(kind="time", every="W", block=1, groups=6, lags=(1, 1))
    >>> plans, every = draws(design, 1, 999, np.random.default_rng(1))
    >>> plans.shape, every
    ((64, 1, 1, 12), True)
    """
    if design.kind == "shops":
        starts = rng.permuted(np.broadcast_to(design.stops, (count, design.groups)), axis=-1)
        stops = np.arange(design.length) >= starts[..., None]
        first = rng.integers(0, 2, (count, design.groups, 1)).astype(bool)
        return ~np.stack([stops & first, stops & ~first], axis=2), False
    half, groups = np.arange(design.size) < design.size // 2, design.groups * units
    if math.comb(design.size, design.size // 2) ** groups <= min(ALL_OF_THEM, 4 * count):
        paused = itertools.combinations(range(design.size), design.size // 2)
        orders = [~np.isin(np.arange(design.size), each) for each in paused]
        every = np.array(list(itertools.product(orders, repeat=groups)))
        blocks, complete = every.reshape(len(every), units, 1, -1), True
    else:
        shape = (count, units, 1, design.groups, design.size)
        drawn = rng.permuted(np.broadcast_to(half, shape), axis=-1)
        blocks, complete = drawn.reshape(count, units, 1, -1), False
    return np.repeat(blocks, design.block, axis=-1), complete


def exposure(plans: Plans, lags: tuple[int, int]) -> Array:
    """How far a period is from posting as usual: the mean of the plan over the declared lags, less one.

    Plans are true where posts are published, as they are before and after. The exposure goes on to the last lag behind
    the plan: 0 where nothing was missed, −1 where every post was.

    Examples
    --------
    >>> exposure(np.array([True, False, False, True]), (1, 2))
    array([ 0. ,  0. , -0.5, -1. , -0.5,  0. ])
    """
    first, last = lags
    length = plans.shape[-1] + last
    missed = np.zeros((*plans.shape[:-1], length + last))
    missed[..., last : last + plans.shape[-1]] = plans.astype(np.float64) - 1
    # counts, which floats add without rounding
    so_far = np.cumsum(np.insert(missed, 0, 0.0, axis=-1), axis=-1)
    width = last - first + 1
    return np.asarray((so_far[..., width : width + length] - so_far[..., :length]) / width)


def units(design: PauseDesign, history: tuple[Series, ...]) -> tuple[tuple[int, ...], ...]:
    """Which shops form a unit of the draw: each by itself, or pairs that stand one after the other.

    Examples
    --------
    >>> units(PauseDesign(kind="time", every="W", block=1, groups=6, lags=(1, 1)), ())
    ()
    """
    members = 2 if design.kind == "shops" else 1
    return tuple(tuple(range(at, at + members)) for at in range(0, len(history), members))


def first_plan(design: PauseDesign, history: tuple[Series, ...]) -> Plans:
    """The one schedule that follows from history and design, shape (units, members, periods)."""
    rng = np.random.default_rng([seed_of(history, design), 0])
    every, complete = draws(design, len(units(design, history)), 1, rng)
    return np.asarray(every[rng.integers(len(every))] if complete else every[0])


def redraws(design: PauseDesign, units: int, seed: int) -> tuple[Plans, bool]:
    """Plans drawn again, from another stream than the plan itself."""
    return draws(design, units, REDRAWS, np.random.default_rng([seed, 1]))


def counted(design: PauseDesign) -> Flags:
    """Periods that count: not those of the wash-out at the start of each block."""
    at = np.arange(design.length + design.follow_up)
    return (at % design.block >= design.washout) | (at >= design.length)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A unit's outcome over the plan, with all that its past explains taken out.

    Parameters
    ----------
    residual : numpy.ndarray, shape (periods, outcomes)
        Filtered, without what the calendar terms explain, in standard deviations of the noise.
    basis : numpy.ndarray, shape (periods, k)
        The plan's rows of an orthonormal basis of the filtered terms over history and plan.
    keep : numpy.ndarray of bool, shape (periods,)
        Periods that count: outcome known, outside the wash-out.
    memory : numpy.ndarray
        Autoregression by which exposures are filtered; empty where an effect lives on with the outcome's own memory.
    sigma : float
        Standard deviation of the noise.
    echo : numpy.ndarray
        Autoregression by which an effect lives on; empty where it is over after the last lag.
    echo_error : float
        Two standard errors of its first coefficient.
    """

    residual: Array
    basis: Array
    keep: Flags
    memory: Array
    sigma: float
    echo: Array
    echo_error: float = 0.0


def windowed(outcomes: Array, dates: Dates, design: PauseDesign, model: Model, *, history: int) -> Window:
    """Take out of outcomes over history and plan what the calendar explains.

    Rows of `outcomes` are the periods of history and plan one after the other, nan where missing; memory and noise come
    from the history alone. Where effects live on with the outcome's memory, only the first outcome is filtered.
    """
    memory, X = model.memory, calendar_terms(dates, history, design.every)
    known = np.asarray(np.isfinite(outcomes).all(axis=1), dtype=bool)
    if known.sum() <= X.shape[1] + len(memory):
        raise DesignError(
            "too few periods have an outcome",
            got=f"{int(known.sum())} of {len(known)}",
            fix="add the missing periods",
        )
    # a missing outcome is guessed for the filter of its neighbours only; its own row does not count
    beta, *_ = np.linalg.lstsq(X[known], outcomes[known], rcond=None)
    whole = np.where(known[:, None], outcomes, X @ beta)
    start = len(memory)
    use = known.copy()
    use[:start] = False
    use[history:] &= counted(design)[: len(use) - history]
    terms = filtered(X.T, memory).T * use[:, None]
    kept, echo = (memory[:0], memory) if design.carried else (memory, memory[:0])
    rows = np.column_stack([filtered(whole[:, 0], memory), filtered(whole[:, 1:].T, kept).T]) * use[:, None]
    left, size, _ = np.linalg.svd(
        terms / np.maximum(np.linalg.norm(terms, axis=0), 1e-300), full_matrices=False
    )
    basis = left[:, size > 1e-8 * size[0]]
    residual = (rows - basis @ (basis.T @ rows)) * use[:, None]
    after = (residual[history:] / model.sigma, basis[history:], use[history:])
    return Window(*after, kept, model.sigma, echo, 2 / math.sqrt(history))


@dataclass(frozen=True, slots=True, eq=False)
class PlanSums:
    """Sums that every statistic of every plan is made from; the first plan is the one that was carried out.

    Parameters
    ----------
    outcome : numpy.ndarray, shape (plans, outcomes)
        z′My for each plan.
    size : numpy.ndarray, shape (plans,)
        z′Mz.
    cross : numpy.ndarray, shape (shapes, plans)
        z′Mz₀, with z₀ of the first plan; further rows with what else its effect may look like.
    complete : bool
        Whether the further plans are all that there are.
    """

    outcome: Array
    size: Array
    cross: Array
    complete: bool

    @property
    def value(self) -> float:
        """Least-squares coefficient of the plan that was carried out."""
        return float(self.outcome[0, 0] / self.size[0])


def draw_again(
    windows: tuple[Window, ...], exposures: Array, complete: bool, really: Array | None = None
) -> PlanSums:
    """Work out the sums for many plans at once, with a window for each unit.

    Exposures are those of the plan carried out, then of those drawn again, which are all that there are or not; of two
    members the difference counts. `really` are those at which the effect works, where they are not the first.
    """
    outcome: Array = np.zeros((len(exposures), windows[0].residual.shape[1]))
    size: Array = np.zeros(len(exposures))
    cross: Array = np.zeros((3 if any(len(window.echo) for window in windows) else 1, len(exposures)))
    for unit, window in enumerate(windows):
        z = _seen(window, exposures[:, unit])
        fitted = z @ window.basis
        outcome += z @ window.residual
        size += np.einsum("rt,rt->r", z, z) - np.einsum("rk,rk->r", fitted, fitted)
        felt = z[0] if really is None else _seen(window, really[None, unit])[0]
        # what an effect that lives on adds a period later: its derivative by the first coefficient of the memory
        echo = np.r_[0.0, _living_on(felt, window.echo)[:-1]] if len(cross) > 1 else felt
        errors = (0.0, -window.echo_error, window.echo_error)
        for at in range(len(cross)):
            effect = felt + errors[at] * echo
            cross[at] += z @ effect - fitted @ (effect @ window.basis)
    if not size[0] > TIE * max(float(size.max()), 1e-300):
        raise DesignError(
            "the schedule holds no pause that could be compared", fix="judge a plan that was run"
        )
    return PlanSums(outcome, np.maximum(size, 1e-12), cross, complete)


def strength(windows: tuple[Window, ...], exposures: Array, really: Array) -> Array:
    """What one unit of an effect adds to each plan's statistic, whose exposures are declared and those at which it works.

    Examples
    --------
    >>> empty = np.zeros((0,))
    >>> window = Window(np.zeros((2, 1)), np.zeros((2, 1)), np.ones(2, dtype=bool), empty, 1.0, empty)
    >>> plans = np.array([[[[0.0, -1.0]]]])
    >>> strength((window,), plans, plans)
    array([1.])
    """
    size, cross = np.zeros(len(exposures)), np.zeros(len(exposures))
    for unit, window in enumerate(windows):
        z = _seen(window, exposures[:, unit])
        effect = z if really is exposures else _seen(window, really[:, unit])
        fitted = z @ window.basis
        size += (z**2).sum(axis=1) - (fitted**2).sum(axis=1)
        cross += (z * effect).sum(axis=1) - (fitted * (effect @ window.basis)).sum(axis=1)
    return np.asarray(cross / np.sqrt(np.maximum(size, 1e-12)))


def pvalue_beyond(windows: tuple[Window, ...], posting: Plans, lags: tuple[int, int]) -> float:
    """Of no effect at the lags that follow the declared ones, beside each of those by itself, whatever their shape.

    Examples
    --------
    >>> empty = np.zeros((0,))
    >>> window = Window(np.zeros((9, 1)), np.zeros((9, 1)), np.ones(9, dtype=bool), empty, 1.0, empty)
    >>> pvalue_beyond((window,), np.arange(9).reshape(1, 1, 9) % 3 > 0, (0, 1))
    1.0
    """
    first, last = lags
    each = [*((lag, lag) for lag in range(first, last + 1)), (last + 1, 2 * last + 1 - first)]
    score, info = np.zeros(len(each)), np.zeros((len(each), len(each)))
    for unit, window in enumerate(windows):
        z = np.concatenate([_seen(window, exposure(posting[unit][None], one)) for one in each])
        fitted = z @ window.basis
        score += z @ window.residual[:, 0]
        info += z @ z.T - fitted @ fitted.T
    weights, *_ = np.linalg.lstsq(info[:-1, :-1], info[:-1, -1], rcond=TIE)
    beside = max(float(info[-1, -1] - weights @ info[:-1, -1]), 1e-12)
    return StudentT(float(score[-1] - weights @ score[:-1]) / math.sqrt(beside), 1.0, math.inf).pvalue()


def _seen(window: Window, exposures: Array) -> Array:
    """A unit's exposures, of two members the difference, filtered where they count, in deviations of the noise."""
    z = exposures[:, 0] - (exposures[:, 1] if exposures.shape[1] > 1 else 0.0)
    periods = len(window.keep)
    z = np.pad(z, ((0, 0), (0, max(periods - z.shape[1], 0))))[:, :periods]
    return np.asarray(filtered(z, window.memory) * window.keep / window.sigma)


@dataclass(frozen=True, slots=True, eq=False)
class Redrawn:
    """Reference distribution of an effect: for each plan drawn again, the effects at which it is as extreme.

    The statistic is the studentised coefficient |z′M(y − δz₀)| / √(z′Mz). For each plan the effects δ at which it
    is at least as large as that of the plan carried out form an interval around the estimate, so the p-value falls
    from there on both sides, and a confidence interval is read off ordered ends. Where an effect lives on by an
    estimated memory, an effect is kept that is kept at two standard errors of that memory on either side; whether 0 is
    kept does not depend on it.

    Parameters
    ----------
    value, se : float
        Estimate and standard error.
    low, high : numpy.ndarray
        Sorted ends, one for each plan drawn again.
    complete : bool
        Whether all plans were gone through.

    Examples
    --------
    >>> again = Redrawn(0.0, 1.0, np.array([-3.0, -2.0, -1.0]), np.array([1.0, 2.0, 3.0]), complete=False)
    >>> again.pvalue(0.0), again.pvalue(2.5), again.pvalue(9.0)
    (1.0, 0.5, 0.25)
    """

    value: float
    se: float
    low: Array
    high: Array
    complete: bool

    def pvalue(self, null: float = 0.0) -> float:
        """Share of plans at least as extreme if the effect were `null`."""
        slack = TIE * max(self.se, 1e-300)
        above = null >= self.value
        count = int((self.high >= null - slack).sum() if above else (self.low <= null + slack).sum())
        return count / len(self.low) if self.complete else (1 + count) / (1 + len(self.low))

    def interval(self, level: float) -> Interval:
        """All effects whose p-value is above 1 − level."""
        total = len(self.low) if self.complete else len(self.low) + 1
        # the fewest plans that keep an effect in
        needed = math.floor((1 - level) * total + 1e-9) + 1 - (0 if self.complete else 1)
        if needed < 1:
            return Interval(-math.inf, math.inf, level)
        return Interval(float(self.low[needed - 1]), float(self.high[-needed]), level)

    @classmethod
    def of(cls, sums: PlanSums) -> Redrawn:
        """Invert the test in closed form.

        Examples
        --------
        >>> sums = PlanSums(np.array([[4.0], [4.0], [-4.0]]), np.full(3, 4.0), np.array([4.0, 4.0, -4.0]), True)
        >>> Redrawn.of(sums).pvalue(0.0)
        1.0
        """
        root = np.sqrt(sums.size)
        score, own = sums.outcome[1:, 0] / root[1:], float(sums.outcome[0, 0] / root[0])
        pairs = [_ends(score, own, cross / root) for cross in np.atleast_2d(sums.cross)]
        low, high = np.min([pair[0] for pair in pairs], axis=0), np.max([pair[1] for pair in pairs], axis=0)
        beyond = np.abs(score) < abs(own) - TIE
        low = np.where(beyond & (own > 0), np.maximum(low, 2 * TIE / root[0]), low)
        high = np.where(beyond & (own < 0), np.minimum(high, -2 * TIE / root[0]), high)
        return cls(sums.value, 1 / float(root[0]), np.sort(low), np.sort(high), sums.complete)


def _ends(score: Array, own: float, pull: Array) -> tuple[Array, Array]:
    """For each plan drawn again the effects at which it is as extreme as the one that was carried out."""
    steep, pull = float(pull[0]), pull[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(score - own) / (pull - steep), (score + own) / (pull + steep)])
    flat = np.abs(pull) >= steep * (1 - TIE)
    # of the two lines that cross the observed one, one crosses on each side of the estimate
    value = own / steep if steep else 0.0
    low, high = np.minimum(np.fmin(*ends), value), np.maximum(np.fmax(*ends), value)
    return np.where(flat, -math.inf, low), np.where(flat, math.inf, high)


def ratio_set(sums: PlanSums, level: float) -> tuple[float, Interval]:
    """Effect of the first outcome per unit of the second, with the plan as instrument (Anderson & Rubin 1949).

    The set holds every θ for which the test of y − θx by drawing again does not reject, so that it is right where
    the plan moves x little; it may then have no end. Given are z′My / z′Mx, and the smallest interval that holds the set.

    Examples
    --------
    >>> sums = PlanSums(np.array([[2.0, 1.0], [0.1, 0.9]]), np.ones(2), np.array([1.0, 0.2]), False)
    >>> ratio_set(sums, 0.95)[0]
    2.0
    """
    score = sums.outcome / np.sqrt(sums.size)[:, None]
    own, again = score[0], score[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.r_[
            (again[:, 0] - own[0]) / (again[:, 1] - own[1]), (again[:, 0] + own[0]) / (again[:, 1] + own[1])
        ]
    value = float(own[0] / own[1]) if own[1] else math.nan
    ends = np.unique(ends[np.isfinite(ends)])
    if not len(ends):
        return value, Interval(-math.inf, math.inf, level)
    reach = 1 + float(np.abs(ends).max())
    middle = np.r_[ends[0] - reach, (ends[1:] + ends[:-1]) / 2, ends[-1] + reach]
    total = len(again) if sums.complete else len(again) + 1

    def extreme(theta: float) -> int:
        mine = abs(own[0] - theta * own[1])
        return int((np.abs(again[:, 0] - theta * again[:, 1]) >= mine - TIE * max(mine, 1.0)).sum())

    # one after the other: thousands of plans by thousands of θ at once are slower, and hundreds of megabytes
    inside = np.array([extreme(one) + (not sums.complete) > (1 - level) * total + 1e-9 for one in middle])
    if not inside.any():
        return value, Interval(value, value, level)
    borders = np.r_[-math.inf, ends, math.inf]
    first, last = int(np.argmax(inside)), len(inside) - 1 - int(np.argmax(inside[::-1]))
    return value, Interval(float(borders[first]), float(borders[last + 1]), level)


#: Courses of the noise for each of some plans that could have been drawn, and plans drawn again to judge one.
COURSES, TRUTHS, AGAIN = 40, 10, 199


def foreseen(
    design: PauseDesign,
    noises: tuple[Model, ...],
    delta: float,
    seed: int,
    *,
    truth: tuple[int, int] | None = None,
    quick: bool = False,
) -> Power:
    """Lay placebo plans over the past and add effects to them, or believe a formula.

    Ten of the plans that could have been drawn meet forty courses of the noise each. A course draws periods of the past
    anew, the same ones for all units: in their own order they lack the slow movements that trend and waves of the year
    have taken.

    The formula is the mean power of Student's t over forty plans that chance could draw. The noncentrality of each is
    δ z′Mz₀/√(z′Mz), with one degree of freedom less than pairs (of all shops; a group of four blocks counts as three);
    the noise is taken for white after its filter, which placebo plans do not have to believe.

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
        Lags at which posting really works (z₀), where they are not those that the design declares (z).
    quick : bool
        By the formula: ``placebos`` is 0.

    Returns
    -------
    Power

    Examples
    --------
    >>> from erresearch.experiments.history import noises_of, read_series
    >>> from erresearch.worlds import simulate_shop
    >>> past = read_series(simulate_shop("nothing", days=728, rng=1))
    >>> design = PauseDesign(kind="time", every="D", block=7, groups=12, lags=(1, 7))
    >>> power = foreseen(design, noises_of(past), 0.3, seed=1)
    >>> 0.7 < power.at_delta < 0.85, power.placebos
    (True, 400)
    """
    rng = np.random.default_rng([seed, 2])
    plans, complete = draws(design, len(noises), COURSES if quick else AGAIN, rng)
    if quick:
        plans = plans[rng.permutation(len(plans))[:COURSES]]
    z = exposure(plans, design.lags)
    really = _built_up(design, noises, z if truth is None else exposure(plans, truth))
    windows = tuple(empty_window(noise, design, quick=quick) for noise in noises)
    root = strength(windows, z, really)
    if quick:
        effects = np.r_[0.0, delta, np.linspace(0.25, 8, 125) / np.maximum(root, 1e-9).mean()]
        return _power(design, len(noises), effects, _by_formula(design, len(noises), effects, root), 0)
    longest = max(len(noise.innovations) for noise in noises)
    places = rng.integers(0, longest, (z.shape[-1], COURSES * TRUTHS), dtype=np.int64)
    windows = tuple(placebo_window(*each, places, rng) for each in zip(windows, noises, strict=True))
    effects = np.r_[0.0, delta, np.linspace(0.25, 8, 32) / np.sqrt(np.mean(root**2))]
    real = rng.choice(len(plans), min(TRUTHS, len(plans)), replace=False)
    found: Array = np.zeros(len(effects))
    for turn, plan in enumerate(real):
        own = slice(turn * COURSES, (turn + 1) * COURSES)
        laid = tuple(replace(window, residual=window.residual[:, own]) for window in windows)
        order = np.r_[plan, np.delete(np.arange(len(plans)), plan)]
        sums = draw_again(laid, z[order], False, really[plan])
        found += _share_found(sums, effects, complete=complete)
    return _power(design, len(noises), effects, found / len(real), COURSES * len(real))


def _by_formula(design: PauseDesign, units: int, effects: Array, root: Array) -> Array:
    from scipy.special import stdtr, stdtrit

    # draws that are free: of a group of blocks all but one
    df = design.groups * (design.size - 1) * (units if design.kind == "time" else 1) - 1
    critical = stdtrit(df, 0.975)
    shift = effects[:, None] * np.maximum(root, 1e-9)
    return np.asarray((stdtr(df, shift - critical) + stdtr(df, -shift - critical)).mean(axis=1))


def _built_up(design: PauseDesign, noises: tuple[Model, ...], exposures: Array) -> Array:
    """Where a shop stops for good, what is lost builds up, and no faster than the outcome forgets anything else."""
    if design.kind == "time":
        return exposures
    lost = [(1 - noise.memory.sum()) * exposures[:, unit] for unit, noise in enumerate(noises)]
    built = [_living_on(each, noise.memory) for each, noise in zip(lost, noises, strict=True)]
    return np.stack(built, axis=1)


def _living_on(values: Array, memory: Array) -> Array:
    """What goes on along the last axis by an autoregression."""
    from scipy.linalg import solve_triangular, toeplitz

    periods = values.shape[-1]
    autoregression = toeplitz(np.r_[1.0, -memory, np.zeros(periods)][:periods], np.zeros(periods))
    found = solve_triangular(autoregression, values.reshape(-1, periods).T, lower=True)
    return np.asarray(found.T.reshape(values.shape))


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


def empty_window(noise: Model, design: PauseDesign, *, quick: bool = False) -> Window:
    """The plan's window behind a history as long as the noise's, without an outcome."""
    history, ahead = len(noise.innovations), design.length + design.follow_up
    dates = np.datetime64("2024-01-01") + DAYS[design.every] * np.arange(history + ahead)
    terms = filtered(calendar_terms(dates, history, design.every).T, noise.memory).T
    # which of the bases it is changes the courses that are drawn, and no formula
    basis = orthonormal(terms) if quick else np.linalg.qr(terms)[0]
    memory = noise.memory[:0] if design.carried else noise.memory
    return Window(np.zeros((ahead, 1)), basis[history:], counted(design), memory, noise.sigma, memory[:0])


def placebo_window(
    window: Window, noise: Model, places: npt.NDArray[np.int64], rng: np.random.Generator
) -> Window:
    """A unit's window with courses of the noise in it, each from these places of the past."""
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
