"""The words that every room shares, each set of them written once: reactions, periods, verdicts, status of a row."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

__all__ = [
    "AUDIENCES",
    "DECISIVE",
    "EVERY",
    "EXPOSURES",
    "FREQS",
    "PERIODS",
    "REACTIONS",
    "WEEKDAYS",
    "WORDS",
    "Every",
    "Freq",
    "Period",
    "RowStatus",
    "Word",
]

#: What people do with a post, of those that every platform counts in one way or another.
REACTIONS: Final = ("likes", "comments", "shares", "saves")
#: How often a post was seen.
EXPOSURES: Final = ("reach", "impressions", "views")
#: Whom a rate may divide by: those who could see a post, and those who did.
AUDIENCES: Final = ("followers", *EXPOSURES)

Freq = Literal["D", "W", "M"]
Every = Literal["day", "week", "month", "quarter", "year"]
EVERY: Final[tuple[Every, ...]] = ("day", "week", "month", "quarter", "year")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The length of a panel's periods, and how it is spoken of.

    Parameters
    ----------
    one, by : str
        "week" and "weekly".
    every : {"day", "week", "month"}
        The length, as metrics name it.
    days : int
        The fewest days of a period.
    per_year : int
        Periods of a year.

    Examples
    --------
    >>> PERIODS["M"].one, PERIODS["M"].many, PERIODS["M"].by
    ('month', 'months', 'monthly')
    """

    one: str
    by: str
    every: Every
    days: int
    per_year: int

    @property
    def many(self) -> str:
        """The plural."""
        return f"{self.one}s"


#: Every length of a panel's periods.
PERIODS: Final[Mapping[Freq, Period]] = MappingProxyType(
    {
        "D": Period(one="day", by="daily", every="day", days=1, per_year=365),
        "W": Period(one="week", by="weekly", every="week", days=7, per_year=52),
        "M": Period(one="month", by="monthly", every="month", days=28, per_year=12),
    }
)
FREQS: Final[tuple[Freq, ...]] = tuple(PERIODS)
#: Days from a Monday.
WEEKDAYS: Final[Mapping[str, int]] = MappingProxyType(
    {
        name: n
        for n, name in enumerate(
            ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        )
    }
)

Word = Literal[
    "supported", "contradicted", "practically nil", "inconclusive", "association only", "not judged"
]
#: The words of a verdict.
WORDS: Final[tuple[Word, ...]] = (
    "supported",
    "contradicted",
    "practically nil",
    "inconclusive",
    "association only",
    "not judged",
)
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
