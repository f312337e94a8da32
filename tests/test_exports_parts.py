"""The parts of the reader: containers, mappings, clocks, numbers, identities, accounts, and what is written safely."""

from __future__ import annotations

import csv
import datetime as dt
import html.parser
import io
import os
import random
import re
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pytest
from builders import script
from hypothesis import given, strategies as st

from erresearch.errors import DataError, ErresearchError
from erresearch.exports import (
    Accounting,
    containers,
    delimited,
    inspect_export,
    read_export,
    timestamps,
)
from erresearch.exports.layouts import format_of, load_registry, normalise
from erresearch.exports.log import ReadLog, TextColumn
from erresearch.exports.numbers import parse_numbers
from erresearch.exports.privacy import hashed
from erresearch.exports.timestamps import instagram_time, tiktok_time, x_time
from erresearch.io import resources
from erresearch.io.files import resource
from erresearch.panel import build_panel

FILES = Path(__file__).resolve().parent / "exports" / "files"
SERIES = {"kind": "daily", "platform": "own", "columns": {"date": "day", "views": "n"}}


def fails(path: Path, match: str, **options: Any) -> None:
    with pytest.raises(ErresearchError, match=match):
        read_export(path, **options)


def archive(folder: Path, members: dict[str, bytes], *, packed: bool = True, name: str = "a.zip") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as made:
        for member, content in members.items():
            made.writestr(member, content)
    return path


# ── containers ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_archives_beyond_a_size_or_a_ratio_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bomb = archive(tmp_path, {"Totals.csv": b"Date,Views\n" + b"2026-01-01,5\n" * 4_000_000})
    fails(bomb, r"the archive is refused because of its size: 52,000,011 bytes from .* 200 times")
    small = archive(tmp_path, {"Totals.csv": b"Date,Views\n2026-01-01,5\n"})
    monkeypatch.setattr(containers, "MAX_UNPACKED", 20)
    fails(small, "the archive is refused because of its size: 24 bytes")


def test_a_workbook_is_an_archive_too(tmp_path: Path):
    bomb = archive(
        tmp_path, {"xl/workbook.xml": b"<x/>", "xl/worksheets/sheet1.xml": b" " * 60_000_000}, name="a.xlsx"
    )
    fails(bomb, "the archive is refused because of its size")


def test_nothing_is_unpacked_to_disk(tmp_path: Path):
    path = archive(tmp_path, {"../../evil.csv": b"Date,Views\n2026-01-01,5\n", "/etc/Totals.csv": b""})
    assert len(read_export(path).rows) == 1
    assert [found.name for found in tmp_path.iterdir()] == ["a.zip"]


def test_what_an_archive_holds_besides_tables_is_named(tmp_path: Path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as made:
        made.writestr("x.txt", "hello")
    path = archive(
        tmp_path,
        {
            "Totals.csv": b"Date,Views\n2026-01-01,5\n",
            "a.pdf": b"%PDF-1.7",
            "b.zip": inner.getvalue(),
            ".hidden": b"x",
            "c.csv": b"",
        },
    )
    notes = " ".join(read_export(path).notes)
    for said in (
        "a.pdf is a PDF",
        "b.zip is an archive inside the archive",
        "c.csv is empty",
        "without unpacking it to disk",
    ):
        assert said in notes
    fails(archive(tmp_path, {"a.pdf": b"%PDF-1.7"}), "the archive holds no table")


def test_damaged_containers_say_so(tmp_path: Path, monkeypatch):
    whole = (FILES / "youtube.zip").read_bytes()
    path = tmp_path / "a.zip"
    path.write_bytes(whole[:-30])
    fails(path, r"a\.zip: the archive cannot be read")
    path.write_bytes(whole.replace(b"Dec 15, 2025", b"Dec 15, 2029", 1))
    fails(path, "the archive cannot be read: BadZipFile")
    for name in ("linkedin_page.xls", "fanpage_karma.xlsx"):
        broken = tmp_path / name
        content = bytearray((FILES / name).read_bytes())
        content[700:2000] = b"\x41" * 1300
        broken.write_bytes(content)
        fails(broken, "cannot be read")
    page = tmp_path / "page.xls"
    page.write_text("<html><body><p>Date,Views</p></body></html>")
    fails(page, r"page\.xls is a web page without a table")
    monkeypatch.setattr(html.parser.HTMLParser, "close", lambda _: 1 / 0)
    fails(page, r"page\.xls: the page cannot be read: ZeroDivisionError")


def test_a_sheet_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(containers, "MAX_CELLS", 10)
    fails(
        FILES / "fanpage_karma.xlsx",
        r"the workbook is too large: 154 cells from its first to its last\. Allowed: at most 10 cells",
    )


def test_an_inspection_looks_at_the_head_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "Totals.csv"
    days = pd.date_range("1996-01-01", periods=8000).strftime("%Y-%m-%d")
    lines = [f"{day},{n:09d}" for n, day in enumerate(days)]
    path.write_text("\n".join(["Date,Views", *lines]) + "\n")
    monkeypatch.setattr(containers, "_WHOLE", 10_000)
    monkeypatch.setattr(containers, "_HEAD", 4000)
    found = inspect_export(path)
    assert not found.whole
    assert 100 < len(found.export.rows) < 250
    assert "looked at its head (4,000 of" in str(found)
    assert len(read_export(path).rows) == 8000


def test_a_large_file_falls_back_where_the_parser_in_c_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delimited, "FAST", 100)
    path = tmp_path / "Totals.csv"
    body = "".join(f"2026-01-{1 + n:02d},{n}\n" for n in range(28))
    for text, count in (
        ("Date,Views\n" + body, 28),
        ("Date,Views\n" + body.replace("2026-01-20,19\n", '"2026-01-20","19"\n\n'), 28),
        ("Date,Views\n" + body.replace(",27", ",n/a"), 28),
        ("Date,Views\n" + body.replace("\n", "\r\n") + "\r\n\r\n", 28),
    ):
        path.write_bytes(text.encode())
        export = read_export(path)
        assert len(export.rows) == count
        assert export.rows["views"].sum() in (378, 351)
    path.write_text("Date,Views\n" + body.replace(",27", ",27,1"))
    fails(path, "rows have more or fewer cells than the header's 2: 1 row .row 29., cells there: 3")


