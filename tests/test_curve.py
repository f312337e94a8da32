"""Specification curves: against refits on rows, against the single-model bootstrap, and on planted truths."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
from hypothesis import given, settings, strategies as st

from erresearch.engine.expressions import lag
from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DesignError, UnknownNameError
from erresearch.relate import regress
from erresearch.relate.design import sweep
from erresearch.relate.inference import cluster_weights, wild_bootstrap
from erresearch.relate.regressions import solve
from erresearch.robustness import CurveInference, adversary, specification_curve
from erresearch.robustness.specifications import bootstrap_t, masks, solve_subsets
from erresearch.worlds import simulate_panel

SHOPS, WEEKS = 14, 25
CONTROLS = ["c1", "c2", "c3", "c4"]
PLAIN = CurveInference(cov="CRV1", draws=400)
EFFECTS = [(), ("account",), ("account", "period")]


def shops(seed: int = 0, *, slope: float = 0.3, accounts: int = SHOPS, weeks: int = WEEKS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = accounts * weeks
    table = pd.DataFrame(
        {"shop": np.repeat(np.arange(accounts), weeks), "week": np.tile(np.arange(weeks), accounts)}
    )
    own, season = rng.normal(size=accounts)[table.shop], rng.normal(size=weeks)[table.week]
    for name in [*CONTROLS, "m"]:
        table[name] = rng.normal(size=n) + 0.5 * own + rng.normal(size=accounts)[table.shop]
    table["x"] = 0.5 * table.c1 - 0.3 * table.m + season + rng.normal(size=n)
    table["z"] = 40 * table.x + rng.normal(size=n) + 7
    table["y"] = (
        slope * table.x
        + table.c1
        + 0.4 * table.m
        + own
        + season
        + rng.normal(size=n) * (1 + (table.shop % 3))
    )
    return table.sample(frac=0.9, random_state=seed)


def moments(table: pd.DataFrame, columns: list[str] | None = None) -> Moments:
    return Moments.from_frame(table, columns or ["y", "x", "z", "m", *CONTROLS], by="shop", period="week")


def matrix(table: pd.DataFrame, columns: list[str], effects: tuple[str, ...]) -> np.ndarray:
    """The same design with every effect as a dummy column."""
    dummies = [pd.get_dummies(table["shop"], drop_first=True)] if "account" in effects else []
    if "period" in effects:
        dummies.append(pd.get_dummies(table["week"], drop_first=True))
    return np.column_stack([table[columns], np.ones(len(table)), *dummies]).astype(float)


@pytest.mark.parametrize("effects", EFFECTS, ids=str)
def test_every_model_agrees_with_a_refit_in_statsmodels(effects):
    table = shops()
    curve = specification_curve(
        moments(table),
        "y",
        "x",
        minimal=["m"],
        controls=CONTROLS,
        definitions=["x", "z"],
        effects=[effects],
        inference=PLAIN,
    )
    assert len(curve) == 2 * 2**4
    groups, n = table.shop.nunique(), len(table)
    for i in range(0, len(curve), 3):
        on = [curve.definition[i], "m", *curve.controls[i]]
        design = matrix(table, on, effects)
        oracle = sm.OLS(table.y, design).fit(cov_type="cluster", cov_kwds={"groups": table.shop})
        assert curve.value[i] == pytest.approx(oracle.params.iloc[0], rel=1e-8)
        # effects nested in the account count once here and one by one there
        nested = groups - 1 if effects else 0
        k = design.shape[1]
        factor = np.sqrt((n - k) / (n - (k - nested)))
        assert curve.se[i] == pytest.approx(oracle.bse.iloc[0] * factor, rel=1e-8)
        assert (curve.n_rows, curve.n_accounts) == (n, groups)


@pytest.mark.parametrize("effects", EFFECTS, ids=str)
def test_jackknife_errors_agree_with_regress_and_with_refits_without_each_account(effects):
    table = shops(1)
    m = moments(table)
    curve = specification_curve(m, "y", "x", minimal=["m"], controls=CONTROLS, effects=[effects])
    for i in range(0, len(curve), 3):
        on = ["x", "m", *curve.controls[i]]
        fit = regress(m, "y", on=on, effects=effects, cov="CRV3")
        assert curve.value[i] == pytest.approx(fit["x"].value, rel=1e-10)
        assert curve.se[i] == pytest.approx(fit["x"].se, rel=1e-8)
        ends = fit["x"].interval
        assert (curve.low[i], curve.high[i]) == pytest.approx((ends.low, ends.high))
    moved = []
    for shop in table.shop.unique():
        rest = table[table.shop != shop]
        moved.append(sm.OLS(rest.y, matrix(rest, on, effects)).fit().params.iloc[0] - fit["x"].value)
    g = len(moved)
    assert curve.se[i] == pytest.approx(np.sqrt((g - 1) / g * np.sum(np.square(moved))), rel=1e-8)


@pytest.mark.parametrize("effects", EFFECTS, ids=str)
def test_draws_agree_with_bootstrap_samples_made_of_rows(effects):
    table = shops(2).reset_index(drop=True)
    m = moments(table)
    order = ["x", "m", *CONTROLS, "y"]
    swept = sweep(m[order], effects)
    constant = len(swept.names) - len(order)
    if constant:
        turn = [1, 0, *range(2, len(swept.names))]
        swept = type(swept)(tuple(swept.names[i] for i in turn), swept.grams[:, turn][:, :, turn], 0, 0)
    subsets = solve_subsets(swept, 1 + constant, len(table), "CRV3")
    weights = cluster_weights(SHOPS, 3, 5)
    ours = bootstrap_t(subsets, weights)
    v = weights[:, np.searchsorted(m.keys.astype(str), table.shop.astype(str).to_numpy())]
    for i, held in list(enumerate(masks(4)))[::3]:
        on = ["m", *[c for c, yes in zip(CONTROLS, held, strict=True) if yes]]
        null = sm.OLS(table.y, matrix(table, on, effects)).fit()
        full = matrix(table, ["x", *on], effects)
        n, k = full.shape
        factor = np.sqrt(SHOPS / (SHOPS - 1) * (n - 1) / (n - k))
        for b in range(3):
            star = null.fittedvalues + v[b] * null.resid
            fit = sm.OLS(star, full).fit(cov_type="cluster", cov_kwds={"groups": table.shop})
            assert ours[b, i] == pytest.approx(fit.tvalues.iloc[0] * factor, rel=1e-7)


def test_a_curve_of_one_model_is_the_restricted_wild_bootstrap():
    m = moments(shops(3, slope=0.02))
    for effects in EFFECTS:
        curve = specification_curve(m, "y", "x", minimal=["m", *CONTROLS], controls=[], effects=[effects])
        columns = m[["x", "m", *CONTROLS, "y"]]
        solved = solve(columns, effects).model
        one = np.zeros(len(solved.beta))
        one[1 if not effects else 0] = 1.0
        alone = wild_bootstrap(solved, one, draws=500, rng=0).pvalue()
        assert curve.pvalues["median t"] == pytest.approx(alone, abs=1e-12)
        assert curve.pvalues["mean signed t"] == pytest.approx(alone, abs=1e-12)
        assert 0.002 < alone < 1


def test_all_subsets_appear_once_with_their_definition_lag_and_effects():
    table = shops(4)
    table["lag1 x"], table["lead1 x"] = table.x + 1, table.x**2
    m = moments(table, ["y", "x", "lag1 x", "lead1 x", "m", *CONTROLS])
    curve = specification_curve(
        m, "y", "x", minimal=["m"], controls=["c2", "c1"], lags=[0, 1, -1], effects=EFFECTS[:2]
    )
    seen = set(zip(curve.definition, curve.lag, curve.effects, curve.controls, strict=True))
    assert len(seen) == len(curve) == 3 * 2 * 4
    assert {row[1] for row in seen} == {"0", "1", "-1"}
    assert {row[2] for row in seen} == {"none", "account"}
    subsets = {c for r in range(3) for c in combinations(("c2", "c1"), r)}
    assert {row[3] for row in seen} == subsets
    assert masks(0).shape == (1, 0)


@settings(max_examples=6)
@given(st.integers(0, 50), st.sampled_from(EFFECTS), st.floats(0.01, 100))
def test_row_order_unit_and_parts_do_not_matter(seed, effects, unit):
    table = shops(seed, accounts=9, weeks=15)
    options = {"minimal": ["m"], "controls": CONTROLS[:2], "effects": [effects]}
    a = specification_curve(moments(table), "y", "x", **options)
    turned = table.sample(frac=1, random_state=1).assign(x=table.x * unit, y=table.y / unit)
    parts = [moments(turned[turned.shop < 3]), moments(turned[turned.shop >= 3])]
    b = specification_curve(parts[0] + parts[1], "y", "x", **options)
    assert b.value * unit**2 == pytest.approx(a.value, rel=1e-7)
    assert b.t == pytest.approx(a.t, rel=1e-7)
    assert b.pvalues == pytest.approx(a.pvalues, abs=0.005)
    mirrored = specification_curve(moments(table.assign(x=-table.x)), "y", "x", sign=-1, **options)
    assert mirrored.share_agreeing == a.share_agreeing
    assert mirrored.mean_signed_t == pytest.approx(a.mean_signed_t)
    assert mirrored.pvalues == pytest.approx(a.pvalues, abs=0.005)


def of_world(world: str, seed: int, *, accounts: int = 30) -> object:
    panel, _ = simulate_panel(world, accounts=accounts, weeks=60, rng=seed)
    for name in ("revenue", "engagement", "spend", "posts", "followers"):
        panel[f"log {name}"] = np.log(np.maximum(panel[name], 0.5))
    before = [lag(f"log {n}", by="account", period="week") for n in ("revenue", "engagement", "spend")]
    columns = ["log revenue", "log spend", "log posts", "log followers", *before]
    return specification_curve(
        Moments.from_frame(panel, columns, by="account", period="week"),
        "log revenue",
        "log engagement",
        lags=[1],
        minimal=["lag1 log revenue", "lag1 log spend"],
        controls=["log spend", "log posts", "log followers"],
        effects=[("account", "period")],
        inference=CurveInference(draws=400, rng=seed),
    )


def test_a_planted_effect_is_found_by_the_whole_curve():
    for seed in range(3):
        curve = of_world("effect", seed)
        assert curve.share_agreeing == curve.share_significant == 1.0
        assert max(curve.pvalues[k] for k in ("median t", "mean signed t", "share significant")) < 0.05


def test_where_nothing_was_planted_the_joint_test_keeps_its_size():
    rejected = [of_world("nil", seed, accounts=12).pvalues["median t"] <= 0.05 for seed in range(8)]
    assert np.mean(rejected) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 8)


@pytest.mark.slow
@pytest.mark.parametrize("accounts", [12, 40])
def test_size_of_the_joint_test(accounts):
    names = ("median t", "mean signed t", "share significant")
    rejected = np.array(
        [[of_world("nil", s, accounts=accounts).pvalues[k] <= 0.05 for k in names] for s in range(400)]
    )
    assert (rejected.mean(axis=0) <= 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 400)).all()


@pytest.mark.parametrize("effects", EFFECTS, ids=str)
def test_a_control_of_one_account_alone_costs_the_curve_no_model(effects):
    table = shops(4)
    table["c1"] = np.where(table["shop"] == 3, table["c1"], 0.0)
    own = moments(table)
    curve = specification_curve(own, "y", "x", minimal=["m"], controls=CONTROLS, effects=[effects])
    for subset, se in zip(curve.controls, curve.se, strict=True):
        fit = regress(own, "y", on=["x", "m", *subset], effects=effects, cov="CRV3")
        assert se == pytest.approx(fit["x"].se, rel=1e-8)
        assert np.isfinite(se)


def test_an_account_without_which_nothing_is_known_makes_the_interval_unbounded():
    table = shops(6)
    table["only"] = np.where(table.shop == 3, table.x, 0.0)
    m = moments(table, ["y", "only", "m", *CONTROLS])
    curve = specification_curve(m, "y", "only", minimal=["m"], controls=["c1"], effects=[("account",)])
    assert np.isinf(curve.se).all()
    assert (curve.low == -np.inf).all()
    assert (curve.high == np.inf).all()
    assert curve.share_significant == 0.0
    assert min(curve.pvalues.values()) == 1.0


def test_inputs_are_left_alone_and_the_answer_is_the_same_twice():
    m = moments(shops(7))
    before = m.cross.copy(), m.sums.copy()
    a, b = (specification_curve(m, "y", "x", minimal=["m"], controls=CONTROLS) for _ in range(2))
    assert a.pvalues == b.pvalues
    np.testing.assert_array_equal(a.value, b.value)
    np.testing.assert_array_equal(before[0], m.cross)
    np.testing.assert_array_equal(before[1], m.sums)
    assert "weight vectors shared by all models" in a.method
    assert "16 specifications" in str(a)


def test_few_accounts_give_no_joint_p():
    table = shops(3)
    curve = run(moments(table[table.shop < 7]))
    assert curve.pvalues == {}
    assert "no joint p from fewer than 8 accounts" in curve.method
    assert len(run(moments(table[table.shop < 8])).pvalues) == 4


def test_columns_may_have_any_name():
    odd = {"x": "x'; --", "y": "<script>", "c1": "eval(1)", "c2": "é 🙂"}
    m = moments(shops(8).rename(columns=odd), [*odd.values(), "m"])
    curve = specification_curve(m, odd["y"], odd["x"], minimal=["m"], controls=[odd["c1"], odd["c2"]])
    assert curve.controls[-1] == (odd["c1"], odd["c2"])


def run(m: Moments, **changes):
    options = {"minimal": ["m"], "controls": ["c1"], **changes}
    return specification_curve(m, "y", options.pop("x", "x"), **options)


def test_what_cannot_be_a_curve_is_refused():
    table = shops(9)
    m = moments(table)
    with pytest.raises(ColumnError, match="'m' cannot have two roles"):
        run(m, controls=["m", "c1"])
    with pytest.raises(ColumnError, match="'x' cannot have two roles"):
        run(m, definitions=["x", "x"])
    with pytest.raises(ColumnError, match="No column 'lag2 x' in these moments"):
        run(m, lags=[2])
    with pytest.raises(ColumnError, match="No column 'w' in these moments"):
        run(m, definitions=["x", "w"])
    with pytest.raises(ColumnError, match="Did you mean 'c1'"):
        run(m, controls=["cc1"])
    with pytest.raises(DesignError, match="needs accounts to cluster by"):
        run(Moments.from_frame(table, ["y", "x", "m", "c1"]))
    with pytest.raises(DesignError, match="needs accounts to cluster by"):
        run(moments(table[table.shop == 1]))
    with pytest.raises(DesignError, match="`sign` must be 1 or −1"):
        run(m, sign=0)
    with pytest.raises(DesignError, match="are collinear or nearly so"):
        run(moments(table.assign(c2=table.c1 * 2)), controls=["c1", "c2"])
    with pytest.raises(DesignError, match="complete rows cannot carry"):
        run(moments(table[table.week < 1]), controls=CONTROLS)
    many = moments(
        table.assign(**{f"d{i}": table.x for i in range(20)}), ["y", "x", "m", *[f"d{i}" for i in range(20)]]
    )
    with pytest.raises(DesignError, match="too many specifications to hold"):
        run(many, controls=[f"d{i}" for i in range(20)])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"level": 1.0}, "`level` must lie between 0 and 1"),
        ({"cov": "HC3"}, "is not served by a curve"),
        ({"draws": 399}, "399 bootstrap draws are too few for an interval at 95 %"),
    ],
)
def test_inference_that_cannot_be_had_is_refused(options, words):
    with pytest.raises(DesignError, match=words):
        CurveInference(**options)


def test_the_adversary_counts_what_regressions_one_by_one_would_give():
    panel, _ = simulate_panel("effect", accounts=7, weeks=24, rng=4)
    panel = panel[["account", "week", "revenue", "engagement", "spend"]].assign(posts=3)
    before = panel.copy()
    found = adversary(panel, wish="positive")
    pd.testing.assert_frame_equal(panel, before)
    table = panel.assign(**{f"log {name}": np.log(panel[name]) for name in ("revenue", "engagement")})
    table["spend"] = np.log1p(panel["spend"])
    weeks = np.sort(table.week.unique())
    largest = table.groupby("account")["log revenue"].sum().idxmax()
    early = table.week < weeks[len(weeks) // 2]
    counts = {"positive": 0, "negative": 0, "nothing": 0}
    for rows in (table, table[early], table[~early], table[table.account != largest]):
        shifted = {
            f"lag{n} log engagement": rows.groupby("account")["log engagement"].shift(n) for n in (1, 2)
        }
        complete = rows.assign(**shifted).dropna()
        for name, effects, on in product(["log engagement", *shifted], EFFECTS, [[], ["spend"]]):
            fit = regress(
                complete,
                "log revenue",
                on=[name, *on],
                by="account",
                period="week",
                effects=effects,
                cov="CRV3",
            )
            low, high = fit[name].interval.low, fit[name].interval.high
            counts["positive" if low > 0 else "negative" if high < 0 else "nothing"] += 1
    assert dict(found.counts) == counts
    assert (found.tried, found.failed) == (72, 0)
    assert f"{counts['positive']} of 72 analyses say positive" in str(found)
    assert not any(isinstance(getattr(found, name), np.ndarray) for name in found.__slots__), "no recipe"


def test_the_adversary_takes_a_wish_and_a_panel():
    panel, _ = simulate_panel("nil", accounts=6, weeks=20, rng=1)
    falling = panel.assign(revenue=1 / panel.revenue)
    granted = adversary(panel, wish="positive").granted
    assert adversary(falling, wish="negative").granted == granted
    told = panel.assign(tags=[["a"]] * len(panel), place=[{"city": "b"}] * len(panel))
    for same in (told.astype(object), pl.from_pandas(panel).lazy()):
        assert adversary(same, wish="positive").granted == granted
    with pytest.raises(UnknownNameError, match=r"no wish 'yes'\. Allowed: negative, nothing, positive"):
        adversary(panel, wish="yes")
    with pytest.raises(ColumnError, match="No column 'week' in the panel"):
        adversary(panel.rename(columns={"week": "month"}))
    with pytest.raises(ColumnError, match=r"No columns 'engagement', .* in the panel"):
        adversary(panel[["account", "week", "revenue", "spend"]])


@pytest.mark.parametrize("cov", ["CRV1", "CRV3"])
@pytest.mark.parametrize("effects", EFFECTS, ids=str)
@pytest.mark.parametrize(
    ("kind", "y"),
    [
        ("one account alone moves x", lambda t: t.noise),
        ("x says all", lambda t: 2 * t.x),
        ("a control says all", lambda t: 2 * t.c),
        ("two weeks of two accounts", lambda t: t.noise),
    ],
)
def test_few_rows_and_exact_fits_give_numbers(kind, y, effects, cov):
    """An error without bound gives a t of 0, reported and drawn; one of 0 the largest t, or 0 where nothing was found."""
    accounts, weeks = (2, 4) if kind.startswith("two") else (9, 4)
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"shop": np.repeat(range(accounts), weeks), "week": np.tile(range(weeks), accounts)})
    for name in ("x", "c", "noise"):
        table[name] = rng.normal(size=len(table))
    if kind.startswith("one"):
        table.loc[table.shop > 0, "x"] = 1.0
    m = Moments.from_frame(table.assign(y=y(table)), ["y", "x", "c"], by="shop", period="week")
    how = CurveInference(cov=cov)
    curve = specification_curve(m, "y", "x", minimal=[], controls=["c"], effects=[effects], inference=how)
    for values in (curve.t, curve.median_t, curve.mean_signed_t, *curve.pvalues.values()):
        assert np.isfinite(values).all()
    assert (curve.t[~np.isfinite(curve.se)] == 0).all()
    if kind.startswith("one") and cov == "CRV3":
        assert set(curve.pvalues.values()) == {1.0}


def test_an_outcome_that_does_not_vary_is_refused():
    table = shops(1).assign(y=3.0)
    with pytest.raises(DesignError, match="the outcome 'y' does not vary once the effects are taken out"):
        specification_curve(moments(table), "y", "x", minimal=["m"], controls=CONTROLS)
