"""Answers to "how likely are you to recommend …": one row per answer, 0 to 10, without the person."""

from __future__ import annotations

import re
from collections.abc import Sequence

from erresearch.errors import ColumnError, DataError, in_mapping
from erresearch.exports.columns import Built, Draft, entities, flags, rows_of, without_gaps
from erresearch.exports.layouts import normalise
from erresearch.exports.log import ReadLog, places
from erresearch.exports.mapping import Settings
from erresearch.exports.privacy import hashed, is_personal
from erresearch.exports.tables import Table
from erresearch.exports.timestamps import day_column
from erresearch.io import pl

_ASKED = re.compile(
    r"\bnps\b|recommend|aanbeve|recomend|empfehl|weiterempf|рекоменд|conseill|net promoter|0\s*(-|–|to|tot|bis|a)\s*10"
)
_GROUP = re.compile(r"_nps_group$", re.IGNORECASE)
_TOP = 10
_SMALL_TOP = 5
_ENOUGH = 10
_PREVIEW = ("1", "survey preview", "preview")


def read_survey(drafts: Sequence[Draft], settings: Settings, log: ReadLog) -> Built:
    """Turn responses into scores.

    Parameters
    ----------
    drafts : sequence of Draft
        One table.
    settings : Settings
        Header of the score and its scale, where the caller says them.
    log : ReadLog
        Takes guesses, cautions and rows set aside.

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
    drafted = drafts[0]
    label, raw = _score_cells(drafted, settings, log)
    drafted, raw = _only_answers(drafted, raw, log)
    score = _scores(raw, label, drafted, settings, log)
    days = day_column(drafted, "date", settings, log)
    if not drafted.layout.zone and not days.utc.count():
        log.note("the file does not state the time zone of its answers; their days are those printed")
    text = drafted.frame
    respondent = (
        hashed(text["respondent"].str.strip_chars().replace("", None))
        if "respondent" in text.columns
        # rows of two files are two people
        else pl.Series([f"{log.name} row {row}" for row in drafted.rows], dtype=pl.String)
    )
    rows = {
        "respondent": respondent,
        "date": days.first,
        "entity": entities(drafted, settings),
        "score": score,
    }
    frame = rows_of(drafted, rows, settings, log, dated=False)
    frame = log.set_aside(frame, frame["score"].is_null(), "out_of_scope", "no answer to the question")
    frame = without_gaps(frame, "date", "no date", log)
    again = ~frame["respondent"].is_last_distinct() & frame["respondent"].is_not_null()
    frame = log.set_aside(frame, again, "rejected", "earlier answers of the same respondent", warn=True)
    return Built(frame, frame.height, "survey", settings.exported_at)


def _score_cells(drafted: Draft, settings: Settings, log: ReadLog) -> tuple[str, pl.Series]:
    """The column that holds the score, of the rows still in the draft."""
    table = drafted.table
    if "score" in drafted.frame.columns:
        return drafted.header("score"), drafted.frame["score"]
    position = _named(table, settings.score) if settings.score else _found(table, log)
    cells = pl.DataFrame({"row": table.rows, "score": table.cells[f"c{position}"]})
    raw = drafted.frame.select("row").join(cells, on="row", how="left", maintain_order="left")["score"]
    log.found["score"] = table.shown([position]).strip("'")
    return log.found["score"], raw


def _named(table: Table, header: str) -> int:
    wanted = normalise(header)
    for texts in (table.header, table.questions):
        for position, text in enumerate(texts):
            if normalise(text) == wanted:
                return position
    raise ColumnError(
        f"{table.part} has no column {header!r}",
        got=table.shown(most=12),
        fix="mend score=",
    )


def _found(table: Table, log: ReadLog) -> int:
    """The one question that asks for a recommendation, by its words or by its partner column."""
    known = set(table.match.columns.values())
    open_ones = [i for i in range(len(table.header)) if i not in known and f"c{i}" in table.cells.columns]
    groups = {normalise(_GROUP.sub("", h)) for h in table.header if _GROUP.search(h.strip())}
    by_group = [i for i in open_ones if normalise(table.header[i]) in groups]
    asked = [
        i
        for i in open_ones
        if _ASKED.search(_question(table, i).casefold()) and not _GROUP.search(table.header[i].strip())
    ]
    numeric = [i for i in open_ones if _scorelike(table.cells[f"c{i}"]) and not is_personal(table.header[i])]
    tried = (
        [i for i in by_group if i in numeric],
        [i for i in asked if i in numeric],
        asked if len(asked) == 1 else [],
    )
    for candidates in tried:
        if len(candidates) == 1:
            log.guess(
                "score",
                table.shown(candidates),
                "the one question that asks for a recommendation",
                f"score {in_mapping()}",
            )
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


def _question(table: Table, position: int) -> str:
    """Header and question together."""
    below = table.questions[position] if position < len(table.questions) else ""
    return f"{table.header[position].strip()} {below.strip()}".strip()


def _scorelike(cells: pl.Series) -> bool:
    said = cells.str.strip_chars().replace("", None).drop_nulls()
    return bool(len(said)) and bool(said.str.contains(r"^(10|\d)(\.0+)?(\s*[-–=:]|\s*$)").all())


def _only_answers(drafted: Draft, raw: pl.Series, log: ReadLog) -> tuple[Draft, pl.Series]:
    """Leave out trial runs and answers that were not completed."""
    frame = drafted.frame.with_columns(raw.alias("score cells"))
    if "preview" in frame.columns:
        trial = frame["preview"].str.strip_chars().str.to_lowercase().is_in(_PREVIEW)
        frame = log.set_aside(frame, trial, "out_of_scope", "trial runs (preview)")
    if "finished" in frame.columns:
        broken = flags(frame["finished"]) == False  # noqa: E712 - a column, not a truth value
        frame = log.set_aside(frame, broken, "out_of_scope", "answers that were not finished")
    return drafted.with_frame(frame.drop("score cells")), frame["score cells"].cast(pl.String)


def _scores(raw: pl.Series, label: str, drafted: Draft, settings: Settings, log: ReadLog) -> pl.Series:
    """Leading numbers of the cells, checked against the scale."""
    text = raw.str.strip_chars().replace("", None)
    score = text.str.extract(r"^(-?\d+(?:[.,]\d+)?)(?:\s|$|[-–=:])", 1).str.replace(",", ".", literal=True)
    values = score.cast(pl.Float64, strict=False)
    unread = text.is_not_null() & values.is_null()
    about = f"column {label!r}: {{shape}} is no score; cells with this problem: {{count}}"
    log.count("not a score", about, unread, drafted.rows, cells=text)
    known = values.drop_nulls()
    if known.is_empty():
        raise DataError(
            f"{log.name}, column {label!r} holds no score", fix='say which column does with score = "…"'
        )
    _check_scale(values, label, drafted, settings, log)
    return values


def _check_scale(values: pl.Series, label: str, drafted: Draft, settings: Settings, log: ReadLog) -> None:
    known = values.drop_nulls().to_numpy()
    low, high = float(known.min()), float(known.max())
    if settings.scale:
        ends = re.fullmatch(r"\s*(\d+)\s*[-–]\s*(\d+)\s*", settings.scale)
        if ends is None:
            raise DataError(
                "the scale of a survey is not understood",
                got=repr(settings.scale),
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
    small = not settings.scale and high <= _SMALL_TOP and low >= 1 and len(known) >= _ENOUGH
    if outside.any() or not whole or small:
        raise DataError(
            f"{log.name}, column {label!r} is not a score from {least} to {most}",
            got=places(tuple(drafted.rows.filter(outside).head(3)), int(outside.sum()))
            if outside.any()
            else f"none is above {_SMALL_TOP}"
            if small
            else "values with decimals",
            allowed=f"whole numbers from {least} to {most}; a score that is already averaged cannot be read",
            fix=f'say the scale with scale = "1-5" {in_mapping()}, or another column with score = "…"',
        )
    if not settings.scale and low == 1 and high == _TOP:
        log.caution(
            "scale",
            f"column {label!r} runs from 1 to 10 without a 0: a net promoter score needs 0 to 10, and its detractors "
            f"would be counted wrongly; say scale {in_mapping()}",
            count=len(known),
        )
