"""Restricted wild cluster bootstrap and score bootstrap, with intervals by test inversion.

References
----------
Cameron, A. C., Gelbach, J. B., & Miller, D. L. (2008). Bootstrap-based improvements for inference with clustered
errors. *Review of Economics and Statistics*, 90(3), 414-427.
Kline, P., & Santos, A. (2012). A score based approach to wild bootstrap inference. *Journal of Econometric
Methods*, 1(1), 23-41.
MacKinnon, J. G., Nielsen, M. Ø., & Webb, M. D. (2023). Fast and reliable jackknife and bootstrap methods for
cluster-robust inference. *Journal of Applied Econometrics*, 38(5), 671-694.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from erresearch.errors import Count, DesignError
from erresearch.relate.scores import Scores, need_several
from erresearch.results import Interval
from erresearch.results.estimates import check_level

#: Webb's six-point weights instead of Rademacher signs up to this many clusters: 2^12 sign patterns are too few.
_WEBB_UP_TO = 12
#: Draws beyond which a level is refused.
_MOST_DRAWS = 1_000_000
#: Weights held at a time (8 bytes each).
_BLOCK = 500_000
#: Multiply-adds that OpenBLAS keeps on one thread: waking others takes longer than the product, above all beside others.
_SMALL = 200_000
#: Null values that are tried, in standard errors from the estimate.
_GRID = np.concatenate([np.arange(0.0, 8.0, 0.25), 8.0 * 1.5 ** np.arange(24)])
#: |t*| = |t| up to rounding counts as a tie, and a tie as |t*| ≥ |t|.
_TIE = 1 - 1e-10
#: What cancels to less than this share of its parts is 0: draws that repeat the data have residuals of exactly 0.
_CANCELLED = 1e-12


def cluster_weights(clusters: int, draws: int, rng: int | np.random.Generator = 0) -> np.ndarray:
    """Draw one row of auxiliary weights per bootstrap replicate.

    Rademacher signs; Webb's six points up to 12 clusters, where the signs give too few patterns.

    Parameters
    ----------
    clusters, draws : int
        Number of accounts and of replicates.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    (draws, clusters) ndarray
        Weights with mean 0 and variance 1.

    Examples
    --------
    >>> sorted(set(cluster_weights(20, 5, 0).ravel().tolist()))
    [-1.0, 1.0]
    """
    generator = np.random.default_rng(rng)
    if clusters <= _WEBB_UP_TO:
        points = np.sqrt(np.array([0.5, 1.0, 1.5]))
        return generator.choice(np.concatenate([-points, points]), size=(draws, clusters))
    return np.asarray(2.0 * generator.integers(0, 2, size=(draws, clusters), dtype=np.int8) - 1.0)


def enough_draws(level: float) -> int:
    """Replicates for an interval at `level`: 9,999, or 20/(1 − level) where that is more.

    Parameters
    ----------
    level : float
        Confidence level; beyond 0.99998 no more are given, and the interval is refused.

    Returns
    -------
    int

    Examples
    --------
    >>> enough_draws(0.95), enough_draws(0.999)
    (9999, 20000)
    """
    needed = math.ceil(20 / (1 - level) - 1e-6) if 0 < level < 1 else 0
    return max(9_999, needed) if needed <= _MOST_DRAWS else 9_999


def check_draws(draws: int, level: float) -> None:
    """Refuse draws that cannot show the tail of a level.

    Raises
    ------
    DesignError
        Below 20/(1 − level).
    """
    least = math.ceil(20 / (1 - check_level(level)) * (1 - 1e-9))
    if draws < least:
        raise DesignError(
            f"{Count(draws):bootstrap draw is} too few for an interval at {100 * level:.4g} %",
            allowed=f"at least {least:,} (20 divided by 1 − level)",
            fix="ask for more draws",
        )


@dataclass(frozen=True, slots=True, eq=False)
class WildBootstrap:
    """Reference distribution of a restricted wild cluster bootstrap, for every null value at once.

    Under the null θ = value + d the bootstrap statistic of draw b is
    (a_b + d·c_b) / √(q0_b + d·q1_b + d²·q2_b): restricted scores are affine in d, so one set of draws serves
    every level and every null.

    Parameters
    ----------
    value, se : float
        Estimate, and its CRV1 standard error without small-sample factor (it cancels in the comparison).
    numerator : (2, B) ndarray
        a and c.
    variance : (3, B) ndarray
        q0, q1, q2.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> scores = rng.normal(size=(30, 1)); scores -= scores.mean(axis=0)
    >>> model = Scores(np.array([0.3]), np.eye(1) / 300, scores, np.full((30, 1, 1), 10.0), 300, 1)
    >>> ref = wild_bootstrap(model, np.ones(1), rng=0)
    >>> ref.interval(0.95).low < 0.3 < ref.interval(0.95).high
    True
    """

    value: float
    se: float
    numerator: np.ndarray = field(repr=False)
    variance: np.ndarray = field(repr=False)

    @property
    def draws(self) -> int:
        """Number of replicates."""
        return int(self.numerator.shape[1])

    def _excess(self) -> np.ndarray:
        """Coefficients (5, B) in d/se of t*² − t² times the bootstrap variance: a quartic per draw."""
        (a, c), (q0, q1, q2) = self.numerator, self.variance * _TIE
        c, q1, q2 = c * self.se, q1 * self.se, q2 * self.se**2
        return np.stack([a * a, 2 * a * c, c * c - q0, -q1, -q2])

    def _pvalues(self, excess: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """P-values of value + steps·se; a degenerate draw (0/0) counts against the null's rejection."""
        powers = np.vander(steps, 5, increasing=True)
        beyond = sum(
            np.count_nonzero(powers @ excess[:, block] >= 0.0, axis=1)
            for block in _blocks(self.draws, powers.size)
        )
        return np.asarray((1 + beyond) / (self.draws + 1))

    def pvalue(self, null: float = 0.0) -> float:
        """Two-sided, symmetric p-value of value = null: (1 + #{|t*| ≥ |t|}) / (B + 1)."""
        if self.se <= 0 or not math.isfinite(self.se):
            return 1.0
        return float(self._pvalues(self._excess(), np.array([(null - self.value) / self.se]))[0])

    def interval(self, level: float) -> Interval:
        """All null values with a p-value above 1 − level, by inversion; unbounded where no bound was found.

        Raises
        ------
        DesignError
            If there are fewer than 20/(1 − level) draws, too few to see that tail, or `level` is none.
        """
        check_draws(self.draws, level)
        alpha = 1 - level
        if self.se <= 0 or not math.isfinite(self.se):
            return Interval(-math.inf, math.inf, level)
        excess = self._excess()
        return Interval(self._end(excess, -1.0, alpha), self._end(excess, 1.0, alpha), level)

    def _settled(self, excess: np.ndarray, start: float, stop: float) -> tuple[int, np.ndarray]:
        """Number of draws beyond the sample's statistic in all of a stretch, and the quartics (5, b) still open there.

        A quartic cannot cross 0 where its middle value exceeds half the stretch times the largest slope it can have;
        the factor leaves room for rounding.
        """
        middle, reach = (start + stop) / 2, max(abs(start), abs(stop))
        at_middle = np.vander(np.array([middle]), 5, increasing=True)[0] @ excess
        order = np.arange(1, 5)
        slope = (order * reach ** (order - 1.0)) @ np.abs(excess[1:])
        # also open: what is not a number
        settled = np.abs(at_middle) > 1.001 * abs(stop - start) / 2 * slope
        return int(np.count_nonzero(at_middle[settled] > 0)), excess[:, ~settled]

    def _end(self, excess: np.ndarray, side: float, alpha: float) -> float:
        """Outermost null on one side that is not rejected: outward on a grid, then bisection."""
        accepted = np.flatnonzero(self._pvalues(excess, side * _GRID) > alpha)
        last = int(accepted[-1]) if accepted.size else 0
        if last == len(_GRID) - 1:
            return side * math.inf
        inner, outer = float(_GRID[last]), float(_GRID[last + 1])
        decided, open_draws = self._settled(excess, side * inner, side * outer)
        for _ in range(24):
            middle = (inner + outer) / 2
            powers = np.vander(np.array([side * middle]), 5, increasing=True)
            beyond = decided + np.count_nonzero(powers @ open_draws >= 0.0)
            if (1 + beyond) / (self.draws + 1) > alpha:
                inner = middle
            else:
                outer = middle
        return self.value + side * self.se * (inner + outer) / 2


