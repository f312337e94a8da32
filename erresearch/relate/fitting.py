"""From scores or row covariances to a :class:`~erresearch.results.Fit`: one way for every regression."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from erresearch.errors import DesignError
from erresearch.inference import (
    FEW_CLUSTERS,
    Scores,
    crv1,
    crv3,
    effective_clusters,
    enough_draws,
    wild_bootstrap,
    wild_bootstraps,
)
from erresearch.results import Estimate, Fit, IntervalKind, Reference, StudentT
from erresearch.results.numbers import grouped

__all__ = ["Covariance", "Fitted", "assemble", "check_covariance", "contrast"]

Covariance = Literal["auto", "wild", "CRV3", "CRV1", "HC3", "HC1", "iid"]
#: Share of a coefficient's variance that may come from rows that fit by themselves.
_LOST = 1e-6
_CLUSTERED, _ROBUST = ("auto", "wild", "CRV3", "CRV1"), ("auto", "HC3", "HC1", "iid")


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A solved model on its way to a Fit.

    Parameters
    ----------
    names : tuple of str
        Coefficients in their order.
    outcome, words, bootstrap : str
        Left-hand side, estimator in words, name of the bootstrap that goes with it.
    model : Scores
        Estimates, bread and account scores (about the origin).
    shift : (k,) ndarray
        Added to basis @ beta to give the coefficients about zero.
    basis : (k, k) ndarray
        See `shift`.
    clustered : bool
        Whether accounts were named.
    covariance : (k, k) ndarray or None
        Of rows without accounts; None where accounts give it.
    label : str
        Name of that covariance.
    df_resid : int
        Residual degrees of freedom.
    r2, condition_number, residual_variance : float
        As in Fit.
    vif : mapping
        As in Fit.
    dropped : mapping
        As in Fit.
    values : (k,) ndarray, optional
        Coefficients about zero where they are known better than basis @ beta + shift.
    by : str
        The clustering column.
    lone : (k, k) ndarray, optional
        Part of the Hessian from rows that fit by themselves (HC3): what is known only from them has no known error.
    """

    names: tuple[str, ...]
    outcome: str
    words: str
    bootstrap: str
    model: Scores
    shift: np.ndarray
    basis: np.ndarray
    clustered: bool
    covariance: np.ndarray | None
    label: str
    df_resid: int
    r2: float
    condition_number: float
    residual_variance: float
    vif: Mapping[str, float]
    dropped: Mapping[str, int]
    values: np.ndarray | None = None
    by: str = ""
    lone: np.ndarray | None = None

    @property
    def coefficients(self) -> list[tuple[str, float]]:
        """Name and value of each coefficient about zero."""
        values = self.basis @ self.model.beta + self.shift if self.values is None else self.values
        return list(zip(self.names, map(float, values), strict=True))

    def carried(self, covariance: np.ndarray) -> np.ndarray:
        """Covariance about zero from that about the origin; infinite where one row carries a coefficient alone."""
        carried = np.asarray(self.basis @ covariance @ self.basis.T)
        if self.lone is not None:
            influence = self.basis @ self.model.bread
            own, whole = influence @ self.lone @ influence.T, influence @ self.basis.T
            lost = np.diag(own) > _LOST * np.diag(whole)
            carried[lost], carried[:, lost] = 0.0, 0.0
            carried[lost, lost] = np.inf
        return carried


def check_covariance(cov: str, *, clustered: bool) -> None:
    """Refuse a covariance that does not go with the rows.

    Raises
    ------
    DesignError
        Naming those that do.
    """
    allowed = _CLUSTERED if clustered else _ROBUST
    if cov not in allowed:
        kind = "accounts" if clustered else "rows without accounts"
        raise DesignError(f"cov={cov!r} does not go with {kind}", allowed=", ".join(allowed))


