"""mix: log-ratios of actions against refits, planted truths, zeros and refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from erresearch.engine.expressions import lag, log
from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DataError, DesignError, GuardError, UnknownNameError
from erresearch.relate import mix

ACTIONS = ["likes", "comments", "shares", "saves"]


def table_of(rows: int = 600, rng: int = 0, slope: float = 0.3) -> pd.DataFrame:
    """Simulated posts of 20 shops, of which shares alone move sales."""
    g = np.random.default_rng(rng)
    counts = g.poisson(g.gamma(5, [40, 4, 2, 3], size=(rows, 4)))
    out = pd.DataFrame(counts, columns=ACTIONS).assign(shop=np.arange(rows) % 20, week=np.arange(rows) // 20)
    out["spend"] = g.lognormal(3, 0.5, rows)
    out["sales"] = np.exp(
        3
        + out["shop"] / 10
        + slope * np.log(out["shares"] + 0.5)
        + 0.1 * np.log(out["spend"])
        + 0.3 * g.normal(size=rows)
    )
    return out


def ratios(table: pd.DataFrame, first: str) -> np.ndarray:
    """Logs by numpy, the ratio of `first` to the geometric mean of the others and the others' own ilr."""
    logs = np.log(table[ACTIONS].where(table[ACTIONS] > 0, 0.5)).to_numpy()
    at = ACTIONS.index(first)
    rest = np.delete(logs, at, axis=1)
    pivot = logs[:, at] - rest.mean(axis=1)
    inner = [rest[:, 0] - rest[:, 1], rest[:, 0] + rest[:, 1] - 2 * rest[:, 2]]
    return np.column_stack([np.log(table[ACTIONS].sum(axis=1)), pivot, *inner])


def test_each_action_agrees_with_its_own_pivot_regression():
    import statsmodels.api as sm

    table = table_of()
    found = mix(table, log("sales"), actions=ACTIONS, controls=[log("spend")])
    for action in ACTIONS:
        design = np.column_stack([np.ones(len(table)), ratios(table, action), np.log(table["spend"])])
        fit = sm.OLS(np.log(table["sales"]).to_numpy(), design).fit(cov_type="HC3")
        assert found.actions[action].value == pytest.approx(fit.params[2], rel=1e-8), action
        assert found.actions[action].se == pytest.approx(fit.bse[2], rel=1e-8), action
        assert found.total.value == pytest.approx(fit.params[1], rel=1e-8), action


def test_coefficients_sum_to_zero_and_shares_to_one():
    found = mix(table_of(), log("sales"), actions=ACTIONS)
    assert sum(e.value for e in found.actions.values()) == pytest.approx(0, abs=1e-12)
    assert sum(found.shares.values()) == pytest.approx(1)
    table = table_of()
    assert found.shares["likes"] == pytest.approx(table["likes"].sum() / table[ACTIONS].to_numpy().sum())


def test_the_planted_action_is_found_and_the_others_are_not():
    found = mix(table_of(), log("sales"), actions=ACTIONS, by="shop", controls=[log("spend")])
    assert found.adjusted["shares"] < 0.01
    assert found.actions["shares"].interval.low > 0
    assert found.fit.n_accounts == 20
    quiet = mix(table_of(slope=0.0), log("sales"), actions=ACTIONS, by="shop", controls=[log("spend")])
    assert min(quiet.adjusted.values()) > 0.05


def test_p_values_step_down_by_holm():
    found = mix(table_of(), log("sales"), actions=ACTIONS)
    least, seen = 0.0, {}
    for left, (name, one) in enumerate(sorted(found.actions.items(), key=lambda pair: pair[1].pvalue)):
        least = max(least, min(1.0, (len(ACTIONS) - left) * one.pvalue))
        seen[name] = least
    assert found.adjusted == pytest.approx(seen)


def test_order_of_actions_does_not_matter():
    one = mix(table_of(), log("sales"), actions=ACTIONS, by="shop")
    other = mix(table_of(), log("sales"), actions=ACTIONS[::-1], by="shop")
    for name in ACTIONS:
        assert one.actions[name].value == pytest.approx(other.actions[name].value, rel=1e-8)
        assert one.actions[name].se == pytest.approx(other.actions[name].se, rel=1e-8)


