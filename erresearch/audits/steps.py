"""The audit as a list of steps: `audit` runs them, and its notebook is written from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from erresearch.audits import next_steps, rate_tables
from erresearch.audits.arrivals import Files, listed, read_files, refuse_spending
from erresearch.audits.folder import doubt_lines, drawings, write_audit
from erresearch.audits.judgement import Wanting, judge_panel, judged_by_day, what_would_help
from erresearch.audits.next_steps import NextStep, PastPauses
from erresearch.engine.expressions import Clock
from erresearch.errors import BESIDE, Count, ErresearchError, mapping_in, own_warnings
from erresearch.exports.lazy_tables import called_simulated
from erresearch.exports.log import Export
from erresearch.io import pd
from erresearch.io.outputs import check_output
from erresearch.panel.build import build_panel
from erresearch.panel.events import declared_events
from erresearch.panel.inputs import rows_by, sells
from erresearch.panel.records import Panel, Rules, look_up
from erresearch.results import Estimate, Printed, Verdict, verdict_table
from erresearch.schema.vocabulary import PERIODS, AnyFreq


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Audit(Printed):
    """What an audit found.

    Parameters
    ----------
    files : Files
        The exports, by what they hold.
    panel : Panel or None
        Posts and outcomes on one calendar; posts alone where there is no outcome that could be joined; None without
        posts.
    verdicts : tuple of Verdict
        One per claim that such files can be asked.
    rates : pandas.DataFrame
        Every engagement rate that the posts allow, side by side.
    survey : tuple of Estimate
        Net promoter scores.
    refused : tuple of str
        What could not be joined or told, and why.
    warnings : tuple of str
        What was said on the way.
    paths : mapping of str to pathlib.Path
        Files written: report, verdicts, panel, accounting, rates, notebook.
    pauses : PastPauses
        Gaps and jumps in posting, and what revenue was in them.
    plan : NextStep
        The plan of pauses that would settle what stayed open, and what it could find.
    looked : mapping of str to int
        Claims asked in each run with other choices that left its results in this folder, this one last.
    candidates : str
        What looks like events and was not declared, in one sentence; empty where nothing does.
    fix : str
        The one step that would let the files be joined; empty where they were.
    """

    files: Files
    panel: Panel | None
    verdicts: tuple[Verdict, ...]
    rates: pd.DataFrame
    survey: tuple[Estimate, ...]
    refused: tuple[str, ...]
    warnings: tuple[str, ...]
    paths: Mapping[str, Path]
    pauses: PastPauses
    plan: NextStep
    looked: Mapping[str, int] = field(default_factory=dict)
    candidates: str = ""
    fix: str = ""

    @property
    def exports(self) -> tuple[Export, ...]:
        """Everything that was read."""
        return self.files.exports

    @property
    def failure(self) -> str:
        """Nothing: the notebook is written from the steps that were run. Deprecated, and gone in 0.3."""
        return ""

    @property
    def wanted(self) -> tuple[str, ...]:
        """What to add, that which most answers depend on first, with the claims that wait for it."""
        if self.panel is None and self.fix:
            return (self.fix,)
        beside = [v for v in self.verdicts if any(doubt.code == self.plan.code for doubt in v.doubts)]
        settles = [v.claim for v in beside if v.word != "not judged" and self.plan.settles]
        freq = self.panel.freq if self.panel is not None else None
        plan = self.plan.text if beside else ""
        help_ = what_would_help(self.verdicts, plan=plan, settles=settles, freq=freq)
        return (self.fix, *help_) if self.fix else help_

    def __str__(self) -> str:
        """Files, panel, verdicts and what could not be told."""
        lines = [*self.files.lines, str(self.panel) if self.panel is not None else "no panel"]
        lines += [f"note: {text}" for text in self.warnings]
        waiting: dict[tuple[str, str], list[str]] = {}
        for v in self.verdicts:
            if v.word == "not judged":
                waiting.setdefault((v.words, v.reason), []).append(v.claim)
            else:
                lines.append(f"{v.claim}: {v.words}. {v.reason}. {v.certainty}")
        lines += [f"{', '.join(claims)}: {words}. {why}" for (words, why), claims in waiting.items()]
        lines += [*map(str, self.survey), *filter(None, (self.looks, self.candidates))]
        lines += [*(f"not told: {reason}" for reason in self.refused), *self.pauses.lines]
        lines += [f"what would help: {text}" for text in self.wanted]
        return "\n".join([*lines, *(f"{name}: {path}" for name, path in self.paths.items())])

    @property
    def looks(self) -> str:
        """How many claims were asked, in this and in earlier runs, and how many false words so many looks give."""
        return next_steps.looks_of(next_steps.same_rows(self.looked))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Joined:
    """Files on one calendar, as far as they could be joined.

    Parameters
    ----------
    panel : Panel or None
        The fullest panel that the files allow; None without posts.
    wanting : mapping of str to Wanting
        What it has none of, and why, as :func:`judge_panel` takes it.
    refused : tuple of str
        What could not be joined, and why.
    events : pandas.DataFrame, "none" or None
        Declared events; None where nothing was declared.
    fix : str
        The one step that would let what was refused be joined; empty where nothing was.
    """

    panel: Panel | None
    wanting: Mapping[str, Wanting]
    refused: tuple[str, ...] = ()
    events: Any = None
    fix: str = ""

    @property
    def name(self) -> str:
        """What the data are called: the one entity, or how many there are."""
        if self.panel is None or not len(self.panel.rows):
            return "your data"
        entities = self.panel.rows["entity"].unique()
        return str(entities[0]) if len(entities) == 1 else f"{Count(len(entities)):entity}"

    def __str__(self) -> str:
        """The panel, and what is not in it."""
        lines = [str(self.panel) if self.panel is not None else "no panel"]
        return "\n".join([*lines, *(f"not joined: {text}" for text in self.refused)])


@mapping_in(BESIDE)
def join_files(
    files: Files,
    *,
    freq: AnyFreq,
    tz: str,
    entity: Mapping[str, str] | None = None,
    rules: Rules | None = None,
) -> Joined:
    """Put everything on one calendar that can be put there.

    Outcomes, then advertising, are given up where they stand in the way; what was given up is said.

    Parameters
    ----------
    files : Files
        What :func:`read_files` found.
    freq : {"D", "W", "M", "auto"}
        Length of a period; "auto" as :func:`erresearch.audits.judgement.judged_by_day` says.
    tz : str
        Zone in which the business counts its days.
    entity : mapping of str to str, optional
        Account to entity.
    rules : Rules, optional
        Further choices of the joining.

    Returns
    -------
    Joined

    Raises
    ------
    DesignError
        If the rules say that nothing was spent and a file says otherwise.

    See Also
    --------
    erresearch.build_panel : One way to join, which refuses where this gives up a part.
    """
    days = files.days
    if freq == "auto" and days and (each := rows_by(days)) != "D":
        freq = each
    elif freq == "auto":
        daily = join_files(files, freq="D", tz=tz, entity=entity, rules=rules)
        if judged_by_day(daily.panel):
            return daily
        freq = "W"
    rules = rules or Rules(allow_break=True)
    refuse_spending(files, rules)
    if entity is not None:
        look_up(files.accounts, entity, what="account")
    posts = files.source("posts") or days or None
    if posts is None:
        reason = "there are no reactions: add an export of posts, or a table with a row per day"
        return Joined(panel=None, wanting={"revenue": Wanting(reason)})
    have = {"outcomes": files.source("outcomes"), "advertising": files.source("ads")}
    sold = have["outcomes"] is not None or sells(days)
    followers = files.source("followers") if days else files.source("followers", "daily")
    calendar: dict[str, Any] = {"freq": freq, "tz": tz, "week_start": files.week_start}
    joining = partial(build_panel, posts, **calendar, entity=entity, followers=followers, rules=rules)
    panel, failures = _as_much_as_can_be(joining, have)
    lost = [str(error) for tried, error in failures.items() if "outcomes" in tried]
    reason, unscored, events = lost[-1] if lost else "" if sold else files.unsold, "", None
    if panel is not None:
        if files.lakes and called_simulated(panel.rows["entity"].unique()):
            panel.rows.attrs["simulated"] = True
        panel, unscored = rate_tables.with_scores(panel, files.survey)
        events = declared_events(rules.events, rules.holidays, panel.rows["period"])
    refused = ([] if sold else [files.unsold]) + _told(failures)
    mends = [error.fix for tried, error in failures.items() if panel is None or "outcomes" in tried]
    if panel is None:
        reason = reason or refused[-1]
    wanting = {
        "revenue": Wanting(reason, frozenset() if sold else frozenset({"revenue"})),
        "spend": Wanting(files.unpriced),
        "nps": Wanting(unscored),
    }
    fix = next(iter(mends), "")
    return Joined(panel=panel, wanting=wanting, refused=tuple(refused), fix=fix, events=events)


def _as_much_as_can_be(
    joining: Callable[..., Panel], have: Mapping[str, Any]
) -> tuple[Panel | None, dict[tuple[str, ...], ErresearchError]]:
    """The panel with outcomes and advertising, or with what of the two can be joined; and why the rest cannot."""
    failures: dict[tuple[str, ...], ErresearchError] = {}
    for tried in (("outcomes", "advertising"), ("outcomes",), ("advertising",), ()):
        if any(have[what] is None for what in tried):
            continue
        outcomes, spend = (have[what] if what in tried else None for what in ("outcomes", "advertising"))
        try:
            return joining(outcomes=outcomes, spend=spend).collect(), failures
        except ErresearchError as error:
            failures[tried] = error
    return None, failures


def _told(failures: Mapping[tuple[str, ...], ErresearchError]) -> list[str]:
    """Each failure once: what fails without advertising as well is no fault of the advertising."""
    smallest = {str(error): " and ".join(["posts", *tried]) for tried, error in failures.items()}
    return [f"{what} could not be joined: {error}" for error, what in smallest.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: a function, what it is given, and what is shown of what it makes.

    Parameters
    ----------
    call : callable
        A public function.
    given : str
        Its arguments, as they are written in a cell: names of settings and of earlier steps, with attributes
        (``files.described``). ``name=`` before one says which parameter it is.
    makes : str
        The name under which later steps know the result; empty where it is only shown.
    shows : {"", "printed", "shown", "each"}
        Whether the result is printed, shown as a table, or is several pictures; or nothing.
    text : str
        What stands above the cell, in Markdown.
    needs : str
        What must be there for the step to be of use.
    """

    call: Callable[..., Any]
    given: str
    makes: str = ""
    shows: Literal["", "printed", "shown", "each"] = ""
    text: str = ""
    needs: str = ""

    def run(self, known: Mapping[str, Any]) -> Any:
        """Call the function with what is known so far."""
        named = [one.rpartition("=") for one in self.given.split(", ")]
        places = [_value(known, place) for name, _, place in named if not name]
        return self.call(*places, **{name: _value(known, place) for name, _, place in named if name})

    @property
    def imports(self) -> str:
        """The function's name, where it does not stand below ``er``."""
        import erresearch

        name = self.call.__name__
        return "" if name in dir(erresearch) else name

    @property
    def code(self) -> str:
        """The same as a cell."""
        call = f"{'' if self.imports else 'er.'}{self.call.__name__}({self.given})"
        if self.makes:
            return f"{self.makes} = {call}" + (f"\nprint({self.makes})" if self.shows == "printed" else "")
        return {"printed": f"print({call})", "each": f"display(*{call})"}.get(self.shows, call)


