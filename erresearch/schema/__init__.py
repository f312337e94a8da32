"""The canonical tables, the words that all rooms share, and the check of every table that comes in.

Each table is declared once; narwhals expressions made from the declaration are counted by whatever engine holds the
rows, in one aggregation, or two where the ends of the columns do not rule a fault out. A missing column is missing: it is
never read as 0. Nothing is changed, converted or left out here.
"""

from __future__ import annotations

from erresearch.deprecations import old_names
from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__, otherwise=old_names(__name__))
