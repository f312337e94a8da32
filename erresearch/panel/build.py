"""Builds the panel: sums posts, adds outcomes, lays both on one calendar."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Clock
from erresearch.engine.lazy_rows import gather
from erresearch.engine.sources import FEW
from erresearch.errors import Count, DataError, DesignError, GuardError, in_mapping, is_number
from erresearch.exports.combine import definition_changes
from erresearch.exports.log import Export
from erresearch.io import pl
from erresearch.panel.activity import (
    MARKS,
    by_kind,
    count_posts,
    daily_figures,
    follow,
    spending,
    sum_posts,
)
from erresearch.panel.calendar import assemble, between_files, lay_out
from erresearch.panel.inputs import (
    COUNTED as POSTS_COUNTED,
    POST_COLUMNS,
    Arrived,
    arrive,
    day_table,
    merge_crossposts,
    once,
    only_days,
    rows_by,
)
from erresearch.panel.outcomes import COUNTED, arrive_outcomes, book, sum_by_day
from erresearch.panel.records import (
    STATUS,
    Activity,
    Belonging,
    Books,
    Panel,
    Request,
    RowAccounting,
    Rules,
    belong,
    count_of,
)
from erresearch.schema.vocabulary import PERIODS, Freq, RowStatus

_UNZONED = 0.1
#: Columns that need to know how many posts there were.
_OF_POSTS = ("posts", "paid_posts")


def build_panel(
    posts: Any,
    outcomes: Any = None,
    *,
    freq: Freq = "W",
    tz: str,
    week_start: str = "monday",
    entity: Mapping[str, str] | str | None = None,
    followers: Any = None,
    spend: Any = None,
    min_age_days: float = 7,
    rules: Rules | None = None,
) -> Panel:
    """Join posts and outcomes on one calendar: one row per entity and period.

    An entity is what has its own outcome series. A shop's accounts are summed (and, if asked for, stand in columns of
    their own), so that no revenue line stands on several rows. A missing column stays missing; a period within the
    dates of the posts in which nothing was published has 0 posts and no rate. Every row left out is counted by
    reason.

    Parameters
    ----------
    posts : Export, sequence of Export, or frame
        One row per post: what :func:`erresearch.read_export` returns, or a table with the canonical columns. A post that
        stands in several exports counts once, with its newest figures; in a table the column ``exported_at`` says
        which are newest. Exports of daily figures, one row per account and day, week or month, may stand in their
        place: sales beside the reactions are taken too, and a period that lacks a day is missing.
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
        What is known of the accounts by day: followers (joined as of the period's last day; those beside the posts
        otherwise), and figures of the whole account such as views or visits (added up over a period's days, as
        ``daily_views (tiktok)``; a period that lacks a day is missing).
    spend : Export, sequence of Export, or frame, optional
        Advertising: date and spend.
    min_age_days : float
        Posts younger than this at the export are left out: their counts still grow. The day of the export is taken
        from the file (of a table, from its column ``exported_at``); where it is not known, the time of the newest post
        stands in for it, in several exports that of the newest of the platform. A period with such posts is left out.
    rules : Rules, optional
        Further choices: the one currency to keep, columns by platform, account or kind of post, lags, where refunds are
        booked, advertised posts, cross-posts, changed definitions.

    Returns
    -------
    Panel
        Its ``rows`` are of the kind that the posts were.

    Raises
    ------
    ErresearchError
        If the join would invent a grain, add currencies up, repeat an outcome on several entities, or if posts and
        outcomes share fewer than 8 weeks; the message says what is possible.

    See Also
    --------
    erresearch.read_export : A platform's file to posts or outcomes.
    erresearch.audit : The panel, judged.
    erresearch.panel.Rules : What may be decided otherwise.

    Notes
    -----
    Every table may be lazy (Polars, DuckDB and others that narwhals knows), each in an engine of its own: its rows are
    summed by account and period where they are, only the sums come here, and the numbers are those of a table in
    memory. The panel of lazy posts is lazy again.

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
    clock = Clock(freq, tz, week_start)
    if not is_number(min_age_days, 0, 3650):
        raise DesignError(
            "`min_age_days` must be a number of days", got=repr(min_age_days), allowed="0 or more"
        )
    request = Request(clock=clock, rules=rules or Rules(), entity=entity, min_age_days=min_age_days)
    days = only_days(posts)
    if days:
        return _of_days(days, outcomes, followers, spend, request)
    return _of_posts(posts, outcomes, followers, spend, request)


