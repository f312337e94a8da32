"""Which moves first? Both directions of a panel in one call, with a placebo.

These are several models of one set of columns: effects are swept out once, and every model is a slice.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np

from erresearch.engine.aggregation import Cells
from erresearch.engine.moments import Moments
from erresearch.errors import Count, DesignError, ErresearchWarning, UnknownNameError
from erresearch.relate.design import (
    LAGGED_FIX,
    Swept,
    check_design,
    check_rows,
    left_out,
    listed,
    normal_equations,
    still,
    sweep,
)
from erresearch.relate.distributed_lags import DAYS, SHORTEST
from erresearch.relate.fitted_models import over_accounts
from erresearch.relate.inference import Scores, crv3, few_accounts
from erresearch.relate.lags import (
    LaggedRows,
    LagSpecification,
    from_autocovariances,
    open_panel,
    refuse_repeated,
)
from erresearch.relate.time_series import EntityModels
from erresearch.results import Estimate, Precedence, Reliability, StudentT
from erresearch.results.estimates import check_level

#: Fewer periods are not halved.
SHORTEST_HALVES: Final = 52


def event_lags(events: Mapping[str, str], first: int) -> list[tuple[int, int]]:
    """Columns of declared events with the lags at which they enter: a pulse ahead, now and late, a step now.

    Parameters
    ----------
    events : mapping of str to {"pulse", "step"}
        Columns of events and their kinds.
    first : int
        Place of the first of these columns.

    Returns
    -------
    list of (int, int)
        Column and lag.

    Examples
    --------
    >>> event_lags({"sale": "pulse", "new site": "step"}, 2)
    [(2, 0), (3, 0), (2, -1), (2, 1)]
    """
    held = [(first + i, 0) for i in range(len(events))]
    pulses = [first + i for i, kind in enumerate(events.values()) if kind == "pulse"]
    return held + [(column, lag) for column in pulses for lag in (-1, 1)]


def submodel(moments: Moments, swept: Swept, outcome: str, on: Sequence[str]) -> Scores:
    """Least squares of `outcome` on `on` from cross-products whose effects are already swept out.

    Parameters
    ----------
    moments : Moments
        All columns.
    swept : Swept
        The same columns in the same order, account (and period) effects taken out.
    outcome : str
        Left-hand side.
    on : sequence of str
        Regressors.

    Returns
    -------
    Scores
        What the intervals are made from.

    Raises
    ------
    DesignError
        Too few rows, or columns that do not vary or are collinear.
    """
    part = swept[[*on, outcome]]
    total = part.grams.sum(axis=0)
    check_rows(moments.rows, len(on) + part.absorbed, got=left_out(moments.dropped), fix=LAGGED_FIX)
    raw = dict(zip(swept.names, np.einsum("gii->i", moments.grams()), strict=True))
    check_design(total[:-1, :-1], on, np.array([raw[name] for name in on]))
    return part.scores(*normal_equations(total), moments.rows)


def in_periods(moments: Moments, wanted: np.ndarray) -> Moments:
    """Moments of some periods, where each account has at most one row in a period.

    Parameters
    ----------
    moments : Moments
        With cells of one row each.
    wanted : (T,) ndarray of bool
        Periods that count.

    Returns
    -------
    Moments
        Without the rows' source; accounts without a row are left out.
    """
    cells = moments.cells
    assert cells is not None
    chosen = wanted[cells.period]
    rows = cells.sums[chosen]
    keep, account = np.unique(cells.account[chosen], return_inverse=True)
    periods, period = np.unique(cells.period[chosen], return_inverse=True)

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(account, weights=values, minlength=len(keep))

    pairs = zip(*np.triu_indices(rows.shape[1]), strict=True)
    count = np.bincount(account, minlength=len(keep))
    return replace(
        moments,
        keys=moments.keys[keep],
        count=count,
        weight=count.astype(float),
        sums=np.column_stack([summed(column) for column in rows.T]),
        cross=np.column_stack([summed(rows[:, i] * rows[:, j]) for i, j in pairs]),
        cells=Cells(cells.periods[periods], account, period, np.ones(len(rows)), rows),
        source=None,
    )


@dataclass(frozen=True, slots=False, eq=False)
class PanelModels:
    """Models of several accounts: every one a slice of the same swept moments.

    Parameters
    ----------
    asked : LagSpecification
        Columns and lags.
    """

    asked: LagSpecification

    @cached_property
    def moments(self) -> Moments:
        """All columns; outcomes of accounts must not repeat each other."""
        found = self.asked.rows.moments(self.asked.wanted)
        refuse_repeated(found, self.asked.rows.names[1])
        return found

    @cached_property
    def swept(self) -> Swept:
        """The same, account and period effects taken out."""
        return sweep(self.moments, ("account", "period"))

    @cached_property
    def also(self) -> list[str]:
        """Controls with their lags, and the events that vary within periods."""
        resting = _resting(self.moments, self.swept)
        events = [name for name in self.asked.events if name not in resting]
        return [*self.asked.control_lags(self.asked.lags), *events]

    @cached_property
    def words(self) -> str:
        """Estimator in words."""
        rows = self.asked.rows
        words = f"OLS with account and period effects, {self.asked.depth}{self.asked.also_held}"
        if rows.gaps:
            words += f", {rows.gaps:,} gap{'s' * (rows.gaps > 1)} in {rows.time!r} not bridged"
        return words

    @property
    def dropped(self) -> Mapping[str, int]:
        """Rows left out, by reason."""
        return self.moments.dropped

    @property
    def cautions(self) -> tuple[str, ...]:
        """Why no decisive word may be given."""
        return few_accounts(self.moments.accounts)

    def combinations(
        self, outcome: str, on: Sequence[str], weights: Mapping[str, Mapping[str, float]]
    ) -> dict[str, Estimate]:
        """Combinations of coefficients, by name: restricted wild bootstrap for few clusters, else CRV3.

        All combinations share the draws.
        """
        model, level = submodel(self.moments, self.swept, outcome, on), self.asked.level
        picks = np.array([[each.get(name, 0.0) for name in on] for each in weights.values()])
        covariance, effective, bootstraps = over_accounts(model, picks, level=level, rng=self.asked.seed)
        found, df = {}, float(model.clusters - 1)
        for name, pick, variance, size, drawn in zip(
            weights, picks, np.diag(covariance), effective, bootstraps, strict=True
        ):
            how = (
                f"restricted wild cluster bootstrap ({size:.1f} effective of {Count(model.clusters):account})"
            )
            method = f"{self.words}, {f'CRV3, t({df:.0f})' if drawn is None else how}"
            value, se = float(pick @ model.beta), math.sqrt(max(float(variance), 0.0))
            estimate = StudentT(value, se, df).estimate(
                name, level, n_rows=model.n_rows, n_accounts=model.clusters, method=method
            )
            found[name] = estimate if drawn is None else estimate.about(drawn)
        return found

    def halves(self, outcome: str, on: Sequence[str], column: str) -> tuple[Estimate, ...]:
        """A coefficient in the first half of the periods, in the second, and its change; empty where they are short."""
        cells = self.moments.cells
        if cells is None or len(cells.periods) < SHORTEST_HALVES or np.any(cells.weight != 1):
            return ()
        late = np.arange(len(cells.periods)) >= len(cells.periods) // 2
        try:
            found = [
                self._one_half(in_periods(self.moments, wanted), outcome, on, column)
                for wanted in (~late, late)
            ]
        except DesignError:
            return ()
        first, second = found
        value, se = second.value - first.value, math.hypot(first.se, second.se)
        around = StudentT(value, se, min(first.df, second.df))
        change = around.estimate(
            "second half less the first",
            self.asked.level,
            n_rows=self.moments.rows,
            n_accounts=self.moments.accounts,
            method=first.method,
        )
        return first, second, change

    def _one_half(self, moments: Moments, outcome: str, on: Sequence[str], column: str) -> Estimate:
        swept = sweep(moments, ("account", "period"))
        resting = _resting(moments, swept)
        # an event of the other half is nothing here
        on = [name for name in on if name == column or name not in resting]
        model = submodel(moments, swept, outcome, on)
        pick = np.array([float(name == column) for name in on])
        value, se = float(pick @ model.beta), math.sqrt(max(float(crv3(model, pick[None])[0, 0]), 0.0))
        return StudentT(value, se, float(model.clusters - 1)).estimate(
            column,
            self.asked.level,
            n_rows=model.n_rows,
            n_accounts=model.clusters,
            method=f"{self.words}, CRV3",
        )

    def explained(self, on: Sequence[str], column: str) -> float:
        """Share of a regressor's variance that the others explain."""
        gram = self.swept[on].grams.sum(axis=0)
        at = list(on).index(column)
        return float(1 - 1 / (gram[at, at] * np.linalg.inv(gram)[at, at]))

    def reliability(self, series: Sequence[str]) -> Reliability:
        """Of x, from its autocovariances."""
        return from_autocovariances(self.swept[[*series, *self.also]].grams)


