"""What an audit offers beyond its verdicts: pauses that already happened, and the plan that would settle the rest."""

from __future__ import annotations

import csv
import hashlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from erresearch.claims.registry import grade, read_claims
from erresearch.errors import Count, DesignError, ErresearchError
from erresearch.experiments import Interruption, Pause, find_pauses, interruption
from erresearch.experiments.designs import BELIEVABLE
from erresearch.experiments.planning import quick_plan
from erresearch.panel.events import event_candidates
from erresearch.panel.records import Panel
from erresearch.results import Doubt, Printed, Verdict, plain
from erresearch.schema.vocabulary import Freq

#: File of the looks so far, and the settings whose change makes another look.
LOOKS = "looks.csv"
_CHOICES = ("FREQ", "SESOI", "CURRENCY", "RULES")
FILES = ("FILES", "OUTCOMES", "SURVEY")
#: Pauses and jumps of an audit that are judged, so that it stays quick: the longest gaps first.
MOST_JUDGED: Final = 4
_WHAT: Final = {
    "gap": "no posts from {at} to before {until}",
    "less": "half as many posts or fewer from {at} on, until {until}",
    "more": "twice as many posts or more from {at} on, until {until}",
}
#: Days of events that are named, and most false decisive words of one claim, either way.
_SHOWN_DAYS: Final = 5
_FALSE: Final = 0.05
#: A plan, named for people who never planned one.
_PAUSES: Final = "randomised pauses (chance picks weeks in which you post nothing)"
#: Words that a plan of pauses may settle; so it may one whose certainty is very low.
_OPEN: Final = frozenset({"inconclusive", "association only", "not judged"})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PastPauses(Printed):
    """Gaps and jumps in posting, and what revenue was against what was expected.

    Parameters
    ----------
    found : tuple of Pause
        All that stand in the rows, found without looking at revenue.
    judged : tuple of (Pause, Interruption)
        Up to four of them, the longest gaps first; all that were found count as looks.
    several : bool
        Whether there are several shops, so that each line names its own.

    See Also
    --------
    erresearch.interruption : Judges one.
    """

    found: tuple[Pause, ...] = ()
    judged: tuple[tuple[Pause, Interruption], ...] = ()
    several: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """One sentence for each that was judged, and the count of the others."""
        said = [self._line(pause, found) for pause, found in self.judged]
        if rest := len(self.found) - len(self.judged):
            said.append(
                f"{rest} more gaps or jumps in posting were found and not judged"
                " (erresearch.find_pauses names them, erresearch.interruption judges one)"
            )
        return tuple(said)

    def _line(self, pause: Pause, found: Interruption) -> str:
        whose = f"{pause.entity}: " if self.several else ""
        what = _WHAT[pause.kind].format(at=pause.at, until=pause.until)
        looks = f", {Count(found.looks):look}" if found.looks > 1 else ""
        return f"{whose}{what}: {found.against_expected} ({found.certainty} certainty: nobody drew it at random{looks})"

    def __str__(self) -> str:
        """The same, one below the other."""
        return "\n".join(self.lines) or "no gap and no jump in posting"


def looks_of(looked: Mapping[str, int]) -> str:
    """How many claims were asked in all runs, and how many false words so many looks give; empty where none was judged.

    Examples
    --------
    >>> print(looks_of({"a": 10, "b": 12}))
    looks: 22 claims were asked of the same rows, in 2 runs with other choices, each at 95 % by itself; where nothing is
    there, so many give up to 1.1 false words on average. Asking again with other events or δ adds more
    """
    asked = sum(looked.values())
    if not asked:
        return ""
    runs = f", in {Count(len(looked)):run} with other choices" if len(looked) > 1 else ""
    return (
        f"looks: {Count(asked):claim was} asked of the same rows{runs}, each at 95 % by itself; where nothing is "
        "there, so "
        f"many give up to {plain(_FALSE * asked)} false words on average. Asking again with other events or δ adds more"
    )


