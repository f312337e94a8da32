"""Which hour, weekday, format or hashtag stands out, once accounts, chance and the number of looks are allowed for."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.periods import period_start
from erresearch.errors import ColumnError, DataError, DesignError, GuardError, UnknownNameError
from erresearch.metrics.definitions import RateDefinition, bottom, resolve, total
from erresearch.metrics.intervals import check_level, generator, markdown, percent
from erresearch.metrics.rates import engagement_rate
from erresearch.results import Estimate, Interval, at_least, ranked

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CellEffects", "Joint", "cell_effects", "permuted", "posting_effects", "spread"]

_STEPS = 500
_CLOSE = 1e-7
# block × cell × permutation numbers held at once
_HELD = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """Reference distribution of one of many effects: the largest |t| of all of them under permutation.

    Parameters
    ----------
    value, se : float
        The effect and its standard deviation under permutation.
    largest : (permutations,) ndarray
        Largest |t| of each permutation.

    Examples
    --------
    >>> Joint(3.0, 1.0, np.linspace(0, 2, 999)).pvalue()
    0.001
    """

    value: float
    se: float
    largest: np.ndarray

    def critical(self, level: float) -> float:
        """Quantile of the largest |t|."""
        return float(np.quantile(self.largest, check_level(level)))

    def interval(self, level: float) -> Interval:
        """Value ± critical·se: holds for all effects at once."""
        half = self.critical(level) * self.se
        return Interval(self.value - half, self.value + half, level)

    def pvalue(self, null: float = 0.0) -> float:
        """Share of permutations whose largest |t| is as large: adjusted for the number of effects."""
        beyond = int(np.count_nonzero(at_least(self.largest, abs(self.value - null) / self.se)))
        return (beyond + 1) / (len(self.largest) + 1)


def permuted(block: np.ndarray, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row orders that keep every post in its block, a few hundred at a time; the first is the order as it is.

    Parameters
    ----------
    block : (n,) ndarray of int
        Block of each post.
    draws : int
        Permutations.
    rng : Generator
        Source of chance.

    Yields
    ------
    (m, n) ndarray of int
        Orders.
    """
    n = len(block)
    home = np.argsort(block, kind="stable")
    yield np.arange(n)[None, :]
    chunk = max(1, _HELD // max(1, n))
    for start in range(0, draws, chunk):
        m = min(chunk, draws - start)
        # sorting by block, then by a random number, deals the posts of each block anew
        shuffled = np.lexsort((rng.random((m, n)), np.broadcast_to(block, (m, n))), axis=-1)
        orders = np.empty((m, n), dtype=np.int64)
        orders[:, home] = shuffled
        yield orders


def cell_effects(rates: np.ndarray, block: np.ndarray, code: np.ndarray, cells: int) -> np.ndarray:
    r"""Log cell effects of :math:`\exp(\alpha_{block} + \gamma_{cell})`, the first cell's set to 0.

    Gamma pseudo maximum likelihood: each margin in turn is set to the mean of the rates over the other's fit. Every
    post weighs the same whatever the size of its account, and a rate of 0 is a rate.

    Parameters
    ----------
    rates : (m, n) ndarray
        Rates of n posts, in m orders.
    block, code : (n,) ndarray of int
        Block and cell of each post.
    cells : int
        Number of cells.

    Returns
    -------
    (m, cells) ndarray
        Log effects; −inf for a cell without any reaction.

    Raises
    ------
    DesignError
        If some cells share no block with the others, even through a chain.

    Examples
    --------
    >>> rates = np.array([[1.0, 2.0, 10.0, 20.0]])
    >>> np.exp(cell_effects(rates, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), 2)).round(3).tolist()
    [[1.0, 2.0]]
    """
    _connected(block, code, cells)
    blocks = int(block.max()) + 1
    index = block * cells + code
    posts = np.bincount(index, minlength=blocks * cells).reshape(blocks, cells).astype(float)
    in_block, in_cell = posts.sum(axis=1), posts.sum(axis=0)
    answers = []
    step = max(1, _HELD // (blocks * cells))
    for start in range(0, len(rates), step):
        part = rates[start : start + step]
        flat = (np.arange(len(part))[:, None] * blocks * cells + index).ravel()
        sums = np.bincount(flat, part.ravel(), len(part) * blocks * cells).reshape(len(part), blocks, cells)
        answers.append(_alternate(sums, in_block, in_cell))
    return np.concatenate(answers)


def _alternate(sums: np.ndarray, in_block: np.ndarray, in_cell: np.ndarray) -> np.ndarray:
    cell = np.ones((len(sums), len(in_cell)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(_STEPS):
            share = np.where(cell > 0, 1 / cell, 0.0)
            level = np.einsum("mbc,mc->mb", sums, share) / in_block
            new = np.einsum("mbc,mb->mc", sums, np.where(level > 0, 1 / level, 0.0)) / in_cell
            first = np.where(new[:, :1] > 0, new[:, :1], 1.0)
            new /= first
            moved = np.max(np.abs(new - cell) / np.where(cell > 0, cell, 1.0))
            cell = new
            if moved < _CLOSE:
                break
        return np.log(cell)


def _connected(block: np.ndarray, code: np.ndarray, cells: int) -> None:
    """Refuse cells that no chain of blocks compares with each other."""
    from scipy import sparse
    from scipy.sparse import csgraph

    blocks = int(block.max()) + 1
    edges = sparse.coo_matrix(
        (np.ones(len(code)), (block, blocks + code)), shape=(blocks + cells, blocks + cells)
    )
    _, part = csgraph.connected_components(edges, directed=False)
    parts = len(np.unique(part[blocks:]))
    if parts > 1:
        raise DesignError(
            "some cells never occur in the same account and quarter, so the two cannot be told apart",
            got=f"{parts} groups of cells without an account in common",
            fix="compare only cells that the same accounts used",
        )


def spread(theta: np.ndarray, se: np.ndarray) -> float:
    """DerSimonian and Laird's estimate of the spread of true effects about 0.

    Examples
    --------
    >>> spread(np.array([0.1, -0.1]), np.array([0.2, 0.2]))
    0.0
    """
    weights = 1 / se**2
    excess = float(np.sum(weights * theta**2)) - len(theta)
    return math.sqrt(max(0.0, excess / float(np.sum(weights))))


Of = Literal["hour", "weekday", "format", "hashtag"]
_COLUMN: Mapping[str, str] = {
    "hour": "published_at",
    "weekday": "published_at",
    "format": "post_type",
    "hashtag": "text",
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
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
        return tuple(ranked(found, lambda name: self.shrunken[name]))

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

    See Also
    --------
    unusual_posts : Single posts that are out of the ordinary.
    erresearch.metrics.engagement_rate : The rate that is compared.

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
