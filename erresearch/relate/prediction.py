"""Does it predict, and how much of it is signal? Forecasts of a panel compared out of sample, and reliability.

Forecasts come from running sums, estimated again at every origin and without each group of accounts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.aggregation import Cells
from erresearch.engine.lazy_rows import gather
from erresearch.engine.moments import Moments
from erresearch.errors import Count, DesignError
from erresearch.relate.design import check_design, check_rows, listed, sweep
from erresearch.relate.distributed_lags import cosine_covariance
from erresearch.relate.inference import few_accounts
from erresearch.relate.lags import LaggedRows, check_periods, jackknifed, open_panel, refuse_repeated
from erresearch.relate.temporal_precedence import SHORTEST_SERIES
from erresearch.results import PredictiveGain, Reliability, StudentT
from erresearch.results.estimates import check_level

#: Rows that an account must have behind it before it is forecast.
HISTORY = 8
#: What to do where forecasts have too little behind them.
_LONGER: Final = "bring longer series or ask for fewer lags or a shorter season"
#: Share of the periods before the first forecast; most origins; most groups of accounts that are left out in turn.
_FIRST, _ORIGINS, _FOLDS = 0.5, 200, 50


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Forecasts:
    """Errors of every forecast, and the row of the cells that it is of."""

    row: np.ndarray
    errors: np.ndarray  # (3, n): of the account's mean, of the model, of its rival
    origins: int
    without_history: int
    left_out: np.ndarray  # (2, F): Σ saved and Σ e² of the rival where a group of accounts was never seen


def forecast(
    cells: Cells,
    labels: list[str],
    sides: list[list[int]],
    *,
    shared: list[int],
    apart: list[int],
    nested: bool,
) -> Forecasts:
    """Walk through the periods: forecast each from running sums of those before, then add it to them.

    Columns `shared` enter every model a second time as averages over the accounts, each from its own first value on;
    columns `apart` enter as differences from such averages. Otherwise a predictor would be praised for knowing the
    season or the trend that all accounts share.

    Parameters
    ----------
    cells : Cells
        One row per account and period, the outcome first.
    labels : list of str
        Names of the columns.
    sides : list of list of int
        Regressors of the model and of its rival.
    shared, apart : list of int
        See above; empty for one entity.
    nested : bool
        Whether the rival is nested in the model.

    Returns
    -------
    Forecasts

    Raises
    ------
    DesignError
        Too few rows before the first forecast, too few forecasts, or collinear columns.
    """
    order = np.lexsort((cells.account, cells.period))
    who, when = cells.account[order], cells.period[order]
    z = _apart_from_all(cells.sums[order], who, when, shared=shared, apart=apart)
    labels = [*labels, *(f"average of {labels[column]}" for column in shared)]
    accounts, k = int(who.max()) + 1, len(labels)
    sides = [[*range(k - len(shared), k), *side] for side in sides]
    edges = np.searchsorted(when, np.arange(len(cells.periods) + 1))
    start = math.ceil(_FIRST * len(cells.periods))
    stride = math.ceil((len(cells.periods) - start) / _ORIGINS)
    fold = np.arange(accounts) % min(accounts, _FOLDS)
    sums, count = np.zeros((accounts, k)), np.zeros(accounts)
    cross, left_out = np.zeros((fold.max() + 1, k, k)), np.zeros((2, fold.max() + 1))
    betas: list[np.ndarray] = []
    errors, used = [np.empty((0, 3))], [np.zeros(0, dtype=int)]
    for t in range(len(cells.periods)):
        rows = slice(edges[t], edges[t + 1])
        values, whose = z[rows], who[rows]
        if t >= start:
            if (t - start) % stride == 0:
                parameters = max(map(len, sides)) + int((count > 0).sum())
                check_rows(int(count.sum()), parameters, got="before the first forecast", fix=_LONGER)
                # the accounts' means taken out of each group of them: less Σ_g s_g s_gᵀ / n_g
                grams, means = cross.copy(), sums / np.maximum(count, 1)[:, None]
                np.subtract.at(grams, fold, means[:, :, None] * sums[:, None, :])
                betas = [_solve(grams, side, labels) for side in sides]
            known = count[whose] >= HISTORY
            off = (values - sums[whose] / np.maximum(count[whose], 1)[:, None])[known]
            model, rival = (off[:, :1] - off[:, s] @ b.T for s, b in zip(sides, betas, strict=True))
            errors.append(np.column_stack([off[:, 0], model[:, 0], rival[:, 0]]))
            seen = fold[whose[known]][:, None] != np.arange(fold.max() + 1)
            losses = _saved(model[:, 1:], rival[:, 1:], nested=nested), rival[:, 1:] ** 2
            left_out += np.stack([(loss * seen).sum(axis=0) for loss in losses])
            used.append(np.flatnonzero(known) + edges[t])
        sums[whose] += values
        count[whose] += 1
        np.add.at(cross, fold[whose], values[:, :, None] * values[:, None, :])
    index = np.concatenate(used)
    if len(index) < 2 or len(np.unique(when[index])) < 3:
        raise DesignError(
            "too few forecasts to compare",
            got=f"{Count(len(index)):forecast}",
            allowed=f"at least 3 periods after the first {start}, and {HISTORY} earlier rows of an account",
            fix=_LONGER,
        )
    return Forecasts(
        row=order[index],
        errors=np.concatenate(errors).T,
        origins=len(range(start, len(cells.periods), stride)),
        without_history=int(len(z) - edges[start] - len(index)),
        left_out=left_out,
    )


def _apart_from_all(
    z: np.ndarray, who: np.ndarray, when: np.ndarray, *, shared: list[int], apart: list[int]
) -> np.ndarray:
    """Columns `apart` less their averages over the accounts, and the averages of `shared` after the others."""
    accounts, first = np.unique(who, return_index=True)  # rows come in order of time
    met = np.ones(len(z), dtype=bool)
    met[first] = False
    moved = (z - z[first[np.searchsorted(accounts, who)]])[met]
    seen = np.maximum(np.bincount(when[met], minlength=when.max() + 1), 1)[when]
    z, common = z.copy(), np.zeros_like(z)
    for column in {*shared, *apart}:
        common[:, column] = np.bincount(when[met], moved[:, column], when.max() + 1)[when] / seen
    z[:, apart] -= common[:, apart]
    return np.column_stack([z, common[:, shared]])


def _solve(grams: np.ndarray, side: list[int], labels: list[str]) -> np.ndarray:
    """Coefficients of all accounts, then without each group of accounts ((1 + F) × k)."""
    own, cross = grams[:, side][:, :, side], grams[:, side, 0]
    total = own.sum(axis=0)
    scale = check_design(total, [labels[i] for i in side], np.diag(total))
    left = np.concatenate([total[None], total - own]) / np.outer(scale, scale)
    right = np.concatenate([cross.sum(axis=0)[None], cross.sum(axis=0) - cross]) / scale
    if len(grams) == 1:
        left[1], right[1] = left[0], right[0]
    # a group that alone tells two columns apart: the least change keeps the rest going
    solved = np.einsum("fij,fj->fi", np.linalg.pinv(left, hermitian=True), right)
    return np.asarray(solved / scale)


def _saved(model: np.ndarray, rival: np.ndarray, *, nested: bool) -> np.ndarray:
    """What the model saves of the rival's squared error; where the rival is nested, without what its noise adds."""
    return np.asarray(rival * (rival - model) if nested else rival**2 - model**2)


