"""The waist: sums against plain arithmetic, properties, every refusal, and what a saved file may and may not do."""

from __future__ import annotations

import contextlib
import decimal
import io
import json
import math
import os
import pickle
import warnings
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from erresearch.engine import aggregation, stored
from erresearch.engine.expressions import log
from erresearch.engine.lazy_rows import HEAD
from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DataError, DesignError, EngineError

HOSTILE = [
    "*",
    "^x.*$",
    "",
    "a b",
    'quo"te',
    "it's",
    "<script>alert(1)</script>",
    "🦜",
    "__import__('os')",
    "x0",
    "count",
]


def plain(rows: pd.DataFrame, columns: list[str], origin: np.ndarray, by: str | None, weights: str | None):
    """Count, weight, sums and products per account by exact summation of each product."""
    groups = defaultdict(list)
    for _, row in rows.iterrows():
        values = [row[c] for c in columns]
        w = 1.0 if weights is None else row[weights]
        key = "" if by is None else row[by]
        if not pd.isna(key) and all(math.isfinite(v) for v in values) and math.isfinite(w) and w > 0:
            groups[str(key)].append((w, [v - o for v, o in zip(values, origin, strict=True)]))
    out = {}
    for key, held in groups.items():
        k = len(columns)
        sums = [math.fsum(w * z[i] for w, z in held) for i in range(k)]
        cross = [[math.fsum(w * z[i] * z[j] for w, z in held) for j in range(k)] for i in range(k)]
        out[key] = (len(held), math.fsum(w for w, _ in held), sums, cross)
    return out


def assert_plain(m: Moments, expected) -> None:
    """Within 1e-12 of the size of what was summed."""
    assert m.keys.tolist() == sorted(expected)
    for g, key in enumerate(m.keys):
        count, weight, sums, cross = expected[key]
        size = np.sqrt(np.diag(cross))
        assert m.count[g] == count
        assert m.weight[g] == pytest.approx(weight, rel=1e-13)
        np.testing.assert_allclose(
            m.sums[g], sums, rtol=0, atol=1e-12 * max(size.max() * math.sqrt(weight), 1e-290)
        )
        assert np.all(np.abs(m.grams()[g] - cross) <= 1e-12 * np.outer(size, size) + 1e-290)


def close(a: Moments, b: Moments, tolerance: float = 1e-9) -> None:
    """The same means and products about the means: what does not depend on the origin."""
    assert a.columns == b.columns
    assert a.keys.tolist() == b.keys.tolist()
    assert a.count.tolist() == b.count.tolist()
    np.testing.assert_allclose(a.weight, b.weight, rtol=1e-12)
    scale = 1 + np.abs(a.origin) + np.sqrt(np.einsum("gii->gi", np.abs(a.grams()))).max(axis=0, initial=0)
    moved = b.about(a.origin)
    n = max(1.0, float(a.weight.max(initial=1)))
    np.testing.assert_allclose(moved.sums / scale / n, a.sums / scale / n, atol=tolerance)
    outer = np.outer(scale, scale)
    np.testing.assert_allclose(moved.grams() / outer / n, a.grams() / outer / n, atol=tolerance)
    if a.cells is not None:
        assert b.cells is not None
        assert moved.cells is not None
        assert a.cells.periods.tolist() == b.cells.periods.tolist()
        assert a.cells.account.tolist() == b.cells.account.tolist()
        assert a.cells.period.tolist() == b.cells.period.tolist()
        np.testing.assert_allclose(moved.cells.sums / scale / n, a.cells.sums / scale / n, atol=tolerance)


numbers = st.one_of(
    st.floats(-1e6, 1e6, allow_nan=False),
    st.integers(-1000, 1000).map(float),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.0]),
    st.none(),
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "shop": st.one_of(st.sampled_from(["a", "b", "ß", "🦜", "a "]), st.none()),
            "week": st.one_of(st.integers(1, 12), st.none()),
            "x": numbers,
            "y": numbers,
            "w": st.floats(0, 10),
        }
    ),
    min_size=1,
    max_size=25,
)
SCHEMA = {"shop": pl.String, "week": pl.Int64, "x": pl.Float64, "y": pl.Float64, "w": pl.Float64}


