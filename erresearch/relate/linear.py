"""Linear regression from moments: pooled, within accounts, within accounts and periods.

Normal equations square the condition number. Where that costs digits, one more pass gives XᵀE for the residuals E of
the solution so far, and the correction (XᵀX)⁻¹XᵀE restores them, provided that E and the sums are more exact than the
numbers themselves. Both are: products and sums carry their rounding errors along (error-free transformations), and
the large part of every product is cut to a grid on which sums are exact, in whatever order an engine adds.

References
----------
Ogita, T., Rump, S. M., & Oishi, S. (2005). Accurate sum and dot product. *SIAM Journal on Scientific Computing*,
26(6), 1955-1988.
Rump, S. M., Ogita, T., & Oishi, S. (2008). Accurate floating-point summation part I. *SIAM Journal on Scientific
Computing*, 31(1), 189-224.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.group_keys import as_text, sort_text
from erresearch.engine.lazy_rows import numbers
from erresearch.engine.moments import Moments
from erresearch.relate.design import (
    Effect,
    Swept,
    check_regressors,
    effect_word,
    identified,
    left_out,
    normal_equations,
    open_moments,
)
from erresearch.relate.fitted_models import Covariance, Fitted, assemble, check_covariance
from erresearch.relate.scores import Scores
from erresearch.results import Fit

#: Refine the normal equations by further passes when the smallest eigenvalue of the correlation-scaled Gram matrix
#: is below this (above it they keep eleven digits anyway), when next to nothing is left unexplained, or when the
#: table is so short that a pass costs nothing.
_REFINE_BELOW, _EXPLAINED, _SHORT = 1e-4, 1e-8, 1_000


@dataclass(frozen=True, slots=True, eq=False)
class _Solved:
    """The normal equations, solved."""

    swept: Swept
    beta: np.ndarray
    bread: np.ndarray
    rss: float
    tss: float
    slopes: np.ndarray  # cross-products of the regressors without the constant
    constant: float  # intercept about zero, where it was refined

    def scores(self, rows: int) -> Scores:
        """What inference needs of the model (:mod:`erresearch.relate.scores`)."""
        return self.swept.scores(self.beta, self.bread, rows)


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
    fitted = _fitted(moments, solve(moments, effects), effects)
    return assemble(fitted, moments, cov=cov, level=level, rng=rng)


def _fitted(moments: Moments, solved: _Solved, effects: tuple[Effect, ...]) -> Fitted:
    """The solution carried back from the origin, on its way to a Fit."""
    df_resid = moments.rows - len(solved.beta) - solved.swept.absorbed
    basis = np.eye(len(solved.beta))
    values = solved.beta
    if not effects:
        basis[0, 1:] = -moments.origin[:-1]
        values = basis @ solved.beta
        values[0] = values[0] + moments.origin[-1] if math.isnan(solved.constant) else solved.constant
    named = [effect_word(moments.by) if effect == "account" else effect for effect in effects]
    return Fitted(
        names=solved.swept.names[:-1],
        words=f"OLS with {' and '.join(named)} effects" if effects else "OLS",
        family="gaussian",
        model=solved.scores(moments.rows),
        basis=basis,
        values=values,
        slopes=solved.slopes,
        df_resid=df_resid,
        r2=1 - solved.rss / solved.tss if solved.tss > 0 else math.nan,
        residual_variance=max(solved.rss, 0.0) / df_resid,
    )


def solve(moments: Moments, effects: tuple[Effect, ...]) -> _Solved:
    """Solve the normal equations of the last column on the others, refined by one more pass where it helps."""
    check_regressors(moments.columns[:-1])
    swept, centred, scale = identified(moments, effects, got=left_out(moments.dropped))
    total = swept.grams.sum(axis=0)
    values = np.linalg.eigvalsh(centred[:-1, :-1] / np.outer(scale, scale))
    beta, bread = normal_equations(total)
    rss = float(total[-1, -1] - 2 * beta @ total[:-1, -1] + beta @ total[:-1, :-1] @ beta)
    tss, constant = float(centred[-1, -1]), math.nan
    hard = values[0] < _REFINE_BELOW or rss < _EXPLAINED * tss or moments.rows <= _SHORT
    # the means of accounts that were summed in groups are not known here
    known = moments.source is not None and not (effects and moments.source.groups)
    if hard and known and "period" not in effects:
        beta, constant, rss = refine(moments, beta, bread, intercept=not effects)
    return _Solved(swept, beta, bread, rss, tss, centred[:-1, :-1], constant)


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
    held = _Held(moments) if moments.source is not None and moments.source.small else None
    constant = _at_zero(beta, moments.origin) if intercept else math.nan
    before, rss = math.inf, 0.0
    for _ in range(_STEPS):
        rows = held or _Staged(moments)
        gradient, rss = _residual_products(rows, moments, beta[first:], constant, intercept=intercept)
        step = bread @ gradient
        better = beta + step
        if intercept:
            # the step begins where the pass was, at the intercept about zero that a float can hold
            better[0] = _about(constant, beta[1:], moments.origin) + step[0]
        moved = float(np.max(np.abs(better - beta) / np.sqrt(np.diag(bread))))
        if not moved < before / 2:
            break
        beta = better
        rss -= float(step @ gradient)
        if intercept:
            constant = float(
                Fraction(constant)
                + Fraction(step[0])
                - sum(Fraction(o) * Fraction(s) for o, s in zip(origin, step[1:], strict=True))
            )
        before = moved
        if np.all(np.abs(step) <= _EPS * np.abs(beta)):
            break
    return beta, constant, max(rss, 0.0)


def _at_zero(beta: np.ndarray, origin: np.ndarray) -> float:
    """Intercept about zero: o_y + β₀ − Σ o_j β_j, rounded once."""
    products = (Fraction(o) * Fraction(b) for o, b in zip(origin[:-1], beta[1:], strict=True))
    return float(Fraction(origin[-1]) + Fraction(beta[0]) - sum(products))


def _about(constant: float, slopes: np.ndarray, origin: np.ndarray) -> float:
    """Intercept about the origin: constant + Σ o_j β_j − o_y, rounded once."""
    products = (Fraction(o) * Fraction(b) for o, b in zip(origin[:-1], slopes, strict=True))
    return float(Fraction(constant) + sum(products) - Fraction(origin[-1]))


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


def _residual_products(
    rows: _Staged | _Held, moments: Moments, slopes: np.ndarray, constant: float, *, intercept: bool
) -> tuple[np.ndarray, float]:
    """XᵀE and EᵀE for E = y − constant − xβ, X about the origin (or about account means)."""
    if not intercept:
        constant = _at_zero(np.append(0.0, slopes), moments.origin)
    e, rest = _residual(rows, slopes, constant, centred=not intercept)
    half = rows.stage(f=_half(e))["f"]
    weighted = rows.stage(**{f"z{j}": value for j, value in enumerate(rows.weighted)})
    *squares, outcome = np.einsum("gii->i", moments.grams())
    sums = {"ee": rows.weighted[-1] * e * e}
    for j, (z, square) in enumerate(zip(weighted.values(), [*squares, moments.weight.sum()], strict=True)):
        # Σ|z·e| stays below this power of two: what lies on its grid adds up without rounding, in any order
        grid = 1.5 * 2.0 ** math.ceil(math.log2(4 * math.sqrt(max(square * outcome, 1e-300))))
        product = z * e
        large = (product + grid) - grid
        sums |= {f"a{j}": large, f"b{j}": (product - large) + _lost(z, _half(z), e, half, product) + z * rest}
    found = rows.by_account(sums)
    if intercept:
        total = [math.fsum([*found[f"a{j}"], *found[f"b{j}"]]) for j in range(len(weighted))]
        return np.array([total[-1], *total[:-1]]), float(found["ee"].sum())
    own = np.column_stack([found[f"a{j}"] + found[f"b{j}"] for j in range(len(weighted))])
    means = own[:, -1] / moments.weight
    return (own[:, :-1] - moments.sums[:, :-1] * means[:, None]).sum(axis=0), float(
        np.sum(found["ee"] - own[:, -1] * means)
    )


def _residual(
    rows: _Staged | _Held, slopes: np.ndarray, constant: float, *, centred: bool
) -> tuple[Any, Any]:
    """The residual as a head and a tail; `centred` takes a number near its account's mean off each."""
    *xs, y = rows.columns
    # p and q: products with what rounding took from them; then a running sum of −p after y − constant
    halves = rows.stage(s=y - constant, **{f"h{j}": _half(x) for j, x in enumerate(xs)})
    products: dict[str, Any] = {}
    for j, (x, slope) in enumerate(zip(xs, map(float, slopes), strict=True)):
        lost = _lost(x, halves[f"h{j}"], slope, _half(slope), x * slope)
        products |= {f"p{j}": x * slope, f"q{j}": lost}
    products = rows.stage(**products)
    last = halves["s"]
    tail = _sum_error(y, -constant, last)
    for j in range(len(xs)):
        product = products[f"p{j}"]
        after = rows.stage(**{f"s{j}": last - product})[f"s{j}"]
        tail = tail + (_sum_error(last, 0 - product, after) - products[f"q{j}"])
        last = after
    if centred:
        mean = rows.stage(m=rows.mean(last))["m"]
        after = rows.stage(n=last - mean)["n"]
        tail = tail + _sum_error(last, 0 - mean, after)
        last = after
    tail = rows.stage(t=tail)["t"]
    head = rows.stage(e=last + tail)["e"]
    return head, rows.stage(d=tail - (head - last))["d"]


