"""Rows seen once for worlds made for one claim: accounts on a list, articles by day, videos of a search, people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from erresearch.worlds.lists import FOLLOWERS, FOLLOWERS_SD

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["THRESHOLD", "articles", "earning_list", "people", "videos"]

THRESHOLD: Final = 6
"""Number of interactions from which on people buy more often, where there is such a number."""

_EARNING_SD: Final = 0.25


def _names(kind: str, count: int) -> list[str]:
    width = max(2, len(str(count)))
    return [f"{kind}-{number:0{width}d}" for number in range(1, count + 1)]


def earning_list(rng: np.random.Generator, accounts: int, weeks: int, exponent: float) -> pd.DataFrame:
    """One row per account: followers, and revenue of `weeks` weeks that grows as followers^`exponent`."""
    import pandas as pd
    from scipy import special

    low, high = np.log(FOLLOWERS)
    middle = (low + high) / 2
    edge = special.ndtr((high - middle) / FOLLOWERS_SD)
    followers = middle + FOLLOWERS_SD * special.ndtri(rng.uniform(1 - edge, edge, accounts))
    revenue = (
        np.log(250.0 * weeks) + exponent * (followers - middle) + _EARNING_SD * rng.standard_normal(accounts)
    )
    return pd.DataFrame(
        {
            "account": _names("account", accounts),
            "followers": np.rint(np.exp(followers)).astype(np.int64),
            "revenue": np.round(np.exp(revenue), 2),
        }
    )


def articles(rng: np.random.Generator, count: int, days: int, effect: float) -> pd.DataFrame:
    """Articles by day: views fade, comments and clicks follow views, and comments move clicks by `effect` per sd."""
    import pandas as pd

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
            "article": np.repeat(_names("article", count), days),
            "day": np.tile((first + np.arange(days)).astype("datetime64[us]"), count),
            "page_views": views.ravel(),
            "comments": comments.ravel(),
            "ad_clicks": clicks.ravel(),
        }
    )


def videos(rng: np.random.Generator, keywords: int, places: int, effect: float) -> pd.DataFrame:
    """Videos in the order a search shows them: by views, age, chance, and `effect` times the log of comments."""
    import pandas as pd

    shape = (keywords, places)
    views = np.exp(9 + 0.7 * rng.standard_normal((keywords, 1)) + 1.2 * rng.standard_normal(shape))
    age = np.ceil(np.exp(5 + rng.standard_normal(shape)))
    comments = rng.poisson(0.02 * views * np.exp(0.8 * rng.standard_normal(shape)))
    merit = 0.5 * np.log(views) - 0.3 * np.log(age) + effect * np.log1p(comments) + rng.standard_normal(shape)
    position = np.argsort(np.argsort(-merit, axis=1), axis=1) + 1
    return pd.DataFrame(
        {
            "keyword": np.repeat(_names("keyword", keywords), places),
            "position": position.ravel(),
            "views": np.rint(views).astype(np.int64).ravel(),
            "age": age.astype(np.int64).ravel(),
            "comments": comments.ravel(),
        }
    )


def people(rng: np.random.Generator, shops: int, each: int, jump: float) -> pd.DataFrame:
    """People of several shops: the chance of a purchase grows by degrees, and by `jump` from 6 interactions on."""
    import pandas as pd

    rows = shops * each
    shop = np.repeat(np.arange(shops), each)
    interactions = rng.poisson(np.exp(1.5 + 0.8 * rng.standard_normal(rows)))
    chance = 0.05 + 0.05 * np.log1p(interactions) + 0.01 * rng.standard_normal(shops)[shop]
    chance += jump * (interactions >= THRESHOLD)
    return pd.DataFrame(
        {
            "shop": np.asarray(_names("shop", shops), dtype=object)[shop],
            "interactions": interactions,
            "bought": (rng.random(rows) < np.clip(chance, 0, 1)).astype(np.int64),
        }
    )
