"""Write the two tables of README.md, the board and the notebooks: ``python tools/readme.py``.

The board comes from tests/expected/verdicts.csv and data/claims.toml; the list of notebooks from their titles, the
minutes that they name, and the claims that name them.
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOARD_HEAD = """| claim | data | verdict | estimate [interval] | rows | accounts |
|---|---|---|---|--:|--:|
"""
NOTEBOOKS_HEAD = """| notebook | question | claims | minutes |
|---|---|---|--:|
"""


def digits(text: str) -> str:
    """Three significant digits, as people read them."""
    return f"{float(text):.3g}".replace("-", "−") if text else ""


def claims_of(root: Path) -> list[dict[str, str]]:
    """Return the registered claims as they are written."""
    return tomllib.loads((root / "data" / "claims.toml").read_text("utf-8"))["claim"]


def board(root: Path = ROOT) -> str:
    """Lay out every judged pair of claim and data set, real data first, as a Markdown table."""
    texts = {claim["id"]: f"{claim['text']} Estimate: {claim['unit']}." for claim in claims_of(root)}
    with (root / "tests" / "expected" / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["words"].startswith("not judged")]
    rows.sort(key=lambda row: (row["claim"], "simulated" in row["words"], row["dataset"]))
    lines, before = [], None
    for row in rows:
        claim = "" if row["claim"] == before else f"**{row['claim']}** {texts[row['claim']]}"
        before = row["claim"]
        words = ", ".join(word for word in row["words"].split(", ") if word != "simulated")
        data = f"*{row['dataset']}, simulated*" if "simulated" in row["words"] else row["dataset"]
        estimate = f"{digits(row['value'])} [{digits(row['low'])}, {digits(row['high'])}]"
        accounts = f"{int(row['n_accounts']):,}" if row["n_accounts"] != "0" else ""
        lines.append(f"| {claim} | {data} | {words} | {estimate} | {int(row['n_rows']):,} | {accounts} |")
    return BOARD_HEAD + "\n".join(lines) + "\n"


def notebooks(root: Path = ROOT) -> str:
    """Lay out the notebooks with their questions, claims and minutes, as a Markdown table."""
    claims, lines = claims_of(root), []
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        frame = "".join(json.loads(path.read_text("utf-8"))["cells"][0]["source"])
        title = frame.split("\n", 1)[0].removeprefix("# ")
        minutes = re.search(r"\*\*Time\*\* (\d+) minutes", frame)
        if minutes is None:
            raise SystemExit(
                f"tools/readme.py: {path.name} does not say in its first cell: **Time** N minutes"
            )
        named = ", ".join(sorted(claim["id"] for claim in claims if claim.get("notebook") == path.stem))
        lines.append(f"| [{path.name[:2]}](notebooks/{path.name}) | {title} | {named} | {minutes[1]} |")
    return NOTEBOOKS_HEAD + "\n".join(lines) + "\n"


def with_tables(readme: str, root: Path = ROOT) -> str:
    """Return the README with both tables put between their marks."""
    for mark, made in (("board", board(root)), ("notebooks", notebooks(root))):
        place = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
        readme = place.sub(lambda found, made=made: f"{found[1]}\n{made}\n{found[2]}", readme)
    return readme


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_tables(path.read_text("utf-8")), "utf-8")