def _resting(moments: Moments, swept: Swept) -> set[str]:
    """Columns that do not vary within accounts and periods."""
    flat = still(np.einsum("gii->i", swept.grams), np.einsum("gii->i", moments.grams()))
    return {name for name, rests in zip(swept.names, flat, strict=True) if rests}


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

    Warns
    -----
    ErresearchWarning
        If the rows are the days of one shop and both series are logarithms: with the call that keeps days of 0.

    See Also
    --------
    erresearch.daily_response : One shop by day, where zeros are kept and four weeks are looked at.
    erresearch.predictive_gain : Whether x forecasts y.
    erresearch.relate.reliability : How much of x is signal.

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
    check_level(level)
    controls = listed(controls)
    seed = int(rng.integers(2**31)) if isinstance(rng, np.random.Generator) else rng
    unknown = sorted(set(events.values()) - {"pulse", "step"})
    if unknown:
        raise UnknownNameError.of("kind of event", unknown[0], ("pulse", "step"))
    rows = open_panel(panel, [x, y, *controls, *events], by=by, time=time)
    first = 2 + len(controls)
    held = event_lags(events, first)
    alone = rows.accounts == 1
    deep = lags + alone
    wanted = [
        (column, lag) for column in range(first) for lag in range(max(deep, 2 if column == 0 else 0) + 1)
    ]
    wanted += [(0, -1), *held]
    asked = LagSpecification(
        rows=rows, wanted=wanted, held=held, controls=range(2, first), lags=lags, level=level, seed=seed
    )
    if alone:
        _point_to_days(rows)
    models = EntityModels.of(asked) if alone else PanelModels(asked)
    return _both_ways(rows, models, lags, deep)


