"""Posts and outcomes on one calendar: one row per entity and period, with an account of every row that went in."""

from __future__ import annotations

import warnings

from erresearch.panel.build import build_panel
from erresearch.panel.post_sums import BOOSTED
from erresearch.panel.records import Panel, RowAccounting, Rules

__all__ = ["BOOSTED", "Panel", "RowAccounting", "Rules", "build_panel"]


def __getattr__(name: str) -> object:
    """Hand out the old name of `RowAccounting` for one release, with a word."""
    if name != "Account":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    warnings.warn(f"{__name__}.Account is called RowAccounting now", DeprecationWarning, stacklevel=2)
    return RowAccounting
