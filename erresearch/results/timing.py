"""What moves first, and what predicts: precedence and predictive gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from erresearch.results.numbers import Estimate, escape, plain

__all__ = ["Precedence"]


@dataclass(frozen=True, slots=True, eq=False)
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
    cautions: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Both directions and the placebo."""
        return (
            f"{self.x} before {self.y}: {plain(self.forward.value)}; "
            f"{self.y} before {self.x}: {plain(self.reverse.value)}; "
            f"lead of {self.x} (placebo): {plain(self.lead.value)}"
        )

    def _repr_markdown_(self) -> str:
        return f"**precedence** {escape(str(self))}"
