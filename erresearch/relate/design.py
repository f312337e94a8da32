"""From rows to moments that fit, and from moments to a design: effects swept out, near-singular ones refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from erresearch.engine.aggregation import Cells
from erresearch.engine.moments import Moments, bounded_moments
from erresearch.errors import ColumnError, Count, DesignError
from erresearch.relate.inference import Periods, Scores, without_constant

Effect = Literal["account", "period"]

#: Smallest eigenvalue of the correlation-scaled Gram matrix below which a design is refused.
SINGULAR = 1e-12
#: Largest dense account × period × column array that is built (numbers, 8 bytes each): 1.6 GB.
_DENSE = 200_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """Cross-products after the effects have been taken out.

    Parameters
    ----------
    names : tuple of str
        Columns, the outcome last; ``Intercept`` first where the model has one.
    grams : (G, k, k) ndarray
        Per account, about `origin` where there is an intercept.
    absorbed : int
        Parameters swept out.
    nested : int
        Of these, how many are nested in the account and so do not count in CRV1's factor.
    periods : Periods, optional
        The period effects that were swept out.
    """

    names: tuple[str, ...]
    grams: np.ndarray
    absorbed: int
    nested: int
    periods: Periods | None = None

    def __getitem__(self, names: Sequence[str]) -> Swept:
        """The same of some columns, in the order asked for."""
        index = [self.names.index(name) for name in names]
        periods = self.periods
        if periods is not None:
            periods = replace(periods, cross=periods.cross[:, :, index])
        return replace(self, names=tuple(names), grams=self.grams[:, index][:, :, index], periods=periods)

    def scores(self, beta: np.ndarray, bread: np.ndarray, rows: int) -> Scores:
        """Account scores and Hessians of the last column's regression on the others, solved by `beta`."""
        hessians = self.grams[:, :-1, :-1]
        # the effects nested in the account count as one, as in fixest
        parameters = len(beta) + self.absorbed - self.nested + (1 if self.nested else 0)
        own = self.grams[:, :-1, -1] - hessians @ beta
        periods = self.periods
        if periods is not None:
            left = periods.cross[:, :, -1:] - periods.cross[:, :, :-1] @ beta[:, None]
            periods = replace(periods, cross=np.concatenate([periods.cross[:, :, :-1], left], axis=2))
        return Scores(beta, bread, own, hessians, rows, parameters, periods)


def open_moments(
    data: Any,
    columns: Sequence[Any],
    *,
    by: str | None,
    period: str | None = None,
    within: bool | None = None,
) -> Moments:
    """Moments of `columns`, from rows or from moments that already hold them.

    Parameters
    ----------
    data, columns, by, period
        As for :meth:`erresearch.Moments.from_frame`.
    within : bool, optional
        Where given, accounts may be summed in groups (:func:`erresearch.engine.moments.bounded_moments`), with their
        means taken out or not.

    Raises
    ------
    ColumnError
        If moments are asked for an account or period they were not made with.
    DesignError
        If accounts do not fit beside the engine and must not be summed in groups, or were summed in groups for another
        model.
    """
    if not isinstance(data, Moments):
        if by is None:
            return Moments.from_frame(data, columns, period=period)
        return bounded_moments(data, columns, by=by, period=period, within=within)
    for word, asked, made in (("by", by, data.by), ("period", period, data.period)):
        if asked is not None and asked != made:
            raise ColumnError(
                f"these moments cannot be used with {word}={asked!r}",
                got=f"they were made with {word}={made!r}",
                fix=f"leave `{word}` out or make the moments again from rows",
            )
    grouped = data.merged > 0 or (data.source is not None and data.source.groups > 0)
    if grouped and within is not (data.merged > 0):
        raise DesignError(
            "these moments cannot serve this model",
            got=f"accounts summed in groups, their means {'taken out' if data.merged else 'left in'}",
            fix="make the moments again from rows for each model",
        )
    if not all(isinstance(column, str) for column in columns):
        raise ColumnError(
            "moments hold finished columns, not expressions",
            allowed=", ".join(map(repr, data.columns)),
            fix="ask for columns by the names they have in the moments",
        )
    return data[list(columns)]


