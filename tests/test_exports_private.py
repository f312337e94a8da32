"""No cell of a user's file stands in a message, a warning, a note or an inspection; and nothing small costs much."""

from __future__ import annotations

import csv
import io
import random
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from builders import script

from erresearch.errors import ErresearchError
from erresearch.exports import containers, inspect_export, read_export, read_exports
from erresearch.exports.lazy_tables import hold_posts, is_lake, look_into
from erresearch.exports.privacy import (
    LONGEST_HEADER,
    is_personal,
    looks_like_headers,
    show_headers,
    shown_columns,
)

HERE = Path(__file__).resolve().parent
FILES = sorted((HERE / "exports" / "files").iterdir())
SECRETS = (
    "jane.doe@example.org",
    "Jané Quixworth",
    "+31612345678",
    "Zandvoortstraat 12",
    "@janequix",
    "Her own words, on a Tuesday",
    "https://example.org/u/janequix",
)
PARTS = ("quixworth", "janequix", "612345678", "zandvoort", "jane.doe", "tuesday")
Rows = list[list[str]]
# labels that may be shown, and words of the registry
LABELS = {"account", "entity", "platform", "post_type", "currency"}


MAKERS = script("tests/exports/containers.py")


def csv_bytes(rows: Sequence[Sequence[str]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    for row in rows:
        cells = [
            '"' + cell.replace('"', '""') + '"' if any(s in cell for s in ',;\t"\n') else cell for cell in row
        ]
        out.write(delimiter.join(cells) + "\n")
    return out.getvalue().encode()


def attempt(read: Callable[..., object], path: Path, **options: object) -> Any:
    """What it gives, or the error that it ends in."""
    try:
        return read(path, **options)
    except ErresearchError as error:
        return error


def told(path: Path, *, once: object = None, **options: object) -> str:
    """Everything that reading and inspecting a file says; `once` is what reading it has given already."""
    said: list[object] = []
    readings = [attempt(read_export, path, **options) if once is None else once]
    for found in readings + [attempt(read, path, **options) for read in (inspect_export, read_exports)]:
        if isinstance(found, ErresearchError):
            said += [found, found.wrong, found.got, found.allowed, found.fix]
            continue
        exports = found[0] if isinstance(found, tuple) else [getattr(found, "export", found)]
        said.append(found if not isinstance(found, tuple) else found[1])
        for export in exports:
            said += [
                export,
                *export.warnings,
                *export.notes,
                *export.guesses,
                export.accounting.reasons,
                export.columns,
            ]
            said += [export.accounting.missing, export.dropped_columns, export.name, export.format]
            said.append(export._repr_markdown_())
        if hasattr(found, "seen"):
            said.append(found._repr_markdown_())
    return "\n".join(map(str, said))


def check(path: Path, planted: Sequence[str], *, once: object = None, **options: object) -> None:
    text = told(path, once=once, **options)
    found = [secret for secret in planted if secret.casefold() in text.casefold()]
    # parts of a secret are secrets too: a surname, the end of a number
    found += [
        part
        for part in ("quixworth", "janequix", "612345678", "zandvoort", "jane.doe", "tuesday")
        if part in text.casefold()
    ]
    assert not found, (path.name, found, text[:3000])


def body_of(path: Path) -> Rows:
    data = path.read_bytes()
    text = data.decode("utf-8-sig", "ignore")
    return [row for row in csv.reader(io.StringIO(text, newline="")) if row]


PLAIN = [p for p in FILES if p.suffix == ".csv" and p.stat().st_size < 40_000]


def planted(rows: Rows, rng: random.Random, *, headers: bool = False) -> Rows:
    """Every cell of text in the body, and some of the numbers and dates, become secrets."""
    out = []
    for number, row in enumerate(rows):
        if not headers and number < 1:
            out.append(row)
            continue
        out.append([rng.choice(SECRETS) if rng.random() < 0.5 else cell for cell in row])
    return out


def secret_row(row: list[str], rng: random.Random) -> list[str]:
    return [rng.choice(SECRETS) for _ in row]


def quoted(content: bytes) -> bytes:
    """Each line in quotation marks, as a spreadsheet damages a file."""
    return b"\n".join(b'"' + line.replace(b'"', b'""') + b'"' for line in content.split(b"\n"))


SHAPES: dict[str, Callable[[Rows, random.Random], Rows]] = {
    "every other cell": planted,
    "no header": lambda rows, rng: planted(rows[1:], rng, headers=True),
    "nothing but secrets": lambda rows, rng: [secret_row(row, rng) for row in rows],
    "secrets below the header": lambda rows, rng: [rows[0], *(secret_row(row, rng) for row in rows[1:])],
    "one secret a row": lambda rows, rng: [rows[0], *(with_one(row, rng) for row in rows[1:])],
    "ragged": lambda rows, rng: [*rows[:2], *([*row, rng.choice(SECRETS)] for row in rows[2:])],
    "sentences around": lambda rows, rng: [
        [SECRETS[5]], ["Made for", SECRETS[1]], *rows, [], [SECRETS[5]], [SECRETS[1], SECRETS[0]]
    ],
    "a column of secrets": lambda rows, rng: [[*rows[0], "Branch"], *([*r, rng.choice(SECRETS)] for r in rows[1:])],
    "a header of secrets": lambda rows, rng: [
        [*rows[0], SECRETS[0], *SECRETS[2:5]], *([*row, "1", "2", "3", "4"] for row in rows[1:])
    ],
    "totals": lambda rows, rng: [
        *rows, ["Total", *[SECRETS[1]] * (len(rows[0]) - 1)], [SECRETS[1], *["1"] * (len(rows[0]) - 1)]
    ],
    "one column": lambda rows, rng: [[rng.choice(SECRETS)] for _ in rows],
    "repeated header": lambda rows, rng: [rows[0], rows[1], rows[0], *planted(rows, rng)[1:]],
}  # fmt: skip
WRITINGS: dict[str, Callable[[Rows], bytes]] = {
    "plain": csv_bytes,
    "cp1252": lambda rows: csv_bytes(rows).decode().encode("cp1252", "replace"),
    "semicolons": lambda rows: csv_bytes(rows, ";"),
    "whole lines quoted": lambda rows: quoted(csv_bytes(rows)),
    "an open quotation mark": lambda rows: csv_bytes(rows) + b'"' + SECRETS[0].encode() + b"\n1,2,3" * 60,
}
# words in the headers of labels, which may be shown whatever they hold
LABELLED = (
    "account", "profile", "network", "platform", "type", "page name", "currency", "campaign", "website", "source"
)  # fmt: skip


def with_one(row: list[str], rng: random.Random) -> list[str]:
    at = rng.randrange(len(row))
    return [*row[:at], rng.choice(SECRETS), *row[at + 1 :]]


def labelled(export: Any) -> bool:
    """Whether a secret came to stand in a column of labels."""
    if isinstance(export, ErresearchError):
        return False
    texts = [export.rows[name].astype(str).str.cat() for name in LABELS & set(export.rows.columns)]
    return any(part in "".join(texts).casefold() for part in ("jan", "zandvoort", "+316", "tuesday"))


@pytest.mark.parametrize("every", [13, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_cell_is_told(shape: str, every: int, tmp_path: Path):
    rng = random.Random(shape)
    checked = 0
    for number, path in enumerate(PLAIN[::every]):
        rows = body_of(path)[:14]
        labels = [i for i, text in enumerate(rows[0]) if any(word in text.casefold() for word in LABELLED)]
        rows = [[cell for i, cell in enumerate(row) if i not in labels] for row in rows]
        if len(rows) < 3 or len(rows[0]) < 2:
            continue
        for writing in ("plain", list(WRITINGS)[1 + number % 4]):
            out = tmp_path / path.name
            out.write_bytes(WRITINGS[writing](SHAPES[shape](rows, rng)))
            once = attempt(read_export, out)
            if not labelled(once):
                check(out, SECRETS, once=once)
                checked += 1
    assert checked > 48 // every


@pytest.mark.parametrize("kind", ["xlsx", "xls", "zip"])
def test_no_cell_of_a_workbook_or_an_archive_is_told(kind: str, tmp_path: Path):
    rng = random.Random(kind)
    for number, shape in enumerate(("head", "none", "all", "sentences")):
        rows = [["Date", "Views", "Watch time (hours)", "Subscribers"]] * (shape != "none")
        rows += [[SECRETS[5]]] * (shape == "sentences")
        for day in range(1, 12):
            row = [f"2026-01-{day:02d}", str(day), "1.5", "3"]
            rows.append(
                [rng.choice(SECRETS) if shape == "all" or rng.random() < 0.3 else cell for cell in row]
            )
        path = tmp_path / f"t{number}.{kind}"
        if kind == "zip":
            path.write_bytes(MAKERS.zip_bytes({"Totals.csv": csv_bytes(rows), "b.csv": csv_bytes(rows[1:])}))
        else:
            path.write_bytes(getattr(MAKERS, f"{kind}_bytes")({"a": rows, "b": rows[1:]}))
        check(path, SECRETS)


def test_no_cell_is_told_of_columns_that_a_mapping_names(tmp_path: Path):
    rng = random.Random(5)
    for kind, columns in {
        "posts": ("post_id", "published_at", "likes", "duration_s", "followers"),
        "outcomes": ("date", "order_id", "status", "amount"),
        "daily": ("date", "views"),
        "survey": ("date", "score", "respondent"),
        "ads": ("date", "spend", "results"),
    }.items():
        for share in (0.0, 0.05, 0.5, 1.0):
            good = {"published_at": "2026-01-{:02d}", "date": "2026-01-{:02d}", "status": "paid"}
            rows = [list(columns)] + [
                [
                    rng.choice(SECRETS) if rng.random() < share else good.get(c, "{}").format(day)
                    for c in columns
                ]
                for day in range(1, 29)
            ]
            path = tmp_path / f"{kind}.csv"
            path.write_bytes(csv_bytes(rows))
            check(
                path, SECRETS, mapping={"kind": kind, "account": "shop", "columns": {c: c for c in columns}}
            )


def test_a_large_file_is_inspected_without_its_last_row(tmp_path: Path):
    head = "Email,Name,Financial Status,Paid at,Currency,Subtotal,Total,Created at,Lineitem quantity,Lineitem name\n"
    row = "jane.doe@example.org,#{},paid,2026-01-01 10:00:00 +0100,EUR,10,10.5,2026-01-01 10:00:00 +0100,1,Soap\n"
    path = tmp_path / "orders.csv"
    path.write_text(head + "".join(row.format(n) for n in range(60_000)))
    text = str(inspect_export(path))
    assert "looked at its head" in text
    assert "jane" not in text
    assert "#0" not in text


def test_first_rows_show_labels_numbers_and_times_only(tmp_path: Path):
    frame = pd.DataFrame(
        {
            "account": ["a"],
            "post_id": ["31612345678"],
            "likes": [3.0],
            "title": ["mine"],
            "published_at": pd.to_datetime(["2026-01-01"]),
        }
    )
    assert shown_columns(frame) == ["account", "likes", "published_at"]
    text = look_into(hold_posts(frame))
    assert "31612345678" not in text
    assert "mine" not in text
    assert "likes: 3.0" in text


def test_headers_are_shown_by_shape():
    row = ["Date", "Q7", "Branch office", "ann@example.org", "+316 1234 5678", "x" * 200]
    assert show_headers(row, known=[0]) == "'Date', column 2, 'Branch office', column 4, column 5, column 6"
    assert not looks_like_headers(["Ann", "Lee"], [["Bo", "Ek"]])
    assert not looks_like_headers(["Date", "Date"], [["1", "2"]])
    assert looks_like_headers(["Toot", "Favourites"], [["1", "3"]])


# ── costs ────────────────────────────────────────────────────────────────────────────────────────────────────────


def fails_fast(path: Path, match: str, seconds: float = 20.0) -> None:
    start = time.process_time()
    with pytest.raises(ErresearchError, match=match):
        read_export(path)
    assert time.process_time() - start < seconds


def zipped(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def with_sheet(old: str, new: str) -> bytes:
    """A workbook whose one sheet has a piece of its text replaced."""
    source = zipfile.ZipFile(io.BytesIO(MAKERS.xlsx_bytes({"a": [["Date", "Views"], ["2026-01-01", 5]]})))
    return zipped({name: source.read(name).decode().replace(old, new) for name in source.namelist()})


@pytest.mark.parametrize("place", ["A2000000000", "XFD1048576", "ZZZZZZ9", "A99999999999999999999"])
def test_a_cell_far_away_is_refused_before_it_is_read(place: str, tmp_path: Path):
    path = tmp_path / "far.xlsx"
    path.write_bytes(with_sheet("</sheetData>", f'<row r="3"><c r="{place}"><v>1</v></c></row></sheetData>'))
    fails_fast(path, "the workbook is too large: .* cells from its first to its last", 2)


def test_a_far_cell_of_an_old_workbook_is_refused_before_it_is_read(tmp_path: Path):
    content = MAKERS.xls_bytes({"a": [["Date", "Views"], ["2026-01-01", 1.0]]})
    at = content.index(b"\x03\x02\x0e\x00\x01\x00\x01\x00")
    path = tmp_path / "far.xls"
    path.write_bytes(content[: at + 4] + b"\xff\xff\xff\xff" + content[at + 8 :])
    fails_fast(path, "far.xls: the workbook is too large: 4,294,967,296 cells", 2)


def test_cells_without_a_place_are_counted_too():
    text = "<sheetData>" + "<row><c/><c/><c/></row>" * 4 + "</sheetData>"
    assert containers._spanned(pl.Series([text])) >= 12


def test_a_sheet_that_is_named_many_times_is_refused(tmp_path: Path):
    path = tmp_path / "many.xlsx"
    one = '<sheet name="a" sheetId="1" r:id="rId1"/>'
    path.write_bytes(
        with_sheet(one, "".join(f'<sheet name="a{n}" sheetId="{n}" r:id="rId1"/>' for n in range(1, 3001)))
    )
    fails_fast(path, "the workbook is too large: 3,000 sheets. Allowed: at most 400 sheets", 10)


def test_an_archive_of_many_files_is_refused(tmp_path: Path):
    path = tmp_path / "many.zip"
    path.write_bytes(
        zipped({f"t{n}.csv": "Date,Views\n2026-01-01,1\n" for n in range(containers.MAX_MEMBERS + 1)})
    )
    fails_fast(path, "the archive is refused because of its size: 401 files. Allowed: at most 400 files", 2)


def test_a_page_of_many_tables_is_refused(tmp_path: Path):
    path = tmp_path / "page.xls"
    path.write_text("<html>" + "<table><tr><td>1</td></tr></table>" * 500)
    fails_fast(path, "the workbook is too large: over 400 tables", 5)


def test_a_text_of_many_tables_or_columns_is_refused(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("Date,Reach\n2026-01-01,1\n\n" * 500)
    start = time.process_time()
    told(path)
    assert time.process_time() - start < 60
    path.write_text("Date" + ",Views" * 20_000 + "\n" + "1" + ",2" * 20_000 + "\n")
    fails_fast(path, r"a\.csv row 1: the row is too wide: 20,001 cells. Allowed: at most 16,384")


@pytest.mark.parametrize(
    "text", ["card " * 20_000, "#" + " " * 100_000 + "x", "a" * 400_000, "0 " * 100_000, "<!--" * 50_000, '"' * 50_001]
)  # fmt: skip
def test_long_texts_take_linear_time(text: str, tmp_path: Path):
    start = time.process_time()
    is_personal(text)
    path = tmp_path / "a.csv"
    path.write_text(f"{text},Views,Date\n{text},1,2026-01-01\n")
    told(path)
    assert time.process_time() - start < 15
    assert not is_personal("x" * LONGEST_HEADER + "email")


@pytest.mark.parametrize("place", ["", " ", ".", "duckdb:", "loop.csv", "a\0b", "x" * 5000])
def test_names_that_are_no_file_are_refused(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("loop.csv").symlink_to("loop.csv")
    assert not is_lake("")
    with pytest.raises(ErresearchError, match=r"no file is named|is a folder|could not read"):
        read_export(place)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ({"totals": [["post_id", "equals", 1]]}, "a rule for rows of totals is not understood"),
        ({"totals": 5}, "a line of the mapping has the wrong shape"),
        ({"totals": [["x"]]}, "a rule for rows of totals is not understood"),
        ({"per_post": "no"}, "'per_post' of a mapping is not true or false: 'no'. Write per_post = true"),
        ({"dates": "YDM"}, "'dates' of a mapping is not one of DMY, MDY, YMD: 'YDM'. Write dates = \"DMY\""),
        ({"decimal": "x"}, "'decimal' of a mapping is not one of ., ,: 'x'"),
        ({"kind": ["posts"]}, "There is no kind of export"),
        ({5: 6}, "There is no line of a mapping '5'"),
    ],
)
def test_mappings_of_the_wrong_shape_are_refused(line: dict[object, object], match: str, tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("Toot,Posted on,Favourites\n1,2026-01-05,3\n2,2026-01-06,4\n")
    columns = {"post_id": "Toot", "published_at": "Posted on", "likes": "Favourites"}
    mapping = {"kind": "posts", "account": "a", "zone": "UTC", "columns": columns, **line}
    with pytest.raises(ErresearchError, match=match):
        read_export(path, mapping=mapping)
    with pytest.raises(ErresearchError, match="`mapping` is neither a file nor a table: int"):
        read_export(path, mapping=5)  # type: ignore[arg-type]


PERSON = ("Jané Quixworth", "jane.doe@example.org", "+31 612345678", "Zandvoortstraat 12", "@janequix")
NAMED = ("quixworth", "janequix")
CONTACTS = ("jane.doe", "612345678", "zandvoort")


@pytest.mark.parametrize(
    "path",
    [path if n % 4 == 0 else pytest.param(path, marks=pytest.mark.slow) for n, path in enumerate(PLAIN)],
    ids=lambda path: path.stem,
)
def test_no_person_in_any_column_gets_into_rows_or_words(path: Path, tmp_path: Path):
    """A person's name, addresses, number and handle stand in one column after the other; labels may be names only."""
    body = body_of(path)
    width = max(map(len, body))
    for place in range(width):
        rows = [list(row) for row in body]
        known = next((i for i, row in enumerate(rows) if len(row) == width), 0)
        for number, row in enumerate(rows[known + 1 :]):
            if place < len(row):
                row[place] = PERSON[number % len(PERSON)]
        there = tmp_path / f"{place}.csv"
        there.write_bytes(csv_bytes(rows))
        try:
            export = read_export(there)
        except ErresearchError as error:
            text, cells = str(error), ""
        else:
            labels = [name for name in export.rows.columns if name in LABELS]
            text = str(export) + export.rows.drop(columns=labels).to_csv()
            cells = export.rows[labels].to_csv().casefold()
            shown = {export.columns.get(name) for name in (*LABELS, "campaign", "network")}
        label = cells and body[known][place].strip() in shown
        found = [part for part in (*CONTACTS, *(() if label else NAMED)) if part in text.casefold()]
        assert not found, (path.name, body[known][place], found, text[:2000])
        assert not [part for part in CONTACTS if part in cells], (path.name, body[known][place])


def test_a_header_that_is_a_name_is_not_shown(tmp_path: Path):
    """Of a table with a column for each of the staff, and of one that nobody knows."""
    path = tmp_path / "a.csv"
    path.write_text("Date,Views,Ann Quixworth,Quixworth\n2026-01-01,10,3,4\n2026-01-02,12,4,5\n")
    check(path, ["Ann"])
    assert "column 3" in told(path)
    path.write_text("Tag der Woche,Ann Quixworth,Quixworth\n2026-01-01,3,4\n2026-01-02,4,5\n")
    check(path, ["Ann"])


@pytest.mark.parametrize(
    ("header", "shown"),
    [*((header, True) for header in (
        "Réactions", "Odsłony", "Sticker taps", "Clics sur le lien", "Ticket medio", "Net Promoter Score")),
     *((header, False) for header in (
         "Quixworth", "Anna van dijk", "Ann Quixworth", "ann quixworth", "ANN", "Sales Quixworth", "Ann Quixworth sold",
         "Sold by Ann Quixworth"))],
)  # fmt: skip
def test_an_ordinary_header_of_numbers_is_shown_and_a_name_is_not(header: str, shown: bool, tmp_path: Path):
    path = tmp_path / "a.csv"
    for known in ("Likes,Revenue", "Views,Toots"):
        path.write_text(f"Date,{known},{header}\n2026-01-01,10,3,5\n2026-01-02,12,4,6\n", encoding="utf-8")
        assert (header in told(path)) is shown


@pytest.mark.parametrize("target", ["segment", "entity"])
def test_a_column_of_people_that_a_mapping_names_is_not_shown(tmp_path: Path, target: str):
    path = tmp_path / "a.csv"
    path.write_text("Day,Customer,Paid\n2026-01-01,Ann Quixworth,10\n2026-01-01,jane.doe@example.org,12\n")
    columns = {"date": "Day", target: "Customer", "revenue": "Paid"}
    rows = read_export(path, mapping={"kind": "outcomes", "currency": "EUR", "columns": columns}).rows
    assert not [part for part in (*CONTACTS, *NAMED) if part in rows.to_csv().casefold()]
    assert rows["value"].sum() == 22
