"""Growth of followers, reach or views with honest errors, and posts that are out of the ordinary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import DataError, DesignError, GuardError
from erresearch.metrics.definitions import RateDefinition, rate_expression, resolve
from erresearch.metrics.intervals import check_level, markdown, percent
from erresearch.metrics.rates import engagement_rate
from erresearch.results import Estimate, StudentT
from erresearch.schema import POSTS, Column, Table, validate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Growth", "Unusual", "growth_rates", "unusual_posts"]

_DAYS = 30.0
_LEAST = 8
_MAD = 1.4826
# the MAD of n normal values varies as the standard deviation of 0.37 n would
_EFFICIENCY = 0.37


@dataclass(frozen=True, slots=True)
class Growth:
    """Growth per 30 days of each account.

    Parameters
    ----------
    of : str
        What grows.
    estimates : mapping of str to Estimate
        Log growth per 30 days per account, intervals joint over the accounts.
    dropped : mapping of str to int
        Rows and accounts left out.
    """

    of: str
    estimates: Mapping[str, Estimate]
    dropped: Mapping[str, int]

    def to_frame(self) -> pd.DataFrame:
        """One row per account: growth as a share per 30 days with its interval (a pandas DataFrame)."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "account": name,
                    "growth": math.expm1(one.value),
                    "low": math.expm1(one.interval.low),
                    "high": math.expm1(one.interval.high),
                    "days": one.n_rows,
                }
                for name, one in self.estimates.items()
            ]
        ).set_index("account")

    def __str__(self) -> str:
        """One line per account."""
        lines = [
            f"{name}: {self.of} {percent(math.expm1(one.value))} per 30 days, "
            f"{percent(math.expm1(one.interval.low))} to {percent(math.expm1(one.interval.high))}"
            for name, one in self.estimates.items()
        ]
        dropped = "; ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "none"
        return "\n".join([*lines, f"left out: {dropped}"])

    def _repr_markdown_(self) -> str:
        return markdown(str(self))


def growth_rates(
    table: Any,
    *,
    of: str = "followers",
    by: str = "account",
    period: str = "published_at",
    level: float = 0.95,
) -> Growth:
    r"""Growth of an account's followers (or reach, or views): the slope of the log over time, HAC errors.

    Days follow one another, so the usual standard error of a trend is far too small; Newey and West's allows for it.
    Intervals hold for all accounts at once (Bonferroni).

    Parameters
    ----------
    table : table
        Posts or daily rows, any engine; the columns needed are collected. Several rows of one day are averaged.
    of : str
        Column, above 0.
    by, period : str
        Account and time columns.
    level : float
        Joint confidence level.

    Returns
    -------
    Growth
        Per account the log growth per 30 days.

    Raises
    ------
    ColumnError, DataError
        For missing columns, values of 0 or less, or no account with at least 8 days.

    See Also
    --------
    unusual_posts : Posts that are out of the ordinary.

    References
    ----------
    Newey, W. K. & West, K. D. (1987). A simple, positive semi-definite, heteroskedasticity and autocorrelation
    consistent covariance matrix. Econometrica 55.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.DataFrame({"account": "a", "published_at": pd.date_range("2024-01-01", periods=61),
    ...                      "followers": [1000 * 1.1 ** (i / 30) for i in range(61)]})
    >>> float(growth_rates(days).to_frame().loc["a", "growth"])
    0.1
    """
    import statsmodels.api as sm

    check_level(level)
    columns = (
        POSTS.only([of]).columns[0],
        Column(by, "", "text", required=True),
        Column(period, "", "time", required=True),
    )
    rows = validate(table, Table("posts", columns), divides=[of]).rows
    value = nw.col(of).cast(nw.Float64())
    flat = nw.from_native(table).lazy().select(a=nw.col(by), t=nw.col(period).dt.truncate("1d"), y=value)
    kept = flat.filter(*(~nw.col(name).is_null() for name in "aty")).filter(~nw.col("y").is_nan())
    daily = kept.group_by("a", "t").agg(nw.col("y").mean(), nw.len().alias("n")).collect().sort("a", "t")
    names = np.array([str(name) for name in daily["a"].to_list()])
    days = np.array([np.datetime64(moment, "D") for moment in _plain(daily["t"].to_list())]).astype(float)
    logs = np.log(daily["y"].to_numpy().astype(float))
    used = int(daily["n"].to_numpy().sum())
    accounts = [name for name in np.unique(names) if (names == name).sum() >= _LEAST]
    short = len(np.unique(names)) - len(accounts)
    if not accounts:
        raise DataError(
            f"no account has {of} on at least {_LEAST} days",
            got=f"{short} accounts",
            fix="bring a longer period",
        )
    estimates = {}
    for name in accounts:
        here = names == name
        t = (days[here] - days[here].mean()) / _DAYS
        n = int(here.sum())
        lags = max(1, math.floor(4 * (n / 100) ** (2 / 9)))
        fit = sm.OLS(logs[here], sm.add_constant(t)).fit(
            cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}
        )
        reference = StudentT(float(fit.params[1]), float(fit.bse[1]), n - 2)
        joint = 1 - (1 - level) / len(accounts)
        estimates[str(name)] = Estimate(
            name=f"growth of {of}, {name}",
            value=reference.value,
            se=reference.se,
            df=n - 2,
            interval=reference.interval(joint),
            n_rows=n,
            n_accounts=1,
            unit="log per 30 days",
            method=f"OLS, HAC with {lags} lags, joint level {100 * level:.4g} % over {len(accounts)} accounts",
            reference=reference,
        )
    dropped = {
        "rows without account, day or value": rows - used,
        f"accounts with fewer than {_LEAST} days": short,
    }
    return Growth(of, estimates, {reason: count for reason, count in dropped.items() if count})


