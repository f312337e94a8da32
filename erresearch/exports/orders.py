"""Orders, payments, deals and answers one by one.

What counts as sold, what was given back, in which currency and when; and who would recommend, from 0 to 10, without the
person.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from erresearch.errors import ColumnError, Count, DataError, argument, in_mapping
from erresearch.exports.columns import (
    Built,
    Draft,
    entities,
    flags,
    number_column,
    one_currency,
    rows_of,
    without_copies,
    without_gaps,
)
from erresearch.exports.layouts import KEPT, MAPPED, load_registry, normalise
from erresearch.exports.log import ReadLog, places
from erresearch.exports.numbers import currency_of, same_sign, show_code
from erresearch.exports.privacy import hashed, is_personal
from erresearch.exports.tables import ExportTable
from erresearch.exports.timestamps import business_days, day_column, impossible, times_of, to_utc
from erresearch.io import pl

_ITEMS = "further line items of an order that is counted"
_EVENT = (
    "date", "entity", "outcome", "value", "currency", "kind", "at", "time_source", "time_precision", "order_id",
)  # fmt: skip

#: Share of a file's days from which an id on rows of so many names no order, and how many days are needed to see it.
_SPREAD, _DAYS = 0.5, 5
#: Orders of several rows from which amounts that never differ within one are those of the order.
_ORDERS = 5


def read_orders(drafts: Sequence[Draft]) -> Built:
    """Turn orders, payments or deals into outcomes.

    Each that counts gives a row ``revenue`` and a row ``orders`` (value 1) of kind ``sale``; what was given back is a
    further row of kind ``refund`` with a negative value, on the day of the refund where the file states it. What
    failed, is pending or was cancelled is kept under that kind, and is no sale.

    Parameters
    ----------
    drafts : sequence of Draft
        One table.

    Returns
    -------
    Built
        Columns date, entity, outcome, value, currency, kind, at, time_source, time_precision, order_id.

    See Also
    --------
    erresearch.exports.daily.read_figures : Sales that a shop has added up.

    Raises
    ------
    DataError
        If money stands on several rows of one order, or in several currencies of which none is chosen.
    """
    drafted = _one_row_per_order(drafts[0])
    value, currency, name = _money(drafted)
    kind = _states(drafted)
    if not drafted.layout.pipeline:
        # a negative amount gives money back, whatever state its row is in, and so does a state that says so
        back = (value < 0).fill_null(False) & kind.is_in(["sale", "refund"]).fill_null(False)
        about = "{count:row has} a negative amount: refunds, not orders"
        drafted.log.count("negative", about, back, drafted.rows)
        kind = kind.zip_with(~back, pl.repeat("refund", len(kind), eager=True))
        value = value.zip_with((kind != "refund").fill_null(True), -value.abs())
    day, at, source, precision = _moments(drafted)
    ids = drafted.said("order_id")
    none = [*load_registry().missing, *([] if "order_id" in drafted.frame.columns else [""])]
    rows = {
        "date": day,
        "entity": entities(drafted),
        "value": value,
        "currency": currency,
        "kind": kind,
        "state": drafted.said("status"),
        "at": at,
        "time_source": source,
        "time_precision": precision,
        "order_id": ids.set(ids.str.to_lowercase().is_in(none), None),
    }
    base = rows_of(drafted, rows, dated=False)
    refunds = _refunds(drafted, base, converted=name == "converted")
    base, refunds = _set_aside(base, refunds, drafted.log, header=drafted.header("status"))
    frame = one_currency(base.drop("state"), drafted)
    refunds = refunds.drop("state").join(frame.select("source_row"), on="source_row", how="semi")
    used = frame["source_row"].n_unique()
    if frame.height and refunds.height:
        refunds = refunds.with_columns(pl.lit(frame["currency"][0]).alias("currency"))
    counted = frame.with_columns(value=pl.lit(1.0), currency=pl.lit(""), outcome=pl.lit("orders"))
    # a further payment of an order is no further order, where the id tells orders apart
    once = pl.struct("entity", "order_id", "kind").is_first_distinct()
    own = (pl.col("kind") != "refund") & (pl.col("order_id").is_null() | once | _names_none(frame))
    parts = [frame.with_columns(outcome=pl.lit("revenue")), counted.filter(own), refunds]
    together = pl.concat(parts, how="diagonal").sort("date", "source_row", maintain_order=True)
    by_kind = frame["kind"].value_counts(sort=True)
    drafted.log.note("rows by kind: " + ", ".join(f"{count:,} {name}" for name, count in by_kind.iter_rows()))
    return Built(
        together.select([*_EVENT, *(c for c in together.columns if c not in _EVENT)]), used, "outcomes"
    )


def _names_none(frame: pl.DataFrame) -> pl.Expr:
    """Ids that tell no orders apart, such as the number of a till: they stand on rows of most days of the file."""
    days = frame["date"].n_unique()
    if days < _DAYS:
        return pl.lit(frame["order_id"].n_unique() == 1 and frame.height > _DAYS)
    return pl.col("date").n_unique().over("entity", "order_id") >= _SPREAD * days


def _one_row_per_order(drafted: Draft) -> Draft:
    """Line items after the first carry no money of the order."""
    layout, frame, log = drafted.layout, drafted.frame, drafted.log
    if not layout.group or layout.group not in frame.columns:
        # an order that stands twice is one; a table of one's own may hold equal lines
        if "order_id" not in frame.columns:
            return drafted
        known = drafted.said("order_id") != ""
        if layout.evidence != MAPPED:
            return drafted.with_frame(without_copies(frame, log, only=known))
        money = "amount" if "amount" in frame.columns else "revenue"
        again = known & ~frame["order_id"].is_first_distinct()
        unpaid = drafted.said(money) == ""
        if _repeats_totals(frame.filter(known & ~unpaid), money):
            text = f"column {drafted.header(money)!r} says the same in all rows of each order, so it is the order's: "
            log.count("repeated totals", text + "{count:further row was} not added up", again, drafted.rows)
            unpaid = again
        return drafted.with_frame(log.set_aside(frame, again & unpaid, "out_of_scope", _ITEMS))
    money = layout.money[0][0]
    filled, again = drafted.said(money) != "", ~frame[layout.group].is_first_distinct()
    twice = drafted.rows.filter(filled & again)
    if len(twice):
        raise DataError(
            f"{log.name}, column {drafted.header(money)!r}: money stands on several rows of one order",
            got=places(tuple(twice.head(3)), len(twice)),
            fix="the file was changed after its export, or two exports were put together: export it again",
        )
    return drafted.with_frame(log.set_aside(frame, again & ~filled, "out_of_scope", _ITEMS))


def _repeats_totals(frame: pl.DataFrame, money: str) -> bool:
    """Whether every order of several rows, and there are some, has one amount and one moment in all of them."""
    orders = frame.group_by("order_id").agg(pl.len().alias("rows"), pl.col(money, "date").n_unique())
    several = orders.filter(pl.col("rows") > 1)
    return several.height >= _ORDERS and bool((several[money] == 1).all() and (several["date"] == 1).all())


def _money(drafted: Draft) -> tuple[pl.Series, pl.Series, str]:
    """The money of each row, its currency, and the column that it comes from."""
    text, log, wanted = drafted.frame, drafted.log, (drafted.settings.currency or "").upper()
    choices = drafted.layout.money or (("amount", "currency"), ("revenue", "currency"))
    there = [choice for choice in choices if choice[0] in text.columns]
    # one whose currencies are those that the caller chose
    codes = [drafted.said(currency).str.to_uppercase() for _, currency in there]
    at = next((i for i, said in enumerate(codes) if not wanted or (said == wanted).any()), 0)
    (name, currency_name), currency = there[at], codes[at]
    found = number_column(drafted, name)
    if not found.currency and "amount_formatted" in text.columns and name != "amount_formatted":
        found = replace(found, currency=currency_of(drafted.column("amount_formatted")))
    if found.codes is not None and not (currency != "").any():
        currency = found.codes.fill_null("")
    elif found.currency and not (currency != "").any():
        currency = pl.repeat(found.currency, text.height, eager=True)
    elif found.currency:
        odd = [code for code in currency.unique().sort() if code and not same_sign(found.currency, code)]
        if odd:
            raise DataError(
                f"{log.name}: the amounts and the column of currencies contradict each other",
                got=f"amounts in {found.currency} by their sign, {show_code(odd[0])} in column "
                f"{drafted.header(currency_name)!r}",
                fix="export it again in one currency",
            )
        # the column is believed, and nothing was guessed
        log.withdraw_guess("currency")
    log.note(f"revenue is column {drafted.header(name)!r}, as the file prints it")
    values = found.values + _beside(drafted)
    if name == "converted":
        reason = "the settled amounts are in one currency"
        log.guess("amount", drafted.header(name), reason, argument("currency"))
    return values, currency, name


def _beside(drafted: Draft) -> pl.Series:
    """What the caller takes off the amounts, such as tax and shipping, and what is put to them; a blank is nothing."""
    total, log = pl.repeat(0.0, drafted.frame.height, eager=True), drafted.log
    for headers, sign in ((drafted.settings.less, -1), (drafted.settings.plus, 1)):
        for header in headers:
            if KEPT + header not in drafted.frame.columns:
                raise ColumnError(
                    f"{log.name} has no column {header!r}",
                    got=drafted.table.shown(),
                    fix=f"mend less and plus {in_mapping()}",
                )
            total = total + sign * number_column(drafted, KEPT + header).values.fill_null(0.0)
            log.note(f"{header!r} is {'added to' if sign > 0 else 'taken off'} the amounts")
    return total


def _states(drafted: Draft) -> pl.Series:
    """Sale, refund, failed, pending, cancelled, by the state; null where the state is not known."""
    text, log, won = drafted.frame, drafted.log, drafted.settings.won
    if "status" not in text.columns:
        return pl.repeat("sale", text.height, eager=True)
    own = drafted.layout.evidence == MAPPED
    table = dict(load_registry().states if own else drafted.layout.states)
    if won and (own or drafted.layout.pipeline):
        table = {state: kind for state, kind in table.items() if kind != "sale"}
    table |= {stage.strip().casefold(): "sale" for stage in won}
    printed = drafted.said("status")
    lower = printed.str.to_lowercase()
    kind = lower.replace_strict(table, default=None, return_dtype=pl.String)
    if "cancelled_at" in text.columns:
        cancelled = drafted.said("cancelled_at") != ""
        kind = kind.zip_with(~cancelled, pl.repeat("cancelled", len(kind), eager=True))
    # a state that the layout or the caller names is a word of ours; any other is a cell
    named = printed.filter(kind.is_not_null() & lower.is_in(sorted(table))).value_counts(sort=True)
    said = [f"{count:,} {name}" for name, count in named.head(8).iter_rows()]
    said += [f"{kind.null_count():,} in other states"] * bool(kind.null_count())
    log.note(f"rows by state: {', '.join(said)}")
    if drafted.layout.pipeline and not (kind == "sale").any():
        raise DataError(
            f"{log.name}: no deal is in a stage that counts as won",
            got=f"{Count(lower.n_unique()):stage} in column {drafted.header('status')!r}",
            allowed=", ".join(sorted(state for state, k in table.items() if k == "sale")),
            fix=f'name the stages that count as won with won = ["…"] {in_mapping()}',
        )
    return kind


def _moments(drafted: Draft) -> tuple[pl.Series, pl.Series, str, str]:
    """Business day, moment in UTC, where the zone came from, precision."""
    layout, settings, column = drafted.layout, drafted.settings, drafted.column("date")
    times = times_of(drafted, "date")
    if times.month_day is not None:
        raise column.refusal(
            "has dates without a year",
            got=column.shape(times.month_day.is_not_null()),
            fix="export it again with years",
        )
    end = None if layout.pipeline else _today() + dt.timedelta(days=2)
    times = times.without(impossible(times.local, column, end=end))
    days = times.local.dt.truncate("1d")
    nothing = pl.Series([None] * len(days), dtype=pl.Datetime("us"))
    if times.precision in ("week", "month"):
        raise column.refusal(
            f"tells only the {times.precision} of each sale",
            got=column.shape(days.is_not_null()),
            allowed="the day or the moment of a sale",
            fix=f"name the figures of a {times.precision} revenue in place of amount {in_mapping()}",
        )
    if times.precision == "day":
        return days, nothing, "stated", "day"
    if times.utc is None and not (layout.zone or settings.zone or settings.tz):
        reason = "the file does not say one; days are those printed"
        drafted.log.guess("time zone", "as printed", reason, argument("tz"))
        return days, nothing, "assumed", times.precision
    at, source = to_utc(times, column, drafted)
    if settings.tz and layout.zone != "stated":
        days = business_days(at, days, column, settings.tz)
    return days, at, source, times.precision


def _refunds(drafted: Draft, base: pl.DataFrame, *, converted: bool) -> pl.DataFrame:
    """What was given back, negative, on its own day where that is stated."""
    layout, columns = drafted.layout, drafted.frame.columns
    name, day_name, *plain = layout.refund or ("", "")
    if name not in columns or (plain and drafted.settings.currency and not converted):
        name = plain[0] if plain and plain[0] in columns else ""
    if not name:
        return base.clear().with_columns(outcome=pl.lit("revenue"))
    back = number_column(drafted, name).values.abs()
    frame = base.with_columns(value=-back, kind=pl.lit("refund"), outcome=pl.lit("revenue"))
    if day_name in columns:
        days = day_column(drafted.unheard(), day_name)
        frame = frame.with_columns(days.first.fill_null(frame["date"]).alias("date"))
        frame = frame.with_columns(days.utc.fill_null(frame["at"]).alias("at"))
    frame = frame.filter((back > 0).fill_null(False) & (base["kind"] == "sale").fill_null(False))
    if frame.height:
        where = "the day of the refund"
        if day_name not in columns:
            where = "the day of the order, as the file has no other"
        drafted.log.note(f"{Count(frame.height):refund} in rows of their own, negative, on {where}")
    return frame


def _set_aside(
    base: pl.DataFrame, refunds: pl.DataFrame, log: ReadLog, *, header: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reject rows without day, amount or known state; leave out deals that are not won."""
    for name, reason in (("date", "no date"), ("value", "no amount")):
        bad = base[name].is_null() & base["kind"].is_not_null()
        base = log.set_aside(base, bad, "rejected", reason, warn=True)
    unknown = base["kind"].is_null()
    if unknown.any():
        states = base["state"].filter(unknown).fill_null("")
        named = f"{Count(len(states)):row} in {Count(states.n_unique()):state} of column {header!r}"
        if (states == "").any():
            named += f", {int((states == '').sum()):,} of them blank"
        text = f'rows are in a state that does not count as sold: {named}; won = ["…"] {in_mapping()} names those that do'
        log.count("unknown state", text, unknown, base["source_row"])
        if unknown.all():
            raise DataError(
                f"{log.name}: no row is in a state that counts as sold",
                got=named,
                fix=f'name the states that count with won = ["…"] {in_mapping()}',
            )
        base = log.set_aside(base, unknown, "out_of_scope", "a state that does not count as sold")
    base = log.set_aside(base, base["kind"] == "lost", "out_of_scope", "deals lost")
    ahead = base["date"] > _today() + dt.timedelta(days=1)
    log.count(
        "future dates", "{count:row} dated in the future: expected is not sold", ahead, base["source_row"]
    )
    return base, refunds.join(base.select("source_row"), on="source_row", how="semi")


