"""Daily figures, follower histories and advertising: one row per account and day, month or range."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from erresearch.errors import ColumnError, DataError
from erresearch.exports.cells import Built, Draft, further, numeric_targets, typed
from erresearch.exports.clocks import parse_times
from erresearch.exports.posts import account_of, compare_totals
from erresearch.exports.published import impossible, refuse_unread, with_years
from erresearch.exports.records import Journal, places
from erresearch.exports.registry import Kind, load_registry, normalise
from erresearch.exports.settings import Settings

if TYPE_CHECKING:
    import polars as pl

__all__ = ["day_column", "one_currency", "range_of", "read_ads", "read_series"]

_RANGE = r"^(.*\d{4})\s+[-–]\s+(.*\d{4})$"
_ISO_RANGE = r"^(\d{4}-\d{2}-\d{2})\s+[-–]\s+(\d{4}-\d{2}-\d{2})$"
_LONGEST_DAY = 1


def day_column(
    drafted: Draft, target: str, settings: Settings, journal: Journal
) -> tuple[pl.Series, pl.Series, str]:
    """Read a column of days.

    Returns
    -------
    days, utc, precision
        The day as printed, at midnight; the moment in UTC where a clock and its zone are stated, else null; and
        how precise the cells are.

    Raises
    ------
    DataError
        If more than 5 % of the cells are no date, or lack the year and nothing gives it.
    """
    import polars as pl

    header = drafted.header(target)
    times = parse_times(
        drafted.frame[target],
        drafted.rows,
        journal,
        header=header,
        order=settings.dates or drafted.layout.dates,
        dayfirst=settings.dayfirst,
    )
    refuse_unread(times, drafted.frame[target], drafted.rows, journal, header=header)
    if times.month_day is not None:
        times = with_years(times, drafted.rows, None, settings.exported_at, journal, header=header)
    utc = (
        times.utc if times.utc is not None else pl.Series([None] * len(times.local), dtype=pl.Datetime("us"))
    )
    odd = impossible(times.local, drafted.rows, journal, header=header)
    return times.local.set(odd, None).dt.truncate("1d").alias(target), utc.set(odd, None), times.precision


def read_series(drafts: Sequence[Draft], settings: Settings, journal: Journal, kind: Kind) -> Built:
    """Turn drafts into one row per platform, account and day.

    Parameters
    ----------
    drafts : sequence of Draft
        One table, or several that stand in one file.
    settings : Settings
        What the caller says.
    journal : Journal
        Takes guesses, cautions and rows set aside.
    kind : {"daily", "followers"}
        What they are.

    Returns
    -------
    Built
        Columns date, platform, account and the figures.

    Raises
    ------
    DataError
        If a figure of one platform and day is given twice with different values.
    """
    import polars as pl

    frames = []
    used = 0
    for drafted in drafts:
        frame = _one_series(drafted, settings, journal)
        if frame is not None:
            frames.append(frame)
            used += frame.height
    if not frames:
        titles = [d.table.title for d in drafts]
        raise DataError(f"{journal.name}: no table has a known title", got=", ".join(map(repr, titles[:6])))
    networks = sorted({str(frame["platform"][0]) for frame in frames if frame.height})
    if len(frames) > 1 and len(networks) > 1:
        figures = [n for n in frames[0].columns if all(n in f.columns for f in frames)]
        if set(figures) - {"date", "platform", "account", "source_row"}:
            journal.warn(
                "several networks",
                f"the file has tables of {' and '.join(networks)}: their rows are named by platform and must not be "
                f"added up (platform={networks[0]!r} takes one)",
            )
    together = pl.concat(frames, how="diagonal")
    keys = ["date", "platform", "account"]
    figures = [name for name in together.columns if name not in (*keys, "source_row")]
    for name in figures:
        known = together.filter(pl.col(name).is_not_null())
        twice = known.filter(known.select(pl.struct(keys).is_duplicated()).to_series())
        if twice.height and twice.select([*keys, name]).n_unique() > twice.select(keys).n_unique():
            raise DataError(
                f"{journal.name}: {name} is given twice for the same day with different values",
                got=places(tuple(twice["source_row"].head(3)), twice.height),
                fix="export one table at a time, or choose one with platform=",
            )
    merged = together.group_by(keys, maintain_order=True).agg(
        pl.col(figures).drop_nulls().first(), pl.col("source_row").first()
    )
    if merged.height and drafts[0].layout.undated:
        return Built(merged, used, kind, settings.exported_at)
    return Built(
        merged.sort("date", "platform", "account", maintain_order=True), used, kind, settings.exported_at
    )


def _one_series(drafted: Draft, settings: Settings, journal: Journal) -> pl.DataFrame | None:
    import polars as pl

    layout, platform, rename = drafted.layout, drafted.layout.platform, {}
    if layout.titled:
        known = layout.titles.get(normalise(drafted.table.title))
        if known is None:
            reason = f"table titled {drafted.table.title!r}, which is not known"
            journal.remove("out_of_scope", reason, drafted.rows, warn=True)
            return None
        platform, column = known
        rename = {"primary": column} if "primary" in drafted.frame.columns else {}
    if layout.undated:
        days = pl.Series("date", [settings.exported_at] * drafted.frame.height, dtype=pl.Date).cast(
            pl.Datetime("us")
        )
        if settings.exported_at is None:
            journal.warn(
                "no date",
                "the file does not say of which day its figures are; say it with exported_at in mapping=",
            )
    else:
        if "date" not in drafted.frame.columns:
            raise ColumnError(
                f"{drafted.table.part} has no column of days", got=", ".join(drafted.table.header)
            )
        days, _, _ = day_column(drafted, "date", settings, journal)
    columns, _ = typed(drafted, numeric_targets(drafted), settings, journal)
    figures = {rename.get(name, name): column for name, column in columns.items()}
    frame = pl.DataFrame(
        {
            "date": days,
            "platform": pl.repeat(platform, len(days), eager=True),
            "account": account_of(drafted, settings, journal, platform=platform),
            **figures,
            "source_row": drafted.rows,
        }
    ).with_columns(further(drafted, settings).values())
    if not layout.undated:
        undated = frame["date"].is_null()
        journal.remove("rejected", "no date", frame["source_row"].filter(undated), warn=True)
        frame = frame.filter(~undated)
        again = frame.select(pl.struct(pl.exclude("source_row")).is_first_distinct().not_()).to_series()
        journal.remove("rejected", "copies of an earlier row", frame["source_row"].filter(again), warn=True)
        frame = frame.filter(~again)
    compare_totals(drafted, frame, settings, journal)
    for name in figures:
        registry = load_registry().field(name)
        if registry.unique:
            journal.note(f"{name} counts people: its days must not be added up as people")
        if frame[name].dtype == pl.Float64 and (frame[name] < 0).any():
            low = frame[name] < 0
            journal.warn(
                "negative",
                f"column {name!r}: {int(low.sum()):,} values are negative (corrections) and were kept",
                count=int(low.sum()),
                rows=frame["source_row"].filter(low.fill_null(False)),
            )
    return frame


def range_of(text: str, journal: Journal) -> tuple[dt.datetime, dt.datetime] | None:
    """Read a range of days such as ``July 8, 2025 - July 31, 2025``.

    Examples
    --------
    >>> [str(day.date()) for day in range_of("27 January 2026 - 23 February 2026", Journal("f"))]
    ['2026-01-27', '2026-02-23']
    """
    import polars as pl

    ends = pl.Series([text.strip().strip('"')]).str.extract_groups(_RANGE)
    first, last = ends.struct.field("1")[0], ends.struct.field("2")[0]
    if first is None or last is None:
        return None
    try:
        days = parse_times(
            pl.Series([first, last]), pl.Series([1, 1]), Journal(journal.name), header="range"
        ).local
    except DataError:
        return None
    if days.null_count():
        return None
    return days[0], days[1]


def one_currency(frame: pl.DataFrame, settings: Settings, journal: Journal) -> pl.DataFrame:
    """Keep the one currency that the caller chooses, or refuse several.

    Raises
    ------
    DataError
        If there are several and none is chosen, or the chosen one is not there.
    """
    import polars as pl

    named = frame.filter(pl.col("currency") != "")
    counts = {str(code): count for code, count in named["currency"].value_counts(sort=True).iter_rows()}
    wanted = settings.currency.upper() if settings.currency else None
    if wanted is None:
        if len(counts) > 1:
            raise DataError(
                f"{journal.name} holds several currencies, which are never added up",
                got=", ".join(f"{code} in {count:,} rows" for code, count in counts.items()),
                fix=f"choose one with currency={next(iter(counts))!r}, or export the amounts in one currency",
            )
        return frame
    if not counts:
        journal.note(f"amounts are in {wanted}, as given")
        return frame.with_columns(pl.lit(wanted).alias("currency"))
    if wanted not in counts:
        if len(counts) == 1 and any(guess.name == "currency" for guess in journal.guesses):
            return frame.with_columns(pl.lit(wanted).alias("currency"))
        raise DataError(
            f"{journal.name} holds no amounts in {wanted}",
            got=", ".join(sorted(counts)),
            fix="choose one of these",
        )
    other = (frame["currency"] != wanted) & (frame["currency"] != "")
    if "source_row" in frame.columns:
        rows = frame.filter(other)["source_row"].unique()
        journal.remove("out_of_scope", f"amounts in other currencies than {wanted}", rows, warn=True)
    return frame.filter(~other)


def read_ads(drafts: Sequence[Draft], settings: Settings, journal: Journal) -> Built:
    """Turn a report on advertising into rows with their grain: day, month or range.

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
        Columns date, date_end, grain, platform, account, spend, currency and the figures.

    Raises
    ------
    DataError
        If the currencies differ and none is chosen.
    """
    import polars as pl

    (drafted,) = drafts[:1]
    columns, currencies = typed(drafted, numeric_targets(drafted), settings, journal)
    start, end = _span(drafted, settings, journal)
    text = drafted.frame
    campaign = (
        text["campaign"].str.strip_chars()
        if "campaign" in text.columns
        else account_of(drafted, settings, journal)
    )
    currency = (
        text["currency"].str.strip_chars().str.to_uppercase()
        if "currency" in text.columns
        else pl.repeat(currencies.get("spend", ""), text.height, eager=True)
    )
    frame = pl.DataFrame(
        {
            "date": start,
            "date_end": end,
            "platform": pl.repeat(drafted.layout.platform, text.height, eager=True),
            "account": campaign,
            "currency": currency,
            **columns,
            "source_row": drafted.rows,
        }
    ).with_columns(further(drafted, settings).values())
    undated = frame["date"].is_null()
    journal.remove("rejected", "no date", frame["source_row"].filter(undated), warn=True)
    frame = frame.filter(~undated)
    length = (frame["date_end"] - frame["date"]).dt.total_days()
    grain = pl.DataFrame({"n": length}).select(
        pl.when(pl.col("n") < _LONGEST_DAY).then(pl.lit("day")).when(pl.col("n") <= 31).then(pl.lit("month")).otherwise(
            pl.lit("range")
        )
    ).to_series() if "month" in text.columns else length.map_elements(
        lambda days: "day" if days < _LONGEST_DAY else "range", return_dtype=pl.String
    )  # fmt: skip
    frame = frame.with_columns(grain.alias("grain"))
    if (frame["grain"] == "range").any():
        journal.warn(
            "one row per range",
            "the report has one row per campaign for its whole range: it cannot be joined by day; export it again by day",
            count=int((frame["grain"] == "range").sum()),
        )
    if drafted.layout.circular and "results" in columns:
        window = (
            sorted({t for t in text["attribution"].to_list() if t})[:2]
            if "attribution" in text.columns
            else []
        )
        journal.warn(
            "circular outcome",
            "results are already credited to the advertising by its seller"
            + (f" ({', '.join(window)})" if window else "")
            + ": as an outcome they contain what they are to be explained by",
        )
    frame = one_currency(frame, settings, journal)
    compare_totals(drafted, frame, settings, journal)
    return Built(frame, frame["source_row"].n_unique(), "ads", settings.exported_at)


def _span(drafted: Draft, settings: Settings, journal: Journal) -> tuple[pl.Series, pl.Series]:
    """First and last day of each row's figures."""
    import polars as pl

    text = drafted.frame
    if "month" in text.columns:
        parts = (
            pl.DataFrame({"t": text["month"]}).select(pl.col("t").str.extract_groups(_ISO_RANGE))["t"].struct
        )
        first, last = parts.field("1"), parts.field("2")
        if first.is_not_null().any():
            return (part.str.to_datetime("%Y-%m-%d", strict=False, time_unit="us") for part in (first, last))  # type: ignore[return-value]
    for name in ("day", "date"):
        if name in text.columns:
            start, _, _ = day_column(drafted, name, settings, journal)
            if name == "date" and "date_end" in text.columns:
                end, _, _ = day_column(drafted, "date_end", settings, journal)
                return start, end
            return start, start
    stated = range_of(drafted.table.lines.get("range", ""), journal)
    if stated is None:
        raise DataError(
            f"{journal.name} states no dates",
            got=", ".join(drafted.table.header[:8]),
            fix="export the report by day",
        )
    return (pl.Series([day] * text.height, dtype=pl.Datetime("us")) for day in stated)  # type: ignore[return-value]


def last_printed(drafted: Draft, settings: Settings, journal: Journal) -> int | None:
    """Month · 100 + day of the last row, where its dates have no year."""
    times = parse_times(
        drafted.frame["date"], drafted.rows, Journal(journal.name), header="date", order=drafted.layout.dates
    )
    if times.month_day is None or times.month_day.drop_nulls().is_empty():
        return None
    known = replace(times).month_day
    assert known is not None
    values = known.drop_nulls()
    return int(max(values[0], values[-1]) if len(values) < 2 else values[-1])
