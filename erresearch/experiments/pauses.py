"""Finds gaps and lasting changes in posting that an audit may offer to judge."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from erresearch.experiments.history import DAYS, Array, Series, read_series

__all__ = ["Pause", "find_pauses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A gap or a jump in posting that stands in the rows.

    Parameters
    ----------
    entity : str
        The shop.
    kind : {"gap", "less", "more"}
        No posts at all, or a lasting change of their number.
    at, until : str
        First day, and first day after it; of a change, eight weeks after.
    """

    entity: str
    kind: str
    at: str
    until: str


def find_pauses(panel: Any, *, outcome: str = "revenue") -> tuple[Pause, ...]:
    """Find gaps in posting, and lasting changes of the number of posts.

    A gap is a run of periods without posts, at least two weeks long and three times the usual distance of posts. A
    change is a week at which the posts of the eight weeks before and after differ by a factor of two and by four standard
    errors. Revenue is not looked at.

    Parameters
    ----------
    panel : Panel or frame
        With a column posts.
    outcome : str
        Column of the outcome (its calendar is used).

    Returns
    -------
    tuple of Pause
        By shop and date.

    See Also
    --------
    interruption : Judges one; give it looks=len(pauses).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rows = pd.DataFrame({"period": pd.date_range("2024-01-01", periods=60, freq="7D"), "revenue": 1.0, "posts": 3})
    >>> rows.loc[40:43, "posts"] = 0
    >>> print(find_pauses(rows))
    (Pause(entity='', kind='gap', at='2024-10-07', until='2024-11-04'),)
    """
    found: list[Pause] = []
    for shop in read_series(panel, outcome=outcome):
        if shop.posts is not None:
            gaps = _gaps(shop, np.nan_to_num(shop.posts, nan=1.0))
            found += [*gaps, *_changes(shop, np.nan_to_num(shop.posts, nan=0.0), gaps)]
    return tuple(sorted(found, key=lambda pause: (pause.entity, pause.at)))


def _gaps(shop: Series, posts: Array) -> list[Pause]:
    step, at, found = DAYS[shop.every], 0, []
    active = np.flatnonzero(posts > 0)
    usual = float(np.median(np.diff(active))) if len(active) > 2 else math.inf
    for silent, run in itertools.groupby(posts == 0):
        length = len(list(run))
        inside = at > 0 and at + length < len(posts)
        if silent and inside and length * step >= 14 and length >= 3 * usual - (1 if step == 7 else 0):
            found.append(_pause(shop, "gap", at, at + length))
        at += length
    return found


def _changes(shop: Series, posts: Array, gaps: list[Pause]) -> list[Pause]:
    span = 56 // DAYS[shop.every]
    total = np.r_[0.0, np.cumsum(posts)]
    found, at = [], span
    score = np.zeros(len(posts))
    for s in range(span, len(posts) - span + 1):
        before, after = total[s] - total[s - span], total[s + span] - total[s]
        if max(before, after) >= 2 * max(min(before, after), 1):
            score[min(s, len(posts) - 1)] = (after - before) / math.sqrt(before + after)
    while at < len(posts):
        part = score[at : at + span]
        best = at + int(np.argmax(np.abs(part)))
        pause = _pause(shop, "more" if score[best] > 0 else "less", best, min(best + span, len(posts)))
        apart = all(pause.until <= gap.at or gap.until <= pause.at for gap in gaps)
        near_gap = any(
            abs(_days(pause.at, gap.at)) <= 56 or abs(_days(pause.at, gap.until)) <= 56 for gap in gaps
        )
        if abs(score[best]) >= 4 and apart and not near_gap:
            found.append(pause)
            at = best + span
        else:
            at += span
    return found


def _days(one: str, other: str) -> int:
    return int((np.datetime64(one) - np.datetime64(other)).astype(int))


def _pause(shop: Series, kind: str, first: int, last: int) -> Pause:
    until = shop.dates[last - 1] + np.timedelta64(DAYS[shop.every], "D")
    return Pause(entity=shop.entity, kind=kind, at=str(shop.dates[first]), until=str(until))
