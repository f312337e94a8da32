"""How could that be wrong? Nil or not, power, confounders, every specification, shuffles, noise, guards."""

from erresearch.robustness.biases import (
    attenuation,
    confounder_bounds,
    robustness_value,
    sensitivity,
    smearing,
)
from erresearch.robustness.data_guards import selected_list
from erresearch.robustness.permutations import permutation
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
    "permutation",
    "robustness_value",
    "sample_needed",
    "selected_list",
    "sensitivity",
    "smearing",
    "specification_curve",
]
