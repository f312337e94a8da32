"""What a business counts: orders, payments and deals one by one, and figures by day of shops and web analytics."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from erresearch.errors import ColumnError, DataError
from erresearch.exports.cells import Built, Draft, further, number_column, numeric_targets, typed
from erresearch.exports.clocks import parse_times
from erresearch.exports.numbers import currency_of
from erresearch.exports.published import in_zone, refuse_unread, to_utc
from erresearch.exports.records import Journal, places
from erresearch.exports.registry import load_registry, normalise
from erresearch.exports.series import day_column, one_currency
from erresearch.exports.settings import Settings

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_figures", "read_orders"]

_EVENT = (
    "date",
    "entity",
    "outcome",
    "value",
    "currency",
    "kind",
    "at",
    "time_source",
    "time_precision",
    "order_id",
)
_STEPS = {"nth_day": "1d", "nth_week": "1w", "nth_month": "1mo"}
_GRAINS = {"1d": "day", "1w": "week", "1mo": "month"}
_NO_OUTCOME = frozenset({"line_quantity", "impressions_ctr"})


def read_orders(drafts: Sequence[Draft], settings: Settings, journal: Journal) -> Built:
    """Turn orders, payments or deals into outcomes.

    Each that counts gives a row ``revenue`` and a row ``orders`` (value 1) of kind ``sale``; what was given back is a
    further row of kind ``refund`` with a negative value, on the day of the refund where the file states it. What
    failed, is pending or was cancelled is kept under that kind, and is no sale.

    Parameters
    ----------
    drafts : sequence of Draft
        One table.
    settings : Settings
        What the caller says.
    journal : Journal
        Takes guesses, cautions and rows set aside.

    Returns
    -------
    Built
        Columns date, entity, outcome, value, currency, kind, at, time_source, time_precision, order_id.

    Raises
    ------
    DataError
        If money stands on several rows of one order, or in several currencies of which none is chosen.
    """
    import polars as pl

    drafted = _one_row_per_order(drafts[0], journal)
    value, currency = _money(drafted, settings, journal)
    kind = _states(drafted, settings, journal)
    day, at, source, precision = _moments(drafted, settings, journal)
    text = drafted.frame
    base = pl.DataFrame(
        {
            "date": day,
            "entity": pl.repeat(settings.entity or drafted.layout.platform, text.height, eager=True),
            "value": value,
            "currency": currency,
            "kind": kind,
            "at": at,
            "time_source": pl.repeat(source, text.height, eager=True),
            "time_precision": pl.repeat(precision, text.height, eager=True),
            "order_id": _order_ids(drafted),
            "source_row": drafted.rows,
        }
    ).with_columns(further(drafted, settings).values())
    base, refunds = _set_aside(base, _refunds(drafted, base, settings, journal), journal)
    frame = one_currency(base, settings, journal)
    refunds = refunds.join(frame.select("source_row"), on="source_row", how="semi")
    used = frame["source_row"].n_unique()
    if frame.height and refunds.height:
        refunds = refunds.with_columns(pl.lit(frame["currency"][0]).alias("currency"))
    counted = frame.with_columns(
        pl.lit(1.0).alias("value"), pl.lit("").alias("currency"), pl.lit("orders").alias("outcome")
    )
    parts = [
        frame.with_columns(pl.lit("revenue").alias("outcome")),
        counted.filter(pl.col("kind") != "refund"),
        refunds,
    ]
    together = pl.concat(parts, how="diagonal").sort("date", "source_row", maintain_order=True)
    by_kind = frame["kind"].value_counts(sort=True)
    journal.note("rows by kind: " + ", ".join(f"{count:,} {name}" for name, count in by_kind.iter_rows()))
    return Built(
        together.select([*_EVENT, *(c for c in together.columns if c not in _EVENT)]), used, "outcomes"
    )


def _order_ids(drafted: Draft) -> pl.Series:
    import polars as pl

    if "order_id" not in drafted.frame.columns:
        return pl.Series([None] * drafted.frame.height, dtype=pl.String)
    return drafted.frame["order_id"].str.strip_chars().replace("", None)


def _one_row_per_order(drafted: Draft, journal: Journal) -> Draft:
    """Line items after the first carry no money of the order."""
    import polars as pl

    layout, frame = drafted.layout, drafted.frame
    if not layout.group or layout.group not in frame.columns:
        return drafted
    money = layout.money[0][0]
    filled = frame[money].str.strip_chars() != ""
    again = frame.select(pl.col(layout.group).is_first_distinct().not_()).to_series()
    twice = frame.filter(filled & again)
    if twice.height:
        raise DataError(
            f"{journal.name}, column {drafted.header(money)!r}: money stands on several rows of one order",
            got=f"order {twice[layout.group][0]!r}, {places(tuple(twice['row'].head(3)), twice.height)}",
            fix="the file was changed after its export, or two exports were put together: export it again",
        )
    items = again & ~filled
    journal.remove(
        "out_of_scope", "further line items of an order that is counted", frame["row"].filter(items)
    )
    return drafted.with_frame(frame.filter(~items))


def _money(drafted: Draft, settings: Settings, journal: Journal) -> tuple[pl.Series, pl.Series]:
    """The column of money and its currency, row by row."""
    import polars as pl

    text = drafted.frame
    for value_name, currency_name in drafted.layout.money or (
        ("amount", "currency"),
        ("revenue", "currency"),
    ):
        if value_name not in text.columns:
            continue
        currency = (
            text[currency_name].str.strip_chars().str.to_uppercase()
            if currency_name in text.columns
            else pl.repeat("", text.height, eager=True)
        )
        if settings.currency and currency.n_unique() > 0 and settings.currency.upper() not in set(currency):
            other = [
                c
                for v, c in drafted.layout.money
                if v in text.columns and c in text.columns and c != currency_name
            ]
            if any(
                settings.currency.upper() in set(text[c].str.strip_chars().str.to_uppercase()) for c in other
            ):
                continue
        found = number_column(drafted, value_name, settings, journal)
        if not found.currency and "amount_formatted" in text.columns and value_name != "amount_formatted":
            found = replace(found, currency=currency_of(text["amount_formatted"], drafted.rows, journal))
        if found.currency and not (currency != "").any():
            currency = pl.repeat(found.currency, text.height, eager=True)
        journal.note(f"revenue is column {drafted.header(value_name)!r}, as the file prints it")
        if value_name == "converted":
            journal.guess(
                "amount", drafted.header(value_name), "the settled amounts are in one currency", "currency="
            )
        return found.values, currency
    headers = [repr(h) for name, _ in drafted.layout.money for h in drafted.layout.headers(name)]
    raise ColumnError(
        f"{drafted.table.part} has no column of money",
        got=", ".join(drafted.table.header[:12]),
        allowed=", ".join(headers),
    )


def _states(drafted: Draft, settings: Settings, journal: Journal) -> pl.Series:
    """Sale, refund, failed, pending, cancelled, by the state; null where the state is not known."""
    import polars as pl

    text = drafted.frame
    if "status" not in text.columns:
        return pl.repeat("sale", text.height, eager=True)
    table = dict(drafted.layout.states) | {stage.strip().casefold(): "sale" for stage in settings.won}
    if settings.won and drafted.layout.pipeline:
        table = {state: kind for state, kind in table.items() if kind != "sale"}
        table |= {stage.strip().casefold(): "sale" for stage in settings.won}
    lower = text["status"].str.strip_chars().str.to_lowercase()
    kind = lower.replace_strict(table, default=None, return_dtype=pl.String)
    if "cancelled_at" in text.columns:
        cancelled = text["cancelled_at"].str.strip_chars() != ""
        kind = kind.zip_with(~cancelled, pl.repeat("cancelled", len(kind), eager=True))
    counts = text["status"].str.strip_chars().value_counts(sort=True)
    journal.note(
        "rows by state: "
        + ", ".join(f"{count:,} {name or '(blank)'}" for name, count in counts.head(8).iter_rows())
    )
    if drafted.layout.pipeline and not (kind == "sale").any():
        stages = ", ".join(repr(name) for name, _ in counts.head(8).iter_rows())
        raise DataError(
            f"{journal.name}: no deal is in a stage that counts as won",
            got=stages,
            allowed=", ".join(sorted(state for state, k in table.items() if k == "sale")),
            fix='name the stages that count as won with won = ["…"] in mapping=',
        )
    return kind


def _moments(drafted: Draft, settings: Settings, journal: Journal) -> tuple[pl.Series, pl.Series, str, str]:
    """Business day, moment in UTC, where the zone came from, precision."""
    import polars as pl

    layout, header = drafted.layout, drafted.header("date")
    times = parse_times(
        drafted.frame["date"],
        drafted.rows,
        journal,
        header=header,
        order=settings.dates or layout.dates,
        dayfirst=settings.dayfirst,
    )
    refuse_unread(times, drafted.frame["date"], drafted.rows, journal, header=header)
    if times.month_day is not None:
        raise DataError(
            f"{journal.name}, column {header!r} has dates without a year", fix="export it again with years"
        )
    if times.precision in ("day", "month"):
        nothing = pl.Series([None] * len(times.local), dtype=pl.Datetime("us"))
        return times.local.dt.truncate("1d"), nothing, "stated", "day"
    if times.utc is None and not (layout.zone or settings.zone or settings.tz):
        journal.guess("time zone", "as printed", "the file does not say one; days are those printed", "tz=")
        nothing = pl.Series([None] * len(times.local), dtype=pl.Datetime("us"))
        return times.local.dt.truncate("1d"), nothing, "assumed", times.precision
    at, source = to_utc(
        times, drafted.rows, settings, journal, layout_zone=layout.zone, reason=layout.zone_rule
    )
    day = times.local
    if settings.tz and layout.zone != "stated":
        in_zone(day.head(0), settings.tz, drafted.rows, journal)
        day = at.dt.replace_time_zone("UTC").dt.convert_time_zone(settings.tz).dt.replace_time_zone(None)
        journal.note(f"days are those of {settings.tz}")
    return day.dt.truncate("1d"), at, source, times.precision


def _refunds(drafted: Draft, base: pl.DataFrame, settings: Settings, journal: Journal) -> pl.DataFrame:
    """What was given back, negative, on its own day where that is stated."""
    import polars as pl

    layout, text = drafted.layout, drafted.frame
    rows = base.clear().with_columns(pl.lit("revenue").alias("outcome"))
    if not layout.refund:
        return rows
    name, day_name, *plain = layout.refund
    if name not in text.columns or (
        plain and settings.currency and "converted" not in _amount_name(journal, drafted)
    ):
        name = plain[0] if plain and plain[0] in text.columns else ""
    if not name:
        return rows
    back = number_column(drafted, name, settings, journal).values.abs()
    frame = base.with_columns(
        (-back).alias("value"), pl.lit("refund").alias("kind"), pl.lit("revenue").alias("outcome")
    )
    if day_name and day_name in text.columns:
        days, utc, _ = day_column(drafted, day_name, settings, Journal(journal.name))
        on = pl.Series(days)
        frame = frame.with_columns(
            on.fill_null(frame["date"]).alias("date"), utc.fill_null(frame["at"]).alias("at")
        )
    frame = frame.filter((back > 0).fill_null(False) & (base["kind"] == "sale").fill_null(False))
    if frame.height:
        where = (
            "the day of the refund"
            if day_name in text.columns
            else "the day of the order, as the file has no other"
        )
        journal.note(f"{frame.height:,} refunds are rows of their own, negative, on {where}")
    return frame


def _amount_name(journal: Journal, drafted: Draft) -> str:
    """Which column of money was taken, as the journal noted it."""
    taken = [guess.value for guess in journal.guesses if guess.name == "amount"]
    return "converted" if taken and taken[0] == drafted.header("converted") else "amount"


def _set_aside(
    base: pl.DataFrame, refunds: pl.DataFrame, journal: Journal
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reject rows without day, amount or known state; leave out deals that are not won."""
    import polars as pl

    for name, reason in (("date", "no date"), ("value", "no amount")):
        bad = base[name].is_null() & base["kind"].is_not_null()
        journal.remove("rejected", reason, base["source_row"].filter(bad), warn=True)
        base = base.filter(~bad)
    unknown = base["kind"].is_null()
    if unknown.any():
        journal.remove(
            "out_of_scope",
            "a state that does not count as sold",
            base["source_row"].filter(unknown),
            warn=True,
        )
        base = base.filter(~unknown)
    lost = base["kind"] == "lost"
    journal.remove("out_of_scope", "deals lost", base["source_row"].filter(lost))
    base = base.filter(~lost)
    ahead = base.filter(pl.col("date") > dt.datetime.combine(_today(), dt.time()) + dt.timedelta(days=1))
    if ahead.height:
        journal.warn(
            "future dates",
            f"{ahead.height:,} rows are dated in the future, such as {ahead['date'][0].date()}: expected is not sold",
            count=ahead.height,
            rows=ahead["source_row"],
        )
    return base, refunds.join(base.select("source_row"), on="source_row", how="semi")


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def read_figures(drafts: Sequence[Draft], settings: Settings, journal: Journal) -> Built:
    """Turn tables by day, week or month into outcomes: one row per day and figure.

    Parameters
    ----------
    drafts : sequence of Draft
        All tables of the file.
    settings : Settings
        What the caller says.
    journal : Journal
        Takes guesses, cautions and rows set aside.

    Returns
    -------
    Built
        Columns date, date_end, grain, entity, outcome, value, currency, kind (reported) and segment.

    Raises
    ------
    DataError
        If a figure is given twice with different values, or no table has figures.
    """
    import polars as pl

    timed = [drafted for drafted in drafts if _has_time(drafted)]
    chosen = timed or [d for d in drafts if _may_be_range(d)]
    for drafted in drafts:
        if drafted not in chosen:
            reason = "rows of tables that are not by date" if timed else "rows of tables by a dimension"
            journal.remove("out_of_scope", reason, drafted.rows)
    frames, used = [], 0
    for drafted in chosen:
        long, rows = _long(drafted, settings, journal)
        used += rows
        if long.height:
            frames.append(long)
    if not frames:
        raise DataError(
            f"{journal.name}: no table has rows with figures that are known",
            got=f"{len(drafts)} tables: " + "; ".join(", ".join(d.table.header[:3]) for d in drafts[:4]),
            fix="export the report by date",
        )
    together = pl.concat(frames, how="diagonal")
    together = _once(together, journal)
    if not timed:
        _note_title(chosen[0], journal)
        journal.warn(
            "one row per range",
            "no table is by date: each row stands for the whole range and cannot be joined by day; export it by date",
            count=together.height,
        )
    people = [n for n in together["outcome"].unique().sort() if load_registry().field(n).unique]
    if people:
        journal.note(f"{', '.join(people)} count people: their days must not be added up as people")
    if drafts[0].layout.id == "ga4":
        journal.note(
            "Google Analytics thresholds, samples and models what consent leaves out, without a word in the file"
        )
        journal.note("days are those of the property's time zone, which the file does not state")
    together = one_currency(together, settings, journal)
    return Built(
        together.sort("date", "outcome", maintain_order=True), used, "outcomes", settings.exported_at
    )


