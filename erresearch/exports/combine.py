"""Several exports of one kind as one: overlaps are found by identity, the newest figures stay."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from erresearch.errors import DataError
from erresearch.exports.dates import orders_of
from erresearch.exports.layouts import load_registry, normalise
from erresearch.exports.log import COUNTED_BACK, Accounting, Caution, Export, Guess, ReadLog, Said
from erresearch.exports.mapping import Settings
from erresearch.exports.tables import Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Change", "agreed_settings", "combine_exports", "definition_changes", "put_together"]

_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "posts": ("platform", "account", "post_id"),
        "daily": ("platform", "account", "post_id", "date"),
        "followers": ("platform", "account", "date"),
        "ads": ("platform", "account", "entity", "date", "date_end", "currency"),
        "survey": ("entity", "respondent", "date"),
        "outcomes": ("entity", "outcome", "kind", "date", "order_id", "segment", "currency"),
    }
)
_ABOUT_THE_FILE = frozenset({"source_row", "part", "exported", "age_days"})
_EXPOSURES = ("impressions", "views", "reach")


@dataclass(frozen=True, slots=True)
class Change:
    """A figure that a platform calls otherwise in one export than in another.

    Parameters
    ----------
    name : str
        Canonical column or outcome.
    before, after : str
        Its headers.
    day : datetime.date or None
        First day of the newer word.
    """

    name: str
    before: str
    after: str
    day: dt.date | None


def definition_changes(exports: Sequence[Export]) -> tuple[Change, ...]:
    """Find figures that the platform renamed between these exports, by the registry's own list.

    Parameters
    ----------
    exports : sequence of Export
        Of any kinds.

    Returns
    -------
    tuple of Change
        In the order of the figures' names. A header in another language is no other word.

    See Also
    --------
    combine_exports : Cautions about the same.
    """
    fields = load_registry().fields
    found = []
    for name in sorted({name for export in exports for name in export.columns if fields.get(name)}):
        if not fields[name].renamed:
            continue
        before, after = ({normalise(text) for text in words} for words in fields[name].renamed)
        old = [e for e in exports if normalise(e.columns.get(name, "")) in before]
        new = [e for e in exports if normalise(e.columns.get(name, "")) in after]
        if any(a.format == b.format for a in old for b in new):
            days = [day for export in new if (day := _first_day(export)) is not None]
            found.append(Change(name, old[0].columns[name], new[0].columns[name], min(days, default=None)))
    return tuple(found)


def _first_day(export: Export) -> dt.date | None:
    name = next((n for n in ("published_at", "date") if n in export.rows.columns), None)
    if name is None or export.rows[name].notna().sum() == 0:
        return None
    first: dt.datetime = export.rows[name].min()
    return first.date()


def combine_exports(exports: Sequence[Export], *, tables: bool = False) -> Export:
    r"""Put exports of one kind together and count what they share.

    A row that stands in several exports with the same figures is kept once. Where its figures differ, because the
    exports were taken on different days, those of the newest export stay; where it is not known which that is, this
    is an error. Columns are matched by name: one that an export lacks is missing in its rows.

    Parameters
    ----------
    exports : sequence of Export
        Of one kind.
    tables : bool
        Whether they are the tables of one file, for messages.

    Returns
    -------
    Export
        With the accounts of all of them added up; repeated rows count as rejected.

    See Also
    --------
    read_export : Where exports come from.
    definition_changes : Figures that a platform renamed between them.

    Raises
    ------
    DataError
        If there is none, if their kinds differ, or if figures differ and the day of an export is not known.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from erresearch.exports import combine_exports, read_export
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "Totals.csv"
    ...     _ = file.write_text("Date,Views\n2026-01-01,10\n2026-01-02,12\n")
    ...     twice = combine_exports([read_export(file), read_export(file)])
    >>> len(twice.rows), twice.accounting.rejected
    (2, 2)
    """
    import pandas as pd

    if not exports:
        raise DataError("there is nothing to combine", got="no export", fix="read some files first")
    kinds = sorted({export.kind for export in exports})
    if len(kinds) > 1:
        raise DataError(
            "exports of different kinds cannot be one table",
            got=", ".join(f"{export.name}: {export.kind}" for export in exports),
            fix="combine those of each kind",
        )
    frames = []
    for number, export in enumerate(exports):
        day = pd.Timestamp(export.exported_at) if export.exported_at else pd.NaT
        exported = pd.Series([day] * len(export.rows), index=export.rows.index, dtype="datetime64[us]")
        frames.append(export.rows.assign(part=number, exported=exported))
    together = pd.concat(frames, ignore_index=True, sort=False)
    together["figures"] = together["part"].map(_alike(exports, kinds[0]))
    keys = ["figures", *(name for name in _KEYS[kinds[0]] if name in together.columns)]
    kept, cautions = _newest(together, keys, exports, tables=tables)
    cautions += _changed_definition(kept, exports)
    cautions += [
        Caution(
            "changed definition",
            f"the definition of {change.name} changes on {change.day}: {change.before!r} before, {change.after!r} after",
        )
        for change in definition_changes(exports)
    ]
    notes = _missing_columns(exports)
    rejected = _repeated(together, kept)
    accounting = _added([export.accounting for export in exports], rejected, "table" if tables else "export")
    days = [export.exported_at for export in exports if export.exported_at]
    rows = kept.drop(columns=["part", "exported", "figures"]).reset_index(drop=True)
    return Export(
        rows=rows,
        kind=exports[0].kind,
        format=" + ".join(dict.fromkeys(export.format for export in exports)),
        guesses=tuple(dict.fromkeys(guess for export in exports for guess in _named(export))),
        accounting=accounting,
        warnings=tuple(dict.fromkeys([*(c for export in exports for c in export.warnings), *cautions])),
        name=" + ".join(dict.fromkeys(export.name for export in exports)),
        notes=tuple(dict.fromkeys([*(n for export in exports for n in export.notes), *notes])),
        columns=MappingProxyType({k: v for export in exports for k, v in export.columns.items()}),
        dropped_columns=tuple(
            dict.fromkeys(header for export in exports for header in export.dropped_columns)
        ),
        exported_at=max(days, default=None),
        layout=exports[0].layout,
    )


def _alike(exports: Sequence[Export], kind: str) -> dict[int, int]:
    """Which exports can repeat each other: those of one day's figures only if they have a figure in common."""
    if kind not in ("daily", "followers"):
        return dict.fromkeys(range(len(exports)), 0)
    groups: list[tuple[set[str], list[int]]] = []
    for number, export in enumerate(exports):
        names = {n for n in export.rows.columns if n not in {*_KEYS[kind], *_ABOUT_THE_FILE}}
        touched = [group for group in groups if group[0] & names]
        groups = [group for group in groups if not group[0] & names]
        together = names.union(*(group[0] for group in touched))
        groups.append((together, [*(n for group in touched for n in group[1]), number]))
    return {number: place for place, (_, numbers) in enumerate(groups) for number in numbers}


