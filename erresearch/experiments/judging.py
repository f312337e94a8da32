"""Judges an experiment by drawing its lot again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from erresearch.claims.decision_rule import settled
from erresearch.claims.registry import grade
from erresearch.claims.sharing import Finding
from erresearch.errors import Count, DataError, DesignError
from erresearch.experiments.designs import LOOK, Array, PausePlan, Plans, listed
from erresearch.experiments.history import (
    DAYS,
    Flags,
    Series,
    Shops,
    box,
    day_of,
    fit_history,
    logged,
    missed_periods,
    pair_model,
    read_series,
)
from erresearch.experiments.randomisation import (
    PlanSums,
    Redrawn,
    Window,
    draw_again,
    exposure,
    first_plan,
    pvalue_beyond,
    ratio_set,
    redraws,
    units,
    windowed,
)
from erresearch.results import (
    Certainty,
    Doubt,
    Estimate,
    Interval,
    Printed,
    StudentT,
    Verdict,
    Word,
    plain,
    rounded,
)

LEVEL = 0.95
#: Share by which an outcome of the past may move and still be the same: late refunds move it more.
SAME = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Judgement(Printed):
    """What an experiment found.

    Parameters
    ----------
    plan : PausePlan
        What was judged.
    word : Word
        Of the claim that posting brings revenue.
    effect : Estimate
        Posting throughout against not at all, as a difference of logarithms: intention to treat.
    pvalue : float
        Of no effect at any lag: exact, by drawing again.
    per_engagement : Estimate or None
        Outcome for one more reaction, with the plan as instrument; None where engagement is not known.
    certainty : Certainty
        It starts high, and each raised doubt takes a point.
    doubts : tuple of Doubt
        What was counted and what lowers the certainty (``raised``).
    early : bool
        Whether this was the look halfway.

    See Also
    --------
    judge_experiment : Makes one.
    """

    plan: PausePlan
    word: Word
    effect: Estimate
    pvalue: float
    per_engagement: Estimate | None
    certainty: Certainty
    doubts: tuple[Doubt, ...]
    early: bool = False

    @property
    def money(self) -> Interval:
        """The effect of posting in the outcome's unit by week: its interval."""
        ends = self.effect.interval
        return Interval(self.plan.money(ends.low), self.plan.money(ends.high), ends.level)

    @property
    def verdict(self) -> Verdict:
        """The same as a verdict of the board."""
        _, why = settled(self.effect.interval, self.plan.delta)
        return Verdict(
            self.plan.claim or "posting brings revenue",
            self.plan.name,
            self.word,
            estimate=self.effect,
            interval=self.effect.interval,
            sesoi=self.plan.delta,
            reason=f"{why}; p = {plain(self.pvalue)} by drawing again",
            reason_code=why.code,
            certainty=self.certainty,
            doubts=self.doubts,
            result=self,
        )

    @property
    def finding(self) -> Finding:
        """The effect as others may put it together with theirs; its standard error is that of the interval.

        Raises
        ------
        DataError
            If the interval has an open end.
        """
        ends = self.effect.interval
        if not ends.bounded or self.early:
            raise DataError(
                "an effect without a bound, or of an early look, is not put together with others",
                got=str(ends),
                fix="judge the plan after its end; a longer plan bounds the effect",
            )
        se = (ends.high - ends.low) / (2 * StudentT(0.0, 1.0, math.inf).critical(LEVEL))
        return Finding(
            name=self.plan.name,
            estimate=replace(self.effect, se=se).about(StudentT(self.effect.value, se, math.inf)),
            outcome=self.plan.outcome,
            period="day" if self.plan.design.every == "D" else "week",
            unit="difference of logarithms, posting against not",
        )

    def __str__(self) -> str:
        """Word and certainty, money, what was assumed, and what is doubted."""
        said = len(self.parts) - len(self.doubts)
        return "\n".join(
            text if at < said else f"{name}: {text}" for at, (name, text) in enumerate(self.parts)
        )

    def _repr_markdown_(self) -> str:
        return listed(self.parts)

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """What it says, each sentence with the name of what it is about."""
        half = (self.money.high - self.money.low) / 2
        low, high = (rounded(end, like=half) for end in (self.money.low, self.money.high))
        usual = self.plan.told(self.plan.money(self.effect.value), like=half)
        word = f"Posting causes more {self.plan.outcome}: {self.word}, certainty {self.certainty.level}."
        parts = [
            ("", word),
            (
                "In money",
                f"Posting as usual brought {usual} {self.plan.each_week} [{low}, {high}]; "
                f"p = {plain(self.pvalue, '.3f')}.",
            ),
        ]
        one = self.per_engagement
        if one is not None and math.isinf(one.interval.low) and math.isinf(one.interval.high):
            untold = "What one more reaction brings cannot be told: the pauses moved reactions too little."
            parts.append(("A reaction", untold))
        elif one is not None:
            each = f"For one more reaction: {one.number()}, only if posting works through"
            parts.append(("A reaction", f"{each} engagement alone; what was drawn at random is posting."))
        return (*parts, *((doubt.name, doubt.text) for doubt in self.doubts))


