"""The canonical tables, the words that all rooms share, and the check at the door.

Each table is declared once; narwhals expressions made from the declaration are counted by whatever engine holds the
rows, in one aggregation. A missing column is missing: it is never read as 0. Nothing is changed, converted or left out
here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from erresearch.schema.validation import Notice, Validated, validate
    from erresearch.schema.vocabulary import (
        ADS,
        COLUMNS,
        DAILY,
        FOLLOWERS,
        OUTCOMES,
        PEOPLE,
        POSTS,
        SURVEY,
        TABLES,
        Column,
        Rule,
        Table,
    )

# Loaded at first use: the vocabulary beside them is needed by rooms that read no table.
_NAMES: Final = {
    "validation": ("Notice", "Validated", "validate"),
    "vocabulary": (
        "ADS",
        "COLUMNS",
        "DAILY",
        "FOLLOWERS",
        "OUTCOMES",
        "PEOPLE",
        "POSTS",
        "SURVEY",
        "TABLES",
        "Column",
        "Rule",
        "Table",
    ),
}
_MODULE_OF: Final = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "ADS",
    "COLUMNS",
    "DAILY",
    "FOLLOWERS",
    "OUTCOMES",
    "PEOPLE",
    "POSTS",
    "SURVEY",
    "TABLES",
    "Column",
    "Notice",
    "Rule",
    "Table",
    "Validated",
    "validate",
]


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
