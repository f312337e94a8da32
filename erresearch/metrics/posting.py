"""Which hour, weekday, format or hashtag stands out, once accounts, chance and the number of looks are allowed for."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import ColumnError, DataError, DesignError, GuardError, UnknownNameError
from erresearch.metrics.calendar import period_start
from erresearch.metrics.definitions import RateDefinition, resolve
from erresearch.metrics.intervals import check_level, generator
from erresearch.metrics.margins import Joint, cell_effects, permuted, spread
from erresearch.metrics.numerators import bottom, total
from erresearch.metrics.rates import engagement_rate
from erresearch.metrics.wording import markdown, percent
from erresearch.results import Estimate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CellEffects", "posting_effects"]

Of = Literal["hour", "weekday", "format", "hashtag"]
_COLUMN: Mapping[str, str] = {
    "hour": "published_at",
    "weekday": "published_at",
    "format": "post_type",
    "hashtag": "text",
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True, eq=False)
class CellEffects:
    """Engagement in each cell against the same account's other posts.

    Parameters
    ----------
    of : str
        What the cells are: hours, weekdays, formats, hashtags.
    definition : RateDefinition
        The rate that is compared.
    effects : mapping of str to Estimate
        Per cell the log ratio to the average (for hashtags: to posts without it); intervals hold jointly.
    shrunken : mapping of str to float
        The same, drawn towards 0 by as much as chance explains (empirical Bayes).
    posts : mapping of str to int
        Posts per cell; a post with two hashtags is in both.
    n : int
        Posts compared.
    spread : float
        Standard deviation of the true log ratios, estimated; 0 where chance explains all.
    dropped : mapping of str to int
        Posts and cells left out.
    """

    of: str
    definition: RateDefinition
    effects: Mapping[str, Estimate]
    shrunken: Mapping[str, float]
    posts: Mapping[str, int]
    n: int
    spread: float
    dropped: Mapping[str, int]

    @property
    def better(self) -> tuple[str, ...]:
        """Cells whose joint interval lies above 0, best first."""
        found = [name for name, one in self.effects.items() if one.interval.low > 0]
        return tuple(sorted(found, key=lambda name: -self.shrunken[name]))

    def to_frame(self) -> pd.DataFrame:
        """One row per cell: ratios with joint interval, shrunken ratio, joint p-value (a pandas DataFrame)."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    self.of: name,
                    "posts": self.posts[name],
                    "ratio": math.exp(one.value),
                    "low": math.exp(one.interval.low),
                    "high": math.exp(one.interval.high),
                    "shrunken": math.exp(self.shrunken[name]),
                    "pvalue": one.pvalue,
                }
                for name, one in self.effects.items()
            ]
        ).set_index(self.of)

    def __str__(self) -> str:
        """What stands out, or that nothing does."""
        first = next(iter(self.effects.values()))
        found = ", ".join(f"{name} ({percent(math.expm1(self.shrunken[name]))} more)" for name in self.better)
        said = f"above the rest: {found}" if found else "none stands out beyond chance"
        dropped = "; ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "none"
        return (
            f"{self.of}, {len(self.effects)} cells, {self.n:,} posts, {self.definition}\n{said} ({first.method})\n"
            f"left out: {dropped}\nan association: what is posted then or so may differ in other ways"
        )

    def _repr_markdown_(self) -> str:
        return markdown(str(self))


