"""Engagement, loyalty, web and money ratios, each by its own definition and with its uncertainty."""

from __future__ import annotations

from erresearch.metrics.bands import Band, Banding, band, bands, cautions
from erresearch.metrics.definitions import DEFINITIONS, PLATFORMS, RateDefinition
from erresearch.metrics.numerators import rate_expression
from erresearch.metrics.rates import Rates, engagement_rate

__all__ = [
    "DEFINITIONS",
    "PLATFORMS",
    "Band",
    "Banding",
    "RateDefinition",
    "Rates",
    "band",
    "bands",
    "cautions",
    "engagement_rate",
    "rate_expression",
]
