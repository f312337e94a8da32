"""Do two columns move together? Correlation and regression of rows, of accounts, or of one series over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.lazy_rows import gather
from erresearch.engine.moments import Moments
from erresearch.engine.sources import as_narwhals, in_the_index
from erresearch.errors import Count, DesignError, check_name, warn
from erresearch.io.resources import share_of_memory
from erresearch.relate.design import Effect, listed, open_moments, still, with_constant
from erresearch.relate.distributed_lags import cosine_covariance
from erresearch.relate.fitted_models import Covariance
from erresearch.relate.inference import without_constant
from erresearch.relate.lags import DATE_TEXT, LagSpecification, open_panel
from erresearch.relate.regressions import least_squares
from erresearch.relate.temporal_precedence import EntityModels, leverages
from erresearch.results import Estimate, FisherZ, Fit, StudentT
from erresearch.results.estimates import check_level
from erresearch.schema.vocabulary import PERIOD_NAMES

#: Rounding that keeps r from ±1 where two columns agree exactly.
_PERFECT = 1e-12
#: Bytes of ranks that are held in memory.
_HELD = 1 << 30


def correlate(
    data: Any,
    x: Any,
    y: Any = None,
    *,
    by: str | None = None,
    within: bool = False,
    method: Literal["pearson", "spearman"] = "pearson",
    time: str | None = None,
    level: float = 0.95,
) -> Estimate:
    """Correlate two columns, over all rows or within accounts.

    r = C_xy / √(C_xx C_yy); within accounts the account means are taken out first. The interval is Student's t on
    Fisher's scale with a jackknife standard error, leaving out one account at a time (one row where no account is
    named), so the interval allows for heavy tails and for dependence inside an account.

    Parameters
    ----------
    data : frame, path or Moments
        Rows, or moments that hold both columns.
    x, y : str or narwhals expression
        The two columns.
    by : str, optional
        The account.
    within : bool
        Take the account means out first.
    method : {"pearson", "spearman"}
        "spearman" ranks both columns first (inside each account with `within`); it needs the rows.
    time : str, optional
        Column of time, where the rows are one series with one row per period. The correlation is then that of what is
        new in each period, after trend, season and two lags of both, and its interval holds for series with a memory.
        Without it, two series that only remember themselves, or that both grow, seem to be correlated.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        r with its interval; `df` is accounts − 1, or rows − 2.

    Raises
    ------
    DesignError
        If a column does not vary, or there are fewer than 4 rows or 3 accounts.
    UnknownNameError
        For another method.

    Warns
    -----
    ErresearchWarning
        Where rows without accounts look like one series and `time` is not given.

    See Also
    --------
    erresearch.regress : With other columns held fixed.
    erresearch.precedence : Which of the two moves first.

    References
    ----------
    Efron, B., & Tibshirani, R. (1993). *An Introduction to the Bootstrap*, ch. 11. Chapman & Hall.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"likes": [1, 2, 3, 4, 5, 6], "sales": [2, 1, 4, 3, 6, 5]})
    >>> round(correlate(table, "likes", "sales").value, 4)
    0.8286
    """
    if y is None:  # as with two series, which come without the rows that say what they are of
        raise DesignError(
            "`correlate` takes a table and two of its columns",
            got=f"{type(data).__name__} and {type(x).__name__}",
            fix='write er.correlate(table, "comments", "revenue") with the names of yours',
        )
    check_level(level)
    check_name("method", method, ("pearson", "spearman"))
    if within and by is None and getattr(data, "by", None) is None:
        raise DesignError("`within` needs accounts", got="by=None", fix="name the account column with `by`")
    _refuse_accounts(by, time)
    if time is not None:
        if method == "spearman":
            raise DesignError(
                "ranks have no trend to take out", got="method='spearman' with `time`", fix="use 'pearson'"
            )
        return _correlate_series(data, x, y, time=time, level=level)
    if by is None:
        _warn_of_series(data, "correlate", {"x": x, "y": y})
    moments = open_moments(data, [x, y], by=by, within=within)
    if method == "spearman":
        moments = _ranked(moments, within=within)
    clustered = moments.by is not None
    parts = moments.within() if within else with_constant(moments)
    units, total = _units_that_vary(moments, parts, within=within), parts.sum(axis=0)
    r = float(_correlation(total, within=within))
    r = math.copysign(1.0, r) if abs(r) > 1 - _PERFECT else r
    df = float(units - 1 if clustered else units - 2)
    se = _error(moments, parts, r, units, within=within)
    words = f"{method.capitalize()} correlation{' within accounts' if within else ''}"
    around = StudentT(r, se * (1 - r * r) if math.isfinite(se) else math.inf, df)
    found = around.estimate(
        f"r({moments.columns[0]}, {moments.columns[1]})",
        level,
        n_rows=moments.rows,
        n_accounts=units if clustered else 0,
        method=f"{words}, jackknife over {'accounts' if clustered else 'rows'}, t({df:.0f}) on Fisher's scale",
    )
    return found.about(FisherZ(r, se, df, units if within else units // 2))


def regress(
    data: Any,
    outcome: Any,
    on: str | Sequence[Any],
    *,
    by: str | None = None,
    period: str | None = None,
    effects: tuple[Effect, ...] = (),
    within: bool = False,
    time: str | None = None,
    cov: Covariance = "auto",
    level: float = 0.95,
    rng: int = 0,
) -> Fit:
    """Least squares with account (and period) effects and intervals that hold for few accounts.

    y_it = x_itᵀβ + α_i + λ_t + u_it, computed from per-account cross-products (:class:`erresearch.Moments`), so
    that a million rows and a cluster table cost one aggregation.

    Parameters
    ----------
    data : frame, path or Moments
        Any frame that narwhals accepts, a path or glob of .parquet or .csv, or moments made before.
    outcome : str or narwhals expression
        Left-hand side.
    on : str, or sequence of str or narwhals expressions
        Regressors, for example ``["spend", er.log("reach")]``.
    by : str, optional
        The account: unit of the effects and of the clustering.
    period : str, optional
        The time column, needed for period effects.
    effects : tuple
        ``()`` (with an intercept), ``("account",)`` or ``("account", "period")``.
    within : bool
        Short form of ``effects=("account",)``.
    time : str, optional
        Column of time, where the rows are one series with one row per period. The coefficients are then given two lags
        of every column, trend and season, and fixed-b intervals hold for series with a memory.
    cov : {"auto", "wild", "CRV3", "CRV1", "HC3", "HC1", "iid"}
        "auto" is right for nearly everybody. With accounts it takes the restricted wild cluster bootstrap where the
        effective number of clusters is below 50, else CRV3 with t(G − 1); without accounts, HC3 with t(n − k). The
        others are for comparison with other software.
    level : float
        Confidence level of the intervals.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Fit
        Mapping from regressor to :class:`~erresearch.results.Estimate`.

    Raises
    ------
    DesignError
        Too few rows or accounts, columns (or an outcome) that do not vary or are collinear.
    ColumnError, DataError
        Missing columns, text among numbers, no complete row.

    Warns
    -----
    ErresearchWarning
        Where rows without accounts look like one series and `time` is not given.

    See Also
    --------
    erresearch.poisson : For outcomes with zeros, and shares of change.
    erresearch.relate.logit : For yes or no.
    erresearch.relate.contrast : A combination of the coefficients.

    Notes
    -----
    Rows that come with an origin near the means keep about eleven digits. Where columns are nearly collinear, next to
    nothing is left unexplained, or the table is short, further passes refine the normal equations to the digits that
    NIST certifies (:mod:`erresearch.relate.regressions`), where the rows are known and fit into memory. Other software
    multiplies by other small-sample factors; :func:`erresearch.relate.inference.crv1` and
    :func:`erresearch.relate.inference.crv3` state them.

    References
    ----------
    Cameron, A. C., & Miller, D. L. (2015). A practitioner's guide to cluster-robust inference. *Journal of Human
    Resources*, 50(2), 317-372.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"shop": np.repeat(np.arange(30), 20), "x": rng.normal(size=600)})
    >>> table["y"] = 0.5 * table["x"] + table["shop"] + rng.normal(size=600)
    >>> fit = regress(table, "y", on=["x"], by="shop", within=True)
    >>> 0.5 in fit["x"].interval
    True
    """
    check_level(level)
    _refuse_accounts(by, time)
    on = listed(on)
    if time is not None:
        return _regress_series(data, outcome, on, time=time, level=level)
    if by is None:
        _warn_of_series(data, "regress", {"outcome": outcome, "on": on})
    effects = tuple(effects) or (("account",) if within else ())
    return least_squares(
        data, outcome, on, by=by, period=period, effects=effects, cov=cov, level=level, rng=rng
    )


def _units_that_vary(moments: Moments, parts: np.ndarray, *, within: bool) -> int:
    """Accounts, or rows where there are none, that carry a correlation; refused where they or their columns cannot."""
    clustered, raw = moments.by is not None, np.einsum("gii->gi", moments.grams())
    units = moments.accounts if clustered else moments.rows
    if within:  # an account of a single row knows nothing of what goes on within accounts
        units = int(np.sum(~still(np.einsum("gii->gi", parts), raw).all(axis=1)))
    if moments.rows < 4 or units < 3:
        raise DesignError(
            "too little for the interval of a correlation",
            got=f"{Count(moments.rows):complete row}, {Count(units):account}{' in which anything varies' * within}"
            if clustered
            else f"{Count(moments.rows):complete row}",
            allowed="at least 4 rows, and 3 accounts where accounts are named",
        )
    total = parts.sum(axis=0)
    own = np.diag(total if within else without_constant(total))
    flat = [name for name, rests in zip(moments.columns, still(own, raw.sum(axis=0)), strict=True) if rests]
    if flat:
        raise DesignError(
            f"{' and '.join(map(repr, flat))} does not vary{' within accounts' if within else ''}",
            fix="a constant has no correlation with anything",
        )
    return units


def _error(moments: Moments, parts: np.ndarray, r: float, units: int, *, within: bool) -> float:
    """Standard error on Fisher's scale, by the jackknife over accounts, or over rows where there are none."""
    total = parts.sum(axis=0)
    if moments.by is None:
        se = _row_jackknife(moments, total, r)
    else:
        with np.errstate(all="ignore"):
            left = _correlation(total - parts, within=within)
            moves = left - r if abs(r) == 1 else np.arctanh(left) - math.atanh(r)
        known = bool(np.isfinite(moves).all())
        se = math.sqrt((units - 1) / units * float(np.sum(moves**2))) if known else math.inf
    # at ±1 the jackknife sees no scatter: that of independent normals
    return 1 / math.sqrt(units) if abs(r) == 1 and math.isfinite(se) else se


