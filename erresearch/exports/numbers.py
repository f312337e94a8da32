"""Numbers as platforms print them: separators, percent, money, thousands as K, durations, and the ways to say nothing.

One convention per column, decided from all of its cells; where they do not decide, the platform's rule does, and
where there is none the reader asks. Nothing is evaluated: a formula is a missing value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erresearch.errors import DataError
from erresearch.exports.layouts import Field, load_registry
from erresearch.exports.log import ReadLog, in_mapping, places
from erresearch.exports.privacy import first_shape, show_shape
from erresearch.io import pl

__all__ = ["Numbers", "Reading", "currency_of", "parse_numbers", "same_sign", "show_code"]

# letters that some people write beside a number → what they multiply it by
_MAGNITUDES = {
    "k": 1e3, "m": 1e6, "b": 1e9, "mil": 1e3, "тыс": 1e3, "тыс.": 1e3, "млн": 1e6, "млн.": 1e6, "mln": 1e6,
    "mio": 1e6, "mio.": 1e6, "tsd": 1e3, "tsd.": 1e3, "万": 1e4, "億": 1e8, "亿": 1e8, "lakh": 1e5, "cr": 1e7,
}  # fmt: skip
# a bare sign of money that several currencies use stands for the first, and is called a guess
_SIGNS = {
    "$": "USD", "us$": "USD", "ca$": "CAD", "c$": "CAD", "a$": "AUD", "au$": "AUD", "nz$": "NZD", "hk$": "HKD",
    "s$": "SGD", "mx$": "MXN", "r$": "BRL", "€": "EUR", "£": "GBP", "₹": "INR", "rs": "INR", "rs.": "INR", "৳": "BDT",
    "₴": "UAH", "₽": "RUB", "zł": "PLN", "kč": "CZK", "ft": "HUF", "₺": "TRY", "₩": "KRW", "₫": "VND", "฿": "THB",
    "¥": "JPY", "kr": "SEK", "kr.": "DKK", "fr.": "CHF", "₪": "ILS", "₦": "NGN", "₱": "PHP", "rp": "IDR", "rm": "MYR",
}  # fmt: skip
_SHARED_SIGNS = frozenset({"$", "¥", "kr"})
# currencies that are written with the sign of another
_ALSO = {
    "USD": frozenset([
        "AUD", "CAD", "NZD", "SGD", "HKD", "TWD", "MXN", "CLP", "COP", "ARS", "BRL", "UYU", "DOP", "BSD", "JMD", "TTD",
        "NAD",
    ]),
    "JPY": frozenset({"CNY"}),
    "SEK": frozenset({"NOK", "DKK", "ISK"}),
    "DKK": frozenset({"NOK", "SEK", "ISK"}),
}  # fmt: skip
_SPACES = "[\u0009\u0020\u00a0\u2007\u2009\u202f'’]"
_MARKS = "[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
_DAY_ZERO = 25569  # the day 1970-01-01 as spreadsheets number it
_FORMULA = r"^(=|\+[A-Za-z(]|@|'|#[A-Z/0]+[!?])"
_UNDER_DOT = r"^-?(\d+|\d*\.\d+|\d+\.|\d{1,3}(,\d{3})+(\.\d+)?|\d{1,2}(,\d{2})+,\d{3}(\.\d+)?)$"
_UNDER_COMMA = r"^-?(\d+|\d*,\d+|\d{1,3}(\.\d{3})+(,\d+)?)$"
_GROUPED_DOT = r"^-?\d{1,3}(\.\d{3})+$"
_GROUPED_COMMA = r"^-?\d{1,3}(,\d{3})+$"
_SCIENTIFIC = r"^-?\d+([.,]\d+)?[eE]\+?\d{1,3}$"


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a column: what it is, where it stands, what is known of its file.

    Parameters
    ----------
    field : Field
        What the column means.
    header : str
        Its header as printed.
    rule : str
        The platform's decimal sign, or empty.
    decimal : str or None
        What the caller says, which overrides everything.
    """

    field: Field
    header: str
    rule: str = ""
    decimal: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A column as numbers.

    Parameters
    ----------
    values : polars.Series
        Float64; null where the cell says nothing or cannot be read.
    currency : str
        Code that the cells carry; empty where they carry none.
    rounded, censored : polars.Series or None
        Which cells were rounded by the platform (1.2K), or only bounded (< 10%).
    broken : polars.Series or None
        Which cells of a count are not whole, and were told.
    """

    values: pl.Series
    currency: str = ""
    rounded: pl.Series | None = None
    censored: pl.Series | None = None
    broken: pl.Series | None = None


def parse_numbers(cells: pl.Series, rows: pl.Series, reading: Reading, log: ReadLog) -> Numbers:
    """Read a column of text as numbers.

    Parameters
    ----------
    cells : polars.Series
        Text.
    rows : polars.Series
        Row numbers, for messages.
    reading : Reading
        How.
    log : ReadLog
        Takes missing values by spelling, guesses and cautions.

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
    if cells.dtype == pl.Int64:
        empty = cells.null_count()
        log.count_missing(reading.header, {"": empty} if empty else {})
        return Numbers(cells.cast(pl.Float64))
    plain = cells.cast(pl.Int64, strict=False)
    if int(plain.is_null().sum()) == int((cells == "").sum()) + int(cells.is_null().sum()):
        empty = int(plain.is_null().sum())
        log.count_missing(reading.header, {"": empty} if empty else {})
        values = plain.cast(pl.Float64)
        if reading.field.type == "share" and "(%)" in reading.header:
            values = values / 100
        return Numbers(values)
    text = cells.fill_null("").str.replace_all(_MARKS, "").str.strip_chars()
    lower = text.str.to_lowercase()
    missing = lower.is_in(sorted(load_registry().missing))
    spelled = text.filter(missing).value_counts(sort=True)
    log.count_missing(reading.header, dict(spelled.iter_rows()) if missing.any() else {})
    formula = text.str.contains(_FORMULA) & ~missing
    about = f"column {reading.header!r}: {{count}} cells hold a formula or its error and count as missing"
    log.count("formula", about, formula, rows)
    text = text.set(missing | formula, None)
    censored = text.str.contains(r"^[<>≤≥]\s*\d").fill_null(False)
    about = (
        f"column {reading.header!r}: {{count}} cells are only bounds, such as {{shape}}, and count as missing"
    )
    if log.count("censored", about, censored, rows, cells=text):
        text = text.set(censored, None)
    found = _durations(text, rows, reading, log) if reading.field.type == "seconds" else None
    if found is None:
        found = _decimal_numbers(text, rows, reading, log)
    unread = text.is_not_null() & found.values.is_null()
    _warn_unread(text, rows, unread, reading, log, told=found.broken)
    return Numbers(found.values, found.currency, found.rounded, censored if censored.any() else None)


