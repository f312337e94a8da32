"""Accounts followed week by week: ad spend, engagement and revenue under a panel world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from erresearch.errors import DesignError
from erresearch.worlds.registry import Design, Truth

__all__ = ["MIN_WEEKS", "Rows", "draw_panel"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_WEEKS: Final = 8
BURN_IN: Final = 50
MOST_POSTS: Final = 7
FIRST_MONDAY: Final = np.datetime64("2023-01-02")

# all in logs per unit of the driver
SPEND_ON_ENGAGEMENT: Final = 0.4
SPEND_ON_REVENUE: Final = 0.15
POSTS_ON_ENGAGEMENT: Final = 0.5
SEASON: Final = {"spend": 0.2, "engagement": 0.3, "revenue": 0.15}
COMMON_SHOCK: Final = 0.08
ENGAGEMENT_SD: Final = 0.4
REVENUE_SD: Final = 0.25
SPEND_SD: Final = 0.35
SPEND_AR: Final = 0.7
REACTIONS: Final = (0.86, 0.06, 0.05, 0.03)
"""Shares of likes, comments, shares and saves in the engagement."""


@dataclass(frozen=True, slots=True, eq=False)
class Audience:
    """Reactions by kind, clicks, and the people reached who did neither, one number per row.

    Everyone reached reacted, clicked or did neither, so reach is never below the reactions.

    Parameters
    ----------
    likes, comments, shares, saves, clicks, others : (n,) int array
        Counts.
    """

    likes: Ints
    comments: Ints
    shares: Ints
    saves: Ints
    clicks: Ints
    others: Ints

    @property
    def engagement(self) -> Ints:
        """Sum of the reactions."""
        return self.likes + self.comments + self.shares + self.saves

    @property
    def reach(self) -> Ints:
        """Everyone."""
        return self.engagement + self.clicks + self.others


@dataclass(frozen=True, slots=True, eq=False)
class Sales:
    """Ad spend and the shop's figures, one number per row.

    Parameters
    ----------
    spend, revenue : (n,) float array
        Money.
    sessions, conversions : (n,) int array
        Visits of the shop and orders.
    """

    spend: Floats
    sessions: Ints
    conversions: Ints
    revenue: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One row per account and week, as arrays of the same length.

    Parameters
    ----------
    account : (n,) int array
        Number of the account, from 0.
    week : (n,) datetime64 array
        Monday of the week.
    posts, followers : (n,) int array
        Posts of the week, and followers.
    audience : Audience
        What people did.
    sales : Sales or None
        None in a list world, where nothing is sold.
    """

    account: Ints
    week: NDArray[np.datetime64]
    posts: Ints
    followers: Ints
    audience: Audience
    sales: Sales | None = None


def _innovations(rng: np.random.Generator, shape: tuple[int, int], design: Design) -> Floats:
    """Disturbances of variance 1, with the tail of the design."""
    if design.tail == "lognormal":
        return rng.standard_normal(shape)
    heavy: Floats = np.clip(rng.standard_t(3, shape) / np.sqrt(3), -12, 12)
    return heavy


def _autoregression(innovations: Floats, rho: float) -> Floats:
    """Running y_t = ρ·y_{t−1} + e_t down the rows, from 0."""
    out = np.empty_like(innovations)
    state = np.zeros(innovations.shape[1])
    for t, shock in enumerate(innovations):
        state = rho * state + shock
        out[t] = state
    return out


def _spans(accounts: int, weeks: int, rng: np.random.Generator, design: Design) -> tuple[int, Ints, Ints]:
    """Length of the calendar, and each account's first week and number of weeks in it."""
    if design.largest_share is None:
        return weeks, np.zeros(accounts, np.int64), np.full(accounts, weeks)
    rows = accounts * weeks
    share = design.largest_share
    rest = round(rows * (1 - share) / (accounts - 1)) if accounts > 1 else 0
    longest = rows - rest * (accounts - 1)
    if not MIN_WEEKS <= rest <= longest:
        raise DesignError(
            f"the largest account cannot have {100 * share:g} % of {rows} rows",
            got=f"{accounts} accounts, {rest} weeks for each of the others",
            allowed=f"at least {MIN_WEEKS} weeks for each, the most for the largest",
            fix="take another share, more accounts or more weeks",
        )
    length = np.full(accounts, rest)
    length[0] = longest
    return longest, rng.integers(0, longest - length + 1), length


def _feedback_loop(
    *,
    engagement: Floats,
    revenue: Floats,
    centre: Floats,
    slopes: Floats,
    truth: Truth,
    design: Design,
    rng: np.random.Generator,
) -> tuple[Ints, Floats]:
    """Run weeks in order: this week's count of reactions, then what last week's count did to revenue.

    The elasticity acts on the log of the whole number of reactions that came out, so that the planted truth
    is a truth about the column that is seen.
    """
    counts = np.empty(engagement.shape, np.int64)
    deviations = np.empty(revenue.shape)
    feedback = truth.parameters["feedback"]
    only_error = float(design.persistence == "error")
    deviation = memory = np.zeros(centre.size)
    log_count = centre
    shocks = REVENUE_SD * _innovations(rng, (revenue.shape[0], revenue.shape[1]), design)
    for t in range(len(counts)):
        drive = revenue[t] + slopes * (log_count - centre)
        rate = np.exp(np.minimum(engagement[t] + feedback * deviation, 18.0))
        counts[t] = np.maximum(rng.poisson(rate), 1)
        log_count = np.log(counts[t])
        deviation = drive + design.ar * memory + shocks[t]
        memory = deviation - only_error * drive
        deviations[t] = deviation
    return counts, deviations


