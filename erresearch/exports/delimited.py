"""Delimited text: how its letters are written, delimiters, quotation marks, damage by spreadsheets, the fast way."""

from __future__ import annotations

import codecs
import csv
import io
import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from erresearch.errors import Count, DataError, EngineError, argument
from erresearch.exports.layouts import normalise, vocabulary
from erresearch.exports.log import ReadLog, places
from erresearch.io import pl
from erresearch.io.resources import in_threads

FIX = "download the CSV or Excel export of the platform and read that"
FAST = 2 << 20
"""Bytes from which a plain table is read by a parser in C; smaller files are read record by record."""
MAX_COLUMNS = 16_384
"""Cells of a row beyond which a text is no table."""
_HEAD = 256 << 10
_DELIMITERS = (",", ";", "\t", "|")
_SWALLOWED = 50
_STEP = 1 << 20
"""Bytes looked at in one go, few enough to stay in the processor's cache."""
_PIECE = 16 << 20
"""Bytes that one thread parses in one go."""
_LARGEST = 2**31 - 1
_LARGE = 4 << 20
_GARBLED = (b"\xc3\x83\xc2", b"\xc3\xa2\xe2\x82\xac", b"\xc3\x90\xc2", b"\xc3\x91\xc2", b"\xef\xbf\xbd")


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A text file as UTF-8.

    Parameters
    ----------
    name : str
        File or member name.
    data : bytes or memoryview
        UTF-8 without byte order mark; the head only where `complete` is false.
    complete : bool
        Whether `data` is the whole file.
    """

    name: str
    data: bytes | memoryview
    complete: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Records of one text, of one visible sheet of a workbook, or of one table of a page.

    Parameters
    ----------
    name : str
        File, member or sheet.
    rows : list of list of str
        Cells as they are shown, without formats; blank lines are empty lists.
    numbers : sequence of int
        Row number of each record, as a spreadsheet shows it.
    lines : list of int
        Physical line on which each record ends; empty for a sheet.
    delimiter : str
        Between cells; empty for a sheet.
    data : bytes or memoryview or None
        The whole text where `rows` are only its head and the rest is to be read by
        :func:`fast_body`.
    """

    name: str
    rows: list[list[str]]
    numbers: Sequence[int]
    lines: Sequence[int] = ()
    delimiter: str = ""
    data: bytes | memoryview | None = None


def to_utf8(
    data: bytes, name: str, log: ReadLog, encoding: str | None = None, *, cut: bool = False
) -> bytes | memoryview:
    """Bring a text file to UTF-8.

    What the caller says decides, then a byte order mark, then strict UTF-8; else one of three code pages is guessed by
    how letters above 127 stand together.

    Where it is `cut`, the data may end in the middle of a letter.

    Raises
    ------
    DataError
        If the bytes are not text in that encoding.
    EngineError
        If `encoding` is not known.
    """
    if encoding is None:
        encoding = _marked(data, name, log)
    if encoding is None and _is_utf8(data, cut):
        _note_garbled(data, name, log)
        marked = data.startswith(codecs.BOM_UTF8)
        if marked:
            log.note(f"{name}: the byte order mark was set aside")
        utf8: bytes | memoryview = memoryview(data)[3:] if marked else data
        return _readable(utf8, name)
    if encoding is None:
        _readable(data, name)
        encoding = guess_encoding(data)
        data = _in_one_encoding(data, encoding, name, log)
        log.guess("encoding", encoding, "the bytes are not UTF-8", argument("encoding"))
        log.caution(
            "encoding",
            f"the file is not UTF-8 and was read as {encoding}, which is a guess; look at its accents in inspect",
        )
    try:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        text = decoder.decode(data, not cut)
    except LookupError as error:
        raise EngineError(
            f"no encoding {encoding!r} is known", allowed="utf-8, utf-16, cp1252, cp1251 …"
        ) from error
    except (UnicodeError, ValueError) as error:
        raise DataError(
            f"{name} is not text in {encoding}",
            got=f"byte {error.start + 1:,} cannot be read" if isinstance(error, UnicodeDecodeError) else "",
            fix="save it as UTF-8, or pass encoding= with the right name",
        ) from None
    return _readable(text.lstrip("\ufeff").encode("utf-8", "replace"), name)


