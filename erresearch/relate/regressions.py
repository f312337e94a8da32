"""Least squares from moments, pooled, within accounts, within accounts and periods; and the logit, by more passes.

Normal equations square the condition number. Where that costs digits, one more pass gives XᵀE for the residuals E of
the solution so far, and the correction (XᵀX)⁻¹XᵀE restores them, provided that E and the sums are more exact than the
numbers themselves. Both are: products and sums carry their rounding errors along (error-free transformations), and
the large part of every product is cut to a grid on which sums are exact, in whatever order rows come.

References
----------
Ogita, T., Rump, S. M., & Oishi, S. (2005). Accurate sum and dot product. *SIAM Journal on Scientific Computing*,
26(6), 1955-1988.
Rump, S. M., Ogita, T., & Oishi, S. (2008). Accurate floating-point summation part I. *SIAM Journal on Scientific
Computing*, 31(1), 189-224.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import partial
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine import coded
from erresearch.engine.lazy_rows import ROWS_BYTES, numbers
from erresearch.engine.moments import Moments
from erresearch.errors import Count, DataError, DesignError
from erresearch.io.resources import share_of_memory
from erresearch.relate.design import (
    Effect,
    centred,
    check_design,
    check_regressors,
    check_rows,
    effect_word,
    identified,
    left_out,
    listed,
    normal_equations,
    open_moments,
)
from erresearch.relate.fitted_models import (
    Covariance,
    Fitted,
    State,
    ascend,
    assemble,
    check_covariance,
    deviance_share,
    fitted_maximum,
    flat_directions,
    linear_predictor,
    logistic,
    not_converged,
    unpack,
)
from erresearch.relate.inference import without_constant
from erresearch.results import Fit
from erresearch.results.estimates import check_level

#: Refine the normal equations by further passes when the smallest eigenvalue of the correlation-scaled Gram matrix
#: is below this (above it they keep eleven digits anyway), when next to nothing is left unexplained, or when the
#: table is so short that a pass costs nothing.
_REFINE_BELOW, _EXPLAINED, _SHORT = 1e-4, 1e-8, 1_000
#: Stands for "no such row" in a maximum or minimum.
_BEYOND_ANY = 1e300


def least_squares(
    data: Any,
    outcome: Any,
    on: Sequence[Any],
    *,
    by: str | None = None,
    period: str | None = None,
    effects: tuple[Effect, ...] = (),
    cov: Covariance = "auto",
    level: float = 0.95,
    rng: int = 0,
) -> Fit:
    """:func:`erresearch.regress` of rows that are no series, or of moments."""
    timed = "period" in effects
    within = None if timed else "account" in effects
    moments = open_moments(data, [*on, outcome], by=by, period=period if timed else None, within=within)
    check_covariance(cov, clustered=moments.by is not None)
    return assemble(solve(moments, effects), moments, cov=cov, level=level, rng=rng)


def solve(moments: Moments, effects: tuple[Effect, ...]) -> Fitted:
    """Solve the normal equations of the last column on the others, refined by one more pass where it helps."""
    check_regressors(moments.columns[:-1])
    swept, about_means, scale = identified(moments, effects, got=left_out(moments.dropped))
    total = swept.grams.sum(axis=0)
    slopes = about_means[:-1, :-1]
    flattest = np.linalg.eigvalsh(slopes / np.outer(scale, scale))[0]
    beta, bread = normal_equations(total)
    rss = float(total[-1, -1] - 2 * beta @ total[:-1, -1] + beta @ total[:-1, :-1] @ beta)
    tss, constant = float(about_means[-1, -1]), math.nan
    hard = flattest < _REFINE_BELOW or rss < _EXPLAINED * tss or moments.rows <= _SHORT
    # the means of accounts that were summed in groups are not known here, nor rows that do not fit into memory
    source, size = moments.source, 8 * moments.rows * (len(moments.columns) + 2)
    known = source is not None and not (effects and source.groups) and size <= share_of_memory(ROWS_BYTES)
    if hard and known and "period" not in effects:
        beta, constant, rss = refine(moments, beta, bread, intercept=not effects)
    # back from the origin
    basis, values = np.eye(len(beta)), beta
    if not effects:
        basis[0, 1:] = -moments.origin[:-1]
        values = basis @ beta
        values[0] = values[0] + moments.origin[-1] if math.isnan(constant) else constant
    named = [effect_word(moments.by) if effect == "account" else effect for effect in effects]
    df_resid = moments.rows - len(beta) - swept.absorbed
    return Fitted(
        names=swept.names[:-1],
        words=f"OLS with {' and '.join(named)} effects" if effects else "OLS",
        family="gaussian",
        model=swept.scores(beta, bread, moments.rows),
        basis=basis,
        values=values,
        slopes=slopes,
        df_resid=df_resid,
        r2=1 - rss / tss if tss > 0 else math.nan,
        residual_variance=max(rss, 0.0) / df_resid,
    )


#: 2^27 + 1 cuts a double into two halves whose products are exact.
_SPLITTER = 134217729.0
_STEPS = 6
_EPS = float(np.finfo(float).eps)


def refine(
    moments: Moments, beta: np.ndarray, bread: np.ndarray, *, intercept: bool
) -> tuple[np.ndarray, float, float]:
    """Correct the solution of normal equations by passes over the rows until it stands still.

    Parameters
    ----------
    moments : Moments
        With their rows; the last column is the outcome.
    beta : (k,) ndarray
        Coefficients about the origin, the intercept first where there is one.
    bread : (k, k) ndarray
        Inverse of the cross-products.
    intercept : bool
        Whether the first coefficient is the intercept; otherwise account means are taken out.

    Returns
    -------
    beta : (k,) ndarray
        About the origin.
    constant : float
        The intercept about zero, without the rounding of its way back from the origin; nan without one.
    rss : float
        Residual sum of squares.
    """
    beta = np.array(beta)
    first = 1 if intercept else 0
    origin = moments.origin[:-1]
    rows = _Held.of(moments)
    constant = _at_zero(beta, moments.origin) if intercept else math.nan
    before, rss = math.inf, 0.0
    for _ in range(_STEPS):
        gradient, rss = _residual_products(rows, moments, beta[first:], constant, intercept=intercept)
        step = bread @ gradient
        better = beta + step
        if intercept:
            # the step begins where the pass was, at the intercept about zero that a float can hold
            better[0] = _exactly([constant, -moments.origin[-1]], origin, beta[1:]) + step[0]
        moved = float(np.max(np.abs(better - beta) / np.sqrt(np.diag(bread))))
        if not moved < before / 2:
            break
        beta = better
        rss -= float(step @ gradient)
        if intercept:
            constant = _exactly([constant, step[0]], -origin, step[1:])
        before = moved
        if np.all(np.abs(step) <= _EPS * np.abs(beta)):
            break
    return beta, constant, max(rss, 0.0)


def _at_zero(beta: np.ndarray, origin: np.ndarray) -> float:
    """Intercept about zero: o_y + β₀ − Σ o_j β_j, rounded once."""
    return _exactly([origin[-1], beta[0]], -origin[:-1], beta[1:])


def _exactly(terms: Iterable[float], left: np.ndarray, right: np.ndarray) -> float:
    """Σ terms + Σ left·right, rounded once."""
    products = (Fraction(a) * Fraction(b) for a, b in zip(left, right, strict=True))
    return float(sum(map(Fraction, terms), sum(products, Fraction())))


def _half(value: Any) -> Any:
    """Upper half of a number's digits."""
    return value * _SPLITTER - (value * _SPLITTER - value)


