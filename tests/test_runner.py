"""Notebooks run in kernels of their own; failures, interrupts and odd files are met."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from erresearch.errors import DataError, EngineError
from erresearch.report.run_record import NotebookRun, notebooks_running


def run_notebooks(paths: list[Path], out: Path, **asked) -> tuple[NotebookRun, ...]:
    with notebooks_running(paths, out, **asked) as runs:
        return runs()


def notebook(folder: Path, name: str, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    path = folder / f"{name}.ipynb"
    nbformat.write(made, path)
    return path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory):
    """Three notebooks of which one fails in its second cell, run once for several tests."""
    folder = tmp_path_factory.mktemp("notebooks with spaces")
    paths = [
        notebook(folder, "a good", "x = 6 * 7", "print(x)", ""),
        notebook(folder, "b bad", "1 + 1", "raise ValueError('a <b>\\nbad</b> figure')", "2 + 2"),
        notebook(
            folder,
            "c folder",
            "import os, sys; print(os.getcwd(), os.listdir(), [p for p in sys.path if 'spaces' in p], sep=chr(10))",
        ),
    ]
    before = {path: path.read_bytes() for path in paths}
    steps: list[str] = []
    runs = run_notebooks(paths, folder / "out", jobs=2, on_cell=steps.append)
    assert {path: path.read_bytes() for path in paths} == before
    return folder, runs, steps


def test_results_come_in_the_order_asked_for(mixed):
    _, runs, steps = mixed
    assert [run.name for run in runs] == ["a good", "b bad", "c folder"]
    assert [run.ok for run in runs] == [True, False, True]
    assert sorted(steps) == ["a good"] * 2 + ["b bad"] * 2 + ["c folder"]


def test_the_executed_copy_holds_outputs_and_no_clock_time(mixed):
    folder, runs, _ = mixed
    made = nbformat.read(runs[0].path, as_version=4)
    assert made.cells[1].outputs[0].text == "42\n"
    assert made.cells[1].execution_count == 2
    assert "execution" not in made.cells[1].metadata
    assert runs[2].path.parent == folder / "out"
    where, inside, path = nbformat.read(runs[2].path, as_version=4).cells[0].outputs[0].text.splitlines()
    assert not Path(where).is_relative_to(folder)
    assert (inside, path) == ("[]", "[]")
    assert not Path(where).exists()


def test_a_failure_names_the_cell_and_keeps_what_ran(mixed):
    _, runs, _ = mixed
    assert runs[1].error == "cell 2: ValueError: a <b> bad</b> figure"
    kept = nbformat.read(runs[1].path, as_version=4)
    assert kept.cells[1].outputs[0].output_type == "error"
    assert kept.cells[2].execution_count is None


def test_runs_where_an_event_loop_is_running_already(tmp_path: Path):
    path = notebook(tmp_path, "inside", "import os; os.environ['OPENBLAS_NUM_THREADS']")

    async def inside_jupyter():
        return run_notebooks([path], tmp_path / "out")

    (run,) = asyncio.run(inside_jupyter())
    assert run.ok


def test_a_killed_kernel_is_a_failure_of_its_cell(tmp_path: Path):
    path = notebook(tmp_path, "killed", "1", "import os; os.kill(os.getpid(), 9)")
    (run,) = run_notebooks([path], tmp_path / "out")
    assert run.error.startswith("cell 2: ")
    assert "died" in run.error


def kernels_of(mark: str) -> list[str]:
    """Command lines of running kernels whose working folder was made by a run with this TMPDIR."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if "ipykernel" in command and mark in (process / "environ").read_bytes().decode(errors="replace"):
                found.append(command)
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads processes where Linux lists them")
@pytest.mark.parametrize("when", ["while the kernel starts", "in a cell"])
def test_an_interrupt_ends_the_kernels_and_leaves_nothing(tmp_path: Path, when: str):
    notebook(
        tmp_path, "long", f"open({str(tmp_path / 'begun')!r}, 'w').close()", "import time; time.sleep(600)"
    )
    code = (
        "import sys; from pathlib import Path; from erresearch.report.run_record import *; place = Path(sys.argv[1])"
        "\nwith notebooks_running([*place.glob('*.ipynb')], place / 'out') as runs: runs()"
    )
    (tmp_path / "tmp").mkdir()
    mine = str(tmp_path / "tmp")
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": mine},
    )
    while not (kernels_of(mine) if when != "in a cell" else (tmp_path / "begun").exists()):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(2)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert said.strip().endswith("KeyboardInterrupt")
    assert "Event loop" not in said
    assert kernels_of(mine) == []
    assert list((tmp_path / "out").iterdir()) == list((tmp_path / "tmp").iterdir()) == []


def test_a_copy_that_cannot_be_written_is_an_error_not_a_group_of_them(tmp_path: Path):
    path = notebook(tmp_path, "one", "1")
    (tmp_path / "out" / "one.ipynb").mkdir(parents=True)
    with pytest.raises(EngineError, match=r"could not write .*one\.ipynb"):
        run_notebooks([path], tmp_path / "out")


def test_refusals(tmp_path: Path):
    with pytest.raises(DataError, match="`jobs` must be at least 1: 0"):
        run_notebooks([], tmp_path, jobs=0)
    (tmp_path / "text.ipynb").write_text("not a notebook")
    with pytest.raises(DataError, match=r"'.*text\.ipynb' is not a notebook"):
        run_notebooks([tmp_path / "text.ipynb"], tmp_path / "out")
