"""The tables of the worlds that are made for one claim: a row per person, video or article, or a row per week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from erresearch.io import pd
from erresearch.worlds.panels import (
    FIRST_MONDAY,
    Floats,
    autoregression,
    draw_log_followers,
    numbered,
)

THRESHOLD: Final = 6
"""The tipping point: so many interactions at which people buy more often by a jump, where there is one."""

_EARNING_SD: Final = 0.25


def earning_list(rng: np.random.Generator, accounts: int, weeks: int, exponent: float) -> pd.DataFrame:
    """One row per account: followers, and revenue of `weeks` weeks that grows as followers^`exponent`."""
    followers, middle = draw_log_followers(accounts, rng)
    revenue = (
        np.log(250.0 * weeks) + exponent * (followers - middle) + _EARNING_SD * rng.standard_normal(accounts)
    )
    return pd.DataFrame(
        {
            "account": numbered("account", accounts),
            "followers": np.rint(np.exp(followers)).astype(np.int64),
            "revenue": np.round(np.exp(revenue), 2),
        }
    )


def articles(rng: np.random.Generator, count: int, days: int, effect: float) -> pd.DataFrame:
    """Articles by day: views fade, comments and clicks follow views, and comments move clicks by `effect` per sd."""
    fading = -0.05 * np.arange(days)
    views = rng.poisson(
        np.exp(7 + 0.5 * rng.standard_normal((count, 1)) + fading + 0.5 * rng.standard_normal((count, days)))
    )
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


def videos(rng: np.random.Generator, keywords: int, places: int, effect: float) -> pd.DataFrame:
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


def people(rng: np.random.Generator, shops: int, each: int, jump: float) -> pd.DataFrame:
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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Weeks:
    """What all columns of a table share; weeks × accounts, a burn-in first.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    season, common : (T, 1) array
        Season, and a shock common to all accounts, in logs.
    spend : (T, G) array
        Deviation of log ad spend from the account's level.
    size : (G,) array
        Size of the accounts, standardised.
    weeks : int
        Weeks that are shown.
    """

    rng: np.random.Generator
    season: Floats
    common: Floats
    spend: Floats
    size: Floats
    weeks: int

    @classmethod
    def draw(cls, rng: np.random.Generator, accounts: int, weeks: int) -> Weeks:
        """Draw the weeks of `accounts`."""
        length = weeks + _BURN_IN
        season = np.cos(2 * np.pi * (np.arange(length)[:, None] - _BURN_IN - 35) / 52.1775)
        common = _COMMON * rng.standard_normal((length, 1))
        spend = 0.2 * season + autoregression(0.35 * rng.standard_normal((length, accounts)), 0.7)
        size = np.clip(rng.standard_normal(accounts), -2, 2)
        return cls(rng=rng, season=season, common=common, spend=spend, size=size, weeks=weeks)

    def noise(self, sd: float) -> Floats:
        """Independent normal values, one per account and week."""
        return sd * self.rng.standard_normal(self.spend.shape)

    def driver(self, sd: float = 0.35, memory: float = _MEMORY) -> Floats:
        """Log of something that spend and season move too, as deviation from the account's level."""
        return 0.3 * self.season + self.common + 0.4 * self.spend + autoregression(self.noise(sd), memory)

    def outcome(self, drive: Floats, *, sd: float = 0.25) -> Floats:
        """Log of an outcome that last week's `drive` moves; half of a week's deviation is there a week later."""
        pushed = 0.15 * self.season + self.common + 0.15 * self.spend + self.noise(sd)
        pushed[1:] += drive[:-1]
        return autoregression(pushed, _MEMORY)

    def counts(self, level: float, deviations: Floats, *, spread: float = 0.9) -> NDArray[np.int64]:
        """Whole numbers, 1 at least, around exp(level + size + deviations)."""
        rate = np.exp(np.minimum(level + spread * self.size + deviations, 18.0))
        return np.maximum(self.rng.poisson(rate), 1)

    def driving(self, effect: float, level: float = 7.5) -> tuple[NDArray[np.int64], Floats]:
        """Counts of a driver, and `effect` times their log about the account's level."""
        counts = self.counts(level, self.driver())
        return counts, effect * (np.log(counts) - level - 0.9 * self.size)

    def table(self, columns: Mapping[str, Floats | NDArray[np.int64]]) -> pd.DataFrame:
        """One row per account and week, spend beside the columns."""
        accounts = len(self.size)
        weeks = FIRST_MONDAY + 7 * np.arange(self.weeks)
        spend = np.round(np.exp(6 + 0.6 * self.size + self.spend), 2)
        shown = {name: values[_BURN_IN:].T.ravel() for name, values in {**columns, "spend": spend}.items()}
        return pd.DataFrame(
            {
                "account": np.repeat(numbered("account", accounts), self.weeks),
                "week": np.tile(weeks.astype("datetime64[us]"), accounts),
                **shown,
            }
        )


