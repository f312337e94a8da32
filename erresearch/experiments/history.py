"""One shop's outcome on an unbroken calendar, what its past explains, and how long reactions go with it."""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from erresearch.engine.sources import as_narwhals
from erresearch.errors import Count, DataError, DesignError, missing_columns

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]

#: Weeks of history below which nothing is planned: the noise could not be told.
SHORTEST: Final = 26
DAYS: Final = {"D": 1, "W": 7}
YEAR: Final = 365.25
#: Lags of the autoregression that filters the noise: a week of days, three weeks.
MEMORY: Final = {"D": 7, "W": 3}
#: Part of the variance below which a direction of the autocovariances counts as none.
TINY: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One shop by day or week.

    Parameters
    ----------
    entity : str
        The shop.
    every : {"D", "W"}
        Length of a period.
    dates : numpy.ndarray of datetime64[D], shape (n,)
        First day of each period, without gaps.
    outcome : numpy.ndarray, shape (n,)
        In its own unit; nan where it is not known.
    engagement : numpy.ndarray, shape (n,), optional
        Reactions in the period; nan where they are not known.
    posts : numpy.ndarray, shape (n,), optional
        Posts in the period.
    """

    entity: str
    every: Literal["D", "W"]
    dates: Dates
    outcome: Array
    engagement: Array | None = None
    posts: Array | None = None

    def __len__(self) -> int:
        """Number of periods."""
        return len(self.dates)

    def on(self, dates: Dates, name: str) -> Array:
        """Outcome, engagement or posts on other days of the same calendar; nan where they are not known."""
        held = getattr(self, name)
        if held is None:
            return np.full(len(dates), np.nan)
        place = (dates - self.dates[0]).astype(int) // DAYS[self.every]
        known = (place >= 0) & (place < len(self))
        return np.where(known, held[place * known], np.nan)


Shops = tuple[Series, ...]


def read_series(panel: Any, *, outcome: str = "revenue", entity: str | None = None) -> Shops:
    """Lay a panel's outcome on an unbroken calendar, one series for each shop.

    Parameters
    ----------
    panel : Panel or frame
        Columns entity (may be missing for one shop), period (or date), the outcome, and engagement and posts where they
        are known.
    outcome : str
        Column of the outcome.
    entity : str, optional
        The one shop to take.

    Returns
    -------
    tuple of Series
        In the order of their names.

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        For a period that stands twice, dates that are none, months, outcomes that are no numbers, or a shop that is
        not there.

    Examples
    --------
    >>> import pandas as pd
    >>> weeks = pd.date_range("2024-01-01", periods=3, freq="7D")
    >>> (shop,) = read_series(pd.DataFrame({"period": weeks, "revenue": [1.0, 2.0, 3.0]}))
    >>> shop.every, len(shop)
    ('W', 3)
    """
    columns = _columns(panel, outcome)
    names = columns.pop("entity")
    known = sorted(set(names.tolist()))
    if entity is not None and entity not in known:
        raise DataError(
            "there is no such shop in the rows",
            got=f"{Count(len(known)):shop}",
            fix="take entity= from the column entity",
        )
    own = {name: names == name for name in ([entity] if entity is not None else known)}
    return tuple(
        _on_calendar(name, {key: values[rows] for key, values in columns.items()}, outcome)
        for name, rows in own.items()
    )


def _columns(panel: Any, outcome: str) -> dict[str, Any]:
    tables = nw.DataFrame, nw.LazyFrame
    frame = as_narwhals(panel, pass_through=True)
    if not isinstance(frame, tables):  # a table may have a method, or a column, of that name
        frame = as_narwhals(getattr(panel, "rows", panel), pass_through=True)
    if not isinstance(frame, tables):
        raise DataError(
            "the history is no table", got=type(panel).__name__, fix="give a panel or a data frame"
        )
    present = frame.collect_schema().names()
    date = "date" if "period" not in present and "date" in present else "period"
    if lacking := [name for name in (date, outcome) if name not in present]:
        raise missing_columns(lacking, present, where="the history")
    wanted = [name for name in ("entity", date, outcome, "engagement", "posts") if name in present]
    table = frame.select(dict.fromkeys(wanted))
    table = table.collect() if isinstance(table, nw.LazyFrame) else table
    if not len(table):
        raise DataError("the table has no rows", fix="give the panel of the shop, by day or week")
    days = table[date]
    zoned = isinstance(days.dtype, nw.Datetime) and days.dtype.time_zone is not None
    if zoned:
        days = days.dt.replace_time_zone(None)  # the day on the clock of its own zone
    found: dict[str, Any] = {"period": _dates(days.to_numpy(), zoned=zoned)}
    for role, name in (("outcome", outcome), ("engagement", "engagement"), ("posts", "posts")):
        if name in wanted:
            found[role] = as_numbers(table[name].to_numpy(), name)
    found["entity"] = np.full(len(table), "", dtype=object)
    if "entity" in wanted:
        shops = zip(table["entity"].to_list(), table["entity"].is_null().to_list(), strict=True)
        found["entity"][:] = ["" if unknown else str(name) for name, unknown in shops]
    return found


def _dates(values: Any, *, zoned: bool) -> Dates:
    values = np.asarray(values)
    if values.dtype == object:  # a zone that the frame does not tell: the day on its own clock
        told = values.tolist()
        zoned = any(getattr(v, "tzinfo", None) for v in told)
        values = np.array([v.replace(tzinfo=None) if getattr(v, "tzinfo", None) else v for v in told])
    try:
        dates: Dates = values.astype("datetime64[D]")
    except (ValueError, TypeError):
        raise DataError("`period` holds something that is no date", fix="write dates as 2026-01-31") from None
    if zoned and (late := values.astype("datetime64[s]") > dates).any():
        raise DataError(
            "periods with a zone begin at midnight of it, and these are days of another one",
            got=f"{Count(int(late.sum()), of=len(dates)):row} at another hour",
            fix="convert them first: table['period'].dt.tz_convert('Area/City')",
        )
    if np.isnat(dates).any():
        raise DataError(
            "`period` is empty in some rows",
            got=f"{Count(int(np.isnat(dates).sum()), of=len(dates)):row}",
            fix="give every row its date",
        )
    return dates


def as_numbers(values: Any, name: str) -> Array:
    """A column of finite or missing numbers.

    Raises
    ------
    DataError
        If it holds text or something infinite.
    """
    try:
        numbers = np.asarray(values).astype(np.float64)
    except (ValueError, TypeError):
        raise DataError(f"`{name}` holds text", fix="make it a column of numbers") from None
    if np.isinf(numbers).any():
        raise DataError(f"`{name}` is infinite in some rows", fix="correct them or leave them empty")
    return numbers


def _on_calendar(entity: str, columns: dict[str, Any], outcome: str) -> Series:
    order = np.argsort(columns["period"], kind="stable")
    dates = columns["period"][order]
    steps = np.diff(dates).astype(int)
    if len(twice := dates[1:][steps == 0]):
        raise DataError(
            "a period stands twice for one shop",
            got=f"{twice[0]}{f' and {len(twice) - 1:,} more' if len(twice) > 1 else ''}",
            allowed="one row for each shop and period",
            fix="add the rows of a period up first, as build_panel does",
        )
    every, step = _step(steps, dates)
    full = np.arange(dates[0], dates[-1] + np.timedelta64(1, "D"), np.timedelta64(step, "D"))
    place = (dates - dates[0]).astype(int) // step

    laid: dict[str, Any] = {}
    for name in columns.keys() - {"period"}:
        laid[name] = np.full(len(full), np.nan)
        laid[name][place] = columns[name][order]
    if not (laid["outcome"] > 0).any():
        raise DataError(f"`{outcome}` is nowhere above 0", fix="choose a column that holds the outcome")
    return Series(entity=entity, every=every, dates=full, **laid)


def _step(steps: npt.NDArray[np.int_], dates: Dates) -> tuple[Literal["D", "W"], int]:
    usual = int(np.median(steps)) if len(steps) else 0
    if usual == 1:
        return "D", 1
    if usual == 7 and not (steps % 7).any():
        return "W", 7
    raise DataError(
        "the periods are neither days nor weeks",
        got=f"{Count(len(dates)):period}, {usual} days apart in the middle",
        allowed="days, or weeks that begin on one weekday",
        fix="bring figures by day or by week, with one zone and one first day of weeks",
    )


def missed_periods(posts: Array, due: Flags, before: Array, block: int) -> float:
    """Periods that were not as planned: of pauses with posts, and of blocks without any where posts were due.

    Where posts usually come in one period of three, one with posts in a pause stands for three: so many as if nobody had
    paused. A block without posts is missed where nine in ten blocks of the past had some.

    Parameters
    ----------
    posts : numpy.ndarray
        In each period of the plan; nan where they are not known.
    due : numpy.ndarray of bool
        Whether posts were due.
    before : numpy.ndarray
        Posts in periods without a plan.
    block : int
        Periods of a block.

    Examples
    --------
    >>> missed_periods(np.array([1.0, 0.0, 0.0, 0.0]), np.array([0, 0, 1, 1], dtype=bool), np.array([1.0, 0.0] * 4), 2)
    4.0
    """
    usual: Flags = np.asarray(before[np.isfinite(before)] > 0)
    share = max(float(usual.mean()), 0.01) if len(usual) else 1.0
    paused = np.isfinite(posts) & ~due
    missed = min(float((posts[paused] > 0).sum()) / share, float(paused.sum()))
    blocks = usual[: len(usual) // block * block].reshape(-1, block)
    if len(blocks) and blocks.any(axis=1).mean() >= 0.9:
        whole = slice(0, len(posts) // block * block)
        silent = (due & (posts == 0))[whole].reshape(-1, block).all(axis=1)
        missed += block * float(silent.sum())
    return missed


def day_of(told: object, name: str) -> np.datetime64:
    """A date that a caller wrote down.

    Raises
    ------
    DesignError
        If it is none.

    Examples
    --------
    >>> day_of("2026-01-31", "start")
    np.datetime64('2026-01-31')
    """
    try:
        return np.datetime64(str(told), "D")
    except ValueError:
        raise DesignError(f"`{name}` is no date", fix="write it as 2026-01-31") from None


@functools.lru_cache(maxsize=8)  # a plan's seeds, one for each design that is tried, rest on the same
def fingerprint(series: Shops) -> str:
    """SHA-256 of shops, dates and outcomes to eight digits: what a seed is taken from.

    Examples
    --------
    >>> days = np.arange("2024-01-01", "2024-01-03", dtype="datetime64[D]")
    >>> shop = Series(entity="a", every="D", dates=days, outcome=np.array([1.0, np.nan]))
    >>> fingerprint((shop,))[:8]
    '161b5634'
    """
    lines = [
        f"{shop.entity}\t{date}\t{value:.8g}"
        for shop in series
        for date, value in zip(shop.dates, shop.outcome, strict=True)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """What a shop's past says about its noise.

    Parameters
    ----------
    floor : float
        Outcomes below it are taken as it before the logarithm.
    memory : numpy.ndarray, shape (p,)
        Coefficients of the autoregression of what calendar and trend leave.
    innovations : numpy.ndarray
        What the autoregression leaves.
    sigma : float
        Their standard deviation, on the scale of logarithms.
    usual : float
        Mean outcome in a period of the last year.
    at_floor, missing : int
        Periods taken as the floor, and periods without an outcome.
    """

    floor: float
    memory: Array
    innovations: Array
    sigma: float
    usual: float
    at_floor: int
    missing: int


@functools.lru_cache(maxsize=256)  # planner, schedule and sentences ask for the same shops several times
def fit_history(shop: Series, *, floor: float | None = None) -> Model:
    """Take trend, year and weekday out of log outcomes, and fit the memory of the rest by Yule and Walker.

    Parameters
    ----------
    shop : Series
        History only, without a day of the plan.
    floor : float, optional
        The floor that a plan has fixed; half the 5 % quantile of the outcomes above 0 otherwise.

    Returns
    -------
    Model

    Raises
    ------
    DesignError
        If the history is too short, or holds too many periods without an outcome.
    """
    weeks = len(shop) * DAYS[shop.every] / 7
    if weeks < SHORTEST:
        raise DesignError(
            "the history is too short to tell the noise",
            got=f"{Count(round(weeks)):week}",
            allowed=f"{SHORTEST} weeks or more",
            fix="add earlier weeks, or wait",
        )
    if floor is None:
        floor = 0.5 * float(np.nanquantile(shop.outcome[shop.outcome > 0], 0.05))
    missing, low = np.isnan(shop.outcome), shop.outcome < floor
    for wrong, found, share, way_out in (
        ("too many periods have no outcome", missing, 0.1, "add the missing rows"),
        ("too many periods have no revenue to speak of", low, 0.2, "count by week: freq='W' (--freq W)"),
    ):
        if found.mean() > share:
            raise DesignError(
                wrong,
                got=f"{int(found.sum()):,} of {len(shop):,}",
                allowed=f"{100 * share:.0f} %",
                fix=way_out,
            )
    if float(np.nanmax(shop.outcome)) <= float(np.nanmin(shop.outcome)):
        raise DesignError(
            "the outcome is the same in every period, so that there is no noise to plan against",
            fix="choose a column that holds the outcome",
        )
    y = logged(shop.outcome, floor)
    X = calendar_terms(shop.dates, len(shop), shop.every)
    beta, *_ = np.linalg.lstsq(X[~missing], y[~missing], rcond=None)
    rest = np.where(missing, 0.0, y - X @ beta)
    memory = yule_walker(rest, MEMORY[shop.every], X * ~missing[:, None])
    innovations = filtered(rest, memory)[len(memory) :]
    freedom = max(len(innovations) - X.shape[1] - len(memory), 1)
    year = shop.outcome[-min(len(shop), round(YEAR / DAYS[shop.every])) :]
    return Model(
        floor=floor,
        memory=memory,
        innovations=innovations * np.sqrt(len(innovations) / freedom),
        sigma=float(np.sqrt(innovations @ innovations / freedom)),
        usual=float(np.nanmean(year)),
        at_floor=int(low.sum()),
        missing=int(missing.sum()),
    )


def logged(outcome: Array, floor: float) -> Array:
    """Logarithm of the outcome, never below that of the floor; nan stays."""
    return np.log(np.where(np.isnan(outcome), np.nan, np.maximum(outcome, floor)))


def calendar_terms(dates: Dates, history: int, every: str) -> Array:
    """Constant, trend, two waves of the year where a year is known, weekdays, and the plan's own level."""
    n = len(dates)
    day = (dates - dates[0]).astype(int)
    columns = [np.ones(n), np.arange(n) / n]
    if history * DAYS[every] >= 0.95 * YEAR:
        columns += [wave(2 * np.pi * k * day / YEAR) for k in (1, 2) for wave in (np.cos, np.sin)]
    if every == "D":
        columns += [(day % 7 == weekday).astype(float) for weekday in range(1, 7)]
    if n > history:
        columns.append((np.arange(n) >= history).astype(float))
    return np.column_stack(columns)


