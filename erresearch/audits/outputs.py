"""An audit on disk: report, tables and a notebook that does every step again."""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erresearch.claims import Claim, read_claims
from erresearch.io.files import atomic_write
from erresearch.report import write_report
from erresearch.report.calibration import promises
from erresearch.report.provenance import provenance
from erresearch.report.verdict_csv import COLUMNS, csv_text, verdict_rows
from erresearch.results import Decay, Fit, Precedence
from erresearch.schema.vocabulary import PERIODS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from erresearch.audits.steps import Audit
    from erresearch.exports import Export
    from erresearch.panel import Panel

__all__ = ["accounting_rows", "audit_notebook", "unread_rows", "write_audit"]

_QUESTION = "Does engagement go with revenue in these files?"
_DRAWINGS: tuple[tuple[type, str, float], ...] = (
    (Precedence, "precedence", 4.0),
    (Decay, "decay", 4.0),
    (Fit, "forest", 2.2),
)
_NAMES = ("panel", "rates")
_EFFECTS = ("account and week effects", "entity and week effects", "week effects")
_MADE_WITH = ("erresearch", "python", "platform", "claims_sha256", "packages")
_RATES = "Engagement rate by every definition"
_HEAD = """# An audit of these files

Every step through the public functions, from the files to the verdicts. Change a cell and run on from there."""
_STEPS: tuple[tuple[str, str], ...] = (
    (
        "## Read\n\nEach file is recognised by its bytes and headers. What it does not say is guessed, with the reason; "
        "every row is accounted for.",
        "files = read_files(FILES, outcomes=OUTCOMES, survey=SURVEY, tz=TZ, currency=CURRENCY)\n"
        "for export in (*files.exports, *files.lakes):\n    print(export, end='\\n\\n')\n"
        "for name, reason in files.unusable:\n    print(f'{name} is not joined: {reason}')",
    ),
    (
        "## Engagement, by every definition\n\nThe same posts, under each definition in use. A band is what one source "
        "prints; it holds for its own definition only.",
        "posts = files.described\nrates = side_by_side(posts)\n"
        "rates[rates['mean'].notna() & (rates['post_type'] == '')]  # `rates` has each kind of post, too",
    ),
    (
        "## One calendar\n\nOne row per entity and period; nothing is spread, repeated or filled in.",
        "panel = er.build_panel(\n    files.source('posts'),\n    {outcomes},\n    freq=FREQ,\n    tz=TZ,\n"
        "    week_start=WEEK_START,\n    entity=ENTITY,\n"
        "    followers=files.source('followers', 'daily'),\n    spend={spend},\n"
        "    rules=er.Rules(**RULES),\n)\npanel, unscored = with_scores(panel.collect(), files.survey)\npanel",
    ),
    ("", "panel.rows.head()"),
    (
        "## The claims\n\n*Not judged* says what is missing, *inconclusive* what would help.",
        "verdicts = judge_panel(panel, account_table(posts), name={name!r}, sesoi=SESOI, reason={reason!r}, "
        "unpriced=files.unpriced,\n    unscored=unscored)\n"
        "for verdict in verdicts:\n    print(verdict.claim, verdict.words, verdict.estimate or '', sep=' | ')\n"
        "    print('   ', verdict.reason)\n    for doubt in verdict.doubts:\n"
        "        print('    -', doubt.name + ':', doubt.text)",
    ),
    (
        "## What the estimates were read off",
        "drawings = {{'Precedence': er.figures.precedence, 'Decay': er.figures.decay}}\n"
        "for verdict in verdicts:\n    draw = drawings.get(type(verdict.result).__name__)\n    if draw:\n"
        "        with er.figures.theme():\n            draw(verdict.result)\n            plt.title(verdict.claim)\n"
        "            plt.show()",
    ),
)


@dataclass(frozen=True, slots=True)
class _Asked(Claim):
    """A claim with the lines that ask it of these files again."""

    check: str = ""


def _again(claim: Claim, panel: Panel | None) -> _Asked:
    """The claim as these files are asked: in their own periods, of one entity without what several share."""
    values = {field.name: getattr(claim, field.name) for field in fields(claim)}
    over_time = claim.estimand.get("unit", "").startswith("entity")
    if panel is not None and over_time:
        values["text"], values["minimum"] = (_timed(values[name], panel) for name in ("text", "minimum"))
        estimand = {part: _timed(str(text), panel) for part, text in claim.estimand.items()}
        if claim.procedure == "precedence" and len(set(panel.rows["entity"])) == 1:
            adjusted = estimand.get("adjustment", "")
            for several in _EFFECTS:
                adjusted = adjusted.replace(_timed(several, panel), "a trend and yearly waves")
            estimand["adjustment"] = adjusted
        values["estimand"] = estimand
    return _Asked(**values, check=f"erresearch claims {claim.id}\njupyter lab audit.ipynb")


