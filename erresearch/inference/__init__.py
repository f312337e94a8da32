"""Intervals for few clusters, from account scores alone.

A fitted model leaves behind, per account g, its score ``s_g`` (k numbers) and its Hessian ``H_g`` (k × k). For a
linear model these are ``X_gᵀu_g`` and ``X_gᵀX_g`` and everything below is exact; for PPML and logit they are the
score and Hessian at the maximum and the same formulas are the one-step (score) versions. No row is needed again.
"""

from typing import Final

from erresearch.inference.bootstrap import (
    WildBootstrap,
    cluster_weights,
    enough_draws,
    score_bootstrap,
    wild_bootstrap,
    wild_bootstraps,
)
from erresearch.inference.scores import Periods, Scores, crv1, crv3, effective_clusters

__all__ = [
    "FEWEST_CLUSTERS",
    "FEW_CLUSTERS",
    "Periods",
    "Scores",
    "WildBootstrap",
    "cluster_weights",
    "crv1",
    "crv3",
    "effective_clusters",
    "enough_draws",
    "score_bootstrap",
    "wild_bootstrap",
    "wild_bootstraps",
]

#: Below this effective number of clusters the restricted bootstrap replaces CRV3 with t(G − 1).
FEW_CLUSTERS: Final = 50.0
#: Below this many accounts no interval is trusted with a decisive word.
FEWEST_CLUSTERS: Final = 6