def yule_walker(rest: Array, order: int, terms: Array | None = None) -> Array:
    """Coefficients of an autoregression from its autocovariances; zeros for a constant.

    Parameters
    ----------
    rest : numpy.ndarray, shape (n,)
        What a least-squares fit left; 0 where it had no outcome.
    order : int
        Lags.
    terms : numpy.ndarray, shape (n, k), optional
        What was fitted, with rows of zeros where there was no outcome. Trend and waves of the year take slow movements
        out of the rest too; with `terms` that is made good (:func:`unbiased_autocovariances`).

    Examples
    --------
    >>> yule_walker(np.zeros(9), 2)
    array([0., 0.])
    """
    from scipy.linalg import solve_toeplitz, toeplitz

    n = len(rest)
    moments = np.array([rest[: n - k] @ rest[k:] / n for k in range(order + 1)])
    if moments[0] <= 0:
        return np.zeros(order)
    if terms is not None:
        unbiased = unbiased_autocovariances(rest, terms, 2 * order)[: order + 1]
        # chance can leave autocovariances that no series has; the plain ones always are those of one
        if np.linalg.eigvalsh(toeplitz(unbiased))[0] > TINY * moments[0]:
            moments = unbiased
    return np.asarray(solve_toeplitz(moments[:order], moments[1:]))