def _plain(moments: list[Any]) -> list[Any]:
    """Moments without their zone: their day is the day on the account's own clock."""
    return [moment.replace(tzinfo=None) if getattr(moment, "tzinfo", None) else moment for moment in moments]


@dataclass(frozen=True, slots=True)
class Unusual:
    """Posts out of the ordinary for their account.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per post and reason: row (counted from 0), account, reason, value, usual, distance.
    posts : int
        Posts looked at.
    threshold : float
        Distance, in robust standard deviations, beyond which a post of a large account is listed; small ones need more.
    dropped : mapping of str to int
        Posts that could not be looked at.
    """

    table: pd.DataFrame
    posts: int
    threshold: float
    dropped: Mapping[str, int]

    def __str__(self) -> str:
        """How many, and what that is not."""
        counts = self.table["reason"].value_counts().sort_index()
        found = ", ".join(f"{count:,} {reason}" for reason, count in counts.items()) or "none"
        dropped = "; ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "none"
        return (
            f"unusual among {self.posts:,} posts: {found} "
            f"(beyond {self.threshold:.2g} robust deviations, more in small accounts)\n"
            f"unusual is no proof of anything: a prize draw, a mention by others or an error in the export look alike\n"
            f"left out: {dropped}"
        )

    def _repr_markdown_(self) -> str:
        return markdown(str(self))


