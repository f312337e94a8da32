"""One claim in every defensible way: all subsets of the controls, definitions, lags and effects, judged jointly.

All subsets of the controls follow from one cross-product: with x̃ = X·a the residual of x on a model's controls and
ũ = X·r that of the outcome, everything that model needs from account g is a bilinear form in C_g. Its restricted score
is aᵀC_g r. Thousands of models are then one matrix product.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.expressions import lag
from erresearch.engine.moments import Moments
from erresearch.engine.sources import column_names, open_rows
from erresearch.errors import ColumnError, Count, DesignError, ErresearchError, check_name, missing_columns
from erresearch.io.resources import waiting
from erresearch.relate.design import Effect, Swept, identified
from erresearch.relate.inference import Periods, check_draws, cluster_weights
from erresearch.results import Adversary, Curve, StudentT, at_least
from erresearch.schema.vocabulary import REACTIONS

#: A verdict is *fragile* where a smaller share of the curve has its sign significantly. Among 300 simulated panels of
#: 12 accounts without an effect, 7 had a falsely significant full model and all 7 fell below .8; with an effect of twice
#: δ none of 40 panels of 40 accounts did, of 12 accounts 9 of 25; with one of just δ 7 of 25 of 40 accounts.
AGREEMENT: Final = 0.8
#: Fewer accounts give no joint p-value: with 5 and 6 it rejected a true nil in 11 and 9 % of 400 simulated panels.
_FEWEST: Final = 8
#: Largest number of draws × specifications that is held (8 bytes each): 1.6 GB.
_MOST: Final = 200_000_000
#: Columns that an analyst would try, where a table has them and they vary.
_DEFINITIONS: Final = ("engagement", *REACTIONS)
_CONTROLS: Final = ("spend", "posts", "followers")
_LAGS: Final = (0, 1, 2)
_EFFECTS: Final[tuple[tuple[Effect, ...], ...]] = ((), ("account",), ("account", "period"))
#: Numbers held at a time (8 bytes each) while models or accounts go through in portions.
_PORTION: Final = 4_000_000
#: A pivot below this share of its own diagonal: without that account nothing of the column is left.
_LOST: Final = 1e-10
#: A larger t, of a model that leaves no residuals, says no more than this one: sums of such stay numbers.
_LARGEST_T: Final = 1e9


@dataclass(frozen=True, slots=True)
class CurveInference:
    """How a specification curve is judged.

    Parameters
    ----------
    level : float
        Level of the intervals, and of "significant".
    cov : {"CRV3", "CRV1"}
        Standard errors clustered by account: jackknife, or the usual sandwich, which takes less time with many accounts.
    draws : int
        Weight vectors of the joint bootstrap, shared by all models; at least 20/(1 − level).
    rng : int or numpy.random.Generator
        Seed or generator.
    """

    level: float = 0.95
    cov: Literal["CRV3", "CRV1"] = "CRV3"
    draws: int = 500
    rng: int | np.random.Generator = 0

    def __post_init__(self) -> None:
        """Refuse what cannot show the tail asked for."""
        if self.cov not in ("CRV3", "CRV1"):
            raise DesignError(f"cov={self.cov!r} is not served by a curve", allowed="CRV3, CRV1")
        check_draws(self.draws, self.level)


class _Cell(NamedTuple):
    """One definition, lag and set of effects: all subsets of the controls follow from one matrix."""

    definition: str
    lag: int
    effects: tuple[Effect, ...]
    column: str


def specification_curve(
    moments: Moments,
    outcome: str,
    x: str,
    *,
    minimal: Sequence[str],
    controls: Sequence[str],
    definitions: Sequence[str] | None = None,
    lags: Sequence[int] | None = None,
    effects: Sequence[tuple[Effect, ...]] = (("account",),),
    sign: Literal[1, -1] = 1,
    inference: CurveInference | None = None,
) -> Curve:
    """Estimate one claim with every subset of the controls, definition, lag and set of effects.

    Every model holds the minimal adjustment set; no row is touched. The joint test multiplies each account's scores,
    with "no effect" imposed on every model, by one weight that all models share (restricted wild cluster bootstrap),
    and compares the curve's summaries with those of the draws: median t, mean t in the claim's direction, share with
    the claim's sign, share significant with that sign. The first three are two-sided, the last one-sided. Raw estimates
    are never averaged: definitions have other units.

    Parameters
    ----------
    moments : Moments
        Made with accounts, and holding every column named here. Rows are complete cases over those columns.
    outcome, x : str
        Columns; `x` names the claim's own definition.
    minimal, controls : sequence of str
        Controls that every model must hold, and those of which every subset is tried: c of them make 2^c models.
    definitions : sequence of str, optional
        Columns that stand for x in turn; `x` alone by default.
    lags : sequence of int, optional
        Of x, 0 by default: lag n is the column ``lag<n> <definition>``, or ``lead<n> …`` for negative ones.
    effects : sequence of tuple
        Each of ``()``, ``("account",)``, ``("account", "period")``.
    sign : {1, −1}
        Direction of the claim.
    inference : CurveInference, optional
        Level, standard errors, draws and seed.

    Returns
    -------
    Curve
        One entry per specification, the summaries and their joint p-values; none with fewer than 8 accounts.

    Raises
    ------
    ColumnError
        If a column is missing or has two roles.
    DesignError
        If there are no accounts, columns are collinear, the outcome does not vary, or there are too many
        specifications to hold.

    See Also
    --------
    erresearch.robustness.sensitivity : Confounders that nobody observed.

    Notes
    -----
    Share of simulated panels without an effect where p ≤ 5 % (median t / mean t / share significant; 16 models in two
    definitions, account and week effects): 8 accounts .07 / .07 / .04 (800 panels), 12 accounts .06 / .06 / .04 (400),
    40 accounts .05 / .06 / .05 (900). With disturbances of autocorrelation .8 and 104 weeks .10 / .10 / .08 (200): a
    lagged outcome biases every model a little there (Nickell 1981). Models of the same rows agree in sign anyway.

    References
    ----------
    Simonsohn, U., Simmons, J. P., & Nelson, L. D. (2020). Specification curve analysis. *Nature Human Behaviour*,
    4, 1208-1214. MacKinnon, Nielsen & Webb (2023), as in :mod:`erresearch.relate.inference`.

    Examples
    --------
    >>> from erresearch.engine.expressions import lag
    >>> from erresearch.worlds import simulate_panel
    >>> panel, _ = simulate_panel("effect", accounts=20, weeks=60, rng=1)
    >>> for name in ("revenue", "engagement", "spend", "posts"):
    ...     panel["log " + name] = np.log(panel[name] + (name == "posts"))
    >>> before = [lag(f"log {name}", by="account", period="week") for name in ("engagement", "revenue")]
    >>> m = Moments.from_frame(panel, ["log revenue", "log spend", "log posts", *before], by="account", period="week")
    >>> curve = specification_curve(m, "log revenue", "log engagement", lags=[1], minimal=["lag1 log revenue"],
    ...                             controls=["log spend", "log posts"])
    >>> len(curve), curve.share_agreeing
    (4, 1.0)
    """
    how = inference or CurveInference()
    if sign not in (1, -1):
        raise DesignError(
            "`sign` must be 1 or −1", got=repr(sign), fix="use 1 for a claim that says 'raises'"
        )
    roles = [outcome, *(definitions or [x]), *minimal, *controls]
    twice = sorted({name for name in roles if roles.count(name) > 1})
    if twice:
        raise ColumnError(
            f"{', '.join(map(repr, twice))} cannot have two roles in a specification curve",
            got="named more than once among the outcome, the definitions of x, `minimal` and `controls`",
            fix="give each column one role",
        )
    cells = list(_cells(moments, definitions or [x], lags or [0], effects))
    count = len(cells) * 2 ** len(controls)
    if count * how.draws > _MOST:
        raise DesignError(
            "this curve has too many specifications to hold",
            got=f"{count:,} × {Count(how.draws):draw}",
            allowed=f"up to {Count(_MOST // how.draws):specification} with so many draws",
            fix="move controls that nobody would leave out into `minimal`",
        )
    weights = cluster_weights(moments.accounts, how.draws, how.rng)
    solved, draws = [], []
    with waiting(f"a specification curve of {Count(count):model}"):
        for cell in cells:
            found = _solve(moments, cell, outcome=outcome, minimal=minimal, controls=controls, cov=how.cov)
            solved.append(found)
            # on the scale of the reported t: 0, as that is, where the error has no bound
            t = np.clip(bootstrap_t(found, weights), -_LARGEST_T, _LARGEST_T)
            draws.append(t * _over(found.raw_se, found.se, neither=1.0))
    drawn = np.concatenate(draws, axis=1)
    return _curve(moments, cells, solved, drawn, names=(outcome, x), controls=controls, sign=sign, how=how)


def _cells(
    moments: Moments, definitions: Sequence[str], lags: Sequence[int], effects: Sequence[tuple[Effect, ...]]
) -> Iterator[_Cell]:
    if moments.by is None or moments.accounts < 2:
        raise DesignError(
            "a specification curve needs accounts to cluster by",
            got=f"{moments.accounts} account(s), by={moments.by!r}",
            allowed="moments of at least 2 accounts (6 for a decisive word)",
            fix="make the moments with `by`",
        )
    for definition in definitions:
        for n in lags:
            column = f"{'lag' if n > 0 else 'lead'}{abs(n)} {definition}" if n else definition
            if column not in moments.columns:
                raise missing_columns([column], moments.columns, where="these moments")
            yield from (_Cell(definition, n, effect, column) for effect in effects)


def _solve(
    moments: Moments, cell: _Cell, *, outcome: str, minimal: Sequence[str], controls: Sequence[str], cov: str
) -> Subsets:
    columns = moments[[cell.column, *minimal, *controls, outcome]]
    swept, *_ = identified(columns, cell.effects, got="", fix="use fewer controls or effects, or more data")
    constant = len(swept.names) - len(columns.columns)
    if constant:
        # x goes first, the constant is the first of the fixed columns
        swept = swept[[swept.names[1], swept.names[0], *swept.names[2:]]]
    return solve_subsets(swept, len(minimal) + constant, columns.rows, cov)


def _curve(
    moments: Moments,
    cells: Sequence[_Cell],
    solved: Sequence[Subsets],
    draws: np.ndarray,
    *,
    names: tuple[str, str],
    controls: Sequence[str],
    sign: int,
    how: CurveInference,
) -> Curve:
    value, se = (np.concatenate([getattr(found, word) for found in solved]) for word in ("value", "se"))
    accounts = moments.accounts
    critical = StudentT(0.0, 1.0, accounts - 1).critical(how.level)
    t = _over(value, se)
    half = critical * se
    subsets = [tuple(itertools.compress(controls, row)) for row in masks(len(controls))]
    seen = {name: float(values[0]) for name, values in _summaries(t[None], critical, sign).items()}
    pvalues = _pvalues(seen, _summaries(draws, critical, sign))
    shared = f"{how.draws:,} weight vectors shared by all models"
    words = f"joint p from {shared} (restricted wild cluster bootstrap)"
    if accounts < _FEWEST:
        pvalues = {}
        words = f"no joint p from fewer than {_FEWEST} accounts"
    effective = min(float(found.effective.min()) for found in solved)
    return Curve(
        outcome=names[0],
        x=names[1],
        value=value,
        se=se,
        t=t,
        low=value - half,
        high=value + half,
        n_rows=moments.rows,
        n_accounts=accounts,
        definition=tuple(cell.definition for cell in cells for _ in subsets),
        lag=tuple(str(cell.lag) for cell in cells for _ in subsets),
        effects=tuple(" + ".join(cell.effects) or "none" for cell in cells for _ in subsets),
        controls=tuple(subset for _ in cells for subset in subsets),
        median_t=seen["median t"],
        mean_signed_t=seen["mean signed t"],
        share_agreeing=seen["share agreeing"],
        share_significant=seen["share significant"],
        pvalues=pvalues,
        level=how.level,
        method=f"OLS, {how.cov} with t(G − 1); {words}; at least {effective:.1f} effective of {Count(accounts):account}",
    )


def _over(value: np.ndarray, se: np.ndarray, *, neither: float = 0.0) -> np.ndarray:
    """Quotients that are numbers also where the error is 0 or has no bound; `neither` is what 0 / 0 gives."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = value / se
    return np.clip(np.where(np.isnan(found), neither, found), -_LARGEST_T, _LARGEST_T)


