"""What an arrow must pass beside its interval: gates of a movement, gates of a nil, and findings of their own."""

from __future__ import annotations

from typing import Final

from erresearch.results import Estimate, Interval, Precedence, Reason, ReasonCode

#: A look beside the claim is held to this level at least: at 95 % looks would cost every tenth nil that is true.
_SURE: Final = 0.99


def _side(interval: Interval) -> int:
    """1 where the interval lies above 0, −1 below, 0 where it holds 0."""
    return int(interval.low > 0) - int(interval.high < 0)


def movement_gate(
    order: Precedence | None, estimate: Estimate, *, sign: int, level: float, against: bool = False
) -> Reason | None:
    """Why it may not be said that x moves y, if it may not.

    The effect of the period before must lie on one side of 0 with x of the same period held (that is `estimate`) and
    without it: what works at once, or works back at once, bends one of the two. It must go with y more than what comes
    after y does, and more than y goes with the x that follows. A claim is contradicted only where the same period does
    not move the other way: a dip after a rise is no loss.

    Parameters
    ----------
    order : Precedence or None
        Both directions, same period and lead over the same rows.
    estimate : Estimate
        What the claim's word was read from.
    sign : {1, −1}
        The side of 0 on which it lies.
    level : float
        Level of the verdict.
    against : bool
        Whether the word would be *contradicted*.

    Returns
    -------
    Reason or None
        The first gate that is closed.
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
    if against and order.contemporaneous is not None:
        same = order.contemporaneous.at(level)
        if _side(same.interval) == -sign:
            return Reason(ReasonCode.SAME_PERIOD_OTHER_WAY, {"found": same, "same": order.same})
    return None


def nil_gate(order: Precedence | None, interval: Interval, *, sesoi: float, level: float) -> Reason | None:
    """Why *practically nil* may not be said although the next period's interval lies inside ±δ, if it may not.

    Both the next and the same period must lie inside ±λδ, where λ is the least share of either slope that errors in
    measuring x leave: its reliability given the model's other regressors. No later period may move (:func:`later`), and
    the two halves of the periods may not differ by what may matter: opposite effects sum to nothing.

    Parameters
    ----------
    order : Precedence or None
        With the same period, the reliability of x and what the other regressors explain.
    interval : Interval
        Of the next period.
    sesoi : float
        δ.
    level : float
        Level of the verdict.

    Returns
    -------
    Reason or None
        The first gate that is closed.
    """
    if order is None or order.contemporaneous is None or order.reliability is None:
        return Reason(ReasonCode.SAME_PERIOD_UNKNOWN)
    found = order.contemporaneous.at(level)
    same = found.interval
    if not same.inside(-sesoi, sesoi):
        return Reason(
            ReasonCode.SAME_PERIOD_OPEN,
            {"found": found, "sesoi": sesoi, "same": order.same, "after": order.after},
        )
    moves = later(order, sesoi=sesoi, level=level)
    if moves is not None:
        return Reason(ReasonCode.LATER_PERIOD_OPEN, moves.facts)
    if halves_differ(order, sesoi=sesoi, level=level):
        first, second, _ = (half.at(level) for half in order.halves)
        return Reason(ReasonCode.HALVES_APART, {"first": first, "second": second})
    if not order.reliability.known:
        return Reason(ReasonCode.RELIABILITY_UNKNOWN, {"sesoi": sesoi})
    for ends, share in ((interval, order.explained[1]), (same, order.explained[0])):
        kept = order.reliability.given(share)
        if not ends.inside(-kept * sesoi, kept * sesoi):
            facts = {"kept": kept, "inner": kept * sesoi, "sesoi": sesoi, "reliability": order.reliability}
            return Reason(ReasonCode.RELIABILITY_TOO_LOW, facts)
    return None


def same_period(order: Precedence | None, level: float) -> Reason | None:
    """That x and y move together within the period, where they do: a finding of its own, without a direction."""
    if order is None or order.contemporaneous is None:
        return None
    same = order.contemporaneous.at(level)
    facts = {"found": same, "same": order.same}
    return Reason(ReasonCode.SAME_PERIOD_TOGETHER, facts) if _side(same.interval) else None


def later(order: Precedence | None, *, sesoi: float, level: float) -> Reason | None:
    """That y first moves two or more periods after x, where it does, by what may matter.

    Not looked for where the same or the next period moves: what an early effect leaves in later coefficients, beside
    the past of y, is no effect of its own.

    Parameters
    ----------
    order : Precedence or None
        With the lags of its forward model.
    sesoi : float
        δ: what lies inside ±δ is left unsaid.
    level : float
        Level of the verdict.

    Returns
    -------
    Reason or None
        About the lag that moves most.
    """
    if order is None or order.contemporaneous is None:
        return None
    lags = [(lag, found) for lag, found in order.lags if lag > 1]
    if not lags or any(_side(one.at(level).interval) for one in (order.contemporaneous, order.forward)):
        return None
    moves = [(lag, one.at(level)) for lag, one in lags if _matters(one, sesoi=sesoi, level=level)]
    if not moves:
        return None
    lag, most = max(moves, key=lambda each: abs(each[1].value))
    return Reason(ReasonCode.LATER_PERIOD_MOVES, {"lag": lag, "found": most, "after": order.after})


def halves_differ(order: Precedence, *, sesoi: float, level: float) -> bool:
    """Whether the effect changed by what may matter from the first half of the periods to the second."""
    return bool(order.halves) and _matters(order.halves[2], sesoi=sesoi, level=level)


def _matters(found: Estimate, *, sesoi: float, level: float) -> bool:
    """Whether a look beside the claim is apart from 0, and may be as large as δ."""
    apart = _side(found.at(max(level, _SURE)).interval) != 0
    return apart and not found.at(level).interval.inside(-sesoi, sesoi)


def halves_apart(order: Precedence | None, level: float) -> Reason | None:
    """That the two halves of the periods point to opposite sides of 0, where they do: no word holds for both.

    Parameters
    ----------
    order : Precedence or None
        With the halves of its periods, where they could be looked at.
    level : float
        Level of the verdict.

    Returns
    -------
    Reason or None
    """
    if order is None or not order.halves:
        return None
    first, second, _ = (half.at(level) for half in order.halves)
    facts = {"first": first, "second": second}
    return (
        Reason(ReasonCode.HALVES_APART, facts) if _side(first.interval) * _side(second.interval) < 0 else None
    )