def _today() -> dt.datetime:
    return dt.datetime.combine(dt.datetime.now(dt.UTC).date(), dt.time())


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_ASKED = re.compile(
    r"\bnps\b|recommend|aanbeve|recomend|empfehl|weiterempf|рекоменд|conseill|net promoter|0\s*(-|–|to|tot|bis|a)\s*10"
)
_GROUP = re.compile(r"_nps_group$", re.IGNORECASE)
_TOP = 10
_SMALL_TOP = 5
_ENOUGH = 10
_PREVIEW = ("1", "survey preview", "preview")


def read_survey(drafts: Sequence[Draft]) -> Built:
    """Turn responses into scores.

    Parameters
    ----------
    drafts : sequence of Draft
        One table.

    Returns
    -------
    Built
        Columns respondent (hashed for this run), date, entity and score.

    See Also
    --------
    erresearch.nps : The score of these answers.

    Raises
    ------
    ColumnError
        If no column or several could be the score.
    DataError
        If the values do not lie on a scale from 0 to 10 and no scale is said.
    """
    drafted, label = _with_score(drafts[0])
    log = drafted.log
    trial = drafted.said("preview").str.to_lowercase().is_in(_PREVIEW)
    answers = log.set_aside(drafted.frame, trial, "out_of_scope", "trial runs (preview)")
    if "finished" in answers.columns:
        broken = flags(answers["finished"]) == False  # noqa: E712 - a column, not a truth value
        answers = log.set_aside(answers, broken, "out_of_scope", "answers that were not finished")
    drafted = drafted.with_frame(answers)
    score = _scores(drafted, label)
    days = day_column(drafted, "date")
    if not drafted.layout.zone and not days.utc.count():
        log.note("the file does not state the time zone of its answers; their days are those printed")
    # rows of two files are two people
    respondent = pl.Series([f"{log.name} row {row}" for row in drafted.rows], dtype=pl.String)
    if "respondent" in drafted.frame.columns:
        respondent = hashed(drafted.said("respondent").replace("", None))
    rows = {"respondent": respondent, "date": days.first, "entity": entities(drafted), "score": score}
    frame = rows_of(drafted, rows, dated=False)
    frame = log.set_aside(frame, frame["score"].is_null(), "out_of_scope", "no answer to the question")
    frame = without_gaps(frame, "date", "no date", log)
    again = ~frame["respondent"].is_last_distinct() & frame["respondent"].is_not_null()
    frame = log.set_aside(frame, again, "rejected", "earlier answers of the same respondent", warn=True)
    return Built(frame, frame.height, "survey")


