"""poisson against statsmodels, pyfixest and explicit dummies; separation; what it refuses."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import loaded
from hypothesis import given, settings, strategies as st

from erresearch.engine.expressions import log
from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DataError, DesignError
from erresearch.relate import contrast, poisson
from erresearch.relate.fitted_models import Fitted
from erresearch.relate.inference import effective_clusters
from erresearch.relate.poisson_regression import SEPARATED
from erresearch.results import Fit
from erresearch.worlds import simulate_panel


def simulated(*, accounts: int = 15, weeks: int = 30, seed: int = 1, keep: float = 0.8) -> pd.DataFrame:
    panel, _ = simulate_panel("effect", accounts=accounts, weeks=weeks, rng=seed)
    panel = panel[np.random.default_rng(seed).uniform(size=len(panel)) < keep].reset_index(drop=True)
    return pd.DataFrame(
        {
            "account": panel["account"].astype(str),
            "y": panel["revenue"],
            "x": np.log(panel["engagement"]),
            "z": np.log(panel["spend"]),
            "w": np.random.default_rng(seed).integers(1, 4, len(panel)).astype(float),
        }
    )


def counts(accounts: int = 12, rows: int = 25, seed: int = 0) -> pd.DataFrame:
    """Counts with many zeros, accounts of unequal size and level."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(rows // 2, rows + 1, accounts)
    account = np.repeat(np.arange(accounts), sizes)
    x, z = rng.normal(size=len(account)), rng.normal(size=len(account))
    rate = np.exp(0.4 * x - 0.2 * z + rng.normal(size=accounts)[account] - 0.5)
    y = rng.poisson(rate * rng.gamma(2, 0.5, len(account))).astype(float)
    return pd.DataFrame({"account": [f"a{i:02d}" for i in account], "x": x, "z": z, "y": y})


def films() -> pd.DataFrame:
    table = loaded("movies")
    table = table[(table["reviews"] > 0) & table["meter"].notna() & (table["year"] >= 1980)]
    return pd.DataFrame(
        {
            "account": table["year"].astype(str),
            "y": table["box_office"],
            "x": np.log(table["reviews"]),
            "z": table["meter"] / 100,
        }
    ).reset_index(drop=True)


TABLES = {"simulated panel": simulated, "counts": counts, "films": films}
each_table = pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)


def values(fit: Fit) -> np.ndarray:
    return np.array([estimate.value for estimate in fit.values()])


def ses(fit: Fit) -> np.ndarray:
    return np.array([estimate.se for estimate in fit.values()])


def glm(table: pd.DataFrame, *, clustered: bool = False, weights: Any = None) -> Any:
    import statsmodels.api as sm

    design = sm.add_constant(table[["x", "z"]])
    model = sm.GLM(table["y"], design, family=sm.families.Poisson(), freq_weights=weights)
    if not clustered:
        return model.fit(tol=1e-14, maxiter=200)
    codes = pd.factorize(table["account"])[0]
    return model.fit(tol=1e-14, maxiter=200, cov_type="cluster", cov_kwds={"groups": codes})


# --- other software -----------------------------------------------------------------------------------------------


@each_table
def test_account_effects_equal_pyfixest(make):
    table = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the oracle's own dependencies
        pyfixest = pytest.importorskip("pyfixest")
        theirs = pyfixest.fepois(
            "y ~ x + z | account",
            data=table,
            vcov={"CRV1": "account"},
            iwls_tol=1e-13,
            fixef_rm="none",
            demeaner=pyfixest.MapDemeaner(fixef_tol=1e-13),
        )
    ours = poisson(table, "y", on=["x", "z"], by="account", cov="CRV1")
    np.testing.assert_allclose(values(ours), theirs.coef()[["x", "z"]], rtol=1e-8)
    np.testing.assert_allclose(ses(ours), theirs.se()[["x", "z"]], rtol=1e-7)


@each_table
def test_pooled_equals_statsmodels(make):
    table = make()
    theirs, ours = glm(table), poisson(table, "y", on=["x", "z"], cov="iid")
    np.testing.assert_allclose(values(ours), theirs.params, rtol=1e-8)
    np.testing.assert_allclose(ses(ours), theirs.bse, rtol=1e-8)
    assert ours.r2 == pytest.approx(1 - theirs.deviance / theirs.null_deviance, rel=1e-8)
    theirs = glm(table, clustered=True)
    ours = poisson(table, "y", on=["x", "z"], by="account", effects=(), cov="CRV1")
    np.testing.assert_allclose(values(ours), theirs.params, rtol=1e-8)
    np.testing.assert_allclose(ses(ours), theirs.bse, rtol=1e-8)
    assert (ours.n_rows, ours.n_accounts) == (len(table), table["account"].nunique())


