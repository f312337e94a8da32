"""Pictures of plans and interruptions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from erresearch.experiments.history import DAYS
from erresearch.experiments.plans import Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_plan"]

INK, PAUSE, FOUND = "#333333", "#c44e52", "#4c72b0"


def draw_plan(plan: Plan) -> Figure:
    """Draw who pauses when, and the effect that plans of several lengths find four times in five.

    Parameters
    ----------
    plan : Plan
        Its schedule and its power.

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot; save it or show it in a notebook.

    Examples
    --------
    >>> draw_plan.__name__
    'draw_plan'
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    names = [name or "the shop" for name in plan.schedule.entities]
    step = np.timedelta64(DAYS[plan.design.every], "D")
    for entity, date, length, posts in plan.schedule.runs():
        row = plan.schedule.entities.index(entity)
        colour = "#dddddd" if posts else PAUSE
        left.barh(row, length * step, left=date, color=colour, edgecolor="white", height=0.6)
    left.set_yticks(range(len(names)), [name[:20] for name in names])
    left.set_title("Pauses (red) are drawn by lot", loc="left", color=INK)
    left.tick_params(axis="x", labelrotation=30)
    rows = [row for row in plan.power if math.isfinite(row.detectable)]
    right.plot([row.weeks for row in rows], [100 * row.detectable for row in rows], "o-", color=FOUND)
    right.axhline(100 * plan.delta, color=PAUSE, linestyle="--")
    right.annotate("smallest effect of interest", (0.98, 100 * plan.delta), xycoords=("axes fraction", "data"),
                   ha="right", va="bottom", color=PAUSE)  # fmt: skip
    right.set_ylim(bottom=0)
    right.set_xlabel("weeks of the plan")
    right.set_ylabel(f"% of {plan.outcome}")
    right.set_title("Found four times in five", loc="left", color=INK)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