def unusual_posts(
    posts: Any,
    *,
    definition: str | RateDefinition | None = None,
    by: str = "account",
    period: str = "published_at",
    level: float = 0.95,
) -> Unusual:
    r"""List posts that are out of the ordinary for their account: by rate, by comments per like, by followers' jump.

    Each figure is compared on the log scale with the account's own median, in robust standard deviations (1.4826 MAD).
    The threshold is such that, with `level`, no ordinary post of the whole table would be listed: a Student quantile with
    0.37 n degrees of freedom, since the MAD of n posts is known no better than that.
    Logs of rates have longer tails than the normal, so some ordinary posts will be.

    Parameters
    ----------
    posts : table
        One row per post, any engine; collected into memory. Accounts with fewer than 8 posts are not looked at.
    definition : str or RateDefinition, optional
        A rate per post.
    by, period : str
        Account and time columns.
    level : float
        Level at which a table of ordinary posts is left alone.

    Returns
    -------
    Unusual
        What is unusual and how far; never who or what is behind it.

    Raises
    ------
    GuardError
        For a rate that sums over posts.
    DesignError
        If no account has 8 posts.
    ColumnError, DataError, UnknownNameError
        As for :func:`engagement_rate`.

    See Also
    --------
    growth_rates : The trend of an account.
    erresearch.metrics.engagement_rate : The rate that is compared.

    References
    ----------
    Iglewicz, B. & Hoaglin, D. C. (1993). How to Detect and Handle Outliers.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"account": "a", "published_at": pd.date_range("2024-01-01", periods=20),
    ...                       "followers": 1000, "likes": [20, 22, 19, 21] * 4 + [20, 21, 22, 900], "comments": 2})
    >>> unusual_posts(table, definition="M01").table[["row", "reason"]].values.tolist()
    [[19, 'comments per like'], [19, 'rate']]
    """
    from scipy import special

    check_level(level)
    asked = resolve(definition, None, None, None)
    if asked.per != "post":
        raise GuardError("posts are compared on rates per post", got=str(asked), fix="name a rate per post")
    frame = nw.from_native(posts, pass_through=True)
    if not isinstance(frame, nw.DataFrame | nw.LazyFrame):
        engagement_rate(posts)
    columns = (Column(by, "", "text", required=True), Column(period, "", "time", required=True))
    validate(posts, Table("posts", columns))
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    rates = engagement_rate(nw.to_native(eager), definition=definition, by=by, period=period, zero="drop")
    value = eager.select(rate=rate_expression(rates.definition))["rate"].to_numpy().astype(float)
    account = np.array([str(name) for name in eager[by].to_list()])
    figures = {"rate": value}
    names = eager.columns
    if {"likes", "comments"} <= set(names):
        figures["comments per like"] = _ratio(_floats(eager, "comments"), _floats(eager, "likes"))
    if "followers" in names:
        figures["followers' jump"] = _jumps(_floats(eager, "followers"), account, eager[period].to_list())
    enough = [name for name in np.unique(account) if (account == name).sum() >= _LEAST]
    if not enough:
        raise DesignError(
            f"no account has {_LEAST} posts to tell what is usual", got=f"{len(value):,} posts in all"
        )
    looked = int(np.isin(account, enough).sum())
    tail = (1 - level) / (2 * looked * len(figures))
    found = [
        one
        for reason, figure in figures.items()
        for name in enough
        for one in _beyond(figure, account == name, tail, (str(name), reason))
    ]
    dropped = dict(rates.dropped)
    if looked < len(value):
        dropped[f"in accounts with fewer than {_LEAST} posts"] = len(value) - looked
    return Unusual(_listed(found), looked, float(special.ndtri(1 - tail)), dropped)


def _floats(frame: Any, name: str) -> np.ndarray:
    return np.asarray(frame[name].cast(nw.Float64()).to_numpy(), dtype=float)


def _ratio(top: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(below > 0, top / below, np.nan))


def _jumps(followers: np.ndarray, account: np.ndarray, moments: list[Any]) -> np.ndarray:
    """Followers over those at the account's post before, scaled to a day's step (√time for a wandering count)."""
    jump = np.full(len(followers), np.nan)
    known = np.array([moment is not None and moment == moment for moment in moments])  # noqa: PLR0124
    for name in np.unique(account):
        here = np.flatnonzero((account == name) & known)
        here = here[np.argsort([moments[i] for i in here], kind="stable")]
        gaps = [(moments[b] - moments[a]).total_seconds() / 86_400 for a, b in pairwise(here)]
        ratio = _ratio(followers[here[1:]], followers[here[:-1]])
        jump[here[1:]] = np.where(ratio > 0, ratio, np.nan) ** (1 / np.sqrt(np.maximum(gaps, 1.0)))
    return jump


def _beyond(
    figure: np.ndarray, here: np.ndarray, tail: float, label: tuple[str, str]
) -> list[dict[str, object]]:
    """Rows of one account whose log figure is far from its median."""
    from scipy import special

    name, reason = label
    rows = np.flatnonzero(here & (figure > 0))
    if len(rows) < _LEAST:
        return []
    logs = np.log(figure[rows])
    middle = float(np.median(logs))
    scale = _MAD * float(np.median(np.abs(logs - middle)))
    if scale == 0:
        # more than half of the posts are equal: any smaller step would make every other post unusual
        scale = float(np.mean(np.abs(logs - middle))) * math.sqrt(math.pi / 2)
    if scale == 0:
        return []
    distance = (logs - middle) / scale
    threshold = float(special.stdtrit(_EFFICIENCY * len(rows), 1 - tail))
    return [
        {
            "row": int(row),
            "account": name,
            "reason": reason,
            "value": float(figure[row]),
            "usual": math.exp(middle),
            "distance": float(far),
        }
        for row, far in zip(rows, distance, strict=True)
        if abs(far) > threshold
    ]


def _listed(found: list[dict[str, object]]) -> pd.DataFrame:
    import pandas as pd

    columns = ["row", "account", "reason", "value", "usual", "distance"]
    return pd.DataFrame(found, columns=columns).sort_values(["row", "reason"], ignore_index=True)
