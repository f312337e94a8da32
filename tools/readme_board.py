"""Write the board in README.md from tests/expected/verdicts.csv: ``python tools/readme_board.py``."""

from __future__ import annotations

import csv
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOARD = re.compile(r"(<!-- board -->\n).*?(<!-- /board -->)", re.DOTALL)
HEAD = """| claim | data | verdict | estimate [interval] | rows | accounts |
|---|---|---|---|--:|--:|
"""


def digits(text: str) -> str:
    """Three significant digits, as people read them."""
    return f"{float(text):.3g}".replace("-", "−") if text else ""


def board(verdicts: Path, claims: Path) -> str:
    """Lay out every judged pair of claim and data set, real data first, as a Markdown table."""
    known = tomllib.loads(claims.read_text("utf-8"))["claim"]
    texts = {claim["id"]: f"{claim['text']} Estimate: {claim['unit']}." for claim in known}
    with verdicts.open(encoding="utf-8", newline="") as file:
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
    return HEAD + "\n".join(lines) + "\n"


def with_board(readme: str) -> str:
    """Return the README with the board put between its marks."""
    made = board(ROOT / "tests" / "expected" / "verdicts.csv", ROOT / "data" / "claims.toml")
    return BOARD.sub(lambda found: f"{found[1]}\n{made}\n{found[2]}", readme)


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_board(path.read_text("utf-8")), "utf-8")