def test_pieces_of_a_large_file_are_cut_between_rows_and_never_inside_a_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delimited, "_STEP", 64)
    monkeypatch.setattr(delimited, "_PIECE", 100)
    rng = random.Random(3)
    parts = ["a", "\n", ",", '""', "1", "\r\n", "x,y\n", '""\n""']
    path = tmp_path / "anything.csv"
    several = 0
    for _ in range(300):
        rows = [
            ['"' + "".join(rng.choices(parts, k=rng.randrange(8))) + '"', str(n), "z"]
            for n in range(rng.randrange(1, 60))
        ]
        text = "\n".join(["Text,Number,Rest", *(",".join(row) for row in rows)]) + "\n"
        path.write_bytes(text.encode())
        whole, lines = delimited.parse(text, ",", path.name)
        records = delimited.Records(path.name, whole[:1], [1], lines[:1], ",", text.encode())
        frame = delimited.fast_body(records, 0, 3, [0, 1, 2], [1])
        assert frame is not None
        assert frame.rows() == [(row[0], int(row[1]), row[2]) for row in whole[1:]]
        several += len(list(delimited._pieces(memoryview(text.encode()), ","))) > 1
    assert several > 200


def test_work_is_done_one_after_the_other_where_there_are_no_threads(monkeypatch: pytest.MonkeyPatch):
    def never(*_: object) -> None:
        raise AssertionError("a browser has no threads")

    assert resources.in_threads(str, range(50)) == [str(n) for n in range(50)]
    monkeypatch.setattr(resources.sys, "platform", "emscripten")
    monkeypatch.setattr(resources, "ThreadPoolExecutor", never)
    assert resources.in_threads(str, range(50)) == [str(n) for n in range(50)]


@pytest.mark.parametrize("wrong", ['a"b,1', '"a"b,1', 'a,"b', '"a""b,1', 'a,b"'])
def test_quotation_marks_that_the_parser_in_c_would_forgive_are_left_to_the_other(
    wrong: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delimited, "_STEP", 16)
    text = "\n".join(
        ["Text,Number", *(f"x{n},{n}" for n in range(9)), wrong, *(f"y{n},{n}" for n in range(9))]
    )
    records = delimited.Records("a", [["Text", "Number"]], [1], [1], ",", text.encode())
    assert delimited.fast_body(records, 0, 2, [0, 1]) is None


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Amsterdam",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "America/New_York",
        "Pacific/Apia",
        # the clock changes at midnight: there is no 00:00 on one day, and 23:00 or 00:00 twice on another
        "America/Sao_Paulo",
        "America/Havana",
        "Atlantic/Azores",
    ],
)
def test_many_rows_are_taken_to_utc_as_the_zone_database_says(zone: str):
    begin, minutes = dt.datetime(2011, 9, 1), 122 * 24 * 60
    rng = random.Random(4)
    local = [begin + dt.timedelta(minutes=rng.randrange(minutes)) for _ in range(12_000)]
    log = ReadLog("f")
    cells = pl.Series([*local, None], dtype=pl.Datetime("us"))
    got = timestamps.in_zone(cells, zone, TextColumn(cells, pl.Series(range(len(cells))), "at", log))
    told = sum(caution.count for caution in log.warnings)
    odd, rule = 0, ZoneInfo(zone)
    for printed, found in zip(local, got, strict=False):
        first = printed.replace(tzinfo=rule).astimezone(dt.UTC).replace(tzinfo=None)
        second = printed.replace(tzinfo=rule, fold=1).astimezone(dt.UTC).replace(tzinfo=None)
        odd += first != second
        assert found == first
    assert got[-1] is None
    assert told == odd > 0


