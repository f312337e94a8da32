"""An audit on disk: report, tables and a notebook with what every step gave."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erresearch.audits.judgement import judged_by_day
from erresearch.audits.next_steps import FILES, LOOKS
from erresearch.claims.registry import Claim, read_claims
from erresearch.errors import Count
from erresearch.io import pd
from erresearch.io.files import atomic_write, csv_text, table_csv, toml_text
from erresearch.io.outputs import output_folder
from erresearch.panel.records import Rules
from erresearch.report import write_report
from erresearch.report.calibration import promises
from erresearch.report.figures.style import drawn_with, file_of
from erresearch.report.html import evidence_figure
from erresearch.report.run_record import COLUMNS, provenance, verdict_rows
from erresearch.report.sentences import revenue_after, sentence, short_name
from erresearch.results import Estimate, Interval, Precedence, Table, Verdict, rounded
from erresearch.schema.vocabulary import PERIODS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from erresearch.audits.steps import Audit, Step
    from erresearch.exports.log import Export
    from erresearch.panel.records import Panel

_QUESTION = "Does engagement go with revenue in these files?"
#: What one more of a column is called.
_NOUNS = {"engagement": "reaction", "likes": "like", "comments": "comment", "shares": "share"}
_NAMED = 4
_MADE_WITH = ("erresearch", "python", "platform", "claims_sha256", "packages")
_RATES = "Engagement rate by every definition"
_HEAD = """# An audit of these files

