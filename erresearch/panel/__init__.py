"""Posts and outcomes on one calendar: one row per entity and period, with an account of every row that went in."""

from __future__ import annotations

from erresearch.panel.activity import BOOSTED
from erresearch.panel.building import build_panel
from erresearch.panel.records import Account, Panel
from erresearch.panel.rules import Rules

__all__ = ["BOOSTED", "Account", "Panel", "Rules", "build_panel"]
