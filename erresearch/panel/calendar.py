"""The panel's calendar: the whole periods that posts and outcomes share, and what is laid on them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from erresearch.engine.expressions import Clock
from erresearch.errors import ColumnError, Count, DataError, GuardError
from erresearch.exports.log import Export
from erresearch.io import pl
from erresearch.panel.records import (
    AGES,
    STATUS,
    Activity,
    Books,
    Request,
    RowAccounting,
    count_of,
    denominator,
    numerator,
    shown,
)
from erresearch.schema.vocabulary import EXPOSURES, PERIODS, RowStatus

#: Platforms, accounts or kinds of post that may have columns of their own.
MOST_APART = 40
_KEYS = ("entity", "number")
#: Days that posts and outcomes must share.
SHORTEST_DAYS = 56
Span = tuple[dt.date, dt.date]
_UNEVEN = dt.timedelta(days=28)

_MISSED = 10


def lay_out(
    table: pl.DataFrame,
    books: Books | None,
    request: Request,
    *,
    last: dt.date | None,
    parts: Sequence[Export],
    unsold: Mapping[str, set[int]],
) -> tuple[pl.DataFrame, RowAccounting]:
    """Find the whole periods that the posts of every platform and the outcomes share, and count the others by reason.

    Between the dates of the exports of posts (`parts`) nothing is known, nor in the periods that are `unsold`; `last`
    is the last day of which all posts are old enough. Fewer than 8 shared weeks are refused, and no whole period.
    """
    clock, spans = request.clock, _post_spans(table, last)
    holes, sold = _holes(parts, clock), None if books is None else _sold(books)
    too_young = table.filter(pl.col(STATUS) == RowStatus.YOUNG)
    early = dict(too_young.group_by("entity").agg(pl.col("number").unique()).iter_rows())
    rows: list[tuple[str, int]] = []
    left: Counter[str] = Counter()
    short: list[tuple[str, int]] = []
    for entity, platforms in sorted(spans.items()):
        if sold is not None and entity not in sold:
            continue
        every = [*platforms.values(), *([sold[entity]] if sold is not None else [])]
        shared = (max(a for a, _ in every), min(b for _, b in every))
        days = (shared[1] - shared[0]).days + 1
        if days < (1 if sold is None else SHORTEST_DAYS):
            short.append((entity, days))
            continue
        begin, end = clock.number(min(a for a, _ in every)), clock.number(max(b for _, b in every))
        low, high = clock.whole(shared)
        gaps = {n for name in platforms for n in holes.get(name, ())} | unsold.get(entity, set())
        gaps = {n for n in gaps if low <= n <= high}
        young = {n for n in early.get(entity, ()) if low <= n <= high} - gaps
        rows += [(entity, n) for n in range(low, high + 1) if n not in gaps | young]
        whole = max(0, high - low + 1)
        part = sum(clock.number(d) != n for d, n in zip(shared, (low, high), strict=True)) if whole else 0
        counts = {
            "partial at either end": part,
            "outside the dates that the tables share": end - begin + 1 - whole - part,
            "between two files": len(gaps),
            "with posts that were too young": len(young),
        }
        left.update(counts)
    if not rows:
        raise _nothing_shared(short, spans, sold, clock)
    spine = pl.DataFrame(rows, schema={"entity": pl.String, "number": pl.Int64}, orient="row")
    told = [*_calendar_notes(short, spans, sold, holes, unsold), *_uneven(table), *_silent(table)]
    request.notes.extend(told)
    return spine, RowAccounting(len(rows) + left.total(), len(rows), left)


def _post_spans(table: pl.DataFrame, last: dt.date | None) -> dict[str, dict[str, Span]]:
    """First and last day of each entity's posts, by platform."""
    own = table.filter(pl.col("posts") > pl.col("others"))
    ends = own.group_by("entity", "platform").agg(pl.col("first").min(), pl.col("last").max())
    out: dict[str, dict[str, Span]] = {}
    for entity, platform, first, end in ends.sort("entity", "platform").iter_rows():
        until = end.date() if last is None else min(last, end.date())
        out.setdefault(entity, {})[platform] = (first.date(), until)
    return out


