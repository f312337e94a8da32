"""Dates and times as platforms print them, a column at a time.

One order per column: it is taken from the cells where they decide, else from the platform's rule, else asked for.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from erresearch.errors import Count, DataError, argument
from erresearch.exports.layouts import load_registry
from erresearch.exports.log import TextColumn
from erresearch.io import pl
from erresearch.io.resources import by_morsels

_MONTHS = 12
#: Steps between days from which equal ones decide the order of dates.
_STEPS = 4
Precision = Literal["second", "minute", "day", "week", "month"]

# a word may stand before the clock ("at", "um") and after it ("Uhr"); a letter alone is of AM or PM only at the end
_CLOCK = (
    r"(?:[T\s,]+(?:(?:at|um|om|à|a las|в)\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
    r"(?:\s*(?:Uhr|uur|h))?\s*(?:(?P<half>[AaPp])(?:\.?\s?[Mm]\.?|$))?)?"
)
_ZONE = r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2}|\(?[A-Z]{2,5}\)?)?"
_WORD = r"(?:\p{L}+\.?,?\s+)?"
_YEAR = r"(?:,?\s+(?:de\s+)?(?P<year>\d{4})|[-/.](?P<short>\d{4}|\d{2}))?(?:\s+г\.?)?"
_NUMBERS = r"(?P<first>\d{1,2})[-/.](?P<other>\d{1,2})[-/.](?P<year>\d{4}|\d{2})"
_NUMERIC = rf"^{_WORD}{_NUMBERS}{_CLOCK}{_ZONE}$"
_WEEK = r"(?:w|wk|week|kw|cw|woche|semaine|semana|settimana)"
#: Words before the first day of a week.
_WEEK_OF = r"(?i)^(?:week (?:of|commencing|beginning|starting)|w/c|woche vom|semaine du|semana del)\s+"
_YEAR_MONTH = r"^(?P<year>(?:19|20)\d{2})-(?P<month>\d{2})$"
_YEAR_MONTH_BARE = r"^(?P<year>(?:19|20)\d{2})(?P<month>\d{2})$"
_MONTH_SHORT = r"^(?P<name>\p{L}+)\.?(?:[-/]|\s?['’])(?P<short>\d{2})$"
_COMPACT = r"^(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})(?P<hour>\d{2})?$"
_SERIAL = r"^([2-6]\d{4})(?:\.(\d+))?$"
_UNIX = r"^(?P<unix>1\d{9})(\d{3})?$"
#: Ways of writing a time; the parts of each are read by their names.
_WAYS = (
    rf"^(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})\.?{_CLOCK}{_ZONE}$",
    _NUMERIC,
    rf"^{_WORD}(?P<name>\p{{L}}+)\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{{4}}))?{_CLOCK}{_ZONE}$",
    rf"^{_WORD}(?P<day>\d{{1,2}})(?:\.?\s+|[-/.])(?:de\s+)?(?P<name>\p{{L}}+)\.?{_YEAR}{_CLOCK}{_ZONE}$",
    _COMPACT,
    _YEAR_MONTH,
    _YEAR_MONTH_BARE,
    _UNIX,
    _SERIAL,
    # weeks by the calendar of ISO 8601
    rf"(?i)^(?P<year>\d{{4}})[-/\s]?{_WEEK}[-\s]?(?P<week>\d{{1,2}})$",
    rf"(?i)^{_WEEK}\.?\s?(?P<week>\d{{1,2}})[\s,/-]+(?P<year>\d{{4}})$",
    r"^(?P<name>\p{L}+)[-/](?P<day>\d{1,2})[-/](?P<short>\d{4}|\d{2})$",
    r"^(?P<name>\p{L}+)\.?[-/,\s]+(?:de\s+)?(?P<year>\d{4})$",
    r"^(?P<year>\d{4})[-/\s]+(?P<name>\p{L}+)\.?$",
    r"^(?P<month>\d{1,2})[-/.](?P<year>\d{4})$",
    _MONTH_SHORT,
)
#: Numbers that may be anything else as well.
_BARE = (_COMPACT, _YEAR_MONTH_BARE, _UNIX, _SERIAL)
#: A first and a last day in one cell; a sign between them stands apart from those within a date.
_RANGE = r"^(?P<from>.*?\d\S*)(?:\s*[–—]\s*|\s+-\s+|\s+(?:to|bis|t/m|au|al|a|até)\s+)(?P<to>.*\d{4}.*)$"
_ISO_RANGE = r"^(?P<from>\d{4}-\d{2}-\d{2})/(?P<to>\d{4}-\d{2}-\d{2})$"
#: Shapes that a parser in C reads at once, by their order of numeric dates; empty where the shape says it.
_FAST: Final = (
    ("", "%Y-%m-%d"), ("", "%Y-%m-%d %H:%M:%S"), ("", "%Y-%m-%dT%H:%M:%S"), ("", "%Y-%m-%d %H:%M:%S %z"),
    ("", "%Y-%m-%d %H:%M %z"), ("MDY", "%m/%d/%Y %H:%M"), ("DMY", "%d/%m/%Y %H:%M"), ("MDY", "%m/%d/%Y"),
    ("DMY", "%d/%m/%Y"),
)  # fmt: skip


def without(moments: pl.Series, rows: pl.Series) -> pl.Series:
    """Moments or lengths of time with nothing in some rows; `Series.set` takes neither before Polars 1.40.

    Parameters
    ----------
    moments : polars.Series
        A column of dates, moments or durations.
    rows : polars.Series of bool
        Where nothing is to stand; a missing value changes nothing.

    Examples
    --------
    >>> import datetime as dt
    >>> import polars as pl
    >>> without(pl.Series([dt.date(2026, 1, 1), dt.date(2026, 1, 2)]), pl.Series([True, None])).to_list()
    [None, datetime.date(2026, 1, 2)]
    """
    return moments.zip_with(~rows.fill_null(False), pl.Series([None] * len(moments), dtype=moments.dtype))


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """A column as times.

    Parameters
    ----------
    local : polars.Series
        As printed, without zone; null where a cell says nothing or cannot be read.
    utc : polars.Series or None
        The same in UTC where the cells state their zone.
    precision : str
        second, minute, day, week or month.
    unread : polars.Series
        Which cells say something that is no time.
    month_day : polars.Series or None
        month · 100 + day where the cells lack the year; `local` is then all null.
    last : polars.Series or None
        Last day of cells that are ranges; `local` is then their first.
    """

    local: pl.Series
    utc: pl.Series | None
    precision: Precision
    unread: pl.Series
    month_day: pl.Series | None = None
    last: pl.Series | None = None

    def without(self, rows: pl.Series) -> Times:
        """The same with nothing in the rows that a mask picks."""
        utc = None if self.utc is None else without(self.utc, rows)
        return replace(self, local=without(self.local, rows), utc=utc)


def parse_times(column: TextColumn, *, order: str = "", fixed: bool = False) -> Times:
    """Read a column of text as times.

    Parameters
    ----------
    column : TextColumn
        The column; its log takes missing values and guesses.
    order : {"MDY", "DMY", "YMD", ""}
        Order of numeric dates: the platform's, or the caller's.
    fixed : bool
        Whether the caller says so, which overrides everything.

    Returns
    -------
    Times
        Cells that cannot be read are marked, not guessed.

    See Also
    --------
    erresearch.exports.numbers.parse_numbers : The same for numbers.

    Raises
    ------
    DataError
        If the column does not say which number is the month, or names months in no known language.
    """
    plain = None if column.cells.null_count() else _fast(column.cells, order, fixed=fixed)
    if plain is not None:
        return plain
    column = column.said()
    column = column.with_cells(column.cells.str.strip_prefix("'"))
    if column.cells.null_count() == len(column.cells):
        return _times(column, _unknown(len(column.cells)), "day")
    fast = _fast(column.cells, order, fixed=fixed)
    if fast is not None:
        return fast
    spaced = column.cells.str.replace_all("[\u00a0\u202f\u2009]", " ").str.replace_all(r"\s+", " ")
    column = column.with_cells(spaced.str.replace(_WEEK_OF, ""))
    ranges = _ranges(column, order, fixed=fixed)
    if ranges is not None:
        return ranges
    some = column.cells.drop_nulls().head(200)
    # where no month is known the way is still told, so that the months are what is refused
    way, _ = _most_written(some, _WAYS)
    if way == _SERIAL:
        return _serial(column)
    parts = _parts(column.cells, way)
    if way in (_YEAR_MONTH, _YEAR_MONTH_BARE) and _are_weeks(parts["month"], column):
        parts["week"] = parts["month"].alias("week")
    if "week" in parts:
        column.guess("weeks", "from their Monday on", "they are numbered as in ISO 8601", "a column of days")
        weeks = pl.DataFrame([parts["year"], parts["week"].str.zfill(2)])
        text = weeks.select(pl.concat_str("year", pl.lit("-W"), "week", pl.lit("-1"))).to_series()
        mondays = text.str.to_date("%G-W%V-%u", strict=False).cast(pl.Datetime("us"))
        return _times(column, mondays, "week")
    if way == _UNIX:
        column.log.note(f"column {column.header!r} counts seconds since 1970 (UTC)")
        local = (_whole(parts["unix"]) * 1_000_000).cast(pl.Datetime("us"))
        return _times(column, local, "second", local)
    if way == _NUMERIC:
        parts |= _ordered(parts, column, order, fixed=fixed)
    elif way == _MONTH_SHORT and parts["short"].n_unique() > parts["name"].n_unique():
        # months would be fewer than their years: these are days, of no year
        return _times(column, _unknown(len(column.cells)), "day")
    elif "name" in parts:
        parts["month"] = _named_months(parts["name"], column)
        if "short" in parts:
            parts["year"] = parts["year"].fill_null(parts["short"]) if "year" in parts else parts["short"]
        year = parts["year"]
        if year.null_count() > 0.5 * len(year) and year.null_count() > column.cells.null_count():
            return _without_year(column, parts["month"], _whole(parts["day"]))
    local, utc, precision = _assembled(parts)
    return _times(column, local, precision, utc)


def _unknown(count: int) -> pl.Series:
    return pl.Series("local", [None] * count, dtype=pl.Datetime("us"))


def _ranges(column: TextColumn, order: str, *, fixed: bool) -> Times | None:
    """Cells that hold a first and a last day; None where most do not."""
    some = column.cells.drop_nulls().head(200)
    pattern = next((one for one in (_ISO_RANGE, _RANGE) if some.str.contains(one).sum() > len(some) / 2), "")
    if not pattern:
        return None
    parts = _parts(column.cells, pattern)
    # "1 Jan - 7 Jan 2024": the year stands once
    year = parts["to"].str.extract(r"(\d{4})", 1)
    bare = ~parts["from"].str.contains(r"\d{4}").fill_null(True)
    dotted = pl.DataFrame([parts["from"].alias("t"), year.alias("y")])
    full = dotted.select(
        pl.when(pl.col("t").str.contains(r"\p{L}")).then(pl.concat_str("t", pl.lit(" "), "y"))
        .when(pl.col("t").str.ends_with(".")).then(pl.concat_str("t", "y"))
        .otherwise(pl.concat_str("t", pl.lit("/"), "y"))
    ).to_series()  # fmt: skip
    # one column, so that the days of either end tell the order of both
    cells = pl.concat([parts["from"].zip_with(~bare, full), parts["to"].alias("from")])
    rows = pl.concat([column.rows, column.rows])
    found = parse_times(replace(column, cells=cells, rows=rows), order=order, fixed=fixed)
    if found.month_day is not None:
        return None
    days = found.local.dt.truncate("1d")
    starts, stops = days.head(len(column.cells)), days.tail(len(column.cells))
    starts = starts.zip_with((starts <= stops).fill_null(True) | ~bare, starts.dt.offset_by("-1y"))
    return replace(_times(column, without(starts, (starts > stops).fill_null(True)), "day"), last=stops)


def _are_weeks(number: pl.Series, column: TextColumn) -> bool:
    """Whether a year and two figures are a week: some are above 12, or the header says so."""
    whole = _whole(number)
    named = re.search(r"(?i)\b(week|kw\b|woche|semaine|semana|settimana)", column.header)
    above = (whole > _MONTHS).sum() > 0 or named is not None
    return above and bool(whole.is_between(1, 53).all())


def _times(column: TextColumn, local: pl.Series, precision: Precision, utc: pl.Series | None = None) -> Times:
    return Times(local, utc, precision, column.cells.is_not_null() & local.is_null())


def _fast(text: pl.Series, order: str, *, fixed: bool) -> Times | None:
    """One of the usual shapes, if every cell has it and the order is known: by the caller, or by a day above 12."""
    some = text.head(200).drop_nulls().head(50)
    if some.is_empty():
        some = text.drop_nulls().head(50)
    for wanted, form in _FAST:
        pattern = re.sub("%.", r"\\d{2}", form.replace("%Y", r"\d{4}").replace("%z", r"[+-]\d{4}"))
        if wanted not in ("", order) or not some.str.contains(f"^{pattern}$").all():
            continue
        parsed = by_morsels(text, pl.col("").str.to_datetime(form, strict=False, time_unit="us"))
        if parsed.null_count() != text.null_count():
            return None
        if wanted and not fixed and not (parsed.dt.day() > _MONTHS).any():
            return None
        precision: Precision = "second" if "%S" in form else "minute" if "%M" in form else "day"
        utc, local = None, parsed
        if form.endswith("%z"):
            utc, bare = parsed.dt.replace_time_zone(None), form.removesuffix(" %z")
            length = 19 if precision == "second" else 16
            local = text.str.slice(0, length).str.to_datetime(bare, strict=False, time_unit="us")
        return Times(local, utc, precision, pl.repeat(False, len(text), eager=True, dtype=pl.Boolean))
    return None


def share_of_times(cells: pl.Series) -> float:
    """How many of the cells of a column look like a day or a moment; bare numbers do not.

    Examples
    --------
    >>> import polars as pl
    >>> share_of_times(pl.Series(["2025-03-01", "2025-03-02"])), share_of_times(pl.Series(["20250", "3.50"]))
    (1.0, 0.0)
    """
    ways = [way for way in (*_WAYS, _RANGE, _ISO_RANGE) if way not in _BARE]
    return _most_written(cells, ways)[1] / max(1, len(cells))


def _most_written(cells: pl.Series, ways: Sequence[str]) -> tuple[str, int]:
    """The way that most cells are written in, and their number; a word in it is the name of a month or no date."""
    text, months = pl.col("t"), list(load_registry().months)
    frame, best, most = pl.DataFrame({"t": cells}), ways[0], (0, 0)
    for way in ways:
        like = named = text.str.contains(way)
        if "<name>" in way:
            named = text.str.extract_groups(way).struct.field("name").str.to_lowercase().is_in(months)
        # of ways that no named month fits, the one is told that but for the name would
        found = frame.select(named.sum().alias("named"), like.sum().alias("like")).row(0)
        if found > most:
            best, most = way, found
        if most[0] == len(cells):
            break
    return best, most[0]


def _parts(text: pl.Series, pattern: str) -> dict[str, pl.Series]:
    """The parts of a way of writing by their names."""
    return text.str.extract_groups(pattern).struct.unnest().to_dict()


def _whole(part: pl.Series) -> pl.Series:
    return part.cast(pl.Int64, strict=False)


def _assembled(parts: Mapping[str, pl.Series]) -> tuple[pl.Series, pl.Series | None, Precision]:
    """Year, month, day, clock and zone put together; impossible ones become null."""
    nothing = pl.repeat(None, len(parts["year"]), eager=True, dtype=pl.String)
    year, month, day, hour, minute, second = (
        _whole(parts.get(name, nothing)) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    year = year.zip_with((year >= 100).fill_null(True), year + 2000)
    frame = pl.DataFrame({"y": year, "m": month, "d": day if "day" in parts else month * 0 + 1})
    iso = frame.select(pl.concat_str(pl.all().cast(pl.String).str.zfill(2), separator="-")).to_series()
    days = iso.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    half = parts.get("half", nothing).str.to_lowercase()
    hour = hour.zip_with(half.is_null(), hour % 12 + (half == "p").cast(pl.Int64) * 12)
    clocked = hour.is_not_null()
    precision: Precision = "second" if second.is_not_null().any() else "minute" if clocked.any() else "day"
    minute, second = minute.fill_null(0), second.fill_null(0)
    good = ((hour < 24) & (minute < 60) & (second < 60)) | ~clocked
    seconds = hour.fill_null(0) * 3600 + minute * 60 + second
    local = without(days + (seconds * 1_000_000).cast(pl.Duration("us")), ~good.fill_null(False))
    zone = parts.get("zone", nothing).str.replace_all(r"[():]", "")
    if zone.null_count() == len(zone):
        return local, None, precision if "day" in parts else "month"
    signed = zone.str.extract(r"^([+-]\d{4})$", 1).cast(pl.Int64, strict=False)
    minutes = signed.sign() * (signed.abs() // 100 * 60 + signed.abs() % 100)
    minutes = minutes.fill_null(
        zone.replace_strict(dict(load_registry().offsets), default=None, return_dtype=pl.Int64)
    )
    known = minutes.is_not_null() | zone.is_null()
    utc = local - (minutes * 60_000_000).cast(pl.Duration("us"))
    return without(local, ~known), utc, precision


def _ordered(
    parts: Mapping[str, pl.Series], column: TextColumn, rule: str, *, fixed: bool
) -> dict[str, pl.Series]:
    """Which of three numbers is the year, the month and the day, by the caller, the column, or the platform's rule."""
    first, other, last = (parts[name] for name in ("first", "other", "year"))
    a, b = _whole(first), _whole(other)
    if rule == "MDY" and not fixed and column.cells.drop_nulls().str.contains(r"^\d{1,2}\.").all():
        reason, rule = "points between the numbers put the day first", "DMY"
        column.guess("date order", rule, reason, argument("dayfirst"))
    if not fixed and _year_first(a, b, last):
        column.guess("date order", "YMD", "the first numbers change least, as years do", argument("dayfirst"))
        return _read_as("YMD", parts)
    chosen = rule if fixed else _order(parts, column, rule)
    signs = column.cells.str.extract(r"^[^\d]*\d{1,2}([-/.])", 1)
    if signs.drop_nulls().n_unique() > 1:
        odd = (signs != signs.drop_nulls().mode().sort()[0]).fill_null(False)
        about = f"dates such as {{shape}} and {column.shape(~odd)} stand in one column, as a spreadsheet leaves them "
        about += f"that took only some for dates; all were read {chosen}"
        column.count("dates written in two ways", about, odd)
    return _read_as(chosen, parts)


