"""Worlds: the tables fit together, and what was planted is what good methods find and naive ones miss."""

from __future__ import annotations

import dataclasses
import math
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from erresearch.errors import DesignError, UnknownNameError
from erresearch.results import WORDS
from erresearch.schema import OUTCOMES, POSTS, validate
from erresearch.worlds import (
    WORLDS,
    Design,
    PanelWorld,
    Simulation,
    example_exports,
    simulate,
    simulate_panel,
)

PANELS = sorted(name for name, world in WORLDS.items() if isinstance(world, PanelWorld))
LISTS = sorted(set(WORLDS) - set(PANELS))
REACTIONS = ["likes", "comments", "shares", "saves"]
PANEL_COLUMNS = ["account", "week", "posts", "followers", "reach", *REACTIONS, "clicks", "engagement"]
SALES = ["spend", "sessions", "conversions", "revenue"]


def small(world: str, rng: int | np.random.Generator = 5) -> Simulation:
    return simulate(world, accounts=6, weeks=20 if world in PANELS else 4, rng=rng)


def logs(panel: pd.DataFrame) -> pd.DataFrame:
    """Logs with their lags, within accounts, complete weeks only."""
    table = panel[["account", "week"]].assign(
        x=np.log(panel["engagement"]), y=np.log(panel["revenue"]), spend=np.log(panel["spend"])
    )
    by = table.groupby("account")
    table = table.assign(
        x1=by["x"].shift(1), x2=by["x"].shift(2), lead=by["x"].shift(-1), y1=by["y"].shift(1),
        spend1=by["spend"].shift(1),
    )  # fmt: skip
    return table.dropna()


