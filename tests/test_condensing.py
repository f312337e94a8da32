"""Accounts summed in groups where they are too many: the same estimates, whatever the engine."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
import pytest

from erresearch.engine import aggregation, lazy_rows
from erresearch.engine.aggregation import account_bytes
from erresearch.engine.moments import Moments, bounded_moments
from erresearch.errors import DesignError, ErresearchWarning
from erresearch.relate import (
    correlate,
    decay,
    logit,
    poisson,
    poisson_regression,
    precedence,
    regress,
)
from erresearch.robustness.guards import repeated_outcome


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
def test_group_sums_are_the_accounts_own(engine, tmp_path):
    table = posts()
    whole = Moments.from_frame(table, ["x", "y"], by="shop")
    for within in (True, False):
        with pytest.warns(ErresearchWarning, match=r"accounts are summed in 50 groups of whole accounts"):
            found = bounded_moments(
                put(engine, table, tmp_path), ["x", "y"], by="shop", within=within,
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
    monkeypatch.setattr(bounded_moments, "__kwdefaults__", {
        **bounded_moments.__kwdefaults__, "most_bytes": 4_000 * account_bytes(2), "groups": 500,
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


def test_moments_of_groups_serve_only_what_they_were_made_for(tmp_path):
    table = posts()
    settings = {"by": "shop", "most_bytes": account_bytes(2), "groups": 20}
    with pytest.warns(ErresearchWarning, match="groups"):
        found = bounded_moments(table.lazy(), ["x", "y"], within=True, **settings)
    again = Moments.load(found.save(tmp_path / "m.npz"))
    assert again.merged == found.merged > 0
    whole = regress(table, "y", on=["x"], by="shop", within=True)
    assert regress(again, "y", on=["x"], within=True)["x"].value == pytest.approx(whole["x"].value, rel=1e-10)
    # what lies between the accounts of a group is not in them; and an account may be in both tables
    with pytest.raises(
        DesignError, match=r"cannot serve this model: accounts summed in groups, their means taken"
    ):
        regress(again, "y", on=["x"])
    with pytest.raises(DesignError, match=r"summed in groups cannot be added: accounts that may be in both"):
        again + again
    with pytest.raises(DesignError, match=r"cannot be added"):
        Moments.from_frame(table, ["x", "y"], by="shop") + again
    with pytest.warns(ErresearchWarning, match="groups"):
        pooled = bounded_moments(table.lazy(), ["x", "y"], within=False, **settings)
    with pytest.raises(DesignError, match=r"accounts summed in groups, their means left in"):
        correlate(pooled, "x", "y", within=True)
    assert correlate(pooled, "x", "y").value == pytest.approx(correlate(table, "x", "y").value, rel=1e-10)


def orders(accounts: int = 3_000, rows: int = 24_000, seed: int = 1) -> pl.DataFrame:
    """Simulated counts: a fifth of the shops never sells, and x goes with the shop's size."""
    rng = np.random.default_rng(seed)
    shop = np.arange(rows) % accounts
    x, z = rng.normal(size=rows) + shop / accounts, rng.normal(size=rows)
    y = rng.poisson(np.exp(0.3 * x - 0.2 * z + shop / accounts)) * (shop % 5 > 0)
    told = rng.random(rows) < 1 / (1 + np.exp(0.5 - 0.4 * x))
    table = {"shop": [f"shop {n}" for n in shop], "x": x, "z": z, "y": y, "bought": told, "tries": y + 3}
    return pl.DataFrame(table)


@pytest.fixture
def few_fit(monkeypatch):
    """Called, it lets no more than 1,000 accounts come here one by one."""
    settings = {
        **bounded_moments.__kwdefaults__, "most_bytes": 1_000 * account_bytes(2), "groups": 300,
    }  # fmt: skip
    return lambda: monkeypatch.setattr(bounded_moments, "__kwdefaults__", settings)


def same_fit(found, whole, *, groups=300):
    assert (found.n_rows, found.n_accounts) == (whole.n_rows, groups)
    assert dict(found.dropped) == dict(whole.dropped)
    assert found.r2 == pytest.approx(whole.r2, rel=1e-9)
    for name, estimate in whole.items():
        assert found[name].value == pytest.approx(estimate.value, rel=1e-9)
        assert found[name].se == pytest.approx(estimate.se, rel=0.2)


@pytest.mark.parametrize("engine", ["polars", "duckdb", "parquet"])
@pytest.mark.parametrize("effects", [(), ("account",)])
def test_ppml_says_the_same_of_too_many_accounts(engine, effects, few_fit, tmp_path):
    table = orders()
    whole = poisson(table, "y", on=["x", "z"], by="shop", effects=effects, cov="CRV1")
    few_fit()
    with pytest.warns(ErresearchWarning, match="3,000 accounts are summed in 300 groups of whole accounts"):
        found = poisson(
            put(engine, table, tmp_path), "y", on=["x", "z"], by="shop", effects=effects, cov="CRV1"
        )
    same_fit(found, whole)
    if effects:
        assert dict(found.dropped) == {
            "in 600 accounts without any y": whole.dropped["in 600 accounts without any y"]
        }


