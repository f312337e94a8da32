"""read_export and inspect_export: from a path to canonical rows with the account of every row."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from erresearch.errors import DataError, ErresearchError, in_mapping
from erresearch.exports.columns import Built, Draft, by_figure, draft_of, numeric_targets
from erresearch.exports.containers import Bundle, open_bundle
from erresearch.exports.daily import last_printed, read_ads, read_figures, read_series
from erresearch.exports.dates import day_of
from erresearch.exports.delimited import Text
from erresearch.exports.layouts import KEPT, MAPPED, Format, Settings, normalise
from erresearch.exports.log import Export, Inspection, ReadLog
from erresearch.exports.mapping import read_mapping, suggested_mappings
from erresearch.exports.orders import read_orders, read_survey
from erresearch.exports.posts import read_posts
from erresearch.exports.privacy import is_personal
from erresearch.exports.selection import (
    agreed_settings,
    all_tables,
    choose_tables,
    layouts_wanted,
    put_together,
    refuse_unusable,
)
from erresearch.exports.tables import ExportTable, stated_zones
from erresearch.exports.timestamps import check_zone
from erresearch.io import pl

Item = TypeVar("Item")
_NEAR = 4
"""Days before a date in which a file's last row may lie."""


def read_export(
    path: str | Path,
    *,
    platform: str | None = None,
    mapping: str | Path | Mapping[str, Any] | None = None,
    tz: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    dayfirst: bool | None = None,
    currency: str | None = None,
    strict: bool = False,
) -> Export:
    """Read a file that a platform exported to canonical rows, with an account of every row.

    The file is recognised by its bytes and headers, in any language that the registry knows; see
    :func:`erresearch.exports.platforms`. Nothing in it is evaluated, personal columns are not loaded, ids stay text, a
    missing column stays missing. Tables of one layout on several sheets of a workbook, or in several files of an archive,
    are put together: a row that stands in two of them is kept once, and refused where its figures differ.

    Parameters
    ----------
    path : path
        A .csv, .tsv, .xlsx, .xls or .zip file.
    platform : str, optional
        A platform or a format, where a file holds several.
    mapping : path or mapping, optional
        A small TOML file that says which column is which, and what the file does not say; its lines are described at
        :func:`erresearch.exports.mapping.read_mapping`.
    tz : str, optional
        Time zone of clocks for which neither the file nor a rule of the platform says one. A rule of the platform
        (Meta prints US Pacific time) stands; ``zone`` in a mapping overrides it.
    encoding : str, optional
        How the letters are written, such as ``"cp1251"``.
    decimal : {".", ","}, optional
        Decimal sign.
    dayfirst : bool, optional
        Whether numeric dates begin with the day.
    currency : str, optional
        The one currency to keep, or the currency of amounts that name none.
    strict : bool
        Whether a warning stops the reading.

    Returns
    -------
    Export
        Rows (a pandas DataFrame), kind, format, guesses, accounting, warnings. Times: ``published_at`` is UTC; where
        ``time_precision`` is ``day`` it is midnight of the day as printed, which is not to be moved to another zone.
        Outcomes: ``date`` is the day as the file counts days, ``at`` the moment in UTC where it is known, ``kind`` is
        sale, refund (negative), failed, pending, cancelled or, for figures by day, reported.

    See Also
    --------
    inspect_export : What a file is and what would be guessed, before it is read.
    read_exports : Every table of a file.
    combine_exports : Several exports of one kind as one.
    erresearch.build_panel : Exports on one calendar.

    Raises
    ------
    ErresearchError
        If the file is not recognised, is damaged, or leaves open what only the caller can say; the message says what
        to do.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from erresearch.exports import read_export
    >>> text = '''Toot;Posted on;Favourites
    ... 1;31-01-2026 10:00;12
    ... 2;28-02-2026 09:30;7
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "toots.csv"
    ...     _ = file.write_text(text)
    ...     export = read_export(file, tz="Europe/Amsterdam", mapping={
    ...         "platform": "mastodon", "account": "my shop", "kind": "posts",
    ...         "columns": {"post_id": "Toot", "published_at": "Posted on", "likes": "Favourites"}})
    >>> print(export.rows[["platform", "account", "post_id", "published_at", "likes"]].to_string(index=False))
    platform account post_id              published_at  likes
    mastodon my shop       1 2026-01-31 09:00:00+00:00   12.0
    mastodon my shop       2 2026-02-28 08:30:00+00:00    7.0
    >>> print(export.accounting)
    2 rows in = 2 used + 0 totals + 0 error rows + 0 rejected + 0 out of scope
    """
    order = "" if dayfirst is None else "DMY" if dayfirst else "MDY"
    given = Settings(tz=tz, decimal=decimal, dates=order, currency=currency)
    settings, layout = _said(mapping, given)
    return _read(open_bundle(path, encoding=encoding, strict=strict), settings, layout, platform)