def _warn_unread(
    text: pl.Series,
    rows: pl.Series,
    unread: pl.Series,
    reading: Reading,
    log: ReadLog,
    *,
    told: pl.Series | None,
) -> None:
    count = int(unread.sum())
    if not count:
        return
    if count == int(text.is_not_null().sum()) and count > 1:
        raise DataError(
            f"{log.name}, column {reading.header!r} holds no number",
            got=f"{count:,} cells such as {first_shape(text, unread)}",
            fix=f"say {in_mapping()} which column holds the figures",
        )
    about = f"column {reading.header!r}: {{shape}} is not a number; cells with this problem: {{count}}, "
    about += "they count as missing"
    log.count("not a number", about, unread if told is None else unread & ~told, rows, cells=text)


def _durations(text: pl.Series, rows: pl.Series, reading: Reading, log: ReadLog) -> Numbers | None:
    """h:mm:ss and m:ss as seconds; None where the column is of plain seconds."""
    clock = text.str.contains(r"^\d+:\d{2}(:\d{2}(\.\d+)?)?$").fill_null(False)
    if not clock.any():
        return None
    plain = text.str.contains(r"^[1-9]\d*([.,]\d+)?$").fill_null(False)
    if plain.any():
        raise DataError(
            f"{log.name}, column {reading.header!r} mixes durations as minutes and seconds with plain seconds",
            got=f"{first_shape(text, clock)} and {first_shape(text, plain)} (row {rows.filter(plain)[0]})",
            fix="write all of them in one way",
        )
    parts = text.str.split(":")
    width = parts.list.len()
    last = parts.list.get(-1, null_on_oob=True).cast(pl.Float64, strict=False)
    before = parts.list.get(-2, null_on_oob=True).cast(pl.Float64, strict=False)
    first = parts.list.get(-3, null_on_oob=True).cast(pl.Float64, strict=False)
    total = last + before * 60 + first.fill_null(0) * 3600
    return Numbers(total.set((~clock) | (width > 3).fill_null(True), None).set(text == "0", 0.0))


