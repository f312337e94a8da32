"""Accounts followed week by week, or listed once: what is drawn of them, and the tables that show it."""

from __future__ import annotations

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


def draw_panel(
    truth: Truth, accounts: int, weeks: int, rng: np.random.Generator, design: Design
) -> pd.DataFrame:
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
    pandas.DataFrame
        One row per account and week, sorted by them; `others` are people reached who neither reacted nor clicked.

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
    table = _audience(account, week, posts=posts[pick], followers=shown, engagement=seen, rng=rng)
    money = np.exp(sales_level + deviations)[pick]
    # revenue is split into orders, and the visits behind them are drawn
    orders = money / rng.uniform(40, 80, accounts)[account]
    sold = rng.random(account.shape) >= design.zero_share
    conversions = np.where(sold, np.maximum(rng.poisson(orders), 1), 0)
    return table.assign(
        spend=spend[pick],
        sessions=table["clicks"] + conversions + rng.poisson(30.0 * orders),
        conversions=conversions,
        revenue=np.where(sold, np.maximum(np.round(money, 2), 0.01), 0.0),
    )


def _misread(counts: Ints, noise: float, rng: np.random.Generator) -> Ints:
    """Show counts with a lognormal error of mean 1."""
    if not noise:
        return counts
    error = np.exp(noise * rng.standard_normal(counts.shape) - noise**2 / 2)
    return np.maximum(rng.poisson(counts * error), 1)


def _audience(
    account: Ints, week: Ints, *, posts: Ints, followers: Ints, engagement: Ints, rng: np.random.Generator
) -> pd.DataFrame:
    """Split reactions by kind, and draw clicks and the people reached who did nothing; a row per account and week."""
    likes, comments, shares, saves = rng.multinomial(engagement, REACTION_SHARES).T
    passing = 0.15 * posts * followers * rng.gamma(20.0, 0.05, engagement.shape)
    clicks = rng.poisson(0.15 * engagement)
    others = rng.poisson(8.0 * engagement + passing)
    columns = {
        "account": np.array(numbered("account", int(account.max()) + 1), dtype=object)[account],
        "week": (FIRST_MONDAY + 7 * week).astype("datetime64[us]"),
        "posts": posts,
        "followers": followers,
        "reach": engagement + clicks + others,
        "likes": likes,
        "comments": comments,
        "shares": shares,
        "saves": saves,
        "clicks": clicks,
        "engagement": engagement,
        "others": others,
    }
    return pd.DataFrame(columns)


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
) -> pd.DataFrame:
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
    pandas.DataFrame
        One row per account, with columns as :func:`draw_panel` has them, but without sales.
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
    return _audience(
        np.arange(accounts),
        np.zeros(accounts, np.int64),
        posts=np.full(accounts, posts),
        followers=followers[kept],
        engagement=engagement[kept],
        rng=rng,
    )


PLATFORMS: Final = ("instagram", "tiktok", "facebook", "youtube")
POST_TYPES: Final = ("image", "video", "carousel", "text")
PAID_SHARE: Final = 0.1
CURRENCY: Final = "EUR"
SALES: Final = ("spend", "sessions", "conversions", "revenue")
MONEY: Final = ("revenue", "spend")
MINUTES_PER_WEEK: Final = 7 * 24 * 60


def numbered(kind: str, count: int) -> list[str]:
    """Names of so many of a kind, with as many digits as the last one needs."""
    width = max(2, len(str(count)))
    return [f"{kind}-{number:0{width}d}" for number in range(1, count + 1)]


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """The table, which from now on says of itself that it was simulated."""
    table.attrs["simulated"] = True
    return table


def posts_table(rows: pd.DataFrame, rng: np.random.Generator, *, spread_weeks: int) -> pd.DataFrame:
    """Divide every row's totals over its posts.

    Parameters
    ----------
    rows : pandas.DataFrame
        Totals, as :func:`draw_panel` gives them.
    rng : numpy.random.Generator
        Source of randomness.
    spread_weeks : int
        Over how many weeks from the row's Monday on its posts are spread.

    Returns
    -------
    pandas.DataFrame
        One row per post, in order of account and time.
    """
    posts = rows["posts"].to_numpy()
    slots = int(posts.max())
    # the last slot always holds a post: a multinomial draw leaves its rounding remainder there
    real = np.arange(slots)[::-1] < posts[:, None]
    weights = np.where(real, rng.gamma(POST_SHAPE, 1.0, real.shape) + 1e-9, 0.0)
    shares = weights / weights.sum(axis=1, keepdims=True)
    *reactions, clicks, others = (
        rng.multinomial(rows[name], shares)[real] for name in (*REACTIONS, "clicks", "others")
    )
    engagement = np.sum(reactions, axis=0)
    reach = engagement + clicks + others
    impressions = reach + rng.poisson(0.2 * reach)
    minute = np.sort(rng.integers(0, spread_weeks * MINUTES_PER_WEEK, real.shape), axis=1)[real]
    each = rows.loc[rows.index.repeat(posts), ["account", "week", "followers"]].reset_index(drop=True)
    account = each["account"].factorize()[0]
    number = each.groupby("account").cumcount() + 1
    table = pd.DataFrame(
        {
            "platform": np.array(PLATFORMS, dtype=object)[account % len(PLATFORMS)],
            "account": each["account"],
            "post_id": each["account"] + "-" + number.astype(str),
            "published_at": each["week"] + minute.astype("timedelta64[m]"),
            "post_type": np.array(POST_TYPES, dtype=object)[rng.integers(0, len(POST_TYPES), len(each))],
            "is_paid": rng.random(len(each)) < PAID_SHARE,
            "followers": each["followers"],
            "reach": reach,
            "impressions": impressions,
            "views": engagement + rng.binomial(impressions - engagement, 0.6),
            **dict(zip(REACTIONS, reactions, strict=True)),
            "clicks": clicks,
        }
    )
    return marked(table)


def outcomes_table(panel: pd.DataFrame) -> pd.DataFrame:
    """Lay the outcomes of a panel out long: one row per entity, week and outcome."""
    kinds = [name for name in SALES if name in panel]
    named = panel.rename(columns={"week": "date", "account": "entity"})
    long = named.melt(["date", "entity"], kinds, var_name="outcome", value_name="value")
    return marked(long.assign(currency=np.where(long["outcome"].isin(MONEY), CURRENCY, "")))
