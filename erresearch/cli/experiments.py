"""The commands around an experiment: plan it, wager on it, judge it."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from erresearch.errors import DataError, DesignError, ErresearchError, said_by
from erresearch.io import pd
from erresearch.io.files import atomic_write, csv_text
from erresearch.io.outputs import check_output, replaceable_file
from erresearch.report.console import card, plain, say
from erresearch.schema.vocabulary import Freq

if TYPE_CHECKING:
    from erresearch.results import Doubt, Verdict

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


class _Place(click.Path):
    """Text, since an address of a table (duckdb:…, s3://…) is no path; empty text would be the folder where we are."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("The name is empty. Name a file, such as orders.csv.", param, ctx)
        return super().convert(value, param, ctx)


class _Share(click.types.FloatParamType):
    """A number; per cent are refused with the share that they stand for in mind, since an amount is read here too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if str(value).rstrip().endswith("%"):
            self.fail(f"{value!r} is not a number. Write a share: 0.1 stands for 10 %.", param, ctx)
        return super().convert(value, param, ctx)


PLACE = _Place()
SHARE = _Share()
_PERIODS = click.Choice(("D", "W"))
_WISHES = "erresearch.wishes"


def _panel(files: tuple[str, ...], outcome: str, tz: str | None, freq: Freq, currency: str | None) -> Any:
    """A panel.csv as `audit` writes it (or its folder), or exports put on one calendar."""
    one = Path(files[0]) / "panel.csv" if (Path(files[0]) / "panel.csv").is_file() else Path(files[0])
    if len(files) == 1 and one.suffix == ".csv" and one.is_file():
        head = set(pd.read_csv(one, nrows=0, encoding="utf-8-sig", encoding_errors="replace").columns)
        if "period" in head and head & {"entity", outcome}:
            rows = pd.read_csv(one, encoding="utf-8-sig", encoding_errors="replace", parse_dates=["period"])
            zone = _told_beside(one, "zone", tz, "--tz")
            if not zone:
                say(
                    f"{plain(one.name)} does not say in which zone its days were counted: say --tz Area/City, so that"
                    " rows of another clock are refused later."
                )
            money = _told_beside(one, "currency", currency and currency.upper(), "--currency")
            return SimpleNamespace(rows=rows, tz=zone, currency=money)
    from erresearch.audits import read_files
    from erresearch.panel.build import build_panel
    from erresearch.panel.inputs import days_of_sales, sells

    found = read_files(files, tz="UTC" if tz is None else tz, currency=currency)
    posts, outcomes = found.source("posts") or found.days or None, found.source("outcomes")
    if outcomes is None and not sells(found.days):
        raise DataError(
            "an experiment needs outcomes", got="none among the files",
            fix="name the file of sales or payments too, or the folder that `erresearch audit` wrote",
        )  # fmt: skip
    if found.grain == "M":
        raise DataError(
            "a plan draws days or weeks to pause in",
            got="files with a row per month",
            fix="make them by day or by week, and say --freq W where they are by week",
        )
    if tz is None:
        say("Days and weeks were counted in UTC; where the business has another clock, say --tz Area/City.")
    panel = build_panel(
        days_of_sales(found.outcomes, tz or "UTC") if posts is None else posts,
        outcomes,
        freq=freq,
        tz="UTC" if tz is None else tz,
        week_start=found.week_start,
        min_age_days=7 if posts is not None else 0,
    )
    return panel if posts is not None else replace(panel, rows=panel.rows.drop(columns=["posts"]))


def _told_beside(table: Path, name: Literal["zone", "currency"], asked: str | None, option: str) -> str:
    """Zone or currency of a ready table: what the file beside it says, else what the caller does."""
    from erresearch.exports.layouts import Settings
    from erresearch.exports.mapping import mapping_path, read_mapping

    beside = mapping_path(table)
    stated = (getattr(read_mapping(beside, Settings())[0], name) or "") if beside.is_file() else ""
    if stated and asked and asked != stated:
        counted = "counts its days in another zone" if name == "zone" else "holds amounts in another currency"
        raise DesignError(
            f"{table.name} {counted} than was asked for",
            got=asked, allowed=stated, fix=f"leave {option} out, or run the audit again with {option} {asked}",
        )  # fmt: skip
    return stated or asked or ""


#: Options that `plan` and `judge` share: how the files become a panel.
_TZ = click.option("--tz", help="Zone in which the business counts its days.  [default: the plan's, or UTC]")
_CURRENCY = click.option("--currency", help="The one currency to keep.")


def _keep(context: click.Context, option: click.Parameter, value: object) -> None:
    """Keep what the caller asked for, under the name that it has in the function behind the command."""
    if value is not None and value is not False:  # a cost of 0 is said
        context.meta.setdefault(_WISHES, {})[option.name] = value


#: An option that :func:`wishes` hands to the function behind the command.
wish = functools.partial(click.option, callback=_keep, expose_value=False)


def wishes() -> dict[str, Any]:
    """What the caller asked for, by name."""
    return dict(click.get_current_context().meta.get(_WISHES, {}))


@click.command("plan", short_help="Plan pauses in posting that tell what posting brings.")
@click.argument("files", nargs=-1, required=True, type=PLACE)
@wish("--outcome", default="revenue", show_default=True, help="Column that posting should move.")
@wish("--entity", help="The one shop to plan for.")
@wish(
    "--design", type=click.Choice(("auto", "time", "shops")), help="Pause in time, or one shop of each pair."
)
@wish("--weeks", type=int, help="Length in weeks.  [default: the shortest that is enough, up to 52]")
@wish("--block", type=int, help="Periods in a block.  [default: from the past]")
@wish("--group", type=int, help="Blocks in a group, half of them pauses.  [default: 2]")
@wish("--washout", type=int, help="Periods at the start of each block that do not count.  [default: 0]")
@wish(
    "--lags",
    type=(int, int),
    help="First and last period after a post in which it works.  [default: from the past]",
)
@wish("--delta", type=SHARE, help="Smallest effect that matters, as a share.  [default: 0.05]")
@wish("--cost", type=float, help="What posting costs a shop in a week.")
@wish("--start", help="First day.  [default: the period after the last one]")
@click.option("--freq", type=_PERIODS, default="D", show_default=True, help="By day or by week.")
@click.option("--out", type=FOLDER, default=Path("plan"), show_default=True, help="Where the plan goes.")
@_CURRENCY
@_TZ
def plan_pauses(
    *, files: tuple[str, ...], freq: Freq, tz: str | None, currency: str | None, out: Path
) -> None:
    """Plan pauses in posting that can tell what posting brings, from exports or the folder of an audit."""
    from erresearch.experiments import Blocks, plan_experiment, write_plan

    check_output(out, inputs=files)
    asked = wishes()
    asked["block"] = Blocks(asked.get("block"), asked.pop("group", 2), asked.pop("washout", 0))
    plan = plan_experiment(_panel(files, asked["outcome"], tz, freq, currency), **asked)
    plan = replace(plan, currency=plan.currency or (currency or "").upper(), zone=plan.zone or tz or "")
    written = write_plan(plan, out, inputs=files)
    card(plan.parts[0][1], plan.parts[1:])
    say(f"\n{plan.table.folded(80)}\n")
    say(f"Written: {plain(', '.join(str(path) for path in written))}")
    begin, step = dt.date.fromisoformat(str(plan.start)), 1 if plan.design.every == "D" else 7
    if (behind := (dt.date.today() - begin).days) >= 0:
        later = begin + dt.timedelta(days=(behind // step + 1) * step)
        say(f"{plan.start} lies in the past: say --start {later}, or a later one, to carry the plan out.")
        return
    say(f'Next, before {plan.start}: erresearch wager {plain(out)} --claim "..." --forecast 0.1')


@click.command("wager", short_help="Write a claim and a forecast into a plan.")
@click.argument("plan", type=click.Path(path_type=Path))
@wish("--claim", required=True, help="What is claimed, in one sentence.")
@wish(
    "--forecast",
    type=SHARE,
    required=True,
    help="Expected effect: 0.1 for 10 %; of letters, the amount by person.",
)
@wish("--date", help="The day of the wager.  [default: today]")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where it goes with the wager.  [default: its place]"
)
def wager_on(*, plan: Path, out: Path | None) -> None:
    """Write claim and forecast into a plan before it begins, and print the hash to deposit elsewhere.

    PLAN is the folder of a plan of pauses, or the file of people held out (holdout.toml).
    """
    from erresearch.experiments import read_holdout, read_plan, wager, write_holdout, write_plan
    from erresearch.results import plain as rounded

    asked = wishes()
    asked["date"] = asked.get("date") or dt.date.today().isoformat()
    if plan.is_file():
        held = wager(read_holdout(plan), **asked)
        if out is not None:
            replaceable_file(out, inputs=[plan], ours=is_read_by(read_holdout, out))
        write_holdout(held, out or plan)
        say(held.deposit)
        say(f"Recorded: {held.outcome} {rounded(held.forecast, '+g')} a person.")
    else:
        made = wager(read_plan(plan), **asked)
        write_plan(made, out or plan)
        say(made.digest)
        say(f"Recorded: {made.outcome} {rounded(100 * made.forecast, '+.3g')} %.")
    say("Deposit this where others can see its date; judge the plan with --hash and it.")


@click.command("judge", short_help="Judge what came of a plan.")
@click.argument("folder", type=FOLDER)
@click.argument("files", nargs=-1, required=True, type=PLACE)
@wish("--hash", help="The hash that was deposited.")
@wish("--early", "looking_early", is_flag=True, help="Look once before the end, from half of the plan on.")
@wish("--ended", help="First day after the plan was given up, for a reason other than revenue.")
@click.option("--finding", type=FILE, help="Where to write the effect as a row for `erresearch combine`.")
@_CURRENCY
@_TZ
def judge_plan(
    *, folder: Path, files: tuple[str, ...], finding: Path | None, tz: str | None, currency: str | None
) -> None:
    """Judge what came of a plan, beside the schedules that chance could have drawn instead."""
    from erresearch.experiments import judge_experiment, read_plan

    plan = read_plan(folder)
    panel = _panel(files, plan.outcome, tz or plan.zone or None, plan.design.every, currency)
    judged = judge_experiment(panel, plan, **wishes())
    card(judged.parts[0][1], judged.parts[1:])
    if finding is not None:
        replaceable_file(finding, inputs=files, ours=False)
        one = judged.finding
        row = (one.name, one.estimate.value, one.estimate.se, one.outcome, one.period, one.unit)
        atomic_write(finding, csv_text(("name", "value", "se", "outcome", "period", "unit"), [row]))
    _end_unless_proven(judged.doubts)


def _end_unless_proven(doubts: Iterable[Doubt]) -> None:
    """A hash that is not the plan's is a failure for programs."""
    if wishes().get("hash") and any(doubt.code == "registration-unproven" for doubt in doubts):
        raise click.exceptions.Exit(1)


@click.command("holdout", short_help="Leave people out of a newsletter at random; judge it.")
@click.argument("people", type=PLACE)
@wish("--delta", type=float, help="Plan: the smallest effect by person that matters, in the outcome's unit.")
@click.option(
    "--judge", "plan", type=FILE, help="Judge PEOPLE after the stretch; FILE is the plan, holdout.toml."
)
@wish("--outcome", default="revenue", show_default=True, help="Column of what each person bought.")
@wish("--person", default="person", show_default=True, help="Column of the ids.")
@wish("--share", type=SHARE, help="Share to hold out.  [default: the smallest that is enough]")
@click.option(
    "--out", type=FILE, default=Path("holdout.toml"), show_default=True, help="Where the plan goes."
)
@click.option("--list", "listed", type=FILE, help="Where to write the ids that get no letters, one a line.")
@wish("--hash", help="Judge: the hash that was deposited.")
def hold_out(*, people: str, plan: Path | None, out: Path, listed: Path | None) -> None:
    """Leave people out of a newsletter at random, or judge what the letters brought.

    PEOPLE is a table with one row for each person: an id, and what they bought over a stretch, 0 where nothing.
    """
    from erresearch.experiments import judge_holdout, plan_holdout, read_holdout, write_holdout

    asked = wishes()
    if ("delta" in asked) == (plan is not None):
        raise DesignError(
            "say what to do",
            allowed="--delta to plan, or --judge with a plan",
            fix="use --delta 0.5, for example",
        )
    told = None if plan is None else read_holdout(plan)
    person = asked["person"] if told is None else told.person
    try:
        table = pd.read_csv(people, encoding="utf-8-sig", dtype={person: "str"})
    except (OSError, ValueError) as error:
        raise DataError(
            "the table of people cannot be read",
            got=said_by(error) if isinstance(error, OSError) else type(error).__name__,
            fix="name a CSV file in UTF-8",
        ) from None
    if told is not None:
        judged = judge_holdout(table, told, name=Path(people).name, hash=asked.get("hash"))
        _say_of_people(judged)
        _end_unless_proven(judged.doubts)
        return
    asked.pop("hash", None)
    made = plan_holdout(table, **asked)
    replaceable_file(out, inputs=[people], ours=is_read_by(read_holdout, out))
    if listed is not None:
        replaceable_file(listed, inputs=[people, out], ours=False)
        held = table.loc[made.held(table[person]), person]
        atomic_write(listed, "".join(f"{one}\n" for one in held))
    say(str(made))
    say(f"Written: {plain(', '.join(map(str, filter(None, (write_holdout(made, out), listed)))))}")
    say(
        f'Next, before the first letter: erresearch wager {plain(out)} --claim "..." --forecast {made.delta:g}'
    )
    say(f"After a stretch as long as that of these rows: erresearch holdout AFTER --judge {plain(out)}")


def _say_of_people(judged: Verdict) -> None:
    from erresearch.results import plain as rounded

    brought = judged.estimate
    if brought is None:  # people held out always give one
        return
    number, amounts = brought.n_rows, (brought.value, brought.interval.low, brought.interval.high)
    every, low, high = (rounded(number * amount, ",.0f") for amount in amounts)
    parts = [
        ("Brought", brought.number()),
        ("In all", f"{every} [{low}, {high}] where {number:,} get letters"),
    ]
    parts += [(doubt.name, doubt.text) for doubt in judged.doubts]
    card(f"{judged.claim} on {judged.dataset}: {judged.words}.", parts)


def is_read_by(read: Callable[[Path], object], path: Path) -> bool:
    """Whether a file is one of ours, which may be replaced."""
    try:
        read(path)
    except ErresearchError:
        return False
    return True


#: The commands around an experiment, in their order.
COMMANDS: Final = (plan_pauses, wager_on, judge_plan, hold_out)
