"""What a procedure hands to the judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

from erresearch.results import Doubt, Estimate

__all__ = ["Evidence", "left_out"]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """An estimate of a claim's θ, and everything that may speak against reading it as it stands.

    Parameters
    ----------
    estimate : Estimate
        θ.
    ends : tuple of Estimate
        θ at other declared values of something unknown (the reliability range): a decisive word needs all to agree.
    lead : Estimate or None
        Placebo of an arrow claim: the "effect" of next period's x.
    reverse : Estimate or None
        The other direction of an arrow claim.
    clusters : int
        Units that inference rests on; 0 for independent rows.
    barrier : str
        Why no decisive word may be given whatever the interval; empty if none.
    fragile : str
        Why a supported word is fragile; empty if it is not.
    doubts : tuple of Doubt
        Figures to stand beside the word.
    result : object
        The value that the claim's picture draws.
    """

    estimate: Estimate
    _: KW_ONLY
    ends: tuple[Estimate, ...] = ()
    lead: Estimate | None = None
    reverse: Estimate | None = None
    clusters: int = 0
    barrier: str = ""
    fragile: str = ""
    doubts: tuple[Doubt, ...] = ()
    result: object | None = None


def left_out(dropped: Mapping[str, int]) -> list[Doubt]:
    """Rows that an estimate does without, by reason; nothing where all were used.

    Examples
    --------
    >>> [doubt.text for doubt in left_out({"not finite: log revenue": 1200, "account missing": 0})]
    ['1,200 not finite: log revenue']
    """
    said = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
    return [Doubt("rows left out", said, float(sum(dropped.values())))] if said else []
