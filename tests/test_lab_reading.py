"""Stored notebooks read well on a laptop: no printed line is cut, no table is too wide, one minus sign."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOTEBOOKS += sorted((ROOT / "notebooks" / "workshop" / "solutions").glob("*.ipynb"))
# what JupyterLab shows of a printed line on a screen of 1,000 pixels; longer ones break inside words
WIDTH = 88
CODE_LINES = 15
HYPHEN = re.compile(r"(?<![\w.,:-])-(?=\d)(?!\d{4}-\d\d)")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path) -> list[dict[str, Any]]:
    return [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]


def shown(cell: dict[str, Any]) -> list[str]:
    """What a reader sees of a cell's outputs as text; pandas' own tables are another program's print."""
    found = ["".join(output.get("text", "")) for output in cell["outputs"]]
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "text/html" not in data and "image/png" not in data:
            found.append("".join(data.get("text/markdown", data.get("text/plain", ""))))
    return [text for text in found if text]


@each_notebook
def test_no_printed_line_breaks_inside_a_word(path: Path):
    printed = [
        line
        for cell in cells(path)
        for output in cell["outputs"]
        for line in "".join(output.get("text", "")).splitlines()
    ]
    assert [line for line in printed if len(line) > WIDTH] == []


@each_notebook
def test_numbers_are_printed_with_one_minus_sign(path: Path):
    wrong = [
        line
        for cell in cells(path)
        for text in shown(cell)
        for line in text.splitlines()
        if HYPHEN.search(line)
    ]
    assert wrong == []


@each_notebook
def test_no_pandas_table_is_wider_than_a_page_or_cut(path: Path):
    for cell in cells(path):
        for output in cell["outputs"]:
            html = "".join(output.get("data", {}).get("text/html", ""))
            assert html.partition("</tr>")[0].count("<th>") <= 9, html[:900]
            assert not re.search(r"<td>(?:[^<]*\.\.\.|-?inf)</td>", html), html[:900]


@each_notebook
def test_no_cell_is_a_wall_of_code(path: Path):
    lengths = {cell.get("id"): len("".join(cell["source"]).splitlines()) for cell in cells(path)}
    assert {name: length for name, length in lengths.items() if length > CODE_LINES + 2} == {}


@pytest.mark.parametrize(
    ("text", "seen"),
    [("-0.1", True), ("[-0.1, 2]", True), ("2024-01-01", False), ("M05-2", False), ("−0.1", False)],
)
def test_the_rule_sees_a_hyphen_before_a_number_only(text: str, seen: bool):
    assert bool(HYPHEN.search(text)) == seen
