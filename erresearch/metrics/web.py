"""What the website says: returning visitors, time on site, bounces, clicks and conversions."""

from __future__ import annotations

import math
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import DataError, GuardError
from erresearch.metrics.intervals import Draws, check_level, generator, proportion
from erresearch.results import Estimate, Reference, StudentT
from erresearch.schema import Column, Rule, Table, validate

__all__ = ["bounce_rate", "click_through_rate", "conversion_rate", "returning_share", "session_duration"]

_NUMBER = Rule("0 or more", low=0)


def returning_share(sessions: Any, *, visitor: str = "visitor", level: float = 0.95) -> Estimate:
    """Share of visitors who came back at least once (M15). A visitor who comes back is not for that reason engaged.

    Parameters
    ----------
    sessions : table
        One row per session, any engine.
    visitor : str
        Column that names the visitor.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        A fraction of visitors, with Wilson's interval.

    Raises
    ------
    ColumnError, DataError
        For a missing column or a table without a named visitor.

    See Also
    --------
    session_duration : How long sessions last.

    References
    ----------
    Danish article on customer engagement, after Oberlo; its own caveat is B10.

    Examples
    --------
    >>> import pandas as pd
    >>> returning_share(pd.DataFrame({"visitor": ["a", "b", "a", "c", "a"]})).value
    0.333
    """
    rows = _door(sessions, (), visitor)
    frame = nw.from_native(sessions).lazy().select(visitor=nw.col(visitor))
    each = frame.filter(~nw.col("visitor").is_null()).group_by("visitor").agg(nw.len().alias("n"))
    back = nw.when(nw.col("n") > 1).then(nw.lit(1)).otherwise(nw.lit(0)).sum()
    row = each.select(visitors=nw.len(), back=back, rows=nw.col("n").sum()).collect()
    visitors, named = int(row["visitors"][0]), int(row["rows"][0] or 0)
    note = f"{rows - named:,} sessions without a visitor left out" if rows > named else ""
    return proportion("returning visitors", int(row["back"][0] or 0), visitors, level=level, note=note)


def session_duration(
    sessions: Any,
    *,
    seconds: str = "seconds",
    level: float = 0.95,
    draws: int = 1999,
    rng: int | np.random.Generator = 0,
) -> tuple[Estimate, Estimate]:
    """Mean and median length of a session (M16): the mean is pulled up by tabs left open, so both are given.

    Parameters
    ----------
    sessions : table
        One row per session, any engine.
    seconds : str
        Column of its length.
    level : float
        Confidence level.
    draws : int
        Resamples for the median's interval.
    rng : int or Generator
        Their seed.

    Returns
    -------
    tuple of Estimate
        Mean (Student's t) and median (bootstrap), in seconds.

    Raises
    ------
    ColumnError, DataError
        For a missing column, negative or infinite lengths, or fewer than two sessions.

    See Also
    --------
    bounce_rate : Sessions that end at once.

    References
    ----------
    Danish article on customer engagement, after Oberlo.

    Examples
    --------
    >>> import pandas as pd
    >>> mean, median = session_duration(pd.DataFrame({"seconds": [10, 20, 30, 40, 900]}))
    >>> mean.value, median.value
    (200.0, 30.0)
    """
    rows = _door(sessions, (seconds,), None)
    flat = nw.from_native(sessions).lazy().select(x=nw.col(seconds).cast(nw.Float64()))
    x = flat.filter(~(nw.col("x").is_null() | nw.col("x").is_nan())).collect()["x"].to_numpy()
    n = len(x)
    if n < 2:
        raise DataError("a mean length needs at least two sessions", got=f"{n} with a length")
    left = f"; {rows - n:,} without a length left out" if rows > n else ""
    value, se = float(np.mean(x)), float(np.std(x, ddof=1) / math.sqrt(n))
    by_t: Reference = StudentT(value, se, n - 1)
    resampled = _medians(x, draws, generator(rng))
    reference = Draws(resampled)
    mean = Estimate(
        "mean session",
        value=value,
        se=se,
        df=n - 1,
        interval=by_t.interval(check_level(level)),
        n_rows=n,
        n_accounts=0,
        unit="s",
        method=f"Student's t{left}",
        reference=by_t,
    )
    median = Estimate(
        "median session",
        value=float(np.median(x)),
        se=float(np.std(resampled, ddof=1)),
        df=math.inf,
        interval=reference.interval(level),
        n_rows=n,
        n_accounts=0,
        unit="s",
        method=f"bootstrap, {draws:,} draws{left}",
        reference=reference,
    )
    return mean, median


