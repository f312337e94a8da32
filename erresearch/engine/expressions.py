"""Lazy transformations of columns and the one calendar, computed by whatever engine holds the rows."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.errors import ColumnError, DataError, check_name, not_a_column
from erresearch.io import pd
from erresearch.schema.vocabulary import EVERY, FREQS, WEEKDAYS, Every, Freq

__all__ = [
    "Clock",
    "Every",
    "check_every",
    "in_zone",
    "lag",
    "log",
    "period_start",
    "with_calendar",
]


def log(column: str) -> nw.Expr:
    """Take the natural logarithm of a column; the result is named ``log <column>``.

    Zero and negative values have no logarithm. Such rows are left out and counted in ``dropped`` as
    ``not finite: log <column>``; no invented constant is added to them.

    Parameters
    ----------
    column : str
        A number column; any unit, which then only moves the intercept.

    Returns
    -------
    narwhals.Expr
        To be used wherever a column name is accepted.

    See Also
    --------
    lag : The value of an earlier period.

    Examples
    --------
    >>> import polars as pl
    >>> from erresearch.engine import expressions as er
    >>> from erresearch.engine.moments import Moments
    >>> posts = pl.DataFrame({"reach": [1.0, 10.0, 0.0]})
    >>> m = Moments.from_frame(posts, [er.log("reach")])
    >>> m.columns, m.rows, dict(m.dropped)
    (('log reach',), 2, {'not finite: log reach': 1})
    """
    if not isinstance(column, str):
        raise not_a_column(column)
    value = nw.col(column).cast(nw.Float64())
    # SQL engines fail on log(0) where Polars gives -inf: only positive values reach the logarithm
    return nw.when(value > 0).then(value).log().alias(f"log {column}")


def lag(column: str, n: int = 1, *, by: str, period: str) -> nw.Expr:
    """Take the value of a column `n` rows earlier within the account, with rows ordered by `period`.

    Named ``lag<n> <column>``; a negative `n` looks ahead and is named ``lead<n> <column>``. The first `n`
    rows of every account have no earlier value: they are counted in ``dropped``. The shift is by row, so there
    must be one row per account and period and no period left out (a built panel is so).

    Parameters
    ----------
    column : str
        A number column.
    n : int
        Number of periods; not 0.
    by, period : str
        Account and time columns.

    Returns
    -------
    narwhals.Expr
        To be used wherever a column name is accepted.

    Raises
    ------
    ColumnError
        If `n` is 0 or not a whole number.

    See Also
    --------
    log : The other transformation that every engine knows.

    Examples
    --------
    >>> import polars as pl
    >>> from erresearch.engine import expressions as er
    >>> from erresearch.engine.moments import Moments
    >>> weeks = pl.DataFrame({"shop": list("aaabb"), "week": [1, 2, 3, 1, 2], "sales": [5.0, 6, 7, 8, 9]})
    >>> m = Moments.from_frame(weeks, ["sales", er.lag("sales", by="shop", period="week")], by="shop")
    >>> m.columns, m.rows, dict(m.dropped)
    (('sales', 'lag1 sales'), 3, {'not finite: lag1 sales': 2})
    """
    if isinstance(n, bool) or not isinstance(n, int) or n == 0:
        raise ColumnError(
            f"the lag of {column!r} must be a whole number of periods",
            got=repr(n),
            allowed="1, 2, … (earlier) or -1, -2, … (later)",
        )
    name = f"lag{n} {column}" if n > 0 else f"lead{-n} {column}"
    return nw.col(column).cast(nw.Float64()).shift(n).over(by, order_by=period).alias(name)


# narwhals truncates to no week, so a week is cut by days and carried back to its Monday
_STEPS: Mapping[Every, str] = {"day": "1d", "week": "1d", "month": "1mo", "quarter": "1q", "year": "1y"}


def check_every(every: str) -> None:
    """Refuse a period length that is none.

    See Also
    --------
    period_start : Cuts time into such periods.

    Examples
    --------
    >>> check_every("week")
    """
    check_name("period length", every, EVERY)


def period_start(column: str, every: Every) -> Any:
    """First day of the period in which a moment lies; weeks begin on Monday.

    Parameters
    ----------
    column : str
        A column of dates or moments.
    every : {"day", "week", "month", "quarter", "year"}
        Length of a period.

    Returns
    -------
    narwhals.Expr
        Of the column's own type.

    See Also
    --------
    with_calendar : The words that name a period.

    Examples
    --------
    >>> import datetime, polars as pl
    >>> frame = nw.from_native(pl.DataFrame({"d": [datetime.date(2024, 5, 5)]}))
    >>> frame.select(period_start("d", "week"))["d"][0]
    datetime.date(2024, 4, 29)
    """
    start = nw.col(column).dt.truncate(_STEPS[every])
    if every != "week":
        return start
    weekday, monday = nw.col(column).dt.weekday(), start
    for back in range(1, 7):
        monday = nw.when(weekday == back + 1).then(start.dt.offset_by(f"-{back}d")).otherwise(monday)
    return monday


def with_calendar(frame: Any, column: str) -> Any:
    """The same table, with dates that pandas holds as Python objects as times, which know their calendar.

    Parameters
    ----------
    frame : narwhals frame
        Any table.
    column : str
        A column of dates or moments.

    Returns
    -------
    narwhals frame
        The one given where there is nothing to do.

    Raises
    ------
    ColumnError
        If they are no moments of one calendar, for example some with a zone and some without.

    See Also
    --------
    period_start : The first day of a period.

    Examples
    --------
    >>> import datetime, pandas as pd
    >>> frame = nw.from_native(pd.DataFrame({"d": [datetime.date(2024, 5, 5)]}))
    >>> with_calendar(frame, "d")["d"].dtype.is_temporal()
    True
    """
    table = nw.to_native(frame)
    if not nw.dependencies.is_pandas_dataframe(table) or table[column].dtype != object:
        return frame
    try:
        return nw.from_native(table.assign(**{column: pd.to_datetime(table[column])}))
    except (TypeError, ValueError) as error:
        raise ColumnError(
            f"the moments in {column!r} are not of one calendar",
            got=str(error).split("\n")[0],
            fix="turn it into dates first, with pandas.to_datetime(…, utc=True)",
        ) from None


def day_number(column: str) -> nw.Expr:
    """Days from the calendar's fields, which every engine knows; they are local, so summer time does not shift them."""
    time = nw.col(column).dt
    year = time.year().cast(nw.Float64()) - 1
    days = 365 * year + (year / 4).floor() - (year / 100).floor() + (year / 400).floor()
    return days + time.ordinal_day().cast(nw.Float64())


