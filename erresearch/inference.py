"""Intervals for few clusters, from account scores alone.

A fitted model leaves behind, per account g, its score ``s_g`` (k numbers) and its Hessian ``H_g`` (k × k). For a
linear model these are ``X_gᵀu_g`` and ``X_gᵀX_g`` and everything below is exact; for PPML and logit they are the
score and Hessian at the maximum and the same formulas are the one-step (score) versions. No row is needed again.

References
----------
Carter, A. V., Schnepel, K. T., & Steigerwald, D. G. (2017). Asymptotic behavior of a t-test robust to cluster
heterogeneity. *Review of Economics and Statistics*, 99(4), 698-709.
Cameron, A. C., Gelbach, J. B., & Miller, D. L. (2008). Bootstrap-based improvements for inference with clustered
errors. *Review of Economics and Statistics*, 90(3), 414-427.
Kline, P., & Santos, A. (2012). A score based approach to wild bootstrap inference. *Journal of Econometric
Methods*, 1(1), 23-41.
MacKinnon, J. G., Nielsen, M. Ø., & Webb, M. D. (2023). Fast and reliable jackknife and bootstrap methods for
cluster-robust inference. *Journal of Applied Econometrics*, 38(5), 671-694.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from erresearch.errors import DesignError
from erresearch.results import Interval

__all__ = [
    "FEW_CLUSTERS",
    "Periods",
    "Scores",
    "WildBootstrap",
    "cluster_weights",
    "crv1",
    "crv3",
    "effective_clusters",
    "score_bootstrap",
    "wild_bootstrap",
]

#: Below this effective number of clusters the restricted bootstrap replaces CRV3 with t(G − 1).
FEW_CLUSTERS = 50.0
#: Webb's six-point weights instead of Rademacher signs up to this many clusters: 2^12 sign patterns are too few.
_WEBB_UP_TO = 12


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """The period effects of a model, as nuisance parameters that the accounts share.

    Parameters
    ----------
    inverse : (T, T) ndarray
        Generalised inverse of D̃ᵀD̃, the account-demeaned period dummies.
    gram : (T, T) ndarray
        D̃ᵀD̃ itself.
    cross : (G, T, k) ndarray
        D̃_gᵀX_g per account, X already swept of both effects.
    residuals : (G, T) ndarray
        D̃_gᵀu_g per account.
    counts : (G, T) ndarray
        Weight of each account in each period.
    """

    inverse: np.ndarray
    gram: np.ndarray
    cross: np.ndarray
    residuals: np.ndarray
    counts: np.ndarray


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


def _several(model: Scores) -> int:
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

    It is here for comparison with other software; with few or unequal clusters its intervals are too short.

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
    groups = _several(model)
    influence = model.scores @ model.bread
    factor = groups / (groups - 1) * (model.n_rows - 1) / max(model.n_rows - model.n_parameters, 1)
    return np.asarray(factor * influence.T @ influence)


def _leave_one_out(model: Scores) -> np.ndarray:
    """β̂ without account g, minus β̂: −(H − H_g)⁻¹ s_g (G × k), infinite where it is not identified."""
    total = np.linalg.inv(model.bread)
    moves = np.full_like(model.scores, np.inf)
    scale = np.sqrt(np.diag(total))
    outer = np.outer(scale, scale)
    periods = model.periods
    if periods is None:
        rest = (total - model.hessians) / outer
        good = np.linalg.eigvalsh(rest)[:, 0] > 1e-10
        if good.any():
            moves[good] = (
                -np.linalg.solve(rest[good], (model.scores[good] / scale)[:, :, None])[:, :, 0] / scale
            )
        return moves
    k, length = model.beta.size, len(periods.gram)
    constant = np.trace(periods.gram) / length**2  # D̃ has the constant in its null space: fill it once
    # accounts seen in the same periods share one factorisation
    patterns, which = np.unique(periods.counts, axis=0, return_inverse=True)
    for i, n_gt in enumerate(patterns):
        members = np.flatnonzero(which.ravel() == i)
        own = np.diag(n_gt) - np.outer(n_gt, n_gt) / max(n_gt.sum(), 1e-300)
        rest_d = periods.gram - own + constant
        right = np.concatenate([-periods.cross[members], periods.residuals[members][:, :, None]], axis=2)
        flat = right.transpose(1, 0, 2).reshape(length, -1)
        try:
            solved = np.linalg.solve(rest_d, flat)
        except np.linalg.LinAlgError:
            solved = np.linalg.lstsq(rest_d, flat, rcond=None)[0]
        for g, part in zip(members, solved.reshape(length, len(members), k + 1).swapaxes(0, 1), strict=True):
            cross = periods.cross[g]
            schur = (total - model.hessians[g] + cross.T @ part[:, :k]) / outer
            if np.linalg.eigvalsh(schur)[0] > 1e-10:
                moves[g] = -np.linalg.solve(schur, (model.scores[g] + cross.T @ part[:, k]) / scale) / scale
    return moves


def crv3(model: Scores) -> np.ndarray:
    """Jackknife covariance: leave out one account at a time.

    V = (G−1)/G · Σ_g (β̂₍₋g₎ − β̂)(β̂₍₋g₎ − β̂)ᵀ. Exact for linear models (period effects are estimated again
    without account g); one Newton step for PPML and logit.

    Parameters
    ----------
    model : Scores
        The fitted model.

    Returns
    -------
    (k, k) ndarray
        Covariance matrix; infinite where leaving an account out loses a coefficient.

    Raises
    ------
    DesignError
        With fewer than 2 accounts.

    Examples
    --------
    >>> one = np.ones((3, 1))
    >>> model = Scores(np.zeros(1), np.eye(1) / 3, one * [[1], [-1], [0]], one[:, :, None], 9, 1)
    >>> crv3(model).round(4)
    array([[0.3333]])
    """
    groups = _several(model)
    moves = _leave_one_out(model)
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
    return 2.0 * generator.integers(0, 2, size=(draws, clusters), dtype=np.int8) - 1.0


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

    def pvalue(self, null: float = 0.0) -> float:
        """Two-sided, symmetric p-value of value = null: (1 + #{|t*| ≥ |t|}) / (B + 1)."""
        if self.se <= 0 or not math.isfinite(self.se):
            return 1.0
        shift = null - self.value
        top = self.numerator[0] + shift * self.numerator[1]
        spread = self.variance[0] + shift * (self.variance[1] + shift * self.variance[2])
        # t*² ≥ t² without dividing: a degenerate draw (0/0) counts against the null's rejection
        beyond = top**2 >= (shift / self.se) ** 2 * np.maximum(spread, 0.0) * (1 - 1e-12)
        return float((1 + np.count_nonzero(beyond)) / (self.draws + 1))

    def critical(self, level: float) -> float:
        """Mean half width of the interval in standard errors."""
        ends = self.interval(level)
        return (ends.high - ends.low) / (2 * self.se)

    def interval(self, level: float) -> Interval:
        """All null values with a p-value above 1 − level, by inversion; unbounded where no bound was found.

        Raises
        ------
        DesignError
            If there are fewer than 20/(1 − level) draws, too few to see that tail.
        """
        alpha = 1 - level
        if self.draws < 20 / alpha * (1 - 1e-9):
            raise DesignError(
                f"{self.draws:,} bootstrap draws are too few for an interval at {100 * level:.4g} %",
                allowed=f"at least {math.ceil(20 / alpha):,} (20 divided by 1 − level)",
                fix="ask for more draws",
            )
        if self.se <= 0 or not math.isfinite(self.se):
            return Interval(-math.inf, math.inf, level)
        polynomial = self._polynomial()
        return Interval(self._end(-1.0, alpha, polynomial), self._end(1.0, alpha, polynomial), level)

    def _polynomial(self) -> np.ndarray:
        """Coefficients (5, B) in the shift d of (a + d·c)² − d²/se²·(q0 + d·q1 + d²·q2): 0 or more where t*² ≥ t²."""
        (a, c), spread = self.numerator, self.variance * ((1 - 1e-12) / self.se**2)
        return np.stack([a * a, 2 * a * c, c * c - spread[0], -spread[1], -spread[2]])

    def _end(self, side: float, alpha: float, polynomial: np.ndarray) -> float:
        """Outermost null on one side that is not rejected: outward on a grid, then bisection."""

        def accepted(steps: np.ndarray) -> np.ndarray:
            beyond = np.vander(side * steps, 5, increasing=True) @ polynomial >= 0
            return np.asarray((1 + np.count_nonzero(beyond, axis=1)) / (self.draws + 1) > alpha)

        grid = self.se * np.concatenate([np.arange(0.0, 8.0, 0.25), 8.0 * 1.5 ** np.arange(0, 24)])
        last = int(np.flatnonzero(accepted(grid)).max(initial=0))
        if last == len(grid) - 1:
            return side * math.inf
        inner, outer = float(grid[last]), float(grid[last + 1])
        for _ in range(28):
            middle = (inner + outer) / 2
            if accepted(np.array([middle]))[0]:
                inner = middle
            else:
                outer = middle
        return self.value + side * (inner + outer) / 2


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
    _several(model)
    direction = model.bread @ contrast
    weights = cluster_weights(model.clusters, draws, rng)
    # scores under the null value + d: s_g − d·H_g·direction / (aᵀH⁻¹a)
    slope = -np.einsum("gij,j->gi", model.hessians, direction) / (contrast @ direction)
    projected = np.einsum("gij,j,ik->gk", model.hessians, direction, model.bread)  # aᵀH⁻¹H_gH⁻¹
    few = model.clusters <= 500  # then every account's effect on every other is cheaper than on each draw
    parts = []
    numerators = []
    for pieces, period_part in zip(
        (model.scores, slope), _period_scores(model, direction, contrast), strict=True
    ):
        own = pieces @ direction
        felt = [(pieces, projected)]
        if period_part is not None and model.periods is not None:
            felt.append((period_part, (model.periods.cross @ direction) @ model.periods.inverse))
        if few:
            perturbed = weights @ (np.diag(own) - sum(piece @ on.T for piece, on in felt))
        else:
            perturbed = weights * own - sum((weights @ piece) @ on.T for piece, on in felt)
        parts.append(perturbed)
        numerators.append(weights @ own)
    fixed, moving = parts
    variance = np.stack(
        [
            np.einsum("bg,bg->b", fixed, fixed),
            2 * np.einsum("bg,bg->b", fixed, moving),
            np.einsum("bg,bg->b", moving, moving),
        ]
    )
    se = float(np.sqrt(np.sum((model.scores @ direction) ** 2)))
    return WildBootstrap(float(contrast @ model.beta), se, np.stack(numerators), variance)


def _period_scores(
    model: Scores, direction: np.ndarray, contrast: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    if model.periods is None:
        return None, None
    slope = -(model.periods.cross @ direction) / (contrast @ direction)
    return model.periods.residuals, slope


def score_bootstrap(
    model: Scores, contrast: np.ndarray, *, draws: int = 9_999, rng: int | np.random.Generator = 0
) -> WildBootstrap:
    """Restricted score bootstrap for PPML and logit: the wild bootstrap on one-step scores.

    The scores of the restricted fit are reached from the unrestricted ones by one Newton step, s_g − H_g(β̃ − β̂),
    so that no pass over the rows is needed for any null value.

    Parameters
    ----------
    model : Scores
        Scores and Hessians at the maximum.
    contrast : (k,) ndarray
        The combination to be tested.
    draws : int
        Replicates.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    WildBootstrap
        Gives intervals at any level and p-values for any null.

    References
    ----------
    Kline & Santos (2012).

    Examples
    --------
    >>> scores = np.array([1.0, -2.0, 0.5, 0.5, 1.0, -1.0])[:, None]
    >>> model = Scores(np.zeros(1), np.eye(1) / 60, scores, np.full((6, 1, 1), 10.0), 60, 1)
    >>> score_bootstrap(model, np.ones(1), draws=999).draws
    999
    """
    return wild_bootstrap(model, contrast, draws=draws, rng=rng)
