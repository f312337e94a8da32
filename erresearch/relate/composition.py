"""Which action matters? Likes, comments, shares and saves as a total and a mix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.moments import Moments
from erresearch.engine.sources import gather, open_rows
from erresearch.errors import DataError, DesignError, GuardError, UnknownNameError
from erresearch.relate.design import Effect
from erresearch.relate.fitted_models import contrast
from erresearch.relate.glm import poisson
from erresearch.relate.linear import regress
from erresearch.results import Mix

#: Share of a column's variance that the actions leave unexplained where it is made of them.
_EXACT = 1e-10


def mix(
    data: Any,
    outcome: Any,
    *,
    actions: Sequence[str],
    by: str | None = None,
    controls: Sequence[Any] = (),
    effects: tuple[Effect, ...] | None = None,
    model: Literal["ols", "poisson"] = "ols",
    zero: float = 0.5,
    level: float = 0.95,
    rng: int = 0,
) -> Mix:
    """Which of several actions goes with the outcome, beyond there being more of all.

    Shares of actions sum to 1, so none can move alone and a regression on shares has no answer. The mix enters as
    isometric log-ratios, the amount as the log of the total:

    y = β·log Σ_j a_j + Σ_j c_j·log a_j + controls + effects with Σ_j c_j = 0, so that c_j is the coefficient of
    log(a_j / geometric mean of the other actions) with the total held. P-values are Holm's across the actions. It is
    an association of the same row's values; an outcome one period later can be given as an expression
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
    zero : float
        What a count of 0 becomes in a row with other actions: half of the least that can be counted.
    level : float
        Confidence level.
    rng : int
        Seed of the bootstrap.

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
    names = list(actions)
    if len(names) < 2:
        raise DesignError(
            "a mix needs at least two actions", got=f"{len(names)}", fix="use `regress` for one action"
        )
    if model not in ("ols", "poisson"):
        raise UnknownNameError.of("model", model, ("ols", "poisson"))
    if not zero > 0:
        raise DesignError("`zero` must be above 0", got=repr(zero), allowed="0.5 for counts")
    if isinstance(data, Moments):
        raise DesignError(
            "the mix needs rows", got="moments, which hold finished columns", fix="estimate from the rows"
        )
    effects = effects if effects is not None else (("account",) if by is not None else ())
    if isinstance(outcome, str) and outcome in names:
        raise _made_of([outcome], names)
    opened = open_rows(data, [outcome, *names, *controls], [] if by is None else [by], None)
    present = opened.frame.collect_schema().names()
    _refuse_parts(opened.frame, present, outcome, names)
    counts = [nw.nth(present.index(name)).cast(nw.Float64()) for name in names]
    totals, replaced = _count(opened.frame, counts, names)
    raw = dict(zip(opened.names, [outcome, *names, *controls], strict=True))

    def made(name: str) -> nw.Expr:
        column = raw[name]
        return (nw.nth(present.index(column)) if isinstance(column, str) else column).cast(nw.Float64())

    left, others = opened.names[0], list(opened.names[1 + len(names) :])
    basis = _basis(len(names))
    ratios = [f"ilr{i + 1} of {', '.join(names)}" for i in range(len(names) - 1)]
    total = f"log total of {', '.join(names)}"
    keys = [] if by is None else [nw.nth(present.index(by)).alias("account")]
    table = opened.frame.select(
        *_coordinates(counts, basis, [total, *ratios], zero),
        *[made(name).alias(name) for name in [*others, left]],
        *keys,
    )
    on, account = [total, *ratios, *others], None if by is None else "account"
    native = nw.to_native(table)
    if model == "poisson":
        fit = poisson(native, left, on=on, by=account, effects=effects, level=level, rng=rng)
    else:
        fit = regress(native, left, on=on, by=account, effects=effects, level=level, rng=rng)
    estimates = {
        name: contrast(
            fit,
            dict(zip(ratios, map(float, basis[j]), strict=True)),
            name=f"{name} against the other actions",
            level=level,
            rng=rng,
        )
        for j, name in enumerate(names)
    }
    return Mix(
        outcome=left,
        total=fit[total],
        actions=estimates,
        adjusted=_holm({name: e.pvalue for name, e in estimates.items()}),
        shares={name: float(count / totals.sum()) for name, count in zip(names, totals, strict=True)},
        replaced=replaced,
        fit=fit,
        method=f"{fit.method}; a count of 0 becomes {zero:g} beside other actions; Holm over {len(names)} actions",
    )


