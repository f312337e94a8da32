"""read_export and inspect_export: from a path to canonical rows with the account of every row."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from erresearch.errors import ColumnError, DataError
from erresearch.exports.cells import KEPT, Built, Draft, draft_of
from erresearch.exports.containers import Bundle, Text, open_bundle
from erresearch.exports.delimited import Records, read_records
from erresearch.exports.outcomes import read_figures, read_orders
from erresearch.exports.posts import read_posts
from erresearch.exports.privacy import is_personal
from erresearch.exports.recognise import not_recognised
from erresearch.exports.records import Export, Inspection, Journal
from erresearch.exports.registry import Format, Kind, load_registry, normalise
from erresearch.exports.series import last_printed, read_ads, read_series
from erresearch.exports.settings import Settings, day_of, read_mapping
from erresearch.exports.surveys import read_survey
from erresearch.exports.tables import MAPPED, Table, find_tables, relaxed
from erresearch.exports.workbooks import Sheet

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["inspect_export", "read_export"]

# where several layouts are in one file, the first of these is what people come for
_WANTED: tuple[Kind, ...] = ("posts", "survey", "outcomes", "ads", "followers", "daily")
_NEAR = 4
_SHOWN = 8


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
    missing column stays missing.

    Parameters
    ----------
    path : path
        A .csv, .tsv, .xlsx, .xls or .zip file.
    platform : str, optional
        A platform or a format, where a file holds several.
    mapping : path or mapping, optional
        A small TOML file that says which column is which, and what the file does not say; its lines are described at
        :func:`erresearch.exports.settings.read_mapping`.
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
    _check_arguments(decimal)
    journal = Journal(Path(path).name, strict=strict)
    settings = Settings(tz=tz, decimal=decimal, dayfirst=dayfirst, currency=currency)
    settings, layout = read_mapping(mapping, settings)
    return _read(open_bundle(path, journal, encoding=encoding), settings, layout, platform, journal)


def _check_arguments(decimal: str | None) -> None:
    if decimal not in (None, ".", ","):
        raise DataError("`decimal` is no decimal sign", got=repr(decimal), allowed="'.' or ','")


def inspect_export(
    path: str | Path,
    *,
    platform: str | None = None,
    mapping: str | Path | Mapping[str, Any] | None = None,
    tz: str | None = None,
    encoding: str | None = None,
) -> Inspection:
    r"""Say what a file is, what would be guessed and why, and what would be left out; nothing is written.

    Of a large file only the head and the tail are looked at.

    Parameters
    ----------
    path, platform, mapping, tz, encoding
        As for :func:`read_export`.

    Returns
    -------
    Inspection
        Print it.

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
    journal = Journal(Path(path).name)
    settings, layout = read_mapping(mapping, Settings(tz=tz))
    bundle = open_bundle(path, journal, encoding=encoding, head=True)
    cut = [part for part in bundle.parts if isinstance(part, Text) and not part.complete]
    export = _read(bundle, settings, layout, platform, journal)
    if not cut:
        return Inspection(bundle.name, export, True, "the whole file")
    last = [line for line in cut[0].tail.decode("utf-8", "replace").splitlines() if line.strip()][-1:]
    seen = f"the head ({len(cut[0].data):,} of {bundle.size:,} bytes) and the tail; its last line begins {last[0][:60]!r}"
    return Inspection(bundle.name, export, False, seen)