def within(panel: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """OLS of y on columns with account and week effects (balanced panels), coefficients and CRV1 errors."""
    table = logs(panel)
    values = table[[*columns, "y"]]
    values = (
        values
        - values.groupby(table["account"]).transform("mean")
        - values.groupby(table["week"]).transform("mean")
        + values.mean()
    )
    X, y = values[columns].to_numpy(), values["y"].to_numpy()
    bread = np.linalg.inv(X.T @ X)
    beta = bread @ X.T @ y
    scores = pd.DataFrame(X * (y - X @ beta)[:, None]).groupby(table["account"].to_numpy()).sum().to_numpy()
    return beta, np.sqrt(np.diag(bread @ scores.T @ scores @ bread))


def over_seeds(world: str, columns: list[str], seeds: int = 8, design: Design | None = None) -> tuple:
    """Mean of the first coefficient over seeds, and the standard error of that mean."""
    found = [
        within(simulate_panel(world, rng=seed, design=design)[0], columns)[0][0] for seed in range(seeds)
    ]
    return np.mean(found), np.std(found, ddof=1) / np.sqrt(seeds)


EXACT = ["x1", "spend", "y1"]


# ---------------------------------------------------------------- tables


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_same_seed_same_tables(world: str):
    one, two, other = small(world), small(world, np.random.default_rng(5)), small(world, 6)
    for name in ("posts", "outcomes", "panel"):
        assert_frame_equal(getattr(one, name), getattr(two, name))
    assert not one.panel["engagement"].equals(other.panel["engagement"])
    assert not one.posts["reach"].equals(other.posts["reach"])


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_the_panel_alone_is_the_same_panel(world: str):
    whole = small(world)
    panel, truth = simulate_panel(world, accounts=6, weeks=20 if world in PANELS else 4, rng=5)
    assert_frame_equal(panel, whole.panel)
    assert truth == whole.truth


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_posts_add_up_to_the_panel(world: str):
    simulation = small(world)
    posts, panel = simulation.posts, simulation.panel
    monday = posts["published_at"].dt.to_period("W-SUN").dt.start_time
    keys = [posts["account"], monday.rename("week")] if world in PANELS else [posts["account"]]
    sums = posts.groupby(keys)[["reach", *REACTIONS, "clicks"]].sum()
    assert_array_equal(sums.to_numpy(), panel[["reach", *REACTIONS, "clicks"]].to_numpy())
    assert_array_equal(posts.groupby(keys).size(), panel["posts"])
    assert_array_equal(posts.groupby(keys)["followers"].agg(["min", "max"]).T, [panel["followers"]] * 2)
    assert_array_equal(panel[REACTIONS].sum(axis=1), panel["engagement"])


@pytest.mark.parametrize("world", PANELS)
def test_outcomes_are_the_panel_laid_out_long(world: str):
    simulation = small(world)
    wide = simulation.outcomes.pivot(index=["entity", "date"], columns="outcome", values="value")
    panel = simulation.panel.set_index(["account", "week"])
    for name in SALES:
        assert_array_equal(wide[name], panel[name])
    money = simulation.outcomes["currency"] == "EUR"
    assert set(simulation.outcomes.loc[money, "outcome"]) == {"revenue", "spend"}


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_tables_pass_the_door_without_a_notice(world: str):
    simulation = small(world)
    posts = validate(simulation.posts, POSTS)
    assert posts.notices == ()
    assert posts.absent == ()
    assert not posts.missing
    assert list(simulation.posts.columns) == list(POSTS.names)
    assert list(simulation.outcomes.columns) == list(OUTCOMES.names)
    if world in PANELS:
        assert validate(simulation.outcomes, OUTCOMES).notices == ()
    else:
        assert simulation.outcomes.empty


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_columns_of_the_panel(world: str):
    assert list(small(world).panel.columns) == PANEL_COLUMNS + (SALES if world in PANELS else [])


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_everything_says_that_it_is_simulated(world: str):
    simulation = small(world)
    assert "simulated" in repr(simulation)
    assert repr(world) in repr(simulation)
    assert str(simulation.truth).startswith("Simulated world")
    for table in (simulation.posts, simulation.outcomes, simulation.panel):
        assert table.attrs["simulated"] is True


@settings(max_examples=25)
@given(
    world=st.sampled_from(PANELS),
    accounts=st.integers(1, 8),
    weeks=st.integers(8, 30),
    seed=st.integers(0, 2**32),
    design=st.builds(Design, tail=st.sampled_from(["lognormal", "t"]), x_noise=st.sampled_from([None, 0.5])),
)
def test_any_small_panel_is_whole(world: str, accounts: int, weeks: int, seed: int, design: Design):
    simulation = simulate(world, accounts=accounts, weeks=weeks, rng=seed, design=design)
    panel, posts = simulation.panel, simulation.posts
    assert len(panel) == accounts * weeks
    assert not panel.duplicated(["account", "week"]).any()
    for table in (panel, posts, simulation.outcomes):
        assert not table.isna().any().any()
        numbers = table.select_dtypes("number")
        assert (numbers >= 0).all().all()
        assert np.isfinite(numbers.to_numpy(float)).all()
    assert (panel[["engagement", "posts", "followers", "spend", "revenue"]] > 0).all().all()
    assert (panel["sessions"] >= panel["conversions"]).all()
    assert (posts["reach"] >= posts[REACTIONS].sum(axis=1)).all()
    counts = panel.columns.difference(["account", "week", "spend", "revenue"])
    assert all(panel[name].dtype == np.int64 for name in counts)
    assert panel["week"].dtype == "datetime64[us]"
    assert (panel["week"].dt.day_of_week == 0).all()
    assert pd.api.types.is_string_dtype(panel["account"])


@settings(max_examples=15)
@given(
    world=st.sampled_from(LISTS),
    accounts=st.integers(1, 8),
    posts=st.integers(1, 5),
    seed=st.integers(0, 2**32),
    tail=st.sampled_from(["lognormal", "t"]),
)
def test_any_small_list_is_whole(world: str, accounts: int, posts: int, seed: int, tail: str):
    simulation = simulate(world, accounts=accounts, weeks=posts, rng=seed, design=Design(tail=tail))
    assert len(simulation.panel) == accounts
    assert simulation.panel["account"].is_unique
    assert simulation.panel["week"].nunique() == 1
    assert len(simulation.posts) == accounts * posts
    assert not simulation.panel.isna().any().any()
    assert (simulation.panel.select_dtypes("number") >= 0).all().all()
    assert (simulation.panel[["followers", "engagement"]] > 0).all().all()


def test_engagement_is_large_enough_for_its_log():
    least = [simulate_panel("nil", rng=seed)[0]["engagement"].quantile(0.001) for seed in range(5)]
    assert min(least) > 20


# ---------------------------------------------------------------- planted truth in panels


def test_nil_deceives_a_raw_correlation_and_not_the_model():
    for seed in range(4):
        panel, truth = simulate_panel("nil", rng=seed)
        assert np.log(panel["engagement"]).corr(np.log(panel["revenue"])) > 0.5
        naive, errors = within(panel, ["x1"])
        assert naive[0] - 1.96 * errors[0] > 0
        assert truth.parameters["elasticity"] == 0
    mean, error = over_seeds("nil", EXACT)
    assert abs(mean) < 4 * error
    assert abs(mean) < 0.02


def test_effect_is_recovered():
    mean, error = over_seeds("effect", EXACT)
    assert mean == pytest.approx(0.10, abs=4 * error)
    assert error < 0.005


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_effect_is_recovered_by_pyfixest():
    pyfixest = pytest.importorskip("pyfixest")
    found = []
    for seed in range(4):
        table = logs(simulate_panel("effect", rng=seed)[0])
        fit = pyfixest.feols("y ~ x1 + spend + y1 | account + week", table, vcov={"CRV1": "account"})
        found.append((fit.coef()["x1"], fit.se()["x1"]))
    means = np.mean(found, axis=0)
    assert means[0] == pytest.approx(0.10, abs=4 * means[1] / 2)


def test_reverse_deceives_the_same_week_and_not_the_lagged_model():
    for seed in range(3):
        panel, _ = simulate_panel("reverse", rng=seed)
        contemporaneous, errors = within(panel, ["x", "spend"])
        assert contemporaneous[0] - 1.96 * errors[0] > 0.05
        lead, errors = within(panel, ["lead", *EXACT])
        assert lead[0] - 1.96 * errors[0] > 0.05
    mean, error = over_seeds("reverse", EXACT)
    assert abs(mean) < 4 * error


def test_lead_is_quiet_where_nothing_runs_back():
    mean, error = over_seeds("effect", ["lead", *EXACT])
    assert abs(mean) < 4 * error


def test_persistent_errors_need_the_second_lag():
    design = Design(persistence="error")
    short, error = over_seeds("effect", EXACT, design=design)
    assert short < 0.10 - 4 * error
    full, error = over_seeds("effect", [*EXACT, "x2", "spend1"], design=design)
    assert full == pytest.approx(0.10, abs=4 * error)


def test_noise_in_engagement_attenuates():
    mean, error = over_seeds("effect", EXACT, design=Design(x_noise=0.4))
    assert 0 < mean < 0.10 - 4 * error


def test_random_slopes_spread_the_elasticities():
    def spread(design: Design) -> float:
        panel, _ = simulate_panel("effect", accounts=12, weeks=400, rng=3, design=design)
        table = logs(panel)
        X = ["x1", "spend", "y1"]
        slopes = [
            np.linalg.lstsq(
                np.column_stack([g[X], np.ones(len(g)), np.cos(t := np.arange(len(g)) * 2 * np.pi / 52), np.sin(t)]),
                g["y"],
                rcond=None,
            )[0][0]
            for _, g in table.groupby("account")
        ]  # fmt: skip
        return float(np.std(slopes))

    assert spread(Design(slopes_sd=0.2)) > 2 * spread(Design())


def test_heavy_tails_are_heavy():
    def kurtosis(design: Design) -> float:
        table = logs(simulate_panel("nil", rng=2, design=design)[0])
        change = table["y"] - 0.5 * table["y1"]
        change = change - change.groupby(table["account"]).transform("mean")
        return float(change.kurtosis())

    assert kurtosis(Design(tail="t")) > 2
    assert kurtosis(Design()) < 1


def test_zero_share_empties_weeks_and_nothing_else():
    panel, _ = simulate_panel("nil", rng=1, design=Design(zero_share=0.3))
    empty = panel["revenue"] == 0
    assert empty.mean() == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / len(panel)))
    assert ((panel["conversions"] == 0) == empty).all()


