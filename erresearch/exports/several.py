"""Several tables of one layout in one file, such as a sheet for each year: read one by one, then put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from erresearch.errors import DataError
from erresearch.exports.clocks import orders_of
from erresearch.exports.combining import combine_exports
from erresearch.exports.records import Caution, Export, Guess, Journal, Said
from erresearch.exports.registry import load_registry
from erresearch.exports.settings import Settings
from erresearch.exports.tables import Table

__all__ = ["agreed_settings", "put_together"]

_TIMES = ("time", "window")
# whole numbers are read alike under either sign
_DECIMAL = ("number", "money", "share", "seconds")
_BY_DAY = ("daily", "followers", "outcomes")
_SHOWN = 6


def put_together(
    tables: Sequence[Table], read_one: Callable[[Table, Journal], Export], journal: Journal
) -> Export:
    """Read tables of one layout one by one and make one export of them.

    A row that stands in two of them is handled like a row of two exports: kept once where its figures are the same,
    refused where they differ.

    Parameters
    ----------
    tables : sequence of Table
        Of one layout, each of a sheet or file of its own.
    read_one : callable
        Reads one of them, writing into a journal of its own.
    journal : Journal
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
    _refuse_currencies({table.part: set(table.match.currencies.values()) for table in tables}, journal)
    exports = []
    for table in tables:
        own = Journal(f"{journal.name}: {table.part}", strict=journal.strict)
        exports.append(read_one(table, own))
    parts = [table.part for table in tables]
    _refuse_currencies(
        {part: _currencies(export) for part, export in zip(parts, exports, strict=True)}, journal
    )
    _refuse_signs(tables, exports, journal)
    together = combine_exports(exports, tables=True)
    guesses = [(part, each) for part, export in zip(parts, exports, strict=True) for each in export.guesses]
    cautions = [(part, each) for part, export in zip(parts, exports, strict=True) for each in export.warnings]
    further = together.warnings[len(dict.fromkeys(each for _, each in cautions)) :]
    accounts = [
        f"{part!r}: {str(export.accounting).replace(chr(10) + '  ', '; ')}"
        for part, export in zip(parts, exports, strict=True)
    ]
    journal.note(f"{len(parts)} tables of one layout were put together: {', '.join(map(repr, parts[:_SHOWN]))}"
                 + (f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""))  # fmt: skip
    counted = [
        part for part, guess in guesses if guess.name == "year" and guess.value.startswith("back from")
    ]
    if len(counted) > 1:
        journal.warn(
            "year",
            f"the dates of {', '.join(map(repr, counted[:_SHOWN]))} have no year and all were counted back from one day: "
            "what is more than a year older is dated wrongly; read such tables one by one, each with its exported_at",
        )
    for caution in further:
        journal.warn(caution.code, caution.text, count=caution.count, rows=caution.rows)
    rows = together.rows
    if together.kind in _BY_DAY:
        rows = rows.sort_values("date", kind="stable", ignore_index=True)
    return replace(
        together,
        rows=rows,
        name=journal.name,
        guesses=(*journal.guesses, *_once(guesses, len(parts), _named_guess)),
        warnings=(*journal.warnings, *_once(cautions, len(parts), _named_caution)),
        notes=tuple(dict.fromkeys([*journal.notes, *accounts, *together.notes])),
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


def _refuse_currencies(codes: dict[str, set[str]], journal: Journal) -> None:
    """Amounts of different currencies are never added up, in whichever sheet they stand."""
    if len({code for each in codes.values() for code in each}) < 2 or all(
        len(each) > 1 for each in codes.values()
    ):
        return
    raise DataError(
        f"{journal.name}: its tables are in different currencies, which are never added up",
        got="; ".join(f"{part!r} in {' and '.join(sorted(each))}" for part, each in codes.items() if each),
        fix="save the tables of each currency as a file of their own",
    )


def _refuse_signs(tables: Sequence[Table], exports: Sequence[Export], journal: Journal) -> None:
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
                f"{journal.name}: its tables use different signs for decimals",
                got="; ".join(f"{part!r} {sign}" for part, sign in list(found.items())[:_SHOWN]),
                allowed="one sign in all of them",
                fix="pass decimal='.' or decimal=',', or save each table as a file of its own",
            )


def agreed_settings(tables: Sequence[Table], settings: Settings, journal: Journal) -> Settings:
    """Let the tables in which a day above 12 tells the order of dates decide for those without one.

    Parameters
    ----------
    tables : sequence of Table
        Of one layout.
    settings : Settings
        What the caller says.
    journal : Journal
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
            f"{journal.name}: its tables write dates in different orders",
            got="; ".join(f"{part!r} {order}" for order, part in sorted(told.items())),
            allowed="one order in all of them",
            fix="write all dates in one order, or save each table as a file of its own",
        )
    return replace(settings, dates=next(iter(told))) if told else settings
