"""Which tables a file holds, which of them is meant, and several of one layout as one."""

from __future__ import annotations

import difflib
import itertools
import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from erresearch.errors import ColumnError, Count, DataError, argument, in_mapping
from erresearch.exports.columns import OTHER_CURRENCY, choose_currency
from erresearch.exports.combine import combine_exports
from erresearch.exports.containers import Bundle
from erresearch.exports.dates import orders_of, share_of_times
from erresearch.exports.delimited import Text, read_records
from erresearch.exports.layouts import (
    KEPT,
    KINDS,
    MAPPED,
    Format,
    Kind,
    Settings,
    aliases,
    allowed_columns,
    columns_of,
    load_registry,
    normalise,
    vocabulary,
)
from erresearch.exports.log import COUNTED_BACK, Accounting, Caution, Export, Guess, ReadLog
from erresearch.exports.mapping import means, suggested_mappings
from erresearch.exports.numbers import are_numbers
from erresearch.exports.privacy import is_personal, looks_like_headers, show_headers, show_name, show_shape
from erresearch.exports.tables import (
    ExportTable,
    find_tables,
    lacking_figures,
    perhaps_figures,
    stated_zones,
)
from erresearch.io import pd, pl

# where several layouts are in one file, the first of these is what people come for
_WANTED: tuple[Kind, ...] = ("posts", "survey", "outcomes", "ads", "followers", "daily")
_SHOWN = 8
#: The column that says whose a row is; of how many shared days which share must differ, so that sheets are of others.
_WHOSE, _ENOUGH, _OTHERS = {"daily": "account", "followers": "account", "outcomes": "entity"}, 7, 0.9
#: Columns of declared events (erresearch.panel.events.read_events).
_OF_EVENTS = frozenset({"date", "start", "end", "name", "kind", "entity"})
_Read: TypeAlias = tuple[ExportTable, Export]
Said = TypeVar("Said", Guess, Caution)
_COUNT = r"^\d{1,3}(?:[.,' \x{00a0}\x{202f}’]?\d{3}){0,3}(?:\.0)?$"


def _refuse_incomplete(layout: Format) -> None:
    """Refuse a mapping that lacks what its kind needs, in one message with all that is allowed.

    Raises
    ------
    ColumnError
        Naming what is missing.
    """
    there, fields = set(layout.columns), load_registry().fields
    figures = any(fields[name].numeric for name in there)
    lacking = [
        part.replace("|", " or ").replace("*", "a figure")
        for part in columns_of(layout.kind, "needed")
        if not (figures if part == "*" else there & set(part.split("|")))
    ]
    if lacking:
        raise ColumnError(
            f"[columns] of a mapping lacks {' and '.join(lacking)}",
            got=", ".join(layout.columns),
            allowed=allowed_columns(layout.kind),
            fix=f"name it {in_mapping()}, or say another kind: {', '.join(KINDS)}",
        )


def layouts_wanted(settings: Settings, layout: Format | None, platform: str | None) -> tuple[Format, ...]:
    """Layouts to look for, with the further columns that the caller wants."""
    if layout is not None:
        _refuse_incomplete(layout)
    layouts = (layout,) if layout is not None else load_registry().formats
    if platform is not None and layout is None:
        named = load_registry().choose(platform)
        titled = [f for f in layouts if any(platform.casefold() == entry[0] for entry in f.titles.values())]
        layouts = tuple(dict.fromkeys((*named, *titled)))
    further = (*settings.keep, *settings.hash, *settings.less, *settings.plus)
    if not further:
        return layouts
    extra = {KEPT + header: {"": (header,)} for header in further}
    return tuple(replace(f, columns={**f.columns, **extra}) for f in layouts)


