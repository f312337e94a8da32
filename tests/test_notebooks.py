"""Every notebook is stored as run from top to bottom, and a change of what it shows cannot pass unseen.

The outputs themselves are checked by nbval (see the Makefile). It lets a notebook without any output pass,
so the guard here sees to it that there are some, and the last tests see to it that both really look.
"""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from erresearch.claims import read_claims

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
# the workshop's exercises are handed out without outputs; tests/test_workshop.py runs them
SKIPPED = {".ipynb_checkpoints", "exercises"}
NOTEBOOKS = sorted(path for path in FOLDER.rglob("*.ipynb") if not SKIPPED & set(path.parts))
ABSOLUTE = re.compile(r"""(?:^|[\s"'(=])(?:/(?:home|root|Users|tmp|work|mnt|opt)/|[A-Z]:\\\\)""")
NETWORK = re.compile(r"\b(?:urllib|requests|httpx|urlopen|https?://)")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def texts(cell: Any) -> list[str]:
    """Whatever a cell's outputs say as text."""
    found = []
    for output in cell.outputs:
        data = output.get("data", {})
        found += [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
        found += [data.get("text/markdown", "")]
    return [text for text in found if text]


def faults(notebook: Any) -> list[str]:
    """What keeps a stored notebook from being the record of one clean run."""
    cells = code_cells(notebook)
    counts = [cell.execution_count for cell in cells]
    found = []
    if counts != list(range(1, len(cells) + 1)):
        found.append(f"execution counts are {counts}")
    if sum(bool(cell.outputs) for cell in cells) < max(1, len(cells) // 3):
        found.append("outputs are missing")
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
                found.append(f"cell [{cell.execution_count}] shows an error: {output.ename}")
            if output.get("name") == "stderr":
                found.append(f"cell [{cell.execution_count}] wrote to stderr: {output.text[:200]}")
    return found


@pytest.fixture(scope="module")
def smallest() -> Any:
    """The cell of a real notebook that first shows a number, as one that prints what it shows."""
    for cell in nbformat.read(NOTEBOOKS[0], as_version=4).cells:
        shown = (
            [text for text in texts(cell) if re.search(r"\d\.\d", text)] if cell.cell_type == "code" else []
        )
        if shown:
            stored = nbformat.v4.new_output("stream", name="stdout", text=f"{shown[0]}\n")
            one = nbformat.v4.new_code_cell(f"print({shown[0]!r})", execution_count=1, outputs=[stored])
            kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
            return nbformat.v4.new_notebook(cells=[one], metadata={"kernelspec": kernel})
    pytest.fail(f"{NOTEBOOKS[0].name} shows no number")


@each_notebook
def test_stored_as_one_clean_run(path: Path):
    assert faults(nbformat.read(path, as_version=4)) == []


@each_notebook
def test_valid_and_with_stable_cell_ids(path: Path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@each_notebook
def test_no_absolute_path_no_network_no_silenced_warning(path: Path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        assert not NETWORK.search(cell.source), cell.source
        assert "filterwarnings" not in cell.source
        assert "simplefilter" not in cell.source
        for text in [cell.source, *texts(cell)]:
            assert not ABSOLUTE.search(text), text


@each_notebook
def test_opens_with_its_question_as_title(path: Path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")


@each_notebook
def test_links_lead_to_files_of_the_project(path: Path):
    prose = " ".join(
        cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"
    )
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", prose) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


@each_notebook
def test_a_word_that_prose_reports_was_printed_before_it(path: Path):
    """What is typed by hand goes stale: "the word is *inconclusive*" needs an output that says so."""
    printed = ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            printed += " ".join(texts(cell))
            continue
        for word in re.findall(r"word is\s+\*([a-z ]+)\b", cell.source):
            assert word in printed, cell.source


@each_notebook
def test_no_cell_ends_in_a_semicolon(path: Path):
    # nbval takes the text that such a cell hides for a missing output
    for cell in code_cells(nbformat.read(path, as_version=4)):
        assert not cell.source.rstrip().endswith(";")


def test_the_guard_sees_a_stripped_notebook(smallest: Any):
    assert faults(smallest) == []
    stripped = copy.deepcopy(smallest)
    for cell in code_cells(stripped):
        cell.outputs, cell.execution_count = [], None
    assert any("execution counts" in fault for fault in faults(stripped))
    assert any("outputs are missing" in fault for fault in faults(stripped))


def test_the_guard_sees_lost_outputs_errors_and_stderr(smallest: Any):
    emptied = copy.deepcopy(smallest)
    for cell in code_cells(emptied):
        cell.outputs = []
    assert "outputs are missing" in faults(emptied)
    broken = copy.deepcopy(smallest)
    code_cells(broken)[0].outputs = [
        nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[]),
        nbformat.v4.new_output("stream", name="stderr", text="a warning"),
    ]
    assert [fault.split("] ")[1] for fault in faults(broken)] == [
        "shows an error: ValueError",
        "wrote to stderr: a warning",
    ]


def altered(notebook: Any) -> Any:
    """A copy in which one digit of one stored number is another."""
    changed = copy.deepcopy(notebook)
    for output in code_cells(changed)[-1].outputs:
        for holder, key in (
            (output, "text"),
            *((output.get("data", {}), key) for key in output.get("data", {})),
        ):
            text = holder.get(key)
            if isinstance(text, str) and key.startswith("text") and re.search(r"\d\.\d", text):
                holder[key] = re.sub(r"(\d\.)(\d)", lambda m: m[1] + str((int(m[2]) + 1) % 10), text, count=1)
                return changed
    pytest.fail("there was no number to alter")


def test_nbval_sees_an_altered_number(smallest: Any, tmp_path: Path):
    # that it passes as it is stored is what `make test` sees
    nbformat.write(altered(smallest), tmp_path / "altered.ipynb")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-c",
        "none.ini",
    ]
    options = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", str(FOLDER / "sanitize.cfg")]
    (tmp_path / "none.ini").write_text("[pytest]\n")
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    failed = {line.split("::")[0] for line in done.stdout.splitlines() if line.startswith("FAILED ")}
    assert done.returncode == 1, done.stdout + done.stderr
    assert failed == {"FAILED altered.ipynb"}, done.stdout


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_cells_are_short_enough_to_read(path: Path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        lines = cell.source.splitlines()
        assert len(lines) <= 15, cell.source
        assert max(map(len, lines)) <= 88, cell.source


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_rows_a_picture_and_a_plain_regression_are_shown(path: Path):
    code = "\n".join(cell.source for cell in code_cells(nbformat.read(path, as_version=4)))
    for shown in (r"\.(head|sample)\(|\.iloc\[::", r"\bsns\.\w+plot\(", r"\bsmf\.", r"\.summary(2|_frame)\("):
        assert re.search(shown, code), shown


def test_each_notebook_leads_on_and_to_its_claims():
    """From the first one every other is reached; the last cell names the claims that the registry gives a notebook."""
    ends = {
        path.name: nbformat.read(path, as_version=4).cells[-1].source
        for path in sorted(FOLDER.glob("*.ipynb"))
    }
    leads = {name: re.findall(r"\]\((\d\d-[\w-]+\.ipynb)\)", text) for name, text in ends.items()}
    reached, ahead = set(), [min(leads)]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += leads[name]
    assert reached == set(ends)
    for claim in read_claims():
        if f"{claim.notebook}.ipynb" in ends:
            text = ends[f"{claim.notebook}.ipynb"]
            assert re.search(rf"\b{claim.id}\b", text), (claim.id, claim.notebook)
            assert "](../docs/BOARD.md)" in text
