"""The whole job: what is written, what is printed, and what a crash leaves behind."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from erresearch import claims, cli
from erresearch.cli import commands
from erresearch.errors import EngineError, warn
from erresearch.io import files
from erresearch.io.outputs import MARKER
from erresearch.report import (
    console as terminal,
    reproduction as pipeline,
    run_record as ledger,
)
from erresearch.results import Estimate, Fit, Interval, StudentT, Verdict

FOUND = StudentT(0.1, 0.02, 39)
ESTIMATE = Estimate(
    "log engagement",
    value=0.1,
    se=0.02,
    df=39,
    interval=FOUND.interval(0.95),
    n_rows=4160,
    n_accounts=40,
    unit="",
    method="OLS",
    reference=FOUND,
)
ODD = "[red]films[/red]\x1b[2J"
TALK = Fit(
    estimates={"talk": ESTIMATE},
    outcome="sales",
    method="OLS",
    cov=np.eye(1),
    r2=0.5,
    vif={"talk": 1.0},
    condition_number=1.0,
    n_rows=4160,
    n_accounts=40,
    effective_accounts=39.0,
    dropped={},
)
VERDICTS = (
    Verdict(
        "C01",
        "effect",
        "supported",
        size="size not settled",
        qualifiers=("simulated",),
        estimate=ESTIMATE,
        interval=Interval(0.05, 0.15),
        sesoi=0.05,
    ),
    Verdict(
        "C01",
        ODD,
        "inconclusive",
        size="",
        qualifiers=("proxy",),
        estimate=ESTIMATE,
        interval=Interval(-0.1, 0.2),
    ),
    Verdict("C05a", "effect", "not judged", qualifiers=("simulated",), reason="no column"),
)


def simulated() -> pd.DataFrame:
    table = pd.DataFrame({"x": [1, 2]})
    table.attrs |= {"simulated": True, "seed": 7}
    return table


def films() -> pd.DataFrame:
    table = pd.DataFrame({"x": [1.5]})
    table.attrs["erresearch"] = {"sha256": "abc", "excluded": {"no figure": 3}, "licence": "CC0", "other": 1}
    return table


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The real pipeline over two small notebooks and verdicts that cost nothing; returns the output folder."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name, source in (("00-good", "print(6 * 7)"), ("01-also", "1 + 1")):
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        nbformat.write(made, folder / f"{name}.ipynb")

    def examine(known, data, *, level):
        warn("3 rows were left out")
        warn("3 rows were left out")
        return VERDICTS

    # somebody may commit between two runs
    monkeypatch.setattr(ledger, "_git", lambda: None)
    monkeypatch.setattr(pipeline, "examine", examine)
    monkeypatch.setattr(pipeline, "embedded", lambda: {"films": films(), ODD: films(), "effect": simulated()})
    monkeypatch.setattr(
        pipeline, "resource", lambda kind: folder if kind == "notebooks" else files.resource(kind)
    )
    return tmp_path / "results"


def test_everything_is_written_and_recorded(small: Path):
    made = pipeline.reproduce(small, progress=False)
    assert {path.relative_to(small).as_posix() for path in small.rglob("*") if path.is_file()} == {
        MARKER,
        "report.html",
        "verdicts.csv",
        "manifest.json",
        "notebooks/00-good.ipynb",
        "notebooks/01-also.ipynb",
    }
    assert (made.verdicts, made.failed) == (VERDICTS, ())
    record = json.loads(made.record.read_text())
    assert record == json.loads(ledger.manifest_text(made.manifest))
    assert record["claims_sha256"] == claims.claims_sha256()
    assert record["seeds"] == {"effect": 7}
    assert record["datasets"]["effect"]["simulated"]
    assert record["datasets"]["films"]["file_sha256"] == "abc"
    assert record["datasets"]["films"]["excluded"] == {"no figure": 3}
    assert record["notebooks"] == {name: {"cells": 1, "error": None} for name in ("00-good", "01-also")}
    assert {"numpy", "pandas", "polars", "statsmodels"} <= set(record["packages"])
    page = made.report.read_text(encoding="utf-8")
    assert page.count("3 rows were left out") == 1
    assert claims.claims_sha256() in page
    # an equal run is equal byte for byte
    before = {path: path.read_bytes() for path in (made.report, made.table, made.record)}
    pipeline.reproduce(small, progress=False)
    assert {path: path.read_bytes() for path in before} == before


def test_pictures_show_real_data_first_and_name_simulated_ones():
    judged = [replace(verdict, result=TALK) for verdict in VERDICTS]
    real = replace(judged[1], claim="C05a", dataset="films")
    made = replace(real, dataset="effect", qualifiers=("simulated",), result=None)
    drawn = pipeline._pictures(claims.read_claims(), (*judged, made, real))
    assert drawn["C01"].get_supxlabel() == f"Data: {ODD}"
    assert drawn["C05a"].get_supxlabel() == "Data: films"
    drawn = pipeline._pictures(claims.read_claims(), judged[:1])
    assert drawn["C01"].get_supxlabel() == "Simulated data: world 'effect'"


def test_a_crash_leaves_the_old_results_whole(small: Path, monkeypatch: pytest.MonkeyPatch):
    pipeline.reproduce(small, notebooks=False, progress=False)
    before = {path: path.read_bytes() for path in small.iterdir()}

    def crash(*_: object, **__: object) -> None:
        raise EngineError("the engine broke")

    monkeypatch.setattr(pipeline, "examine", crash)
    with pytest.raises(EngineError, match="the engine broke"):
        pipeline.reproduce(small, notebooks=False, progress=False)
    assert {path: path.read_bytes() for path in small.iterdir()} == before


def test_warnings_of_others_are_given_on(small: Path, monkeypatch: pytest.MonkeyPatch):
    def examine(*_: object, **__: object):
        warnings.warn("of another package", UserWarning, stacklevel=1)
        return VERDICTS

    monkeypatch.setattr(pipeline, "examine", examine)
    with pytest.warns(UserWarning, match="of another package"):
        pipeline.reproduce(small, notebooks=False, progress=False)


def test_the_command_prints_the_board_and_compares(small: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["reproduce", "--out", str(small), "--no-notebooks"]
    assert cli.main([*arguments, "--no-expected", "--no-progress"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "effect (simulated)" in out
    assert "0.100 (0.050 to 0.150)" in out
    assert "[red]films[/red]\ufffd[2J" in out
    assert "not judged: 1; verdicts.csv says why" in out
    assert "\x1b" not in out
    assert cli.main([*arguments, "--expected", str(small / "verdicts.csv")]) == 2
    assert "an input lies in it: 'verdicts.csv'" in capsys.readouterr().err
    expected = small.parent / "expected.csv"
    expected.write_bytes((small / "verdicts.csv").read_bytes())
    assert cli.main([*arguments, "--expected", str(expected)]) == 0
    assert "as expected" in capsys.readouterr().out
    expected.write_text(expected.read_text().replace("0.1,0.02", "0.2,0.02"))
    assert cli.main([*arguments, "--expected", str(expected)]) == 1
    assert "value is '0.1', expected '0.2'" in capsys.readouterr().err
    assert cli.main([*arguments, "--expected", str(small.parent / "none.csv")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_notebook_that_fails_is_status_1_and_named_and_the_bar_goes_to_standard_error(
    small: Path, capsys: pytest.CaptureFixture[str]
):
    bad = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(bad, small.parent / "notebooks" / "02-bad.ipynb")
    assert cli.main(["reproduce", "--out", str(small), "--no-expected", "--jobs", "2"]) == 1
    out, err = capsys.readouterr()
    assert "2 of 3 notebooks ran from top to bottom" in out
    assert "notebook 02-bad failed in cell 1: ZeroDivisionError: division by zero" in err
    assert (small / "report.html").is_file()
    assert "4/4" in err
    assert "notebooks and claims" not in out


def test_the_expected_verdicts_of_the_checkout_are_found():
    own = commands._own_expected()
    assert own is None or own.name == "verdicts.csv"


def test_every_expected_verdict_is_of_a_known_claim(root: Path):
    path = root / "tests" / "expected" / "verdicts.csv"
    if not path.is_file():
        pytest.skip("there are no expected verdicts yet")
    table = pd.read_csv(path)
    assert tuple(table.columns) == ledger.COLUMNS
    known = {claim.id for claim in claims.read_claims()}
    assert set(table["claim"]) == known


@pytest.mark.parametrize("change", [{"x": [1, 3]}, {"y": [1, 2]}, {"x": [1, 2, 2]}])
def test_fingerprints_tell_tables_apart(change: dict[str, list[int]]):
    table = pd.DataFrame({"x": [1, 2]})
    assert ledger.fingerprint(table) == ledger.fingerprint(table.copy())
    assert ledger.fingerprint(table) != ledger.fingerprint(pd.DataFrame(change))


@pytest.mark.parametrize("name", ["digest", "cross", "rows", "attrs"])
def test_no_name_of_a_column_changes_what_a_fingerprint_is(name: str):
    one, other = pd.DataFrame({name: [1, 2]}), pd.DataFrame({name: [1, 3]})
    assert ledger.fingerprint(one) != ledger.fingerprint(other)
    assert ledger.provenance({"t": one})["datasets"]["t"]["rows"] == 2


def test_fingerprints_of_moments_follow_their_content():
    from erresearch.engine.moments import Moments

    table = pd.DataFrame({"shop": ["a", "a", "b"], "x": [1.0, 2.0, 4.0]})
    one = ledger.fingerprint(Moments.from_frame(table, ["x"], by="shop"))
    assert one == ledger.fingerprint(Moments.from_frame(table, ["x"], by="shop"))
    assert one != ledger.fingerprint(Moments.from_frame(table.assign(x=[1.0, 2.0, 5.0]), ["x"], by="shop"))


def test_the_board_names_claims_and_breaks_no_word_at_80_columns():
    from rich.console import Console

    from erresearch.datasets import catalog

    made = Estimate(
        "x", value=-0.08134, se=0.4, df=9.0, interval=Interval(-1.040, 0.8775), n_rows=64_000, n_accounts=9
    )
    sets = [name for name in catalog()["name"] if len(name) <= 20]
    verdicts = [
        Verdict("C01", name, "association only", qualifiers=("proxy", "mechanical"), estimate=made)
        for name in sets
    ]
    screen = Console(width=80, force_terminal=False)
    with screen.capture() as captured:
        screen.print(terminal.board(verdicts))
    text = captured.get()
    assert max(map(len, text.splitlines())) <= 80
    words = set(text.split())
    assert {
        *sets,
        "C01",
        "Engagement",
        "sales",
        "association",
        "mechanical",
        "−0.08",
        "(−1.04",
        "0.88)",
        "64,000",
    } <= words


def test_the_board_has_simulated_worlds_in_a_section_of_their_own_after_all_real_data():
    table = terminal.board([*VERDICTS, replace(VERDICTS[1], claim="C02")])
    claims, names = ([str(cell) for cell in table.columns[i].cells] for i in (0, 1))
    assert names == [ODD.replace("\x1b", "\ufffd")] * 2 + ["", "effect (simulated)"]
    assert [claim[:8] for claim in claims] == ["C01 Enga", "C02 Comm", "Simulate", "C01 Enga"]
    assert [str(cell) for cell in terminal.board(VERDICTS[:1]).columns[1].cells] == ["effect (simulated)"]
