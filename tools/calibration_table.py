"""Write the stored calibrations, by week and by day, into ``docs/STATISTICS.md``, each between its two marks.

python tools/calibration_table.py
"""

from __future__ import annotations

import math
import runpy
from pathlib import Path

from erresearch.io.files import atomic_write
from erresearch.report.calibration import BARS, held_to, promises, stored

ROOT = Path(__file__).parents[1]
PAGE, DAILY = ROOT / "docs" / "STATISTICS.md", ROOT / "data" / "daily_calibration.csv"


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


def by_day() -> str:
    """Return what was counted of one shop by day as Markdown, a table to a number of orders and days."""
    tool = runpy.run_path(str(ROOT / "tools" / "daily_calibration.py"), run_name="tool")
    cells, declared, seed = tool["read"](DAILY), tool["cells"](), tool["SEED"]
    known = [cells[cell.key] for cell in declared if cell.key in cells]
    fresh = sum(cell.seed == seed for cell in known)
    lines = [
        f"{sum(cell.draws for cell in known):,} tables in {len(known)} of {len(declared)} cells; in "
        f"{fresh} of them the draws are fresh, in those marked * rules had been tried on draws of the same seed.",
        "",
        "| orders, days, effect: world | tables | *supported* | association | *contradicted* | covered | half-width |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for cell in known:
        said = ", declared" * cell.declared + " *" * (cell.seed != seed)
        shares = (cell.supported, cell.association, cell.contradicted, cell.covered, cell.half_width)
        words = " | ".join(f"{share:.2f}".removeprefix("0") for share in shares)
        name = f"{cell.orders}, {cell.days:,}, {cell.effect:g}: {cell.world}{said}"
        lines.append(f"| {name} | {cell.draws} | {words} |")
    return "\n" + "\n".join(lines) + "\n\n"


def page(text: str) -> str:
    """Return the page with both tables put in."""
    for name, table in (("calibration", made()), ("daily calibration", by_day())):
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        text = text[: text.index(begin) + len(begin)] + table + text[text.index(end) :]
    return text


if __name__ == "__main__":
    atomic_write(PAGE, page(PAGE.read_text(encoding="utf-8")))
