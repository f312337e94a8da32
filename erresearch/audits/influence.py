"""What one entity's verdict leans on: a single period that carries it, or too few periods whose logarithm there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from erresearch.claims import Claim, examine
from erresearch.results import Doubt, Estimate, Verdict, first_largest
from erresearch.schema.vocabulary import DECISIVE, PERIODS, Freq

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["carried_by_one", "explained", "played"]

# five rows of a hundred less, which is what leaving one period out takes, widen an interval by a few per cent
_WIDER = 1.5
_TOO_FEW = ("complete rows cannot carry", "no row has all")
_LONGER = {"D": "judge by week (--freq W)", "W": "judge by month (--freq M)", "M": ""}


def played(claim: Claim, role: str, table: pd.DataFrame) -> str | None:
    """The column of a table that plays a role in a claim; None where none does."""
    return next((name for name in claim.roles.get(role, ()) if name in table.columns), None)


def explained(verdict: Verdict, claim: Claim, table: pd.DataFrame, freq: Freq) -> Verdict:
    """Say which figures of 0 leave too few rows, where a model of logarithms could not be fitted for that.

    Parameters
    ----------
    verdict : Verdict
        What came of it.
    claim : Claim
        The claim.
    table : pandas.DataFrame
        The panel's rows.
    freq : {"D", "W", "M"}
        Length of a period.

    Returns
    -------
    Verdict
        With a longer reason; as it was where rows were not what was wanting, or where nothing is 0.
    """
    if verdict.word != "not judged" or not any(words in verdict.reason for words in _TOO_FEW):
        return verdict
    names = [played(claim, role, table) for role in claim.options.get("logs", ())]
    zeros = {name: int((table[name] <= 0).sum()) for name in names if name is not None}
    said = [f"{name} is 0 in {n:,} of {len(table):,} {PERIODS[freq].one}s" for name, n in zeros.items() if n]
    if not said:
        return verdict
    hint = f"; {_LONGER[freq]}" if _LONGER[freq] else ""
    text = f"{', '.join(said)}, where there is no logarithm, and neighbours in time are needed too: {verdict.reason}"
    return replace(verdict, reason=text.rstrip(".") + hint)


def carried_by_one(verdict: Verdict, claim: Claim, table: pd.DataFrame, freq: Freq) -> tuple[Doubt, ...]:
    """Judge again without the period that is furthest from the others: one viral post is no law.

    Parameters
    ----------
    verdict : Verdict
        What all rows say.
    claim : Claim
        The claim as it was asked.
    table : pandas.DataFrame
        The panel's rows; not changed.
    freq : {"D", "W", "M"}
        Length of a period.

    Returns
    -------
    tuple of Doubt
        One, raised, where a decisive word about one entity is another without that period, and the interval half as wide
        again, or elsewhere; else none.
    """
    if verdict.word not in DECISIVE or claim.procedure != "precedence" or len(set(table["entity"])) != 1:
        return ()
    for role in ("x", "y"):
        name = played(claim, role, table)
        if name is None:
            continue
        at = _furthest(table[name], logged=role in claim.options.get("logs", ()))
        without = table.copy()
        without[name] = without[name].astype(float)
        without.loc[at, name] = float("nan")
        (again,) = examine(claim, {verdict.dataset: without})
        if again.word == verdict.word or not _leaned(verdict.estimate, again.estimate):
            continue
        estimate = f", {again.estimate.interval}" if again.estimate is not None else ""
        text = (
            f"without the {PERIODS[freq].one} of {table['period'].loc[at]:%Y-%m-%d}, whose {name} is furthest from the "
            f"others, the word is {again.word}{estimate}"
        )
        return (Doubt(f"one {PERIODS[freq].one} carries it", text, raised=True),)
    return ()


def _leaned(before: Estimate | None, after: Estimate | None) -> bool:
    """Whether one period less changes the interval by more than a few rows less would: a close call is no lean."""
    if before is None or after is None:
        return True
    half, now = ((one.interval.high - one.interval.low) / 2 for one in (before, after))
    return now > _WIDER * half or abs(after.value - before.value) > half


def _furthest(values: pd.Series[float], *, logged: bool) -> Any:
    """Label of the row whose figure is furthest from the median, on the scale that the claim uses."""
    import numpy as np

    known = values.astype(float).dropna()
    scaled = known[known > 0].map(np.log) if logged else known
    return known.index[first_largest((scaled - scaled.median()).abs())]
