"""The commands: options, calls of the functions behind them, and what is printed."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from erresearch import __version__
from erresearch.cli.experiments import COMMANDS, FILE, FOLDER, PLACE, is_read_by, wish, wishes
from erresearch.errors import Count, ErresearchError, ErresearchWarning
from erresearch.io.outputs import check_output, output_folder, replaceable_file
from erresearch.io.resources import memory_limit
from erresearch.report.console import card, fold, plain, say, show, silence
from erresearch.schema.vocabulary import FREQS

if TYPE_CHECKING:
    from erresearch.claims.registry import Claim
    from erresearch.datasets import Dataset
    from erresearch.worlds import Simulation

_THERE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NOT_MAPPED = ("platform", "post_type", "is_paid")  # said by the mapping, or of no use to it
_MAPPING = {"platform": "simulated", "zone": "UTC", "currency": "EUR"}


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="erresearch %(version)s")
@click.pass_context
def command(context: click.Context) -> None:
    """Test whether engagement goes with revenue, and show the doubts."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _ready in COMMANDS:
    command.add_command(_ready)


@command.command(short_help="Run the notebooks, judge every claim, write the report.")
@click.option("--out", type=FOLDER, default=Path("results"), show_default=True, help="Where the results go.")
@click.option("--jobs", type=click.IntRange(min=1), help="Notebooks at a time.  [default: one per processor]")
@click.option("--notebooks/--no-notebooks", default=True, help="Whether to run the notebooks.")
@click.option("--expected", type=_THERE, help="Verdicts to compare with.  [default: the checkout's own]")
@click.option("--no-expected", is_flag=True, help="Compare with nothing.")
@click.option("--progress/--no-progress", default=True, help="Whether to show a bar.")
def reproduce(
    *, out: Path, jobs: int | None, notebooks: bool, expected: Path | None, no_expected: bool, progress: bool
) -> None:
    """Run every notebook, judge every claim, write the results and print the board."""
    from erresearch.report import reproduction, run_record
    from erresearch.report.console import board

    known = None if no_expected else expected or _own_expected()
    if known is not None:
        check_output(out, inputs=[known])
    made = reproduction.reproduce(out, notebooks=notebooks, jobs=jobs, progress=progress)
    show(board(made.verdicts))
    if ran := len(made.notebooks):
        say(f"{Count(ran - len(made.failed), of=ran):notebook} ran from top to bottom.")
    say(f"Report: {made.report}  Verdicts: {made.table}  Record: {made.record}")
    differs = run_record.differences(made.table, known) if known else ()
    for line in differs:
        say(plain(f"differs from {known}: {line}"), error=True)
    for run in made.failed:
        say(plain(f"notebook {run.name} failed in {run.error}"), error=True)
    if differs or made.failed:
        raise click.exceptions.Exit(1)
    if known:
        say("Every verdict and printed digit is as expected.")


@command.command("claims", short_help="List the claims, or show one of them.")
@click.argument("claim", required=False, metavar="[ID]")
def show_claims(*, claim: str | None) -> None:
    """List the claims that are judged, or show one whole."""
    from erresearch.claims.registry import claim_named, read_claims

    if claim is None:
        _print_table(("id", "claim"), [(entry.id, entry.text) for entry in read_claims()])
        return
    _print_claim(claim_named(claim))


def _print_claim(claim: Claim) -> None:
    """A claim as people read it: what is said, what is measured, what would count, what it needs."""
    from erresearch.results import rounded

    effect = rounded(claim.sesoi)
    counts = {
        "greater": f"the effect is above 0; one below {effect} is too small to matter",
        "less": f"the effect is below 0; one within ±{effect} is too small to matter",
        "absent": f"the effect is within ±{effect}",
    }
    needed = [" or ".join(names) for role, names in claim.roles.items() if role not in claim.optional]
    parts = {
        "Measured": f"{claim.unit}, per {claim.estimand['unit']}",
        "Held fixed": claim.estimand["adjustment"],
        "Order in time": claim.estimand["order"],
        "True if": counts[claim.direction],
        "Why so": claim.sesoi_reason,
        "Speaks of": claim.estimand["population"],
        "Needs": claim.minimum,
        "Columns": ", ".join(needed),
        "Judged on": ", ".join((*claim.family, *(f"{world} (simulated)" for world in claim.worlds))),
        "Notebook": f"notebooks/{claim.notebook}.ipynb",
        "Who says so": claim.source,
    }
    card(f"{claim.id}: {claim.text}", parts.items())