def _of_posts(
    posts: Any, outcomes: Any, followers: Any, spend: Any, request: Request, *, stand_for_days: bool = False
) -> Panel:
    """The panel of posts; where they `stand_for_days`, nothing is said of how many there were."""
    clock, rules, entity = request.clock, request.rules, request.entity
    _refuse_spending(rules, spend is not None)
    needed = ["account", "published_at", *([entity] if isinstance(entity, str) else [])]
    arrived = arrive(posts, what="posts", kinds=("posts",), needed=needed, wanted=POST_COLUMNS)
    request.notes.extend(arrived.cautions)
    arrived = once(arrived, request.notes)
    if rules.crossposts == "merged":
        arrived = merge_crossposts(arrived, request.notes)
    booked = arrive_outcomes(outcomes)
    keys: list[str] = [name for name in ("platform", "account") if name in arrived.columns]
    named = "entity" if "entity" in arrived.columns and entity is None else None
    named = entity if isinstance(entity, str) else named
    keys += [named] if named else []
    keys += ["post_type"] if rules.apart == "post_type" and "post_type" in arrived.columns else []
    activity = sum_posts(arrived, request, keys=keys)
    few = arrived.rows is not None and arrived.rows <= FEW
    sums = _named(gather(activity.frame, small=few), named)
    # what is added up again is added up in one order, not in that of a hash: the same call gives the same bits
    sums = sums.sort(*keys, STATUS, "number", nulls_last=True)
    table, books, owners = _join(sums, booked, named, request)
    unsold = between_files(booked.parts if booked is not None else (), owners.outcomes, clock)
    last = None  # the last day of which all posts are old enough
    if activity.cutoff is not None:
        local = activity.cutoff.replace(tzinfo=dt.UTC).astimezone(zoneinfo.ZoneInfo(clock.tz))
        last = local.date() - dt.timedelta(days=1)
    spine, periods = lay_out(table, books, request, last=last, parts=arrived.parts, unsold=unsold)
    if not stand_for_days:
        _post_notes(table, activity, arrived, request)
    money = books.currency if books is not None else rules.currency
    used = table.filter(pl.col(STATUS) == RowStatus.USED)
    counts, by_day = by_kind(followers)
    audience, followed = follow(counts, used.filter(pl.col("posts") > pl.col("others")), spine, request)
    daily, said, counted = daily_figures(by_day, table, spine, request)
    advertised, paid = spending(spend, spine, request, currency=money.upper())
    made, definitions = assemble(
        used, activity, books, spine, request, audience=audience, daily=daily, spend=advertised
    )
    made, marked = _mark_changes(made, booked, request)
    accounting = {"posts": _posted(arrived, sums, used, spine, request.min_age_days)}
    if books is not None and booked is not None:
        accounting["outcomes"] = _booked(booked, books, spine)
    accounting |= {**followed, **counted, **paid, "periods": periods}
    simulated = arrived.simulated or bool(booked and booked.simulated)
    rows = _give_back(made, arrived, attributes={"simulated": True} if simulated else {})
    words = tuple(dict.fromkeys([*owners.notes, *request.notes]))
    return Panel(
        rows,
        accounting,
        words,
        clock.freq,
        currency=books.currency if books is not None else "",
        tz=clock.tz,
        definitions=definitions | said | marked,
        simulated=simulated,
    )


def _refuse_spending(rules: Rules, brought: bool) -> None:
    if rules.nothing_spent and brought:
        raise DesignError(
            "`nothing_spent` says that there was no advertising, and `spend` brings some",
            fix="leave one of them out: spending by day is worth more than the word that there was none",
        )