def read_exports(
    path: str | Path,
    *,
    mapping: str | Path | Mapping[str, Any] | None = None,
    tz: str | None = None,
    currency: str | None = None,
) -> tuple[tuple[Export, ...], tuple[tuple[str, str], ...]]:
    r"""Read everything that a file holds: each file of an archive, each known table of a workbook.

    Parameters
    ----------
    path, mapping, tz, currency
        As for :func:`read_export`.

    Returns
    -------
    exports, unread
        One export per file and layout; and, by name, why a further one could not be read.

    See Also
    --------
    read_export : The one table of a file that is wanted.

    Raises
    ------
    ErresearchError
        If nothing in it can be read; the message is that of its first file.

    Examples
    --------
    >>> import pathlib, tempfile, zipfile
    >>> from erresearch.exports import read_exports
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "all.zip"
    ...     with zipfile.ZipFile(file, "w") as archive:
    ...         archive.writestr("Totals.csv", "Date,Views\n2026-01-01,10\n2026-01-02,12\n")
    ...         archive.writestr("readme.txt", "no table")
    ...     exports, unread = read_exports(file)
    >>> [(export.name, export.kind) for export in exports], len(unread)
    ([('all.zip: Totals.csv', 'daily')], 1)
    """
    settings, layout = _said(mapping, Settings(tz=tz, currency=currency))
    exports: list[Export] = []
    unread: list[tuple[str, str]] = []
    first: ErresearchError | None = None
    files = [open_bundle(path)]
    files = [*files[0].files] or files
    while files:
        name = files[0].name
        try:
            exports += _every(files.pop(0), settings, layout, unread)
        except ErresearchError as error:
            first = first or error
            unread.append((name, str(error)))
    if first is not None and not exports:
        raise first
    return tuple(exports), tuple(unread)


def _every(
    bundle: Bundle, settings: Settings, layout: Format | None, unread: list[tuple[str, str]]
) -> list[Export]:
    """The export of each layout that a bundle holds; only the first must succeed."""
    tables, job = _opened(bundle, settings, layout)
    del bundle
    ids = dict.fromkeys(table.match.layout.id for table in tables if not table.match.layout.refuse)
    found = _built(_moved(tables) if len(ids) == 1 else tables, job)
    exports = [found]
    for name in [each for each in ids if each != found.format]:
        own = ReadLog(f"{job.bundle.name} ({name})")
        some = [table for table in tables if table.match.layout.id == name and table.cells.height]
        try:
            if some:
                alone = replace(job.bundle, name=own.name, log=own)
                exports.append(_built(some, replace(job, bundle=alone, unread=())))
        except ErresearchError as error:
            unread.append((own.name, str(error)))
    return exports


def _said(mapping: str | Path | Mapping[str, Any] | None, given: Settings) -> tuple[Settings, Format | None]:
    """What the caller says by arguments, and by a mapping."""
    if given.tz is not None:
        check_zone(given.tz)
    if given.decimal not in (None, ".", ","):
        raise DataError("`decimal` is no decimal sign", got=repr(given.decimal), allowed="'.' or ','")
    return read_mapping(mapping, given)