def unbiased_autocovariances(rest: Array, terms: Array, lags: int) -> Array:
    """Autocovariances of disturbances, from the residuals of a regression.

    Residuals r = Re of disturbances e with autocovariances γ have E[Σ rₜrₜ₊ₖ] = Σⱼ γⱼ tr(R Bₖ R Sⱼ), where Bₖ and Sⱼ pick
    the k-th and j-th diagonals: linear equations in γ, which is taken for 0 beyond `lags`.

    Parameters
    ----------
    rest, terms : numpy.ndarray, shape (n,) and (n, k)
        Residuals and regressors; rows of zeros where there was no outcome.
    lags : int
        Last lag.

    Returns
    -------
    numpy.ndarray, shape (lags + 1,)

    Examples
    --------
    >>> unbiased_autocovariances(np.array([1.0, -1.0, 1.0, -1.0]), np.ones((4, 1)), 0).round(3)
    array([1.333])
    """
    n, span = len(rest), range(lags + 1)
    known = np.any(terms != 0, axis=1).astype(np.float64)
    Q, _ = np.linalg.qr(terms)
    later = np.stack([np.pad(Q[k:], ((0, k), (0, 0))) for k in span])
    before = np.stack([np.pad(Q[: n - k], ((k, 0), (0, 0))) for k in span])
    near = 0.5 * known[:, None] * (later + before)  # Bₖ Q
    rest_of_near = near - Q @ (Q.T @ near)
    later, before, near, rest_of_near = (
        part.reshape(lags + 1, -1) for part in (later, before, near, rest_of_near)
    )
    found = np.array([rest[: n - k] @ rest[k:] for k in span])
    own = np.array([known[: n - k] @ known[k:] for k in span])
    once = np.where(np.arange(lags + 1) == 0, 1.0, 2.0)
    mixed = np.diag(own) - once * (rest_of_near @ later.T + near @ before.T)
    return np.asarray(np.linalg.solve(mixed, found), dtype=np.float64)


