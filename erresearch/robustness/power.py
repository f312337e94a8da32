"""Two one-sided tests and their power: "not significant" is not "nothing there", but an interval inside ±δ is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from erresearch.errors import DesignError, ErresearchError
from erresearch.results import Detectable, Equivalence, Estimate, FisherZ, Reference, SampleNeeded, StudentT


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
    low, high = null - sesoi, null + sesoi
    return Equivalence(
        estimate=estimate,
        sesoi=sesoi,
        null=null,
        p_low=_one_sided(reference, estimate, low, above=True),
        p_high=_one_sided(reference, estimate, high, above=False),
        interval=reference.interval(round(2 * level - 1, 12)),
        level=level,
    )


def _one_sided(reference: Reference, estimate: Estimate, edge: float, *, above: bool) -> float:
    """P-value of "θ is on the far side of the edge", half of the two-sided one on the right side."""
    try:
        half = reference.pvalue(edge) / 2
    except ErresearchError:
        raise
    except ValueError as error:
        raise DesignError(
            f"the edge {edge:g} lies beyond what {estimate.name!r} can be",
            allowed="for a correlation, null ± sesoi between −1 and 1",
            fix="choose a smaller `sesoi`",
        ) from error
    right = estimate.value > edge if above else estimate.value < edge
    return half if right else 1 - half


#: Largest number of entities that is worth printing.
_MOST = 10**9


@dataclass(frozen=True, slots=True)
class _Precision:
    """Half width of the interval and standard error, on the scale where both are constant.

    Parameters
    ----------
    half, se : float
        Half width at the level asked for, standard error.
    fisher : bool
        Whether that scale is atanh r.
    """

    half: float
    se: float
    fisher: bool

    def back(self, size: float) -> float:
        """From the constant scale to the estimate's."""
        return math.tanh(size) if self.fisher else size

    def forth(self, size: float) -> float:
        """From the estimate's scale to the constant one."""
        return math.atanh(size) if self.fisher else size


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
    erresearch.robustness.sample_needed : How many rows a wanted effect takes.

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
    precision = _precision(estimate, power, level)
    to_find, to_declare = _quantiles(power)
    return Detectable(
        estimate,
        precision.back(precision.half + to_find * precision.se),
        precision.back(precision.half + to_declare * precision.se),
        power,
        level,
    )


def sample_needed(
    estimate: Estimate, *, effect: float, power: float = 0.8, level: float = 0.95
) -> SampleNeeded:
    """Count the entities that would show an effect of a given size, or its absence.

    The standard error shrinks with the root of the number of entities, SE(n) = SE·√(now/n), and the critical value
    with the degrees of freedom of n entities; both are solved for the least n. Weeks are not counted: where slopes
    differ between accounts, the spread of slopes does not shrink with more weeks.

    Parameters
    ----------
    estimate : Estimate
        An estimate from such data as there would be more of.
    effect : float
        Size of the effect to be found, and δ of the nil to be declared; not 0.
    power : float
        Chance of the right word.
    level : float
        Level of the interval that decides.

    Returns
    -------
    SampleNeeded
        Accounts (rows, where the estimate has no accounts) for either purpose.

    Raises
    ------
    DesignError
        If `effect` is 0 or beyond what the estimate can be, `power` or `level` is not between 0 and 1, the interval
        is unbounded or the estimate came without its distribution.

    See Also
    --------
    erresearch.detectable : The same question of the rows at hand.

    References
    ----------
    Bloom (1995), as for :func:`detectable`.

    Examples
    --------
    >>> reference = FisherZ(0.0, 1 / 101**0.5, math.inf)
    >>> weeks = Estimate("r", value=0.0, se=reference.se, df=math.inf, interval=reference.interval(0.95),
    ...     n_rows=104, n_accounts=0, reference=reference)
    >>> print(sample_needed(weeks, effect=0.1))
    r: 783 rows to find 0.1 with 80 % power, 1,047 to declare nil within ±0.1 (now 104)

    With one-sided tests at 5 %, that is a 90 % interval:

    >>> sample_needed(weeks, effect=0.1, level=0.90).to_declare_nil
    854
    """
    precision = _precision(estimate, power, level)
    size = abs(effect)
    if not 0 < size < (1 if precision.fisher else math.inf):
        raise DesignError(
            f"no sample can be planned for an effect of {effect:g}",
            allowed="between −1 and 1 for a correlation, and not 0"
            if precision.fisher
            else "finite and not 0",
            fix="give the smallest effect of interest",
        )
    if not math.isfinite(precision.half):
        raise DesignError(
            f"the interval of {estimate.name!r} is unbounded, so nothing can be scaled from it",
            got=f"{estimate.n_accounts} accounts",
            fix="plan from a pilot with more accounts",
        )
    now = estimate.n_accounts or estimate.n_rows
    counts = [_entities(estimate, precision, z, size, level) for z in _quantiles(power)]
    entity = "accounts" if estimate.n_accounts else "rows"
    return SampleNeeded(
        estimate=estimate,
        effect=effect,
        to_find=counts[0],
        to_declare_nil=counts[1],
        now=now,
        entity=entity,
        power=power,
        level=level,
    )


def _precision(estimate: Estimate, power: float, level: float) -> _Precision:
    for word, value in (("power", power), ("level", level)):
        if not 0 < value < 1:
            raise DesignError(f"`{word}` must lie between 0 and 1", got=repr(value))
    reference: Reference = _behind(estimate, "a statement on power")
    if isinstance(reference, FisherZ):
        return _Precision(reference.critical(level) * reference.se, reference.se, True)
    ends = estimate.at(level).interval
    return _Precision((ends.high - ends.low) / 2, estimate.se, False)


def _quantiles(power: float) -> tuple[float, float]:
    from scipy import special

    return float(special.ndtri(power)), float(special.ndtri((1 + power) / 2))


def _entities(estimate: Estimate, precision: _Precision, z: float, size: float, level: float) -> int:
    """Least n with (c(n) + z)·SE(n) ≤ size, by bisection; both factors fall with n."""
    now = estimate.n_accounts or estimate.n_rows
    # the variance of atanh r falls with n − 3
    lost = 3 if precision.fisher and not estimate.n_accounts else 0
    absent = now - estimate.df if math.isfinite(estimate.df) else math.inf
    # unequal accounts keep a bootstrap's critical value above Student's
    wider = precision.half / (precision.se * _critical(now - absent, level)) if precision.se > 0 else 1.0
    target = precision.forth(size)

    def enough(n: int) -> bool:
        se = precision.se * math.sqrt((now - lost) / (n - lost))
        return (wider * _critical(n - absent, level) + z) * se <= target

    low = int(max(lost, absent if math.isfinite(absent) else 0, 1))
    high = low + 1
    while not enough(high) and high < _MOST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _critical(df: float, level: float) -> float:
    return StudentT(0.0, 1.0, df if df > 0 else math.inf).critical(level)
