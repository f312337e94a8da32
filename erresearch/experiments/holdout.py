"""Holds a random part of the recipients of a newsletter out, and says what the letters brought."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.claims.decision_rule import settled
from erresearch.claims.registry import grade
from erresearch.engine.sources import as_narwhals
from erresearch.errors import Count, DataError, DesignError, missing_columns
from erresearch.experiments.history import Array, Flags, as_numbers
from erresearch.experiments.judging import registration
from erresearch.metrics.comparisons import welch
from erresearch.results import Doubt, StudentT, Verdict, plain

#: Shares that are compared; the smallest that finds the smallest effect of interest is taken.
SHARES: Final = (0.05, 0.1, 0.2, 0.3, 0.5)
#: Sum of the quantiles for p ≤ .05 and 80 % power.
FOUND_80: Final = 2.8
FEWEST: Final = 50  # people on either side: below it a mean of purchases is not near a normal


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """A plan by person: who gets no letters follows from a seed and the person's own id, so no list is stored.

    Parameters
    ----------
    outcome, person : str
        Columns of the outcome and of the ids.
    share : float
        Share that is held out.
    delta : float
        Smallest effect of interest, in the outcome's unit by person.
    people : int
        People on the list.
    digest : str
        SHA-256 of their ids and past outcomes: the seed.
    members : str
        SHA-256 of the ids alone, to notice a list that changed.
    detectable : float
        Effect by person that is found four times in five.
    claim, forecast, wagered : str, float, str
        What was registered before the start, and when; empty and 0 until :func:`~erresearch.experiments.wager`.

    See Also
    --------
    plan_holdout : Makes one.
    """

    outcome: str
    person: str
    share: float
    delta: float
    people: int
    digest: str
    members: str
    detectable: float
    claim: str = ""
    forecast: float = 0.0
    wagered: str = ""

    @property
    def deposit(self) -> str:
        """SHA-256 of all of this: deposit it where others can see its date."""
        return _hash([f"{field.name}={getattr(self, field.name)!r}" for field in fields(self)])

    def held(self, ids: Iterable[object]) -> Flags:
        """Whether each person gets no letters; the same answer whenever it is asked.

        Examples
        --------
        >>> plan = Holdout(outcome="revenue", person="id", share=0.5, delta=1.0, people=4, digest="a", members="b",
        ...                detectable=1.0)
        >>> bool((plan.held([1, 2, 3]) == plan.held(["1", "2", "3"])).all())
        True
        """
        return np.array([_draw(self.digest, person) < self.share for person in ids], dtype=bool)

    def __str__(self) -> str:
        """What it can find, and what it costs."""
        delta, lost = plain(self.delta, ",.2f"), plain(self.share * self.people * self.delta, ",.0f")
        missed = (
            ""
            if self.detectable <= self.delta
            else ", which would be missed more often: wait for a longer list or stretch"
        )
        return (
            f"{100 * self.share:.0f} % of {self.people:,} people get no letters, drawn at random. "
            f"{plain(self.detectable, ',.2f')} of {self.outcome} a person would be found four times in five; "
            f"{delta} is the smallest effect of interest{missed}. "
            f"Holding them out costs {lost} of {self.outcome} in all if letters bring {delta} a person. "
            "Nobody who is held out may be deceived."
        )


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _draw(seed: str, person: object) -> float:
    """A number in [0, 1) that follows from seed and person."""
    return int.from_bytes(hashlib.sha256(f"{seed}\t{person}".encode()).digest()[:8], "big") / 2**64


def _people(table: Any, outcome: str, person: str) -> tuple[list[str], Array]:
    frame = as_narwhals(table, pass_through=True)
    if not isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        raise DataError("the list of people is no table", got=type(table).__name__, fix="give a data frame")
    present = frame.collect_schema().names()
    if lacking := [name for name in (person, outcome) if name not in present]:
        way = "say which hold the id and the amount: person= and outcome= (--person, --outcome)"
        raise missing_columns(lacking, present, where="the list of people", fix=way)
    rows = frame.select(person, outcome)
    rows = rows.collect() if isinstance(rows, nw.LazyFrame) else rows
    ids = [str(each) for each in rows[person].to_list()]
    values = as_numbers(rows[outcome].to_numpy(), outcome)
    if not np.isfinite(values).all():
        raise DataError(
            f"`{outcome}` is empty or infinite for some people",
            got=f"{int((~np.isfinite(values)).sum()):,} of {len(values):,}",
            fix="write 0 for people who bought nothing",
        )
    if len(set(ids)) < len(ids):
        raise DataError(
            "a person stands twice",
            got=f"{Count(len(ids) - len(set(ids))):row} too many",
            fix="add up each person's rows",
        )
    return ids, values


def plan_holdout(
    people: Any, *, delta: float, outcome: str = "revenue", person: str = "person", share: float | None = None
) -> Holdout:
    """Plan whom to hold out of a newsletter.

    Parameters
    ----------
    people : frame
        One row for each person on the list: an id, and the outcome over a past stretch as long as the plan will be, 0 for
        those who bought nothing.
    delta : float
        Smallest effect of interest, in the outcome's unit by person.
    outcome, person : str
        Columns.
    share : float, optional
        Share to hold out; otherwise the smallest of 5, 10, 20, 30 and 50 % that finds `delta` four times in five.

    Returns
    -------
    Holdout
        Ask its :meth:`~Holdout.held` whom to leave out.

    Raises
    ------
    DesignError
        If the list is too short, or a number makes no sense.
    DataError
        For people that stand twice or outcomes that are no numbers.

    See Also
    --------
    judge_holdout : Judges what came of it.

    Notes
    -----
    The effect that is found four times in five is 2.8 σ √(1/n₀ + 1/n₁), with σ from the past.

    Examples
    --------
    >>> import pandas as pd
    >>> spent = np.where(np.arange(20_000) % 50 == 0, 60.0, 0.0)
    >>> plan = plan_holdout(pd.DataFrame({"person": range(20_000), "revenue": spent}), delta=0.5)
    >>> print(f"{plan.share:.0%} held out, {plan.detectable:.2f} would be found")
    20% held out, 0.42 would be found
    """
    if not (isinstance(delta, (int, float)) and math.isfinite(delta) and delta > 0):
        raise DesignError(
            "`delta` must be positive", got=repr(delta), fix="say what one person must bring more"
        )
    if share is not None and not 0 < share < 1:
        raise DesignError("`share` must lie between 0 and 1", got=repr(share), fix="use 0.1 for 10 %")
    ids, values = _people(people, outcome, person)
    n = len(ids)
    if n * min(share or 0.5, 1 - (share or 0.5)) < FEWEST:
        raise DesignError(
            "too few people would be on one side",
            got=f"{n:,} people",
            allowed=f"{FEWEST} or more on either side",
            fix="hold out half of them, or wait for a longer list",
        )
    spread = float(values.std(ddof=1))

    def found(part: float) -> float:
        return FOUND_80 * spread * math.sqrt(1 / (n * part) + 1 / (n * (1 - part)))

    if share is None:
        share = next((each for each in SHARES if found(each) <= delta and n * each >= FEWEST), SHARES[-1])
    past = [f"{name}\t{value:.8g}" for name, value in sorted(zip(ids, values, strict=True))]
    return Holdout(
        outcome=outcome,
        person=person,
        share=share,
        delta=delta,
        people=n,
        digest=_hash(past),
        members=_hash(sorted(ids)),
        detectable=found(share),
    )


def judge_holdout(people: Any, plan: Holdout, *, name: str = "the list", hash: str | None = None) -> Verdict:
    """Judge what letters brought: compare people who were to get them with people who were held out.

    Parameters
    ----------
    people : frame
        One row for each person of the plan, with the outcome since the start: 0 for those who bought nothing, and for
        those who left the list too. Everybody counts as assigned, whether or not they opened a letter.
    plan : Holdout
        As planned.
    name : str
        Name of the list, for the verdict.
    hash : str, optional
        What was deposited of a plan with a wager; without it the verdict says that registration is unproven.

    Returns
    -------
    Verdict
        The difference of means with Welch's interval.

    Raises
    ------
    DataError
        For people that stand twice, outcomes that are no numbers, or ids that are written otherwise than in the plan.
    DesignError
        If too few people are on one side.

    See Also
    --------
    plan_holdout : Makes the plan.
    erresearch.judge_experiment : The same for pauses in time.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> past = pd.DataFrame({"person": range(4000), "revenue": rng.exponential(1.0, 4000)})
    >>> plan = plan_holdout(past, delta=0.2)
    >>> after = past.assign(revenue=rng.exponential(1.0, 4000) + 0.5 * ~plan.held(past["person"]))
    >>> judge_holdout(after, plan).word
    'supported'
    """
    ids, values = _people(people, plan.outcome, plan.person)
    held = plan.held(ids)
    left, right = values[~held], values[held]
    if min(len(left), len(right)) < FEWEST:
        raise DesignError(
            "too few people are on one side",
            got=f"{len(left):,} and {len(right):,}",
            fix="give the whole list",
        )
    sides = (left, right)
    parts = np.array([side.var(ddof=1) / len(side) for side in sides])
    se = math.sqrt(parts.sum())
    df = welch(parts, np.array([len(side) - 1.0 for side in sides])) if se else math.inf
    effect = StudentT(float(left.mean() - right.mean()), se, df).estimate(
        f"letters on {plan.outcome}",
        0.95,
        n_rows=len(ids),
        unit="a person",
        method="difference of means as assigned, Welch",
    )
    changed = _hash(sorted(ids)) != plan.members
    if changed and len(ids) == plan.people:
        raise DataError(
            "the list has as many people as the plan, and other ids, by which other people would be held out",
            fix="write the ids as they were, zeros in front included; keep people who left, with 0",
        )
    altered = ": the list changed; ids must be as they were, and people who left stay in it with 0"
    text = f"{len(ids):,} people, {plan.people:,} when it was planned{altered * changed}"
    doubts = (
        registration(plan.deposit, plan.wagered, hash, expected=f"{plan.forecast:g} a person"),
        Doubt("people", text, value=len(ids), raised=changed, code="list-changed"),
        Doubt(
            "as assigned", f"{len(right):,} held out, {len(left):,} not", value=len(right), code="assigned"
        ),
    )
    word, why = settled(effect.interval, plan.delta)
    sure = grade("randomised", [doubt.code for doubt in doubts if doubt.raised])
    return Verdict(
        f"letters bring {plan.outcome}",
        name,
        word,
        estimate=effect,
        interval=effect.interval,
        sesoi=plan.delta,
        reason=f"{why}; drawn at random",
        reason_code=why.code,
        certainty=sure,
        doubts=doubts,
    )
