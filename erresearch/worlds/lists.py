"""One list of accounts with followers and reactions, under a list world."""

from __future__ import annotations

from typing import Final

import numpy as np

from erresearch.worlds.panels import FIRST_MONDAY, Rows, draw_audience
from erresearch.worlds.registry import Design, ListWorld, Truth

__all__ = ["POST_SHAPE", "draw_list"]

POST_SHAPE: Final = 4.0
"""Shape of the gamma by which the posts of one account differ."""

FOLLOWERS: Final = (1e3, 1e6)
FOLLOWERS_SD: Final = 1.5
ACCOUNT_SD: Final = 0.4
RATE: Final = 0.03
"""Expected reactions per post and follower at the middle of the list."""


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
    from scipy import special

    pool = accounts * world.pool
    low, high = np.log(FOLLOWERS)
    middle = (low + high) / 2
    edge = special.ndtr((high - middle) / FOLLOWERS_SD)
    log_followers = middle + FOLLOWERS_SD * special.ndtri(rng.uniform(1 - edge, edge, pool))
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
        np.arange(accounts),
        np.full(accounts, FIRST_MONDAY),
        per_account,
        followers[kept],
        draw_audience(engagement[kept], followers[kept], per_account, rng),
    )
