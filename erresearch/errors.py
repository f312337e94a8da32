"""What can go wrong, and how to mend it.

Every message has four parts in this order: what was wrong, what arrived, what is allowed, what to do.
One root class lets a caller catch everything of this package; the kinds say whose move it is.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

__all__ = [
    "ColumnError",
    "DataError",
    "DesignError",
    "EngineError",
    "ErresearchError",
    "ErresearchWarning",
    "GuardError",
    "UnknownNameError",
]


#: Known names above which a message shows the nearest alone.
_MANY = 100
#: What an engine quotes may be a cell, with quotes of its own: all from the first to the last goes, and what follows one
#: that is not closed; characters of what is told, and of what is looked at.
_QUOTED = re.compile(r"\[.*\]|`.*`|\".*\"|(?<!\w)'.*'(?!\w)")
_OPEN = re.compile(r"[`\"\[]|(?<!\w)'")
_SAID = 200
_LOOKED_AT = 5_000
#: Verbs that may stand behind a counted noun, and what they are behind more than one.
_VERBS = {"is": "are", "was": "were", "has": "have"}
_VERBS |= {
    f"{verb}s": verb
    for verb in (
        *("agree", "belong", "carry", "differ", "equal", "exceed", "fall", "find", "follow", "hold", "lack"),
        *("lie", "make", "repeat", "say", "stand", "wait"),
    )
}
#: Where a warning is not said to come from.
_OWN = (f"{Path(__file__).parent}{os.sep}", contextlib.__file__)
#: Who gathers the package's own warnings.
_GATHERED: ContextVar[list[str] | None] = ContextVar("gathered warnings", default=None)
_SPELLED = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Count:
    """A number that is written with what it counts, in the singular or the plural.

    Parameters
    ----------
    number : float
        How many.
    of : float, optional
        Of how many; the noun goes with these, a verb behind it with `number`.
    spelled : bool, default False
        Write numbers below ten in words.

    Examples
    --------
    >>> f"{Count(1):row is} empty, {Count(1200):row is} empty, {Count(1, of=3):own entity lacks} a name"
    '1 row is empty, 1,200 rows are empty, 1 of 3 own entities lacks a name'
    >>> f"{Count(0, spelled=True):data set}, {Count(2, spelled=True):analysis waits}"
    'no data sets, two analyses wait'
    """

    __slots__ = ("number", "of", "spelled")

    def __init__(self, number: Any, *, of: Any = None, spelled: bool = False) -> None:
        self.number, self.of, self.spelled = number, of, spelled

    def __format__(self, what: str) -> str:
        *words, last = what.split(" ")
        if verb := last if last in _VERBS and words else "":
            *words, last = words
            verb = f" {verb if self.number == 1 else _VERBS[verb]}"
        if (self.number if self.of is None else self.of) != 1 and last:
            last = re.sub("(?<=[^aeo])y$", "ie", re.sub("is$", "e", last)) + "s"
        told = _SPELLED[self.number] if self.spelled and self.number < len(_SPELLED) else f"{self.number:,}"
        told += "" if self.of is None else f" of {self.of:,}"
        return " ".join([told, *words, last]).rstrip() + verb


class ErresearchError(ValueError):
    """Root of every error this package raises on purpose.

    Parameters
    ----------
    wrong : str
        What was wrong, one sentence without a final stop.
    got : str, optional
        What arrived.
    allowed : str, optional
        What is allowed.
    fix : str, optional
        What to do about it.
    code : str, optional
        Short stable name of what was wrong, for callers that go on in another way; they never read the message.

    Attributes
    ----------
    wrong, got, allowed, fix, code : str
        The parts of the message, for callers that lay it out themselves, and its code.

    See Also
    --------
    ErresearchWarning : What is odd and goes on.

    Examples
    --------
    >>> print(ErresearchError("`reach` must be positive where it divides", got="3 of 412 rows are 0",
    ...                       fix="drop them or use denominator='followers'"))
    `reach` must be positive where it divides: 3 of 412 rows are 0. Drop them or use denominator='followers'.
    """

    def __init__(
        self, wrong: str, *, got: str = "", allowed: str = "", fix: str = "", code: str = ""
    ) -> None:
        self.wrong, self.got, self.allowed, self.fix, self.code = wrong, got, allowed, fix, code
        wrong, got, allowed = (
            _cut(part, most) for part, most in ((wrong, 400), (got, 400), (allowed, 1_000))
        )
        head = f"{wrong}: {got}" if got else wrong
        tail = [f"Allowed: {allowed}" if allowed else "", fix[:1].upper() + fix[1:]]
        super().__init__(" ".join(part if part[-1] == "?" else f"{part}." for part in (head, *tail) if part))

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the parts, so that errors cross process borders whole."""
        parts = {"got": self.got, "allowed": self.allowed, "fix": self.fix, "code": self.code}
        return partial(type(self), **parts), (self.wrong,)


