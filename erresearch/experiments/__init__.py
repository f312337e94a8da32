"""Experiments with posting: planned from a shop's own past, drawn at random, and judged by drawing again."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from erresearch.experiments.designs import (
        DESIGNS as DESIGNS,
        PauseDesign as PauseDesign,
        PausePlan as PausePlan,
        Power as Power,
        Schedule as Schedule,
        wager as wager,
    )
    from erresearch.experiments.documents import (
        draw_plan as draw_plan,
        read_holdout as read_holdout,
        read_plan as read_plan,
        write_holdout as write_holdout,
        write_plan as write_plan,
    )
    from erresearch.experiments.holdout import (
        Holdout as Holdout,
        judge_holdout as judge_holdout,
        plan_holdout as plan_holdout,
    )
    from erresearch.experiments.interruptions import (
        Interruption as Interruption,
        Pause as Pause,
        find_pauses as find_pauses,
        interruption as interruption,
    )
    from erresearch.experiments.judging import Judgement as Judgement, judge_experiment as judge_experiment
    from erresearch.experiments.planning import (
        plan_experiment as plan_experiment,
        wrong_blocks as wrong_blocks,
    )

_NAMES: Final = {
    "designs": ("DESIGNS", "PauseDesign", "PausePlan", "Power", "Schedule", "wager"),
    "documents": ("draw_plan", "read_holdout", "read_plan", "write_holdout", "write_plan"),
    "holdout": ("Holdout", "judge_holdout", "plan_holdout"),
    "interruptions": ("Interruption", "Pause", "find_pauses", "interruption"),
    "judging": ("Judgement", "judge_experiment"),
    "planning": ("plan_experiment", "wrong_blocks"),
}
_MODULE_OF: Final = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [*_MODULE_OF]  # noqa: PLE0604 - all of them are text


def __getattr__(name: str) -> object:
    """Import a public name at its first use: drawing a schedule needs no figures."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