def _money(weeks: Weeks, deviations: Floats) -> Floats:
    return np.asarray(np.round(np.exp(9.2 + 0.9 * weeks.size + deviations), 2), dtype=np.float64)


def comments_and_revenue(rng: np.random.Generator, accounts: int, weeks: int, effect: float) -> pd.DataFrame:
    """Comments of a week move the next week's revenue by `effect` (elasticity)."""
    made = Weeks.draw(rng, accounts, weeks)
    comments, drive = made.driving(effect, 5.5)
    return made.table(
        {
            "comments": comments,
            "revenue": _money(made, made.outcome(drive)),
        }
    )


def conversion(rng: np.random.Generator, accounts: int, weeks: int, effect: float) -> pd.DataFrame:
    """Engagement of a week moves the next week's share of sessions that end in a purchase by `effect`."""
    made = Weeks.draw(rng, accounts, weeks)
    engagement, drive = made.driving(effect)
    rate = np.minimum(np.exp(np.log(0.03) + made.outcome(drive, sd=0.15)), 0.9)
    sessions = made.counts(10.0, 0.4 * made.season + made.noise(0.2), spread=0.3)
    conversions = np.maximum(made.rng.binomial(sessions, rate), 1)
    return made.table(
        {
            "engagement": engagement,
            "sessions": sessions,
            "conversions": conversions,
            "conversion_rate": conversions / sessions,
        }
    )


def followers_or_engagement(
    rng: np.random.Generator, accounts: int, weeks: int, engagement: float, followers: float
) -> pd.DataFrame:
    """Next week's revenue moves with engagement, or with followers, who come and go with campaigns."""
    made = Weeks.draw(rng, accounts, weeks)
    crowd = autoregression(made.noise(0.15), 0.8)
    reacting = made.driver()
    return made.table(
        {
            "engagement": made.counts(7.5, reacting),
            "followers": made.counts(10.3, crowd),
            "revenue": _money(made, made.outcome(engagement * reacting + followers * crowd)),
        }
    )


def two_rates(
    rng: np.random.Generator, accounts: int, weeks: int, by_reach: float, by_followers: float
) -> pd.DataFrame:
    """Next week's revenue moves with reactions per person reached, or with reactions per follower."""
    made = Weeks.draw(rng, accounts, weeks)
    followers = made.counts(10.3, np.zeros_like(made.spend))
    seen = made.driver(0.35)
    warmth = autoregression(made.noise(0.3), _MEMORY)
    reach = made.counts(9.0, seen)
    engagement = np.maximum(made.rng.poisson(0.05 * reach * np.exp(warmth)), 1)
    drive = by_reach * warmth + by_followers * (seen + warmth)
    return made.table(
        {
            "followers": followers,
            "reach": reach,
            "engagement": engagement,
            "er_by_reach": engagement / reach,
            "er_by_followers": engagement / followers,
            "revenue": _money(made, made.outcome(drive)),
        }
    )


