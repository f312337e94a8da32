"""The built wheel works by itself, from an empty directory, and importing it stays light."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def python(*arguments: str, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run this interpreter elsewhere, `path` first on its search path."""
    environment = dict(os.environ)
    environment.pop("PYTHONPATH", None)
    if path:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the project's own build backend."""
    out = tmp_path_factory.mktemp("dist")
    done = python("-m", "hatchling", "build", "-t", "wheel", "-d", str(out), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder holding what an installer would unpack, with no dependency beside it."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A working directory with nothing in it."""
    folder = tmp_path / "empty folder"
    folder.mkdir()
    return folder


def test_the_wheel_holds_package_data_notebooks_and_licence_and_nothing_else(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    for kind in ("data", "notebooks"):
        inside = {
            str(path.relative_to(ROOT / kind))
            for path in (ROOT / kind).rglob("*")
            if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
        }
        packed = {name.removeprefix(f"erresearch/_{kind}/") for name in names if f"/_{kind}/" in name}
        assert inside <= packed
    assert "erresearch/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names} == {
        "erresearch",
        wheel.name.split("-py3")[0] + ".dist-info",
    }


def test_the_installed_package_and_its_commands_work_from_an_empty_directory(installed: Path, empty: Path):
    code = (
        "import json, erresearch; from erresearch.cli import main; from erresearch.io.files import resource; "
        "done = [main(words.split()) for words in ('claims C01', 'datasets movies --verify', 'datasets er-benchmarks')]; "
        "print(json.dumps([done, erresearch.__file__, str(resource('data')), str(resource('notebooks'))]))"
    )
    done = python("-c", code, cwd=empty, path=installed)
    assert (done.returncode, done.stderr) == (0, "")
    statuses, *places = json.loads(done.stdout.splitlines()[-1])
    assert statuses == [0, 0, 0]
    for found in places:
        assert Path(found).is_relative_to(installed / "erresearch")
    assert list(empty.iterdir()) == []


# the one that shows the whole board takes half a minute; a short one goes the same way
@pytest.mark.parametrize("place", [11, pytest.param(0, marks=pytest.mark.slow)])
def test_an_installed_notebook_runs_from_an_empty_directory(installed: Path, empty: Path, place: int):
    code = (
        "from erresearch.io.files import resource; from erresearch.report.run_record import *;"
        f"\nwith notebooks_running(sorted(resource('notebooks').glob('*.ipynb'))[{place}:][:1], 'results') as runs: "
        "print(runs()[0].error)"
    )
    done = python("-c", code, cwd=empty, path=installed)
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr
    (written,) = (empty / "results").iterdir()
    assert str(ROOT) not in written.read_text(encoding="utf-8")


def test_import_loads_numpy_and_narwhals_at_most(tmp_path: Path):
    loaded, site = (
        {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
        for code in ("import erresearch", "pass")
        if not (done := python("-X", "importtime", "-c", code, cwd=tmp_path)).returncode
    )
    heavy = loaded - set(sys.stdlib_module_names) - site - {"erresearch", "numpy", "narwhals"}
    assert "erresearch" in loaded
    assert {name for name in heavy if not name.startswith(("_", "sphinxcontrib"))} == set()


@pytest.mark.parametrize(
    "lock",
    ["requirements.lock", "requirements-spark.lock", "requirements-docs.lock", "requirements-lite.lock"],
)
def test_locks_hold_hashes_and_no_address(lock: str):
    text = (ROOT / lock).read_text()
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert entries
    assert all("==" in line and line.endswith("\\") for line in entries)
    assert "://" not in text
    assert "--index" not in text


def test_the_lock_is_of_this_pyproject():
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked: dict[str, list[str]] = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            entry = Requirement(line.strip(" \\"))
            locked.setdefault(canonicalize_name(entry.name), []).append(str(entry.specifier).lstrip("="))
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["test"], *extras["dev"]]:
        wanted = Requirement(text)
        versions = locked.get(canonicalize_name(wanted.name), [])
        assert versions, f"{text} is not in requirements.lock: make lock"
        assert all(wanted.specifier.contains(version) for version in versions), f"{text}: make lock"
