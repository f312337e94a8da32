"""What may be drawn at random, and what a plan is: who pauses when, fixed before it begins."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from erresearch.errors import Count, DesignError, check_name
from erresearch.experiments.history import DAYS, Series, fingerprint, fit_history
from erresearch.results import Printed, Table, escape, plain, rounded
from erresearch.schema.vocabulary import PERIODS

Array = npt.NDArray[np.float64]
Plans = npt.NDArray[np.bool_]
Kind = Literal["time", "shops"]

#: Fewest pairs of shops, and of draws by pairs of blocks: five give no two-sided p below 2/2⁵ = .0625.
FEWEST: Final = 6
#: What each design does, in one sentence.
DESIGNS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "time": "posting is paused in one block of each pair of blocks, which of the two is drawn at random",
        "shops": "of each pair of shops that moved alike one, drawn at random, stops posting at a date drawn at random",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseDesign:
    """How pauses are drawn at random.

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
    >>> design = PauseDesign(kind="time", every="W", block=2, groups=6, lags=(0, 1))
    >>> design.length, design.follow_up, design.reachable(design.length)
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
        check_name("design", self.kind, DESIGNS)
        check_name("length of a period", self.every, ("D", "W"))
        _check_counts(self)
        if self.groups < FEWEST and self.kind == "shops":
            raise DesignError(
                f"a plan of fewer than {FEWEST} pairs of shops rests on too few of them",
                got=f"{self.groups}", allowed=f"{FEWEST} or more",
                fix="pause in time: design='time' (--design time)",
            )  # fmt: skip

    @property
    def length(self) -> int:
        """Periods from the first to the last day of the plan."""
        return self.periods if self.kind == "shops" else self.block * self.size * self.groups

    @property
    def follow_up(self) -> int:
        """Periods after the plan's end that are still counted, because posting may still work then."""
        return self.lags[1]

    @property
    def longer(self) -> tuple[int, int]:
        """Lags of a response twice as long as the one that is declared."""
        first, last = self.lags
        return first, 2 * last + 1 - first

    @property
    def canonical(self) -> str:
        """All fields as text that stays the same whatever the class is called: what seed and digest rest on."""
        return "\n".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))

    @property
    def how(self) -> str:
        """What is drawn, in one sentence."""
        if self.size == 2:
            return DESIGNS[self.kind]
        return f"posting is paused in half of the blocks of each group of {self.size}, which of them is drawn at random"

    @property
    def stops(self) -> npt.NDArray[np.int_]:
        """Of a plan by shops, when one stops: spread over the middle, so that every pair has time on both sides."""
        return self.length // 4 + (self.length // 2) * np.arange(self.groups) // self.groups

    def reachable(self, periods: int, units: int = 1) -> float:
        """Smallest two-sided p-value once `periods` of the plan are over, in so many shops with a draw of their own.

        A plan and its mirror image always count.
        """
        if self.kind == "shops":
            stopped = int((self.stops < periods).sum())
            plans = 2**stopped * math.perm(self.groups, stopped)
            return float(min(max(2 / plans, 1 / 1000), 1))
        begun = min(self.groups, -(-periods // (self.block * self.size))) * units
        plans = math.comb(self.size, self.size // 2) ** min(begun, 99)
        return float(max(2 / plans, 1 / 1000))


@dataclass(frozen=True, slots=True)
class Blocks:
    """How blocks are laid out; what is left out is chosen by the planner or usual.

    Parameters
    ----------
    length : int, optional
        Periods in a block.
    size : int
        Blocks in a group, half of them pauses in random order: 2 for pairs.
    washout : int
        Periods at the start of each block whose outcome is not used.

    See Also
    --------
    plan_experiment : Takes them as `block`.

    Examples
    --------
    >>> Blocks(4, size=4, washout=1)
    Blocks(length=4, size=4, washout=1)
    """

    length: int | None = None
    size: int = 2
    washout: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no block."""
        for wrong, count, least, step in (
            ("`block` must be 1 or more periods", 1 if self.length is None else self.length, 1, 1),
            ("`size` must be an even number of blocks", self.size, 2, 2),
            ("`washout` must be 0 or more periods", self.washout, 0, 1),
        ):
            if not (isinstance(count, int) and least <= count <= _LONGEST and count % step == 0):
                raise DesignError(wrong, got=repr(count)[:40], fix="count in whole numbers: block=2")


def fewest_groups(size: int, units: int) -> int:
    """Groups of blocks that a plan needs at least, so that a p-value of .05 can be reached.

    What counts is how many plans chance could draw in all: shops that each have a draw of their own need fewer groups.

    Examples
    --------
    >>> fewest_groups(2, 1), fewest_groups(2, 3), fewest_groups(4, 1), fewest_groups(2, 12)
    (6, 2, 3, 1)
    """
    plans = math.comb(size, size // 2)
    return next(groups for groups in itertools.count(1) if 2 / plans ** (groups * units) <= 0.05)


def check_draws(design: PauseDesign, units: int) -> None:
    """Refuse a plan in time that so many shops cannot tell anything by.

    Raises
    ------
    DesignError
        Naming how many groups of blocks there must be.
    """
    least = fewest_groups(design.size, units)
    if design.kind == "time" and design.groups < least:
        raise DesignError(
            f"a plan of fewer than {Count(least):group} of blocks can reach no p-value of .05",
            got=f"{design.groups}, so that the smallest p-value is {design.reachable(design.length, units):.4g}",
            allowed=f"{least} or more", fix="give it more weeks or shorter blocks",
        )  # fmt: skip


#: Longest plan, in days.
_LONGEST: Final = 20 * 366


def _check_counts(design: PauseDesign) -> None:
    if not isinstance(design.lags, tuple) or len(design.lags) != 2:
        raise DesignError(
            "`lags` must be two whole numbers", got=f"{design.lags!r}"[:40], fix="use lags=(0, 1)"
        )
    Blocks(design.block, design.size, design.washout)  # refuses what is no block
    counts = (design.groups, design.periods, *design.lags)
    if not all(isinstance(count, int) and abs(count) <= _LONGEST for count in counts):
        raise DesignError(
            "a design is told in whole numbers", got=f"{counts}"[:80], allowed=f"up to {_LONGEST:,}",
            fix="count in periods: groups=12, lags=(0, 1)",
        )  # fmt: skip
    first, last = design.lags
    shops = design.kind == "shops"
    fine = (
        ("`groups` must be 1 or more", "groups", design.groups >= 1),
        ("`lags` must be the first and the last lag, the smaller one first", "lags", 0 <= first <= last),
        ("`washout` must be shorter than a block", "washout", design.washout < design.block),
        ("a plan by shops needs at least 4 periods", "periods", not shops or design.periods >= 4),
        ("`lags` must not be longer than the plan", "lags", last <= design.length),
        ("a plan lasts 20 years at most", "length", design.length * DAYS[design.every] <= _LONGEST),
    )
    for wrong, name, right in fine:
        if not right:
            raise DesignError(wrong, got=f"{name} = {getattr(design, name)}", fix="choose another number")


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

    See Also
    --------
    PauseDesign : How it was drawn.

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


#: P-value below which a plan may be ended at the one look halfway (Haybittle 1971, Peto et al. 1976).
LOOK = 0.001
#: Largest effect of posting that anybody plans for: half of the outcome.
BELIEVABLE = math.log(2)
_ENOUGH: Final = 0.8  # power below which the smallest effect of interest is said to be missed


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
        Smallest effect found four times in five, as a difference of logarithms; inf where none was.
    at_delta : float
        Share of plans that find the smallest effect of interest.
    placebos : int
        Plans laid over the past.

    See Also
    --------
    erresearch.experiments.plan_experiment : Works it out.
    """

    weeks: int
    groups: int
    smallest_p: float
    size: float
    detectable: float
    at_delta: float
    placebos: int


def listed(parts: tuple[tuple[str, str], ...]) -> str:
    """Named sentences as Markdown: the first stands over the others.

    Examples
    --------
    >>> print(listed((("", "a plan"), ("Costs", "nothing"))))
    **a plan**
    <BLANKLINE>
    * Costs: nothing
    """
    (_, head), *others = parts
    return "\n".join([f"**{escape(head)}**\n", *(f"* {name}: {escape(text)}" for name, text in others)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PausePlan(Printed):
    """A plan of pauses, fixed before it begins.

    Parameters
    ----------
    design : PauseDesign
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
        What posting costs a shop in a week, in the outcome's unit; nan where it was not said.
    currency : str
        Of the outcome; empty where it is not known or none.
    zone : str
        In which the history counts its days; empty where it is not known.
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

    design: PauseDesign
    schedule: Schedule
    history: tuple[Series, ...]
    outcome: str
    delta: float
    cost: float = math.nan
    currency: str = ""
    zone: str = ""
    power: tuple[Power, ...] = ()
    blocks: tuple[tuple[int, float], ...] = ()
    reasons: tuple[str, ...] = ()
    claim: str = ""
    forecast: float = math.nan
    wagered: str = ""

    @property
    def name(self) -> str:
        """Whose plan it is."""
        shops = len(self.history)
        return f"{Count(shops):shop}" if shops > 1 else self.history[0].entity or "the shop"

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
        """The row of `power` for the plan's own length."""
        return next((row for row in self.power if row.weeks == self.weeks), None)

    @property
    def may_look(self) -> bool:
        """Whether one look halfway could decide anything."""
        units = len(self.history) // (2 if self.design.kind == "shops" else 1)
        return self.design.reachable(math.ceil(self.design.length / 2), units) <= LOOK

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
        what = [self.design.canonical, str(self.schedule), fingerprint(self.history), self.outcome]
        return hashlib.sha256("\n".join([*what, f"{self.delta!r}", wagered]).encode()).hexdigest()

    def money(self, effect: float) -> float:
        """An effect (a difference of logarithms) in the outcome's unit by week."""
        return (1 - math.exp(-effect)) * self.usual

    def told(self, amount: float, *, like: float = math.nan) -> str:
        """An amount with its currency: the cost as it was given, others to two digits (of `like`) on their side of it."""
        half = abs(amount) if math.isnan(like) else like
        given = amount == self.cost
        shown = plain(amount, ",.0f") if given else rounded(amount, like=half, beside=[self.cost])
        return f"{shown} {self.currency}".strip()

    @property
    def expected(self) -> str:
        """What the wager foresees, as people read it."""
        return f"{100 * self.forecast:.3g} %, {self.told(self.forecast * self.usual)} {self.each_week}"

    @property
    def each_week(self) -> str:
        """What amounts are counted by: weeks, of every shop where there are several."""
        return "a week and shop" if len(self.history) > 1 else "a week"

    @property
    def lost(self) -> float:
        """Revenue that the pauses cost if the effect is the smallest of interest, in the outcome's unit."""
        paused = float((~self.schedule.posting).sum()) * DAYS[self.design.every] / 7
        return paused * self.money(self.delta)

    @property
    def costs(self) -> str:
        """What the pauses cost: reactions, and revenue if posting brings the smallest effect of interest."""
        paused, of = int((~self.schedule.posting).sum()), self.schedule.posting.size
        word = f"{PERIODS[self.design.every].many}{' of all shops' if len(self.history) > 1 else ''}"
        usual = [math.nan if (had := shop.engagement) is None else np.nanmean(had) for shop in self.history]
        reactions = float((~self.schedule.posting).sum(axis=1) @ np.array(usual))
        known = "" if math.isnan(reactions) else f", about {rounded(reactions, like=reactions)}"
        return (
            f"the reactions of {paused:,} of {of:,} {word}{known}. If posting brings {100 * self.delta:.0f} % of "
            f"{self.outcome}, they also cost {self.told(self.lost)} of it"
        )

    @property
    def answer(self) -> str:
        """What the plan can find, in people's terms."""
        own = self.own_power
        if own is None:
            return "What this plan can find was not worked out."
        if own.detectable > BELIEVABLE:
            none = "no effect of a believable size would be found four times in five"
            return f"With {Count(self.weeks):week} {none}: not worth it."
        found = self.money(own.detectable)
        said = (
            f"With {Count(self.weeks):week} you would find an effect of {self.told(found)} {self.each_week} four times "
            "in five"
        )
        if own.at_delta < _ENOUGH:
            said += f", and one of {self.told(self.money(self.delta))}, your smallest effect of interest, "
            said += f"{100 * own.at_delta:.0f} times in 100"
        if math.isnan(self.cost):
            return f"{said}; say what posting costs you (cost=, --cost) to see whether that is worth it."
        said += f"; posting costs you {self.told(self.cost)} {self.each_week}."
        if found > self.cost and own.at_delta < _ENOUGH:
            return (
                f"{said} A plan of this length could miss an effect that pays for the posting: not worth it."
            )
        if found > self.cost:
            between = f"between {self.told(self.cost)} and {self.told(found)}"
            return f"{said} It finds your smallest effect of interest; one {between} pays too, and could be missed."
        return f"{said} An effect that pays for the posting would be found."

    @property
    def table(self) -> Table:
        """What plans of other lengths would find."""
        pairs = "pairs" if self.design.size == 2 else "groups"
        head = ("weeks", pairs, "smallest p", "false alarms", "found 4 times in 5", self.each_week, "finds δ")
        rows: list[tuple[str | float, ...]] = []
        for row in self.power:
            money = self.told(self.money(row.detectable)) if math.isfinite(row.detectable) else "–"
            found = (share_lost(row.detectable), money, f"{100 * row.at_delta:.0f} %")
            rows.append((row.weeks, row.groups, f"{row.smallest_p:.3f}", f"{100 * row.size:.0f} %", *found))
        return Table.of(head, rows)

    def __str__(self) -> str:
        """Who pauses, the dates, and what it can find."""
        return "\n".join(text for _, text in self.parts)

    def _repr_markdown_(self) -> str:
        return listed(self.parts)

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """What it says, each sentence with the name of what it is about."""
        last = self.schedule.dates[-1] + np.timedelta64(DAYS[self.design.every] - 1, "D")
        what = f"{Count(self.weeks):week}, {self.start} to {last}: {self.design.how}."
        said = (("Plan", what), ("Finds", self.answer), ("Costs", f"The pauses cost {self.costs}."))
        return (*said, *(("Note", reason) for reason in self.reasons))


def share_lost(effect: float) -> str:
    """What a pause takes from the outcome, for an effect as a difference of logarithms.

    Examples
    --------
    >>> share_lost(0.1), share_lost(float("inf"))
    ('10 %', 'none')
    """
    return f"{-100 * math.expm1(-effect):.0f} %" if math.isfinite(effect) else "none"


def seed_of(history: tuple[Series, ...], design: PauseDesign) -> int:
    """A seed that follows from history and design alone.

    Examples
    --------
    >>> design = PauseDesign(kind="time", every="W", block=1, groups=6, lags=(1, 1))
    >>> seed_of((), design) == seed_of((), design)
    True
    """
    return int(hashlib.sha256(f"{fingerprint(history)}\n{design.canonical}".encode()).hexdigest()[:16], 16)