def _pvalues(seen: Mapping[str, float], null: Mapping[str, np.ndarray]) -> dict[str, float]:
    """How often the draws' summaries are at least as extreme as the curve's."""
    centres = {"median t": 0.0, "mean signed t": 0.0, "share agreeing": 0.5}
    pvalues = {}
    for name, drawn in null.items():
        size, sizes = seen[name], drawn
        if name in centres:
            size, sizes = abs(size - centres[name]), np.abs(drawn - centres[name])
        # draws that only repeat the data must count as equal, whatever the rounding
        pvalues[name] = float((1 + np.count_nonzero(at_least(sizes, size))) / (1 + len(drawn)))
    return pvalues


def _summaries(t: np.ndarray, critical: float, sign: int) -> dict[str, np.ndarray]:
    return {
        "median t": np.median(t, axis=1),
        "mean signed t": np.mean(sign * t, axis=1),
        "share agreeing": np.mean(sign * t > 0, axis=1),
        "share significant": np.mean(sign * t > critical, axis=1),
    }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Subsets:
    """All models of one definition, lag and set of effects, in the order of :func:`masks`."""

    value: np.ndarray
    se: np.ndarray
    raw_se: np.ndarray  # the sandwich without small-sample factor
    effective: np.ndarray  # number of clusters
    grams: np.ndarray  # scaled, by account: x first, the fixed columns, the controls, the outcome last
    directions: np.ndarray  # a and r of each model
    outcomes: np.ndarray
    inverses: np.ndarray  # of the cross-products of its other columns, 0 elsewhere
    periods: Periods | None  # scaled as well


