"""What a reader says about a file: guesses, cautions, the account of every row, and the result that carries them."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np

from erresearch.errors import Count, DataError
from erresearch.exports.layouts import Kind, load_registry
from erresearch.exports.privacy import first_shape, show_name, shown_columns
from erresearch.io import pd, pl
from erresearch.io.resources import in_threads
from erresearch.results.rounding import escape

Bucket = Literal["totals", "error_rows", "rejected", "out_of_scope"]
COUNTED_BACK = "counted back"
"""`code` of the guess of years by counting back from one day."""
_SHOWN = 3
_TOLERATED = 0.05
"""Share of cells that cannot be used beyond which a column is refused."""
_LARGE = 100_000
"""Rows from which columns are handed over several at once."""
_NAMES: Final[Mapping[Bucket, str]] = {
    "totals": "rows of totals",
    "error_rows": "rows in which the platform reports an error",
    "rejected": "rejected",
    "out_of_scope": "out of scope",
}


_COUNTED = re.compile(r"\{count:?([a-z ]*)\}")


def _first(rows: Iterable[int]) -> tuple[int, ...]:
    return tuple(map(int, itertools.islice(rows, _SHOWN)))


def places(rows: tuple[int, ...], count: int) -> str:
    """Name the first rows, as a spreadsheet numbers them.

    Examples
    --------
    >>> places((4, 9, 12), 20)
    'rows 4, 9, 12 and 17 more'
    """
    if not rows:
        return ""
    more = f" and {count - len(rows):,} more" if count > len(rows) else ""
    return f"{'row' if len(rows) == 1 and not more else 'rows'} {', '.join(map(str, rows))}{more}"


def _added(some: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(some) + Counter(others))


@dataclass(frozen=True, slots=True)
class Guess:
    """Something that the file does not say.

    Parameters
    ----------
    name, value : str
        What was guessed, and the guess.
    reason : str
        Why.
    override : str
        The argument that says it instead.
    code : str
        Short stable name of the way in which it was guessed, for programs; empty where nobody needs it.
    """

    name: str
    value: str
    reason: str
    override: str
    code: str = ""

    def __str__(self) -> str:
        """One line."""
        return f"{self.name}: {self.value} ({self.reason}); {self.override} says otherwise"


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that went on with a word.

    Parameters
    ----------
    code : str
        Short stable name, for programs.
    text : str
        What it is and what was done.
    count : int
        How many rows or cells; 0 where it is about the whole file.
    rows : tuple of int
        The first three rows, as a spreadsheet numbers them.
    """

    code: str
    text: str
    count: int = 0
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        """One line."""
        return f"{self.text} ({places(self.rows, self.count)})" if self.rows else self.text


@dataclass(frozen=True, slots=True)
class Accounting:
    """What became of every row of a file; the parts always add up to the rows that came in.

    Parameters
    ----------
    rows_in : int
        Rows below the header.
    used, totals, error_rows, rejected, out_of_scope : int
        Rows read; rows that sum others; rows in which the platform reports an error; rows that cannot be used;
        rows that this reader leaves aside by rule.
    reasons : mapping of str to int
        Why rows were not used, with counts.
    missing : mapping of str to mapping of str to int
        By header: the spellings of "not there", each with its count. None of them became 0.

    Raises
    ------
    DataError
        If the parts do not add up.

    Examples
    --------
    >>> print(Accounting(44, 41, error_rows=3))
    44 rows in = 41 used + 0 totals + 3 error rows + 0 rejected + 0 out of scope
    >>> Accounting(44, 41)
    Traceback (most recent call last):
    erresearch.errors.DataError: the account of the rows does not add up: 44 rows in, 41 accounted for...
    """

    rows_in: int
    used: int
    _: KW_ONLY
    totals: int = 0
    error_rows: int = 0
    rejected: int = 0
    out_of_scope: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an account that does not add up."""
        known = sum(count for _, count in self._parts())
        if known != self.rows_in:
            raise DataError(
                "the account of the rows does not add up",
                got=f"{Count(self.rows_in):row} in, {known:,} accounted for",
                fix="this is a fault of the reader, please report it with the file's header",
            )

    def __add__(self, other: Accounting) -> Accounting:
        """The account of both."""
        names = {**self.missing, **other.missing}
        parts = {name: getattr(self, name) + getattr(other, name) for name in ("rows_in", "used", *_NAMES)}
        return Accounting(
            **parts,
            reasons=_added(self.reasons, other.reasons),
            missing={of: _added(self.missing.get(of, {}), other.missing.get(of, {})) for of in names},
        )

    def _parts(self) -> list[tuple[str, int]]:
        return [(name.replace("_", " "), getattr(self, name)) for name in ("used", *_NAMES)]

    def __repr__(self) -> str:
        """Say what `str` says: short, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """One line, and one per reason."""
        parts = " + ".join(f"{count:,} {name}" for name, count in self._parts())
        head = f"{Count(self.rows_in):row} in = {parts}"
        return "\n".join([head, *(f"  {reason}: {count:,}" for reason, count in self.reasons.items())])

    def to_frame(self) -> pd.DataFrame:
        """One row per part and per reason (a pandas DataFrame with columns what, rows)."""
        reasons = [(f"reason: {reason}", count) for reason, count in self.reasons.items()]
        return pd.DataFrame([("rows in", self.rows_in), *self._parts(), *reasons], columns=["what", "rows"])