def _decimal_numbers(text: pl.Series, rows: pl.Series, reading: Reading, log: ReadLog) -> Numbers:
    kind = reading.field.type
    core = text.str.replace_all(_SPACES, "").str.replace_all("−", "-", literal=True)
    bracketed = core.str.contains(r"^\(.*\)$").fill_null(False)
    if bracketed.any():
        core = core.str.replace(r"^\((.*)\)$", "-$1")
    core = core.str.replace(r"^([^-]*\d[^-]*)-$", "-$1")
    currency = ""
    if kind == "money":
        core, currency = _without_currency(core, rows, reading, log)
    percent = core.str.ends_with("%").fill_null(False)
    core = core.str.strip_suffix("%")
    if percent.any() and kind in ("count", "number", "money"):
        raise DataError(
            f"{log.name}, column {reading.header!r} holds a rate where a count is needed",
            got=f"{first_shape(text, percent)} ({places(tuple(rows.filter(percent).head(3)), int(percent.sum()))})",
            fix="choose the column that counts, not its share",
        )
    core, factor, rounded = _without_magnitude(core, reading, log, rows)
    dates = core.str.contains(r"^19\d\d-\d\d-\d\d$").fill_null(False)
    about = f"column {reading.header!r}: {{count}} numbers were stored as dates by a spreadsheet and restored"
    if kind == "count" and log.count("number as date", about, dates, rows):
        days = core.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32) + _DAY_ZERO
        core = core.zip_with(~dates, days.cast(pl.String))
    decimal = _convention(core, rows, reading, log)
    if decimal == ",":
        valid = core.str.contains(_UNDER_COMMA)
        digits = core.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    else:
        valid = core.str.contains(_UNDER_DOT)
        digits = core.str.replace_all(",", "", literal=True)
    values = digits.set(~valid.fill_null(False), None).cast(pl.Float64, strict=False)
    if factor is not None:
        values = values * factor
    values = values.set(~values.is_finite().fill_null(False), None)
    if percent.any() or (kind == "share" and "(%)" in reading.header):
        everywhere = kind == "share" and "(%)" in reading.header
        values = values / 100 if everywhere else values.zip_with(~percent, values / 100)
    broken = None
    if kind == "count":
        values, broken = _whole(values, text, rows, reading, log)
    elif kind == "share" and not percent.any() and "(%)" not in reading.header:
        _warn_shares(values, rows, reading, log)
    return Numbers(values, currency, rounded, broken=broken)


def _convention(core: pl.Series, rows: pl.Series, reading: Reading, log: ReadLog) -> str:
    """The decimal sign of a column."""
    if reading.decimal is not None:
        return reading.decimal
    some = core.drop_nulls()
    under_dot = int((~some.str.contains(_UNDER_DOT)).sum())
    under_comma = int((~some.str.contains(_UNDER_COMMA)).sum())
    if under_dot != under_comma:
        sign = "." if under_dot < under_comma else ","
        if reading.rule and sign != reading.rule:
            reason = f"{max(under_dot, under_comma):,} cells only read so, against the platform's rule"
            log.guess(f"decimal sign of {reading.header!r}", repr(sign), reason, "decimal=")
        return sign
    signed = some.filter(some.str.contains(r"[.,]"))
    if signed.is_empty() or under_dot:
        return reading.rule or "."
    grouped_dot, grouped_comma = signed.str.contains(_GROUPED_DOT), signed.str.contains(_GROUPED_COMMA)
    if reading.field.type == "count" and (grouped_dot.all() or grouped_comma.all()):
        return "," if grouped_dot.all() else "."  # a count has no decimals, so the sign parts thousands
    if reading.rule:
        return reading.rule
    where = core.is_not_null() & core.str.contains(r"[.,]").fill_null(False)
    raise DataError(
        f"{log.name}, column {reading.header!r} does not say which sign is the decimal one",
        got=f"{show_shape(signed[0])} ({places(tuple(rows.filter(where).head(3)), int(where.sum()))})",
        allowed="1234.5 and 1,234.5, or 1234,5 and 1.234,5",
        fix="pass decimal='.' or decimal=','",
    )


def same_sign(signed: str, code: str) -> bool:
    """Say whether amounts whose sign was read as one currency may be in another that uses the same sign.

    Examples
    --------
    >>> same_sign("USD", "CAD"), same_sign("USD", "EUR")
    (True, False)
    """
    return signed == code or code in _ALSO.get(signed, ())