def bands_or_history(
    rng: np.random.Generator, accounts: int, weeks: int, history: float, band: float
) -> pd.DataFrame:
    """Next week's revenue moves with the rate against the account's own past, or with the band it falls in.

    The own past is the mean and standard deviation of the log rate over the 26 weeks before; bands are those quoted
    after Scrunch (below 1 %, to 3.5 %, to 6 %, above), numbered 0 to 3.
    """
    made = Weeks.draw(rng, accounts, weeks)
    rate = np.exp(np.log(0.023) + 0.5 * made.size + autoregression(made.noise(0.45), 0.3))
    logs = np.log(rate)
    past = np.lib.stride_tricks.sliding_window_view(logs, _WINDOW, axis=0)[:-1]
    own = np.zeros_like(logs)
    own[_WINDOW:] = (logs[_WINDOW:] - past.mean(axis=-1)) / past.std(axis=-1)
    number = np.digitize(rate, [0.01, 0.035, 0.06])
    return made.table(
        {
            "engagement_rate": rate,
            "rate_against_own_history": own,
            "band": number,
            "revenue": _money(made, made.outcome(history * own + band * number)),
        }
    )


def reach_next_week(rng: np.random.Generator, accounts: int, weeks: int, effect: float) -> pd.DataFrame:
    """Engagement of a week moves the next week's reach by `effect` (elasticity)."""
    made = Weeks.draw(rng, accounts, weeks)
    engagement, drive = made.driving(effect)
    return made.table(
        {
            "engagement": engagement,
            "reach": made.counts(10.0, made.outcome(drive, sd=0.2)),
        }
    )


def regular_posts(rng: np.random.Generator, accounts: int, weeks: int, effect: float) -> pd.DataFrame:
    """Posts of a week move the next week's engagement per post by `effect` (elasticity)."""
    made = Weeks.draw(rng, accounts, weeks)
    posts = 1 + made.counts(1.8, made.driver(0.25), spread=0.3)
    each = made.outcome(effect * (np.log(posts) - 2.0), sd=0.15)
    engagement = np.maximum(made.rng.poisson(posts * np.exp(6.0 + 0.9 * made.size + each)), 1)
    return made.table(
        {
            "posts": posts,
            "engagement": engagement,
            "engagement_per_post": engagement / posts,
        }
    )


def promoters_or_engagement(
    rng: np.random.Generator, accounts: int, weeks: int, score: float, engagement: float
) -> pd.DataFrame:
    """Next week's revenue moves with the true net promoter score, or with engagement.

    The score is known from 150 answers a week, of which 3 in 10 are passive: it errs by about 7 points.
    """
    made = Weeks.draw(rng, accounts, weeks)
    true = np.clip(20 + 10 * made.size + autoregression(made.noise(8.0), 0.7), -60, 60)
    shares = np.stack([0.35 + true / 200, np.full_like(true, 0.3), 0.35 - true / 200], axis=-1)
    answers = made.rng.multinomial(150, shares)
    reacting = made.driver()
    drive = score * (true - 20 - 10 * made.size) + engagement * reacting
    return made.table(
        {
            "promoters": answers[..., 0],
            "passives": answers[..., 1],
            "detractors": answers[..., 2],
            "nps": 100 * (answers[..., 0] - answers[..., 2]) / 150,
            "engagement": made.counts(7.5, reacting),
            "revenue": _money(made, made.outcome(drive)),
        }
    )


def lasting(rng: np.random.Generator, accounts: int, weeks: int, effect: float) -> pd.DataFrame:
    """Engagement moves the next week's revenue by `effect`, of which half is there again a week later."""
    made = Weeks.draw(rng, accounts, weeks)
    engagement, drive = made.driving(effect)
    return made.table(
        {
            "engagement": engagement,
            "revenue": _money(made, made.outcome(drive, sd=0.15)),
        }
    )
