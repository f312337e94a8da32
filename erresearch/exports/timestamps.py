"""When a post went out: the printed time, the platform's clock, the id, and how far each is to be trusted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from erresearch.errors import UnknownNameError, argument, in_mapping
from erresearch.exports.columns import Draft
from erresearch.exports.dates import Times, parse_times, without
from erresearch.exports.log import COUNTED_BACK, TextColumn
from erresearch.io import pl

_FIRST, _LAST = 1995, 2098
_LIE, _LIE_DAY = 26 * 3600, 39 * 3600
_DAY = dt.timedelta(days=1)
_X_EPOCH = 1_288_834_974_657
_INSTAGRAM_EPOCH = 1_314_220_021_721
# before these moments a platform did not yet write the time into its ids (milliseconds since 1970)
_EARLIEST = {"x": 1_288_834_974_657, "instagram": 1_314_220_021_721, "tiktok": 1_396_310_400_000}
_LATEST = 4_070_908_800_000
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# letters of a code, and of an address that has p, tv, reel or reels before it
_START, _CODE, _LENGTHS = "https://www.instagram.com/", 11, (40, 44)


def publication(drafted: Draft) -> pl.DataFrame:
    """Find the moment of publication of each row.

    Returns
    -------
    polars.DataFrame
        ``published_at`` in UTC, null where there is none: where ``time_precision`` (second, minute or day) is a day,
        midnight of the day as printed, which is not to be moved to another zone; ``time_source`` (stated, platform-rule,
        given, decoded-from-id or assumed); and ``born``, the day as printed.

    Raises
    ------
    DataError
        If more than 5 % of the cells are no date.
    """
    layout, cells, log = drafted.layout, drafted.column("published_at"), drafted.log
    exported_at = drafted.settings.exported_at
    times = times_of(drafted, "published_at")
    decoded = _decoded(drafted)
    if times.month_day is not None:
        times = with_years(times, cells, decoded, exported_at)
    precision = times.precision
    if layout.minute_bug and precision == "minute" and _clock_is_broken(times.local, cells):
        precision = "day"
    complete = decoded is not None and not decoded.null_count()
    by_day = precision in ("day", "week", "month")
    if precision in _ENDS:
        text = f"column {cells.header!r} tells only the {precision} of a post; its first day stands for it"
        log.caution("no day", text, count=len(cells.cells))
    if by_day or complete:
        printed = times.local.dt.truncate("1d")
        source = "platform-rule" if layout.zone else "assumed"
    else:
        printed, source = to_utc(times, cells, drafted)
    sources, precisions = pl.lit(source), pl.lit("day" if by_day else precision)
    if decoded is not None:
        printed = _checked(printed, decoded, cells, far=_LIE_DAY if complete or by_day else _LIE)
        known = decoded.is_not_null()
        if known.any():
            printed = printed.zip_with(~known, decoded)
            sources = pl.when(known).then(pl.lit("decoded-from-id")).otherwise(sources)
            precisions = pl.when(known).then(pl.lit("second")).otherwise(precisions)
            log.note(f"{int(known.sum()):,} of {len(known):,} times were read from the ids")
    at = printed.dt.cast_time_unit("us")
    end = None if exported_at is None else dt.datetime.combine(exported_at, dt.time()) + 2 * _DAY
    at = without(at, impossible(at, cells, end=end))
    frame = pl.DataFrame({"published_at": at}).with_columns(time_source=sources, time_precision=precisions)
    return frame.with_columns(times.local.dt.truncate("1d").alias("born"))


def times_of(drafted: Draft, target: str, *, refuse: bool = True) -> Times:
    """Read a column of a draft as times.

    Raises
    ------
    DataError
        If more than 5 % of the cells are no date, and they are to be refused.

    See Also
    --------
    erresearch.exports.dates.parse_times : The same of bare cells.
    """
    column, settings = drafted.column(target), drafted.settings
    times = parse_times(column, order=settings.dates or drafted.layout.dates, fixed=bool(settings.dates))
    if refuse and times.unread.any():
        fix = "write them as 2026-01-31"
        if column.cells.str.contains(r"(?i)^\s*(\d{4}\W*Q[1-4]|Q[1-4]\W*\d{4})\s*$").any():
            fix = "make the table by day, by week or by month: a quarter is too long"
        if column.cells.str.contains(r"^\s*\d{1,2}[-/.]\d{1,2}[-/.]").any():
            fix = f"mend the cells, or say the order of the dates with {argument('dayfirst')}"
            if column.cells.str.contains(r"^\s*\d{4}[-/.]\d{1,2}[-/.]").any():
                fix = "write all of them as 2026-01-31: the column has dates in two orders"
        column.reject("not a date", times.unread, code="not a date", fix=fix)
    return times


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """A column of days, weeks or months.

    Parameters
    ----------
    first, last : polars.Series
        First and last day of what each row stands for, at midnight.
    grain : {"day", "week", "month"}
        How long that is.
    utc : polars.Series
        The moment in UTC where a clock and its zone are known, else null.
    clock : polars.Series or None
        The moment as printed, where the cells have clocks; a day may then have several rows.
    """

    first: pl.Series
    last: pl.Series
    grain: str
    utc: pl.Series
    clock: pl.Series | None = None


def day_column(drafted: Draft, target: str) -> Days:
    """Read a column of days; moments whose zone is known fall on the days of the caller's zone.

    Raises
    ------
    DataError
        If more than 5 % of the cells are no date, lack the year and nothing gives it, or are ranges of other lengths
        than a day, a week or a month.
    """
    column, layout, settings = drafted.column(target), drafted.layout, drafted.settings
    times = times_of(drafted, target)
    if times.month_day is not None:
        times = with_years(times, column, None, settings.exported_at)
    times = times.without(impossible(times.local, column))
    local = times.local
    first = local.dt.truncate("1d").alias(target)
    # midnight in every row is a way to write days
    clock = local if (local != first).any() else None
    utc, zone = times.utc, settings.zone or layout.zone.removeprefix("stated")
    if utc is None and clock is not None and zone:
        utc = in_zone(local, zone, column)
    if clock is not None and utc is None:
        said = f'zone = "UTC" {in_mapping()}'
        column.log.guess("time zone", "as printed", "the file does not say one; days are those printed", said)
    elif clock is not None and utc is not None and layout.zone != "stated":
        first = business_days(utc, first, column, settings.tz)
    utc = pl.Series([None] * len(local), dtype=pl.Datetime("us")) if utc is None else utc
    if times.last is not None:
        first, last, grain = _ranged(first, times.last, column)
        return Days(first, last, grain, utc)
    grain = times.precision if times.precision in _ENDS else "day"
    last = first.dt.offset_by(_ENDS[grain]).dt.offset_by("-1d") if grain != "day" else first
    return Days(first, last, grain, utc, clock)


#: From the first day of a row to that of the next.
_ENDS = {"week": "1w", "month": "1mo"}
_USUAL = 0.8


def business_days(utc: pl.Series, printed: pl.Series, column: TextColumn, tz: str | None) -> pl.Series:
    """The days on which moments fall by the clock of the business; those printed where nobody says its zone."""
    if tz is None:
        text = "moments have a zone of their own, and their days are those printed; "
        column.log.caution("days as printed", f"column {column.header!r}: {text}{argument('tz')} moves them")
        return printed
    column.log.note(f"days are those of {tz}")
    moved = utc.dt.replace_time_zone("UTC").dt.convert_time_zone(tz).dt.replace_time_zone(None)
    return moved.dt.truncate("1d").alias(printed.name)


def _ranged(first: pl.Series, last: pl.Series, column: TextColumn) -> tuple[pl.Series, pl.Series, str]:
    """Ranges of one length; the others, such as a week that is cut at the end, are left out and counted."""
    days = (last - first).dt.total_days() + 1
    whole = (first.dt.day() == 1) & (last == first.dt.month_end())
    fits = {"day": days == 1, "week": days == 7, "month": whole}
    grain = max(fits, key=lambda name: int(fits[name].sum()))
    other = ~fits[grain].fill_null(False) & first.is_not_null()
    if int(other.sum()) > (1 - _USUAL) * first.count():
        usual = days.drop_nulls().mode().sort().head(3)
        raise column.refusal(
            "holds ranges that are no days, weeks or months",
            got=f"most are of {' or '.join(map(str, usual))} days ({column.at(other)})",
            allowed="ranges of one day, of seven days or of a calendar month",
            fix="export it again by day, week or month",
        )
    column.count("another range", f"{{count:range is}} no {grain}: left out", other)
    column.log.note(f"column {column.header!r}: each row is a {grain}, known by its first day")
    return without(first, other), without(last, other), grain


def _decoded(drafted: Draft) -> pl.Series | None:
    """Times that the ids carry; the address stands in for an id that a spreadsheet has rounded."""
    layout = drafted.layout
    if not layout.id_clock:
        return None
    name, column = layout.id_clock
    decoded = None
    for source in dict.fromkeys((column, "permalink")):
        if source in drafted.frame.columns and (drafted.frame[source] != "").any():
            found = DECODERS[name](drafted.frame[source])
            decoded = found if decoded is None else decoded.fill_null(found)
    return decoded


def _clock_is_broken(local: pl.Series, column: TextColumn) -> bool:
    """Meta's exports of 2024: the minutes are the month, and the hours run to 12 without AM or PM."""
    known = local.drop_nulls()
    first = known.head(1000)
    if (first.dt.hour() > 12).any() and (first.dt.minute() != first.dt.month()).any():
        return False
    hours = known.dt.hour()
    if len(known) >= 10 and bool((known.dt.minute() == known.dt.month()).all()):
        code = "minutes are the month"
        text = (
            "in every row the minutes equal the month, a known fault of Meta's exports; only the day is used, so nothing "
            "can be said about the hour"
        )
    elif len(known) >= 20 and bool(((hours >= 1) & (hours <= 12)).all()) and int((hours <= 6).sum()) > 0:
        code, text = "clock of 12 hours", "hours run from 1 to 12 without AM or PM; only the day is used"
    else:
        return False
    column.log.caution(code, f"column {column.header!r}: {text}", count=len(known))
    return True


