"""The small TOML file that describes a layout: read, and suggested for a table that no layout knows."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from erresearch.errors import DataError, EngineError, ErresearchError, UnknownNameError, check_name, said_by
from erresearch.exports.dates import day_of, orders_of, share_of_times
from erresearch.exports.delimited import Records, Text, read_records
from erresearch.exports.layouts import (
    FIGURES,
    KINDS,
    MAPPED,
    MOMENTS,
    Format,
    Settings,
    allowed_columns,
    columns_of,
    format_of,
    load_registry,
    normalise,
    registered_headers,
)
from erresearch.exports.log import ReadLog
from erresearch.exports.numbers import are_numbers, currency_in
from erresearch.exports.privacy import holds_people, names_people
from erresearch.io import pl
from erresearch.io.files import UnfitError, from_toml, read_value, registry


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
    >>> columns = {"post_id": "Toot", "published_at": "Posted on", "likes": ["Favourites", "Favorites"]}
    >>> settings, layout = read_mapping({"account": "my shop", "columns": columns}, Settings())
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
    if "kind" in table:
        check_name("kind of export", table["kind"], KINDS)
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
        ) from None


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
#: Kinds that a table of one figure a row may be.
_LONG: Final = ("daily", "followers", "outcomes")
#: What only a layout of one's own has.
_OF_LAYOUT: Final = ("name", "platform", "columns", "totals", "key", "figures")
#: How each line of a mapping is read.
_LINES: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    **dict.fromkeys(_TYPES, _value),
    "exported_at": lambda name, value: day_of(value, name),
    "since": _range,
    **dict.fromkeys((*_OF_LAYOUT, "kind"), lambda _, value: value),
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
    usual = {"name": "described by a mapping", "platform": "other", "key": "post_id|permalink", "zone": ""}
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
        raise DataError("a line of the mapping has the wrong shape", got=str(error)[:120]) from None


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


_MONEY: Final = ("revenue", "amount", "spend")
#: Rows of which the headers are one, and rows that are looked at.
_HEAD, _MOST_ROWS = 200, 100_000
#: Sales that may stand beside the reactions of a day, and what else days have.
SOLD: Final = ("revenue", "orders", "conversions", "sessions", "spend")
OF_DAYS: Final = ("engagements_reported", "posts")
_MOST: Final = 0.8
#: A word of letters and digits, as ids are.
_CODE: Final = r"^[A-Za-z_-]*(?:[A-Za-z]\d|\d[A-Za-z])[\w-]{5,}$"
#: Where the words of a program's name meet, as in likeCount and like_count; and the end of more than one.
_JOINED: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_SINGULAR: Final = re.compile(r"ies$|s$")
#: Rows for each of one's own accounts, at least; rows of an item each that an order has on average, at most.
_SELDOM, _ITEMS = 5, 20
_NUMBERED: Final = re.compile(r"(?i)#|(?:\b|_)(?:id|no|nr|num[eé]ro)(?:\b|_)|n[úu]mero|number|nummer")
#: Words of pieces, which are no money.
_PIECES: Final = re.compile(r"(?i)quantit|qty|cantidad|menge|anzahl|aantal")
#: Words beside followers that were won or lost, which are no stock of them.
_GAINED: Final = re.compile(
    r"\b(?:new|neu|nieuw|nuev|nouve|nov|nuov|gained|lost|net|unfollow|growth|zuwachs|change)"
)
#: Words that say of how much, and not of what.
_SUMS: Final = frozenset(("total", "totals", "gesamt", "totaal", "totale", "sum", "summe"))
#: Words that may stand beside them in the header of an amount.
_OF_MONEY: Final = ("amount", "revenue", "price", "order_id", "beside", "less")
#: States that a column may have, at most; letters from which a word is looked for at the end of a compound.
_STATES, _COMPOUND = 20, 5
#: Addresses by which a network is known.
_SITE: Final = (
    r"^https?://(?:[\w-]+\.)*?(instagram|facebook|tiktok|linkedin|youtube|x|twitter|pinterest)\.com"
)
#: Seconds or thousandths since 1970, or a day without signs: moments under a header that says so.
_BARE: Final = r"^1\d{9}(\d{3})?$|^20\d{6}$"
_BARE_CLOCK: Final = r"^\d{1,2}:\d{2}(:\d{2})?(\s?[AaPp][Mm])?$"


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """A column by its header and by what its cells look like: time, number, code, state or text."""

    header: str
    looks: frozenset[str]
    cells: pl.Series
    states: int = 0


def suggested_mappings(part: Text | Records) -> Iterator[list[str]]:
    """Lines of mappings that may fit a text or a sheet, the likeliest first, with what was guessed as comments."""
    columns, twins = _columns(part)
    several = f"# not read, since several columns are called so: {_listed(twins)}"
    for kind, chosen in [*_of_one_figure(columns), *_candidates(columns)]:
        for lines in _lines(kind, chosen, columns):
            yield [*lines, several] if twins else lines


def _columns(part: Text | Records) -> tuple[list[_Column], list[str]]:
    """Columns below the row that is likeliest the headers, the first of the usual width; and headers of several."""
    part = read_records(part, ReadLog(""), fast=False) if isinstance(part, Text) else part
    rows = [row for row in part.rows[:_MOST_ROWS] if any(cell.strip() for cell in row)]
    # lines above the headers may be as wide, of blank cells
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows[:_HEAD]]
    at = next((i for i, count in enumerate(filled) if count >= sorted(filled)[len(filled) // 2]), 0)
    found, sums = [], load_registry().sums
    body = [row for row in rows[at + 1 :] if normalise(next(filter(str.strip, row))) not in sums]
    headers = rows[at] if rows else []
    twins = [header for header in dict.fromkeys(headers) if header.strip() and headers.count(header) > 1]
    for place, header in enumerate(headers):
        if header in twins:
            continue
        cells = pl.Series([row[place] if place < len(row) else "" for row in body], dtype=pl.String)
        # a few handles again and again, under a header that says so, are one's own accounts
        own = _SELDOM * cells.n_unique() <= len(cells) and means(header, "account")
        if header.strip() and not names_people(header) and (own or not holds_people(cells)):
            found.append(_looked_at(header.strip(), cells))
    return found, [header for header in twins if not names_people(header)]


def _looked_at(header: str, cells: pl.Series) -> _Column:
    said = cells.str.strip_chars().replace("", None).drop_nulls()
    states = said.str.to_lowercase().replace_strict(dict(load_registry().states), default=None)
    enough = max(1.0, _MOST * len(said))
    tests = {
        "address": int(said.str.contains(r"^[a-z][a-z0-9+.-]*://").sum()),
        "id": int(said.str.contains(_CODE).sum()) if said.n_unique() == len(said) else 0,
        "clock": int(said.str.contains(_BARE_CLOCK).sum()),
        "time": share_of_times(said) * len(said)
        or int(said.str.contains(_BARE).sum()) * means(header, "date"),
        "number": len(said) * are_numbers(said),
        "code": int(said.str.to_uppercase().is_in(sorted(load_registry().currencies)).sum()),
        "state": int(states.is_not_null().sum()) / 0.6,
    }
    looks = frozenset(name for name, count in tests.items() if count >= enough) or frozenset({"text"})
    return _Column(header, looks, cells, states.drop_nulls().n_unique())


def means(header: str, *targets: str, within: bool = False) -> bool:
    """Whether the words of a header are those of one of these figures, or end so where they may be compounds."""
    return any(
        _says(header, word, within=within) for target in targets for word in load_registry().hints[target]
    )


#: What a row would be, beside what the registry says of each kind.
_ROWS: Final[Mapping[str, str]] = {
    "days": "each row is what was sold on a day; amount in place of revenue where it is one sale",
    "figures": "each row gives one figure of a day",
}
#: What the cells of a column must look like; any looks will do for the others.
_LOOKS: Final[Mapping[str, str]] = {
    "date": "time", "published_at": "time", "day": "time", "time": "clock", "currency": "code", "status": "state",
    **dict.fromkeys(("account", "entity", "network"), "text"),
    **dict.fromkeys(("amount", "value", "followers", "score", *SOLD, *FIGURES, *OF_DAYS), "number"),
}  # fmt: skip


def _candidates(columns: list[_Column]) -> Iterator[tuple[str, dict[str, _Column]]]:
    """Kinds that the columns allow, with a column for each canonical one, no column twice."""
    for kind in registry("platforms.toml")["tables"]:
        chosen: dict[str, _Column] = {}
        for target in columns_of(kind, "usual"):
            found = _best(target, [column for column in columns if column not in chosen.values()])
            chosen |= {target: found} if found is not None else {}
        if not (set(MOMENTS) & set(chosen) and set(columns_of(kind, "known_by")) & set(chosen)):
            continue
        # what was spent stands beside a campaign
        of_campaigns = _best("spend", columns) is not None and any(
            means(c.header, "campaign") for c in columns
        )
        if kind in ("posts", "daily") and "post_id" not in chosen and of_campaigns:
            continue
        # figures of which each day has one row are of days, unless the rows have ids or states of their own
        of_things = {"post_id", "order_id", "status"} & set(chosen)
        if kind in ("posts", "daily") and not of_things:
            chosen |= _whose(chosen, columns)
        # a second copy of a row is no other sale
        by_day = not of_things and _one_a_day(chosen, columns if kind == "outcomes" else ())
        if kind == "posts" and by_day:
            continue
        left = [column for column in columns if column not in chosen.values()]
        orders = _best("orders", left) if kind == "outcomes" else None
        # a row of several orders is no sale, whatever else it has
        several = orders is not None and (orders.cells.cast(pl.Float64, strict=False) > 1).any()
        if kind == "outcomes" and (by_day or several):
            chosen = {"revenue" if name == "amount" else name: column for name, column in chosen.items()}
            chosen.pop("order_id", None)
            chosen |= {"orders": orders} if orders is not None else {}
        yield kind, chosen


def _of_one_figure(columns: list[_Column]) -> Iterator[tuple[str, dict[str, _Column]]]:
    """Columns of a table of one figure a row, where the words of one of them are names of figures."""
    moment, figure = _best("date", columns), _best("value", columns)
    words = [column for column in columns if column.looks == {"text"} and _words_of(column)]
    if moment is None or figure is None or not words or _one_a_day({"date": moment}):
        return
    chosen = {"date": moment, "metric": words[0], "value": figure}
    whose = _best("account", columns) or _best("entity", columns)
    sold = not set(_words_of(words[0])) - {*SOLD}
    if whose is not None:
        chosen["entity" if sold else "account"] = whose
    yield "outcomes" if sold else "daily", chosen


def _words_of(column: _Column) -> dict[str, str]:
    """The words of a column that are names of figures, by the figure."""
    found: dict[str, str] = {}
    for word in column.cells.unique().sort().head(_HEAD):
        said = [_Column(word, frozenset({"number"}), column.cells)]
        targets = [name for name in (*FIGURES, *OF_DAYS, "followers", *SOLD) if _best(name, said)]
        found |= {target: word for target in targets[:1] if target not in found}
    return found


def _one_a_day(chosen: Mapping[str, _Column], apart: Iterable[_Column] = ()) -> bool:
    """Whether no day stands twice for an account, but in rows that are alike in all of `apart`, and none has a clock."""
    days = next(chosen[name].cells for name in MOMENTS if name in chosen)
    whose = chosen.get("account", chosen.get("entity"))
    keys = [days, *([whose.cells] if whose is not None else [])]
    others = [column.cells for column in apart] or [pl.int_range(len(days), eager=True)]
    clocks = "time" in chosen or days.str.contains(r"\d:\d\d").any()
    rows = pl.DataFrame({str(i): cells for i, cells in enumerate([*keys, *others])}).unique()
    return len(days) > 1 and not clocks and not rows[:, : len(keys)].is_duplicated().any()


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
    said = [c for c in columns if target == "status" and c.states > 1 and means(c.header, target)]
    fitting = [c for c in columns if looks is None or looks in c.looks or c in said]
    if target == "order_id":
        fitting = [
            c for c in fitting if not (means(c.header, "orders") or c.looks & {"time", "clock", "state"})
        ]
    if target == "followers":
        fitting = [c for c in fitting if not _GAINED.search(normalise(c.header))]
    if target == "engagements_reported":
        fitting = [c for c in fitting if c.cells.str.contains(r"^\s*$|^[\d.,'\s]*\d{3}$|^\d{1,3}$").all()]
    if target in ("amount", "spend"):
        fitting = [c for c in fitting if not _taken_off(c.header) and not _counts_others(c)]
    known = registered_headers(target)
    ranks = {}
    for column in fitting:
        said_at = (rank for rank, word in enumerate(hints) if _says(column.header, word))
        ranks[column] = -1 if normalise(column.header) in known else next(said_at, len(hints))
    named = [column for column in fitting if ranks[column] < len(hints)]
    if target in ("date", "published_at", "day") and not named:
        named = fitting[:1]
    named = named or [c for c in fitting if any(_says(c.header, word, within=True) for word in hints)]
    named = named or [c for c in columns if target == "post_id" and c.looks & {"address", "id"}]
    if target in ("order_id", "post_id"):
        several = _ITEMS if target == "order_id" else 2
        numbered = [several if _NUMBERED.search(column.header) else 2 for column in named]
        named = [
            c for c, rows in zip(named, numbered, strict=True) if c.cells.n_unique() > len(c.cells) / rows
        ]
    if target == "order_id" and any(0 <= rank < len(hints) for rank in ranks.values()):
        # one shop calls the id of an order a name; beside a column that says so it is a name
        ranks = {column: rank if rank >= 0 else len(hints) for column, rank in ranks.items()}

    def worth(column: _Column) -> tuple[int, bool, int]:
        # the words of a header may be those of another figure, although some platform has it for this one
        others = [name for name in (*FIGURES, *OF_DAYS) if name != target]
        another = not means(column.header, target) and means(column.header, *others)
        return -column.states * (target == "status"), another, ranks[column]

    return min(named, key=worth, default=None)


def _counts_others(column: _Column) -> bool:
    """Whether a column of whole numbers is the total of something that is no money, such as opens or clicks."""
    words = re.findall(r"[^\W\d_]+", normalise(column.header))
    others = [word for word in words if word not in _SUMS]
    if len(others) == len(words) or not others or not column.cells.str.contains(r"^\s*\d*\s*$").all():
        return False
    return means(column.header, "orders") or not any(means(word, *_OF_MONEY) for word in others)


def _says(header: str, word: str, *, within: bool = False) -> bool:
    """Whether a word of a header begins so, or ends so as compounds do (Gesamtbetrag); likeCount is likes."""
    if within and len(word) < _COMPOUND:
        return False
    return _pattern(word, within).search(normalise(_JOINED.sub(" ", header))) is not None


@cache  # there are more words than the expressions that `re` keeps
def _pattern(word: str, within: bool) -> re.Pattern[str]:
    words = rf"{re.escape(word)}|{re.escape(_SINGULAR.sub(lambda end: 'y' if end[0] == 'ies' else '', word))} count"
    return re.compile(rf"(?:{words})(?![^\W\d_])" if within else rf"(?<![^\W\d_])(?:{words})")


def _lines(kind: str, chosen: Mapping[str, _Column], columns: list[_Column]) -> Iterator[list[str]]:
    """Lines of a mapping, the fullest first; without the column of states where none of them counts as sold."""
    row = "figures" if "metric" in chosen else "days" if kind == "outcomes" and "revenue" in chosen else kind
    about = f"  # guess: {_ROWS.get(row) or registry('platforms.toml')['tables'][row]['row']}"
    # new followers of each post are often called followers
    doubted = [name for name in ("status", "followers") if name in chosen and kind in ("outcomes", "posts")]
    for left_out in ({""}, *({name} for name in doubted)):
        named = {target: column for target, column in chosen.items() if target not in left_out}
        body = ", ".join(f"{target} = {_listed([column.header])}" for target, column in named.items())
        lines = [f'kind = "{kind}"{about}', f"columns = {{ {body} }}"]
        site = _site(named) if kind == "posts" else ""
        lines += [f'platform = "{site}"  # guess: the addresses are of it'] if site else []
        if "metric" in named:
            words = _words_of(named["metric"]).items()
            lines.append(
                f"figures = {{ {', '.join(f'{name} = {_listed([word])}' for name, word in words)} }}"
            )
        moment = next(column for column in named.values() if "time" in column.looks)
        if not orders_of(moment.cells) and moment.cells.str.contains(r"^\s*\d{1,2}[-/.]\d{1,2}[-/.]").any():
            lines.append('dates = "DMY"  # guess: no day is above 12; "MDY" where the month stands first')
        money = named.get("amount") or named.get("revenue") or named.get("spend")
        signed = money and (currency_in(money.header) or money.cells.str.contains(r"\p{Sc}|\p{L}{2}").any())
        if money and not signed and "currency" not in named:
            lines.append('currency = "EUR"  # guess: the file names none')
        others = [column for column in columns if column not in named.values()]
        numbers = [column.header for column in others if "number" in column.looks]
        less = [header for header in numbers if _taken_off(header)]
        unread = [header for header in numbers if header not in less]
        back = [header for header in unread if means(header, "refunded") and not _PIECES.search(header)]
        states = [column.header for column in others if _may_be_states(column)]
        unknown = "status" in named and "state" not in named["status"].looks
        as_status = "as status, with won for those that count as sold"
        sold, of_followers = "amount" in named, kind == "followers"
        comments = {
            f"not read: {_listed(unread)}": unread,
            'platform = "instagram"  # where these followers are, as the posts have it': of_followers,
            'account = "…"  # whose they are, as the posts have it': of_followers and "account" not in named,
            f"less = [{_listed(less[:3])}]  # takes them off the amounts": sold and less,
            f"refunded = {_listed(back[:1])} among the columns gives back what was refunded": sold and back,
            f"not read: {_listed(states)}, which may hold states: {as_status}": sold and states,
            'won = ["…"]  # names the states that count as sold, in place of those that are known': unknown,
        }
        lines += [f"# {text}" for text, holds in comments.items() if holds]
        yield lines
        yield [*lines, _decimal(named.values())]


def _may_be_states(column: _Column) -> bool:
    """Whether a column is called so or holds one, and has few words again and again."""
    some = column.states > 0 or (column.looks == {"text"} and means(column.header, "status"))
    return some and 1 < column.cells.n_unique() <= min(_STATES, len(column.cells) / 2)


def _site(named: Mapping[str, _Column]) -> str:
    """The network whose addresses the posts have, where no column names it."""
    cells = named["post_id"].cells if "post_id" in named and "network" not in named else pl.Series([""])
    found = cells.head(_HEAD).str.extract(f"{_SITE}/", 1).replace("twitter", "x").unique()
    return found[0] or "" if len(found) == 1 else ""


def _taken_off(header: str) -> bool:
    """Whether a column is tax or shipping, and no amount with or without them."""
    return means(header, "less") and not means(header, "beside")


def _listed(texts: Iterable[str]) -> str:
    """Texts as TOML writes them, on one line."""
    return ", ".join(json.dumps(re.sub(r"[\r\n]", " ", text), ensure_ascii=False) for text in texts)


def _decimal(columns: Iterable[_Column]) -> str:
    """A guess of the decimal sign: points that part three digits everywhere, as in 1.240, part thousands."""
    cells = pl.concat([column.cells for column in columns if column.looks & {"number", "time"} == {"number"}])
    pointed = cells.filter(cells.str.contains(".", literal=True))
    if len(pointed) and pointed.str.contains(r"^[^.\d]*\d{1,3}(\.\d{3})+([^.\d].*)?$").all():
        return 'decimal = ","  # guess: points part thousands; "." where they part decimals'
    return 'decimal = "."  # guess: "," where commas part decimals'
