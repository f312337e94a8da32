"""Run the guides and store what they print: ``python tools/guides.py [--check] [GUIDE ...]``.

The guides are those of ``docs/how-to`` and the first page of the site.
A guide's Python blocks run in their order, in one namespace and an empty folder. A ``text`` block that follows one
holds what it prints. A ``toml`` block whose first line is a comment with a file's name is written to that file.
With ``--check`` nothing is stored, and a guide that prints something else ends the program with status 1.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
GUIDES = (DOCS / "site" / "index.md", *sorted((DOCS / "how-to").glob("*.md")))
BLOCK = re.compile(r"^```(python|toml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\S+\.toml)\n")


def ran(text: str, name: str) -> str:
    """Return a guide with what its blocks print, run in the present folder."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    parts: list[str] = []
    end, printed = 0, None
    for found in BLOCK.finditer(text):
        parts.append(text[end : found.start()])
        language, code = found[1], found[2]
        if language == "python":
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile(code, name, "exec"), namespace)  # noqa: S102 - the guides are this project's own
            printed = "\n".join(line.rstrip() for line in said.getvalue().splitlines())
        elif language == "toml" and (named := NAMED.match(code)):
            Path(named[1]).write_text(code, encoding="utf-8")
        elif language == "text" and printed is not None:
            code, printed = f"{printed}\n", None
        parts.append(f"```{language}\n{code}```")
        end = found.end()
    return "".join([*parts, text[end:]])


def run(path: Path) -> str:
    """Run one guide in an empty folder and return it as it should be stored; its warnings are errors."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            os.chdir(folder)
            return ran(path.read_text(encoding="utf-8"), path.name)
        finally:
            os.chdir(before)


def main(arguments: list[str]) -> int:
    """Store or check the guides."""
    check = "--check" in arguments
    names = [Path(name).resolve() for name in arguments if name != "--check"]
    status = 0
    for path in names or GUIDES:
        stored, made = path.read_text(encoding="utf-8"), run(path)
        if stored == made:
            print(f"{path.name}: as stored")
        elif check:
            print(
                *difflib.unified_diff(stored.splitlines(), made.splitlines(), "stored", "printed"), sep="\n"
            )
            status = 1
        else:
            path.write_text(made, encoding="utf-8")
            print(f"{path.name}: stored anew")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
