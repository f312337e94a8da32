"""Arrays and a few words in one .npz file, written whole or not at all and read without executing anything.

A file may come from anybody. It is weighed before a byte of it is unpacked, nothing in it can name code, and whatever
goes wrong inside comes out as one :class:`~erresearch.errors.EngineError`.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from erresearch.errors import EngineError
from erresearch.io.files import atomic_write

__all__ = ["pack_text", "read_archive", "unpack_text", "write_archive"]

Array = np.ndarray[Any, Any]
Made = TypeVar("Made")
#: Bytes that a file may take when unpacked, and arrays that it may hold.
_UNPACKED, _MEMBERS = 1 << 30, 10_000
_SAID: Final = 200  # characters of what a library said about a foreign file


def write_archive(
    path: str | Path,
    kind: str,
    version: int,
    words: Mapping[str, Any],
    arrays: Mapping[str, Array],
    *,
    private: bool = False,
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
    private : bool
        Whether only the owner may read it.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    EngineError
        If it cannot be written; an old file is then untouched.

    See Also
    --------
    read_archive : Reads it.
    """
    head = json.dumps({"format": f"erresearch {kind}", "version": version, **words}).encode()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, head=np.frombuffer(head, dtype=np.uint8), **arrays)
    return atomic_write(path, buffer.getvalue(), private=private)


def read_archive(
    path: str | Path,
    kind: str,
    version: int,
    make: Callable[[dict[str, Any], dict[str, Array]], Made],
    *,
    most_bytes: int = _UNPACKED,
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
        Builds the value from words and arrays; it raises whatever it likes where they do not fit.
    most_bytes : int
        What the file may take when unpacked; 1 GiB by default.

    Returns
    -------
    object
        What `make` returns.

    Raises
    ------
    EngineError
        If the file is missing, cut short, too large, of another kind or of another version, or what is in it does not
        fit together.

    See Also
    --------
    write_archive : Writes it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_archive(f"{folder}/a.npz", "thing", 1, {"name": "é"}, {"x": np.arange(3)})
    ...     read_archive(path, "thing", 1, lambda words, arrays: (words["name"], arrays["x"].tolist()))
    ('é', [0, 1, 2])
    """
    try:
        arrays = _unpacked(Path(path), most_bytes)
        words = json.loads(arrays.pop("head").tobytes())
        if words["format"] != f"erresearch {kind}":
            raise ValueError("a file of another kind")  # noqa: TRY301
        found = words["version"]
        if found == version:
            return make(words, arrays)
    # a foreign file may make zip, numpy and JSON raise anything
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:_SAID]
        raise EngineError(
            f"cannot read {kind} from {str(path)!r}",
            got=said,
            allowed=f"a whole file of {kind} that this package wrote",
        ) from error
    raise EngineError(
        f"cannot read {kind} from {str(path)!r}",
        got=f"format version {found!r}"[:_SAID],
        allowed=f"version {version}",
        fix="make it again with this version of the package",
    )


def _unpacked(path: Path, most_bytes: int) -> dict[str, Array]:
    """All arrays of a file, which is weighed before."""
    with zipfile.ZipFile(path) as packed:
        members = packed.infolist()
        size = sum(member.file_size for member in members)
        if size > most_bytes or len(members) > _MEMBERS:
            raise ValueError(f"{len(members):,} arrays of {size:,} bytes; at most {most_bytes:,} are read")
        if len({member.filename for member in members}) < len(members):
            raise ValueError("an array stands twice")
        arrays = {}
        for member in members:
            arrays[member.filename.removesuffix(".npy")] = _array(packed.read(member))
    return arrays


def _array(data: bytes) -> Array:
    """One array; what its head says of its size is believed only as far as there are bytes."""
    layout, stream = np.lib.format, io.BytesIO(data)
    read_head = (
        layout.read_array_header_1_0 if layout.read_magic(stream) == (1, 0) else layout.read_array_header_2_0
    )
    shape, _, dtype = read_head(stream)
    if dtype.kind not in "biufU" or math.prod(shape) * dtype.itemsize > len(data):
        raise ValueError(f"an array of type {dtype} that is larger than its bytes, or no numbers")
    stream.seek(0)
    return np.asarray(layout.read_array(stream, allow_pickle=False))


def pack_text(labels: Array) -> tuple[Array, Array]:
    """Labels as one UTF-8 byte array with offsets: long names cost their own length only.

    Parameters
    ----------
    labels : (n,) ndarray of str
        Any text.

    Returns
    -------
    data : ndarray of uint8
        All labels end to end.
    offsets : (n + 1,) ndarray of int
        Where each begins.

    Examples
    --------
    >>> data, offsets = pack_text(np.array(["é", "ab"], dtype=object))
    >>> offsets.tolist(), unpack_text(data, offsets).tolist()
    ([0, 2, 4], ['é', 'ab'])
    """
    # a lone surrogate can come out of a badly decoded file; it must survive the round trip
    pieces = [str(label).encode("utf-8", "surrogatepass") for label in labels]
    offsets = np.zeros(len(pieces) + 1, dtype=np.int64)
    np.cumsum([len(piece) for piece in pieces], out=offsets[1:])
    return np.frombuffer(b"".join(pieces), dtype=np.uint8), offsets


def unpack_text(data: Array, offsets: Array) -> Array:
    """Undo :func:`pack_text`.

    Parameters
    ----------
    data : ndarray of uint8
        All labels end to end.
    offsets : (n + 1,) ndarray of int
        Where each begins.

    Returns
    -------
    (n,) ndarray of str
        Dtype object.

    Raises
    ------
    ValueError
        If the offsets do not fit the bytes.
    """
    whole = data.ndim == offsets.ndim == 1 and data.dtype == np.uint8 and offsets.dtype.kind == "i"
    if (
        not whole
        or len(offsets) < 1
        or offsets[0] != 0
        or offsets[-1] != len(data)
        or np.any(np.diff(offsets) < 0)
    ):
        raise ValueError("text offsets do not fit")
    raw = data.tobytes()
    pieces = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    return np.array([raw[a:b].decode("utf-8", "surrogatepass") for a, b in pieces], dtype=object)
