"""What of a file's text may be shown, and what is never loaded.

A message is ours: cells of the user's file do not stand in it. It gives the place (row, column) and the shape of a cell,
``31/12/2025`` as ``00/00/0000``. Names of columns are shown where they look like names of columns, names of files and
sheets and the cells of declared labels (account, platform, kind of post, currency) are cut short. Every text of a file
that reaches a message goes through one of the functions here.
"""

from __future__ import annotations

import functools
import hashlib
import re
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from erresearch.io import pl
from erresearch.io.files import registry, resource

#: Letters of a header that are looked at; what is longer is no name of a column.
LONGEST_HEADER: Final = 300
_CONTACT: Final = (
    r"[\w.+-]@[\w-]+\.\w|^\s*\+\d[\d\s()/-]{7,}\d\s*$|"
    r"\p{L}(?:straat|straße|strasse|laan|gasse|plein)\s+\d|^\d+\s+\p{L}.*\s(?i:street|road|avenue|lane|drive)\b"
)
_NO_ID: Final = r"^\s*@|\S\s+\S"
#: At least one of them stands in every contact: at, plus, or white space.
_SIGNS: Final = list(
    "@+ \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
)
_OF_PEOPLE: Final = rf"^\s*@\w|^\s*00\d[\d\s()/-]{{7,}}\d\s*$|{_CONTACT}"
# two or three words with capitals, as most people are called
_LIKE_NAMES: Final = r"^\p{Lu}[\p{L}'’-]+(?:\s\p{Lu}\.?|\s\p{Ll}{2,3}){0,2}\s\p{Lu}[\p{L}'’-]+$"
_FEW_NAMES: Final = 5
#: Share of cells with a digit or another sign that headers seldom have.
_ODD: Final = 0.1
#: Letters from which a word may end a compound.
_LONG: Final = 5
# letters, and between them what stands in names of columns; a digit, an @ or an address does not
_NAME_OF_COLUMN: Final = re.compile(r"[^\W\d](?:[^\W\d]|[ \-–_/()\[\]%.,:&'’?\"“”„+|$€£¥₹₽₴₺])*")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
# a word with a capital, and later a longer one without, as nobody is called; no particle of names follows the first
_SENTENCE: Final = re.compile(
    r"[A-Z][a-z]+ (?!(?:van|von|vom|zu|de|den|der|di|da|do|dos|du|del|della|la|le|el|al|bin|ibn|ten|ter|af|av) )"
    r"[^A-Z]*[a-z]{4,}[^A-Z]*"
)
_MOST_WORDS: Final = 8
_CUT_HEADER, _CUT_NAME, _CUT_SHAPE = 40, 60, 20
#: Columns whose text may be shown: declared labels, and words that come from the registry.
LABELS: Final = frozenset((
    "platform", "account", "entity", "post_type", "currency", "outcome", "kind", "grain", "time_source", "time_precision",
))  # fmt: skip
#: One salt per run, kept in memory only, so that hashes join within a run and mean nothing after it. It is drawn before
#: any thread can ask for it: each of two that ask at once would draw its own.
_SALT: Final = secrets.token_bytes(32)


def is_personal(header: str) -> bool:
    """Whether a header names something personal: a name, an address, an id of a person, or what somebody wrote.

    Parameters
    ----------
    header : str
        As printed; of a very long one the beginning counts.

    Returns
    -------
    bool
        Such columns are not loaded unless a mapping asks for them.

    Examples
    --------
    >>> is_personal("Billing Name"), is_personal("Customer Email"), is_personal("Reach")
    (True, True, False)
    """
    return names_people(header) or _personal("texts").search(header[:LONGEST_HEADER].casefold()) is not None


def names_people(header: str) -> bool:
    """Whether a header names a column of people: like :func:`is_personal`, but titles and descriptions are none.

    Examples
    --------
    >>> names_people("Customer name"), names_people("Page title and screen class")
    (True, False)
    """
    return _personal("people").search(header[:LONGEST_HEADER].strip().casefold()) is not None


@functools.cache
def _personal(what: str) -> re.Pattern[str]:
    """Patterns of the registry in one."""
    return re.compile("|".join(registry("platforms.toml")["personal"][what]))


def holds_people(cells: pl.Series) -> bool:
    """Whether a column holds contacts in a tenth of its cells or more, or names that are as many as people are.

    Contacts are e-mail and postal addresses, handles and telephone numbers; names are two or three words with capitals in
    nearly every cell, most of them different.

    Examples
    --------
    >>> import polars as pl
    >>> holds_people(pl.Series(["ann@example.org", "bo@example.org"])), holds_people(pl.Series(["Soap", "Tea @ home"]))
    (True, False)
    """
    said = cells.drop_nulls()
    if not len(said):
        return False
    many = said.n_unique() >= max(_FEW_NAMES, len(said) / 2)
    if many and int(said.str.contains(_LIKE_NAMES).sum()) >= 0.8 * len(said):
        return True
    return int(said.str.contains(_OF_PEOPLE).sum()) >= 0.1 * len(said)


