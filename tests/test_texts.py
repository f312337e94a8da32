"""What messages may say: few words of our own, and labels of the caller's that are cut where they are long."""

from __future__ import annotations

import ast
import itertools
import json
import pickle
import re
from functools import cache
from pathlib import Path

import pytest

from erresearch import errors
from erresearch.errors import DataError, ErresearchError, UnknownNameError, missing_columns

PACKAGE = Path(errors.__file__).parent
KINDS = {name for name in errors.__all__ if issubclass(getattr(errors, name), Exception)}
OWN_WORDS = 200


@cache
def sources() -> dict[str, tuple[str, ast.Module]]:
    """Each file of the package, as it is written and taken apart."""
    texts = {str(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    return {name: (text, ast.parse(text)) for name, text in texts.items()}


def own_words(part: ast.expr) -> int:
    """Characters of a text that stand in the source, whatever is filled in; of two ways the longer one."""
    match part:
        case ast.Constant(value=str(text)):
            return len(text)
        case ast.JoinedStr(values=values):
            return sum(own_words(value) for value in values)
        case ast.BinOp(left=left, right=right):
            return own_words(left) + own_words(right)
        case ast.IfExp(body=body, orelse=orelse):
            return max(own_words(body), own_words(orelse))
    return 0


def messages(tree: ast.AST):
    """Every error and warning that is made, with the characters of our own words in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in {
            *KINDS,
            "warn",
            "raise_as",
        }:
            told = [*node.args, *(each.value for each in node.keywords if each.arg != "code")]
            yield node.lineno, sum(own_words(part) for part in told)


def test_a_message_has_at_most_200_characters_of_our_own_words():
    found = [(name, line, count) for name, (_, tree) in sources().items() for line, count in messages(tree)]
    assert len(found) > 500
    assert [each for each in found if each[-1] > OWN_WORDS] == []


def test_long_messages_are_found():
    tree = ast.parse('raise DataError("a" * 9, got=f"{x}bb" if y else "c", fix="d" + e, code="none")')
    assert [count for _, count in messages(tree)] == [4]
    tree = ast.parse('warnings.warn(f"aa{b}", errors.ErresearchWarning("cc"), stacklevel=2)')
    assert [count for _, count in messages(tree)] == [2, 2]


PHRASE = re.compile(r"\{(?:count|Count\(.*?\)):([A-Za-z ]+)\}")
#: Expressions that are a number of things and may be one; written as constants they never are.
NUMBER = re.compile(r"(int|len|round|min|max)\(.*|.*(\.(height|accounts|rows)|_rows|_accounts|sum\(\))")


def uncounted(tree: ast.AST, nouns: set[str]):
    """Numbers with a plural noun behind them, whatever the number is: "1 rows"."""
    plural = re.compile(rf" (?!(?:with|among|in|or|and|of) )(?:[a-z]+ )?(?:{'|'.join(sorted(nouns))})\b")
    for node in ast.walk(tree):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, text in itertools.pairwise(parts):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                told, spec = ast.unparse(value.value), value.format_spec
                number = spec is not None and ast.unparse(spec)[2:3] == ","
                if (number or NUMBER.fullmatch(told)) and not told.isupper() and plural.match(text.value):
                    yield told + text.value


def test_a_number_and_its_noun_are_written_by_one_helper():
    phrases = {phrase for text, _ in sources().values() for phrase in PHRASE.findall(text)}
    assert len(phrases) > 100
    # the last word is the noun, or a verb that is one behind other numbers too
    pairs = [(f"{errors.Count(1):{phrase}}", f"{errors.Count(2, of=2):{phrase}}") for phrase in phrases]
    nouns = {
        next(a for a, b in zip(many.split()[3:], one.split()[1:], strict=True) if a != b)
        for one, many in pairs
    }
    nouns -= {"times"}  # a factor too: "6 times a usual one"
    assert {"rows", "accounts", "entities", "analyses"} <= nouns
    found = [(name, told) for name, (_, tree) in sources().items() for told in uncounted(tree, nouns)]
    assert found == []
    counted = 'f"{len(rows)} odd rows are empty", f"{n:,} rows", f"{Count(n):row}", f"{LEAST:,} rows", f"{x:.2f} rows"'
    assert list(uncounted(ast.parse(counted), {"rows"})) == ["len(rows) odd rows are empty", "n rows"]


@pytest.mark.parametrize("part", ["wrong", "got", "allowed"])
def test_labels_of_any_length_leave_a_message_that_can_be_read(part: str):
    parts = {"wrong": "`a` is odd", "got": "3 rows", "allowed": "2 rows", "fix": "leave `a` out " + "y" * 900}
    error = DataError(**(parts | {part: "Ab" + "x" * 100_000 + "yZ"}))
    assert len(str(error)) < 2_100
    assert str(error).count(" … ") == 1
    assert "Ab" in str(error) and "yZ" in str(error)  # noqa: PT018
    assert str(error).endswith("Leave `a` out " + "y" * 900 + ".")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert getattr(error, part).startswith("Abxxx")


def test_names_of_any_length_and_number_leave_the_advice_whole():
    near = missing_columns(["folowers", "z" * 9_000], ["followers", *(f"{i}" * 900 for i in range(100))])
    assert len(str(near)) < 1_600
    assert str(near).endswith(" Did you mean 'followers' for 'folowers'?")
    unknown = UnknownNameError.of("world", "nill", ["nil", *("w" * 50 + str(i) for i in range(500))])
    assert len(str(unknown)) < 1_100
    assert str(unknown).endswith(" Did you mean 'nil'?")
    assert isinstance(unknown, ErresearchError)


def read_by_people(root: Path):
    """Guides, notebooks, the workshop, and the rooms whose texts are printed: name and text."""
    pages = [root / "README.md", root / "docs" / "teaching.md", root / "docs" / "site" / "index.md"]
    pages += [
        *(root / "docs" / "how-to").glob("*.md"),
        *(root / "notebooks" / "workshop" / "source").glob("*.md"),
    ]
    pages += [
        path for room in ("cli", "report", "audits", "experiments") for path in (PACKAGE / room).rglob("*.py")
    ]
    for path in pages:
        yield path.name, path.read_text(encoding="utf-8")
    for path in (root / "notebooks").rglob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            yield path.name, "".join(cell["source"])


def test_no_private_word_of_the_style_page_is_in_use(root: Path):
    style = (root / "docs" / "STYLE.md").read_text(encoding="utf-8")
    words = re.findall('"([^"]+)"', re.search(r"No private words:(.*?)A test", style, re.DOTALL)[1])
    assert len(words) > 3
    private = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in words), re.IGNORECASE)
    assert private.search("Nobody knows what the lot says")
    found = [
        (name, said[0])
        for name, text in read_by_people(root)
        for said in private.finditer(" ".join(text.split()))
    ]
    assert found == []
