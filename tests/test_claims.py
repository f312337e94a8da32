"""The registry of claims, the words of a verdict, the judge and the board."""

from __future__ import annotations

import json
import math
import re
import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from erresearch.claims import (
    Claim,
    Evidence,
    claim_named,
    claims_path,
    claims_sha256,
    embedded,
    evidence_for,
    examine,
    judge,
    read_claims,
    word_of,
)
from erresearch.claims.options import without_challenges
from erresearch.claims.procedures import PROCEDURES
from erresearch.datasets import catalog
from erresearch.engine.expressions import log
from erresearch.errors import (
    ColumnError,
    DataError,
    DesignError,
    EngineError,
    ErresearchWarning,
    UnknownNameError,
)
from erresearch.io.files import resource
from erresearch.relate import regress, reliability
from erresearch.report.sentences import flip_sentence
from erresearch.results import (
    WORDS,
    Estimate,
    Interval,
    Precedence,
    ReasonCode,
    Reliability,
    StudentT,
)
from erresearch.results.verdicts import SENTENCES
from erresearch.schema.vocabulary import DECISIVE
from erresearch.worlds import CASES, WORLDS, simulate, simulate_panel

finite = st.floats(-2, 2, allow_nan=False)


def estimate(value: float, se: float = 0.01, name: str = "θ", accounts: int = 40) -> Estimate:
    reference = StudentT(value, se, 39)
    return Estimate(
        name,
        value=value,
        se=se,
        df=39,
        interval=reference.interval(0.95),
        n_rows=4000,
        n_accounts=accounts,
        reference=reference,
    )


# --- words ----------------------------------------------------------------------------------------------------------


def relations(low: float, high: float, delta: float) -> dict[str, bool]:
    """The words whose defining set relation holds, straight from their definitions, for θ > 0."""
    return {
        "practically nil": -delta < low and high < delta,
        "supported": low > 0,
        "contradicted": high < 0,
    }


@given(finite, finite, st.floats(0.001, 1))
@settings(max_examples=400)
def test_no_interval_has_two_words_and_each_has_one(a: float, b: float, delta: float) -> None:
    low, high = sorted((a, b))
    word, size = word_of(Interval(low, high), direction="greater", sesoi=delta)
    true = [name for name, holds in relations(low, high, delta).items() if holds]
    # nil wins over a sign; the two signs exclude one another
    assert word == ("practically nil" if "practically nil" in true else true[0] if true else "inconclusive")
    assert (size != "") == (word == "supported")
    assert not (relations(low, high, delta)["supported"] and relations(low, high, delta)["contradicted"])


@given(finite, finite, st.floats(0.001, 1))
def test_the_other_direction_is_the_mirror(a: float, b: float, delta: float) -> None:
    low, high = sorted((a, b))
    assert word_of(Interval(low, high), direction="greater", sesoi=delta) == word_of(
        Interval(-high, -low), direction="less", sesoi=delta
    )


@given(finite, finite, st.floats(0.001, 1))
def test_absence_is_a_region_of_its_own(a: float, b: float, delta: float) -> None:
    low, high = sorted((a, b))
    word, size = word_of(Interval(low, high), direction="absent", sesoi=delta)
    assert size == ""
    if word == "supported":
        assert -delta < low <= high < delta
    elif word == "contradicted":
        assert low >= delta or high <= -delta
    else:
        assert word == "inconclusive"


@given(
    finite, finite, st.floats(0.001, 1), st.sampled_from(["greater", "less", "absent"]), st.floats(0.01, 1)
)
def test_a_wider_interval_never_says_the_opposite(a, b, delta, direction, more) -> None:
    low, high = sorted((a, b))
    narrow, _ = word_of(Interval(low, high), direction=direction, sesoi=delta)
    wide, _ = word_of(Interval(low - more, high + more), direction=direction, sesoi=delta)
    opposites = {("supported", "contradicted"), ("contradicted", "supported")}
    assert (narrow, wide) not in opposites


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.01, 0.04, ("practically nil", "")),
        (0.01, 0.04, ("practically nil", "")),
        (0.01, 0.05, ("supported", "size not settled")),  # touches δ: not strictly inside
        (0.05, 0.2, ("supported", "at least δ")),
        (-0.2, -0.05, ("contradicted", "")),
        (-0.2, 0.2, ("inconclusive", "")),
        (0.01, math.inf, ("inconclusive", "")),
        (-math.inf, math.inf, ("inconclusive", "")),
    ],
)
def test_boundaries(low, high, expected) -> None:
    assert word_of(Interval(low, high), direction="greater", sesoi=0.05) == expected


def test_words_refuse_nonsense() -> None:
    with pytest.raises(DesignError, match="smallest effect of interest must be positive"):
        word_of(Interval(0, 1), direction="greater", sesoi=0)
    with pytest.raises(UnknownNameError, match=r"no direction 'up'.*absent, greater, less"):
        word_of(Interval(0, 1), direction="up", sesoi=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, 0.06, 0.2, -0.2, 0.27])
