"""Days without a sale that chance does not explain: lost data, or a time that no file covers."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from erresearch.engine.periods import Clock, number_of
from erresearch.exports import Export

if TYPE_CHECKING:
    import polars as pl

__all__ = ["between_files", "quiet_spells"]

# sales that a spell would have had at the usual rate: of so many none has p < 2e-9, of so few as 5 p < .7 %
_SURELY, _LIKELY = 20.0, 5.0
_FEWEST_DAYS = 5


def quiet_spells(sales: pl.DataFrame) -> list[str]:
    """Say where sales one by one stop for longer than chance allows; they count as 0 there all the same.

    Parameters
    ----------
    sales : polars.DataFrame
        entity, source, day and rows of single sales.

    Returns
    -------
    list of str
        One note per entity and source with such a spell, of its longest.
    """
    import polars as pl

    notes = []
    counts = sales.group_by("entity", "source", "outcome", "day").agg(pl.col("rows").sum())
    counts = counts.group_by("entity", "source", "day").agg(pl.col("rows").max())
    for (entity, _), days in sorted(counts.group_by("entity", "source"), key=lambda pair: str(pair[0])):
        known = days.sort("day")
        if known.height < _FEWEST_DAYS:
            continue
        dates = known["day"].dt.date().to_list()
        gap, start = max((b - a, a) for a, b in itertools.pairwise(dates))
        quiet = gap.days - 1
        rate = float(known["rows"].sum()) / max((dates[-1] - dates[0]).days + 1 - quiet, 1)
        if quiet > 0 and rate * quiet >= _SURELY:
            first, last = start + dt.timedelta(days=1), start + gap - dt.timedelta(days=1)
            notes.append(
                f"no sale of {entity} from {first} to {last}, where the usual {rate:.2g} a day would have made "
                f"{rate * quiet:,.0f}: counted as 0; if the shop was open and its data were lost, leave these days out"
            )
    return notes


def between_files(parts: Sequence[Export], owners: Mapping[str, str], clock: Clock) -> dict[str, set[int]]:
    """Find the periods that no file of an entity's sales covers, between two that do.

    A few days without a sale between two files are no gap where chance explains them.

    Parameters
    ----------
    parts : sequence of Export
        Files of outcomes.
    owners : mapping of str to str
        The entity of each name that outcomes use.
    clock : Clock
        How time is cut.

    Returns
    -------
    dict of str to set of int
        Numbers of periods, with those at either end, which are not whole.
    """
    found: dict[str, set[int]] = {}
    spans: dict[tuple[str, str], list[tuple[dt.date, dt.date, int]]] = {}
    for part in parts:
        for entity, span in _spans(part, owners):
            spans.setdefault((entity, part.format), []).append(span)
    for (entity, _), several in spans.items():
        days = sum((last - first).days + 1 for first, last, _ in several)
        rate = sum(n for *_, n in several) / max(days, 1)
        covered: dt.date | None = None
        for first, last, _ in sorted(several):
            if covered is not None and rate * ((first - covered).days - 1) >= _LIKELY:
                a = number_of(covered, clock.freq, clock.week_start)
                b = number_of(first, clock.freq, clock.week_start)
                ends = (a, b + 1) if clock.freq != "D" else (a + 1, b)
                found.setdefault(entity, set()).update(range(*ends))
            covered = last if covered is None else max(covered, last)
    return found


def _spans(part: Export, owners: Mapping[str, str]) -> Iterator[tuple[str, tuple[dt.date, dt.date, int]]]:
    """First and last day of a file's sales by entity, and how many they are."""
    rows = part.rows
    if "kind" not in rows.columns or not len(rows):
        return
    sold = rows[(rows["kind"] == "sale") & rows["date"].notna()]
    for name, some in sold.groupby("entity"):
        if str(name) in owners:
            n = int(some.groupby("outcome").size().max())
            yield owners[str(name)], (some["date"].min().date(), some["date"].max().date(), n)