def all_tables(bundle: Bundle, layouts: Sequence[Format]) -> tuple[list[ExportTable], list[int]]:
    """Every table of every part."""
    log = bundle.log
    tables: list[ExportTable] = []
    unread: list[int] = []
    heads: list[list[list[str]]] = []
    strange: list[str] = []
    for part in bundle.parts:
        records = read_records(part, log) if isinstance(part, Text) else part
        found, between = find_tables(records, layouts, log)
        if not found:
            heads.append(records.rows[:60])
            strange += [part.name] if records.rows else []
        elif found[0].match.layout.second_sheet:
            found[-1] = _joined(found[-1], bundle, log)
        tables += found
        unread += between
    if strange and tables:
        text = f"no known table in {', '.join(repr(show_name(name)) for name in strange[:_SHOWN])}"
        alike = Counter(t.match.layout.id for t in tables if t.cells.height and not t.match.layout.stack)
        if max(alike.values(), default=0) > 1:
            # one of them may be a table of that layout
            log.caution("unread tables", f"{text}: rows of theirs, if they are wanted, were not read")
        else:
            log.note(text)
    if tables:
        return tables, unread
    head = heads[0] if heads else []
    words = [cell for row in head for cell in row if cell.strip()]
    if words and normalise(words[-1]) in load_registry().no_data:
        raise _no_data(bundle)
    if head and max(len([c for c in row if c.strip()]) for row in head) < 2:
        raise DataError(
            f"{bundle.name}: only one column was found",
            got=f"{Count(len(head)):row} of one cell",
            allowed="cells parted by commas, semicolons, tabs or bars",
            fix="export it again as CSV",
        )
    raise _not_recognised(bundle, head[:20], layouts)


def _not_recognised(bundle: Bundle, head: Sequence[Sequence[str]], layouts: Sequence[Format]) -> ColumnError:
    """Say that no row is a known header, and which layout is near; headers are shown where a row looks like some."""
    name = bundle.name
    known = vocabulary()
    rows = [row for row in head if any(cell.strip() for cell in row)]
    if not rows:
        return ColumnError(f"{name} holds no row with a word", got="empty cells only", fix="export it again")

    def worth(at: int) -> tuple[bool, int, int]:
        hits = sum(normalise(cell) in known for cell in rows[at])
        return looks_like_headers(rows[at], rows[at + 1 :]), hits, len([c for c in rows[at] if c.strip()])

    sideways = [row for row in rows if len(row) > 3 and share_of_times(pl.Series(row[1:])) > 0.8]
    at = max(range(len(rows)), key=worth)
    best, there = rows[at], {normalise(cell) for cell in rows[at]}
    own = next((layout for layout in layouts if layout.evidence == MAPPED), None)
    allowed, fix = "", f"say which column is which {in_mapping()}"
    if sideways:
        wrong = f"{name} has its days side by side, a column for each"
        got = f"{Count(len(sideways[0])):column}"
        allowed = "a row for each day, and a column for each figure"
        fix = "turn the table, so that its rows become columns"
    elif not looks_like_headers(best, rows[at + 1 :]):
        wrong = f"{name}: no known layout fits, and no row looks like headers"
        got = f"{Count(len(best)):cell} such as {', '.join(map(show_shape, best[:4]))}"
        fix = f"add a row of headers, or {fix}"
    elif own is not None:
        wanted = map(own.headers, own.columns)
        absent = [repr(headers[0]) for headers in wanted if there.isdisjoint(map(normalise, headers))]
        wrong = f"{name} has no column {' and no column '.join(absent[:3])}, which the mapping names"
        got, fix = show_headers(best), f"write the header as the file has it {in_mapping()}"
    elif {"name"} < there <= _OF_EVENTS and there & {"date", "start"}:
        wrong, got = f"{name} is a list of events and no export", show_headers(best, known=range(len(best)))
        fix = f"give it to an audit of your exports with --events {shlex.quote(bundle.place or name)}"
    else:
        alike = []
        for i, cell in enumerate(best[:12]):
            close = difflib.get_close_matches(normalise(cell)[:60], known, n=1, cutoff=0.75)
            if normalise(cell) not in known and close:
                alike.append(f"{show_headers(best, positions=[i])} is near {close[0]!r}")
        columns = itertools.zip_longest(*rows[at + 1 :], fillvalue="")
        figures = [i for i, cells in enumerate(columns) if are_numbers(pl.Series(cells, dtype=pl.String))]
        wrong = f"{name}: no known layout has these headers"
        got = "; ".join([show_headers(best, figures=figures, most=5), *alike[:3]])
        allowed = _nearest(there, len(best), layouts)
        # of a part of an archive no command writes a mapping
        if bundle.place and next(suggested_mappings(bundle.parts[0]), None):
            fix += f"; erresearch inspect {shlex.quote(bundle.place)} --suggest prints one to begin with"
    return ColumnError(wrong, got=got, allowed=allowed, fix=fix)


