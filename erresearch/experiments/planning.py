"""Plans an experiment from a shop's own past, by placebo plans laid over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, Final, Literal

import numpy as np

from erresearch.errors import Count, DesignError, check_name
from erresearch.experiments.designs import (
    BELIEVABLE,
    DESIGNS,
    FEWEST,
    Blocks,
    Kind,
    PauseDesign,
    PausePlan,
    Power,
    Schedule,
    check_draws,
    fewest_groups,
    seed_of,
    share_lost,
)
from erresearch.experiments.history import (
    DAYS,
    Array,
    Flags,
    Model,
    Series,
    Shops,
    box,
    calendar_terms,
    day_of,
    filtered,
    fit_history,
    innovations_of,
    logged,
    nearest_pairs,
    noises_of,
    read_series,
)
from erresearch.experiments.randomisation import first_plan, foreseen
from erresearch.relate.distributed_lags import coefficients
from erresearch.results import Table
from erresearch.schema.vocabulary import PERIODS, Freq

#: The shortest block that is nearly as good as the best leaves room for more pairs.
NEARLY: Final = 1.1
#: Weeks between history and plan beyond which newer rows are asked for.
_LATE: Final = 13
#: Lengths of a plan that are compared, in weeks.
LENGTHS: Final = (12, 16, 24, 36, 52)
#: Blocks by which kinds of plans are compared, in periods.
USUAL_BLOCK: Final = {"D": 14, "W": 2}
#: Lengths of a block that are compared, in periods.
BLOCKS: Final = {"D": (4, 7, 14, 21, 28), "W": (1, 2, 3, 4)}  # four days: half-weeks whose weekdays wander


def plan_experiment(
    history: Any,
    *,
    outcome: str = "revenue",
    entity: str | None = None,
    design: Literal["auto", "time", "shops"] = "auto",
    block: int | Blocks | None = None,
    lags: tuple[int, int] | None = None,
    weeks: int | None = None,
    delta: float = 0.05,
    cost: float = math.nan,
    start: str | None = None,
) -> PausePlan:
    """Plan pauses in posting, drawn at random, that can tell what posting brings.

    The noise is taken from the shop's own past: trend, two waves of the year and weekdays are taken out of the
    logarithm of the outcome, and an autoregression (7 days, or 3 weeks) out of the rest. 400 placebo plans are laid over
    what is left, an effect is added to each, and each is judged as the real one will be.

    Parameters
    ----------
    history : Panel or frame
        At least 26 weeks by day or week: period, outcome, and entity and engagement where they are known.
    outcome : str
        What posting should move.
    entity : str, optional
        The one shop to plan for.
    design : {"auto", "time", "shops"}
        "time" pauses in blocks of time, "shops" pauses one shop of each of six or more pairs; "auto" takes, where there
        are twelve shops, the one that finds the smaller effect in the same weeks, else time.
    block : int or Blocks, optional
        Periods in a block; :class:`Blocks` also says how many make a group and how many periods at their start do not
        count (wash-out). By default, pairs without a wash-out, of the length that finds the smallest effect.
    lags : tuple of int, optional
        First and last period after posting in which it may work. By default, days 1 to 14 (weeks 0 to 2), or longer
        where that fits the past better.
    weeks : int, optional
        Length of the plan. By default, the shortest of 12, 16, 24, 36 and 52 that finds `delta` four times in five,
        else 52.
    delta : float
        Smallest effect of interest, as a share of the outcome.
    cost : float
        What posting costs a shop in a week, in the outcome's unit.
    start : str, optional
        First day. By default, the period after the last one of the history.

    Returns
    -------
    PausePlan
        With its schedule, what it can find (``power``) and what it costs (``lost``).

    Raises
    ------
    ErresearchError
        If the history is too short or has too little revenue, if too few pairs fit to reach a p-value of .05 (six of one
        shop, one each of six shops), or a number makes no sense.

    See Also
    --------
    erresearch.experiments.judge_experiment : Judges what came of it.
    erresearch.experiments.write_plan : Writes schedule, calendar and report.

    Notes
    -----
    The seed follows from the history and the design, so the same call gives the same schedule. What is found is the
    effect of *posting as it is done*, not of engagement.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> past = pd.DataFrame({"period": pd.date_range("2024-01-01", periods=104, freq="7D"),
    ...                      "revenue": 1000 * np.exp(0.1 * rng.standard_normal(104))})
    >>> plan = plan_experiment(past, weeks=24, lags=(1, 1), delta=0.1)
    >>> plan.design.block, plan.design.groups, str(plan.start)
    (1, 12, '2025-12-29')
    """
    blocks = block if isinstance(block, Blocks) else Blocks(block)
    asked = _Asked(outcome, entity, design, blocks, lags, weeks, delta, cost, start)
    return _planned(history, asked)


def quick_plan(history: Any) -> PausePlan:
    """Plan with a formula in the place of placebo plans: what it finds is within about a fifth, and at once.

    Parameters
    ----------
    history : Panel or frame
        As for :func:`plan_experiment`.

    Returns
    -------
    PausePlan

    See Also
    --------
    plan_experiment : The whole plan.
    """
    return _planned(history, _Asked(), quick=True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the caller asked of a plan."""

    outcome: str = "revenue"
    entity: str | None = None
    design: str = "auto"
    blocks: Blocks = field(default_factory=Blocks)
    lags: tuple[int, int] | None = None
    weeks: int | None = None
    delta: float = 0.05
    cost: float = math.nan
    start: str | None = None


