"""Answers of a survey on a panel's calendar: the net promoter score of each period that has answers enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from erresearch.errors import ErresearchError, ErresearchWarning
from erresearch.exports import Export, combine_exports
from erresearch.metrics import nps
from erresearch.panel import Panel, RowAccounting
from erresearch.panel.entities import plain_name
from erresearch.schema.vocabulary import PERIODS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEWEST_ANSWERS", "with_scores"]

#: Answers that a period needs: with 100, sampling alone moves a score by up to 20 points either way.
FEWEST_ANSWERS = 100


def with_scores(panel: Panel, survey: Sequence[Export]) -> tuple[Panel, str]:
    """Lay the net promoter score of every period beside the figures of a panel.

    Parameters
    ----------
    panel : Panel
        Posts and outcomes; not changed. Weeks begin on the day on which the panel's do.
    survey : sequence of Export
        Answers with their dates.

    Returns
    -------
    panel, reason
        With columns ``nps`` and ``nps_answers`` (the number of answers), the account of every answer, and a note; and
        why a claim about the score cannot be judged, empty where nothing speaks against it. A score of fewer than 100
        answers is missing: its noise would pass for a change.

    Raises
    ------
    DataError
        If two files hold different answers of the same person.
    """
    import pandas as pd

    usable = [one for one in survey if not any(caution.code == "other scale" for caution in one.warnings)]
    if not survey or not len(panel.rows):
        return panel, ""
    if not usable:
        return (
            panel,
            f"the answers of {survey[0].name} are on another scale than 0 to 10, so that there is no NPS",
        )
    answers = (combine_exports(usable) if len(usable) > 1 else usable[0]).rows
    arrived = sum(len(one.rows) for one in survey)
    left = {
        "on another scale than 0 to 10": arrived - sum(len(one.rows) for one in usable),
        "answers that another file repeats": sum(len(one.rows) for one in usable) - len(answers),
    }
    entities = sorted(panel.rows["entity"].unique())
    owner = _owners(answers["entity"], entities)
    left["of no entity here"] = int(owner.isna().sum())
    placed = answers.assign(entity=owner)[owner.notna().to_numpy()]
    starts = {name: rows["period"].sort_values() for name, rows in panel.rows.groupby("entity")}
    pieces = [
        rows.assign(period=_period(rows["date"], starts[str(name)], panel.freq))
        for name, rows in placed.groupby("entity")
    ]
    inside = pd.concat(pieces).dropna(subset="period") if pieces else placed
    left["outside the panel's periods"] = len(placed) - len(inside)
    account = RowAccounting(arrived, len(inside), left)
    made, enough, median = _laid(panel, inside)
    reason = ""
    if left["of no entity here"] == len(answers):
        reason = (
            f"the answers do not say of which of {len(entities)} entities they are: give one survey file for each, with "
            "entity in the mapping file beside it"
        )
    elif enough < len(made):
        reason = (
            f"{enough:,} of {len(made):,} {PERIODS[panel.freq].many} have the {FEWEST_ANSWERS} answers that a score "
            f"needs (half of them have {median:,.0f} or fewer): ask more people"
            + (", or judge by month (--freq M)" if panel.freq != "M" else "")
        )
    words = {
        "nps": f"net promoter score of the {PERIODS[panel.freq].one}'s answers; missing with fewer than {FEWEST_ANSWERS}",
        "nps_answers": f"answers of the {PERIODS[panel.freq].one}",
    }
    notes = (*panel.notes, f"net promoter score: {reason}") if reason else panel.notes
    accounting = {**panel.accounting, "survey": account}
    definitions = {**panel.definitions, **words}
    return replace(panel, rows=made, accounting=accounting, notes=notes, definitions=definitions), reason


def _owners(named: pd.Series[str], entities: Sequence[str]) -> pd.Series[str]:
    """The entity of each answer: the only one, or the one of its name."""
    if len(entities) == 1:
        return named.map(lambda _: entities[0])
    spelt = {plain_name(entity): entity for entity in entities}
    return named.map(lambda name: spelt.get(plain_name(str(name))))


def _period(dates: pd.Series[pd.Timestamp], starts: pd.Series[pd.Timestamp], freq: str) -> pd.DatetimeIndex:
    """First day of the period that holds each date; missing where there is none."""
    import pandas as pd

    days = pd.to_datetime(dates).dt.tz_localize(None).dt.normalize()
    first = pd.DatetimeIndex(starts)
    at = first.searchsorted(days.to_numpy(), side="right") - 1
    begin = first[at.clip(0)]
    length = {"D": pd.DateOffset(days=1), "W": pd.DateOffset(days=7), "M": pd.DateOffset(months=1)}[freq]
    within = (at >= 0) & (days.to_numpy() < (begin + length).to_numpy())
    return pd.DatetimeIndex(begin.where(within))


def _laid(panel: Panel, answers: pd.DataFrame) -> tuple[pd.DataFrame, int, float]:
    """The panel's rows with the score and its answers, periods with enough of them, and the median number."""
    import warnings

    rows = []
    for (entity, period), some in answers.groupby(["entity", "period"]) if len(answers) else ():
        score = float("nan")
        if len(some) >= FEWEST_ANSWERS:
            with warnings.catch_warnings():
                # said once of all answers together
                warnings.simplefilter("ignore", ErresearchWarning)
                try:
                    score = nps(some["score"]).value
                except ErresearchError:
                    score = float("nan")
        rows.append((entity, period, score, float(len(some))))
    import pandas as pd

    table = pd.DataFrame(rows, columns=["entity", "period", "nps", "nps_answers"])
    table["period"] = table["period"].astype(panel.rows["period"].dtype)
    table["entity"] = table["entity"].astype(panel.rows["entity"].dtype)
    made = panel.rows.merge(table, on=["entity", "period"], how="left", validate="1:1")
    made["nps_answers"] = made["nps_answers"].fillna(0.0)
    made.attrs = dict(panel.rows.attrs)
    return made, int(made["nps"].notna().sum()), float(made["nps_answers"].median())
