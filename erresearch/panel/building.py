"""Builds the panel: sums posts, adds outcomes, lays both on one calendar."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from erresearch.errors import DataError, DesignError, GuardError
from erresearch.panel.activity import POST_COLUMNS, Activity, Clock, count_posts, sum_posts
from erresearch.panel.arriving import Arrived, arrive, give_back
from erresearch.panel.assembling import Calendar, assemble, lay_out
from erresearch.panel.audience import FOLLOWER_COLUMNS, SPEND_COLUMNS, follow, spending
from erresearch.panel.clock import check_calendar
from erresearch.panel.entities import Belonging, belong
from erresearch.panel.lazily import build_lazily
from erresearch.panel.outcomes import (
    NEEDED,
    OUTCOME_COLUMNS,
    Books,
    book,
    check_outcomes,
    label_sources,
    with_days,
)
from erresearch.panel.records import Account, Panel
from erresearch.sources import gather

if TYPE_CHECKING:
    import polars as pl

__all__ = ["build_panel"]

_UNZONED = 0.1


def build_panel(
    posts: Any,
    outcomes: Any = None,
    *,
    freq: Literal["D", "W", "M"] = "W",
    tz: str,
    week_start: str = "monday",
    entity: Mapping[str, str] | str | None = None,
    followers: Any = None,
    spend: Any = None,
    min_age_days: float = 7,
    currency: str | None = None,
) -> Panel:
    """Join posts and outcomes on one calendar: one row per entity and period.

    An entity is what has its own outcome series. A shop's accounts are summed, so that no revenue line stands on
    several rows. A missing column stays missing; a period within the dates of the posts in which nothing was published
    has 0 posts and no rate. Every row left out is counted by reason.

    Parameters
    ----------
    posts : Export, sequence of Export, or frame
        One row per post: what :func:`erresearch.read_export` returns, or a table with the canonical columns. Overlaps
        of exports count once.
    outcomes : Export, sequence of Export, or frame, optional
        One row per date, entity and outcome with a value. Refunds are netted; failed, pending and cancelled sales are
        left out.
    freq : {"D", "W", "M"}
        Day, week or month. An outcome known by month is refused for days and weeks.
    tz : str
        The time zone in which the business counts its days. Moments are moved to it; days printed without a clock
        are not. Moments without a zone are taken as UTC.
    week_start : str
        First day of a week, "monday" to "sunday".
    entity : mapping of str to str, or str, optional
        Account (or name in an outcome file) → entity, or the name of such a column of the posts.
    followers : Export, sequence of Export, or frame, optional
        Counts by date, platform and account. Joined as of the period's last day; those beside the posts otherwise.
    spend : Export, sequence of Export, or frame, optional
        Advertising: date and spend.
    min_age_days : float
        Posts younger than this at the export are left out: their counts still grow. The day of the export is taken
        from the file; where it is not known, the time of the newest post stands in for it.
    currency : str, optional
        The one currency to keep, where there are several.

    Returns
    -------
    Panel
        Its ``rows`` are of the kind that the posts were.

    Raises
    ------
    ErresearchError
        If the join would invent a grain, add currencies up, repeat an outcome on several entities, or if posts and
        outcomes share fewer than 8 weeks; the message says what is possible.

    Notes
    -----
    Lazy tables (Polars, DuckDB and others that narwhals knows): posts and outcomes are lazy canonical tables; the panel
    stays lazy and is computed by the engine that holds the rows. Offered are `freq`, `tz`, `week_start`, `currency`,
    `min_age_days` and `entity` as a column's name. Not offered lazily: exports, follower and advertising tables, a
    mapping of entities, the search for repeated posts. A period without any row of posts and outcomes has no row there.

    Examples
    --------
    >>> from erresearch.worlds import simulate
    >>> world = simulate("effect", accounts=8, weeks=60, rng=1)
    >>> panel = build_panel(world.posts, world.outcomes, freq="W", tz="UTC")
    >>> list(panel.rows.columns)[:4], panel.rows["entity"].nunique(), panel.freq
    (['entity', 'period', 'posts', 'likes'], 8, 'W')
    >>> print(panel.accounting["periods"])
    480 in = ... used + ... partial at either end...
    """
    check_calendar(freq, tz, week_start)
    if (
        isinstance(min_age_days, bool)
        or not isinstance(min_age_days, (int, float))
        or not 0 <= min_age_days < 3650
    ):
        raise DesignError(
            "`min_age_days` must be a number of days", got=repr(min_age_days), allowed="0 or more"
        )
    clock = Clock(freq, tz, week_start)
    column = entity if isinstance(entity, str) else None
    arrived = arrive(
        posts,
        what="posts",
        kinds=("posts",),
        needed=("account", "published_at", *([column] if column else [])),
        wanted=POST_COLUMNS,
    )
    booked = _arrive_outcomes(outcomes)
    if arrived.lazy or (booked is not None and booked.lazy):
        if followers is not None or spend is not None or isinstance(entity, Mapping):
            raise GuardError(
                "lazy tables take no follower table, no advertising table and no mapping of entities",
                fix="join them in the engine first, name a column with entity=, or collect the tables",
            )
        return build_lazily(
            arrived, booked, clock, column=column, min_age_days=min_age_days, currency=currency
        )
    notes = [*arrived.cautions]
    arrived, copies = _once(arrived, notes)
    keys = [name for name in ("platform", "account") if name in arrived.columns]
    named = column or ("entity" if "entity" in arrived.columns and entity is None else None)
    activity = sum_posts(arrived, clock, min_age_days=min_age_days, keys=[*keys, *([named] if named else [])])
    sums = _named(gather(activity.frame), named)
    table, books, owners = _join(
        sums, booked, clock, entity=entity, column=named, currency=currency, notes=notes
    )
    last = _last_day(activity, sums, tz)
    calendar = lay_out(table, books, clock, last=last, parts=arrived.parts)
    notes += calendar.notes
    _post_notes(table, activity, clock, min_age_days, notes)
    audience, followed = _audience(followers, table, calendar.spine, clock, notes)
    advertised = None
    bill: dict[str, Account] = {}
    mapping = entity if isinstance(entity, Mapping) else None
    if spend is not None:
        bills = arrive(
            spend, what="advertising", kinds=("ads",), needed=("date", "spend"), wanted=SPEND_COLUMNS
        )
        entities = calendar.spine["entity"].unique().sort().to_list()
        advertised, span, left = spending(bills, clock, entities, mapping, notes)
        inside = advertised.join(calendar.spine, on=["entity", "number"], how="semi")["rows"].sum()
        left["outside the panel's periods"] = int(advertised["rows"].sum()) - int(inside)
        left["rows that another export repeats"] = bills.repeated
        bill["spend"] = Account(bills.rows or 0, int(inside), left)
        advertised = (advertised, span)  # type: ignore[assignment]
    made, definitions = assemble(table, activity, books, calendar, clock, audience=audience, spend=advertised)
    accounting = _accounts(arrived, sums, table, calendar, copies=copies, min_age_days=min_age_days)
    if books is not None and booked is not None:
        accounting["outcomes"] = _booked(booked, books, calendar)
    accounting |= followed | bill
    accounting["periods"] = calendar.account
    simulated = arrived.simulated or bool(booked and booked.simulated)
    attributes = {"simulated": True} if simulated else {}
    rows = give_back(made, arrived.kind, attributes=attributes)
    money = books.currency if books is not None else ""
    return Panel(
        rows, accounting, tuple(dict.fromkeys([*owners.notes, *notes])), freq, money, tz, definitions
    )


def _arrive_outcomes(outcomes: Any) -> Arrived | None:
    if outcomes is None:
        return None
    booked = arrive(outcomes, what="outcomes", kinds=("outcomes",), needed=(), wanted=OUTCOME_COLUMNS)
    if not set(NEEDED) <= set(booked.columns):
        import narwhals.stable.v2 as nw

        names = booked.columns if booked.parts else nw.from_native(outcomes).collect_schema().names()
        check_outcomes(list(map(str, names)))
    return booked


def _once(posts: Arrived, notes: list[str]) -> tuple[Arrived, int]:
    """Posts of a bare table that stand in it twice; exports were looked at when they were read."""
    from dataclasses import replace

    import polars as pl

    if posts.parts or "post_id" not in posts.columns:
        return posts, 0
    table: pl.DataFrame = posts.frame.collect().to_native()
    keys = [name for name in ("platform", "account", "post_id") if name in table.columns]
    if table.select(pl.struct(keys).n_unique()).item() == table.height:
        return posts, 0
    whole = table.unique(maintain_order=True)
    twice = whole.filter(whole.select(pl.struct(keys).is_duplicated()).to_series())
    if twice.height:
        raise DataError(
            "the same post stands in several rows with different figures",
            got=f"{twice.height:,} rows, first {keys[-1]} {twice['post_id'][0]!r}",
            fix="keep the newest figures of each post, or pass the exports themselves, which know their dates",
        )
    import narwhals.stable.v2 as nw

    copies = table.height - whole.height
    notes.append(f"{copies:,} posts are copies of an earlier row and count once")
    return replace(posts, frame=nw.from_native(whole.lazy())), copies


def _named(sums: pl.DataFrame, column: str | None) -> pl.DataFrame:
    """Keys as text under their own names."""
    import polars as pl

    if column:
        sums = sums.with_columns(pl.col(column).cast(pl.String).alias("entity"))
    if "platform" not in sums.columns:
        sums = sums.with_columns(pl.lit("").alias("platform"))
    text = [pl.col(name).cast(pl.String).fill_null(f"(no {name})") for name in ("platform", "account")]
    return sums.with_columns(*text)


def _join(
    sums: pl.DataFrame,
    booked: Arrived | None,
    clock: Clock,
    *,
    entity: Mapping[str, str] | str | None,
    column: str | None,
    currency: str | None,
    notes: list[str],
) -> tuple[pl.DataFrame, Books | None, Belonging]:
    """Sums of posts by entity, outcomes by entity, and who belongs to whom."""
    import polars as pl

    good = sums.filter((pl.col("__status__") != 1) & pl.col("number").is_not_null())
    own = good.filter(pl.col("posts") > pl.col("others")) if "others" in good.columns else good
    accounts = own["account"].unique().sort().to_list()
    long = None
    named: dict[str, list[str]] = {}
    if booked is not None:
        long = label_sources(booked).with_columns(pl.col("entity").cast(pl.String).fill_null("(no entity)"))
        for name, source in long.select("entity", "source").unique().sort("entity", "source").iter_rows():
            named.setdefault(name, []).append(source)
    if column:
        both = {name: name for name in named}
        owners = Belonging({}, both, (f"entities are those of column {column!r}",))
        good = good.filter(pl.col("entity").is_not_null())
    else:
        owners = belong(accounts, named, entity if isinstance(entity, Mapping) else None)
        # posts of other accounts in an export of one's own stand under the only entity, or under none
        only = next(iter(owners.accounts.values())) if len(set(owners.accounts.values())) == 1 else None
        where = pl.col("account").replace_strict(dict(owners.accounts), default=only, return_dtype=pl.String)
        good = good.with_columns(where.alias("entity")).filter(pl.col("entity").is_not_null())
    if long is None:
        return good, None, owners
    entities = pl.col("entity").replace_strict(dict(owners.outcomes), default=None, return_dtype=pl.String)
    long = with_days(long.with_columns(entities.alias("entity")), clock, notes)
    return good, book(long, clock, currency=currency, notes=notes), owners


def _last_day(activity: Activity, sums: pl.DataFrame, tz: str) -> dt.date | None:
    """Last day of which all posts are old enough."""
    if activity.cutoff is None:
        return None
    local = activity.cutoff.replace(tzinfo=dt.UTC).astimezone(zoneinfo.ZoneInfo(tz))
    return local.date() - dt.timedelta(days=1)


def _post_notes(
    table: pl.DataFrame, activity: Activity, clock: Clock, min_age_days: float, notes: list[str]
) -> None:
    import polars as pl

    used = table.filter(pl.col("__status__") == 0)
    total = int(used["posts"].sum())
    moved = int(used["moved"].sum())
    if moved:
        notes.append(f"{moved:,} of {total:,} posts fall on another day in {clock.tz} than in UTC")
    if "unzoned" in used.columns:
        unknown = int(used["unzoned"].sum())
        if unknown > _UNZONED * total and clock.freq == "D":
            raise DataError(
                "the time zone of the posts is not known, so their days are not either",
                got=f"{unknown:,} of {total:,} posts",
                allowed='at most 10 % for freq="D"',
                fix='say the zone with zone = "…" in mapping=, or choose freq="W"',
            )
        if unknown:
            notes.append(f"{unknown:,} posts have a clock of unknown zone; their day may be off by one")
    if "others" in used.columns and int(used["others"].sum()):
        notes.append(
            f"{int(used['others'].sum()):,} posts are of other accounts (collaborations): they count as posts and "
            "engagement, not in rates by followers"
        )
    for name in activity.summed:
        lacking = total - int(used[f"n {name}"].sum())
        if 0 < lacking < total and name in ("engagement", "reach", "views", "impressions"):
            notes.append(f"{lacking:,} of {total:,} posts have no {name}, and are left out of its sums")
    young = int(table.filter(pl.col("__status__") == 2)["posts"].sum())
    if young:
        notes.append(
            f"{young:,} posts are younger than {min_age_days:g} days at {activity.newest:%Y-%m-%d} and left out; so are "
            "the periods that reach beyond that"
        )


def _audience(
    followers: Any, table: pl.DataFrame, spine: pl.DataFrame, clock: Clock, notes: list[str]
) -> tuple[pl.DataFrame | None, dict[str, Account]]:
    import polars as pl

    used = table.filter(pl.col("__status__") == 0)
    if "others" in used.columns:
        used = used.filter(pl.col("posts") > pl.col("others"))
    if followers is None:
        if "followers" not in used.columns:
            return None, {}
        return follow(None, used, spine, clock, notes)[0], {}
    counts = arrive(
        followers,
        what="followers",
        kinds=("followers", "daily"),
        needed=("date", "followers"),
        wanted=FOLLOWER_COLUMNS,
    )
    rows: pl.DataFrame = counts.frame.collect().to_native()
    if rows["date"].dtype not in (pl.Date, pl.Datetime):
        rows = rows.with_columns(pl.col("date").cast(pl.Datetime("us"), strict=False))
    audience, found = follow(
        rows.with_columns(pl.col("date").cast(pl.Datetime("us"))), used, spine, clock, notes
    )
    left = {"without a count or of no account here": rows.height - found}
    left["rows that another export repeats"] = counts.repeated
    return audience, {"followers": Account(counts.rows or 0, found, left)}


def _accounts(
    posts: Arrived,
    sums: pl.DataFrame,
    table: pl.DataFrame,
    calendar: Calendar,
    *,
    copies: int,
    min_age_days: float,
) -> dict[str, Account]:
    """What became of every post."""
    import polars as pl

    good = table.filter(pl.col("__status__") == 0)
    kept = int(good.join(calendar.spine, on=["entity", "number"], how="semi")["posts"].sum())
    left = count_posts(sums, min_age_days)
    left["copies of an earlier row"] = copies
    left["rows that another export repeats"] = posts.repeated
    placed = int(sums.filter(pl.col("__status__") == 0)["posts"].sum())
    left["of accounts without an entity"] = placed - int(good["posts"].sum())
    left["outside the panel's periods"] = int(good["posts"].sum()) - kept
    return {"posts": Account(posts.rows or 0, kept, left)}


def _booked(outcomes: Arrived, books: Books, calendar: Calendar) -> Account:
    """What became of every outcome row."""
    kept = int(books.table.join(calendar.spine, on=["entity", "number"], how="semi")["rows"].sum())
    left = dict(books.left)
    left["outside the panel's periods"] = int(books.table["rows"].sum()) - kept
    left["rows that another export repeats"] = (outcomes.rows or 0) - books.rows
    return Account(outcomes.rows or 0, kept, left)