def _named(export: Export) -> tuple[Guess, ...]:
    return tuple(Guess(f"{export.name}: {g.name}", g.value, g.reason, g.override) for g in export.guesses)


def _newest(
    together: pd.DataFrame, keys: list[str], exports: Sequence[Export], *, tables: bool
) -> tuple[pd.DataFrame, list[Caution]]:
    """One row per identity."""
    repeated = together.duplicated(keys, keep=False)
    # one order may have several refunds on one day: only rows of different exports repeat each other
    spread = together.groupby(keys, dropna=False, sort=False)["part"].transform("nunique") > 1
    shared = repeated & spread
    if not shared.any():
        return together, []
    figures = [
        n
        for n in together.columns
        if n not in {*keys, "figures", *_ABOUT_THE_FILE} and together[n].dtype.kind == "f"
    ]
    overlap = together[shared]
    changed, size = _change(overlap, keys, figures)
    unknown = sorted(
        {exports[number].name for number in overlap.loc[overlap["exported"].isna(), "part"].unique()}
    )
    several = "tables" if tables else "exports"
    if changed and tables:
        names = sorted({exports[number].name for number in overlap["part"].unique()})
        raise DataError(
            f"{changed:,} rows stand in several tables of one file with different figures",
            got=", ".join(names),
            fix="take the older table out of the file, or save each as a file of its own and say the day of each with "
            "exported_at in mapping=",
        )
    if changed and (unknown or overlap["exported"].nunique() < overlap["part"].nunique()):
        raise DataError(
            f"{changed:,} rows stand in several exports with different figures, and it is not known which is newer",
            got=", ".join(unknown) or "exports of the same day",
            fix="say the day of each export with exported_at in mapping= (for an audit: in a file such as "
            f"{(unknown or [exports[0].name])[0]}.toml beside it)",
        )
    ordered = together.sort_values(["exported", "part"], kind="stable", na_position="first")
    newest = ordered.groupby(keys, dropna=False, sort=False)["part"].transform("last").reindex(together.index)
    kept = together[(~shared) | (together["part"] == newest)]
    count = int(shared.sum()) - int((shared & (together["part"] == newest)).sum())
    grown = (
        f"; {changed:,} of them had changed, by {size:.0%} in the median, and the newest figures stay"
        if changed
        else ""
    )
    return kept, [
        Caution("overlap", f"{count:,} rows stand in several {several} and are kept once{grown}", count)
    ]


