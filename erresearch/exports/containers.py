"""From a path to texts and sheets: what the bytes are, which files a zip holds, what stands in a workbook.

A file is known by its first bytes, never by the end of its name. Archives are read in memory, one member at a
time, and refused beyond a stated size and ratio; nothing is unpacked to disk. The size that a workbook claims is added
up before it is read.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import html.parser
import io
import itertools
import os
import re
import stat
import string
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any, Final

from erresearch.errors import Count, DataError, EngineError, ErresearchError, said_by
from erresearch.exports.delimited import FIX, Records, Text, to_utf8
from erresearch.exports.log import ReadLog
from erresearch.exports.privacy import show_name
from erresearch.io import pl
from erresearch.io.files import refuse_endless

MAX_RATIO = 200
"""Unpacked size over packed size beyond which an archive is refused (if it is also large)."""
MAX_UNPACKED = 2 << 30
"""Bytes beyond which an archive is refused."""
MAX_CELLS = 20_000_000
"""Cells of a workbook, empty ones inside its rows included, beyond which it is refused."""
MAX_SHEETS = 400
"""Sheets, or tables of a page, beyond which a file is refused."""
MAX_MEMBERS = MAX_SHEETS
"""Files of an archive beyond which it is refused; a workbook counts as one."""
_SMALL = 32 << 20
_WHOLE = 4 << 20
_HEAD, _HEAD_ROWS = 512 << 10, 500
_FOREIGN = {
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "a database",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"<?xml": "an XML file",
    b"[{": "a JSON file",
    b'{"': "a JSON file",
    b"{\\rtf": "a text document (RTF)",
}
_OLE = b"\xd0\xcf\x11\xe0"
_BIFF = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00")
_LONGEST_PAGE: Final = 50 << 20
_AGAIN: Final = "download the workbook again, or save the sheet that is wanted as CSV"
_ATTRIBUTE: Final = r"\br\s*=\s*[\"']"
_PLACE, _PLACE_OF_CELL = rf"{_ATTRIBUTE}[A-Za-z]*[0-9]+[\"']", rf"{_ATTRIBUTE}[A-Za-z]+[0-9]+[\"']"
#: A place below row 99,999 or right of column GR, the 200th: a sheet without one spans no more than `MAX_CELLS`.
_FAR: Final = rf"{_ATTRIBUTE}(?:[A-Za-z]*[0-9]{{6}}|[A-Za-z]{{3}}|[H-Zh-z][A-Za-z]|[Gg][S-Zs-z])"
_LONGEST_PLACE: Final = 12
"""Letters or digits of a place beyond which it is past every sheet."""
_CELL, _FORMULA = (rf"<(?:[0-9A-Za-z_]+:)?{tag}[\s/>]" for tag in "cf")
# records of an .xls workbook that hold a cell: row and column come first
_BIFF_CELLS: Final = frozenset({0x06, 0xBD, 0xBE, 0xD6, 0xFD, 0x201, 0x203, 0x204, 0x205, 0x27E})
_BIFF_FORMULA, _BIFF_START, _BIFF_SEVERAL = 0x06, 0x809, frozenset({0xBD, 0xBE})
_FREE_SECTOR: Final = 0xFFFFFFFA


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """The parts of a file that may hold tables, and the day of the download where the container states it.

    `log` says what was guessed and noted while it was opened; `files` are those of an archive of several, each by itself.
    """

    name: str
    parts: tuple[Text | Records, ...]
    log: ReadLog
    place: str = ""
    dated: dt.date | None = None
    size: int = 0
    changed: dt.date | None = None
    files: tuple[Bundle, ...] = ()


def open_bundle(
    path: str | Path, *, encoding: str | None = None, head: bool = False, strict: bool = False
) -> Bundle:
    """Read a file's bytes into texts, as UTF-8, and sheets; of a large file perhaps the head only.

    Where it is `strict`, a warning stops the reading.

    Raises
    ------
    EngineError
        If the file cannot be read, or is of a kind that holds no export.
    DataError
        If it is empty.
    """
    if not str(path).strip() or "\0" in str(path):
        raise EngineError("no file is named", got=repr(str(path))[:80], fix="give the path of a file")
    if re.match(r"\s*[a-z][a-z0-9+.-]{1,20}:/", str(path), re.IGNORECASE):
        raise EngineError(
            "an address on the web is not a file",
            got=str(path)[:80],
            fix="download it (File, Download, CSV) first",
        )
    path = Path(path)
    try:
        state = path.stat()
        if stat.S_ISDIR(state.st_mode):
            raise EngineError(
                f"{path.name!r} is a folder, not a file",
                fix="name the files in it (audit and read_files take the folder itself)",
            )
        refuse_endless(path, state.st_mode)
        size = state.st_size
        changed = dt.datetime.fromtimestamp(state.st_mtime, tz=dt.UTC).date()
        with path.open("rb") as file:
            first = file.read(4096)
            kind = kind_of(first, path.name)
            partial = head and kind == "text" and size > _WHOLE
            file.seek(0)
            data = file.read(_HEAD if partial else -1)
    except ErresearchError:
        raise
    except (OSError, ValueError, OverflowError) as error:
        raise EngineError(f"could not read {str(path)!r}", got=said_by(error), fix="check the path") from None
    if not data:
        raise DataError(f"{path.name}: the file is empty", got="0 bytes", fix="export it again")
    log = ReadLog(path.name, strict=strict)
    if kind != "zip":
        parts = tuple(_part(data, path.name, kind, log, encoding=encoding, cut=partial, head=head))
        opened = Bundle(path.name, parts, log)
    else:
        opened = _unzip(data, path.name, log, encoding=encoding, head=head)
    files = tuple(replace(file, changed=changed) for file in opened.files)
    return replace(opened, place=str(path), size=size, changed=changed, files=files)


def kind_of(first: bytes, name: str) -> str:
    """Tell what a file is from its first bytes: zip, xls, html or text.

    Raises
    ------
    EngineError
        If it is something that holds no export.
    """
    for magic, what in _FOREIGN.items():
        if first.startswith(magic):
            raise EngineError(f"{name} is {what}, which holds no export", fix=FIX)
    if first.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if first.startswith((_OLE, *_BIFF)):
        return "xls"
    start = first.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<html", b"<!doctype html", b"<table", b"<meta", b"<head", b"<style")):
        return "html"
    return "text"


def _part(
    data: bytes,
    name: str,
    kind: str,
    log: ReadLog,
    *,
    encoding: str | None,
    cut: bool = False,
    head: bool = False,
) -> Iterator[Text | Records]:
    suffix = Path(name).suffix.lower()
    if kind == "xls":
        if suffix not in (".xls", ""):
            log.note(f"{name} is an Excel workbook (.xls) in spite of its name")
        yield from _sheets(data, name, log, head=head)
    elif kind == "html":
        log.note(f"{name} is a web page with a table in spite of its name")
        yield from read_html(to_utf8(data, name, log, encoding), name)
    else:
        if suffix in (".xls", ".xlsx"):
            log.note(f"{name} is plain text in spite of its name")
        yield Text(name, to_utf8(data, name, log, encoding, cut=cut), complete=not cut)


def _sheets(data: bytes, name: str, log: ReadLog, *, head: bool = False) -> list[Records]:
    """The sheets of a workbook; formulas are told, since what they store may be older than what they sum."""
    sheets, formulas = read_workbook(data, name, limit=_HEAD_ROWS if head else None)
    if formulas:
        log.note(f"{name} holds {Count(formulas):formula}; the values that it stores for them were taken")
    return sheets


def _unzip(
    data: bytes, name: str, log: ReadLog, *, encoding: str | None, head: bool = False, inside: bool = False
) -> Bundle:
    """The sheets of a workbook, or the members of an archive; an archive inside an archive is left alone."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            check_archive(infos, name)
            if any(info.filename.startswith("xl/") for info in infos):
                if Path(name).suffix.lower() not in (".xlsx", ".xlsm", ".zip"):
                    log.note(f"{name} is an Excel workbook (.xlsx) in spite of its name")
                return Bundle(name, tuple(_sheets(data, name, log, head=head)), log)
            if inside:
                log.note(f"{name} is an archive inside the archive and was not opened")
                return Bundle(name, (), log)
            return _members(archive, infos, name, log, encoding)
    except ErresearchError:
        raise
    except Exception as error:  # a damaged archive makes its library fail in any way
        raise EngineError(
            f"{name}: the archive cannot be read", got=type(error).__name__, fix="download it again"
        ) from None


