"""Accounts followed week by week, or listed once: what is drawn of them, and the tables that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from erresearch.errors import DesignError
from erresearch.io import pd
from erresearch.schema.vocabulary import REACTIONS
from erresearch.worlds.truths import Design, ListWorld, Truth

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
REACTION_SHARES: Final = (0.86, 0.06, 0.05, 0.03)
"""Shares of likes, comments, shares and saves in the engagement."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
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


def autoregression(innovations: Floats, rho: float) -> Floats:
    """Running y_t = ρ·y_{t−1} + e_t down the rows, from 0."""
    out = np.empty_like(innovations)
    state = np.zeros(innovations.shape[1:])
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
    swing = autoregression(SPEND_SD * rng.standard_normal(shape), SPEND_AR)
    spend = np.round(np.exp(spend_level + SEASON["spend"] * np.cos(angle) + swing), 2)
    log_spend = np.log(spend) - spend_level
    pace = rng.uniform(1.5, 4.0, accounts)
    posts = 1 + np.minimum(rng.poisson(pace, shape), MOST_POSTS - 1)

    v = autoregression(ENGAGEMENT_SD * _innovations(rng, shape, design), design.ar)
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
    return Rows(
        account=account,
        week=FIRST_MONDAY + 7 * week,
        posts=posts[pick],
        followers=shown,
        audience=audience,
        sales=sales,
    )


def _misread(counts: Ints, noise: float, rng: np.random.Generator) -> Ints:
    """Show counts with a lognormal error of mean 1."""
    if not noise:
        return counts
    error = np.exp(noise * rng.standard_normal(counts.shape) - noise**2 / 2)
    return np.maximum(rng.poisson(counts * error), 1)


def draw_audience(engagement: Ints, followers: Ints, posts: Ints, rng: np.random.Generator) -> Audience:
    """Split reactions by kind, and draw clicks and the people reached who did nothing."""
    likes, comments, shares, saves = rng.multinomial(engagement, REACTION_SHARES).T
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


POST_SHAPE: Final = 4.0
"""Shape of the gamma by which the posts of one account differ."""

FOLLOWERS: Final = (1e3, 1e6)
FOLLOWERS_SD: Final = 1.5
ACCOUNT_SD: Final = 0.4
RATE: Final = 0.03
"""Expected reactions per post and follower at the middle of the list."""


def draw_log_followers(count: int, rng: np.random.Generator) -> tuple[Floats, float]:
    """Logs of followers, normal about the middle of their range and cut at its ends, and that middle."""
    from scipy import special

    low, high = np.log(FOLLOWERS)
    middle = (low + high) / 2
    edge = special.ndtr((high - middle) / FOLLOWERS_SD)
    return middle + FOLLOWERS_SD * special.ndtri(rng.uniform(1 - edge, edge, count)), float(middle)


def draw_list(
    truth: Truth, accounts: int, posts: int, rng: np.random.Generator, *, world: ListWorld, design: Design
) -> Rows:
    """Draw accounts, their followers and the reactions to their posts, and keep what the list shows.

    Expected reactions per post are c·F^β·exp(noise); the counts of posts are Poisson around a gamma.

    Parameters
    ----------
    truth : Truth
        Parameters of the world.
    accounts, posts : int
        Accounts on the list, and posts of each.
    rng : numpy.random.Generator
        Source of randomness.
    world : ListWorld
        How the list is chosen.
    design : Design
        Factors.

    Returns
    -------
    Rows
        One row per account.
    """
    pool = accounts * world.pool
    log_followers, middle = draw_log_followers(pool, rng)
    noise = rng.standard_normal(pool) if design.tail == "lognormal" else rng.standard_t(3, pool) / np.sqrt(3)
    expected = np.log(RATE) + middle + truth.parameters["exponent"] * (log_followers - middle)
    # the sum over an account's posts of gammas of one shape is a gamma of the summed shape
    luck = rng.gamma(POST_SHAPE * posts, 1 / POST_SHAPE, pool)
    rate = np.exp(expected + ACCOUNT_SD * np.clip(noise, -12, 12)) * luck
    engagement = np.maximum(rng.poisson(np.minimum(rate, 1e15)), 1)
    shown = np.exp(log_followers + truth.parameters["followers_noise"] * rng.standard_normal(pool))
    followers = np.maximum(np.rint(shown), 1).astype(np.int64)
    order = {"reactions": engagement, "followers": followers}.get(world.selected_on or "")
    kept = np.arange(pool) if order is None else np.sort(np.argsort(-order, kind="stable")[:accounts])
    per_account = np.full(accounts, posts)
    return Rows(
        account=np.arange(accounts),
        week=np.full(accounts, FIRST_MONDAY),
        posts=per_account,
        followers=followers[kept],
        audience=draw_audience(engagement[kept], followers[kept], per_account, rng),
    )