def _of_days(days: Sequence[Export], outcomes: Any, followers: Any, spend: Any, request: Request) -> Panel:
    """The panel of tables that have reactions, and perhaps sales, by day, week or month: how many posts is not known."""
    _refuse_spending(request.rules, any("spend" in one.rows.columns for one in days))
    clock = request.clock
    table = day_table(days, clock, entity=request.mapping)
    made = _of_posts(
        table.figures,
        table.outcomes if outcomes is None else outcomes,
        table.followers if followers is None else followers,
        table.spend if spend is None else spend,
        replace(
            request, min_age_days=0, clock=Clock(clock.freq, clock.tz, table.week_start or clock.week_start)
        ),
        stand_for_days=True,
    )
    rows = made.rows
    invented = [name for name in rows.columns if name in _OF_POSTS or name.endswith((" posts", "_post"))]
    posts = made.accounting["posts"]
    accounting = {name: account for name, account in made.accounting.items() if name != "posts"}
    own = RowAccounting(posts.rows_in - table.filled, posts.used - table.filled, posts.reasons)
    rows = rows.drop(columns=invented).rename(columns={POSTS_COUNTED: "posts"})
    definitions = {name: words for name, words in made.definitions.items() if name in rows.columns}
    if "posts" in rows.columns:
        definitions["posts"] = "posts as the table counts them; missing where a period lacks rows"
    rows.attrs.update(made.rows.attrs)
    return replace(
        made,
        rows=rows,
        accounting={PERIODS[rows_by(days)].many: own, **accounting},
        notes=(*made.notes, *table.notes),
        definitions=definitions,
    )


def _named(sums: pl.DataFrame, column: str | None) -> pl.DataFrame:
    """Keys as text under their own names."""
    if column:
        sums = sums.with_columns(pl.col(column).cast(pl.String).alias("entity"))
    if "platform" not in sums.columns:
        sums = sums.with_columns(pl.lit("").alias("platform"))
    text = [pl.col(name).cast(pl.String).fill_null(f"(no {name})") for name in ("platform", "account")]
    return sums.with_columns(*text)


def _join(
    sums: pl.DataFrame, booked: Arrived | None, column: str | None, request: Request
) -> tuple[pl.DataFrame, Books | None, Belonging]:
    """Sums of posts by entity, outcomes by entity, and who belongs to whom."""
    good = sums.filter((pl.col(STATUS) != RowStatus.UNTIMED) & pl.col("number").is_not_null())
    own = good.filter(pl.col("posts") > pl.col("others"))
    accounts = own["account"].unique().sort().to_list()
    long = None
    named: dict[str, list[str]] = {}
    if booked is not None:
        long = sum_by_day(booked, request)
        for name, source in long.select("entity", "source").unique().sort("entity", "source").iter_rows():
            named.setdefault(name, []).append(source)
    if column:
        both = {name: name for name in named}
        owners = Belonging({}, both, (f"entities are those of column {column!r}",))
        good = good.filter(pl.col("entity").is_not_null())
    else:
        owners = belong(accounts, named, request.mapping)
        # posts of other accounts in an export of one's own stand under the only entity, or under none
        only = next(iter(owners.accounts.values())) if len(set(owners.accounts.values())) == 1 else None
        where = pl.col("account").replace_strict(dict(owners.accounts), default=only, return_dtype=pl.String)
        good = good.with_columns(where.alias("entity")).filter(pl.col("entity").is_not_null())
    if long is None:
        return good, None, owners
    entities = pl.col("entity").replace_strict(dict(owners.outcomes), default=None, return_dtype=pl.String)
    return good, book(long.with_columns(entities.alias("entity")), request), owners


def _post_notes(table: pl.DataFrame, activity: Activity, arrived: Arrived, request: Request) -> None:
    """Say what of the posts is to be known before their figures are used."""
    clock, notes = request.clock, request.notes
    used = table.filter(pl.col(STATUS) == RowStatus.USED)
    total, moved, unknown, others = map(int, used.select(pl.col("posts", *MARKS).sum()).row(0))
    paid = int(used["paid_posts"].sum()) if "paid_posts" in activity.summed else 0
    if unknown > _UNZONED * total and clock.freq == "D":
        raise DataError(
            "the time zone of the posts is not known, so their days are not either",
            got=f"{Count(unknown, of=total):post}",
            allowed='at most 10 % for freq="D"',
            fix=f'say the zone with zone = "…" {in_mapping()}, or choose freq="W"',
        )
    told = {
        f"{Count(moved, of=total):post falls} on another day in {clock.tz} than in UTC": moved,
        f"{Count(unknown):post has} a clock of unknown zone; the day may be off by one": unknown,
        f"{Count(others):post is} of other accounts (collaborations), counted as posts and engagement, not in rates by "
        "followers": others,
        f"{Count(paid, of=total):post was} boosted, which their reactions show: spend (or paid_posts) is to be a "
        "control, or paid='left out'": paid,
    }
    notes += [text for text, count in told.items() if count]
    for name in activity.summed:
        lacking = total - int(used[count_of(name)].sum())
        if 0 < lacking < total and name in ("engagement", "reach", "views", "impressions"):
            notes.append(f"{Count(lacking, of=total):post has} no {name}: left out of its sums")
    young = int(table.filter(pl.col(STATUS) == RowStatus.YOUNG)["posts"].sum())
    if young:
        one = "exported_at" not in arrived.columns
        when = f"{activity.newest:%Y-%m-%d}" if one else "the export of their file"
        notes.append(
            f"{Count(young):post is} younger than {request.min_age_days:g} days at {when} and left out; so are the "
            f"periods that {'reach beyond that' if one else 'hold them'}"
        )
    if "post_type" not in arrived.columns or request.rules.apart == "post_type":
        return
    kind = nw.col("post_type").cast(nw.String())
    counts = gather(arrived.frame.group_by(kind.alias("kind")).agg(nw.len().alias("n")))
    counts = counts.drop_nulls("kind").sort("n", "kind", descending=[True, False])
    if counts.height > 1:
        named = ", ".join(f"{n:,} {kind}" for kind, n in counts.head(4).iter_rows())
        notes.append(
            f"rates are of {Count(counts.height):kind} of post together ({named}), which differ by their nature: "
            "apart='post_type' shows each, and its number of posts is a control for the mix"
        )