def posting_effects(
    posts: Any,
    *,
    of: Of,
    column: str | None = None,
    definition: str | RateDefinition | None = None,
    by: str = "account",
    period: str = "published_at",
    min_posts: int = 10,
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> CellEffects:
    r"""Compare hours, weekdays, formats or hashtags within accounts.

    The rate of a post is modelled as :math:`\exp(\alpha_{account, quarter} + \gamma_{cell})` by gamma pseudo maximum
    likelihood, so that an account that is big, or grows, or posts mostly at one hour, does not decide what the best
    hour is. Chance is judged by dealing the rates anew among the posts of the same account and quarter: intervals and
    p-values hold for all cells at once (largest \|t\| of every permutation), and the effects are also shown shrunken
    towards 0 by as much as chance explains. Averages per hour, as tools print them, have none of this, and name a best
    hour even where there is none.

    Parameters
    ----------
    posts : table
        One row per post, any engine; the columns needed are collected into memory.
    of : {"hour", "weekday", "format", "hashtag"}
        What to compare.
    column : str, optional
        Where it is found; `published_at`, `post_type` or `text` where nothing is said.
    definition : str or RateDefinition, optional
        A rate per post; the platforms' own reactions over followers where nothing is said.
    by, period : str
        Account and time columns.
    min_posts : int
        Cells with fewer posts are left out and counted.
    level : float
        Joint confidence level.
    draws : int
        Permutations.
    rng : int or Generator
        Seed.

    Returns
    -------
    CellEffects
        An association within accounts, never a cause.

    Raises
    ------
    GuardError
        For a rate that sums over posts, or hours where only days are known.
    DesignError
        For fewer than two cells, or cells that cannot be told from accounts.
    ColumnError, DataError, UnknownNameError
        As for :func:`engagement_rate`.

    References
    ----------
    Fisher, R. A. (1935). The Design of Experiments, on permutation.
    Westfall, P. H. & Young, S. S. (1993). Resampling-Based Multiple Testing.
    Morris, C. N. (1983). Parametric empirical Bayes inference. JASA 78.

    Examples
    --------
    >>> import pandas as pd
    >>> n = 400
    >>> table = pd.DataFrame({"account": [f"a{i % 13}" for i in range(n)], "followers": 1000,
    ...                       "published_at": pd.date_range("2024-01-01", periods=n, freq="7h"),
    ...                       "post_type": ["reel", "image"] * 200, "likes": [30, 20] * 200})
    >>> mine = RateDefinition("", "likes per follower", ("likes",), "followers", "post")
    >>> posting_effects(table, of="format", definition=mine).to_frame()["ratio"].round(2).tolist()
    [0.82, 1.22]
    """
    if of not in _COLUMN:
        raise UnknownNameError.of("comparison", of, _COLUMN)
    check_level(level)
    where = column or _COLUMN[of]
    table, rates, dropped = _collected(posts, where, definition, by, period)
    labels, members, rare = _cells(table["cell"], of, where, min_posts)
    effects: dict[str, Estimate] = {}
    counts = {label: int(members[:, i].sum()) for i, label in enumerate(labels)}
    kept = [i for i, label in enumerate(labels) if counts[label] >= min_posts]
    if rare + len(labels) > len(kept):
        dropped[f"cells with fewer than {min_posts} posts"] = rare + len(labels) - len(kept)
    if len(kept) < (1 if of == "hashtag" else 2):
        raise DesignError(
            f"there are too few cells to compare by {of}",
            got=f"{len(kept)} with {min_posts} posts or more",
            fix="lower min_posts, or bring more posts",
        )
    theta, chance = _resampled(table, members[:, kept], of, draws, generator(rng))
    with np.errstate(invalid="ignore"):
        se = chance.std(axis=0)
    if not (np.isfinite(theta).all() and np.isfinite(se).all() and (se > 0).all()):
        odd = [labels[i] for i, t, s in zip(kept, theta, se, strict=True) if not (np.isfinite(t) and s > 0)]
        raise DesignError(
            "the effect of a cell has no bounds, or cannot be told from its account",
            got=", ".join(odd),
            fix="leave out cells without a reaction, or that make up all posts of their accounts",
        )
    largest = np.sort(np.max(np.abs(chance) / se, axis=1))
    accounts = len(np.unique(table["account"]))
    level_said = f"joint {100 * level:.4g} % intervals over {len(kept)} cells"
    method = f"{level_said}, {draws:,} permutations within account and quarter"
    for i, value, error in zip(kept, theta, se, strict=True):
        reference = Joint(float(value), float(error), largest)
        effects[labels[i]] = Estimate(
            name=f"{of} {labels[i]}",
            value=float(value),
            se=float(error),
            df=math.inf,
            interval=reference.interval(level),
            n_rows=counts[labels[i]],
            n_accounts=accounts,
            unit="",
            method=method,
            reference=reference,
        )
    between = spread(theta, se)
    pull = between**2 / (between**2 + se**2)
    return CellEffects(
        of=of,
        definition=rates,
        effects=effects,
        shrunken=dict(zip(effects, (pull * theta).tolist(), strict=True)),
        posts={name: counts[name] for name in effects},
        n=len(members),
        spread=between,
        dropped=dropped,
    )


def _resampled(
    table: Mapping[str, Any], members: np.ndarray, of: str, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Log effects as they are, and under every permutation."""
    inside = np.ones(len(members), dtype=bool) if of == "hashtag" else members.any(axis=1)
    rates, block, members = table["rate"][inside], table["block"][inside], members[inside]
    _, block = np.unique(block, return_inverse=True)
    share = members.sum(axis=0) / members.sum()
    found = []
    for orders in permuted(block, draws, rng):
        dealt = rates[orders]
        if of == "hashtag":
            pairs = [cell_effects(dealt, block, tag.astype(int), 2) for tag in members.T]
            found.append(np.column_stack([pair[:, 1] - pair[:, 0] for pair in pairs]))
        else:
            logs = cell_effects(dealt, block, np.argmax(members, axis=1), members.shape[1])
            # a cell without any reaction is −inf here and refused by name by the caller
            with np.errstate(invalid="ignore"):
                found.append(logs - (logs @ share)[:, None])
    every = np.concatenate(found)
    return every[0], every[1:]


def _collected(
    posts: Any, where: str, definition: str | RateDefinition | None, by: str, period: str
) -> tuple[dict[str, Any], RateDefinition, dict[str, int]]:
    """What is needed of the posts, in memory: reactions, denominator, account, week, cell."""
    frame = nw.from_native(posts, pass_through=True)
    if not isinstance(frame, nw.DataFrame | nw.LazyFrame):
        engagement_rate(posts)
    columns = frame.collect_schema().names()
    absent = [name for name in (where, by, period) if name not in columns]
    if absent:
        raise ColumnError(
            f"No column {absent[0]!r} in the posts table",
            allowed=", ".join(map(str, columns)),
            fix="name it with column=, by= or period=",
        )
    asked = resolve(definition, None, None, None)
    if asked.per != "post":
        raise GuardError(
            "cells are compared on rates per post",
            got=str(asked),
            fix="name a rate per post: a sum over posts mixes how often with how well",
        )
    rates = engagement_rate(posts, definition=definition, by=by, period=period)
    settled = rates.definition
    flat = (
        frame.lazy()
        .filter(bottom(settled) > 0)
        .select(
            rate=total(settled) / bottom(settled),
            account=nw.col(by),
            when=nw.col(period),
            cell=nw.col(where),
        )
    )
    table = flat.filter(*(~nw.col(name).is_null() for name in ("rate", "account", "when", "cell"))).collect()
    table = table.filter(~nw.col("rate").is_nan())
    dropped = dict(rates.dropped)
    if rates.posts > len(table):
        dropped[f"without {by}, {period} or {where}"] = rates.posts - len(table)
    if not len(table):
        raise DataError(f"no post has a {where} and all that the rate needs", got=f"{rates.posts:,} posts")
    accounts = np.array([str(name) for name in table["account"].to_list()])
    quarters = table.select(q=period_start("when", "quarter"))["q"].to_list()
    return (
        {
            "rate": table["rate"].to_numpy().astype(float),
            "account": accounts,
            "block": np.array([f"{a}\x1f{q}" for a, q in zip(accounts, quarters, strict=True)]),
            "cell": table["cell"],
        },
        settled,
        dropped,
    )


def _cells(values: Any, of: str, where: str, min_posts: int) -> tuple[list[str], np.ndarray, int]:
    """Names of the cells, which post is in which, and how many cells were too rare to make."""
    if of == "hashtag":
        tags = [_hashtags(str(text)) for text in values.to_list()]
        times = Counter(tag for found in tags for tag in found)
        # rare tags are many: they are counted out before a column is made for each
        labels = sorted(tag for tag, count in times.items() if count >= min_posts)
        members = np.array([[label in found for label in labels] for found in tags], dtype=bool)
        return labels, members.reshape(len(tags), len(labels)), len(times) - len(labels)
    if of in ("hour", "weekday"):
        if not values.dtype.is_temporal():
            raise ColumnError(
                f"`{where}` must hold dates",
                got=str(values.dtype),
                fix="turn it into dates first (pandas.to_datetime)",
            )
        if of == "hour":
            hours = (
                values.dt.hour().to_numpy() if values.dtype != nw.Date else np.zeros(len(values), dtype=int)
            )
            if not hours.any():
                raise GuardError(
                    f"`{where}` holds days, not times of day",
                    got="every post at midnight",
                    fix='compare of="weekday", or export with the time',
                )
            codes, names = hours, [f"{hour:02d}:00" for hour in range(24)]
        else:
            codes, names = values.dt.weekday().to_numpy() - 1, list(_DAYS)
        used = np.unique(codes)
        return [names[code] for code in used], codes[:, None] == used[None, :], 0
    texts = np.array([str(value) for value in values.to_list()], dtype=object)
    labels = sorted(set(texts))
    return labels, texts[:, None] == np.array(labels, dtype=object)[None, :], 0


def _hashtags(text: str) -> set[str]:
    return {tag.casefold() for tag in re.findall(r"#(\w+)", unicodedata.normalize("NFKC", text))}
