"""Accounts summed in groups where they are too many: the same estimates, whatever the engine."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from erresearch import condensing
from erresearch.condensing import account_bytes, bounded_moments
from erresearch.errors import ErresearchWarning
from erresearch.moments import Moments
from erresearch.relate import regress


def posts(accounts: int = 6_000, rows: int = 24_000, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    shop = rng.integers(0, accounts, rows)
    x = rng.normal(size=rows) + shop / accounts
    y = 0.3 * x + 2.0 * shop / accounts + rng.normal(size=rows)
    return pl.DataFrame({"shop": shop, "x": x, "y": y, "w": rng.integers(1, 4, rows)})


def put(engine: str, table: pl.DataFrame, folder) -> object:
    if engine == "duckdb":
        import duckdb

        return duckdb.from_arrow(table.to_arrow())
    if engine == "parquet":
        table.write_parquet(folder / "posts.parquet")
        return str(folder / "posts.parquet")
    return table.lazy()


@pytest.mark.parametrize("engine", ["polars", "duckdb", "parquet"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_group_sums_are_the_accounts_own(engine, weights, tmp_path):
    table = posts()
    whole = Moments.from_frame(table, ["x", "y"], by="shop", weights=weights)
    for within in (True, False):
        with pytest.warns(ErresearchWarning, match=r"accounts are summed in 50 groups of whole accounts"):
            found = bounded_moments(
                put(engine, table, tmp_path), ["x", "y"], by="shop", weights=weights, within=within,
                most_bytes=5_000 * account_bytes(2), groups=50,
            )  # fmt: skip
        assert found is not None
        assert (found.rows, found.accounts) == (whole.rows, 50)
        same = found.about(whole.origin)
        if within:
            np.testing.assert_allclose(same.within().sum(axis=0), whole.within().sum(axis=0), rtol=1e-10)
            assert found.accounts + found.merged == whole.accounts
        else:
            np.testing.assert_allclose(same.grams().sum(axis=0), whole.grams().sum(axis=0), rtol=1e-10)


@pytest.mark.parametrize("effects", [(), ("account",)])
def test_a_regression_says_the_same_of_too_many_accounts(effects, monkeypatch):
    table = posts()
    whole = regress(table, "y", on=["x"], by="shop", effects=effects)
    monkeypatch.setattr(condensing.bounded_moments, "__kwdefaults__", {
        **condensing.bounded_moments.__kwdefaults__, "most_bytes": 4_000 * account_bytes(2), "groups": 500,
    })  # fmt: skip
    with pytest.warns(ErresearchWarning, match="standard errors are clustered on the groups"):
        found = regress(table.lazy(), "y", on=["x"], by="shop", effects=effects)
    assert found["x"].value == pytest.approx(whole["x"].value, rel=1e-10)
    assert found.residual_variance == pytest.approx(whole.residual_variance, rel=1e-10)
    # accounts are independent, so groups of them give the same standard error up to its own noise
    assert found["x"].se == pytest.approx(whole["x"].se, rel=0.15)
    assert found.n_accounts == 500


def test_accounts_that_fit_are_left_alone():
    table = posts()
    assert bounded_moments(table, ["x"], by="shop", within=True).merged == 0
    # all rows of one account beside each other: the first rows say how many there will be
    ordered = table.sort("shop").lazy()
    few = 7_000 * account_bytes(1)
    assert bounded_moments(ordered, ["x"], by="shop", within=True, most_bytes=few).merged == 0
    with pytest.warns(ErresearchWarning, match="groups of whole accounts"):
        assert bounded_moments(ordered, ["x"], by="shop", within=True, most_bytes=few // 2).merged > 0


def test_what_was_merged_is_kept_in_files_and_sums(tmp_path):
    with pytest.warns(ErresearchWarning, match="groups"):
        found = bounded_moments(
            posts().lazy(), ["x"], by="shop", within=True, most_bytes=account_bytes(1), groups=20
        )
    assert found is not None
    again = Moments.load(found.save(tmp_path / "m.npz"))
    assert again.merged == found.merged > 0
    assert (again + again)["x"].merged == 2 * found.merged