def _change(overlap: pd.DataFrame, keys: list[str], figures: list[str]) -> tuple[int, float]:
    """How many shared rows have different figures, and by how much in the median."""
    import numpy as np

    if not figures:
        return 0, 0.0
    groups = overlap.groupby(keys, dropna=False, sort=False)[figures]
    low, high = groups.min().to_numpy(dtype=float), groups.max().to_numpy(dtype=float)
    differs = (high != low) & ~np.isnan(high)
    sizes = (high - low)[differs & (low != 0)] / np.abs(low)[differs & (low != 0)]
    return int(differs.any(axis=1).sum()), float(np.median(sizes)) if sizes.size else 0.0


def _changed_definition(rows: pd.DataFrame, exports: Sequence[Export]) -> list[Caution]:
    """Impressions in the older exports and views in the newer ones are two figures, never one."""
    moment = next((name for name in ("published_at", "date") if name in rows.columns), None)
    there = [name for name in _EXPOSURES[:2] if name in rows.columns]
    if moment is None or len(there) < 2 or all(set(there) <= set(e.rows.columns) for e in exports):
        return []
    only = {
        name: rows[rows[name].notna() & rows[[n for n in there if n != name]].isna().all(axis=1)]
        for name in there
    }
    if any(part.empty for part in only.values()):
        return []
    ends = {name: (part[moment].min(), part[moment].max()) for name, part in only.items()}
    later = max(there, key=lambda name: ends[name][0])
    day: dt.date = ends[later][0].date()
    names = " and ".join(there)
    text = (
        f"the definition of exposure changes on {day}: {names} are different figures and must not be spliced"
    )
    return [Caution("changed definition", text, len(only[later]))]


def _missing_columns(exports: Sequence[Export]) -> list[str]:
    every = list(dict.fromkeys(name for export in exports for name in export.rows.columns))
    notes = []
    for export in exports:
        absent = [name for name in every if name not in export.rows.columns]
        if absent:
            notes.append(f"{export.name} has no {', '.join(absent)}: missing in its rows")
    return notes


def _repeated(together: pd.DataFrame, kept: pd.DataFrame) -> int:
    """Rows of the files of which nothing was kept."""
    rows = together[["part", "source_row"]].drop_duplicates()
    left = kept[["part", "source_row"]].drop_duplicates()
    return len(rows) - len(left)


