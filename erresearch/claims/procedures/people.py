"""Claims about people: two groups of them, or a tipping point in the number of interactions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.claims.decision_rule import Evidence, left_out
from erresearch.claims.disclosure import of_accounts, strata
from erresearch.claims.options import GroupOptions, ThresholdOptions
from erresearch.claims.variables import Variables
from erresearch.engine.moments import Moments
from erresearch.engine.sources import open_rows
from erresearch.errors import Count, DataError, DesignError
from erresearch.io import pl
from erresearch.relate.association import regress
from erresearch.relate.design import with_constant
from erresearch.relate.inference import FEWEST_CLUSTERS
from erresearch.results import Doubt, Estimate, StudentT, at_least, first_largest, plain, rounded
from erresearch.results.rounding import grouped

_GROUP: Final = "group of the claim"
_OUT, _IN = "0", "1"
#: Share of the rows that must lie on each side of a place that is tried (Andrews 1993).
TRIM: Final = 0.15
#: Places tried at most.
PLACES: Final = 20
#: Powers of the standardised log of interactions: the smooth curve that a jump must stand out from.
POWERS: Final = (1, 2, 3, 4)
DRAWS: Final = 1_999
#: Rows per stratum at least where no accounts are given, and strata at most.
_LEAST, _STRATA = 20, 50


# ------------------------------------------------------------------------------------------------ two groups
@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Means of one group, the HC3 covariance of these means, and their number of rows."""

    n: int
    means: np.ndarray
    covariance: np.ndarray


def group_moments(cast: Variables[GroupOptions]) -> Moments:
    """Moments of the outcomes by group, "1" for those in it and "0" for the others; all that this procedure needs.

    Raises
    ------
    DataError
        If all rows are in one group, or a group has fewer than 2 rows.
    """
    if isinstance(cast.data, Moments):
        return cast.data
    group, columns = cast.column("group"), list(dict.fromkeys(map(cast.column, _outcomes(cast))))
    # a reference is a word, a cut is a number
    word = cast.options.reference is not None
    opened = open_rows(cast.data, columns if word else [*columns, group], [group] if word else [], None)
    flag = membership(cast).alias(_GROUP)
    table = opened.frame.select(*(nw.col(name) for name in columns), flag)
    moments = Moments.from_frame(nw.to_native(table), columns, by=_GROUP)
    if moments.accounts < 2 or moments.count.min() < 2:
        raise DataError(
            f"{group!r} does not make two groups",
            got=", ".join(f"{Count(n):row}" for n in moments.count),
            allowed="two groups of 2 or more rows",
            fix="bring rows of both groups",
        )
    return moments


def membership(cast: Variables[GroupOptions]) -> nw.Expr:
    """Tell rows in the group, "1", from the others, "0"; missing where that is not known."""
    column, reference = nw.col(cast.column("group")), cast.options.reference
    if reference is not None:
        known, inside = ~column.is_null(), column.cast(nw.String()) != str(reference)
    else:
        column = column.cast(nw.Float64())
        known, inside = column.is_finite(), column >= cast.options.cut
    return nw.when(known & inside).then(nw.lit(_IN)).otherwise(nw.when(known).then(nw.lit(_OUT)))


def _outcomes(cast: Variables[GroupOptions]) -> list[str]:
    return [role for role in ("y", "through", "money") if role in cast.roles]


def judge_groups(cast: Variables[GroupOptions]) -> Evidence:
    """Difference of two groups' means, or whether it is the number of buyers rather than the amount that differs.

    "difference": θ = ȳ₁ − ȳ₀, variance Σ_g S_g/(n_g − 1)², which is HC3 of the regression on the group.
    "whether rather than how much", with a the share of buyers and b the mean amount, zeros included:
    θ = ln(a₁/a₀) − [ln(b₁/a₁) − ln(b₀/a₀)], by the delta method.
    """
    moments = group_moments(cast)
    zero, one = (_means(moments, place) for place in (0, 1))
    at = {role: moments.columns.index(cast.column(role)) for role in _outcomes(cast)}
    y = cast.column("y")
    n = zero.n + one.n
    if cast.options.scale == "difference":
        value = float(one.means[at["y"]] - zero.means[at["y"]])
        variance = sum(float(group.covariance[at["y"], at["y"]]) for group in (zero, one))
        estimate = _estimate(f"{y}, difference of means", value, variance, n, cast)
        doubts = []
        for group, where in ((zero, "the others"), (one, "the group")):
            mean = float(group.means[at["y"]])
            doubts.append(Doubt(f"mean of {y} in {where}", f"{plain(mean)} over {Count(group.n):row}", mean))
        if "through" in at:
            doubts.append(_naive(moments, at, estimate, cast))
        return Evidence(estimate, doubts=(*doubts, *left_out(moments.dropped)), result=None)
    whether, amount, variance = 0.0, 0.0, 0.0
    for sign, group in ((-1.0, zero), (1.0, one)):
        share, money = float(group.means[at["y"]]), float(group.means[at["money"]])
        if share <= 0 or money <= 0:
            raise DataError(
                "logs of shares and amounts need buyers in both groups",
                got=f"{plain(share)} of {Count(group.n):row} bought, for {plain(money)} on average",
                allowed="above 0",
                fix="bring more rows",
            )
        whether += sign * math.log(share)
        amount += sign * (math.log(money) - math.log(share))
        slope = np.zeros(len(moments.columns))
        slope[at["y"]], slope[at["money"]] = 2 / share, -1 / money
        variance += float(slope @ group.covariance @ slope)
    name = "log ratio of buyers − log ratio of the amount per buyer"
    estimate = _estimate(name, whether - amount, variance, n, cast)
    said = f"log ratio of the amounts per buyer {plain(amount)}"
    doubts = [
        Doubt("whether", f"log ratio of the shares of buyers {plain(whether)}", whether),
        Doubt("how much", said, amount, abs(amount) >= abs(whether)),
    ]
    return Evidence(estimate, doubts=(*doubts, *left_out(moments.dropped)), result=None)


