"""Evidence without rows: cells, strata, packs and pools."""

from __future__ import annotations

import io
import tomllib
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from claim_samples import shop

from erresearch import cli
from erresearch.claims import (
    Claim,
    DataSetNote,
    check_disclosure,
    claim_named,
    claims_path,
    embedded,
    examine,
    merge_small,
    packing,
    pool,
    read_claims,
    real_rows,
    verify_pack,
)
from erresearch.claims.decision_rule import Evidence
from erresearch.claims.disclosure import LEAST_ROWS, strata
from erresearch.claims.packing import (
    Entry,
    Pack,
    declaration,
    make_pack,
    names_to_pack,
    read_pack,
    shipped,
    write_pack,
)
from erresearch.claims.registry import _claim
from erresearch.datasets.entries import registered
from erresearch.engine.moments import Moments
from erresearch.errors import DataError, DesignError, EngineError, ErresearchWarning, UnknownNameError
from erresearch.relate import regress
from erresearch.results import Estimate, Interval, Precedence
from erresearch.worlds import CASES, WORLDS, simulate_panel

# --- disclosure -----------------------------------------------------------------------------------------------------


def test_strata_depend_on_row_numbers_only() -> None:
    labels = strata(1001, salt="a")
    assert (labels == strata(1001, salt="a")).all()
    assert (labels != strata(1001, salt="b")).any()
    sizes = np.unique(labels, return_counts=True)[1]
    assert (sizes.min() >= 20, np.ptp(sizes) <= 1, len(sizes)) == (True, True, 50)
    assert len(np.unique(strata(100_000, salt="a"))) == 200


@pytest.mark.parametrize(("rows", "least"), [(39, 20), (100, 9)])
def test_strata_of_few_rows_are_refused(rows, least) -> None:
    with pytest.raises(DataError, match=f"cannot be put into strata: {rows} rows, {least} per stratum"):
        strata(rows, salt="a", least=least)


