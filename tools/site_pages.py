"""Pages of the site that are made from registries, docstrings and notebooks, as Markdown text."""

from __future__ import annotations

import csv
import importlib
import inspect
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from erresearch.claims.registry import Claim, read_claims

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"

# The pages of the API reference: what a reader wants to do, and the modules that do it.
REFERENCE = {
    "relating": ("Do two things move together?", ("relate", "engine.expressions")),
    "doubting": ("How could that be wrong?", ("robustness",)),
    "experiments": ("Find out for real: plans and pauses", ("experiments",)),
    "judging": ("Claims and verdicts", ("claims",)),
    "results": ("What the functions return", ("results",)),
    "metrics": ("Rates, bands, loyalty, money", ("metrics",)),
    "exports": ("Reading what platforms export", ("exports", "schema")),
    "auditing": ("Your own files, from export to report", ("audits", "panel")),
    "data": ("Data sets and simulated worlds", ("datasets", "worlds")),
    "moments": ("Sums instead of rows", ("engine.moments", "relate.inference", "io.resources")),
    "showing": ("Figures and reports", ("report.figures", "report")),
    "checking": ("Reproduce and calibrate", ("report.reproduction", "report.calibration")),
    "teaching": ("Exercises that check themselves", ("workshop",)),
    "errors": ("Errors", ("errors",)),
}


