"""How could that be wrong? Nil or not, power, confounders, every specification, shuffles, noise, guards."""

from erresearch.robustness.power import detectable, sample_needed
from erresearch.robustness.specifications import AGREEMENT, CurveInference, specification_curve
from erresearch.robustness.tost import equivalence

__all__ = [
    "AGREEMENT",
    "CurveInference",
    "detectable",
    "equivalence",
    "sample_needed",
    "specification_curve",
]
