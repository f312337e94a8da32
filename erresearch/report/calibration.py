"""The stored calibration: how often a verdict was right on simulated tables with a known answer.

``python tools/calibration.py`` made the table; it is read here.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from erresearch.errors import DataError, check_name
from erresearch.io import pd
from erresearch.io.files import registry, resource
from erresearch.report.figures.challenges import CalibrationCell

__all__ = ["BARS", "CellOutcome", "held_to", "kept", "promises", "stored", "table"]

_PROMISES: Final = registry("calibration.toml")["promise"]
#: What a count is held to: the bar, and whether it is a floor or a ceiling.
BARS: Final[Mapping[str, tuple[float, Literal["at most", "at least"]]]] = MappingProxyType(
    {name: (one["bar"], one["side"]) for name, one in _PROMISES.items()}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutcome:
    """What came out of a cell: shares of the draws, unless said otherwise.

    Parameters
    ----------
    cell : str
        Its name.
    draws : int
        Draws that gave a verdict.
    supported, contradicted, nil, inconclusive, association : float
        Shares of the words.
    right, wrong : float
        Shares of right words, and of wrong decisive words, by the world's truth.
    coverage : float
        Share of intervals that hold the planted value; nan where none was planted on this scale.
    suffice : float
        Share of draws whose data suffice (nil could be declared with 80 % power).
    nil_where_suffices : float
        Share of *practically nil* among these.
    mean, spread, mean_se : float
        Mean and standard deviation of the estimates, mean of their standard errors.
    clusters : float
        Mean number of accounts that inference rests on.
    seconds : float
        Time taken.
    """

    cell: str
    draws: int
    supported: float
    contradicted: float
    nil: float
    inconclusive: float
    association: float
    right: float
    wrong: float
    coverage: float
    suffice: float
    nil_where_suffices: float
    mean: float
    spread: float
    mean_se: float
    clusters: float
    seconds: float = field(default=math.nan, compare=False)

    def count(self, name: str) -> float:
        """Value of one of :data:`BARS`."""
        return float(getattr(self, _PROMISES[name]["of"]))

    def missed(self, counts: Sequence[str]) -> tuple[str, ...]:
        """Of these bars, those that are missed by more than 3.5 Monte-Carlo standard errors.

        Examples
        --------
        >>> stored()["effect"].missed(["right", "coverage"])
        ()
        """
        found = []
        for name in counts:
            bar, kind = BARS[name]
            slack = 3.5 * math.sqrt(bar * (1 - bar) / max(self.draws, 1))
            value = self.count(name)
            if math.isnan(value):
                continue
            if (value > bar + slack) if kind == "at most" else (value < bar - slack):
                found.append(name)
        return tuple(found)


def held_to() -> dict[str, tuple[str, ...]]:
    """Which of :data:`BARS` each declared cell is held to.

    Examples
    --------
    >>> held_to()["nil, 5 accounts"]
    ('wrong word', 'false supported', 'coverage')
    """
    return {cell["name"]: tuple(cell.get("counts", ())) for cell in registry("calibration.toml")["cell"]}


def stored(path: str | Path | None = None) -> dict[str, CellOutcome]:
    """Read a table of outcomes; the package's own by default.

    Raises
    ------
    DataError
        If the table has other columns.

    See Also
    --------
    table : With the bars, as a table.

    Examples
    --------
    >>> stored()["effect"].right > 0.8
    True
    """
    where = Path(path) if path is not None else resource("data") / "calibration.csv"
    names = [f.name for f in fields(CellOutcome)]
    rows = list(csv.DictReader(io.StringIO(where.read_text(encoding="utf-8"))))
    if rows and list(rows[0]) != names:
        raise DataError(
            f"{where.name} is not a table of outcomes", got=", ".join(rows[0]), allowed=", ".join(names)
        )
    kinds: dict[str, Callable[[str], Any]] = {"cell": str, "draws": int}
    return {row["cell"]: CellOutcome(**{n: kinds.get(n, float)(row[n]) for n in names}) for row in rows}


def kept(promise: str) -> tuple[CalibrationCell, ...]:
    """Return how every stored cell that is held to a promise kept it.

    Parameters
    ----------
    promise : str
        One of :data:`BARS`.

    Returns
    -------
    tuple of CalibrationCell

    Raises
    ------
    UnknownNameError
        If there is no such promise.

    See Also
    --------
    promises : For every promise.

    Examples
    --------
    >>> kept("right")[0].bar
    0.8
    """
    check_name("promise", promise, BARS)
    known = held_to()
    return tuple(
        CalibrationCell(name, outcome.count(promise), outcome.draws, *BARS[promise])
        for name, outcome in stored().items()
        if promise in known[name]
    )


def promises() -> dict[str, tuple[CalibrationCell, ...]]:
    """Return :func:`kept` for every promise, as the report shows it.

    See Also
    --------
    kept : For one promise.

    Examples
    --------
    >>> list(promises())  # doctest: +ELLIPSIS
    ['false supported', 'false nil', 'nil recognised', 'right', 'wrong word', ...]
    """
    return {promise: kept(promise) for promise in BARS}


def table() -> pd.DataFrame:
    """Return the stored calibration with its bars: one row per cell, what it is held to and what was missed.

    See Also
    --------
    stored : One value per cell.

    Examples
    --------
    >>> list(table().columns[-2:])
    ['held to', 'missed']
    """
    known = held_to()
    rows = [
        asdict(outcome)
        | {"held to": ", ".join(known[name]), "missed": ", ".join(outcome.missed(known[name]))}
        for name, outcome in stored().items()
    ]
    return pd.DataFrame(rows).set_index("cell")
