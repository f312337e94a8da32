"""What a decisive word about an arrow must pass, in both directions, and what a nil must."""

from __future__ import annotations

from erresearch.results import Estimate, Interval, Precedence, Reason, ReasonCode

__all__ = ["movement_gate", "nil_gate", "same_period"]


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
    alone = order.forward.at(level).interval
    if _side(alone) != sign:
        return Reason(ReasonCode.ONLY_BESIDE_SAME_PERIOD, {"value": order.forward.value, "interval": alone})
    over = order.over_lead.at(level).interval
    if _side(over) != sign:
        return Reason(ReasonCode.NOT_OVER_LEAD, {"value": order.over_lead.value, "interval": over})
    back = order.reverse.at(level).interval
    if _side(back) and abs(order.reverse.value) >= abs(estimate.value):
        return Reason(ReasonCode.REVERSE_AS_STRONG, {"value": order.reverse.value, "interval": back})
    if against and order.contemporaneous is not None:
        same = order.contemporaneous.at(level).interval
        if _side(same) == -sign:
            return Reason(
                ReasonCode.SAME_PERIOD_OTHER_WAY, {"value": order.contemporaneous.value, "interval": same}
            )
    return None


def nil_gate(order: Precedence | None, interval: Interval, *, sesoi: float, level: float) -> Reason | None:
    """Why *practically nil* may not be said although the next period's interval lies inside ±δ, if it may not.

    Both the next and the same period must lie inside ±λδ, where λ is the least share of either slope that errors in
    measuring x leave: its reliability given the model's other regressors.

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
    same = order.contemporaneous.at(level).interval
    if not same.inside(-sesoi, sesoi):
        facts = {"value": order.contemporaneous.value, "interval": same, "sesoi": sesoi}
        return Reason(ReasonCode.SAME_PERIOD_OPEN, facts)
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
    same = order.contemporaneous.at(level).interval
    if not _side(same):
        return None
    return Reason(ReasonCode.SAME_PERIOD_TOGETHER, {"value": order.contemporaneous.value, "interval": same})