def may_hold_contacts(column: pl.Expr) -> pl.Expr:
    """Whether a cell has a sign that every contact has, which is sooner known of a large column than the contacts are.

    Examples
    --------
    >>> import polars as pl
    >>> pl.DataFrame({"a": ["teashop", "x"], "b": ["x", "ann@example.org"]}).select(may_hold_contacts(pl.all())).row(0)
    (False, True)
    """
    return column.str.contains_any(_SIGNS).any()


def without_contacts(cells: pl.Series, *, ids: bool = False) -> tuple[pl.Series, pl.Series]:
    """Cells of a label with a hash in place of e-mail and postal addresses and telephone numbers; and which they are.

    Of `ids` several words and handles are replaced as well: they are names.

    Examples
    --------
    >>> import polars as pl
    >>> cells, found = without_contacts(pl.Series(["teashop", "ann@example.org"]))
    >>> cells[0], len(cells[1]), found.to_list()
    ('teashop', 16, [False, True])
    """
    found = cells.str.contains(rf"{_NO_ID}|{_CONTACT}" if ids else _CONTACT).fill_null(False)
    return (cells.zip_with(~found, hashed(cells)) if found.any() else cells), found


def show_name(name: object) -> str:
    r"""The name of a file, a sheet or an account, or a label, cut short and without signs that move the cursor.

    Examples
    --------
    >>> show_name("Orders 2025"), show_name("a" * 80 + ".csv")[-8:], show_name("a\nb\x1b[2J")
    ('Orders 2025', 'aaa….csv', 'a b [2J')
    """
    text = str(name)[: 4 * LONGEST_HEADER]
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(text) <= _CUT_NAME:
        return text
    dot = text.rfind(".")
    end = text[dot:] if 0 < len(text) - dot <= 6 else ""
    return f"{text[: _CUT_NAME - len(end) - 1]}…{end}"


def show_shape(cell: object) -> str:
    """What a cell looks like, without what it says: digits as 0, letters as a.

    Examples
    --------
    >>> show_shape("31/12/2025"), show_shape("Ann Lee"), show_shape("")
    ("'00/00/0000'", "'Aaa Aaa'", "''")
    """
    text = str(cell)
    out = "".join(map(_kind_of_sign, text[:_CUT_SHAPE]))
    return f"'{out}{'…' if len(text) > _CUT_SHAPE else ''}'"


def first_shape(cells: pl.Series, where: pl.Series) -> str:
    """The shape of the first of the cells that a mask picks."""
    return show_shape(cells.filter(where)[0])


def _kind_of_sign(sign: str) -> str:
    if sign.isalpha():
        return "A" if sign.isupper() else "a"
    return "0" if sign.isdigit() else sign if " " <= sign <= "~" else "·"


def _shaped_like_a_header(header: str) -> bool:
    text = header.strip().lstrip("\ufeff")
    return (
        0 < len(text) <= 2 * _CUT_HEADER
        and len(text.split()) <= _MOST_WORDS
        and _NAME_OF_COLUMN.fullmatch(text) is not None
    )


@functools.lru_cache(maxsize=1)
def _words_of_headers() -> frozenset[str]:
    """Every word of the registry of layouts."""
    text = (resource("data") / "platforms.toml").read_text(encoding="utf-8")
    return frozenset(word.casefold() for word in _WORD.findall(_bare(text)))


def _bare(text: str) -> str:
    """A text without accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


@functools.cache
def _ends_of_compounds() -> re.Pattern[str]:
    """Words of figures and days, which end compounds such as Gesamtbetrag."""
    hints = {_bare(word) for words in registry("platforms.toml")["hints"].values() for word in words}
    long = sorted(word for word in hints if len(word) >= _LONG and _WORD.fullmatch(word))
    return re.compile(rf"[^\W\d_]{{3,}}(?:{'|'.join(long)})", re.IGNORECASE)


def has_known_words(header: str) -> bool:
    """Whether half of its words are words of known headers; of words with capitals, as names have them, two thirds.

    Examples
    --------
    >>> has_known_words("Gesamtbetrag"), has_known_words("Total paid"), has_known_words("Neumann")
    (True, True, False)
    """
    words, ends = _WORD.findall(_bare(header)), _ends_of_compounds()
    strange = [
        word for word in words if word.casefold() not in _words_of_headers() and not ends.fullmatch(word)
    ]
    share = 3 if any(word[0].isupper() for word in strange) else 2
    return share * len(strange) <= len(words)


def _column_name(header: str, *, figures: bool) -> bool:
    """Whether a header may be shown, as nobody's name: by known words, or as a sentence over figures."""
    said = has_known_words(header) or (figures and _SENTENCE.fullmatch(_bare(header)) is not None)
    return said and _shaped_like_a_header(header)


