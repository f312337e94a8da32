"""regress against statsmodels and pyfixest, its invariances, and what it refuses."""

from __future__ import annotations

import json
import math
import warnings
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import loaded, script
from hypothesis import given, settings, strategies as st

import erresearch as er
from erresearch.engine.expressions import log
from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DataError, DesignError, UnknownNameError
from erresearch.relate import contrast, logit, poisson, regress
from erresearch.relate.fitted_models import Fitted
from erresearch.results import Fit
from erresearch.worlds import simulate_panel

EFFECTS = [(), ("account",), ("account", "period")]
FORMULA = {
    (): "y ~ x + z",
    ("account",): "y ~ x + z | account",
    ("account", "period"): "y ~ x + z | account + week",
}


def simulated(*, accounts: int = 15, weeks: int = 30, seed: int = 1, keep: float = 0.8) -> pd.DataFrame:
    """The simulated `effect` panel with holes, so that accounts and weeks differ in length."""
    panel, _ = simulate_panel("effect", accounts=accounts, weeks=weeks, rng=seed)
    panel = panel[np.random.default_rng(seed).uniform(size=len(panel)) < keep].reset_index(drop=True)
    return pd.DataFrame(
        {
            "account": panel["account"].astype(str),
            "week": panel["week"].astype(str),
            "y": np.log(panel["revenue"]),
            "x": np.log(panel["engagement"]),
            "z": np.log(panel["spend"]),
            "w": np.random.default_rng(seed).uniform(0.5, 3, len(panel)),
        }
    )


def films() -> pd.DataFrame:
    table = loaded("movies")
    table = table[(table["reviews"] > 0) & table["meter"].notna() & (table["year"] >= 1980)]
    return pd.DataFrame(
        {
            "account": table["year"].astype(str),
            "week": pd.to_datetime(table["released"]).dt.month.fillna(0).astype(int).astype(str),
            "y": np.log(table["box_office"]),
            "x": np.log(table["reviews"]),
            "z": table["meter"],
        }
    ).reset_index(drop=True)


TABLES = {"simulated panel": simulated, "films": films}
each_table = pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
each_effects = pytest.mark.parametrize("effects", EFFECTS, ids=str)


def fitted(table: Any, effects: tuple[str, ...] = (), **options: Any) -> Fit:
    period = "week" if "period" in effects else None
    return regress(table, "y", on=["x", "z"], by="account", period=period, effects=effects, **options)


def values(fit: Fit) -> np.ndarray:
    return np.array([estimate.value for estimate in fit.values()])


def ses(fit: Fit) -> np.ndarray:
    return np.array([estimate.se for estimate in fit.values()])


# --- other software -----------------------------------------------------------------------------------------------


