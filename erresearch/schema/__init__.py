"""The canonical tables, the words that all rooms share, and the check at the door.

Each table is declared once; narwhals expressions made from the declaration are counted by whatever engine holds the
rows, in one aggregation. A missing column is missing: it is never read as 0. Nothing is changed, converted or left out
here.
"""

from __future__ import annotations

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
