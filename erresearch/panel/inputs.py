"""Tables as they arrive: opened with the needed columns only, each post once, moments in the business's zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Clock, in_zone
from erresearch.engine.lazy_rows import gather
from erresearch.engine.sources import as_narwhals, says_simulated
from erresearch.errors import (
    ColumnError,
    Count,
    DataError,
    DesignError,
    EngineError,
    GuardError,
    in_mapping,
    missing_columns,
    type_name,
    without_cells,
)
from erresearch.exports.combine import combine_exports, plain_name
from erresearch.exports.lazy_tables import Lake
from erresearch.exports.log import Export
from erresearch.io import pd, pl
from erresearch.panel.records import RowAccounting
from erresearch.schema import POSTS
from erresearch.schema.vocabulary import EARLY, EXPOSURES, PERIODS, REACTIONS, WEEKDAYS, Freq

#: How many posts a day had, as the table says: its own rows are no posts.
COUNTED: Final = "posts_counted"
_MOODS: Final = ("love", "wow", "haha", "sad", "angry", "care")
_VISITS: Final = ("clicks", "link_clicks", "profile_visits", "followers_gained", COUNTED)
SUMMED: Final = (*REACTIONS, *EARLY, *_MOODS, *_VISITS, *EXPOSURES)
#: What is taken of a table of posts where it is there: its labels, levels, and the figures that are summed.
POST_COLUMNS = (*POSTS.labels, "age_days", "followers", "engagements_reported", *SUMMED)
#: The column that marks the Facebook row of a cross-post.
MERGED = "__merged__"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Arrived:
    """A table, and what is known of where it comes from.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        The needed columns that are there.
    columns : tuple of str
        Their names.
    kind : str
        The library of what was given; "lazy" where the rows stay where they are, "pandas" for exports.
    rows : int or None
        Rows in, among them those that another export repeats; None where lazy.
    left : mapping of str to int
        Rows that were left out already, by reason: what another export, a later row or an earlier one holds too.
    exported_at : datetime.date or None
        Day of the export.
    parts : tuple of Export
        The exports, where they are.
    simulated : bool
        Whether the table says so of itself.
    cautions : tuple of str
        What was found while exports were put together.
    """

    frame: nw.LazyFrame[Any]
    columns: tuple[str, ...]
    kind: str
    rows: int | None = None
    left: Mapping[str, int] = field(default_factory=dict)
    exported_at: dt.date | None = None
    parts: tuple[Export, ...] = ()
    simulated: bool = False
    cautions: tuple[str, ...] = ()

    def accounting(self, used: int, left: Mapping[str, int]) -> RowAccounting:
        """What became of the rows: those used, and those left out here and before by reason."""
        reasons = {**left, **self.left}
        return RowAccounting(used + sum(reasons.values()), used, reasons)


def arrive(
    data: Any, *, what: str, kinds: Sequence[str], needed: Sequence[str], wanted: Sequence[str]
) -> Arrived:
    """Open a table: an export or some of one of the `kinds`, a lazy one, or a frame.

    Columns that are `needed` must be there, those that are `wanted` are taken where they are; `what` names the table
    in messages.
    """
    exports = _exports(data, what, kinds)
    known: dict[str, Any] = {}
    if exports:
        together = exports[0] if len(exports) == 1 else combine_exports(_dated(exports))
        cautions = [c.text for c in together.warnings if c.code in ("overlap", "changed definition")]
        data = together.held()
        rows = sum(len(export.held()) for export in exports)
        known = {
            "rows": rows,
            "left": {"rows that another export repeats": rows - len(data)},
            "exported_at": together.exported_at,
            "parts": tuple(exports),
            "simulated": any(says_simulated(export.held()) for export in exports),
            "cautions": tuple(cautions) if len(exports) > 1 else (),
        }
    elif isinstance(data, Lake):
        _refuse_other_kind(data.name, data.kind, what, kinds)
        known, data = {"simulated": data.simulated}, data.rows
    else:
        known = {"simulated": says_simulated(data)}
    try:
        frame = as_narwhals(data)
    except TypeError:
        raise EngineError(
            f"{what} must come as exports or as a table",
            got=f"a value of type {type(data).__name__}",
            allowed="what read_export returns, several of them, or a pandas, Polars, PyArrow or DuckDB table",
            fix="read a file with erresearch.read_export or polars.scan_parquet",
        ) from None
    present = frame.collect_schema().names()
    if any(name not in present for name in needed):
        raise missing_columns(needed, present, where=f"the table of {what}")
    names = tuple(name for name in dict.fromkeys([*needed, *wanted]) if name in present)
    if isinstance(frame, nw.LazyFrame):
        return Arrived(frame=frame.select(names), columns=names, kind="lazy", **known)
    try:
        table = frame.select(names).to_polars()
    except Exception as error:
        raise ColumnError(f"the table of {what} cannot be read", got=without_cells(error)) from None
    kind = "pandas" if exports else frame.implementation.value
    known = {"rows": len(frame), **known, "frame": nw.from_native(table.lazy())}
    return Arrived(columns=names, kind=kind, **known)


def exports_of(data: Any) -> list[Export]:
    """The exports, where what is given is one of them or some and nothing else."""
    given = [data] if isinstance(data, Export) else data
    fits = isinstance(given, (list, tuple)) and all(isinstance(one, Export) for one in given)
    return list(given) if fits else []


def _exports(data: Any, what: str, kinds: Sequence[str]) -> list[Export]:
    exports = exports_of(data)
    if isinstance(data, (list, tuple)) and not exports:
        raise DataError(
            f"{what} must be exports or one table",
            got=f"{Count(len(data)):value}, not all of them exports" if data else "an empty list",
            fix="pass what read_export returned, or put tables together before",
        )
    for one in exports:
        _refuse_other_kind(one.name, one.kind, what, kinds)
    return exports


def _dated(exports: list[Export]) -> list[Export]:
    """Posts with the day of their export, which differs between files; a platform's newest post stands in for it."""
    if any("published_at" not in export.rows.columns for export in exports):
        return exports
    # files without a day may be parts of one download: what is newest in any of them stands for all
    newest: dict[str, pd.Timestamp] = {}
    for export in exports:
        if export.exported_at is None:
            times = export.rows["published_at"].dropna()
            for platform, at in times.groupby(export.rows["platform"]).max().items():
                newest[str(platform)] = max(newest.get(str(platform), at), at)
    made = []
    for export in exports:
        day = pd.Timestamp(export.exported_at) if export.exported_at is not None else None
        days = pd.Series(day, index=export.rows.index) if day else export.rows["platform"].map(newest)
        column = pd.to_datetime(days, utc=True).dt.tz_localize(None).astype("datetime64[us]")
        made.append(replace(export, rows=export.rows.assign(exported_at=column)))
    return made


