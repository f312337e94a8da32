"""Try the lowest versions that pyproject names: ``python tools/lowest.py [--python PYTHON] [PYTEST ARGUMENT ...]``.

uv resolves every direct dependency to its floor (``--resolution lowest-direct``) in an environment of its own under
``build/lowest``, installs this checkout beside it and runs the quick tests. The floors of the tests' own tools count
too. Warnings are no errors there: old versions warn of each other. Needs uv.
"""

from __future__ import annotations

import argparse
import os
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "lowest"


def run(*command: object) -> None:
    """Run one step and stop at its first failure, which has printed its own reason."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit("tools/lowest.py: this step failed: " + " ".join(str(part) for part in command[:6]))


def floors() -> dict[str, str]:
    """Return the version below which pyproject lets no direct dependency go."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = map(Requirement, [*project["dependencies"], *project["optional-dependencies"]["test"]])
    return {
        canonicalize_name(need.name): bound.version
        for need in wanted
        for bound in need.specifier
        if bound.operator in (">=", "==")
    }


def main(arguments: list[str]) -> int:
    """Install the floors, say where others were taken, and run the quick tests."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter, 3.11 if the floors are to be met"
    )
    parser.add_argument("tests", nargs="*", help="arguments of pytest instead of the quick tests")
    given, more = parser.parse_known_args(arguments)
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("tools/lowest.py: uv is needed; install it: pip install uv")
    FOLDER.parent.mkdir(exist_ok=True)
    run(uv, "venv", "--quiet", "--clear", "--python", given.python, FOLDER)
    python = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    options = ["--quiet", "--python", python, "--resolution", "lowest-direct", "--only-binary=:all:"]
    run(uv, "pip", "install", *options, "--no-binary=erresearch", "-e", ".[test]")
    listed = subprocess.check_output(
        [uv, "pip", "freeze", "--python", python], text=True, stderr=subprocess.DEVNULL
    )
    installed = dict(line.split("==") for line in listed.splitlines() if "==" in line)
    for name, floor in sorted(floors().items()):
        print(f"{name} {installed.get(name, 'not here')}, floor {floor}")
    quick = runpy.run_path(str(ROOT / "tools" / "quick.py"))["tests"]
    tests = [*given.tests, *more] or quick()
    done = subprocess.run([python, "-m", "pytest", "-q", "-W", "default", *tests], cwd=ROOT, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
