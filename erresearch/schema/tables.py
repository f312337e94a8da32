"""The canonical tables, each declared once: column, unit, kind of value, rule."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from erresearch.errors import missing_columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OUTCOMES", "PEOPLE", "POSTS", "SURVEY", "Column", "Rule", "Table"]

Kind = Literal["text", "number", "time", "flag"]


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
    """

    name: str
    unit: str
    dtype: Kind
    rule: Rule = ANY
    required: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Table:
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

    def __getitem__(self, name: str) -> Column:
        """The column `name`."""
        for column in self.columns:
            if column.name == name:
                return column
        raise missing_columns([name], self.names, where=f"the {self.name} table")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in their order."""
        return tuple(column.name for column in self.columns)

    def only(self, numbers: Iterable[str] = (), *, others: Iterable[str] = ()) -> Table:
        """Return the part of the declaration that one job needs, all of it required.

        Parameters
        ----------
        numbers : iterable of str
            Columns needed; one that is not declared is taken as a count (0 or more).
        others : iterable of str
            Columns needed for grouping or time, of any kind where not declared.

        Returns
        -------
        Table
            Without key and without pairs.
        """
        declared = {column.name: column for column in self.columns}
        counts = [declared.get(name, Column(name, "", "number", COUNT)) for name in dict.fromkeys(numbers)]
        rest = [declared.get(name, Column(name, "", "text")) for name in dict.fromkeys(others)]
        return Table(self.name, tuple(replace(column, required=True) for column in (*counts, *rest)))

    def to_frame(self) -> pd.DataFrame:
        """The data dictionary: one row per column (a pandas DataFrame)."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "column": column.name,
                    "unit": column.unit,
                    "kind": column.dtype,
                    "allowed": column.rule.text,
                    "required": column.required,
                    "about": column.about,
                }
                for column in self.columns
            ]
        ).set_index("column")


POSTS = Table(
    "posts",
    (
        Column("platform", "name", "text", required=True, about="network the post is on"),
        Column("account", "name", "text", required=True, about="who published it"),
        Column("post_id", "name", "text", required=True, about="the platform's own id, kept as text"),
        Column("published_at", "moment", "time", required=True, about="when it went out"),
        Column("post_type", "name", "text", about="format: reel, video, image, link …"),
        Column("is_paid", "yes/no", "flag", FLAG, about="whether reach was bought"),
        Column("followers", "people", "number", EXPOSURE, about="followers of the account at that time"),
        Column("reach", "people", "number", EXPOSURE, about="different people who saw it"),
        Column("impressions", "displays", "number", EXPOSURE, about="times it was shown"),
        Column(
            "views", "displays", "number", EXPOSURE, about="plays or views, people counted more than once"
        ),
        Column("likes", "actions", "number", COUNT),
        Column("comments", "actions", "number", COUNT),
        Column("shares", "actions", "number", COUNT, about="reposts and retweets too"),
        Column("saves", "actions", "number", COUNT, about="bookmarks too"),
        Column("clicks", "actions", "number", COUNT, about="clicks on its link"),
    ),
    key=("platform", "account", "post_id"),
    at_most=(("reach", "impressions"), ("likes", "impressions"), ("likes", "views")),
)
OUTCOMES = Table(
    "outcomes",
    (
        Column("date", "day", "time", required=True),
        Column("entity", "name", "text", required=True, about="shop or brand whose outcome it is"),
        Column("outcome", "name", "text", required=True, about="revenue, orders, conversions …"),
        Column("value", "currency or count", "number", required=True, about="refunds may be negative"),
        Column("currency", "ISO 4217", "text", about="empty for counts"),
    ),
    key=("date", "entity", "outcome", "currency"),
)
PEOPLE = Table(
    "people",
    (
        Column("person", "hashed id", "text", required=True),
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
SURVEY = Table(
    "survey",
    (
        Column("respondent", "hashed id", "text", required=True),
        Column("date", "day", "time", about="day of the answer"),
        Column("entity", "name", "text", about="shop, brand or employer asked about"),
        Column("score", "points", "number", SCORE, about="how likely to recommend, 0 to 10"),
        Column("promise", "yes/no", "flag", FLAG, about="knows what the brand promises"),
        Column("knowledge", "yes/no", "flag", FLAG, about="knows from experience what it delivers"),
        Column("trust", "yes/no", "flag", FLAG, about="trusts the brand to keep its promise"),
    ),
    key=("entity", "respondent", "date"),
)
