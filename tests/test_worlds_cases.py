"""Worlds made for one claim: what is planted is there, and the claim's word says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from pandas.testing import assert_frame_equal

from erresearch.claims import claim_named, evidence_for, judge, read_claims
from erresearch.claims.options import without_challenges
from erresearch.errors import DesignError, UnknownNameError
from erresearch.results import WORDS
from erresearch.worlds import CASES, WORLDS, Design, simulate, simulate_panel
from erresearch.worlds.simulation import THRESHOLD

SMALL = {"accounts": 6, "weeks": 30}


def word_in(name: str, seed: int) -> str:
    """Word of the case's claim; pictures and doubts, which do not change it, are left out."""
    claim = claim_named(CASES[name].claim)
    quick = replace(claim, options=without_challenges(claim.options, procedure=claim.procedure))
    table, _ = simulate_panel(name, rng=seed)
    verdict = judge(quick, evidence_for(quick, table, dataset=name), dataset=name, simulated=True)
    assert verdict.simulated
    return verdict.word


@pytest.mark.parametrize("name", CASES)
def test_the_word_is_right(name: str) -> None:
    assert word_in(name, 0) == CASES[name].right


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_word_is_hardly_ever_wrong_over_more_seeds(name: str) -> None:
    truth = simulate_panel(name, rng=0)[1].words[CASES[name].claim]
    words = [word_in(name, seed) for seed in range(1, 44)]
    assert sum(word in truth.right for word in words) >= 39
    assert sum(word in truth.wrong for word in words) <= 3


def test_every_case_is_asked_by_its_claim_and_by_no_other() -> None:
    asked = [(claim.id, world) for claim in read_claims() for world in claim.worlds if world in CASES]
    assert sorted(asked) == sorted((case.claim, name) for name, case in CASES.items())
    assert not set(CASES) & set(WORLDS)


def test_every_case_has_its_counterpart() -> None:
    for name, case in CASES.items():
        claim, way = name.split("-")
        other = CASES[f"{claim}-{'fails' if way == 'holds' else 'holds'}"]
        assert case.claim == claim
        assert (case.right == "supported") == (way == "holds")
        assert case.parameters.keys() == other.parameters.keys()
        assert case.parameters != other.parameters


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_one_simulated_table_and_the_same_for_a_seed(name: str) -> None:
    made, again = simulate(name, rng=3, **SMALL), simulate(name, rng=np.random.default_rng(3), **SMALL)
    table, truth = simulate_panel(name, rng=3, **SMALL)
    assert_frame_equal(made.panel, again.panel)
    assert_frame_equal(made.panel, table)
    assert not made.panel.equals(simulate(name, rng=4, **SMALL).panel)
    assert all(part.attrs["simulated"] for part in (made.posts, made.outcomes, made.panel, table))
    assert (len(made.posts), len(made.outcomes)) == (0, 0)
    assert truth == made.truth
    assert str(truth).startswith(f"Simulated world {name!r}. ")
    assert "{" not in truth.sentence
    assert "simulated" in repr(made)
    expected = truth.words[CASES[name].claim]
    assert {*expected.right, *expected.wrong} <= set(WORDS)
    assert not table.isna().any().any()


def test_what_a_case_cannot_be() -> None:
    with pytest.raises(DesignError, match=r"the world 'C13-holds' has no factors to vary: Design\(.*ar=0\.8"):
        simulate("C13-holds", rng=1, design=Design(ar=0.8))
    with pytest.raises(DesignError, match="`accounts` is too small or no whole number: 1"):
        simulate("C13-holds", rng=1, accounts=1)
    with pytest.raises(DesignError, match="`weeks` is too small or no whole number: 3"):
        simulate_panel("C16-holds", rng=1, weeks=3)
    with pytest.raises(UnknownNameError, match="Did you mean 'C13-holds'"):
        simulate("C13-hold", rng=1)


# --- what was planted, by other software ----------------------------------------------------------------------------


