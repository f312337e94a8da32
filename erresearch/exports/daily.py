"""Daily figures, follower histories and advertising: one row per account and day, month or range."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from erresearch.errors import Count, DataError, argument, in_mapping
from erresearch.exports.columns import (
    Built,
    Draft,
    account_of,
    check_spikes,
    compare_totals,
    entities,
    lost_rows,
    numeric_targets,
    one_currency,
    rows_of,
    typed,
    without_copies,
)
from erresearch.exports.dates import parse_times
from erresearch.exports.layouts import MAPPED, load_registry, normalise
from erresearch.exports.log import ReadLog, TextColumn, places
from erresearch.exports.privacy import holds_people, is_personal, names_people
from erresearch.exports.timestamps import day_column, times_of
from erresearch.io import pl

_LONGEST_DAY = 1


def read_series(drafts: Sequence[Draft]) -> Built:
    """Turn drafts into one row per platform, account and day.

    Parameters
    ----------
    drafts : sequence of Draft
        One table, or several that stand in one file.

    Returns
    -------
    Built
        Columns date, platform, account and the figures.

    See Also
    --------
    read_ads : What advertising cost.
    read_figures : Outcomes by day.

    Raises
    ------
    DataError
        If a figure of one platform and day is given twice with different values.
    """
    read = [_one_series(drafted) for drafted in drafts]
    frames = [frame for frame, _ in read if frame is not None]
    log, layout = drafts[0].log, drafts[0].layout
    if not frames:
        raise DataError(
            f"{log.name}: no table has a known title",
            got=f"{Count(len(drafts)):table}, the first with its header in row {drafts[0].table.header_row}",
            allowed=", ".join(sorted(layout.titles)[:8]),
        )
    networks = sorted({str(frame["platform"][0]) for frame in frames if frame.height})
    shared = set.intersection(*(set(frame.columns) for frame in frames))
    if len(networks) > 1 and shared - {"date", "platform", "account", "source_row"}:
        log.caution(
            "several networks",
            f"the file has tables of {' and '.join(networks)}: their rows are named by platform and must not be "
            f"added up ({argument('platform')} reads one)",
        )
    together = pl.concat(frames, how="diagonal")
    keys = ["date", "platform", "account"]
    figures = [name for name in together.columns if name not in (*keys, "source_row")]
    fix = f"say which column holds the shop or account of a row with account, in [columns] {in_mapping()}"
    if len(frames) > 1:
        fix = f"export one table at a time, or read one of them with {argument('platform')}"
    long = together.with_columns(pl.col(figures).cast(pl.String)).unpivot(
        figures, index=[*keys, "source_row"], variable_name="outcome"
    )
    _refuse_twice(long.drop_nulls("value"), [*keys, "outcome"], log, fix)
    merged = together.group_by(keys, maintain_order=True).agg(
        pl.col(figures).drop_nulls().first(), pl.col("source_row").first()
    )
    if not layout.undated:
        merged = merged.sort("date", "platform", "account", maintain_order=True)
    return Built(merged, sum(rows for _, rows in read), layout.kind)


def _one_series(drafted: Draft) -> tuple[pl.DataFrame | None, int]:
    """One table by day, and how many rows of the file it stands for."""
    layout, log, exported_at = drafted.layout, drafted.log, drafted.settings.exported_at
    platform, column = layout.platform, ""
    if layout.titled:
        known = layout.titles.get(normalise(drafted.table.title))
        if known is None:
            reason = "rows of tables under a title that is not known"
            log.remove("out_of_scope", reason, drafted.rows, warn=True)
            return None, 0
        platform, column = known
    clock = None
    if layout.undated:
        days = pl.Series("date", [exported_at] * drafted.frame.height, dtype=pl.Datetime("us"))
        if exported_at is None:
            text = "the file does not say of which day its figures are; say it with exported_at "
            log.caution("no date", text + in_mapping())
    else:
        read = day_column(drafted, "date")
        days, clock = read.first, read.clock
    columns, codes = typed(drafted, numeric_targets(drafted))
    figures = {column if name == "primary" else name: values for name, values in columns.items()}
    rows = {"date": days, "platform": platform, "account": account_of(drafted, platform=platform), **figures}
    money = "revenue" in figures and ("currency" in drafted.frame.columns or "revenue" in codes)
    if money:
        rows["currency"] = codes.get("revenue", "")
    if money and "currency" in drafted.frame.columns:
        rows["currency"] = drafted.said("currency").str.to_uppercase()
    rows |= {} if clock is None else {_CLOCK: clock}
    frame = rows_of(drafted, rows, dated=not layout.undated)
    if money:
        frame = one_currency(frame, drafted)
    if not layout.undated:
        frame = without_copies(frame, log)
    frame, used = _summed_to_days(frame, list(figures), ["date", "platform", "account"], drafted)
    compare_totals(drafted, frame)
    for name in [one for one in figures if one in frame.columns]:
        if load_registry().field(name).people:
            log.note(f"{name} counts people: its days must not be added up as people")
        if frame[name].dtype == pl.Float64:
            about = f"column {name!r}: {{count:value is}} negative (corrections) and were kept"
            log.count("negative", about, frame[name] < 0, frame["source_row"])
            check_spikes(frame, [name], log)
    return frame, used


_CLOCK = "clock"
#: From as many rows of a day on, one may be lacking where clocks change; and the share of days that have as many.
_HOURS, _REGULAR = 23, 0.8


def _summed_to_days(
    frame: pl.DataFrame, figures: Sequence[str], keys: Sequence[str], drafted: Draft
) -> tuple[pl.DataFrame, int]:
    """Rows of hours as rows of days, and how many rows of the file these stand for.

    Where days have as many rows as hours, a day that lacks some would be smaller than it was, and is left out.
    """
    if _CLOCK not in frame.columns:
        return frame, frame.height
    twice = frame.select(pl.struct(keys).is_duplicated().any()).item()
    if not twice or frame.select(pl.struct(*keys, _CLOCK).is_duplicated().any()).item():
        return frame.drop(_CLOCK), frame.height
    count = frame.select(pl.len().over(keys)).to_series()
    days = frame.filter(pl.struct(keys).is_first_distinct()).height
    usual = int(frame.group_by(keys).len()["len"].mode().max())  # type: ignore[arg-type]
    least = usual - (usual >= _HOURS)
    if (count >= least).sum() > _REGULAR * usual * days:
        reason = "hours of days that lack others"
        frame = drafted.log.set_aside(frame, count < least, "rejected", reason, warn=True)
    known = load_registry()
    people = [name for name in figures if known.field(name).people]
    added = [
        pl.col(name).sort_by(_CLOCK).last()
        if known.field(name).stock
        else pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum())
        for name in figures
        if name not in people
    ]
    rest = [name for name in frame.columns if name not in (*keys, *figures, _CLOCK)]
    summed = frame.group_by(keys, maintain_order=True).agg(*added, pl.col(rest).first())
    drafted.log.note(
        f"column {drafted.header('date')!r} has a clock: {Count(frame.height):row was} summed to "
        f"{Count(summed.height):day}"
        + (f"; {', '.join(people)} count people and were left out" if people else "")
    )
    return summed.select([name for name in frame.columns if name in summed.columns]), frame.height


def _range_of(text: str) -> tuple[dt.datetime, dt.datetime] | None:
    """Read a range of days such as ``July 8, 2025 - July 31, 2025``."""
    cells = pl.Series([text.strip().strip('"')], dtype=pl.String)
    try:
        times = parse_times(TextColumn(cells, pl.Series([1]), "range", ReadLog("")))
    except DataError:
        return None
    if times.last is None or times.local.null_count() or times.last.null_count():
        return None
    return times.local[0], times.last[0]


def read_ads(drafts: Sequence[Draft]) -> Built:
    """Turn a report on advertising into rows with their grain: day, month or range.

    Parameters
    ----------
    drafts : sequence of Draft
        One table.

    Returns
    -------
    Built
        Columns date, date_end, grain, platform, account, spend, currency and the figures.

    Raises
    ------
    DataError
        If the currencies differ and none is chosen.
    """
    drafted = drafts[0]
    text, log = drafted.frame, drafted.log
    columns, currencies = typed(drafted, numeric_targets(drafted))
    start, end = _span(drafted)
    rows: dict[str, object] = {"date": start, "date_end": end, "platform": drafted.layout.platform}
    rows["account"] = drafted.said("campaign") if "campaign" in text.columns else account_of(drafted)
    if drafted.settings.entity or "entity" in text.columns:
        rows["entity"] = entities(drafted)
    rows["currency"] = currencies.get("spend", "")
    if "currency" in text.columns:
        rows["currency"] = drafted.said("currency").str.to_uppercase()
    frame = rows_of(drafted, {**rows, **columns}, dated=True)
    length = (frame["date_end"] - frame["date"]).dt.total_days()
    longest = 31 if "month" in text.columns else 0
    grain = pl.when(length < _LONGEST_DAY).then(pl.lit("day")).when(length <= longest).then(pl.lit("month"))
    frame = frame.with_columns(grain.otherwise(pl.lit("range")).alias("grain"))
    ranges = int((frame["grain"] == "range").sum())
    if ranges:
        log.caution(
            "one row per range",
            "the report has one row per campaign for its whole range: it cannot be joined by day; export it again by day",
            count=ranges,
        )
    if drafted.layout.circular and "results" in columns:
        log.caution(
            "circular outcome",
            "results are already credited to the advertising by its seller: as an outcome they contain what they are to "
            "be explained by",
        )
    frame = one_currency(frame, drafted)
    compare_totals(drafted, frame)
    return Built(frame, frame["source_row"].n_unique(), "ads")


def _span(drafted: Draft) -> tuple[pl.Series, pl.Series]:
    """First and last day of each row's figures."""
    text = drafted.frame
    if "month" in text.columns:
        # a month may be cut by the range of the report
        times = times_of(drafted.unheard(), "month", refuse=False)
        if times.last is not None:
            return times.local, times.last
    for name in ("day", "date"):
        if name in text.columns:
            days = day_column(drafted, name)
            if name == "date" and "date_end" in text.columns:
                return days.first, day_column(drafted, "date_end").first
            return days.first, days.last
    stated = _range_of(drafted.table.lines.get("range", ""))
    if stated is None:
        raise DataError(
            f"{drafted.log.name} states no dates",
            got=drafted.table.shown(),
            fix="export the report by day",
        )
    return (pl.Series([day] * text.height, dtype=pl.Datetime("us")) for day in stated)  # type: ignore[return-value]


