"""Choices between numbers do not hang on their last bits."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, strategies as st

from erresearch import regress
from erresearch.errors import DesignError
from erresearch.results import (
    Estimate,
    Interval,
    Reason,
    ReasonCode,
    at_least,
    first_largest,
    largest,
    plain,
    ranked,
    rounded,
    steady,
)

values = st.lists(st.integers(-5, 5).map(lambda n: n / 7), min_size=1, max_size=8)


@given(values=values, seed=st.integers(0, 1_000))
def test_the_last_bits_change_no_choice_and_no_order(values: list[float], seed: int):
    exact = np.array(values)
    moved = exact * (1 + 1e-13 * np.random.default_rng(seed).uniform(-1, 1, exact.size))
    assert first_largest(moved) == first_largest(exact) == values.index(max(values))
    places = range(len(values))
    assert ranked(places, lambda i: moved[i]) == sorted(places, key=lambda i: (-values[i], i))
    assert largest(places, lambda i: moved[i]) == first_largest(exact)
    assert (at_least(moved[:, None], exact) == (exact[:, None] >= exact)).all()
    assert [plain(one, "+.2f") for one in moved] == [plain(one, "+.2f") for one in exact]


numbers = st.floats(-1e8, 1e8, allow_nan=False)


@given(value=numbers, like=st.floats(1e-7, 1e8), delta=st.sampled_from([0.05, 0.1, 0.02, 1.0]))
def test_rounding_crosses_no_line_and_prints_no_empty_zero(value: float, like: float, delta: float):
    shown = rounded(value, like=like, beside=(-delta, delta))
    read = float(shown.replace("−", "-").replace(",", ""))
    for line in (0.0, -delta, delta):
        if abs(value - line) > 1e-12 * max(abs(value), abs(line)):
            assert (read > line, read < line) == (value > line, value < line), shown
    assert not shown.startswith("−") or read < 0
    assert abs(read - value) <= max(like, abs(value) * 0.006), shown


@pytest.mark.parametrize(
    ("value", "like", "shown"),
    [
        (-0.3, 34.0, "−0.3"),
        (-0.0004, 0.02, "−0.0004"),
        (0.0499, 0.2, "0.0499"),
        (42_515_877, 6e6, "42,500,000"),
        (1_234.5, 80.0, "1,234"),
        (-0.0, 1.0, "0"),
    ],
)
def test_rounded_for_people(value: float, like: float, shown: str):
    assert rounded(value, like=like, beside=(-0.05, 0.05)) == shown


@given(low=st.floats(-2, 2), width=st.floats(1e-4, 2), delta=st.sampled_from([0.05, 0.1]))
def test_what_a_reason_prints_lies_where_the_numbers_lie(low: float, width: float, delta: float):
    estimate = Estimate(
        "x", value=low + width / 2, se=1, df=9, interval=Interval(low, low + width), n_rows=9, n_accounts=9
    )
    reason = str(
        Reason(
            ReasonCode.SAME_PERIOD_OPEN,
            {"found": estimate, "sesoi": delta, "same": "same day", "after": "later"},
        )
    )
    shown = re.search(r"same day: (\S+) \[(\S+), (\S+)\]", reason).groups()
    for text, true in zip(shown, (estimate.value, low, low + width), strict=True):
        read = float(text.replace("−", "-").replace(",", ""))
        for line in (0.0, -delta, delta):
            if abs(true - line) > 1e-11:
                assert (read > line, read < line) == (true > line, true < line), text
    assert reason.endswith(f"is not inside ±{delta}")


def test_a_line_itself_is_short():
    assert rounded(0.026964910236, beside=(0.026964910236, -0.026964910236)) == "0.027"


def test_infinite_and_missing_sizes_are_ordered():
    assert first_largest([np.nan, 1.0, np.inf, np.inf]) == 2
    assert at_least([np.inf, -np.inf, np.nan], [np.inf, 0.0, 0.0]).tolist() == [True, False, False]
    assert steady(np.inf) == np.inf
    assert ranked("ab", {"a": 1.0, "b": np.inf}.__getitem__) == ["b", "a"]


@pytest.mark.parametrize("factor", [1.0, 3.0, 1 / 3])
def test_a_collinear_column_is_named_and_no_rounding_error_is_printed(factor: float):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 60))
    frame = pandas.DataFrame({"y": rng.normal(size=60), "x": x, "z": z, "both": factor * (x + z)})
    with pytest.raises(DesignError, match="'both' hardly varies once the others are held fixed") as refused:
        regress(frame, "y", on=["x", "z", "both"])
    assert "e-1" not in str(refused.value)
