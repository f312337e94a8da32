"""How each kind of claim is estimated: rows in roles go in, evidence comes out, and what a naive look says beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.claims.decision_rule import Evidence, left_out
from erresearch.claims.options import (
    DistanceOptions,
    MixOptions,
    PrecedenceOptions,
    SlopeOptions,
    TierOptions,
)
from erresearch.claims.procedures.longitudinal import (
    judge_decay,
    judge_long_run,
    judge_precedence,
    judge_prediction,
)
from erresearch.claims.procedures.people import (
    choose_in_halves,
    curve_and_places,
    judge_groups,
    judge_threshold,
    membership,
    threshold_moments,
)
from erresearch.claims.variables import Variables
from erresearch.errors import Count, DesignError, ErresearchError, own_warnings
from erresearch.io import pd, pl
from erresearch.relate.association import correlate, regress
from erresearch.relate.design import with_constant
from erresearch.relate.fitted_models import contrast
from erresearch.relate.poisson_regression import poisson
from erresearch.relate.prediction import predictive_gain
from erresearch.relate.random_effects import meta_analysis
from erresearch.relate.reaction_models import mix
from erresearch.relate.regressions import logit
from erresearch.relate.temporal_precedence import precedence
from erresearch.results import Doubt, Estimate, StudentT, largest, plain

__all__ = ["LEAD", "NAIVE", "PROCEDURES", "REVERSE", "SAME", "UNSEEN", "look_beside", "saved_share"]

# ------------------------------------------------------------------------------------------ cross-sections
_ESTIMATORS: Mapping[str, Any] = {"ols": regress, "poisson": poisson, "logit": logit}


def judge_slope(cast: Variables[SlopeOptions]) -> Evidence:
    """A coefficient, or one contrast of coefficients, in a regression with the claim's adjustment set."""
    roles, model = cast.options.regressors, cast.options.estimator
    # strata stand for rows that have no account: they cluster, but have no effects of their own
    by, cov = (cast.strata, "CRV3") if cast.strata else (cast.roles.get("by"), "auto")
    asked: dict[str, Any] = {"on": cast.terms(roles), "by": by, "cov": cov, "level": cast.level}
    if model != "logit":
        asked["effects"] = ("account",) if by is not None and not cast.strata else ()
    fit = _ESTIMATORS[model](cast.data, cast.term("y"), **asked)
    names = {role: cast.name(role) for role in roles}
    weights = {names[role]: weight for role, weight in cast.options.weights.items()}
    if [*weights.values()] == [1]:
        estimate = fit[next(iter(weights))]
    else:
        words = " − ".join(weights) if len(weights) > 1 else None
        estimate = contrast(fit, weights, name=words, level=cast.level)
    column, inflation = largest(fit.vif.items(), lambda pair: pair[1])
    said = f"largest variance inflation {plain(inflation)} ({column})"
    doubts = [Doubt("collinearity", said, inflation, inflation > 10)]
    doubts += [
        Doubt(f"coefficient of {name}", e.number(), e.value)
        for name, e in fit.items()
        if e is not estimate and name != "Intercept"
    ]
    doubts += left_out(fit.dropped)
    ambiguous, without = cast.options.ambiguous, None
    if ambiguous:
        kept: dict[str, Any] = {
            name: tuple(role for role in getattr(cast.options, name) if role not in ambiguous)
            for name in ("standardise", "log_standardise", "on")
        }
        without = judge_slope(replace(cast, options=replace(cast.options, ambiguous=(), **kept))).estimate
    return Evidence(
        estimate,
        without=without,
        ambiguous=tuple(names[role] for role in ambiguous),
        clusters=fit.n_accounts,
        doubts=tuple(doubts),
        result=fit,
    )


