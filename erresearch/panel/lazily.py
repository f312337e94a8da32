"""The same panel where the rows are: aggregated and joined by the engine, brought nowhere."""

from __future__ import annotations

import datetime as dt
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.errors import DataError, EngineError
from erresearch.panel.activity import EXPOSURES, Activity, Clock, count_posts, local_time, rates, sum_posts
from erresearch.panel.arriving import Arrived
from erresearch.panel.assembling import SHORTEST_DAYS
from erresearch.panel.audience import whole_span
from erresearch.panel.clock import first_day, numbered
from erresearch.panel.outcomes import refuse_coarse_dates
from erresearch.panel.records import Account, Panel
from erresearch.sources import gather

__all__ = ["build_lazily"]

_OUT = ("failed", "pending", "cancelled", "lost")
_KEYS = ("entity", "number")


def build_lazily(
    posts: Arrived,
    outcomes: Arrived | None,
    clock: Clock,
    *,
    column: str | None,
    min_age_days: float,
    currency: str | None,
) -> Panel:
    """Build the panel of lazy tables; only counts and dates are computed here and now.

    Parameters
    ----------
    posts, outcomes : Arrived
        Canonical tables; the entity of a post is its account, or the column that is named.
    clock : Clock
        How time is cut.
    column : str or None
        Column of the posts that names the entity.
    min_age_days : float
        Posts younger than this are left out.
    currency : str or None
        The one currency to keep.

    Returns
    -------
    Panel
        With lazy rows of the posts' engine.

    Raises
    ------
    EngineError
        If posts and outcomes are in different engines.
    DataError
        If there are several currencies, or the tables share too few days.
    """
    if outcomes is not None and outcomes.frame.implementation is not posts.frame.implementation:
        raise EngineError(
            "posts and outcomes are in different engines",
            got=f"{posts.frame.implementation} and {outcomes.frame.implementation}",
            fix="open both in the same one",
        )
    keys = ("entity", "account") if column else ("account",)
    frame = posts.frame
    if column:
        frame = frame.with_columns(nw.col(column).cast(nw.String()).alias("entity"))
    activity = sum_posts(_with(posts, frame), clock, min_age_days=min_age_days, keys=list(keys))
    counts = gather(
        activity.frame.group_by("__status__").agg(
            nw.col("posts").sum(), nw.col("moved").sum(), nw.col("first").min(), nw.col("last").max()
        )
    )
    good = counts.filter(counts["__status__"] == 0)
    if not good.height or good["first"][0] is None:
        raise DataError(
            "no post is left", got=str(count_posts(counts, min_age_days)), fix="check published_at"
        )
    total, used = int(counts["posts"].sum()), int(good["posts"][0])
    accounting = {"posts": Account(total, used, count_posts(counts, min_age_days))}
    notes = [
        "computed where the rows are: repeated posts and gaps in the outcomes are not searched for, a period without "
        "any row of posts and outcomes has no row, and rows at the ends count as used"
    ]
    if int(good["moved"][0]):
        notes.append(
            f"{int(good['moved'][0]):,} of {used:,} posts fall on another day in {clock.tz} than in UTC"
        )
    span = (good["first"][0].date(), good["last"][0].date())
    summed = _summed(activity, entity="entity" if column else "account")
    sold: nw.LazyFrame[Any] | None = None
    names: tuple[str, ...] = ()
    code = ""
    if outcomes is not None:
        sold, names, code, days, counted = _outcomes(outcomes, clock, currency)
        shared = (max(span[0], days[0]), min(span[1], days[1]))
        length = (shared[1] - shared[0]).days + 1
        if length < SHORTEST_DAYS:
            raise DataError(
                "posts and outcomes share too few days",
                got=f"posts {span[0]} to {span[1]}; outcome {days[0]} to {days[1]}: overlap {max(0, length)} days",
                allowed=f"{SHORTEST_DAYS} days or more",
            )
        span = shared
        accounting["outcomes"] = counted
    rows, definitions = _joined(summed, sold, names, activity, clock, ends=whole_span(span, clock))
    return Panel(rows, accounting, tuple(notes), clock.freq, code, clock.tz, definitions)  # type: ignore[arg-type]


def _with(posts: Arrived, frame: nw.LazyFrame[Any]) -> Arrived:
    from dataclasses import replace

    return replace(posts, frame=frame)


def _summed(activity: Activity, *, entity: str) -> nw.LazyFrame[Any]:
    """Sums of the posts that are old enough, by entity and period."""
    names = activity.frame.collect_schema().names()
    good = activity.frame.filter(nw.col("__status__") == 0)
    good = good.with_columns(nw.col(entity).cast(nw.String()).alias("entity"))
    keep = [
        n
        for n in names
        if n not in ("entity", "account", "__status__", "number", "first", "last", "moved", "unzoned")
    ]
    return good.group_by(*_KEYS).agg(nw.col("first").min().alias("day"), *[nw.col(n).sum() for n in keep])


