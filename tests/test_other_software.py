"""Figures of R's packages, stored with the script that made them, against ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import script

from erresearch import logit, poisson, regress
from erresearch.metrics import nps_over_time

HERE = Path(__file__).parent / "oracle"
STORED: dict[str, Any] = json.loads((HERE / "other_software.json").read_text(encoding="utf-8"))


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    module = script("tests/oracle/regressions.py")
    panel: pd.DataFrame = module.panel()
    return panel.assign(bought=(panel["count"] > 0).astype(int)), module.survey()


PANEL, SURVEY = tables()
N, G = len(PANEL), PANEL["account"].nunique()
POOLED: dict[str, Any] = {"on": ["x", "z"], "by": "account", "effects": ()}
WITHIN: dict[str, Any] = {"on": ["x", "z"], "by": "account", "effects": ("account",)}
TWOWAYS: dict[str, Any] = {
    "on": ["x", "z"],
    "by": "account",
    "period": "week",
    "effects": ("account", "period"),
}
# our CRV1 is G/(G−1)·(n−1)/(n−k) times the bare sandwich; our CRV3 holds (G−1)/G, clubSandwich's CR3 does not
WEEKS = PANEL["week"].nunique()


def bare(k: int) -> float:
    return float(np.sqrt((G - 1) / G * (N - k) / (N - 1)))


CR3 = float(np.sqrt(G / (G - 1)))


@pytest.mark.parametrize(
    ("words", "options", "cov", "factor"),
    [
        ("sandwich: vcovHC HC1 pooled", {"on": ["x", "z"]}, "HC1", 1.0),
        ("sandwich: vcovHC HC3 pooled", {"on": ["x", "z"]}, "HC3", 1.0),
        ("estimatr: lm_robust pooled, HC3", {"on": ["x", "z"]}, "HC3", 1.0),
        ("sandwich: vcovCL HC1 pooled", POOLED, "CRV1", 1.0),
        ("plm: within individual arellano HC0", WITHIN, "CRV1", bare(3)),
        ("plm: within twoways arellano HC0", TWOWAYS, "CRV1", bare(2 + WEEKS)),
        # estimatr counts every account effect among the parameters, though they are nested in the clusters
        (
            "estimatr: lm_robust within, stata",
            WITHIN,
            "CRV1",
            float(np.sqrt((N - 3) / (N - 2 - G))),
        ),
        ("clubSandwich: CR3 pooled", POOLED, "CRV3", CR3),
        ("clubSandwich: CR3 within", WITHIN, "CRV3", CR3),
        ("clubSandwich: CR3 twoways", TWOWAYS, "CRV3", CR3),
    ],
)
def test_linear_models_agree_with_r(words, options, cov, factor):
    ours = regress(PANEL, "y", **options, cov=cov)
    for name in ("x", "z"):
        value, se = STORED[words][name]
        assert ours[name].value == pytest.approx(value, rel=1e-8)
        assert factor * ours[name].se == pytest.approx(se, rel=1e-8)


@pytest.mark.parametrize(
    ("words", "fit", "k"),
    [
        ("sandwich: vcovCL HC0 poisson", lambda: poisson(PANEL, "count", **POOLED, cov="CRV1"), 3),
        (
            "sandwich: vcovCL HC0 poisson with account dummies",
            lambda: poisson(PANEL, "count", **WITHIN, cov="CRV1"),
            3,
        ),
        (
            "sandwich: vcovCL HC0 logit",
            lambda: logit(PANEL, "bought", on=["x", "z"], by="account", cov="CRV1"),
            3,
        ),
    ],
)
def test_counts_and_conversions_agree_with_r(words, fit, k):
    ours = fit()
    for name in ("x", "z"):
        value, se = STORED[words][name]
        assert ours[name].value == pytest.approx(value, rel=1e-8)
        assert bare(k) * ours[name].se == pytest.approx(se, rel=1e-8)


def test_noise_of_nps_over_time_agrees_with_metafor():
    ours, theirs = nps_over_time(SURVEY, scale=(0, 10)), STORED["metafor: rma FE, NPS by month"]
    assert ours.statistic == pytest.approx(theirs["Q"], rel=1e-9)
    assert ours.pvalue == pytest.approx(theirs["p"], rel=1e-8)
    assert 100 * (1 - ours.noise_share) == pytest.approx(theirs["I2"], rel=1e-9)