def feols(table: pd.DataFrame, effects: tuple[str, ...], cov: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the oracle's own dependencies
        pyfixest = pytest.importorskip("pyfixest")
        demeaner = pyfixest.MapDemeaner(fixef_tol=1e-12)
        return pyfixest.feols(
            FORMULA[effects], data=table, vcov={cov: "account"}, fixef_rm="none", demeaner=demeaner
        )


@each_table
@each_effects
def test_coefficients_and_crv1_equal_pyfixest(make, effects):
    table = make()
    theirs, ours = feols(table, effects, "CRV1"), fitted(table, effects, cov="CRV1")
    names = list(ours)
    np.testing.assert_allclose(values(ours), theirs.coef()[names], rtol=1e-8)
    np.testing.assert_allclose(ses(ours), theirs.se()[names], rtol=1e-8)
    np.testing.assert_allclose([e.df for e in ours.values()], table["account"].nunique() - 1)


@each_effects
def test_crv3_equals_pyfixest_after_the_stated_factor(effects):
    table = simulated()
    theirs, ours = feols(table, effects, "CRV3"), fitted(table, effects, cov="CRV3")
    model = ours.model
    assert isinstance(model, Fitted)
    groups, n, k = 15, len(table), model.model.n_parameters
    factor = (groups / (groups - 1)) ** 2 * (n - 1) / (n - k)
    np.testing.assert_allclose(ses(ours) ** 2 * factor, theirs.se()[list(ours)] ** 2, rtol=1e-8)


@each_table
def test_clusters_equal_statsmodels(make):
    import statsmodels.api as sm

    table = make()
    design = sm.add_constant(table[["x", "z"]])
    codes = pd.factorize(table["account"])[0]
    theirs = sm.OLS(table["y"], design).fit(cov_type="cluster", cov_kwds={"groups": codes})
    ours = fitted(table, cov="CRV1")
    np.testing.assert_allclose(values(ours), theirs.params, rtol=1e-8)
    np.testing.assert_allclose(ses(ours), theirs.bse, rtol=1e-8)
    assert ours.r2 == pytest.approx(theirs.rsquared, rel=1e-9)
    assert ours.residual_variance == pytest.approx(theirs.mse_resid, rel=1e-9)


@each_table
@pytest.mark.parametrize(("cov", "theirs_is"), [("iid", "nonrobust"), ("HC1", "HC1"), ("HC3", "HC3")])
def test_rows_without_accounts_equal_statsmodels(make, cov, theirs_is):
    import statsmodels.api as sm

    table = make()
    theirs = sm.OLS(table["y"], sm.add_constant(table[["x", "z"]])).fit(cov_type=theirs_is, use_t=True)
    ours = regress(table, "y", on=["x", "z"], cov=cov)
    np.testing.assert_allclose(values(ours), theirs.params, rtol=1e-8)
    np.testing.assert_allclose(ses(ours), theirs.bse, rtol=1e-8)
    np.testing.assert_allclose([e.pvalue for e in ours.values()], theirs.pvalues, rtol=1e-6, atol=1e-300)
    ends = [[e.interval.low, e.interval.high] for e in ours.values()]
    np.testing.assert_allclose(ends, theirs.conf_int(), rtol=1e-8)


def test_hc3_is_the_hat_matrix_formula_and_the_default_without_accounts():
    table = simulated()
    design = np.column_stack([np.ones(len(table)), table[["x", "z"]]])
    bread = np.linalg.inv(design.T @ design)
    hat = np.einsum("ij,jk,ik->i", design, bread, design)
    residual = table["y"] - design @ bread @ design.T @ table["y"]
    scaled = design * (residual / (1 - hat)).to_numpy()[:, None]
    expected = bread @ scaled.T @ scaled @ bread
    ours = regress(table, "y", on=["x", "z"])
    np.testing.assert_allclose(ours.cov, expected, rtol=1e-8)
    assert "HC3" in ours.method


def test_two_way_effects_equal_explicit_dummies():
    import statsmodels.api as sm

    table = simulated(accounts=8, weeks=15)
    dummies = pd.get_dummies(table[["account", "week"]], drop_first=True, dtype=float)
    design = sm.add_constant(pd.concat([table[["x", "z"]], dummies], axis=1))
    theirs = sm.OLS(table["y"], design).fit()
    ours = fitted(table, ("account", "period"))
    np.testing.assert_allclose(values(ours), theirs.params[["x", "z"]], rtol=1e-9)
    assert ours.residual_variance == pytest.approx(theirs.mse_resid, rel=1e-9)


def test_weighted_moments_equal_weighted_least_squares():
    import statsmodels.api as sm

    table = simulated()
    weighted = Moments.from_frame(table, ["x", "z", "y"], weights="w")
    design = sm.add_constant(table[["x", "z"]])
    for cov, theirs_is in (("HC3", "HC3"), ("HC1", "HC1"), ("iid", "nonrobust")):
        theirs = sm.WLS(table["y"], design, weights=table["w"]).fit(cov_type=theirs_is)
        ours = regress(weighted, "y", on=["x", "z"], cov=cov)
        np.testing.assert_allclose(values(ours), theirs.params, rtol=1e-8)
        np.testing.assert_allclose(ses(ours), theirs.bse, rtol=1e-8)
    codes = pd.factorize(table["account"])[0]
    theirs = sm.WLS(table["y"], design, weights=table["w"]).fit(
        cov_type="cluster", cov_kwds={"groups": codes}
    )
    by_account = Moments.from_frame(table, ["x", "z", "y"], by="account", weights="w")
    ours = regress(by_account, "y", on=["x", "z"], cov="CRV1")
    np.testing.assert_allclose(ses(ours), theirs.bse, rtol=1e-8)


@each_effects
def test_an_offset_of_1e9_changes_nothing(effects):
    """The oracles lose their digits there, so they are fitted with the offset taken out."""
    table = simulated()
    grid = 2.0**-20  # so that adding 1e9 does not itself round the numbers
    table[["x", "z", "y"]] = np.round(table[["x", "z", "y"]] / grid) * grid
    moved = table.assign(x=table["x"] + 1e9, y=table["y"] + 1e9)
    theirs, ours = feols(table, effects, "CRV1"), fitted(moved, effects, cov="CRV1")
    np.testing.assert_allclose([ours["x"].value, ours["z"].value], theirs.coef()[["x", "z"]], rtol=1e-8)
    np.testing.assert_allclose([ours["x"].se, ours["z"].se], theirs.se()[["x", "z"]], rtol=1e-8)


#: The script that made the stored figures; it also makes the table.
ORACLE = script("tests/oracle/regressions.py")
STORED = json.loads(ORACLE.STORED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", [name for name in STORED if name != "versions"])
def test_stored_figures_of_other_software(case):
    kind, words, cov = case.split(", ")
    table = ORACLE.panel()
    by = "account" if cov.startswith("CRV") else None
    effects = {"none": (), "account": ("account",), "account and period": ("account", "period")}[words]
    if kind == "ppml":
        fit = poisson(table, "count", on=["x", "z"], by=by, effects=effects, cov=cov)
    else:
        fit = regress(table, "y", on=["x", "z"], by=by, period="week", effects=effects, cov=cov)
    factor = 1.0
    if cov == "CRV3":
        assert isinstance(fit.model, Fitted)
        n, k = len(table), fit.model.model.n_parameters
        factor = 11 / 10 * math.sqrt((n - 1) / (n - k))
    for name, (value, se) in STORED[case].items():
        assert fit[name].value == pytest.approx(value, rel=1e-8)
        assert fit[name].se * factor == pytest.approx(se, rel=1e-8)


def test_vif_is_one_over_one_minus_r2_of_the_others():
    table = simulated()
    other = regress(table, "x", on=["z"], cov="iid")
    assert regress(table, "y", on=["x", "z"]).vif["x"] == pytest.approx(1 / (1 - other.r2), rel=1e-9)
    other = regress(table, "x", on=["z"], by="account", within=True, cov="CRV1")
    assert fitted(table, ("account",)).vif["x"] == pytest.approx(1 / (1 - other.r2), rel=1e-9)


# --- the rule of the house ----------------------------------------------------------------------------------------


def test_few_accounts_get_the_bootstrap_and_many_crv3():
    few = fitted(simulated(), ("account",))
    assert "restricted wild cluster bootstrap" in few.method
    assert few["x"].pvalue == fitted(simulated(), ("account",), cov="wild")["x"].pvalue
    many = fitted(simulated(accounts=120, weeks=10), ("account",))
    assert many.effective_accounts > 50
    assert "CRV3, t(119)" in many.method
    assert (
        many["x"].interval
        == fitted(simulated(accounts=120, weeks=10), ("account",), cov="CRV3")["x"].interval
    )


def test_the_short_form_within_is_the_account_effect():
    table = simulated()
    short = regress(table, "y", on=["x", "z"], by="account", within=True)
    assert short["x"] == fitted(table, ("account",))["x"]
    assert short.method == fitted(table, ("account",)).method


@given(level=st.floats(0.5, 0.99))
@settings(max_examples=4)
def test_intervals_widen_with_the_level(level):
    fit = fitted(simulated(accounts=8), ("account",))
    for estimate in fit.values():
        inner, outer = estimate.at(level).interval, estimate.at(0.995).interval
        assert outer.low <= inner.low <= estimate.value <= inner.high <= outer.high


@pytest.mark.parametrize("how", [{}, {"by": "account"}, {"by": "account", "within": True}], ids=str)
def test_a_contrast_is_one_estimate_with_its_own_reference(how):
    table = simulated(accounts=60 if how else 15)
    table["sum"] = table["x"] + table["z"]
    fit = regress(table, "y", on=["x", "z"], **how)
    difference = contrast(fit, {"x": 1, "z": -1})
    assert difference.name == "+1·x -1·z"
    assert difference.value == pytest.approx(fit["x"].value - fit["z"].value)
    # βx − βz is the coefficient of x when x + z stands beside it
    other = regress(table, "y", on=["x", "sum"], **how)["x"]
    assert difference.value == pytest.approx(other.value, rel=1e-9)
    assert difference.se == pytest.approx(other.se, rel=1e-9)
    assert difference.interval.low == pytest.approx(other.interval.low, rel=1e-6)
    assert contrast(fit, {"x": 1}, name="own").interval.low == pytest.approx(fit["x"].interval.low, rel=1e-9)
    assert contrast(fit, {"x": 2}).se == pytest.approx(2 * fit["x"].se)
    with pytest.raises(UnknownNameError, match="There is no regressor 'X'"):
        contrast(fit, {"X": 1})


# --- invariances --------------------------------------------------------------------------------------------------


def same(first: Fit, second: Fit, *, rel: float = 1e-10) -> None:
    assert list(first) == list(second)
    for one, two in zip(first.values(), second.values(), strict=True):
        for a, b in (
            (one.value, two.value),
            (one.se, two.se),
            (one.interval.low, two.interval.low),
            (one.interval.high, two.interval.high),
        ):
            assert a == pytest.approx(b, rel=rel, abs=rel * abs(one.se))
    assert first.dropped == second.dropped
    assert (first.n_rows, first.n_accounts) == (second.n_rows, second.n_accounts)


@given(seed=st.integers(0, 1_000), data=st.sampled_from(EFFECTS))
@settings(max_examples=3)
def test_row_order_and_account_names_change_nothing(seed, data):
    table = simulated(accounts=8, weeks=12, seed=seed)
    shuffled = table.sample(frac=1, random_state=seed)
    same(fitted(table, data), fitted(shuffled, data), rel=1e-9)
    # any renaming that keeps the order keeps the draws too
    renamed = table.assign(account="☃ '\"`" + table["account"])
    same(fitted(table, data), fitted(renamed, data), rel=1e-9)
    flipped = table.assign(account=table["account"].rank(method="dense").mul(-1).add(99).astype(int))
    np.testing.assert_allclose(
        ses(fitted(table, data, cov="CRV3")), ses(fitted(flipped, data, cov="CRV3")), rtol=1e-8
    )


@given(
    factor=st.floats(1e-4, 1e4).map(lambda v: float(f"{v:.3g}")),
    shift=st.floats(-1e4, 1e4),
    effects=st.sampled_from(EFFECTS),
)
@settings(max_examples=4)
def test_units_and_constants(factor, shift, effects):
    table = simulated(accounts=8, weeks=12)
    plain = fitted(table, effects)
    scaled = fitted(table.assign(x=table["x"] * factor + shift), effects)
    assert scaled["x"].value * factor == pytest.approx(plain["x"].value, rel=1e-7)
    assert scaled["x"].interval.low * factor == pytest.approx(plain["x"].interval.low, rel=1e-6, abs=1e-7)
    assert scaled["x"].interval.high * factor == pytest.approx(plain["x"].interval.high, rel=1e-6, abs=1e-7)
    assert scaled["z"].value == pytest.approx(plain["z"].value, rel=1e-7)
    outcome = fitted(table.assign(y=table["y"] * factor + shift), effects)
    assert outcome["x"].value / factor == pytest.approx(plain["x"].value, rel=1e-7)
    assert outcome["x"].interval.low / factor == pytest.approx(plain["x"].interval.low, rel=1e-6, abs=1e-7)


def test_a_power_of_two_as_unit_divides_exactly():
    table = simulated()
    plain, scaled = fitted(table, ("account",)), fitted(table.assign(x=table["x"] * 1024), ("account",))
    assert scaled["x"].value * 1024 == plain["x"].value
    assert scaled["x"].interval.low * 1024 == pytest.approx(plain["x"].interval.low, rel=1e-12)


@each_effects
def test_moments_give_what_rows_give(effects):
    table = simulated()
    moments = Moments.from_frame(table, ["z", "x", "y"], by="account", period="week")
    same(fitted(table, effects, cov="CRV3"), fitted(moments, effects, cov="CRV3"), rel=1e-8)
    half = len(table) // 2
    added = Moments.from_frame(table[:half], ["x", "z", "y"], by="account", period="week")
    added = added + Moments.from_frame(table[half:], ["x", "z", "y"], by="account", period="week")
    same(fitted(table, effects), fitted(added, effects), rel=1e-7)


def test_saved_moments_give_what_rows_give(tmp_path):
    table = simulated()
    path = Moments.from_frame(table, ["x", "z", "y"], by="account").save(tmp_path / "m.npz")
    same(fitted(table, ("account",)), fitted(Moments.load(path), ("account",)), rel=1e-8)


def engines(table: pd.DataFrame, tmp_path) -> dict[str, Any]:
    found: dict[str, Any] = {
        "polars lazy": pl.from_pandas(table).lazy(),
        "pyarrow": pl.from_pandas(table).to_arrow(),
    }
    duckdb = pytest.importorskip("duckdb")
    ibis = pytest.importorskip("ibis")
    path = tmp_path / "rows.parquet"
    pl.from_pandas(table).write_parquet(path)
    found["file"] = str(path)
    found["duckdb"] = duckdb.read_parquet(str(path))
    found["ibis"] = ibis.duckdb.connect().read_parquet(str(path))
    return found


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
def test_every_engine_gives_the_same_fit(tmp_path):
    table = simulated(accounts=40)  # long enough not to be refined: the passes are the same either way
    cases = [{"by": "account", "period": "week", "effects": e, "cov": "CRV3"} for e in EFFECTS]
    sources = engines(table, tmp_path)
    # of the bootstrap, which takes the same sums whatever they came from, one is enough
    for how in [*cases, {**cases[0], "cov": "auto"}, {}]:
        expected = regress(table, "y", on=["x", "z"], **how)
        for name, data in sources.items():
            found = regress(data, "y", on=["x", "z"], **how)
            for one, two in zip(expected.values(), found.values(), strict=True):
                assert one.value == pytest.approx(two.value, rel=1e-10), name
                assert one.se == pytest.approx(two.se, rel=1e-9), name


def test_inputs_are_left_as_they_were():
    table = simulated()
    before = table.copy(deep=True)
    fitted(table, ("account", "period"))
    regress(table, "y", on=[log("w"), "x"])
    pd.testing.assert_frame_equal(table, before)


def test_the_seed_decides_the_bootstrap():
    table = simulated(accounts=8)
    first, again, other = (fitted(table, rng=seed)["x"].interval.low for seed in (1, 1, 2))
    assert first == pytest.approx(again, rel=1e-9)
    assert first != pytest.approx(other, rel=1e-6)


# --- names and gaps -----------------------------------------------------------------------------------------------

ODD = [
    "a b",
    "`x`",
    'q"uote',
    "it's",
    "🛒",
    "<script>alert(1)</script>",
    "{x}",
    "os.system('true')",
    "^x.*$",
    "",
]


@pytest.mark.parametrize("name", ODD)
def test_any_name_will_do(name):
    table = simulated()
    renamed = table.rename(columns={"x": name})
    fit = regress(renamed, "y", on=[name, "z"], by="account", within=True, cov="CRV1")
    assert fit[name].value == fitted(table, ("account",))["x"].value


def test_missing_and_infinite_values_are_counted():
    table = simulated()
    table.loc[0, "x"], table.loc[1, "z"], table.loc[2, "y"], table.loc[3, "account"] = (
        np.nan,
        np.inf,
        -np.inf,
        None,
    )
    fit = fitted(table, ("account",))
    assert fit.dropped == {
        "account missing": 1,
        "not finite: x": 1,
        "not finite: z": 1,
        "not finite: y": 1,
    }
    assert fit.n_rows == len(table) - 4
    clean = fitted(table[4:], ("account",))
    assert fit["x"].value == pytest.approx(clean["x"].value, rel=1e-12)
    assert "1 not finite: z" in str(fit)


def test_expressions_with_an_alias_are_columns():
    table = simulated()
    fit = regress(table, (nw.col("y") * 2).alias("double"), on=[log("w"), "x"])
    assert list(fit) == ["Intercept", "log w", "x"]
    assert fit.outcome == "double"
    by_hand = regress(table.assign(lw=np.log(table["w"]), d=table["y"] * 2), "d", on=["lw", "x"])
    assert fit["log w"].value == pytest.approx(by_hand["lw"].value, rel=1e-10)


# --- what is refused ----------------------------------------------------------------------------------------------


def bad(**columns: Any) -> pd.DataFrame:
    return simulated(accounts=6, weeks=10).assign(**columns)


def test_empty_table():
    with pytest.raises(DataError, match="no rows: 0 rows"):
        fitted(simulated()[:0])


def test_no_complete_row():
    with pytest.raises((DataError, DesignError), match="complete rows"):
        fitted(bad(x=np.nan), ("account",))
    with pytest.raises((DataError, DesignError), match="complete rows"):
        regress(bad(x=np.nan), "y", on=["x"])


def test_a_misspelt_column_is_guessed():
    with pytest.raises(ColumnError, match=r"No column 'zz'.*Did you mean 'z'"):
        regress(simulated(), "y", on=["x", "zz"])
    with pytest.raises(ColumnError, match=r"No column 'acount'.*Did you mean 'account'"):
        regress(simulated(), "y", on=["x"], by="acount")


def test_text_among_numbers():
    table = simulated()
    table["x"] = table["x"].astype(str)
    table.loc[7, "x"] = "n/a"
    with pytest.raises(
        DataError, match=r"'x' in the table must hold numbers: 1 of 365 values is text, first in row 7"
    ):
        fitted(table)


def test_a_single_account():
    table = simulated(accounts=1, weeks=60)
    with pytest.raises(DesignError, match="at least 2 accounts: 1"):
        fitted(table, ("account",))


def test_fewer_rows_than_columns():
    with pytest.raises(DesignError, match="3 complete rows cannot carry 3 parameters"):
        regress(simulated()[:3], "y", on=["x", "z"])
    few = simulated(accounts=6, weeks=10).groupby("account").head(1)
    with pytest.raises(DesignError, match="6 complete rows cannot carry 8 parameters"):
        fitted(few, ("account",))


@each_effects
def test_collinear_columns_are_named(effects):
    table = bad()
    table["z"] = 3 * table["x"] - 1
    with pytest.raises(DesignError, match="columns 'x', 'z' are collinear"):
        fitted(table, effects)


def test_only_the_guilty_are_named():
    table = bad()
    table["innocent"] = np.random.default_rng(0).normal(size=len(table))
    table["sum"] = table["x"] + table["z"]
    with pytest.raises(DesignError, match="columns 'x', 'z', 'sum' are collinear"):
        regress(table, "y", on=["x", "innocent", "z", "sum"])


def test_a_constant_column_is_named():
    with pytest.raises(DesignError, match="no variation is left in 'x'"):
        regress(bad(x=5.0), "y", on=["x", "z"])
    per_account = bad()
    per_account["x"] = per_account["account"].str[-1].astype("category").cat.codes.astype(float)
    with pytest.raises(DesignError, match="no variation is left in 'x' once the effects are taken out"):
        fitted(per_account, ("account",))
    per_week = bad()
    per_week["x"] = per_week["week"].astype("category").cat.codes.astype(float)
    with pytest.raises(DesignError, match="no variation is left in 'x'"):
        fitted(per_week, ("account", "period"))


def test_a_column_called_intercept_is_refused_where_there_is_one():
    table = simulated().rename(columns={"x": "Intercept"})
    with pytest.raises(ColumnError, match="'Intercept' is the name of the constant"):
        regress(table, "y", on=["Intercept", "z"])
    fit = regress(table, "y", on=["Intercept", "z"], by="account", within=True)
    assert list(fit) == ["Intercept", "z"]


def test_the_same_column_twice():
    with pytest.raises(ColumnError, match="'x' is asked for twice"):
        regress(simulated(), "y", on=["x", "x"])


def test_the_outcome_among_the_regressors():
    with pytest.raises(ColumnError, match="'y' is asked for twice"):
        regress(simulated(), "y", on=["x", "y"])
    moments = Moments.from_frame(simulated(), ["x", "y"])
    with pytest.raises(ColumnError, match="once each"):
        regress(moments, "y", on=["x", "y"], cov="iid")


def test_no_regressor():
    with pytest.raises(ColumnError, match="needs a regressor: `on` is empty"):
        regress(simulated(), "y", on=[])


def test_one_text_in_place_of_a_list():
    assert list(regress(simulated(), "y", on="x")) == ["Intercept", "x"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"effects": ("period",), "by": "account"}, r"effects are not served: \('period',\)"),
        ({"effects": ("account",)}, "account effects need accounts: by=None"),
        ({"effects": ("account", "period"), "by": "account"}, "period effects need periods: period=None"),
        ({"cov": "HC3", "by": "account"}, "cov='HC3' does not go with accounts"),
        ({"cov": "CRV1"}, "cov='CRV1' does not go with rows without accounts"),
        ({"cov": "HC2"}, "cov='HC2' does not go with"),
        ({"level": 1.0}, "`level` must lie between 0 and 1"),
        ({"level": 95}, "`level` must lie between 0 and 1"),
    ],
    ids=str,
)
def test_options_that_do_not_go(how, message):
    with pytest.raises(DesignError, match=message):
        regress(simulated(), "y", on=["x", "z"], **how)


