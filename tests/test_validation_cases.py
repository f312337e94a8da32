# ruff: noqa: E501
"""The promises of a reader, one test per bad input, named by the id of the case.

Cases of files (F), headers (H), cells (T), meaning (S) and outcomes (O) that a reader of one file (or of several of one
kind) can meet. What needs two tables on one calendar is tested where they are joined.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
from builders import export_of, script

from erresearch.errors import ErresearchError
from erresearch.exports import Export, combine_exports, inspect_export, read_export

FOLDER = Path(__file__).resolve().parent / "exports"
FILES = FOLDER / "files"
MAKERS = script("tests/exports/make_fixtures.py")
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of rows, text or bytes and return its path."""

    def at(
        content: str | bytes | Sequence[Sequence[object]], name: str = "posts.csv", delimiter: str = ","
    ) -> Path:
        path = tmp_path / name
        if isinstance(content, str):
            path.write_bytes(content.encode())
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_bytes(MAKERS.table(content, delimiter=delimiter).encode())
        return path

    return at


POSTS = {"kind": "posts", "platform": "own", "account": "shop", "zone": "UTC"}
HEAD = ["id", "when", "likes", "comments", "shares", "reach", "views"]
COLUMNS = {"post_id": "id", "published_at": "when", "likes": "likes", "comments": "comments", "shares": "shares",
           "reach": "reach", "views": "views"}  # fmt: skip


def own(*names: str, **more: object) -> dict[str, object]:
    """A mapping for a small table of posts with these columns."""
    wanted = names or tuple(COLUMNS)
    return {
        **POSTS,
        **more,
        "columns": {name: COLUMNS.get(name, name) for name in ("post_id", "published_at", *wanted)},
    }


def rows(count: int = 12, **cells: Callable[[int], object]) -> list[list[object]]:
    """A small table of posts in which some cells are replaced."""
    usual: dict[str, Callable[[int], object]] = {
        "id": lambda i: f"p{i}",
        "when": lambda i: f"2026-01-{1 + i:02d} 10:{i:02d}:00",
        "likes": lambda i: 10 + i,
        "comments": lambda i: 2 + i % 3,
        "shares": lambda i: i % 4,
        "reach": lambda i: 900 + 7 * i,
        "views": lambda i: 1000 + 9 * i,
    }
    made = usual | cells
    return [HEAD, *([made[name](i) for name in HEAD] for i in range(count))]


def codes(export: Export) -> set[str]:
    return {caution.code for caution in export.warnings}


def caution(export: Export, code: str) -> str:
    (found,) = [str(c) for c in export.warnings if c.code == code]
    return found


def fails(path: Path, match: str, **options: object) -> str:
    with pytest.raises(ErresearchError, match=match) as caught:
        read_export(path, **options)  # type: ignore[arg-type]
    return str(caught.value)


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_F1_an_empty_file(write: Write):
    fails(write(b""), r"posts\.csv: the file is empty: 0 bytes")
    fails(write(b" \n\n"), r"the file is empty: white space only")


def test_F2_headers_without_rows(write: Write):
    fails(write(MAKERS.table([MAKERS.YT_HEAD])), "has headers but no rows")
    multi = export_of("ga4_multi.csv")
    assert any("has no rows" in note for note in multi.notes)


def test_F3_the_words_no_data_available(write: Write):
    message = fails(FILES / "Maple-Campaigns-1-Sep-202430-Sep-2024.csv", "says that no data is available")
    assert "1-Sep-202430-Sep-2024" in message
    fails(write("No data available\n"), "no data is available")


def test_F4_utf16_with_the_name_of_a_csv():
    export = export_of("google_ads_tab.csv")
    assert any("UTF-16" in note for note in export.notes)
    assert export.accounting.used == 2


def test_F5_a_byte_order_mark_before_the_first_header():
    export = export_of("meta_ig_posts.csv")
    assert any("byte order mark" in note for note in export.notes)
    assert export.columns["post_id"] == "Post ID"


def test_F6_cp1252_and_cp1251(write: Write):
    spanish = [["Contenido", "Título del vídeo", "Hora de publicación del vídeo", "Visualizaciones"],
               *([f"v{i}", "Categoría", f"Jan {1 + i}, 2026", 50 + i] for i in range(5))]  # fmt: skip
    export = read_export(write(MAKERS.table(spanish).encode("cp1252")))
    assert "read as cp1252, which is a guess" in caution(export, "encoding")
    assert [g.override for g in export.guesses if g.name == "encoding"] == ["encoding="]
    russian = (FILES / "youtube_table_ru.csv").read_bytes().decode().encode("cp1251")
    export = read_export(write(russian))
    assert "cp1251" in caution(export, "encoding")
    assert export.rows["views"].tolist() == [500, 501, 502, 503]
    assert "encoding" not in codes(read_export(write(russian), encoding="cp1251"))
    fails(write(russian), "no encoding 'cp9999'", encoding="cp9999")
    fails(write(b"Date,Views\n\x81\x8d,1\n"), "is not text in ascii", encoding="ascii")


def test_F7_letters_garbled_before_the_export(write: Write):
    table = [[*row, "CafÃ© �" if number else "shop"] for number, row in enumerate(rows())]
    mapping = own(*COLUMNS) | {"columns": {**COLUMNS, "account": "shop"}}
    del mapping["account"]
    export = read_export(write(table), mapping=mapping)
    assert "garbled letters" in codes(export)
    assert export.rows["account"].iloc[0] == "CafÃ© �"


def test_F8_a_first_line_that_states_the_delimiter(write: Write):
    export = read_export(write("sep=;\nDate;Views\n2026-01-01;5\n2026-01-02;6\n"))
    assert any("semicolons" in note for note in export.notes)
    assert export.rows["views"].tolist() == [5, 6]
    assert export.rows["source_row"].tolist() == [3, 4]


def test_F9_lines_above_the_header(write: Write):
    export = export_of("google_ads.csv")
    assert any("the header is on row 3" in note for note in export.notes)
    assert any("the header is on row 5" in note for note in export_of("fanpage_karma.xlsx").notes)
    head = MAKERS.YT_HEAD
    other = ["Content", "Video title", "Video publish time", "Views", "Likes", "Impressions", *head[6:]]
    other = [*head[:-1], head[-1].upper()]
    fails(
        write(MAKERS.table([head, other, *MAKERS.yt_rows()])),
        "two rows could be the header: rows 1 and 2",
    )


def test_F10_several_tables_in_one_file(write: Write):
    both = export_of("Reach.csv")
    assert "must not be added up" in caution(both, "several networks")
    assert both.rows.groupby("platform").size().to_dict() == {"facebook": 9, "instagram": 9}
    fails(FILES / "Reach.csv", "must not be added up", strict=True)
    assert set(read_export(FILES / "Reach.csv", platform="facebook").rows["platform"]) == {"facebook"}
    twice = "# Start date: 20260101\n# End date: 20260102\nNth day,Users\n0000,5\n0001,6\n\n" * 2
    assert len(read_export(write(twice)).rows) == 2  # the same figures twice are one table
    fails(
        write(twice.replace("0001,6", "0001,7", 1)),
        "users is given twice for the same day with different values",
    )


