"""From evidence to a verdict: the word, its qualifiers and the doubts, by rule."""

from __future__ import annotations

import math

from erresearch.claims.evidence import Evidence
from erresearch.claims.registry import Claim
from erresearch.claims.words import word_of
from erresearch.inference import FEWEST_CLUSTERS
from erresearch.results import Doubt, Interval, Verdict, Word, plain
from erresearch.robustness import detectable
from erresearch.schema.vocabulary import DECISIVE

__all__ = ["DECISIVE", "FEWEST_CLUSTERS", "judge", "not_judged"]


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
