"""Try kernels, processors, threads, hash seeds and numpy versions: ``python tools/matrix.py [--list] [--cells ...]``.

A cell is one setting: which kernels OpenBLAS takes (``OPENBLAS_CORETYPE``), whether numpy may use the processor's
widest vectors (``NPY_DISABLE_CPU_FEATURES``), Polars' threads, the hash seed, and whether another Python runs with a
newer numpy than the lock's. In each run three parts: ``verdicts`` (every claim is judged; verdicts.csv must equal the
expected one in every word and printed digit), ``tests`` (the numeric tests) and ``notebooks`` (their stored outputs).
All 64 combinations would take hours: each kernel is tried with and without wide vectors, threads and seeds change from
cell to cell so that both values of each meet every kernel, and the newer numpy meets every kernel once. It gives other
binomial numbers for a seed, so that simulated tables and what is stored of them differ: only the tests run. A kernel that
this processor cannot run is said and left out. Results are kept in ``build/matrix/results.json`` by the state of the
checkout, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "matrix"
KEPT = WORK / "results.json"
PARTS = ("verdicts", "tests", "notebooks")
# Tests whose numbers come from matrix products, exponentials, resampling or ties.
NUMERIC = (
    "nist", "regress", "poisson", "logit", "correlate", "decay", "inference", "curve", "precedence",
    "prediction", "mix", "moments", "equivalence", "sensitivity", "guards", "rounding", "claims", "worlds",
)  # fmt: skip
NEWER_NUMPY = "2.5.5"
# What numpy can be told to leave alone, widest first; names that a version does not know are left out.
WIDE = ("AVX512_SPR", "AVX512_ICL", "X86_V4", "AVX512_SKX", "AVX512F", "X86_V3", "AVX2", "FMA3")
PROBE = """
import json, sys
import numpy, numpy._core._multiarray_umath as built
rng = numpy.random.default_rng(1)
a, long = rng.normal(size=(80, 80)), rng.normal(size=(1000, 60))
numpy.linalg.svd(a @ a.T), numpy.linalg.solve(a, a), numpy.linalg.lstsq(long, long[:, 0])
have = [name for name in sys.argv[1:] if name in built.__cpu_dispatch__ and built.__cpu_features__[name]]
print(json.dumps([numpy.__version__, have]))
"""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One setting."""

    name: str
    kernel: str
    wide: bool
    threads: int
    seed: int
    other: bool


def cells() -> list[Cell]:
    """Return the covering set: twelve settings, named by a letter of the kernel and a number."""
    made = []
    for place, kernel in enumerate(("SkylakeX", "Haswell", "Nehalem", "Prescott")):
        settings = [(True, 1, 0, False), (False, 2, 1, False), (place % 2 == 0, 1 + place % 2, 7, True)]
        for number, (wide, threads, seed, other) in enumerate(settings, 1):
            name = f"{kernel[0]}{number}"
            made.append(Cell(name=name, kernel=kernel, wide=wide, threads=threads, seed=seed, other=other))
    return made


def state() -> str:
    """Return a name for what is tried: every file of the checkout that decides a result."""
    joined = hashlib.sha256()
    for folder in ("erresearch", "data", "notebooks", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".toml", ".csv", ".ipynb", ".npz", ".cfg"):
                joined.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    joined.update((ROOT / "requirements.lock").read_bytes())
    return joined.hexdigest()[:12]