def _in_one_encoding(data: bytes, encoding: str, name: str, log: ReadLog) -> bytes:
    """Lines that are UTF-8 among others, as files of several programs leave them, in the encoding of the others."""
    lines, other = data.split(b"\n"), 0
    for at, line in enumerate(lines):
        if not line.isascii() and _is_utf8(line, cut=False):
            lines[at] = line.decode("utf-8").encode(encoding, "replace")
            other += 1
    if other:
        text = f"{name} is UTF-8 in {Count(other):line} and {encoding} in the others; each was read as it is"
        log.caution("two encodings", text, count=other)
    return b"\n".join(lines) if other else data


def _note_garbled(data: bytes, name: str, log: ReadLog) -> None:
    """Letters that were read in the wrong encoding before they came into the file (Ã© for é, � for anything)."""
    places = sum(data.count(sign, 0, _LARGE) for sign in _GARBLED)
    if places:
        log.caution(
            "garbled letters",
            f"{name} holds letters garbled before its export, in {Count(places):place}; they were kept",
            count=places,
        )


def _marked(data: bytes, name: str, log: ReadLog) -> str | None:
    """UTF-16 by its mark, or by the zero bytes that Latin letters have in it."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        log.note(f"{name} is UTF-16, as its byte order mark says")
        return "utf-16"
    sample = data[:4096]
    for offset, name_of_it in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(sample) >= 8 and sample[offset::2].count(0) > 0.4 * len(sample) / 2 > 10 * sample[
            1 - offset :: 2
        ].count(0):
            log.guess("encoding", name_of_it, "every other byte is zero", argument("encoding"))
            return name_of_it
    return None


def _is_utf8(data: bytes, cut: bool) -> bool:
    """Whether the bytes are UTF-8; a large file is checked where it lies, without a second copy."""
    if len(data) < _LARGE:
        try:
            codecs.getincrementaldecoder("utf-8")("strict").decode(data, not cut)
        except UnicodeDecodeError:
            return False
        return True
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    ends = pa.py_buffer(struct.pack("=2q", 0, len(data)))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(data)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _readable(utf8: bytes | memoryview, name: str) -> bytes | memoryview:
    """Refuse what is no text at all."""
    sample = bytes(utf8[:65536])
    odd = sum(sample.count(code) for code in range(32) if code not in (9, 10, 12, 13))
    if odd > 0.01 * len(sample) + 2:
        raise DataError(
            f"{name} is not a text file",
            got=f"{odd:,} control characters in its first {len(sample):,} bytes",
            fix=FIX,
        )
    if not sample.strip():
        raise DataError(f"{name}: the file is empty", got="white space only", fix="export it again")
    return utf8


def guess_encoding(data: bytes) -> str:
    """Tell cp1250, cp1251 and cp1252 apart.

    Cyrillic words are runs of letters above 127, accents stand alone; letters of Polish and Czech are signs such as ³
    and ¿ in the West, which do not stand within words.

    Examples
    --------
    >>> guess_encoding("Просмотры".encode("cp1251")), guess_encoding("Categoría".encode("cp1252"))
    ('cp1251', 'cp1252')
    >>> guess_encoding("Sprzedaż; zasięg, wysłane".encode("cp1250"))
    'cp1250'
    """
    sample = data[: 1 << 20]
    if re.search(rb"[A-Za-z](?:\xbf|[\xb3\xb9\xbc\xbe\x8d\x8f\x9d][A-Za-z])", sample):
        return "cp1250"
    runs = re.findall(rb"[\xa8\xb8\xc0-\xff]+", sample)
    long = sum(len(run) for run in runs if len(run) >= 3)
    return "cp1251" if runs and long > 0.5 * sum(map(len, runs)) else "cp1252"


def read_records(part: Text, log: ReadLog, *, fast: bool = True) -> Records:
    """Split a text into records; where it may be read `fast` and is large, its head, the rest being for `fast_body`.

    Raises
    ------
    DataError
        If a quotation mark is never closed or swallows many rows, or if only one column results.
    """
    large = fast and part.complete and len(part.data) > FAST
    cut = (large and len(part.data) > _HEAD) or not part.complete
    text = _decoded(part.data[:_HEAD] if large else part.data, cut=cut)
    # the delimiter that a first line ``sep=`` states, and how many letters that line takes
    said = re.match(r'"?sep=([^\r\n])"?[^\r\n]*(\r\n|\n|\r|$)', text, re.IGNORECASE)
    stated, skipped = (said[1], said.end()) if said and said[1] in _DELIMITERS else ("", 0)
    body = text[skipped:]
    delimiter = stated or sniff(body)
    if stated:
        log.note(f"{part.name}: the first line says that cells are parted by {_named(stated)}")
    elif delimiter != ",":
        log.note(f"{part.name}: cells are parted by {_named(delimiter)}")
    damaged = whole_lines_quoted(body, delimiter)
    if damaged:
        if large:
            text = _decoded(part.data, cut=False)
            body, large, cut = text[skipped:], False, False
        log.caution(
            "repaired", f"{part.name} was damaged by a spreadsheet (whole lines in quotation marks), repaired"
        )
        body = unquote_lines(body)
    first = text.count("\n", 0, skipped)
    rows, lines = parse(body, delimiter, part.name, cut=cut, first=first)
    numbers = list(range(1 + first, 1 + first + len(rows)))
    if damaged:
        rows, numbers = _rejoined(rows, numbers)
        _check_repair(rows, numbers, part.name)
    return Records(part.name, rows, numbers, lines, delimiter, part.data if large else None)


def _decoded(data: bytes | memoryview, *, cut: bool) -> str:
    return bytes(data).decode("utf-8", "ignore" if cut else "strict")


def _named(delimiter: str) -> str:
    return {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}.get(delimiter, repr(delimiter))


def sniff(text: str) -> str:
    r"""Choose the delimiter under which most headers are known, then the one that gives most columns.

    Examples
    --------
    >>> sniff("Date;Views\n2026-01-01;1,5\n")
    ';'
    """
    known = vocabulary()
    head = text[:65536]

    def worth(delimiter: str) -> tuple[int, int, int]:
        rows = _lenient(head, delimiter)[:60]
        hits = max((sum(normalise(cell) in known for cell in row) for row in rows), default=0)
        widths = Counter(len(row) for row in rows if len(row) > 1)
        width, often = widths.most_common(1)[0] if widths else (1, 0)
        return hits, often * (width > 1), width

    return max(_DELIMITERS, key=worth)


def _lenient(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            rows.append(row)
            if len(rows) >= 200:
                break
    except csv.Error:
        pass
    return rows


def parse(
    text: str, delimiter: str, name: str, *, cut: bool = False, first: int = 0
) -> tuple[list[list[str]], list[int]]:
    """Split text into records by RFC 4180, and say on which physical line each ends.

    The last record is left out of a text that is `cut`; `first` is the number of lines above the text.

    Raises
    ------
    DataError
        If a quotation mark is never closed, is followed by text, or swallows more than 50 rows.
    """
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    # texts may be long, and the parser of large files takes them too
    before = csv.field_size_limit(_LARGEST)
    try:
        for row in reader:
            if len(row) > MAX_COLUMNS:
                raise DataError(
                    f"{name} row {len(rows) + 1 + first}: the row is too wide",
                    got=f"{Count(len(row)):cell}",
                    allowed=f"at most {MAX_COLUMNS:,}, as in a spreadsheet",
                    fix="export it again with the columns that are wanted",
                )
            rows.append(row)
            lines.append(reader.line_num + first)
    except csv.Error:
        if not cut:
            raise DataError(
                f"{name} row {len(rows) + 1 + first}: a quotation mark is not closed as it should be",
                got=f"{Count(len(rows)):whole row} before it",
                fix='look for a single " in that row, or export the file again',
            ) from None
    finally:
        csv.field_size_limit(before)
    if cut and rows:
        rows.pop()
        lines.pop()
    _refuse_swallowed(rows, lines, delimiter, name, first)
    return rows, lines


def _refuse_swallowed(rows: list[list[str]], lines: list[int], delimiter: str, name: str, first: int) -> None:
    """A cell of many lines that look like rows is a quotation mark that was never closed."""
    for at in np.flatnonzero(np.diff(lines, prepend=first) > _SWALLOWED).tolist():
        for cell in (cell for cell in rows[at] if cell.count("\n") > _SWALLOWED):
            inside = cell.split("\n")
            like_rows = sum(line.count(delimiter) >= 2 for line in inside)
            if like_rows > 0.5 * len(inside):
                raise DataError(
                    f"{name} row {at + 1 + first}: a quotation mark opens here and swallows "
                    f"{Count(len(inside) - 1):line}",
                    got=f"{like_rows:,} of them look like rows",
                    fix='look for a single " in that row, or export the file again',
                )


def whole_lines_quoted(text: str, delimiter: str) -> bool:
    """Whether rows are one quoted cell each: a spreadsheet's way to damage a file.

    Either all but the header are, or those are that hold quotation marks of their own, and the others are whole.
    """
    rows = [row for row in _lenient(text[:65536], delimiter)[:60] if row]
    if len(rows) > 1 and len(rows[0]) == 1 and rows[0][0].count(delimiter) > 1:
        rows[0] = rows[0][0].split(delimiter)
    if len(rows) < 2 or len(rows[0]) < 3:
        return False
    single = [row[0] for row in rows[1:] if len([cell for cell in row if cell]) == 1 and row[0]]
    whole = [cell for cell in single if cell.count(delimiter) >= 0.5 * len(rows[0])]
    if len(single) >= 0.9 * len(rows[1:]):
        return bool(whole)
    inside = [len(row) for cell in single for row in _lenient(cell.removesuffix(";"), delimiter)]
    return bool(whole) and {*inside, *(len(row) for row in rows[1:] if len(row) > 1)} == {len(rows[0])}


def unquote_lines(text: str) -> str:
    r"""Take the quotation marks off each line.

    Examples
    --------
    >>> unquote_lines('a,b;\n"1,""x, y"";"\n')
    'a,b\n1,"x, y"\n'
    """
    lines = []
    for line in text.split("\n"):
        bare = line.rstrip("\r").rstrip(";")
        if len(bare) >= 2 and bare.startswith('"') and bare.endswith('"'):
            bare = bare[1:-1].replace('""', '"')
            bare = bare.removesuffix(";")
        lines.append(bare)
    return "\n".join(lines)


def _rejoined(rows: list[list[str]], numbers: list[int]) -> tuple[list[list[str]], list[int]]:
    """Put a cell of several lines together again where the widths of its pieces add up to the header's exactly."""
    width, at, out = len(rows[0]), 0, []
    while at < len(rows):
        row, end = rows[at], at
        if 1 < len(row) < width:
            end = next((i for i in range(at + 1, len(rows)) if len(rows[i]) != 1), at)
            if end > at and len(row) + len(rows[end]) - 1 == width:
                middle = "\n".join([row[-1], *(piece[0] for piece in rows[at + 1 : end]), rows[end][0]])
                row = [*row[:-1], middle, *rows[end][1:]]
            else:
                end = at
        out.append((row, numbers[at]))
        at = end + 1
    return [row for row, _ in out], [number for _, number in out]


