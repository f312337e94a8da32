"""Claims on one's own panel: which can be judged, which cannot, and what would help."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from erresearch.audits.influence import carried_by_one, explained, played
from erresearch.claims import Claim, examine, read_claims
from erresearch.claims.judge import FEWEST_CLUSTERS
from erresearch.errors import DesignError
from erresearch.panel import BOOSTED, Panel
from erresearch.results import Doubt, Verdict, plain
from erresearch.robustness import detectable
from erresearch.robustness.boosts import boosts_in
from erresearch.schema.vocabulary import PERIODS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEWEST_PERIODS", "judge_panel", "what_would_help"]

_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "revenue": "add a file of orders, payments or revenue by day as outcomes",
        "spend": "add the advertising export by day",
        "followers": "add the follower history of each account",
        "er_by_followers": "add the follower history of each account",
        "conversion_rate": "add visits and orders by day, such as GA4's report by date",
        "reach": "add an export of posts with reach",
        "engagement": "add an export of posts with reactions",
        "nps": "add a survey of customers with an answer from 0 to 10 and its date (--survey), with 100 or more answers "
        "a period",
    }
)
_NOTHING_SPENT = "where nothing was spent, say so (--nothing-spent, or Rules(nothing_spent=True))"
_ARROW_PROCEDURES = ("precedence", "long run")
# rows of one entity follow each other: only these know it
_IN_TIME = ("precedence", "prediction", "long run")
#: Periods with both x and y of one entity, below which nothing is estimated.
FEWEST_PERIODS = 20
# z of a two-sided test at 5 % and of 80 % power
_POWER = 1.96 + 0.8416
_YEARS = 10


def judge_panel(
    panel: Panel | None,
    accounts: pd.DataFrame | None = None,
    *,
    name: str = "your data",
    sesoi: float | None = None,
    reason: str = "",
    unpriced: str = "",
    unscored: str = "",
) -> tuple[Verdict, ...]:
    """Judge every claim that a panel has columns for.

    Where posts were boosted and what was spent is not in the panel, nothing about outcomes is judged: money moves
    reactions and sales alike. With spending in the panel, every claim about outcomes holds it fixed.

    Parameters
    ----------
    panel : Panel or None
        What :func:`erresearch.build_panel` made.
    accounts : pandas.DataFrame, optional
        One row per account, for claims about accounts.
    name : str
        What the data are called.
    sesoi : float, optional
        Another smallest effect of interest for the claims that are elasticities.
    reason : str
        Why there is no outcome, where there is none.
    unpriced : str
        Why a file of advertising does not say what was spent by day, where there is one that does not.
    unscored : str
        Why the answers of a survey give no score of the periods, where they do not (:func:`with_scores` says it).

    Returns
    -------
    tuple of Verdict
        One per claim that a table of posts and outcomes can be asked at all. What lacks a column is *not judged*, with
        what to add; what is inconclusive carries the effect that could have been found and what would help.

    Raises
    ------
    DesignError
        If `sesoi` is not positive.
    """
    if sesoi is not None and not (isinstance(sesoi, (int, float)) and 0 < sesoi < math.inf):
        raise DesignError(
            "`sesoi` must be a positive number", got=repr(sesoi), fix="declare it before seeing results"
        )
    found: list[Verdict] = []
    reasons = {"revenue": reason, "spend": _about_spending(panel, unpriced), "nps": unscored}
    bought = _boost_doubts(panel)
    for declared in read_claims():
        claim = declared
        if sesoi is not None and claim.procedure in _ARROW_PROCEDURES:
            claim = replace(declared, sesoi=sesoi, sesoi_reason="declared by who asked for the audit")
        about_accounts = claim.estimand.get("unit") == "account"
        table: Any = accounts if about_accounts else (panel.rows if panel is not None else None)
        if not _askable(claim):
            continue
        if table is None or not len(table):
            nothing = reason if panel is None and accounts is None else ""
            found.append(_not_judged(claim, name, nothing or _missing(claim, (), reasons)))
            continue
        columns = [str(column) for column in table.columns]
        absent = _absent(claim, columns)
        if absent:
            found.append(_not_judged(claim, name, _missing(claim, absent, reasons)))
            continue
        if about_accounts and len(table) < FEWEST_CLUSTERS:
            few = f"the claim compares accounts, and followers are known for {len(table)}: {claim.minimum}"
            found.append(_not_judged(claim, name, few))
            continue
        if about_accounts or panel is None:
            found.append(_helped(examine(claim, {name: table})[0], panel, about_accounts))
            continue
        idle = _unusable(claim, table, PERIODS[panel.freq].many)
        if idle and unscored and played(claim, "x", table) == "nps":
            idle = f"{idle}; {unscored}"
        if idle:
            found.append(_not_judged(claim, name, idle, simulated=bool(table.attrs.get("simulated"))))
            continue
        (verdict,) = examine((asked := _without_constants(claim, table))[0], {name: table})
        verdict = explained(verdict, claim, table, panel.freq)
        doubts = (*verdict.doubts, *asked[1], *(bought if verdict.estimate is not None else ()))
        one = carried_by_one(verdict, asked[0], table, panel.freq)
        named = dict.fromkeys((*verdict.qualifiers, *(("fragile",) if one else ())))
        verdict = replace(verdict, doubts=(*doubts, *one), qualifiers=tuple(named))
        found.append(_helped(verdict, panel, about_accounts))
    return tuple(found)


def _about_spending(panel: Panel | None, unpriced: str) -> str:
    """Why what was spent must be known here; empty where nothing says that anything was."""
    if panel is None:
        return ""
    found = boosts_in(panel.rows)
    left = panel.accounting["posts"].reasons.get(BOOSTED, 0)
    if found.boosted > 0:
        return (
            f"{found}, which moves reactions and sales alike, and what was spent is not known: {_HINTS['spend']}; or "
            "leave the boosted posts out (--leave-out-boosted, or Rules(paid='left out')) and, where nothing else was "
            "spent, say that too (--nothing-spent, or nothing_spent=True)"
        )
    if unpriced:
        return f"there was advertising, but not what was spent by day ({unpriced}): {_HINTS['spend']}"
    if left:
        return (
            f"{left:,} boosted posts are left out, and it is not known whether anything else was spent: "
            f"{_HINTS['spend']}; {_NOTHING_SPENT}"
        )
    return ""


def _boost_doubts(panel: Panel | None) -> tuple[Doubt, ...]:
    """What boosted posts still put in doubt where spending is held fixed, or where they were left out."""
    if panel is None:
        return ()
    said = []
    left = panel.accounting["posts"].reasons.get(BOOSTED, 0)
    if left:
        text = f"{left:,} boosted posts are left out; people whom they brought may have bought all the same"
        said.append(Doubt("boosted posts", text, float(left), raised=True))
    if {"paid_posts", "spend"} <= set(panel.columns):
        bought = panel.rows.loc[panel.rows["paid_posts"] > 0, "spend"].dropna()
        free = int((bought == 0).sum())
        if free:
            text = (
                f"{free:,} of {len(bought):,} {PERIODS[panel.freq].many} with boosted posts have a spending of 0: "
                "the files of advertising may not hold what the boosts cost"
            )
            said.append(Doubt("boosts without a price", text, free / len(bought), raised=True))
    return tuple(said)


def _unusable(claim: Claim, table: pd.DataFrame, periods: str) -> str:
    """Why x and y of these rows cannot be related at all: too few of them, or one that never moves."""
    chosen = {role: played(claim, role, table) for role in ("x", "y")}
    both = table[[name for name in chosen.values() if name is not None]].dropna()
    entities = table["entity"].nunique()
    for name in both.columns:
        if len(both) and bool((both[name] == both[name].iloc[0]).all()):
            value = plain(float(both[name].iloc[0]))
            return (
                f"{name} is {value} in all {len(both):,} rows: what never moves cannot be related to anything"
            )
    rival = played(claim, "rival", table)
    if rival is not None and _stands_still(table, rival):
        return f"{rival} is the same in every period, so that it can predict no change and be no rival here"
    if entities == 1 and claim.procedure == "long run":
        return (
            "it takes out what all entities share in a period, and of one entity nothing is left then: add shops, not "
            "time"
        )
    if entities == 1 and len(both) < FEWEST_PERIODS and len(both.columns) == 2:
        needed = _periods_needed(claim, both, chosen)
        wanted = (
            f"; about {needed:,} {periods} like these would find {plain(claim.sesoi)}"
            if needed > FEWEST_PERIODS
            else ""
        )
        return (
            f"not enough data: {len(both):,} {periods} have both {chosen['x']} and {chosen['y']}, and "
            f"{FEWEST_PERIODS} are the least{wanted}"
        )
    return ""


def _stands_still(table: pd.DataFrame, name: str) -> bool:
    """Whether a column has values, and never another one within an entity."""
    return bool(table[name].notna().any() and table.groupby("entity")[name].nunique().max() <= 1)


def _periods_needed(claim: Claim, both: pd.DataFrame, chosen: Mapping[str, str | None]) -> int:
    """Periods of one entity with which δ would be found at 80 % power; 0 where it cannot be said.

    The slope's standard error is about s_y / (s_x √n), with logs where the claim takes them.
    """
    import numpy as np

    spread = {}
    for role, name in chosen.items():
        values = both[str(name)].to_numpy(dtype=float)
        if role in claim.options.get("logs", ()):
            values = np.log(values[values > 0])
        spread[role] = float(values.std(ddof=1)) if len(values) > 2 else 0.0
    if not all(spread.values()) or not claim.sesoi > 0:
        return 0
    return math.ceil((_POWER * spread["y"] / (claim.sesoi * spread["x"])) ** 2)


def _without_constants(claim: Claim, table: pd.DataFrame) -> tuple[Claim, tuple[Doubt, ...]]:
    """A control that never moves within an entity explains nothing there and is left out, with a word."""
    doubts = []
    for role in [each for each in claim.roles if each not in ("x", "y", "rival", "by", "time")]:
        name = played(claim, role, table)
        if name is None or not _stands_still(table, name):
            continue
        options = {
            key: [each for each in value if each != role] if isinstance(value, (list, tuple)) else value
            for key, value in claim.options.items()
        }
        roles = {key: names for key, names in claim.roles.items() if key != role}
        claim = replace(claim, roles=roles, options=options)
        text = f"{name} is the same in every period, so that it can explain no change and is no control here"
        doubts.append(Doubt("constant control", text))
    return claim, tuple(doubts)


def what_would_help(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Files that claims wait for, the one that most of them wait for first.

    Parameters
    ----------
    verdicts : sequence of Verdict
        What :func:`judge_panel` found.

    Returns
    -------
    tuple of str
        One line per file, with the claims.
    """
    waiting = {
        hint: [
            verdict.claim for verdict in verdicts if verdict.word == "not judged" and hint in verdict.reason
        ]
        for hint in dict.fromkeys(_HINTS.values())
    }
    ordered = sorted((hint for hint in waiting if waiting[hint]), key=lambda hint: -len(waiting[hint]))
    more = {
        hint: f"; {_NOTHING_SPENT}"
        for hint in ordered
        if hint == _HINTS["spend"] and not any("were boosted" in verdict.reason for verdict in verdicts)
    }
    return tuple(f"{hint}{more.get(hint, '')} ({', '.join(waiting[hint])})" for hint in ordered)


