"""Files as strangers have them: saved again by a spreadsheet, in another language, with sums and notes of their own."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from erresearch.errors import ColumnError, DataError, ErresearchError
from erresearch.exports import (
    Export,
    combine_exports,
    delimited,
    inspect_export,
    read_export,
    suggest_mapping,
)

Row = list[str]
YOUTUBE = ["Content", "Video title", "Video publish time", "Views", "Likes"]
SALES = ["Day", "Orders", "Gross sales", "Returns", "Net sales", "Total sales"]
FACEBOOK = [
    "Post ID",
    "Page name",
    "Publish time",
    "Permalink",
    "Date",
    "Views",
    "Reach",
    "Reactions",
    "Comments",
]
MOMENTS = [dt.datetime(2026, 1, 5 + 3 * n, (7 * n + 3) % 24, 13 + n) for n in range(9)]
PACIFIC = dt.timedelta(hours=-8)


def written(folder: Path, rows: list[Row], *, below: str = "", delimiter: str = ",") -> Path:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", delimiter=delimiter).writerows(rows)
    path = folder / "export.csv"
    path.write_text(out.getvalue() + below, encoding="utf-8")
    return path


def videos(form: str = "%Y-%m-%d") -> list[Row]:
    days = [dt.date(2025, 3, 2 + 3 * n) for n in range(9)]
    return [
        YOUTUBE,
        *([f"vid{n:08d}", "t", day.strftime(form), str(100 + n), "5"] for n, day in enumerate(days)),
    ]


def posts(form: str, *, window: str = "Lifetime") -> list[Row]:
    return [
        FACEBOOK,
        *(
            [f"9000000000000{n:02d}", "Maple", (at + PACIFIC).strftime(form), f"https://f/{n}", window, *"9853"]
            for n, at in enumerate(MOMENTS)
        ),
    ]  # fmt: skip


def sales() -> list[Row]:
    return [
        SALES,
        *([f"2026-01-{day:02d}", "3", "100.00", "-2.00", "98.00", "107.00"] for day in range(1, 11)),
    ]


def codes(export: Export) -> set[str]:
    return {caution.code for caution in export.warnings}


def value(export: Export, outcome: str) -> float:
    return float(export.rows.loc[export.rows["outcome"] == outcome, "value"].sum())


@pytest.mark.parametrize(
    "form", ["%-d-%b-%y", "%-d-%b-%Y", "%d/%b/%Y", "%-d.%B.%Y", "%d-%b-%y 00:00", "%-d %b %Y"]
)
def test_days_with_names_of_months_as_spreadsheets_show_them(form: str, tmp_path: Path):
    rows = read_export(written(tmp_path, videos(form))).rows
    assert [str(at.date()) for at in rows["published_at"]] == [f"2025-03-{2 + 3 * n:02d}" for n in range(9)]


def test_days_without_a_year_as_spreadsheets_show_them(tmp_path: Path):
    head = ["Date", "Video Views", "Profile Views", "Likes", "Comments", "Shares"]
    path = written(tmp_path, [head, *([f"{day}-Jan", "5", "1", "1", "1", "1"] for day in range(1, 9))])
    rows = read_export(path, mapping={"exported_at": dt.date(2026, 1, 20)}).rows
    assert [str(at.date()) for at in rows["date"]] == [f"2026-01-{day:02d}" for day in range(1, 9)]


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d %H:%M PST",
        "%Y-%m-%d %H:%M:%S (PST)",
        "%d.%m.%Y, %H:%M Uhr",
        "%d-%m-%Y om %H:%M uur",
        "%B %-d, %Y at %-I:%M %p",
        "%-d de %B de %Y a las %H:%M",
        "%-m/%-d/%y %-I:%M%p",
        "%-m/%-d/%Y, %-I:%M:%S\u202f%p",
    ],
)
def test_clocks_with_words_around_them(form: str, tmp_path: Path):
    rows = read_export(written(tmp_path, posts(form))).rows
    assert [at.to_pydatetime().replace(tzinfo=None, second=0) for at in rows["published_at"]] == MOMENTS


def test_am_and_pm_with_points_and_a_space(tmp_path: Path):
    table = posts("%-d/%-m/%Y %-I:%M %p")
    for row in table[1:]:
        row[2] = row[2].replace("AM", "a. m.").replace("PM", "p. m.")
    rows = read_export(written(tmp_path, table)).rows
    assert [at.to_pydatetime().replace(tzinfo=None) for at in rows["published_at"]] == MOMENTS


@pytest.mark.parametrize(("zone", "hours"), [("PDT", 7), ("PST", 8), ("AEST", -10), ("EDT", 4), ("CET", -1)])
def test_no_letter_of_a_zone_is_taken_for_that_of_am_or_pm(zone: str, hours: int, tmp_path: Path):
    head = ["Page Name", "Post Created", "URL", "Likes", "Love"]
    path = written(tmp_path, [head, ["Maple", f"2021-07-06 16:45:20 {zone}", "https://f/1", "5", "1"]])
    (at,) = read_export(path).rows["published_at"]
    assert at.to_pydatetime().replace(tzinfo=None) == dt.datetime(2021, 7, 6, 16, 45, 20) + dt.timedelta(
        hours=hours
    )


def test_dates_of_which_a_spreadsheet_took_only_some_are_said(tmp_path: Path):
    table = posts("%m/%d/%Y %H:%M")
    for row in table[1:]:
        if int(row[2][3:5]) <= 12:  # a machine that writes the day first takes 01/04 for the first of April
            row[2] = f"{int(row[2][:2])}-{int(row[2][3:5])}-{row[2][6:]}"
    export = read_export(written(tmp_path, table))
    assert [at.to_pydatetime().replace(tzinfo=None) for at in export.rows["published_at"]] == MOMENTS
    (caution,) = [c for c in export.warnings if c.code == "dates written in two ways"]
    assert "all were read MDY" in caution.text
    assert caution.count == 3


@pytest.mark.parametrize("word", ["Levensduur", "Totaal", "Toda la vida", "Gesamter Zeitraum"])
def test_the_whole_life_of_a_post_in_other_words(word: str, tmp_path: Path):
    export = read_export(written(tmp_path, posts("%m/%d/%Y %H:%M", window=word)))
    assert export.kind == "posts"
    (guess,) = [each for each in export.guesses if each.name == "figures of"]
    assert "one word in every row" in guess.reason


def test_several_words_in_the_column_of_days_are_no_whole_life(tmp_path: Path):
    table = posts("%m/%d/%Y %H:%M", window="often")
    table[3][4] = "seldom"
    with pytest.raises(ErresearchError, match=r"'often' is not a date|holds neither days nor Lifetime"):
        read_export(written(tmp_path, table))


@pytest.mark.parametrize("word", ["Totaal", "GESAMT", "Итого", "Grand total", " Suma "])
@pytest.mark.parametrize("first", [True, False])
def test_rows_of_sums_in_other_words(word: str, first: bool, tmp_path: Path):
    summed = [word, "30", "1000.00", "-20.00", "980.00", "1070.00"]
    rows = sales()
    export = read_export(written(tmp_path, [rows[0], summed, *rows[1:]] if first else [*rows, summed]))
    assert export.accounting.totals == 1
    assert value(export, "revenue") == 1070
    made = videos()
    export = read_export(written(tmp_path, [*made, [word, "", "", "936", "45"]]))
    assert (export.accounting.totals, export.accounting.used) == (1, 9)
    assert "totals" not in codes(export)
    export = read_export(written(tmp_path, [*made, [word, "", "", "2000", "45"]]))
    assert "totals" in codes(export)


@pytest.mark.parametrize(
    "below",
    [
        "\nExported by the shop on 2 Feb 2026\n",
        "Exported by the shop on 2 Feb 2026\n",
        '"Exported by the shop, on 2 Feb 2026"\n',
        "\nExported by the shop, on Feb 2, 2026\n",
        "\n\nFigures may change\n\n* see the help\n\n",
        "Figures may change,,,,,\n",
    ],
)
@pytest.mark.parametrize("fast", [0, 1 << 40])
def test_sentences_below_a_table_are_counted_and_no_rows(
    below: str, fast: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delimited, "FAST", fast)
    export = read_export(written(tmp_path, sales(), below=below))
    assert value(export, "revenue") == 1070
    assert export.accounting.used == 10
    assert export.accounting.reasons["a sentence below the table"] >= 1
    assert "out_of_scope" in codes(export)


@pytest.mark.parametrize("below", ["2026-01-11\n", "2026-01-11,3\n", "\n2026-01-11,3\n", "Total of all,\n"])
def test_a_row_that_was_cut_is_no_sentence(below: str, tmp_path: Path):
    with pytest.raises(ErresearchError, match="rows have more or fewer cells than the header's 6"):
        read_export(written(tmp_path, sales(), below=below))


def test_a_sentence_between_rows_is_not_passed_over(tmp_path: Path):
    rows = sales()
    path = written(tmp_path, rows[:5])
    text = (
        path.read_text() + "Here the shop was closed\n" + "\n".join(",".join(row) for row in rows[5:]) + "\n"
    )
    path.write_text(text)
    with pytest.raises(
        ErresearchError, match=r"rows have more or fewer cells than the header's 6: 1 row \(row 6\)"
    ):
        read_export(path)


def test_a_minus_after_the_number(tmp_path: Path):
    rows = sales()
    for row in rows[1:]:
        row[3] = "2.00-"
    assert value(read_export(written(tmp_path, rows)), "returns") == -20


TWEETS = ["Post id", "Date", "Post text", "Link", "Impressions", "Likes", "Bookmarks", "Replies"]


def tweets(keep: int) -> list[Row]:
    ids = [2_008_013_834_941_366_279 + n * 1_000_000_000_123 for n in range(5)]
    return [
        TWEETS,
        *(
            [str(i)[:keep].ljust(19, "0"), "Mon Jan 5 2026", "t", f"https://x.com/m/status/{i}", *"9100"]
            for i in ids
        ),
    ]  # fmt: skip


def test_ids_that_a_spreadsheet_cut_to_15_digits_are_not_believed(tmp_path: Path):
    whole = read_export(written(tmp_path, tweets(19)))
    assert "ids rounded" not in codes(whole)
    cut = read_export(written(tmp_path, tweets(15)))
    assert "ids rounded" in codes(cut)
    assert cut.rows["post_id"].tolist() == whole.rows["post_id"].tolist()
    table = [
        ["Post ID", *row[1:]] if not n else [f"9000000000000{n:02d}0000", *row[1:]]
        for n, row in enumerate(posts("%m/%d/%Y %H:%M"))
    ]
    assert "ids rounded" in codes(read_export(written(tmp_path, table)))
    bare = [[row[0], *row[1:3], *row[4:]] for row in table]
    with pytest.raises(ErresearchError, match="a spreadsheet rounded the ids"):
        read_export(written(tmp_path, bare))


def series(folder: Path, days: list[str], views: list[str] | None = None) -> Export:
    cells = views or ["1"] * len(days)
    return read_export(
        written(folder, [["Date", "Views"], *([d, v] for d, v in zip(days, cells, strict=True))])
    )


@pytest.mark.parametrize(
    "days",
    [
        ["ma 05-01-2026", "di 13-01-2026"],
        ["Mon, 05/01/2026", "Tue, 13/01/2026"],
        ["2026.01.05.", "2026.01.13."],
        ["'2026-01-05", "'2026-01-13"],
        ["26-01-05", "26-01-13"],
        ["05.01.26", "13.01.26"],
    ],
)
def test_days_in_rare_shapes(days: list[str], tmp_path: Path):
    assert [str(day.date()) for day in series(tmp_path, days).rows["date"]] == ["2026-01-05", "2026-01-13"]


def test_short_numbers_of_which_the_first_is_the_year_are_called_a_guess(tmp_path: Path):
    export = series(tmp_path, ["26-01-05", "26-01-13", "26-02-01"])
    assert "YMD" in [guess.value for guess in export.guesses]
    last = series(tmp_path, ["05-01-26", "13-01-26", "01-02-26"])
    assert "YMD" not in [guess.value for guess in last.guesses]
    assert [str(day.date()) for day in last.rows["date"]] == ["2026-01-05", "2026-01-13", "2026-02-01"]
    path = written(tmp_path, [["Date", "Views"], ["26-01-05", "1"], ["26-01-13", "1"]])
    assert [day.year for day in read_export(path, dayfirst=True).rows["date"]] == [2005, 2013]


def test_a_day_that_stands_twice_is_counted_as_a_copy(tmp_path: Path):
    export = series(tmp_path, ["2026-01-01", "2026-01-02", "2026-01-02"], ["5", "6", "6"])
    assert export.rows["views"].tolist() == [5, 6]
    assert (export.accounting.used, export.accounting.rejected) == (2, 1)
    with pytest.raises(ErresearchError, match="given twice for the same day with different values"):
        series(tmp_path, ["2026-01-01", "2026-01-02", "2026-01-02"], ["5", "6", "7"])


def test_a_cell_is_complained_about_once(tmp_path: Path):
    export = series(tmp_path, ["2026-01-01", "2026-01-02", "2026-01-03"], ["1.5", "6", "x"])
    texts = [c.text for c in export.warnings]
    assert [text for text in texts if "is no count" in text] == [
        "column 'Views': '0.0' is no count; cells with this problem: 1, they count as missing"
    ]
    assert any("'a' is not a number; cells with this problem: 1," in text for text in texts)


@pytest.mark.parametrize(
    ("content", "what"),
    [('[{"Date": "2026-01-01"}]', "a JSON file"), ("{\\rtf1 x}", r"a text document \(RTF\)")],
)
def test_what_is_no_table_is_named(content: str, what: str, tmp_path: Path):
    path = tmp_path / "export.csv"
    path.write_text(content)
    with pytest.raises(ErresearchError, match=rf"export\.csv is {what}, which holds no export"):
        read_export(path)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("every", [True, False])
def test_lines_that_a_spreadsheet_took_for_one_cell(header: bool, every: bool, tmp_path: Path):
    table = videos()
    for row in table[2::3]:
        row[1] = 'a "big", small one'
    path = written(tmp_path, table)
    wrapped = [
        '"' + line.replace('"', '""') + '"'
        if '"' in line or (every and number) or (header and not number)
        else line
        for number, line in enumerate(path.read_text().splitlines())
    ]
    whole = read_export(path)
    path.write_text("\n".join(wrapped) + "\n")
    export = read_export(path)
    assert "repaired" in codes(export)
    assert export.rows.equals(whole.rows)


def test_a_quoted_sentence_is_no_line_taken_for_one_cell(tmp_path: Path):
    export = read_export(
        written(tmp_path, sales(), below='"Exported by the shop, in one, two, three, four, five, six"\n')
    )
    assert "repaired" not in codes(export)
    assert export.accounting.used == 10


@pytest.mark.parametrize(
    ("part", "what"),
    [("content.xml", r"an OpenDocument file \(\.ods\)"), ("word/document.xml", "a text document")],
)
def test_documents_of_an_office_that_are_no_workbook_are_named(part: str, what: str, tmp_path: Path):
    path = tmp_path / "export.ods"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(part, "<x/>")
    with pytest.raises(ErresearchError, match=rf"export\.ods is {what}.*Save it as \.xlsx or CSV"):
        read_export(path)


def test_a_mapping_that_is_nested_without_end_is_refused(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "x.csv.toml").write_text("a = " + "[" * 5_000)
    with pytest.raises(ErresearchError, match=r"the mapping .* cannot be read: its brackets are nested"):
        inspect_export(tmp_path / "x.csv", mapping=tmp_path / "x.csv.toml")


# ── a second round of strangers: each a kind, not a file ─────────────────────────────────────────────────────────


def told(path: Path, **options: Any) -> Export:
    """The file as its own suggestion reads it."""
    return read_export(path, mapping=tomllib.loads(suggest_mapping(path)), **options)


@pytest.mark.parametrize(
    ("header", "code"),
    [("Omzet (€)", "EUR"), ("Total GBP", "GBP"), ("Paid [usd]", "USD"), ("Montant £", "GBP")],
)
def test_a_header_names_its_currency(tmp_path: Path, header: str, code: str):
    path = tmp_path / "till.csv"
    path.write_text(
        f"Order;Day;{header};Status\n" + "".join(f"#{n};2026-01-{n:02d};5,50;paid\n" for n in range(1, 20))
    )
    assert "currency" not in suggest_mapping(path)
    assert set(told(path).rows["currency"]) == {code, ""}
    # what is no known layout is told by its headers, with the sign among them
    with pytest.raises(ErresearchError, match="no known layout has these headers"):
        read_export(path)


def test_sums_and_blank_lines_between_days_do_not_make_them_sales(tmp_path: Path):
    days = [f"{n} jan 2026;{400 + n},50;{40 + n}" for n in range(1, 21)]
    lines = [
        "Kasboek;;",
        ";;",
        "Datum;Omzet (€);Bonnen",
        *days[:10],
        "Totaal;4.060,00;455",
        ";;",
        *days[10:],
        "Totaal;9;9",
    ]
    path = tmp_path / "kas.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = told(path)
    assert made.rows.groupby("outcome")["value"].sum().to_dict() == {"orders": 1010, "revenue": 8220}
    assert (made.accounting.used, made.accounting.totals) == (20, 2)


def test_a_word_beside_a_number_is_a_date_only_where_it_is_a_month(tmp_path: Path):
    rows = [f"v{n:010d},Deel {n} 2026,{n} maart 2026,{100 + n}" for n in range(1, 20)]
    path = tmp_path / "video.csv"
    path.write_text("\n".join(["Content,Reeks,Publicatie,Views", *rows]) + "\n")
    made = told(path)
    assert made.columns["published_at"] == "Publicatie"
    assert len(made.rows) == 19


@pytest.mark.parametrize(
    ("zones", "hour"),
    [(("Europe/Berlin",), 9), (("CET",), 9), (("Europe/Berlin", "Europe/London"), 10), (("Ann/Lee",), 10)],
)
def test_a_column_of_zones_is_believed_where_it_names_one(tmp_path: Path, zones: tuple[str, ...], hour: int):
    rows = [f"{n},2026-01-{n:02d} 10:00,5.00,{zones[n % len(zones)]}" for n in range(1, 20)]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(["Order ID,Order date,Total,Time zone", *rows]) + "\n")
    made = told(path, tz="UTC")
    sold = made.rows[made.rows["outcome"] == "revenue"]
    assert set(sold["at"].dt.hour) == {hour}
    assert "Ann/Lee" not in str(made)
    assert any(caution.code == "time zones" for caution in made.warnings) == (len(zones) > 1)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_exports_of_posts_the_larger_figures_are_the_newer(tmp_path: Path, turned: bool):
    head = "id,day,likes,comments"
    young = [f"p{n},2026-01-{n:02d},{10 + n},{n}" for n in range(1, 15)]
    old = [f"p{n},2026-01-{n:02d},{12 + n},{n + n % 2}" for n in range(8, 25)]
    mapping = {
        "kind": "posts",
        "columns": {"post_id": "id", "published_at": "day", "likes": "likes", "comments": "comments"},
    }
    made = []
    for name, rows in (("b.csv", old), ("a.csv", young)) if turned else (("a.csv", young), ("b.csv", old)):
        (tmp_path / name).write_text("\n".join([head, *rows]) + "\n")
        made.append(read_export(tmp_path / name, mapping=mapping))
    both = combine_exports(made)
    likes = both.rows.set_index("post_id")["likes"]
    assert (likes["p1"], likes["p8"], likes["p14"], likes["p24"]) == (11, 20, 26, 36)
    (caution,) = (one for one in both.warnings if one.code == "overlap")
    assert "those of b.csv, since figures of posts grow" in str(caution)
    # where some grow and some shrink nobody can tell
    mixed = [f"p{n},2026-01-{n:02d},{10 + n + (3 if n % 2 else -3)},{n}" for n in range(1, 15)]
    (tmp_path / "c.csv").write_text("\n".join([head, *mixed]) + "\n")
    with pytest.raises(ErresearchError, match="it is not known which is newer"):
        combine_exports([made[int(turned)], read_export(tmp_path / "c.csv", mapping=mapping)])


# ------------------------------------------------------------------------- tables that people put together
DAYS = [f"2024-01-{day:02d}" for day in range(1, 21)]


def own(write, *rows: str, head: str = "Date,Likes,Comments,Revenue", name: str = "own.csv") -> Any:
    path = write / name
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return read_export(path, tz="UTC")


def test_headers_in_two_rows_with_merged_cells_are_one(tmp_path: Path):
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.append(["Social and sales"])
    sheet.append(["Date", "Engagement", None, "Sales", None])
    sheet.append([None, "Likes", "Comments", "Revenue", "Orders"])
    for spans in ("B2:C2", "D2:E2", "A2:A3"):
        sheet.merge_cells(spans)
    for at, day in enumerate(DAYS):
        sheet.append([day, 10 + at, 2, 100.5, 3])
    sheet.append(["Total", 390, 40, 2010, 60])
    book.save(tmp_path / "report.xlsx")
    export = read_export(tmp_path / "report.xlsx", tz="UTC")
    assert export.rows[["likes", "comments", "revenue", "orders"]].sum().tolist() == [390, 40, 2010, 60]
    assert export.accounting.totals == 1


def test_sums_between_the_rows_are_known_by_their_first_word(tmp_path: Path):
    rows = []
    for week in range(4):
        rows += [f"{day},5,1,10" for day in DAYS[5 * week : 5 * week + 5]]
        rows.append(f"Subtotal week {week + 1},25,5,50")
    export = own(tmp_path, *rows)
    assert (export.rows["likes"].sum(), export.accounting.totals) == (100, 4)
    assert not export.warnings


@pytest.mark.parametrize(
    ("head", "cells"),
    [
        ("Year,Month,Day", lambda day: f"{day[:4]},{int(day[5:7])},{int(day[8:])}"),
        ("Year,Month,Day", lambda day: f"{day[:4]},January,{int(day[8:])}"),
    ],
)
def test_a_day_in_three_columns_is_a_day(head: str, cells: Any, tmp_path: Path):
    export = own(tmp_path, *(f"{cells(day)},5,1,10" for day in DAYS), head=f"{head},Likes,Comments,Revenue")
    assert export.rows["date"].dt.strftime("%Y-%m-%d").tolist() == DAYS


def test_a_year_beside_its_weeks_or_months_makes_them_dates(tmp_path: Path):
    weeks = own(
        tmp_path, *(f"2024,{week},5,1,10" for week in range(1, 20)), head="Year,Week,Likes,Comments,Revenue"
    )
    assert weeks.rows["date"].iloc[[0, -1]].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-01", "2024-05-06"]
    months = own(
        tmp_path,
        *(f"2024,{month},5,1,10" for month in range(1, 13)),
        head="Year,Month,Likes,Comments,Revenue",
    )
    assert months.rows["date"].dt.month.tolist() == list(range(1, 13))


def test_lines_in_two_encodings_are_each_read_as_they_are(tmp_path: Path):
    head = "Date;Shop;Likes;Comments;Revenue\n"
    lines = [f"{day};Café;5;1;10\n" for day in DAYS]
    path = tmp_path / "two.csv"
    path.write_bytes((head + "".join(lines[:10])).encode() + "".join(lines[10:]).encode("cp1252"))
    export = read_export(path, tz="UTC")
    assert set(export.rows["account"]) == {"Café"}
    assert any("two.csv is UTF-8 in 10 lines and cp1252 in the others" in str(one) for one in export.warnings)


def test_days_side_by_side_are_refused_with_the_step_that_helps(tmp_path: Path):
    path = tmp_path / "wide.csv"
    path.write_text(",".join(["", *DAYS]) + "\nLikes" + ",5" * 20 + "\nRevenue" + ",10" * 20 + "\n")
    with pytest.raises(
        ColumnError, match=r"its days side by side, a column for each: 21 columns.*Turn the table"
    ):
        read_export(path)


def test_a_mapping_is_only_offered_where_one_can_be_guessed(tmp_path: Path):
    for name, offered in (("Value,Metric", False), ("Price,What", True)):
        path = tmp_path / "list.csv"
        path.write_text(f"Date,{name}\n" + "".join(f"{day},5,Likes\n" for day in DAYS))
        with pytest.raises(ColumnError) as refused:
            read_export(path)
        assert ("--suggest" in str(refused.value)) == offered
        assert bool(_suggests(path)) == offered


def _suggests(path: Path) -> str:
    try:
        return suggest_mapping(path)
    except DataError:
        return ""
