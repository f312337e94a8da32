"""How could that be wrong? Nil or not, power, confounders, every specification, shuffles, noise, guards."""

from erresearch.robustness.confounding import confounder_bounds, robustness_value, sensitivity
from erresearch.robustness.measurement import attenuation, smearing
from erresearch.robustness.power import detectable, sample_needed
from erresearch.robustness.selection import selected_list
from erresearch.robustness.shuffles import permutation
from erresearch.robustness.specifications import AGREEMENT, CurveInference, specification_curve
from erresearch.robustness.tost import equivalence

__all__ = [
    "AGREEMENT",
    "CurveInference",
    "attenuation",
    "confounder_bounds",
    "detectable",
    "equivalence",
    "permutation",
    "robustness_value",
    "sample_needed",
    "selected_list",
    "sensitivity",
    "smearing",
    "specification_curve",
]
