"""Posts that stay in their engine, described by sums: kinds of post, and accounts as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from erresearch.engine.sources import gather
from erresearch.exports.lazy_tables import Lake, called_simulated

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["accounts_afar", "kinds_afar"]


def kinds_afar(lake: Lake, *, fewest: int) -> Iterator[tuple[str, str, Any]]:
    """One's own posts of each platform: all of them, then each kind where there are several.

    Parameters
    ----------
    lake : Lake
        Posts.
    fewest : int
        Posts below which a kind is not looked at.

    Yields
    ------
    platform, kind, posts : str, str, lazy frame
        Only columns that hold something there.
    """
    own = _own(lake)
    keys = [name for name in ("platform", "post_type") if name in lake.columns]
    text = [nw.col(name).cast(nw.String()).alias(f"key{i}") for i, name in enumerate(keys)]
    held = _held(own, lake.columns)
    found = gather(
        own.with_columns(*text)
        .group_by(*(f"key{i}" for i in range(len(keys))))
        .agg(nw.len().alias("posts"), *held)
    )
    for platform in sorted(set(found["key0"].drop_nulls().to_list())):
        rows = found.filter(found["key0"] == platform)
        posts = own.filter(nw.col("platform").cast(nw.String()) == platform)
        yield platform, "", _only(posts, lake.columns, rows)
        kinds = sorted(set(rows["key1"].drop_nulls().to_list())) if "key1" in rows.columns else []
        for kind in kinds if len(kinds) > 1 else ():
            some = rows.filter(rows["key1"] == kind)
            if some["posts"].sum() >= fewest:
                of_kind = posts.filter(nw.col("post_type").cast(nw.String()) == kind)
                yield platform, kind, _only(of_kind, lake.columns, some)


def accounts_afar(lake: Lake, reactions: Sequence[str]) -> pd.DataFrame:
    """One row per account: its last known followers and its mean reactions to a post.

    Parameters
    ----------
    lake : Lake
        Posts.
    reactions : sequence of str
        Columns that are added up; a post that lacks all of them does not count.

    Returns
    -------
    pandas.DataFrame
        account, platform, posts, followers, engagement; without accounts of which one of them is unknown.
    """
    import polars as pl

    names = ["account", "platform", "posts", "followers", "engagement"]
    there = [name for name in reactions if name in lake.columns]
    if "followers" not in lake.columns or not there:
        return pl.DataFrame(schema=names).to_pandas()
    own, keys = _own(lake), ["account", "platform"]
    values = [nw.col(name).cast(nw.Float64()) for name in there]
    known = [~(value.is_null() | value.is_nan()) for value in values]
    total = nw.sum_horizontal(
        *(nw.when(ok).then(value).otherwise(0.0) for ok, value in zip(known, values, strict=True))
    )
    summed = own.select(
        *keys, engagement=nw.when(nw.any_horizontal(*known, ignore_nulls=True)).then(total)
    ).group_by(*keys)
    means = gather(summed.agg(nw.len().alias("posts"), nw.col("engagement").mean()))
    count = nw.col("followers").cast(nw.Float64())
    counted = own.filter(~(count.is_null() | count.is_nan()))
    last = counted.group_by(*keys).agg(nw.col("published_at").max())
    latest = counted.select(*keys, "published_at", followers=count).join(last, on=[*keys, "published_at"])
    followers = gather(latest.group_by(*keys).agg(nw.col("followers").max()))
    made = means.join(followers, on=keys, how="inner").drop_nulls(["followers", "engagement"])
    out = made.select(names).sort(keys).to_pandas()
    out.attrs = {"simulated": True} if lake.simulated or called_simulated(out["account"].unique()) else {}
    return out


def _own(lake: Lake) -> nw.LazyFrame[Any]:
    """Without the posts of other accounts; a flag may be missing."""
    frame: nw.LazyFrame[Any] = nw.from_native(lake.rows).lazy()
    if "collaboration" not in lake.columns:
        return frame
    other = nw.col("collaboration").cast(nw.Float64())
    return frame.filter((other != 1) | other.is_null())


def _held(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> list[nw.Expr]:
    """How many values each column holds."""
    schema = frame.collect_schema()
    there = [
        ~(nw.col(name).is_null() | nw.col(name).is_nan())
        if schema[name].is_float()
        else ~nw.col(name).is_null()
        for name in columns
    ]
    return [nw.when(ok).then(1).otherwise(0).sum().alias(f"held{i}") for i, ok in enumerate(there)]


def _only(posts: nw.LazyFrame[Any], columns: Sequence[str], counted: Any) -> Any:
    """Columns that hold something."""
    return posts.select(*(name for i, name in enumerate(columns) if counted[f"held{i}"].sum())).to_native()
