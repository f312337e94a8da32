"""The whole job in one call: every notebook run, every claim judged, the report written with a curve that moves."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from markupsafe import Markup

from erresearch.claims.board import examine, without_others_cases
from erresearch.claims.decision_rule import word_of
from erresearch.claims.packing import embedded
from erresearch.claims.registry import Claim, grade, read_claims
from erresearch.engine.expressions import lag, log
from erresearch.engine.moments import Moments
from erresearch.errors import Count, own_warnings
from erresearch.io.files import atomic_write, csv_text, resource
from erresearch.io.outputs import output_folder
from erresearch.relate.design import Effect, sweep
from erresearch.relate.inference import without_constant
from erresearch.report import run_record
from erresearch.report.calibration import promises
from erresearch.report.console import progress_line
from erresearch.report.figures.style import span
from erresearch.report.html import evidence_figure, page_parts, template, write_report
from erresearch.report.run_record import NotebookRun
from erresearch.results import Curve, Interval, Verdict
from erresearch.robustness import CurveInference, specification_curve
from erresearch.worlds import simulate_panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LivingCurve", "Reproduction", "living_curve", "reproduce"]


_SIZE: Final = (700.0, 260.0)
_EFFECTS: Final[tuple[tuple[Effect, ...], ...]] = ((), ("account",), ("account", "period"))
_SAID: Final = {
    "none": "nothing taken out",
    "account": "each account against its own mean",
    "account + period": "and each period against its own mean",
}


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
        Folder for ``report.html``, ``verdicts.csv``, ``manifest.json`` and ``notebooks/``. It is replaced whole, and only
        if it holds nothing but results of this package (:func:`erresearch.io.outputs.output_folder`).
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
    paths = sorted(resource("notebooks").glob("*.ipynb")) if notebooks else []
    read = (cell for path in paths for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])
    cells = sum(cell["cell_type"] == "code" and bool("".join(cell["source"]).strip()) for cell in read)
    with output_folder(out) as folder:
        with (
            own_warnings() as cautions,
            progress_line(cells + 1, label="notebooks and claims", show=progress) as step,
            run_record.notebooks_running(paths, folder / "notebooks", jobs=jobs, on_cell=step) as wait,
        ):
            claims, data = read_claims(), embedded()
            verdicts = without_others_cases(examine(claims, data, level=level))
            pictures = _pictures(claims, verdicts)
            step("claims")
            runs = wait()
        made = run_record.provenance(data, verdicts=verdicts, notebooks=runs)
        accounts = {name: getattr(table, "attrs", {}).get("erresearch", {}) for name, table in data.items()}
        atomic_write(folder / "verdicts.csv", csv_text(run_record.COLUMNS, run_record.verdict_rows(verdicts)))
        write_report(
            verdicts,
            out=folder / "report.html",
            claims=claims,
            provenance=made,
            accounting={name: one["excluded"] for name, one in accounts.items() if one.get("excluded")},
            warnings=cautions,
            figures={**pictures, "try": _living()},
            calibration=promises(),
        )
        atomic_write(folder / "manifest.json", run_record.manifest_text(made))
    out = Path(out)
    return Reproduction(
        verdicts=verdicts,
        notebooks=tuple(replace(run, path=out / "notebooks" / run.path.name) for run in runs),
        manifest=made,
        report=out / "report.html",
        table=out / "verdicts.csv",
        record=out / "manifest.json",
    )


def _pictures(claims: Sequence[Claim], verdicts: Sequence[Verdict]) -> dict[str, Figure]:
    """For each claim what its estimate was read off, on the data set that shows most."""
    drawn: dict[str, Figure] = {}
    for claim in claims:
        judged = (v for v in verdicts if v.claim == claim.id and v.estimate is not None)
        # real data before simulated, then where there is something to see
        shown = min(judged, key=lambda v: (v.simulated, v.word != "supported", v.dataset), default=None)
        if shown is None:
            continue
        note = f"Simulated data: world {shown.dataset!r}" if shown.simulated else f"Data: {shown.dataset}"
        if (figure := evidence_figure(shown.result, note=note)) is not None:
            drawn[claim.id] = figure
    return drawn


def _living() -> LivingCurve:
    """The curve that a reader moves: simulated, because sums of a few accounts would give rows away."""
    panel, _ = simulate_panel("nil", rng=1)
    definitions, controls = ("engagement", "likes", "comments"), ("spend", "reach", "followers")
    now = [log(name) for name in ("revenue", *definitions, *controls)]
    before = [
        lag(name, n, by="account", period="week").log().alias(f"lag{n} log {name}")
        for name in definitions
        for n in (1, 2)
    ]
    return living_curve(
        Moments.from_frame(panel, [*now, *before], by="account", period="week"),
        "log revenue",
        "log engagement",
        minimal=[],
        controls=[f"log {name}" for name in controls],
        definitions=[f"log {name}" for name in definitions],
        lags=[0, 1, 2],
        open_points=["events-not-declared"],
    )


@dataclass(frozen=True, slots=True, eq=False)
class LivingCurve:
    """A curve with the sums that its estimates follow from.

    Parameters
    ----------
    curve : Curve
        Every specification, with intervals that were computed beforehand.
    html : str
        The controls and the static picture, which says everything without a script; and what the page's solver needs:
        cross-products per kind of effects, columns, choices and, for each model, its interval, word and certainty.
    """

    curve: Curve
    html: str

    def __repr__(self) -> str:
        """Say how many models there are: the picture is in ``html``."""
        return f"<living curve of {Count(len(self.curve)):model}: {self.curve.x} and {self.curve.outcome}>"

    def _repr_html_(self) -> str:
        style, script = page_parts("living")
        return f"<style>{style}</style>{self.html}<script>{script}</script>"


def living_curve(
    moments: Moments,
    outcome: str,
    x: str,
    *,
    minimal: Sequence[str],
    controls: Sequence[str],
    definitions: Sequence[str],
    lags: Sequence[int],
    sesoi: float = 0.05,
    open_points: Sequence[str] = (),
) -> LivingCurve:
    """Put a specification curve into a page whose reader chooses definition, lag, controls and effects.

    The page solves the normal equations of the chosen model from cross-products; the interval (CRV3 with t(G − 1)), the
    word of that interval alone and the certainty of the design are looked up. Nothing in it is a row, but cross-products
    of few rows give rows away: use simulated or published data, or sums that passed
    :func:`erresearch.claims.check_disclosure`.

    Parameters
    ----------
    moments : Moments
        Made with accounts and periods, as for :func:`erresearch.robustness.specification_curve`.
    outcome, x, minimal, controls, definitions, lags
        As there.
    sesoi : float
        δ, the smallest effect of interest.
    open_points : sequence of str
        What lowers the certainty of every model: names of ``certainty.toml``.

    Returns
    -------
    LivingCurve

    Raises
    ------
    ColumnError, DesignError
        As for :func:`erresearch.robustness.specification_curve`.

    See Also
    --------
    erresearch.robustness.specification_curve : The same curve, judged jointly.

    Examples
    --------
    >>> from erresearch import Moments
    >>> from erresearch.worlds import simulate_panel
    >>> panel, _ = simulate_panel("nil", accounts=12, weeks=40, rng=1)
    >>> m = Moments.from_frame(panel, ["revenue", "likes", "comments", "spend"], by="account", period="week")
    >>> living_curve(m, "revenue", "likes", minimal=[], controls=["spend"], definitions=["likes", "comments"], lags=[0])
    <living curve of 12 models: likes and revenue>
    """
    curve = specification_curve(
        moments, outcome, x, minimal=minimal, controls=controls, definitions=definitions, lags=lags,
        effects=_EFFECTS, inference=CurveInference(draws=400),
    )  # fmt: skip
    rank = np.argsort(np.argsort(curve.value, kind="stable"), kind="stable")
    ends = [Interval(low, high, curve.level) for low, high in zip(curve.low, curve.high, strict=True)]
    words = [word_of(each, direction="greater", sesoi=sesoi) for each in ends]
    said: dict[tuple[str, str], set[str]] = {}
    for definition, step, (word, _) in zip(curve.definition, curve.lag, words, strict=True):
        said.setdefault((definition, step), set()).add(word)
    models = {}
    for at, (word, size) in enumerate(words):
        definition, step = curve.definition[at], curve.lag[at]
        depends = ["depends-on-adjustment"] if len(said[definition, step]) > 1 else []
        certainty = grade("ordered" if int(step) > 0 else "cross-section", [*open_points, *depends])
        # the choices that name a model, as the page writes them
        models["|".join((definition, step, curve.effects[at], *curve.controls[at]))] = {
            "at": int(rank[at]),
            "digits": int(min(max(1 - math.floor(math.log10(ends[at].half)), 0), 8)),
            "interval": span(ends[at], sesoi=sesoi),
            "word": word + (f" ({size})" if size else ""),
            "certainty": str(certainty),
        }
    low, high = min(0.0, float(np.min(curve.low))), max(0.0, float(np.max(curve.high)))
    pad = 0.05 * (high - low)
    payload = {
        "columns": list(moments.columns),
        "outcome": outcome,
        "minimal": list(minimal),
        "grams": {" + ".join(effects) or "none": _cross(moments, effects) for effects in _EFFECTS},
        "models": models,
        "scale": (low - pad, high + pad),
        "size": _SIZE,
    }
    choices = {
        "definition": {name: name.removeprefix("log ") for name in definitions},
        "lag": {str(n): f"{n} period{'s' if n > 1 else ''} earlier" if n else "same period" for n in lags},
        "effects": dict(_SAID),
        "control": {name: name.removeprefix("log ") for name in controls},
    }
    return LivingCurve(curve, _html(curve, payload, choices, sesoi))


def _cross(moments: Moments, effects: tuple[Effect, ...]) -> list[list[float]]:
    """Cross-products of all columns after the effects, centred where there are none."""
    swept = sweep(moments, effects)
    total = swept.grams.sum(axis=0)
    if len(swept.names) > len(moments.columns):
        total = without_constant(total)
    return [[float(value) for value in row] for row in total]


def _html(
    curve: Curve, payload: Mapping[str, Any], choices: Mapping[str, Mapping[str, str]], sesoi: float
) -> str:
    """Controls, the curve as a picture that needs no script, and the sums as data."""
    width, height = _SIZE
    low, high = payload["scale"]

    def down(value: float) -> float:
        return round(float(height * (high - value) / (high - low)), 1)

    order = np.argsort(curve.value, kind="stable")
    share = 100 * float(np.mean(curve.low > 0))
    outcome, x = (name.removeprefix("log ") for name in (curve.outcome, curve.x))
    shown: str = template("living.html.j2").render(
        title=f"{Count(len(order)):model} of {outcome} on {x}, from the lowest estimate to the highest: "
        f"in {share:.0f} % the interval lies above 0",
        choices=choices,
        bars=[(down(curve.high[at]), down(curve.low[at]), down(curve.value[at])) for at in order],
        step=width / len(order),
        size=_SIZE,
        sesoi=sesoi,
        zero=down(0.0),
        band=(down(sesoi), round(down(-sesoi) - down(sesoi), 1)),
        data=Markup(json.dumps(payload, separators=(",", ":")).replace("<", "\\u003c")),  # noqa: S704 - escaped as JSON
    )
    return shown
