"""The audit as one function: files in; verdicts, tables, a report and a notebook out."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from erresearch.audits.inputs import Files, read_files
from erresearch.audits.nps_by_period import with_scores
from erresearch.audits.outputs import write_audit
from erresearch.audits.rate_tables import account_table, side_by_side
from erresearch.audits.verdicts import judge_panel, what_would_help
from erresearch.engine.periods import Clock
from erresearch.errors import DesignError, ErresearchError, ErresearchWarning
from erresearch.exports import Export
from erresearch.exports.lazy_tables import Lake, called_simulated
from erresearch.panel import Panel, Rules, build_panel
from erresearch.panel.entities import look_up
from erresearch.results import Estimate, Verdict
from erresearch.schema.vocabulary import Freq

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Audit", "audit"]


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
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
    failure : str
        Why the notebook failed, where it did.
    """

    files: Files
    panel: Panel | None
    verdicts: tuple[Verdict, ...]
    rates: pd.DataFrame
    survey: tuple[Estimate, ...]
    refused: tuple[str, ...]
    warnings: tuple[str, ...]
    paths: Mapping[str, Path]
    failure: str = ""

    @property
    def exports(self) -> tuple[Export, ...]:
        """Everything that was read."""
        return self.files.exports

    @property
    def wanted(self) -> tuple[str, ...]:
        """What to add, with the claims that wait for it."""
        return what_would_help(self.verdicts)

    def __str__(self) -> str:
        """Files, panel, verdicts and what could not be told."""
        lines = [str(self.files), str(self.panel) if self.panel is not None else "no panel"]
        lines += [f"{v.claim}: {v.words}. {v.reason}" for v in self.verdicts if v.word != "not judged"]
        waiting: dict[tuple[str, str], list[str]] = {}
        for v in self.verdicts:
            if v.word == "not judged":
                waiting.setdefault((v.words, v.reason), []).append(v.claim)
        lines += [f"{', '.join(claims)}: {words}. {why}" for (words, why), claims in waiting.items()]
        lines += [str(estimate) for estimate in self.survey]
        lines += [f"not told: {reason}" for reason in self.refused]
        lines += [f"what would help: {text}" for text in self.wanted]
        lines += [f"{name}: {path}" for name, path in self.paths.items()]
        return "\n".join([*lines, f"the notebook failed: {self.failure}"] if self.failure else lines)

    def __repr__(self) -> str:
        """The same."""
        return str(self)


