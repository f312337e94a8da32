"""Lists of orders that no layout knows: a mapping of six lines is suggested, works as written, and the sums are right."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from erresearch.cli import commands
from erresearch.errors import DataError, ErresearchError
from erresearch.exports import combine_exports, read_export
from erresearch.exports.reading import suggest_mapping

PERSON = "Ann Example,ann@example.org,1 High Street"


@dataclass(frozen=True)
class Case:
    """Lines of a file in the layout of a service, with revenue, orders and what was given back as counted by hand."""

    name: str
    lines: tuple[str, ...]
    revenue: float
    orders: int
    refunds: float = 0.0
    encoding: str = "utf-8"


CASES = (
    Case(
        "etsy",
        (
            "Sale Date,Order ID,Full Name,Email,Street 1,Number of Items,Payment Method,Date Shipped,Currency,Order "
            "Value,Discount Amount,Shipping,Sales Tax,Order Total,Status,Order Net",
            f"03/01/25,3001,{PERSON},1,Credit Card,03/02/25,USD,20.00,0.00,4.00,1.60,25.60,Paid,22.10",
            f"03/14/25,3002,{PERSON},2,Credit Card,03/15/25,USD,40.00,0.00,4.00,3.20,47.20,Paid,41.80",
            f"03/14/25,3003,{PERSON},1,Credit Card,,USD,10.00,0.00,4.00,0.80,14.80,Canceled,0.00",
        ),
        72.80,
        2,
    ),
    Case(
        "paypal",
        (
            '"Date","Time","TimeZone","Name","Type","Status","Currency","Gross","Fee","Net","From Email Address",'
            '"Transaction ID","Shipping and Handling Amount","Sales Tax"',
            '"03/01/2025","10:00:00","PST","Ann Example","Website Payment","Completed","USD","25.60","-1.0","24.60",'
            '"ann@example.org","T1","4.00","1.60"',
            '"03/13/2025","11:00:00","PST","Bob","Website Payment","Completed","USD","1,047.20","-1.50","1,045.70",'
            '"bob@example.org","T2","4.00","3.20"',
            '"03/14/2025","12:00:00","PST","Ann Example","Payment Refund","Completed","USD","-25.60","1.0","-24.60",'
            '"ann@example.org","T3","0.00","0.00"',
            '"03/15/2025","12:00:00","PST","","General Withdrawal","Completed","USD","-900.00",'
            '"0.0","-900.00","","T4","",""',
        ),
        1072.80,
        2,
        -25.60,
    ),
    Case(
        "a till that prints its transactions with tax, tip and fee",
        (
            "E-Mail;Datum;Transaktions-ID;Zahlungsart;Status;Letzte 4 Ziffern;Zwischensumme;Steuerbetrag;Trinkgeld;"
            "Gesamt;Gebühr",
            *(
                f"ann@example.org;{n:02d}.01.2026, 10:{n}0;TAAA00{n};Umsatz;"
                f"{'Fehlgeschlagen' if n == 3 else 'Erfolgreich'};1234;5,50;0,40;1,00;6,90;0,09"
                for n in range(1, 6)
            ),
        ),
        27.6,
        4,
    ),
    Case(
        "a shop whose totals stand beside each item",
        (
            "Order_Number,Order_Status,Order_Date,Payment_Status,Total_Price_Incl_Tax,Currency,Product_Title,Price_Incl_Tax",
            *(
                f"ORD{n:05d},shipped,2026-01-{n + 1:02d} 10:00:00,{'not_paid' if n == 5 else 'paid'},{40 + n}.00,eur,"
                f"{what},20.00"
                for n in range(6)
                for what in ("Soap", "Tea")
            ),
        ),
        210.0,
        5,
    ),
    Case(
        "states of a program, and an id that ends a compound",
        (
            "Auftragsdatum;Auftragsnummer;Gesamtsumme brutto;Zahlungsstatus",
            *(
                f"0{n}.01.2026;AU{n:06d};1.20{n},50;{state}"
                for n, state in enumerate(
                    ["PAID", "AWAITING_PAYMENT", "PARTIALLY_REFUNDED", "CANCELLED"], start=1
                )
            ),
        ),
        2405.0,
        2,
    ),
    Case(
        "orders of a French shop",
        (
            "ID;Référence;Livraison;Client;Total;Paiement;État;Date",
            *(
                f"{n};XK{n};France;A. Example;2{n},50 €;Carte;{state};2026-01-0{n} 10:12:00"
                for n, state in enumerate(["Paiement accepté", "Livré", "Annulé", "Remboursé"], start=1)
            ),
        ),
        44.0,
        2,
    ),
    Case(
        "orders of an event table",
        (
            "event_date,event_name,ecommerce_transaction_id,ecommerce_purchase_revenue,geo_country",
            *(f"2026010{n},purchase,T0000{n},2{n},NL" for n in range(1, 6)),
        ),
        115.0,
        5,
    ),
    Case(
        "square",
        (
            "Date,Time,Time Zone,Gross Sales,Discounts,Net Sales,Gift Card Sales,Tax,Tip,Total Collected,Source,"
            "Card,Cash,Transaction ID,Payment ID,Device Name,Event Type,Location",
            "03/01/25,10:15:22,Eastern Time,$20.00,$0.00,$20.00,$0.00,$1.60,$2.00,$23.60,Register,$23.60,$0.00,TX1,P1,"
            "iPad,Payment,Main",
            "03/13/25,11:15:22,Eastern Time,-$20.00,$0.00,-$20.00,$0.00,-$1.60,$0.00,-$21.60,Register,-$21.60,$0.00,"
            "TX1,P2,iPad,Refund,Main",
            '03/14/25,12:00:00,Eastern Time,"$1,050.00",-$50.00,"$1,000.00",$0.00,$80.00,$0.00,"$1,080.00",Register,'
            '"$1,080.00",$0.00,TX2,P3,iPad,Payment,Main',
        ),
        1020.0,
        2,
        -20.0,
    ),
    Case(
        "tiendanube",
        (
            "Número de orden;Email;Fecha;Estado de la orden;Estado del pago;Moneda;Subtotal de productos;Descuento;"
            "Costo de envío;Total;Nombre del comprador;Nombre del producto;Cantidad del producto",
            "501;ann@example.org;13/03/2025 10:00;Abierta;Recibido;ARS;2.000,00;0,00;500,00;2.500,00;Ann Example;Jabón;1",
            "501;;;;;;;;;;;Té;2",
            "502;bob@example.org;14/03/2025 11:30;Abierta;Recibido;ARS;1.000,00;0,00;500,00;1.500,00;Bob Example;Té;1",
            "503;bob@example.org;15/03/2025 09:10;Abierta;Pendiente;ARS;900,50;0,00;0,00;900,50;Bob Example;Té;1",
        ),
        4000.0,
        2,
        encoding="latin-1",
    ),
    Case(
        "woocommerce",
        (
            "Order Number,Order Status,Order Date,Customer Note,First Name (Billing),Email (Billing),Payment Method "
            "Title,Order Subtotal Amount,Order Shipping Amount,Order Total Tax Amount,Order Total Amount",
            "501,Completed,2025-03-01 10:00,,Ann,ann@example.org,Card,20.00,5.00,2.00,27.00",
            "502,Processing,2025-03-02 11:00,,Bob,bob@example.org,Card,30.00,5.00,3.00,38.00",
            "503,Cancelled,2025-03-02 12:00,,Cid,cid@example.org,Card,10.00,5.00,1.00,16.00",
        ),
        65.0,
        2,
    ),
    Case(
        "stripe with chosen columns",
        (
            "id,Created (UTC),Amount,Amount Refunded,Currency,Captured,Status,Customer Email",
            "ch_1,2025-03-01 10:00,20.00,0.00,eur,true,Paid,ann@example.org",
            "ch_2,2025-03-01 10:05,30.00,0.00,eur,true,Paid,ann@example.org",
            "ch_3,2025-03-02 10:05,35.00,0.00,eur,false,Failed,ann@example.org",
        ),
        50.0,
        2,
    ),
    Case(
        "receipts of a till",
        (
            "Bon;Datum;Tijd;Filiaal;Kassa;Bedrag;BTW",
            "1001;13-03-2025;09:02;Noord;1;€ 3,50;€ 0,32",
            "1002;13-03-2025;09:05;Noord;1;€ 3,50;€ 0,32",
            "1003;13-03-2025;09:05;Zuid;1;€ 12,00;€ 1,08",
            "1004;14-03-2025;10:05;Zuid;1;€ -3,50;€ -0,32",
        ),
        19.0,
        3,
        -3.5,
    ),
    Case(
        "notebook of a bakery",
        ("Day,What,Price", *["2025-03-13,bread,3.50"] * 23, "2025-03-13,cake,9.00", "2025-03-14,bread,3.50"),
        93.0,
        25,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_list_of_orders_reads_through_what_is_suggested(case: Case, tmp_path: Path):
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(case.lines) + "\n", encoding=case.encoding)
    text = suggest_mapping(path)
    assert len(text.splitlines()) <= 6
    assert not {"Ann", "Bob", "ann@example.org", "High"} & set(text.replace('"', " ").split())
    path.with_name("orders.csv.toml").write_text(text, encoding="utf-8")
    made = read_export(path, mapping=path.with_name("orders.csv.toml"))
    rows = made.rows
    money = rows[rows["outcome"].eq("revenue") & rows["kind"].isin(["sale", "refund"])]
    assert money.loc[money["value"] > 0, "value"].sum() == pytest.approx(case.revenue)
    assert money.loc[money["value"] < 0, "value"].sum() == pytest.approx(case.refunds)
    assert rows["outcome"].eq("orders").mul(rows["kind"].eq("sale")).sum() == case.orders
    assert "@" not in rows.to_csv() + str(made)


def test_tax_and_shipping_are_taken_off_or_put_on_by_a_line(tmp_path: Path):
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(CASES[0].lines) + "\n")
    text = suggest_mapping(path)
    (line,) = [line for line in text.splitlines() if line.startswith("# less")]
    mapping = tomllib.loads(text.replace(line, line.removeprefix("# ")))
    value = {name: read_export(path, mapping=more).rows for name, more in (
        ("less", mapping), ("plus", {**mapping, "less": [], "plus": ["Shipping"]}))}  # fmt: skip
    sold = {
        name: rows[rows["outcome"].eq("revenue") & rows["kind"].eq("sale")]["value"].sum()
        for name, rows in value.items()
    }
    assert sold == {"less": pytest.approx(60.0), "plus": pytest.approx(80.80)}
    with pytest.raises(ErresearchError, match="has no column 'Porto'"):
        read_export(path, mapping={**mapping, "less": ["Porto"]})
    path.write_text("Date,Views\n2026-01-01,10\n2026-01-02,12\n")
    with pytest.raises(ErresearchError, match="has no amounts of orders"):
        read_export(path, mapping={"less": ["Views"]})


def test_a_column_that_says_states_is_one_where_two_of_them_are_known(tmp_path: Path):
    path = tmp_path / "a.csv"
    states = ["Zaplaceno"] * 6 + ["Paid", "Refunded", "Canceled"]
    path.write_text("ID;Status;Total;Date\n" + "".join(
        f"{n};{state};€{n + 10}.50;{n + 10:02d}/01/2025\n" for n, state in enumerate(states)))  # fmt: skip
    text = suggest_mapping(path)
    assert "# won = " in text
    mapping = tomllib.loads(text)
    assert mapping["columns"]["status"] == "Status"
    made = read_export(path, mapping=mapping)
    # what was cancelled is never sold, and what is not known waits for a word
    assert made.rows.loc[made.rows["kind"] == "sale", "value"].tolist() == [16.5, 1.0]
    assert made.accounting.out_of_scope == 6
    sold = read_export(path, mapping={**mapping, "won": ["Zaplaceno", "Paid"]}).rows
    assert ((sold["outcome"] == "orders") & (sold["kind"] == "sale")).sum() == 7


def test_sales_by_day_below_lines_of_a_report_are_sums_not_sales(tmp_path: Path):
    path = tmp_path / "umsatz.csv"
    lines = [
        "Umsatzbericht;;;",
        "Zeitraum: 08.01.2025 - 13.01.2025;;;",
        "",
        "Tag;Bestellungen;Umsatz brutto;Besucher",
    ]
    lines += [f"{day:02d}.01.2025;{day};1.234,{day:02d} €;100" for day in range(8, 14)]
    path.write_text("\n".join([*lines, "Summe;63;7.404,63 €;"]), encoding="cp1252")
    made = read_export(path, mapping=tomllib.loads(suggest_mapping(path)))
    sums = made.rows.groupby("outcome")["value"].sum().round(2).to_dict()
    assert sums == {"orders": 63, "revenue": 6 * 1234 + 0.63}
    assert (made.accounting.used, made.accounting.totals) == (6, 1)


@pytest.mark.parametrize(
    ("ids", "orders"),
    [
        ([f"A{number}" for number in range(60)], 60),
        (["Till 1"] * 60, 60),  # the name of a till
        (["n/a"] * 60, 60),
        (["Till 1", *(f"A{number}" for number in range(59))] , 60),
        ([f"A{number}" if number % 2 else "cash" for number in range(60)], 60),
        ([f"A{number // 30}" for number in range(60)], 2),  # thirty lines of an order, each order on one day
    ],
)  # fmt: skip
def test_an_id_counts_orders_where_it_tells_them_apart(tmp_path: Path, ids: list[str], orders: int):
    days = [
        f"2025-03-{number // 30 + 1:02d}" if orders == 2 else f"2025-03-{number % 28 + 1:02d}"
        for number in range(60)
    ]
    path = tmp_path / "a.csv"
    path.write_text("Id,Day,Paid\n" + "".join(f"{key},{day},5\n" for key, day in zip(ids, days, strict=True)))
    columns = {"order_id": "Id", "date": "Day", "amount": "Paid"}
    made = read_export(path, mapping={"kind": "outcomes", "currency": "EUR", "columns": columns})
    assert made.rows.loc[made.rows["outcome"] == "orders", "value"].sum() == orders


def test_a_state_that_says_refund_gives_money_back(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("Id,Day,Paid,State\nA1,2025-03-01,20,Paid\nA1,2025-03-02,5,Refund\n")
    columns = {"order_id": "Id", "date": "Day", "amount": "Paid", "status": "State"}
    rows = read_export(path, mapping={"kind": "outcomes", "currency": "EUR", "columns": columns}).rows
    assert rows.loc[rows["outcome"] == "revenue", "value"].tolist() == [20, -5]


def test_posts_and_followers_are_suggested_too(tmp_path: Path):
    path = tmp_path / "toots.csv"
    path.write_text("Toot,Link,Posted on,Favourites,Boosts\nhello,https://a.example/1,13-03-2025 10:00,3,1\n"
                    "hi,https://a.example/2,14-03-2025 10:00,4,0\n")  # fmt: skip
    made = read_export(path, mapping=tomllib.loads(suggest_mapping(path)))
    assert (made.kind, made.rows["likes"].sum(), made.rows["shares"].sum()) == ("posts", 7, 1)
    path.write_text("Day,Fans\n2025-03-13,100\n2025-03-14,103\n")
    assert read_export(path, mapping=tomllib.loads(suggest_mapping(path))).kind == "followers"


DAYS = "date,likes,comments,followers,views\n" + "".join(
    f"2026-01-0{d},{d},1,{1000 + d},30{d}\n" for d in range(1, 8)
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (DAYS, "daily"),  # each day once
        (DAYS + DAYS.partition("\n")[2], "posts"),  # each day twice
        (
            DAYS.replace("2026-01-02", "2026-01-02 10:00").replace("2026-01-03", "2026-01-03 11:30"),
            "posts",
        ),  # clocks
        (
            "fecha;me gusta;comentarios\n01-02-2026;3;1\n13-02-2026;4;0\n",
            "daily",
        ),  # headers of a known language
        ("Day,NPS score,Shop\n2026-01-01,9,a\n2026-01-01,3,b\n", "survey"),
    ],
)
def test_figures_by_day_and_posts_are_told_apart(tmp_path: Path, text: str, kind: str):
    path = tmp_path / "a.csv"
    path.write_text(text)
    said = suggest_mapping(path)
    made = read_export(path, mapping=tomllib.loads(said))
    assert (made.kind, made.accounting.used) == (kind, len(text.splitlines()) - 1)


LONG = "Day;Shop;Kennzahl;Wert\n" + "".join(
    f"2026-01-0{d};{shop};{what};{value}\n"
    for d in range(1, 8) for shop in "ab" for what, value in (
        ("Likes", d + (shop == "b")), ("Sales", f"€ 1.20{d},50"), ("Mood", 2), ("Followers", f"1.00{d}"))
)  # fmt: skip


def test_a_table_of_one_figure_a_row_is_suggested_and_read(tmp_path: Path):
    path = tmp_path / "long.csv"
    path.write_text(LONG, "utf-8")
    text = suggest_mapping(path)
    mapping = tomllib.loads(text)
    assert len(text.splitlines()) <= 6
    assert mapping["figures"] == {"likes": "Likes", "revenue": "Sales", "followers": "Followers"}
    made = read_export(path, mapping=mapping)
    sums = made.rows[["likes", "revenue"]].sum().to_dict()
    assert sums == {"likes": 63, "revenue": pytest.approx(14 * 1200.5 + 56)}
    assert made.rows["followers"].max() == 1007
    assert str(made.accounting).split("\n")[0].startswith("56 rows in = 42 used")
    assert made.accounting.reasons == {"figures that the mapping does not name": 14}


def test_a_table_of_one_figure_a_row_may_give_sales_only(tmp_path: Path):
    path = tmp_path / "long.csv"
    lines = [
        f"0{d}/0{m}/2026;{what};{v}"
        for m in (1, 2)
        for d in (3, 4)
        for what, v in (("orders", 3), ("revenue", 60))
    ]
    path.write_text("\n".join(["Datum;Metriek;Waarde", *lines]))
    made = read_export(path, mapping=tomllib.loads(suggest_mapping(path)))
    assert made.rows.groupby("outcome")["value"].sum().to_dict() == {"orders": 12, "revenue": 240}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            {"figures": {}},
            "one figure a row is not understood: kind 'daily'; columns date, metric, value; figures none",
        ),
        ({"kind": "posts"}, "kind 'posts'.*Allowed: kind daily or followers or outcomes"),
        ({"figures": {"likes": "Hearts"}}, "column 'Kennzahl' never says 'Hearts'"),
        ({"figures": {"caption": "Likes"}}, "figures caption"),
    ],
)
def test_figures_that_a_mapping_does_not_name_well_are_refused(
    tmp_path: Path, change: dict[str, object], match: str
):
    path = tmp_path / "long.csv"
    path.write_text("Tag,Kennzahl,Wert\n2026-01-01,Likes,3\n2026-01-02,Likes,4\n")
    mapping = {"kind": "daily", "figures": {"likes": "Likes"},
               "columns": {"date": "Tag", "metric": "Kennzahl", "value": "Wert"}}  # fmt: skip
    with pytest.raises(ErresearchError, match=match):
        read_export(path, mapping={**mapping, **change})


def test_shops_that_stand_one_below_the_other_are_shops(tmp_path: Path):
    path = tmp_path / "sorted.csv"
    days = pd.date_range("2025-01-01", periods=250).strftime("%Y-%m-%d")
    path.write_text("Dag,Kiosk,Likes,Umsatz\n" + "".join(
        f"{day},{shop},{n % 9 + k},{100 + n + k}\n" for k, shop in enumerate(("Nord", "Ost", "West"))
        for n, day in enumerate(days)))  # fmt: skip
    mapping = tomllib.loads(suggest_mapping(path))
    assert (mapping["kind"], mapping["columns"]["account"]) == ("daily", "Kiosk")


def test_columns_of_one_header_are_named_and_not_read(tmp_path: Path):
    path = tmp_path / "twins.csv"
    path.write_text("Date,Likes,Sales,Sales\n" + "".join(f"2025-01-0{n},{n},{n}.5,1\n" for n in range(1, 9)))
    text = suggest_mapping(path)
    assert '# not read, since several columns are called so: "Sales"' in text
    assert tomllib.loads(text)["columns"] == {"date": "Date", "likes": "Likes"}


def test_posts_without_ids_are_one_in_two_exports(tmp_path: Path):
    mapping = {"columns": {"date": "day", "likes": "likes"}}
    for name, likes in (("2026-02-01.csv", 3), ("2026-03-01.csv", 5)):
        (tmp_path / name).write_text(f"day,likes\n2026-01-01,{likes}\n2026-01-01,{likes + 1}\n2026-01-09,1\n")
    both = combine_exports([
        read_export(tmp_path / name, mapping={**mapping, "exported_at": name[:10]})
        for name in ("2026-02-01.csv", "2026-03-01.csv")])  # fmt: skip
    assert both.rows["likes"].tolist() == [5, 6, 1]


def test_what_cannot_be_guessed_is_said(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("What,Who\nbread,me\ncake,you\n")
    with pytest.raises(ErresearchError, match=r"no mapping for a\.csv could be guessed: no column of days"):
        suggest_mapping(path)


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "book.csv"
    path.write_text("\n".join(CASES[-1].lines) + "\n")
    assert commands.run(["inspect", str(path), "--suggest"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["columns"] == {"date": "Day", "amount": "Price"}


@pytest.mark.parametrize("zone", ["CET", "Europe/Berlin", None])
@pytest.mark.parametrize("tz", ["Europe/Berlin", "America/New_York"])
def test_a_day_and_a_clock_in_two_columns_are_a_moment(zone: str | None, tz: str, tmp_path: Path):
    rows = [
        ("31.01.2026", "23:30:10", "10,00"),
        ("01.02.2026", "8:00:00", "20,00"),
        ("02.02.2026", "00:30", "5,00"),
    ]
    lines = ["Datum;Uhrzeit;Zeitzone;Name;Status;Währung;Brutto;Transaktionscode"]
    lines += [f"{d};{t};{zone};A B;Abgeschlossen;EUR;{v};T{n}" for n, (d, t, v) in enumerate(rows)]
    if zone is None:
        lines = [";".join(part for n, part in enumerate(line.split(";")) if n != 2) for line in lines]
    path = tmp_path / "paypal.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    mapping = tomllib.loads(suggest_mapping(path))
    assert mapping["columns"]["time"] == "Uhrzeit"
    assert mapping["columns"]["order_id"] == "Transaktionscode"
    sold = read_export(path, mapping=mapping, tz=tz).rows.query("outcome == 'revenue'")
    clock = pd.DatetimeIndex(["2026-01-31 23:30:10", "2026-02-01 08:00", "2026-02-02 00:30"])
    moments = clock.tz_localize("Europe/Berlin" if zone else tz)
    assert sold["at"].tolist() == list(moments.tz_convert("UTC"))
    assert sold["date"].tolist() == list(moments.tz_convert(tz).tz_localize(None).normalize())


def test_posts_that_go_out_once_a_day_are_known_by_their_addresses(tmp_path: Path):
    lines = [f"https://instagram.com/p/A{n}/;{n:02d}/01/2024;{n};1" for n in range(1, 29)]
    path = tmp_path / "posts.csv"
    path.write_text("\n".join(["Post;Date;Likes;Comments", *lines]), encoding="utf-8")
    mapping = tomllib.loads(suggest_mapping(path))
    assert (mapping["kind"], mapping["columns"]["post_id"]) == ("posts", "Post")


def test_headers_with_line_ends_are_headers(tmp_path: Path):
    path = tmp_path / "own.csv"
    rows = "".join(f"2024-01-{n:02d},{n},1,9.5\n" for n in range(1, 29))
    path.write_text(f'Date,"Likes\nin all",Comments,"Revenue\n(EUR)"\n{rows}', encoding="utf-8")
    own = read_export(path).rows
    assert set(own["currency"]) == {"EUR"}
    path.write_text(f'Date,"Likes\nin all",Comments,"Takings\n(EUR)"\n{rows}', encoding="utf-8")
    with pytest.raises(ErresearchError, match="--suggest prints one to begin with"):
        read_export(path)
    columns = tomllib.loads(suggest_mapping(path))["columns"]
    assert (columns["likes"], columns["revenue"]) == ("Likes in all", "Takings (EUR)")


SHOPS = ("Berlin", "Köln", "Ulm")


@pytest.mark.parametrize("header", ["Filiale", "Standort", "branch", "Winkel", "Location", "Vestiging"])
@pytest.mark.parametrize("shop_first", [True, False])
def test_sales_by_shop_and_day_are_days_of_shops_and_no_posts(tmp_path, header, shop_first):
    path = tmp_path / "shops.csv"
    rows = [f"{day:%Y-%m-%d};{shop};{day.day};{day.day % 4};{100 + day.day},50;7,25"
            for day in pd.date_range("2025-01-01", periods=150) for shop in SHOPS]  # fmt: skip
    rows = sorted(rows, key=lambda row: row.split(";")[1]) if shop_first else rows
    path.write_text(
        "\n".join([f"Datum;{header};Likes;Kommentare;Umsatz netto;Kaltmiete", *rows]) + "\n", "utf-8"
    )
    lines = suggest_mapping(path)
    mapping = tomllib.loads(lines)
    assert mapping["kind"] == "daily"
    assert mapping["columns"] | {"account": header, "revenue": "Umsatz netto"} == mapping["columns"]
    assert '# not read: "Kaltmiete"' in lines
    made = read_export(path, mapping=mapping)
    assert set(made.rows["account"]) == set(SHOPS)
    assert made.accounting.used == len(rows)


def test_posts_with_titles_and_earnings_stay_posts(tmp_path):
    path = tmp_path / "videos.csv"
    rows = [f"2025-01-{1 + at // 2:02d},About {at} pots,{at},{at}.50" for at in range(60)]
    path.write_text("\n".join(["Published,Headline,Likes,Revenue", *rows]) + "\n", "utf-8")
    assert tomllib.loads(suggest_mapping(path))["kind"] == "posts"


def test_a_history_of_followers_is_told_to_say_whose_it_is(tmp_path):
    path = tmp_path / "followers.csv"
    path.write_text("Date,Followers\n" + "".join(f"2025-01-{day:02d},{100 + day}\n" for day in range(1, 29)))
    lines = suggest_mapping(path)
    assert '# platform = "instagram"' in lines
    assert '# account = "…"' in lines
    named = tomllib.loads(re.sub("(?m)^# ", "", lines))
    assert (named["platform"], named["account"]) == ("instagram", "…")
    assert read_export(path, mapping=named).rows["platform"].unique().tolist() == ["instagram"]


@pytest.mark.parametrize(
    "header",
    [
        "Advertentiekosten",
        "Werbekosten",
        "marketing budget",
        "Werbebudget",
        "Dépenses publicité",
        "Publicidad",
    ],
)
def test_what_advertising_cost_is_known_in_other_words(tmp_path, header):
    path = tmp_path / "days.csv"
    rows = [
        f"{day:%Y-%m-%d},{day.day},2{day.day}.50,{day.day}.25"
        for day in pd.date_range("2025-01-01", periods=40)
    ]
    path.write_text("\n".join([f"date,likes,revenue,{header}", *rows]) + "\n", "utf-8")
    assert tomllib.loads(suggest_mapping(path))["columns"]["spend"] == header


def test_days_of_shops_without_a_column_of_shops_are_told_to_name_it(tmp_path):
    path = tmp_path / "days.csv"
    rows = [f"{day:%Y-%m-%d},{shop},{at},1{day.day}.50" for day in pd.date_range("2025-01-01", periods=40)
            for at, shop in enumerate(SHOPS)]  # fmt: skip
    path.write_text("\n".join(["date,stand,likes,revenue", *rows]) + "\n", "utf-8")
    with pytest.raises(
        DataError, match=r"likes is given twice .* Say which column .* account, in \[columns\]"
    ):
        read_export(path)


DAYS_OF = [f"{d:02d}" for d in range(1, 29)]
#: Files as people have them: lines, what is suggested for them, and what is counted.
ORDINARY = {
    "a shop of a network, with a row that describes the columns, codes of money and tabs": (
        [
            "Order ID,Order Status,Quantity,Order Amount,Created Time,Recipient",
            "Platform unique order ID.,Current order status,Number,Total amount paid,Time of creation,Name",
            *[f'5761{d}000\t,{"Completed" if int(d) % 7 else "Canceled"},1,"BRL 4{d},50",01/{d}/2025 9:30:33 AM\t,Ann'
              for d in DAYS_OF],
        ],
        {"order_id": "Order ID", "date": "Created Time", "amount": "Order Amount", "status": "Order Status"},
        ("outcomes", 28),
    ),
    "a list of movements, of which payouts are no refunds": (
        [
            "id,created_utc,currency,gross,fee,net,reporting_category",
            *[f"txn_{d},2025-03-{d} 09:10:22,eur,{'-90' if int(d) % 9 == 0 else d}.00,0.30,1.00,"
              f"{'payout' if int(d) % 9 == 0 else 'charge'}" for d in DAYS_OF],
        ],
        {"order_id": "id", "date": "created_utc", "amount": "gross", "status": "reporting_category",
         "currency": "currency"},
        ("outcomes", 25),
    ),
    "receipts of a till in Swedish": (
        ["Kvitto\tDatum\tKl\tButik\tKassör\tBelopp",
         *[f"{d}77\t2025-03-{d}\t10:15\t{'Norr' if int(d) % 2 else 'Söder'}\tAnna\t1{d},50 kr" for d in DAYS_OF]],
        {"order_id": "Kvitto", "date": "Datum", "time": "Kl", "amount": "Belopp", "entity": "Butik"},
        ("outcomes", 28),
    ),
    "orders of a market place, with days as Mar-13-25": (
        ["Sales Record Number,Order Number,Buyer Name,Item Title,Total Price,Sale Date",
         *[f'{d},12-{d}000-01,Bob Example,"Soap, blue",$1{d}.00,Mar-{d}-25' for d in DAYS_OF]],
        {"order_id": "Order Number", "date": "Sale Date", "amount": "Total Price"},
        ("outcomes", 28),
    ),
    "posts of several networks of a planner": (
        ["Post Date,Post Time,Network,Profile,Post URL,Likes,Comments",
         *[f"{d}/03/2025,1{k}:30,{name},Maple Moss,https://example.org/{name}/{d},{d},1"
           for d in DAYS_OF for k, name in enumerate(("Instagram", "TikTok"))]],
        {"post_id": "Post URL", "published_at": "Post Date", "time": "Post Time", "network": "Network",
         "account": "Profile", "likes": "Likes", "comments": "Comments"},
        ("posts", 56),
    ),
    "posts once a day with new followers, in French": (
        ["Identifiant de publication;Heure de publication;Vues;Couverture;Mentions J’aime;Followers;Enregistrements",
         *[f"18000000000{d};03/{d}/2025 10:00;5{d};40{d};{d};{int(d) % 2};2" for d in DAYS_OF]],
        {"post_id": "Identifiant de publication", "published_at": "Heure de publication", "likes": "Mentions J’aime",
         "saves": "Enregistrements", "reach": "Couverture", "views": "Vues"},
        ("posts", 28),
    ),
    "videos once a day, known by codes": (
        ["Inhalte;Videotitel;Veröffentlichungszeitpunkt;Aufrufe;Impressionen",
         *[f"vid{d}Qxyz1;Seife;{int(d)}. März 2025;6{d};90{d}" for d in DAYS_OF]],
        {"post_id": "Inhalte", "published_at": "Veröffentlichungszeitpunkt", "impressions": "Impressionen",
         "views": "Aufrufe"},
        ("posts", 28),
    ),
    "posts of an interface of programs, with moments counted from 1970": (
        ["uri|created_at|handle|likeCount|reply_count|repostCount",
         *[f"at://did:plc:abc/post/3k{d}|17672{d}600123|maple.example|{d}|1|2" for d in DAYS_OF]],
        {"post_id": "uri", "published_at": "created_at", "account": "handle", "likes": "likeCount",
         "comments": "reply_count", "shares": "repostCount"},
        ("posts", 28),
    ),
    "orders of a shop in German compounds": (
        ["Bestellnummer;Bestelldatum;Kunde;Gesamtbetrag;Zahlungsstatus",
         *[f"SW1{d};{d}.03.2025 10:00;Ann Example;1.2{d},50 €;{'Bezahlt' if int(d) % 7 else 'Storniert'}"
           for d in DAYS_OF]],
        {"order_id": "Bestellnummer", "date": "Bestelldatum", "amount": "Gesamtbetrag", "status": "Zahlungsstatus"},
        ("outcomes", 28),
    ),
    "days of a till, with tax in the amounts": (
        ["Datum;Omzet incl. btw;Aantal bonnen", *[f"{d}-03-2025;1{d},50;2{d}" for d in DAYS_OF]],
        {"date": "Datum", "revenue": "Omzet incl. btw", "orders": "Aantal bonnen"},
        ("outcomes", 28),
    ),
    "posts of several accounts, by their handles": (
        ["Date (GMT),Profile,Link,Likes",
         *[f"2025-03-{d}T10:00:00Z,{name},https://example.org/{name[1:]}/{d},{d}"
           for d in DAYS_OF for name in ("@maple", "@oak")]],
        {"post_id": "Link", "published_at": "Date (GMT)", "account": "Profile", "likes": "Likes"},
        ("posts", 56),
    ),
    "days of a network, where visits of a profile are no account": (
        ["Date\tLikes\tReplies\tProfile visits\tCreate Post", *[f"2025-03-{d}\t{d}\t1\t9{d}\t1" for d in DAYS_OF]],
        {"date": "Date", "likes": "Likes", "comments": "Replies", "sessions": "Profile visits"},
        ("daily", 28),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_file_is_suggested_as_what_it_is(name: str, tmp_path: Path):
    lines, columns, (kind, used) = ORDINARY[name]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    mapping = tomllib.loads(suggest_mapping(path))
    assert mapping["columns"] == columns
    made = read_export(path, mapping=mapping)
    assert (made.kind, made.accounting.used) == (kind, used)


def test_a_table_in_the_letters_of_central_europe_is_suggested(tmp_path: Path):
    path = tmp_path / "a.csv"
    lines = ["Data;Polubienia;Zasięg;Sprzedaż (zł)", *[f"{d}.03.2025;{d};1{d};1 2{d},50" for d in DAYS_OF]]
    path.write_text("\n".join(lines), encoding="cp1250")
    mapping = tomllib.loads(suggest_mapping(path))
    assert mapping["columns"] == {
        "date": "Data", "likes": "Polubienia", "reach": "Zasięg", "revenue": "Sprzedaż (zł)"}  # fmt: skip
    assert read_export(path, mapping=mapping).rows["revenue"].iloc[0] == 1201.5


def test_lines_that_are_taken_off_belong_to_single_sales(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("Day;Net sales;Orders;Taxes\n" + "".join(f"2025-03-{d};{d}.5;2;1.0\n" for d in DAYS_OF))
    assert "less" not in suggest_mapping(path)


def test_points_that_part_thousands_everywhere_part_no_decimals(tmp_path: Path):
    """Money a thousandth of what it is would give words of its own; a row that stands twice is no second sale."""
    path = tmp_path / "till.csv"
    days = [f"{day:02}.01.2025;{1000 + day:,}".replace(",", ".") for day in range(14, 29)]
    path.write_text(
        "\n".join(["Day;Net sales", *days, "29.01.2025;979", "30.01.2025;-250", days[-1]]), "utf-8"
    )
    lines = suggest_mapping(path)
    assert 'decimal = ","  # guess: points part thousands' in lines
    assert "revenue" in lines
    assert "amount =" not in lines
    rows = read_export(path, mapping=tomllib.loads(lines)).rows
    assert rows["value"].sum() == sum(range(1014, 1029)) + 979 - 250
    with_cents = path.read_text("utf-8").replace("1.014", "10.14")
    path.write_text(with_cents, "utf-8")
    assert 'decimal = ","' not in suggest_mapping(path)


@pytest.mark.parametrize("header", ["price", "Discount %", "Durchschnittspreis"])
@pytest.mark.parametrize("figures", ["likes,comments,shares,saves", "likes"])
def test_prices_beside_sales_are_named_where_they_are_not_read(tmp_path: Path, header: str, figures: str):
    count = figures.count(",") + 1
    rows = [f"2024-01-{day:02},{','.join(['3'] * count)},{20 + day % 3},{day * 100}" for day in range(1, 31)]
    path = tmp_path / "own.csv"
    path.write_text("\n".join([f"date,{figures},{header},revenue", *rows]), "utf-8")
    (told,) = (
        str(one) for one in read_export(path).warnings if one.code in ("unread prices", "unread counts")
    )
    assert "1 column of prices or discounts, not read:" in told
    assert "er.daily_response as controls" in told


NEWS = "Title,Send Date,Total Recipients,Total Bounces,Total Opens,Total Orders,Total Gross Sales"
ADS = "Start Time,Campaign Name,Amount Spent,Paid Impressions,Paid Reach"
POSTS = "Posted Time,Caption,Permalink,Likes,Saved"


@pytest.mark.parametrize(
    ("head", "row", "lines"),
    [
        (
            NEWS,
            'News {n},"Jan {n}, 2026 10:00 am",1200,10,300,3,9{n}.00',
            [
                'kind = "outcomes"',
                'columns = { date = "Send Date", revenue = "Total Gross Sales", orders = "Total Orders" }',
            ],
        ),
        (
            ADS,
            "2026-01-0{n}T00:00:00.000-08:00,Spring,1{n}.50,1000,900",
            [
                'kind = "ads"',
                'columns = { day = "Start Time", spend = "Amount Spent", impressions = "Paid Impressions" }',
            ],
        ),
        (
            POSTS,
            "2026-01-0{n} 10:0{n},hello,https://www.instagram.com/p/Cab{n}/,1{n},2",
            ['kind = "posts"', 'saves = "Saved"', 'platform = "instagram"  # guess: the addresses are of it'],
        ),
    ],
)
def test_what_a_row_is_of_is_told_by_what_stands_beside_it(
    tmp_path: Path, head: str, row: str, lines: list[str]
):
    path = tmp_path / "a.csv"
    path.write_text("\n".join([head, *(row.format(n=n) for n in range(1, 8))]))
    text = suggest_mapping(path)
    assert all(line in text for line in lines), text
    assert "News" not in read_export(path, mapping=tomllib.loads(text)).rows.to_string()


def test_a_column_that_may_hold_states_is_named_where_it_is_not_read(tmp_path: Path):
    path = tmp_path / "a.csv"
    states = ["Zebra", "Giraffe"] * 3
    path.write_text(
        "Order number,Day,Price,State\n"
        + "".join(f"{n},2026-01-0{n},1.50,{s}\n" for n, s in enumerate(states, start=1))
    )
    assert '# not read: "State", which may hold states: as status, with won for those' in suggest_mapping(
        path
    )


def test_what_was_refunded_of_an_order_is_given_back_where_its_column_is_named(tmp_path: Path):
    path = tmp_path / "a.csv"
    lines = [f"{n},2026-01-0{n} 10:00,paid,20.00,{5 * (n == 2)}.00,{n}" for n in range(1, 5)]
    path.write_text(
        "\n".join(["order_number,order_date,status,total,refunded_amount,quantity_refunded", *lines])
    )
    text = suggest_mapping(path)
    assert '# refunded = "refunded_amount" among the columns' in text
    mapping = tomllib.loads(text)
    mapping["columns"]["refunded"] = "refunded_amount"
    rows = read_export(path, mapping=mapping).rows
    assert rows.query("outcome == 'revenue'").groupby("kind")["value"].sum().to_dict() == {
        "refund": -5.0,
        "sale": 80.0,
    }


def test_followers_are_the_stock_and_networks_are_known_by_their_first_word(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text(
        "Tag;Neue Follower;Follower gesamt\n" + "".join(f"0{n}.01.2026;5;120{n}\n" for n in range(1, 8))
    )
    assert 'followers = "Follower gesamt"' in suggest_mapping(path)
    path.write_text("Network,Posted,Link,Likes\nFacebook Page,2026-01-05 10:00,https://a.example/1,3\n")
    columns = {"network": "Network", "published_at": "Posted", "post_id": "Link", "likes": "Likes"}
    assert read_export(path, mapping={"kind": "posts", "columns": columns}).rows["platform"].tolist() == [
        "facebook"
    ]


def test_where_nothing_can_be_suggested_beside_two_columns_of_states_this_is_said(tmp_path: Path):
    path = tmp_path / "a.csv"
    days = ["soon" if n % 7 == 0 else f"2025-03-{n:02d} 10:00" for n in range(1, 29)]
    states = [("pending,cancelled", "cancelled,failed")[n % 2] for n in range(28)]
    rows = (
        f"{day},{n + 1000},{n}.50,{state}\n" for n, (day, state) in enumerate(zip(days, states, strict=True))
    )
    path.write_text("Day,Order id,Price,Status,Delivery state\n" + "".join(rows))
    with pytest.raises(DataError, match=r"no mapping for a\.csv could be guessed: .* is not a date"):
        suggest_mapping(path)