def _read(
    bundle: Bundle, settings: Settings, layout: Format | None, platform: str | None, journal: Journal
) -> Export:
    layouts = _layouts(settings, layout, platform)
    tables, unread = _tables(bundle, layouts, journal)
    bundle = replace(bundle, parts=())  # the bytes are not needed any more
    chosen = _choose(tables, platform, journal)
    for table in chosen:
        if table.match.layout.refuse:
            _refuse(table, journal)
    _refuse_empty(chosen, bundle)
    settings = _dated(settings, chosen, bundle, journal)
    drafts = [draft_of(table, journal, settings) for table in chosen]
    if len(unread) and chosen[0].match.layout.stack:
        journal.remove("out_of_scope", "rows of tables that are of no known layout", unread)
    drafts = _of_platform(drafts, platform, journal)
    built = _reader(chosen[0].match.layout)(drafts, settings, journal)
    rows_in = sum(table.cells.height for table in chosen) + (
        len(unread) if chosen[0].match.layout.stack else 0
    )
    accounting = journal.accounting(built.used, rows_in)
    table = chosen[0]
    known = load_registry()
    columns = {
        target.removeprefix(KEPT): table.header[i].strip().lstrip("\ufeff")
        for target, i in table.match.columns.items()
        if known.field(target).type != "personal" or table.match.layout.evidence == MAPPED
    }
    return Export(
        _to_pandas(built.frame),
        built.kind,
        table.match.layout.id,
        tuple(journal.guesses),
        accounting,
        tuple(journal.warnings),
        bundle.name,
        tuple(journal.notes),
        MappingProxyType(columns),
        _dropped(chosen, settings),
        built.exported_at or settings.exported_at,
        table.match.layout,
    )


def _layouts(settings: Settings, layout: Format | None, platform: str | None) -> tuple[Format, ...]:
    """Layouts to look for, with the further columns that the caller wants."""
    layouts = (layout,) if layout is not None else load_registry().formats
    if platform is not None and layout is None:
        named = load_registry().choose(platform)
        titled = [f for f in layouts if any(platform.casefold() == entry[0] for entry in f.titles.values())]
        layouts = tuple(dict.fromkeys((*named, *titled)))
    further = (*settings.keep, *settings.hash)
    if not further:
        return layouts
    extra = {KEPT + header: {"": (header,)} for header in further}
    return tuple(replace(f, columns={**f.columns, **extra}) for f in layouts)


def _tables(bundle: Bundle, layouts: Sequence[Format], journal: Journal) -> tuple[list[Table], list[int]]:
    """Every table of every part."""
    tables: list[Table] = []
    unread: list[int] = []
    heads: list[list[list[str]]] = []
    for part in bundle.parts:
        records = _records(part, journal)
        found = find_tables(records, layouts, journal)
        if found is None:
            assert isinstance(part, Text)
            records = read_records(part, Journal(journal.name), fast=False)
            found = find_tables(records, layouts, journal)
            assert found is not None
        if not found[0]:
            heads.append(records.rows[:60])
        tables += found[0]
        unread += found[1]
        if found[0] and found[0][0].match.layout.second_sheet:
            tables[-1] = _joined(tables[-1], bundle, journal)
    if tables:
        return tables, unread
    head = heads[0] if heads else []
    words = [cell for row in head for cell in row if cell.strip()]
    if words and normalise(words[-1]) in load_registry().no_data:
        raise _no_data(bundle)
    _refuse_columns(head, bundle)
    raise not_recognised(bundle.name, head[:20], layouts)


def _records(part: Text | Sheet, journal: Journal) -> Records:
    if isinstance(part, Text):
        return read_records(part, journal)
    return Records(part.name, part.rows, list(range(1, len(part.rows) + 1)), [])


def _refuse_columns(head: Sequence[Sequence[str]], bundle: Bundle) -> None:
    if head and max(len([c for c in row if c.strip()]) for row in head) < 2:
        first = next((row[0] for row in head if row), "")
        raise DataError(
            f"{bundle.name}: only one column was found",
            got=repr(first[:60]),
            allowed="cells parted by commas, semicolons, tabs or bars",
            fix="export it again as CSV",
        )


def _joined(table: Table, bundle: Bundle, journal: Journal) -> Table:
    """Old Facebook workbooks keep likes, comments and shares on a sheet of their own."""
    import polars as pl

    layout = table.match.layout
    wanted = ("likes", "comments", "shares")
    if any(name in table.match.columns for name in wanted):
        return table
    for part in bundle.parts:
        if not isinstance(part, Sheet) or part.name == table.part:
            continue
        for at, row in enumerate(part.rows[:20]):
            match = relaxed(layout, row, ("post_id", "likes|comments|shares"))
            if match is None:
                continue
            body = [r + [""] * (len(row) - len(r)) for r in part.rows[at + 1 :]]
            own = [name for name in wanted if name in match.columns]
            other = pl.DataFrame(
                {"id": [r[match.columns["post_id"]] for r in body]}
                | {name: [r[match.columns[name]] for r in body] for name in own},
                schema=dict.fromkeys(["id", *own], pl.String),
            ).unique("id", keep="first", maintain_order=True)
            width = len(table.header)
            left = table.cells.with_columns(table.cells[f"c{table.match.columns['post_id']}"].alias("id"))
            joined = left.join(other, on="id", how="left", maintain_order="left").drop("id")
            joined = joined.rename({name: f"c{width + i}" for i, name in enumerate(own)}).with_columns(
                pl.all().fill_null("")
            )
            columns = {**table.match.columns, **{name: width + i for i, name in enumerate(own)}}
            journal.note(f"{', '.join(own)} come from the sheet {part.name!r}")
            return replace(
                table, cells=joined, header=(*table.header, *own), match=replace(table.match, columns=columns)
            )
    return table