def judge_experiment(
    panel: Any,
    plan: PausePlan,
    *,
    hash: str | None = None,
    looking_early: bool = False,
    ended: str | None = None,
) -> Judgement:
    """Judge what came of a plan.

    The coefficient of the plan's exposure (its mean over the declared lags) on the logarithm of the outcome is estimated
    by least squares beside trend, waves of the year and weekdays, filtered by the memory that the history had. The
    p-value is the share of plans that chance could have drawn whose studentised coefficient is at least as large. It is
    exact for "no effect at any lag", whatever the noise; the interval holds the effects that the same test does
    not reject, if the declared lags are right.

    Parameters
    ----------
    panel : Panel or frame
        Rows of the plan's periods and of the follow-up; earlier ones are compared with the plan's history.
    plan : PausePlan
        As written before the start.
    hash : str, optional
        What was deposited; where it is not given or differs, the judgement says that registration is unproven.
    looking_early : bool
        The one look that is allowed before the end, once half of the plan is over. It decides only where p ≤ .001.
    ended : str, optional
        First day that no longer belongs to the plan, where the plan was given up for a reason that has nothing to do
        with the outcome since the start. At least half of it must have run.

    Returns
    -------
    Judgement

    Raises
    ------
    DesignError
        If the plan is not over and no early look is asked for, due or of use; if it was given up too soon.
    DataError
        If the rows are of another shop, have other periods or lack too many outcomes.

    See Also
    --------
    erresearch.experiments.plan_experiment : Makes the plan.

    Notes
    -----
    Periods count as assigned, whatever was done in them (intention to treat). Per unit of engagement the set is that of
    Anderson and Rubin (1949), drawn again, so that it stays right where pauses move engagement little. Rosenbaum
    (2002) *Observational Studies*, 2nd ed., ch. 2; Edgington and Onghena (2007) *Randomization Tests*, 4th ed.

    Examples
    --------
    >>> from erresearch.experiments import plan_experiment
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> weeks = pd.date_range("2024-01-01", periods=104, freq="7D")
    >>> past = pd.DataFrame({"period": weeks, "revenue": 1000 * np.exp(0.1 * rng.standard_normal(104))})
    >>> plan = plan_experiment(past, weeks=24, block=1, lags=(1, 1), delta=0.1)
    >>> posted = plan.schedule.posting[0]
    >>> after = pd.DataFrame({"period": plan.start + 7 * np.arange(25), "posts": [*posted * 3, 3]})
    >>> felt = np.r_[1, posted]  # posts of a week bring half as much again in the next
    >>> after["revenue"] = 1000 * (1 + 0.5 * felt) * np.exp(0.1 * rng.standard_normal(25))
    >>> judgement = judge_experiment(after, plan)
    >>> judgement.word
    'supported'
    """
    _check_units(panel, plan)
    rows = read_series(panel, outcome=plan.outcome)
    shops = _same_shops(plan, rows)
    periods = _periods(plan, shops, looking_early, ended)
    joined = tuple(_joined(then, now, plan) for then, now in zip(plan.history, shops, strict=True))
    drawn = first_plan(plan.design, plan.history)
    edited = int((drawn.reshape(plan.schedule.posting.shape) != plan.schedule.posting).sum())
    posting = plan.schedule.posting.reshape(drawn.shape)
    again, complete = redraws(plan.design, len(drawn), plan.seed)
    z = exposure(np.concatenate([posting[None], again]), plan.design.lags)[..., :periods]
    known = all(shop.engagement is not None for shop in joined)
    joined = joined if known else tuple(replace(shop, engagement=None) for shop in joined)
    members = units(plan.design, plan.history)
    laid = [_window(plan, each, joined, periods) for each in members]
    windows, lost = tuple(window for window, _ in laid), sum(count for _, count in laid)
    try:
        sums = draw_again(windows, z, complete)
    except DesignError as error:
        if not edited:
            raise
        raise DataError(
            "the schedule was edited, and no pause that could be compared is left in it",
            got=f"{Count(edited):period differs} from what was drawn", fix="take schedule.csv as it was written",
        ) from error  # fmt: skip
    reference = Redrawn.of(sums)
    used = sum(int(window.keep.sum()) for window in windows)
    level, method = 1 - LOOK if looking_early else LEVEL, "least squares, lot drawn again"
    around = StudentT(reference.value, reference.se, math.inf)
    effect = around.estimate(f"posting on log {plan.outcome}", level, n_rows=used, method=method).about(
        reference
    )
    doubts = [registration(plan.digest, plan.wagered, hash, expected=plan.expected)]
    if edited:
        doubts.append(_doubt("schedule-edited", edited, value=edited, raised=True))
    doubts += _cautions(plan, shops, joined, lost, periods)
    if others := len(rows) - len(shops):
        doubts.append(_doubt("other-shops", others, value=others))
    if ended is not None:
        doubts.append(_doubt("ended-early", ended, plan.outcome, raised=True))
    if plan.design.kind == "time" and not looking_early:
        doubts.append(_later(plan, windows, posting))
    word, _ = settled(effect.interval, plan.delta)
    return Judgement(
        plan=plan,
        word="inconclusive" if looking_early and word == "practically nil" else word,
        effect=effect,
        pvalue=reference.pvalue(0.0),
        per_engagement=_per_engagement(plan, joined, sums, used) if known else None,
        certainty=grade("randomised", [doubt.code for doubt in doubts if doubt.raised]),
        doubts=tuple(doubts),
        early=looking_early,
    )


