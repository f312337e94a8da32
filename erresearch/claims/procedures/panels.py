"""Claims about accounts followed over time, and about lists of accounts."""

from __future__ import annotations

from erresearch.claims.challenges import challenge_arrow, challenge_list, quietly
from erresearch.claims.evidence import Evidence, left_out
from erresearch.claims.procedures.terms import term
from erresearch.claims.tables import Cast
from erresearch.errors import DesignError, ErresearchError
from erresearch.relate import contrast, decay, precedence, predictive_gain, regress
from erresearch.relate.lagged import open_panel, refuse_repeated
from erresearch.results import Doubt, plain

__all__ = ["judge_decay", "judge_long_run", "judge_precedence", "judge_prediction"]


def judge_precedence(cast: Cast) -> Evidence:
    """Arrow claims: lagged x on y given the past of y, account and period effects; lead and reverse beside it."""
    x, y = term(cast, "x"), term(cast, "y")
    controls = [term(cast, role) for role in cast.options.get("controls", ())]
    lags = int(cast.options.get("lags", 2))
    by, time = cast.column("by"), cast.column("time")
    found = precedence(cast.data, x, y, by=by, time=time, lags=lags, controls=controls, level=cast.level)
    doubts, fragile = left_out(found.dropped), ""
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


def judge_decay(cast: Cast) -> Evidence:
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
    # PPML errs low on short lists of heavy tails, log-OLS does not but sees no zeros: a decisive word needs both
    logged = [
        found.log_ols.transformed(f"1 − β by log-OLS at reliability {share:g}", factor=-1 / share, shift=1.0)
        for share, _ in found.reliability
    ]
    doubts = [
        Doubt(
            "shared denominator",
            "independent reactions and followers would give r(log ER, log F) = "
            f"{plain(found.shared_denominator)} by arithmetic alone; β is free of that",
            found.shared_denominator,
        ),
    ]
    choice, barrier = challenge_list(cast)
    return Evidence(
        ends[-1],
        barrier=barrier,
        ends=(*ends[:-1], *logged),
        clusters=found.exponent.n_accounts,
        doubts=(*doubts, choice, *left_out(found.dropped)),
        result=found,
    )


def judge_prediction(cast: Cast) -> Evidence:
    """Whether x predicts y better out of sample than its rival, on top of the same baseline."""
    found = predictive_gain(
        cast.data,
        term(cast, "y"),
        baseline=[term(cast, role) for role in cast.options.get("baseline", ())],
        add=term(cast, "x"),
        versus=term(cast, "rival"),
        by=cast.column("by"),
        time=cast.column("time"),
        level=cast.level,
    )
    return Evidence(
        found.gain,
        clusters=found.gain.n_accounts,
        barrier="; ".join(found.cautions),
        doubts=tuple(left_out(found.dropped)),
        result=found,
    )


def judge_long_run(cast: Cast) -> Evidence:
    """Long-run multiplier of x on y: what one lasting step of x adds up to when y has settled.

    θ = Σβ_l / (1 − Σρ_l) from lags 1 … L of both with account and period effects; the interval by the delta method,
    a contrast with weights 1/(1 − Σρ) and Σβ/(1 − Σρ)². That it pays off says which way it runs: the lead and the
    reverse direction of the same lags stand beside it.
    """
    lags = int(cast.options.get("lags", 4))
    controls = [term(cast, role) for role in cast.options.get("controls", ())]
    rows = open_panel(
        cast.data,
        [term(cast, "x"), term(cast, "y"), *controls],
        by=cast.column("by"),
        time=cast.column("time"),
    )
    steps = range(1, lags + 1)
    xs, ys = [(0, step) for step in steps], [(1, step) for step in steps]
    also = [(2 + i, step) for i in range(len(controls)) for step in (0, *steps)]
    moments = rows.moments([*xs, *ys, *also, (1, 0)])
    refuse_repeated(moments, rows.names[1])
    x, y = ([rows.label(*pair) for pair in pairs] for pairs in (xs, ys))
    on = [*x, *y, *(rows.label(*pair) for pair in also)]
    fit = regress(moments, rows.label(1, 0), on=on, effects=("account", "period"), level=cast.level)
    short = sum(fit[name].value for name in x)
    memory = sum(fit[name].value for name in y)
    if memory >= 1:
        raise DesignError(
            f"{rows.names[1]!r} has no long run: shocks do not fade",
            got=f"its lags sum to {plain(memory)}",
            allowed="less than 1",
            fix="use changes instead of levels",
        )
    weights = dict.fromkeys(x, 1 / (1 - memory)) | dict.fromkeys(y, short / (1 - memory) ** 2)
    name = f"long-run {rows.names[0]} on {rows.names[1]}"
    slope = contrast(fit, weights, name=name, level=cast.level)
    long = short / (1 - memory)
    estimate = slope.transformed(name, shift=long - slope.value)
    doubts = (
        Doubt("sum of the lags of x", f"{plain(short)} over {lags} periods", short),
        Doubt("memory of y", f"its lags sum to {plain(memory)}", memory, memory > 0.95),
        *left_out(fit.dropped),
    )
    by, time = cast.column("by"), cast.column("time")
    x_of, y_of = term(cast, "x"), term(cast, "y")
    order = precedence(
        cast.data, x_of, y_of, by=by, time=time, lags=lags, controls=controls, level=cast.level
    )
    return Evidence(
        estimate,
        lead=order.lead,
        reverse=order.reverse,
        clusters=fit.n_accounts,
        doubts=doubts,
        result=fit,
    )
