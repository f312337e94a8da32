"""The panel's calendar: the whole periods that the posts of every platform and the outcomes share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Clock
from erresearch.errors import DataError, GuardError
from erresearch.exports.log import Export
from erresearch.io import pl
from erresearch.panel.records import STATUS, Books, Request, RowAccounting
from erresearch.schema.vocabulary import PERIODS, Freq, RowStatus

#: Days that posts and outcomes must share.
SHORTEST_DAYS = 56
Span = tuple[dt.date, dt.date]
_UNEVEN = dt.timedelta(days=28)
_SHOWN = 4
_MISSED = 10


def lay_out(
    table: pl.DataFrame,
    books: Books | None,
    request: Request,
    *,
    last: dt.date | None,
    parts: Sequence[Export],
    unsold: Mapping[str, set[int]],
) -> tuple[pl.DataFrame, RowAccounting]:
    """Find the whole periods that the posts of every platform and the outcomes share.

    Parameters
    ----------
    table : polars.DataFrame
        Posts summed by account and period, with entity and status.
    books : Books or None
        Outcomes.
    request : Request
        How time is cut, what was decided; takes what is to be told.
    last : datetime.date or None
        Last day of which all posts are old enough.
    parts : sequence of Export
        The exports of posts: between their dates nothing is known.
    unsold : mapping of str to set of int
        Periods of an entity that lie between two files of its sales.

    Returns
    -------
    spine, account
        The panel's rows before anything stands in them: entity, number. Periods in and used, and why others were not.

    Raises
    ------
    DataError
        If posts and outcomes share fewer than 8 weeks, or no whole period.
    """
    clock, spans = request.clock, _post_spans(table, last)
    holes, early = _holes(parts, clock), _early(table)
    rows: list[tuple[str, int]] = []
    counted = {
        "partial at either end": 0,
        "outside the dates that the tables share": 0,
        "between two files": 0,
        "with posts that were too young": 0,
    }
    touched, shortest = 0, []
    for entity, platforms in sorted(spans.items()):
        own = (max(a for a, _ in platforms.values()), min(b for _, b in platforms.values()))
        sold = _sold(books, entity)
        if books is not None and sold is None:
            continue
        shared = own if sold is None else (max(own[0], sold[0]), min(own[1], sold[1]))
        days = (shared[1] - shared[0]).days + 1
        if days < (SHORTEST_DAYS if sold is not None else 1):
            shortest.append((entity, platforms, sold, days))
            continue
        every = [*platforms.values(), *([sold] if sold is not None else [])]
        begin = clock.number(min(a for a, _ in every))
        end = clock.number(max(b for _, b in every))
        low, high = clock.whole(shared)
        gaps = {n for name in platforms for n in holes.get(name, ())} | unsold.get(entity, set())
        gaps = {n for n in gaps if low <= n <= high}
        young = {n for n in early.get(entity, ()) if low <= n <= high} - gaps
        rows += [(entity, n) for n in range(low, high + 1) if n not in gaps | young]
        part = sum(clock.number(d) != n for d, n in zip(shared, (low, high), strict=True))
        touched += end - begin + 1
        kept = max(0, high - low + 1)
        counted["partial at either end"] += part if kept else 0
        counted["between two files"] += len(gaps)
        counted["with posts that were too young"] += len(young)
        counted["outside the dates that the tables share"] += end - begin + 1 - kept - (part if kept else 0)
    if not rows:
        raise _nothing_shared(shortest, spans, books, clock)
    spine = pl.DataFrame(rows, schema={"entity": pl.String, "number": pl.Int64}, orient="row")
    told = [*_calendar_notes(shortest, spans, books, holes, unsold), *_uneven(table), *_silent(table)]
    request.notes.extend(told)
    return spine, RowAccounting(touched, len(rows), counted)


def _post_spans(table: pl.DataFrame, last: dt.date | None) -> dict[str, dict[str, Span]]:
    """First and last day of each entity's posts, by platform."""
    own = table.filter(pl.col("posts") > pl.col("others"))
    ends = own.group_by("entity", "platform").agg(pl.col("first").min(), pl.col("last").max())
    out: dict[str, dict[str, Span]] = {}
    for entity, platform, first, end in ends.sort("entity", "platform").iter_rows():
        until = end.date() if last is None else min(last, end.date())
        out.setdefault(entity, {})[platform] = (first.date(), until)
    return out


def _early(table: pl.DataFrame) -> dict[str, set[int]]:
    """Periods of an entity in which some posts were too young at the export of their own file."""
    young = table.filter(pl.col(STATUS) == RowStatus.YOUNG).select("entity", "number").unique()
    return {entity: set(numbers) for entity, numbers in young.group_by("entity").agg("number").iter_rows()}