def _check_units(panel: Any, plan: PausePlan) -> None:
    for name, planned, counted, option in (
        ("tz", plan.zone, "count their days in another zone", "--tz"),
        ("currency", plan.currency, "hold amounts in another currency", "--currency"),
    ):
        if (own := getattr(panel, name, "")) and planned and own != planned:
            raise DataError(
                f"the rows {counted} than the plan", got=own, allowed=planned,
                fix=f"build the panel with {name}={planned!r}, or leave {option} out",
            )  # fmt: skip


def _same_shops(plan: PausePlan, found: Shops) -> Shops:
    by_name = {shop.entity: shop for shop in found}
    wanted = [shop.entity for shop in plan.history]
    if len(found) == len(wanted) == 1 and "" in (wanted[0], found[0].entity):
        by_name = {wanted[0]: found[0]}
    if lacking := [name for name in wanted if name not in by_name]:
        raise DataError(
            "the rows are not of the shops of this plan",
            got=f"{Count(len(lacking), of=len(wanted)):shop is} not there",
            fix="give the panel of the shops that the plan was made for",
        )
    return tuple(by_name[name] for name in wanted)


def _periods(plan: PausePlan, shops: Shops, early: bool, ended: str | None) -> int:
    """Periods from the plan's start that are there and due."""
    every, step = plan.design.every, DAYS[plan.design.every]
    for shop in shops:
        if shop.every != every:
            raise DataError(
                "the panel has other periods than the plan",
                got=f"{shop.every}, not {every}",
                fix=f"build it with freq='{every}'",
            )
        if (shop.dates[0] - plan.start).astype(int) % step:
            raise DataError(
                "the panel's periods begin on other days than the plan's",
                got=f"{shop.dates[0]} and {plan.start}",
                fix="build the panel with the time zone and week_start that the plan was made with",
            )
    ends = sorted(int((shop.dates[-1] - plan.start).astype(int)) // step + 1 for shop in shops)
    there = ends[0]
    whole = plan.design.length + plan.design.follow_up
    run = whole if ended is None else int((day_of(ended, "ended") - plan.start).astype(int) // step)
    if 2 * run < plan.design.length:
        raise DesignError(
            "the plan was given up before half of it had run, and tells nothing",
            got=f"{Count(max(run, 0), of=plan.design.length):period} before {ended}",
            fix="make a new plan, and let at least half of it run",
        )
    there = min(there, run)
    if early and there >= whole:
        raise DesignError(
            "the plan is over, and an early look would decide less than its judgement",
            fix="judge it without looking_early (--early)",
        )
    reached = plan.design.reachable(there, len(units(plan.design, plan.history)))
    if early and 2 * there >= plan.design.length and reached > LOOK:
        raise DesignError(
            "an early look at this plan can decide nothing: too few pauses were drawn so far",
            got=f"a p-value of {plain(reached, '.2g')} at the least",
            allowed=f"{LOOK:g} or less",
            fix=f"wait for the rows until {plan.end - np.timedelta64(1, 'D')}, and judge without looking early",
        )
    if there >= whole or ((early or ended is not None) and 2 * there >= plan.design.length):
        return there
    if ends[-1] >= whole:
        first = plan.start + np.timedelta64(there * step, "D")
        raise DataError(
            "the rows of some shops end before the plan does",
            got=f"{Count(sum(end < whole for end in ends), of=len(ends)):shop}, one on {first - np.timedelta64(1, 'D')}",
            allowed=f"rows until {plan.end - np.timedelta64(1, 'D')}",
            fix="add their rows; where one closed for a reason other than revenue, give the plan up on that day: "
            f"ended='{first}' (--ended {first})",
        )
    raise DesignError(
        "the plan is not over, and looking before its end spoils it",
        got=f"{Count(max(there, 0), of=whole):period}",
        allowed=f"rows until {plan.end - np.timedelta64(1, 'D')}"
        + ("" if early else ", or one early look from half of the plan on"),
        fix="wait" if early else "wait, or look once (looking_early=True, --early) when half of it is over",
    )


def _joined(then: Series, now: Series, plan: PausePlan) -> Series:
    """History as it was planned from, then the rows of the plan."""
    dates = np.arange(then.dates[0], plan.end, np.timedelta64(DAYS[plan.design.every], "D"))
    laid: dict[str, Any] = {name: now.on(dates, name) for name in ("outcome", "engagement", "posts")}
    # a history that was edited may reach into the plan, of which the rows are believed
    before = then.dates < plan.start
    laid["outcome"][: before.sum()] = then.outcome[before]
    if then.engagement is not None:
        laid["engagement"][: before.sum()] = then.engagement[before]
    laid |= {name: None for name in laid if getattr(now, name) is None or np.isnan(laid[name]).all()}
    return replace(then, dates=dates, **laid)


def _window(plan: PausePlan, members: tuple[int, ...], joined: Shops, periods: int) -> tuple[Window, int]:
    """What the calendar leaves of a unit, and how many of the plan's outcomes are missing."""
    shops = [joined[at] for at in members]
    past = [plan.history[at] for at in members]
    models = [fit_history(shop) for shop in past]
    first = max(shop.dates[0] for shop in shops)
    parts = [
        _columns(shop, model.floor, plan)[shop.dates >= first]
        for shop, model in zip(shops, models, strict=True)
    ]
    rows, model = parts[0], models[0]
    if len(parts) > 1:
        rows, model = parts[0] - parts[1], pair_model(*past)
    dates = shops[0].dates[shops[0].dates >= first]
    history = int((dates < plan.start).sum())
    # weeks between the history and the start have no outcome here and do not count
    rows, dates = rows[: history + periods], dates[: history + periods]
    lost = int(np.isnan(rows[history:]).any(axis=1).sum())
    if lost > 0.2 * periods:
        raise DataError(
            f"`{plan.outcome}` is missing in too many of the plan's periods",
            got=f"{lost} of {periods}",
            allowed="one in five",
            fix="add the missing rows",
        )
    return windowed(rows, dates, plan.design, model, history=history), lost


def _columns(shop: Series, floor: float, plan: PausePlan) -> Array:
    y = logged(shop.outcome, floor)
    if shop.engagement is None:
        return y[:, None]
    usual = _usual(shop.engagement, shop.dates < plan.start)
    felt = box(np.where(np.isnan(shop.engagement), usual, shop.engagement), plan.design.lags)
    return np.column_stack([y, felt / usual])


def _usual(engagement: Array, before: Flags) -> float:
    """Mean engagement of a period before the plan; over all periods where it was not known then."""
    known = engagement[before] if np.nansum(engagement[before]) > 0 else engagement
    return max(float(np.nanmean(known)), 1e-9)


def _per_engagement(plan: PausePlan, joined: Shops, sums: PlanSums, n: int) -> Estimate | None:
    value, hull = ratio_set(sums, LEVEL)
    if not math.isfinite(value):
        return None
    # the outcome of a period by its reactions: from logarithms and shares to the outcome's unit
    factor = float(np.mean([fit_history(shop).usual for shop in plan.history]))
    reactions = [(shop.engagement, shop.dates < plan.start) for shop in joined]
    factor /= float(np.mean([_usual(each, before) for each, before in reactions if each is not None]))
    first_stage = max(abs(sums.outcome[0, 1]) / math.sqrt(sums.size[0]), 1e-12)
    return Estimate(
        f"{plan.outcome} for one more reaction",
        value=factor * value,
        se=factor / first_stage,
        df=math.inf,
        interval=Interval(factor * min(hull.low, value), factor * max(hull.high, value), LEVEL),
        n_rows=n,
        n_accounts=0,
        unit=plan.currency,
        method="plan as instrument, set of Anderson and Rubin, lot drawn again",
    )


#: What may stand beside a judgement, by its code: a name, and a sentence with facts in braces.
_SAID: Final = {
    "registration-unproven": ("registration", "unproven: {}"),
    "registration-proven": ("registration", "proven by the hash of {}; expected were {}"),
    "schedule-edited": ("schedule", "{} periods differ from what was drawn: the schedule was edited"),
    "other-shops": ("shops", "{} in the rows that are not of this plan, left out"),
    "missing": ("outcome", "missing in {} of the plan's periods, which do not count"),
    "at-floor": ("outcome", "next to none in {} of the plan's periods, which count as a small amount"),
    "changed": (
        "history",
        "{} of {} periods have changed since: late refunds, another file or another zone?",
    ),
    "history-unseen": ("history", "none of it is in these rows: are they of the same shop, clock and unit?"),
    "compliance": (
        "compliance",
        "posts and pauses were not as planned in {} of {} periods; they count as assigned",
    ),
    "compliance-unknown": (
        "compliance",
        "the rows do not tell what was posted, so nobody knows whether the pauses were kept",
    ),
    "ended-early": ("end", "given up on {}: right only if the reason had nothing to do with {}"),
    "carry-over": ("carry-over", "beyond the declared lags {} to {}: p {}"),
    "level": ("level", "{} in a usual period of the plan, {} in one of the history: the same unit?"),
}


def _doubt(code: str, *facts: object, value: float = math.nan, raised: bool = False) -> Doubt:
    name, text = _SAID[code]
    shown = (f"{fact:,}" if isinstance(fact, int) else fact for fact in facts)
    return Doubt(name, text.format(*shown), value=value, raised=raised, code=code)


def registration(digest: str, wagered: str, deposited: str | None, *, expected: str) -> Doubt:
    """Whether a deposited hash proves that a plan with a wager is older than its results.

    Examples
    --------
    >>> str(registration("ab", "2026-01-31", "AB ", expected="5 %"))
    'registration: proven by the hash of 2026-01-31; expected were 5 %'
    """
    if deposited is not None and str(deposited).strip().lower() == digest and wagered:
        return _doubt("registration-proven", wagered, expected)
    differs = "it differs from this plan's"
    why = differs if deposited and wagered else "no deposited hash of a wager was given"
    return _doubt("registration-unproven", why, raised=True)


def _cautions(plan: PausePlan, shops: Shops, joined: Shops, lost: int, periods: int) -> list[Doubt]:
    counts = {"missing": lost, "at-floor": _next_to_none(plan, joined)}
    found = [_doubt(code, count, value=count) for code, count in counts.items() if count]
    changed = compared = 0
    for then, now in zip(plan.history, shops, strict=True):
        moved = np.abs(now.on(then.dates, "outcome") - then.outcome)
        compared += int(np.isfinite(moved).sum())
        changed += int((moved > SAME * np.abs(then.outcome) + 1e-9).sum())
    if compared and changed > 0.5 * compared:
        raise DataError(
            "the history in these rows is not the one that the plan was made from",
            got=f"{Count(changed, of=compared):period differs}",
            fix="give the panel of the shop that the plan was made for, in its zone and currency",
        )
    if changed:
        found.append(_doubt("changed", changed, compared, value=changed, raised=changed > 0.2 * compared))
    if not compared:
        found.append(_doubt("history-unseen"))
    for then, now in zip(plan.history, joined, strict=True):
        levels = [float(np.nanmedian(x)) for x in (now.outcome[now.dates >= plan.start], then.outcome)]
        ratio = levels[0] / max(levels[1], 1e-300)
        if not 0.1 < ratio < 10:
            shown = (plain(level, ",.0f" if level >= 100 else ".3g") for level in levels)
            found.append(_doubt("level", *shown, value=ratio))
    missed, known = _missed(plan, joined, periods)
    if known:
        share = missed / known
        found.append(_doubt("compliance", round(missed), known, value=share, raised=share > 0.2))
    else:
        found.append(_doubt("compliance-unknown"))
    return found


def _next_to_none(plan: PausePlan, joined: Shops) -> int:
    """Periods of the plan whose outcome is raised to the floor; refused where that is most of those with posts."""
    low = posted = low_posted = 0
    for then, now, posting in zip(plan.history, joined, plan.schedule.posting, strict=True):
        outcome = now.outcome[now.dates >= plan.start][: plan.design.length]
        below = outcome < fit_history(then).floor
        low, posted = low + int(below.sum()), posted + int(posting.sum())
        low_posted += int((below & posting[: len(below)]).sum())
    if 2 * low_posted > posted:
        raise DataError(
            f"`{plan.outcome}` is next to nothing in most periods with posts",
            got=f"{low_posted} of {posted}",
            fix="correct the rows; where the shop was closed, there is nothing to judge",
        )
    return low


def _missed(plan: PausePlan, joined: Shops, periods: int) -> tuple[float, int]:
    """Periods that were not as planned, and those of which the posts are known."""
    missed, known = 0.0, 0
    for then, now, posting in zip(plan.history, joined, plan.schedule.posting, strict=True):
        if now.posts is None:
            continue
        posts = now.posts[now.dates >= plan.start][: len(posting)]
        posts[periods:] = np.nan
        before = posts[posting] if then.posts is None else then.posts
        missed += missed_periods(posts, posting, before, plan.design.block)
        known += int(np.isfinite(posts).sum())
    return missed, known


def _later(plan: PausePlan, windows: tuple[Window, ...], posting: Plans) -> Doubt:
    """Whether posting works beyond the declared lags."""
    p = pvalue_beyond(windows, posting, plan.design.lags)
    said = f"= {plain(p, '.2f')}" if p >= 0.005 else "below 0.005"
    return _doubt("carry-over", *plan.design.lags, said, value=p, raised=p <= 0.01)
