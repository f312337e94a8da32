"""Days and periods as expressions that every engine computes alike."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.errors import DataError, UnknownNameError
from erresearch.metrics.calendar import period_start
from erresearch.schema.vocabulary import FREQS, WEEKDAYS, Freq

__all__ = ["Clock", "check_calendar", "first_day", "in_zone", "number_of", "numbered", "start_of"]

_EPOCH = dt.date(1970, 1, 1)
# the first day of the epoch is a Thursday, three days after a Monday
_MONDAY = 3


@dataclass(frozen=True, slots=True)
class Clock:
    """How time is cut: length of a period, zone, first day of the week."""

    freq: Freq
    tz: str
    week_start: str


def check_calendar(freq: str, tz: str, week_start: str) -> None:
    """Refuse a length of period, a time zone or a weekday that is none.

    Raises
    ------
    UnknownNameError
        Naming what is allowed.
    DataError
        If the time zone is not known here.

    Examples
    --------
    >>> check_calendar("W", "Europe/Amsterdam", "monday")
    """
    if freq not in FREQS:
        raise UnknownNameError.of("freq", freq, FREQS)
    if week_start not in WEEKDAYS:
        raise UnknownNameError.of("week_start", week_start, WEEKDAYS)
    try:
        zoneinfo.ZoneInfo(tz)
    except (ValueError, OSError, TypeError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise DataError(
            "`tz` is no time zone",
            got=repr(tz),
            allowed="a name such as 'Europe/Amsterdam' or 'UTC'",
            fix="name the zone in which the business counts its days",
        ) from error


def _shift(week_start: str) -> int:
    """Days from the week's first day to the next Monday."""
    return -WEEKDAYS[week_start] % 7


def number_of(day: dt.date, freq: str, week_start: str) -> int:
    """Number of the period in which a day lies; neighbours differ by 1.

    Examples
    --------
    >>> number_of(dt.date(2026, 1, 5), "W", "monday") - number_of(dt.date(2026, 1, 4), "W", "monday")
    1
    """
    if freq == "M":
        return day.year * 12 + day.month - 1
    days = (day - _EPOCH).days
    return days if freq == "D" else (days + _MONDAY + _shift(week_start)) // 7


def start_of(number: int, freq: str, week_start: str) -> dt.date:
    """First day of a period.

    Examples
    --------
    >>> start_of(number_of(dt.date(2026, 1, 4), "W", "monday"), "W", "monday")
    datetime.date(2025, 12, 29)
    """
    if freq == "M":
        return dt.date(number // 12, number % 12 + 1, 1)
    days = number if freq == "D" else number * 7 - _MONDAY - _shift(week_start)
    return _EPOCH + dt.timedelta(days=days)


def numbered(column: str, freq: str, week_start: str) -> Any:
    """The number of the period of a local day, as an expression.

    Parameters
    ----------
    column : str
        Days or moments without a zone.
    freq : {"D", "W", "M"}
        Length of a period.
    week_start : str
        First day of a week.

    Returns
    -------
    narwhals.Expr
        Whole numbers, as in :func:`number_of`.
    """
    time = nw.col(column).dt
    if freq == "M":
        return time.year().cast(nw.Int64()) * 12 + time.month().cast(nw.Int64()) - 1
    # from the calendar's fields, which every engine knows
    year = time.year().cast(nw.Float64()) - 1
    days = 365 * year + (year / 4).floor() - (year / 100).floor() + (year / 400).floor()
    days = days + time.ordinal_day().cast(nw.Float64()) - float(_EPOCH.toordinal())
    if freq == "D":
        return days.cast(nw.Int64())
    return ((days + float(_MONDAY + _shift(week_start))) / 7.0).floor().cast(nw.Int64())


def first_day(column: str, freq: str, week_start: str) -> Any:
    """First day of the period of a local day, as an expression for small tables."""
    if freq != "W":
        return period_start(column, "day" if freq == "D" else "month")
    shift = _shift(week_start)
    if not shift:
        return period_start(column, "week")
    # weeks begin `shift` days before a Monday: carried over to Mondays and back
    weekday, start = nw.col(column).dt.weekday(), nw.col(column).dt.truncate("1d")
    out = start
    for back in range(1, 7):
        day = (WEEKDAYS[week_start] + back) % 7 + 1
        out = nw.when(weekday == day).then(start.dt.offset_by(f"-{back}d")).otherwise(out)
    return out


def in_zone(column: str, tz: str, span: tuple[dt.datetime, dt.datetime]) -> Any:
    """Local time of moments in UTC without a zone, by steps at the changes of the clock.

    Engines that keep one zone per connection cannot convert; adding hours is known to all.

    Parameters
    ----------
    column : str
        Moments in UTC, without a zone.
    tz : str
        The zone.
    span : pair of datetime
        First and last moment of the column.

    Returns
    -------
    narwhals.Expr
    """
    zone = zoneinfo.ZoneInfo(tz)
    steps = _changes(zone, *span)
    out = nw.col(column).dt.offset_by(f"{_seconds(zone, span[0])}s")
    for moment in steps:
        later = nw.col(column).dt.offset_by(f"{_seconds(zone, moment)}s")
        out = nw.when(nw.col(column) >= moment).then(later).otherwise(out)
    return out


def _seconds(zone: zoneinfo.ZoneInfo, moment: dt.datetime) -> int:
    offset = moment.replace(tzinfo=dt.UTC).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _changes(zone: zoneinfo.ZoneInfo, first: dt.datetime, last: dt.datetime) -> list[dt.datetime]:
    """Moments (UTC, without a zone) at which the distance from UTC changes."""
    found, low = [], first.replace(microsecond=0)
    while low < last:
        high = low + dt.timedelta(days=7)
        if _seconds(zone, low) != _seconds(zone, high):
            a, b = low, high
            while b - a > dt.timedelta(seconds=1):
                middle = a + dt.timedelta(seconds=int((b - a).total_seconds()) // 2)
                a, b = (middle, b) if _seconds(zone, middle) == _seconds(zone, low) else (a, middle)
            found.append(b)
        low = high
    return found