@pytest.mark.parametrize(("accounts", "share"), [(5, 0.5), (5, 0.9), (12, 0.9), (40, 0.5)])
def test_largest_share_holds_the_rows(accounts: int, share: float):
    panel, _ = simulate_panel("nil", accounts=accounts, rng=1, design=Design(largest_share=share))
    assert len(panel) == accounts * 104
    sizes = panel.groupby("account").size()
    assert sizes.max() / len(panel) == pytest.approx(share, abs=0.02)
    assert sizes.idxmax() == "account-01"
    assert sizes.iloc[1:].nunique() == 1
    steps = panel.groupby("account")["week"].diff().dropna()
    assert (steps == pd.Timedelta(weeks=1)).all()


# ---------------------------------------------------------------- planted truth in lists


def slopes(world: str, seeds: int = 6, design: Design | None = None) -> dict[str, tuple[float, float]]:
    """Mean exponent by log-OLS and by Poisson regression, each with the standard error of the mean."""
    import statsmodels.api as sm

    found = []
    for seed in range(seeds):
        panel, _ = simulate_panel(world, rng=seed, design=design)
        X = sm.add_constant(np.log(panel["followers"]))
        per_post = panel["engagement"] / panel["posts"]
        ols = sm.OLS(np.log(per_post), X).fit().params["followers"]
        found.append((ols, sm.GLM(per_post, X, family=sm.families.Poisson()).fit().params["followers"]))
    means, errors = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(seeds)
    return {"ols": (means[0], errors[0]), "ppml": (means[1], errors[1])}


