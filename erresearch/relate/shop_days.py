"""How the revenue of one shop answers its posts day by day, in money, and what its days could show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from erresearch.engine.sources import column_names, in_the_index, open_rows
from erresearch.errors import Count, DataError, DesignError, missing_columns
from erresearch.io import pd
from erresearch.panel.events import event_columns
from erresearch.relate.design import listed, refuse_constant
from erresearch.relate.distributed_lags import (
    DAYS,
    SHORTEST,
    WEEKS,
    Shop,
    ShopSeries,
    respond,
    season,
)
from erresearch.results import DailyResponse, Doubt
from erresearch.results.estimates import check_level
from erresearch.schema.vocabulary import EVENT

#: Shops that are few.
FEW_SHOPS = 5
#: Days in a row, and weeks of one weekday, without revenue that are a closed shop where others sell.
_CLOSED_DAYS, _CLOSED_WEEKS, _SELDOM = 7, 8, 0.2
#: Share of days that may be missing, and of days without revenue that may be.
_MOST_MISSING, _MOST_EMPTY = 0.1, 0.5


def daily_response(
    days: Any,
    x: str = "engagement",
    y: str = "revenue",
    *,
    time: str,
    by: str | None = None,
    controls: Sequence[str] = (),
    events: Any = None,
    level: float = 0.95,
    currency: str = "",
) -> DailyResponse:
    r"""Estimate what one shop's revenue does in the four weeks after its posts, and what its days could show at all.

    log y_t = β log(B_t + c) + γ log(x_t + c) + zᵀδ + u_t, where x_t are the reactions to the posts of day t, B_t is the
    mean of x over days t − 1 … t − 14 and c = .3 medians of B: days without posts are kept, and a viral post does not set
    the floor. A day without revenue counts as half an order. z holds weekday, trend, three yearly waves, the logarithm of
    each control today and over the week before, and declared events from three days ahead to three weeks after. Least
    squares are filtered by an AR(7) of the residuals (Yule–Walker).

    The interval is a placebo from the shop's own past: x is moved in a circle by whole weeks, 42 to n − 42 days, and the
    standard error is the root mean square of the coefficients at all shifts, with Student's t of 0.4·n^⅔ degrees of
    freedom (at most half the shifts). A second model adds the two weeks ahead; the same day is read beside four finer
    windows, because a wrong shape of the days after it would pose as the same day.

    `order.forward` is the elasticity of this box; from it the word is read. `size` is the sum of three windows, days
    1–7, 8–14 and 15–28, which covers more often and is less sharp: the mean of two fits, one with viral posts capped at
    twice the median day. Its standard error is the larger of the shifts' and of equally weighted cosines, and grows by
    what capping changes beyond chance.

    Parameters
    ----------
    days : frame or path
        One row per day.
    x, y : str
        Reactions booked on the day of the post, and revenue. Where the table has ``{x}_24h``, reactions within 24
        hours, they are used, as is an `x` of such a name.
    time : str
        Column of the day.
    by : str, optional
        Column of the shop: two to five shops are estimated each and together, with shifts that all share.
    controls : sequence of str
        Columns to hold fixed, such as advertising.
    events : frame, path or "none", optional
        As for :func:`erresearch.panel.events.read_events`; "none" says that there were none.
    level : float
        Confidence level.
    currency : str
        Unit of the revenue; by default what ``days.attrs["currency"]`` says.

    Returns
    -------
    DailyResponse
        Its `cautions` count what was left out or filled.

    Raises
    ------
    DataError
        Days that repeat, are no dates or of several time zones; negative or absent reactions; too many days without
        revenue.
    DesignError
        Fewer than 180 days, more than five shops, or columns that cannot be told apart.
    ColumnError
        If a column is missing.

    See Also
    --------
    erresearch.examine : The word of a claim, which uses this for one shop by day.
    erresearch.precedence : Several shops, or periods without zeros.
    erresearch.break_even : What an action must bring.

    Notes
    -----
    It is predictive precedence, not proof of cause: hidden demand is read as an effect, and neither undeclared stock-outs
    nor bots can be seen. Reactions that come late but are booked on the day of the post leak the future.

    References
    ----------
    Almon, S. (1965). The distributed lag between capital appropriations and expenditures. *Econometrica*, 33(1), 178-196.
    Chamberlain, G. (1982). The general equivalence of Granger and Sims causality. *Econometrica*, 50(3), 569-581.

    Examples
    --------
    >>> from erresearch.worlds import simulate_shop
    >>> shop = simulate_shop("nothing", days=730, effect=0.3, rng=2)
    >>> found = daily_response(shop, time="period", currency="EUR")
    >>> 0.3 in found.size.interval, found.order.over_lead.interval.low > 0
    (True, True)
    """
    controls = listed(controls)
    check_level(level)
    rows, reactions = _asked(days, x, y, time=time, by=by, controls=controls)
    told = () if reactions.endswith("_24h") else (_LATE,)
    kinds: Mapping[str, str] = {}
    if events is None:
        told = (*told, _UNDECLARED)
    elif not (isinstance(events, str) and events == "none"):
        laid = event_columns(rows, events, by=by, time=time)
        rows, kinds = laid.rows, laid.kinds
    names = list(dict.fromkeys(rows[by])) if by else [None]
    if len(names) > FEW_SHOPS:
        raise DesignError(
            f"{Count(len(names)):shop is} not few",
            allowed=f"{FEW_SHOPS} at most",
            fix="use precedence, which judges many shops together",
        )
    shops = {
        str(name): _prepare(
            rows if by is None else rows[rows[by] == name],
            reactions,
            y,
            time=time,
            controls=controls,
            kinds=kinds,
        )
        for name in names
    }
    happened = ", ".join(name.removeprefix(EVENT) for name in kinds)
    answer = partial(
        respond,
        x=x,
        y=y,
        level=level,
        currency=currency or str(getattr(days, "attrs", {}).get("currency") or ""),
        held=f", controls {', '.join(controls)}" * bool(controls) + f", events {happened}" * bool(kinds),
        told=told,
    )
    found = {name: answer([shop]) for name, shop in shops.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    return replace(answer(list(shops.values())), shops=found)


def _asked(
    days: Any, x: str, y: str, *, time: str, by: str | None, controls: Sequence[str]
) -> tuple[pd.DataFrame, str]:
    """The rows with the columns that are needed, and which column counts the reactions."""
    present = column_names(days)
    reactions = f"{x}_24h" if f"{x}_24h" in present else x
    twice = [name for name in controls if name in (reactions, x, y)]
    if twice:
        raise DesignError(
            "a control is x or y itself", got=", ".join(map(repr, twice)), fix="leave it out of `controls`"
        )
    named = list(dict.fromkeys((reactions, y, "posts", "orders", *controls)))
    wanted = [name for name in named if name in present or name not in ("posts", "orders")]
    absent = [name for name in (*wanted, time, *([by] if by else [])) if name not in present]
    if absent:
        raise missing_columns(absent, present, fix=in_the_index(days))
    return _table(days, wanted, time, by), reactions


_LATE: Final = Doubt(
    "late reactions",
    "booked on the day of the post, whenever they came: counts of the first 24 hours could not follow a purchase",
    raised=True,
    code="late-reactions",
)
_UNDECLARED: Final = Doubt(
    "events",
    "promotions, prices, holidays and stock-outs were not declared",
    raised=True,
    code="events-not-declared",
)


def _table(days: Any, numbers: Sequence[str], time: str, by: str | None) -> pd.DataFrame:
    """The columns needed, as a table of its own."""
    opened = open_rows(days, list(numbers), [time, *([by] if by else [])], None).collect()
    rows = pd.DataFrame({name: opened[name].to_list() for name in (*numbers, time, *([by] if by else []))})
    for name in numbers:
        rows[name] = pd.to_numeric(rows[name]).astype(float)
    when = rows[time]
    if pd.api.types.is_numeric_dtype(when):
        raise DataError(f"`{time}` must hold days", got=str(when.dtype), fix="use dates such as 2024-11-29")
    try:
        read = pd.to_datetime(when, format="ISO8601")
    except (ValueError, TypeError):
        raise DataError(
            f"`{time}` holds something that is no day, or days of several time zones",
            fix="write days as 2024-11-29, counted in one time zone",
        ) from None
    absent = int(read.isna().sum())
    whole = not (absent or bool((read != read.dt.normalize()).any()))
    column = f"table[{time!r}]"
    if read.dt.tz is not None:
        own = f"name the days of the business: {column} = {column}.dt.tz_convert('Europe/Amsterdam')"
        raise DataError(
            f"`{time}` holds moments of a time zone, and a day begins at another moment in each",
            got=str(read.dt.tz),
            fix=f"drop the zone: {column} = {column}.dt.tz_localize(None)"
            if whole
            else f"{own}.dt.tz_localize(None).dt.normalize(), then sum to one row per day",
        )
    if not whole:
        raise DataError(
            f"`{time}` must hold whole days",
            got=f"{Count(absent):row} without one" if absent else "times of the day",
            fix="leave out the rows without a day"
            if absent
            else f"cut them to days, {column} = {column}.dt.normalize(), then sum to one row per day",
        )
    rows[time] = read
    return rows.sort_values([*([by] if by else []), time], ignore_index=True)


def _prepare(
    rows: pd.DataFrame,
    x: str,
    y: str,
    *,
    time: str,
    controls: Sequence[str],
    kinds: Mapping[str, str],
) -> Shop:
    """Lay a shop's rows on a whole calendar."""
    table, reactions, revenue, weekday, known = _known_days(whole_calendar(rows, time), x, y)
    # half an average order; where orders are not counted, half of what a poor day takes
    orders = float(np.nansum(table["orders"].to_numpy())) if "orders" in table else 0.0
    least = np.nansum(revenue) / orders if orders > 0 else np.quantile(revenue[revenue > 0], 0.1)
    half = float(least) / 2
    held, filled = _held(table, controls)
    happened, merged = _happened(table, kinds)
    days, weeks = len(table), len(table) // 7
    same = [(weekday == day) * 1.0 for day in range(6)]
    daily = ShopSeries(
        x=reactions,
        y=np.log(np.where(revenue > 0, revenue, np.where(revenue == 0, half, np.nan))),
        fixed=np.column_stack([*season(np.arange(days), DAYS.year), *same, *held.T]),
        happened=event_lags(happened, days, range(-3, 4), ((4, 7), (8, 14), (15, 21))),
        calendar=DAYS,
    )
    by_week = {name: (weekly_means(column), passes) for name, (column, passes) in happened.items()}
    weekly = ShopSeries(
        x=weekly_means(reactions),
        y=np.log(np.maximum(weekly_means(revenue), half / 7)),
        fixed=np.column_stack([*season(np.arange(weeks), WEEKS.year), *weekly_means(held).T]),
        happened=event_lags(by_week, weeks, range(-1, 2), ()),
        calendar=WEEKS,
    )
    money, first, last = float(np.nanmean(revenue)), table.index[0], table.index[-1]
    posts = float(np.nanmean(table["posts"].to_numpy())) if "posts" in table else math.nan
    cautions = (*known, *filled, *merged)
    return Shop(daily, weekly, money, posts, f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}", cautions)


