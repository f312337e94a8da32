"""What one estimate can bear: nil or not, what it could have found, and a confounder that nobody observed.

"Not significant" is not "nothing there"; an interval inside ±δ is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from erresearch.errors import DesignError, ErresearchError, UnknownNameError
from erresearch.relate.fitted_models import Fitted
from erresearch.results import (
    Detectable,
    Equivalence,
    Estimate,
    FisherZ,
    Fit,
    Interval,
    Reference,
    Sensitivity,
    StudentT,
    largest,
)


def _behind(estimate: object, purpose: str) -> Reference:
    """The distribution behind an estimate; what is no estimate is refused with the way to one."""
    if not isinstance(estimate, Estimate):
        raise DesignError(
            f"{purpose} needs an estimate",
            got=type(estimate).__name__,
            fix="make one: er.correlate(table, x, y), or er.regress(table, outcome, on=[x])[x]",
        )
    return estimate.behind(purpose)


def equivalence(estimate: Estimate, *, sesoi: float, null: float = 0.0, level: float = 0.95) -> Equivalence:
    """Test whether an effect is practically nil (TOST).

    θ ≤ null − δ and θ ≥ null + δ are each tested one-sidedly at α = 1 − level; both are rejected exactly when the
    interval at 1 − 2α lies inside null ± δ. The tests use the estimate's own distribution (Student's t, Fisher's
    scale for a correlation, the restricted wild or score bootstrap), so it serves coefficients, elasticities,
    correlations and differences of shares alike.

    Parameters
    ----------
    estimate : Estimate
        Any estimate with its distribution.
    sesoi : float
        δ > 0, the smallest effect of interest, in the estimate's unit; declared before the data are seen.
    null : float
        What "no effect" is: 0, or 1 for an exponent that neither rises nor falls.
    level : float
        1 − α of each test. The board's verdict asks more: its two-sided 95 % interval is `level=0.975` here.

    Returns
    -------
    Equivalence
        Both p-values and the interval at 1 − 2α.

    Raises
    ------
    DesignError
        If δ is not positive and finite or lies beyond what the estimate can be, if the level is not between 0.5
        and 1, or if the estimate came without its distribution.

    See Also
    --------
    erresearch.detectable : Which effects the rows could have found.

    References
    ----------
    Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach for assessing
    the equivalence of average bioavailability. *Journal of Pharmacokinetics and Biopharmaceutics*, 15(6), 657-680.
    Lakens, D. (2017). Equivalence tests: a practical primer. *Social Psychological and Personality Science*, 8(4),
    355-362.

    Examples
    --------
    >>> from erresearch.results import StudentT
    >>> reference = StudentT(0.01, 0.015, 39)
    >>> estimate = Estimate("log talk", value=0.01, se=0.015, df=39, interval=reference.interval(0.95),
    ...     n_rows=4160, n_accounts=40, reference=reference)
    >>> print(equivalence(estimate, sesoi=0.05))
    log talk: practically nil within ±0.05, [−0.015, 0.035] (90 %), p = 0.0055
    >>> equivalence(estimate, sesoi=0.02).nil
    False
    """
    if not (math.isfinite(sesoi) and sesoi > 0):
        raise DesignError(
            "`sesoi` must be a positive number",
            got=repr(sesoi),
            fix="declare the smallest effect that matters",
        )
    if not 0.5 < level < 1:
        raise DesignError("`level` must lie between 0.5 and 1", got=repr(level), fix="use 0.95 for α = 5 %")
    reference = _behind(estimate, "an equivalence test")
    return Equivalence(
        estimate=estimate,
        sesoi=sesoi,
        null=null,
        p_low=_one_sided(reference, estimate, null - sesoi, above=True),
        p_high=_one_sided(reference, estimate, null + sesoi, above=False),
        interval=reference.interval(round(2 * level - 1, 12)),
        level=level,
    )


def _one_sided(reference: Reference, estimate: Estimate, edge: float, *, above: bool) -> float:
    """P-value of "θ is on the far side of the edge", half of the two-sided one on the right side."""
    try:
        half = reference.pvalue(edge) / 2
    except ErresearchError:
        raise
    except ValueError:
        raise DesignError(
            f"the edge {edge:g} lies beyond what {estimate.name!r} can be",
            allowed="for a correlation, null ± sesoi between −1 and 1",
            fix="choose a smaller `sesoi`",
        ) from None
    right = estimate.value > edge if above else estimate.value < edge
    return half if right else 1 - half


def detectable(estimate: Estimate, *, power: float = 0.8, level: float = 0.95) -> Detectable:
    """Say which effect these data would have found, and for which δ they could have said *practically nil*.

    Effect: (c + z_power)·SE. Nil: (c + z_{(1+power)/2})·SE, because both ends of the interval must fall inside ±δ.
    c is the critical value of the verdict's own interval (its half width in standard errors; of the bootstrap where
    accounts are few). A correlation is computed on Fisher's scale at r = 0.

    Parameters
    ----------
    estimate : Estimate
        Any estimate with its distribution; only its precision is used, not its value.
    power : float
        Chance of the right word, between 0 and 1.
    level : float
        Level of the interval that decides.

    Returns
    -------
    Detectable
        Both figures; infinite where the interval is unbounded.

    Raises
    ------
    DesignError
        If `power` or `level` is not between 0 and 1 or the estimate came without its distribution.

    See Also
    --------
    erresearch.equivalence : Whether an effect is practically nil.

    References
    ----------
    Bloom, H. S. (1995). Minimum detectable effects. *Evaluation Review*, 19(5), 547-556.
    Lakens, D. (2017), as for :func:`equivalence`.

    Examples
    --------
    >>> reference = FisherZ(0.0, 1 / 101**0.5, math.inf)
    >>> weeks = Estimate("r", value=0.0, se=reference.se, df=math.inf, interval=reference.interval(0.95),
    ...     n_rows=104, n_accounts=0, reference=reference)
    >>> round(detectable(weeks).effect, 2)
    0.27
    """
    from scipy import special

    for word, value in (("power", power), ("level", level)):
        if not 0 < value < 1:
            raise DesignError(f"`{word}` must lie between 0 and 1", got=repr(value))
    reference = _behind(estimate, "a statement on power")
    half, se = estimate.at(level).interval.half, estimate.se
    back: Callable[[float], float] = float
    if isinstance(reference, FisherZ):
        # on its scale the width is the same whatever the correlation
        half, se, back = (
            StudentT(0.0, 1.0, reference.df).critical(level) * reference.se,
            reference.se,
            math.tanh,
        )
    effect, nil = (back(half + special.ndtri(share) * se) for share in (power, (1 + power) / 2))
    return Detectable(estimate, effect, nil, power, level)


_GRID = 81
_APPROXIMATE = "a linear approximation: the estimator is not least squares"


def robustness_value(statistic: float, df: float, *, critical: float = 0.0) -> float:
    """Partial R² that a confounder needs with both x and the outcome to take an estimate to 0.

    With f = |t|/√df − c/√(df − 1): RV = ½(√(f⁴ + 4f²) − f²); 0 where f ≤ 0. Where the critical value alone limits
    the confounder, RV = (t²/df − c²/(df − 1))/(1 + t²/df).

    Parameters
    ----------
    statistic : float
        t of the estimate, with the classical (homoskedastic) standard error.
    df : float
        Residual degrees of freedom.
    critical : float
        0 for the estimate itself; t's critical value at df − 1 for its interval.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    DesignError
        With fewer than 2 degrees of freedom.

    See Also
    --------
    erresearch.robustness.sensitivity : Beside observed confounders.

    References
    ----------
    Cinelli, C. & Hazlett, C. (2020). Making sense of sensitivity: extending omitted variable bias. *Journal of the
    Royal Statistical Society B*, 82(1), 39-67.

    Examples
    --------
    >>> round(robustness_value(4.18445, 783), 4)
    0.1388
    """
    if not df > 1:
        raise DesignError(
            "a robustness value needs residual degrees of freedom", got=f"{df:g}", allowed="2 or more"
        )
    return _robustness(abs(statistic) / math.sqrt(df), critical / math.sqrt(df - 1))


def _robustness(whole: float, edge: float) -> float:
    left = whole - edge
    if not left > 0:
        return 0.0
    if math.isinf(left):
        return 1.0
    if edge > 0 and whole > 1 / edge:
        return (whole**2 - edge**2) / (1 + whole**2)
    return (math.sqrt(left**4 + 4 * left**2) - left**2) / 2


def confounder_bounds(
    r2_x: float, r2_y: float, *, strength_x: float = 1.0, strength_y: float | None = None
) -> tuple[float, float]:
    """Bounds on a confounder that is so many times as strong as an observed control.

    With R²_x and R²_y the partial R² of the control with x and with the outcome:
    R²_(Z,x) = k_x R²_x/(1 − R²_x) and R²_(Z,y) = ((√k_y + √ρ)/√(1 − ρ))² · R²_y/(1 − R²_y) with
    ρ = k_x R²_x² / ((1 − k_x R²_x)(1 − R²_x)), at most 1.

    Parameters
    ----------
    r2_x, r2_y : float
        Partial R² of the observed control with x given the other controls, and with the outcome given x and them.
    strength_x, strength_y : float
        Times as strong (k), with x and with the outcome (the same unless given).

    Returns
    -------
    (float, float)
        Partial R² of the confounder with x and with the outcome.

    Raises
    ------
    DesignError
        If nothing can be that much stronger: the confounder would explain more than all of x.

    See Also
    --------
    erresearch.robustness.sensitivity : Uses them.

    References
    ----------
    Cinelli & Hazlett (2020), section 4.4.

    Examples
    --------
    >>> x, y = confounder_bounds(0.00908, 0.10903, strength_x=3)
    >>> round(x, 4), round(y, 4)
    (0.0275, 0.3741)
    """
    strength_y = strength_x if strength_y is None else strength_y
    if not (strength_x >= 0 and strength_y >= 0):
        raise DesignError("`strength` must not be negative", got=f"{strength_x:g}, {strength_y:g}")
    bound_x = strength_x * r2_x / (1 - r2_x) if r2_x < 1 else math.inf
    if bound_x >= 1:
        raise DesignError(
            f"no confounder can be {strength_x:g} times as strong as this control",
            got=f"the control explains {100 * r2_x:.4g} % of what is left of x",
            allowed=f"strength below {(1 - r2_x) / r2_x:.4g}",
            fix="choose a smaller `strength`",
        )
    shared = strength_x * r2_x**2 / ((1 - strength_x * r2_x) * (1 - r2_x))
    if r2_y >= 1 or shared >= 1:
        return bound_x, 1.0
    pull = (math.sqrt(strength_y) + math.sqrt(shared)) / math.sqrt(1 - shared)
    return bound_x, min(1.0, pull**2 * r2_y / (1 - r2_y))


def sensitivity(
    fit: Fit,
    x: str | None = None,
    *,
    benchmark: str | None = None,
    strength: float = 1.0,
    level: float = 0.95,
) -> Sensitivity:
    """Say how strong an unobserved confounder would have to be, beside the strongest control that was observed.

    A confounder with partial R² of R²_x with x and R²_y with the outcome moves the estimate by
    √(R²_y R²_x/(1 − R²_x)) · se · √df, where se and df are the classical ones. The robustness value is the R² that,
    with both, moves it to 0. The interval's own version keeps the width that the estimate has (clustered, bootstrap)
    and lets it change with the confounder as the classical one does, by √((1 − R²_y)/(1 − R²_x)).

    Parameters
    ----------
    fit : Fit
        A fitted regression.
    x : str, optional
        The regressor in doubt; the first of the fit by default.
    benchmark : str, optional
        An observed control to compare with; by default the strongest, the one whose double would move the estimate
        most.
    strength : float
        How many times as strong as the benchmark.
    level : float
        Level of the interval.

    Returns
    -------
    Sensitivity
        Robustness values, bounds, adjusted estimate, and a grid for the contour picture.

    Raises
    ------
    UnknownNameError
        If `x` or `benchmark` is no regressor of the fit.
    DesignError
        If the fit keeps no scores, or nothing can be `strength` times as strong as the benchmark.

    See Also
    --------
    erresearch.robustness.robustness_value : From t and its degrees of freedom alone.

    References
    ----------
    Cinelli & Hazlett (2020).

    Examples
    --------
    >>> import pandas as pd
    >>> from erresearch.relate import regress
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"spend": rng.normal(size=500)})
    >>> table["talk"] = 0.4 * table.spend + rng.normal(size=500)
    >>> table["sales"] = 0.5 * table.talk + 0.4 * table.spend + rng.normal(size=500)
    >>> doubt = sensitivity(regress(table, "sales", on=["talk", "spend"]), "talk")
    >>> doubt.benchmark, doubt.adjusted < doubt.estimate.value, doubt.withstands
    ('spend', True, True)
    """
    model = getattr(fit, "model", None)
    if not isinstance(model, Fitted):
        raise DesignError(
            "a robustness value needs the scores of its regression",
            got="a fit over `time`, or stored, has none" if isinstance(fit, Fit) else type(fit).__name__,
            fix="fit it again without `time` and pass the fit: sensitivity(er.regress(…), name)",
        )
    x = next(name for name in model.names if name != "Intercept") if x is None else x
    estimate, place, df = fit[x].at(level), model.names.index(x), float(model.df_resid)
    linear = math.isfinite(fit.residual_variance)
    variances = fit.residual_variance * np.diag(model.model.bread) if linear else np.diag(fit.cov)
    errors = np.sqrt(np.maximum(variances, 0.0))
    controls = _controls(fit, model, place, errors, df)
    if benchmark is not None and benchmark not in controls:
        raise UnknownNameError.of("control beside the estimate", benchmark, controls)
    ends, size = estimate.interval, float(errors[place]) * math.sqrt(df)
    # the classical interval beside a confounder has one degree of freedom less
    wider, usual = (StudentT(0.0, 1.0, freedom).critical(level) for freedom in (df - 1, df))
    narrower = math.sqrt(df / (df - 1)) * wider / usual
    edge = (ends.high - ends.low) / 2 * narrower / size if size > 0 else 0.0
    whole = abs(estimate.value) / size if size > 0 else math.inf
    name, bound_x, bound_y, adjusted = "", math.nan, math.nan, math.nan
    interval = None
    if controls:
        name = benchmark or largest(controls, lambda each: _pull(*controls[each]))
        bound_x, bound_y = confounder_bounds(*controls[name], strength_x=strength)
        adjusted = float(_beside(estimate.value, size * _bias(bound_x, bound_y)))
        factor = narrower * math.sqrt((1 - bound_y) / (1 - bound_x))
        interval = Interval(-math.inf, math.inf, level)
        if ends.bounded:
            below, above = estimate.value - ends.low, ends.high - estimate.value
            interval = Interval(adjusted - below * factor, adjusted + above * factor, level)
    robust = _robustness(whole, 0.0)
    far = min(0.99, 1.25 * max(0.1, robust, *(0.0 if math.isnan(b) else b for b in (bound_x, bound_y))))
    grid = np.linspace(0.0, far, _GRID)
    return Sensitivity(
        estimate=estimate,
        robustness_value=robust,
        robustness_value_alpha=_robustness(whole, edge),
        partial_r2=whole**2 / (1 + whole**2) if math.isfinite(whole) else 1.0,
        benchmark=name,
        bound_x=bound_x,
        bound_y=bound_y,
        adjusted=adjusted,
        r2_x=grid,
        r2_y=grid,
        contours=_beside(estimate.value, size * _bias(grid[None, :], grid[:, None])),
        strength=strength,
        adjusted_interval=interval,
        method="partial R² from least squares" if linear else _APPROXIMATE,
    )


def _controls(
    fit: Fit, model: Fitted, place: int, errors: np.ndarray, df: float
) -> dict[str, tuple[float, float]]:
    """Partial R² of each control with x and with the outcome."""
    bread, found = model.model.bread, {}
    for j, name in enumerate(model.names):
        if j == place or name == "Intercept":
            continue
        # partial correlations are off-diagonal entries of the inverse cross-products
        r2_x = bread[place, j] ** 2 / (bread[place, place] * bread[j, j])
        t2 = (fit[name].value / errors[j]) ** 2 if errors[j] > 0 else math.inf
        found[name] = float(r2_x), float(t2 / (t2 + df)) if math.isfinite(t2) else 1.0
    return found


def _bias(r2_x: float | np.ndarray, r2_y: float | np.ndarray) -> np.ndarray:
    """What a confounder moves an estimate by, over se · √df."""
    return np.asarray(np.sqrt(r2_y * r2_x / (1 - r2_x)))


def _beside(value: float, bias: np.ndarray) -> np.ndarray:
    """An estimate after a bias that had made it too large in size."""
    return np.asarray(math.copysign(1.0, value) * (abs(value) - bias))


def _pull(r2_x: float, r2_y: float) -> float:
    """How far the equal of a control would move the estimate; what would explain all of x, without end."""
    return math.inf if r2_x >= 0.5 else float(_bias(*confounder_bounds(r2_x, r2_y)))
