"""A simulated shop by day that obeys a schedule: what it does not post brings no reactions, and sells nothing later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from erresearch.errors import DesignError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SHOP_WORLDS", "simulate_shop"]

Array = npt.NDArray[np.float64]

#: Days simulated before the first one of the table.
BURN: Final = 150
#: How the response to a post is spread over the fourteen days after it; which one is drawn at random.
KERNELS: Final = {
    "fast": 0.5 ** np.arange(14),
    "middle": 0.8 ** np.arange(14),
    "slow": 0.9 ** np.arange(14),
    "hump": np.arange(1, 15) * 0.7 ** np.arange(14),
}
#: What else moves reactions or revenue.
SHOP_WORLDS: Final = ("nothing", "promotions", "teasers", "hidden demand", "drift")


def simulate_shop(
    world: str = "promotions",
    *,
    days: int = 730,
    effect: float = 0.0,
    orders: float = 30.0,
    posting: npt.NDArray[np.bool_] | None = None,
    missed: float = 0.0,
    rng: int | np.random.Generator = 1,
) -> pd.DataFrame:
    """Simulate one shop's days: posts, reactions, orders and revenue.

    With one seed and one number of days, all days before the schedule are the same whatever the schedule is:
    plan from the first days of a table, then call again with the schedule.

    Parameters
    ----------
    world : {"nothing", "promotions", "teasers", "hidden demand", "drift"}
        What else moves reactions or revenue.
    days : int
        Rows.
    effect : float
        Elasticity of revenue on a lasting rise of reactions.
    orders : float
        Mean orders in a day.
    posting : numpy.ndarray of bool, optional
        Whether the shop may post, for the last days of the table.
    missed : float
        Share of the days of pause on which it posts all the same.
    rng : int or numpy.random.Generator
        Seed.

    Returns
    -------
    pandas.DataFrame
        entity ("simulated shop"), period, posts, engagement, orders, revenue.

    Raises
    ------
    UnknownNameError
        For a world that is not there.
    DesignError
        If there are more days of a schedule than days.

    See Also
    --------
    erresearch.experiments.plan_experiment : Draws the schedule.

    Examples
    --------
    >>> table = simulate_shop(days=60, effect=0.2, posting=np.array([False] * 30), rng=1)
    >>> len(table), int(table["posts"][30:].sum())
    (60, 0)
    """
    import pandas as pd

    if world not in SHOP_WORLDS:
        raise UnknownNameError.of("world of a shop", world, SHOP_WORLDS)
    if posting is not None and len(posting) > days:
        raise DesignError(
            "the schedule is longer than the table", got=f"{len(posting)} and {days} days", fix="add days"
        )
    source = np.random.default_rng(rng)
    # what the schedule changes draws from a stream of its own
    counts, money = (np.random.default_rng(source.integers(2**63)) for _ in range(2))
    n = days + BURN
    t = np.arange(n)
    kernel = KERNELS[str(source.choice(list(KERNELS)))]
    in_logs = bool(source.integers(2))
    season = np.cos(2 * np.pi * (t - BURN - 250) / 365.25) + 0.4 * np.sin(4 * np.pi * (t - BURN) / 365.25)
    demand = _memory(source, n, 0.7, 0.2) + _memory(source, n, 0.98, 0.1)
    may_post = source.random(n) < source.uniform(2, 5) / 7
    interest = 0.25 * season + _memory(source, n, 0.9, 0.3)
    to_interest, sales, event = _driver(world, source, n)
    may_post |= event
    interest += to_interest
    spread = source.standard_normal(n)
    disobeys = source.random(n) < missed
    if posting is not None:
        silent = np.r_[np.zeros(n - len(posting), bool), ~np.asarray(posting, dtype=bool)]
        may_post &= ~silent | disobeys
    reactions = np.rint(np.exp(np.log(200) + interest + 0.8 * spread)) * may_post
    felt = np.convolve(reactions, np.r_[0, kernel / kernel.sum()])[:n]
    usual = 200 * np.exp(0.5) * 0.5
    level = 0.15 * season + demand + sales + _response(felt / usual, effect, in_logs)
    level += source.normal(0, 0.12, 7)[t % 7] + np.log(orders)
    sold = counts.poisson(np.exp(np.minimum(level, 12)))
    revenue = np.where(sold > 0, money.gamma(np.maximum(sold, 1) * 2.04) * 50 / 2.04, 0.0)
    return pd.DataFrame(
        {
            "entity": "simulated shop",
            "period": pd.date_range("2023-01-02", periods=days),
            "posts": may_post[BURN:].astype(int),
            "engagement": reactions[BURN:].astype(int),
            "orders": sold[BURN:],
            "revenue": revenue[BURN:].round(2),
        }
    )


def _memory(rng: np.random.Generator, n: int, rho: float, sd: float) -> Array:
    from scipy.signal import lfilter

    return np.asarray(lfilter([1], [1, -rho], rng.standard_normal(n) * sd * np.sqrt(1 - rho**2)))


def _response(felt: Array, effect: float, in_logs: bool) -> Array:
    """Log of what posting brings, 0 at usual reactions; a share of revenue, or by the logarithm with a floor."""
    if in_logs:
        return np.asarray(effect * 1.1 * np.log((felt + 0.1) / 1.1))
    return np.log(np.maximum(1 - effect + effect * felt, 0.05))


def _driver(world: str, rng: np.random.Generator, n: int) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """What is added to interest and to sales, and on which days there is a post because of it."""
    interest, sales, event = np.zeros(n), np.zeros(n), np.zeros(n, bool)
    if world == "hidden demand":  # people look now and buy two to six days later
        hidden = _memory(rng, n, 0.8, 0.35)
        return hidden, 0.4 * np.convolve(hidden, np.r_[0, 0, np.ones(5) / 5])[:n], event
    if world == "drift":  # the level wanders
        return interest, 0.01 * np.cumsum(rng.standard_normal(n)), event
    start = int(rng.integers(0, 25))
    while world in ("promotions", "teasers") and start < n - 8:
        length = int(rng.integers(1, 4))
        post = max(start - int(rng.integers(1, 4)), 0) if world == "teasers" else start
        event[post] = True
        interest[post : post + (1 if world == "teasers" else length)] += 0.8
        sales[start : start + length] += 0.45
        if world == "promotions":
            sales[start + length : start + length + 5] -= 0.12
        start += 10 + int(rng.geometric(1 / 15))
    return interest, sales, event