def frame(held: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(held, schema=SCHEMA, strict=False)


few = settings(max_examples=40)


@few
@given(rows, st.booleans(), st.booleans())
def test_sums_are_those_of_plain_arithmetic(held, grouped, weighted):
    table = frame(held)
    by, weights = ("shop" if grouped else None), ("w" if weighted else None)
    m = Moments.from_frame(table, ["x", "y"], by=by, weights=weights)
    pandas = table.to_pandas()
    expected = plain(pandas, ["x", "y"], m.origin, by, weights)
    if not grouped and not expected:
        assert m.rows == 0
    else:
        assert_plain(m, expected)
    assert m.rows + sum(m.dropped.values()) == len(held)
    assert all(count > 0 for count in m.dropped.values())


@few
@given(rows, st.randoms(use_true_random=False))
def test_row_order_does_not_matter(held, random):
    shuffled = list(held)
    random.shuffle(shuffled)
    arguments = {"by": "shop", "period": "week", "weights": "w"}
    a = Moments.from_frame(frame(held), ["x", "y"], **arguments)
    b = Moments.from_frame(frame(shuffled), ["x", "y"], **arguments)
    close(a, b)
    assert a.dropped == b.dropped


@few
@given(rows, rows)
def test_moments_of_parts_add_up_to_moments_of_the_whole(first, second):
    arguments = {"by": "shop", "period": "week", "weights": "w"}
    a = Moments.from_frame(frame(first), ["x", "y"], **arguments)
    b = Moments.from_frame(frame(second), ["x", "y"], **arguments)
    whole = Moments.from_frame(frame(first + second), ["x", "y"], **arguments)
    close(whole, a + b)
    close(a + b, (b[["y", "x"]] + a)[["x", "y"]])
    assert (a + b).dropped == (b + a).dropped == dict(sorted(whole.dropped.items()))
    assert (a + b).source is None


@few
@given(rows)
def test_a_change_of_unit_scales_and_nothing_else(held):
    table = frame(held)
    m = Moments.from_frame(table, ["x", "y"], by="shop")
    scaled = Moments.from_frame(table.with_columns(pl.col("x") * 1024), ["x", "y"], by="shop")
    unit = np.array([1024.0, 1.0])
    np.testing.assert_allclose(scaled.origin, m.origin * unit, rtol=1e-15)
    np.testing.assert_allclose(scaled.sums, m.sums * unit, rtol=1e-12, atol=1e-6)
    np.testing.assert_allclose(scaled.grams(), m.grams() * np.outer(unit, unit), rtol=1e-12, atol=1e-3)


@few
@given(rows)
def test_slicing_commutes_and_goes_back(held):
    m = Moments.from_frame(frame(held), ["x", "y", "week"], by="shop", period="week")
    sliced = m[["week", "x"]]
    assert sliced.columns == ("week", "x")
    np.testing.assert_array_equal(sliced.grams(), m.grams()[:, [2, 0]][:, :, [2, 0]])
    np.testing.assert_array_equal(sliced.cells.sums, m.cells.sums[:, [2, 0]])
    np.testing.assert_array_equal(m[["y", "week", "x"]][["x", "y"]].cross, m[["x", "y"]].cross)
    assert sliced.rows == m.rows
    assert m["x"].columns == ("x",)


@few
@given(rows)
def test_what_is_saved_comes_back_the_same_and_carries_no_row(tmp_path_factory, held):
    m = Moments.from_frame(frame(held), ["x", "y"], by="shop", period="week", weights="w")
    path = m.save(tmp_path_factory.mktemp("saved") / "m.npz")
    back = Moments.load(path)
    for name in ("origin", "count", "weight", "sums", "cross"):
        np.testing.assert_array_equal(getattr(back, name), getattr(m, name))
    for name in ("periods", "account", "period", "weight", "sums"):
        np.testing.assert_array_equal(getattr(back.cells, name), getattr(m.cells, name))
    assert back.keys.tolist() == m.keys.tolist()
    for name in ("columns", "dropped", "by", "period", "weights"):
        assert getattr(back, name) == getattr(m, name)
    assert back.source is None


@few
@given(rows)
def test_inputs_are_left_untouched(held):
    pandas = frame(held).to_pandas()
    before = pickle.dumps(pandas)
    copy = pandas.copy(deep=True)
    Moments.from_frame(pandas, ["x", "y"], by="shop", period="week", weights="w")
    pd.testing.assert_frame_equal(pandas, copy, check_exact=True)
    assert pickle.dumps(pandas) == before
    polars = frame(held)
    Moments.from_frame(polars, ["x"], by="shop")
    assert polars.equals(frame(held), null_equal=True)


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9, 1e12, -1e12])
def test_a_large_level_costs_no_digits(offset):
    rng = np.random.default_rng(7)
    small = rng.integers(-4000, 4000, (2000, 2)) / 1024.0
    table = pl.DataFrame(
        {"a": rng.integers(0, 5, 2000), "x": small[:, 0] + offset, "y": small[:, 1] - offset}
    )
    m = Moments.from_frame(table, ["x", "y"], by="a")
    for g, key in enumerate(m.keys):
        z = small[table["a"].to_numpy() == int(key)]
        z = z - z.mean(axis=0)
        np.testing.assert_allclose(m.within()[g], z.T @ z, rtol=1e-12, atol=1e-9)