PLATFORMS: Final = ("instagram", "tiktok", "facebook", "youtube")
POST_TYPES: Final = ("image", "video", "carousel", "text")
PAID_SHARE: Final = 0.1
CURRENCY: Final = "EUR"
SALES: Final = ("spend", "sessions", "conversions", "revenue")
MONEY: Final = ("revenue", "spend")
MINUTES_PER_WEEK: Final = 7 * 24 * 60


def account_names(account: Ints) -> NDArray[np.object_]:
    """Name every account, with as many digits as the last one needs."""
    return np.array(numbered("account", int(account.max()) + 1), dtype=object)[account]


def numbered(kind: str, count: int) -> list[str]:
    """Names of so many of a kind, with as many digits as the last one needs."""
    width = max(2, len(str(count)))
    return [f"{kind}-{number:0{width}d}" for number in range(1, count + 1)]


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """The table, which from now on says of itself that it was simulated."""
    table.attrs["simulated"] = True
    return table


def panel_table(rows: Rows) -> pd.DataFrame:
    """One row per account and week; columns that a world does not have are absent, never 0."""
    audience = rows.audience
    columns: dict[str, object] = {
        "account": account_names(rows.account),
        "week": rows.week.astype("datetime64[us]"),
        "posts": rows.posts,
        "followers": rows.followers,
        "reach": audience.reach,
        "likes": audience.likes,
        "comments": audience.comments,
        "shares": audience.shares,
        "saves": audience.saves,
        "clicks": audience.clicks,
        "engagement": audience.engagement,
    }
    if rows.sales is not None:
        columns |= {name: getattr(rows.sales, name) for name in SALES}
    return marked(pd.DataFrame(columns))


def posts_table(rows: Rows, rng: np.random.Generator, *, spread_weeks: int) -> pd.DataFrame:
    """Divide every row's totals over its posts.

    Parameters
    ----------
    rows : Rows
        Totals.
    rng : numpy.random.Generator
        Source of randomness.
    spread_weeks : int
        Over how many weeks from the row's Monday on its posts are spread.

    Returns
    -------
    pandas.DataFrame
        One row per post, in order of account and time.
    """
    slots = int(rows.posts.max())
    # the last slot always holds a post: a multinomial draw leaves its rounding remainder there
    real = np.arange(slots)[::-1] < rows.posts[:, None]
    weights = np.where(real, rng.gamma(POST_SHAPE, 1.0, real.shape) + 1e-9, 0.0)
    shares = weights / weights.sum(axis=1, keepdims=True)

    def split(totals: Ints) -> Ints:
        return rng.multinomial(totals, shares)[real]

    reactions = {name: split(getattr(rows.audience, name)) for name in REACTIONS}
    clicks = split(rows.audience.clicks)
    engagement = np.sum(list(reactions.values()), axis=0)
    reach = engagement + clicks + split(rows.audience.others)
    impressions = reach + rng.poisson(0.2 * reach)
    row = np.repeat(np.arange(len(rows.posts)), rows.posts)
    minute = np.sort(rng.integers(0, spread_weeks * MINUTES_PER_WEEK, real.shape), axis=1)[real]
    account = rows.account[row]
    names = account_names(rows.account)
    starts = np.flatnonzero(np.diff(account, prepend=-1))
    number = np.arange(len(row)) - np.repeat(starts, np.diff(starts, append=len(row))) + 1
    table = pd.DataFrame(
        {
            "platform": np.array(PLATFORMS, dtype=object)[account % len(PLATFORMS)],
            "account": names[row],
            "post_id": [f"{name}-{k}" for name, k in zip(names[row], number, strict=True)],
            "published_at": rows.week[row].astype("datetime64[us]") + minute.astype("timedelta64[m]"),
            "post_type": np.array(POST_TYPES, dtype=object)[rng.integers(0, len(POST_TYPES), len(row))],
            "is_paid": rng.random(len(row)) < PAID_SHARE,
            "followers": rows.followers[row],
            "reach": reach,
            "impressions": impressions,
            "views": engagement + rng.binomial(impressions - engagement, 0.6),
            **reactions,
            "clicks": clicks,
        }
    )
    return marked(table)


def outcomes_table(panel: pd.DataFrame) -> pd.DataFrame:
    """Lay the outcomes of a panel out long: one row per entity, week and outcome."""
    kinds = [name for name in SALES if name in panel]
    parts = [
        pd.DataFrame(
            {
                "date": panel["week"],
                "entity": panel["account"],
                "outcome": kind,
                "value": panel[kind].astype("float64"),
                "currency": CURRENCY if kind in MONEY else "",
            }
        )
        for kind in kinds
    ]
    if not parts:
        empty = {"entity": "str", "outcome": "str", "value": "float64", "currency": "str"}
        table = pd.DataFrame({"date": panel["week"].iloc[:0]}).assign(
            **{name: pd.Series(dtype=kind) for name, kind in empty.items()}
        )
        return marked(table)
    return marked(pd.concat(parts, ignore_index=True))
