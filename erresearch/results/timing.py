"""What moves first, and what predicts: precedence and predictive gain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from erresearch.results.numbers import Estimate, escape, plain
from erresearch.results.reliability import Reliability

__all__ = ["Precedence", "PredictiveGain"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Precedence:
    """Which of two series moves first: both directions, and the ladder of leads and lags.

    Parameters
    ----------
    x, y : str
        The two series; `forward` is x before y.
    forward : Estimate
        Response of y to x of the period before, given lags of both and the controls; from the model without leads.
    reverse : Estimate
        The same with x and y exchanged.
    lead : Estimate
        Coefficient of next period's x beside this period's and the lags: the placebo, 0 where x only causes. It is
        a doubt, never the estimate: next period's x may be a consequence of both.
    lags : tuple of (int, Estimate)
        The ladder, one estimate per lag of x in periods: 1 and more from the model of `forward`, 0 is
        `contemporaneous`, −1 the lead.
    contemporaneous : Estimate or None
        Coefficient of x of the same period where it is added; None where the model leaves it out.
    method : str
        Estimator, effects and covariance in words.
    n_rows, n_accounts : int
        Complete rows used, accounts used.
    dropped : mapping of str to int
        Rows left out, by reason.
    cautions : tuple of str
        Reasons why no decisive word may be given; empty where one may.
    beside : Estimate or None
        `forward` with x of the same period held: what the period before adds to what works at once.
    over_lead : Estimate or None
        Coefficient of the period before less that of the period after, both from the model with the lead.
    cumulated : Estimate or None
        Same period and next together.
    explained : (float, float)
        Share of the variance of x now, and of x one period before, that the model's other regressors explain.
    reliability : Reliability or None
        Of x, from its autocovariances; None where it was not looked at.

    Examples
    --------
    >>> from erresearch.results import Estimate, StudentT
    >>> def e(value):
    ...     ref = StudentT(value, 0.02, 39)
    ...     return Estimate("x", value=value, se=0.02, df=39, interval=ref.interval(0.95), n_rows=4000,
    ...     n_accounts=40, reference=ref)
    >>> ladder = ((-1, e(0.01)), (1, e(0.09)))
    >>> print(Precedence(x="talk", y="sales", forward=e(0.09), reverse=e(0.02), lead=e(0.01), lags=ladder,
    ...     contemporaneous=None, method="OLS", n_rows=4000, n_accounts=40, dropped={}))
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
    cautions: tuple[str, ...] = ()
    beside: Estimate | None = None
    over_lead: Estimate | None = None
    cumulated: Estimate | None = None
    explained: tuple[float, float] = (math.nan, math.nan)
    reliability: Reliability | None = None

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """Both directions and the placebo."""
        return (
            f"{self.x} before {self.y}: {plain(self.forward.value)}; "
            f"{self.y} before {self.x}: {plain(self.reverse.value)}; "
            f"lead of {self.x} (placebo): {plain(self.lead.value)}"
        )

    def _repr_markdown_(self) -> str:
        return f"**precedence** {escape(str(self))}"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PredictiveGain:
    """Whether something predicts the outcome out of sample, and by how much.

    Parameters
    ----------
    outcome : str
        What is predicted, one period ahead.
    add, versus : tuple of str
        Predictors added to the baseline, and their rivals (empty where the baseline itself is the rival).
    gain : Estimate
        Share of the squared prediction error saved: above 0 where `add` predicts better.
    raw_gain : float
        1 − MSE/MSE of the rival, as it came out; below `gain` where the rival is nested, by what estimating more
        coefficients costs.
    r2, r2_rival : float
        Out-of-sample R² with `add` and of the rival: 1 − MSE/MSE of the account's mean so far.
    losses : mapping of str to float
        Mean squared error of each forecast, the naive ones included.
    periods : tuple of str
        Forecast periods.
    saved : (T,) ndarray
        Squared error saved in each, summed over the accounts: its running sum is the picture of the gain.
    method : str
        Baseline, origins and test in words.
    n_rows, n_accounts : int
        Forecasts compared, and accounts.
    dropped : mapping of str to int
        Rows left out, by reason.
    cautions : tuple of str
        Reasons why no decisive word may be given; empty where one may.
    """

    outcome: str
    add: tuple[str, ...]
    versus: tuple[str, ...]
    gain: Estimate
    raw_gain: float
    r2: float
    r2_rival: float
    losses: Mapping[str, float]
    periods: tuple[str, ...]
    saved: np.ndarray
    method: str
    n_rows: int
    n_accounts: int
    dropped: Mapping[str, int]
    cautions: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """The gain in one sentence."""
        rival = ", ".join(self.versus) if self.versus else "the baseline"
        return (
            f"{', '.join(self.add)} against {rival} for {self.outcome}: {100 * self.gain.value:.2f} % of the squared "
            f"prediction error saved {self.gain.interval}; out-of-sample R² {plain(self.r2)} against "
            f"{plain(self.r2_rival)}"
        )

    def _repr_markdown_(self) -> str:
        return f"**predictive gain** {escape(str(self))}"