def test_zeros_are_counted_and_rows_without_actions_left_out():
    table = table_of()
    table.loc[[3, 4, 5], "saves"] = 0
    table.loc[[7], ACTIONS] = 0
    zeros = int((table["saves"] == 0).sum()) - 1
    before = table.copy()
    found = mix(table, log("sales"), actions=ACTIONS)
    assert found.replaced["saves"] == zeros >= 3
    assert found.fit.n_rows == len(table) - 1
    assert sum(found.fit.dropped.values()) == 1
    assert "a count of 0 becomes 0.5" in found.method
    assert f"{zeros:,} of saves" in str(found)
    pd.testing.assert_frame_equal(table, before)


def test_poisson_for_money_with_zeros():
    table = table_of()
    table.loc[::9, "sales"] = 0.0
    found = mix(table, "sales", actions=ACTIONS, by="shop", model="poisson")
    assert "PPML" in found.method
    assert found.actions["shares"].interval.low > 0


def test_engines():
    import duckdb

    table = table_of(200)
    frame = pl.from_pandas(table)
    same = mix(table, log("sales"), actions=ACTIONS, by="shop")
    for data in (frame, frame.lazy(), duckdb.from_arrow(frame.to_arrow())):
        found = mix(data, log("sales"), actions=ACTIONS, by="shop")
        for name in ACTIONS:
            assert found.actions[name].value == pytest.approx(same.actions[name].value, rel=1e-8), type(data)


def test_hostile_names():
    names = dict(zip(ACTIONS, ["^.*$", "<script>", "a, b", "🙂 '"], strict=True))
    odd = table_of().rename(columns={**names, "shop": "*", "sales": "s|"})
    found = mix(odd, "s|", actions=list(names.values()), by="*")
    same = mix(table_of(), "sales", actions=ACTIONS, by="shop")
    assert [e.value for e in found.actions.values()] == pytest.approx(
        [e.value for e in same.actions.values()]
    )
    assert "<script>" not in found._repr_markdown_()


@pytest.mark.parametrize("outcome", ["likes", "engagement", log("engagement"), log("likes"), "weighted"])
def test_an_outcome_made_of_the_actions_is_refused(outcome):
    table = table_of()
    table["engagement"] = table[ACTIONS].sum(axis=1)
    table["weighted"] = table["likes"] + 3 * table["comments"] + 10
    with pytest.raises(GuardError, match="the outcome is made of the actions"):
        mix(table, outcome, actions=ACTIONS)


def test_next_weeks_outcome_is_no_part():
    table = table_of()
    table["engagement"] = np.log(table[ACTIONS].sum(axis=1))
    found = mix(table, lag("engagement", -1, by="shop", period="week"), actions=ACTIONS, by="shop")
    assert found.fit.n_rows == len(table) - 20


def test_negative_counts():
    table = table_of()
    table.loc[[2], "saves"] = -1
    with pytest.raises(DataError, match=r"'saves' must be a count: 1 row is negative"):
        mix(table, "sales", actions=ACTIONS)


def test_an_action_that_never_happens():
    with pytest.raises(DataError, match="the action 'saves' never happens"):
        mix(table_of().assign(saves=0), "sales", actions=ACTIONS)


def test_one_action_is_no_mix():
    with pytest.raises(DesignError, match="at least two actions"):
        mix(table_of(), "sales", actions=["likes"])


def test_unknown_model():
    with pytest.raises(UnknownNameError, match="There is no model 'probit'"):
        mix(table_of(), "sales", actions=ACTIONS, model="probit")


def test_moments_have_no_rows():
    with pytest.raises(DesignError, match="the mix needs rows"):
        mix(Moments.from_frame(table_of(), ["sales", *ACTIONS]), "sales", actions=ACTIONS)


def test_missing_action():
    with pytest.raises(ColumnError, match="Did you mean 'likes'"):
        mix(table_of(), "sales", actions=["like", "saves"])
