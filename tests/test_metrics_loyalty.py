"""NPS against plain counting and the formula; the traps of its scale."""

from __future__ import annotations

import datetime
import math
import warnings

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from erresearch.errors import (
    ColumnError,
    DataError,
    DesignError,
    ErresearchWarning,
    GuardError,
    UnknownNameError,
)
from erresearch.metrics import enps, nps, nps_over_time
from erresearch.metrics.shares import Mover, ShareDifference

ANSWERS = [10] * 40 + [9] * 12 + [8] * 20 + [7] * 5 + [6] * 9 + [3] * 8 + [0] * 6


def plain(scores: list[int]) -> tuple[float, float]:
    n = len(scores)
    plus, minus = sum(s >= 9 for s in scores) / n, sum(s <= 6 for s in scores) / n
    return 100 * (plus - minus), 100 * math.sqrt((plus + minus - (plus - minus) ** 2) / n)


def boxes(scores: list[object]) -> dict[str, object]:
    frame = pd.DataFrame({"score": scores})
    return {
        "list": scores,
        "array": np.array(scores, dtype=float),
        "series": frame["score"],
        "polars series": pl.Series("whatever", scores),
        "pandas": frame,
        "polars": pl.from_pandas(frame),
        "lazy": pl.from_pandas(frame).lazy(),
        "duckdb": duckdb.from_arrow(pl.from_pandas(frame).to_arrow()),
    }


@pytest.mark.parametrize("box", list(boxes([1])))
def test_value_and_formula(box: str) -> None:
    got = nps(boxes(ANSWERS)[box])
    value, se = plain(ANSWERS)
    assert got.value == pytest.approx(value)
    assert got.se == pytest.approx(se)
    assert (got.n_rows, got.unit, got.name) == (100, "NPS points", "NPS")
    assert got.interval.low < value < got.interval.high
    assert nps(boxes(ANSWERS)[box], interval="wald").interval.low == pytest.approx(value - 1.959964 * se)
    assert enps(boxes(ANSWERS)[box]).name == "eNPS"


def test_missing_answers_are_counted() -> None:
    got = nps([*ANSWERS, None, math.nan])
    assert got.n_rows == 100
    assert "2 without a score left out" in got.method


@pytest.mark.parametrize("draws", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_wald_interval_covers(draws: int) -> None:
    rng = np.random.default_rng(1)
    p = np.array([0.25, 0.35, 0.40])
    hits = 0
    for _ in range(draws):
        counts = rng.multinomial(300, p)
        got = nps(np.repeat([0, 7, 10], counts))
        hits += 15.0 in got.interval
    assert abs(hits / draws - 0.95) <= 2.6 * np.sqrt(0.95 * 0.05 / draws)


def test_scale_from_1_to_10_is_warned_about() -> None:
    scores = [*[10] * 30, *[1] * 5]
    with pytest.warns(
        ErresearchWarning, match=r"none of 35 answers is 0 and 5 are 1: this looks like a scale from 1"
    ):
        nps(scores)
    with pytest.warns(ErresearchWarning, match=r"eNPS: none of 35 answers"):
        enps(scores)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nps(scores, scale=(0, 10))
        nps([10, 9, 1, 8])
    with pytest.raises(GuardError, match=r"NPS is defined on a scale from 0 to 10 only: scale=\(1, 10\)"):
        nps(scores, scale=(1, 10))


def test_one_class_only_is_no_certainty() -> None:
    # the score interval has a width there, Wald's has none
    assert nps([10] * 30).interval.low < 90
    with pytest.warns(ErresearchWarning, match="all 30 answers fall in one class"):
        got = nps([10] * 30, interval="wald")
    assert (got.value, got.se) == (100, 0)


@pytest.mark.parametrize("bad", [11, -1, 10.5, math.inf])
def test_scores_outside_0_to_10(bad: float) -> None:
    with pytest.raises(DataError, match=r"`score` must (be from 0 to 10|be finite|hold whole numbers)"):
        nps([10, 9, bad])


def test_other_refusals() -> None:
    with pytest.raises(DataError, match=r"`score` must hold whole numbers: 7.5 among the answers"):
        nps([7.5, 8])
    with pytest.raises(DataError, match="`score` holds no score: 2 missing"):
        nps(pd.Series([None, None], dtype=float))
    with pytest.raises(DataError, match="has no rows"):
        nps([])
    with pytest.raises(ColumnError, match="must hold numbers"):
        nps(["10 - Extremely likely", "3"])
    with pytest.raises(ColumnError, match="No column 'nps'"):
        nps(pd.DataFrame({"score": [1]}), score="nps")
    with pytest.raises(UnknownNameError, match="There is no interval 'walt'"):
        nps([1, 2], interval="walt")
    with pytest.raises(DesignError, match="`level` must lie between 0 and 1"):
        nps([1, 2], level=95)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 10), min_size=1, max_size=19))
