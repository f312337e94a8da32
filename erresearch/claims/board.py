"""Every claim on every data set: families, levels, verdicts."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.claims.decision_rule import Evidence, judge, not_judged
from erresearch.claims.options import CHOICES
from erresearch.claims.procedures import LEAD, NAIVE, PROCEDURES, REVERSE, SAME, UNSEEN, look_beside
from erresearch.claims.registry import LARGEST_FAMILY, Claim, claim_named, grade, read_claims
from erresearch.claims.variables import Declared, Rowless, Variables, cast_roles
from erresearch.datasets.entries import registered
from erresearch.engine.moments import Moments
from erresearch.engine.sources import as_narwhals, column_names, open_rows, says_simulated
from erresearch.errors import DataError, ErresearchError, UnknownNameError
from erresearch.io.resources import waiting
from erresearch.panel.events import read_events
from erresearch.relate.shop_days import FEW_SHOPS
from erresearch.results import Doubt, Estimate, Reliability, Table, Verdict, first_largest, plain
from erresearch.results.estimates import check_level
from erresearch.robustness.guards import (
    check,
    copied_from_another_period,
    made_of_predictors,
    repeated_outcome,
    unpriced_boosts,
)
from erresearch.schema.vocabulary import DECISIVE, PERIODS
from erresearch.worlds import CASES, WORLDS

#: What is said of a verdict that one period carries: a name of ``certainty.toml``.
CARRIED: Final = "one-carries"
# five rows of a hundred less, which is what leaving one period out takes, widen an interval by a few per cent
_WIDER: Final = 1.5
# months are 28 to 31 days
_LONGEST: Final = 1.2


def examine(
    claims: Claim | str | Iterable[Claim | str],
    data: Mapping[str, Any] | Any,
    *,
    level: float = 0.95,
    columns: Mapping[str, str] | None = None,
    controls: Sequence[str] = (),
    events: Any = None,
    reliability: float | Reliability | None = None,
    choice: Literal["all", "followers", "reactions", "mixed"] | None = None,
) -> tuple[Verdict, ...]:
    """Judge claims on data sets.

    The family of a claim is its real data sets among `data`; the level is corrected over it by Holm's steps. Data
    that say of themselves that they were simulated are judged at `level` each and never enter a family: real verdicts
    do not depend on how many worlds are looked at. A data set that lacks a column the claim needs is *not judged*,
    with the reason.

    Parameters
    ----------
    claims : Claim, str, or several
        Claims or their ids.
    data : mapping of str to frame, path or Moments; or a frame
        Data sets by name; the names of ``claims.toml`` (such as "movies") bring what it declares about them. A table of
        one shop needs no column of accounts, time may be called ``date``, and reactions are added up to engagement;
        the doubts say so.
    level : float
        Family-wise confidence level.
    columns : mapping of str to str, optional
        Canonical name to the table's own, where they differ: ``{"engagement": "interactions"}``.
    controls : sequence of str
        Further columns to hold fixed in claims about periods, as log (1 + x).
    events : path, frame or "none", optional
        What else happened (:func:`erresearch.panel.events.read_events`): promotions, launches, closures. They enter one
        period ahead, now and one period late; the word without them stands among the doubts. "none" says that there
        were none. Without it, the verdict says "promotions not declared".
    reliability : float or Reliability, optional
        Reliability of x: a declared number in (0, 1], or what several counts give
        (:func:`erresearch.relate.reliability`). By default it is read from the autocovariances of x.
    choice : {"all", "followers", "reactions", "mixed"}, optional
        How a list of accounts was chosen. Without it, a claim about a list gets no decisive word.

    Returns
    -------
    tuple of Verdict
        Claim by claim, data sets in their order.

    Raises
    ------
    DataError
        If `data` is empty or a family has more than 6 real data sets.
    UnknownNameError
        If a claim is in no registry, or `columns` names a column that no claim knows.
    DesignError
        If `level` does not lie between 0 and 1, or `reliability` is no share.

    See Also
    --------
    erresearch.read_claims : The claims.
    erresearch.judge : One claim, from its evidence.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. *Scandinavian Journal of Statistics*,
    6(2), 65-70.

    Examples
    --------
    >>> from erresearch.worlds import simulate
    >>> for verdict in examine("C07", {"decay": simulate("decay", rng=1).panel}):
    ...     print(verdict.words)
    supported (at least δ), simulated, certainty very low
    """
    if isinstance(as_narwhals(data, pass_through=True), (nw.DataFrame, nw.LazyFrame)):
        data = {"your data": data}
    if not isinstance(data, Mapping) or not data:
        raise DataError(
            "there is nothing to examine",
            got=f"{type(data).__name__} without data sets",
            allowed="a mapping from name to table",
            fix="pass {'my shop': table}",
        )
    check_level(level)
    if not isinstance(claims, (Claim, str, Iterable)):
        raise UnknownNameError.of("claim", claims, (claim.id for claim in read_claims()))
    several = [claims] if isinstance(claims, (Claim, str)) else list(claims)
    chosen = [claim if isinstance(claim, Claim) else claim_named(claim) for claim in several]
    told = isinstance(events, str) and events == "none"
    played = {name for claim in chosen for names in claim.roles.values() for name in names}
    strange = next((name for name in columns or {} if name not in played), None)
    if strange is not None:
        raise UnknownNameError.of("column of these claims", strange, played)
    said = Declared(
        columns=columns or {},
        controls=(controls,) if isinstance(controls, str) else tuple(controls),
        events=events if events is None or told else read_events(events),
    )

    def judged(declared: Declared) -> list[Verdict]:
        found = []
        for claim in chosen:
            own = _declared_options(claim, reliability=reliability, choice=choice)
            found += _one_claim(claim, data, level, replace(declared, options=own))
        return found

    found = judged(said)
    for claim, place in zip(chosen, range(0, len(found), len(data)), strict=True):
        for at, verdict in enumerate(found[place : place + len(data)], start=place):
            found[at] = _leaning(claim, verdict, data[verdict.dataset], level, said)
    bare = {"events": replace(said, events=None), "controls": replace(said, controls=())}
    declared = {"events": said.events is not None and not told, "controls": len(said.controls) > 0}
    for what in (what for what, there in declared.items() if there):
        found = [_beside(one, other, what) for one, other in zip(found, judged(bare[what]), strict=True)]
    return tuple(found)


def _declared_options(
    claim: Claim, *, reliability: float | Reliability | None, choice: str | None
) -> dict[str, Any]:
    """What is declared of reliability and choice, as options of the claims that ask for them."""
    if reliability is not None and not isinstance(reliability, Reliability):
        reliability = Reliability(reliability, reliability, "declared", 1.0)
    if choice is not None and choice not in CHOICES:
        raise UnknownNameError.of("rule of choice", choice, CHOICES)
    arrows = claim.procedure in ("precedence", "long run") and reliability is not None
    lists = claim.procedure == "decay" and choice is not None
    return {**({"reliability": reliability} if arrows else {}), **({"choice": choice} if lists else {})}


def _beside(declared: Verdict, bare: Verdict, what: str) -> Verdict:
    """A verdict, and what it would be without the events or controls that were declared."""
    if declared.estimate is None or bare.estimate is None or bare.certainty is None:
        return declared
    same = declared.estimate.value == bare.estimate.value
    if same if what == "controls" else "events-not-declared" not in bare.certainty.codes:
        return declared  # the claim has no use for them
    said = f"{bare.words}: {bare.number}"
    doubt = Doubt(f"without the {what}", said, bare.estimate.value, bare.word != declared.word)
    return replace(declared, doubts=(*declared.doubts, doubt))


def _leaning(claim: Claim, verdict: Verdict, data: Any, level: float, declared: Declared) -> Verdict:
    """A decisive verdict on one to five entities, *fragile* where one period carries it: one viral post is no law.

    It is judged again without the x, then without the y, that is furthest from the others of its entity. A period carries
    it where the word is another then, and the interval half as wide again, or elsewhere.
    """
    estimate = verdict.estimate
    if estimate is None or verdict.word not in DECISIVE or claim.procedure != "precedence":
        return verdict
    if isinstance(data, (Moments, Rowless)) or not 1 <= estimate.n_accounts <= FEW_SHOPS:
        return verdict
    cast = cast_roles(claim, data, dataset=verdict.dataset, declared=replace(declared, events=None))
    played = {name: own for name, own in declared.columns.items() if own in cast.roles.values()}
    said = replace(declared, columns=played)
    x, y, rows = cast.column("x"), cast.column("y"), _rows_of(cast)
    own = np.array(rows[cast.column("by")].to_list())
    for name, role in ((x, "x"), (f"{x}_24h", "x"), (y, "y")):
        logged = role in cast.options.logs
        at = _furthest(rows[name], own, logged=logged) if name in rows.columns else None
        if at is None:
            continue
        without = rows.with_columns(rows[name].cast(float).scatter(at, None))
        again = _again(claim, verdict, without, level, said)
        if again.word == verdict.word or not (again.estimate is None or _leans(estimate, again.estimate)):
            continue
        period, when = _period(rows[cast.column("time")].to_list(), at)
        carries, sure = f"{when} carries it", verdict.certainty
        found = f", {again.estimate.interval}" if again.estimate is not None else ""
        text = f"without {when}, whose {name} is furthest from the others, it is {again.words}{found}"
        return replace(
            verdict,
            doubts=(*verdict.doubts, Doubt(f"one {period} carries it", text, raised=True, code=CARRIED)),
            qualifiers=("fragile", *(one for one in verdict.qualifiers if one != "fragile")),
            reason=f"{verdict.reason}; fragile: {carries}",
            certainty=sure and grade(sure.codes[0], [*sure.codes[1:], CARRIED], told={CARRIED: carries}),
        )
    return verdict


def _rows_of(cast: Variables[Any]) -> Any:
    """The columns that a claim about periods reads, as a table in memory."""
    by, time, x = (cast.column(role) for role in ("by", "time", "x"))
    present = column_names(cast.data)
    read = (*cast.roles.values(), f"{x}_24h", "posts", "orders", *cast.declared.controls)
    numbers = [name for name in dict.fromkeys(read) if name in present and name not in (by, time)]
    return open_rows(cast.data, numbers, [by, time], None).collect()


def _again(claim: Claim, verdict: Verdict, rows: Any, level: float, declared: Declared) -> Verdict:
    """What the same claim is called on other rows of the same data set."""
    about: dict[str, Any] = {"dataset": verdict.dataset, "simulated": verdict.simulated}
    try:
        evidence = evidence_for(claim, rows, dataset=verdict.dataset, level=level, declared=declared)
    except ErresearchError as error:
        return not_judged(claim, reason=str(error), code=error.code, **about)
    return judge(claim, evidence, level=verdict.interval.level if verdict.interval else level, **about)


def _leans(before: Estimate, after: Estimate) -> bool:
    """Whether one period less changes the interval by more than a few rows less would: a close call is no lean."""
    half = before.interval.half
    return after.interval.half > _WIDER * half or abs(after.value - before.value) > half


def _furthest(values: Any, entities: Any, *, logged: bool) -> int | None:
    """Row of the figure furthest from its entity's median, on the scale that the claim uses; None where none is known."""
    known = np.array(values.cast(float).fill_null(math.nan).to_list())
    with np.errstate(all="ignore"):
        scaled = np.log(np.where(known > 0, known, math.nan)) if logged else known
    if not np.isfinite(scaled).any():
        return None
    for entity in set(entities[np.isfinite(scaled)]):
        mine = entities == entity
        scaled[mine] -= np.nanmedian(scaled[mine])
    return first_largest(np.abs(scaled))