def show_code(code: str) -> str:
    """Name a currency in a message; three letters that are no currency may be anything.

    Examples
    --------
    >>> show_code("EUR"), show_code("ANN")
    ('EUR', 'another')
    """
    return code if code in load_registry().currencies else "another"


def currency_of(cells: pl.Series, rows: pl.Series, log: ReadLog) -> str:
    """Say which currency the cells of a column carry; empty where they carry none."""
    reading = Reading(Field("amount", "money"), cells.name)
    return _without_currency(cells.str.replace_all(_SPACES, ""), rows, reading, log)[1]


def _without_currency(
    core: pl.Series, rows: pl.Series, reading: Reading, log: ReadLog
) -> tuple[pl.Series, str]:
    """Take signs and codes of money off, and say which currency they are."""
    sign = core.str.extract(r"^-?([^\d.,%-]{1,4})-?[\d.,]", 1).fill_null(
        core.str.extract(r"\d([^\d.,%-]{1,4})$", 1)
    )
    if sign.null_count() == len(sign):
        return core, ""
    known = sorted({str(s).lower() for s in sign.drop_nulls()})
    codes = sorted(
        {_SIGNS.get(s, s.upper() if len(s) == 3 and s.isascii() and s.isalpha() else "") for s in known}
    )
    if "" in codes:
        return core, ""
    if len(codes) > 1:
        raise DataError(
            f"{log.name}, column {reading.header!r} mixes currencies",
            got=", ".join(map(show_code, codes)),
            allowed="one currency per column, or a column that names it",
            fix="export one currency at a time",
        )
    shared = sorted(set(known) & _SHARED_SIGNS)
    if shared:
        log.guess(
            "currency", codes[0], f"the sign {shared[0]!r} is shared by several currencies", "currency="
        )
    bare = core.str.replace(r"^(-?)[^\d.,%-]{1,4}(-?)([\d.,])", "$1$2$3").str.replace(
        r"(\d)[^\d.,%-]{1,4}$", "$1"
    )
    return bare, codes[0]


def _without_magnitude(
    core: pl.Series, reading: Reading, log: ReadLog, rows: pl.Series
) -> tuple[pl.Series, pl.Series | None, pl.Series | None]:
    """Take K, M, тыс. and the like off; also the exponent that a spreadsheet writes."""
    letters = core.str.extract(r"\d([^\d.,\s%-]{1,4}\.?)$", 1).str.to_lowercase()
    science = core.str.contains(_SCIENTIFIC).fill_null(False)
    known = letters.is_in(list(_MAGNITUDES)).fill_null(False) & ~science
    if not (known.any() or science.any()):
        return core, None, None
    factor = (
        letters.set(~known, None)
        .replace_strict(_MAGNITUDES, default=1.0, return_dtype=pl.Float64)
        .fill_null(1.0)
    )
    exponent = core.str.extract(r"[eE]\+?(\d{1,3})$", 1).cast(pl.Float64, strict=False).fill_null(0)
    powers = pl.Series(np.power(10.0, np.minimum(exponent.to_numpy(), 300)))
    factor = factor.zip_with(~science, powers)
    bare = core.str.replace(r"(\d)[^\d.,\s%-]{1,4}\.?$", "$1").zip_with(known, core)
    bare = bare.str.replace(r"[eE]\+?\d{1,3}$", "").zip_with(science, bare)
    rounded = known | science
    about = f"column {reading.header!r}: {{count}} numbers are rounded, such as {{shape}}; they are known to about "
    about += f"±{(factor.filter(rounded) / 20).to_numpy().max():,.0f} and marked"
    log.count("rounded", about, rounded, rows, cells=core)
    return bare, factor, rounded


def _whole(
    values: pl.Series, text: pl.Series, rows: pl.Series, reading: Reading, log: ReadLog
) -> tuple[pl.Series, pl.Series]:
    """Counts are whole: 528.0 is, 12.5 is not; and which are not."""
    broken = ((values - values.round(0)).abs() > 1e-6).fill_null(False)
    about = f"column {reading.header!r}: {{shape}} is no count; cells with this problem: {{count}}, they count as missing"
    log.count("not whole", about, broken, rows, cells=text)
    return values.set(broken, None), broken


def _warn_shares(values: pl.Series, rows: pl.Series, reading: Reading, log: ReadLog) -> None:
    about = f"column {reading.header!r}: {{count}} shares exceed 1, so it may be percent without a sign"
    log.count("share above 1", about, values > 1, rows)