@pytest.mark.parametrize("name", ["C05a", "C17"])
def test_a_reason_says_of_0_only_what_is_true_of_the_interval(name: str, value: float) -> None:
    claim = replace(claim_named(name), sesoi=0.1)
    verdict = judge(claim, Evidence(estimate(value, se=0.08), clusters=40))
    if verdict.word == "inconclusive":
        low, high = verdict.interval.low, verdict.interval.high
        assert ("both 0 and" in verdict.reason) == (claim.direction != "absent")
        assert low <= 0 <= high if claim.direction != "absent" else low < 0.1 < high or low < -0.1 < high


# --- the judge ------------------------------------------------------------------------------------------------------

ARROW = claim_named("C01")
DENIED = claim_named("C02")


def order(**changes: object) -> Precedence:
    """Both directions of a pair in which x moves y by .1 and nothing else happens."""
    parts: dict[str, object] = {
        "forward": estimate(0.1),
        "beside": estimate(0.1),
        "over_lead": estimate(0.1),
        "reverse": estimate(0.0),
        "lead": estimate(0.0),
        "contemporaneous": estimate(0.0),
        "cumulated": estimate(0.1),
        "reliability": Reliability(1.0, 1.0, "declared", 1.0),
        "explained": (0.4, 0.5),
        "lags": (),
    }
    return Precedence(
        x="x",
        y="y",
        method="OLS",
        n_rows=4000,
        n_accounts=40,
        dropped={},
        **{**parts, **changes},
    )


def moved(value: float = 0.1, **changes: object) -> Evidence:
    """Evidence whose forward, beside and contrast with the lead are `value`, but for `changes` of the order."""
    same = {name: estimate(value) for name in ("forward", "beside", "over_lead")}
    return Evidence(estimate(value), order=order(**{**same, **changes}), clusters=40)


QUIET = {"order": order(), "clusters": 40}


@pytest.mark.parametrize(
    ("value", "changes", "word", "code"),
    [
        (0.1, {}, "supported", ReasonCode.BEYOND_ZERO_AND_SESOI),
        # what comes after goes with y as much as what comes before
        (0.1, {"over_lead": estimate(0.01)}, "association only", ReasonCode.NOT_OVER_LEAD),
        # a lead of any size is no matter where the contrast stands: power grows with the effect
        (
            0.3,
            {"lead": estimate(0.1), "over_lead": estimate(0.2)},
            "supported",
            ReasonCode.BEYOND_ZERO_AND_SESOI,
        ),
        # only beside, or only without, the same period
        (0.1, {"forward": estimate(0.0)}, "association only", ReasonCode.ONLY_BESIDE_SAME_PERIOD),
        (0.1, {"reverse": estimate(0.12)}, "association only", ReasonCode.REVERSE_AS_STRONG),
        (0.1, {"reverse": estimate(0.12, 0.2)}, "supported", ReasonCode.BEYOND_ZERO_AND_SESOI),
        (-0.1, {}, "contradicted", ReasonCode.BEYOND_ZERO),
        # the same gates the other way
        (-0.1, {"over_lead": estimate(-0.01)}, "association only", ReasonCode.NOT_OVER_LEAD),
        (-0.1, {"reverse": estimate(-0.12)}, "association only", ReasonCode.REVERSE_AS_STRONG),
        (-0.1, {"contemporaneous": estimate(0.2)}, "association only", ReasonCode.SAME_PERIOD_OTHER_WAY),
        (0.1, {"contemporaneous": estimate(-0.2)}, "supported", ReasonCode.BEYOND_ZERO_AND_SESOI),
        (0.0, {}, "practically nil", ReasonCode.INSIDE_SESOI),
        (0.0, {"contemporaneous": estimate(0.2)}, "inconclusive", ReasonCode.SAME_PERIOD_MOVES),
        # what comes two periods late is no nothing; what an early effect leaves there is not told, nor what is small
        (
            0.0,
            {"lags": ((1, estimate(0.0)), (2, estimate(0.2)))},
            "inconclusive",
            ReasonCode.LATER_PERIOD_OPEN,
        ),
        (
            0.0,
            {"lags": ((1, estimate(0.0)), (2, estimate(0.03, 0.005)))},
            "practically nil",
            ReasonCode.INSIDE_SESOI,
        ),
        (
            0.1,
            {"lags": ((1, estimate(0.1)), (2, estimate(-0.2)))},
            "supported",
            ReasonCode.BEYOND_ZERO_AND_SESOI,
        ),
        # opposite halves sum to nothing, or to a little; halves that differ by what does not matter are left alone
        (0.0, {"halves": tuple(map(estimate, (0.2, -0.2, -0.4)))}, "inconclusive", ReasonCode.HALVES_APART),
        (0.1, {"halves": tuple(map(estimate, (0.3, -0.1, -0.4)))}, "inconclusive", ReasonCode.HALVES_APART),
        (0.0, {"halves": tuple(map(estimate, (0.0, 0.1, 0.1)))}, "inconclusive", ReasonCode.HALVES_APART),
        (
            0.0,
            {"halves": tuple(map(estimate, (0.0, 0.01, 0.01)))},
            "practically nil",
            ReasonCode.INSIDE_SESOI,
        ),
        (
            0.1,
            {"halves": tuple(map(estimate, (0.2, 0.0, -0.2)))},
            "supported",
            ReasonCode.BEYOND_ZERO_AND_SESOI,
        ),
        (
            0.0,
            {"reliability": Reliability(math.nan, math.nan, "autocovariances")},
            "inconclusive",
            ReasonCode.RELIABILITY_UNKNOWN,
        ),
        # .6 alone would leave enough; beside regressors that explain half of x it leaves a fifth
        (
            0.0,
            {"reliability": Reliability(0.6, 0.6, "declared", 1.0)},
            "inconclusive",
            ReasonCode.RELIABILITY_TOO_LOW,
        ),
    ],
)
def test_the_gates_of_an_arrow(value: float, changes: dict[str, object], word: str, code: str) -> None:
    verdict = judge(ARROW, moved(value, **changes))
    assert (verdict.word, verdict.reason_code) == (word, code)
    told = re.findall(r"[−\d.]+ \[[^]]+\]", verdict.reason)
    assert len(told) == len(set(told))  # no number is told twice
    # the mirror claim gets the mirror word
    mirror = {"supported": "contradicted", "contradicted": "supported"}
    less = judge(replace(ARROW, direction="less"), moved(value, **changes))
    if code != ReasonCode.SAME_PERIOD_OTHER_WAY and changes.get("contemporaneous") is None:
        assert less.word == mirror.get(word, word)


