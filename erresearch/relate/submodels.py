"""Several models of one set of columns: effects swept out once, every model a slice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import DesignError
from erresearch.inference import (
    FEW_CLUSTERS,
    FEWEST_CLUSTERS,
    Scores,
    crv3,
    effective_clusters,
    enough_draws,
    wild_bootstraps,
)
from erresearch.relate.design import Swept, check_design, still
from erresearch.relate.lagged import Panel
from erresearch.relate.reliability import from_autocovariances
from erresearch.results import Estimate, Reference, Reliability, StudentT

__all__ = ["PanelModels", "combinations", "submodel"]


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


def combinations(
    model: Scores,
    weights: Mapping[str, Mapping[str, float]],
    on: Sequence[str],
    *,
    words: str,
    level: float,
    rng: int,
) -> dict[str, Estimate]:
    """Combinations of coefficients by the rule of the house: restricted wild bootstrap for few clusters, else CRV3.

    Parameters
    ----------
    model : Scores
        The fitted model.
    weights : mapping of str to mapping of str to float
        For each combination its name and the weight of each regressor in it; those not named weigh 0.
    on : sequence of str
        Regressors in their order.
    words : str
        Estimator in words.
    level : float
        Confidence level.
    rng : int
        Seed of the bootstrap; all combinations share its draws.

    Returns
    -------
    dict of str to Estimate
        One per combination.
    """
    picks = np.array([[each.get(name, 0.0) for name in on] for each in weights.values()])
    variances = np.diag(crv3(model, picks))
    df = float(model.clusters - 1)
    sizes = [effective_clusters(model, pick) for pick in picks]
    few = np.array(sizes) < FEW_CLUSTERS
    drawn = iter(wild_bootstraps(model, picks[few], draws=enough_draws(level), rng=rng) if few.any() else ())
    found = {}
    for name, pick, variance, size in zip(weights, picks, variances, sizes, strict=True):
        value, se = float(pick @ model.beta), math.sqrt(max(float(variance), 0.0))
        reference: Reference = StudentT(value, se, df)
        how = f"CRV3, t({df:.0f})"
        if size < FEW_CLUSTERS:
            reference = next(drawn)
            how = f"restricted wild cluster bootstrap ({size:.1f} effective of {model.clusters} accounts)"
        found[name] = Estimate(
            name,
            value=value,
            se=se,
            df=df,
            interval=reference.interval(level),
            n_rows=model.n_rows,
            n_accounts=model.clusters,
            method=f"{words}, {how}",
            reference=reference,
        )
    return found


@dataclass(frozen=True, slots=False, eq=False, kw_only=True)
class PanelModels:
    """Models of several accounts: every one a slice of the same swept moments.

    Parameters
    ----------
    rows : Panel
        Names the columns.
    moments : Moments
        All columns.
    swept : Swept
        The same, account and period effects taken out.
    held : sequence of (int, int)
        Columns of events, with their lags.
    controls : range
        Columns of controls; lags 0 … `lags` of each enter.
    lags : int
        Number of lags.
    level : float
        Confidence level.
    seed : int
        Of the bootstrap.
    """

    rows: Panel
    moments: Moments
    swept: Swept
    held: Sequence[tuple[int, int]]
    controls: range
    lags: int
    level: float
    seed: int

    @cached_property
    def also(self) -> list[str]:
        """Controls with their lags, and the events that vary within periods."""
        found = [self.rows.label(column, lag) for column in self.controls for lag in range(self.lags + 1)]
        return [*found, *(name for name in map(self._label, self.held) if name not in self._shared)]

    @cached_property
    def _shared(self) -> frozenset[str]:
        """Columns of events that do not vary within periods."""
        total = np.einsum("gii->i", self.swept.grams)
        flat = still(total, np.einsum("gii->i", self.moments.grams()))
        names = set(map(self._label, self.held))
        return frozenset(
            name for name, rests in zip(self.swept.names, flat, strict=True) if rests and name in names
        )

    def _label(self, pair: tuple[int, int]) -> str:
        return self.rows.label(*pair)

    @cached_property
    def words(self) -> str:
        """Estimator in words."""
        rows, lags = self.rows, self.lags
        words = f"OLS with account and period effects, {lags} lag{'s' * (lags > 1)} of both"
        named = [rows.names[column] for column in self.controls]
        events = dict.fromkeys(rows.names[column] for column, _ in self.held)
        words += f", controls {', '.join(named)}" * bool(named) + f", events {', '.join(events)}" * bool(
            events
        )
        if rows.gaps:
            words += f", {rows.gaps:,} gap{'s' * (rows.gaps > 1)} in {rows.time!r} not bridged"
        return words

    @property
    def n_rows(self) -> int:
        """Complete rows."""
        return self.moments.rows

    @property
    def n_accounts(self) -> int:
        """Accounts."""
        return self.moments.accounts

    @property
    def dropped(self) -> Mapping[str, int]:
        """Rows left out, by reason."""
        return self.moments.dropped

    @property
    def cautions(self) -> tuple[str, ...]:
        """Why no decisive word may be given."""
        if self.n_accounts < FEWEST_CLUSTERS:
            return (f"{self.n_accounts} accounts: fewer than {FEWEST_CLUSTERS} allow no decisive word",)
        return ()

    def combinations(
        self, outcome: str, on: Sequence[str], weights: Mapping[str, Mapping[str, float]]
    ) -> dict[str, Estimate]:
        """Combinations of coefficients, by name."""
        model = submodel(self.moments, self.swept, outcome, on)
        return combinations(model, weights, on, words=self.words, level=self.level, rng=self.seed)

    def explained(self, on: Sequence[str], column: str) -> float:
        """Share of a regressor's variance that the others explain."""
        index = [self.swept.names.index(name) for name in on]
        gram = self.swept.grams[:, index][:, :, index].sum(axis=0)
        at = list(on).index(column)
        return float(1 - 1 / (gram[at, at] * np.linalg.inv(gram)[at, at]))

    def reliability(self, series: Sequence[str]) -> Reliability:
        """Of x, from its autocovariances."""
        index = [self.swept.names.index(name) for name in (*series, *self.also)]
        return from_autocovariances(self.swept.grams[:, index][:, :, index])