def _silent(table: pl.DataFrame) -> list[str]:
    """Say where a platform has no post for four weeks in which the usual rate would have made ten or more."""
    keys = ["entity", "platform"]
    own = table.group_by(*keys, "number").agg(
        pl.col("posts").sum(), pl.col("first").min(), pl.col("last").max()
    )
    until = pl.col("first").dt.date().shift(-1) - pl.col("last").dt.date()
    own = own.sort(*keys, "number").with_columns(until.dt.total_days().over(keys).alias("gap"))
    pauses = own.group_by(keys).agg(
        pl.col("gap").max(),
        pl.col("last").filter(pl.col("gap") == pl.col("gap").max()).max().dt.date().alias("after"),
        ((pl.col("last").max() - pl.col("first").min()).dt.total_days() + 1).alias("days"),
        pl.col("posts").sum(),
    )
    missed = pl.col("gap") * pl.col("posts") >= _MISSED * (pl.col("days") - pl.col("gap"))
    found = pauses.filter((pl.col("gap") > _UNEVEN.days) & missed).sort("gap", *keys)
    if not found.height:
        return []
    entity, platform, gap, after, *_ = found.row(-1)
    first, last = (after + dt.timedelta(days=n) for n in (1, gap - 1))
    more = f" (and {found.height - 1} more like it)" if found.height > 1 else ""
    return [
        f"no post of {entity} on {platform or 'its platform'} from {first} to {last}{more}: counted as a pause; if the "
        "export lacks them, leave these days out"
    ]


def _uneven(table: pl.DataFrame) -> list[str]:
    """Say where accounts that are added up do not publish over the same time: silence may be a missing file."""
    own = table.filter(pl.col("posts") > pl.col("others"))
    ends = own.group_by("entity", "platform", "account").agg(pl.col("first").min(), pl.col("last").max())
    spans: dict[tuple[str, str], list[tuple[dt.date, dt.date, str]]] = {}
    for entity, platform, account, first, last in ends.iter_rows():
        spans.setdefault((entity, platform), []).append((first.date(), last.date(), account))
    notes = []
    for (_, platform), several in spans.items():
        firsts, lasts = [first for first, *_ in several], [last for _, last, _ in several]
        if max(max(firsts) - min(firsts), max(lasts) - min(lasts)) <= _UNEVEN:
            continue
        named = ", ".join(f"{who} {first} to {last}" for first, last, who in sorted(several)[:_SHOWN])
        notes.append(
            f"the accounts of {platform or 'the posts'} that are added up do not cover the same time ({named}"
            f"{' …' if len(several) > _SHOWN else ''}): outside its own dates an account counts as silent"
        )
    return sorted(notes)


