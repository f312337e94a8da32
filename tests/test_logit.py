"""logit: statsmodels and pyfixest as oracles, planted truths, separation and refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from erresearch.engine.expressions import log
from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DataError, DesignError
from erresearch.relate import logit


def table_of(rows: int = 1500, shops: int = 30, rng: int = 0) -> pd.DataFrame:
    """Simulated visits, of which some buy."""
    g = np.random.default_rng(rng)
    out = pd.DataFrame(
        {"shop": np.arange(rows) % shops, "reach": g.lognormal(8, 1, rows), "paid": g.random(rows) < 0.3}
    )
    out["price"] = g.normal(size=rows)
    own = 0.5 * g.normal(size=shops)[out["shop"]]
    eta = -4 + 0.4 * np.log(out["reach"]) + 0.5 * out["paid"] - 0.3 * out["price"] + own
    out["bought"] = g.random(rows) < 1 / (1 + np.exp(-eta))
    return out


ON = [log("reach"), "paid", "price"]


def design(table: pd.DataFrame) -> pd.DataFrame:
    out = table[["paid", "price"]].astype(float)
    out.insert(0, "log reach", np.log(table["reach"]))
    out.insert(0, "Intercept", 1.0)
    return out


def test_coefficients_and_row_covariances_agree_with_statsmodels():
    import statsmodels.api as sm

    table = table_of()
    y, x = table["bought"].astype(float), design(table)
    oracle = sm.Logit(y, x).fit(disp=0, tol=1e-14, maxiter=100)
    robust = sm.Logit(y, x).fit(disp=0, cov_type="HC0", tol=1e-14, maxiter=100)
    plain, hc1 = (logit(table, "bought", on=ON, cov=cov) for cov in ("iid", "HC1"))
    n, k = x.shape
    for name in x:
        assert plain[name].value == pytest.approx(oracle.params[name], rel=1e-8)
        assert plain[name].se == pytest.approx(oracle.bse[name], rel=1e-8)
        assert hc1[name].se == pytest.approx(robust.bse[name] * np.sqrt(n / (n - k)), rel=1e-8)
    assert plain.r2 == pytest.approx(oracle.prsquared, rel=1e-8)
    assert plain.n_rows == n


def test_hc3_by_hand():
    table = table_of(300)
    found = logit(table, "bought", on=ON)
    x, y = design(table).to_numpy(), table["bought"].to_numpy(dtype=float)
    beta = np.array([e.value for e in found.values()])
    p = 1 / (1 + np.exp(-x @ beta))
    bread = np.linalg.inv(x.T @ (x * (p * (1 - p))[:, None]))
    h = np.einsum("ij,jk,ik->i", x, bread, x) * p * (1 - p)
    meat = x.T @ (x * ((y - p) ** 2 / (1 - h) ** 2)[:, None])
    assert found.cov == pytest.approx(bread @ meat @ bread, rel=1e-6)
    assert "HC3" in found.method


def test_clustered_covariance_agrees_with_statsmodels_and_pyfixest():
    import pyfixest as pf
    import statsmodels.api as sm

    table = table_of()
    y, x = table["bought"].astype(float), design(table)
    found = logit(table, "bought", on=ON, by="shop", cov="CRV1")
    oracle = sm.Logit(y, x).fit(
        disp=0, tol=1e-14, maxiter=100, cov_type="cluster", cov_kwds={"groups": table["shop"]}
    )
    for name in x:
        assert found[name].se == pytest.approx(oracle.bse[name], rel=1e-8)
    rows = x.rename(columns={"log reach": "reach"}).assign(y=y, shop=table["shop"])
    with warnings.catch_warnings():  # pyfixest's own, about pandas
        warnings.simplefilter("ignore", DeprecationWarning)
        other = pf.feglm("y ~ reach + paid + price", data=rows, family="logit", vcov={"CRV1": "shop"})
    assert found["log reach"].value == pytest.approx(other.coef()["reach"], rel=1e-6)
    assert found["log reach"].se == pytest.approx(other.se()["reach"], rel=1e-4)


def test_one_step_jackknife_by_hand():
    table = table_of(400, shops=8)
    found = logit(table, "bought", on=ON, by="shop", cov="CRV3")
    x, y = design(table).to_numpy(), table["bought"].to_numpy(dtype=float)
    beta = np.array([e.value for e in found.values()])
    p = 1 / (1 + np.exp(-x @ beta))
    moves = []
    for shop in range(8):
        rest = (table["shop"] != shop).to_numpy()
        hessian = (x[rest] * (p * (1 - p))[rest, None]).T @ x[rest]
        moves.append(np.linalg.solve(hessian, x[rest].T @ (y - p)[rest]))
    assert found.cov == pytest.approx(7 / 8 * np.array(moves).T @ np.array(moves), rel=1e-6)
    # and it is near the full jackknife
    full = [logit(table[table["shop"] != s], "bought", on=ON, cov="iid")["price"].value for s in range(8)]
    by_refit = np.sqrt(7 / 8 * np.sum((np.array(full) - found["price"].value) ** 2))
    assert found["price"].se == pytest.approx(by_refit, rel=0.1)


def test_the_planted_truth_is_covered():
    found = logit(table_of(4000, shops=40, rng=5), "bought", on=ON, by="shop")
    assert "restricted score bootstrap" in found.method
    # the shops' own differences shrink coefficients a little, within the intervals here
    assert 0.4 in found["log reach"].interval
    assert -0.3 in found["price"].interval


@pytest.fixture(scope="module")
def of_rows():
    return logit(table_of(600), "bought", on=ON, by="shop")


@pytest.mark.parametrize("kind", ["polars", "lazy", "duckdb", "shuffled"])
def test_any_engine_and_order(kind, of_rows):
    table = table_of(600)
    frame = pl.from_pandas(table)
    if kind == "duckdb":
        import duckdb

        data = duckdb.from_arrow(frame.to_arrow())
    else:
        data = {"polars": frame, "lazy": frame.lazy(), "shuffled": table.sample(frac=1, random_state=1)}[kind]
    found = logit(data, "bought", on=ON, by="shop")
    for name in of_rows:
        assert found[name].value == pytest.approx(of_rows[name].value, rel=1e-8)
        assert found[name].se == pytest.approx(of_rows[name].se, rel=1e-6)


def test_moments_with_their_rows(of_rows):
    table = table_of(600)
    moments = Moments.from_frame(table, [*ON, "bought"], by="shop")
    found = logit(moments, "bought", on=moments.columns[:-1])
    assert found["price"].value == pytest.approx(of_rows["price"].value, rel=1e-10)


def test_far_origins_and_steep_slopes():
    table = table_of(800).assign(far=lambda t: t["price"] * 1e-3 + 1e6, wide=lambda t: t["price"] * 1e7)
    near = logit(table, "bought", on=["price"])
    assert logit(table, "bought", on=["far"])["far"].value == pytest.approx(
        near["price"].value * 1e3, rel=1e-5
    )
    assert logit(table, "bought", on=["wide"])["wide"].value == pytest.approx(
        near["price"].value / 1e7, rel=1e-8
    )
    spread = table.assign(bought=table["price"] + 0.05 * np.random.default_rng(0).logistic(size=800) > 0)
    assert logit(spread, "bought", on=["price"])["price"].value == pytest.approx(20, rel=0.4)


def test_input_is_not_changed():
    table = table_of(300)
    before = table.copy()
    logit(table, "bought", on=ON)
    pd.testing.assert_frame_equal(table, before)


def test_complete_separation_names_the_column():
    table = table_of(300).assign(bought=lambda t: t["price"] > 0.3)
    with pytest.raises(DesignError, match=r"'price' predicts 'bought' perfectly \(separation\)"):
        logit(table, "bought", on=ON)


def test_quasi_separation_names_the_column():
    table = table_of(300)
    table["vip"] = (table["price"] > 1.5).astype(float)
    table.loc[table["vip"] == 1, "bought"] = True
    with pytest.raises(DesignError, match=r"'vip' predicts 'bought' perfectly"):
        logit(table, "bought", on=[log("reach"), "vip"])


def test_separation_by_two_columns_together():
    g = np.random.default_rng(3)
    table = pd.DataFrame({"a": g.normal(size=200), "b": g.normal(size=200), "c": g.normal(size=200)})
    table["bought"] = table["a"] + table["b"] > 0.2
    with pytest.raises(DesignError, match=r"'a', 'b'.* predict 'bought' perfectly"):
        logit(table, "bought", on=["a", "b"])


def test_one_row_short_of_separation_is_estimated():
    table = table_of(300).assign(bought=lambda t: t["price"] > 0.3)
    table.loc[table["price"].idxmax(), "bought"] = False
    assert np.isfinite(logit(table, "bought", on=["price"])["price"].value)


@pytest.mark.parametrize("value", [2, -1, 0.5])
def test_an_outcome_outside_yes_and_no(value):
    table = table_of(100).assign(bought=lambda t: t["bought"].astype(float))
    table.loc[[3], "bought"] = value
    with pytest.raises(DataError, match=r"'bought' is no outcome for a logit: 1 of 100 rows"):
        logit(table, "bought", on=["price"])


@pytest.mark.parametrize("value", [True, False])
def test_the_same_answer_everywhere(value):
    with pytest.raises(DataError, match="is the same in all 100 rows: always"):
        logit(table_of(100).assign(bought=value), "bought", on=["price"])


def test_collinear_columns_are_named():
    table = table_of(100).assign(double=lambda t: 2 * t["price"])
    with pytest.raises(DesignError, match="'price', 'double' are collinear"):
        logit(table, "bought", on=["price", "double"])


def test_nothing_to_regress_on():
    with pytest.raises(ColumnError, match="`on` is empty"):
        logit(table_of(100), "bought", on=[])


def test_moments_without_rows(tmp_path):
    moments = Moments.from_frame(table_of(100), ["price", "bought"])
    loaded = Moments.load(moments.save(tmp_path / "m.npz"))
    with pytest.raises(DesignError, match="the logit needs passes over the rows"):
        logit(loaded, "bought", on=["price"])


def test_too_few_rows():
    with pytest.raises(DesignError, match="2 complete rows cannot carry 2 parameters"):
        logit(table_of(2), "bought", on=["price"])


def test_covariance_must_fit():
    with pytest.raises(DesignError, match="does not go with rows without accounts"):
        logit(table_of(100), "bought", on=["price"], cov="CRV1")
