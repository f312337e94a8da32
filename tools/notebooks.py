"""Run notebooks from top to bottom and store what they show.

    python tools/notebooks.py [NOTEBOOK ...]

Without names, all that lie in ``notebooks/`` itself, and the workshop without code. Only what a reader needs is kept: no
times, no machine, no widget of a kernel that is gone, cell ids by position. A notebook that fails or writes to
stderr stays as it was.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

WIDGET = "application/vnd.jupyter.widget-view+json"
FOLDER = Path(__file__).resolve().parent.parent / "notebooks"


def run(path: Path) -> list[str]:
    """Run and store one notebook; return what is wrong with it."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=600, coalesce_streams=True, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    errors = []
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number:02d}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in ("tags", "jupyter")}
        if "nbval-skip" in cell.metadata.get("tags", []):
            cell.outputs = []  # rows that may not be passed on
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                errors.append(f"cell {number} wrote to stderr: {output.text[:200]}")
            output.get("metadata", {}).clear()
            output.get("data", {}).pop(
                WIDGET, None
            )  # of a kernel that is gone; the picture beside it is shown
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    if not errors:
        text = nbformat.writes(notebook)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8")
        temporary.replace(path)
    return errors


if __name__ == "__main__":
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    # the workshop's sessions are made from their source by tools/workshop.py
    paths = [Path(name) for name in sys.argv[1:]] or sorted(
        [*FOLDER.glob("*.ipynb"), *FOLDER.glob("workshop/*.ipynb")]
    )
    found = {path: run(path) for path in paths if ".ipynb_checkpoints" not in path.parts}
    for path, errors in found.items():
        print(path.name, "stored" if not errors else "; ".join(errors))
    sys.exit(any(found.values()))
