"""Models of reactions: how they grow with followers (X = c·F^β), and which of them goes with an outcome, as a mix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.expressions import log
from erresearch.engine.lazy_rows import gather
from erresearch.engine.moments import Moments
from erresearch.engine.sources import Opened, column_names, open_rows
from erresearch.errors import Count, DataError, DesignError, GuardError, UnknownNameError, missing_columns
from erresearch.relate.design import Effect, centred, listed, open_moments, unexplained
from erresearch.relate.fitted_models import Covariance, contrast
from erresearch.relate.poisson_regression import poisson
from erresearch.relate.regressions import least_squares
from erresearch.results import Bins, Decay, Fit, Mix, StudentT
from erresearch.schema.vocabulary import REACTIONS

#: Up to this many rows without accounts, each row is its own cluster, so that few large accounts are paid for.
_ROWS_AS_CLUSTERS = 20_000
#: Up to this many of them the bootstrap is used whatever their effective number: on lists of some hundred accounts
#: with lognormal followers and reactions CRV3 errs 7 % on the lower side instead of 2.5 %, the score bootstrap 5 %.
_SHORT_LIST = 2_000
_BINS = 14


def decay(
    data: Any,
    *,
    by: str | None = None,
    followers: str = "followers",
    reactions: str | Sequence[str] | None = None,
    spline: bool = False,
    reliability: tuple[float, float] = (0.9, 1.0),
    level: float = 0.95,
    rng: int = 0,
) -> Decay:
    """Exponent of reactions on followers: β < 1 means that the engagement rate falls as accounts grow.

    X = c·F^β, so ER = X/F ∝ F^(β−1). β is estimated by PPML of X on log F (zeros included) and, beside it, by OLS on
    logs. The rate is never regressed on followers: independent X and F would give r(log ER, log F) ≈ −.71 by
    arithmetic alone. Noise in followers (bots, dated counts) pulls β towards 0 and looks like decay, so β/λ is given
    for both ends of a declared reliability λ of log followers.

    Parameters
    ----------
    data : frame or path
        One row per account, or posts with their account named in `by`.
    by : str, optional
        The account (unit of clustering). Without it each row is one.
    followers : str
        Column of follower counts, all positive.
    reactions : str or sequence of str, optional
        Column or columns that are summed; by default ``engagement`` or whichever of likes, comments, shares and
        saves the table has.
    spline : bool
        Also fit a natural cubic spline in log followers, for the picture.
    reliability : (float, float)
        Lowest and highest reliability of log followers thought possible, in (0, 1].
    level : float
        Confidence level.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Decay
        Exponents, corrected exponents, binned points, spline.

    Raises
    ------
    DataError
        If a follower count is not positive.
    ColumnError
        If a column is missing.
    DesignError
        If the reliability range is not inside (0, 1].

    See Also
    --------
    erresearch.poisson : The regression behind it.
    erresearch.robustness.selected_list : Whether a list was chosen by its reactions.

    Notes
    -----
    PPML leans on the largest accounts, and a short list misses the upper tail of theirs. Simulated with β = 1, the
    95 % interval lies below 1 in 5 % of lists of 200 to 1,000 accounts and in 2.7 % of lists of 3,000 (2.5 % would be
    exact), with any bootstrap that was tried; where followers have no upper end and reactions vary by a factor e, in
    12 %. Read it beside the slope on logs: both below 1 is rarer than 2.5 %.

    References
    ----------
    Santos Silva & Tenreyro (2006). Fuller, W. A. (1987). *Measurement Error Models*. Wiley.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> f = np.exp(rng.normal(9, 1.2, 400))
    >>> table = pd.DataFrame({"followers": f, "likes": rng.poisson(0.5 * f**0.75)})
    >>> round(decay(table).exponent.value, 2)
    0.75
    """
    low, high = reliability
    if not 0 < low <= high <= 1:
        raise DesignError(
            "`reliability` must be two numbers in (0, 1], the lower first",
            got=repr(reliability),
            fix="use (0.9, 1.0)",
        )
    total = _reactions(data, reactions, followers, by)
    on: list[Any] = [log(followers)]
    name = f"log {followers}"
    moments = open_moments(data, [*on, total], by=by, within=False)
    lost = moments.dropped.get(f"not finite: {name}", 0)
    if lost:
        raise DataError(
            f"`{followers}` must be positive and known where its logarithm is taken",
            got=f"{Count(lost, of=moments.rows + sum(moments.dropped.values())):row is} 0, negative or missing",
            fix="leave these rows out on purpose, and say so",
        )
    cov: Covariance = "auto"
    table, outcome, logged = data, total, total.log().alias("log reactions")
    rows_as_accounts = by is None and moments.rows <= _ROWS_AS_CLUSTERS
    if rows_as_accounts:
        # sorted, so that their order in the engine changes nothing
        table = moments.need_rows().collect(moments.columns)
        table.columns = [name, "reactions"]
        table = table.sort(table.columns).with_row_index("row")
        by, on, outcome, logged = "row", [name], nw.col("reactions"), log("reactions")
        cov = "wild" if moments.rows <= _SHORT_LIST else "auto"
    fit = poisson(table, outcome, on=on, by=by, effects=(), cov=cov, level=level, rng=rng)
    # zeros have no logarithm: OLS on logs sees positive rows only, which is one reason why it is only shown beside
    beside = least_squares(table, logged, on=on, by=by, level=level, rng=rng)
    beta, log_ols = (
        replace(found[name], name=label, n_accounts=0 if rows_as_accounts else found[name].n_accounts)
        for found, label in ((fit, "β (PPML)"), (beside, "β (log-OLS)"))
    )
    ends = dict.fromkeys((low, high))
    points, spread = _points(moments, name)
    only = {words: n for words, n in beside.dropped.items() if n and words not in fit.dropped}
    return Decay(
        exponent=beta,
        log_ols=log_ols,
        reliability=tuple((r, beta.transformed(f"β at reliability {r:g}", factor=1 / r)) for r in ends),
        spline=_spline(moments, name, level) if spline else None,
        points=points,
        shared_denominator=spread,
        dropped={**fit.dropped, **{f"{words} (log-OLS only)": n for words, n in only.items()}},
    )


def _reactions(data: Any, reactions: str | Sequence[str] | None, followers: str, by: str | None) -> nw.Expr:
    present = column_names(data)
    wanted = listed(reactions)
    if reactions is None:
        wanted = [name for name in REACTIONS if name in present]
        wanted = ["engagement"] if "engagement" in present else wanted
    if not wanted:
        raise missing_columns(["engagement"], present)
    absent = [name for name in [*wanted, followers, *([by] if by else [])] if name not in present]
    if absent:
        raise missing_columns(absent, present)
    return _total([nw.col(name).cast(nw.Float64()) for name in wanted]).alias("reactions")


def _location(moments: Moments, name: str) -> tuple[float, float]:
    """Mean of log followers about the origin, and their standard deviation."""
    n = moments.weight.sum()
    centre = float(moments.sums[:, 0].sum() / n)
    sd = math.sqrt(max(float(moments.grams()[:, 0, 0].sum() / n - centre**2), 0.0))
    if sd == 0:
        raise DesignError(f"{name!r} does not vary", fix="a slope needs accounts of different sizes")
    return centre, sd


def _points(moments: Moments, name: str) -> tuple[Bins, float]:
    """Mean reactions by bin of log followers, and r(log ER, log F) if reactions did not depend on followers."""
    source, (centre, sd) = moments.need_rows(), _location(moments, name)
    edges = centre + sd * np.linspace(-2.6, 2.6, _BINS + 1)
    edges[0], edges[-1] = -math.inf, math.inf
    x, y = source.z(name), source.col(moments.columns[1])
    positive_log = nw.when(y > 0).then(nw.when(y > 0).then(y).otherwise(1.0).log())
    expressions: list[nw.Expr] = [
        positive_log.mean().alias("m"),
        (positive_log * positive_log).mean().alias("v"),
    ]
    for i in range(_BINS):
        inside = (x > float(edges[i])) & (x <= float(edges[i + 1]))
        for label, value in (("n", nw.lit(1.0)), ("x", x), ("y", y), ("yy", y * y)):
            expressions.append(nw.when(inside).then(value).otherwise(0.0).sum().alias(f"{label}{i}"))
    found = source.total(expressions)
    sums = {label: np.array([found[f"{label}{i}"] for i in range(_BINS)]) for label in ("n", "x", "y", "yy")}
    keep = (sums["n"] > 0) & (sums["y"] > 0)
    count = sums["n"][keep]
    average = sums["y"][keep] / count
    noise = np.sqrt(np.maximum(sums["yy"][keep] / count - average**2, 0) / np.maximum(count - 1, 1))
    half = np.where(count > 2, 1.96 * noise / average, np.nan)
    at = sums["x"][keep] / count + moments.origin[0]
    log_variance = max(found["v"] - found["m"] ** 2, 0.0)
    shared = -sd / math.sqrt(log_variance + sd**2)
    logs = np.log(average)
    return Bins(x=at, y=logs, low=logs - half, high=logs + half, n=count.astype(np.int64)), shared


def _spline(moments: Moments, name: str, level: float) -> Bins:
    """Natural cubic spline by PPML, drawn over the middle 99 % of a normal with the data's mean and spread."""
    source, (centre, sd) = moments.need_rows(), _location(moments, name)
    knots = np.array([-1.6, -0.8, 0.0, 0.8, 1.6])
    unit = (source.z(name) - centre) / sd
    columns = [unit.alias("b0"), *(e.alias(f"b{i + 1}") for i, e in enumerate(_natural(unit, knots)))]
    y = source.col(moments.columns[1]).alias("reactions")
    keep = [nw.col(source.account)] if source.account is not None else []
    rows = source.complete().select(*columns, y, *keep).to_native()
    on = [f"b{i}" for i in range(len(knots) - 1)]
    fit: Fit = poisson(
        rows, "reactions", on=on, by=source.account, effects=(), cov="CRV1" if source.account else "HC1"
    )
    grid = np.linspace(-2.4, 2.4, 61)
    basis = np.column_stack([np.ones_like(grid), grid, *_natural(grid, knots)])
    value = basis @ np.array([e.value for e in fit.values()])
    se = np.sqrt(np.einsum("ij,jk,ik->i", basis, fit.cov, basis))
    z = 1.959964 if level == 0.95 else StudentT(0.0, 1.0, next(iter(fit.values())).df).critical(level)
    at = moments.origin[0] + centre + sd * grid
    return Bins(x=at, y=value, low=value - z * se, high=value + z * se, n=np.full(len(grid), fit.n_rows))