def _value(known: Mapping[str, Any], place: str) -> Any:
    """What stands at a place such as ``files.described``."""
    first, *rest = place.split(".")
    value = True if first == "True" else known[first]
    for name in rest:
        value = getattr(value, name)
    return value


#: Every step of an audit, in order.
STEPS: Final[tuple[Step, ...]] = (
    Step(
        call=read_files,
        given="FILES, outcomes=OUTCOMES, survey=SURVEY, tz=TZ, currency=CURRENCY, pseudonyms=PSEUDONYMS, entity=ENTITY",
        makes="files",
        shows="printed",
        text="## Read\n\nEach file is recognised by its bytes and headers. What it does not say is guessed, with the "
        "reason; every row is accounted for.",
    ),
    Step(
        call=rate_tables.described_posts,
        given="files",
        makes="posts",
        text="## Engagement, by every definition\n\nThe same posts, under each definition in use. A band is what one "
        "source prints; it holds for its own definition only.",
    ),
    Step(call=rate_tables.side_by_side, given="posts", makes="rates"),
    Step(call=rate_tables.rate_table, given="rates", shows="shown", needs="rates"),
    Step(
        call=join_files,
        given="files, freq=FREQ, tz=TZ, entity=ENTITY, rules=RULES",
        makes="joined",
        shows="printed",
        text="## One calendar\n\nOne row per entity and period; nothing is spread, repeated or filled in.",
    ),
    Step(call=rate_tables.column_table, given="joined.panel", shows="shown", needs="joined.panel"),
    Step(
        call=next_steps.past_pauses,
        given="joined.panel",
        makes="pauses",
        shows="printed",
        text="## Pauses that already happened\n\nGaps and jumps in posting, found without looking at revenue. Nobody "
        "drew them at random, so what is read off them is a hint.",
    ),
    Step(
        call=rate_tables.account_table,
        given="posts",
        makes="accounts",
        text="## The claims\n\n*Not judged* says what is missing, *inconclusive* what would help.",
    ),
    Step(
        call=judge_panel,
        given="joined.panel, accounts, name=joined.name, sesoi=SESOI, wanting=joined.wanting, events=joined.events, "
        "choice=RULES.choice",
        makes="verdicts",
    ),
    Step(call=next_steps.settling_plan, given="joined.panel, grain=files.grain, out=OUT", makes="plan"),
    Step(call=next_steps.with_plan, given="verdicts, plan, pauses", makes="verdicts"),
    Step(call=verdict_table, given="verdicts, reason=True", shows="shown"),
    Step(call=doubt_lines, given="verdicts", shows="printed", needs="verdicts"),
    Step(
        call=drawings,
        given="verdicts",
        shows="each",
        needs="joined.panel",
        text="## What the estimates were read off",
    ),
    Step(
        call=rate_tables.survey_scores,
        given="files.survey",
        makes="scores",
        shows="printed",
        needs="files.survey",
        text="## The survey",
    ),
)