def test_an_origin_far_from_the_means_is_looked_for_again():
    # the first rows, which place the origin, say nothing about the rest
    rest = 1e9 + np.tile([0.0, 1.0, 2.0], 100_000)
    x = np.concatenate([np.zeros(HEAD), rest])
    a = np.repeat(["first", "rest"], [HEAD, len(rest)])
    m = Moments.from_frame(pl.DataFrame({"a": a, "x": x, "one": 5.1}), ["x", "one"], by="a")
    assert abs(m.origin[0] - x.mean()) < x.std()
    assert m.origin[1] == 5.1
    steady = np.concatenate([np.linspace(0, 1e-3, HEAD), np.tile([1e6, 1e6 + 1], 200_000)])
    moved = Moments.from_frame(pl.DataFrame({"x": steady}), ["x"])
    assert moved.origin[0] == pytest.approx(steady.mean(), abs=steady.std())


def test_a_constant_column_has_no_spread_at_all():
    m = Moments.from_frame(pl.DataFrame({"a": ["p", "q"] * 50, "x": [0.1] * 100}), ["x"], by="a")
    assert m.origin.tolist() == [0.1]
    assert not m.cross.any()


@pytest.mark.parametrize("weighted", [False, True])
def test_long_accounts_do_not_drift(weighted):
    """Two prices that have no exact binary form, many times over: a running sum would lose five digits."""
    n = 4 * aggregation.LONG
    x = np.where(np.arange(n) % 3 == 0, 9.99, 8.13)
    # a first stretch of another level puts the origin where products are not exact
    table = {
        "shop": np.where(np.arange(n) % 16 == 0, "small", "big"),
        "x": x,
        "part": x,
        "w": np.full(n, 0.1),
    }
    m = Moments.from_frame(pl.DataFrame(table), ["x", "part"], by="shop", weights="w" if weighted else None)
    assert m.keys.tolist() == ["big", "small"]
    for g, key in enumerate(m.keys):
        z = x[table["shop"] == key] - m.origin[0]
        w = 0.1 if weighted else 1.0
        assert m.sums[g, 0] == pytest.approx(math.fsum(w * z), abs=1e-13 * math.fsum(np.abs(w * z)))
        assert m.cross[g, 0] == pytest.approx(math.fsum(w * z * z), rel=1e-13)
    alone = Moments.from_frame(pl.DataFrame(table), ["x"])
    assert alone.cross.item() == pytest.approx(math.fsum((x - alone.origin[0]) ** 2), rel=1e-13)


def test_incomplete_rows_are_counted_once_each():
    table = pl.DataFrame(
        {
            "shop": ["a", None, "a", "b", "b", "b", "b"],
            "week": [1, 1, None, 1, 2, 3, 4],
            "w": [1.0, 1.0, 1.0, float("nan"), 0.0, 2.0, 2.0],
            "x": [1.0, None, 1.0, 1.0, 1.0, float("inf"), 3.0],
            "y": [1.0, 1.0, 1.0, 1.0, 1.0, None, 5.0],
        }
    )
    m = Moments.from_frame(table, ["x", "y"], by="shop", period="week", weights="w")
    assert m.dropped == {
        "account missing": 1,
        "period missing": 1,
        "weight not finite": 1,
        "weight zero": 1,
        "not finite: x": 1,
    }
    assert m.rows == 2
    assert repr(m).startswith(
        "Moments of 'x', 'y': 2 rows, 2 accounts; left out: 1 account missing, 1 period"
    )


def test_periods_sort_as_numbers_or_dates():
    table = pd.DataFrame(
        {"t": [10, 9, 10, 9], "d": pd.date_range("2024-12-31", periods=4), "x": [1.0, 2, 3, 4]}
    )
    m = Moments.from_frame(table, ["x"], period="t")
    assert m.cells.periods.tolist() == ["9", "10"]
    assert m.cells.weight.tolist() == [2, 2]
    dated = Moments.from_frame(table, ["x"], period="d").cells.periods
    assert [str(day)[:10] for day in dated] == ["2024-12-31", "2025-01-01", "2025-01-02", "2025-01-03"]


def test_cells_sum_to_the_accounts():
    rng = np.random.default_rng(3)
    table = pl.DataFrame(
        {"a": rng.integers(0, 6, 300), "t": rng.integers(0, 12, 300), "x": rng.normal(size=300)}
    )
    m = Moments.from_frame(table, ["x"], by="a", period="t")
    back = np.zeros((m.accounts, 1))
    np.add.at(back, m.cells.account, m.cells.sums)
    np.testing.assert_allclose(back, m.sums, atol=1e-12)
    expected = table.group_by("a", "t").len().sort("a", "t")
    assert m.cells.weight.tolist() == expected["len"].to_list()
    assert m.keys[m.cells.account].tolist() == [str(a) for a in expected["a"]]
    assert m.cells.periods[m.cells.period].tolist() == [str(t) for t in expected["t"]]


