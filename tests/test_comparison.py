"""What stands beside an estimate on real data, against statsmodels row by row and in worlds whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from claim_samples import shop

from erresearch.claims import claim_named
from erresearch.claims.procedures import look_beside, saved_share
from erresearch.claims.registry import DataSetNote
from erresearch.claims.variables import cast_roles
from erresearch.worlds import simulate, simulate_panel


def beside(claim, table: pd.DataFrame, dataset: str = "x") -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for doubt in look_beside(claim.procedure, cast_roles(claim, table, dataset=dataset)):
        found.setdefault(doubt.name, []).append(doubt.value)
    return found


def left_out_in_turn(y: np.ndarray, held: np.ndarray, added: np.ndarray, parts: np.ndarray) -> float:
    """Σ e₀(e₀ − e₁) / Σ e₀² from two regressions for each part, forecast row by row."""
    saved = lost = 0.0
    for part in np.unique(parts):
        out = parts == part
        errors = []
        for columns in (held, np.column_stack([held, added])):
            fit = sm.OLS(y[~out], columns[~out]).fit() if columns.shape[1] else None
            errors.append(y[out] - (fit.predict(columns[out]) if fit is not None else 0.0))
        saved += float(errors[0] @ (errors[0] - errors[1]))
        lost += float(errors[0] @ errors[0])
    return saved / lost


def films(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    budget, screens = rng.lognormal(3, 1, rows), rng.integers(10, 4000, rows)
    likes = np.round(rng.lognormal(4, 1, rows) * budget**0.5)
    gross = likes**0.3 * budget**0.4 * rng.lognormal(0, 0.5, rows)
    told = {
        "gross": gross,
        "likes": likes,
        "budget": budget,
        "screens": screens,
        "sequel": 1 + rng.integers(0, 3, rows),
    }
    return pd.DataFrame(told)


def test_a_slope_is_compared_in_parts_of_the_rows() -> None:
    table = films()
    table.loc[3, "likes"] = 0
    found = beside(claim_named("C01b"), table)
    known = table.drop(index=3)
    y, x = np.log(known["gross"]).to_numpy(), np.log(known["likes"]).to_numpy()
    held = sm.add_constant(np.log(known[["budget", "screens", "sequel"]]).to_numpy())
    assert found["naive correlation"] == [pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-10)]
    expected = left_out_in_turn(y, held, x[:, None], np.arange(len(y)) % 10)
    assert found["out of sample"] == [pytest.approx(expected, rel=1e-8)]
    assert found["out of sample"][0] > 0.05


def test_two_sides_are_compared_within_groups_that_were_never_seen() -> None:
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"year": rng.integers(1990, 2010, 800), "meter": rng.normal(60, 20, 800)})
    table["reviews"] = rng.lognormal(3, 1, 800)
    table["box_office"] = table["reviews"] ** 0.8 * np.exp(table["year"] / 20 + rng.normal(0, 1, 800))
    found = beside(claim_named("C05b"), table)
    y = np.log(table["box_office"]) - np.log(table["box_office"]).groupby(table["year"]).transform("mean")
    own = pd.DataFrame({"meter": table["meter"], "reviews": np.log(table["reviews"])})
    own = (own - own.groupby(table["year"]).transform("mean")).to_numpy()
    none = np.empty((len(y), 0))
    expected = [left_out_in_turn(y.to_numpy(), none, own[:, [i]], table["year"].to_numpy()) for i in (0, 1)]
    assert found["out of sample"] == pytest.approx(expected, rel=1e-8)
    assert abs(found["out of sample"][0]) < 0.01
    assert found["out of sample"][1] > 0.3
    assert found["naive correlation"][1] == pytest.approx(
        np.corrcoef(np.log(table["reviews"]), np.log(table["box_office"]))[0, 1], rel=1e-9
    )


def test_an_experiment_has_the_look_of_who_does_not_know_of_the_lot() -> None:
    table = shop()
    found = beside(claim_named("C06c"), table)
    assert found["naive correlation"] == [pytest.approx(table["visit"].corr(table["spend"]), rel=1e-10)]
    mailed = (table["segment"] != "No E-Mail").to_numpy(dtype=float)[:, None]
    one = np.ones((len(table), 1))
    expected = left_out_in_turn(table["spend"].to_numpy(), one, mailed, np.arange(len(table)) % 10)
    assert found["out of sample"] == [pytest.approx(expected, rel=1e-6, abs=1e-9)]
    both = beside(claim_named("F02"), table)
    bought = table["spend"].where(table["conversion"] == 1)
    assert both["naive correlation"][1] == pytest.approx(bought.corr(pd.Series(mailed[:, 0])), rel=1e-9)


def test_a_list_is_compared_by_its_rate() -> None:
    table = simulate("decay", rng=1).panel
    found = beside(claim_named("C07"), table, dataset="decay")
    known = table[table["engagement"] > 0]
    rate, fans = np.log(known["engagement"] / known["followers"]), np.log(known["followers"])
    assert found["naive correlation"] == [pytest.approx(rate.corr(fans), rel=1e-9)]
    assert found["out of sample"][0] == pytest.approx(rate.corr(fans) ** 2, abs=0.01)


def test_a_jump_is_compared_where_neither_its_place_nor_its_size_was_seen() -> None:
    jump, smooth = (simulate_panel(name, rng=1)[0] for name in ("C16-holds", "C16-fails"))
    claim = claim_named("C16")
    assert beside(claim, jump)["out of sample"][0] > 0.002 > beside(claim, smooth)["out of sample"][0]


def test_a_mix_is_compared_with_the_total_held() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.poisson([30, 9, 3], size=(900, 3)), columns=["likes", "comments", "shares"])
    table["consumers"] = (table["likes"] + 1) ** 0.5 * rng.lognormal(0, 0.2, 900)
    table["reach"] = rng.lognormal(8, 1, 900)
    table["is_paid"] = rng.integers(0, 2, 900).astype(float)
    found = beside(claim_named("C17"), table)
    logs = np.log(table[["likes", "comments", "shares"]].where(lambda t: t > 0, 0.5)).to_numpy()
    x, y = logs[:, 0] - logs[:, 1:].mean(axis=1), np.log(table["consumers"]).to_numpy()
    held = sm.add_constant(
        np.column_stack([
            np.log(table[["likes", "comments", "shares"]].sum(axis=1)), logs[:, 1] - logs[:, 2],
            np.log(table["reach"]), np.log1p(table["is_paid"]),
        ])
    )  # fmt: skip
    expected = left_out_in_turn(y, held, x[:, None], np.arange(900) % 10)
    assert found["out of sample"] == [pytest.approx(expected, rel=1e-7)]


def test_a_forecast_has_its_order_in_time_beside_it() -> None:
    table = simulate_panel("effect", rng=3, accounts=12, weeks=110)[0]
    claim = replace(claim_named("C09"), sets={"x": DataSetNote()})
    found = beside(claim, table)
    assert {name: len(values) for name, values in found.items()} == {
        "naive correlation": 2, "same period": 1, "lead placebo": 1, "reverse direction": 1, "out of sample": 2,
    }  # fmt: skip
    too_short = beside(claim, table[table["week"] < sorted(table["week"].unique())[12]])
    assert all(map(math.isnan, too_short["out of sample"]))


def test_what_stands_still_has_no_correlation_and_saves_nothing() -> None:
    table = films(60).assign(likes=7.0)
    found = beside(claim_named("C01b"), table)
    assert math.isnan(found["naive correlation"][0])
    assert found["out of sample"][0] == pytest.approx(0, abs=1e-9)
    assert math.isnan(saved_share([(np.eye(2), np.zeros((2, 2)), [0], [])]))
