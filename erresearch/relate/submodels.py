"""Several models of one set of columns: effects swept out once, every model a slice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import DesignError
from erresearch.inference import FEW_CLUSTERS, Scores, effective_clusters, enough_draws, wild_bootstrap
from erresearch.relate.design import Swept, check_design
from erresearch.results import Estimate, Reference, StudentT

__all__ = ["coefficient", "submodel"]


def submodel(moments: Moments, swept: Swept, outcome: str, on: Sequence[str]) -> Scores:
    """Least squares of `outcome` on `on` from cross-products whose effects are already swept out.

    Parameters
    ----------
    moments : Moments
        All columns.
    swept : Swept
        The same columns in the same order, account (and period) effects taken out.
    outcome : str
        Left-hand side.
    on : sequence of str
        Regressors.

    Returns
    -------
    Scores
        What the intervals are made from.

    Raises
    ------
    DesignError
        Too few rows, or columns that do not vary or are collinear.
    """
    index = [swept.names.index(name) for name in (*on, outcome)]
    grams = swept.grams[:, index][:, :, index]
    total = grams.sum(axis=0)
    parameters = len(on) + swept.absorbed
    if moments.rows <= parameters:
        raise DesignError(
            f"{moments.rows} complete rows cannot carry {parameters} parameters",
            code="too-few-rows",
            allowed=f"more than {parameters} rows",
            fix="use fewer lags or controls, or more data",
        )
    raw = np.einsum("gii->i", moments.grams())[index]
    scale = check_design(total[:-1, :-1], on, raw[:-1])
    bread = np.linalg.inv(total[:-1, :-1] / np.outer(scale, scale)) / np.outer(scale, scale)
    beta = bread @ total[:-1, -1]
    beta += bread @ (total[:-1, -1] - total[:-1, :-1] @ beta)
    hessians = grams[:, :-1, :-1]
    parts = swept.period_parts
    if parts is not None:
        parts = (parts[0], parts[1], parts[2][:, :, index], parts[3])
    return Scores(
        beta,
        bread,
        grams[:, :-1, -1] - hessians @ beta,
        hessians,
        moments.rows,
        len(beta) + swept.absorbed - swept.nested + (1 if swept.nested else 0),
        replace(swept, period_parts=parts).periods(beta),
    )


def coefficient(
    model: Scores, variance: np.ndarray, index: int, *, name: str, words: str, level: float, rng: int
) -> Estimate:
    """One coefficient by the rule of the house: restricted wild bootstrap for few clusters, else CRV3.

    Parameters
    ----------
    model : Scores
        The fitted model.
    variance : (k, k) ndarray
        Its CRV3 covariance.
    index : int
        Which coefficient.
    name, words : str
        Name of the estimate; estimator in words.
    level : float
        Confidence level.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Estimate
    """
    pick = np.zeros(len(model.beta))
    pick[index] = 1.0
    value, df = float(model.beta[index]), float(model.clusters - 1)
    se = math.sqrt(max(float(variance[index, index]), 0.0))
    clusters = effective_clusters(model, pick)
    reference: Reference
    if clusters < FEW_CLUSTERS:
        reference = wild_bootstrap(model, pick, draws=enough_draws(level), rng=rng)
        how = f"restricted wild cluster bootstrap ({clusters:.1f} effective of {model.clusters} accounts)"
    else:
        reference, how = StudentT(value, se, df), f"CRV3, t({df:.0f})"
    return Estimate(
        name,
        value=value,
        se=se,
        df=df,
        interval=reference.interval(level),
        n_rows=model.n_rows,
        n_accounts=model.clusters,
        unit="",
        method=f"{words}, {how}",
        reference=reference,
    )
