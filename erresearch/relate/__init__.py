"""Do two things move together? Correlation, regression, growth and precedence, all from moments."""

from erresearch.relate.correlation import correlate
from erresearch.relate.fitted_models import contrast
from erresearch.relate.glm import logit, poisson
from erresearch.relate.lags import reliability
from erresearch.relate.linear import regress
from erresearch.relate.prediction import predictive_gain
from erresearch.relate.random_effects import MetaAnalysis, PartialPooling, meta_analysis, partial_pooling
from erresearch.relate.reaction_models import decay, mix
from erresearch.relate.shop_days import daily_response
from erresearch.relate.temporal_precedence import precedence

__all__ = [
    "MetaAnalysis",
    "PartialPooling",
    "contrast",
    "correlate",
    "daily_response",
    "decay",
    "logit",
    "meta_analysis",
    "mix",
    "partial_pooling",
    "poisson",
    "precedence",
    "predictive_gain",
    "regress",
    "reliability",
]
