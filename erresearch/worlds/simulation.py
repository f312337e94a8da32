"""Simulates a world by name: posts, outcomes and their panel, or the one table that is made for a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from erresearch.errors import Count, DesignError, check_name
from erresearch.io import pd
from erresearch.io.files import registry
from erresearch.schema.vocabulary import DECISIVE, Word
from erresearch.worlds.panels import (
    FIRST_MONDAY,
    MIN_WEEKS,
    WORLDS,
    Design,
    Expected,
    Floats,
    Ints,
    PanelWorld,
    Rng,
    Truth,
    autoregression,
    draw_list,
    draw_log_followers,
    draw_panel,
    marked,
    numbered,
    outcomes_table,
    posts_table,
    truth_of,
    whole,
)

THRESHOLD: Final = 6
"""The tipping point: so many interactions at which people buy more often by a jump, where there is one."""

_EARNING_SD: Final = 0.25


def earning_list(rng: Rng, accounts: int, weeks: int, exponent: float) -> pd.DataFrame:
    """One row per account: followers, and revenue of `weeks` weeks that grows as followers^`exponent`."""
    followers, middle = draw_log_followers(accounts, rng)
    noise = _EARNING_SD * rng.standard_normal(accounts)
    revenue = np.log(250.0 * weeks) + exponent * (followers - middle) + noise
    return pd.DataFrame(
        {
            "account": numbered("account", accounts),
            "followers": np.rint(np.exp(followers)).astype(np.int64),
            "revenue": np.round(np.exp(revenue), 2),
        }
    )


def articles(rng: Rng, count: int, days: int, effect: float) -> pd.DataFrame:
    """Articles by day: views fade, comments and clicks follow views, and comments move clicks by `effect` per sd."""
    fading = -0.05 * np.arange(days)
    level = 7 + 0.5 * rng.standard_normal((count, 1)) + fading
    views = rng.poisson(np.exp(level + 0.5 * rng.standard_normal((count, days))))
    comments = rng.poisson(0.02 * views * rng.gamma(3.0, 1 / 3.0, views.shape))
    pull = effect * (comments - comments.mean()) / comments.std(ddof=1)
    clicks = rng.poisson(0.03 * views * np.exp(pull) * rng.gamma(10.0, 0.1, views.shape))
    first = np.datetime64("2024-01-01")
    return pd.DataFrame(
        {
            "article": np.repeat(numbered("article", count), days),
            "day": np.tile((first + np.arange(days)).astype("datetime64[us]"), count),
            "page_views": views.ravel(),
            "comments": comments.ravel(),
            "ad_clicks": clicks.ravel(),
        }
    )


def videos(rng: Rng, keywords: int, places: int, effect: float) -> pd.DataFrame:
    """Videos in the order a search shows them: by views, age, chance, and `effect` times the log of comments."""
    shape = (keywords, places)
    views = np.exp(9 + 0.7 * rng.standard_normal((keywords, 1)) + 1.2 * rng.standard_normal(shape))
    age = np.ceil(np.exp(5 + rng.standard_normal(shape)))
    comments = rng.poisson(0.02 * views * np.exp(0.8 * rng.standard_normal(shape)))
    merit = 0.5 * np.log(views) - 0.3 * np.log(age) + effect * np.log1p(comments) + rng.standard_normal(shape)
    position = np.argsort(np.argsort(-merit, axis=1), axis=1) + 1
    return pd.DataFrame(
        {
            "keyword": np.repeat(numbered("keyword", keywords), places),
            "position": position.ravel(),
            "views": np.rint(views).astype(np.int64).ravel(),
            "age": age.astype(np.int64).ravel(),
            "comments": comments.ravel(),
        }
    )


def people(rng: Rng, shops: int, each: int, jump: float) -> pd.DataFrame:
    """People of several shops: the chance of a purchase grows by degrees, and by `jump` from 6 interactions on."""
    rows = shops * each
    shop = np.repeat(np.arange(shops), each)
    interactions = rng.poisson(np.exp(1.5 + 0.8 * rng.standard_normal(rows)))
    chance = 0.05 + 0.05 * np.log1p(interactions) + 0.01 * rng.standard_normal(shops)[shop]
    chance += jump * (interactions >= THRESHOLD)
    return pd.DataFrame(
        {
            "shop": np.asarray(numbered("shop", shops), dtype=object)[shop],
            "interactions": interactions,
            "bought": (rng.random(rows) < np.clip(chance, 0, 1)).astype(np.int64),
        }
    )


_BURN_IN: Final = 60
_WINDOW: Final = 26
_MEMORY: Final = 0.5
_COMMON: Final = 0.08


class _Weeks:
    """Tables of accounts by week, one method for each that ``worlds.toml`` names, and what all their columns share.

    Arrays are weeks × accounts, a burn-in first. Season and a shock common to all accounts are T × 1, the deviation of
    log ad spend from the account's level T × G; sizes of the accounts are standardised.
    """

    def __init__(self, rng: Rng, accounts: int, weeks: int) -> None:
        length = weeks + _BURN_IN
        self.rng, self.weeks = rng, weeks
        self.season: Floats = np.cos(2 * np.pi * (np.arange(length)[:, None] - _BURN_IN - 35) / 52.1775)
        self.common: Floats = _COMMON * rng.standard_normal((length, 1))
        swing = autoregression(0.35 * rng.standard_normal((length, accounts)), 0.7)
        self.spend: Floats = 0.2 * self.season + swing
        self.size: Floats = np.clip(rng.standard_normal(accounts), -2, 2)

    def noise(self, sd: float) -> Floats:
        """Independent normal values, one per account and week."""
        return sd * self.rng.standard_normal(self.spend.shape)

    def driver(self, sd: float = 0.35) -> Floats:
        """Log of something that spend and season move too, as deviation from the account's level."""
        return 0.3 * self.season + self.common + 0.4 * self.spend + autoregression(self.noise(sd), _MEMORY)

    def outcome(self, drive: Floats, *, sd: float = 0.25) -> Floats:
        """Log of an outcome that last week's `drive` moves; half of a week's deviation is there a week later."""
        pushed = 0.15 * self.season + self.common + 0.15 * self.spend + self.noise(sd)
        pushed[1:] += drive[:-1]
        return autoregression(pushed, _MEMORY)

    def counts(self, level: float, deviations: Floats, *, spread: float = 0.9) -> Ints:
        """Whole numbers, 1 at least, around exp(level + size + deviations)."""
        rate = np.exp(np.minimum(level + spread * self.size + deviations, 18.0))
        return np.maximum(self.rng.poisson(rate), 1)

    def driving(self, effect: float, level: float = 7.5) -> tuple[Ints, Floats]:
        """Counts of a driver, and `effect` times their log about the account's level."""
        counts = self.counts(level, self.driver())
        return counts, effect * (np.log(counts) - level - 0.9 * self.size)

    def money(self, deviations: Floats) -> Floats:
        """Amounts around the level of each account."""
        return np.asarray(np.round(np.exp(9.2 + 0.9 * self.size + deviations), 2), dtype=np.float64)

    def table(self, **columns: Floats | Ints) -> pd.DataFrame:
        """One row per account and week, spend beside the columns."""
        spend: Floats = np.exp(6 + 0.6 * self.size + self.spend)
        columns["spend"] = spend.round(2)
        weeks = (FIRST_MONDAY + 7 * np.arange(self.weeks)).astype("datetime64[us]")
        accounts = numbered("account", len(self.size))
        index = pd.MultiIndex.from_product([accounts, weeks], names=["account", "week"])
        shown = {name: values[_BURN_IN:].T.ravel() for name, values in columns.items()}
        return pd.DataFrame(shown, index=index).reset_index()

    def comments_and_revenue(self, effect: float) -> pd.DataFrame:
        """Comments of a week move the next week's revenue by `effect` (elasticity)."""
        comments, drive = self.driving(effect, 5.5)
        return self.table(comments=comments, revenue=self.money(self.outcome(drive)))

    def conversion(self, effect: float) -> pd.DataFrame:
        """Engagement of a week moves the next week's share of sessions that end in a purchase by `effect`."""
        engagement, drive = self.driving(effect)
        rate = np.minimum(np.exp(np.log(0.03) + self.outcome(drive, sd=0.15)), 0.9)
        sessions = self.counts(10.0, 0.4 * self.season + self.noise(0.2), spread=0.3)
        conversions = np.maximum(self.rng.binomial(sessions, rate), 1)
        return self.table(
            engagement=engagement,
            sessions=sessions,
            conversions=conversions,
            conversion_rate=conversions / sessions,
        )

    def followers_or_engagement(self, engagement: float, followers: float) -> pd.DataFrame:
        """Next week's revenue moves with engagement, or with followers, who come and go with campaigns."""
        crowd = autoregression(self.noise(0.15), 0.8)
        reacting = self.driver()
        return self.table(
            engagement=self.counts(7.5, reacting),
            followers=self.counts(10.3, crowd),
            revenue=self.money(self.outcome(engagement * reacting + followers * crowd)),
        )

    def two_rates(self, by_reach: float, by_followers: float) -> pd.DataFrame:
        """Next week's revenue moves with reactions per person reached, or with reactions per follower."""
        followers = self.counts(10.3, np.zeros_like(self.spend))
        seen = self.driver(0.35)
        warmth = autoregression(self.noise(0.3), _MEMORY)
        reach = self.counts(9.0, seen)
        engagement = np.maximum(self.rng.poisson(0.05 * reach * np.exp(warmth)), 1)
        drive = by_reach * warmth + by_followers * (seen + warmth)
        return self.table(
            followers=followers,
            reach=reach,
            engagement=engagement,
            er_by_reach=engagement / reach,
            er_by_followers=engagement / followers,
            revenue=self.money(self.outcome(drive)),
        )

    def bands_or_history(self, history: float, band: float) -> pd.DataFrame:
        """Next week's revenue moves with the rate against the account's own past, or with the band it falls in.

        The own past is the mean and standard deviation of the log rate over the 26 weeks before; bands are those quoted
        after Scrunch (below 1 %, to 3.5 %, to 6 %, above), numbered 0 to 3.
        """
        rate = np.exp(np.log(0.023) + 0.5 * self.size + autoregression(self.noise(0.45), 0.3))
        logs = np.log(rate)
        past = np.lib.stride_tricks.sliding_window_view(logs, _WINDOW, axis=0)[:-1]
        own = np.zeros_like(logs)
        own[_WINDOW:] = (logs[_WINDOW:] - past.mean(axis=-1)) / past.std(axis=-1)
        number = np.digitize(rate, [0.01, 0.035, 0.06])
        return self.table(
            engagement_rate=rate,
            rate_against_own_history=own,
            band=number,
            revenue=self.money(self.outcome(history * own + band * number)),
        )

    def reach_next_week(self, effect: float) -> pd.DataFrame:
        """Engagement of a week moves the next week's reach by `effect` (elasticity)."""
        engagement, drive = self.driving(effect)
        return self.table(engagement=engagement, reach=self.counts(10.0, self.outcome(drive, sd=0.2)))

    def regular_posts(self, effect: float) -> pd.DataFrame:
        """Posts of a week move the next week's engagement per post by `effect` (elasticity)."""
        posts = 1 + self.counts(1.8, self.driver(0.25), spread=0.3)
        each = self.outcome(effect * (np.log(posts) - 2.0), sd=0.15)
        engagement = np.maximum(self.rng.poisson(posts * np.exp(6.0 + 0.9 * self.size + each)), 1)
        return self.table(posts=posts, engagement=engagement, engagement_per_post=engagement / posts)

    def promoters_or_engagement(self, score: float, engagement: float) -> pd.DataFrame:
        """Next week's revenue moves with the true net promoter score, or with engagement.

        The score is known from 150 answers a week, of which 3 in 10 are passive: it errs by about 7 points.
        """
        true = np.clip(20 + 10 * self.size + autoregression(self.noise(8.0), 0.7), -60, 60)
        shares = np.stack([0.35 + true / 200, np.full_like(true, 0.3), 0.35 - true / 200], axis=-1)
        answers = self.rng.multinomial(150, shares)
        reacting = self.driver()
        drive = score * (true - 20 - 10 * self.size) + engagement * reacting
        return self.table(
            promoters=answers[..., 0],
            passives=answers[..., 1],
            detractors=answers[..., 2],
            nps=100 * (answers[..., 0] - answers[..., 2]) / 150,
            engagement=self.counts(7.5, reacting),
            revenue=self.money(self.outcome(drive)),
        )

    def lasting(self, effect: float) -> pd.DataFrame:
        """Engagement moves the next week's revenue by `effect`, of which half is there again a week later."""
        engagement, drive = self.driving(effect)
        return self.table(engagement=engagement, revenue=self.money(self.outcome(drive, sd=0.15)))