def _refuse_other_kind(name: str, kind: str, what: str, kinds: Sequence[str]) -> None:
    if kind not in kinds:
        raise DataError(
            f"{name} is no table of {what}",
            got=f"a table of {kind}",
            allowed=" or ".join(kinds),
            fix=f"rows by post and day are not posts: export posts, or read with per_post = true {in_mapping()}"
            if kind == "daily"
            else "pass it where its kind belongs",
        )


def as_numbers(frame: nw.LazyFrame[Any], names: Sequence[str], what: str) -> nw.LazyFrame[Any]:
    """Refuse a column of text where figures are needed; one without any value is of no type, and holds missing ones."""
    schema = frame.collect_schema()
    odd = [name for name in names if not (schema[name].is_numeric() or schema[name] == nw.Boolean)]
    held = gather(frame.select(nw.col(*odd).count())).row(0) if odd else ()
    for name, values in zip(odd, held, strict=True):
        if values:
            raise ColumnError(
                f"column {name!r} of {what} holds no numbers",
                got=type_name(schema[name]),
                fix="read the file with read_export, which knows how numbers are written",
            )
    return frame.with_columns(nw.col(*odd).cast(nw.Float64())) if odd else frame


UTC, LOCAL = "__utc__", "__local__"
_LONG = dt.timedelta(days=5 * 366)
"""Span from which on Polars' own conversion is quicker than steps, of which there is one for each change of the clock."""
Span = tuple[dt.datetime, dt.datetime]
_GREENWICH = ("UTC", "Etc/UTC")