#: Which of three numbers are year, month and day.
_PLACES: Final = {
    "YMD": ("first", "other", "year"), "MDY": ("year", "first", "other"), "DMY": ("year", "other", "first")
}  # fmt: skip


def _read_as(order: str, parts: Mapping[str, pl.Series]) -> dict[str, pl.Series]:
    return {name: parts[place] for name, place in zip(("year", "month", "day"), _PLACES[order], strict=True)}


def _too_large(parts: Mapping[str, pl.Series]) -> tuple[int, int]:
    """How many of the first and of the second numbers are no month."""
    first, other = (int((_whole(parts[name]) > _MONTHS).sum()) for name in ("first", "other"))
    return first, other


def _year_first(a: pl.Series, b: pl.Series, last: pl.Series) -> bool:
    """Whether dates of three short numbers begin with the year: by which of their ends changes less."""
    days = _whole(last)
    return (
        not (last.str.len_bytes() > 2).any()
        and not (b > 12).any()
        and not ((days < 1) | (days > 31)).any()
        and a.drop_nulls().n_unique() < days.drop_nulls().n_unique()
    )


def _order(parts: Mapping[str, pl.Series], column: TextColumn, rule: str) -> str:
    """Which of two numbers is the month, by the whole column."""
    a, b = _whole(parts["first"]), _whole(parts["other"])
    ruled = rule if rule in ("MDY", "DMY") else ""
    not_mdy, not_dmy = _too_large(parts)
    if not_mdy or not_dmy:
        found = "MDY" if not_mdy < not_dmy else "DMY"
        least, most = sorted((not_mdy, not_dmy))
        if least > 0.05 * len(a):
            raise column.refusal(
                "mixes dates with the month first and the day first",
                got=f"{Count(not_mdy):cell} cannot be month first, {not_dmy:,} cannot be day first",
                fix="write all dates in one order",
            )
        if ruled and found != ruled:
            column.guess("date order", found, f"{Count(most):cell} only read so", argument("dayfirst"))
        return found
    where = (a != b).fill_null(False)
    if not where.any():
        return ruled or "DMY"
    proven = _in_step(parts)
    if proven and proven != rule:
        reason = "so read the days follow each other in equal steps, and otherwise they do not"
        column.guess("date order", proven, reason, argument("dayfirst"))
    if proven or ruled:
        return proven or ruled
    raise column.refusal(
        "does not say which number is the month",
        got=f"{column.shape(where)} ({column.at(where)})",
        allowed="dates of which some day is above 12, or year-month-day",
        fix=f"say it with {argument('dayfirst')}",
    )