def _period(times: Sequence[Any], at: int) -> tuple[str, str]:
    """What one period is called, and this one; its date only where it has one."""
    try:
        days = [dt.date.fromisoformat(str(when)[:10]) for when in times]
    except ValueError:
        return "period", "one period"
    days_apart = float(np.median(np.diff(sorted({day.toordinal() for day in days}))))
    one = next((p.one for p in PERIODS.values() if p.days <= days_apart < _LONGEST * p.days), "period")
    return one, f"the {one} of {days[at]:%Y-%m-%d}"


def evidence_for(
    claim: Claim,
    data: Any,
    *,
    dataset: str = "data",
    level: float = 0.95,
    declared: Declared | None = None,
) -> Evidence:
    """Estimate what a claim speaks of, without judging it.

    Raises
    ------
    ColumnError
        If a column the claim needs is missing.
    GuardError
        If the outcome was computed from the predictor or the other way round, a rate has no declared formula or is
        set against its own part, a log(1 + x) would be read as an elasticity, or one outcome series is repeated on
        several accounts.
    """
    if isinstance(data, Rowless):
        return data.evidence(claim, level=level)
    cast = cast_roles(claim, data, dataset=dataset, level=level, declared=declared)
    _guard(claim, cast)
    found = PROCEDURES[claim.procedure](cast)
    if cast.completed:
        taken = Doubt("what the table does not say", "; ".join(cast.completed))
        found = replace(found, doubts=(*found.doubts, taken))
    if cast.cautions:
        odd = Doubt("declared events", "; ".join(cast.cautions), raised=True)
        found = replace(found, doubts=(*found.doubts, odd))
    in_memory = isinstance(as_narwhals(cast.data, pass_through=True), nw.DataFrame)
    if dataset not in registered() or says_simulated(cast.data) or not in_memory:
        return found
    return replace(found, beside=look_beside(claim.procedure, cast))


