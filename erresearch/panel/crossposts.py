"""One post on two sister networks, counted as one."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from erresearch.errors import GuardError
from erresearch.panel.activity import MERGED, SUMMED
from erresearch.panel.arriving import Arrived
from erresearch.panel.entities import plain_name

if TYPE_CHECKING:
    import polars as pl

__all__ = ["merge_crossposts"]

_SISTERS = ("facebook", "instagram")
_CLOSE = dt.timedelta(minutes=2)
_PEOPLE = ("reach",)


def merge_crossposts(posts: Arrived, notes: list[str]) -> Arrived:
    """Merge each Facebook post with the Instagram post that it was published with.

    Two posts are one if they went out within two minutes of each other and either the file says that one of them is a
    cross-post or their texts (``caption``, as text or hashed) are equal; never if both texts are known and differ. Their
    accounts must have one name, or each network one account. Reactions and views are added up; reach counts people
    that may be the same, so it is not known.

    Parameters
    ----------
    posts : Arrived
        Posts of any engine, in memory.
    notes : list of str
        Takes what was done.

    Returns
    -------
    Arrived
        With a column that marks the Facebook row of each pair, which still says which days its file covers.

    Raises
    ------
    GuardError
        If the posts are lazy.
    """
    import polars as pl

    if posts.lazy:
        raise GuardError(
            "cross-posts of lazy tables are not searched for",
            got=str(posts.frame.implementation),
            fix="collect the posts of Facebook and Instagram first, or keep both with crossposts='kept'",
        )
    table: pl.DataFrame = posts.frame.collect().to_native()
    if "platform" not in table.columns:
        notes.append("the posts name no platform, so no cross-posts could be found")
        return posts
    table = table.with_row_index("__row__")
    pairs = _pairs(table)
    if not pairs:
        notes.append("no post was found on both Facebook and Instagram")
        return posts
    there = [name for name in SUMMED if name in table.columns]
    added = {name: table[name].cast(pl.Float64).to_list() for name in there}
    for gone, kept in pairs:
        for name, values in added.items():
            a, b = values[gone], values[kept]
            values[kept] = None if name in _PEOPLE else a if b is None else b if a is None else a + b
    columns = [pl.Series(name, values, dtype=pl.Float64) for name, values in added.items()]
    absorbed = [gone for gone, _ in pairs]
    table = table.with_columns(*columns, pl.col("__row__").is_in(absorbed).alias(MERGED)).drop("__row__")
    notes.append(
        f"{len(pairs):,} posts stand on Facebook and on Instagram and count as one each: their reactions are added up, "
        "their reach is not known"
    )
    return replace(posts, frame=nw.from_native(table.lazy()), columns=(*posts.columns, MERGED))


def _pairs(table: pl.DataFrame) -> list[tuple[int, int]]:
    """Rows of Facebook and of Instagram that are one post, nearest in time first; each row once."""
    import polars as pl

    wanted = {"is_crosspost": None, "caption": None, "time_precision": "minute", "collaboration": None}
    rows = table.select(
        "__row__", "platform", "account", pl.col("published_at").alias("at"),
        *[pl.col(name) if name in table.columns else pl.lit(value).alias(name) for name, value in wanted.items()],
    ).filter(
        pl.col("at").is_not_null(),
        pl.col("platform").is_in(_SISTERS),
        pl.col("time_precision").fill_null("") != "day",
        ~pl.col("collaboration").cast(pl.Boolean).fill_null(value=False),
    )  # fmt: skip
    sides = [
        list(rows.filter(pl.col("platform") == name).sort("at").iter_rows(named=True)) for name in _SISTERS
    ]
    single = all(len({row["account"] for row in side}) == 1 for side in sides)
    found: list[tuple[dt.timedelta, int, int]] = []
    start = 0
    for one in sides[0]:
        while start < len(sides[1]) and sides[1][start]["at"] < one["at"] - _CLOSE:
            start += 1
        for other in sides[1][start:]:
            if other["at"] > one["at"] + _CLOSE:
                break
            if _same(one, other, single=single):
                found.append((abs(other["at"] - one["at"]), one["__row__"], other["__row__"]))
    pairs, used = [], set()
    for _, gone, kept in sorted(found):
        if gone not in used and kept not in used:
            pairs.append((gone, kept))
            used |= {gone, kept}
    return pairs


def _same(one: dict[str, Any], other: dict[str, Any], *, single: bool) -> bool:
    if not single and plain_name(str(one["account"])) != plain_name(str(other["account"])):
        return False
    texts = (one["caption"], other["caption"])
    if all(texts):
        return bool(texts[0] == texts[1])
    return bool(one["is_crosspost"] or other["is_crosspost"])
