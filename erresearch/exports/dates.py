"""Dates and times as platforms print them, a column at a time.

One order per column: it is taken from the cells where they decide, else from the platform's rule, else asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from erresearch.errors import DataError
from erresearch.exports.layouts import load_registry
from erresearch.exports.log import ReadLog, places
from erresearch.exports.privacy import first_shape
from erresearch.io import pl
from erresearch.io.resources import by_morsels

__all__ = ["Times", "orders_of", "parse_times", "share_of_times", "without"]

_MONTHS = 12
#: Steps between days from which equal ones decide the order of dates.
_STEPS = 4
Precision = Literal["second", "minute", "day", "month"]

# a word may stand before the clock ("at", "um") and after it ("Uhr"); a letter alone is of AM or PM only at the end
_CLOCK = (
    r"(?:[T\s,]+(?:(?:at|um|om|à|a las|в)\s+)?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?"
    r"(?:\s*(?:Uhr|uur|h))?\s*(?:([AaPp])(?:\.?\s?[Mm]\.?|$))?)?"
)
_ZONE = r"\s*(Z|[+-]\d{2}:?\d{2}|\(?[A-Z]{2,5}\)?)?"
_ISO = rf"^(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}})\.?{_CLOCK}{_ZONE}$"
_NUMERIC = rf"^(?:\p{{L}}+\.?,?\s+)?(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}}|\d{{2}}){_CLOCK}{_ZONE}$"
_WORD = r"(?:\p{L}+\.?,?\s+)?"
_MONTH_DAY = rf"^{_WORD}(\p{{L}}+)\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(\d{{4}}))?{_CLOCK}{_ZONE}$"
_YEAR = r"(?:,?\s+(?:de\s+)?(\d{4})|[-/.](\d{4}|\d{2}))?(?:\s+г\.?)?"
_DAY_MONTH = rf"^{_WORD}(\d{{1,2}})(?:\.?\s+|[-/.])(?:de\s+)?(\p{{L}}+)\.?{_YEAR}{_CLOCK}{_ZONE}$"
_COMPACT = r"^((?:19|20)\d{2})(\d{2})(\d{2})(\d{2})?$"
_MONTH = r"^((?:19|20)\d{2})-?(\d{2})$"
_SERIAL = r"^([2-6]\d{4})(?:\.(\d+))?$"
_UNIX = r"^(1\d{9})(\d{3})?$"
# shapes that a parser in C reads at once, by order: (pattern, format, precision, whether the zone is in it)
_FAST: tuple[tuple[str, Mapping[str, str], Precision, bool], ...] = (
    (r"^\d{4}-\d{2}-\d{2}$", MappingProxyType({"": "%Y-%m-%d"}), "day", False),
    (r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$", MappingProxyType({"": "%Y-%m-%d %H:%M:%S"}), "second", False),
    (r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$", MappingProxyType({"": "%Y-%m-%dT%H:%M:%S"}), "second", False),
    (
        r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} [+-]\d{4}$",
        MappingProxyType({"": "%Y-%m-%d %H:%M:%S %z"}),
        "second",
        True,
    ),
    (
        r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2} [+-]\d{4}$",
        MappingProxyType({"": "%Y-%m-%d %H:%M %z"}),
        "minute",
        True,
    ),
    (
        r"^\d{2}/\d{2}/\d{4} \d{2}:\d{2}$",
        MappingProxyType({"MDY": "%m/%d/%Y %H:%M", "DMY": "%d/%m/%Y %H:%M"}),
        "minute",
        False,
    ),
    (r"^\d{2}/\d{2}/\d{4}$", MappingProxyType({"MDY": "%m/%d/%Y", "DMY": "%d/%m/%Y"}), "day", False),
)
_OFFSETS = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180,
    "MSK": 180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
    "AST": -240, "ADT": -180, "AKST": -540, "AKDT": -480, "HST": -600, "JST": 540, "SAST": 120, "AWST": 480,
    "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780,
}  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class _Order:
    """Order of numeric dates: a rule of the platform, which the cells may contradict, or what the caller fixed."""

    rule: Literal["MDY", "DMY", "YMD", ""] | str
    fixed: bool


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
        second, minute, day or month.
    unread : polars.Series
        Which cells say something that is no time.
    month_day : polars.Series or None
        month · 100 + day where the cells lack the year; `local` is then all null.
    """

    local: pl.Series
    utc: pl.Series | None
    precision: Precision
    unread: pl.Series
    month_day: pl.Series | None = None