def _holm(pvalues: dict[str, float]) -> dict[str, float]:
    from statsmodels.stats.multitest import multipletests

    adjusted = multipletests(list(pvalues.values()), method="holm")[1]
    return dict(zip(pvalues, map(float, adjusted), strict=True))


def _basis(parts: int) -> np.ndarray:
    """Orthonormal ilr basis (D × (D − 1)): each part against the mean of those before it."""
    basis = np.zeros((parts, parts - 1))
    for i in range(1, parts):
        basis[:i, i - 1] = -1 / i
        basis[i, i - 1] = 1.0
        basis[:, i - 1] *= math.sqrt(i / (i + 1))
    return basis


def _coordinates(
    counts: Sequence[nw.Expr], basis: np.ndarray, labels: Sequence[str], zero: float
) -> list[nw.Expr]:
    """Log of the total and the log-ratios; empty where nothing happened."""
    total = _total(counts)
    out: list[nw.Expr] = [nw.when(total > 0).then(total).log().alias(labels[0])]
    # rows without any action have no mix; what is not positive never reaches an engine's logarithm
    logs = [
        nw.when((total > 0) & (count == 0))
        .then(math.log(zero))
        .otherwise(nw.when(count > 0).then(count).log())
        for count in counts
    ]
    for i, label in enumerate(labels[1:]):
        ratio: nw.Expr = logs[0] * float(basis[0, i])
        for j in range(1, i + 2):
            ratio = ratio + logs[j] * float(basis[j, i])
        out.append(ratio.alias(label))
    return out


def _total(counts: Sequence[nw.Expr]) -> nw.Expr:
    total = counts[0]
    for count in counts[1:]:
        total = total + count
    return total


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
                f"{name!r} must be a count", got=f"{negative:,} rows are negative", allowed="0 or more"
            )
        if not (found[f"sum{i}"][0] or 0) > 0:
            raise DataError(
                f"the action {name!r} never happens",
                got="0 in all rows",
                fix="leave it out: it has no share to compare",
            )
    totals = np.array([float(found[f"sum{i}"][0]) for i in range(len(names))])
    return totals, {name: int(found[f"zero{i}"][0]) for i, name in enumerate(names)}


def _refuse_parts(
    frame: nw.LazyFrame[Any], present: Sequence[str], outcome: Any, actions: Sequence[str]
) -> None:
    """Refuse an outcome that the actions are parts of: it would be explained by itself."""
    named = isinstance(outcome, str)
    # an expression of columns that nothing else reads: ask which ones it reads
    opened = open_rows(nw.to_native(frame), [outcome], [], None)
    same = [name for name in ((outcome,) if named else opened.roots) if name in actions]
    left = (nw.nth(present.index(outcome)) if named else outcome).cast(nw.Float64())
    parts = [nw.nth(present.index(name)).cast(nw.Float64()) for name in actions]
    # a log is undone; beyond 300 it is no log
    high = gather(frame.select(left.alias("y")).select(nw.col("y").max()))["y"][0]
    undone = [left] if high is None or not high < 300 else [left, left.exp()]
    for whole in [] if same else undone:
        labels = [*(f"c{i}" for i in range(len(parts))), "whole"]
        table = frame.select(
            *(part.alias(label) for part, label in zip([*parts, whole], labels, strict=True))
        )
        moments = Moments.from_frame(nw.to_native(table), labels)
        sums = moments.sums.sum(axis=0)
        gram = moments.grams().sum(axis=0) - np.outer(sums, sums) / max(moments.rows, 1)
        slopes = np.linalg.lstsq(gram[:-1, :-1], gram[:-1, -1], rcond=None)[0]
        rest = gram[-1, -1] - 2 * slopes @ gram[:-1, -1] + slopes @ gram[:-1, :-1] @ slopes
        if moments.rows > len(actions) + 1 and gram[-1, -1] > 0 and rest <= _EXACT * gram[-1, -1]:
            same = list(opened.names)
    if same:
        raise _made_of(same, actions)


def _made_of(outcome: Sequence[str], actions: Sequence[str]) -> GuardError:
    return GuardError(
        f"the outcome is made of the actions: {', '.join(map(repr, outcome))}",
        got=f"actions {', '.join(map(repr, actions))}",
        allowed="an outcome that is counted elsewhere, such as revenue or visits",
        fix="take another outcome, or leave its parts out of the actions",
    )
