"""What is written for other programs: CSV without formulas, TOML that comes back, values read by their types."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd
import pytest
from hypothesis import example, given, strategies as st

from erresearch.errors import DesignError, UnknownNameError
from erresearch.io.files import (
    UnfitError,
    csv_text,
    from_toml,
    read_value,
    registry,
    safe_cell,
    table_csv,
    toml_text,
)
from erresearch.results import Reason, ReasonCode
from erresearch.results.verdicts import SENTENCES

SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
# a number that stands first in a line is a number under every separator
NUMBER = re.compile(r"-?\d+(\.\d+)?(,|$)")


@given(
    st.lists(
        st.lists(st.text(alphabet="=-@;|\t,\n\r\"' a1＝", max_size=9), min_size=2, max_size=2), max_size=4
    )
)
@example([["shop;=cmd|' /C calc'!A0;x", 'x;"=1"']])
@example([["a", "x\n=1"], ["a", "x\n\n ;\t=1"]])
def test_no_reader_sees_a_formula(cells: list[list[str]]):
    text = csv_text(["name", "other", "n"], [[*row, -0.5] for row in cells])
    for separator in (",", ";", "\t", "|"):
        # a reader of commas knows quotes, or it could not read this file at all
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE)[: 1 if separator == "," else 2]:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting):
                for cell in row:
                    bare = cell.lstrip().lstrip('"') if separator != "," else cell
                    assert not bare.startswith(SIGNS) or NUMBER.match(bare), (separator, cell)


@given(st.text(max_size=12))
def test_text_comes_back_but_for_apostrophes_and_line_ends(text: str):
    (_, row) = csv.reader(io.StringIO(csv_text(["a", "b"], [[text, 1]]), newline=""))
    assert row[0].replace("'", "") == text.replace("\r\n", "\n").replace("\r", "\n").replace("'", "")


def test_runs_of_blanks_take_linear_time():
    # 200,000 places to begin at: a quadratic search would not end
    assert safe_cell("\n;" * 100_000 + "x").endswith(";x")


def test_a_table_is_written_as_it_is():
    table = pd.DataFrame(
        {"=a": ["=1", "x"], "n": [-1.5, None], "day": pd.to_datetime(["2026-01-05", None]), "k": [3, 4]}
    )
    before = table.copy()
    assert table_csv(table) == "'=a,n,day,k\n'=1,-1.5,2026-01-05,3\nx,,,4\n"
    pd.testing.assert_frame_equal(table, before)
    assert table_csv(pd.DataFrame({"b": ["-1.5"], "a": [1 / 3]})) == ("b,a\n'-1.5,0.3333333333333333\n")
    times = pd.DataFrame({"at": pd.to_datetime(["2026-01-05 10:00", "2026-01-06 00:00"])})
    assert table_csv(times) == "at\n2026-01-05 10:00:00\n2026-01-06 00:00:00\n"
    assert table_csv(pd.DataFrame({"x": [0.1 + 0.2]}), digits=4) == "x\n0.3\n"


def test_a_reason_is_a_code_with_facts():
    reason = Reason(ReasonCode.FEW_CLUSTERS, {"clusters": 1200, "needed": 6})
    assert str(reason) == "only 1,200 accounts: a decisive word needs 6"
    assert str(Reason("columns-missing", {"columns": ("spend", "revenue")})) == "no spend, revenue"
    assert set(SENTENCES) == set(ReasonCode)
    # a code that is written otherwise in the file would lose its sentence, and what opens its answer, without a word
    written = registry("reasons.toml")
    opened = [code for codes in written["opens"].values() for code in codes]
    assert {*written["sentences"], *opened} <= set(ReasonCode)
    assert len(opened) == len(set(opened))
    with pytest.raises(UnknownNameError, match="There is no reason 'few-cluster'"):
        Reason("few-cluster")


def test_errors_carry_their_code_across_processes():
    import pickle

    error = pickle.loads(pickle.dumps(DesignError("x", got="y", code="too-few-rows")))
    assert (error.code, str(error)) == ("too-few-rows", "x: y.")


# --- tables of TOML ---------------------------------------------------------------------------------------------
NAMES = st.text("abcdefgh_", min_size=1, max_size=6)
VALUES = st.one_of(st.text(), st.integers(-(2**53), 2**53), st.booleans(), st.floats(allow_nan=False))
TABLES = st.dictionaries(NAMES, st.one_of(VALUES, st.lists(st.integers(0, 9), min_size=1)), max_size=4)


@given(TABLES, TABLES, st.lists(TABLES, min_size=1, max_size=3))
def test_a_table_comes_back_from_its_toml(plain, inner, several):
    whole = {**plain, "Inner": inner, "Several": several}
    assert from_toml(toml_text(whole)) == whole


@dataclass(frozen=True)
class Shop:
    name: str
    size: float
    kind: Literal["D", "W"] = "D"
    lags: tuple[int, int] | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def test_a_value_is_read_by_the_types_of_its_class():
    held = {"name": "a", "size": 1, "kind": "W", "lags": [0, 2], "words": {"x": ["b"]}}
    assert read_value(Shop, held) == Shop("a", 1.0, "W", (0, 2), {"x": ("b",)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, r"shop\.name is not a text"),
        ({"size": True}, r"shop\.size is not a number"),
        ({"size": "1"}, r"shop\.size is not a number"),
        ({"kind": "M"}, r"shop\.kind is not one of D, W"),
        ({"lags": [0]}, r"shop\.lags is not a list of whole numbers"),
        ({"lags": [0, 0.5]}, r"shop\.lags is not a list of whole numbers"),
        ({"words": {"x": "b"}}, r"shop\.words\.x is not a list of texts"),
        ({"words": []}, r"shop\.words is not a table"),
        ({"more": 1}, "shop is not a table of name, size, kind, lags, words"),
    ],
)
def test_what_is_of_another_type_is_named_by_its_place(change, message):
    with pytest.raises(UnfitError, match=f"^{message}$"):
        read_value(Shop, {"name": "a", "size": 1.0, **change}, "shop")
