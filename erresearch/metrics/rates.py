"""Engagement rates: one function for every definition, and a value that carries which one it was; shares of counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, cast, get_args

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.expressions import Every, check_every, period_start, with_calendar
from erresearch.engine.sources import as_narwhals
from erresearch.errors import ColumnError, Count, DataError, GuardError, UnknownNameError, missing_columns
from erresearch.metrics.definitions import (
    Denominator,
    Per,
    RateDefinition,
    bottom,
    resolve,
    settle,
    total,
)
from erresearch.results import Estimate, Interval, Printed, StudentT
from erresearch.results.estimates import check_level
from erresearch.results.rounding import Lined, percent
from erresearch.schema import POSTS, Rule, TableSchema, validate

_REASON = "__reason__"
_MADE = ("reactions", "posts", "rate")
_ANY_NUMBER = Rule("any number")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Rates(Lined, Printed):
    """Engagement rates with the definition that made them.

    Parameters
    ----------
    values : frame
        A table of the kind that was given (lazy where it was lazy): what names a row (account, post, time), then
        ``reactions``, the denominator, ``posts`` where rows were summed, and ``rate`` as a fraction.
    definition : RateDefinition
        What was computed.
    mean, median : float
        Over the rows of `values`, each counted once.
    n : int
        Rows of `values`.
    posts : int
        Posts that went into them.
    dropped : mapping of str to int
        Posts left out, by reason.
    notes : tuple of str
        What to know before using the number.
    by : str or None
        The account column.
    """

    values: Any
    definition: RateDefinition
    mean: float
    median: float
    n: int
    posts: int
    dropped: Mapping[str, int]
    notes: tuple[str, ...] = ()
    by: str | None = None

    def __str__(self) -> str:
        """Definition, level, counts and what was left out."""
        say = _actions if self.definition.per == "user" else percent
        unit = {"post": "post", "day": "account-day", "period": "account-period", "user": "account"}
        count = format(Count(self.n), unit[self.definition.per])
        if self.definition.per != "post":
            count += f" from {Count(self.posts):post}"
        dropped = "; ".join(f"{number:,} {reason}" for reason, number in self.dropped.items()) or "none"
        lines = [
            f"{self.definition}",
            f"mean {say(self.mean)}, median {say(self.median)}; {count}; left out: {dropped}",
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _actions(value: float) -> str:
    return f"{value:.3g} actions per user"


def engagement_rate(
    posts: Any,
    *,
    denominator: Denominator | None = None,
    reactions: Literal["all"] | str | tuple[str, ...] | None = None,
    per: Per | None = None,
    definition: str | RateDefinition | None = None,
    by: str | None = "account",
    period: str = "published_at",
    every: Every | None = None,
    zero: Literal["raise", "drop"] = "raise",
) -> Rates:
    """Compute engagement rates by any of the definitions in use, and say which one it was.

    Parameters
    ----------
    posts : frame
        One row per post, in any engine narwhals knows; lazy tables stay lazy.
    denominator : {"followers", "reach", "views", "impressions"}, optional
        What the reactions are divided by. By default followers, or the only one of the four that has a column.
    reactions : "all", a platform, or tuple of str, optional
        What is summed: every reaction column there is, one platform's set, or these columns. By default, each row is
        counted by the set of its own platform (:data:`PLATFORMS`), as far as the table has its columns; a note names
        the others.
    per : {"post", "day", "period", "user"}, optional
        Unit of analysis. *post*: each post by itself. *day* and *period*: reactions summed over the account's posts,
        divided by its mean followers, or by the sum of reach, views or impressions. *user*: actions per follower or
        per person reached over the whole table.
    definition : str or RateDefinition, optional
        A definition by name, "M01" to "M11-user"; then the three options above may fill only what it leaves open.
    by, period : str
        Account and time columns. ``by=None`` takes the table as one account.
    every : {"day", "week", "month", "quarter", "year"}, optional
        Length of a period; left out, the whole table is one period.
    zero : {"raise", "drop"}
        What to do with posts whose denominator is 0 or negative: refuse, or leave out and count.

    Returns
    -------
    Rates
        Values as fractions, with their definition; percentages appear in print only.

    Raises
    ------
    ColumnError
        A column is missing, or holds text.
    DataError
        A denominator is not positive, a count is negative or infinite, or no post is left.
    GuardError
        The request contradicts the definition it names.
    UnknownNameError
        For a definition, platform or unit in no registry.

    See Also
    --------
    compare_rates : Its interval, and differences between periods, kinds of post and accounts.
    band : Which band of the sources a rate lies in.
    percentile_in_tier : Where a rate stands among published ones.

    Notes
    -----
    A post with a missing count is left out and counted: missing is not 0. With followers the sum over a period grows
    with the number of posts, so `per="post"` and `per="period"` differ on the same posts by that factor.

    References
    ----------
    The sources of each formula are in ``DEFINITIONS[...].source``.

    Examples
    --------
    157 reactions among 5,000 followers:

    >>> import pandas as pd
    >>> one = pd.DataFrame({"account": ["shop"], "likes": [150], "comments": [7], "followers": [5000]})
    >>> print(engagement_rate(one, definition="M01"))
    M01 HubSpot and Mention: (likes + comments) / followers, per post
    mean 3.14 %, median 3.14 %; 1 post; left out: none

    Three posts in a day, 200 reactions, 10,000 followers: the same data give two rates.

    >>> day = pd.DataFrame({"account": "shop", "likes": [100, 60, 40], "followers": 10_000})
    >>> engagement_rate(day, reactions=("likes",), definition="M03").mean
    0.02
    >>> engagement_rate(day, reactions=("likes",)).mean
    0.00667
    """
    if zero not in ("raise", "drop"):
        raise UnknownNameError.of("treatment of zeros", zero, ["raise", "drop"])
    if every is not None:
        check_every(every)
    frame = as_narwhals(posts, pass_through=True)
    known = isinstance(frame, nw.DataFrame | nw.LazyFrame)
    columns = list(frame.collect_schema().names()) if known else []
    if denominator is None and definition is None:
        denominator = _only_audience(columns)
    asked = resolve(definition, denominator, reactions, per)
    if every is not None and asked.per != "period":
        raise GuardError(
            "`every` cuts time into periods, so it needs a rate per period",
            got=f"per={asked.per!r}",
            fix='use per="period", or leave `every` out',
        )
    timed = asked.per == "day" or every is not None
    others = ([by] if by is not None and asked.per != "post" else []) + ([period] if timed else [])
    _free_names(columns, others, period)
    named_now = () if asked.reactions in ((), ("all",)) else asked.reactions
    # the door before the platforms: what is no table, or has no followers, should hear that first
    rows = validate(
        posts,
        _needs(asked, named_now, others, period=period, zero=zero),
        divides=[asked.denominator] if zero == "raise" else (),
    ).rows
    if timed:
        frame = with_calendar(frame, period)
    settled = settle(asked, frame, columns)
    if settled.reactions != named_now:
        validate(posts, POSTS.only(settled.reactions))
    usable, dropped = _accounted(frame, settled, others)
    if settled.per == "post":
        free = set(columns) - {*_MADE, settled.denominator}
        names = [name for name in ("platform", by, "post_id", "post_type", period) if name in free]
        above, below = total(settled), bottom(settled)
        values = usable.select(
            *names,
            reactions=above,
            **{settled.denominator: below},
            rate=nw.when(below > 0).then(above / below),
        )
    else:
        values = _grouped(usable, settled, by, period if timed else None, every or "day")
    return _summary(values, settled, dropped, rows, by)


def compare_rates(rates: Rates, between: str | None = None, *, level: float = 0.95) -> dict[str, Estimate]:
    """Mean rate with its interval, and differences between periods, kinds of post or accounts.

    A post counts once. Posts of one account resemble each other: the error is a jackknife over accounts (CRV3) with
    Student's t of accounts − 1, where there are two or more and accounts are not what is compared; with one account, or
    between accounts, over posts.

    Parameters
    ----------
    rates : Rates
        What :func:`engagement_rate` gave.
    between : str, optional
        A column of ``rates.values`` (``"post_type"``, ``"account"``), or the length of the periods ("week", "month", …)
        that the column ``published_at`` is cut into; none for the mean alone.
    level : float
        Confidence level.

    Returns
    -------
    dict of str to Estimate
        The mean, or that of each group in their order, then each less the first one; fractions. An interval is unbounded
        where a group hangs on one account or one post alone.

    Raises
    ------
    ColumnError
        If `between` is no column.
    DesignError
        If `level` does not lie between 0 and 1.

    See Also
    --------
    engagement_rate : Makes the rates.

    References
    ----------
    Bell, R. M., & McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with multi-stage
    samples. *Survey Methodology*, 28(2), 169-181.

    Examples
    --------
    >>> import pandas as pd
    >>> posts = pd.DataFrame({"account": ["a", "a", "b", "b", "c", "c"], "likes": [30, 50, 20, 30, 40, 70],
    ...     "followers": 1000, "kind": ["photo", "reel"] * 3})
    >>> made = engagement_rate(posts, reactions=("likes",))
    >>> for name, mean in compare_rates(made).items():
    ...     print(name, mean.interval)
    mean rate [0.003, 0.077] (95 %)
    """
    check_level(level)
    frame = as_narwhals(rates.values)
    columns = list(frame.collect_schema().names())
    frame, group = _grouping(frame, columns, between)
    unit = (
        nw.lit("") if rates.by is None or rates.by == between or rates.by not in columns else nw.col(rates.by)
    )
    rate = nw.col("rate")
    sums = (
        frame.lazy()
        .select(group=group, unit=unit, rate=rate, square=rate * rate)
        .group_by("group", "unit")
        .agg(n=nw.len(), total=rate.sum(), squares=nw.col("square").sum())
        .sort("group", "unit")
        .collect()
    )
    groups, units = (list(dict.fromkeys(sums[name].to_list())) for name in ("group", "unit"))
    n, total, squares = (np.zeros((len(units), len(groups))) for _ in range(3))
    for name, who, *figures in sums.iter_rows():
        at = units.index(who), groups.index(name)
        n[at], total[at], squares[at] = figures
    means = total.sum(axis=0) / n.sum(axis=0)
    cover, df = _covariance(n, total, squares)
    names = [f"{name:%Y-%m-%d}" if isinstance(name, date) else str(name) for name in groups]
    picks = {name: np.eye(len(names))[i] for i, name in enumerate(names)}
    picks |= {f"{name} less {names[0]}": picks[name] - picks[names[0]] for name in names[1:]}
    found = {}
    for name, pick in picks.items():
        used = pick != 0
        variance = float(pick[used] @ cover[np.ix_(used, used)] @ pick[used])
        parts = np.diag(cover)[used]
        own = float(df[used].min()) if len(units) > 1 or used.sum() == 1 else welch(parts, df[used])
        known = math.isfinite(variance) and math.isfinite(own) and own > 0
        around = StudentT(
            float(pick @ means), math.sqrt(variance) if known else math.inf, own if known else 1.0
        )
        found[name] = around.estimate(
            name,
            level,
            n_rows=int(n[:, used].sum()),
            n_accounts=len(units) if len(units) > 1 else 0,
            method="mean over posts"
            + (f", jackknife over {Count(len(units)):account}" if len(units) > 1 else ""),
        )
    return found


def _grouping(frame: Any, columns: list[str], between: str | None) -> tuple[Any, Any]:
    """The rates, and the expression of the groups: periods, the values of a column, or all of them."""
    if between is None:
        return frame, nw.lit("mean rate")
    timed = between in get_args(Every) and between not in columns
    wanted = "published_at" if timed else between
    if wanted not in columns:
        raise missing_columns([wanted], columns, where="the rates")
    if not timed:
        return frame, nw.col(between)
    return with_calendar(frame, wanted), period_start(wanted, cast("Every", between))


def _covariance(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of the groups' means, by the jackknife where there are several accounts, and degrees of freedom."""
    means = total.sum(axis=0) / n.sum(axis=0)
    if len(n) > 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            moves = (total.sum(axis=0) - total) / (n.sum(axis=0) - n) - means
        return (len(n) - 1) / len(n) * (moves.T @ moves), (n > 0).sum(axis=0) - 1.0
    # a group of one post has no error that it could tell
    spread = np.where(
        n[0] > 1, np.maximum(squares[0] - n[0] * means**2, 0) / np.maximum(n[0] - 1, 1), math.nan
    )
    return np.diag(spread / n[0]), n[0] - 1