def to_utc(times: Times, column: TextColumn, drafted: Draft) -> tuple[pl.Series, str]:
    """Move printed clocks to UTC.

    Returns
    -------
    utc, source
        Without zone; where the zone came from.

    Raises
    ------
    UnknownNameError
        If a zone is not known.
    """
    settings, layout = drafted.settings, drafted.layout
    if times.utc is not None and not settings.zone:
        return times.utc.fill_null(times.local), "stated"
    log, rule = column.log, layout.zone if layout.zone != "stated" else ""
    zone = settings.zone or rule or settings.tz or ""
    if settings.zone or (settings.tz and not rule):
        log.note(f"clocks were read as {zone}, as given")
        return in_zone(times.local, zone, column), "given"
    if rule:
        log.guess("time zone", rule, layout.zone_rule or "rule of the platform", f"zone {in_mapping()}")
        return in_zone(times.local, rule, column), "platform-rule"
    log.guess("time zone", "UTC", "the file does not say one", argument("tz"))
    text = "the file does not say in which zone its clock runs, UTC was assumed; "
    log.caution("time zone", f"{text}{argument('tz')} says another")
    return times.local, "assumed"


def in_zone(local: pl.Series, zone: str, column: TextColumn) -> pl.Series:
    """Read a clock of a zone as UTC; hours that a change of the clock repeats or skips are counted.

    Raises
    ------
    UnknownNameError
        If the zone is not known.
    """
    if zone == "UTC":
        return local
    check_zone(zone)
    local = local.cast(pl.Datetime("us"))
    days = local.dt.truncate("1d")
    known = days.unique().drop_nulls()
    ahead = known - _read(known, zone, "earliest")
    # on most days the clock does not change, and one look at the day tells it for all of its moments
    whole = (ahead == known + _DAY - _read(known + _DAY, zone, "latest")).fill_null(False)
    at = local - days.replace_strict(known.filter(whole), ahead.filter(whole), default=None)
    others = (at.is_null() & local.is_not_null()).arg_true()
    if len(others):
        read = _near_changes(local.gather(others), zone, column, column.rows.gather(others))
        at = at.to_physical().scatter(others, read.to_physical()).cast(pl.Datetime("us"))
    return at