def inspect_export(
    path: str | Path,
    *,
    platform: str | None = None,
    mapping: str | Path | Mapping[str, Any] | None = None,
    tz: str | None = None,
    encoding: str | None = None,
    currency: str | None = None,
) -> Inspection:
    r"""Say what a file is, what would be guessed and why, and what would be left out; nothing is written.

    Only the head of a large file is looked at. Cells are not shown, except numbers, times and declared labels.

    Parameters
    ----------
    path, platform, mapping, tz, encoding, currency
        As for :func:`read_export`.

    Returns
    -------
    Inspection
        Print it.

    See Also
    --------
    read_export : The rows, with the account of each.
    platforms : Every layout that is known.

    Raises
    ------
    ErresearchError
        If the file cannot be read at all.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from erresearch.exports import inspect_export
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "Totals.csv"
    ...     _ = file.write_text("Date,Views\n2026-01-01,10\n2026-01-02,12\n")
    ...     print(inspect_export(file))
    Totals.csv: daily, recognised as youtube-totals
    looked at the whole file; nothing was written
      guess: account: youtube (the file names no account, so all rows are taken as one); ...
    columns
      date ← Date
      views ← Views
    ...
    """
    settings, layout = _said(mapping, Settings(tz=tz, currency=currency))
    bundle = open_bundle(path, encoding=encoding, head=True)
    cut = [part for part in bundle.parts if isinstance(part, Text) and not part.complete]
    export = _read(bundle, settings, layout, platform)
    if not cut:
        return Inspection(bundle.name, export, True, "the whole file")
    seen = f"its head ({len(cut[0].data):,} of {bundle.size:,} bytes)"
    return Inspection(bundle.name, export, False, seen)