def test_less_that_hangs_on_a_few_hits_contradicts_nothing() -> None:
    """An empty shelf after a hit looks like a loss: the fit with the largest values capped has to lie below 0 too."""
    for capped, word in ((estimate(-0.1), "contradicted"), (estimate(0.0), "association only")):
        assert judge(ARROW, replace(moved(-0.1), capped=capped)).word == word
        assert judge(ARROW, replace(moved(0.1), capped=capped)).word == "supported"
    verdict = judge(ARROW, replace(moved(-0.1), capped=estimate(0.0)))
    assert verdict.reason_code == ReasonCode.ONLY_WITH_LARGEST
    assert "hangs on the few largest values of x: with those capped it is 0 [−0.020, 0.020]" in verdict.reason
    assert "Stock-outs" in flip_sentence(verdict)


def test_an_effect_that_comes_two_periods_late_is_said() -> None:
    late = {"lags": ((1, estimate(0.0)), (2, estimate(0.2)), (3, estimate(0.1)))}
    wide = {name: estimate(0.0, 0.1) for name in ("forward", "beside", "over_lead")}
    verdict = judge(ARROW, replace(moved(0.0, **late, **wide), estimate=estimate(0.0, 0.1)))
    assert verdict.word == "inconclusive"
    assert verdict.reason.startswith(
        "x of 2 periods before goes with y by 0.200 [0.180, 0.220] (95 %); the claim is"
    )
    early = judge(ARROW, moved(0.1, **late))
    assert "2 periods" not in early.reason


@pytest.mark.parametrize(
    ("value", "changes", "word"),
    [
        (0.1, {}, "contradicted"),
        (0.1, {"over_lead": estimate(0.01)}, "association only"),
        (0.0, {}, "supported"),
        (0.0, {"contemporaneous": estimate(0.2)}, "inconclusive"),
        # comments that lose money do not contradict that they earn nothing
        (-0.124, {}, "inconclusive"),
    ],
)
def test_a_claim_that_denies_an_arrow_has_the_same_gates(
    value: float, changes: dict[str, object], word: str
) -> None:
    assert judge(DENIED, moved(value, **changes)).word == word


def test_what_moves_together_within_the_period_is_said_first() -> None:
    verdict = judge(ARROW, moved(0.0, contemporaneous=estimate(0.2)))
    assert verdict.reason.startswith("x and y of the same period move together, by 0.20")
    assert "an experiment would tell" in verdict.reason
    assert (
        "; it is nil over the next period, but what moves together in the same period is not"
        in verdict.reason
    )
    assert verdict.reason.count("0.200 [0.180, 0.220]") == 1
    unclear = judge(ARROW, moved(0.0, contemporaneous=estimate(0.04, 0.05)))
    assert unclear.reason_code == ReasonCode.SAME_PERIOD_OPEN
    assert unclear.reason.startswith("it is nil over the next period and open over the same period: 0.04")


def test_without_both_directions_an_arrow_is_an_association() -> None:
    none = judge(ARROW, Evidence(estimate(0.1), clusters=40))
    assert (none.word, none.reason_code) == ("association only", ReasonCode.NO_LEAD)
    still = judge(ARROW, Evidence(estimate(0.0), clusters=40))
    assert (still.word, still.reason_code) == ("inconclusive", ReasonCode.SAME_PERIOD_UNKNOWN)


