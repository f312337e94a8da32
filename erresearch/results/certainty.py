"""How sure a word is: one of four levels, with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from erresearch.errors import UnknownNameError

__all__ = ["LEVELS", "Certainty", "Level"]

Level = Literal["very low", "low", "moderate", "high"]
#: From the least sure to the surest.
LEVELS: Final[tuple[Level, ...]] = ("very low", "low", "moderate", "high")


@dataclass(frozen=True, slots=True)
class Certainty:
    """How sure a word is, in the manner of GRADE.

    Parameters
    ----------
    level : {"very low", "low", "moderate", "high"}
        The level.
    points : int
        The sum that gave it, before it was clipped.
    codes : tuple of str
        What gave points, the design first: names of ``certainty.toml``.
    reasons : tuple of str
        The same as text for people.

    Raises
    ------
    UnknownNameError
        For another level.

    See Also
    --------
    erresearch.claims.certainty.grade : Makes it.

    References
    ----------
    Guyatt, G. H., et al. (2008). GRADE: an emerging consensus on rating quality of evidence and strength of
    recommendations. *BMJ*, 336, 924-926.

    Examples
    --------
    >>> print(Certainty("low", 2, ("ordered",), ("ordered in time, not randomised",)))
    certainty low: ordered in time, not randomised
    """

    level: Level
    points: int
    codes: tuple[str, ...]
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a level that nobody could order."""
        if self.level not in LEVELS:
            raise UnknownNameError.of("level of certainty", self.level, LEVELS)

    def __str__(self) -> str:
        """The level and its reasons in one line."""
        return f"certainty {self.level}: {'; '.join(self.reasons)}"