_EPOCH = dt.date(1970, 1, 1)
# the first day of the epoch is a Thursday, three days after a Monday
_MONDAY = 3


@dataclass(frozen=True, slots=True)
class Clock:
    """How time is cut: into periods with numbers, of which neighbours differ by 1.

    Parameters
    ----------
    freq : {"D", "W", "M"}
        Length of a period.
    tz : str
        Time zone of the days.
    week_start : str
        First day of a week.

    Raises
    ------
    UnknownNameError
        For a length of period or a weekday that is none.
    DataError
        If the time zone is not known here.

    Examples
    --------
    >>> weeks = Clock("W", "Europe/Amsterdam", "monday")
    >>> weeks.number(dt.date(2026, 1, 5)) - weeks.number(dt.date(2026, 1, 4))
    1
    >>> weeks.start(weeks.number(dt.date(2026, 1, 4)))
    datetime.date(2025, 12, 29)
    """

    freq: Freq
    tz: str
    week_start: str

    def __post_init__(self) -> None:
        """Refuse a length of period, a zone or a weekday that is none."""
        check_name("freq", self.freq, FREQS)
        check_name("week_start", self.week_start, WEEKDAYS)
        try:
            zoneinfo.ZoneInfo(self.tz)
        except (ValueError, OSError, TypeError, zoneinfo.ZoneInfoNotFoundError):
            raise DataError(
                "`tz` is no time zone",
                got=repr(self.tz),
                allowed="a name such as 'Europe/Amsterdam' or 'UTC'",
                fix="name the zone in which the business counts its days",
            ) from None

    @property
    def _shift(self) -> int:
        """Days from the week's first day to the next Monday."""
        return -WEEKDAYS[self.week_start] % 7

    def number(self, day: dt.date) -> int:
        """Number of the period in which a day lies."""
        if self.freq == "M":
            return day.year * 12 + day.month - 1
        days = (day - _EPOCH).days
        return days if self.freq == "D" else (days + _MONDAY + self._shift) // 7

    def start(self, number: int) -> dt.date:
        """First day of a period."""
        if self.freq == "M":
            return dt.date(number // 12, number % 12 + 1, 1)
        days = number if self.freq == "D" else number * 7 - _MONDAY - self._shift
        return _EPOCH + dt.timedelta(days=days)

    def length(self, number: int) -> int:
        """Days of a period.

        Examples
        --------
        >>> months = Clock("M", "UTC", "monday")
        >>> months.length(months.number(dt.date(2024, 2, 3)))
        29
        """
        return (self.start(number + 1) - self.start(number)).days

    def whole(self, span: tuple[dt.date, dt.date]) -> tuple[int, int]:
        """First and last period that lie wholly within some days.

        Examples
        --------
        >>> weeks = Clock("W", "UTC", "monday")
        >>> first, last = weeks.whole((dt.date(2026, 1, 6), dt.date(2026, 1, 25)))
        >>> weeks.start(first).isoformat(), weeks.start(last).isoformat()
        ('2026-01-12', '2026-01-19')
        """
        low, high = self.number(span[0]), self.number(span[1])
        low += self.start(low) < span[0]
        return low, high - (self.start(high + 1) - dt.timedelta(days=1) > span[1])

    def numbers(self, column: str) -> Any:
        """The number of the period of each local day or moment without a zone, as an expression (whole numbers)."""
        time = nw.col(column).dt
        if self.freq == "M":
            return time.year().cast(nw.Int64()) * 12 + time.month().cast(nw.Int64()) - 1
        days = day_number(column) - float(_EPOCH.toordinal())
        if self.freq == "D":
            return days.cast(nw.Int64())
        return ((days + float(_MONDAY + self._shift)) / 7.0).floor().cast(nw.Int64())

    def with_numbers(self, table: Any, column: str) -> Any:
        """A table of any kind with the ``number`` of the period of each of its days."""
        return nw.from_native(table).with_columns(self.numbers(column).alias("number")).to_native()


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