def test_F11_every_row_in_one_pair_of_quotation_marks(write: Write):
    export = export_of("orders_export_damaged.csv")
    assert "damaged by a spreadsheet (whole lines in quotation marks), repaired" in caution(
        export, "repaired"
    )
    assert export.accounting.rows_in == export_of("orders_export.csv").accounting.rows_in
    broken = (FILES / "orders_export_damaged.csv").read_bytes().split(b"\r\n")
    broken[2] = broken[2].replace(b",", b"", 1)
    fails(write(b"\r\n".join(broken)), "cannot be repaired: rows have different widths: 1 of 20 rows, row 3")


def test_F12_the_wrong_delimiter(write: Write):
    for delimiter, said in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        export = read_export(
            write([["Date", "Views"], ["2026-01-01", 5], ["2026-01-02", 6]], delimiter=delimiter)
        )
        assert any(said in note for note in export.notes)
    fails(write("Views\n5\n6\n"), "only one column was found")


def test_F13_line_ends_and_a_lonely_quotation_mark(write: Write):
    assert len(export_of("meta_fb_posts_2026.csv").rows) == 8  # captions of several lines
    text = MAKERS.table(rows())
    fails(write(text.replace("p4,", '"p4,')), r"row 6: a quotation mark is not closed", mapping=own())
    long = MAKERS.table(rows(28) * 4)
    head, tail = long.replace("p4,", '"p4,', 1).rsplit("p27,", 1)
    fails(write(f'{head}p27",{tail}'), "row 6: a quotation mark opens here and swallows", mapping=own())


def test_F14_rows_of_another_width(write: Write):
    table = rows()
    table[3] = table[3][:-1]
    table[7] = [*table[7], 5]
    message = fails(write(table), "rows have more or fewer cells than the header's 7: 2 rows", mapping=own())
    assert "rows 4, 8" in message
    table[7] = [*table[7][:-1], ""]
    table[3] = rows()[3]
    assert len(read_export(write(table), mapping=own()).rows) == 12  # an empty cell too many is none


def test_F15_the_bytes_decide_not_the_name(write: Write):
    assert export_of("web_page.xls").format == "youtube-totals"
    assert any("web page" in note for note in export_of("web_page.xls").notes)
    assert any(
        "plain text" in n for n in read_export(write("Date,Views\n2026-01-01,5\n", name="Totals.xls")).notes
    )
    workbook = (FILES / "meta_ads_total_first.xlsx").read_bytes()
    assert any("in spite of its name" in n for n in read_export(write(workbook, name="ads.csv")).notes)
    archive = export_of("youtube.zip")
    assert archive.format == "youtube-content"
    assert any("youtube-totals" in note for note in archive.notes)
    assert read_export(FILES / "youtube.zip", platform="youtube-totals").kind == "daily"


def test_F16_a_workbook_of_several_sheets(write: Write):
    table = [["Date", "Views"], ["2026-01-01", 5], ["2026-01-02", 6]]
    made = MAKERS
    hidden = made.xlsx_bytes({"old": [["Date", "Views"], ["2025-01-01", 1]], "new": table}, hidden=["old"])
    assert read_export(write(hidden, name="a.xlsx")).rows["views"].tolist() == [5, 6]
    both = made.xlsx_bytes({"old": [["Date", "Views"], ["2025-01-01", 1]], "new": table})
    export = read_export(write(both, name="a.xlsx"))
    assert export.rows["views"].tolist() == [1, 5, 6]
    assert any("put together: 'old', 'new'" in note for note in export.notes)
    other = made.xlsx_bytes({"old": [["Date", "Views"], ["2026-01-01", 1]], "new": table})
    fails(write(other, name="a.xlsx"), "several tables of one file with different figures")


def test_F17_two_exports_of_the_same_posts(write: Write):
    first = read_export(write(rows()), mapping=own())
    again = combine_exports([first, first])
    assert len(again.rows) == 12
    assert again.accounting.rejected == 12
    assert "12 rows stand in several exports, kept once" in caution(again, "overlap")
    grown = read_export(write(rows(likes=lambda i: 20 + 2 * i)), mapping=own(exported_at="2026-03-01"))
    told = combine_exports([grown, first])
    assert told.rows["likes"].tolist() == [20 + 2 * i for i in range(12)]
    assert "since figures of posts grow and most of its are larger" in caution(told, "overlap")
    mixed = read_export(write(rows(likes=lambda i: 10 + i + (3 if i % 2 else -3))), mapping=own())
    with pytest.raises(ErresearchError, match="12 rows stand in several exports with different figures"):
        combine_exports([first, mixed])
    early = read_export(write(rows()), mapping=own(exported_at="2026-02-01"))
    newest = combine_exports([grown, early])
    assert newest.rows["likes"].tolist() == [20 + 2 * i for i in range(12)]
    assert "12 of them had changed, by 100%" in caution(newest, "overlap")
    assert newest.accounting.rows_in == 24
    with pytest.raises(ErresearchError, match="there is nothing to combine"):
        combine_exports([])
    with pytest.raises(ErresearchError, match="exports of different kinds"):
        combine_exports([first, export_of("Totals.csv")])


def test_F17_figures_of_one_day_in_several_files_are_no_repeats():
    """Meta gives reach and follows of the same days in two files: neither may push the other out."""
    reach, follows = export_of("Reach.csv"), export_of("Follows.csv")
    both = combine_exports([reach, follows])
    assert both.accounting.rejected == 0
    assert both.rows["reach"].sum() == reach.rows["reach"].sum()
    assert both.rows["followers_gained"].sum() == follows.rows["followers_gained"].sum()
    again = combine_exports([reach, follows, reach])
    assert again.accounting.rejected == reach.accounting.used
    assert again.rows["reach"].sum() == reach.rows["reach"].sum()


def test_F18_a_table_cut_at_the_limit_of_the_platform(write: Write):
    head = ["Content", "Video title", "Video publish time", "Views"]
    table = [head, *([f"v{i}", "t", "Jan 5, 2026", 100 + i] for i in range(500))]
    assert "exactly 500 rows, the platform's limit" in caution(read_export(write(table)), "cut table")
    assert "cut table" not in codes(read_export(write(table[:-1])))


def test_F19_what_is_no_export_at_all(write: Write):
    fails(Path("https://docs.google.com/spreadsheets/d/1"), "an address on the web is not a file")
    fails(write(b"%PDF-1.7 ...", name="report.pdf"), r"report\.pdf is a PDF, which holds no export")
    numbers = MAKERS.zip_bytes({"Index/Document.iwa": b"x", "Metadata/Properties.plist": b"x"})
    fails(write(numbers, name="a.numbers"), "is a Numbers document")
    fails(write(b"\x1f\x8b\x08abc", name="a.csv.gz"), "is a gzip archive")
    fails(write(bytes(range(32)) * 50, name="a.csv"), "is not a text file")
    fails(Path("there-is-no-such-file.csv"), "could not read")
    fails(FILES, "is a folder, not a file")


