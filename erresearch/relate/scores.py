"""Covariances of a fitted model from its account scores and Hessians.

A fitted model leaves behind, per account g, its score ``s_g`` (k numbers) and its Hessian ``H_g`` (k × k). For a
linear model these are ``X_gᵀu_g`` and ``X_gᵀX_g`` and everything below is exact; for PPML and logit they are the
score and Hessian at the maximum and the same formulas are the one-step (score) versions. No row is needed again.

References
----------
Carter, A. V., Schnepel, K. T., & Steigerwald, D. G. (2017). Asymptotic behavior of a t-test robust to cluster
heterogeneity. *Review of Economics and Statistics*, 99(4), 698-709.
MacKinnon, J. G., Nielsen, M. Ø., & Webb, M. D. (2023). Fast and reliable jackknife and bootstrap methods for
cluster-robust inference. *Journal of Applied Econometrics*, 38(5), 671-694.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from erresearch.errors import Count, DesignError

__all__ = [
    "FEWEST_CLUSTERS",
    "FEW_CLUSTERS",
    "Periods",
    "Scores",
    "crv1",
    "crv3",
    "effective_clusters",
    "need_several",
    "without_each",
]

#: Smallest eigenvalue of the correlation-scaled Hessian without an account below which something is not identified.
_LOST = 1e-10
#: Below this effective number of clusters the restricted bootstrap replaces CRV3 with t(G − 1).
FEW_CLUSTERS: Final = 50.0
#: Below this many accounts no interval is trusted with a decisive word.
FEWEST_CLUSTERS: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """The period effects of a model, as nuisance parameters that the accounts share.

    Parameters
    ----------
    inverse : (T, T) ndarray
        Generalised inverse of D̃ᵀD̃, the account-demeaned period dummies.
    cross : (G, T, k) ndarray
        D̃_gᵀX_g per account, X already swept of both effects.
    residuals : (G, T) ndarray
        D̃_gᵀu_g per account.
    counts : (G, T) ndarray
        Weight of each account in each period.
    """

    inverse: np.ndarray
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


def few_accounts(accounts: int) -> tuple[str, ...]:
    """Why several accounts allow no decisive word; empty where they do."""
    few = 1 < accounts < FEWEST_CLUSTERS
    return (f"{Count(accounts):account}: fewer than {FEWEST_CLUSTERS} allow no decisive word",) * few


def need_several(model: Scores) -> int:
    """Number of accounts, refused below 2.

    Raises
    ------
    DesignError
        With fewer than 2 accounts.
    """
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


def _leave_one_out(model: Scores, contrasts: np.ndarray | None) -> np.ndarray:
    """Combinations of β̂ without account g, minus those of β̂: −(H − H_g)⁻¹ s_g (G × m), infinite where not identified."""
    total = np.linalg.inv(model.bread)
    moves = np.full((model.clusters, len(total) if contrasts is None else len(contrasts)), np.inf)
    scale = np.sqrt(np.diag(total))
    outer = np.outer(scale, scale)
    periods = model.periods
    if periods is None:
        rest = (total - model.hessians) / outer
        good = np.ones(model.clusters, dtype=bool)
        # an account with a small share of the Hessian cannot take all of any direction along
        large = np.einsum("ij,gij->g", model.bread, model.hessians) > 0.5
        good[large] = np.linalg.eigvalsh(rest[large])[:, 0] > _LOST
        if good.any():
            found = -np.linalg.solve(rest[good], (model.scores[good] / scale)[:, :, None])[:, :, 0] / scale
            moves[good] = found if contrasts is None else found @ contrasts.T
        for g in np.flatnonzero(~good).tolist():
            moves[g] = _what_is_left(rest[g], model.scores[g] / scale, scale, contrasts)
        return moves
    k = model.beta.size
    right = np.concatenate([-periods.cross, periods.residuals[:, :, None]], axis=2)
    for g, part in without_each(periods.inverse, periods.counts, right):
        cross = periods.cross[g]
        schur = (total - model.hessians[g] + cross.T @ part[:, :k]) / outer
        score = (model.scores[g] + cross.T @ part[:, k]) / scale
        if np.linalg.eigvalsh(schur)[0] > _LOST:
            found = -np.linalg.solve(schur, score) / scale
            moves[g] = found if contrasts is None else contrasts @ found
        else:
            moves[g] = _what_is_left(schur, score, scale, contrasts)
    return moves


def _what_is_left(
    rest: np.ndarray, score: np.ndarray, scale: np.ndarray, contrasts: np.ndarray | None
) -> np.ndarray:
    """Moves of the combinations that are still identified without an account; infinite those of the others.

    A column that varies in one account only leaves the model with it, and the other coefficients stay identified.
    """
    values, vectors = np.linalg.eigh((rest + rest.T) / 2)
    null, range_ = vectors[:, values <= _LOST], values > _LOST
    wanted = (np.eye(len(scale)) if contrasts is None else contrasts) / scale
    found = -wanted @ (vectors[:, range_] / values[range_]) @ (vectors[:, range_].T @ score)
    lost = np.abs(wanted @ null).max(axis=1) > 1e-6 * np.linalg.norm(wanted, axis=1)
    return np.asarray(np.where(lost, np.inf, found))


def without_each(
    inverse: np.ndarray, counts: np.ndarray, right: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """Solve for the period effects without each account in turn: (D̃ᵀD̃ − A_g)p = r_g.

    Parameters
    ----------
    inverse : (T, T) ndarray
        Generalised inverse of D̃ᵀD̃.
    counts : (G, T) ndarray
        Weight of each account in each period.
    right : (G, T, m) ndarray
        Right-hand sides of each account, 0 where it is not seen.

    Yields
    ------
    int, (T, m) ndarray
        An account and its solutions. Accounts seen in the same periods share one factorisation.

    See Also
    --------
    crv3 : What the solutions are for.
    """
    patterns, which = np.unique(counts, axis=0, return_inverse=True)
    for i, n_gt in enumerate(patterns):
        members = np.flatnonzero(which.ravel() == i)
        sides = right[members].transpose(1, 0, 2)
        solved = _without_pattern(inverse, n_gt, sides.reshape(len(n_gt), -1)).reshape(sides.shape)
        yield from zip(members.tolist(), solved.swapaxes(0, 1), strict=True)


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
    moves = _leave_one_out(model, contrasts)
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


def cosine_covariance(
    regressors: np.ndarray, residuals: np.ndarray, *, parameters: int | None = None
) -> tuple[np.ndarray, int]:
    """Covariance of least squares under autocorrelation, by equally weighted cosines, and its degrees of freedom.

    V = H⁻¹ΩH⁻¹ with H = XᵀX and Ω = T/ν · Σ_j Λ_jΛ_jᵀ, Λ_j = √(2/T) Σ_t x_t u_t cos(πj(t − ½)/T), j = 1 … ν,
    ν = 0.4·T^⅔; times T/(T − k). Under fixed-b asymptotics the t statistic has Student's t with ν degrees of freedom.

    Parameters
    ----------
    regressors : (T, k) ndarray
        In order of time.
    residuals : (T,) ndarray
        Of the regression.
    parameters : int, optional
        What T − k counts, if not the columns: 0 where the residuals are over 1 − leverage already.

    Returns
    -------
    covariance : (k, k) ndarray
        Of the coefficients.
    df : int
        ν.

    References
    ----------
    Lazarus, E., Lewis, D. J., Stock, J. H., & Watson, M. W. (2018). HAR inference: recommendations for practice.
    *Journal of Business & Economic Statistics*, 36(4), 541-559.

    Examples
    --------
    >>> u = np.random.default_rng(0).normal(size=400)
    >>> v, df = cosine_covariance(np.ones((400, 1)), u - u.mean())
    >>> df, bool(0.02 < v[0, 0] ** 0.5 < 0.09)
    (22, True)
    """
    length, k = regressors.shape
    k = k if parameters is None else parameters
    df = max(1, round(0.4 * length ** (2 / 3)))
    angles = np.pi * np.arange(1, df + 1)[:, None] * (np.arange(length) + 0.5) / length
    waves = np.sqrt(2 / length) * np.cos(angles) @ (regressors * residuals[:, None])
    bread = np.linalg.inv(regressors.T @ regressors)
    meat = length / df * waves.T @ waves * length / (length - k)
    return bread @ meat @ bread, df


def without_constant(total: np.ndarray) -> np.ndarray:
    """Summed [[n, s], [sᵀ, C]] with the constant, or the means, taken out of the other columns."""
    return np.asarray(total[1:, 1:] - np.outer(total[0, 1:], total[0, 1:]) / total[0, 0])


def waves(turns: np.ndarray, pairs: int) -> list[np.ndarray]:
    """Pairs of sine and cosine, of one turn, of two, and so on.

    Examples
    --------
    >>> [wave.round(6).tolist() for wave in waves(np.array([0.0, 0.25]), 1)]
    [[0.0, 1.0], [1.0, 0.0]]
    """
    angles = [2 * np.pi * n * turns for n in range(1, pairs + 1)]
    return [wave for angle in angles for wave in (np.sin(angle), np.cos(angle))]
