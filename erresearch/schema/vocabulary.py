"""What every room shares, each declared once: reactions, periods, words of verdicts, status of a row, and columns."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, get_args

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
    "id", "text", "personal", "time", "count", "number", "money", "share", "seconds", "flag", "score"
]


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


_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {"money": "currency", "seconds": "seconds", "share": "share", "number": "number", "count": "actions"}
)


def _figure(name: str, cell: Cell, about: str, *, people: bool = False, stock: bool = False) -> Column:
    """A figure of a post, a day or a campaign; a count is 0 or more."""
    unit = "people" if people or stock else _UNITS[cell]
    rule = COUNT if cell in ("count", "seconds") else ANY
    return Column(name, unit, "number", rule, about=about, cell=cell, people=people, stock=stock)


_PLATFORM = Column("platform", "name", "text", about="network that it is on")
_ACCOUNT = Column("account", "name", "text", about="handle or page that published it", cell="text")
_POST = Column("post_id", "name", "text", about="the platform's own id, as text", cell="id")
_PUBLISHED = Column("published_at", "moment", "time", about="when it went out", cell="time")
_TYPE = Column(
    "post_type", "name", "text", about="format of the post: reel, video, image, link …", cell="text"
)
_PAID = Column("is_paid", "yes/no", "flag", FLAG, about="whether reach was bought")
_DATE = Column("date", "day", "time", about="the day", cell="time")
_DATE_END = Column("date_end", "day", "time", about="last day of the range", cell="time")
_GRAIN = Column("grain", "name", "text", about="what a row stands for: day, month or a whole range")
_ENTITY = Column("entity", "name", "text", about="shop, brand or employer whose it is", cell="text")
_CURRENCY = Column("currency", "ISO 4217", "text", about="currency of the row; empty for counts", cell="text")
_SEGMENT = Column("segment", "name", "text", about="value of the dimension that the table is by", cell="text")
_ORDER = Column("order_id", "name", "text", about="id of the order, payment or deal", cell="id")
_RESPONDENT = Column("respondent", "hashed id", "text", about="who answered (hashed)", cell="id")
_SCORE = Column("score", "points", "number", SCORE, about="how likely to recommend, 0 to 10", cell="score")
_SPEND = Column("spend", "currency", "number", about="what the advertising cost", cell="money")
_FOLLOWERS = Column(
    "followers", "people", "number", EXPOSURE, about="followers at that moment", cell="count", stock=True
)
_CORE = (
    Column(
        "reach", "people", "number", EXPOSURE, about="different people who saw it", cell="count", people=True
    ),
    Column("impressions", "displays", "number", EXPOSURE, about="times it was shown", cell="count"),
    Column(
        "views", "displays", "number", EXPOSURE, about="plays or views; one person may count more than once",
        cell="count",
    ),
    _figure("likes", "count", "likes; every reaction on Facebook and LinkedIn"),
    _figure("comments", "count", "comments and replies"),
    _figure("shares", "count", "shares, reposts, retweets"),
    _figure("saves", "count", "saves and bookmarks"),
    _figure("clicks", "count", "all clicks"),
)  # fmt: skip
_FURTHER = tuple(_figure(name, **entry) for name, entry in registry("figures.toml").items())
_OF_A_POST = (
    Column("is_crosspost", "yes/no", "flag", FLAG, about="also published on the sister network", cell="flag"),
    Column(
        "collaboration", "yes/no", "flag", FLAG, about="a post of another account in the file of one's own"
    ),
    Column("caption", "text", "text", about="text of the post", cell="personal"),
)
#: Where a row comes from, and how well its time is known.
_PROVENANCE = (
    Column("source_row", "row", "number", COUNT, about="row of the file, as a spreadsheet numbers it"),
    Column(
        "time_source", "name", "text", about="where the time zone comes from: the file, the layout, assumed …"
    ),
    Column(
        "time_precision", "name", "text", about="how exactly the time is printed: second, minute, day, month"
    ),
    Column("exported_at", "moment", "time", about="when the figures were exported"),
    Column("age_days", "days", "number", about="age of the post at the export"),
)


def _must(*columns: Column) -> tuple[Column, ...]:
    return tuple(replace(column, required=True) for column in columns)


#: One row per post.
POSTS: Final = TableSchema(
    "posts",
    (*_must(_PLATFORM, _ACCOUNT, _POST, _PUBLISHED), _TYPE, _PAID, _FOLLOWERS, *_CORE),
    key=("platform", "account", "post_id"),
    at_most=(("reach", "impressions"), ("likes", "impressions"), ("likes", "views")),
    also=(_ENTITY, *_OF_A_POST, *_FURTHER, *_PROVENANCE),
)
#: One row per account (or post) and day.
DAILY: Final = TableSchema(
    "daily",
    (*_must(_DATE, _PLATFORM, _ACCOUNT), _FOLLOWERS, *_CORE),
    key=("platform", "account", "post_id", "date"),
    also=(_POST, _PUBLISHED, _TYPE, _PAID, *_OF_A_POST, *_FURTHER, *_PROVENANCE),
)
#: One row per account and day on which its followers were counted.
FOLLOWERS: Final = TableSchema(
    "followers",
    (*_must(_DATE, _PLATFORM, _ACCOUNT), _FOLLOWERS),
    key=("platform", "account", "date"),
    also=(*_FURTHER, *_PROVENANCE),
)
#: One row per date, entity and outcome with a value; single sales have an order, and a moment of their own.
OUTCOMES: Final = TableSchema(
    "outcomes",
    (
        *_must(
            _DATE,
            _ENTITY,
            Column("outcome", "name", "text", about="revenue, orders, conversions …"),
            Column("value", "currency or count", "number", about="refunds may be negative"),
        ),
        _CURRENCY,
    ),
    key=("date", "entity", "outcome", "currency", "kind", "order_id", "segment", "at"),
    also=(
        Column("kind", "name", "text", about="sale, refund, failed, pending, cancelled or lost"),
        Column("at", "moment", "time", about="when it was sold or given back"),
        _ORDER,
        _SEGMENT,
        _DATE_END,
        _GRAIN,
        *_PROVENANCE,
    ),
)
#: One row per campaign and day or range; rows of one day add up.
ADS: Final = TableSchema(
    "ads",
    (*_must(_DATE, _SPEND), _DATE_END, _GRAIN, _PLATFORM, _ACCOUNT, _CURRENCY),
    also=(_ENTITY, *_CORE, *_FURTHER, *_PROVENANCE),
)
#: One row per person and shop.
PEOPLE: Final = TableSchema(
    "people",
    (
        Column("person", "hashed id", "text", required=True, about="who it is (hashed)"),
        Column("entity", "name", "text", about="shop or brand"),
        Column("engaged", "yes/no", "flag", FLAG, about="commented, liked or shared at least once"),
        Column("interactions", "actions", "number", COUNT, about="actions before the orders counted here"),
        Column("tenure", "days", "number", COUNT, about="days known to the shop"),
        Column("orders_before", "orders", "number", COUNT, about="orders before the window"),
        Column("orders", "orders", "number", COUNT, about="orders within the window"),
        Column("revenue", "currency", "number", about="money within the window"),
        Column("created", "actions", "number", COUNT, about="posts or videos of their own"),
        Column("commented", "actions", "number", COUNT, about="comments, ratings and reviews"),
        Column("collected", "actions", "number", COUNT, about="saves, shares, tags, subscriptions"),
        Column("watched", "actions", "number", COUNT, about="views and reads"),
    ),
    key=("entity", "person"),
)
#: One row per answer.
SURVEY: Final = TableSchema(
    "survey",
    (
        *_must(_RESPONDENT),
        _DATE,
        _ENTITY,
        _SCORE,
        Column("promise", "yes/no", "flag", FLAG, about="knows what the brand promises"),
        Column("knowledge", "yes/no", "flag", FLAG, about="knows from experience what it delivers"),
        Column("trust", "yes/no", "flag", FLAG, about="trusts the brand to keep its promise"),
    ),
    key=("entity", "respondent", "date"),
    also=_PROVENANCE,
)
#: The table of each kind of export.
TABLES: Final[Mapping[str, TableSchema]] = MappingProxyType(
    {table.name: table for table in (POSTS, DAILY, FOLLOWERS, OUTCOMES, SURVEY, ADS)}
)
#: Every canonical column of an export: the data dictionary.
COLUMNS: Final[Mapping[str, Column]] = MappingProxyType(
    {column.name: replace(column, required=False) for table in TABLES.values() for column in table.declared}
)