class HeldRows:
    """The rows of an export, handed over as pandas when somebody first asks for them.

    Until then they are held as the reader made them, so that a panel takes them without a way there and back.
    """

    def __get__(self, export: Export | None, owner: type[Export]) -> pd.DataFrame:
        """The rows as pandas."""
        if export is None:
            raise AttributeError("rows")  # so that they have no default
        held = export.held()
        if not isinstance(held, pd.DataFrame):
            held = vars(export)["rows"] = _to_pandas(held)
        return held

    def __set__(self, export: Export, rows: pd.DataFrame | pl.DataFrame) -> None:
        """Take the rows, once."""
        vars(export)["rows"] = rows


def _to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """Hand over as pandas: text as text, numbers as float with missing as NaN, moments with their zone."""
    text = pd.StringDtype("pyarrow", na_value=np.nan)

    def converted(column: pl.Series) -> Any:
        if column.dtype == pl.String:
            return pd.array(column.to_arrow(), dtype=text)
        if column.dtype == pl.Boolean and column.null_count():
            return pd.array(column.to_list(), dtype="boolean")
        return column.to_pandas()

    columns = (in_threads if frame.height > _LARGE else map)(converted, frame.get_columns())
    return pd.DataFrame(dict(zip(frame.columns, columns, strict=True)), copy=False)


@dataclass(frozen=True, eq=False, kw_only=True)
class Export:
    """A file read to canonical rows.

    Parameters
    ----------
    rows : pandas.DataFrame
        Canonical rows. A column that the file does not have is not there; a cell that is not there is missing.
    kind : {"posts", "daily", "followers", "outcomes", "survey", "ads"}
        What a row is.
    format : str
        Layout that was recognised, as :func:`erresearch.exports.platforms` lists it.
    guesses : tuple of Guess
        What the file does not say, each with its reason and the argument that overrides it.
    accounting : Accounting
        What became of every row.
    warnings : tuple of Caution
        What went on with a word.
    name : str
        File name.
    notes : tuple of str
        What is worth knowing and wants no action.
    columns : mapping of str to str
        Canonical column → header of the file.
    dropped_columns : tuple of str
        Headers that were not loaded because they are personal.
    exported_at : datetime.date or None
        Day of the export where it is known.
    """

    rows: HeldRows = HeldRows()
    kind: Kind
    format: str
    guesses: tuple[Guess, ...]
    accounting: Accounting
    warnings: tuple[Caution, ...]
    name: str = ""
    notes: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    dropped_columns: tuple[str, ...] = ()
    exported_at: dt.date | None = None

    def held(self) -> pd.DataFrame | pl.DataFrame:
        """The rows as they are held: as pandas once somebody has asked for them."""
        rows: pd.DataFrame | pl.DataFrame = vars(self)["rows"]
        return rows

    def __repr__(self) -> str:
        """Say what `str` says: no rows, and the same on every machine."""
        return str(self)

    def __str__(self) -> str:
        """What was read, in a few lines."""
        head = f"{self.name}: {self.kind}, {self.format}, {Count(len(self.held())):row}"
        lines = [head, str(self.accounting), *(f"  {line}" for line in [*self.guessed(), *self.told()])]
        if self.dropped_columns:
            lines.append(f"  personal columns not loaded: {', '.join(self.dropped_columns)}")
        return "\n".join(lines)

    def guessed(self) -> list[str]:
        """A line for each guess."""
        return [f"guess: {guess}" for guess in self.guesses]

    def told(self) -> list[str]:
        """A line for each warning and note."""
        return [f"warning: {caution}" for caution in self.warnings] + [f"note: {note}" for note in self.notes]

    def _repr_markdown_(self) -> str:
        head, *lines = str(self).split("\n")
        return "\n".join([f"**{escape(head)}**", "", *(f"* {escape(line.strip())}" for line in lines)])


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """What a file is, before it is read; printing it is the point.

    Parameters
    ----------
    name : str
        File name.
    export : Export
        What the rows looked at would give.
    whole : bool
        Whether the whole file was looked at, or its head and its tail.
    seen : str
        What was looked at, in words.
    """

    name: str
    export: Export
    whole: bool
    seen: str

    def __repr__(self) -> str:
        """Say what `str` says."""
        return str(self)

    def _personal(self) -> str:
        named = ", ".join(self.export.dropped_columns) or "none"
        return f"personal columns that would not be loaded: {named}"

    def _repr_markdown_(self) -> str:
        """Layout, columns, what is guessed or noted; without rows, which may be of people."""
        export = self.export
        columns = (f"{name} ← {said}" if name != said else name for name, said in export.columns.items())
        said = [*export.guessed(), *str(export.accounting).split("\n"), *export.told(), self._personal()]
        head = f"**{escape(self.name)}**: {escape(export.kind)}, recognised as **{escape(export.format)}**; "
        head += f"looked at {escape(self.seen)}, nothing was written"
        points = [f"* {escape(line.strip())}" for line in said]
        return "\n".join([head, "", f"Columns: {escape(', '.join(columns))}", "", *points])

    def __str__(self) -> str:
        """The whole finding as text."""
        export = self.export
        first = export.rows[shown_columns(export.rows)].head(3)
        first = first.map(lambda cell: show_name(cell) if isinstance(cell, str) else cell)
        parts: dict[str, list[str]] = {
            f"looked at {self.seen}; nothing was written": export.guessed(),
            "columns": [f"{target} ← {header}" for target, header in export.columns.items()],
            "rows": [*str(export.accounting).split("\n"), *export.told()],
            self._personal(): [],
            "first rows, without ids and texts": first.to_string(index=False, max_colwidth=24).split("\n"),
        }
        lines = [line for title, said in parts.items() for line in (title, *(f"  {each}" for each in said))]
        return "\n".join([f"{self.name}: {export.kind}, recognised as {export.format}", *lines])