def test_names_may_be_anything():
    data = {name: np.arange(3.0) + i for i, name in enumerate(HOSTILE)}
    keys = ['"; DROP TABLE posts; --', "🦜\n", "\\"]
    table = pl.DataFrame({**data, "ac count": keys})
    for held in (table, table.lazy(), table.to_pandas(), table.to_arrow()):
        m = Moments.from_frame(held, HOSTILE, by="ac count")
        assert m.columns == tuple(HOSTILE)
        assert m.keys.tolist() == sorted(keys)
        np.testing.assert_allclose((m.sums + m.origin).sum(axis=0), [v.sum() for v in data.values()])
        assert m.source.total([m.source.col("*").sum().alias("s")]) == {"s": data["*"].sum()}
        assert m.source.collect(["^x.*$"]).columns == ["^x.*$", "__account__"]
    collision = pl.DataFrame(
        {"__account__": [1.0, 2.0], "Reach": [1.0, 2], "reach": [3.0, 4], "by": ["p", "q"]}
    )
    m = Moments.from_frame(collision, ["__account__", "Reach", "reach"], by="by", weights="reach")
    assert (m.sums + m.origin * m.weight[:, None]).tolist() == [[3.0, 3.0, 9.0], [8.0, 8.0, 16.0]]


def test_a_column_may_be_its_own_account_and_weight():
    table = pl.DataFrame({"x": [1.0, 2.0, 2.0]})
    m = Moments.from_frame(table, ["x"], by="x", weights="x")
    assert m.keys.tolist() == ["1", "2"]
    assert m.weight.tolist() == [1.0, 4.0]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([2, 10, 2], ["10", "2"]),
        ([2.0, 10.5, 2.0], ["10.5", "2"]),
        (["b", "a", "b"], ["a", "b"]),
        ([True, False, True], ["false", "true"]),
        (pd.Categorical(["b", "a", "b"]), ["a", "b"]),
        (pd.array([2, 10, 2], dtype="Int64"), ["10", "2"]),
        (pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-02"]).date, ["2024-01-01", "2024-01-02"]),
        (pd.period_range("2024-01", periods=3, freq="M")[[1, 0, 1]], ["2024-01", "2024-02"]),
        (np.array([1, "1", 1.0], dtype=object), ["1"]),
        (np.array(["x", 7, "x"], dtype=object), ["7", "x"]),
        (
            np.array([decimal.Decimal(3), decimal.Decimal("2.5"), decimal.Decimal(3)], dtype=object),
            ["2.5", "3"],
        ),
    ],
)
def test_any_kind_of_key_becomes_text(keys, expected):
    m = Moments.from_frame(pd.DataFrame({"k": keys, "x": [1.0, 2.0, 4.0]}), ["x"], by="k")
    assert m.keys.tolist() == expected
    assert m.rows == 3


def test_missing_keys_of_every_kind_are_no_account():
    for keys in ([1.0, float("nan"), None], ["a", None, None], [pd.Timestamp(0), pd.NaT, pd.NaT]):
        m = Moments.from_frame(pd.DataFrame({"k": keys, "x": [1.0, 2, 3]}), ["x"], by="k")
        assert (m.rows, dict(m.dropped)) == (1, {"account missing": 2})
    polars = pl.DataFrame({"k": [1.0, float("nan"), None], "x": [1.0, 2, 3]})
    assert Moments.from_frame(polars, ["x"], by="k").dropped == {"account missing": 2}


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([100, 120, 127], dtype=pl.Int8),
        pl.Series([3_000_000_000, 2**62, 1], dtype=pl.Int64),
        pl.Series([0, 2**63, 1], dtype=pl.UInt64),
        pl.Series([0.1, 0.2, 0.3], dtype=pl.Float32),
        pl.Series([True, False, True]),
        pl.Series(["1.25", "2.5", "3"]).cast(pl.Decimal(10, 3)),
    ],
)
def test_every_kind_of_number_is_float64_before_it_is_multiplied(values):
    floats = values.cast(pl.Float64).to_numpy()
    m = Moments.from_frame(pl.DataFrame({"x": values}), ["x"])
    z = floats - m.origin[0]
    assert m.cross.item() == pytest.approx(math.fsum(z * z), rel=1e-13)


def test_pandas_objects_that_are_numbers_are_numbers():
    held = [1, 2.5, True, decimal.Decimal("3.5"), None, np.float32(1), float("nan")]
    m = Moments.from_frame(pd.DataFrame({"x": pd.Series(held, dtype=object)}), ["x"])
    assert m.rows == 5
    assert (m.sums + 5 * m.origin).item() == 9.0
    nullable = pd.DataFrame(
        {"x": pd.array([1, None, 3], dtype="Int64"), "y": pd.array([True, None, False], "boolean")}
    )
    assert Moments.from_frame(nullable, ["x", "y"]).dropped == {"not finite: x": 1}


