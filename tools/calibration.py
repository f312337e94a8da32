"""Simulate tables with a known answer, judge them and count, cell by cell; add what is counted to a table.

    python tools/calibration.py [--jobs 2] [--draws N] [--table data/calibration.csv] [CELL ...]

The cells are in ``data/calibration.toml``; their worlds are those of the package, or those of ``tools/hostile.py``. It
may be stopped and started again: draws that are made are kept, so begin with a new table after a change of the rules.
``python tools/calibration_table.py`` writes the table into the docs.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import math
import runpy
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from erresearch.claims import Claim, claim_named, evidence_for, judge
from erresearch.claims.decision_rule import word_power
from erresearch.claims.options import without_challenges
from erresearch.claims.variables import Declared
from erresearch.errors import DataError, DesignError, ErresearchError, UnknownNameError
from erresearch.io.files import atomic_write, resource
from erresearch.report.calibration import BARS, CellOutcome, stored
from erresearch.worlds import Design, simulate_panel

Kind = Literal["panel", "list", "shops"]
_HOSTILE: Final = runpy.run_path(str(Path(__file__).with_name("hostile.py")))
SEED: Final = 20_261_122


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One world with one design.

    Parameters
    ----------
    name, world, claim : str
        Name of the cell, simulated world, claim that is judged.
    kind : {"panel", "list", "shops"}
        Accounts followed week by week, or listed once: what is planted is an elasticity, or an exponent. "shops" are
        those of ``tools/hostile.py``.
    accounts, weeks : int or None
        Size; None leaves the world's own.
    draws : int
        Simulated tables.
    level : float
        Level of the verdict's interval.
    design : Design or None
        Factors that differ from the world's own.
    counts : tuple of str
        Which of :data:`BARS` the cell is held to.
    declared : bool
        Whether the shops have written their promotions down.
    """

    name: str
    world: str
    claim: str
    kind: Kind
    accounts: int | None
    weeks: int | None
    draws: int
    level: float
    design: Design | None
    counts: tuple[str, ...]
    declared: bool = False


def cells(path: str | Path | None = None) -> dict[str, Cell]:
    """Read the cells of the calibration.

    Parameters
    ----------
    path : path, optional
        A file of the layout of ``calibration.toml``; the package's own by default.

    Returns
    -------
    dict of str to Cell

    Raises
    ------
    DataError
        If an entry lacks a name or world, or counts something that has no bar.

    Examples
    --------
    >>> cells()["nil"].draws
    2000
    """
    where = Path(path) if path is not None else resource("data") / "calibration.toml"
    table = tomllib.loads(where.read_text(encoding="utf-8"))
    base, found = table.get("base", {}), {}
    for entry in table.get("cell", []):
        made = {**base, **entry}
        absent = [key for key in ("name", "world", "claim", "kind", "draws", "level") if key not in made]
        unknown = [name for name in made.get("counts", ()) if name not in BARS]
        unknown += [made["kind"]] if made.get("kind", "panel") not in get_args(Kind) else []
        if absent or unknown or made["name"] in found:
            raise DataError(
                f"cell {entry.get('name', '?')!r} cannot be run",
                got=f"lacks {', '.join(absent)}"
                if absent
                else f"unknown count or kind {unknown}"
                if unknown
                else "named twice",
                allowed=f"name, world, claim, kind, draws, level; counts from {', '.join(BARS)}",
            )
        found[made["name"]] = Cell(
            name=made["name"],
            world=made["world"],
            claim=made["claim"],
            kind=made["kind"],
            # a list has its own size
            accounts=None if made["kind"] == "list" else made.get("accounts"),
            weeks=None if made["kind"] == "list" else made.get("weeks"),
            draws=int(made["draws"]),
            level=float(made["level"]),
            design=Design(**made["design"]) if "design" in made else None,
            counts=tuple(made.get("counts", ())),
            declared=bool(made.get("declared", False)),
        )
    return found