class _Plan(NamedTuple):
    """Which column and lag plays which part, the longest season of them, and the common ones in words."""

    own: list[tuple[int, int]]
    baseline: list[tuple[int, int]]
    add: list[tuple[int, int]]
    versus: list[tuple[int, int]]
    season: int
    words: str


def predictive_gain(
    panel: Any,
    outcome: Any,
    *,
    baseline: Sequence[Any] = (),
    add: Any = None,
    versus: Any = None,
    by: str | None,
    time: str,
    lags: int = 2,
    season: int | None = None,
    level: float = 0.95,
) -> PredictiveGain:
    """How much better `add` predicts the outcome than the baseline, or than `versus`, one period ahead.

    Forecasts are made from what was known the period before: `lags` lags of the outcome itself, its value one season
    earlier, lags of the `baseline` columns (ad spend), and of `add`. Coefficients and account means are estimated on
    the periods before (expanding window, from half of the periods on; estimated again at every origin, at most 200).
    With several accounts the averages over the accounts of the outcome's lags enter too, and `add` and `versus` enter
    as differences from their averages over the accounts: season, trend and common shocks earn them nothing. The gain
    is a share of the rival's squared error:

    * without `versus` the rival is the baseline, nested in the model, and the gain is Σ e₀(e₀ − e₁) / Σ e₀²: half of
      Clark and West's statistic, which has mean 0 where `add` adds nothing and is the share of squared error saved
      where it adds (the raw share is burdened with estimating more coefficients);
    * with `versus` it is Diebold and Mariano's Σ (e_B² − e_A²) / Σ e_B², A and B on top of the same baseline.

    Its standard error adds what accounts and what periods have in common, with min(accounts, periods, 50) − 1 degrees
    of freedom: a jackknife of accounts (of 50 groups of them at most), each left out of estimation and of comparison,
    so that the coefficients' own uncertainty counts, and clusters of periods. For one entity it comes from equally
    weighted cosines.

    Parameters
    ----------
    panel : frame or path
        One row per account and period.
    outcome : str or narwhals expression
        What is predicted, for example ``er.log("revenue")``.
    baseline : sequence of str or narwhals expressions
        What else anyone would use.
    add : str, narwhals expression or sequence of them
        The predictors in question.
    versus : str, narwhals expression or sequence of them, optional
        Rival predictors.
    by : str or None
        The account; None for one entity.
    time : str
        Period, see :func:`erresearch.precedence`.
    lags : int
        Lags of every column.
    season : int, optional
        Periods in a season. Where it is left out it is a year (and a week, for days) if `time` holds dates and the
        longest account is seen for two; 0 leaves it out.
    level : float
        Confidence level.

    Returns
    -------
    PredictiveGain

    Raises
    ------
    DesignError
        Nothing to add, too few rows, or collinear columns.
    DataError
        Several rows per account and period, or irregular periods.
    GuardError
        If one outcome series is repeated on several accounts.

    See Also
    --------
    erresearch.precedence : Which moves first.

    References
    ----------
    Clark, T. E., & West, K. D. (2007). Approximately normal tests for equal predictive accuracy in nested models.
    *Journal of Econometrics*, 138(1), 291-311. Diebold, F. X., & Mariano, R. S. (1995). Comparing predictive
    accuracy. *Journal of Business & Economic Statistics*, 13(3), 253-263. Cameron, A. C., Gelbach, J. B., & Miller,
    D. L. (2011). Robust inference with multiway clustering. *Journal of Business & Economic Statistics*, 29(2),
    238-249.

    Examples
    --------
    >>> from erresearch.engine.expressions import log
    >>> from erresearch.worlds import simulate_panel
    >>> panel, truth = simulate_panel("effect", accounts=30, weeks=80, rng=1)
    >>> found = predictive_gain(panel, log("revenue"), baseline=[log("spend")], add=log("engagement"),
    ...                         by="account", time="week")
    >>> found.gain.interval.low > 0
    True
    """
    check_level(level)
    check_periods("lags", lags, 1)
    added, rivals = listed(add), listed(versus)
    if not added:
        raise DesignError(
            "there is nothing to compare", got="add=None", fix="name the predictors in question with `add`"
        )
    base = listed(baseline)
    rows = open_panel(panel, [outcome, *base, *added, *rivals], by=by, time=time)
    plan = _plan(rows, (len(base), len(added), len(rivals)), lags=lags, season=season)
    wanted = [(0, 0), *plan.own, *plan.baseline, *plan.add, *plan.versus]
    moments = rows.moments(wanted)
    refuse_repeated(moments, rows.names[0])
    labels = [rows.label(*pair) for pair in wanted]
    return _compare(rows, plan, moments[labels], labels, level=level)


