"""One claim in every defensible way: all subsets of the controls, definitions, lags and effects, judged jointly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.expressions import lag
from erresearch.engine.moments import Moments
from erresearch.errors import (
    ColumnError,
    Count,
    DesignError,
    ErresearchError,
    check_name,
    missing_columns,
)
from erresearch.io.resources import waiting
from erresearch.relate.bootstrap import check_draws, cluster_weights
from erresearch.relate.design import Effect, identified
from erresearch.results import Adversary, Curve, StudentT, at_least
from erresearch.robustness.subsets import Subsets, bootstrap_t, solve_subsets
from erresearch.schema.vocabulary import REACTIONS

#: A verdict is *fragile* where a smaller share of the curve has its sign significantly. The sign alone is no test: models
#: share their rows, so that where nothing was planted all of them had one sign in most panels. Among 300 simulated panels
#: of 12 accounts without an effect, 7 had a falsely significant full model and all 7 fell below .8; with an effect of
#: twice δ none of 40 panels of 40 accounts did, of 12 accounts 9 of 25; with one of just δ 7 of 25 of 40 accounts.
AGREEMENT: Final = 0.8
#: Fewer accounts give no joint p-value: with 5 and 6 of them it rejected a true nil in 11 and 9 % of
#: 400 simulated panels.
_FEWEST: Final = 8
#: Largest number of draws × specifications that is held (8 bytes each): 1.6 GB.
_MOST: Final = 200_000_000
#: Columns that an analyst would try, where a table has them and they vary.
_DEFINITIONS: Final = ("engagement", *REACTIONS)
_CONTROLS: Final = ("spend", "posts", "followers")
_LAGS: Final = (0, 1, 2)
_EFFECTS: Final[tuple[tuple[Effect, ...], ...]] = ((), ("account",), ("account", "period"))
_PARTS: Final = 4
#: A t beyond that, of a model that leaves no residuals, says no more than this one: sums of such stay numbers.
_LARGEST_T: Final = 1e9
_ANSWERS: Final = ("positive", "negative", "nothing")
_WITHIN: Final[tuple[tuple[Effect, ...], ...]] = (("account",),)


@dataclass(frozen=True, slots=True)
class CurveInference:
    """How a specification curve is judged.

    Parameters
    ----------
    level : float
        Level of the intervals, and of "significant".
    cov : {"CRV3", "CRV1"}
        Standard errors clustered by account: jackknife, or the usual sandwich for comparison with other software.
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


@dataclass(frozen=True, slots=True)
class _Cell:
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
    effects: Sequence[tuple[Effect, ...]] = _WITHIN,
    sign: Literal[1, -1] = 1,
    inference: CurveInference | None = None,
) -> Curve:
    """Estimate one claim with every subset of the controls, definition, lag and set of effects.

    Every model holds the minimal adjustment set; all are sliced out of the same cross-products, so no row is touched.
    The joint test multiplies each account's scores, with "no effect" imposed on every model, by one weight that all
    models share (restricted wild cluster bootstrap), and compares the curve's summaries with those of the draws:
    median t, mean t in the claim's direction, share with the claim's sign, share significant with that sign. The
    first three are two-sided, the last one-sided; fewer than 8 accounts give no p-value. Raw estimates are never
    averaged: definitions have other units.

    Parameters
    ----------
    moments : Moments
        Made with accounts, and holding every column named here. Rows are complete cases over those columns.
    outcome, x : str
        Columns; `x` names the claim's own definition.
    minimal : sequence of str
        Controls that every model must hold.
    controls : sequence of str
        Controls of which every subset is tried; c of them make 2^c models.
    definitions : sequence of str, optional
        Columns that stand for x in turn; `x` alone by default.
    lags : sequence of int, optional
        Lags of x: lag n is the column ``lag<n> <definition>`` (``lead<n> …`` for negative ones), lag 0 the definition
        itself, the default.
    effects : sequence of tuple
        Each of ``()``, ``("account",)``, ``("account", "period")``.
    sign : {1, −1}
        Direction of the claim.
    inference : CurveInference, optional
        Level, standard errors, draws and seed.

    Returns
    -------
    Curve
        One entry per specification, the summaries and their joint p-values (none with fewer than 8 accounts).

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
    40 accounts .05 / .06 / .05 (900). With disturbances of autocorrelation .8 and 104 weeks .10 / .10 / .08 (200): there
    the lag of the outcome among the controls biases every model a little (Nickell 1981). The share agreeing has no
    power by itself: models of the same rows agree in sign under the null too.

    References
    ----------
    Simonsohn, U., Simmons, J. P., & Nelson, L. D. (2020). Specification curve analysis. *Nature Human Behaviour*,
    4, 1208-1214.
    MacKinnon, Nielsen & Webb (2023), as in :mod:`erresearch.relate.scores`.

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
    ...                             controls=["log spend", "log posts"], effects=[("account",),
    ...     ("account", "period")])
    >>> len(curve), curve.share_agreeing
    (8, 1.0)
    """
    how = inference or CurveInference()
    if sign not in (1, -1):
        raise DesignError(
            "`sign` must be 1 or −1", got=repr(sign), fix="use 1 for a claim that says 'raises'"
        )
    _check_roles(outcome, definitions or [x], minimal, controls)
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
            found = _solve(moments, cell, outcome=outcome, minimal=minimal, controls=controls, how=how)
            solved.append(found)
            # on the scale of the reported t: 0, as that is, where the error has no bound
            draws.append(_capped(bootstrap_t(found, weights)) * _over(found.raw_se, found.se, neither=1.0))
    names = (outcome, x, tuple(controls))
    return _curve(moments, cells, solved, np.concatenate(draws, axis=1), names=names, sign=sign, how=how)


