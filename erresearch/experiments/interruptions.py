"""Pauses that already happened: what was to be expected, what came, and how often such a gap appears by itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from erresearch.errors import ColumnError, Count, DesignError
from erresearch.experiments.history import (
    DAYS,
    MEMORY,
    SHORTEST,
    Array,
    Flags,
    Series,
    calendar_terms,
    day_of,
    logged,
    read_series,
    yule_walker,
)
from erresearch.results import Estimate, Printed, StudentT, Word, plain

#: Fewest placebo dates for a null: below it no p-value of .05 is believed.
FEWEST_PLACEBOS: Final = 10
MOST_PLACEBOS: Final = 120
#: Ways of foreseeing that are compared on dates that are not used for the null afterwards.
WAYS: Final = ("trend and season", "level", "other series")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Interruption(Printed):
    """What an interruption did, against what was to be expected.

    Parameters
    ----------
    at, until : str
        First day, and first day after it; of several, those of the first and the last.
    effect : Estimate
        Difference of logarithms: what came less what was expected.
    word : Word
        Of the claim that the outcome was lower than expected.
    placebos : int
        Dates of the past that made the null.
    way : str
        How the expected outcome was foreseen: by trend and season, the level or other series, whichever was best on dates
        that are not used for the null.
    weights : tuple of (str, float)
        Other shops or series in the expected outcome.
    looks : int
        Interruptions that were looked at; the level of the interval is 1 − .05/looks.
    each : tuple of Interruption
        The single ones, where there are several.

    See Also
    --------
    interruption : Makes one.
    """

    at: str
    until: str
    effect: Estimate
    word: Word
    placebos: int
    way: str
    weights: tuple[tuple[str, float], ...] = ()
    looks: int = 1
    each: tuple[Interruption, ...] = ()

    @property
    def certainty(self) -> str:
        """Low: whoever pauses chooses when, and for a reason."""
        return "low"

    @property
    def against_expected(self) -> str:
        """The effect in per cent with its interval."""
        low, high = (_percent(end) for end in (self.effect.interval.low, self.effect.interval.high))
        return (
            f"{self.effect.name} was {_percent(self.effect.value)} [{low}, {high}] against what was expected"
        )

    def __str__(self) -> str:
        """One sentence in per cent."""
        what = (
            f"{Count(len(self.each)):interruption}" if self.each else f"from {self.at} to before {self.until}"
        )
        return (
            f"{what}: {self.against_expected} "
            f"({Count(self.placebos):placebo date}, {self.way}); {self.word}, certainty {self.certainty}"
        )


def _percent(effect: float) -> str:
    return f"{plain(100 * math.expm1(min(effect, 20)), '+.0f')} %"


def interruption(
    panel: Any,
    *,
    at: str | Sequence[str],
    until: str | Sequence[str],
    outcome: str = "revenue",
    entity: str | Sequence[str] | None = None,
    beside: Any = None,
    looks: int = 1,
) -> Interruption:
    """Compare the outcome in an interruption with what its past, and what was not interrupted, led one to expect.

    The logarithm of the outcome is foreseen from earlier periods only: by trend and season, by its level, or by
    other shops or series (a synthetic control), each with the memory of what is left. Every second placebo date
    decides which of these ways is taken; the others make the null, so that the choice does not flatter itself.
    Where there are several interruptions, each is foreseen from periods without one, and their mean is judged. No
    interrupted period ever serves as a control (Borusyak, Jaravel & Spiess 2024), so staggered dates do not fool it. What
    shops share moves their differences together; how far is read at the same placebo dates.

    Parameters
    ----------
    panel : Panel or frame
        Rows by day or week; other shops in it serve as controls.
    at, until : str or sequence of str
        First day, and first day after, of one or several interruptions.
    outcome : str
        Column of the outcome.
    entity : str or sequence of str, optional
        The shop (of each); may be left out for one shop.
    beside : frame, optional
        Series that were not touched, such as revenue by other channels: entity (the series' name), period, outcome.
    looks : int
        How many interruptions were looked at in all, this one included: the interval's level is 1 − .05/looks.

    Returns
    -------
    Interruption

    Raises
    ------
    DesignError
        If there are fewer than 26 weeks before it, too few placebo dates, or dates that do not fit.

    See Also
    --------
    erresearch.experiments.find_pauses : Finds candidates in the posts.

    Notes
    -----
    Abadie, Diamond & Hainmueller (2010) for weights and placebos. The standard error is the root mean square of the
    placebo differences, with as many degrees of freedom as windows that do not overlap.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> noise = 0.1 * np.random.default_rng(1).standard_normal(104)
    >>> weeks = pd.date_range("2024-01-01", periods=104, freq="7D")
    >>> rows = pd.DataFrame({"period": weeks, "revenue": 1000 * np.exp(noise)})
    >>> found = interruption(rows, at="2025-06-02", until="2025-06-23")
    >>> found.word, found.certainty, found.way
    ('inconclusive', 'low', 'level')
    """
    if not isinstance(looks, int) or looks < 1:
        raise DesignError("`looks` must be a count", got=repr(looks), fix="use 1 for a single interruption")
    shops = read_series(panel, outcome=outcome)
    others = read_series(beside, outcome=outcome) if beside is not None else ()
    windows = _windows(at, until, entity, shops)
    setting = _Setting(shops, others, tuple(windows), outcome, looks)
    judged = [_single(setting, window) for window in windows]
    each = [one for one, _ in judged]
    if len(each) == 1:
        return each[0]
    effects = [one.effect for one in each]
    ses = np.array([effect.se for effect in effects])
    variance = float(ses @ _together(windows, [errors for _, errors in judged]) @ ses)
    mean = float(np.mean([effect.value for effect in effects]))
    df = sum(effect.df for effect in effects) * float(ses @ ses) / variance
    reference = StudentT(mean, math.sqrt(variance) / len(each), df)
    return _found(
        setting,
        reference,
        sum(effect.n_rows for effect in effects),
        at=min(one.at for one in each),
        until=max(one.until for one in each),
        placebos=sum(one.placebos for one in each),
        way="each by itself",
        each=tuple(each),
    )


Texts = str | Sequence[str]
Window = tuple[str, np.datetime64, np.datetime64]


def _windows(at: Texts, until: Texts, entity: Texts | None, shops: tuple[Series, ...]) -> list[Window]:
    starts, ends = ([each] if isinstance(each, str) else list(each) for each in (at, until))
    if entity is None:
        entity = shops[0].entity if len(shops) == 1 else ()
    names = [entity] * len(starts) if isinstance(entity, str) else list(entity)
    if not (len(starts) == len(ends) == len(names) and starts):
        raise DesignError(
            "every interruption needs a first day, a day after its last, and a shop",
            got=f"{len(starts)} at, {len(ends)} until, {Count(len(names)):shop}",
            fix="give at, until and entity the same length",
        )
    known = {shop.entity for shop in shops}
    if set(names) - known:
        raise DesignError("an interruption is of a shop that is not in the panel", fix="correct entity=")
    found = [
        (name, day_of(first, "at"), day_of(last, "until"))
        for name, first, last in zip(names, starts, ends, strict=True)
    ]
    if wrong := next((f"{first} to {last}" for _, first, last in found if not first < last), ""):
        raise DesignError("an interruption ends before it begins", got=wrong, fix="swap at and until")
    return found


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all interruptions of one call share."""

    shops: tuple[Series, ...]
    others: tuple[Series, ...]
    windows: tuple[Window, ...]
    outcome: str
    looks: int


def _together(windows: list[Window], errors: list[dict[np.datetime64, float]]) -> Array:
    """Correlation of what was not foreseen in two interruptions: shops of one trade have their bad weeks together."""
    found = np.eye(len(windows))
    for (i, (_, first, last)), (j, (_, start, end)) in itertools.combinations(enumerate(windows), 2):
        moved = {date + (start - first): error for date, error in errors[i].items()}
        if len(shared := moved.keys() & errors[j].keys()) >= FEWEST_PLACEBOS:
            one, other = (np.array([each[date] for date in sorted(shared)]) for each in (moved, errors[j]))
            size = math.sqrt(float(one @ one) * float(other @ other))
            found[i, j] = found[j, i] = max(float(one @ other) / size, 0.0) if size else 0.0
        else:
            found[i, j] = found[j, i] = float(first < end and start < last)
    return found


def _single(setting: _Setting, window: Window) -> tuple[Interruption, dict[np.datetime64, float]]:
    """One interruption, and by how much its way misses at each placebo date."""
    name, first, last = window
    shop = next(each for each in setting.shops if each.entity == name)
    step = DAYS[shop.every]
    begin = math.ceil((first - shop.dates[0]).astype(int) / step)
    end = math.ceil((last - shop.dates[0]).astype(int) / step)
    if begin * step < 7 * SHORTEST or end > len(shop) or begin >= end:
        raise DesignError(
            f"an interruption needs {SHORTEST} weeks before it, and its own periods",
            got=f"{Count(begin):period} before, {len(shop) - begin} from it on",
            fix="give more history, or a later date",
        )
    touched = _touched(setting.windows, shop)
    y = _levels(shop)
    if np.isnan(y[begin:end]).any():
        raise DesignError(
            f"`{setting.outcome}` is missing in the interruption",
            got=f"{Count(int(np.isnan(y[begin:end]).sum()), of=end - begin):period}",
            fix="add the missing rows",
        )
    y = np.where(touched & (np.arange(len(y)) < begin), np.nan, y)  # earlier interruptions teach nothing
    y = np.where(np.isnan(y), np.interp(np.arange(len(y)), np.flatnonzero(~np.isnan(y)), y[~np.isnan(y)]), y)
    names, donors = _donors(shop, setting, end)
    length = end - begin
    # earlier dates whose window and half a year before hold no interruption, spread evenly
    fine = [s for s in range(7 * SHORTEST // step, begin - length + 1) if not touched[s : s + length].any()]
    starts = fine[:: max(1, math.ceil(len(fine) / MOST_PLACEBOS))]
    if len(starts) // 2 < FEWEST_PLACEBOS:
        raise DesignError(
            "too few placebo dates to know how often such a gap appears by itself",
            got=f"{len(starts) // 2}",
            allowed=f"{FEWEST_PLACEBOS} or more",
            fix="give more history, or a shorter interruption",
        )
    ways = [way for way in WAYS if names or way != "other series"]
    errors = {
        way: np.array([_gap(shop, y, donors, begin=s, length=length, way=way)[0] for s in starts])
        for way in ways
    }
    # the way is chosen on every second date; the null comes from the rest
    tune, test = np.arange(len(starts)) % 2 == 0, np.arange(len(starts)) % 2 == 1
    way = min(ways, key=lambda each: round(float(np.mean(errors[each][tune] ** 2)), 12))
    null = errors[way][test]
    value, weights = _gap(shop, y, donors, begin=begin, length=length, way=way)
    df = max(min(len(null), (begin - 7 * SHORTEST // step) / length) - 1, 1.0)
    reference = StudentT(value, float(np.sqrt(np.mean(null**2))), df)
    shares = tuple((name, round(float(w), 6)) for name, w in zip(names, weights, strict=False) if w > 1e-6)
    dates = {"at": str(first), "until": str(last)}
    found = _found(setting, reference, end, **dates, placebos=len(null), way=way, weights=shares)
    return found, dict(zip(shop.dates[starts], map(float, errors[way]), strict=True))


def _levels(shop: Series) -> Array:
    floor = 0.5 * float(np.nanquantile(shop.outcome[shop.outcome > 0], 0.05))
    return logged(shop.outcome, floor)


def _touched(windows: tuple[Window, ...], shop: Series) -> Flags:
    """Periods of the shop inside any interruption."""
    inside = np.zeros(len(shop), dtype=bool)
    for name, first, last in windows:
        if name == shop.entity:
            inside |= (shop.dates >= first) & (shop.dates < last)
    return inside


def _donors(shop: Series, setting: _Setting, end: int) -> tuple[list[str], Array]:
    """Series over the same days that were never interrupted until then, and have no gap."""
    names, columns = [], []
    for each in (*(other for other in setting.shops if other.entity != shop.entity), *setting.others):
        at = np.searchsorted(each.dates, shop.dates[:end])
        if each.every != shop.every or not np.isin(shop.dates[:end], each.dates).all():
            continue
        level = _levels(each)[at]
        if np.isnan(level).any() or (each in setting.shops and _touched(setting.windows, each)[at].any()):
            continue
        names.append(each.entity)
        columns.append(level)
    return names, np.column_stack(columns) if columns else np.zeros((end, 0))


def _gap(shop: Series, y: Array, donors: Array, *, begin: int, length: int, way: str) -> tuple[float, Array]:
    """Mean of what came less what earlier periods led one to expect, and the donors' weights."""
    end, weights = begin + length, np.zeros(donors.shape[1])
    target = y[:end]
    # the trend is scaled by the whole span, so that it goes on as it was
    X = calendar_terms(shop.dates[:end], end, shop.every)
    if way == "other series":
        weights = simplex_weights(y[:begin], donors[:begin])
        X, target = X[:, :1], target - donors[:end] @ weights
    elif way == "level":
        weekdays = X.shape[1] - (6 if shop.every == "D" else 0)
        X = np.column_stack([X[:, :1], X[:, weekdays:]])
    beta, *_ = np.linalg.lstsq(X[:begin], target[:begin], rcond=None)
    rest = target - X @ beta
    memory = yule_walker(rest[:begin], MEMORY[shop.every])
    return float(np.mean(rest[begin:] - _carried(rest[:begin], memory, length))), weights


def _carried(rest: Array, memory: Array, length: int) -> Array:
    """What the memory of the last periods lets expect of the next ones."""
    held = list(rest[-len(memory) :])
    for _ in range(length):
        held.append(float(np.dot(memory, held[: -len(memory) - 1 : -1])))
    return np.array(held[len(memory) :])


def simplex_weights(y: Array, donors: Array) -> Array:
    """Weights ≥ 0 that sum to 1 and bring the donors, up to a constant, nearest to y (least squares).

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        The series to be followed.
    donors : numpy.ndarray, shape (n, k)
        Series to follow it with.

    Returns
    -------
    numpy.ndarray, shape (k,)

    Examples
    --------
    >>> t = np.arange(20.0)
    >>> donors = np.column_stack([np.sin(t), np.cos(t)])
    >>> simplex_weights(1 + donors @ [0.25, 0.75], donors).round(6)
    array([0.25, 0.75])
    """
    from scipy.optimize import nnls

    D, target = donors - donors.mean(axis=0), y - y.mean()
    # the sum is held to 1 by a row of great weight
    heavy = 1e4 * max(float(np.abs(D).max()), float(np.abs(target).max()), 1e-12)
    weights, _ = nnls(np.vstack([D, np.full(D.shape[1], heavy)]), np.r_[target, heavy])
    return np.asarray(weights / weights.sum())


def _found(setting: _Setting, reference: StudentT, rows: int, **told: Any) -> Interruption:
    """Lower than expected is the claim; nil is never said of a pause that somebody chose."""
    how = "what came less what was expected, placebo dates"
    effect = reference.estimate(setting.outcome, 1 - 0.05 / setting.looks, n_rows=rows, method=how)
    word: Word = "contradicted" if effect.interval.low > 0 else "inconclusive"
    word = "supported" if effect.interval.high < 0 else word
    return Interruption(effect=effect, word=word, looks=setting.looks, **told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A gap or a jump in posting that stands in the rows.

    Parameters
    ----------
    entity : str
        The shop.
    kind : {"gap", "less", "more"}
        No posts at all, or a lasting change of their number.
    at, until : str
        First day, and first day after it; of a change, eight weeks after.

    See Also
    --------
    find_pauses : Finds them.
    """

    entity: str
    kind: str
    at: str
    until: str

    @property
    def days(self) -> int:
        """Its length."""
        return _days(self.until, self.at)


def find_pauses(panel: Any, *, outcome: str = "revenue") -> tuple[Pause, ...]:
    """Find gaps in posting, and lasting changes of the number of posts.

    A gap is a run of periods without posts, at least two weeks long and three times the usual distance of posts. A
    change is a week at which the posts of the eight weeks before and after differ by a factor of two and by four standard
    errors. Revenue is not looked at.

    Parameters
    ----------
    panel : Panel or frame
        With a column posts.
    outcome : str
        Column of the outcome (its calendar is used).

    Returns
    -------
    tuple of Pause
        By shop and date.

    Raises
    ------
    ColumnError
        Without posts.

    See Also
    --------
    interruption : Judges one; give it looks=len(pauses).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rows = pd.DataFrame({"period": pd.date_range("2024-01-01", periods=60, freq="7D"), "revenue": 1.0, "posts": 3})
    >>> rows.loc[40:43, "posts"] = 0
    >>> print(find_pauses(rows))
    (Pause(entity='', kind='gap', at='2024-10-07', until='2024-11-04'),)
    """
    found: list[Pause] = []
    for shop in read_series(panel, outcome=outcome):
        if shop.posts is None:
            raise ColumnError(
                "pauses are looked for in the number of posts, and no column 'posts' is there",
                fix="add posts, the number of posts in each period (1 on days with reactions and 0 on others comes near)",
            )
        gaps = _gaps(shop, np.nan_to_num(shop.posts, nan=1.0))
        found += [*gaps, *_changes(shop, np.nan_to_num(shop.posts, nan=0.0), gaps)]
    return tuple(sorted(found, key=lambda pause: (pause.entity, pause.at)))


def _gaps(shop: Series, posts: Array) -> list[Pause]:
    step, at, found = DAYS[shop.every], 0, []
    active = np.flatnonzero(posts > 0)
    usual = float(np.median(np.diff(active))) if len(active) > 2 else math.inf
    for silent, run in itertools.groupby(posts == 0):
        length = len(list(run))
        inside = at > 0 and at + length < len(posts)
        if silent and inside and length * step >= 14 and length >= 3 * usual - (1 if step == 7 else 0):
            found.append(_pause(shop, "gap", at, at + length))
        at += length
    return found


def _changes(shop: Series, posts: Array, gaps: list[Pause]) -> list[Pause]:
    span, n = 56 // DAYS[shop.every], len(posts)
    total = np.r_[0.0, np.cumsum(posts)]
    middle = np.arange(span, n - span + 1)
    before, after = total[middle] - total[middle - span], total[middle + span] - total[middle]
    score = np.zeros(n)
    twofold = np.maximum(before, after) >= 2 * np.maximum(np.minimum(before, after), 1)
    score[middle[twofold]] = ((after - before) / np.sqrt(np.maximum(before + after, 1)))[twofold]
    found, at = [], span
    while at < n:
        best = at + int(np.argmax(np.abs(score[at : min(at + span, n)])))
        pause = _pause(shop, "more" if score[best] > 0 else "less", best, min(best + span, n))
        beside = any(pause.at < gap.until and gap.at < pause.until for gap in gaps)
        near = any(abs(_days(pause.at, end)) <= 56 for gap in gaps for end in (gap.at, gap.until))
        lasting = abs(score[best]) >= 4 and not beside and not near
        if lasting:
            found.append(pause)
        at = best + span if lasting else at + span
    return found


def _days(one: str, other: str) -> int:
    return int((np.datetime64(one) - np.datetime64(other)).astype(int))


def _pause(shop: Series, kind: str, first: int, last: int) -> Pause:
    until = shop.dates[last - 1] + np.timedelta64(DAYS[shop.every], "D")
    return Pause(entity=shop.entity, kind=kind, at=str(shop.dates[first]), until=str(until))
