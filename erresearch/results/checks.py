"""Smaller checks beside a result: shuffles, noisy measures, back-transformed logs, selected lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from erresearch.results.fits import Fit
from erresearch.results.numbers import Interval, escape, plain

__all__ = ["Attenuation", "ListSelection", "Permutation", "Smearing"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Permutation:
    """A slope beside the slopes that shuffled weeks give.

    Parameters
    ----------
    outcome, x : str
        The two columns.
    value, statistic : float
        Slope of the rows as they are, and its studentised form, which is compared.
    draws : (B,) ndarray
        The statistic of each shuffle.
    pvalue : float
        (1 + shuffles at least as extreme) / (B + 1), two-sided.
    block : int
        Periods that stay together.
    n_rows, n_accounts : int
        Complete rows and accounts.
    dropped : mapping of str to int
        Rows left out, by reason.
    """

    outcome: str
    x: str
    value: float
    statistic: float
    draws: np.ndarray
    pvalue: float
    block: int
    n_rows: int
    n_accounts: int
    dropped: Mapping[str, int]

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """The p-value and what was shuffled."""
        return (
            f"{self.x} on {self.outcome}: slope {plain(self.value)}, p = {plain(self.pvalue)} from "
            f"{len(self.draws):,} shuffles of blocks of {self.block} periods within "
            f"{self.n_accounts:,} account{'s' * (self.n_accounts != 1)}"
        )

    def _repr_markdown_(self) -> str:
        return f"**permutation** {escape(str(self))}"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Attenuation:
    """What noise in the measures may have taken from a correlation or a slope: a range, never one number.

    Parameters
    ----------
    observed : float
        As measured.
    least, most : float
        Corrected at the highest and at the lowest reliability thought possible.
    interval : Interval or None
        From the least to the most favourable end of the corrected intervals; None for a bare number.
    reliability, reliability_outcome : (float, float)
        The declared ranges.
    kind : str
        "correlation" or "slope".
    impossible : bool
        Whether the lowest reliability would need a correlation beyond 1: then it cannot be that low.
    """

    observed: float
    least: float
    most: float
    interval: Interval | None
    reliability: tuple[float, float]
    reliability_outcome: tuple[float, float]
    kind: str
    impossible: bool

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """The range in one sentence."""
        beyond = "; the lowest reliability declared is impossible with this correlation" * self.impossible
        return (
            f"observed {self.kind} {plain(self.observed)}; without noise between {plain(self.least)} and "
            f"{plain(self.most)} for reliabilities {self.reliability[0]:g} to {self.reliability[1]:g}{beyond}"
        )

    def _repr_markdown_(self) -> str:
        return f"**attenuation** {escape(str(self))}"


@dataclass(frozen=True, slots=True, eq=False)
class Smearing:
    """The factor that takes a regression on logs back to money.

    Parameters
    ----------
    factor : float
        Duan's mean of exp(residual): E[y | x] = exp(xβ) · factor, where the residuals are alike for all x.
    normal : float
        exp(σ²/2), which would hold for normal residuals.
    low, high : float
        The factor over the rows with a prediction below and above the mean prediction: equal where the residuals are
        alike, and a caution where they are not.
    fit : Fit
        The regression on logs.
    """

    factor: float
    normal: float
    low: float
    high: float
    fit: Fit

    @property
    def uneven(self) -> float:
        """The larger of the two factors over the smaller, minus 1."""
        return max(self.low, self.high) / min(self.low, self.high) - 1

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """The factor and its caution."""
        caution = (
            "; residuals differ with the prediction, so one factor misleads: use Poisson regression"
            if self.uneven > 0.1
            else ""
        )
        return (
            f"smearing factor {plain(self.factor)} (low predictions {plain(self.low)}, high "
            f"{plain(self.high)}){caution}"
        )

    def _repr_markdown_(self) -> str:
        return f"**smearing** {escape(str(self))}"


@dataclass(frozen=True, slots=True, eq=False)
class ListSelection:
    """Whether a list of accounts looks as if it had been chosen by their reactions.

    Parameters
    ----------
    sharpness : float
        Place of the middle among the lowest reactions between the least and the largest of them: .5 at a sharp lower
        edge, .7 or more where the list thins out.
    low_slope, high_slope : float
        How the lower and the upper envelope of log reactions move with log followers among the smaller half of the
        accounts: a list cut at a number of reactions has a lower envelope that stands still.
    n_rows : int
        Accounts with both numbers.
    selected : bool
        Whether the edge is sharp and stands still.
    """

    sharpness: float
    low_slope: float
    high_slope: float
    n_rows: int
    selected: bool

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """What the edge looks like."""
        word = "looks selected on reactions" if self.selected else "does not look selected on reactions"
        return (
            f"the list {word}: sharpness of its lower edge {plain(self.sharpness)} (.5 is a cut), which moves by "
            f"{plain(self.low_slope)} per unit of log followers where the upper edge moves by "
            f"{plain(self.high_slope)} ({self.n_rows:,} accounts)"
        )

    def _repr_markdown_(self) -> str:
        return f"**list** {escape(str(self))}"
