"""Poisson pseudo-maximum likelihood: the regression, and its likelihood with the effects concentrated out.

exp(α_i) = Σy/Σexp(xβ) leaves a likelihood in β alone, whose scores and Hessians by account are those of the fit with
one dummy per account. It has no maximum where the regressors predict zeros perfectly: such rows are left out first.

References
----------
Correia, S., Guimarães, P., & Zylkin, T. (2021). Verifying the existence of maximum likelihood estimates for
generalized linear models. arXiv:1903.01633.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations_with_replacement
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.aggregation import moment_pass
from erresearch.engine.lazy_rows import LazyRows, free_name, gather
from erresearch.engine.moments import Moments
from erresearch.errors import Count, DataError, DesignError, ErresearchError
from erresearch.io.resources import share_of_memory
from erresearch.relate.design import (
    Effect,
    centred,
    check_accounts,
    check_design,
    check_outcome,
    check_regressors,
    check_rows,
    effect_word,
    free_constant,
    left_out,
    listed,
    open_moments,
    still,
)
from erresearch.relate.fitted_models import (
    NEGLIGIBLE,
    Covariance,
    State,
    ascend,
    assemble,
    check_covariance,
    deviance_share,
    fitted_maximum,
    flat_directions,
    linear_predictor,
    not_converged,
    unpack,
)
from erresearch.relate.inference import without_constant
from erresearch.results import Fit
from erresearch.results.estimates import check_level

SEPARATED = "separated (the regressors predict the zero perfectly)"
_NEVER = 1e300  # stands for "no such row" in a maximum or minimum
#: Standard deviations of the predictor that count as no distance.
_MARGIN = 1e-6
#: Bytes of rows that are held in memory between the passes.
_HELD = 1 << 30
#: Rows of the sample that gives the starting values, and the step at which its climb may end: its own sampling
#: error is larger.
_SAMPLE, _NEAR = 250_000, 1e-2


def poisson(
    data: Any,
    outcome: Any,
    on: Sequence[Any],
    *,
    by: str | None = None,
    effects: tuple[Effect, ...] | None = None,
    cov: Covariance = "auto",
    level: float = 0.95,
    rng: int = 0,
) -> Fit:
    """Poisson pseudo-maximum likelihood (PPML): the default for money and counts, zeros included.

    E[y_it | x_it] = exp(α_i + x_itᵀβ). The effect of account i is concentrated out, exp(α_i) = Σy/Σexp(xβ), so each
    Newton step is one weighted pass of the same aggregation that makes moments. Only the mean has to be right: y
    need not be Poisson, nor whole numbers. Coefficients on logs are elasticities.

    Parameters
    ----------
    data : frame or path
        Any frame that narwhals accepts, or a path or glob of .parquet or .csv; moments that still have their rows.
    outcome : str or narwhals expression
        Left-hand side, not negative.
    on : sequence of str or narwhals expressions
        Regressors.
    by : str, optional
        The account: unit of the effects and of the clustering.
    effects : tuple, optional
        ``("account",)`` where `by` is given, else ``()`` (one intercept). Pass ``()`` with `by` for a pooled model
        with account-clustered inference.
    cov : {"auto", "wild", "CRV3", "CRV1", "HC3", "HC1"}
        As in :func:`erresearch.regress`; the bootstrap is the restricted score bootstrap, CRV3 takes one Newton step
        per account left out.
    level : float
        Confidence level.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Fit
        Estimates; ``.dropped`` counts accounts without any outcome and rows that the regressors separate.

    Raises
    ------
    DataError
        A negative outcome, or one that is 0 everywhere.
    DesignError
        Collinear columns, an outcome that does not vary, too few rows, moments without their rows, or no convergence.

    See Also
    --------
    erresearch.regress : Least squares.
    erresearch.decay : How reactions grow with followers.

    References
    ----------
    Santos Silva, J. M. C., & Tenreyro, S. (2006). The log of gravity. *Review of Economics and Statistics*, 88(4),
    641-658. Correia, S., Guimarães, P., & Zylkin, T. (2020). Fast Poisson estimation with high-dimensional fixed
    effects. *Stata Journal*, 20(1), 95-115.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"shop": np.repeat(np.arange(40), 25), "x": rng.normal(size=1000)})
    >>> table["orders"] = rng.poisson(np.exp(0.3 * table["x"] + table["shop"] / 20))
    >>> 0.3 in poisson(table, "orders", on=["x"], by="shop")["x"].interval
    True
    """
    check_level(level)
    on = listed(on)
    named = by is not None or getattr(data, "by", None) is not None
    effects = effects if effects is not None else (("account",) if named else ())
    moments = open_moments(data, [*on, outcome], by=by, within=bool(effects))
    if effects not in ((), ("account",)):
        raise DesignError(
            "PPML takes account effects only",
            got=repr(effects),
            allowed="(), ('account',)",
            fix="use `regress` on the log of a positive outcome for period effects",
        )
    check_accounts(moments, effects)
    moments.need_rows("PPML needs passes over the rows")
    check_regressors(moments.columns[:-1])
    check_rows(moments.rows, len(moments.columns) - 1, got=left_out(moments.dropped))
    if not effects:
        free_constant(moments.columns[:-1])
    check_covariance(cov, clustered=moments.by is not None)
    within, moments = bool(effects), hold(moments)
    totals, moments, dropped = usable(moments, within=within)
    left, raw = centred(moments, within=within)[-1, -1], np.einsum("gii->i", moments.grams())[-1]
    check_outcome(moments, left, raw, when=" within its accounts" * within)
    state, moments, lost, dropped = _fit(moments, totals, within=within, dropped=dropped)
    words = f"PPML with {effect_word(moments.by)} effects" if within else "PPML"
    if lost:
        words += f" ({', '.join(map(repr, lost))} left out: predicts zeros perfectly)"
    y = float(totals.y.sum())
    alone = float(totals.alone.sum()) if within else y * math.log(y / moments.weight.sum())
    check_rows(moments.rows, len(state.beta) + (moments.accounts + moments.merged if within else 0))
    moments = replace(moments, dropped=dropped)
    r2 = deviance_share(float(totals.ylogy.sum()), state.loglik, alone)
    fitted = fitted_maximum(moments, state, words=words, family="poisson", r2=r2)
    return assemble(fitted, moments, cov=cov, level=level, rng=rng)


def _fit(
    moments: Moments, totals: Totals, *, within: bool, dropped: dict[str, int]
) -> tuple[State, Moments, list[str], dict[str, int]]:
    """Fit; where the likelihood has no maximum, leave out the rows that the regressors separate and fit again."""
    columns, lost = moments.columns, list[str]()
    for _ in columns:
        if len(moments.columns) < 2:
            break
        gram, raw = centred(moments, within=within), np.einsum("gii->i", moments.grams())
        gone = dropped.get(SEPARATED, 0)
        when = f" once {Count(gone):row is} left out whose zeros they predict perfectly" if gone else ""
        scale = check_design(gram[:-1, :-1], moments.columns[:-1], raw[:-1], when=when)
        start = starting_values(moments, totals, within=within)
        state, converged = climb(moments, totals, start, within=within)
        if converged:
            return state, moments, sorted(lost, key=columns.index), dropped
        hessian = state.hessians.sum(axis=0)
        flattest = flat_directions(hessian if within else without_constant(hessian), scale)
        found = (_without_separated(moments, flat, within=within) for flat in flattest)
        kept = next((fewer for fewer in found if fewer.rows < moments.rows), None)
        if kept is None:
            raise not_converged("PPML")
        gone += moments.rows - kept.rows
        totals, moments, again = usable(kept, within=within)
        dropped = {**dropped, **{words: n for words, n in again.items() if words not in kept.dropped}}
        dropped[SEPARATED] = gone
        own, raw = np.diag(centred(moments, within=within)), np.einsum("gii->i", moments.grams())
        flat = [name for name, rests in zip(moments.columns[:-1], still(own, raw)[:-1], strict=True) if rests]
        lost += flat
        held = [i for i, name in enumerate(moments.columns[:-1]) if name not in flat]
        totals = replace(totals, xy=totals.xy[:, held if within else [0, *(i + 1 for i in held)]])
        moments = moments[[*(moments.columns[i] for i in held), moments.columns[-1]]]
    raise DesignError(
        f"every regressor predicts the zeros of {moments.columns[-1]!r} perfectly",
        got=", ".join(map(repr, lost)),
        fix="compare shares of zeros instead",
    )


def _without_separated(moments: Moments, direction: np.ndarray, *, within: bool) -> Moments:
    """Moments without the rows whose zeros a direction of the regressors predicts perfectly; the same where it does not.

    The likelihood keeps rising along the direction d of least curvature. d separates when x·d is the same for all
    positive outcomes (of an account, with effects) and no zero lies above it; the zeros below it are separated.
    """
    source = moments.need_rows()
    gram = centred(moments, within=within)[:-1, :-1]
    direction = direction / math.sqrt(max(direction @ gram @ direction, 1e-300) / moments.weight.sum())
    y = source.col(moments.columns[-1])
    for sign in (1.0, -1.0):
        along = linear_predictor(moments, sign * direction)
        top = nw.when(y > 0).then(along).otherwise(-_NEVER)
        ends = [
            top.max().alias("high"),
            nw.when(y > 0).then(along).otherwise(_NEVER).min().alias("low"),
            nw.when(y > 0).then(-_NEVER).otherwise(along).max().alias("zero"),
        ]
        high, low, zero = nw.col("high"), nw.col("low"), nw.col("zero")
        across = (high > -_NEVER) & ((high - low >= _MARGIN) | (zero > high + _MARGIN))
        unit = source if within else replace(source, account=None)
        then = [nw.when(across).then(1).otherwise(0).alias("across"), high]
        _, values = unit.by_account(ends, then=then)
        if not values["across"].any():
            edge: Any = (
                top.max().over(source.account) if within and source.account else float(values["high"][0])
            )
            # an account without any outcome has no edge, and left before
            keep = (y > 0) | ((along >= edge - _MARGIN) & (edge > -_NEVER))
            rows = source.complete()
            mark = free_name("keep", {name.casefold() for name in rows.collect_schema().names()})
            frame = rows.with_columns(keep.alias(mark)).filter(nw.col(mark)).drop(mark)
            return _moments_again(moments, replace(source, frame=frame), within=within)
    return moments


def _moments_again(moments: Moments, source: LazyRows, *, within: bool) -> Moments:
    """The same moments from fewer rows, about the same origin or a nearer one."""
    source, sums = moment_pass(source, within=within)
    found = sums.of_moments(source, within=within and bool(source.groups))
    return replace(moments, **found, cells=None)[moments.columns]


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """Per account, or group: Σ y, Σ x·y (about the origin; the constant first), Σ y·log y and Σ y·log ȳ."""

    y: np.ndarray
    xy: np.ndarray
    ylogy: np.ndarray
    alone: np.ndarray


def hold(moments: Moments) -> Moments:
    """The same moments, with complete rows that Polars reads from files held in memory between the passes."""
    source = moments.source
    size = moments.rows * (len(moments.columns) + 2) * 8
    if source is None or not source.frame.implementation.is_polars() or size > share_of_memory(_HELD):
        return moments
    names = [*(source.names[source.columns.index(name)] for name in moments.columns)]
    names += [name for name in (source.account, source.weight) if name is not None]
    rows = nw.from_native(gather(source.complete().select(*names))).lazy()
    inside, origin = tuple(names[: len(moments.columns)]), moments.origin
    held = replace(
        source, frame=rows, columns=moments.columns, names=inside, origin=origin, period=None, whole=True
    )
    return replace(moments, source=held)


def usable(moments: Moments, *, within: bool) -> tuple[Totals, Moments, dict[str, int]]:
    """Totals of the outcome, after leaving out the accounts that have none (they carry no information)."""
    source, name = moments.need_rows(), moments.columns[-1]
    y = source.col(name)
    wy = source.w() * y
    logarithm = nw.when(y > 0).then(y).otherwise(1.0).log()
    expressions = [
        nw.len().alias("n"),
        source.w().sum().alias("w") if source.weight is not None else nw.len().alias("w"),
        y.max().alias("high"),
        wy.sum().alias("y"),
        nw.when(y < 0).then(1).otherwise(0).sum().alias("negative"),
        nw.when(y > 0).then(wy * logarithm).otherwise(0.0).sum().alias("ylogy"),
        *((source.z(x) * wy).sum().alias(f"x{i}") for i, x in enumerate(moments.columns[:-1])),
    ]
    some, total, idle = nw.col("high") > 0, nw.col("y"), nw.col("high") <= 0
    expected = nw.when(some & (total > 0)).then(total / nw.col("w")).otherwise(1.0)
    then = [
        *(nw.col(part) for part in ("negative", "y", "ylogy")),
        *(nw.col(f"x{i}") for i in range(len(moments.columns) - 1)),
        (total * expected.log()).alias("alone"),
        nw.when(idle).then(1).otherwise(0).alias("idle"),
        nw.when(idle).then(nw.col("n")).otherwise(0).alias("lost"),
    ]
    _, values = source.by_account(expressions, then=then)
    negative, idle_rows = int(values["negative"].sum()), int(values["lost"].sum())
    if negative:
        least = source.total([y.min().alias("least")])["least"]
        raise DataError(
            f"the outcome {name!r} must not be negative in a Poisson regression",
            got=f"{Count(negative, of=moments.rows):row}, the least {least:g}",
            allowed="0 or more",
            fix="handle refunds and corrections before, or use `regress`",
        )
    if idle_rows == moments.rows:
        raise DataError(
            f"the outcome {name!r} is 0 in all {Count(moments.rows):row}", fix="there is nothing to explain"
        )
    if within and idle_rows:
        # accounts may be too many to be told one by one
        assert source.account is not None
        rows, high = source.complete(), y.max().alias("high")
        known = rows.group_by(source.account).agg(high).filter(nw.col("high") > 0)
        left = replace(source, frame=rows.join(known, on=source.account, how="semi"), whole=True)
        totals, fewer, dropped = usable(hold(_moments_again(moments, left, within=True)), within=True)
        why = f"in {Count(int(values['idle'].sum())):account} without any {name}"
        return totals, fewer, {**dropped, why: idle_rows}
    constant = [] if within else [values["y"]]
    xy = np.column_stack([*constant, *(values[f"x{i}"] for i in range(len(moments.columns) - 1))])
    return Totals(values["y"], xy, values["ylogy"], values["alone"]), moments, dict(moments.dropped)


def _state(moments: Moments, totals: Totals, beta: np.ndarray, *, within: bool) -> State:
    """One pass: scores, Hessians and likelihood at `beta`; effects are concentrated out, a constant comes first."""
    source, k = moments.need_rows(), len(beta)
    slopes, constant = (beta, 0.0) if within else (beta[1:], float(beta[0]))
    expected = linear_predictor(moments, slopes, constant=constant).exp()
    if source.weight is not None:
        expected = source.w() * expected
    columns = [expected.alias("e"), (source.w() * source.col(moments.columns[-1])).alias("y")]
    if source.account is not None:
        columns.append(nw.col(source.account).alias("g"))
    # product by product, so that no engine works out the exponential 28 times
    z = [*([] if within else [nw.lit(1.0)]), *(source.z(name) for name in moments.columns[:-1])]
    rows = source.complete().select(*(each.alias(f"z{i}") for i, each in enumerate(z)), *columns)
    rows = rows.with_columns(*((nw.col(f"z{i}") * nw.col("e")).alias(f"f{i}") for i in range(k)))
    sums = [nw.col(name).sum() for name in ("e", *(f"f{i}" for i in range(k)), *("y" * within))]
    pairs = combinations_with_replacement(range(k), 2)
    sums += [(nw.col(f"f{i}") * nw.col(f"z{j}")).sum().alias(f"q{i}_{j}") for i, j in pairs]
    _, values = source.staged(rows, "g").by_account(sums, then=_by_account(k) if within else ())
    scores = totals.xy - np.column_stack([values[f"f{i}"] for i in range(k)])
    rest = values["l"].sum() if within else totals.y.sum() - values["e"].sum()
    return State(beta, float(beta @ totals.xy.sum(axis=0) + rest), scores, unpack(values, "q", k))


def _by_account(k: int) -> list[nw.Expr]:
    """Score, Hessian and likelihood of an account from its sums, its effect concentrated out; the engine does it."""
    mean = nw.col("y") / nw.col("e")
    centre = [nw.col(f"f{i}") / nw.col("e") for i in range(k)]
    # an account without any outcome is left out by its key; SQL has no logarithm of its 0
    out = [(nw.col("y") * nw.when(mean > 0).then(mean).otherwise(1.0).log()).alias("l")]
    out += [(nw.col("y") * centre[i]).alias(f"f{i}") for i in range(k)]
    for i, j in combinations_with_replacement(range(k), 2):
        spread = mean * nw.col(f"q{i}_{j}") - nw.col("y") * centre[i] * centre[j]
        out.append(spread.alias(f"q{i}_{j}"))
    return out


def _nudged(state: State, step: np.ndarray) -> State:
    """The state after a step so small that the Hessians stay what they are."""
    return replace(state, beta=state.beta + step, scores=state.scores - state.hessians @ step)


def climb(
    moments: Moments, totals: Totals, start: np.ndarray, *, within: bool, negligible: float = NEGLIGIBLE
) -> tuple[State, bool]:
    """Climb the concentrated likelihood; says whether it converged."""
    gram = centred(moments, within=within)[:-1, :-1]
    spread = np.sqrt(np.maximum(np.diag(gram), 0.0) / moments.weight.sum())
    spread = spread if within else np.append(1.0, spread)
    at = partial(_state, moments, totals, within=within)
    return ascend(at, at(start), spread, nudge=_nudged, negligible=negligible)


def starting_values(moments: Moments, totals: Totals, *, within: bool) -> np.ndarray:
    """Those of a sample of accounts where there are many rows: two or three passes over all of them then do."""
    zero = np.zeros(totals.xy.shape[1])
    if not within:
        zero[0] = math.log(totals.y.sum() / moments.weight.sum())
    step = moments.rows // _SAMPLE
    source = moments.source
    if source is None or source.account is None or step < 4 or moments.accounts < 20 * step:
        return zero
    sample = replace(source, frame=nw.from_native(gather(_some(source, moments, step))).lazy(), groups=0)
    try:
        part = _moments_again(moments, sample, within=within)
        totals, part, _ = usable(part, within=within)
        state, converged = climb(part, totals, zero, within=within, negligible=_NEAR)
    except ErresearchError:  # of the sample, not of the data: the climb begins at 0 then
        return zero
    return state.beta if converged else zero


def _some(source: LazyRows, moments: Moments, step: int) -> nw.LazyFrame[Any]:
    """Rows of every `step`-th account."""
    assert source.account is not None
    rows = source.complete()
    if not source.groups:
        return rows.filter(nw.col(source.account).cast(nw.String()).is_in(moments.keys[::step].tolist()))
    accounts = rows.group_by(source.account).agg(nw.len().alias("n"))
    numbered = accounts.with_row_index("number", order_by=source.account)
    chosen = numbered.filter(nw.col("number") % step == 0).select(source.account)
    return rows.join(chosen, on=source.account, how="semi")
