"""Sums of posts, followers, advertising and outcomes laid on the panel's calendar, with rates and lags."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from erresearch.engine.expressions import Clock
from erresearch.errors import ColumnError, GuardError
from erresearch.io import pl
from erresearch.panel.records import AGES, STATUS, Activity, Books, Request, count_of, denominator, numerator
from erresearch.schema.vocabulary import EXPOSURES, RowStatus

#: Platforms, accounts or kinds of post that may have columns of their own.
MOST_APART = 40
_KEYS = ("entity", "number")
Span = tuple[dt.date, dt.date]


def assemble(
    table: pl.DataFrame,
    activity: Activity,
    books: Books | None,
    spine: pl.DataFrame,
    request: Request,
    *,
    audience: pl.DataFrame | None,
    daily: pl.DataFrame | None,
    spend: tuple[pl.DataFrame, Span] | None,
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Lay sums, followers, spending and outcomes on the calendar and divide.

    Parameters
    ----------
    table : polars.DataFrame
        Posts summed by account and period.
    activity : Activity
        What was summed.
    books : Books or None
        Outcomes.
    spine : polars.DataFrame
        entity, number: the rows.
    request : Request
        What stands in columns of its own, and lags.
    audience, daily : polars.DataFrame or None
        Followers by entity and period; figures by day of whole accounts, summed to periods.
    spend : (polars.DataFrame, span) or None
        Advertising, and the days that it covers.

    Returns
    -------
    panel, definitions
    """
    good = table.filter(pl.col(STATUS) == RowStatus.USED)
    clock, rules = request.clock, request.rules
    panel, columns, definitions = _laid(good, activity, spine, audience)
    panel, said = _exposure(panel, good, request)
    columns += said
    definitions |= said
    if rules.apart:
        panel, apart, said = _apart(good, activity, panel, rules.apart)
        columns += apart
        definitions |= said
    if daily is not None:
        panel = panel.join(daily, on=_KEYS, how="left")
        columns += [name for name in daily.columns if name not in _KEYS]
    panel = _with_spend(panel, spend, clock)
    if rules.nothing_spent:
        panel = panel.with_columns(pl.lit(0.0).alias("spend"))
        definitions["spend"] = "0: it was said that nothing was spent; no file says so"
        request.notes.append("spend is 0 because it was said that nothing was spent; no file says so")
    columns += [n for n in ("spend",) if n in panel.columns]
    outcomes: list[str] = []
    if books is not None:
        panel, outcomes = _with_outcomes(panel, books, clock)
        if "revenue" in outcomes and not any(name == "revenue" for _, name in books.spans):
            definitions["revenue"] = next(n for n in ("revenue_net", "revenue_gross") if n in outcomes)
    panel, bought = _conversion(panel)
    lagged = [n for n in ("posts", "engagement", "spend", *outcomes) if n in panel.columns]
    panel, said = with_lags(panel, lagged, rules.lags, request.notes)
    columns += [*outcomes, *bought, *said]
    definitions |= bought | said
    panel = _dated(panel, clock)
    return panel.select(list(dict.fromkeys(["entity", "period", *columns]))).sort(
        "entity", "period"
    ), definitions


def _laid(
    good: pl.DataFrame, activity: Activity, spine: pl.DataFrame, audience: pl.DataFrame | None
) -> tuple[pl.DataFrame, list[str], dict[str, str]]:
    """Sums of posts on the calendar with their rates, the names of the columns, and what they mean."""
    counts = [count_of(name) for name in activity.summed]
    sums = good.group_by(_KEYS).agg(pl.col("posts", *activity.summed, *counts, *activity.parts).sum())
    panel = spine.join(sums, on=_KEYS, how="left").with_columns(pl.col("posts").fill_null(0).cast(pl.Int64))
    # nothing published is 0 reactions; published without a known count is missing
    panel = panel.with_columns(
        pl.when(pl.col("posts") == 0)
        .then(0.0)
        .when(pl.col(count_of(name)) > 0)
        .then(pl.col(name))
        .alias(name)
        for name in activity.summed
    )
    empty = [name for name in activity.summed if int(sums[count_of(name)].sum()) == 0]
    panel = panel.drop(empty)
    definitions = {}
    if AGES in activity.parts:
        mean = pl.when(pl.col(count_of(AGES)) > 0).then(pl.col(AGES) / pl.col(count_of(AGES)))
        panel = panel.with_columns(mean.alias("post_age_days"))
        definitions["post_age_days"] = (
            "mean age of the period's posts at the export, of posts of which its day is known"
        )
    if audience is not None:
        panel = panel.join(audience, on=_KEYS, how="left")
    made = _rates(panel.columns)
    panel = panel.with_columns(expression.alias(name) for name, expression, _ in made)
    columns = ["posts", *(n for n in activity.summed if n not in (*empty, *EXPOSURES))]
    columns += [n for n in (*EXPOSURES, "post_age_days", "followers") if n in panel.columns]
    if activity.engagement:
        definitions["engagement"] = activity.engagement
    definitions |= {name: words for name, _, words in made}
    return panel, columns + [name for name, *_ in made], definitions