def _known_days(
    table: pd.DataFrame, x: str, y: str
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray, list[Doubt]]:
    """The stretch that has both x and y, both of them, and weekdays; revenue of closed days is not known."""
    reactions, revenue = (table[name].to_numpy(dtype=float).copy() for name in (x, y))
    if "posts" in table:  # days on which nothing was posted have no reactions
        reactions[(table["posts"].to_numpy() == 0) & np.isnan(reactions)] = 0.0
    _check_numbers(x, reactions, y, revenue)
    both = np.flatnonzero(np.isfinite(reactions)), np.flatnonzero(np.isfinite(revenue))
    first, last = max(each[0] for each in both), min(each[-1] for each in both)
    days = last - first + 1
    if days < SHORTEST:
        raise DesignError(
            f"{Count(max(days, 0)):day} that have both {x} and {y} cannot carry a season and a memory",
            code="too-few-rows",
            allowed=f"{SHORTEST} or more",
            fix="bring a longer past",
        )
    said = counted("outside", len(table) - days)
    table = table[first : last + 1]
    reactions, revenue = reactions[first : last + 1], revenue[first : last + 1]
    weekday = np.asarray(pd.DatetimeIndex(table.index).day_of_week)
    closed = closed_days(revenue, weekday)
    unknown = ~np.isfinite(reactions) | (~np.isfinite(revenue) & ~closed)
    _refuse_missing(
        f"{x} or {y}",
        unknown,
        "where nothing was posted or sold, or keep only the days that both files cover",
    )
    for code, flags in (("closed", closed), ("missing", unknown), ("negative", revenue < 0)):
        said += counted(code, int(flags.sum()))
    revenue = np.where(closed, np.nan, np.maximum(revenue, 0.0))
    said += one_day(table.index, revenue, y)
    empty = float(np.mean(revenue[np.isfinite(revenue)] == 0))
    if empty > _MOST_EMPTY:
        raise DataError(
            f"most days have no {y}",
            got=f"{100 * empty:.0f} % of them",
            allowed=f"{100 * _MOST_EMPTY:.0f} %",
            fix="judge weeks: freq='W', or one row per week with precedence",
        )
    refuse_constant(y, revenue)
    if np.ptp(reactions[~unknown]) == 0:
        raise DesignError(
            f"`{x}` is the same on every day",
            got=f"{Count(len(reactions)):day}",
            fix="name the column that counts what each day's posts brought",
        )
    idle = (reactions == 0) & np.logical_not(table["posts"].to_numpy() > 0 if "posts" in table else False)
    said += counted("silent", int(runs(idle, 28).sum()))  # four weeks
    posted = weekday[reactions > 0]
    said += counted("one-weekday", len(posted) * (len(set(posted)) == 1))
    return table, reactions, revenue, weekday, said