def _members(
    archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], name: str, whole: ReadLog, encoding: str | None
) -> Bundle:
    files: list[Bundle] = []
    dates = []
    cells = 0
    for info in infos:
        member = show_name(Path(info.filename).name)
        if member.startswith((".", "__MACOSX")) or "__MACOSX/" in info.filename:
            continue
        content = archive.read(info)  # never more than the stated size, which was checked
        if not content:
            whole.note(f"{name}: {member} is empty")
            continue
        try:
            kind = kind_of(content[:4096], member)
        except EngineError as error:
            whole.note(f"{name}: {error}")
            continue
        log = ReadLog(f"{name}: {info.filename}", strict=whole.strict)
        if kind == "zip":
            inner = _unzip(content, member, log, encoding=None, inside=True).parts
            sheets = [part for part in inner if isinstance(part, Records) and part.rows]
            made: tuple[Text | Records, ...] = tuple(sheets)
            cells += sum(len(row) for part in sheets for row in part.rows)
            if cells > MAX_CELLS:
                most = f"{MAX_CELLS:,} cells"
                raise _large_archive(name, f"over {most} in its workbooks", most)
        else:
            made = tuple(_part(content, member, kind, log, encoding=encoding))
            dates += [dt.date(*info.date_time[:3])] if info.date_time[0] >= 2000 else []
        files.append(Bundle(log.name, made, log))
    parts = tuple(part for file in files for part in file.parts)
    if not parts:
        raise DataError(
            f"{name}: the archive holds no table",
            got=", ".join(show_name(i.filename) for i in infos[:5]),
            fix=FIX,
        )
    whole.note(f"{name} is an archive of {Count(len(parts)):file}, read without unpacking it to disk")
    for file in files:
        whole.add(file.log)
    dated = max(dates, default=None)
    filled = tuple(replace(file, dated=dated) for file in files if file.parts)
    return Bundle(name, parts, whole, dated=dated, files=filled if len(filled) > 1 else ())


