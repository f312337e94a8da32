"""Sheets of workbooks as text: .xlsx, .xls and the web pages that call themselves .xls.

Formulas are not evaluated and their stored results are not believed: such a cell is shown as its formula, which the
reader of numbers then counts as missing. Links to other files are not followed. Hidden sheets are left out.
"""

from __future__ import annotations

import datetime as dt
import html.parser
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from erresearch.errors import EngineError

__all__ = ["MAX_CELLS", "Sheet", "read_html", "read_xls", "read_xlsx"]

MAX_CELLS = 40_000_000
"""Cells beyond which a sheet is refused."""
_FIX = "download the workbook again, or save it as CSV"


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """One visible sheet: rows of text, as the sheet shows them, without formats."""

    name: str
    rows: list[list[str]]
    member: str = ""


def cell_text(value: Any) -> str:
    """Write a cell as text, so that whole numbers have no point and days no clock.

    Examples
    --------
    >>> cell_text(528.0), cell_text(dt.datetime(2026, 2, 3)), cell_text(None), cell_text(True)
    ('528', '2026-02-03', '', 'TRUE')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "seconds")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        seconds = int(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return str(value)


def _trimmed(rows: Iterable[list[str]], name: str, limit: int | None) -> list[list[str]]:
    """All rows up to the last that holds something, each as wide as its last cell."""
    kept: list[list[str]] = []
    cells = filled = 0
    for row in rows:
        while row and not row[-1]:
            row.pop()
        kept.append(row)
        cells += len(row) + 1
        if row:
            filled = len(kept)
        if cells > MAX_CELLS:
            raise EngineError(
                f"{name}: the sheet is too large", got=f"over {MAX_CELLS:,} cells", fix="save it as CSV"
            )
        if limit is not None and len(kept) >= limit:
            break
    return kept[:filled]


def read_xlsx(data: bytes, name: str, *, limit: int | None = None) -> Iterator[Sheet]:
    """Read the visible sheets of an .xlsx workbook.

    Parameters
    ----------
    data : bytes
        The file, already checked for its unpacked size.
    name : str
        For messages.
    limit : int, optional
        Rows per sheet that are enough.

    Yields
    ------
    Sheet
        Visible sheets in their order.

    Raises
    ------
    EngineError
        If it is not a workbook that can be read.
    """
    import warnings

    import openpyxl

    sheets = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions, which are not read
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
            for sheet in book.worksheets:
                if sheet.sheet_state != "visible":
                    continue
                sheet.reset_dimensions()
                rows = ([cell_text(value) for value in row] for row in sheet.iter_rows(values_only=True))
                sheets.append(Sheet(str(sheet.title), _trimmed(rows, name, limit)))
            book.close()
    except EngineError:
        raise
    except Exception as error:  # a damaged workbook makes its library fail in any way
        raise _damaged(name, error) from error
    yield from sheets


def read_xls(data: bytes, name: str, *, limit: int | None = None) -> Iterator[Sheet]:
    """Read the visible sheets of an .xls workbook.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        For messages.
    limit : int, optional
        Rows per sheet that are enough.

    Yields
    ------
    Sheet
        Visible sheets in their order.

    Raises
    ------
    EngineError
        If it is not a workbook that can be read.
    """
    import xlrd

    sheets = []
    try:
        with io.StringIO() as said, xlrd.open_workbook(file_contents=data, logfile=said) as book:
            for sheet in book.sheets():
                if getattr(sheet, "visibility", 0):
                    continue
                rows = (
                    [_xls_text(sheet.cell(r, c), book.datemode) for c in range(sheet.row_len(r))]
                    for r in range(sheet.nrows)
                )
                sheets.append(Sheet(str(sheet.name), _trimmed(rows, name, limit)))
    except EngineError:
        raise
    except Exception as error:  # a damaged workbook makes its library fail in any way
        raise _damaged(name, error) from error
    yield from sheets


def _xls_text(cell: Any, datemode: int) -> str:
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return cell_text(xlrd.xldate_as_datetime(cell.value, datemode))
        except (ValueError, OverflowError):
            return cell_text(cell.value)
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#ERROR!"))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    return cell_text(cell.value if cell.ctype != xlrd.XL_CELL_EMPTY else None)


def _damaged(name: str, error: Exception) -> EngineError:
    return EngineError(
        f"{name}: the workbook cannot be read", got=f"{type(error).__name__}: {str(error)[:120]}", fix=_FIX
    )


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


def read_html(utf8: bytes | memoryview, name: str) -> Iterator[Sheet]:
    """Read the tables of a web page that was saved as a spreadsheet.

    Parameters
    ----------
    utf8 : bytes
        The page.
    name : str
        For messages.

    Yields
    ------
    Sheet
        One per table.

    Raises
    ------
    EngineError
        If it holds no table.
    """
    parser = _Tables()
    try:
        parser.feed(bytes(utf8).decode())
        parser.close()
    except Exception as error:  # the parser of the standard library fails with an assertion on some pages
        raise _damaged(name, error) from error
    tables = [table for table in parser.tables if table]
    if not tables:
        raise EngineError(f"{name} is a web page without a table", fix=_FIX)
    for number, table in enumerate(tables, start=1):
        yield Sheet(f"table {number}", _trimmed(iter(table), name, None))
