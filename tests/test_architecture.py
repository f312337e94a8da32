"""The rules of the house, read off the source: who may import whom, what is documented, how long it gets."""

from __future__ import annotations

import ast
import importlib
import re
import runpy
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

import erresearch

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "erresearch"

# A module (or package) may import those that stand above it, and nothing else of this package.
ORDER = (
    "errors",
    "io",
    "deprecations",
    "schema",
    "results",
    "engine",
    "exports",
    "datasets",
    "metrics",
    "panel",
    "worlds",
    "relate",
    "robustness",
    "claims",
    "experiments",
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

# Ceilings of the whole: they may only sink.
MOST_FILES = 129
LONGEST_CHAIN = 14
MOST_IN_ROOT = 6
LONGEST_FILE = 600
# What does not keep these rules yet is counted here; the counts may only sink.
FILES_TOO_LONG = 0
CLASSES_OF_ONE_NAME = 0
MODULES_OF_ONE_NAME = 0
NO_SEE_ALSO = 122
MANY_PARAMETERS = {"regress": 11, "audit": 11}
# What changes the whole process, and who may: the program itself, and pictures, for which threads take turns.
OF_THE_PROCESS = {
    **{
        name: set()
        for name in ("simplefilter", "seterr", "setlocale", "set_option", "option_context", "chdir")
    },
    "catch_warnings": {"cli.commands", "report.html"},
    "rc_context": {"report.figures.style"},
}
# Errors whose words are the system's or our own. Those of other libraries may quote cells: a traceback shows the error
# behind ours too, unless it is raised `from None`.
WITHOUT_CELLS = {
    "OSError",
    "ErresearchError",
    "DataError",
    "DesignError",
    "UnfitError",
    "ModuleNotFoundError",
}
WITHOUT_CELLS |= {
    "LookupError",
    "of",
}  # of an unknown encoding; what `raise_as` takes, and shows if it is an OSError
# Attributes that hold sentences for people: the program never reads them back to decide.
SENTENCES = {"reason", "text", "words", "label", "method", "fix"}

score = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "scorecard.py")))
SOURCES = score.sources(PACKAGE)