def _correlation(parts: np.ndarray, *, within: bool) -> np.ndarray:
    """Correlation from one or many summed parts."""
    if not within:
        parts = without_constant(parts)
    spread = np.sqrt(np.maximum(parts[..., 0, 0] * parts[..., 1, 1], 0.0))
    return np.asarray(np.clip(parts[..., 0, 1] / spread, -1.0, 1.0))


def _row_jackknife(moments: Moments, total: np.ndarray, r: float) -> float:
    """√((n−1)/n · Σ(z₍₋i₎ − z)²) with every leave-one-out correlation written as an expression of its row."""
    source = moments.need_rows(
        "the interval of a correlation without accounts needs the rows",
        fix="estimate from the rows, or make the moments with `by`",
    )
    n, weight = moments.rows, float(total[0, 0])
    mean = total[0, 1:] / weight
    (xx, xy), (_, yy) = without_constant(total)
    dx = source.z(moments.columns[0]) - float(mean[0])
    dy = source.z(moments.columns[1]) - float(mean[1])
    grow = weight / (weight - 1) if source.weight is None else source.w() * weight / (weight - source.w())
    left_x, left_y = float(xx) - grow * dx * dx, float(yy) - grow * dy * dy
    # each step is worked out once and named: SQL that repeats the whole of it takes long to plan
    rows = source.complete().select(product=left_x * left_y, cross=float(xy) - grow * dx * dy)
    # SQL engines fail on the root or the logarithm of what is not positive: such rows are counted instead
    varies = nw.col("product") > 1e-24 * float(xx * yy)
    root = nw.when(varies).then(nw.col("product")).otherwise(1.0).sqrt()
    each = source.staged(rows.select(left=nw.when(varies).then(nw.col("cross") / root)), "")
    left = nw.col("left")
    if abs(r) == 1:
        return 0.0 if each.total([left.count().alias("n")])["n"] == n else math.inf
    inside = (left > -1.0 + 1e-15) & (left < 1.0 - 1e-15)
    known = nw.when(inside).then(left).otherwise(0.0)
    move = nw.when(inside).then(((1.0 + known) / (1.0 - known)).log() / 2 - math.atanh(r)).otherwise(0.0)
    found = each.total(
        [(move * move).sum().alias("s"), nw.when(inside).then(1).otherwise(0).sum().alias("n")]
    )
    # without a row that carries all of it there is no correlation: the data set no bound
    return math.sqrt((n - 1) / n * found["s"]) if found["n"] == n else math.inf


