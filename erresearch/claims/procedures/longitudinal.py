"""Claims about accounts followed over time and about lists of accounts, with what may speak against an estimate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.claims.decision_rule import COSTLY, SHOWN, Evidence, left_out
from erresearch.claims.disclosure import strata
from erresearch.claims.options import DecayOptions, LongRunOptions, PrecedenceOptions, PredictionOptions
from erresearch.claims.variables import Variables, amount
from erresearch.engine.expressions import log
from erresearch.engine.lazy_rows import gather
from erresearch.engine.moments import Moments
from erresearch.engine.sources import column_names, open_rows
from erresearch.errors import Count, DataError, DesignError, ErresearchError, own_warnings
from erresearch.relate.association import regress
from erresearch.relate.design import Effect, open_moments
from erresearch.relate.distributed_lags import SHORTEST
from erresearch.relate.fitted_models import Fitted, contrast
from erresearch.relate.inference import Scores
from erresearch.relate.lags import LaggedRows, LagSpecification, open_panel
from erresearch.relate.poisson_regression import poisson
from erresearch.relate.prediction import predictive_gain
from erresearch.relate.reaction_models import decay
from erresearch.relate.shop_days import FEW_SHOPS, daily_response
from erresearch.relate.temporal_precedence import (
    EntityModels,
    event_lags,
    lag_models,
    precedence,
)
from erresearch.results import Doubt, Estimate, Fit, Precedence, Reliability, plain
from erresearch.robustness import AGREEMENT, selected_list, sensitivity, specification_curve
from erresearch.robustness.guards import far_out_periods

_EFFECTS: tuple[Effect, ...] = ("account", "period")
#: Accounts from which on there are two strata.
_SEVERAL_STRATA = 40
#: Weights of coefficients by name of their sum to the sums, estimated.
_Combining = Callable[[Mapping[str, Mapping[str, float]]], Mapping[str, Estimate]]
#: Share of rows lost to zeros and gaps beyond which a doubt is raised.
_COSTLY = 0.2
#: Share of a shop's days that must be there for a judgement by day; days from row to row that still are days.
_KEPT, _DENSE = 0.85, 3
_ENDS = ("days", "first", "last")
#: What to do where days cannot be judged by day.
_MORE_DAYS = "bring more days, leave out the shops that lack them, or sum to weeks"
#: How a list was chosen, where that may have looked at reactions.
_CHOSEN: Mapping[str, str] = {
    "": "how the list was chosen is not declared",
    "reactions": "the list was chosen by reactions",
    "mixed": "the list was chosen by several figures",
}


def challenge_arrow(
    cast: Variables[PrecedenceOptions], x: Any, y: Any, controls: Sequence[Any], *, lags: int
) -> tuple[list[Doubt], str]:
    """Specification curve over definitions and further controls, and the sensitivity to a hidden confounder.

    Every model holds the claim's minimal adjustment set (the past of both, the controls now and before, account and
    period effects); the options ``definitions`` and ``extras`` of the claim say which columns, where a table has them,
    may stand for x and may be added.

    Returns
    -------
    list of Doubt
        Share of the curve that agrees, robustness value.
    str
        Why a supported word is fragile; empty if it is not.
    """
    if isinstance(cast.data, Moments):
        return [], ""
    present = column_names(cast.data)
    others = [name for name in cast.options.definitions if name in present]
    extras = [name for name in cast.options.extras if name in present]
    columns = [x, y, *controls, *map(log, others), *map(amount, extras)]
    panel = open_panel(cast.data, columns, **cast.in_time)
    first, last = 2 + len(controls), 2 + len(controls) + len(others)
    wanted = [(column, lag) for column in range(first) for lag in range(lags + 1)]
    wanted += [(column, 1) for column in range(first, len(columns))]
    moments = panel.moments(wanted)
    outcome, own = panel.label(1, 0), panel.label(0, 1)
    minimal = [panel.label(0, lag) for lag in range(2, lags + 1)]
    minimal += [panel.label(1, lag) for lag in range(1, lags + 1)]
    minimal += [panel.label(column, lag) for column in range(2, first) for lag in range(lags + 1)]
    curve = specification_curve(
        moments,
        outcome,
        panel.names[0],
        lags=[1],
        minimal=minimal,
        controls=[panel.label(column, 1) for column in range(last, len(columns))],
        definitions=[panel.names[0], *(panel.names[column] for column in range(first, last))],
        effects=(_EFFECTS,),
        sign=-1 if cast.direction == "less" else 1,
    )
    share = curve.share_significant
    if cast.direction == "absent":
        # agreement and a hidden confounder speak against an effect; here none is claimed
        found = f"{100 * share:.0f} % of {Count(len(curve)):model finds} an effect above 0"
        return [Doubt("specification curve", found, share, share > 0.5)], ""
    # models of the same rows share their sign even where nothing was planted: a model agrees if it alone would say so
    said = (
        f"{100 * curve.share_agreeing:.0f} % of {Count(len(curve)):model has} the claim's sign, "
        f"{100 * share:.0f} % significantly (fragile below {100 * AGREEMENT:.0f} %)"
    )
    doubts, fragile = [Doubt("specification curve", said, share, share < AGREEMENT)], []
    if share < AGREEMENT:
        fragile.append(f"only {100 * share:.0f} % of {Count(len(curve)):model} have its sign significantly")
    if controls:
        fit = regress(moments, outcome, on=[own, *minimal], effects=_EFFECTS, cov="CRV3")
        hidden = sensitivity(fit, own, benchmark=panel.label(2, 0))
        said = (
            f"one that explains {100 * hidden.robustness_value:.2g} % of what is left of both x and y would take the "
            f"estimate to 0; one as strong as {hidden.benchmark} would leave {plain(hidden.adjusted)}"
        )
        doubts.append(Doubt("hidden confounder", said, hidden.robustness_value, not hidden.withstands))
        if not hidden.withstands:
            fragile.append(f"a hidden confounder as strong as {hidden.benchmark} could explain it")
    return doubts, "; ".join(fragile)


def challenge_list(cast: Variables[DecayOptions]) -> tuple[Doubt, str]:
    """Look whether the list of accounts was chosen by their reactions.

    Returns
    -------
    Doubt
        Whether its lower edge looks cut at a number of reactions.
    str
        Why no decisive word may be given; empty if the list looks whole.
    """
    columns = [log(cast.column("followers")), log(cast.column("reactions"))]
    try:
        moments = open_moments(cast.data, columns, by=cast.roles.get("by"))
        if moments.by is None:
            assert moments.source is not None
            means = moments.source.collect(moments.columns).select(moments.columns).to_numpy()
        else:
            means = np.asarray(moments.origin + moments.sums / moments.weight[:, None])
        found = selected_list(means[:, 0], means[:, 1])
    except DesignError as error:
        return Doubt("choice of the list", f"could not be looked at: {error}"), ""
    if not found.selected:
        return Doubt("choice of the list", "its lower edge does not look cut at a number of reactions"), ""
    words = "the list looks chosen by its reactions, which alone makes a rate seem to fall"
    return Doubt("choice of the list", words, raised=True), words


def judge_precedence(cast: Variables[PrecedenceOptions]) -> Evidence:
    """Arrow claims: x of the period before on y, beside x of the same period, the past of both, controls and events.

    One to five shops by day are judged by :func:`erresearch.daily_response` where the claim allows it.
    """
    days, why_not = _few_shops_by_day(cast) if cast.options.days else (False, "")
    if days:
        return judge_days(cast)
    x, y, lags = cast.term("x"), cast.term("y"), cast.options.lags
    controls, doubts = held_fixed(cast)
    try:
        found = order_of(cast, controls)
    except (DataError, DesignError) as error:
        if not why_not:
            raise
        raise type(error)(why_not, fix=_MORE_DAYS, code=error.code) from error
    names = (cast.column("x"), cast.column("y"))
    doubts = [*left_out_of(found), *doubts]
    doubts += far_out_periods(cast.data, names, **cast.in_time)
    fragile = ""
    if why_not:
        doubts.append(Doubt("by day", f"{why_not}; {_MORE_DAYS}", raised=True, code="too-few-days"))
    if found.n_accounts > 1 and cast.options.challenges:
        try:
            more, fragile = challenge_arrow(cast, x, y, controls, lags=lags)
        except ErresearchError as error:
            more = [Doubt("not challenged", str(error), raised=True)]
        doubts += more
    assert found.beside is not None
    return Evidence(
        found.beside,
        order=found,
        open_points=open_points(cast, found, doubts),
        clusters=found.n_accounts if found.n_accounts > 1 else 0,  # one entity rests on its periods
        barrier="; ".join(found.cautions),
        fragile=fragile,
        doubts=tuple(doubts),
        result=found,
    )


def _few_shops_by_day(cast: Variables[PrecedenceOptions]) -> tuple[bool, str]:
    """Whether the rows are the days of one to five shops, enough of each for a season and a memory; if not, why not."""
    if isinstance(cast.data, Moments):
        return False, ""
    by, time = cast.column("by"), cast.column("time")
    opened, when = open_rows(cast.data, [], [by, time], None), nw.col(time)
    if int(opened.collect(nw.col(by).n_unique().alias("shops"))["shops"][0]) > FEW_SHOPS:
        return False, ""
    ends = (when.n_unique().alias("days"), when.min().alias("first"), when.max().alias("last"))
    found = gather(opened.frame.group_by(by).agg(*ends), small=opened.small)
    shops = [_days_of(*row) for row in found.select(*_ENDS).iter_rows()]
    if not all(span and days > span / _DENSE for days, span in shops):
        return False, ""
    short = sum(days < SHORTEST for days, _ in shops)
    holes = sum(days <= span * _KEPT for days, span in shops)
    if not short + holes:
        return True, ""
    fewest = min(days for days, _ in shops)
    if short:
        few = f"{Count(fewest):day is} too few to be judged by day, where days of 0 count: {SHORTEST} are needed"
        return False, few
    return False, f"{Count(holes, of=len(shops)):shop lacks} too many days to be judged by day"


def _days_of(days: int, first: Any, last: Any) -> tuple[int, int]:
    """How many days are there, and how many from the first to the last; 0 where they are no days."""
    if isinstance(first, str):
        try:
            first, last = (dt.date.fromisoformat(end[:10]) for end in (first, last))
        except ValueError:
            return days, 0
    return days, (last - first).days if isinstance(first, dt.date) else 0


def judge_days(cast: Variables[PrecedenceOptions]) -> Evidence:
    """Arrow claims of one to five shops by day: the word from two weeks before, size and money over four weeks."""
    controls = [cast.column(role) for role in cast.options.controls if role in cast.roles]
    found = daily_response(
        cast.data,
        cast.column("x"),
        cast.column("y"),
        **cast.in_time,
        controls=[*controls, *cast.declared.controls],
        events=cast.declared.events,
        level=cast.level,
    )
    order = _declared_reliability(found.order, cast.options)
    points = open_points(cast, order, found.cautions)
    if "late-reactions" in {doubt.code for doubt in found.cautions}:
        points = (*points, "late-reactions")
    could = "; ".join(map(str, found.shown))
    doubts = [
        Doubt("what these days could show", could, found.shown[0].supported, code=SHOWN),
        Doubt("four weeks", f"an elasticity of {found.size.number()}", found.size.value, code="size"),
    ]
    return Evidence(
        order.forward,
        # a nil must also be one where viral posts, or bots, are capped
        ends=found.capped if 0.0 in order.forward.interval else (),
        order=order,
        size=found.size,
        capped=found.capped[0],
        told=f"over four weeks, {found.amount}",
        open_points=points,
        doubts=(*doubts, *(Doubt(name, one.amount) for name, one in found.shops.items()), *found.cautions),
        result=order,
    )


def order_of(cast: Variables[LongRunOptions], controls: Sequence[Any]) -> Precedence:
    """Both directions of a claim's pair; of one entity a lag less is tested, because one more always enters."""
    accounts = open_rows(cast.data, [], [cast.column("by")], None)
    alone = accounts.collect(nw.nth(0).n_unique().alias("n"))["n"][0] == 1
    # a claim that may be judged by day was; the others ask what only lags of single days answer
    with own_warnings():
        found = precedence(
            cast.data,
            cast.term("x"),
            cast.term("y"),
            **cast.in_time,
            lags=max(cast.options.lags - alone, 1),
            controls=controls,
            events=cast.events,
            level=cast.level,
        )
    return _declared_reliability(found, cast.options)


