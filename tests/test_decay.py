"""decay: the planted exponent, the noise in followers, and what it refuses."""

from __future__ import annotations

import math

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

from erresearch.errors import ColumnError, DataError, DesignError
from erresearch.relate import decay, poisson, regress
from erresearch.results import Decay
from erresearch.worlds import simulate_panel


def accounts(n: int = 300, exponent: float = 0.75, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    followers = np.exp(rng.normal(9, 1.3, n))
    rate = 0.5 * followers**exponent * np.exp(rng.normal(0, 0.4, n) - 0.08)
    likes = rng.poisson(0.9 * rate)
    return pd.DataFrame({"followers": followers.round(), "likes": likes, "comments": rng.poisson(0.1 * rate)})


def posts() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    size = np.exp(rng.normal(9, 1.3, 30))
    table = pd.DataFrame({"shop": np.repeat(np.arange(30), 12), "followers": np.repeat(size, 12)})
    table["engagement"] = rng.poisson(0.2 * table["followers"] ** 0.8 * rng.gamma(4, 0.25, len(table)))
    return table


@pytest.mark.parametrize(("world", "truth"), [("decay", 0.75), ("flat", 1.0)])
def test_the_planted_exponent_is_found(world, truth):
    table, told = simulate_panel(world, accounts=400, rng=2)
    assert told.parameters["exponent"] == truth
    found = decay(table)
    assert truth in found.exponent.interval
    assert truth in found.log_ols.interval
    assert found.exponent.interval.high - found.exponent.interval.low < 0.25
    assert (found.exponent.n_rows, found.exponent.n_accounts) == (400, 0)


def test_it_is_poisson_with_each_row_an_account():
    table = accounts()
    table["reactions"] = table["likes"] + table["comments"]
    table["size"], table["row"] = np.log(table["followers"]), np.arange(len(table))
    found = decay(table)
    beside = poisson(table, "reactions", on=["size"], by="row", effects=())["size"]
    assert found.exponent.value == pytest.approx(beside.value, rel=1e-9)
    assert found.exponent.se == pytest.approx(beside.se, rel=1e-6)
    assert found.exponent.name == "β (PPML)"
    positive = table[table["reactions"] > 0].assign(logged=lambda t: np.log(t["reactions"]))
    logs = regress(positive, "logged", on=["size"])["size"]
    assert found.log_ols.value == pytest.approx(logs.value, rel=1e-9)


def test_posts_of_accounts_are_clustered():
    table = posts()
    found = decay(table, by="shop")
    table["size"] = np.log(table["followers"])
    beside = poisson(table, "engagement", on=["size"], by="shop", effects=())["size"]
    assert found.exponent.value == pytest.approx(beside.value, rel=1e-8)
    assert found.exponent.interval.low == pytest.approx(beside.interval.low, rel=1e-6)
    assert found.exponent.n_accounts == 30


def test_reliability_divides_exponent_and_interval():
    found = decay(accounts(), reliability=(0.8, 1.0))
    (low, corrected), (high, plain) = found.reliability
    assert (low, high) == (0.8, 1.0)
    assert corrected.value == pytest.approx(found.exponent.value / 0.8)
    assert corrected.interval.low == pytest.approx(found.exponent.interval.low / 0.8)
    assert corrected.at(0.99).interval.high == pytest.approx(found.exponent.at(0.99).interval.high / 0.8)
    assert plain.value == pytest.approx(found.exponent.value)
    assert len(decay(accounts(), reliability=(1.0, 1.0)).reliability) == 1


def test_noise_in_followers_looks_like_decay_until_it_is_declared():
    """With reliability λ the slope on noisy followers is λ times the true one (log-OLS; here λ = .9)."""
    rng = np.random.default_rng(1)
    size = rng.normal(9, 1.2, 20_001)  # one more than the rows that become accounts of their own
    shown = size + rng.normal(0, 1.2 / 3, len(size))  # reliability 1.44 / (1.44 + .16) = .9
    table = pd.DataFrame(
        {"followers": np.exp(shown), "engagement": np.exp(size - 2 + rng.normal(0, 0.3, len(size)))}
    )
    found = decay(table, reliability=(0.9, 1.0))
    assert found.log_ols.interval.high < 0.95
    assert found.log_ols.value / 0.9 == pytest.approx(1, abs=0.01)
    assert "HC3" in found.exponent.method


def test_points_and_spline_follow_the_power_law():
    found = decay(accounts(n=3_000), spline=True)
    assert found.spline is not None
    middle = slice(10, -10)
    slope = np.polyfit(found.spline.x[middle], found.spline.y[middle], 1)[0]
    assert slope == pytest.approx(0.75, abs=0.06)
    assert (found.spline.low <= found.spline.y).all()
    assert (found.spline.y <= found.spline.high).all()
    assert found.points.n.sum() == 3_000
    inside = (found.points.low <= found.points.y) & (found.points.y <= found.points.high)
    assert inside[np.isfinite(found.points.low)].all()
    assert np.polyfit(found.points.x, found.points.y, 1)[0] == pytest.approx(0.75, abs=0.1)


def test_the_trap_of_the_shared_denominator_has_its_figure():
    """Independent reactions and followers of equal spread: r(log ER, log F) = −.71 by arithmetic."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"followers": np.exp(rng.normal(8, 1, 4_000)), "engagement": np.exp(rng.normal(4, 1, 4_000))}
    )
    found = decay(table)
    assert found.shared_denominator == pytest.approx(-math.sqrt(0.5), abs=0.02)
    rate = np.log(table["engagement"] / table["followers"])
    assert np.corrcoef(rate, np.log(table["followers"]))[0, 1] == pytest.approx(
        found.shared_denominator, abs=0.02
    )
    assert 0.0 in found.exponent.interval


def close(first: Decay, second: Decay, rel: float = 1e-7) -> None:
    assert first.exponent.value == pytest.approx(second.exponent.value, rel=rel)
    assert first.exponent.interval.low == pytest.approx(second.exponent.interval.low, rel=rel)
    assert first.log_ols.interval.high == pytest.approx(second.log_ols.interval.high, rel=rel)


def test_row_order_and_units_change_nothing_and_inputs_stay():
    table = accounts()
    before = table.copy(deep=True)
    plain = decay(table)
    close(plain, decay(table.sample(frac=1, random_state=1)))
    close(plain, decay(table.assign(followers=table["followers"] / 1000)))
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
def test_every_engine_gives_the_same(tmp_path):
    duckdb, ibis = pytest.importorskip("duckdb"), pytest.importorskip("ibis")
    table = accounts()
    path, expected = tmp_path / "rows.parquet", decay(table)
    pl.from_pandas(table).write_parquet(path)
    for data in (
        pl.from_pandas(table).lazy(),
        str(path),
        duckdb.read_parquet(str(path)),
        ibis.duckdb.connect().read_parquet(str(path)),
    ):
        found = decay(data)
        close(expected, found, rel=1e-9)
        assert found.points.n.sum() == len(table)


def test_columns_are_found_or_named():
    table = accounts().rename(columns={"followers": "fans 🛒", "likes": "`l`"})
    named = decay(table, followers="fans 🛒", reactions=["`l`", "comments"])
    close(named, decay(accounts()), rel=1e-12)
    one = decay(accounts(), reactions="likes")
    assert one.exponent.value != pytest.approx(named.exponent.value, rel=1e-6)
    both = accounts().assign(engagement=accounts()["likes"])
    close(decay(both), one, rel=1e-12)


def test_rows_without_reactions_stay_in_ppml_and_are_counted_for_the_logs():
    table = accounts()
    table.loc[:9, ["likes", "comments"]] = 0
    found = decay(table)
    assert found.exponent.n_rows == 300
    assert found.log_ols.n_rows == 290
    assert found.dropped == {"not finite: log reactions (log-OLS only)": 10}


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, -5.0, np.nan, np.inf])
def test_followers_that_have_no_logarithm(value):
    table = accounts()
    table.loc[[3, 8], "followers"] = value
    with pytest.raises(DataError, match=r"`followers` must be positive and known .*: 2 of 300 rows"):
        decay(table)


def test_negative_reactions():
    table = accounts()
    table["likes"] = table["likes"].astype(float)
    table.loc[3, "likes"] = -1e6
    with pytest.raises(DataError, match="'reactions' must not be negative"):
        decay(table)


def test_missing_columns():
    with pytest.raises(ColumnError, match=r"No column 'followers' in the table.*Did you mean 'folowers'"):
        decay(accounts().rename(columns={"followers": "folowers"}))
    with pytest.raises(ColumnError, match="No column 'shop'"):
        decay(accounts(), by="shop")
    with pytest.raises(ColumnError, match="No column 'engagement'"):
        decay(accounts()[["followers"]])
    with pytest.raises(ColumnError, match="No column 'loves'"):
        decay(accounts(), reactions=["likes", "loves"])


@pytest.mark.parametrize("reliability", [(0.0, 1.0), (1.0, 0.9), (0.9, 1.1), (-1, 0.5), (math.nan, 1.0)])
def test_reliability_out_of_range(reliability):
    with pytest.raises(DesignError, match=r"`reliability` must be two numbers in \(0, 1\]"):
        decay(accounts(), reliability=reliability)


def test_accounts_of_one_size():
    with pytest.raises(DesignError, match="no variation is left in 'log followers'"):
        decay(accounts().assign(followers=1000))


def test_no_reactions_at_all_and_no_rows():
    with pytest.raises(DataError, match="'reactions' is 0 in all 300 rows"):
        decay(accounts().assign(likes=0, comments=0))
    with pytest.raises(DataError, match="no rows"):
        decay(accounts()[:0])


def test_too_few_accounts():
    with pytest.raises(DesignError, match="2 complete rows cannot carry 2 parameters"):
        decay(accounts()[:2])


def test_an_expression_as_reactions_is_not_a_name():
    with pytest.raises((ColumnError, TypeError)):
        decay(accounts(), reactions=nw.col("likes"))  # type: ignore[arg-type]
