"""correlate against scipy, its jackknife against explicit loops, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import loaded
from hypothesis import given, settings, strategies as st

from erresearch.engine.expressions import log
from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DataError, DesignError, UnknownNameError
from erresearch.relate import correlate
from erresearch.results import Estimate
from erresearch.worlds import simulate_panel


def panel(accounts: int = 10, weeks: int = 20, seed: int = 1) -> pd.DataFrame:
    table, _ = simulate_panel("nil", accounts=accounts, weeks=weeks, rng=seed)
    table = table[np.random.default_rng(seed).uniform(size=len(table)) < 0.8].reset_index(drop=True)
    return pd.DataFrame(
        {
            "account": table["account"].astype(str),
            "x": np.log(table["engagement"]),
            "y": np.log(table["revenue"]),
            "few": (table["posts"] // 2).astype(float),
        }
    )


def films() -> pd.DataFrame:
    table = loaded("movies")
    table = table[(table["reviews"] > 0) & table["meter"].notna()]
    return pd.DataFrame(
        {
            "account": table["year"].astype(str),
            "x": np.log(table["reviews"]),
            "y": np.log(table["box_office"]),
            "few": table["meter"],
        }
    )


each_table = pytest.mark.parametrize("make", [panel, films], ids=["simulated panel", "films"])


def demeaned(table: pd.DataFrame, columns: tuple[str, ...] = ("x", "y")) -> pd.DataFrame:
    values = table[list(columns)]
    return values - values.groupby(table["account"]).transform("mean")


def fisher(values: list[float], r: float) -> float:
    """Jackknife standard error of atanh r from the leave-one-out correlations."""
    moves = np.arctanh(values) - math.atanh(r)
    return math.sqrt((len(moves) - 1) / len(moves) * float(np.sum(moves**2)))


@each_table
def test_values_equal_scipy(make):
    from scipy import stats

    table = make()
    found = correlate(table, "x", "y")
    assert found.value == pytest.approx(stats.pearsonr(table["x"], table["y"]).statistic, rel=1e-10)
    ranks = correlate(table, "x", "few", method="spearman")  # with many ties
    assert ranks.value == pytest.approx(stats.spearmanr(table["x"], table["few"]).statistic, rel=1e-10)
    own = demeaned(table)
    within = correlate(table, "x", "y", by="account", within=True)
    assert within.value == pytest.approx(stats.pearsonr(own["x"], own["y"]).statistic, rel=1e-9)
    ranked = table[["x", "few"]].groupby(table["account"]).rank().assign(account=table["account"])
    own = demeaned(ranked, ("x", "few"))
    within = correlate(table, "x", "few", by="account", within=True, method="spearman")
    assert within.value == pytest.approx(stats.pearsonr(own["x"], own["few"]).statistic, rel=1e-9)


@pytest.mark.parametrize("within", [False, True])
def test_the_error_is_the_jackknife_over_accounts(within):
    table = panel()
    found = correlate(table, "x", "y", by="account", within=within)
    left = []
    for account in table["account"].unique():
        rest = table[table["account"] != account]
        values = demeaned(rest) if within else rest
        left.append(np.corrcoef(values["x"], values["y"])[0, 1])
    se = fisher(left, found.value)
    assert found.se == pytest.approx(se * (1 - found.value**2), rel=1e-8)
    from scipy import stats

    half = stats.t.ppf(0.975, 9) * se
    assert found.interval.low == pytest.approx(math.tanh(math.atanh(found.value) - half), rel=1e-8)
    assert found.interval.high == pytest.approx(math.tanh(math.atanh(found.value) + half), rel=1e-8)
    assert (found.df, found.n_accounts) == (9, 10)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_the_error_without_accounts_is_the_jackknife_over_rows(method):
    table = panel(accounts=3)
    found = correlate(table, "x", "y", method=method)
    values = table[["x", "y"]].rank() if method == "spearman" else table[["x", "y"]]
    x, y = values["x"].to_numpy(), values["y"].to_numpy()
    left = [np.corrcoef(np.delete(x, i), np.delete(y, i))[0, 1] for i in range(len(x))]
    assert found.se == pytest.approx(fisher(left, found.value) * (1 - found.value**2), rel=1e-8)
    assert found.df == len(table) - 2


def test_ranks_change_with_a_monotone_transformation_and_r_does_not():
    table = panel()
    plain = correlate(table, "x", "y", method="spearman")
    bent = correlate(table.assign(x=np.exp(table["x"])), "x", "y", method="spearman")
    assert plain.value == pytest.approx(bent.value, rel=1e-12)
    assert plain.name == "r(rank of x, rank of y)"


def same(first: Estimate, second: Estimate, rel: float = 1e-8) -> None:
    for a, b in (
        (first.value, second.value),
        (first.se, second.se),
        (first.interval.low, second.interval.low),
        (first.interval.high, second.interval.high),
    ):
        assert a == pytest.approx(b, rel=rel, abs=rel)


@given(
    seed=st.integers(0, 1_000),
    factor=st.floats(1e-5, 1e5).map(lambda v: float(f"{v:.3g}")),
    shift=st.floats(-1e5, 1e5),
    how=st.sampled_from([{}, {"by": "account"}, {"by": "account", "within": True}]),
)
@settings(max_examples=8)
def test_order_units_sides_and_names_change_nothing(seed, factor, shift, how):
    table = panel(accounts=6, seed=seed)
    plain = correlate(table, "x", "y", **how)
    moved = table.sample(frac=1, random_state=seed).assign(
        x=lambda t: t["x"] * factor + shift, account=lambda t: "🛒 " + t["account"].str[::-1]
    )
    same(plain, correlate(moved, "x", "y", **how), rel=1e-6)
    same(plain, correlate(table, "y", "x", **how))
    turned = correlate(table.assign(x=-table["x"]), "x", "y", **how)
    assert turned.value == pytest.approx(-plain.value, rel=1e-9)
    assert turned.interval.high == pytest.approx(-plain.interval.low, rel=1e-8, abs=1e-10)


def test_an_offset_of_1e9_changes_nothing():
    table = panel()
    grid = 2.0**-20
    table["x"] = np.round(table["x"] / grid) * grid
    for how in ({}, {"by": "account"}, {"by": "account", "within": True}):
        same(correlate(table, "x", "y", **how), correlate(table.assign(x=table["x"] + 1e9), "x", "y", **how))


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
def test_every_engine_and_moments_give_the_same(tmp_path):
    duckdb, ibis = pytest.importorskip("duckdb"), pytest.importorskip("ibis")
    table = panel()
    before = table.copy(deep=True)
    path = tmp_path / "rows.parquet"
    pl.from_pandas(table).write_parquet(path)
    sources = [
        pl.from_pandas(table).lazy(),
        str(path),
        duckdb.read_parquet(str(path)),
        ibis.duckdb.connect().read_parquet(str(path)),
    ]
    for method in ("pearson", "spearman"):
        for how in ({"method": method}, {"by": "account", "within": True, "method": method}):
            wanted = correlate(table, "x", "y", **how)
            for data in sources:
                same(wanted, correlate(data, "x", "y", **how), 1e-10)
    moments = Moments.from_frame(table, ["y", "few", "x"], by="account")
    same(correlate(table, "x", "y", by="account"), correlate(moments, "x", "y"))
    same(correlate(table, "x", "y", by="account"), correlate(moments.about(np.zeros(3)), "x", "y"), 1e-7)
    pd.testing.assert_frame_equal(table, before)


@given(level=st.floats(0.5, 0.99))
@settings(max_examples=5)
def test_intervals_are_nested(level):
    found = correlate(panel(), "x", "y", by="account")
    inner, outer = found.at(level).interval, found.at(0.995).interval
    assert -1 <= outer.low <= inner.low <= found.value <= inner.high <= outer.high <= 1


def test_p_value_agrees_with_the_interval():
    found = correlate(panel(), "x", "y", by="account", within=True)
    reference = found.reference
    assert reference is not None
    assert reference.pvalue(found.interval.low) == pytest.approx(0.05, abs=1e-9)
    assert reference.pvalue(found.value) == pytest.approx(1)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("rows", [4, 5, 12, 60])
def test_a_perfect_correlation_is_as_sure_as_its_pairs_are_many(method, sign, rows):
    table = pd.DataFrame({"x": np.arange(rows) ** 1.0})
    table["y"] = sign * (2 * table.x + 1)
    found = correlate(table, "x", "y", method=method)
    assert found.value == sign
    inner = math.sin(math.pi / 2 * (2 * 0.025 ** (1 / (rows // 2)) - 1))
    ends = sorted((sign * inner, sign))
    assert (found.interval.low, found.interval.high) == pytest.approx(ends)
    assert found.pvalue == pytest.approx(min(1.0, 2 * 0.5 ** (rows // 2)))
    reference = found.reference
    assert reference is not None
    assert reference.pvalue(sign * inner) == pytest.approx(0.05)
    assert reference.pvalue(float(sign)) == 1.0
    assert reference.pvalue(float(-sign)) == 0.0


def test_one_account_of_two_rows_makes_no_correlation_within_accounts():
    table = pd.DataFrame({"account": [*range(20), 3, 5, 7], "x": np.arange(23.0) ** 2})
    table["y"] = np.sin(table.x)
    with pytest.raises(DesignError, match="2 accounts in which anything varies"):
        correlate(table[:-1], "x", "y", by="account", within=True)
    found = correlate(table, "x", "y", by="account", within=True)
    assert (found.n_accounts, found.df) == (3, 2)


@pytest.mark.parametrize("last", [[5.0, 9.0], [0.1, 0.2]])
@pytest.mark.parametrize("engine", ["pandas", "duckdb"])
def test_one_row_that_carries_the_correlation_sets_no_bound(engine, last):
    table = pd.DataFrame({"x": [0.0, 0, 0, 0, 0, last[0]], "y": [1.0, 2, 3, 2, 1, last[1]]})
    data = table if engine == "pandas" else pytest.importorskip("duckdb").from_df(table)
    found = correlate(data, "x", "y")
    assert (found.interval.low, found.interval.high) == (-1, 1)
    assert found.pvalue == 1.0
    straight = pd.DataFrame(
        {"x": [0.0, 1, 2, 3, 9], "y": [0.0, 1, 2, 3, 0]}
    )  # a perfect line but for one row
    data = straight if engine == "pandas" else pytest.importorskip("duckdb").from_df(straight)
    assert not math.isfinite(correlate(data, "x", "y").se)


def test_weighted_moments():
    table = panel(accounts=3).assign(w=lambda t: np.random.default_rng(0).uniform(0.5, 3, len(t)))
    moments = Moments.from_frame(table, ["x", "y"], weights="w")
    x, y, w = (table[name].to_numpy() for name in "xyw")

    def weighted(keep: np.ndarray) -> float:
        (a, c), (_, b) = np.cov(x[keep], y[keep], aweights=w[keep])
        return float(c / math.sqrt(a * b))

    every = np.arange(len(x))
    found = correlate(moments, "x", "y")
    assert found.value == pytest.approx(weighted(every), rel=1e-10)
    left = [weighted(every != i) for i in every]
    assert found.se == pytest.approx(fisher(left, found.value) * (1 - found.value**2), rel=1e-8)
    with pytest.raises(DesignError, match="rank correlation takes no weights: moments with weights='w'"):
        correlate(moments, "x", "y", method="spearman")


# --- what is refused ----------------------------------------------------------------------------------------------


def test_an_unknown_method():
    with pytest.raises(UnknownNameError, match="no method 'kendall'"):
        correlate(panel(), "x", "y", method="kendall")


@pytest.mark.parametrize("how", [{}, {"by": "account"}, {"by": "account", "within": True}], ids=str)
def test_a_constant_column_is_named(how):
    with pytest.raises(DesignError, match="'x' does not vary"):
        correlate(panel().assign(x=3.7), "x", "y", **how)


def test_a_column_that_does_not_vary_within_accounts():
    table = panel()
    table["x"] = table["account"].astype("category").cat.codes.astype(float) / 3
    with pytest.raises(DesignError, match="'x' does not vary"):
        correlate(table, "x", "y", by="account", within=True)
    assert abs(correlate(table, "x", "y", by="account").value) < 1


def test_too_little():
    with pytest.raises(DesignError, match=r"too little .*: 3 complete rows"):
        correlate(panel()[:3], "x", "y")
    two = panel()
    two = two[two["account"].isin(two["account"].unique()[:2])]
    with pytest.raises(DesignError, match=r"too little .* 2 accounts"):
        correlate(two, "x", "y", by="account")
    with pytest.raises(DataError, match="no rows"):
        correlate(panel()[:0], "x", "y")


def test_within_needs_accounts():
    with pytest.raises(DesignError, match="`within` needs accounts"):
        correlate(panel(), "x", "y", within=True)


def test_wrong_columns():
    with pytest.raises(ColumnError, match="No column 'likes'"):
        correlate(panel(), "likes", "y")
    with pytest.raises(ColumnError, match="'x' is asked for twice"):
        correlate(panel(), "x", "x")


def test_moments_without_rows():
    moments = Moments.from_frame(panel(), ["x", "y"]).about(np.zeros(2))
    with pytest.raises(DesignError, match="without accounts needs the rows: moments without their rows"):
        correlate(moments, "x", "y")
    with pytest.raises(DesignError, match="ranks need the rows"):
        correlate(moments, "x", "y", method="spearman")


def test_missing_values_are_left_out():
    table = panel()
    table.loc[0, "x"], table.loc[1, "y"] = np.nan, np.inf
    assert correlate(table, "x", "y").value == pytest.approx(correlate(table[2:], "x", "y").value, rel=1e-12)
    assert correlate(table, "x", "y", method="spearman").n_rows == len(table) - 2


def test_expressions_and_odd_names():
    table = panel().rename(columns={"y": "`y` \"'<b>🛒"})
    table["x"] = np.exp(table["x"])
    found = correlate(table, log("x"), "`y` \"'<b>🛒", by="account")
    assert found.name == "r(log x, `y` \"'<b>🛒)"
    assert found.value == pytest.approx(correlate(panel(), "x", "y", by="account").value, rel=1e-9)
    ranked = correlate(table, log("x"), "`y` \"'<b>🛒", method="spearman")
    assert ranked.value == pytest.approx(correlate(panel(), "x", "y", method="spearman").value, rel=1e-12)
