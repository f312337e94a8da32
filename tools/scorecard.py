"""Measure the source: ``python tools/scorecard.py [--calls] [FOLDER ...]`` prints one table, a column per checkout.

Code lines are lines that hold a token and are no docstring, comment or blank. A chain is the longest way along
imports from one module to another; imports under ``TYPE_CHECKING`` do not count, those inside functions do. A pair
of duplicates is one run of six or more code lines that stands, word for word, in two places. ``--calls`` also runs
four calls of each checkout in a process of its own and counts the functions of the package that they enter.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import statistics
import subprocess
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "erresearch"
Function = ast.FunctionDef | ast.AsyncFunctionDef
SILENT = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)


# --- one file ---------------------------------------------------------------------------------------------------


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a file's syntax tree, read once."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def sources(package: Path) -> tuple[Path, ...]:
    """Return the package's files in order of their names."""
    return tuple(sorted(package.rglob("*.py")))


def dotted(path: Path, package: Path) -> str:
    """Return a module's name below the package; "" for the package itself."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def docstring_span(node: ast.AST) -> range:
    """Return the lines that a docstring takes; they are reading matter, not length."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
        return range(0)
    if not ast.get_docstring(node, clean=False):
        return range(0)
    return range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)


def docstring_lines(path: Path) -> set[int]:
    """Return the numbers of all lines of docstrings."""
    return {line for node in ast.walk(tree_of(path)) for line in docstring_span(node)}


def code_lines(path: Path) -> list[int]:
    """Return the numbers of the lines that hold a token, docstrings and comments apart."""
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type not in SILENT:
            found |= set(range(token.start[0], token.end[0] + 1))
    return sorted(found - docstring_lines(path))


def functions(path: Path) -> Iterator[Function]:
    """Return every function of a file, nested ones too."""
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def length(function: Function) -> int:
    """Return a function's lines without its docstring."""
    return (function.end_lineno or 0) - function.lineno + 1 - len(docstring_span(function))


def parameters(function: Function) -> int:
    """Return how many parameters a function takes, itself and its class apart."""
    taken = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return sum(argument.arg not in ("self", "cls") for argument in taken)


def is_type_checking(node: ast.AST) -> bool:
    """Tell whether a block is read by type checkers alone."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs: not what only type checkers read."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield from running(child)


# --- who imports whom -------------------------------------------------------------------------------------------


def imports(path: Path, package: Path, *, typed: bool = False) -> set[str]:
    """Return the modules of the package that a file imports, wherever in the file, as names below the package."""
    known = {dotted(other, package) for other in sources(package)}
    here = (NAME, *path.relative_to(package).parts[:-1])
    found: set[str] = set()
    for node in ast.walk(tree_of(path)) if typed else running(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) - node.level + 1] if node.level else ()
            base = ".".join([*start, *([node.module] if node.module else [])])
            inner = {f"{base}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if name.removeprefix(f"{NAME}.") in known}
            found |= modules | ({base} if modules != inner else set())
    own = {name.removeprefix(NAME).removeprefix(".") for name in found if name.split(".")[0] == NAME}
    return {name for name in own if name in known} - {dotted(path, package)}


def graph(package: Path) -> dict[str, set[str]]:
    """Return which module imports which, the package's own front door apart (it forwards to all)."""
    made = {dotted(path, package): imports(path, package) - {""} for path in sources(package)}
    made.pop("", None)
    return made