def test_F20_a_large_file_reads_the_same_as_a_small_one(write: Write, monkeypatch: pytest.MonkeyPatch):
    """The parser for large files and the one for small ones agree, row by row and word by word."""
    from erresearch.exports import delimited

    names = [path.name for path in FILES.iterdir() if path.suffix == ".csv"]
    slow = {name: export_of(name) for name in names}
    monkeypatch.setattr(delimited, "FAST", 0)
    for name in names:
        fast = export_of.__wrapped__(name)
        if isinstance(slow[name], str):
            assert fast == slow[name], name
            continue
        assert isinstance(fast, Export)
        drop = ["respondent"] if fast.kind == "survey" else []
        pd.testing.assert_frame_equal(fast.rows.drop(columns=drop), slow[name].rows.drop(columns=drop))
        assert fast.accounting == slow[name].accounting, name
        assert fast.warnings == slow[name].warnings, name


# ── the headers ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_H1_headers_of_other_languages(write: Write):
    for language in ("es", "nl", "de"):
        export = read_export(FILES / f"meta_ig_posts_{language}.csv")
        assert any(f"headers in {language}" in note for note in export.notes)
    message = fails(write([["Identifiant de la publication", "Heure de publication", "Couverture", "Commentaries"], [1, "2026", 5, 6]]),
                    "no known layout has these headers")  # fmt: skip
    assert "column 4 is near 'comentarios'" in message
    assert "mapping=" in message


def test_H2_capitals_drift(write: Write):
    text = (FILES / "meta_fb_posts_2026.csv").read_text("utf-8-sig")
    head, body = text.split("\n", 1)
    shouted = read_export(write(head.upper() + "\n" + body))
    usual = export_of("meta_fb_posts_2026.csv")
    pd.testing.assert_frame_equal(shouted.rows, usual.rows)


def test_H3_headers_that_differ_only_in_case(write: Write):
    export = export_of("fanpage_karma.xlsx")
    assert export.columns["network"] == "Network"
    table = [["Date", "Views", "Views"], ["2026-01-01", 5, 5], ["2026-01-02", 6, 6]]
    assert read_export(write(table)).rows["views"].tolist() == [5, 6]
    table[1][2] = 7
    fails(write(table), "the header 'Views' more than once with different cells: columns 2, 3")


def test_H4_spaces_soft_hyphens_and_line_ends_in_headers(write: Write):
    table = [["\u00a0Date ", "Vi\u00adews\n"], ["2026-01-01", 5], ["2026-01-02", 6]]
    assert read_export(write(table)).rows["views"].tolist() == [5, 6]


def test_H5_columns_come_and_go_between_months(write: Write):
    full = read_export(write(rows(6)), mapping=own())
    table = [row[:5] for row in rows(12)]
    table = [table[0], *table[7:]]
    less = read_export(write(table, name="march.csv"), mapping=own("likes", "comments", "shares"))
    both = combine_exports([full, less])
    assert any("march.csv has no reach, views: missing in its rows" in note for note in both.notes)
    assert both.rows["reach"].isna().sum() == 6
    assert both.accounting.rows_in == full.accounting.rows_in + less.accounting.rows_in


def test_H6_a_column_that_is_needed_is_missing(write: Write):
    fails(write([["id", "likes"], ["a", 1], ["b", 2]]), "lacks published_at or date",
          mapping={"kind": "posts", "columns": {"post_id": "id", "likes": "likes"}})  # fmt: skip
    export = read_export(write([["when", "likes"], ["2026-01-01", 1], ["2026-01-01", 1]]),
                         mapping={"kind": "posts", "columns": {"date": "when", "likes": "likes"}})  # fmt: skip
    assert export.rows["post_id"].tolist() == ["2026-01-01 no. 1", "2026-01-01 no. 2"]
    assert "(1 row equals an earlier one)" in caution(export, "no ids")
    fails(write([["when", "day", "likes"], ["2026-01-01", "2026-01-02", 1]]), "nothing that says which post",
          mapping={"kind": "posts", "columns": {"date": "when", "metric_date": "day", "likes": "likes"}})  # fmt: skip


def test_H7_a_figure_changes_its_name():
    old = export_of("Dec-01-2023_Mar-01-2024_100.csv")
    new = export_of("meta_fb_posts_2026.csv")
    both = combine_exports([old, new])
    assert "the definition of exposure changes on 2026-01-05: impressions and views" in caution(
        both, "changed definition"
    )
    assert both.rows["impressions"].notna().sum() == 12
    assert both.rows["views"].notna().sum() == 8


def test_H8_a_flow_that_looks_like_a_stock(write: Write):
    assert "followers" not in export_of("meta_ig_posts_es.csv").rows.columns
    mapping = own("reach", zone="UTC")
    mapping["columns"]["followers"] = "likes"  # type: ignore[index]
    fails(
        write(rows(likes=lambda i: i % 3, reach=lambda i: 4000 + i)),
        "counts new followers, not followers",
        mapping=mapping,
    )
    kept = read_export(write(rows(likes=lambda i: 5000 + i)), mapping=mapping)
    assert kept.rows["followers"].min() == 5000


def test_H9_headers_without_a_meaning_are_named_and_left():
    export = export_of("Dec-01-2023_Mar-01-2024_100.csv")
    assert any("not read: " in note and "'IMPRESSION:UNIQUE_USERS'" in note for note in export.notes)


def test_H10_a_currency_in_the_header(write: Write):
    assert set(export_of("meta_ads_total_first.xlsx").rows["currency"]) == {"UAH"}
    head = [
        "Reporting starts",
        "Reporting ends",
        "Campaign name",
        "Reach",
        "Amount spent (USD)",
        "Amount spent (EUR)",
    ]
    path = write([head, *(["2026-01-01", "2026-01-01", "a", 5, "1.5", cell] for cell in ("2.5", ""))])
    for chosen, code, spend in ((None, "USD", 3.0), ("EUR", "EUR", 2.5)):
        made = read_export(path, currency=chosen)
        assert made.rows["spend"].sum() == spend
        assert set(made.rows["currency"]) == {code}
        assert made.columns["spend"] == f"Amount spent ({code})"
        assert [c.code for c in made.warnings if "never added up" in str(c)] == ["several currencies"]


def test_H11_rows_of_headers(write: Write):
    assert len(export_of("qualtrics.csv").rows) == 10
    assert len(export_of("qualtrics_legacy.csv").rows) == 6
    assert len(export_of("surveymonkey.csv").rows) == 6
    assert len(export_of("facebook_insights.csv").rows) == 4
    lines = (FILES / "qualtrics.csv").read_text().split("\n")
    lines[2] = lines[2].replace("ImportId", "Imported")
    fails(
        write("\n".join(lines)), r"the rows of headers are not understood: neither row 2 nor row 3 has a day"
    )