def last_printed(drafted: Draft) -> int | None:
    """Month · 100 + day of the last row, where its dates have no year."""
    days = times_of(drafted.unheard(), "date", refuse=False).month_day
    known = [] if days is None else days.drop_nulls().tail(1).to_list()
    return int(known[0]) if known else None


_STEPS = {"nth_day": "1d", "nth_week": "1w", "nth_month": "1mo"}
_GRAINS = {"1d": "day", "1w": "week", "1mo": "month"}
_FIGURE = ("date", "entity", "outcome", "value", "currency", "kind", "grain", "date_end", "segment")
#: Columns that a segment is made of, at most.
_MOST_PARTS = 3
_NO_OUTCOME = frozenset({"line_quantity", "impressions_ctr"})


def read_figures(drafts: Sequence[Draft]) -> Built:
    """Turn tables by day, week or month into outcomes: one row per day and figure.

    Parameters
    ----------
    drafts : sequence of Draft
        All tables of the file.

    Returns
    -------
    Built
        Columns date, date_end, grain, entity, outcome, value, currency, kind (reported) and segment.

    Raises
    ------
    DataError
        If a figure is given twice with different values, or no table has figures.
    """
    log = drafts[0].log
    timed = [drafted for drafted in drafts if _has_time(drafted)]
    chosen = timed or [d for d in drafts if d.table.title in (d.layout.summary_titles or [d.table.title])]
    for drafted in drafts:
        if drafted not in chosen:
            reason = "rows of tables that are not by date" if timed else "rows of tables by a dimension"
            log.remove("out_of_scope", reason, drafted.rows)
    frames, used = [], 0
    told: dict[str, str] = {}
    for drafted in chosen:
        long, rows, dimension = _long(drafted)
        used += rows
        if dimension and long.height:
            # what an earlier table gives by another dimension would be counted twice
            again = [n for n in long["outcome"].unique() if told.setdefault(n, dimension) != dimension]
            left = long.filter(~pl.col("outcome").is_in(again))
            reason = "the same figures by another dimension"
            used -= log.remove("out_of_scope", reason, lost_rows(long, left), warn=True)
            long = left
        if long.height:
            frames.append(long)
    if not frames:
        raise DataError(
            f"{log.name}: no table has rows with figures that are known",
            got=f"{Count(len(drafts)):table}: " + "; ".join(d.table.shown(most=3) for d in drafts[:4]),
            fix="export the report by date",
        )
    both = pl.concat(frames, how="diagonal")
    together = _once(both, log)
    used -= log.remove("rejected", "copies of an earlier row", lost_rows(both, together), warn=True)
    if not timed:
        titled, first = chosen[0].table.lines.get("report", ""), chosen[0].table.header[0].strip()
        if titled and normalise(titled) != normalise(first):
            named = f"its header {chosen[0].table.shown([0])}, which is believed"
            log.note(f"the report's title names another dimension than {named}")
        log.caution(
            "one row per range",
            "no table is by date: each row stands for the whole range and cannot be joined by day; export it by date",
            count=together.height,
        )
    people = [n for n in together["outcome"].unique().sort() if load_registry().field(n).people]
    if people:
        log.note(f"{', '.join(people)} count people: their days must not be added up as people")
    if drafts[0].layout.id == "ga4":
        log.note(
            "Google Analytics thresholds, samples and models what consent leaves out, without a word in the file"
        )
        log.note("days are those of the property's time zone, which the file does not state")
    kept = one_currency(together, drafts[0])
    used -= together["source_row"].n_unique() - kept["source_row"].n_unique()
    return Built(kept.sort("date", "outcome", maintain_order=True), used, "outcomes")


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