def _lost(a: Any, a_half: Any, b: Any, b_half: Any, product: Any) -> Any:
    """What rounding took from a·b."""
    a_rest, b_rest = a - a_half, b - b_half
    return ((a_half * b_half - product) + a_half * b_rest + a_rest * b_half) + a_rest * b_rest


def _sum_error(a: Any, b: Any, total: Any) -> Any:
    """What rounding took from a + b."""
    back = total - a
    return (a - (total - back)) + (b - back)


class _Held(NamedTuple):
    """Complete rows in memory: each step is worked out once, with numbers."""

    columns: list[np.ndarray]  # the regressors and the outcome, about zero
    weighted: list[np.ndarray]  # weight times each regressor about the origin, and the weight
    place: np.ndarray  # of each row's account

    @classmethod
    def of(cls, moments: Moments) -> _Held:
        """Bring the rows here."""
        source = moments.need_rows()
        # by their places and without their names, any of which may be a pattern to Polars
        every = [column.alias("") for column in source.collect(moments.columns).get_columns()]
        columns = [numbers(column) for column in every[: len(moments.columns)]]
        weight = np.ones(len(every[0])) if source.weight is None else numbers(every[-1])
        about = zip(columns[:-1], moments.origin[:-1], strict=True)
        account = None if source.account is None else every[len(moments.columns)]
        weighted = [*(weight * (value - origin) for value, origin in about), weight]
        return cls(columns, weighted, coded(account, len(weight))[1])

    def summed(self, values: np.ndarray) -> np.ndarray:
        """Sum values by account."""
        return np.bincount(self.place, values)


