"""What the caller says about a file: arguments, and the small TOML file that describes a layout."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from erresearch.errors import DataError, EngineError, ErresearchError, UnknownNameError, check_name, said_by
from erresearch.exports.dates import day_of
from erresearch.exports.layouts import (
    KINDS,
    MAPPED,
    Format,
    format_of,
    load_registry,
)
from erresearch.exports.numbers import refuse_no_currency
from erresearch.io.files import UnfitError, from_toml, read_value, registry
from erresearch.schema import TABLES
from erresearch.schema.vocabulary import AUDIENCES, REACTIONS

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
        """Refuse a currency that is none."""
        if self.currency:
            refuse_no_currency(self.currency)


def mapping_path(path: Path) -> Path:
    """Where the mapping of a file stands, if it has one: beside it, with .toml behind its whole name.

    Examples
    --------
    >>> mapping_path(Path("files/till.csv")).name
    'till.csv.toml'
    """
    return path.parent / f"{path.name}.toml"


def read_mapping(
    mapping: str | Path | Mapping[str, Any] | None, settings: Settings
) -> tuple[Settings, Format | None]:
    """Read a mapping: further settings, and a layout where it names columns.

    Parameters
    ----------
    mapping : path, TOML text as a mapping, or None
        A TOML file with any of these lines; only ``columns`` (with ``kind``) makes it a layout of its own::

            kind = "posts"                # posts, daily, followers, outcomes, survey or ads
            platform = "mastodon"         # any name
            account = "my shop"           # where the file has no such column
            entity = "my shop"            # the same for outcomes
            own = ["myshop", "myshop_be"] # one's own accounts, where posts of others are among them
            zone = "Europe/Amsterdam"     # of its clocks
            dates = "DMY"                 # order of numeric dates
            decimal = ","
            currency = "EUR"
            exported_at = 2026-03-01
            since = 2026-01-01            # first day of the range that figures are of, or "lifetime"; with its
                                          # last day: [2026-01-01, 2026-03-31]
            totals = [["post_id", "equals", "Total"]]
            keep = ["Campaign"]           # further columns, as they are
            hash = ["Customer Email"]     # further columns, hashed for this run
            won = ["Contract signed"]     # states of an order, stages of a deal, that count as sold
            less = ["Sales Tax"]          # columns to take off the amounts of orders; plus adds some
            score = "Q7"                  # header of a survey's score
            scale = "1-10"                # its scale, where it is not 0 to 10
            per_post = true               # add figures by post and day up to posts
            figures = { likes = "Hearts" } # of a table of one figure a row: the word in its column metric

            [columns]                     # canonical column = header in the file
            post_id = "Toot"
            published_at = "Posted on"
            likes = ["Favourites", "Favorites"]
    settings : Settings
        What the arguments said; they go before the file.

    Returns
    -------
    settings, layout
        The layout is None where the mapping names no columns.

    See Also
    --------
    erresearch.exports.read_export : Takes a mapping.

    Raises
    ------
    EngineError
        If the file cannot be read or is not TOML.
    ColumnError, UnknownNameError, DataError
        If it has a line or a column that is not known, or a value of the wrong type.

    Examples
    --------
    >>> text = '''
    ... kind = "posts"
    ... platform = "mastodon"
    ... account = "my shop"
    ... [columns]
    ... post_id = "Toot"
    ... published_at = "Posted on"
    ... likes = ["Favourites", "Favorites"]
    ... '''
    >>> settings, layout = read_mapping(from_toml(text), Settings())
    >>> settings.account, layout.kind, layout.headers("likes")
    ('my shop', 'posts', ('Favourites', 'Favorites'))
    """
    if mapping is None:
        return settings, None
    if not isinstance(mapping, Mapping | str | Path):
        raise DataError(
            "`mapping` is neither a file nor a table",
            got=type(mapping).__name__,
            allowed="the path of a TOML file, or its lines as a dictionary",
        )
    table = dict(mapping) if isinstance(mapping, Mapping) else _toml(Path(mapping))
    strange = sorted({str(name) for name in table} - set(_LINES))
    if strange:
        raise UnknownNameError.of("line of a mapping", strange[0], _LINES)
    read = {name: _LINES[name](name, value) for name, value in table.items() if name not in _OF_LAYOUT}
    if "since" in read:
        read["since"], until = read["since"]
        if until is not None:
            # figures of a range are those of its last day
            read = {"exported_at": until, **read, "until": until}
    given = {name for name in ("decimal", "currency", "dates", "exported_at") if getattr(settings, name)}
    settings = replace(settings, **{name: value for name, value in read.items() if name not in given})
    return settings, _layout(table) if "columns" in table else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return from_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, ValueError) as error:
        raise EngineError(
            f"the mapping {str(path)!r} cannot be read",
            got=said_by(error)[:200],
            fix="see the example in read_export's help",
        ) from error


_TEXTS: Final = tuple[str, ...]


def _value(name: str, value: object, kind: Any = None) -> Any:
    """A value of the type that a line wants; one text is a list of one."""
    kind = kind or _TYPES[name]
    try:
        return read_value(kind, [value] if kind == _TEXTS and isinstance(value, str) else value, name)
    except UnfitError as error:
        written = {_TEXTS: '["…"]', bool: "true"}.get(kind, f'"{(error.choices or "…")[0]}"')
        raise DataError(
            f"{name!r} of a mapping is not {error.wanted}",
            got=repr(value)[:80],
            fix=f"write {name} = {written}",
        ) from error


def _kind(_: str, value: object) -> object:
    check_name("kind of export", value, KINDS)
    return value


def _range(name: str, value: object) -> tuple[dt.date | str, dt.date | None]:
    """First and last day of a range; the first may be the word for the whole life of a post."""
    first, *last = value if isinstance(value, list | tuple) else [value]
    since = "lifetime" if first == "lifetime" else day_of(first, name)
    return since, day_of(last[0], name) if last else None


#: Of which type the lines of a mapping are.
_TYPES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("account", "entity", "zone", "currency", "scale", "score"), str),
    **dict.fromkeys(("won", "own", "less", "plus", "keep", "hash"), _TEXTS),
    "decimal": Literal[".", ","],
    "dates": Literal["DMY", "MDY", "YMD"],
    "per_post": bool,
}
#: What only a layout of one's own has.
_OF_LAYOUT: Final = ("name", "platform", "columns", "totals", "key", "figures")
#: How each line of a mapping is read.
_LINES: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    **dict.fromkeys(_TYPES, _value),
    "kind": _kind,
    "exported_at": lambda name, value: day_of(value, name),
    "since": _range,
    **dict.fromkeys(_OF_LAYOUT, lambda _, value: value),
}


def _layout(table: Mapping[str, Any]) -> Format:
    columns = table["columns"]
    if not isinstance(columns, Mapping) or not columns:
        raise DataError(
            "[columns] of a mapping is empty", got=repr(columns)[:80], fix='write likes = "Favourites"'
        )
    kind = table.get("kind", "posts")
    moments = [name for name in MOMENTS if name in columns]
    # rows have their moments under `at`, which says as much as another name where it is the only one
    known = {*load_registry().fields, *moments[:1]}
    strange = [str(target) for target in columns if target not in known]
    if strange:
        near = difflib.get_close_matches(strange[0], load_registry().fields, n=1)
        raise UnknownNameError(
            f"[columns] of a mapping names what is no column of ours: {', '.join(map(repr, strange[:4]))}",
            allowed=allowed_columns(kind),
            fix=f"perhaps {near[0]!r} is meant"
            if near
            else "a further column is kept with keep = [its header]",
        )
    # a moment under the name that other kinds have for it
    own = "published_at" if kind == "posts" else "date"
    said = moments and own not in columns and (kind != "ads" or moments[0] == "at")
    renamed = {moments[0]: own} if said else {}
    headers = {
        renamed.get(target, target): {"": _value(target, texts, _TEXTS)} for target, texts in columns.items()
    }
    usual = {"name": "described by a mapping", "platform": "other", "key": "post_id|permalink"}
    usual |= dict.fromkeys(("dates", "decimal", "zone"), "")
    entry = {
        **{name: str(table.get(name, value)) for name, value in usual.items()},
        "id": "mapping",
        "kind": kind,
        "evidence": MAPPED,
        "signature": list(headers),
        "columns": headers,
        "zone_rule": "the mapping says so",
        "totals": table.get("totals", []),
        "refund": ["refunded", "refunded_at"] if "refunded" in headers else [],
        "figures": _figures(table.get("figures", {}), kind, headers),
    }
    try:
        return format_of(entry)
    except ErresearchError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError("a line of the mapping has the wrong shape", got=str(error)[:120]) from error


def _figures(figures: object, kind: str, columns: Mapping[Any, object]) -> dict[str, tuple[str, ...]]:
    """The words of a table of one figure a row, by the figure that each means."""
    long, fields = {"metric", "value"} & set(columns), load_registry().fields
    if not figures and not long:
        return {}
    named = figures if isinstance(figures, Mapping) else {}
    fits = len(long) == 2 and named and all(name in fields and fields[name].numeric for name in named)
    if not fits or kind not in _LONG:
        raise DataError(
            "the mapping of a table of one figure a row is not understood",
            got=f"kind {kind!r}; columns {', '.join(columns)}; figures {', '.join(map(str, named)) or 'none'}",
            allowed=f"kind {' or '.join(_LONG)}; the columns metric and value; a word for each figure",
            fix='write figures = { likes = "Likes", reach = "Reach" }',
        )
    return {name: _value(name, words, _TEXTS) for name, words in named.items()}


#: Kinds that a table of one figure a row may be.
_LONG: Final = ("daily", "followers", "outcomes")
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