def _timed(text: str, panel: Panel) -> str:
    """A text that speaks of weeks, in the panel's periods."""
    if panel.freq == "W":
        return text
    one, by = PERIODS[panel.freq].one, PERIODS[panel.freq].by
    text = text.replace("weekly", by).replace("Weekly", by.capitalize())
    return re.sub(r"\b([Ww])eek(s?)\b", lambda m: (one if m[1] == "w" else one.capitalize()) + m[2], text)


def unread_rows(found: Audit) -> list[tuple[str, str, None]]:
    """Files of which no row was read, and why: nobody counted their rows."""
    read = {export.name for export in found.exports}
    return [(name, f"not read: {reason}", None) for name, reason in found.files.unusable if name not in read]


def accounting_rows(found: Audit) -> list[tuple[str, str, int]]:
    """Every count of the audit: file or table, what, rows."""
    rows: list[tuple[str, str, int]] = []
    reasons = dict(found.files.unusable)
    for export in found.exports:
        table = export.accounting.to_frame()
        rows += [(export.name, str(what), int(count)) for what, count in table.itertuples(index=False)]
        if export.name in reasons:
            rows.append((export.name, f"not joined: {reasons[export.name]}", export.accounting.used))
        for header, counts in export.accounting.missing.items():
            rows += [(export.name, f"missing in {header!r}: {word!r}", n) for word, n in counts.items()]
    if found.panel is not None:
        for name, account in found.panel.accounting.items():
            rows += [(f"panel: {name}", "in", account.rows_in), (f"panel: {name}", "used", account.used)]
            rows += [(f"panel: {name}", reason, count) for reason, count in account.reasons.items()]
    return rows


def write_audit(found: Audit, out: Path, settings: Mapping[str, Any]) -> tuple[dict[str, Path], str]:
    """Write everything.

    Parameters
    ----------
    found : Audit
        What to write.
    out : pathlib.Path
        Folder; made where it is not there.
    settings : mapping
        Parameters of the notebook.

    Returns
    -------
    paths, failure
        What was written, and why the notebook failed, if it did.

    Raises
    ------
    EngineError
        If a file cannot be written.
    """
    rows = accounting_rows(found)
    paths = {
        "verdicts": atomic_write(out / "verdicts.csv", csv_text(COLUMNS, verdict_rows(found.verdicts))),
        "accounting": atomic_write(
            out / "accounting.csv", csv_text(("table", "what", "rows"), [*rows, *unread_rows(found)])
        ),
    }
    if found.panel is not None:
        paths["panel"] = atomic_write(out / "panel.csv", _frame_text(found.panel.rows))
    if len(found.rates):
        paths["rates"] = atomic_write(out / "rates.csv", _frame_text(found.rates))
    paths["report"] = Path(
        write_report(
            found.verdicts,
            out=out / "report.html",
            title=_QUESTION,
            question=_QUESTION,
            claims=[
                _again(claim, found.panel)
                for claim in read_claims()
                if claim.id in {v.claim for v in found.verdicts}
            ],
            provenance=_provenance(found, settings),
            accounting=[(name, what, count) for name, what, count in rows if _lost(what) and count],
            warnings=[
                *(f"what would help: {text}" for text in found.wanted),
                *found.refused,
                *found.warnings,
                *(found.panel.notes if found.panel is not None else ()),
            ],
            figures=_pictures(found),
            calibration=promises(),
        )
    )
    for name in _NAMES:
        if name not in paths:
            # a table of an earlier audit would pass for one of this
            (out / f"{name}.csv").unlink(missing_ok=True)
    paths["notebook"], failure = _run_notebook(found, out, settings)
    return paths, failure


def _lost(what: str) -> bool:
    return what not in ("rows in", "used", "in") and not what.startswith("missing in ")