def _medians(x: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Medians of resamples, drawn as ranks: the middle of n uniform order statistics is Beta distributed."""
    n = len(x)
    ordered = np.sort(x)
    low, high = (n - 1) // 2, n // 2
    first = rng.beta(low + 1, n - low, draws)
    second = first if high == low else first + (1 - first) * rng.beta(1, n - high, draws)
    picks = [np.minimum((share * n).astype(int), n - 1) for share in (first, second)]
    return np.asarray((ordered[picks[0]] + ordered[picks[1]]) / 2)


def bounce_rate(
    sessions: Any, *, pages: str = "pages", by: str | None = None, level: float = 0.95
) -> Estimate:
    """Share of sessions with a single page (M17); lower is better.

    Parameters
    ----------
    sessions : table
        One row per session, any engine.
    pages : str
        Column of pages seen, 1 or more.
    by : str, optional
        Visitor column. One visitor's sessions resemble each other; with it, the interval is clustered by visitor.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        A fraction of sessions; Wilson's interval, or Student's t with clustered standard error.

    Raises
    ------
    ColumnError, DataError
        For a missing column, or sessions without a page.

    See Also
    --------
    session_duration : How long sessions last.

    References
    ----------
    Danish article on customer engagement, after Oberlo.

    Examples
    --------
    >>> import pandas as pd
    >>> bounce_rate(pd.DataFrame({"pages": [1, 1, 4, 2]})).value
    0.5
    """
    rows = _door(sessions, (pages,), by)
    value = nw.col(pages).cast(nw.Float64())
    keep = ~(value.is_null() | value.is_nan())
    if by is not None:
        keep &= ~nw.col(by).is_null()
    frame = nw.from_native(sessions).lazy().filter(keep)
    key = nw.lit("") if by is None else nw.col(by)
    single = nw.when(value == 1).then(nw.lit(1)).otherwise(nw.lit(0))
    below = nw.when(value < 1).then(nw.lit(1)).otherwise(nw.lit(0))
    flat = frame.select(key=key, single=single, below=below)
    each = (
        flat.group_by("key").agg(nw.col("single").sum(), nw.col("below").sum(), nw.len().alias("n")).collect()
    )
    hits, sizes = each["single"].to_numpy().astype(float), each["n"].to_numpy().astype(float)
    n = int(sizes.sum())
    if each["below"].to_numpy().sum():
        raise DataError(
            f"`{pages}` must be 1 or more: a session begins with a page",
            got=f"{int(each['below'].to_numpy().sum()):,} of {rows:,} rows are below",
            fix="leave out hits without a page, and say so",
        )
    note = f"{rows - n:,} sessions left out" if rows > n else ""
    if by is None or len(sizes) < 2:
        return proportion(
            "bounce rate", hits.sum(), n, level=level, accounts=len(sizes) if by else 0, note=note
        )
    rate, groups = float(hits.sum() / n), len(sizes)
    se = math.sqrt(groups / (groups - 1) * float(np.sum((hits - rate * sizes) ** 2))) / n
    reference = StudentT(rate, se, groups - 1)
    method = f"clustered by {by}, t({groups - 1}){'; ' + note if note else ''}"
    return Estimate(
        "bounce rate",
        value=rate,
        se=se,
        df=groups - 1,
        interval=reference.interval(check_level(level)),
        n_rows=n,
        n_accounts=groups,
        unit="",
        method=method,
        reference=reference,
    )


def click_through_rate(clicks: float, impressions: float, *, level: float = 0.95) -> Estimate:
    """Clicks over impressions (M20).

    Parameters
    ----------
    clicks, impressions : float
        Counts over the same posts.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        A fraction of impressions, with Wilson's interval.

    Raises
    ------
    DataError
        For negative counts, no impression, or more clicks than impressions.

    See Also
    --------
    conversion_rate : Of those who came, who bought.

    References
    ----------
    Danish article on customer engagement, after Oberlo (its 65 % is of a campaign's own page).

    Examples
    --------
    >>> click_through_rate(65, 100).value
    0.65
    """
    return proportion("click-through rate", clicks, impressions, level=level, note="of impressions")


def conversion_rate(
    conversions: float, of: float, *, action: str, base: str = "clicks", level: float = 0.95
) -> Estimate:
    """Conversions over clicks, sessions or visitors (M20), saying what was converted to.

    The example that is quoted most (33.6 %) counted people who filled out a contest form: conversion is not revenue.

    Parameters
    ----------
    conversions, of : float
        Counts over the same people.
    action : str
        What they did: "purchase", "contest form", "demo request". It is part of the name of the result.
    base : str
        What `of` counts.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        A fraction, with Wilson's interval (of some width even without any conversion).

    Raises
    ------
    GuardError
        If `action` is empty.
    DataError
        For negative counts, nobody to convert, or more conversions than people.

    See Also
    --------
    click_through_rate : Of those who saw it, who came.

    References
    ----------
    Danish article on customer engagement, after Oberlo; Mobile Marketer on the campaign behind the example.

    Examples
    --------
    >>> print(conversion_rate(336, 1000, action="contest form"))
    conversion rate (contest form): 0.3360 [0.3074, 0.3659] (95 %), 1,000 rows; Wilson; of clicks
    """
    if not action.strip():
        raise GuardError(
            "a conversion rate must say what people converted to",
            got=repr(action),
            allowed='for example action="purchase" or action="contest form"',
        )
    return proportion(f"conversion rate ({action})", conversions, of, level=level, note=f"of {base}")


def _door(sessions: Any, numbers: tuple[str, ...], visitor: str | None) -> int:
    columns = [Column(name, "", "number", _NUMBER, required=True) for name in numbers]
    columns += [Column(visitor, "", "text", required=True)] if visitor is not None else []
    return validate(sessions, Table("sessions", tuple(columns))).rows
