"""Worlds by name, what is true in each, and their panels and lists drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from erresearch.errors import Count, DesignError, check_name
from erresearch.io import pd
from erresearch.io.files import registry
from erresearch.schema.vocabulary import DECISIVE, REACTIONS, Word

SESOI: Final = 0.05
"""The smallest effect of interest that the words of a truth assume, on elasticities and on exponents."""


@dataclass(frozen=True, slots=True)
class PanelWorld:
    """A world of accounts followed week by week, with revenue.

    Parameters
    ----------
    sentence : str
        What is true in it; may name the parameters in braces.
    elasticity : float
        Effect of log engagement on the next week's log revenue.
    feedback : float
        Effect of log revenue on the next week's log engagement.
    """

    sentence: str
    elasticity: float = 0.0
    feedback: float = 0.0


@dataclass(frozen=True, slots=True)
class ListWorld:
    """A world of one list of accounts, each with its followers and its reactions.

    Parameters
    ----------
    sentence : str
        What is true in it; may name the parameters in braces.
    exponent : float
        β in expected reactions per post = c·followers^β.
    followers_noise : float
        Standard deviation of the error in the log of the followers shown.
    selected_on : {None, "reactions", "followers"}
        What the list keeps the top of.
    pool : int
        How many times as many accounts the list was chosen from.
    """

    sentence: str
    exponent: float = 1.0
    followers_noise: float = 0.0
    selected_on: Literal["reactions", "followers"] | None = None
    pool: int = 1


WORLDS: Final[Mapping[str, PanelWorld | ListWorld]] = MappingProxyType(
    {name: PanelWorld(**said) for name, said in registry("worlds.toml")["panel"].items()}
    | {name: ListWorld(**said) for name, said in registry("worlds.toml")["list"].items()}
)
"""Every world, by name: ``worlds.toml`` lists them."""


_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "theta": (-1.0, 1.0),
    "feedback": (0.0, 2.0),
    "ar": (0.0, 0.9),
    "slopes_sd": (0.0, 0.3),
    "zero_share": (0.0, 0.9),
    "x_noise": (0.0, 2.0),
    "largest_share": (0.0, 0.99),
    "exponent": (0.1, 2.0),
}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "tail": ("lognormal", "t"),
    "persistence": ("outcome", "error"),
}
_OF_LISTS: Final = {"exponent", "x_noise", "tail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The factors of a calibration: each may be varied alone, the others stay at the world's own value.

    Parameters
    ----------
    theta : float, optional
        Elasticity of the next week's revenue with respect to engagement. Panel worlds.
    feedback : float, optional
        Elasticity of the next week's engagement with respect to revenue. Panel worlds.
    ar : float
        First-order autoregression of both disturbances. Panel worlds.
    persistence : {"outcome", "error"}
        Where the autoregression of revenue sits: in last week's log revenue itself, so that a model with one
        lag of it is exact, or in the disturbance, where such a model also needs the second lag of engagement
        and the first of spend (without them it finds .07 where .10 was planted). Panel worlds.
    slopes_sd : float
        Standard deviation of the elasticity between accounts (random slopes around `theta`). Panel worlds.
    tail : {"lognormal", "t"}
        Normal disturbances of the logs, or Student's t with 3 degrees of freedom, scaled to the same variance
        and cut at 12 standard deviations.
    zero_share : float
        Share of weeks whose revenue is 0 for reasons of their own. Panel worlds.
    x_noise : float, optional
        Standard deviation of the error in the log of the engagement shown (panel worlds) or of the followers
        shown (list worlds).
    largest_share : float, optional
        Share of all rows that the largest account has; the number of rows stays accounts × weeks, the other
        accounts are seen for equally many weeks each from a random week on. Panel worlds.
    exponent : float, optional
        β in reactions = c·followers^β. List worlds.

    Raises
    ------
    DesignError, UnknownNameError
        If a factor lies outside its range, or is none of the words for it.

    Examples
    --------
    >>> Design(ar=0.8).ar
    0.8
    """

    theta: float | None = None
    feedback: float | None = None
    ar: float = 0.5
    persistence: Literal["outcome", "error"] = "outcome"
    slopes_sd: float = 0.0
    tail: Literal["lognormal", "t"] = "lognormal"
    zero_share: float = 0.0
    x_noise: float | None = None
    largest_share: float | None = None
    exponent: float | None = None

    def __post_init__(self) -> None:
        """Refuse factors outside their range."""
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise DesignError(
                    f"the design's `{name}` is out of range", got=repr(value), allowed=f"{low:g} to {high:g}"
                )
        for name, allowed in _CHOICES.items():
            check_name(name, getattr(self, name), allowed)


