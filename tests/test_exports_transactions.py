"""Any list of transactions: optional columns may be absent, what is given back is no order, shops stand in a column."""

from __future__ import annotations

from pathlib import Path

import pytest

from erresearch.errors import ErresearchError
from erresearch.exports import Export, combine_exports, inspect_export, read_export

Rows = list[str]


def read(
    tmp_path: Path, lines: Rows, columns: dict[str, str], name: str = "a.csv", **mapping: object
) -> Export:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return read_export(path, mapping={"kind": "outcomes", "platform": "till", "columns": columns, **mapping})


def sums(export: Export) -> tuple[float, float]:
    """Revenue, refunds taken off, and orders."""
    rows = export.rows
    return (
        rows.loc[rows["outcome"] == "revenue", "value"].sum(),
        rows.loc[rows["outcome"] == "orders", "value"].sum(),
    )


def test_id_currency_and_state_may_be_absent(tmp_path: Path):
    lines = [
        "Order,Day,Paid,Cur",
        "A1,2025-03-03,10.00,EUR",
        "A2,2025-03-03,12.50,EUR",
        "A3,2025-03-05,7.00,EUR",
    ]
    every = {"order_id": "Order", "date": "Day", "amount": "Paid", "currency": "Cur"}
    for left_out in ("", "order_id", "currency"):
        columns = {target: header for target, header in every.items() if target != left_out}
        made = read(tmp_path, lines, columns)
        assert sums(made) == (29.5, 3)
        assert made.accounting.used == 3
    assert "first rows" in str(
        inspect_export(tmp_path / "a.csv", mapping={"kind": "outcomes", "columns": every})
    )


def test_orders_with_ids_or_clocks_are_added_up(tmp_path: Path):
    lines = ["Order,Day,Paid", "A1,2025-03-03,10.00", "A2,2025-03-03,10.00", "A3,2025-03-05,7.00"]
    made = read(tmp_path, lines, {"order_id": "Order", "date": "Day", "revenue": "Paid"}, currency="EUR")
    assert sums(made) == (27, 3)
    assert made.accounting.rejected == 0
    clocks = ["When,Total", "2025-03-15 10:55:42,20", "2025-03-15 14:19:08,60", "2025-03-15 14:51:53,60"]
    made = read(
        tmp_path, clocks, {"date": "When", "revenue": "Total"}, currency="USD", zone="America/Chicago"
    )
    assert sums(made) == (140, 3)


def test_sums_by_day_stay_sums_by_day(tmp_path: Path):
    lines = ["Day,Total", "2025-03-15 00:00:00,20", "2025-03-16 00:00:00,60", "2025-03-16 00:00:00,60"]
    made = read(tmp_path, lines, {"date": "Day", "revenue": "Total"}, currency="USD", zone="UTC")
    assert sums(made) == (80, 0)
    assert made.accounting.reasons["copies of an earlier row"] == 1


def test_a_negative_amount_is_a_refund_and_no_order(tmp_path: Path):
    lines = [
        "Id,Day,Net,Event",
        "P1,2025-03-01,20,Payment",
        "P2,2025-03-01,-20,Refund",
        "P3,2025-03-02,1000,Payment",
    ]
    columns = {"order_id": "Id", "date": "Day", "amount": "Net", "status": "Event"}
    for won in (["Payment", "Refund"], ["Payment"]):
        made = read(tmp_path, lines, columns, currency="USD", won=won)
        assert sums(made) == (1000, 2)
        assert made.rows.loc[made.rows["value"] < 0, "kind"].tolist() == ["refund"]
        assert any(caution.code == "negative" and caution.count == 1 for caution in made.warnings)


