"""Numbers as platforms print them: separators, percent, money, thousands as K, durations, and the ways to say nothing.

One convention per column, decided from all of its cells; where they do not decide, the platform's rule does, and
where there is none the reader asks. Nothing is evaluated: a formula is a missing value.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

import numpy as np

from erresearch.errors import Count, argument, in_mapping
from erresearch.exports.layouts import load_registry
from erresearch.exports.log import TextColumn
from erresearch.io import pl
from erresearch.io.resources import by_morsels

_SHARED_SIGNS = frozenset({"$", "¥", "kr"})
_SPACES = "[\u0009\u0020\u00a0\u2007\u2009\u202f'’]"
_MARKS = "[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
_DAY_ZERO = 25569  # the day 1970-01-01 as spreadsheets number it
_FORMULA = r"^(=|\+[A-Za-z(]|@|'|#[A-Z/0]+[!?])"
_UNDER_DOT = r"^-?(\d+|\d*\.\d+|\d+\.|\d{1,3}(,\d{3})+(\.\d+)?|\d{1,2}(,\d{2})+,\d{3}(\.\d+)?)$"
_UNDER_COMMA = r"^-?(\d+|\d*,\d+|\d{1,3}(\.\d{3})+(,\d+)?)$"
_GROUPED_DOT = r"^-?\d{1,3}(\.\d{3})+$"
_GROUPED_COMMA = r"^-?\d{1,3}(,\d{3})+$"
_NUMBER = r"^(?:-?[A-Z]{3}\s?)?[^\p{L}\d]{0,4}[-(]?[^\p{L}\d]{0,4}\d[\d.,'\s]*\)?\s?[^\d]{0,3}$"
_MOST = 0.8
_SCIENTIFIC = r"^-?\d+([.,]\d+)?[eE]\+?\d{1,3}$"


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A column as numbers.

    Parameters
    ----------
    values : polars.Series
        Float64; null where the cell says nothing or cannot be read.
    currency : str
        Code that most cells carry; empty where they carry none.
    codes : polars.Series or None
        Code of each cell, where they carry several.
    rounded, censored : polars.Series or None
        Which cells were rounded by the platform (1.2K), or only bounded (< 10%).
    broken : polars.Series or None
        Which cells of a count are not whole, and were told.
    """

    values: pl.Series
    currency: str = ""
    codes: pl.Series | None = None
    rounded: pl.Series | None = None
    censored: pl.Series | None = None
    broken: pl.Series | None = None


def are_numbers(cells: pl.Series) -> bool:
    """Whether four of five cells that say something look like numbers, money and percent included.

    Examples
    --------
    >>> import polars as pl
    >>> are_numbers(pl.Series(["€ 1.234,50", "12", ""])), are_numbers(pl.Series(["Ann", "3 apples"]))
    (True, False)
    """
    said = cells.cast(pl.String).str.strip_chars().replace("", None).drop_nulls()
    return int(said.str.contains(_NUMBER).sum()) >= max(1.0, _MOST * len(said))