def test_a_panel_takes_the_rows_as_they_are_held_and_as_somebody_changed_them(tmp_path: Path):
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(90)]
    path = tmp_path / "posts.csv"
    path.write_text("\n".join(["id,At,Likes", *(f"{n},{day} 10:00,{n}" for n, day in enumerate(days))]))
    columns = {"post_id": "id", "published_at": "At", "likes": "Likes"}
    said = {"kind": "posts", "account": "shop", "zone": "UTC", "columns": columns}
    untouched, touched, changed = (read_export(path, mapping=said) for _ in range(3))
    assert touched.rows["likes"].sum() == sum(range(90))
    changed.rows["likes"] = 1.0
    panels = [build_panel(export, tz="UTC").rows for export in (untouched, touched, changed)]
    assert isinstance(untouched.held(), pl.DataFrame)
    pd.testing.assert_frame_equal(panels[0], panels[1])
    assert (panels[2]["likes"] == panels[2]["posts"]).all()


@pytest.mark.parametrize(
    ("kind", "figure"), [("posts", "likes"), ("daily", "likes"), ("outcomes", "amount"), ("ads", "spend")]
)
def test_a_moment_may_be_called_as_the_rows_call_it(kind: str, figure: str, tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("at,n\n2026-01-05 10:00,3\n2026-01-06 11:00,4\n")
    mapping = {"kind": kind, "zone": "UTC", "currency": "EUR", "columns": {"at": "at", figure: "n"}}
    rows = read_export(path, mapping=mapping).rows
    assert rows["published_at" if kind == "posts" else "date"].dt.day.unique().tolist() == [5, 6]


@pytest.mark.parametrize(
    ("sold", "waits", "failed", "back"),
    [
        ("In Bearbeitung", "Offen", "Fehlgeschlagen", "Rückerstattet"),
        ("Afgerond", "In de wacht", "Mislukt", "Terugbetaald"),
        ("Terminée", "En attente", "Échouée", "Remboursée"),
        ("Enviado", "Pendiente de pago", "Fallido", "Reembolsado"),
        ("Spedito", "In attesa", "Fallito", "Rimborsato"),
        ("Zrealizowane", "Wstrzymane", "Nieudane", "Zwrócone"),
    ],
)
def test_states_of_orders_are_known_in_the_languages_of_shops(
    sold: str, waits: str, failed: str, back: str, tmp_path: Path
):
    path = tmp_path / "orders.csv"
    states = [sold, waits, failed, back, sold, "Zebra"]
    lines = [f"{n},2026-01-0{n},{state},10" for n, state in enumerate(states, start=1)]
    path.write_text("\n".join(["Nr,Day,State,Sum", *lines]), encoding="utf-8")
    columns = {"order_id": "Nr", "date": "Day", "status": "State", "amount": "Sum"}
    export = read_export(path, mapping={"kind": "outcomes", "currency": "EUR", "columns": columns})
    kinds = export.rows.drop_duplicates("order_id").set_index("order_id")["kind"]
    assert kinds.to_list() == ["sale", "pending", "failed", "cancelled", "sale"]
    told = next(str(caution) for caution in export.warnings if caution.code == "unknown state")
    assert "1 row in 1 state of column 'State'; won" in told
    assert "Zebra" not in str(export)


# ── mappings ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mapping", "match"),
    [
        ({"colums": {}}, "There is no line of a mapping 'colums'.*Did you mean 'columns'"),
        (
            {"columns": {"likse": "n"}},
            r"no column of ours: 'likse'. Allowed: for kind = \"posts\": published_at or .*Perhaps 'likes' is meant",
        ),
        ({"columns": {}}, r"\[columns\] of a mapping is empty"),
        (
            {"columns": {"post_id": "n", "likes": "m"}},
            r"lacks published_at or date: post_id, likes\. Allowed: for kind = \"posts\": .*another kind: posts, daily",
        ),
        ({"kind": "ads", "columns": {"entity": "n"}}, "lacks date or day or month and spend: entity"),
        ({"kind": "daily", "columns": {"date": "n"}}, "lacks a figure: date"),
        (
            {"columns": {"date": "n", "likes": "m"}},
            "Totals.csv has no column 'n' and no column 'm'.*'Date', 'Views'",
        ),
        ({"columns": {"likes": 5}}, "'likes' of a mapping is not a list of texts: 5"),
        (
            {"columns": {"likes": "n"}, "kind": "post"},
            "There is no kind of export 'post'.*Did you mean 'posts'",
        ),
        (
            {"columns": {"likes": "n"}, "totals": [["a", "like", "b"]]},
            "a rule for rows of totals is not understood: .*'like'",
        ),
        ({"columns": {"likes": "n"}, "totals": [5]}, "a rule for rows of totals is not understood: 5"),
        ({"zone": 5}, "'zone' of a mapping is not a text: 5"),
        ({"won": [5]}, "'won' of a mapping is not a list of texts"),
        ({"exported_at": "soon"}, "`exported_at` is no day: 'soon'"),
    ],
)
def test_a_wrong_mapping_is_named(mapping: dict[str, Any], match: str):
    fails(FILES / "Totals.csv", match, mapping=mapping)