def _read(clock: pl.Series, zone: str, ambiguous: Literal["earliest", "latest"]) -> pl.Series:
    moments = clock.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null")
    return moments.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _near_changes(clock: pl.Series, zone: str, column: TextColumn, rows: pl.Series) -> pl.Series:
    """Moments of days on which the clock changes."""
    at = _read(clock, zone, "earliest")
    skipped = at.is_null()
    odd = skipped | (at != _read(clock, zone, "latest")).fill_null(False)
    if skipped.any():
        # by the clock as it ran the day before
        at = at.zip_with(~skipped, _read(clock - _DAY, zone, "earliest") + _DAY)
    about = f"{{count}} times fall into an hour that a change of the clock repeats or skips ({zone}); the "
    column.log.count("change of the clock", f"{about}earlier one was taken", odd, rows)
    return at


def check_zone(zone: str) -> None:
    """Refuse a zone that is not known.

    Raises
    ------
    UnknownNameError
        With the nearest known name.
    """
    try:
        # an empty name would take the zone away
        pl.Series([dt.datetime(2026, 1, 1)]).dt.replace_time_zone(zone.strip() or "none")
    except pl.exceptions.PolarsError:
        raise UnknownNameError(
            f"there is no time zone {zone!r}",
            allowed="names of the IANA database such as Europe/Amsterdam or America/New_York, or UTC",
        ) from None


