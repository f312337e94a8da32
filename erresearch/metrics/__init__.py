"""Engagement, loyalty and money ratios, each by its own definition and with its uncertainty."""

from __future__ import annotations

from erresearch.deprecations import old_names
from erresearch.metrics.bands import Band, Banding, band, bands, cautions
from erresearch.metrics.benchmarks import Comparison, TierPosition, percentile_in_tier
from erresearch.metrics.definitions import DEFINITIONS, PLATFORMS, RateDefinition, rate_expression
from erresearch.metrics.loyalty import NpsSeries, enps, nps, nps_over_time
from erresearch.metrics.money import BreakEven, break_even, romi_gross, romi_incremental, romi_net
from erresearch.metrics.rates import Rates, compare_rates, engagement_rate

__all__ = [
    "DEFINITIONS",
    "PLATFORMS",
    "Band",
    "Banding",
    "BreakEven",
    "Comparison",
    "NpsSeries",
    "RateDefinition",
    "Rates",
    "TierPosition",
    "band",
    "bands",
    "break_even",
    "cautions",
    "compare_rates",
    "engagement_rate",
    "enps",
    "nps",
    "nps_over_time",
    "percentile_in_tier",
    "rate_expression",
    "romi_gross",
    "romi_incremental",
    "romi_net",
]

__getattr__ = old_names(__name__)