def test_another_word_without_an_ambiguous_control_is_inconclusive() -> None:
    claim = claim_named("C05a")
    flipped = Evidence(estimate(-0.165), without=estimate(0.137), ambiguous=("log reviews",), clusters=70)
    verdict = judge(claim, flipped)
    assert (verdict.word, verdict.reason_code) == ("inconclusive", ReasonCode.DEPENDS_ON_ADJUSTMENT)
    assert "−0.165 [" in verdict.reason
    assert "with log reviews held fixed, 0.137 [" in verdict.reason
    assert "depends-on-adjustment" in verdict.certainty.codes
    assert judge(claim, replace(flipped, without=estimate(-0.2))).word == "contradicted"


def test_no_word_without_its_certainty() -> None:
    for evidence in (moved(), moved(0.0), Evidence(estimate(0.1), clusters=3)):
        verdict = judge(ARROW, evidence)
        assert verdict.words.endswith(f"certainty {verdict.certainty.level}")
        assert str(verdict.certainty) in verdict._repr_markdown_().replace("\\", "")
    undeclared = judge(ARROW, replace(moved(), open_points=("events-not-declared",)))
    assert (
        str(undeclared.certainty)
        == "certainty very low: ordered in time, not randomised; promotions not declared"
    )
    assert judge(ARROW, moved()).certainty.level == "low"


def test_few_accounts_get_no_decisive_word() -> None:
    for accounts in range(1, 9):
        verdict = judge(ARROW, Evidence(estimate(0.1, accounts=accounts), **{**QUIET, "clusters": accounts}))
        assert verdict.word == ("supported" if accounts >= 6 else "inconclusive")
    assert "only 5 accounts" in judge(ARROW, Evidence(estimate(0.0), **{**QUIET, "clusters": 5})).reason


def test_ends_that_disagree_are_inconclusive() -> None:
    claim = claim_named("C07")
    both = Evidence(estimate(0.2), ends=(estimate(0.15, name="low"),))
    assert judge(claim, both).word == "supported"
    split = judge(claim, Evidence(estimate(0.2), ends=(estimate(0.0, name="β at .9"),)))
    assert split.word == "inconclusive"
    assert split.reason.endswith("(95 %) for β at .9")
    assert not any(word in split.reason for word in DECISIVE)


def test_a_reason_quotes_estimates_and_no_word() -> None:
    # a word stands beside its certainty or not at all
    for sentence in SENTENCES.values():
        assert "{word}" not in sentence
        assert not any(word in sentence for word in DECISIVE)


def test_barriers_fragility_and_qualifiers() -> None:
    barred = judge(ARROW, Evidence(estimate(0.1), barrier="the list was selected", **QUIET))
    assert (barred.word, barred.reason) == ("inconclusive", "the list was selected")
    fragile = judge(ARROW, Evidence(estimate(0.1), fragile="12 of 40 models disagree", **QUIET))
    assert "models-disagree" in fragile.certainty.codes
    assert fragile.qualifiers == ("fragile",)
    assert "12 of 40" in fragile.reason
    films = judge(claim_named("C05a"), Evidence(estimate(0.1), clusters=70), dataset="movies", simulated=True)
    assert films.qualifiers == ("proxy", "simulated")
    assert films.simulated


def test_the_level_of_the_verdict_is_its_own() -> None:
    verdict = judge(ARROW, Evidence(estimate(0.1), **QUIET), level=0.99)
    assert verdict.interval.level == 0.99
    assert verdict.estimate.interval.level == 0.95
    assert verdict.interval.low < verdict.estimate.interval.low


def test_the_power_that_is_printed_is_that_of_the_word() -> None:
    wide = {name: estimate(0.1, 0.05) for name in ("forward", "beside")}
    evidence = Evidence(estimate(0.1, 0.05), order=order(**wide, over_lead=estimate(0.1, 0.08)), clusters=40)
    doubts = {d.name: d for d in judge(ARROW, evidence).doubts}
    critical = StudentT(0, 1, 39).critical(0.95)
    # each of two intervals with a chance of .9, the wider one decides
    assert doubts["detectable effect"].value == pytest.approx((critical + 1.2816) * 0.08, rel=1e-3)
    assert doubts["declarable nil"].raised
    assert doubts["declarable nil"].value == pytest.approx((critical + 1.6449) * 0.05, rel=1e-3)
    unknown = replace(evidence, order=replace(evidence.order, reliability=None))
    said = {d.name: d for d in judge(ARROW, unknown).doubts}["declarable nil"]
    assert math.isinf(said.value)
    assert "can show nil for no δ" in said.text


# --- the registry ---------------------------------------------------------------------------------------------------


def test_the_registry_is_whole() -> None:
    claims = read_claims()
    sets = set(catalog()["name"] if "name" in catalog() else catalog().index)
    for claim in claims:
        assert claim.procedure in PROCEDURES
        assert set(claim.family) <= sets, claim.id
        assert set(claim.worlds) <= {*WORLDS, *CASES}, claim.id
        assert set(claim.estimand) == {"unit", "population", "adjustment", "order"}, claim.id
        assert claim.sesoi > 0
        assert len(claim.sesoi_reason) > 40
        assert len(claim.source) > 10
        assert set(claim.optional) <= set(claim.roles)
    assert {"C01", "C05a", "C05b", "C07", "C09"} <= {claim.id for claim in claims}
    assert len(claims_sha256()) == 64


