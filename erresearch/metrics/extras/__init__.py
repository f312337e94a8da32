"""Systems of the sources that no claim rests on: action families, ladders, composites, best hours, growth.

Dashboards print such figures every day; the notebook "What dashboards show, and how much of it is noise" looks at them.
"""

from __future__ import annotations

from erresearch.metrics.extras.composites import (
    Composite,
    WeightSensitivity,
    composite,
    cronbach_alpha,
    weight_sensitivity,
)
from erresearch.metrics.extras.growth import Growth, Unusual, growth_rates, unusual_posts
from erresearch.metrics.extras.participation import (
    FAMILIES,
    ActionCounts,
    Family,
    Ordinal,
    action_counts,
    participation_ladder,
    thermometer,
)
from erresearch.metrics.extras.posting import CellEffects, posting_effects

__all__ = [
    "FAMILIES",
    "ActionCounts",
    "CellEffects",
    "Composite",
    "Family",
    "Growth",
    "Ordinal",
    "Unusual",
    "WeightSensitivity",
    "action_counts",
    "composite",
    "cronbach_alpha",
    "growth_rates",
    "participation_ladder",
    "posting_effects",
    "thermometer",
    "unusual_posts",
    "weight_sensitivity",
]