def _sold(books: Books | None, entity: str) -> Span | None:
    """Days that any outcome of an entity covers."""
    spans = [span for (name, _), span in (books.spans if books is not None else {}).items() if name == entity]
    return (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None


def _holes(parts: Sequence[Export], clock: Clock) -> dict[str, set[int]]:
    """Periods of a platform that lie between the dates of its files."""
    spans: dict[str, list[Span]] = {}
    for part in parts if len(parts) > 1 else ():  # a hole lies between two files
        rows = part.rows
        for platform, times in rows["published_at"].groupby(rows["platform"]):
            known = times.dropna()
            if len(known):
                spans.setdefault(str(platform), []).append((known.min().date(), known.max().date()))
    found = {
        platform: {n for a, b in _gaps(several) for n in range(clock.number(a) + 1, clock.number(b))}
        for platform, several in spans.items()
    }
    return {platform: numbers for platform, numbers in found.items() if numbers}


def _gaps(spans: Iterable[Span]) -> list[Span]:
    """Days around what none of the spans covers: the last one before and the first one after."""
    found: list[Span] = []
    covered: dt.date | None = None
    for first, until in sorted(spans):
        if covered is not None and first > covered:
            found.append((covered, first))
        covered = until if covered is None else max(covered, until)
    return found


def _nothing_shared(
    short: Sequence[tuple[str, Mapping[str, Span], Span | None, int]],
    spans: Mapping[str, Mapping[str, Span]],
    books: Books | None,
    clock: Clock,
) -> DataError:
    if short:
        entity, platforms, sold, days = short[0]
        if all(a > b for a, b in platforms.values()):
            return DataError(
                f"no day of the posts of {entity!r} is old enough: all of them were too young at the export",
                got=", ".join(f"first of {name or 'the posts'}: {a}" for name, (a, _) in platforms.items()),
                fix="export a longer time, or choose a smaller min_age_days",
            )
        words = ", ".join(f"{name or 'posts'} {a} to {b}" for name, (a, b) in platforms.items())
        shared = f"overlap {days} days" if days > 0 else "no overlap"
        if sold is None:
            return DataError(
                f"the platforms of {entity!r} share no day", got=words, fix="export them for the same dates"
            )
        return DataError(
            f"posts and outcomes of {entity!r} share too few days",
            got=f"{words}; outcome {sold[0]} to {sold[1]}: {shared}",
            allowed=f"{SHORTEST_DAYS} days or more",
            fix="export both for the same dates",
        )
    sold_by = sorted({entity for entity, _ in books.spans}) if books is not None else []
    if sold_by and not set(sold_by) & set(spans):
        return DataError(
            "no entity has both posts and outcomes",
            got=f"posts of {', '.join(sorted(spans)[:4])}; outcomes of {', '.join(sold_by[:4])}",
            fix="say which belong together with entity=",
        )
    return DataError(
        f"the posts cover no whole {PERIODS[clock.freq].one}", fix="choose a shorter freq or export more"
    )


def _calendar_notes(
    short: Sequence[tuple[str, Any, Any, int]],
    spans: Mapping[str, Mapping[str, Span]],
    books: Books | None,
    holes: Mapping[str, set[int]],
    unsold: Mapping[str, set[int]],
) -> list[str]:
    notes = []
    if short:
        named = ", ".join(entity for entity, *_ in short[:4])
        notes.append(
            f"{len(short):,} entities have fewer than {SHORTEST_DAYS} days of both and are left out: {named}"
        )
    if books is not None:
        sold = {entity for entity, _ in books.spans}
        for word, names in (("outcomes", set(spans) - sold), ("posts", sold - set(spans))):
            if names:
                notes.append(
                    f"{len(names):,} entities have no {word} and are left out: {', '.join(sorted(names)[:4])}"
                )
    for platform, gap in holes.items():
        notes.append(f"no file of {platform or 'the posts'} covers {len(gap):,} periods between two files")
    for entity, gap in sorted(unsold.items()):
        notes.append(
            f"no file of the sales of {entity} covers {len(gap):,} periods between two files: they are left out, not 0"
        )
    several = {name: ends for one in spans.values() if len(one) > 1 for name, ends in one.items()}
    if several and len(spans) == 1:
        said = ", ".join(f"{name} {a} to {b}" for name, (a, b) in several.items())
        notes.append(f"the panel holds the periods that every platform covers ({said})")
    return notes


# sales that a gap between two files would have had at the usual rate: of so many none has p < .7 %
_LIKELY = 5.0


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
        for before, after in _gaps((first, last) for first, last, _ in several):
            if rate * ((after - before).days - 1) >= _LIKELY:
                a, b = clock.number(before), clock.number(after)
                inside = range(a, b + 1) if clock.freq != "D" else range(a + 1, b)
                found.setdefault(entity, set()).update(inside)
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


def refuse_coarse(table: pl.DataFrame, clock: Clock) -> None:
    """Refuse rows (outcome, day, end) that reach over more than one period.

    Raises
    ------
    GuardError
        Naming the frequency that is possible.
    DataError
        If weeks begin on another day.
    """
    both = (
        nw.from_native(table)
        .select(
            nw.col("outcome"), nw.col("day"), nw.col("end"),
            clock.numbers("day").alias("a"),
            clock.numbers("end").alias("b"),
        )
        .to_native()
    )  # fmt: skip
    over = both.filter(pl.col("a") != pl.col("b"))
    if not over.height:
        return
    lengths = (over["end"] - over["day"]).dt.total_days() + 1
    # the grain is that of most rows: the first may be a month that has only begun
    length = int(lengths.sort()[len(lengths) // 2])
    first = over.filter(lengths == length).row(0, named=True)
    step: Freq = "M" if length >= PERIODS["M"].days else "W"
    if length <= PERIODS[clock.freq].days and clock.freq == "W":
        raise DataError(
            f"the weeks of {first['outcome']!r} do not begin on a {clock.week_start}",
            got=f"{over.height:,} rows, first {first['day']:%A %Y-%m-%d}",
            fix=f"pass week_start={format(first['day'], '%A').lower()!r}, for posts and outcomes alike",
        )
    shorter = "days" if clock.freq == "D" else "other periods"
    possible = length <= 31 and step != clock.freq
    raise GuardError(
        f"{first['outcome']!r} has one value per {PERIODS[step].one}, which cannot be spread over {shorter}",
        got=f"a row of {first['day']:%Y-%m-%d} to {first['end']:%Y-%m-%d}, freq={clock.freq!r}",
        allowed=f'freq="{step}"' if possible else "a report by calendar month, week or day",
        fix="choose that frequency, or export the outcome by day"
        if possible
        else "export the outcome by day",
    )
