"""Engagement, loyalty, web and money ratios, each by its own definition and with its uncertainty.

Composites, ladders, best hours and growth are in :mod:`erresearch.metrics.extras`.
"""

from __future__ import annotations

from erresearch.deprecations import old_names
from erresearch.metrics.bands import Band, Banding, band, bands, cautions
from erresearch.metrics.benchmarks import Comparison, TierPosition, percentile_in_tier
from erresearch.metrics.definitions import DEFINITIONS, PLATFORMS, RateDefinition, rate_expression
from erresearch.metrics.loyalty import NpsSeries, enps, nps, nps_over_time
from erresearch.metrics.money import BreakEven, break_even, romi_gross, romi_incremental, romi_net
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
    "bounce_rate",
    "break_even",
    "cautions",
    "click_through_rate",
    "conversion_rate",
    "engagement_rate",
    "enps",
    "nps",
    "nps_over_time",
    "percentile_in_tier",
    "rate_expression",
    "returning_share",
    "romi_gross",
    "romi_incremental",
    "romi_net",
    "session_duration",
]

__getattr__ = old_names(__name__)
