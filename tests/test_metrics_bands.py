"""Bands never leave without source, date and definition; a published level gives bounds, not percentiles."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from erresearch.errors import DataError, GuardError, UnknownNameError
from erresearch.metrics import DEFINITIONS, band, bands, cautions, engagement_rate, percentile_in_tier
from erresearch.metrics.published_bands import TIERS, _levels
from erresearch.results import Estimate, Interval

ONE = pd.DataFrame(
    {"account": ["a"], "likes": [150], "comments": [7], "shares": [0], "reach": [900], "followers": [5000]}
)


def nps_of(value: float) -> Estimate:
    return Estimate(
        "NPS",
        value=value,
        se=1.0,
        df=math.inf,
        interval=Interval(value - 2, value + 2),
        n_rows=100,
        n_accounts=0,
        unit="NPS points",
    )


def test_the_worked_example_gets_two_different_words() -> None:
    dutch = band(engagement_rate(ONE, definition="M01"), source="scrunch")
    danish = band(engagement_rate(ONE, definition="M02"), source="oberlo-da")
    assert (dutch.label, danish.label) == ("average or good", "strong")
    assert (dutch.definition, danish.definition) == ("M01", "M02")
    assert "about 2017" in str(dutch)
    assert "no engagement rate is good or bad for everybody" in str(dutch)
    assert "B09" in str(danish)
    assert "other words for part of this range: B04" in str(dutch)
    assert "3.14 %" in dutch._repr_markdown_()


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0.0, "low"),
        (0.0099, "low"),
        (0.01, "average or good"),
        (0.0349, "average or good"),
        (0.035, "high"),
        (0.06, "very high"),
        (3.0, "very high"),
        (-0.1, "outside every band of this source"),
    ],
)
def test_cut_offs(value: float, label: str) -> None:
    assert band(value, source="scrunch", definition="M01").label == label


@pytest.mark.parametrize(
    ("value", "ids"),
    [(-3, []), (0, ["B05"]), (5, ["B05", "B07"]), (10, ["B05", "B07"]), (40, ["B07"]), (71, ["B06", "B07"])],
)
def test_nps_bands(value: float, ids: list[str]) -> None:
    got = band(nps_of(value), source="one4marketing")
    assert [one.id for one in got.bands] == ids
    assert got.date == "22 April 2014"
    assert "points" in str(got)


def test_reach_share_band() -> None:
    assert band(0.15, source="russian-compilation", definition="reach / followers").bands[0].id == "B08"


def test_refused_for_another_definition() -> None:
    rate = engagement_rate(ONE, definition="M02")
    with pytest.raises(GuardError, match=r"the bands of 'scrunch' are for another rate: M02.*M01 HubSpot"):
        band(rate, source="scrunch")
    with pytest.raises(GuardError, match="for another rate"):
        band(engagement_rate(ONE, reactions=("likes", "comments"), denominator="reach"), source="scrunch")
    with pytest.raises(GuardError, match="for another rate"):
        band(engagement_rate(ONE, reactions=("likes", "comments"), per="period"), source="scrunch")
    with pytest.raises(GuardError, match="a number without its definition"):
        band(0.03, source="scrunch")
    with pytest.raises(GuardError, match="for another rate"):
        band(nps_of(5), source="scrunch")
    with pytest.raises(GuardError, match="for another rate"):
        band(engagement_rate(ONE, definition="M01"), source="one4marketing")
    with pytest.raises(UnknownNameError, match=r"There is no band source 'scrunh'.*Did you mean 'scrunch'"):
        band(0.03, source="scrunh", definition="M01")
    with pytest.raises(UnknownNameError, match="There is no definition 'M99'"):
        band(0.03, source="scrunch", definition="M99")
    with pytest.raises(DataError, match="a band needs a finite number"):
        band(math.nan, source="scrunch", definition="M01")


def test_every_band_has_a_source_and_contradictions_show() -> None:
    table = bands()
    assert {f"B{i:02d}" for i in range(1, 9)} <= set(table.index)
    assert set(cautions()) == {"B09", "B10"}
    assert (table[["source", "date", "definition", "label"]] != "").all(axis=None)
    assert "B04 'strong' (M02) from 3.00 % to 3.50 %" in table.loc["B02", "overlaps"]
    assert "B02" in table.loc["B04", "overlaps"]
    assert table.loc["B01", "overlaps"] == ""
    assert table.loc["B05", "overlaps"] == ""


@given(st.floats(0, 2))
def test_one_word_per_source_of_rates(value: float) -> None:
    assert len(band(value, source="scrunch", definition="M01").bands) == 1


# -- published levels -------------------------------------------------------------------------------------------


def test_same_definition_only() -> None:
    place = percentile_in_tier(engagement_rate(ONE, definition="M01"), 5000, "instagram")
    sources = set(place.comparisons["source"])
    assert any("Mention" in source for source in sources)
    assert not any("Rival IQ" in source or "Buffer" in source for source in sources)
    assert place.refused > 30
    assert set(place.comparisons["tier"]) == {"all sizes", "5,000 to 20,000 followers"}
    years = place.comparisons["year"].tolist()
    assert years == sorted(years, reverse=True)
    assert (place.comparisons["ratio"] * place.comparisons["level"]).to_numpy() == pytest.approx(0.0314)
    assert "not compared" in str(place)
    assert "HypeAuditor" in place._repr_markdown_()


def test_bounds_hold_whichever_label_is_right() -> None:
    def bounds(rate: float) -> set[tuple[float, float]]:
        place = percentile_in_tier(rate, 3000, "Instagram", definition="M01")
        rows = place.comparisons.query("statistic == 'label doubtful'")
        return set(zip(rows["share_below_at_least"], rows["share_below_at_most"], strict=True))

    assert bounds(0.05) == {(0.0, 1.0)}
    assert bounds(0.01) == {(0.0, 0.5)}
    assert bounds(0.0645) == {(0.5, 1.0)}
    assert bounds(0.645) == {(1 - 0.0645 / 0.645, 1.0)}


def test_markov_bound_is_never_broken() -> None:
    rng = np.random.default_rng(5)
    rates = rng.lognormal(-4, 1.2, 4000)
    (level,) = _levels().query("statistic == 'mean' and definition != ''").itertuples()
    factor = level.level / rates.mean()
    for rate in (0.5 * level.level, 2 * level.level, 10 * level.level):
        place = percentile_in_tier(rate, 1e4, level.platform, definition=level.definition)
        (one,) = place.comparisons[place.comparisons["source"] == level.source].itertuples()
        assert one.share_below_at_least <= np.mean(rates * factor < rate) <= one.share_below_at_most


def test_among_own_accounts() -> None:
    posts = pd.DataFrame(
        {
            "account": [*"abcd", "d", "big"],
            "likes": [10, 20, 30, 40, 60, 1],
            "comments": 0,
            "followers": [2000, 2000, 2000, 2000, 2000, 90_000],
        }
    )
    own = engagement_rate(posts, definition="M01")
    place = percentile_in_tier(0.015, 2000, "Instagram", definition="M01", among=own)
    assert (place.own, place.own_accounts, place.own_tier) == (0.625, 4, (1e3, 1e4))
    assert "above 62.5 % of 4 own accounts" in str(place)
    place = percentile_in_tier(0.5, 2_000_000, "TikTok", definition="M05", among=None)
    assert math.isnan(place.own)
    with pytest.raises(DataError, match="none of the own accounts is in the tier"):
        percentile_in_tier(0.015, 500, "Instagram", definition="M01", among=own)
    with pytest.raises(GuardError, match="own accounts can be ranked only by the same rate"):
        percentile_in_tier(0.015, 2000, "Instagram", definition="M02", among=own)
    nameless = engagement_rate(posts.drop(columns="account"), definition="M01", by=None)
    with pytest.raises(GuardError, match="own accounts cannot be told apart"):
        percentile_in_tier(0.015, 2000, "Instagram", definition="M01", among=nameless)


def test_nothing_published_or_unusable() -> None:
    with pytest.raises(GuardError, match="nothing was published by this definition for LinkedIn"):
        percentile_in_tier(0.03, 2000, "LinkedIn", definition="M01")
    with pytest.raises(GuardError, match="a number without its definition cannot be compared"):
        percentile_in_tier(0.03, 2000, "Instagram")
    with pytest.raises(UnknownNameError, match="There is no definition 'M0'"):
        percentile_in_tier(0.03, 2000, "Instagram", definition="M0")
    for rate, followers in ((math.nan, 10), (0.1, 0), (0.1, math.inf), (-0.1, 10)):
        with pytest.raises(DataError, match="a positive number of followers"):
            percentile_in_tier(rate, followers, "Instagram", definition="M01")


def test_registry_points_at_what_exists() -> None:
    levels = _levels()
    assert set(levels["definition"]) - {""} <= set(DEFINITIONS)
    assert (levels["definition"] != "").sum() >= 15
    assert TIERS[0] == 0
    assert math.isinf(TIERS[-1])


def test_a_caution_about_rates_is_not_said_of_a_net_promoter_score():
    said = str(band(30.0, source="one4marketing", definition="M12"))
    assert "engagement rate" not in said
    assert "B09" not in said
    assert "note: The article says its scale runs from 1 to 10" in said
    rates = {"scrunch": "M01", "oberlo-da": "M02", "russian-compilation": "reach / followers"}
    for source, definition in rates.items():
        kept = band(0.02, source=source, definition=definition)
        assert kept.caution == cautions()["B09"]
        assert "(B09)" in str(kept)
