"""Moments in one .npz file, written whole or not at all; what comes back from one is checked here and nowhere else.

The file is weighed before a byte of it is unpacked, and nothing in it can name code.
A file may come from another house. Types, shapes and counts are looked at, and whether the products are those of any
rows at all: about the mean of a group they have no negative direction.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from erresearch.errors import Count, EngineError
from erresearch.io.files import atomic_write, read_fields, refuse_endless

if TYPE_CHECKING:
    from erresearch.engine.aggregation import Cells
    from erresearch.engine.moments import Moments

Array = np.ndarray[Any, Any]
Made = TypeVar("Made")

#: Bytes that a file may take when unpacked, and arrays that it may hold.
_UNPACKED, _MEMBERS = 1 << 30, 10_000
_SAID: Final = 200  # characters of what a library said about a foreign file
_NUMBERS: Final = ("origin", "count", "weight", "sums", "cross")
_CELLS: Final = ("account", "period", "weight", "sums")
#: How far below 0 rounding may take an eigenvalue, and how far apart it may take sums that are the same.
_ROUNDING: Final = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What a file of moments says in words, by the types of the moments' own fields."""

    columns: tuple[str, ...]
    dropped: Mapping[str, int]
    by: str | None
    period: str | None
    weights: str | None
    merged: int = 0
    simulated: bool = False


def parts_of(moments: Moments) -> tuple[dict[str, Any], dict[str, Array]]:
    """Words (for JSON) and arrays (numbers and packed text) that hold moments, without their source."""
    words = {each.name: getattr(moments, each.name) for each in fields(_Words)}
    words["dropped"] = dict(moments.dropped)
    text, offsets = pack_text(moments.keys)
    arrays = {name: getattr(moments, name) for name in _NUMBERS} | {"keys": text, "key_offsets": offsets}
    if moments.cells is not None:
        text, offsets = pack_text(moments.cells.periods)
        arrays |= {f"cell_{name}": getattr(moments.cells, name) for name in _CELLS}
        arrays |= {"periods": text, "period_offsets": offsets}
    return words, arrays