def md(text: object) -> str:
    """Return plain text so that Markdown prints it as it is, on one line."""
    flat = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>$|#~])", r"\\\1", flat)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, align: str = "") -> str:
    """Return a Markdown table; `align` has an r for each column of numbers."""
    rules = ["--:" if align[number : number + 1] == "r" else "---" for number in range(len(head))]
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(rules)}|"]
    lines += [f"| {' | '.join(md(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def definitions(pairs: Mapping[str, object]) -> str:
    """Return a list of terms and what stands behind each; empty ones are left out."""
    return "\n".join(
        f"{md(term)}\n: {md(said)}\n" for term, said in pairs.items() if said not in ("", None, [])
    )


def toml(name: str) -> dict[str, Any]:
    """Read a registry."""
    return tomllib.loads((DATA / name).read_text(encoding="utf-8"))


def rows(path: Path) -> list[dict[str, str]]:
    """Read a table of the project."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def title_of(notebook: Path) -> str:
    """Return a notebook's question."""
    first = json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"]
    text = first if isinstance(first, str) else "".join(first)
    return text.splitlines()[0].lstrip("# ").strip()


def digits(text: str) -> str:
    """Three significant digits, as people read them."""
    return f"{float(text):.3g}".replace("-", "−") if text else ""


# ---------------------------------------------------------------------------------------------------- claims
SAYS = {"greater": "θ > 0", "less": "θ < 0", "absent": "|θ| < δ, practically nothing"}


def claims_page() -> str:
    """Every claim: sentence, source, what is estimated, δ with its reason, and what the board says."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows(ROOT / "tests" / "expected" / "verdicts.csv"):
        found.setdefault(row["claim"], []).append(row)
    every = read_claims()
    parts = [
        "# The claims\n",
        f"{len(every)} sentences from sources, each with what would be estimated and the smallest effect that would",
        "matter (δ), declared before data are loaded. This page is made from `data/claims.toml`; how a word is",
        "reached stands in [the rules](../docs/STATISTICS.md). What others found is in",
        "[published effects](published.md).\n",
        table(
            ["claim", "sentence", "δ"],
            [(f"{c.short} ({c.id})", c.text, f"{c.sesoi:g} ({c.unit})") for c in every],
        ),
    ]
    parts += [_claim(claim, found.get(claim.id, [])) for claim in every]
    return "\n".join(parts)


def _claim(claim: Claim, verdicts: Sequence[Mapping[str, str]]) -> str:
    arrow = ", as an arrow: leads and the reverse direction count" if claim.arrow else ""
    said = {
        "Source": claim.source,
        "Claims": SAYS[claim.direction] + arrow,
        "Smallest effect of interest": f"δ = {claim.sesoi:g} ({claim.unit}). {claim.sesoi_reason}",
        **{name.capitalize(): text for name, text in claim.estimand.items()},
        "Least data": claim.minimum,
        "Judged on": ", ".join([*claim.family, *claim.worlds]) or "your own data only",
    }
    said |= {f"On {name}": note.note for name, note in claim.sets.items() if note.note}
    text = f"## {md(claim.id)}\n\n**{md(claim.text)}**\n\n{definitions(said)}\n"
    notebook = ROOT / "notebooks" / f"{claim.notebook}.ipynb"
    if notebook.is_file():
        text += f"Worked through in [{md(title_of(notebook))}](../notebooks/{notebook.name})\n\n"
    judged = [row for row in verdicts if not row["words"].startswith("not judged")]
    if judged:
        interval = [f"{digits(r['value'])} [{digits(r['low'])}, {digits(r['high'])}]" for r in judged]
        text += table(
            ["data", "verdict", "estimate [interval]", "rows"],
            [
                (r["dataset"], r["words"], i, f"{int(r['n_rows']):,}")
                for r, i in zip(judged, interval, strict=True)
            ],
            align="lllr",
        )
    return text


def published_page() -> str:
    """What published studies found, and which engagement rates were published: the two tables that ship."""
    effects, rates = rows(DATA / "published_effects.csv"), rows(DATA / "er_benchmarks.csv")
    return "\n".join(
        [
            "# Published effects\n",
            f"{len(effects)} published findings, from `data/published_effects.csv`. *Verified* means that the number was",
            "seen on a public page, often an abstract; `erresearch.load('published-effects')` has where.\n",
            table(
                ["study", "year", "design", "predictor", "outcome", "effect", "direction", "status"],
                [
                    (
                        r["study"],
                        r["year"],
                        r["design"],
                        r["predictor"],
                        r["outcome"],
                        " ".join(filter(None, [r["effect_type"], r["effect"]])),
                        r["direction"],
                        r["status"].replace("_", " "),
                    )
                    for r in effects
                ],
            ),
            "## Published engagement rates\n",
            f"{len(rates)} published levels, from `data/er_benchmarks.csv`. They are of different definitions and",
            "do not compare.\n",
            table(list(rates[0]), [list(row.values()) for row in rates]) if rates else "",
        ]
    )


# ------------------------------------------------------------------------------------ data sets, bands, platforms
def datasets_page() -> str:
    """Every registered data set: where it comes from, its licence, its quirks, its columns."""
    sets = toml("datasets.toml")
    parts = [
        "# Data sets\n",
        "From `data/datasets.toml`. *Embedded* ones come with the package; the others are fetched from their owner and",
        "checked against a hash.\n",
        table(
            ["name", "title", "rows", "unit", "embedded", "licence"],
            [
                (n, s["title"], f"{s['n']:,}", s["unit"], "yes" if s.get("embedded") else "no", s["licence"])
                for n, s in sets.items()
            ],
            align="llrlll",
        ),
    ]
    for name, entry in sets.items():
        said = {
            "Citation": entry["citation"],
            "Distance to purchase": entry.get("distance", ""),
            "Treatment randomised": "yes" if entry.get("randomised") else "no",
        }
        parts += [f"## {md(name)}\n", f"{md(entry['title'])}\n", definitions(said)]
        parts += [f"* {md(quirk)}" for quirk in entry.get("quirks", [])]
        columns = [(n, c.get("meaning", ""), c.get("unit", "")) for n, c in entry.get("columns", {}).items()]
        parts += ["", table(["column", "meaning", "unit"], columns)]
    return "\n".join(parts)


def bands_page() -> str:
    """Benchmark bands, each beside its source and definition."""
    known = toml("bands.toml")

    def reach(entry: Mapping[str, Any]) -> str:
        return f"{entry.get('low', '')} to {entry.get('high', '')}".strip()

    parts = [
        "# Bands\n",
        "What sources call low, average or good, as they print it; from `data/bands.toml`. None is a fact about data:",
        "no study behind the cut-offs was found. A band is only for its own definition, and `erresearch.band` refuses a",
        "rate of another.\n",
        table(
            ["band", "source", "word", "from (included) to (not)", "disagrees with"],
            [
                (b["id"], b["source"], b["label"], reach(b), ", ".join(b.get("conflicts", [])))
                for b in known["bands"]
            ],
        ),
        "## Sources\n",
    ]
    for name, source in known["sources"].items():
        said = {key.capitalize(): text for key, text in source.items() if key != "title"}
        parts += [f"### {md(name)}\n", f"{md(source['title'])}\n", definitions(said)]
    return "\n".join(parts)


def platforms_page() -> str:
    """Layouts of exports that are recognised."""
    known = toml("platforms.toml")
    return "\n".join(
        [
            "# Platforms and layouts\n",
            f"{len(known['format'])} layouts are recognised by their headers; from `data/platforms.toml`. *Evidence*",
            "says whether real files were read (bytes), public code that copes with them (public code), or only a file",
            "made by hand (fixture). What is not here can be described in",
            "[a small file](../docs/how-to/map-an-unknown-export.md).\n",
            table(
                ["layout", "name", "platform", "holds", "evidence"],
                [(f["id"], f["name"], f["platform"], f["kind"], f["evidence"]) for f in known["format"]],
            ),
            "## Columns\n",
            "What every layout is read into.\n",
            table(
                ["column", "type", "meaning"], [(n, f["cell"], f["about"]) for n, f in known["field"].items()]
            ),
        ]
    )


# ----------------------------------------------------------------------------------------------- tutorials, API
def tutorials_page(notebooks: Sequence[Path]) -> str:
    """The notebooks in their order, by their questions."""
    listed = "\n".join(f"notebooks/{path.stem}" for path in notebooks)
    return (
        "# Tutorials\n\nEach asks one question and ends in a verdict. They are notebooks: `make lab` opens them on your "
        f"own machine, where every number can be made again.\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )


def workshop_page(pages: Sequence[str]) -> str:
    """What a teacher has: guides first, then the sessions as exercises and as solutions."""
    if not pages:
        return "# Workshop\n\nThere is none yet; the [tutorials](tutorials.md) end in an exercise each.\n"
    parts = [
        "# Workshop\n\nSessions of about forty minutes for a room with mixed laptops. `make lab` opens the exercises,",
        "which check themselves and never show the answer.\n",
    ]
    groups: dict[str, list[str]] = {"For the teacher": [], "Exercises": [], "Solutions": []}
    for page in pages:
        kind = page.split("/")[-2].capitalize()
        groups[kind if kind in groups else "For the teacher"].append(page)
    for title, inside in groups.items():
        if inside:
            listed = "\n".join(inside)
            parts.append(f"## {title}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n")
    return "\n".join(parts)


def public_names(module: str) -> list[str]:
    """Names of a module that have something to say: classes, functions and documented constants."""
    return list(getattr(importlib.import_module(f"erresearch.{module}"), "__all__", []))


def reference_page(title: str, modules: Sequence[str]) -> str:
    """One page of the API reference, as reStructuredText: every public function and class of some modules."""
    package = importlib.import_module("erresearch")
    parts = [_heading(title, "=")]
    for module in modules:
        loaded = importlib.import_module(f"erresearch.{module}")
        summary = " ".join((inspect.getdoc(loaded) or "").split("\n\n")[0].split())
        parts += [_heading(f"erresearch.{module}", "-"), f"{summary}\n"]
        for name in public_names(module):
            value = getattr(loaded, name)
            kind = "class" if inspect.isclass(value) else "function" if inspect.isroutine(value) else ""
            if isinstance(value, type) and issubclass(value, BaseException):
                kind = "exception"
            if not kind or not inspect.getdoc(value):
                continue
            short = name in package.__all__ and getattr(package, name) is value
            note = [f"In short ``er.{name}``.\n"] if short else []
            parts += [_heading(name, "~"), *note, f".. auto{kind}:: erresearch.{module}.{name}\n"]
    return "\n".join(parts)


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def reference_index() -> str:
    """Return the first page of the reference: the names under `import erresearch as er`, by the question they answer."""
    package = importlib.import_module("erresearch")
    group = {module: title for title, modules in REFERENCE.values() for module in modules}
    where = {name: module for module in group for name in public_names(module)}
    lines: dict[str, list[str]] = {title: [] for title, _ in REFERENCE.values()}
    for name in sorted(set(package.__all__) - {"__version__", "figures"}, key=str.lower):
        value = getattr(package, name)
        summary = re.sub(r":\w+:`~?([^`]+)`", r"\1", (inspect.getdoc(value) or "").split("\n\n")[0])
        module = where[name]
        shown = f"{{py:obj}}`er.{name} <erresearch.{module}.{name}>`" if callable(value) else f"`er.{name}`"
        lines[group[module]].append(f"| {shown} | {md(summary.replace('`', ''))} |")
    pages = "\n".join([*REFERENCE, "commands"])
    tables = "\n".join(
        f"## {title}\n\n| name | what it does |\n|---|---|\n" + "\n".join(inside) + "\n"
        for title, inside in lines.items()
        if inside
    )
    return (
        "# Reference\n\nWhat `import erresearch as er` gives, by what it is for. The pages hold every public name.\n\n"
        f"{tables}\n```{{toctree}}\n:maxdepth: 1\n\n{pages}\n```\n"
    )


def commands_page() -> str:
    """Return the command line's own help."""
    import click

    from erresearch.cli.commands import command

    top = click.Context(command, info_name="erresearch")
    parts = ["# Commands\n", f"```text\n{command.get_help(top)}\n```\n"]
    for name in command.list_commands(top):
        inner = command.get_command(top, name)
        if inner is not None:
            shown = inner.get_help(click.Context(inner, info_name=name, parent=top))
            parts.append(f"## erresearch {name}\n\n```text\n{shown}\n```\n")
    return "\n".join(parts)


def pages(notebooks: Sequence[Path], workshop: Sequence[str]) -> dict[str, str]:
    """Return every page that is made, by its place in the site's source."""
    made = {
        "tutorials.md": tutorials_page(notebooks),
        "workshop.md": workshop_page(workshop),
        "catalogue/claims.md": claims_page(),
        "catalogue/published.md": published_page(),
        "catalogue/datasets.md": datasets_page(),
        "catalogue/bands.md": bands_page(),
        "catalogue/platforms.md": platforms_page(),
        "reference/index.md": reference_index(),
        "reference/commands.md": commands_page(),
    }
    made |= {f"reference/{page}.rst": reference_page(*said) for page, said in REFERENCE.items()}
    return made