def _checked(printed: pl.Series, decoded: pl.Series, column: TextColumn, *, far: int) -> pl.Series:
    """Compare printed times with the ids; where many disagree no printed time is believed."""
    both = printed.is_not_null() & decoded.is_not_null()
    apart = ((printed - decoded).dt.total_seconds().abs() > far).fill_null(False) & both
    distrusted = int(apart.sum()) > 0.1 * int(both.sum())
    text = "{count:printed time is} over a day from the time in the id, which was taken"
    more = "; the others are not believed either" if distrusted else ""
    column.count("times against ids", text + more, apart)
    return without(printed, printed.is_not_null()) if distrusted else printed


def impossible(at: pl.Series, column: TextColumn, *, end: dt.datetime | None = None) -> pl.Series:
    """Mark dates of years that no export can be of, and dates after `end`.

    Raises
    ------
    DataError
        If they are more than 5 %.
    """
    odd = ((at < dt.datetime(_FIRST, 1, 1)) | (at >= dt.datetime(_LAST + 1, 1, 1))).fill_null(False)
    if end is not None:
        odd = odd | (at > end).fill_null(False)
    allowed = f"years from {_FIRST} to {_LAST}" + (f", up to {end:%Y-%m-%d}" if end else "")
    fix = "mend the cells, or correct exported_at and the clock of this machine"
    column.reject("an impossible date", odd, code="impossible date", allowed=allowed, fix=fix)
    return odd


def with_years(times: Times, column: TextColumn, decoded: pl.Series | None, end: dt.date | None) -> Times:
    """Give dates without a year their year: from ids, else backwards from the day of the export.

    Raises
    ------
    DataError
        If neither is there.
    """
    assert times.month_day is not None
    printed = times.month_day
    if decoded is not None and decoded.count() == printed.count():
        day = decoded.dt.truncate("1d").cast(pl.Datetime("us"))
        # days from the printed one, in the year where they are nearest
        years = [day.dt.year().cast(pl.Int64).alias(f"{step}") + step for step in (-1, 0, 1)]
        gaps = pl.DataFrame(
            [(_dated(year, printed) - day).dt.total_days().abs().alias(year.name) for year in years]
        )
        odd = (gaps.min_horizontal() > 1).fill_null(False)
        column.count("times against ids", "{count:printed day is} not those in the id, which was taken", odd)
        column.log.guess("year", "as in the ids", "the dates have no year", "exported_at")
        return Times(day, None, "day", times.unread)
    if end is None:
        first = column.rows.filter(printed.is_not_null())
        raise column.refusal(
            "has dates without a year",
            got=f"first in row {first[0] if len(first) else '?'}",
            fix=f"say the day of the export with exported_at {in_mapping()}, for example exported_at = 2026-02-28",
        )
    said = f"exported_at {in_mapping()}"
    column.log.guess("year", f"back from {end}", "the dates have no year", said, code=COUNTED_BACK)
    return Times(_back_from(printed, end), None, "day", times.unread)


def _dated(year: pl.Series, month_day: pl.Series) -> pl.Series:
    """Year, and month · 100 + day, as a date; null where there is no such day."""
    number = (year * 10_000 + month_day.cast(pl.Int64)).cast(pl.String)
    return number.str.to_datetime("%Y%m%d", strict=False, time_unit="us")


