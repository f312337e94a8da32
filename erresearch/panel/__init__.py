"""Posts and outcomes on one calendar: one row per entity and period, with an account of every row that went in."""

from __future__ import annotations

from erresearch.deprecations import old_names
from erresearch.panel.build import build_panel
from erresearch.panel.post_sums import BOOSTED
from erresearch.panel.records import Panel, RowAccounting, Rules

__all__ = ["BOOSTED", "Panel", "RowAccounting", "Rules", "build_panel"]

__getattr__ = old_names(__name__)