def test_H12_no_row_of_headers(write: Write):
    fails(
        write([["2026-01-01", 5, 1.5], ["2026-01-02", 6, 2.5]]),
        "no known layout fits, and no row looks like headers: 3 cells such as '0000-00-00'",
    )


def test_H13_the_same_file_name_by_another_dimension():
    fails(
        FILES / "Table data.csv",
        "this table is by Geography; in YouTube Studio's advanced mode choose the tab Content",
    )


def test_H14_a_title_that_contradicts_the_header(write: Write):
    text = "# Pages and screens: Page path\n# Account: A\n# Start date: 20260101\n# End date: 20260131\nPage title,Views\nHome,5\n"
    export = read_export(write(text))
    assert any(
        "the report's title names another dimension than its header 'Page title'" in note
        for note in export.notes
    )


def test_H15_another_tool_comes_in_through_a_mapping(write: Write, tmp_path: Path):
    path = write(rows())
    fails(path, "no known layout has these headers")
    mapping = tmp_path / "own.toml"
    mapping.write_text(
        'kind = "posts"\nplatform = "own"\nzone = "UTC"\n[columns]\npost_id = "id"\npublished_at = "when"\nlikes = "likes"\n'
    )
    export = read_export(path, mapping=mapping)
    assert export.format == "mapping"
    assert export.rows["likes"].tolist() == list(range(10, 22))
    assert "reach" not in export.rows.columns  # never by position
    fails(
        path,
        "has no column 'nr', which the mapping names: .*'id', 'when'",
        mapping={**POSTS, "columns": {"post_id": "nr", "published_at": "when"}},
    )


def test_H15_the_example_in_the_readme_is_read(tmp_path: Path):
    readme = (FOLDER.parent.parent / "README.md").read_text(encoding="utf-8")
    blocks = {
        kind: re.search(rf"```{kind}\n(.*?)```", readme, re.DOTALL) for kind in ("csv", "toml", "console")
    }
    path = tmp_path / "toots.csv"
    path.write_text(blocks["csv"][1], encoding="utf-8")
    beside = tmp_path / "toots.csv.toml"
    beside.write_text(blocks["toml"][1], encoding="utf-8")
    export = read_export(path, mapping=beside)
    assert export.rows["published_at"].astype(str).tolist() == [
        "2026-01-31 09:00:00+00:00",
        "2026-02-28 08:30:00+00:00",
    ]
    assert export.rows["likes"].tolist() == [12, 7]
    assert export.rows["shares"].isna().tolist() == [False, True]
    shown = str(inspect_export(path, mapping=beside))
    for line in blocks["console"][1].splitlines():
        assert line in shown.splitlines()


# ── the cells ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_T1_ids_that_a_spreadsheet_rounded(write: Write):
    export = export_of("tweet_activity_resaved.csv")
    assert "rounded 5 ids to 1 different one" in caution(export, "ids rounded")
    assert export.rows["post_id"].is_unique
    fails(
        write(rows(id=lambda i: "6.49E+17")),
        "a spreadsheet rounded the ids: 1 different id in 12 rows",
        mapping=own(),
    )


def test_T2_long_ids_keep_every_digit():
    export = export_of("account_analytics_content.csv")
    assert export.rows["post_id"].iloc[0] == MAKERS.tweet_id(MAKERS.MOMENTS[0])
    assert pd.api.types.is_string_dtype(export.rows["post_id"])


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,972,048", 1972048),
        ("1.972.048", 1972048),
        ("1 972 048", 1972048),
        ("1'972'048", 1972048),
        ("1\u202f972", 1972),
    ],
)
def test_T3_thousands_of_counts(write: Write, cell: str, value: float):
    export = read_export(write(rows(reach=lambda i: cell, views=lambda i: 2_000_000)), mapping=own())
    assert set(export.rows["reach"]) == {value}


def test_T3_one_convention_for_a_column(write: Write):
    spend = {"kind": "ads", "columns": {"date": "day", "spend": "cost"}}
    table = [["day", "cost"], *([f"2026-01-{1 + i:02d}", "1,234"] for i in range(4))]
    message = fails(
        write(table, delimiter=";"), "column 'cost' does not say which sign is the decimal one", mapping=spend
    )
    assert "rows 2, 3, 4 and 1 more" in message
    for sign, value in ((".", 1234.0), (",", 1.234)):
        export = read_export(write(table, delimiter=";"), mapping=spend, decimal=sign)
        assert set(export.rows["spend"]) == {value}
    table[1][1] = "1.234,56"  # one cell decides for all
    assert read_export(write(table, delimiter=";"), mapping=spend).rows["spend"].tolist() == [
        1234.56,
        1.234,
        1.234,
        1.234,
    ]
    fails(write(table, delimiter=";"), "`decimal` is no decimal sign", mapping=spend, decimal=";")


@pytest.mark.parametrize(
    ("cell", "value"), [("1.2K", 1200), ("3,4M", 3_400_000), ("2 тыс.", 2000), ("1.2万", 12000)]
)
def test_T4_rounded_numbers(write: Write, cell: str, value: float):
    export = read_export(write(rows(views=lambda i: cell if i < 4 else 9_000_000)), mapping=own())
    assert export.rows["views"].iloc[0] == value
    assert export.rows["rounded"].sum() == 4
    assert "4 numbers are rounded" in caution(export, "rounded")


def test_T5_percent_and_fractions(write: Write):
    def rates(header: str, cell: str) -> Export:
        table = [[*HEAD, header], *([*row, cell] for row in rows()[1:])]
        mapping = own()
        mapping["columns"]["er_reported"] = header  # type: ignore[index]
        return read_export(write(table), mapping=mapping)

    assert set(rates("rate", "77.5%").rows["er_reported"]) == {0.775}
    assert set(rates("rate", "0.6").rows["er_reported"]) == {0.6}
    assert set(rates("rate (%)", "5.19").rows["er_reported"].round(6)) == {0.0519}
    odd = rates("rate", "5.19")
    assert "12 shares exceed 1" in caution(odd, "share above 1")


@pytest.mark.parametrize("token", ["--", " --", "-", "undefined", "N/A", "NA", "null", "(not set)", ""])
def test_T6_spellings_of_nothing(write: Write, token: str):
    export = read_export(write(rows(reach=lambda i: token if i < 3 else 950)), mapping=own())
    assert export.rows["reach"].isna().sum() == 3
    assert dict(export.accounting.missing["reach"]) == {token.strip(): 3}
    assert (export.rows["reach"] == 0).sum() == 0