def _residual_products(
    rows: _Held, moments: Moments, slopes: np.ndarray, constant: float, *, intercept: bool
) -> tuple[np.ndarray, float]:
    """XᵀE and EᵀE for E = y − constant − xβ, X about the origin (or about account means)."""
    if not intercept:
        constant = _at_zero(np.append(0.0, slopes), moments.origin)
    e, rest = _residual(rows, slopes, constant, centred=not intercept)
    half = _half(e)
    *squares, outcome = np.einsum("gii->i", moments.grams())
    large, small = [], []
    for z, square in zip(rows.weighted, [*squares, moments.weight.sum()], strict=True):
        # Σ|z·e| stays below this power of two: what lies on its grid adds up without rounding, in any order
        grid = 1.5 * 2.0 ** math.ceil(math.log2(4 * math.sqrt(max(square * outcome, 1e-300))))
        product = z * e
        top = (product + grid) - grid
        large.append(rows.summed(top))
        small.append(rows.summed((product - top) + _lost(z, _half(z), e, half, product) + z * rest))
    squared = rows.summed(rows.weighted[-1] * e * e)
    if intercept:
        total = [math.fsum([*most, *more]) for most, more in zip(large, small, strict=True)]
        return np.array([total[-1], *total[:-1]]), float(squared.sum())
    own = np.column_stack(large) + np.column_stack(small)
    means = own[:, -1] / moments.weight
    gradient = (own[:, :-1] - moments.sums[:, :-1] * means[:, None]).sum(axis=0)
    return gradient, float(np.sum(squared - own[:, -1] * means))