def _askable(claim: Claim) -> bool:
    """Whether a claim speaks of accounts, or of entities over time; others need other tables."""
    unit = claim.estimand.get("unit", "")
    return unit == "account" or (unit.startswith("entity") and claim.procedure in _IN_TIME)


def _absent(claim: Claim, columns: list[str]) -> tuple[str, ...]:
    return tuple(
        names[0]
        for role, names in claim.roles.items()
        if role not in claim.optional and not set(names) & set(columns)
    )


def _missing(claim: Claim, absent: tuple[str, ...], reasons: Mapping[str, str]) -> str:
    asked = {name for names in claim.roles.values() for name in names}
    if reasons["revenue"] and ("revenue" in absent or (not absent and "revenue" in asked)):
        return reasons["revenue"]
    if reasons["spend"] and absent == ("spend",):
        return reasons["spend"]
    if reasons["nps"] and absent[:1] == ("nps",):
        return f"no {', no '.join(absent)}: {reasons['nps']}"
    about_accounts = claim.estimand.get("unit") == "account"
    hints = [] if about_accounts and absent else [_HINTS[name] for name in absent if name in _HINTS]
    if "spend" in absent and not about_accounts:
        hints.append(_NOTHING_SPENT)
    if not absent:
        hints = [_HINTS["followers"]] if "followers" in claim.roles else [_HINTS["revenue"]]
    said = f"no {', no '.join(absent)}" if absent else "nothing to judge it on"
    return f"{said}: {'; '.join(hints) or claim.minimum}"


