"""Normal equations to full precision: residuals and their products in twice the working precision.

Normal equations square the condition number. One more pass gives XᵀE for the residuals E of the solution so far, and
the correction (XᵀX)⁻¹XᵀE restores the digits, provided that E and the sums are more exact than the numbers
themselves. Both are: products and sums carry their rounding errors along (error-free transformations), and the large
part of every product is cut to a grid on which sums are exact, in whatever order an engine adds.

References
----------
Ogita, T., Rump, S. M., & Oishi, S. (2005). Accurate sum and dot product. *SIAM Journal on Scientific Computing*,
26(6), 1955-1988.
Rump, S. M., Ogita, T., & Oishi, S. (2008). Accurate floating-point summation part I. *SIAM Journal on Scientific
Computing*, 31(1), 189-224.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.aggregation import Source
from erresearch.engine.moments import Moments

__all__ = ["refine"]

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
    constant = _at_zero(beta, moments.origin) if intercept else math.nan
    before, rss = math.inf, 0.0
    for _ in range(_STEPS):
        gradient, rss = _residual_products(moments, beta[first:], constant, intercept=intercept)
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
    moments: Moments, slopes: np.ndarray, constant: float, *, intercept: bool
) -> tuple[np.ndarray, float]:
    """XᵀE and EᵀE for E = y − constant − xβ, X about the origin (or about account means)."""
    if not intercept:
        constant = _at_zero(np.append(0.0, slopes), moments.origin)
    source, tag = _with_residual(moments, slopes, constant, centred=not intercept)
    names, col = moments.columns[:-1], nw.col
    weighted = [source.w() * source.z(name) for name in names] + [source.w()]
    rows = source.frame.with_columns(
        *(value.alias(f"{tag}z{j}") for j, value in enumerate(weighted)),
        _half(col(f"{tag}e")).alias(f"{tag}f"),
    )
    *squares, outcome = np.einsum("gii->i", moments.grams())
    e, rest = col(f"{tag}e"), col(f"{tag}d")
    sums = [(source.w() * e * e).sum().alias("ee")]
    for j, square in enumerate([*squares, moments.weight.sum()]):
        z = col(f"{tag}z{j}")
        # Σ|z·e| stays below this power of two: what lies on its grid adds up without rounding, in any order
        grid = 1.5 * 2.0 ** math.ceil(math.log2(4 * math.sqrt(max(square * outcome, 1e-300))))
        product = z * e
        large = (product + grid) - grid
        small = (product - large) + _lost(z, _half(z), e, col(f"{tag}f"), product) + z * rest
        sums += [large.sum().alias(f"a{j}"), small.sum().alias(f"b{j}")]
    _, found = replace(source, frame=rows).by_account(sums)
    if intercept:
        total = [math.fsum([*found[f"a{j}"], *found[f"b{j}"]]) for j in range(len(weighted))]
        return np.array([total[-1], *total[:-1]]), float(found["ee"].sum())
    own = np.column_stack([found[f"a{j}"] + found[f"b{j}"] for j in range(len(weighted))])
    means = own[:, -1] / moments.weight
    return (own[:, :-1] - moments.sums[:, :-1] * means[:, None]).sum(axis=0), float(
        np.sum(found["ee"] - own[:, -1] * means)
    )


def _with_residual(
    moments: Moments, slopes: np.ndarray, constant: float, *, centred: bool
) -> tuple[Source, str]:
    """Rows with the residual as a head ``e`` and a tail ``d``, both after a tag that no other column starts with.

    `centred` takes a number near its account's mean off each residual.
    """
    source, col = moments.source, nw.col
    assert source is not None
    rows, tag = source.complete(), "r"
    while any(name.startswith(tag) for name in rows.collect_schema().names()):
        tag += "_"
    columns = [source.col(name) for name in moments.columns]
    # h: halves of x, p and q: products with what rounding took from them, s: running sum of −p after y − constant
    rows = rows.with_columns(
        (columns[-1] - constant).alias(f"{tag}s0"),
        *(_half(x).alias(f"{tag}h{j}") for j, x in enumerate(columns[:-1])),
    )
    products = []
    for j, (x, slope) in enumerate(zip(columns[:-1], map(float, slopes), strict=True)):
        lost = _lost(x, col(f"{tag}h{j}"), slope, _half(slope), x * slope)
        products += [(x * slope).alias(f"{tag}p{j}"), lost.alias(f"{tag}q{j}")]
    rows = rows.with_columns(*products)
    tail = _sum_error(columns[-1], -constant, col(f"{tag}s0"))
    for j in range(len(slopes)):
        before, after = col(f"{tag}s{j}"), col(f"{tag}s{j + 1}")
        rows = rows.with_columns((before - col(f"{tag}p{j}")).alias(f"{tag}s{j + 1}"))
        tail = tail + (_sum_error(before, 0 - col(f"{tag}p{j}"), after) - col(f"{tag}q{j}"))
    rows = rows.with_columns(tail.alias(f"{tag}t"))
    last = f"{tag}s{len(slopes)}"
    if centred and source.account is not None:
        rows = rows.with_columns(col(last).mean().over(source.account).alias(f"{tag}m"))
        rows = rows.with_columns((col(last) - col(f"{tag}m")).alias(f"{tag}n"))
        rest = _sum_error(col(last), 0 - col(f"{tag}m"), col(f"{tag}n"))
        rows = rows.with_columns((col(f"{tag}t") + rest).alias(f"{tag}t"))
        last = f"{tag}n"
    rows = rows.with_columns((col(last) + col(f"{tag}t")).alias(f"{tag}e"))
    rows = rows.with_columns((col(f"{tag}t") - (col(f"{tag}e") - col(last))).alias(f"{tag}d"))
    return replace(source, frame=rows), tag
