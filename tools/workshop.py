"""Make the workshop's notebooks and slides from their source, one text per session.

    python tools/workshop.py            # exercises and solutions; runs the solutions whose cells changed
    python tools/workshop.py --run      # runs all solutions again
    python tools/workshop.py --slides   # build/slides/*.html, from the stored solutions
    python tools/workshop.py --walk     # into docs/teaching.md: the minutes that each session takes one person

A source is Markdown. Text becomes Markdown cells, parted by ``+++`` and by blocks of code::

    ```python             a cell of both notebooks
    ```python exercise    of the exercises only; the next ``solution`` stands in its place in the solutions
    ```python check       tagged, as are ``parameters`` and ``slider``
    ```markdown slide     the text of a slide; outputs of blocks marked ``on-slide`` follow it
"""

from __future__ import annotations

import argparse
import html
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks" / "workshop"
SLIDES = ROOT / "build" / "slides"
FENCE = re.compile(r"^```(python|markdown)([ a-z-]*)$")
ONLY = {"exercise": "exercises", "solution": "solutions", "slide": "slides"}
KINDS = ("exercises", "solutions", "slides")
TAGS = ("exercise", "solution", "check", "parameters", "slider", "on-slide")


@dataclass(frozen=True, slots=True)
class Block:
    """One cell: where it goes, what it is, what it says."""

    language: str
    marks: tuple[str, ...]
    text: str

    def in_kind(self, kind: str) -> bool:
        """Whether the cell is part of the exercises, the solutions or the slides."""
        only = [ONLY[mark] for mark in self.marks if mark in ONLY]
        return not only or kind in only


def blocks(text: str) -> Iterator[Block]:
    """Cut a source into cells."""
    lines, prose = iter(text.splitlines()), []
    for line in lines:
        fence = FENCE.match(line)
        if not fence and line.startswith("```"):
            raise SystemExit(f"not a block of this source: {line}")
        if not fence and line != "+++":
            prose.append(line)
            continue
        yield from _prose(prose)
        prose = []
        if fence:
            unknown = set(fence[2].split()) - {*TAGS, *ONLY}
            if unknown:
                raise SystemExit(f"unknown marks {sorted(unknown)} in {line}")
            inside = []
            while (inner := next(lines, "```")) != "```":
                inside.append(inner)
            yield Block(fence[1], tuple(fence[2].split()), "\n".join(inside))
    yield from _prose(prose)


def _prose(lines: list[str]) -> Iterator[Block]:
    text = "\n".join(lines).strip()
    if text:
        yield Block("markdown", (), text)


def notebook(source: Path, kind: str) -> Any:
    """Put one notebook together, not run."""
    cells = []
    for block in blocks(source.read_text(encoding="utf-8")):
        if not block.in_kind(kind):
            continue
        make = nbformat.v4.new_code_cell if block.language == "python" else nbformat.v4.new_markdown_cell
        tags = [mark for mark in block.marks if mark in TAGS]
        cells.append(make(block.text, id=f"c{len(cells):02d}", metadata={"tags": tags} if tags else {}))
    made = nbformat.v4.new_notebook(cells=cells, nbformat_minor=5)
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return made


def sources() -> list[Path]:
    """All sessions, in order."""
    return sorted((FOLDER / "source").glob("*.md"))


def place(source: Path, kind: str) -> Path:
    """Where a session's notebook of a kind is stored."""
    return FOLDER / kind / f"{source.stem}.ipynb"


def cells_of(made: Any) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Everything of a notebook but what its run added."""
    return [(cell.id, cell.cell_type, cell.source, dict(cell.metadata)) for cell in made.cells]


def current(source: Path, kind: str) -> bool:
    """Whether the stored notebook has the cells of its source."""
    path = place(source, kind)
    return path.is_file() and cells_of(nbformat.read(path, as_version=4)) == cells_of(notebook(source, kind))


def write(made: Any, path: Path) -> None:
    """Write a notebook whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(nbformat.writes(made).rstrip("\n") + "\n", encoding="utf-8")
    temporary.replace(path)