def perhaps_events(panel: Panel | None, events: Any) -> str:
    """What looks like events where none were declared, read from posts, discounts and prices and never from revenue.

    Parameters
    ----------
    panel : Panel or None
        Its rows are looked at.
    events : object
        What was declared; None where nothing was.

    Returns
    -------
    str
        One sentence; empty where nothing stands out.
    """
    if panel is None or events is not None:
        return ""
    found = event_candidates(panel.rows, by="entity", time="period")
    if found.empty:
        return ""
    days = ", ".join(f"{day:%Y-%m-%d}" for day in sorted(set(found["start"]))[:_SHOWN_DAYS])
    return (
        f"perhaps events: {len(found)} times {' or '.join(dict.fromkeys(found['name']))} ({days} …), seen in posts, "
        "discounts and prices and never in revenue; declare those that were (--events FILE, or Rules(events=...))"
    )


def past_pauses(panel: Panel | None) -> PastPauses:
    """Find gaps and jumps in posting, and compare revenue in them with what was to be expected.

    Parameters
    ----------
    panel : Panel or None
        Posts and revenue by day or week.

    Returns
    -------
    PastPauses
        Without any where the panel has no posts or no revenue, or is by month.

    See Also
    --------
    erresearch.find_pauses : The search alone.
    """
    if panel is None or not {"posts", "revenue"} <= set(panel.columns) or panel.freq == "M":
        return PastPauses()
    try:
        found = find_pauses(panel)
    except ErresearchError:
        return PastPauses()  # a shop without any revenue; the verdicts say so
    judged: list[tuple[Pause, Interruption]] = []
    for pause in sorted(found, key=lambda one: (one.kind != "gap", -one.days, one.at)):
        if len(judged) == MOST_JUDGED:
            break
        try:
            seen = interruption(panel, at=pause.at, until=pause.until, entity=pause.entity, looks=len(found))
        except DesignError:
            continue  # too little before it; it stays among those that were found
        judged.append((pause, seen))
    judged.sort(key=lambda pair: (pair[0].entity, pair[0].at))
    return PastPauses(found=found, judged=tuple(judged), several=len(set(panel.rows["entity"])) > 1)


class PlanCode(StrEnum):
    """What can be said of a plan."""

    PLAN = "plan"
    TOO_NOISY = "too-noisy"
    NOT_YET = "not-yet"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """The plan of pauses that would settle what watching left open.

    Parameters
    ----------
    code : PlanCode
        Whether a plan fits, would find nothing, or must wait for more of the past.
    text : str
        The same with its weeks, its money and the command; empty where no plan fits.

    See Also
    --------
    erresearch.plan_experiment : Makes the plan itself.
    """

    code: PlanCode
    text: str = ""

    @property
    def settles(self) -> bool:
        """Whether there is a plan that would."""
        return self.code == PlanCode.PLAN

    def __str__(self) -> str:
        """The text."""
        return self.text


def settling_plan(panel: Panel | None, *, grain: Freq = "D", out: str | Path | None = None) -> NextStep:
    """Say which plan of pauses would settle what watching leaves open, and what it could find.

    What it would find is worked out by a formula, which takes less than a second; the plan itself lays placebo plans
    over the past.

    Parameters
    ----------
    panel : Panel or None
        Days, weeks or months of one shop or several.
    grain : {"D", "W", "M"}
        How long what a row of the files stands for is at most.
    out : path, optional
        Folder of the audit, which a plan can be made from; without it the call in Python is named.

    Returns
    -------
    NextStep

    See Also
    --------
    erresearch.plan_experiment : Makes the plan.
    """
    if panel is None:
        return NextStep(code=PlanCode.NONE)
    every = max(panel.freq, grain, key="DWM".index)
    command = f"erresearch plan FILES --freq {'W' if every == 'M' else every}"
    first = "with files by day or by week in place of months, " if panel.freq == grain == "M" else ""
    if "revenue" not in panel.columns:
        first = "with a file of orders or payments, "
    if "revenue" not in panel.columns or panel.freq == "M":
        text = f"{_PAUSES}: {first}{command} says how many weeks it takes"
        return NextStep(code=PlanCode.NOT_YET, text=text)
    try:
        plan = quick_plan(panel)
    except ErresearchError as error:
        return NextStep(code=PlanCode.NOT_YET, text=f"{_PAUSES} cannot be planned yet: {error}")
    own = plan.own_power
    if own is None or own.detectable > BELIEVABLE:
        text = "not even a year of randomised pauses could settle it: demand moves too much"
        return NextStep(code=PlanCode.TOO_NOISY, text=text)
    # the quick formula and the plan differ in the second digit
    about = plan.told(plan.money(own.detectable))
    command = "er.plan_experiment(panel)" if out is None else f"erresearch plan {shlex.quote(str(out))}"
    text = (
        f"{_PAUSES}: with {Count(plan.weeks):week} you would find about {about} {plan.each_week} four times in five "
        f"({command}); the plan gives the exact figure"
    )
    return NextStep(code=PlanCode.PLAN, text=text)