def _means(moments: Moments, place: int) -> _Group:
    n = int(moments.count[place])
    within = moments.within()[place]
    return _Group(n, moments.origin + moments.sums[place] / moments.weight[place], within / (n - 1) ** 2)


def _estimate(name: str, value: float, variance: float, n: int, cast: Variables[GroupOptions]) -> Estimate:
    se = math.sqrt(max(variance, 0.0))
    words = f"two groups, HC3, t({n - 2})"
    return StudentT(value, se, n - 2).estimate(name, cast.level, n_rows=n, method=words)


def _naive(moments: Moments, at: dict[str, int], estimate: Estimate, cast: Variables[GroupOptions]) -> Doubt:
    """What the comparison of those who did and did not engage says, beside the experiment.

    From the same moments: `through` is 0 or 1, so that Σ through·y is the sum of y among those who engaged.
    """
    whole = moments.about(np.zeros(len(moments.columns)))
    grams, sums = whole.grams().sum(axis=0), whole.sums.sum(axis=0)
    n, engaged = float(whole.weight.sum()), float(sums[at["through"]])
    y, through = cast.column("y"), cast.column("through")
    centred = grams - np.outer(sums, sums) / n
    spread = float(centred[at["through"], at["through"]] * centred[at["y"], at["y"]])
    if not 0 < engaged < n or not spread > 0:
        said = f"everybody has {through} or nobody, or {y} is the same in all rows"
        return Doubt("the naive comparison", said)
    own = float(grams[at["through"], at["y"]])
    rest = float(sums[at["y"]]) - own
    # what is left of a difference of equal sums is rounding
    among, others = own / engaged, rest / (n - engaged) if abs(rest) > 1e-9 * abs(own) else 0.0
    naive = among - others
    r = float(centred[at["through"], at["y"]]) / math.sqrt(spread)
    moved = float(np.diff(whole.sums[:, at["through"]] / whole.weight)[0])
    said = (
        f"by 1,000 rows, {y} adds up to {_of_1000(among)} with {through} and to {_of_1000(others)} without it (r = "
        f"{plain(r)}), for whatever reason; the experiment added {_of_1000(moved)} to {through} and "
        f"{_of_1000(estimate.value)} to {y}"
    )
    return Doubt("the naive comparison", said, naive, abs(naive) > abs(estimate.value))


def _of_1000(mean: float) -> str:
    """A mean as people say it, by a thousand rows and to two digits."""
    return rounded(1000 * mean, like=abs(1000 * mean))


