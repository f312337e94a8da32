"""Which moves first? Both directions of a panel in one call, with a placebo.

These are several models of one set of columns. Of several accounts, effects are swept out once, and every model is a
slice; of one entity, models are lag-augmented regressions with fixed-b intervals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.aggregation import Cells
from erresearch.engine.lazy_rows import gather
from erresearch.engine.moments import Moments
from erresearch.errors import Count, DesignError, UnknownNameError, warn
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
from erresearch.relate.distributed_lags import DAYS, SHORTEST, cosine_covariance, season, waves
from erresearch.relate.fitted_models import over_accounts
from erresearch.relate.inference import Scores, crv3, few_accounts
from erresearch.relate.lags import (
    LaggedRows,
    LagSpecification,
    check_complete,
    check_periods,
    from_autocovariances,
    from_series,
    open_panel,
    refuse_repeated,
)
from erresearch.results import Estimate, Precedence, Reliability, StudentT
from erresearch.results.estimates import check_level

#: Fewer periods of one entity than this allow no decisive word; nor are fewer halved.
SHORTEST_SERIES: Final = 52
#: Pairs of sine and cosine over the year; of days also over the week.
_YEAR, _WEEK = 2, 3


def event_lags(events: Mapping[str, str], first: int) -> list[tuple[int, int]]:
    """Column and lag of each declared event: a pulse enters ahead, now and late, a step now; the first stands at `first`.

    Examples
    --------
    >>> event_lags({"sale": "pulse", "new site": "step"}, 2)
    [(2, 0), (3, 0), (2, -1), (2, 1)]
    """
    held = [(first + i, 0) for i in range(len(events))]
    pulses = [first + i for i, kind in enumerate(events.values()) if kind == "pulse"]
    return held + [(column, lag) for column in pulses for lag in (-1, 1)]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EntityModels:
    """Models of one entity: lag-augmented (one more lag than is tested), trend, season, fixed-b intervals.

    References
    ----------
    Toda, H. Y., & Yamamoto, T. (1995). Statistical inference in vector autoregressions with possibly integrated
    processes. *Journal of Econometrics*, 66(1-2), 225-250.
    """

    table: Mapping[str, np.ndarray]  # columns over the complete rows, in order of time
    fixed: np.ndarray  # constant, trend and season
    also: tuple[str, ...]  # controls with their lags, and events
    words: str
    level: float
    dropped: Mapping[str, int]
    alone: bool  # rows of no account, with residuals over 1 − leverage, as in HC3, in place of the factor T/(T − k)

    @classmethod
    def collect(
        cls, asked: LagSpecification, *, also: Sequence[str], words: str, alone: bool = False
    ) -> EntityModels:
        """Rows that have all columns, without events that none of them saw; `words` stand before the season.

        Rows that are `alone` are of no account, and their residuals are jackknifed.
        """
        rows, wanted, events = asked.rows, asked.wanted, asked.events
        labels = [rows.label(*pair) for pair in wanted]
        lagged = rows.frame.select(*[rows.shifted(*pair) for pair in wanted], nw.col("clock"))
        found = gather(lagged, small=rows.small).sort("clock")
        values = found[:, : len(labels)].to_numpy()
        whole = np.isfinite(values).all(axis=1)
        now = [i for i, pair in enumerate(wanted) if pair[1] == 0]
        dropped = dict(rows.dropped)
        bad = ~np.isfinite(values[:, now])
        first, counts = np.unique(bad.argmax(axis=1)[bad.any(axis=1)], return_counts=True)
        dropped |= {f"not finite: {labels[now[i]]}": int(n) for i, n in zip(first, counts, strict=True)}
        check_complete(int(whole.sum()), dropped, int(np.sum(~whole & ~bad.any(axis=1))))
        fixed, how = _calendar(rows, found["clock"].to_numpy()[whole])
        table = {name: values[whole, i] for i, name in enumerate(labels)}
        seen = [label for label in events if np.ptp(table[label]) > 0]
        unseen = len(events) - len(seen)
        return cls(
            table=table,
            fixed=fixed,
            also=(*also, *seen),
            words=f"{words}{how}{asked.also_held}"
            + f", of which {unseen} in none of these rows" * bool(unseen),
            level=asked.level,
            dropped=dropped,
            alone=alone,
        )

    @property
    def n_rows(self) -> int:
        """Complete rows."""
        return len(self.fixed)

    @property
    def cautions(self) -> tuple[str, ...]:
        """Why no decisive word may be given."""
        few = self.n_rows < SHORTEST_SERIES
        return (f"{Count(self.n_rows):period}: fewer than {SHORTEST_SERIES} allow no decisive word",) * few

    def combinations(
        self, outcome: str, on: Sequence[str], weights: Mapping[str, Mapping[str, float]]
    ) -> dict[str, Estimate]:
        """Combinations of coefficients, by name."""
        beta, covariance, df = self.solve(outcome, on)
        how, found = f"{self.words}, equally weighted cosines, t({df})", {}
        for name, each in weights.items():
            pick = np.array([each.get(column, 0.0) for column in on])
            around = StudentT(float(pick @ beta), math.sqrt(max(float(pick @ covariance @ pick), 0.0)), df)
            found[name] = around.estimate(
                name, self.level, n_rows=self.n_rows, n_accounts=int(not self.alone), method=how
            )
        return found

    def solve(self, outcome: str, on: Sequence[str]) -> tuple[np.ndarray, np.ndarray, int]:
        """Coefficients of `on`, their covariance and its degrees of freedom."""
        regressors = np.column_stack([self.fixed, *(self.table[name] for name in on)])
        fixed = self.fixed.shape[1]
        length, k = regressors.shape
        if length <= k + 2:
            raise DesignError(
                f"{Count(length):complete row} cannot carry {Count(k):parameter} and leave 3 for the error",
                code="too-few-rows",
                got=left_out(self.dropped),
                allowed=f"{Count(k + 3):row} or more",
                fix=LAGGED_FIX,
            )
        own = regressors[:, fixed:]
        swept = own - self.fixed @ np.linalg.lstsq(self.fixed, own, rcond=None)[0]
        check_design(swept.T @ swept, on, np.sum((own - own.mean(axis=0)) ** 2, axis=0))
        beta = np.linalg.lstsq(regressors, self.table[outcome], rcond=None)[0]
        residuals = self.table[outcome] - regressors @ beta
        if self.alone:
            residuals /= 1 - leverages(regressors)
        parameters = 0 if self.alone else None
        covariance, df = cosine_covariance(regressors, residuals, parameters=parameters)
        return beta[fixed:], covariance[fixed:, fixed:], df

    def without(self, on: Sequence[str], column: str) -> np.ndarray:
        """What trend, season and the columns `on` leave of a column."""
        held = np.column_stack([self.fixed, *(self.table[name] for name in on)])
        return np.asarray(
            self.table[column] - held @ np.linalg.lstsq(held, self.table[column], rcond=None)[0]
        )

    def explained(self, on: Sequence[str], column: str) -> float:
        """Share of a regressor's variance about trend and season that the others explain."""
        own, left = self.without((), column), self.without([name for name in on if name != column], column)
        return float(1 - left @ left / (own @ own))

    def reliability(self, series: Sequence[str]) -> Reliability:
        """Of x, from its autocovariances."""
        return from_series(np.column_stack([self.without(self.also, name) for name in series]))