@dataclass(frozen=True, slots=True)
class Expected:
    """The words that a claim may get in a world.

    Parameters
    ----------
    right : tuple of Word
        Words that count as right.
    wrong : tuple of Word
        Decisive words that would be wrong; any word in neither is neither right nor a wrong decision.
    """

    right: tuple[Word, ...]
    wrong: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true in a simulated world.

    Parameters
    ----------
    world : str
        Name of the world.
    parameters : mapping of str to float
        Planted parameters by name, for example "elasticity" or "exponent".
    words : mapping of str to Expected
        Per claim, by id, the words that are right and the decisive ones that would be wrong, with a smallest
        effect of interest of 0.05.
    sentence : str
        The truth in one plain sentence.

    Examples
    --------
    >>> truth = truth_of("effect", Design())
    >>> truth.words["C01"].right, truth.parameters["elasticity"]
    (('supported',), 0.1)
    """

    world: str
    parameters: Mapping[str, float]
    words: Mapping[str, Expected]
    sentence: str

    def __str__(self) -> str:
        """The sentence, marked as simulated."""
        return f"Simulated world {self.world!r}. {self.sentence}"


def _expected(value: float, *also: Word) -> Expected:
    """Words for the claim that a parameter whose true value is `value` is positive."""
    right: list[Word] = ["practically nil"] if abs(value) < SESOI else []
    if value:
        right.append("supported" if value > 0 else "contradicted")
    return Expected((*right, *also), tuple(word for word in DECISIVE if word not in right))


def truth_of(name: str, design: Design) -> Truth:
    """State what a world plants under a design; refuse a factor that means nothing in it.

    Examples
    --------
    >>> print(truth_of("nil", Design()))
    Simulated world 'nil'. Size, ad spend and season drive both engagement and revenue; ...
    """
    world = WORLDS[name]
    changed = {f.name for f in fields(design) if getattr(design, f.name) != f.default}
    if alien := changed & {"exponent"} if isinstance(world, PanelWorld) else changed - _OF_LISTS:
        raise DesignError(
            f"the world {name!r} has no such factor",
            got=", ".join(f"`{factor}`" for factor in sorted(alien)),
            fix="leave it out or choose another world",
        )
    if isinstance(world, PanelWorld):
        parameters = {
            "elasticity": world.elasticity if design.theta is None else design.theta,
            "elasticity sd": design.slopes_sd,
            "feedback": world.feedback if design.feedback is None else design.feedback,
            "autoregression": design.ar,
            "engagement noise": design.x_noise or 0.0,
        }
        # characteristic roots of λ² = ar·λ + θ·κ; three sd cover the random slopes that will be drawn
        growth = design.ar + (abs(parameters["elasticity"]) + 3 * design.slopes_sd) * parameters["feedback"]
        if growth >= 1:
            raise DesignError(
                "engagement and revenue would drive each other without end",
                got=f"ar + (|theta| + 3·slopes_sd)·feedback = {growth:.3g}",
                allowed="less than 1",
                fix="lower one of them",
            )
        doubt: tuple[Word, ...] = ("association only",) if parameters["feedback"] else ()
        words = {"C01": _expected(parameters["elasticity"], *doubt)}
    else:
        parameters = {
            "exponent": world.exponent if design.exponent is None else design.exponent,
            "followers_noise": world.followers_noise if design.x_noise is None else design.x_noise,
            "pool": float(world.pool),
        }
        biased = parameters["followers_noise"] > 0 or world.selected_on == "reactions"
        words = {
            "C07": _expected(round(1 - parameters["exponent"], 12), *(("inconclusive",) if biased else ()))
        }
    return Truth(name, parameters, words, world.sentence.format(**parameters))


Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rng = np.random.Generator

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


def _innovations(rng: Rng, shape: tuple[int, ...], design: Design) -> Floats:
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


def _spans(accounts: int, weeks: int, rng: Rng, design: Design) -> tuple[int, Ints, Ints]:
    """Length of the calendar, and each account's first week and number of weeks in it."""
    if design.largest_share is None:
        return weeks, np.zeros(accounts, np.int64), np.full(accounts, weeks)
    rows = accounts * weeks
    share = design.largest_share
    rest = round(rows * (1 - share) / (accounts - 1)) if accounts > 1 else 0
    longest = rows - rest * (accounts - 1)
    if not MIN_WEEKS <= rest <= longest:
        raise DesignError(
            f"the largest account cannot have {100 * share:g} % of {Count(rows):row}",
            got=f"{Count(accounts):account}, {Count(rest):week} for each of the others",
            allowed=f"at least {MIN_WEEKS} weeks for each, the most for the largest",
            fix="take another share, more accounts or more weeks",
        )
    length = np.full(accounts, rest)
    length[0] = longest
    return longest, rng.integers(0, longest - length + 1), length


