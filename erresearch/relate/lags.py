"""A panel with one row per account and period, the lags and leads of its columns, and how much of one is signal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.expressions import day_number
from erresearch.engine.lazy_rows import ROWS_BYTES, LazyRows, check_ids, free_name, gather, lacks, no_rows
from erresearch.engine.moments import Moments, bounded_moments
from erresearch.engine.sources import hold, open_rows
from erresearch.errors import Count, DataError, DesignError, GuardError
from erresearch.io.resources import share_of_memory
from erresearch.relate.distributed_lags import cosine_covariance
from erresearch.results import Reliability, StudentT
from erresearch.results.estimates import Source
from erresearch.schema.vocabulary import EVENT

_ACCOUNT, _TIME, _CLOCK, _STEP, _SPELL = "account", "time", "clock", "step", "spell"
#: Periods that two accounts must share, and distinct values in them, before equal series are no accident.
_SHARED, _DISTINCT = 8, 5
#: Periods written as text that are none: whole numbers, other numbers, days (with a midnight or without).
_WHOLE, _DECIMAL = r"^[-+]?\d{1,18}$", r"^[-+]?\d+(\.\d*)?([eE][-+]?\d+)?$"
#: Dates as text, as a .csv file has them.
DATE_TEXT = r"^\d{4}-\d{2}-\d{2}(?:[T ]00:00(?::00(?:\.0+)?)?)?$"
#: Relative difference of values that are the same but for rounding; share of a variance that is rounding.
_NEAR, _EQUAL = 1e-9, 1e-12
#: Dates in another writing than 2024-11-29: 29.11.2024, 11/29/24, 29 Nov 2024, Nov 2024 (in small letters).
_OTHER_DATE = (
    r"^\s*\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|"
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,?\s*(?:\d{1,2},?\s+)?\d{2,4}\b"
)
#: Relative difference up to which two distances between periods are the same: times in days carry rounding.
_SLACK = 1e-4
#: An hour in days, and a little more.
_AN_HOUR = 1.001 / 24


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LaggedRows:
    """Rows ready to be lagged.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        Columns c0, c1, … (numbers), account, time, clock and spell (a stretch of rows without a gap).
    names : tuple of str
        What c0, c1, … are called.
    by, time : str or None
        Names of the account and time columns.
    rows, accounts, gaps : int
        Rows, accounts, and gaps in their calendars.
    unit : float
        The distance of two neighbouring rows in units of the clock.
    season : float
        Periods in a year; 0 where that is not known.
    dropped : mapping of str to int
        Rows left out so far.
    small : bool
        Whether the rows came in memory and are few.
    """

    frame: nw.LazyFrame[Any]
    names: tuple[str, ...]
    by: str | None
    time: str
    rows: int
    accounts: int
    gaps: int
    unit: float
    season: float
    dropped: Mapping[str, int]
    small: bool

    def shifted(self, column: int, n: int) -> nw.Expr:
        """Value of column c`column` `n` rows earlier (later where negative) in the same spell."""
        value = nw.col(f"c{column}")
        if n:
            value = value.shift(n).over(_ACCOUNT, _SPELL, order_by=_CLOCK)
        return value.alias(self.label(column, n))

    def label(self, column: int, n: int) -> str:
        """Name of a lag or lead, as :func:`erresearch.engine.expressions.lag` would say it."""
        prefix = "" if n == 0 else f"lag{n} " if n > 0 else f"lead{-n} "
        return f"{prefix}{self.names[column]}"

    def lagged(self, wanted: Sequence[tuple[int, int]], *beside: nw.Expr) -> Any:
        """(Column, lag) pairs and what is to stand beside them, as a table."""
        frame = self.frame.select(*[self.shifted(*pair) for pair in wanted], *beside)
        # an engine would make all lags and their products at once
        fits = self.rows * 8 * len(wanted) <= share_of_memory(ROWS_BYTES)
        return gather(frame, small=self.small) if fits else nw.to_native(frame)

    def moments(self, wanted: Sequence[tuple[int, int]]) -> Moments:
        """Moments of (column, lag) pairs over the rows that have them all, by account and time.

        Raises
        ------
        DataError
            If no row has them all.
        """
        plain = sorted(wanted, key=lambda pair: (pair[1] != 0, pair))
        labels = [self.label(*pair) for pair in plain]
        taken = {label.casefold() for label in labels}
        by, time = free_name(self.by or _ACCOUNT, taken), free_name(self.time, taken)
        rows = self.lagged(plain, nw.col(_ACCOUNT).alias(by), nw.col(_TIME).alias(time))
        moments = bounded_moments(rows, labels, by=by, period=time)
        moved = {f"not finite: {self.label(*pair)}" for pair in wanted if pair[1]}
        dropped = dict(self.dropped)
        dropped |= {reason: n for reason, n in moments.dropped.items() if reason not in moved}
        edge = sum(n for reason, n in moments.dropped.items() if reason in moved)
        check_complete(moments.rows, dropped, edge)
        return replace(moments, by=self.by, period=self.time, dropped=dropped)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LagSpecification:
    """What models of one column over time hold beside it: columns with their lags; x is column 0, y is column 1."""

    rows: LaggedRows
    wanted: Sequence[tuple[int, int]]  # column and lag of all that any of the models uses
    held: Sequence[tuple[int, int]]  # columns of events, with their lags
    controls: range
    lags: int  # of all but the events
    level: float
    seed: int = 0

    @property
    def events(self) -> list[str]:
        """Labels of the events with their lags."""
        return [self.rows.label(*pair) for pair in self.held]

    @property
    def depth(self) -> str:
        """Number of lags in words."""
        return f"{self.lags} lag{'s' * (self.lags > 1)} of both"

    @property
    def also_held(self) -> str:
        """Controls and events in words."""
        named = [self.rows.names[column] for column in self.controls]
        events = dict.fromkeys(self.rows.names[column].removeprefix(EVENT) for column, _ in self.held)
        controlled = f", controls {', '.join(named)}" * bool(named)
        return controlled + f", events {', '.join(events)}" * bool(events)

    def control_lags(self, most: int) -> list[str]:
        """Labels of the controls of the same period and of up to `most` periods before."""
        return [self.rows.label(column, lag) for column in self.controls for lag in range(most + 1)]


def check_complete(rows: int, dropped: dict[str, int], edge: int) -> None:
    """Count the rows at the `edge` of a series among those left out, and refuse a panel of which nothing is left."""
    if edge:
        dropped["without the earlier and later rows asked for"] = edge
    if not rows and not dropped:
        raise no_rows()
    if not rows:
        raise DataError(
            "no row has all the earlier and later rows asked for",
            code="no-complete-row",
            got=", ".join(f"{n:,} {reason}" for reason, n in dropped.items()),
            fix="sum to one row per day or week, ask for fewer lags, or bring longer series"
            if edge
            else "use longer periods, in which fewer counts are 0 or missing, or a column that is above 0",
        )


def check_periods(name: str, value: object, least: int) -> None:
    """Refuse a number of periods that is none."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise DesignError(
            f"`{name}` must be a whole number of periods", got=repr(value), allowed=f"{least} or more"
        )


