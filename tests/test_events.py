"""Declared events: read, checked, laid on periods; holidays; candidates that are never read from revenue."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from erresearch.errors import (
    ColumnError,
    DataError,
    EngineError,
    ErresearchWarning,
    UnknownNameError,
)
from erresearch.panel.events import (
    declared_events,
    event_candidates,
    event_columns,
    public_holidays,
    read_events,
)


def weeks(count: int = 10, shops: tuple[str, ...] = ("a", "b")) -> pd.DataFrame:
    """Mondays from 2024-01-01, one row per shop and week."""
    monday = pd.date_range("2024-01-01", periods=count, freq="7D")
    return pd.DataFrame({"shop": np.repeat(shops, count), "week": np.tile(monday, len(shops))})


def events(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"name": ["sale"], **columns})


def laid(declared: pd.DataFrame, **options: object) -> pd.DataFrame:
    return event_columns(weeks(), declared, by="shop", time="week").rows


def test_a_pulse_is_the_share_of_days_that_it_covers():
    found = laid(events(start=["2024-01-12"], end=["2024-01-16"]))
    # Friday to Sunday of the second week, Monday and Tuesday of the third
    expected = np.array([0, 3 / 7, 2 / 7, *[0] * 7])
    np.testing.assert_allclose(found["event: sale"], [*expected, *expected])


def test_a_step_stays_and_an_entity_keeps_its_own():
    found = laid(events(date=["2024-01-10"], kind=["step"], entity=["b"]))
    assert found.loc[found["shop"] == "a", "event: sale"].eq(0).all()
    np.testing.assert_allclose(found.loc[found["shop"] == "b", "event: sale"], [0, 5 / 7, *[1] * 8])


@pytest.mark.filterwarnings("ignore:events that cover the whole table")
@settings(max_examples=50, deadline=None)
@given(
    first=st.integers(0, 60),
    length=st.integers(0, 30),
    every=st.sampled_from([1, 7, 28]),
    kind=st.sampled_from(["pulse", "step"]),
)
def test_days_are_neither_lost_nor_counted_twice(first, length, every, kind):
    start = pd.Timestamp("2024-01-01")
    table = pd.DataFrame({"day": pd.date_range(start, periods=100 // every + 2, freq=f"{every}D")})
    begin = start + pd.Timedelta(days=first)
    declared = events(start=[begin], end=[begin + pd.Timedelta(days=length)], kind=[kind])
    column = event_columns(table, declared, by=None, time="day").rows["event: sale"].to_numpy()
    assert ((column >= 0) & (column <= 1)).all()
    horizon = len(table) * every - first
    expected = horizon if kind == "step" else min(length + 1, horizon)
    assert column.sum() * every == pytest.approx(expected)


def test_months_have_their_own_length():
    table = pd.DataFrame({"month": pd.date_range("2024-01-01", periods=4, freq="MS")})
    declared = events(start=["2024-02-01"], end=["2024-02-29"])
    found = event_columns(table, declared, by=None, time="month")
    assert found.rows["event: sale"].tolist() == [0, 1, 0, 0]
    assert found.kinds == {"event: sale": "pulse"}
    assert "event: sale" not in table


def test_rare_pulses_share_a_column_and_common_ones_do_not():
    declared = pd.DataFrame(
        {
            "date": ["2024-01-03", "2024-01-17", *[f"2024-02-{d:02d}" for d in (1, 8, 15)]],
            "name": ["launch", "strike", "sale", "sale", "sale"],
        }
    )
    found = event_columns(weeks(shops=("a",)), declared, by=None, time="week")
    assert list(found.kinds) == ["event: sale", "event: others"]
    assert found.rows["event: others"].gt(0).sum() == 2


def test_events_of_one_name_that_overlap_count_their_days_once():
    declared = pd.DataFrame(
        {"start": ["2024-01-01", "2024-01-03"], "end": ["2024-01-07"] * 2, "name": ["s"] * 2}
    )
    with pytest.warns(ErresearchWarning, match="events that overlap with another of the same name: 1"):
        found = laid(declared)
    assert found["event: s"].max() == 1.0


def test_events_outside_the_table_are_counted():
    declared = pd.DataFrame({"date": ["2024-01-10", "2025-01-10", "2020-01-10"], "name": ["sale"] * 3})
    with pytest.warns(ErresearchWarning, match="2 of 3 events lie outside the table"):
        found = event_columns(weeks(), declared, by="shop", time="week")
    assert [text.startswith("2 of 3 events lie outside") for text in found.cautions] == [True]


@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_a_file_as_spreadsheets_write_it(tmp_path, separator):
    path = tmp_path / "events.csv"
    path.write_text(
        separator.join(["date", "name"]) + "\n" + separator.join(["2024-01-05", "sale"]), "utf-8-sig"
    )
    assert read_events(path)["name"].tolist() == ["sale"]


def test_an_event_that_never_changes_is_counted():
    with pytest.warns(ErresearchWarning, match=r"cover the whole table and tell nothing: 1; declare when"):
        laid(events(start=["2023-12-01"], end=["2024-12-31"]))


@pytest.mark.parametrize("entity", [[1, None], [1.0, 2.0], ["1", ""]])
@pytest.mark.parametrize("kind", [int, float, str])
def test_entities_are_the_same_in_any_type(entity, kind):
    # an empty cell makes 1 into 1.0
    days = pd.date_range("2024-01-01", periods=4, freq="7D")
    table = pd.DataFrame({"shop": [kind(1)] * 4 + [kind(2)] * 4, "week": [*days, *days]})
    declared = pd.DataFrame({"date": ["2024-01-02", "2024-01-10"], "name": "sale", "entity": entity})
    found = event_columns(table, declared, by="shop", time="week").rows["event: sale"]
    assert found[:4].gt(0).tolist()[0]
    assert found.gt(0).sum() == (3 if entity[1] in (None, "") else 2)


@pytest.mark.parametrize("engine", [pl.DataFrame, lambda t: pl.DataFrame(t).lazy(), pa.table])
def test_events_may_come_from_any_engine(engine):
    declared = {"date": ["2024-01-05", "2024-01-06"], "name": ["sale", "fair"]}
    assert read_events(engine(declared)).equals(read_events(pd.DataFrame(declared)))
    numbers = pd.DataFrame({"date": [20240105, 20240106], "name": ["sale", "fair"]})
    assert read_events(numbers).equals(read_events(pd.DataFrame(declared)))


@pytest.mark.parametrize("declared", [["2024-01-05"], {"date": ["2024-01-05"]}, True, 5])
def test_what_is_no_table_is_refused_with_the_way_to_one(declared):
    with pytest.raises(DataError, match=r"events come as a table or a file: .*pd.DataFrame\(\{'date'"):
        read_events(declared)


def test_a_file_of_events(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("start,end,name,kind,entity\n2024-01-08,2024-01-14,sale,,\n2024-02-01,,new site,step,b\n")
    found = read_events(path)
    assert found["kind"].tolist() == ["pulse", "step"]
    assert found["end"].tolist() == [pd.Timestamp("2024-01-14"), pd.Timestamp("2024-02-01")]
    assert found["entity"].tolist() == ["", "b"]


@pytest.mark.parametrize(
    ("declared", "error", "match"),
    [
        (events(date=["soon"]), DataError, "a day of an event cannot be read: row 1 of the events"),
        (events(date=[""]), DataError, "a day of an event cannot be read"),
        (
            events(start=["2024-01-05"], end=["2024-01-01"]),
            DataError,
            "an event ends before it starts: row 1",
        ),
        (events(date=["2024-01-05"], kind=["ramp"]), DataError, "an event has an unknown kind"),
        (events(date=["2024-01-05"], where=["x"]), UnknownNameError, "There is no column of events 'where'"),
        (events(), ColumnError, "No column 'date' in the events"),
        (
            events(date=["2024-01-05"], start=["2024-01-05"]),
            ColumnError,
            "an event has a `date` or a `start`",
        ),
        (pd.DataFrame({"date": ["2024-01-05"], "name": [" "]}), DataError, "an event has no name: row 1"),
        (pd.DataFrame({"date": [], "name": []}), DataError, "there is no event in the events"),
        (
            pd.DataFrame({"date": ["2024-01-05"] * 2, "name": ["a"] * 2, "kind": ["pulse", "step"]}),
            DataError,
            "one name stands for a pulse and for a step",
        ),
        (events(date=["2030-01-05"]), DataError, "no event falls into the table"),
        (
            events(date=["2024-01-05"], entity=["z"]),
            DataError,
            "events are declared for entities that the table",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(declared, error, match):
    with pytest.raises(error, match=match):
        laid(declared)


def test_a_file_that_is_none_and_periods_that_are_no_dates(tmp_path):
    with pytest.raises(EngineError, match=r"cannot read the events in nowhere\.csv: No such file"):
        read_events(tmp_path / "nowhere.csv")
    (tmp_path / "events.csv").write_text("date,name\n2024-01-05,sale\nsoon,sale\n")
    with pytest.raises(DataError, match=r"row 3 of events\.csv"):  # as a spreadsheet numbers it
        read_events(tmp_path / "events.csv")
    with pytest.raises(DataError, match="events need dates in 'week'"):
        event_columns(pd.DataFrame({"week": [1, 2, 3]}), events(date=["2024-01-05"]), by=None, time="week")


def test_no_text_of_a_cell_stands_in_a_message():
    with pytest.raises(DataError) as caught:
        read_events(events(date=["anna@example.org"]))
    assert "anna" not in str(caught.value)


def test_public_holidays_are_of_the_country_asked_for():
    dutch = public_holidays("nl", [2023, 2024])
    assert pd.Timestamp("2024-04-27") in dutch["start"].tolist()
    assert len(public_holidays("DE-BY", [2024])) > len(public_holidays("DE", [2024]))
    with pytest.raises(
        UnknownNameError, match=r"There is no country 'XX'.* more\. Take a code of ISO 3166-1"
    ):
        public_holidays("XX", [2024])
    with pytest.raises(UnknownNameError, match="There is no part of DE 'ZZ'"):
        public_holidays("DE-ZZ", [2024])


def test_holidays_are_those_of_the_table():
    for first, count, kept in (
        ("2024-12-01", 40, 3),
        ("2024-02-01", 20, 0),
    ):  # two of Christmas and New Year; none
        days = pd.Series(pd.date_range(first, periods=count))
        found = declared_events("none", "NL", days)
        assert found == "none" if not kept else len(found) == kept
    assert declared_events("", "", days) is None


def test_candidates_come_from_what_the_shop_decides_and_never_from_revenue():
    rng = np.random.default_rng(1)
    table = weeks(40)
    table["posts"] = rng.poisson(5, len(table))
    table["price"] = 20.0
    table["revenue"] = 100.0
    table.loc[5, "posts"] = 60
    table.loc[25:, "price"] = 15.0
    table.loc[30, "revenue"] = 1e6
    table["price"] *= np.exp(0.01 * rng.normal(size=len(table)))
    found = event_candidates(table, by="shop", time="week")
    assert found["name"].tolist() == ["many posts", "price"]
    assert found["start"].tolist() == [table["week"][5], table["week"][25]]
    assert not len(event_candidates(table[["shop", "week", "revenue"]], by="shop", time="week"))
    # what was proposed can be declared as it stands
    assert event_columns(table, found, by="shop", time="week").rows["event: others"].gt(0).sum() == 2
