"""Count how often planned experiments and interruptions find what is there, and what is not.

    python tools/experiments_calibration.py [--draws 200] [--table data/experiments_calibration.csv]

Shops are simulated by week (history of 104 weeks, posting stopped by the plan cuts engagement to a fifth, an elasticity
works in the next week, or spread over the next two or four), in pairs of such shops, in several of them that have a draw
of their own each, and by day (a year of history, :func:`erresearch.worlds.simulate_shop`). "planned" cells take lags and
block as the planner does from the shop's past; their block is 0. It may be stopped and started again: a cell that has
as many tables is kept.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from erresearch.errors import DataError
from erresearch.experiments import (
    Judgement,
    PauseDesign,
    PausePlan,
    Schedule,
    interruption,
    judge_experiment,
    plan_experiment,
)
from erresearch.experiments.history import DAYS, Model, noises_of, read_series
from erresearch.experiments.planning import matched
from erresearch.experiments.randomisation import draws, first_plan, foreseen
from erresearch.io.files import atomic_write, csv_text
from erresearch.worlds import simulate_shop

Array = np.ndarray
Counted = tuple[bool, float, float, float, float]
Driver = Callable[[np.random.Generator, int], tuple[Array, Array]]

BURN: Final = 60
CUT: Final = math.log(5)  # what a pause takes from log engagement
MEMORY: Final = 0.5  # of the log outcome by week


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One world and one design, and what was counted in it.

    `effect` is an elasticity; `found` the share of plans with p ≤ .05 (of interruptions with a word), `covered` the
    share of intervals that hold the truth (nan in pairs of shops, where it grows while the pause lasts), `foreseen` the
    mean power that the history promised at the truth (in pairs of shops at what stopping takes in the end), and `told`
    the same once the lags at which posting works are told, which the plan did not declare.
    """

    kind: str
    world: str
    weeks: int
    block: int
    effect: float
    draws: int = 0
    found: float = math.nan
    covered: float = math.nan
    foreseen: float = math.nan
    told: float = math.nan
    half_width: float = math.nan

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other cells."""
        return (self.kind, self.world, str(self.weeks), str(self.block), f"{self.effect:g}")


def _ar(shocks: Array, rho: float) -> Array:
    out, state = np.empty_like(shocks), 0.0
    for t, shock in enumerate(shocks):
        state = rho * state + shock
        out[t] = state
    return out


def _lag(values: Array, by: int = 1) -> Array:
    return np.concatenate([np.zeros(by), values[: len(values) - by]])


def _events(rng: np.random.Generator, n: int) -> Array:
    out, t = np.zeros(n), int(rng.integers(0, 8))
    while t < n:
        out[t] = 1
        t += 3 + int(rng.geometric(1 / 5))
    return out


def _promotion(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    p = _events(rng, n)
    return 0.7 * p, 0.5 * p


def _dip(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    p = _events(rng, n)
    return 0.7 * p, 0.5 * p - 0.2 * _lag(p)


def _teaser(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    p = _events(rng, n)
    return 0.7 * np.roll(p, -1) + 0.3 * p, 0.4 * p


def _black_friday(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    p = ((np.arange(n) - BURN) % 52 == 46) * np.exp(0.3 * rng.standard_normal(n))
    return np.roll(p, -1) + 1.2 * p, 1.2 * p - 0.25 * _lag(p) + 0.3 * _lag(p, 4)


def _relaunch(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    after = (np.arange(n) >= rng.integers(BURN + (n - BURN) // 4, BURN + 3 * (n - BURN) // 4)) * 1.0
    return 0.8 * after, 0.5 * _ar(0.35 * after, 0.65)


def _hidden(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    demand = _ar(0.25 * rng.standard_normal(n), 0.3)
    return demand, 0.5 * _lag(demand)


def _viral(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return _ar((rng.random(n) < 0.03) * rng.exponential(1.5, n), 0.4), np.zeros(n)


def _stock_out(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    hit = (rng.random(n) < 0.06) * 1.0
    return 1.2 * hit, 0.4 * hit - 0.6 * _lag(hit)


def _drift(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    return np.zeros(n), 0.05 * np.cumsum(rng.standard_normal(n))


#: What is added to log engagement and to log revenue. Counts made by noise or bots move no more revenue than "nothing",
#: and a plan is judged by revenue.
WORLDS: Final[dict[str, Driver | None]] = {
    "nothing": None,
    "promotions": _promotion,
    "promotion, then a dip": _dip,
    "teaser before a sale": _teaser,
    "Black Friday": _black_friday,
    "relaunch": _relaunch,
    "hidden demand": _hidden,
    "viral weeks": _viral,
    "stock-out after a hit": _stock_out,
    "drift": _drift,
}


def shop_by_week(
    seed: int | list[int],
    world: str,
    weeks: int,
    posting: Array | None,
    effect: float,
    *,
    lags: tuple[int, int] = (1, 1),
    reactions: bool = False,
) -> pd.DataFrame:
    """Simulate one shop; `posting` holds 1 and 0 for its last weeks, and posting works over a window of lags.

    Reactions are left out unless they are asked for: what one is worth is not counted here, and takes most of the time.
    """
    rng = np.random.default_rng(seed)
    n = weeks + BURN
    season = np.cos(2 * np.pi * (np.arange(n) - BURN - 35) / 52.1775)
    spend = 0.2 * season + _ar(0.35 * rng.standard_normal(n), 0.7)
    moving = 0.4 * spend + _ar(0.4 * rng.standard_normal(n), 0.5)
    noise = 0.15 * season + 0.15 * spend + 0.25 * rng.standard_normal(n)
    driver = WORLDS[world]
    to_x, to_y = driver(rng, n) if driver else (np.zeros(n), np.zeros(n))
    moving = moving + to_x
    if posting is not None:
        moving[n - len(posting) :] -= CUT * (1 - posting)
    first, last = lags
    felt = sum(_lag(moving, by) for by in range(first, last + 1)) / (last + 1 - first)
    y = _ar(effect * felt + noise, MEMORY) + to_y
    table = pd.DataFrame(
        {
            "period": pd.date_range("2023-01-02", periods=weeks, freq="7D"),
            "revenue": np.exp(9.2 + y)[BURN:],
        }
    )
    return table.assign(engagement=np.exp(5 + moving)[BURN:]) if reactions else table


def plan_of(history: pd.DataFrame, design: PauseDesign, posting: Array | None = None) -> PausePlan:
    """The plan that follows from a history, without looking for lengths; or one with a given schedule."""
    shops = read_series(history)
    shops = matched(shops) if design.kind == "shops" else shops
    step = np.timedelta64(DAYS[design.every], "D")
    schedule = Schedule(
        entities=tuple(shop.entity for shop in shops),
        dates=shops[0].dates[-1] + step + step * np.arange(design.length),
        posting=first_plan(design, shops).reshape(len(shops), -1) if posting is None else posting,
    )
    return PausePlan(design=design, schedule=schedule, history=shops, outcome="revenue", delta=0.05)


def _counted(
    judged: Judgement,
    plan: PausePlan,
    noises: tuple[Model, ...],
    truth: float,
    lags: tuple[int, int] | None = None,
) -> Counted:
    """What one judged plan counts; the power foreseen once more where the lags at which posting works are told."""
    promised = told = math.nan
    if truth:
        promised = foreseen(plan.design, noises, truth, plan.seed).at_delta
        told = foreseen(plan.design, noises, truth, plan.seed, truth=lags).at_delta if lags else math.nan
    ends = judged.effect.interval
    return judged.pvalue <= 0.05, truth in ends, promised, told, (ends.high - ends.low) / 2


def by_week(cell: Cell, seed: int) -> Counted:
    """One shop by week: found, covered, foreseen, the same with the lags told, half-width."""
    lags, planned = LAGS.get(cell.kind, (1, 1)), cell.block == 0

    def shop(weeks: int, posting: Array | None) -> pd.DataFrame:
        return shop_by_week(seed, cell.world, weeks, posting, cell.effect, lags=lags, reactions=planned)

    longest = 104 + cell.weeks + 4
    history = shop(longest, None)[:104]
    if planned:
        plan = plan_experiment(history, weeks=cell.weeks)
    else:
        groups = cell.weeks // (2 * cell.block)
        plan = plan_of(
            history,
            PauseDesign(kind="time", every="W", block=cell.block, groups=groups, lags=lags, carried=True),
        )
    posting = np.ones(longest - 104)
    posting[: plan.design.length] = plan.schedule.posting[0]
    judged = judge_experiment(shop(longest, posting), plan)
    truth = cell.effect * CUT
    return _counted(judged, plan, noises_of(plan.history), truth, lags if planned else None)


def by_several(cell: Cell, seed: int) -> Counted:
    """Several shops: each pauses in time, by a draw of its own; or one of each pair stops for good, at a date drawn."""
    pairs, weeks = cell.kind == "shops", 104 + cell.weeks + 1
    names = [f"shop {number:02d}" for number in range(SEVERAL[cell.kind])]
    common = np.exp(np.random.default_rng([seed, 99]).normal(0, 0.15, weeks) * (not pairs))

    def panel(posting: dict[str, Array]) -> pd.DataFrame:
        made = [
            shop_by_week([seed, at], cell.world, weeks, posting.get(name), cell.effect).assign(entity=name)
            for at, name in enumerate(names)
        ]
        return pd.concat([one.assign(revenue=one["revenue"] * common) for one in made], ignore_index=True)

    before = panel({})
    history = before[before["period"] < before["period"].min() + pd.Timedelta(days=7 * 104)]
    how: dict[str, Any] = {"kind": "time", "groups": cell.weeks // (2 * cell.block), "carried": True}
    if pairs:
        how = {"kind": "shops", "groups": 6, "periods": cell.weeks}
    design = PauseDesign(every="W", block=cell.block, lags=(1, 1), **how)
    plan = plan_of(history, design)
    rows = zip(plan.schedule.entities, plan.schedule.posting, strict=True)
    after = panel({name: np.r_[row, row[-1:] if pairs else True].astype(float) for name, row in rows})
    # of a shop that stops for good what that takes in the end, which builds up
    truth = cell.effect * CUT / (1 - MEMORY * pairs)
    noises = noises_of(plan.history, in_pairs=pairs)
    return _counted(judge_experiment(after, plan), plan, noises, truth)


def by_day(cell: Cell, seed: int) -> Counted:
    """One shop by day whose response is spread over two weeks."""
    groups = cell.weeks * 7 // (2 * cell.block)
    design = PauseDesign(kind="time", every="D", block=cell.block, groups=groups, lags=(1, 14))
    days = 365 + design.length + 14
    rng = np.random.default_rng([seed, 1])
    posting = draws(design, 1, 999, rng)[0]
    posting = posting[rng.integers(len(posting))][0]

    def shop(posting: Array, orders: float = 30.0) -> pd.DataFrame:
        return simulate_shop(
            cell.world, days=days, effect=cell.effect, orders=orders, posting=posting, rng=seed
        )

    table = shop(np.r_[posting[0], [True] * 14])
    plan = plan_of(table[:365], design, posting)
    judged = judge_experiment(table, plan)
    truth = 0.0
    if cell.effect:
        # so many orders that chance in their number does not count: posting throughout against not at all
        every, never = (shop(np.full(design.length, posts), 1e5)["revenue"][-60:] for posts in (True, False))
        truth = float(np.log(every / never).mean())
    return _counted(judged, plan, noises_of(plan.history), truth)


def interrupted(cell: Cell, seed: int) -> Counted:
    """Some weeks at a date at which nothing happened, of one shop or of one beside five that move with it."""
    shops = BESIDE.get(cell.kind, 0)
    table = shop_by_week(seed, cell.world, 156, None, 0.0).assign(entity="own")
    if shops:
        common = np.random.default_rng([seed, 99]).normal(0, 0.15, 156)
        made = [shop_by_week([seed, at + 1], cell.world, 156, None, 0.0) for at in range(shops)]
        made = [one.assign(entity=f"shop {at}") for at, one in enumerate(made)]
        table = pd.concat(
            [one.assign(revenue=one["revenue"].to_numpy() * np.exp(common)) for one in (table, *made)]
        )
    at, until = (str(table["period"].iloc[week].date()) for week in (140, 140 + cell.weeks))
    judged = interruption(table, at=at, until=until, entity="own")
    ends = judged.effect.interval
    return judged.word != "inconclusive", 0.0 in ends, math.nan, math.nan, (ends.high - ends.low) / 2


#: Lags at which posting works in a kind of cells, which the plan declares; the next week where none stand here.
LAGS: Final = {"same week": (0, 0), "spread over 2": (1, 2), "spread over 4": (1, 4)}
#: Shops that each pause in time, or that form pairs.
SEVERAL: Final = {"3 shops in time": 3, "8 shops in time": 8, "shops": 12}
#: Further shops in the panel of an interruption.
BESIDE: Final = {"interruption beside 5": 5}
KINDS: Final = {
    "week": by_week,
    **dict.fromkeys(LAGS, by_week),
    **dict.fromkeys(SEVERAL, by_several),
    "day": by_day,
    "interruption": interrupted,
    **dict.fromkeys(BESIDE, interrupted),
}
WEEKS: Final = (12, 24, 52)
EFFECTS: Final = (0.1, 0.2, 0.3)
IN_TIME: Final = ("nothing", "promotions", "hidden demand", "drift")
BY_DAY: Final = ("nothing", "promotions", "teasers", "hidden demand", "drift", "stock-outs")


def cells() -> list[Cell]:
    """All cells, the quick ones first."""
    grid = [("week", world, weeks, 1, 0.0) for world in WORLDS for weeks in WEEKS]
    grid += [
        ("week", world, weeks, 1, effect)
        for world in ("promotions", "drift", "hidden demand")
        for effect in EFFECTS
        for weeks in WEEKS
    ]
    grid += [("same week", "nothing", weeks, 1, effect) for effect in (0.0, 0.3) for weeks in WEEKS]
    # a wrong length of the block, and the one that the planner takes
    grid += [
        (kind, "promotions", 52, block, 0.2)
        for kind in ("week", "spread over 2", "spread over 4")
        for block in (1, 2, 3, 4, 0)
        if (kind, block) != ("week", 1)
    ]
    grid += [
        (kind, world, weeks, 1, effect)
        for kind in ("3 shops in time", "8 shops in time")
        for world, effect in (*((world, 0.0) for world in IN_TIME), ("promotions", 0.1), ("promotions", 0.2))
        for weeks in (12, 24)
    ]
    grid += [("interruption", world, 4, 1, 0.0) for world in WORLDS]
    grid += [("interruption beside 5", world, 4, 1, 0.0) for world in ("nothing", "promotions", "drift")]
    grid += [("day", world, weeks, 14, 0.0) for world in BY_DAY for weeks in (24, 52)]
    shapes = [(24, 4), (24, 7), (24, 14), (52, 7), (52, 14), (52, 21)]
    grid += [("day", "promotions", weeks, block, effect) for weeks, block in shapes for effect in EFFECTS]
    grid += [("shops", "promotions", weeks, 1, effect) for effect in EFFECTS for weeks in WEEKS]
    grid += [("shops", world, weeks, 1, 0.0) for world in WORLDS for weeks in WEEKS]
    return [
        Cell(kind=kind, world=world, weeks=weeks, block=block, effect=effect)
        for kind, world, weeks, block, effect in grid
    ]


def _one(cell: Cell, seed: int) -> Counted:
    """One table; a plan that is refused, as where a level that drifts falls to next to nothing, finds nothing."""
    try:
        return KINDS[cell.kind](cell, seed)
    except DataError:
        return False, math.nan, math.nan, math.nan, math.nan


def counted(cell: Cell, draws: int) -> Cell:
    """Simulate and count."""
    rows = np.array([_one(cell, 1000 * draw + cell.weeks) for draw in range(draws)], dtype=float)
    bounded = rows[np.isfinite(rows[:, 4]), 4]
    return replace(
        cell,
        draws=draws,
        found=float(rows[:, 0].mean()),
        covered=math.nan if cell.kind == "shops" and cell.effect else float(np.nanmean(rows[:, 1])),
        foreseen=float(np.nanmean(rows[:, 2])) if cell.effect else math.nan,
        told=float(np.nanmean(rows[:, 3])) if cell.effect and cell.block == 0 else math.nan,
        half_width=float(bounded.mean()) if len(bounded) else math.inf,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Count the cells that are not in the table yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--draws",
        type=int,
        help="tables in a cell  [default: 400 of one shop by week without an effect, else 200]",
    )
    parser.add_argument("--table", type=Path, default=Path("data/experiments_calibration.csv"))
    options = parser.parse_args(arguments)
    names = [field.name for field in fields(Cell)]
    done: dict[tuple[str, ...], dict[str, object]] = {}
    if options.table.is_file():
        with options.table.open(encoding="utf-8", newline="") as file:
            done = {tuple(row[name] for name in names[:5]): dict(row) for row in csv.DictReader(file)}
    grid = cells()
    for cell in grid:
        one_shop = cell.kind in ("week", "same week") and not cell.effect
        wanted = options.draws or (400 if one_shop else 200)
        if cell.key in done and int(str(done[cell.key]["draws"])) >= wanted:
            continue
        row = done[cell.key] = asdict(counted(cell, wanted))
        rows = [[done[one.key][name] for name in names] for one in grid if one.key in done]
        atomic_write(options.table, csv_text(names, rows, digits=4))
        print(
            ", ".join(
                f"{name} {row[name]:.3g}" if isinstance(row[name], float) else str(row[name])
                for name in names
            )
        )


if __name__ == "__main__":
    main()
