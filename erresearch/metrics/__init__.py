"""Engagement, loyalty, web and money ratios, each by its own definition and with its uncertainty.

Composites, ladders, best hours and growth are in :mod:`erresearch.metrics.extras`.
"""

from __future__ import annotations

import importlib
import warnings

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


def __getattr__(name: str) -> object:
    """Hand out what moved to ``extras`` under its old address for one release, with a word."""
    # by its full name: `from erresearch.metrics import extras` would ask here again
    extras = importlib.import_module(f"{__name__}.extras")
    if name == "extras":
        return extras
    if name not in extras.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    warnings.warn(
        f"{__name__}.{name} is {__name__}.extras.{name} from now on", DeprecationWarning, stacklevel=2
    )
    return getattr(extras, name)