def _silent(table: pl.DataFrame) -> list[str]:
    """Say where a platform has no post for four weeks in which the usual rate would have made ten or more."""
    keys = ["entity", "platform"]
    own = table.group_by(*keys, "number").agg(
        pl.col("posts").sum(), pl.col("first").min(), pl.col("last").max()
    )
    until = pl.col("first").dt.date().shift(-1) - pl.col("last").dt.date()
    own = own.sort(*keys, "number").with_columns(until.dt.total_days().over(keys).alias("gap"))
    pauses = own.group_by(keys).agg(
        pl.col("gap").max(),
        pl.col("last").filter(pl.col("gap") == pl.col("gap").max()).max().dt.date().alias("after"),
        ((pl.col("last").max() - pl.col("first").min()).dt.total_days() + 1).alias("days"),
        pl.col("posts").sum(),
    )
    missed = pl.col("gap") * pl.col("posts") >= _MISSED * (pl.col("days") - pl.col("gap"))
    found = pauses.filter((pl.col("gap") > _UNEVEN.days) & missed).sort("gap", *keys)
    if not found.height:
        return []
    entity, platform, gap, after, *_ = found.row(-1)
    first, last = (after + dt.timedelta(days=n) for n in (1, gap - 1))
    more = f" (and {found.height - 1} more like it)" if found.height > 1 else ""
    return [
        f"no post of {entity} on {platform or 'its platform'} from {first} to {last}{more}: counted as a pause; if the "
        "export lacks them, leave these days out"
    ]


def _uneven(table: pl.DataFrame) -> list[str]:
    """Say where accounts that are added up do not publish over the same time: silence may be a missing file."""
    own = table.filter(pl.col("posts") > pl.col("others"))
    ends = own.group_by("entity", "platform", "account").agg(pl.col("first").min(), pl.col("last").max())
    spans: dict[tuple[str, str], list[tuple[dt.date, dt.date, str]]] = {}
    for entity, platform, account, first, last in ends.iter_rows():
        spans.setdefault((entity, platform), []).append((first.date(), last.date(), account))
    notes = []
    for (_, platform), several in spans.items():
        firsts, lasts = [first for first, *_ in several], [last for _, last, _ in several]
        if max(max(firsts) - min(firsts), max(lasts) - min(lasts)) <= _UNEVEN:
            continue
        named = shown([f"{who} {first} to {last}" for first, last, who in sorted(several)], 4)
        notes.append(
            f"the accounts of {platform or 'the posts'} that are added up do not cover the same time ({named}): outside "
            "its own dates an account counts as silent"
        )
    return sorted(notes)


def _sold(books: Books) -> dict[str, Span]:
    """Days that any outcome of each entity covers."""
    out: dict[str, Span] = {}
    for (entity, _), span in books.spans.items():
        before = out.get(entity, span)
        out[entity] = (min(before[0], span[0]), max(before[1], span[1]))
    return out


def _holes(parts: Sequence[Export], clock: Clock) -> dict[str, set[int]]:
    """Periods of a platform that lie between the dates of its files."""
    spans: dict[str, list[Span]] = {}
    for part in parts if len(parts) > 1 else ():  # a hole lies between two files
        rows = part.rows
        for platform, times in rows["published_at"].groupby(rows["platform"]):
            known = times.dropna()
            if len(known):
                spans.setdefault(str(platform), []).append((known.min().date(), known.max().date()))
    found = {
        platform: {n for a, b in _gaps(several) for n in range(clock.number(a) + 1, clock.number(b))}
        for platform, several in spans.items()
    }
    return {platform: numbers for platform, numbers in found.items() if numbers}


def _gaps(spans: Iterable[Span]) -> list[Span]:
    """Days around what none of the spans covers: the last one before and the first one after."""
    found: list[Span] = []
    covered: dt.date | None = None
    for first, until in sorted(spans):
        if covered is not None and first > covered:
            found.append((covered, first))
        covered = until if covered is None else max(covered, until)
    return found