def left_out(dropped: Mapping[str, int]) -> str:
    """Rows left out, by reason, for a message; empty where there are none."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
    return f"left out {reasons}" if reasons else ""


def sweep(moments: Moments, effects: tuple[Effect, ...]) -> Swept:
    """Take account and period effects (or the mean) out of the cross-products.

    With account effects: C_g − s_g s_gᵀ/n_g. With period effects too: the account-demeaned period dummies D̃ are
    built from counts and sums by account × period and projected out, C_g − B_gᵀΓ − ΓᵀB_g + ΓᵀA_gΓ with
    A_g = D̃_gᵀD̃_g, B_g = D̃_gᵀz̃_g and Γ = (ΣA_g)⁺ΣB_g.

    Raises
    ------
    DesignError
        If the effects asked for need an account or period that the moments were made without.
    """
    if effects not in ((), ("account",), ("account", "period")):
        raise DesignError(
            "these effects are not served",
            got=repr(effects),
            allowed="(), ('account',), ('account', 'period')",
        )
    check_accounts(moments, effects)
    if not effects:
        free_constant(moments.columns[:-1])
        return Swept(("Intercept", *moments.columns), with_constant(moments), 0, 0)
    within = moments.within()
    if effects == ("account",):
        means = moments.accounts + moments.merged
        return Swept(moments.columns, within, means, means)
    if moments.cells is None:
        raise DesignError(
            "period effects need periods", got="period=None", fix="name the time column with `period`"
        )
    return _without_periods(moments, within)


def check_accounts(moments: Moments, effects: Sequence[Effect]) -> None:
    """Refuse account effects where no accounts are named."""
    if effects and moments.by is None:
        raise DesignError(
            "account effects need accounts", got="by=None", fix="name the account column with `by`"
        )


def listed(columns: Any) -> list[Any]:
    """Columns as a list: one by itself, by its name or as an expression, is a list of one, and None is none."""
    if columns is None:
        return []
    alone = isinstance(columns, str) or not isinstance(columns, Iterable)
    return [columns] if alone else list(columns)


def check_regressors(regressors: Sequence[Any]) -> None:
    """Refuse a regression on nothing."""
    if not regressors:
        raise ColumnError(
            "a regression needs a regressor", got="`on` is empty", fix="name at least one column"
        )


#: What to do where zeros and lags leave too few rows.
LAGGED_FIX: Final = (
    "fill blanks (0 where nothing was spent), use longer periods, in which fewer counts are 0 (such a row goes with its"
    " neighbours), fewer lags or controls, or more data"
)


def check_rows(
    rows: int, parameters: int, *, got: str = "", fix: str = "use fewer columns or effects, or more data"
) -> None:
    """Refuse a model with as many parameters as there are rows, or more."""
    if rows <= parameters:
        raise DesignError(
            f"{Count(rows):complete row} cannot carry {Count(parameters):parameter}",
            code="too-few-rows",
            got=got,
            allowed=f"more than {Count(parameters):row}",
            fix=fix,
        )


def identified(
    moments: Moments,
    effects: tuple[Effect, ...],
    *,
    got: str,
    fix: str = "use fewer columns or effects, or more data",
) -> tuple[Swept, np.ndarray, np.ndarray]:
    """Sweep a design in which each coefficient can be told, and refuse any other.

    Returns
    -------
    swept : Swept
        The effects taken out, or with the constant.
    centred : (k, k) ndarray
        Its sum over accounts, without the constant.
    scale : (k − 1,) ndarray
        Scale of each regressor.
    """
    swept = sweep(moments, effects)
    check_rows(moments.rows, len(swept.names) - 1 + swept.absorbed, got=got, fix=fix)
    total = swept.grams.sum(axis=0)
    # the intercept is not among the columns that must vary
    centred = total if effects else without_constant(total)
    raw = np.einsum("gii->i", moments.grams())
    scale = check_design(centred[:-1, :-1], moments.columns[:-1], raw[:-1])
    when = " once the effects are taken out" * bool(effects)
    check_outcome(moments, centred[-1, -1], raw[-1], when=when)
    return swept, centred, scale


def normal_equations(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of the last column on the others, and the inverse of the others' cross-products."""
    scale = np.sqrt(np.diag(total)[:-1])
    bread = np.linalg.inv(total[:-1, :-1] / np.outer(scale, scale)) / np.outer(scale, scale)
    beta = bread @ total[:-1, -1]
    beta += bread @ (total[:-1, -1] - total[:-1, :-1] @ beta)
    return beta, bread


