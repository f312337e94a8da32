"""Posts to sums: one row per account and period, in one pass of whatever engine holds the posts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Clock
from erresearch.engine.sources import gather
from erresearch.errors import ColumnError
from erresearch.io import pl
from erresearch.metrics import PLATFORMS
from erresearch.panel.inputs import LOCAL, MERGED, SUMMED, UTC, Arrived, local_time, timed
from erresearch.panel.records import AGES, STATUS, Activity, Rules, count_of
from erresearch.schema.vocabulary import EXPOSURES, REACTIONS, RowStatus

_OF_THESE = ", of each post those that its file has"

_PAID_POSTS = "paid_posts"
#: The reason under which boosted posts that were left out are counted.
BOOSTED = "boosted (advertised)"


def numerator(name: str) -> str:
    """The column of engagement summed over the posts whose exposure is known, for a rate by that exposure."""
    return f"above {name}"


def denominator(name: str) -> str:
    """The column of that exposure, summed over the same posts."""
    return f"below {name}"


def _finite(name: str) -> Any:
    number = nw.col(name).cast(nw.Float64())
    return nw.when(number.is_finite()).then(number)


def check_numbers(schema: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    """Refuse a column of text where figures are needed.

    Raises
    ------
    ColumnError
        Naming it.
    """
    wrong = [name for name in names if not (schema[name].is_numeric() or schema[name] == nw.Boolean)]
    if wrong:
        raise ColumnError(
            f"column {wrong[0]!r} of {what} holds no numbers",
            got=str(schema[wrong[0]]),
            fix="read the file with read_export, which knows how numbers are written",
        )


def sum_posts(
    posts: Arrived, clock: Clock, *, min_age_days: float, keys: Sequence[str], rules: Rules
) -> Activity:
    """Sum posts by account and period, lazily.

    Posts without a time, posts that were too young and advertised posts that are not wanted are summed apart
    (``__status__``), so that one pass counts them.

    Parameters
    ----------
    posts : Arrived
        Posts.
    clock : Clock
        How time is cut.
    min_age_days : float
        Posts younger than this at the export are left out.
    keys : sequence of str
        Columns that name an account.
    rules : Rules
        Whether advertised posts count.

    Returns
    -------
    Activity
    """
    frame, columns = posts.frame, posts.columns
    schema = frame.collect_schema()
    numbers = [name for name in SUMMED if name in columns]
    levels = [name for name in ("followers", "age_days", "engagements_reported") if name in columns]
    check_numbers(schema, [*numbers, *levels], "posts")
    printed = (nw.col("time_precision") == "day").fill_null(False) if "time_precision" in columns else None
    frame, found = local_time(frame, "published_at", clock, as_printed=printed)
    newest = timed(found, "published_at")[1]
    if posts.exported_at is not None:
        newest = max(newest, dt.datetime.combine(posts.exported_at, dt.time()))
    exported = _exported(schema)
    if exported is not None:
        later = gather(frame.select(exported.max().alias("last")))["last"][0]
        newest = max(newest, later) if later is not None else newest
    cutoff = newest - dt.timedelta(days=min_age_days) if min_age_days > 0 else None
    status = nw.lit(int(RowStatus.USED))
    if rules.paid == "left out" and "is_paid" in columns:
        paid = nw.col("is_paid").cast(nw.Boolean()).fill_null(False)
        status = nw.when(paid).then(int(RowStatus.BOOSTED)).otherwise(status)
    if MERGED in columns:
        status = nw.when(nw.col(MERGED)).then(int(RowStatus.MERGED)).otherwise(status)
    if cutoff is not None:
        young = nw.col(UTC) > cutoff
        if exported is not None:
            own = exported.dt.offset_by(f"-{round(min_age_days * 86_400)}s")
            young = nw.when(exported.is_null()).then(young).otherwise(nw.col(UTC) > own)
        status = nw.when(young).then(int(RowStatus.YOUNG)).otherwise(status)
    status = nw.when(nw.col(UTC).is_null()).then(int(RowStatus.UNTIMED)).otherwise(status)
    engagement, words = _engagement(frame, columns)
    made = [status.alias(STATUS), clock.numbers(LOCAL).alias("number")]
    made += [_finite(name).alias(name) for name in (*numbers, *levels)]
    if "is_paid" in columns:
        made.append(nw.col("is_paid").cast(nw.Boolean()).cast(nw.Float64()).alias(_PAID_POSTS))
        numbers = [*numbers, _PAID_POSTS]
    frame = frame.with_columns(*made)
    if engagement is not None:
        early = [f"{name}_24h" for name in REACTIONS if name in columns]
        twice = [_total(early).alias("engagement_24h")] if early and set(early) <= set(columns) else []
        frame = frame.with_columns(engagement.alias("engagement"), *twice)
        numbers = [*numbers, "engagement", *(["engagement_24h"] if twice else [])]
    grouped = frame.group_by(*keys, STATUS, "number").agg(*_sums(columns, numbers))
    rated = [name for name in EXPOSURES if name in columns] if "engagement" in numbers else []
    parts = [part for name in rated for part in (numerator(name), denominator(name))]
    parts += [AGES, count_of(AGES)] if "age_days" in columns else []
    return Activity(
        frame=grouped,
        keys=tuple(keys),
        summed=tuple(numbers),
        parts=tuple(parts),
        engagement=words,
        newest=newest,
        cutoff=cutoff,
    )


def _exported(schema: Mapping[str, Any]) -> Any:
    """The moment of each row's export in UTC, without a zone; None where the rows do not say it as a time."""
    dtype = schema.get("exported_at")
    if dtype == nw.Date:
        return nw.col("exported_at").cast(nw.Datetime("us"))
    if dtype != nw.Datetime:
        return None
    zone = getattr(dtype, "time_zone", None)
    moment = nw.col("exported_at")
    if zone not in (None, "UTC", "Etc/UTC"):
        moment = moment.dt.convert_time_zone("UTC")
    return moment.dt.replace_time_zone(None) if zone is not None else moment