def _planned(history: Any, asked: _Asked, *, quick: bool = False) -> PausePlan:
    delta, weeks = asked.delta, asked.weeks
    if not (isinstance(delta, Real) and 0 < delta < 1):
        raise DesignError("`delta` must be a share between 0 and 1", got=repr(delta), fix="use 0.05 for 5 %")
    if not (isinstance(asked.cost, Real) and not asked.cost < 0 and not math.isinf(asked.cost)):
        raise DesignError(
            "`cost` must not be negative", got=repr(asked.cost), fix="say what posting costs in a week"
        )
    shops = read_series(history, outcome=asked.outcome, entity=asked.entity)
    _check_calendar(shops, weeks)
    reasons: list[str] = []
    layout, kind = asked.blocks, _kind(asked, shops, reasons)
    shops = matched(shops) if kind == "shops" else shops
    noises = noises_of(shops, in_pairs=kind == "shops")
    window = asked.lags or _window(shops, reasons)

    def foresee(tried: PauseDesign) -> Power:
        return foreseen(tried, noises, delta, seed_of(shops, tried), quick=quick)

    blocks: tuple[tuple[int, float], ...] = ()
    if kind == "time":
        blocks = tuple(
            (length, foresee(tried).detectable)
            for length in _lengths(shops, weeks, layout)
            for tried in [_designed(kind, shops, replace(layout, length=length), window, weeks or 52)]
        )
        if layout.length is None:
            least = min(effect for _, effect in blocks)
            layout = replace(layout, length=next(n for n, effect in blocks if effect <= NEARLY * least))
            reasons.append(_why_block(layout, blocks, shops, weeks or 52))

    def shaped(length: int) -> PauseDesign:
        return _designed(kind, shops, layout, window, length)

    rows, chosen = _choose_length(shaped, weeks, foresee, _groups(layout, shops))
    if weeks is None and chosen.groups != rows[-1].groups:
        reasons.append("Shorter plans would miss the smallest effect of interest more than once in five.")
    complete = shaped(chosen.weeks)
    schedule = _schedule(complete, shops, asked.start)
    if kind == "time":
        late = foreseen(complete, noises, delta, seed_of(shops, complete), truth=complete.longer, quick=quick)
        reasons.append(_if_longer(complete, late))
    return PausePlan(
        design=complete,
        schedule=schedule,
        history=shops,
        outcome=asked.outcome,
        delta=delta,
        cost=asked.cost,
        currency=getattr(history, "currency", ""),
        zone=getattr(history, "tz", ""),
        power=rows,
        blocks=blocks,
        reasons=(*reasons, *_cautions(shops, noises, schedule)),
    )


