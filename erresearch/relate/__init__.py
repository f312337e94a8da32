"""Do two things move together? Correlation, regression, growth and precedence, all from moments."""

from erresearch.relate.binary import logit
from erresearch.relate.correlation import correlate
from erresearch.relate.fitting import contrast
from erresearch.relate.growth import decay
from erresearch.relate.linear import regress
from erresearch.relate.mixture import mix
from erresearch.relate.ppml import poisson
from erresearch.relate.prediction import predictive_gain
from erresearch.relate.reliability import reliability
from erresearch.relate.timing import precedence

__all__ = [
    "contrast",
    "correlate",
    "decay",
    "logit",
    "mix",
    "poisson",
    "precedence",
    "predictive_gain",
    "regress",
    "reliability",
]
