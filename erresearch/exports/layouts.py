"""The registry of layouts, read from ``platforms.toml`` into frozen records, and what a caller says beside them."""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, TypeVar, cast, get_args

from erresearch.errors import ColumnError, UnknownNameError, check_name
from erresearch.exports.privacy import LONGEST_HEADER
from erresearch.io import pd
from erresearch.io.files import frozen, registry
from erresearch.schema.vocabulary import AUDIENCES, COLUMNS, REACTIONS, TABLES, Column, column_of

Said = TypeVar("Said", str, int, float)
Kind = Literal["posts", "daily", "followers", "outcomes", "survey", "ads"]
How = Literal["equals", "prefix", "blank"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_CURRENCY = "{currency}"
MAPPED = "mapping"  # `evidence` of a layout that a mapping file describes


def normalise(text: str) -> str:
    r"""Bring a header to the form in which headers are compared.

    Case, accents, typographic quotes, soft hyphens, line ends and doubled or unbreakable spaces do not count; of a very
    long text the beginning does.

    Parameters
    ----------
    text : str
        A header as printed.

    Returns
    -------
    str
        For comparison only; messages show the header as printed.

    Examples
    --------
    >>> normalise(" Título\u00a0del  vídeo") == normalise("titulo del video")
    True
    >>> normalise("„Gefällt mir“-Angaben")
    'gefallt mir-angaben'
    """
    return _normalised(text.lstrip("\ufeff")[:LONGEST_HEADER])


@functools.lru_cache(maxsize=8192)
def _normalised(text: str) -> str:
    kept = []
    for character in unicodedata.normalize("NFKD", text).casefold():
        category = unicodedata.category(character)
        if category in ("Mn", "Cf") or character in "\"'„“”‘’«»":
            continue
        kept.append(" " if category[0] in "ZC" else character)
    return " ".join("".join(kept).split())


@dataclass(frozen=True, slots=True)
class Alias:
    """One header of one column in one language, the first of which has rank 0."""

    target: str
    language: str
    header: str
    rank: int


@dataclass(frozen=True, slots=True)
class TotalsRule:
    """Which rows sum others: those whose cell in `column` (``*`` is the first column) is as `how` says."""

    column: str
    how: How
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Format:
    """One layout of the registry; ``platforms.toml`` says what each entry means.

    Parameters
    ----------
    id, name, platform : str
        Stable name, name for people, network or system.
    kind : Kind
        What its rows become.
    evidence : str
        What the layout was read from: bytes, public code or fixture.
    columns : mapping of str to mapping of str to tuple of str
        Headers of each canonical column, by language.
    """

    id: str
    name: str
    platform: str
    kind: Kind
    evidence: str
    signature: tuple[str, ...]
    columns: Mapping[str, Mapping[str, tuple[str, ...]]]
    dates: str = ""
    zone: str = ""
    zone_rule: str = ""
    decimal: str = ""
    key: str = "post_id"
    refuse: str = ""
    group: str = ""
    description_row: str = ""
    second_sheet: str = ""
    limit: int = 0
    header_rows: int = 1
    exact: bool = False
    stack: bool = False
    titled: bool = False
    undated: bool = False
    preamble: bool = False
    import_ids: bool = False
    side_by_side: bool = False
    minute_bug: bool = False
    circular: bool = False
    pipeline: bool = False
    range_line: bool = False
    collaborations: bool = False
    lifelong: bool = False
    id_clock: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    refund: tuple[str, ...] = ()
    money: tuple[tuple[str, str], ...] = ()
    summary_titles: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    comparisons: tuple[str, ...] = ()
    totals: tuple[TotalsRule, ...] = ()
    titles: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    sums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    figures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def headers(self, target: str) -> tuple[str, ...]:
        """Every header of a column, in all languages."""
        return tuple(text for texts in self.columns.get(target, {}).values() for text in texts)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages in which its headers are known, English first."""
        known = {language for texts in self.columns.values() for language in texts}
        return tuple(sorted(known, key=lambda language: (language != "en", language)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All layouts and what the columns mean."""

    fields: Mapping[str, Column]
    formats: tuple[Format, ...]
    missing: frozenset[str]
    no_data: frozenset[str]
    months: Mapping[str, int]
    kinds: Mapping[str, str]
    sums: frozenset[str]
    states: Mapping[str, str]
    currencies: frozenset[str]
    hints: Mapping[str, tuple[str, ...]]
    magnitudes: Mapping[str, float]
    signs: Mapping[str, str]
    also: Mapping[str, frozenset[str]]
    offsets: Mapping[str, int]
    #: Of a figure the headers before and after its platform changed what it calls it, and perhaps what it counts.
    renamed: Mapping[str, Sequence[Sequence[str]]]

    def field(self, name: str) -> Column:
        """What a column means; a name that is not registered is a number without further meaning."""
        return self.fields.get(name) or column_of(name, {"cell": "number"})

    def choose(self, name: str) -> tuple[Format, ...]:
        """Return the formats that a `platform=` argument names: one format, or all of one platform."""
        wanted = normalise(str(name))
        found = tuple(f for f in self.formats if wanted in (f.id, normalise(f.name), f.platform))
        if not found:
            known = {f.id for f in self.formats} | {f.platform for f in self.formats}
            raise UnknownNameError.of("platform", name, known)
        return found


def _texts(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _rule(entry: Sequence[str]) -> TotalsRule:
    wrong = not isinstance(entry, list | tuple) or not all(isinstance(part, str) for part in entry)
    if wrong or len(entry) < 2 or entry[1] not in get_args(How):
        raise ColumnError(
            "a rule for rows of totals is not understood",
            got=repr(entry)[:80],
            allowed='[column, "equals", "prefix" or "blank", texts …], all of them text',
            fix='write totals = [["post_id", "equals", "Total"]]',
        )
    column, how, *texts = entry
    return TotalsRule(column, cast("How", how), tuple(text.strip().casefold() for text in texts))


# how each entry of a format is frozen; of the others lists are tuples
_FREEZE: Mapping[str, Callable[[Any], Any]] = {
    "totals": lambda value: tuple(_rule(entry) for entry in value),
    "money": lambda value: tuple(tuple(entry) for entry in value),
    "titles": lambda value: {normalise(title): tuple(entry) for title, entry in value.items()},
    "states": lambda value: {normalise(state): kind for state, kind in value.items()},
    "columns": lambda value: {
        target: {language: _texts(texts) for language, texts in headers.items()}
        for target, headers in value.items()
    },
    **dict.fromkeys(("sums", "lines", "figures"), lambda value: {k: _texts(v) for k, v in value.items()}),
}


def format_of(entry: Mapping[str, Any]) -> Format:
    """Freeze one entry of the registry (or of a mapping file).

    Raises
    ------
    ColumnError
        If the entry has a name that no format has, or a kind that is not known.
    """
    known = {f.name for f in fields(Format)}
    unknown = sorted(set(entry) - known)
    if unknown:
        raise ColumnError(
            f"a layout has no entry {unknown[0]!r}",
            got=str(entry.get("id", "")),
            allowed=", ".join(sorted(known)),
        )
    check_name("kind of export", entry.get("kind"), KINDS)
    return Format(**frozen({name: _FREEZE.get(name, lambda one: one)(one) for name, one in entry.items()}))


@functools.lru_cache(maxsize=1)
def load_registry() -> Registry:
    """Read ``platforms.toml`` once.

    Returns
    -------
    Registry
        Frozen.

    Examples
    --------
    >>> registry = load_registry()
    >>> registry.field("reach").people, registry.field("followers").stock
    (True, True)
    """
    table = registry("platforms.toml")
    hints = table["hints"] | {"day": table["hints"]["date"]}
    # the canonical columns that are read from files, and what is read and stands in no table
    found = {name: column for name, column in COLUMNS.items() if column.cell}
    found |= {name: column_of(name, entry) for name, entry in table["field"].items()}
    states = _turned(table["states"], str).items()
    return Registry(
        fields=found,
        formats=tuple(map(format_of, table["format"])),
        kinds={normalise(text): kind for text, kind in _turned(table["kinds"], str).items()},
        states={word.replace(" ", sign): kind for word, kind in states for sign in " _-"},
        currencies=frozenset(table["currencies"].split()),
        hints={name: tuple(map(normalise, words)) for name, words in hints.items()},
        also={code: frozenset(others) for code, others in table["also"].items()},
        renamed=table["renamed"],
        months=_turned(table["months"], int),
        magnitudes=_turned(table["magnitudes"], float),
        signs=_turned(table["signs"], str),
        offsets=_turned(table["offsets"], int),
        **{name: frozenset(table[name]) for name in ("missing", "no_data", "sums")},
    )


def _turned(table: Mapping[str, Iterable[str]], kind: Callable[[str], Said]) -> Mapping[str, Said]:
    """Spellings by what they mean, from a table of what they mean by spellings."""
    return {word: kind(meant) for meant, words in table.items() for word in words}


KEPT = "kept: "
"""What the name of a further column begins with, until it is handed over under its header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the caller says.

    Parameters
    ----------
    tz : str or None
        Zone of clocks for which neither the file nor a rule of the platform says one.
    decimal, currency : optional
        Decimal sign, the one currency to keep.
    exported_at : datetime.date or None
        Day of the export.
    since : datetime.date or str
        First day of the range that figures of posts are of; ``"lifetime"`` where they are of a post's whole life; empty
        where the file is to tell.
    until : datetime.date or None
        Last day of that range.
    account, entity : str
        Name of the account or of the shop, where the file does not say it.
    zone : str
        Zone of clocks, over the platform's rule.
    scale : str
        Scale of a survey's score, such as "1-10".
    score : str
        Header of a survey's score.
    won : tuple of str
        Stages of a deal that count as won.
    own : tuple of str
        One's own accounts, where a file has posts of others as well.
    less, plus : tuple of str
        Headers of columns that are taken off the amounts of orders, or added to them, such as tax and shipping.
    keep, hash : tuple of str
        Headers of further columns to keep as they are, or hashed.
    per_post : bool
        Whether figures by post and day are added up to one row per post.
    dates : str
        Order of numeric dates.
    kind : str
        What the file must hold.
    """

    tz: str | None = None
    decimal: str | None = None
    currency: str | None = None
    exported_at: dt.date | None = None
    since: dt.date | str = ""
    until: dt.date | None = None
    account: str = ""
    entity: str = ""
    zone: str = ""
    scale: str = ""
    score: str = ""
    won: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    plus: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    per_post: bool = False
    dates: str = ""
    kind: str = ""

    def __post_init__(self) -> None:
        """Refuse a currency that is none, with the nearest code."""
        known, code = load_registry().currencies, self.currency or ""
        if code and code.upper() not in known:
            near = difflib.get_close_matches(code.upper(), known, n=1)
            raise UnknownNameError(
                f"there is no currency {code[:20]!r}",
                allowed="a code of three letters, such as EUR, USD or GBP",
                fix=f"did you mean {near[0]!r}?" if near else "",
            )


@functools.lru_cache(maxsize=256)
def aliases(layout: Format) -> tuple[dict[str, list[Alias]], list[tuple[re.Pattern[str], Alias]]]:
    """Return the headers of a layout: by normalised text, and those that carry a currency by their patterns."""
    plain: dict[str, list[Alias]] = {}
    patterned = []
    for target, headers in layout.columns.items():
        for language, texts in headers.items():
            for rank, text in enumerate(texts):
                if _CURRENCY in text:
                    head, tail = (re.escape(normalise(part)) for part in text.split(_CURRENCY))
                    pattern = re.compile(rf"{head}\s*(?P<currency>[a-z]{{3}})\s*{tail}")
                    patterned.append((pattern, Alias(target, language, text, 0)))
                else:
                    plain.setdefault(normalise(text), []).append(Alias(target, language, text, rank))
    return plain, patterned


def platforms() -> pd.DataFrame:
    """List every layout that can be read.

    Returns
    -------
    pandas.DataFrame
        Columns ``format``, ``name``, ``platform``, ``kind``, ``languages``, ``evidence``: `evidence` says whether
        the layout was read from real files (bytes), from public code that copes with it, or from fixtures only.

    See Also
    --------
    read_export : Reads them.
    inspect_export : Says which one a file is.

    Examples
    --------
    >>> from erresearch.exports import platforms
    >>> table = platforms().set_index("format")
    >>> table.loc["meta-instagram-posts", ["platform", "kind", "evidence"]].tolist()
    ['instagram', 'posts', 'bytes']
    """
    known = load_registry().formats
    rows = [(f.id, f.name, f.platform, f.kind, ", ".join(f.languages), f.evidence) for f in known]
    return pd.DataFrame(rows, columns=["format", "name", "platform", "kind", "languages", "evidence"])


MOMENTS: Final = ("published_at", "date", "day", "at")
FIGURES: Final = (*REACTIONS, *(name for name in AUDIENCES if name != "followers"))


def columns_of(kind: str, which: str) -> tuple[str, ...]:
    """Columns of a kind of table that are ``needed``, ``known_by``, ``usual`` or ``further``, by the registry.

    Examples
    --------
    >>> columns_of("ads", "needed"), columns_of("ads", "known_by")
    (('date|day|month', 'spend'), ('spend',))
    """
    listed = registry("platforms.toml")["tables"][kind].get(which, ())
    return tuple(name for one in listed for name in (FIGURES if one == "*figures" else (one,)))


def allowed_columns(kind: str) -> str:
    """Columns that a mapping of a kind may name, for a message: what is needed, what is usual, how many more.

    Examples
    --------
    >>> allowed_columns("ads")
    'for kind = "ads": date or day or month; spend; and entity, currency, impressions, date_end, campaign, account'
    """
    parts = columns_of(kind, "needed")
    needed = [part.replace("|", " or ").replace("*", "a figure") for part in parts]
    usual = [*columns_of(kind, "usual"), *columns_of(kind, "further")]
    usual += [column.name for column in TABLES[kind].columns if column.cell]
    said = {name for part in parts for name in part.split("|")}
    further = [name for name in dict.fromkeys(usual) if name not in said]
    return f'for kind = "{kind}": {"; ".join(needed)}; and {", ".join(further)}'


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Match:
    """A row of headers read as one layout.

    Parameters
    ----------
    layout : Format
        The layout.
    columns : mapping of str to int
        Canonical column → position.
    language : str
        Language of most headers.
    currencies : mapping of str to str
        Canonical column → currency code that its header carries.
    unknown : tuple of int
        Positions of headers that the layout does not know.
    twins : mapping of str to tuple of int
        Canonical column → positions of columns with exactly the same header.
    mixed : mapping of str to mapping of str to int
        Canonical column → currency → position, where its headers carry several currencies.
    """

    layout: Format
    columns: Mapping[str, int]
    language: str
    currencies: Mapping[str, str]
    unknown: tuple[int, ...]
    twins: Mapping[str, tuple[int, ...]]
    mixed: Mapping[str, Mapping[str, int]]

    @property
    def score(self) -> int:
        """How many canonical columns were found."""
        return len(self.columns)

    @property
    def loaded(self) -> dict[str, int]:
        """The columns that are read: personal ones only where a mapping asks for them."""
        known, asked = load_registry(), self.layout.evidence == MAPPED
        return {t: i for t, i in self.columns.items() if asked or known.field(t).cell != "personal"}


def match_header(layout: Format, header: Sequence[str]) -> Match | None:
    """Read a row as the headers of a layout.

    Parameters
    ----------
    layout : Format
        The layout.
    header : sequence of str
        Cells of the row.

    Returns
    -------
    Match or None
        None where a column of the signature has no header.

    Examples
    --------
    >>> layout, = load_registry().choose("tiktok-followers")
    >>> match_header(layout, ["DATE", "Followers ", "difference in followers from previous day"]).columns
    {'date': 0, 'followers': 1, 'followers_gained': 2}
    """
    plain, patterned = aliases(layout)
    # of each canonical column: position, header of the registry and currency of each header of the row that means it
    hits: dict[str, list[tuple[int, Alias, str]]] = {}
    ignored = set(map(normalise, layout.ignore))
    unknown = []
    for position, key in enumerate(map(normalise, header)):
        found = [(alias, "") for alias in plain.get(key, ())]
        carrying = ((pattern.fullmatch(key), alias) for pattern, alias in patterned)
        found += [(alias, said["currency"].upper()) for said, alias in carrying if said]
        for alias, currency in found:
            hits.setdefault(alias.target, []).append((position, alias, currency))
        unknown += [position] if not found and key not in ignored and header[position].strip() else []
    lacking = not all(any(target in hits for target in wanted.split("|")) for wanted in layout.signature)
    if lacking or (layout.exact and unknown):
        return None

    def worth(hit: tuple[int, Alias, str]) -> tuple[int, bool, int]:
        position, alias, currency = hit
        return alias.rank, not currency and header[position].strip() != alias.header, position

    best = {target: min(found, key=worth) for target, found in hits.items()}
    twins = {
        target: tuple(position for position, *_ in found if header[position] == header[best[target][0]])
        for target, found in hits.items()
    }
    mixed = {
        target: {currency: position for position, _, currency in reversed(found)}
        for target, found in hits.items()
    }
    languages = Counter(alias.language for _, alias, _ in best.values())
    return Match(
        layout=layout,
        columns=dict(sorted(((t, position) for t, (position, *_) in best.items()), key=lambda item: item[1])),
        language=max(languages, key=lambda language: (languages[language], language == "en"), default="en"),
        currencies={target: currency for target, (*_, currency) in best.items() if currency},
        unknown=tuple(unknown),
        twins={target: positions for target, positions in twins.items() if len(positions) > 1},
        mixed={target: codes for target, codes in mixed.items() if len(codes) > 1},
    )


@functools.lru_cache(maxsize=256)
def _signature_keys(layout: Format) -> tuple[tuple[frozenset[str], bool], ...]:
    """For each column of the signature the headers that stand for it, and whether a pattern may do so as well."""
    plain, patterned = aliases(layout)
    wanted = [frozenset(names.split("|")) for names in layout.signature]
    return tuple(
        (
            frozenset(key for key, known in plain.items() if any(one.target in names for one in known)),
            any(one.target in names for _, one in patterned),
        )
        for names in wanted
    )


def best_match(header: Sequence[str], layouts: Iterable[Format], *, preamble: bool = False) -> Match | None:
    """Return the layout that knows most of a row's headers.

    Parameters
    ----------
    header : sequence of str
        Cells of the row.
    layouts : iterable of Format
        Layouts to try.
    preamble : bool
        Whether the lines above announced a downloaded report, so that any row may be its header.

    Returns
    -------
    Match or None
        None where no layout fits.
    """
    keys = {normalise(cell) for cell in header}
    found = [
        match
        for layout in layouts
        if (preamble or not layout.preamble)
        and all(free or not keys.isdisjoint(known) for known, free in _signature_keys(layout))
        and (match := match_header(layout, header))
    ]
    announced = [match for match in found if match.layout.preamble]
    return max(announced or found, key=lambda match: (len(match.layout.signature), match.score), default=None)


@functools.lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """Every header that any layout knows, normalised."""
    return frozenset(key for layout in load_registry().formats for key in aliases(layout)[0])


@functools.cache
def registered_headers(target: str) -> frozenset[str]:
    """Every header that some layout has for a column, normalised."""
    return frozenset(normalise(text) for layout in load_registry().formats for text in layout.headers(target))
