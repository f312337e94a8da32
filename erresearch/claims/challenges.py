"""How could an estimate be wrong? Figures that stand beside a verdict, and the rules that call it fragile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.claims.tables import Cast
from erresearch.engine.expressions import log
from erresearch.engine.moments import Moments
from erresearch.engine.sources import column_names
from erresearch.engine.two_level import fitting_moments
from erresearch.errors import DesignError, ErresearchError
from erresearch.relate import regress
from erresearch.relate.design import Effect
from erresearch.relate.lagged import open_panel
from erresearch.results import Doubt, plain
from erresearch.robustness import AGREEMENT, selected_list, sensitivity, specification_curve

__all__ = ["challenge_arrow", "challenge_list"]

_EFFECTS: tuple[Effect, ...] = ("account", "period")


def challenge_arrow(
    cast: Cast, x: Any, y: Any, controls: Sequence[Any], *, lags: int
) -> tuple[list[Doubt], str]:
    """Specification curve over definitions and further controls, and the sensitivity to a hidden confounder.

    Every model holds the claim's minimal adjustment set (the past of both, the controls now and before, account and
    period effects); the options ``definitions`` and ``extras`` of the claim say which columns, where a table has them,
    may stand for x and may be added.

    Returns
    -------
    list of Doubt
        Share of the curve that agrees, robustness value.
    str
        Why a supported word is fragile; empty if it is not.
    """
    if isinstance(cast.data, Moments):
        return [], ""
    present = column_names(cast.data)
    others = [name for name in cast.options.get("definitions", ()) if name in present]
    extras = [name for name in cast.options.get("extras", ()) if name in present]
    columns = [x, y, *controls, *map(log, others), *map(_amount, extras)]
    panel = open_panel(cast.data, columns, by=cast.column("by"), time=cast.column("time"))
    first, last = 2 + len(controls), 2 + len(controls) + len(others)
    wanted = [(column, lag) for column in range(first) for lag in range(lags + 1)]
    wanted += [(column, 1) for column in range(first, len(columns))]
    moments = panel.moments(wanted)
    outcome, own = panel.label(1, 0), panel.label(0, 1)
    minimal = [panel.label(0, lag) for lag in range(2, lags + 1)]
    minimal += [panel.label(1, lag) for lag in range(1, lags + 1)]
    minimal += [panel.label(column, lag) for column in range(2, first) for lag in range(lags + 1)]
    curve = specification_curve(
        moments,
        outcome,
        panel.names[0],
        lags=[1],
        minimal=minimal,
        controls=[panel.label(column, 1) for column in range(last, len(columns))],
        definitions=[panel.names[0], *(panel.names[column] for column in range(first, last))],
        effects=(_EFFECTS,),
        sign=-1 if cast.direction == "less" else 1,
    )
    if cast.direction == "absent":
        # agreement and a hidden confounder speak against an effect; here none is claimed
        found = f"{100 * curve.share_significant:.0f} % of {len(curve)} models find an effect above 0"
        return [
            Doubt("specification curve", found, curve.share_significant, curve.share_significant > 0.5)
        ], ""
    # models of the same rows share their sign even where nothing was planted: a model agrees if it alone would say so
    agrees = curve.share_significant >= AGREEMENT
    doubts = [
        Doubt(
            "specification curve",
            f"{100 * curve.share_agreeing:.0f} % of {len(curve)} models have the claim's sign, "
            f"{100 * curve.share_significant:.0f} % significantly (fragile below {100 * AGREEMENT:.0f} %)",
            curve.share_significant,
            not agrees,
        )
    ]
    share = f"{100 * curve.share_significant:.0f} % of {len(curve)} models"
    fragile = [] if agrees else [f"only {share} have its sign significantly"]
    if controls:
        fit = regress(moments, outcome, on=[own, *minimal], effects=_EFFECTS, cov="CRV3")
        doubt = sensitivity(fit, own, benchmark=panel.label(2, 0))
        doubts.append(
            Doubt(
                "hidden confounder",
                f"one that explains {100 * doubt.robustness_value:.2g} % of what is left of both x and y would take the "
                f"estimate to 0; one as strong as {doubt.benchmark} would leave {plain(doubt.adjusted)}",
                doubt.robustness_value,
                not doubt.withstands,
            )
        )
        if not doubt.withstands:
            fragile.append(f"a hidden confounder as strong as {doubt.benchmark} could explain it")
    return doubts, "; ".join(fragile)


def _amount(column: str) -> nw.Expr:
    # added as a control only: weeks without posts must not be lost to a logarithm
    return (nw.col(column).cast(nw.Float64()) + 1.0).log().alias(f"log (1 + {column})")


def challenge_list(cast: Cast) -> tuple[Doubt, str]:
    """Look whether the list of accounts was chosen by their reactions.

    Returns
    -------
    Doubt
        Whether its lower edge looks cut at a number of reactions.
    str
        Why no decisive word may be given; empty if the list looks whole.
    """
    columns = [log(cast.column("followers")), log(cast.column("reactions"))]
    try:
        moments = fitting_moments(cast.data, columns, by=cast.roles.get("by"))
        if moments.by is None:
            assert moments.source is not None
            means = moments.source.collect(moments.columns).select(moments.columns).to_numpy()
        else:
            means = np.asarray(moments.origin + moments.sums / moments.weight[:, None])
        found = selected_list(means[:, 0], means[:, 1])
    except DesignError as error:
        return Doubt("choice of the list", f"could not be looked at: {error}"), ""
    if not found.selected:
        return Doubt("choice of the list", "its lower edge does not look cut at a number of reactions"), ""
    words = "the list looks chosen by its reactions, which alone makes a rate seem to fall"
    return Doubt("choice of the list", words, raised=True), words


def quietly(error: ErresearchError) -> list[Doubt]:
    """Say that a challenge could not be made, and why: its absence must not read as a pass."""
    return [Doubt("not challenged", str(error), raised=True)]
