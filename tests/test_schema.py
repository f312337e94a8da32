"""The canonical tables and the check at the door: every engine must count what a plain loop over the rows counts."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal

import narwhals.stable.v2 as nw
import pandas as pd
import polars as pl
import pytest
from builders import EAGER, ENGINES, few_posts, on
from hypothesis import given, settings, strategies as st

from erresearch.errors import ColumnError, DataError, EngineError
from erresearch.schema import OUTCOMES, POSTS, SURVEY, TABLES, Column, TableSchema, validate
from erresearch.schema.validation import measure


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda t: t.name)
def test_declarations_are_whole(table: TableSchema) -> None:
    names = [column.name for column in table.declared]
    assert len(set(names)) == len(names)
    assert set(table.key) <= set(names)
    assert {name for pair in table.at_most for name in pair} <= set(names)
    assert all(column.about for column in table.declared)


def test_posts_are_the_agreed_columns() -> None:
    assert POSTS.names == (
        *("platform", "account", "post_id", "published_at", "post_type", "is_paid", "followers", "reach"),
        *("impressions", "views", "likes", "comments", "shares", "saves", "clicks"),
    )
    assert OUTCOMES.names == ("date", "entity", "outcome", "value", "currency")


@pytest.mark.parametrize("engine", ENGINES)
def test_passes_the_very_table_and_accounts_for_it(engine: str) -> None:
    frame = on(engine, few_posts(comments=[1.0, None, 3.0, None]))
    checked = validate(frame, POSTS)
    assert checked.data is frame
    assert checked.rows == 4
    assert checked.missing == {"comments": 2}
    assert checked.absent == ("post_type", "is_paid", "followers", "views", "shares", "saves", "clicks")
    assert not checked.notices
    assert "missing in comments: 2" in str(checked)
    assert "columns not there: post_type" in str(checked)


def test_input_is_not_changed() -> None:
    frame = few_posts(reach=[1, 0, 3, 4])
    before = frame.copy(deep=True)
    validate(frame, POSTS)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("engine", ENGINES)
def test_zero_is_a_notice_and_an_error_only_where_it_divides(engine: str) -> None:
    frame = on(engine, few_posts(reach=[5, 0, 0, 4]))
    checked = validate(frame, POSTS)
    assert [(n.column, n.count) for n in checked.notices] == [("reach", 2)]
    said = r"`reach` must be positive where it divides: 2 of 4 rows are 0( \(first: row 1\))?\."
    with pytest.raises(DataError, match=said):
        validate(frame, POSTS, divides=["reach"])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"likes": [1.0, -2.0, 3.0, -1.0]}, r"`likes` must be 0 or more: 2 of 4 rows are negative"),
        ({"reach": [1.0, math.inf, 3.0, 9.0]}, r"`reach` must be finite: 1 of 4 rows is infinite"),
        ({"reach": [1.0, -math.inf, 3.0, 9.0]}, r"`reach` must be finite: 1 of 4 rows is infinite"),
        (
            {"post_id": ["a", "b", "a", "a"]},
            r"no two rows may share `platform`, `account`, `post_id`: 2 of 4 rows are a repetition",
        ),
        ({"post_id": [6.49e17] * 4}, r"`post_id` must be text: .* 4 of 4 rows are too large"),
    ],
)
def test_bad_values_are_counted_and_named(engine: str, columns: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        validate(on(engine, few_posts(**columns)), POSTS)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(DataError, match=r"`likes` must be 0 or more.*Also: `comments` must be finite"):
        validate(few_posts(likes=-1, comments=math.inf), POSTS)


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_is_not_a_fault_and_not_a_duplicate(engine: str) -> None:
    frame = few_posts(post_id=["a", None, None, "b"], reach=[1.0, None, None, 2.0])
    checked = validate(on(engine, frame), POSTS)
    assert checked.missing == {"post_id": 2, "reach": 2}


@pytest.mark.parametrize("engine", ENGINES)
def test_reach_above_impressions_is_odd(engine: str) -> None:
    checked = validate(on(engine, few_posts(impressions=[200, 10, 200, 200])), POSTS)
    assert checked.notices[0].text.startswith("`reach` should not exceed `impressions`: 1 of 4 rows is")


@pytest.mark.parametrize("engine", ENGINES)
def test_no_rows(engine: str) -> None:
    with pytest.raises(DataError, match="the posts table has no rows"):
        validate(on(engine, few_posts().iloc[:0]), POSTS)


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_column_is_named_with_the_nearest(engine: str) -> None:
    with pytest.raises(ColumnError, match=r"No column 'account' in the posts table.*Did you mean 'acount'"):
        validate(on(engine, few_posts().rename(columns={"account": "acount"})), POSTS)


@pytest.mark.parametrize("engine", ENGINES)
def test_text_among_numbers(engine: str) -> None:
    said = "`likes` in the posts table must hold numbers: it holds string"
    with pytest.raises(ColumnError, match=said) as caught:
        validate(on(engine, few_posts(likes=["1", "2", "1,234", "n/a"])), POSTS)
    if engine in EAGER:
        assert "4 of 4 rows are not (first: row 0)" in str(caught.value)


def test_mixed_object_column_names_the_first_text() -> None:
    mixed = pd.Series([1, None, "=1+1", 4.0], dtype=object)
    with pytest.raises(ColumnError, match=r"1 of 4 rows is not \(first: row 2\)"):
        validate(few_posts(likes=mixed), POSTS)


def test_numbers_in_odd_boxes_pass() -> None:
    validate(few_posts(likes=pd.Series([1, Decimal("2"), None, 3.5], dtype=object)), POSTS)
    validate(few_posts(likes=pd.array([1, None, 3, 4], dtype="Int64")), POSTS)
    validate(few_posts(likes=[None] * 4, is_paid=[True, False, True, True]), POSTS)
    with pytest.raises(DataError, match="`likes` must be 0 or more: 1 of 4 rows is negative"):
        validate(few_posts(likes=pd.Series([1, Decimal("-2"), None, 3], dtype=object)), POSTS)


def test_text_dates_and_text_flags() -> None:
    with pytest.raises(ColumnError, match=r"`published_at` .* must hold dates.*pandas.to_datetime"):
        validate(few_posts(published_at=["2024-01-01"] * 4), POSTS)
    with pytest.raises(ColumnError, match=r"`is_paid` .* must hold numbers or true/false"):
        validate(few_posts(is_paid=["yes", "no", "yes", "no"]), POSTS)
    validate(few_posts(published_at=[datetime.date(2024, 1, 1)] * 4), POSTS)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flag_in_numbers_is_0_or_1(engine: str) -> None:
    validate(on(engine, few_posts(is_paid=[1.0, 0.0, None, 1.0])), POSTS)
    with pytest.raises(
        DataError, match=r"`is_paid` must be true or false \(or 1 and 0\): 1 of 4 rows is above 1"
    ):
        validate(on(engine, few_posts(is_paid=[1, 0, 2, 1])), POSTS)


def test_scores_outside_0_to_10() -> None:
    survey = pd.DataFrame({"respondent": ["a", "b", "c"], "score": [0, 11, 10]})
    with pytest.raises(DataError, match=r"`score` must be from 0 to 10: 1 of 3 rows is above 10"):
        validate(survey, SURVEY)


def test_not_a_table_and_names_that_stand_twice() -> None:
    with pytest.raises(EngineError, match="the posts table must be a table: dict"):
        validate({"likes": [1]}, POSTS)
    twice = few_posts()
    twice.columns = ["likes" if c == "comments" else c for c in twice.columns]
    with pytest.raises(ColumnError, match=r"a column name stands twice in the posts table.*'likes' 2 times"):
        validate(twice, POSTS)


@pytest.mark.parametrize(
    "name", ["a b", "it's", '"quoted"', "🙂", "__import__('os')", "<script>alert(1)</script>"]
)
def test_names_may_hold_anything(name: str) -> None:
    table = TableSchema("odd", (Column("id", "", "text", required=True),), key=("id",)).only(
        [name], others=["id"]
    )
    frame = pd.DataFrame({"id": [name, "x"], name: [1, -1]})
    for data in (on(engine, frame) for engine in ENGINES):
        with pytest.raises(DataError, match="1 of 2 rows is negative"):
            validate(data, table)


def test_an_undeclared_column_is_asked_for_by_name() -> None:
    with pytest.raises(ColumnError, match=r"No column 'dislikes'"):
        validate(few_posts(), POSTS.only(["dislikes"]))
    with pytest.raises(ColumnError, match=r"No column 'dislikes' in the posts table"):
        POSTS["dislikes"]


VALUE = st.one_of(st.none(), st.sampled_from([0.0, -1.0, 1.0, math.inf, -math.inf, math.nan, 7.0]))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), VALUE, VALUE, VALUE), min_size=1, max_size=12)
)
def test_every_engine_counts_what_a_loop_over_the_rows_counts(rows: list[tuple[object, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["post_id", "reach", "impressions", "likes"])
    frame = frame.astype({"reach": float, "impressions": float, "likes": float, "post_id": object})
    frame["platform"], frame["account"], frame["published_at"] = "vk", "a", pd.Timestamp("2024-01-01")
    for data in (frame, pl.from_pandas(frame), pl.from_pandas(frame).lazy()):
        table = nw.from_native(data)
        schema = dict(table.collect_schema())
        seen, missing, found = measure(table, POSTS, schema, {"reach"})
        assert seen == len(rows)
        assert {(f.column, f.code): f.count for f in found} == counted(rows)
        assert {name: n for name, n in missing.items() if n} == {
            name: n for name in frame for n in [int(frame[name].isna().sum())] if n
        }


def counted(rows: list[tuple[object, ...]]) -> dict[tuple[str, str], int]:
    """What is wrong with posts of id, reach, impressions and likes, one row after the other."""
    found: dict[tuple[str, str], int] = {}
    seen = set()
    for post_id, *values in rows:
        known = {
            name: value
            for name, value in zip(("reach", "impressions", "likes"), values, strict=True)
            if value is not None and not math.isnan(value)
        }
        wrong = [(name, "infinite") for name, value in known.items() if math.isinf(value)]
        wrong += [(name, "low") for name, value in known.items() if -math.inf < value < 0]
        wrong += [(name, "zero") for name, value in known.items() if value == 0 and name != "likes"]
        for small in ("reach", "likes"):
            if known.get(small, -math.inf) > known.get("impressions", math.inf):
                wrong.append((small, "order"))
        if post_id is not None and post_id in seen:
            wrong.append(("post_id", "duplicate"))
        seen.add(post_id)
        for one in wrong:
            found[one] = found.get(one, 0) + 1
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_names_that_hold_the_mark_between_keys_are_no_copies(engine: str) -> None:
    frame = few_posts(2, platform=["a\x1f|b", "a"], account=["c", "b\x1f|c"], post_id="1")
    assert validate(on(engine, frame), POSTS).rows == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_what_need_not_be_there_names_a_row_as_well_when_it_is_missing(engine: str) -> None:
    sold = pd.DataFrame(
        {"date": pd.Timestamp("2026-01-05"), "entity": "shop", "outcome": "orders", "value": [1, 2]}
    )
    with pytest.raises(
        DataError, match=r"share `date`, `entity`, `outcome`, `currency`: 1 of 2 rows is a rep"
    ):
        validate(on(engine, sold.assign(currency=pd.Series([None, None], dtype=object))), OUTCOMES)
    assert validate(on(engine, sold.assign(currency=[None, "EUR"])), OUTCOMES).rows == 2
    assert validate(on(engine, sold.assign(order_id=["1", "2"])), OUTCOMES).rows == 2


@pytest.mark.parametrize("engine", EAGER)
def test_the_first_repeated_row_is_named(engine: str) -> None:
    with pytest.raises(DataError, match=r"2 of 4 rows are a repetition .*\(first: row 2\)"):
        validate(on(engine, few_posts(post_id=["a", "b", "a", "a"])), POSTS)
