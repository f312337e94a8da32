"""What accounts did and drew, by period: posts summed in one pass, followers, figures by day, advertising."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Clock
from erresearch.engine.lazy_rows import gather
from erresearch.engine.sources import column_names
from erresearch.errors import ColumnError, Count, DataError, GuardError
from erresearch.exports.combine import plain_name
from erresearch.exports.layouts import load_registry
from erresearch.io import pl
from erresearch.metrics.rates import PLATFORMS
from erresearch.panel.inputs import (
    LOCAL,
    MERGED,
    SUMMED,
    UTC,
    Arrived,
    arrive,
    as_numbers,
    exports_of,
    in_utc,
    local_time,
)
from erresearch.panel.records import (
    AGES,
    STATUS,
    Activity,
    Request,
    RowAccounting,
    count_of,
    counts_by_currency,
    denominator,
    kept_currency,
    look_up,
    numerator,
    refuse_coarse,
    shown,
)
from erresearch.schema import ADS, FOLLOWERS
from erresearch.schema.vocabulary import EXPOSURES, REACTIONS, RowStatus

_OF_THESE = ", of each post those that its file has"

#: The reason under which boosted posts that were left out are counted.
BOOSTED = "boosted (advertised)"


def _finite(name: str) -> Any:
    number = nw.col(name).cast(nw.Float64())
    return nw.when(number.is_finite()).then(number)


def sum_posts(posts: Arrived, request: Request, *, keys: Sequence[str]) -> Activity:
    """Sum posts by account (`keys`) and period, lazily.

    Posts without a time, posts that were too young and advertised posts that are not wanted are summed apart
    (``__status__``), so that one pass counts them.
    """
    columns, clock, min_age_days = posts.columns, request.clock, request.min_age_days
    numbers = [name for name in SUMMED if name in columns]
    levels = [name for name in ("followers", "age_days", "engagements_reported") if name in columns]
    frame = as_numbers(posts.frame, [*numbers, *levels], "posts")
    schema = frame.collect_schema()
    printed = (nw.col("time_precision") == "day").fill_null(False) if "time_precision" in columns else None
    frame, found = local_time(frame, "published_at", clock, as_printed=printed)
    if found is None:
        raise DataError("no row has a time in 'published_at'", fix="check the column")
    newest = found[1]
    if posts.exported_at is not None:
        newest = max(newest, dt.datetime.combine(posts.exported_at, dt.time()))
    exported = in_utc("exported_at", schema.get("exported_at"))
    if exported is not None:
        later = gather(frame.select(exported.max().alias("last")))["last"][0]
        newest = max(newest, later) if later is not None else newest
    cutoff = newest - dt.timedelta(days=min_age_days) if min_age_days > 0 else None
    # the last of these that is true says what becomes of a post
    marks: dict[RowStatus, Any] = {}
    if request.rules.paid == "left out" and "is_paid" in columns:
        marks[RowStatus.BOOSTED] = nw.col("is_paid").cast(nw.Boolean()).fill_null(False)
    if MERGED in columns:
        marks[RowStatus.MERGED] = nw.col(MERGED)
    if cutoff is not None:
        young = nw.col(UTC) > cutoff
        if exported is not None:
            own = exported.dt.offset_by(f"-{round(min_age_days * 86_400)}s")
            young = nw.when(exported.is_null()).then(young).otherwise(nw.col(UTC) > own)
        marks[RowStatus.YOUNG] = young
    status = nw.lit(int(RowStatus.USED))
    for code, holds in (marks | {RowStatus.UNTIMED: nw.col(UTC).is_null()}).items():
        status = nw.when(holds).then(int(code)).otherwise(status)
    engagement, words = _engagement(frame, columns)
    made = [status.alias(STATUS), clock.numbers(LOCAL).alias("number"), *_marked(columns)]
    made += [_finite(name).alias(name) for name in (*numbers, *levels)]
    if "is_paid" in columns:
        made.append(nw.col("is_paid").cast(nw.Boolean()).cast(nw.Float64()).alias("paid_posts"))
        numbers = [*numbers, "paid_posts"]
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
        summed=tuple(numbers),
        parts=tuple(parts),
        engagement=words,
        newest=newest,
        cutoff=cutoff,
    )


def _sums(columns: Sequence[str], numbers: Sequence[str]) -> list[Any]:
    local, engagement = nw.col(LOCAL), nw.col("engagement")
    out = {"posts": nw.len(), "first": local.min(), "last": local.max()}
    sums = {name: nw.col(name) for name in numbers}
    sums |= {AGES: nw.col("age_days")} if "age_days" in columns else {}
    for name, value in sums.items():
        out |= {name: value.sum(), count_of(name): value.count()}
    if "followers" in columns:
        out["followers"] = nw.col("followers").mean()
    if "engagement" in numbers:
        for name in (n for n in EXPOSURES if n in columns):
            both = (nw.col(name) > 0) & ~engagement.is_null()
            out[numerator(name)] = nw.when(both).then(engagement).otherwise(0.0).sum()
            out[denominator(name)] = nw.when(both).then(nw.col(name)).otherwise(0.0).sum()
        own = nw.when(nw.col("others")).then(0.0).otherwise(engagement.fill_null(0.0))
        out["own engagement"] = own.sum()
    out |= {name: nw.when(nw.col(name)).then(1).otherwise(0).sum() for name in MARKS}
    return [value.alias(name) for name, value in out.items()]


#: Of each row: whether its day is another than in UTC, its zone is not known, it is another account's.
MARKS: Final = ("moved", "unzoned", "others")


def _marked(columns: Sequence[str]) -> list[Any]:
    others = nw.col("collaboration") if "collaboration" in columns else nw.lit(False)
    clocked = nw.col("time_precision") != "day" if "time_precision" in columns else nw.lit(True)
    assumed = nw.col("time_source") == "assumed" if "time_source" in columns else nw.lit(False)
    moved = nw.col(LOCAL).dt.truncate("1d") != nw.col(UTC).dt.truncate("1d")
    marks = zip(MARKS, (moved, assumed & clocked, others), strict=True)
    return [mark.fill_null(False).alias(name) for name, mark in marks]


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
    spelt = {alias: one for one in PLATFORMS.values() for alias in one.aliases}
    for printed in seen:
        known = spelt.get(printed.strip().lower(), PLATFORMS["other"])
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
    filled = [term.fill_null(0.0) for term in terms]
    known = nw.any_horizontal(*(~term.is_null() for term in terms), ignore_nulls=False)
    return nw.when(known).then(sum(filled[1:], filled[0]))


def count_posts(table: pl.DataFrame, min_age_days: float) -> dict[str, int]:
    """Posts left out, by reason."""
    words = {
        RowStatus.UNTIMED: "without a time",
        RowStatus.YOUNG: f"younger than {min_age_days:g} days at the export",
        RowStatus.BOOSTED: BOOSTED,
        RowStatus.MERGED: "merged with the row of the sister network",
    }
    return {word: int(table.filter(pl.col(STATUS) == code)["posts"].sum()) for code, word in words.items()}


_STALE_DAYS = 35
_ALWAYS = dt.datetime(1970, 1, 1)


def by_kind(followers: Any) -> tuple[Any, Any]:
    """What counts followers, and what has figures by day; one table may do both."""
    if followers is None:
        return None, None
    exports = exports_of(followers)
    if exports or isinstance(followers, (list, tuple)):
        if not exports or any(one.kind not in ("followers", "daily") for one in exports):
            return followers, None  # refused where they arrive, with the reason
        counts = [one for one in exports if "followers" in one.rows.columns]
        # histories of followers; those in tables of figures by day only where there are no others
        own = [one for one in counts if one.kind == "followers"] or counts
        # a history of gains alone is figures by day
        daily = [one for one in exports if one.kind == "daily" or one not in counts]
        return (own or None), ([replace(one, kind="daily") for one in daily] or None)
    names = set(column_names(followers))
    by_day = bool(names & set(figures_by_day()))
    return (followers if "followers" in names or not by_day else None), (followers if by_day else None)


def follow(
    counts: Any, activity: pl.DataFrame, spine: pl.DataFrame, request: Request
) -> tuple[pl.DataFrame | None, dict[str, RowAccounting]]:
    """Followers of each entity and period: the last count of each account on or before the period's last day.

    Where nothing counts followers, those that stand beside the posts (`activity`, summed by account and period) are
    taken. With them come own engagement and own posts, of accounts whose followers are known.
    """
    keys, clock, notes = ["platform", "account"], request.clock, request.notes
    accounts = activity.select(*keys, "entity").unique().sort(*keys)
    known, accounting = None, {}
    if counts is not None:
        kinds, needed = ("followers", "daily"), ("date", "followers")
        arrived = arrive(counts, what="followers", kinds=kinds, needed=needed, wanted=FOLLOWERS.key)
        rows = gather(as_numbers(arrived.frame, ["followers"], "followers"))
        rows = rows.with_columns(pl.col("date").cast(pl.Datetime("us"), strict=False))
        known = _matched(rows, accounts, clock, notes)
        used = int(known["rows"].sum())
        left = {"without a count or of no account here": rows.height - used}
        accounting["followers"] = arrived.accounting(used, left)
    elif "followers" in activity.columns:
        known = activity.filter(pl.col("followers").is_not_null()).select(*keys, "number", "followers")
        known = known.group_by(*keys, "number", maintain_order=True).agg(pl.col("followers").mean())
    if known is None or not known.height:
        return None, accounting
    known = known.select(*keys, "number", "followers", pl.col("number").alias("seen")).sort("number")
    there = accounts.join(known.select(keys).unique(), on=keys, how="semi")
    if there.height < accounts.height:
        absent = accounts.join(there, on=keys, how="anti").select(keys).iter_rows()
        named = shown([f"{account} on {platform}" for platform, account in absent], 4)
        notes.append(
            f"followers are known for {Count(there.height, of=accounts.height):account} (not for {named}); rates by "
            "followers are of those accounts"
        )
    grid = spine.join(there, on="entity").sort("number")
    grid = grid.join_asof(known, on="number", by=keys, strategy="backward", check_sortedness=False)
    limit = {"D": _STALE_DAYS, "W": _STALE_DAYS // 7, "M": 1}[clock.freq]
    stale = int((grid["number"] - grid["seen"] > limit).sum())
    if stale:
        notes.append(f"{Count(stale):period} of an account with a follower count more than five weeks old")
    if int(known.group_by(keys).agg(pl.col("followers").n_unique() == 1)["followers"].sum()):
        notes.append(
            "an account has one follower count for the whole time: its rate by followers is its engagement up to a "
            "constant"
        )
    if "own engagement" in activity.columns:
        # an account's own posts, without those of others that its file counts under its name
        own = activity.select(*keys, "number", "own engagement", pl.col("posts") - pl.col("others"))
        summed = own.group_by(*keys, "number", maintain_order=True).agg(
            pl.col("own engagement", "posts").sum()
        )
        grid = grid.join(summed, on=[*keys, "number"], how="left")
    else:
        grid = grid.with_columns(pl.lit(None, pl.Float64).alias("own engagement"), pl.lit(0).alias("posts"))
    table = grid.group_by("entity", "number", maintain_order=True).agg(
        pl.when(pl.col("followers").is_null().any())
        .then(None)
        .otherwise(pl.col("followers").sum())
        .alias("followers"),
        pl.col("own engagement").fill_null(0.0).sum(),
        pl.col("posts").fill_null(0).sum().alias("own posts"),
    )
    return table, accounting


def _matched(counts: pl.DataFrame, accounts: pl.DataFrame, clock: Clock, notes: list[str]) -> pl.DataFrame:
    """Counts under the names that the posts use."""
    # a count without a date is that of the export; it stands for the whole time, and is said to
    counts = _with_names(counts, accounts, "follower counts").with_columns(pl.col("date").fill_null(_ALWAYS))
    exact = {(p, plain_name(a)): a for p, a in accounts.select("platform", "account").iter_rows()}
    alone, named = (_by_platform(table, "account") for table in (accounts, counts))
    # one history and one account are each other's, whatever their names; of several only the names tell
    single = {p: each[0] for p, each in alone.items() if len(each) == 1 == len(named.get(p, ()))}
    counts, lost = _placed(counts, exact, single)
    if lost:
        notes.append(
            f"follower counts of {', '.join(sorted(lost)[:4])} belong to no account that published, and were left out; "
            "the lines platform and account of the file's mapping say whose they are, as the posts have it"
        )
    counts = counts.with_columns(account=pl.col("own"))
    counts = counts.filter(pl.col("followers").cast(pl.Float64).is_finite().fill_null(False))
    counts = clock.with_numbers(counts, "date").sort("date", maintain_order=True)
    return counts.group_by("platform", "account", "number").agg(
        pl.col("followers").cast(pl.Float64).last(), pl.len().alias("rows")
    )


def spending(
    spend: Any, spine: pl.DataFrame, request: Request, *, currency: str
) -> tuple[tuple[pl.DataFrame, tuple[dt.date, dt.date]] | None, dict[str, RowAccounting]]:
    """What advertising cost, by entity and period, with the days that it covers.

    Of several currencies that of the outcomes is kept, else that of most rows. Rows of a whole range are refused, and
    several entities where nothing says whose spending it is.
    """
    if spend is None:
        return None, {}
    wanted = (*ADS.labels, "spend")
    arrived = arrive(spend, what="advertising", kinds=("ads",), needed=("date", "spend"), wanted=wanted)
    table, clock = gather(as_numbers(arrived.frame, ["spend"], "advertising")), request.clock
    # names may be categories or numbers
    labels = pl.selectors.by_name("account", "entity", "currency", "grain", require_all=False)
    table = table.with_columns(labels.cast(pl.String))
    rows = table.height
    if "grain" in table.columns and (table["grain"] == "range").any():
        raise DataError(
            "the advertising has one row for a whole range of dates and cannot be put on a calendar",
            got=f"{Count(int((table['grain'] == 'range').sum())):row}",
            fix="export it by day (in Ads Manager: breakdown by time, day)",
        )
    counts = dict(sorted(counts_by_currency(table).items(), key=lambda one: one[0] != currency))
    kept = kept_currency("advertising", counts, "", request.notes)
    if len(counts) > 1:
        table = table.filter(pl.col("currency").fill_null("").str.to_uppercase().is_in(["", kept]))
    foreign = rows - table.height
    table = table.with_columns(pl.col("spend").cast(pl.Float64)).filter(
        pl.col("date").is_not_null(), pl.col("spend").is_finite().fill_null(False)
    )
    table = table.with_columns(pl.col("date").cast(pl.Datetime("us")).dt.truncate("1d").alias("day"))
    left = {"in another currency": foreign, "without a date or an amount": rows - foreign - table.height}
    if not table.height:
        raise DataError("no row of advertising is left", got=f"{Count(rows):row} without a date or an amount")
    ends = pl.col("date_end").cast(pl.Datetime("us")) if "date_end" in table.columns else pl.col("day")
    table = table.with_columns(
        pl.coalesce(ends, pl.col("day")).alias("end"), pl.lit("spend").alias("outcome")
    )
    refuse_coarse(table, clock)
    entities = spine["entity"].unique().sort().to_list()
    table = table.with_columns(_owner(table, entities, request.mapping))
    span = (table["day"].min().date(), table["end"].max().date())  # type: ignore[union-attr]
    sums = clock.with_numbers(table, "day").group_by("entity", "number", maintain_order=True)
    sums = sums.agg(pl.col("spend").sum(), pl.len().alias("rows"))
    request.notes.append(
        f"advertising is known from {span[0]} to {span[1]}; a day between them without a row cost nothing, as these "
        "files list only days on which something ran"
    )
    inside = int(sums.join(spine, on=["entity", "number"], how="semi")["rows"].sum())
    left["outside the panel's periods"] = int(sums["rows"].sum()) - inside
    return (sums, span), {"spend": arrived.accounting(inside, left)}


def _owner(table: pl.DataFrame, entities: list[str], mapping: Mapping[str, str] | None) -> Any:
    if len(entities) == 1:
        return pl.lit(entities[0]).alias("entity")
    if "entity" in table.columns:
        return pl.col("entity")
    if "account" in table.columns:
        names, spelt = table["account"].unique().to_list(), {plain_name(one): one for one in entities}
        owners: dict[str, Any] = {name: spelt.get(plain_name(name)) for name in names}
        if mapping is not None:
            owners = dict(look_up(names, mapping, what="advertising of"))
        if None not in owners.values():
            return pl.col("account").replace_strict(owners).alias("entity")
    raise GuardError(
        "it is not said whose spending the advertising is",
        got=f"{Count(len(entities)):entity}",
        fix="add a column entity to it, or name its accounts in entity=",
    )


_TYPES = ("count", "number", "seconds", "money")
_KEYS = ("date", "platform", "account")


def figures_by_day() -> tuple[str, ...]:
    """Canonical figures that may be added up over days.

    Examples
    --------
    >>> "views" in figures_by_day(), "followers" in figures_by_day(), "er_reported" in figures_by_day()
    (True, False, False)
    """
    fields = load_registry().fields
    return tuple(name for name, field in fields.items() if field.cell in _TYPES and not field.stock)


def daily_figures(
    daily: Any, sums: pl.DataFrame, spine: pl.DataFrame, request: Request
) -> tuple[pl.DataFrame | None, dict[str, str], dict[str, RowAccounting]]:
    """Sum figures by day to periods, one column per figure and platform, ``daily_<figure> (<platform>)``.

    Days are taken as printed. A period of which an account lacks a day is missing, not smaller. Whose a row is, the
    accounts that published (those of the `sums`) say.
    """
    if daily is None:
        return None, {}, {}
    wanted = (*_KEYS, *figures_by_day())
    arrived = arrive(daily, what="figures by day", kinds=("daily",), needed=("date",), wanted=wanted)
    owners, clock = sums.select("platform", "account", "entity").unique(), request.clock
    names = [name for name in arrived.columns if name not in _KEYS]
    rows = gather(as_numbers(arrived.frame, names, "figures by day"))
    figures = [pl.col(name).cast(pl.Float64) for name in names]
    table = _with_names(rows, owners, "figures by day").with_columns(
        pl.col("date").cast(pl.Datetime("us")).dt.truncate("1d"),
        *[pl.when(value.is_finite()).then(value) for value in figures],
    )
    dated = table.filter(pl.col("date").is_not_null())
    exact = {(p, plain_name(a)): e for p, a, e in owners.select("platform", "account", "entity").iter_rows()}
    entities = spine["entity"].unique().to_list()
    # a platform's only account, whatever its name here; beside one that published, a second name is another account
    single, published = {}, _by_platform(owners, "entity")
    for platform, theirs in _by_platform(dated, "account").items():
        only = next((each for each in (published.get(platform, []), entities) if len(each) == 1), [])
        if only and not any((platform, plain_name(account)) in exact for account in theirs):
            single[platform] = only[0]
    owned, lost = _placed(dated, exact, single)
    if lost:
        named = ", ".join(lost[:4])
        request.notes.append(
            f"figures by day of {named} belong to no account that published, and were left out"
        )
    owned = clock.with_numbers(owned.rename({"own": "entity"}), "date")
    inside = owned.join(spine, on=["entity", "number"], how="semi")
    left = {
        "without a date": table.height - dated.height,
        "of no account here": dated.height - owned.height,
        "outside the panel's periods": owned.height - inside.height,
    }
    accounting = {"daily": arrived.accounting(inside.height, left)}
    if not inside.height:
        return None, {}, accounting
    grid = spine.join(inside.select("entity").unique(), on="entity", how="semi")
    return *_summed(inside, names, grid, clock, request.notes), accounting


def _by_platform(table: pl.DataFrame, name: str) -> dict[str, list[str]]:
    """The different values of a column, by platform."""
    return dict(table.group_by("platform").agg(pl.col(name).unique()).iter_rows())


def _with_names(rows: pl.DataFrame, owners: pl.DataFrame, what: str) -> pl.DataFrame:
    """Rows that name no platform or account are of the only one that published."""
    for name in ("platform", "account"):
        if name in rows.columns:
            continue
        only = owners[name].unique()
        if len(only) > 1:
            raise ColumnError(
                f"the {what} do not say of which {name} they are",
                got=f"posts of {len(only)} {name}s",
                fix=f"add a column {name!r}",
            )
        rows = rows.with_columns(pl.lit(only[0]).alias(name))
    return rows.with_columns(pl.col("platform", "account").cast(pl.String))


def _placed(
    rows: pl.DataFrame, exact: Mapping[tuple[str, str], str], single: Mapping[str, str]
) -> tuple[pl.DataFrame, list[str]]:
    """Rows with what each account is the `own` of, by its name, else by its platform; and the accounts of none."""
    found, lost = [], []
    for platform, account in rows.select("platform", "account").unique().sort("platform", "account").rows():
        own = exact.get((platform, plain_name(account)), single.get(platform))
        if own is None:
            lost.append(f"{account} ({platform})")
        else:
            found.append((platform, account, own))
    schema = {"platform": pl.String, "account": pl.String, "own": pl.String}
    table = pl.DataFrame(found, schema=schema, orient="row")
    return rows.join(table, on=["platform", "account"]), lost


def _summed(
    rows: pl.DataFrame, names: Sequence[str], table: pl.DataFrame, clock: Clock, notes: list[str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    # several rows of one day are those of several posts
    group, each = ["entity", "platform", "figure"], ["account", "number"]
    index = ["entity", "platform", *each, "date"]
    long = rows.unpivot(names, index=index, variable_name="figure").drop_nulls("value")
    # in the order of the rows, so that what is added up again gives the same bits
    days = long.group_by(*group, *each, "date", maintain_order=True).agg(pl.col("value").sum())
    sums = days.group_by(*group, *each, maintain_order=True).agg(
        pl.col("value").sum(), pl.len().alias("days")
    )
    lengths = {number: clock.length(number) for number in sums["number"].unique().to_list()}
    whole = sums.filter(pl.col("days") == pl.col("number").replace_strict(lengths, return_dtype=pl.Int64))
    # an account that has the figure at all must have it in a period, or the period's sum is not known
    accounts = sums.group_by(group).agg(pl.col("account").n_unique().alias("accounts"))
    totals = whole.group_by(*group, "number", maintain_order=True).agg(
        pl.col("value").sum(), pl.len().alias("known")
    )
    totals = totals.join(accounts, on=group).filter(pl.col("known") == pl.col("accounts"))
    definitions, holes = {}, 0
    unique = {name for name, field in load_registry().fields.items() if field.people}
    there = sums.select("platform", "figure").unique().rows()
    for platform, name in sorted(there, key=lambda one: (one[0], names.index(one[1]))):
        column = f"daily_{name} ({platform})"
        mine = totals.filter(pl.col("platform") == platform, pl.col("figure") == name)
        mine = mine.select("entity", "number", pl.col("value").alias(column))
        table = table.join(mine, on=["entity", "number"], how="left")
        known = mine["number"].to_list()
        if known:
            between = pl.col("number").is_between(min(known), max(known))
            holes += int(table.filter(between)[column].null_count())
        people = "; people are counted once a day, so more than once" if name in unique else ""
        definitions[column] = f"{name} of the whole account, added up over the days of the period{people}"
    if holes:
        notes.append(
            f"{Count(holes):sum} of figures by day, with some days lacking, taken as missing, not as smaller"
        )
    return table, definitions
