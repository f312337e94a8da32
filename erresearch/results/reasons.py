"""Why something is as it is: a code for programs and facts for the sentence that people read.

A program compares codes and facts and never a sentence. The sentences stand in one table (:data:`SENTENCES`), and a
:class:`Reason` is only turned into one where it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from erresearch.errors import UnknownNameError
from erresearch.results.numbers import plain

__all__ = ["SENTENCES", "IntervalKind", "Reason", "ReasonCode"]


class IntervalKind(StrEnum):
    """What gave the intervals of a fit."""

    STUDENT_T = "Student's t"
    WILD_BOOTSTRAP = "wild cluster bootstrap"


class ReasonCode(StrEnum):
    """What a :class:`Reason` is about; a member is text, so that codes survive JSON and TOML."""

    # the rule that gave a verdict's word
    NO_BOUND = "no-bound"
    INSIDE_SESOI = "inside-sesoi"
    BEYOND_SESOI = "beyond-sesoi"
    BEYOND_ZERO = "beyond-zero"
    BEYOND_ZERO_AND_SESOI = "beyond-zero-and-sesoi"
    HOLDS_SMALL_AND_LARGE = "holds-small-and-large"
    HOLDS_ZERO_AND_LARGE = "holds-zero-and-large"
    # what kept a word from being decisive
    RANGE_DISAGREES = "range-disagrees"
    FEW_CLUSTERS = "few-clusters"
    NO_LEAD = "no-lead"
    LEAD_OUTSIDE = "lead-outside"
    REVERSE_AS_STRONG = "reverse-as-strong"
    # why nothing was judged
    COLUMNS_MISSING = "columns-missing"
    TOO_FEW_ROWS = "too-few-rows"
    NO_COMPLETE_ROW = "no-complete-row"
    REFUSED = "refused"
    BOOSTED_UNPRICED = "boosted-unpriced"
    OTHER = "other"


#: One sentence for each code; a fact stands in braces. Floats are printed as everywhere, counts with thousands.
SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ReasonCode.NO_BOUND: "the data set no bound on the effect",
        ReasonCode.INSIDE_SESOI: "the whole interval lies inside ±{sesoi}",
        ReasonCode.BEYOND_SESOI: "the whole interval lies beyond ±{sesoi}",
        ReasonCode.BEYOND_ZERO: "the whole interval lies {side} 0",
        ReasonCode.BEYOND_ZERO_AND_SESOI: "the whole interval lies {side} 0 and beyond {sesoi}",
        ReasonCode.HOLDS_SMALL_AND_LARGE: "the interval holds effects smaller than {sesoi} as well as larger ones",
        ReasonCode.HOLDS_ZERO_AND_LARGE: "the interval holds both 0 and effects beyond {sesoi}",
        ReasonCode.RANGE_DISAGREES: "the declared range disagrees: {word}, but {other} for {end}",
        ReasonCode.FEW_CLUSTERS: "only {clusters} accounts: a decisive word needs {needed}",
        ReasonCode.NO_LEAD: "no lead of x could be tested, so the direction is open",
        ReasonCode.LEAD_OUTSIDE: "the lead of x (a placebo) is not inside ±{sesoi}: {lead}",
        ReasonCode.REVERSE_AS_STRONG: "the reverse direction is at least as strong: {value} {interval}",
        ReasonCode.COLUMNS_MISSING: "no {columns}",
        ReasonCode.TOO_FEW_ROWS: "{text}",
        ReasonCode.NO_COMPLETE_ROW: "{text}",
        ReasonCode.REFUSED: "{text}",
        ReasonCode.BOOSTED_UNPRICED: "{text}",
        ReasonCode.OTHER: "{text}",
    }
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is, or why something was not done.

    Parameters
    ----------
    code : str
        One of :data:`SENTENCES`; the codes that the package itself uses are :class:`ReasonCode`.
    facts : mapping of str to object
        What the sentence tells: floats, counts, text and values that print themselves.

    Raises
    ------
    UnknownNameError
        For a code that has no sentence.

    See Also
    --------
    erresearch.results.Verdict : Carries the code and the finished sentence.

    Examples
    --------
    >>> reason = Reason(ReasonCode.HOLDS_ZERO_AND_LARGE, {"sesoi": 0.05})
    >>> reason.code == "holds-zero-and-large", str(reason)
    (True, 'the interval holds both 0 and effects beyond 0.05000')
    """

    code: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a code that nobody could read."""
        if self.code not in SENTENCES:
            raise UnknownNameError.of("reason", self.code, SENTENCES)

    def __str__(self) -> str:
        """The sentence."""
        return SENTENCES[self.code].format_map({name: _said(value) for name, value in self.facts.items()})


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return plain(value)
    if isinstance(value, (tuple, list)):
        return ", ".join(map(_said, value))
    return str(value)
