"""Does engagement go with revenue? Tests it, and shows its doubts.

The names listed in ``__all__`` are imported from their modules at first use, so that ``import erresearch``
takes a fraction of the time of ``import pandas``.

Examples
--------
>>> import erresearch as er
>>> er.Interval(0.02, 0.31, 0.95).inside(0, 1)
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from erresearch import deprecations

if TYPE_CHECKING:
    from erresearch.audits import audit as audit
    from erresearch.claims import (
        combine as combine,
        examine as examine,
        judge as judge,
        read_claims as read_claims,
    )
    from erresearch.datasets import catalog as catalog, load as load
    from erresearch.engine.expressions import lag as lag, log as log
    from erresearch.engine.moments import Moments as Moments
    from erresearch.errors import ErresearchError as ErresearchError, ErresearchWarning as ErresearchWarning
    from erresearch.experiments import (
        find_pauses as find_pauses,
        interruption as interruption,
        judge_experiment as judge_experiment,
        judge_holdout as judge_holdout,
        plan_experiment as plan_experiment,
        plan_holdout as plan_holdout,
        read_plan as read_plan,
        wager as wager,
        write_plan as write_plan,
    )
    from erresearch.exports import inspect_export as inspect_export, read_export as read_export
    from erresearch.io.resources import memory_limit as memory_limit
    from erresearch.metrics import (
        band as band,
        bands as bands,
        break_even as break_even,
        engagement_rate as engagement_rate,
        enps as enps,
        nps as nps,
        nps_over_time as nps_over_time,
        percentile_in_tier as percentile_in_tier,
        romi_gross as romi_gross,
        romi_incremental as romi_incremental,
        romi_net as romi_net,
    )
    from erresearch.panel import Rules as Rules, build_panel as build_panel
    from erresearch.relate import (
        correlate as correlate,
        daily_response as daily_response,
        decay as decay,
        logit as logit,
        poisson as poisson,
        precedence as precedence,
        predictive_gain as predictive_gain,
        regress as regress,
    )
    from erresearch.report import figures as figures
    from erresearch.report.reproduction import reproduce as reproduce
    from erresearch.results import (
        Estimate as Estimate,
        Interval as Interval,
        Table as Table,
        Verdict as Verdict,
        doubt_table as doubt_table,
        verdict_table as verdict_table,
    )
    from erresearch.robustness import (
        adversary as adversary,
        detectable as detectable,
        equivalence as equivalence,
    )
    from erresearch.worlds import simulate as simulate

__version__ = "0.2.0"

deprecations.install()

# The same names as above, for the running program; a test keeps the two alike.
_NAMES: Final = {
    "audits": ("audit",),
    "claims": ("combine", "examine", "judge", "read_claims"),
    "datasets": ("catalog", "load"),
    "errors": ("ErresearchError", "ErresearchWarning"),
    "experiments": (
        "find_pauses",
        "interruption",
        "judge_experiment",
        "judge_holdout",
        "plan_experiment",
        "plan_holdout",
        "read_plan",
        "wager",
        "write_plan",
    ),
    "exports": ("inspect_export", "read_export"),
    "engine.expressions": ("lag", "log"),
    "io.resources": ("memory_limit",),
    "metrics": (
        "band",
        "bands",
        "break_even",
        "engagement_rate",
        "enps",
        "nps",
        "nps_over_time",
        "percentile_in_tier",
        "romi_gross",
        "romi_incremental",
        "romi_net",
    ),
    "engine.moments": ("Moments",),
    "panel": ("Rules", "build_panel"),
    "relate": (
        "correlate",
        "daily_response",
        "decay",
        "logit",
        "poisson",
        "precedence",
        "predictive_gain",
        "regress",
    ),
    "report": ("figures",),
    "report.reproduction": ("reproduce",),
    "results": ("Estimate", "Interval", "Table", "Verdict", "doubt_table", "verdict_table"),
    "robustness": ("adversary", "detectable", "equivalence"),
    "worlds": ("simulate",),
}
_MODULE_OF: Final = {name: module for module, names in _NAMES.items() for name in names}
#: Rooms that guides name, such as ``er.exports.platforms()``.
_ROOMS: Final = frozenset(module.partition(".")[0] for module in _NAMES)

__all__ = ["__version__", *_MODULE_OF]  # noqa: PLE0604 - all of them are text


def __getattr__(name: str) -> object:
    """Import a public name, or a room of the package, at its first use."""
    module = _MODULE_OF.get(name)
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; dir(erresearch) lists them")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Names for completion, whether imported yet or not."""
    return sorted(__all__)
