"""People held out of a newsletter: against scipy, and planted truths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose

import erresearch as er
from erresearch.errors import DataError, DesignError
from erresearch.experiments import read_holdout, write_holdout


def people(n=4000, seed=1, **extra):
    rng = np.random.default_rng(seed)
    spent = np.where(rng.random(n) < 0.05, rng.exponential(50.0, n), 0.0)
    return pd.DataFrame({"person": [f"p{at}" for at in range(n)], "revenue": spent, **extra})


def test_the_difference_is_that_of_scipy():
    from scipy.stats import ttest_ind

    past = people()
    plan = er.plan_holdout(past, delta=1.0, share=0.3)
    after = people(seed=2)
    held = plan.held(after["person"])
    found = er.judge_holdout(after, plan)
    theirs = ttest_ind(after["revenue"][~held], after["revenue"][held], equal_var=False)
    assert_allclose(found.estimate.pvalue, theirs.pvalue, rtol=1e-9)
    ends = theirs.confidence_interval(0.95)
    assert_allclose([found.interval.low, found.interval.high], [ends.low, ends.high], rtol=1e-9)


@pytest.mark.parametrize("draws", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_nothing_is_found_where_there_is_nothing_and_power_is_as_foreseen(draws):
    past = people()
    plan = er.plan_holdout(past, delta=3.0, share=0.5)
    held = plan.held(past["person"])
    assert abs(held.mean() - 0.5) < 0.03
    words, hits = [], []
    for seed in range(2, 2 + draws):
        rows = people(seed=seed)
        words.append(0.0 not in er.judge_holdout(rows, plan).interval)
        lifted = rows.assign(revenue=rows["revenue"] + plan.detectable * ~held)
        hits.append(er.judge_holdout(lifted, plan).interval.low > 0)
    assert np.mean(words) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / draws)
    assert abs(np.mean(hits) - 0.8) <= 2.5 * np.sqrt(0.8 * 0.2 / draws)


def test_the_lot_follows_from_the_list_alone():
    one, other = (er.plan_holdout(people(seed=seed), delta=2.0) for seed in (1, 2))
    ids = people()["person"]
    assert (one.held(ids) == er.plan_holdout(pl.from_pandas(people()).lazy(), delta=2.0).held(ids)).all()
    assert (one.held(ids) == er.plan_holdout(people()[::-1], delta=2.0).held(ids)).all()
    assert (one.held(ids) != other.held(ids)).any()
    assert one.digest != other.digest
    assert "may be deceived" in str(one)


def test_words_and_cautions():
    past = people()
    plan = er.plan_holdout(past, delta=20.0)
    assert er.judge_holdout(past, plan).word == "practically nil"
    assert er.judge_holdout(past, er.plan_holdout(past, delta=0.01, share=0.5)).word == "inconclusive"
    less = past.assign(revenue=past["revenue"] - 30.0 * ~plan.held(past["person"]))
    assert er.judge_holdout(less, plan).word == "contradicted"
    with pytest.raises(
        DataError, match=r"as many people as the plan, and other ids.*zeros in front included"
    ):
        er.judge_holdout(past.assign(person="0" + past["person"].astype(str)), plan)
    shorter = er.judge_holdout(past[:-1], plan)
    assert {doubt.code for doubt in shorter.doubts if doubt.raised} == {
        "registration-unproven",
        "list-changed",
    }
    assert shorter.certainty.codes == ("randomised", "registration-unproven", "list-changed")


def test_a_plan_is_registered_before_its_first_letter(tmp_path):
    plan = er.plan_holdout(people(), delta=5.0)
    wagered = er.wager(plan, "Letters sell", forecast=6.0, date="2026-01-31")
    assert (wagered.claim, wagered.forecast, wagered.wagered) == ("Letters sell", 6.0, "2026-01-31")
    back = read_holdout(write_holdout(wagered, tmp_path / "holdout.toml"))
    assert back.deposit == wagered.deposit != plan.deposit
    proven = er.judge_holdout(people(seed=2), back, hash=wagered.deposit.upper())
    assert proven.certainty.codes == ("randomised",)
    assert str(proven.doubts[0]) == "registration: proven by the hash of 2026-01-31; expected were 6 a person"
    later = er.wager(plan, "Letters sell", forecast=7.0, date="2026-03-31")
    for found in (later, plan):
        judged = er.judge_holdout(people(seed=2), found, hash=wagered.deposit)
        assert judged.certainty.codes == ("randomised", "registration-unproven")
        assert judged.word == proven.word
    with pytest.raises(DesignError, match="this plan has a wager: of 2026-01-31"):
        er.wager(back, "x", forecast=0.1, date="2026-02-01")


def test_what_it_costs_and_what_it_cannot_find_is_said():
    enough, short = (er.plan_holdout(people(), delta=delta, share=0.5) for delta in (5.0, 0.1))
    assert "Holding them out costs 10,000 of revenue in all if letters bring 5.00 a person" in str(enough)
    assert "missed" not in str(enough)
    assert "0.10 is the smallest effect of interest, which would be missed more often" in str(short)


def test_what_cannot_be_planned_or_judged():
    past = people()
    plan = er.plan_holdout(past, delta=2.0, share=0.1)
    with pytest.raises(DesignError, match="`delta` must be positive"):
        er.plan_holdout(past, delta=0.0)
    with pytest.raises(DesignError, match="`share` must lie between"):
        er.plan_holdout(past, delta=1.0, share=1.0)
    with pytest.raises(DesignError, match="too few people would be on one side: 90 people"):
        er.plan_holdout(past[:90], delta=1.0)
    with pytest.raises(DesignError, match="too few people are on one side"):
        er.judge_holdout(past[:100], plan)
    for bad, match in [
        (pd.concat([past, past[:2]]), "a person stands twice: 2 rows too many"),
        (past.assign(revenue="lots"), "`revenue` holds text"),
        (
            past.assign(revenue=past["revenue"].where(past.index > 0)),
            "empty or infinite for some people: 1 of 4,000",
        ),
        (past.drop(columns="person"), "No column 'person' in the list of people"),
        ([past], "the list of people is no table: list"),
    ]:
        with pytest.raises(er.ErresearchError, match=match) as caught:
            er.judge_holdout(bad, plan)
        assert "lots" not in str(caught.value)
        assert isinstance(caught.value, DataError | er.ErresearchError)


def test_a_plan_comes_back_from_its_file(tmp_path):
    plan = er.plan_holdout(people(), delta=0.5)
    path = write_holdout(plan, tmp_path / "holdout.toml")
    assert read_holdout(path) == plan
    text = path.read_text()
    for old, new, said in (
        ("format = 1", "format = 2", "another version"),
        ("people = ", 'people = "x"  # ', "`people` of holdout.toml is not a whole number"),
        ("share = ", "share = 9", "another version, or a share"),
        ("digest", "digst", "holdout.toml is not a table of outcome, person"),
    ):
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(DataError, match=f"a file of this plan is damaged: {said}"):
            read_holdout(path)


def test_hold_out_and_judge_on_the_command_line(tmp_path, capsys, monkeypatch):
    from erresearch.cli import main

    monkeypatch.chdir(tmp_path)
    before = people()
    before.to_csv("people.csv", index=False)
    assert main(["holdout", "people.csv", "--delta", "0.5", "--list", "held.txt"]) == 0
    said = capsys.readouterr().out
    assert "get no letters, drawn at random" in said
    assert "Written: holdout.toml, held.txt" in said
    assert 'erresearch wager holdout.toml --claim "..." --forecast 0.5' in said
    assert main(["wager", "holdout.toml", "--claim", "Letters sell", "--forecast", "0.5"]) == 0
    deposited = capsys.readouterr().out.split()[0]
    plan = read_holdout("holdout.toml")
    held = plan.held(before["person"])
    assert (tmp_path / "held.txt").read_text().split() == [str(one) for one in before["person"][held]]
    after = before.assign(revenue=before["revenue"] + 3.0 * ~held)
    after.to_csv("after.csv", index=False)
    assert main(["holdout", "after.csv", "--judge", "holdout.toml", "--hash", deposited]) == 0
    said = capsys.readouterr().out
    assert "letters bring revenue on after.csv: supported, certainty high" in said
    assert "where 4,000 get letters" in said
    assert "proven by the hash of" in said
    after[:-9].to_csv("less.csv", index=False)
    assert main(["holdout", "less.csv", "--judge", "holdout.toml", "--hash", deposited[::-1]]) == 1
    said = capsys.readouterr().out
    assert "certainty low" in said
    assert "unproven: it differs" in said
    assert "the list changed" in said
    again = ["wager", "holdout.toml", "--claim", "x", "--forecast", "1", "--out"]
    assert main([*again, "people.csv"]) == 2
    assert "has a wager" in capsys.readouterr().err
    assert main(["holdout", "people.csv", "--delta", "0.5", "--out", "other.toml"]) == 0
    capsys.readouterr()
    assert main(["wager", "other.toml", *again[2:], "people.csv"]) == 2
    assert "erresearch did not write" in capsys.readouterr().err
    for wrong, said in (
        (["people.csv"], "say what to do"),
        (["none.csv", "--delta", "1"], "the table of people cannot be read: No such file"),
        (["people.csv", "--delta", "1", "--out", "people.csv"], "would replace an input"),
        (["people.csv", "--delta", "1", "--list", "held.txt"], "did not write"),
        (["people.csv", "--delta", "1", "--person", "who"], "(--person, --outcome)"),
    ):
        assert main(["holdout", *wrong]) == 2
        assert said in capsys.readouterr().err
