"""Tables that stay where they are: Parquet files or a table of a database, under the canonical names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import narwhals.stable.v2 as nw

from erresearch.engine.lazy_rows import gather
from erresearch.engine.sources import from_pandas, says_simulated
from erresearch.engine.table_files import find_files, open_database, open_files, written_as_simulated
from erresearch.errors import ColumnError, Count, DataError, in_mapping, missing_columns
from erresearch.exports.layouts import Settings
from erresearch.exports.mapping import read_mapping
from erresearch.exports.privacy import LABELS
from erresearch.io import pd
from erresearch.schema import POSTS

#: What makes a table one of each kind: all of the first columns, and one of the second where there are any.
KINDS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "posts": (
        ("account", "published_at"),
        tuple(column.name for column in POSTS.columns if column.dtype == "number"),
    ),
    "outcomes": (("date", "entity", "outcome", "value"), ()),
    "ads": (("date", "spend"), ()),
    "followers": (("date", "account", "followers"), ()),
}
_NUMBERS: Final = (*KINDS["posts"][1], "value", "spend", "engagement")
_FLAGS: Final = tuple(column.name for column in POSTS.declared if column.dtype == "flag")
_CONSTANTS: Final = ("platform", "account", "entity", "currency")
_DATABASE: Final = "duckdb:"
_HEAD: Final = 3
_SHOWN: Final = frozenset(
    (*LABELS, *_NUMBERS, *_FLAGS, "published_at", "date", "date_end", "at", "time_precision")
)


@dataclass(frozen=True, slots=True, eq=False)
class Lake:
    """A table whose rows stay in its engine.

    Parameters
    ----------
    name : str
        What it is called.
    kind : {"posts", "outcomes", "ads", "followers"}
        What it holds.
    rows : lazy frame
        A Polars or DuckDB table, columns under canonical names.
    columns : tuple of str
        Their names.
    format : str
        How it lies there.
    simulated : bool
        Whether the table says so of itself.
    """

    name: str
    kind: str
    rows: Any
    columns: tuple[str, ...]
    format: str
    simulated: bool = False

    def __str__(self) -> str:
        """One line."""
        return f"{self.name}: {self.kind}, {self.format}; columns {_told(self.columns)}"


def is_lake(place: str | Path) -> bool:
    """Whether a place names Parquet files or a table of a database, not an export.

    Examples
    --------
    >>> [is_lake(place) for place in ("posts/*.parquet", "duckdb:shop.db?table=posts", "posts.csv")]
    [True, True, False]
    """
    text = str(place)
    if not text.strip():
        return False  # an empty name is no place, not the folder that one stands in
    if text.startswith(_DATABASE) or text.lower().split("?", maxsplit=1)[0].endswith(".parquet"):
        return True
    folder = Path(text)
    return folder.is_dir() and any(path.suffix.lower() == ".parquet" for path in folder.rglob("*"))


def open_lake(
    place: str | Path | Sequence[str | Path],
    *,
    kind: str | None = None,
    mapping: str | Path | Mapping[str, Any] | None = None,
) -> Lake:
    """Open Parquet files or a table of a database without reading their rows.

    Parameters
    ----------
    place : path, or several
        A .parquet file, a glob of them, a folder, a remote address that Polars can scan, or
        ``duckdb:file.db?table=posts``. Several paths of .parquet files are one table.
    kind : {"posts", "outcomes", "ads", "followers"}, optional
        What it must hold; otherwise its columns decide.
    mapping : path or mapping, optional
        As for :func:`erresearch.read_export`: ``kind``, ``[columns]`` and, where the table has no such column,
        ``platform``, ``account``, ``entity`` and ``currency``. Columns that it does not name keep their names.

    Returns
    -------
    Lake

    See Also
    --------
    look_into : Say what it holds.
    erresearch.exports.read_export : The same for text files and workbooks.

    Raises
    ------
    EngineError
        If nothing can be read there.
    ColumnError
        If its columns are of no kind, or two of them are meant for one.
    DataError
        If it holds another kind than asked for, or the mapping has a line for text files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import polars as pl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = pl.DataFrame({"shop": ["a"], "published_at": ["2026-01-01"], "likes": [3]})
    ...     table.write_parquet(Path(folder) / "posts.parquet")
    ...     lake = open_lake(folder, mapping={"columns": {"account": "shop"}})
    ...     lake.kind, lake.format, lake.columns
    ('posts', '1 Parquet file', ('account', 'published_at', 'likes', 'platform'))
    """
    said = _said(mapping)
    text = str(place) if isinstance(place, (str, Path)) else ", ".join(map(str, place))
    name, simulated = _name(text), False
    if text.startswith(_DATABASE):
        frame: nw.LazyFrame[Any] = open_database(text)
        present = frame.collect_schema().names()
        names, _ = _renamed(present, said, text)
        stored = "a table of a DuckDB file"
    else:
        files = find_files(place)
        present = list(files[0].schema)
        names, needed = _renamed(present, said, text)
        numbers = [old for new, old in names.items() if new in _NUMBERS]
        keys = [old for new, old in names.items() if new in _CONSTANTS]
        frame = open_files(files, needed, numbers=numbers, keys=keys)
        stored = f"{Count(len(files)):Parquet file}"
        simulated = written_as_simulated(place)
        if not isinstance(place, (str, Path)):
            name = f"{_name(files[0].path)} and {len(files) - 1:,} more"
    frame = frame.select(*(nw.col(old).alias(new) for new, old in names.items()))
    constants = {name: said[name] for name in _CONSTANTS if name in said and name not in names}
    found = _kind((*names, *constants), kind or said.get("kind"), text)
    if found == "posts" and "platform" not in names:
        constants.setdefault("platform", "other")
    if constants:
        frame = frame.with_columns(*(nw.lit(value).alias(name) for name, value in constants.items()))
    columns = (*names, *constants)
    return Lake(name, found, frame.to_native(), columns, stored, simulated)


def hold_posts(posts: pd.DataFrame) -> Lake:
    """Treat posts in memory like those of a lake, so that both go one way from here.

    Parameters
    ----------
    posts : pandas.DataFrame
        Canonical posts; not changed.

    Returns
    -------
    Lake

    Examples
    --------
    >>> import pandas as pd
    >>> hold_posts(pd.DataFrame({"account": ["a"], "likes": [3]})).columns
    ('account', 'likes')
    """
    names = [str(name) for name in posts.columns]
    rows = from_pandas(posts, names, [name for name in names if name in (*_NUMBERS, *_FLAGS)])
    return Lake("the posts", "posts", rows, tuple(names), "in memory", says_simulated(posts))


def look_into(lake: Lake) -> str:
    """Say what a table holds: its kind, its number of rows, and what stands in the first ones.

    Parameters
    ----------
    lake : Lake
        The table.

    Returns
    -------
    str
        One line, and one per column of numbers, times and declared labels; ids, texts and other columns are counted.

    See Also
    --------
    erresearch.exports.inspect_export : The same for text files and workbooks.

    Examples
    --------
    >>> import pandas as pd
    >>> posts = pd.DataFrame({"account": ["a", "b"], "published_at": ["2026-01-01", "2026-01-02"], "likes": [3, 4]})
    >>> print(look_into(hold_posts(posts)))
    the posts: posts, in memory, 2 rows
      account: 'a' | 'b'
      published_at: '2026-01-01' | '2026-01-02'
      likes: 3 | 4
    """
    frame: nw.LazyFrame[Any] = nw.from_native(lake.rows).lazy()
    count = int(gather(frame.select(nw.len().alias("rows")))["rows"][0])
    known = [name for name in lake.columns if name in _SHOWN]
    first = gather(frame.select(*known).head(_HEAD)) if known else None
    lines = [f"{lake.name}: {lake.kind}, {lake.format}, {Count(count):row}"]
    if first is not None:
        lines += [f"  {name}: {' | '.join(map(repr, first[name].to_list()))}" for name in known]
    others = len(lake.columns) - len(known)
    return "\n".join([*lines, f"  not shown: {Count(others):other column}"] if others else lines)


def called_simulated(names: Iterable[object]) -> bool:
    """Whether all accounts say by their very names that they were simulated, as those of our examples do.

    Examples
    --------
    >>> called_simulated(["simulated-shop-1", "simulated-shop-2"]), called_simulated(["simulated-shop", "shop"])
    (True, False)
    >>> called_simulated([])
    False
    """
    texts = [str(name) for name in names]
    return bool(texts) and all(text.startswith("simulated") for text in texts)


def _name(place: str) -> str:
    if place.startswith(_DATABASE):
        return place.removeprefix(_DATABASE)
    path = Path(place)
    return str(Path(path.parent.name) / path.name) if "*" in path.name else path.name


def _said(mapping: str | Path | Mapping[str, Any] | None) -> dict[str, Any]:
    """The lines of a mapping that mean something for a table with types."""
    if mapping is None:
        return {}
    settings, layout = read_mapping(mapping, Settings())
    said = {one.name for one in fields(settings) if getattr(settings, one.name) != one.default}
    of_text = sorted(said - {"kind", *_CONSTANTS})
    if of_text:
        raise DataError(
            "a mapping of a table has a line for text files",
            got=", ".join(of_text),
            allowed=f"kind, columns, {', '.join(_CONSTANTS)}",
            fix="store numbers and dates as such in the table",
        )
    out: dict[str, Any] = {name: getattr(settings, name) for name in said & {*_CONSTANTS}}
    if layout is not None:
        out["kind"] = layout.kind
        out["columns"] = {name: layout.headers(name) for name in layout.columns}
        if layout.platform != "other":
            out["platform"] = layout.platform
    return out


def _renamed(present: Sequence[str], said: Mapping[str, Any], place: str) -> tuple[dict[str, str], list[str]]:
    """Canonical name to the table's own, and the columns to read."""
    names: dict[str, str] = {}
    for new, headers in said.get("columns", {}).items():
        found = [header for header in headers if header in present]
        if not found:
            raise missing_columns(headers, present, where=repr(place))
        if new in present and new not in headers:
            raise ColumnError(
                f"two columns of {place!r} are meant for {new!r}",
                got=f"{new!r} and {found[0]!r}",
                fix="leave the line out of the mapping, or the column out of the table",
            )
        names[new] = found[0]
    taken = set(names.values())
    names |= {name: name for name in present if name not in taken and name not in names}
    return names, list(dict.fromkeys(names.values()))