def run_cell(
    cell: Cell | str,
    *,
    draws: int | None = None,
    rng: int = SEED,
    progress: Callable[[], object] | None = None,
    before: CellOutcome | None = None,
) -> CellOutcome:
    """Simulate, judge and count.

    Parameters
    ----------
    cell : Cell or str
        A cell or the name of one.
    draws : int, optional
        Fewer or more draws than the cell declares.
    rng : int
        Seed; with the cell's name it decides every draw, whatever else is run.
    progress : callable, optional
        Called after each draw.
    before : CellOutcome, optional
        What the first draws gave, under the same rules: only those that follow are made.

    Returns
    -------
    CellOutcome
        Of all draws.

    Raises
    ------
    UnknownNameError
        If there is no such cell.
    DesignError
        If `draws` is not positive.

    Examples
    --------
    >>> run_cell("nil", draws=3).right
    1.0
    """
    if isinstance(cell, str):
        known = cells()
        if cell not in known:
            raise UnknownNameError.of("cell", cell, known)
        cell = known[cell]
    number = cell.draws if draws is None else draws
    if number < 1:
        raise DesignError("a cell needs at least one draw", got=repr(draws))
    generators = np.random.SeedSequence([rng, *cell.name.encode()]).spawn(number)
    generators = generators[before.draws :] if before else generators
    claim = claim_named(cell.claim)
    # neither pictures nor doubts change the word
    claim = replace(claim, options=without_challenges(claim.options, procedure=claim.procedure))
    start = time.perf_counter()
    rows = []
    for seed in generators:
        rows.append(_draw(cell, claim, np.random.default_rng(seed)))
        if progress is not None:
            progress()
    outcome = _outcome(cell, rows, time.perf_counter() - start)
    return _joined(before, outcome) if before else outcome


@dataclass(frozen=True, slots=True)
class _Draw:
    word: str
    right: bool
    wrong: bool
    covered: float
    suffices: bool
    value: float
    se: float
    clusters: int


def _draw(cell: Cell, claim: Claim, generator: np.random.Generator) -> _Draw:
    panel, said, planted, right, wrong = (_shops if cell.kind == "shops" else _world)(cell, generator)
    try:
        evidence = evidence_for(claim, panel, dataset=cell.world, level=cell.level, declared=said)
    except ErresearchError:
        return _Draw("not judged", False, False, math.nan, False, math.nan, math.nan, 0)
    verdict = judge(claim, evidence, dataset=cell.world, level=cell.level, simulated=True)
    interval, estimate = verdict.interval, evidence.estimate
    assert interval is not None
    order = evidence.order if claim.arrow else None
    return _Draw(
        verdict.word,
        verdict.word in right,
        verdict.word in wrong,
        math.nan if planted is None else float(planted in interval),
        word_power(order, estimate, level=cell.level)[1] <= claim.sesoi,
        estimate.value,
        estimate.se,
        evidence.clusters,
    )


_Made = tuple[pd.DataFrame, Declared | None, float | None, Sequence[str], Sequence[str]]


def _world(cell: Cell, generator: np.random.Generator) -> _Made:
    """A table of one of the package's worlds, what is planted, and which words are right and wrong there."""
    table, truth = simulate_panel(
        cell.world, accounts=cell.accounts, weeks=cell.weeks, rng=generator, design=cell.design
    )
    of = truth.parameters
    planted = of["elasticity"] if cell.kind == "panel" else 1 - of["exponent"]
    words = truth.words[cell.claim]
    return table, None, planted, words.right, words.wrong


def _shops(cell: Cell, generator: np.random.Generator) -> _Made:
    """The same of shops in which a careless reading goes wrong; no decisive word is right of the same week alone."""
    world = _HOSTILE["WORLDS"][cell.world]
    table = world.make(generator, weeks=cell.weeks, shops=cell.accounts)
    said = Declared(events=_HOSTILE["events"](table, cell.world)) if cell.declared else None
    moves, denies = bool(world.next_week), cell.claim == "C02"
    holds, fails = ("contradicted", "supported") if denies else ("supported", "contradicted")
    nil = "supported" if denies else "practically nil"
    if moves:
        right, wrong = (holds,), {fails, nil} - {holds}
    else:
        right, wrong = (
            (() if world.same_week else (nil,)),
            {holds, fails, nil} - (set() if world.same_week else {nil}),
        )
    return table.drop(columns="event"), said, world.next_week, right, tuple(sorted(wrong))