def _outcomes(
    outcomes: Arrived, clock: Clock, currency: str | None
) -> tuple[nw.LazyFrame[Any], tuple[str, ...], str, tuple[dt.date, dt.date], Account]:
    """Outcomes by entity and period, one column each."""
    frame, columns = outcomes.frame, outcomes.columns
    total = int(gather(frame.select(nw.len().alias("n")))["n"][0])
    frame = frame.filter(~nw.col("date").is_null(), nw.col("value").cast(nw.Float64()).is_finite())
    if "kind" in columns:
        frame = frame.filter(~nw.col("kind").is_in(list(_OUT)) | nw.col("kind").is_null())
    code = (currency or "").upper()
    if "currency" in columns:
        spelt = nw.col("currency").fill_null("").str.to_uppercase()
        found = [c for c in gather(frame.select(spelt.alias("c")).unique())["c"].sort().to_list() if c]
        if len(found) > 1 and not code:
            raise DataError(
                "the outcomes are in several currencies, which are not added up",
                got=", ".join(found),
                fix="choose one with currency=",
            )
        code = code or (found[0] if found else "")
        frame = frame.filter(spelt.is_in(["", code]))
    moment = "at" if "at" in columns and "date" not in columns else "date"
    printed = nw.lit(True) if moment == "date" else None
    frame, _ = local_time(frame, moment, clock, as_printed=printed)
    frame = frame.with_columns(
        nw.col("entity").cast(nw.String()).alias("entity"),
        nw.col("__local__").dt.truncate("1d").alias("day"),
        numbered("__local__", clock.freq, clock.week_start).alias("number"),
    )
    dates = gather(frame.select("outcome", "day").unique())
    single = "order_id" in columns or "at" in columns
    last = refuse_coarse_dates(dates, clock, single=single)
    used = int(gather(frame.select(nw.len().alias("n")))["n"][0])
    names = tuple(dates["outcome"].unique().sort().to_list())
    sums = []
    for name in names:
        value = nw.when(nw.col("outcome") == name).then(nw.col("value").cast(nw.Float64()))
        sums += [value.sum().alias(name), value.count().alias(f"n {name}")]
    by_period = frame.group_by(*_KEYS).agg(nw.col("day").min().alias("day sold"), *sums)
    by_period = by_period.with_columns(
        *[nw.when(nw.col(f"n {name}") > 0).then(nw.col(name)).alias(name) for name in names]
    ).drop([f"n {name}" for name in names])
    counted = Account(total, used, {"without a date or value, no sale, or in another currency": total - used})
    return by_period, names, code, (dates["day"].min().date(), last), counted  # type: ignore[union-attr]


def _joined(
    summed: nw.LazyFrame[Any],
    sold: nw.LazyFrame[Any] | None,
    names: tuple[str, ...],
    activity: Activity,
    clock: Clock,
    *,
    ends: tuple[int, int],
) -> tuple[Any, dict[str, str]]:
    """Posts and outcomes side by side, with the rates."""
    frame = summed
    if sold is not None:
        both = nw.concat([summed.select(*_KEYS), sold.select(*_KEYS)]).unique()
        frame = both.join(summed, on=list(_KEYS), how="left").join(sold, on=list(_KEYS), how="left")
        frame = frame.with_columns(nw.coalesce(nw.col("day"), nw.col("day sold")).alias("day"))
    frame = frame.filter(nw.col("number").is_between(*ends))
    frame = frame.with_columns(nw.col("posts").fill_null(0).cast(nw.Int64()).alias("posts"))
    none = nw.col("posts") == 0
    counted = [
        nw.when(none).then(0.0).otherwise(nw.when(nw.col(f"n {n}") > 0).then(nw.col(n))).alias(n)
        for n in activity.summed
    ]
    frame = frame.with_columns(*counted, first_day("day", clock.freq, clock.week_start).alias("period"))
    present = frame.collect_schema().names()
    made = rates(present)
    frame = frame.with_columns(*[expression.alias(name) for name, expression, _ in made])
    columns = ["entity", "period", "posts", *(n for n in activity.summed if n not in EXPOSURES)]
    columns += [n for n in (*EXPOSURES, "followers") if n in present]
    columns += [name for name, *_ in made] + list(names)
    definitions = {"engagement": activity.engagement} if activity.engagement else {}
    definitions |= {name: words for name, _, words in made}
    return frame.select(list(dict.fromkeys(columns))).to_native(), definitions
