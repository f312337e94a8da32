"""What the README shows is what happens."""

from __future__ import annotations

import contextlib
import io
import json
import re
import runpy
from pathlib import Path

import pytest

from erresearch.claims import read_claims

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]


def test_the_example_prints_what_is_shown():
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(block("python"), "README.md", "exec"), {})
    assert said.getvalue() == block("text")


def test_the_board_is_that_of_the_expected_verdicts():
    if not (ROOT / "tests" / "expected" / "verdicts.csv").is_file():
        pytest.skip("there are no expected verdicts yet")
    tool = runpy.run_path(str(ROOT / "tools" / "readme_board.py"))
    assert tool["with_board"](README) == README, "run: make expected"
    assert "simulated*" in README


def test_links_inside_the_project_lead_somewhere():
    targets = re.findall(r"\]\((?!https?://|#)([^)]+)\)", README)
    assert targets
    for target in targets:
        assert (ROOT / target.split("#")[0]).exists(), target


def test_the_commands_shown_exist():
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in (README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        assert set(re.findall(r"\bmake ([a-z-]+) +#", document)) <= rules


def test_the_table_of_notebooks_is_current():
    told = {
        name: (set(re.findall(r"[CF]\d\d[a-c]?", claims)), minutes)
        for name, claims, minutes in re.findall(
            r"\| \[\d\d\]\(notebooks/(.*?)\.ipynb\) \| .*? \| (.*?) \| (\d+) \|", README
        )
    }
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        frame = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        named = {claim.id for claim in read_claims() if claim.notebook == path.stem}
        found[path.stem] = (named, re.search(r"\*\*Time\*\* (\d+) minutes", frame)[1])
    assert told == found