def parse_numbers(
    column: TextColumn, kind: str = "number", *, decimal: str = "", fixed: bool = False
) -> Numbers:
    """Read a column of text as numbers.

    Parameters
    ----------
    column : TextColumn
        The column; its log takes missing values by spelling, guesses and cautions.
    kind : str
        How its cells are read: count, number, money, share, seconds.
    decimal : {".", ",", ""}
        Decimal sign: the platform's, or the caller's.
    fixed : bool
        Whether the caller says so, which overrides everything.

    Returns
    -------
    Numbers
        Shares are fractions, durations seconds.

    See Also
    --------
    erresearch.exports.dates.parse_times : The same for times.

    Raises
    ------
    DataError
        If the column does not say which sign is the decimal one, or carries several currencies.
    """
    plain = _plain(column.cells)
    if plain is not None:
        empty = plain.null_count()
        column.log.count_missing(column.header, {"": empty} if empty else {})
        values = plain.cast(pl.Float64)
        return Numbers(values / 100 if _in_percent(column, kind) else values)
    column = column.with_cells(column.cells.fill_null("").str.replace_all(_MARKS, "")).said()
    told = "{count:cell holds} a formula or its error, taken as missing"
    column, _ = column.without(_FORMULA, "formula", told)
    told = "{count:cell is} only bounds, such as {shape}, taken as missing"
    column, censored = column.without(r"^[<>≤≥]\s*\d", "censored", told)
    durations = _durations(column) if kind == "seconds" else None
    found = durations or _decimal_numbers(column, kind, decimal, fixed=fixed)
    unread = column.cells.is_not_null() & found.values.is_null()
    if unread.sum() > 1 and unread.sum() == column.cells.count():
        raise column.refusal(
            "holds no number",
            got=f"{Count(int(unread.sum())):cell} such as {column.shape(unread)}",
            fix=f"say {in_mapping()} which column holds the figures",
        )
    odd = "{shape} is not a number; cells with this problem: {count}, they count as missing"
    column.count("not a number", odd, unread if found.broken is None else unread & ~found.broken)
    return replace(found, censored=censored if censored.any() else None)


def _plain(cells: pl.Series) -> pl.Series | None:
    """Whole numbers, where every cell is one or empty."""
    if cells.dtype == pl.Int64:
        return cells
    whole = cells.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == int((cells == "").sum()) + cells.null_count() else None


def _in_percent(column: TextColumn, kind: str) -> bool:
    return kind == "share" and "(%)" in column.header


def _durations(column: TextColumn) -> Numbers | None:
    """h:mm:ss and m:ss as seconds; None where the column is of plain seconds."""
    text = column.cells
    clock = text.str.contains(r"^\d+:\d{2}(:\d{2}(\.\d+)?)?$").fill_null(False)
    if not clock.any():
        return None
    plain = text.str.contains(r"^[1-9]\d*([.,]\d+)?$").fill_null(False)
    if plain.any():
        raise column.refusal(
            "mixes durations as minutes and seconds with plain seconds",
            got=f"{column.shape(clock)} and {column.shape(plain)} (row {column.rows.filter(plain)[0]})",
            fix="write all of them in one way",
        )
    parts = text.str.split(":")
    last, before, first = (
        parts.list.get(place, null_on_oob=True).cast(pl.Float64, strict=False) for place in (-1, -2, -3)
    )
    total = last + before * 60 + first.fill_null(0) * 3600
    long = (parts.list.len() > 3).fill_null(True)
    return Numbers(total.set(~clock | long, None).set(text == "0", 0.0))


def _decimal_numbers(column: TextColumn, kind: str, decimal: str, *, fixed: bool) -> Numbers:
    signed = pl.col("").str.replace_all(_SPACES, "").str.replace_all("−", "-", literal=True)
    signed = signed.str.replace(r"^\((.*)\)$", "-$1").str.replace(r"^([^-]*\d[^-]*)-$", "-$1")
    core = by_morsels(column.cells, signed)
    codes = None
    if kind == "money":
        core, codes = _without_currency(core, column)
    currency, codes = _main_currency(codes)
    percent = core.str.ends_with("%").fill_null(False)
    core = core.str.strip_suffix("%")
    if percent.any() and kind in ("count", "number", "money"):
        raise column.refusal(
            "holds a rate where a count is needed",
            got=f"{column.shape(percent)} ({column.at(percent)})",
            fix="choose the column that counts, not its share",
        )
    core, factor, rounded = _without_magnitude(column.with_cells(core))
    dates = core.str.contains(r"^19\d\d-\d\d-\d\d$").fill_null(False)
    stored = "{count:number was} stored as dates by a spreadsheet and restored"
    if kind == "count" and column.count("number as date", stored, dates):
        days = core.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32) + _DAY_ZERO
        core = core.zip_with(~dates, days.cast(pl.String))
    sign = decimal if fixed else _convention(column.with_cells(core), kind, decimal)
    values = _valued(core, sign)
    values = values if factor is None else values * factor
    values = values.set(~values.is_finite().fill_null(False), None)
    if _in_percent(column, kind):
        values = values / 100
    elif percent.any():
        values = values.zip_with(~percent, values / 100)
    elif kind == "share":
        over = "{count:share exceeds} 1, so it may be percent without a sign"
        column.count("share above 1", over, values > 1)
    if kind != "count":
        return Numbers(values, currency, codes, rounded)
    # counts are whole: 528.0 is, 12.5 is not
    broken = ((values - values.round(0)).abs() > 1e-6).fill_null(False)
    odd = "{shape} is no count; cells with this problem: {count}, they count as missing"
    column.count("not whole", odd, broken)
    return Numbers(values.set(broken, None), rounded=rounded, broken=broken)


