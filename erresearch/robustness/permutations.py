"""What would the slope be if x had nothing to do with the week? Blocks of x, shuffled within each account."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from erresearch.engine.group_keys import as_text, sort_periods, sort_text
from erresearch.engine.moments import Moments
from erresearch.errors import ColumnError, DesignError
from erresearch.relate.design import Effect, open_moments
from erresearch.results import Permutation, at_least

__all__ = ["permutation"]

_SWEEPS = 10_000


def permutation(
    data: Any,
    outcome: Any,
    x: Any,
    *,
    by: str | None,
    period: str,
    controls: Sequence[Any] = (),
    effects: tuple[Effect, ...] = ("account",),
    block: int | None = None,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Permutation:
    """Compare a slope with the slopes of shuffled weeks.

    Effects and controls are taken out of both columns; what is left of x is cut, in each account, into blocks of
    consecutive periods from a random start (the calendar closed to a ring), the blocks are put in random order, and
    the studentised slope Σx̃ỹ/√Σ_g(Σ_t x̃e)² is computed again. Blocks keep the memory of a series; shuffling single
    weeks would call two unrelated trends significant.

    Parameters
    ----------
    data : frame, path or Moments
        Rows; moments only with their rows.
    outcome, x : str or narwhals expression
        The two columns.
    by : str or None
        The account; None for one series.
    period : str
        The time column.
    controls : sequence of str or narwhals expressions
        Taken out of both columns first.
    effects : tuple
        ``()``, ``("account",)`` or ``("account", "period")``, taken out of both columns first.
    block : int, optional
        Periods that stay together; by default the root of the mean length of a series.
    draws : int
        Shuffles.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    Permutation
        Slope, statistic, those of the shuffles, p-value.

    Raises
    ------
    DesignError
        If the series are shorter than two blocks, nothing is left to shuffle, there are fewer than 99 draws, or the
        moments are weighted.
    ColumnError
        If the moments have no rows.

    See Also
    --------
    erresearch.regress : The estimate with its interval.

    References
    ----------
    Kennedy, P. E. (1995). Randomization tests in econometrics. *Journal of Business & Economic Statistics*, 13(1),
    85-94.
    DiCiccio, C. J., & Romano, J. P. (2017). Robust permutation tests for correlation and regression coefficients.
    *Journal of the American Statistical Association*, 112(519), 1211-1220.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"shop": np.repeat(list("abcdef"), 60), "week": np.tile(np.arange(60), 6)})
    >>> table["talk"], table["noise"] = rng.normal(size=360), rng.normal(size=360)
    >>> table["sales"] = 0.5 * table.talk + rng.normal(size=360)
    >>> permutation(table, "sales", "talk", by="shop", period="week").pvalue
    0.001
    >>> permutation(table, "sales", "noise", by="shop", period="week").pvalue > 0.05
    True
    """
    if draws < 99:
        raise DesignError(
            f"{draws} shuffles are too few for a p-value", allowed="99 or more", fix="ask for 999"
        )
    columns = [x, *controls, outcome]
    if isinstance(data, Moments):
        moments = open_moments(data, columns, by=by, period=period if data.period is not None else None)
    else:
        moments = Moments.from_frame(data, columns, by=by, period=period)
    values, account, time = _rows(moments)
    starts = np.flatnonzero(np.r_[True, account[1:] != account[:-1]])
    sizes = np.diff(np.r_[starts, len(account)])
    length = float(sizes.mean())
    block = max(2, round(math.sqrt(length))) if block is None else block
    if block < 1 or length < 2 * block:
        raise DesignError(
            f"series of {length:.4g} periods cannot be shuffled in blocks of {block}",
            allowed="blocks of 1 to half the length of a series",
            fix="use longer series or a smaller `block`",
        )
    left = _without_effects(values, account, time, effects)
    own, other = _without_controls(left, moments.columns)
    sizes_of_x = np.add.reduceat(own**2, starts)
    generator = np.random.default_rng(rng)
    products = np.empty((draws + 1, len(starts)))
    for g, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        mine, theirs = own[start : start + size], other[start : start + size]
        products[0, g] = mine @ theirs
        products[1:, g] = mine[_shuffled(int(size), block, draws, generator)] @ theirs
    slopes = products.sum(axis=1) / sizes_of_x.sum()
    statistics = products.sum(axis=1)
    if len(starts) > 1:
        spread = np.sqrt(np.sum((products - slopes[:, None] * sizes_of_x) ** 2, axis=1))
        statistics = statistics / np.where(spread > 0, spread, np.inf)
    sizes_of_t = np.abs(statistics)
    beyond = np.count_nonzero(at_least(sizes_of_t[1:], sizes_of_t[0]))
    return Permutation(
        outcome=moments.columns[-1],
        x=moments.columns[0],
        value=float(slopes[0]),
        statistic=float(statistics[0]),
        draws=statistics[1:],
        pvalue=float((1 + beyond) / (1 + draws)),
        block=block,
        n_rows=moments.rows,
        n_accounts=moments.accounts,
        dropped=moments.dropped,
    )


def _rows(moments: Moments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns (n, k) by account and time, with their account and period numbers."""
    if moments.weights is not None:
        raise DesignError(
            "shuffled weeks take no weights",
            got=f"moments with weights={moments.weights!r}",
            fix="make the moments without weights",
        )
    if moments.source is None or moments.source.period is None:
        raise ColumnError(
            "shuffling weeks needs rows and their time",
            got="moments without their rows" if moments.source is None else "moments without a period",
            fix="pass the rows, with `period`",
        )
    table = moments.source.collect(moments.columns)
    # names may repeat a column's own: places do not
    k = len(moments.columns)
    values = np.column_stack([table.to_series(i).to_numpy() for i in range(k)])
    account = np.zeros(len(values), dtype=np.int64)
    if moments.source.account is not None:
        account = sort_text(as_text(table.to_series(k)))[1]
    time = sort_periods(as_text(table.to_series(table.width - 1 - (moments.source.weight is not None))))[1]
    order = np.lexsort((time, account))
    return values[order], account[order], time[order]


