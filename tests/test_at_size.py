"""What big tables bring: empty parts, accounts without a name, one account with most rows, a disk that is full."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm

from erresearch import decay, poisson, regress
from erresearch.engine.moments import Moments

pytestmark = pytest.mark.filterwarnings("error")


def parts(folder, *tables):
    for i, table in enumerate(tables):
        table.to_parquet(folder / f"part-{i}.parquet")
    return str(folder / "*.parquet")


@pytest.fixture
def posts():
    rng = np.random.default_rng(5)
    shop = np.where(np.arange(4000) < 3600, 0, 1 + np.arange(4000) % 20)
    x = rng.normal(size=4000) + 0.1 * shop
    likes = rng.poisson(np.exp(0.3 * x))
    return pd.DataFrame(
        {"shop": shop, "x": x, "likes": likes, "y": 0.5 * x + 0.05 * shop + rng.normal(size=4000)}
    )


def test_empty_parts_change_nothing(posts, tmp_path):
    empty = posts.iloc[:0]
    # pandas forgets the types of a frame without rows when it is made of lists
    untyped = pd.DataFrame({name: [] for name in posts}).astype(object)
    glob = parts(tmp_path, empty, posts.iloc[:1000], empty, posts.iloc[1000:], untyped)
    whole = Moments.from_frame(posts, ["x", "y"], by="shop")
    split = Moments.from_frame(glob, ["x", "y"], by="shop").about(whole.origin)
    assert split.keys.tolist() == whole.keys.tolist()
    assert split.count.tolist() == whole.count.tolist()
    np.testing.assert_allclose(split.cross, whole.cross, rtol=1e-12)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_rows_without_an_account_are_counted_and_left_out(posts, missing, tmp_path):
    nameless = posts.assign(shop=posts["shop"].astype(float))
    nameless.loc[::10, "shop"] = missing
    glob = parts(tmp_path, nameless.iloc[:2000], nameless.iloc[2000:])
    fit = regress(glob, "y", on=["x"], by="shop", within=True, cov="CRV1")
    kept = regress(nameless.dropna(), "y", on=["x"], by="shop", within=True, cov="CRV1")
    assert fit.dropped == {"account missing": 400}
    assert fit["x"].value == pytest.approx(kept["x"].value, rel=1e-12)
    counts = poisson(glob, "likes", on=["x"], by="shop", cov="CRV1")
    assert counts.dropped == {"account missing": 400}


def test_an_account_with_nine_tenths_of_the_rows_is_one_cluster(posts, tmp_path):
    fit = regress(parts(tmp_path, posts), "y", on=["x"], by="shop", within=True, cov="CRV1")
    groups = posts["shop"]
    centred = posts - posts.groupby(groups).transform("mean").assign(shop=0)
    oracle = sm.OLS(centred["y"], centred[["x"]]).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert fit["x"].value == pytest.approx(oracle.params["x"], rel=1e-9)
    # statsmodels and we count degrees of freedom in different ways: one factor
    n = len(posts)
    factor = np.sqrt((n - 1) / (n - 2))
    assert fit["x"].se / factor == pytest.approx(oracle.bse["x"], rel=1e-9)
    # what the engine sums and what a loop sums
    moments = Moments.from_frame(pl.from_pandas(posts).lazy(), ["x", "y"], by="shop")
    for key, rows in posts.groupby("shop"):
        z = rows[["x", "y"]].to_numpy() - moments.origin
        at = moments.keys.tolist().index(str(key))
        np.testing.assert_allclose(moments.grams()[at], z.T @ z, rtol=1e-12)


def test_growth_is_judged_on_parts_as_on_the_whole(tmp_path):
    rng = np.random.default_rng(1)
    followers = np.exp(rng.normal(9, 1.5, 3000))
    engagement = rng.poisson(0.5 * followers**0.75)
    accounts = pd.DataFrame({"followers": followers, "engagement": engagement})
    stored = parts(tmp_path, accounts.iloc[:1], accounts.iloc[1:2999], accounts.iloc[2999:])
    whole, split = (decay(rows, reactions=["engagement"]) for rows in (accounts, stored))
    assert split.exponent.value == pytest.approx(whole.exponent.value, rel=1e-9)


@pytest.mark.skipif(sys.platform == "win32", reason="files there have no limit that a process can set")
def test_a_disk_that_fills_up_leaves_the_old_files(tmp_path):
    command = [sys.executable, "-m", "erresearch.cli", "simulate", "nil", "--accounts", "6", "--weeks", "60"]
    subprocess.run([*command, "--out", str(tmp_path)], check=True, capture_output=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        "from erresearch.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    again = [sys.executable, "-c", limited, *command[3:], "--seed", "2", "--out", str(tmp_path)]
    ran = subprocess.run(again, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "erresearch: error: could not write" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
