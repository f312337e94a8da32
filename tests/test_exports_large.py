# ruff: noqa: E501
"""A large file is parsed in pieces by another parser than a small one, and both must say exactly the same."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import re
from pathlib import Path

import pandas as pd
import pytest

from erresearch.errors import ErresearchError
from erresearch.exports import Export, delimited, read_export, tables

FILES = Path(__file__).resolve().parent / "exports" / "files"
Rows = list[list[str]]
# file → columns of ids that must differ from row to row, and of days that move on
LAYOUTS = {
    "Content.csv": (["Video link"], []),
    "meta_fb_posts_2026.csv": (["Post ID", "Permalink"], []),
    "orders_export.csv": (["Name"], []),
    "shopify_sales.csv": ([], ["Day"]),
    "unified_payments.csv": (["id"], []),
    "youtube_table.csv": (["Content"], []),
}
# what may stand in a cell far below everything that was looked at before
FIGURES = [
    "", " ", "n/a", "1.2K", "1,234", "1.234", "1\u00a0234", "−5", "007", "12.5", "1e3", "5%", "< 10%", "99999999999", "=1+1",
    "'5", "٣", "x\ny",
]  # fmt: skip
DAYS = [
    "", "n/a", "2026-01-03", "01/03/2026", "2026-01-03 10:00", "31/12/2025 10:00", "Jan 3, 2026", "45999",
    "2026-01-03T10:00:00Z", "2026-02-30", "0001-01-01",
]  # fmt: skip
NAMES = ["", "Total", "6.49E+17", "🎉\u200f", '""', "z" * 140_000]


def multiplied(name: str, times: int) -> tuple[Rows, Rows, str]:
    """The rows of a fixture so many times, with ids and days of their own."""
    text = (FILES / name).read_bytes().decode("utf-8-sig")
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    ids, days = LAYOUTS[name]
    keys = [rows[0].index(header) for header in ids]
    dates = [rows[0].index(header) for header in days]
    out: Rows = []
    for time in range(times):
        for row in rows[1:]:
            new = list(row)
            if time and row[0] in ("Total", "Totals"):
                continue
            for key in keys:
                long = re.search(r"\d{14,}", row[key])
                if long:
                    new[key] = row[key].replace(long[0], str(int(long[0]) + time * 11))
                if time and new[key] == row[key] and row[key]:
                    new[key] = f"{row[key]}{time}"
            for date in dates:
                if re.fullmatch(r"\d{4}-\d{2}-\d{2}", row[date]):
                    new[date] = str(dt.date.fromisoformat(row[date]) + dt.timedelta(days=len(rows) * time))
            out.append(new)
    return [rows[0]], out, '"' if text.startswith('"') else ""


def written(rows: Rows, *, end: str = "\n", every: bool = False, delimiter: str = ",") -> str:
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL
    csv.writer(out, lineterminator=end, quoting=quoting, delimiter=delimiter).writerows(rows)
    return out.getvalue()


def told(path: Path) -> Export | str:
    try:
        return read_export(path)
    except ErresearchError as error:
        return f"{type(error).__name__}: {error}"


class Ways:
    """Reads a file both ways, and counts how often the parser of large files did it."""

    def __init__(self, patch: pytest.MonkeyPatch, path: Path) -> None:
        self.patch, self.path, self.parsed = patch, path, 0
        read = delimited.fast_body

        def counted(*arguments: object) -> object:
            frame = read(*arguments)  # type: ignore[arg-type]
            self.parsed += frame is not None
            return frame

        patch.setattr(tables, "fast_body", counted)

    def agree(self, text: str, case: str, *, encoding: str = "utf-8", mark: bytes = b"") -> Export | str:
        """The one thing that both ways say."""
        self.path.write_bytes(mark + text.encode(encoding))
        self.patch.setattr(delimited, "FAST", 1 << 60)
        small = told(self.path)
        self.patch.setattr(delimited, "FAST", 0)
        large = told(self.path)
        if isinstance(small, str) or isinstance(large, str):
            assert large == small, case
            return small
        for what in (
            "kind",
            "format",
            "guesses",
            "accounting",
            "warnings",
            "notes",
            "dropped_columns",
            "exported_at",
        ):
            assert getattr(large, what) == getattr(small, what), (case, what)
        assert dict(large.columns) == dict(small.columns), case
        assert dict(large.accounting.missing) == dict(small.accounting.missing), case
        pd.testing.assert_frame_equal(large.rows, small.rows, check_exact=True, obj=case)
        return small


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ways:
    """Small pieces and a short head, so that what is far down is far down in a small file too."""
    monkeypatch.setattr(delimited, "_HEAD", 1500)
    monkeypatch.setattr(delimited, "_STEP", 97)
    monkeypatch.setattr(delimited, "_PIECE", 1200)
    return Ways(monkeypatch, tmp_path / "export.csv")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if n % 2 else name for n, name in enumerate(LAYOUTS)]
)
def test_a_large_file_and_a_small_one_say_the_same_however_they_are_written(name: str, ways: Ways):
    head, body, mark = multiplied(name, 4)
    far, wide = len(body) - 5, len(head[0])
    every = bool(mark)
    plain = written(head + body, every=every)
    empty = [[""] * wide]
    cases = {
        "as it is": plain,
        "CRLF": written(head + body, every=every, end="\r\n"),
        "CR": plain.replace("\n", "\r"),
        "two ways to end a line": written(head + body[:far], every=every) + written(body[far:], end="\r\n"),
        "quoted everywhere": written(head + body, every=True),
        "no last line end": plain.rstrip("\n"),
        "blank lines below": plain + "\n\n\r\n",
        "a line of spaces below": plain + "   \n",
        "empty rows below": plain + written(empty * 3),
        "empty rows of spaces below": plain + written([[" "] * wide] * 2),
        "empty rows between": written(head + body[:far] + empty * 2 + body[far:], every=every),
        "a blank line between": written(head + body[:far], every=every) + "\n" + written(body[far:]),
        "headers again": written(head + body[:far] + head + body[far:], every=every),
        "a row of totals": written([*head, *body, ["Total", *["5"] * (wide - 1)]], every=every),
        "a short row of totals": plain + "Total,5\n",
        "a note": plain + "\nFigures may change\n",
        "a row too wide": written([*head, *body[:far], [*body[far], "x"], *body[far:]], every=every),
        "a row too narrow": written([*head, *body[:far], body[far][:-1], *body[far:]], every=every),
        "a lone quotation mark": plain[:-40] + '"' + plain[-40:],
        "a zero byte": plain[:-40] + "\0" + plain[-40:],
        "a row twice": written([*head, *body, body[3]], every=every),
    }
    for case, text in cases.items():
        ways.agree(text, f"{name}: {case}")
    for encoding, bytes_first in (
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ):
        ways.agree(plain, f"{name}: {encoding}", encoding=encoding, mark=bytes_first)
    assert ways.parsed > 10


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "figure", "day"),
    [
        ("meta_fb_posts_2026.csv", "Reach", "Publish time"),
        ("unified_payments.csv", "Converted Amount", "Created date (UTC)"),
    ],
)
def test_a_cell_far_down_reads_the_same_in_a_large_file_and_a_small_one(
    name: str, figure: str, day: str, every: int, ways: Ways
):
    head, body, _ = multiplied(name, 6)
    far = len(body) - 5
    said = set()
    for header, cells in ((figure, FIGURES), (day, DAYS), (head[0][0], NAMES)):
        for cell in cells[::every]:
            changed = [list(row) for row in body]
            changed[far][head[0].index(header)] = cell
            found = ways.agree(written(head + changed), f"{name}: {header} = {cell[:20]!r}")
            said |= {c.code for c in found.warnings} if isinstance(found, Export) else {found}
    assert ways.parsed > 30 // every
    assert len(said) > 3 // every


def test_a_column_whose_shape_changes_far_down_reads_the_same(ways: Ways):
    head, body, _ = multiplied("meta_fb_posts_2026.csv", 40)
    when = head[0].index("Publish time")
    blank = [[*row[:when], "" if n < 210 else row[when], *row[when + 1 :]] for n, row in enumerate(body)]
    other = [
        [*row[:when], row[when].replace("/", "-") if n > 300 else row[when], *row[when + 1 :]]
        for n, row in enumerate(body)
    ]
    for case, rows in (("no dates at first", blank), ("dates with strokes, then with dashes", other)):
        ways.agree(written(head + rows), case)
    assert ways.parsed == 2


def test_a_cell_may_be_long(ways: Ways):
    rows = [["Date", "Views"], *([f"2026-01-{day:02d}", str(day)] for day in range(1, 20))]
    rows[9][1] = "9" + " " * 200_000
    found = ways.agree(written(rows), "long")
    assert isinstance(found, Export)
    assert found.rows["views"].sum() == 190
    assert csv.field_size_limit() == 131_072
