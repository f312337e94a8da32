"""Simulates a world by name: posts, outcomes and their panel, or the one table of a claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from erresearch.errors import DesignError, UnknownNameError
from erresearch.results import Word
from erresearch.schema.vocabulary import DECISIVE
from erresearch.worlds import case_tables
from erresearch.worlds.panels import (
    MIN_WEEKS,
    Rows,
    draw_list,
    draw_panel,
    outcomes_table,
    panel_table,
    posts_table,
)
from erresearch.worlds.truths import (
    WORLDS,
    Design,
    Expected,
    PanelWorld,
    Truth,
    truth_of,
    world_named,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CASES", "CaseWorld", "Simulation", "draw_case", "simulate", "simulate_panel", "truth_of_case"]


@dataclass(frozen=True, slots=True, kw_only=True)
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
        f"{claim}-holds": CaseWorld(
            sentence=holds[0], claim=claim, right="supported", draw=draw, size=size, parameters=holds[1]
        ),
        f"{claim}-fails": CaseWorld(
            sentence=fails[0], claim=claim, right=fails[2], draw=draw, size=size, parameters=fails[1]
        ),
    }


CASES: Final[Mapping[str, CaseWorld]] = MappingProxyType(
    {
        **_pair(
            "C02",
            case_tables.comments_and_revenue,
            ("Comments of a week do not move the next week's revenue.", {"effect": 0.0}),
            (
                "1 % more comments in a week bring {effect:g} % more revenue in the week after.",
                {"effect": 0.12},
                "contradicted",
            ),
            size=(60, 104),
        ),
        **_pair(
            "C04",
            case_tables.articles,
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
            case_tables.conversion,
            (
                "1 % more engagement in a week raises the next week's conversion rate by {effect:g} %.",
                {"effect": 0.12},
            ),
            ("Engagement does not move the conversion rate.", {"effect": 0.0}, "practically nil"),
        ),
        **_pair(
            "C08",
            case_tables.earning_list,
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
            case_tables.followers_or_engagement,
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
            case_tables.two_rates,
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
            case_tables.bands_or_history,
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
            case_tables.videos,
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
            case_tables.reach_next_week,
            ("1 % more engagement in a week brings {effect:g} % more reach in the next.", {"effect": 0.12}),
            ("Engagement does not move the next week's reach.", {"effect": 0.0}, "practically nil"),
        ),
        **_pair(
            "C14",
            case_tables.regular_posts,
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
            case_tables.promoters_or_engagement,
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
            case_tables.people,
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
            case_tables.lasting,
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


_PANEL_SIZE: Final = (40, 104)
# fewer than about 2,500 accounts cannot show a nil of ±0.05 to a Poisson regression on such followers
_LIST_SIZE: Final = (5000, 12)


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """Simulated tables and what is true of them.

    Parameters
    ----------
    posts : pandas.DataFrame
        One row per post: platform, account, post_id, published_at (UTC), post_type, is_paid, followers,
        reach, impressions, views, likes, comments, shares, saves, clicks.
    outcomes : pandas.DataFrame
        One row per entity, week and outcome: date, entity, outcome, value, currency (empty for counts).
        No rows in a list world.
    panel : pandas.DataFrame
        One row per account and week, the sum of the posts beside the outcomes; in a list world one row per
        account and no columns of money; in a world made for one claim whatever table that claim is about.
    truth : Truth
        What was planted.

    Notes
    -----
    Every table has ``attrs["simulated"] = True``. A world made for one claim (:data:`CASES`) has a panel only.
    """

    posts: pd.DataFrame
    outcomes: pd.DataFrame
    panel: pd.DataFrame
    truth: Truth

    @property
    def simulated(self) -> bool:
        """Always true."""
        return True

    def __repr__(self) -> str:
        """World and sizes, marked as simulated."""
        if "account" not in self.panel:
            return f"<Simulation of world {self.truth.world!r}: {len(self.panel):,} rows; all values are simulated>"
        accounts = self.panel["account"].nunique()
        return (
            f"<Simulation of world {self.truth.world!r}: {accounts:,} accounts, {len(self.panel):,} panel "
            f"rows, {len(self.posts):,} posts; all values are simulated>"
        )


def simulate(
    world: str,
    *,
    accounts: int | None = None,
    weeks: int | None = None,
    rng: int | np.random.Generator = 0,
    design: Design | None = None,
) -> Simulation:
    """Simulate posts, outcomes and their panel in a world whose truth is known.

    Parameters
    ----------
    world : str
        One of :data:`WORLDS` or :data:`CASES`. ``nil``, ``effect`` and ``reverse`` are panels of accounts by week
        with revenue; ``decay`` and ``flat`` with its variants are lists of accounts, without revenue. ``C06-holds``
        and its like are made for one claim: a single table, without posts, in which it holds or fails.
    accounts : int, optional
        Accounts: 40 in a panel, 5,000 in a list unless given. In a world made for one claim its units, which may be
        articles, keywords or shops.
    weeks : int, optional
        Weeks of a panel (104), or posts per account, one a week, of a list (12); rows of each unit in a world made for
        one claim.
    rng : int or numpy.random.Generator
        Seed. The same seed gives the same tables.
    design : Design, optional
        Factors that replace the world's own.

    Returns
    -------
    Simulation

    Raises
    ------
    UnknownNameError
        If there is no such world.
    DesignError
        If a size or a factor is out of range or does not fit the world.

    See Also
    --------
    simulate_panel : The panel alone, in less time.
    example_exports : The same as files of platforms.

    Examples
    --------
    >>> simulate("effect", accounts=3, weeks=20, rng=1)
    <Simulation of world 'effect': 3 accounts, 60 panel rows, ... posts; all values are simulated>
    """
    generator = _generator(rng)
    if _is_case(world):
        table, truth = _case(world, accounts, weeks, generator, design)
        return Simulation(_nothing(), _nothing(), table, truth)
    rows, truth = _draw(world, accounts, weeks, generator, design or Design())
    panel = panel_table(rows)
    spread = 1 if rows.sales is not None else int(rows.posts.max())
    posts = posts_table(rows, generator, spread_weeks=spread)
    return Simulation(posts, outcomes_table(panel), panel, truth)


def simulate_panel(
    world: str,
    *,
    accounts: int | None = None,
    weeks: int | None = None,
    rng: int | np.random.Generator = 0,
    design: Design | None = None,
) -> tuple[pd.DataFrame, Truth]:
    """Simulate the panel alone: the same as :func:`simulate` gives for the seed, in less time.

    Parameters
    ----------
    world, accounts, weeks, rng, design
        As for :func:`simulate`.

    Returns
    -------
    panel : pandas.DataFrame
        One row per account and week.
    truth : Truth
        What was planted.

    Raises
    ------
    UnknownNameError, DesignError
        As for :func:`simulate`.

    See Also
    --------
    simulate : With the posts and the outcomes.

    Examples
    --------
    >>> panel, truth = simulate_panel("decay", accounts=50, rng=1)
    >>> panel.shape, truth.parameters["exponent"]
    ((50, 11), 0.75)
    """
    if _is_case(world):
        return _case(world, accounts, weeks, _generator(rng), design)
    rows, truth = _draw(world, accounts, weeks, _generator(rng), design or Design())
    return panel_table(rows), truth


def _is_case(name: str) -> bool:
    """Whether a world was made for one claim; refused where there is no such world at all."""
    known = {**WORLDS, **CASES}
    if not isinstance(name, str) or name not in known:
        raise UnknownNameError.of("world", name, known)
    return name in CASES


def _nothing() -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame()
    table.attrs["simulated"] = True
    return table


def _case(
    name: str, units: int | None, rows: int | None, rng: np.random.Generator, design: Design | None
) -> tuple[pd.DataFrame, Truth]:
    if design is not None and design != Design():
        raise DesignError(
            f"the world {name!r} has no factors to vary",
            got=repr(design),
            fix="leave `design` out, or take one of " + ", ".join(WORLDS),
        )
    size = CASES[name].size
    table = draw_case(
        name, rng, _size("accounts", units, size[0], 2), _size("weeks", rows, size[1], MIN_WEEKS)
    )
    return table, truth_of_case(name)


def _generator(rng: int | np.random.Generator) -> np.random.Generator:
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0:
        raise DesignError(
            "`rng` must be a seed", got=repr(rng), allowed="a whole number from 0 on or a numpy Generator"
        )
    return np.random.default_rng(rng)


#: More of anything does not fit the memory of one computer, or its integers.
_LARGEST: Final = 10_000_000


def _size(name: str, value: int | None, default: int, least: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise DesignError(
            f"`{name}` is too small or no whole number", got=repr(value), allowed=f"{least} or more"
        )
    if value > _LARGEST:
        raise DesignError(f"`{name}` is too large", got=f"{value:.3g}", allowed=f"{_LARGEST:,} or fewer")
    return int(value)


def _draw(
    name: str, accounts: int | None, weeks: int | None, rng: np.random.Generator, design: Design
) -> tuple[Rows, Truth]:
    world = world_named(name)
    truth = truth_of(name, design)
    if isinstance(world, PanelWorld):
        n_accounts = _size("accounts", accounts, _PANEL_SIZE[0], 1)
        n_weeks = _size("weeks", weeks, _PANEL_SIZE[1], MIN_WEEKS)
        return draw_panel(truth, n_accounts, n_weeks, rng, design), truth
    n_accounts = _size("accounts", accounts, _LIST_SIZE[0], 1)
    n_posts = _size("weeks", weeks, _LIST_SIZE[1], 1)
    return draw_list(truth, n_accounts, n_posts, rng, world=world, design=design), truth