def _nearest(there: Set[str], columns: int, layouts: Sequence[Format]) -> str:
    """The layout that has half of the headers and lacks one at most, and what it needs; empty where none is near."""

    def lacking(layout: Format) -> list[str]:
        wanted = [[h for t in part.split("|") for h in layout.headers(t)] for part in layout.signature]
        return [headers[0] for headers in wanted if headers and not there & set(map(normalise, headers))]

    def shared(layout: Format) -> int:
        return len(there & set(aliases(layout)[0]))

    near = max(layouts, key=lambda layout: (shared(layout), -len(lacking(layout))), default=None)
    if near is None or shared(near) < columns / 2 or len(needed := lacking(near)) > 1:
        return ""
    headers = ", ".join(map(repr, needed)) or "the lines that the platform writes above the headers"
    return f"{near.name}, which needs {headers}"


def _joined(table: ExportTable, bundle: Bundle, log: ReadLog) -> ExportTable:
    """Old Facebook workbooks keep likes, comments and shares on a sheet of their own."""
    wanted, id_at = ("likes", "comments", "shares"), table.match.columns["post_id"]
    if any(name in table.match.columns for name in wanted):
        return table
    sought = replace(table.match.layout, signature=("post_id", "|".join(wanted)), exact=False)
    for part in bundle.parts:
        others = (
            part.name != table.part and not isinstance(part, Text) and find_tables(part, [sought], log)[0]
        )
        if not others:
            continue
        found = others[0].match.columns
        own, width = [name for name in wanted if name in found], len(table.header)
        places = {name: width + i for i, name in enumerate(own)}
        figures = {f"c{place}": f"c{found[name]}" for name, place in places.items()}
        right = others[0].cells.select(id=f"c{found['post_id']}", **figures).unique("id", keep="first")
        cells = table.cells.join(right, left_on=f"c{id_at}", right_on="id", how="left", maintain_order="left")
        log.note(f"{', '.join(own)} come from the sheet {part.name!r}")
        match = replace(table.match, columns={**table.match.columns, **places})
        cells = cells.with_columns(pl.all().fill_null(""))
        return replace(table, cells=cells, header=(*table.header, *own), match=match)
    return table