Every step through the public functions, from the files to the verdicts. Change a cell and run on from there."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture as a notebook keeps it.

    Parameters
    ----------
    name : str
        The claim that it belongs to.
    png : bytes
        The picture.
    figure : matplotlib.figure.Figure
        The same for a page, laid out.
    """

    name: str
    png: bytes
    figure: Figure

    def __repr__(self) -> str:
        """Say whose it is."""
        return f"<picture of {self.name}>"

    def _repr_png_(self) -> bytes:
        return self.png


def drawings(verdicts: Sequence[Verdict]) -> tuple[Drawing, ...]:
    """Draw what the estimates were read off, where there is something to see.

    Parameters
    ----------
    verdicts : sequence of Verdict
        What was judged.

    Returns
    -------
    tuple of Drawing
    """
    made = []
    for verdict in verdicts:
        figure = evidence_figure(verdict.result)
        if figure is not None:
            with drawn_with({}):
                title = figure.suptitle(verdict.claim, fontsize=9, x=0.99, ha="right")
            png = file_of(figure, "png")
            # a page says elsewhere which claim it is, and need not lay everything out again
            title.set_text("")
            figure.set_layout_engine("none")
            made.append(Drawing(verdict.claim, png, figure))
    return tuple(made)


def doubt_lines(verdicts: Sequence[Verdict]) -> str:
    """What stands beside each verdict, claim by claim, as text."""
    return "\n".join(
        f"{verdict.claim} {'!' if doubt.raised else '-'} {doubt.name}: {doubt.text}"
        for verdict in verdicts
        for doubt in verdict.doubts
    )


#: What one shop is asked by day (:func:`erresearch.daily_response`).
_BY_DAY = {
    "adjustment": "the same day, weekday, a trend and yearly waves, spend, declared events",
    "order": "reactions on the 14 days before, revenue on day t",
}


def _as_asked(panel: Panel | None) -> list[Claim]:
    """The claims as these files are asked: in their own periods, of one entity without what several share."""
    alone = panel is not None and panel.rows["entity"].nunique() == 1
    by_day = panel is not None and alone and panel.freq == "D" and judged_by_day(panel)
    weekly = {claim.id: claim.text for claim in read_claims()}
    made = []
    for claim in read_claims(freq=panel.freq if panel is not None else "W", alone=alone):
        if by_day and getattr(claim.arguments(), "days", False):
            # weeks stand nearer to the two weeks of the model than days
            claim = replace(claim, text=weekly[claim.id], estimand={**claim.estimand, **_BY_DAY})  # noqa: PLW2901
        made.append(replace(claim, notebook="audit.ipynb"))
    return made


def answer_in_money(found: Audit) -> tuple[str, ...]:
    """What the files can tell in money, what they cannot, how sure it is, and what to do next.

    Parameters
    ----------
    found : Audit
        What was judged.

    Returns
    -------
    tuple of str
        Sentences made from the verdicts' words, intervals and codes.
    """
    claims = {claim.id: claim for claim in read_claims()}
    judged = [verdict for verdict in found.verdicts if verdict.word != "not judged"]
    lines: list[str] = []
    sure = None
    for verdict in judged:
        if said := _in_money(verdict, claims[verdict.claim], found.panel, pays=not lines):
            lines.append(said)
            sure = sure or verdict.certainty
    if not lines:
        lines.append("These files cannot say what a reaction is worth in money.")
    others = [short_name(claims[v.claim]) for v in judged if v.word == "inconclusive"]
    if len(others) > _NAMED:
        others[_NAMED:] = [f"{Count(len(others) - _NAMED, spelled=True):other}"]
    if others:
        lines.append(sentence(f"these stay open: {'; '.join(others)}"))
    if waiting := len(found.verdicts) - len(judged):
        lines.append(sentence(f"{Count(waiting, spelled=True):claim} could not be judged"))
    if sure is not None:
        lines.append(f"How sure is that? {sentence(str(sure))}")
    if found.wanted:
        lines.append(sentence(f"next: {found.wanted[0]}"))
    return tuple(lines)


def _in_money(verdict: Verdict, claim: Claim, panel: Panel | None, *, pays: bool) -> str:
    """What revenue did after more of something, then the same in money; empty for anything but revenue over time."""
    x, y = (next(iter(claim.roles.get(role, [""]))) for role in ("x", "y"))
    noun, found = _NOUNS.get(x, ""), verdict.estimate
    if panel is None or found is None or claim.procedure != "precedence" or y != "revenue" or not noun:
        return ""
    if not {x, y} <= set(panel.rows.columns):
        return ""
    worth: tuple[Estimate, ...] = ()
    when = "over four weeks"
    if isinstance(verdict.result, Precedence):
        worth = verdict.result.worth[: 1 + (x == "engagement")]  # what a post goes with is said once
    if not worth:
        reactions, revenue = panel.rows[[x, y]].dropna().sum()
        if not (reactions > 0 and revenue > 0):
            return ""
        share, ends = float(revenue / reactions), found.interval
        interval = Interval(share * ends.low, share * ends.high)
        one = replace(found, name=f"one more {noun}", value=share * found.value, interval=interval)
        worth, when = (replace(one, unit=panel.currency),), f"in the {PERIODS[panel.freq].one} after"
    return revenue_after(verdict, f"{noun}s", short_name(claim), worth, when, pays=pays)


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


def write_audit(
    found: Audit,
    out: Path,
    settings: Mapping[str, Any],
    cells: Sequence[tuple[Step, Any]],
    *,
    inputs: Iterable[str | Path],
) -> dict[str, Path]:
    """Write everything into a new folder, and exchange it for the old one.

    Parameters
    ----------
    found : Audit
        What to write.
    out : pathlib.Path
        Folder; made where it is not there.
    settings : mapping
        Parameters of the notebook.
    cells : sequence of (Step, object)
        The steps, with what each of them gave.
    inputs : iterable of path
        Files that the audit was made from.

    Returns
    -------
    mapping of str to pathlib.Path
        What was written.

    Raises
    ------
    DataError
        If the folder holds something else than results.
    EngineError
        If a file cannot be written.
    """
    rows, judged = accounting_rows(found), {verdict.claim for verdict in found.verdicts}
    texts = {
        "verdicts.csv": csv_text(COLUMNS, verdict_rows(found.verdicts)),
        "accounting.csv": csv_text(("table", "what", "rows"), [*rows, *unread_rows(found)]),
        "audit.ipynb": audit_notebook(settings, cells, out=out),
    }
    if found.panel is not None:
        texts["panel.csv"] = table_csv(found.panel.rows, digits=10)
        # neither days nor numbers tell their clock and money: a plan from this folder reads them here
        told = {"zone": found.panel.tz, "currency": found.panel.currency}
        texts["panel.csv.toml"] = toml_text({name: one for name, one in told.items() if one})
    if len(found.rates):
        texts["rates.csv"] = table_csv(found.rates, digits=10)
    texts[LOOKS] = csv_text(("choices", "claims"), found.looked.items())
    with output_folder(out, inputs=inputs) as folder:
        for name, text in texts.items():
            atomic_write(folder / name, text)
        write_report(
            found.verdicts,
            out=folder / "report.html",
            question=_QUESTION,
            answer=answer_in_money(found),
            claims=[claim for claim in _as_asked(found.panel) if claim.id in judged],
            provenance=_provenance(found, settings),
            accounting=[(name, what, count) for name, what, count in rows if _lost(what) and count],
            warnings=[
                *(f"what would help: {text}" for text in found.wanted),
                *(text for text in (found.looks, found.candidates) if text),
                *found.pauses.lines,
                *found.refused,
                *found.warnings,
                *(found.panel.notes if found.panel is not None else ()),
            ],
            figures=_pictures(found, cells),
            calibration=promises(),
        )
    tables = {Path(name).stem: out / name for name in texts if name.endswith(".csv")}
    return {**tables, "report": out / "report.html", "notebook": out / "audit.ipynb"}


def _lost(what: str) -> bool:
    return what not in ("rows in", "used", "in") and not what.startswith("missing in ")


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
        reasons = untold.groupby(["platform", "why_not"], sort=False, dropna=False)["definition"]
        told["rates that could not be computed"] = [
            f"{platform}: {why}: {', '.join(names)}" for (platform, why), names in reasons
        ]
    told["files"] = [*map(_file_line, found.exports), *map(str, found.files.lakes)]
    told["guesses"] = [f"{export.name}: {guess}" for export in found.exports for guess in export.guesses]
    if found.panel is not None:
        told["panel"] = str(found.panel).split("\n", maxsplit=1)[0]
        defined = found.panel.definitions
        told["columns"] = [f"{name}: {said}" for name, said in defined.items() if not name.startswith("lag")]
        if len(told["columns"]) < len(defined):
            told["columns"].append("lag1 … : the same entity's value one period earlier; missing after a gap")
    told["asked"] = {name.lower(): settings[name] for name in ("TZ", "FREQ", "SESOI") if settings[name]}
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
    parts = ("totals", "error_rows", "rejected", "out_of_scope")
    counts = {name.replace("_", " "): getattr(account, name) for name in parts}
    left = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    rows = f"{Count(account.rows_in):row}, " + (f"{account.used:,} used, {left}" if left else "all used")
    personal = f"; personal columns not loaded: {', '.join(export.dropped_columns)}"
    return f"{export.name}: {export.format}; {rows}{personal if export.dropped_columns else ''}"


def _pictures(found: Audit, cells: Iterable[tuple[Step, Any]]) -> dict[str, Figure]:
    from erresearch.report import figures

    shown = (one for step, value in cells if step.shows == "each" for one in value)
    drawn: dict[str, Figure] = {one.name: one.figure for one in shown}
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
    middle = 100 * rates[["mean", "median"]].to_numpy()
    axes.plot(middle[:, 0], places, "o")
    axes.plot(middle[:, 1], places, "|", markersize=12, markeredgewidth=2)
    parts = zip(rates["platform"], rates["definition"], rates["formula"], strict=True)
    names = [f"{platform} {name}, by {formula.rpartition(' / ')[2]}" for platform, name, formula in parts]
    # a dollar sign in a name is no formula
    axes.set_yticks(list(places), [name.replace("$", r"\$") for name in names])
    axes.invert_yaxis()
    axes.set_xscale("log")
    for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "125" else "")
    figure.supxlabel("engagement rate, % (log scale); dot: mean, upright mark: median", size=9.5)
    ends = " to ".join(f"{rounded(end, like=end)} %" for end in (middle[:, 0].min(), middle[:, 0].max()))
    # over names and axes, because the names take half the width
    figure.suptitle(f"The same posts, from {ends}", x=0.01, ha="left", weight="bold")
    return figure


def audit_notebook(settings: Mapping[str, Any], cells: Sequence[tuple[Step, Any]], *, out: Path) -> str:
    """Write the notebook that does the audit again, with what each step gave here.

    Parameters
    ----------
    settings : mapping
        Parameters and their values.
    cells : sequence of (Step, object)
        The steps, with what each of them gave.
    out : pathlib.Path
        Folder in which it will lie; paths are written as seen from there.

    Returns
    -------
    str
        The notebook as JSON.
    """
    said = [(_HEAD, _parameters(settings, out)), ("", _imports(cells)), *((s.text, s.code) for s, _ in cells)]
    gave = [[], [], *(_shown(step.shows, value, at) for at, (step, value) in enumerate(cells, start=3))]
    made: list[dict[str, Any]] = []
    for count, ((text, code), outputs) in enumerate(zip(said, gave, strict=True), start=1):
        if text:
            made.append({"cell_type": "markdown", "metadata": {}, "source": _lines(text)})
        cell = {"cell_type": "code", "execution_count": count, "outputs": outputs, "source": _lines(code)}
        made.append({**cell, "metadata": {"tags": ["parameters"]} if count == 1 else {}})
    for number, each in enumerate(made):
        each["id"] = f"c{number:02d}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": made, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return f"{json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)}\n"


def _parameters(settings: Mapping[str, Any], out: Path) -> str:
    """Settings as a cell; where pseudonyms are asked for, not the one that names a currency of the files."""
    values = {name: repr(value) for name, value in settings.items() if name != "RULES"}
    values |= {name: repr([_relative(str(path), out) for path in settings[name]]) for name in FILES}
    if settings["PSEUDONYMS"] and settings["CURRENCY"] is not None:
        values["CURRENCY"] = "None  # the currency that was kept; it is not written here"
    rules, usual = asdict(settings["RULES"]), asdict(Rules())
    chosen = [f"{name}={value!r}" for name, value in rules.items() if value != usual[name]]
    lines = [f"{name} = {value}" for name, value in values.items()]
    lines.append(f"RULES = er.Rules({', '.join(chosen)})")
    return "\n".join(["import erresearch as er", "", *lines])


def _imports(cells: Sequence[tuple[Step, Any]]) -> str:
    names = sorted({step.imports for step, _ in cells if step.imports})
    return (
        f"import warnings\n\nfrom erresearch.audits import {', '.join(names)}\n\n"
        "# what the package warned of stands in report.html\n"
        'warnings.simplefilter("ignore", er.ErresearchWarning)'
    )


def _shown(shows: str, value: Any, count: int) -> list[Any]:
    """The outputs that a kernel would store."""
    if shows == "printed":
        return [{"output_type": "stream", "name": "stdout", "text": _lines(f"{value}\n")}]
    if shows == "each":
        return [{"output_type": "display_data", "data": _bundle(one), "metadata": {}} for one in value]
    if shows == "shown":
        result = {"output_type": "execute_result", "data": _bundle(value), "metadata": {}}
        return [{**result, "execution_count": count}]
    return []


def _bundle(value: Table | Drawing) -> dict[str, list[str] | str]:
    """What a value is in each form in which a notebook may show it."""
    bundle: dict[str, list[str] | str] = {"text/plain": _lines(repr(value))}
    if isinstance(value, Table):
        bundle["text/markdown"] = _lines(value._repr_markdown_())
    else:
        bundle["image/png"] = base64.b64encode(value.png).decode("ascii")
    return bundle


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


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