def _check_numbers(x: str, reactions: np.ndarray, y: str, revenue: np.ndarray) -> None:
    """Refuse numbers that are infinite or never above 0, and reactions below 0."""
    for name, values in ((x, reactions), (y, revenue)):
        if np.isinf(values).any():
            raise DataError(
                f"`{name}` holds infinite values", fix="leave them empty where they are not known"
            )
        if not (values > 0).any():
            raise DataError(
                f"`{name}` is never above 0",
                got=f"{Count(int(np.isfinite(values).sum())):day} with a number",
                fix="name the column that counts it",
            )
    if (reactions < 0).any():
        raise DataError(
            f"`{x}` must be 0 or more",
            got=f"{Count(int((reactions < 0).sum())):day} below 0",
            fix="bring counts, not changes",
        )


def _refuse_missing(what: str, missing: np.ndarray, where: str) -> None:
    if missing.mean() > _MOST_MISSING:
        raise DataError(
            f"{what} is missing on too many days",
            got=f"{int(missing.sum()):,} of {len(missing):,}",
            allowed=f"{100 * _MOST_MISSING:.0f} %",
            fix=f"write 0 {where}",
        )


def event_lags(
    happened: Mapping[str, tuple[np.ndarray, bool]],
    rows: int,
    singly: Sequence[int],
    windows: Sequence[tuple[int, int]],
) -> np.ndarray:
    """Leads and lags of events that pass, singly and summed over windows; a step stays where it is."""
    columns = [np.empty((rows, 0))]
    for values, passes in happened.values():
        n = len(values)
        padded = np.pad(values, n)
        moved = {lag: padded[n - lag : 2 * n - lag] for lag in range(-n, n + 1)} if passes else {0: values}
        columns += [moved[lag] for lag in (singly if passes else (0,))]
        columns += [np.sum([moved[lag] for lag in range(a, b + 1)], axis=0) for a, b in windows if passes]
    return np.column_stack(columns)


