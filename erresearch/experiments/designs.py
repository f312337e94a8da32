"""What may be drawn by lot: pauses in time, or pauses of one shop of each pair."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from erresearch.errors import DesignError, UnknownNameError

__all__ = ["DESIGNS", "FEWEST", "Design", "Kind", "Schedule", "draws", "exposure"]

Array = npt.NDArray[np.float64]
Plans = npt.NDArray[np.bool_]
Kind = Literal["time", "shops"]

#: Fewest pairs (or groups): five give no two-sided p below 2/2⁵ = .0625.
FEWEST: Final = 6
#: Up to this many possible plans all of them are gone through, and the p-value is exact.
ALL_OF_THEM: Final = 4096

#: What each design does, in one sentence.
DESIGNS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "time": "posting is paused in one block of each pair of blocks, which of the two is drawn by lot",
        "shops": "of each pair of shops that moved alike one, drawn by lot, stops posting at a date drawn by lot",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How pauses are drawn by lot.

    Parameters
    ----------
    kind : {"time", "shops"}
        A key of :data:`DESIGNS`.
    every : {"D", "W"}
        Length of a period.
    block : int
        Periods in a block: the shortest run of posting or of silence.
    groups : int
        Groups of blocks, or pairs of shops.
    size : int
        Blocks in a group, half of them pauses: 2 for pairs.
    lags : tuple of int
        First and last period after posting in which it may work: the carry-over that is declared.
    washout : int
        Periods at the start of each block whose outcome is not used.
    periods : int
        Periods of a plan by shops; 0 for a plan in time, whose length follows from its blocks.
    carried : bool
        Whether an effect lives on as every other shock to the outcome does, by the memory of the noise (by week);
        otherwise it is over after the last lag (by day).

    Raises
    ------
    DesignError
        If it could not be run or could not tell anything.

    See Also
    --------
    erresearch.experiments.plan_experiment : Chooses a design from a shop's past.

    Examples
    --------
    >>> design = Design(kind="time", every="W", block=2, groups=6, lags=(0, 1))
    >>> design.length, design.follow_up, design.smallest_p
    (24, 1, 0.03125)
    """

    kind: Kind
    every: Literal["D", "W"]
    block: int
    groups: int
    lags: tuple[int, int]
    size: int = 2
    washout: int = 0
    periods: int = 0
    carried: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        if self.kind not in DESIGNS:
            raise UnknownNameError.of("design", self.kind, DESIGNS)
        if self.every not in ("D", "W"):
            raise UnknownNameError.of("length of a period", self.every, ("D", "W"))
        _check_counts(self)
        if self.groups < FEWEST:
            what = "pairs of shops" if self.kind == "shops" else "groups of blocks"
            raise DesignError(
                f"a plan of fewer than {FEWEST} {what} can reach no p-value of .05",
                got=f"{self.groups}, so that the smallest p-value is {self.smallest_p:.4g}",
                allowed=f"{FEWEST} or more",
                fix="give it more weeks or shorter blocks"
                if self.kind == "time"
                else "pause in time: design='time'",
            )

    @property
    def length(self) -> int:
        """Periods from the first to the last day of the plan."""
        return self.periods if self.kind == "shops" else self.block * self.size * self.groups

    @property
    def follow_up(self) -> int:
        """Periods after the plan's end that are still counted, because posting may still work then."""
        return self.lags[1]

    @property
    def possible(self) -> int:
        """Number of plans among which the lot decides."""
        if self.kind == "shops":
            return int(2**self.groups * math.factorial(self.groups))
        return int(math.comb(self.size, self.size // 2) ** self.groups)

    @property
    def smallest_p(self) -> float:
        """Smallest two-sided p-value: a plan and its mirror image always count."""
        pairs = 2**self.groups if self.kind == "shops" else self.possible
        return max(2 / pairs, 1 / 1000)


def _check_counts(design: Design) -> None:
    first, last = design.lags
    fine = {
        "`block` must be 1 or more periods": design.block >= 1,
        "`size` must be an even number of blocks": design.size >= 2 and design.size % 2 == 0,
        "`lags` must be two whole numbers, the first and the last lag": 0 <= first <= last,
        "`washout` must be shorter than a block": 0 <= design.washout < design.block,
        "a plan by shops needs at least 4 periods": design.kind == "time" or design.periods >= 4,
    }
    for wrong, right in fine.items():
        if not right:
            raise DesignError(wrong, got=f"{design}", fix="choose another number")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """Who posts when.

    Parameters
    ----------
    entities : tuple of str
        Shops.
    dates : numpy.ndarray of datetime64[D]
        First day of each period of the plan.
    posting : numpy.ndarray of bool, shape (shops, periods)
        True where the shop posts as usual, False where it pauses.

    Examples
    --------
    >>> days = np.datetime64("2026-01-05") + 7 * np.arange(2)
    >>> print(Schedule(entities=("a",), dates=days, posting=np.array([[True, False]])))
    2026-01-05  a: post as usual
    2026-01-12  a: pause
    """

    entities: tuple[str, ...]
    dates: npt.NDArray[np.datetime64]
    posting: Plans

    def runs(self) -> list[tuple[str, np.datetime64, int, bool]]:
        """Shop, first period, number of periods, and whether it posts, for each unbroken run."""
        found = []
        for entity, row in zip(self.entities, self.posting, strict=True):
            at = 0
            for posts, run in itertools.groupby(row):
                length = len(list(run))
                found.append((entity, self.dates[at], length, bool(posts)))
                at += length
        return found

    def __str__(self) -> str:
        """One line for each run."""
        return "\n".join(
            f"{date}  {entity}: {'post as usual' if posts else 'pause'}"
            for entity, date, _, posts in self.runs()
        )


def draws(design: Design, units: int, count: int, rng: np.random.Generator) -> tuple[Plans, bool]:
    """Draw plans, or go through all of them where they are few.

    Parameters
    ----------
    design : Design
        What is drawn.
    units : int
        Shops (of a plan in time); pairs of shops otherwise.
    count : int
        Plans to draw.
    rng : numpy.random.Generator
        Where the lot comes from.

    Returns
    -------
    plans : numpy.ndarray of bool, shape (plans, units, members, periods)
        Members are the two shops of a pair; one in a plan in time.
    all_of_them : bool
        Whether these are all possible plans.

    Examples
    --------
    >>> design = Design(kind="time", every="W", block=1, groups=6, lags=(1, 1))
    >>> plans, every = draws(design, 1, 999, np.random.default_rng(1))
    >>> plans.shape, every
    ((64, 1, 1, 12), True)
    """
    if design.kind == "shops":
        return _by_shops(design, count, rng), False
    half = [True] * (design.size // 2) + [False] * (design.size // 2)
    if design.possible**units <= min(ALL_OF_THEM, 4 * count):
        orders = sorted(set(itertools.permutations(half)))
        every = np.array(list(itertools.product(orders, repeat=design.groups * units)))
        blocks, complete = every.reshape(len(every), units, 1, -1), True
    else:
        shape = (count, units, 1, design.groups, design.size)
        drawn = rng.permuted(np.broadcast_to(np.array(half), shape), axis=-1)
        blocks, complete = drawn.reshape(count, units, 1, -1), False
    return np.repeat(blocks, design.block, axis=-1), complete


def _by_shops(design: Design, count: int, rng: np.random.Generator) -> Plans:
    """Starts are spread over the middle of the plan, so that every pair has time on both sides."""
    places = design.length // 4 + (design.length // 2) * np.arange(design.groups) // design.groups
    starts = rng.permuted(np.broadcast_to(places, (count, design.groups)), axis=-1)
    stops = np.arange(design.length) >= starts[..., None]
    first = rng.integers(0, 2, (count, design.groups, 1)).astype(bool)
    return ~np.stack([stops & first, stops & ~first], axis=2)


def exposure(plans: Plans, lags: tuple[int, int]) -> Array:
    """How far a period is from posting as usual: the mean of the plan over the declared lags, less one.

    Parameters
    ----------
    plans : numpy.ndarray of bool, shape (..., periods)
        True where posts are published; before and after the plan they are.
    lags : tuple of int
        First and last lag.

    Returns
    -------
    numpy.ndarray, shape (..., periods + last lag)
        0 where nothing was missed, −1 where every post was.

    Examples
    --------
    >>> exposure(np.array([True, False, False, True]), (1, 2))
    array([ 0. ,  0. , -0.5, -1. , -0.5,  0. ])
    """
    first, last = lags
    length = plans.shape[-1] + last
    missed = np.zeros((*plans.shape[:-1], length + last))
    missed[..., last : last + plans.shape[-1]] = plans.astype(np.float64) - 1
    total = sum(missed[..., last - lag : last - lag + length] for lag in range(first, last + 1))
    return np.asarray(total / (last - first + 1))
