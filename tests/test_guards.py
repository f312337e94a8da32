"""Guards: each caught where planted, quiet where not; and lists selected on reactions."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, strategies as st

from erresearch.engine.moments import Moments
from erresearch.errors import DataError, DesignError, GuardError, UnknownNameError
from erresearch.metrics.rates import RateDefinition
from erresearch.robustness import guards, selected_list
from erresearch.robustness.guards import (
    Ratio,
    bare,
    check,
    far_out_periods,
    is_log1p,
    is_rate,
    made_of_predictors,
    read_leaks,
    repeated_outcome,
    says,
    words,
)
from erresearch.worlds import simulate_panel


@pytest.mark.parametrize(
    "other", ["followers", "log followers", "Follower_Count", "lag1 log followers", "ln(followers + 1)"]
)
def test_a_rate_against_its_denominator_is_refused_under_any_spelling(other):
    with pytest.raises(GuardError, match="followers is its denominator"):
        guards.ratio_against_part("log ER", other, definition="M01")


def test_a_rate_against_its_numerator_or_a_ratio_with_the_same_denominator_is_refused():
    with pytest.raises(GuardError, match="likes is in its numerator"):
        guards.ratio_against_part("ER", "likes", definition="M01")
    spend = Ratio(("spend",), "followers")
    with pytest.raises(GuardError, match="share a denominator"):
        guards.ratio_against_part("ER", "spend per follower", definition="M01", other_definition=spend)
    own = RateDefinition("", "sales per reach", ("revenue",), "reach", "post")
    with pytest.raises(GuardError, match="reach is its denominator"):
        guards.ratio_against_part("sales per reach", "reach", definition=own)


@pytest.mark.parametrize("other", ["reach", "revenue", "posts", "spend", "likelihood", "follow-ups"])
def test_a_rate_against_something_else_is_quiet(other):
    guards.ratio_against_part("log ER", f"log {other}", definition="M01")
    guards.ratio_against_part("ER", other, definition="M01", other_definition=Ratio(("revenue",), "reach"))


def test_the_trap_itself_is_as_large_as_the_guard_says():
    rng = np.random.default_rng(0)
    x, y, f = rng.normal(size=(3, 200_000))
    assert np.corrcoef(x - f, f)[0, 1] == pytest.approx(-0.71, abs=0.01)
    assert np.corrcoef(x - f, y - f)[0, 1] == pytest.approx(0.50, abs=0.01)


@pytest.mark.parametrize(
    "column",
    [
        "ER",
        "er_reach",
        "Engagement Rate (%)",
        "engagementRate",
        "log ER",
        "eng. rate",
        "ERF",
        "ERbyReach",
        "engagement %",
        "lag1 interactions per follower",
        "reaction_rt",
    ],
)
def test_a_reported_rate_of_unknown_formula_is_refused(column):
    with pytest.raises(GuardError, match="engagement rate of unknown formula"):
        guards.reported_rate(column)
    guards.reported_rate(column, "M03")


@pytest.mark.parametrize(
    "column",
    [
        "engagement",
        "orders",
        "conversion rate",
        "likes",
        "player",
        "rate",
        "offer",
        "err_count",
        "erp_spend",
        "engagement per post",
        "growth %",
    ],
)
def test_what_is_no_engagement_rate_needs_no_formula(column):
    guards.reported_rate(column)


def test_pooled_definitions_are_refused_and_one_definition_is_not():
    with pytest.raises(GuardError, match="pools rates of 2 different formulas"):
        guards.pooled_definitions("ER", ["M01", "M03", "M01"])
    guards.pooled_definitions("ER", ["M01", "M01"])
    guards.pooled_definitions("ER", [])
    same = [Ratio(("likes", "comments"), "followers"), Ratio(("comments", "likes"), "followers")]
    guards.pooled_definitions("ER", same)


@pytest.mark.parametrize(
    "column",
    [
        "log1p revenue",
        "log (1 + revenue)",
        "ln(revenue+1)",
        "log1p_revenue",
        "log(1 + x)",
        "np.log1p(sales)",
        "asinh(revenue)",
        "arcsinh sales",
        "log(revenue + 0.5)",
        "log (.01 + sales)",
        "ihs_sales",
    ],
)
def test_log1p_is_no_elasticity(column):
    for pair in ((column, "log likes"), ("log likes", column)):
        with pytest.raises(GuardError, match="is no elasticity"):
            guards.log1p_elasticity(*pair)
    guards.log1p_elasticity("log revenue", "log likes")
    for name in ("logistics 1", "log 18+ audience", "log(18+ audience)", "log sales + 12", "log plus 1"):
        assert not is_log1p(name)


@pytest.mark.parametrize(
    ("outcome", "x"),
    [
        ("attributed conversions", "clicks"),
        ("Purchases (7-day click attribution)", "log likes"),
        ("revenue", "PageValues"),
        ("log revenue", "lag1 page_values"),
        ("ROAS", "ad_spend"),
        ("conversion_rate", "sessions"),
        ("total engagement", "likes"),
        ("log likes", "total_engagement"),
        ("revenue", "log revenue"),
        ("Revenue", "log_revenue"),
        ("conversions_7d_click", "ad clicks"),
        ("last_click_revenue", "clicks"),
    ],
)
def test_an_outcome_that_contains_the_predictor_is_refused(outcome, x):
    with pytest.raises(GuardError, match=r"contain one another|cannot explain itself"):
        guards.outcome_contains_predictor(outcome, x)


@pytest.mark.parametrize(
    ("outcome", "x"),
    [
        ("revenue", "likes"),
        ("log revenue", "lag1 log revenue"),
        ("orders", "reach"),
        ("conversion_rate", "likes"),
        ("bounce rate", "PageValues"),
        ("engagement", "followers"),
        ("revenue", "engagement"),
        ("market share", "engagement"),
        ("first day views", "likes"),
    ],
)
def test_columns_recorded_independently_are_quiet(outcome, x):
    guards.outcome_contains_predictor(outcome, x)


def test_the_registry_gives_reasons():
    assert all(leak.why and leak.source and leak.names for leak in read_leaks())


def weekly(seed: int = 0, *, shared: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"account": np.repeat(["ig", "tt", "yt"], 30), "week": np.tile(np.arange(30), 3)})
    table["likes"] = rng.poisson(50, 90)
    one = rng.normal(100, 10, 30)
    table["revenue"] = np.where((table.account != "yt") & shared, one[table.week], rng.normal(100, 10, 90))
    return table


def test_one_revenue_series_on_two_accounts_is_refused_and_own_series_are_not():
    with pytest.raises(GuardError, match="same series on several accounts"):
        repeated_outcome(weekly(shared=True), "revenue", by="account", period="week")
    repeated_outcome(weekly(), "revenue", by="account", period="week")
    # several posts a week, each with the week's revenue beside it
    posts = pd.concat([weekly(shared=True)] * 3)
    with pytest.raises(GuardError, match="accounts 'ig', 'tt'"):
        repeated_outcome(posts, "revenue", by="account", period="week")
    repeated_outcome(pd.concat([weekly()] * 3), "revenue", by="account", period="week")
    with pytest.raises(GuardError, match="a series needs its time"):
        repeated_outcome(weekly(), "revenue", by="account")


@pytest.mark.parametrize("engine", [pd.DataFrame, pl.DataFrame])
def test_rows_without_an_account_are_no_account_with_a_far_out_period(engine):
    rows = {"account": ["a"] * 20 + [None] * 20, "week": [*range(20)] * 2, "revenue": [1.0] * 39 + [500.0]}
    assert far_out_periods(engine(rows), ["revenue"], by="account", time="week") == []
    rows["account"] = ["a"] * 20 + ["b"] * 20
    (doubt,) = far_out_periods(engine(rows), ["revenue"], by="account", time="week")
    assert doubt.code == "one-period"


@pytest.mark.parametrize("unit", ["factor", "shift", "posts"])
def test_one_series_in_two_units_is_refused(unit):
    table = weekly(shared=True)
    other = table.account == "tt"
    if unit == "factor":
        table.loc[other, "revenue"] *= 25.31
    elif unit == "shift":  # a log of it in another currency
        table["revenue"] = np.log(table.revenue.clip(lower=1)) + 3.2 * other
    else:  # a mean over so many posts is the same but for rounding
        table = pd.concat([table, table[other], table[other]])
    with pytest.raises(GuardError, match="accounts 'ig', 'tt'"):
        repeated_outcome(table, "revenue", by="account", period="week")


def test_straight_lines_and_few_values_are_no_repeated_series():
    table = weekly()
    for k, account in enumerate(("ig", "tt", "yt"), start=1):
        own = table.account == account
        table.loc[own, "line"] = 5.0 * k + k * table.week[own]
        table.loc[own, "flag"] = 1.0 * (table.week[own] % 2)
    for outcome in ("line", "flag"):
        repeated_outcome(table, outcome, by="account", period="week")


@pytest.mark.parametrize("engine", ["pandas", "polars", "moments"])
def test_an_outcome_that_its_predictors_give_exactly_is_refused_whatever_it_is_called(engine):
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.gamma(2, 50, size=(40, 3)), columns=["^a$", 'b"', "f"])
    a, b, f = (table[name] for name in table)
    made = {
        "cents": (100 * a + 7, ["^a$"]),
        "sum": (a + 3 * b, ["^a$", 'b"']),
        "log": (np.log(a) - np.log(f), ["^a$", "f"]),
        "power": (4 * a**1.5, ["^a$"]),
        "none": (a + b * rng.normal(size=40), ["^a$", 'b"']),
    }
    for name, (outcome, on) in made.items():
        if engine == "moments" and name in ("log", "power"):
            continue  # moments are looked at as they are
        rows = table.assign(**{"made of it": outcome})
        data = {"pandas": rows, "polars": pl.from_pandas(rows)}.get(
            engine, Moments.from_frame(rows, ["made of it", *on]) if engine == "moments" else None
        )
        if name == "none":
            made_of_predictors(data, "made of it", on)
            continue
        with pytest.raises(GuardError, match="follows exactly from"):
            made_of_predictors(data, "made of it", on)
    few = pd.DataFrame({"bought": [0, 1] * 9, "came": [0, 1] * 9})
    made_of_predictors(few, "bought", ["came"])
    made_of_predictors(table.head(8).assign(y=a), "y", ["^a$"])


@pytest.mark.parametrize("world", ["nil", "effect", "reverse"])
def test_simulated_panels_are_quiet(world):
    panel, _ = simulate_panel(world, accounts=12, rng=3)
    for name in ("revenue", "engagement"):
        panel[f"log {name}"] = np.log(panel[name])
    check("log revenue", ["log engagement"], elasticity=True)
    made_of_predictors(panel, "log revenue", ["log engagement"])
    repeated_outcome(panel, "log revenue", by="account", period="week")


def test_the_first_guard_that_refuses_a_pair_of_columns_is_heard():
    both = {"ER": "M01", "spend share": Ratio(("spend",), "followers")}
    for outcome, on, definitions, wrong in (
        ("log (1 + revenue)", ["ER"], {"ER": ("M01", "M03")}, "'ER' pools rates of 2 different formulas"),
        ("log (1 + revenue)", ["followers"], {}, "the slope of .* on 'followers' is no elasticity"),
        ("log ER", ["log followers"], {}, "'log ER' is an engagement rate of unknown formula"),
        ("log followers", ["log ER"], {"ER": "M01"}, "'log ER' contains 'log followers'"),
        ("attributed conversions", ["likes", "clicks"], {}, "contain one another"),
        ("ER", ["spend share"], both, "'ER' and 'spend share' share a denominator"),
    ):
        with pytest.raises(GuardError, match=wrong):
            check(outcome, on, definitions=definitions, elasticity=True)


def test_an_unknown_formula_is_named():
    with pytest.raises(UnknownNameError, match="There is no rate definition 'M99'"):
        guards.ratio_against_part("ER", "followers", definition="M99")
    with pytest.raises(UnknownNameError, match="There is no rate definition 'm'"):
        check("ER", ["x"], definitions={"ER": "m"})


@given(st.text(max_size=40), st.text(max_size=40))
def test_names_may_be_anything(a, b):
    assert isinstance(words(a), tuple)
    assert bare(bare(a)) == bare(a)
    assert isinstance(is_rate(a) or is_log1p(a), bool)
    assert says(a, b) in (True, False)
    with contextlib.suppress(GuardError):
        check(a, [b], elasticity=True)


@given(
    st.sampled_from(["log ", "lag1 ", "lead2 ", "centered ", "rank of ", "log1p "]),
    st.sampled_from(["followers", "spend"]),
)
def test_what_was_done_to_a_column_is_looked_through(prefix, name):
    assert bare(prefix + "log " + name) == name
    assert bare(f"log(1 + {name})") == bare(f"ln({name} + 1)") == bare(f"log (1 + {name})") == name


def listed(world: str, seed: int, accounts: int = 1500):
    table, _ = simulate_panel(world, accounts=accounts, rng=seed)
    return selected_list(np.log(table.followers), np.log(table.engagement))


@pytest.mark.parametrize("seed", range(4))
def test_a_list_selected_on_reactions_is_caught(seed):
    found = listed("flat-selected-on-reactions", seed)
    assert found.selected
    assert "looks selected on reactions" in str(found)


@pytest.mark.parametrize("world", ["flat", "flat-selected-on-followers", "flat-noisy-followers", "decay"])
@pytest.mark.parametrize("seed", range(4))
def test_a_list_seen_whole_or_selected_on_followers_is_not(world, seed):
    found = listed(world, seed)
    assert not found.selected
    assert "does not look selected" in str(found)
    assert found._repr_markdown_().startswith("**list**")


@pytest.mark.slow
@pytest.mark.parametrize("accounts", [3000, 500, 150])
def test_rates_of_error_of_the_selection_diagnostic(accounts):
    caught = np.mean([listed("flat-selected-on-reactions", s, accounts).selected for s in range(200)])
    assert caught >= (0.85 if accounts < 500 else 0.95)
    for world in ("flat", "flat-selected-on-followers", "flat-noisy-followers", "decay"):
        assert np.mean([listed(world, s, accounts).selected for s in range(200)]) <= 0.06


def test_lists_that_cannot_be_looked_at_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DesignError, match="too short for its edges to be seen"):
        selected_list(rng.normal(size=99), rng.normal(size=99))
    with pytest.raises(DataError, match="differ in length"):
        selected_list(np.zeros(200), np.zeros(201))
    with pytest.raises(DataError, match="followers do not vary"):
        selected_list(np.zeros(200), rng.normal(size=200))
    part = selected_list(np.r_[rng.normal(size=200), np.nan], np.r_[rng.normal(size=200), 1.0])
    assert part.n_rows == 200
    floor = selected_list(rng.normal(size=200), np.zeros(200))
    assert not floor.selected