def audit(
    files: Iterable[str | Path],
    *,
    outcomes: Iterable[str | Path] = (),
    survey: Iterable[str | Path] = (),
    tz: str,
    freq: Freq = "W",
    sesoi: float | None = None,
    entity: Mapping[str, str] | None = None,
    currency: str | None = None,
    out: str | Path | None = None,
    rules: Rules | None = None,
) -> Audit:
    """Read exports as they are, join them, judge every claim that they can be asked, and write it all down.

    Without outcomes it is an audit of engagement: every definition side by side, with the bands of their sources.
    What cannot be joined is not joined, and the reason stands in `refused` and in the report.

    Parameters
    ----------
    files : iterable of path
        Exports of any kind. A mapping file ``x.csv.toml`` beside ``x.csv`` is used where it is there. Parquet files
        (``"posts/*.parquet"``) and ``duckdb:file.db?table=posts`` are summed where they lie; the panel comes here.
    outcomes, survey : iterable of path
        Files that must hold outcomes, and answers of a survey.
    tz : str
        Time zone in which the business counts its days, such as "Europe/Amsterdam".
    freq : {"D", "W", "M"}
        Length of a period.
    sesoi : float, optional
        Smallest elasticity of interest, in place of the registry's.
    entity : mapping of str to str, optional
        Account to entity, where the files are of several shops.
    currency : str, optional
        The one currency to keep.
    out : path, optional
        Folder for ``report.html``, ``verdicts.csv``, ``panel.csv``, ``accounting.csv``, ``rates.csv`` and
        ``audit.ipynb``, a notebook that does every step again; nothing is written where it is not given.
    rules : Rules, optional
        Further choices of the joining, such as that boosted posts are left out, or that nothing was spent. Where it is
        not given, a definition that changes midway is marked, not refused.

    Returns
    -------
    Audit
        Its `failure` says so if the notebook did not run through.

    Raises
    ------
    ErresearchError
        If a file cannot be read or written. Data that are too few give a verdict, not an error.

    Examples
    --------
    >>> import tempfile
    >>> from erresearch.worlds import example_exports
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = audit(example_exports(folder, weeks=60, rng=1), tz="Europe/Amsterdam")
    >>> [verdict.word for verdict in found.verdicts if verdict.claim == "C01"]
    ['inconclusive']
    """
    import pandas as pd

    Clock(freq, tz, "monday")  # refuses what is none, before any file is read
    rules = rules or Rules(allow_break=True)
    rules = replace(rules, currency=currency or rules.currency)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ErresearchWarning)
        sorted_ = read_files(files, outcomes=outcomes, survey=survey, tz=tz, currency=currency)
        _agree(sorted_, rules)
        if entity is not None:
            look_up(sorted_.accounts, entity, what="account")
        refused = [f"{name}: {reason}" for name, reason in sorted_.unusable]
        panel, reason = _panel(sorted_, refused, tz=tz, freq=freq, entity=entity, rules=rules)
        panel, unscored = with_scores(panel, sorted_.survey) if panel is not None else (None, "")
        rates = pd.DataFrame()
        accounts = None
        posts = sorted_.described
        if posts is not None:
            rates, accounts = side_by_side(posts), account_table(posts)
        name = _name(panel)
        verdicts = judge_panel(
            panel,
            accounts,
            name=name,
            sesoi=sesoi,
            reason=reason,
            unpriced=sorted_.unpriced,
            unscored=unscored,
        )
        scores = _scores(sorted_)
    said = [str(w.message) for w in caught if issubclass(w.category, ErresearchWarning)]
    said += [f"{export.name}: {caution}" for export in sorted_.exports for caution in export.warnings]
    if freq == "W" and sorted_.week_start != "monday":
        said.append(f"weeks begin on a {sorted_.week_start}, as those of the outcomes do")
    for warning in caught:
        if not issubclass(warning.category, ErresearchWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    made = Audit(sorted_, panel, verdicts, rates, scores, tuple(refused), tuple(dict.fromkeys(said)), {})
    if out is None:
        return made
    settings = {
        "FILES": [str(path) for path in _listed(files)],
        "OUTCOMES": [str(path) for path in _listed(outcomes)],
        "SURVEY": [str(path) for path in _listed(survey)],
        "TZ": tz, "FREQ": freq, "SESOI": sesoi, "ENTITY": dict(entity) if entity else None, "CURRENCY": currency,
        "RULES": asdict(rules), "WEEK_START": sorted_.week_start,
    }  # fmt: skip
    paths, failure = write_audit(made, Path(out), settings)
    return replace(made, paths=paths, failure=failure)


def _agree(files: Files, rules: Rules) -> None:
    """Refuse the word that nothing was spent beside a file that says otherwise."""
    tables: tuple[Export | Lake, ...] = (*files.ads, *files.unjoined, *files.lakes)
    spending = [one.name for one in tables if one.kind == "ads"]
    if rules.nothing_spent and spending:
        raise DesignError(
            "it was said that nothing was spent on advertising, and a file says otherwise",
            got=", ".join(spending),
            fix="leave out --nothing-spent (nothing_spent=True in Rules), or the file",
        )


def _listed(files: Iterable[str | Path] | str | Path) -> list[str | Path]:
    return [files] if isinstance(files, (str, Path)) else list(files)


def _name(panel: Panel | None) -> str:
    if panel is None or not len(panel.rows):
        return "your data"
    entities = panel.rows["entity"].unique()
    return str(entities[0]) if len(entities) == 1 else f"{len(entities)} entities"


def _panel(
    files: Files,
    refused: list[str],
    *,
    tz: str,
    freq: Freq,
    entity: Mapping[str, str] | None,
    rules: Rules,
) -> tuple[Panel | None, str]:
    """The fullest panel that the files allow, and why it has no outcomes where it has none."""
    posts = files.source("posts")
    if posts is None:
        return None, "there is no export of posts: add an export of posts with reactions"

    def build(outcomes: object, spend: object, followers: object) -> Panel:
        made = build_panel(
            posts,
            outcomes,
            freq=freq,
            tz=tz,
            week_start=files.week_start,
            entity=entity,
            followers=followers,
            spend=spend,
            rules=rules,
        )
        made = made.collect()
        if files.lakes and called_simulated(made.rows["entity"].unique()):
            made.rows.attrs["simulated"] = True
        return made

    outcomes, ads = files.source("outcomes"), files.source("ads")
    followers = files.source("followers", "daily")
    reason = ""
    if outcomes is None:
        advertising = {export.name for export in files.unjoined if export.kind != "outcomes"}
        lost = [name for name, _ in files.unusable if name not in advertising]
        which = f" ({', '.join(lost)} could not be used)" if lost else ""
        reason = f"there is no file of outcomes{which}, so nothing about revenue could be tested"
        refused.append(reason)
    # each step gives up what stood in the way, and says so
    for with_outcomes, with_ads in ((True, True), (True, False), (False, True), (False, False)):
        if (with_outcomes and outcomes is None) or (with_ads and ads is None):
            continue
        try:
            return build(outcomes if with_outcomes else None, ads if with_ads else None, followers), reason
        except ErresearchError as error:
            what = [
                word
                for word, there in (
                    ("outcomes", with_outcomes and outcomes is not None),
                    ("advertising", with_ads),
                )
                if there
            ]
            # what fails without advertising as well is no fault of the advertising
            refused[:] = [said for said in refused if not said.endswith(f"could not be joined: {error}")]
            refused.append(f"posts{''.join(f' and {word}' for word in what)} could not be joined: {error}")
            if with_outcomes:
                reason = str(error)
    return None, reason or refused[-1]


def _scores(files: Files) -> tuple[Estimate, ...]:
    from erresearch.metrics import nps

    return tuple(
        nps(export.rows, name=f"NPS of {export.name}")
        for export in files.survey
        if not any(caution.code == "other scale" for caution in export.warnings)
    )
