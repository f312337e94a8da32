"""Inference of a fitted model from its account scores and Hessians: covariances, and the wild bootstrap.

A fitted model leaves behind, per account g, its score ``s_g`` (k numbers) and its Hessian ``H_g`` (k × k). For a
linear model these are ``X_gᵀu_g`` and ``X_gᵀX_g`` and everything below is exact; for PPML and logit they are the
score and Hessian at the maximum and the same formulas are the one-step (score) versions. No row is needed again.

References
----------
Cameron, A. C., Gelbach, J. B., & Miller, D. L. (2008). Bootstrap-based improvements for inference with clustered
errors. *Review of Economics and Statistics*, 90(3), 414-427.
Carter, A. V., Schnepel, K. T., & Steigerwald, D. G. (2017). Asymptotic behavior of a t-test robust to cluster
heterogeneity. *Review of Economics and Statistics*, 99(4), 698-709.
Kline, P., & Santos, A. (2012). A score based approach to wild bootstrap inference. *Journal of Econometric
Methods*, 1(1), 23-41.
MacKinnon, J. G., Nielsen, M. Ø., & Webb, M. D. (2023). Fast and reliable jackknife and bootstrap methods for
cluster-robust inference. *Journal of Applied Econometrics*, 38(5), 671-694.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from erresearch.errors import Count, DesignError
from erresearch.results import Interval
from erresearch.results.estimates import check_level

__all__ = [
    "FEWEST_CLUSTERS",
    "FEW_CLUSTERS",
    "Periods",
    "Scores",
    "WildBootstrap",
    "crv1",
    "crv3",
    "effective_clusters",
    "wild_bootstrap",
    "wild_bootstraps",
]

#: Smallest eigenvalue of the correlation-scaled Hessian without an account below which something is not identified.
_LOST = 1e-10
#: Below this effective number of clusters the restricted bootstrap replaces CRV3 with t(G − 1).
FEW_CLUSTERS: Final = 50.0
#: Below this many accounts no interval is trusted with a decisive word.
FEWEST_CLUSTERS: Final = 6
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


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """The period effects of a model, as nuisance parameters that the accounts share.

    Parameters
    ----------
    inverse : (T, T) ndarray
        Generalised inverse of D̃ᵀD̃, the account-demeaned period dummies.
    cross : (G, T, k + 1) ndarray
        D̃_gᵀX_g per account, X swept of both effects; last that of the outcome, or D̃_gᵀu_g of a fitted model.
    counts : (G, T) ndarray
        Weight of each account in each period.
    """

    inverse: np.ndarray
    cross: np.ndarray
    counts: np.ndarray

    def without_each(self) -> Iterator[tuple[int, np.ndarray]]:
        """Solve for the period effects without each account in turn: (D̃ᵀD̃ − A_g)p = D̃_gᵀX_g.

        Yields
        ------
        int, (T, k + 1) ndarray
            An account and its solutions. Accounts seen in the same periods share one factorisation.
        """
        patterns, which = np.unique(self.counts, axis=0, return_inverse=True)
        for i, n_gt in enumerate(patterns):
            members = np.flatnonzero(which.ravel() == i)
            sides = self.cross[members].transpose(1, 0, 2)
            solved = _without_pattern(self.inverse, n_gt, sides.reshape(len(n_gt), -1))
            yield from zip(members.tolist(), solved.reshape(sides.shape).swapaxes(0, 1), strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a fitted model leaves behind for its inference.

    Parameters
    ----------
    beta : (k,) ndarray
        Estimates.
    bread : (k, k) ndarray
        Inverse of the summed Hessian.
    scores : (G, k) ndarray
        Account scores at `beta`; they sum to zero.
    hessians : (G, k, k) ndarray
        Account Hessians at `beta`.
    n_rows : int
        Complete rows.
    n_parameters : int
        Parameters that count in the small-sample factor of CRV1 (effects nested in the account do not).
    periods : Periods, optional
        Present where period effects were swept out.
    """

    beta: np.ndarray
    bread: np.ndarray
    scores: np.ndarray
    hessians: np.ndarray
    n_rows: int
    n_parameters: int
    periods: Periods | None = None

    @property
    def clusters(self) -> int:
        """Number of accounts."""
        return len(self.scores)


def few_accounts(accounts: int) -> tuple[str, ...]:
    """Why several accounts allow no decisive word; empty where they do."""
    few = 1 < accounts < FEWEST_CLUSTERS
    return (f"{Count(accounts):account}: fewer than {FEWEST_CLUSTERS} allow no decisive word",) * few