def _feedback_loop(
    levels: Floats, drives: Floats, centre: Floats, slopes: Floats, rng: Rng, *, truth: Truth, design: Design
) -> tuple[Ints, Floats]:
    """Run weeks in order: this week's count of reactions, then what last week's count did to revenue.

    The elasticity acts on the log of the whole number of reactions that came out, so that the planted truth
    is a truth about the column that is seen.
    """
    counts, deviations = np.empty(levels.shape, np.int64), np.empty(levels.shape)
    shocks, feedback = REVENUE_SD * _innovations(rng, levels.shape, design), truth.parameters["feedback"]
    only_error = float(design.persistence == "error")
    deviation = memory = np.zeros(centre.size)
    log_count = centre
    for t in range(len(counts)):
        drive = drives[t] + slopes * (log_count - centre)
        rate = np.exp(np.minimum(levels[t] + feedback * deviation, 18.0))
        counts[t] = np.maximum(rng.poisson(rate), 1)
        log_count = np.log(counts[t])
        deviation = drive + design.ar * memory + shocks[t]
        memory = deviation - only_error * drive
        deviations[t] = deviation
    return counts, deviations


def draw_panel(truth: Truth, accounts: int, weeks: int, rng: Rng, design: Design) -> pd.DataFrame:
    """Draw the weeks of every account.

    With a, b the account's sizes, s the season and f a shock common to all accounts::

        log X_it = a_i + s_t + f_t + γx·log spend_it + κ·(log Y_i,t−1 − b_i) + ½·log posts_it + v_it
        log Y_it = b_i + s_t + f_t + γy·log spend_it + ρ·(log Y_i,t−1 − b_i) + θ_i·log X_i,t−1 + e_it

    where v is AR(1), X the whole number that a Poisson draw around its expectation gave, and θ_i = θ unless
    slopes vary. With ``persistence="error"`` an AR(1) disturbance takes the place of the term in ρ. `others` are people
    reached who neither reacted nor clicked.
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
    apart = np.clip(rng.standard_normal(accounts), -3, 3)
    slopes = truth.parameters["elasticity"] + truth.parameters["elasticity sd"] * apart
    counts, deviations = _feedback_loop(engagement, revenue, centre, slopes, rng, truth=truth, design=design)

    at = np.arange(calendar)[:, None]
    account, week = np.nonzero(((at >= first) & (at < first + length)).T)
    pick = (week + BURN_IN, account)
    growth = rng.normal(0.15, 0.1, accounts) * at / calendar
    followers = np.exp(10.3 + size + growth + 0.01 * rng.standard_normal((calendar, accounts)))
    shown = np.rint(followers[week, account]).astype(np.int64)
    seen = counts[pick]
    if noise := truth.parameters["engagement noise"]:  # shown with a lognormal error of mean 1
        error = np.exp(noise * rng.standard_normal(seen.shape) - noise**2 / 2)
        seen = np.maximum(rng.poisson(seen * error), 1)
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


def _audience(
    account: Ints, week: Ints, *, posts: Ints, followers: Ints, engagement: Ints, rng: Rng
) -> pd.DataFrame:
    """Split reactions by kind, and draw clicks and the people reached who did nothing; a row per account and week."""
    reactions = dict(zip(REACTIONS, rng.multinomial(engagement, REACTION_SHARES).T, strict=True))
    passing = 0.15 * posts * followers * rng.gamma(20.0, 0.05, engagement.shape)
    clicks = rng.poisson(0.15 * engagement)
    others = rng.poisson(8.0 * engagement + passing)
    columns = {
        "account": np.array(numbered("account", int(account.max()) + 1), dtype=object)[account],
        "week": (FIRST_MONDAY + 7 * week).astype("datetime64[us]"),
        "posts": posts,
        "followers": followers,
        "reach": engagement + clicks + others,
        **reactions,
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


def draw_log_followers(count: int, rng: Rng) -> tuple[Floats, float]:
    """Logs of followers, normal about the middle of their range and cut at its ends, and that middle."""
    from scipy import special

    low, high = np.log(FOLLOWERS)
    middle = (low + high) / 2
    edge = special.ndtr((high - middle) / FOLLOWERS_SD)
    return middle + FOLLOWERS_SD * special.ndtri(rng.uniform(1 - edge, edge, count)), float(middle)


def draw_list(
    truth: Truth, accounts: int, posts: int, rng: Rng, *, world: ListWorld, design: Design
) -> pd.DataFrame:
    """Draw accounts, their followers and the reactions to their posts, and keep what the list shows.

    Expected reactions per post are c·F^β·exp(noise); the counts of posts are Poisson around a gamma.
    """
    pool = accounts * world.pool
    log_followers, middle = draw_log_followers(pool, rng)
    noise = _innovations(rng, (pool,), design)
    expected = np.log(RATE) + middle + truth.parameters["exponent"] * (log_followers - middle)
    # the sum over an account's posts of gammas of one shape is a gamma of the summed shape
    luck = rng.gamma(POST_SHAPE * posts, 1 / POST_SHAPE, pool)
    rate = np.exp(expected + ACCOUNT_SD * noise) * luck
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


_LARGEST: Final = 10_000_000  # more of anything does not fit the memory of one computer, or its integers


def whole(name: str, value: int | None, default: int | None, least: int) -> int:
    """A size that a caller asked for, or the usual one if there is one."""
    if value is None:
        value = default
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise DesignError(
            f"`{name}` is too small or no whole number", got=repr(value), allowed=f"{least} or more"
        )
    if value > _LARGEST:
        raise DesignError(f"`{name}` is too large", got=f"{value:.3g}", allowed=f"{_LARGEST:,} or fewer")
    return int(value)


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """The table, which from now on says of itself that it was simulated."""
    table.attrs["simulated"] = True
    return table


def posts_table(rows: pd.DataFrame, rng: Rng, *, spread_weeks: int) -> pd.DataFrame:
    """Divide every row's totals over its posts."""
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
