"""Followers on the panel's calendar, by the last count known at the end of each period; advertising by period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from erresearch.engine.periods import Clock, number_of, start_of
from erresearch.engine.sources import gather
from erresearch.errors import ColumnError, DataError, GuardError
from erresearch.panel.arriving import Arrived
from erresearch.panel.entities import look_up, plain_name
from erresearch.panel.outcomes import refuse_coarse

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FOLLOWER_COLUMNS", "SPEND_COLUMNS", "follow", "spending", "whole_span"]

FOLLOWER_COLUMNS = ("date", "platform", "account", "followers")
SPEND_COLUMNS = ("date", "spend", "date_end", "grain", "account", "entity", "currency", "platform")
_STALE_DAYS = 35
_ALWAYS = dt.datetime(1970, 1, 1)


def follow(
    counts: pl.DataFrame | None,
    activity: pl.DataFrame,
    spine: pl.DataFrame,
    clock: Clock,
    notes: list[str],
) -> tuple[pl.DataFrame | None, int]:
    """Followers of each entity and period: the last count of each account on or before the period's last day.

    Parameters
    ----------
    counts : polars.DataFrame or None
        Counts by day, platform and account; None to take those that stand beside the posts.
    activity : polars.DataFrame
        Posts summed by platform, account and period, with their entity.
    spine : polars.DataFrame
        entity, number: the panel's rows.
    clock : Clock
        How time is cut.
    notes : list of str
        Takes what was decided.

    Returns
    -------
    table, used
        entity, number, followers, own engagement (of accounts whose followers are known) and own posts; None where
        nothing is known. And how many counts belong to an account of the panel.
    """
    import polars as pl

    keys = ["platform", "account"]
    accounts = activity.select(*keys, "entity").unique().sort(*keys)
    if counts is None:
        known = activity.filter(pl.col("followers").is_not_null()).select(*keys, "number", "followers")
        known = known.group_by(*keys, "number").agg(pl.col("followers").mean())
    else:
        known = _matched(counts, accounts, clock, notes)
    if not known.height:
        return None, 0
    used = known.height if counts is None else int(known["rows"].sum())
    known = known.select(*keys, "number", "followers", pl.col("number").alias("seen")).sort("number")
    there = accounts.join(known.select(keys).unique(), on=keys, how="semi")
    if there.height < accounts.height:
        absent = [
            f"{a} on {p}" for p, a in accounts.join(there, on=keys, how="anti").select(keys).iter_rows()
        ]
        notes.append(
            f"followers are known for {there.height} of {accounts.height} accounts (not for {', '.join(absent[:4])}"
            f"{' …' if len(absent) > 4 else ''}); rates by followers are of those accounts"
        )
    grid = spine.join(there, on="entity").sort("number")
    grid = grid.join_asof(known, on="number", by=keys, strategy="backward", check_sortedness=False)
    limit = {"D": _STALE_DAYS, "W": _STALE_DAYS // 7, "M": 1}[clock.freq]
    stale = int((grid["number"] - grid["seen"] > limit).sum())
    if stale:
        notes.append(f"{stale:,} periods of accounts carry a follower count that is more than five weeks old")
    if int(known.group_by(keys).agg(pl.col("followers").n_unique() == 1)["followers"].sum()):
        notes.append(
            "an account has one follower count for the whole time: its rate by followers is its engagement up to a "
            "constant"
        )
    # an account's own posts, without those of others that its file counts under its name
    others = pl.col("others") if "others" in activity.columns else pl.lit(0)
    own = (
        activity.select(*keys, "number", "own engagement", (pl.col("posts") - others).alias("posts"))
        if "own engagement" in activity.columns
        else None
    )
    if own is not None:
        summed = own.group_by(*keys, "number").agg(pl.col("own engagement", "posts").sum())
        grid = grid.join(summed, on=[*keys, "number"], how="left")
    else:
        grid = grid.with_columns(pl.lit(None, pl.Float64).alias("own engagement"), pl.lit(0).alias("posts"))
    table = grid.group_by("entity", "number").agg(
        pl.when(pl.col("followers").is_null().any())
        .then(None)
        .otherwise(pl.col("followers").sum())
        .alias("followers"),
        pl.col("own engagement").fill_null(0.0).sum(),
        pl.col("posts").fill_null(0).sum().alias("own posts"),
    )
    return table, used


def _matched(counts: pl.DataFrame, accounts: pl.DataFrame, clock: Clock, notes: list[str]) -> pl.DataFrame:
    """Counts under the names that the posts use."""
    import narwhals.stable.v2 as nw
    import polars as pl

    from erresearch.engine.periods import numbered

    for name in ("platform", "account"):
        if name not in counts.columns:
            only = accounts[name].unique()
            if len(only) > 1:
                raise ColumnError(
                    f"the follower counts do not say of which {name} they are",
                    got=f"posts of {len(only)} {name}s",
                    fix=f"add a column {name!r}",
                )
            counts = counts.with_columns(pl.lit(only[0]).alias(name))
    undated = counts["date"].is_null()
    if undated.any():
        # a count without a date is that of the export; it stands for the whole time, and is said to
        counts = counts.with_columns(pl.col("date").fill_null(_ALWAYS))
    exact = {(p, plain_name(a)): a for p, a in accounts.select("platform", "account").iter_rows()}
    alone: dict[str, list[str]] = {}
    for platform, account in accounts.select("platform", "account").iter_rows():
        alone.setdefault(platform, []).append(account)
    named: dict[str, list[str]] = {}
    for platform, account in counts.select("platform", "account").unique().iter_rows():
        named.setdefault(platform, []).append(account)
    renamed: dict[tuple[str, str], str | None] = {}
    for platform, theirs in named.items():
        # one history and one account are each other's, whatever their names; of several only the names tell
        single = len(theirs) == 1 and len(alone.get(platform, ())) == 1
        for account in theirs:
            other = alone[platform][0] if single else None
            renamed[platform, account] = exact.get((platform, plain_name(account)), other)
    lost = sorted(f"{a} ({p})" for (p, a), name in renamed.items() if name is None)
    if lost:
        notes.append(
            f"follower counts of {', '.join(lost[:4])} belong to no account that published, and were left out"
        )
    table = pl.DataFrame(
        [(p, a, name) for (p, a), name in renamed.items() if name is not None],
        schema={"platform": pl.String, "account": pl.String, "own": pl.String},
        orient="row",
    )
    counts = (
        counts.join(table, on=["platform", "account"], how="inner").drop("account").rename({"own": "account"})
    )
    counts = counts.filter(pl.col("followers").cast(pl.Float64).is_finite().fill_null(False))
    number = (
        nw.from_native(counts)
        .select(numbered("date", clock.freq, clock.week_start).alias("number"))
        .to_native()
    )
    counts = counts.with_columns(number["number"]).sort("date", maintain_order=True)
    return counts.group_by("platform", "account", "number").agg(
        pl.col("followers").cast(pl.Float64).last(), pl.len().alias("rows")
    )


def spending(
    spend: Arrived, clock: Clock, entities: list[str], mapping: Mapping[str, str] | None, notes: list[str]
) -> tuple[pl.DataFrame, tuple[dt.date, dt.date], dict[str, int]]:
    """What advertising cost, by entity and period.

    Parameters
    ----------
    spend : Arrived
        Rows with date and spend.
    clock : Clock
        How time is cut.
    entities : list of str
        Entities of the panel.
    mapping : mapping of str to str, or None
        Account to entity.
    notes : list of str
        Takes what was decided.

    Returns
    -------
    table, span, left
        entity, number, spend, rows; the days that the files cover; rows left out by reason.

    Raises
    ------
    DataError
        If the rows are of a whole range, or in several currencies.
    GuardError
        If there are several entities and nothing says whose spending it is.
    """
    import narwhals.stable.v2 as nw
    import polars as pl

    from erresearch.engine.periods import numbered

    table = gather(spend.frame)
    rows = table.height
    if "grain" in table.columns and (table["grain"] == "range").any():
        raise DataError(
            "the advertising has one row for a whole range of dates and cannot be put on a calendar",
            got=f"{int((table['grain'] == 'range').sum()):,} rows",
            fix="export it by day (in Ads Manager: breakdown by time, day)",
        )
    if "currency" in table.columns:
        codes = sorted({c for c in table["currency"].fill_null("").to_list() if c})
        if len(codes) > 1:
            raise DataError(
                "the advertising is in several currencies", got=", ".join(codes), fix="convert it first"
            )
    good = pl.col("date").is_not_null() & pl.col("spend").cast(
        pl.Float64, strict=False
    ).is_finite().fill_null(False)
    table = table.filter(good).with_columns(
        pl.col("date").cast(pl.Datetime("us")).dt.truncate("1d").alias("day"),
        pl.col("spend").cast(pl.Float64),
    )
    left = {"without a date or an amount": rows - table.height}
    if not table.height:
        raise DataError("no row of advertising is left", got=f"{rows:,} rows without a date or an amount")
    ends = pl.col("date_end").cast(pl.Datetime("us")) if "date_end" in table.columns else pl.col("day")
    table = table.with_columns(
        pl.coalesce(ends, pl.col("day")).alias("end"), pl.lit("spend").alias("outcome")
    )
    refuse_coarse(table, clock)
    table = table.with_columns(_owner(table, entities, mapping))
    number = (
        nw.from_native(table)
        .select(numbered("day", clock.freq, clock.week_start).alias("number"))
        .to_native()
    )
    span = (table["day"].min().date(), table["end"].max().date())  # type: ignore[union-attr]
    sums = (
        table.with_columns(number["number"])
        .group_by("entity", "number")
        .agg(pl.col("spend").sum(), pl.len().alias("rows"))
    )
    notes.append(
        f"advertising is known from {span[0]} to {span[1]}; a day between them without a row cost nothing, as these "
        "files list only days on which something ran"
    )
    return sums, span, left


def _owner(table: pl.DataFrame, entities: list[str], mapping: Mapping[str, str] | None) -> Any:
    import polars as pl

    if len(entities) == 1:
        return pl.lit(entities[0]).alias("entity")
    if "entity" in table.columns:
        return pl.col("entity")
    if "account" in table.columns:
        names = table["account"].unique().to_list()
        if mapping is not None:
            return (
                pl.col("account")
                .replace_strict(look_up(names, mapping, what="advertising of"))
                .alias("entity")
            )
        spelt = {plain_name(entity): entity for entity in entities}
        if all(plain_name(name) in spelt for name in names):
            return pl.col("account").replace_strict({n: spelt[plain_name(n)] for n in names}).alias("entity")
    raise GuardError(
        "it is not said whose spending the advertising is",
        got=f"{len(entities)} entities",
        fix="add a column entity to it, or name its accounts in entity=",
    )


def whole_span(span: tuple[dt.date, dt.date], clock: Clock) -> tuple[int, int]:
    """First and last period that lie wholly within some days.

    Examples
    --------
    >>> a, b = whole_span((dt.date(2026, 1, 6), dt.date(2026, 1, 25)), Clock("W", "UTC", "monday"))
    >>> start_of(a, "W", "monday").isoformat(), start_of(b, "W", "monday").isoformat()
    ('2026-01-12', '2026-01-19')
    """
    low = number_of(span[0], clock.freq, clock.week_start)
    low += start_of(low, clock.freq, clock.week_start) < span[0]
    high = number_of(span[1], clock.freq, clock.week_start)
    high -= start_of(high + 1, clock.freq, clock.week_start) - dt.timedelta(days=1) > span[1]
    return low, high
