"""Estimates of several sets put together: random effects, what the next set would show, partial pooling."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from erresearch.errors import Count, DataError
from erresearch.results import Estimate, Interval, StudentT, plain
from erresearch.results.estimates import check_level

#: Sets from which on it is said what the next one would show.
FEWEST_SETS: Final = 5
Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MetaAnalysis:
    """Estimates of several sets, put together.

    Parameters
    ----------
    estimates : mapping of str to Estimate
        What was put together, by set.
    mean : Estimate
        Mean over sets, random effects.
    fixed : Estimate
        The same as if all sets had one effect: for comparison.
    tau : float
        Standard deviation of the effect between sets.
    heterogeneity : float
        I²: share of the variance between estimates that is not sampling, in [0, 1].
    q, pvalue : float
        Cochran's Q and its p-value on k − 1 degrees of freedom.
    prediction : Interval or None
        Where the effect of a further set would lie; None for fewer than 5 sets.
    without : mapping of str to Estimate
        The mean without each set; empty for two sets.

    See Also
    --------
    meta_analysis : Makes it.
    """

    estimates: Mapping[str, Estimate]
    mean: Estimate
    fixed: Estimate
    tau: float
    heterogeneity: float
    q: float
    pvalue: float
    prediction: Interval | None
    without: Mapping[str, Estimate]

    def __str__(self) -> str:
        """Mean, heterogeneity and prediction, a line each."""
        ahead = (
            f"a further set would lie in {self.prediction}"
            if self.prediction is not None
            else f"what a further set would show is not said below {FEWEST_SETS} sets"
        )
        return (
            f"{Count(len(self.estimates)):set}: {self.mean.number()}\n"
            f"between sets a standard deviation of {plain(self.tau)} (I² {100 * self.heterogeneity:.0f} %)\n{ahead}"
        )


def _reml(y: Array, v: Array) -> float:
    """τ² at the largest restricted likelihood, 0 included."""
    from scipy import optimize

    def score(tau2: float) -> float:
        w = 1 / (v + tau2)
        rest = y - w @ y / w.sum()
        return float((w**2) @ rest**2 - w.sum() + (w**2).sum() / w.sum())

    # the likelihood may have several tops: the highest of a fine grid, then its root of the score
    top = float(np.ptp(y)) ** 2 + float(v.max())
    grid = np.concatenate([[0.0], top * np.geomspace(1e-9, 10, 400)])
    w = 1 / (v + grid[:, None])
    rest = y - (w @ y / w.sum(axis=1))[:, None]
    best = int(np.argmax(np.log(w).sum(axis=1) - np.log(w.sum(axis=1)) - (w * rest**2).sum(axis=1)))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    if score(low) <= 0 or score(high) >= 0:
        return float(low if score(low) <= 0 else high)
    return float(optimize.brentq(score, low, high, xtol=1e-16 * top, rtol=1e-14))


def _mean(y: Array, v: Array, tau2: float) -> tuple[float, float]:
    """Weighted mean, and its standard error by Hartung, Knapp, Sidik and Jonkman, at least that of the fixed effect."""
    w = 1 / (v + tau2)
    mu = float(w @ y / w.sum())
    spread = float(w @ (y - mu) ** 2) / (len(y) - 1)
    return mu, max(math.sqrt(spread / w.sum()), float((1 / v).sum()) ** -0.5)


def estimate_in(found: object) -> Estimate:
    """Return an estimate itself, or that of a verdict, of a judged experiment or of a finding.

    Raises
    ------
    DataError
        If there is none in it.
    """
    for one in (found, getattr(found, "effect", None), getattr(found, "estimate", None)):
        if isinstance(one, Estimate):
            return one
    raise DataError(
        "there is no estimate to put together with others",
        got=type(found).__name__,
        allowed="an estimate, a verdict with one, a judged experiment, a finding",
        fix="judge it first; of a pack take Finding.of(..., claim=...)",
    )


def meta_analysis(sets: Mapping[str, object], *, level: float = 0.95) -> MetaAnalysis:
    """Put estimates of several sets together.

    θ_i = μ + u_i + e_i with u_i ~ N(0, τ²) and e_i ~ N(0, s_i²). τ² by restricted maximum likelihood; the standard error
    of μ is √(Σ w_i (θ_i − μ)² / ((k − 1) Σ w_i)) with w_i = 1/(τ² + s_i²) (Hartung & Knapp; Sidik & Jonkman), but never
    below that of the fixed effect, 1/√(Σ 1/s_i²), with Student's t of k − 1 degrees of freedom. From 5 sets on the
    prediction interval is μ ± t(k − 2)·√(τ² + se²).

    Parameters
    ----------
    sets : mapping of str to Estimate, Verdict, Judgement or Finding
        By set; all of the same effect in the same unit.
    level : float
        Confidence level.

    Returns
    -------
    MetaAnalysis

    Raises
    ------
    DataError
        If the sets have no names, there are fewer than two, one has no estimate, units differ, or a standard error is not
        a number above 0.
    DesignError
        If `level` does not lie between 0 and 1.

    See Also
    --------
    erresearch.combine : One's own estimate beside those of others.
    erresearch.claims.pool : Adds sums of several houses, where these can be shared.

    References
    ----------
    IntHout, J., Ioannidis, J. P. A., & Borm, G. F. (2014). The Hartung-Knapp-Sidik-Jonkman method for random effects
    meta-analysis. *BMC Medical Research Methodology*, 14, 25. Higgins, J. P. T., Thompson, S. G., & Spiegelhalter,
    D. J. (2009). A re-evaluation of random-effects meta-analysis. *JRSS A*, 172(1), 137-159. Viechtbauer, W. (2010).
    Conducting meta-analyses in R with the metafor package. *Journal of Statistical Software*, 36(3).

    Examples
    --------
    >>> def of(value, se):
    ...     reference = StudentT(value, se, math.inf)
    ...     return Estimate("slope", value=value, se=se, df=math.inf, interval=reference.interval(0.95), n_rows=0,
    ...         n_accounts=0, reference=reference)
    >>> found = meta_analysis({"a": of(0.03, 0.01), "b": of(0.01, 0.004), "c": of(0.05, 0.02)})
    >>> found.prediction is None, round(found.mean.value, 3)
    (True, 0.024)
    """
    check_level(level)
    if not isinstance(sets, Mapping):
        raise DataError(
            "estimates are put together by the names of their sets",
            got=type(sets).__name__,
            allowed="a mapping of names to estimates",
            fix="pass {'first shop': estimate, 'second shop': estimate}",
        )
    estimates = {name: estimate_in(one) for name, one in sets.items()}
    if len(estimates) < 2:
        raise DataError(
            "one estimate cannot be put together with others",
            got=f"{len(estimates)}",
            allowed="2 or more",
            fix="bring estimates of other sets",
        )
    _check_units(estimates.values())
    bad = [
        name for name, one in estimates.items() if not (math.isfinite(one.value) and 0 < one.se < math.inf)
    ]
    if bad:
        raise DataError(
            "an estimate without a standard error cannot be weighed",
            got=", ".join(map(repr, bad[:3])),
            allowed="a number with a standard error above 0",
            fix="leave it out",
        )
    y = np.array([one.value for one in estimates.values()])
    v = np.array([one.se for one in estimates.values()]) ** 2
    k = len(y)
    tau2 = _reml(y, v)
    mu, se = _mean(y, v, tau2)
    w, fixed = 1 / v, _mean(y, v, 0.0)[0]
    q = float(w @ (y - fixed) ** 2)
    typical = (k - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum())
    from scipy import special

    told = partial(_estimate, of=estimates, level=level)
    without = {}
    for i, name in enumerate(estimates if k > 2 else ()):
        rest = np.arange(k) != i
        found = _mean(y[rest], v[rest], _reml(y[rest], v[rest]))
        without[name] = told(f"mean without {name}", *found, df=k - 2)
    ahead = StudentT(mu, math.hypot(math.sqrt(tau2), se), k - 2)
    return MetaAnalysis(
        estimates=estimates,
        mean=told("mean of the sets", mu, se, df=k - 1),
        fixed=told("fixed effect", fixed, float(w.sum()) ** -0.5, df=math.inf),
        tau=math.sqrt(tau2),
        heterogeneity=tau2 / (tau2 + typical),
        q=q,
        pvalue=float(special.chdtrc(k - 1, q)),
        prediction=ahead.interval(level) if k >= FEWEST_SETS else None,
        without=without,
    )


def _check_units(estimates: Iterable[Estimate]) -> None:
    units = sorted({one.unit for one in estimates})
    if len(units) > 1:
        raise DataError(
            "estimates in different units have no mean",
            got=", ".join(repr(unit) for unit in units),
            allowed="one unit",
            fix="put those of one unit together",
        )


def _estimate(
    name: str, value: float, se: float, *, of: Mapping[str, Estimate], df: float, level: float
) -> Estimate:
    method = "random effects, REML, Hartung-Knapp-Sidik-Jonkman" if math.isfinite(df) else "fixed effect"
    return StudentT(value, se, df).estimate(
        name,
        level,
        n_rows=sum(one.n_rows for one in of.values()),
        n_accounts=sum(one.n_accounts for one in of.values()),
        unit=next(iter(of.values())).unit,
        method=f"{method}, {Count(len(of)):set}",
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartialPooling:
    """One's own estimate, what others' lead one to expect, and the two together.

    Parameters
    ----------
    own : Estimate
        As it is.
    others : MetaAnalysis
        Of the others, without one's own.
    expected : Interval
        Where one's own effect would be expected from the others alone: their prediction interval.
    pooled : Estimate
        Own and expectation, each weighted by its precision.
    weight : float
        Share of one's own estimate in it.

    See Also
    --------
    partial_pooling : Makes it.
    """

    own: Estimate
    others: MetaAnalysis
    expected: Interval
    pooled: Estimate
    weight: float

    def __str__(self) -> str:
        """Own, expected, and both, each said as what it is."""
        met = self.own.interval.low <= self.expected.high and self.own.interval.high >= self.expected.low
        inside = (
            "inside"
            if self.own.value in self.expected
            else "outside" + ", though not all of its interval" * met
        )
        return (
            f"own estimate {self.own.number()}; beside {Count(len(self.others.estimates)):other} one would expect "
            f"{self.expected}, and it lies {inside}; put together (own weight {100 * self.weight:.0f} %) "
            f"{self.pooled.number()}"
        )


def partial_pooling(own: Estimate, others: Mapping[str, Estimate], *, level: float = 0.95) -> PartialPooling:
    """Draw one's own estimate towards what the others lead one to expect.

    With the others' mean μ, its standard error and τ, a further set is expected at N(μ, τ² + se²); one's own estimate y
    with standard error s is drawn to (y/s² + μ/(τ² + se²)) / (1/s² + 1/(τ² + se²)).

    Parameters
    ----------
    own : Estimate
        One's own.
    others : mapping of str to Estimate
        5 or more sets, without one's own.
    level : float
        Confidence level.

    Returns
    -------
    PartialPooling

    Raises
    ------
    DataError
        For fewer than 5 others, or another unit.

    See Also
    --------
    meta_analysis : The others alone.

    References
    ----------
    Efron, B., & Morris, C. (1975). Data analysis using Stein's estimator and its generalizations. *JASA*, 70, 311-319.

    Examples
    --------
    >>> def of(value, se):
    ...     reference = StudentT(value, se, math.inf)
    ...     return Estimate("slope", value=value, se=se, df=math.inf, interval=reference.interval(0.95), n_rows=0,
    ...         n_accounts=0, reference=reference)
    >>> others = {name: of(0.02 + 0.004 * i, 0.01) for i, name in enumerate("abcde")}
    >>> found = partial_pooling(of(0.2, 0.1), others)
    >>> found.weight < 0.1, found.pooled.value < 0.05
    (True, True)
    """
    if len(others) < FEWEST_SETS:
        raise DataError(
            "too few other sets to say what a further one would show",
            got=f"{len(others)}",
            allowed=f"{FEWEST_SETS} or more",
            fix="look at your own estimate alone until there are more",
        )
    _check_units([own, *others.values()])
    found = meta_analysis(others, level=level)
    assert found.prediction is not None
    prior = found.tau**2 + found.mean.se**2
    precision = 1 / own.se**2 + 1 / prior
    weight = 1 / own.se**2 / precision
    value = weight * own.value + (1 - weight) * found.mean.value
    pooled = StudentT(value, precision**-0.5, len(others) - 2).estimate(
        f"{own.name}, drawn towards {Count(len(others)):other}",
        level,
        n_rows=own.n_rows,
        n_accounts=own.n_accounts,
        unit=own.unit,
        method="partial pooling (empirical Bayes) on random effects, REML",
    )
    return PartialPooling(own=own, others=found, expected=found.prediction, pooled=pooled, weight=weight)
