"""From evidence to a verdict: set relations between an interval and ±δ, first match wins; then qualifiers and doubts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Final, Literal

from erresearch.claims.registry import Claim, Direction, grade, read_points
from erresearch.errors import DesignError, UnknownNameError
from erresearch.relate.inference import FEWEST_CLUSTERS
from erresearch.results import (
    Doubt,
    Estimate,
    Interval,
    Precedence,
    Reason,
    ReasonCode,
    Verdict,
    Word,
    amount_beside,
    plain,
)
from erresearch.robustness.sensitivity_analysis import detectable
from erresearch.schema.vocabulary import DECISIVE

#: In the place of an end that is not known.
_FAR: Final = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """An estimate of a claim's θ, and everything that may speak against reading it as it stands.

    Parameters
    ----------
    estimate : Estimate
        θ.
    ends : tuple of Estimate
        θ at other declared values of something unknown (the reliability range): a decisive word needs all to agree.
    order : Precedence or None
        Of an arrow claim: both directions, same period, lead and reliability over the same rows.
    without : Estimate or None
        θ without the controls whose role is ambiguous; `ambiguous` names them.
    ambiguous : tuple of str
        Controls that may be on the way from x to y.
    open_points : tuple of str
        What lowers the certainty: names of ``certainty.toml``.
    size : Estimate or None
        Where the size is read from another estimate than the word.
    capped : Estimate or None
        θ with the largest values of x capped: a claim is contradicted only where it lies on the same side.
    told : str
        What the reason ends with: an amount of money, whose sign is that of `size`.
    clusters : int
        Units that inference rests on; 0 for independent rows.
    barrier : str
        Why no decisive word may be given whatever the interval; empty if none.
    fragile : str
        Why a supported word is fragile; empty if it is not.
    doubts : tuple of Doubt
        Figures to stand beside the word.
    beside : tuple of Doubt
        What other looks at the same rows say; on registered data only.
    result : object
        The value that the claim's picture draws.
    source : {"from rows", "from pack", "stored"}
        What it rests on.
    """

    estimate: Estimate
    _: KW_ONLY
    ends: tuple[Estimate, ...] = ()
    order: Precedence | None = None
    without: Estimate | None = None
    ambiguous: tuple[str, ...] = ()
    open_points: tuple[str, ...] = ()
    size: Estimate | None = None
    capped: Estimate | None = None
    told: str = ""
    clusters: int = 0
    barrier: str = ""
    fragile: str = ""
    doubts: tuple[Doubt, ...] = ()
    beside: tuple[Doubt, ...] = ()
    result: object | None = None
    source: Literal["from rows", "from pack", "stored"] = "from rows"


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
#: Code of the doubt that says from which effect on the word would be said.
DETECTABLE: Final = "detectable-effect"
#: Code of the doubt that says that zeros and gaps took many of the rows.
COSTLY: Final = "rows-left-out"
#: Code of the doubt that says what the days of a shop could show.
SHOWN: Final = "shown"
#: A look beside the claim is held to this level at least: at 95 % looks would cost every tenth nil that is true.
_SURE: Final = 0.99


def word_of(interval: Interval, *, direction: Direction, sesoi: float) -> tuple[Word, str]:
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


def settled(interval: Interval, delta: float) -> tuple[Word, Reason]:
    """Word of an experiment's claim that there is an effect above 0, and why.

    Parameters
    ----------
    interval : Interval
        Of the effect; an end that is not known bars no word about the other side.
    delta : float
        Smallest effect of interest.

    Returns
    -------
    word : Word
    why : Reason

    Examples
    --------
    >>> word, why = settled(Interval(0.01, float("inf")), 0.05)
    >>> word, str(why)
    ('supported', 'the whole interval lies above 0')
    """
    ends = Interval(max(interval.low, -_FAR), min(interval.high, _FAR), interval.level)
    word, _ = word_of(ends, direction="greater", sesoi=delta)
    return word, _rule("greater", delta, word, "", ends if word in DECISIVE else interval)


def judge(
    claim: Claim,
    evidence: Evidence,
    *,
    dataset: str = "data",
    level: float = 0.95,
    simulated: bool = False,
) -> Verdict:
    """Judge one claim on one data set.

    The word comes from the interval at `level` (:func:`word_of`); then, in this order:

    1. ends of a declared range that disagree, too few accounts, a refusal of the procedure, halves of the periods that
       point to opposite sides, or another word without controls whose role is ambiguous, make it *inconclusive*;
    2. an arrow whose interval lies beyond 0 must pass a gate, whichever way it points, and one more where it speaks
       against the claim, or it is *association only*; one inside ±δ must pass a third, or it is *inconclusive*.

    Where x and y move together within the period the reason says so first. Every word has its certainty beside it.

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
    >>> judge(read_claims()[0], Evidence(effect, clusters=40)).words
    'association only, certainty low'
    """
    estimate, open_points = evidence.estimate, [*evidence.open_points]
    word, size, reason = _decided(claim, evidence, level)
    if reason.code == ReasonCode.DEPENDS_ON_ADJUSTMENT:
        open_points.append("depends-on-adjustment")
    same, later = _same_period(evidence.order, level), _later(evidence.order, claim.sesoi, level)
    looks = (same, later) if claim.arrow else ()
    said = "; ".join(str(one) for one in (*looks, reason) if one is not None)
    if evidence.told:
        seen, amount = (one.at(level).interval for one in (estimate, evidence.size or estimate))
        said = f"{said}; {amount_beside(word, seen, amount, claim.sesoi)}{evidence.told}"
    note = claim.about(dataset)
    qualifiers = [*note.qualifiers]
    open_points += [name for name in qualifiers if name in read_points().change]
    if word == "supported" and evidence.fragile:
        qualifiers.insert(0, "fragile")
        open_points.append("models-disagree")
        said = f"{said}; fragile: {evidence.fragile}"
    if simulated:
        qualifiers.append("simulated")
    return Verdict(
        claim=claim.id,
        dataset=dataset,
        word=word,
        size=size,
        qualifiers=tuple(qualifiers),
        estimate=estimate if estimate.interval.level == 0.95 else estimate.at(0.95),
        interval=estimate.at(level).interval,
        sesoi=claim.sesoi,
        reason=said,
        reason_code=reason.code,
        certainty=grade(note.design or claim.design, open_points),
        doubts=(*_doubts(claim, evidence, level), *_notes(claim, dataset, simulated)),
        evidence=evidence.source,
        result=evidence.result,
    )


def _decided(claim: Claim, evidence: Evidence, level: float) -> tuple[Word, str, Reason]:
    """Word, what is known of the size, and why: the interval first, then what may not be said in spite of it."""
    estimate = evidence.estimate.at(level)
    interval = estimate.interval
    word, size = word_of(interval, direction=claim.direction, sesoi=claim.sesoi)
    if size and evidence.size is not None:
        about = evidence.size.at(level).interval
        size = word_of(about, direction=claim.direction, sesoi=claim.sesoi)[1] or UNSETTLED
    reason = _rule(claim.direction, claim.sesoi, word, size, interval)
    if word not in DECISIVE:
        return word, size, reason
    if (barred := _barred(claim, evidence, word, level)) is not None:
        return "inconclusive", "", barred
    if claim.arrow:
        word, closed = _gated(claim, evidence, word, interval, level)
        if closed is not None:
            return word, "", closed
    return word, size, reason


def _barred(claim: Claim, evidence: Evidence, word: Word, level: float) -> Reason | None:
    """Ends of a declared range that disagree, a refusal of the procedure, too few accounts, opposite halves.

    Or that another word would be said without controls that may be on the way from x to y.
    """

    def disagrees(other: Estimate) -> bool:
        return word_of(other.at(level).interval, direction=claim.direction, sesoi=claim.sesoi)[0] != word

    found = evidence.estimate.at(level)
    for end in filter(disagrees, evidence.ends):
        return Reason(ReasonCode.RANGE_DISAGREES, {"found": found, "other": end.at(level), "end": end.name})
    if evidence.barrier:
        return Reason(ReasonCode.OTHER, {"text": evidence.barrier})
    if 0 < evidence.clusters < FEWEST_CLUSTERS:
        return Reason(ReasonCode.FEW_CLUSTERS, {"clusters": evidence.clusters, "needed": FEWEST_CLUSTERS})
    # no word holds for halves of the periods that lie on opposite sides of 0
    if evidence.order and {_side(half.at(level).interval) for half in evidence.order.halves[:2]} == {-1, 1}:
        return _halves_apart(evidence.order, level)
    if evidence.without is None or not disagrees(evidence.without):
        return None
    facts = {"held": evidence.ambiguous, "found": found, "without": evidence.without.at(level)}
    return Reason(ReasonCode.DEPENDS_ON_ADJUSTMENT, facts)


def _gated(
    claim: Claim, evidence: Evidence, word: Word, interval: Interval, level: float
) -> tuple[Word, Reason | None]:
    """The word of an arrow once it has met its gates, and the one that is closed."""
    if interval.inside(-claim.sesoi, claim.sesoi):
        closed = _nil_gate(evidence.order, interval, claim.sesoi, level)
        return ("inconclusive" if closed is not None else word), closed
    sign = 1 if interval.low > 0 else -1
    if claim.direction == "absent" and sign < 0:
        return "inconclusive", Reason(ReasonCode.LOSS_IS_NO_GAIN, {"sesoi": claim.sesoi})
    against = word == "contradicted" and claim.direction != "absent"
    closed = _movement_gate(evidence.order, evidence.estimate, sign, level)
    if closed is None and against and evidence.order is not None:
        closed = _loss_gate(evidence.order, evidence.capped, sign, level)
    return ("association only" if closed is not None else word), closed


def _side(interval: Interval) -> int:
    """1 where the interval lies above 0, −1 below, 0 where it holds 0."""
    return int(interval.low > 0) - int(interval.high < 0)


def _matters(found: Estimate, sesoi: float, level: float) -> bool:
    """Whether a look beside the claim is apart from 0, and may be as large as δ."""
    apart = _side(found.at(max(level, _SURE)).interval) != 0
    return apart and not found.at(level).interval.inside(-sesoi, sesoi)


def _halves_apart(order: Precedence, level: float) -> Reason:
    first, second = (half.at(level) for half in order.halves[:2])
    return Reason(ReasonCode.HALVES_APART, {"first": first, "second": second})


def _movement_gate(order: Precedence | None, estimate: Estimate, sign: int, level: float) -> Reason | None:
    """Why it may not be said that x moves y, if it may not.

    The effect of the period before must lie on one side of 0 with x of the same period held (that is `estimate`) and
    without it: what works at once, or works back at once, bends one of the two. It must go with y more than what comes
    after y does, and more than y goes with the x that follows.
    """
    if order is None or order.over_lead is None:
        return Reason(ReasonCode.NO_LEAD)
    if _side(order.forward.at(level).interval) != sign:
        return Reason(ReasonCode.ONLY_BESIDE_SAME_PERIOD, {"found": order.forward.at(level)})
    over = order.over_lead.at(level)
    if _side(over.interval) != sign:
        return Reason(ReasonCode.NOT_OVER_LEAD, {"found": over})
    back = order.reverse.at(level)
    if _side(back.interval) and abs(back.value) >= abs(estimate.value):
        return Reason(ReasonCode.REVERSE_AS_STRONG, {"found": back})
    return None


def _loss_gate(order: Precedence, capped: Estimate | None, sign: int, level: float) -> Reason | None:
    """Why a claim may not be called contradicted, if it may not: what goes up first and is gone then is no loss.

    The same period must not move the other way, as in a promotion, nor all hang on the largest x: a hit may sell out.
    """
    same = order.contemporaneous
    if same is not None and _side(same.at(level).interval) == -sign:
        return Reason(ReasonCode.SAME_PERIOD_OTHER_WAY, {"same": order.same})
    if capped is not None and _side(capped.at(level).interval) != sign:
        return Reason(ReasonCode.ONLY_WITH_LARGEST, {"found": capped.at(level)})
    return None


def _nil_gate(order: Precedence | None, interval: Interval, sesoi: float, level: float) -> Reason | None:
    """Why *practically nil* may not be said although the next period's interval lies inside ±δ, if it may not.

    Both the next and the same period must lie inside ±λδ, where λ is the least share of either slope that errors in
    measuring x leave: its reliability given the model's other regressors. No later period may move (:func:`_later`), and
    the two halves of the periods may not differ by what may matter: opposite effects sum to nothing.
    """
    if order is None or order.contemporaneous is None or order.reliability is None:
        return Reason(ReasonCode.SAME_PERIOD_UNKNOWN)
    found = order.contemporaneous.at(level)
    same = found.interval
    if not same.inside(-sesoi, sesoi):
        facts = {"found": found, "sesoi": sesoi, "same": order.same, "after": order.after}
        # the number of one that is away from 0 stands before the rule
        code = ReasonCode.SAME_PERIOD_MOVES if _side(same) else ReasonCode.SAME_PERIOD_OPEN
        return Reason(code, facts)
    moves = _later(order, sesoi, level)
    if moves is not None:
        return Reason(ReasonCode.LATER_PERIOD_OPEN, moves.facts)
    if order.halves and _matters(order.halves[2], sesoi, level):
        return _halves_apart(order, level)
    if not order.reliability.known:
        return Reason(ReasonCode.RELIABILITY_UNKNOWN, {"sesoi": sesoi})
    for ends, share in ((interval, order.explained[1]), (same, order.explained[0])):
        kept = order.reliability.given(share)
        if not ends.inside(-kept * sesoi, kept * sesoi):
            facts = {"kept": kept, "inner": kept * sesoi, "sesoi": sesoi, "reliability": order.reliability}
            return Reason(ReasonCode.RELIABILITY_TOO_LOW, facts)
    return None


def _same_period(order: Precedence | None, level: float) -> Reason | None:
    """That x and y move together within the period, where they do: a finding of its own, without a direction."""
    if order is None or order.contemporaneous is None:
        return None
    same = order.contemporaneous.at(level)
    facts = {"found": same, "same": order.same}
    return Reason(ReasonCode.SAME_PERIOD_TOGETHER, facts) if _side(same.interval) else None


def _later(order: Precedence | None, sesoi: float, level: float) -> Reason | None:
    """That y first moves two or more periods after x by what may matter, where it does: of the lag that moves most.

    Not looked for where the same or the next period moves: what an early effect leaves in later coefficients, beside
    the past of y, is no effect of its own.
    """
    if order is None or order.contemporaneous is None:
        return None
    if any(_side(one.at(level).interval) for one in (order.contemporaneous, order.forward)):
        return None
    moves = [(lag, one.at(level)) for lag, one in order.lags if lag > 1 and _matters(one, sesoi, level)]
    if not moves:
        return None
    lag, most = max(moves, key=lambda each: abs(each[1].value))
    return Reason(ReasonCode.LATER_PERIOD_MOVES, {"lag": lag, "found": most, "after": order.after})


def not_judged(
    claim: Claim, *, dataset: str, reason: str, code: str = "", simulated: bool = False
) -> Verdict:
    """Say why a claim was not judged on a data set."""
    qualifiers = (*claim.about(dataset).qualifiers, *(["simulated"] if simulated else []))
    verdict = Verdict(claim.id, dataset, "not judged", qualifiers=qualifiers, sesoi=claim.sesoi)
    return replace(verdict, reason=reason, reason_code=code)


def _rule(direction: Direction, sesoi: float, word: Word, size: str, interval: Interval) -> Reason:
    """The set relation that gave the word."""
    facts: dict[str, object] = {"sesoi": sesoi, "side": "above" if interval.low > 0 else "below"}
    if not interval.bounded:
        return Reason(ReasonCode.NO_BOUND)
    if word == "practically nil" or (direction == "absent" and word == "supported"):
        return Reason(ReasonCode.INSIDE_SESOI, facts)
    if direction == "absent":
        beyond = word == "contradicted"
        return Reason(ReasonCode.BEYOND_SESOI if beyond else ReasonCode.HOLDS_SMALL_AND_LARGE, facts)
    if word in DECISIVE:
        return Reason(ReasonCode.BEYOND_ZERO_AND_SESOI if size == AT_LEAST else ReasonCode.BEYOND_ZERO, facts)
    return Reason(ReasonCode.HOLDS_ZERO_AND_LARGE, facts)


def _doubts(claim: Claim, evidence: Evidence, level: float) -> list[Doubt]:
    # what days could show is read from the shop's own noise, stands first and takes the place of the formula
    shown = any(doubt.code == SHOWN for doubt in evidence.doubts)
    doubts = [*evidence.doubts] if shown else []
    lines = (-claim.sesoi, claim.sesoi)
    effect, nil = word_power(evidence.order if claim.arrow else None, evidence.estimate, level=level)
    if math.isfinite(effect) and not shown:
        told = plain(effect, beside=lines)
        said = f"these data would catch an effect of {told} or more four times in five"
        if claim.arrow:
            said = f"an effect of {told} or more would get the word four times in five"
        doubts.append(Doubt("detectable effect", said, effect, effect > 2 * claim.sesoi, DETECTABLE))
        could = (
            f"these data could show nil four times in five for a δ of {plain(nil, beside=lines)} or more"
            if math.isfinite(nil)
            else "these data can show nil for no δ: how much of x is measurement error is not known, or is too much"
        )
        declared = f"{could} (declared: {plain(claim.sesoi)})"
        doubts.append(Doubt("declarable nil", declared, nil, nil > claim.sesoi))
    order = evidence.order
    if order is not None:
        doubts += _orders(order, evidence.estimate, level, lines)
    for end in evidence.ends:
        doubts.append(Doubt(end.name, end.at(level).number(*lines), end.value, False))
    return [*doubts, *evidence.beside, *([] if shown else evidence.doubts)]


def word_power(order: Precedence | None, estimate: Estimate, *, level: float) -> tuple[float, float]:
    """Least effect and least δ for which the *word* would be said four times in five: every gate, not the interval alone.

    Two intervals must lie beyond 0 (the effect and its contrast with the lead), two inside ±λδ; each is given a chance
    of nine in ten, so that both hold four times in five however they go together.

    Returns
    -------
    effect, nil : float
        Infinite where the word cannot be said at any size.
    """
    if order is None or order.over_lead is None or order.contemporaneous is None:
        can = detectable(estimate, level=level, power=0.8)
        return can.effect, can.nil
    each = 0.9
    try:
        effect = max(detectable(one, level=level, power=each).effect for one in (estimate, order.over_lead))
        if order.reliability is None or not order.reliability.known:
            return effect, math.inf
        pairs = ((estimate, order.explained[1]), (order.contemporaneous, order.explained[0]))
        kept = [(one, order.reliability.given(share)) for one, share in pairs]
        if min(share for _, share in kept) <= 0:
            return effect, math.inf
        nil = max(detectable(one, level=level, power=each).nil / share for one, share in kept)
    except DesignError:  # an estimate that was stored without its distribution
        return math.inf, math.inf
    return effect, nil


def _orders(order: Precedence, estimate: Estimate, level: float, lines: tuple[float, float]) -> list[Doubt]:
    """What stands beside an arrow: lead, other direction, same period, both together, reliability."""
    same, after = order.same, order.after
    # by day the time after is one window, so that the lead is the other direction too
    back = None if order.reverse is order.lead else order.reverse
    found = []
    together = f"x and y of the {same} go together by {{}}; that has no direction"
    # what is raised where it is apart from 0, and from which size on; the others only stand beside
    least = {"lead placebo": 0.0, "reverse direction": abs(estimate.value)}
    for name, one, said in (
        ("lead placebo", order.lead, f"x of the {after} “moves” y by {{}}"),
        ("reverse direction", back, f"y moves x of the {after} by {{}}"),
        ("same period", order.contemporaneous, together),
        ("before less the lead", order.over_lead, "x before y less x after y: {}"),
        ("same and next period together", order.cumulated, f"the {same} and the {after} add up to {{}}"),
    ):
        if one is not None:
            at = one.at(level)
            raised = 0 not in at.interval and abs(at.value) >= least.get(name, math.inf)
            found.append(Doubt(name, said.format(at.number(*lines)), at.value, raised))
    if order.halves:
        first, second, change = (half.at(level) for half in order.halves)
        said = f"first half of the periods {first.number(*lines)}, second half {second.number(*lines)}"
        found.append(Doubt("halves", said, change.value, _matters(change, lines[1], level)))
    if order.reliability is not None:
        known = order.reliability
        found.append(Doubt("reliability", str(known), known.value, not known.known))
    return found


def _notes(claim: Claim, dataset: str, simulated: bool) -> list[Doubt]:
    note = claim.about(dataset)
    said = [Doubt("this data set", note.note, raised=bool(note.qualifiers))] if note.note else []
    if simulated:
        said.append(Doubt("simulated", "these rows were simulated and say nothing about the world"))
    return said
