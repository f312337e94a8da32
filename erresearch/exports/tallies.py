"""Figures that a shop or a web analytics tool has already added up by day, week, month or range."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from erresearch.errors import DataError
from erresearch.exports.cells import Built, Draft, numeric_targets, typed
from erresearch.exports.records import Journal, places
from erresearch.exports.registry import load_registry, normalise
from erresearch.exports.series import day_column, one_currency
from erresearch.exports.settings import Settings

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_figures"]

_STEPS = {"nth_day": "1d", "nth_week": "1w", "nth_month": "1mo"}
_GRAINS = {"1d": "day", "1w": "week", "1mo": "month"}
_NO_OUTCOME = frozenset({"line_quantity", "impressions_ctr"})


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
    used -= journal.remove(
        "rejected",
        "copies of an earlier row",
        sorted({row for frame in frames for row in frame["source_row"]} - set(together["source_row"])),
        warn=True,
    )
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
    if drafted.header("date") not in drafted.layout.labels:
        return True
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
    _refuse_comparison(drafted, journal)
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


def _refuse_comparison(drafted: Draft, journal: Journal) -> None:
    """A report that compares two ranges has each day twice, once for each."""
    table = drafted.table
    names = {normalise(header) for header in drafted.layout.comparisons}
    for position in (i for i, header in enumerate(table.header) if normalise(header) in names):
        ranges = table.cells[f"c{position}"].str.strip_chars().unique().sort().to_list()
        if len(ranges) > 1:
            raise DataError(
                f"{journal.name} compares several ranges of dates, whose days would count more than once",
                got="; ".join(ranges[:4]),
                fix="take the comparison out of the report and download it again",
            )


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
    # rows of a whole range have no date to be known by, and may be alike
    ranged = frame.filter(pl.col("grain") == "range")
    distinct = frame.filter(pl.col("grain") != "range")
    distinct = pl.concat([distinct.unique([*keys, "value"], maintain_order=True, keep="first"), ranged])
    twice = distinct.filter(distinct.select(pl.struct(keys).is_duplicated()).to_series())
    if twice.height and twice["grain"][0] != "range":
        raise DataError(
            f"{journal.name}: {twice['outcome'][0]!r} is given twice for {twice['date'][0].date()} with different values",
            got=places(tuple(twice["source_row"].head(3)), twice.height),
            fix="export one table at a time",
        )
    return distinct