def _cut(part: str, most: int) -> str:
    """Return a part with its middle left out where names of a caller make it long; what to do is never cut."""
    return part if len(part) <= most else f"{part[: most - 100]} … {part[-90:]}"


class DataError(ErresearchError):
    """The rows hold something that the request cannot use (wrong sign, no rows, text among numbers)."""


class ColumnError(ErresearchError):
    """A column is missing, misnamed, named twice or of the wrong type."""


class DesignError(ErresearchError):
    """The model cannot be identified from these rows (collinear, too few rows or accounts)."""


class GuardError(ErresearchError):
    """The request would produce a misleading number, so it is refused by name."""


class UnknownNameError(ErresearchError):
    """A name that is in no registry (world, claim, data set, band, method)."""

    @classmethod
    def of(cls, kind: str, name: object, known: Iterable[str], *, listed: str = "") -> UnknownNameError:
        """Build the error with the nearest known name as a suggestion; of many names the nearest alone are shown.

        Parameters
        ----------
        kind : str
            What the name is of.
        name : object
            What arrived.
        known : iterable of str
            The names that there are.
        listed : str
            Where all of them stand, for the message where none comes near.

        Examples
        --------
        >>> print(UnknownNameError.of("world", "efect", ["nil", "effect"]))
        There is no world 'efect'. Allowed: effect, nil. Did you mean 'effect'?
        """
        names = sorted(known)
        near = difflib.get_close_matches(str(name), names, n=1)
        fix = f"Did you mean {near[0]!r}?" if near else listed
        shown = ", ".join(names)
        if len(names) > _MANY:
            nearest = difflib.get_close_matches(str(name), names, n=5, cutoff=0.0)
            shown = f"{', '.join(nearest)} and {len(names) - len(nearest)} more"
        return cls(f"There is no {kind} {str(name)!r}", allowed=shown, fix=fix)


def check_name(kind: str, name: object, known: Collection[str]) -> None:
    """Refuse a name that is none of those known, with the nearest (:meth:`UnknownNameError.of`).

    Examples
    --------
    >>> check_name("world", "nil", ["effect", "nil"])
    """
    if not isinstance(name, str) or name not in known:
        raise UnknownNameError.of(kind, name, known)


class EngineError(ErresearchError):
    """An engine, a file or a pass over the rows failed or is not to be had."""


class ErresearchWarning(UserWarning):
    """Something was counted and went on: rows left out, a value that looks odd, a convention to know.

    See Also
    --------
    ErresearchError : What cannot go on.
    """


def warn(text: str) -> None:
    """Say that something was counted and went on: to whoever gathers it, else as a warning at the caller's line.

    Filters of `warnings` belong to the whole process: a thread that changes them changes them for all others. So the
    package leaves them alone, and who gathers is known to the thread and to the work that it hands out.
    """
    gathered = _GATHERED.get()
    if gathered is None:
        warnings.warn(text, ErresearchWarning, stacklevel=_callers())
    else:
        gathered.append(text)