def test_each_of_the_18_claims_is_judged_somewhere_and_in_both_directions_where_only_worlds_can() -> None:
    claims = read_claims()
    for number in range(1, 19):
        variants = [claim for claim in claims if claim.id[:3] == f"C{number:02d}"]
        assert variants, number
        for claim in variants:
            assert claim.family or claim.worlds, claim.id
            # real data, or a world in which it holds and one in which it does not
            ways = {CASES[name].right == "supported" for name in claim.worlds if name in CASES}
            ways |= {name in ("effect", "decay") for name in claim.worlds if name in WORLDS}
            assert claim.family or ways == {True, False}, claim.id


@pytest.mark.parametrize("claim", read_claims(), ids=lambda claim: claim.id)
def test_every_claim_is_shown_in_its_notebook(claim) -> None:
    path = resource("notebooks") / f"{claim.notebook}.ipynb"
    assert claim.notebook, "no notebook is named"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    texts += ["".join(output.get("text", "")) for output in outputs]
    texts += ["".join(output.get("data", {}).get("text/plain", "")) for output in outputs]
    assert any(re.search(rf"\b{re.escape(claim.id)}\b", text) for text in texts)


def entry(**changes) -> str:
    fields = {
        "id": '"X1"',
        "short": '"x → y"',
        "text": '"t"',
        "source": '"s"',
        "unit": '"u"',
        "sesoi_reason": '"r"',
        "procedure": '"slope"',
        "estimand": '{ unit = "a" }',
        "direction": '"greater"',
        "arrow": "false",
        "design": '"ordered"',
        "sesoi": "0.1",
        "roles": '{ y = ["y"], x = ["x"] }',
        "options": '{ on = ["x"], weights = { x = 1.0 } }',
    } | changes
    return "[[claim]]\n" + "\n".join(f"{key} = {value}" for key, value in fields.items() if value is not None)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", DataError, "holds no claim"),
        ("not toml [", EngineError, "is not a TOML file"),
        ("a = " + "[" * 5_000, EngineError, "is not a TOML file.*nested too deeply"),
        (entry(sesoi=None), DataError, r"claim 'X1' lacks sesoi\. Allowed: id, text, source"),
        (entry(sesoi="0"), DataError, "needs a positive sesoi: 0"),
        (entry(sesoi="true"), DataError, "needs a positive sesoi: True"),
        (entry(sesoi='"big"'), DataError, "needs a positive sesoi: 'big'"),
        (entry(direction='"up"'), UnknownNameError, "no direction.*'up'"),
        (entry(design='"panel"'), UnknownNameError, "no design.*'panel'"),
        (entry(worlds='"nil"'), DataError, "claim 'X1' has a wrong worlds"),
        (entry(roles="{ y = 3, x = ['x'] }"), DataError, r"claim 'X1' has a wrong roles\.y: 3"),
        (
            entry(sets="{ a = { options = 3 } }"),
            DataError,
            r"claim 'X1' has a wrong sets\.a\.options: 3\. Allowed: a table",
        ),
        (entry(text='""'), DataError, "claim 'X1' has a wrong text"),
        (entry(sesio="1"), UnknownNameError, "no field of claim 'X1' 'sesio'.*Did you mean 'sesoi'"),
        (entry(family='["a","b","c","d","e","f","g"]'), DataError, "names too many data sets: 7.*at most 6"),
        (entry() + "\n" + entry(id='"x1"'), DataError, "the claim 'X1' is there twice"),
    ],
)
def test_bad_registries(tmp_path, text, kind, message) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(kind, match=message):
        read_claims(path)


def test_a_registry_that_is_not_there(tmp_path) -> None:
    with pytest.raises(EngineError, match="cannot read the claims"):
        read_claims(tmp_path / "none.toml")


def test_an_unknown_claim() -> None:
    with pytest.raises(UnknownNameError, match=r"no claim 'C07x'.*Did you mean 'C07'"):
        claim_named("C07x")