def _guard(claim: Claim, cast: Variables[Any]) -> None:
    """Refuse what would give a misleading number, before anything is estimated.

    What a name or a declared formula (option ``formulas``, by role) gives away is looked at for every claim about
    a pair of columns, and whether the one follows exactly from the other; a series of the outcome that is repeated on
    several accounts wherever accounts have a time; boosted posts wherever a table marks them.
    """
    if not {"x", "y"} <= cast.roles.keys():
        return
    formulas = {cast.column(role): name for role, name in cast.options.formulas.items()}
    pairs = [role for role in ("x", "rival") if role in cast.roles]
    names = [cast.name(role) for role in pairs]
    check(cast.name("y"), names, definitions=formulas, elasticity=claim.unit == "elasticity")
    unpriced_boosts(cast.data, held=[cast.column(role) for role in cast.roles if role != "y"])
    x, y = cast.column("x"), cast.column("y")
    if not {"by", "time"} <= cast.roles.keys() or isinstance(cast.data, Moments):
        made_of_predictors(cast.data, y, [x])
        return
    by, time = cast.column("by"), cast.column("time")
    opened = open_rows(cast.data, [x, y], [by, time], None, period=time)
    # few rows are brought here once for all that is looked at; of one account nothing is repeated on others
    rows = opened.collect() if opened.small else cast.data
    made_of_predictors(rows, y, [x])
    if not opened.small or rows[by].n_unique() > 1:
        repeated_outcome(rows, y, by=by, period=time)
    if claim.arrow:
        copied_from_another_period(rows, y, x, by=by, time=time)


