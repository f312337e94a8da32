"""Composite, alpha and action counts against arithmetic; what weights can do."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import ENGINES, on
from hypothesis import given, settings, strategies as st
from scipy import stats

import erresearch.metrics
from erresearch.errors import ColumnError, DataError, DesignError, GuardError, UnknownNameError
from erresearch.metrics.extras import FAMILIES, action_counts, composite, cronbach_alpha, weight_sensitivity

NAMES = ("likes", "comments", "saves")


def table(n: int = 60, seed: int = 0, noise: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    core = rng.normal(size=n)
    return pd.DataFrame({name: 10 + core + noise * rng.normal(size=n) for name in NAMES})


@pytest.mark.parametrize("engine", ENGINES)
def test_composite_by_hand(engine: str) -> None:
    frame = table()
    got = composite(on(engine, frame), weights={"likes": 2, "comments": 1, "saves": 1})
    z = (frame - frame.mean()) / frame.std()
    want = 0.5 * z["likes"] + 0.25 * z["comments"] + 0.25 * z["saves"]
    np.testing.assert_allclose(np.sort(got.values), np.sort(want), atol=1e-12)
    if engine == "pandas":
        np.testing.assert_allclose(got.scores["composite"], want, atol=1e-12)
        assert list(frame.columns) == list(NAMES)
    assert dict(got.weights) == {"likes": 0.5, "comments": 0.25, "saves": 0.25}
    assert "0.5 likes" in str(got)
    assert got._repr_markdown_()


def test_composite_keeps_the_index_and_counts_what_it_leaves_out() -> None:
    frame = table(6).set_axis([f"row {i}" for i in range(6)])
    frame.iloc[2, 0] = math.nan
    got = composite(frame, weights=dict.fromkeys(NAMES, 1.0), scaling="rank")
    assert list(got.scores.index) == ["row 0", "row 1", "row 3", "row 4", "row 5"]
    assert dict(got.dropped) == {"without all parts": 1}
    assert "1 without all parts" in str(got)
    assert (got.parts.min(), got.parts.max()) == (0, 1)
    raw = composite(frame, weights={"likes": 1, "comments": 0}, scaling="none")
    np.testing.assert_array_equal(raw.values, frame["likes"].dropna())


def test_alpha_by_hand_and_its_interval() -> None:
    frame = table(80)
    got = cronbach_alpha(frame, columns=NAMES)
    covariance = frame.cov().to_numpy()
    want = 3 / 2 * (1 - np.trace(covariance) / covariance.sum())
    assert got.value == pytest.approx(want)
    low = 1 - (1 - want) * stats.f.ppf(0.975, 79, 158)
    assert got.interval.low == pytest.approx(low)
    assert got.n_rows == 80
    frame.iloc[0, 0] = math.nan
    assert "1 without all parts left out" in cronbach_alpha(frame, columns=NAMES).method


def test_alpha_covers_the_truth_and_its_standard_error_is_about_the_spread() -> None:
    # three parts with equal loadings and noise variance 1: population alpha is k/(k + 1)
    got = [cronbach_alpha(table(80, seed), columns=NAMES) for seed in range(120)]
    assert 0.90 <= np.mean([0.75 in one.interval for one in got]) <= 0.99
    assert np.mean([one.se for one in got]) == pytest.approx(np.std([one.value for one in got]), rel=0.2)


def test_weights_do_nothing_to_parts_that_agree_and_much_to_parts_that_do_not() -> None:
    same = table(noise=0.0)
    agree = weight_sensitivity(composite(same, weights=dict.fromkeys(NAMES, 1)))
    assert agree.agreement.min() == pytest.approx(1.0)
    assert agree.first_stays == 1.0
    np.testing.assert_array_equal(agree.low_rank, agree.high_rank)
    rng = np.random.default_rng(3)
    alone = pd.DataFrame(rng.normal(size=(60, 3)), columns=list(NAMES))
    differ = weight_sensitivity(composite(alone, weights=dict.fromkeys(NAMES, 1)))
    assert np.quantile(differ.agreement, 0.05) < 0.75
    assert np.median(differ.high_rank - differ.low_rank) > 10
    assert "first stays first" in str(differ)
    assert differ._repr_markdown_()


def test_agreement_is_spearman_and_repeats() -> None:
    scored = composite(table(), weights=dict.fromkeys(NAMES, 1))
    got = weight_sensitivity(scored, draws=5, rng=9)
    weights = np.random.default_rng(9).dirichlet(np.ones(3), size=5)
    want = [stats.spearmanr(scored.values, scored.parts @ w).statistic for w in weights]
    np.testing.assert_allclose(got.agreement, want)
    again = weight_sensitivity(scored, draws=5, rng=np.random.default_rng(9))
    np.testing.assert_array_equal(got.agreement, again.agreement)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=3), st.floats(0.1, 10))
def test_only_ratios_of_weights_count(weights: list[float], factor: float) -> None:
    frame = table(12)
    one = composite(frame, weights=dict(zip(NAMES, weights, strict=True)))
    two = composite(frame, weights=dict(zip(NAMES, [w * factor for w in weights], strict=True)))
    np.testing.assert_allclose(one.values, two.values, atol=1e-9)
    assert math.fsum(one.weights.values()) == pytest.approx(1)


def test_composite_refusals() -> None:
    frame = table()
    equal = dict.fromkeys(NAMES, 1.0)
    for weights in ({}, {"likes": -1.0, "comments": 1.0}, {"likes": 0.0}, {"likes": math.inf}):
        with pytest.raises(GuardError, match="a composite needs weights of 0 or more"):
            composite(frame, weights=weights)
    with pytest.raises(UnknownNameError, match="There is no scaling 'z'"):
        composite(frame, weights=equal, scaling="z")  # type: ignore[arg-type]
    with pytest.raises(ColumnError, match="No column 'liks'"):
        composite(frame, weights={"liks": 1, "comments": 1})
    with pytest.raises(ColumnError, match="already has a column `composite`"):
        composite(frame.assign(composite=1), weights=equal)
    with pytest.raises(DesignError, match=r"a column that does not vary.*`saves`"):
        composite(frame.assign(saves=3), weights=equal)
    with pytest.raises(DataError, match="at least three complete rows are needed: 2 of 2"):
        composite(frame.head(2), weights=equal)
    with pytest.raises(DataError, match="`likes` must be finite"):
        composite(frame.assign(likes=math.inf), weights=equal)
    with pytest.raises(DesignError, match="Cronbach's alpha needs at least two columns: 1"):
        cronbach_alpha(frame, columns=("likes",))
    with pytest.raises(DesignError, match="the columns cancel out"):
        cronbach_alpha(frame.assign(minus=-frame["likes"]), columns=("likes", "minus"))
    scored = composite(frame, weights=equal)
    with pytest.raises(
        DesignError, match="weights can be varied only over two or more columns: 3 columns, 0 draws"
    ):
        weight_sensitivity(scored, draws=0)
    with pytest.raises(GuardError, match="too many ranks to hold"):
        weight_sensitivity(scored, draws=10**6)


# -- counts -----------------------------------------------------------------------------------------------------


def posts() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account": ["a", "b", "a"],
            "views": [100, 200, 300],
            "impressions": [110, 220, 330],
            "reach": [90, 180, 270],
            "likes": [1.0, None, 3.0],
            "comments": [4, 5, 6],
            "shares": [0, 1, 0],
            "clicks": [2, 2, 2],
            "mentions": [1, 0, 0],
        }
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_counts_keep_exposure_apart(engine: str) -> None:
    got = action_counts(on(engine, posts()), family="M24", by="account")
    assert got.engagement == {"clicks": 6, "comments": 15, "shares": 1}
    assert got.exposure == {"views": 600, "impressions": 660, "reach": 540}
    frame = pl.from_pandas(got.values) if engine == "pandas" else got.values
    frame = (
        frame.collect()
        if engine == "polars lazy"
        else frame.pl()
        if engine == "duckdb"
        else pl.DataFrame(frame)
    )
    assert frame["account"].to_list() == ["a", "b"]
    assert frame["engagement"].to_list() == [2 + 2 + 10 + 0, 2 + 5 + 1]
    assert "exposure, not engagement" in str(got)
    assert "never added" in got._repr_markdown_()


def test_missing_is_counted_and_rates_stand_apart() -> None:
    got = action_counts(posts(), family="M23")
    assert got.missing == {"likes": 1}
    assert got.engagement["likes"] == 4
    assert got.rates["click_through_rate"].value == pytest.approx(6 / 660)
    assert "click through rate: 0.00909" in str(got)
    assert len(got.values) == 1


def test_absent_columns_are_named_and_never_zero() -> None:
    with pytest.raises(ColumnError, match=r"No columns 'posts', 'tweets'.*an absent column is not 0"):
        action_counts(posts(), family="M22")
    got = action_counts(posts(), family="M22", absent="skip")
    assert got.absent == ("posts", "tweets")
    assert "not in the table, so not counted: posts, tweets" in str(got)
    with pytest.raises(ColumnError, match="No columns 'calls'"):
        action_counts(posts(), family="M21", absent="skip")
    with pytest.raises(UnknownNameError, match="There is no family of actions 'M01'"):
        action_counts(posts(), family="M01")
    with pytest.raises(UnknownNameError, match="There is no treatment of absent columns 'zero'"):
        action_counts(posts(), family="M22", absent="zero")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="`comments` must be 0 or more"):
        action_counts(posts().assign(comments=-1), family="M18")


def test_every_metric_of_the_sources_has_a_name_here() -> None:
    assert set(FAMILIES) == {"M18", "M21", "M22", "M23", "M24"}
    assert all(family.source and family.engagement for family in FAMILIES.values())
    names = (
        "nps enps romi_gross returning_share session_duration bounce_rate click_through_rate conversion_rate"
    )
    assert set(names.split()) <= set(erresearch.metrics.__all__)
    assert all(hasattr(erresearch.metrics, name) for name in erresearch.metrics.__all__)


def test_extras_can_be_imported_before_anything_else() -> None:
    code = "from erresearch.metrics import extras; print(extras.composite.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "composite"


def test_what_moved_to_extras_is_found_under_its_old_name_for_one_release() -> None:
    with pytest.warns(DeprecationWarning, match=r"erresearch\.metrics\.extras\.composite from now on"):
        assert erresearch.metrics.composite is composite
    with pytest.raises(AttributeError, match="has no attribute 'composit'; dir"):
        erresearch.metrics.composit  # noqa: B018
