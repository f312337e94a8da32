"""What the README shows is what happens."""

from __future__ import annotations

import contextlib
import io
import json
import re
import runpy
import shutil
from pathlib import Path

import pytest

from erresearch import examine, simulate
from erresearch.claims import claim_named, read_claims
from erresearch.io.files import csv_text
from erresearch.report.run_record import COLUMNS, verdict_rows

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOOL = runpy.run_path(str(ROOT / "tools" / "readme.py"))


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]


def test_the_example_prints_what_is_shown():
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(block("python"), "README.md", "exec"), {})
    assert said.getvalue() == block("text")


def test_the_tables_are_those_of_the_expected_verdicts_and_of_the_notebooks():
    board = (ROOT / "docs" / "BOARD.md").read_text(encoding="utf-8")
    for page in (README, board):
        assert TOOL["with_tables"](page) == page, "run: make expected, or python tools/readme.py"
    assert "simulated*" in board
    assert "simulated" not in README.partition("![")[0].partition("<!-- found -->")[2]
    for name, narrow in (("found.svg", False), ("found-narrow.svg", True)):
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == TOOL["picture"](narrow=narrow)


def test_every_real_row_shows_all_that_it_can():
    head, _, *rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in TOOL["shows"]().splitlines()
    ]
    assert head[2:] == [
        "naive r", "adjusted", "same period", "lead", "reverse", "out of sample", "word", "certainty",
    ]  # fmt: skip
    assert len(rows) >= 30
    claim = None
    for row in rows:
        claim = claim_named(row[0].rpartition("(")[2].strip(")*")) if row[0] else claim
        assert all(row[1:]), row
        assert "nan" not in row
        design = claim.about(row[1]).design or claim.design
        word = {"randomised": "randomised", "cross-section": "one moment"}.get(design)
        ordered = set(row[4:7])
        assert ordered == {word} if word else not ordered & {"randomised", "one moment"}, row


def test_a_claim_can_be_added_as_the_guide_says(tmp_path: Path):
    guide = (ROOT / "docs" / "how-to" / "add-a-claim.md").read_text(encoding="utf-8")
    entry = re.search(r"```toml\n(.*?)```", guide, re.DOTALL)[1]
    entry = entry.replace("family = []", 'family = []\nworlds = ["nil"]\nnotebook = "04-is-engagement-a-kpi"')
    for folder in ("data", "tests/expected", "notebooks"):
        (tmp_path / folder).mkdir(parents=True)
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, tmp_path / "notebooks")
    shipped = tmp_path / "data" / "claims.toml"
    shipped.write_text((ROOT / "data" / "claims.toml").read_text("utf-8") + "\n" + entry, "utf-8")
    claims = read_claims(shipped)
    claim = claim_named("X01", claims)
    verdicts = examine(claim, {"nil": simulate("nil", rng=1).panel})
    kept = (ROOT / "tests" / "expected" / "verdicts.csv").read_text("utf-8")
    added = csv_text(COLUMNS, verdict_rows(verdicts)).split("\n", 1)[1]
    (tmp_path / "tests" / "expected" / "verdicts.csv").write_text(kept + added, "utf-8")
    shutil.copy(ROOT / "data" / "certainty.toml", tmp_path / "data")
    board = (ROOT / "docs" / "BOARD.md").read_text(encoding="utf-8")
    made = TOOL["with_tables"](README + board, tmp_path)
    assert (
        "| **X01** Weeks with more comments bring more sessions in the next week. Estimate: elasticity. |"
        in made
    )
    assert re.search(r"\| \[04\]\(notebooks/04-.*\.ipynb\) \| .* \| .*X01.* \| \d+ \|", made)
    assert len(made.splitlines()) == len((README + board).splitlines()) + 1


def test_a_notebook_that_names_no_time_is_refused(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "data" / "claims.toml", tmp_path / "data")
    cell = {"cell_type": "markdown", "source": ["# A question?"]}
    (tmp_path / "notebooks" / "00-a.ipynb").write_text(json.dumps({"cells": [cell]}), "utf-8")
    with pytest.raises(SystemExit, match=r"00-a\.ipynb does not say in its first cell"):
        TOOL["notebooks"](tmp_path)


def test_links_inside_the_project_lead_somewhere():
    targets = re.findall(r"\]\((?!https?://|#)([^)]+)\)", README)
    assert targets
    for target in targets:
        assert (ROOT / target.split("#")[0]).exists(), target


def test_the_commands_shown_exist():
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in (README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        assert set(re.findall(r"\bmake ([a-z-]+) +#", document)) <= rules
