"""Claims about two groups of people: who was sent the e-mail and who was not, who engages and who does not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.claims.decision_rule import Evidence, left_out
from erresearch.claims.options import GroupOptions
from erresearch.claims.variables import Variables
from erresearch.engine.moments import Moments
from erresearch.engine.sources import open_rows
from erresearch.errors import DataError
from erresearch.results import Doubt, Estimate, StudentT, plain

__all__ = ["group_moments", "judge_groups"]

_OUT, _IN = "0", "1"


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
    group, columns = cast.column("group"), _columns(cast)
    reference = cast.options.reference
    # a reference is a word, a cut is a number
    numbers = columns if reference is not None else [*columns, group]
    opened = open_rows(cast.data, numbers, [group] if reference is not None else [], None)
    column = nw.col(group)
    if reference is not None:
        known, inside = ~column.is_null(), column.cast(nw.String()) != str(reference)
    else:
        column = column.cast(nw.Float64())
        known, inside = column.is_finite(), column >= cast.options.cut
    flag = nw.when(known & inside).then(nw.lit(_IN)).otherwise(nw.when(known).then(nw.lit(_OUT)))
    table = opened.frame.select(*(nw.col(name) for name in columns), flag.alias("group of the claim"))
    moments = Moments.from_frame(nw.to_native(table), columns, by="group of the claim")
    if moments.accounts < 2 or moments.count.min() < 2:
        raise DataError(
            f"{group!r} does not make two groups",
            got=", ".join(f"{n:,} rows" for n in moments.count),
            allowed="two groups of 2 or more rows",
            fix="bring rows of both groups",
        )
    return moments


def _columns(cast: Variables[GroupOptions]) -> list[str]:
    roles = [role for role in ("y", "through", "money") if role in cast.roles]
    return list(dict.fromkeys(cast.column(role) for role in roles))


def judge_groups(cast: Variables[GroupOptions]) -> Evidence:
    """Difference of two groups' means, or whether it is the number of buyers rather than the amount that differs.

    "difference": θ = ȳ₁ − ȳ₀, variance Σ_g S_g/(n_g − 1)², which is HC3 of the regression on the group.
    "whether rather than how much", with a the share of buyers and b the mean amount, zeros included:
    θ = ln(a₁/a₀) − [ln(b₁/a₁) − ln(b₀/a₀)], by the delta method.
    """
    moments = group_moments(cast)
    zero, one = (_means(moments, place) for place in (0, 1))
    at = {
        role: moments.columns.index(cast.column(role))
        for role in ("y", "through", "money")
        if role in cast.roles
    }
    y = cast.column("y")
    n = zero.n + one.n
    if cast.options.scale == "difference":
        value = float(one.means[at["y"]] - zero.means[at["y"]])
        variance = sum(float(group.covariance[at["y"], at["y"]]) for group in (zero, one))
        estimate = _estimate(f"{y}, difference of means", value, variance, n, cast)
        doubts = [
            Doubt(
                f"mean of {y} in {'the group' if group is one else 'the others'}",
                f"{plain(group.means[at['y']])} over {group.n:,} rows",
                float(group.means[at["y"]]),
            )
            for group in (zero, one)
        ]
        if "through" in at:
            doubts.append(_naive(moments, at, estimate, cast))
        return Evidence(estimate, doubts=(*doubts, *left_out(moments.dropped)), result=None)
    whether, amount, variance = 0.0, 0.0, 0.0
    for sign, group in ((-1.0, zero), (1.0, one)):
        share, money = float(group.means[at["y"]]), float(group.means[at["money"]])
        if share <= 0 or money <= 0:
            raise DataError(
                "logs of shares and amounts need buyers in both groups",
                got=f"{plain(share)} of {group.n:,} rows bought, for {plain(money)} on average",
                allowed="above 0",
                fix="bring more rows",
            )
        whether += sign * math.log(share)
        amount += sign * (math.log(money) - math.log(share))
        slope = np.zeros(len(moments.columns))
        slope[at["y"]], slope[at["money"]] = 2 / share, -1 / money
        variance += float(slope @ group.covariance @ slope)
    estimate = _estimate(
        "log ratio of buyers − log ratio of the amount per buyer", whether - amount, variance, n, cast
    )
    doubts = [
        Doubt("whether", f"log ratio of the shares of buyers {plain(whether)}", whether),
        Doubt(
            "how much",
            f"log ratio of the amounts per buyer {plain(amount)}",
            amount,
            abs(amount) >= abs(whether),
        ),
    ]
    return Evidence(estimate, doubts=(*doubts, *left_out(moments.dropped)), result=None)


def _means(moments: Moments, place: int) -> _Group:
    n = int(moments.count[place])
    within = moments.within()[place]
    return _Group(n, moments.origin + moments.sums[place] / moments.weight[place], within / (n - 1) ** 2)


def _estimate(name: str, value: float, variance: float, n: int, cast: Variables[GroupOptions]) -> Estimate:
    se = math.sqrt(max(variance, 0.0))
    reference = StudentT(value, se, n - 2)
    words = f"two groups, HC3, t({n - 2})"
    return Estimate(
        name,
        value=value,
        se=se,
        df=n - 2,
        interval=reference.interval(cast.level),
        n_rows=n,
        n_accounts=0,
        unit="",
        method=words,
        reference=reference,
    )


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
        return Doubt(
            "the naive comparison", f"everybody has {through} or nobody, or {y} is the same in all rows"
        )
    own = float(grams[at["through"], at["y"]])
    naive = own / engaged - (float(sums[at["y"]]) - own) / (n - engaged)
    r = float(centred[at["through"], at["y"]]) / math.sqrt(spread)
    moved = float(np.diff(whole.sums[:, at["through"]] / whole.weight)[0])
    return Doubt(
        "the naive comparison",
        f"rows with {through} have {plain(naive)} more {y} than rows without (r = {plain(r)}), whatever made them "
        f"engage; in the experiment {through} rose by {plain(moved)} and {y} by {plain(estimate.value)}",
        naive,
        abs(naive) > abs(estimate.value),
    )
