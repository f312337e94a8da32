"""Claims on real data sets: rows, packs and other software say the same. Skipped where the rows are not here."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from erresearch import cli
from erresearch.claims import claim_named, embedded, evidence_for, examine, read_claims, verify_pack
from erresearch.claims.packing import Pack, rows_of, shipped
from erresearch.errors import EngineError
from erresearch.relate.inference import crv3

PACKS = shipped()
JUDGED = [claim.id for claim in read_claims() if set(claim.family) & set(PACKS)]


@pytest.fixture(autouse=True)
def rows_are_here(monkeypatch, real_data) -> None:
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(real_data))


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {}


def table(tables: dict[str, pd.DataFrame], name: str) -> pd.DataFrame:
    if name not in tables:
        tables[name] = rows_of(name)
    return tables[name]


@pytest.mark.parametrize("claim", JUDGED)
def test_rows_and_packs_print_the_same_word_and_digits(claim, tables) -> None:
    family = [name for name in claim_named(claim).family if name in PACKS]
    from_rows = examine(claim, {name: table(tables, name) for name in family})
    from_packs = examine(claim, {name: PACKS[name] for name in family})
    for rows, pack in zip(from_rows, from_packs, strict=True):
        assert (rows.evidence, pack.evidence in {"from pack", "stored"}) == ("from rows", True)
        assert pack.words == rows.words
        assert pack.reason == rows.reason
        assert pack.interval.level == rows.interval.level
        for a, b in ((pack.estimate.value, rows.estimate.value), (pack.interval.low, rows.interval.low)):
            assert a == pytest.approx(b, rel=1e-8)
        assert str(pack.estimate) == str(rows.estimate)


def test_what_scores_of_strata_lose() -> None:
    # the standard error that strata give differs from that of the rows by what few strata cost
    for name, pack in PACKS.items():
        for claim, entry in pack.entries.items():
            if entry.scores is None or claim in ("C17", "C18"):  # these are judged by a contrast
                continue
            se = np.sqrt(np.diag(crv3(entry.scores)))
            own = entry.evidence.estimate.se
            nearest = se[np.argmin(np.abs(np.log(se / own)))]
            groups = entry.scores.clusters
            assert abs(math.log(nearest / own)) < 3 / math.sqrt(2 * (groups - 1)), (name, claim)


def test_every_pack_is_what_its_rows_give(capsys) -> None:
    assert cli.main(["datasets", "fandango", "--verify"]) == 0
    assert "fandango: evidence on 1 claim computed again" in capsys.readouterr().out


def test_a_pack_that_is_not_what_its_rows_give() -> None:
    pack = PACKS["hillstrom"]
    entries = {**pack.entries, "C06b": pack.entries["C06c"]}
    changed = Pack(
        name=pack.name, sources=pack.sources, columns=pack.columns, rows=pack.rows, entries=entries
    )
    with pytest.raises(EngineError, match="is not what its rows give: C06b: declared otherwise"):
        verify_pack("hillstrom", changed)
    whole = PACKS["csm-movies"]
    one = whole.entries["C01b"]
    moved = replace(one, scores=replace(one.scores, scores=one.scores.scores[::-1]))
    with pytest.raises(EngineError, match="C01b: other sums over groups or strata"):
        verify_pack("csm-movies", replace(whole, entries={**whole.entries, "C01b": moved}))


def test_the_board_is_the_same_with_and_without_rows(monkeypatch) -> None:
    with_folder = embedded()
    monkeypatch.delenv("ERRESEARCH_DATA_DIR")
    without = embedded()
    assert list(with_folder) == list(without)
    assert all(isinstance(data[name], Pack) for data in (with_folder, without) for name in PACKS)


def test_films_against_statsmodels(tables) -> None:
    films = table(tables, "csm-movies").dropna(subset=["budget", "screens"])
    design = sm.add_constant(np.log(films[["likes", "budget", "screens", "sequel"]]))
    fit = sm.GLM(films["gross"] / 1e6, design, family=sm.families.Poisson()).fit(tol=1e-12)
    found = evidence_for(claim_named("C01b"), table(tables, "csm-movies"), dataset="csm-movies").estimate
    assert found.value == pytest.approx(fit.params["likes"], rel=1e-7)


def test_sessions_against_statsmodels(tables) -> None:
    sessions = table(tables, "online-shoppers")
    design = pd.DataFrame(
        {
            "x": np.log1p(sessions["product_related_duration"]),
            "pages": np.log1p(sessions["product_related"]),
            "bounce": sessions["bounce_rate"],
            "special": sessions["special_day"],
        }
    )
    fit = sm.Logit(sessions["purchase"].astype(float), sm.add_constant(design)).fit(disp=0, tol=1e-12)
    found = evidence_for(claim_named("C03b"), sessions, dataset="online-shoppers").estimate
    assert found.value == pytest.approx(fit.params["x"], rel=1e-6)


def test_the_experiment_gives_the_published_effects(tables) -> None:
    # Radcliffe (2008) by arm: +.68 and +.31 points of conversion, +.77 and +.42 dollars; here both arms together
    mail = table(tables, "hillstrom")
    arms = mail[mail["segment"] != "No E-Mail"]["segment"].value_counts(normalize=True)
    for claim, mens, womens, digits in (("C06b", 0.0068, 0.0031, 1e-4), ("C06c", 0.77, 0.42, 0.01)):
        published = arms["Mens E-Mail"] * mens + arms["Womens E-Mail"] * womens
        found = evidence_for(claim_named(claim), mail, dataset="hillstrom").estimate
        assert found.value == pytest.approx(published, abs=digits)


def test_the_nearer_to_the_till_the_stronger(tables) -> None:
    (verdict,) = examine("F01", {"fandango": table(tables, "fandango")})
    assert (verdict.word, verdict.size, verdict.qualifiers) == ("supported", "at least δ", ("proxy",))
    assert verdict.estimate.n_rows == 84
    r = [estimate.value for estimate in verdict.result.values()]
    assert r == sorted(r)
    assert r[-1] > 0.9


def test_page_values_are_not_taken_for_engagement(tables) -> None:
    claim = claim_named("C03b")
    leaking = replace(claim, roles={**claim.roles, "x": ("page_values",)})
    (verdict,) = examine(leaking, {"online-shoppers": table(tables, "online-shoppers")})
    assert verdict.word == "not judged"
    assert "page_values" in verdict.reason
