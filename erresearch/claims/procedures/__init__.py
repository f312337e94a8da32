"""How each kind of claim is estimated: rows in roles go in, evidence comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from erresearch.claims.decision_rule import Evidence
from erresearch.claims.procedures.cross_section import (
    judge_distance,
    judge_mix,
    judge_slope,
    judge_tiers,
)
from erresearch.claims.procedures.longitudinal import (
    judge_decay,
    judge_long_run,
    judge_precedence,
    judge_prediction,
)
from erresearch.claims.procedures.people import judge_groups, judge_threshold
from erresearch.claims.variables import Variables

__all__ = ["PROCEDURES"]

#: Every procedure that ``claims.toml`` may name.
PROCEDURES: Final[Mapping[str, Callable[[Variables[Any]], Evidence]]] = MappingProxyType(
    {
        "precedence": judge_precedence,
        "slope": judge_slope,
        "decay": judge_decay,
        "prediction": judge_prediction,
        "long run": judge_long_run,
        "mix": judge_mix,
        "distance": judge_distance,
        "groups": judge_groups,
        "threshold": judge_threshold,
        "tiers": judge_tiers,
    }
)