def _ranked(moments: Moments, *, within: bool) -> Moments:
    """The same two columns as average ranks (inside each account with `within`)."""
    source = moments.need_rows("ranks need the rows")
    if moments.weights is not None:
        raise DesignError(
            "a rank correlation takes no weights",
            got=f"moments with weights={moments.weights!r}",
            fix="make the moments without weights, or use method='pearson'",
        )
    labels, part = ["0", "1"], "2" if within else "3"
    key = nw.lit("") if source.account is None else nw.col(source.account)
    rows = source.complete().select(
        *(source.col(name).alias(at) for name, at in zip(moments.columns, labels, strict=True)),
        key.alias("2"),
        nw.lit(0).alias("3"),
    )
    # SQL has no average rank: that of tied rows lies half-way between their first and their last
    ranks = [(nw.col(c).rank("min").over(part) + nw.col(c).rank("max").over(part)) / 2 for c in labels]
    ranked = rows.with_columns(*(rank.alias(f"rank {c}") for rank, c in zip(ranks, labels, strict=True)))
    ranked = ranked.select("rank 0", "rank 1", "2")
    fits = moments.rows * 3 * 8 <= share_of_memory(_HELD)
    held = gather(ranked, small=source.small) if fits and source.frame.implementation.is_polars() else None
    by = "2" if moments.by is not None else None
    again = open_moments(
        nw.to_native(ranked) if held is None else held, ["rank 0", "rank 1"], by=by, within=within
    )
    names = tuple(f"rank of {name}" for name in moments.columns)
    return replace(
        again,
        columns=names,
        by=moments.by,
        dropped=moments.dropped,
        source=replace(again.source, columns=names) if again.source else None,
    )