@pytest.mark.parametrize("cell", ["< 10%", "< 1", "> 90%"])
def test_T7_bounds_are_no_values(write: Write, cell: str):
    export = read_export(write(rows(reach=lambda i: cell if i == 2 else 950)), mapping=own())
    assert export.rows["reach"].isna().tolist() == [i == 2 for i in range(12)]
    assert export.rows["censored"].tolist() == [i == 2 for i in range(12)]
    assert "only bounds" in caution(export, "censored")


def test_T8_whole_numbers_with_a_point(write: Write):
    export = read_export(write(rows(likes=lambda i: f"{10 + i}.0")), mapping=own())
    assert export.rows["likes"].tolist() == list(range(10, 22))
    broken = read_export(write(rows(likes=lambda i: "10.5" if i == 1 else f"{10 + i}.0")), mapping=own())
    assert "'00.0' is no count" in caution(broken, "not whole")
    assert broken.rows["likes"].isna().sum() == 1


@pytest.mark.parametrize(
    ("cells", "value", "code"),
    [
        (["US$50.00", "US$51.25"], 50.0, "USD"), (["$ 13361.11", "$ 2.50"], 13361.11, "USD"), (["৳2,999.5", "৳3"], 2999.5, "BDT"),
        (["-€12,50", "€1.200,00"], -12.5, "EUR"), (["(12.50)", "7.25"], -12.5, ""), (["12.50 EUR", "7.25 EUR"], 12.5, "EUR"),
    ],
)  # fmt: skip
def test_T9_money(write: Write, cells: list[str], value: float, code: str):
    table = [["day", "cost"], *([f"2026-01-0{1 + i}", cell] for i, cell in enumerate(cells))]
    export = read_export(
        write(table, delimiter=";"), mapping={"kind": "ads", "columns": {"date": "day", "spend": "cost"}}
    )
    assert export.rows["spend"].iloc[0] == value
    assert set(export.rows["currency"]) == {code}


def test_T9_several_currencies_in_one_column(write: Write):
    table = [["day", "cost"], ["2026-01-01", "€5.50"], ["2026-01-02", "£6.50"]]
    mapping = {"kind": "ads", "columns": {"date": "day", "spend": "cost"}}
    for chosen, spend in ((None, 5.5), ("GBP", 6.5)):
        made = read_export(write(table), mapping=mapping, currency=chosen)
        assert made.rows["spend"].sum() == spend
        assert any("1 in " in str(c) for c in made.warnings if c.code == "several currencies")
    sold = {"kind": "outcomes", "columns": {"date": "day", "amount": "cost"}}
    made = read_export(write([*table, ["2026-01-03", "£1.50"]]), mapping=sold)
    assert made.rows.loc[made.rows["outcome"] == "revenue", "value"].sum() == 8
    assert set(made.rows["currency"]) == {"GBP", ""}
    assert made.accounting.out_of_scope == 1


@pytest.mark.parametrize(("cell", "value"), [("0:04:34", 274), ("00:00:06", 6), ("394", 394), ("0:12", 12)])
def test_T10_durations(write: Write, cell: str, value: float):
    mapping = own("likes")
    mapping["columns"]["duration_s"] = "shares"  # type: ignore[index]
    assert set(read_export(write(rows(shares=lambda i: cell)), mapping=mapping).rows["duration_s"]) == {value}
    mixed = write(rows(shares=lambda i: "0:12" if i else "394"))
    fails(mixed, "mixes durations as minutes and seconds with plain seconds", mapping=mapping)


def test_T11_dates_that_do_not_say_their_order(write: Write):
    table = rows(when=lambda i: f"0{(1, 2, 4, 8, 9)[i % 5]}/04/2025")
    message = fails(write(table), "column 'when' does not say which number is the month", mapping=own())
    assert "dayfirst=True or dayfirst=False" in message
    assert read_export(write(table), mapping=own(), dayfirst=True).rows["published_at"].iloc[
        0
    ] == pd.Timestamp("2025-04-01", tz="UTC")
    assert read_export(write(table), mapping=own(), dayfirst=False).rows["published_at"].iloc[
        0
    ] == pd.Timestamp("2025-01-04", tz="UTC")
    assert (
        export_of("meta_fb_posts_2026.csv").rows["published_at"].dt.month.eq(1).all()
    )  # a rule of the platform
    fails(
        write(rows(when=lambda i: "13/01/2025" if i % 2 else "01/13/2025")),
        "mixes dates with the month first",
        mapping=own(),
    )


def test_T12_dates_without_a_year(write: Write):
    assert export_of("Content.csv").rows["published_at"].dt.year.tolist() == [
        2025,
        2025,
        2025,
        2026,
    ]
    content = (FILES / "FollowerHistory_2026-01-19.csv").read_bytes()
    fails(write(content, name="FollowerHistory.csv"), "has dates without a year: first in row 2.*exported_at")
    said = read_export(write(content, name="FollowerHistory.csv"), mapping={"exported_at": "2026-01-19"})
    assert said.rows["date"].iloc[0] == pd.Timestamp("2025-12-10")
    path = write(content, name="FollowerHistory.csv")
    import os

    moment = dt.datetime(2026, 1, 20, 9, tzinfo=dt.UTC).timestamp()
    os.utime(path, (moment, moment))
    found = read_export(path)
    assert found.rows["date"].iloc[-1] == pd.Timestamp("2026-01-18")
    assert "taken from the file's own date, 2026-01-20" in caution(found, "year")


@pytest.mark.parametrize(("cell", "day"), [("5 sept 2026", "2026-09-05"), ("15 мая 2026", "2026-05-15"), ("3 de enero de 2026", "2026-01-03"),
                                           ("1. März 2026", "2026-03-01"), ("2 mrt 2026", "2026-03-02"), ("Dec 15, 2025", "2025-12-15")])  # fmt: skip
def test_T13_names_of_months(write: Write, cell: str, day: str):
    export = read_export(write(rows(when=lambda i: cell)), mapping=own())
    assert set(export.rows["published_at"]) == {pd.Timestamp(day, tz="UTC")}
    fails(
        write(rows(when=lambda i: "5 Brumaire 2026")),
        "has months in no known language: 12 of 12 cells",
        mapping=own(),
    )


def test_T14_an_index_instead_of_a_date(write: Write):
    export = export_of("ga4_es.csv")
    assert export.rows["date"].tolist() == pd.date_range("2026-01-01", periods=10).tolist()
    month = read_export(
        write("# Start date: 20250101\n# End date: 20250430\nYear month,Sessions\n202503,5\n202504,6\n")
    )
    assert month.rows[["date", "date_end", "grain"]].iloc[1].tolist() == [
        pd.Timestamp("2025-04-01"),
        pd.Timestamp("2025-04-30"),
        "month",
    ]
    text = (FILES / "ga4_es.csv").read_text().replace("20260101", "unknown")
    fails(write(text), "'Día N' counts from a start that the file does not state")


