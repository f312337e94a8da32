"""Write the table of rooms in docs/DESIGN.md from the source: ``python tools/rooms.py``.

The order is that of tests/test_architecture.py, the line that of each room's own docstring.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "erresearch"


def order() -> tuple[str, ...]:
    """Return the rooms in the order in which they may import each other."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    (found,) = (n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "ORDER")
    return tuple(ast.literal_eval(found.value))


def row(room: str) -> str:
    """Return a room's line of the table: its name and what it says of itself."""
    folder = PACKAGE / room
    front = folder / "__init__.py" if folder.is_dir() else PACKAGE / f"{room}.py"
    about = (
        (ast.get_docstring(ast.parse(front.read_text(encoding="utf-8"))) or "")
        .split("\n")[0]
        .replace("|", "\\|")
    )
    return f"| `{room}` | {about} |"


def with_rooms(text: str) -> str:
    """Return the page with the table put between its marks."""
    lines = ["| room | what it is |", "|---|---|", *map(row, order())]
    made = "\n".join(lines)
    return re.sub(
        r"(<!-- rooms -->\n).*?(<!-- /rooms -->)",
        lambda m: f"{m[1]}\n{made}\n\n{m[2]}",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    page = ROOT / "docs" / "DESIGN.md"
    page.write_text(with_rooms(page.read_text("utf-8")), "utf-8")
