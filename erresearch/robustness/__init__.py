"""How could that be wrong? Nil or not, power, confounders, every specification, shuffles, noise, guards."""

from erresearch.robustness.confounding import confounder_bounds, robustness_value, sensitivity
from erresearch.robustness.power import detectable, sample_needed
from erresearch.robustness.specifications import AGREEMENT, CurveInference, specification_curve
from erresearch.robustness.tost import equivalence

__all__ = [
    "AGREEMENT",
    "CurveInference",
    "confounder_bounds",
    "detectable",
    "equivalence",
    "robustness_value",
    "sample_needed",
    "sensitivity",
    "specification_curve",
]
