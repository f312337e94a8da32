"""Worlds made for one claim each: one in which it holds, one in which it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from erresearch.results import Word
from erresearch.schema.vocabulary import DECISIVE
from erresearch.worlds import once, weekly
from erresearch.worlds.registry import Expected, Truth

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CASES", "CaseWorld", "draw_case", "truth_of_case"]


@dataclass(frozen=True, slots=True)
class CaseWorld:
    """A world made to judge one claim in: one table, no posts.

    Parameters
    ----------
    sentence : str
        What is true in it; may name the parameters in braces.
    claim : str
        Id of the claim.
    right : Word
        Word that the claim should get.
    draw : callable
        Takes a generator, the two sizes and the parameters; gives the table.
    size : tuple of int
        Units (accounts, articles, keywords, shops) and rows of each.
    parameters : mapping of str to float
        What is planted, by the name that `draw` takes it by.
    """

    sentence: str
    claim: str
    right: Word
    draw: Callable[..., pd.DataFrame]
    size: tuple[int, int]
    parameters: Mapping[str, float]


_PANEL: Final = (40, 104)


def _pair(
    claim: str,
    draw: Callable[..., pd.DataFrame],
    holds: tuple[str, Mapping[str, float]],
    fails: tuple[str, Mapping[str, float], Word],
    *,
    size: tuple[int, int] = _PANEL,
) -> dict[str, CaseWorld]:
    return {
        f"{claim}-holds": CaseWorld(holds[0], claim, "supported", draw, size, holds[1]),
        f"{claim}-fails": CaseWorld(fails[0], claim, fails[2], draw, size, fails[1]),
    }


CASES: Final[Mapping[str, CaseWorld]] = MappingProxyType(
    {
        **_pair(
            "C02",
            weekly.comments_and_revenue,
            ("Comments of a week do not move the next week's revenue.", {"effect": 0.0}),
            (
                "1 % more comments in a week bring {effect:g} % more revenue in the week after.",
                {"effect": 0.12},
                "contradicted",
            ),
        ),
        **_pair(
            "C04",
            once.articles,
            (
                "Days with one standard deviation more comments have about {effect:.0%} more clicks on "
                "advertisements, at the same page views.",
                {"effect": 0.15},
            ),
            (
                "Page views bring both comments and clicks on advertisements; comments bring no clicks.",
                {"effect": 0.0},
                "practically nil",
            ),
            size=(100, 40),
        ),
        **_pair(
            "C06",
            weekly.conversion,
            (
                "1 % more engagement in a week raises the next week's conversion rate by {effect:g} %.",
                {"effect": 0.12},
            ),
            ("Engagement does not move the conversion rate.", {"effect": 0.0}, "practically nil"),
        ),
        **_pair(
            "C08",
            once.earning_list,
            ("Revenue grows as followers^{exponent:g}: less for each follower.", {"exponent": 0.8}),
            (
                "Revenue grows as followers^{exponent:g}: the same for each follower.",
                {"exponent": 1.0},
                "practically nil",
            ),
            size=(2_000, 12),
        ),
        **_pair(
            "C09",
            weekly.followers_or_engagement,
            (
                "Engagement moves the next week's revenue (elasticity {engagement:g}), followers do not.",
                {"engagement": 0.3, "followers": 0.0},
            ),
            (
                "Followers move the next week's revenue (elasticity {followers:g}), engagement does not.",
                {"engagement": 0.0, "followers": 0.4},
                "contradicted",
            ),
        ),
        **_pair(
            "C10",
            weekly.two_rates,
            (
                "The rate by reach moves the next week's revenue (elasticity {by_reach:g}).",
                {"by_reach": 0.4, "by_followers": 0.0},
            ),
            (
                "The rate by followers moves the next week's revenue (elasticity {by_followers:g}).",
                {"by_reach": 0.0, "by_followers": 0.4},
                "contradicted",
            ),
        ),
        **_pair(
            "C11",
            weekly.bands_or_history,
            (
                "One standard deviation above its own history brings an account about {history:.0%} more revenue a "
                "week later; the band of its rate brings nothing.",
                {"history": 0.15, "band": 0.0},
            ),
            (
                "One band higher brings an account about {band:.0%} more revenue a week later; how its rate stands "
                "against its own history brings nothing else.",
                {"history": 0.0, "band": 0.35},
                "contradicted",
            ),
        ),
        **_pair(
            "C12",
            once.videos,
            (
                "A search ranks videos by views, age and comments (weight {effect:g} on their log).",
                {"effect": 0.5},
            ),
            (
                "A search ranks videos by views and age; comments follow views and count for nothing.",
                {"effect": 0.0},
                "practically nil",
            ),
            size=(1_200, 12),
        ),
        **_pair(
            "C13",
            weekly.reach_next_week,
            ("1 % more engagement in a week brings {effect:g} % more reach in the next.", {"effect": 0.12}),
            ("Engagement does not move the next week's reach.", {"effect": 0.0}, "practically nil"),
        ),
        **_pair(
            "C14",
            weekly.regular_posts,
            (
                "1 % more posts in a week bring {effect:g} % more engagement for each post of the next.",
                {"effect": 0.15},
            ),
            (
                "Posts of a week do not move the engagement per post of the next.",
                {"effect": 0.0},
                "practically nil",
            ),
        ),
        **_pair(
            "C15",
            weekly.promoters_or_engagement,
            (
                "A true net promoter score higher by a point brings about {score:.0%} more revenue a week later; "
                "engagement brings nothing.",
                {"score": 0.02, "engagement": 0.0},
            ),
            (
                "Engagement moves the next week's revenue (elasticity {engagement:g}); the net promoter score does not.",
                {"score": 0.0, "engagement": 0.3},
                "contradicted",
            ),
        ),
        **_pair(
            "C16",
            once.people,
            (
                "The chance of a purchase grows by degrees with interactions, and by {jump:g} from the sixth on.",
                {"jump": 0.1},
            ),
            (
                "The chance of a purchase grows by degrees with interactions; no number of them is a threshold.",
                {"jump": 0.0},
                "practically nil",
            ),
            size=(60, 600),
        ),
        **_pair(
            "C18",
            weekly.lasting,
            (
                "1 % more engagement for good brings {effect:g} % more revenue in the first week and twice that in "
                "the end.",
                {"effect": 0.08},
            ),
            ("Engagement moves revenue neither at once nor later.", {"effect": 0.0}, "practically nil"),
            size=(80, 104),
        ),
    }
)
"""Every world made for one claim, by name: the claim's id and whether it holds."""


def truth_of_case(name: str) -> Truth:
    """State what a case plants.

    Examples
    --------
    >>> print(truth_of_case("C13-holds"))
    Simulated world 'C13-holds'. 1 % more engagement in a week brings 0.12 % more reach in the next.
    """
    case = CASES[name]
    wrong = tuple(word for word in DECISIVE if word != case.right)
    parameters = dict(case.parameters)
    return Truth(
        name, parameters, {case.claim: Expected((case.right,), wrong)}, case.sentence.format(**parameters)
    )


def draw_case(name: str, rng: np.random.Generator, units: int, rows: int) -> pd.DataFrame:
    """Draw the table of a case, marked as simulated.

    Examples
    --------
    >>> table = draw_case("C16-fails", np.random.default_rng(1), 4, 50)
    >>> len(table), table.attrs["simulated"]
    (200, True)
    """
    case = CASES[name]
    table = case.draw(rng, units, rows, **case.parameters)
    table.attrs["simulated"] = True
    return table