def _one_claim(claim: Claim, data: Mapping[str, Any], level: float, declared: Declared) -> list[Verdict]:
    found: dict[str, Evidence] = {}
    reasons: dict[str, tuple[str, str]] = {}
    simulated = {name: says_simulated(table) for name, table in data.items()}
    for name, table in data.items():
        if simulated[name] and (name in WORLDS or name in CASES) and name not in claim.worlds:
            reasons[name] = "this simulated world has no known answer to the claim", ""
            continue
        if not simulated[name] and name not in claim.family and name in registered():
            reasons[name] = _undeclared(claim, table, name), ""
            continue
        try:
            with waiting(f"judging {claim.id} on {name}"):
                found[name] = evidence_for(claim, table, dataset=name, level=level, declared=declared)
        except ErresearchError as error:
            reasons[name] = str(error), error.code
    family = [name for name in found if not simulated[name]]
    if len(family) > LARGEST_FAMILY:
        wrong = f"{claim.id} would be judged on {len(family)} real data sets at once"
        raise DataError(wrong, allowed=f"at most {LARGEST_FAMILY}", fix="name fewer beforehand, or pool them")
    verdicts = _stepwise(claim, {name: found[name] for name in family}, level)
    for name, (reason, code) in reasons.items():
        verdicts[name] = not_judged(claim, dataset=name, reason=reason, code=code, simulated=simulated[name])
    for name in found.keys() - set(family):
        verdicts[name] = judge(claim, found[name], dataset=name, level=level, simulated=True)
    return [verdicts[name] for name in data]