def _added(accounts: Sequence[Accounting], rejected: int, what: str) -> Accounting:
    """Accounts added up, with repeated rows moved from used to rejected."""
    reasons: dict[str, int] = {}
    for account in accounts:
        for reason, count in account.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    if rejected:
        reasons[f"rows that another {what} repeats"] = rejected
    missing: dict[str, dict[str, int]] = {}
    for account in accounts:
        for header, counts in account.missing.items():
            for token, count in counts.items():
                missing.setdefault(header, {})[token] = missing.get(header, {}).get(token, 0) + count
    parts = {
        name: sum(getattr(a, name) for a in accounts) for name in ("totals", "error_rows", "out_of_scope")
    }
    return Accounting(
        sum(a.rows_in for a in accounts),
        sum(a.used for a in accounts) - rejected,
        **parts,
        rejected=sum(a.rejected for a in accounts) + rejected,
        reasons=MappingProxyType(reasons),
        missing=MappingProxyType(missing),
    )


_TIMES = ("time", "window")
# whole numbers are read alike under either sign
_DECIMAL = ("number", "money", "share", "seconds")
_BY_DAY = ("daily", "followers", "outcomes")
_SHOWN = 6


def put_together(
    tables: Sequence[Table], read_one: Callable[[Table, ReadLog], Export], log: ReadLog
) -> Export:
    """Read tables of one layout one by one and make one export of them.

    A row that stands in two of them is handled like a row of two exports: kept once where its figures are the same,
    refused where they differ.

    Parameters
    ----------
    tables : sequence of Table
        Of one layout, each of a sheet or file of its own.
    read_one : callable
        Reads one of them, writing into a log of its own.
    log : ReadLog
        What was said about the file as a whole.

    Returns
    -------
    Export
        With every guess and caution named by its sheet, and the account of each sheet among the notes.

    Raises
    ------
    DataError
        If the sheets contradict each other: in currency, in decimal sign, or in the figures of one row.
    """
    _refuse_currencies({table.part: set(table.match.currencies.values()) for table in tables}, log)
    exports = []
    for table in tables:
        own = ReadLog(f"{log.name}: {table.part}", strict=log.strict)
        exports.append(read_one(table, own))
    parts = [table.part for table in tables]
    _refuse_currencies({part: _currencies(export) for part, export in zip(parts, exports, strict=True)}, log)
    _refuse_signs(tables, exports, log)
    together = combine_exports(exports, tables=True)
    guesses = [(part, each) for part, export in zip(parts, exports, strict=True) for each in export.guesses]
    cautions = [(part, each) for part, export in zip(parts, exports, strict=True) for each in export.warnings]
    further = together.warnings[len(dict.fromkeys(each for _, each in cautions)) :]
    accounts = [
        f"{part!r}: {str(export.accounting).replace(chr(10) + '  ', '; ')}"
        for part, export in zip(parts, exports, strict=True)
    ]
    log.note(f"{len(parts)} tables of one layout were put together: {', '.join(map(repr, parts[:_SHOWN]))}"
                 + (f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""))  # fmt: skip
    counted = [part for part, guess in guesses if guess.code == COUNTED_BACK]
    if len(counted) > 1:
        log.caution(
            "year",
            f"the dates of {', '.join(map(repr, counted[:_SHOWN]))} have no year and all were counted back from one day: "
            "what is more than a year older is dated wrongly; read such tables one by one, each with its exported_at",
        )
    for caution in further:
        log.caution(caution.code, caution.text, count=caution.count, rows=caution.rows)
    rows = together.rows
    if together.kind in _BY_DAY:
        rows = rows.sort_values("date", kind="stable", ignore_index=True)
    return replace(
        together,
        rows=rows,
        name=log.name,
        guesses=(*log.guesses, *_once(guesses, len(parts), _named_guess)),
        warnings=(*log.warnings, *_once(cautions, len(parts), _named_caution)),
        notes=tuple(dict.fromkeys([*log.notes, *accounts, *together.notes])),
    )