@pytest.mark.parametrize(
    ("world", "exponent"), [("decay", 0.75), ("flat", 1.0), ("flat-selected-on-followers", 1.0)]
)
@pytest.mark.parametrize("method", ["ols", "ppml"])
def test_exponent_is_recovered(world: str, exponent: float, method: str):
    mean, error = slopes(world)[method]
    assert mean == pytest.approx(exponent, abs=4 * error)
    assert error < 0.02


def test_noise_in_followers_looks_like_decay():
    mean, error = slopes("flat-noisy-followers")["ols"]
    assert mean == pytest.approx(0.955, abs=max(4 * error, 0.01))
    assert slopes("flat-noisy-followers")["ppml"][0] < 0.97


def test_selection_on_reactions_looks_like_decay():
    assert slopes("flat-selected-on-reactions")["ppml"][0] == pytest.approx(0.70, abs=0.04)
    assert slopes("flat-selected-on-reactions")["ols"][0] < 0.70


def test_exponent_of_the_design_replaces_the_worlds():
    design = Design(exponent=0.95)
    mean, error = slopes("flat", design=design)["ols"]
    assert mean == pytest.approx(0.95, abs=4 * error)
    _, truth = simulate_panel("flat", accounts=5, rng=1, design=design)
    assert truth.words["C07"].right == ("supported",)


# ---------------------------------------------------------------- the truth as words


@pytest.mark.parametrize(
    ("world", "claim", "right", "wrong"),
    [
        ("nil", "C01", {"practically nil"}, {"supported", "contradicted"}),
        ("effect", "C01", {"supported"}, {"practically nil", "contradicted"}),
        ("reverse", "C01", {"practically nil", "association only"}, {"supported", "contradicted"}),
        ("decay", "C07", {"supported"}, {"practically nil", "contradicted"}),
        ("flat", "C07", {"practically nil"}, {"supported", "contradicted"}),
        ("flat-selected-on-followers", "C07", {"practically nil"}, {"supported", "contradicted"}),
        ("flat-noisy-followers", "C07", {"practically nil", "inconclusive"}, {"supported", "contradicted"}),
        ("flat-selected-on-reactions", "C07", {"practically nil", "inconclusive"}, {"supported", "contradicted"}),
    ],
)  # fmt: skip
def test_words_of_a_world(world: str, claim: str, right: set[str], wrong: set[str]):
    truth = small(world).truth
    assert set(truth.words) == {claim}
    assert set(truth.words[claim].right) == right
    assert set(truth.words[claim].wrong) == wrong
    assert truth.sentence.endswith(".")
    assert "{" not in truth.sentence