def _calendar(rows: LaggedRows, clock: np.ndarray) -> tuple[np.ndarray, str]:
    """Constant, trend and season (T × f), and the same in words."""
    pairs, position = min(_YEAR, math.ceil(rows.season / 2) - 1), (clock - clock[0]) / rows.unit
    columns, words = season(position, rows.season or math.inf, pairs), "trend"
    if len(columns) > 2:
        words += f" and {Count(pairs):pair} of yearly waves"
        if rows.season > 300:
            columns += waves(position / 7, _WEEK)
            words += f" and {_WEEK} of weekly waves"
    return np.column_stack(columns), words


def leverages(regressors: np.ndarray) -> np.ndarray:
    """Diagonal of the projection on the columns, kept off 1: a row that fits by itself has no residual to go by."""
    basis = np.linalg.qr(regressors)[0]
    return np.asarray(np.minimum(np.sum(basis**2, axis=1), 1 - 1e-9))


def submodel(moments: Moments, swept: Swept, outcome: str, on: Sequence[str]) -> Scores:
    """Least squares of `outcome` on `on` from cross-products whose effects are already swept out."""
    part = swept[[*on, outcome]]
    total = part.grams.sum(axis=0)
    check_rows(moments.rows, len(on) + part.absorbed, got=left_out(moments.dropped), fix=LAGGED_FIX)
    raw = dict(zip(swept.names, np.einsum("gii->i", moments.grams()), strict=True))
    check_design(total[:-1, :-1], on, np.array([raw[name] for name in on]))
    return part.scores(*normal_equations(total), moments.rows)