def _in_step(parts: Mapping[str, pl.Series]) -> str:
    """The order under which a column's days follow each other in steps of one length; empty where both do, or neither."""
    found = []
    for name in ("MDY", "DMY"):
        days = _assembled(_read_as(name, parts))[0].drop_nulls().unique().sort()
        steps = days.diff().drop_nulls().dt.total_days()
        # firsts of months are in step as well
        monthly = (days.dt.day() == 1).all() and (steps <= 31).all()
        usual = int((steps == steps.mode().sort()[0]).sum()) if len(steps) else 0
        if len(steps) >= _STEPS and (monthly or usual >= 0.9 * len(steps)):
            found.append(name)
    return found[0] if len(found) == 1 else ""


def orders_of(cells: pl.Series) -> set[str]:
    """Orders of numeric dates that the cells of a column show by numbers above 12.

    ``MDY`` and ``DMY``; none where no cell tells.

    Examples
    --------
    >>> import polars as pl
    >>> orders_of(pl.Series(["01/02/2026", "31/01/2026 10:00"])), orders_of(pl.Series(["2026-01-31"]))
    ({'DMY'}, set())
    """
    not_mdy, not_dmy = _too_large(_parts(cells.cast(pl.String).str.strip_chars(), _NUMERIC))
    if not not_mdy and not not_dmy:
        return set()
    return {"MDY"} if not_mdy < not_dmy else {"DMY"}


