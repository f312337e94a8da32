"""The benchmark's contenders agree with each other on a small table: what is fast must also be right."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from .clock import JobFailed, Runs, compare, run
from .contenders import JOBS
from .tables import REGRESSORS, write_curve, write_posts

ROWS, ACCOUNTS = 6000, 60


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    return write_posts(tmp_path_factory.mktemp("posts") / "posts.parquet", ROWS, ACCOUNTS)


def estimates(job: str, path) -> np.ndarray:
    return np.array([JOBS[job](str(path))["estimates"][name] for name in REGRESSORS])


@pytest.fixture(scope="module")
def ours(posts):
    return estimates("erresearch_regress", posts)


@pytest.mark.parametrize(
    "job", ["pyfixest_feols", "statsmodels_ols", "linearmodels_panel", "erresearch_duckdb"]
)
@pytest.mark.filterwarnings("ignore")
def test_contenders_find_the_same_slopes(job, posts, ours):
    theirs = estimates(job, posts)
    np.testing.assert_allclose(theirs[:, 0], ours[:, 0], rtol=1e-8, atol=1e-12)
    # they count degrees of freedom in different ways: one factor for all standard errors
    factor = theirs[:, 1] / ours[:, 1]
    np.testing.assert_allclose(factor, factor[0], rtol=1e-6)
    assert factor[0] == pytest.approx(1, abs=0.02)


@pytest.mark.filterwarnings("ignore")
def test_contenders_find_the_same_poisson_slopes(posts):
    theirs, mine = estimates("pyfixest_fepois", posts), estimates("erresearch_poisson", posts)
    np.testing.assert_allclose(theirs[:, 0], mine[:, 0], rtol=1e-5, atol=1e-7)


def test_integer_and_text_accounts_give_the_same(tmp_path, ours):
    text = write_posts(tmp_path / "text.parquet", ROWS, ACCOUNTS, text=True)
    np.testing.assert_allclose(estimates("erresearch_regress", text), ours, rtol=1e-9)
    assert JOBS["group_by_sum"](str(text))["groups"] == JOBS["erresearch_moments"](str(text))["groups"]


def test_the_curve_holds_4096_models(tmp_path):
    path = write_curve(tmp_path / "curve.parquet", 2000, 30)
    assert JOBS["erresearch_curve"](str(path))["models"] == 4096


def test_the_bootstrap_runs_after_one_pass(posts):
    answer = JOBS["erresearch_bootstrap"](str(posts))
    assert set(answer) == {"seconds", "pass"}


def test_processes_are_measured_in_turn_and_failures_are_told(tmp_path):
    good, bad = compare([("import_erresearch", "-"), ("group_by_sum", tmp_path / "none.parquet")], 1)
    assert isinstance(good, Runs)
    assert good.runs[0].answer == {"name": "erresearch"}
    assert good.median("peak") > 1
    assert isinstance(bad, JobFailed)
    with pytest.raises(JobFailed, match="import_nothing"):
        run("import_nothing", "-")


@pytest.mark.skipif(importlib.util.find_spec("duckreg") is None, reason="duckreg is not installed")
def test_mundlak_in_a_database_finds_the_same_slopes(posts, ours):
    np.testing.assert_allclose(estimates("duckreg_mundlak", posts)[:, 0], ours[:, 0], rtol=1e-8)


@pytest.mark.skipif(importlib.util.find_spec("pyspark") is not None, reason="PySpark is installed")
def test_a_missing_peer_is_told_by_name(posts):
    with pytest.raises(JobFailed, match="erresearch_spark: ModuleNotFoundError"):
        run("erresearch_spark", posts)