def fields_of(
    words: Mapping[str, Any], arrays: Mapping[str, Array]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Fields of moments, and of their cells, from what :func:`parts_of` gave; or from anything at all.

    Where a part is missing or is no such thing the error names it; :func:`check_moments` looks whether they hold
    together.
    """
    json.dumps(words, ensure_ascii=False).encode()  # refuses half a character, which nothing could print
    said = read_fields(_Words, {each.name: words[each.name] for each in fields(_Words) if each.name in words})
    _need(0 < len(set(said["columns"])) == len(said["columns"]), "columns are no different names")
    _need(
        min(0, said.get("merged", 0), *said["dropped"].values()) == 0,
        "a count of rows or accounts is negative",
    )
    parts = said | {name: arrays[name] for name in _NUMBERS}
    parts["keys"] = unpack_text(arrays["keys"], arrays["key_offsets"])
    if "periods" not in arrays:
        return parts, None
    cells = {name: arrays[f"cell_{name}"] for name in _CELLS}
    return parts, cells | {"periods": unpack_text(arrays["periods"], arrays["period_offsets"])}


_LARGEST: Final = 1e150


def check_moments(moments: Moments) -> None:
    """Refuse moments that no rows can have given; the error (ValueError) names the part."""
    _check_groups(moments)
    if moments.cells is not None:
        _check_cells(moments.cells, moments)


def _need(holds: object, wrong: str) -> None:
    if not holds:
        raise ValueError(wrong)


def is_count(value: object) -> bool:
    """Whether a value out of a file is a whole number of 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_groups(moments: Moments) -> None:
    """Shapes and types, whole counts, weights that are counts, different keys, products that rows can have."""
    k, groups = len(moments.columns), len(moments.keys)
    shapes = {
        "origin": (k,),
        "count": (groups,),
        "weight": (groups,),
        "sums": (groups, k),
        "cross": (groups, k * (k + 1) // 2),
    }
    for name, shape in shapes.items():
        array = getattr(moments, name)
        kind = "i" if name == "count" else "f"
        _need(array.shape == shape and array.dtype.kind == kind, f"{name} has another shape or type")
        _need(np.isfinite(array).all(), f"{name} is not finite")
    _need((np.abs(moments.origin) < _LARGEST).all(), "origin is larger than what has a square")
    count, weight = moments.count, moments.weight
    _need((count >= 0).all() and (weight >= 0).all(), "a count or weight is negative")
    _need(len(set(moments.keys)) == groups, "two groups have one key")
    named = moments.by is not None
    _need(named or groups <= 1, "there are several groups without a column that names them")
    if moments.weights is None:
        _need((weight == count).all(), "weights are no counts, and no column of weights is named")
    _need(
        is_positive(moments.within(), np.einsum("gii->gi", moments.grams())), "products that no rows can have"
    )


def is_positive(matrices: Array, scale: Array) -> bool:
    """Whether symmetric matrices (G, k, k) have no negative direction, but for rounding.

    That is measured against `scale` (G, k), the size of each column's squares.
    """
    if not matrices.size:
        return True
    size = np.sqrt(np.maximum(scale, 0.0))
    size = np.where(size > 0, size, 1.0)
    scaled = matrices / size[:, :, None] / size[:, None, :]
    if not np.isfinite(scaled).all() or (np.einsum("gii->gi", matrices) < -_ROUNDING * scale).any():
        return False
    return bool(np.linalg.eigvalsh(scaled)[:, 0].min() >= -_ROUNDING * matrices.shape[1])


def _check_cells(cells: Cells, moments: Moments) -> None:
    """Places inside, no cell twice, and the same totals as the groups."""
    account, period, weight, sums = (getattr(cells, name) for name in _CELLS)
    groups, k = len(moments.keys), len(moments.columns)
    size = (len(account),)
    _need(moments.period is not None, "there are cells without a column that names their periods")
    _need(len(set(cells.periods)) == len(cells.periods), "two periods have one name")
    for place, length in ((account, groups), (period, len(cells.periods))):
        _need(place.shape == size and place.dtype.kind == "i", "cells do not fit")
        _need(not place.size or (place.min() >= 0 and place.max() < length), "cells do not fit")
    _need(weight.shape == size and sums.shape == (*size, k), "cells do not fit")
    _need(weight.dtype.kind in "fi" and sums.dtype.kind == "f", "cells do not fit")
    _need(
        np.isfinite(weight).all() and np.isfinite(sums).all() and (weight >= 0).all(), "cells are not finite"
    )
    _need(
        len(np.unique(account * max(len(cells.periods), 1) + period)) == len(account),
        "a cell stands twice",
    )
    total = np.bincount(account, weights=weight, minlength=groups)
    _need(np.allclose(total, moments.weight, rtol=_ROUNDING), "cells do not add up to their groups")
    spread = np.sqrt(np.abs(moments.weight[:, None] * np.maximum(squares(moments.cross, k), 0.0)))
    for column in range(k):
        added = np.bincount(account, weights=sums[:, column], minlength=groups)
        near = (
            np.abs(added - moments.sums[:, column]) <= _ROUNDING * (spread[:, column] + np.abs(added)) + 1e-12
        )
        _need(near.all(), "cells do not add up to their groups")


def squares(cross: Array, k: int) -> Array:
    """The diagonal of packed products of k columns."""
    return np.asarray(cross[:, [i * k - i * (i - 1) // 2 for i in range(k)]])


def write_archive(
    path: str | Path,
    kind: str,
    version: int,
    words: Mapping[str, Any],
    arrays: Mapping[str, Array],
    *,
    private: bool = False,
) -> Path:
    """Write arrays (of no Python objects) with a head of JSON: the kind of file, the version of its layout, and words.

    With `private` only its owner may read it. An old file is untouched where it cannot be written.
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
    """Read what :func:`write_archive` wrote, of one kind and version; `make` builds the value from words and arrays.

    `make` raises whatever it likes where they do not fit. Everything else that may be wrong with a file is refused
    too: missing, cut short, of another kind or version, or larger than `most_bytes` when unpacked (1 GiB by default).

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
        ) from None
    raise EngineError(
        f"cannot read {kind} from {str(path)!r}",
        got=f"format version {found!r}"[:_SAID],
        allowed=f"version {version}",
        fix="make it again with this version of the package",
    )


def _unpacked(path: Path, most_bytes: int) -> dict[str, Array]:
    """All arrays of a file, which is weighed before."""
    refuse_endless(path, path.stat().st_mode)
    with zipfile.ZipFile(path) as packed:
        members = packed.infolist()
        size = sum(member.file_size for member in members)
        if size > most_bytes or len(members) > _MEMBERS:
            raise ValueError(
                f"{Count(len(members)):array} of {size:,} bytes; at most {most_bytes:,} are read"
            )
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
    """Undo :func:`pack_text`; offsets that do not fit (ValueError) are refused."""
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