def store(source: Path, *, again: bool) -> list[str]:
    """Write a session's notebooks and run the solutions; return what is wrong."""
    # the way every notebook is run and stored here; not needed to make slides or to compare
    from notebooks import run

    write(notebook(source, "exercises"), place(source, "exercises"))
    if current(source, "solutions") and not again:
        return []
    path = place(source, "solutions")
    trial = path.with_name(f".{path.name}")
    write(notebook(source, "solutions"), trial)
    try:
        errors = run(trial)
        if not errors:
            write(nbformat.read(trial, as_version=4), path)
    finally:
        trial.unlink()
    return errors


STYLE = """
html{scroll-snap-type:y mandatory;background:#faf9f6;color:#1c1b19}
body{margin:0;font:clamp(1.1rem,2.4vmin + .6rem,2rem)/1.4 system-ui,sans-serif}
section{min-height:100vh;box-sizing:border-box;padding:4vmin 8vmin 9vmin;scroll-snap-align:start;display:flex;
flex-direction:column;justify-content:center;position:relative}
h1,h2{line-height:1.15;margin:0 0 .6em;color:#00588f}h1{font-size:2em}h2{font-size:1.5em}p{margin:.4em 0}
li{margin:.3em 0}table{border-collapse:collapse}
th,td{text-align:left;padding:.25em 1em .25em 0;border-bottom:1px solid #ccc}
img{max-width:100%;max-height:62vh;object-fit:contain;object-position:left}
pre{font-size:.7em;white-space:pre-wrap;background:#fff;padding:.8em;border-radius:.4em;overflow-wrap:anywhere}
footer{position:absolute;left:8vmin;right:8vmin;bottom:3vmin;font-size:.6em;color:#5d5a54;display:flex;
justify-content:space-between}
@media print{section{min-height:auto;height:100vh;page-break-after:always}}
"""
KEYS = """
const slides = [...document.querySelectorAll('section')];
const here = () => slides.reduce((best, s, k) =>
  Math.abs(s.getBoundingClientRect().top) < Math.abs(slides[best].getBoundingClientRect().top) ? k : best, 0);
const steps = {ArrowRight: 1, ArrowDown: 1, PageDown: 1, ' ': 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1};
addEventListener('keydown', (event) => {
  const step = steps[event.key];
  if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  slides[Math.max(0, Math.min(slides.length - 1, here() + step))].scrollIntoView();
});
"""


def slides(source: Path) -> str:
    """Lay a session's slides out as one page that asks the network for nothing."""
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    stored = nbformat.read(place(source, "solutions"), as_version=4)
    shown = {cell.source: cell.get("outputs", []) for cell in stored.cells}
    pages: list[list[str]] = []
    for block in blocks(source.read_text(encoding="utf-8")):
        if "slide" in block.marks:
            # pilcrow links to headings are of no use on a slide
            text = re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html_mistune(block.text))
            pages.append([text])
        elif "on-slide" in block.marks:
            pages[-1] += [_output(output) for output in shown[block.text]]
    title = html.escape(source.read_text(encoding="utf-8").splitlines()[0].removeprefix("# "))
    parts = [
        f'<section aria-label="Slide {k} of {len(pages)}">{"".join(page)}'
        f"<footer><span>{title}</span><span>{k} / {len(pages)}</span></footer></section>"
        for k, page in enumerate(pages, start=1)
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body>{''.join(parts)}<script>{KEYS}</script></body></html>\n"
    )


def _output(output: Any) -> str:
    data = output.get("data", {})
    said = html.escape((output.get("text") or data.get("text/plain") or "").strip())
    if "image/png" in data:
        picture = data["image/png"].replace("\n", "")
        # a figure's text is only its size; a slider's is the table of what the picture shows
        says = "" if said.startswith("&lt;Figure") else said.replace("\n", "&#10;")
        return f'<img src="data:image/png;base64,{picture}" alt="{says or "the figure named above"}">'
    return f"<pre>{said}</pre>" if said else ""


