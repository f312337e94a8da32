"""Fitted models and the binned points that their pictures draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from erresearch.errors import UnknownNameError
from erresearch.results.numbers import Estimate, escape, plain
from erresearch.results.reasons import IntervalKind

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["Bins", "Decay", "Fit"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fit(Mapping[str, Estimate]):
    """A fitted regression: a mapping from column name to :class:`Estimate`.

    Parameters
    ----------
    estimates : mapping of str to Estimate
        One per regressor, in the order asked for (and ``Intercept`` where the model has one).
    outcome : str
        The left-hand side.
    method : str
        Estimator, effects and covariance in words.
    cov : (k, k) ndarray
        Covariance matrix of the estimates, in their order.
    r2 : float
        Share of (within-account, where effects are swept out) variance explained; for `poisson` the
        squared correlation is not defined and the deviance share is given.
    vif : mapping of str to float
        Variance inflation factor per regressor.
    condition_number : float
        Of the correlation-scaled regressors: √(largest/smallest eigenvalue).
    n_rows, n_accounts : int
        Complete rows used, accounts used.
    effective_accounts : float
        Effective number of clusters (Carter, Schnepel & Steigerwald 2017), the least over the regressors.
    dropped : mapping of str to int
        Rows left out, by reason.
    residual_variance : float
        Residual sum of squares over residual degrees of freedom.
    model : object, optional
        Account scores and Hessians, for contrasts and further inference without a pass over the rows.
    interval_kind : IntervalKind
        What gave the intervals.
    """

    estimates: Mapping[str, Estimate]
    outcome: str
    method: str
    cov: np.ndarray
    r2: float
    vif: Mapping[str, float]
    condition_number: float
    n_rows: int
    n_accounts: int
    effective_accounts: float
    dropped: Mapping[str, int]
    residual_variance: float = math.nan
    model: object | None = field(default=None, repr=False)
    interval_kind: IntervalKind = IntervalKind.STUDENT_T

    def __getitem__(self, name: str) -> Estimate:
        """Estimate of the regressor `name`; a wrong name raises with the nearest right one."""
        try:
            return self.estimates[name]
        except KeyError:
            raise UnknownNameError.of("regressor", name, self.estimates) from None

    def __contains__(self, name: object) -> bool:
        """Whether `name` is a regressor."""
        return name in self.estimates

    def __iter__(self) -> Iterator[str]:
        """Names in their order."""
        return iter(self.estimates)

    def __len__(self) -> int:
        """Number of estimates."""
        return len(self.estimates)

    def to_frame(self) -> pd.DataFrame:
        """One row per regressor: value, se, low, high, p, vif (a pandas DataFrame)."""
        import pandas as pd

        rows = [
            {
                "regressor": name,
                "value": e.value,
                "se": e.se,
                "low": e.interval.low,
                "high": e.interval.high,
                "pvalue": e.pvalue,
                "vif": self.vif.get(name, math.nan),
            }
            for name, e in self.estimates.items()
        ]
        return pd.DataFrame(rows).set_index("regressor")

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """Head line and one line per regressor."""
        out = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items() if count) or "none"
        head = f"{self.outcome}: {self.method}; {self.n_rows:,} rows used, left out: {out}; R² {self.r2:.4f}"
        return "\n".join([head, *(f"  {e.name}: {plain(e.value)} {e.interval}" for e in self.values())])

    def _repr_markdown_(self) -> str:
        head, *_ = str(self).split("\n")
        rows = [
            f"| {escape(e.name)} | {plain(e.value)} | {plain(e.se)} | {e.interval} |" for e in self.values()
        ]
        return "\n".join(
            [escape(head), "", "| regressor | estimate | se | interval |", "|---|--:|--:|---|", *rows]
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bins:
    """Binned points for a picture: what remains of the rows when only the result travels on.

    Parameters
    ----------
    x, y : (m,) ndarray
        Bin means, on the scale the picture draws.
    low, high : (m,) ndarray
        Interval of each mean; nan where it is not known.
    n : (m,) ndarray of int
        Rows per bin.
    x_name, y_name : str
        Axis names with units.
    """

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    x_name: str
    y_name: str

    def __repr__(self) -> str:
        """One line: what is binned, how finely."""
        rows, bins = int(np.sum(self.n)), len(self.x)
        counted = f"{bins} bin{'s' * (bins != 1)} of {rows:,} row{'s' * (rows != 1)}"
        return f"{self.y_name} by {self.x_name}: {counted}"

    def _repr_markdown_(self) -> str:
        return f"**bins** {escape(str(self))}"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Decay:
    """How reactions grow with followers: X = c·F^β; β < 1 means that the engagement rate falls.

    Parameters
    ----------
    exponent : Estimate
        β by PPML, the estimate that is judged.
    log_ols : Estimate
        β by OLS on logs (rows with reactions only), shown beside it.
    reliability : tuple of (float, Estimate)
        β corrected for each declared reliability of log followers, lowest first.
    spline : Bins or None
        Fitted reactions over log followers by a natural cubic spline, for the picture.
    points : Bins
        Mean log reactions by bin of log followers.
    shared_denominator : float
        r(log ER, log F) that independent reactions and followers would give by arithmetic alone.
    dropped : mapping of str to int
        Rows left out, by reason.
    """

    exponent: Estimate
    log_ols: Estimate
    reliability: tuple[tuple[float, Estimate], ...]
    spline: Bins | None
    points: Bins
    shared_denominator: float
    dropped: Mapping[str, int]

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """The slope in one sentence."""
        return f"{self.exponent} (β < 1: the rate falls as followers grow)"

    def _repr_markdown_(self) -> str:
        return f"**decay** {escape(str(self))}"
