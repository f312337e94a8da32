"""Write the stored calibrations, of words by week and by day and of plans, into ``docs/STATISTICS.md``, between marks.

python tools/calibration_table.py
"""

from __future__ import annotations

import math
import runpy
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from erresearch.io.files import atomic_write
from erresearch.report.calibration import BARS, held_to, promises, stored

ROOT = Path(__file__).parents[1]
PAGE, DAILY = ROOT / "docs" / "STATISTICS.md", ROOT / "data" / "daily_calibration.csv"
PLANS = ROOT / "data" / "experiments_calibration.csv"


def made() -> str:
    """Return the table as Markdown, with the number of tables and the time they took."""
    outcomes = stored()
    tables = sum(one.draws for one in outcomes.values())
    hours = sum(one.seconds for one in outcomes.values()) / 3600
    missing = len(held_to()) - len(outcomes)
    lines = [
        f"{tables:,} tables in {len(outcomes)} cells, {hours:.1f} hours on one busy core."
        + (f" {missing} declared cells have not been run yet." if missing else ""),
        "",
        "Promised and measured, all tables of the cells that are held to a promise together, ± 2 Monte-Carlo errors:",
        "",
        "| promise | share | cells | tables | measured | cells beyond it |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for promise, cells in promises().items():
        counted = [cell for cell in cells if not math.isnan(cell.share)]
        number = sum(cell.draws for cell in counted)
        if not number:
            continue
        bar, side = BARS[promise]
        share = sum(cell.share * cell.draws for cell in counted) / number
        error = 2 * math.sqrt(max(share * (1 - share), bar * (1 - bar)) / number)
        missed = [cell.name for cell in counted if promise in outcomes[cell.name].missed([promise])]
        lines.append(
            f"| {promise} | {side} {bar:g} | {len(counted)} | {number:,} | {share:.3f} ± {error:.3f} | "
            f"{'; '.join(missed) or 'none'} |"
        )
    lines += [
        "",
        "| cell | tables | supported | contradicted | nil | right | wrong | coverage |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in outcomes.values():
        shares = (one.supported, one.contradicted, one.nil, one.right, one.wrong)
        known = "coverage" in held_to()[one.cell]
        words = [f"{value:.3f}" for value in shares] + [
            f"{one.coverage:.3f}" if known and not math.isnan(one.coverage) else "–"
        ]
        lines.append(f"| {one.cell} | {one.draws:,} | {' | '.join(words)} |")
    return "\n" + "\n".join(lines) + "\n\n"


def _part(share: float) -> str:
    return f"{share:.2f}".removeprefix("0")


def by_day() -> str:
    """Return what was counted of one shop by day as Markdown, a table to a number of orders and days."""
    tool = runpy.run_path(str(ROOT / "tools" / "daily_calibration.py"), run_name="tool")
    cells, declared, seed = tool["read"](DAILY), tool["cells"](), tool["SEED"]
    known = [cells[cell.key] for cell in declared if cell.key in cells]
    fresh = sum(cell.seed == seed for cell in known)
    lines = [
        f"{sum(cell.draws for cell in known):,} tables in {len(known)} of {len(declared)} cells. "
        + (
            "But for one (the capped fit, told below) no rule was tried on them."
            if fresh == len(known)
            else f"In {fresh} the draws are fresh, in those marked * rules had been tried on draws of the same seed."
        ),
        "",
        "| orders, days, effect: world | tables | *supported* | association | *contradicted* | covered | half-width |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for cell in known:
        said = ", declared" * cell.declared + " *" * (cell.seed != seed)
        shares = (cell.supported, cell.association, cell.contradicted, cell.covered, cell.half_width)
        words = " | ".join(map(_part, shares))
        name = f"{cell.orders}, {cell.days:,}, {cell.effect:g}: {cell.world}{said}"
        lines.append(f"| {name} | {cell.draws} | {words} |")
    return "\n" + "\n".join(lines) + "\n\n"


def _found(cells: pd.DataFrame, **where: object) -> str:
    """Share found in the one cell that is meant, in brackets what was foreseen; a dash where none was counted.

    Behind a semicolon stands what is foreseen with the lags at which posting works, where others were declared.
    """
    for name, value in where.items():
        cells = cells[cells[name] == value]
    if cells.empty:
        return "–"
    cell = cells.iloc[0]
    shares = [_part(cell[name]) for name in ("foreseen", "told") if cell[name] >= 0]
    return _part(cell["found"]) + (f" ({'; '.join(shares)})" if shares else "")


def _table(head: list[str], rows: Iterable[tuple[str, list[str]]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|---|" + "--:|" * (len(head) - 1)]
    return [*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows), ""]


def by_plan() -> str:
    """Return what was counted of plans and interruptions as Markdown."""
    cells = pd.read_csv(PLANS, keep_default_na=False, na_values=["", "nan"])
    several = [kind for kind in cells["kind"].unique() if kind.endswith("in time")]
    aimed = cells[cells["kind"].isin(["week", "same week", *several, "shops"]) & (cells["block"] == 1)]
    weeks = sorted(aimed["weeks"].unique())
    kinds = {"week": "", "same week": "works in the same week, ", "shops": "six pairs of shops, "}
    kinds |= {kind: f"{kind}, " for kind in several}
    worlds = {
        (kind, world, effect): f"{kinds[kind]}{world}: "
        + (f"elasticity {effect:g}" if effect else "nothing to find")
        for kind, world, effect in aimed[["kind", "world", "effect"]]
        .drop_duplicates()
        .itertuples(index=False)
    }
    spread = {"week": "the next week", "spread over 2": "the next two", "spread over 4": "the next four"}
    blocks = cells[(cells["weeks"] == 52) & (cells["effect"] == 0.2) & (cells["world"] == "promotions")]
    days = cells[cells["kind"] == "day"]
    shapes = days[["world", "weeks", "block"]].drop_duplicates().itertuples(index=False)
    null = cells[(cells["effect"] == 0) & ~cells["kind"].str.startswith("interruption")]
    known = cells[(cells["effect"] > 0) & (cells["block"] > 0) & (cells["world"] != "drift")]
    gaps = (known["foreseen"] - known["found"]).abs()
    chance = 2 * (known["found"] * (1 - known["found"]) / known["draws"]) ** 0.5
    paused = cells[cells["kind"].str.startswith("interruption")]["found"]
    lines = [
        f"{cells['draws'].sum():,} plans and pauses in {len(cells)} cells. In brackets stands the mean power "
        "that had been foreseen.",
        "",
        *_table(
            ["by week", *map(str, weeks)],
            (
                (said, [_found(aimed, kind=kind, world=world, effect=effect, weeks=n) for n in weeks])
                for (kind, world, effect), said in worlds.items()
            ),
        ),
        *_table(
            [
                "52 weeks, elasticity .2, blocks of",
                *(f"{n} week{'s' * (n > 1)}" for n in (1, 2, 3, 4)),
                "as planned",
            ],
            (
                (f"works over {said}", [_found(blocks, kind=kind, block=n) for n in (1, 2, 3, 4, 0)])
                for kind, said in spread.items()
            ),
        ),
        *_table(
            ["by day, response spread over two weeks", "nothing to find", ".1", ".2", ".3"],
            (
                (
                    f"{world}, {n} weeks in blocks of {block} days",
                    [
                        _found(days, world=world, weeks=n, block=block, effect=effect)
                        for effect in (0, 0.1, 0.2, 0.3)
                    ],
                )
                for world, n, block in shapes
            ),
        ),
        f"With nothing to find {_part(null['found'].min())} to {_part(null['found'].max())} of a cell's plans have "
        f"p ≤ .05, {null['found'].mul(null['draws']).sum() / null['draws'].sum():.3f} of all {null['draws'].sum():,}. "
        f"Intervals hold the planted effect in {_part(cells['covered'].min())} to {_part(cells['covered'].max())}. Where "
        f"lags and block are declared and no level drifts, what is foreseen is {gaps.mean():.2f} off on average, and "
        f"within .07 in {(gaps <= 0.07).sum()} of {len(gaps)} cells, within .07 and two Monte-Carlo errors of what was "
        f"found in {(gaps <= 0.07 + chance).sum()}. Pauses at dates at which nothing happened get a "
        f"word in {_part(paused.min())} to {_part(paused.max())}.",
    ]
    return "\n" + "\n".join(lines) + "\n\n"


def page(text: str) -> str:
    """Return the page with all tables put in."""
    tables = {"calibration": made(), "daily calibration": by_day(), "plans calibration": by_plan()}
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        text = text[: text.index(begin) + len(begin)] + table + text[text.index(end) :]
    return text


if __name__ == "__main__":
    atomic_write(PAGE, page(PAGE.read_text(encoding="utf-8")))