def test_no_account_column_is_one_group_even_without_complete_rows():
    m = Moments.from_frame(pl.DataFrame({"x": [None, float("nan")]}), ["x"])
    assert (m.keys.tolist(), m.rows, m.accounts) == ([""], 0, 1)
    assert m.grams().tolist() == m.within().tolist() == [[[0.0]]]
    empty = Moments.from_frame(pl.DataFrame({"a": ["p"], "x": [None]}), ["x"], by="a")
    assert (empty.accounts, empty.rows, empty.grams().shape) == (0, 0, (0, 1, 1))
    assert (m + m).dropped == {"not finite: x": 4}
    assert Moments.from_frame(pl.DataFrame({"x": [1.0]}), "x").columns == ("x",)


def test_the_source_makes_further_passes_and_travels():
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        {"a": rng.integers(0, 3, 50), "t": rng.integers(0, 4, 50), "x": rng.normal(1e9, 1, 50)}
    )
    table["w"] = rng.random(50)
    table.loc[4, "x"] = np.nan
    m = Moments.from_frame(table, ["x"], by="a", period="t", weights="w")
    for moments in (m, pickle.loads(pickle.dumps(m))):
        source = moments.source
        total = source.total(
            [(source.w() * source.z("x")).sum().alias("s"), source.col("x").max().alias("top")]
        )
        assert total["s"] == pytest.approx(m.sums.sum(), rel=1e-9)
        assert total["top"] == table["x"].max()
        keys, values = source.by_account([(source.w() * source.z("x") ** 2).sum().alias("q")])
        assert keys.tolist() == m.keys.tolist()
        np.testing.assert_allclose(values["q"], m.cross[:, 0], rtol=1e-12)
        assert m.cells.weight.sum() == pytest.approx(m.weight.sum())
        held = source.collect()
        assert held.columns == ["x", "__account__", "__period__", "__weight__"]
        assert held.height == m.rows == 49
    plain_source = Moments.from_frame(table, ["x"]).source
    keys, values = plain_source.by_account([plain_source.z("x").sum().alias("s")])
    assert keys.tolist() == [""]


def test_about_moves_the_origin_exactly():
    m = Moments.from_frame(
        pl.DataFrame({"a": [1, 1, 2], "t": [1, 2, 1], "x": [1.0, 2, 4], "y": [3.0, 0, 1]}),
        ["x", "y"],
        by="a",
        period="t",
    )
    raw = m.about(np.zeros(2))
    assert raw.grams().tolist() == [[[5.0, 3.0], [3.0, 9.0]], [[16.0, 4.0], [4.0, 1.0]]]
    assert raw.cells.sums.tolist() == [[1.0, 3.0], [2.0, 0.0], [4.0, 1.0]]
    assert m.about(m.origin).sums is m.sums
    assert raw.source is None


# ---------------------------------------------------------------- refusals


def test_wrong_columns_are_named_with_the_nearest_right_one():
    table = pd.DataFrame({"followers": [1.0], "likes": [2.0]})
    with pytest.raises(ColumnError, match=r"No column 'folowers' in the table.*Did you mean 'followers'"):
        Moments.from_frame(table, ["folowers"])
    with pytest.raises(ColumnError, match="No column 'shop'"):
        Moments.from_frame(table, ["likes"], by="shop")
    with pytest.raises(ColumnError, match=r"No column 'likez'.*Did you mean 'likes'"):
        Moments.from_frame(table, [log("likez")])
    with pytest.raises(ColumnError, match="'likes' is asked for twice: 2 columns, 1 name"):
        Moments.from_frame(table, ["likes", "likes"])
    with pytest.raises(ColumnError, match="no column was asked for"):
        Moments.from_frame(table, [])
    with pytest.raises(ColumnError, match=r"a column must be a name or a narwhals expression: int"):
        Moments.from_frame(table, [7])
    with pytest.raises(ColumnError, match="must be a name or a narwhals expression"):
        Moments.from_frame(table, [pl.col("likes")])
    m = Moments.from_frame(table, ["likes"])
    with pytest.raises(ColumnError, match=r"No column 'like' in these moments.*Did you mean 'likes'"):
        m[["like"]]
    with pytest.raises(ColumnError, match="chosen once each"):
        m[["likes", "likes"]]
    with pytest.raises(ColumnError, match="chosen once each"):
        m[[]]


def test_expressions_that_make_no_single_column_are_refused():
    import narwhals as nw

    table = pl.DataFrame({"x": [1.0], "y": [2.0], "t": ["a"]})
    with pytest.raises(ColumnError, match="an expression must make one column: 3 columns: 'x', 'y', 't'"):
        Moments.from_frame(table, [nw.all()])
    with pytest.raises(ColumnError, match="an expression cannot be computed on this table"):
        Moments.from_frame(table, [nw.col("x").str.to_uppercase()])
    assert Moments.from_frame(table, [nw.col("y") * 2]).columns == ("y",)