def _choose(tables: Sequence[Table], platform: str | None, journal: Journal) -> list[Table]:
    """The tables of one layout; what else the file holds is named."""
    ids = list(dict.fromkeys(table.match.layout.id for table in tables))
    wanted = min(
        ids,
        key=lambda name: min(
            (_WANTED.index(t.match.layout.kind), bool(t.match.layout.refuse), ids.index(name))
            for t in tables
            if t.match.layout.id == name
        ),
    )
    chosen = [table for table in tables if table.match.layout.id == wanted]
    layout = chosen[0].match.layout
    if len(ids) > 1:
        others = ", ".join(name for name in ids if name != wanted)
        journal.note(f"the file also holds {others}; platform= with that name reads it")
    if len(chosen) > 1 and not layout.stack:
        if layout.side_by_side and len({table.part for table in chosen}) == 1:
            return chosen
        filled = [table for table in chosen if table.cells.height]
        if len(filled) == 1:
            return filled
        raise DataError(
            f"{journal.name} holds several tables of the layout {layout.id}",
            got=", ".join(repr(table.part) for table in chosen[:6]),
            fix="take the one that is wanted out of the file and read it alone",
        )
    signs = ", ".join(repr(chosen[0].printed(target)) for target in list(chosen[0].match.columns)[:5])
    unread = [chosen[0].header[i].strip() for i in chosen[0].match.unknown]
    unread = [header for header in unread if not is_personal(header)] + [
        h for h in layout.ignore if h in chosen[0].header
    ]
    if unread:
        more = f" and {len(unread) - _SHOWN} more" if len(unread) > _SHOWN else ""
        journal.note(
            f"columns without a meaning here, not read: {', '.join(map(repr, unread[:_SHOWN]))}{more}"
        )
    journal.note(
        f"recognised as {layout.name} by {signs}"
        + (f" (headers in {chosen[0].match.language})" if chosen[0].match.language not in ("", "en") else "")
    )
    return chosen


def _refuse(table: Table, journal: Journal) -> None:
    dimension = table.printed("dimension") if "dimension" in table.match.columns else "another dimension"
    raise ColumnError(
        f"{journal.name}: {table.match.layout.refuse.format(dimension=dimension)}",
        got=", ".join(table.header[:8]),
    )


def _refuse_empty(chosen: Sequence[Table], bundle: Bundle) -> None:
    if any(table.cells.height for table in chosen):
        return
    if any(table.empty_word for table in chosen):
        raise _no_data(bundle)
    raise DataError(
        f"{bundle.name} has headers but no rows",
        got=", ".join(chosen[0].header[:6]),
        fix="choose a range of dates with data and export it again",
    )


def _no_data(bundle: Bundle) -> DataError:
    dates = re.search(
        r"\d{1,2}[-_ ]?[A-Z][a-z]{2}[-_ ]?\d{4}.*\d{4}|[A-Z][a-z]{2}-\d{1,2}-\d{4}.*\d{4}", bundle.name
    )
    ranged = f" for {dates[0]}" if dates else ""
    return DataError(
        f"{bundle.name} says that no data is available{ranged}",
        got="headers and the words 'No data available'",
        fix="choose a range of dates in which something ran and export it again",
    )


