"""Write what README.md and docs/BOARD.md say of results: ``python tools/readme.py``.

The answer, its picture (docs/found.svg; docs/found-narrow.svg for phones) and the board come from
tests/expected/verdicts.csv and data/claims.toml; the list of notebooks from their titles, the minutes that they name,
and the claims that name them.
"""

from __future__ import annotations

import csv
import functools
import json
import re
import textwrap
import tomllib
from pathlib import Path

from erresearch.claims import examine, read_claims, real_rows
from erresearch.claims.packing import shipped
from erresearch.datasets import dataset_card, load
from erresearch.datasets.entries import short_names
from erresearch.report.figures.style import SYMBOLS, WORD_COLOURS
from erresearch.report.sentences import answer, short_name
from erresearch.results import Certainty, Estimate, Interval, Verdict, rounded

ROOT = Path(__file__).resolve().parent.parent
WORLDS_HEAD = "**Simulated worlds: can the method see it?** They say nothing about the world.\n\n"
BOARD_HEAD = """| claim | data | verdict | estimate [interval] | rows | accounts |
|---|---|---|---|--:|--:|
"""
NOTEBOOKS_HEAD = """| notebook | question | claims | minutes |
|---|---|---|--:|
"""


def estimate_of(row: dict[str, str]) -> str:
    """An estimate with its interval, rounded as its doubt allows."""
    if not row["value"]:
        return ""
    value, low, high = (float(row[name]) for name in ("value", "low", "high"))
    half, lines = (high - low) / 2, (float(row["sesoi"]), -float(row["sesoi"]))
    value, low, high = (rounded(one, like=half, beside=lines) for one in (value, low, high))
    return f"{value} [{low}, {high}]"


def board(root: Path = ROOT) -> str:
    """Lay out every judged pair of claim and data set as Markdown tables: real data, then simulated worlds."""
    claims = read_claims(root / "data" / "claims.toml")
    texts = {claim.id: f"{claim.text} Estimate: {claim.unit}." for claim in claims}
    with (root / "tests" / "expected" / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["words"].startswith("not judged")]
    rows.sort(key=lambda row: (row["claim"], row["dataset"]))
    real = [row for row in rows if "simulated" not in row["words"]]
    made = [row for row in rows if "simulated" in row["words"]]
    return f"{_table(real, texts)}\n{WORLDS_HEAD}{_table(made, texts)}"


def _table(rows: list[dict[str, str]], texts: dict[str, str]) -> str:
    lines, before = [], None
    for row in rows:
        claim = "" if row["claim"] == before else f"**{row['claim']}** {texts[row['claim']]}"
        before = row["claim"]
        words = ", ".join(word for word in row["words"].split(", ") if word != "simulated")
        data = f"*{row['dataset']}, simulated*" if "simulated" in row["words"] else row["dataset"]
        accounts = f"{int(row['n_accounts']):,}" if row["n_accounts"] != "0" else ""
        lines.append(
            f"| {claim} | {data} | {words} | {estimate_of(row)} | {int(row['n_rows']):,} | {accounts} |"
        )
    return BOARD_HEAD + "\n".join(lines) + "\n"


@functools.cache
def shows(root: Path = ROOT) -> str:
    """Lay out what each real row shows, judged again from what ships: the same whatever claims `root` holds."""
    claims, packs = read_claims(), shipped()
    rows = {name for claim in claims for name in claim.family} - set(packs)
    data = {name: load(name) for name in sorted(rows) if not dataset_card(name).pending}
    table = real_rows(examine(claims, {**data, **packs}))
    lines = [table.columns, ["---"] * 2 + ["--:"] * 6 + ["---"] * 2]
    before = ""
    for claim, *cells in table.rows:
        lines.append(["" if claim == before else f"**{claim}**", *cells])
        before = claim
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def notebooks(root: Path = ROOT) -> str:
    """Lay out the notebooks with their questions, claims and minutes, as a Markdown table."""
    claims, lines = read_claims(root / "data" / "claims.toml"), []
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        frame = "".join(json.loads(path.read_text("utf-8"))["cells"][0]["source"])
        title = frame.split("\n", 1)[0].removeprefix("# ")
        minutes = re.search(r"\*\*Time\*\* (\d+) minutes", frame)
        if minutes is None:
            raise SystemExit(
                f"tools/readme.py: {path.name} does not say in its first cell: **Time** N minutes"
            )
        named = ", ".join(sorted(claim.id for claim in claims if claim.notebook == path.stem))
        lines.append(f"| [{path.name[:2]}](notebooks/{path.name}) | {title} | {named} | {minutes[1]} |")
    return NOTEBOOKS_HEAD + "\n".join(lines) + "\n"