def free_constant(regressors: Sequence[str]) -> None:
    """Refuse a regressor that has the constant's name, in models that have a constant.

    Raises
    ------
    ColumnError
        If there is one.
    """
    if "Intercept" in regressors:
        raise ColumnError(
            "'Intercept' is the name of the constant in a model without effects",
            got="a regressor of that name",
            fix="rename the column",
        )


def with_constant(moments: Moments) -> np.ndarray:
    """Per account [[n, s], [sᵀ, C]], which add up where means are taken out only at the end."""
    groups, k = moments.sums.shape
    grams = np.empty((groups, k + 1, k + 1))
    grams[:, 0, 0] = moments.weight
    grams[:, 0, 1:] = grams[:, 1:, 0] = moments.sums
    grams[:, 1:, 1:] = moments.grams()
    return grams


def _without_periods(moments: Moments, within: np.ndarray) -> Swept:
    cells = moments.cells
    assert cells is not None
    weight, sums, within, shared, lost = _without_lone_periods(moments, cells, within)
    (groups, k), length = sums.shape, len(shared)
    if groups * length * k > _DENSE:
        raise DesignError(
            "accounts × periods × columns is too large for period effects",
            got=f"{groups:,} × {length:,} × {Count(k):number}",
            allowed=f"up to {_DENSE:,}",
            fix="aggregate to longer periods or fewer accounts",
        )
    place = np.full(len(cells.periods), -1)
    place[shared] = np.arange(length)
    here = place[cells.period] >= 0
    counts = np.zeros((groups, length))
    counts[cells.account[here], place[cells.period[here]]] = cells.weight[here]
    cross = np.zeros((groups, length, k))
    cross[cells.account[here], place[cells.period[here]]] = cells.sums[here]
    share = counts / weight[:, None]
    # about each account's mean
    cross -= counts[:, :, None] * (sums / weight[:, None])[:, None, :]
    gram = np.diag(counts.sum(axis=0)) - share.T @ counts
    rank, inverse = _generalised_inverse(gram)
    gamma = inverse @ cross.sum(axis=0)
    own = counts[:, :, None] * (gamma[None] - np.einsum("gt,tk->gk", share, gamma)[:, None])
    first = np.einsum("gtk,tl->gkl", cross, gamma)
    grams = within - first - first.transpose(0, 2, 1) + np.einsum("tk,gtl->gkl", gamma, own)
    return Swept(moments.columns, grams, groups + lost + rank, groups, Periods(inverse, cross - own, counts))


def _without_lone_periods(
    moments: Moments, cells: Cells, within: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Take out the periods that one account has to itself: their effect fits that account's mean there exactly.

    What is left of a long panel whose accounts hardly overlap is a small one, with the same estimates.

    Returns
    -------
    weight, sums : (G,), (G, k) ndarray
        Of the other cells; weight 1 where an account has none.
    within : (G, k, k) ndarray
        C_g − Σ_c s_c s_cᵀ/w_c − s_g s_gᵀ/w_g, c over the account's own periods and s_g, w_g of its others.
    shared : (T,) ndarray
        The periods that are left.
    lost : int
        Parameters that were taken out.
    """
    alone = np.bincount(cells.period, minlength=len(cells.periods)) == 1
    shared, own = np.flatnonzero(~alone), alone[cells.period]
    if not own.any():
        return moments.weight, moments.sums, within, shared, 0
    account, w, s = cells.account[own], cells.weight[own], cells.sums[own]
    weight, sums = moments.weight.copy(), moments.sums.copy()
    grams = moments.grams()
    np.subtract.at(grams, account, s[:, :, None] * s[:, None, :] / w[:, None, None])
    rest = np.bincount(cells.account[~own], minlength=len(weight))
    np.subtract.at(weight, account, w)
    np.subtract.at(sums, account, s)
    weight[rest == 0], sums[rest == 0] = 1.0, 0.0
    within = grams - sums[:, :, None] * sums[:, None, :] / weight[:, None, None]
    return weight, sums, within, shared, int(own.sum() - (rest == 0).sum())


def effect_word(by: str | None) -> str:
    """What the account effects are called: accounts by that word, anything else by its column."""
    return "account" if by in (None, "account", "entity", "row") else str(by)


def _generalised_inverse(gram: np.ndarray) -> tuple[int, np.ndarray]:
    """Rank and inverse of the period dummies' Gram matrix on its range.

    Its null space is known without looking at an eigenvalue, which would come out as rounding error: one constant
    for each set of periods that shared accounts connect (Abowd, Creecy & Kramarz). Each is filled before the
    inversion and taken out after it.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    length = len(gram)
    if not length:
        return 0, gram
    parts, label = connected_components(csr_array(gram != 0), directed=False)
    scale = np.trace(gram) / length or 1.0
    fill = np.where(label[:, None] == label, 1 / np.bincount(label)[label], 0.0)
    inverse = np.linalg.inv(gram + scale * fill) - fill / scale
    return length - int(parts), (inverse + inverse.T) / 2


def centred(moments: Moments, *, within: bool) -> np.ndarray:
    """Cross-products about the account means (`within`), or about the means of all rows (k × k)."""
    if within:
        return np.asarray(moments.within().sum(axis=0))
    sums = moments.sums.sum(axis=0)
    return np.asarray(moments.grams().sum(axis=0) - np.outer(sums, sums) / moments.weight.sum())


def unexplained(gram: np.ndarray) -> float:
    """Share of the last column's variance that no linear function of the others gives, from centred cross-products."""
    scale = np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))
    gram = gram / np.outer(scale, scale)
    slopes = np.linalg.lstsq(gram[:-1, :-1], gram[:-1, -1], rcond=1e-12)[0]
    return float(1 - 2 * slopes @ gram[:-1, -1] + slopes @ gram[:-1, :-1] @ slopes)