def draw_panel(truth: Truth, accounts: int, weeks: int, rng: np.random.Generator, design: Design) -> Rows:
    """Draw the weeks of every account.

    With a, b the account's sizes, s the season and f a shock common to all accounts::

        log X_it = a_i + s_t + f_t + γx·log spend_it + κ·(log Y_i,t−1 − b_i) + ½·log posts_it + v_it
        log Y_it = b_i + s_t + f_t + γy·log spend_it + ρ·(log Y_i,t−1 − b_i) + θ_i·log X_i,t−1 + e_it

    where v is AR(1), X the whole number that a Poisson draw around its expectation gave, and θ_i = θ unless
    slopes vary. With ``persistence="error"`` an AR(1) disturbance takes the place of the term in ρ.

    Parameters
    ----------
    truth : Truth
        Parameters of the world.
    accounts, weeks : int
        Size; a burn-in of 50 weeks comes before.
    rng : numpy.random.Generator
        Source of randomness.
    design : Design
        Factors.

    Returns
    -------
    Rows
        Sorted by account and week.

    Raises
    ------
    DesignError
        If the rows cannot be divided as the design asks.
    """
    calendar, first, length = _spans(accounts, weeks, rng, design)
    shape = (calendar + BURN_IN, accounts)
    size, own = np.clip(rng.standard_normal((2, accounts)), -2, 2)
    centre = 7.5 + 0.9 * size
    sales_level = 9.2 + 0.9 * (0.9 * size + 0.44 * own)
    spend_level = 6.0 + 0.6 * size + 0.3 * np.clip(rng.standard_normal(accounts), -2, 2)

    angle = 2 * np.pi * (np.arange(shape[0])[:, None] - BURN_IN - 35) / 52.1775
    common = COMMON_SHOCK * rng.standard_normal((shape[0], 1))
    swing = _autoregression(SPEND_SD * rng.standard_normal(shape), SPEND_AR)
    spend = np.round(np.exp(spend_level + SEASON["spend"] * np.cos(angle) + swing), 2)
    log_spend = np.log(spend) - spend_level
    pace = rng.uniform(1.5, 4.0, accounts)
    posts = 1 + np.minimum(rng.poisson(pace, shape), MOST_POSTS - 1)

    v = _autoregression(ENGAGEMENT_SD * _innovations(rng, shape, design), design.ar)
    engagement = centre + SEASON["engagement"] * np.cos(angle) + common + SPEND_ON_ENGAGEMENT * log_spend + v
    engagement += POSTS_ON_ENGAGEMENT * np.log(posts / (1 + pace))
    revenue = SEASON["revenue"] * np.cos(angle) + common + SPEND_ON_REVENUE * log_spend
    slopes = truth.parameters["elasticity"] + truth.parameters["elasticity sd"] * np.clip(
        rng.standard_normal(accounts), -3, 3
    )
    counts, deviations = _feedback_loop(
        engagement=engagement,
        revenue=revenue,
        centre=centre,
        slopes=slopes,
        truth=truth,
        design=design,
        rng=rng,
    )

    at = np.arange(calendar)[:, None]
    account, week = np.nonzero(((at >= first) & (at < first + length)).T)
    pick = (week + BURN_IN, account)
    growth = rng.normal(0.15, 0.1, accounts)
    followers = np.exp(
        10.3 + size + growth * at / calendar + 0.01 * rng.standard_normal((calendar, accounts))
    )
    shown = np.rint(followers[week, account]).astype(np.int64)
    seen = _misread(counts[pick], truth.parameters["engagement noise"], rng)
    audience = draw_audience(seen, shown, posts[pick], rng)
    sales = _draw_sales(
        account=account,
        spend=spend[pick],
        revenue=np.exp(sales_level + deviations)[pick],
        clicks=audience.clicks,
        zero_share=design.zero_share,
        rng=rng,
    )
    return Rows(account, FIRST_MONDAY + 7 * week, posts[pick], shown, audience, sales)


def _misread(counts: Ints, noise: float, rng: np.random.Generator) -> Ints:
    """Show counts with a lognormal error of mean 1."""
    if not noise:
        return counts
    error = np.exp(noise * rng.standard_normal(counts.shape) - noise**2 / 2)
    return np.maximum(rng.poisson(counts * error), 1)


def draw_audience(engagement: Ints, followers: Ints, posts: Ints, rng: np.random.Generator) -> Audience:
    """Split reactions by kind, and draw clicks and the people reached who did nothing."""
    likes, comments, shares, saves = rng.multinomial(engagement, REACTIONS).T
    passing = 0.15 * posts * followers * rng.gamma(20.0, 0.05, engagement.shape)
    return Audience(
        likes=likes,
        comments=comments,
        shares=shares,
        saves=saves,
        clicks=rng.poisson(0.15 * engagement),
        others=rng.poisson(8.0 * engagement + passing),
    )


def _draw_sales(
    *,
    account: Ints,
    spend: Floats,
    revenue: Floats,
    clicks: Ints,
    zero_share: float,
    rng: np.random.Generator,
) -> Sales:
    """Split revenue into orders, and draw the visits behind them."""
    orders = revenue / rng.uniform(40, 80, account.max() + 1)[account]
    sold = rng.random(account.shape) >= zero_share
    conversions = np.where(sold, np.maximum(rng.poisson(orders), 1), 0)
    return Sales(
        spend=spend,
        sessions=clicks + conversions + rng.poisson(30.0 * orders),
        conversions=conversions,
        revenue=np.where(sold, np.maximum(np.round(revenue, 2), 0.01), 0.0),
    )