def _check_repair(rows: list[list[str]], numbers: list[int], name: str) -> None:
    width = len(rows[0])
    odd = [number for number, row in zip(numbers, rows, strict=True) if row and len(row) != width]
    if odd:
        raise DataError(
            f"{name} was damaged by a spreadsheet and cannot be repaired: rows have different widths",
            got=f"{Count(len(odd), of=len(rows)):row}, {places(tuple(odd[:3]), len(odd))}",
            allowed=f"{Count(width):cell}",
            fix="export it again and do not open it in a spreadsheet before reading it",
        )


class _NotByTheBookError(Exception):
    """Quotation marks stand where RFC 4180 has none."""


def _pieces(data: memoryview, delimiter: str) -> Iterator[memoryview]:
    """Cut a text between rows, so that each piece can be parsed by itself.

    Every quotation mark has to open a cell, close one or be doubled inside one: the parser in C forgives other marks in
    its own way, so that such files are read record by record.
    """
    text = np.frombuffer(data, dtype=np.uint8)
    edges = np.zeros(256, dtype=bool)
    # a mark beside a mark is a doubled one
    edges[[ord(delimiter), 10, 13, ord('"')]] = True
    inside, start = False, 0
    for at in range(0, len(text), _STEP):
        step = text[at : at + _STEP]
        marks = np.flatnonzero(step == ord('"')) + at
        opening, closing = marks[inside::2], marks[not inside :: 2]
        opens = edges[text[np.maximum(opening - 1, 0)]]
        closes = edges[text[np.minimum(closing + 1, len(text) - 1)]]
        if not ((opens | (opening == 0)).all() and (closes | (closing == len(text) - 1)).all()):
            raise _NotByTheBookError
        if at + len(step) - start >= _PIECE:
            ends = np.flatnonzero(step == ord("\n")) + at + 1
            between = ends[(np.searchsorted(marks, ends) + inside) % 2 == 0]
            for end in between[-1:].tolist():
                yield data[start:end]
                start = end
        inside ^= len(marks) % 2 == 1
    if inside:
        raise _NotByTheBookError
    if start < len(text):
        yield data[start:]