def _blocks(draws: int, each: int) -> Iterator[slice]:
    """Slices of the draws, each so short that a product of `each` numbers per draw stays in cache and on one thread."""
    length = max(64, _SMALL // each)
    return (slice(start, start + length) for start in range(0, draws, length))


def wild_bootstrap(
    model: Scores, contrast: np.ndarray, *, draws: int = 9_999, rng: int | np.random.Generator = 0
) -> WildBootstrap:
    """Restricted wild cluster bootstrap of a linear combination of the coefficients.

    The null is imposed, account scores of the restricted fit are multiplied by one weight per account, and the
    studentised statistic is formed again with the perturbed residuals (period effects are estimated again too).

    Parameters
    ----------
    model : Scores
        The fitted model.
    contrast : (k,) ndarray
        The combination a; the estimate is aᵀβ̂.
    draws : int
        Replicates; at least 20/(1 − level) for an interval at `level`.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    WildBootstrap
        Gives intervals at any level and p-values for any null.

    Raises
    ------
    DesignError
        With fewer than 2 accounts.

    References
    ----------
    Cameron, Gelbach & Miller (2008); MacKinnon, Nielsen & Webb (2023).

    Examples
    --------
    >>> scores = np.array([1.0, -2.0, 0.5, 0.5, 1.0, -1.0])[:, None]
    >>> model = Scores(np.zeros(1), np.eye(1) / 60, scores, np.full((6, 1, 1), 10.0), 60, 1)
    >>> 0.5 < wild_bootstrap(model, np.ones(1), draws=999).pvalue() <= 1
    True
    """
    return wild_bootstraps(model, contrast[None], draws=draws, rng=rng)[0]


def wild_bootstraps(
    model: Scores, contrasts: np.ndarray, *, draws: int = 9_999, rng: int | np.random.Generator = 0
) -> list[WildBootstrap]:
    """Restricted wild cluster bootstraps of several combinations, with the same weights for all.

    Equal to :func:`wild_bootstrap` of each with the same seed; weights are drawn once, in blocks of bounded size.

    Parameters
    ----------
    model : Scores
        The fitted model.
    contrasts : (m, k) ndarray
        One combination per row.
    draws : int
        Replicates.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    list of WildBootstrap
        One per combination.

    Raises
    ------
    DesignError
        With fewer than 2 accounts.

    Examples
    --------
    >>> scores = np.array([1.0, -2.0, 0.5, 0.5, 1.0, -1.0])[:, None]
    >>> model = Scores(np.zeros(1), np.eye(1) / 60, scores, np.full((6, 1, 1), 10.0), 60, 1)
    >>> one, twice = wild_bootstraps(model, np.array([[1.0], [2.0]]), draws=999)
    >>> one.pvalue() == twice.pvalue()
    True
    """
    need_several(model)
    generator = np.random.default_rng(rng)
    shared = _nuisance(model)[0]
    if model.clusters <= shared.shape[1] and model.clusters * draws <= 2 * _BLOCK:
        weights = cluster_weights(model.clusters, draws, generator)
        return [_among_few(model, contrast, weights) for contrast in contrasts]
    pieces = [_Pieces.of(model, contrast) for contrast in contrasts]
    numerators = np.empty((len(pieces), 2, draws))
    variances = np.empty((len(pieces), 3, draws))
    columns = np.hstack([shared, *(piece.columns for piece in pieces)])
    squares = np.hstack([piece.squares for piece in pieces])
    ends = np.cumsum([shared.shape[1], *(piece.columns.shape[1] for piece in pieces)])[:-1]
    block = max(64, _BLOCK // model.clusters)
    for start in range(0, draws, block):
        weights = cluster_weights(model.clusters, min(block, draws - start), generator)
        fixed, *sums = np.split(weights @ columns, ends, axis=1)
        own = np.split(weights**2 @ squares, len(pieces), axis=1)
        part = slice(start, start + len(weights))
        for i, piece in enumerate(pieces):
            numerators[i, :, part], variances[i, :, part] = piece.draw(fixed, sums[i], own[i])
    return [
        WildBootstrap(float(contrast @ model.beta), piece.se, numerator, variance)
        for contrast, piece, numerator, variance in zip(contrasts, pieces, numerators, variances, strict=True)
    ]


def _nuisance(model: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Scores of everything that is estimated again in each draw (G × (k + T)), and the inverse of their Hessian."""
    if model.periods is None:
        return model.scores, model.bread
    k, length = model.beta.size, len(model.periods.inverse)
    inverse = np.zeros((k + length, k + length))
    inverse[:k, :k], inverse[k:, k:] = model.bread, model.periods.inverse
    return np.hstack([model.scores, model.periods.residuals]), inverse


def _restricted(model: Scores, contrast: np.ndarray) -> tuple[np.ndarray, ...]:
    """Slope of the restricted scores in d; o of both parts; what a unit of each summed score moves (p)."""
    direction = model.bread @ contrast
    along = np.einsum("gij,j->gi", model.hessians, direction)
    if model.periods is not None:
        along = np.hstack([along, model.periods.cross @ direction])
    # scores under the null value + d: s_g − d·H_g·direction / (aᵀH⁻¹a)
    slope = -along / (contrast @ direction)
    first, second = model.scores @ direction, slope[:, : len(direction)] @ direction
    return slope, first, second, along @ _nuisance(model)[1]


def _among_few(model: Scores, contrast: np.ndarray, weights: np.ndarray) -> WildBootstrap:
    """The same with what each account's weight does to each other account: cheaper for few accounts."""
    slope, first, second, moves = _restricted(model, contrast)
    to_fixed, to_moving = np.diag(first) - _nuisance(model)[0] @ moves.T, np.diag(second) - slope @ moves.T
    variance = np.empty((3, len(weights)))
    for block in _blocks(len(weights), to_fixed.size):
        fixed, moving = weights[block] @ to_fixed, weights[block] @ to_moving
        pairs = ((fixed, fixed), (2 * fixed, moving), (moving, moving))
        variance[:, block] = [np.einsum("bg,bg->b", one, other) for one, other in pairs]
    variance = _without_rounding(variance, weights**2 @ first**2, weights**2 @ second**2)
    se = float(np.sqrt(np.sum(first**2)))
    return WildBootstrap(
        float(contrast @ model.beta), se, np.stack([weights @ first, weights @ second]), variance
    )


def _without_rounding(variance: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The variance's coefficients (3, b), 0 where they cancel: at far nulls their rounding errors would decide.

    A draw that repeats the data has a variance that is the same under every null. `first` and `second` are the sums of
    squares (b,) before the sample's own fit is taken out: what is left is small beside them only by rounding.
    """
    size = np.stack([first, 2 * np.sqrt(first * second), second])
    return np.where(np.abs(variance) < _CANCELLED * size, 0.0, variance)


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """Restricted scores of one combination under the null value + d: the part without d, and the slope in d.

    The bootstrap sample's own fit leaves account g with w_g·o_g − cᵀp_g, where o_g is its restricted score along
    the combination and c the summed scores: the squares are expanded, so that no draws × accounts array is needed.
    """

    columns: np.ndarray  # (G, 2 + 3(k + T)): o of both parts, scores per unit of d, o·p of both parts
    squares: np.ndarray  # (G, 3): products of the o
    gram: np.ndarray  # (k + T, k + T): Σ p pᵀ
    se: float

    @classmethod
    def of(cls, model: Scores, contrast: np.ndarray) -> _Pieces:
        slope, first, second, moves = _restricted(model, contrast)
        columns = [np.column_stack([first, second]), slope, first[:, None] * moves, second[:, None] * moves]
        squares = np.column_stack([first**2, 2 * first * second, second**2])
        return cls(np.hstack(columns), squares, moves.T @ moves, float(np.sqrt(np.sum(first**2))))

    def draw(self, fixed: np.ndarray, sums: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numerator (2, b) and variance (3, b) of the bootstrap statistic, from weighted sums over accounts."""
        moving, first, second = np.split(sums[:, 2:], 3, axis=1)

        def sides(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            return np.asarray(np.einsum("bk,bk->b", left, right))

        spread, other = fixed @ self.gram, moving @ self.gram
        back = np.stack(
            [
                sides(fixed, spread - 2 * first),
                2 * (sides(moving, spread - first) - sides(fixed, second)),
                sides(moving, other - 2 * second),
            ]
        )
        return sums[:, :2].T, _without_rounding(own.T + back, own[:, 0], own[:, 2])
