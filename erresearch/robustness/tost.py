"""Two one-sided tests: "not significant" is not "nothing there", but an interval inside ±δ is."""

from __future__ import annotations

import math

from erresearch.errors import DesignError, ErresearchError
from erresearch.results import Equivalence, Estimate, Reference

__all__ = ["equivalence", "known_reference"]


def known_reference(estimate: Estimate, purpose: str) -> Reference:
    """The distribution behind an estimate, or a refusal that names what it was wanted for.

    Raises
    ------
    DesignError
        If the estimate was stored without it.
    """
    if estimate.reference is None:
        raise DesignError(
            f"{estimate.name!r} cannot be used for {purpose}",
            got="an estimate stored without the distribution behind its interval",
            fix="estimate it again from its rows or moments",
        )
    return estimate.reference


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
    log talk: practically nil within ±0.05000, [−0.01527, 0.03527] (90 %), p = 0.005547
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
    reference = known_reference(estimate, "an equivalence test")
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
