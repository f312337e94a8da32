"""Claims about rows that were seen once: films, posts, sessions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.claims.decision_rule import Evidence, left_out
from erresearch.claims.options import DistanceOptions, MixOptions, SlopeOptions, TierOptions
from erresearch.claims.variables import Variables
from erresearch.engine.sources import gather, open_rows
from erresearch.errors import DesignError
from erresearch.relate import contrast, correlate, logit, meta_analysis, mix, poisson, regress
from erresearch.results import Doubt, Estimate, StudentT, largest, plain

_ESTIMATORS: Mapping[str, Any] = {"ols": regress, "poisson": poisson, "logit": logit}


def judge_slope(cast: Variables[SlopeOptions]) -> Evidence:
    """A coefficient, or one contrast of coefficients, in a regression with the claim's adjustment set."""
    weights, roles, model = cast.options.weights, cast.options.regressors, cast.options.estimator
    # strata stand for rows that have no account: they cluster, but have no effects of their own
    strata = cast.options.strata
    by = strata or cast.roles.get("by")
    effects: tuple[str, ...] = ("account",) if by is not None and not strata else ()
    arguments: dict[str, Any] = {} if model == "logit" else {"effects": effects}
    fit = _ESTIMATORS[model](
        cast.data,
        cast.term("y"),
        on=cast.terms(roles),
        by=by,
        cov="CRV3" if strata else "auto",
        level=cast.level,
        **arguments,
    )
    names = {role: cast.name(role) for role in roles}
    if len(weights) == 1:
        role, weight = next(iter(weights.items()))
        estimate = fit[names[role]] if weight == 1 else contrast(fit, {names[role]: weight}, level=cast.level)
    else:
        words = " − ".join(names[role] for role in weights)
        estimate = contrast(
            fit, {names[role]: w for role, w in weights.items()}, name=words, level=cast.level
        )
    worst = largest(fit.vif.items(), lambda pair: pair[1])
    doubts = [
        Doubt(
            "collinearity",
            f"largest variance inflation {plain(worst[1])} ({worst[0]})",
            worst[1],
            worst[1] > 10,
        )
    ]
    doubts += [
        Doubt(f"coefficient of {name}", f"{e.number()}", e.value)
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
    strata = cast.options.strata
    found = mix(
        cast.data,
        cast.term("y"),
        actions=[cast.column(role) for role in cast.options.actions],
        by=strata or cast.roles.get("by"),
        effects=() if strata else None,
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
    doubts += left_out(found.fit.dropped)
    replaced = sum(found.replaced.values())
    doubts.append(Doubt("zeros replaced", f"{replaced:,} counts of 0 became a half", float(replaced)))
    return Evidence(
        found.actions[judged], clusters=found.fit.n_accounts, doubts=tuple(doubts), result=found.fit
    )


def judge_distance(cast: Variables[DistanceOptions]) -> Evidence:
    """Slope of r(log count, log sales) over the steps from the purchase, towards it; jackknife over rows.

    θ = Σ_j (d̄ − d_j) r_j / Σ_j (d_j − d̄)², d_j the distance of count j. The correlations share their rows, so the
    jackknife leaves a row out of all of them at once.
    """
    steps = cast.options.steps
    names = [cast.column("y"), *(cast.column(role) for role in steps)]
    table = _complete(cast.data, names)
    logs = np.log(table[(table > 0).all(axis=1)])
    n = len(logs)
    if n < 10:
        raise DesignError(
            "too few rows for correlations",
            got=f"{n} complete rows",
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
    found = {
        name: correlate(_frame(logs, names), name, names[0], level=cast.level)
        for name in sorted(names[1:], key=lambda name: -distance[names.index(name) - 1])
    }
    doubts = [Doubt(f"r of {name}", f"{e.number()}", e.value) for name, e in found.items()]
    if len(table) > n:
        doubts.append(Doubt("rows left out", f"{len(table) - n} rows with a count of 0", len(table) - n))
    return Evidence(estimate, doubts=tuple(doubts), result=found)


def _correlations(logs: np.ndarray) -> np.ndarray:
    """Correlation of each further column with the first."""
    return np.asarray(np.corrcoef(logs, rowvar=False)[0, 1:])


def _frame(logs: np.ndarray, names: list[str]) -> Any:
    import polars as pl

    return pl.DataFrame({name: logs[:, i] for i, name in enumerate(names)})


def _complete(data: Any, names: list[str]) -> np.ndarray:
    """Rows (n × k) in which every column is a finite number."""
    opened = open_rows(data, names, [], None)
    wanted = opened.frame.select(*(nw.col(name).cast(nw.Float64()) for name in names))
    table = gather(wanted).to_numpy()
    return np.asarray(table[np.isfinite(table).all(axis=1)])


#: Where a tier is open at the top its middle is taken at this multiple of its lower end.
_OPEN_TOP = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class Tiers:
    """Published tiers: source and series, middle, mean rate and platform; which are used, and which of them judged."""

    keys: list[tuple[str, str]]
    middle: np.ndarray
    rate: np.ndarray
    platform: np.ndarray
    used: np.ndarray
    judged: np.ndarray


def published_tiers(cast: Variables[TierOptions]) -> Tiers:
    """Read tiers, each at the geometric middle of its ends (open at the top: 2.5 times its lower end; from 0: half)."""
    columns = [cast.column(role) for role in ("low", "high", "rate")]
    names = [cast.column(role) for role in ("by", "series", "platform")]
    opened = open_rows(cast.data, columns, names, None)
    numbers = [nw.col(column).cast(nw.Float64()) for column in columns]
    table = gather(opened.frame.select(*numbers, *names))
    low, high, rate = (table[column].to_numpy().astype(float) for column in columns)
    middle = np.where(np.isnan(high), _OPEN_TOP * low, np.where(low > 0, np.sqrt(low * high), high / 2))
    used = np.isfinite(low) & (middle > 0) & (rate > 0)
    platform = table[names[2]].to_numpy()
    keys = list(zip(table[names[0]].to_list(), table[names[1]].to_list(), strict=True))
    return Tiers(keys, middle, rate, platform, used, used & (platform == cast.options.platform))


def judge_tiers(cast: Variables[TierOptions]) -> Evidence:
    """Fall of published mean rates from tier to tier of followers, by a meta-analysis with the source as unit.

    For each series (a source's rates by one definition) the slope b of log rate on log followers
    (:func:`published_tiers`). Its variance is
    σ²/Σ(x − x̄)², σ² pooled over all series with three tiers or more; a source with several series enters with their
    mean. θ = −b over sources by random effects; below and above each declared kink beside it.
    """
    tiers = published_tiers(cast)
    middle, here, keys = tiers.middle, tiers.judged, tiers.keys

    def over(rows: np.ndarray) -> dict[str, Estimate]:
        return _slopes(keys, np.log(middle[rows]), np.log(tiers.rate[rows]), np.flatnonzero(rows), noise)

    noise = _noise(keys, np.log(middle[here]), np.log(tiers.rate[here]), np.flatnonzero(here))
    slopes = over(here)
    if len(slopes) < 2:
        raise DesignError(
            "published tiers need two sources or more",
            got=f"{len(slopes)} with two tiers",
            allowed="2 or more, one of them with three tiers",
            fix="bring more sources",
        )
    whole = meta_analysis(slopes, level=cast.level)
    doubts = [
        Doubt(
            "heterogeneity",
            f"sources differ with a standard deviation of {plain(whole.tau)} (I² {100 * whole.heterogeneity:.0f} %)",
            whole.tau,
        )
    ]
    if whole.prediction is not None:
        doubts.append(Doubt("prediction", f"a further source would lie in {whole.prediction}"))
    left = [one.value for one in whole.without.values()]
    if left:
        said = f"without one source the mean lies between {plain(min(left))} and {plain(max(left))}"
        doubts.append(Doubt("leave one out", said))
    for kink in cast.options.kinks:
        for side, rows in (("below", here & (middle < kink)), ("above", here & (middle >= kink))):
            doubts.append(_part(f"{side} {kink:,.0f} followers", over(rows), cast.level))
    for other in sorted({str(one) for one in tiers.platform[tiers.used]} - {cast.options.platform}):
        doubts.append(_part(f"on {other}", over(tiers.used & (tiers.platform == other)), cast.level))
    mean = replace(whole.mean, name="fall of the mean rate per log follower", by="source")
    return Evidence(mean, clusters=len(whole.estimates), doubts=tuple(doubts), result=whole)


def _part(name: str, slopes: dict[str, Estimate], level: float) -> Doubt:
    """What a part of the tiers gives."""
    if len(slopes) > 1:
        mean = meta_analysis(slopes, level=level).mean
        return Doubt(name, f"{mean.number()}, {len(slopes)} sources", mean.value)
    alone = [one.value for one in slopes.values()]
    return Doubt(name, f"{plain(alone[0])} in the only source" if alone else "no source has two tiers")


def _series(
    keys: list[tuple[str, str]], x: np.ndarray, y: np.ndarray, rows: np.ndarray
) -> Iterator[tuple[str, float, float, np.ndarray]]:
    """Source, slope, spread of x and residuals of every series with two tiers or more."""
    names = [keys[i] for i in rows]
    for key in dict.fromkeys(names):
        at = np.array([name == key for name in names])
        around = x[at] - x[at].mean()
        spread = float(around @ around)
        if spread > 0:
            slope = float(around @ y[at] / spread)
            yield key[0], slope, spread, y[at] - y[at].mean() - slope * around


def _noise(keys: list[tuple[str, str]], x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> float:
    """Variance of a log rate about its series' line, pooled; nan where no series has three tiers."""
    rests = [rest for *_, rest in _series(keys, x, y, rows)]
    freedom = sum(len(rest) - 2 for rest in rests)
    return sum(float(rest @ rest) for rest in rests) / freedom if freedom else math.nan


def _slopes(
    keys: list[tuple[str, str]], x: np.ndarray, y: np.ndarray, rows: np.ndarray, noise: float
) -> dict[str, Estimate]:
    """−b of each source: the mean over its series."""
    found: dict[str, list[tuple[float, float, int]]] = {}
    for source, slope, spread, rest in _series(keys, x, y, rows):
        found.setdefault(source, []).append((slope, spread, len(rest)))
    made = {}
    for source, series in found.items() if noise > 0 else ():
        value = -float(np.mean([slope for slope, *_ in series]))
        se = math.sqrt(noise / float(np.mean([spread for _, spread, _ in series])))
        seen = sum(count for *_, count in series)
        made[source] = StudentT(value, se, math.inf).estimate(source, 0.95, n_rows=seen, n_accounts=1)
    return made