def _frame_text(table: pd.DataFrame) -> str:
    shown = table.copy()
    for name in shown.columns:
        if shown[name].dtype.kind == "M":
            shown[name] = shown[name].dt.strftime("%Y-%m-%d")
    # text cells that begin like a formula are escaped, numbers are not
    body = [[_plain(value) for value in row] for row in shown.itertuples(index=False)]
    return csv_text([str(name) for name in shown.columns], body)


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    item = getattr(value, "item", None)
    return item() if item is not None else value


def _provenance(found: Audit, settings: Mapping[str, Any]) -> dict[str, Any]:
    data = {"panel": found.panel.rows} if found.panel is not None else {}
    told: dict[str, Any] = {}
    if found.survey:
        told["survey"] = [str(estimate) for estimate in found.survey]
    if len(found.rates):
        good, untold = found.rates.dropna(subset=["mean"]), found.rates.loc[found.rates["mean"].isna(), :]
        whole = good[good["post_type"] == ""]
        told["engagement rates"] = [_rate_line(row) for row in whole.to_dict("records")]
        if len(whole) < len(good):
            told["engagement rates"].append(
                f"of each kind of post: {len(good) - len(whole):,} more in rates.csv"
            )
        reasons: dict[str, list[str]] = {}
        for row in untold.to_dict("records"):
            reasons.setdefault(f"{row['platform']}: {row['why_not']}", []).append(str(row["definition"]))
        told["rates that could not be computed"] = [
            f"{why}: {', '.join(names)}" for why, names in reasons.items()
        ]
    told["files"] = [*map(_file_line, found.exports), *map(str, found.files.lakes)]
    told["guesses"] = [f"{export.name}: {guess}" for export in found.exports for guess in export.guesses]
    if found.panel is not None:
        told["panel"] = str(found.panel).split("\n", maxsplit=1)[0]
        lagged = [name for name in found.panel.definitions if name.startswith("lag")]
        told["columns"] = [
            f"{name}: {words}" for name, words in found.panel.definitions.items() if name not in lagged
        ]
        if lagged:
            told["columns"].append("lag1 … : the same entity's value one period earlier; missing after a gap")
    told["asked"] = {
        name.lower(): value for name, value in settings.items() if name in ("TZ", "FREQ", "SESOI") and value
    }
    made = provenance(data, verdicts=found.verdicts)
    told |= {f"sha256 of {name}": table["sha256"] for name, table in made["datasets"].items()}
    said = {name: value for name, value in told.items() if value}
    return said | {name: made[name] for name in _MADE_WITH}


def _rate_line(row: Mapping[Any, Any]) -> str:
    words = f"{row['formula']}: mean {100 * row['mean']:.3g} %, median {100 * row['median']:.3g} %, n {row['n']:,.0f}"
    if row["unit"] == "user":
        words = f"{row['formula']}: {row['mean']:.3g} actions per user"
    return f"{row['platform']} {row['definition']}: {words}" + (f"; {row['band']}" if row["band"] else "")


def _file_line(export: Export) -> str:
    account = export.accounting
    parts = {
        "totals": account.totals,
        "error rows": account.error_rows,
        "rejected": account.rejected,
        "out of scope": account.out_of_scope,
    }
    left = ", ".join(f"{count:,} {word}" for word, count in parts.items() if count)
    rows = f"{account.rows_in:,} rows, " + (f"{account.used:,} used, {left}" if left else "all used")
    personal = ", ".join(export.dropped_columns)
    return f"{export.name}: {export.format}; {rows}" + (
        f"; personal columns not loaded: {personal}" if personal else ""
    )


def _pictures(found: Audit) -> dict[str, Figure]:
    from matplotlib.figure import Figure

    from erresearch.report import figures

    drawn: dict[str, Figure] = {}
    for verdict in found.verdicts:
        for kind, drawing, height in _DRAWINGS:
            if isinstance(verdict.result, kind):
                with figures.theme():
                    figure = Figure(figsize=(7, height), layout="constrained")
                    getattr(figures, drawing)(verdict.result, ax=figure.subplots())
                drawn[verdict.claim] = figure
    good = found.rates.dropna(subset=["mean"]) if len(found.rates) else found.rates
    # the rates of each kind of post stand in rates.csv: a picture of two hundred lines shows nothing
    good = good[(good["unit"] != "user") & (good["post_type"] == "")] if len(good) else good
    if len(good):
        with figures.theme():
            drawn[_RATES] = _rates_picture(good)
    return drawn