def need_several(model: Scores) -> int:
    """Number of accounts, refused below 2."""
    if model.clusters < 2:
        raise DesignError(
            "a clustered standard error needs at least 2 accounts",
            got=f"{model.clusters}",
            allowed="2 or more (6 or more for a decisive word)",
            fix="leave `by` out if rows are independent, or use `precedence` for one entity over time",
        )
    return model.clusters


def crv1(model: Scores) -> np.ndarray:
    """Sandwich covariance clustered by account, with the usual small-sample factor.

    V = c · H⁻¹ (Σ_g s_g s_gᵀ) H⁻¹, c = G/(G−1) · (n−1)/(n−k).

    It is here for comparison with other software; with few or unequal clusters its intervals are too short. n counts
    rows and k parameters; account effects count as one parameter together (they are nested in the clusters), period
    effects as one each. This is the default of pyfixest and fixest, and of statsmodels for a pooled regression.

    Parameters
    ----------
    model : Scores
        The fitted model.

    Returns
    -------
    (k, k) ndarray
        Covariance matrix.

    Raises
    ------
    DesignError
        With fewer than 2 accounts.

    Examples
    --------
    >>> one = np.ones((3, 1))
    >>> model = Scores(np.zeros(1), np.eye(1) / 3, one * [[1], [-1], [0]], one[:, :, None], 9, 1)
    >>> crv1(model).round(4)
    array([[0.3333]])
    """
    groups = need_several(model)
    influence = model.scores @ model.bread
    factor = groups / (groups - 1) * (model.n_rows - 1) / max(model.n_rows - model.n_parameters, 1)
    return np.asarray(factor * influence.T @ influence)


def _leave_one_out(model: Scores, contrasts: np.ndarray) -> np.ndarray:
    """Combinations of β̂ without account g, minus those of β̂: −(H − H_g)⁻¹ s_g (G × m), infinite where not identified."""
    total, periods = np.linalg.inv(model.bread), model.periods
    rest, scores = total - model.hessians, model.scores.copy()
    # an account with a small share of the Hessian cannot take all of any direction along
    doubtful = np.einsum("ij,gij->g", model.bread, model.hessians) > 0.5
    if periods is not None:
        doubtful[:] = True
        for g, part in periods.without_each():
            cross = periods.cross[g, :, :-1].T
            rest[g] -= cross @ part[:, :-1]
            scores[g] += cross @ part[:, -1]
    scale = np.sqrt(np.diag(total))
    rest, scores = rest / np.outer(scale, scale), scores / scale
    good = ~doubtful
    good[doubtful] = np.linalg.eigvalsh(rest[doubtful])[:, 0] > _LOST
    contrasts = contrasts / scale
    moves = np.empty((model.clusters, len(contrasts)))
    moves[good] = -np.linalg.solve(rest[good], scores[good, :, None])[:, :, 0] @ contrasts.T
    for g in np.flatnonzero(~good).tolist():
        # a column that varies in this account only leaves the model with it: the others stay identified
        values, vectors = np.linalg.eigh((rest[g] + rest[g].T) / 2)
        left = values > _LOST
        found = -contrasts @ (vectors[:, left] / values[left]) @ (vectors[:, left].T @ scores[g])
        lost = np.abs(contrasts @ vectors[:, ~left]).max(axis=1, initial=0.0)
        moves[g] = np.where(lost > 1e-6 * np.linalg.norm(contrasts, axis=1), np.inf, found)
    return moves


