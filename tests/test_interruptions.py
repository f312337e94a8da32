"""Pauses that already happened: planted ones are found, dates without any are left alone."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import erresearch as er
from erresearch.errors import DataError, DesignError
from erresearch.experiments.interruptions import _together, simplex_weights

WEEKS = pd.date_range("2023-01-02", periods=130, freq="7D")


def shops(count=1, *, effects=(), seed=1, common=0.0):
    """Simulated weeks; effects are (shop, first week, weeks, size)."""
    rng = np.random.default_rng(seed)
    shared = common * np.cumsum(rng.standard_normal(len(WEEKS)))
    tables = []
    for shop in range(count):
        level = np.zeros(len(WEEKS))
        for t, noise in enumerate(0.08 * rng.standard_normal(len(WEEKS))):
            level[t] = 0.4 * level[t - 1] + noise
        level += shared + 0.1 * np.cos(2 * np.pi * np.arange(len(WEEKS)) / 52.18)
        posts = np.full(len(WEEKS), 3)
        for where, first, length, size in effects:
            if where == shop:
                level[first : first + length] += size
                posts[first : first + length] = 0
        tables.append(
            pd.DataFrame(
                {"entity": f"shop {shop}", "period": WEEKS, "revenue": 1000 * np.exp(level), "posts": posts}
            )
        )
    return pd.concat(tables, ignore_index=True)


def dates(first, length):
    return {"at": str(WEEKS[first].date()), "until": str(WEEKS[first + length].date())}


def test_weights_fit_as_well_as_a_general_solver():
    from scipy.optimize import minimize

    rng = np.random.default_rng(3)
    donors = np.cumsum(rng.standard_normal((60, 6)), axis=0)
    y = 2 + donors @ [0.5, 0.3, 0.2, 0, 0, 0] + 0.3 * rng.standard_normal(60)
    D, target = donors - donors.mean(0), y - y.mean()

    def loss(w):
        return float(np.sum((target - D @ w) ** 2))

    own = simplex_weights(y, donors)
    limits = {"bounds": [(0, 1)] * 6, "constraints": {"type": "eq", "fun": lambda w: w.sum() - 1}}
    best = minimize(
        loss, np.full(6, 1 / 6), method="SLSQP", options={"ftol": 1e-12, "maxiter": 500}, **limits
    )
    assert_allclose(own.sum(), 1, rtol=1e-12)
    assert own.min() >= 0
    assert_allclose(loss(own), best.fun, rtol=1e-6)


def test_a_planted_pause_is_found_and_its_own_way_is_said():
    rows = shops(effects=[(0, 110, 6, -0.35)])
    (pause,) = er.find_pauses(rows)
    found = er.interruption(rows, at=pause.at, until=pause.until, looks=1)
    assert found.word == "supported"
    assert -0.35 in found.effect.interval
    assert found.certainty == "low"
    assert "against what was expected" in str(found)
    assert repr(found) == str(found)
    wider = er.interruption(rows, at=pause.at, until=pause.until, looks=10).effect.interval
    assert wider.low < found.effect.interval.low


@pytest.mark.parametrize(
    ("common", "count", "draws"),
    [(0.0, 1, 20), *(pytest.param(*how, 60, marks=pytest.mark.slow) for how in ((0.0, 1), (0.08, 5)))],
)
def test_dates_at_which_nothing_happened_get_no_word(common, count, draws):
    words, covered, ways = [], [], set()
    for seed in range(draws):
        rows = shops(count, seed=seed, common=common)
        found = er.interruption(rows, **dates(112, 4), entity="shop 0")
        words.append(found.word)
        covered.append(0.0 in found.effect.interval)
        ways.add(found.way)
    assert np.mean([word != "inconclusive" for word in words]) <= 0.05 + 2 * math.sqrt(0.0475 / draws)
    assert ("other series" in ways) == (count > 1)


def test_other_shops_follow_what_the_own_past_cannot():
    rows = shops(6, seed=2, common=0.1, effects=[(0, 110, 6, -0.35)])
    alone = er.interruption(rows[rows["entity"] == "shop 0"], **dates(110, 6))
    together = er.interruption(rows, **dates(110, 6), entity="shop 0")
    beside = er.interruption(
        rows[rows["entity"] == "shop 0"], **dates(110, 6), beside=rows[rows["entity"] != "shop 0"]
    )
    assert together.way == beside.way == "other series"
    assert together.effect.se < alone.effect.se
    assert_allclose(together.effect.value, beside.effect.value)
    assert_allclose(sum(weight for _, weight in together.weights), 1, atol=1e-5)


def test_staggered_interruptions_are_not_fooled_by_effects_that_grow():
    growing = [(g, 60 + 12 * g, 4, -0.2 - 0.05 * g) for g in range(4)]
    rows = shops(8, seed=5, common=0.03, effects=growing)
    windows = [dates(first, length) for _, first, length, _ in growing]
    found = er.interruption(
        rows,
        at=[window["at"] for window in windows],
        until=[window["until"] for window in windows],
        entity=[f"shop {g}" for g in range(4)],
    )
    assert found.word == "supported"
    assert len(found.each) == 4
    assert -0.275 in found.effect.interval
    assert "4 interruptions" in str(found)
    # a shop that was interrupted earlier is no control afterwards
    assert all("shop 0" not in dict(one.weights) for one in found.each[1:])
    assert {one.way for one in found.each} == {"other series"}
    levels = np.log(rows.pivot(index="period", columns="entity", values="revenue"))
    for at, (one, (first, length)) in enumerate(
        zip(found.each, [effect[1:3] for effect in growing], strict=True)
    ):
        controls = levels.drop(columns=[f"shop {shop}" for shop in range(at + 1)]).to_numpy()
        own = levels[f"shop {at}"].to_numpy()
        misses = [_by_hand(own, controls, start, length) for start in range(26, first - length + 1)]
        assert_allclose(one.effect.value, _by_hand(own, controls, first, length), atol=1e-4)
        assert_allclose(one.effect.se, np.sqrt(np.mean(np.square(misses[1::2]))), rtol=2e-3)


def _by_hand(own, controls, first, length):
    """One difference from a synthetic control, by general solvers."""
    from scipy.optimize import minimize

    y, D = (each[: first + length] - each[:first].mean(axis=0) for each in (own, controls))
    k = D.shape[1]
    limits = {"bounds": [(0, 1)] * k, "constraints": {"type": "eq", "fun": lambda w: w.sum() - 1}}

    def loss(w):
        return float(np.sum((y[:first] - D[:first] @ w) ** 2))

    best = minimize(loss, np.full(k, 1 / k), method="SLSQP", options={"ftol": 1e-13}, **limits).x
    rest, after = y[:first] - D[:first] @ best, y[first:] - D[first:] @ best
    moments = np.correlate(rest, rest, "full")[first - 1 : first + 3]
    memory = np.linalg.solve([[moments[abs(i - j)] for i in range(3)] for j in range(3)], moments[1:])
    held = list(rest)
    for _ in range(length):
        held.append(sum(weight * held[-lag] for lag, weight in enumerate(memory, start=1)))
    return float(np.mean(after - held[first:]))


def test_shops_that_pause_in_the_same_weeks_share_their_bad_weeks():
    weeks = dates(112, 4)
    at, until = ([weeks[end]] * 3 for end in ("at", "until"))
    one = shops(1, seed=3)
    copies = pd.concat([one.assign(entity=f"shop {copy}") for copy in range(3)])
    alone = er.interruption(one, **weeks).effect
    three = er.interruption(copies, at=at, until=until, entity=[f"shop {copy}" for copy in range(3)]).effect
    assert_allclose([three.value, three.se, three.df], [alone.value, alone.se, alone.df])
    apart = er.interruption(
        shops(3, seed=3), at=at, until=until, entity=[f"shop {shop}" for shop in range(3)]
    )
    assert apart.effect.se < 0.8 * np.mean([each.effect.se for each in apart.each])
    # where no placebo dates are shared, those that overlap count as one
    days = np.array(["2025-01-06", "2025-02-03", "2025-01-20", "2025-03-03"], dtype="datetime64[D]")
    overlap = [("a", *days[:2]), ("b", *days[2:])]
    assert _together(overlap, [{}, {}])[0, 1] == 1
    assert _together([overlap[0], ("b", days[1], days[3])], [{}, {}])[0, 1] == 0


def test_gaps_and_changes_of_posting_are_found_without_looking_at_revenue():
    rows = shops(2, effects=[(0, 40, 3, 0.0), (1, 80, 5, 0.0)])
    rows.loc[(rows["entity"] == "shop 0") & (rows["period"] >= WEEKS[90]), "posts"] = 9
    found = er.find_pauses(rows)
    assert [(p.entity, p.kind, p.at) for p in found] == [
        ("shop 0", "gap", str(WEEKS[40].date())),
        ("shop 0", "more", str(WEEKS[90].date())),
        ("shop 1", "gap", str(WEEKS[80].date())),
    ]
    assert er.find_pauses(rows.assign(revenue=rows["revenue"][::-1].to_numpy())) == found
    with pytest.raises(er.ErresearchError, match=r"no column 'posts' is there\. Add posts"):
        er.find_pauses(rows.drop(columns="posts"))
    assert er.find_pauses(shops()) == ()


def test_days_are_read_as_well():
    days = pd.date_range("2023-01-02", periods=500)
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"period": days, "posts": 1, "revenue": 100 * np.exp(0.2 * rng.standard_normal(500))})
    rows.loc[400:420, "posts"] = 0
    rows.loc[400:420, "revenue"] *= 0.6
    (pause,) = er.find_pauses(rows)
    assert (pause.at, pause.until) == (str(days[400].date()), str(days[421].date()))
    assert er.interruption(rows, at=pause.at, until=pause.until).word == "supported"


def test_what_cannot_be_judged():
    rows = shops(2)
    one = rows[rows["entity"] == "shop 0"]
    holes = one.assign(revenue=one["revenue"].where(~one["period"].isin(WEEKS[[111, 50]])))
    for table, options, match in [
        (one, dates(10, 4), "needs 26 weeks before it.*10 periods before"),
        (one, {**dates(110, 4), "looks": 0}, "`looks` must be a count"),
        (one, {**dates(110, 4), "at": "soon"}, "`at` is no date"),
        (one, {"at": "2025-03-03", "until": "2025-02-03"}, "ends before it begins"),
        (one, {**dates(110, 4), "entity": "x"}, "a shop that is not in the panel"),
        (rows, dates(110, 4), "needs a first day, a day after its last, and a shop: 1 at, 1 until, 0 shops"),
        (one, dates(28, 4), "too few placebo dates"),
        (holes, dates(110, 4), "`revenue` is missing in the interruption: 1 of 4"),
    ]:
        with pytest.raises(DesignError, match=match):
            er.interruption(table, **options)
    with pytest.raises(DataError, match="has no rows"):
        er.find_pauses(one[:0])
