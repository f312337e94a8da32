"""Workbooks and archives with one table of a layout on each sheet: one a year, one a month."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import openpyxl
import pytest
from builders import script

from erresearch.errors import EngineError, ErresearchError
from erresearch.exports import Export, containers, inspect_export, read_export, read_exports
from erresearch.exports.containers import read_workbook

Cells = Sequence[Sequence[str | float | None]]
Write = Callable[[Mapping[str, Cells]], Path]
HEAD = ["Date", "Views"]
YOUTUBE = ["Content", "Video title", "Video publish time", "Views", "Likes"]
DEALS = ["Record ID", "Deal Stage", "Amount", "Close Date"]


def xlsx(sheets: Mapping[str, Cells]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def archive(sheets: Mapping[str, Cells]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, rows in sheets.items():
            text = "\n".join(",".join("" if cell is None else str(cell) for cell in row) for row in rows)
            file.writestr(f"{name}.csv", text + "\n")
    return out.getvalue()


MAKERS: dict[str, Callable[[Mapping[str, Cells]], bytes]] = {
    "xlsx": xlsx,
    "xls": lambda sheets: bytes(script("tests/exports/containers.py").xls_bytes(sheets)),
    "zip": archive,
}


@pytest.fixture(params=sorted(MAKERS))
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Write sheets as a workbook of either kind, or as an archive of CSV files."""

    def at(sheets: Mapping[str, Cells]) -> Path:
        path = tmp_path / f"book.{request.param}"
        path.write_bytes(MAKERS[request.param](sheets))
        return path

    return at


def fails(path: Path, match: str, **settings: object) -> None:
    with pytest.raises(ErresearchError, match=match):
        read_export(path, **settings)  # type: ignore[arg-type]


def days(month: int, *views: float, year: int = 2025) -> Cells:
    return [HEAD, *([f"{year}-{month:02d}-{day:02d}", count] for day, count in enumerate(views, 1))]


def told(export: Export) -> str:
    return str(export)


def test_a_sheet_for_each_month_is_one_series(write: Write):
    path = write({"Jan": days(1, 5, 6, 7), "Feb": days(2, 8, 9), "Mar": [HEAD]})
    export = read_export(path)
    assert export.rows["views"].tolist() == [5, 6, 7, 8, 9]
    assert export.name == path.name
    assert (export.accounting.rows_in, export.accounting.used) == (5, 5)
    text = told(export)
    assert "2 tables of one layout were put together: 'Jan" in text
    assert "has headers but no rows" in text
    assert "3 rows in = 3 used" in text
    assert "2 rows in = 2 used" in text
    assert [guess.name for guess in export.guesses].count("account") == 1


def test_sheets_of_the_same_days_with_other_figures_are_accounts(write: Write):
    path = write({f"Brand {name}": days(1, *range(n, n + 9)) for n, name in enumerate("ABC", 5)})
    export = read_export(path)
    assert export.rows.groupby("account")["views"].sum().tolist() == [81, 90, 99]
    (guess,) = [guess for guess in export.guesses if guess.name == "account"]
    assert "the sheets have other figures for the same days" in guess.reason
    # a brand whose older days are as they were is one brand, exported twice
    path = write({"Old": days(1, 1, 2, 3, 4), "New": days(1, 1, 2, 3, 9)})
    fails(path, "1 row stands in several tables of one file with different figures")


def test_inspect_and_read_exports_put_them_together_too(write: Write):
    path = write({"Jan": days(1, 5, 6), "Feb": days(2, 7)})
    assert inspect_export(path).export.rows["views"].sum() == 18
    exports, unread = read_exports(path)
    assert not unread
    assert sum(export.rows["views"].sum() for export in exports) == 18


def test_a_row_of_two_sheets_is_kept_once_and_refused_where_its_figures_differ(write: Write):
    export = read_export(write({"a": days(1, 5, 6, 7), "b": days(1, 5, 6)}))
    assert export.rows["views"].tolist() == [5, 6, 7]
    assert (export.accounting.rows_in, export.accounting.used, export.accounting.rejected) == (5, 3, 2)
    assert "rows that another table repeats" in export.accounting.reasons
    assert any(c.code == "overlap" and "2 rows stand in several tables" in c.text for c in export.warnings)
    fails(
        write({"a": days(1, 5, 6), "b": days(1, 5, 600)}),
        r"1 row stands in several tables of one file with different figures: book\.\w+: a.*, book\.\w+: b",
    )


def posts(*rows: tuple[str, str, float]) -> Cells:
    return [YOUTUBE, *([key, "t", day, views, 1] for key, day, views in rows)]