def test_nps_properties(scores: list[int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ErresearchWarning)
        got = nps(scores)
    assert -100 <= got.value <= 100
    assert (got.value, got.se) == pytest.approx(plain(scores), abs=1e-9)


# -- over time --------------------------------------------------------------------------------------------------


def survey(rng: np.random.Generator, shares: list[list[float]], n: int = 400) -> pd.DataFrame:
    parts = []
    for month, p in enumerate(shares, start=1):
        scores = rng.choice([0, 5, 7, 8, 9, 10], size=n, p=np.array(p))
        parts.append(pd.DataFrame({"date": datetime.date(2024, month, 3), "score": scores}))
    return pd.concat(parts, ignore_index=True)


SAME = [0.1, 0.15, 0.2, 0.15, 0.2, 0.2]


@pytest.mark.parametrize("draws", [15, pytest.param(40, marks=pytest.mark.slow)])
def test_series_of_one_true_value_is_mostly_noise(draws: int) -> None:
    pvalues = [
        nps_over_time(survey(np.random.default_rng(seed), [SAME] * 6, n=150)).pvalue for seed in range(draws)
    ]
    assert np.mean(np.array(pvalues) < 0.05) <= 0.15
    assert 0.3 < np.mean(pvalues) < 0.7


@pytest.mark.parametrize("engine", ["pandas", "polars", "lazy", "duckdb"])
def test_series_with_a_change(engine: str) -> None:
    frame = survey(np.random.default_rng(0), [SAME, SAME, [0.3, 0.3, 0.2, 0.1, 0.05, 0.05]])
    extra = pd.DataFrame({"date": [None, datetime.date(2024, 1, 9)], "score": [3.0, None]})
    frame = pd.concat([frame.astype({"score": float}), extra], ignore_index=True)
    frame["date"] = pd.to_datetime(frame["date"])
    table = pl.from_pandas(frame)
    data = {
        "pandas": frame,
        "polars": table,
        "lazy": table.lazy(),
        "duckdb": duckdb.from_arrow(table.to_arrow()),
    }[engine]
    got = nps_over_time(data)
    assert got.pvalue < 1e-6
    assert got.noise_share < 0.2
    assert dict(got.dropped) == {"without a date": 1, "without a score": 1}
    months = frame.dropna().groupby(frame["date"].dt.month)["score"]
    want = [plain(list(scores)) for _, scores in months]
    assert [(one.value, one.se) for one in got.estimates] == [pytest.approx(pair) for pair in want]
    change = got.changes[-1]
    assert change.value == pytest.approx(want[2][0] - want[1][0])
    assert change.se == pytest.approx(math.hypot(want[2][1], want[1][1]))
    assert list(got.to_frame()["answers"]) == [400, 400, 400]
    assert "sampling error explains" in str(got)
    assert got._repr_markdown_()


def test_series_refusals() -> None:
    frame = survey(np.random.default_rng(0), [SAME])
    with pytest.raises(DataError, match="NPS over time needs at least two periods: 1 with answers"):
        nps_over_time(frame)
    with pytest.raises(UnknownNameError, match="There is no period length 'monthly'"):
        nps_over_time(frame, every="monthly")
    with pytest.raises(GuardError, match="defined on a scale from 0 to 10 only"):
        nps_over_time(frame, scale=(1, 10))
    with pytest.raises(ColumnError, match="must hold dates"):
        nps_over_time(frame.assign(date="May"))


@pytest.mark.parametrize("n", [20, 30, 60])
@pytest.mark.parametrize(
    "shares", [(0.02, 0.08, 0.90), (0.90, 0.08, 0.02), (0.01, 0.01, 0.98), (0.1, 0.2, 0.7), (0.2, 0.75, 0.05)]
)
def test_the_score_interval_covers_exactly_where_walds_does_not(
    n: int, shares: tuple[float, float, float]
) -> None:
    """Every table of n answers with its probability: no simulation."""
    covered = total = 0.0
    planted = shares[2] - shares[0]
    for minus in range(n + 1):
        for plus in range(n + 1 - minus):
            rest = n - minus - plus
            weight = math.exp(
                math.lgamma(n + 1)
                - math.lgamma(minus + 1)
                - math.lgamma(rest + 1)
                - math.lgamma(plus + 1)
                + minus * math.log(shares[0])
                + rest * math.log(shares[1])
                + plus * math.log(shares[2])
            )
            if weight > 1e-7:
                total += weight
                covered += weight * (ShareDifference(plus, minus, n).pvalue(planted) >= 0.05)
    assert total == pytest.approx(1, abs=1e-3)
    assert covered >= 0.93


@pytest.mark.parametrize(("plus", "minus", "n"), [(27, 1, 30), (0, 0, 9), (9, 0, 9), (0, 9, 9), (40, 35, 80)])
def test_the_ends_are_the_values_that_the_test_just_keeps(plus: int, minus: int, n: int) -> None:
    reference = ShareDifference(plus, minus, n, 100.0)
    ends = reference.interval(0.9)
    assert -100 <= ends.low <= 100 * (plus - minus) / n <= ends.high <= 100
    for end in (ends.low, ends.high):
        if abs(end) < 100:
            assert reference.pvalue(end) == pytest.approx(0.1, abs=1e-6)
    mirror = ShareDifference(minus, plus, n, 100.0).interval(0.9)
    assert (mirror.low, mirror.high) == pytest.approx((-ends.high, -ends.low), abs=1e-9)
    assert reference.pvalue(101) == 0.0


def test_a_change_recovers_the_intervals_of_both_figures() -> None:
    one, other = ShareDifference(10, 2, 30), ShareDifference(27, 1, 30)
    change = Mover(8 / 30, 26 / 30, one, other)
    ends = change.interval(0.95)
    assert ends.low == pytest.approx(
        18 / 30 - math.hypot(26 / 30 - other.interval(0.95).low, one.interval(0.95).high - 8 / 30)
    )
    assert change.pvalue(ends.low) == pytest.approx(0.05, abs=1e-6)
    assert change.pvalue(ends.high) == pytest.approx(0.05, abs=1e-6)
    assert change.pvalue(18 / 30) == 1.0
    assert change.pvalue(-2.0) <= 1e-9