def _declared_reliability(found: Precedence, options: LongRunOptions) -> Precedence:
    told: Any = options.reliability
    if isinstance(told, float):
        told = Reliability(told, told, "declared", 1.0)
    return found if told is None else replace(found, reliability=told)


def held_fixed(cast: Variables[LongRunOptions]) -> tuple[list[Any], list[Doubt]]:
    """Controls that a table has and that vary; one that stands still explains nothing, and is said."""
    terms = {cast.column(role): cast.term(role) for role in cast.options.controls if role in cast.roles}
    terms |= {name: amount(name) for name in cast.declared.controls}
    if not terms or isinstance(cast.data, Moments):
        return list(terms.values()), []
    opened, every = open_rows(cast.data, list(terms), [], None), range(len(terms))
    low_ends, high_ends = (nw.nth(i).min().alias(f"low{i}") for i in every), (nw.nth(i).max() for i in every)
    found = opened.collect(*low_ends, *high_ends).row(0)
    doubts, kept = [], []
    for (name, made), low, high in zip(terms.items(), found, found[len(terms) :], strict=False):
        if low is None or low != low:  # noqa: PLR0124 - nan
            said = f"{name} has no number in any row, and is left out"
            doubts.append(Doubt("unknown control", said, raised=True, code="unknown-control"))
        elif low == high:
            said = f"{name} is the same in every row, so that it can explain no change"
            doubts.append(Doubt("constant control", said))
        else:
            kept.append(made)
    return kept, doubts