#: Lags of every column that enter: the second takes up what a unit root would leave to the first.
_LAGS: Final = 2
#: Rows from which on a column of distinct days is a series.
_SERIES: Final = 12


def _regress_series(data: Any, outcome: Any, on: Sequence[Any], *, time: str, level: float) -> Fit:
    """Least squares of one series on others of the same period, given two lags of all of them, trend and season.

    y_t = x_tᵀβ + Σ_l (ρ_l y_t−l + γ_lᵀx_t−l) + trend + season + u_t, l = 1, 2, with equally weighted cosines, residuals
    over 1 − leverage and Student's t of 0.4·T^⅔ degrees of freedom. The lags take the memory out, so that two series
    that only remember themselves do not seem related; one lag more than needed keeps that true of unit roots (Toda &
    Yamamoto, 1995, as in :mod:`erresearch.relate.temporal_precedence`).
    """
    models, (y, *names), past = _models([outcome, *on], data, time, level)
    every = [*names, *past]
    estimates = models.combinations(y, every, {name: {name: 1.0} for name in names})
    beta, covariance, _ = models.solve(y, every)
    left, own = models.without(every, y), models.without((), y)
    scaled = np.column_stack([models.without((), name) for name in every])
    k = len(names)
    return Fit(
        estimates=estimates,
        outcome=y,
        method=next(iter(estimates.values())).method,
        cov=covariance[:k, :k],
        r2=float(1 - left @ left / (own @ own)),
        vif={name: 1 / max(1 - models.explained(every, name), 1e-300) for name in names},
        condition_number=float(np.linalg.cond(scaled / np.linalg.norm(scaled, axis=0))),
        n_rows=models.n_rows,
        n_accounts=0,
        effective_accounts=math.nan,
        dropped=models.dropped,
        residual_variance=float(left @ left / (models.n_rows - len(beta) - models.fixed.shape[1])),
    )