def choose_tables(tables: Sequence[ExportTable], platform: str | None, log: ReadLog) -> list[ExportTable]:
    """The tables of one layout; what else the file holds is named."""
    ids = list(dict.fromkeys(table.match.layout.id for table in tables))

    def worth(layout: Format) -> tuple[int, bool]:
        return _WANTED.index(layout.kind), bool(layout.refuse)

    wanted = min((table.match.layout for table in tables), key=worth).id
    chosen = [table for table in tables if table.match.layout.id == wanted]
    layout = chosen[0].match.layout
    if len(ids) > 1:
        others = ", ".join(name for name in ids if name != wanted)
        log.note(f"the file also holds {others}; {argument('platform')} reads it")
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
    counts = _unread_counts(first)
    if counts:
        lacking = " or ".join(lacking_figures(first.match))
        log.caution(
            "unread counts",
            f"{Count(len(counts)):column} of counts under headers that are not known were not read, perhaps of "
            f"{lacking}: {first.shown(counts)}; [columns] {in_mapping()} says which is which",
            count=len(counts),
        )
    prices = [i for i in first.match.unknown if layout.kind == "daily" and _of_prices(first.header[i])]
    if prices:
        log.caution(
            "unread prices",
            f"{Count(len(prices)):column} of prices or discounts, not read: {first.shown(prices)}; prices move "
            "sales, and posts tell of them: declare when they changed as events, or give the columns to "
            "er.daily_response as controls",
            count=len(prices),
        )
    told = {*counts, *prices, *(i for i, zones in stated_zones(first).items() if len(zones) == 1)}
    unread = [i for i in first.match.unknown if i not in told and not is_personal(first.header[i])]
    unread += [i for i, header in enumerate(first.header) if header in layout.ignore]
    if unread:
        # which of its questions is the score of a survey is found later
        how = "of which only the score is read" if layout.kind == "survey" else "not read"
        log.note(f"columns without a meaning here, {how}: {first.shown(unread)}")
    other = f" (headers in {first.match.language})" if first.match.language not in ("", "en") else ""
    log.note(f"recognised as {layout.name} by {signs}{other}")
    return chosen


def _of_prices(header: str) -> bool:
    return means(header, "price") or means(header, "price", within=True)


def _unread_counts(table: ExportTable) -> list[int]:
    """Columns of whole numbers that were not read, where figures are lacking: another language may hide them."""
    found = []
    for position in perhaps_figures(table.match, table.header):
        header, name = table.header[position], f"c{position}"
        cells = table.cells[name] if name in table.cells.columns else table.rows.head(0)
        said = cells.cast(str).str.strip_chars().replace("", None).drop_nulls()
        whole = len(said) > len(cells) / 2 and said.str.contains(_COUNT).all()
        found += [position] if whole and not (is_personal(header) or _of_prices(header)) else []
    return found