def _outcome(cell: Cell, rows: Sequence[_Draw], seconds: float) -> CellOutcome:
    words = [row.word for row in rows]

    def share(word: str) -> float:
        return words.count(word) / len(words)

    enough = [row for row in rows if row.suffices]
    values = np.array([row.value for row in rows])
    return CellOutcome(
        cell=cell.name,
        draws=len(rows),
        supported=share("supported"),
        contradicted=share("contradicted"),
        nil=share("practically nil"),
        inconclusive=share("inconclusive"),
        association=share("association only"),
        right=float(np.mean([row.right for row in rows])),
        wrong=float(np.mean([row.wrong for row in rows])),
        coverage=float(np.mean([row.covered for row in rows])),
        suffice=len(enough) / len(rows),
        nil_where_suffices=float(np.mean([row.word == "practically nil" for row in enough]))
        if enough
        else math.nan,
        mean=float(np.nanmean(values)),
        spread=float(np.nanstd(values)),
        mean_se=float(np.nanmean([row.se for row in rows])),
        clusters=float(np.mean([row.clusters for row in rows])),
        seconds=seconds,
    )


def _joined(one: CellOutcome, other: CellOutcome) -> CellOutcome:
    """What two sets of draws gave together."""
    draws = one.draws + other.draws
    share = other.draws / draws
    names = [
        f.name for f in fields(CellOutcome) if f.name not in ("cell", "draws", "spread", "nil_where_suffices")
    ]
    made = {name: (1 - share) * getattr(one, name) + share * getattr(other, name) for name in names}
    enough = [(part.draws * part.suffice, part.nil_where_suffices) for part in (one, other) if part.suffice]
    total = sum(number for number, _ in enough)
    within = (1 - share) * one.spread**2 + share * other.spread**2
    return replace(
        one,
        draws=draws,
        **{**made, "seconds": one.seconds + other.seconds},
        spread=math.sqrt(within + share * (1 - share) * (one.mean - other.mean) ** 2),
        nil_where_suffices=sum(n * nil for n, nil in enough) / total if total else math.nan,
    )


def calibrate(
    path: str | Path,
    *,
    only: Sequence[str] | None = None,
    jobs: int = 1,
    rng: int = SEED,
    draws: int | None = None,
    say: Callable[[str], object] | None = None,
) -> dict[str, CellOutcome]:
    """Run the cells that a table lacks and add each to it as soon as it is done.

    Parameters
    ----------
    path : path
        The table (.csv); cells that it holds with enough draws are left alone, so an interrupted run goes on; where it
        holds fewer, those that are missing are added.
    only : sequence of str, optional
        Names of the cells to run.
    jobs : int
        Processes.
    rng : int
        Seed.
    draws : int, optional
        Draws per cell, instead of what each declares.
    say : callable, optional
        Told of every cell that is done.

    Returns
    -------
    dict of str to CellOutcome
        Everything the table now holds.
    """
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    known = cells()
    for name in only or ():
        if name not in known:
            raise UnknownNameError.of("cell", name, known)
    done = stored(path) if Path(path).exists() else {}
    todo = [
        cell
        for name, cell in known.items()
        if (only is None or name in only) and (name not in done or done[name].draws < (draws or cell.draws))
    ]
    with contextlib.ExitStack() as stack:
        outcomes: Iterable[CellOutcome] = (
            run_cell(cell, draws=draws, rng=rng, before=done.get(cell.name)) for cell in todo
        )
        if jobs > 1:
            # spawned, not forked: an engine's threads do not survive a fork
            pool = stack.enter_context(ProcessPoolExecutor(jobs, mp_context=get_context("spawn")))
            running = [
                pool.submit(run_cell, cell, draws=draws, rng=rng, before=done.get(cell.name)) for cell in todo
            ]
            outcomes = (finished.result() for finished in as_completed(running))
        for outcome in outcomes:
            done[outcome.cell] = outcome
            write_outcomes(path, [done[name] for name in known if name in done])
            if say is not None:
                say(
                    f"{outcome.cell}: right {outcome.right:.3f}, wrong {outcome.wrong:.3f}, {outcome.seconds:.0f} s"
                )
    return done


def write_outcomes(path: str | Path, outcomes: Sequence[CellOutcome]) -> None:
    """Write a table of outcomes, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [f.name for f in fields(CellOutcome)]
    writer.writerow(names)
    for outcome in outcomes:
        values = (getattr(outcome, name) for name in names)
        writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values])
    atomic_write(path, text.getvalue())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="*", metavar="CELL")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--draws", type=int)
    parser.add_argument("--table", type=Path, default=resource("data") / "calibration.csv")
    chosen = parser.parse_args()
    calibrate(chosen.table, only=chosen.cells or None, jobs=chosen.jobs, draws=chosen.draws, say=print)