def _long(drafted: Draft) -> tuple[pl.DataFrame, int, str]:
    """One table as long rows, how many of its rows were used, and what it is by besides time."""
    log, settings = drafted.log, drafted.settings
    figures = [n for n in numeric_targets(drafted) if n not in _NO_OUTCOME and n not in _STEPS]
    if drafted.frame.height == 0:
        log.note(f"a table ({drafted.table.shown(most=3)}) has no rows")
        return pl.DataFrame(), 0, ""
    if not figures:
        log.remove("out_of_scope", "rows of tables without a figure that is known", drafted.rows)
        return pl.DataFrame(), 0, ""
    _refuse_comparison(drafted)
    start, end, grain, clock = _when(drafted)
    columns, currencies = typed(drafted, figures)
    columns = {name: column for name, column in columns.items() if name in figures}
    segment, people, dimension = _segment(drafted)
    rows = {
        "date": start,
        "date_end": end,
        "grain": grain,
        "entity": entities(drafted, otherwise=drafted.table.lines.get("entity", "")),
        "kind": "reported",
        "segment": segment,
    }
    rows |= columns if clock is None else {**columns, _CLOCK: clock}
    wide = rows_of(drafted, rows, dated=grain != "range")
    index = ["date", "date_end", "grain", "entity", "kind", "segment", "source_row"]
    if not people:
        wide, used = _summed_to_days(wide, figures, index[:-1], drafted)
        figures = [name for name in figures if name in wide.columns]
    long = wide.unpivot(figures, index=index, variable_name="outcome", value_name="value").drop_nulls("value")
    money = [n for n in figures if load_registry().field(n).cell == "money"]
    codes = {name: currencies.get(name, (settings.currency or "").upper()) for name in money}
    long = long.with_columns(pl.col("outcome").replace_strict(codes, default="").alias("currency"))
    long = long.select(*_FIGURE, "source_row")
    return _added_up(long, people, log) if people else long, wide.height if people else used, dimension


