"""Claims about rows that were seen once: films, posts, sessions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.claims.decision_rule import Evidence, left_out
from erresearch.claims.options import DistanceOptions, MixOptions, SlopeOptions
from erresearch.claims.variables import Variables
from erresearch.engine.sources import gather, open_rows
from erresearch.errors import DesignError
from erresearch.relate import contrast, correlate, logit, mix, poisson, regress
from erresearch.results import Doubt, Estimate, StudentT, largest, plain

__all__ = ["judge_distance", "judge_mix", "judge_slope"]

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
        Doubt(f"coefficient of {name}", f"{plain(e.value)} {e.interval}", e.value)
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
    doubts = [Doubt("the total", f"{found.total.name}: {plain(found.total.value)} {found.total.interval}")]
    doubts += [
        Doubt(e.name, f"{plain(e.value)} {e.interval}, Holm p {plain(found.adjusted[name])}", e.value)
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
    reference = StudentT(value, se, n - 2)
    estimate = Estimate(
        "correlation gained per step towards the purchase",
        value=value,
        se=se,
        df=n - 2,
        interval=reference.interval(cast.level),
        n_rows=n,
        n_accounts=0,
        unit="",
        method=f"Pearson correlations of logs, jackknife over rows, t({n - 2})",
        reference=reference,
    )
    found = {
        name: correlate(_frame(logs, names), name, names[0], level=cast.level)
        for name in sorted(names[1:], key=lambda name: -distance[names.index(name) - 1])
    }
    doubts = [Doubt(f"r of {name}", f"{plain(e.value)} {e.interval}", e.value) for name, e in found.items()]
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