def _note_title(drafted: Draft, journal: Journal) -> None:
    """A report whose title names another dimension than its header."""
    titled, first = drafted.table.lines.get("report", ""), drafted.table.header[0].strip()
    if titled and normalise(titled) != normalise(first):
        journal.note(f"the title of the report says {titled!r}, its header {first!r}: the header is believed")


def _has_time(drafted: Draft) -> bool:
    names = set(drafted.frame.columns)
    if names & {*_STEPS, "year_month"}:
        return True
    if "date" not in names:
        return False
    sample = drafted.frame["date"].head(50)
    dated = sample.str.contains(r"^\d{8}|^\d{6}$|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\p{L}{3}.*\d{4}")
    return len(sample) == 0 or int(dated.sum()) > 0.5 * len(sample)


def _may_be_range(drafted: Draft) -> bool:
    titles = drafted.layout.summary_titles
    return not titles or drafted.table.title in titles


def _long(drafted: Draft, settings: Settings, journal: Journal) -> tuple[pl.DataFrame, int]:
    """One table as long rows, and how many of its rows were used."""
    import polars as pl

    figures = [n for n in numeric_targets(drafted) if n not in _NO_OUTCOME and n not in _STEPS]
    if drafted.frame.height == 0:
        journal.note(f"a table ({', '.join(drafted.table.header[:3])}) has no rows")
        return pl.DataFrame(), 0
    if not figures:
        journal.remove("out_of_scope", "rows of tables without a figure that is known", drafted.rows)
        return pl.DataFrame(), 0
    start, end, grain = _when(drafted, settings, journal)
    columns, currencies = typed(drafted, figures, settings, journal)
    columns = {name: column for name, column in columns.items() if name in figures}
    lines = drafted.table.lines
    wide = pl.DataFrame(
        {
            "date": start,
            "date_end": end,
            "grain": pl.repeat(grain, drafted.frame.height, eager=True),
            "entity": pl.repeat(
                settings.entity or lines.get("entity", "") or drafted.layout.platform,
                drafted.frame.height,
                eager=True,
            ),
            "kind": pl.repeat("reported", drafted.frame.height, eager=True),
            "segment": _segment(drafted),
            "source_row": drafted.rows,
            **columns,
        }
    )
    undated = wide["date"].is_null() & (grain != "range")
    journal.remove("rejected", "no date", wide["source_row"].filter(undated), warn=True)
    wide = wide.filter(~undated)
    index = ["date", "date_end", "grain", "entity", "kind", "segment", "source_row"]
    long = wide.unpivot(figures, index=index, variable_name="outcome", value_name="value").drop_nulls("value")
    money = [n for n in figures if load_registry().field(n).type == "money"]
    codes = {name: currencies.get(name, (settings.currency or "").upper()) for name in money}
    long = long.with_columns(pl.col("outcome").replace_strict(codes, default="").alias("currency"))
    first = [
        "date",
        "entity",
        "outcome",
        "value",
        "currency",
        "kind",
        "grain",
        "date_end",
        "segment",
        "source_row",
    ]
    return long.select(first), wide.height


