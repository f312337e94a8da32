"""The canonical tables and the check at the door.

Each table is declared once. A small table in memory is checked by pandera, anything else (lazy, remote or
large) by narwhals expressions that the engine counts in one aggregation; both are built from the same declaration.
A missing column is missing: it is never read as 0. Nothing is changed, converted or left out here.
"""

from __future__ import annotations

from erresearch.schema.door import Notice, Validated, validate
from erresearch.schema.tables import OUTCOMES, PEOPLE, POSTS, SURVEY, Column, Rule, Table

__all__ = [
    "OUTCOMES",
    "PEOPLE",
    "POSTS",
    "SURVEY",
    "Column",
    "Notice",
    "Rule",
    "Table",
    "Validated",
    "validate",
]