class _Staged:
    """Rows where they are: values are expressions, and a stage is worked out by their engine and named."""

    def __init__(self, moments: Moments) -> None:
        source = moments.need_rows()
        self._source, self._rows, self._tag = source, source.complete(), "r"
        while any(name.startswith(self._tag) for name in self._rows.collect_schema().names()):
            self._tag += "_"
        self.columns: list[Any] = [source.col(name) for name in moments.columns]
        self.weighted: list[Any] = [
            *(source.w() * source.z(name) for name in moments.columns[:-1]),
            source.w(),
        ]

    def stage(self, **values: Any) -> dict[str, Any]:
        """Work values out once; none of their names is one of a column."""
        self._rows = self._rows.with_columns(**{self._tag + name: value for name, value in values.items()})
        return {name: nw.col(self._tag + name) for name in values}

    def mean(self, value: Any) -> Any:
        """Mean of each row's account."""
        return value.mean() if self._source.account is None else value.mean().over(self._source.account)

    def by_account(self, values: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """Sums of values by account."""
        sums = [value.sum().alias(name) for name, value in values.items()]
        return replace(self._source, frame=self._rows).by_account(sums)[1]


class _Held:
    """The same for few rows, as arrays: an engine takes longer to be told than to add them up."""

    def __init__(self, moments: Moments) -> None:
        source = moments.need_rows()
        # by their places and without their names, any of which may be a pattern to Polars
        every = [column.alias("") for column in source.collect(moments.columns).get_columns()]
        self.columns: list[Any] = [numbers(column) for column in every[: len(moments.columns)]]
        weight = np.ones(len(every[0])) if source.weight is None else numbers(every[-1])
        about = zip(self.columns[:-1], moments.origin[:-1], strict=True)
        self.weighted: list[Any] = [*(weight * (value - origin) for value, origin in about), weight]
        self._place = np.zeros(len(every[0]), dtype=int)
        if source.account is not None:
            _, self._place = sort_text(as_text(every[len(moments.columns)]))

    def stage(self, **values: Any) -> dict[str, Any]:
        """They are worked out already."""
        return values

    def mean(self, value: Any) -> Any:
        """Mean of each row's account."""
        return (np.bincount(self._place, value) / np.bincount(self._place))[self._place]

    def by_account(self, values: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """Sums of values by account."""
        return {name: np.bincount(self._place, value) for name, value in values.items()}