def judge_mix(cast: Variables[MixOptions]) -> Evidence:
    """Coefficient of one action's log ratio to the others, the total of all actions held."""
    found = mix(
        cast.data,
        cast.term("y"),
        actions=[cast.column(role) for role in cast.options.actions],
        by=cast.strata or cast.roles.get("by"),
        effects=() if cast.strata else None,
        controls=cast.terms(cast.options.controls),
        model=cast.options.model,
        level=cast.level,
    )
    judged = cast.column(cast.options.action)
    doubts = [Doubt("the total", f"{found.total.name}: {found.total.number()}")]
    doubts += [
        Doubt(e.name, f"{e.number()}, Holm p {plain(found.adjusted[name])}", e.value)
        for name, e in found.actions.items()
        if name != judged
    ]
    replaced = sum(found.replaced.values())
    zeros = Doubt("zeros replaced", f"{replaced:,} counts of 0 became a half", float(replaced))
    doubts += [*left_out(found.fit.dropped), zeros]
    estimate, clusters = found.actions[judged], found.fit.n_accounts
    return Evidence(estimate, clusters=clusters, doubts=tuple(doubts), result=found.fit)


def judge_distance(cast: Variables[DistanceOptions]) -> Evidence:
    """Slope of r(log count, log sales) over the steps from the purchase, towards it; jackknife over rows.

    θ = Σ_j (d̄ − d_j) r_j / Σ_j (d_j − d̄)², d_j the distance of count j. The correlations share their rows, so the
    jackknife leaves a row out of all of them at once.
    """
    steps = cast.options.steps
    names = [cast.column("y"), *(cast.column(role) for role in steps)]
    table = cast.rows(names).to_numpy()
    table = table[np.isfinite(table).all(axis=1)]
    logs = np.log(table[(table > 0).all(axis=1)])
    n = len(logs)
    if n < 10:
        raise DesignError(
            "too few rows for correlations",
            got=f"{Count(n):complete row}",
            allowed="10 or more",
            fix="bring more rows",
        )
    distance = np.array([float(steps[role]) for role in steps])
    weights = (distance.mean() - distance) / np.sum((distance - distance.mean()) ** 2)
    value = float(weights @ _correlations(logs))
    left = np.array([weights @ _correlations(np.delete(logs, i, axis=0)) for i in range(n)])
    se = math.sqrt((n - 1) / n * float(np.sum((left - left.mean()) ** 2)))
    estimate = StudentT(value, se, n - 2).estimate(
        "correlation gained per step towards the purchase",
        cast.level,
        n_rows=n,
        method=f"Pearson correlations of logs, jackknife over rows, t({n - 2})",
    )
    frame, order = pl.DataFrame(logs, schema=names), np.argsort(-distance, kind="stable")
    found = {names[1 + at]: correlate(frame, names[1 + at], names[0], level=cast.level) for at in order}
    doubts = [Doubt(f"r of {name}", e.number(), e.value) for name, e in found.items()]
    if zeros := len(table) - n:
        doubts.append(Doubt("rows left out", f"{Count(zeros):row} with a count of 0", zeros))
    return Evidence(estimate, doubts=tuple(doubts), result=found)


def _correlations(logs: np.ndarray) -> np.ndarray:
    """Correlation of each further column with the first."""
    return np.asarray(np.corrcoef(logs, rowvar=False)[0, 1:])


#: Where a tier is open at the top its middle is taken at this multiple of its lower end.
_OPEN_TOP = 2.5
_TIER = ("source", "series", "platform")


def published_tiers(cast: Variables[TierOptions]) -> pd.DataFrame:
    """Read tiers, each at the geometric middle of its ends (open at the top: 2.5 times its lower end; from 0: half).

    One row a tier: source, series, platform, middle, mean rate, whether it is used, and whether it is judged.
    """
    columns = [cast.column(role) for role in ("low", "high", "rate")]
    names = [cast.column(role) for role in ("by", "series", "platform")]
    table = cast.rows(columns, names)
    low, high, rate = (table[column].to_numpy() for column in columns)
    middle = np.where(np.isnan(high), _OPEN_TOP * low, np.where(low > 0, np.sqrt(low * high), high / 2))
    used = np.isfinite(low) & (middle > 0) & (rate > 0)
    told = {part: table[name].to_list() for part, name in zip(_TIER, names, strict=True)}
    found = pd.DataFrame({**told, "middle": middle, "rate": rate, "used": used})
    return found.assign(judged=used & (found["platform"] == cast.options.platform))