def _plan(rows: LaggedRows, sizes: tuple[int, int, int], *, lags: int, season: int | None) -> _Plan:
    seasons = _seasons(rows, season, lags)
    ends = np.cumsum([1, *sizes])
    parts = [
        [(column, lag) for column in range(start, end) for lag in range(1, lags + 1)]
        for start, end in pairwise(ends)
    ]
    words = "own lags" + "".join(f", value {Count(n):period} before" for n in seasons)
    if rows.accounts > 1:
        words += ", their averages over the accounts"
    if sizes[0]:
        words += f", {', '.join(rows.names[1 : 1 + sizes[0]])}"
    own = [(0, lag) for lag in (*range(1, lags + 1), *seasons)]
    return _Plan(own, parts[0], parts[1], parts[2], seasons[-1] if seasons else 0, words)


def _seasons(rows: LaggedRows, season: int | None, lags: int) -> list[int]:
    """Seasonal lags of the outcome beyond its ordinary ones."""
    if season is not None:
        check_periods("season", season, 0)
        return [season] if season > lags else []
    lengths = rows.frame.group_by("account").agg(nw.len().alias("rows"))
    longest = int(gather(lengths, small=rows.small)["rows"].max() or 0)  # type: ignore[arg-type]
    year = round(rows.season)
    found = [7] if year > 300 else []
    return [n for n in [*found, year] if n > lags and longest >= 2 * n]