def _undeclared(claim: Claim, data: Any, name: str) -> str:
    """Why a claim is not judged on a registered data set that it does not name."""
    note = claim.about(name).note
    if note:
        return note
    try:
        cast_roles(claim, data, dataset=name)
    except ErresearchError as error:
        return str(error)
    return "the claim does not name this data set, and none is added once it has been seen"


def _stepwise(claim: Claim, left: dict[str, Evidence], level: float) -> dict[str, Verdict]:
    """Holm's steps: with m left, judge at 1 − α/m; what is decided leaves the family, and the rest goes on."""
    decided: dict[str, Verdict] = {}
    while left:
        own = 1 - (1 - level) / len(left)
        now = {name: judge(claim, evidence, dataset=name, level=own) for name, evidence in left.items()}
        settled = {name: verdict for name, verdict in now.items() if verdict.word in DECISIVE}
        decided |= settled or now
        left = {name: evidence for name, evidence in left.items() if name not in decided}
    return decided


def without_others_cases(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Leave out what was said on worlds made for other claims: a board need not say of each that it is idle.

    Examples
    --------
    >>> told = [not_judged(claim_named("C06"), dataset=name, reason="") for name in ("nil", "C06-holds", "C13-holds")]
    >>> [verdict.dataset for verdict in without_others_cases(told)]
    ['nil', 'C06-holds']
    """
    return tuple(v for v in verdicts if v.dataset not in CASES or CASES[v.dataset].claim == v.claim)


#: Heads of the table of real rows, and the figure that stands under each.
_BESIDE = {"naive r": NAIVE, "same period": SAME, "lead": LEAD, "reverse": REVERSE, "out of sample": UNSEEN}
_BESIDE_AS: Final[Mapping[str, Callable[[float], str]]] = {
    NAIVE: lambda r: plain(r, ".2f"),
    UNSEEN: lambda share: f"{plain(100 * share, '.2f')} %",
}
#: What stands where nothing is ordered in time: chance decided, or all was seen at once.
_NO_ORDER: Final = {"randomised": "randomised", "cross-section": "one moment"}


def real_rows(verdicts: Iterable[Verdict]) -> Table:
    """What each judged row on real data shows, side by side.

    Parameters
    ----------
    verdicts : iterable of Verdict
        Of a board; what was simulated or not judged is left out.

    Returns
    -------
    Table
        Naive correlation, adjusted estimate with its 95 % interval, same period, lead, reverse direction, gain of a
        forecast on rows that were not used, word, and certainty with the word's marks. A claim that sets two things
        against each other has the figures of both. Where nothing is ordered in time it is said why: "randomised" or "one
        moment".

    See Also
    --------
    erresearch.verdict_table : The verdicts themselves.

    Examples
    --------
    >>> from erresearch.claims.packing import shipped
    >>> packs = shipped()
    >>> found = examine("C01b", {"csm-movies": packs["csm-movies"]})
    >>> print(real_rows(found).rows[0][4:7])
    ('one moment', 'one moment', 'one moment')
    """
    rows, short = [], {claim.id: claim.short for claim in read_claims()}
    for verdict in verdicts:
        if verdict.simulated or verdict.estimate is None:
            continue
        design = "" if verdict.certainty is None else verdict.certainty.codes[0]
        figures = dict.fromkeys(_BESIDE, "")
        for head, name in _BESIDE.items():
            values = [doubt.value for doubt in verdict.doubts if doubt.name == name]
            told = [_BESIDE_AS[name](it) if name in _BESIDE_AS else plain(it, ".3f") for it in values]
            in_time = name in (SAME, LEAD, REVERSE)
            figures[head] = " v. ".join(told) or (_NO_ORDER.get(design, "") if in_time else "")
        adjusted = replace(verdict, interval=verdict.estimate.at(0.95).interval).number.rpartition(" (")[0]
        called = f"{short[verdict.claim]} ({verdict.claim})" if verdict.claim in short else verdict.claim
        cells = [called, verdict.dataset, figures.pop("naive r"), adjusted, *figures.values()]
        sure = "" if verdict.certainty is None else verdict.certainty.level
        marks = f" ({', '.join(verdict.qualifiers)})" if verdict.qualifiers else ""
        rows.append([*cells, verdict.word, sure + marks])
    heads = ["claim", "data", "naive r", "adjusted", *list(_BESIDE)[1:], "word", "certainty"]
    return Table.of(heads, rows)