def _valued(core: pl.Series, decimal: str) -> pl.Series:
    """Numbers under a decimal sign; null where the other sign does not part thousands."""
    pattern, between = (_UNDER_COMMA, ".") if decimal == "," else (_UNDER_DOT, ",")
    digits = pl.col("").str.replace_all(between, "", literal=True).str.replace(",", ".", literal=True)
    written = pl.when(pl.col("").str.contains(pattern)).then(digits)
    return by_morsels(core, written.cast(pl.Float64, strict=False))


def _convention(column: TextColumn, kind: str, rule: str) -> str:
    """The decimal sign of a column, by its cells, else by the platform's rule."""
    some = column.cells.drop_nulls()
    under_dot = int((~some.str.contains(_UNDER_DOT)).sum())
    under_comma = int((~some.str.contains(_UNDER_COMMA)).sum())
    if under_dot != under_comma:
        sign = "." if under_dot < under_comma else ","
        if rule and sign != rule:
            reason = f"{Count(max(under_dot, under_comma)):cell} only read so, against the platform's rule"
            column.guess("decimal sign", repr(sign), reason, argument("decimal"))
        return sign
    signed = some.filter(some.str.contains(r"[.,]"))
    if signed.is_empty() or under_dot:
        return rule or "."
    grouped_dot, grouped_comma = signed.str.contains(_GROUPED_DOT), signed.str.contains(_GROUPED_COMMA)
    if kind == "count" and (grouped_dot.all() or grouped_comma.all()):
        return "," if grouped_dot.all() else "."  # a count has no decimals, so the sign parts thousands
    if rule:
        return rule
    where = column.cells.str.contains(r"[.,]").fill_null(False)
    raise column.refusal(
        "does not say which sign is the decimal one",
        got=f"{column.shape(where)} ({column.at(where)})",
        allowed="1234.5 and 1,234.5, or 1234,5 and 1.234,5",
        fix=f"say it with {argument('decimal')}",
    )


def currency_in(header: str) -> str:
    """The currency that a header names by its code, at the end or in brackets, or by a sign that only one has.

    Examples
    --------
    >>> currency_in("Omzet (€)"), currency_in("Total EUR"), currency_in("Amount [usd]"), currency_in("ALL SALES")
    ('EUR', 'EUR', 'USD', '')
    """
    named = re.search(r"[(\[]\s*([A-Za-z]{3})\s*[)\]]|[a-z]\s+([A-Z]{3})\s*$", header)
    code = ((named[1] or named[2]) if named else "").upper()
    if code in load_registry().currencies:
        return code
    signs = {sign for sign in header if unicodedata.category(sign) == "Sc"} - _SHARED_SIGNS
    return load_registry().signs.get(signs.pop(), "") if len(signs) == 1 else ""