#: One person by herself, slow rather than quick: words a minute, minutes an answer, a slider, a line of code.
PACE = {"words": 1 / 120, "answers": 2.0, "sliders": 1.5, "lines": 1 / 20}
GUIDE = ROOT / "docs" / "teaching.md"
HEAD = """
| session | cells | words | answers | sliders | lines | minutes of one person | seconds that its cells run |
|---|--:|--:|--:|--:|--:|--:|--:|
"""


def walks() -> dict[str, Path]:
    """Name every session with the notebook that people open, the one without code last."""
    made = {
        source.stem.replace("-", " ", 1).split("-")[0]: place(source, "exercises") for source in sources()
    }
    return {**made, "without code": FOLDER / "without-code.ipynb"}


def asks(cell: Any) -> dict[str, int]:
    """Count what a cell asks of one person: words to read, lines of code, answers to find, sliders to move."""
    tags, hidden = cell.metadata.get("tags", []), cell.metadata.get("jupyter", {}).get("source_hidden", False)
    code = cell.source if cell.cell_type == "code" and "check" not in tags else ""
    return {
        "words": len(re.findall(r"\w+", cell.source)) if cell.cell_type == "markdown" else 0,
        "answers": code.count("= ...") + code.count("choose("),
        "sliders": code.count("explore("),
        "lines": 0 if hidden else sum(bool(line.strip()) for line in code.splitlines()),
    }


def minutes(cells: Iterable[Any]) -> float:
    """How long cells take one person at the pace above; the kernel's own time comes on top."""
    return sum(PACE[name] * count for cell in cells for name, count in asks(cell).items())


def reached(notebook: Path) -> dict[str, float]:
    """After how many minutes one person has found each answer."""
    cells = nbformat.read(notebook, as_version=4).cells
    return {
        name: minutes(cells[: at + 1])
        for at, cell in enumerate(cells)
        for name in re.findall(r'check\("([\d.]+)', cell.source)
    }


def timed(page: str, run: Mapping[str, int]) -> str:
    """Put the counts of every session into the teacher's page."""
    lines = []
    for name, path in walks().items():
        cells = nbformat.read(path, as_version=4).cells
        counts = [sum(asks(cell)[what] for cell in cells) for what in PACE]
        told = [len(cells), *counts, f"{minutes(cells):.0f}", run[name]]
        lines.append(f"| {name} | {' | '.join(map(str, told))} |\n")
    before, _, rest = page.partition("<!-- walk -->\n")
    return (
        f"{before}<!-- walk -->\n{HEAD}{''.join(lines)}\n<!-- /walk -->{rest.partition('<!-- /walk -->')[2]}"
    )


def clocked(notebook: Path) -> float:
    """Seconds that the cells of a notebook run."""
    from nbclient import NotebookClient

    begun: list[float] = []
    took: list[float] = []
    NotebookClient(
        nbformat.read(notebook, as_version=4),
        timeout=600,
        on_cell_execute=lambda **_: begun.append(time.monotonic()),
        on_cell_executed=lambda **_: took.append(time.monotonic() - begun[-1]),
    ).execute()
    return sum(took)


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; say what was written."""
    parser = argparse.ArgumentParser(description="Make the workshop's notebooks and slides.")
    parser.add_argument("--run", action="store_true", help="run all solutions again")
    parser.add_argument("--slides", action="store_true", help="write the slides instead")
    parser.add_argument(
        "--walk", action="store_true", help="count and time every session for the teacher's page instead"
    )
    asked = parser.parse_args(arguments)
    if asked.walk:
        run = {name: round(clocked(path)) for name, path in walks().items()}
        GUIDE.write_text(timed(GUIDE.read_text(encoding="utf-8"), run), encoding="utf-8")
        return 0
    if asked.slides:
        SLIDES.mkdir(parents=True, exist_ok=True)
        for source in sources():
            (SLIDES / f"{source.stem}.html").write_text(slides(source), encoding="utf-8")
            print((SLIDES / f"{source.stem}.html").relative_to(ROOT))
        return 0
    wrong = {source: store(source, again=asked.run) for source in sources()}
    for source, errors in wrong.items():
        print(source.stem, "stored" if not errors else "; ".join(errors))
    return int(any(wrong.values()))


if __name__ == "__main__":
    sys.exit(main())