def parse_times(
    cells: pl.Series,
    rows: pl.Series,
    log: ReadLog,
    *,
    header: str,
    order: str = "",
    dayfirst: bool | None = None,
) -> Times:
    """Read a column of text as times.

    Parameters
    ----------
    cells : polars.Series
        Text.
    rows : polars.Series
        Row numbers, for messages.
    log : ReadLog
        Takes missing values and guesses.
    header : str
        The header as printed.
    order : {"MDY", "DMY", "YMD", ""}
        The platform's order of numeric dates.
    dayfirst : bool, optional
        What the caller says, which overrides everything.

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
    said = order if dayfirst is None else ("DMY" if dayfirst else "MDY")
    fixed = dayfirst is not None
    plain = None if cells.null_count() else _fast(cells, said, fixed=fixed)
    if plain is not None:
        return plain
    text = cells.fill_null("").str.strip_chars().str.strip_prefix("'")
    empty = text.str.to_lowercase().is_in(sorted(load_registry().missing))
    if empty.any():
        spelled = text.filter(empty).value_counts()
        log.count_missing(header, dict(spelled.iter_rows()))
    text = text.set(empty, None)
    if empty.all():
        nothing = pl.Series("local", [None] * len(text), dtype=pl.Datetime("us"))
        return Times(nothing, None, "day", pl.repeat(False, len(text), eager=True, dtype=pl.Boolean))
    fast = _fast(text, said, fixed=fixed)
    if fast is not None:
        return fast
    text = text.str.replace_all("[\u00a0\u202f\u2009]", " ").str.replace_all(r"\s+", " ")
    family = _family(text)
    return family(text, rows, log, header, _Order(said, fixed=fixed))


def _fast(text: pl.Series, order: str, *, fixed: bool) -> Times | None:
    """One of the usual shapes, if every cell has it and the order is known: by the caller, or by a day above 12."""
    some = text.head(200).drop_nulls().head(50)
    if some.is_empty():
        some = text.drop_nulls().head(50)
    for pattern, formats, precision, zoned in _FAST:
        form = formats.get("", formats.get(order))
        if form is None or not some.str.contains(pattern).all():
            continue
        parsed = by_morsels(text, pl.col("").str.to_datetime(form, strict=False, time_unit="us"))
        if parsed.null_count() != text.null_count():
            return None
        if "" not in formats and not fixed and not (parsed.dt.day() > _MONTHS).any():
            return None
        utc = parsed.dt.replace_time_zone(None) if zoned else None
        local = parsed
        if zoned:
            local = text.str.slice(0, 19 if precision == "second" else 16).str.to_datetime(
                form.removesuffix(" %z"), strict=False, time_unit="us"
            )
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
    patterns = [pattern for pattern, _ in _FAMILIES[:4]]
    return max((int(cells.str.contains(one).sum()) for one in patterns), default=0) / max(1, len(cells))


def _family(text: pl.Series) -> Callable[[pl.Series, pl.Series, ReadLog, str, _Order], Times]:
    """The way of writing that most of the first cells follow."""
    some = text.drop_nulls().head(200)
    counts = [int(some.str.contains(pattern).sum()) for pattern, _ in _FAMILIES]
    return _FAMILIES[counts.index(max(counts))][1]


def _groups(text: pl.Series, pattern: str) -> list[pl.Series]:
    struct = pl.DataFrame({"t": text}).select(pl.col("t").str.extract_groups(pattern).alias("g"))["g"]
    return struct.struct.unnest().get_columns()


def _whole(part: pl.Series) -> pl.Series:
    return part.cast(pl.Int64, strict=False)


def _assembled(
    day: tuple[pl.Series, pl.Series, pl.Series], clock: list[pl.Series], text: pl.Series
) -> tuple[pl.Series, pl.Series | None, Precision]:
    """Year, month, day, clock and zone put together; impossible ones become null."""
    year, month, date = day
    year = year.zip_with((year >= 100).fill_null(True), year + 2000)
    frame = pl.DataFrame({"y": year, "m": month, "d": date}).with_columns(pl.all().cast(pl.String))
    iso = frame.select(
        pl.concat_str(
            pl.col("y"), pl.lit("-"), pl.col("m").str.zfill(2), pl.lit("-"), pl.col("d").str.zfill(2)
        )
    ).to_series()
    days = iso.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    hour, minute, second = (_whole(part) for part in clock[:3])
    letter = clock[3].str.to_lowercase()
    hour = hour.zip_with(letter.is_null(), hour % 12 + (letter == "p").cast(pl.Int64) * 12)
    clocked = hour.is_not_null()
    precision: Precision = "second" if second.is_not_null().any() else "minute" if clocked.any() else "day"
    good = ((hour < 24) & (minute < 60) & (second.fill_null(0) < 60)) | ~clocked
    seconds = hour.fill_null(0) * 3600 + minute.fill_null(0) * 60 + second.fill_null(0)
    local = without(days + (seconds * 1_000_000).cast(pl.Duration("us")), ~good.fill_null(False))
    zone = clock[4].str.replace_all(r"[():]", "")
    if zone.null_count() == len(zone):
        return local, None, precision
    signed = zone.str.extract(r"^([+-]\d{4})$", 1).cast(pl.Int64, strict=False)
    minutes = signed.sign() * (signed.abs() // 100 * 60 + signed.abs() % 100)
    minutes = minutes.fill_null(zone.replace_strict(_OFFSETS, default=None, return_dtype=pl.Int64))
    known = minutes.is_not_null() | zone.is_null()
    utc = local - (minutes * 60_000_000).cast(pl.Duration("us"))
    return without(local, ~known), utc, precision


def _iso(text: pl.Series, rows: pl.Series, log: ReadLog, header: str, order: _Order) -> Times:
    year, month, day, *clock = _groups(text, _ISO)
    local, utc, precision = _assembled((_whole(year), _whole(month), _whole(day)), clock, text)
    return Times(local, utc, precision, text.is_not_null() & local.is_null())


def _numeric(text: pl.Series, rows: pl.Series, log: ReadLog, header: str, order: _Order) -> Times:
    first, second, year, *clock = _groups(text, _NUMERIC)
    a, b = _whole(first), _whole(second)
    if order.rule == "MDY" and not order.fixed and text.drop_nulls().str.contains(r"^\d{1,2}\.").all():
        log.guess(
            f"date order of {header!r}", "DMY", "points between the numbers put the day first", "dayfirst="
        )
        order = _Order("DMY", fixed=False)
    if not order.fixed and _year_first(a, b, year):
        log.guess(
            f"date order of {header!r}", "YMD", "the first numbers change least, as years do", "dayfirst="
        )
        local, utc, precision = _assembled((a, b, _whole(year)), clock, text)
        return Times(local, utc, precision, text.is_not_null() & local.is_null())
    chosen = _order(a, b, text, rows, log, header=header, order=order)
    month, day = (a, b) if chosen == "MDY" else (b, a)
    signs = text.str.extract(r"^[^\d]*\d{1,2}([-/.])", 1)
    if signs.drop_nulls().n_unique() > 1:
        odd = (signs != signs.drop_nulls().mode().sort()[0]).fill_null(False)
        about = f"column {header!r}: dates such as {{shape}} and {first_shape(text, ~odd)} stand in one column, as a "
        about += f"spreadsheet leaves them that took only some for dates; all were read {chosen}"
        log.count("dates written in two ways", about, odd, rows, cells=text)
    local, utc, precision = _assembled((_whole(year), month, day), clock, text)
    return Times(local, utc, precision, text.is_not_null() & local.is_null())


def _year_first(a: pl.Series, b: pl.Series, last: pl.Series) -> bool:
    """Whether dates of three short numbers begin with the year: by which of their ends changes less."""
    days = _whole(last)
    return (
        not (last.str.len_bytes() > 2).any()
        and not (b > 12).any()
        and not ((days < 1) | (days > 31)).any()
        and a.drop_nulls().n_unique() < days.drop_nulls().n_unique()
    )


def _order(
    a: pl.Series, b: pl.Series, text: pl.Series, rows: pl.Series, log: ReadLog, *, header: str, order: _Order
) -> str:
    """Which of two numbers is the month, by the whole column."""
    if order.fixed:
        return order.rule
    not_mdy, not_dmy = int((a > 12).sum()), int((b > 12).sum())
    if not_mdy or not_dmy:
        found = "MDY" if not_mdy < not_dmy else "DMY"
        least, most = sorted((not_mdy, not_dmy))
        if least > 0.05 * len(a):
            raise DataError(
                f"{log.name}, column {header!r} mixes dates with the month first and the day first",
                got=f"{not_mdy:,} cells cannot be month first, {not_dmy:,} cannot be day first",
                fix="write all dates in one order",
            )
        if order.rule in ("MDY", "DMY") and found != order.rule:
            log.guess(f"date order of {header!r}", found, f"{most:,} cells only read so", "dayfirst=")
        return found
    if int((a != b).sum()) == 0:
        return order.rule if order.rule in ("MDY", "DMY") else "DMY"
    proven = _in_step(a, b, text)
    if proven and proven != order.rule:
        reason = "so read the days follow each other in equal steps, and otherwise they do not"
        log.guess(f"date order of {header!r}", proven, reason, "dayfirst=")
    if proven or order.rule in ("MDY", "DMY"):
        return proven or order.rule
    where = (a != b).fill_null(False)
    raise DataError(
        f"{log.name}, column {header!r} does not say which number is the month",
        got=f"{first_shape(text, where)} ({places(tuple(rows.filter(where).head(3)), int(where.sum()))})",
        allowed="dates of which some day is above 12, or year-month-day",
        fix="pass dayfirst=True or dayfirst=False",
    )


def _in_step(a: pl.Series, b: pl.Series, text: pl.Series) -> str:
    """The order under which a column's days follow each other in steps of one length; empty where both do, or neither."""
    year = _whole(_groups(text, _NUMERIC)[2])
    found = []
    for name, month, day in (("MDY", a, b), ("DMY", b, a)):
        nothing = [text.clear().extend_constant(None, len(text))] * 5
        days = _assembled((year, month, day), nothing, text)[0].drop_nulls().unique().sort()
        steps = days.diff().drop_nulls().dt.total_days()
        # firsts of months are in step as well
        monthly = (days.dt.day() == 1).all() and (steps <= 31).all()
        usual = int((steps == steps.mode().sort()[0]).sum()) if len(steps) else 0
        if len(steps) >= _STEPS and (monthly or usual >= 0.9 * len(steps)):
            found.append(name)
    return found[0] if len(found) == 1 else ""


