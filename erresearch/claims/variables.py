"""A table as a claim sees it: which column plays which role and how it enters, and whether rows were simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.claims.packs import Pack
from erresearch.claims.registry import Claim, Direction
from erresearch.engine.expressions import log
from erresearch.engine.moments import Moments
from erresearch.engine.sources import column_names, says_simulated
from erresearch.errors import ColumnError

__all__ = ["Variables", "cast_roles", "is_simulated", "term", "term_name"]


@dataclass(frozen=True, slots=True, eq=False)
class Variables:
    """Rows with their columns cast in roles.

    Parameters
    ----------
    data : frame, path or Moments
        The rows.
    roles : mapping of str to str
        Column that plays each role.
    options : mapping
        Options of the procedure, with those of the data set.
    level : float
        Level at which estimates are first made.
    direction : {"greater", "less", "absent"}
        What the claim says of the effect.
    """

    data: Any
    roles: Mapping[str, str]
    options: Mapping[str, Any]
    level: float = 0.95
    direction: Direction = "greater"

    def column(self, role: str) -> str:
        """Name of the column that plays `role`."""
        return self.roles[role]


def cast_roles(claim: Claim, data: Any, *, dataset: str, level: float = 0.95) -> Variables:
    """Variables a table's columns in the roles that a claim needs.

    Raises
    ------
    ColumnError
        Naming the roles that no column can play, and the columns that could.
    """
    present = data.columns if isinstance(data, (Moments, Pack)) else column_names(data)
    roles: dict[str, str] = {}
    absent: list[str] = []
    for role, names in claim.roles.items():
        found = next((name for name in names if name in present), None)
        if found is None and not (isinstance(data, Moments) and data.by in names):
            if role not in claim.optional:
                absent.append(f"{role} ({' or '.join(names)})")
        else:
            roles[role] = found if found is not None else str(data.by)
    if absent:
        raise ColumnError(
            f"{claim.id} needs columns that are not there: {', '.join(absent)}",
            fix=f"least data for this claim: {claim.minimum or 'these columns'}",
        )
    return Variables(data, roles, {**claim.options, **claim.about(dataset).options}, level, claim.direction)


def is_simulated(data: Any) -> bool:
    """Whether a table says of itself that it was simulated."""
    if isinstance(data, Moments):
        return data.simulated
    return says_simulated(data)


def _log1p(column: str) -> nw.Expr:
    # of a control only: no elasticity is read from it, and rows without any must not be lost
    return (nw.col(column).cast(nw.Float64()) + 1.0).log().alias(f"log (1 + {column})")


def _standardised(value: nw.Expr, name: str) -> nw.Expr:
    return ((value - value.mean()) / value.std()).alias(name)


def term(cast: Variables, role: str) -> Any:
    """Column or expression that plays `role`, transformed as the options say."""
    column = cast.column(role)
    if role in cast.options.get("logs", ()):
        return log(column)
    if role in cast.options.get("log1p", ()):
        return _log1p(column)
    if role in cast.options.get("standardise", ()):
        return _standardised(nw.col(column).cast(nw.Float64()), f"{column} (sd)")
    if role in cast.options.get("log_standardise", ()):
        value = nw.col(column).cast(nw.Float64())
        return _standardised(nw.when(value > 0).then(value).log(), f"log {column} (sd)")
    return column


def term_name(cast: Variables, role: str) -> str:
    """Name that :func:`term` gives to the column of `role`."""
    made = {
        "logs": "log {}",
        "log1p": "log (1 + {})",
        "standardise": "{} (sd)",
        "log_standardise": "log {} (sd)",
    }
    pattern = next((text for option, text in made.items() if role in cast.options.get(option, ())), "{}")
    return pattern.replace("{}", cast.column(role))
