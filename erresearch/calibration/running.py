"""Simulate, judge and count, cell by cell."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from erresearch.calibration.cells import Cell, cells
from erresearch.calibration.outcomes import Outcome, stored, write_outcomes
from erresearch.claims import Claim, claim_named, evidence_for, judge
from erresearch.errors import DesignError, ErresearchError, UnknownNameError
from erresearch.robustness import detectable
from erresearch.worlds import Truth, simulate_panel

__all__ = ["calibrate", "run_cell"]

SEED: Final = 20_261_122


def run_cell(
    cell: Cell | str,
    *,
    draws: int | None = None,
    rng: int = SEED,
    progress: Callable[[], object] | None = None,
) -> Outcome:
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

    Returns
    -------
    Outcome

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
    claim = claim_named(cell.claim)
    # neither pictures nor doubts change the word
    claim = replace(claim, options={**claim.options, "spline": False, "challenges": False})
    start = time.perf_counter()
    rows = []
    for seed in generators:
        rows.append(_draw(cell, claim, np.random.default_rng(seed)))
        if progress is not None:
            progress()
    return _outcome(cell, rows, time.perf_counter() - start)


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
    panel, truth = simulate_panel(
        cell.world, accounts=cell.accounts, weeks=cell.weeks, rng=generator, design=cell.design
    )
    try:
        evidence = evidence_for(claim, panel, dataset=cell.world, level=cell.level)
    except ErresearchError:
        return _Draw("not judged", False, False, math.nan, False, math.nan, math.nan, 0)
    verdict = judge(claim, evidence, dataset=cell.world, level=cell.level, simulated=True)
    words = truth.words[cell.claim]
    interval, estimate = verdict.interval, evidence.estimate
    assert interval is not None
    planted = _planted(cell, truth)
    can = detectable(estimate, level=cell.level)
    return _Draw(
        verdict.word,
        verdict.word in words.right,
        verdict.word in words.wrong,
        math.nan if planted is None else float(planted in interval),
        can.suffices(claim.sesoi),
        estimate.value,
        estimate.se,
        evidence.clusters,
    )


def _planted(cell: Cell, truth: Truth) -> float | None:
    if cell.claim == "C01":
        return truth.parameters["elasticity"]
    return 1 - truth.parameters["exponent"]


def _outcome(cell: Cell, rows: Sequence[_Draw], seconds: float) -> Outcome:
    words = [row.word for row in rows]

    def share(word: str) -> float:
        return words.count(word) / len(words)

    enough = [row for row in rows if row.suffices]
    values = np.array([row.value for row in rows])
    return Outcome(
        cell.name,
        len(rows),
        share("supported"),
        share("contradicted"),
        share("practically nil"),
        share("inconclusive"),
        share("association only"),
        float(np.mean([row.right for row in rows])),
        float(np.mean([row.wrong for row in rows])),
        float(np.mean([row.covered for row in rows])),
        len(enough) / len(rows),
        float(np.mean([row.word == "practically nil" for row in enough])) if enough else math.nan,
        float(np.nanmean(values)),
        float(np.nanstd(values)),
        float(np.nanmean([row.se for row in rows])),
        float(np.mean([row.clusters for row in rows])),
        seconds,
    )


def calibrate(
    path: str | Path,
    *,
    only: Sequence[str] | None = None,
    jobs: int = 1,
    rng: int = SEED,
    draws: int | None = None,
    say: Callable[[str], object] | None = None,
) -> dict[str, Outcome]:
    """Run the cells that a table lacks and add each to it as soon as it is done.

    Parameters
    ----------
    path : path
        The table (.csv); cells that it holds with enough draws are left alone, so an interrupted run goes on.
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
    dict of str to Outcome
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
        outcomes: Iterable[Outcome] = (run_cell(cell, draws=draws, rng=rng) for cell in todo)
        if jobs > 1:
            # spawned, not forked: an engine's threads do not survive a fork
            pool = stack.enter_context(ProcessPoolExecutor(jobs, mp_context=get_context("spawn")))
            running = [pool.submit(run_cell, cell, draws=draws, rng=rng) for cell in todo]
            outcomes = (finished.result() for finished in as_completed(running))
        for outcome in outcomes:
            done[outcome.cell] = outcome
            write_outcomes(path, [done[name] for name in known if name in done])
            if say is not None:
                say(
                    f"{outcome.cell}: right {outcome.right:.3f}, wrong {outcome.wrong:.3f}, {outcome.seconds:.0f} s"
                )
    return done