# ------------------------------------------------------------------------------------------------ a threshold
def judge_threshold(cast: Variables[ThresholdOptions]) -> Evidence:
    """Jump of the outcome where interactions reach a number, on top of a smooth curve in them.

    y = α + f(log(1 + n)) + θ·1{n ≥ κ} + u, f of degree 4, errors clustered by account (without accounts: by strata of
    rows drawn by a hash of their number). Where the claim states κ (option ``cut``), θ is read off at it. Where it
    does not, κ is where one half of the accounts has its most significant jump upwards, and θ is estimated on the
    other half, then the other way round, and the mean of the two is θ: no half judges a place that it chose itself.
    (A claim that there is such a number is not contradicted by a jump downwards elsewhere, hence upwards.) Beside it
    stands the sup-score test over all places, against no jump anywhere; without it no jump is called supported.

    References
    ----------
    Andrews, D. W. K. (1993). Tests for parameter instability and structural change with unknown change point.
    *Econometrica*, 61(4), 821-856. Hansen, B. E. (1996). Inference when a nuisance parameter is not identified under
    the null hypothesis. *Econometrica*, 64(2), 413-430. Hansen, B. E. (2000). Sample splitting and threshold
    estimation. *Econometrica*, 68(3), 575-603.
    """
    moments = threshold_moments(cast)
    powers, places = curve_and_places(moments, cast)
    accounts = moments.accounts if "by" in cast.roles else 0
    left = left_out(moments.dropped)
    if len(places) == 1 and cast.options.cut is not None:
        estimate = _jump(moments, places[0], powers, cast.level)
        return Evidence(estimate, clusters=accounts, doubts=tuple(left))
    statistics, pvalue = largest_jump(moments, places, powers)
    crossed = choose_in_halves(moments, places, powers)
    parts = [_jump(other, place, powers, cast.level) for _, place, other in crossed]
    chosen = [place for _, place, _ in reversed(crossed)]
    estimate = _mean(parts, moments, cast)
    best, upward = places[first_largest(statistics)], estimate.interval.low > 0
    chance, apart = upward and pvalue > 1 - cast.level, chosen[0] != chosen[1]
    anywhere = (
        f"largest score over {Count(len(places)):place}, where {best}: p = {plain(pvalue)} (score bootstrap)"
    )
    halves = f"one half puts it where {chosen[0]}, the other where {chosen[1]}"
    doubts = [
        Doubt("a jump anywhere", anywhere, pvalue, chance),
        Doubt("place of the jump", halves, float(apart), upward and apart),
        *left,
    ]
    barrier = ""
    if chance:
        barrier = f"a jump somewhere cannot be told from a smooth curve (sup-score p = {plain(pvalue)})"
    if accounts and accounts < 2 * FEWEST_CLUSTERS:
        barrier = f"{Count(accounts):account}: two halves of {FEWEST_CLUSTERS} or more are needed to choose and to judge"
    return Evidence(estimate, clusters=accounts, barrier=barrier, doubts=tuple(doubts))