def judge_tiers(cast: Variables[TierOptions]) -> Evidence:
    """Fall of published mean rates from tier to tier of followers, by a meta-analysis with the source as unit.

    For each series (a source's rates by one definition) the slope b of log rate on log followers
    (:func:`published_tiers`). Its variance is
    σ²/Σ(x − x̄)², σ² pooled over all series with three tiers or more; a source with several series enters with their
    mean. θ = −b over sources by random effects; below and above each declared kink beside it.
    """
    tiers = published_tiers(cast)
    here = tiers[tiers["judged"]]
    noise = _noise(here)
    slopes = _slopes(here, noise)
    if len(slopes) < 2:
        raise DesignError(
            "published tiers need two sources or more",
            got=f"{len(slopes)} with two tiers",
            allowed="2 or more, one of them with three tiers",
            fix="bring more sources",
        )
    whole = meta_analysis(slopes, level=cast.level)
    spread, share = plain(whole.tau), f"{100 * whole.heterogeneity:.0f} %"
    said = f"sources differ with a standard deviation of {spread} (I² {share})"
    doubts = [Doubt("heterogeneity", said, whole.tau)]
    if whole.prediction is not None:
        doubts.append(Doubt("prediction", f"a further source would lie in {whole.prediction}"))
    left = [one.value for one in whole.without.values()]
    if left:
        said = f"without one source the mean lies between {plain(min(left))} and {plain(max(left))}"
        doubts.append(Doubt("leave one out", said))
    for kink in cast.options.kinks:
        for side, rows in (("below", here[here["middle"] < kink]), ("above", here[here["middle"] >= kink])):
            doubts.append(_part(f"{side} {kink:,.0f} followers", _slopes(rows, noise), cast.level))
    for other, rows in tiers[tiers["used"]].groupby("platform"):
        if other != cast.options.platform:
            doubts.append(_part(f"on {other}", _slopes(rows, noise), cast.level))
    mean = replace(whole.mean, name="fall of the mean rate per log follower", by="source")
    return Evidence(mean, clusters=len(whole.estimates), doubts=tuple(doubts), result=whole)


def _part(name: str, slopes: dict[str, Estimate], level: float) -> Doubt:
    """What a part of the tiers gives."""
    if len(slopes) > 1:
        mean = meta_analysis(slopes, level=level).mean
        return Doubt(name, f"{mean.number()}, {Count(len(slopes)):source}", mean.value)
    alone = [one.value for one in slopes.values()]
    return Doubt(name, f"{plain(alone[0])} in the only source" if alone else "no source has two tiers")


def _series(tiers: pd.DataFrame) -> Iterator[tuple[str, float, float, np.ndarray]]:
    """Source, slope, spread of x and residuals of every series with two tiers or more."""
    for (source, _), part in tiers.groupby(["source", "series"], sort=False, dropna=False):
        x, y = (np.log(part[name].to_numpy()) for name in ("middle", "rate"))
        around = x - x.mean()
        spread = float(around @ around)
        if spread > 0:
            slope = float(around @ y / spread)
            yield str(source), slope, spread, y - y.mean() - slope * around


def _noise(tiers: pd.DataFrame) -> float:
    """Variance of a log rate about its series' line, pooled; nan where no series has three tiers."""
    rests = [rest for *_, rest in _series(tiers)]
    freedom = sum(len(rest) - 2 for rest in rests)
    return sum(float(rest @ rest) for rest in rests) / freedom if freedom else math.nan


