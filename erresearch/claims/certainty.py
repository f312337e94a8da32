"""From a design and what is open to a level of certainty, by a table of points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from erresearch.errors import DataError, UnknownNameError
from erresearch.io.files import registry
from erresearch.results.verdicts import LEVELS, Certainty

#: The one design that may start above the ceiling, and what lifts others over it.
_RANDOMISED, _AGREE = "randomised", "independent-designs-agree"


@dataclass(frozen=True, slots=True)
class Points:
    """The table of points.

    Parameters
    ----------
    start, change : mapping of str to (int, str)
        Points and text of each design, and of what is open.
    ceiling, agreeing : int
        Most points of one observational data set, alone and where independent designs agree.
    """

    start: Mapping[str, tuple[int, str]]
    change: Mapping[str, tuple[int, str]]
    ceiling: int
    agreeing: int


@cache
def read_points() -> Points:
    """Read ``certainty.toml``.

    Raises
    ------
    DataError
        If the table has other levels, or an entry without points and text.

    Examples
    --------
    >>> read_points().start["ordered"][0]
    2
    """
    return _points(registry("certainty.toml"))


def _points(table: Mapping[str, Any]) -> Points:
    if tuple(table.get("levels", ())) != LEVELS:
        raise DataError(
            "certainty.toml has other levels", got=repr(table.get("levels")), allowed=", ".join(LEVELS)
        )
    parts = {}
    for part in ("start", "change"):
        wrong = [name for name, entry in table.get(part, {}).items() if set(entry) != {"points", "text"}]
        if wrong:
            raise DataError(
                f"the entry {wrong[0]!r} of certainty.toml is not whole", allowed="points and text"
            )
        found = {name: (int(entry["points"]), str(entry["text"])) for name, entry in table[part].items()}
        parts[part] = MappingProxyType(found)
    return Points(parts["start"], parts["change"], int(table["ceiling"]), int(table["agreeing"]))


def grade(design: str, open_points: Iterable[str] = (), *, points: Points | None = None) -> Certainty:
    """Sum the points of a design and of what is open, and clip.

    Randomised designs start high, designs ordered in time low, cross-sections very low. One observational data set never
    goes above low; where independent designs agree it may reach moderate.

    Parameters
    ----------
    design : str
        "randomised", "ordered" or "cross-section".
    open_points : iterable of str
        Names of what raises or lowers it; each counts once, in the table's order.
    points : Points, optional
        Another table than the package's own.

    Returns
    -------
    Certainty

    Raises
    ------
    UnknownNameError
        If a design or a name is not in the table.

    References
    ----------
    Guyatt et al. (2008), as for :class:`erresearch.results.verdicts.Certainty`.

    Examples
    --------
    >>> print(grade("ordered", ["events-not-declared"]))
    certainty very low: ordered in time, not randomised; promotions not declared
    """
    table = points or read_points()
    if design not in table.start:
        raise UnknownNameError.of("design", design, table.start)
    asked = set(open_points)
    unknown = sorted(asked - set(table.change))
    if unknown:
        raise UnknownNameError.of("point of certainty", unknown[0], table.change)
    named = [name for name in table.change if name in asked]
    total = table.start[design][0] + sum(table.change[name][0] for name in named)
    most = len(LEVELS) if design == _RANDOMISED else table.agreeing if _AGREE in asked else table.ceiling
    reasons = (table.start[design][1], *(table.change[name][1] for name in named))
    return Certainty(LEVELS[max(1, min(total, most)) - 1], total, (design, *named), reasons)