def test_nothing_in_the_registry_is_evaluated(tmp_path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(entry(id="\"__import__('os').abort()\""), encoding="utf-8")
    assert read_claims(path)[0].id == "__import__('os').abort()"


def test_the_file_is_plain_data() -> None:
    table = tomllib.loads(claims_path().read_text(encoding="utf-8"))
    assert set(table) == {"claim"}


# --- the board ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return simulate_panel("effect", accounts=20, weeks=60, rng=5)[0]


def quick(name: str) -> Claim:
    """A claim without the curves and doubts that change no word."""
    claim = claim_named(name)
    return replace(claim, options=without_challenges(claim.options, procedure=claim.procedure))


QUICK = quick("C01")


def test_examine_says_why_a_claim_is_not_judged(panel) -> None:
    (verdict,) = examine("C01", {"shop": panel.drop(columns=["revenue"])})
    assert verdict.word == "not judged"
    assert verdict.certainty is None
    assert "revenue" in verdict.reason
    assert "pass columns={'revenue': 'its own name'}; least data for this claim" in verdict.reason


def test_advertising_that_is_not_known_lowers_the_certainty_and_none_at_all_is_accepted(panel) -> None:
    (unknown,) = examine("C01", {"shop": panel.drop(columns=["spend"])})
    assert unknown.word != "not judged"
    assert "advertising-not-declared" in unknown.certainty.codes
    (nothing,) = examine("C01", {"shop": panel.assign(spend=0.0)})
    assert "advertising-not-declared" not in nothing.certainty.codes
    assert next(d for d in nothing.doubts if d.name == "constant control")
    assert nothing.estimate.value == pytest.approx(unknown.estimate.value)


def test_what_is_declared_about_a_table(panel) -> None:
    renamed = panel.rename(columns={"engagement": "interactions"}).assign(stock=panel["spend"] ** 0.5)
    start = pd.to_datetime(panel["week"].iloc[[10, 20, 30]]).reset_index(drop=True)
    sale = pd.DataFrame({"start": start, "end": start + pd.Timedelta(days=6), "name": "sale"})
    sale["entity"] = panel["account"].iloc[0]
    (verdict,) = examine(
        "C01",
        {"shop": renamed},
        columns={"engagement": "interactions"},
        controls=["stock"],
        events=sale,
        reliability=0.9,
    )
    assert "events sale" in verdict.estimate.method
    assert "log (1 + stock)" in verdict.estimate.method
    assert "events-not-declared" not in verdict.certainty.codes
    assert next(d for d in verdict.doubts if d.name == "without the events")
    assert (
        next(d for d in verdict.doubts if d.name == "reliability").text
        == "reliability 0.9: the share of x that is no error of measurement (declared)"
    )
    with pytest.warns(ErresearchWarning, match="1 of 4 events lies outside the table"):
        (beyond,) = examine(
            "C01", panel, events=pd.concat([sale, sale.tail(1).assign(start="2019-01-01", end=None)])
        )
    odd = next(d for d in beyond.doubts if d.name == "declared events")  # where only the verdict is read
    assert odd.raised
    assert odd.text.startswith("1 of 4 events lies outside")
    (none,) = examine("C01", {"shop": panel}, events="none")
    assert "events-not-declared" not in none.certainty.codes
    with pytest.raises(DesignError, match="a reliability is a share of the variance"):
        examine("C01", {"shop": panel}, reliability=1.2)
    with pytest.raises(UnknownNameError, match="There is no rule of choice 'best'"):
        examine("C07", {"shop": panel}, choice="best")
    (strange,) = examine("C01", {"shop": panel}, controls=["weather"])
    assert (strange.word, "No column 'weather'" in strange.reason) == ("not judged", True)
    (lazy,) = examine("C01", {"shop": pl.from_pandas(panel).lazy()}, events=sale)
    assert "events are laid on a table in memory" in lazy.reason


def test_zeros_are_said_to_cost_their_neighbours(panel) -> None:
    holes = panel.assign(engagement=panel["engagement"].where(np.arange(len(panel)) % 6 != 0, 0))
    (verdict,) = examine("C01", {"shop": holes})
    lost = next(d for d in verdict.doubts if d.name == "rows left out")
    assert lost.raised
    assert "each zero and each gap takes its neighbours" in lost.text


def test_a_list_needs_a_declared_rule_of_choice() -> None:
    table = real(simulate("decay", accounts=300, rng=3).panel)
    (unknown,) = examine("C07", {"list": table})
    assert unknown.word == "inconclusive"
    assert "how the list was chosen is not declared" in unknown.reason
    assert "choice-unknown" in unknown.certainty.codes
    assert examine("C07", {"list": table}, choice="followers")[0].word == "supported"
    assert "was chosen by several figures" in examine("C07", {"list": table}, choice="mixed")[0].reason


def test_examine_never_changes_its_input(panel) -> None:
    before = panel.copy(deep=True)
    examine("C01", {"shop": panel})
    pd.testing.assert_frame_equal(panel, before)


def test_worlds_answer_only_their_own_claims() -> None:
    (verdict,) = examine(QUICK, {"decay": simulate("decay", accounts=200, rng=1).panel})
    assert (verdict.word, verdict.simulated) == ("not judged", True)


def real(panel: pd.DataFrame) -> pd.DataFrame:
    out = panel.copy()
    out.attrs = {}
    return out


def test_simulated_data_never_enter_a_family(panel) -> None:
    (alone,) = examine(QUICK, {"shop": real(panel)})
    worlds = {name: simulate_panel(name, accounts=20, weeks=60, rng=1)[0] for name in ("nil", "reverse")}
    with_worlds = examine(QUICK, {"shop": real(panel), **worlds})
    assert with_worlds[0].interval == alone.interval
    assert all(v.interval.level == 0.95 for v in with_worlds[1:])


def test_holm_steps_down_over_real_data(panel) -> None:
    shops = {
        name: real(simulate_panel(world, accounts=20, weeks=60, rng=seed)[0])
        for name, world, seed in (("a", "effect", 1), ("b", "effect", 2), ("c", "nil", 3))
    }
    verdicts = examine(QUICK, shops)
    levels = [round(v.interval.level, 6) for v in verdicts]
    assert set(levels) <= {round(1 - 0.05 / m, 6) for m in (1, 2, 3)}
    assert min(levels) >= 0.95
    assert max(levels) == round(1 - 0.05 / 3, 6)


def test_too_large_a_family(panel) -> None:
    small = real(panel)
    with pytest.raises(DataError, match=r"7 real data sets at once.*at most 6"):
        examine(
            replace(claim_named("C07"), options={"reliability": [1.0, 1.0], "spline": False}),
            {f"list {i}": small.groupby("account", as_index=False).sum(numeric_only=True) for i in range(7)},
        )


def test_examine_refuses_nothing_and_bad_levels(panel) -> None:
    with pytest.raises(DataError, match="nothing to examine"):
        examine("C01", {})
    with pytest.raises(DesignError, match="`level` must lie between 0 and 1"):
        examine("C01", {"shop": panel}, level=95)


def test_an_unknown_procedure(panel) -> None:
    with pytest.raises(UnknownNameError, match=r"no procedure.*'magic'"):
        evidence_for(replace(ARROW, procedure="magic"), panel)


@pytest.fixture(scope="module")
def data() -> dict[str, pd.DataFrame]:
    return embedded()


def test_the_embedded_data_sets(data) -> None:
    assert next(iter(data)) == "movies"
    assert {name for name, table in data.items() if table.attrs.get("simulated")} == {*WORLDS, *CASES}


@pytest.mark.parametrize("world", ["nil", "effect", "reverse"])
def test_the_planted_truth_is_found(world) -> None:
    simulation = simulate(world, rng=11)
    (verdict,) = examine(QUICK, {world: simulation.panel})
    assert verdict.word in simulation.truth.words["C01"].right
    assert verdict.word in WORDS


def test_decay_is_decisive_only_where_log_ols_agrees() -> None:
    panel = simulate("decay", accounts=300, rng=3).panel
    evidence = evidence_for(claim_named("C07"), panel, dataset="decay")
    logged = [end for end in evidence.ends if "log-OLS" in end.name]
    assert logged
    assert judge(claim_named("C07"), evidence).word == "supported"
    other = estimate(0.0, name="1 − β by log-OLS at reliability 1")
    split = judge(claim_named("C07"), replace(evidence, ends=(other,)))
    assert split.word == "inconclusive"
    assert "by log-OLS" in split.reason


@pytest.mark.parametrize("world", ["decay", "flat", "flat-noisy-followers", "flat-selected-on-followers"])
def test_the_planted_exponent_is_found(world) -> None:
    simulation = simulate(world, rng=11)
    (verdict,) = examine(quick("C07"), {world: simulation.panel})
    assert verdict.word not in simulation.truth.words["C07"].wrong


def test_films(data, recwarn) -> None:
    score, contrast = examine(["C05a", "C05b"], {"movies": data["movies"]})
    assert score.qualifiers == contrast.qualifiers == ("proxy",)
    assert score.estimate.n_rows == 2751
    # more reviews go with far more box office than better ones do
    assert contrast.word == "contradicted"
    assert not recwarn.list


def test_the_same_word_from_another_engine(panel) -> None:
    pl = pytest.importorskip("polars")
    (here,) = examine(QUICK, {"shop": real(panel)})
    (there,) = examine(QUICK, {"shop": pl.from_pandas(panel).lazy()})
    assert there.word == here.word
    assert there.estimate.value == pytest.approx(here.estimate.value, rel=1e-10)
    assert np.isclose(there.interval.low, here.interval.low, rtol=1e-8)


def test_columns_that_no_claim_knows_and_reliabilities_that_are_none_are_refused():
    table = simulate_panel("nil", accounts=6, weeks=60, rng=1)[0]
    with pytest.raises(
        UnknownNameError, match=r"no column of these claims 'engagment'.*Did you mean 'engagement'"
    ):
        examine("C01", {"shops": table}, columns={"engagment": "engagement"})
    for wrong in (0.0, 1.2, math.nan, "high", True, (0.5, 0.9)):
        with pytest.raises(DesignError, match="a reliability is a share of the variance"):
            examine("C01", {"shops": table}, reliability=wrong)
    with pytest.raises(UnknownNameError, match="no rule of choice 'best'"):
        examine("C07", {"shops": table}, choice="best")
    with pytest.raises(UnknownNameError, match="There is no claim 'None'"):
        examine(None, table)
    for level in ("95", None, 95):
        with pytest.raises(DesignError, match=r"`level` must lie between 0 and 1.*Use 0.95 for 95 %"):
            examine("C01", table, level=level)
    with pytest.raises(ColumnError, match="a column name stands twice in the table: 'spend'"):
        examine("C01", pd.concat([table, table[["spend"]]], axis=1))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"controls": "weather"}, "No column 'weather' in the table"),  # one name is no list of letters
        ({"controls": [1]}, "No column '1' in the table"),
        ({"columns": {"engagement": None}}, "No column 'None' in the table"),
        ({"controls": "revenue"}, "a control is what the claim itself is about: 'revenue'. Leave it out"),
        ({"controls": ["week"]}, "a control is what the claim itself is about: 'week'"),
    ],
)
def test_names_that_cannot_be_meant_are_said(panel, asked, said):
    (verdict,) = examine("C01", panel, **asked)
    assert verdict.word == "not judged"
    assert said in verdict.reason


