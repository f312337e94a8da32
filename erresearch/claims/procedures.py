"""How each kind of claim is estimated: rows in roles go in, evidence comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import narwhals.stable.v2 as nw

from erresearch.claims.challenges import challenge_arrow, challenge_list, quietly
from erresearch.claims.evidence import Evidence
from erresearch.claims.tables import Cast
from erresearch.errors import ErresearchError
from erresearch.expressions import log
from erresearch.relate import contrast, decay, poisson, precedence, predictive_gain, regress
from erresearch.results import Doubt, plain

__all__ = ["PROCEDURES"]


def _log1p(column: str) -> nw.Expr:
    # of a control only: no elasticity is read from it, and weeks without spend must not be lost
    return (nw.col(column).cast(nw.Float64()) + 1.0).log().alias(f"log (1 + {column})")


def _standardised(value: nw.Expr, name: str) -> nw.Expr:
    return ((value - value.mean()) / value.std()).alias(name)


def _term(cast: Cast, role: str) -> Any:
    """A role's column as the options ask for it: as it is, on logs, standardised."""
    column = cast.column(role)
    if role in cast.options.get("logs", ()):
        return log(column)
    if role in cast.options.get("log1p", ()):
        return _log1p(column)
    if role in cast.options.get("standardise", ()):
        return _standardised(nw.col(column).cast(nw.Float64()), f"{column} (sd)")
    if role in cast.options.get("log_standardise", ()):
        return _standardised(nw.col(column).cast(nw.Float64()).log(), f"log {column} (sd)")
    return column


def _precedence(cast: Cast) -> Evidence:
    """Arrow claims: lagged x on y given the past of y, account and period effects; lead and reverse beside it."""
    x, y = _term(cast, "x"), _term(cast, "y")
    controls = [_term(cast, role) for role in cast.options.get("controls", ())]
    lags = int(cast.options.get("lags", 2))
    by, time = cast.column("by"), cast.column("time")
    found = precedence(cast.data, x, y, by=by, time=time, lags=lags, controls=controls, level=cast.level)
    doubts, fragile = [], ""
    if found.contemporaneous is not None:
        same = found.contemporaneous
        text = f"in the same period x and y go together by {plain(same.value)} {same.interval}; that has no direction"
        doubts.append(Doubt("same period", text, same.value))
    if found.n_accounts > 1 and cast.options.get("challenges", True):
        try:
            more, fragile = challenge_arrow(cast, x, y, controls, lags=lags)
        except ErresearchError as error:
            more = quietly(error)
        doubts += more
    return Evidence(
        found.forward,
        lead=found.lead,
        reverse=found.reverse,
        clusters=found.n_accounts if found.n_accounts > 1 else 0,  # one entity rests on its periods
        barrier="; ".join(found.cautions),
        fragile=fragile,
        doubts=tuple(doubts),
        result=found,
    )


def _slope(cast: Cast) -> Evidence:
    """A coefficient, or one contrast of coefficients, in a regression with the claim's adjustment set."""
    weights: Mapping[str, float] = cast.options["weights"]
    roles = [
        *cast.options.get("standardise", ()),
        *cast.options.get("log_standardise", ()),
        *cast.options.get("on", ()),
    ]
    estimator = poisson if cast.options.get("estimator") == "poisson" else regress
    by = cast.roles.get("by")
    arguments: dict[str, Any] = {"effects": ("account",)} if by is not None else {}
    fit = estimator(
        cast.data,
        _term(cast, "y"),
        on=[_term(cast, role) for role in roles],
        by=by,
        level=cast.level,
        **arguments,
    )
    names = dict(zip(roles, fit, strict=False))
    if len(weights) == 1:
        role, weight = next(iter(weights.items()))
        estimate = fit[names[role]] if weight == 1 else contrast(fit, {names[role]: weight}, level=cast.level)
    else:
        words = " − ".join(names[role] for role in weights)
        estimate = contrast(
            fit, {names[role]: w for role, w in weights.items()}, name=words, level=cast.level
        )
    worst = max(fit.vif.items(), key=lambda pair: pair[1])
    doubts = [
        Doubt(
            "collinearity",
            f"largest variance inflation {plain(worst[1])} ({worst[0]})",
            worst[1],
            worst[1] > 10,
        )
    ]
    doubts += [
        Doubt(f"coefficient of {name}", str(e.interval), e.value)
        for name, e in fit.items()
        if e is not estimate
    ]
    return Evidence(estimate, clusters=fit.n_accounts, doubts=tuple(doubts), result=fit)


def _decay(cast: Cast) -> Evidence:
    """θ = 1 − β of reactions on followers, at both ends of the declared reliability of followers."""
    low, high = cast.options.get("reliability", (0.9, 1.0))
    found = decay(
        cast.data,
        by=cast.roles.get("by"),
        followers=cast.column("followers"),
        reactions=cast.column("reactions"),
        spline=bool(cast.options.get("spline", True)),
        reliability=(float(low), float(high)),
        level=cast.level,
    )
    ends = [
        beta.transformed(beta.name.replace("β", "1 − β"), factor=-1.0, shift=1.0)
        for _, beta in found.reliability
    ]
    doubts = [
        Doubt(
            "shared denominator",
            "independent reactions and followers would give r(log ER, log F) = "
            f"{plain(found.shared_denominator)} by arithmetic alone; β is free of that",
            found.shared_denominator,
        ),
        Doubt(
            "log-OLS beside PPML",
            f"β = {plain(found.log_ols.value)} {found.log_ols.interval}",
            found.log_ols.value,
        ),
    ]
    choice, barrier = challenge_list(cast)
    return Evidence(
        ends[-1],
        barrier=barrier,
        ends=tuple(ends[:-1]),
        clusters=found.exponent.n_accounts,
        doubts=(*doubts, choice),
        result=found,
    )


def _prediction(cast: Cast) -> Evidence:
    """Whether x predicts y better out of sample than its rival, on top of the same baseline."""
    found = predictive_gain(
        cast.data,
        _term(cast, "y"),
        baseline=[_term(cast, role) for role in cast.options.get("baseline", ())],
        add=_term(cast, "x"),
        versus=_term(cast, "rival"),
        by=cast.column("by"),
        time=cast.column("time"),
        level=cast.level,
    )
    return Evidence(
        found.gain, clusters=found.gain.n_accounts, barrier="; ".join(found.cautions), result=found
    )


#: Every procedure that ``claims.toml`` may name.
PROCEDURES: Final[Mapping[str, Callable[[Cast], Evidence]]] = MappingProxyType(
    {"precedence": _precedence, "slope": _slope, "decay": _decay, "prediction": _prediction}
)