@mapping_in(BESIDE)
def audit(
    files: Iterable[str | Path],
    *,
    outcomes: Iterable[str | Path] = (),
    survey: Iterable[str | Path] = (),
    tz: str,
    freq: AnyFreq = "auto",
    sesoi: float | None = None,
    entity: Mapping[str, str] | None = None,
    currency: str | None = None,
    out: str | Path | None = None,
    rules: Rules | None = None,
    pseudonyms: bool = False,
) -> Audit:
    """Read exports as they are, join them, judge every claim that they can be asked, and write it all down.

    Without outcomes it is an audit of engagement: it shows every definition side by side, with the bands of their
    sources. Files that do not fit together are not joined; `refused` and the report give the reason.

    Parameters
    ----------
    files : iterable of path
        Exports of any kind. A mapping file ``x.csv.toml`` beside ``x.csv`` is used where it is there. Parquet files
        (``"posts/*.parquet"``) and ``duckdb:file.db?table=posts`` are summed where they lie; the panel comes here.
    outcomes, survey : iterable of path
        Files that must hold outcomes, and files that must hold answers of a survey.
    tz : str
        Time zone in which the business counts its days, such as "Europe/Amsterdam".
    freq : {"D", "W", "M", "auto"}
        Length of a period; "auto" takes days where one to five shops have 180 or more of them and sold on most, else
        weeks, and says which.
    sesoi : float, optional
        Smallest elasticity of interest, in place of the registry's.
    entity : mapping of str to str, optional
        Which shop each account belongs to, where the files are of several shops.
    currency : str, optional
        The one currency to keep.
    out : path, optional
        Folder for ``report.html``, ``verdicts.csv``, ``panel.csv``, ``accounting.csv``, ``rates.csv`` and
        ``audit.ipynb``, a notebook that does every step again, with what each of them gave here. The folder is
        replaced whole, and only if it holds nothing but results of this package
        (:func:`erresearch.io.outputs.output_folder`). Without `out`, nothing is written.
    rules : Rules, optional
        Further choices, such as leaving boosted posts out, or saying that nothing was spent. Without it, a definition
        that changes midway is marked, not refused.
    pseudonyms : bool
        Whether accounts, entities, currencies, events, and platforms and kinds of post that the package does not know
        are called "account 1", "entity 1" … in everything that is printed and written. Names of files stay.

    Returns
    -------
    Audit

    Raises
    ------
    ErresearchError
        If a file cannot be read or written. Data that are too few give a verdict, not an error.
    DataError
        If `out` holds something else than results, or an input.

    See Also
    --------
    erresearch.inspect_export : What one file is, before it is read.
    erresearch.audits.judge_panel : The judging alone.

    Examples
    --------
    >>> import tempfile
    >>> from erresearch.worlds import example_exports
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = audit(example_exports(folder, weeks=60, rng=1), tz="Europe/Amsterdam")
    >>> [verdict.word for verdict in found.verdicts if verdict.claim == "C01"]
    ['inconclusive']
    """
    Clock("W" if freq == "auto" else freq, tz, "monday")  # refuses what is none, before any file is read
    given = {"FILES": listed(files), "OUTCOMES": listed(outcomes), "SURVEY": listed(survey)}
    inputs = [path for paths in given.values() for path in paths]
    if out is not None:
        check_output(out, inputs=inputs)
    rules = rules or Rules(allow_break=True)
    known: dict[str, Any] = {
        **given,
        "TZ": tz,
        "FREQ": freq,
        "SESOI": sesoi,
        "ENTITY": dict(entity) if entity else None,
        "CURRENCY": currency,
        "RULES": replace(rules, currency=currency or rules.currency),
        "PSEUDONYMS": pseudonyms,
        "OUT": None if out is None else str(out),
    }
    names = tuple(known)
    with own_warnings() as said:
        cells = _run_steps(known, written=out is not None)
    settings = {name: known[name] for name in names}
    read, joined = known["files"], known["joined"]
    found = Audit(
        files=read,
        panel=joined.panel,
        verdicts=known["verdicts"],
        rates=known["rates"],
        survey=known.get("scores", ()),
        refused=(*(f"{name}: {reason}" for name, reason in read.unusable), *joined.refused),
        warnings=tuple(dict.fromkeys(_notes(read, joined, said, freq=freq))),
        paths={},
        pauses=known["pauses"],
        plan=known["plan"],
        looked=next_steps.earlier_looks(out, settings, known["verdicts"]),
        fix=joined.fix,
        candidates=next_steps.perhaps_events(joined.panel, joined.events),
    )
    if out is None:
        return found
    return replace(found, paths=write_audit(found, Path(out), settings, cells, inputs=inputs))