def show_headers(
    header: Sequence[str],
    *,
    known: Iterable[int] = (),
    figures: Iterable[int] = (),
    positions: Iterable[int] | None = None,
    most: int = 8,
) -> str:
    """Name columns by their headers, or by their number where a header does not look like the name of a column.

    Parameters
    ----------
    header : sequence of str
        A row that was recognised as headers.
    known : iterable of int
        Positions whose header is in the registry or in the caller's mapping, shown as printed.
    figures : iterable of int
        Positions of columns of numbers.
    positions : iterable of int, optional
        Columns to name; all that have a header by default.
    most : int
        How many to name.

    Returns
    -------
    str
        At most 40 letters of each.

    Examples
    --------
    >>> show_headers(["Date", "Branch", "ann@example.org"], known=[0])
    "'Date', 'Branch', column 3"
    """
    certain, numbers = set(known), set(figures)
    wanted = [i for i in (range(len(header)) if positions is None else positions) if header[i].strip()]
    named = []
    for i in wanted[:most]:
        text = " ".join(header[i].lstrip("\ufeff").split())
        if i in certain or _column_name(text, figures=i in numbers):
            named.append(repr(text if len(text) <= _CUT_HEADER else text[: _CUT_HEADER - 1] + "…"))
        else:
            named.append(f"column {i + 1}")
    more = f" and {len(wanted) - most} more" if len(wanted) > most else ""
    return ", ".join(named) + more


def looks_like_headers(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a row that no layout knows is a row of headers, by its shape alone.

    Nine cells in ten must look like names of columns, no two may be equal, and some column must hold digits in the rows
    below: a row of names above rows of names may be a person as well.

    Examples
    --------
    >>> looks_like_headers(["Toot", "Favourites"], [["1", "3"], ["2", "4"]])
    True
    >>> looks_like_headers(["Ann Lee", "3 High Street"], [["Bo Ek", "5 Low Street"]])
    False
    >>> looks_like_headers(["Ann", "Lee"], [["Bo", "Ek"]])
    False
    """
    cells = [" ".join(cell.split()) for cell in row if cell.strip()]
    odd = sum(not _shaped_like_a_header(cell) for cell in cells)
    if len(cells) < 2 or len(set(cells)) < len(cells) or odd > _ODD * len(cells):
        return False
    body = [other for other in below if any(cell.strip() for cell in other)][:20]
    digits = [
        [any(sign.isdigit() for sign in other[i]) for other in body if i < len(other)]
        for i, cell in enumerate(row)
        if cell.strip()
    ]
    # the first row below may describe the columns
    return any(column and all(column[len(column) > 2 :]) for column in digits)


def shown_columns(frame: object) -> list[str]:
    """Columns of canonical rows whose cells may be shown: numbers, times and declared labels; no ids, no other text.

    Parameters
    ----------
    frame : pandas.DataFrame
        Canonical rows.

    Returns
    -------
    list of str
        In the order of the table.
    """
    return [
        str(name)
        for name, dtype in frame.dtypes.items()  # type: ignore[attr-defined]
        if name in LABELS or (dtype.kind in "fiubM" and name != "source_row")
    ]


def hashed(values: pl.Series) -> pl.Series:
    """Replace text by a keyed hash that is the same within one run and cannot be undone after it.

    Parameters
    ----------
    values : polars.Series
        Text.

    Returns
    -------
    polars.Series
        16 hexadecimal digits each; what is missing stays missing.

    Examples
    --------
    >>> import polars as pl
    >>> out = hashed(pl.Series(["ann@example.org", "ann@example.org", "bo@example.org", None]))
    >>> out[0] == out[1], out[0] == out[2], out[3] is None, len(out[0])
    (True, False, True, 16)
    """
    distinct = [value for value in values.unique().drop_nulls().to_list() if value]
    table = {
        v: hashlib.blake2b(v.encode("utf-8", "replace"), key=_SALT, digest_size=8).hexdigest()
        for v in distinct
    }
    if not table:
        return pl.Series(values.name, [None] * len(values), dtype=pl.String)
    return values.replace_strict(table, default=None, return_dtype=pl.String)