def test_T15_ranges_and_lifetimes(write: Write):
    export = export_of("meta_ads_months.csv")
    assert export.rows[["date", "date_end", "grain"]].iloc[0].tolist() == [
        pd.Timestamp("2026-01-01"),
        pd.Timestamp("2026-01-28"),
        "month",
    ]
    for word in ("Lifetime", "Total", "Gesamte Laufzeit"):
        text = (FILES / "meta_ig_posts.csv").read_text("utf-8-sig").replace("Lifetime", word)
        assert read_export(write(text)).kind == "posts"
    text = (FILES / "meta_ig_posts.csv").read_text("utf-8-sig").replace("Lifetime", "01/31/2026", 3)
    fails(write(text), "mixes days with figures of the whole life: 9 of 12 rows")


def test_T16_minutes_that_are_the_month():
    export = export_of("Dec-01-2023_Mar-01-2024_100.csv")
    assert "in every row the minutes equal the month, a known fault of Meta's exports" in caution(
        export, "minutes are the month"
    )
    assert set(export.rows["time_precision"]) == {"day"}
    assert (export.rows["published_at"].dt.hour == 0).all()


def test_T17_a_clock_of_twelve_hours(write: Write):
    text = (FILES / "meta_fb_posts_2026.csv").read_text("utf-8-sig").split("\n")[0] + "\n"
    made = MAKERS
    body = [
        [*made.fb_row(i, f"01/{1 + i:02d}/2026 {1 + i % 10:02d}:{10 + i}"), 900, 800, 15, 10, 3, 2, *[5] * 9]
        for i in range(24)
    ]
    export = read_export(write(text + made.table(body)))
    assert "hours run from 1 to 12 without AM or PM" in caution(export, "clock of 12 hours")
    assert set(export.rows["time_precision"]) == {"day"}


def test_T18_dates_as_numbers_and_numbers_as_dates(write: Write):
    export = read_export(write(rows(when=lambda i: 45231 + i)), mapping=own())
    assert export.rows["published_at"].iloc[0] == pd.Timestamp("2023-11-01", tz="UTC")
    assert "dates are numbers of a spreadsheet and were turned back" in caution(export, "serial dates")
    export = read_export(write(rows(likes=lambda i: "1900-04-09" if i == 0 else 10 + i)), mapping=own())
    assert export.rows["likes"].iloc[0] == 100
    assert "stored as dates by a spreadsheet" in caution(export, "number as date")


def test_T19_impossible_dates(write: Write):
    def table(cell: str) -> list[list[object]]:
        made = rows(30, when=lambda i: f"{1 + i % 28:02d}/01/2026 10:00")
        made[5][1] = cell
        return made

    export = read_export(write(table("31/02/2026 10:00")), mapping=own())
    text = caution(export, "not a date")
    assert (
        "posts.csv row 6, column \"when\": '00/00/0000 00:00' is not a date. Rows with this problem: 1"
        in text
    )
    assert export.accounting.rejected == 1
    for cell in ("01/01/1900 10:00", "01/01/2099 10:00"):
        assert read_export(write(table(cell)), mapping=own()).accounting.rejected == 1
    later = read_export(write(table("05/03/2026 10:00")), mapping=own(exported_at="2026-02-01"))
    assert later.accounting.rejected == 1  # published after the export
    bad = table("31/02/2026 10:00")
    bad[9][1] = bad[8][1] = "soon"
    message = fails(
        write(bad),
        r"row 6, column \"when\": '00/00/0000 00:00' is not a date. Rows with this problem: 3",
        mapping=own(),
    )
    assert "at most 5%" in message


def test_T20_spellings_of_yes_and_no(write: Write):
    mapping = own("likes")
    mapping["columns"]["is_crosspost"] = "shares"  # type: ignore[index]
    spelled = ["TRUE", "true", "1", "yes", "ja", "no", "nein", "0", "FALSE", "nee", "sí", "?"]
    export = read_export(write(rows(shares=lambda i: spelled[i])), mapping=mapping)
    assert export.rows["is_crosspost"].fillna(False).sum() == 6
    assert export.rows["is_crosspost"].isna().sum() == 1


@pytest.mark.parametrize("cell", ["=A1+B1", "#REF!", "#DIV/0!", "'5", "=cmd|' /C calc'!A0", "@SUM(1)"])
def test_T21_formulas_are_not_evaluated(write: Write, cell: str):
    export = read_export(write(rows(likes=lambda i: cell if i == 3 else 10)), mapping=own())
    assert export.rows["likes"].isna().tolist() == [i == 3 for i in range(12)]
    assert "1 cell holds a formula or its error" in caution(export, "formula")


def test_T21_the_stored_value_of_a_formula_is_taken_and_counted(write: Write):
    book = MAKERS.xlsx_bytes({"s": [["Date", "Views"], ["2026-01-01", 5], ["2026-01-02", "=1+1"]]})
    export = read_export(write(book, name="a.xlsx"))
    assert export.rows["views"].tolist() == [5, 1]
    assert "a.xlsx holds 1 formula; the values that it stores for them were taken" in export.notes


def test_T22_any_letters_in_names(write: Write):
    names = ["🎉 party", "\u200fשלום", "𝐛𝐨𝐥𝐝", "<script>alert(1)</script>", "a'b\"c", "=1+1"]
    mapping = own("likes")
    del mapping["account"]
    mapping["columns"]["account"] = "shares"  # type: ignore[index]
    export = read_export(write(rows(6, shares=lambda i: names[i])), mapping=mapping)
    assert export.rows["account"].tolist() == names
    assert "columns" in str(inspect_export(FILES / "meta_ig_posts.csv"))


def test_T23_a_figure_that_never_moves(write: Write):
    export = read_export(write(rows(shares=lambda i: 0)), mapping=own())
    assert "column 'shares' is the same in all 12 rows: without variation it cannot be used" in caution(
        export, "no variation"
    )


# ── the meaning ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_S1_rows_that_sum_others(write: Write):
    for name, count in (("youtube_table.csv", 1), ("youtube_table_ru.csv", 1), ("google_ads.csv", 2), ("meta_ads_total_first.xlsx", 1),
                        ("ga4_events.csv", 1), ("pinterest_ads.csv", 1)):  # fmt: skip
        assert read_export(FILES / name).accounting.totals == count, name
    table = MAKERS.yt_rows()
    table[0][10] = 99999
    export = read_export(write(MAKERS.table([MAKERS.YT_HEAD, *table])))
    assert "do not add up to the platform's row of totals (views to 20%)" in caution(export, "totals")
    assert "totals" not in codes(export_of("youtube_table.csv"))


def test_S2_rows_in_which_the_platform_failed():
    export = export_of("Dec-01-2023_Mar-01-2024_100.csv")
    assert export.accounting.error_rows == 2
    assert "(rows 5, 15)" in caution(export, "error_rows")


def test_S3_the_same_post_twice(write: Write):
    table = rows()
    export = read_export(write([*table, table[4]]), mapping=own())
    assert export.accounting.rejected == 1
    assert "copies of an earlier row (row 14)" in caution(export, "rejected")
    changed = [*table[4][:2], 99, *table[4][3:]]
    fails(
        write([*table, changed]),
        "the same post stands in several rows with different figures: 1 row too many, rows 5, 14",
        mapping=own(),
    )