def still(own: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Which columns do not vary: their squares after the sweep against those before."""
    return np.asarray(~(own > 1e-12 * raw))


def check_design(gram: np.ndarray, names: Sequence[str], raw: np.ndarray, *, when: str = "") -> np.ndarray:
    """Scale of each regressor, after refusing a design that cannot be told apart.

    Parameters
    ----------
    gram : (k, k) ndarray
        Summed cross-products of the regressors, effects swept out.
    names : sequence of str
        Their names.
    raw : (k,) ndarray
        Their sums of squares before the sweep, to tell "does not vary" from "varies little".
    when : str
        Words that say after what, for the message.

    Returns
    -------
    (k,) ndarray
        √ of the diagonal.

    Raises
    ------
    DesignError
        Naming the columns that do not vary or are collinear.
    """
    diagonal = np.diag(gram)
    flat = [name for name, rests in zip(names, still(diagonal, raw), strict=True) if rests]
    if flat:
        raise DesignError(
            f"no variation is left in {', '.join(map(repr, flat))} once the effects are taken out",
            fix="leave the column out or use fewer effects; where the question is about it, these rows cannot tell",
        )
    scale = np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    if values[0] < SINGULAR:
        # the length within the null space does not hang on which of its bases the library chose
        part = np.linalg.norm(vectors[:, values < SINGULAR], axis=1)
        guilty = [name for name, size in zip(names, part, strict=True) if size > 0.1 * part.max()]
        raise DesignError(
            f"the columns {', '.join(map(repr, guilty))} are collinear or nearly so{when}",
            got=f"{guilty[-1]!r} hardly varies once the others are held fixed",
            allowed="columns of which none follows from the others",
            fix="leave one of them out, or centre and rescale before taking powers",
        )
    return scale


def check_outcome(moments: Moments, left: float, raw: float, *, when: str = "") -> None:
    """Refuse an outcome, the last column, whose squares after the sweep are nothing to those before."""
    if still(np.asarray(left), np.asarray(raw)):
        raise _nothing_to_explain(moments.columns[-1], moments.rows, when)


def refuse_constant(name: str, values: np.ndarray) -> None:
    """Refuse an outcome that is the same wherever it is known, so that what is left of it is round-off."""
    known = values[np.isfinite(values)]
    if known.size and np.ptp(known) <= 1e-9 * np.abs(known).max():
        raise _nothing_to_explain(name, known.size)


def _nothing_to_explain(outcome: str, rows: int, when: str = "") -> DesignError:
    return DesignError(
        f"the outcome {outcome!r} does not vary{when}",
        got=f"{Count(rows):row}",
        fix="there is nothing to explain: an effect of 0 would be no finding",
    )