def _named_guess(part: str, guess: Guess) -> Guess:
    return replace(guess, name=f"{part}: {guess.name}")


def _named_caution(part: str, caution: Caution) -> Caution:
    return replace(caution, text=f"{part}: {caution.text}")


def _once(said: Sequence[tuple[str, Said]], count: int, named: Callable[[str, Said], Said]) -> list[Said]:
    """What every sheet gives rise to is said once; the rest names its sheet."""
    every = [each for _, each in said]
    return list(
        dict.fromkeys(each if every.count(each) == count else named(part, each) for part, each in said)
    )


def _currencies(export: Export) -> set[str]:
    if "currency" not in export.rows.columns:
        return set()
    return {str(code) for code in export.rows["currency"].dropna().unique() if code}


def _refuse_currencies(codes: dict[str, set[str]], log: ReadLog) -> None:
    """Amounts of different currencies are never added up, in whichever sheet they stand."""
    if len({code for each in codes.values() for code in each}) < 2 or all(
        len(each) > 1 for each in codes.values()
    ):
        return
    raise DataError(
        f"{log.name}: its tables are in different currencies, which are never added up",
        got="; ".join(f"{part!r} in {' and '.join(sorted(each))}" for part, each in codes.items() if each),
        fix="save the tables of each currency as a file of their own",
    )


def _refuse_signs(tables: Sequence[Table], exports: Sequence[Export], log: ReadLog) -> None:
    """A sign that parts decimals in one sheet and thousands in the next is not guessed."""
    import polars as pl

    registry = load_registry()
    signs: dict[str, dict[str, str]] = {}
    for table, export in zip(tables, exports, strict=True):
        guessed = {guess.name: guess.value for guess in export.guesses}
        for target, position in table.match.columns.items():
            column = table.cells[f"c{position}"] if f"c{position}" in table.cells.columns else None
            if column is None or column.dtype != pl.String or registry.field(target).type not in _DECIMAL:
                continue
            name = f"decimal sign of {table.printed(target)!r}"
            printed = column.str.contains(r"\d[.,]\d{3}(\D|$)|\d,\d").any()
            if name in guessed or (printed and table.match.layout.decimal):
                signs.setdefault(target, {})[table.part] = guessed.get(name, repr(table.match.layout.decimal))
    for found in signs.values():
        if len(set(found.values())) > 1:
            raise DataError(
                f"{log.name}: its tables use different signs for decimals",
                got="; ".join(f"{part!r} {sign}" for part, sign in list(found.items())[:_SHOWN]),
                allowed="one sign in all of them",
                fix="pass decimal='.' or decimal=',', or save each table as a file of its own",
            )


def agreed_settings(tables: Sequence[Table], settings: Settings, log: ReadLog) -> Settings:
    """Let the tables in which a day above 12 tells the order of dates decide for those without one.

    Parameters
    ----------
    tables : sequence of Table
        Of one layout.
    settings : Settings
        What the caller says.
    log : ReadLog
        For messages.

    Returns
    -------
    Settings
        With the order, where some table tells it.

    Raises
    ------
    DataError
        If two tables tell different orders.
    """
    if settings.dayfirst is not None or settings.dates:
        return settings
    registry = load_registry()
    told: dict[str, str] = {}
    for table in tables:
        for target, position in table.match.columns.items():
            if registry.field(target).type in _TIMES and f"c{position}" in table.cells.columns:
                for order in orders_of(table.cells[f"c{position}"]):
                    told.setdefault(order, table.part)
    if len(told) > 1:
        raise DataError(
            f"{log.name}: its tables write dates in different orders",
            got="; ".join(f"{part!r} {order}" for order, part in sorted(told.items())),
            allowed="one order in all of them",
            fix="write all dates in one order, or save each table as a file of its own",
        )
    return replace(settings, dates=next(iter(told))) if told else settings