def orders_of(cells: pl.Series) -> set[str]:
    """Orders of numeric dates that the cells of a column show by numbers above 12.

    Parameters
    ----------
    cells : polars.Series
        Text.

    Returns
    -------
    set of str
        ``MDY`` and ``DMY``; empty where no cell tells.

    Examples
    --------
    >>> import polars as pl
    >>> orders_of(pl.Series(["01/02/2026", "31/01/2026 10:00"])), orders_of(pl.Series(["2026-01-31"]))
    ({'DMY'}, set())
    """
    first, second, *_ = _groups(cells.cast(pl.String).str.strip_chars(), _NUMERIC)
    not_mdy, not_dmy = int((_whole(first) > 12).sum()), int((_whole(second) > 12).sum())
    if not_mdy and not_dmy:
        return {"MDY"} if not_mdy < not_dmy else {"DMY"}
    return {"DMY"} if not_mdy else {"MDY"} if not_dmy else set()


def _named_months(token: pl.Series, log: ReadLog, header: str) -> pl.Series:
    names = load_registry().months
    month = token.str.to_lowercase().replace_strict(dict(names), default=None, return_dtype=pl.Int64)
    strange = month.is_null() & token.is_not_null()
    if int(strange.sum()) > 0.5 * max(1, int(token.is_not_null().sum())):
        raise DataError(
            f"{log.name}, column {header!r}: its months are in no known language",
            got=f"{int(strange.sum()):,} of {len(token):,} cells",
            allowed="names in en, es, nl, de, fr and ru, or numbers",
            fix="export in English, or write the dates as year-month-day",
        )
    return month