def _nothing_shared(
    short: Sequence[tuple[str, int]],
    spans: Mapping[str, Mapping[str, Span]],
    sold: Mapping[str, Span] | None,
    clock: Clock,
) -> DataError:
    if short:
        entity, days = short[0]
        platforms = spans[entity]
        if all(a > b for a, b in platforms.values()):
            return DataError(
                f"no day of the posts of {entity!r} is old enough: all of them were too young at the export",
                got=", ".join(f"first of {name or 'the posts'}: {a}" for name, (a, _) in platforms.items()),
                fix="export a longer time, or choose a smaller min_age_days",
            )
        words = ", ".join(f"{name or 'posts'} {a} to {b}" for name, (a, b) in platforms.items())
        shared = f"overlap {Count(days):day}" if days > 0 else "no overlap"
        if sold is None:
            return DataError(
                f"the platforms of {entity!r} share no day", got=words, fix="export them for the same dates"
            )
        return DataError(
            f"posts and outcomes of {entity!r} share too few days",
            got=f"{words}; outcome {sold[entity][0]} to {sold[entity][1]}: {shared}",
            allowed=f"{SHORTEST_DAYS} days or more",
            fix="export both for the same dates",
        )
    if sold and not set(sold) & set(spans):
        return DataError(
            "no entity has both posts and outcomes",
            got=f"posts of {', '.join(sorted(spans)[:4])}; outcomes of {', '.join(sorted(sold)[:4])}",
            fix="say which belong together with entity=",
        )
    return DataError(
        f"the posts cover no whole {PERIODS[clock.freq].one}", fix="choose a shorter freq or export more"
    )


def _calendar_notes(
    short: Sequence[tuple[str, int]],
    spans: Mapping[str, Mapping[str, Span]],
    sold: Mapping[str, Span] | None,
    holes: Mapping[str, set[int]],
    unsold: Mapping[str, set[int]],
) -> list[str]:
    left = {f"under {SHORTEST_DAYS} days of both": [entity for entity, _ in short]}
    if sold is not None:
        left |= {"no outcomes": sorted(set(spans) - set(sold)), "no posts": sorted(set(sold) - set(spans))}
    notes = [
        f"{Count(len(names)):entity has} {what}: left out: {', '.join(names[:4])}"
        for what, names in left.items()
        if names
    ]
    for platform, gap in holes.items():
        notes.append(f"no file of {platform or 'posts'} covers {Count(len(gap)):period} between two files")
    for entity, gap in sorted(unsold.items()):
        gaps = f"{Count(len(gap)):period} between two files"
        notes.append(f"no file of the sales of {entity} covers {gaps}: left out, not 0")
    several = {name: ends for one in spans.values() if len(one) > 1 for name, ends in one.items()}
    if several and len(spans) == 1:
        said = ", ".join(f"{name} {a} to {b}" for name, (a, b) in several.items())
        notes.append(f"the panel holds the periods that every platform covers ({said})")
    return notes


# sales that a gap between two files would have had at the usual rate: of so many none has p < .7 %
_LIKELY = 5.0


def between_files(parts: Sequence[Export], owners: Mapping[str, str], clock: Clock) -> dict[str, set[int]]:
    """Find the periods that no file of an entity's sales covers, between two that do, and those at either end of the gap.

    A few days without a sale between two files are no gap where chance explains them.
    """
    found: dict[str, set[int]] = {}
    spans: dict[tuple[str, str], list[tuple[dt.date, dt.date, int]]] = {}
    for part in parts:
        if "kind" not in part.rows.columns:
            continue
        sold = part.rows[(part.rows["kind"] == "sale") & part.rows["date"].notna()]
        for name, some in sold.groupby("entity"):
            if str(name) in owners:
                span = (some["date"].min().date(), some["date"].max().date())
                most = int(some.groupby("outcome").size().max())
                spans.setdefault((owners[str(name)], part.format), []).append((*span, most))
    for (entity, _), several in spans.items():
        days = sum((last - first).days + 1 for first, last, _ in several)
        rate = sum(n for *_, n in several) / max(days, 1)
        for before, after in _gaps((first, last) for first, last, _ in several):
            if rate * ((after - before).days - 1) >= _LIKELY:
                a, b = clock.number(before), clock.number(after)
                inside = range(a, b + 1) if clock.freq != "D" else range(a + 1, b)
                found.setdefault(entity, set()).update(inside)
    return found


