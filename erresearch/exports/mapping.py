"""What the caller says about a file: arguments, and the small TOML file that describes a layout, read or suggested."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from erresearch.errors import DataError, EngineError, ErresearchError, UnknownNameError
from erresearch.exports.containers import Bundle, Text
from erresearch.exports.dates import day_of, orders_of, share_of_times
from erresearch.exports.delimited import read_records
from erresearch.exports.layouts import (
    KINDS,
    MAPPED,
    Format,
    format_of,
    load_registry,
    normalise,
    registered_headers,
)
from erresearch.exports.log import ReadLog
from erresearch.exports.numbers import currency_in, refuse_no_currency
from erresearch.exports.privacy import holds_people, names_people
from erresearch.io import pl
from erresearch.io.files import from_toml
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
    decimal, dayfirst, currency : optional
        Decimal sign, order of numeric dates, the one currency to keep.
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
    dayfirst: bool | None = None
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

    @property
    def order(self) -> str:
        """Order of numeric dates, where the caller says it."""
        return self.dates if self.dayfirst is None else "DMY" if self.dayfirst else "MDY"


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
    given = {name for name in ("decimal", "currency", "exported_at") if getattr(settings, name) is not None}
    settings = replace(settings, **{name: value for name, value in read.items() if name not in given})
    return settings, _layout(table) if "columns" in table else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return from_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, ValueError) as error:
        raise EngineError(
            f"the mapping {str(path)!r} cannot be read",
            got=str(error)[:200],
            fix="see the example in read_export's help",
        ) from error


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise DataError(
            f"{name!r} of a mapping must be text", got=repr(value)[:80], fix=f'write {name} = "…"'
        )
    return value


def _list(name: str, value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(item, str) for item in texts):
        raise DataError(
            f"{name!r} of a mapping must be a list of texts",
            got=repr(texts)[:80],
            fix=f'write {name} = ["…"]',
        )
    return tuple(texts)


def _one_of(*allowed: object) -> Callable[[str, object], Any]:
    def choose(name: str, value: object) -> object:
        if value not in allowed:
            raise DataError(
                f"{name!r} of a mapping is not understood",
                got=repr(value)[:40],
                allowed=", ".join(map(repr, allowed)),
            )
        return value

    return choose


def _kind(_: str, value: object) -> object:
    if value not in KINDS:
        raise UnknownNameError.of("kind of export", value, KINDS)
    return value


def _day(name: str, value: object) -> dt.date:
    return day_of(value, name)


def _range(name: str, value: object) -> tuple[dt.date | str, dt.date | None]:
    """First and last day of a range; the first may be the word for the whole life of a post."""
    first, *last = value if isinstance(value, list | tuple) else [value]
    since = "lifetime" if first == "lifetime" else day_of(first, name)
    return since, day_of(last[0], name) if last else None


#: How each line of a mapping is read.
_LINES: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    **dict.fromkeys(("account", "entity", "zone", "currency", "scale", "score"), _text),
    **dict.fromkeys(("won", "own", "less", "plus", "keep", "hash"), _list),
    "decimal": _one_of(".", ","),
    "dates": _one_of("DMY", "MDY", "YMD"),
    "per_post": _one_of(True, False),
    "kind": _kind,
    "exported_at": _day,
    "since": _range,
    **dict.fromkeys(("name", "platform", "columns", "totals", "key"), lambda _, value: value),
}
#: Of these, what only a layout of one's own has.
_OF_LAYOUT: Final = ("name", "platform", "columns", "totals", "key")


def _layout(table: Mapping[str, Any]) -> Format:
    columns = table["columns"]
    if not isinstance(columns, Mapping) or not columns:
        raise DataError(
            "[columns] of a mapping is empty", got=repr(columns)[:80], fix='write likes = "Favourites"'
        )
    kind = table.get("kind", "posts")
    strange = [str(target) for target in columns if target not in load_registry().fields]
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
    moments = [name for name in MOMENTS if name in columns]
    own = "published_at" if kind == "posts" else "date"
    renamed = {moments[0]: own} if moments and own not in columns and kind != "ads" else {}
    headers = {renamed.get(target, target): {"": _list(target, texts)} for target, texts in columns.items()}
    entry = {
        "id": "mapping",
        "name": str(table.get("name", "described by a mapping")),
        "platform": str(table.get("platform", "other")),
        "kind": kind,
        "evidence": MAPPED,
        "signature": list(headers),
        "columns": headers,
        "dates": str(table.get("dates", "")),
        "decimal": str(table.get("decimal", "")),
        "zone": str(table.get("zone", "")),
        "zone_rule": "the mapping says so",
        "key": str(table.get("key", "post_id|permalink")),
        "totals": table.get("totals", []),
    }
    try:
        return format_of(entry)
    except ErresearchError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError("a line of the mapping has the wrong shape", got=str(error)[:120]) from error


#: What a table of each kind cannot do without ("a|b": either, "*": any figure).
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "posts": ("published_at|date",),
    "daily": ("date", "*"),
    "followers": ("date", "*"),
    "outcomes": ("date|year_month", "*"),
    "ads": ("date|day|month", "spend"),
    "survey": ("date",),
}
FIGURES: Final = (*REACTIONS, *(name for name in AUDIENCES if name != "followers"))
#: Sales that may stand beside the reactions of a day.
SOLD: Final = ("revenue", "orders", "conversions", "sessions", "spend")
OF_DAYS: Final = ("engagements_reported", "posts")
#: What each kind is known by, and the columns that it has.
USUAL: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "posts": (FIGURES, ("post_id", "published_at", "time", "account", "followers", *FIGURES)),
    "daily": ((*FIGURES, *OF_DAYS), ("date", "time", "account", "followers", *FIGURES, *OF_DAYS, *SOLD)),
    "followers": (("followers",), ("date", "account", "followers")),
    "ads": (("spend",), ("day", "spend", "entity", "currency", "impressions")),
    "outcomes": (("amount",), ("order_id", "date", "time", "amount", "status", "currency", "entity")),
    "survey": (("score",), ("respondent", "date", "score", "entity")),
}


MOMENTS: Final = ("published_at", "date", "day")
#: What else is usual.
_FURTHER: Final[Mapping[str, tuple[str, ...]]] = {
    "posts": ("permalink", "caption", "metric_date", "followers_gained", "link_clicks"),
    "followers": ("followers_gained",),
    "outcomes": ("revenue", "orders", "refunded", "segment"),
    "ads": ("date_end", "campaign"),
}


def allowed_columns(kind: str) -> str:
    """Columns that a mapping of a kind may name, for a message: what is needed, what is usual, how many more.

    Examples
    --------
    >>> allowed_columns("ads")
    'for kind = "ads": date or day or month; spend; and entity, currency, impressions, date_end, campaign, account'
    """
    needed = [part.replace("|", " or ").replace("*", "a figure") for part in NEEDED[kind]]
    usual = [*USUAL[kind][1], *_FURTHER.get(kind, ()), *(c.name for c in TABLES[kind].columns if c.cell)]
    said = {name for part in NEEDED[kind] for name in part.split("|")}
    further = [name for name in dict.fromkeys(usual) if name not in said]
    return f'for kind = "{kind}": {"; ".join(needed)}; and {", ".join(further)}'


_MONEY: Final = ("revenue", "amount", "spend")
_HEAD: Final = 200
_MOST: Final = 0.8
_BARE_CLOCK: Final = r"^\d{1,2}:\d{2}(:\d{2})?(\s?[AaPp][Mm])?$"
_NUMBER: Final = r"^[^\p{L}\d]{0,4}[-(]?[^\p{L}\d]{0,4}\d[\d.,'\s]*\)?\s?[^\d]{0,3}$"


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """A column by its header and by what its cells look like: time, number, code, state or text."""

    header: str
    looks: frozenset[str]
    cells: pl.Series
    states: int = 0


def suggested_mappings(bundle: Bundle) -> Iterator[list[str]]:
    """Lines of mappings that may fit a file, the likeliest first, with what was guessed as comments."""
    columns = _columns(bundle)
    for kind, chosen in _candidates(columns):
        yield from _lines(kind, chosen, columns)


def _columns(bundle: Bundle) -> list[_Column]:
    """Columns below the row that is likeliest the headers: the first of the usual width."""
    part = bundle.parts[0]
    rows = read_records(part, ReadLog(""), fast=False).rows if isinstance(part, Text) else part.rows
    rows = [row for row in rows if any(cell.strip() for cell in row)][:_HEAD]
    # lines above the headers may be as wide, of blank cells
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    at = next((i for i, count in enumerate(filled) if count >= sorted(filled)[len(filled) // 2]), 0)
    found = []
    sums = load_registry().sums
    first = [normalise(next(cell for cell in row if cell.strip())) for row in rows[at + 1 :]]
    body = [row for row, word in zip(rows[at + 1 :], first, strict=True) if word not in sums]
    for place, header in enumerate(rows[at] if rows else []):
        cells = pl.Series([row[place] if place < len(row) else "" for row in body], dtype=pl.String)
        if header.strip() and not names_people(header) and not holds_people(cells):
            found.append(_looked_at(header.strip(), cells))
    return found


def _looked_at(header: str, cells: pl.Series) -> _Column:
    said = cells.str.strip_chars().replace("", None).drop_nulls()
    states = said.str.to_lowercase().replace_strict(dict(load_registry().states), default=None)
    enough = max(1.0, _MOST * len(said))
    tests = {
        "address": int(said.str.contains(r"^https?://").sum()),
        "clock": int(said.str.contains(_BARE_CLOCK).sum()),
        "time": share_of_times(said) * len(said),
        "number": int(said.str.contains(_NUMBER).sum()),
        "code": int(said.str.to_uppercase().is_in(sorted(load_registry().currencies)).sum()),
        "state": int(states.is_not_null().sum()) / 0.6,
    }
    looks = frozenset(name for name, count in tests.items() if count >= enough) or frozenset({"text"})
    return _Column(header, looks, cells, states.drop_nulls().n_unique())


#: What a row would be.
_ABOUT: Final[Mapping[str, str]] = {
    "posts": 'each row is a post; "daily" where it is a day',
    "daily": 'each row is a day; "posts" where it is a post',
    "followers": "followers by day",
    "ads": "what advertising cost",
    "outcomes": "each row is a sale, a payment or a refund",
    "days": "each row is what was sold on a day; amount in place of revenue where it is one sale",
    "survey": "each row is an answer from 0 to 10",
}
#: What the cells of a column must look like; any looks will do for the others.
_LOOKS: Final[Mapping[str, str]] = {
    "date": "time", "published_at": "time", "day": "time", "time": "clock", "currency": "code", "status": "state",
    **dict.fromkeys(("amount", "followers", "score", *SOLD, *FIGURES, *OF_DAYS), "number"),
}  # fmt: skip


def _candidates(columns: list[_Column]) -> Iterator[tuple[str, dict[str, _Column]]]:
    """Kinds that the columns allow, with a column for each canonical one, no column twice."""
    for kind, (known, wanted) in USUAL.items():
        chosen: dict[str, _Column] = {}
        for target in wanted:
            left = [column for column in columns if column not in chosen.values()]
            found = _best(target, left)
            if found is not None:
                chosen[target] = found
        if not (set(MOMENTS) & set(chosen) and set(known) & set(chosen)):
            continue
        # figures of which each day has one row are of days, unless the rows have ids or states of their own
        of_things = {"post_id", "order_id", "status"} & set(chosen)
        if kind in ("posts", "daily") and not of_things:
            chosen |= _whose(chosen, columns)
        by_day = not of_things and _one_a_day(chosen)
        if kind == "posts" and by_day:
            continue
        if kind == "outcomes" and by_day:
            chosen = {{"amount": "revenue"}.get(name, name): column for name, column in chosen.items()}
            orders = _best("orders", [column for column in columns if column not in chosen.values()])
            chosen |= {"orders": orders} if orders is not None else {}
        yield kind, chosen


def _one_a_day(chosen: Mapping[str, _Column]) -> bool:
    """Whether no day stands twice for an account, and no row has a clock."""
    days = next(chosen[name].cells for name in MOMENTS if name in chosen)
    whose = chosen.get("account", chosen.get("entity"))
    keys = [days.alias("day"), *([whose.cells.alias("account")] if whose is not None else [])]
    clocks = "time" in chosen or days.str.contains(r"\d:\d\d").any()
    return len(days) > 1 and not clocks and not pl.DataFrame(keys).is_duplicated().any()


def _whose(chosen: Mapping[str, _Column], columns: list[_Column]) -> dict[str, _Column]:
    """The shop of each row of a table with money: a text column that has each day once, and few words beside the days."""
    if "account" in chosen or all(_best(name, columns) is None for name in _MONEY):
        return {}
    left = [column for column in columns if column not in chosen.values() and "text" in column.looks]
    named = _best("entity", left)
    days = next(chosen[name].cells.n_unique() for name in MOMENTS if name in chosen)
    for column in [named] if named is not None else [] if _one_a_day(chosen) else left:
        few = days * column.cells.n_unique() <= 2 * len(column.cells)
        if few and _one_a_day({**chosen, "account": column}):
            return {"account": column}
    return {}


def _best(target: str, columns: list[_Column]) -> _Column | None:
    """The column whose header means it most; of several states the one that has most of them."""
    hints = load_registry().hints[target]
    looks = _LOOKS.get(target)
    # a header that says so and two states that are known make states of a column
    said = [
        c for c in columns if target == "status" and c.states > 1 and any(_says(c.header, w) for w in hints)
    ]
    fitting = [c for c in columns if looks is None or looks in c.looks or c in said]
    if target == "order_id":
        fitting = [
            c for c in fitting if not any(_says(c.header, word) for word in load_registry().hints["orders"])
        ]
    if target == "engagements_reported":
        fitting = [c for c in fitting if c.cells.str.contains(r"^\s*$|^[\d.,'\s]*\d{3}$|^\d{1,3}$").all()]
    if target in ("amount", "spend"):
        fitting = [column for column in fitting if not _taken_off(column.header)]
    known = registered_headers(target)
    ranks = {
        column: -1
        if normalise(column.header) in known
        else next((rank for rank, word in enumerate(hints) if _says(column.header, word)), len(hints))
        for column in fitting
    }
    named = [column for column in fitting if ranks[column] < len(hints)]
    if target in ("date", "published_at", "day") and not named:
        named = fitting[:1]
    named = named or [c for c in columns if target == "post_id" and "address" in c.looks]
    if target in ("order_id", "post_id"):
        named = [column for column in named if column.cells.n_unique() > len(column.cells) / 2]

    if target == "order_id" and any(0 <= rank < len(hints) for rank in ranks.values()):
        # one shop calls the id of an order a name; beside a column that says so it is a name
        ranks = {column: rank if rank >= 0 else len(hints) for column, rank in ranks.items()}

    def worth(column: _Column) -> tuple[int, bool, int]:
        return -column.states * (target == "status"), _means_another(column.header, target), ranks[column]

    return min(named, key=worth, default=None)


def _means_another(header: str, target: str) -> bool:
    """Whether the words of a header are those of another figure, although some platform has it for this one."""
    hints = load_registry().hints
    others = [word for name in (*FIGURES, *OF_DAYS) if name != target for word in hints[name]]
    return not any(_says(header, word) for word in hints[target]) and any(
        _says(header, word) for word in others
    )


def _says(header: str, word: str) -> bool:
    return re.search(rf"(?<![^\W\d_]){re.escape(word)}", normalise(header)) is not None


def _lines(kind: str, chosen: Mapping[str, _Column], columns: list[_Column]) -> Iterator[list[str]]:
    """Lines of a mapping, the fullest first; without the column of states where none of them counts as sold."""
    about = f"  # guess: {_ABOUT['days' if kind == 'outcomes' and 'revenue' in chosen else kind]}"
    for left_out in ({""}, {"status"}) if "status" in chosen else ({""},):
        named = {target: column for target, column in chosen.items() if target not in left_out}
        body = ", ".join(f"{target} = {_quoted(column.header)}" for target, column in named.items())
        lines = [f'kind = "{kind}"{about}', f"columns = {{ {body} }}"]
        moment = next(column for column in named.values() if "time" in column.looks)
        if (
            orders_of(moment.cells) == set()
            and moment.cells.str.contains(r"^\s*\d{1,2}[-/.]\d{1,2}[-/.]").any()
        ):
            lines.append('dates = "DMY"  # guess: no day is above 12; "MDY" where the month stands first')
        money = named.get("amount") or named.get("revenue") or named.get("spend")
        if (
            money is not None
            and "currency" not in named
            and not (currency_in(money.header) or money.cells.str.contains(r"[\p{Sc}]|\p{L}{2}").any())
        ):
            lines.append('currency = "EUR"  # guess: the file names none')
        numbers = [c.header for c in columns if "number" in c.looks and c not in named.values()]
        less = [header for header in numbers if _taken_off(header)]
        unread = [header for header in numbers if header not in less]
        if unread:
            lines.append(f"# not read: {', '.join(map(_quoted, unread))}")
        if kind == "followers":
            lines.append('# platform = "instagram"  # where these followers are, as the posts have it')
            lines += [] if "account" in named else ['# account = "…"  # whose they are, as the posts have it']
        if kind == "outcomes" and less:
            lines.append(f"# less = [{', '.join(map(_quoted, less[:3]))}]  # takes them off the amounts")
        if "status" in named and "state" not in named["status"].looks:
            lines.append('# won = ["…"]  # names further states that count as sold')
        yield lines
        signed = [*lines, 'decimal = "."  # guess: "," where commas part decimals']
        yield signed


def _taken_off(header: str) -> bool:
    return any(_says(header, word) for word in load_registry().hints["less"])


def _quoted(text: str) -> str:
    """A text as TOML writes it."""
    return (
        '"' + "".join({'"': '\\"', "\\": "\\\\", "\n": " ", "\r": " "}.get(sign, sign) for sign in text) + '"'
    )