def welch(parts: np.ndarray, df: np.ndarray) -> float:
    """Degrees of freedom of a difference of two means of their own (Welch, Satterthwaite)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(parts.sum() ** 2 / np.sum(parts**2 / df))


def _only_audience(columns: list[str]) -> Denominator | None:
    """The one column that can divide, where there is just one."""
    there: list[Denominator] = [name for name in get_args(Denominator) if name in columns]
    return there[0] if len(there) == 1 else None


def _needs(
    definition: RateDefinition, summed: tuple[str, ...], others: list[str], *, period: str, zero: str
) -> TableSchema:
    """The part of the declaration that this rate needs."""
    table = POSTS.only([*summed, definition.denominator], others=others)
    columns = []
    for column in table.columns:
        changed = column
        if column.name == definition.denominator and zero == "drop":
            changed = replace(column, rule=_ANY_NUMBER)
        if column.name == period:
            changed = replace(column, dtype="time")
        columns.append(changed)
    return replace(table, columns=tuple(columns))


def _free_names(columns: list[str], others: list[str], period: str) -> None:
    clash = [name for name in others if name in (*_MADE, "period")]
    if clash:
        raise ColumnError(
            f"`{clash[0]}` cannot be the name of an account or time column here",
            got=f"the answer has a column of that name ({', '.join((*_MADE, 'period'))})",
            fix="rename it",
        )
    absent = [name for name in others if columns and name not in columns]
    if absent:
        error = missing_columns(absent, columns, where="the posts table")
        way = (
            "pass by=None to take the table as one account"
            if absent[0] != period
            else "say which with period="
        )
        raise ColumnError(error.wrong, allowed=error.allowed, fix=error.fix or way)


def _accounted(frame: Any, definition: RateDefinition, others: list[str]) -> tuple[Any, dict[str, int]]:
    """Rows that can be used, and the others counted once each by their first reason."""
    below = bottom(definition)
    reasons = {f"without {name}": nw.col(name).is_null() for name in others}
    if definition.by_platform:
        above = total(definition)
        reasons["without one of the platform's reactions"] = above.is_null() | above.is_nan()
    else:
        for name in definition.reactions:
            value = nw.col(name).cast(nw.Float64())
            reasons[f"without {name}"] = value.is_null() | value.is_nan()
    reasons[f"without {definition.denominator}"] = below.is_null() | below.is_nan()
    reasons[f"with {definition.denominator} of 0 or less"] = (below <= 0) & ~below.is_nan()
    number = nw.lit(0)
    for code, condition in reversed(list(enumerate(reasons.values(), start=1))):
        number = nw.when(condition).then(nw.lit(code)).otherwise(number)
    marked, code_of = frame.with_columns(number.alias(_REASON)), nw.col(_REASON)
    table = marked.lazy().group_by(_REASON).agg(nw.len().alias("posts")).collect()
    found = {int(code): int(n) for code, n in table.select(_REASON, "posts").iter_rows()}
    dropped = {reason: found[code] for code, reason in enumerate(reasons, start=1) if code in found}
    if not found.get(0):
        said = "; ".join(f"{count:,} {reason}" for reason, count in dropped.items())
        raise DataError(
            f"no post has all that {definition.id or 'this rate'} needs",
            got=said,
            allowed=str(definition),
            fix="choose another denominator or other reactions",
        )
    return marked.filter(code_of == 0), dropped


def _grouped(
    usable: Any, definition: RateDefinition, by: str | None, period: str | None, every: Every
) -> Any:
    """Sum reactions per account and period; followers are a stock and averaged, the rest are flows and summed."""
    keys: dict[str, Any] = {}
    if by is not None:
        # one name on two platforms is two accounts
        if "platform" in usable.collect_schema().names() and by != "platform":
            keys["platform"] = nw.col("platform")
        keys[by] = nw.col(by)
    if period is not None:
        keys["period"] = period_start(period, every)
    whole = not keys
    if whole:
        keys["account"] = nw.lit("")
    labels = {f"key{i}": name for i, name in enumerate(keys)}
    flat = usable.select(
        **{label: keys[name] for label, name in labels.items()},
        reactions=total(definition),
        below=bottom(definition),
    )
    below = nw.col("below").mean() if definition.denominator == "followers" else nw.col("below").sum()
    summed = flat.group_by(*labels).agg(nw.col("reactions").sum(), nw.len().alias("posts"), below)
    shown = {} if whole else {name: nw.col(label) for label, name in labels.items()}
    table = summed.select(
        **shown,
        reactions=nw.col("reactions"),
        **{definition.denominator: nw.col("below")},
        posts=nw.col("posts"),
        rate=nw.col("reactions") / nw.col("below"),
    )
    return table.sort(*shown) if shown else table


def _summary(
    values: Any, definition: RateDefinition, dropped: dict[str, int], rows: int, by: str | None
) -> Rates:
    rate = nw.col("rate")
    row = (
        values.lazy()
        .select(
            mean=rate.mean(),
            median=rate.median(),
            n=nw.len(),
            above=nw.when(rate > 1).then(nw.lit(1)).otherwise(nw.lit(0)).sum(),
        )
        .collect()
    )
    above, n = int(row["above"][0] or 0), int(row["n"][0])
    notes = [definition.caution] if definition.caution else []
    if definition.exposure:
        notes.append(
            f"incompatible: {' and '.join(definition.exposure)} in the numerator is exposure, not engagement; "
            "not to be compared with any other rate"
        )
    if above and definition.per != "user":
        notes.append(f"{Count(above, of=n):rate is} above 100 %: check what was exported")
    return Rates(
        values=nw.to_native(values),
        definition=definition,
        mean=float(row["mean"][0]),
        median=float(row["median"][0]),
        n=n,
        posts=rows - sum(dropped.values()),
        dropped=dropped,
        notes=tuple(notes),
        by=by,
    )


@dataclass(frozen=True, slots=True)
class Wilson:
    """Wilson's score interval of a share: never leaves 0 to 1, and has a width at 0 and at n of n.

    Parameters
    ----------
    successes, n : float
        How many of how many.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22.

    Examples
    --------
    >>> print(Wilson(0, 20).interval(0.95))
    [0, 0.161] (95 %)
    """

    successes: float
    n: float

    def interval(self, level: float) -> Interval:
        """The shares that a score test at 1 − level does not reject."""
        z, p = StudentT(0.0, 1.0, math.inf).critical(check_level(level)), self.successes / self.n
        spread = z * math.sqrt(p * (1 - p) / self.n + z * z / (4 * self.n**2))
        scale = 1 + z * z / self.n
        middle = p + z * z / (2 * self.n)
        low = 0.0 if self.successes == 0 else max(0.0, (middle - spread) / scale)
        high = 1.0 if self.successes == self.n else min(1.0, (middle + spread) / scale)
        return Interval(low, high, level)

    def pvalue(self, null: float = 0.0) -> float:
        """Two-sided score test of share = null."""
        from scipy import special

        p = self.successes / self.n
        if not 0 < null < 1:
            return 1.0 if p == null else 0.0
        return float(2 * special.ndtr(-abs(p - null) / math.sqrt(null * (1 - null) / self.n)))


def proportion(name: str, successes: float, n: float, *, level: float = 0.95) -> Estimate:
    """A share with Wilson's interval.

    Parameters
    ----------
    name : str
        What it is the share of.
    successes, n : float
        How many of how many.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        The share, a fraction.

    Raises
    ------
    DataError
        If nothing was counted, a count is negative or not finite, or there are more successes than cases.

    See Also
    --------
    erresearch.engagement_rate : Rates of posts.

    Examples
    --------
    >>> print(proportion("bounce rate", 30, 120))
    bounce rate: 0.250 [0.181, 0.334] (95 %), 120 rows; Wilson
    """
    if not (math.isfinite(n) and math.isfinite(successes) and n > 0 and 0 <= successes <= n):
        raise DataError(
            f"{name}: a share needs at least one case and no more hits than cases",
            got=f"{successes!r} of {n!r}",
            fix="check that both were counted over the same rows",
        )
    p = float(successes / n)
    around = StudentT(p, math.sqrt(p * (1 - p) / n), math.inf)
    share = around.estimate(name, level, n_rows=int(n), method="Wilson")
    return share.about(Wilson(float(successes), float(n)))
