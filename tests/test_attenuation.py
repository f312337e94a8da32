"""Attenuation: noise of known reliability is undone, and never more than the numbers allow."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from erresearch.errors import DesignError
from erresearch.relate import correlate
from erresearch.robustness import attenuation


def test_noise_of_known_reliability_is_undone_by_the_right_end_of_the_range():
    rng = np.random.default_rng(7)
    true = rng.normal(size=200_000)
    table = pd.DataFrame(
        {"x": true + rng.normal(0, 0.5, 200_000), "y": 0.5 * true + rng.normal(size=200_000)}
    )
    lam = 1 / 1.25
    clean = np.corrcoef(true, table.y)[0, 1]
    found = attenuation(float(np.corrcoef(table.x, table.y)[0, 1]), reliability=(lam, 1.0))
    assert found.most == pytest.approx(clean, abs=0.01)
    assert found.least == found.observed
    slope = attenuation(float(np.polyfit(table.x, table.y, 1)[0]), reliability=(lam, 1.0), kind="slope")
    assert slope.most == pytest.approx(0.5, abs=0.01)
    assert not found.impossible


def test_an_estimate_brings_the_union_of_its_intervals():
    rng = np.random.default_rng(8)
    table = pd.DataFrame(rng.normal(size=(300, 2)), columns=["x", "y"])
    estimate = correlate(table, "x", "y")
    found = attenuation(estimate, reliability=(0.64, 1.0))
    ends = estimate.interval
    assert ends.low < 0 < ends.high
    assert (found.interval.low, found.interval.high) == pytest.approx((ends.low / 0.8, ends.high / 0.8))
    assert attenuation(0.3, reliability=(0.5, 1)).interval is None


@given(st.floats(-1, 1), st.floats(0.05, 1), st.floats(0.05, 1))
def test_corrected_correlations_stay_correlations_and_never_shrink(r, low, high):
    found = attenuation(r, reliability=(min(low, high), max(low, high)))
    assert abs(r) <= abs(found.least) <= abs(found.most) <= 1
    assert found.impossible == (abs(r) > math.sqrt(min(low, high)))
    assert attenuation(-r, reliability=(0.5, 1)).most == -attenuation(r, reliability=(0.5, 1)).most


def test_wrong_reliabilities_are_refused():
    for ends in [(0, 1), (0.9, 0.8), (0.5, 1.1)]:
        with pytest.raises(DesignError, match="`reliability` must be two numbers in"):
            attenuation(0.2, reliability=ends)
    with pytest.raises(DesignError, match="`reliability_outcome` must be two numbers in"):
        attenuation(0.2, reliability=(0.5, 1), reliability_outcome=(0, 1))
    with pytest.raises(DesignError, match="a correlation lies between −1 and 1"):
        attenuation(1.2, reliability=(0.5, 1))
    with pytest.raises(DesignError, match="`kind` is 'r'"):
        attenuation(0.2, reliability=(0.5, 1), kind="r")
    assert "impossible with this correlation" in str(attenuation(0.9, reliability=(0.5, 1)))
