"""Simulated weekly panels in which a careless reading of engagement and revenue goes wrong.

Each world gives a table (entity, period, engagement, comments, likes, followers, revenue, spend, event) and states
what is true in it. `event` is 1 in weeks with a promotion (or the like), 0 elsewhere: without the column it is a shop
that did not write its promotions down. Nothing here is evidence about the world.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

BURN = 60  # weeks before the table begins


Array = np.ndarray


class World(NamedTuple):
    """A way to make tables, and the truth in them: elasticity of revenue on engagement, next week and same week."""

    make: Callable[..., pd.DataFrame]
    next_week: float
    same_week: float
    note: str


def _ar(shocks: Array, rho: float) -> Array:
    out, state = np.empty_like(shocks), np.zeros(shocks.shape[1:])
    for t in range(len(shocks)):
        state = rho * state + shocks[t]
        out[t] = state
    return out


def _lag(a: Array, k: int = 1) -> Array:
    out = np.zeros_like(a)
    out[k:] = a[:-k]
    return out


def _events(rng: np.random.Generator, length: int, shops: int, gap: int = 8) -> Array:
    """Weeks with a promotion: about one in `gap`, at least three apart."""
    out = np.zeros((length, shops))
    for g in range(shops):
        t = int(rng.integers(0, gap))
        while t < length:
            out[t, g] = 1
            t += 3 + int(rng.geometric(1 / (gap - 3)))
    return out


def _world(
    *,
    next_week: float = 0.0,
    same_week: float = 0.0,
    memory: float = 0.5,
    driver: Callable[[np.random.Generator, int, int], tuple[Array, Array, Array]] | None = None,
    measured: Callable[[np.random.Generator, int, int], Array] | None = None,
) -> Callable[..., pd.DataFrame]:
    """Build a world: `driver` adds (to engagement, to revenue, event); `measured` adds to engagement's count only."""

    def make(rng: np.random.Generator, *, weeks: int = 104, shops: int = 1) -> pd.DataFrame:
        length = weeks + BURN
        t = np.arange(length)[:, None]
        season = np.cos(2 * np.pi * (t - BURN - 35) / 52.1775)
        common = 0.08 * rng.standard_normal((length, 1)) if shops > 1 else np.zeros((length, 1))
        spend = 0.2 * season + _ar(0.35 * rng.standard_normal((length, shops)), 0.7)
        x = 0.3 * season + common + 0.4 * spend + _ar(0.4 * rng.standard_normal((length, shops)), 0.5)
        noise = 0.15 * season + common + 0.15 * spend + 0.25 * rng.standard_normal((length, shops))
        to_x, to_y, event = driver(rng, length, shops) if driver else (0.0, 0.0, np.zeros((length, shops)))
        x = x + to_x
        moving = x - 0.3 * season
        y = _ar(next_week * _lag(moving) + same_week * moving + noise, memory) + to_y
        seen = x + (measured(rng, length, shops) if measured else 0.0)
        return _table(rng, (seen, y, spend, event), weeks, shops)

    return make


def _table(
    rng: np.random.Generator, parts: tuple[Array, Array, Array, Array], weeks: int, shops: int
) -> pd.DataFrame:
    x, y, spend, event = parts
    size = np.clip(rng.standard_normal(shops), -2, 2) if shops > 1 else np.zeros(1)
    engagement = np.maximum(rng.poisson(np.exp(np.minimum(7.5 + 0.9 * size + x, 18))), 1)
    comments = np.maximum(rng.binomial(engagement, 0.06), 1)
    followers = np.rint(np.exp(10.3 + size + _ar(0.01 * rng.standard_normal(x.shape), 1.0)))
    dates = np.datetime64("2023-01-02") + 7 * np.arange(weeks)

    def cut(a: Array) -> Array:
        return np.broadcast_to(a, x.shape)[BURN:].T.ravel()

    made: dict[str, Any] = {
        "entity": np.repeat([f"shop-{g:02d}" for g in range(shops)], weeks),
        "period": np.tile(dates.astype("datetime64[us]"), shops),
        "engagement": cut(engagement), "comments": cut(comments), "likes": cut(np.maximum(engagement - comments, 1)),
        "followers": cut(followers), "revenue": cut(np.round(np.exp(9.2 + 0.9 * size + y), 2)),
        "spend": cut(np.round(np.exp(6 + 0.6 * size + spend), 2)), "event": cut(event),
    }  # fmt: skip
    return pd.DataFrame(made)