def open_points(
    cast: Variables[LongRunOptions], order: Precedence, doubts: Iterable[Doubt]
) -> tuple[str, ...]:
    """What lowers the certainty of an arrow: undeclared events and advertising, unknown reliability."""
    found, without = [], "unknown-control" in {doubt.code for doubt in doubts}
    if cast.declared.events is None and not cast.events:
        found.append("events-not-declared")
    if "spend" in cast.options.controls and ("spend" not in cast.roles or without):
        found.append("advertising-not-declared")
    if order.reliability is None or not order.reliability.known:
        found.append("reliability-unknown")
    return tuple(found)


def left_out_of(found: Precedence) -> list[Doubt]:
    """What zeros and gaps cost: rows left out, raised where more than a fifth of them is gone."""
    lost = sum(found.dropped.values())
    share = lost / max(lost + found.n_rows, 1)
    said = f"{100 * share:.0f} % of the rows; each zero and each gap takes its neighbours with it"
    return [
        replace(doubt, text=f"{doubt.text}: {said}", raised=True, code=COSTLY) if share > _COSTLY else doubt
        for doubt in left_out(found.dropped)
    ]


def judge_decay(cast: Variables[DecayOptions]) -> Evidence:
    """θ = 1 − β of reactions on followers, at both ends of the declared reliability of followers."""
    found = decay(
        cast.data,
        by=cast.roles.get("by"),
        followers=cast.column("followers"),
        reactions=cast.column("reactions"),
        spline=cast.options.spline,
        reliability=cast.options.reliability,
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
    said = (
        "independent reactions and followers would give r(log ER, log F) = "
        f"{plain(found.shared_denominator)} by arithmetic alone; β is free of that"
    )
    shared = Doubt("shared denominator", said, found.shared_denominator)
    choice, barrier = challenge_list(cast)
    chosen = _CHOSEN.get(cast.options.choice)
    if chosen is not None and not barrier:
        barrier = (
            f"{chosen}, and a choice by reactions alone makes a rate seem to fall: choice='all' or choice='followers' "
            "where that is how it was made"
        )
    return Evidence(
        ends[-1],
        open_points=() if chosen is None else ("choice-unknown",),
        barrier=barrier,
        ends=(*ends[:-1], *logged),
        clusters=found.exponent.n_accounts,
        doubts=(shared, choice, *left_out(found.dropped)),
        result=found,
    )


def judge_prediction(cast: Variables[PredictionOptions]) -> Evidence:
    """Whether x predicts y better out of sample than its rival, on top of the same baseline."""
    found = predictive_gain(
        cast.data,
        cast.term("y"),
        baseline=cast.terms(cast.options.baseline),
        add=cast.term("x"),
        versus=cast.term("rival"),
        **cast.in_time,
        level=cast.level,
    )
    return Evidence(
        found.gain,
        clusters=found.gain.n_accounts,
        barrier="; ".join(found.cautions),
        doubts=tuple(left_out(found.dropped)),
        result=found,
    )


def judge_long_run(cast: Variables[LongRunOptions]) -> Evidence:
    """Long-run multiplier of x on y: what one lasting step of x adds up to when y has settled.

    θ = Σβ_l / (1 − Σρ_l) from lags 1 … L of both with account and period effects; the interval by the delta method,
    a contrast with weights 1/(1 − Σρ) and Σβ/(1 − Σρ)². One entity has a trend and a season in place of the effects,
    and one more lag that is not summed. That it pays off says which way it runs: the lead and the
    reverse direction of the same lags stand beside it.
    """
    controls, still = held_fixed(cast)
    rows = open_panel(cast.data, [cast.term("x"), cast.term("y"), *controls, *cast.events], **cast.in_time)
    alone = rows.accounts == 1
    lags = max(cast.options.lags - alone, 1)
    x, y = ([rows.label(column, step) for step in range(1, lags + 1)] for column in (0, 1))
    combined, dropped, fit = _modelled(cast, rows, controls=range(2, 2 + len(controls)), lags=lags)
    name = f"long-run {rows.names[0]} on {rows.names[1]}"
    sums = combined({"x": dict.fromkeys(x, 1.0), "y": dict.fromkeys(y, 1.0)})
    short, memory = sums["x"].value, sums["y"].value
    if memory >= 1:
        raise DesignError(
            f"{rows.names[1]!r} has no long run: shocks do not fade",
            got=f"its lags sum to {plain(memory)}",
            allowed="less than 1",
            fix="use changes instead of levels",
        )
    weights = dict.fromkeys(x, 1 / (1 - memory)) | dict.fromkeys(y, short / (1 - memory) ** 2)
    slope = combined({name: weights})[name]
    long = short / (1 - memory)
    estimate = slope.transformed(name, shift=long - slope.value)
    summed = f"{plain(short)} over {Count(lags):period}; what comes later is not looked at"
    doubts = (
        Doubt("sum of the lags of x", summed, short),
        Doubt("memory of y", f"its lags sum to {plain(memory)}", memory, memory > 0.95),
        *left_out(dropped),
        *still,
    )
    order = order_of(cast, controls)
    return Evidence(
        estimate,
        order=order,
        open_points=open_points(cast, order, still),
        clusters=fit.n_accounts if fit is not None else 0,
        barrier="; ".join(order.cautions) if alone else "",
        doubts=doubts,
        result=fit,
    )


def _modelled(
    cast: Variables[LongRunOptions], rows: LaggedRows, *, controls: range, lags: int
) -> tuple[_Combining, Mapping[str, int], Fit | None]:
    """Account and period effects, clustered by account; one entity as in the order of the two, with one more lag."""
    alone = rows.accounts == 1
    held = event_lags(cast.events, controls.stop)
    pairs = [(column, step) for column in (0, 1) for step in range(1, lags + 1 + alone)]
    wanted = [(column, lag) for column in range(controls.stop) for lag in range(lags + 2)]
    if not alone:
        wanted = [*pairs, *((column, step) for column in controls for step in range(lags + 1)), (1, 0)]
    asked = LagSpecification(
        rows=rows, wanted=[*wanted, *held], held=held, controls=controls, lags=lags, level=cast.level
    )
    models = lag_models(asked)
    on = [*(rows.label(*pair) for pair in pairs), *models.also]
    if isinstance(models, EntityModels):
        return partial(models.combinations, rows.names[1], on), models.dropped, None
    fit = regress(models.moments, rows.label(1, 0), on=on, effects=_EFFECTS, level=cast.level)

    def contrasts(weights: Mapping[str, Mapping[str, float]]) -> dict[str, Estimate]:
        return {n: contrast(fit, dict(one), name=n, level=cast.level) for n, one in weights.items()}

    return contrasts, fit.dropped, fit


def panel_scores(cast: Variables[LongRunOptions], *, salt: str) -> Scores | None:
    """Scores and Hessians of a claim's regression over time, summed over strata of whole accounts.

    Period effects stay those of all accounts. None for few accounts, and where events are declared.
    """
    controls, _ = held_fixed(cast)
    columns = [cast.term("x"), cast.term("y"), *controls]
    panel = open_panel(cast.data, columns, **cast.in_time)
    pairs = [(column, lag) for column in range(len(columns)) for lag in range(cast.options.lags + 1)]
    if isinstance(cast.options, PrecedenceOptions):
        # the lead keeps the rows to those from which the order of the two is told
        moments = panel.moments([*pairs, (0, -1)])
    else:
        pairs.remove((0, 0))
        moments = panel.moments(pairs)
    if moments.accounts < _SEVERAL_STRATA or cast.events:
        return None
    outcome, *on = (panel.label(*pair) for pair in [(1, 0), *(pair for pair in pairs if pair != (1, 0))])
    model = scores_of(regress(moments, outcome, on=on, effects=_EFFECTS, cov="CRV1"))
    labels = strata(model.clusters, salt=salt)
    inside = (labels == np.unique(labels)[:, None]).astype(float)
    sums = inside @ model.scores, np.tensordot(inside, model.hessians, axes=1)
    return replace(model, scores=sums[0], hessians=sums[1], periods=None)


def list_scores(cast: Variables[DecayOptions], *, salt: str) -> Scores | None:
    """Scores and Hessians of PPML of reactions on followers, summed over strata of accounts; None for few accounts."""
    names = [cast.column("reactions"), cast.column("followers")]
    table = cast.data.dropna(subset=names)
    table = table[table[names[1]] > 0]
    if len(table) < _SEVERAL_STRATA or "by" in cast.roles:
        return None
    labelled = table.assign(stratum=strata(len(table), salt=salt))
    return scores_of(poisson(labelled, names[0], on=[log(names[1])], by="stratum", effects=(), cov="CRV1"))


def scores_of(fit: object) -> Scores:
    """Scores and Hessians that a fit was made from."""
    assert isinstance(fit, Fit)
    assert isinstance(fit.model, Fitted)
    return fit.model.model