def test_a_table_as_pandas_leaves_it_says_what_to_do(panel, tmp_path):
    (verdict,) = examine("C01", panel.set_index(["account", "week"]))
    assert "call .reset_index() on it first" in verdict.reason
    with pytest.raises(ColumnError, match="The table's index is no column"):
        regress(panel.set_index("week"), "revenue", on=["engagement"], time="week")
    one = panel[panel["account"] == panel["account"].iloc[0]].drop(columns="account")
    one.to_csv(tmp_path / "shop.csv", index=False)
    (verdict,) = examine("C01", {"shop": tmp_path / "shop.csv"})
    assert "read the file into a table first" in verdict.reason
    (verdict,) = examine("C01", pd.concat([one, one.iloc[:2]]))
    assert "table.duplicated(['week']) finds them" in verdict.reason
    assert "or bring a column that tells the accounts apart" in verdict.reason


def test_the_word_without_further_controls_stands_beside(panel):
    more = panel.assign(price=1 + np.arange(len(panel)) % 7)
    (held,) = examine("C01", more, controls="price")
    (bare,) = examine("C01", more)
    beside = next(doubt for doubt in held.doubts if doubt.name == "without the controls")
    assert beside.value == pytest.approx(bare.estimate.value)
    assert beside.text.startswith(bare.words)
    assert "without the controls" not in {doubt.name for doubt in bare.doubts}


