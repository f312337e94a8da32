"""Simulated tables with a known answer, to see whether a method finds it.

Everything here is simulated and says so: nothing that it returns is evidence about the world.
"""

from __future__ import annotations

from erresearch.worlds.shop_exports import SHOP_WORLDS, example_exports, simulate_shop
from erresearch.worlds.simulation import CASES, CaseWorld, Simulation, simulate, simulate_panel
from erresearch.worlds.truths import WORLDS, Design, Expected, ListWorld, PanelWorld, Truth

__all__ = [
    "CASES",
    "SHOP_WORLDS",
    "WORLDS",
    "CaseWorld",
    "Design",
    "Expected",
    "ListWorld",
    "PanelWorld",
    "Simulation",
    "Truth",
    "example_exports",
    "simulate",
    "simulate_panel",
    "simulate_shop",
]