def test_weighted_moments_equal_repeated_rows():
    table = simulated()
    repeated = table.loc[table.index.repeat(table["w"].astype(int))]
    weighted = Moments.from_frame(table, ["x", "z", "y"], by="account", weights="w")
    for effects in ((), ("account",)):
        first = poisson(weighted, "y", on=["x", "z"], effects=effects, cov="CRV3")
        second = poisson(repeated, "y", on=["x", "z"], by="account", effects=effects, cov="CRV3")
        np.testing.assert_allclose(values(first), values(second), rtol=1e-9)
        np.testing.assert_allclose(ses(first), ses(second), rtol=1e-7)


def test_hc1_and_hc3_by_the_hat_matrix():
    table = counts()
    theirs = glm(table)
    design = np.column_stack([np.ones(len(table)), table[["x", "z"]]])
    mean = np.asarray(theirs.mu)
    bread = np.linalg.inv(design.T @ (design * mean[:, None]))
    hat = mean * np.einsum("ij,jk,ik->i", design, bread, design)
    n, k = design.shape
    for cov, scale, factor in (("HC1", 1.0, n / (n - k)), ("HC3", 1 / (1 - hat), 1.0)):
        scaled = design * ((table["y"] - mean) * scale).to_numpy()[:, None]
        expected = factor * bread @ scaled.T @ scaled @ bread
        np.testing.assert_allclose(poisson(table, "y", on=["x", "z"], cov=cov).cov, expected, rtol=1e-7)
    assert "HC3" in poisson(table, "y", on=["x", "z"]).method


def test_account_effects_equal_explicit_dummies():
    """Scores and Hessians of the concentrated likelihood are those of the fit with dummies."""
    import statsmodels.api as sm

    table = counts()
    table = table[table.groupby("account")["y"].transform("sum") > 0]
    dummies = pd.get_dummies(table["account"], dtype=float)
    design = pd.concat([table[["x", "z"]], dummies], axis=1)
    theirs = sm.GLM(table["y"], design, family=sm.families.Poisson()).fit(tol=1e-14, maxiter=200)
    ours = poisson(table, "y", on=["x", "z"], by="account", cov="CRV1")
    np.testing.assert_allclose(values(ours), theirs.params[["x", "z"]], rtol=1e-9)
    model = ours.model
    assert isinstance(model, Fitted)
    np.testing.assert_allclose(model.model.bread, theirs.cov_params().loc[["x", "z"], ["x", "z"]], rtol=1e-8)
    assert np.abs(model.model.scores.sum(axis=0)).max() < 1e-9 * np.abs(model.model.scores).sum()


def test_crv3_is_close_to_leaving_accounts_out():
    """One Newton step per account left out, against fits without it."""
    table = counts(accounts=20, rows=60, seed=3)
    ours = poisson(table, "y", on=["x", "z"], by="account", cov="CRV3")
    full = values(ours)
    moves = []
    for account in table["account"].unique():
        rest = poisson(table[table["account"] != account], "y", on=["x", "z"], by="account", cov="CRV1")
        moves.append(values(rest) - full)
    moves = np.array(moves)
    groups = len(moves)
    exact = np.sqrt((groups - 1) / groups * (moves**2).sum(axis=0))
    np.testing.assert_allclose(ses(ours), exact, rtol=0.03)


# --- the rule of the house, invariances ---------------------------------------------------------------------------


def test_few_accounts_get_the_score_bootstrap_and_many_crv3():
    few = poisson(simulated(), "y", on=["x", "z"], by="account")
    assert "restricted score bootstrap" in few.method
    assert few.effective_accounts < 15
    model = few.model
    assert isinstance(model, Fitted)
    sizes = [effective_clusters(model.model, a) for a in np.eye(2)]
    assert few.effective_accounts == pytest.approx(min(sizes))
    many = poisson(counts(accounts=150, rows=20), "y", on=["x", "z"], by="account")
    assert "CRV3, t(" in many.method