def test_text_among_numbers_is_shown_where_it_stands():
    pattern = (
        r"'x' in the table must hold numbers: 2 of 5 values are text, first in row 2 \(the first row is 0\)"
    )
    held = ["1", "2.5e3", "n/a", "", None]
    for table in (pd.DataFrame({"x": held}), pl.DataFrame({"x": held}), pl.LazyFrame({"x": held})):
        with pytest.raises(DataError, match=pattern):
            Moments.from_frame(table, ["x"])
    with pytest.raises(DataError, match="1 of 3 values is text, first in row 1"):
        Moments.from_frame(pd.DataFrame({"x": pd.Series([1, "<b>", 2.5], dtype=object)}), ["x"])
    with pytest.raises(DataError, match="1 of 2 values is text, first in row 0"):
        Moments.from_frame(pd.DataFrame({"x": pd.Series([[1], 2.5], dtype=object)}), ["x"])
    with pytest.raises(DataError, match="holds numbers written as text: 2 values of type text"):
        Moments.from_frame(pl.DataFrame({"x": ["1", "2"]}), ["x"])
    with pytest.raises(DataError, match="'w' in the table must hold numbers"):
        Moments.from_frame(pl.DataFrame({"x": [1.0], "w": ["much"]}), ["x"], weights="w")
    with pytest.raises(DataError, match=r"'x' in the table must hold numbers.*first in row 1"):
        Moments.from_frame(pl.DataFrame({"x": ["1", "many"]}), [log("x")])
    with pytest.raises(ColumnError, match="'x' does not hold numbers: a column of type Date"):
        Moments.from_frame(pl.DataFrame({"x": [0]}).cast(pl.Date), ["x"])
    with pytest.raises(ColumnError, match=r"'k' cannot name accounts or periods: a column of type List"):
        Moments.from_frame(pl.DataFrame({"x": [0.0], "k": [[1]]}), ["x"], by="k")


def test_tables_that_cannot_be_used_are_refused():
    with pytest.raises(DataError, match="the table has no rows"):
        Moments.from_frame(pl.DataFrame({"x": []}, schema={"x": pl.Float64}), ["x"])
    with pytest.raises(EngineError, match="the rows must come as a table or a path: a value of type dict"):
        Moments.from_frame({"x": [1]}, ["x"])
    with pytest.raises(EngineError, match="the rows must come as a table or a path: a value of type Series"):
        Moments.from_frame(pd.Series([1.0]), ["x"])
    with pytest.raises(ColumnError, match="the table has 2 columns named 'x': positions 0, 2"):
        Moments.from_frame(pd.DataFrame([[1, 2, 3]], columns=["x", "y", "x"]), ["x"])
    with pytest.raises(DataError, match="a weight is negative: 2 of 3 rows"):
        Moments.from_frame(pl.DataFrame({"x": [1.0, 2, 3], "w": [1.0, -1, -2]}), ["x"], weights="w")
    with pytest.raises(DataError, match="squares and products overflow: values too large in 'big'"):
        Moments.from_frame(pl.DataFrame({"x": [1.0, 2], "big": [1e200, -1e200]}), ["x", "big"])
    broken = pl.LazyFrame({"x": [1.0]}).map_batches(lambda _: 1 / 0, schema={"x": pl.Float64})
    with pytest.raises(EngineError, match="the engine could not compute this pass"):
        Moments.from_frame(broken, ["x"])


def test_duplicate_columns_that_nobody_asked_for_are_no_problem():
    m = Moments.from_frame(pd.DataFrame([[1, 2, 3]], columns=["x", "y", "x"]), ["y"])
    assert m.rows == 1
    arrow_like = pd.DataFrame([[1.0, 2.0]], columns=[0, 1])
    assert Moments.from_frame(arrow_like, ["1"]).origin.tolist() == [2.0]


def test_too_many_cells_are_refused_before_they_are_made(monkeypatch):
    table = pl.DataFrame({"a": [1, 1, 2, 2] * 5, "t": list(range(20)), "x": [1.0] * 20})
    monkeypatch.setattr(aggregation, "CELL_BYTES", 400)
    with pytest.raises(
        DesignError, match="accounts by periods do not fit in memory: 2 accounts × 20 periods"
    ):
        Moments.from_frame(table, ["x"], by="a", period="t")