@pytest.mark.parametrize("name", ["regress", "correlate", "poisson", "logit"])
def test_a_level_that_is_text_is_refused_before_anything_is_computed(name):
    with pytest.raises(DesignError, match="`level` must lie between 0 and 1: '95'"):
        getattr(er, name)(simulated(), "y", "x", level="95")


def test_moments_refuse_what_they_were_not_made_for():
    table = simulated()
    moments = Moments.from_frame(table, ["x", "z", "y"], by="account")
    with pytest.raises(ColumnError, match="cannot be used with by='week': they were made with by='account'"):
        regress(moments, "y", on=["x"], by="week")
    with pytest.raises(ColumnError, match="cannot be used with period='week'"):
        fitted(moments, ("account", "period"))
    with pytest.raises(ColumnError, match="hold finished columns, not expressions"):
        regress(moments, "y", on=[log("x")])
    with pytest.raises(ColumnError, match="No column 'w' in these moments"):
        regress(moments, "y", on=["w"])
    alone = Moments.from_frame(table, ["x", "y"]).about(np.zeros(2))
    with pytest.raises(DesignError, match="HC3 needs one more pass over the rows"):
        regress(alone, "y", on=["x"])
    assert math.isfinite(regress(alone, "y", on=["x"], cov="iid")["x"].se)