def _rates_picture(rates: pd.DataFrame) -> Figure:
    """Means and medians in per cent, one line per definition and platform."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.8 + 0.3 * len(rates)), layout="constrained")
    axes = figure.subplots()
    places = range(len(rates))
    axes.plot(100 * rates["mean"].to_numpy(), places, "o", label="mean")
    axes.plot(100 * rates["median"].to_numpy(), places, "|", markersize=12, label="median")
    lines = rates.to_dict("records")
    names = [f"{row['platform']} {row['definition']}, by {_below(str(row['formula']))}" for row in lines]
    # a dollar sign in a name is no formula
    axes.set_yticks(list(places), [name.replace("$", r"\$") for name in names])
    axes.invert_yaxis()
    axes.set_xscale("log")
    for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "125" else "")
    axes.set_xlabel("engagement rate, % (log scale)")
    axes.legend(loc="best")
    return figure


def _below(formula: str) -> str:
    return formula.rsplit(" / ", maxsplit=1)[-1]


def audit_notebook(found: Audit, settings: Mapping[str, Any]) -> Any:
    """Compose the notebook that does the audit again, not yet run.

    Parameters
    ----------
    found : Audit
        What was joined, and what was not.
    settings : mapping
        Parameters and their values.

    Returns
    -------
    nbformat.NotebookNode
    """
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    joined = {what.removeprefix("panel: ") for what, *_ in accounting_rows(found)}
    reason = next((v.reason for v in found.verdicts if v.claim == "C01"), "")
    words = {
        "outcomes": "files.source('outcomes')" if "outcomes" in joined else "None",
        "spend": "files.source('ads')" if "spend" in joined else "None",
        "name": found.verdicts[0].dataset if found.verdicts else "your data",
        "reason": "" if "outcomes" in joined else reason,
    }
    parameters = new_code_cell("\n".join(f"{name} = {value!r}" for name, value in settings.items()))
    parameters.metadata["tags"] = ["parameters"]
    imports = (
        "import matplotlib.pyplot as plt\n\nimport erresearch as er\n"
        "from erresearch.audits import account_table, judge_panel, read_files, side_by_side, with_scores"
    )
    cells = [new_markdown_cell(_HEAD), parameters, new_code_cell(imports)]
    for text, code in _STEPS if found.panel is not None else _STEPS[:1]:
        if text:
            cells.append(new_markdown_cell(text))
        cells.append(
            new_code_cell(code.format(**words) if "{" in code and "print(export" not in code else code)
        )
    if found.survey:
        cells.append(new_markdown_cell("## The survey"))
        cells.append(new_code_cell("for export in files.survey:\n    print(er.nps(export.rows))"))
    for number, cell in enumerate(cells):
        cell["id"] = f"c{number:02d}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def _run_notebook(found: Audit, out: Path, settings: Mapping[str, Any]) -> tuple[Path, str]:
    """Run it by papermill in the folder of the audit; a notebook that fails is kept up to where it failed."""
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    values = dict(settings)
    for name in ("FILES", "OUTCOMES", "SURVEY"):
        values[name] = [_relative(path, out) for path in settings[name]]
    empty = dict.fromkeys(values)
    notebook = audit_notebook(found, empty | {"FILES": [], "OUTCOMES": [], "SURVEY": []})
    failure = ""
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".audit.") as folder:
            made = Path(folder) / "audit.ipynb"
            try:
                papermill.execute_notebook(
                    notebook,
                    str(made),
                    parameters=values,
                    kernel_name="python3",
                    progress_bar=False,
                    cwd=str(out),
                    # kernels listen on this machine only: that they do, and that they were stopped, is no news;
                    # what a cell says when it fails stands in the notebook
                    extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
                )
            except PapermillExecutionError as error:
                failure = f"cell {error.exec_count}: {error.ename}: {error.evalue}"
            ran = nbformat.read(made, as_version=4)
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    for number, cell in enumerate(ran.cells):
        cell["id"] = f"c{number:02d}"
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    ran.metadata.pop("papermill", None)
    return atomic_write(out / "audit.ipynb", nbformat.writes(ran)), failure


def _relative(path: str, out: Path) -> str:
    """A path as seen from the audit's folder, where the two are on one drive."""
    if "://" in path:
        return path
    if path.startswith("duckdb:"):
        return f"duckdb:{_relative(path.removeprefix('duckdb:'), out)}"
    try:
        return os.path.relpath(path, out)
    except ValueError:
        return str(Path(path).resolve())
