"""Posts and outcomes on one calendar: one row per entity and period, with an account of every row that went in."""

from __future__ import annotations

from erresearch.panel.building import build_panel
from erresearch.panel.records import Account, Panel

__all__ = ["Account", "Panel", "build_panel"]
