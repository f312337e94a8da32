"""Which moves first? Both directions of a panel in one call, with a placebo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from erresearch.engine.moments import Moments
from erresearch.errors import DesignError
from erresearch.inference import FEWEST_CLUSTERS, crv3
from erresearch.relate.design import sweep
from erresearch.relate.entity import one_entity
from erresearch.relate.lagged import Panel, open_panel, refuse_repeated
from erresearch.relate.submodels import coefficient, submodel
from erresearch.results import Estimate, Precedence

__all__ = ["precedence"]


def precedence(
    panel: Any,
    x: Any,
    y: Any,
    *,
    by: str | None,
    time: str,
    lags: int = 2,
    controls: Sequence[Any] = (),
    level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> Precedence:
    """Does x move before y, or y before x? Both directions with account and period effects, and a placebo.

    y_it = Σ_l β_l x_i,t−l + Σ_l ρ_l y_i,t−l + Σ_l γ_lᵀ z_i,t−l + α_i + λ_t + u_it with l = 1 … `lags` for x and y
    and l = 0 … `lags` for the controls z. `forward` is β₁, the response in the next period; `reverse` is the same
    with x and y exchanged; the further lags stand in the ladder. Adding x_it to the model gives `contemporaneous`;
    adding x_i,t+1 as well gives `lead`, the placebo: next period's x cannot move this period's y, so a lead apart
    from 0 means that y moves x or that something left out moves both. β₁ never comes from the model with the lead,
    because next period's x may be a consequence of both. All models use the same complete rows.

    It is predictive precedence, not proof of cause: whatever drives both and is not among the controls remains.

    Parameters
    ----------
    panel : frame or path
        One row per account and period: any table or path that :class:`erresearch.Moments` takes.
    x, y : str or narwhals expression
        The two series, for example ``er.log("engagement")`` and ``er.log("revenue")``.
    by : str or None
        The account, unit of the effects and of the clustering. None, or a column with one account only: one entity
        over time, see Notes.
    time : str
        Period: numbers, dates, times or sortable text. Lags never reach over a gap.
    lags : int
        Number of lags, 1 or more.
    controls : sequence of str or narwhals expressions
        What drives both, for example ad spend.
    level : float
        Confidence level.
    rng : int or numpy.random.Generator
        Seed of the bootstrap.

    Returns
    -------
    Precedence
        Both directions, placebo and ladder. Its `cautions` are empty where a decisive word may be given.

    Raises
    ------
    DataError
        Several rows per account and period, or irregular periods.
    DesignError
        Too few rows, or collinear columns.
    GuardError
        If one series of `y` is repeated on several accounts.
    ColumnError
        If a column is missing.

    Notes
    -----
    One entity: the models hold `lags` + 1 lags of everything, of which the last is not tested, whatever a unit-root
    test would say (Toda & Yamamoto); a trend; two pairs of yearly waves (and three of weekly waves for days) where
    `time` holds dates of a year or more; intervals from equally weighted cosines with Student's t of 0.4·T^⅔ degrees
    of freedom (Lazarus, Lewis, Stock & Watson). Fewer than 52 periods, like fewer than 6 accounts, allow no decisive
    word: `cautions` says so.

    References
    ----------
    Granger, C. W. J. (1969). Investigating causal relations by econometric models and cross-spectral methods.
    *Econometrica*, 37(3), 424-438. Holtz-Eakin, D., Newey, W., & Rosen, H. S. (1988). Estimating vector
    autoregressions with panel data. *Econometrica*, 56(6), 1371-1395.

    Examples
    --------
    >>> from erresearch.engine.expressions import log
    >>> from erresearch.worlds import simulate_panel
    >>> panel, truth = simulate_panel("effect", accounts=20, weeks=60, rng=1)
    >>> found = precedence(panel, log("engagement"), log("revenue"), by="account", time="week",
    ...                    controls=[log("spend")])
    >>> 0.1 in found.forward.interval, 0.0 in found.lead.interval
    (True, True)
    """
    if isinstance(lags, bool) or not isinstance(lags, int) or lags < 1:
        raise DesignError("`lags` must be a whole number of periods", got=repr(lags), allowed="1 or more")
    seed = int(rng.integers(2**31)) if isinstance(rng, np.random.Generator) else rng
    rows = open_panel(panel, [x, y, *controls], by=by, time=time)
    if rows.accounts == 1:
        return one_entity(rows, lags=lags, level=level)
    wanted = [(column, lag) for column in range(len(rows.names)) for lag in range(lags + 1)]
    moments = rows.moments([*wanted, (0, -1)])
    refuse_repeated(moments, rows.names[1])
    return _within_accounts(rows, moments, lags=lags, level=level, seed=seed)


def _within_accounts(rows: Panel, moments: Moments, *, lags: int, level: float, seed: int) -> Precedence:
    swept = sweep(moments, ("account", "period"))
    x, y = rows.names[:2]
    own = [rows.label(0, lag) for lag in range(1, lags + 1)]
    past = [rows.label(1, lag) for lag in range(1, lags + 1)]
    also = [rows.label(column, lag) for column in range(2, len(rows.names)) for lag in range(lags + 1)]
    words = f"OLS with account and period effects, {lags} lag{'s' * (lags > 1)} of both"
    if rows.names[2:]:
        words += f", controls {', '.join(rows.names[2:])}"
    if rows.gaps:
        words += f", {rows.gaps:,} gap{'s' * (rows.gaps > 1)} in {rows.time!r} not bridged"

    def estimates(outcome: str, on: list[str], wanted: list[tuple[str, str]]) -> list[Estimate]:
        model = submodel(moments, swept, outcome, on)
        variance = crv3(model)
        return [
            coefficient(model, variance, on.index(c), name=name, words=words, level=level, rng=seed)
            for c, name in wanted
        ]

    ladder = [
        (column, f"{x} before {y}" if lag == 1 else f"{x} {lag} periods before {y}")
        for lag, column in enumerate(own, start=1)
    ]
    forward = estimates(y, [*own, *past, *also], ladder)
    (reverse,) = estimates(x, [*past, *own, *also], [(past[0], f"{y} before {x}")])
    (same,) = estimates(y, [x, *own, *past, *also], [(x, f"{x} with {y}")])
    ahead = rows.label(0, -1)
    (lead,) = estimates(y, [ahead, x, *own, *past, *also], [(ahead, f"{x} after {y} (placebo)")])
    return Precedence(
        x=x,
        y=y,
        forward=forward[0],
        reverse=reverse,
        lead=lead,
        lags=((-1, lead), (0, same), *enumerate(forward, start=1)),
        contemporaneous=same,
        method=forward[0].method,
        n_rows=moments.rows,
        n_accounts=moments.accounts,
        dropped=moments.dropped,
        cautions=_cautions(rows, moments),
    )


def _cautions(rows: Panel, moments: Moments) -> tuple[str, ...]:
    if moments.accounts < FEWEST_CLUSTERS:
        return (f"{moments.accounts} accounts: fewer than {FEWEST_CLUSTERS} allow no decisive word",)
    return ()