def other_environment() -> Path | None:
    """Return the interpreter of an environment with another Python and a newer numpy, made where it is not there yet."""
    uv = shutil.which("uv")
    wanted = "3.12" if sys.version_info < (3, 12) else "3.11"
    folder = WORK / f"python{wanted}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = (
        folder / f"{hashlib.sha256((ROOT / 'requirements.lock').read_bytes()).hexdigest()[:20]}-{NEWER_NUMPY}"
    )
    if stamp.exists():
        return python
    if uv is None:
        print("matrix: without uv the other numpy cannot be installed; its cells are left out")
        return None
    steps = [
        [uv, "venv", "--quiet", "--clear", "--python", wanted, folder],
        [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", "requirements.lock"],
        [uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--no-build-isolation", "-e", "."],
        [uv, "pip", "install", "--quiet", "--python", python, "--no-deps", f"numpy=={NEWER_NUMPY}"],
    ]
    for step in steps:
        if subprocess.run([str(part) for part in step], cwd=ROOT, check=False).returncode:
            print(f"matrix: Python {wanted} with the lock could not be laid out; its cells are left out")
            return None
    stamp.touch()
    return python


def environment(cell: Cell, disabled: list[str]) -> dict[str, str]:
    """Return the variables of one cell."""
    said = {
        "OPENBLAS_CORETYPE": cell.kernel,
        "POLARS_MAX_THREADS": str(cell.threads),
        "PYTHONHASHSEED": str(cell.seed),
    }
    if not cell.wide:
        said["NPY_DISABLE_CPU_FEATURES"] = " ".join(disabled)
    return {**os.environ, **said}


def probe(python: Path, cell: Cell) -> tuple[str, dict[str, str]] | None:
    """Return numpy's version and a cell's variables; None where the kernel does not run on this processor."""
    plain = subprocess.run([python, "-c", PROBE, *WIDE], capture_output=True, text=True, check=True)
    version, have = json.loads(plain.stdout)
    variables = environment(cell, have)
    done = subprocess.run([python, "-c", PROBE], env=variables, capture_output=True, check=False)
    return None if done.returncode else (version, variables)


def verdicts(python: Path, variables: dict[str, str], folder: Path) -> str:
    """Judge every claim and compare the table with the expected one, cell by cell."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [
        python,
        "-m",
        "erresearch.cli",
        "reproduce",
        "--no-notebooks",
        "--no-progress",
        "--no-expected",
    ]
    done = subprocess.run(
        [*command, "--out", folder], cwd=ROOT, env=variables, capture_output=True, check=False
    )
    if done.returncode:
        return f"failed with status {done.returncode}"
    found = (folder / "verdicts.csv").read_text(encoding="utf-8").splitlines()
    wanted = (ROOT / "tests" / "expected" / "verdicts.csv").read_text(encoding="utf-8").splitlines()
    # rows that are judged from real files depend on what lies beside the checkout
    other = (
        sum(line not in wanted for line in found)
        if len(found) == len(wanted)
        else abs(len(found) - len(wanted))
    )
    return "equal" if not other else f"{other} rows differ"


def pytest(python: Path, variables: dict[str, str], arguments: list[str]) -> str:
    """Run tests and return the closing line."""
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-n", "2", *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    (WORK / "last.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    lines = done.stdout.strip().splitlines()
    failed = [line.split()[1] for line in lines if line.startswith(("FAILED", "ERROR"))]
    return ", ".join([lines[-1].strip("= ") if lines else "nothing said", *failed[:3]])


def run(part: str, python: Path, variables: dict[str, str], notebooks: list[str]) -> str:
    """Run one part of one cell."""
    if part == "verdicts":
        return verdicts(python, variables, WORK / "results")
    if part == "tests":
        files = [ROOT / "tests" / f"test_{name}.py" for name in NUMERIC]
        return pytest(python, variables, [str(path) for path in files if path.is_file()])
    options = ["--dist", "loadfile", "--nbval", "--nbval-current-env"]
    options += ["--nbval-sanitize-with", "notebooks/sanitize.cfg", "--ignore=notebooks/workshop/exercises"]
    return pytest(python, variables, [*options, *notebooks])


def main(arguments: list[str]) -> int:
    """Run what is asked for and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="print the cells and stop")
    parser.add_argument("--cells", nargs="+", default=None, metavar="NAME", help="only these")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--notebooks", nargs="+", default=["notebooks"], metavar="FILE", help="only these")
    parser.add_argument("--again", action="store_true", help="run what was run already")
    given = parser.parse_args(arguments)
    chosen = [cell for cell in cells() if given.cells is None or cell.name in given.cells]
    if given.list:
        print(*chosen, sep="\n")
        return 0
    WORK.mkdir(parents=True, exist_ok=True)
    kept: dict[str, dict[str, str]] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    others = {cell.other for cell in chosen}
    pythons = {False: Path(sys.executable), True: other_environment() if True in others else None}
    print(
        "| cell | kernel | wide vectors | Polars threads | hash seed | numpy | "
        + " | ".join(given.parts)
        + " |"
    )
    print("|---" * (6 + len(given.parts)) + "|")
    bad = 0
    for cell in chosen:
        python = pythons[cell.other]
        ready = probe(python, cell) if python else None
        said = []
        for part in given.parts:
            key = f"{state()} {cell} {part} {given.notebooks if part == 'notebooks' else ''}"
            entry = kept.get(key)
            if python is None:
                entry = {"said": "not run: no such numpy here"}
            elif ready is None:
                entry = {"said": "not run: the kernel crashes on this processor"}
            elif cell.other and part != "tests":
                entry = {"said": "not run: other draws"}
            elif entry is None or given.again:
                begun = time.monotonic()
                entry = {"said": run(part, python, ready[1], given.notebooks)}
                entry["seconds"] = f"{time.monotonic() - begun:.0f}"
                kept[key] = entry
                KEPT.write_text(json.dumps(kept, indent=1), encoding="utf-8")
            bad += any(word in entry["said"] for word in ("fail", "error", "differ", "nothing"))
            said.append(entry["said"])
        wide = "yes" if cell.wide else "no"
        version = ready[0] if ready else "-"
        row = [cell.name, cell.kernel, wide, cell.threads, cell.seed, version, *said]
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