def test_period_effects_of_a_size_that_would_not_fit(monkeypatch):
    monkeypatch.setattr("erresearch.relate.design._DENSE", 100)
    with pytest.raises(DesignError, match="accounts × periods × columns is too large"):
        fitted(simulated(), ("account", "period"))


def test_a_perfect_fit_has_no_error():
    table = simulated()
    table["y"] = 2.0 * table["x"] - table["z"] + 1
    fit = regress(table, "y", on=["x", "z"])
    assert fit["x"].value == pytest.approx(2, rel=1e-12)
    assert fit["x"].se < 1e-12
    assert fit.r2 == pytest.approx(1)


@pytest.mark.parametrize("periods", [2, 3, 17, 52, 99, 100, 101, 102, 103, 104, 130])
def test_period_effects_of_balanced_panels_of_any_length(periods: int) -> None:
    pf = pytest.importorskip("pyfixest")
    # the null eigenvalue of the demeaned dummies once passed pinv's cutoff for some lengths
    rng = np.random.default_rng(periods)
    table = pd.DataFrame(rng.normal(size=(40 * periods, 3)), columns=["x", "z", "y"])
    table["account"], table["week"] = np.repeat(np.arange(40), periods), np.tile(np.arange(periods), 40)
    here = regress(
        table, "y", on=["x", "z"], by="account", period="week", effects=("account", "period"), cov="CRV1"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyfixest uses what pandas has deprecated
        there = pf.feols("y ~ x + z | account + week", table)
    np.testing.assert_allclose([here["x"].value, here["z"].value], there.coef().to_numpy(), rtol=1e-9)


def scattered() -> pd.DataFrame:
    """One long account, others that hardly overlap, and one that is alone in all its periods; some doubled rows."""
    rng = np.random.default_rng(3)
    spans = [(0, 60), *[(int(start), 9) for start in rng.integers(0, 90, 7)], (200, 5)]
    cells = [(g, t) for g, (start, length) in enumerate(spans) for t in range(start, start + length)]
    rows = [cell for cell in cells for _ in range(rng.integers(1, 3))]
    table = pd.DataFrame(rows, columns=["account", "week"])
    table["x"], table["z"] = rng.normal(1000, 1, len(table)), rng.normal(size=len(table))
    return table.assign(y=0.3 * table.x + 0.1 * table.z + 0.01 * table.week + rng.normal(size=len(table)))


def test_periods_that_one_account_has_to_itself_change_nothing():
    table = scattered()
    ours = {
        cov: regress(
            table, "y", on=["x", "z"], effects=("account", "period"), by="account", period="week", cov=cov
        )
        for cov in ("CRV1", "CRV3")
    }

    def oracle(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, int]:
        dummies = [pd.get_dummies(rows[name], prefix=name, dtype=float) for name in ("account", "week")]
        matrix = np.column_stack([rows[["x", "z"]] - rows[["x", "z"]].mean(), *dummies])
        beta = np.linalg.lstsq(matrix, rows.y, rcond=None)[0]
        bread = np.linalg.pinv(matrix.T @ matrix)
        scores = pd.DataFrame(matrix * (rows.y - matrix @ beta).to_numpy()[:, None]).groupby(
            rows.account.to_numpy()
        )
        meat = sum(np.outer(s, s) for s in scores.sum().to_numpy())
        return beta[:2], (bread @ meat @ bread)[:2, :2], np.linalg.matrix_rank(matrix)

    beta, meat, rank = oracle(table)
    accounts = table.account.nunique()
    # account effects are nested in the clusters and do not count
    factor = accounts / (accounts - 1) * (len(table) - 1) / (len(table) - (rank - accounts + 1))
    without = np.array([oracle(table[table.account != g])[0] - beta for g in table.account.unique()])
    jackknife = np.sqrt((accounts - 1) / accounts * (without**2).sum(axis=0))
    for i, name in enumerate(("x", "z")):
        assert ours["CRV1"][name].value == pytest.approx(beta[i], rel=1e-8)
        assert ours["CRV1"][name].se == pytest.approx(np.sqrt(factor * meat[i, i]), rel=1e-7)
        assert ours["CRV3"][name].se == pytest.approx(jackknife[i], rel=1e-7)


def alone(seed: int = 0) -> pd.DataFrame:
    """`d` is 1 in one row only, which therefore fits by itself."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"x": rng.normal(size=80), "d": (np.arange(80) == 7) * 3.0, "c": rng.poisson(3, 80)})
    return table.assign(y=rng.normal(size=80), z=rng.normal(size=80) + 1e3)


@pytest.mark.parametrize("model", ["ols", "ppml"])
def test_a_column_that_one_row_carries_alone_has_no_known_error(model: str) -> None:
    table = alone()
    estimator, outcome = (regress, "y") if model == "ols" else (poisson, "c")
    fit = estimator(table, outcome, on=["x", "d", "z"])
    rest = estimator(table.drop(index=7), outcome, on=["x", "z"])
    assert math.isinf(fit["d"].se)
    assert not fit["d"].interval.bounded
    for name in ("Intercept", "x", "z"):
        assert fit[name].se == pytest.approx(rest[name].se, rel=1e-6)
    assert contrast(fit, {"x": 1.0, "z": 1.0}).se == pytest.approx(contrast(rest, {"x": 1, "z": 1}).se)
    assert math.isinf(contrast(fit, {"x": 1.0, "d": 1.0}).se)
    compared = estimator(table, outcome, on=["x", "d", "z"], cov="HC1")
    assert math.isfinite(compared["d"].se)  # as other software has it


def test_any_level_finds_the_draws_that_it_needs() -> None:
    table = alone().assign(shop=lambda t: np.arange(len(t)) // 8)
    wide, wider = (regress(table, "y", on=["x"], by="shop", level=level)["x"] for level in (0.99, 0.999))
    assert wider.interval.low < wide.interval.low < wide.interval.high < wider.interval.high
    for level in (0.0, 1.0, 95.0):
        with pytest.raises(DesignError, match="between 0 and 1"):
            regress(table, "y", on=["x"], by="shop", level=level)
    with pytest.raises(DesignError, match="too few for an interval"):
        regress(table, "y", on=["x"], by="shop", level=1 - 1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e9])
def test_an_outcome_that_does_not_vary_is_no_nil_effect(value: float) -> None:
    table = alone().assign(shop=lambda t: np.arange(len(t)) // 8, y=value)
    for how in ({}, {"by": "shop"}, {"by": "shop", "within": True}, {"by": "shop", "cov": "CRV3"}):
        with pytest.raises(DesignError, match="the outcome 'y' does not vary"):
            regress(table, "y", on=["x"], **how)
    own = table.assign(y=table.shop + 1.0)
    with pytest.raises(DesignError, match="the outcome 'y' does not vary once the effects"):
        regress(own, "y", on=["x"], by="shop", within=True)
    with pytest.raises(DesignError, match="the outcome 'y' does not vary within its accounts"):
        poisson(own, "y", on=["x"], by="shop")
    assert math.isfinite(poisson(own, "y", on=["x"], by="shop", effects=())["x"].value)
    with pytest.raises(DesignError, match="the outcome 'y' does not vary"):
        poisson(table.assign(y=value + 1), "y", on=["x"])


def test_where_no_row_is_complete_the_reasons_are_named() -> None:
    table = alone().assign(x=np.inf, shop=1, b=0)
    for estimator, outcome in ((regress, "y"), (poisson, "c"), (logit, "b")):
        for by in (None, "shop"):
            with pytest.raises(DesignError, match=r"0 complete rows .* left out 80 not finite: x"):
                estimator(table, outcome, on=["x"], by=by)


def test_scores_keep_their_digits_at_a_level_without_room_for_the_intercept():
    # the intercept about zero is 1e12 times as large as what it is known by about the means
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {"shop": np.arange(120) % 6, "id": 10**15 + np.arange(120), "y": rng.normal(size=120)}
    )
    near = table.assign(id=np.arange(120))
    high, low = (regress(rows, "y", on=["id"], by="shop", cov="CRV1")["id"] for rows in (table, near))
    assert high.value == pytest.approx(low.value, rel=1e-12)
    assert high.se == pytest.approx(low.se, rel=1e-10)


def test_accounts_that_are_intervals_go_by_their_text():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=200), "y": rng.normal(size=200)})
    bands = pd.cut(table["x"], 8)
    wanted = regress(table.assign(band=bands.astype(str)), "y", ["x"], by="band")["x"]
    for band in (bands, bands.astype(object), pd.IntervalIndex(bands)):
        assert regress(table.assign(band=band), "y", ["x"], by="band")["x"] == wanted