def _slopes(tiers: pd.DataFrame, noise: float) -> dict[str, Estimate]:
    """−b of each source: the mean over its series."""
    found: dict[str, list[tuple[float, float, int]]] = {}
    for source, slope, spread, rest in _series(tiers):
        found.setdefault(source, []).append((slope, spread, len(rest)))
    made = {}
    for source, series in found.items() if noise > 0 else ():
        value = -float(np.mean([slope for slope, *_ in series]))
        se = math.sqrt(noise / float(np.mean([spread for _, spread, _ in series])))
        seen = sum(count for *_, count in series)
        made[source] = StudentT(value, se, math.inf).estimate(source, 0.95, n_rows=seen, n_accounts=1)
    return made


#: Every procedure that ``claims.toml`` may name.
PROCEDURES: Final[Mapping[str, Callable[[Variables[Any]], Evidence]]] = {
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


# -------------------------------------------------------------------------------------- what stands beside
#: Names under which the figures stand; those of the order in time are the names that an arrow gives them.
NAIVE: Final = "naive correlation"
SAME, LEAD, REVERSE = "same period", "lead placebo", "reverse direction"
UNSEEN: Final = "out of sample"
#: Parts of the rows that are left out in turn where there are no accounts.
_PARTS: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """One pair of columns: its rows, what a forecast of y may know without x, and the groups it compares within.

    `glance` is what a naive look would take in the place of x.
    """

    name: str
    y: np.ndarray
    x: np.ndarray
    held: Sequence[np.ndarray] = ()
    groups: np.ndarray | None = None
    glance: np.ndarray | None = None

    @property
    def naive(self) -> float:
        x = self.x if self.glance is None else self.glance
        known = np.isfinite(x) & np.isfinite(self.y)
        x, y = x[known], self.y[known]
        return float(np.corrcoef(x, y)[0, 1]) if known.any() and np.ptp(x) > 0 < np.ptp(y) else math.nan

    @property
    def unseen(self) -> float:
        """Share of the squared error saved in parts of the rows, or whole groups, that were left out."""
        columns = [*self.held, self.x, self.y]
        known = np.isfinite(columns).all(axis=0)
        table = np.column_stack([column[known] for column in columns])
        if self.groups is None:
            parts = np.arange(len(table)) % _PARTS
            table = np.column_stack([np.ones(len(table)), table - table.mean(axis=0)])
        else:
            parts = np.unique(self.groups[known], return_inverse=True)[1]
            rows = pd.DataFrame(table)
            table = (rows - rows.groupby(parts).transform("mean")).to_numpy()
        spread = table.std(axis=0)
        table = table / np.where(spread > 0, spread, 1.0)
        crosses = np.stack([table[parts == part].T @ table[parts == part] for part in np.unique(parts)])
        at = list(range(table.shape[1]))
        return saved_share([(crosses.sum(axis=0) - one, one, at[:-2], at[-2:-1]) for one in crosses])


def saved_share(rounds: Sequence[tuple[np.ndarray, np.ndarray, list[int], list[int]]]) -> float:
    """Share of the squared error that further columns save where they were not estimated: Σ e₀(e₀ − e₁) / Σ e₀².

    As :func:`erresearch.predictive_gain` counts it (Clark and West): about 0 where they say nothing.

    Parameters
    ----------
    rounds : sequence of (k × k ndarray, k × k ndarray, list of int, list of int)
        Cross-products of the rows used and of those left out, the outcome last; columns of the smaller model, and those
        that the larger has beyond them.
    """
    saved = lost = 0.0
    for used, left, held, added in rounds:
        smaller, larger = (_errors(used, on) for on in (held, [*held, *added]))
        saved += float(smaller @ left @ (smaller - larger))
        lost += float(smaller @ left @ smaller)
    return saved / lost if lost else math.nan


def _errors(used: np.ndarray, on: list[int]) -> np.ndarray:
    """Weights whose product with a row is the error of its forecast."""
    weights = np.zeros(len(used))
    weights[-1] = 1.0
    if on:
        weights[on] = -np.linalg.lstsq(used[np.ix_(on, on)], used[on, -1], rcond=None)[0]
    return weights


# ---------------------------------------------------------------------------------------- pairs, by procedure
def _column(cast: Variables[Any], term: Any, *, log: bool = False) -> np.ndarray:
    value = nw.col(term) if isinstance(term, str) else term
    rows = nw.from_native(cast.data, eager_only=True).select(value.cast(nw.Float64()).alias("value"))
    found = rows["value"].to_numpy().astype(float)
    return np.log(np.where(found > 0, found, np.nan)) if log else found


def _keys(cast: Variables[Any], role: str) -> np.ndarray | None:
    if role not in cast.roles:
        return None
    keys = nw.from_native(cast.data, eager_only=True)[cast.column(role)]
    return np.asarray(keys.to_numpy()).astype(str)


def _of_slope(cast: Variables[Any]) -> list[_Look]:
    options = cast.options
    y = _column(cast, cast.term("y"), log=options.log_link)
    held = [_column(cast, cast.term(role)) for role in options.regressors if role not in options.weights]
    return [
        _Look(cast.column(role), y, _column(cast, cast.term(role)), held, _keys(cast, "by"))
        for role in options.weights
    ]


def _of_mix(cast: Variables[Any]) -> list[_Look]:
    options = cast.options
    counts = [_column(cast, cast.column(role)) for role in options.actions]
    halved = (np.log(np.where(count > 0, count, 0.5)) for count in counts)
    logs, total = dict(zip(options.actions, halved, strict=True)), sum(counts)
    others = [role for role in options.actions if role != options.action]
    ratio = logs[options.action] - np.mean([logs[role] for role in others], axis=0)
    held = [np.log(np.where(total > 0, total, np.nan))]
    held += [logs[role] - logs[others[-1]] for role in others[:-1]]
    held += [_column(cast, cast.term(role)) for role in options.controls if role in cast.roles]
    y = _column(cast, cast.term("y"), log=options.log_link)
    return [_Look(f"{cast.column(options.action)} against the others", y, ratio, held, _keys(cast, "by"))]


def _of_groups(cast: Variables[Any]) -> list[_Look]:
    y = _column(cast, cast.column("y"))
    look = _Look(cast.column("group"), y, _column(cast, membership(cast)))
    if cast.options.scale == "difference":
        through = cast.roles.get("through")
        return [look if through is None else replace(look, glance=_column(cast, through))]
    amount = np.where(y > 0, _column(cast, cast.column("money")), np.nan)
    return [replace(look, name="whether"), replace(look, name="how much", y=amount)]


def _of_distance(cast: Variables[Any]) -> list[_Look]:
    steps = sorted(cast.options.steps, key=lambda role: cast.options.steps[role])
    y = _column(cast, cast.column("y"), log=True)
    logs = [_column(cast, cast.column(role), log=True) for role in steps]
    whole = np.where(np.isfinite(logs).all(axis=0), y, np.nan)
    return [_Look(cast.column(steps[end]), whole, logs[end]) for end in (0, -1)]


def _of_decay(cast: Variables[Any]) -> list[_Look]:
    followers, reactions = (_column(cast, cast.column(role), log=True) for role in ("followers", "reactions"))
    return [_Look(f"{cast.column('reactions')} per follower", reactions - followers, followers)]


def _of_tiers(cast: Variables[Any]) -> list[_Look]:
    every = published_tiers(cast)
    tiers = every[every["judged"]]
    rate, middle = (np.log(tiers[name].to_numpy()) for name in ("rate", "middle"))
    series = (tiers["source"] + " / " + tiers["series"]).to_numpy()
    return [_Look("followers", rate, middle, groups=series)]


def _of_threshold(cast: Variables[Any]) -> list[_Look]:
    count, y = (_column(cast, cast.column(role)) for role in ("x", "y"))
    return [_Look(cast.column("x"), y, np.log1p(count))]


_PAIRS: Final[Mapping[str, Callable[[Variables[Any]], list[_Look]]]] = {
    "slope": _of_slope,
    "mix": _of_mix,
    "groups": _of_groups,
    "distance": _of_distance,
    "decay": _of_decay,
    "tiers": _of_tiers,
    "threshold": _of_threshold,
}


def look_beside(procedure: str, cast: Variables[Any]) -> tuple[Doubt, ...]:
    """Naive correlation, gain out of sample and, where a forecast is judged, the order in time of its pair.

    A claim that sets two things against each other has each figure twice, in their order.

    Parameters
    ----------
    procedure : str
        Of the claim.
    cast : Variables
        Rows in memory.

    Returns
    -------
    tuple of Doubt
        Under :data:`NAIVE`, :data:`UNSEEN`, :data:`SAME`, :data:`LEAD` and :data:`REVERSE`; none is raised.
    """
    if {"by", "time"} <= cast.roles.keys():
        return (*_in_time(procedure, cast),)
    looks = _PAIRS[procedure](cast)
    gains = [_jump_unseen(cast)] if procedure == "threshold" else [look.unseen for look in looks]
    parts = "rows" if looks[0].groups is None else f"whole {cast.column('by')}s"
    doubts = [Doubt(NAIVE, f"{look.name}, nothing held: {plain(look.naive)}", look.naive) for look in looks]
    for look, gain in zip(looks, gains, strict=True):
        said = (
            f"share of the squared error that {look.name} saves in {parts} that were left out: {plain(gain)}"
        )
        doubts.append(Doubt(UNSEEN, said, gain))
    return tuple(doubts)


def _jump_unseen(cast: Variables[Any]) -> float:
    """What a jump saves beyond a smooth curve, its place and size from the other half of the rows."""
    moments = threshold_moments(cast)
    powers, places = curve_and_places(moments, cast)
    rounds = []
    for half, place, other in choose_in_halves(moments, places, powers):
        names = [*powers, place, moments.columns[-1]]
        used, left = (with_constant(each[names]).sum(axis=0) for each in (half, other))
        rounds.append((used, left, list(range(1 + len(powers))), [1 + len(powers)]))
    return saved_share(rounds)


def _in_time(procedure: str, cast: Variables[Any]) -> list[Doubt]:
    y = cast.term("y")
    time: dict[str, Any] = {**cast.in_time, "level": cast.level}
    others = cast.terms(cast.options.baseline) if procedure == "prediction" else []
    rivals = [role for role in ("x", "rival") if role in cast.roles]
    doubts = []
    # rows in time are no independent rows: this is the look that does not ask
    with own_warnings():
        for role in rivals:
            naive = correlate(cast.data, cast.term(role), y, level=cast.level).value
            said = f"{cast.name(role)}, in the same period, nothing held: {plain(naive)}"
            doubts.append(Doubt(NAIVE, said, naive))
    if procedure == "prediction":
        lags = PrecedenceOptions().lags
        found = precedence(cast.data, cast.term("x"), y, lags=lags, **time)
        for name, one in ((SAME, found.contemporaneous), (LEAD, found.lead), (REVERSE, found.reverse)):
            if one is not None:
                doubts.append(Doubt(name, one.number(), one.value))
    for role in rivals:
        try:
            gain = predictive_gain(cast.data, y, baseline=others, add=cast.term(role), **time).gain
        except ErresearchError as error:
            doubts.append(Doubt(UNSEEN, f"could not be looked at: {error}"))
            continue
        said = f"share of the squared error of a forecast that {cast.name(role)} saves: {gain.number()}"
        doubts.append(Doubt(UNSEEN, said, gain.value))
    return doubts
