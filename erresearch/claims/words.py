"""From an interval to a word: set relations, first match wins, and no interval has two words."""

from __future__ import annotations

from typing import Literal

from erresearch.errors import DesignError, UnknownNameError
from erresearch.results import Interval, Word

__all__ = ["AT_LEAST", "UNSETTLED", "word_of"]

AT_LEAST, UNSETTLED = "at least δ", "size not settled"


def word_of(
    interval: Interval, *, direction: Literal["greater", "less", "absent"], sesoi: float
) -> tuple[Word, str]:
    """Word of a claim whose effect lies in `interval`.

    For θ > 0, in this order: inside (−δ, δ) → practically nil, whatever its sign; above 0 → supported, "at least δ"
    where all of it is at or above δ, else "size not settled"; below 0 → contradicted; else inconclusive. Mirrored
    for θ < 0. For |θ| < δ: inside (−δ, δ) → supported; wholly at or beyond ±δ → contradicted; else inconclusive.
    An unbounded interval is inconclusive.

    Parameters
    ----------
    interval : Interval
        At the verdict's own level.
    direction : {"greater", "less", "absent"}
        What the claim says of θ.
    sesoi : float
        δ > 0.

    Returns
    -------
    word : Word
    size : str
        "at least δ", "size not settled" or empty.

    Raises
    ------
    DesignError
        If δ is not positive.
    UnknownNameError
        For another direction.

    Examples
    --------
    >>> word_of(Interval(0.01, 0.04), direction="greater", sesoi=0.05)
    ('practically nil', '')
    >>> word_of(Interval(0.06, 0.14), direction="greater", sesoi=0.05)
    ('supported', 'at least δ')
    """
    if not sesoi > 0:
        raise DesignError("the smallest effect of interest must be positive", got=repr(sesoi))
    if direction not in ("greater", "less", "absent"):
        raise UnknownNameError.of("direction", direction, ("greater", "less", "absent"))
    if not interval.bounded:
        return "inconclusive", ""
    nil = interval.inside(-sesoi, sesoi)
    if direction == "absent":
        if nil:
            return "supported", ""
        return ("contradicted" if interval.low >= sesoi or interval.high <= -sesoi else "inconclusive"), ""
    low, high = (interval.low, interval.high) if direction == "greater" else (-interval.high, -interval.low)
    if nil:
        return "practically nil", ""
    if low > 0:
        return "supported", AT_LEAST if low >= sesoi else UNSETTLED
    return ("contradicted" if high < 0 else "inconclusive"), ""