class ReadLog:
    """What happens while one file is read, written down by the methods below and closed into the result at the end.

    Parameters
    ----------
    name : str
        File name, for messages.
    strict : bool
        Whether a warning stops the reading.
    """

    def __init__(self, name: str, *, strict: bool = False) -> None:
        self.name, self.strict = name, strict
        self.found: dict[str, str] = {}  # headers of columns that were found by what they hold
        self.guesses: list[Guess] = []
        self.warnings: list[Caution] = []
        self.notes: list[str] = []
        self._removed: dict[Bucket, Counter[str]] = {bucket: Counter() for bucket in _NAMES}
        self._missing: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, other: ReadLog) -> None:
        """Take over the guesses, warnings and notes of another log, each once."""
        self.guesses += [guess for guess in other.guesses if guess not in self.guesses]
        self.notes += [note for note in other.notes if note not in self.notes]
        for caution in other.warnings:
            self.caution(caution.code, caution.text, count=caution.count, rows=caution.rows)

    def count_missing(self, header: str, counts: Mapping[str, int]) -> None:
        """Count cells that say in one of the known ways that they hold nothing, by spelling."""
        self._missing[header].update(counts)

    def withdraw_guess(self, name: str) -> None:
        """Take a guess back that another column has made needless."""
        self.guesses = [guess for guess in self.guesses if guess.name != name]

    def guess(self, name: str, value: object, reason: str, override: str, *, code: str = "") -> None:
        """Note a guess once."""
        guess = Guess(name, str(value), reason, override, code)
        if guess not in self.guesses:
            self.guesses.append(guess)

    def note(self, text: str) -> None:
        """Note something that wants no action."""
        if text not in self.notes:
            self.notes.append(text)

    def caution(self, code: str, text: str, *, count: int = 0, rows: Iterable[int] = ()) -> None:
        """Note a caution; where the reader is strict, stop.

        Raises
        ------
        DataError
            If the reader is strict.
        """
        caution = Caution(code, text, count, _first(rows))
        if self.strict:
            raise DataError(
                f"{self.name}: {caution}",
                fix="mend the file, or read it without strict=True to go on with a warning",
            )
        if caution not in self.warnings:
            self.warnings.append(caution)

    def count(
        self, code: str, text: str, where: pl.Series, rows: pl.Series, *, cells: pl.Series | None = None
    ) -> int:
        """Note a caution about the rows that a mask picks, if there are any.

        Parameters
        ----------
        code, text : str
            ``{count:row is}`` in the text is their number, ``{shape}`` what the first of their cells looks like.
        where, rows, cells : polars.Series
            The mask, the numbers of the rows, and the cells that are shown by their shape.

        Returns
        -------
        int
            How many.
        """
        where = where.fill_null(False)
        count = int(where.sum())
        if count:
            shape = first_shape(cells, where) if cells is not None else ""
            said = _COUNTED.sub(lambda found: format(Count(count), found[1]), text).replace("{shape}", shape)
            self.caution(code, said, count=count, rows=rows.filter(where).head(_SHOWN))
        return count

    def remove(self, bucket: Bucket, reason: str, rows: Iterable[int], *, warn: bool = False) -> int:
        """Count rows that are not used, say so where `warn`, and return how many they are."""
        listed = [int(row) for row in rows]
        if listed:
            self._removed[bucket][reason] += len(listed)
            if warn:
                self.caution(
                    bucket, f"{len(listed):,} {_NAMES[bucket]}: {reason}", count=len(listed), rows=listed
                )
        return len(listed)

    def set_aside(
        self, frame: pl.DataFrame, where: pl.Series, bucket: Bucket, reason: str, *, warn: bool = False
    ) -> pl.DataFrame:
        """Return the rows that a mask does not pick; the others are counted as :meth:`remove` does."""
        where = where.fill_null(False)
        number = "row" if "row" in frame.columns else "source_row"
        self.remove(bucket, reason, frame[number].filter(where), warn=warn)
        return frame.filter(~where) if where.any() else frame

    def accounting(self, used: int, rows_in: int) -> Accounting:
        """Close the account.

        Raises
        ------
        DataError
            If it does not add up.
        """
        sums = {bucket: counts.total() for bucket, counts in self._removed.items()}
        reasons: Counter[str] = sum(self._removed.values(), Counter())
        return Accounting(
            rows_in,
            used,
            **sums,
            reasons=MappingProxyType(dict(reasons)),
            missing=MappingProxyType({name: MappingProxyType(dict(c)) for name, c in self._missing.items()}),
        )


