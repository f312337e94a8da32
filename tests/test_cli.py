"""The command line as a person meets it: status, what is printed where, and never a traceback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest

import erresearch
from erresearch import cli
from erresearch.cli import commands
from erresearch.errors import ErresearchWarning
from erresearch.io.outputs import MARKER


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Call the command line here; returns its status, output and error lines."""

    def call(*arguments: str) -> tuple[int, str, list[str]]:
        status = cli.main(arguments)
        out, err = capsys.readouterr()
        return status, out, err.splitlines()

    return call


def test_no_command_shows_the_help(run):
    status, out, err = run()
    assert (status, err) == (0, [])
    for name in ("reproduce", "claims", "datasets", "simulate"):
        assert name in out


@pytest.mark.parametrize("command", ["reproduce", "claims", "datasets", "simulate"])
def test_every_command_explains_itself(run, command: str):
    status, out, _ = run(command, "--help")
    assert status == 0
    assert out.startswith(f"Usage: erresearch {command}")


def test_version(run):
    assert run("--version") == (0, f"erresearch {erresearch.__version__}\n", [])


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from erresearch.cli import main; main(['--help']);"
        "print(sorted({'pandas', 'rich', 'polars', 'scipy', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reproduc"], "No such command 'reproduc'"),
        (["claims", "c05a"], r"There is no claim 'c05a'\. Allowed: .*Did you mean 'C05a'\?"),
        (["datasets", "movis"], r"There is no data set 'movis'\. Allowed: .*Did you mean 'movies'\?"),
        (["datasets", "movis", "--verify"], "There is no data set 'movis'"),
        (["simulate", "efect", "--out", "x"], r"There is no world 'efect'.*Did you mean 'effect'\?"),
        (["simulate", "effect"], "Missing option '--out'"),
        (
            ["simulate", "effect", "--out", "x", "--accounts", "0"],
            "`accounts` is too small or no whole number: 0",
        ),
        (["simulate", "effect", "--out", "x", "--weeks", "many"], "'many' is not a valid integer"),
        (["simulate", "effect", "--out", "x", "--seed", "-1"], "-1 is not in the range x>=0"),
        (["reproduce", "--jobs", "0"], "0 is not in the range x>=1"),
        (["claims", "C\x1b[31m01\nX"], r"There is no claim 'C\\x1b\[31m01\\nX'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(run, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    (line,) = err
    assert line.startswith("erresearch: error: ")
    assert re.search(said, line), line
    assert list(tmp_path.iterdir()) == []


def test_bad_input_shows_no_traceback_from_a_real_shell(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "erresearch.cli", "simulate", "x", "--out", "y"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_simulate_writes_tables_and_the_truth_marked_as_simulated(run, tmp_path: Path):
    arguments = ("simulate", "effect", "--accounts", "6", "--weeks", "20", "--seed", "7")
    status, out, err = run(*arguments, "--out", str(tmp_path / "one"))
    assert (status, err) == (0, [])
    assert "Simulated world 'effect'" in out
    names = {path.name for path in (tmp_path / "one").iterdir()} - {MARKER}
    assert names == {f"simulated-{name}" for name in ("posts.csv", "outcomes.csv", "panel.csv", "truth.json")}
    truth = json.loads((tmp_path / "one" / "simulated-truth.json").read_text())
    assert (truth["simulated"], truth["seed"], truth["world"]) == (True, 7, "effect")
    made = erresearch.simulate("effect", accounts=6, weeks=20, rng=7).panel
    read = pd.read_csv(tmp_path / "one" / "simulated-panel.csv", parse_dates=["week"])
    pd.testing.assert_frame_equal(read, made, check_dtype=False, check_freq=False)
    assert run(*arguments, "--out", str(tmp_path / "two"))[0] == 0
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_list_world_writes_no_empty_table(run, tmp_path: Path):
    status, _, _ = run("simulate", "decay", "--accounts", "20", "--weeks", "3", "--out", str(tmp_path))
    assert status == 0
    assert not (tmp_path / "simulated-outcomes.csv").exists()


def test_a_folder_that_cannot_be_made_is_said(run, tmp_path: Path):
    (tmp_path / "file").write_text("")
    status, _, err = run(
        "simulate", "nil", "--accounts", "6", "--weeks", "20", "--out", str(tmp_path / "file/x")
    )
    assert status == 2
    assert "could not write" in err[0]


def test_datasets_lists_shows_and_verifies(run):
    status, out, _ = run("datasets")
    assert status == 0
    for name in erresearch.catalog()["name"]:
        assert name in out
    status, out, _ = run("datasets", "movies")
    assert status == 0
    assert "licence: CC0 1.0" in out
    assert "box_office: " in out
    status, out, _ = run("datasets", "movies", "--verify")
    assert (status, out) == (0, "movies: 2,754 rows in movies.db (embedded), checked by sha256.\n")


def test_claims_lists_and_shows(run):
    status, out, _ = run("claims")
    assert status == 0
    for name in ("C01", "C05a", "C05b", "C07", "C09"):
        assert name in out
    status, out, _ = run("claims", "C01")
    assert status == 0
    assert "sesoi: 0.05" in out
    assert "sesoi reason: " in out


def test_own_warnings_are_notes_and_others_stay_warnings(monkeypatch, capsys):
    def caution(*_: object, **__: object) -> None:
        warnings.warn("3 of 9 rows\nwere left out", ErresearchWarning, stacklevel=1)

    monkeypatch.setattr(commands.command, "main", caution)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert cli.main([]) == 0
    assert capsys.readouterr().err == "erresearch: note: 3 of 9 rows were left out\n"

    def other(*_: object, **__: object) -> None:
        warnings.warn("of another package", DeprecationWarning, stacklevel=1)

    monkeypatch.setattr(commands.command, "main", other)
    with pytest.warns(DeprecationWarning, match="of another package"):
        cli.main([])


def test_an_interrupt_is_status_130(monkeypatch, capsys):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands.command, "main", interrupt)
    assert cli.main([]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch):
    def fault(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(commands.command, "main", fault)
    with pytest.raises(ZeroDivisionError, match="ours"):
        cli.main([])