def _told(columns: Sequence[str]) -> str:
    """Columns by name where the name is one of ours, and by number otherwise: a header may be a person's name."""
    known = [name for name in columns if name in _SHOWN]
    others = len(columns) - len(known)
    return " and ".join([", ".join(known)] * bool(known) + [f"{Count(others):unknown column}"] * bool(others))


def _kind(columns: Sequence[str], asked: str | None, place: str) -> str:
    there = set(columns)
    whole = [kind for kind, (needed, _) in KINDS.items() if there.issuperset(needed)]
    fitting = [kind for kind in whole if not KINDS[kind][1] or there & set(KINDS[kind][1])]
    if asked in fitting or (asked is None and fitting):
        return asked or fitting[0]
    if asked is not None and asked not in KINDS:
        raise DataError(
            f"{place!r} is to hold {asked}",
            got=asked,
            allowed=", ".join(KINDS),
            fix="read such files as exports",
        )
    wrong, got = f"the columns of {place!r} are of no kind that is known", _told(columns)
    if asked is not None:
        absent = ", ".join(repr(name) for name in KINDS[asked][0] if name not in there)
        lacks = f"no column {absent}" if absent else f"none of {', '.join(KINDS[asked][1])}"
        wrong, got = f"{place!r} cannot be a table of {asked}", f"{lacks}; it has {got}"
    kinds = (
        f"{kind}: {', '.join(needed)}" + (" and a count such as likes" if some else "")
        for kind, (needed, some) in KINDS.items()
    )
    raise ColumnError(
        wrong,
        got=got,
        allowed="" if asked else "; ".join(kinds),
        fix=f"name its columns {in_mapping()}: [columns] canonical name = its name",
    )
