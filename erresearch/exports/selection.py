"""Which tables a file holds, and which of them is meant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from erresearch.errors import ColumnError, DataError
from erresearch.exports.containers import Bundle, Text
from erresearch.exports.delimited import Records, read_records
from erresearch.exports.layouts import Format, Kind, load_registry, normalise, not_recognised
from erresearch.exports.log import ReadLog
from erresearch.exports.mapping import KEPT, Settings
from erresearch.exports.privacy import is_personal, show_name
from erresearch.exports.tables import Table, find_tables, relaxed
from erresearch.exports.workbooks import Sheet

__all__ = [
    "all_tables",
    "choose_tables",
    "layouts_wanted",
    "refuse_empty",
    "refuse_other",
]

# where several layouts are in one file, the first of these is what people come for
_WANTED: tuple[Kind, ...] = ("posts", "survey", "outcomes", "ads", "followers", "daily")
_SHOWN = 8


def layouts_wanted(settings: Settings, layout: Format | None, platform: str | None) -> tuple[Format, ...]:
    """Layouts to look for, with the further columns that the caller wants."""
    layouts = (layout,) if layout is not None else load_registry().formats
    if platform is not None and layout is None:
        named = load_registry().choose(platform)
        titled = [f for f in layouts if any(platform.casefold() == entry[0] for entry in f.titles.values())]
        layouts = tuple(dict.fromkeys((*named, *titled)))
    further = (*settings.keep, *settings.hash)
    if not further:
        return layouts
    extra = {KEPT + header: {"": (header,)} for header in further}
    return tuple(replace(f, columns={**f.columns, **extra}) for f in layouts)


def all_tables(bundle: Bundle, layouts: Sequence[Format], log: ReadLog) -> tuple[list[Table], list[int]]:
    """Every table of every part."""
    tables: list[Table] = []
    unread: list[int] = []
    heads: list[list[list[str]]] = []
    strange: list[str] = []
    for part in bundle.parts:
        records = _records(part, log)
        found = find_tables(records, layouts, log)
        if found is None:
            assert isinstance(part, Text)
            records = read_records(part, ReadLog(log.name), fast=False)
            found = find_tables(records, layouts, log)
            assert found is not None
        if not found[0]:
            heads.append(records.rows[:60])
            strange += [part.name] if records.rows else []
        tables += found[0]
        unread += found[1]
        if found[0] and found[0][0].match.layout.second_sheet:
            tables[-1] = _joined(tables[-1], bundle, log)
    if tables:
        _say_strange(strange, tables, log)
        return tables, unread
    head = heads[0] if heads else []
    words = [cell for row in head for cell in row if cell.strip()]
    if words and normalise(words[-1]) in load_registry().no_data:
        raise _no_data(bundle)
    _refuse_columns(head, bundle)
    raise not_recognised(bundle.name, head[:20], layouts)


def _say_strange(strange: Sequence[str], tables: Sequence[Table], log: ReadLog) -> None:
    """Name the sheets or files in which no table is known; among several of one layout that may be one of them."""
    if not strange:
        return
    text = f"no known table in {', '.join(repr(show_name(name)) for name in strange[:_SHOWN])}"
    alike = Counter(t.match.layout.id for t in tables if t.cells.height and not t.match.layout.stack)
    if max(alike.values(), default=0) > 1:
        log.caution("unread tables", f"{text}: rows of theirs, if they are wanted, were not read")
    else:
        log.note(text)


def _records(part: Text | Sheet, log: ReadLog) -> Records:
    if isinstance(part, Text):
        return read_records(part, log)
    return Records(part.name, part.rows, list(range(1, len(part.rows) + 1)), [])


def _refuse_columns(head: Sequence[Sequence[str]], bundle: Bundle) -> None:
    if head and max(len([c for c in row if c.strip()]) for row in head) < 2:
        raise DataError(
            f"{bundle.name}: only one column was found",
            got=f"{len(head):,} rows of one cell",
            allowed="cells parted by commas, semicolons, tabs or bars",
            fix="export it again as CSV",
        )


def _joined(table: Table, bundle: Bundle, log: ReadLog) -> Table:
    """Old Facebook workbooks keep likes, comments and shares on a sheet of their own."""
    import polars as pl

    layout = table.match.layout
    wanted = ("likes", "comments", "shares")
    if any(name in table.match.columns for name in wanted):
        return table
    for part in bundle.parts:
        if not isinstance(part, Sheet) or part.name == table.part:
            continue
        for at, row in enumerate(part.rows[:20]):
            match = relaxed(layout, row, ("post_id", "likes|comments|shares"))
            if match is None:
                continue
            body = [r + [""] * (len(row) - len(r)) for r in part.rows[at + 1 :]]
            own = [name for name in wanted if name in match.columns]
            other = pl.DataFrame(
                {"id": [r[match.columns["post_id"]] for r in body]}
                | {name: [r[match.columns[name]] for r in body] for name in own},
                schema=dict.fromkeys(["id", *own], pl.String),
            ).unique("id", keep="first", maintain_order=True)
            width = len(table.header)
            left = table.cells.with_columns(table.cells[f"c{table.match.columns['post_id']}"].alias("id"))
            joined = left.join(other, on="id", how="left", maintain_order="left").drop("id")
            joined = joined.rename({name: f"c{width + i}" for i, name in enumerate(own)}).with_columns(
                pl.all().fill_null("")
            )
            columns = {**table.match.columns, **{name: width + i for i, name in enumerate(own)}}
            log.note(f"{', '.join(own)} come from the sheet {part.name!r}")
            return replace(
                table, cells=joined, header=(*table.header, *own), match=replace(table.match, columns=columns)
            )
    return table


def choose_tables(tables: Sequence[Table], platform: str | None, log: ReadLog) -> list[Table]:
    """The tables of one layout; what else the file holds is named."""
    ids = list(dict.fromkeys(table.match.layout.id for table in tables))
    wanted = min(
        ids,
        key=lambda name: min(
            (_WANTED.index(t.match.layout.kind), bool(t.match.layout.refuse), ids.index(name))
            for t in tables
            if t.match.layout.id == name
        ),
    )
    chosen = [table for table in tables if table.match.layout.id == wanted]
    layout = chosen[0].match.layout
    if len(ids) > 1:
        others = ", ".join(name for name in ids if name != wanted)
        log.note(f"the file also holds {others}; platform= with that name reads it")
    if len(chosen) > 1 and not layout.stack:
        if layout.side_by_side and len({table.part for table in chosen}) == 1:
            return chosen
        filled = [table for table in chosen if table.cells.height]
        for table in chosen if filled else ():
            if not table.cells.height:
                log.note(f"{table.part!r} has headers but no rows")
        if layout.side_by_side and len(filled) > 1:
            raise DataError(
                f"{log.name} holds several tables of the layout {layout.id}",
                got=", ".join(repr(table.part) for table in chosen[:6]),
                fix="take the one that is wanted out of the file and read it alone",
            )
        chosen = filled or chosen[:1]
    first = chosen[0]
    signs = first.shown(list(first.match.columns.values())[:5])
    unread = [i for i in first.match.unknown if not is_personal(first.header[i])]
    unread += [i for i, header in enumerate(first.header) if header in layout.ignore]
    if unread:
        # which of its questions is the score of a survey is found later
        told = "of which only the score is read" if layout.kind == "survey" else "not read"
        log.note(f"columns without a meaning here, {told}: {first.shown(unread)}")
    log.note(
        f"recognised as {layout.name} by {signs}"
        + (f" (headers in {chosen[0].match.language})" if chosen[0].match.language not in ("", "en") else "")
    )
    return chosen


def refuse_other(table: Table, log: ReadLog) -> None:
    """Refuse a table that is known and of no use, and say which one is.

    Raises
    ------
    ColumnError
        Always.
    """
    dimension = table.printed("dimension") if "dimension" in table.match.columns else "another dimension"
    raise ColumnError(
        f"{log.name}: {table.match.layout.refuse.format(dimension=dimension)}",
        got=table.shown(),
    )


def refuse_empty(chosen: Sequence[Table], bundle: Bundle) -> None:
    """Refuse tables without rows.

    Raises
    ------
    DataError
        If none has a row; the message names the range of dates in the file's name.
    """
    if any(table.cells.height for table in chosen):
        return
    if any(table.empty_word for table in chosen):
        raise _no_data(bundle)
    raise DataError(
        f"{bundle.name} has headers but no rows",
        got=chosen[0].shown(most=6),
        fix="choose a range of dates with data and export it again",
    )


def _no_data(bundle: Bundle) -> DataError:
    dates = re.search(
        r"\d{1,2}[-_ ]?[A-Z][a-z]{2}[-_ ]?\d{4}.*\d{4}|[A-Z][a-z]{2}-\d{1,2}-\d{4}.*\d{4}", bundle.name
    )
    ranged = f" for {dates[0]}" if dates else ""
    return DataError(
        f"{bundle.name} says that no data is available{ranged}",
        got="headers and the words 'No data available'",
        fix="choose a range of dates in which something ran and export it again",
    )