@cache
def trees() -> dict[Path, ast.Module]:
    """Every source taken apart; once, and only by the worker that looks."""
    return {path: score.tree_of(path) for path in SOURCES}


Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Dotted name inside the package."""
    return score.dotted(path, PACKAGE)


def part_of(path: Path) -> str:
    """The entry of ORDER that a file belongs to; private top-level modules belong to nobody and fail."""
    return name_of(path).split(".")[0]


def imported(path: Path) -> set[str]:
    """Every module of this package that a file imports, wherever in the file and for types too."""
    return {name for name in score.imports(path, PACKAGE, typed=True) if name}


def test_imports_go_one_way():
    faults = []
    for path in SOURCES:
        own, name = part_of(path), name_of(path)
        if not own:
            continue  # the top level forwards to all
        assert own in ORDER, f"{own} has no rank: add it to ORDER, below everything that it needs"
        only = [(room, rooms) for room, rooms in ONLY.items() if f"{name}.".startswith(f"{room}.")]
        room, above = only[0] if only else (own, set(ORDER[: ORDER.index(own)]))
        for target in imported(path):
            inside = f"{target}.".startswith(f"{room}.")
            if not inside and target.split(".")[0] not in above:
                faults.append(f"{name} imports {target}, which does not stand above it")
    assert faults == []


def test_modules_import_each_other_in_no_ring_and_in_short_chains():
    edges = score.graph(PACKAGE)
    assert score.cycles(edges) == []
    longest = score.chain(edges)
    assert len(longest) <= LONGEST_CHAIN, " -> ".join(longest)


def test_the_house_stays_small():
    assert len(SOURCES) <= MOST_FILES
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_IN_ROOT
    long = [name_of(path) for path in SOURCES if len(path.read_text("utf-8").splitlines()) > LONGEST_FILE]
    assert len(long) <= FILES_TOO_LONG, long


def test_the_design_shows_the_rooms_as_they_are():
    tool = runpy.run_path(str(ROOT / "tools" / "rooms.py"))
    page = (ROOT / "docs" / "DESIGN.md").read_text(encoding="utf-8")
    assert tool["order"]() == ORDER
    assert tool["with_rooms"](page) == page, "run: python tools/rooms.py"


def test_every_room_has_a_quick_test():
    quick = runpy.run_path(str(ROOT / "tools" / "quick.py"))
    assert set(ORDER) - set(quick["QUICK"]) == set(), "name one in tools/quick.py"
    for name in quick["tests"]():
        path, _, test = name.partition("::")
        assert not test or f"def {test}(" in Path(path).read_text(encoding="utf-8"), name
    assert all(Path(name.partition("::")[0]).is_file() for name in quick["tests"]())


def test_one_name_means_one_thing():
    classes = {name for name, places in score.public_classes(PACKAGE).items() if len(places) > 1}
    assert len(classes) <= CLASSES_OF_ONE_NAME, classes
    stems = Counter(path.stem for path in SOURCES if path.stem != "__init__")
    shared = [name for name, count in stems.items() if count > 1]
    assert len(shared) <= MODULES_OF_ONE_NAME, shared


def sentences_read(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a sentence is compared, searched, cut, matched or changed."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                read = [node.left, *node.comparators]
            case ast.Subscript():
                read = [node.value]
            case ast.Match():
                read = [node.subject]
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"))):
                read = node.args
            case ast.Call(func=ast.Attribute(value=value)):
                read = [value]
            case _:
                continue
        for part in read:
            if isinstance(part, ast.Attribute) and part.attr in SENTENCES:
                yield part.lineno, ast.unparse(node)


def test_no_code_reads_what_is_written_for_people():
    found = {name_of(path): list(sentences_read(tree)) for path, tree in trees().items()}
    told = {name: sites for name, sites in found.items() if sites}
    assert told == {}, "put a code beside the text and decide by that"


@pytest.mark.parametrize(
    "code",
    [
        "if error.reason == 'few': pass",
        "'boosted' in verdict.reason",
        "verdict.words[:9]",
        "fit.label.startswith('wild')",
        "re.sub('a', 'b', error.fix)",
        "match verdict.reason:\n    case 'few': pass",
    ],
)
def test_a_sentence_that_is_read_is_found(code: str):
    assert len(list(sentences_read(ast.parse(code)))) == 1


def test_nothing_heavy_is_imported_at_the_top_of_a_module():
    faults = []
    for path, tree in trees().items():
        allowed = LIGHT | ALSO.get(part_of(path), set()) | set(sys.stdlib_module_names)
        for node in tree.body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            heavy = [name for name in names if name.split(".")[0] not in allowed]
            faults += [f"{name_of(path)}:{node.lineno}: import {name} where it is used" for name in heavy]
    assert faults == []


def test_no_module_has_a_vague_name():
    assert VAGUE & {part.strip("_") for path in SOURCES for part in name_of(path).split(".")} == set()


def test_files_and_functions_stay_short():
    faults = []
    for path in SOURCES:
        name = name_of(path)
        lines = len(path.read_text(encoding="utf-8").splitlines()) - len(score.docstring_lines(path))
        if lines > 540:
            faults.append(f"{name} wants to be two files")
        for function in score.functions(path):
            if score.length(function) > 100:
                faults.append(f"{name}: {function.name} has {score.length(function)} lines")
            if score.parameters(function) > MANY_PARAMETERS.get(function.name, 10):
                faults.append(f"{name}: {function.name} takes {score.parameters(function)} parameters")
    assert faults == []


def careless(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names that are evaluated, mutable defaults, globals, ladders of texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("eval", "exec", "compile") or re.search(r"\.(eval|query)$", called):
                yield node.lineno, "names are never evaluated"
        if isinstance(node, ast.Lambda | Function):
            defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            if any(isinstance(default, ast.List | ast.Dict | ast.Set) for default in defaults):
                yield node.lineno, "a mutable default"
        if isinstance(node, ast.Global):
            yield node.lineno, f"global {', '.join(node.names)}"
        if isinstance(node, ast.If) and len(ladder(node)) >= 4:
            yield node.lineno, "a table would say this better"


def test_no_evaluation_no_soup_no_ladders():
    assert [(name_of(path), *fault) for path, tree in trees().items() for fault in careless(tree)] == []


def test_what_belongs_to_the_whole_process_is_not_changed_for_a_while():
    """Another thread would find it changed, and may put back what the first one had set."""
    named = {
        (node.attr, name_of(path))
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    }
    for name, places in OF_THE_PROCESS.items():
        assert {place for found, place in named if found == name} == places, name


def test_no_error_of_a_library_is_shown_behind_ours():
    shown = [
        (name_of(path), ast.unparse(node.type))
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and any(map(shows_cause, ast.walk(node)))
        and not {*re.findall(r"\w+", ast.unparse(node.type))} <= WITHOUT_CELLS
    ]
    assert shown == []


def shows_cause(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) and isinstance(node.cause, ast.Name)


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
    for node in trees()[path].body:
        if not isinstance(node, (*Function.__args__, ast.ClassDef)) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, Function) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner


def test_everything_public_is_documented_and_typed():
    faults = []
    for path, tree in trees().items():
        if not ast.get_docstring(tree):
            faults.append(f"{name_of(path)} says nothing about itself")
        for name, node in public(path):
            where = f"{name_of(path)}: {name}"
            if not ast.get_docstring(node):
                faults.append(f"{where} has no docstring")
            if isinstance(node, Function) and node.returns is None:
                faults.append(f"{where} does not say what it returns")
            if isinstance(node, Function) and node.args.kwarg is not None:
                faults.append(f"{where} takes **{node.args.kwarg.arg}: name its options")
            if ".__name__\n" in (ast.get_docstring(node) or ""):
                faults.append(f"{where} shows its name as an example, not what it does")
            if re.search(r"[a-z] -{3,}", ast.get_docstring(node) or ""):
                faults.append(f"{where} has a heading and its text in one line")
    assert faults == []


def test_no_function_has_the_name_of_a_module():
    modules = set(ORDER)
    # pictures carry the name of what they draw, and are always written figures.<name>
    others = [path for path in SOURCES if "figures" not in path.parts]
    taken = {name for path in others for name, node in public(path) if isinstance(node, Function)}
    assert taken & modules == set()


def test_a_front_door_lists_each_name_once_and_finds_it():
    for stub in PACKAGE.rglob("__init__.pyi"):
        names = score.exported(stub.with_suffix(".py"))
        door = importlib.import_module(".".join(stub.parent.relative_to(ROOT).parts))
        assert sorted(names) == sorted(set(names)), stub
        assert set(names) <= set(door.__all__) == set(dir(door))
        assert [name for name in names if getattr(door, name) is None] == []
        # an imported module would stand in the place of the name
        assert set(names) & {path.stem for path in stub.parent.iterdir()} <= {"figures"}


def test_public_names_exist_and_are_documented():
    assert set(erresearch.__all__) <= set(dir(erresearch))
    silent = [name for name in erresearch.__all__ if not getattr(erresearch, name).__doc__]
    assert silent == []


def lonely(values: dict[str, object]) -> set[str]:
    """Functions and classes of this package whose docstring points at no other."""
    own = {name: value for name, value in values.items() if callable(value)}
    own = {name: value for name, value in own.items() if f"{value.__module__}.".startswith("erresearch.")}
    return {name for name, value in own.items() if "See Also\n" not in (value.__doc__ or "")}


def test_public_docstrings_say_what_to_see_also():
    assert lonely({name: getattr(erresearch, name) for name in erresearch.__all__}) == set()
    pages = runpy.run_path(str(ROOT / "tools" / "site_pages.py"))["REFERENCE"].values()
    modules = [importlib.import_module(f"erresearch.{name}") for _, names in pages for name in names]
    alone = [f"{m.__name__}.{n}" for m in modules for n in lonely({k: getattr(m, k) for k in m.__all__})]
    assert len(alone) <= NO_SEE_ALSO, alone


def test_a_wrong_public_name_is_refused():
    with pytest.raises(AttributeError, match=r"no attribute 'regres'; dir\(erresearch\) lists them"):
        erresearch.regres  # noqa: B018


def test_the_version_is_said_once_and_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == erresearch.__version__


def test_registries_parse():
    assert [
        path.name for path in (ROOT / "data").glob("*.toml") if not tomllib.loads(path.read_text("utf-8"))
    ] == []


def test_every_module_can_be_imported():
    for path in SOURCES:
        importlib.import_module(".".join(filter(None, ["erresearch", name_of(path)])))