def in_utc(column: str, dtype: Any) -> Any:
    """Moments in UTC without a zone, as an expression; bare dates as days; None where the column holds no times."""
    moment = nw.col(column)
    if dtype == nw.Date:
        return moment.cast(nw.Datetime("us"))
    if dtype != nw.Datetime:
        return None
    zone = getattr(dtype, "time_zone", None)
    if zone not in (None, *_GREENWICH):
        moment = moment.dt.convert_time_zone("UTC")
    return moment.dt.replace_time_zone(None) if zone is not None else moment


def local_time(
    frame: nw.LazyFrame[Any], column: str, clock: Clock, *, as_printed: Any = None
) -> tuple[nw.LazyFrame[Any], Span | None]:
    """Add the moment in UTC and in the business's zone, both without a zone; and the first and last moment in UTC.

    Moments without a zone are taken as UTC, and bare dates as days; rows that are `as_printed` are not moved. A zone
    of the connection that is not UTC is refused.
    """
    dtype = frame.collect_schema()[column]
    moment = in_utc(column, dtype)
    if moment is None:
        raise ColumnError(
            f"column {column!r} holds no times",
            got=type_name(dtype),
            fix="make dates of it first, or read the file with read_export",
        )
    zone = getattr(dtype, "time_zone", None)
    if zone not in (None, *_GREENWICH) and not frame.implementation.is_polars():
        raise ColumnError(
            f"the connection shows {column!r} in the zone {zone!r}",
            allowed="UTC",
            fix="set the connection to UTC (DuckDB: SET TimeZone = 'UTC')",
        )
    frame = frame.with_columns(moment.alias(UTC))
    ends = gather(frame.select(nw.col(UTC).min().alias("first"), nw.col(UTC).max().alias("last")))
    first, last = ends["first"][0], ends["last"][0]
    if first is None or clock.tz == "UTC" or dtype == nw.Date:
        local = nw.col(UTC)
    elif frame.implementation.is_polars() and last - first > _LONG:
        aware = nw.col(UTC).dt.replace_time_zone("UTC")
        local = aware.dt.convert_time_zone(clock.tz).dt.replace_time_zone(None)
    else:
        local = in_zone(UTC, clock.tz, (first, last))
    if as_printed is not None:
        local = nw.when(as_printed).then(nw.col(UTC)).otherwise(local)
    return frame.with_columns(local.alias(LOCAL)), None if first is None else (first, last)


_KEYS = ("platform", "account", "post_id")


def once(posts: Arrived, notes: list[str]) -> Arrived:
    """Keep one row of each post, and count the others by reason; exports were looked at when they were put together.

    Where posts have ``exported_at``, rows of different days may differ and the newest stay; else different figures of
    one post are refused.
    """
    if posts.parts or "post_id" not in posts.columns:
        return posts
    keys = [name for name in _KEYS if name in posts.columns]
    known = posts.frame.filter(~nw.col("post_id").is_null())
    before = _rows(known)
    if before == _rows(known.select(keys).unique()):
        return posts
    left = {}
    if "exported_at" in posts.columns:
        newest = nw.col("exported_at").max().over(*keys)
        # a row without a day of export is older than any with one
        known = known.with_columns(newest.alias("__newest__"))
        known = known.filter((nw.col("exported_at") == nw.col("__newest__")) | nw.col("__newest__").is_null())
        left["of posts with newer figures"] = older = before - _rows(known)
        if older:
            notes.append(
                f"{Count(older):row holds} earlier figures of posts that a later export holds again; the newest stay"
            )
        before -= older
    known = known.select(posts.columns).unique()
    rows = _rows(known)
    left["copies of an earlier row"] = copies = before - rows
    if copies:
        notes.append(f"{Count(copies):post repeats} an earlier row: counted once")
    counts = known.group_by(*keys).agg(nw.len().alias("n")).filter(nw.col("n") > 1)
    twice = gather(counts.sort(*keys).head(1))
    if twice.height:
        total = gather(counts.select(nw.col("n").sum()))["n"][0]
        raise DataError(
            "the same post stands in several rows with different figures",
            got=f"{Count(total, of=rows):row}, first {keys[-1]} {twice[keys[-1]][0]!r}",
            fix="keep the newest figures of each post, add the day of the export as a column exported_at, or pass "
            "the exports themselves",
        )
    unnamed = posts.frame.filter(nw.col("post_id").is_null()).select(posts.columns)
    return replace(posts, frame=nw.concat([known, unnamed]), left=left)