def threshold_moments(cast: Variables[ThresholdOptions]) -> Moments:
    """Moments by account (or stratum) of the curve, of one column per place and of the outcome: all that is needed.

    Raises
    ------
    DataError
        If interactions are negative.
    DesignError
        If no place has enough rows on either side.
    """
    if isinstance(cast.data, Moments):
        return cast.data
    x, y, by = cast.column("x"), cast.column("y"), cast.roles.get("by")
    table = cast.rows([x, y], [] if by is None else [by])
    count = table[x].to_numpy()
    known = np.isfinite(count)
    if below := int((count[known] < 0).sum()):
        raise DataError(
            f"{x!r} counts interactions and cannot be negative",
            got=f"{Count(below, of=len(count)):row} below 0",
            allowed="0 and more",
            fix="correct or leave out these rows",
        )
    cut = cast.options.cut
    found = _tried(count[known]) if cut is None else np.array([cut])
    flags = {f"{x} ≥ {place:g}": np.where(known, count >= place, np.nan).astype(float) for place in found}
    if not flags or any(np.ptp(flag[known]) == 0 for flag in flags.values()):
        raise DesignError(
            "there is no place at which a jump could be seen",
            got=f"{Count(len(np.unique(count[known]))):different number} of {x!r}",
            allowed="rows on either side"
            if cut is not None
            else f"{100 * TRIM:g} % of the rows on either side of a place",
            fix="bring people with few and with many interactions",
        )
    log = np.log1p(count)
    curve = (log - log[known].mean()) / log[known].std()
    columns = {f"curve of {x}, power {power}": curve**power for power in POWERS} | flags
    columns[y] = table[y].to_numpy()
    least = max(_LEAST, len(count) // _STRATA)
    groups = table[by].to_list() if by is not None else strata(len(count), salt=x, least=least)
    frame = pl.DataFrame({**columns, _GROUP: groups}, strict=False)
    moments = Moments.from_frame(frame, [*(name for name in columns if name != y), y], by=_GROUP)
    return replace(moments, source=None)


def _tried(count: np.ndarray) -> np.ndarray:
    """Numbers with enough rows below and from them on; quantiles of these where they are many."""
    values, rows = np.unique(count, return_counts=True)
    below = np.concatenate([[0], np.cumsum(rows)[:-1]]) / max(len(count), 1)
    inner = values[(below >= TRIM) & (below <= 1 - TRIM)]
    if len(inner) <= PLACES:
        return inner
    marks = np.quantile(count, np.linspace(TRIM, 1 - TRIM, PLACES), method="higher")
    return np.unique(marks[np.isin(marks, inner)])


def curve_and_places(moments: Moments, cast: Variables[ThresholdOptions]) -> tuple[list[str], list[str]]:
    """Columns of the smooth curve, and those of the jumps; the outcome comes after both."""
    start = f"{cast.column('x')} ≥ "
    places = [name for name in moments.columns if name.startswith(start)]
    return [name for name in moments.columns[:-1] if name not in places], places


def _sweep(moments: Moments, places: Sequence[str], powers: Sequence[str]) -> np.ndarray:
    """Scores of the jumps with the curve swept out, the null of no jump imposed (G × places)."""
    whole = with_constant(moments[[*powers, *places, moments.columns[-1]]])
    total, k = whole.sum(axis=0), 1 + len(powers)
    # every column minus its projection on the constant and the curve
    scale = np.sqrt(np.diag(total[:k, :k]))
    held = np.linalg.solve(total[:k, :k] / np.outer(scale, scale), total[:k, k:] / scale[:, None])
    rest = np.vstack([-held / scale[:, None], np.eye(len(total) - k)])
    return np.asarray(np.einsum("ia,gij,j->ga", rest[:, :-1], whole, rest[:, -1]))


def largest_jump(
    moments: Moments, places: Sequence[str], powers: Sequence[str], *, draws: int = DRAWS
) -> tuple[np.ndarray, float]:
    """Score statistic of a jump at each place, and the p-value of the largest under no jump anywhere.

    T(κ) = Σ_g s_g / √(Σ_g s_g²), s_g the score of the jump at κ in account g with the curve swept out and no jump
    imposed, positive for a jump upwards; the null distribution of max T(κ) by one random sign per account, the same at
    every place (Hansen's multiplier bootstrap).

    Parameters
    ----------
    moments : Moments
        Of the curve, the places and, last, the outcome.
    places, powers : sequence of str
        Columns.
    draws : int
        Replicates; 0 for the statistics alone.

    Returns
    -------
    statistics : (p,) ndarray
        One per place.
    pvalue : float
        Of the largest; NaN without draws.
    """
    scores = _sweep(moments, places, powers)
    spread = np.sqrt(np.sum(scores**2, axis=0))
    spread[spread == 0] = np.inf
    studentised = scores / spread
    statistics = np.sum(studentised, axis=0)
    if not draws:
        return statistics, math.nan
    # signs, also for few accounts: their squares are 1, so that each draw has the statistic's own denominator
    signs = 2.0 * np.random.default_rng(0).integers(0, 2, size=(draws, len(scores))) - 1.0
    drawn = (signs @ studentised).max(axis=1)
    return statistics, float((1 + np.count_nonzero(at_least(drawn, statistics.max()))) / (draws + 1))


def choose_in_halves(
    moments: Moments, places: Sequence[str], powers: Sequence[str]
) -> list[tuple[Moments, str, Moments]]:
    """One half of the accounts, the place of its most significant jump and the other half; then the other way round.

    Accounts are dealt by a hash of their names.
    """
    digests = [hashlib.sha256(f"half:{key}".encode()).digest() for key in moments.keys]
    order = np.array(sorted(range(len(digests)), key=digests.__getitem__))
    halves = [of_accounts(moments, np.sort(order[start::2])) for start in (1, 0)]
    chosen = [places[first_largest(largest_jump(half, places, powers, draws=0)[0])] for half in halves]
    return list(zip(halves, chosen, reversed(halves), strict=True))


def _jump(moments: Moments, place: str, powers: Sequence[str], level: float) -> Estimate:
    fit = regress(moments, moments.columns[-1], on=[*powers, place], cov="CRV3", level=level)
    return fit[place]


def _mean(parts: Sequence[Estimate], moments: Moments, cast: Variables[ThresholdOptions]) -> Estimate:
    value = float(np.mean([part.value for part in parts]))
    # each half chose the other's place, so that their errors go together; the mean of the two is the largest that can be
    se = float(np.mean([part.se for part in parts]))
    df = min(part.df for part in parts)
    several = list(dict.fromkeys(part.name for part in reversed(parts)))
    by = cast.roles.get("by")
    who = grouped(moments.accounts, by) if by else f"{moments.accounts} strata of rows"
    return StudentT(value, se, df).estimate(
        f"jump of {cast.column('y')} where {' or '.join(several)}",
        cast.level,
        n_rows=moments.rows,
        n_accounts=moments.accounts if by else 0,
        method=f"least squares on a curve of degree {len(POWERS)} in log (1 + {cast.column('x')}) and a jump; place "
        f"chosen on one half of {who}, jump estimated on the other, both ways, CRV3, t({df:g})",
        by=by or "",
    )