def _dated(settings: Settings, chosen: Sequence[Table], bundle: Bundle, journal: Journal) -> Settings:
    """Find the day of the export where the file's dates need it."""
    if settings.exported_at is not None:
        return settings
    if bundle.dated is not None:
        journal.guess(
            "day of the export", bundle.dated, "the archive was made then", "exported_at in mapping="
        )
        return replace(settings, exported_at=bundle.dated)
    layout = chosen[0].match.layout
    if (
        "date" not in layout.columns
        or layout.kind not in ("daily", "followers")
        or "date" not in chosen[0].match.columns
    ):
        return settings
    last = last_printed(draft_of(chosen[0], Journal(journal.name), settings), settings, journal)
    if last is None:
        return settings
    named = re.search(r"(20\d{2})[-_.](\d{2})[-_.](\d{2})", bundle.name)
    if named:
        day = day_of("-".join(named.groups()))
        journal.guess("day of the export", day, "the file is named so", "exported_at in mapping=")
        return replace(settings, exported_at=day)
    changed = bundle.changed
    if changed is not None and _just_before(last, changed):
        journal.guess(
            "day of the export", changed, "the file was last changed then", "exported_at in mapping="
        )
        journal.warn(
            "year",
            f"the dates have no year; it was taken from the file's own date, {changed}, which fits its last row",
        )
        return replace(settings, exported_at=changed)
    return settings


def _just_before(month_day: int, day: dt.date) -> bool:
    """Whether a day and month fall on a date or a few days before it."""
    return any(
        (day - dt.timedelta(days=back)).month * 100 + (day - dt.timedelta(days=back)).day == month_day
        for back in range(_NEAR)
    )


def _of_platform(drafts: list[Draft], platform: str | None, journal: Journal) -> list[Draft]:
    """Of a file with tables of several networks, those of one."""
    if platform is None or not drafts[0].layout.titles:
        return drafts
    wanted = normalise(platform)
    titles = drafts[0].layout.titles
    kept = [d for d in drafts if titles.get(normalise(d.table.title), ("", ""))[0] == wanted]
    if not kept or len(kept) == len(drafts):
        return drafts
    for drafted in drafts:
        if drafted not in kept:
            journal.remove("out_of_scope", f"rows of tables that are not of {platform}", drafted.rows)
    return kept


_Reader = Callable[[Sequence[Draft], Settings, Journal], Built]


def _reader(layout: Format) -> _Reader:
    """Which builder makes the rows of a layout."""
    if layout.kind == "outcomes":
        single = layout.money or "amount" in layout.columns
        return read_orders if single else read_figures
    if layout.kind in ("daily", "followers"):
        return lambda drafts, settings, journal: read_series(drafts, settings, journal, layout.kind)
    return {"posts": read_posts, "survey": read_survey, "ads": read_ads}[layout.kind]


def _dropped(chosen: Sequence[Table], settings: Settings) -> tuple[str, ...]:
    registry = load_registry()
    asked = {normalise(header) for header in (*settings.keep, *settings.hash)}
    out: list[str] = []
    for table in chosen[:1]:
        ignored = set(table.match.layout.ignore)
        personal = {
            i for t, i in table.match.columns.items()
            if registry.field(t).type == "personal" and table.match.layout.evidence != MAPPED
        }  # fmt: skip
        known = set(table.match.columns.values()) - personal
        out = [
            h.strip() for i, h in enumerate(table.header)
            if i not in known and (i in personal or is_personal(h)) and normalise(h) not in asked and h not in ignored
        ]  # fmt: skip
    return tuple(dict.fromkeys(out))


def _to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """Hand over as pandas: text as text, numbers as float with missing as NaN, moments with their zone."""
    import numpy as np
    import pandas as pd
    import polars as pl

    moments = [name for name in ("published_at", "at") if name in frame.columns]
    frame = frame.with_columns(
        pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC") for name in moments
    )
    text = pd.StringDtype("pyarrow", na_value=np.nan)
    out = {}
    for column in frame.get_columns():
        if column.dtype == pl.String:
            out[column.name] = pd.array(column.to_arrow(), dtype=text)
        elif column.dtype == pl.Boolean and column.null_count():
            out[column.name] = pd.array(column.to_list(), dtype="boolean")
        else:
            out[column.name] = column.to_pandas()
    return pd.DataFrame(out, copy=False)