def assemble(
    good: pl.DataFrame,
    activity: Activity,
    books: Books | None,
    spine: pl.DataFrame,
    request: Request,
    *,
    audience: pl.DataFrame | None,
    daily: pl.DataFrame | None,
    spend: tuple[pl.DataFrame, Span] | None,
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Lay what counts of the posts, followers, figures by day, spending and outcomes on the calendar and divide."""
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
    if spend is not None:
        table, span = spend
        panel = panel.join(table.select(*_KEYS, "spend"), on=_KEYS, how="left")
        inside = pl.col("number").is_between(*clock.whole(span))
        panel = panel.with_columns(pl.when(inside).then(pl.col("spend").fill_null(0.0)).alias("spend"))
    if rules.nothing_spent:
        panel = panel.with_columns(pl.lit(0.0).alias("spend"))
        definitions["spend"] = "0: it was said that nothing was spent; no file says so"
        request.notes.append("spend is 0 because it was said that nothing was spent; no file says so")
    columns += ["spend"] if "spend" in panel.columns else []
    outcomes: list[str] = []
    if books is not None:
        panel, outcomes = _with_outcomes(panel, books, clock)
        if "revenue" in outcomes and not any(name == "revenue" for _, name in books.spans):
            definitions["revenue"] = next(n for n in ("revenue_net", "revenue_gross") if n in outcomes)
    panel, bought = _conversion(panel)
    lagged = [n for n in ("posts", "engagement", "spend", *outcomes) if n in panel.columns]
    panel, said = _with_lags(panel, lagged, rules.lags, request.notes)
    columns += [*outcomes, *bought, *said]
    definitions |= bought | said
    starts = {n: clock.start(n) for n in panel["number"].unique().to_list()}
    first = pl.col("number").replace_strict(starts, return_dtype=pl.Date).cast(pl.Datetime("us"))
    panel = panel.with_columns(first.alias("period")).sort("entity", "period")
    return panel.select(list(dict.fromkeys(["entity", "period", *columns]))), definitions


def _ratio(above: str, below: str) -> pl.Expr:
    return pl.when(pl.col(below) > 0).then(pl.col(above) / pl.col(below))


def _laid(
    good: pl.DataFrame, activity: Activity, spine: pl.DataFrame, audience: pl.DataFrame | None
) -> tuple[pl.DataFrame, list[str], dict[str, str]]:
    """Sums of posts on the calendar with their rates, the names of the columns, and what they mean."""
    counts = [count_of(name) for name in activity.summed]
    # in the order of the rows, else a last bit of the sums differs from run to run
    groups = good.group_by(_KEYS, maintain_order=True)
    sums = groups.agg(pl.col("posts", *activity.summed, *counts, *activity.parts).sum())
    panel = spine.join(sums, on=_KEYS, how="left").with_columns(pl.col("posts").fill_null(0).cast(pl.Int64))
    # nothing published is 0 reactions; published without a known count is missing
    none = pl.when(pl.col("posts") == 0).then(0.0)
    panel = panel.with_columns(
        none.when(pl.col(count_of(name)) > 0).then(pl.col(name)).alias(name) for name in activity.summed
    )
    empty = [name for name in activity.summed if int(sums[count_of(name)].sum()) == 0]
    panel = panel.drop(empty)
    definitions = {}
    if AGES in activity.parts:
        panel = panel.with_columns(_ratio(AGES, count_of(AGES)).alias("post_age_days"))
        definitions["post_age_days"] = (
            "mean age of the period's posts at the export, of posts of which its day is known"
        )
    if audience is not None:
        panel = panel.join(audience, on=_KEYS, how="left")
    made = _rates(panel.columns)
    panel = panel.with_columns(expression.alias(name) for name, (expression, _) in made.items())
    columns = ["posts", *(n for n in activity.summed if n not in (*empty, *EXPOSURES))]
    columns += [n for n in (*EXPOSURES, "post_age_days", "followers") if n in panel.columns]
    if activity.engagement:
        definitions["engagement"] = activity.engagement
    definitions |= {name: words for name, (_, words) in made.items()}
    return panel, [*columns, *made], definitions


def _rates(columns: Sequence[str]) -> dict[str, tuple[pl.Expr, str]]:
    """Every rate that sums by period allow: expression and meaning by name."""
    out: dict[str, tuple[pl.Expr, str]] = {}
    for name in EXPOSURES:
        if numerator(name) in columns:
            people = "sum of reaches, which counts people more than once"
            word = people if name == "reach" else f"sum of {name}"
            words = f"engagement / {name} of the posts of the period ({word}); missing without posts"
            out[f"er_by_{name}"] = _ratio(numerator(name), denominator(name)), words
    if "engagement" in columns:
        words = "engagement / posts; missing without posts"
        out["engagement_per_post"] = _ratio("engagement", "posts"), words
    if {"followers", "own engagement", "own posts"} <= set(columns):
        some = pl.when((pl.col("followers") > 0) & (pl.col("own posts") > 0))
        rate = pl.col("own engagement") / pl.col("followers")
        words = "engagement of the period / followers; without posts of other accounts; missing without posts"
        out["er_by_followers"] = some.then(rate), words
        words = "mean engagement of a post / followers; missing without posts"
        out["er_by_followers_post"] = some.then(rate / pl.col("own posts")), words
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
        way = "they are not one column (allow_break=True makes one, with a mark of the change)"
        request.notes.append(f"{text}: {way}")
        return panel, {}
    later = pl.col("number") >= number
    panel = panel.with_columns(
        pl.when(later).then(pl.col("views")).otherwise(pl.col("impressions")).alias("exposure"),
        later.cast(pl.Int64).alias("exposure_break"),
    )
    way = "they are one column, exposure; exposure_break is to be a control beside it"
    request.notes.append(f"{text}: {way}")
    return panel, {
        "exposure": f"impressions before {day}, views from then on: two definitions in one column",
        "exposure_break": f"1 from {day} on, when the definition of exposure changes",
    }


def _with_outcomes(panel: pl.DataFrame, books: Books, clock: Clock) -> tuple[pl.DataFrame, list[str]]:
    """One column per outcome; missing outside its dates, 0 where single sales were none."""
    ends = [(*of, *clock.whole(span)) for of, span in books.spans.items()]
    spans = pl.DataFrame(ends, schema=["entity", "outcome", "low", "high"], orient="row")
    due = panel.select(_KEYS).join(spans, on="entity").filter(pl.col("number").is_between("low", "high"))
    known = due.join(books.table, on=[*_KEYS, "outcome"], how="left")
    made = []
    for name in sorted(books.table["outcome"].unique()):
        made.append(f"{name} (outcome)" if name in panel.columns else name)
        value = pl.col("value").fill_null(0.0) if name in books.zero else pl.col("value")
        one = known.filter(pl.col("outcome") == name).select(*_KEYS, value.alias(made[-1]))
        panel = panel.join(one, on=_KEYS, how="left")
    stands_in = next((name for name in ("revenue_net", "revenue_gross") if name in made), None)
    if "revenue" not in made and stands_in is not None:
        panel = panel.with_columns(pl.col(stands_in).alias("revenue"))
        made.append("revenue")
    return panel, sorted(made, key=lambda name: name != "revenue")


def _conversion(panel: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Conversions (orders, where there are none) per visit."""
    above = next((name for name in ("conversions", "orders") if name in panel.columns), None)
    if above is None or "sessions" not in panel.columns or "conversion_rate" in panel.columns:
        return panel, {}
    panel = panel.with_columns(_ratio(above, "sessions").alias("conversion_rate"))
    return panel, {"conversion_rate": f"{above} / sessions"}


def _with_lags(
    panel: pl.DataFrame, names: Sequence[str], lags: int, notes: list[str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Values of earlier periods of the same entity; after a gap they are missing."""
    definitions: dict[str, str] = {}
    for n in range(1, lags + 1):
        made = {name: f"lag{n} {name}" for name in names}
        values = [pl.col(k).alias(v) for k, v in made.items()]
        earlier = panel.select("entity", pl.col("number") + n, pl.lit(value=True).alias("__there__"), *values)
        panel = panel.join(earlier, on=_KEYS, how="left")
        begun = pl.col("number") - pl.col("number").min().over("entity") >= n
        holes = panel.filter(begun & pl.col("__there__").is_null()).height
        if holes:
            notes.append(f"{Count(holes):period follows} a gap, where lag {n} is missing")
        panel = panel.drop("__there__")
        words = f"of the same entity {Count(n, spelled=True):period} earlier; missing after a gap"
        definitions |= {v: f"{k} {words}" for k, v in made.items()}
    return panel, definitions