def test_ppml_without_separated_rows_says_the_same_of_too_many_accounts(few_fit):
    # where `late` is 1 nothing is sold, and it is so in many shops that sell otherwise
    table = orders().with_columns(late=(pl.col("x") > 1.5).cast(pl.Float64))
    table = table.with_columns(y=pl.when(pl.col("late") == 1).then(0).otherwise(pl.col("y")))
    for effects in ((), ("account",)):
        held = Moments.from_frame(table, ["z", "late", "y"], by="shop")
        whole = poisson(held, "y", on=["z", "late"], effects=effects, cov="CRV1")
        few_fit()
        with pytest.warns(ErresearchWarning, match="groups of whole accounts"):
            found = poisson(table.lazy(), "y", on=["z", "late"], by="shop", effects=effects, cov="CRV1")
        same_fit(found, whole)
        assert sum(n for words, n in found.dropped.items() if "separated" in words) > 1_000


def test_a_logit_says_the_same_of_too_many_accounts(few_fit):
    table = orders()
    whole = logit(table, "bought", on=["x", "z"], by="shop", cov="CRV1")
    few_fit()
    with pytest.warns(ErresearchWarning, match="groups of whole accounts"):
        found = logit(table.lazy(), "bought", on=["x", "z"], by="shop", cov="CRV1")
    same_fit(found, whole)


@pytest.mark.parametrize("within", [True, False])
def test_a_correlation_says_the_same_of_too_many_accounts(within, few_fit):
    table = orders()
    whole = correlate(table, "x", "y", by="shop", within=within)
    few_fit()
    with pytest.warns(ErresearchWarning, match="groups of whole accounts"):
        found = correlate(table.lazy(), "x", "y", by="shop", within=within)
    assert found.value == pytest.approx(whole.value, rel=1e-10)
    assert found.se == pytest.approx(whole.se, rel=0.2)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("within", [True, False])
def test_ranks_say_the_same_of_too_many_accounts(engine, within, few_fit, tmp_path):
    table = orders().with_columns(pl.col("x").round(1))  # with ties
    ranks = correlate(table, "x", "z", by="shop", within=within, method="spearman")
    held = put(engine, table, tmp_path)
    loose = correlate(held, "x", "z", by="shop", within=within, method="spearman")
    assert (loose.value, loose.se) == (
        pytest.approx(ranks.value, rel=1e-9),
        pytest.approx(ranks.se, rel=1e-9),
    )
    few_fit()
    with pytest.warns(ErresearchWarning, match="3,000 accounts are summed in 300 groups"):
        found = correlate(held, "x", "z", by="shop", within=within, method="spearman")
    assert (found.value, found.n_accounts) == (pytest.approx(ranks.value, rel=1e-9), 300)


def test_the_caution_names_the_line_of_whoever_asked(few_fit):
    table = orders().with_columns(followers=pl.col("x").exp()).lazy()
    few_fit()
    asked = (
        lambda: logit(table, "bought", on=["x"], by="shop", cov="CRV1"),
        lambda: poisson(table, "y", on=["x"], by="shop", cov="CRV1"),
        lambda: decay(table, by="shop", reactions="y"),
    )
    for ask in asked:
        with pytest.warns(ErresearchWarning, match="groups of whole accounts") as seen:
            ask()
        assert {warning.filename for warning in seen} == {__file__}