def _compare(
    rows: LaggedRows, plan: _Plan, moments: Moments, labels: list[str], *, level: float
) -> PredictiveGain:
    common = [*plan.own, *plan.baseline]
    sides = [
        [labels.index(rows.label(*pair)) for pair in [*common, *more]] for more in (plan.add, plan.versus)
    ]
    cells = moments.cells
    assert cells is not None
    averaged = [(0, lag) for lag in (1, plan.season) if lag] if moments.accounts > 1 else []
    shared = [labels.index(rows.label(*pair)) for pair in averaged]
    apart = [labels.index(rows.label(*pair)) for pair in (*plan.add, *plan.versus) if averaged]
    nested = not plan.versus
    made = forecast(cells, labels, sides, shared=shared, apart=apart, nested=nested)
    saved, (mean, model, rival) = _saved(*made.errors[1:], nested=nested), made.errors**2
    account, period = cells.account[made.row], cells.period[made.row]
    gain, se, df, how = _gain(account, period, saved, rival, made.left_out)
    periods = np.unique(period)
    test = "Clark–West" if nested else "Diebold–Mariano"
    method = (
        f"one-step forecasts from {Count(made.origins):origin} ({cells.periods[periods[0]]} to "
        f"{cells.periods[periods[-1]]}), least squares with account means on {plan.words}; {test}, {how}"
    )
    added, rivals = (tuple(dict.fromkeys(rows.names[c] for c, _ in part)) for part in (plan.add, plan.versus))
    against = ", ".join(rivals) if rivals else "the baseline"
    accounts = len(np.unique(account))
    estimate = StudentT(gain, se, df).estimate(
        f"squared error of {rows.names[0]} saved by {', '.join(added)} over {against}",
        level,
        n_rows=len(saved),
        n_accounts=accounts if rows.by is not None else 0,
        method=method,
    )
    losses = {"account mean": mean, "rival": rival, "add": model}
    # those of the last value, and of the value a season before
    values = cells.sums[made.row] + moments.origin
    naive = {"last value": 1} | ({"value a season before": plan.season} if plan.season else {})
    for words, lag in naive.items():
        losses[words] = (values[:, 0] - values[:, labels.index(rows.label(0, lag))]) ** 2
    means = {words: float(np.mean(loss)) for words, loss in losses.items()}
    few = f"{Count(len(periods)):forecast} of one entity: fewer than {SHORTEST_SERIES} allow no decisive word"
    short = (few,) * (len(periods) < SHORTEST_SERIES)
    dropped = dict(moments.dropped)
    if made.without_history:
        dropped[f"forecasts of accounts with fewer than {HISTORY} rows behind them"] = made.without_history
    return PredictiveGain(
        outcome=rows.names[0],
        add=added,
        versus=rivals,
        gain=estimate,
        r2=1 - means["add"] / means["account mean"],
        r2_rival=1 - means["rival"] / means["account mean"],
        losses=means,
        dropped=dropped,
        cautions=short if accounts == 1 else few_accounts(accounts),
    )