def _point_to_days(rows: LaggedRows) -> None:
    """Say what keeps days of 0, where the rows are a shop's days and both series have lost those to a logarithm."""
    columns = [name.removeprefix("log ") for name in rows.names[:2]]
    logged = all(name != column for name, column in zip(rows.names[:2], columns, strict=True))
    if logged and rows.season > 0.9 * DAYS.year and rows.rows >= SHORTEST:
        x, y = map(repr, columns)
        warnings.warn(
            f"these are {Count(rows.rows):day} of one shop: those of 0 have no logarithm, and only the next day counts; "
            f"erresearch.daily_response(table, {x}, {y}, time={rows.time!r}) keeps them and looks at four weeks",
            ErresearchWarning,
            stacklevel=3,
        )


def _both_ways(rows: LaggedRows, models: PanelModels | EntityModels, lags: int, deep: int) -> Precedence:
    x, y = rows.names[:2]
    own, past = ([rows.label(column, lag) for lag in range(1, deep + 1)] for column in (0, 1))
    ahead, first = rows.label(0, -1), own[0]
    one = {
        f"{x} before {y}" if lag == 1 else f"{x} {Count(lag):period} before {y}": {column: 1.0}
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
        n_rows=forward[0].n_rows,
        n_accounts=forward[0].n_accounts,
        dropped=models.dropped,
        cautions=models.cautions,
        beside=beside,
        over_lead=over_lead,
        cumulated=cumulated,
        explained=(models.explained(on, x), models.explained(on, first)),
        reliability=models.reliability([rows.label(0, lag) for lag in range(3)]),
        halves=models.halves(y, on, first) if isinstance(models, PanelModels) else (),
    )