def _residual(
    rows: _Held, slopes: np.ndarray, constant: float, *, centred: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The residual as a head and a tail; `centred` takes a number near its account's mean off each."""
    *xs, y = rows.columns
    last = y - constant
    tail = _sum_error(y, -constant, last)
    for x, slope in zip(xs, map(float, slopes), strict=True):
        product = x * slope
        lost = _lost(x, _half(x), slope, _half(slope), product)
        after = last - product
        tail = tail + (_sum_error(last, 0 - product, after) - lost)
        last = after
    if centred:
        mean = (rows.summed(last) / np.bincount(rows.place))[rows.place]
        after = last - mean
        tail = tail + _sum_error(last, 0 - mean, after)
        last = after
    head = last + tail
    return head, tail - (head - last)


def logit(
    data: Any,
    outcome: str,
    on: Sequence[Any],
    *,
    by: str | None = None,
    cov: Covariance = "auto",
    level: float = 0.95,
    rng: int = 0,
) -> Fit:
    """Logistic regression: the log odds of a yes, for example of a conversion.

    P(y_i = 1 | x_i) = 1 / (1 + exp(−α − x_iᵀβ)), each Newton step one weighted pass of the aggregation that makes
    moments. exp(β) is an odds ratio. There are no account effects (their number grows with the accounts and biases β);
    `by` clusters the inference.

    Parameters
    ----------
    data : frame, path or Moments
        Any frame that narwhals accepts, or a path or glob of .parquet or .csv; moments that still have their rows.
    outcome : str
        0 or 1 (false or true).
    on : sequence of str or narwhals expressions
        Regressors.
    by : str, optional
        The account: unit of the clustering.
    cov : {"auto", "wild", "CRV3", "CRV1", "HC3", "HC1", "iid"}
        As in :func:`erresearch.regress`; the bootstrap is the restricted score bootstrap, CRV3 takes one Newton step
        per account left out.
    level : float
        Confidence level.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Fit
        Estimates in log odds; ``r2`` is the share of the deviance explained (McFadden's for yes and no).

    Raises
    ------
    DataError
        An outcome outside 0 and 1, or the same everywhere.
    DesignError
        Separation: a column predicts the outcome perfectly, and the estimate would be infinite. Collinear columns,
        moments without their rows, or no convergence.

    See Also
    --------
    erresearch.poisson : For counts and amounts.
    erresearch.regress : Differences of shares.

    References
    ----------
    Albert, A., & Anderson, J. A. (1984). On the existence of maximum likelihood estimates in logistic regression
    models. *Biometrika*, 71(1), 1-10. Kline, P., & Santos, A. (2012). A score based approach to wild bootstrap
    inference. *Journal of Econometric Methods*, 1(1), 23-41.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"shop": np.repeat(np.arange(40), 50), "reach": rng.normal(size=2000)})
    >>> table["bought"] = rng.random(2000) < 1 / (1 + np.exp(1 - 0.7 * table["reach"]))
    >>> fit = logit(table, "bought", on=["reach"], by="shop")
    >>> 0.7 in fit["reach"].interval
    True
    """
    check_level(level)
    on = listed(on)
    check_regressors(on)
    moments = open_moments(data, [*on, outcome], by=by, within=False)
    check_covariance(cov, clustered=moments.by is not None)
    moments.need_rows("the logit needs passes over the rows")
    got, fix = left_out(moments.dropped), "use fewer columns or more data"
    check_rows(moments.rows, len(moments.columns), got=got, fix=fix)
    _check_outcome(moments)
    weight = float(moments.weight.sum())
    count = len(moments.columns)
    sums = moments.sums.sum(axis=0)
    gram, raw = centred(moments, within=False), np.einsum("gii->i", moments.grams())
    check_design(gram[:-1, :-1], moments.columns[:-1], raw[:-1])
    spread = np.concatenate([[1.0], np.sqrt(np.diag(gram)[:-1] / weight)])
    share = float(moments.origin[-1] + sums[-1] / weight)
    start = np.zeros(count)
    start[0] = math.log(share / (1 - share))

    at = partial(_state, moments)
    state, converged = ascend(at, at(start), spread)
    if not converged:
        raise _not_converged(moments, state, spread)
    alone = weight * (share * math.log(share) + (1 - share) * math.log(1 - share))
    # a model that knew every answer would have a likelihood of 1
    r2 = deviance_share(0.0, state.loglik, alone)
    fitted = fitted_maximum(moments, state, words="logit", family="logit", r2=r2)
    return assemble(fitted, moments, cov=cov, level=level, rng=rng)


def _check_outcome(moments: Moments) -> None:
    outcome = moments.columns[-1]
    y = moments.need_rows().col(outcome)
    wrong = nw.when((y != 0) & (y != 1)).then(1).otherwise(0).sum().alias("wrong")
    found = moments.need_rows().total([wrong, y.min().alias("low"), y.max().alias("high")])
    if found["wrong"]:
        raise DataError(
            f"{outcome!r} is no outcome for a logit",
            got=f"{Count(int(found['wrong']), of=moments.rows):row holds} something else",
            allowed="0 and 1 (false and true)",
            fix="use `regress` or `poisson`",
        )
    if found["low"] == found["high"]:
        raise DataError(
            f"the outcome {outcome!r} is the same in all {Count(moments.rows):row}",
            got="always no" if found["low"] == 0 else "always yes",
            fix="there is nothing to explain",
        )


def _state(moments: Moments, beta: np.ndarray) -> State:
    """One pass: scores, Hessians and likelihood at `beta`."""
    source = moments.need_rows()
    count = len(beta)
    predictor = linear_predictor(moments, beta[1:], constant=float(beta[0]))
    z = [source.z(name).alias(f"z{i}") for i, name in enumerate(moments.columns[:-1], start=1)]
    own = [predictor.alias("p"), source.col(moments.columns[-1]).alias("y"), source.w().alias("w")]
    own += [] if source.account is None else [nw.col(source.account).alias("g")]
    rows = source.complete().select(*z, *own).with_columns(z0=nw.lit(1.0), m=logistic(nw.col("p")))
    p, y, w, m = (nw.col(name) for name in "pywm")
    top = nw.when(p > 0).then(p).otherwise(0.0)
    loglik = w * (y * p - top - (1 + (0 - p.abs()).exp()).log())
    rows = rows.with_columns(l=loglik, e=w * (y - m), c=w * m * (1 - m))
    rows = rows.with_columns(*((nw.col("c") * nw.col(f"z{i}")).alias(f"c{i}") for i in range(count)))
    sums = [nw.col("l").sum()]
    sums += [(nw.col("e") * nw.col(f"z{i}")).sum().alias(f"s{i}") for i in range(count)]
    pairs = combinations_with_replacement(range(count), 2)
    sums += [(nw.col(f"c{i}") * nw.col(f"z{j}")).sum().alias(f"h{i}_{j}") for i, j in pairs]
    _, values = source.staged(rows, "g").by_account(sums)
    scores = np.column_stack([values[f"s{i}"] for i in range(count)])
    return State(beta, float(values["l"].sum()), scores, unpack(values, "h", count))


def _not_converged(moments: Moments, state: State, spread: np.ndarray) -> DesignError:
    """Name the columns that separate: one alone, or a direction in which the likelihood keeps rising."""
    names = moments.columns[:-1]
    alone = [name for name, d in zip(names, np.eye(len(names)), strict=True) if _separates(moments, d)]
    hessian = without_constant(state.hessians.sum(axis=0))
    for direction in (*flat_directions(hessian, spread[1:]), state.beta[1:]):
        part = np.abs(direction * spread[1:])
        if not alone and part.max() > 0 and _separates(moments, direction):
            alone = [n for n, p in zip(names, part, strict=True) if p > 0.1 * part.max()]
    if not alone:
        return not_converged("the logit")
    verb = "predict" if len(alone) > 1 else "predicts"
    return DesignError(
        f"{', '.join(map(repr, alone))} {verb} {moments.columns[-1]!r} perfectly (separation): the estimate would "
        "be infinite",
        got=f"beyond a line all answers are the same, in {Count(moments.rows):row}",
        fix="leave the column out, or compare shares of yes in its groups instead",
    )


def _separates(moments: Moments, direction: np.ndarray) -> bool:
    """Whether no row that says no lies above one that says yes, or the other way round."""
    source = moments.need_rows()
    along, y = linear_predictor(moments, direction), source.col(moments.columns[-1])
    found = source.total(
        [
            nw.when(y < 1).then(along).otherwise(-_BEYOND_ANY).max().alias("no high"),
            nw.when(y < 1).then(along).otherwise(_BEYOND_ANY).min().alias("no low"),
            nw.when(y > 0).then(along).otherwise(-_BEYOND_ANY).max().alias("yes high"),
            nw.when(y > 0).then(along).otherwise(_BEYOND_ANY).min().alias("yes low"),
        ]
    )
    margin = 1e-9 * max(abs(found["no high"] - found["no low"]), abs(found["yes high"] - found["yes low"]))
    return found["no high"] <= found["yes low"] + margin or found["yes high"] <= found["no low"] + margin