def _run_steps(known: dict[str, Any], *, written: bool) -> list[tuple[Step, Any]]:
    """Run every step that has what it needs; what is only shown runs where it is written down."""
    cells = []
    for step in STEPS:
        if not (step.makes or written) or (step.needs and not _there(known, step.needs)):
            continue
        made = step.run(known)
        known |= {step.makes: made} if step.makes else {}
        if step.makes == "files":
            _use_shown_labels(known, made)
        cells.append((step, made))
    return cells


def _notes(read: Files, joined: Joined, said: Iterable[str], *, freq: AnyFreq) -> list[str]:
    """What the package warned of, with the shown labels, what stands beside each file, and how periods were chosen."""
    told = [read.labels.text(text) for text in said]
    told += [f"{export.name}: {caution}" for export in read.exports for caution in export.warnings]
    by = joined.panel.freq if joined.panel is not None else "W"
    if freq == "auto":
        why = "where one to five shops have 180 days or more and sold on most, days are taken, else weeks"
        if read.days and rows_by(read.days) != "D":
            why = f"each row of {read.days[0].name} is a {PERIODS[by].one}"
        told.append(f"judged by {PERIODS[by].one}: {why}")
    if by == "W" and read.week_start != "monday":
        told.append(f"weeks begin on a {read.week_start}, as those of the outcomes do")
    return told


def _there(known: Mapping[str, Any], place: str) -> bool:
    """Whether there is something at a place."""
    value = _value(known, place)
    return value is not None and (not hasattr(value, "__len__") or len(value) > 0)


def _use_shown_labels(known: dict[str, Any], files: Files) -> None:
    """What the caller said of accounts and currencies, under the labels that are shown from here on."""
    known["ENTITY"] = files.labels.mapping(known["ENTITY"])
    rules: Rules = known["RULES"]
    if rules.currency is not None:
        known["RULES"] = replace(rules, currency=files.labels.shown.get(rules.currency, rules.currency))
