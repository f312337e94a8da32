"""Guards in front of the claims: what would mislead is refused by name, and what is sound is not."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

from erresearch.claims import claim_named, evidence_for, examine
from erresearch.engine.moments import Moments
from erresearch.engine.sources import says_simulated
from erresearch.errors import GuardError
from erresearch.robustness.guards import boosts_in
from erresearch.worlds import simulate_panel, simulate_shop


def weeks(world: str = "effect") -> pd.DataFrame:
    return simulate_panel(world, accounts=8, weeks=60, rng=4)[0]


def with_column(claim: str, role: str, column: str, **options: object):
    """The claim, asked of another column."""
    made = claim_named(claim)
    return replace(made, roles={**made.roles, role: [column]}, options={**made.options, **options})


@pytest.mark.parametrize("claim", ["C01", "C09", "C18"])
def test_one_revenue_series_on_several_accounts_is_one_witness(claim):
    table = weeks()
    first = table[table["account"] == table["account"].iloc[0]].set_index("week")["revenue"]
    shared = table.assign(revenue=table["week"].map(first))
    (verdict,) = examine(claim, {"shop": shared})
    assert verdict.word == "not judged"
    assert "the same series on several accounts" in verdict.reason
    (verdict,) = examine(claim, {"shop": table})
    assert verdict.word != "not judged"


def test_a_rate_of_unknown_formula_is_refused_until_it_is_declared():
    table = weeks().assign(ER=lambda t: t["engagement"] / t["reach"])
    with pytest.raises(GuardError, match="'log ER' is an engagement rate of unknown formula"):
        evidence_for(with_column("C01", "x", "ER"), table)
    declared = with_column("C01", "x", "ER", formulas={"x": "M04"})
    assert evidence_for(declared, table).estimate.n_rows > 0


def test_a_rate_against_its_own_denominator_is_refused():
    table = weeks().assign(ER=lambda t: t["engagement"] / t["reach"])
    claim = with_column("C13", "x", "ER", formulas={"x": "M04"})
    with pytest.raises(GuardError, match="'log ER' contains 'log reach'"):
        evidence_for(claim, table)


def test_log1p_is_no_elasticity():
    claim = claim_named("C01")
    softened = replace(claim, options={**claim.options, "logs": ["y"], "log1p": ["x", "spend"]})
    with pytest.raises(
        GuardError, match=r"slope of 'log revenue' on 'log \(1 \+ engagement\)' is no elasticity"
    ):
        evidence_for(softened, weeks())


def test_an_outcome_that_holds_the_predictor_is_refused():
    table = weeks().assign(attributed_conversions=lambda t: np.ceil(t["engagement"] / 9))
    with pytest.raises(GuardError, match="attributed"):
        evidence_for(with_column("C01", "y", "attributed_conversions"), table)


def test_a_model_agrees_with_a_claim_where_it_alone_would_say_so():
    """Where an effect was planted nearly every model finds it; an absent effect is never called fragile."""
    table = simulate_panel("effect", accounts=40, weeks=104, rng=9)[0]
    (verdict,) = examine("C01", {"effect": table})
    curve = next(doubt for doubt in verdict.doubts if doubt.name == "specification curve")
    assert verdict.words.startswith("supported (at least δ)")
    assert curve.value > 0.8
    assert not curve.raised
    comments = claim_named("C02")
    comments = replace(comments, options={**comments.options, "challenges": True, "definitions": ["likes"]})
    (absent,) = examine(comments, {"nil": simulate_panel("nil", accounts=40, weeks=104, rng=9)[0]})
    curve = next(doubt for doubt in absent.doubts if doubt.name == "specification curve")
    assert absent.word == "supported"
    assert "fragile" not in absent.qualifiers
    assert "find an effect above 0" in curve.text


@pytest.mark.parametrize("seed", [235, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (241, 286))])
def test_a_falsely_significant_model_is_called_fragile(seed: int):
    """Seeds whose panels without an effect give a significant full model: the curve does not go along."""
    table = simulate_panel("nil", accounts=12, weeks=104, rng=seed)[0]
    (verdict,) = examine("C01", {"nil": table})
    assert verdict.word == "supported"
    assert "fragile" in verdict.qualifiers
    assert "have its sign significantly" in verdict.reason


def test_sums_of_simulated_rows_still_say_so(tmp_path):
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"bought": rng.integers(0, 2, 900), "commenter": rng.integers(0, 2, 900)})
    table.attrs["simulated"] = True
    made = Moments.from_frame(table, ["bought", "commenter"])
    kept = Moments.load(made.save(tmp_path / "sums.npz"))
    assert says_simulated(kept + kept)
    assert says_simulated(made["bought"])
    assert not says_simulated(Moments.from_frame(pd.DataFrame(dict(table)), ["bought"]))


def test_a_column_called_attrs_is_only_a_column():
    import ibis
    import pyarrow as pa

    table = ibis.memtable(pa.table({"attrs": ["a", "b"], "likes": [1.0, 2.0]}))
    made = Moments.from_frame(table, ["likes"], by="attrs")
    assert made.accounts == 2
    assert not made.simulated


def boosted(table: pd.DataFrame, **more: object) -> pd.DataFrame:
    return table.assign(paid_posts=lambda t: (t["spend"] > t["spend"].median()).astype(float), **more)


def test_s8_boosted_posts_need_their_price_as_a_control():
    table = boosted(weeks())
    claim = claim_named("C01")
    uncontrolled = replace(claim.without("spend"), optional=())
    assert evidence_for(claim, table).estimate.n_rows > 0
    with pytest.raises(GuardError, match=r"posts were boosted, and what was spent is not held fixed"):
        evidence_for(uncontrolled, table)
    with pytest.raises(GuardError, match=r"posts were boosted, and there is no column of what was spent"):
        evidence_for(uncontrolled, table.drop(columns="spend"))
    with pytest.raises(GuardError, match=r"posts were boosted, yet the spending is 0 wherever they are"):
        evidence_for(uncontrolled, boosted(weeks()).assign(spend=0.0))
    (verdict,) = examine(uncontrolled, {"shop": table})
    assert verdict.word == "not judged"
    assert "or leave the boosted posts out" in verdict.reason
    # left out, or counted as a control
    assert evidence_for(uncontrolled, table.assign(paid_posts=0.0)).estimate.n_rows > 0
    counted = replace(uncontrolled, roles={**uncontrolled.roles, "paid": ["paid_posts"]})
    assert evidence_for(counted, table).estimate.n_rows > 0


@pytest.mark.parametrize("engine", ["polars", "lazy", "pyarrow", "moments"])
def test_s8_boosted_posts_are_seen_wherever_the_rows_are(engine):
    table = boosted(weeks())
    posts, paid = table["posts"].sum(), table["paid_posts"].sum()
    frame = pl.from_pandas(table)
    given = {
        "polars": lambda: frame,
        "lazy": frame.lazy,
        "pyarrow": frame.to_arrow,
        "moments": lambda: Moments.from_frame(table, ["posts", "paid_posts"], by="account"),
    }[engine]()
    found = boosts_in(given)
    assert (found.boosted, found.priced) == (pytest.approx(paid), engine != "moments")
    assert found.posts == (len(table) if engine == "moments" else posts)


def test_s8_a_mark_of_single_posts_counts_and_text_is_no_mark():
    rows = pd.DataFrame({"likes": range(6), "is_paid": [True, None, False, True, None, False]})
    assert str(boosts_in(rows)) == "2 of 6 posts were boosted"
    assert str(boosts_in(rows.assign(is_paid="maybe"))) == "0 of 0 posts were boosted"
    assert boosts_in(rows.drop(columns="is_paid")).mark == ""


@pytest.mark.parametrize("move", [-1, 1, 2])
@pytest.mark.parametrize("shops", [1, 3])
def test_a_column_that_is_the_outcome_of_another_period_is_refused(move, shops):
    days = pd.concat(
        [
            simulate_shop("nothing", days=250, rng=seed).assign(entity=f"shop {seed}", seed=seed)
            for seed in range(shops)
        ]
    )
    days["engagement"] = days.groupby("entity")["revenue"].shift(move)
    (verdict,) = examine("C01", {"shops": days})
    assert verdict.word == "not judged"
    assert "'revenue' follows exactly from" in verdict.reason
    (kept,) = examine("C01", {"shops": days.assign(engagement=days["engagement"].rank())})
    assert "follows exactly" not in kept.reason


def _shops(**columns) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 8 * 60
    made = {
        "account": np.repeat([f"s{i}" for i in range(8)], 60),
        "week": np.tile(pd.date_range("2022-01-03", periods=60, freq="7D"), 8),
        "engagement": 1.0 + rng.poisson(50, n),
        "revenue": np.exp(7 + 0.2 * rng.standard_normal(n)),
        "spend": rng.poisson(20, n).astype(float),
    }
    return pd.DataFrame(made | columns)


def test_zeros_and_blanks_are_named_where_they_leave_too_few_rows():
    often = np.random.default_rng(1).random(480) < 0.7
    table = _shops()
    for column, value in (("engagement", 0.0), ("spend", np.nan)):
        (found,) = examine("C01", {"t": table.assign(**{column: table[column].mask(often, value)})})
        assert found.word == "not judged"
        assert re.search(
            rf"left out \d+ not finite: log .*{column}.*Fill blanks .*counts are 0", found.reason
        )
    (twice,) = examine("C01", {"t": pd.concat([table, table])})
    assert "rows repeat one" in twice.reason
    assert "`by`" not in twice.reason


def test_a_control_without_a_number_is_left_out_and_counts_as_not_declared():
    (bare,) = examine("C01", {"t": _shops().drop(columns="spend")})
    (empty,) = examine("C01", {"t": _shops(spend=np.nan)})
    assert empty.estimate == bare.estimate
    assert empty.certainty == bare.certainty
    assert "unknown-control" in {doubt.code for doubt in empty.doubts if doubt.raised}
