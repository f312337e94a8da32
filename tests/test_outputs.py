"""Folders of results: nothing of anybody's is lost, nothing is half-written, nothing temporary stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from erresearch.errors import DataError, EngineError
from erresearch.io import outputs
from erresearch.io.files import atomic_write
from erresearch.io.outputs import MARKER, check_output, output_folder, replaceable_file


def written(out: Path, **files: str) -> Path:
    """A folder of results with some files."""
    with output_folder(out) as folder:
        for name, text in files.items():
            atomic_write(folder / name.replace("__", "/"), text)
    return out


def content(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): path.read_text()
        for path in out.rglob("*")
        if path.is_file() and path.name != MARKER
    }


@pytest.fixture(params=["in one step", "in two steps"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways in which a folder takes the place of another."""
    if request.param == "in two steps":
        monkeypatch.setattr(outputs, "_exchange", lambda *_: False)
    return request.param


def test_a_folder_is_replaced_whole(tmp_path: Path, exchange: str):
    out = written(tmp_path / "out [1]*?", a="1", b="2", sub__c="3")
    assert content(out) == {"a": "1", "b": "2", "sub/c": "3"}
    assert json.loads((out / MARKER).read_text())["files"].keys() == {"a", "b", "sub/c"}
    written(out, a="9")
    assert content(out) == {"a": "9"}
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_folder_and_nothing_else(tmp_path: Path, error, exchange: str):
    out = written(tmp_path / "out", a="1")
    with pytest.raises(error), output_folder(out) as folder:  # noqa: PT012 - the block is what is tested
        (folder / "a").write_text("2")
        raise error
    assert content(out) == {"a": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda out: (out / "notes.txt").write_text("mine"), r"erresearch did not write: 'notes\.txt'"),
        (lambda out: (out / "a").write_text("mine"), r"was changed since erresearch wrote it: 'a'"),
        (lambda out: (out / "sub" / "x").write_text("mine"), r"erresearch did not write: 'sub/x'"),
        (lambda out: (out / "link").symlink_to(out / "a"), r"erresearch did not write: 'link'"),
        (lambda out: (out / MARKER).unlink(), r"erresearch did not write: 'a'"),
        (lambda out: (out / MARKER).write_text("[" * 100_000), r"erresearch did not write: '\.erres"),
        (lambda out: os.mkfifo(out / "pipe"), r"erresearch did not write: 'pipe'"),
        (lambda out: (out / ("n" * 200)).write_text(""), r"erresearch did not write: 'n{80}…'"),
    ],
)
def test_what_is_not_ours_is_refused_by_name_and_stays(tmp_path: Path, change, said: str):
    out = written(tmp_path / "out", a="1", sub__b="2")
    change(out)
    before = {path: path.lstat().st_ino for path in out.rglob("*")}
    with pytest.raises(DataError, match=said), output_folder(out):
        pytest.fail("work was begun")
    assert {path: path.lstat().st_ino for path in out.rglob("*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@given(st.sets(st.sampled_from(["report.html", "verdicts.csv", "panel.csv", "a/b.csv"]), min_size=1))
def test_a_folder_of_somebody_else_is_never_touched(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
):
    out = tmp_path_factory.mktemp("theirs")
    for name in names:
        atomic_write(out / name, "theirs")
    with pytest.raises(DataError, match="erresearch did not write"):
        written(out, a="1")
    assert content(out) == dict.fromkeys(names, "theirs")


def test_a_file_that_comes_while_we_work_is_kept(tmp_path: Path, exchange: str):
    out = written(tmp_path / "out", a="1")
    late = pytest.raises(DataError, match=r"did not write: 'late\.txt'")
    with late, output_folder(out) as folder:
        (folder / "a").write_text("2")
        (out / "late.txt").write_text("mine")
    assert content(out) == {"a": "1", "late.txt": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("single", [True, False])
def test_a_file_that_comes_at_the_last_moment_is_kept(tmp_path: Path, monkeypatch, single: bool):
    out = written(tmp_path / "out", a="1")
    step, done = outputs._exchange, []

    def late(new: Path, place: Path) -> bool:
        if not done:
            (place / "late.txt").write_text("mine")
            done.append(1)
        return single and step(new, place)

    monkeypatch.setattr(outputs, "_exchange", late)
    with pytest.raises(DataError, match=r"did not write: 'late\.txt'"):
        written(out, a="2")
    assert content(out) == {"a": "1", "late.txt": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_results_of_0_1_are_known_by_their_manifest(tmp_path: Path):
    out = tmp_path / "results"
    told = {
        "erresearch": "0.1.0",
        "claims_sha256": "",
        "datasets": {},
        "verdicts": 1,
        "notebooks": {"01": {}},
    }
    for name in ("report.html", "verdicts.csv", "notebooks/01.ipynb"):
        atomic_write(out / name, "of 0.1")
    atomic_write(out / "manifest.json", json.dumps(told))
    atomic_write(out / "mine.csv", "x")
    with pytest.raises(DataError, match=r"did not write: 'mine\.csv'"):
        check_output(out)
    (out / "mine.csv").unlink()
    assert content(written(out, a="1")) == {"a": "1"}


def test_an_input_is_never_in_what_is_replaced(tmp_path: Path, monkeypatch):
    out = written(tmp_path / "out", **{"a.csv": "1"})
    (tmp_path / "link").symlink_to(out)
    monkeypatch.chdir(tmp_path)
    places = (out / "a.csv", "out/a.csv", "link/a.csv", "out", f"duckdb:{out}/x.db?table=t", "out/*.parquet")
    for given_ in places:
        with pytest.raises(DataError, match="would be replaced, and an input lies in it"):
            check_output(out, inputs=["s3://a/b", given_])
    check_output(out, inputs=["s3://a/b", tmp_path, tmp_path / "b.csv"])


def test_a_file_or_the_own_folder_is_no_place_for_results(tmp_path: Path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="results need a folder"):
        check_output(tmp_path / "file")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=r"'.*loop' is a link that leads back to itself"):
        check_output(tmp_path / "loop")
    (tmp_path / "empty" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty" / "below")
    for out in (".", ".."):
        with pytest.raises(DataError, match="the folder in which the program works cannot be replaced"):
            check_output(out)
    with pytest.raises(EngineError, match="could not write the folder"):
        written(tmp_path / "file" / "x")
    for place, why in (("file/x", "Not a directory"), ("n" * 300, "File name too long")):
        with pytest.raises(EngineError, match=f"could not write the folder '.*': {why}. Choose a folder"):
            check_output(tmp_path / place)


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path):
    written(tmp_path / "real", a="1")
    (tmp_path / "link").symlink_to("real")
    written(tmp_path / "link", a="2")
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "real") == {"a": "2"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_private_stays_private(tmp_path: Path, exchange: str):
    out = written(tmp_path / "out", a="1", b="2", sub__c="3")
    usual = mode(out / "b")
    out.chmod(0o710)
    (out / "a").chmod(0o600)
    (out / "sub").chmod(0o700)
    written(out, a="1", b="2", sub__c="3", d="4")
    assert [mode(out), mode(out / "a"), mode(out / "sub")] == [0o710, 0o600, 0o700]
    assert mode(out / "b") == mode(out / "d") == usual
    for path in out.iterdir():
        path.chmod(0o700 if path.is_dir() else 0o600)
    written(out, a="1", e="2")
    assert mode(out / "e") == 0o600
    (tmp_path / "one").write_text("")
    (tmp_path / "one").chmod(0o640)
    assert mode(atomic_write(tmp_path / "one", "x")) == 0o640


def test_nobody_looks_in_before_the_end(tmp_path: Path):
    with output_folder(tmp_path / "out") as folder:
        assert mode(folder.parent) == 0o700
        (beside,) = tmp_path.iterdir()
        assert folder.is_relative_to(beside)
    assert mode(tmp_path / "out") == mode_of_a_new_folder(tmp_path)


def mode_of_a_new_folder(folder: Path) -> int:
    (folder / "new").mkdir()
    return mode(folder / "new")


def test_threads_and_processes_end_in_one_whole_result(tmp_path: Path, exchange: str):
    out, failures = tmp_path / "out", []

    def run(text: str) -> None:
        try:
            for _ in range(5):
                written(out, **dict.fromkeys("abcdef", text))
        except DataError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=run, args=(text,)) for text in "1234"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("several runs at once" in said for said in failures)
    assert content(out) in [dict.fromkeys("abcdef", text) for text in "1234"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_was_exchanged_within_a_tick_of_the_clock_is_read_again(tmp_path: Path, monkeypatch):
    """Away while its marker is read and back for its files: the time of the folder does not tell."""
    out = written(tmp_path / "out", a="1")
    known, away = outputs._written, []

    def while_away(folder: Path):
        away.append(folder)
        return None if len(away) == 1 else known(folder)

    monkeypatch.setattr(outputs, "_written", while_away)
    check_output(out)
    assert len(away) == 2
    monkeypatch.setattr(outputs, "_written", lambda _: None)
    with pytest.raises(DataError, match="something that erresearch did not write"):
        check_output(out)


def test_a_folder_that_was_there_only_between_two_looks_is_no_failure(tmp_path: Path, monkeypatch):
    out = written(tmp_path / "out", a="1")
    monkeypatch.setattr(outputs, "_written", lambda _: None)
    monkeypatch.setattr(outputs, "_identity", lambda _: None)
    check_output(out)


def test_a_folder_that_another_run_takes_away_at_once_is_no_failure(tmp_path: Path, monkeypatch):
    """The target was full when the system looked, and is gone when we look."""
    out = written(tmp_path / "out", a="1")
    rename, gone = Path.rename, []

    def beaten(source: Path, target: Path) -> Path:
        if source.name == "new" and not gone:
            gone.append(target)
            written(target, a="another's")
            try:
                return rename(source, target)
            finally:
                rename(target, tmp_path / "moved away")
        return rename(source, target)

    monkeypatch.setattr(outputs, "_exchange", lambda *_: False)
    monkeypatch.setattr(Path, "rename", beaten)
    assert content(written(out, a="2")) == {"a": "2"}
    assert content(tmp_path / "moved away") == {"a": "another's"}


def test_what_another_run_left_may_be_gone_before_it_is_looked_into(tmp_path: Path, monkeypatch):
    left = tmp_path / ".out.0123456789ab.tmp"
    left.mkdir()
    (left / "begun").touch()
    held = outputs._held

    def late(lock: Path) -> Any:
        shutil.rmtree(left, ignore_errors=True)
        return held(lock)

    monkeypatch.setattr(outputs, "_held", late)
    outputs._recover(tmp_path / "out")
    assert not left.exists()


KILLED = """
import os, sys
from pathlib import Path
from erresearch.io import outputs
out, where = Path(sys.argv[1]), sys.argv[2]
if where == "between the steps":
    outputs._exchange = lambda *_: False
    moved = outputs._moved
    outputs._moved = lambda a, b: os.kill(os.getpid(), 9) if b == out else moved(a, b)
with outputs.output_folder(out) as folder:
    (folder / "a").write_text("2")
    if where == "at work":
        os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
@pytest.mark.parametrize("where", ["at work", "between the steps"])
def test_what_a_killed_run_leaves_is_put_right_by_the_next(tmp_path: Path, where: str):
    out = written(tmp_path / "out", a="1")
    done = subprocess.run([sys.executable, "-c", KILLED, str(out), where], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".out.*.tmp"))) == 1
    assert out.exists() == (where == "at work")
    with output_folder(out) as folder:
        assert content(out) == {"a": "1"}
        (folder / "a").write_text("3")
    assert content(out) == {"a": "3"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_folder_of_a_run_that_works_is_left_alone(tmp_path: Path):
    with output_folder(tmp_path / "out") as first:
        (first / "a").write_text("1")
        code = (
            "import sys; from erresearch.io.outputs import *\n"
            "with output_folder(sys.argv[1]) as folder: (folder / 'a').write_text('2')"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=True)
        assert content(tmp_path / "out") == {"a": "2"}
        assert (first / "a").read_text() == "1"
    assert content(tmp_path / "out") == {"a": "1"}


def test_runs_that_are_always_in_each_others_way_give_up(tmp_path: Path, monkeypatch):
    out = written(tmp_path / "out", a="1")
    monkeypatch.setattr(outputs, "_exchange", lambda *_: False)
    monkeypatch.setattr(outputs, "_moved", lambda *_: False)
    with pytest.raises(DataError, match="is being written by several runs at once"):
        written(out, a="2")
    assert content(out) == {"a": "1"}


def test_a_program_that_must_end_leaves_nothing(tmp_path: Path):
    out = written(tmp_path / "out", a="1")
    gone = pytest.raises(EngineError, match="could not write the folder")
    with gone, output_folder(out) as folder:
        (folder / "a").write_text("2")
        outputs.abandon_outputs()
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert content(out) == {"a": "1"}


def test_one_file_is_replaced_only_if_it_is_ours(tmp_path: Path):
    path = tmp_path / "a.npz"
    replaceable_file(path, ours=False)
    path.write_text("")
    replaceable_file(path, ours=True)
    with pytest.raises(DataError, match="there is a file that erresearch did not write"):
        replaceable_file(path, ours=False)
    with pytest.raises(DataError, match="the result would replace an input"):
        replaceable_file(path, ours=True, inputs=[tmp_path / "b", path])