def assemble(fitted: Fitted, *, cov: Covariance, level: float, rng: int) -> Fit:
    """Give every coefficient its interval by the rule of the house, or by the covariance asked for."""
    model, few = fitted.model, math.nan
    if fitted.clustered:
        sizes = [effective_clusters(model, a) for a in fitted.basis]
        few = min(sizes)
        covariance = fitted.carried(crv1(model)) if cov == "CRV1" else crv3(model, fitted.basis)
        df = float(model.clusters - 1)
        bootstrapped = [cov == "wild" or (cov == "auto" and size < FEW_CLUSTERS) for size in sizes]
        label = f"{'CRV1' if cov == 'CRV1' else 'CRV3'}, t({model.clusters - 1})"
        if any(bootstrapped):
            label = f"{fitted.bootstrap} ({few:.1f} effective of {grouped(model.clusters, fitted.by)})"
    else:
        assert fitted.covariance is not None
        covariance, df, label = fitted.carried(fitted.covariance), float(fitted.df_resid), fitted.label
        bootstrapped = [False] * len(fitted.names)
    method = f"{fitted.words}, {label}"
    estimates = {}
    draws = enough_draws(level)
    drawn = iter(
        wild_bootstraps(model, fitted.basis[bootstrapped], draws=draws, rng=rng) if any(bootstrapped) else ()
    )
    for (name, value), variance, boot in zip(
        fitted.coefficients, np.diag(covariance), bootstrapped, strict=True
    ):
        se = _root(float(variance))
        reference: Reference = replace(next(drawn), value=value) if boot else StudentT(value, se, df)
        estimates[name] = Estimate(
            name,
            value=value,
            se=se,
            df=df,
            interval=reference.interval(level),
            n_rows=model.n_rows,
            n_accounts=model.clusters if fitted.clustered else 0,
            unit="",
            method=method,
            reference=reference,
            by=fitted.by,
        )
    return Fit(
        estimates=estimates,
        outcome=fitted.outcome,
        method=method,
        cov=covariance,
        r2=fitted.r2,
        vif=fitted.vif,
        condition_number=fitted.condition_number,
        n_rows=model.n_rows,
        n_accounts=model.clusters if fitted.clustered else 0,
        effective_accounts=few,
        dropped=fitted.dropped,
        residual_variance=fitted.residual_variance,
        model=fitted,
        interval_kind=IntervalKind.WILD_BOOTSTRAP if any(bootstrapped) else IntervalKind.STUDENT_T,
    )


def contrast(
    fit: Fit, weights: Mapping[str, float], *, name: str | None = None, level: float = 0.95, rng: int = 0
) -> Estimate:
    """Estimate a linear combination of coefficients, for example "A rather than B".

    θ = Σ_j w_j β_j, with the same inference as the coefficients themselves.

    Parameters
    ----------
    fit : Fit
        A fitted model.
    weights : mapping of str to float
        Weight of each regressor; those not named weigh 0.
    name : str, optional
        Name of the estimate; made from the weights otherwise.
    level : float
        Confidence level.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Estimate
        The combination.

    Raises
    ------
    UnknownNameError
        If a weight names no regressor.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from erresearch.relate import regress
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame(rng.normal(size=(500, 2)), columns=["a", "b"])
    >>> table["y"] = table["a"] + rng.normal(size=500)
    >>> difference = contrast(regress(table, "y", on=["a", "b"]), {"a": 1, "b": -1})
    >>> 1.0 in difference.interval
    True
    """
    for regressor in weights:
        fit[regressor]
    a = np.array([float(weights.get(regressor, 0.0)) for regressor in fit])
    value = float(sum(w * e.value for w, e in zip(a, fit.values(), strict=True)))
    # an infinite variance counts only where the combination holds its coefficient
    held = np.flatnonzero(a)
    se = _root(float(a[held] @ fit.cov[np.ix_(held, held)] @ a[held]))
    any_estimate = next(iter(fit.values()))
    label = name or " ".join(f"{w:+g}·{regressor}" for regressor, w in weights.items())
    reference: Reference = StudentT(value, se, any_estimate.df)
    fitted = fit.model
    if isinstance(fitted, Fitted) and fit.interval_kind is IntervalKind.WILD_BOOTSTRAP:
        direction = a @ fitted.basis
        if effective_clusters(fitted.model, direction) < FEW_CLUSTERS:
            reference = replace(
                wild_bootstrap(fitted.model, direction, draws=enough_draws(level), rng=rng), value=value
            )
    return Estimate(
        label,
        value=value,
        se=se,
        df=any_estimate.df,
        interval=reference.interval(level),
        n_rows=fit.n_rows,
        n_accounts=fit.n_accounts,
        unit="",
        method=fit.method,
        reference=reference,
        by=any_estimate.by,
    )


def _root(variance: float) -> float:
    return math.sqrt(variance) if variance > 0 else 0.0