def _with_names(
    text: pl.Series, groups: tuple[pl.Series, pl.Series, pl.Series, list[pl.Series]], month: pl.Series
) -> Times:
    _, day_text, year_text, clock = groups
    day, year = _whole(day_text), _whole(year_text)
    if year.null_count() > 0.5 * len(year) and year.null_count() > text.null_count():
        known = month.is_not_null() & (day >= 1) & (day <= 31)
        month_day = (month * 100 + day).set(~known.fill_null(False), None)
        nothing = pl.Series("local", [None] * len(text), dtype=pl.Datetime("us"))
        return Times(nothing, None, "day", text.is_not_null() & month_day.is_null(), month_day)
    local, utc, precision = _assembled((year, month, day), clock, text)
    return Times(local, utc, precision, text.is_not_null() & local.is_null())


def _month_day(text: pl.Series, rows: pl.Series, log: ReadLog, header: str, order: _Order) -> Times:
    name, day, year, *clock = _groups(text, _MONTH_DAY)
    return _with_names(text, (name, day, year, clock), _named_months(name, log, header))


def _day_month(text: pl.Series, rows: pl.Series, log: ReadLog, header: str, order: _Order) -> Times:
    day, name, year, dashed, *clock = _groups(text, _DAY_MONTH)
    year = year.fill_null(dashed)
    return _with_names(text, (name, day, year, clock), _named_months(name, log, header))


