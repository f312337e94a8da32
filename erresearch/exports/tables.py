"""Records to tables: where the header is, where a table ends, several tables in one file, rows that are too short."""

from __future__ import annotations

import itertools
import re
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from erresearch.errors import ColumnError, Count, DataError, in_mapping
from erresearch.exports.delimited import Records, Text, fast_body, read_records
from erresearch.exports.layouts import (
    MAPPED,
    Format,
    Match,
    best_match,
    load_registry,
    match_header,
    normalise,
    vocabulary,
)
from erresearch.exports.log import ReadLog, places
from erresearch.exports.numbers import are_numbers
from erresearch.exports.privacy import has_known_words, show_headers
from erresearch.io import pl
from erresearch.schema.vocabulary import EXPOSURES, REACTIONS

_SEARCHED = 100
_MOST_TABLES = 400
_FIGURES = (REACTIONS, (*EXPOSURES, "clicks"))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ExportTable:
    """One table of a file.

    Parameters
    ----------
    part : str
        File, member or sheet.
    match : Match
        Its layout.
    header : tuple of str
        Headers as printed.
    cells : polars.DataFrame
        Text columns ``c<position>``.
    rows : polars.Series
        Row number of each row, as a spreadsheet shows it.
    header_row : int
        Row number of the header.
    title : str
        The line above the header, where it has one.
    lines : mapping of str to str
        What a preamble states: start, end, entity, range.
    questions : tuple of str
        The second row of headers, where there is one.
    empty_word : bool
        Whether the body is only the words "no data available".
    """

    part: str
    match: Match
    header: tuple[str, ...]
    cells: pl.DataFrame
    rows: pl.Series
    header_row: int
    title: str = ""
    lines: Mapping[str, str] = field(default_factory=dict)
    questions: tuple[str, ...] = ()
    empty_word: bool = False

    def printed(self, target: str) -> str:
        """The header of a canonical column as printed."""
        return self.header[self.match.columns[target]].strip().lstrip("\ufeff")

    def of_types(self, types: Sequence[str]) -> Iterator[tuple[str, pl.Series]]:
        """The canonical columns of some types, with their cells."""
        for target, position in self.match.columns.items():
            if load_registry().field(target).cell in types and f"c{position}" in self.cells.columns:
                yield target, self.cells[f"c{position}"]

    def shown(self, positions: Iterable[int] | None = None, *, most: int = 8) -> str:
        """Headers for a message: those that are known as printed, others where they look like names of columns."""
        asked = list(range(len(self.header)) if positions is None else positions)
        numbers = [
            i for i in self.match.unknown
            if i in asked and f"c{i}" in self.cells.columns and are_numbers(self.cells[f"c{i}"].head(_SEARCHED))
        ]  # fmt: skip
        known = self.match.columns.values()
        return show_headers(self.header, known=known, figures=numbers, positions=asked, most=most)


@dataclass(slots=True)
class _Search:
    """Where the search stands between two tables."""

    lines: dict[str, str] = field(default_factory=dict)
    title: str = ""
    title_row: int = 0
    unread: list[int] = field(default_factory=list)
    announced: bool = False


def blank(row: Sequence[str]) -> bool:
    """Whether a record holds nothing."""
    return not any(cell.strip() for cell in row)


def is_comment(row: Sequence[str]) -> bool:
    """Whether a record is a line of a preamble, which begins with a sharp sign."""
    return re.match(r"#(\s|-|$)", row[0].strip()) is not None


def find_tables(
    records: Records, layouts: Sequence[Format], log: ReadLog
) -> tuple[list[ExportTable], list[int]]:
    """Find the tables of a text or sheet; a large text whose head is not enough is split into records as a whole.

    Parameters
    ----------
    records : Records
        Its records.
    layouts : sequence of Format
        Layouts to look for.
    log : ReadLog
        Takes notes.

    Returns
    -------
    tables : list of ExportTable
        In their order; several only for layouts that stack tables in one file.
    unread : list of int
        Row numbers between tables that belong to no known layout.

    Raises
    ------
    ColumnError
        If two rows could both be the header.
    DataError
        If rows have more or fewer cells than the header.
    """
    tables: list[ExportTable] = []
    search = _Search()
    at = 0
    while at < len(records.rows):
        match = _header_here(records, at, layouts, search, looked=bool(tables) or at < _SEARCHED)
        if match is None:
            at += 1
            continue
        if not (match.layout.stack or match.layout.import_ids or match.layout.header_rows > 1):
            _refuse_tie(records, at, match, layouts)
        below = range(at + 1, len(records.rows) if match.layout.stack else 0)
        ends = (other for other in below if blank(row := records.rows[other]) or is_comment(row))
        end = next(ends, len(records.rows))
        table = _table(records, at, end, match=match, search=search, log=log)
        if table is None:
            break
        tables += _halves(table) if match.layout.side_by_side else [table]
        if len(tables) > _MOST_TABLES:
            raise DataError(
                f"{records.name} holds too many tables",
                got=f"more than {_MOST_TABLES} rows of headers",
                fix="save the table that is wanted as a file of its own",
            )
        if not match.layout.stack:
            return tables, []
        search = _Search(unread=search.unread, lines=dict(search.lines), announced=search.announced)
        at = end
    if records.data is not None:
        whole = read_records(Text(records.name, records.data), ReadLog(log.name), fast=False)
        return find_tables(whole, layouts, log)
    if not tables or not tables[0].match.layout.stack:
        return tables, []
    return tables, search.unread + [search.title_row] * bool(search.title_row)