@command.command("datasets", short_help="List the data sets, show one, or check the copies here.")
@click.argument("name", required=False)
@click.option("--verify", is_flag=True, help="Read the copy here whole and compare it with the registry.")
def show_datasets(*, name: str | None, verify: bool) -> None:
    """List the data sets, show one whole, or check the copies on this machine."""
    from erresearch import datasets as registry
    from erresearch.claims.packing import here, shipped, verify_pack

    if name and not verify:
        _print_dataset(registry.dataset_card(name))
        return
    listed = registry.catalog()
    if verify:
        for each in [name] if name else listed.loc[listed["where"] != "to download", "name"]:
            say(str(registry.verify(each)))
        # packs whose rows are on this machine are computed again
        for packed in shipped():
            if name in (None, packed) and here(packed):
                say(verify_pack(packed))
    else:
        columns = ("name", "title", "n", "where", "licence")
        _print_table(columns, listed[list(columns)].itertuples(index=False))


@command.command("pool", short_help="Add sums that several companies saved, and regress on them.")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE FILE...")
@click.option("--out", type=FILE, help="Where the pooled moments go.")
@wish("--outcome", help="What a regression explains.")
@wish("--on", multiple=True, help="A column that explains it; may be repeated.")
@wish("--within", is_flag=True, help="Compare each account with itself only.")
@click.option("--same-accounts", is_flag=True, help="Equal names in two files mean the same account.")
def pool_evidence(*, files: tuple[Path, ...], out: Path | None, same_accounts: bool) -> None:
    """Add the sums that several companies saved, without a row of any of them, and regress on them."""
    from erresearch.claims.sharing import pool
    from erresearch.engine.moments import Moments
    from erresearch.relate.association import regress

    together = pool(files, same_accounts=same_accounts)
    if out is not None:
        replaceable_file(out, inputs=files, ours=is_read_by(Moments.load, out))
        together.save(out)
    say(plain(together))
    if out is not None:
        say(str(out))
    asked = wishes()
    if "outcome" in asked:
        for line in str(regress(together, asked.pop("outcome"), **asked)).splitlines():
            say(plain(line))


@command.command("combine", short_help="Put your own estimate beside those of others.")
@click.argument("file", type=FILE)
@click.option("--own", help="Name of the row that is yours.")
def combine_findings(*, file: Path, own: str | None) -> None:
    """Put your own estimate beside those of five or more others.

    You see your own, what theirs lead one to expect of yours, and both together. Without --own all rows are put
    together. FILE is a text table with the columns
    name, value, se, outcome, period and unit, one row for each shop or company: `erresearch judge --finding` writes one.
    Period is how long one lasts (day or week); outcome, period and unit must be the same words in all rows.
    """
    from erresearch.claims.sharing import combine
    from erresearch.relate.random_effects import MetaAnalysis

    found = combine(file, own=own)
    if isinstance(found, MetaAnalysis):
        left = [("Without", f"{name}: {mean.number()}") for name, mean in found.without.items()]
        card(f"All of {file.name}", [*(("Together", line) for line in str(found).splitlines()), *left])
        return
    others = [("The others", line) for line in str(found.others).splitlines()]
    card(f"{own}, beside the others of {file.name}", [*others, ("Yours", found)])


@command.command(short_help="Write simulated tables with a known answer.")
@click.argument("world")
@click.option("--out", type=FOLDER, required=True, help="Where the tables go.")
@wish("--accounts", type=int, help="Accounts.  [default: the world's own]")
@wish("--weeks", type=int, help="Weeks, or posts per account in a list.  [default: the world's own]")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed.")
def simulate(*, world: str, out: Path, seed: int) -> None:
    """Write simulated tables with a known answer: posts, outcomes, panel and the truth.

    WORLD is `nil` (engagement brings nothing), `effect` (it brings revenue), `reverse` (revenue brings engagement),
    `decay` or `flat` (lists of accounts), or one made for a claim, such as `C10-holds`. A name that does not exist is
    answered with all that do.
    """
    from erresearch.worlds import simulate as draw

    made = draw(world, rng=seed, **wishes())
    written = _write_simulation(made, out, seed)
    for path in written:
        say(str(path))
    say(str(made.truth))
    if exports := [str(path.with_suffix("")) for path in written if path.suffix == ".toml"]:
        say(f"next: erresearch audit {shlex.join(exports)} --tz UTC")


