"""Inference from account scores against explicit loops over rows, accounts and draws."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from erresearch.engine.moments import Moments
from erresearch.errors import DesignError
from erresearch.relate import contrast, regress
from erresearch.relate.inference import (
    FEW_CLUSTERS,
    Scores,
    WildBootstrap,
    cluster_weights,
    crv1,
    crv3,
    effective_clusters,
    wild_bootstrap,
    wild_bootstraps,
)
from erresearch.relate.regressions import solve

EFFECTS = [(), ("account",), ("account", "period")]


def unbalanced(accounts: int, seed: int = 0, *, weeks: int = 12, gaps: float = 0.2) -> pd.DataFrame:
    """A panel whose accounts differ in length, level, slope of x and noise; weeks are missing here and there."""
    rng = np.random.default_rng(seed)
    parts = []
    for g in range(accounts):
        n = int(rng.integers(weeks // 2, weeks + 1))
        x = rng.normal(size=n) * rng.uniform(0.5, 2) + rng.normal()
        parts.append(
            pd.DataFrame(
                {
                    "account": f"a{g:02d}",
                    "week": np.sort(rng.choice(weeks, n, replace=False)),
                    "x": x,
                    "z": 0.5 * x + rng.normal(size=n),
                    "noise": rng.standard_t(4, size=n) * rng.uniform(0.5, 2) + rng.normal() / 2,
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    table["y"] = 1.0 + 0.4 * table.x - 0.2 * table.z + 0.1 * table.week + table.noise
    return table.drop(columns="noise")[rng.uniform(size=len(table)) > gaps / 4].reset_index(drop=True)


def dummies(table: pd.DataFrame, effects: tuple[str, ...], on: tuple[str, ...] = ("x", "z")) -> np.ndarray:
    """Design with every effect as explicit columns; the coefficients of `on` come first (after an intercept)."""
    blocks = [table[list(on)].to_numpy()]
    if not effects:
        blocks.insert(0, np.ones((len(table), 1)))
    if "account" in effects:
        blocks.append((table.account.to_numpy()[:, None] == np.unique(table.account)[None]).astype(float))
    if "period" in effects:
        blocks.append((table.week.to_numpy()[:, None] == np.unique(table.week)[None, 1:]).astype(float))
    return np.hstack(blocks)


def fitted(table: pd.DataFrame, effects: tuple[str, ...], on: tuple[str, ...] = ("x", "z")) -> Scores:
    period = "week" if "period" in effects else None
    moments = Moments.from_frame(table, [*on, "y"], by="account", period=period)
    return solve(moments, effects).model


def position(effects: tuple[str, ...], name: str) -> int:
    return (0 if effects else 1) + ("x", "z").index(name)


def sandwich(design: np.ndarray, groups: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    bread = np.linalg.pinv(design.T @ design)
    meat = sum(np.outer(s, s) for s in (design[groups == g].T @ residuals[groups == g] for g in set(groups)))
    return bread @ meat @ bread


def explicit_statistics(
    table: pd.DataFrame, effects: tuple[str, ...], name: str, null: float, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """t and t* of the textbook restricted wild cluster bootstrap: every sample is made and fitted again."""
    design, y, groups = dummies(table, effects), table.y.to_numpy(), table.account.to_numpy()
    j = position(effects, name)
    rest = np.delete(design, j, axis=1)
    keys = np.unique(groups)

    def t_of(outcome: np.ndarray) -> float:
        beta = np.linalg.lstsq(design, outcome, rcond=None)[0]
        cov = sandwich(design, groups, outcome - design @ beta)
        return float((beta[j] - null) / math.sqrt(cov[j, j]))

    moved = y - null * design[:, j]
    restricted = rest @ np.linalg.lstsq(rest, moved, rcond=None)[0]
    residual = moved - restricted
    drawn = [
        t_of(null * design[:, j] + restricted + w[np.searchsorted(keys, groups)] * residual) for w in weights
    ]
    return t_of(y), np.array(drawn)


@pytest.mark.parametrize("effects", EFFECTS, ids=str)
@pytest.mark.parametrize("accounts", [5, 14])
def test_wild_bootstrap_equals_the_loop_over_samples(effects, accounts):
    table = unbalanced(accounts, seed=accounts)
    model = fitted(table, effects)
    weights = cluster_weights(accounts, 99, 7)
    for name in ("x", "z"):
        j = position(effects, name)
        reference = wild_bootstrap(model, np.eye(model.beta.size)[j], draws=99, rng=7)
        for null in (0.0, model.beta[j] + 0.05, -1.3):
            t, drawn = explicit_statistics(table, effects, name, null, weights)
            d = null - reference.value
            top = reference.numerator[0] + d * reference.numerator[1]
            below = np.array([1, d, d * d]) @ reference.variance
            assert -d / reference.se == pytest.approx(t, rel=1e-8)
            np.testing.assert_allclose(top / np.sqrt(below), drawn, rtol=1e-7, atol=1e-8)
            ties = np.abs(drawn) >= abs(t) * (1 - 1e-9)
            assert reference.pvalue(null) == pytest.approx((1 + ties.sum()) / 100, abs=1e-12)


def test_ends_of_the_interval_have_the_p_value_of_the_level():
    model = fitted(unbalanced(14, 3), ("account",))
    reference = wild_bootstrap(model, np.eye(2)[0], rng=0)
    for level in (0.8, 0.95, 0.99):
        ends = reference.interval(level)
        step = 1e-4 * (ends.high - ends.low)
        for end, out in ((ends.low, -step), (ends.high, step)):
            assert reference.pvalue(end + out) <= 1 - level < reference.pvalue(end - out)
    assert reference.interval(0.99).half > reference.interval(0.95).half > 1.9 * reference.se


@pytest.mark.parametrize("effects", EFFECTS, ids=str)
def test_crv3_is_the_jackknife_over_accounts(effects):
    table = unbalanced(9, 1)
    model = fitted(table, effects)
    design, y = dummies(table, effects), table.y.to_numpy()
    k, groups = model.beta.size, table.account.to_numpy()
    full = np.linalg.lstsq(design, y, rcond=None)[0][:k]
    moves = []
    for g in np.unique(groups):
        keep = groups != g
        moves.append(np.linalg.lstsq(design[keep], y[keep], rcond=None)[0][:k] - full)
    moves = np.array(moves)[:, 1:] if not effects else np.array(moves)
    own = crv3(model)[1:, 1:] if not effects else crv3(model)
    np.testing.assert_allclose(own, 8 / 9 * moves.T @ moves, rtol=1e-8)


@pytest.mark.parametrize("effects", EFFECTS, ids=str)
def test_crv1_is_the_sandwich_with_its_factor(effects):
    table = unbalanced(9, 2)
    model = fitted(table, effects)
    design, y = dummies(table, effects), table.y.to_numpy()
    groups = table.account.to_numpy()
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    first = 0 if effects else 1
    k = model.beta.size
    plain = sandwich(design, groups, residuals)[first:k, first:k]
    n = len(table)
    factor = 9 / 8 * (n - 1) / (n - model.n_parameters)
    np.testing.assert_allclose(crv1(model)[first:, first:], factor * plain, rtol=1e-8)


@pytest.mark.parametrize("effects", [(), ("account",)], ids=str)
def test_effective_clusters_by_the_formula(effects):
    table = unbalanced(11, 4)
    table = table[(table.account != "a00") | (table.week < 3)]
    model = fitted(table, effects)
    design = dummies(table, effects)
    inverse = np.linalg.inv(design.T @ design)
    j = position(effects, "x")
    gamma = []
    for g in np.unique(table.account):
        part = design[(table.account == g).to_numpy()]
        gamma.append((inverse @ part.T @ part @ inverse)[j, j])
    gamma = np.array(gamma)
    expected = len(gamma) / (1 + np.mean((gamma / gamma.mean() - 1) ** 2))
    # account dummies add nothing to H_g along x, so the demeaned and the explicit design agree
    assert effective_clusters(model, np.eye(model.beta.size)[j]) == pytest.approx(expected, rel=1e-9)


def test_effective_clusters_of_equal_and_of_one_dominant_account():
    equal = Scores(np.zeros(1), np.eye(1) / 8, np.zeros((8, 1)), np.ones((8, 1, 1)), 80, 1)
    assert effective_clusters(equal, np.ones(1)) == pytest.approx(8)
    one = Scores(np.zeros(1), np.eye(1), np.zeros((8, 1)), np.eye(8)[0][:, None, None], 80, 1)
    assert effective_clusters(one, np.ones(1)) == pytest.approx(1)
    none = Scores(np.zeros(1), np.zeros((1, 1)), np.zeros((8, 1)), np.zeros((8, 1, 1)), 80, 1)
    assert effective_clusters(none, np.ones(1)) == 1.0


def test_an_account_that_carries_a_column_alone_makes_its_jackknife_infinite():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"account": np.repeat(list("abcdef"), 10), "x": rng.normal(size=60)})
    table["z"] = np.where(table.account == "c", rng.normal(size=60), 0.0)
    table["y"] = table.x + rng.normal(size=60)
    covariance = crv3(fitted(table, ("account",)))
    assert math.isinf(covariance[1, 1])


@pytest.mark.parametrize("effects", EFFECTS, ids=str)
def test_a_column_that_one_account_carries_alone_costs_the_others_nothing(effects):
    table = unbalanced(60, 5)
    table["z"] = np.where(table.account == "a07", table.z, 0.0)
    model = fitted(table, effects)
    design, y, groups = dummies(table, effects), table.y.to_numpy(), table.account.to_numpy()
    j = position(effects, "x")
    full = np.linalg.lstsq(design, y, rcond=None)[0][j]
    kept = [groups != g for g in np.unique(groups)]
    moves = np.array([np.linalg.lstsq(design[keep], y[keep], rcond=None)[0][j] - full for keep in kept])
    covariance = crv3(model)
    assert covariance[j, j] == pytest.approx(59 / 60 * moves @ moves, rel=1e-6)
    assert math.isinf(covariance[j + 1, j + 1])
    period = "week" if "period" in effects else None
    fit = regress(table, "y", on=["x", "z"], by="account", period=period, effects=effects)
    assert fit["x"].se == pytest.approx(math.sqrt(covariance[j, j]), rel=1e-8)
    assert fit["x"].interval.high > fit["x"].interval.low + fit["x"].se
    assert all(e.se > 0 for e in fit.values())
    assert contrast(fit, {"x": 2.0}).se == pytest.approx(2 * fit["x"].se)
    assert math.isinf(contrast(fit, {"x": 1.0, "z": 1.0}).se)
    if not effects:  # the mean at zero is known whatever z does
        assert fit["Intercept"].se < 1


def test_many_combinations_equal_one_at_a_time_and_blocks_change_nothing(monkeypatch):
    model = fitted(unbalanced(13, 5), ("account", "period"))
    contrasts = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    together = wild_bootstraps(model, contrasts, draws=399, rng=3)
    for pick, one in zip(contrasts, together, strict=True):
        alone = wild_bootstrap(model, pick, draws=399, rng=3)
        np.testing.assert_allclose(one.numerator, alone.numerator, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(one.variance, alone.variance, rtol=1e-9, atol=1e-14)
    monkeypatch.setattr("erresearch.relate.inference._BLOCK", 13 * 100)
    few = unbalanced(8, 5)  # Webb's weights are drawn one by one, so blocks leave the stream alone
    model = fitted(few, ())
    blocks = wild_bootstrap(model, np.eye(3)[1], draws=399, rng=3)
    monkeypatch.setattr("erresearch.relate.inference._BLOCK", 10**9)
    whole = wild_bootstrap(model, np.eye(3)[1], draws=399, rng=3)
    np.testing.assert_allclose(blocks.numerator, whole.numerator, rtol=1e-12)


@pytest.mark.parametrize(("clusters", "points"), [(12, 6), (13, 2)])
def test_weights_have_mean_0_and_variance_1(clusters, points):
    weights = cluster_weights(clusters, 20_000, 1)
    assert len(np.unique(weights)) == points
    assert abs(weights.mean()) < 0.01
    assert weights.var() == pytest.approx(1, abs=0.01)
    assert (weights == cluster_weights(clusters, 20_000, np.random.default_rng(1))).all()


def test_too_few_draws_for_the_level_are_refused():
    model = fitted(unbalanced(6), ("account",))
    reference = wild_bootstrap(model, np.eye(2)[0], draws=399)
    with pytest.raises(
        DesignError, match=r"399 bootstrap draws are too few for an interval at 95 %.*at least 400"
    ):
        reference.interval(0.95)
    assert wild_bootstrap(model, np.eye(2)[0], draws=400).interval(0.95).bounded


@pytest.mark.parametrize("work", [crv1, crv3, lambda m: wild_bootstrap(m, np.ones(1))])
def test_one_account_is_refused(work):
    model = Scores(np.zeros(1), np.eye(1), np.zeros((1, 1)), np.ones((1, 1, 1)), 10, 1)
    with pytest.raises(DesignError, match="at least 2 accounts: 1"):
        work(model)


def test_a_perfect_fit_decides_nothing():
    reference = WildBootstrap(1.0, 0.0, np.zeros((2, 999)), np.zeros((3, 999)))
    assert not reference.interval(0.95).bounded
    assert reference.pvalue() == 1.0
    assert FEW_CLUSTERS == 50


def test_few_accounts_may_set_no_bound():
    """With 3 accounts 216 weights exist and the most extreme sets never reject: the set is the whole line."""
    model = fitted(unbalanced(3, 8), ("account",))
    ends = wild_bootstrap(model, np.eye(2)[0], draws=4_000, rng=0).interval(0.995)
    assert not ends.bounded


@given(seed=st.integers(0, 10_000), accounts=st.integers(4, 20))
@settings(max_examples=15)
def test_intervals_are_nested_and_hold_the_estimate(seed, accounts):
    model = fitted(unbalanced(accounts, seed), ("account",))
    reference = wild_bootstrap(model, np.eye(2)[0], draws=1_999, rng=seed)
    inner, outer = reference.interval(0.8), reference.interval(0.95)
    assert outer.low <= inner.low <= reference.value <= inner.high <= outer.high
    assert reference.pvalue(reference.value) == 1.0


@given(seed=st.integers(0, 10_000), factor=st.floats(1e-6, 1e6))
@settings(max_examples=15)
def test_units_of_scores_do_not_change_p_values(seed, factor):
    model = fitted(unbalanced(14, seed), ("account",))
    scaled = Scores(
        model.beta / factor,
        model.bread / factor**2,
        model.scores * factor,
        model.hessians * factor**2,
        model.n_rows,
        model.n_parameters,
    )
    a = np.array([1.0, 0.0])
    first, second = (wild_bootstrap(m, a, draws=399, rng=1) for m in (model, scaled))
    assert first.pvalue() == second.pvalue()
    assert first.interval(0.9).low == pytest.approx(second.interval(0.9).low * factor, rel=1e-6)
