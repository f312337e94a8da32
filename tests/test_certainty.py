"""Certainty: every row of the table, the ceiling, order and repetition do not matter."""

from __future__ import annotations

import itertools

import pytest

from erresearch.claims.registry import grade, read_points
from erresearch.errors import UnknownNameError
from erresearch.results.verdicts import LEVELS, Certainty

DOWN = sorted(set(read_points().change) - {"independent-designs-agree"})
AGREE = "independent-designs-agree"


@pytest.mark.parametrize(
    ("design", "open_points", "level"),
    [
        ("randomised", [], "high"),
        ("randomised", ["indirect"], "moderate"),
        ("randomised", ["proxy", "indirect"], "low"),
        ("ordered", [], "low"),
        ("ordered", ["events-not-declared"], "very low"),
        ("ordered", ["events-not-declared", "advertising-not-declared", "proxy"], "very low"),
        ("ordered", [AGREE], "moderate"),
        ("ordered", [AGREE, "proxy"], "low"),
        ("cross-section", [], "very low"),
        ("cross-section", [AGREE], "low"),
    ],
)
def test_the_table(design, open_points, level):
    assert grade(design, open_points).level == level


@pytest.mark.parametrize("design", ["ordered", "cross-section"])
def test_one_observational_data_set_never_goes_above_low(design):
    for count in (*range(4), len(DOWN)):
        for chosen in itertools.combinations(DOWN, count):
            assert LEVELS.index(grade(design, chosen).level) <= LEVELS.index("low")
            assert LEVELS.index(grade(design, [*chosen, AGREE]).level) <= LEVELS.index("moderate")


@pytest.mark.parametrize("design", sorted(read_points().start))
@pytest.mark.parametrize("name", DOWN)
def test_what_is_open_never_raises_and_repetition_and_order_do_not_matter(design, name):
    for other in DOWN:
        less, more = grade(design, [other]), grade(design, [other, name])
        assert LEVELS.index(more.level) <= LEVELS.index(less.level)
        assert more == grade(design, [name, other, name])
    found = grade(design, [name])
    assert found.codes == (design, name)
    assert len(found.reasons) == 2
    assert "\n" not in str(found)


def test_unknown_names_are_refused_with_the_table():
    with pytest.raises(UnknownNameError, match="There is no design 'panel'"):
        grade("panel")
    with pytest.raises(UnknownNameError, match="There is no point of certainty 'luck'"):
        grade("ordered", ["luck"])
    with pytest.raises(UnknownNameError, match="There is no level of certainty 'sure'"):
        Certainty("sure", 9, (), ())
