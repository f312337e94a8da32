"""Posts that a table holds more than once: copies count once, of different figures the newest stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.engine.sources import gather
from erresearch.errors import DataError
from erresearch.panel.arriving import Arrived

__all__ = ["once"]

_KEYS = ("platform", "account", "post_id")


def once(posts: Arrived, notes: list[str]) -> tuple[Arrived, dict[str, int]]:
    """Keep one row of each post; exports were looked at when they were put together.

    Parameters
    ----------
    posts : Arrived
        Posts; where they have ``exported_at``, rows of different days may differ and the newest stay.
    notes : list of str
        Takes what was done.

    Returns
    -------
    posts, left
        Each post once, and how many rows were left out, by reason.

    Raises
    ------
    DataError
        If the same post has different figures and nothing says which are newer.
    """
    if posts.parts or "post_id" not in posts.columns:
        return posts, {}
    keys = [name for name in _KEYS if name in posts.columns]
    frame = posts.frame
    known = frame.filter(~nw.col("post_id").is_null())
    if _rows(known) == _rows(known.select(keys).unique()):
        return posts, {}
    left = {}
    before = _rows(known)
    if "exported_at" in posts.columns:
        newest = nw.col("exported_at").max().over(*keys)
        # a row without a day of export is older than any with one
        known = known.with_columns(newest.alias("__newest__"))
        known = known.filter((nw.col("exported_at") == nw.col("__newest__")) | nw.col("__newest__").is_null())
        known = known.drop("__newest__")
        left["of posts with newer figures"] = before - _rows(known)
        if left["of posts with newer figures"]:
            notes.append(
                f"{left['of posts with newer figures']:,} rows are earlier figures of posts that a later export holds "
                "again; the newest stay"
            )
        before = _rows(known)
    known = known.unique()
    whole = _rows(known)
    copies = before - whole
    if copies:
        notes.append(f"{copies:,} posts are copies of an earlier row and count once")
    left["copies of an earlier row"] = copies
    _refuse_different(known, keys, whole)
    unnamed = frame.filter(nw.col("post_id").is_null())
    return replace(posts, frame=nw.concat([known.select(posts.columns), unnamed.select(posts.columns)])), left


def _rows(frame: nw.LazyFrame[Any]) -> int:
    return int(gather(frame.select(nw.len().alias("n")))["n"][0])


def _refuse_different(frame: nw.LazyFrame[Any], keys: list[str], rows: int) -> None:
    counts = frame.group_by(*keys).agg(nw.len().alias("n")).filter(nw.col("n") > 1)
    twice = gather(counts.sort(*keys).head(1))
    if not twice.height:
        return
    total = gather(counts.select(nw.col("n").sum().alias("n")))["n"][0]
    raise DataError(
        "the same post stands in several rows with different figures",
        got=f"{total:,} of {rows:,} rows, first {keys[-1]} {twice[keys[-1]][0]!r}",
        fix="keep the newest figures of each post, add a column exported_at with the day of each row's export, or pass "
        "the exports themselves, which know their dates",
    )
