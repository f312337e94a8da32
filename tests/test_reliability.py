"""reliability: planted shares of signal, bounds, and refusals; precedence hands it on."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from erresearch.errors import DesignError
from erresearch.relate import precedence, reliability
from erresearch.relate.lags import from_autocovariances
from erresearch.results import Reliability


def series(rng: np.random.Generator, weeks: int, shops: int, memory: float = 0.6) -> np.ndarray:
    """AR(1) signals of variance 1, weeks × shops."""
    out = np.empty((weeks + 30, shops))
    state = np.zeros(shops)
    for t in range(len(out)):
        state = memory * state + math.sqrt(1 - memory**2) * rng.normal(size=shops)
        out[t] = state
    return out[30:]


def panel(seed: int, *, noise: float, shops: int = 30, weeks: int = 120, memory: float = 0.6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    signal = series(rng, weeks, shops, memory)
    x = signal + noise * rng.normal(size=signal.shape)
    y = series(rng, weeks, shops)
    return pd.DataFrame(
        {
            "shop": np.repeat(np.arange(shops), weeks),
            "week": np.tile(np.arange(weeks), shops),
            "x": x.T.ravel(),
            "y": y.T.ravel(),
        }
    )


@pytest.mark.parametrize(("noise", "planted"), [(0.0, 1.0), (0.7, 1 / 1.49), (1.5, 1 / 3.25)])
def test_the_share_of_signal_is_found_from_autocovariances(noise, planted):
    found = [
        precedence(panel(seed, noise=noise), "x", "y", by="shop", time="week").reliability
        for seed in range(3)
    ]
    assert np.mean([each.value for each in found]) == pytest.approx(planted, abs=0.08)
    assert all(each.source == "autocovariances" for each in found)
    # the lower bound lies below, and never above 1
    assert all(each.low <= each.value for each in found)
    assert sum(each.low <= planted for each in found) >= 2


def test_a_signal_without_memory_has_no_known_reliability():
    found = precedence(panel(1, noise=0.5, memory=0.0), "x", "y", by="shop", time="week").reliability
    assert not found.known
    assert math.isnan(found.given(0.5))
    assert "is not known" in str(found)


def test_one_entity_bounds_it_too():
    table = panel(3, noise=1.0, shops=1, weeks=3000)
    found = precedence(table, "x", "y", by=None, time="week").reliability
    assert found.value == pytest.approx(0.5, abs=0.08)
    assert 0.3 < found.low < found.value


def test_autocovariances_by_hand():
    whole = np.array([[4.0, 1.0, 0.5], [1.0, 4.0, 1.0], [0.5, 1.0, 4.0]])
    assert from_autocovariances(np.stack([whole] * 4)).value == 0.5
    # a column that is held fixed is taken out: here all of what the three share
    held = np.full((4, 4), 2.0) + np.diag([1.0, 1.0, 1.0, 0.0])
    assert not from_autocovariances(np.stack([held] * 4)).known


@pytest.mark.parametrize("counts", [2, 3])
def test_several_counts_with_errors_of_their_own(counts):
    rng = np.random.default_rng(5)
    signal = series(rng, 80, 25)
    table = panel(5, noise=0.0, shops=25, weeks=80)
    names = [f"count {n}" for n in range(counts)]
    for name in names:
        table[name] = (signal + 0.6 * rng.normal(size=signal.shape)).T.ravel()
    found = reliability(table, names, by="shop", time="week")
    assert found.source == "counts"
    assert found.value == pytest.approx(1 / 1.36, abs=0.05)
    assert found.low < 1 / 1.36 + 0.02


def test_beside_other_regressors_less_of_it_is_left():
    known = Reliability(0.9, 0.8, "declared", 1.0)
    assert known.given(0.0) == pytest.approx(0.8)
    assert known.given(0.5) == pytest.approx(0.6)
    assert known.given(0.9) == 0.0
    assert known.given(1.0) == 0.0
    assert str(known) == "reliability 0.9: the share of x that is no error of measurement (declared)"


def test_refusals():
    with pytest.raises(DesignError, match="a reliability is a share of the variance"):
        Reliability(1.2, 1.2, "declared", 1.0)
    table = panel(1, noise=0.0, shops=2, weeks=20)
    with pytest.raises(DesignError, match="one count alone cannot say how good it is"):
        reliability(table, ["x"], by="shop", time="week")
    with pytest.raises(DesignError, match="the bound of a reliability needs several accounts"):
        reliability(table, ["x", "y"], by="shop", time="week")
