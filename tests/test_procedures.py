"""How each kind of claim is estimated, against other software, closed forms and planted truths."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from claim_samples import shop

from erresearch import datasets
from erresearch.claims import Claim, claim_named, evidence_for, examine, judge
from erresearch.claims.options import without_challenges
from erresearch.claims.packing import make_pack, read_pack, write_pack
from erresearch.claims.procedures import people as procedure
from erresearch.claims.procedures.people import group_moments, largest_jump, threshold_moments
from erresearch.claims.variables import Declared, cast_roles
from erresearch.errors import DataError, DesignError
from erresearch.results import StudentT
from erresearch.worlds import simulate, simulate_panel


@pytest.mark.parametrize(("claim", "outcome"), [("C06b", "conversion"), ("C06c", "spend")])
def test_two_groups_are_a_regression_with_hc3(claim, outcome) -> None:
    table = shop()
    found = evidence_for(claim_named(claim), table, dataset="shop").estimate
    mailed = sm.add_constant((table["segment"] != "No E-Mail").astype(float).to_numpy())
    fit = sm.OLS(table[outcome].to_numpy(), mailed).fit(cov_type="HC3")
    assert found.value == pytest.approx(fit.params[1], rel=1e-10)
    assert found.se == pytest.approx(fit.bse[1], rel=1e-10)
    assert found.n_rows == len(table)


def test_the_naive_comparison_stands_beside_the_experiment() -> None:
    table = shop()
    evidence = evidence_for(claim_named("C06c"), table, dataset="shop")
    naive = next(doubt for doubt in evidence.doubts if doubt.name == "the naive comparison")
    means = table.groupby("visit")["spend"].mean()
    assert naive.value == pytest.approx(means[1] - means[0], rel=1e-10)
    assert f"r = {table['visit'].corr(table['spend']):.2f}" in naive.text


def test_whether_rather_than_how_much() -> None:
    table = shop(20_000, lift=0.2)
    found = evidence_for(claim_named("F02"), table, dataset="shop").estimate
    mailed = table["segment"] != "No E-Mail"

    def theta(rows: pd.DataFrame, group: pd.Series) -> float:
        a, b = ((rows[group == g]) for g in (True, False))
        ratio = math.log(a["conversion"].mean() / b["conversion"].mean())
        return 2 * ratio - math.log(a["spend"].mean() / b["spend"].mean())

    assert found.value == pytest.approx(theta(table, mailed), rel=1e-10)
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(200):
        rows = rng.integers(len(table), size=len(table))
        draws.append(theta(table.iloc[rows].reset_index(drop=True), mailed.iloc[rows].reset_index(drop=True)))
    assert found.se == pytest.approx(np.std(draws), rel=0.2)
    # twice as many visit, and each who buys spends as before
    assert 0.6931 in found.interval


def test_a_cut_leaves_missing_values_out() -> None:
    table = pd.DataFrame({"engaged": [0, 1, 2, None, math.nan, 0] * 20, "bought": [0, 1, 1, 1, 1, 0] * 20})
    table["bought"] = (table["bought"] + np.arange(120) % 7 == 0).astype(int)
    evidence = evidence_for(claim_named("C03"), table)
    assert evidence.estimate.n_rows == 80
    assert any(doubt.value == 40 for doubt in evidence.doubts if doubt.name == "rows left out")


def test_the_groups_of_a_missing_arm() -> None:
    table = shop(600)
    table.loc[:9, "segment"] = None
    moments = group_moments(cast_roles(claim_named("C06b"), table, dataset="shop"))
    assert moments.rows == 590
    assert moments.keys.tolist() == ["0", "1"]


def test_groups_that_are_none() -> None:
    table = shop(100).assign(segment="No E-Mail")
    with pytest.raises(DataError, match=r"'segment' does not make two groups.*100 rows"):
        evidence_for(claim_named("C06b"), table)
    nobody = shop(100).assign(conversion=0, spend=0.0)
    with pytest.raises(DataError, match="need buyers in both groups"):
        evidence_for(claim_named("F02"), nobody)


def test_the_long_run_of_a_planted_effect() -> None:
    # an elasticity of .10, and .5 of last week's log revenue carries over: .10 / (1 − .5)
    simulation = simulate("effect", rng=3)
    claim = claim_named("C18")
    estimate = evidence_for(claim, simulation.panel).estimate
    assert 0.20 in estimate.at(0.99).interval
    nil = evidence_for(claim, simulate("nil", rng=3).panel).estimate
    assert 0.0 in nil.at(0.99).interval


def test_what_pays_off_needs_its_placebo() -> None:
    claim = claim_named("C18")
    found = evidence_for(claim, simulate("effect", rng=3).panel)
    assert claim.arrow
    assert judge(claim, found).word == "supported"
    nothing, much = (
        replace(found.estimate, value=v, se=0.01, interval=t.interval(0.95), reference=t)
        for v, t in ((0.0, StudentT(0.0, 0.01, 39)), (2.0, StudentT(2.0, 0.01, 39)))
    )
    for closed in ({"over_lead": nothing}, {"reverse": much}):
        shut = replace(found, order=replace(found.order, **closed))
        assert judge(claim, shut).word == "association only"


def test_the_long_run_against_dummies() -> None:
    panel, _ = simulate_panel("effect", accounts=8, weeks=40, rng=2)
    claim = replace(claim_named("C18"), options={"logs": ["x", "y"], "log1p": [], "controls": [], "lags": 1})
    found = evidence_for(claim, panel).estimate
    panel = panel.sort_values(["account", "week"])
    logs = np.log(panel[["engagement", "revenue"]])
    past = logs.groupby(panel["account"]).shift(1)
    design = pd.concat([past, pd.get_dummies(panel[["account", "week"]].astype(str), dtype=float)], axis=1)
    known = past.notna().all(axis=1)
    fit = np.linalg.lstsq(design[known].to_numpy(), logs.loc[known, "revenue"].to_numpy(), rcond=None)[0]
    assert found.value == pytest.approx(fit[0] / (1 - fit[1]), rel=1e-8)


def test_the_long_run_holds_declared_events() -> None:
    # against dummies, with each shop's own event one week ahead, now and one week late
    panel, _ = simulate_panel("effect", accounts=8, weeks=40, rng=2)
    panel = panel.sort_values(["account", "week"], ignore_index=True)
    own = panel.groupby("account").nth([11, 25, 33])
    events = pd.DataFrame({"start": own["week"], "name": "sale", "entity": own["account"], "kind": "pulse"})
    panel.loc[own.index, "revenue"] *= 1.5
    claim = replace(claim_named("C18"), options={"logs": ["x", "y"], "log1p": [], "controls": [], "lags": 1})
    found = evidence_for(claim, panel, declared=Declared(events=events)).estimate
    flag = pd.Series(0.0, panel.index)
    flag[own.index] = 1.0
    by = panel["account"]
    logs = np.log(panel[["engagement", "revenue"]])
    held = pd.concat([flag.groupby(by).shift(step) for step in (-1, 0, 1)], axis=1)
    design = pd.concat(
        [
            logs.groupby(by).shift(1),
            held,
            pd.get_dummies(panel[["account", "week"]].astype(str), dtype=float),
        ],
        axis=1,
    )
    known = design.notna().all(axis=1)
    fit = np.linalg.lstsq(design[known].to_numpy(), logs.loc[known, "revenue"].to_numpy(), rcond=None)[0]
    assert found.value == pytest.approx(fit[0] / (1 - fit[1]), rel=1e-8)
    # an event of all shops in one week is an effect of its week already
    common = Declared(events=events.drop(columns="entity").head(1))
    without = evidence_for(claim, panel).estimate
    assert evidence_for(claim, panel, declared=common).estimate.value == pytest.approx(without.value, rel=0.2)


def test_a_long_run_that_does_not_exist() -> None:
    rng = np.random.default_rng(0)
    grid = pd.MultiIndex.from_product([[f"a{i}" for i in range(8)], range(40)], names=["account", "week"])
    panel = pd.DataFrame({"engagement": rng.lognormal(size=320)}, index=grid).reset_index()
    growing = rng.normal(size=(8, 1)) * 1.05 ** np.arange(40) + rng.normal(0, 0.001, (8, 40))
    panel["revenue"] = np.exp(growing).ravel()
    claim = replace(claim_named("C18"), options={"logs": ["x", "y"], "log1p": [], "controls": [], "lags": 1})
    panel["spend"] = 1.0
    with pytest.raises(DesignError, match=r"'log revenue' has no long run: shocks do not fade"):
        evidence_for(claim, panel)


def test_distance_is_a_slope_of_correlations_with_a_jackknife() -> None:
    rng = np.random.default_rng(4)
    sales = rng.normal(size=60)
    names = {"fandango_votes": 0.2, "imdb_votes": 0.6, "likes": 1.2, "metacritic": 3.0}
    table = pd.DataFrame({name: np.exp(sales + noise * rng.normal(size=60)) for name, noise in names.items()})
    table["gross"] = np.exp(sales)
    evidence = evidence_for(claim_named("F01"), table)
    logs = np.log(table)

    def slope(rows: pd.DataFrame) -> float:
        r = [rows[name].corr(rows["gross"]) for name in names]
        return -float(np.polyfit([1, 2, 3, 4], r, 1)[0])

    left = np.array([slope(logs.drop(index=i)) for i in range(60)])
    assert evidence.estimate.value == pytest.approx(slope(logs), rel=1e-10)
    assert evidence.estimate.se == pytest.approx(math.sqrt(59 / 60 * np.sum((left - left.mean()) ** 2)))
    assert list(evidence.result) == ["metacritic", "likes", "imdb_votes", "fandango_votes"]
    with pytest.raises(DesignError, match=r"too few rows for correlations.*9 complete rows"):
        evidence_for(claim_named("F01"), table.head(9))


def test_a_mix_is_judged_on_its_likes() -> None:
    rng = np.random.default_rng(5)
    counts = rng.poisson([300, 40, 20], size=(400, 3)) + 1
    table = pd.DataFrame(counts, columns=["likes", "comments", "shares"])
    table["reach"] = rng.lognormal(8, 0.3, 400)
    table["spend"] = rng.lognormal(3, 0.3, 400)
    table["revenue"] = rng.poisson(5 * (table["likes"] / np.sqrt(table["comments"] * table["shares"])) ** 0.8)
    (verdict,) = examine("C17", {"shop": table})
    assert verdict.word == "contradicted"
    assert verdict.estimate.name == "likes against the other actions"


def test_a_column_made_from_the_outcome_is_refused() -> None:
    claim = replace(claim_named("C03b"), roles={**claim_named("C03b").roles, "x": ("page_values",)})
    table = pd.DataFrame({"purchase": [0, 1] * 50, "page_values": range(100)})
    table = table.assign(product_related=1.0, bounce_rate=0.1, special_day=0.0)
    (verdict,) = examine(claim, {"sessions": table})
    assert verdict.word == "not judged"
    assert "page_values" in verdict.reason


def test_every_claim_of_accounts_over_weeks_can_be_judged_where_its_columns_are() -> None:
    panel, _ = simulate_panel("effect", accounts=10, weeks=60, rng=7)
    panel = panel.assign(
        conversion_rate=panel["conversions"] / panel["sessions"],
        engagement_per_post=panel["engagement"] / panel["posts"].clip(lower=1),
        posts=panel["posts"] + 1,
        article=panel["account"],
        ad_clicks=panel["clicks"],
        page_views=panel["sessions"],
    )
    for name in ("C04", "C06", "C13", "C14"):
        found = evidence_for(claim_named(name), panel)
        assert found.estimate.interval.bounded, name


def test_where_nobody_or_nothing_differs_there_is_no_naive_comparison() -> None:
    table = shop(200).assign(visit=1)
    found = evidence_for(claim_named("C06b"), table)
    naive = next(doubt for doubt in found.doubts if doubt.name == "the naive comparison")
    assert naive.text == "everybody has visit or nobody, or conversion is the same in all rows"


# --- a threshold ----------------------------------------------------------------------------------------------------

THRESHOLD = claim_named("C16")


def people(seed: int = 0, each: int = 100, **changes) -> pd.DataFrame:
    return simulate_panel("C16-holds", rng=seed, accounts=40, weeks=each)[0].assign(**changes)


def at_six(**more) -> Claim:
    return replace(THRESHOLD, options={"cut": 6, **more})


def test_a_stated_threshold_is_a_regression_with_a_jackknife_of_accounts() -> None:
    table = people()
    found = evidence_for(at_six(), table).estimate
    log = np.log1p(table["interactions"])
    curve = (log - log.mean()) / log.std(ddof=0)
    design = np.column_stack([curve**power for power in range(5)] + [table["interactions"] >= 6])
    outcome = table["bought"].to_numpy(float)
    jump = np.linalg.lstsq(design, outcome, rcond=None)[0][-1]
    left = [
        np.linalg.lstsq(design[keep], outcome[keep], rcond=None)[0][-1]
        for keep in (table["shop"].to_numpy() != shop for shop in table["shop"].unique())
    ]
    assert found.value == pytest.approx(jump, rel=1e-8)
    assert found.se == pytest.approx(math.sqrt(39 / 40 * np.sum((np.array(left) - jump) ** 2)), rel=1e-6)
    assert (found.df, found.n_rows, found.n_accounts) == (39, len(table), 40)


def test_an_unstated_threshold_is_chosen_on_the_other_half() -> None:
    table = people(each=300)
    evidence = evidence_for(THRESHOLD, table)
    moments = threshold_moments(cast_roles(THRESHOLD, table, dataset="x"))
    places = [name for name in moments.columns if "≥" in name]
    assert f"over {len(places)} places" in next(
        d.text for d in evidence.doubts if d.name == "a jump anywhere"
    )
    digests = sorted(moments.keys, key=lambda key: hashlib.sha256(f"half:{key}".encode()).digest())
    halves = [table[table["shop"].isin(digests[start::2])] for start in (0, 1)]
    log = np.log1p(table["interactions"])
    curve = (log - log.mean()) / log.std(ddof=0)
    powers = np.column_stack([curve**power for power in range(5)])
    found = []
    for own, other in (halves, halves[::-1]):
        scores = {}
        for place in (int(name.rsplit(" ", 1)[1]) for name in places):
            rest = powers[other.index]
            flag = (other["interactions"] >= place).to_numpy(float)
            flag = flag - rest @ np.linalg.lstsq(rest, flag, rcond=None)[0]
            bought = other["bought"].to_numpy(float)
            residual = bought - rest @ np.linalg.lstsq(rest, bought, rcond=None)[0]
            score = pd.Series(flag * residual).groupby(other["shop"].to_numpy()).sum()
            scores[place] = score.sum() / math.sqrt((score**2).sum())
        chosen = max(scores, key=scores.__getitem__)
        design = np.column_stack([powers[own.index], own["interactions"] >= chosen])
        found.append(np.linalg.lstsq(design, own["bought"].to_numpy(float), rcond=None)[0][-1])
    assert evidence.estimate.value == pytest.approx(np.mean(found), rel=1e-8)
    assert evidence.clusters == 40


def test_where_people_have_no_shop_strata_of_rows_stand_in() -> None:
    table = people(each=300)
    rows = evidence_for(at_six(), table.drop(columns="shop"))
    shops = evidence_for(at_six(), table).estimate
    assert rows.estimate.value == pytest.approx(shops.value, rel=1e-8)
    assert rows.estimate.se == pytest.approx(shops.se, rel=0.4)
    assert rows.clusters == 0
    chosen = evidence_for(THRESHOLD, table.drop(columns="shop")).estimate
    assert "50 strata of rows" in chosen.method
    assert chosen.n_accounts == 0


def test_the_largest_score_keeps_its_level_where_nothing_jumps() -> None:
    rejected = 0
    for seed in range(20):
        table, _ = simulate_panel("C16-fails", rng=seed, accounts=40, weeks=60)
        moments = threshold_moments(cast_roles(THRESHOLD, table, dataset="x"))
        places = [name for name in moments.columns if "≥" in name]
        powers = [name for name in moments.columns[:-1] if name not in places]
        statistics, pvalue = largest_jump(moments, places, powers, draws=399)
        assert statistics.shape == (len(places),)
        rejected += pvalue <= 0.05
    # 1 of 20 is expected; 6 or more would happen once in 3,000 times
    assert rejected < 6


def test_a_jump_that_a_curve_would_do_as_well_is_not_supported(monkeypatch) -> None:
    table = people(each=300)
    assert judge(THRESHOLD, evidence_for(THRESHOLD, table)).word == "supported"
    several = procedure.largest_jump
    monkeypatch.setattr(procedure, "largest_jump", lambda *a, **k: (several(*a, **k)[0], 0.3))
    verdict = judge(THRESHOLD, evidence_for(THRESHOLD, table))
    assert verdict.word == "inconclusive"
    assert verdict.reason == "a jump somewhere cannot be told from a smooth curve (sup-score p = 0.3)"


def test_a_threshold_needs_accounts_to_choose_and_to_judge() -> None:
    few = evidence_for(THRESHOLD, people(each=300).query("shop < 'shop-11'"))
    assert few.barrier == "10 accounts: two halves of 6 or more are needed to choose and to judge"
    assert judge(THRESHOLD, few).word == "inconclusive"


def test_people_left_out_of_a_threshold_are_counted() -> None:
    table = people()
    table["bought"] = table["bought"].astype(float)
    table.loc[:4, "bought"] = np.nan
    evidence = evidence_for(at_six(), table)
    left = next(doubt for doubt in evidence.doubts if doubt.name == "rows left out")
    assert (left.value, evidence.estimate.n_rows) == (5, len(table) - 5)


def test_thresholds_that_cannot_be_seen() -> None:
    with pytest.raises(
        DataError, match=r"'interactions' counts interactions and cannot be negative: 4,000 of"
    ):
        evidence_for(THRESHOLD, people(interactions=-1))
    with pytest.raises(DesignError, match=r"no place at which a jump could be seen: 1 different number"):
        evidence_for(THRESHOLD, people(interactions=3))
    with pytest.raises(DesignError, match=r"no place at which a jump could be seen.*rows on either side"):
        evidence_for(replace(THRESHOLD, options={"cut": 10_000}), people())


def test_a_pack_of_a_threshold_says_what_its_rows_say(tmp_path) -> None:
    table = (
        people(each=300)
        .drop(columns="shop")
        .rename(columns={"interactions": "product_related", "bought": "purchase"})
    )
    table.attrs = {}
    made = make_pack("online-shoppers", table, claims=[THRESHOLD])
    pack = read_pack(write_pack(made, tmp_path / "online-shoppers.npz"))
    (rows,) = examine("C16", {"online-shoppers": table})
    (packed,) = examine("C16", {"online-shoppers": pack})
    assert (rows.evidence, packed.evidence) == ("from rows", "from pack")
    assert (packed.words, str(packed.estimate)) == (rows.words, str(rows.estimate))
    assert [doubt.text for doubt in packed.doubts] == [doubt.text for doubt in rows.doubts]


def test_weeks_left_out_are_counted_beside_every_claim_about_weeks() -> None:
    panel = {
        name: simulate_panel(f"{name}-holds", rng=1, accounts=8, weeks=60)[0]
        for name in ("C06", "C15", "C18")
    }
    spoilt = {"C06": "conversion_rate", "C15": "nps", "C18": "revenue"}
    for name, table in panel.items():
        table[spoilt[name]] = table[spoilt[name]].astype(float)
        table.loc[5:9, spoilt[name]] = np.nan
        claim = claim_named(name)
        quick = replace(claim, options=without_challenges(claim.options, procedure=claim.procedure))
        left = next(d for d in evidence_for(quick, table).doubts if d.name == "rows left out")
        assert "without the earlier and later rows asked for" in left.text
        assert left.value >= 5


def test_a_year_without_one_conversion_has_no_rate_to_explain() -> None:
    panel, _ = simulate_panel("C06-holds", rng=1, accounts=8, weeks=60)
    nothing = panel.assign(conversions=0, conversion_rate=0.0)
    with pytest.raises(DataError, match=r"no row has all the earlier .*480 not finite: log conversion_rate"):
        evidence_for(claim_named("C06"), nothing)


def tiers(slopes: dict[str, float], platform: str = "Instagram", noise: float = 0.02) -> pd.DataFrame:
    """Simulated published rates: each source falls by its slope from tier to tier, and has its own level."""
    rng = np.random.default_rng(5)
    ends = [(0, 1e3), (1e3, 1e4), (1e4, 1e5), (1e5, 1e6), (1e6, np.nan)]
    rows = []
    for source, slope in slopes.items():
        level = rng.normal()
        for low, high in ends:
            middle = high / 2 if low == 0 else 2.5 * low if np.isnan(high) else np.sqrt(low * high)
            rate = np.exp(level - slope * np.log(middle) + rng.normal(0, noise))
            rows.append([source, "likes/followers", platform, low, high, rate])
    columns = ["source", "er_definition", "platform", "tier_low", "tier_high", "er_percent"]
    return pd.DataFrame(rows, columns=columns)


def test_published_tiers_give_the_planted_fall_source_by_source() -> None:
    table = tiers({f"s{i}": 0.2 + 0.02 * (i % 3 - 1) for i in range(8)})
    other = tiers({"t": 0.05}, platform="TikTok")
    whole = pd.DataFrame([["u", "x", "Instagram", None, None, 3.0]], columns=table.columns)
    evidence = evidence_for(claim_named("C07b"), pd.concat([table, other, whole]), dataset="tiers")
    assert evidence.estimate.value == pytest.approx(0.2, abs=0.01)
    assert (evidence.estimate.n_rows, evidence.clusters) == (40, 8)
    doubts = {doubt.name: doubt.text for doubt in evidence.doubts}
    assert doubts["on TikTok"].endswith("in the only source")
    assert {"below 30,000 followers", "above 30,000 followers", "below 100,000 followers"} <= doubts.keys()
    assert ", 8 sources" in doubts["above 100,000 followers"]
    # two definitions of one source are one witness
    twice = pd.concat([table, table.assign(er_definition="reactions/followers")])
    again = evidence_for(claim_named("C07b"), twice, dataset="tiers")
    assert again.estimate.value == pytest.approx(evidence.estimate.value, rel=1e-9)
    assert again.clusters == 8


def test_the_shipped_tiers_give_the_figure_found_before() -> None:
    found = evidence_for(
        claim_named("C07b"), datasets.load("er-benchmarks"), dataset="er-benchmarks"
    ).estimate
    # clustered by source before: .192 [.168, .216] over 51 rows
    assert found.value == pytest.approx(0.192, abs=0.003)
    assert found.n_rows == 51


def test_tiers_of_one_source_are_refused() -> None:
    with pytest.raises(DesignError, match="published tiers need two sources or more: 1 with two tiers"):
        evidence_for(claim_named("C07b"), tiers({"only": 0.2}), dataset="tiers")


def test_one_shop_has_a_long_run_with_a_trend_and_a_season() -> None:
    rng = np.random.default_rng(8)
    weeks = pd.date_range("2020-01-06", periods=220, freq="7D").strftime("%Y-%m-%d")
    talk, sales = np.zeros(220), np.zeros(220)
    for t in range(1, 220):
        talk[t] = 0.3 * talk[t - 1] + rng.normal()
        sales[t] = 0.5 * sales[t - 1] + 0.4 * talk[t - 1] + rng.normal(0, 0.3)
    table = pd.DataFrame(
        {"account": "one", "week": weeks, "engagement": np.exp(talk), "revenue": np.exp(sales)}
    )
    evidence = evidence_for(claim_named("C18"), table, dataset="one")
    assert 0.8 in evidence.estimate.interval  # .4 / (1 - .5)
    assert evidence.clusters == 0
    assert evidence.estimate.n_accounts == 1