def _dip(rng: np.random.Generator, length: int, shops: int) -> tuple[Array, Array, Array]:
    p = _events(rng, length, shops)
    return 0.7 * p, 0.5 * p - 0.2 * _lag(p), p


def _teaser(rng: np.random.Generator, length: int, shops: int) -> tuple[Array, Array, Array]:
    p = _events(rng, length, shops)
    return 0.7 * np.roll(p, -1, axis=0) + 0.3 * p, 0.4 * p, p


def _black_friday(rng: np.random.Generator, length: int, shops: int) -> tuple[Array, Array, Array]:
    week = (np.arange(length) - BURN) % 52
    p = (week == 46)[:, None] * np.exp(0.3 * rng.standard_normal((length, shops)))
    return 1.0 * np.roll(p, -1, axis=0) + 1.2 * p, 1.2 * p - 0.25 * _lag(p) + 0.3 * _lag(p, 4), (p > 0) * 1.0


def _relaunch(rng: np.random.Generator, length: int, shops: int) -> tuple[Array, Array, Array]:
    start = rng.integers(BURN + (length - BURN) // 4, BURN + 3 * (length - BURN) // 4, shops)
    after = (np.arange(length)[:, None] >= start[None, :]) * 1.0
    return 0.8 * after, 0.5 * _ar(after * 0.35, 0.65), np.diff(after, axis=0, prepend=0.0)


def _hidden_demand(rng: np.random.Generator, length: int, shops: int) -> tuple[Array, Array, Array]:
    d = _ar(0.25 * rng.standard_normal((length, shops)), 0.3)
    return d, 0.5 * _lag(d), np.zeros((length, shops))


def _viral(rng: np.random.Generator, length: int, shops: int) -> tuple[Array, Array, Array]:
    v = (rng.random((length, shops)) < 0.03) * rng.exponential(1.5, (length, shops))
    return _ar(v, 0.4), np.zeros((length, shops)), np.zeros((length, shops))


def _noise(sd: float) -> Callable[[np.random.Generator, int, int], Array]:
    return lambda rng, length, shops: sd * rng.standard_normal((length, shops)) - sd**2 / 2


def _bots(share: float, size: float) -> Callable[[np.random.Generator, int, int], Array]:
    return lambda rng, length, shops: (
        (rng.random((length, shops)) < share) * rng.exponential(size, (length, shops))
    )


WORLDS = {
    "nothing": World(_world(), 0.0, 0.0, "no effect, no driver"),
    "effect .2": World(_world(next_week=0.2), 0.2, 0.0, "four times delta, next week"),
    "effect .3": World(_world(next_week=0.3), 0.3, 0.0, "six times delta, next week"),
    "same week .3": World(
        _world(same_week=0.3, memory=0.0), 0.0, 0.3, "works at once, leaves nothing for next week"
    ),
    "promotion, then a dip": World(
        _world(driver=_dip), 0.0, 0.0, "promotions lift both at once; the week after is weaker"
    ),
    "teaser before a sale": World(
        _world(driver=_teaser), 0.0, 0.0, "announced a week ahead; the sale sells, not the reactions"
    ),
    "Black Friday": World(_world(driver=_black_friday), 0.0, 0.0, "once a year, all shops"),
    "relaunch": World(
        _world(driver=_relaunch), 0.0, 0.0, "new site and new content team in one week; both shift for good"
    ),
    "hidden demand": World(
        _world(driver=_hidden_demand), 0.0, 0.0, "people look one week and buy the next: no table can tell"
    ),
    "viral weeks": World(
        _world(driver=_viral), 0.0, 0.0, "a few weeks with far more engagement, nothing sold"
    ),
    "effect .1, noisy count": World(
        _world(next_week=0.1, measured=_noise(0.8)), 0.1, 0.0, "engagement measured with much error"
    ),
    "effect .1, bots": World(
        _world(next_week=0.1, measured=_bots(0.3, 1.5)), 0.1, 0.0, "counts inflated in a third of the weeks"
    ),
}


def events(table: pd.DataFrame, world: str) -> pd.DataFrame:
    """Events as a shop would declare them: weeks of a promotion, or the day from which a relaunch stays."""
    weeks = table[table["event"] > 0]
    found = pd.DataFrame(
        {"start": weeks["period"], "end": weeks["period"] + pd.Timedelta(days=6), "name": "event"}
    )
    return found.assign(entity=weeks["entity"], kind="step" if world == "relaunch" else "pulse")
