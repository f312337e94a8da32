"""The cells of the calibration: simulated worlds, and the bars that each is held to."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from erresearch.errors import DataError
from erresearch.io.files import resource
from erresearch.worlds import Design

__all__ = ["BARS", "Cell", "cells"]

#: What a count is held to: the bar, and whether it is a floor or a ceiling.
BARS: Final[Mapping[str, tuple[float, Literal["at most", "at least"]]]] = {
    "false supported": (0.025, "at most"),
    "false nil": (0.025, "at most"),
    "nil recognised": (0.80, "at least"),
    "right": (0.80, "at least"),
    "coverage": (0.93, "at least"),
    "no wider than needed": (0.97, "at most"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One world with one design.

    Parameters
    ----------
    name, world, claim : str
        Name of the cell, simulated world, claim that is judged.
    accounts, weeks : int or None
        Size; None leaves the world's own.
    draws : int
        Simulated tables.
    level : float
        Level of the verdict's interval.
    design : Design or None
        Factors that differ from the world's own.
    counts : tuple of str
        Which of :data:`BARS` the cell is held to.
    """

    name: str
    world: str
    claim: str
    accounts: int | None
    weeks: int | None
    draws: int
    level: float
    design: Design | None
    counts: tuple[str, ...]


def cells(path: str | Path | None = None) -> dict[str, Cell]:
    """Read the cells of the calibration.

    Parameters
    ----------
    path : path, optional
        A file of the layout of ``calibration.toml``; the package's own by default.

    Returns
    -------
    dict of str to Cell

    Raises
    ------
    DataError
        If an entry lacks a name or world, or counts something that has no bar.

    Examples
    --------
    >>> cells()["nil"].draws
    2000
    """
    where = Path(path) if path is not None else resource("data") / "calibration.toml"
    table = tomllib.loads(where.read_text(encoding="utf-8"))
    base, found = table.get("base", {}), {}
    for entry in table.get("cell", []):
        made = {**base, **entry}
        absent = [key for key in ("name", "world", "claim", "draws", "level") if key not in made]
        unknown = [name for name in made.get("counts", ()) if name not in BARS]
        if absent or unknown or made["name"] in found:
            raise DataError(
                f"cell {entry.get('name', '?')!r} cannot be run",
                got=f"lacks {', '.join(absent)}"
                if absent
                else f"unknown count {unknown}"
                if unknown
                else "named twice",
                allowed=f"name, world, claim, draws, level; counts from {', '.join(BARS)}",
            )
        panel = made["claim"] == "C01"
        found[made["name"]] = Cell(
            made["name"],
            made["world"],
            made["claim"],
            made.get("accounts") if panel else None,
            made.get("weeks") if panel else None,
            int(made["draws"]),
            float(made["level"]),
            Design(**made["design"]) if "design" in made else None,
            tuple(made.get("counts", ())),
        )
    return found