@command.command(short_help="Join your own exports, and judge what they can tell.")
@click.argument("files", nargs=-1, required=True, type=PLACE)
@wish("--outcomes", multiple=True, type=PLACE, help="A file that must hold outcomes; may be repeated.")
@wish("--survey", multiple=True, type=FILE, help="A file that must hold survey answers; may be repeated.")
@click.option("--tz", help="Zone in which the business counts its days.  [default: UTC; the output says so]")
@wish(
    "--freq", type=click.Choice([*FREQS, "auto"]), default="auto", show_default=True,
    help="Day, week or month; auto takes days where the files allow it, else weeks.",
)  # fmt: skip
@wish("--sesoi", type=float, help="Smallest elasticity that matters.  [default: the claims' own]")
@click.option("--entity", multiple=True, metavar="ACCOUNT=SHOP", help="Which shop an account belongs to.")
@wish("--currency", help="The one currency to keep.")
@wish(
    "--apart",
    type=click.Choice(["platform", "account", "post_type"]),
    help="Add columns for each platform, account or kind of post.",
)
@wish("--leave-out-boosted", "paid", flag_value="left out", help="Leave boosted (advertised) posts out.")
@wish("--nothing-spent", is_flag=True, help="Say that nothing was spent on advertising in these days.")
@wish(
    "--events",
    metavar="FILE",
    help='What else happened (date or start and end, name, kind: pulse or step, entity), or "none".',
)
@wish(
    "--holidays",
    metavar="COUNTRY",
    help="Public holidays of a country are events beside those of --events, such as NL or DE-BY.",
)
@wish(
    "--choice",
    type=click.Choice(["all", "followers", "reactions", "mixed"]),
    help="How the accounts of a list were chosen.",
)
@click.option("--memory", metavar="SIZE", help="Memory to stay below, where the engine can, such as 4GB.")
@wish("--pseudonyms", is_flag=True, help='Write "account 1" in place of a name, and so on.')
@wish("--out", type=FOLDER, default=Path("audit"), show_default=True, help="Where the results go.")
def audit(*, files: tuple[str, ...], tz: str | None, entity: tuple[str, ...], memory: str | None) -> None:
    """Read exports as they are, join them, judge what they can be asked, and say what was done to every row.

    A file x.csv.toml beside x.csv says what x.csv does not (columns, time zone, day of the export). Quoted globs of
    Parquet files ("posts/*.parquet") and tables of a database (duckdb:file.db?table=posts) are summed where they lie.
    """
    from erresearch import audits
    from erresearch.panel.records import Rules
    from erresearch.report.console import board

    if wrong := [line for line in entity if "=" not in line]:
        raise click.UsageError(f"--entity takes ACCOUNT=SHOP, not {wrong[0]!r}")
    if memory is not None:
        click.get_current_context().with_resource(memory_limit(memory))
    asked = wishes()
    chosen = [field.name for field in fields(Rules) if field.name in asked and field.name != "currency"]
    rules = Rules(**{name: asked.pop(name) for name in chosen}, allow_break=True)
    found = audits.audit(
        files,
        tz="UTC" if tz is None else tz,
        entity=dict(line.split("=", maxsplit=1) for line in entity) or None,
        rules=rules,
        **asked,
    )
    for line in str(found).splitlines():
        say(fold(line))
    if tz is None:
        say("Days and weeks were counted in UTC; where the business has another clock, say --tz Area/City.")
    if any(verdict.word != "not judged" for verdict in found.verdicts):
        show(board(found.verdicts))
        card("What these files can tell", [("In short", line) for line in audits.answer_in_money(found)])
    else:
        say("No claim could be judged; the lines above say why, and what would help.")


@command.command("inspect", short_help="Say what files are and how they are read; writes nothing.")
@click.argument("files", nargs=-1, required=True, type=PLACE)
@click.option("--tz", help="Time zone to take where neither the file nor its platform says one.")
@click.option("--currency", help="The one currency to keep.")
@click.option("--suggest", is_flag=True, help="Print a mapping for one unknown file, to save as FILE.toml.")
def inspect_files(*, files: tuple[str, ...], tz: str | None, currency: str | None, suggest: bool) -> None:
    """Say what files are, what would be guessed and why, and what would be left out; nothing is written."""
    from erresearch.exports.reading import suggest_mapping

    if suggest and len(files) > 1:
        raise click.UsageError("--suggest takes one file at a time")
    refused = []
    for place in files:
        try:
            text = suggest_mapping(place, tz=tz) if suggest else _inspected(place, tz, currency)
        except ErresearchError as error:
            # the other files are still worth a look
            refused.append(error)
            say(f"erresearch: error: {plain(error)}", error=True)
            continue
        for line in text.splitlines():
            say(fold(line))
    if refused:
        raise click.exceptions.Exit(2)


