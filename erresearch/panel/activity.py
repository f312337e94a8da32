"""What was posted and what it drew, by period: posts summed in one pass, and tables that hold days, weeks or months."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Clock
from erresearch.engine.lazy_rows import gather
from erresearch.errors import Count, DataError, DesignError, in_mapping
from erresearch.exports.log import Export
from erresearch.io import pd, pl
from erresearch.metrics import PLATFORMS
from erresearch.panel.inputs import (
    LOCAL,
    MERGED,
    SUMMED,
    UTC,
    Arrived,
    check_numbers,
    exports_of,
    in_utc,
    local_time,
)
from erresearch.panel.records import AGES, STATUS, Activity, Request, count_of, denominator, numerator
from erresearch.schema.vocabulary import EARLY, EXPOSURES, PERIODS, REACTIONS, WEEKDAYS, Freq, RowStatus

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
    frame, columns, clock, min_age_days = posts.frame, posts.columns, request.clock, request.min_age_days
    schema = frame.collect_schema()
    numbers = [name for name in SUMMED if name in columns]
    levels = [name for name in ("followers", "age_days", "engagements_reported") if name in columns]
    check_numbers(schema, [*numbers, *levels], "posts")
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


#: How many posts a day had, as the table says: its own rows are no posts.
COUNTED: Final = "posts_counted"
#: Outcomes that may stand beside the reactions, in the order in which the panel shows them.
_SOLD: Final = ("revenue", "revenue_net", "orders", "conversions", "sessions")
_SUMMED: Final = (
    *REACTIONS,
    *EARLY,
    "engagements_reported",
    COUNTED,
    "clicks",
    "link_clicks",
    "profile_visits",
    *EXPOSURES,
)
#: The most days between two rows that may be days; between most rows that may be weeks; what weeks and months have.
_DAYS_APART, _WEEKS_APART = 6, 20
_LENGTHS: Final[Mapping[Freq, tuple[int, int]]] = {"W": (7, 7), "M": (28, 31)}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DayTable:
    """A table of days, taken apart into what a panel is built from.

    Parameters
    ----------
    figures : pandas.DataFrame
        Account, platform, moment and the reactions and exposures; those of a period that lacks rows are missing.
    outcomes, spend, followers : pandas.DataFrame or None
        Sales by day, advertising by day, and followers, where the table has them.
    filled : int
        Rows without figures that were added for periods without any row.
    week_start : str
        First day of the table's weeks; empty where its rows are no weeks.
    notes : list of str
        What is worth a word: periods that lack rows, and what the date of a week means.
    """

    figures: pd.DataFrame
    outcomes: pd.DataFrame | None
    spend: pd.DataFrame | None
    followers: pd.DataFrame | None
    filled: int
    week_start: str
    notes: list[str]


def holds_days(export: Export) -> bool:
    """Whether an export has reactions by account and day, and no posts."""
    names = export.held().columns
    return (
        export.kind == "daily"
        and "post_id" not in names
        and bool({*REACTIONS, "engagements_reported"} & set(names))
    )


def sells(exports: Sequence[Export]) -> bool:
    """Whether one of the tables has sales beside the reactions."""
    return any(set(_SOLD) & set(one.rows.columns) for one in exports)


def days_of_sales(exports: Sequence[Export], tz: str) -> pd.DataFrame:
    """A row for each day between the first and the last sale, in the place of posts of which the files say nothing."""
    found = []
    for one in exports:
        rows = one.rows.assign(account=one.rows["entity"].fillna("") if "entity" in one.rows.columns else "")
        ends = rows["date_end"].fillna(rows["date"]) if "date_end" in rows.columns else rows["date"]
        found.append(rows.assign(last=ends)[["account", "date", "last"]])
    spans = pd.concat(found).groupby("account").agg({"date": "min", "last": "max"})
    days = [
        pd.DataFrame({"account": name, "published_at": pd.date_range(first, last) + pd.Timedelta(hours=12)})
        for name, first, last in spans.itertuples()
    ]
    made = pd.concat(days, ignore_index=True)
    return made.assign(published_at=made["published_at"].dt.tz_localize(tz))


def only_days(posts: Any) -> list[Export]:
    """The exports, where all of them hold days; otherwise none."""
    exports = exports_of(posts)
    return exports if all(map(holds_days, exports)) else []


def rows_by(exports: Sequence[Export]) -> Freq:
    """Length of what a row stands for, from the days between two rows of an account."""
    apart = _apart(exports)
    if not apart.min() > _DAYS_APART:
        return "D"
    return "W" if apart.median() <= _WEEKS_APART else "M"


def _apart(exports: Sequence[Export]) -> pd.Series:
    """Days from each row of an account to its next."""
    rows = pd.concat([one.rows[["platform", "account", "date"]] for one in exports])
    days: pd.Series = rows.sort_values("date").groupby(["platform", "account"])["date"].diff().dt.days
    return days[days > 0]


def day_table(exports: Sequence[Export], clock: Clock, *, entity: Mapping[str, str] | None) -> DayTable:
    """Take tables of days (:func:`holds_days`) apart, and mark the periods that lack rows.

    Refused are rows that are longer than the periods asked for, weeks that fill no month, and two tables with the same
    account and day.
    """
    by, apart = rows_by(exports), _apart(exports).median()
    if by in _LENGTHS and not _LENGTHS[by][0] <= apart <= _LENGTHS[by][1]:
        raise DesignError(
            f"the rows of {exports[0].name} are no days, weeks or months",
            got=f"{apart:g} days from one to the next",
            allowed="a row per day, per week or per calendar month",
            fix="make the table again by day, by week or by month",
        )
    if (by, clock.freq) not in {(by, by), ("D", "W"), ("D", "M")}:
        raise DesignError(
            f"each row of {exports[0].name} is a {PERIODS[by].one}",
            got=f"freq={clock.freq!r}",
            allowed=f"{by!r}" + (", 'W' or 'M'" if by == "D" else ""),
            fix=f"judge by {PERIODS[by].one}: --freq {by}, or freq={by!r}",
        )
    rows = pd.concat([one.rows for one in exports], ignore_index=True).rename(columns={"posts": COUNTED})
    keys = ["platform", "account"]
    if len(exports) > 1 and rows.duplicated([*keys, "date"]).any():
        raise DataError(
            "two tables hold figures of the same account and day",
            got=f"{Count(int(rows.duplicated([*keys, 'date']).sum())):row} twice",
            fix=f'say whose each is with account = "…" {in_mapping()}, or leave one of them out',
        )
    if by == "M":
        # whatever day stands for a month, the last one of it too
        rows["date"] = rows["date"].dt.to_period("M").dt.to_timestamp()
    weekday = list(WEEKDAYS)[int(rows["date"].dt.day_of_week.mode()[0])] if by == "W" else ""
    clock = Clock(clock.freq, clock.tz, weekday or clock.week_start)
    names = [name for name in _SUMMED if name in rows.columns]
    sold = [name for name in _SOLD if name in rows.columns]
    unit = rows["account"].map(entity).fillna(rows["account"]) if entity else rows["account"]
    # one shop's sales in another file: a period is whole where it is whole for every account
    unit = unit if sold or entity else pd.Series("", index=rows.index)
    rows = rows.assign(unit=unit, number=[clock.number(day.date()) for day in rows["date"]])
    wanted = _expected(rows, clock, each=by != clock.freq)
    had = rows.groupby(["unit", "number"]).size().reindex(wanted.index, fill_value=0)
    short = wanted.index[had < wanted]
    figures = rows.rename(columns={"date": "published_at"})[[*keys, "published_at", "unit", "number", *names]]
    lacks = pd.MultiIndex.from_frame(figures[["unit", "number"]]).isin(short)
    figures.loc[lacks, names] = float("nan")
    # a figure that an account never has is not blank, one that it lacks on some days of a period is
    gaps = figures[names].isna() & figures.groupby(keys)[names].transform("count").gt(0)
    blank = (gaps & ~lacks[:, None]).groupby([figures["unit"], figures["number"]]).any()
    whole = pd.MultiIndex.from_frame(figures[["unit", "number"]])
    figures[names] = figures[names].mask(blank.reindex(whole).to_numpy())
    added = _rows_without_figures(rows, clock, had.index[had == 0], to_the_end=by == clock.freq != "D")
    figures = pd.concat([figures, *(one for one in added if len(one))], ignore_index=True)
    # noon is there on every day, midnight is not where clocks change at it
    noon = figures["published_at"] + pd.Timedelta(hours=12)
    figures["published_at"] = noon.dt.tz_localize(clock.tz).dt.tz_convert("UTC")
    notes, period, spent = [], PERIODS[clock.freq], "spend" in rows.columns
    if len(short):
        row = "a row" if clock.freq == "D" or weekday else "a row for each of their days"
        notes.append(f"reactions are missing in {Count(len(short)):{period.one}} without {row}")
    lost = ", ".join(f"{name} in {count:,}" for name, count in blank.sum().items() if count)
    if lost and by != clock.freq:
        words = "in which a day is blank have no sum and are missing, not smaller"
        notes.append(f"{period.many} {words}: {lost}")
    if weekday:
        notes.append(
            f"each row is a week, and its date is taken for the first day of it, a {weekday.title()}"
        )
    outcomes, rows = None, rows.assign(entity=rows["account"])
    if sold:
        labels = [name for name in ("date", "entity", "currency") if name in rows.columns]
        # a day without a figure of spending is not known to have cost nothing: it is missing, like a day of sales
        outcomes = rows.melt(labels, [*sold, *["spend"] * spent], var_name="outcome", value_name="value")
    return DayTable(
        figures=figures.drop(columns=["unit", "number"]),
        outcomes=None if outcomes is None else outcomes.dropna(subset=["value"]),
        spend=rows[["date", "spend", "entity"]].dropna() if spent and not sold else None,
        followers=rows[[*keys, "date", "followers"]].dropna() if "followers" in rows.columns else None,
        filled=sum(map(len, added)),
        week_start=weekday,
        notes=notes,
    )


def _rows_without_figures(
    rows: pd.DataFrame, clock: Clock, empty: pd.Index, *, to_the_end: bool
) -> list[pd.DataFrame]:
    """Rows that make a period without any row missing and not 0, and a row that is a week last to its end."""
    keys = ["platform", "account"]
    whose = rows.drop_duplicates("unit").set_index("unit")[keys]
    added = [whose.loc[[unit for unit, _ in empty]].reset_index(drop=True)]
    added[0]["published_at"] = pd.to_datetime([clock.start(int(number)) for _, number in empty])
    if to_the_end:
        added.append(rows.groupby(keys)[["number"]].max().reset_index())
        last = [clock.start(int(number) + 1) for number in added[1].pop("number")]
        added[1]["published_at"] = pd.to_datetime(last) - pd.Timedelta(days=1)
    return added


def _expected(rows: pd.DataFrame, clock: Clock, *, each: bool) -> pd.Series:
    """Rows that each period of a unit should have: one per account, or one per account and day within its span."""
    found = []
    for (unit, *_), part in rows.groupby(["unit", "platform", "account"])["date"]:
        numbers = [clock.number(day.date()) for day in pd.date_range(part.min(), part.max())]
        found.append(
            pd.DataFrame({"unit": unit, "number": numbers if each else list(dict.fromkeys(numbers))})
        )
    return pd.concat(found).groupby(["unit", "number"]).size()
