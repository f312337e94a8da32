"""Estimates put together: metafor's figures, the interval's floor, what the next set shows, one's own beside others."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from erresearch.claims import Finding, claim_named, combine, examine, read_findings
from erresearch.claims.packing import shipped
from erresearch.cli import main
from erresearch.errors import ColumnError, DataError, DesignError, EngineError, UnknownNameError
from erresearch.relate import meta_analysis, partial_pooling
from erresearch.results import Estimate, StudentT

STORED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "oracle" / "meta_analysis.json").read_text(encoding="utf-8")
)


def of(value: float, se: float, unit: str = "") -> Estimate:
    reference = StudentT(value, se, math.inf)
    return Estimate(
        "slope", value=value, se=se, df=math.inf, interval=reference.interval(0.95), n_rows=10, n_accounts=5,
        unit=unit, reference=reference,
    )  # fmt: skip


def sets(values: Any, ses: Any) -> dict[str, Estimate]:
    return {f"set {i}": of(float(v), float(s)) for i, (v, s) in enumerate(zip(values, ses, strict=True))}


@pytest.mark.parametrize("name", STORED)
def test_all_figures_agree_with_metafor(name: str):
    case = STORED[name]
    k = len(case["yi"])
    found = meta_analysis(sets(case["yi"], np.sqrt(case["vi"])))
    near = {"rel": 1e-6, "abs": 1e-9}
    assert found.tau**2 == pytest.approx(case["tau2"], **near)
    assert found.mean.value == pytest.approx(case["mean"], **near)
    assert (found.fixed.value, found.fixed.se) == pytest.approx((case["fixed"], case["fixed_se"]), **near)
    assert (found.q, found.pvalue) == pytest.approx((case["q"], case["p"]), rel=1e-6)
    assert found.heterogeneity == pytest.approx(case["i2"], **near)
    # metafor's own interval may be narrower than the fixed effect's: ours is not
    assert found.mean.se == pytest.approx(max(case["se"], case["fixed_se"]), **near)
    if case["se"] > case["fixed_se"]:
        ends = (found.mean.interval.low, found.mean.interval.high)
        assert ends == pytest.approx((case["low"], case["high"]), **near)
        if k >= 5:
            assert found.prediction is not None
            half = (found.prediction.high - found.prediction.low) / 2
            assert half == pytest.approx(case["half"], **near)
    left = [one.value for one in found.without.values()]
    assert left == pytest.approx(list(np.atleast_1d(case["left_out"])), **near)


def test_fixed_effect_and_q_agree_with_statsmodels():
    case = STORED["bcg"]
    theirs = combine_effects(np.array(case["yi"]), np.array(case["vi"]), method_re="dl")
    found = meta_analysis(sets(case["yi"], np.sqrt(case["vi"])))
    assert (found.fixed.value, found.q) == pytest.approx((theirs.mean_effect_fe, theirs.q), rel=1e-9)


def test_the_mean_is_never_surer_than_the_fixed_effect():
    rng = np.random.default_rng(3)
    for _ in range(40):
        k = int(rng.integers(2, 9))
        found = meta_analysis(sets(rng.normal(0, 0.01, k), rng.uniform(0.005, 0.1, k)))
        fixed = found.fixed.interval
        assert found.mean.interval.high - found.mean.interval.low >= fixed.high - fixed.low
        assert (found.prediction is None) == (k < 5)
        assert len(found.without) == (k if k > 2 else 0)


def test_order_and_scale_do_not_matter():
    values, ses = [0.03, 0.014, 0.06, 0.005, -0.02], [0.005, 0.0035, 0.0115, 0.0034, 0.05]
    one = meta_analysis(sets(values, ses))
    other = meta_analysis(sets(values[::-1], ses[::-1]))
    tenfold = meta_analysis(sets(10 * np.array(values), 10 * np.array(ses)))
    assert other.mean.value == pytest.approx(one.mean.value, rel=1e-9)
    assert tenfold.mean.interval.low == pytest.approx(10 * one.mean.interval.low, rel=1e-7)
    assert "a further set would lie in" in str(one)
    assert "not said below 5 sets" in str(meta_analysis(sets(values[:2], ses[:2])))


@pytest.mark.parametrize("draws", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_coverage_of_mean_and_prediction(draws):
    """8 sets, τ = .02: the mean is covered about .95 of the time, the next set too."""
    rng = np.random.default_rng(11)
    inside = ahead = 0
    for _ in range(draws):
        ses = rng.uniform(0.005, 0.03, 8)
        true = rng.normal(0.05, 0.02, 9)
        found = meta_analysis(sets(rng.normal(true[:8], ses), ses))
        inside += 0.05 in found.mean.interval
        assert found.prediction is not None
        ahead += true[8] in found.prediction
    for held, least in ((inside, 0.95), (ahead, 0.93)):
        assert held / draws >= least - 2.4 * np.sqrt(least * (1 - least) / draws)
        assert draws < 300 or held / draws <= 0.985


def test_an_own_estimate_is_drawn_by_its_precision():
    others = sets([0.02, 0.03, 0.025, 0.04, 0.01], [0.01] * 5)
    sharp, blunt = partial_pooling(of(0.2, 1e-4), others), partial_pooling(of(0.2, 10.0), others)
    assert sharp.weight > 0.999
    assert sharp.pooled.value == pytest.approx(0.2, abs=1e-3)
    assert blunt.pooled.value == pytest.approx(blunt.others.mean.value, abs=1e-4)
    assert "and it lies outside; put" in str(sharp)
    wide = partial_pooling(of(0.2, 0.1), others)
    assert "and it lies outside, though not all of its interval; put" in str(wide)
    assert "beside 5 others one would expect" in str(blunt)
    assert sharp.expected == sharp.others.prediction


@pytest.mark.parametrize(
    ("estimates", "message"),
    [
        ({"a": of(1, 1)}, "one estimate cannot be put together"),
        ({"a": of(1, 1, "EUR"), "b": of(1, 1, "USD")}, r"different units.*'EUR', 'USD'"),
        ({"a": of(1, 1), "b": of(1, 0.0)}, r"without a standard error.*'b'"),
        ({"a": of(1, math.inf), "b": of(1, 1)}, r"without a standard error.*'a'"),
    ],
)
def test_what_cannot_be_put_together_is_refused(estimates: dict[str, Estimate], message: str):
    with pytest.raises(DataError, match=message):
        meta_analysis(estimates)


def test_a_level_that_is_none_and_too_few_others_are_refused():
    with pytest.raises(DesignError, match="`level` must lie between 0 and 1"):
        meta_analysis(sets([1, 2], [1, 1]), level=95)
    with pytest.raises(DataError, match=r"too few other sets.*4. Allowed: 5 or more"):
        partial_pooling(of(0.1, 0.1), sets([1, 2, 3, 4], [1, 1, 1, 1]))
    with pytest.raises(DataError, match="different units"):
        partial_pooling(of(0.1, 0.1, "EUR"), sets([1, 2, 3, 4, 5], [1] * 5))


# ------------------------------------------------------------------------------------------ findings of houses
ROWS = [*(f"{name},{0.02 + 0.004 * i},0.01,revenue,week,elasticity" for i, name in enumerate("abcde")),
        "mine,0.2,0.1,revenue,week,elasticity"]  # fmt: skip
HEAD = "name,value,se,outcome,period,unit"


def written(folder: Path, rows: list[str], head: str = HEAD) -> Path:
    path = folder / "findings.csv"
    path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return path


def test_combine_shows_own_and_expected_and_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = written(tmp_path, ROWS)
    found = combine(path, own="mine")
    assert found.own.value == 0.2
    assert found.pooled.value < 0.1
    assert len(found.others.estimates) == 5
    assert main(["combine", str(path), "--own", "mine"]) == 0
    said = capsys.readouterr().out
    assert "5 sets" in said
    assert "own estimate 0.20" in said


@pytest.mark.parametrize(
    ("rows", "own", "message"),
    [
        (ROWS, "yours", "finding"),
        ([*ROWS, ROWS[0]], "mine", "a finding is there twice"),
        (ROWS[1:], "mine", r"too few other sets.*: 4"),
        ([*ROWS[1:], "a,1,1,orders,week,elasticity"], "mine", "more than one outcome are not put together"),
        (
            [*ROWS[1:], "a,1,1,revenue,month,elasticity"],
            "mine",
            r"more than one period are not put together.*how long one period lasts \(day, week\)",
        ),
        ([*ROWS[1:], "a,1,1,revenue,week,EUR"], "mine", "more than one unit are not put together"),
        ([*ROWS[1:], "a,x,1,revenue,week,elasticity"], "mine", "finding 6 has no estimate"),
    ],
)
def test_findings_that_do_not_belong_together_are_refused(
    rows: list[str], own: str, message: str, tmp_path: Path
):
    with pytest.raises((DataError, UnknownNameError), match=message):
        combine(written(tmp_path, rows), own=own)


def test_a_file_of_findings_that_is_none_is_refused(tmp_path: Path):
    with pytest.raises(EngineError, match="findings cannot be read"):
        read_findings(tmp_path / "none.csv")
    with pytest.raises(ColumnError, match="se"):
        read_findings(written(tmp_path, ["a,1"], "name,value"))


def test_findings_without_one_of_ones_own_are_put_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = written(tmp_path, ROWS[:5])
    found = combine(path)
    assert found.mean.value == pytest.approx(
        meta_analysis(sets(0.02 + 0.004 * np.arange(5), [0.01] * 5)).mean.value
    )
    assert found.prediction is not None
    assert main(["combine", str(path)]) == 0
    said = capsys.readouterr().out
    assert "5 sets" in said
    assert all(f" {name}: " in said for name in "abcde")


@pytest.mark.parametrize("parted", [";", "\t"])
def test_findings_with_a_decimal_comma_are_read(parted: str, tmp_path: Path):
    rows = [row.replace(",", parted).replace(".", ",") for row in ROWS]
    found = combine(written(tmp_path, rows, HEAD.replace(",", parted)), own="mine")
    assert found.pooled.value == combine(written(tmp_path, ROWS), own="mine").pooled.value


def test_what_says_not_of_what_it_is_is_not_combined():
    with pytest.raises(DataError, match=r"only findings are combined.*Estimate.*Finding\.of"):
        combine([of(0.1, 0.1)], own="mine")  # type: ignore[list-item]
    with pytest.raises(DataError, match=r"by the names of their sets.*list.*a mapping of names"):
        meta_analysis([of(0.1, 0.1)])  # type: ignore[arg-type]


def test_findings_come_from_verdicts_experiments_packs_and_estimates():
    told = {"outcome": "buyers", "period": "two weeks", "unit": "share"}
    claim = claim_named("C06b")
    packed = Finding.of("hillstrom", shipped()["hillstrom"], claim=claim, **told)
    (verdict,) = examine("C06b", {"hillstrom": shipped()["hillstrom"]})
    assert packed.estimate.value == pytest.approx(Finding.of("h", verdict, **told).estimate.value, rel=1e-9)
    assert Finding.of("e", SimpleNamespace(effect=of(1, 1)), **told).estimate.value == 1
    with pytest.raises(DataError, match=r"no estimate to put together.*str"):
        Finding.of("x", "text", **told)
    judged = {"a": verdict, "b": SimpleNamespace(effect=verdict.estimate), "c": packed, "d": verdict.estimate}
    mean = meta_analysis({name: judged[name] for name in "abd"}).mean
    assert mean.value == pytest.approx(verdict.estimate.value)
    assert meta_analysis({"a": packed, "b": packed}).mean.value == pytest.approx(verdict.estimate.value)
    with pytest.raises(DataError, match=r"no estimate to put together.*Pack.*Finding\.of"):
        meta_analysis({"a": verdict, "b": shipped()["hillstrom"]})
