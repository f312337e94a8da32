"""Which moves first? Both directions of a panel in one call, with a placebo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np

from erresearch.errors import DesignError, UnknownNameError
from erresearch.relate.design import sweep
from erresearch.relate.entity import EntityModels
from erresearch.relate.lagged import Panel, open_panel, refuse_repeated
from erresearch.relate.submodels import PanelModels
from erresearch.results import Estimate, Precedence, Reliability

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
    events: Mapping[str, Literal["pulse", "step"]] = MappingProxyType({}),
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

    Where x has a memory and works at once, β₁ holds part of that: `beside` is β₁ with x_it in the model. `over_lead`
    is β₁ less the coefficient of x_i,t+1, both from the model with the lead: what comes before y must go with it more
    than what comes after. `cumulated` adds the same period and the next.

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
    events : mapping of str to {"pulse", "step"}
        Columns of declared events: a pulse enters one period ahead, now and one period late, a step now (it stays).
        One that all accounts share is in the period effects already.
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
    unknown = sorted(set(events.values()) - {"pulse", "step"})
    if unknown:
        raise UnknownNameError.of("kind of event", unknown[0], ("pulse", "step"))
    rows = open_panel(panel, [x, y, *controls, *events], by=by, time=time)
    first = 2 + len(controls)
    held = [(column, 0) for column in range(first, len(rows.names))]
    pulses = [first + i for i, kind in enumerate(events.values()) if kind == "pulse"]
    held += [(column, lag) for column in pulses for lag in (-1, 1)]
    alone = rows.accounts == 1
    deep = lags + alone
    wanted = [
        (column, lag) for column in range(first) for lag in range(max(deep, 2 if column == 0 else 0) + 1)
    ]
    wanted += [(0, -1), *held]
    models: _Models
    if alone:
        models = EntityModels.of(rows, wanted, held=held, controls=range(2, first), lags=lags, level=level)
    else:
        moments = rows.moments(wanted)
        refuse_repeated(moments, rows.names[1])
        models = PanelModels(
            rows=rows,
            moments=moments,
            swept=sweep(moments, ("account", "period")),
            held=held,
            controls=range(2, first),
            lags=lags,
            level=level,
            seed=seed,
        )
    return _both_ways(rows, models, lags, deep)


class _Models(Protocol):
    """Least squares of one outcome on some of the columns, in a panel or in one entity."""

    @property
    def also(self) -> Sequence[str]:
        """Controls with their lags, and events."""
        ...

    @property
    def n_rows(self) -> int:
        """Complete rows."""
        ...

    @property
    def n_accounts(self) -> int:
        """Accounts."""
        ...

    @property
    def dropped(self) -> Mapping[str, int]:
        """Rows left out, by reason."""
        ...

    @property
    def cautions(self) -> tuple[str, ...]:
        """Why no decisive word may be given."""
        ...

    def combinations(
        self, outcome: str, on: Sequence[str], weights: Mapping[str, Mapping[str, float]]
    ) -> dict[str, Estimate]:
        """Combinations of coefficients, by name."""
        ...

    def explained(self, on: Sequence[str], column: str) -> float:
        """Share of a regressor's variance that the others explain."""
        ...

    def reliability(self, series: Sequence[str]) -> Reliability:
        """Of x, from x now, one and two periods before."""
        ...


def _both_ways(rows: Panel, models: _Models, lags: int, deep: int) -> Precedence:
    x, y = rows.names[:2]
    own, past = ([rows.label(column, lag) for lag in range(1, deep + 1)] for column in (0, 1))
    ahead, first = rows.label(0, -1), own[0]
    one = {
        f"{x} before {y}" if lag == 1 else f"{x} {lag} periods before {y}": {column: 1.0}
        for lag, column in enumerate(own[:lags], start=1)
    }
    forward = list(models.combinations(y, [*own, *past, *models.also], one).values())
    (reverse,) = models.combinations(
        x, [*past, *own, *models.also], {f"{y} before {x}": {past[0]: 1.0}}
    ).values()
    on = [x, *own, *past, *models.also]
    same, beside, cumulated = models.combinations(
        y,
        on,
        {
            f"{x} with {y}": {x: 1.0},
            f"{x} before {y}": {first: 1.0},
            f"{x} with and before {y}": {x: 1.0, first: 1.0},
        },
    ).values()
    lead, over_lead = models.combinations(
        y,
        [ahead, *on],
        {
            f"{x} after {y} (placebo)": {ahead: 1.0},
            f"{x} before {y} less after it": {first: 1.0, ahead: -1.0},
        },
    ).values()
    return Precedence(
        x=x,
        y=y,
        forward=forward[0],
        reverse=reverse,
        lead=lead,
        lags=((-1, lead), (0, same), *enumerate(forward, start=1)),
        contemporaneous=same,
        method=forward[0].method,
        n_rows=models.n_rows,
        n_accounts=models.n_accounts,
        dropped=models.dropped,
        cautions=models.cautions,
        beside=beside,
        over_lead=over_lead,
        cumulated=cumulated,
        explained=(models.explained(on, x), models.explained(on, first)),
        reliability=models.reliability([rows.label(0, lag) for lag in range(3)]),
    )