def _header_here(
    records: Records, at: int, layouts: Sequence[Format], search: _Search, *, looked: bool
) -> Match | None:
    """Read one row between tables: a header, a line of the preamble, a title, or nothing of the kind."""
    row = records.rows[at]
    if blank(row):
        return None
    first = row[0].strip()
    if is_comment(row) and (len(row) == 1 or blank(row[1:]) or first.startswith("# ")):
        _read_line(first if len(row) == 1 else ",".join(row).rstrip(","), layouts, search)
        return None
    filled = [cell for cell in row if cell.strip()]
    own = any(layout.evidence == MAPPED for layout in layouts)
    known = search.announced or (looked and (own or any(normalise(cell) in vocabulary() for cell in filled)))
    match = best_match(row, layouts, preamble=search.announced) if known else None
    both = _two_rows(row, records.rows[at + 1]) if looked and at + 1 < len(records.rows) else []
    better = best_match(both, layouts) if both else None
    if better is not None and (match is None or better.score > match.score):
        # the lower row is the header then, with what the upper says over its blank cells
        records.rows[at + 1] = both
        match = None
    if match is not None:
        return match
    if search.title_row:
        search.unread.append(search.title_row)
    search.title, search.title_row = " ".join(cell.strip() for cell in filled), records.numbers[at]
    return None


