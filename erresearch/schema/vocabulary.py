"""What every room shares, each declared once: reactions, periods, words of verdicts, status of a row, and columns."""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from erresearch.errors import missing_columns
from erresearch.io.files import registry

#: What people do with a post, of those that every platform counts in one way or another.
REACTIONS: Final = ("likes", "comments", "shares", "saves")
#: The same, of those that came within 24 hours of the post: they could not follow a later purchase.
EARLY: Final = tuple(f"{name}_24h" for name in REACTIONS)
#: How often a post was seen.
EXPOSURES: Final = ("reach", "impressions", "views")
#: Whom a rate may divide by: those who could see a post, and those who did.
AUDIENCES: Final = ("followers", *EXPOSURES)
#: Other names under which a table of one's own may have its column of accounts, and that of its periods.
SHOP_NAMES: Final = ("shop", "store", "brand")
TIME_NAMES: Final = ("date", "day", "month")
#: What the names of columns of declared events begin with.
EVENT: Final = "event: "
#: Columns that tell periods by their name, whatever they hold.
PERIOD_NAMES: Final = (*TIME_NAMES, "week", "period", "quarter", "year")

Freq = Literal["D", "W", "M"]
AnyFreq = Freq | Literal["auto"]
Every = Literal["day", "week", "month", "quarter", "year"]
EVERY: Final[tuple[Every, ...]] = get_args(Every)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The length of a panel's periods, and how it is spoken of.

    Parameters
    ----------
    one : {"day", "week", "month"}
        The length.
    days : int
        The fewest days of a period.
    per_year : int
        Periods of a year.

    Examples
    --------
    >>> PERIODS["M"].one, PERIODS["M"].many
    ('month', 'months')
    """

    one: Every
    days: int
    per_year: int

    @property
    def many(self) -> str:
        """The plural."""
        return f"{self.one}s"


#: Every length of a panel's periods.
PERIODS: Final[Mapping[Freq, Period]] = MappingProxyType(
    {
        "D": Period(one="day", days=1, per_year=365),
        "W": Period(one="week", days=7, per_year=52),
        "M": Period(one="month", days=28, per_year=12),
    }
)
FREQS: Final[tuple[Freq, ...]] = tuple(PERIODS)
#: Days from a Monday.
_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAYS: Final[Mapping[str, int]] = MappingProxyType({name: day for day, name in enumerate(_NAMES)})

Word = Literal[
    "supported", "contradicted", "practically nil", "inconclusive", "association only", "not judged"
]
#: The words of a verdict.
WORDS: Final[tuple[Word, ...]] = get_args(Word)
#: The words that settle a claim on one data set.
DECISIVE: Final[tuple[Word, ...]] = WORDS[:3]


class RowStatus(enum.IntEnum):
    """What became of a post before it was summed; a number, because every engine groups by numbers.

    Examples
    --------
    >>> RowStatus.YOUNG
    <RowStatus.YOUNG: 2>
    """

    USED = 0
    UNTIMED = 1
    YOUNG = 2
    BOOSTED = 3
    MERGED = 4


Kind = Literal["text", "number", "time", "flag"]
#: How a cell of a file is read: an id keeps its zeros, money has a currency, a share may be in per cent.
Cell = Literal[
    "id", "text", "personal", "time", "window", "range", "index", "count", "number", "money", "share", "seconds",
    "flag", "score",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """Which values a column may hold.

    Parameters
    ----------
    text : str
        The rule in words, as printed in errors.
    low, high : float
        Smallest and largest value allowed.
    divides : bool
        Whether rates divide by this column, so that a 0 is worth a word.
    """

    text: str
    low: float = -math.inf
    high: float = math.inf
    divides: bool = False


ANY = Rule("any value")
COUNT = Rule("0 or more", low=0)
EXPOSURE = Rule("0 or more, positive where it divides", low=0, divides=True)
SCORE = Rule("from 0 to 10", low=0, high=10)
FLAG = Rule("true or false (or 1 and 0)", low=0, high=1)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a canonical table.

    Parameters
    ----------
    name : str
        Its name.
    unit : str
        What one step of it is.
    dtype : {"text", "number", "time", "flag"}
        Kind of value.
    rule : Rule
        Which values are allowed.
    required : bool
        Whether the table is refused without it.
    about : str
        One line for the data dictionary.
    cell : Cell or None
        How it is read from a file; None where a reader makes it.
    people : bool
        Whether it counts people, so that it must not be added up over posts or days.
    stock : bool
        Whether it is a level at a moment; otherwise it is counted over a time.
    """

    name: str
    unit: str
    dtype: Kind
    rule: Rule = ANY
    _: KW_ONLY
    required: bool = False
    about: str = ""
    cell: Cell | None = None
    people: bool = False
    stock: bool = False

    @property
    def numeric(self) -> bool:
        """Whether its cells are read as numbers that may be worked with."""
        return self.cell in ("count", "number", "money", "share", "seconds")


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A canonical table: its columns, its key, and which column cannot exceed which.

    Parameters
    ----------
    name : str
        Name used in messages.
    columns : tuple of Column
        The declaration. Other columns may be there and are not looked at.
    key : tuple of str
        Columns that together name a row; no two rows may share them.
    at_most : tuple of (str, str)
        Pairs (small, large) where small > large is counted as odd.
    also : tuple of Column
        Further columns, looked at where they are there and not missed where they are not.

    Examples
    --------
    >>> from erresearch.schema import POSTS
    >>> POSTS["reach"].unit
    'people'
    >>> [column.name for column in POSTS.columns if column.required]
    ['platform', 'account', 'post_id', 'published_at']
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    at_most: tuple[tuple[str, str], ...] = ()
    also: tuple[Column, ...] = ()

    def __getitem__(self, name: str) -> Column:
        """The column `name`."""
        for column in self.declared:
            if column.name == name:
                return column
        raise missing_columns([name], self.names, where=f"the {self.name} table")

    @property
    def declared(self) -> tuple[Column, ...]:
        """Every column of which something is said."""
        return (*self.columns, *self.also)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be there."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the declared columns that are no figures: who, what, when."""
        return tuple(column.name for column in self.declared if column.dtype != "number")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in their order."""
        return tuple(column.name for column in self.columns)

    def only(self, numbers: Iterable[str] = (), *, others: Iterable[str] = ()) -> TableSchema:
        """Return the part of the declaration that one job needs, all of it required.

        Parameters
        ----------
        numbers : iterable of str
            Columns needed; one that is not declared is taken as a count (0 or more).
        others : iterable of str
            Columns needed for grouping or time, of any kind where not declared.

        Returns
        -------
        TableSchema
            Without key and without pairs.
        """
        declared = {column.name: column for column in self.declared}
        counts = [declared.get(name, Column(name, "", "number", COUNT)) for name in dict.fromkeys(numbers)]
        rest = [declared.get(name, Column(name, "", "text")) for name in dict.fromkeys(others)]
        return TableSchema(self.name, tuple(replace(column, required=True) for column in (*counts, *rest)))


_DTYPES: Final[Mapping[str | None, Kind]] = {
    **dict.fromkeys(("id", "text", "personal"), "text"), "time": "time", "window": "time", "flag": "flag",
}  # fmt: skip
_RULES: Final = {"any": ANY, "count": COUNT, "exposure": EXPOSURE, "score": SCORE, "flag": FLAG}
#: What one step of a column is where it does not say so itself, by its type or by how its cells are read.
_UNITS: Final[Mapping[str, str]] = {
    "text": "name", "time": "moment", "flag": "yes/no",
    "money": "currency", "seconds": "seconds", "share": "share", "number": "number", "count": "actions",
}  # fmt: skip


def column_of(name: str, entry: Mapping[str, Any]) -> Column:
    """One entry of ``columns.toml``; a flag is true or false, and a count 0 or more.

    Examples
    --------
    >>> column_of("likes", {"cell": "count"}).unit, column_of("title", {"cell": "personal"}).dtype
    ('actions', 'text')
    """
    cell = entry.get("cell")
    dtype = entry.get("dtype", _DTYPES.get(cell, "number"))
    of = str(cell if dtype == "number" else dtype)
    counts_people = entry.get("people") or entry.get("stock")
    usual = {"unit": "people" if counts_people else _UNITS.get(of, ""), "dtype": dtype}
    rule = entry.get("rule", {"flag": "flag", "count": "count", "seconds": "count"}.get(of, "any"))
    return Column(**{"name": name, **usual, **entry, "rule": _RULES[rule]})


def _read_tables() -> dict[str, TableSchema]:
    """The tables of ``columns.toml``, in which a group of columns stands under its name."""
    read = registry("columns.toml")
    groups = {**read["group"], "figures": [*read["figure"]]}
    columns = {name: column_of(name, entry) for name, entry in {**read["column"], **read["figure"]}.items()}

    def named(names: Iterable[str], *, required: bool = False) -> tuple[Column, ...]:
        single = itertools.chain.from_iterable(groups.get(name, [name]) for name in names)
        return tuple(replace(columns[name], required=required) for name in single)

    return {
        name: TableSchema(
            name,
            (*named(table["required"], required=True), *named(table["columns"])),
            key=tuple(table.get("key", ())),
            at_most=tuple(map(tuple, table.get("at_most", ()))),
            also=named(table["also"]),
        )
        for name, table in read["table"].items()
    }


#: The table of each kind of export; ``columns.toml`` declares them.
TABLES: Final[Mapping[str, TableSchema]] = MappingProxyType(_read_tables())
POSTS: Final = TABLES["posts"]
DAILY: Final = TABLES["daily"]
FOLLOWERS: Final = TABLES["followers"]
OUTCOMES: Final = TABLES["outcomes"]
SURVEY: Final = TABLES["survey"]
ADS: Final = TABLES["ads"]
#: Every canonical column of an export: the data dictionary.
COLUMNS: Final[Mapping[str, Column]] = MappingProxyType(
    {column.name: replace(column, required=False) for table in TABLES.values() for column in table.declared}
)