def _natural(x: Any, knots: np.ndarray) -> list[Any]:
    """Harrell's restricted cubic terms: linear beyond the outer knots."""

    def cubed(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return np.maximum(value, 0.0) ** 3
        return nw.when(value > 0).then(value * value * value).otherwise(0.0)

    last, before = float(knots[-1]), float(knots[-2])
    width = float(knots[-1] - knots[0]) ** 2
    terms = []
    for knot in map(float, knots[:-2]):
        term = cubed(x - knot) - cubed(x - before) * ((last - knot) / (last - before))
        term = term + cubed(x - last) * ((before - knot) / (last - before))
        terms.append(term / width)
    return terms


#: Share of a column's variance that the actions leave unexplained where it is made of them.
_EXACT = 1e-10
#: What a count of 0 becomes in a row with other actions.
_ZERO = 0.5


def mix(
    data: Any,
    outcome: Any,
    *,
    actions: Sequence[str],
    by: str | None = None,
    controls: Sequence[Any] = (),
    effects: tuple[Effect, ...] | None = None,
    model: Literal["ols", "poisson"] = "ols",
    level: float = 0.95,
) -> Mix:
    """Which of several actions goes with the outcome, beyond there being more of all.

    Shares of actions sum to 1, so none can move alone and a regression on shares has no answer. The mix enters as
    isometric log-ratios, the amount as the log of the total:

    y = β·log Σ_j a_j + Σ_j c_j·log a_j + controls + effects with Σ_j c_j = 0, so that c_j is the coefficient of
    log(a_j / geometric mean of the other actions) with the total held. A count of 0 beside other actions becomes 0.5,
    half of the least that can be counted. P-values are Holm's across the actions. It is an association of the same
    row's values; an outcome one period later can be given as an expression
    (:func:`erresearch.engine.expressions.lag` with a negative `n`).

    Parameters
    ----------
    data : frame or path
        Rows; any table that :class:`erresearch.Moments` takes.
    outcome : str or narwhals expression
        Left-hand side, for example ``er.log("revenue")``; a column that is made of the actions is refused.
    actions : sequence of str
        Two or more columns of counts, 0 or more. A row without any action is left out and counted.
    by : str, optional
        The account: unit of effects and clustering.
    controls : sequence of str or narwhals expressions
        Further regressors.
    effects : tuple, optional
        ``("account",)`` where `by` is given, else ``()``.
    model : {"ols", "poisson"}
        Least squares, or PPML for money and counts with zeros.
    level : float
        Confidence level.

    Returns
    -------
    Mix

    Raises
    ------
    GuardError
        If the outcome is one of the actions or made of them.
    DataError
        A negative count, or an action that never happens.
    DesignError
        Fewer than two actions, or collinear columns.
    UnknownNameError
        For another model.

    See Also
    --------
    erresearch.regress : Without the sum held fixed.

    References
    ----------
    Egozcue, J. J., Pawlowsky-Glahn, V., Mateu-Figueras, G., & Barceló-Vidal, C. (2003). Isometric logratio
    transformations for compositional data analysis. *Mathematical Geology*, 35(3), 279-300. Hron, K., Filzmoser, P.,
    & Thompson, K. (2012). Linear regression with compositional explanatory variables. *Journal of Applied
    Statistics*, 39(5), 1115-1128. Holm, S. (1979). A simple sequentially rejective multiple test procedure.
    *Scandinavian Journal of Statistics*, 6(2), 65-70.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame(rng.poisson([300, 30, 12], size=(600, 3)), columns=["likes", "comments", "saves"])
    >>> table["sales"] = 0.4 * np.log(table["saves"] + 0.5) + rng.normal(size=600) / 4
    >>> found = mix(table, "sales", actions=["likes", "comments", "saves"])
    >>> found.adjusted["saves"] < 0.001, found.actions["saves"].value > 0
    (True, True)
    """
    from scipy import linalg
    from statsmodels.stats.multitest import multipletests

    names = list(actions)
    _check_mix(data, outcome, names, model)
    effects = effects if effects is not None else (("account",) if by is not None else ())
    opened = open_rows(data, [outcome, *names, *controls], [] if by is None else [by], None)
    _refuse_parts(opened, outcome, names)
    counts = [opened.number(name) for name in names]
    totals, replaced = _count(opened.frame, counts, names)
    left, others = opened.names[0], list(opened.names[1 + len(names) :])
    # orthonormal, each part against the mean of those before it (D × (D − 1))
    basis = -linalg.helmert(len(names)).T
    ratios = [f"ilr{i + 1} of {', '.join(names)}" for i in range(len(names) - 1)]
    total = f"log total of {', '.join(names)}"
    account = [] if by is None else [opened.column(by).alias("account")]
    named = zip([*controls, outcome], [*others, left], strict=True)
    table = opened.frame.select(
        *_coordinates(counts, basis, [total, *ratios]),
        *(opened.number(each).alias(name) for each, name in named),
        *account,
    )
    rows = gather(table, small=True) if opened.small else nw.to_native(table)
    estimator, on = poisson if model == "poisson" else least_squares, [total, *ratios, *others]
    fit = estimator(rows, left, on=on, by="account" if account else None, effects=effects, level=level)
    # each action against the geometric mean of the others
    estimates = {
        name: contrast(
            fit,
            dict(zip(ratios, weights, strict=True)),
            name=f"{name} against the other actions",
            level=level,
        )
        for name, weights in zip(names, basis.tolist(), strict=True)
    }
    adjusted = multipletests([e.pvalue for e in estimates.values()], method="holm")[1]
    return Mix(
        outcome=left,
        total=fit[total],
        actions=estimates,
        adjusted=dict(zip(estimates, map(float, adjusted), strict=True)),
        shares={name: float(count / totals.sum()) for name, count in zip(names, totals, strict=True)},
        replaced=replaced,
        fit=fit,
        method=f"{fit.method}; a count of 0 becomes {_ZERO:g} beside other actions; Holm over {Count(len(names)):action}",
    )


def _check_mix(data: Any, outcome: Any, actions: list[str], model: str) -> None:
    if len(actions) < 2:
        raise DesignError(
            "a mix needs at least two actions", got=f"{len(actions)}", fix="use `regress` for one action"
        )
    if model not in ("ols", "poisson"):
        raise UnknownNameError.of("model", model, ("ols", "poisson"))
    if isinstance(data, Moments):
        raise DesignError(
            "the mix needs rows", got="moments, which hold finished columns", fix="estimate from the rows"
        )
    if isinstance(outcome, str) and outcome in actions:
        raise _made_of([outcome], actions)


def _coordinates(counts: Sequence[nw.Expr], basis: np.ndarray, labels: Sequence[str]) -> list[nw.Expr]:
    """Log of the total and the log-ratios; empty where nothing happened."""
    total = _total(counts)
    out: list[nw.Expr] = [nw.when(total > 0).then(total).log().alias(labels[0])]
    # rows without any action have no mix; what is not positive never reaches an engine's logarithm
    logs = [
        nw.when((total > 0) & (count == 0))
        .then(math.log(_ZERO))
        .otherwise(nw.when(count > 0).then(count).log())
        for count in counts
    ]
    for label, weights in zip(labels[1:], basis.T.tolist(), strict=True):
        parts = [part * weight for part, weight in zip(logs, weights, strict=True) if weight]
        out.append(_total(parts).alias(label))
    return out


def _total(counts: Sequence[nw.Expr]) -> nw.Expr:
    return sum(counts[1:], counts[0])


def _count(
    frame: nw.LazyFrame[Any], counts: Sequence[nw.Expr], names: Sequence[str]
) -> tuple[np.ndarray, dict[str, int]]:
    """Total of each action and the zeros that will be replaced; negative counts are refused."""
    total = _total(counts)
    sums: list[nw.Expr] = []
    for i, count in enumerate(counts):
        sums += [
            nw.when(count.is_finite()).then(count).otherwise(0.0).sum().alias(f"sum{i}"),
            nw.when(count < 0).then(1).otherwise(0).sum().alias(f"negative{i}"),
            nw.when((count == 0) & (total > 0)).then(1).otherwise(0).sum().alias(f"zero{i}"),
        ]
    found = gather(frame.select(*sums))
    for i, name in enumerate(names):
        negative = int(found[f"negative{i}"][0] or 0)
        if negative:
            raise DataError(
                f"{name!r} must be a count", got=f"{Count(negative):row is} negative", allowed="0 or more"
            )
        if not (found[f"sum{i}"][0] or 0) > 0:
            raise DataError(
                f"the action {name!r} never happens",
                got="0 in all rows",
                fix="leave it out: it has no share to compare",
            )
    totals = np.array([float(found[f"sum{i}"][0]) for i in range(len(names))])
    return totals, {name: int(found[f"zero{i}"][0]) for i, name in enumerate(names)}


def _refuse_parts(opened: Opened, outcome: Any, actions: Sequence[str]) -> None:
    """Refuse an outcome that the actions are parts of: it would be explained by itself."""
    frame = opened.frame
    # an expression of columns that nothing else reads: ask which ones it reads
    read = (
        (outcome,) if isinstance(outcome, str) else open_rows(nw.to_native(frame), [outcome], [], None).roots
    )
    same = [name for name in read if name in actions]
    left = opened.number(outcome)
    parts = [opened.number(name) for name in actions]
    # a log is undone; beyond 300 it is no log
    high = gather(frame.select(left.alias("y")).select(nw.col("y").max()))["y"][0]
    undone = [left] if high is None or not high < 300 else [left, left.exp()]
    for whole in [] if same else undone:
        labels = [*(f"c{i}" for i in range(len(parts))), "whole"]
        table = frame.select(
            *(part.alias(label) for part, label in zip([*parts, whole], labels, strict=True))
        )
        moments = Moments.from_frame(nw.to_native(table), labels)
        if moments.rows > len(actions) + 1 and unexplained(centred(moments, within=False)) <= _EXACT:
            same = [opened.names[0]]
    if same:
        raise _made_of(same, actions)


def _made_of(outcome: Sequence[str], actions: Sequence[str]) -> GuardError:
    return GuardError(
        f"the outcome is made of the actions: {', '.join(map(repr, outcome))}",
        got=f"actions {', '.join(map(repr, actions))}",
        allowed="an outcome that is counted elsewhere, such as revenue or visits",
        fix="take another outcome, or leave its parts out of the actions",
    )