def _sums(columns: Sequence[str], numbers: Sequence[str]) -> list[Any]:
    moved = (nw.col(LOCAL).dt.truncate("1d") != nw.col(UTC).dt.truncate("1d")).fill_null(False)
    out = [
        nw.len().alias("posts"),
        nw.col(LOCAL).min().alias("first"),
        nw.col(LOCAL).max().alias("last"),
        nw.when(moved).then(1).otherwise(0).sum().alias("moved"),
    ]
    for name in numbers:
        out += [nw.col(name).sum().alias(name), nw.col(name).count().alias(count_of(name))]
    if "followers" in columns:
        out.append(nw.col("followers").mean().alias("followers"))
    if "age_days" in columns:
        out += [nw.col("age_days").sum().alias(AGES), nw.col("age_days").count().alias(count_of(AGES))]
    if "engagement" in numbers:
        for name in (n for n in EXPOSURES if n in columns):
            both = (nw.col(name) > 0) & ~nw.col("engagement").is_null()
            out.append(nw.when(both).then(nw.col("engagement")).otherwise(0.0).sum().alias(numerator(name)))
            out.append(nw.when(both).then(nw.col(name)).otherwise(0.0).sum().alias(denominator(name)))
        own = nw.col("engagement").fill_null(0.0)
        if "collaboration" in columns:
            own = nw.when(nw.col("collaboration").fill_null(False)).then(0.0).otherwise(own)
        out.append(own.sum().alias("own engagement"))
    if "collaboration" in columns:
        out.append(
            nw.when(nw.col("collaboration").fill_null(False)).then(1).otherwise(0).sum().alias("others")
        )
    if "time_source" in columns:
        clocked = nw.col("time_precision") != "day" if "time_precision" in columns else nw.lit(True)
        unknown = ((nw.col("time_source") == "assumed") & clocked).fill_null(False)
        out.append(nw.when(unknown).then(1).otherwise(0).sum().alias("unzoned"))
    return out


