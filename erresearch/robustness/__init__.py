"""How could that be wrong? Nil or not, power, confounders, every specification, shuffles, noise, guards."""

from erresearch.robustness.power import detectable, sample_needed
from erresearch.robustness.tost import equivalence

__all__ = ["detectable", "equivalence", "sample_needed"]