def open_panel(panel: Any, columns: Sequence[Any], *, by: str | None, time: str) -> LaggedRows:
    """Open rows of one account and period each, find the distance between them and the gaps.

    Parameters
    ----------
    panel : frame or path
        Any table that :class:`erresearch.Moments` takes.
    columns : sequence of str or narwhals expressions
        Numbers.
    by : str or None
        Account column; None for one entity.
    time : str
        Numbers, dates or times, also where they come as text (from a .csv file); other text is taken as an order, in
        which a period is missing where another account has it.

    Returns
    -------
    LaggedRows

    Raises
    ------
    DataError
        If an account has two rows in one period, or half of the distances differ from the commonest.
    """
    opened = open_rows(panel, columns, [time] if by is None else [by, time], None)
    numbers = [opened.number(column).alias(f"c{i}") for i, column in enumerate(columns)]
    account = nw.lit("") if by is None else opened.column(by)
    frame = opened.frame.select(*numbers, account.alias(_ACCOUNT), opened.column(time).alias(_TIME))
    if by is not None:
        check_ids(frame, _ACCOUNT, by)
    keyed = LazyRows(frame=frame, columns=(), names=(), origin=np.zeros(0), account=_ACCOUNT, period=_TIME)
    keyed = hold(keyed) if opened.small else replace(keyed, lost=lacks(keyed))
    dropped = dict(keyed.lost or {})
    frame = _read_time(keyed.complete() if dropped else keyed.frame)
    clock, calendar = _clock(frame.collect_schema()[_TIME])
    frame = frame.with_columns(nw.lit(0).alias(_STEP)).with_columns(clock.alias(_CLOCK))
    accounts, lengths, counts = _steps(frame, small=opened.small)
    if calendar and lengths.size and lengths[0] >= 28 and np.any(lengths % lengths[0] > 1e-6):
        months = nw.col(_TIME).dt.year().cast(nw.Float64()) * 12 + nw.col(_TIME).dt.month().cast(nw.Float64())
        by_month = frame.with_columns(months.alias(_CLOCK))
        _, longer, often = _steps(by_month, small=opened.small)
        if longer[0] > 0:
            frame, calendar, lengths, counts = by_month, "month", longer, often
    if lengths.size and lengths[0] <= 0:
        raise _repeated(by, time, int(counts[0]), accounts)
    usual = float(lengths[np.argmax(counts)]) if lengths.size else 1.0
    # clocks are changed by an hour twice a year
    slack = max(_SLACK * usual, _AN_HOUR if calendar == "day" and usual >= 1 - _AN_HOUR else 0.0)
    gaps = int(counts[np.abs(lengths - usual) > slack].sum())
    if 2 * gaps > counts.sum():
        raise DataError(
            f"the periods in {time!r} are not equally far apart",
            got=f"{Count(gaps, of=int(counts.sum())):distance differs} from the commonest, {_distance(usual, calendar)}",
            fix="put the rows on one calendar first (days, weeks, months), one row per account and period",
        )
    rows = int(counts.sum()) + accounts
    # numbers the stretches between gaps, so that no lag reaches over one
    odd = nw.when((_step() - usual).abs() > slack).then(1).otherwise(0) if gaps else nw.lit(0)
    spell = nw.col(_STEP).cum_sum().over(_ACCOUNT, order_by=_CLOCK) if gaps else nw.lit(0)
    frame = frame.with_columns(odd.alias(_STEP)).with_columns(spell.alias(_SPELL))
    if opened.small or rows * 8 * (len(columns) + 4) <= share_of_memory(ROWS_BYTES):
        frame = nw.from_native(gather(frame, small=opened.small)).lazy()
    year = {"day": 365.2425, "month": 12.0}.get(calendar, 0.0)
    return LaggedRows(
        frame=frame,
        names=opened.names,
        by=by,
        time=time,
        rows=rows,
        accounts=accounts,
        gaps=gaps,
        unit=usual,
        season=year / usual,
        dropped=dropped,
        small=opened.small,
    )