@dataclass(frozen=True, slots=True, eq=False)
class TextColumn:
    """A column of a file, with what it takes to say where something in it is wrong.

    Parameters
    ----------
    cells : polars.Series
        Its cells.
    rows : polars.Series
        Their row numbers.
    header : str
        As printed.
    log : ReadLog
        Takes guesses, cautions and counts.
    """

    cells: pl.Series
    rows: pl.Series
    header: str
    log: ReadLog

    def with_cells(self, cells: pl.Series) -> TextColumn:
        """The same with other cells."""
        return replace(self, cells=cells)

    def without(self, pattern: str, code: str, text: str) -> tuple[TextColumn, pl.Series]:
        """The same with null where a cell has a pattern, and which cells those are; they are counted as by `count`."""
        found = self.cells.str.contains(pattern).fill_null(False)
        self.count(code, text, found)
        return self.with_cells(self.cells.set(found, None)), found

    def said(self) -> TextColumn:
        """The same with null where a cell says in a known way that it holds nothing, which is counted by spelling."""
        text = self.cells.fill_null("").str.strip_chars()
        nothing = text.str.to_lowercase().is_in(sorted(load_registry().missing))
        spelled = text.filter(nothing).value_counts(sort=True)
        self.log.count_missing(self.header, dict(spelled.iter_rows()))
        return self.with_cells(text.set(nothing, None))

    def shape(self, where: pl.Series) -> str:
        """What the first of the cells that a mask picks looks like."""
        return first_shape(self.cells, where)

    def at(self, where: pl.Series) -> str:
        """The first rows that a mask picks, and how many more there are."""
        return places(_first(self.rows.filter(where).head(_SHOWN)), int(where.sum()))

    def guess(self, what: str, value: object, reason: str, override: str) -> None:
        """Note a guess about the column."""
        self.log.guess(f"{what} of {self.header!r}", value, reason, override)

    def count(self, code: str, text: str, where: pl.Series) -> int:
        """Note a caution about the cells that a mask picks, as :meth:`ReadLog.count` does."""
        return self.log.count(code, f"column {self.header!r}: {text}", where, self.rows, cells=self.cells)

    def refusal(self, wrong: str, *, got: str, fix: str, allowed: str = "") -> DataError:
        """An error about the column."""
        named = f"{self.log.name}, column {self.header!r} {wrong}"
        return DataError(named, got=got, allowed=allowed, fix=fix)

    def reject(self, what: str, where: pl.Series, *, code: str, fix: str, allowed: str = "") -> None:
        """Count cells that cannot be used.

        Raises
        ------
        DataError
            If they are more than 5 %.
        """
        count = int(where.sum())
        if not count:
            return
        rows = self.rows.filter(where)
        text = (
            f'{self.log.name} row {rows[0]}, column "{self.header}": {self.shape(where)} is {what}. '
            f"Rows with this problem: {count:,}"
        )
        if count > _TOLERATED * len(self.cells):
            raise DataError(
                text,
                got=f"{Count(count, of=len(self.cells)):row} ({self.at(where)})",
                allowed=allowed or f"at most {_TOLERATED:.0%} of the rows, which are then rejected",
                fix=fix,
            )
        self.log.caution(code, f"{text}; they are rejected", count=count, rows=rows)