def check_archive(infos: list[zipfile.ZipInfo], name: str) -> None:
    """Refuse an archive that would fill the memory.

    Raises
    ------
    EngineError
        Beyond :data:`MAX_UNPACKED` bytes, or beyond :data:`MAX_RATIO` times the packed size.
    """
    if any(info.filename.endswith(".iwa") for info in infos):
        raise EngineError(f"{name} is a Numbers document", got=f"{Count(len(infos)):part}", fix=FIX)
    foreign = {"content.xml": "an OpenDocument file (.ods)", "word/document.xml": "a text document"}
    what = next((foreign[info.filename] for info in infos if info.filename in foreign), "")
    if what:
        parts, fix = f"{Count(len(infos)):part}", "save it as .xlsx or CSV, and read that"
        raise EngineError(f"{name} is {what}", got=parts, fix=fix)
    if len(infos) > MAX_MEMBERS:
        raise _large_archive(name, f"{Count(len(infos)):file}", f"{MAX_MEMBERS} files")
    unpacked = sum(info.file_size for info in infos)
    packed = max(1, sum(info.compress_size for info in infos))
    if unpacked > MAX_UNPACKED or (unpacked > _SMALL and unpacked > MAX_RATIO * packed):
        raise _large_archive(
            name,
            f"{unpacked:,} bytes from {packed:,}",
            f"{MAX_UNPACKED:,} bytes and {MAX_RATIO} times the packed size",
        )


def _large_archive(name: str, got: str, most: str) -> EngineError:
    return EngineError(
        f"{name}: the archive is refused because of its size",
        got=got,
        allowed=f"at most {most}",
        fix="unpack it yourself and read the files that you need",
    )


def _sheet(name: str, rows: Iterable[list[str]]) -> Records:
    """All rows up to the last that holds something, each as wide as its last cell."""
    kept: list[list[str]] = []
    filled = 0
    for row in rows:
        while row and not row[-1]:
            row.pop()
        kept.append(row)
        if row:
            filled = len(kept)
    return Records(name, kept[:filled], range(1, filled + 1))


def _clocked(value: dt.datetime) -> str:
    return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "seconds")


def _lasting(value: dt.timedelta) -> str:
    seconds = int(value.total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


#: How cells of each type are written, so that whole numbers have no point and days no clock.
_WRITTEN: Final[Mapping[type, Callable[[Any], str]]] = {
    str: str,
    float: lambda value: str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value),
    bool: lambda value: "TRUE" if value else "FALSE",
    type(None): lambda _: "",
    dt.datetime: _clocked,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: _lasting,
}


def cell_text(value: Any) -> str:
    """Write a cell as text.

    Examples
    --------
    >>> cell_text(528.0), cell_text(dt.datetime(2026, 2, 3)), cell_text(None), cell_text(True)
    ('528', '2026-02-03', '', 'TRUE')
    """
    return _WRITTEN.get(type(value), str)(value)