def _compact(text: pl.Series, rows: pl.Series, log: ReadLog, header: str, order: _Order) -> Times:
    year, month, day, hour = _groups(text, _COMPACT)
    zero = hour.zip_with(hour.is_null(), pl.repeat("00", len(hour), eager=True))
    nothing = pl.Series([None] * len(hour), dtype=pl.String)
    clock = [hour, zero.set(hour.is_null(), None), nothing, nothing, nothing]
    local, _, precision = _assembled((_whole(year), _whole(month), _whole(day)), clock, text)
    return Times(local, None, precision, text.is_not_null() & local.is_null())


def _months(text: pl.Series, rows: pl.Series, log: ReadLog, header: str, order: _Order) -> Times:
    year, month = _groups(text, _MONTH)
    nothing = pl.Series([None] * len(year), dtype=pl.String)
    local, _, _ = _assembled((_whole(year), _whole(month), _whole(month) * 0 + 1), [nothing] * 5, text)
    return Times(local, None, "month", text.is_not_null() & local.is_null())


def _serial(text: pl.Series, rows: pl.Series, log: ReadLog, header: str, order: _Order) -> Times:
    days = text.set(~text.str.contains(_SERIAL).fill_null(False), None).cast(pl.Float64, strict=False)
    about = f"column {header!r}: dates are numbers of a spreadsheet and were turned back"
    log.count("serial dates", about, days.is_not_null(), rows)
    seconds = ((days - 25569) * 86400).round(0).cast(pl.Int64, strict=False)
    local = (seconds * 1_000_000).cast(pl.Datetime("us"))
    whole = bool((days == days.floor()).all())
    return Times(local, None, "day" if whole else "second", text.is_not_null() & local.is_null())


def _unix(text: pl.Series, rows: pl.Series, log: ReadLog, header: str, order: _Order) -> Times:
    seconds = _whole(_groups(text, _UNIX)[0])
    log.note(f"column {header!r} counts seconds since 1970 (UTC)")
    local = (seconds * 1_000_000).cast(pl.Datetime("us"))
    return Times(local, local, "second", text.is_not_null() & local.is_null())


_FAMILIES = (
    (_ISO, _iso),
    (_NUMERIC, _numeric),
    (_MONTH_DAY, _month_day),
    (_DAY_MONTH, _day_month),
    (_COMPACT, _compact),
    (_MONTH, _months),
    (_UNIX, _unix),
    (_SERIAL, _serial),
)