def _correlate_series(data: Any, x: Any, y: Any, *, time: str, level: float) -> Estimate:
    """Correlation of what is new in two series: trend, season and two lags of both taken out of each.

    Student's t on Fisher's scale; the standard error is that of the mean of the influence
    ψ_t = z_x z_y − r (z_x² + z_y²)/2, by equally weighted cosines.
    """
    models, names, past = _models([x, y], data, time, level)
    models.solve(names[1], [names[0], *past])  # refuses what cannot be told apart
    zx, zy = (models.without(past, name) for name in names)
    zx, zy = zx / np.sqrt(np.mean(zx**2)), zy / np.sqrt(np.mean(zy**2))
    r = float(np.mean(zx * zy))
    influence = zx * zy - r * (zx**2 + zy**2) / 2
    influence /= 1 - leverages(np.column_stack([models.fixed, *(models.table[name] for name in past)]))
    spread, df = cosine_covariance(np.ones((len(zx), 1)), influence, parameters=0)
    se = math.sqrt(max(float(spread[0, 0]), 0.0)) / (1 - r * r)
    method = f"Pearson correlation, {models.words}, equally weighted cosines, t({df}) on Fisher's scale"
    around = StudentT(r, se * (1 - r * r), df)
    found = around.estimate(f"r({names[0]}, {names[1]})", level, n_rows=models.n_rows, method=method)
    return found.about(FisherZ(r, se, df))


def _refuse_accounts(by: str | None, time: str | None) -> None:
    """Refuse accounts beside a time: with accounts, whole accounts carry the inference."""
    if by is not None and time is not None:
        raise DesignError(
            "`time` is for one series",
            got=f"by={by!r} beside it",
            fix="leave `time` out: with accounts the intervals allow for any memory within them",
        )


def _warn_of_series(data: Any, call: str, asked: Mapping[str, Any]) -> None:
    """Warn where rows without accounts are one series: a column of days (also as text) or of periods, one row each.

    Only a frame in memory is looked at. `asked` are the other arguments of the call, to write the call that is right.
    """
    indexed = bool(in_the_index(data)) and not set(data.index.names) & set(data.columns)
    frame = as_narwhals(data.reset_index() if indexed else data, pass_through=True)
    if not isinstance(frame, nw.DataFrame) or len(frame) < _SERIES:
        return
    for name, dtype in frame.schema.items():
        dated = dtype in (nw.Date, nw.Datetime) or (
            dtype == nw.String and frame[name].str.contains(DATE_TEXT).all()
        )
        if (dated or str(name).lower() in PERIOD_NAMES) and frame[name].n_unique() == len(frame):
            # a column, or several, as a call would name them; an expression has no short spelling
            named = {**asked, "time": name}.items()
            plain = {key: all(isinstance(one, str) for one in np.atleast_1d(value)) for key, value in named}
            said = ", ".join(f"{key}={repr(value) if plain[key] else '…'}" for key, value in named)
            table = "data.reset_index()" if indexed else "data"
            warn(
                f"the rows are a series over {name!r}, and neighbours in time are no independent rows: the interval is "
                f"too short. Write er.{call}({table}, {said})"
            )
            return


def _models(
    columns: Sequence[Any], data: Any, time: str, level: float
) -> tuple[EntityModels, tuple[str, ...], list[str]]:
    """Columns of one series, their names, and the labels of their lags."""
    rows = open_panel(data, columns, by=None, time=time)
    pairs = [(column, lag) for column in range(len(columns)) for lag in range(1, _LAGS + 1)]
    past = [rows.label(*pair) for pair in pairs]
    wanted = [*((column, 0) for column in range(len(columns))), *pairs]
    asked = LagSpecification(rows=rows, wanted=wanted, held=(), controls=range(0), lags=_LAGS, level=level)
    words = f"OLS given {_LAGS} lags of every column, "
    models = EntityModels.collect(asked, also=past, words=words, alone=True)
    return models, rows.names, past