def read_workbook(data: bytes, name: str, *, limit: int | None = None) -> tuple[list[Records], int]:
    """Read the visible sheets of a workbook, .xlsx or .xls, whose unpacked size was checked; and count its formulas.

    Nothing is evaluated: of a formula the value is taken that the workbook stores. Links to other files are not followed,
    and of each sheet at most `limit` rows are taken.

    Raises
    ------
    EngineError
        If it is not a workbook that can be read, or is larger than a workbook of figures is.
    """
    try:
        with _panics_unheard():
            return _sheets_of(data, name, limit)
    except (EngineError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a damaged workbook makes the reader in Rust panic, which is no Exception
        raise EngineError(
            f"{name}: the workbook cannot be read",
            got=f"{len(data):,} bytes of which some are not what a workbook holds there",
            fix=_AGAIN,
        ) from None


@contextlib.contextmanager
def _panics_unheard() -> Iterator[None]:
    """Keep to itself what Rust says on the standard error when it panics; what others said there is passed on."""
    with contextlib.ExitStack() as stack:
        said = None
        with contextlib.suppress(OSError):  # no standard error, or no room for a file
            heard = os.dup(2)
            stack.callback(os.close, heard)
            said = stack.enter_context(tempfile.TemporaryFile())
            os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            if said is not None:
                os.dup2(heard, 2)
                if isinstance(sys.exc_info()[1], Exception | NoneType):
                    said.seek(0)
                    os.write(2, said.read())


def _sheets_of(data: bytes, name: str, limit: int | None) -> tuple[list[Records], int]:
    import python_calamine

    cells, formulas = count_cells(data)
    if cells > MAX_CELLS:
        raise _too_large(name, f"{Count(cells):cell} from its first to its last", f"{MAX_CELLS:,} cells")
    sheets, kept = [], 0
    with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
        shown = [
            place
            for place, meta in enumerate(book.sheets_metadata)
            if meta.visible == python_calamine.SheetVisibleEnum.Visible
            and meta.typ == python_calamine.SheetTypeEnum.WorkSheet
        ]
        if len(shown) > MAX_SHEETS:
            raise _too_large(name, f"{Count(len(shown)):sheet}", f"{MAX_SHEETS} sheets")
        for place in shown:
            sheet = book.get_sheet_by_index(place)
            # several sheets may name one part of the file, which counts each time that it is read
            kept += sheet.total_height * sheet.total_width
            if kept > MAX_CELLS:
                raise _too_large(name, "more cells in all of its sheets", f"{MAX_CELLS:,} cells")
            top, left = sheet.start or (0, 0)
            # most cells are text; each row goes as soon as it is written; older readers panic at an empty sheet's rows
            texts = (
                [""] * left + [c if type(c) is str else cell_text(c) for c in row]
                for row in (sheet.iter_rows() if sheet.height else ())
            )
            rows = itertools.islice(itertools.chain(([] for _ in range(top)), texts), limit)
            sheets.append(_sheet(show_name(sheet.name), rows))
    return sheets, formulas


def _too_large(name: str, got: str, most: str) -> EngineError:
    return EngineError(f"{name}: the workbook is too large", got=got, allowed=f"at most {most}", fix=_AGAIN)


def count_cells(data: bytes) -> tuple[int, int]:
    """Count the cells that the largest sheet of a workbook spans, empty ones between included, and the formulas of all.

    A reader lays a sheet out in full, so that one cell in the last row costs as much as all above it.
    """
    if not data.startswith(b"PK"):
        return _biff_cells(data)
    most = formulas = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            text = archive.read(info)
            if b"sheetData" not in text:
                continue
            # a parser in Rust looks through a large sheet ten times as fast; each byte is one letter
            sheet = pl.Series([text.decode("latin-1")])
            formulas += int(sheet.str.count_matches(_FORMULA)[0])
            most = max(most, _spanned(sheet))
    return most, formulas


def _spanned(sheet: pl.Series) -> int:
    """Cells from the first row and column to the last that the text of a sheet names; of a small sheet those named."""
    cells = int(sheet.str.count_matches(_CELL)[0])
    placed = cells <= sheet.str.count_matches(_PLACE_OF_CELL)[0]
    if placed and cells <= MAX_CELLS and not sheet.str.contains(_FAR)[0]:
        return cells
    named = sheet.str.extract_all(_PLACE).explode()
    places = named.str.strip_chars_start("r =\t\r\n").str.strip_chars("\"'")
    letters = places.str.strip_chars_end("0123456789").str.slice(0, _LONGEST_PLACE)
    digits = places.str.strip_chars_start(string.ascii_letters).str.slice(0, _LONGEST_PLACE)
    last_row = int(digits.cast(pl.Int64).max() or 0)  # type: ignore[arg-type]
    last_column = 0
    for column in letters.str.to_uppercase().unique().drop_nulls():
        number = 0
        for letter in column:
            number = number * 26 + ord(letter) - 64
        last_column = max(last_column, number)
    if cells > int((letters != "").sum()):
        # cells that do not say where they are stand in the order of their row
        rows = sheet.str.split("<row").explode()
        last_row = max(last_row, len(rows))
        last_column = max(last_column, int(rows.str.count_matches(_CELL).max() or 0))  # type: ignore[arg-type]
    return max(cells, last_row * max(1, last_column))


def _biff_cells(data: bytes) -> tuple[int, int]:
    most = formulas = 0
    for stream in _streams(data):
        at = last_row = last_column = 0
        while at + 8 <= len(stream):
            kind, size, row, column = struct.unpack_from("<HHHH", stream, at)
            if kind == _BIFF_START:
                last_row = last_column = 0
            elif kind in _BIFF_CELLS and size >= 4:
                formulas += kind == _BIFF_FORMULA
                if kind in _BIFF_SEVERAL:
                    column = int.from_bytes(stream[at + 2 + size : at + 4 + size], "little")
                last_row, last_column = max(last_row, row + 1), max(last_column, column + 1)
                most = max(most, last_row * last_column)
            at += 4 + size
    return most, formulas


def _streams(data: bytes) -> Iterator[bytes]:
    """The streams of a compound file that may hold a workbook; a bare stream is itself."""
    if not data.startswith(b"\xd0\xcf\x11\xe0"):
        yield data
        return
    size = 1 << min(struct.unpack_from("<H", data, 30)[0], 12)
    count = len(data) // size

    def sector(number: int) -> bytes:
        return data[(number + 1) * size : (number + 2) * size]

    def chain(first: int, table: list[int]) -> Iterator[int]:
        for _ in range(count + 1):
            if first >= len(table):
                return
            yield first
            first = table[first]

    tables = list(struct.unpack_from("<109I", data, 76))
    further = struct.unpack_from("<I", data, 68)[0]
    for _ in range(count):
        if further >= _FREE_SECTOR or not (more := _numbers(sector(further))):
            break
        tables += more[:-1]
        further = more[-1]
    table = [n for place in tables if place < count for n in _numbers(sector(place))]
    directory = b"".join(map(sector, chain(struct.unpack_from("<I", data, 48)[0], table)))
    small_table = [
        n for place in chain(struct.unpack_from("<I", data, 60)[0], table) for n in _numbers(sector(place))
    ]
    entries = [directory[at : at + 128] for at in range(0, len(directory) - 127, 128)]
    for entry in entries:
        named = entry[:64].decode("utf-16-le", "replace").split("\0")[0].casefold()
        first, length = struct.unpack_from("<II", entry, 116)
        if named not in ("workbook", "book"):
            continue
        if length >= 4096:
            yield b"".join(map(sector, chain(first, table)))[:length]
            continue
        root = b"".join(map(sector, chain(struct.unpack_from("<I", entries[0], 116)[0], table)))
        yield b"".join(root[64 * n : 64 * n + 64] for n in chain(first, small_table))[:length]


def _numbers(sector: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(sector) // 4}I", sector[: len(sector) // 4 * 4]))


class _Tables(html.parser.HTMLParser):
    """Collects the text of table cells; everything else of a page is ignored."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self.open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self.tables[-1][-1].append("")
            self.open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self.open = False

    def handle_data(self, data: str) -> None:
        if self.open:
            self.tables[-1][-1][-1] += data.strip()


def read_html(utf8: bytes | memoryview, name: str) -> Iterator[Records]:
    """Read the tables of a web page that was saved as a spreadsheet.

    Raises
    ------
    EngineError
        If it holds no table, or more than a page of figures does.
    """
    if len(utf8) > _LONGEST_PAGE:
        raise _too_large(name, f"a page of {len(utf8):,} bytes", f"{_LONGEST_PAGE:,} bytes")
    parser = _Tables()
    try:
        parser.feed(bytes(utf8).decode())
        parser.close()
    except Exception as error:  # the parser of the standard library fails with an assertion on some pages
        raise EngineError(f"{name}: the page cannot be read", got=type(error).__name__, fix=_AGAIN) from None
    tables = list(itertools.islice((table for table in parser.tables if table), MAX_SHEETS + 1))
    if len(tables) > MAX_SHEETS:
        raise _too_large(name, f"over {MAX_SHEETS} tables", f"{MAX_SHEETS} tables")
    if not tables:
        raise EngineError(f"{name} is a web page without a table", fix=_AGAIN)
    for number, table in enumerate(tables, start=1):
        yield _sheet(f"table {number}", table)