def _back_from(month_day: pl.Series, end: dt.date) -> pl.Series:
    """Years of a run of days that ends on or before `end`, in either direction."""
    known = month_day.drop_nulls().cast(pl.Int64)
    steps = known.diff().drop_nulls()
    run = known if (steps > 0).sum() >= (steps < 0).sum() else known.reverse()
    last = int(run[-1]) if len(run) else 0
    # each fall within the run is a turn of the year, counted from its end
    falls = (run > run.shift(-1)).fill_null(False).cast(pl.Int64).reverse().cum_sum().reverse()
    years = end.year - (last > end.month * 100 + end.day) - falls
    years = years if run is known else years.reverse()
    filled = pl.Series([None] * len(month_day), dtype=pl.Int64)
    return _dated(filled.scatter(month_day.is_not_null().arg_true(), years), month_day.cast(pl.Int64))


def _moments(milliseconds: pl.Series, platform: str) -> pl.Series:
    inside = (milliseconds >= _EARLIEST[platform]) & (milliseconds < _LATEST)
    return milliseconds.set(~inside.fill_null(False), None).cast(pl.Datetime("ms")).cast(pl.Datetime("us"))


def x_time(ids: pl.Series) -> pl.Series:
    """Time of X posts by their ids, or addresses that hold ``/status/<id>``: (id >> 22) + 1288834974657 milliseconds.

    Examples
    --------
    >>> import polars as pl
    >>> str(x_time(pl.Series(["1068645534976499712"]))[0])
    '2018-11-30 23:18:44.669000'
    """
    number = ids.str.extract(r"(?:^|/status(?:es)?/)(\d{14,19})(?:\D|$)", 1).cast(pl.Int64, strict=False)
    return _moments(number // (1 << 22) + _X_EPOCH, "x")


def tiktok_time(links: pl.Series) -> pl.Series:
    """Time of TikTok videos by their ids, or addresses that hold ``/video/<id>`` or ``/photo/<id>``: id >> 32 seconds."""
    number = links.str.extract(r"(?:^|/(?:video|photo)/)(\d{18,19})(?:\D|$)", 1).cast(pl.Int64, strict=False)
    return _moments(number // (1 << 32) * 1000, "tiktok")


def instagram_time(links: pl.Series) -> pl.Series:
    """Time of Instagram posts by their addresses: (id >> 23) + 1314220021721 milliseconds.

    The short code of an address is the id in base 64. The number that Meta prints as "Post ID" is another one and
    carries no time.
    """
    # of the usual address the code is cut out by its place, in a fifth of the time that a pattern takes
    code, stories = links.str.slice(-1 - _CODE, _CODE), None
    usual = links.str.starts_with(_START) & links.str.ends_with("/") & (links.str.slice(-2 - _CODE, 1) == "/")
    usual &= links.str.len_bytes().is_between(*_LENGTHS) & (code.str.len_bytes() == _CODE)
    if not usual.fill_null(False).all():
        stories = links.str.extract(r"/stories/[^/]+/(\d{17,19})", 1).cast(pl.Int64, strict=False)
        code = links.str.extract(r"instagram\.com/(?:[^/]+/)?(?:p|reel|reels|tv)/([A-Za-z0-9_-]{11})", 1)
    number = _from_base64(code) if stories is None else stories.fill_null(_from_base64(code))
    return _moments(number // (1 << 23) + _INSTAGRAM_EPOCH, "instagram")


def _from_base64(codes: pl.Series) -> pl.Series:
    """Eleven letters of base 64 as one number, a column at a time."""
    place = np.full(256, -1, dtype=np.int64)
    place[np.frombuffer(_ALPHABET, dtype=np.uint8)] = np.arange(64)
    letters = np.frombuffer(codes.fill_null("A" * _CODE).str.join("")[0].encode(), dtype=np.uint8)
    number = np.zeros(len(codes), dtype=np.int64)
    valid = np.ones(len(codes), dtype=bool)
    for column in letters.reshape(-1, _CODE).T:
        number = (number << 6) | place[column]
        valid &= place[column] >= 0
    # eleven letters hold 66 bits, an id 63
    valid &= place[letters[::_CODE]] < 8
    return pl.Series(np.where(valid, number, -1)).set(codes.is_null(), None)


DECODERS: Final[Mapping[str, Callable[[pl.Series], pl.Series]]] = {
    "x": x_time, "tiktok": tiktok_time, "instagram": instagram_time
}  # fmt: skip
"""How each platform's ids are read, by the name that ``platforms.toml`` uses."""
