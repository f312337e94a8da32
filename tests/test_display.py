"""What results look like in a notebook and a terminal: short, the same twice, and never markup from a file."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

import erresearch as er
from erresearch.exports.log import Accounting, Caution, Export, Guess, Inspection
from erresearch.results import (
    Bins,
    Decay,
    Doubt,
    Estimate,
    Fit,
    Interval,
    StudentT,
    Table,
    Verdict,
    plain,
    verdict_table,
)

HOSTILE = [
    "<script>alert(1)</script>",
    "a | b",
    "two\nlines",
    "😀 `code` *bold* _x_ $y$",
    "x" * 500,
    "[link](javascript:alert(1))",
    "![](https://example.org/x.png)",
    "",
]
NUMBERS = [0.0, -0.0, math.nan, math.inf, -math.inf, 1e-300, -3.25, 12345678.9]


def estimate(name: str = "slope", value: float = -0.0125, half: float = 0.02) -> Estimate:
    ends = Interval(-math.inf, math.inf) if not math.isfinite(value) else Interval(value - half, value + half)
    return Estimate(
        name,
        value=value,
        se=half / 2,
        df=39,
        interval=ends,
        n_rows=4160,
        n_accounts=40,
        unit="",
        method="OLS",
        reference=StudentT(value, half / 2, 39),
    )


def fit(name: str) -> Fit:
    made = estimate(name)
    return Fit(
        estimates={name: made},
        outcome=name,
        method="OLS",
        cov=np.eye(1),
        r2=0.5,
        vif={name: 1.0},
        condition_number=1.0,
        n_rows=10,
        n_accounts=2,
        effective_accounts=2.0,
        dropped={f"not finite: {name}": 3},
    )


def bins(count: int) -> Bins:
    points = np.arange(count, dtype=float)
    return Bins(x=points, y=points, low=points, high=points, n=points.astype(int))


def export(name: str, rows: int) -> Export:
    account = Accounting(rows + 1, rows, rejected=1, reasons={f"no date in {name}": 1})
    return Export(
        rows=pd.DataFrame({name or "x": range(rows)}),
        kind="posts",
        format=name,
        guesses=(Guess("zone", name, name, "tz="),),
        accounting=account,
        warnings=(Caution("odd", name, 1, (2,)),),
        name=name,
        notes=(name,),
        columns={"likes": name},
        dropped_columns=(name,),
    )


def values(name: str) -> list[object]:
    """One of each kind, with a name from a file wherever a name can stand."""
    number = estimate(name)
    verdict = Verdict(
        name,
        name,
        "inconclusive",
        qualifiers=("proxy",),
        estimate=number,
        sesoi=0.05,
        reason=name,
        doubts=(Doubt(name, name, 1.0, raised=True), Doubt("quiet", "nothing")),
    )
    frame = pd.DataFrame({"by": ["a", "b"] * 4, name or "x": np.arange(8.0)})
    moments = er.Moments.from_frame(frame, [name or "x"], by="by")
    decay = Decay(
        exponent=number,
        log_ols=number,
        reliability=((0.9, number),),
        spline=None,
        points=bins(3),
        shared_denominator=-0.5,
        dropped={name: 1},
    )
    read = export(name, 2)
    return [
        number,
        number.interval,
        fit(name),
        bins(3),
        decay,
        verdict,
        Table.of([name], [[name]]),
        verdict_table([verdict, verdict]),
        moments,
        read,
        Inspection(name, read, True, name),
    ]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_from_files_are_text_in_a_notebook(name: str):
    for value in values(name):
        shown = getattr(value, "_repr_markdown_", lambda: "")()
        html = MarkdownIt("gfm-like", {"linkify": False}).render(shown)
        tags = {tag.lower() for tag in re.findall(r"</?([a-zA-Z0-9]+)", html)}
        known = {"p", "strong", "em", "ul", "li", "br", "table", "thead", "tbody", "tr", "th", "td"}
        assert tags <= known, (type(value), tags - known)
        assert not re.search(r"\S{80,}", re.sub("<[^>]+>", " ", html)), type(value)
        assert repr(value) == str(value)


def test_twice_the_same_and_no_machine_in_it():
    for first, second in zip(values("reach"), values("reach"), strict=True):
        assert repr(first) == repr(second)
        assert getattr(first, "_repr_markdown_", str)() == getattr(second, "_repr_markdown_", str)()
        assert " at 0x" not in repr(first)
        assert len(repr(first).splitlines()) < 30


def test_a_table_keeps_its_cells_whatever_they_hold():
    table = Table.of(["name", "number"], zip(HOSTILE, NUMBERS, strict=True))
    html = MarkdownIt("gfm-like", {"linkify": False}).render(table._repr_markdown_())
    assert html.count("<tr>") == 1 + len(HOSTILE)
    assert html.count("<td") == 2 * len(HOSTILE)
    assert "<script>" not in html
    printed = str(table)
    assert all(len(line) <= 88 for line in printed.splitlines())
    for said in ("∞", "−∞", "not a number", "−3.25", "12,345,679"):
        assert said in printed
        assert said in html


def test_a_table_without_rows_says_so():
    empty = Table.of(["a", "b"], [])
    assert len(empty) == 0
    assert str(empty).endswith("(no rows)")
    assert "(no rows)" in empty._repr_markdown_()
    assert str(verdict_table([])).endswith("(no rows)")


def test_numbers_end_at_one_place_and_text_begins_at_one():
    lines = str(Table.of(["what", "n", "of"], [["a", 1, "x"], ["bb", 1000, "yy"]])).splitlines()
    assert lines == ["what      n  of", "---------------", "a         1  x", "bb    1,000  yy"]
    markdown = Table.of(["what", "n"], [["a", 1]])._repr_markdown_()
    assert markdown.splitlines()[1] == "| :-- | --: |"


def test_no_line_of_a_table_ends_inside_an_interval():
    shown = Table.of(["of", "is"], [("shops, 2 %", Interval(-0.01, 0.25)), ("all", Interval(-math.inf, 3))])
    assert "| shops, 2&nbsp;% | \\[−0.01,&nbsp;0.25\\] (95&nbsp;%) |" in shown._repr_markdown_()
    assert "\\[−∞,&nbsp;3\\]" in shown._repr_markdown_()
    assert "&nbsp;" not in str(shown)


def test_cells_are_written_by_the_rules_of_the_house():
    cells = [True, False, None, -4160, -0.01234, Interval(-1, 2, 0.9), estimate()]
    (row,) = Table.of([str(at) for at in range(7)], [cells]).rows
    assert row[:5] == ("yes", "no", "", "−4,160", "−0.012")
    assert row[5] == "[−1.0, 2.0] (90 %)"
    assert row[6].startswith("−0.013 [")


@pytest.mark.parametrize("value", [-0.0004, -0.0, 0.0])
def test_a_number_that_rounds_to_nothing_has_no_sign(value: float):
    assert plain(value, ".2f") == "0.00"


def test_a_number_has_one_minus_sign_in_every_format():
    assert plain(-0.0123, "+.3f") == "−0.012"
    assert plain(-1e-12, ".1e") == "−1.0e−12"
    assert plain(math.nan, "+.3f") == "not a number"
    assert plain(-math.inf, ".3f") == "−∞"
    assert plain(1234567.8, ",.0f") == "1,234,568"
    assert f"{estimate(value=-0.0121):+.3f}" == "−0.012 [−0.032, 0.008] (95 %)"
    assert f"{estimate()}" == str(estimate())
    assert f"{Interval(-1, 2, 0.9):.1f}" == "[−1.0, 2.0] (90 %)"
    assert f"{Interval(-1, 2)}" == str(Interval(-1, 2))


def test_verdicts_beside_each_other_say_once_what_is_the_same():
    judged = Verdict(
        "C01", "shops", "supported", size="at least δ", estimate=estimate(value=0.1), reason="above"
    )
    other = dataclasses.replace(judged, dataset="films", word="inconclusive", size="")
    none = Verdict("C01", "tills", "not judged", reason="no spend")
    table = verdict_table([judged, other, none])
    assert table.columns == ("data", "verdict", "estimate", "95 % interval")
    assert table.rows[0] == ("shops", "supported (at least δ)", "0.100", "[0.080, 0.120]")
    assert table.rows[2] == ("tills", "not judged", "", "")
    assert verdict_table([judged]).columns[:2] == ("claim", "data")
    assert verdict_table([judged, judged]).columns[0] == "data"
    assert verdict_table([none], reason=True).rows[0][-1] == "no spend"
    assert verdict_table([judged], names={"C01": "Likes → sales"}).rows[0][0] == "Likes → sales (C01)"
    at_90 = dataclasses.replace(other, interval=Interval(0.07, 0.13, 0.975))
    mixed = verdict_table([judged, at_90])
    assert mixed.columns[-1] == "interval"
    assert [row[-1] for row in mixed.rows] == ["[0.080, 0.120] (95 %)", "[0.070, 0.130] (97.5 %)"]


def test_a_verdict_shows_the_interval_that_was_judged_and_what_is_raised():
    doubts = (
        Doubt("lead placebo", "x | y", raised=True),
        Doubt("power", "enough"),
        Doubt("same period", "none"),
    )
    verdict = Verdict(
        "C01",
        "shops",
        "inconclusive",
        estimate=estimate(),
        interval=Interval(-0.5, 0.5, 0.975),
        doubts=doubts,
    )
    shown = verdict._repr_markdown_()
    assert "97.5 %" in shown
    assert "* **lead placebo**: x \\| y" in shown
    assert "2 more in .doubts" in shown
    assert "enough" not in shown
    assert str(doubts[1]) == "power: enough"


def test_a_file_is_shown_without_its_rows():
    read = export("posts.csv", 3)
    for shown in (
        repr(read),
        read._repr_markdown_(),
        Inspection("posts.csv", read, True, "all")._repr_markdown_(),
    ):
        assert "4 rows in = 3 used" in shown
        assert "DataFrame" not in shown
    assert "likes ← posts.csv" in Inspection("posts.csv", read, True, "all")._repr_markdown_()


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 bins of 0 rows"), (2, "2 bins of 1 row"), (3, "3 bins of 3 rows")]
)
def test_bins_are_counted_and_not_listed(count: int, said: str):
    assert str(bins(count)) == f"reactions (log of the mean) by followers (log): {said}"
