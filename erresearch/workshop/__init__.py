"""What the workshop's notebooks use: answers that check themselves, and sliders over simulated worlds.

Everything here is simulated, and made to be wrong on purpose in ways that are known.
"""

from __future__ import annotations

from erresearch.workshop.exercises import EXERCISES, Outcome, assess, check
from erresearch.workshop.explorations import EXPLORATIONS, Exploration, View, unrelated
from erresearch.workshop.sliders import CHOICES, choose, explore, slider_box, static_picture, static_table

__all__ = [
    "CHOICES",
    "EXERCISES",
    "EXPLORATIONS",
    "Exploration",
    "Outcome",
    "View",
    "assess",
    "check",
    "choose",
    "explore",
    "slider_box",
    "static_picture",
    "static_table",
    "unrelated",
]
