"""How a result could be wrong: precedence, specification curves, sensitivity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from erresearch.results.numbers import Estimate, escape, plain

__all__ = ["Curve", "Precedence", "Sensitivity"]


@dataclass(frozen=True, slots=True, eq=False)
class Precedence:
    """Which of two series moves first: both directions, and the ladder of leads and lags.

    Parameters
    ----------
    x, y : str
        The two series; `forward` is x before y.
    forward, reverse : Estimate
        Sum of the lagged effects of x on y given lags of y, and of y on x given lags of x.
    lead : Estimate
        Effect "of" next period's x on y in the forward model: the placebo, 0 where x only causes.
    lags : tuple of (int, Estimate)
        The ladder of the forward model, one estimate per lag of x in periods; lag −1 is the lead.
    contemporaneous : Estimate or None
        Effect of x on y in the same period; None where the model leaves it out.
    method : str
        Estimator, effects and covariance in words.
    n_rows, n_accounts : int
        Complete rows used, accounts used.
    dropped : mapping of str to int
        Rows left out, by reason.

    Examples
    --------
    >>> from erresearch.results import Estimate, StudentT
    >>> def e(value):
    ...     ref = StudentT(value, 0.02, 39)
    ...     return Estimate("x", value, 0.02, 39, ref.interval(0.95), 4000, 40, reference=ref)
    >>> ladder = ((-1, e(0.01)), (1, e(0.09)))
    >>> print(Precedence("talk", "sales", e(0.09), e(0.02), e(0.01), ladder, None, "OLS", 4000, 40, {}))
    talk before sales: 0.09000; sales before talk: 0.02000; lead of talk (placebo): 0.01000
    """

    x: str
    y: str
    forward: Estimate
    reverse: Estimate
    lead: Estimate
    lags: tuple[tuple[int, Estimate], ...]
    contemporaneous: Estimate | None
    method: str
    n_rows: int
    n_accounts: int
    dropped: Mapping[str, int]

    def __str__(self) -> str:
        """Both directions and the placebo."""
        return (
            f"{self.x} before {self.y}: {plain(self.forward.value)}; "
            f"{self.y} before {self.x}: {plain(self.reverse.value)}; "
            f"lead of {self.x} (placebo): {plain(self.lead.value)}"
        )

    def _repr_markdown_(self) -> str:
        return f"**precedence** {escape(str(self))}"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A specification curve: one claim estimated in every defensible way, one array entry per model.

    Parameters
    ----------
    outcome, x : str
        The two sides of the claim.
    value, se, t, low, high : (m,) ndarray
        Estimate, standard error, t and interval ends of each specification, in the same order.
    n_rows, n_accounts : (m,) ndarray of int
        Complete rows and accounts each one used.
    group, definition, lag, effects : tuple of str, length m
        The choices of each specification: sample group, definition of x, lag, fixed effects.
    controls : tuple of tuple of str, length m
        The controls in each beyond the claim's minimal set.
    groups : mapping of str to (int, int)
        Rows and accounts of each sample group.
    median_t, mean_signed_t, share_agreeing, share_significant : float
        Summaries: raw medians over definitions would mix units, so they are of t and of shares. `agreeing`
        means the claim's sign; `significant` means that sign and an interval without 0.
    pvalues : mapping of str to float
        Joint p-value of each summary, all models under the null together.
    level : float
        Level of the intervals.
    method : str
        Estimator and joint inference in words.
    """

    outcome: str
    x: str
    value: np.ndarray
    se: np.ndarray
    t: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_rows: np.ndarray
    n_accounts: np.ndarray
    group: tuple[str, ...]
    definition: tuple[str, ...]
    lag: tuple[str, ...]
    effects: tuple[str, ...]
    controls: tuple[tuple[str, ...], ...]
    groups: Mapping[str, tuple[int, int]]
    median_t: float
    mean_signed_t: float
    share_agreeing: float
    share_significant: float
    pvalues: Mapping[str, float]
    level: float = 0.95
    method: str = ""

    def __len__(self) -> int:
        """Number of specifications."""
        return len(self.value)

    def __str__(self) -> str:
        """The shares in one sentence."""
        return (
            f"{self.x} on {self.outcome}: {len(self):,} specifications, {100 * self.share_agreeing:.1f} % "
            f"agree in sign, {100 * self.share_significant:.1f} % significantly; "
            f"median t {plain(self.median_t)}"
        )

    def _repr_markdown_(self) -> str:
        return f"**specification curve** {escape(str(self))}"


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """How strong an unobserved confounder would have to be (Cinelli & Hazlett 2020).

    Parameters
    ----------
    estimate : Estimate
        The estimate in doubt.
    robustness_value : float
        Share of the residual variance of both x and the outcome that a confounder would have to explain to
        take the estimate to 0.
    robustness_value_alpha : float
        The same, to take its interval to 0.
    partial_r2 : float
        Share of the outcome's residual variance that x explains: what a confounder explaining all of the
        outcome would have to explain of x.
    benchmark : str
        The strongest observed control.
    bound_x, bound_y : float
        Partial R² with x and with the outcome of a confounder as strong as `benchmark`.
    adjusted : float
        The estimate beside such a confounder.
    r2_x : (a,) ndarray
        Grid of partial R² with x, for the contours.
    r2_y : (b,) ndarray
        Grid of partial R² with the outcome.
    contours : (b, a) ndarray
        Adjusted estimate at each point of the grid.

    References
    ----------
    Cinelli, C. & Hazlett, C. (2020). Making sense of sensitivity: extending omitted variable bias. Journal
    of the Royal Statistical Society B, 82(1), 39–67.
    """

    estimate: Estimate
    robustness_value: float
    robustness_value_alpha: float
    partial_r2: float
    benchmark: str
    bound_x: float
    bound_y: float
    adjusted: float
    r2_x: np.ndarray
    r2_y: np.ndarray
    contours: np.ndarray

    def __str__(self) -> str:
        """The robustness value beside the strongest observed control."""
        return (
            f"{self.estimate.name}: robustness value {100 * self.robustness_value:.2f} % "
            f"({100 * self.robustness_value_alpha:.2f} % for its interval); a confounder as strong as "
            f"{self.benchmark} would leave {plain(self.adjusted)}"
        )

    def _repr_markdown_(self) -> str:
        return f"**sensitivity** {escape(str(self))}"
