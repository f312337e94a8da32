"""The commands around an experiment: plan it, wager on it, judge it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from erresearch.errors import DataError
from erresearch.io.outputs import check_output
from erresearch.report.console import plain, say
from erresearch.schema.vocabulary import Freq

__all__ = ["judge_plan", "plan_pauses", "wager_on"]

F = TypeVar("F", bound=Callable[..., Any])

_FOLDER = click.Path(file_okay=False, path_type=Path)


class _Place(click.Path):
    """Text, since an address of a table (duckdb:…, s3://…) is no path; empty text would be the folder where we are."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("The name is empty. Name a file, such as orders.csv.", param, ctx)
        return super().convert(value, param, ctx)


PLACE = _Place()
_PERIODS = click.Choice(("D", "W"))
_PLAN = "erresearch.plan"


def _say(text: object) -> None:
    for line in str(text).splitlines():
        say(line)


def _panel(files: tuple[str, ...], outcome: str, tz: str | None, freq: Freq, currency: str | None) -> Any:
    """A panel.csv as `audit` writes it, or exports put on one calendar."""
    import pandas as pd

    if len(files) == 1 and Path(files[0]).suffix == ".csv" and Path(files[0]).is_file():
        head = set(pd.read_csv(files[0], nrows=0, encoding="utf-8-sig", encoding_errors="replace").columns)
        if {"period", outcome} <= head:
            return pd.read_csv(
                files[0], encoding="utf-8-sig", encoding_errors="replace", parse_dates=["period"]
            )
    from erresearch.audits import read_files
    from erresearch.panel import build_panel

    found = read_files(files, tz=tz or "UTC", currency=currency)
    posts, outcomes = found.source("posts"), found.source("outcomes")
    if posts is None or outcomes is None:
        raise DataError(
            "an experiment needs posts and outcomes",
            got=f"no {'posts' if posts is None else 'outcomes'} among the files",
            fix="name both exports, or the panel.csv that `erresearch audit` wrote",
        )
    if tz is None:
        say("Days and weeks were counted in UTC; where the business has another clock, say --tz Area/City.")
    return build_panel(posts, outcomes, freq=freq, tz=tz or "UTC", week_start=found.week_start)


def _plan_options(function: F) -> F:
    """Options that `plan` and `judge` share: how the files become a panel."""
    for option in (
        click.option("--tz", help="Zone in which the business counts its days.  [default: UTC]"),
        click.option("--currency", help="The one currency to keep."),
    ):
        function = option(function)
    return function


def _asked(context: click.Context, option: click.Parameter, value: object) -> None:
    """Keep what the caller said of the plan, under the name that it has in `plan_experiment`."""
    if value is not None:
        context.meta.setdefault(_PLAN, {})[option.name] = value


def _wish(*names: str, **attributes: Any) -> Callable[[F], F]:
    return click.option(*names, callback=_asked, expose_value=False, **attributes)


@click.command("plan", short_help="Plan pauses in posting that tell what posting brings.")
@click.argument("files", nargs=-1, required=True, type=PLACE)
@_wish("--outcome", default="revenue", show_default=True, help="Column that posting should move.")
@_wish("--entity", help="The one shop to plan for.")
@_wish(
    "--design", type=click.Choice(("auto", "time", "shops")), help="Pause in time, or one shop of each pair."
)
@_wish("--weeks", type=int, help="Length.  [default: the shortest that is enough, up to 52]")
@_wish("--block", type=int, help="Periods in a block.  [default: from the past]")
@_wish("--delta", type=float, help="Smallest share of interest.  [default: 0.05]")
@_wish("--cost", type=float, help="What posting costs in a week.")
@_wish("--start", help="First day.  [default: the period after the last one]")
@click.option("--freq", type=_PERIODS, default="D", show_default=True, help="By day or by week.")
@click.option("--out", type=_FOLDER, default=Path("plan"), show_default=True, help="Where the plan goes.")
@_plan_options
def plan_pauses(
    *, files: tuple[str, ...], freq: Freq, tz: str | None, currency: str | None, out: Path
) -> None:
    """Plan pauses in posting that can tell what posting brings, from exports or a panel.csv."""
    from erresearch.experiments import plan_experiment, write_plan

    check_output(out, inputs=files)
    asked = click.get_current_context().meta[_PLAN]
    plan = plan_experiment(_panel(files, asked["outcome"], tz, freq, currency), **asked)
    written = write_plan(plan, out, inputs=files)
    _say(plan)
    _say(plan.table)
    say(f"Written: {plain(', '.join(str(path) for path in written))}")
    say(f'Next, before {plan.start}: erresearch wager {plain(out)} --claim "..." --forecast 0.1')


@click.command("wager", short_help="Write a claim and a forecast into a plan.")
@click.argument("folder", type=_FOLDER)
@click.option("--claim", required=True, help="What is claimed, in one sentence.")
@click.option("--forecast", type=float, required=True, help="Expected effect as a share: 0.1 for 10 %.")
@click.option("--date", help="The day of the wager.  [default: today]")
@click.option("--out", type=_FOLDER, help="Where the plan with the wager goes.  [default: its own folder]")
def wager_on(*, folder: Path, claim: str, forecast: float, date: str | None, out: Path | None) -> None:
    """Write claim and forecast into a plan before it begins, and print the hash to deposit elsewhere."""
    from erresearch.experiments import read_plan, wager, write_plan

    made = wager(read_plan(folder), claim, forecast=forecast, date=date or dt.date.today().isoformat())
    write_plan(made, out or folder)
    say(made.digest)
    say("Deposit this where others can see its date; judge the plan with --hash and it.")


@click.command("judge", short_help="Judge what came of a plan.")
@click.argument("folder", type=_FOLDER)
@click.argument("files", nargs=-1, required=True, type=PLACE)
@click.option("--hash", "deposited", help="The hash that was deposited.")
@click.option("--early", is_flag=True, help="The one look before the end, from half of the plan on.")
@click.option("--ended", help="First day after the plan was given up, for a reason other than revenue.")
@_plan_options
def judge_plan(
    *, folder: Path, files: tuple[str, ...], deposited: str | None, early: bool, ended: str | None,
    tz: str | None, currency: str | None,
) -> None:  # fmt: skip
    """Judge what came of a plan, by drawing its lot again."""
    from erresearch.experiments import judge_experiment, read_plan

    plan = read_plan(folder)
    panel = _panel(files, plan.outcome, tz, plan.design.every, currency)
    _say(judge_experiment(panel, plan, hash=deposited, looking_early=early, ended=ended))