def _engagement(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> tuple[Any, str]:
    """Reactions of a post by its platform's own set, of what the table has; missing where all of them are."""
    there = [name for name in REACTIONS if name in columns]
    if not there and "engagements_reported" in columns:
        return _finite("engagements_reported"), "reactions as the file adds them up"
    if not there:
        return None, ""
    if "platform" not in columns:
        return _total(there), f"{' + '.join(there)}{_OF_THESE}"
    platform = nw.col("platform").cast(nw.String())
    seen = gather(frame.select(platform.alias("p")).unique())["p"].drop_nulls().sort().to_list()
    sets: dict[tuple[str, ...], list[str]] = {}
    for printed in seen:
        name = printed.strip().lower()
        known = next((one for one in PLATFORMS.values() if name in one.aliases), PLATFORMS["other"])
        sets.setdefault(tuple(n for n in known.reactions if n in columns), []).append(printed)
    if len(sets) <= 1:
        chosen = next(iter(sets), tuple(there))
        return (_total(chosen), f"{' + '.join(chosen)}{_OF_THESE}") if chosen else (None, "")
    out = nw.lit(None, nw.Float64())
    for chosen, names in sets.items():
        if chosen:
            out = nw.when(platform.is_in(names)).then(_total(chosen)).otherwise(out)
    words = "; ".join(
        f"{' + '.join(chosen) or 'nothing'} ({', '.join(dict.fromkeys(n.strip().lower() for n in names))})"
        for chosen, names in sets.items()
    )
    return out, words + _OF_THESE


def _total(names: Sequence[str]) -> Any:
    terms = [_finite(name) for name in names]
    known = ~terms[0].is_null()
    for term in terms[1:]:
        known = known | ~term.is_null()
    filled = [term.fill_null(0.0) for term in terms]
    return nw.when(known).then(sum(filled[1:], filled[0]))


def count_posts(table: pl.DataFrame, min_age_days: float) -> dict[str, int]:
    """Posts left out, by reason."""
    words = {
        RowStatus.UNTIMED: "without a time",
        RowStatus.YOUNG: f"younger than {min_age_days:g} days at the export",
        RowStatus.BOOSTED: BOOSTED,
        RowStatus.MERGED: "merged with the row of the sister network",
    }
    left = {}
    for status, word in words.items():
        left[word] = int(table.filter(pl.col(STATUS) == status)["posts"].sum())
    return left


def rates(columns: Sequence[str]) -> list[tuple[str, Any, str]]:
    """Every rate that sums by period allow: name, expression, meaning.

    Parameters
    ----------
    columns : sequence of str
        Columns of the sums.

    Returns
    -------
    list of (str, narwhals.Expr, str)
    """
    out: list[tuple[str, Any, str]] = []
    for name in EXPOSURES:
        if numerator(name) in columns:
            below = nw.col(denominator(name))
            word = (
                "sum of reaches, which counts people more than once" if name == "reach" else f"sum of {name}"
            )
            out.append(
                (
                    f"er_by_{name}",
                    nw.when(below > 0).then(nw.col(numerator(name)) / below),
                    f"engagement / {name} of the posts of the period ({word}); missing without posts",
                )
            )
    if {"engagement", "posts"} <= set(columns):
        mean = nw.when(nw.col("posts") > 0).then(nw.col("engagement") / nw.col("posts"))
        out.append(("engagement_per_post", mean, "engagement / posts; missing without posts"))
    posts = "own posts" if "own posts" in columns else "posts"
    if {"followers", "own engagement", posts} <= set(columns):
        some = (nw.col("followers") > 0) & (nw.col(posts) > 0)
        rate = nw.col("own engagement") / nw.col("followers")
        out.append(
            (
                "er_by_followers",
                nw.when(some).then(rate),
                "engagement of the period / followers; without posts of other accounts; missing without posts",
            )
        )
        words = "mean engagement of a post / followers; missing without posts"
        out.append(("er_by_followers_post", nw.when(some).then(rate / nw.col(posts)), words))
    return out
