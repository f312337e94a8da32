"""A weighted composite, never without its weights: how much the ranking owes to them, and whether the parts cohere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import ColumnError, DataError, DesignError, GuardError, UnknownNameError
from erresearch.metrics.intervals import Feldt, check_level, generator, markdown, percent
from erresearch.results import Estimate, first_smallest
from erresearch.schema import Column, Rule, Table, validate

__all__ = ["Composite", "WeightSensitivity", "composite", "cronbach_alpha", "weight_sensitivity"]

Scaling = Literal["zscore", "rank", "none"]
_NUMBER = Rule("any number")
# beyond this the matrix of ranks no longer fits a small machine
_CELLS = 20_000_000


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Composite:
    """A weighted sum of scaled columns.

    Parameters
    ----------
    scores : table
        The rows used, with a column ``composite`` added, in the kind of table that was given.
    values : (n,) ndarray
        That column.
    parts : (n, k) ndarray
        The scaled columns.
    weights : mapping of str to float
        As used: they sum to 1.
    scaling : {"zscore", "rank", "none"}
        How columns were made comparable.
    alpha : Estimate
        Cronbach's alpha of the scaled columns.
    dropped : mapping of str to int
        Rows left out.
    """

    scores: Any
    values: np.ndarray
    parts: np.ndarray
    weights: Mapping[str, float]
    scaling: Scaling
    alpha: Estimate
    dropped: Mapping[str, int]

    def __str__(self) -> str:
        """Weights, coherence and what was left out."""
        weights = " + ".join(f"{weight:.3g} {name}" for name, weight in self.weights.items())
        dropped = "; ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "none"
        return f"composite (M19) = {weights}, scaled by {self.scaling}; {self.alpha}; left out: {dropped}"

    def _repr_markdown_(self) -> str:
        return markdown(str(self))


def composite(
    table: Any, *, weights: Mapping[str, float], scaling: Scaling = "zscore", level: float = 0.95
) -> Composite:
    r"""Combine columns into one score with weights that are stated, never assumed (M19).

    .. math:: S_i = \sum_j w_j z_{ij}, \qquad w_j \ge 0, \; \sum_j w_j = 1

    The sources ask for one synthetic measure of engagement but do not print its parts; there is no right set of
    weights, so a composite is to be read together with :func:`weight_sensitivity`.

    Parameters
    ----------
    table : table
        One row per unit (account, period, person), any engine; collected into memory.
    weights : mapping of str to float
        Weight per column, 0 or more; scaled to sum to 1. Turn a column round beforehand where less is better.
    scaling : {"zscore", "rank", "none"}
        Standard scores, ranks between 0 and 1, or the columns as they are (of one unit).
    level : float
        Confidence level of alpha.

    Returns
    -------
    Composite
        Scores with their weights and Cronbach's alpha.

    Raises
    ------
    GuardError
        For no weights, negative weights, or weights that are all 0.
    ColumnError, DataError, DesignError
        For missing columns, infinite values, fewer than three complete rows or a column that does not vary.

    See Also
    --------
    weight_sensitivity : What the ranking owes to the weights.
    cronbach_alpha : Whether the parts cohere.

    References
    ----------
    Advertising Research Foundation and WFA on customer engagement, in the Russian compilation.
    OECD & JRC (2008). Handbook on Constructing Composite Indicators.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"likes": [1, 2, 3, 4], "comments": [0, 2, 1, 5]})
    >>> composite(table, weights={"likes": 1, "comments": 3}).weights["comments"]
    0.75
    """
    if scaling not in ("zscore", "rank", "none"):
        raise UnknownNameError.of("scaling", scaling, ["zscore", "rank", "none"])
    used = _weights(weights)
    frame, matrix, dropped = _matrix(table, tuple(used))
    parts = _scaled(matrix, scaling)
    values = parts @ np.array(list(used.values()))
    if "composite" in frame.columns:
        raise ColumnError(
            "the table already has a column `composite`", fix="rename it: the answer adds one of that name"
        )
    added = nw.new_series("composite", values, dtype=nw.Float64(), backend=frame.implementation)
    if frame.implementation.is_pandas_like():
        added = nw.from_native(nw.to_native(added).set_axis(nw.to_native(frame).index), series_only=True)
    scores = nw.to_native(frame.with_columns(added))
    alpha = _alpha(parts, level)
    return Composite(
        scores=scores, values=values, parts=parts, weights=used, scaling=scaling, alpha=alpha, dropped=dropped
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WeightSensitivity:
    """What a composite's ranking owes to its weights.

    Parameters
    ----------
    agreement : (draws,) ndarray
        Spearman correlation between the ranking by the stated weights and by each random set.
    low_rank, high_rank : (n,) ndarray
        Per unit the 5th and 95th percentile of its rank (1 is best) over the random sets.
    stated_rank : (n,) ndarray
        Its rank by the stated weights.
    first_stays : float
        Share of random sets under which the unit ranked first stays first.
    draws : int
        Random sets of weights.
    """

    agreement: np.ndarray
    low_rank: np.ndarray
    high_rank: np.ndarray
    stated_rank: np.ndarray
    first_stays: float
    draws: int

    def __str__(self) -> str:
        """How far the ranking can be pushed."""
        low, middle = np.quantile(self.agreement, [0.05, 0.5])
        width = float(np.median(self.high_rank - self.low_rank))
        return (
            f"{self.draws:,} random sets of weights: rank agreement with the stated ones {middle:.2f} in the middle, "
            f"{low:.2f} at the 5th percentile; the first stays first in {percent(self.first_stays)}; "
            f"the middle unit's rank moves over {width:.0f} places of {len(self.stated_rank):,}"
        )

    def _repr_markdown_(self) -> str:
        return markdown(str(self))


def weight_sensitivity(
    scored: Composite, *, draws: int = 2000, rng: int | np.random.Generator = 0
) -> WeightSensitivity:
    """Rank the units again under weights drawn evenly from all there can be.

    Parameters
    ----------
    scored : Composite
        From :func:`composite`.
    draws : int
        Sets of weights, uniform on the simplex (Dirichlet with all parameters 1).
    rng : int or Generator
        Seed.

    Returns
    -------
    WeightSensitivity
        Agreement of rankings, and the range of ranks of each unit.

    Raises
    ------
    DesignError
        For one column only, where weights do nothing, or no draws.
    GuardError
        For more units × draws than fit in memory.

    See Also
    --------
    composite : The score itself.

    References
    ----------
    Saisana, M., Saltelli, A. & Tarantola, S. (2005). Uncertainty and sensitivity analysis techniques as tools for
    the quality assessment of composite indicators. JRSS-A 168.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"likes": [1, 2, 3, 4], "comments": [0, 2, 3, 5]})
    >>> weight_sensitivity(composite(table, weights={"likes": 1, "comments": 1})).first_stays
    1.0
    """
    n, k = scored.parts.shape
    if k < 2 or draws < 1:
        raise DesignError(
            "weights can be varied only over two or more columns", got=f"{k} columns, {draws} draws"
        )
    if n * draws > _CELLS:
        raise GuardError(
            "too many ranks to hold",
            got=f"{n:,} units × {draws:,} draws",
            allowed=f"{_CELLS:,}",
            fix="sum to one row per account first, or lower `draws`",
        )
    random = generator(rng).dirichlet(np.ones(k), size=draws)
    stated = _ranks(scored.values[:, None])[:, 0]
    ranks = _ranks(scored.parts @ random.T)
    centred = ranks - ranks.mean(axis=0)
    own = stated - stated.mean()
    spread = np.sqrt((centred**2).sum(axis=0) * (own**2).sum())
    agreement = np.divide(own @ centred, spread, out=np.zeros(draws), where=spread > 0)
    low, high = np.quantile(ranks, [0.05, 0.95], axis=1)
    first = first_smallest(stated)
    stays = float(np.mean(ranks[first] == ranks.min(axis=0)))
    return WeightSensitivity(
        agreement=agreement, low_rank=low, high_rank=high, stated_rank=stated, first_stays=stays, draws=draws
    )


def cronbach_alpha(table: Any, *, columns: tuple[str, ...], level: float = 0.95) -> Estimate:
    r"""Cronbach's alpha: whether the columns move together enough to be summed.

    .. math:: \alpha = \frac{k}{k-1} \left(1 - \frac{\sum_j s_j^2}{s_T^2}\right)

    Parameters
    ----------
    table : table
        One row per unit; rows with a missing part are left out and counted in the method.
    columns : tuple of str
        The parts, all pointing the same way and of one unit (scale them first otherwise).
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        With Feldt's interval; the standard error is Bonett's.

    Raises
    ------
    ColumnError, DataError, DesignError
        For missing columns, fewer than two columns or three complete rows, or a column that does not vary.

    See Also
    --------
    composite : The score itself.

    References
    ----------
    Cronbach, L. J. (1951). Coefficient alpha and the internal structure of tests. Psychometrika 16.
    Bonett, D. G. (2002). Sample size requirements for testing and estimating coefficient alpha. JEBS 27.

    Examples
    --------
    >>> import pandas as pd
    >>> cronbach_alpha(pd.DataFrame({"a": [1, 2, 3, 4, 5], "b": [2, 2, 4, 4, 5]}), columns=("a", "b")).value
    0.9638
    """
    _, matrix, dropped = _matrix(table, tuple(columns))
    return _alpha(
        matrix, level, note="".join(f"; {count:,} {why} left out" for why, count in dropped.items())
    )


def _weights(weights: Mapping[str, float]) -> Mapping[str, float]:
    bad = {name: weight for name, weight in weights.items() if not (math.isfinite(weight) and weight >= 0)}
    total = math.fsum(weights.values()) if not bad else math.nan
    if bad or not weights or total == 0:
        raise GuardError(
            "a composite needs weights of 0 or more, at least one above 0",
            got=repr(bad or dict(weights)),
            fix="state a weight per column; turn a column round where less is better",
        )
    return MappingProxyType({name: weight / total for name, weight in weights.items()})


def _matrix(table: Any, columns: tuple[str, ...]) -> tuple[Any, np.ndarray, dict[str, int]]:
    """Complete rows in memory, as a frame and as numbers."""
    declared = tuple(Column(name, "", "number", _NUMBER, required=True) for name in dict.fromkeys(columns))
    rows = validate(table, Table("composite's", declared)).rows
    frame = nw.from_native(table)
    complete = nw.lit(True)
    for name in columns:
        value = nw.col(name).cast(nw.Float64())
        complete &= ~(value.is_null() | value.is_nan())
    kept = frame.filter(complete)
    if isinstance(kept, nw.LazyFrame):
        kept = kept.collect()
    if len(kept) < 3:
        raise DataError("at least three complete rows are needed", got=f"{len(kept)} of {rows:,}")
    matrix = np.column_stack([kept[name].cast(nw.Float64()).to_numpy() for name in columns])
    flat = [name for name, spread in zip(columns, np.ptp(matrix, axis=0), strict=True) if spread == 0]
    if flat:
        raise DesignError(
            "a column that does not vary says nothing about its rows",
            got=", ".join(f"`{name}`" for name in flat),
            fix="leave it out",
        )
    dropped = {"without all parts": rows - len(kept)} if rows > len(kept) else {}
    return kept, matrix, dropped


def _scaled(matrix: np.ndarray, scaling: Scaling) -> np.ndarray:
    if scaling == "none":
        return matrix
    if scaling == "zscore":
        return np.asarray((matrix - matrix.mean(axis=0)) / matrix.std(axis=0, ddof=1))
    from scipy import stats

    return np.asarray((stats.rankdata(matrix, axis=0) - 1) / (len(matrix) - 1))


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Ranks down each column, 1 for the highest, ties shared."""
    from scipy import stats

    # equal scores must tie whatever the rounding of the sums behind them
    size = np.abs(scores).max(axis=0, keepdims=True)
    scaled = np.divide(scores, size, out=np.zeros_like(scores), where=size > 0)
    return np.asarray(stats.rankdata(-np.round(scaled, 10), axis=0, method="average"))


def _alpha(matrix: np.ndarray, level: float, note: str = "") -> Estimate:
    n, k = matrix.shape
    name = "Cronbach's alpha"
    if k < 2:
        raise DesignError(f"{name} needs at least two columns", got=str(k), fix="one column is no composite")
    total = float(np.var(matrix.sum(axis=1), ddof=1))
    if total == 0:
        raise DesignError("the columns cancel out: their sum does not vary", fix="turn one of them round")
    value = k / (k - 1) * (1 - float(np.var(matrix, axis=0, ddof=1).sum()) / total)
    reference = Feldt(value, n, k)
    se = (1 - value) * math.sqrt(2 * k / ((k - 1) * (n - 2)))
    return Estimate(
        name,
        value=value,
        se=se,
        df=math.inf,
        interval=reference.interval(check_level(level)),
        n_rows=n,
        n_accounts=0,
        unit="",
        method=f"{k} columns, Feldt{note}",
        reference=reference,
    )