def _without_pattern(whole: np.ndarray, n_gt: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve (D̃ᵀD̃ − A_g)p = r for accounts seen `n_gt` times in each period; p is 0 where they are not seen.

    A_g and r live on the account's own periods S, so that with P = (D̃ᵀD̃)⁺ the equations there are
    (I − P_SS A_SS) p_S = P_SS r_S: small wherever an account is seen in few of the periods.
    """
    seen = np.flatnonzero(n_gt)
    own = np.diag(n_gt[seen]) - np.outer(n_gt[seen], n_gt[seen]) / max(n_gt.sum(), 1e-300)
    inverse = whole[np.ix_(seen, seen)]
    left, b = np.eye(len(seen)) - inverse @ own, inverse @ right[seen]
    out = np.zeros_like(right)
    try:
        out[seen] = np.linalg.solve(left, b)
        # without the account its periods may fall apart: then many solutions serve, and the shortest is the stable one
        sound = np.abs(out).max(initial=0.0) <= 1e8 * np.abs(b).max(initial=0.0)
    except np.linalg.LinAlgError:
        sound = False
    if not sound:
        out[seen] = np.linalg.lstsq(left, b, rcond=1e-10)[0]
    return out


def crv3(model: Scores, contrasts: np.ndarray | None = None) -> np.ndarray:
    """Jackknife covariance: leave out one account at a time.

    V = (G−1)/G · Σ_g (β̂₍₋g₎ − β̂)(β̂₍₋g₎ − β̂)ᵀ. Exact for linear models (period effects are estimated again
    without account g); one Newton step for PPML and logit.

    Parameters
    ----------
    model : Scores
        The fitted model.
    contrasts : (m, k) ndarray, optional
        Combinations of the coefficients, one per row; the coefficients themselves otherwise.

    Returns
    -------
    (m, m) ndarray
        Covariance matrix of the combinations. The variance of one that is not identified once some account is left
        out is infinite and its covariances are 0; the others are those of the model that is left.

    Raises
    ------
    DesignError
        With fewer than 2 accounts.

    Notes
    -----
    The jackknife's own factor (G−1)/G and nothing else, as in MacKinnon, Nielsen and Webb (2023). pyfixest multiplies
    the sum of squares by CRV1's factor instead: its variances are (G/(G−1))²·(n−1)/(n−k) times these, k as in
    :func:`crv1`.

    Examples
    --------
    >>> one = np.ones((3, 1))
    >>> model = Scores(np.zeros(1), np.eye(1) / 3, one * [[1], [-1], [0]], one[:, :, None], 9, 1)
    >>> crv3(model).round(4)
    array([[0.3333]])
    """
    groups = need_several(model)
    moves = _leave_one_out(model, np.eye(model.beta.size) if contrasts is None else contrasts)
    lost = ~np.isfinite(moves).all(axis=0)
    moves[:, lost] = 0.0
    covariance = (groups - 1) / groups * moves.T @ moves
    covariance[lost, lost] = np.inf
    return np.asarray(covariance)


def effective_clusters(model: Scores, contrast: np.ndarray) -> float:
    """Effective number of clusters for a linear combination of the coefficients.

    G* = G / (1 + Γ), Γ = mean_g (γ_g − γ̄)² / γ̄², γ_g = aᵀH⁻¹H_gH⁻¹a.

    Parameters
    ----------
    model : Scores
        The fitted model.
    contrast : (k,) ndarray
        The combination a.

    Returns
    -------
    float
        Between 1 and G; equal to G when all accounts carry the same weight.

    Examples
    --------
    >>> model = Scores(np.zeros(1), np.eye(1) / 12, np.zeros((3, 1)), np.array([10.0, 1, 1])[:, None, None], 9, 1)
    >>> round(effective_clusters(model, np.ones(1)), 3)
    1.412
    """
    direction = model.bread @ contrast
    gamma = np.einsum("i,gij,j->g", direction, model.hessians, direction)
    mean = gamma.mean()
    if mean <= 0:
        return 1.0
    return float(len(gamma) / (1 + np.mean((gamma - mean) ** 2) / mean**2))


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

    Beyond 0.99998 no more are given, and the interval is refused.

    Examples
    --------
    >>> enough_draws(0.95), enough_draws(0.999)
    (9999, 20000)
    """
    needed = math.ceil(20 / (1 - level) - 1e-6) if 0 < level < 1 else 0
    return max(9_999, needed) if needed <= _MOST_DRAWS else 9_999


def check_draws(draws: int, level: float) -> None:
    """Refuse draws that cannot show the tail of a level: fewer than 20/(1 − level)."""
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

    See Also
    --------
    wild_bootstrap : Makes it.

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

    def _end(self, excess: np.ndarray, side: float, alpha: float) -> float:
        """Outermost null on one side that is not rejected: outward on a grid, then bisection."""
        accepted = np.flatnonzero(self._pvalues(excess, side * _GRID) > alpha)
        last = int(accepted[-1]) if accepted.size else 0
        if last == len(_GRID) - 1:
            return side * math.inf
        inner, outer = float(_GRID[last]), float(_GRID[last + 1])
        for _ in range(24):
            middle = (inner + outer) / 2
            if self._pvalues(excess, np.array([side * middle]))[0] > alpha:
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
    studentised statistic is formed again with the perturbed residuals (period effects are estimated again too), as in
    Cameron, Gelbach & Miller (2008) and MacKinnon, Nielsen & Webb (2023).

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

    See Also
    --------
    wild_bootstraps : Several combinations on the same draws.

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
    """Restricted wild cluster bootstraps of several combinations, one per row, with the same weights for all.

    Equal to that of each with the same seed; weights are drawn once, in blocks of bounded size.

    See Also
    --------
    wild_bootstrap : One combination.
    """
    groups, generator = need_several(model), np.random.default_rng(rng)
    restricted = [_restricted(model, contrast) for contrast in contrasts]
    numerators, variances = np.empty((len(contrasts), 2, draws)), np.empty((len(contrasts), 3, draws))
    few = not restricted[0][-1].size
    block = draws if few and groups * draws <= 2 * _BLOCK else max(64, _BLOCK // groups)
    for start in range(0, draws, block):
        weights = cluster_weights(groups, min(block, draws - start), generator)
        for own in _blocks(len(weights), groups**2 if few else 1):
            part = slice(start + own.start, start + own.start + len(weights[own]))
            for i, pieces in enumerate(restricted):
                numerators[i, :, part], variances[i, :, part] = _draw(weights[own], pieces)
    return [
        WildBootstrap(float(contrast @ model.beta), float(np.linalg.norm(pieces[0])), numerator, variance)
        for contrast, pieces, numerator, variance in zip(
            contrasts, restricted, numerators, variances, strict=True
        )
    ]


def _restricted(model: Scores, contrast: np.ndarray) -> tuple[np.ndarray, ...]:
    """Restricted scores along the combination under its null value + d: without d, per unit of d, and sums for the draws.

    The bootstrap sample's own fit leaves account g with w_g·o_g − cᵀp_g, o_g its restricted score and c the summed
    scores. Few accounts are summed as they stand; of many the squares are expanded (the last: Σ p pᵀ), so that no
    draws × accounts array is needed.
    """
    from scipy import linalg

    # scores of everything that is estimated again in each draw (G × (k + T)), and the inverse of their Hessian
    shared, inverse, direction = model.scores, model.bread, model.bread @ contrast
    along = np.einsum("gij,j->gi", model.hessians, direction)
    if model.periods is not None:
        cross = model.periods.cross
        shared = np.hstack([shared, cross[:, :, -1]])
        along = np.hstack([along, cross[:, :, :-1] @ direction])
        inverse = linalg.block_diag(inverse, model.periods.inverse)
    # scores under the null value + d: s_g − d·H_g·direction / (aᵀH⁻¹a)
    slope, moves = -along / (contrast @ direction), along @ inverse
    first, second = model.scores @ direction, slope[:, : len(direction)] @ direction
    if len(shared) <= shared.shape[1]:
        left = np.diag(first) - shared @ moves.T, np.diag(second) - slope @ moves.T
        return first, second, np.hstack(left), np.empty((0, 0))
    columns = [shared, slope, first[:, None] * moves, second[:, None] * moves]
    return first, second, np.hstack(columns), moves.T @ moves


def _draw(weights: np.ndarray, pieces: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Numerator (2, b) and variance (3, b) of the bootstrap statistic, by powers of d."""
    first, second, columns, gram = pieces
    own = np.column_stack([first**2, 2 * first * second, second**2]).T @ (weights**2).T
    fixed, moving, *expanded = np.split(weights @ columns, 4 if gram.size else 2, axis=1)

    def sides(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("bk,bk->b", left, right))

    if expanded:
        (across, along), spread = expanded, fixed @ gram
        linear = sides(moving, spread - across) - sides(fixed, along)
        back = sides(fixed, spread - 2 * across), 2 * linear, sides(moving, moving @ gram - 2 * along)
        variance = own + np.stack(back)
    else:
        variance = np.stack([sides(fixed, fixed), 2 * sides(fixed, moving), sides(moving, moving)])
    # a draw that repeats the data has one variance under every null: at far ones its rounding would decide
    size = np.stack([own[0], 2 * np.sqrt(own[0] * own[2]), own[2]])
    variance[np.abs(variance) < _CANCELLED * size] = 0.0
    return np.stack([weights @ first, weights @ second]), variance


def without_constant(total: np.ndarray) -> np.ndarray:
    """One or many summed [[n, s], [sᵀ, C]] with the constant, or the means, taken out of the other columns."""
    sums = total[..., 0, 1:]
    return np.asarray(total[..., 1:, 1:] - sums[..., :, None] * sums[..., None, :] / total[..., :1, :1])
