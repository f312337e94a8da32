"""Plans drawn at random and their judgement: against brute force, other software and planted truths."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import tracemalloc
from dataclasses import replace

import icalendar
import numpy as np
import pandas as pd
import pytest
from builders import script
from numpy.testing import assert_allclose

import erresearch as er
import erresearch.experiments
from erresearch.claims.sharing import read_findings
from erresearch.errors import DataError, DesignError, UnknownNameError
from erresearch.experiments import Blocks, PauseDesign, Schedule, designs, planning, randomisation
from erresearch.experiments.documents import calendar_text, page
from erresearch.experiments.history import (
    calendar_terms,
    filtered,
    fit_history,
    logged,
    noises_of,
    read_series,
    unbiased_autocovariances,
    yule_walker,
)
from erresearch.experiments.planning import carry_over, matched
from erresearch.experiments.randomisation import (
    PlanSums,
    Redrawn,
    Window,
    counted,
    draw_again,
    draws,
    exposure,
    first_plan,
    ratio_set,
    redraws,
)
from erresearch.results import Interval
from erresearch.worlds import simulate_shop


def weekly(
    weeks: int = 104, *, effect: float = 0.0, off: np.ndarray | None = None, seed: int = 1, shops: int = 1
):
    """Simulated weeks with memory; `off` marks the pauses among the last ones, which cost `effect` a week later."""
    tables = []
    for shop in range(shops):
        rng = np.random.default_rng([seed, shop])
        noise = 0.1 * rng.standard_normal(weeks)
        paused = np.zeros(weeks + 1)
        if off is not None:
            mine = off if off.ndim == 1 else off[shop]
            paused[weeks - len(mine) + 1 : weeks + 1] = mine
        level = np.zeros(weeks)
        for t in range(weeks):
            level[t] = 0.5 * level[t - 1] + noise[t] - effect * paused[t]
        tables.append(
            pd.DataFrame(
                {
                    "entity": f"shop {shop:02d}",
                    "period": pd.date_range("2023-01-02", periods=weeks, freq="7D"),
                    "engagement": np.where(paused[1:] > 0, 0.0, 100 + 10 * rng.standard_normal(weeks)),
                    "posts": np.where(paused[1:] > 0, 0, 3),
                    "revenue": 1000 * np.exp(level),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def judged(plan, *, effect=0.0, seed=1, **options):
    """Carry a plan out in the simulated weeks it was made from, and judge it."""
    off = np.c_[~plan.schedule.posting, np.zeros((len(plan.history), plan.design.follow_up), bool)]
    weeks = len(plan.history[0]) + off.shape[1]
    rows = weekly(weeks, effect=effect, off=off, seed=seed, shops=len(plan.history))
    return er.judge_experiment(rows, plan, **options)


SIX = PauseDesign(kind="time", every="W", block=1, groups=6, lags=(1, 1), carried=True)
ASKED = {"block": 1, "lags": (1, 1), "weeks": 12}  # what gives that design


@pytest.fixture(scope="module")
def plan():
    return er.plan_experiment(weekly(), **ASKED, delta=0.1)


# ------------------------------------------------------------------------------------------------ oracles
def by_hand(plan, rows, each=None):
    """Every possible plan, judged by statsmodels with everything written out: |t| and the coefficient of each.

    `each` takes the place of the outcome, where it is given.
    """
    import statsmodels.api as sm

    (shop,) = read_series(rows)
    model = fit_history(plan.history[0])
    history, n = len(plan.history[0]), len(shop)
    y = filtered(logged(shop.outcome, model.floor), model.memory)[3:] if each is None else each
    X = filtered(calendar_terms(shop.dates, history, "W").T, model.memory).T[3:]
    use = np.r_[np.ones(history, bool), counted(plan.design)][3:]
    found = []
    for bits in itertools.product([(True, False), (False, True)], repeat=6):
        posting = np.repeat(np.array(bits).ravel(), plan.design.block)
        z = np.zeros(n)
        z[history:] = exposure(posting[None], (1, 1))[0]
        fit = sm.OLS(y[use], np.column_stack([z[3:], X])[use]).fit()
        found.append((posting, abs(fit.tvalues[0]), fit.params[0]))
    return found


@pytest.mark.parametrize("effect", [0.0, 0.2])
@pytest.mark.parametrize("washout", [0, 1])
def test_p_value_and_estimate_against_brute_force_by_statsmodels(plan, effect, washout):
    if washout:
        plan = er.plan_experiment(weekly(), block=Blocks(2, washout=1), lags=(1, 1), weeks=24)
    off = np.r_[~plan.schedule.posting[0], False]
    rows = weekly(104 + len(off), effect=effect, off=off)
    found = er.judge_experiment(rows, plan)
    every = by_hand(plan, rows)
    own = next(row for row in every if (row[0] == plan.schedule.posting[0]).all())
    assert_allclose(found.effect.value, own[2], rtol=1e-8)
    assert found.pvalue == sum(row[1] >= own[1] - 1e-9 for row in every) / 64


def test_the_set_per_reaction_is_that_of_anderson_and_rubin_by_statsmodels(plan):
    rows = weekly(104 + 13, effect=0.2, off=np.r_[~plan.schedule.posting[0], False])
    found = er.judge_experiment(rows, plan).per_engagement
    (shop,), model = read_series(rows), fit_history(plan.history[0])
    reactions = np.r_[plan.history[0].engagement, shop.engagement[104:]]
    usual = reactions[:104].mean()
    factor = model.usual / usual
    y = filtered(logged(shop.outcome, model.floor), model.memory)[3:]
    x = np.r_[reactions[0], reactions[:-1]][3:] / usual  # the week before, as declared

    def own(every):
        return next(row for row in every if (row[0] == plan.schedule.posting[0]).all())

    def kept(end):
        every = by_hand(plan, rows, y - end / factor * x)
        return sum(row[1] >= own(every)[1] - 1e-9 for row in every) / 64 > 0.05

    slopes = [own(by_hand(plan, rows, each))[2] for each in (y, x)]
    assert_allclose(found.value, factor * slopes[0] / slopes[1], rtol=1e-8)
    near = 1e-4 * (found.interval.high - found.interval.low)
    assert kept(found.interval.low + near)
    assert kept(found.interval.high - near)
    assert not kept(found.interval.low - near)
    assert not kept(found.interval.high + near)


def test_interval_is_the_inverted_test_at_every_null(plan):
    found = judged(plan, effect=0.15)
    reference = found.effect.reference
    drawn = first_plan(plan.design, plan.history)
    again, complete = redraws(plan.design, 1, plan.seed)
    assert complete
    rng = np.random.default_rng(3)
    z = exposure(np.concatenate([drawn[None], again]), plan.design.lags)[:, 0, 0]
    y = rng.standard_normal(z.shape[1]) + 0.5 * z[0]
    sums = PlanSums((z @ y)[:, None], (z**2).sum(1), z @ z[0], complete)
    reference = Redrawn.of(sums)
    for null in (-2.0, -0.5, 0.0, 0.3, 1.0, sums.value):
        t = np.abs(z @ (y - null * z[0])) / np.sqrt((z**2).sum(1))
        assert reference.pvalue(null) == np.mean(t[1:] >= t[0] - 1e-9), null
    for level in (0.5, 0.9, 0.95):
        low, high = (getattr(reference.interval(level), end) for end in ("low", "high"))
        assert reference.pvalue(low + 1e-6) > 1 - level >= reference.pvalue(low - 1e-6)
        assert reference.pvalue(high - 1e-6) > 1 - level >= reference.pvalue(high + 1e-6)


def test_all_plans_are_listed_only_where_they_are_few():
    """Twelve blocks have half a thousand million orders, of which 924 differ."""
    rng = np.random.default_rng(1)
    for size, groups, plans in ((6, 1, 20), (4, 2, 36), (12, 4, 99)):
        drawn, every = draws(replace(SIX, size=size, groups=groups), 1, 99, rng)
        assert (len(drawn), every) == (plans, plans < 99)
        assert (drawn.reshape(plans, groups, size).sum(axis=2) == size // 2).all()
        assert len(np.unique(drawn.reshape(plans, -1), axis=0)) == plans


def test_the_error_of_the_memory_widens_the_interval_and_leaves_no_effect_alone():
    rng = np.random.default_rng(8)
    z = exposure(draws(replace(SIX, groups=12), 1, 400, rng)[0], (1, 1))[:, 0, 0]
    for size in (0.0, 0.4, 2.0):
        y = rng.standard_normal(z.shape[1]) + size * z[0]
        shapes = [z[0] + error * np.r_[0.0, z[0][:-1]] for error in (0.0, -0.2, 0.2)]
        made = [
            Redrawn.of(PlanSums((z @ y)[:, None], (z**2).sum(1), np.array(rows), False))
            for rows in ([z @ shapes[0]], [z @ shapes[1]], [z @ shapes[2]], [z @ shape for shape in shapes])
        ]
        *single, whole = made
        assert whole.value == single[0].value
        assert whole.pvalue(0.0) == single[0].pvalue(0.0)
        ends = [one.interval(0.95) for one in single]
        assert whole.interval(0.95).low <= min(each.low for each in ends) + 1e-9
        assert whole.interval(0.95).high >= max(each.high for each in ends) - 1e-9
        assert (0.0 in whole.interval(0.95)) == (whole.pvalue(0.0) > 0.05)


def test_no_plan_can_be_judged_at_a_level_that_it_cannot_reach(plan):
    interval = Redrawn.of(
        PlanSums(np.array([[1.0], [1.0], [-1.0]]), np.ones(3), np.array([1.0, 1.0, -1.0]), True)
    )
    assert not interval.interval(0.95).bounded


def test_ratio_against_two_stage_least_squares_and_its_set_by_brute_force():
    from statsmodels.sandbox.regression.gmm import IV2SLS

    rng = np.random.default_rng(5)
    plans, _ = draws(replace(SIX, groups=12), 1, 499, rng)
    z = exposure(plans, (0, 0))[:, 0, 0]
    x = 0.8 * z[0] + 0.3 * rng.standard_normal(24)
    y = 0.5 * x + 0.3 * rng.standard_normal(24)
    z, x, y = z - z.mean(1, keepdims=True), x - x.mean(), y - y.mean()
    sums = PlanSums(z @ np.column_stack([y, x]), (z**2).sum(1), z @ z[0], False)
    tracemalloc.start()
    value, hull = ratio_set(sums, 0.95)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100 * z.nbytes / 24  # a few numbers of each plan, not one for each plan and each θ
    assert_allclose(value, IV2SLS(y, x[:, None], z[0][:, None]).fit().params[0], rtol=1e-10)

    def kept(theta):
        t = np.abs(z @ (y - theta * x)) / np.sqrt((z**2).sum(1))
        return (1 + np.sum(t[1:] >= t[0])) / 499 > 0.05 + 1e-9

    assert kept(hull.low + 1e-6)
    assert kept(hull.high - 1e-6)
    assert not kept(hull.low - 1e-6)
    assert not kept(hull.high + 1e-6)


def test_the_ratio_has_no_end_where_the_plan_moves_nothing():
    rng = np.random.default_rng(2)
    plans, _ = draws(replace(SIX, groups=12), 1, 499, rng)
    z = exposure(plans, (0, 0))[:, 0, 0]
    noise = rng.standard_normal((24, 2))
    assert not ratio_set(PlanSums(z @ noise, (z**2).sum(1), z @ z[0], False), 0.95)[1].bounded


def test_calendar_is_read_by_another_program(plan):
    plan = replace(plan, schedule=replace(plan.schedule, entities=("Käse, Brot; " + "ü" * 60,) * 1))
    two = replace(
        plan,
        schedule=Schedule(
            entities=(*plan.schedule.entities, "b"),
            dates=plan.schedule.dates,
            posting=np.repeat(plan.schedule.posting, 2, axis=0),
        ),
    )
    text = calendar_text(two)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    events = icalendar.Calendar.from_ical(text).walk("VEVENT")
    wagered = calendar_text(er.wager(two, "x", forecast=0.1, date="2024-12-01"))
    assert wagered == text  # read into a calendar again, it takes the place of the one before
    runs = two.schedule.runs()
    assert len(events) == len(runs)
    assert len({str(event["UID"]) for event in events}) == len(runs)
    for event, (entity, date, length, posts) in zip(events, runs, strict=True):
        assert event["DTSTART"].dt == date.item()
        assert (event["DTEND"].dt - event["DTSTART"].dt).days == 7 * length
        assert entity in str(event["SUMMARY"])
        assert ("Pause" in str(event["SUMMARY"])) is not posts


# ------------------------------------------------------------------------------------------------ properties
@pytest.mark.parametrize(
    "design",
    [
        SIX,
        replace(SIX, size=4),
        PauseDesign(kind="shops", every="W", block=1, groups=6, lags=(1, 1), periods=16),
    ],
)
def test_every_draw_keeps_to_the_design(design):
    plans, _ = draws(design, 2 if design.kind == "time" else 6, 50, np.random.default_rng(1))
    if design.kind == "time":
        blocks = plans[..., :: design.block].reshape(*plans.shape[:3], design.groups, design.size)
        assert (blocks.sum(axis=-1) == design.size // 2).all()
    else:
        stopped = ~plans
        assert (stopped.any(axis=-1).sum(axis=2) == 1).all()  # one shop of each pair
        assert (np.diff(stopped.astype(int), axis=-1) >= 0).all()  # and for good
        firsts = plans.all(axis=2).sum(axis=-1)
        assert (np.sort(firsts, axis=1) == np.sort(firsts, axis=1)[0]).all()


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/New_York"])
def test_days_are_those_of_their_own_clock(zone):
    rows = weekly()
    zoned = rows.assign(period=rows["period"].dt.tz_localize(zone))
    assert (read_series(zoned)[0].dates == read_series(rows)[0].dates).all()
    elsewhere = zoned.assign(period=zoned["period"].dt.tz_convert("UTC"))
    for other in (elsewhere, elsewhere.assign(period=elsewhere["period"].astype(object))):
        with pytest.raises(
            DataError, match=r"begin at midnight of it.*: 104 of 104 rows at another hour\. Convert"
        ):
            read_series(other)
    for name in (None, math.nan):
        assert read_series(rows.assign(entity=name))[0].entity == ""


def test_the_same_history_gives_the_same_plan_and_another_one_another():
    one, again, other = (er.plan_experiment(weekly(seed=s), weeks=24) for s in (1, 1, 2))
    assert one.digest == again.digest
    assert one.seed != other.seed
    assert (one.schedule.posting == again.schedule.posting).all()


def test_inputs_are_left_alone_and_every_engine_gives_the_same():
    import polars as pl

    rows = weekly()
    before = rows.copy(deep=True)
    plan = er.plan_experiment(rows, weeks=24)
    pd.testing.assert_frame_equal(rows, before)
    table = pl.from_pandas(rows)
    for same in (table, table.lazy(), rows.assign(rows=1.0)):
        assert er.plan_experiment(same, weeks=24).digest == plan.digest


def test_power_that_is_foreseen_is_the_power_that_is_found(plan):
    own = plan.own_power
    assert own.placebos == 400
    assert 0.0 <= own.size <= 0.09
    effect = own.detectable
    found = np.mean(
        [judged(replace_history(plan, s), effect=effect, seed=s).pvalue <= 0.05 for s in range(60)]
    )
    assert abs(found - 0.8) <= 0.07 + 2 * math.sqrt(0.16 / 60)


def replace_history(plan, seed):
    history = read_series(weekly(seed=seed))
    posting = first_plan(plan.design, history).reshape(1, -1)
    return replace(plan, history=history, schedule=replace(plan.schedule, posting=posting))


@pytest.mark.parametrize("draws", [20, pytest.param(60, marks=pytest.mark.slow)])
def test_nothing_is_found_where_there_is_nothing_and_the_interval_covers(plan, draws):
    effects = [judged(replace_history(plan, s), effect=0.2, seed=s).effect for s in range(draws)]
    assert np.mean([0.2 in effect.interval for effect in effects]) >= 0.95 - 2 * math.sqrt(0.0475 / draws)
    nothing = [judged(replace_history(plan, s), seed=s).pvalue <= 0.05 for s in range(100, 100 + draws)]
    assert np.mean(nothing) <= 0.05 + 2 * math.sqrt(0.0475 / draws)


@pytest.mark.slow
def test_hidden_demand_cannot_fake_an_experiment(monkeypatch):
    # what it would find is not asked here
    quick = lambda *given, **how: randomisation.foreseen(*given, **(how | {"quick": True}))  # noqa: E731
    monkeypatch.setattr(planning, "foreseen", quick)
    found = []
    for seed in range(30):
        days = 365 + 6 * 28 + 14
        past = simulate_shop("hidden demand", days=days, rng=seed)
        plan = er.plan_experiment(past[:365], block=14, lags=(1, 14), weeks=24)
        rows = simulate_shop(
            "hidden demand", days=days, posting=np.r_[plan.schedule.posting[0], [True] * 14], rng=seed
        )
        pd.testing.assert_frame_equal(rows[:365], past[:365])
        found.append(er.judge_experiment(rows, plan).pvalue <= 0.05)
    assert np.mean(found) <= 0.05 + 2 * math.sqrt(0.0475 / 30)


def test_shops_in_pairs():
    rows = weekly(shops=14, seed=4)
    plan = er.plan_experiment(rows, design="shops", weeks=16, lags=(1, 1))
    assert plan.design.kind == "shops"
    assert plan.own_power.weeks == 16
    assert {row.weeks for row in plan.power} == {12, 16, 24, 36, 52}
    assert plan.design.groups == 7
    assert len(plan.history) == 14
    found = judged_in_pairs(plan, effect=0.1)
    assert found.word == "supported"
    # .1 a week of which half is left in the next one: between .1 at once and .2 in the end
    assert 0.1 < found.effect.value < 0.2
    # dates are drawn too, so that seven pairs may reach less than 2/2⁷
    assert plan.own_power.smallest_p == 0.001 <= found.pvalue < 2 / 2**7
    assert plan.design.reachable(3) == 1.0
    assert plan.design.reachable(int(plan.design.stops[1]) + 1) == 2 / (4 * 7 * 6)


def judged_in_pairs(plan, effect):
    names = sorted(shop.entity for shop in plan.history)
    off = {name: ~row for name, row in zip(plan.schedule.entities, plan.schedule.posting, strict=True)}
    off = np.array([np.r_[off[name], off[name][-1:]] for name in names])
    return er.judge_experiment(weekly(104 + off.shape[1], effect=effect, off=off, seed=4, shops=14), plan)


def test_autocovariances_are_not_thinned_by_trend_and_waves():
    n, rho = 104, 0.6
    dates = np.datetime64("2023-01-02") + 7 * np.arange(n)
    X = calendar_terms(dates, n, "W") * (np.arange(n) % 17 > 0)[:, None]  # some weeks have no outcome
    truth = rho ** np.arange(7) / (1 - rho**2)
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    root = np.linalg.cholesky(rho**apart / (1 - rho**2))
    e = (root @ np.random.default_rng(2).standard_normal((n, 400))).T
    Q, _ = np.linalg.qr(X)
    known = X.any(axis=1)
    rests = [np.where(known, row - Q @ (Q.T @ (row * known)), 0.0) for row in e]
    unbiased = np.mean([unbiased_autocovariances(rest, X, 12)[:4] for rest in rests], axis=0)
    plain = np.mean([[rest[: n - k] @ rest[k:] / n for k in range(4)] for rest in rests], axis=0)
    assert_allclose(unbiased, truth[:4], atol=0.12)
    assert (plain < truth[:4] - 0.25).all()
    fitted, shrunk = (np.mean([yule_walker(rest, 3, *more) for rest in rests], axis=0) for more in ((X,), ()))
    assert_allclose(fitted.sum(), rho, atol=0.06)
    assert shrunk.sum() < rho - 0.12


def test_what_pairs_of_shops_find_is_foreseen_from_honest_noise():
    design = PauseDesign(kind="shops", every="W", block=1, groups=6, lags=(1, 1), periods=52)
    shops = matched(read_series(weekly(shops=12, seed=7)))
    noises = noises_of(shops, in_pairs=True)
    # pairs that chance has chosen are no quieter than any others: √2 of a shop's .1
    assert np.mean([noise.sigma for noise in noises]) == pytest.approx(0.1 * math.sqrt(2), rel=0.08)
    rng = np.random.default_rng(1)
    places = rng.integers(0, 101, (design.length + 1, 200))
    windows = tuple(
        randomisation.placebo_window(randomisation.empty_window(noise, design), noise, places, rng)
        for noise in noises
    )
    z = exposure(draws(design, 6, 60, rng)[0], design.lags)
    sums = draw_again(windows, z, complete=False)
    assert np.mean(sums.outcome**2 / sums.size[:, None]) == pytest.approx(1, abs=0.12)
    # what is lost builds up no faster than anything else is forgotten, and in the end is lost whole
    lost = randomisation._built_up(design, noises, z)
    assert_allclose(lost[..., -1], z[..., -1], atol=0.05)
    begins = (z < 0) & (np.roll(z, 1, axis=-1) == 0)
    assert_allclose(lost[begins].mean(), -0.5, atol=0.1)


def test_the_length_of_the_response_is_read_from_the_past():
    shop = simulate_shop("nothing", days=1095, effect=0.5, orders=200, rng=3)
    (first, _), explained = carry_over(read_series(shop)[0])
    assert first == 1
    assert explained > 6.63  # beyond chance in one of a hundred
    for unknown in (shop.drop(columns="engagement"), shop.assign(engagement=0.0)):
        assert carry_over(read_series(unknown)[0]) == ((1, 14), 0.0)


def test_blocks_as_long_as_the_response_find_more():
    plan = er.plan_experiment(simulate_shop(days=730, rng=1), lags=(1, 14))
    blocks = dict(plan.blocks)
    assert blocks[14] < blocks[7]
    assert plan.design.block >= 14
    (why,) = (reason for reason in plan.reasons if reason.startswith("Blocks of"))
    assert ("longer ones gain little" in why) is (plan.design.block < 28)
    assert "shorter ones miss more" in why
    short = er.plan_experiment(simulate_shop(days=730, rng=1), lags=(1, 14), weeks=8)
    (why,) = (reason for reason in short.reasons if reason.startswith("Blocks of"))
    assert why.startswith("Blocks of 4 days: of longer ones no 6 pairs fit (")
    assert short.answer.endswith("of a believable size would be found four times in five: not worth it.")


def test_what_a_wrong_block_costs_is_shown(plan):
    past = simulate_shop(days=730, rng=1)
    made = er.plan_experiment(past, lags=(1, 14))
    table = er.experiments.wrong_blocks(made)
    assert table.columns[:2] == ("block of days", "works to day 3")
    found = {int(row[0]): dict(zip((3, 7, 14, 21, 28), row[1:], strict=True)) for row in table.rows}
    # where lags and block are right the formula says what placebo plans say; a short block misses a long response
    assert -math.log1p(-int(found[14][14].split()[0]) / 100) == pytest.approx(dict(made.blocks)[14], rel=0.25)
    assert found[4][28] == "none"
    assert found[28][28] != "none"
    # of a response longer than declared the plan itself says what it would find, and what to do
    for each in (made, plan):
        noises, about = noises_of(each.history), (each.delta, each.seed)
        assert randomisation.foreseen(each.design, noises, *about, truth=each.design.lags) == each.own_power
        late = randomisation.foreseen(each.design, noises, *about, truth=each.design.longer).detectable
        assert late > 1.3 * each.own_power.detectable
        finds = designs.share_lost(late) if late <= designs.BELIEVABLE else "no effect of a believable size"
        (said,) = (reason for reason in each.reasons if reason.startswith("If posting works twice as long"))
        assert f"later, the same plan finds {finds} four times in five: where you expect that" in said
    assert made.design.longer == (1, 28)
    by_shops = er.plan_experiment(weekly(shops=12), design="shops", weeks=12)
    assert not any("twice as long" in reason for reason in by_shops.reasons)


def test_several_shops_with_draws_of_their_own():
    rows = weekly(shops=3)
    plan = er.plan_experiment(rows, block=2, lags=(0, 1))
    # 2 of 2⁹ plans, three pairs of each shop; of longer plans 999 are drawn
    assert [row.smallest_p for row in plan.power] == [2 / 2**9, *([0.001] * (len(plan.power) - 1))]
    assert plan.reasons[0].startswith("3 shops make too few pairs: each pauses in time")
    assert len({row.weeks for row in plan.power}) == len(plan.power)
    quick, placebos = (dict(plan.blocks) for plan in (planning.quick_plan(rows), er.plan_experiment(rows)))
    assert quick == pytest.approx(placebos, rel=0.2)
    off = np.c_[~plan.schedule.posting, np.zeros((3, plan.design.follow_up), bool)]
    rows = weekly(104 + off.shape[1], off=off, effect=0.3, shops=3)
    found = er.judge_experiment(rows, replace(plan, currency="EUR"))
    closed = str(plan.end - np.timedelta64(28, "D"))
    ends_early = rows[(rows["entity"] != "shop 01") | (rows["period"] < closed)]
    with pytest.raises(DataError, match=rf"of some shops end before .* 1 of 3 shops.* \(--ended {closed}\)"):
        er.judge_experiment(ends_early, plan)
    assert "ended-early" in {
        doubt.code for doubt in er.judge_experiment(ends_early, plan, ended=closed).doubts
    }
    assert " EUR [" in found.per_engagement.number()
    assert found.finding.name == found.verdict.dataset == plan.name == "3 shops"


def test_many_shops_are_planned_by_what_finds_more():
    rows, effects = weekly(shops=14, seed=4), {}
    for kind in ("time", "shops"):
        effects[kind] = er.plan_experiment(rows, design=kind, weeks=24, lags=(0, 1)).own_power.detectable
    plan = er.plan_experiment(rows, weeks=24, lags=(0, 1))
    assert plan.design.kind == min(effects, key=effects.get) == "time"
    assert re.match(
        r"14 shops: with pauses in time, .* find about \d+ % .* for good, \d+ %\.", plan.reasons[0]
    )
    # so many draws together need no six pairs each
    short = er.plan_experiment(rows, weeks=10, lags=(0, 1))
    assert (short.design.kind, short.design.groups, short.own_power.smallest_p) == ("time", 2, 0.001)


def test_shops_with_draws_of_their_own_need_fewer_pairs_each_and_p_values_stay_exact():
    rows = weekly(shops=3)
    plan = er.plan_experiment(rows, weeks=8, block=2, lags=(0, 1))
    assert (plan.design.groups, plan.own_power.smallest_p) == (2, 2 / 64)
    with pytest.raises(
        DesignError, match=r"fewer than 2 groups of blocks.*smallest p-value is 0\.25.*2 or more"
    ):
        er.plan_experiment(rows, weeks=4, block=2)
    # whichever of the 64 plans had been drawn: of those same weeks, judged by each, no more than a share of α have p ≤ α
    every, complete = redraws(plan.design, 3, plan.seed)
    after, pvalues = weekly(104 + 9, shops=3), []
    for posting in every.reshape(len(every), 3, -1):
        other = replace(plan, schedule=replace(plan.schedule, posting=posting))
        pvalues.append(er.judge_experiment(after, other).pvalue)
    assert complete
    assert len(every) == 64
    assert min(pvalues) in (1 / 64, 2 / 64)
    for level in np.arange(1, 65) / 64:
        assert np.mean(np.array(pvalues) <= level + 1e-9) <= level + 1e-9


def test_groups_of_four_and_a_wash_out():
    rows = weekly()
    plan = er.plan_experiment(rows, block=Blocks(2, size=4, washout=1), weeks=24, lags=(0, 1))
    assert (plan.design.groups, plan.design.size, plan.design.washout) == (3, 4, 1)
    assert plan.own_power.smallest_p == 2 / 6**3
    assert plan.table.columns[1] == "groups"
    assert "half of the blocks of each group of 4" in str(plan)
    by_formula = randomisation.foreseen(plan.design, noises_of(plan.history), 0.05, plan.seed, quick=True)
    assert by_formula.detectable == pytest.approx(plan.own_power.detectable, rel=0.25)
    longer = er.plan_experiment(rows, block=Blocks(washout=1), weeks=36, lags=(0, 1))
    assert [length for length, _ in longer.blocks] == [2, 3]
    assert longer.design.washout == 1
    for wrong, match in [
        ({"size": 3}, "`size` must be an even number"), ({"size": 0}, "`size` must be"), ({"size": 10**9}, "`size` must"),
        ({"length": 1.5}, "`block` must be 1 or more"), ({"washout": -1}, "`washout` must be 0 or more"),
    ]:  # fmt: skip
        with pytest.raises(DesignError, match=match):
            Blocks(**wrong)
    with pytest.raises(DesignError, match="fewer than 6 pairs of blocks fit into the plan"):
        er.plan_experiment(rows, block=Blocks(washout=4))
    with pytest.raises(DesignError, match=r"a plan by shops has no blocks.*or pause in time"):
        er.plan_experiment(weekly(shops=12), design="shops", block=Blocks(washout=1))
    many = er.plan_experiment(weekly(shops=12), block=Blocks(2, size=4), weeks=16, lags=(0, 1))
    assert (many.design.kind, many.design.size, many.design.groups) == ("time", 4, 2)


def test_a_plan_that_is_not_worth_it_says_so():
    cheap, dear = (er.plan_experiment(weekly(), **ASKED, cost=cost) for cost in (1.0, 900.0))
    assert "not worth it" in cheap.answer
    assert "would be found" in dear.answer
    enough = replace(cheap, power=(replace(cheap.power[0], at_delta=0.9),))
    assert "It finds your smallest effect of interest; one between 1 and" in enough.answer
    assert "cost=" in er.plan_experiment(weekly(), **ASKED).answer
    reactions = 6 * weekly()["engagement"].mean()
    assert f"of 12 weeks, about {float(f'{reactions:.2g}'):,.0f}. If posting" in str(cheap)
    assert "of 12 weeks. If posting" in str(er.plan_experiment(weekly().drop(columns="engagement"), **ASKED))
    assert "your smallest effect of interest, " in cheap.answer
    assert "a week and shop" in replace(cheap, history=cheap.history * 2).answer
    assert "believable" in replace(cheap, power=(replace(cheap.power[0], detectable=math.inf),)).answer
    assert replace(cheap, power=()).own_power is None
    assert "not worked out" in replace(cheap, power=()).answer


# ------------------------------------------------------------------------------------------------ files, wagers
def test_a_plan_comes_back_from_its_files(plan, tmp_path):
    wagered = er.wager(plan, "Posting sells", forecast=0.1, date="2024-12-01")
    paths = er.write_plan(wagered, tmp_path / "plan")
    assert [path.name for path in paths] == [
        "plan.toml", "schedule.csv", "history.csv", "schedule.ics", "plan.html",
    ]  # fmt: skip
    back = er.read_plan(tmp_path / "plan")
    assert back.digest == wagered.digest != plan.digest
    assert back.power == wagered.power
    assert back.claim == "Posting sells"
    text = (tmp_path / "plan" / "plan.html").read_text()
    assert wagered.digest in text
    assert "may be deceived" in text
    assert "&lt;b&gt;" in page(replace(wagered, claim="<b>"))
    assert text.count("<img") == 1
    assert "http" not in text
    assert str(plan.start) in str(wagered)
    proven = judged(back, hash=wagered.digest)
    assert proven.certainty.level == "high"
    assert {d.code for d in proven.doubts if d.raised} == set()
    assert re.search(r"by the hash of 2024-12-01; expected were 10 %, \d+ a week", str(proven))


def test_an_edited_schedule_and_an_unproven_wager_are_named(plan):
    posting = plan.schedule.posting.copy()
    posting[0, :2] = ~posting[0, :2]
    edited = replace(plan, schedule=replace(plan.schedule, posting=posting))
    assert edited.digest != plan.digest
    raised = {doubt.code for doubt in judged(edited).doubts if doubt.raised}
    assert raised == {"registration-unproven", "schedule-edited"}
    assert judged(edited).certainty.level == "low"
    # nor does a history stand for the rows of the plan into which, or past which, it was made to reach
    (shop,) = plan.history
    dates, reached = shop.dates[0] + 7 * np.arange(len(shop) + 30), np.r_[shop.outcome, np.full(30, 1e-6)]
    longer = replace(shop, dates=dates, outcome=reached, engagement=None, posts=None)
    own = {doubt.code for doubt in judged(plan).doubts}
    found = er.judge_experiment(weekly(134), replace(plan, history=(longer,)))
    assert {doubt.code for doubt in found.doubts} - own == {"schedule-edited", "changed"}
    wagered = er.wager(plan, "x", forecast=0.0, date="2024-12-01")
    other = judged(wagered, hash="0" * 64)
    assert {doubt.code for doubt in other.doubts if doubt.raised} == {"registration-unproven"}


def test_wrong_wagers(plan):
    with pytest.raises(DesignError, match="a wager needs a claim and a forecast"):
        er.wager(plan, " ", forecast=0.1, date="2024-12-01")
    for share in (10, -1.5):
        with pytest.raises(DesignError, match=r"is a share of the outcome: .* 0\.1 stands for 10 %"):
            er.wager(plan, "x", forecast=share, date="2024-12-01")
    with pytest.raises(DesignError, match="`date` is no date"):
        er.wager(plan, "x", forecast=0.1, date="soon")
    with pytest.raises(DesignError, match="a wager comes before the start"):
        er.wager(plan, "x", forecast=0.1, date=str(plan.start))
    with pytest.raises(DesignError, match="this plan has a wager"):
        er.wager(er.wager(plan, "x", forecast=0.1, date="2024-12-01"), "y", forecast=0.1, date="2024-12-01")


def test_damaged_plans(plan, tmp_path):
    folder = tmp_path / "plan"
    with pytest.raises(DataError, match="holds no whole plan"):
        er.read_plan(folder)
    er.write_plan(plan, folder)

    def damage(name, old, new, match):
        path = folder / name
        before = path.read_text()
        path.write_text(before.replace(old, new, 1))
        with pytest.raises(DataError, match=match):
            er.read_plan(folder)
        path.write_text(before)

    damage("plan.toml", "format = 1", "format = 9", "of another version")
    damage("plan.toml", "delta = ", "delta: ", "is damaged")
    damage("plan.toml", "outcome = ", "income = ", "is damaged")
    damage("plan.toml", "cost = nan", "cost = -1.0", "`delta` or `cost`")
    damage("plan.toml", "cost = nan", 'cost = "dear"', "`cost` of plan.toml is not a number")
    damage("plan.toml", "reasons = [", "reasons = [1, ", "`reasons` of plan.toml is not a list of texts")
    damage(
        "plan.toml", "[design]", "[design]\nmore = 1", "`design` of plan.toml is not a table of kind, every"
    )
    damage("history.csv", "\n1,", "\n2,", "other shops than plan.toml")
    damage("schedule.csv", ",pause", ",rest", "schedule.csv says something else than post or pause: 20")
    # as spreadsheets save it
    damage(
        "schedule.csv",
        "number,shop,",
        "number;shop,",
        "lacks columns. Allowed: number, shop, first_day",
    )
    damage("schedule.csv", "20", "", "holds days that are no dates. Allowed: dates such as .* saved it")
    damage("schedule.csv", "\n1,", "\n7,", "a period twice or another shop")
    lines = (folder / "schedule.csv").read_text().splitlines(keepends=True)
    (folder / "schedule.csv").write_text("".join([*lines, lines[-1]]))
    with pytest.raises(DataError, match="a period twice"):
        er.read_plan(folder)
    second = lines[1].replace("1,", "1,", 1)
    damaged = er.plan_experiment(weekly(shops=12), weeks=16)
    er.write_plan(damaged, tmp_path / "two")
    text = (tmp_path / "two" / "schedule.csv").read_text().splitlines(keepends=True)
    (tmp_path / "two" / "schedule.csv").write_text("".join(text[:-1]))
    assert second
    with pytest.raises(DataError, match=r"schedule\.csv lacks periods"):
        er.read_plan(tmp_path / "two")


# ------------------------------------------------------------------------------------------------ bad input
def test_impossible_designs():
    with pytest.raises(DesignError, match=r"fewer than 6 groups.*smallest p-value is 0\.0625.*6 or more"):
        er.plan_experiment(weekly(), block=2, weeks=20)
    with pytest.raises(DesignError, match=r"fewer than 6 pairs of shops.*Pause in time"):
        PauseDesign(kind="shops", every="W", block=1, groups=5, lags=(0, 1), periods=12)
    with pytest.raises(UnknownNameError, match="no design 'tme'"):
        PauseDesign(kind="tme", every="W", block=1, groups=6, lags=(0, 1))
    with pytest.raises(UnknownNameError, match="no length of a period 'M'"):
        replace(SIX, every="M")
    for wrong, match in [
        ({"block": 0}, "`block` must be"), ({"size": 3}, "`size` must be"), ({"lags": (2, 1)}, "`lags` must be"),
        ({"washout": 1}, "`washout` must be"), ({"groups": -1}, "`groups` must be 1 or more"),
        ({"groups": 6.0}, "told in whole numbers"), ({"lags": (1, 10**20)}, "told in whole numbers"),
        ({"groups": 4000}, "a plan lasts 20 years at most"),
    ]:  # fmt: skip
        with pytest.raises(DesignError, match=match):
            replace(SIX, **wrong)
    with pytest.raises(DesignError, match="at least 4 periods"):
        PauseDesign(kind="shops", every="W", block=1, groups=6, lags=(0, 1), periods=3)


def test_impossible_requests():
    rows = weekly()
    for options, match in [
        ({"delta": 5}, "`delta` must be a share"),
        ({"cost": -1.0}, "`cost` must not be negative"),
        ({"cost": "dear"}, "`cost` must not be negative"),
        ({"block": 0}, "`block` must be 1 or more periods: 0"),
        ({"lags": (0, 500)}, "`lags` must not be longer than the plan"),
        ({"lags": (5, 2)}, r"the smaller one first: lags = \(5, 2\)\. Choose"),
        ({"lags": 3}, "`lags` must be two whole numbers: 3"),
        ({"weeks": "24"}, "`weeks` is no length"),
        ({"weeks": 2}, "`weeks` is no length"),
        ({"weeks": 10}, "fewer than 6 pairs of blocks fit into the plan"),
        ({"weeks": 16, "block": 4}, "fewer than 6 groups of blocks"),
        ({"block": 30}, "fewer than 6 pairs of blocks fit into a year"),
        ({"design": "shops"}, "fewer than 6 pairs of shops"),
        ({"start": "soon"}, "`start` is no date"),
        ({"start": "2025-01-01"}, r"cannot start on that day.*Use 2025-01-06 \(start=, --start\)"),
        ({"start": "2024-01-01"}, "cannot start on that day.*Use 2024-12-30"),
        ({"entity": "nobody"}, "no such shop.*1 shop"),
        ({"outcome": "sales"}, "No column 'sales'"),
    ]:
        with pytest.raises(er.ErresearchError, match=match):
            er.plan_experiment(rows, **options)
    with pytest.raises(UnknownNameError, match="no design 'weather'"):
        er.plan_experiment(rows, design="weather")
    two = pd.concat([weekly(), weekly(90, shops=2)[90:]])
    with pytest.raises(DesignError, match="end on different days"):
        er.plan_experiment(two, design="time")
    soon, late = (er.plan_experiment(rows, weeks=24, start=day) for day in ("2025-01-13", "2025-06-30"))
    assert str(soon.start) == "2025-01-13"
    old = "The plan begins 27 weeks after the last row of history: plan again with newer rows, if any."
    assert (old in late.reasons, old in soon.reasons) == (True, False)


def test_histories_that_cannot_be_used():
    rows = weekly()
    for bad, match in [
        (rows[:20], "too short to tell the noise: 20 weeks"),
        (rows[:0], "has no rows"),
        (pd.concat([rows, rows[3:5]]), "a period stands twice for one shop: .* and 1 more"),
        (pd.concat([rows, rows[3:4]]), r"a period stands twice for one shop: 20\d\d-\d\d-\d\d\. Allowed"),
        (rows.assign(revenue=0.0), "nowhere above 0"),
        (
            rows.assign(revenue=rows["revenue"].where(rows.index % 4 > 0)),
            "too many periods have no outcome: 26 of 104",
        ),
        (rows.assign(revenue=rows["revenue"] * (rows.index % 4 > 0)), "no revenue to speak of.*by week"),
        (rows.assign(revenue=math.inf), "infinite"),
        (rows.assign(revenue=100.0), "is the same in every period"),
        (rows["revenue"].tolist(), "the history is no table: list"),
        (rows.assign(revenue="many"), "`revenue` holds text"),
        (rows.assign(period="then"), "no date"),
        (
            rows.assign(period=rows["period"].where(rows.index > 0)),
            "`period` is empty in some rows: 1 of 104",
        ),
        (rows.assign(period=pd.date_range("2010-01-31", periods=104, freq="ME")), "neither days nor weeks"),
        (rows.drop(columns="period"), "No column 'period'"),
    ]:
        with pytest.raises(er.ErresearchError, match=match) as caught:
            er.plan_experiment(bad, weeks=24)
        assert "many" not in str(caught.value).replace("too many", "")
        assert "then" not in str(caught.value)


def test_what_is_missing_in_the_history_is_said():
    rows = weekly()
    rows.loc[[5, 6], "revenue"] = np.nan
    rows.loc[10, "revenue"] = 0.0
    plan = er.plan_experiment(rows[:45], weeks=24)
    assert "without an outcome, which do not count: 2." in str(plan)
    assert "which count as a small amount: 1." in str(plan)
    assert "shorter than a year" in str(plan)


def test_rows_that_do_not_fit_the_plan(plan):
    off = np.r_[~plan.schedule.posting[0], False]
    rows = weekly(104 + 13, off=off)
    for bad, match in [
        (rows.assign(entity="another"), "not of the shops of this plan: 1 of 1"),
        (rows.assign(revenue=rows["revenue"][::-1].to_numpy()), "is not the one that the plan was made from"),
        (
            rows.assign(period=rows["period"] + pd.Timedelta("1D")),
            "begin on other days.*time zone and week_start",
        ),
        (rows[:110], "the plan is not over.*6 of 13 periods"),
        (rows.assign(revenue=rows["revenue"].where(rows.index < 104, 0.0)), "next to nothing.*6 of 6"),
        (
            rows.assign(revenue=rows["revenue"].where(~rows.index.isin([105, 106, 110, 113]))),
            "missing in too many",
        ),
        (rows.assign(period=pd.date_range("2023-01-02", periods=len(rows))), "other periods than the plan"),
    ]:
        with pytest.raises(er.ErresearchError, match=match):
            er.judge_experiment(bad, plan)
    with pytest.raises(DesignError, match="`ended` is no date"):
        er.judge_experiment(rows, plan, ended="soon")
    with pytest.raises(DesignError, match="given up before half of it had run"):
        er.judge_experiment(rows, plan, ended=str(plan.start + np.timedelta64(14, "D")))
    unmoved = replace(plan, schedule=replace(plan.schedule, posting=np.ones_like(plan.schedule.posting)))
    with pytest.raises(DataError, match=r"was edited, and no pause .* 6 periods differ .* Take schedule.csv"):
        er.judge_experiment(rows, unmoved)
    empty = np.zeros(0)
    window = Window(np.zeros((2, 1)), np.zeros((2, 1)), np.ones(2, dtype=bool), empty, 1.0, empty)
    with pytest.raises(DesignError, match="no pause that could be compared"):
        draw_again((window,), np.zeros((2, 1, 1, 2)), True)


def test_cautions_are_counted(plan):
    off = np.r_[~plan.schedule.posting[0], False]
    rows = weekly(104 + 13, off=off)
    rows.loc[106, "revenue"] = np.nan
    rows.loc[[3, 4], "revenue"] *= 1.5
    rows.loc[112, "revenue"] = 0.0
    rows.loc[104:, "posts"] = 3
    other = rows.assign(entity="another", revenue=1.0 + rows.index)
    found = {doubt.code: doubt for doubt in er.judge_experiment(pd.concat([rows, other]), plan).doubts}
    assert found["other-shops"].value == 1
    assert found["missing"].value == 1
    assert (found["changed"].value, found["changed"].raised) == (2, False)
    assert found["at-floor"].value == 1
    late = rows.assign(revenue=rows["revenue"].where(rows.index >= 30, 2 * rows["revenue"]))
    assert "changed" in er.judge_experiment(late, plan).certainty.codes  # more than a fifth
    assert found["compliance"].value == 0.5
    assert found["compliance"].raised
    only = er.judge_experiment(rows[104:].drop(columns=["posts", "engagement", "entity"]), plan)
    assert "history: none of it is in these rows" in str(only)
    assert "history-unseen" not in found
    assert only.per_engagement is None
    assert "compliance" not in {doubt.code for doubt in only.doubts}


@pytest.mark.parametrize("every_third", [False, True])
def test_a_plan_that_nobody_kept_is_noticed_however_rare_posts_are(every_third):
    """By day: posts as ever through all pauses; pauses and posts the other way round; one slip."""
    rng = np.random.default_rng(1)
    days = pd.date_range("2023-01-02", periods=364 + 168 + 7)
    usual = (np.arange(len(days)) % 3 == 0) if every_third else np.ones(len(days), bool)
    rows = pd.DataFrame({"period": days, "revenue": 1000 * np.exp(0.1 * rng.standard_normal(len(days)))})
    plan = er.plan_experiment(rows.assign(posts=usual.astype(int))[:364], block=14, lags=(1, 7), weeks=24)
    kept = np.r_[np.ones(364, bool), plan.schedule.posting[0], np.ones(7, bool)]
    slip = kept.copy()
    slip[np.flatnonzero(~kept & usual)[0]] = True
    swapped = np.r_[kept[:364], ~kept[364:-7], kept[-7:]]
    found = {}
    for name, posting in {"kept": kept, "slip": slip, "ignored": kept | True, "swapped": swapped}.items():
        doubts = er.judge_experiment(rows.assign(posts=(usual & posting).astype(int)), plan).doubts
        found[name] = next(doubt for doubt in doubts if doubt.code == "compliance")
    assert [found[name].raised for name in ("kept", "slip", "ignored", "swapped")] == [
        False,
        False,
        True,
        True,
    ]
    values = [found[name].value for name in ("kept", "ignored", "swapped")]
    assert values == pytest.approx([0.0, 0.5, 1.0], abs=0.01)
    assert 0 < found["slip"].value <= 3 / 168


def test_one_look_halfway_and_an_end_for_another_reason(plan):
    long = er.plan_experiment(weekly(), weeks=52, lags=(1, 1), block=1)
    off = np.r_[~long.schedule.posting[0], False]
    rows = weekly(104 + 53, effect=0.3, off=off)
    early = er.judge_experiment(rows[: 104 + 26], long, looking_early=True)
    assert early.early
    assert early.effect.interval.level == 0.999
    with pytest.raises(DesignError, match="is not over"):
        er.judge_experiment(rows[: 104 + 20], long, looking_early=True)
    with pytest.raises(DesignError, match=r"the plan is over, and an early look would decide less"):
        er.judge_experiment(rows, long, looking_early=True)
    with pytest.raises(DesignError, match=r"given up before half of it had run.* 20 of 52 periods"):
        er.judge_experiment(rows, long, ended=str(rows["period"][104 + 20].date()))
    off = np.r_[~plan.schedule.posting[0], False]
    with pytest.raises(DesignError, match=r"can decide nothing: .* a p-value of 0.062 at the least"):
        er.judge_experiment(weekly(104 + 13, off=off)[: 104 + 10], plan, looking_early=True)
    ended = er.judge_experiment(rows, long, ended=str(rows["period"][104 + 30].date()))
    assert "ended-early" in {doubt.code for doubt in ended.doubts if doubt.raised}
    assert ended.effect.n_rows == 30


def test_effects_beyond_the_declared_lags_are_noticed():
    plan = er.plan_experiment(weekly(), weeks=52, lags=(0, 0), block=1)
    rows = weekly(104 + 52, effect=0.4, off=np.r_[~plan.schedule.posting[0]])
    found = {doubt.code: doubt for doubt in er.judge_experiment(rows, plan).doubts}
    assert found["carry-over"].raised


def test_a_response_shorter_than_the_declared_lags_raises_no_doubt_of_later_ones():
    """Posting works by day on the first three of fourteen declared days only, and strongly."""
    days = pd.date_range("2023-01-02", periods=520 + 364 + 14)
    past = 1000 * np.exp(0.1 * np.random.default_rng(0).standard_normal(len(days)))
    history = pd.DataFrame({"period": days, "revenue": past})[:520]
    plan = er.plan_experiment(history, block=14, lags=(1, 14), weeks=52)
    off = np.r_[np.zeros(520, bool), ~plan.schedule.posting[0], np.zeros(14, bool)]
    paused = np.convolve(off, np.r_[0, np.ones(3) / 3])[: len(days)]
    values = []
    for seed in range(1, 21):
        after = 1000 * np.exp(0.1 * np.random.default_rng(seed).standard_normal(len(days)))
        revenue = np.where(np.arange(len(days)) < 520, past, after) * np.exp(-0.5 * paused)
        found = er.judge_experiment(pd.DataFrame({"period": days, "revenue": revenue}), plan)
        values += [doubt.value for doubt in found.doubts if doubt.code == "carry-over"]
    assert np.mean(np.array(values) <= 0.05) <= 0.2
    assert np.median(values) > 0.2


@pytest.mark.parametrize("factor", [30.0, 0.1])
def test_rows_in_another_unit_than_the_history_are_named(plan, factor):
    rows = weekly(104 + 13, effect=0.1, off=np.r_[~plan.schedule.posting[0], False])
    rows.loc[104:, "revenue"] *= factor
    assert "level" not in {doubt.code for doubt in judged(plan, effect=0.1).doubts}
    if factor < 1:  # less than the least of the past: it is refused before
        with pytest.raises(DataError, match="next to nothing"):
            er.judge_experiment(rows, plan)
        return
    (found,) = (doubt for doubt in er.judge_experiment(rows, plan).doubts if doubt.code == "level")
    assert 20 < found.value < 40
    assert re.search(r"^2\d,\d+ in a usual period of the plan, 985 in one of the history", found.text)


def test_a_judgement_reads_as_a_sentence_and_as_a_verdict(plan):
    found = judged(plan, effect=0.4)
    text = str(found)
    assert text.startswith("Posting causes more revenue: supported, certainty moderate.")
    assert "For one more reaction" in text
    assert "what was drawn at random is posting" in text
    assert found.verdict.word == found.word
    assert found.verdict.reason_code == "beyond-zero"
    assert found.certainty.codes == ("randomised", "registration-unproven")
    assert found.verdict.estimate == found.effect
    assert found.money.low > 0
    assert "%" in str(plan.table)
    assert str(plan.start) in repr(plan)
    assert found.verdict.certainty == found.certainty
    one = found.finding
    assert one.estimate.value == found.effect.value
    ends, own = one.estimate.interval, found.effect.interval
    assert_allclose(ends.high - ends.low, own.high - own.low)
    with pytest.raises(DataError, match="is not put together with others"):
        dataclasses.replace(found, early=True).finding  # noqa: B018 - it is refused when it is asked for
    boundless = replace(found.per_engagement, interval=Interval(-math.inf, math.inf))
    text = str(replace(found, per_engagement=boundless))
    assert "What one more reaction brings cannot be told: the pauses moved reactions too little." in text
    nil = dataclasses.replace(plan, delta=0.9)
    assert judged(nil).word == "practically nil"


def test_worlds_of_a_shop_refuse_what_they_cannot_do():
    with pytest.raises(UnknownNameError, match="no world of a shop 'nil'"):
        simulate_shop("nil")
    with pytest.raises(DesignError, match="longer than the table"):
        simulate_shop(days=5, posting=np.ones(6, bool))
    table = simulate_shop("teasers", days=200, posting=np.zeros(100, bool), missed=0.5)
    assert 0 < table["posts"][100:].sum() < table["posts"][:100].sum()
    assert simulate_shop("drift", days=50)["entity"].eq("simulated shop").all()


def test_a_plan_never_takes_the_place_of_other_files(plan, tmp_path):
    for name in ("plan.html", "history.csv"):
        folder = tmp_path / name[:4]
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(DataError, match="something that erresearch did not write"):
            er.write_plan(plan, folder)
        assert [path.name for path in folder.iterdir()] == [name]
        assert (folder / name).read_text() == "mine"
    paths = er.write_plan(plan, tmp_path / "new")
    (tmp_path / "new" / "schedule.csv").write_text("edited")
    with pytest.raises(DataError, match="was changed since erresearch wrote it"):
        er.write_plan(plan, tmp_path / "new")
    assert all(path.is_file() for path in paths)
    with pytest.raises(DataError, match="an input lies in it"):
        er.write_plan(plan, tmp_path / "new", inputs=[paths[2]])


# ------------------------------------------------------------------------------------------------ command line
def test_plan_wager_judge_on_the_command_line(tmp_path, capsys, monkeypatch):
    from erresearch.cli import main

    monkeypatch.chdir(tmp_path)
    weekly().to_csv("panel.csv", index=False)
    assert main(["plan", "panel.csv", "--weeks", "24", "--cost", "50", "--out", "plan"]) == 0
    said = capsys.readouterr().out
    assert "24 weeks you would find" in said
    assert "erresearch wager plan" not in said
    (later,) = re.findall(r"lies in the past: say --start (\d{4}-\d\d-\d\d)", said)
    asked = ["--start", later, "--lags", "1", "2", "--block", "2", "--currency", "EUR"]
    (tmp_path / "audit").mkdir()
    weekly().to_csv("audit/panel.csv", index=False)
    assert main(["plan", "audit", "--out", "unzoned", *asked]) == 0
    assert "does not say in which zone its days were counted" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "audit" / "panel.csv.toml").write_text('zone = "Europe/Berlin"\ncurrency = "EUR"\n')
    assert main(["plan", "audit", "--tz", "Asia/Tokyo", "--out", "later", *asked]) == 2
    assert "another zone than was asked for: Asia/Tokyo. Allowed: Europe/Berlin" in capsys.readouterr().err
    assert main(["plan", "audit", "--out", "later", *asked[:-1], "usd"]) == 2
    assert "amounts in another currency than was asked for: USD. Allowed: EUR" in capsys.readouterr().err
    assert main(["judge", "unzoned", "panel.csv", "--currency", "USD"]) == 2
    assert "hold amounts in another currency than the plan: USD. Allowed: EUR" in capsys.readouterr().err
    assert main(["plan", "audit", "--out", "later", *asked]) == 0
    said = capsys.readouterr().out
    assert f"Next, before {later}: erresearch wager later" in said
    assert "EUR a week four times in five" in " ".join(said.split())
    later_plan = er.read_plan("later")
    assert (later_plan.design.lags, later_plan.currency) == ((1, 2), "EUR")
    assert later_plan.zone == "Europe/Berlin"
    assert main(["plan", "panel.csv", "--outcome", "sales", "--out", "other"]) == 2
    assert "No column 'sales'" in capsys.readouterr().err
    told = ["wager", "plan", "--claim", "Posting sells", "--date", "2024-12-01", "--forecast"]
    assert main([*told, "20%"]) == 2
    assert "'20%' is not a number. Write a share: 0.1 stands for 10 %." in capsys.readouterr().err
    assert main([*told, "0.2"]) == 0
    said = capsys.readouterr().out
    assert "Recorded: revenue +20 %." in said
    digest = said.split()[0]
    plan = er.read_plan("plan")
    assert plan.digest == digest
    off = np.r_[~plan.schedule.posting[0], [False] * plan.design.follow_up]
    weekly(104 + len(off), effect=0.3, off=off).to_csv("after.csv", index=False)
    (tmp_path / "plan" / "notes.txt").write_text("mine")
    for again in (["plan", "panel.csv", "--out", "plan"], ["plan", "panel.csv", "--out", "."]):
        assert main(again) == 2
    assert (tmp_path / "plan" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "panel.csv").is_file()
    (tmp_path / "plan" / "notes.txt").unlink()
    capsys.readouterr()
    assert main(["judge", "plan", "after.csv", "--hash", digest, "--finding", "own.csv"]) == 0
    said = capsys.readouterr().out
    assert "Posting causes more revenue: supported" in said
    assert "proven by the hash" in said
    (one,) = read_findings("own.csv")
    assert (one.name, one.outcome, one.period) == ("shop 00", "revenue", "week")
    assert main(["judge", "plan", "after.csv", "--hash", digest[::-1]]) == 1
    assert "unproven: it differs" in capsys.readouterr().out
    assert main(["judge", "plan", "panel.csv"]) == 2
    assert "the plan is not over" in capsys.readouterr().err
    assert main(["judge", "plan", "after.csv", "--early", "--ended", "soon"]) == 2
    assert "`ended` is no date" in capsys.readouterr().err


def test_plan_from_exports(tmp_path, capsys, monkeypatch):
    from erresearch.cli import main
    from erresearch.worlds import example_exports

    monkeypatch.chdir(tmp_path)
    paths = [str(path) for path in example_exports("exports", weeks=104, effect=0.1, rng=11)]
    posts, orders = (next(path for path in paths if name in path) for name in ("instagram", "orders"))
    assert main(["plan", posts, orders, "--freq", "W", "--weeks", "24"]) == 0
    assert "counted in UTC" in capsys.readouterr().out
    assert main(["plan", posts, "--tz", "UTC"]) == 2
    assert "an experiment needs outcomes: none among the files" in capsys.readouterr().err


def test_a_till_alone_is_planned_and_judged_in_its_own_zone(tmp_path, capsys, monkeypatch):
    """Sales at moments, without any post, over two changes of the clock; the plan keeps the zone."""
    from erresearch.cli import main

    monkeypatch.chdir(tmp_path)
    days = pd.date_range("2024-06-03", periods=364 + 12 * 14 + 14)

    def write(name, days):
        at = days.repeat(4) + pd.to_timedelta(np.tile([0.5, 9.0, 15.0, 23.5], len(days)), unit="h")
        spent = np.random.default_rng(1).lognormal(3, 0.2, len(at)).round(2)
        zoned = at.tz_localize("Europe/Amsterdam").tz_convert("UTC")
        pd.DataFrame({"Sold at": zoned.strftime("%Y-%m-%dT%H:%M:%SZ"), "Paid": spent}).to_csv(
            name, index=False
        )
        (tmp_path / f"{name}.toml").write_text(
            'kind = "outcomes"\ncurrency = "EUR"\ncolumns = { date = "Sold at", amount = "Paid" }\n'
        )

    write("till.csv", days[:364])
    write("later.csv", days)
    asked = ["--tz", "Europe/Amsterdam", "--lags", "1", "14", "--block", "14", "--weeks", "24"]
    assert main(["plan", "till.csv", *asked]) == 0
    plan = er.read_plan("plan")
    assert (plan.zone, str(plan.start), plan.history[0].posts) == ("Europe/Amsterdam", "2025-06-02", None)
    assert (plan.history[0].outcome > 0).all()
    assert not plan.may_look
    assert "A look halfway could decide nothing" in (tmp_path / "plan" / "plan.html").read_text()
    capsys.readouterr()
    assert main(["judge", "plan", "later.csv"]) == 0
    said = capsys.readouterr().out
    assert "counted in UTC" not in said
    assert "nobody knows whether the pauses were kept" in " ".join(said.split())
    assert "history" not in said  # no day of the past has another sum
    assert main(["judge", "plan", "later.csv", "--tz", "Asia/Tokyo"]) == 2
    assert "another zone than the plan: Asia/Tokyo. Allowed: Europe/Amsterdam" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ calibration
def test_the_calibration_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    tool = script("tools/experiments_calibration.py")
    few = [cell for cell in tool.cells() if cell.kind == "week" and cell.weeks == 12][:2]
    monkeypatch.setattr(tool, "cells", lambda: few[:1])
    tool.main(["--draws", "4", "--table", str(tmp_path / "t.csv")])
    monkeypatch.setattr(tool, "cells", lambda: few)
    tool.main(["--draws", "3", "--table", str(tmp_path / "t.csv")])
    found = pd.read_csv(tmp_path / "t.csv")
    assert list(found["draws"]) == [4, 3]
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_stored_table_keeps_its_promises(root):
    found = pd.read_csv(root / "data" / "experiments_calibration.csv")
    error = 3 * np.sqrt(0.05 * 0.95 / found["draws"])
    nothing = found["effect"] == 0
    assert (found["found"] <= 0.05 + error)[nothing].all()
    assert found.loc[nothing & (found["kind"] == "interruption"), "found"].max() <= 0.05
    weekly = found["kind"].isin(["week", "spread over 2", "spread over 4"]) & (found["block"] > 0)
    assert (found["covered"] >= 0.93 - error)[weekly & found["covered"].notna()].all()
    # what was foreseen is found: of declared lags in every cell, and where they were not declared once they are told
    chance = 0.07 + 2 * np.sqrt(found["found"] * (1 - found["found"]) / found["draws"])
    declared = ~nothing & (found["world"] != "drift") & (found["block"] > 0)
    off = (found["found"] - found["foreseen"]).abs()
    assert (off <= chance)[declared].all()
    assert (off <= 0.07)[declared].mean() >= 0.9
    planned = found["block"] == 0
    assert ((found["found"] - found["told"]).abs() <= chance)[planned].all()


def test_a_wrong_block_costs_power_and_the_planner_keeps_the_coverage(root):
    found = pd.read_csv(root / "data" / "experiments_calibration.csv")
    power = found[found["effect"] == 0.2].set_index(["kind", "block", "weeks", "world"])["found"]
    long, short = (power[kind, :, 52, "promotions"] for kind in ("spread over 4", "week"))
    assert long[4] >= long[1] + 0.2
    assert short[1] >= short[4] + 0.1
    planned = found[found["block"] == 0].set_index("kind")["covered"]
    assert planned["week"] >= 0.93
    assert planned["spread over 2"] >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize(
    "world", ["nothing", "promotion, then a dip", "hidden demand", "teaser before a sale"]
)
@pytest.mark.parametrize("weeks", [12, 24])
def test_size_again(world, weeks):
    tool = script("tools/experiments_calibration.py")
    cell = tool.Cell(kind="week", world=world, weeks=weeks, block=1, effect=0.0)
    assert tool.counted(cell, 60).found <= 0.05 + 2 * math.sqrt(0.0475 / 60)
