"""How could that be wrong? Nil or not, power, confounders, every specification, noise, guards."""

from erresearch.deprecations import old_names
from erresearch.robustness.biases import (
    attenuation,
    confounder_bounds,
    robustness_value,
    sensitivity,
)
from erresearch.robustness.data_guards import selected_list
from erresearch.robustness.power import detectable, equivalence, sample_needed
from erresearch.robustness.specifications import AGREEMENT, CurveInference, adversary, specification_curve

__all__ = [
    "AGREEMENT",
    "CurveInference",
    "adversary",
    "attenuation",
    "confounder_bounds",
    "detectable",
    "equivalence",
    "robustness_value",
    "sample_needed",
    "selected_list",
    "sensitivity",
    "specification_curve",
]

__getattr__ = old_names(__name__)