def _mark_changes(
    made: pl.DataFrame, booked: Arrived | None, request: Request
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Outcomes that were renamed between two exports are not pooled unless that is allowed, and then marked."""
    said = {}
    for change in definition_changes(booked.parts if booked is not None else ()):
        if change.name not in made.columns or change.day is None:
            continue
        text = f"{change.name} is {change.before!r} in one export and {change.after!r} from {change.day} on"
        if not request.rules.allow_break:
            raise GuardError(
                f"the definition of {change.name} changes midway: {text}",
                fix="pass exports of one definition, or rules=Rules(allow_break=True), which marks the change",
            )
        name = f"{change.name}_break"
        made = made.with_columns((pl.col("period") >= pl.lit(change.day)).cast(pl.Int64).alias(name))
        request.notes.append(f"{text}: {name} is to be a control beside it")
        said[name] = f"1 from {change.day} on, when the definition of {change.name} changes"
    return made, said


def _posted(
    posts: Arrived, sums: pl.DataFrame, good: pl.DataFrame, spine: pl.DataFrame, min_age_days: float
) -> RowAccounting:
    """What became of every post."""
    kept = int(good.join(spine, on=["entity", "number"], how="semi")["posts"].sum())
    left = count_posts(sums, min_age_days) | dict(posts.left)
    placed = int(sums.filter(pl.col(STATUS) == RowStatus.USED)["posts"].sum())
    left["of accounts without an entity"] = placed - int(good["posts"].sum())
    left["outside the panel's periods"] = int(good["posts"].sum()) - kept
    return RowAccounting(int(sums["posts"].sum()) + sum(posts.left.values()), kept, left)


def _booked(outcomes: Arrived, books: Books, spine: pl.DataFrame) -> RowAccounting:
    """What became of every outcome row."""
    kept = int(books.table.join(spine, on=["entity", "number"], how="semi")["rows"].sum())
    left = dict(books.left)
    left["outside the panel's periods"] = int(books.table["rows"].sum()) - kept
    rows = books.rows
    if outcomes.parts:
        rows = sum(int(part.rows[COUNTED].sum()) for part in outcomes.parts)
    left["rows that another export repeats"] = rows - books.rows
    return RowAccounting(rows, kept, left)


def _give_back(table: pl.DataFrame, like: Arrived, *, attributes: Mapping[str, Any]) -> Any:
    """Return a Polars table as the kind that was given, `attributes` in the ``attrs`` of a pandas table.

    Where a lazy table was given the result is lazy, in the same engine (Polars; DuckDB, on its default connection;
    Ibis), else in Polars.
    """
    if like.kind == "polars":
        return table
    if like.kind == "pyarrow":
        return table.to_arrow()
    if like.kind == "lazy":
        if like.frame.implementation.is_duckdb():
            import duckdb

            return duckdb.from_arrow(table.to_arrow())
        if like.frame.implementation.is_ibis():
            import ibis

            return ibis.memtable(table)
        return table.lazy()
    made = table.to_pandas()
    made.attrs.update(attributes)
    return made