def _inspected(place: str, tz: str | None, currency: str | None) -> str:
    from erresearch.audits import open_table
    from erresearch.errors import mapping_in
    from erresearch.exports.lazy_tables import is_lake, look_into
    from erresearch.exports.mapping import mapping_path
    from erresearch.exports.reading import inspect_export

    if is_lake(place):
        return look_into(open_table([place]))
    path = Path(place)
    if path.is_dir():
        raise click.UsageError(f"{place} is a folder; name its files, such as {place}/*.csv")
    beside = mapping_path(path)
    with mapping_in(f"a file {beside.name} beside it"):
        mapping = beside if beside.is_file() else None
        return str(inspect_export(path, tz=tz, mapping=mapping, currency=currency))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and turn what it raises into one line and an exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the program's name.

    Returns
    -------
    int
        The exit status.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt.

    Examples
    --------
    >>> run(["claims", "no such claim"])
    2
    """
    try:
        with _own_warnings_in_one_line():
            status = command.main(arguments, prog_name="erresearch", standalone_mode=False)
    except (ErresearchError, OSError) as error:
        return _refuse(error)
    except click.ClickException as error:
        return _refuse(error.format_message())
    except click.Abort:
        raise KeyboardInterrupt from None
    except SystemExit:
        # click ends so where whoever reads the help has seen enough
        silence(sys.stdout)
        return 0
    except MemoryError:
        return _refuse("what was asked for needs more memory than there is. Ask for fewer rows at a time.")
    return status if isinstance(status, int) else 0


def _refuse(reason: object) -> int:
    """One clear line on standard error."""
    say(f"erresearch: error: {plain(reason)}", error=True)
    return 2


@contextmanager
def _own_warnings_in_one_line() -> Iterator[None]:
    """Show this package's warnings as notes, without the line of source they came from."""
    with warnings.catch_warnings():
        before: Callable[..., None] = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
            if issubclass(category, ErresearchWarning):
                say(f"erresearch: note: {plain(message)}", error=True)
            else:
                before(message, category, *rest)

        warnings.showwarning = show  # type: ignore[assignment]  # catch_warnings puts it back
        yield


def _own_expected() -> Path | None:
    """The checkout's table of expected verdicts; an installed package has none."""
    from erresearch.io.files import resource

    path = resource("data").parent / "tests" / "expected" / "verdicts.csv"
    return path if path.is_file() else None


def _write_simulation(made: Simulation, out: Path, seed: int) -> list[Path]:
    """Write each table that has rows and what is true of them, every file named as simulated.

    Beside posts and outcomes lies the mapping that an audit reads them by.
    """
    from erresearch.io.files import atomic_write, table_csv, toml_text
    from erresearch.report.run_record import manifest_text

    outcomes = made.outcomes
    if len(outcomes):
        outcomes = outcomes.pivot(index=["date", "entity"], columns="outcome", values="value")
        outcomes = outcomes[made.outcomes["outcome"].unique()].reset_index()
    exports = {"posts": made.posts, "outcomes": outcomes} if len(outcomes) else {}
    tables = {"posts": made.posts, "outcomes": outcomes, "panel": made.panel}
    written = {f"simulated-{name}.csv": table_csv(table) for name, table in tables.items() if len(table)}
    for name, table in exports.items():
        columns = {str(column): str(column) for column in table if column not in _NOT_MAPPED}
        mapping = {"kind": name, **_MAPPING, "columns": columns}
        written[f"simulated-{name}.csv.toml"] = toml_text(mapping)
    written["simulated-truth.json"] = manifest_text({"simulated": True, "seed": seed, **asdict(made.truth)})
    with output_folder(out) as folder:
        for name, text in written.items():
            atomic_write(folder / name, text)
    return [out / name for name in written]


def _print_table(columns: Sequence[str], rows: Any) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown = [[Text(plain(f"{cell:,}" if isinstance(cell, int) else cell)) for cell in row] for row in rows]
    for at, column in enumerate(columns):
        # names stay whole, since people type them
        table.add_column(
            column, overflow="fold", min_width=0 if at else max(row[0].cell_len for row in shown)
        )
    for row in shown:
        table.add_row(*row)
    show(table)


def _print_dataset(entry: Dataset) -> None:
    """What a data set is, how its rows are had, what is odd about it and what its columns mean."""
    from erresearch.datasets.entries import way_to_rows

    names = ("unit", "n", "randomised", "licence", "citation", "url", "distance")
    told = {"n": f"{entry.n:,}", "randomised": "yes" if entry.randomised else "no"}
    parts = [(name.capitalize(), told.get(name, getattr(entry, name))) for name in names]
    parts += [("Rows", way_to_rows(entry)), *(("Quirks", quirk) for quirk in entry.quirks)]
    meant = [f"{column.name}: {column.meaning} [{column.unit or '-'}]" for column in entry.columns]
    card(entry.title, [*parts, *(("Columns", text) for text in meant)])