def in_periods(moments: Moments, wanted: np.ndarray) -> Moments:
    """Moments of some periods, where each account has at most one row in a period; without the rows' source."""
    cells = moments.cells
    assert cells is not None
    chosen = wanted[cells.period]
    rows = cells.sums[chosen]
    keep, account = np.unique(cells.account[chosen], return_inverse=True)
    periods, period = np.unique(cells.period[chosen], return_inverse=True)

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(account, weights=values, minlength=len(keep))

    # product by product: all of them at once are many times as large as the rows
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
    """Models of several accounts: every one a slice of the same swept moments."""

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
        """Combinations of coefficients, by name, all on the same draws where clusters are few."""
        model, level = submodel(self.moments, self.swept, outcome, on), self.asked.level
        picks = np.array([[each.get(name, 0.0) for name in on] for each in weights.values()])
        covariance, effective, bootstraps = over_accounts(model, picks, level=level, rng=self.asked.seed)
        found, df = {}, float(model.clusters - 1)
        for name, pick, variance, size, drawn in zip(
            weights, picks, np.diag(covariance), effective, bootstraps, strict=True
        ):
            how = f"CRV3, t({df:.0f})"
            if drawn is not None:
                of = f"{size:.1f} effective of {Count(model.clusters):account}"
                how = f"restricted wild cluster bootstrap ({of})"
            value, se = float(pick @ model.beta), math.sqrt(max(float(variance), 0.0))
            estimate = StudentT(value, se, df).estimate(
                name, level, n_rows=model.n_rows, n_accounts=model.clusters, method=f"{self.words}, {how}"
            )
            found[name] = estimate if drawn is None else estimate.about(drawn)
        return found

    def halves(self, outcome: str, on: Sequence[str], column: str) -> tuple[Estimate, ...]:
        """A coefficient in the first half of the periods, in the second, and its change; empty where they are short."""
        cells = self.moments.cells
        if cells is None or len(cells.periods) < SHORTEST_SERIES or np.any(cells.weight != 1):
            return ()
        late = np.arange(len(cells.periods)) >= len(cells.periods) // 2
        found: list[Estimate] = []
        for wanted in (~late, late):
            moments = in_periods(self.moments, wanted)
            swept = sweep(moments, ("account", "period"))
            resting = _resting(moments, swept)
            # an event of the other half is nothing here
            held = [name for name in on if name == column or name not in resting]
            try:
                model = submodel(moments, swept, outcome, held)
            except DesignError:
                return ()
            at = held.index(column)
            pick = np.eye(len(held))[at : at + 1]
            value, se = float(model.beta[at]), math.sqrt(max(float(crv3(model, pick)[0, 0]), 0.0))
            found.append(
                StudentT(value, se, float(model.clusters - 1)).estimate(
                    column,
                    self.asked.level,
                    n_rows=model.n_rows,
                    n_accounts=model.clusters,
                    method=f"{self.words}, CRV3",
                )
            )
        first, second = found
        value, se = second.value - first.value, math.hypot(first.se, second.se)
        change = StudentT(value, se, min(first.df, second.df)).estimate(
            "second half less the first",
            self.asked.level,
            n_rows=self.moments.rows,
            n_accounts=self.moments.accounts,
            method=first.method,
        )
        return first, second, change

    def explained(self, on: Sequence[str], column: str) -> float:
        """Share of a regressor's variance that the others explain."""
        gram = self.swept[on].grams.sum(axis=0)
        at = list(on).index(column)
        return float(1 - 1 / (gram[at, at] * np.linalg.inv(gram)[at, at]))

    def reliability(self, series: Sequence[str]) -> Reliability:
        """Of x, from its autocovariances."""
        return from_autocovariances(self.swept[[*series, *self.also]].grams)


def lag_models(asked: LagSpecification) -> PanelModels | EntityModels:
    """Models of one entity over time, lag-augmented, or of several."""
    if asked.rows.accounts > 1:
        return PanelModels(asked)
    words = f"OLS, {asked.depth} and one more not tested, "
    return EntityModels.collect(asked, also=asked.control_lags(asked.lags + 1), words=words)


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
        One row per account and period.
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
    DataError, GuardError
        Several rows per account and period, irregular periods, one series of `y` repeated on several accounts.
    DesignError, ColumnError
        Too few rows, collinear columns, or a missing one.

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
    check_periods("lags", lags, 1)
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
    return _both_ways(rows, lag_models(asked), lags, deep)


def _point_to_days(rows: LaggedRows) -> None:
    """Say what keeps days of 0, where the rows are a shop's days and both series have lost those to a logarithm."""
    columns = [name.removeprefix("log ") for name in rows.names[:2]]
    logged = all(name != column for name, column in zip(rows.names[:2], columns, strict=True))
    if logged and rows.season > 0.9 * DAYS.year and rows.rows >= SHORTEST:
        x, y = map(repr, columns)
        warn(
            f"these are {Count(rows.rows):day} of one shop: those of 0 have no logarithm, and only the next day counts; "
            f"erresearch.daily_response(table, {x}, {y}, time={rows.time!r}) keeps them and looks at four weeks"
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