def cycles(edges: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Return groups of modules that import each other in a ring (strongly connected components)."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(name: str, ways: dict[str, set[str]], out: list[str]) -> None:
        seen.add(name)
        for other in sorted(ways.get(name, ())):
            if other not in seen:
                visit(other, ways, out)
        out.append(name)

    for name in edges:
        if name not in seen:
            visit(name, edges, order)
    back: dict[str, set[str]] = defaultdict(set)
    for name, targets in edges.items():
        for other in targets:
            back[other].add(name)
    seen.clear()
    rings = []
    for name in reversed(order):
        if name not in seen:
            ring: list[str] = []
            visit(name, back, ring)
            rings.append(tuple(sorted(ring)))
    return [ring for ring in rings if len(ring) > 1]


def chain(edges: dict[str, set[str]]) -> list[str]:
    """Return the longest way along imports; of a ring only what is not in it counts."""
    best: dict[str, list[str]] = {}

    def longest(name: str, above: tuple[str, ...]) -> list[str]:
        if name not in best:
            ways = [
                longest(other, (*above, name)) for other in sorted(edges.get(name, ())) if other not in above
            ]
            best[name] = [name, *max(ways, key=len, default=[])]
        return best[name]

    return max((longest(name, ()) for name in sorted(edges)), key=len, default=[])


# --- names and repeats ------------------------------------------------------------------------------------------


def exported(path: Path) -> list[str]:
    """Return what a file's ``__all__`` lists; a front door lists it in the stub beside it."""
    stub = path.with_suffix(".pyi")
    if stub.is_file():
        return [a.name for n in tree_of(stub).body if isinstance(n, ast.ImportFrom) for a in n.names]
    named = {
        ast.unparse(node.targets[0]): node.value
        for node in tree_of(path).body
        if isinstance(node, ast.Assign)
    }
    listed = named.get("__all__")
    return [item.value for item in ast.walk(listed) if isinstance(item, ast.Constant)] if listed else []


def public_classes(package: Path) -> dict[str, list[str]]:
    """Return where each public class is defined, by its name."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sources(package):
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(dotted(path, package))
    return dict(found)


def duplicates(package: Path, least: int = 6) -> list[tuple[str, int, str, int]]:
    """Return pairs of places at which the same run of code lines stands, imports and lists of names apart."""
    lines: list[tuple[str, int, str]] = []
    for path in sources(package):
        text = path.read_text(encoding="utf-8").splitlines()
        left_out = {
            line
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Import | ast.ImportFrom)
            or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
            for line in range(node.lineno, (node.end_lineno or 0) + 1)
        }
        name = dotted(path, package)
        lines += [(name, n, text[n - 1].strip()) for n in code_lines(path) if n not in left_out]
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for start in range(len(lines) - least + 1):
        run = lines[start : start + least]
        if run[0][0] == run[-1][0]:
            places[tuple(text for _, _, text in run)].append(start)
    starts = {(a, b) for at in places.values() for i, a in enumerate(at) for b in at[i + 1 :]}
    firsts = [pair for pair in sorted(starts) if (pair[0] - 1, pair[1] - 1) not in starts]
    return [(*lines[a][:2], *lines[b][:2]) for a, b in firsts]


# --- what a call enters -----------------------------------------------------------------------------------------

CALLS = """
import json, pathlib, sys, tempfile, warnings
warnings.simplefilter("ignore")
import erresearch as er
world = er.simulate("nil", rng=1)
posts = __import__("pandas").DataFrame({"account": ["a", "a"], "likes": [3, 4], "comments": [1, 2], "shares": [1, 0],
    "saves": [0, 1], "followers": [100, 110], "reach": [50, 60], "platform": "instagram"})
folder = tempfile.TemporaryDirectory()
here = pathlib.Path(folder.name)
from erresearch.worlds import example_exports
written = example_exports(here / "exports", rng=1)
def slopes():
    return er.regress(world.panel, er.log("revenue"), on=[er.log("engagement"), er.log("spend")], by="account",
        period="week", effects=("account", "period"))
calls = {
    "engagement_rate": lambda: er.engagement_rate(posts, denominator="followers", reactions="all", per="post"),
    "regress": slopes,
    "examine": lambda: er.examine("C01", {"a simulated shop": world.panel}),
    "audit": lambda: er.audit([here / "exports"], tz="Europe/Amsterdam"),
}
"""

COUNT = """
def entered(call):
    seen = set()
    def note(frame, event, arg):
        code = frame.f_code
        # of lambdas and comprehensions the function around them counts
        ours = "/erresearch/" in code.co_filename.replace("\\\\", "/")
        if event == "call" and ours and not code.co_name.startswith("<"):
            seen.add((code.co_filename, code.co_qualname))
    call()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return len({name for name, _ in seen}), len(seen)
out = {}
for name, call in calls.items():
    try:
        out[name] = "%d modules, %d functions" % entered(call)
    except Exception as error:
        out[name] = type(error).__name__
print(json.dumps(out))
folder.cleanup()
"""


def entered(checkout: Path) -> dict[str, str]:
    """Return the modules and functions that four calls enter, once everything is warm."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CALLS + COUNT],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"calls": done.stderr.strip().splitlines()[-1]}
    return {f"{name} enters": said for name, said in json.loads(done.stdout.splitlines()[-1]).items()}


# --- the table --------------------------------------------------------------------------------------------------


def score(checkout: Path) -> dict[str, str]:
    """Return every figure of one checkout, by its name."""
    package = checkout / NAME
    paths = sources(package)
    texts = {path: path.read_text(encoding="utf-8").splitlines() for path in paths}
    sizes = sorted(len(text) for text in texts.values())
    every = [function for path in paths for function in functions(path)]
    edges = graph(package)
    modules = [path.stem for path in paths if path.stem != "__init__"]
    inits = [path for path in paths if path.name == "__init__.py"]
    classes = public_classes(package)
    root = list(package.glob("*.py"))
    return {
        "files": f"{len(paths)}",
        "lines": f"{sum(sizes):,}",
        "code lines": f"{sum(len(code_lines(path)) for path in paths):,}",
        "docstring lines": f"{sum(len(docstring_lines(path)) for path in paths):,}",
        "file, median / longest": f"{statistics.median(sizes):.0f} / {max(sizes)}",
        "files over 400 / 500 / 600": " / ".join(str(sum(n > m for n in sizes)) for m in (400, 500, 600)),
        "functions over 60 / 100 lines": " / ".join(
            str(sum(length(f) > m for f in every)) for m in (60, 100)
        ),
        "functions over 8 / 10 parameters": " / ".join(
            str(sum(parameters(f) > m for f in every)) for m in (8, 10)
        ),
        "longest import chain": f"{len(chain(edges))}",
        "import cycles": f"{len(cycles(edges))}",
        "files in the package's root": f"{len(root)}",
        "module names used twice": f"{len({name for name in modules if modules.count(name) > 1})}",
        "public class names used twice": f"{sum(len(at) > 1 for at in classes.values())}",
        "names: root / front doors / all": f"{len(exported(package / '__init__.py'))} / "
        f"{sum(len(exported(path)) for path in inits)} / {sum(len(exported(path)) for path in paths)}",
        "duplicates, pairs of 6 lines": f"{len(duplicates(package))}",
    }


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT], help="checkouts; this one if none")
    parser.add_argument("--calls", action="store_true", help="count the functions that four calls enter")
    given = parser.parse_args(arguments)
    columns = [
        {**score(folder.resolve()), **(entered(folder.resolve()) if given.calls else {})}
        for folder in given.folders
    ]
    rows = list(dict.fromkeys(name for column in columns for name in column))
    print("| | " + " | ".join(folder.resolve().name for folder in given.folders) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in rows:
        print(f"| {name} | " + " | ".join(column.get(name, "") for column in columns) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