def _gain(
    account: np.ndarray, period: np.ndarray, saved: np.ndarray, rival: np.ndarray, left_out: np.ndarray
) -> tuple[float, float, float, str]:
    """Σ saved / Σ rival with its standard error, degrees of freedom and how they were made."""
    total = float(rival.sum())
    gain = float(saved.sum()) / total
    share = (saved - gain * rival) / total
    accounts, when = len(np.unique(account)), np.unique(period, return_inverse=True)[1]
    by_period = np.bincount(when, weights=share)
    periods = len(by_period)
    if accounts == 1:
        variance, df = cosine_covariance(np.ones((periods, 1)), by_period * periods)
        return gain, math.sqrt(float(variance[0, 0])), df, f"equally weighted cosines, t({df})"
    left = left_out[0] / left_out[1]
    first = (len(left) - 1) / len(left) * float(np.sum((left - gain) ** 2))
    second = periods / (periods - 1) * float(by_period @ by_period)
    both = first + second - float(share @ share)
    df = min(accounts, len(left), periods) - 1
    se = math.sqrt(max(both, first, second))
    return gain, se, df, f"jackknife of accounts and clusters of periods, t({df})"


def reliability(panel: Any, counts: Sequence[Any], *, by: str, time: str) -> Reliability:
    """Reliability of the first of several counts of one thing whose errors are their own.

    With C the covariance of the counts after account and period effects and the controls are taken out, two counts
    give C₁₂/√(C₁₁C₂₂), the reliability if both are equally good; three or more give the mean over pairs (j, k) of
    C₁ⱼC₁ₖ/(CⱼₖC₁₁), which needs no such assumption. The bound is a jackknife over accounts on the logarithm.

    Counts that share an error do not show it: comments are a share of all engagement, and bots like and comment
    together. Two tools that count the same posts, or two platforms, do.

    Parameters
    ----------
    panel : frame or path
        One row per account and period.
    counts : sequence of str or narwhals expressions
        Two or more, the one in question first, for example ``[er.log("likes"), er.log("clicks")]``.
    by, time : str
        Account and period.

    Returns
    -------
    Reliability
        Of the first count; unknown where the counts do not clearly go together.

    Raises
    ------
    DesignError
        With fewer than two counts or fewer than 3 accounts.

    See Also
    --------
    erresearch.precedence : Where the reliability of x is read off its own past.

    References
    ----------
    Jöreskog, K. G. (1971). Statistical analysis of sets of congeneric tests. *Psychometrika*, 36(2), 109-133.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> true = rng.normal(size=(20, 50))
    >>> table = pd.DataFrame({"shop": np.repeat(np.arange(20), 50), "week": np.tile(np.arange(50), 20)})
    >>> for name in "abc":
    ...     table[name] = (true + 0.5 * rng.normal(size=true.shape)).ravel()
    >>> found = reliability(table, ["a", "b", "c"], by="shop", time="week")
    >>> 0.7 < found.low < found.value < 0.9
    True
    """
    if len(counts) < 2:
        raise DesignError(
            "one count alone cannot say how good it is",
            got=f"{len(counts)}",
            allowed="two or more counts of the same thing",
            fix="declare the reliability instead",
        )
    rows = open_panel(panel, counts, by=by, time=time)
    if rows.accounts < 3:
        raise DesignError(
            "the bound of a reliability needs several accounts",
            got=f"{rows.accounts}",
            allowed="3 or more",
            fix="declare the reliability instead",
        )
    moments = rows.moments([(i, 0) for i in range(len(rows.names))])
    grams = sweep(moments[[rows.label(i, 0) for i in range(len(rows.names))]], ("account", "period")).grams
    first = len(counts)

    def ratio(c: np.ndarray) -> tuple[float, float]:
        if first == 2:
            return c[0, 1] / math.sqrt(c[0, 0] * c[1, 1]), c[0, 1]
        pairs = [(j, k) for j in range(1, first) for k in range(j + 1, first)]
        shares = [c[0, j] * c[0, k] / (c[j, k] * c[0, 0]) for j, k in pairs]
        return float(np.mean(shares)), float(min(c[j, k] for j in range(first) for k in range(j)))

    return jackknifed(ratio, grams, "counts")