_TABLES: Final[Mapping[str, Callable[..., pd.DataFrame]]] = {
    made.__name__: made for made in (earning_list, articles, videos, people)
}


def _table(table: str, rng: Rng, units: int, rows: int, /, **parameters: float) -> pd.DataFrame:
    """Draw a table by the name that it has in ``worlds.toml``."""
    if table in _TABLES:
        return _TABLES[table](rng, units, rows, **parameters)
    drawn: pd.DataFrame = getattr(_Weeks(rng, units, rows), table)(**parameters)
    return drawn


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
    table : str
        Which table is drawn, by its name in ``worlds.toml``.
    size : tuple of int
        Units (accounts, articles, keywords, shops) and rows of each.
    parameters : mapping of str to float
        What is planted, by its name.
    """

    sentence: str
    claim: str
    right: Word
    table: str
    size: tuple[int, int]
    parameters: Mapping[str, float]


def _read_cases() -> Iterator[tuple[str, CaseWorld]]:
    for entry in registry("worlds.toml")["case"]:
        own = {"claim": entry["claim"], "table": entry["table"], "size": tuple(entry["size"])}
        for end, word in (("holds", "supported"), ("fails", "practically nil")):
            said = {"right": word, **entry[end]}
            own |= {name: said.pop(name) for name in ("sentence", "right")}
            yield f"{entry['claim']}-{end}", CaseWorld(**own, parameters=MappingProxyType(said))


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

    def __repr__(self) -> str:
        """World and sizes, marked as simulated."""
        if "account" not in self.panel:
            return f"<Simulation of world {self.truth.world!r}: {Count(len(self.panel)):row}; all values are simulated>"
        accounts = self.panel["account"].nunique()
        return (
            f"<Simulation of world {self.truth.world!r}: {Count(accounts):account}, {Count(len(self.panel)):panel row}, "
            f"{Count(len(self.posts)):post}; all values are simulated>"
        )


def simulate(
    world: str,
    *,
    accounts: int | None = None,
    weeks: int | None = None,
    rng: int | Rng = 0,
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
    rows, truth = _draw(world, accounts, weeks, generator, design or Design())
    if world in CASES:
        return Simulation(marked(pd.DataFrame()), marked(pd.DataFrame()), marked(rows), truth)
    spread = 1 if "revenue" in rows else int(rows["posts"].max())
    posts = posts_table(rows, generator, spread_weeks=spread)
    panel = marked(rows.drop(columns="others"))
    return Simulation(posts, outcomes_table(panel), panel, truth)


def simulate_panel(
    world: str,
    *,
    accounts: int | None = None,
    weeks: int | None = None,
    rng: int | Rng = 0,
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
    rows, truth = _draw(world, accounts, weeks, _generator(rng), design or Design())
    return marked(rows if world in CASES else rows.drop(columns="others")), truth


def _draw(
    name: str, accounts: int | None, weeks: int | None, rng: Rng, design: Design
) -> tuple[pd.DataFrame, Truth]:
    """The rows of a world of any kind, and what is true of them."""
    check_name("world", name, {**WORLDS, **CASES})
    if name in CASES and design != Design():
        raise DesignError(
            f"the world {name!r} has no factors to vary",
            got=repr(design),
            fix="leave `design` out, or take one of " + ", ".join(WORLDS),
        )
    if name in CASES:
        case = CASES[name]
        sizes = whole("accounts", accounts, case.size[0], 2), whole("weeks", weeks, case.size[1], MIN_WEEKS)
        words = Expected((case.right,), tuple(word for word in DECISIVE if word != case.right))
        sentence = case.sentence.format(**case.parameters)
        truth = Truth(name, dict(case.parameters), {case.claim: words}, sentence)
        return _table(case.table, rng, *sizes, **case.parameters), truth
    world, truth = WORLDS[name], truth_of(name, design)
    if isinstance(world, PanelWorld):
        count, length = whole("accounts", accounts, 40, 1), whole("weeks", weeks, 104, MIN_WEEKS)
        return draw_panel(truth, count, length, rng, design), truth
    # fewer than about 2,500 accounts cannot show a nil of ±0.05 to a Poisson regression on such followers
    count, length = whole("accounts", accounts, 5000, 1), whole("weeks", weeks, 12, 1)
    return draw_list(truth, count, length, rng, world=world, design=design), truth


def _generator(rng: int | Rng) -> Rng:
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0:
        raise DesignError(
            "`rng` must be a seed", got=repr(rng), allowed="a whole number from 0 on or a numpy Generator"
        )
    return np.random.default_rng(rng)