def _held(table: pd.DataFrame, controls: Sequence[str]) -> tuple[np.ndarray, list[Doubt]]:
    """Each control today and over the week before, by its logarithm where it has no sign."""
    columns: list[np.ndarray] = []
    said: list[Doubt] = []
    for name in controls:
        values = table[name].to_numpy(dtype=float)
        missing = ~np.isfinite(values)
        if missing.all():
            said += counted("unknown-control", 1)
            continue
        _refuse_missing(f"`{name}`", missing, "where there was none")
        said += counted("control-missing", int(missing.sum()))
        values = np.where(missing, np.nanmean(values), values)
        if np.ptp(values) == 0:
            said += counted("constant-control", 1)
            continue
        floor = 0.1 * float(np.mean(values))
        last_week = np.r_[values[0], [np.mean(values[max(t - 7, 0) : t]) for t in range(1, len(values))]]
        scale = np.log if floor > 0 and values.min() >= 0 else np.asarray
        columns += [scale(values + floor), scale(last_week + floor)]
    return np.column_stack(columns) if columns else np.empty((len(table), 0)), said


def _happened(
    table: pd.DataFrame, kinds: Mapping[str, str]
) -> tuple[dict[str, tuple[np.ndarray, bool]], list[Doubt]]:
    """Columns of events by name, and whether each passes; where they are too many, those that pass share one."""
    columns = {name: table[name].fillna(0.0).to_numpy(dtype=float) for name in kinds}
    found = {name: (column, kinds[name] == "pulse") for name, column in columns.items() if np.ptp(column) > 0}
    pulses = [name for name, (_, passes) in found.items() if passes]
    if len(pulses) <= max(1, len(table) // 100):
        return found, []
    shared = np.max([found.pop(name)[0] for name in pulses], axis=0)
    return found | {"events": (shared, True)}, counted("events-merged", len(pulses))


def weekly_means(values: np.ndarray) -> np.ndarray:
    """Means of whole weeks, of those days that are known."""
    days = len(values) - len(values) % 7
    means = pd.DataFrame(values[:days]).groupby(np.arange(days) // 7).mean()
    return means.to_numpy().reshape(days // 7, *values.shape[1:])


def whole_calendar(rows: pd.DataFrame, time: str) -> pd.DataFrame:
    """One row for every day from the first to the last."""
    repeated = int(rows[time].duplicated().sum())
    if repeated:
        raise DataError(
            "there are several rows of one day",
            got=f"{Count(repeated, of=len(rows)):row}",
            fix="sum them to one row per day, or bring a column that tells the shops apart",
        )
    table = rows.set_index(time)
    return table.reindex(pd.date_range(table.index[0], table.index[-1]))


def closed_days(revenue: np.ndarray, weekday: np.ndarray) -> np.ndarray:
    """Days in a run without revenue of a week or more, or of a weekday without any for eight weeks, where others sell."""
    nothing = revenue <= 0
    long = runs(nothing, _CLOSED_DAYS)
    for day in range(7):
        own = np.flatnonzero(weekday == day)
        long[own[runs(nothing[own], _CLOSED_WEEKS)]] = True
    open_days = np.isfinite(revenue) & ~long
    seldom = open_days.any() and np.mean(nothing[open_days]) < _SELDOM
    return long if seldom else np.zeros(len(revenue), dtype=bool)


def runs(flags: np.ndarray, least: int) -> np.ndarray:
    """Members of runs of at least this length."""
    run = np.cumsum(np.diff(flags, prepend=flags[:1]))
    return np.asarray(flags & (np.bincount(run)[run] >= least))


#: What is counted and goes on, and what to do about it.
_COUNTED: Final = {
    "outside": "days before or after those that both files cover are left out; bring both files for them to use them",
    "closed": "days without revenue, a week or more or always of one weekday, count as closed; if the shop was open, "
    "declare what happened as an event",
    "missing": "days are missing between the first and the last and tell nothing; write 0 where nothing was posted or "
    "sold",
    "negative": "days have a negative revenue and count as days without any; book refunds on the day of the sale",
    "silent": "days lie in runs of four weeks or more without a reaction; leave reactions and posts empty there if the "
    "platform was not covered",
    "one-weekday": "days with reactions are all of one weekday, from which the same day cannot be told; only posts on "
    "other days would show it",
    "control-missing": "days without a control count as usual ones; write 0 where there was none",
    "unknown-control": "control has no number on any day and is left out",
    "constant-control": "control is the same on all days and explains nothing",
    "events-merged": "kinds of events are too many for so few days and share one response; give like things one name",
}


def far_out(share: Any, times: Any) -> Any:
    """Whether a figure is so large that it may be wrong, from its share of the whole and how many usual ones it is.

    Numbers, arrays and expressions alike.

    Examples
    --------
    >>> far_out(0.2, 11), far_out(0.2, 4), far_out(0.02, 21)
    (True, False, True)
    """
    return (times > 20) | ((share > 0.1) & (times > 10))


def counted(code: str, count: int) -> list[Doubt]:
    """A caution with its count, where there is anything to count."""
    text = f"{count:,} {_COUNTED[code]}"
    return [Doubt(code.replace("-", " "), text, float(count), True, code)] if count else []


def one_day(days: Any, revenue: np.ndarray, name: str) -> list[Doubt]:
    """Name the day that carries the money; it counts all the same."""
    best, usual = int(np.nanargmax(revenue)), float(np.nanmedian(revenue[revenue > 0]))
    share, times = float(revenue[best] / np.nansum(revenue)), float(revenue[best] / usual)
    held = f"{days[best]:%Y-%m-%d} holds {100 * share:.2g} % of all {name}"
    text = f"{held}, {times:,.0f} times a usual day: is it right? Sums of money hang on it"
    return [Doubt("one day", text, share, True, "one-day")] if far_out(share, times) else []
