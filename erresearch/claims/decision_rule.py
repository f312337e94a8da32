"""From evidence to a verdict: set relations between an interval and ±δ, first match wins; then qualifiers and doubts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from erresearch.claims.registry import Claim
from erresearch.errors import DesignError, UnknownNameError
from erresearch.relate.scores import FEWEST_CLUSTERS
from erresearch.results import Doubt, Estimate, Interval, Verdict, Word, plain
from erresearch.robustness import detectable
from erresearch.schema.vocabulary import DECISIVE

__all__ = [
    "AT_LEAST",
    "DECISIVE",
    "FEWEST_CLUSTERS",
    "UNSETTLED",
    "Evidence",
    "judge",
    "left_out",
    "not_judged",
    "word_of",
]


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


def judge(
    claim: Claim,
    evidence: Evidence,
    *,
    dataset: str = "data",
    level: float = 0.95,
    simulated: bool = False,
    source: str = "from rows",
) -> Verdict:
    """Judge one claim on one data set.

    The word comes from the interval at `level` alone (:func:`word_of`); then, in this order: ends of a declared range
    that disagree, too few accounts or a refusal of the procedure make it inconclusive; an arrow claim that would be
    supported is *association only* unless its lead lies inside ±δ and the reverse direction is weaker.

    Parameters
    ----------
    claim : Claim
        With its direction and δ.
    evidence : Evidence
        The estimate and what may speak against it.
    dataset : str
        Name of the data.
    level : float
        The verdict's own level (95 % corrected for the family).
    simulated : bool
        Whether the data were simulated.
    source : str
        "from rows", "from pack" or "stored".

    Returns
    -------
    Verdict

    See Also
    --------
    examine : The same with the data sets that the claim names.
    read_claims : Where claims come from.

    Examples
    --------
    >>> from erresearch.claims import read_claims
    >>> from erresearch.results import Estimate, StudentT
    >>> reference = StudentT(0.09, 0.01, 39)
    >>> effect = Estimate("x", value=0.09, se=0.01, df=39, interval=reference.interval(0.95), n_rows=4000,
    ...     n_accounts=40, reference=reference)
    >>> placebo = StudentT(0.0, 0.01, 39)
    >>> lead = Estimate("lead", value=0.0, se=0.01, df=39, interval=placebo.interval(0.95), n_rows=4000,
    ...     n_accounts=40, reference=placebo)
    >>> judge(read_claims()[0], Evidence(effect, lead=lead, clusters=40)).words
    'supported (at least δ)'
    """
    estimate = evidence.estimate
    interval = estimate.at(level).interval
    word, size = word_of(interval, direction=claim.direction, sesoi=claim.sesoi)
    reason = _rule(claim, word, size, interval)
    for end in evidence.ends:
        other, _ = word_of(end.at(level).interval, direction=claim.direction, sesoi=claim.sesoi)
        if word in DECISIVE and other != word:
            word, size, reason = (
                "inconclusive",
                "",
                f"the declared range disagrees: {word}, but {other} for {end.name}",
            )
    barrier = evidence.barrier
    if 0 < evidence.clusters < FEWEST_CLUSTERS:
        barrier = barrier or f"only {evidence.clusters} accounts: a decisive word needs {FEWEST_CLUSTERS}"
    if barrier and word in DECISIVE:
        word, size, reason = "inconclusive", "", barrier
    if claim.arrow and word == "supported":
        weaker = _arrow(claim, evidence, level)
        if weaker:
            word, size, reason = "association only", "", weaker
    note = claim.about(dataset)
    qualifiers = [*note.qualifiers]
    if word == "supported" and evidence.fragile:
        qualifiers.insert(0, "fragile")
        reason = f"{reason}; fragile: {evidence.fragile}"
    if simulated:
        qualifiers.append("simulated")
    return Verdict(
        claim=claim.id,
        dataset=dataset,
        word=word,
        size=size,
        qualifiers=tuple(qualifiers),
        estimate=estimate if estimate.interval.level == 0.95 else estimate.at(0.95),
        interval=interval,
        sesoi=claim.sesoi,
        reason=reason,
        doubts=(*_doubts(claim, evidence, level), *_notes(claim, dataset, simulated)),
        evidence=source,
        result=evidence.result,
    )


def not_judged(claim: Claim, *, dataset: str, reason: str, simulated: bool = False) -> Verdict:
    """Say why a claim was not judged on a data set."""
    note = claim.about(dataset)
    qualifiers = (*note.qualifiers, *(["simulated"] if simulated else []))
    return Verdict(claim.id, dataset, "not judged", qualifiers=qualifiers, sesoi=claim.sesoi, reason=reason)


def _rule(claim: Claim, word: Word, size: str, interval: Interval) -> str:
    """The set relation that gave the word, in words."""
    delta = plain(claim.sesoi)
    sign = {"greater": "above", "less": "below", "absent": "outside"}[claim.direction]
    if not interval.bounded:
        return "the data set no bound on the effect"
    if word == "practically nil" or (claim.direction == "absent" and word == "supported"):
        return f"the whole interval lies inside ±{delta}"
    if claim.direction == "absent" and word == "contradicted":
        return f"the whole interval lies beyond ±{delta}"
    if word == "supported":
        return f"the whole interval lies {sign} 0" + (f" and beyond {delta}" if size == "at least δ" else "")
    if word == "contradicted":
        return f"the whole interval lies {'below' if sign == 'above' else 'above'} 0"
    if claim.direction == "absent":
        return f"the interval holds effects smaller than {delta} as well as larger ones"
    return f"the interval holds both 0 and effects beyond {delta}"


def _arrow(claim: Claim, evidence: Evidence, level: float) -> str:
    """Why an arrow claim is association only, if it is."""
    if evidence.lead is None:
        return "no lead of x could be tested, so the direction is open"
    lead = evidence.lead.at(level).interval
    if not lead.inside(-claim.sesoi, claim.sesoi):
        return f"the lead of x (a placebo) is not inside ±{plain(claim.sesoi)}: {lead}"
    back = evidence.reverse
    if (
        back is not None
        and abs(back.value) >= abs(evidence.estimate.value)
        and 0 not in back.at(level).interval
    ):
        return f"the reverse direction is at least as strong: {plain(back.value)} {back.at(level).interval}"
    return ""


def _doubts(claim: Claim, evidence: Evidence, level: float) -> list[Doubt]:
    doubts = []
    can = detectable(evidence.estimate, level=level)
    if math.isfinite(can.effect):
        doubts += [
            Doubt(
                "detectable effect",
                f"with 80 % power these data find effects from {plain(can.effect)} on",
                can.effect,
                can.effect > 2 * claim.sesoi,
            ),
            Doubt(
                "declarable nil",
                f"with 80 % power these data could declare nil for a δ from {plain(can.nil)} on "
                f"(declared: {plain(claim.sesoi)})",
                can.nil,
                can.nil > claim.sesoi,
            ),
        ]
    if evidence.lead is not None:
        lead = evidence.lead.at(level).interval
        doubts.append(
            Doubt(
                "lead placebo",
                f"next period's x “moves” y by {plain(evidence.lead.value)} {lead}",
                evidence.lead.value,
                not lead.inside(-claim.sesoi, claim.sesoi),
            )
        )
    if evidence.reverse is not None:
        back = evidence.reverse.at(level).interval
        doubts.append(
            Doubt(
                "reverse direction",
                f"y moves next period's x by {plain(evidence.reverse.value)} {back}",
                evidence.reverse.value,
                0 not in back and abs(evidence.reverse.value) >= abs(evidence.estimate.value),
            )
        )
    for end in evidence.ends:
        doubts.append(Doubt(end.name, f"{plain(end.value)} {end.at(level).interval}", end.value, False))
    return [*doubts, *evidence.doubts]


def _notes(claim: Claim, dataset: str, simulated: bool) -> list[Doubt]:
    note = claim.about(dataset)
    said = [Doubt("this data set", note.note, raised=bool(note.qualifiers))] if note.note else []
    if simulated:
        said.append(Doubt("simulated", "these rows were simulated and say nothing about the world"))
    return said