def _refuse_comparison(drafted: Draft) -> None:
    """A report that compares two ranges has each day twice, once for each."""
    table = drafted.table
    names = {normalise(header) for header in drafted.layout.comparisons}
    for position in (i for i, header in enumerate(table.header) if normalise(header) in names):
        ranges = table.cells[f"c{position}"].str.strip_chars().unique().sort().to_list()
        if len(ranges) > 1:
            raise DataError(
                f"{drafted.log.name} compares several ranges of dates, whose days would count more than once",
                got=f"{Count(len(ranges)):range} in column {table.shown([position])}",
                fix="take the comparison out of the report and download it again",
            )


def _when(drafted: Draft) -> tuple[pl.Series, pl.Series, str, pl.Series | None]:
    """First and last day of each row, the grain, and the clock where there is one."""
    frame, lines = drafted.frame, drafted.table.lines
    stated = {name: _stated_day(lines.get(name, "")) for name in ("start", "end")}
    for name, step in _STEPS.items():
        if name in frame.columns:
            if stated["start"] is None:
                raise DataError(
                    f"{drafted.log.name}, column {drafted.header(name)!r} "
                    "counts from a start that the file does not state",
                    got=f"no line '# Start date' above row {drafted.table.header_row}",
                    fix="download the report again and keep the lines above its header",
                )
            base = stated["start"] if step != "1mo" else stated["start"].replace(day=1)
            count = frame[name].cast(pl.Int64, strict=False)
            days, following = _offset(base, count, step), _offset(base, count + 1, step)
            return days, following.dt.offset_by("-1d"), _GRAINS[step], None
    for name in ("date", "year_month"):
        if name in frame.columns and _has_time(drafted):
            read = day_column(drafted, name)
            if name == "year_month" and read.grain == "day":
                return read.first, read.first.dt.month_end(), "month", None
            return read.first, read.last, read.grain, read.clock
    start, end = (pl.Series([day] * frame.height, dtype=pl.Datetime("us")) for day in stated.values())
    return start, end, "range", None