def refuse_unusable(chosen: Sequence[ExportTable], bundle: Bundle) -> None:
    """Refuse tables that are known and of no use, or that have no rows.

    Raises
    ------
    ColumnError
        If another table is wanted; the message says which.
    DataError
        If none has a row; the message names the range of dates in the file's name.
    """
    first = chosen[0]
    if first.match.layout.refuse:
        dimension = first.printed("dimension") if "dimension" in first.match.columns else "another dimension"
        raise ColumnError(
            f"{bundle.name}: {first.match.layout.refuse.format(dimension=dimension)}", got=first.shown()
        )
    if any(table.empty_word for table in chosen) and not any(table.cells.height for table in chosen):
        raise _no_data(bundle)
    if not any(table.cells.height for table in chosen):
        raise DataError(
            f"{bundle.name} has headers but no rows",
            got=first.shown(most=6),
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


_TIMES = ("time", "window")
# whole numbers are read alike under either sign
_DECIMAL = ("number", "money", "share", "seconds")
_BY_DAY = ("daily", "followers", "outcomes")


def put_together(
    tables: Sequence[ExportTable], read_one: Callable[[ExportTable, ReadLog], Export], log: ReadLog
) -> Export:
    """Read tables of one layout one by one and make one export of them.

    A row that stands in two of them is handled like a row of two exports: kept once where its figures are the same,
    refused where they differ.

    Parameters
    ----------
    tables : sequence of ExportTable
        Of one layout, each of a sheet or file of its own.
    read_one : callable
        Reads one of them, writing into a log of its own.
    log : ReadLog
        What was said about the file as a whole.

    Returns
    -------
    Export
        With every guess and caution named by its sheet, and the account of each sheet among the notes.

    Raises
    ------
    DataError
        If the sheets contradict each other: in decimal sign, or in the figures of one row.
    """
    read, foreign = _of_one_currency(tables, read_one, log)
    read = _by_sheet(read, log)
    _refuse_signs(read, log)
    parts = [table.part for table, _ in read]
    together = combine_exports([one for _, one in read], tables=True) if len(read) > 1 else read[0][1]
    if foreign:
        left = sum(table.cells.height for table in foreign)
        named = ", ".join(repr(table.part) for table in foreign[:_SHOWN])
        text = f"{named}: out of scope: {Count(left):row} in another currency"
        log.caution("several currencies", text, count=left)
        others = Accounting(left, 0, out_of_scope=left, reasons={"tables in another currency": left})
        together = replace(together, accounting=together.accounting + others)
    guesses = [(table.part, each) for table, export in read for each in export.guesses]
    cautions = [(table.part, each) for table, export in read for each in export.warnings]
    further = together.warnings[len(dict.fromkeys(each for _, each in cautions)) :]
    accounts = [f"{t.part!r}: {str(export.accounting).replace(chr(10) + '  ', '; ')}" for t, export in read]
    more = f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    log.note(
        f"{Count(len(parts)):table} of one layout were put together: {', '.join(map(repr, parts[:_SHOWN]))}{more}"
    )
    counted = [part for part, guess in guesses if guess.code == COUNTED_BACK]
    if len(counted) > 1:
        log.caution(
            "year",
            f"the dates of {', '.join(map(repr, counted[:_SHOWN]))} have no year and all were counted back from one day: "
            "what is more than a year older is dated wrongly; read such tables one by one, each with its exported_at",
        )
    for caution in further:
        log.caution(caution.code, caution.text, count=caution.count, rows=caution.rows)
    rows = together.rows
    if together.kind in _BY_DAY:
        rows = rows.sort_values("date", kind="stable", ignore_index=True)
    return replace(
        together,
        rows=rows,
        name=log.name,
        guesses=(*log.guesses, *_once(guesses, len(parts), "name")),
        warnings=(*log.warnings, *_once(cautions, len(parts), "text")),
        notes=tuple(dict.fromkeys([*log.notes, *accounts, *together.notes])),
    )


def _by_sheet(read: list[_Read], log: ReadLog) -> list[_Read]:
    """Name accounts by their sheets, where nothing else does and the sheets have other figures for the same days."""
    name, platform = _WHOSE.get(read[0][1].kind, ""), read[0][0].match.layout.platform
    if len(read) < 2 or any(set(one.rows.get(name, ())) != {platform} for _, one in read):
        return read
    rows = pd.concat([one.rows.assign(part=number) for number, (_, one) in enumerate(read)])
    days = rows.groupby([key for key in ("date", "outcome", "segment") if key in rows], dropna=False)
    shared = days["part"].nunique() > 1
    differ = days[list(rows.select_dtypes("float"))].nunique().gt(1).any(axis=1) & shared
    if shared.sum() < max(_ENOUGH, len(shared) / 2) or differ.sum() < _OTHERS * shared.sum():
        return read
    parts = [show_name(table.part.removeprefix(f"{log.name}: ")) for table, _ in read]
    reason = "the sheets have other figures for the same days"
    log.guess(name, ", ".join(parts), reason, f"a column for {name}")
    named = []
    for (table, one), part in zip(read, parts, strict=True):
        rows = one.rows.assign(**{name: one.rows[name].replace(platform, part)})
        guesses = tuple(guess for guess in one.guesses if guess.name != name)
        named.append((table, replace(one, rows=rows, guesses=guesses)))
    return named


def _once(said: Sequence[tuple[str, Said]], count: int, attribute: str) -> list[Said]:
    """What every sheet gives rise to is said once; of the rest an attribute names the sheet."""
    every = [each for _, each in said]

    def named(part: str, each: Said) -> Said:
        name: Any = {attribute: f"{part}: {getattr(each, attribute)}"}
        return each if every.count(each) == count else replace(each, **name)

    return list(dict.fromkeys(named(part, each) for part, each in said))


def _of_one_currency(
    tables: Sequence[ExportTable], read_one: Callable[[ExportTable, ReadLog], Export], log: ReadLog
) -> tuple[list[_Read], list[ExportTable]]:
    """Tables with their exports in the currency of most rows, and the tables in another: amounts are never added up."""
    read: list[_Read] = []
    foreign: list[ExportTable] = []
    for table in tables:
        try:
            read.append((table, read_one(table, ReadLog(f"{log.name}: {table.part}", strict=log.strict))))
        except DataError as error:
            # of the currency that the caller chose, while another table has some
            if error.code != OTHER_CURRENCY or len(foreign) + 1 == len(tables):
                raise
            foreign.append(table)
    counts: Counter[str] = Counter()
    for table, export in read:
        counts.update(dict.fromkeys(_currencies(table, export), len(export.rows)))
    if len(counts) < 2:
        return read, foreign
    chosen = choose_currency("the tables are in several currencies", counts, None, log)
    kept = []
    for table, export in read:
        if chosen in (_currencies(table, export) or [chosen]):
            kept.append((table, export))
        elif "currency" in export.rows.columns:
            foreign.append(table)
        else:
            # rows that are no amounts stay without the money beside them
            money = [name for name in export.rows.columns if load_registry().field(name).cell == "money"]
            rows = export.rows.assign(**dict.fromkeys(money, float("nan")))
            kept.append((table, replace(export, rows=rows)))
    return kept, foreign


def _currencies(table: ExportTable, export: Export) -> set[str]:
    if "currency" not in export.rows.columns:
        return set(table.match.currencies.values())
    return {str(code) for code in export.rows["currency"].dropna().unique() if code}


def _refuse_signs(read: Sequence[_Read], log: ReadLog) -> None:
    """A sign that parts decimals in one sheet and thousands in the next is not guessed."""
    signs: dict[str, dict[str, str]] = {}
    for table, export in read:
        guessed = {guess.name: guess.value for guess in export.guesses}
        for target, column in table.of_types(_DECIMAL):
            if column.dtype != pl.String:
                continue
            name = f"decimal sign of {table.printed(target)!r}"
            printed = column.str.contains(r"\d[.,]\d{3}(\D|$)|\d,\d").any()
            if name in guessed or (printed and table.match.layout.decimal):
                signs.setdefault(target, {})[table.part] = guessed.get(name, repr(table.match.layout.decimal))
    for found in signs.values():
        if len(set(found.values())) > 1:
            raise DataError(
                f"{log.name}: its tables use different signs for decimals",
                got="; ".join(f"{part!r} {sign}" for part, sign in list(found.items())[:_SHOWN]),
                allowed="one sign in all of them",
                fix=f"say it with {argument('decimal')}, or save each table as a file of its own",
            )


def agreed_settings(tables: Sequence[ExportTable], settings: Settings, log: ReadLog) -> Settings:
    """Let the tables in which a day above 12 tells the order of dates decide for those without one.

    Parameters
    ----------
    tables : sequence of ExportTable
        Of one layout.
    settings : Settings
        What the caller says.
    log : ReadLog
        For messages.

    Returns
    -------
    Settings
        With the order, where some table tells it.

    Raises
    ------
    DataError
        If two tables tell different orders.
    """
    if settings.dates:
        return settings
    told: dict[str, str] = {}
    for table in tables:
        for _, column in table.of_types(_TIMES):
            told |= {order: table.part for order in orders_of(column) if order not in told}
    if len(told) > 1:
        raise DataError(
            f"{log.name}: its tables write dates in different orders",
            got="; ".join(f"{part!r} {order}" for order, part in sorted(told.items())),
            allowed="one order in all of them",
            fix="write all dates in one order, or save each table as a file of its own",
        )
    return replace(settings, dates=next(iter(told))) if told else settings
