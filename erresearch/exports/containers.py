"""From a path to text: what the bytes are, which files a zip holds, how the letters are written.

A file is known by its first bytes, never by the end of its name. Archives are read in memory, one member at a
time, and refused beyond a stated size and ratio; nothing is unpacked to disk.
"""

from __future__ import annotations

import codecs
import datetime as dt
import io
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from erresearch.errors import Count, DataError, EngineError, ErresearchError, argument, said_by
from erresearch.exports.log import ReadLog
from erresearch.exports.privacy import show_name
from erresearch.exports.workbooks import MAX_CELLS, MAX_SHEETS, Records, read_html, read_workbook
from erresearch.io.files import refuse_endless

MAX_RATIO = 200
"""Unpacked size over packed size beyond which an archive is refused (if it is also large)."""
MAX_UNPACKED = 2 << 30
"""Bytes beyond which an archive is refused."""
MAX_MEMBERS = MAX_SHEETS
"""Files of an archive beyond which it is refused; a workbook counts as one."""
_SMALL = 32 << 20
_WHOLE = 4 << 20
_HEAD, _HEAD_ROWS = 512 << 10, 500
_STEP = 4 << 20
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
_GARBLED = (b"\xc3\x83\xc2", b"\xc3\xa2\xe2\x82\xac", b"\xc3\x90\xc2", b"\xc3\x91\xc2", b"\xef\xbf\xbd")
_OLE = b"\xd0\xcf\x11\xe0"
_BIFF = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00")
_FIX = "download the CSV or Excel export of the platform and read that"


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
    """Read a file's bytes into text and sheets.

    Parameters
    ----------
    path : path
        A file; an address on the web is refused.
    encoding : str, optional
        How the letters are written, where that is known.
    head : bool
        Whether the head of a large file is enough.
    strict : bool
        Whether a warning stops the reading.

    Returns
    -------
    Bundle
        Text parts are UTF-8.

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
        _regular(path, state.st_mode)
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
        raise EngineError(
            f"could not read {str(path)!r}", got=said_by(error), fix="check the path"
        ) from error
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


def _regular(path: Path, mode: int) -> None:
    """Refuse what is no file: a folder, or a pipe or device that might never end."""
    if stat.S_ISDIR(mode):
        raise EngineError(
            f"{path.name!r} is a folder, not a file",
            fix="name the files in it (audit and read_files take the folder itself)",
        )
    refuse_endless(path, mode)


def kind_of(first: bytes, name: str) -> str:
    """Tell what a file is from its first bytes.

    Returns
    -------
    str
        zip, xls, html or text.

    Raises
    ------
    EngineError
        If it is something that holds no export.
    """
    for magic, what in _FOREIGN.items():
        if first.startswith(magic):
            raise EngineError(f"{name} is {what}, which holds no export", fix=_FIX)
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
        ) from error


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
                raise _too_large(name, f"over {MAX_CELLS:,} cells in its workbooks", f"{MAX_CELLS:,} cells")
        else:
            made = tuple(_part(content, member, kind, log, encoding=encoding))
            dates += [dt.date(*info.date_time[:3])] if info.date_time[0] >= 2000 else []
        files.append(Bundle(log.name, made, log))
    parts = tuple(part for file in files for part in file.parts)
    if not parts:
        raise DataError(
            f"{name}: the archive holds no table",
            got=", ".join(show_name(i.filename) for i in infos[:5]),
            fix=_FIX,
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
        raise EngineError(f"{name} is a Numbers document", got=f"{Count(len(infos)):part}", fix=_FIX)
    names = {info.filename for info in infos}
    for part, what in (
        ("content.xml", "an OpenDocument file (.ods)"),
        ("word/document.xml", "a text document"),
    ):
        if part in names:
            raise EngineError(
                f"{name} is {what}",
                got=f"{Count(len(infos)):part}",
                fix="save it as .xlsx or CSV, and read that",
            )
    if len(infos) > MAX_MEMBERS:
        raise _too_large(name, f"{Count(len(infos)):file}", f"{MAX_MEMBERS} files")
    unpacked = sum(info.file_size for info in infos)
    packed = max(1, sum(info.compress_size for info in infos))
    if unpacked > MAX_UNPACKED or (unpacked > _SMALL and unpacked > MAX_RATIO * packed):
        raise _too_large(
            name,
            f"{unpacked:,} bytes from {packed:,}",
            f"{MAX_UNPACKED:,} bytes and {MAX_RATIO} times the packed size",
        )


def _too_large(name: str, got: str, most: str) -> EngineError:
    return EngineError(
        f"{name}: the archive is refused because of its size",
        got=got,
        allowed=f"at most {most}",
        fix="unpack it yourself and read the files that you need",
    )


def to_utf8(
    data: bytes, name: str, log: ReadLog, encoding: str | None = None, *, cut: bool = False
) -> bytes | memoryview:
    """Bring a text file to UTF-8.

    A byte order mark decides; else strict UTF-8; else one of three code pages by how letters above 127 stand together.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        For messages.
    log : ReadLog
        Takes the guess.
    encoding : str, optional
        Overrides all of it.
    cut : bool
        Whether the data may end in the middle of a letter.

    Returns
    -------
    bytes or memoryview
        UTF-8 without byte order mark.

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
        ) from error
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
    places = sum(data.count(sign, 0, _STEP) for sign in _GARBLED)
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
    if len(data) < _STEP:
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
            fix=_FIX,
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
