"""The words of a verdict and what stands beside them."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, Literal

from erresearch.errors import UnknownNameError
from erresearch.results.numbers import Estimate, Interval, escape, plain
from erresearch.schema.vocabulary import WORDS, Word

__all__ = ["LEVELS", "WORDS", "Certainty", "Doubt", "Level", "Verdict", "Word"]

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


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason for caution, with its figure.

    Parameters
    ----------
    name : str
        Short name, for example "reverse direction" or "declarable nil".
    text : str
        What it says, in one sentence.
    value : float
        The figure; nan where the doubt is only words.
    raised : bool
        Whether the doubt weighs against the verdict here.
    code : str
        Short stable name for programs; empty where nothing reads it.
    """

    name: str
    text: str
    value: float = math.nan
    raised: bool = False
    code: str = ""

    def __str__(self) -> str:
        """Name and sentence."""
        return f"{self.name}: {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim judged on one data set.

    Parameters
    ----------
    claim, dataset : str
        Identifiers.
    word : Word
        One of :data:`WORDS`.
    size : str
        "at least δ" or "size not settled" beside *supported*; else empty.
    qualifiers : tuple of str
        Any of "fragile", "proxy", "simulated".
    estimate : Estimate or None
        The number judged, with its 95 % interval; None where the claim was not judged.
    interval : Interval or None
        The interval at the verdict's own level, after correction for the family.
    sesoi : float
        δ, the smallest effect of interest declared for the claim.
    reason : str
        The rule that gave the word, or why the claim was not judged: a sentence for people. Programs read
        `reason_code` and `needs`.
    reason_code : str
        The same as a :class:`ReasonCode`; empty where nobody said.
    needs : frozenset of str
        What the claim waits for where it was not judged: names of canonical columns, such as "revenue" and "spend".
    doubts : tuple of Doubt
        The figures beside the word.
    evidence : str
        "from rows", "from pack" or "stored".
    result : object or None
        The value that the verdict's picture draws (a Fit, Decay, Precedence, …), with binned points, never rows.
    """

    claim: str
    dataset: str
    word: Word
    _: KW_ONLY
    size: str = ""
    qualifiers: tuple[str, ...] = ()
    estimate: Estimate | None = None
    interval: Interval | None = None
    sesoi: float = math.nan
    reason: str = ""
    doubts: tuple[Doubt, ...] = ()
    evidence: str = "from rows"
    result: object | None = field(default=None, repr=False, compare=False)
    reason_code: str = ""
    needs: frozenset[str] = frozenset()

    @property
    def simulated(self) -> bool:
        """Whether the data were simulated, and so say nothing about the world."""
        return "simulated" in self.qualifiers

    @property
    def words(self) -> str:
        """The word with its size and qualifiers, as it is printed everywhere."""
        return self._words(self.qualifiers)

    @property
    def words_beside_name(self) -> str:
        """The same where the name of the data set already says that it is simulated."""
        return self._words(tuple(one for one in self.qualifiers if one != "simulated"))

    def _words(self, qualifiers: tuple[str, ...]) -> str:
        size = f" ({self.size})" if self.size else ""
        return ", ".join([f"{self.word}{size}", *qualifiers])

    @property
    def number(self) -> str:
        """The estimate with its unit and the interval that was judged; empty where there is none."""
        if self.estimate is None:
            return ""
        unit = f" {self.estimate.unit}" if self.estimate.unit else ""
        return f"{plain(self.estimate.value)}{unit} {self.interval or self.estimate.interval}"

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """One sentence."""
        if self.estimate is None:
            return f"{self.claim} on {self.dataset}: {self.words}; {self.reason}"
        return f"{self.claim} on {self.dataset}: {self.words}; {self.estimate}"

    def _repr_markdown_(self) -> str:
        """The word, the interval that was judged, the rule, and the doubts that are raised."""
        head = f"**{escape(self.claim)}** on *{escape(self.dataset)}*: **{escape(self.words)}**"
        said = escape(self.reason)
        if self.estimate is not None:
            said = f"{escape(self.number)}; {said}" if said else escape(self.number)
        raised = [
            f"* **{escape(doubt.name)}**: {escape(doubt.text)}" for doubt in self.doubts if doubt.raised
        ]
        quiet = len(self.doubts) - len(raised)
        more = [f"* {quiet} more in .doubts, not raised"] if raised and quiet else []
        return "\n".join([f"{head}  ", said, *([""] if raised else []), *raised, *more])