def _named_months(token: pl.Series, column: TextColumn) -> pl.Series:
    names = load_registry().months
    month = token.str.to_lowercase().replace_strict(dict(names), default=None, return_dtype=pl.Int64)
    strange = int((month.is_null() & token.is_not_null()).sum())
    if strange > 0.5 * max(1, token.count()):
        raise column.refusal(
            "has months in no known language",
            got=f"{Count(strange, of=len(token)):cell}",
            allowed="names in en, es, nl, de, fr and ru, or numbers",
            fix="export in English, or write the dates as year-month-day",
        )
    return month


def _without_year(column: TextColumn, month: pl.Series, day: pl.Series) -> Times:
    known = month.is_not_null() & (day >= 1) & (day <= 31)
    month_day = (month * 100 + day).set(~known.fill_null(False), None)
    return Times(
        _unknown(len(month)), None, "day", column.cells.is_not_null() & month_day.is_null(), month_day
    )


def _serial(column: TextColumn) -> Times:
    days = column.cells.set(~column.cells.str.contains(_SERIAL).fill_null(False), None)
    days = days.cast(pl.Float64, strict=False)
    text = "dates are numbers of a spreadsheet and were turned back"
    column.count("serial dates", text, days.is_not_null())
    local = (((days - 25569) * 86400).round(0).cast(pl.Int64, strict=False) * 1_000_000).cast(
        pl.Datetime("us")
    )
    return _times(column, local, "day" if (days == days.floor()).all() else "second")


def day_of(value: object, name: str = "exported_at") -> dt.date:
    """Read a day that a caller gave under a name.

    Raises
    ------
    DataError
        If it is no day.

    Examples
    --------
    >>> day_of("2026-02-28")
    datetime.date(2026, 2, 28)
    """
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise DataError(f"`{name}` is no day", got=repr(value), fix="write it as 2026-02-28") from None