def _rows(frame: nw.LazyFrame[Any]) -> int:
    return int(gather(frame.select(nw.len().alias("n")))["n"][0])


_SISTERS = ("facebook", "instagram")
_CLOSE = dt.timedelta(minutes=2)
_PEOPLE = ("reach",)


def merge_crossposts(posts: Arrived, notes: list[str]) -> Arrived:
    """Merge each Facebook post with the Instagram post that it was published with.

    Two posts are one if they went out within two minutes of each other and either the file says that one of them is a
    cross-post or their texts (``caption``, as text or hashed) are equal; never if both texts are known and differ.
    Their accounts must have one name, or each network one account. Reactions and views are added up; reach counts
    people that may be the same, so it is not known. A column marks the Facebook row of each pair, which still says
    which days its file covers. Lazy posts are refused.
    """
    if posts.kind == "lazy":
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
        f"{Count(len(pairs)):post stands} on Facebook and on Instagram, counted once: the reactions are "
        "added up, their reach is not known"
    )
    return replace(posts, frame=nw.from_native(table.lazy()), columns=(*posts.columns, MERGED))


def _pairs(table: pl.DataFrame) -> list[tuple[int, int]]:
    """Rows of Facebook and of Instagram that are one post, nearest in time first; each row once."""
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
    one, other = (rows.filter(pl.col("platform") == name) for name in _SISTERS)
    single = all(side["account"].n_unique() == 1 for side in (one, other))
    apart = pl.col("at_right") - pl.col("at")
    near = one.join_where(other, apart <= _CLOSE, apart >= -_CLOSE).with_columns(apart.abs().alias("apart"))
    found = [
        (pair["apart"], pair["__row__"], pair["__row___right"])
        for pair in near.iter_rows(named=True)
        if _same(pair, single=single)
    ]
    pairs, used = [], set()
    for _, gone, kept in sorted(found):
        if gone not in used and kept not in used:
            pairs.append((gone, kept))
            used |= {gone, kept}
    return pairs


def _same(pair: dict[str, Any], *, single: bool) -> bool:
    if not single and plain_name(str(pair["account"])) != plain_name(str(pair["account_right"])):
        return False
    texts = (pair["caption"], pair["caption_right"])
    if all(texts):
        return bool(texts[0] == texts[1])
    return bool(pair["is_crosspost"] or pair["is_crosspost_right"])


#: Outcomes that may stand beside the reactions, in the order in which the panel shows them.
_SOLD: Final = ("revenue", "revenue_net", "orders", "conversions", "sessions")
#: Figures of a table of days that are summed.
_OF_DAYS: Final = ("engagements_reported", *(n for n in SUMMED if n not in (*_MOODS, "followers_gained")))
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


def _rows_of_days(exports: Sequence[Export], clock: Clock) -> tuple[pd.DataFrame, Freq]:
    """The rows of all tables, and what each stands for; refused where that fits no period asked for."""
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
    keys = ["platform", "account", "date"]
    if len(exports) > 1 and rows.duplicated(keys).any():
        raise DataError(
            "two tables hold figures of the same account and day",
            got=f"{Count(int(rows.duplicated(keys).sum())):row} twice",
            fix=f'say whose each is with account = "…" {in_mapping()}, or leave one of them out',
        )
    if by == "M":
        # whatever day stands for a month, the last one of it too
        rows["date"] = rows["date"].dt.to_period("M").dt.to_timestamp()
    return rows, by


def day_table(exports: Sequence[Export], clock: Clock, *, entity: Mapping[str, str] | None) -> DayTable:
    """Take tables of days (:func:`holds_days`) apart, and mark the periods that lack rows.

    Refused are rows that are longer than the periods asked for, weeks that fill no month, and two tables with the
    same account and day.
    """
    keys, (rows, by) = ["platform", "account"], _rows_of_days(exports, clock)
    weekday = list(WEEKDAYS)[int(rows["date"].dt.day_of_week.mode()[0])] if by == "W" else ""
    clock = Clock(clock.freq, clock.tz, weekday or clock.week_start)
    names = [name for name in _OF_DAYS if name in rows.columns]
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
