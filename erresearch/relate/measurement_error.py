"""How much of x is signal, from its own autocovariances or from several counts of the same thing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from erresearch.errors import DesignError
from erresearch.relate.design import sweep
from erresearch.relate.lags import open_panel
from erresearch.results import Reliability, StudentT
from erresearch.results.estimates import Source

#: One-sided level of the lower bound.
LEVEL: Final = 0.9


def reliability(
    panel: Any, counts: Sequence[Any], *, by: str, time: str, controls: Sequence[Any] = ()
) -> Reliability:
    """Reliability of the first of several counts of one thing whose errors are their own.

    With C the covariance of the counts after account and period effects and the controls are taken out, two counts
    give C₁₂/√(C₁₁C₂₂), the reliability if both are equally good; three or more give the mean over pairs (j, k) of
    C₁ⱼC₁ₖ/(CⱼₖC₁₁), which needs no such assumption. The bound is a jackknife over accounts on the logarithm.

    Counts that share an error do not show it: comments are a share of all engagement, and bots like and comment
    together. Two tools that count the same posts, or two platforms, do.

    Parameters
    ----------
    panel : frame or path
        One row per account and period.
    counts : sequence of str or narwhals expressions
        Two or more, the one in question first, for example ``[er.log("likes"), er.log("clicks")]``.
    by, time : str
        Account and period.
    controls : sequence of str or narwhals expressions
        What the model holds fixed.

    Returns
    -------
    Reliability
        Of the first count; unknown where the counts do not clearly go together.

    Raises
    ------
    DesignError
        With fewer than two counts or fewer than 3 accounts.

    See Also
    --------
    erresearch.robustness.attenuation : What noise may have taken from a number.

    References
    ----------
    Jöreskog, K. G. (1971). Statistical analysis of sets of congeneric tests. *Psychometrika*, 36(2), 109-133.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> true = rng.normal(size=(20, 50))
    >>> table = pd.DataFrame({"shop": np.repeat(np.arange(20), 50), "week": np.tile(np.arange(50), 20)})
    >>> for name in "abc":
    ...     table[name] = (true + 0.5 * rng.normal(size=true.shape)).ravel()
    >>> found = reliability(table, ["a", "b", "c"], by="shop", time="week")
    >>> 0.7 < found.low < found.value < 0.9
    True
    """
    if len(counts) < 2:
        raise DesignError(
            "one count alone cannot say how good it is",
            got=f"{len(counts)}",
            allowed="two or more counts of the same thing",
            fix="declare the reliability instead",
        )
    rows = open_panel(panel, [*counts, *controls], by=by, time=time)
    if rows.accounts < 3:
        raise DesignError(
            "the bound of a reliability needs several accounts",
            got=f"{rows.accounts}",
            allowed="3 or more",
            fix="declare the reliability instead",
        )
    moments = rows.moments([(i, 0) for i in range(len(rows.names))])
    grams = sweep(moments[[rows.label(i, 0) for i in range(len(rows.names))]], ("account", "period")).grams
    first = len(counts)

    def ratio(total: np.ndarray) -> tuple[float, float]:
        c = _partial(total, first)
        if first == 2:
            return c[0, 1] / math.sqrt(c[0, 0] * c[1, 1]), c[0, 1]
        pairs = [(j, k) for j in range(1, first) for k in range(j + 1, first)]
        shares = [c[0, j] * c[0, k] / (c[j, k] * c[0, 0]) for j, k in pairs]
        return float(np.mean(shares)), float(min(c[j, k] for j in range(first) for k in range(j)))

    return _bounded(ratio, grams, "counts")


def from_autocovariances(grams: np.ndarray) -> Reliability:
    """λ = γ₁²/(γ₀γ₂) of x from swept cross-products of x, its two lags and what the model holds.

    Where the true series is about AR(1) and its error has no memory, γ₀ holds the error and γ₁, γ₂ do not:
    γ₁²/γ₂ is the variance of the signal. A signal that itself has no memory looks unreliable by this, and γ₂ that is
    not clearly above 0 gives no answer: both withhold a *practically nil*, which is the safe side.

    Parameters
    ----------
    grams : (U, 3 + q, 3 + q) ndarray
        Per account, effects taken out: x now, one and two periods before, then the q columns that are held fixed.

    Returns
    -------
    Reliability

    References
    ----------
    Griliches, Z., & Hausman, J. A. (1986). Errors in variables in panel data. *Journal of Econometrics*, 31(1),
    93-118.

    Examples
    --------
    >>> whole = np.array([[4.0, 1.0, 0.5], [1.0, 4.0, 1.0], [0.5, 1.0, 4.0]])
    >>> from_autocovariances(np.stack([whole] * 5)).value
    0.5
    """
    return _bounded(_signal, grams, "autocovariances")


def of_series(x: np.ndarray, covariance: Callable[[np.ndarray], tuple[np.ndarray, int]]) -> Reliability:
    """The same of one entity: x now, one and two periods before (T × 3), all that the model holds taken out.

    Parameters
    ----------
    x : (T, 3) ndarray
        Residuals.
    covariance : callable
        Long-run covariance of the mean of a (T, m) array, and its degrees of freedom.
    """
    total = x.T @ x
    value, clear = _signal(total)
    if not (value > 0 and clear > 0):
        return Reliability(math.nan, math.nan, "autocovariances", LEVEL)
    g0, g1, g2 = _three(total)
    pairs = np.column_stack([(x**2).mean(axis=1), x[:, 1] * (x[:, 0] + x[:, 2]) / 2, x[:, 0] * x[:, 2]])
    steps = len(x) * pairs
    moves = np.column_stack(
        [2 * steps[:, 1] / g1 - steps[:, 0] / g0 - steps[:, 2] / g2, steps[:, 2] / g2 - 1]
    )
    spread, df = covariance(moves - moves.mean(axis=0))
    floor = StudentT(1.0, math.sqrt(max(float(spread[1, 1]), 0.0)), df)
    return _clipped(value, float(spread[0, 0]), floor=floor, source="autocovariances")


def _three(total: np.ndarray) -> tuple[float, float, float]:
    c = _partial(total, 3)
    return float(np.trace(c)) / 3, float(c[0, 1] + c[1, 2]) / 2, float(c[0, 2])


def _signal(total: np.ndarray) -> tuple[float, float]:
    """λ, and γ₂ that must be clearly above 0."""
    g0, g1, g2 = _three(total)
    return (g1 * g1 / (g0 * g2) if g0 > 0 and g1 > 0 and g2 > 0 else math.nan), g2


def _partial(total: np.ndarray, first: int) -> np.ndarray:
    """Cross-products of the first columns, the others taken out; columns that do not vary take nothing."""
    if len(total) == first:
        return total
    held, cross = total[first:, first:], total[first:, :first]
    return np.asarray(
        total[:first, :first] - cross.T @ np.linalg.pinv(held, rcond=1e-10, hermitian=True) @ cross
    )


def _bounded(
    ratio: Callable[[np.ndarray], tuple[float, float]], grams: np.ndarray, source: Source
) -> Reliability:
    """The ratio with a jackknife over accounts: of its logarithm, and of the covariance that it divides by."""
    total, units = grams.sum(axis=0), len(grams)
    value, clear = ratio(total)
    without = np.array([ratio(total - one) for one in grams])
    if units < 2 or not value > 0 or not (without[:, 0] > 0).all():
        return Reliability(math.nan, math.nan, source, LEVEL)
    factor = (units - 1) / units
    logs = np.log(without[:, 0] / value)
    # the sums shrink by one account each time, which the mean of all takes out
    spread = factor * float(np.sum((logs - logs.mean()) ** 2))
    wide = factor * float(np.sum((without[:, 1] - without[:, 1].mean()) ** 2))
    floor = StudentT(clear, math.sqrt(max(wide, 0.0)) * units / (units - 1), units - 1)
    return _clipped(value, spread, floor=floor, source=source)


def _clipped(value: float, spread: float, *, floor: StudentT, source: Source) -> Reliability:
    """Lower bound of exp(log value), 1 at most; unknown where what it divides by is not clearly above 0."""
    side = 2 * LEVEL - 1
    if not floor.interval(side).low > 0:
        return Reliability(math.nan, math.nan, source, LEVEL)
    low = value * math.exp(StudentT(0.0, math.sqrt(max(spread, 0.0)), floor.df).interval(side).low)
    return Reliability(min(value, 1.0), min(max(low, 1e-6), 1.0), source, LEVEL)