def with_plan(
    verdicts: Sequence[Verdict], plan: NextStep, pauses: PastPauses | None = None
) -> tuple[Verdict, ...]:
    """Put the plan beside every verdict that it may settle, and raise the certainty of one that a pause agrees with.

    A plan may settle what stays open about revenue over time. That engagement brings revenue is *supported* by another
    design too where revenue was lower than expected in a gap or a fall of posting, and in no such pause higher.

    Parameters
    ----------
    verdicts : sequence of Verdict
        What was judged.
    plan : NextStep
        What :func:`settling_plan` found.
    pauses : PastPauses, optional
        What :func:`past_pauses` found.

    Returns
    -------
    tuple of Verdict
        The same words; of those that stay open or are very uncertain, with the plan before what else would help.
    """
    sold = (claim for claim in read_claims() if "revenue" in claim.roles.get("y", ()))
    asked = {one.id: one for one in sold if one.estimand.get("unit", "").startswith("entity")}
    said = Doubt("what would settle it", plan.text, code=plan.code)
    judged = pauses.judged if pauses is not None else ()
    less = {seen.word for pause, seen in judged if pause.kind != "more"}
    agrees = "supported" in less and "contradicted" not in less
    found = []
    for verdict in verdicts:
        claim, sure = asked.get(verdict.claim), verdict.certainty
        if claim is None:
            found.append(verdict)
            continue
        played = claim.arrow and "engagement" in claim.roles["x"]
        if played and agrees and verdict.word == "supported" and sure is not None:
            sure = grade(claim.design, (*sure.codes[1:], "independent-designs-agree"))
        # a word of which nobody can be sure waits for the plan as an open answer does
        waits = verdict.word in _OPEN or (sure is not None and sure.level == "very low")
        doubts = (said, *verdict.doubts) if plan.text and waits else verdict.doubts
        found.append(replace(verdict, certainty=sure, doubts=doubts))
    return tuple(found)


def earlier_looks(
    out: str | Path | None, settings: Mapping[str, Any], verdicts: Sequence[Verdict]
) -> dict[str, int]:
    """Claims that were asked with each set of choices so far; this run is the last.

    Each is known by a short hash of the choices, and one of each file's bytes. The same choices of the same files again
    are no further look.

    Parameters
    ----------
    out : path or None
        Folder of the results, with those of an earlier run or without.
    settings : mapping
        Choices and files of this run.
    verdicts : sequence of Verdict
        What it judged.

    Returns
    -------
    dict of str to int
    """
    chosen = repr(sorted((name, repr(value)) for name, value in settings.items() if name in _CHOICES))
    known = {}
    if out is not None and (Path(out) / LOOKS).is_file():
        rows = csv.reader((Path(out) / LOOKS).read_text(encoding="utf-8").splitlines()[1:])
        known = {row[0]: int(row[1]) for row in rows}
    places = [str(place) for name in FILES for place in settings.get(name, ())]
    own = " ".join([_digest(chosen.encode()), *sorted(set(map(_bytes_of, _each_file(places))))])
    known.pop(own, None)
    return known | {own: sum(one.word != "not judged" for one in verdicts)}


def same_rows(looked: Mapping[str, int]) -> dict[str, int]:
    """The looks at a file that the last one looked at too."""
    files = {key: set(key.split(" ")[1:]) for key in looked}
    last = list(looked)[-1] if looked else ""
    return {key: count for key, count in looked.items() if key == last or files[key] & files[last]}


def _each_file(places: Iterable[str]) -> Iterator[str]:
    """Each file, those of folders too; a table that is no file by its address."""
    for place in places:
        path = Path(place)
        yield from map(str, sorted(path.rglob("*"))) if path.is_dir() else [place]


def _bytes_of(place: str) -> str:
    path = Path(place)
    if not path.is_file():
        return _digest(place.encode())
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