def test_S4_rows_by_post_and_day_are_no_posts():
    export = export_of("meta_fb_daily.csv")
    assert export.kind == "daily"
    assert "15 rows of 3 posts, one per post and day" in caution(export, "one row per post and day")
    assert read_export(FILES / "meta_fb_daily.csv", mapping={"per_post": True}).kind == "posts"


def test_S5_zeros_of_before_the_post_existed():
    export = export_of("meta_fb_daily.csv")
    assert export.accounting.reasons["days before the post existed"] == 6
    assert (
        export.rows["date"]
        >= export.rows["published_at"].dt.tz_localize(None).dt.floor("D") - pd.Timedelta(days=1)
    ).all()


def test_S6_posts_of_other_accounts():
    export = export_of("meta_ig_posts.csv")
    assert "1 of 12 posts by other accounts" in caution(export, "other accounts")
    assert export.rows["collaboration"].sum() == 1


def test_S7_posts_on_both_networks():
    export = export_of("meta_fb_posts_2026.csv")
    assert "1 post was also published on the sister network" in caution(export, "crosspost")
    assert export.rows["is_crosspost"].sum() == 1


def test_S8_posts_that_were_advertised():
    export = export_of("meta_fb_split.csv")
    assert export.rows["is_paid"].sum() == 1
    assert "spending confounds" in caution(export, "paid")


def test_S9_kinds_of_post():
    export = export_of("meta_fb_posts_2026.csv")
    assert any("2 kinds of post (image, video)" in note for note in export.notes)


def test_S10_figures_that_cannot_be(write: Write):
    ranged = write(rows(shares=lambda i: -2 if i == 1 else 3))
    assert "figures are of a range of dates" in caution(
        read_export(ranged, mapping=own()), "figures of a range"
    )
    export = read_export(ranged, mapping={**own(), "since": "lifetime"})
    assert export.rows["shares"].iloc[1] == -2
    assert "1 value is negative and were kept (row 3)" in caution(export, "negative")
    export = read_export(
        write(rows(likes=lambda i: 5000 if i < 2 else 10, views=lambda i: 9000)), mapping=own()
    )
    assert "2 rows have more reactions than people reached (rows 2, 3)" in caution(export, "rate above 1")
    fails(
        write(rows(likes=lambda i: 5000 if i < 4 else 10)),
        "4 of 12 rows have more reactions than people reached",
        mapping=own(),
    )
    assert "more reach than views" in caution(
        read_export(write(rows(reach=lambda i: 2000)), mapping=own()), "order"
    )


def test_S11_views_without_reach(write: Write):
    export = read_export(write(rows(reach=lambda i: 0 if i == 2 else 900)), mapping=own())
    assert export.rows["reach"].isna().sum() == 1
    assert "1 post has views and a reach of 0" in caution(export, "reach of 0")


def test_S12_sums_of_reactions_that_differ():
    export = export_of("account_analytics_content.csv")
    assert any(
        "own sum of reactions differs from likes + comments + shares in 8 of 8 rows" in note
        for note in export.notes
    )
    assert {"engagements_reported", "likes"} <= set(export.rows.columns)


def test_S13_a_rate_of_unknown_formula():
    export = export_of("tweet_activity_metrics_maplemoss.csv")
    assert "er_reported" in export.rows.columns
    assert any("its formula is not stated, so it is not used" in note for note in export.notes)


def test_S14_posts_that_are_still_young(write: Write):
    export = read_export(write(rows()), mapping=own(exported_at="2026-01-14"))
    assert "6 posts were younger than 7 days" in caution(export, "young posts")
    assert export.exported_at == dt.date(2026, 1, 14)


def test_S15_old_and_new_posts_had_different_times(write: Write):
    export = read_export(write(rows()), mapping=own(exported_at="2026-01-20"))
    assert export.rows["age_days"].iloc[0] == pytest.approx(18 + 13 / 24, abs=1)
    assert any(
        "posts were 8 to 19 days old at the export" in note and "age_days" in note for note in export.notes
    )
    alike = read_export(write(rows()), mapping=own(exported_at="2027-01-20"))
    assert not any("days old at the export" in note for note in alike.notes)
    assert "age_days" not in read_export(write(rows()), mapping=own()).rows.columns


def test_S16_one_follower_count_for_all(write: Write):
    mapping = own("likes")
    mapping["columns"]["followers"] = "reach"  # type: ignore[index]
    export = read_export(write(rows(reach=lambda i: 5000)), mapping=mapping)
    assert "equals the reactions up to a constant" in caution(export, "no variation")


def test_S17_people_are_not_added_up():
    assert any("reach counts people" in note for note in export_of("Reach.csv").notes)
    assert any("users count people" in note for note in export_of("ga4_daily.csv").notes)


def test_S19_scores_on_another_scale(write: Write):
    def survey(score: Callable[[int], object], **mapping: object) -> Path:
        head = [
            "#",
            "How likely are you to recommend us?",
            "Start Date (UTC)",
            "Submit Date (UTC)",
            "Network ID",
        ]
        return write(
            [
                head,
                *(
                    [f"t{i}", score(i), "2026-01-01 10:00:00", f"2026-01-{1 + i:02d} 10:00:00", "n"]
                    for i in range(12)
                ),
            ]
        )

    fails(survey(lambda i: 1 + i % 5), "is not a score from 0 to 10: none is above 5")
    fails(survey(lambda i: 10 * i), "is not a score from 0 to 10: rows 4, 5, 6 and 7 more")
    fails(survey(lambda i: -20.5 + i), "is not a score from 0 to 10")
    export = read_export(survey(lambda i: 1 + i % 10))
    assert "runs from 1 to 10 without a 0" in caution(export, "scale")
    said = read_export(survey(lambda i: 1 + i % 5), mapping={"scale": "1-5"})
    assert "on a scale of 1 to 5" in caution(said, "other scale")
    label = read_export(survey(lambda i: "10 - Extremely likely" if i else "0 - Not at all likely"))
    assert label.rows["score"].tolist() == [0, *[10] * 11]
    fails(survey(lambda i: "fine"), "holds no score")
    fails(survey(lambda i: 5), "the scale of a survey is not understood", mapping={"scale": "ten"})
    fails(survey(lambda i: 5), "has no column 'Q9'", mapping={"score": "Q9"})


def test_S19_the_question_is_not_guessed(write: Write):
    head = ["#", "How many cats?", "How many dogs?", "Start Date (UTC)", "Submit Date (UTC)"]
    table = [head, *([f"t{i}", 3, 4, "2026-01-01", f"2026-01-{1 + i:02d} 10:00:00"] for i in range(5))]
    fails(write(table), "no question asks for a recommendation")
    head[1] = head[2] = "Would you recommend us, part {}?"
    table[0] = [h.format(i) for i, h in enumerate(head)]
    fails(write(table), "several columns could be the score")