@pytest.mark.parametrize("column", ["engagement", "revenue"])
def test_a_period_that_carries_its_account_is_named(panel, column):
    assert "one-period" not in {doubt.code for doubt in examine(QUICK, panel)[0].doubts}
    slipped = panel.assign(**{column: panel[column].astype(float)})
    slipped.loc[30, column] *= 1_000  # a decimal point that is lost
    (verdict,) = examine(QUICK, slipped)
    said = next(doubt for doubt in verdict.doubts if doubt.code == "one-period")
    assert said.raised
    assert f"{panel['week'][30]:%Y-%m-%d} holds 9" in said.text
    assert f"% of all {column} of its account" in said.text
    (verdict,) = examine(
        QUICK, panel.assign(**{column: slipped[column].replace(slipped[column][30], math.inf)})
    )
    assert "one-period" not in {doubt.code for doubt in verdict.doubts}  # left out as not finite
    # text of a cell stands in no message
    (verdict,) = examine(QUICK, slipped.assign(week=slipped["week"].dt.strftime("%G-W%V")))
    assert next(d for d in verdict.doubts if d.code == "one-period").text.startswith("one period holds")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda t: t.assign(engagement=0.0), "fewer counts are 0 or missing, or a column that is above 0"),
        (lambda t: t.assign(engagement=math.nan), "not finite: log engagement.*or a column that is above 0"),
        (lambda t: t.assign(engagement=3.0), "no variation is left in 'lag1 log engagement'"),
        (lambda t: pd.concat([t, t.iloc[:5]]), "5 rows repeat one.*Sum or average them first"),
        (
            lambda t: pd.concat([t.assign(week=t["week"] + pd.Timedelta(hours=3)), t]),
            "Sum to one row per day or week",
        ),
    ],
)
def test_rows_that_give_no_word_say_the_way_out(changed, said):
    table = simulate_panel("nil", accounts=6, weeks=60, rng=1)[0]
    table = table.assign(
        week=pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * table["week"].rank(method="dense"), "D")
    )
    (verdict,) = examine("C01", {"shops": changed(table)})
    assert verdict.word in {"not judged", "inconclusive"}
    assert re.search(said, verdict.reason)


def test_a_reliability_from_several_counts_keeps_its_source():
    table = simulate_panel("nil", accounts=40, weeks=104, rng=1)[0]
    found = reliability(table, [log("engagement"), log("likes")], by="account", time="week")
    (verdict,) = examine("C01", {"shops": table}, reliability=found)
    (said,) = [doubt.text for doubt in verdict.doubts if doubt.name == "reliability"]
    assert said == str(found)
    assert "counts" in said


def test_an_estimate_is_told_of_the_columns_that_were_taken():
    """Where a data set plays x or y by other columns, the claim's own clause would name the wrong thing."""
    claims = {claim.id: claim for claim in read_claims()}
    assert "revenue" in claims["C01"].clause("a shop")
    for claim in claims.values():
        for name, about in claim.sets.items():
            clause = claim.clause(name)
            if {"x", "y"} & set(about.roles):
                assert clause == about.told
                assert "revenue" not in clause or "revenue" in about.roles.get("y", ())
            else:
                assert clause == claim.told
    assert "downloads" in claims["C01"].clause("best-of-ml-python")