def masks(controls: int) -> np.ndarray:
    """All subsets of so many controls, the empty one first.

    Examples
    --------
    >>> masks(2).astype(int).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    numbers = np.arange(2**controls)[:, None]
    return np.asarray(numbers >> np.arange(controls)[::-1] & 1, dtype=bool)


def solve_subsets(swept: Swept, fixed: int, rows: int, cov: str) -> Subsets:
    """Fit the last column on the first, and on `fixed` columns after it, with every subset of the controls between."""
    total = swept.grams.sum(axis=0)
    scale = np.sqrt(np.diag(total))
    grams = swept.grams / np.outer(scale, scale)
    total, groups, periods = grams.sum(axis=0), len(grams), swept.periods
    included = masks(len(total) - 2 - fixed)
    directions, outcomes, inverses = _residual_makers(total, included, fixed)
    own = np.einsum("mi,ij,mj->m", directions, total, directions, optimize=True)
    slope = np.einsum("mi,ij,mj->m", directions, total, outcomes, optimize=True) / own
    packed = _packed(grams)
    leverage = packed @ _pairs(directions, directions).T
    scores = packed @ _pairs(directions, outcomes).T - leverage * slope
    raw = np.sqrt(np.sum(scores**2, axis=0)) / own
    if periods is not None:
        periods = replace(periods, cross=periods.cross / scale)
    if cov == "CRV1":
        parameters = 1 + fixed + included.sum(axis=1) + swept.absorbed - swept.nested + bool(swept.nested)
        se = raw * np.sqrt(groups / (groups - 1) * (rows - 1) / np.maximum(rows - parameters, 1))
    else:
        rest = total - grams
        if periods is not None:
            for g, solved in periods.without_each():
                rest[g] -= periods.cross[g].T @ solved
        se = _jackknife(rest, slope, fixed)
    unit = scale[-1] / scale[0]
    return Subsets(
        value=slope * unit,
        se=se * unit,
        raw_se=raw * unit,
        effective=groups / (1 + np.var(leverage, axis=0) / np.mean(leverage, axis=0) ** 2),
        grams=grams,
        directions=directions,
        outcomes=outcomes,
        inverses=inverses,
        periods=periods,
    )


def _residual_makers(
    total: np.ndarray, included: np.ndarray, fixed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a, r and the inverse of the other columns' cross-products, for every subset in one batch."""
    models, k = len(included), len(total)
    others = slice(1, k - 1)
    held = np.concatenate([np.ones((models, fixed), dtype=bool), included], axis=1)
    pairs = held[:, :, None] & held[:, None, :]
    inner = np.where(pairs, total[others, others], np.eye(k - 2))
    inverse = np.where(pairs, np.linalg.inv(inner), 0.0)
    right = np.where(held[:, :, None], total[others][:, [0, k - 1]], 0.0)
    found = inverse @ right
    found += inverse @ (right - inner @ found)
    directions, outcomes = np.zeros((models, k)), np.zeros((models, k))
    directions[:, 0] = outcomes[:, -1] = 1.0
    directions[:, others], outcomes[:, others] = -found[:, :, 0], -found[:, :, 1]
    return directions, outcomes, inverse