def _kind(asked: _Asked, shops: Shops, reasons: list[str]) -> Kind:
    """Take the kind that was asked for; of several shops, that which finds the smaller effect in the same weeks."""
    if asked.design != "auto":
        check_name("design", asked.design, ("auto", *DESIGNS))
        if asked.design == "shops" and asked.blocks != Blocks():
            raise DesignError(
                "a plan by shops has no blocks, as each of those that pause stops for good",
                got=f"{asked.blocks}",
                fix="leave block=, --group and --washout out, or pause in time: design='time' (--design time)",
            )
        return "shops" if asked.design == "shops" else "time"
    if asked.blocks.size > 2 or asked.blocks.washout:
        return "time"  # shops that stop for good have no blocks
    if len(shops) < 2 * FEWEST:
        if len(shops) > 1:
            reasons.append(
                f"{Count(len(shops)):shop makes} too few pairs: each pauses in time, by a draw of its own."
            )
        return "time"
    weeks, every = asked.weeks or 52, shops[0].every
    layout = Blocks(min(asked.blocks.length or USUAL_BLOCK[every], weeks * 7 // (2 * DAYS[every])))
    tried: dict[Kind, float] = {}
    for kind in DESIGNS:
        own = matched(shops) if kind == "shops" else shops
        design = _designed(kind, own, layout, asked.lags or DEFAULT_WINDOW[every], weeks)
        noises = noises_of(own, in_pairs=kind == "shops")
        tried[kind] = foreseen(design, noises, asked.delta, seed_of(own, design), quick=True).detectable
    reasons.append(
        f"{Count(len(shops)):shop}: with pauses in time, by a draw of each one's own, {Count(weeks):week} would find "
        f"about {share_lost(tried['time'])} four times in five; with one shop of each pair that stops for good,"
        f" {share_lost(tried['shops'])}. The plan takes what finds more."
    )
    return min(tried, key=lambda kind: tried[kind])


def _check_calendar(shops: Shops, weeks: int | None) -> None:
    if len({(shop.every, str(shop.dates[-1])) for shop in shops}) > 1:
        raise DesignError(
            "the shops' histories end on different days or have different periods",
            got=", ".join(sorted({str(shop.dates[-1]) for shop in shops})[:3]),
            fix="cut them to one last day, or name one shop with entity= (--entity)",
        )
    if weeks is not None and not (isinstance(weeks, int) and 4 <= weeks <= 260):
        raise DesignError("`weeks` is no length of a plan", got=repr(weeks), allowed="4 to 260")


def matched(shops: Shops) -> Shops:
    """Pair shops whose past moved alike, nearest first; one that is left over is not in the plan.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> weeks = pd.date_range("2024-01-01", periods=104, freq="7D")
    >>> waves = 0.1 * rng.standard_normal((6, 104))
    >>> twelve = [pd.DataFrame({"entity": f"{pair}{one}", "period": weeks, "revenue": np.exp(
    ...     waves[pair] + 0.02 * rng.standard_normal(104))}) for one in "ab" for pair in range(6)]
    >>> names = [shop.entity for shop in matched(read_series(pd.concat(twelve)))]
    >>> all(one[0] == other[0] for one, other in zip(names[::2], names[1::2], strict=True))
    True
    """
    if len(shops) < 2 * FEWEST:
        raise DesignError(
            f"fewer than {FEWEST} pairs of shops",
            got=f"{Count(len(shops)):shop}",
            fix="pause in time: design='time' (--design time)",
        )
    return tuple(shops[at] for at in nearest_pairs(innovations_of(shops)))


def _lengths(shops: Shops, weeks: int | None, layout: Blocks) -> list[int]:
    """Lengths of a block that are compared: of which enough groups fit."""
    step, longest = DAYS[shops[0].every], 7 * (weeks or 52)
    needed = layout.size * fewest_groups(layout.size, len(shops)) * step
    possible = [length for length in BLOCKS[shops[0].every] if length > layout.washout]
    fitting = [length for length in possible if needed * length <= longest]
    if not fitting:
        raise DesignError(
            f"fewer than {_groups(layout, shops)} of blocks fit into the plan",
            got=f"{Count(weeks or 52):week} of blocks of {min(possible, default=layout.washout + 1)} or more periods",
            allowed=f"at least {Count(needed * min(possible, default=layout.washout + 1) // 7):week}",
            fix="give it more weeks",
        )
    return fitting


def _groups(layout: Blocks, shops: Shops) -> str:
    """The fewest groups of blocks in words."""
    return f"{fewest_groups(layout.size, len(shops))} {'pairs' if layout.size == 2 else 'groups'}"


def _why_block(layout: Blocks, blocks: Sequence[tuple[int, float]], shops: Shops, weeks: int) -> str:
    block, every = layout.length or 1, shops[0].every
    rest = "; ".join(f"{Count(size):{PERIODS[every].one}}: {share_lost(effect)}" for size, effect in blocks)
    longer = ["longer ones gain little"] if block < blocks[-1][0] else []
    shorter = ["shorter ones miss more"] if block > blocks[0][0] else []
    why = ", ".join([*longer, *shorter]) or f"of longer ones no {_groups(layout, shops)} fit"
    return (
        f"Blocks of {Count(block):{PERIODS[every].one}}: {why}"
        f" (found four times in five over {Count(weeks):week}, by length of a block: {rest})."
    )


def _window(shops: Shops, reasons: list[str]) -> tuple[int, int]:
    """Take the window that the past believes in where it is longer than the usual one.

    What moves reactions and outcome at once looks like a short response, and too short a window misses the effect.
    """
    every = shops[0].every
    usual = DEFAULT_WINDOW[every]
    best, explained = max(map(carry_over, shops), key=lambda found: found[1])
    past = f"In the past reactions went with the outcome {_span(best, every)} later"
    if not explained:
        reasons.append(f"The past does not tell how long posting works: {_span(usual, every)} are taken.")
    elif best[1] > usual[1] or best == usual:
        reasons.append(f"{past}.")
    else:
        reasons.append(
            f"{past}. What moves both at once looks like that too, so {_span(usual, every)} are taken; declare a shorter"
            " window (lags=, --lags) where you know it."
        )
    return best if best[1] > usual[1] else usual


def _if_longer(design: PauseDesign, late: Power) -> str:
    """What the plan finds if its lags are too short: only who plans can know, the past does not tell."""
    found = "no effect of a believable size" if late.detectable > BELIEVABLE else share_lost(late.detectable)
    return (
        f"If posting works twice as long, {_span(design.longer, design.every)} later, the same plan finds {found} four"
        f" times in five: where you expect that, declare such lags (lags=, --lags {design.longer[0]} {design.longer[1]})."
    )


def _span(window: tuple[int, int], every: Freq) -> str:
    last = format(Count(window[1]), PERIODS[every].one)
    return f"{window[0]} to {last}" if window[0] < window[1] else last


def _designed(kind: Kind, shops: Shops, layout: Blocks, lags: tuple[int, int], weeks: int) -> PauseDesign:
    every, periods = shops[0].every, weeks * 7 // DAYS[shops[0].every]
    if kind == "shops":
        return PauseDesign(
            kind="shops", every=every, block=1, groups=len(shops) // 2, lags=lags, periods=periods
        )
    block, size = layout.length or 1, layout.size
    made = PauseDesign(
        kind="time", every=every, block=block, groups=periods // (size * block) if size > 0 else 0, lags=lags,
        size=size, washout=layout.washout, carried=every == "W",
    )  # fmt: skip
    check_draws(made, len(shops))
    return made


def _choose_length(
    shaped: Callable[[int], PauseDesign],
    own: int | None,
    foresee: Callable[[PauseDesign], Power],
    needed: str,
) -> tuple[tuple[Power, ...], Power]:
    """What plans of several lengths would find; the own one, or the shortest that finds delta."""
    found: dict[int, Power] = {}
    for length in sorted({*LENGTHS, *([own] if own else [])}):
        try:
            tried = shaped(length)
        except DesignError:
            if length == own:
                raise
            continue  # too few pairs in so short a plan; the table begins later
        if tried.length not in found:  # weeks that are no whole pair of blocks give the plan of fewer weeks
            found[tried.length] = foresee(tried)
    rows = tuple(found.values())
    if not rows:
        raise DesignError(
            f"fewer than {needed} of blocks fit into a year",
            got="blocks that long",
            fix="use block=1 (--block 1)",
        )
    if own:
        return rows, found[shaped(own).length]
    return rows, next((row for row in rows if row.at_delta >= 0.8), rows[-1])


def _schedule(design: PauseDesign, shops: Shops, start: str | None) -> Schedule:
    step = np.timedelta64(DAYS[design.every], "D")
    after = shops[0].dates[-1] + step
    if start is not None:
        first = day_of(start, "start")
        if first < after or (first - after) % step:
            later = after + max(math.ceil((first - after) / step), 0) * step
            raise DesignError(
                "the plan cannot start on that day",
                got=str(first),
                allowed=f"{after} or a whole number of periods later",
                fix=f"use {later} (start=, --start)",
            )
        after = first
    return Schedule(
        entities=tuple(shop.entity for shop in shops),
        dates=after + step * np.arange(design.length),
        posting=first_plan(design, shops).reshape(len(shops), -1),
    )


def _cautions(shops: Shops, noises: tuple[Model, ...], schedule: Schedule) -> list[str]:
    missing, low = sum(noise.missing for noise in noises), sum(noise.at_floor for noise in noises)
    said = []
    if (late := int((schedule.dates[0] - shops[0].dates[-1]).astype(int) // 7)) > _LATE:
        said.append(
            f"The plan begins {Count(late):week} after the last row of history: plan again with newer rows, if any."
        )
    if missing:
        said.append(f"Periods of the history without an outcome, which do not count: {missing:,}.")
    if low:
        said.append(
            f"Periods of the history with next to no outcome, which count as a small amount: {low:,}."
        )
    if len(shops[0]) * DAYS[shops[0].every] < 347:
        said.append("The history is shorter than a year, so the season is not taken out.")
    return said


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
        ways = (
            foreseen(tried, noises, plan.delta, plan.seed, truth=lags[last], quick=True)
            for last in sorted(lags)
        )
        found = [way.detectable for way in ways]
        rows.append([block, *(share_lost(one if one <= BELIEVABLE else math.inf) for one in found)])
    unit = PERIODS[design.every].one
    return Table.of((f"block of {unit}s", *(f"works to {unit} {last}" for last in sorted(lags))), rows)


#: Windows of the response that are compared, and the one that is taken unless the past tells of a longer one.
WINDOWS: Final = {
    "D": ((1, 3), (1, 7), (1, 14), (1, 21), (1, 28)),
    "W": ((0, 0), (1, 1), (0, 1), (0, 2), (0, 3)),
}
DEFAULT_WINDOW: Final = {"D": (1, 14), "W": (0, 2)}
#: Fall in −2 log likelihood that a window must bring to be believed (the 1 % point of χ² with 1 degree).
BELIEVED: Final = 6.63


def carry_over(shop: Series) -> tuple[tuple[int, int], float]:
    """Find how long reactions go with the outcome, from the past alone: first and last lag, and what they explain.

    The outcome is regressed on log(B + .3 m), B the mean engagement over a window of lags and m its median, with the
    calendar terms and filtered by the memory of the noise. What a window explains is the fall in −2 log likelihood
    against no response; where it is not beyond what chance brings, the usual window is taken, and 0 is explained. The
    past may be confounded, so this chooses a length of blocks and never an effect.

    Examples
    --------
    >>> days = np.arange("2024-01-01", "2025-01-01", dtype="datetime64[D]")
    >>> shop = Series(entity="a", every="D", dates=days, outcome=np.exp(np.sin(np.arange(366.0))))
    >>> carry_over(shop)
    ((1, 14), 0.0)
    """
    best, explained = DEFAULT_WINDOW[shop.every], BELIEVED
    if shop.engagement is None or np.isnan(shop.engagement).mean() > 0.1:
        return best, 0.0
    model = fit_history(shop)
    reactions = np.nan_to_num(shop.engagement, nan=float(np.nanmedian(shop.engagement)))
    y = logged(shop.outcome, model.floor)
    X = calendar_terms(shop.dates, len(shop), shop.every)
    use = np.isfinite(y) & (np.arange(len(y)) >= WINDOWS[shop.every][-1][1] + len(model.memory))
    y = np.where(np.isfinite(y), y, np.nanmean(y))
    alone = _squares(y, X, model, use)
    for window in WINDOWS[shop.every]:
        felt = box(reactions, window)
        if (middle := float(np.median(felt[use]))) <= 0:
            continue
        terms = np.column_stack([X, np.log(felt + 0.3 * middle)])
        gain = float(use.sum() * math.log(alone / _squares(y, terms, model, use)))
        if gain > explained:
            best, explained = window, gain
    return best, explained if explained > BELIEVED else 0.0


def _squares(y: Array, X: Array, model: Model, use: Flags) -> float:
    left, right = filtered(y, model.memory)[use], filtered(X.T, model.memory).T[use]
    rest = left - right @ coefficients(right, left)
    return float(rest @ rest)