def real_verdicts(root: Path = ROOT) -> list[Verdict]:
    """Return the expected verdicts that the answer and the picture need, simulated ones as such."""
    data = root / "data"
    starts = tomllib.loads((data / "certainty.toml").read_text("utf-8"))["start"]
    designs = {entry["text"]: name for name, entry in starts.items()}
    with (root / "tests" / "expected" / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        word, *qualifiers = row["words"].split(", ")
        estimate = certainty = None
        if row["value"]:
            low, high = float(row["low_95"]), float(row["high_95"])
            estimate = Estimate(
                row["estimate"], value=float(row["value"]), se=float(row["se"]), df=1.0, interval=Interval(low, high),
                n_rows=int(row["n_rows"]), n_accounts=int(row["n_accounts"]), unit=row["unit"],
            )  # fmt: skip
            level, reasons = row["certainty"].removeprefix("certainty ").split(": ", 1)
            certainty = Certainty(level, 0, (designs[reasons.split("; ")[0]],), ())
        found.append(
            Verdict(
                row["claim"],
                row["dataset"],
                word.split(" (")[0],
                qualifiers=tuple(qualifiers),
                estimate=estimate,
                sesoi=float(row["sesoi"]),
                certainty=certainty,
            )
        )
    return found


def found(root: Path = ROOT) -> str:
    """Say what the real data say, one sentence to a line."""
    claims = read_claims(root / "data" / "claims.toml")
    return "".join(f"* {line}\n" for line in answer(real_verdicts(root), claims, short_names()))


def picture(root: Path = ROOT, *, narrow: bool = False) -> str:
    """Draw the real estimates in multiples of the smallest effect that matters, as SVG; for phones in two lines each."""
    short = {claim.id: short_name(claim) for claim in read_claims(root / "data" / "claims.toml")}
    drawn = [v for v in real_verdicts(root) if v.estimate is not None and not v.simulated]
    called = short_names()
    width, left, wide, row, most = (360, 195, 150, 34, 5.5) if narrow else (1000, 450, 330, 24, 5.5)
    word_at, end, up = (width - 6, "end", 12) if narrow else (left + wide + 14, "start", -4)

    def across(value: float) -> float:
        return round(left + wide * (min(max(value, -most), most) + most) / (2 * most), 1)

    said = textwrap.wrap(
        "Each with its interval, in multiples of the smallest effect that matters (shaded), an arrowhead where it lies "
        "beyond 5 times; the word and its certainty",
        54 if narrow else 200,
    )
    top = 34 + 16 * len(said)
    height = top + row * len(drawn) + 32
    words = [verdict.word for verdict in drawn]
    often = max(dict.fromkeys(words), key=words.count)
    title = f"{words.count(often)} of {len(drawn)} real estimates are {often}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13" '
        f'role="img" aria-label="{title}"><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="12" y="20" font-size="15" font-weight="bold" fill="#1c1b19">{title}</text>',
        *(f'<text x="12" y="{40 + 16 * i}" fill="#5d5a54">{line}</text>' for i, line in enumerate(said)),
        f'<path d="M{across(-1)} {top}H{across(1)}V{height - 26}H{across(-1)}Z" fill="#eeece7"/>',
        f'<path d="M{across(0)} {top}V{height - 26}" stroke="{"#b5b1a8" if narrow else "#5d5a54"}"/>',
    ]
    before = ""
    for place, verdict in enumerate(drawn):
        y, colour = top + row * (place + 1) - 10, WORD_COLOURS[verdict.word]
        ends = (verdict.estimate.interval.low, verdict.estimate.value, verdict.estimate.interval.high)
        low, middle, high = (across(end / verdict.sesoi) for end in ends)
        claim = "" if verdict.claim == before else short[verdict.claim]
        before = verdict.claim
        lines.append(
            f'<text x="12" y="{y - up}" fill="#1c1b19">{claim}</text><text x="{left - 14}" y="{y + 4}" '
            f'text-anchor="end" fill="#5d5a54" font-size="11">{called.get(verdict.dataset, verdict.dataset)}</text>'
            f'<path d="M{low} {y}H{high}" stroke="{colour}" stroke-width="3"/>'
            f'{_mark(verdict.estimate.value / verdict.sesoi, most, middle, y)} fill="{colour}"/>'
            f'<text x="{word_at}" y="{y - up}" text-anchor="{end}" fill="{colour}">{SYMBOLS[verdict.word]} {verdict.word}'
            f'<tspan fill="#5d5a54" font-size="11">, {verdict.certainty.level}</tspan></text>'
        )
    for tick in (-5, -3, 0, 3, 5) if narrow else (-5, -3, -1, 0, 1, 3, 5):
        text = f"{tick}×".replace("-", "−") if tick else "0"
        lines.append(
            f'<text x="{across(tick)}" y="{height - 8}" text-anchor="middle" fill="#5d5a54">{text}</text>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _mark(times: float, most: float, x: float, y: int) -> str:
    """Draw a dot; where the estimate lies beyond the scale, a head that points there."""
    if abs(times) <= most:
        return f'<circle cx="{x}" cy="{y}" r="4.5"'
    way = 1 if times > 0 else -1
    return f'<path d="M{x + 5 * way} {y}L{x - 4 * way} {y - 5}V{y + 5}Z"'


def with_tables(page: str, root: Path = ROOT) -> str:
    """Return a page with what it marks put between its marks."""
    for mark, make in (("found", found), ("board", board), ("shows", shows), ("notebooks", notebooks)):
        start, end = f"<!-- {mark} -->\n\n", f"\n<!-- /{mark} -->"
        if start in page:
            before, rest = page.split(start)
            page = before + start + make(root) + end + rest.split(end)[1]
    return page


def main() -> None:
    """Write README.md, docs/BOARD.md and the pictures again."""
    for path in (ROOT / "README.md", ROOT / "docs" / "BOARD.md"):
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / "docs" / "found.svg").write_text(picture(), encoding="utf-8")
    (ROOT / "docs" / "found-narrow.svg").write_text(picture(narrow=True), encoding="utf-8")


if __name__ == "__main__":
    main()
