"""The rules of the house, read off the source: who may import whom, what is documented, how long it gets."""

from __future__ import annotations

import ast
import importlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import erresearch

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "erresearch"

# A module (or package) may import those that stand above it, and nothing else of this package.
ORDER = (
    "errors",
    "schema",
    "io",
    "results",
    "engine",
    "exports",
    "datasets",
    "metrics",
    "panel",
    "worlds",
    "inference",
    "relate",
    "robustness",
    "claims",
    "report",
    "audits",
    "workshop",
    "cli",
)
# Figures draw results and so cannot estimate.
ONLY = {"report.figures": {"errors", "schema", "results"}}
LIGHT = {"numpy", "narwhals", "erresearch"}
# What only the last modules need may be loaded with them, where it is small.
ALSO = {"cli": {"click"}, "report": {"markupsafe"}}
VAGUE = {"base", "common", "core", "helper", "helpers", "misc", "tools", "util", "utils"}

SOURCES = sorted(path for path in PACKAGE.rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Dotted name inside the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def part_of(path: Path) -> str:
    """The entry of ORDER that a file belongs to; private top-level modules belong to nobody and fail."""
    return name_of(path).split(".")[0]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file, as a full dotted name."""
    package = ("erresearch", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *([node.module] if node.module else [])])
            if base == "erresearch":
                yield from (f"erresearch.{alias.name}" for alias in node.names)
            else:
                yield base


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def docstring_lines(node: ast.AST) -> int:
    """Lines that a docstring takes; they are reading matter, not length."""
    if not isinstance(node, (*Function.__args__, ast.ClassDef, ast.Module)) or not ast.get_docstring(node):
        return 0
    return (node.body[0].end_lineno or 0) - node.body[0].lineno + 1


each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: name_of(path) or "erresearch")


@each_source
def test_imports_go_one_way(path: Path):
    own = part_of(path)
    if not own:
        return  # the top level forwards to all
    assert own in ORDER, f"{own} has no rank: add it to ORDER, below everything that it needs"
    only = [parts for room, parts in ONLY.items() if f"{name_of(path)}.".startswith(f"{room}.")]
    above = only[0] if only else set(ORDER[: ORDER.index(own)])
    for module in imported(path):
        if not module.startswith("erresearch"):
            continue
        target = module.split(".")[1]
        if only and module.startswith("erresearch.report.figures"):
            continue
        if target in (own, "__version__") and not only:
            continue
        assert target in above, f"{own} imports {target}, which does not stand above it"


@each_source
def test_nothing_heavy_is_imported_at_the_top_of_a_module(path: Path):
    allowed = LIGHT | ALSO.get(part_of(path), set()) | set(sys.stdlib_module_names)
    for node in tree_of(path).body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        for name in names:
            assert name.split(".")[0] in allowed, f"line {node.lineno}: import {name} where it is used"


@each_source
def test_no_module_has_a_vague_name(path: Path):
    assert not VAGUE & {part.strip("_") for part in name_of(path).split(".")}


@each_source
def test_files_and_functions_stay_short(path: Path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    documented = sum(docstring_lines(node) for node in ast.walk(tree_of(path)))
    assert lines - documented <= 540, "this file wants to be two"
    for function in functions(path):
        length = (function.end_lineno or 0) - function.lineno + 1 - docstring_lines(function)
        assert length <= 100, f"{function.name} has {length} lines"
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        taken = [a for a in arguments if a.arg not in ("self", "cls")]
        assert len(taken) <= 11, f"{function.name} takes {len(taken)} parameters"


@each_source
def test_no_evaluation_no_soup_no_ladders(path: Path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "compile"), f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in ("eval", "query"), f"line {node.lineno}: names are never evaluated"
        if isinstance(node, ast.Lambda | Function):
            for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
                mutable = isinstance(default, ast.List | ast.Dict | ast.Set)
                assert not mutable, f"line {node.lineno}: a mutable default"
        if isinstance(node, ast.Global):
            pytest.fail(f"line {node.lineno}: global {', '.join(node.names)}")
        if isinstance(node, ast.If):
            assert len(ladder(node)) < 4, f"line {node.lineno}: a table would say this better"


def ladder(node: ast.stmt) -> list[str]:
    """Texts that one name is compared with in a chain of if/elif."""
    if not isinstance(node, ast.If):
        return []
    match node.test:
        case ast.Compare(left=ast.Name(), ops=[ast.Eq()], comparators=[ast.Constant(value=str(text))]):
            return [text, *(ladder(node.orelse[0]) if len(node.orelse) == 1 else [])]
    return []


def public(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Public functions, classes and their public methods."""
    for node in tree_of(path).body:
        if not isinstance(node, (*Function.__args__, ast.ClassDef)) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, Function) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner


@each_source
def test_everything_public_is_documented_and_typed(path: Path):
    assert ast.get_docstring(tree_of(path)), "the module says nothing about itself"
    for name, node in public(path):
        assert ast.get_docstring(node), f"{name} has no docstring"
        if isinstance(node, Function):
            assert node.returns is not None, f"{name} does not say what it returns"
            assert node.args.kwarg is None, f"{name} takes **{node.args.kwarg.arg}: name its options"


def test_no_function_has_the_name_of_a_module():
    modules = set(ORDER)
    # pictures carry the name of what they draw, and are always written figures.<name>
    others = [path for path in SOURCES if "figures" not in path.parts]
    taken = {name for path in others for name, node in public(path) if isinstance(node, Function)}
    assert taken & modules == set()


def test_the_table_of_public_names_agrees_with_what_type_checkers_see():
    tree = tree_of(PACKAGE / "__init__.py")
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module.removeprefix("erresearch").removeprefix(".")
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert seen == dict(erresearch._MODULE_OF)


@pytest.mark.parametrize("name", erresearch.__all__)
def test_public_names_exist_and_are_documented(name: str):
    value = getattr(erresearch, name)
    assert name in dir(erresearch)
    if name != "__version__":
        assert value.__doc__


def test_a_wrong_public_name_is_refused():
    with pytest.raises(AttributeError, match=r"no attribute 'regres'; dir\(erresearch\) lists them"):
        erresearch.regres  # noqa: B018


def test_the_version_is_said_once_and_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == erresearch.__version__


@pytest.mark.parametrize("path", sorted((ROOT / "data").glob("*.toml")), ids=lambda path: path.name)
def test_registries_parse(path: Path):
    assert tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: name_of(path) or "erresearch")
def test_every_module_can_be_imported(path: Path):
    importlib.import_module(".".join(filter(None, ["erresearch", name_of(path)])))