def test_unlike_moments_are_not_added():
    table = pl.DataFrame({"a": ["p", "q"], "t": [1, 2], "x": [1.0, 2], "y": [3.0, 4]})
    m = Moments.from_frame(table, ["x", "y"], by="a")
    with pytest.raises(ColumnError, match=r"different columns cannot be added: \['x', 'y'\] and \['x'\]"):
        m + m["x"]
    with pytest.raises(ColumnError, match="different `by` cannot be added: 'a' and None"):
        m + Moments.from_frame(table, ["x", "y"])
    with pytest.raises(ColumnError, match="different `period`"):
        m + Moments.from_frame(table, ["x", "y"], by="a", period="t")
    with pytest.raises(ColumnError, match="different `weights`"):
        m + Moments.from_frame(table, ["x", "y"], by="a", weights="x")
    with pytest.raises(TypeError):
        m + 1


def saved(m: Moments, path: Path, **changed) -> Path:
    """A file of moments with some arrays or head entries replaced."""
    m.save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    head = json.loads(arrays["head"].tobytes())
    head |= {k: v for k, v in changed.items() if k in head}
    arrays |= {k: v for k, v in changed.items() if k not in head}
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    np.savez(path, **arrays)
    return path


def test_files_that_are_not_whole_moments_are_refused(tmp_path):
    table = pl.DataFrame({"a": ["p", "q"], "t": [1, 2], "x": [1.0, 2]})
    m = Moments.from_frame(table, ["x"], by="a", period="t")
    path = tmp_path / "m.npz"
    with pytest.raises(EngineError, match=r"cannot read moments from.*FileNotFoundError"):
        Moments.load(path)
    m.save(path)
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(EngineError, match=r"cannot read moments from.*a whole file of moments"):
            Moments.load(path)
    np.savez(path, x=np.ones(3))
    with pytest.raises(EngineError, match="cannot read moments"):
        Moments.load(path)
    with pytest.raises(EngineError, match=r"format version 99.*Allowed: version 1"):
        Moments.load(saved(m, path, version=99))
    with pytest.raises(EngineError, match="a file of another kind"):
        Moments.load(saved(m, path, format="other"))
    with pytest.raises(EngineError, match="cross has another shape or type"):
        Moments.load(saved(m, path, cross=np.ones((2, 3))))
    with pytest.raises(EngineError, match="text offsets do not fit"):
        Moments.load(saved(m, path, key_offsets=np.array([0, 5, 1])))
    with pytest.raises(EngineError, match="cells do not fit"):
        Moments.load(saved(m, path, cell_account=np.array([0, 9])))
    trap = io.BytesIO()
    np.save(trap, np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(EngineError, match=r"cannot read moments.*type object"):
        Moments.load(saved(m, path, origin=np.array([print], dtype=object)))


FOREIGN = {
    "weights are no counts": lambda z: {"weight": z["weight"] * 3},
    "count has another shape or type": lambda z: {"count": z["count"] + 0.5},
    "a count or weight is negative": lambda z: {"count": -z["count"], "weight": -z["weight"]},
    "sums has another shape or type": lambda z: {"sums": z["sums"].astype(str)},
    "sums is not finite": lambda z: {"sums": z["sums"] * np.nan},
    "origin is larger than what has a square": lambda z: {"origin": z["origin"] + 1e200},
    "UnicodeEncodeError": lambda z: {"columns": ["\ud800", "y"]},
    "origin has another shape or type": lambda z: {"origin": z["origin"][:1]},
    "products that no rows can have": lambda z: {"cross": z["cross"] * [1, 30, 1]},
    "products that no rows can have ": lambda z: {"cross": -z["cross"]},
    "two groups have one key": lambda z: {"keys": z["keys"] * 0 + 97},
    "columns is not a list of texts": lambda z: {"columns": [["a"], ["b"]]},
    "columns are no different names": lambda z: {"columns": ["x", "x"]},
    "columns are no different names ": lambda z: {"columns": []},
    "dropped.x is not a whole number": lambda z: {"dropped": {"x": 1.5}},
    "dropped is not a table": lambda z: {"dropped": [1]},
    "a count of rows or accounts is negative": lambda z: {"dropped": {"x": -1}},
    "a count of rows or accounts is negative ": lambda z: {"merged": -1},
    "merged is not a whole number": lambda z: {"merged": float("inf")},
    "simulated is not true or false": lambda z: {"simulated": 1},
    "by is not a text": lambda z: {"by": 3},
    "without a column that names them": lambda z: {"by": None},
    "without a column that names their periods": lambda z: {"period": None},
    "two periods have one name": lambda z: {"periods": z["periods"] * 0 + 97},
    "a cell stands twice": lambda z: {"cell_period": z["cell_period"] * 0},
    "cells are not finite": lambda z: {"cell_sums": z["cell_sums"] * np.inf},
    "do not add up to their groups": lambda z: {"cell_weight": z["cell_weight"] * 2},
    "do not add up to their groups ": lambda z: {"cell_sums": z["cell_sums"] + 1.0},
    "format version": lambda z: {"version": [1]},
}


@pytest.mark.parametrize("said", FOREIGN)
def test_what_no_rows_can_give_is_refused(said, tmp_path):
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {"a": ["p", "q"] * 20, "t": [1, 1, 2, 2] * 10, "x": rng.normal(size=40), "y": rng.normal(size=40)}
    )
    m = Moments.from_frame(table, ["x", "y"], by="a", period="t")
    path = m.save(tmp_path / "m.npz")
    with np.load(path) as file:
        changed = FOREIGN[said](dict(file))
    with pytest.raises(EngineError, match=rf"cannot read moments from .*{said.strip()}") as caught:
        Moments.load(saved(m, path, **changed))
    assert len(str(caught.value)) < 500 + len(str(path))