def filtered(values: Array, memory: Array) -> Array:
    """Take the autoregression out along the last axis; before the first value stand zeros.

    Examples
    --------
    >>> filtered(np.array([1.0, 1.0, 1.0]), np.array([0.5]))
    array([1. , 0.5, 0.5])
    """
    out = values.astype(np.float64)
    for lag, weight in enumerate(memory, start=1):
        out[..., lag:] -= weight * values[..., :-lag]
    return out


def box(values: Array, window: tuple[int, int]) -> Array:
    """Mean over a window of lags; before the first value stands that value.

    Examples
    --------
    >>> box(np.array([1.0, 2.0, 4.0]), (0, 1))
    array([1. , 1.5, 3. ])
    """
    padded = np.r_[np.full(window[1], values[0]), values]
    lagged = [
        padded[window[1] - lag : window[1] - lag + len(values)] for lag in range(window[0], window[1] + 1)
    ]
    return np.asarray(np.mean(lagged, axis=0))


def innovations_of(shops: Shops) -> Array:
    """What each shop's past does not explain, over the latest periods that all of them have; a row a shop."""
    noises = [fit_history(shop).innovations for shop in shops]
    shortest = min(len(noise) for noise in noises)
    return np.stack([noise[-shortest:] for noise in noises])


def nearest_pairs(innovations: Array) -> list[int]:
    """Rows in pairs that stand one after the other, those that correlate most first."""
    alike: Array = np.asarray(np.corrcoef(innovations))
    order = [(-round(float(alike[i, j]), 6), i, j) for i in range(len(alike)) for j in range(i)]
    taken: list[int] = []
    for _, i, j in sorted(order):
        if i not in taken and j not in taken:
            taken += [j, i]
    return taken