def _rates(columns: Sequence[str]) -> list[tuple[str, Any, str]]:
    """Every rate that sums by period allow: name, expression of Polars, meaning."""
    out: list[tuple[str, Any, str]] = []
    for name in EXPOSURES:
        if numerator(name) in columns:
            below = pl.col(denominator(name))
            share = pl.when(below > 0).then(pl.col(numerator(name)) / below)
            word = f"sum of {name}"
            if name == "reach":
                word = "sum of reaches, which counts people more than once"
            words = f"engagement / {name} of the posts of the period ({word}); missing without posts"
            out.append((f"er_by_{name}", share, words))
    if {"engagement", "posts"} <= set(columns):
        mean = pl.when(pl.col("posts") > 0).then(pl.col("engagement") / pl.col("posts"))
        out.append(("engagement_per_post", mean, "engagement / posts; missing without posts"))
    if {"followers", "own engagement", "own posts"} <= set(columns):
        some = pl.when((pl.col("followers") > 0) & (pl.col("own posts") > 0))
        rate = pl.col("own engagement") / pl.col("followers")
        words = "engagement of the period / followers; without posts of other accounts; missing without posts"
        out.append(("er_by_followers", some.then(rate), words))
        words = "mean engagement of a post / followers; missing without posts"
        out.append(("er_by_followers_post", some.then(rate / pl.col("own posts")), words))
    return out


def _apart(
    good: pl.DataFrame, activity: Activity, panel: pl.DataFrame, apart: str
) -> tuple[pl.DataFrame, list[str], dict[str, str]]:
    """The figures of each platform, account or kind of post in columns of their own."""
    good = good.with_columns(_label(good, apart).alias("__label__"))
    labels = good["__label__"].unique().sort().to_list()
    if len(labels) > MOST_APART:
        raise GuardError(
            f"there are too many values of {apart!r} for columns of their own",
            got=f"{len(labels):,}",
            allowed=f"{MOST_APART} or fewer",
            fix="choose apart='platform', or keep the sums",
        )
    columns: list[str] = []
    definitions: dict[str, str] = {}
    for label in labels:
        mine = good.filter(pl.col("__label__") == label)
        laid, names, said = _laid(mine, activity, panel.select(_KEYS), None)
        words = {name: f"{name} ({label})" for name in names if name not in ("followers", "post_age_days")}
        panel = panel.join(laid.select(*_KEYS, *[pl.col(a).alias(b) for a, b in words.items()]), on=_KEYS)
        columns += words.values()
        definitions |= {
            words[name]: f"{text}; of {label} only" for name, text in said.items() if name in words
        }
    return panel, columns, definitions


def _label(good: pl.DataFrame, apart: str) -> Any:
    """What a column of its own is called by; an account's name alone where no two platforms share it."""
    if apart not in good.columns:
        raise ColumnError(
            f"the posts have no column {apart!r} to tell them apart by",
            allowed="platform, account or post_type",
            fix="leave apart= out",
        )
    text = pl.col(apart).cast(pl.String).fill_null(f"(no {apart})")
    if apart != "account":
        return text
    shared = good.select("platform", "account").unique()["account"].is_duplicated().any()
    return pl.concat_str([text, pl.lit(", "), pl.col("platform")]) if shared else text


