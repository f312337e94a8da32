"""Mean engagement rates with intervals, and what they differ by between periods, kinds of post and accounts."""

from __future__ import annotations

import math
from datetime import date
from typing import Any, cast, get_args

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.expressions import Every, period_start, with_calendar
from erresearch.engine.sources import as_narwhals
from erresearch.errors import Count, missing_columns
from erresearch.metrics.rates import Rates
from erresearch.results import Estimate, StudentT
from erresearch.results.estimates import check_level


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
    erresearch.metrics.engagement_rate : Makes the rates.

    References
    ----------
    Bell, R. M., & McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with multi-stage
    samples. *Survey Methodology*, 28(2), 169-181.

    Examples
    --------
    >>> import pandas as pd
    >>> posts = pd.DataFrame({"account": ["a", "a", "b", "b", "c", "c"], "likes": [30, 50, 20, 30, 40, 70],
    ...     "followers": 1000, "kind": ["photo", "reel"] * 3})
    >>> from erresearch.metrics import engagement_rate
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
