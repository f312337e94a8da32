"""Files written whole, archives of arrays, memory and progress.

Libraries that are large are imported at their first use, so that ``import erresearch`` stays light: a module takes them
from here (``from erresearch.io import pd, pl``) as it would import them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["Deferred", "pd", "pl"]


class Deferred:
    """A library that is imported when a name of it is wanted.

    Parameters
    ----------
    name : str
        The library.
    """

    def __init__(self, name: str) -> None:
        self._library = name

    def __getattr__(self, name: str) -> Any:
        """A name of the library, which is kept."""
        value = getattr(importlib.import_module(self._library), name)
        setattr(self, name, value)
        return value


if not TYPE_CHECKING:
    pd, pl = Deferred("pandas"), Deferred("polars")