def _exposure(
    panel: pl.DataFrame, good: pl.DataFrame, request: Request
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Impressions that become views midway: two figures, or one with a column that marks the change."""
    if not {count_of("impressions"), count_of("views")} <= set(good.columns):
        return panel, {}
    old, new = (pl.col(count_of(name)) > 0 for name in ("impressions", "views"))
    known = pl.col(count_of("impressions"), count_of("views")).sum()
    by_time = good.group_by("platform", "number").agg(known)
    ends = by_time.group_by("platform").agg(
        pl.col("number").filter(old & ~new).max().alias("last"),
        pl.col("number").filter(new & ~old).min().alias("first"),
    )
    changed = ends.filter(pl.col("last") < pl.col("first"))
    if not changed.height:
        return panel, {}
    number = int(changed["first"].min())  # type: ignore[arg-type]
    day = request.clock.start(number)
    text = f"the posts have impressions before {day} and views from then on, which are different figures"
    if not request.rules.allow_break:
        request.notes.append(
            f"{text}: they are not one column (allow_break=True makes one, with a mark of the change)"
        )
        return panel, {}
    later = pl.col("number") >= number
    panel = panel.with_columns(
        pl.when(later).then(pl.col("views")).otherwise(pl.col("impressions")).alias("exposure"),
        later.cast(pl.Int64).alias("exposure_break"),
    )
    request.notes.append(
        f"{text}: they are one column, exposure; exposure_break is to be a control beside it"
    )
    return panel, {
        "exposure": f"impressions before {day}, views from then on: two definitions in one column",
        "exposure_break": f"1 from {day} on, when the definition of exposure changes",
    }


def _with_spend(panel: pl.DataFrame, spend: tuple[pl.DataFrame, Span] | None, clock: Clock) -> pl.DataFrame:
    if spend is None:
        return panel
    table, span = spend
    low, high = clock.whole(span)
    panel = panel.join(table.select("entity", "number", "spend"), on=["entity", "number"], how="left")
    inside = pl.col("number").is_between(low, high)
    return panel.with_columns(pl.when(inside).then(pl.col("spend").fill_null(0.0)).alias("spend"))


def _with_outcomes(panel: pl.DataFrame, books: Books, clock: Clock) -> tuple[pl.DataFrame, list[str]]:
    """One column per outcome; missing outside its dates, 0 where single sales were none."""
    ends = [(*of, *clock.whole(span)) for of, span in books.spans.items()]
    spans = pl.DataFrame(ends, schema=["entity", "outcome", "low", "high"], orient="row")
    due = panel.select(_KEYS).join(spans, on="entity").filter(pl.col("number").is_between("low", "high"))
    known = due.join(books.table, on=[*_KEYS, "outcome"], how="left")
    shown = []
    for name in sorted(books.table["outcome"].unique()):
        shown.append(f"{name} (outcome)" if name in panel.columns else name)
        value = pl.col("value").fill_null(0.0) if name in books.zero else pl.col("value")
        one = known.filter(pl.col("outcome") == name).select(*_KEYS, value.alias(shown[-1]))
        panel = panel.join(one, on=_KEYS, how="left")
    if "revenue" not in shown:
        for name in ("revenue_net", "revenue_gross"):
            if name in shown:
                panel = panel.with_columns(pl.col(name).alias("revenue"))
                shown.append("revenue")
                break
    return panel, ["revenue", *(n for n in shown if n != "revenue")] if "revenue" in shown else shown


def _conversion(panel: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Conversions (orders, where there are none) per visit."""
    above = next((name for name in ("conversions", "orders") if name in panel.columns), None)
    if above is None or "sessions" not in panel.columns or "conversion_rate" in panel.columns:
        return panel, {}
    rate = pl.when(pl.col("sessions") > 0).then(pl.col(above) / pl.col("sessions"))
    return panel.with_columns(rate.alias("conversion_rate")), {"conversion_rate": f"{above} / sessions"}


def _dated(panel: pl.DataFrame, clock: Clock) -> pl.DataFrame:
    starts = {n: clock.start(n) for n in panel["number"].unique().to_list()}
    first = pl.col("number").replace_strict(starts, return_dtype=pl.Date)
    return panel.with_columns(first.cast(pl.Datetime("us")).alias("period"))


def with_lags(
    panel: pl.DataFrame, names: Sequence[str], lags: int, notes: list[str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Add the values of `lags` earlier periods as columns.

    Parameters
    ----------
    panel : polars.DataFrame
        entity, number of the period, figures; one row per entity and period.
    names : sequence of str
        Figures.
    lags : int
        How many.
    notes : list of str
        Takes how many periods have no earlier one, and why.

    Returns
    -------
    panel, definitions
        With ``lag1 <figure>``, ``lag2 <figure>`` …; missing where that period is not in the panel.

    Examples
    --------
    >>> import polars as pl
    >>> notes = []
    >>> shop = pl.DataFrame({"entity": "a", "number": [1, 2, 4], "sales": [5.0, 6.0, 7.0]})
    >>> with_lags(shop, ["sales"], 1, notes)[0]["lag1 sales"].to_list()
    [None, 5.0, None]
    >>> notes
    ['1 periods follow a gap, so that their lag 1 is missing']
    """
    keys = ["entity", "number"]
    definitions: dict[str, str] = {}
    for n in range(1, lags + 1):
        made = {name: f"lag{n} {name}" for name in names}
        earlier = panel.select("entity", pl.col("number") + n, *[pl.col(k).alias(v) for k, v in made.items()])
        there = earlier.select(*keys, pl.lit(value=True).alias("__there__"))
        panel = panel.join(earlier, on=keys, how="left").join(there, on=keys, how="left")
        begun = pl.col("number") - pl.col("number").min().over("entity") >= n
        holes = panel.filter(begun & pl.col("__there__").is_null()).height
        if holes:
            notes.append(f"{holes:,} periods follow a gap, so that their lag {n} is missing")
        panel = panel.drop("__there__")
        words = "one period" if n == 1 else f"{n} periods"
        definitions |= {
            v: f"{k} of the same entity {words} earlier; missing after a gap" for k, v in made.items()
        }
    return panel, definitions
