"""Where the package's own files are, and how a file is written: whole or not at all, and safe for a spreadsheet.

No cell of a CSV can become a formula, whatever a spreadsheet takes for the separator.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import math
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from erresearch.errors import EngineError, raise_as
from erresearch.io import pd

Makers = Mapping[type, Callable[[Mapping[str, Any]], Any]]


def refuse_endless(path: Path, mode: int) -> None:
    """Refuse a pipe or a device, which might never end; `mode` is the file's, as ``stat`` gives it."""
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise EngineError(
            f"{path.name!r} is a pipe or a device, not a file",
            fix="save what it gives into a file first",
        )


def resource(kind: Literal["data", "notebooks"]) -> Path:
    """Folder of the package's data or notebooks.

    In an installed wheel they lie inside the package (``erresearch/_data``, ``erresearch/_notebooks``), in a
    checkout at its root.

    Parameters
    ----------
    kind : {"data", "notebooks"}
        Which folder.

    Returns
    -------
    pathlib.Path
        An existing folder.

    Raises
    ------
    EngineError
        If neither place has it (a broken installation).

    Examples
    --------
    >>> resource("data").is_dir()
    True
    """
    here = Path(__file__).resolve().parent.parent
    for folder in (here / f"_{kind}", here.parent / kind):
        if folder.is_dir():
            return folder
    raise EngineError(
        f"the package's {kind} folder was not found",
        got=f"neither in {here} nor beside it",
        fix="install erresearch again",
    )


def registry(name: str) -> Mapping[str, Any]:
    """One of the package's own TOML tables, taken apart once for each state of the file.

    Parameters
    ----------
    name : str
        The file in the data folder, such as ``"leaks.toml"``.

    Returns
    -------
    mapping
        The same object at every call: it is read, never changed.

    Examples
    --------
    >>> registry("certainty.toml") is registry("certainty.toml")
    True
    """
    path = resource("data") / name
    return _parsed(path, path.stat().st_mtime_ns)


def frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of a registry with its lists as tuples, as frozen values hold them.

    Examples
    --------
    >>> frozen({"names": ["a", "b"], "side": "outcome"})
    {'names': ('a', 'b'), 'side': 'outcome'}
    """
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}


@functools.lru_cache(maxsize=16)
def _parsed(path: Path, changed: int) -> Mapping[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def from_toml(text: str) -> dict[str, Any]:
    """Take a TOML text of anybody apart.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If it is none, or nested deeper than Python can follow.

    Examples
    --------
    >>> from_toml('name = "shop"')
    {'name': 'shop'}
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None


def toml_text(table: Mapping[str, Any]) -> str:
    """Write a table, and the tables and lists of tables in it, as TOML.

    Examples
    --------
    >>> print(toml_text({"size": 0.1, "names": ["a"], "design": {"lags": (0, 1)}, "power": [{"weeks": 12}]}), end="")
    size = 0.1
    names = ["a"]
    <BLANKLINE>
    [design]
    lags = [0, 1]
    <BLANKLINE>
    [[power]]
    weeks = 12
    """
    lists = {
        k: each
        for k, each in table.items()
        if isinstance(each, list) and all(isinstance(one, dict) for one in each)
    }
    inner = [(f"[{name}]", each) for name, each in table.items() if isinstance(each, dict)]
    inner += [(f"[[{name}]]", each) for name, several in lists.items() for each in several]
    plain = {k: each for k, each in table.items() if k not in lists and not isinstance(each, dict)}
    lines = "".join(f"{name} = {_toml_value(value)}\n" for name, value in plain.items())
    return lines + "".join(f"\n{head}\n{toml_text(each)}" for head, each in inner)


def _toml_value(value: object) -> str:
    if isinstance(value, float):  # as Python writes it, infinite and no number included
        return repr(float(value))
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_toml_value, value))}]"
    # a JSON text is one of TOML once DEL is escaped as well
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


class UnfitError(TypeError):
    """What a file holds is no value of the type that is wanted there.

    Parameters
    ----------
    at : str
        Where it stands, such as "roles.x".
    value : object
        What stands there.
    wanted : str
        What may.
    choices : tuple
        The values among which one is wanted; empty for other types.
    """

    def __init__(self, at: str, value: object, wanted: str, choices: tuple[str, ...] = ()) -> None:
        super().__init__(f"{at or 'the whole'} is not {wanted}")
        self.at, self.value, self.wanted, self.choices = at, value, wanted, choices


