"""Results beside each other as a small table, in a notebook and in a terminal."""

from __future__ import annotations

import numbers
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erresearch.results.numbers import Estimate, Interval, escape, plain
from erresearch.results.verdicts import Verdict

__all__ = ["Table", "doubt_table", "verdict_table"]

WIDTH = 88  # characters of a printed line that JupyterLab shows beside an open file list
Cell = str | float | Interval | Estimate | None
# blanks inside one number or interval, where no line may end
GLUED = re.compile(r"(?<=[\d∞],) (?=[−\d∞])|(?<=\d) (?=%)")
# text that stands in a column of numbers: figures with sign, thousands and per cent, and what stands for none
FIGURE = re.compile(r"[+−]?(?:[\d,]*\.?\d+(?:e[+−]\d+)?|∞)(?: ?%)?|not a number|no number|–|")


def _text(cell: Cell) -> str:
    """One cell as people read it; counts with thousands, other numbers as everywhere else."""
    match cell:
        case None:
            return ""
        case str():
            return " ".join(cell.split())
        case bool():
            return "yes" if cell else "no"
        case numbers.Integral():
            return f"{int(cell):,}".replace("-", "−")
        case Estimate():
            return f"{plain(cell.value)} {cell.interval}"
        case Interval():
            return str(cell)
    return plain(float(cell))


@dataclass(frozen=True, slots=True)
class Table:
    """A small table of text for people: what a notebook shows of several results.

    Parameters
    ----------
    columns : tuple of str
        Heads.
    rows : tuple of tuple of str
        Cells, one tuple per row, as they are shown.
    right : frozenset of int
        Columns of numbers, which end at the same place.

    See Also
    --------
    verdict_table : Several verdicts side by side.
    doubt_table : The doubts of several verdicts.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
        """Lay out values: numbers as everywhere in this package, intervals with their ends, None as nothing.

        Examples
        --------
        >>> print(Table.of(["shop", "slope", "rows"], [["north", -0.1251, 4160], ["south", 0.2, 52]]))
        shop     slope   rows
        ---------------------
        north  −0.1251  4,160
        south   0.2000     52
        """
        cells = tuple(tuple(_text(cell) for cell in row) for row in rows)
        figures = frozenset(
            at for at in range(len(columns)) if cells and all(FIGURE.fullmatch(row[at]) for row in cells)
        )
        return cls(tuple(columns), cells, figures)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """Columns under their heads; the widest is folded where a line would not fit."""
        cells = [self.columns, *self.rows]
        widths = [max(1, *(len(row[at]) for row in cells)) for at in range(len(self.columns))]
        free = WIDTH - 2 * (len(widths) - 1)
        while sum(widths) > free and max(widths) > 12:
            widest = widths.index(max(widths))
            widths[widest] = max(12, widths[widest] - (sum(widths) - free))
        lines = []
        for row in cells:
            folded = [textwrap.wrap(text, width) or [""] for text, width in zip(row, widths, strict=True)]
            for at in range(max(map(len, folded), default=0)):
                parts = [part[at] if at < len(part) else "" for part in folded]
                sides = [
                    text.rjust(width) if column in self.right else text.ljust(width)
                    for column, (text, width) in enumerate(zip(parts, widths, strict=True))
                ]
                lines.append("  ".join(sides).rstrip())
            if row is self.columns:
                lines.append("-" * (sum(widths) + 2 * (len(widths) - 1)))
        return "\n".join(lines if self.rows else [*lines, "(no rows)"])

    def _repr_markdown_(self) -> str:
        marks = ["--:" if at in self.right else ":--" for at in range(len(self.columns))]
        shown = [[GLUED.sub("&nbsp;", escape(cell)) for cell in row] for row in self.rows]
        lines = [[escape(name) for name in self.columns], marks, *shown]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + (
            "" if self.rows else "\n\n*(no rows)*"
        )


def verdict_table(verdicts: Iterable[Verdict], *, reason: bool = False) -> Table:
    """Verdicts beside each other: claim, data, word, estimate and the interval that was judged.

    Parameters
    ----------
    verdicts : iterable of Verdict
        In the order in which they are to stand.
    reason : bool
        Whether the rule that gave the word, or why nothing was judged, stands in a last column.

    Returns
    -------
    Table
        A column that is the same throughout (one claim, one data set, one level) is said once or left out.

    See Also
    --------
    doubt_table : The doubts beside them.

    Examples
    --------
    >>> print(verdict_table([Verdict("C01", "shops", "not judged", reason="no spend")], reason=True))
    claim  data   verdict     estimate  interval  why
    ------------------------------------------------------
    C01    shops  not judged                      no spend
    """
    given = list(verdicts)
    judged = [(v.estimate, v.interval or v.estimate.interval) for v in given if v.estimate is not None]
    levels = {interval.level for _, interval in judged}
    head = f"{100 * levels.pop():.4g} % interval" if len(levels) == 1 else "interval"
    said = {
        "claim": [v.claim for v in given],
        "data": [v.dataset for v in given],
        "verdict": [v.words for v in given],
        "estimate": [plain(v.estimate.value) if v.estimate else "" for v in given],
        head: [_ends(v, brief=head != "interval") for v in given],
        "why": [v.reason if reason else "" for v in given],
    }
    left_out = {"why"} - ({"why"} if reason else set())
    for name in ("claim", "data"):
        if len(given) > 1 and len(set(said[name])) == 1:
            left_out.add(name)
    if {"claim", "data"} <= left_out:
        left_out.remove("data")
    names = [name for name in said if name not in left_out]
    return Table.of(names, zip(*(said[name] for name in names), strict=True))


def doubt_table(verdict: Verdict, *, raised: bool = False) -> Table:
    """What stands beside a verdict's word, one doubt to a row; an exclamation mark where it weighs against it.

    Parameters
    ----------
    verdict : Verdict
        As :func:`erresearch.examine` returns it.
    raised : bool
        Whether to show only those that are raised.

    See Also
    --------
    verdict_table : The verdicts themselves.

    Examples
    --------
    >>> from erresearch.results import Doubt
    >>> print(doubt_table(Verdict("C01", "shops", "inconclusive", doubts=(Doubt("power", "few weeks", 1, True),))))
       doubt  what it says
    ----------------------
    !  power  few weeks
    """
    shown = [doubt for doubt in verdict.doubts if doubt.raised or not raised]
    rows = [("!" if doubt.raised else "", doubt.name, doubt.text) for doubt in shown]
    return Table.of(["", "doubt", "what it says"], rows)


def _ends(verdict: Verdict, *, brief: bool) -> str:
    """The judged interval; its level is left to the column's head where all have the same."""
    if verdict.estimate is None:
        return ""
    interval = verdict.interval or verdict.estimate.interval
    return f"[{plain(interval.low)}, {plain(interval.high)}]" if brief else str(interval)
