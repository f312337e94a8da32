"""Engagement, loyalty, web and money ratios, each by its own definition and with its uncertainty."""

from __future__ import annotations

from erresearch.metrics.banding import Band, Banding, band, bands, cautions
from erresearch.metrics.benchmarks import Comparison, TierPosition, percentile_in_tier
from erresearch.metrics.composites import (
    Composite,
    WeightSensitivity,
    composite,
    cronbach_alpha,
    weight_sensitivity,
)
from erresearch.metrics.counts import FAMILIES, ActionCounts, Family, action_counts
from erresearch.metrics.definitions import DEFINITIONS, PLATFORMS, RateDefinition
from erresearch.metrics.dynamics import Growth, Unusual, growth_rates, unusual_posts
from erresearch.metrics.loyalty import NpsSeries, enps, nps, nps_over_time
from erresearch.metrics.money import BreakEven, break_even, romi_gross, romi_incremental, romi_net
from erresearch.metrics.numerators import rate_expression
from erresearch.metrics.ordinal import Ordinal, participation_ladder, thermometer
from erresearch.metrics.posting import CellEffects, posting_effects
from erresearch.metrics.rates import Rates, engagement_rate
from erresearch.metrics.web import (
    bounce_rate,
    click_through_rate,
    conversion_rate,
    returning_share,
    session_duration,
)

__all__ = [
    "DEFINITIONS",
    "FAMILIES",
    "PLATFORMS",
    "ActionCounts",
    "Band",
    "Banding",
    "BreakEven",
    "CellEffects",
    "Comparison",
    "Composite",
    "Family",
    "Growth",
    "NpsSeries",
    "Ordinal",
    "RateDefinition",
    "Rates",
    "TierPosition",
    "Unusual",
    "WeightSensitivity",
    "action_counts",
    "band",
    "bands",
    "bounce_rate",
    "break_even",
    "cautions",
    "click_through_rate",
    "composite",
    "conversion_rate",
    "cronbach_alpha",
    "engagement_rate",
    "enps",
    "growth_rates",
    "nps",
    "nps_over_time",
    "participation_ladder",
    "percentile_in_tier",
    "posting_effects",
    "rate_expression",
    "returning_share",
    "romi_gross",
    "romi_incremental",
    "romi_net",
    "session_duration",
    "thermometer",
    "unusual_posts",
    "weight_sensitivity",
]