@given(theta=st.floats(-0.3, 0.3), feedback=st.floats(0, 0.5))
def test_no_word_is_both_right_and_wrong(theta: float, feedback: float):
    _, truth = simulate_panel(
        "nil", accounts=1, weeks=8, rng=1, design=Design(theta=theta, feedback=feedback)
    )
    expected = truth.words["C01"]
    assert expected.right
    assert expected.wrong
    assert not set(expected.right) & set(expected.wrong)
    assert set(expected.right) | set(expected.wrong) <= set(WORDS)
    assert ("supported" in expected.wrong) == (theta <= 0)
    assert ("practically nil" in expected.wrong) == (abs(theta) >= 0.05)


def test_values_travel_between_processes():
    truth = small("reverse").truth
    assert pickle.loads(pickle.dumps((truth, Design(ar=0.8)))) == (truth, Design(ar=0.8))


def test_values_are_frozen():
    simulation = small("nil")
    for value, field in ((simulation, "panel"), (simulation.truth, "world"), (Design(), "ar")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field, None)
    with pytest.raises(TypeError):
        WORLDS["nil"] = WORLDS["effect"]


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("name", ["efect", "", None, 3, ["nil"]])
def test_an_unknown_world_is_refused(name: object):
    with pytest.raises(UnknownNameError, match=r"There is no world .* Allowed: .*decay, effect, flat"):
        simulate(name, rng=1)


def test_a_near_name_is_suggested():
    with pytest.raises(UnknownNameError, match="Did you mean 'effect'"):
        simulate_panel("efect", rng=1)


@pytest.mark.parametrize("world", ["nil", "flat"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "4"])
@pytest.mark.parametrize("name", ["accounts", "weeks"])
def test_sizes_are_refused(world: str, name: str, value: object):
    with pytest.raises(
        DesignError, match=rf"`{name}` is too small or no whole number: {value!r}. Allowed: \d"
    ):
        simulate(world, **{"accounts": 3, "weeks": 10, name: value}, rng=1)


def test_too_few_weeks_are_refused():
    with pytest.raises(DesignError, match="`weeks` is too small or no whole number: 7"):
        simulate("nil", weeks=7, rng=1)


@pytest.mark.parametrize("weeks", [None, True, 11, 12.0])
def test_exports_of_no_or_too_few_weeks_are_refused(weeks: object, tmp_path: Path):
    with pytest.raises(
        DesignError, match=f"`weeks` is too small or no whole number: {weeks}. Allowed: 12 or"
    ):
        example_exports(tmp_path, weeks=weeks)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rng", [None, -1, 1.5, True, "1"])
def test_a_seed_must_be_given(rng: object):
    with pytest.raises(DesignError, match="`rng` must be a seed"):
        simulate("nil", rng=rng)


@pytest.mark.parametrize(
    ("factor", "value"),
    [
        ("theta", 1.5), ("feedback", -0.1), ("ar", 1.0), ("ar", math.nan), ("slopes_sd", -1), ("zero_share", 1.0),
        ("x_noise", -0.1), ("largest_share", 1.0), ("exponent", 0.0),
    ],
)  # fmt: skip
def test_factors_out_of_range_are_refused(factor: str, value: float):
    with pytest.raises(DesignError, match=f"the design's `{factor}` is out of range"):
        Design(**{factor: value})


@pytest.mark.parametrize("factor", ["tail", "persistence"])
def test_unknown_choices_are_refused(factor: str):
    with pytest.raises(UnknownNameError, match=f"There is no {factor} 'cauchy'. Allowed: "):
        Design(**{factor: "cauchy"})


@pytest.mark.parametrize(("world", "factor"), [("nil", "exponent"), ("flat", "theta"), ("decay", "ar")])
def test_factors_of_another_world_are_refused(world: str, factor: str):
    with pytest.raises(DesignError, match=f"the world '{world}' has no such factor: `{factor}`"):
        simulate(world, rng=1, design=Design(**{factor: 0.4}))


def test_an_explosive_design_is_refused():
    with pytest.raises(DesignError, match="would drive each other without end"):
        simulate("reverse", rng=1, design=Design(theta=0.8))


@pytest.mark.parametrize(("accounts", "share"), [(1, 0.5), (5, 0.1), (40, 0.99)])
def test_an_impossible_share_is_refused(accounts: int, share: float):
    with pytest.raises(DesignError, match="the largest account cannot have"):
        simulate("nil", accounts=accounts, rng=1, design=Design(largest_share=share))