def _callers() -> int:
    """How many frames above :func:`warn` somebody else's code stands: that line is to be named."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN):
        frame, depth = frame.f_back, depth + 1
    return depth


@contextmanager
def own_warnings() -> Iterator[list[str]]:
    """Gather this package's own warnings, each once when the block has ended; nobody else hears them.

    Examples
    --------
    >>> with own_warnings() as said:
    ...     warn("3 rows were left out")
    >>> said
    ['3 rows were left out']
    """
    said: list[str] = []
    token = _GATHERED.set(said)
    try:
        yield said
    finally:
        _GATHERED.reset(token)
        # here and not where each is said, where two threads would both find it new
        said[:] = dict.fromkeys(said)


def said_by(error: BaseException) -> str:
    """What the system, or a library, says was wrong: without the number of the error and the path.

    Examples
    --------
    >>> said_by(FileNotFoundError(2, "No such file or directory", "x.csv")), said_by(OverflowError())
    ('No such file or directory', 'OverflowError')
    """
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


@contextmanager
def raise_as(
    kind: type[ErresearchError],
    wrong: str,
    *,
    of: type[BaseException] | tuple[type[BaseException], ...] = OSError,
    got: Callable[[BaseException], str] = said_by,
    fix: str = "",
) -> Iterator[None]:
    """Turn what the system, or a library, raises in the block into an error of this package; its own pass.

    Examples
    --------
    >>> with raise_as(EngineError, "could not read 'x'", fix="check the path"):
    ...     open("/no such folder/x")
    Traceback (most recent call last):
        ...
    erresearch.errors.EngineError: could not read 'x': No such file or directory. Check the path.
    """
    try:
        yield
    except of as error:
        if isinstance(error, ErresearchError):
            raise
        # a library may quote cells, and a traceback shows the error behind ours too
        shown = error if isinstance(error, OSError) else None
        raise kind(wrong, got=got(error), fix=fix) from shown


def is_number(value: object, low: float, high: float) -> bool:
    """Whether an argument is a number within two bounds; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def printable(text: str) -> str:
    """Text without what would steer a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def first_line(error: BaseException) -> str:
    """What an engine said, without its plan; where it only announces a report, the report's last line too."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    said = f"{lines[0]} {lines[-1]}" if lines[0].endswith(":") and len(lines) > 1 else lines[0]
    return said.rstrip(".")


def without_cells(error: BaseException) -> str:
    r"""What an engine said, without its plan and without any cell: what stands in quotes or brackets is left out.

    Examples
    --------
    >>> without_cells(ValueError("conversion failed in column 'x' for 1 value: [ann@example.org]"))
    'conversion failed in column … for 1 value: …'
    """
    # each quote looks for the last one after it, so that the whole of a very long text would take long
    said = _QUOTED.sub("…", first_line(error)[:_LOOKED_AT])
    return _OPEN.split(said)[0].rstrip(" .")[:_SAID]


def type_name(dtype: object) -> str:
    """How a message calls a type of columns: categories and the keys of cells are part of some, and stay out.

    Examples
    --------
    >>> import narwhals.stable.v2 as nw
    >>> type_name(nw.Int64()), type_name(nw.Enum(["ann@example.org"])), type_name(nw.List(nw.String))
    ('Int64', 'Enum', 'List')
    """
    return str(dtype).partition("(")[0]


def missing_columns(
    wanted: Iterable[str], present: Iterable[str], *, where: str = "the table", fix: str = ""
) -> ColumnError:
    """Say which columns are missing and which present names come nearest.

    Parameters
    ----------
    wanted, present : iterable of str
        The columns asked for and those there.
    where : str
        What was searched, for the message.
    fix : str
        What to do where no present name comes near.

    Returns
    -------
    ColumnError
        To be raised by the caller.

    Examples
    --------
    >>> print(missing_columns(["folowers"], ["followers", "likes"]))
    No column 'folowers' in the table. Allowed: followers, likes. Did you mean 'followers' for 'folowers'?
    """
    present = [str(name) for name in present]
    absent = [str(name) for name in wanted if name not in present]
    small = {name.casefold(): name for name in present}
    hints = [(name, difflib.get_close_matches(name.casefold(), small, n=1)) for name in absent]
    near = [f"{small[found[0]]!r} for {name!r}" for name, found in hints if found]
    capitals = any(found == [name.casefold()] for name, found in hints)
    way = " Capitals count; pandas makes them small: table.rename(columns=str.lower)" if capitals else ""
    shown = ", ".join(present[:30]) + (f" and {len(present) - 30} more" if len(present) > 30 else "")
    plural = "columns" if len(absent) > 1 else "column"
    meant = f"Did you mean {', '.join(near)}?{way}" if near else fix.rstrip("; ")
    return ColumnError(
        f"No {plural} {', '.join(map(repr, absent))} in {where}",
        allowed=shown or "(there is no column)",
        fix=side_by_side(absent, present) or meant,
    )