def same_sign(signed: str, code: str) -> bool:
    """Say whether amounts whose sign was read as one currency may be in another that uses the same sign.

    Examples
    --------
    >>> same_sign("USD", "CAD"), same_sign("USD", "EUR")
    (True, False)
    """
    return signed == code or code in load_registry().also.get(signed, ())


def show_code(code: str) -> str:
    """Name a currency in a message; three letters that are no currency may be anything.

    Examples
    --------
    >>> show_code("EUR"), show_code("ANN")
    ('EUR', 'another')
    """
    return code if code in load_registry().currencies else "another"


def currency_of(column: TextColumn) -> str:
    """Say which currency most cells of a column carry; empty where they carry none."""
    return _main_currency(_without_currency(column.cells.str.replace_all(_SPACES, ""), column)[1])[0]


def _main_currency(codes: pl.Series | None) -> tuple[str, pl.Series | None]:
    """The code that most cells carry, and those of all cells where they differ."""
    if codes is None:
        return "", None
    counts = codes.drop_nulls().value_counts().sort("count", codes.name, descending=[True, False])
    return str(counts[codes.name][0]), codes if counts.height > 1 else None


def _without_currency(core: pl.Series, column: TextColumn) -> tuple[pl.Series, pl.Series | None]:
    """Take signs and codes of money off, and say which currency each cell is in; None where none says so."""
    sign = core.str.extract(r"^-?([^\d.,%-]{1,4})-?[\d.,]", 1)
    sign = sign.fill_null(core.str.extract(r"\d([^\d.,%-]{1,4})$", 1))
    known = sorted({str(s).lower() for s in sign.drop_nulls()})
    codes = {
        s: load_registry().signs.get(s, s.upper() if len(s) == 3 and s.isascii() and s.isalpha() else "")
        for s in known
    }
    if not codes or "" in codes.values():
        return core, None
    shared = sorted(set(known) & _SHARED_SIGNS)
    if shared:
        reason = f"the sign {shared[0]!r} is shared by several currencies"
        column.log.guess("currency", codes[shared[0]], reason, argument("currency"))
    bare = core.str.replace(r"^(-?)[^\d.,%-]{1,4}(-?)([\d.,])", "$1$2$3")
    each = sign.str.to_lowercase().replace_strict(codes, default=None, return_dtype=pl.String)
    return bare.str.replace(r"(\d)[^\d.,%-]{1,4}$", "$1"), each.alias("currency")


def _without_magnitude(column: TextColumn) -> tuple[pl.Series, pl.Series | None, pl.Series | None]:
    """Take K, M, тыс. and the like off; also the exponent that a spreadsheet writes."""
    core = column.cells
    letters = core.str.extract(r"\d([^\d.,\s%-]{1,4}\.?)$", 1).str.to_lowercase()
    science = core.str.contains(_SCIENTIFIC).fill_null(False)
    sizes = load_registry().magnitudes
    known = letters.is_in(list(sizes)).fill_null(False) & ~science
    rounded = known | science
    if not rounded.any():
        return core, None, None
    factor = letters.set(~known, None).replace_strict(dict(sizes), default=1.0, return_dtype=pl.Float64)
    exponent = core.str.extract(r"[eE]\+?(\d{1,3})$", 1).cast(pl.Float64, strict=False).fill_null(0)
    powers = pl.Series(np.power(10.0, np.minimum(exponent.to_numpy(), 300)))
    factor = factor.fill_null(1.0).zip_with(~science, powers)
    bare = core.str.replace(r"(\d)[^\d.,\s%-]{1,4}\.?$", "$1").zip_with(known, core)
    bare = bare.str.replace(r"[eE]\+?\d{1,3}$", "").zip_with(science, bare)
    most = (factor.filter(rounded) / 20).to_numpy().max()
    size = f"±{most:,.0f}" if most < 1e12 else f"±{most:.0e}"
    text = "{count:number is} rounded, such as {shape}; they are known to about "
    column.count("rounded", f"{text}{size} and marked", rounded)
    return bare, factor, rounded
