"""Boosted posts whose price is not held fixed: what was paid moves reactions and sales alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import narwhals.stable.v2 as nw

from erresearch.engine.moments import Moments
from erresearch.engine.sources import column_names, gather, open_rows
from erresearch.errors import DataError, GuardError

__all__ = ["Boosts", "boosts_in", "unpriced_boosts"]

#: Columns that say how many posts of a row were boosted, or whether the row's post was.
_MARKS: Final = ("paid_posts", "is_paid")
_SPEND: Final = "spend"


@dataclass(frozen=True, slots=True)
class Boosts:
    """What a table says of boosted posts and of their price.

    Parameters
    ----------
    mark : str
        The column that says so; empty where there is none.
    boosted, posts : float
        Boosted posts, and posts (rows, where the table does not count posts).
    priced : bool
        Whether there is a column of spending.
    paid_for : bool
        Whether spending is above 0 in some row with boosted posts.
    constant : bool
        Whether spending never moves, so that it cannot be a control.
    """

    mark: str = ""
    boosted: float = 0.0
    posts: float = 0.0
    priced: bool = False
    paid_for: bool = False
    constant: bool = False

    def __str__(self) -> str:
        """The count in words."""
        return f"{self.boosted:,.0f} of {self.posts:,.0f} posts were boosted"


def boosts_in(data: Any) -> Boosts:
    """Count boosted posts, and look whether spending is known where they are.

    Parameters
    ----------
    data : frame, path or Moments
        Rows with ``paid_posts`` (posts by period) or ``is_paid`` (one row per post); tables with neither say nothing.

    Returns
    -------
    Boosts

    Examples
    --------
    >>> import pandas as pd
    >>> print(boosts_in(pd.DataFrame({"posts": [3, 2], "paid_posts": [1, 0]})))
    1 of 5 posts were boosted
    """
    present = data.columns if isinstance(data, Moments) else column_names(data)
    mark = next((name for name in _MARKS if name in present), "")
    if not mark:
        return Boosts()
    if isinstance(data, Moments):
        place = data.columns.index(mark)
        boosted = float(data.sums[:, place].sum() + data.weight.sum() * data.origin[place])
        # which rows were paid for cannot be told from sums
        return Boosts(mark, boosted, float(data.rows), _SPEND in present, _SPEND in present)
    names = [mark, *(name for name in ("posts", _SPEND) if name in present)]
    try:
        opened = open_rows(data, names, [], None)
    except DataError:
        # a mark that is text is another column than ours
        return Boosts()
    frame = opened.frame.with_columns(*[nw.col(name).cast(nw.Float64()).alias(name) for name in names])
    known = nw.col(mark).is_finite().fill_null(False)
    marked = nw.when(known).then(nw.col(mark)).otherwise(0.0)
    asked = [marked.sum().alias("boosted"), nw.len().alias("rows")]
    if "posts" in names:
        asked.append(nw.col("posts").sum().alias("posts"))
    if _SPEND in names:
        spent = nw.when(nw.col(_SPEND).is_finite().fill_null(False)).then(nw.col(_SPEND))
        asked += [
            nw.when(marked > 0).then(spent).max().alias("most"),
            spent.min().alias("low"),
            spent.max().alias("high"),
        ]
    (row,) = gather(frame.select(*asked), small=opened.small).to_dicts()
    return Boosts(
        mark,
        float(row["boosted"] or 0.0),
        float(row["posts"] if "posts" in names else row["rows"]),
        _SPEND in names and row["high"] is not None,
        (row.get("most") or 0.0) > 0,
        row.get("high") == row.get("low"),
    )


def unpriced_boosts(data: Any, *, held: Iterable[str]) -> None:
    """Refuse to relate figures in which boosted posts are mixed with others unless what was paid is held fixed.

    Money for a boost buys reach and reactions, and brings buyers by itself: without it as a control the boost is read
    as an effect of engagement.

    Parameters
    ----------
    data : frame, path or Moments
        As in :func:`boosts_in`.
    held : iterable of str
        Columns that the model holds fixed or looks at.

    Raises
    ------
    GuardError
        If posts were boosted and spending is not there, is 0 wherever posts were boosted, or is no control; a count
        of the boosted posts as a control will do too.

    References
    ----------
    Gordon, B. R., Zettelmeyer, F., Bhargava, N., & Chapsky, D. (2019). A comparison of approaches to advertising
    measurement: evidence from big field experiments at Facebook. *Marketing Science*, 38(2), 193-225.

    Examples
    --------
    >>> import pandas as pd
    >>> weeks = pd.DataFrame({"posts": [3, 2], "paid_posts": [1, 0], "revenue": [9.0, 7.0]})
    >>> unpriced_boosts(weeks.assign(paid_posts=0), held=[])
    >>> unpriced_boosts(weeks.assign(spend=[5.0, 0.0]), held=["spend"])
    >>> unpriced_boosts(weeks, held=[])
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 1 of 5 posts were boosted, and there is no column of what was spent: ...
    """
    found = boosts_in(data)
    if not found.boosted > 0 or found.mark in set(held):
        return
    wanted = "add what was spent by day as a column 'spend' and hold it fixed, or leave the boosted posts out"
    why = "paid reach moves reactions and sales alike"
    if not found.priced:
        raise GuardError(f"{found}, and there is no column of what was spent", got=why, fix=wanted)
    if not found.paid_for:
        raise GuardError(
            f"{found}, yet the spending is 0 wherever they are",
            got="what is known of the spending does not hold what they cost",
            fix=wanted,
        )
    if _SPEND not in set(held) and not found.constant:
        raise GuardError(f"{found}, and what was spent is not held fixed", got=why, fix=wanted)
