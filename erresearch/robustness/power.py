"""Two one-sided tests and their power: "not significant" is not "nothing there", but an interval inside ±δ is."""

from __future__ import annotations

import math

from erresearch.errors import DesignError, ErresearchError
from erresearch.results import Detectable, Equivalence, Estimate, FisherZ, Reference, StudentT


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
    half, se, back = estimate.at(level).interval.half, estimate.se, float
    if isinstance(reference, FisherZ):
        # on its scale the width is the same whatever the correlation
        half, se, back = (
            StudentT(0.0, 1.0, reference.df).critical(level) * reference.se,
            reference.se,
            math.tanh,
        )
    effect, nil = (back(half + special.ndtri(share) * se) for share in (power, (1 + power) / 2))
    return Detectable(estimate, effect, nil, power, level)