@given(seed=st.integers(0, 500), factor=st.floats(1e-3, 1e3).map(lambda v: float(f"{v:.3g}")))
@settings(max_examples=4)
def test_row_order_and_units(seed, factor):
    table = counts(seed=seed)
    plain = poisson(table, "y", on=["x", "z"], by="account")
    moved = table.sample(frac=1, random_state=seed).assign(
        x=lambda t: t["x"] * factor + 7, y=lambda t: t["y"] * factor
    )
    other = poisson(moved, "y", on=["x", "z"], by="account")
    assert other["x"].value * factor == pytest.approx(plain["x"].value, rel=1e-8, abs=1e-10)
    assert other["x"].interval.low * factor == pytest.approx(plain["x"].interval.low, rel=1e-6, abs=1e-7)
    assert other["z"].interval.high == pytest.approx(plain["z"].interval.high, rel=1e-6, abs=1e-7)


def test_a_large_offset_of_a_regressor_changes_nothing():
    table = simulated()
    grid = 2.0**-20
    table["x"] = np.round(table["x"] / grid) * grid
    plain = poisson(table, "y", on=["x", "z"], by="account", cov="CRV1")
    moved = poisson(table.assign(x=table["x"] + 1e9), "y", on=["x", "z"], by="account", cov="CRV1")
    np.testing.assert_allclose(values(moved), values(plain), rtol=1e-8)
    np.testing.assert_allclose(ses(moved), ses(plain), rtol=1e-8)


def test_a_contrast_has_the_score_bootstrap_too():
    table = counts()
    table["sum"] = table["x"] + table["z"]
    difference = contrast(poisson(table, "y", on=["x", "z"], by="account"), {"x": 1, "z": -1})
    other = poisson(table, "y", on=["x", "sum"], by="account")["x"]
    assert difference.value == pytest.approx(other.value, rel=1e-8)
    assert difference.interval.low == pytest.approx(other.interval.low, rel=1e-5)


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
def test_every_engine_gives_the_same_fit(tmp_path):
    duckdb, ibis = pytest.importorskip("duckdb"), pytest.importorskip("ibis")
    table = counts()
    path = tmp_path / "rows.parquet"
    pl.from_pandas(table).write_parquet(path)
    expected = poisson(table, "y", on=["x", "z"], by="account")
    for name, data in {
        "polars": pl.from_pandas(table).lazy(),
        "file": str(path),
        "duckdb": duckdb.read_parquet(str(path)),
        "ibis": ibis.duckdb.connect().read_parquet(str(path)),
    }.items():
        found = poisson(data, "y", on=["x", "z"], by="account")
        np.testing.assert_allclose(values(found), values(expected), rtol=1e-10, err_msg=name)
        np.testing.assert_allclose(ses(found), ses(expected), rtol=1e-9, err_msg=name)


def test_moments_with_rows_give_what_rows_give_and_inputs_stay():
    table = counts()
    before = table.copy(deep=True)
    moments = Moments.from_frame(table, ["z", "x", "y"], by="account")
    first, second = poisson(table, "y", on=["x", "z"], by="account"), poisson(moments, "y", on=["x", "z"])
    np.testing.assert_allclose(values(first), values(second), rtol=1e-10)
    pd.testing.assert_frame_equal(table, before)