def _read_time(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Numbers and dates that come as text, as numbers and dates: in the order of text 10 stands before 9."""
    if frame.collect_schema()[_TIME] not in (nw.String, nw.Categorical, nw.Enum):
        return frame
    text = nw.col(_TIME).cast(nw.String())
    patterns = {"whole": _WHOLE, "number": _DECIMAL, "date": DATE_TEXT}
    odd = [nw.when(text.str.contains(p)).then(0).otherwise(1).sum().alias(k) for k, p in patterns.items()]
    found = gather(frame.select(*odd))
    kind = next((name for name in patterns if found[name][0] == 0), "")
    read = {
        "whole": text.cast(nw.Int64()),
        "number": text.cast(nw.Float64()),
        "date": text.str.slice(0, 10).str.to_date(format="%Y-%m-%d"),
    }
    if kind:
        return frame.with_columns(read[kind].alias(_TIME))
    foreign = nw.when(text.str.to_lowercase().str.contains(_OTHER_DATE)).then(1).otherwise(0).mean()
    if gather(frame.select(foreign.alias("foreign")))["foreign"][0] > 0.5:
        raise DataError(
            "the times are text of dates that does not sort by time",
            allowed="dates, or text such as 2024-11-29",
            fix="read them first, as by pandas.to_datetime(column, dayfirst=True)",
        )
    return frame


def _clock(dtype: Any) -> tuple[nw.Expr, str]:
    """Time as a number, and its unit ("day" or nothing)."""
    time = nw.col(_TIME)
    if dtype.is_numeric():
        return time.cast(nw.Float64()), ""
    if dtype in (nw.Date, nw.Datetime):
        days = day_number(_TIME)
        if dtype == nw.Datetime:
            seconds = time.dt.hour().cast(nw.Float64()) * 3600 + time.dt.minute().cast(nw.Float64()) * 60
            days = days + (seconds + time.dt.second().cast(nw.Float64())) / 86400
        return days, "day"
    order = time.cast(nw.String()).rank("dense").over(_STEP)
    return order.cast(nw.Float64()), ""


def _step() -> nw.Expr:
    """Distance to the row before."""
    return nw.col(_CLOCK) - nw.col(_CLOCK).shift(1).over(_ACCOUNT, order_by=_CLOCK)


def _steps(frame: nw.LazyFrame[Any], *, small: bool) -> tuple[int, np.ndarray, np.ndarray]:
    """Accounts (rows without a row before), and the distinct distances to the row before, sorted, with counts."""
    steps = frame.select(_step().alias(_STEP)).group_by(_STEP).agg(nw.len().alias("rows"))
    table = gather(steps, small=small)
    found = table[_STEP].cast(float).to_numpy()
    rows, there = table["rows"].to_numpy(), np.isfinite(found)
    order = np.argsort(found[there])
    lengths, counts = found[there][order], rows[there][order]
    new = np.diff(lengths, prepend=-1.0) > _SLACK * lengths
    starts = np.flatnonzero(new)
    return (
        int(rows[~there].sum()),
        lengths[starts],
        np.add.reduceat(counts, starts) if starts.size else counts,
    )


def _distance(usual: float, calendar: str) -> str:
    if not calendar:
        return f"steps of {usual:g}"
    if calendar == "day" and usual % 7 == 0:
        usual, calendar = usual / 7, "week"
    return f"{Count(usual):{calendar}}"


def _repeated(by: str | None, time: str, count: int, accounts: int) -> DataError:
    # the column of one account may have been made from nothing, so that no key of the caller's own table
    alone = by is None or accounts == 1
    keys = ", ".join(repr(name) for name in (by, time) if name is not None and not (alone and name == by))
    return DataError(
        f"a panel has one row per {'account and ' if by is not None else ''}period",
        got=f"{Count(count):row repeats} one (table.duplicated([{keys}]) finds them)",
        fix="sum or average them first"
        + (", or name the account column with `by`" if by is None else "")
        + (", or bring a column that tells the accounts apart" if by is not None and alone else ""),
    )


def refuse_repeated(moments: Moments, outcome: str) -> None:
    """Refuse one outcome series that is repeated on several accounts: it would pose as several witnesses.

    Series in another unit (times a factor, or shifted as logs are) count as the same.

    Parameters
    ----------
    moments : Moments
        With cells of one row each.
    outcome : str
        The column.

    Raises
    ------
    GuardError
        Naming the accounts.
    """
    cells = moments.cells
    assert cells is not None
    values = np.full((moments.accounts, len(cells.periods)), np.nan)
    values[cells.account, cells.period] = cells.sums[:, moments.columns.index(outcome)]
    same = [pair for pair in _suspects(values) if _one_series(*values[list(pair)])]
    if same:
        names = [repr(moments.keys[g]) for g in sorted({g for pair in same for g in pair})]
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        raise GuardError(
            f"{outcome!r} is the same series on several accounts, which would count one witness several times",
            got=f"accounts {', '.join(names[:6])}{more}",
            fix="use one row per outcome and period: sum the accounts' posts, or let each account be a column",
        )


def _suspects(values: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of accounts that may share a series: in one crowded period each, so that few pairs need a closer look.

    The same series has the same level; in another unit it still has the same ratio of one step to the step before.
    """
    seen = np.isfinite(values)
    pairs: set[tuple[int, int]] = set()

    def tied(marks: np.ndarray) -> None:
        here = np.flatnonzero(np.isfinite(marks))
        order = here[np.argsort(marks[here], kind="stable")]
        near = np.flatnonzero(np.diff(marks[order]) <= _NEAR * np.abs(marks[order[:-1]]))
        pairs.update((int(min(order[i : i + 2])), int(max(order[i : i + 2]))) for i in near)

    for period in np.argsort(-seen.sum(axis=0), kind="stable")[:3]:
        tied(values[:, period])
    threes = seen[:, :-2] & seen[:, 1:-1] & seen[:, 2:]
    for period in np.argsort(-threes.sum(axis=0), kind="stable")[:3]:
        before, after = np.diff(values[:, period : period + 3], axis=1).T
        tied(np.divide(after, before, out=np.full(len(values), np.nan), where=before != 0))
    return sorted(pairs)


def _one_series(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two accounts' series are the same, or the same in another unit, where both are seen."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < _SHARED or len(np.unique(one[both])) < _DISTINCT:
        return False
    a, b = one[both], other[both]
    if np.allclose(a, b, rtol=_NEAR, atol=_NEAR * float(np.ptp(a))):
        return True
    a, b = a - a.mean(), b - b.mean()
    time = np.flatnonzero(both) - np.flatnonzero(both).mean()
    line = (time @ a) ** 2 > (1 - _NEAR) * (time @ time) * (a @ a)  # straight lines are all alike
    return bool(not line and (a @ b) ** 2 > (1 - _EQUAL) * (a @ a) * (b @ b))


#: One-sided level of the lower bound.
LEVEL: Final = 0.9


def from_autocovariances(grams: np.ndarray) -> Reliability:
    """λ = γ₁²/(γ₀γ₂) of x from swept cross-products of x, its two lags and what the model holds.

    Where the true series is about AR(1) and its error has no memory, γ₀ holds the error and γ₁, γ₂ do not:
    γ₁²/γ₂ is the variance of the signal. A signal that itself has no memory looks unreliable by this, and γ₂ that is
    not clearly above 0 gives no answer: both withhold a *practically nil*, which is the safe side.

    Parameters
    ----------
    grams : (U, 3 + q, 3 + q) ndarray
        Per account, effects taken out: x now, one and two periods before, then the q columns that are held fixed.

    Returns
    -------
    Reliability

    References
    ----------
    Griliches, Z., & Hausman, J. A. (1986). Errors in variables in panel data. *Journal of Econometrics*, 31(1),
    93-118.

    Examples
    --------
    >>> whole = np.array([[4.0, 1.0, 0.5], [1.0, 4.0, 1.0], [0.5, 1.0, 4.0]])
    >>> from_autocovariances(np.stack([whole] * 5)).value
    0.5
    """
    return jackknifed(_signal, grams, "autocovariances")


def from_series(x: np.ndarray) -> Reliability:
    """The same of one entity: x now, one and two periods before (T × 3), all that the model holds taken out."""
    total = x.T @ x
    value, clear = _signal(total)
    if not (value > 0 and clear > 0):
        return Reliability(math.nan, math.nan, "autocovariances", LEVEL)
    g0, g1, g2 = _three(total)
    pairs = np.column_stack([(x**2).mean(axis=1), x[:, 1] * (x[:, 0] + x[:, 2]) / 2, x[:, 0] * x[:, 2]])
    steps = len(x) * pairs
    moves = 2 * steps[:, 1] / g1 - steps[:, 0] / g0 - steps[:, 2] / g2, steps[:, 2] / g2 - 1
    ones = np.ones((len(x), 1))
    (spread, df), (wide, _) = (cosine_covariance(ones, move - move.mean()) for move in moves)
    floor = StudentT(1.0, math.sqrt(max(float(wide[0, 0]), 0.0)), df)
    return _clipped(value, float(spread[0, 0]), floor=floor, source="autocovariances")


def _three(total: np.ndarray) -> tuple[float, float, float]:
    """Variance and two autocovariances, the other columns taken out; those that do not vary take nothing."""
    held, cross = total[3:, 3:], total[3:, :3]
    c = total[:3, :3] - cross.T @ np.linalg.pinv(held, rcond=1e-10, hermitian=True) @ cross
    return float(np.trace(c)) / 3, float(c[0, 1] + c[1, 2]) / 2, float(c[0, 2])


def _signal(total: np.ndarray) -> tuple[float, float]:
    """λ, and γ₂ that must be clearly above 0."""
    g0, g1, g2 = _three(total)
    return (g1 * g1 / (g0 * g2) if g0 > 0 and g1 > 0 and g2 > 0 else math.nan), g2


def jackknifed(
    ratio: Callable[[np.ndarray], tuple[float, float]], grams: np.ndarray, source: Source
) -> Reliability:
    """The ratio with a jackknife over accounts: of its logarithm, and of the covariance that it divides by."""
    total, units = grams.sum(axis=0), len(grams)
    value, clear = ratio(total)
    without = np.array([ratio(total - one) for one in grams])
    if units < 2 or not value > 0 or not (without[:, 0] > 0).all():
        return Reliability(math.nan, math.nan, source, LEVEL)
    factor = (units - 1) / units
    logs = np.log(without[:, 0] / value)
    # the sums shrink by one account each time, which the mean of all takes out
    spread = factor * float(np.sum((logs - logs.mean()) ** 2))
    wide = factor * float(np.sum((without[:, 1] - without[:, 1].mean()) ** 2))
    floor = StudentT(clear, math.sqrt(max(wide, 0.0)) * units / (units - 1), units - 1)
    return _clipped(value, spread, floor=floor, source=source)


def _clipped(value: float, spread: float, *, floor: StudentT, source: Source) -> Reliability:
    """Lower bound of exp(log value), 1 at most; unknown where what it divides by is not clearly above 0."""
    side = 2 * LEVEL - 1
    if not floor.interval(side).low > 0:
        return Reliability(math.nan, math.nan, source, LEVEL)
    low = value * math.exp(StudentT(0.0, math.sqrt(max(spread, 0.0)), floor.df).interval(side).low)
    return Reliability(min(value, 1.0), min(max(low, 1e-6), 1.0), source, LEVEL)