def test_what_needs_every_account_by_itself_says_how_many_fit(monkeypatch):
    table = orders().with_columns(week=pl.int_range(pl.len()) // 3_000).lazy()
    settings = {**bounded_moments.__kwdefaults__, "most_bytes": 1_000 * account_bytes(2)}
    monkeypatch.setattr(bounded_moments, "__kwdefaults__", settings)
    words = r"every account in 'shop' is needed by itself here.*: 3,000 accounts of .* bytes.*Allowed: .*accounts\)"
    with pytest.raises(DesignError, match=words):
        repeated_outcome(table, "y", by="shop", period="week")
    with pytest.raises(DesignError, match=words):
        precedence(table, "x", "z", by="shop", time="week", lags=1)


def test_the_sums_of_too_many_accounts_never_come_here(few_fit, monkeypatch):
    seen: list[int] = []
    gather = lazy_rows.gather

    def watched(frame, **settings):
        found = gather(frame, **settings)
        seen.append(len(found))
        return found

    for module in (lazy_rows, aggregation, poisson_regression):
        monkeypatch.setattr(module, "gather", watched)
    monkeypatch.setattr(poisson_regression, "_HELD", 0)
    monkeypatch.setattr(aggregation, "HEAD", 500)
    table = orders().lazy()
    few_fit()
    with pytest.warns(ErresearchWarning, match="groups of whole accounts"):
        poisson(table, "y", on=["x", "z"], by="shop", cov="CRV1")
    with pytest.warns(ErresearchWarning, match="groups of whole accounts"):
        logit(table, "bought", on=["x", "z"], by="shop", cov="CRV1")
    assert len(seen) > 10
    assert max(seen) <= 500


def test_a_climb_that_begins_in_a_sample_of_accounts_ends_at_the_same_place(few_fit, monkeypatch):
    table = orders(accounts=6_000, rows=48_000)
    few_fit()
    with pytest.warns(ErresearchWarning, match="groups"):
        cold = poisson(table.lazy(), "y", on=["x", "z"], by="shop", cov="CRV1")
    monkeypatch.setattr(poisson_regression, "_SAMPLE", 5_000)
    started: list[np.ndarray] = []
    starting = poisson_regression.starting_values

    def watched(*given, **settings):
        started.append(starting(*given, **settings))
        return started[-1]

    monkeypatch.setattr(poisson_regression, "starting_values", watched)
    with pytest.warns(ErresearchWarning, match="groups"):
        warm = poisson(table.lazy(), "y", on=["x", "z"], by="shop", cov="CRV1")
    assert started[0].any()
    assert started[0][0] == pytest.approx(warm["x"].value, abs=0.1)
    assert warm["x"].value == pytest.approx(cold["x"].value, rel=1e-9)


def test_an_origin_far_from_the_means_is_moved_for_groups_too():
    # the first rows lie far from the others
    table = pl.DataFrame(
        {"shop": np.arange(400_000) % 9_000, "x": np.r_[np.zeros(10_000), 1e6 + np.arange(390_000) % 7]}
    )
    with pytest.warns(ErresearchWarning, match="groups"):
        found = bounded_moments(
            table.lazy(), ["x"], by="shop", within=False, most_bytes=account_bytes(1), groups=20
        )
    assert found.origin[0] > 5e5


def test_groups_are_drawn_without_regard_to_the_order_of_the_keys():
    # places in order, with a rise and a period in them: sums by group are those of random groups
    n, groups = 100_000, 1_000
    place = np.arange(n)
    for score in (place / n - 0.5, (place % 5 == 0) - 0.2, (place % groups == 0) - 1 / groups):
        frame = nw.from_native(pl.DataFrame({"key": place, "one": 1, "score": score}).lazy())
        found = lazy_rows.in_groups(frame, "key", groups).collect().to_native()
        assert found["one"].sum() == n
        assert found["one"].std() == pytest.approx(np.sqrt(n / groups), rel=0.1)
        assert (found["score"] ** 2).sum() == pytest.approx((score**2).sum(), rel=0.15)


@pytest.mark.parametrize("key", ["number", "text", "day"])
def test_accounts_summed_a_slice_at_a_time_give_the_same(key, few_fit, monkeypatch, tmp_path):
    table = orders().with_columns(number=pl.col("shop").str.slice(5).cast(pl.Int64) - 1_000)
    table = table.with_columns(day=pl.date(2020, 1, 1) + pl.duration(days=pl.col("number")), text="shop")
    table = table.with_columns(week=pl.int_range(pl.len()) // 6_000)
    path = put("parquet", table, tmp_path)

    def answers(*, grouped=False):
        yield regress(path, "y", on=["x", "z"], by=key, within=True, cov="CRV1")
        if not grouped and key != "text":  # period effects need every account by itself
            yield regress(
                path, "y", on=["x"], by=key, period="week", effects=("account", "period"), cov="CRV1"
            )
        if key != "day":  # each model meets keys of two kinds
            yield poisson(path, "y", on=["x", "z"], by=key, cov="CRV1")
        if key != "number":
            yield logit(path, "bought", on=["x"], by=key, cov="CRV1")

    def same(found, wanted):
        for one, other in zip(found, wanted, strict=True):
            assert (one.n_rows, one.n_accounts) == (other.n_rows, other.n_accounts)
            assert dict(one.dropped) == dict(other.dropped)
            for name in other:
                assert one[name].value == pytest.approx(other[name].value, rel=1e-9)
                assert one[name].se == pytest.approx(other[name].se, rel=1e-9)

    whole = list(answers())
    sliced = {"_HOT": 500, "_SLICE": 400, "DRIVER_BYTES": 100_000}
    with monkeypatch.context() as patch:
        for name, value in sliced.items():
            patch.setattr(aggregation, name, value)
        assert len(Moments.from_frame(path, ["x"], by=key).source.cuts) == 7
        same(list(answers()), whole)
    few_fit()
    with pytest.warns(ErresearchWarning, match="groups"):
        groups = list(answers(grouped=True))
    for name, value in sliced.items():
        monkeypatch.setattr(aggregation, name, value)
    with pytest.warns(ErresearchWarning, match="groups"):
        same(list(answers(grouped=True)), groups)
