"""Simulates a world by name: posts, outcomes and their panel, or the one table of a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from erresearch.errors import DesignError, UnknownNameError
from erresearch.io import pd
from erresearch.io.files import registry
from erresearch.schema.vocabulary import DECISIVE, Word
from erresearch.worlds import case_tables
from erresearch.worlds.panels import (
    MIN_WEEKS,
    Rows,
    draw_list,
    draw_panel,
    marked,
    outcomes_table,
    panel_table,
    posts_table,
)
from erresearch.worlds.truths import WORLDS, Design, Expected, PanelWorld, Truth, truth_of


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


_PANEL_SIZE: Final = (40, 104)
# fewer than about 2,500 accounts cannot show a nil of ±0.05 to a Poisson regression on such followers
_LIST_SIZE: Final = (5000, 12)


def _read_cases() -> Iterator[tuple[str, CaseWorld]]:
    usual: dict[str, Word] = {"holds": "supported", "fails": "practically nil"}
    for entry in registry("worlds.toml")["case"]:
        for end, word in usual.items():
            said = dict(entry[end])
            yield (
                f"{entry['claim']}-{end}",
                CaseWorld(
                    sentence=said.pop("sentence"),
                    claim=entry["claim"],
                    right=said.pop("right", word),
                    draw=getattr(case_tables, entry["table"]),
                    size=tuple(entry["size"]),
                    parameters=said,
                ),
            )


CASES: Final[Mapping[str, CaseWorld]] = MappingProxyType(dict(_read_cases()))
"""Every world made for one claim, by name: the claim's id and whether it holds; ``worlds.toml`` lists them."""


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
        return Simulation(marked(pd.DataFrame()), marked(pd.DataFrame()), table, truth)
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


def _case(
    name: str, units: int | None, rows: int | None, rng: np.random.Generator, design: Design | None
) -> tuple[pd.DataFrame, Truth]:
    if design is not None and design != Design():
        raise DesignError(
            f"the world {name!r} has no factors to vary",
            got=repr(design),
            fix="leave `design` out, or take one of " + ", ".join(WORLDS),
        )
    case = CASES[name]
    count = _size("accounts", units, case.size[0], 2)
    table = case.draw(rng, count, _size("weeks", rows, case.size[1], MIN_WEEKS), **case.parameters)
    words = Expected((case.right,), tuple(word for word in DECISIVE if word != case.right))
    sentence = case.sentence.format(**case.parameters)
    return marked(table), Truth(name, dict(case.parameters), {case.claim: words}, sentence)


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
    world, truth = WORLDS[name], truth_of(name, design)
    followed = isinstance(world, PanelWorld)
    usual = _PANEL_SIZE if followed else _LIST_SIZE
    count = _size("accounts", accounts, usual[0], 1)
    length = _size("weeks", weeks, usual[1], MIN_WEEKS if followed else 1)
    if isinstance(world, PanelWorld):
        return draw_panel(truth, count, length, rng, design), truth
    return draw_list(truth, count, length, rng, world=world, design=design), truth