def accounts(sizes: list[int], seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    by = np.repeat([f"a{i:02d}" for i in range(len(sizes))], sizes)
    level = np.repeat(rng.normal(0, 5, len(sizes)), sizes)
    x = level + rng.normal(size=len(by))
    return pd.DataFrame({"shop": by, "x": x, "y": 2 * level + rng.normal(size=len(by))})


def test_small_cells_and_constant_flags_are_refused() -> None:
    table = accounts([30, 30, 4])
    with pytest.raises(DataError, match="1 of 3 accounts has fewer than 10 rows"):
        check_disclosure(Moments.from_frame(table, ["x"], by="shop"))
    large = table[table["shop"] != "a02"].assign(bought=lambda t: (t["shop"] == "a00").astype(int))
    with pytest.raises(DataError, match="'bought' is the same in every row of a cell"):
        check_disclosure(Moments.from_frame(large, ["x", "bought"], by="shop"))
    mixed = large.assign(bought=np.arange(len(large)) % 2)
    check_disclosure(Moments.from_frame(mixed, ["x", "bought"], by="shop"))


def test_sums_by_account_and_period_are_rows_where_each_week_has_one() -> None:
    table = accounts([30] * 6).assign(week=lambda t: t.groupby("shop").cumcount())
    weekly = Moments.from_frame(table, ["x"], by="shop", period="week")
    rows = weekly.origin + weekly.cells.sums
    assert np.allclose(np.sort(rows[:, 0]), np.sort(table["x"]))  # what would be given away
    with pytest.raises(
        DataError, match=r"sums by account and 'week' .* 180 of 180 cells have fewer than 10 rows"
    ):
        check_disclosure(weekly)
    check_disclosure(
        Moments.from_frame(table.assign(week=table["week"] // 15), ["x"], by="shop", period="week")
    )
    weighted = table.assign(week=0, w=1.0)
    with pytest.raises(DataError, match="rows weighted by 'w': nobody can see how many a cell has"):
        check_disclosure(Moments.from_frame(weighted, ["x"], by="shop", period="week", weights="w"))


def test_merging_keeps_what_happens_within_accounts_exact() -> None:
    table = accounts([40, 30, 20, *[3] * 30])
    whole = Moments.from_frame(table, ["x", "y"], by="shop")
    merged = merge_small(whole)
    assert merged.accounts == 4
    assert merged.rows == whole.rows
    assert merged.count.min() >= LEAST_ROWS
    np.testing.assert_allclose(merged.within().sum(axis=0), whole.within().sum(axis=0), rtol=1e-10)
    exact = regress(whole, "y", on=["x"], within=True)["x"].value
    assert regress(merged, "y", on=["x"], within=True)["x"].value == pytest.approx(exact, rel=1e-10)
    # merging the rows before the means are taken out would find the differences between accounts instead
    naive = table.assign(
        shop=table["shop"].where(table.groupby("shop")["x"].transform("size") >= 10, "small")
    )
    assert abs(regress(naive, "y", on=["x"], by="shop", within=True)["x"].value - exact) > 0.5


def test_merging_refuses_what_it_cannot_do() -> None:
    table = accounts([30, 30, 4]).assign(week=lambda t: np.arange(len(t)))
    with pytest.raises(DataError, match="moments with periods cannot be merged"):
        merge_small(Moments.from_frame(table, ["x"], by="shop", period="week"))
    with pytest.raises(DataError, match="too few to be merged: 4 rows in 1 account"):
        merge_small(Moments.from_frame(table, ["x"], by="shop"))
    same = Moments.from_frame(accounts([30, 30]), ["x"], by="shop")
    assert merge_small(same) is same


# --- pooling --------------------------------------------------------------------------------------------------------


def saved(folder, name: str, table: pd.DataFrame):
    return Moments.from_frame(table, ["x", "y"], by="shop").save(folder / f"{name}.npz")


def test_pooled_evidence_is_that_of_all_rows(tmp_path) -> None:
    one, two = accounts([30] * 6, seed=1), accounts([40] * 5, seed=2)
    two["shop"] = "b" + two["shop"]
    together = pool([saved(tmp_path, "one", one), saved(tmp_path, "two", two)])
    rows = regress(pd.concat([one, two]), "y", on=["x"], by="shop", within=True)["x"]
    found = regress(together, "y", on=["x"], within=True)["x"]
    assert found.value == pytest.approx(rows.value, rel=1e-9)
    assert found.se == pytest.approx(rows.se, rel=1e-9)


def test_two_houses_may_call_different_accounts_the_same(tmp_path) -> None:
    files = [saved(tmp_path, name, accounts([30] * 6, seed=seed)) for seed, name in enumerate(("one", "two"))]
    assert pool(files).accounts == 12
    assert pool(files).keys[0] == "1: one: a00"
    assert pool(files, same_accounts=True).accounts == 6


def test_the_same_rows_are_not_pooled_twice_under_another_name(tmp_path) -> None:
    rows = accounts([30] * 6, seed=3)
    more = pd.concat([rows, accounts([30] * 2, seed=4).assign(shop=lambda t: "b" + t["shop"])])
    renamed = more.assign(shop="north " + more["shop"])
    files = [saved(tmp_path, "one", rows), saved(tmp_path, "two", renamed)]
    with pytest.raises(
        DataError, match=r"would count twice: 6 groups with the same rows.*'.*one.*' and '.*two"
    ):
        pool(files)


def test_pooling_refuses_small_cells_and_single_files(tmp_path) -> None:
    good, bad = saved(tmp_path, "good", accounts([30, 30])), saved(tmp_path, "bad", accounts([30, 3]))
    with pytest.raises(DataError, match="nothing to pool: 1 file"):
        pool([good])
    with pytest.raises(DataError, match="cells of few rows would give rows away"):
        pool([good, bad])


def test_the_command_pools(tmp_path, capsys) -> None:
    files = [str(saved(tmp_path, n, accounts([30] * 6, seed=s))) for s, n in enumerate(("one", "two"))]
    out = tmp_path / "both.npz"
    status = cli.main(["pool", *files, "--out", str(out), "--outcome", "y", "--on", "x", "--within"])
    said = capsys.readouterr().out
    assert status == 0
    assert "360 rows, 12 accounts" in said
    assert "\nx: " in said
    assert Moments.load(out).accounts == 12
    assert cli.main(["pool", files[0]]) == 2
    assert "nothing to pool" in capsys.readouterr().err


# --- packs ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def table() -> pd.DataFrame:
    return shop(4000, lift=0.1)


def simulated_pack(table: pd.DataFrame) -> Pack:
    return make_pack("hillstrom", table, claims=[claim_named(name) for name in ("C06b", "C06c", "F02")])


def test_a_pack_says_what_its_rows_say(table, tmp_path) -> None:
    pack = read_pack(write_pack(simulated_pack(table), tmp_path / "hillstrom.npz"))
    assert str(pack) == "Evidence pack of hillstrom: 3 claims (3 from pack) out of 4,000 rows"
    for claim in ("C06b", "C06c", "F02"):
        for level in (0.95, 0.99):
            (rows,) = examine(claim, {"hillstrom": table}, level=level)
            (packed,) = examine(claim, {"hillstrom": pack}, level=level)
            assert packed.evidence == "from pack"
            assert rows.evidence == "from rows"
            assert packed.words == rows.words
            assert packed.interval.low == pytest.approx(rows.interval.low, rel=1e-9)
            assert [d.text for d in packed.doubts] == [d.text for d in rows.doubts]


def test_a_pack_is_written_the_same_twice(table, tmp_path) -> None:
    # one pack, two files: the sums themselves may differ in their last bit from run to run of a parallel engine
    pack = simulated_pack(table)
    assert (
        write_pack(pack, tmp_path / "a.npz").read_bytes() == write_pack(pack, tmp_path / "b.npz").read_bytes()
    )


def test_stored_evidence_keeps_estimates_and_scores_of_strata(tmp_path) -> None:
    rng = np.random.default_rng(0)
    films = pd.DataFrame(rng.lognormal(3, 1, (400, 5)), columns=["likes", "budget", "screens", "sequel", "z"])
    films["gross"] = 1000 * np.sqrt(films["likes"]) * films["z"]
    claim = claim_named("C01b")
    pack = read_pack(write_pack(make_pack("csm-movies", films, claims=[claim]), tmp_path / "a.npz"))
    (rows,) = examine(claim, {"csm-movies": films})
    (stored,) = examine(claim, {"csm-movies": pack})
    assert (stored.evidence, stored.words) == ("stored", rows.words)
    assert (stored.estimate.value, stored.estimate.se) == (rows.estimate.value, rows.estimate.se)
    scores = pack.entries["C01b"].scores
    assert scores.clusters == 20
    np.testing.assert_allclose(scores.scores.sum(axis=0) @ scores.bread, 0, atol=1e-6)


def test_claims_that_a_pack_does_not_answer(table) -> None:
    pack = simulated_pack(table)
    (verdict,) = examine("C03", {"hillstrom": pack})
    assert verdict.word == "not judged"
    assert "purchase implies one" in verdict.reason
    (verdict,) = examine(replace(claim_named("C06b"), id="C06z"), {"hillstrom": pack})
    assert "has nothing on C06z. Allowed: C06b, C06c, F02" in verdict.reason
    other = replace(claim_named("C06b"), options={"reference": "Mens E-Mail"})
    (verdict,) = examine(other, {"hillstrom": pack})
    assert "was made for another declaration of C06b" in verdict.reason
    (verdict,) = examine("C01", {"hillstrom": pack})
    assert "C01 needs columns that are not there" in verdict.reason


def test_the_declaration_is_what_decides_the_numbers() -> None:
    claim = claim_named("C06b")
    assert declaration(replace(claim, text="other words"), "x") == declaration(claim, "x")
    assert declaration(replace(claim, options={"cut": 2}), "x") != declaration(claim, "x")


def test_damaged_packs(table, tmp_path) -> None:
    path = write_pack(simulated_pack(table), tmp_path / "a.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineError, match="cannot read evidence from"):
        read_pack(path)
    with pytest.raises(EngineError, match="cannot read evidence from"):
        read_pack(tmp_path / "none.npz")
    with zipfile.ZipFile(io.BytesIO(whole)) as members:
        largest = max(members.infolist(), key=lambda member: member.compress_size)
    changed = bytearray(whole)
    changed[largest.header_offset + 100 + largest.compress_size // 2] ^= 1  # in its middle, behind its name
    path.write_bytes(changed)
    with pytest.raises(EngineError, match=r"cannot read evidence from .*Bad CRC-32"):
        read_pack(path)


@pytest.mark.parametrize(
    ("place", "word"),
    [
        (("estimate", "value"), "0.1"),
        (("estimate", "value"), True),
        (("estimate", "name"), 3),
        (("estimate", "n_rows"), 1.5),
        (("estimate", "intervals"), [[0.1, 0.2]]),
        (("estimate",), []),
        (("doubts",), "none"),
        (("doubts",), [{"name": "a", "text": "b", "raised": 1}]),
        (("ends",), {}),
        (("order",), {"x": "a"}),
        (("clusters",), None),
    ],
)
def test_what_no_evidence_is_is_refused(place, word, table, tmp_path, monkeypatch) -> None:
    whole = packing._to_words

    def odd(evidence):
        words = whole(evidence)
        *path, last = place
        inner = words
        for name in path:
            inner = inner[name]
        inner[last] = word
        return words

    pack = simulated_pack(table)
    monkeypatch.setattr(
        packing, "_to_words", lambda value: odd(value) if isinstance(value, Evidence) else whole(value)
    )
    path = write_pack(pack, tmp_path / "a.npz")
    with pytest.raises(EngineError, match="cannot read evidence from"):
        read_pack(path)


@pytest.mark.parametrize("version", [1, 3])
def test_a_pack_of_another_version_is_refused(version, table, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("erresearch.claims.packing._FORMAT", version)
    path = write_pack(simulated_pack(table), tmp_path / "hillstrom.npz")
    monkeypatch.undo()
    said = rf"cannot read evidence from .*format version {version}.*Allowed: version 2\..*[Mm]ake it again"
    with pytest.raises(EngineError, match=said):
        read_pack(path)


def test_what_a_pack_cannot_hold(table, tmp_path) -> None:
    pack = simulated_pack(table)
    entry = pack.entries["C06b"]
    bare = Estimate("x", value=1.0, se=0.1, df=9, interval=Interval(0.8, 1.2), n_rows=10, n_accounts=0)
    for evidence, said in (
        (replace(entry.evidence, estimate=bare), "'x' cannot be used for a pack"),
        (replace(entry.evidence, without=bare), "'x' cannot be used for a pack"),
    ):
        odd = replace(pack, entries={"C06b": Entry(entry.declared, evidence)})
        with pytest.raises(DesignError, match=said):
            write_pack(odd, tmp_path / "odd.npz")
    assert not (tmp_path / "odd.npz").exists()


def test_a_pack_of_cells_that_give_rows_away_is_not_made() -> None:
    with pytest.raises(DataError, match="cells of few rows"):
        simulated_pack(shop(15))
    films = pd.DataFrame(
        np.random.default_rng(0).lognormal(3, 1, (60, 5)),
        columns=["likes", "budget", "screens", "sequel", "gross"],
    )
    films.loc[:40, "screens"] = np.nan
    with pytest.raises(DataError, match="a stratum of C01b has few complete rows"):
        make_pack("csm-movies", films, claims=[claim_named("C01b")])


# --- those that ship ------------------------------------------------------------------------------------------------


def test_the_packs_that_ship_answer_every_declared_cell() -> None:
    packs = shipped()
    pending = {name for name, card in registered().items() if card.pending}
    assert set(packs) == set(names_to_pack()) - pending
    for claim in read_claims():
        for name in set(claim.family) - {"movies", "er-benchmarks"} - pending:
            assert packs[name].entry(claim).evidence.estimate.interval.bounded, (claim.id, name)


def test_no_pack_holds_a_row() -> None:
    for name, pack in shipped().items():
        for entry in pack.entries.values():
            if entry.moments is not None:
                check_disclosure(entry.moments)
            if entry.scores is not None:
                assert len(entry.scores.scores) <= min(200, pack.rows / 20), name


def test_the_board_needs_neither_network_nor_rows(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ERRESEARCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "erresearch.datasets.entries.retrieve", lambda *_: pytest.fail("the network was asked")
    )
    data = embedded()
    assert list(data) == ["movies", "er-benchmarks", *shipped(), *WORLDS, *CASES]
    assert all(isinstance(data[name], Pack) for name in shipped())


def test_a_set_without_a_pack_is_left_out_aloud(monkeypatch) -> None:
    monkeypatch.setattr("erresearch.claims.packing.shipped", dict)
    with pytest.warns(ErresearchWarning) as caught:
        data = embedded()
    assert any("hillstrom is left out: it has no evidence pack" in str(said.message) for said in caught)
    assert "hillstrom" not in data


def test_packs_without_rows_cannot_be_verified(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("ERRESEARCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ERRESEARCH_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(EngineError, match="cannot be computed again: no copy of the rows"):
        verify_pack("hillstrom")
    with pytest.raises(EngineError, match="cannot be computed again: no pack"):
        verify_pack("movies")


# ------------------------------------------------------------------------------------ arrows, lists, draws
def monthly(rng: int = 3, projects: int = 24, months: int = 30) -> pd.DataFrame:
    """Simulated projects by month under other names than the claims', with gaps in the last month."""
    draw = np.random.default_rng(rng)
    rows = []
    for i in range(projects):
        talk = np.exp(3 + draw.normal(0, 0.4, months))
        use = np.exp(8 + draw.normal() + draw.normal(0, 0.3, months))
        told = [f"20{20 + m // 12}-{m % 12 + 1:02d}" for m in range(months)]
        fans = np.exp(4 + draw.normal() + np.zeros(months))
        fans[-1] = 0.0 if i == 0 else fans[-1]
        rows.append(
            pd.DataFrame(
                {"project": f"p{i}", "month": told, "talk": talk, "use": use, "fans": np.round(fans)}
            )
        )
    return pd.concat(rows, ignore_index=True)


ROLES = {"by": ("project",), "time": ("month",), "x": ("talk",), "y": ("use",)}


def declared(name: str, **note) -> Claim:
    return replace(claim_named(name), family=("made-up",), sets={"made-up": DataSetNote(**note)}, worlds=())


def test_an_arrow_goes_into_a_pack_and_comes_out_with_the_same_word(tmp_path) -> None:
    claim = declared("C01", roles=ROLES, options={"definitions": [], "extras": []})
    table = monthly()
    pack = make_pack("made-up", table, claims=[claim])
    back = read_pack(write_pack(pack, tmp_path / "pack.npz"))
    (rows,) = examine(claim, {"made-up": table})
    (stored,) = examine(claim, {"made-up": back})
    assert (stored.words, stored.reason, stored.evidence) == (rows.words, rows.reason, "stored")
    assert str(stored.estimate) == str(rows.estimate)
    assert isinstance(stored.result, Precedence)
    assert str(stored.result.over_lead) == str(rows.result.over_lead)
    assert str(stored.result.reliability) == str(rows.result.reliability)
    beside = {doubt.name: doubt.value for doubt in stored.doubts}
    naive = np.corrcoef(np.log(table["talk"]), np.log(table["use"]))[0, 1]
    assert beside["naive correlation"] == pytest.approx(naive, rel=1e-9)
    assert -0.05 < beside["out of sample"] < 0.05
    assert "spend" not in str(rows.reason)
    assert real_rows([stored, rows]).rows[0][:2] == ("Engagement → sales (C01)", "made-up")


@pytest.mark.parametrize("name", ["C01", "C18"])
def test_scores_of_a_panel_with_controls_are_those_of_its_estimate(name) -> None:
    claim = replace(
        declared(name, options={"definitions": [], "extras": []} if name == "C01" else {}),
        roles=claim_named(name).roles,
    )
    table = simulate_panel("effect", accounts=45, weeks=40, rng=2)[0]
    table.attrs.clear()
    entry = make_pack("made-up", table, claims=[claim]).entries[name]
    found, beta = entry.evidence.estimate, entry.scores.beta
    assert entry.scores.clusters == 2
    lags = claim.options["lags"]
    long_run = beta[:lags].sum() / (1 - beta[lags : 2 * lags].sum())
    assert (beta[1] if name == "C01" else long_run) == pytest.approx(found.value, rel=1e-8)


@pytest.mark.parametrize("name", ["best-of-ml-python", "best-of-web-python"])
def test_panels_hold_scores_of_strata_of_twenty_projects_or_more(name) -> None:
    entries = shipped()[name].entries
    assert {claim for claim, entry in entries.items() if entry.scores is not None} == {*entries} - {"C09"}
    for claim, entry in entries.items():
        if entry.scores is None:
            continue
        scores, found = entry.scores, entry.evidence.estimate
        assert scores.n_rows == found.n_rows
        assert 20 * scores.clusters <= (found.n_accounts or found.n_rows)
        moved = np.abs(scores.scores.sum(axis=0) @ scores.bread)
        assert (moved < 1e-6 * np.sqrt(np.diag(scores.bread))).all()
        lags = len(scores.beta) // 2
        says = {
            "C01": scores.beta[1],
            "C02": scores.beta[1],
            "C18": scores.beta[:lags].sum() / (1 - scores.beta[lags:].sum()),
        }
        assert says.get(claim, 1 - scores.beta[-1]) == pytest.approx(found.value, rel=1e-8)


def test_a_panel_is_judged_as_the_list_of_its_last_month(tmp_path) -> None:
    claim = declared(
        "C07",
        roles={"by": (), "followers": ("fans",), "reactions": ("talk",)},
        options={"choice": "all", "spline": False},
        last="month",
    )
    table = monthly(projects=60)
    back = read_pack(write_pack(make_pack("made-up", table, claims=[claim]), tmp_path / "pack.npz"))
    (rows,) = examine(claim, {"made-up": table})
    (stored,) = examine(claim, {"made-up": back})
    assert rows.estimate.n_rows == 59  # one project has no fans in the last month
    assert (stored.words, str(stored.interval)) == (rows.words, str(rows.interval))
    with pytest.raises(DesignError, match=r"stored without its distribution: level 0\.9.*0\.95"):
        stored.estimate.at(0.9)
    with pytest.raises(DesignError, match="stored without its distribution: a p-value"):
        _ = stored.estimate.pvalue


def test_events_of_a_data_set_are_declared_with_it() -> None:
    table = monthly().assign(sale=lambda t: (t["month"] == "2021-06").astype(float))
    # an event of one period for all is a period's effect: here it is one project's
    table["sale"] *= table["project"] == "p1"
    claim = declared("C01", roles=ROLES, events={"sale": "pulse"}, options={"definitions": [], "extras": []})
    (told,) = examine(claim, {"made-up": table})
    (bare,) = examine(replace(claim, sets={"made-up": DataSetNote(roles=ROLES)}), {"made-up": table})
    assert "events-not-declared" in bare.certainty.codes
    assert "events-not-declared" not in told.certainty.codes


def test_a_data_set_may_have_another_design() -> None:
    (verdict,) = examine("F02", {"charity": shipped()["charity"]})
    assert verdict.certainty.codes[0] == "cross-section"
    with pytest.raises(UnknownNameError, match=r"sets\.x\.design .*'random'.*Allowed: cross-section"):
        read_claims_of(design="random")
    with pytest.raises(DataError, match=r"wrong sets\.x\.roles\.y"):
        read_claims_of(roles={"y": "gross"})


def read_claims_of(**note) -> None:
    """Read C01b with one further note."""
    claim = tomllib.loads(claims_path().read_text(encoding="utf-8"))["claim"][1]
    _claim({**claim, "sets": {"x": note}}, 1)


def test_totals_are_the_sums_that_the_claim_rests_on() -> None:
    mail = shipped()["hillstrom"]
    found = mail.totals(claim_named("C06c"))
    assert found["rows"].tolist() == [21_306, 42_694]
    assert found["visit"].tolist() == [2_262, 7_132]
    # nobody spends without a visit, so the products add up to the money
    assert found["spend × visit"].tolist() == pytest.approx(found["spend"].tolist(), rel=1e-9)
    stored = shipped()["online-shoppers"]
    without = next(name for name, entry in stored.entries.items() if entry.moments is None)
    with pytest.raises(DataError, match="is a stored number without sums"):
        stored.totals(claim_named(without))