_PLAIN: Final = MappingProxyType(
    {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
)


def read_value(kind: Any, held: Any, at: str = "", *, makers: Makers = MappingProxyType({})) -> Any:
    """Make a value of a type from what TOML or JSON held of it, field by field.

    Parameters
    ----------
    kind : type
        A class with fields, a plain type, a tuple or mapping of types, one of several texts, or a type or nothing.
    held : object
        Tables, lists, texts and numbers.
    at : str
        Where it stands in the file.
    makers : mapping of type to callable
        Classes that are not made from all of their fields, and what makes them from a table.

    Returns
    -------
    object
        Of type `kind`.

    Raises
    ------
    UnfitError
        If something is of another type, missing, or not known.

    Examples
    --------
    >>> read_value(tuple[float, ...], [1, 0.5])
    (1.0, 0.5)
    >>> read_value(tuple[str, ...], "ab", "names")
    Traceback (most recent call last):
    erresearch.io.files.UnfitError: names is not a list of texts
    """
    whole, inside = get_origin(kind), get_args(kind)
    if whole in (Union, UnionType):
        return None if held is None else read_value(inside[0], held, at, makers=makers)
    if whole is Literal and held in inside:
        return held
    if whole is tuple:
        return _read_list(inside, held, at, makers)
    if whole is Mapping and isinstance(held, dict):
        return {key: read_value(inside[1], each, f"{at}.{key}", makers=makers) for key, each in held.items()}
    if hasattr(kind, "__dataclass_fields__") and isinstance(held, dict):
        return makers[kind](held) if kind in makers else kind(**read_fields(kind, held, at, makers=makers))
    number = isinstance(held, (int, float)) and not isinstance(held, bool)
    if kind is float and (number or held is None):  # JSON has no word for "not a number"
        return math.nan if held is None else float(held)
    counted = kind is int and number and isinstance(held, int) and held >= -1
    if kind is Any or counted or (kind in (str, bool) and isinstance(held, kind)):
        return held
    if whole is Literal:
        raise UnfitError(at, held, f"one of {', '.join(map(str, inside))}", inside)
    raise UnfitError(at, held, _PLAIN.get(kind, "a table"))


def read_fields(
    kind: Any,
    held: Mapping[str, Any],
    at: str = "",
    *,
    leave: Iterable[str] = (),
    makers: Makers = MappingProxyType({}),
) -> dict[str, Any]:
    """What a table holds of the fields of a class but those of `leave`, each of its own type.

    Raises
    ------
    UnfitError
        As :func:`read_value`.
    """
    known = {each.name: each for each in fields(kind) if each.name not in leave}
    needed = {n for n, each in known.items() if each.default is MISSING and each.default_factory is MISSING}
    if not needed <= held.keys() <= known.keys():
        raise UnfitError(at, held, f"a table of {', '.join(known)}")
    hints, before = get_type_hints(kind), f"{at}." if at else ""
    return {
        name: read_value(hints[name], each, f"{before}{name}", makers=makers) for name, each in held.items()
    }


def _read_list(kinds: tuple[Any, ...], held: Any, at: str, makers: Makers) -> tuple[Any, ...]:
    repeated = kinds[-1] is ...
    wanted = f"a list of {_PLAIN.get(kinds[0], 'a table').removeprefix('a ')}s"
    if not isinstance(held, (list, tuple)) or not (repeated or len(held) == len(kinds)):
        raise UnfitError(at, held, wanted)
    every = kinds[:1] * len(held) if repeated else kinds
    try:
        return tuple(read_value(each, one, at, makers=makers) for each, one in zip(every, held, strict=True))
    except UnfitError as error:
        raise UnfitError(at, held, wanted) if error.at == at else error from None


def atomic_write(path: str | Path, content: str | bytes, *, private: bool = False) -> Path:
    r"""Write a file whole or not at all.

    The content goes to a temporary file in the same folder, is flushed to disk and moved into place. A file that was
    private stays private.

    Parameters
    ----------
    path : path
        Where to write; its folder is made if it is not there.
    content : str or bytes
        Text is written as UTF-8 with ``\n`` line ends.
    private : bool
        Whether only the owner may read it (mode 0600, where the system knows modes).

    Returns
    -------
    pathlib.Path
        The path written.

    Raises
    ------
    EngineError
        If the file cannot be written (no permission, full disk); the old file is then untouched.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(Path(folder) / "a.txt", "é").read_bytes()
    b'\xc3\xa9'
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    fix = "choose a folder that can be written or free some space"
    with raise_as(EngineError, f"could not write {str(path)!r}", fix=fix):
        path.parent.mkdir(parents=True, exist_ok=True)
        # whoever could not read the old file cannot read the new one
        mode = 0o600 if private else stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}")
        opener = functools.partial(os.open, mode=0o666 if mode is None else mode & 0o600)
        try:
            with open(temporary, "xb", opener=opener) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                temporary.chmod(mode)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return path


#: What a reader may take for the end of a cell, and what may stand before the sign of a formula.
_ENDS: Final = ";|\t\n"
#: A whole run of these before such a sign; possessive and from the run's start on, so that the time stays linear.
_FORMULA: Final = re.compile(r"(?:\A|(?<![\s\";|]))[\s\";|]*+(?=[=+\-@＝＋－＠])")


def safe_cell(value: object, *, digits: int | None = 10) -> str:
    """One cell: a number with the digits that matter, or text that no spreadsheet takes for a formula.

    Parameters
    ----------
    value : object
        A number, text, a date, or nothing (None, NaN).
    digits : int, optional
        Significant digits of a float; all that it has where None.

    Returns
    -------
    str
        Text gets an apostrophe before ``=``, ``+``, ``-`` or ``@`` at its start, and after ``;``, ``|``, a tab or a
        line's end inside it, where a reader with another separator would see a cell begin.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell("shop;=1+1"), safe_cell(-0.5), safe_cell(float("nan"))
    ("'=1+1", "shop;'=1+1", '-0.5', '')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return repr(float(value)) if digits is None else f"{value:.{digits}g}"
    if isinstance(value, int):
        return str(value)
    # a lone carriage return ends a line for some readers and not for others
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    text = _FORMULA.sub(_defused, text)
    return f"'{text}" if text.startswith(("\t", "\n")) else text


def _defused(run: re.Match[str]) -> str:
    """An apostrophe where the last cell of the run begins."""
    start = 1 + max(run[0].rfind(end) for end in _ENDS)
    if start == 0 and run.start() > 0:
        return run[0]
    return f"{run[0][:start]}'{run[0][start:]}"


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[object]], *, digits: int | None = 10) -> str:
    r"""Lay rows out as CSV that a spreadsheet may open.

    Parameters
    ----------
    columns : iterable of str
        The header.
    rows : iterable of iterable
        The cells; see :func:`safe_cell`.
    digits : int, optional
        Significant digits of a float; all that it has where None.

    Returns
    -------
    str
        Lines that end in ``\n``.

    See Also
    --------
    table_csv : The same for a pandas table.

    Examples
    --------
    >>> print(csv_text(["account", "change"], [["=cmd()", -0.5]]), end="")
    account,change
    '=cmd(),-0.5
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([safe_cell(str(name)) for name in columns])
    writer.writerows([safe_cell(value, digits=digits) for value in row] for row in rows)
    return out.getvalue()


def table_csv(table: pd.DataFrame, *, digits: int | None = None) -> str:
    """Write a pandas table as CSV that a spreadsheet may open.

    Parameters
    ----------
    table : pandas.DataFrame
        The table; it is not changed.
    digits : int, optional
        Significant digits of a float; all that it has by default.

    Returns
    -------
    str
        CSV with a row of headers and without the index. Midnights are written as days.

    See Also
    --------
    erresearch.reproduce : Writes its tables this way.

    Examples
    --------
    >>> import pandas as pd
    >>> print(table_csv(pd.DataFrame({"account": ["=1+1", "shop"], "change": [-2, 3]})), end="")
    account,change
    '=1+1,-2
    shop,3
    """
    cells = [_cells(table.iloc[:, number]) for number in range(table.shape[1])]
    return csv_text(map(str, table.columns), zip(*cells, strict=True), digits=digits)


def _cells(column: pd.Series[Any]) -> list[Any]:
    """Python values of a column, nothing where one is missing."""
    if column.dtype.kind == "M":
        at_midnight = bool((column.dropna() == column.dropna().dt.normalize()).all())
        column = column.dt.strftime("%Y-%m-%d") if at_midnight else column.astype(str)
    gone = column.isna()
    return [None if lost else value for value, lost in zip(column.tolist(), gone, strict=True)]
