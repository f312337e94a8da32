"""The command line as a person meets it: status, what is printed where, and never a traceback."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
import pytest

import erresearch
import erresearch.worlds
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
    assert "..." not in out.partition("Commands:")[2], "a command's short help is cut at 80 columns"
    assert all(len(line) <= 80 for line in out.splitlines())


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
        (["claims", "C05ab"], r"There is no claim 'C05ab'\. Allowed: .*Did you mean 'C05[ab]'\?"),
        (["datasets", "movis"], r"There is no data set 'movis'\. Allowed: .*Did you mean 'movies'\?"),
        (["datasets", "movis", "--verify"], "There is no data set 'movis'"),
        (["simulate", "efect", "--out", "x"], r"There is no world 'efect'.*Did you mean 'effect'\?"),
        (["simulate", "effect"], "Missing option '--out'"),
        (["simulate", "decay", "--out", "x", "--accounts", "9" * 20], r"`accounts` is too large: 1e\+20"),
        (["inspect", ""], "The name is empty. Name a file"),
        (["audit", ""], "The name is empty. Name a file"),
        (["reproduce", "--expected", "missing.csv"], "'missing.csv' does not exist"),
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


def test_streams_that_are_closed_are_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert (
        cli.main(["simulate", "nil", "--accounts", "6", "--weeks", "20", "--out", str(tmp_path / "sim")]) == 0
    )
    assert cli.main(["claims", "C99x"]) == 2
    for stream in (sys.stdout, sys.stderr):
        stream.close()


def test_simulate_writes_tables_and_the_truth_marked_as_simulated(run, tmp_path: Path):
    arguments = ("simulate", "effect", "--accounts", "6", "--weeks", "20", "--seed", "7")
    status, out, err = run(*arguments, "--out", str(tmp_path / "one"))
    assert (status, err) == (0, [])
    assert "Simulated world 'effect'" in out
    names = {path.name for path in (tmp_path / "one").iterdir()} - {MARKER}
    tables = ("posts.csv", "outcomes.csv", "panel.csv", "truth.json", "posts.csv.toml", "outcomes.csv.toml")
    assert names == {f"simulated-{name}" for name in tables}
    truth = json.loads((tmp_path / "one" / "simulated-truth.json").read_text())
    assert (truth["simulated"], truth["seed"], truth["world"]) == (True, 7, "effect")
    made = erresearch.simulate("effect", accounts=6, weeks=20, rng=7).panel
    read = pd.read_csv(tmp_path / "one" / "simulated-panel.csv", parse_dates=["week"])
    pd.testing.assert_frame_equal(read, made, check_dtype=False, check_freq=False)
    assert run(*arguments, "--out", str(tmp_path / "two"))[0] == 0
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_simulate_wrote_can_be_audited_as_it_says(run, tmp_path: Path):
    _, out, _ = run("simulate", "effect", "--accounts", "6", "--weeks", "30", "--out", str(tmp_path / "sim"))
    command = out.splitlines()[-1].removeprefix("next: erresearch ")
    status, out, _ = run(*shlex.split(command), "--out", str(tmp_path / "audit"))
    assert status == 0
    assert "6 entities (simulated)" in out
    with (tmp_path / "audit" / "verdicts.csv").open(encoding="utf-8") as file:
        words = [row["words"] for row in csv.DictReader(file) if not row["words"].startswith("not judged")]
    assert words
    assert all("simulated" in said for said in words)


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
    assert re.search("Licence +CC0 1.0", out)
    assert "they come with the package bokeh_sampledata; er.load('movies') reads them" in " ".join(
        out.split()
    )
    assert "box_office: " in out
    for name, way in (
        ("hillstrom", "'hillstrom_minethatdata.csv' in a folder"),
        ("best-of-ml-python", "its 51 files"),
    ):
        shown = " ".join(run("datasets", name)[1].split())
        assert f"er.load('{name}') fetches them once from" in shown
        assert way in shown
        assert "ERRESEARCH_DATA_DIR" in shown
    status, out, _ = run("datasets", "movies", "--verify")
    assert (status, out) == (0, "movies: 2,754 rows in movies.db (embedded), checked by sha256.\n")


def test_claims_lists_and_shows(run):
    status, out, _ = run("claims")
    assert status == 0
    for name in ("C01", "C05a", "C05b", "C07", "C09"):
        assert name in out
    status, out, _ = run("claims", "C01")
    assert status == 0
    assert out.startswith("C01: Within an account, more engagement in one week")
    assert "True if        the effect is above 0; one below 0.05" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert not {"{", "[", "("} & {line.strip()[:1] for line in out.splitlines()}


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


# ------------------------------------------------------------------------------------- streams and signals
PROGRAM = [sys.executable, "-m", "erresearch.cli"]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_what_a_stream_cannot_print_is_said_plainly(tmp_path: Path, encoding: str):
    done = subprocess.run(
        [*PROGRAM, "simulate", "nil", "--accounts", "6", "--weeks", "20", "--out", str(tmp_path / "δ−")],
        env={**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    said = done.stdout.decode(encoding)
    assert ("δ−" if encoding == "utf-8" else "delta-") in said
    assert (tmp_path / "δ−" / "simulated-truth.json").is_file()


def test_a_reader_that_leaves_costs_nothing(tmp_path: Path):
    arguments = ["simulate", "nil", "--accounts", "6", "--weeks", "20", "--out", str(tmp_path / "x")]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*PROGRAM, *arguments], stdout=writing, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "x" / "simulated-truth.json").is_file()
    missing = [*PROGRAM, "claims", "C1"]
    done = subprocess.run(missing, stdout=writing, stderr=writing, check=False)
    assert done.returncode == 2
    done = subprocess.run([*PROGRAM, "--help"], stdout=writing, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_the_results_are_whole(tmp_path: Path):
    arguments = ["simulate", "nil", "--accounts", "6", "--weeks", "20", "--out", str(tmp_path / "x")]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("erresearch: error: the results could not be printed: No space left")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "x" / "simulated-truth.json").is_file()


def processes_of(mark: str) -> list[str]:
    """Command lines of running processes that were started with a mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().decode(errors="replace"):
                found.append((process / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return [command for command in found if command]


def wait_until_it_listens(process: subprocess.Popen[str]) -> None:
    """Wait until the program has the socket that tells it of signals: before, Python itself is starting."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            descriptors = Path(f"/proc/{process.pid}/fd").iterdir()
            if any(str(one.readlink()).startswith("socket:") for one in descriptors):
                return
        time.sleep(0.02)


@pytest.fixture(scope="module")
def long_exports(tmp_path_factory) -> list[Path]:
    """Exports of 140 weeks, of which an audit takes longer than any signal waits."""
    return erresearch.worlds.example_exports(tmp_path_factory.mktemp("exports"), weeks=140, rng=1)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads processes where Linux lists them")
@pytest.mark.parametrize(
    ("command", "after", "whom", "number"),
    [
        ("reproduce", 0.5, "group", signal.SIGINT),
        ("reproduce", 1.8, "process", signal.SIGINT),
        pytest.param("reproduce", 3.0, "process", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("reproduce", 7.0, "group", signal.SIGINT, marks=pytest.mark.slow),
        ("audit", 0.6, "group", signal.SIGHUP),
        ("audit", 1.2, "process", signal.SIGTERM),
        ("pool", 0.4, "process", signal.SIGINT),
    ],
)
def test_an_interrupt_ends_all_within_seconds(
    long_exports, tmp_path: Path, command: str, after, *, whom, number
):
    out = tmp_path / "out"
    arguments = ["--out", str(out)]
    if command == "audit":
        arguments += ["--tz", "UTC", *map(str, long_exports)]
    if command == "pool":
        parts = [str(tmp_path / f"{name}.npz") for name in "ab"]
        # rows of their own: the same rows in two files are refused, and would end it before the signal
        for step, part in enumerate(parts, start=1):
            rows = {"account": ["a", "b"] * 20, "x": range(0, 40 * step, step)}
            erresearch.Moments.from_frame(pd.DataFrame(rows), ["x"], by="account").save(part)
        arguments += parts
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [*PROGRAM, command, *arguments],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until_it_listens(process)
    time.sleep(after)
    if process.poll() is not None:
        process.communicate()
        pytest.skip("it had ended before the signal")
    sent = time.monotonic()
    (os.killpg if whom == "group" else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=60)
    # two seconds are given to clean up; what is above is for a machine that does much else
    assert time.monotonic() - sent < 10
    if process.returncode == 0:
        assert out.is_file() or (out / "report.html").is_file()
        pytest.skip("its work was done when the signal came")
    assert process.returncode == 128 + number
    assert said.splitlines()[-1:] == ["erresearch: interrupted; files written before are whole"]
    assert "Traceback" not in said
    assert processes_of(str(temporary)) == []
    assert not out.exists()
    assert list(tmp_path.glob(".*")) == list(temporary.iterdir()) == []


INTERRUPTED_CLASS = """
import os, signal
from erresearch.cli import __main__, commands

class Named:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)

commands.run = lambda _: type("Made", (), {"field": Named()})
raise SystemExit(__main__.main())
"""


def test_an_interrupt_while_a_class_is_made_is_an_interrupt():
    found = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_CLASS], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (130, "")
    assert found.stderr.splitlines() == ["erresearch: interrupted; files written before are whole"]


def test_too_little_memory_is_one_line(run, monkeypatch: pytest.MonkeyPatch):
    def without_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("erresearch.cli.commands.command.main", without_memory)
    status, _, said = run("claims")
    assert status == 2
    assert said == [
        "erresearch: error: what was asked for needs more memory than there is. Ask for fewer rows at a time."
    ]
