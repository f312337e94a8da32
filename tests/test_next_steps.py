"""What an audit offers beyond its verdicts: pauses that already happened, and the plan that would settle the rest."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import erresearch as er
from erresearch.audits.next_steps import PlanCode, past_pauses, settling_plan, with_plan
from erresearch.claims.registry import grade
from erresearch.experiments.planning import quick_plan
from erresearch.panel import Panel
from erresearch.results import Certainty, Verdict
from erresearch.results.verdicts import LEVELS
from erresearch.worlds import simulate_shop

WEEKS = pd.date_range("2023-01-02", periods=104, freq="7D")


def weekly(weeks=104, *, shops=1, gaps=(), effect=0.0, wild=0.0):
    """Simulated weeks; posting stops in `gaps` (first week, length), and revenue moves by `effect` there."""
    tables = []
    for shop in range(shops):
        rng = np.random.default_rng(shop)
        level, posts = 0.1 * rng.standard_normal(104), np.full(104, 3)
        if wild:
            level = np.clip(wild * rng.standard_cauchy(104).cumsum(), -30, 30)
        for first, length in gaps:
            posts[first : first + length] = 0
            level[first : first + length] += effect
        rows = {"entity": f"shop {shop}", "period": WEEKS, "revenue": 1000 * np.exp(level), "posts": posts}
        tables.append(pd.DataFrame(rows)[:weeks])
    return panel(pd.concat(tables, ignore_index=True))


def panel(rows, freq="W"):
    return Panel(rows=rows, accounting={}, notes=(), freq=freq, currency="EUR")


# ------------------------------------------------------------------------------------------------ plans
def test_what_stays_open_ends_with_a_plan_in_weeks_and_money():
    plan = settling_plan(weekly())
    assert plan.code == PlanCode.PLAN
    assert "weeks you would find about" in str(plan)
    assert "EUR a week four times in five (er.plan_experiment(panel)); the plan gives the exact" in plan.text
    amount = re.search(r"about ([\d,]+) EUR", plan.text)[1].replace(",", "")
    assert len(amount.rstrip("0")) <= 2
    # the folder holds zone and currency
    away = replace(weekly(), tz="Europe/Amsterdam")
    assert "(erresearch plan 'my audit')" in settling_plan(away, out="my audit").text
    months = settling_plan(panel(weekly().rows, "M"), grain="M")
    assert "with files by day or by week in place of months, erresearch plan FILES --freq W" in months.text
    assert "a week and shop" in settling_plan(weekly(shops=2)).text
    words = {"C01": "inconclusive", "C02": "not judged", "C18": "association only", "C09": "supported"}
    judged = [
        *(Verdict(claim, "shop", word, sesoi=0.05) for claim, word in words.items()),
        Verdict("C07", "shop", "not judged", sesoi=0.05),
    ]
    beside = {verdict.claim: [doubt.code for doubt in verdict.doubts] for verdict in with_plan(judged, plan)}
    assert beside == {"C01": ["plan"], "C02": ["plan"], "C18": ["plan"], "C09": [], "C07": []}
    assert with_plan(judged, settling_plan(None)) == tuple(judged)
    # what is said with a certainty that is very low is open as well
    levels = [replace(judged[0], word="supported", certainty=Certainty(level, 0, (), ())) for level in LEVELS]
    assert [bool(verdict.doubts) for verdict in with_plan(levels, plan)] == [
        level == "very low" for level in LEVELS
    ]


def test_a_pause_that_agrees_is_another_design():
    watched = grade("ordered", ())
    judged = [
        Verdict("C01", "shop", "supported", sesoi=0.05, certainty=watched),
        Verdict("C02", "shop", "supported", sesoi=0.05, certainty=watched),
    ]
    plan, low = settling_plan(None), past_pauses(weekly(gaps=[(60, 4), (80, 6)], effect=-0.6))
    assert {seen.word for _, seen in low.judged} == {"supported"}
    raised, other = with_plan(judged, plan, low)
    assert (watched.level, raised.certainty.level) == ("low", "moderate")
    assert "an independent design agrees" in str(raised.certainty)
    assert other == judged[1]
    # what is not declared still takes its points
    poor = [replace(judged[0], certainty=grade("ordered", ["events-not-declared"]))]
    assert with_plan(poor, plan, low)[0].certainty.level == "low"
    nothing = past_pauses(weekly(gaps=[(60, 4)]))
    assert with_plan(judged, plan, nothing) == tuple(judged)


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (weekly(20), "not-yet", "cannot be planned yet: .* too short to tell the noise: 20 weeks"),
        (panel(weekly().rows, "M"), "not-yet", "plan FILES --freq W says how many weeks"),
        (panel(weekly().rows.drop(columns="revenue")), "not-yet", "with a file of orders or payments"),
        (weekly(wild=1.0), "too-noisy", "not even a year of randomised pauses"),
        (None, "none", "^$"),
    ],
)
def test_why_no_plan_fits(given, code, said):
    plan = settling_plan(given)
    assert plan.code == code
    pytest.importorskip("re").search(said, plan.text) or pytest.fail(plan.text)


def test_the_quick_plan_agrees_with_the_whole_one():
    rows = simulate_shop("promotions", days=730, rng=1)
    began = time.process_time()
    quick = quick_plan(rows)
    took = time.process_time() - began
    whole = er.plan_experiment(rows)
    assert quick.digest == whole.digest
    assert quick.own_power.placebos == 0
    assert quick.own_power.detectable == pytest.approx(whole.own_power.detectable, rel=0.2)
    assert took < 3  # one second where nothing else runs


# ------------------------------------------------------------------------------------------------ pauses
def test_pauses_are_found_and_judged_and_all_that_were_found_are_looks():
    found = past_pauses(weekly(gaps=[(60, 4), (80, 6)], effect=-0.6))
    assert [pause.kind for pause in found.found] == ["gap", "gap"]
    assert all(seen.looks == 2 and seen.word == "supported" for _, seen in found.judged)
    assert found.lines[0].startswith("no posts from 2024-02-26 to before 2024-03-25: revenue was −4")
    assert "against what was expected (low certainty: nobody drew it at random, 2 looks)" in found.lines[0]
    many = past_pauses(weekly(gaps=[(30 + 12 * k, 3 + k) for k in range(6)]))
    assert [len(many.found), len(many.judged)] == [6, 4]
    assert many.lines[-1].startswith("2 more gaps or jumps in posting were found and not judged")
    early = past_pauses(weekly(gaps=[(10, 4)]))
    assert (len(early.found), early.judged) == (1, ())
    assert "not judged" in str(early)


def test_shops_are_named_where_there_are_several():
    found = past_pauses(weekly(shops=2, gaps=[(60, 4)]))
    assert found.several
    assert [line.split(":")[0] for line in found.lines] == ["shop 0", "shop 1"]


def test_nothing_to_look_at():
    rows = weekly().rows
    for given in (
        weekly(),
        panel(rows.drop(columns="posts")),
        panel(rows, "M"),
        panel(rows.assign(revenue=0.0)),
    ):
        assert str(past_pauses(given)) == repr(past_pauses(given)) == "no gap and no jump in posting"
