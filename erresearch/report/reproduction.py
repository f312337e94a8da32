"""The whole job in one call: every notebook run, every claim judged, the report written."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erresearch.errors import ErresearchWarning
from erresearch.io.files import atomic_write, resource
from erresearch.io.outputs import output_folder
from erresearch.report.console import progress_line
from erresearch.report.notebooks import NotebookRun, notebook_paths, notebooks_running
from erresearch.report.provenance import manifest_text, provenance
from erresearch.report.verdict_csv import COLUMNS, csv_text, verdict_rows
from erresearch.results import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from erresearch.claims import Claim

__all__ = ["Reproduction", "reproduce"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What a reproduction made.

    Parameters
    ----------
    verdicts : tuple of Verdict
        One per claim and data set.
    notebooks : tuple of NotebookRun
        What became of each notebook.
    manifest : mapping
        What the results were made from.
    report, table, record : pathlib.Path
        The files ``report.html``, ``verdicts.csv`` and ``manifest.json``.
    """

    verdicts: tuple[Verdict, ...]
    notebooks: tuple[NotebookRun, ...]
    manifest: Mapping[str, Any]
    report: Path
    table: Path
    record: Path

    @property
    def failed(self) -> tuple[NotebookRun, ...]:
        """Notebooks in which a cell failed."""
        return tuple(run for run in self.notebooks if not run.ok)


def reproduce(
    out: str | Path,
    *,
    level: float = 0.95,
    notebooks: bool = True,
    jobs: int | None = None,
    progress: bool = True,
) -> Reproduction:
    """Run every notebook, judge every claim on every embedded data set and write the results.

    Parameters
    ----------
    out : path
        Folder for ``report.html``, ``verdicts.csv``, ``manifest.json`` and ``notebooks/``. It is exchanged whole, and
        only for results of this package (:func:`erresearch.io.outputs.output_folder`).
    level : float
        Level of the intervals.
    notebooks : bool
        Whether to run the notebooks.
    jobs : int, optional
        Notebooks at a time; as many as there are processors where it is not given.
    progress : bool
        Whether to show a bar on standard error.

    Returns
    -------
    Reproduction

    Raises
    ------
    EngineError
        If a file cannot be written.
    DataError
        If `jobs` is not a positive number, or `out` holds something else than results.

    See Also
    --------
    erresearch.audit : The same for one's own files.
    erresearch.examine : The judging alone.
    """
    from erresearch.claims import embedded, examine, read_claims
    from erresearch.claims.board import without_others_cases
    from erresearch.report import write_report
    from erresearch.report.calibration import promises

    paths = notebook_paths(resource("notebooks")) if notebooks else ()
    cells = sum(_code_cells(path) for path in paths)
    with output_folder(out) as folder:
        with (
            _collected_warnings() as cautions,
            progress_line(cells + 1, label="notebooks and claims", show=progress) as step,
            notebooks_running(paths, folder / "notebooks", jobs=jobs, on_cell=step) as wait,
        ):
            claims, data = read_claims(), embedded()
            verdicts = without_others_cases(examine(claims, data, level=level))
            pictures = _pictures(claims, data, verdicts)
            step("claims")
            runs = wait()
        made = provenance(data, verdicts=verdicts, notebooks=runs)
        atomic_write(folder / "verdicts.csv", csv_text(COLUMNS, verdict_rows(verdicts)))
        write_report(
            verdicts,
            out=folder / "report.html",
            claims=claims,
            provenance=made,
            accounting=_left_out(data),
            warnings=cautions,
            figures=pictures,
            calibration=promises(),
        )
        atomic_write(folder / "manifest.json", manifest_text(made))
    out = Path(out)
    return Reproduction(
        verdicts=verdicts,
        notebooks=tuple(replace(run, path=out / "notebooks" / run.path.name) for run in runs),
        manifest=made,
        report=out / "report.html",
        table=out / "verdicts.csv",
        record=out / "manifest.json",
    )


@contextlib.contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Gather this package's own warnings for the report; others are given on."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ErresearchWarning)
        yield said
    for warning in caught:
        if issubclass(warning.category, ErresearchWarning):
            said.append(str(warning.message))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    said[:] = dict.fromkeys(said)


def _pictures(
    claims: Sequence[Claim], data: Mapping[str, Any], verdicts: Sequence[Verdict]
) -> dict[str, Figure]:
    """For each claim what its estimate was read off, on the data set that shows most."""
    from erresearch.claims import evidence_for
    from erresearch.report.html import evidence_figure

    drawn: dict[str, Figure] = {}
    for claim in claims:
        judged = [v for v in verdicts if v.claim == claim.id and v.estimate is not None]
        if not judged:
            continue
        # real data before simulated, then where there is something to see
        shown = min(judged, key=lambda v: (v.simulated, v.word != "supported", v.dataset))
        result = evidence_for(claim, data[shown.dataset], dataset=shown.dataset).result
        note = f"Simulated data: world {shown.dataset!r}" if shown.simulated else f"Data: {shown.dataset}"
        figure = evidence_figure(result, note=note)
        if figure is not None:
            drawn[claim.id] = figure
    return drawn


def _left_out(data: Mapping[str, Any]) -> dict[str, Mapping[str, int]]:
    """Rows left out of each data set when it was read, by reason."""
    accounts = {name: getattr(table, "attrs", {}).get("erresearch", {}) for name, table in data.items()}
    return {name: account["excluded"] for name, account in accounts.items() if account.get("excluded")}


def _code_cells(path: Path) -> int:
    """Code cells that a kernel will run."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    return sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)
