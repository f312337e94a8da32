"""Outcomes to sums by entity and period: what counts, in one currency, at a grain that the rows really have."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Clock
from erresearch.engine.lazy_rows import gather
from erresearch.errors import ColumnError, Count, DataError, GuardError, type_name
from erresearch.exports.combine import combine_exports
from erresearch.exports.log import Export
from erresearch.io import pl
from erresearch.panel.inputs import LOCAL, Arrived, arrive, as_numbers, exports_of, local_time
from erresearch.panel.records import Books, Request, counts_by_currency, kept_currency, refuse_coarse, shown
from erresearch.results import plain
from erresearch.schema import OUTCOMES
from erresearch.schema.vocabulary import PERIODS

COUNTED = "__counted__"
"""Column of exports: 1 on the one outcome row by which a row of the file is counted, 0 on its others."""

_KEPT = ("kind", "currency", "segment", "grain")
_DAY = nw.Datetime("us")


def arrive_outcomes(outcomes: Any) -> Arrived | None:
    """Open outcomes; a wide table is refused with a word on how the long one looks."""
    if outcomes is None:
        return None
    exports = exports_of(outcomes)
    if exports and all(one.kind == "outcomes" for one in exports):
        outcomes = _count_once(exports)
    wanted = (*OUTCOMES.labels, "value", COUNTED)
    booked = arrive(outcomes, what="outcomes", kinds=("outcomes",), needed=(), wanted=wanted)
    absent = [name for name in OUTCOMES.required if name not in booked.columns]
    if absent:
        names = booked.columns if booked.parts else nw.from_native(outcomes).collect_schema().names()
        raise ColumnError(
            f"the outcomes have no column {', '.join(map(repr, absent))}",
            got=", ".join(map(str, names[:12])),
            allowed="one row per date, entity and outcome with a value (and a currency)",
            fix="lay a table with one column per outcome out long, for example with pandas.melt",
        )
    return booked


def _count_once(exports: Sequence[Export]) -> list[Export]:
    """Mark one outcome row of each row of a file, by which it is counted: an order gives revenue and an order.

    The mark stands on a figure that no other layout has where there is one, and on a number rather than on money, as
    such rows are the last to be left out.
    """
    formats = {(name, export.format) for export in exports for name in export.rows["outcome"].unique()}
    shared = Counter(name for name, _ in formats)
    made = []
    for export in exports:
        rows = export.rows.assign(**{COUNTED: 1})
        if "source_row" in rows.columns and rows["source_row"].notna().all():
            kind = [name for name in ("outcome", "kind") if name in rows.columns]
            again = rows.groupby(["source_row", *kind], dropna=False).cumcount()  # of another sheet
            money = rows["currency"].fillna("").ne("") if "currency" in rows.columns else 0
            rank = 2 * (rows["outcome"].map(shared) > 1) + money
            keys = rows[["source_row"]].assign(again=again, rank=rank).reset_index(drop=True)
            ordered = keys.sort_values(["source_row", "again", "rank"], kind="stable")
            later = ordered.duplicated(["source_row", "again"]).sort_index()
            rows[COUNTED] = 1 - later.to_numpy(dtype="int64")
        made.append(replace(export, rows=rows))
    return made


def sum_by_day(outcomes: Arrived, request: Request) -> pl.DataFrame:
    """Sum outcomes by entity, outcome, kind and day; only sums come here.

    Days printed without a clock stay as printed; moments (``at``) are moved to the business's zone. Beside the sums
    stand source (the layout a row comes from), good (whether there is a value), single (one sale each, whose date is
    no grain), rows, counted (rows of the file); kind, currency, segment, grain, date_end where they are there.
    """
    frame, clock = _labelled(outcomes), request.clock
    schema = frame.collect_schema()
    columns = schema.names()
    if schema["date"] not in (nw.Date, nw.Datetime):
        raise ColumnError(
            "column 'date' of outcomes holds no days",
            got=type_name(schema["date"]),
            fix="make dates of it first, or read the file with read_export",
        )
    frame = _with_days(as_numbers(frame, ["value"], "outcomes"), schema, clock)
    number = nw.col("value").cast(nw.Float64())
    single = nw.lit(bool({"order_id", "at"} & set(columns)))
    if {"order_id", "at"} & set(columns) and "kind" in columns:
        single = nw.col("kind").is_in(["sale", "refund"]).fill_null(False)
    made = {name: nw.col(name).cast(nw.String()) for name in ("entity", "outcome", *_KEPT) if name in columns}
    made |= {
        "entity": made["entity"].fill_null("(no entity)"),
        "good": number.is_finite().fill_null(False),
        "value": nw.when(number.is_finite()).then(number),
        "single": single,
        "counted": nw.col(COUNTED) if COUNTED in columns else nw.lit(1),
    }
    if "date_end" in columns:
        made["date_end"] = _printed("date_end", schema["date_end"])
    frame = frame.with_columns(*(value.alias(name) for name, value in made.items()))
    frame = _carried(frame, columns, request)
    keys = ["entity", "outcome", "source", "day", "good", "single"]
    keys += [name for name in (*_KEPT, "date_end") if name in columns]
    table = gather(
        frame.group_by(*keys).agg(
            nw.col("value", "counted").sum(),
            nw.len().alias("rows"),
            (nw.col("moved") * nw.col("counted")).sum().alias("moved"),
        ),
        small=outcomes.kind != "lazy",
    )
    moved = int(table["moved"].sum() or 0)
    if moved:
        request.notes.append(
            f"{Count(moved, of=table['counted'].sum()):outcome row falls} on another day in {clock.tz} than "
            "their file prints"
        )
    return table.drop("moved").sort(keys, nulls_last=True)


def _labelled(outcomes: Arrived) -> nw.LazyFrame[Any]:
    """Rows with a ``source``: the layout that each row comes from, where that is known."""
    # exports of one layout are one source: overlaps between them were settled when they were put together
    formats: dict[str, list[Export]] = {}
    for part in outcomes.parts:
        formats.setdefault(part.format, []).append(part)
    if len(formats) < 2:
        return outcomes.frame.with_columns(nw.lit(next(iter(formats), "")).alias("source"))
    tables = []
    for name, parts in formats.items():
        rows = (parts[0] if len(parts) == 1 else combine_exports(parts)).rows
        kept = [column for column in outcomes.columns if column in rows.columns]
        tables.append(pl.from_pandas(rows[kept]).with_columns(pl.lit(name).alias("source")))
    return nw.from_native(pl.concat(tables, how="diagonal_relaxed").lazy())


def _printed(name: str, dtype: Any) -> Any:
    """A day as it is printed, at midnight, without a zone."""
    day = nw.col(name)
    if dtype == nw.Datetime and getattr(dtype, "time_zone", None):
        day = day.dt.replace_time_zone(None)
    return day.cast(_DAY).dt.truncate("1d")


def _with_days(frame: nw.LazyFrame[Any], schema: Any, clock: Clock) -> nw.LazyFrame[Any]:
    """Add ``day`` and whether it is another than the printed one."""
    frame = frame.with_columns(_printed("date", schema["date"]).alias("__printed__"))
    day = nw.col("__printed__")
    if "at" in schema.names() and schema["at"] == nw.Datetime:
        frame, _ = local_time(frame, "at", clock)
        day = nw.coalesce(nw.col(LOCAL).cast(_DAY).dt.truncate("1d"), nw.col("__printed__"))
    frame = frame.with_columns(day.alias("day"))
    moved = (nw.col("day") != nw.col("__printed__")).fill_null(False)
    return frame.with_columns(nw.when(moved).then(1).otherwise(0).alias("moved"))


def _carried(frame: nw.LazyFrame[Any], columns: list[str], request: Request) -> nw.LazyFrame[Any]:
    """Carry refunds to the day of the order that they give back, where that is asked for."""
    if request.rules.revenue != "net-by-order-date":
        return frame
    if not {"order_id", "kind"} <= set(columns):
        request.notes.append(
            "refunds cannot be carried to the day of the order: the outcomes name no orders, so they stay on the day "
            "that their file gives"
        )
        return frame
    keys = ["entity", "source", "order_id"]
    sold = frame.filter(nw.col("kind") == "sale", ~nw.col("order_id").is_null())
    sold = sold.group_by(*keys).agg(nw.col("day").min().alias("__sold__"))
    frame = frame.join(sold, on=keys, how="left")
    back = (nw.col("kind") == "refund").fill_null(False)
    counts = gather(frame.filter(back).select(nw.len().alias("n"), nw.col("__sold__").count().alias("found")))
    n, found = int(counts["n"][0]), int(counts["found"][0])
    if n:
        lost = f"; {n - found:,} give back an order that is not here and stay on their own day"
        told = f"{Count(found, of=n):refund is} carried to the day of the order"
        request.notes.append(told + (lost if n > found else ""))
    day = nw.when(back).then(nw.coalesce(nw.col("__sold__"), nw.col("day"))).otherwise(nw.col("day"))
    return frame.with_columns(day.alias("day")).drop("__sold__")


_OUT = ("failed", "pending", "cancelled", "lost")
_PEOPLE = ("users", "new_users", "active_users", "purchasers")
# sales that a spell would have had at the usual rate: of so many none has p < 2e-9
_SURELY = 20.0
_FEWEST_DAYS = 5


def book(table: pl.DataFrame, request: Request) -> Books:
    """Add outcomes that were summed by day, with the entity that each belongs to, up by entity and period.

    Refused are a currency that is not there, rows coarser than the periods, one outcome of an entity from several
    sources of equal standing, and outcomes of which no row is left.
    """
    clock, rules, notes = request.clock, request.rules, request.notes
    rows = int(table["counted"].sum())
    left: dict[str, int] = {}

    def leave(mask: pl.Expr, reason: str) -> None:
        nonlocal table
        before, table = int(table["counted"].sum()), table.filter(~mask.fill_null(False))
        if count := before - int(table["counted"].sum()):
            left[reason] = left.get(reason, 0) + count

    leave(pl.col("day").is_null(), "without a date")
    leave(~pl.col("good"), "without a value")
    if "kind" in table.columns:
        for kind in _OUT:
            leave(pl.col("kind") == kind, f"{kind}, which is no sale")
        refunds = table.filter(pl.col("kind") == "refund")
        if refunds.height:
            where = "that their file gives" if rules.revenue == "as-reported" else "of their order"
            total = refunds["rows"].sum()
            notes.append(
                f"{Count(total):refund} ({plain(float(refunds['value'].sum()), ',.2f')}) netted on the day {where}"
            )
    counts = counts_by_currency(table, "rows")
    chosen = kept_currency("revenue", counts, rules.currency, notes)
    if len(counts) > (chosen in counts):
        code = pl.col("currency").fill_null("").str.to_uppercase()
        # what a file counts beside amounts in another currency is of those sales
        foreign = (code != "").any().over("source") & ~(code == chosen).any().over("source")
        leave(~code.is_in(["", chosen]) | foreign, f"not in {chosen}")
    if "segment" in table.columns:
        # rows of a breakdown would count twice beside rows of the whole
        whole = pl.col("segment").fill_null("") == ""
        both = ~whole & whole.any().over("source", "outcome")
        leave(both, "parts of a figure that is also there as a whole")
    _prefer(table, leave, notes)
    if not table.height:
        raise DataError("no outcome row is left", got=", ".join(f"{n:,} {r}" for r, n in left.items()))
    table = _grained(table, clock)
    sums, spans, zero = _sums(table, clock, notes)
    people = [name for name in _PEOPLE if name in sums["outcome"].unique().to_list()]
    if people:
        notes.append(f"{', '.join(people)}: sums of the rows, which count people more than once")
    return Books(table=sums, spans=spans, zero=zero, currency=chosen, left=left, rows=rows)


def _prefer(table: pl.DataFrame, leave: Any, notes: list[str]) -> None:
    """One outcome from two sources is counted once: what was sold before what was measured on a site."""
    pairs = table.group_by("entity", "outcome").agg(pl.col("source").unique())
    pairs = pairs.filter(pl.col("source").list.len() > 1)
    for entity, outcome, sources in pairs.sort("entity", "outcome").iter_rows():
        here = (pl.col("entity") == entity) & (pl.col("outcome") == outcome)
        of_sales = table.filter(here & pl.col("kind").is_in(["sale", "refund"]))
        sold = of_sales["source"].unique().sort().to_list()
        if len(sold) != 1:
            raise GuardError(
                f"{outcome!r} of {entity!r} comes from several files, and adding them might count it twice",
                got=", ".join(sorted(sources)),
                fix="pass only one of them, or give entity= to say that they belong to different shops",
            )
        others = ", ".join(sorted(set(sources) - set(sold)))
        notes.append(f"{outcome} is that of {sold[0]}; {others} also reports it and is not added")
        leave(here & (pl.col("source") != sold[0]), f"{outcome} that {sold[0]} states as well")


def _grained(table: pl.DataFrame, clock: Clock) -> pl.DataFrame:
    """Add ``end``, the last day that a row stands for; rows coarser than a period are refused, not spread."""
    ends = pl.col("day")
    if "date_end" in table.columns:
        ends = pl.coalesce(pl.col("date_end"), pl.col("day"))
    table = table.with_columns(pl.when(pl.col("single")).then(pl.col("day")).otherwise(ends).alias("end"))
    if "grain" in table.columns:
        ranged = table.filter(pl.col("grain").fill_null("") == "range")
        if ranged.height:
            raise DataError(
                "outcome rows stand for a whole range of dates and cannot be put on a calendar",
                got=f"{Count(ranged['rows'].sum()):row}, such as {ranged['outcome'][0]!r} from "
                f"{ranged['day'][0]:%Y-%m-%d} to {ranged['end'][0]:%Y-%m-%d}",
                fix="export the report by date",
            )
    # rows by week or month may state one day only: what they are follows from the distances of an outcome's days
    days = table.filter(~pl.col("single")).select("source", "outcome", "day").unique().sort("day")
    apart = days.group_by("source", "outcome").agg(pl.col("day").diff().dt.total_days().min().alias("apart"))
    one_day = ~pl.col("single") & (pl.col("end") == pl.col("day"))
    table = table.join(apart, on=["source", "outcome"], how="left").with_columns(
        pl.when(one_day & (pl.col("apart") >= PERIODS["M"].days))
        .then(pl.col("day").dt.offset_by("1mo").dt.offset_by("-1d"))
        .when(one_day & (pl.col("apart") >= PERIODS["W"].days))
        .then(pl.col("day").dt.offset_by("6d"))
        .otherwise(pl.col("end"))
        .alias("end")
    )
    refuse_coarse(table, clock)
    return table


def _sums(
    table: pl.DataFrame, clock: Clock, notes: list[str]
) -> tuple[pl.DataFrame, dict[tuple[str, str], tuple[dt.date, dt.date]], frozenset[str]]:
    """Sums by entity, outcome and period; missing where the rows do not cover the period."""
    day, end, single, source = pl.col("day"), pl.col("end"), pl.col("single"), ["entity", "source", "single"]
    # of single sales the file's dates are its span, whatever was sold on them
    first = pl.when(single).then(day.min().over(source)).otherwise(day)
    last = pl.when(single).then(end.max().over(source)).otherwise(end)
    of_all = table.select("entity", "outcome", first=first, last=last).group_by("entity", "outcome")
    ends = of_all.agg(pl.col("first").min(), pl.col("last").max())
    spans = {(of, name): (a.date(), b.date()) for of, name, a, b in ends.iter_rows()}
    zero = frozenset(table.filter(single)["outcome"].unique().to_list())
    covers = ((end - day).dt.total_days() + 1).filter(day.is_first_distinct())
    sums = clock.with_numbers(table, "day").group_by("entity", "outcome", "number")
    sums = sums.agg(pl.col("value").sum(), rows=pl.col("counted").sum(), covers=covers.sum())
    wanted = [clock.length(n) for n in sums["number"].to_list()]
    lacking = (pl.Series(wanted) > sums["covers"]) & ~sums["outcome"].is_in(list(zero))
    said = {
        "with some days lacking, taken as missing, not as smaller": _inside(
            sums.filter(lacking), spans, clock
        ),
        "without a row, taken as missing, not as 0": _absent(sums, zero),
    }
    for words, inside in said.items():
        if inside:
            named = shown([f"{outcome} {clock.start(n)}" for outcome, n in inside], 4)
            notes.append(f"{Count(len(inside)):period} {words}: {named}")
    notes += _quiet_spells(table.filter(single))
    sums = sums.with_columns(pl.when(~lacking).then(pl.col("value")).alias("value"))
    return sums.select("entity", "outcome", "number", "value", "rows"), spans, zero


def _absent(sums: pl.DataFrame, zero: frozenset[str]) -> list[tuple[str, int]]:
    """Periods between the first and the last of a reported figure that no row speaks of."""
    reported = sums.filter(~pl.col("outcome").is_in(list(zero)))
    there = reported.group_by("entity", "outcome").agg(pl.col("number").unique()).sort("outcome", "entity")
    return [
        (outcome, n)
        for _, outcome, numbers in there.iter_rows()
        for n in sorted(set(range(min(numbers), max(numbers))) - set(numbers))
    ]


def _inside(
    gaps: pl.DataFrame, spans: Mapping[tuple[str, str], tuple[dt.date, dt.date]], clock: Clock
) -> list[tuple[str, int]]:
    """Gaps that are not at either end of a series."""
    ends = {of: [clock.number(day) for day in span] for of, span in spans.items()}
    found = gaps.sort("outcome", "number").select("entity", "outcome", "number").iter_rows()
    return [(name, n) for entity, name, n in found if ends[entity, name][0] < n < ends[entity, name][1]]


def _quiet_spells(sales: pl.DataFrame) -> list[str]:
    """Say where sales one by one stop for longest, if that is longer than chance allows; they count as 0 all the same."""
    notes = []
    counts = sales.group_by("entity", "source", "outcome", "day").agg(pl.col("rows").sum())
    counts = counts.group_by("entity", "source", "day").agg(pl.col("rows").max())
    for (entity, _), days in sorted(counts.group_by("entity", "source"), key=lambda pair: str(pair[0])):
        known = days.sort("day")
        if known.height < _FEWEST_DAYS:
            continue
        dates = known["day"].dt.date().to_list()
        gap, start = max((b - a, a) for a, b in itertools.pairwise(dates))
        quiet = gap.days - 1
        rate = float(known["rows"].sum()) / max((dates[-1] - dates[0]).days + 1 - quiet, 1)
        if quiet > 0 and rate * quiet >= _SURELY:
            first, last = start + dt.timedelta(days=1), start + gap - dt.timedelta(days=1)
            notes.append(
                f"no sale of {entity} from {first} to {last}, where the usual {rate:.2g} a day would have made "
                f"{rate * quiet:,.0f}: counted as 0; if the shop was open and its data were lost, leave these days out"
            )
    return notes
