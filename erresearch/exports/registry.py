"""The registry of layouts, read from ``platforms.toml`` into frozen records."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from erresearch.errors import ColumnError, UnknownNameError
from erresearch.io.files import resource

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Alias", "Field", "Format", "Kind", "Registry", "Rule", "load_registry", "normalise", "platforms"]

Kind = Literal["posts", "daily", "followers", "outcomes", "survey", "ads"]
How = Literal["equals", "prefix", "blank"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_CURRENCY = "{currency}"


@functools.lru_cache(maxsize=8192)
def normalise(text: str) -> str:
    r"""Bring a header to the form in which headers are compared.

    Case, accents, typographic quotes, soft hyphens, line ends and doubled or unbreakable spaces do not count.

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
    kept = []
    for character in unicodedata.normalize("NFKD", text.lstrip("\ufeff")).casefold():
        category = unicodedata.category(character)
        if category in ("Mn", "Cf") or character in "\"'„“”‘’«»":
            continue
        kept.append(" " if category[0] in "ZC" else character)
    return " ".join("".join(kept).split())


@dataclass(frozen=True, slots=True)
class Field:
    """What a canonical column means.

    Parameters
    ----------
    name : str
        Its name.
    type : str
        How its cells are read: id, text, time, window, range, index, count, number, money, share, seconds,
        flag, score or personal.
    stock : bool
        Whether it is a level at a moment; otherwise it is counted over a time.
    unique : bool
        Whether it counts people, so that it must not be added up over posts or days.
    about : str
        One line for the data dictionary.
    renamed : pair of tuple of str
        Headers before and after the platform changed what it calls it (and perhaps what it counts); empty elsewhere.
    """

    name: str
    type: str
    stock: bool = False
    unique: bool = False
    about: str = ""
    renamed: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Alias:
    """One header of one column in one language; `pattern` is set where the header carries a currency."""

    target: str
    language: str
    text: str
    pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Which rows sum others: those whose cell in `column` (``*`` is the first column) is as `how` says."""

    column: str
    how: How
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
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
    member: str = ""
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
    raw_names: bool = False
    collaborations: bool = False
    id_clock: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    refund: tuple[str, ...] = ()
    money: tuple[tuple[str, str], ...] = ()
    summary_titles: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    comparisons: tuple[str, ...] = ()
    totals: tuple[Rule, ...] = ()
    titles: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    sums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def headers(self, target: str) -> tuple[str, ...]:
        """Every header of a column, in all languages."""
        return tuple(text for texts in self.columns.get(target, {}).values() for text in texts)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages in which its headers are known, English first."""
        known = {language for texts in self.columns.values() for language in texts}
        return tuple(sorted(known, key=lambda language: (language != "en", language)))


@dataclass(frozen=True, slots=True)
class Registry:
    """All layouts and what the columns mean."""

    fields: Mapping[str, Field]
    formats: tuple[Format, ...]
    missing: frozenset[str]
    no_data: frozenset[str]
    months: Mapping[str, int]
    kinds: Mapping[str, str] = field(default_factory=dict)
    sums: frozenset[str] = frozenset()

    def field(self, name: str) -> Field:
        """What a column means; a name that is not registered is a number without further meaning."""
        return self.fields.get(name, Field(name, "number"))

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


def _rule(entry: list[str]) -> Rule:
    column, how, *texts = entry
    if how not in get_args(How):
        raise ColumnError(
            "a rule for rows of totals is not known", got=repr(how), allowed="equals, prefix, blank"
        )
    return Rule(column, cast("How", how), tuple(text.strip().casefold() for text in texts))


def _as_it_is(value: Any) -> Any:
    return value


# how each entry of a format is frozen; anything else is taken as it is
_FREEZE: Mapping[str, Callable[[Any], Any]] = {
    "totals": lambda value: tuple(_rule(entry) for entry in value),
    "money": lambda value: tuple(tuple(entry) for entry in value),
    "titles": lambda value: {normalise(title): tuple(entry) for title, entry in value.items()},
    "states": lambda value: {normalise(state): kind for state, kind in value.items()},
    "columns": lambda value: {
        target: {language: _texts(texts) for language, texts in headers.items()}
        for target, headers in value.items()
    },
    **dict.fromkeys(("sums", "lines", "rates"), lambda value: {k: _texts(v) for k, v in value.items()}),
    **dict.fromkeys(
        ("signature", "id_clock", "errors", "ignore", "refund", "summary_titles", "labels", "comparisons"),
        tuple,
    ),
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
    if entry.get("kind") not in KINDS:
        raise UnknownNameError.of("kind of export", entry.get("kind"), KINDS)
    return Format(**{name: _FREEZE.get(name, _as_it_is)(value) for name, value in entry.items()})


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
    >>> registry.field("reach").unique, registry.field("followers").stock
    (True, True)
    """
    table = tomllib.loads((resource("data") / "platforms.toml").read_text(encoding="utf-8"))
    return Registry(
        MappingProxyType({name: _field(name, entry) for name, entry in table["field"].items()}),
        tuple(format_of(entry) for entry in table["format"]),
        frozenset(table["missing"]),
        frozenset(table["no_data"]),
        MappingProxyType({name: int(month) for month, names in table["months"].items() for name in names}),
        MappingProxyType({normalise(text): kind for kind, texts in table["kinds"].items() for text in texts}),
        frozenset(table["sums"]),
    )


def _field(name: str, entry: Mapping[str, Any]) -> Field:
    renamed = tuple(tuple(headers) for headers in entry.get("renamed", ()))
    return Field(name, **{key: value for key, value in entry.items() if key != "renamed"}, renamed=renamed)


@functools.lru_cache(maxsize=256)
def aliases(layout: Format) -> tuple[dict[str, list[Alias]], list[Alias]]:
    """Return the headers of a layout: by normalised text, and those that carry a currency."""
    plain: dict[str, list[Alias]] = {}
    patterned = []
    for target, headers in layout.columns.items():
        for language, texts in headers.items():
            for text in texts:
                if _CURRENCY in text:
                    head, tail = (re.escape(normalise(part)) for part in text.split(_CURRENCY))
                    pattern = re.compile(rf"{head}\s*(?P<currency>[a-z]{{3}})\s*{tail}")
                    patterned.append(Alias(target, language, text, pattern))
                else:
                    plain.setdefault(normalise(text), []).append(Alias(target, language, text))
    return plain, patterned


def platforms() -> pd.DataFrame:
    """List every layout that can be read.

    Returns
    -------
    pandas.DataFrame
        Columns ``format``, ``name``, ``platform``, ``kind``, ``languages``, ``evidence``: `evidence` says whether
        the layout was read from real files (bytes), from public code that copes with it, or from fixtures only.

    Examples
    --------
    >>> from erresearch.exports import platforms
    >>> table = platforms().set_index("format")
    >>> table.loc["meta-instagram-posts", ["platform", "kind", "evidence"]].tolist()
    ['instagram', 'posts', 'bytes']
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "format": f.id,
                "name": f.name,
                "platform": f.platform,
                "kind": f.kind,
                "languages": ", ".join(f.languages),
                "evidence": f.evidence,
            }
            for f in load_registry().formats
        ]
    )