def test_starting_values_from_a_sample_change_nothing(monkeypatch):
    table = counts(accounts=300, rows=20, seed=2)
    plain = poisson(table, "y", on=["x", "z"], by="account", cov="CRV1")
    monkeypatch.setattr("erresearch.relate.poisson_regression._SAMPLE", 600)
    started = poisson(table, "y", on=["x", "z"], by="account", cov="CRV1")
    np.testing.assert_allclose(values(started), values(plain), rtol=1e-11)
    np.testing.assert_allclose(ses(started), ses(plain), rtol=1e-7)
    # a sample in which nothing can be estimated is passed over
    monkeypatch.setattr("erresearch.relate.poisson_regression._SAMPLE", 300)
    table.loc[table["account"].isin(sorted(table["account"].unique())[:: len(table) // 300]), "y"] = 0.0
    started = poisson(table, "y", on=["x", "z"], by="account", cov="CRV1")
    monkeypatch.undo()
    np.testing.assert_allclose(
        values(started), values(poisson(table, "y", on=["x", "z"], by="account", cov="CRV1")), rtol=1e-11
    )


# --- zeros and separation -----------------------------------------------------------------------------------------


def test_accounts_without_any_outcome_are_dropped_with_their_count():
    table = counts()
    table.loc[table["account"].isin(["a03", "a07"]), "y"] = 0.0
    fit = poisson(table, "y", on=["x", "z"], by="account", cov="CRV1")
    gone = int(table["account"].isin(["a03", "a07"]).sum())
    assert fit.dropped["in 2 accounts without any y"] == gone
    assert (fit.n_rows, fit.n_accounts) == (len(table) - gone, 10)
    without = poisson(
        table[~table["account"].isin(["a03", "a07"])], "y", on=["x", "z"], by="account", cov="CRV1"
    )
    np.testing.assert_allclose(values(fit), values(without), rtol=1e-10)
    pooled = poisson(table, "y", on=["x", "z"], by="account", effects=(), cov="CRV1")
    assert pooled.n_accounts == 12


def separated(kind: str) -> tuple[pd.DataFrame, list[str], int]:
    """A table with separated rows, its regressors, and the number of those rows."""
    table = counts(seed=4)
    rng = np.random.default_rng(1)
    if kind == "dummy":
        table["d"] = ((table["y"] == 0) & (rng.uniform(size=len(table)) < 0.3)).astype(float)
        return table, ["x", "z", "d"], int(table["d"].sum())
    if kind == "negative dummy":
        table["d"] = 1.0 - ((table["y"] == 0) & (rng.uniform(size=len(table)) < 0.3))
        return table, ["x", "z", "d"], int((1 - table["d"]).sum())
    if kind == "two dummies":
        zero = table["y"] == 0
        table["d"] = (zero & (np.arange(len(table)) % 3 == 0)).astype(float)
        table["e"] = (zero & (np.arange(len(table)) % 3 == 1)).astype(float)
        return table, ["x", "d", "z", "e"], int(table["d"].sum() + table["e"].sum())
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["dummy", "negative dummy", "two dummies"])
@pytest.mark.parametrize("effects", [(), ("account",)], ids=str)
def test_separated_rows_are_dropped_with_their_count(kind, effects):
    table, on, count = separated(kind)
    fit = poisson(table, "y", on=on, by="account", effects=effects, cov="CRV1")
    assert fit.dropped[SEPARATED] == count
    # named in the order of `on`, whichever was found first
    gone = ", ".join(repr(name) for name in on if name in "de")
    assert f"({gone} left out: predicts zeros perfectly)" in fit.method
    # the rest is the fit without the rows
    hit = (table[[c for c in on if c in "de"]] == (0.0 if kind == "negative dummy" else 1.0)).any(axis=1)
    clean = poisson(table[~hit], "y", on=["x", "z"], by="account", effects=effects, cov="CRV1")
    assert fit["x"].value == pytest.approx(clean["x"].value, rel=1e-8)
    assert fit["x"].se == pytest.approx(clean["x"].se, rel=1e-6)


def test_every_row_is_counted_where_accounts_without_sales_meet_separated_rows():
    table, on, count = separated("dummy")
    idle = table[table["account"].isin(["a02", "a05"])].assign(
        account=lambda t: t["account"] + " closed", y=0, d=0.0
    )
    both = pd.concat([table, idle], ignore_index=True)
    fit = poisson(both, "y", on=on, by="account", cov="CRV1")
    assert dict(fit.dropped) == {"in 2 accounts without any y": len(idle), SEPARATED: count}
    assert fit.n_rows + sum(fit.dropped.values()) == len(both)
    np.testing.assert_allclose(
        values(fit), values(poisson(table, "y", on=on, by="account", cov="CRV1")), rtol=1e-9
    )


@pytest.mark.parametrize("effects", [(), ("account",)], ids=str)
def test_a_separating_combination_is_named(effects):
    """x + d is the same for every sale and lower for some zeros: without those rows x and d are one column."""
    table = counts(seed=4)
    rng = np.random.default_rng(1)
    low = (table["y"] == 0) & (rng.uniform(size=len(table)) < 0.3)
    table["d"] = -table["x"] - np.where(low, rng.uniform(0.5, 2, len(table)), 0.0)
    message = f"columns 'x', 'd' are collinear or nearly so once {low.sum()} rows are left out whose zeros"
    with pytest.raises(DesignError, match=message):
        poisson(table, "y", on=["x", "z", "d"], by="account", effects=effects)
    assert math.isfinite(poisson(table, "y", on=["x", "z"], by="account", effects=effects)["x"].se)


def test_all_columns_separate():
    table = counts()
    table["d"] = ((table["y"] == 0) & (np.arange(len(table)) % 2 == 0)).astype(float)
    with pytest.raises(DesignError, match="every regressor predicts the zeros of 'y' perfectly: 'd'"):
        poisson(table, "y", on=["d"], by="account")


# --- what is refused ----------------------------------------------------------------------------------------------


def test_a_negative_outcome():
    table = counts()
    table.loc[5, "y"] = -2.5
    with pytest.raises(DataError, match=r"'y' must not be negative .*: 1 of .* rows, the least -2.5"):
        poisson(table, "y", on=["x", "z"], by="account")


def test_an_outcome_of_zeros():
    table = counts().assign(y=0.0)
    with pytest.raises(DataError, match="'y' is 0 in all"):
        poisson(table, "y", on=["x", "z"])


def test_collinear_constant_and_missing_columns():
    table = counts()
    with pytest.raises(DesignError, match="'x', 'twice' are collinear"):
        poisson(table.assign(twice=2 * table["x"]), "y", on=["x", "twice"], by="account")
    with pytest.raises(DesignError, match="no variation is left in 'one'"):
        poisson(table.assign(one=1.0), "y", on=["x", "one"])
    with pytest.raises(ColumnError, match="No column 'X1'"):
        poisson(table, "y", on=["X1"])
    with pytest.raises(ColumnError, match="'y' is asked for twice"):
        poisson(table, "y", on=["x", "y"])
    with pytest.raises(ColumnError, match="needs a regressor"):
        poisson(table, "y", on=[])
    with pytest.raises(ColumnError, match="'Intercept' is the name of the constant"):
        poisson(table.rename(columns={"x": "Intercept"}), "y", on=["Intercept"])


def test_too_few_rows_and_accounts():
    table = counts()
    with pytest.raises(DesignError, match="3 complete rows cannot carry 3 parameters"):
        poisson(table[table["y"] > 0][:3], "y", on=["x", "z"])
    with pytest.raises(DesignError, match="at least 2 accounts: 1"):
        poisson(table[table["account"] == table["account"].iloc[0]], "y", on=["x"], by="account")
    with pytest.raises(DataError, match="no rows"):
        poisson(table[:0], "y", on=["x"])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"effects": ("account", "period"), "by": "account"}, "takes account effects only"),
        ({"effects": ("account",)}, "account effects need accounts: by=None"),
        ({"cov": "HC3", "by": "account"}, "does not go with accounts"),
        ({"cov": "CRV3"}, "does not go with rows without accounts"),
        ({"level": 0.0}, "`level` must lie between"),
    ],
    ids=str,
)
def test_options_that_do_not_go(how, message):
    with pytest.raises(DesignError, match=message):
        poisson(counts(), "y", on=["x", "z"], **how)


def test_moments_without_rows_are_refused():
    table = counts()
    moments = Moments.from_frame(table, ["x", "y"], by="account")
    with pytest.raises(DesignError, match="passes over the rows: moments without their rows"):
        poisson(moments + moments, "y", on=["x"])


def test_missing_values_are_counted_and_odd_names_do():
    table = counts().rename(columns={"x": "<b>`x` 🛒</b>"})
    table.loc[0, "z"], table.loc[1, "y"] = np.inf, np.nan
    fit = poisson(
        table,
        "y",
        on=[
            "<b>`x` 🛒</b>",
            "z",
        ],
        by="account",
        cov="CRV1",
    )
    assert fit.dropped["not finite: z"] == 1
    assert fit.dropped["not finite: y"] == 1
    assert math.isfinite(fit["<b>`x` 🛒</b>"].se)


def test_logs_are_elasticities():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"g": np.repeat(np.arange(60), 30), "spend": np.exp(rng.normal(size=1800))})
    table["sales"] = rng.poisson(5 * table["spend"] ** 0.3).astype(float)
    assert 0.3 in poisson(table, "sales", on=[log("spend")], by="g")["log spend"].interval