def test_a_mapping_file_that_is_none(tmp_path: Path):
    fails(FILES / "Totals.csv", "the mapping .* cannot be read", mapping=tmp_path / "no.toml")
    (tmp_path / "bad.toml").write_text("columns = [")
    fails(FILES / "Totals.csv", "the mapping .* cannot be read", mapping=tmp_path / "bad.toml")


def test_an_unknown_platform_is_named():
    fails(FILES / "Totals.csv", "There is no platform 'yotube'.*Did you mean 'youtube'", platform="yotube")


def test_a_layout_of_the_registry_is_checked():
    with pytest.raises(ErresearchError, match="a layout has no entry 'colour'"):
        format_of({"id": "x", "colour": "red", "kind": "posts"})


def test_arguments_go_before_the_mapping(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("day;cost\n2026-01-01;1,234\n2026-01-02;2,345\n")
    mapping = {"kind": "ads", "decimal": ",", "currency": "EUR", "columns": {"date": "day", "spend": "cost"}}
    assert read_export(path, mapping=mapping).rows["spend"].tolist() == [1.234, 2.345]
    said = read_export(path, mapping=mapping, decimal=".", currency="USD")
    assert said.rows["spend"].tolist() == [1234, 2345]
    assert set(said.rows["currency"]) == {"USD"}


# ── series, advertising, outcomes ────────────────────────────────────────────────────────────────────────────────


def test_series_that_cannot_be_read_say_why(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text('"Facebook moods"\n"Date","Primary"\n"2026-01-01","5"\n')
    fails(path, "no table has a known title: 1 table, the first with its header in row 2")
    path.write_text(
        '"Facebook reach"\n"Date","Primary"\n"2026-01-01","5"\n\n"Facebook reach"\n"Date","Primary"\n"2026-01-01","6"\n'
    )
    fails(path, "reach is given twice for the same day with different values: rows 3, 7")
    path.write_text("day,n\n2026-01-01,5\n")
    path.write_text("day,n\n2026-01-01,five\n2026-01-02,six\n")
    fails(path, "column 'n' holds no number: 2 cells such as 'aaaa'", mapping=SERIES)
    path.write_text("Campaign,Cost,Impr.\nSoap,5.5,100\n")
    fails(path, "states no dates")
    path.write_text("# Start date: 20260101\n# End date: 20260102\nDate,Mood\n20260101,5\n")
    fails(path, "no table has rows with figures that are known")


def test_money_needs_its_column_and_orders_their_years(tmp_path: Path):
    path = tmp_path / "a.csv"
    columns = {"date": "day", "order_id": "no", "amount": "cost"}
    path.write_text("day,no,cost\nJanuary 5,1,5.5\nJanuary 6,2,6.5\n")
    fails(path, "column 'day' has dates without a year", mapping={"kind": "outcomes", "columns": columns})


def test_a_header_and_its_cells_must_agree_on_the_currency(tmp_path: Path):
    path = tmp_path / "a.csv"
    head = "Reporting starts,Reporting ends,Campaign name,Reach,Amount spent (USD)\n"
    path.write_text(head + "2026-01-01,2026-01-01,Soap,5,€5.50\n")
    fails(path, "names one currency and its cells another: USD and EUR")


def test_days_of_figures_that_are_none(tmp_path: Path):
    text = (FILES / "meta_ig_posts.csv").read_text("utf-8-sig").replace("Lifetime", "sometime")
    path = tmp_path / "a.csv"
    path.write_text(text)
    (guess,) = [each for each in read_export(path).guesses if each.name == "figures of"]
    assert "'Date' says one word in every row" in guess.reason
    daily = (FILES / "meta_fb_daily.csv").read_text("utf-8-sig").split("\n")
    path.write_text("\n".join(daily).replace("01/04/2026", "N/A"))
    fails(path, "holds neither days nor Lifetime: 3 cells such as 'A/A'")


def test_a_file_of_which_nothing_can_be_used(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("id,day\np1,\np2,N/A\n")
    mapping = {"kind": "posts", "columns": {"post_id": "id", "published_at": "day"}}
    fails(path, r"a\.csv: no row can be used: no usable time of publication: 2", mapping=mapping)


def test_too_many_impossible_dates(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("id,day\n" + "".join(f"p{n},1901-01-0{n}\n" for n in range(1, 9)))
    mapping = {"kind": "posts", "columns": {"post_id": "id", "published_at": "day"}}
    fails(
        path,
        r"row 2, column \"day\": '0000-00-00' is an impossible date\. Rows with this problem: 8: 8 of 8 rows",
        mapping=mapping,
    )


# ── identities, numbers, clocks ──────────────────────────────────────────────────────────────────────────────────

MOMENTS = st.datetimes(dt.datetime(2015, 1, 1), dt.datetime(2037, 1, 1))
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def short(number: int) -> str:
    out = ""
    for _ in range(11):
        number, rest = divmod(number, 64)
        out = _LETTERS[rest] + out
    return out


@given(
    st.lists(MOMENTS, min_size=1, max_size=20),
    st.integers(0, 2**22 - 1),
    st.sampled_from(["p", "reel", "tv", "someone/p"]),
)
def test_ids_give_back_the_moment_that_made_them(moments: list[dt.datetime], salt: int, folder: str):
    stamps = [int(moment.replace(tzinfo=dt.UTC).timestamp() * 1000) for moment in moments]
    wanted = [dt.datetime.fromtimestamp(stamp // 1000, dt.UTC).replace(tzinfo=None) for stamp in stamps]

    def seconds(series: pl.Series) -> list[dt.datetime | None]:
        return [None if value is None else value.replace(microsecond=0) for value in series]

    codes = [short(((stamp - 1314220021721) << 23) | salt) for stamp in stamps]
    links = pl.Series([f"https://www.instagram.com/{folder}/{code}/" for code in codes])
    assert seconds(instagram_time(links)) == wanted
    mixed = pl.Series([*links.to_list(), None, "https://www.instagram.com/p/short/"])
    assert seconds(instagram_time(mixed)) == [*wanted, None, None]
    tweets = pl.Series([str(((stamp - 1288834974657) << 22) | salt) for stamp in stamps])
    assert seconds(x_time(tweets)) == wanted
    assert seconds(x_time("https://x.com/a/status/" + tweets)) == wanted
    videos = pl.Series(
        [f"https://www.tiktok.com/@a/video/{(stamp // 1000) << 32 | salt}" for stamp in stamps]
    )
    assert seconds(tiktok_time(videos)) == wanted


@pytest.mark.parametrize("decode", [instagram_time, tiktok_time, x_time])
def test_what_is_no_id_gives_no_time(decode: Callable[[pl.Series], pl.Series]):
    odd = pl.Series(
        [
            "",
            "12",
            "9" * 19,
            "https://www.instagram.com/p/___________/",
            "https://x.com/a/status/5",
            None,
            "ü" * 30,
        ]
    )
    assert decode(odd).null_count() == len(odd)


def numbers(cells: list[str], kind: str = "number", **options: Any) -> list[float | None]:
    series = pl.Series(cells, dtype=pl.String)
    rows = pl.Series(range(2, 2 + len(cells)), dtype=pl.UInt32)
    read = TextColumn(series, rows, "x", ReadLog("f.csv"))
    return parse_numbers(read, kind, **options).values.to_list()


@given(
    st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20),
    st.sampled_from([",", ".", " ", "'", "\u202f", ""]),
)
def test_counts_survive_any_mark_between_thousands(values: list[int], mark: str):
    assert numbers([f"{value:,}".replace(",", mark) for value in values], "count") == values


@given(
    st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=20),
    st.sampled_from(["1,234.50", "1.234,50"]),
)
def test_amounts_survive_either_decimal_sign(values: list[Any], style: str):
    swap = str.maketrans(",.", ".,") if style == "1.234,50" else {}
    cells = [f"{value:,.2f}".translate(swap) for value in values]
    assert numbers(cells, decimal="," if swap else ".", fixed=True) == [float(value) for value in values]
    assert numbers([*cells, style]) == [*(float(value) for value in values), 1234.5]  # one cell decides


@given(st.lists(st.text(max_size=6), max_size=10))
def test_numbers_are_read_or_missing(cells: list[str]):
    try:
        found = numbers(cells)
    except ErresearchError:
        return
    assert len(found) == len(cells)
    for cell, value in zip(cells, found, strict=True):
        if re.fullmatch(r"[0-9]{1,6}", cell):
            assert value == int(cell)
        assert value is None or abs(value) < float("inf")


@given(
    st.dates(dt.date(1996, 1, 1), dt.date(2097, 12, 31)),
    st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%B %d, %Y", "%a %b %d %Y", "%Y%m%d"]),
)
def test_days_are_read_back(day: dt.date, form: str):
    from erresearch.exports.dates import parse_times

    cells = pl.Series([day.strftime(form), dt.date(2026, 1, 31).strftime(form)])
    times = parse_times(TextColumn(cells, pl.Series([2, 3]), "d", ReadLog("f")))
    assert [value.date() for value in times.local] == [day, dt.date(2026, 1, 31)]
    assert times.precision == "day"


# ── accounts, words, what is written ─────────────────────────────────────────────────────────────────────────────


def test_an_account_that_does_not_add_up_is_refused():
    with pytest.raises(
        DataError, match="the account of the rows does not add up: 3 rows in, 2 accounted for"
    ):
        Accounting(3, 2)
    table = read_export(FILES / "youtube_table.csv").accounting.to_frame()
    assert table.set_index("what").loc["rows in", "rows"] == table["rows"].iloc[1:6].sum()


def test_hashes_join_within_a_run_and_reveal_nothing():
    values = pl.Series(["a@example.org", "b@example.org", "a@example.org", "", None])
    out = hashed(values)
    assert out[0] == out[2] != out[1]
    assert out[3] is None
    assert out[4] is None
    assert hashed(pl.Series([None, ""], dtype=pl.String)).null_count() == 2


def test_headers_are_compared_without_case_accents_and_spaces():
    assert normalise("\ufeff Vi\u00adews\n") == normalise("VIEWS")
    assert normalise("Alcance") != normalise("Reach")
    assert load_registry() is load_registry()


def test_results_are_frozen_and_inputs_untouched():
    export = read_export(FILES / "Totals.csv")
    with pytest.raises(AttributeError):
        export.kind = "posts"  # type: ignore[misc]
    with pytest.raises(TypeError):
        export.columns["views"] = "x"  # type: ignore[index]
    assert "10 rows in = 10 used" in str(export)


def test_the_benchmark_writes_what_it_says(tmp_path: Path):
    path = tmp_path / "posts.csv"
    script("tests/benchmarks/bench_exports.py").write_posts(path, 300)
    export = read_export(path)
    assert (export.format, export.accounting.used) == ("meta-instagram-posts", 300)
    assert set(export.rows["time_source"]) == {"decoded-from-id"}


# ── kinds of post ────────────────────────────────────────────────────────────────────────────────────────────────


def kinds_of(folder: Path, *kinds: str) -> tuple[list[str | None], str]:
    lines = ["id,page,when,kind,likes"]
    lines += [f'{n},shop,2026-01-0{n % 9 + 1} 10:00,"{kind}",{n}' for n, kind in enumerate(kinds, 1)]
    path = folder / "posts.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    columns = {
        "post_id": "id",
        "account": "page",
        "published_at": "when",
        "post_type": "kind",
        "likes": "likes",
    }
    made = read_export(path, tz="UTC", mapping={"kind": "posts", "platform": "own", "columns": columns})
    rows = [None if pd.isna(kind) else str(kind) for kind in made.rows["post_type"]]
    return rows, " ".join(made.notes)


def test_a_kind_of_post_has_one_name_whatever_its_number_language_or_case(tmp_path: Path):
    rows, notes = kinds_of(
        tmp_path, "Photo", "Photos", "Foto", "IG image", "VÍDEO", "Video\u00a0", "Reel de Instagram", ""
    )
    assert rows == ["image"] * 4 + ["video"] * 2 + ["reel", None]
    assert (
        "kinds of post with more than one name: image (Photo, Photos, Foto, IG image); video (VÍDEO, Video"
        in notes
    )
    assert "3 kinds of post (image, reel, video)" in notes


def test_a_kind_that_nobody_registered_keeps_its_first_spelling(tmp_path: Path):
    rows, notes = kinds_of(tmp_path, "Hologram", "HOLOGRAM ", "=Hologram", "Photos")
    assert rows == ["Hologram", "Hologram", "=Hologram", "image"]
    assert "Hologram (Hologram, HOLOGRAM)" in notes


def test_no_spelling_means_two_kinds():
    table = load_registry().kinds
    texts = tomllib.loads((resource("data") / "platforms.toml").read_text(encoding="utf-8"))["kinds"]
    spelt = [normalise(text) for several in texts.values() for text in dict.fromkeys(map(normalise, several))]
    assert len(spelt) == len(set(spelt))
    assert all(table[kind] == kind for kind in texts)


# ── what strangers' files brought up ─────────────────────────────────────────────────────────────────────────────

SALES = ["Day", "Orders", "Gross sales", "Discounts", "Returns", "Net sales", "Taxes", "Total sales"]
ORDERS = ["Name", "Financial Status", "Currency", "Subtotal", "Shipping", "Total", "Created at", "Refunded Amount",
          "Cancelled at", "Lineitem quantity", "Lineitem name"]  # fmt: skip


def sales_of(*days: str) -> list[list[str]]:
    return [SALES, *([day, "3", "100.5", "-5", "-2", "93.5", "9", "106.5"] for day in days)]


def orders_of(
    *when: str, status: str = "paid", total: str = "10.00", currency: str = "EUR"
) -> list[list[str]]:
    return [
        [f"#{n}", status, currency, total, "0", total, moment, "0.00", "", "1", "Mug"]
        for n, moment in enumerate(when, 1000)
    ]


def table_of(folder: Path, rows: list[list[str]], name: str = "file.csv") -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def total(made: Any, outcome: str = "revenue") -> float:
    rows = made.rows
    return float(rows.loc[(rows["outcome"] == outcome) & (rows["kind"] != "cancelled"), "value"].sum())


def test_days_as_spreadsheet_numbers_are_days_and_not_one_range(tmp_path: Path):
    made = read_export(table_of(tmp_path, sales_of(*(str(46082 + n) for n in range(20)))))
    assert (made.rows["date"].min(), made.rows["date"].max()) == (
        pd.Timestamp("2026-03-01"),
        pd.Timestamp("2026-03-20"),
    )
    assert total(made) == pytest.approx(20 * 106.5)
    assert any(caution.code == "serial dates" for caution in made.warnings)
    fails(
        table_of(tmp_path, sales_of(*["somewhen"] * 20), "bad.csv"),
        r"column \"Day\": 'aaaaaaaa' is not a date",
    )


def test_a_day_that_stands_twice_is_counted_as_a_copy(tmp_path: Path):
    days = [f"2026-03-{n:02d}" for n in range(1, 21)]
    made = read_export(table_of(tmp_path, sales_of(*days, days[0])))
    assert total(made) == pytest.approx(20 * 106.5)
    assert (made.accounting.used, made.accounting.reasons["copies of an earlier row"]) == (20, 1)


def test_dates_that_cannot_be_are_rejected_with_their_rows(tmp_path: Path):
    good = [f"2026-03-{n:02d} 10:00:00 +0100" for n in range(1, 29)]
    for odd in ("1900-01-01 10:00:00 +0100", "2097-01-01 10:00:00 +0100"):
        made = read_export(table_of(tmp_path, [ORDERS, *orders_of(*good, odd)]))
        assert total(made) == 280
        assert made.accounting.reasons["no date"] == 1
        assert any(
            "is an impossible date. Rows with this problem: 1;" in str(caution) for caution in made.warnings
        )
    fails(
        table_of(tmp_path, [ORDERS, *orders_of(*good[:9], "1900-01-01 10:00:00 +0100")]),
        r"row 11, column .* is an impossible date.*1 of 10 rows \(row 11\)\. Allowed: years from 1995 to 2098",
    )
    days = [f"2026-03-{n:02d}" for n in range(1, 29)]
    made = read_export(table_of(tmp_path, sales_of(*days, "1900-01-01"), "sales.csv"))
    assert total(made) == pytest.approx(28 * 106.5)
    assert made.accounting.reasons["no date"] == 1


def test_an_unknown_state_is_named(tmp_path: Path):
    rows = [ORDERS, *orders_of(*[f"2026-03-{n:02d} 10:00:00 +0100" for n in range(1, 13)])]
    odd = orders_of("2026-03-20 10:00:00 +0100", status="zweifelhaft")
    made = read_export(table_of(tmp_path, [*rows, ["#9", *odd[0][1:]]]))
    assert total(made) == 120
    assert "state" not in made.rows
    (said,) = [str(caution) for caution in made.warnings if caution.code == "unknown state"]
    assert "1 row in 1 state of column 'Financial Status'" in said
    assert "zweifelhaft" not in said
    assert 'won = ["…"] in mapping=' in said


def test_signs_of_money_and_the_column_of_currencies_must_agree(tmp_path: Path):
    when = [f"2026-03-{n:02d} 10:00:00 +0100" for n in range(1, 13)]
    fails(
        table_of(tmp_path, [ORDERS, *orders_of(*when, total="$10.00", currency="EUR")]),
        "the amounts and the column of currencies contradict each other: amounts in USD by their sign, EUR in column",
    )
    made = read_export(table_of(tmp_path, [ORDERS, *orders_of(*when, total="$10.00", currency="CAD")]))
    assert set(made.rows.loc[made.rows["outcome"] == "revenue", "currency"]) == {"CAD"}
    assert not [guess for guess in made.guesses if guess.name == "currency"]


def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path):
    (tmp_path / "folder.csv").mkdir()
    fails(tmp_path / "folder.csv", r"^'folder\.csv' is a folder, not a file\. Name the files in it")
    os.mkfifo(tmp_path / "pipe.csv")
    fails(
        tmp_path / "pipe.csv",
        r"^'pipe\.csv' is a pipe or a device, not a file\. Save what it gives into a file first",
    )
    (tmp_path / "endless.csv").symlink_to("/dev/zero")
    fails(tmp_path / "endless.csv", "is a pipe or a device")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    fails(tmp_path / "loop.csv", r"^could not read '.*loop\.csv': .* Check the path")
    (tmp_path / "paper.csv").write_bytes(b"%PDF-1.4 x")
    fails(tmp_path / "paper.csv", r"^paper\.csv is a PDF, which holds no export")


def test_a_cell_that_is_never_closed_is_called_that(tmp_path: Path):
    path = table_of(tmp_path, [ORDERS, *orders_of("2026-03-01 10:00:00 +0100")])
    path.write_text(path.read_text().replace("#1", '"#1') + "x" * 200_000)
    fails(path, r"row 2: a quotation mark is not closed as it should be")


def test_a_payment_that_stands_twice_is_one(tmp_path: Path):
    head = ["id", "Created date (UTC)", "Amount", "Amount Refunded", "Currency", "Captured", "Status"]
    rows = [
        [f"ch_{n}", f"2026-03-{n:02d} 23:30", "10.00", "0.00", "eur", "TRUE", "Paid"] for n in range(1, 13)
    ]
    made = read_export(table_of(tmp_path, [head, *rows, rows[3], rows[4]]))
    assert total(made) == 120
    assert (made.accounting.rows_in, made.accounting.used) == (14, 12)
    assert made.accounting.reasons["copies of an earlier row"] == 2


def test_states_of_which_none_counts_as_sold_are_named(tmp_path: Path):
    when = [f"2026-03-{n:02d} 10:00:00 +0100" for n in range(1, 13)]
    path = table_of(tmp_path, [ORDERS, *orders_of(*when, status="Afgerond")])
    fails(
        path,
        r"no row is in a state that counts as sold: 12 rows in 1 state of column",
    )
    assert total(read_export(path, mapping={"won": ["afgerond"]})) == 120


def analytics(folder: Path, header: str, rows: list[str], *, lines: bool = True) -> Path:
    path = folder / "report.csv"
    above = ["# Report CSV Export", "# Start date: 20260301", "# End date: 20260331"] if lines else []
    path.write_text("\n".join([*above, header, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_comparison_of_two_ranges_does_not_count_a_day_twice(tmp_path: Path):
    both = [
        f"202603{n:02d},{span},{n},2.5" for n in range(1, 31) for span in ("Mar 1 - Mar 31", "Feb 1 - Feb 28")
    ]
    fails(
        analytics(tmp_path, "Date,Date range,Sessions,Total revenue", both),
        r"report\.csv compares several ranges of dates.*: 2 ranges in column 'Date range'",
    )
    one = [row for row in both if "Mar 1" in row]
    made = read_export(analytics(tmp_path, "Date,Date range,Sessions,Total revenue", one))
    assert total(made) == pytest.approx(75)


def test_a_report_without_the_lines_above_its_headers_says_so(tmp_path: Path):
    path = analytics(tmp_path, "Nth day,Sessions,Total revenue", ["0000,1,1", "0001,2,2"], lines=False)
    fails(path, r"which needs the lines that the platform writes above the headers")


def test_s8_posts_of_a_campaign_were_paid_for(tmp_path: Path):
    head = ["Post title", "Post link", "Post type", "Campaign name", "Created date", "Impressions", "Clicks", "Likes",
            "Comments", "Reposts", "Content Type"]  # fmt: skip
    rows = [
        ["t", f"https://www.linkedin.com/feed/update/{n}", "Organic", "Spring" if n % 3 == 0 else "-" if n % 2 else "",
         f"03/{n:02d}/2026", "500", "9", "7", "1", "1", "Image"]
        for n in range(1, 15)
    ]  # fmt: skip
    made = read_export(table_of(tmp_path, [["All posts"] + [""] * 10, head, *rows]))
    assert made.rows["is_paid"].tolist() == [n % 3 == 0 for n in range(1, 15)]