def _packed(grams: np.ndarray) -> np.ndarray:
    i, j = np.triu_indices(grams.shape[1])
    return np.ascontiguousarray(grams[:, i, j])


def _pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Weights on the packed triangle that give aᵀC b."""
    i, j = np.triu_indices(a.shape[1])
    return np.asarray(np.where(i == j, a[:, i] * b[:, i], a[:, i] * b[:, j] + a[:, j] * b[:, i]))


def _jackknife(rest: np.ndarray, slope: np.ndarray, fixed: int) -> np.ndarray:
    """√((G−1)/G · Σ_g (β̂₍₋g₎ − β̂)²) of every model.

    One control after the other is left out or partialled out (a Schur complement), which doubles the number of
    matrices and takes a row and a column off each: the last step leaves x and the outcome alone.
    """
    groups, k = rest.shape[:2]
    order = [0, k - 1, *range(1 + fixed, k - 1), *range(1, 1 + fixed)]
    rest = rest[:, order][:, :, order]
    total, step = np.zeros_like(slope), max(1, _PORTION // (8 * len(slope)))
    for start in range(0, groups, step):
        some = rest[None, start : start + step]
        floor = _LOST * np.einsum("agii->agi", some)
        for _ in range(fixed):
            some = _partialled(some, floor)
        while some.shape[-1] > 2:
            some = np.concatenate([some[..., :-1, :-1], _partialled(some, floor)])
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.where(some[..., 0, 0] > floor[..., 0], some[..., 0, 1] / some[..., 0, 0], np.inf)
        moves = found - slope[:, None]
        total += np.sum(np.where(np.isnan(moves), np.inf, moves) ** 2, axis=1)
    return np.asarray(np.sqrt((groups - 1) / groups * total))


def _partialled(some: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """The last row and column partialled out; where nothing of it is left it leaves the model as it is."""
    edge, pivot = some[..., :-1, -1], some[..., -1, -1]
    there = pivot > floor[..., edge.shape[-1]]
    share = np.where(there[..., None], edge / np.where(there, pivot, 1.0)[..., None], 0.0)
    return np.asarray(some[..., :-1, :-1] - edge[..., :, None] * share[..., None, :])


def bootstrap_t(subsets: Subsets, weights: np.ndarray) -> np.ndarray:
    """Draw the t of every model under the null (B × m), with weight vectors (B × G) that all models share.

    The restricted wild cluster bootstrap: ũ_g is multiplied by v_g, every coefficient (and period effect) of the
    model is estimated again, and the new score of account g is v_g·aᵀC_g r − δ_x·aᵀC_g a − (C_g a)ᵀη. It is divided by
    its sandwich error; times `raw_se` / `se` it is on the scale of the reported t.
    """
    grams, periods = subsets.grams, subsets.periods
    (groups, k), draws = grams.shape[:2], len(weights)
    # what is estimated again beside x: the other columns, then the period effects
    parts = grams[:, 1:-1]
    sums = np.tensordot(weights, parts, axes=1)
    if periods is not None:
        shared = np.matmul(periods.inverse, np.tensordot(weights, periods.cross, axes=1))
        parts, sums = np.concatenate([parts, periods.cross], axis=1), np.concatenate([sums, shared], axis=1)
    packed, step = _packed(grams), max(1, _PORTION // (draws * max(groups, parts.shape[1])))
    out = np.empty((draws, len(subsets.value)))
    for start in range(0, len(subsets.value), step):
        some = slice(start, start + step)
        a, r = subsets.directions[some], subsets.outcomes[some]
        score, leverage = packed @ _pairs(a, r).T, packed @ _pairs(a, a).T
        top = weights @ score
        delta = top / leverage.sum(axis=0)
        # how x and the others move with each draw (m, B, p), and what that does to each account's score (m, G, p)
        eta = np.tensordot(r, sums, axes=(1, 2))
        eta[:, :, : k - 2] = np.matmul(eta[:, :, : k - 2], subsets.inverses[some])
        eta = np.concatenate([eta, delta.T[:, :, None]], axis=2)
        reach = np.concatenate([np.tensordot(a, parts, axes=(1, 2)), leverage.T[:, :, None]], axis=2)
        bent = np.matmul(eta, np.matmul(reach.transpose(0, 2, 1), reach))
        bent -= 2 * np.matmul(weights, reach * score.T[:, :, None])
        squares = weights**2 @ score**2 + np.einsum("mbp,mbp->bm", eta, bent)
        size = np.sqrt(np.where(squares > 0, squares, 1.0))
        out[:, some] = np.where(squares > 0, top / size, np.copysign(np.inf, top))
    return out


def adversary(
    panel: Any,
    *,
    wish: Literal["positive", "negative", "nothing"] = "positive",
    outcome: str = "revenue",
    by: str = "account",
    period: str = "week",
    level: float = 0.95,
) -> Adversary:
    """Count the honest-looking analyses that would give a wished answer.

    Every analysis is a regression of log outcome on the log of one definition of engagement (all of it, or one kind
    of reaction), in the same period or one or two later; with any subset of the controls spend, posts and followers
    that the table has, as log(1 + control); with no effects, account effects, or account and period effects; on all
    rows, the first or the second half of the periods, or without the account of the largest outcome. Intervals are
    CRV3 with t(G − 1). None of it is corrected for the number of tries: that is the point.

    Parameters
    ----------
    panel : frame
        One row per account and period, in memory.
    wish : {"positive", "negative", "nothing"}
        The answer somebody wants.
    outcome, by, period, level : str, float
        Columns, and the level of the intervals.

    Returns
    -------
    Adversary
        Counts and the spread of the estimates. Which analyses they are is kept nowhere.

    Raises
    ------
    UnknownNameError, ColumnError
        For another wish; without a column, or without any kind of engagement.

    See Also
    --------
    specification_curve : The same analyses shown, judged jointly.

    References
    ----------
    Simmons, J. P., Nelson, L. D., & Simonsohn, U. (2011). False-positive psychology. *Psychological Science*, 22(11).

    Examples
    --------
    >>> from erresearch.worlds import simulate_panel
    >>> found = adversary(simulate_panel("nil", accounts=12, weeks=40, rng=1)[0])
    >>> found.tried, found.granted > 0
    (1440, True)
    """
    check_name("wish", wish, ("positive", "negative", "nothing"))
    frame, kinds, controls = _logged(panel, outcome, by, period)
    definitions, target = [f"log {name}" for name in kinds], f"log {outcome}"
    parts = _row_sets(frame, target, by, period)
    values, halves, failed = [np.zeros(0)], [np.zeros(0)], 0
    for rows in parts:
        later = [lag(name, n, by=by, period=period) for name in definitions for n in _LAGS if n]
        columns: list[Any] = [target, *definitions, *controls, *later]
        part = Moments.from_frame(rows.to_native(), columns, by=by, period=period)
        for cell in _cells(part, definitions, _LAGS, _EFFECTS):
            try:
                found = _solve(part, cell, outcome=target, minimal=[], controls=controls, cov="CRV3")
            except ErresearchError:
                failed += 2 ** len(controls)
                continue
            half = StudentT(0.0, 1.0, part.accounts - 1).critical(level) * found.se
            known = np.isfinite(half)
            failed += int(np.sum(~known))
            values.append(found.value[known])
            halves.append(half[known])
    value, half = np.concatenate(values), np.concatenate(halves)
    spread = value if len(value) else np.full(1, np.nan)
    return Adversary(
        wish=wish,
        counts={
            "positive": int(np.sum(value > half)),
            "negative": int(np.sum(value < -half)),
            "nothing": int(np.sum(np.abs(value) <= half)),
        },
        failed=failed,
        lowest=float(spread.min()),
        middle=float(np.median(spread)),
        highest=float(spread.max()),
        choices={
            "definitions": len(definitions),
            "lags": len(_LAGS),
            "sets of controls": 2 ** len(controls),
            "kinds of effects": len(_EFFECTS),
            "sets of rows": len(parts),
        },
        level=level,
    )


def _logged(panel: Any, outcome: str, by: str, period: str) -> tuple[nw.DataFrame[Any], list[str], list[str]]:
    """Logs of the outcome, of each kind of engagement and of the controls, with the names of either."""
    present = column_names(panel)
    needed = [outcome, by, period]
    if set(needed) - set(present):
        raise missing_columns(needed, present, where="the panel")
    tried: list[str] = [name for name in (*_DEFINITIONS, *_CONTROLS) if name in present]
    opened = open_rows(panel, list(dict.fromkeys([outcome, *tried])), [by, period], None)
    frame: nw.DataFrame[Any] = nw.from_native(opened.collect())
    there = [name for name in tried if frame[name].n_unique() > 1]
    kinds, controls = ([name for name in there if name in names] for names in (_DEFINITIONS, _CONTROLS))
    if not kinds:
        raise missing_columns(_DEFINITIONS, present, where="the panel")
    numbers = {name: nw.col(name).cast(nw.Float64()) for name in (outcome, *kinds)}
    logs = [
        nw.when(number > 0, number.is_finite()).then(number).log().alias(f"log {name}")
        for name, number in numbers.items()
    ]
    plus = ((nw.col(name) + 1).log().alias(name) for name in controls)
    return frame.select(by, period, *logs, *plus), kinds, controls


def _row_sets(frame: nw.DataFrame[Any], target: str, by: str, period: str) -> tuple[nw.DataFrame[Any], ...]:
    """All rows, either half of the periods, and all but the account with the largest sum."""
    periods = frame[period].unique().sort()
    middle = periods[len(periods) // 2]
    largest = frame.group_by(by).agg(nw.col(target).sum()).sort(target, by, descending=True)[by][0]
    early = nw.col(period) < middle
    return frame, frame.filter(early), frame.filter(~early), frame.filter(nw.col(by) != largest)