def suggest_mapping(path: str | Path, *, tz: str | None = None) -> str:
    r"""Write a mapping for a file: at most six lines, with what was guessed as comments.

    What it says was tried on the file. It is to be looked at, mended and kept beside the file as ``NAME.toml``.

    Parameters
    ----------
    path : path
        A text or a workbook with one table.
    tz : str, optional
        Zone of its clocks.

    Returns
    -------
    str
        TOML.

    See Also
    --------
    erresearch.exports.mapping.read_mapping : Every line of a mapping.
    erresearch.inspect_export : What a file that is known holds.

    Raises
    ------
    DataError
        If no row looks like headers, or no columns of a day and a figure are found.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "book.csv"
    ...     _ = file.write_text("Day,What,Price\n2025-03-13,bread,3.50\n2025-03-13,cake,9.00\n")
    ...     print(suggest_mapping(file))
    kind = "outcomes"  # guess: each row is a sale, a payment or a refund
    columns = { date = "Day", amount = "Price" }
    currency = "EUR"  # guess: the file names none
    """
    bundle = open_bundle(path, head=True)
    tried = ""
    for lines in suggested_mappings(bundle.parts[0]):
        try:
            read_export(path, mapping=tomllib.loads("\n".join(lines)), tz=tz)
        except ErresearchError as error:
            tried = tried or error.wrong
            continue
        return "\n".join(lines)
    raise DataError(
        f"no mapping for {bundle.name} could be guessed",
        got=tried or "no column of days or moments with a column of figures that is known",
        fix="write one: the lines are described at erresearch.exports.mapping.read_mapping; a list of events goes to an "
        "audit with --events FILE",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is known of a file beside its tables: what the caller and the container say, rows between the tables."""

    bundle: Bundle
    settings: Settings
    platform: str | None = None
    unread: Sequence[int] = ()


def _opened(
    bundle: Bundle, settings: Settings, layout: Format | None, platform: str | None = None
) -> tuple[list[ExportTable], _Job]:
    """Every table of a file; its bytes are let go."""
    tables, unread = all_tables(bundle, layouts_wanted(settings, layout, platform))
    rest = replace(bundle, parts=(), files=())
    return tables, _Job(bundle=rest, settings=settings, platform=platform, unread=unread)


def _read(bundle: Bundle, settings: Settings, layout: Format | None, platform: str | None) -> Export:
    tables, job = _opened(bundle, settings, layout, platform)
    del bundle  # and with it the bytes of the file
    return _built(_moved(tables), job)


def _built(tables: Sequence[ExportTable], job: _Job) -> Export:
    """Canonical rows of the tables of one layout."""
    log = job.bundle.log
    chosen = choose_tables(tables, job.platform, log)
    del tables
    layout = chosen[0].match.layout
    refuse_unusable(chosen, job.bundle)
    if len(chosen) > 1 and not (layout.stack or layout.side_by_side):
        agreed = replace(job, settings=agreed_settings(chosen, job.settings, log), unread=())

        def read_one(table: ExportTable, own: ReadLog) -> Export:
            return _one([table], replace(agreed, bundle=replace(job.bundle, log=own)))

        return put_together(chosen, read_one, log)
    return _one(_moved(chosen), job)


def _moved(items: list[Item]) -> list[Item]:
    """The same in a list that only the callee holds, so that columns of text go as soon as they are read."""
    taken = items[:]
    items.clear()
    return taken


def _one(chosen: Sequence[ExportTable], job: _Job) -> Export:
    """Canonical rows of one table, or of tables that stand in one file by design."""
    log, layout = job.bundle.log, chosen[0].match.layout
    unread = job.unread if layout.stack else ()
    settings = _with_zone(_with_export_day(job.settings, chosen, job.bundle, log), chosen[0], log)
    drafts = [each for table in chosen for each in by_figure(draft_of(table, settings, log))]
    log.remove("out_of_scope", "rows of tables that are of no known layout", unread)
    drafts = _of_platform(drafts, job.platform, log)
    if settings.kind and settings.kind != layout.kind:
        raise DataError(
            f"{log.name} is not of the kind that its mapping says",
            got=f"{layout.kind} ({layout.name})",
            allowed=f"kind = {settings.kind!r}",
            fix=f"take the line kind out, or say which column is which under [columns] {in_mapping()}",
        )
    reader = _reader(drafts[0])
    if (settings.less or settings.plus) and reader is not read_orders:
        raise DataError(
            f"{log.name} has no amounts of orders, to which less and plus of a mapping belong",
            fix="leave these lines out of the mapping",
        )
    rows_in = sum(table.cells.height for table in chosen) + len(unread)
    dropped, table = _dropped(chosen[0], settings), drafts[0].table
    table = replace(table, cells=table.cells.clear())
    del chosen
    built = reader(_moved(drafts))
    accounting = log.accounting(built.used, rows_in)
    if not built.frame.height:
        raise DataError(
            f"{log.name}: no row can be used",
            got="; ".join(f"{reason}: {count:,}" for reason, count in accounting.reasons.items()),
            fix=f"look at these rows in the file, or say {in_mapping()} what they hold",
        )
    moments = [name for name in ("published_at", "at") if name in built.frame.columns]
    in_utc = pl.col(moments).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    columns = {target.removeprefix(KEPT): table.printed(target) for target in table.match.loaded} | log.found
    return Export(
        rows=built.frame.with_columns(in_utc),
        kind=built.kind,
        format=layout.id,
        guesses=tuple(log.guesses),
        accounting=accounting,
        warnings=tuple(log.warnings),
        name=log.name,
        notes=tuple(log.notes),
        columns=MappingProxyType(columns),
        dropped_columns=dropped,
        exported_at=built.exported_at or settings.exported_at,
    )


def _reader(drafted: Draft) -> Callable[[Sequence[Draft]], Built]:
    """Which builder makes the rows of a layout."""
    layout = drafted.layout
    if layout.kind == "outcomes":
        return read_orders if _one_by_one(drafted) else read_figures
    if "metric_date" in layout.columns:
        return read_posts  # one row per post and day
    return {"posts": read_posts, "survey": read_survey, "ads": read_ads}.get(layout.kind, read_series)


def _one_by_one(drafted: Draft) -> bool:
    """Whether rows are transactions: the layout says so, or a table of one sum of money has ids or clocks."""
    layout = drafted.layout
    if layout.money or "amount" in layout.columns:
        return True
    figures = numeric_targets(drafted)
    if layout.evidence != MAPPED or "revenue" not in figures or not set(figures) <= {"revenue", "refunded"}:
        return False
    clock = drafted.frame["date"].str.extract(r"(\d{1,2}:\d{2}(?::\d{2})?(?:\s*[AaPp]\.?[Mm])?)", 1)
    return "order_id" in drafted.frame.columns or clock.drop_nulls().n_unique() > 1


def _dropped(table: ExportTable, settings: Settings) -> tuple[str, ...]:
    """Headers of personal columns, but for those that the caller asked for."""
    match, asked = table.match, {normalise(header) for header in (*settings.keep, *settings.hash)}
    known, loaded = set(match.columns.values()), set(match.loaded.values())
    left = [i for i, h in enumerate(table.header) if i not in loaded and h not in match.layout.ignore]
    personal = [table.header[i] for i in left if i in known or is_personal(table.header[i])]
    return tuple(dict.fromkeys(h.strip() for h in personal if normalise(h) not in asked))


def _with_export_day(
    settings: Settings, chosen: Sequence[ExportTable], bundle: Bundle, log: ReadLog
) -> Settings:
    """Find the day of the export where the file's dates need it."""
    match, day, reason = chosen[0].match, bundle.dated, "the archive was made then"
    if settings.exported_at is not None:
        return settings
    if day is None:
        if match.layout.kind not in ("daily", "followers") or "date" not in match.columns:
            return settings
        last = last_printed(draft_of(chosen[0], settings, ReadLog(log.name)))
        named = re.search(r"(20\d{2})[-_.](\d{2})[-_.](\d{2})", bundle.name)
        changed = bundle.changed or dt.date.min
        just_before = [
            int(f"{changed - dt.timedelta(back):%m%d}") for back in range(_NEAR * bool(bundle.changed))
        ]
        if last is not None and named:
            day, reason = day_of("-".join(named.groups())), "the file is named so"
        elif last in just_before:
            day, reason = changed, "the file was last changed then"
            text = f"the dates have no year; it was taken from the file's own date, {day}, which fits its last row"
            log.caution("year", text)
        else:
            return settings
    log.guess("day of the export", day, reason, f"exported_at {in_mapping()}")
    return replace(settings, exported_at=day)


def _with_zone(settings: Settings, table: ExportTable, log: ReadLog) -> Settings:
    """The zone of clocks that a column of the file names, the same in every row, or the header of the clocks."""
    if settings.zone or table.match.layout.zone:
        return settings
    moments = [name for name in ("published_at", "date") if name in table.match.columns]
    if moments and re.search(r"\b(UTC|GMT)\b", table.printed(moments[0])):
        log.guess("time zone", "UTC", "the header of the clocks says so", f"zone {in_mapping()}")
        return replace(settings, zone="UTC")
    for position, zones in stated_zones(table).items():
        column = f"column {table.shown([position])}"
        if len(zones) > 1:
            log.caution("time zones", f"{column} names several time zones and is not used")
            continue
        check_zone(zones[0])
        log.guess("time zone", zones[0], f"{column} says so in every row", f"zone {in_mapping()}")
        return replace(settings, zone=zones[0])
    return settings


def _of_platform(drafts: list[Draft], platform: str | None, log: ReadLog) -> list[Draft]:
    """Of a file with tables of several networks, those of one."""
    titles, wanted = drafts[0].layout.titles, normalise(platform or "")
    kept = [d for d in drafts if titles.get(normalise(d.table.title), ("", ""))[0] == wanted]
    if platform is None or not kept:
        return drafts
    for drafted in drafts:
        if drafted not in kept:
            log.remove("out_of_scope", f"rows of tables that are not of {platform}", drafted.rows)
    return kept