def _without_effects(
    values: np.ndarray, account: np.ndarray, time: np.ndarray, effects: tuple[Effect, ...]
) -> np.ndarray:
    if effects not in ((), ("account",), ("account", "period")):
        raise DesignError(
            "these effects are not served",
            got=repr(effects),
            allowed="(), ('account',), ('account', 'period')",
        )
    if not effects:
        return np.asarray(values - values.mean(axis=0))
    labels = [account] if effects == ("account",) else [time, account]
    scale = np.maximum(values.std(axis=0), 1e-300)
    left = np.asarray(values - values.mean(axis=0))
    for _ in range(_SWEEPS):
        moved = 0.0
        for label in labels:
            counts = np.bincount(label)
            for j in range(left.shape[1]):
                means = np.bincount(label, left[:, j]) / np.maximum(counts, 1)
                left[:, j] -= means[label]
                moved = max(moved, float(np.abs(means).max() / scale[j]))
        if moved < 1e-11 or len(labels) == 1:
            break
    return left


def _without_controls(left: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """What is left of x and of the outcome beside the controls."""
    own, controls, other = left[:, 0], left[:, 1:-1], left[:, -1]
    if controls.shape[1]:
        slopes = np.linalg.lstsq(controls, left[:, [0, -1]], rcond=None)[0]
        own, other = (left[:, [0, -1]] - controls @ slopes).T
    for name, before, after in ((names[0], left[:, 0], own), (names[-1], left[:, -1], other)):
        if not after @ after > 1e-18 * max(float(before @ before), 1e-300):
            raise DesignError(
                f"no variation is left in {name!r} once effects and controls are taken out",
                fix="leave a control or an effect out",
            )
    return own, other


def _shuffled(size: int, block: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """One order of a series' rows per draw (draws, size)."""
    place = (np.arange(size) + rng.integers(0, size, size=(draws, 1))) % size
    blocks = -(-size // block)
    rank = np.argsort(rng.random((draws, blocks)), axis=1)
    key = np.take_along_axis(rank, place // block, axis=1) * size + place
    return np.asarray(np.argsort(key, axis=1))
