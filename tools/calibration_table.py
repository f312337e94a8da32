"""Write the stored calibration into ``docs/STATISTICS.md``, between its two marks.

python tools/calibration_table.py
"""

from __future__ import annotations

import math
from pathlib import Path

from erresearch.io.files import atomic_write
from erresearch.report.calibration import BARS, held_to, promises, stored

PAGE = Path(__file__).parents[1] / "docs" / "STATISTICS.md"
MARKS = ("<!-- calibration -->\n", "<!-- /calibration -->\n")


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


def page(text: str) -> str:
    """Return the page with the table put in."""
    start, end = (text.index(mark) for mark in MARKS)
    return text[: start + len(MARKS[0])] + made() + text[end:]


if __name__ == "__main__":
    atomic_write(PAGE, page(PAGE.read_text(encoding="utf-8")))