def test_a_partial_refund_of_woocommerce_is_no_second_order(tmp_path: Path):
    path = tmp_path / "orders.csv"
    head = (
        "Date,Order #,N. Revenue (formatted),Status,Customer,Customer type,Product(s),Items sold,Coupon(s),"
    )
    head += "N. Revenue,Attribution"
    path.write_text(
        f"{head}\n2025-03-01 10:00:00,501,$20.00,completed,Ann Ex,new,Soap,1,,20.00,Direct\n"
        "2025-03-01 11:00:00,502,$30.00,completed,Bob Ex,new,Soap,1,,30.00,Direct\n"
        "2025-03-03 09:00:00,502,-$10.00,completed,Bob Ex,new,Soap,1,,-10.00,Direct\n"
    )
    assert sums(read_export(path)) == (40, 2)


def test_a_further_payment_of_an_order_is_no_further_order(tmp_path: Path):
    lines = ["Order,Day,Paid", "A1,2025-03-03,10", "A1,2025-03-04,5", "A2,2025-03-04,5"]
    made = read(tmp_path, lines, {"order_id": "Order", "date": "Day", "amount": "Paid"}, currency="EUR")
    assert sums(made) == (20, 2)


@pytest.mark.parametrize("money", ["revenue", "amount"])
def test_shops_may_stand_in_a_column(money: str, tmp_path: Path):
    lines = [
        "day,shop,turnover",
        "2025-03-01,tea,100",
        "2025-03-01,coffee,80",
        "2025-03-02,tea,120",
        "2025-03-02,,70",
    ]
    made = read(
        tmp_path, lines, {"date": "day", "entity": "shop", money: "turnover"}, currency="EUR", entity="other"
    )
    rows = made.rows[made.rows["outcome"] == "revenue"]
    assert rows.groupby("entity")["value"].sum().to_dict() == {"coffee": 80, "other": 70, "tea": 220}
    assert len(combine_exports([made, made]).rows) == len(made.rows)


def test_advertising_and_answers_may_name_a_shop(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("day,shop,cost\n" + "".join(f"2025-03-0{n},{'ab'[n % 2]},5\n" for n in range(1, 9)))
    ads = read_export(
        path, mapping={"kind": "ads", "columns": {"day": "day", "entity": "shop", "spend": "cost"}}
    )
    assert ads.rows["entity"].value_counts().to_dict() == {"a": 4, "b": 4}
    path.write_text("date,shop,score\n" + "".join(f"2025-03-0{n},{'ab'[n % 2]},{n}\n" for n in range(1, 9)))
    columns = {"date": "date", "entity": "shop", "score": "score"}
    answers = read_export(path, mapping={"kind": "survey", "scale": "0-10", "columns": columns})
    assert answers.rows["entity"].value_counts().to_dict() == {"a": 4, "b": 4}


def test_customers_never_make_a_segment(tmp_path: Path):
    path = tmp_path / "sales.csv"
    path.write_text(
        "Day,Customer name,Customer email,Orders,Gross sales,Discounts,Returns,Net sales,Total sales\n"
        "2025-03-01,Ann Example,ann@example.org,1,20,0,0,20,24\n"
        "2025-03-01,Bob Example,bob@example.org,1,20,0,0,20,24\n"
        "2025-03-02,Bob Example,bob@example.org,1,30,0,0,30,36\n"
    )
    made = read_export(path, currency="EUR")
    text = made.rows.to_csv() + str(made)
    assert "@" not in text
    assert not {"Ann", "Bob"} & set(text.replace(",", " ").split())
    gross = made.rows[made.rows["outcome"] == "revenue_gross"]
    assert gross.groupby("date")["value"].sum().tolist() == [40, 30]
    assert made.accounting.used == 3
    contacts = ["Day,Who,Total", "2025-03-01,@ann,20", "2025-03-02,bo@example.org,30"]
    made = read(tmp_path, contacts, {"date": "Day", "revenue": "Total"}, currency="EUR")
    assert set(made.rows["segment"]) == {""}
    assert "1 personal column, which are not loaded" in str(made)


def test_a_shop_without_money_is_refused(tmp_path: Path):
    with pytest.raises(ErresearchError, match="holds no number"):
        read(tmp_path, ["day,cost", "2025-03-01,x", "2025-03-02,y"], {"date": "day", "amount": "cost"})