def _when(drafted: Draft, settings: Settings, journal: Journal) -> tuple[pl.Series, pl.Series, str]:
    """First and last day of each row, and the grain."""
    import polars as pl

    frame, lines = drafted.frame, drafted.table.lines
    stated = {name: _stated_day(lines.get(name, "")) for name in ("start", "end")}
    for name, step in _STEPS.items():
        if name in frame.columns:
            if stated["start"] is None:
                raise DataError(
                    f"{journal.name}, column {drafted.header(name)!r} counts from a start that the file does not state",
                    got=f"no line '# Start date' above row {drafted.table.header_row}",
                    fix="download the report again and keep the lines above its header",
                )
            base = stated["start"] if step != "1mo" else stated["start"].replace(day=1)
            count = frame[name].cast(pl.Int64, strict=False)
            days, following = _offset(base, count, step), _offset(base, count + 1, step)
            return days, following.dt.offset_by("-1d"), _GRAINS[step]
    for name, grain in (("date", "day"), ("year_month", "month")):
        if name in frame.columns and _has_time(drafted):
            days, _, precision = day_column(drafted, name, settings, journal)
            month = precision == "month" or grain == "month"
            return days, days.dt.month_end() if month else days, "month" if month else "day"
    none = [stated["start"]] * frame.height
    ends = [stated["end"]] * frame.height
    return pl.Series(none, dtype=pl.Datetime("us")), pl.Series(ends, dtype=pl.Datetime("us")), "range"