def noises_of(shops: Shops, *, in_pairs: bool = False) -> tuple[Model, ...]:
    """The noise of each shop, or of the difference of the two of each pair, which stand one after the other.

    Pairs are chosen because they moved alike, some of them by chance. So the noise of a pair is widened by how much
    further pairs that one half of the past would have chosen stray in the other half.
    """
    if not in_pairs:
        return tuple(fit_history(shop) for shop in shops)
    innovations = innovations_of(shops)
    half = innovations.shape[1] // 2
    halves = [innovations[:, :half], innovations[:, half:]]
    strayed = sum(_apart(later, nearest_pairs(earlier)) for earlier, later in (halves, halves[::-1]))
    chosen = sum(_apart(part, list(range(len(shops)))) for part in halves)
    wider = math.sqrt(max(strayed / chosen, 1.0))
    pairs = map(pair_model, shops[::2], shops[1::2])
    return tuple(
        replace(pair, innovations=wider * pair.innovations, sigma=wider * pair.sigma) for pair in pairs
    )


def _apart(innovations: Array, pairs: list[int]) -> float:
    """Mean square of the difference of two that form a pair."""
    return float(np.mean((innovations[pairs[::2]] - innovations[pairs[1::2]]) ** 2))


def pair_model(one: Series, other: Series) -> Model:
    """Noise of log outcome of one shop less that of the other, over their common past.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> weeks = pd.date_range("2024-01-01", periods=104, freq="7D")
    >>> past = pd.DataFrame({"period": weeks, "revenue": 1000 * np.exp(0.1 * rng.standard_normal(104))})
    >>> other = past.assign(entity="other", revenue=past["revenue"] * np.exp(0.02 * rng.standard_normal(104)))
    >>> one, other = read_series(pd.concat([past.assign(entity="one"), other]))
    >>> bool(pair_model(one, other).innovations.std() < 0.04)
    True
    """
    first = max(one.dates[0], other.dates[0])
    left, right = (shop.outcome[shop.dates >= first] for shop in (one, other))
    gap = [logged(shop.outcome[shop.dates >= first], fit_history(shop).floor) for shop in (one, other)]
    common = min(len(left), len(right))
    dates, both = one.dates[one.dates >= first][:common], np.exp(gap[0][:common] - gap[1][:common])
    apart = Series(entity=one.entity, every=one.every, dates=dates, outcome=both)
    return replace(fit_history(apart, floor=1e-12), usual=float(np.nanmean(left) + np.nanmean(right)) / 2)
