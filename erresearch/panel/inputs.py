"""Tables as they arrive: opened with the needed columns only, each post once, moments in the business's zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Clock, in_zone
from erresearch.engine.lazy_rows import gather
from erresearch.engine.sources import as_narwhals, says_simulated
from erresearch.errors import (
    ColumnError,
    Count,
    DataError,
    EngineError,
    GuardError,
    in_mapping,
    missing_columns,
)
from erresearch.exports.combine import combine_exports, plain_name
from erresearch.exports.lazy_tables import Lake
from erresearch.exports.log import Export
from erresearch.io import pd, pl
from erresearch.panel.records import RowAccounting
from erresearch.schema import POSTS
from erresearch.schema.vocabulary import EARLY, EXPOSURES, REACTIONS

SUMMED = (
    *REACTIONS, *EARLY, "love", "wow", "haha", "sad", "angry", "care", "clicks", "link_clicks", "profile_visits",
    "followers_gained", "posts_counted", *EXPOSURES,
)  # fmt: skip
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
    repeated : int
        Rows that another export repeats.
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
    repeated: int = 0
    exported_at: dt.date | None = None
    parts: tuple[Export, ...] = ()
    simulated: bool = False
    cautions: tuple[str, ...] = ()

    def accounting(self, used: int, left: Mapping[str, int]) -> RowAccounting:
        """What became of the rows: those used, those left out by reason, and what another export repeats."""
        reasons = {**left, "rows that another export repeats": self.repeated}
        return RowAccounting(used + sum(reasons.values()), used, reasons)


def arrive(
    data: Any, *, what: str, kinds: Sequence[str], needed: Sequence[str], wanted: Sequence[str]
) -> Arrived:
    """Open a table: an export or some of one of the `kinds`, a lazy one, or a frame.

    Columns that are `needed` must be there, those that are `wanted` are taken where they are; `what` names the table in
    messages.
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
            "repeated": rows - len(data),
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
    except TypeError as error:
        raise EngineError(
            f"{what} must come as exports or as a table",
            got=f"a value of type {type(data).__name__}",
            allowed="what read_export returns, several of them, or a pandas, Polars, PyArrow or DuckDB table",
            fix="read a file with erresearch.read_export or polars.scan_parquet",
        ) from error
    present = frame.collect_schema().names()
    if any(name not in present for name in needed):
        raise missing_columns(needed, present, where=f"the table of {what}")
    names = tuple(name for name in dict.fromkeys([*needed, *wanted]) if name in present)
    if isinstance(frame, nw.LazyFrame):
        return Arrived(frame=frame.select(names), columns=names, kind="lazy", **known)
    try:
        table = frame.select(names).to_polars()
    except Exception as error:
        said = str(error).split("\n", maxsplit=1)[0][:200]
        raise ColumnError(f"the table of {what} cannot be read", got=said) from error
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


def check_numbers(schema: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    """Refuse a column of text where figures are needed."""
    wrong = [name for name in names if not (schema[name].is_numeric() or schema[name] == nw.Boolean)]
    if wrong:
        raise ColumnError(
            f"column {wrong[0]!r} of {what} holds no numbers",
            got=str(schema[wrong[0]]),
            fix="read the file with read_export, which knows how numbers are written",
        )


def give_back(table: pl.DataFrame, like: Arrived, *, attributes: Mapping[str, Any]) -> Any:
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


UTC = "__utc__"
LOCAL = "__local__"
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

    Moments without a zone are taken as UTC, and bare dates as days; rows that are `as_printed` are not moved. A zone of
    the connection that is not UTC is refused.
    """
    dtype = frame.collect_schema()[column]
    moment = in_utc(column, dtype)
    if moment is None:
        raise ColumnError(
            f"column {column!r} holds no times",
            got=str(dtype),
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


def once(posts: Arrived, notes: list[str]) -> tuple[Arrived, dict[str, int]]:
    """Keep one row of each post, and count the others by reason; exports were looked at when they were put together.

    Where posts have ``exported_at``, rows of different days may differ and the newest stay; else different figures of
    one post are refused.
    """
    if posts.parts or "post_id" not in posts.columns:
        return posts, {}
    keys = [name for name in _KEYS if name in posts.columns]
    frame = posts.frame
    known = frame.filter(~nw.col("post_id").is_null())
    before = _rows(known)
    if before == _rows(known.select(keys).unique()):
        return posts, {}
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
    unnamed = frame.filter(nw.col("post_id").is_null()).select(posts.columns)
    return replace(posts, frame=nw.concat([known, unnamed])), left


def _rows(frame: nw.LazyFrame[Any]) -> int:
    return int(gather(frame.select(nw.len().alias("n")))["n"][0])


_SISTERS = ("facebook", "instagram")
_CLOSE = dt.timedelta(minutes=2)
_PEOPLE = ("reach",)


def merge_crossposts(posts: Arrived, notes: list[str]) -> Arrived:
    """Merge each Facebook post with the Instagram post that it was published with.

    Two posts are one if they went out within two minutes of each other and either the file says that one of them is a
    cross-post or their texts (``caption``, as text or hashed) are equal; never if both texts are known and differ. Their
    accounts must have one name, or each network one account. Reactions and views are added up; reach counts people
    that may be the same, so it is not known. A column marks the Facebook row of each pair, which still says which days
    its file covers. Lazy posts are refused.
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
