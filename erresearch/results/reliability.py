"""How much of a measured series is signal, and who says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from erresearch.errors import DesignError
from erresearch.results.numbers import escape, plain

__all__ = ["Reliability", "Source"]

Source = Literal["declared", "counts", "autocovariances"]
_SAID = {
    "declared": "declared",
    "counts": "from several counts, whose errors are taken to be their own",
    "autocovariances": "from the autocovariances of x, whose error is taken to be without memory",
}


@dataclass(frozen=True, slots=True)
class Reliability:
    """Share of the variance of x that is not an error of measurement.

    Parameters
    ----------
    value : float
        The share; nan where it is not known.
    low : float
        Its lower bound, in (0, 1]; nan where it is not known.
    source : {"declared", "counts", "autocovariances"}
        Who says so.
    level : float
        Level of the lower bound (one-sided); 1 where it was declared.

    Raises
    ------
    DesignError
        If a bound lies outside (0, 1].

    See Also
    --------
    erresearch.relate.reliability : Estimates it.

    Examples
    --------
    >>> known = Reliability(0.9, 0.8, "declared", 1.0)
    >>> round(known.given(0.5), 2)
    0.6
    """

    value: float
    low: float
    source: Source
    level: float = 0.9

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        if not (math.isnan(self.low) or 0 < self.low <= 1):
            raise DesignError(
                "a reliability is a share of the variance",
                got=f"{self.low:g}",
                allowed="above 0, and 1 at most",
                fix="use 1.0 for a count without error, or leave it out where it is not known",
            )

    @property
    def known(self) -> bool:
        """Whether there is a lower bound."""
        return not math.isnan(self.low)

    def given(self, r2: float) -> float:
        """Lower bound beside other regressors: 1 − (1 − λ)/(1 − R²), 0 where nothing of x is left but error.

        Parameters
        ----------
        r2 : float
            Share of the variance of x that the other regressors explain.

        Returns
        -------
        float
            What a slope beside them keeps at least; nan where the reliability is not known.
        """
        if not self.known:
            return math.nan
        return max(0.0, 1 - (1 - self.low) / (1 - r2)) if r2 < 1 else 0.0

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """The bound and its source in one sentence."""
        if not self.known:
            return f"the reliability of x is not known ({_SAID[self.source]})"
        bound = (
            "" if self.source == "declared" else f", {plain(self.low)} or more at {100 * self.level:.4g} %"
        )
        return f"reliability of x {plain(self.value)}{bound} ({_SAID[self.source]})"

    def _repr_markdown_(self) -> str:
        return f"**reliability** {escape(str(self))}"
