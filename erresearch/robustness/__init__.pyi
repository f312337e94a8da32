from erresearch.robustness.guards import selected_list as selected_list
from erresearch.robustness.sensitivity_analysis import (
    confounder_bounds as confounder_bounds,
    detectable as detectable,
    equivalence as equivalence,
    robustness_value as robustness_value,
    sensitivity as sensitivity,
)
from erresearch.robustness.specifications import (
    AGREEMENT as AGREEMENT,
    CurveInference as CurveInference,
    adversary as adversary,
    specification_curve as specification_curve,
)