def _with_score(drafted: Draft) -> tuple[Draft, str]:
    """The draft with the column that holds the score, and that column's header."""
    table, log, said = drafted.table, drafted.log, drafted.settings.score
    if "score" in drafted.frame.columns:
        return drafted, drafted.header("score")
    position = _named(table, said) if said else _found(table, log)
    cells = pl.DataFrame({"row": table.rows, "score": table.cells[f"c{position}"].cast(pl.String)})
    frame = drafted.frame.join(cells, on="row", how="left", maintain_order="left")
    label = log.found["score"] = table.shown([position]).strip("'")
    return drafted.with_frame(frame), label


def _named(table: ExportTable, header: str) -> int:
    wanted = normalise(header)
    for texts in (table.header, table.questions):
        if wanted in (names := [normalise(text) for text in texts]):
            return names.index(wanted)
    raise ColumnError(
        f"{table.part} has no column {header!r}",
        got=table.shown(most=12),
        fix="mend score=",
    )


def _found(table: ExportTable, log: ReadLog) -> int:
    """The one question that asks for a recommendation, by its words or by its partner column."""
    known = set(table.match.columns.values())
    open_ones = [i for i in range(len(table.header)) if i not in known and f"c{i}" in table.cells.columns]
    groups = {normalise(_GROUP.sub("", h)) for h in table.header if _GROUP.search(h.strip())}
    by_group = [i for i in open_ones if normalise(table.header[i]) in groups]
    questions = itertools.zip_longest(table.header, table.questions[: len(table.header)], fillvalue="")
    # header and question together
    said = [f"{header.strip()} {below.strip()}".strip().casefold() for header, below in questions]
    asked = [i for i in open_ones if _ASKED.search(said[i]) and not _GROUP.search(table.header[i].strip())]
    numeric = [i for i in open_ones if _scorelike(table.cells[f"c{i}"]) and not is_personal(table.header[i])]
    tried = (
        [i for i in by_group if i in numeric],
        [i for i in asked if i in numeric],
        asked if len(asked) == 1 else [],
    )
    for candidates in tried:
        if len(candidates) == 1:
            reason = "the one question that asks for a recommendation"
            log.guess("score", table.shown(candidates), reason, f"score {in_mapping()}")
            return candidates[0]
        if len(candidates) > 1:
            raise ColumnError(
                f"{table.part}: several columns could be the score",
                got=table.shown(candidates),
                fix=f'say which with score = "…" {in_mapping()}',
            )
    raise ColumnError(
        f"{table.part}: no question asks for a recommendation from 0 to 10",
        got=table.shown(most=12),
        fix=f'say which it is with score = "…" {in_mapping()}',
    )