def _offset(base: dt.datetime, count: pl.Series, step: str) -> pl.Series:
    """`base` and so many steps later."""
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


def _added_up(long: pl.DataFrame, people: int, log: ReadLog) -> pl.DataFrame:
    """Figures of a table by customers and the like, summed over them: people are not loaded, what they paid is."""
    registry = load_registry()
    counted = [name for name in long["outcome"].unique() if registry.field(name).people]
    log.note(
        f"the table is also by {Count(people):personal column}, which are not loaded: its rows were added up over them"
        + (f"; {', '.join(sorted(counted))} count people and were left out" if counted else "")
    )
    keys = [name for name in long.columns if name not in ("value", "source_row")]
    kept = long.filter(~pl.col("outcome").is_in(counted))
    summed = kept.group_by(keys, maintain_order=True).agg(pl.col("value").sum(), pl.col("source_row").first())
    return summed.select(long.columns)


def _segment(drafted: Draft) -> tuple[pl.Series, int, str]:
    """What a table is by besides time, how many of its columns name people, and the header of the others.

    Columns that are not known and hold no numbers, unless a mapping names one. Personal columns never make a segment, by
    their header or by what they hold.
    """
    table = drafted.table
    if "segment" in drafted.frame.columns:
        own = drafted.said("segment")
        if not (names_people(drafted.header("segment")) or holds_people(own)):
            return own, 0, ""
        return pl.repeat("", drafted.frame.height, eager=True), 1, ""
    parts: dict[str, str] = {}
    people = 0
    # what a platform lists by is a title of a page; in a list of one's own a title is what somebody wrote
    private = is_personal if drafted.layout.evidence == MAPPED else names_people
    cells = table.cells.filter(table.rows.is_in(drafted.rows.to_list()))
    listed = [table.match.columns["date"]] if "date" in table.match.columns and not _has_time(drafted) else []
    for position in [i for i in (*listed, *table.match.unknown) if f"c{i}" in cells.columns]:
        column, header = cells[f"c{position}"], table.header[position]
        if int(column.str.contains(r"\p{L}").sum()) <= 0.5 * len(column):
            continue
        if private(header) or holds_people(column):
            people += 1
        elif len(parts) < _MOST_PARTS:
            parts[column.name] = normalise(header)
    if not parts:
        return pl.repeat("", drafted.frame.height, eager=True), people, ""
    segment = cells.select(pl.concat_str(*parts, separator=" / ")).to_series()
    return segment, people, " / ".join(parts.values())


def _once(frame: pl.DataFrame, log: ReadLog) -> pl.DataFrame:
    """The same figure of the same day in two tables is one, or an error."""
    keys = ["date", "date_end", "grain", "entity", "outcome", "segment"]
    # rows of a whole range have no date to be known by, and may be alike
    ranged = pl.col("grain") == "range"
    dated = frame.filter(~ranged).unique([*keys, "value"], maintain_order=True, keep="first")
    _refuse_twice(dated, keys, log, "export one table at a time")
    return pl.concat([dated, frame.filter(ranged)])


def _refuse_twice(long: pl.DataFrame, keys: Sequence[str], log: ReadLog, fix: str) -> None:
    """Refuse a figure that is given twice for the same day with different values."""
    distinct = long.unique([*keys, "value"], maintain_order=True, keep="first")
    twice = distinct.filter(pl.struct(keys).is_duplicated())
    if twice.height:
        raise DataError(
            f"{log.name}: {twice['outcome'][0]} is given twice for the same day with different values",
            got=places(tuple(twice["source_row"].head(3)), twice.height),
            fix=fix,
        )
