"""A role's column as the claim wants it: as it is, on logs, standardised."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw

from erresearch.claims.tables import Cast
from erresearch.engine.expressions import log

__all__ = ["term", "term_name"]


def _log1p(column: str) -> nw.Expr:
    # of a control only: no elasticity is read from it, and rows without any must not be lost
    return (nw.col(column).cast(nw.Float64()) + 1.0).log().alias(f"log (1 + {column})")


def _standardised(value: nw.Expr, name: str) -> nw.Expr:
    return ((value - value.mean()) / value.std()).alias(name)


def term(cast: Cast, role: str) -> Any:
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


def term_name(cast: Cast, role: str) -> str:
    """Name that :func:`term` gives to the column of `role`."""
    made = {
        "logs": "log {}",
        "log1p": "log (1 + {})",
        "standardise": "{} (sd)",
        "log_standardise": "log {} (sd)",
    }
    pattern = next((text for option, text in made.items() if role in cast.options.get(option, ())), "{}")
    return pattern.replace("{}", cast.column(role))