def test_posts_totals_and_unusable_rows_are_counted_with_their_sheet(write: Write):
    one = posts(("v1", "2025-01-03", 10), ("v2", "2025-01-04", 20))
    two = posts(("v3", "2024-01-03", 30), ("v4", "", 40), ("v1", "2025-01-03", 10))
    export = read_export(write({"2025": [*one, ["Total", None, None, 30, 2]], "2024": two}))
    assert sorted(export.rows["post_id"]) == ["v1", "v2", "v3"]
    assert export.rows["views"].sum() == 60
    account = export.accounting
    assert (account.rows_in, account.used, account.totals, account.rejected) == (6, 3, 1, 2)
    (undated,) = [c for c in export.warnings if c.code == "rejected"]
    assert undated.text.startswith("2024")
    assert undated.rows == (3,)


def test_sheets_of_other_layouts_and_of_none_are_named(write: Write):
    known = {"Jan": days(1, 5, 6), "Feb": days(2, 7), "Notes": [["Read", "this"], ["or", "not"]]}
    export = read_export(write(known))
    assert any(c.code == "unread tables" and "'Notes" in c.text for c in export.warnings)
    both = {"Jan": days(1, 5), "Feb": days(2, 7), "Posts": posts(("v1", "2025-01-03", 10))}
    assert any("the file also holds youtube-totals" in note for note in read_export(write(both)).notes)
    assert read_export(write(both), platform="youtube-totals").rows["views"].sum() == 12
    alone = read_export(write({"Jan": days(1, 5), "Notes": [["Read", "this"]]}))
    assert any("no known table in 'Notes" in note for note in alone.notes)


def test_columns_may_differ_and_what_a_sheet_lacks_is_missing_in_its_rows(write: Write):
    short = [YOUTUBE[:4], ["v9", "t", "2024-02-01", 7]]
    export = read_export(write({"2025": posts(("v1", "2025-01-03", 10)), "2024": short}))
    assert export.rows.set_index("post_id")["likes"].to_dict() == {
        "v1": 1,
        "v9": pytest.approx(float("nan"), nan_ok=True),
    }
    assert any("2024" in note and "has no likes" in note for note in export.notes)


def orders(key: int, day: str, amount: str, currency: str) -> Cells:
    return [[*DEALS, "Currency"], [str(key), "closed won", amount, day, currency]]


def test_of_tables_in_several_currencies_that_of_most_rows_is_kept(write: Write):
    sheets = {
        "a": orders(1, "2025-01-03", "10", "EUR"),
        "b": orders(2, "2025-01-04", "10", "USD"),
        "c": orders(3, "2025-01-05", "12", "EUR"),
    }
    export = read_export(write(sheets))
    assert export.rows.query("outcome == 'revenue'")["value"].sum() == 22
    assert export.rows.query("outcome == 'orders'")["value"].sum() == 2
    account = export.accounting
    assert (account.rows_in, account.used, account.out_of_scope) == (3, 2, 1)
    assert account.reasons["tables in another currency"] == 1
    said = [str(one) for one in export.warnings if one.code == "several currencies"]
    assert "currency='USD' (--currency USD) keeps another" in said[0]
    assert "out of scope: 1 row in another currency" in said[1]
    other = read_export(write(sheets), currency="USD")
    assert other.rows.query("outcome == 'revenue'")["value"].sum() == 10
    assert other.accounting.out_of_scope == 2
    fails(write(sheets), "holds no amounts in CHF: .*Choose one of these with currency=", currency="CHF")
    earned = [[*YOUTUBE, "Estimated revenue (EUR)"], ["v1", "t", "2025-01-03", 10, 1, 2]]
    paid = [[*YOUTUBE, "Estimated revenue (USD)"], ["v2", "t", "2025-01-04", 10, 1, 2]]
    earned.append(["v3", "t", "2025-01-05", 10, 1, 4])
    videos = read_export(write({"a": earned, "b": paid})).rows.set_index("post_id")["platform_revenue"]
    assert videos.loc[["v1", "v3"]].tolist() == [2, 4]
    assert videos.isna().loc["v2"]


def deals(*rows: tuple[int, str, str]) -> Cells:
    return [DEALS, *([str(key), "closed won", amount, day] for key, day, amount in rows)]