def side_by_side(absent: Iterable[str], present: Iterable[str]) -> str:
    """Advice for a table with a column for each shop; else nothing.

    Examples
    --------
    >>> side_by_side(["revenue"], ["date", "revenue_a", "revenue_b"])
    "a column for each shop is read once they stand below each other: pandas.wide_to_long(table, ['revenue'], i='date',
    j='account', sep='_', suffix='.+').reset_index()"
    >>> side_by_side(["likes"], ["date", "likes_total"])
    ''
    """
    others, ends = list(present), {}
    for name in absent:
        ends[name] = {other[len(name) :] for other in others if other.startswith(name)}
    stems = [name for name, found in ends.items() if found]
    shops = (
        {end for end in set.intersection(*(ends[name] for name in stems)) if end[0] in " _.-"}
        if stems
        else set()
    )
    rest = [name for name in others if not name.startswith(tuple(stems))]
    if len(shops) < 2 or len({end[0] for end in shops}) > 1 or not rest:
        return ""
    called = next((name for name, found in ends.items() if not found), "account")
    return (
        "a column for each shop is read once they stand below each other: pandas.wide_to_long(table, "
        f"{stems}, i={rest[0]!r}, j={called!r}, sep={min(shops)[0]!r}, suffix='.+').reset_index()"
    )


def not_a_column(value: object) -> ColumnError:
    """Say that columns are asked for by their names.

    Examples
    --------
    >>> print(not_a_column(["likes", "comments"]))
    a column must be a name or a narwhals expression: list. Write its name in quotation marks, one at a time.
    """
    name = getattr(value, "name", None)
    own = f"write {name!r}, its name, in its place" if isinstance(name, str) else ""
    return ColumnError(
        "a column must be a name or a narwhals expression",
        got=type(value).__name__,
        fix=own or "write its name in quotation marks, one at a time",
    )


BESIDE = "a file beside it that is named like it and ends in .toml"
"""Where a mapping stands for whoever has no argument ``mapping=``."""
_ARGUMENT = "mapping="
_PLACE: ContextVar[str] = ContextVar("mapping place", default=_ARGUMENT)
#: How `read_export` is told, and how an audit and the command line are.
_ARGUMENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "dayfirst": ("dayfirst=True or dayfirst=False", 'dates = "DMY" or dates = "MDY" {place}'),
        "decimal": ("decimal='.' or decimal=','", 'decimal = "." or decimal = "," {place}'),
        "tz": ("tz=", "--tz (tz=)"),
        "currency": ("currency=", "--currency (currency=)"),
        "platform": ("platform= with its name", "a file of its own"),
        "encoding": ("encoding=", "the file saved as UTF-8"),
    }
)


@contextmanager
def mapping_in(place: str) -> Iterator[None]:
    """Let messages name another place for the lines of a mapping than the argument ``mapping=``.

    Parameters
    ----------
    place : str
        What the caller of this caller can write to, such as "a file orders.csv.toml beside it".

    Examples
    --------
    >>> with mapping_in("a file beside it"):
    ...     in_mapping()
    'in a file beside it'
    """
    token = _PLACE.set(place)
    try:
        yield
    finally:
        _PLACE.reset(token)


def in_mapping() -> str:
    """Where the lines of a mapping stand, for a message.

    Examples
    --------
    >>> in_mapping()
    'in mapping='
    """
    return f"in {_PLACE.get()}"


def argument(name: str) -> str:
    """How to say what a file does not, for a message: an argument where there is one, else what does its work.

    Parameters
    ----------
    name : {"dayfirst", "decimal", "tz", "currency", "platform", "encoding"}
        An argument of :func:`erresearch.read_export`.

    Examples
    --------
    >>> argument("dayfirst")
    'dayfirst=True or dayfirst=False'
    >>> with mapping_in("a file x.csv.toml beside it"):
    ...     argument("dayfirst"), argument("tz")
    ('dates = "DMY" or dates = "MDY" in a file x.csv.toml beside it', '--tz (tz=)')
    """
    own, otherwise = _ARGUMENTS[name]
    return own if _PLACE.get() == _ARGUMENT else otherwise.format(place=in_mapping())
