"""What a plan is: who pauses when, how it is judged, and what it can find; fixed before it begins."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np

from erresearch.errors import DesignError
from erresearch.experiments.designs import DESIGNS, Array, Design, Plans, Schedule, draws, exposure
from erresearch.experiments.history import DAYS, Series, fingerprint, fit_history
from erresearch.results import Table, plain

__all__ = ["Plan", "Power", "first_plan", "redraws", "wager"]

#: Plans drawn again for a p-value.
REDRAWS = 999
#: P-value below which a plan may be ended at the one look halfway (Haybittle 1971, Peto et al. 1976).
LOOK = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What a plan of one length would find, from placebo plans laid over the shop's own past.

    Parameters
    ----------
    weeks : int
        Length of the plan.
    groups : int
        Pairs of blocks or of shops.
    smallest_p : float
        Smallest p-value that it can reach.
    size : float
        Share of placebo plans with p ≤ .05 where posting does nothing.
    detectable : float
        Smallest effect found four times in five, as a share of revenue (difference of logarithms); inf where none was.
    at_delta : float
        Share of plans that find the smallest effect of interest.
    placebos : int
        Plans laid over the past.
    """

    weeks: int
    groups: int
    smallest_p: float
    size: float
    detectable: float
    at_delta: float
    placebos: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A plan of pauses, fixed before it begins.

    Parameters
    ----------
    design : Design
        How it was drawn.
    schedule : Schedule
        Who posts when.
    history : tuple of Series
        What it was planned from; the noise and the seed come from it.
    outcome : str
        Column of the outcome.
    delta : float
        Smallest effect of interest, as a share of the outcome.
    cost : float
        What posting costs in a week, in the outcome's unit; nan where it was not said.
    power : tuple of Power
        For plans of several lengths; the plan's own is among them.
    blocks : tuple of (int, float)
        Length of a block and the effect that such blocks would find, for the same weeks.
    reasons : tuple of str
        Why this design, in sentences.
    claim, forecast, wagered : str, float, str
        What was registered before the start, and when; empty and nan until :func:`wager`.

    See Also
    --------
    erresearch.experiments.plan_experiment : Makes one.
    erresearch.experiments.judge_experiment : Judges what came of it.
    """

    design: Design
    schedule: Schedule
    history: tuple[Series, ...]
    outcome: str
    delta: float
    cost: float = math.nan
    power: tuple[Power, ...] = ()
    blocks: tuple[tuple[int, float], ...] = ()
    reasons: tuple[str, ...] = ()
    claim: str = ""
    forecast: float = math.nan
    wagered: str = ""

    @property
    def weeks(self) -> int:
        """Length in weeks."""
        return math.ceil(self.design.length * DAYS[self.design.every] / 7)

    @property
    def start(self) -> np.datetime64:
        """First day."""
        return np.datetime64(self.schedule.dates[0], "D")

    @property
    def end(self) -> np.datetime64:
        """First day after the last outcome that counts, the follow-up included."""
        periods = self.design.length + self.design.follow_up
        return self.start + np.timedelta64(periods * DAYS[self.design.every], "D")

    @property
    def own_power(self) -> Power | None:
        """The row of :attr:`power` for the plan's own length."""
        return next((row for row in self.power if row.groups == self.design.groups), None)

    @property
    def usual(self) -> float:
        """Mean outcome of a shop in a week, from the last year of the history."""
        per_period = float(np.mean([fit_history(shop).usual for shop in self.history]))
        return per_period * 7 / DAYS[self.design.every]

    @property
    def seed(self) -> int:
        """Taken from the history and the design, so that nobody can draw until a schedule pleases."""
        return seed_of(self.history, self.design)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that is fixed before the start: deposit it where others can see its date."""
        wagered = f"{self.claim}\t{self.forecast!r}\t{self.wagered}"
        what = [repr(self.design), str(self.schedule), fingerprint(self.history), self.outcome]
        return hashlib.sha256("\n".join([*what, f"{self.delta!r}", wagered]).encode()).hexdigest()

    def money(self, effect: float) -> float:
        """An effect (a difference of logarithms) in the outcome's unit by week."""
        return (1 - math.exp(-effect)) * self.usual

    @property
    def lost(self) -> float:
        """Revenue that the pauses cost if the effect is the smallest of interest, in the outcome's unit."""
        paused = float((~self.schedule.posting).sum()) * DAYS[self.design.every] / 7
        return paused * self.money(self.delta)

    @property
    def answer(self) -> str:
        """What the plan can find, in people's terms."""
        own = self.own_power
        if own is None:
            return "What this plan can find was not worked out."
        if math.isinf(own.detectable):
            return (
                f"With {self.weeks} weeks no effect of a believable size would be found four times in five."
            )
        found = self.money(own.detectable)
        said = f"With {self.weeks} weeks you would find {plain(found, ',.0f')} a week four times in five"
        if math.isnan(self.cost):
            return f"{said}; say what posting costs you (cost=) to see whether that is worth it."
        said += f"; what posting costs you is {plain(self.cost, ',.0f')}."
        if found > self.cost:
            return (
                f"{said} A plan of this length could miss an effect that pays for the posting: not worth it."
            )
        return f"{said} An effect that pays for the posting would be found."

    @property
    def table(self) -> Table:
        """What plans of other lengths would find."""
        return Table.of(
            (
                "weeks",
                "pairs",
                "smallest p",
                "found if nothing",
                "found 4 times in 5",
                "a week",
                "power at δ",
            ),
            [
                (
                    row.weeks,
                    row.groups,
                    f"{row.smallest_p:.3g}",
                    f"{100 * row.size:.0f} %",
                    f"{100 * row.detectable:.0f} %" if math.isfinite(row.detectable) else "none",
                    plain(self.money(row.detectable), ",.0f") if math.isfinite(row.detectable) else "–",
                    f"{100 * row.at_delta:.0f} %",
                )
                for row in self.power
            ],
        )

    def __repr__(self) -> str:
        """Say what `str` says."""
        return str(self)

    def __str__(self) -> str:
        """Design, dates, and what it can find."""
        last = self.schedule.dates[-1] + np.timedelta64(DAYS[self.design.every] - 1, "D")
        return "\n".join(
            [
                f"{self.weeks} weeks, {self.start} to {last}: {DESIGNS[self.design.kind]}.",
                self.answer,
                *self.reasons,
            ]
        )


