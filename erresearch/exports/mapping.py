"""What the caller says about a file: arguments, and the small TOML file that describes a layout of one's own."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from erresearch.errors import DataError, EngineError, ErresearchError, UnknownNameError
from erresearch.exports.layouts import MAPPED, Format, format_of, load_registry

__all__ = ["KEPT", "Settings", "read_mapping"]

_SIMPLE = ("account", "entity", "zone", "currency", "decimal", "scale", "score", "dates")
_KNOWN = (
    *_SIMPLE,
    "name",
    "kind",
    "platform",
    "columns",
    "exported_at",
    "since",
    "won",
    "own",
    "keep",
    "hash",
    "per_post",
    "totals",
    "key",
)


_CHOICES: Mapping[str, tuple[object, ...]] = {
    "decimal": (".", ","),
    "dates": ("DMY", "MDY", "YMD"),
    "per_post": (True, False),
}


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
    keep, hash : tuple of str
        Headers of further columns to keep as they are, or hashed.
    per_post : bool
        Whether figures by post and day are added up to one row per post.
    dates : str
        Order of numeric dates.
    """

    tz: str | None = None
    decimal: str | None = None
    dayfirst: bool | None = None
    currency: str | None = None
    exported_at: dt.date | None = None
    since: dt.date | str = ""
    account: str = ""
    entity: str = ""
    zone: str = ""
    scale: str = ""
    score: str = ""
    won: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    per_post: bool = False
    dates: str = ""


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
            since = 2026-01-01            # first day of the range that figures are of, or "lifetime"
            totals = [["post_id", "equals", "Total"]]
            keep = ["Campaign"]           # further columns, as they are
            hash = ["Customer Email"]     # further columns, hashed for this run
            won = ["Contract signed"]     # stages of a deal that count as won
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
    >>> settings, layout = read_mapping(tomllib.loads(text), Settings())
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
    strange = sorted({str(name) for name in table} - set(_KNOWN))
    if strange:
        raise UnknownNameError.of("line of a mapping", strange[0], _KNOWN)
    said: dict[str, Any] = {name: _text(table, name) for name in _SIMPLE if name in table}
    said |= {name: _list(table, name) for name in ("won", "own", "keep", "hash") if name in table}
    for name, allowed in _CHOICES.items():
        if name in table and said.get(name, table[name]) not in allowed:
            raise DataError(
                f"{name!r} of a mapping is not understood",
                got=repr(table[name])[:40],
                allowed=", ".join(map(repr, allowed)),
            )
    if "per_post" in table:
        said["per_post"] = table["per_post"]
    if "exported_at" in table:
        said["exported_at"] = day_of(table["exported_at"])
    if "since" in table:
        said["since"] = table["since"] if table["since"] == "lifetime" else day_of(table["since"], "since")
    given = {name for name in ("decimal", "currency", "exported_at") if getattr(settings, name) is not None}
    settings = replace(settings, **{name: value for name, value in said.items() if name not in given})
    return settings, _layout(table) if "columns" in table else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, ValueError) as error:
        raise EngineError(
            f"the mapping {str(path)!r} cannot be read",
            got=str(error)[:200],
            fix="see the example in read_export's help",
        ) from error


def _text(table: Mapping[str, Any], name: str) -> str:
    if not isinstance(table[name], str):
        raise DataError(
            f"{name!r} of a mapping must be text", got=repr(table[name])[:80], fix=f'write {name} = "…"'
        )
    return str(table[name])


def _list(table: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = [table[name]] if isinstance(table[name], str) else table[name]
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise DataError(
            f"{name!r} of a mapping must be a list of texts",
            got=repr(value)[:80],
            fix=f'write {name} = ["…"]',
        )
    return tuple(value)


def day_of(value: object, name: str = "exported_at") -> dt.date:
    """Read a day that a caller gave under a name.

    Raises
    ------
    DataError
        If it is no day.

    Examples
    --------
    >>> day_of("2026-02-28")
    datetime.date(2026, 2, 28)
    """
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError as error:
        raise DataError(f"`{name}` is no day", got=repr(value), fix="write it as 2026-02-28") from error


def _layout(table: Mapping[str, Any]) -> Format:
    columns = table["columns"]
    if not isinstance(columns, Mapping) or not columns:
        raise DataError(
            "[columns] of a mapping is empty", got=repr(columns)[:80], fix='write likes = "Favourites"'
        )
    known = load_registry().fields
    for target in columns:
        if target not in known:
            raise UnknownNameError.of("canonical column", target, known)
    headers = {target: {"": _list(columns, target)} for target in columns}
    entry = {
        "id": "mapping",
        "name": str(table.get("name", "described by a mapping")),
        "platform": str(table.get("platform", "other")),
        "kind": table.get("kind", "posts"),
        "evidence": MAPPED,
        "signature": list(columns),
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
