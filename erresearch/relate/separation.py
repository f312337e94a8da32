"""Zeros that the regressors predict perfectly: Poisson regression has no maximum until they are left out.

References
----------
Correia, S., Guimarães, P., & Zylkin, T. (2021). Verifying the existence of maximum likelihood estimates for
generalized linear models. arXiv:1903.01633.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.aggregation import moment_pass
from erresearch.engine.lazy_rows import Source, free_name
from erresearch.engine.moments import Moments
from erresearch.engine.two_level import condense
from erresearch.relate.design import centred
from erresearch.relate.passes import linear_predictor

__all__ = ["SEPARATED", "flat_directions", "moments_again", "without_separated"]

SEPARATED = "separated (the regressors predict the zero perfectly)"
_NEVER = 1e300  # stands for "no such row" in a maximum or minimum
#: Standard deviations of the predictor that count as no distance.
_MARGIN = 1e-6
#: Curvature against the steepest below which a direction may be one in which the likelihood rises for ever.
_FLAT = 1e-6


def flat_directions(hessian: np.ndarray, spread: np.ndarray) -> Iterator[np.ndarray]:
    """Directions in which a likelihood hardly bends, the flattest first.

    Where several columns separate at once any mixture of them is as flat: the reduced echelon form of the flat space
    takes them apart again.

    Parameters
    ----------
    hessian : (k, k) ndarray
        Negative Hessian where the climb ended.
    spread : (k,) ndarray
        Standard deviation of each regressor.

    Yields
    ------
    (k,) ndarray
        A direction.

    Examples
    --------
    >>> flat = np.array([[0.6, 0.8], [-0.8, 0.6], [0.0, 0.0]])
    >>> hessian = np.eye(3) - flat @ flat.T
    >>> [(d / d.max()).round(6).tolist() for d in flat_directions(hessian, np.ones(3))][-2:]
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    values, vectors = np.linalg.eigh(hessian / np.outer(spread, spread))
    for size in range(1, max(1, int(np.sum(values < _FLAT * values[-1]))) + 1):
        for row in _echelon(vectors[:, :size].T):
            row[np.abs(row) < 1e-6 * np.max(np.abs(row))] = 0.0
            yield row / spread


def _echelon(rows: np.ndarray) -> np.ndarray:
    """Reduced row echelon form of independent rows, the largest entries as pivots."""
    rows = rows.copy()
    for i in range(len(rows)):
        below, column = divmod(int(np.argmax(np.abs(rows[i:]))), rows.shape[1])
        rows[[i, i + below]] = rows[[i + below, i]]
        rows[i] /= rows[i, column]
        others = np.arange(len(rows)) != i
        rows[others] -= np.outer(rows[others, column], rows[i])
    return rows


def without_separated(moments: Moments, direction: np.ndarray, *, within: bool) -> tuple[Moments, int]:
    """Moments without the rows whose zeros a direction of the regressors predicts perfectly.

    The likelihood keeps rising along the direction d of least curvature. d separates when x·d is the same for all
    positive outcomes (of an account, with effects) and no zero lies above it; the zeros below it are separated.

    Parameters
    ----------
    moments : Moments
        With their rows; the last column is the outcome.
    direction : (k,) ndarray
        The direction d; its length does not matter.
    within : bool
        Whether the model has account effects.

    Returns
    -------
    moments : Moments
        Of the rows that are left; the same moments where d separates nothing.
    count : int
        Separated rows.
    """
    source = moments.source
    assert source is not None
    gram = centred(moments, within=within)[:-1, :-1]
    direction = direction / math.sqrt(max(direction @ gram @ direction, 1e-300) / moments.weight.sum())
    y = source.col(moments.columns[-1])
    for sign in (1.0, -1.0):
        along = linear_predictor(moments, sign * direction)
        top = nw.when(y > 0).then(along).otherwise(-_NEVER)
        ends = [
            top.max().alias("high"),
            nw.when(y > 0).then(along).otherwise(_NEVER).min().alias("low"),
            nw.when(y > 0).then(-_NEVER).otherwise(along).max().alias("zero"),
        ]
        high, low, zero = nw.col("high"), nw.col("low"), nw.col("zero")
        across = (high > -_NEVER) & ((high - low >= _MARGIN) | (zero > high + _MARGIN))
        unit = source if within else replace(source, account=None)
        then = [nw.when(across).then(1).otherwise(0).alias("across"), high]
        _, values = unit.by_account(ends, then=then)
        if not values["across"].any():
            edge: Any = (
                top.max().over(source.account) if within and source.account else float(values["high"][0])
            )
            # an account without any outcome has no edge, and left before
            keep = (y > 0) | ((along >= edge - _MARGIN) & (edge > -_NEVER))
            rows = source.complete()
            mark = free_name("keep", {name.casefold() for name in rows.collect_schema().names()})
            frame = rows.with_columns(keep.alias(mark)).filter(nw.col(mark)).drop(mark)
            fewer = moments_again(moments, replace(source, frame=frame), within=within)
            return fewer, moments.rows - fewer.rows
    return moments, 0


def moments_again(moments: Moments, source: Source, *, within: bool) -> Moments:
    """The same moments from fewer rows.

    Parameters
    ----------
    moments : Moments
        Moments of all rows.
    source : Source
        Some of their rows.
    within : bool
        Whether accounts that are summed in groups have their means taken out.

    Returns
    -------
    Moments
        About the same origin, or a nearer one.
    """
    merged = moments.merged
    if source.groups:
        source, sums, accounts = condense(source, within=within)
        merged = accounts - len(sums.keys) if within else 0
    else:
        source, sums = moment_pass(source)
    whole = Moments.from_sums(
        source,
        sums,
        by=moments.by,
        weights=moments.weights,
        dropped=moments.dropped,
        merged=merged,
        simulated=moments.simulated,
    )
    return replace(whole, period=moments.period)[moments.columns]