def _not_judged(claim: Claim, name: str, reason: str, *, simulated: bool = False) -> Verdict:
    qualifiers = ("simulated",) if simulated else ()
    return Verdict(claim.id, name, "not judged", qualifiers=qualifiers, sesoi=claim.sesoi, reason=reason)


def _helped(verdict: Verdict, panel: Panel | None, about_accounts: bool) -> Verdict:
    """Say what would help where the answer is inconclusive."""
    if verdict.word != "inconclusive" or verdict.estimate is None or verdict.sesoi is None:
        return verdict
    can = detectable(verdict.estimate).effect
    if about_accounts or panel is None:
        text = "more accounts, chosen without looking at their reactions; more posts of the same ones hardly help"
        return replace(verdict, doubts=(*verdict.doubts, Doubt("what would help", text)))
    if not math.isfinite(can) or not can:
        return verdict
    entities, periods, sought = verdict.estimate.n_accounts, PERIODS[panel.freq].many, plain(verdict.sesoi)
    factor = max((can / verdict.sesoi) ** 2, 1.0)
    if entities > 1:
        wanted = math.ceil(entities * factor)
        text = f"about {wanted:,} entities like these (there are {entities}) to find {sought}; more time helps less"
    else:
        rows = verdict.estimate.n_rows
        wanted = math.ceil(rows * factor)
        text = f"about {wanted:,} {periods} like these (there are {rows:,}) to find {sought}"
        if wanted > _YEARS * PERIODS[panel.freq].per_year:
            text += "; no shop has them, so only many shops together could tell"
    text += f"; now an effect of {plain(can)} would have been found with 80 % power"
    return replace(verdict, doubts=(*verdict.doubts, Doubt("what would help", text)))