def _offset(base: dt.datetime, count: pl.Series, step: str) -> pl.Series:
    """`base` and so many steps later."""
    import polars as pl

    frame = pl.DataFrame({"n": count}).with_columns(pl.lit(base).cast(pl.Datetime("us")).alias("base"))
    by = pl.concat_str(pl.col("n").cast(pl.String), pl.lit(step[1:]))
    return frame.select(
        pl.when(pl.col("n").is_between(0, 10_000)).then(pl.col("base").dt.offset_by(by))
    ).to_series()


def _stated_day(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text.strip().rstrip(",").replace("-", ""), "%Y%m%d")
    except ValueError:
        return None


def _segment(drafted: Draft) -> pl.Series:
    """What a table is by besides time: the columns that are not known and hold no numbers."""
    import polars as pl

    table = drafted.table
    parts = []
    cells = table.cells.with_columns(table.rows.alias("row")).join(
        drafted.frame.select("row"), on="row", how="semi", maintain_order="left"
    )
    positions = list(table.match.unknown)
    if "date" in table.match.columns and not _has_time(drafted):
        positions = [table.match.columns["date"], *positions]
    for position in positions:
        column = cells[f"c{position}"] if f"c{position}" in cells.columns else None
        if column is not None and int(column.str.contains(r"\p{L}").sum()) > 0.5 * len(column):
            parts.append(column.alias(str(position)))
    if not parts:
        return pl.repeat("", drafted.frame.height, eager=True)
    return pl.DataFrame(parts[:3]).select(pl.concat_str(pl.all(), separator=" / ")).to_series()


def _once(frame: pl.DataFrame, journal: Journal) -> pl.DataFrame:
    """The same figure of the same day in two tables is one, or an error."""
    import polars as pl

    keys = ["date", "date_end", "grain", "entity", "outcome", "segment"]
    distinct = frame.unique([*keys, "value"], maintain_order=True, keep="first")
    twice = distinct.filter(distinct.select(pl.struct(keys).is_duplicated()).to_series())
    if twice.height and twice["grain"][0] != "range":
        raise DataError(
            f"{journal.name}: {twice['outcome'][0]!r} is given twice for {twice['date'][0].date()} with different values",
            got=places(tuple(twice["source_row"].head(3)), twice.height),
            fix="export one table at a time",
        )
    return distinct