def seed_of(history: tuple[Series, ...], design: Design) -> int:
    """A seed that follows from history and design alone.

    Examples
    --------
    >>> design = Design(kind="time", every="W", block=1, groups=6, lags=(1, 1))
    >>> seed_of((), design) == seed_of((), design)
    True
    """
    return int(hashlib.sha256(f"{fingerprint(history)}\n{design!r}".encode()).hexdigest()[:16], 16)


def units(design: Design, history: tuple[Series, ...]) -> tuple[tuple[int, ...], ...]:
    """Which shops form a unit of the lot: each by itself, or pairs that stand one after the other.

    Examples
    --------
    >>> units(Design(kind="time", every="W", block=1, groups=6, lags=(1, 1)), ())
    ()
    """
    members = 2 if design.kind == "shops" else 1
    return tuple(tuple(range(at, at + members)) for at in range(0, len(history), members))


def first_plan(design: Design, history: tuple[Series, ...]) -> Plans:
    """The one schedule that follows from history and design, shape (units, members, periods)."""
    rng = np.random.default_rng([seed_of(history, design), 0])
    every, complete = draws(design, len(units(design, history)), 1, rng)
    return np.asarray(every[rng.integers(len(every))] if complete else every[0])


def redraws(design: Design, units: int, seed: int, count: int = REDRAWS) -> tuple[Plans, bool]:
    """Plans drawn again, from another stream than the plan itself."""
    return draws(design, units, count, np.random.default_rng([seed, 1]))


def exposures(plans: Plans, design: Design) -> Array:
    """Exposure of each plan over its periods and the follow-up."""
    return exposure(plans, design.lags)


def counted(design: Design) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Periods that count: not those of the wash-out at the start of each block."""
    at = np.arange(design.length + design.follow_up)
    return (at % design.block >= design.washout) | (at >= design.length)


def wager(plan: Plan, claim: str, *, forecast: float, date: dt.date | str) -> Plan:
    """Write down before the start what is claimed and expected; the digest then holds it.

    Parameters
    ----------
    plan : Plan
        As planned.
    claim : str
        What is claimed, in one sentence.
    forecast : float
        Expected effect of posting on the outcome, as a share: 0.1 for 10 %.
    date : datetime.date or str
        Today, as 2026-01-31.

    Returns
    -------
    Plan
        The same with the wager; publish its ``digest``.

    Raises
    ------
    DesignError
        If it has no claim or no number, if there is one already, or if the plan has begun.

    Examples
    --------
    >>> wager.__name__
    'wager'
    """
    if plan.wagered:
        raise DesignError("this plan has a wager", got=f"of {plan.wagered}", fix="plan anew for another one")
    if not claim.strip() or not math.isfinite(forecast):
        raise DesignError(
            "a wager needs a claim and a forecast",
            got=f"{len(claim)} characters and {forecast!r}",
            fix="write one sentence and a share such as forecast=0.1",
        )
    try:
        day = dt.date.fromisoformat(str(date))
    except ValueError as error:
        raise DesignError("`date` is no date", fix="write it as 2026-01-31") from error
    if np.datetime64(day) >= plan.start:
        raise DesignError(
            "a wager comes before the start",
            got=f"{day}, the start is {plan.start}",
            fix="plan a later start",
        )
    return replace(plan, claim=" ".join(claim.split()), forecast=float(forecast), wagered=day.isoformat())