def test_a_sheet_whose_days_are_all_below_13_follows_the_others(write: Write):
    path = write(
        {"Jan": deals((1, "31/01/2025", "10"), (2, "05/01/2025", "10")), "Feb": deals((3, "01/02/2025", "5"))}
    )
    rows = read_export(path).rows.query("outcome == 'orders'")
    assert [str(day.date()) for day in rows["date"]] == ["2025-01-05", "2025-01-31", "2025-02-01"]
    fails(
        write({"Jan": deals((1, "31/01/2025", "10")), "Feb": deals((3, "02/28/2025", "5"))}),
        r"its tables write dates in different orders: 'Jan[.csv]*' DMY; 'Feb[.csv]*' MDY",
    )
    fails(
        write({"Jan": deals((1, "01/02/2025", "10")), "Feb": deals((2, "02/03/2025", "5"))}),
        "which number is the month",
    )
    assert len(read_export(path, dayfirst=True).rows) == 4


def test_a_sign_that_parts_decimals_on_one_sheet_and_thousands_on_the_next_is_refused(tmp_path: Path):
    def shop(day: str, sales: str) -> Cells:
        return [["Day", "Orders", "Gross sales", "Net sales", "Total sales"], [day, 3, sales, sales, sales]]

    path = tmp_path / "book.xlsx"
    path.write_bytes(xlsx({"a": shop("2025-01-01", "1.234,50"), "b": shop("2025-01-02", "1,234")}))
    fails(path, r"its tables use different signs for decimals: 'a' ','; 'b' '\.'.*Say it with decimal=")
    assert read_export(path, decimal=",").rows.query("outcome == 'revenue'")["value"].tolist() == [
        1234.5,
        1.234,
    ]


def test_one_sheet_that_cannot_be_used_is_named(write: Write):
    fails(
        write({"Jan": days(1, 5), "Feb": [HEAD, ["some day", 7], ["no day", 8]]}),
        r"book\.\w+: Feb",
    )


def test_a_strict_reader_stops_at_what_two_sheets_share(write: Write):
    fails(write({"a": days(1, 5, 6), "b": days(1, 5, 6)}), "stand in several tables", strict=True)


def test_two_tables_side_by_side_on_each_of_two_sheets_are_refused(tmp_path: Path):
    best: Cells = [
        [
            "Post URL",
            "Post publish date",
            "Engagements",
            None,
            "Post URL",
            "Post publish date",
            "Impressions",
        ],
        ["https://l/1", "01/14/2026", 5, None, "https://l/1", "01/14/2026", 50],
    ]
    path = tmp_path / "book.xlsx"
    path.write_bytes(xlsx({"a": best, "b": best}))
    fails(path, "holds several tables of the layout linkedin-creator-posts")


def test_dates_without_a_year_on_several_sheets_are_cautioned_about(write: Write):
    head = ["Date", "Video Views", "Profile Views", "Likes", "Comments", "Shares"]
    spring: Cells = [head, *([f"March {day}", 5, 1, 1, 1, 1] for day in range(1, 5))]
    autumn: Cells = [head, *([f"October {day}", 6, 1, 1, 1, 1] for day in range(1, 5))]
    export = read_export(write({"a": spring, "b": autumn}), mapping={"exported_at": "2026-01-05"})
    assert {day.year for day in export.rows["date"]} == {2025}
    assert any(c.code == "year" and "counted back from one day" in c.text for c in export.warnings)


def test_a_reader_that_panics_says_one_line_and_what_others_say_is_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "book.xls"
    data = bytearray(MAKERS["xls"]({"Jan": days(1, 5)}))
    at = data.index(b"\x85\x00", 512)  # the record that says where a sheet begins
    data[at + 4 : at + 8] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    with pytest.raises(EngineError, match=r"book\.xls: the workbook cannot be read.*bytes of which some"):
        read_workbook(path.read_bytes(), path.name)
    assert capfd.readouterr() == ("", "")
    count = containers.count_cells
    monkeypatch.setattr(containers, "count_cells", lambda data: os.write(2, b"meanwhile") and count(data))
    path.write_bytes(MAKERS["xls"]({"Jan": days(1, 5)}))
    assert read_workbook(path.read_bytes(), path.name)[0][0].name == "Jan"
    assert capfd.readouterr().err == "meanwhile"
    path.write_bytes(b"no workbook")
    with pytest.raises(EngineError, match="the workbook cannot be read"):
        read_workbook(path.read_bytes(), path.name)
    assert capfd.readouterr().err == "meanwhile"


def test_a_sheet_without_a_word_is_said_to_be_empty(tmp_path: Path):
    path = tmp_path / "book.xlsx"
    path.write_bytes(xlsx({"Sheet1": [[None, None]] * 5}))
    with pytest.raises(
        ErresearchError, match=r"book.xlsx holds no row with a word: empty cells only\. Export"
    ):
        read_export(path, tz="UTC")