def _check_roles(
    outcome: str, definitions: Sequence[str], minimal: Sequence[str], controls: Sequence[str]
) -> None:
    roles = [outcome, *definitions, *minimal, *controls]
    twice = sorted({name for name in roles if roles.count(name) > 1})
    if twice:
        raise ColumnError(
            f"{', '.join(map(repr, twice))} cannot have two roles in a specification curve",
            got="named more than once among the outcome, the definitions of x, `minimal` and `controls`",
            fix="give each column one role",
        )


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
    moments: Moments,
    cell: _Cell,
    *,
    outcome: str,
    minimal: Sequence[str],
    controls: Sequence[str],
    how: CurveInference,
) -> Subsets:
    columns = moments[[cell.column, *minimal, *controls, outcome]]
    swept, *_ = identified(columns, cell.effects, got="", fix="use fewer controls or effects, or more data")
    constant = len(swept.names) - len(columns.columns)
    if constant:
        # x goes first, the constant is the first of the fixed columns
        swept = swept[[swept.names[1], swept.names[0], *swept.names[2:]]]
    return solve_subsets(swept, len(minimal) + constant, columns.rows, how.cov)


def _curve(
    moments: Moments,
    cells: Sequence[_Cell],
    solved: Sequence[Subsets],
    draws: np.ndarray,
    *,
    names: tuple[str, str, tuple[str, ...]],
    sign: int,
    how: CurveInference,
) -> Curve:
    from scipy import special

    outcome, x, controls = names
    each = [len(found.value) for found in solved]
    value, se = (np.concatenate([getattr(found, word) for found in solved]) for word in ("value", "se"))
    accounts = moments.accounts
    critical = float(special.stdtrit(accounts - 1, (1 + how.level) / 2))
    t = _over(value, se)
    half = critical * se
    subsets = [tuple(c for c, held in zip(controls, row, strict=True) if held) for row in solved[0].included]
    seen = {name: float(values[0]) for name, values in _summaries(t[None], critical, sign).items()}
    pvalues = _pvalues(seen, _summaries(draws, critical, sign))
    words = (
        f"joint p from {how.draws:,} weight vectors shared by all models (restricted wild cluster bootstrap)"
    )
    if accounts < _FEWEST:
        pvalues = {}
        words = f"no joint p from fewer than {_FEWEST} accounts"
    effective = min(float(found.effective.min()) for found in solved)

    def spread(values: Sequence[str]) -> tuple[str, ...]:
        return tuple(np.repeat(np.array(values, dtype=object), each))

    return Curve(
        outcome=outcome,
        x=x,
        value=value,
        se=se,
        t=t,
        low=value - half,
        high=value + half,
        n_rows=moments.rows,
        n_accounts=accounts,
        definition=spread([cell.definition for cell in cells]),
        lag=spread([str(cell.lag) for cell in cells]),
        effects=spread([" + ".join(cell.effects) or "none" for cell in cells]),
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
    return _capped(np.where(np.isnan(found), neither, found))


def _capped(t: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(t, -_LARGEST_T, _LARGEST_T))


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
    outcome, by, period : str
        Columns.
    level : float
        Level of the intervals.

    Returns
    -------
    Adversary
        Counts and the spread of the estimates. Which analyses they are is kept nowhere.

    Raises
    ------
    UnknownNameError
        For another wish.
    ColumnError
        If a column is missing, or no kind of engagement is there.

    See Also
    --------
    specification_curve : The same analyses shown, judged jointly.

    References
    ----------
    Simmons, J. P., Nelson, L. D., & Simonsohn, U. (2011). False-positive psychology. *Psychological Science*, 22(11),
    1359-1366.

    Examples
    --------
    >>> from erresearch.worlds import simulate_panel
    >>> panel, _ = simulate_panel("nil", accounts=12, weeks=40, rng=1)
    >>> found = adversary(panel)
    >>> found.tried, found.granted > 0
    (1440, True)
    """
    check_name("wish", wish, _ANSWERS)
    frame = nw.from_native(panel, eager_only=True)
    needed = [outcome, by, period]
    if set(needed) - set(frame.columns):
        raise missing_columns(needed, frame.columns, where="the panel")
    there = [name for name in (*_DEFINITIONS, *_CONTROLS) if name in frame.columns]
    there = [name for name in there if frame[name].n_unique() > 1]
    definitions = [f"log {name}" for name in _DEFINITIONS if name in there]
    controls = [name for name in _CONTROLS if name in there]
    if not definitions:
        raise missing_columns(_DEFINITIONS, frame.columns, where="the panel")
    logs = [
        nw.when(nw.col(c) > 0).then(nw.col(c)).log().alias(f"log {c}")
        for c in (outcome, *there)
        if c not in controls
    ]
    frame = frame.select(by, period, *logs, *((nw.col(c) + 1).log().alias(c) for c in controls))
    answers: Counter[str] = Counter(dict.fromkeys(_ANSWERS, 0))
    values, failed = [], 0
    for rows in _parts_of(frame, f"log {outcome}", by, period):
        later = [lag(name, n, by=by, period=period) for name in definitions for n in _LAGS if n]
        columns = [f"log {outcome}", *definitions, *controls]
        part = Moments.from_frame(rows.to_native(), [*columns, *later], by=by, period=period)
        for cell in _cells(part, definitions, _LAGS, _EFFECTS):
            value, half = _answers(part, cell, columns[0], controls, level)
            failed += 2 ** len(controls) - len(value)
            values.append(value)
            answers["positive"] += int(np.sum(value > half))
            answers["negative"] += int(np.sum(value < -half))
            answers["nothing"] += int(np.sum(np.abs(value) <= half))
    spread = np.concatenate(values) if any(map(len, values)) else np.full(1, np.nan)
    return Adversary(
        wish=wish,
        counts=answers,
        failed=failed,
        lowest=float(spread.min()),
        middle=float(np.median(spread)),
        highest=float(spread.max()),
        choices={
            "definitions": len(definitions),
            "lags": len(_LAGS),
            "sets of controls": 2 ** len(controls),
            "kinds of effects": len(_EFFECTS),
            "sets of rows": _PARTS,
        },
        level=level,
    )


def _answers(
    part: Moments, cell: _Cell, outcome: str, controls: Sequence[str], level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Estimates with every subset of the controls, and half their intervals; those that have none are left out."""
    try:
        found = _solve(part, cell, outcome=outcome, minimal=[], controls=controls, how=CurveInference())
    except ErresearchError:
        return np.zeros(0), np.zeros(0)
    half = StudentT(0.0, 1.0, part.accounts - 1).critical(level) * found.se
    known = np.isfinite(half)
    return found.value[known], half[known]


def _parts_of(frame: nw.DataFrame[Any], outcome: str, by: str, period: str) -> Iterator[nw.DataFrame[Any]]:
    """All rows, the first and the second half of the periods, and all but the account of the largest outcome."""
    periods = frame[period].unique().sort()
    middle = periods[len(periods) // 2]
    sums = frame.group_by(by).agg(nw.col(outcome).sum()).sort(outcome, by, descending=True)
    yield frame
    yield frame.filter(nw.col(period) < middle)
    yield frame.filter(nw.col(period) >= middle)
    yield frame.filter(nw.col(by) != sums[by][0])