def _two_rows(upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    """Two rows of headers as one, where cells of the upper span several below; empty where they are not two."""
    words = [cell for row in (upper, lower) for cell in row if cell.strip()]
    wide = max(len(upper), len(lower))
    upper, lower = ([*row, *[""] * (wide - len(row))] for row in (upper, lower))
    spans = sum(not up.strip() and bool(low.strip()) for up, low in zip(upper, lower, strict=True))
    if (
        not spans
        or sum(bool(cell.strip()) for cell in upper) < 2
        or any(re.search(r"\d", word) for word in words)
    ):
        return []
    return [low if low.strip() else up for up, low in zip(upper, lower, strict=True)]


def _read_line(text: str, layouts: Sequence[Format], search: _Search) -> None:
    """Keep what a line of a preamble states."""
    said, colon, value = text.strip().lstrip("#").partition(":")
    if not colon or not said.strip():
        return
    lines = [line for layout in layouts for line in layout.lines.items()]
    known = [name for name, words in lines if normalise(said) in map(normalise, words)]
    for name in known or ["report"]:
        search.lines[name] = value.strip()
        search.announced = search.announced or name == "start"


def _refuse_tie(records: Records, at: int, match: Match, layouts: Sequence[Format]) -> None:
    """Two different rows that could both be the header are not guessed between."""
    for other in range(at + 1, min(at + 4, len(records.rows))):
        row = records.rows[other]
        if blank(row) or row == records.rows[at]:
            continue
        rival = best_match(row, layouts)
        if rival is not None and rival.score >= match.score:
            raise ColumnError(
                f"{records.name}: two rows could be the header",
                got=f"rows {records.numbers[at]} and {records.numbers[other]}",
                fix=f"delete the one that is not, or say which column is which {in_mapping()}",
            )


def _table(
    records: Records, at: int, end: int, *, match: Match, search: _Search, log: ReadLog
) -> ExportTable | None:
    header = records.rows[at]
    while header and not header[-1].strip() and len(header) - 1 not in match.columns.values():
        header = header[:-1]
    header_row = records.numbers[at]
    if header_row > 1 and not match.layout.stack:
        log.note(f"{records.name}: the header is on row {header_row}")
    below, questions = _below_header(records, at, end, match)
    lines = dict(search.lines)
    if match.layout.range_line and search.title:
        lines["range"] = search.title
    base = ExportTable(
        part=records.name,
        match=match,
        header=tuple(header),
        cells=_frame([], header),
        rows=_numbers([]),
        header_row=header_row,
        title=search.title,
        lines=lines,
        questions=questions,
    )
    if records.data is not None:
        if match.layout.stack or below > at + 1:
            return None
        body = fast_body(records, at, len(header), _wanted(match, header), _plain_counts(records, at, match))
        if body is None:
            return None
        return replace(base, cells=body, rows=_numbers(range(header_row + 1, header_row + 1 + body.height)))
    kept = records.rows[below:end]
    while kept and len(kept[-1]) < 2 and blank(kept[-1]):
        kept.pop()
    words = list(itertools.islice((cell for row in kept for cell in row if cell.strip()), 2))
    if not words:
        kept = []
    if len(words) == 1 and normalise(words[0]) in load_registry().no_data:
        return replace(base, empty_word=True)
    numbers = records.numbers[below : below + len(kept)]
    rows = _squared(kept, numbers, len(header), match=match, records=records)
    return replace(base, cells=_frame(rows, header), rows=_numbers(numbers))


def _wanted(match: Match, header: Sequence[str]) -> list[int]:
    """Positions to load: personal columns only where a mapping asks for them."""
    spare = {"account_id"} if "account" in match.columns and match.layout.collaborations else set()
    known = [i for target, i in match.loaded.items() if target not in spare]
    twins = [i for positions in match.twins.values() for i in positions]
    twins += [i for positions in match.mixed.values() for i in positions.values()]
    # the score of a survey is found among its questions, a dimension among what is not known
    open_ones = perhaps_figures(match, header)
    if match.layout.kind in ("survey", "outcomes"):
        open_ones = [*match.unknown]
    return sorted({0, *known, *twins, *open_ones, *zone_columns(match, header)})


def zone_columns(match: Match, header: Sequence[str]) -> list[int]:
    """Positions of headers that no layout knows and that name a time zone."""
    words = load_registry().hints["zone"]
    return [i for i in match.unknown if any(word in normalise(header[i]) for word in words)]


def stated_zones(table: ExportTable) -> dict[int, list[str]]:
    """The zones of the calendar that such columns hold, by their position."""
    found = {}
    for position in zone_columns(table.match, table.header):
        said = table.cells[f"c{position}"].str.strip_chars().replace("", None).drop_nulls().unique()
        if len(said) and said.is_in(sorted(zoneinfo.available_timezones())).all():
            found[position] = said.sort().to_list()
    return found


def lacking_figures(match: Match) -> list[str]:
    """Figures that the layout knows and the table lacks: reactions, or else how often posts were seen."""
    absent = (
        [n for n in names if n in match.layout.columns and n not in match.columns] for names in _FIGURES
    )
    return next(filter(None, absent), [])


def perhaps_figures(match: Match, header: Sequence[str]) -> list[int]:
    """Positions of headers that are not known and may hold what is lacking, under a word of another language.

    How often posts were seen is lacking in many tables, so there only headers count whose words no layout has.
    """
    lacking = lacking_figures(match)
    if match.layout.evidence == MAPPED or not lacking:
        return []
    return [i for i in match.unknown if lacking[0] in REACTIONS or not has_known_words(header[i])]


def _halves(table: ExportTable) -> list[ExportTable]:
    """Two tables side by side, parted by a column without header, as two tables."""
    gaps = [i for i, text in enumerate(table.header) if not text.strip()]
    edges = [-1, *gaps, len(table.header)]
    halves = []
    for left, right in itertools.pairwise(edges):
        positions = range(left + 1, right)
        header = tuple(table.header[i] for i in positions)
        match = match_header(table.match.layout, header)
        if match is None:
            continue
        cells = table.cells.select([f"c{i}" for i in positions])
        cells = cells.rename({f"c{i}": f"c{n}" for n, i in enumerate(positions)})
        filled = cells[f"c{match.columns[table.match.layout.key]}"].str.strip_chars() != ""
        half = replace(table, match=match, header=header)
        halves.append(replace(half, cells=cells.filter(filled), rows=table.rows.filter(filled)))
    return halves or [table]


def _plain_counts(records: Records, at: int, match: Match) -> list[int]:
    """Positions of counts that hold nothing but digits in the head."""
    registry = load_registry()
    counts = [i for target, i in match.columns.items() if registry.field(target).cell == "count"]
    twice = {i for positions in match.twins.values() for i in positions}
    head = records.rows[at + 1 :]
    width = min(map(len, head), default=0)
    there = [i for i in counts if 0 < i < width and i not in twice]
    return [i for i in there if re.fullmatch("[0-9]*", "".join(row[i] for row in head))]


def _numbers(values: Iterable[int]) -> pl.Series:
    return pl.Series("row", values if isinstance(values, range) else list(values), dtype=pl.UInt32)


def _frame(rows: Sequence[Sequence[str]], header: Sequence[str]) -> pl.DataFrame:
    names = [f"c{i}" for i in range(len(header))]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pl.DataFrame(list(map(pl.Series, names, columns, [pl.String] * len(names))))


def _below_header(records: Records, at: int, end: int, match: Match) -> tuple[int, tuple[str, ...]]:
    """Index of the first row of data, and the second row of headers where the layout has one."""
    layout, ahead = match.layout, records.rows[at + 1 : min(at + 3, end)]
    if layout.import_ids:
        return _survey_headers(records, at, ahead, match.columns["date"])
    if not ahead:
        return at + 1, ()
    if layout.description_row:
        second = any(cell.strip().startswith(layout.description_row) for cell in ahead[0])
    else:
        # the key of a row of data is never blank
        second = (
            layout.header_rows > 1 and not "".join(ahead[0][match.columns[layout.signature[0]] :][:1]).strip()
        )
    return (at + 2, tuple(ahead[0])) if second else (at + 1, ())


def _survey_headers(
    records: Records, at: int, ahead: Sequence[Sequence[str]], day: int
) -> tuple[int, tuple[str, ...]]:
    """Two or three rows of headers: names, questions, and perhaps the machine's own names."""
    marked = [number for number, row in enumerate(ahead) if any('{"ImportId"' in cell for cell in row)]
    if marked:
        return at + 2 + marked[0], tuple(ahead[0]) if marked[0] else ()
    dated = [bool(re.search(r"\d{1,4}[-/.]\d{1,2}[-/.]\d", "".join(row[day:][:1]))) for row in ahead]
    if dated[:1] == [True]:
        return at + 1, ()
    if len(dated) < 2 or dated[1]:
        return at + 2, tuple(ahead[0]) if ahead else ()
    raise ColumnError(
        f"{records.name}: the rows of headers are not understood",
        got=f"neither row {records.numbers[at + 1]} nor row {records.numbers[at + 2]} has a day under {'Date'!r}",
        allowed="one, two or three rows of headers, the third with ImportId",
        fix="export it again as CSV with the settings as they come",
    )


def _is_total(row: Sequence[str], match: Match) -> bool:
    """Whether a row sums others, by the layout's rules (those that go by a text)."""
    for rule in match.layout.totals:
        position = 0 if rule.column == "*" else match.columns.get(rule.column, len(row))
        cell = row[position].strip().casefold() if position < len(row) else None
        if cell is not None and (cell in rule.texts if rule.how == "equals" else cell.startswith(rule.texts)):
            return True
    return False


def _squared(
    kept: Sequence[list[str]], numbers: Sequence[int], width: int, *, match: Match, records: Records
) -> list[list[str]]:
    """Give every row the header's width, or refuse: cells are never shifted."""
    rows: list[list[str]] = []
    odd: list[int] = []
    sums = load_registry().sums
    notes = _notes_below(kept, width) if records.delimiter else len(kept)
    for place, row in enumerate(kept):
        if place >= notes:
            rows.append([records.delimiter.join(row), *[""] * (width - 1)])
        elif len(row) == width:
            rows.append(row)
        elif blank(row):
            rows.append([""] * width)
        elif len(row) > width and blank(row[width:]):
            rows.append(row[:width])
        elif len(row) > width and "" in row[:width] and normalise(" ".join(row[width:])) in sums:
            # an exploration of Google Analytics writes the word beside the table: it goes where the row is blank
            at = row.index("")
            rows.append([*row[:at], "".join(row[width:]), *row[at + 1 : width]])
        elif len(row) < width and (not records.delimiter or _is_total(row, match)):
            rows.append(row + [""] * (width - len(row)))
        else:
            odd.append(numbers[place])
    if odd:
        found = ", ".join(map(str, sorted({len(row) for row in kept if len(row) != width})[:5]))
        raise DataError(
            f"{records.name}: rows have more or fewer cells than the header's {width}",
            got=f"{Count(len(odd)):row} ({places(tuple(odd[:3]), len(odd))}), cells there: {found}",
            fix="cells are never shifted: look for a delimiter inside a text that lacks quotation marks",
        )
    return rows


def _notes_below(rows: Sequence[Sequence[str]], width: int) -> int:
    """Index of the first of the rows that are no rows: sentences below the table, and the blank line above them."""
    start = len(rows)
    while start and len(rows[start - 1]) < width and (blank(rows[start - 1]) or is_note(rows[start - 1][0])):
        start -= 1
    parted = start < len(rows) and blank(rows[start])
    return start if parted or all(len(row) < 2 for row in rows[start:]) else len(rows)


def is_note(text: str) -> bool:
    """Whether a cell is a sentence, and neither an id nor a date.

    Examples
    --------
    >>> is_note("Exported by the shop on 2 Feb 2026"), is_note("Tue, Feb 18, 2025"), is_note("Total")
    (True, False, False)
    """
    words = re.findall(r"[^\W\d_]{2,}", text)
    return len(words) > (2 if re.search(r"\d", text) else 1)
