"""Rows of a world as tables: the panel, and the posts and outcomes that add up to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from erresearch.schema.vocabulary import REACTIONS
from erresearch.worlds.lists import POST_SHAPE
from erresearch.worlds.panels import Rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["account_names", "outcomes_table", "panel_table", "posts_table"]

Ints = NDArray[np.int64]

PLATFORMS: Final = ("instagram", "tiktok", "facebook", "youtube")
POST_TYPES: Final = ("image", "video", "carousel", "text")
PAID_SHARE: Final = 0.1
CURRENCY: Final = "EUR"
SALES: Final = ("spend", "sessions", "conversions", "revenue")
MONEY: Final = ("revenue", "spend")
MINUTES_PER_WEEK: Final = 7 * 24 * 60


def account_names(account: Ints) -> NDArray[np.object_]:
    """Name every account, with as many digits as the last one needs."""
    count = int(account.max()) + 1
    width = max(2, len(str(count)))
    names = np.array([f"account-{number:0{width}d}" for number in range(1, count + 1)], dtype=object)
    return names[account]


def _marked(table: pd.DataFrame) -> pd.DataFrame:
    table.attrs["simulated"] = True
    return table


def panel_table(rows: Rows) -> pd.DataFrame:
    """One row per account and week; columns that a world does not have are absent, never 0."""
    import pandas as pd

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
    return _marked(pd.DataFrame(columns))


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
    import pandas as pd

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
    return _marked(table)


def outcomes_table(panel: pd.DataFrame) -> pd.DataFrame:
    """Lay the outcomes of a panel out long: one row per entity, week and outcome."""
    import pandas as pd

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
        return _marked(table)
    return _marked(pd.concat(parts, ignore_index=True))