def fast_body(
    records: Records, header_at: int, width: int, positions: Sequence[int], counts: Sequence[int] = ()
) -> pl.DataFrame | None:
    """Read the rows below the header of a large text by a parser in C.

    Parameters
    ----------
    records : Records
        The head.
    header_at : int
        Index of the header in the head.
    width : int
        Number of columns; a row of any other width makes the parser give up.
    positions : sequence of int
        Columns wanted.
    counts : sequence of int
        Those that are plain whole numbers in the head, to be read as such; where one is not further down, all are
        read as text.

    Returns
    -------
    polars.DataFrame or None
        Columns named ``c<position>``, of text or (of `counts`) of whole numbers; None where the text is not a plain
        table, so that it has to be read record by record (which also says which row is odd).
    """
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    from pyarrow import csv as pa_csv  # type: ignore[import-untyped,unused-ignore]

    assert records.data is not None
    names = [f"c{i}" for i in range(width)]
    wanted = [f"c{i}" for i in sorted({*positions})]
    data = memoryview(records.data)
    end = len(data)
    while end and data[end - 1] in b"\r\n":
        end -= 1
    parsed = pa_csv.ParseOptions(
        delimiter=records.delimiter, newlines_in_values=True, ignore_empty_lines=False
    )
    converted = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.string()) | {f"c{i}": pa.int64() for i in counts},
        null_values=[""],
        include_columns=wanted,
        strings_can_be_null=False,
    )

    def table_of(numbered: tuple[int, memoryview]) -> pa.Table:
        number, piece = numbered
        skipped = 0 if number else records.lines[header_at]
        return pa_csv.read_csv(
            pa.BufferReader(pa.py_buffer(piece)),
            # one block: a piece is not to be cut again, where a row may run over several lines
            pa_csv.ReadOptions(
                column_names=names,
                skip_rows=skipped,
                block_size=min(len(piece) + 1, _LARGEST),
                use_threads=False,
            ),
            parsed,
            converted,
        )

    try:
        whole = pa.concat_tables(in_threads(table_of, enumerate(_pieces(data[:end], records.delimiter))))
    except _NotByTheBookError:
        return None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError):
        return fast_body(records, header_at, width, positions) if counts else None
    left = {name: whole[name] for name in wanted}
    del whole

    def column_of(name: str) -> pl.Series:
        column = pl.Series(name, left.pop(name)).rechunk()  # so that few columns are there twice at one time
        pa.default_memory_pool().release_unused()
        return column

    return pl.DataFrame(in_threads(column_of, wanted))