def test_S20_trial_runs_unfinished_and_repeated_answers(write: Write):
    export = export_of("qualtrics.csv")
    assert dict(export.accounting.reasons) == {"trial runs (preview)": 1, "answers that were not finished": 1}
    lines = (FILES / "typeform.csv").read_text().split("\n")
    again = read_export(write("\n".join([*lines[:-1], lines[3], ""])))
    assert again.accounting.reasons["earlier answers of the same respondent"] == 1


def test_S21_what_was_deleted_is_not_there():
    assert any("lists the posts that still exist" in note for note in export_of("Content.csv").notes)


# ── outcomes ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_O1_one_row_per_line_item(write: Write):
    export = export_of("orders_export.csv")
    assert export.accounting.reasons["further line items of an order that is counted"] == 9
    table = [list(row) for row in MAKERS.shopify_rows()]
    (extra,) = [row for row in table if row[0] == "#1001" and row[11] == ""]
    extra[11] = "51.06"
    fails(
        write(MAKERS.table([MAKERS.SHOPIFY_HEAD, *table])),
        "money stands on several rows of one order: row 4",
    )


def test_O2_payments_that_failed_are_no_sales():
    export = export_of("unified_payments.csv")
    assert any("8 Paid, 3 Failed, 1 Refunded" in note for note in export.notes)
    sales = export.rows[(export.rows["outcome"] == "revenue") & (export.rows["kind"] == "sale")]
    assert sales["value"].sum() == 9 * 8.0
    woo = export_of("woocommerce.csv").rows
    assert woo[woo["outcome"] == "orders"]["kind"].value_counts().to_dict() == {
        "sale": 3,
        "cancelled": 1,
        "failed": 1,
        "pending": 1,
    }


def test_O3_refunds_on_their_own_day():
    stripe = export_of("unified_payments.csv")
    assert any(
        "1 refund in rows of their own, negative, on the day of the refund" in note for note in stripe.notes
    )
    shop = export_of("orders_export.csv")
    assert any("on the day of the order, as the file has no other" in note for note in shop.notes)
    assert (shop.rows[shop.rows["kind"] == "refund"]["value"] < 0).all()
    sales = export_of("shopify_sales.csv").rows
    assert sales[sales["outcome"] == "returns"]["value"].max() <= 0


def test_O4_several_currencies(write: Write):
    table = [row[:6] + row[14:15] for row in [MAKERS.STRIPE_HEAD, *MAKERS.stripe_rows(("usd", "eur"))]]
    for chosen, code in ((None, "EUR"), ("USD", "USD")):
        one = read_export(write(table), currency=chosen)
        assert set(one.rows["currency"]) - {""} == {code}
        assert (one.accounting.used, one.accounting.out_of_scope) == (6, 6)
        assert any(c.code == "several currencies" for c in one.warnings) == (chosen is None)
    fails(write(table), "holds no amounts in GBP", currency="GBP")


def test_O5_which_money_it_is():
    assert any("revenue is column 'Total'" in note for note in export_of("orders_export.csv").notes)


def test_O6_deals_that_are_not_won(write: Write):
    export = export_of("hubspot-crm-exports-deals.csv")
    assert export.accounting.used == 2
    assert dict(export.accounting.reasons) == {"a state that does not count as sold": 2, "deals lost": 1}
    won = read_export(FILES / "hubspot-crm-exports-deals.csv", mapping={"won": ["Contract sent"]})
    assert won.rows[won.rows["outcome"] == "revenue"]["value"].tolist() == [1504]
    fails(
        FILES / "hubspot-crm-exports-deals.csv",
        "no deal is in a stage that counts as won",
        mapping={"won": ["Signed"]},
    )
    text = (FILES / "hubspot-crm-exports-deals.csv").read_text().replace("2026-01-13", "2090-01-13")
    assert "1 row dated in the future" in caution(read_export(write(text)), "future dates")


def test_O7_results_that_the_seller_credits_to_itself():
    text = caution(export_of("meta_ads_daily.csv"), "circular outcome")
    assert "already credited to the advertising by its seller" in text


def test_O8_rates_where_counts_are_needed(write: Write):
    table = [["day", "conv"], *([f"2026-01-0{1 + i}", "2.5%"] for i in range(5))]
    mapping = {"kind": "outcomes", "columns": {"date": "day", "conversions": "conv"}}
    fails(write(table), "column 'conv' holds a rate where a count is needed: '0.0%'", mapping=mapping)
    table[1][0] = "Total"
    totals = {**mapping, "totals": [["date", "equals", "Total"]]}
    counted = [table[0], *([row[0], 5] for row in table[1:])]
    assert read_export(write(counted), mapping=totals).accounting.totals == 1


def test_O9_what_analytics_leaves_out():
    assert any("thresholds, samples" in note for note in export_of("ga4_daily.csv").notes)


def test_O10_personal_columns_are_not_loaded(write: Write):
    export = export_of("orders_export.csv")
    assert {"Email", "Billing Name", "Billing Phone", "Shipping Name", "Phone"} <= set(export.dropped_columns)
    assert "personal columns not loaded: Email" in str(export)
    joined = read_export(FILES / "orders_export.csv", mapping={"hash": ["Email"], "keep": ["Vendor"]})
    assert joined.rows["Email"].str.fullmatch("[0-9a-f]{16}").all()
    assert set(joined.rows["Vendor"]) == {"Maple"}
    assert "Email" not in joined.dropped_columns
    again = read_export(FILES / "orders_export.csv", mapping={"hash": ["Email"]})
    assert again.rows["Email"].tolist() == joined.rows["Email"].tolist()  # one salt per run


def test_J1_a_report_without_days_is_marked():
    for name in ("google_ads.csv", "ga4_events.csv", "matomo_scheduled.csv", "meta_ads_total_first.xlsx"):
        assert "one row per range" in codes(read_export(FILES / name)), name


def test_J3_hours_that_a_change_of_the_clock_repeats(write: Write):
    table = rows(when=lambda i: f"2025-10-26 0{1 + i % 3}:30:0{i % 10}")
    export = read_export(write(table), mapping=own(zone="Europe/Amsterdam"))
    assert "4 times fall into an hour that a change of the clock repeats or skips" in caution(
        export, "change of the clock"
    )
    fails(write(rows()), "there is no time zone 'Europe/Utrecht'", mapping=own(zone="Europe/Utrecht"))


def test_strict_turns_every_warning_into_an_error():
    checked = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in sorted(FILES.iterdir()):
            found = export_of(path.name)
            if isinstance(found, Export) and found.warnings:
                with pytest.raises(ErresearchError, match="read it without strict=True"):
                    read_export(path, strict=True)
                checked += 1
            elif isinstance(found, Export):
                assert read_export(path, strict=True).accounting == found.accounting
    assert checked > 15
