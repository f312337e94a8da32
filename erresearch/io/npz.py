"""Arrays and a few words in one .npz file, written whole or not at all and read without executing anything."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from erresearch.errors import EngineError
from erresearch.io.files import atomic_write

__all__ = ["read_archive", "write_archive"]

Array = np.ndarray[Any, Any]
Made = TypeVar("Made")


def write_archive(
    path: str | Path, kind: str, version: int, words: Mapping[str, Any], arrays: Mapping[str, Array]
) -> Path:
    """Write arrays with a head of JSON.

    Parameters
    ----------
    path : path
        Where to write.
    kind : str
        What the file holds, for example "moments".
    version : int
        Version of its layout.
    words : mapping
        Names and counts, as JSON can hold them.
    arrays : mapping of str to ndarray
        No array may hold Python objects.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    EngineError
        If it cannot be written; an old file is then untouched.
    """
    head = json.dumps({"format": f"erresearch {kind}", "version": version, **words}).encode()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, head=np.frombuffer(head, dtype=np.uint8), **arrays)
    return atomic_write(path, buffer.getvalue())


def read_archive(
    path: str | Path, kind: str, version: int, make: Callable[[dict[str, Any], dict[str, Array]], Made]
) -> Made:
    """Read what :func:`write_archive` wrote.

    Parameters
    ----------
    path : path
        The file.
    kind : str
        What it must hold.
    version : int
        The layout that this version of the package knows.
    make : callable
        Builds the value from words and arrays; it raises KeyError, TypeError or ValueError where they do not fit.

    Returns
    -------
    object
        What `make` returns.

    Raises
    ------
    EngineError
        If the file is missing, cut short, of another kind or of another version.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_archive(f"{folder}/a.npz", "thing", 1, {"name": "é"}, {"x": np.arange(3)})
    ...     read_archive(path, "thing", 1, lambda words, arrays: (words["name"], arrays["x"].tolist()))
    ('é', [0, 1, 2])
    """
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        words = json.loads(arrays.pop("head").tobytes())
        if words["format"] != f"erresearch {kind}":
            raise ValueError(f"a file of {words['format']!r}")  # noqa: TRY301
        found = words["version"]
        if found == version:
            return make(words, arrays)
    except (OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise EngineError(
            f"cannot read {kind} from {str(path)!r}",
            got=f"{type(error).__name__}: {error}",
            allowed=f"a whole file of {kind} that this package wrote",
        ) from error
    raise EngineError(
        f"cannot read {kind} from {str(path)!r}",
        got=f"format version {found}",
        allowed=f"version {version}",
        fix="make it again with this version of the package",
    )