def within(table: pd.DataFrame, x: pd.Series, y: pd.Series, more: pd.Series) -> float:
    """Coefficient of last week's x on y given last week's y and the spend, account and week effects taken out."""
    parts = pd.DataFrame({"x": x, "y1": y, "x2": x.groupby(table["account"]).shift(1)})
    parts = parts.groupby(table["account"]).shift(1).assign(spend=more, y=y)
    known = parts.notna().all(axis=1)
    parts, keys = parts[known], table[known]
    for key in ("account", "week") * 30:
        parts = parts - parts.groupby(keys[key]).transform("mean")
    return float(np.linalg.lstsq(parts.drop(columns="y").to_numpy(), parts["y"].to_numpy(), rcond=None)[0][0])


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("C02-fails", "comments", "revenue"),
        ("C06-holds", "engagement", "conversion_rate"),
        ("C13-holds", "engagement", "reach"),
        ("C14-holds", "posts", "engagement_per_post"),
        ("C18-holds", "engagement", "revenue"),
    ],
)
def test_weekly_effects_are_those_planted(name: str, x: str, y: str) -> None:
    found = []
    for seed in range(4):
        table, truth = simulate_panel(name, rng=seed)
        logs = np.log(table[[x, y, "spend"]])
        found.append(within(table, logs[x], logs[y], logs["spend"]))
    # posts are few and whole, and the rate of conversion is a share of counted orders: both blur a little
    assert np.mean(found) == pytest.approx(truth.parameters["effect"], abs=0.015)


def test_a_list_of_earnings_has_the_exponent_planted() -> None:
    for name in ("C08-holds", "C08-fails"):
        table, truth = simulate_panel(name, rng=1)
        slope = np.polyfit(np.log(table["followers"]), np.log(table["revenue"]), 1)[0]
        assert slope == pytest.approx(truth.parameters["exponent"], abs=0.03)


def test_clicks_follow_views_and_comments_as_planted() -> None:
    for name in ("C04-holds", "C04-fails"):
        table, truth = simulate_panel(name, rng=2)
        sd = (table["comments"] - table["comments"].mean()) / table["comments"].std()
        design = sm.add_constant(pd.DataFrame({"sd": sd, "views": np.log(table["page_views"])}))
        fit = sm.GLM(table["ad_clicks"], design, family=sm.families.Poisson()).fit()
        assert fit.params["sd"] == pytest.approx(truth.parameters["effect"], abs=0.04)
        assert fit.params["views"] == pytest.approx(1.0, abs=0.06)


def test_people_buy_more_often_from_the_threshold_on() -> None:
    shares = {}
    for name in ("C16-holds", "C16-fails"):
        table, _ = simulate_panel(name, rng=3)
        by = table.groupby("interactions")["bought"].mean()
        shares[name] = by[THRESHOLD] - by[THRESHOLD - 1]
    assert shares["C16-holds"] - shares["C16-fails"] == pytest.approx(0.1, abs=0.04)


def test_searches_rank_each_keyword_from_one_on() -> None:
    table, _ = simulate_panel("C12-holds", rng=1, accounts=5, weeks=9)
    for _, rows in table.groupby("keyword"):
        assert sorted(rows["position"]) == list(range(1, 10))


def test_scores_and_rates_are_what_their_columns_give() -> None:
    survey, _ = simulate_panel("C15-holds", rng=1, **SMALL)
    answers = survey[["promoters", "passives", "detractors"]].sum(axis=1)
    assert set(answers) == {150}
    shown = 100 * (survey["promoters"] - survey["detractors"]) / answers
    np.testing.assert_allclose(survey["nps"], shown)
    rates, _ = simulate_panel("C10-holds", rng=1, **SMALL)
    np.testing.assert_allclose(rates["er_by_reach"], rates["engagement"] / rates["reach"])
    bands, _ = simulate_panel("C11-holds", rng=1, **SMALL)
    assert (
        pd.cut(bands["engagement_rate"], [0, 0.01, 0.035, 0.06, 1], right=False).cat.codes == bands["band"]
    ).all()