def _scorelike(cells: pl.Series) -> bool:
    said = cells.str.strip_chars().replace("", None).drop_nulls()
    return bool(len(said)) and bool(said.str.contains(r"^(10|\d)(\.0+)?(\s*[-–=:]|\s*$)").all())


def _scores(drafted: Draft, label: str) -> pl.Series:
    """Leading numbers of the cells, checked against the scale."""
    text, log = drafted.said("score").replace("", None), drafted.log
    score = text.str.extract(r"^(-?\d+(?:[.,]\d+)?)(?:\s|$|[-–=:])", 1).str.replace(",", ".", literal=True)
    values = score.cast(pl.Float64, strict=False)
    unread = text.is_not_null() & values.is_null()
    about = f"column {label!r}: {{shape}} is no score; cells with this problem: {{count}}"
    log.count("not a score", about, unread, drafted.rows, cells=text)
    if not values.count():
        raise DataError(
            f"{log.name}, column {label!r} holds no score", fix='say which column does with score = "…"'
        )
    _check_scale(values, label, drafted)
    return values


def _check_scale(values: pl.Series, label: str, drafted: Draft) -> None:
    scale, log = drafted.settings.scale, drafted.log
    known = values.drop_nulls().to_numpy()
    low, high = float(known.min()), float(known.max())
    if scale:
        ends = re.fullmatch(r"\s*(\d+)\s*[-–]\s*(\d+)\s*", scale)
        if ends is None:
            raise DataError(
                "the scale of a survey is not understood",
                got=repr(scale),
                fix='write scale = "0-10"',
            )
        least, most = int(ends[1]), int(ends[2])
        if (least, most) != (0, _TOP):
            log.caution(
                "other scale",
                f"the score is on a scale of {least} to {most}, so a net promoter score is not defined",
            )
    else:
        least, most = 0, _TOP
    outside = ((values < least) | (values > most)).fill_null(False)
    whole = bool((known == known.round()).all())
    small = not scale and high <= _SMALL_TOP and low >= 1 and len(known) >= _ENOUGH
    if outside.any() or not whole or small:
        got = f"none is above {_SMALL_TOP}" if small else "values with decimals"
        if outside.any():
            got = places(tuple(drafted.rows.filter(outside).head(3)), int(outside.sum()))
        raise DataError(
            f"{log.name}, column {label!r} is not a score from {least} to {most}",
            got=got,
            allowed=f"whole numbers from {least} to {most}; a score that is already averaged cannot be read",
            fix=f'say the scale with scale = "1-5" {in_mapping()}, or another column with score = "…"',
        )
    if not scale and low == 1 and high == _TOP:
        log.caution(
            "scale",
            f"column {label!r} runs from 1 to 10 without a 0: a net promoter score needs 0 to 10, and its detractors "
            f"would be counted wrongly; say scale {in_mapping()}",
            count=len(known),
        )