def test_honest_files_pass_whatever_their_level(tmp_path):
    rng = np.random.default_rng(1)
    for level, spread in ((0.0, 1.0), (1e9, 1e-3), (-1e6, 1e4)):
        x = level + spread * rng.normal(size=300)
        table = pl.DataFrame({"a": rng.integers(0, 9, 300), "t": rng.integers(0, 5, 300), "x": x, "y": 2 * x})
        m = Moments.from_frame(table, ["x", "y"], by="a", period="t")
        for made in (m, m + m, m.about(m.origin + 3 * spread)):
            again = Moments.load(made.save(tmp_path / "m.npz"))
            assert again.sums.tobytes() == made.sums.tobytes()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "endless.npz")
    with pytest.raises(EngineError, match="a pipe or a device, not a file"):
        Moments.load(tmp_path / "endless.npz")


def test_a_file_is_weighed_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("head.npy", b"\0" * (2 << 20))
    with pytest.raises(EngineError, match=r"1 array of 2,097,152 bytes; at most 1,048,576 are read"):
        stored.read_archive(path, "moments", 1, lambda *_: None, most_bytes=1 << 20)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("head.npy", head.getvalue())
    with pytest.raises(EngineError, match="larger than its bytes"):
        Moments.load(path)
    with zipfile.ZipFile(path, "w") as packed, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(2):
            packed.writestr("head.npy", head.getvalue())
    with pytest.raises(EngineError, match="an array stands twice"):
        Moments.load(path)


@settings(max_examples=60)
@given(st.binary(max_size=300), st.integers(0, 2000))
def test_any_damage_comes_out_as_one_error(tmp_path_factory, damage, at):
    folder = tmp_path_factory.mktemp("damaged")
    m = Moments.from_frame(pl.DataFrame({"a": ["p", "q"], "x": [1.0, 2]}), ["x"], by="a")
    path = m.save(folder / "m.npz")
    whole = bytearray(path.read_bytes())
    whole[at : at + len(damage)] = damage
    path.write_bytes(whole)
    with contextlib.suppress(EngineError):
        Moments.load(path)


@pytest.mark.skipif(os.name != "posix", reason="this system knows no file modes")
def test_saved_moments_are_for_their_owner_only(tmp_path):
    m = Moments.from_frame(pl.DataFrame({"x": [1.0, 2]}), ["x"])
    assert m.save(tmp_path / "m.npz").stat().st_mode & 0o777 == 0o600


def test_long_names_cost_only_their_own_length(tmp_path):
    keys = [f"k{i}" for i in range(2000)] + ["long" * 5000]
    m = Moments.from_frame(pl.DataFrame({"a": keys, "x": np.arange(2001.0)}), ["x"], by="a")
    path = m.save(tmp_path / "m.npz")
    assert path.stat().st_size < 200_000
    assert Moments.load(path).keys.tolist() == sorted(keys)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    m = Moments.from_frame(pl.DataFrame({"x": [1.0, 2]}), ["x"])
    path = m.save(tmp_path / "m.npz")
    old = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EngineError, match=r"could not write.*No space left"):
        m.save(path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_labels_round_trip_and_refuse_what_does_not_fit():
    names = np.array(["", "é", "a\x00b", "\udc80", "🦜"], dtype=object)
    assert stored.unpack_text(*stored.pack_text(names)).tolist() == names.tolist()
    with pytest.raises(ValueError, match="text offsets do not fit"):
        stored.unpack_text(np.zeros(3, np.uint8), np.array([0, 2]))


def test_few_rows_give_the_same_bits_every_time():
    rng = np.random.default_rng(5)
    table = pl.DataFrame(
        {"shop": rng.integers(0, 15, 900), "x": rng.normal(size=900), "z": rng.normal(size=900)}
    )
    seen = set()
    for _ in range(60):
        m = Moments.from_frame(table, ["x", "z"], by="shop")
        assert m.source is not None
        seen.add((m.cross.tobytes(), m.sums.tobytes(), m.source.total([m.source.col("x").exp().sum()])["x"]))
    assert len(seen) == 1
