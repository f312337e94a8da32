"""Moments as words and arrays, for a file; what comes back from one is checked here and nowhere else.

A file may come from another house. Types, shapes and counts are looked at, and whether the products are those of any
rows at all: about the mean of a group they have no negative direction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from erresearch.io.npz import pack_text, unpack_text

if TYPE_CHECKING:
    from erresearch.engine.moments import Moments

__all__ = ["fields_of", "is_count", "is_positive", "parts_of"]

Array = np.ndarray[Any, Any]

_NUMBERS: Final = ("origin", "count", "weight", "sums", "cross")
_NAMES: Final = ("by", "period", "weights")
_CELLS: Final = ("account", "period", "weight", "sums")
#: How far below 0 rounding may take an eigenvalue, and how far apart it may take sums that are the same.
_ROUNDING: Final = 1e-7


def parts_of(moments: Moments) -> tuple[dict[str, Any], dict[str, Array]]:
    """Words and arrays that hold moments, without their source.

    Parameters
    ----------
    moments : Moments
        Any.

    Returns
    -------
    words : dict
        For JSON.
    arrays : dict of str to ndarray
        Numbers and packed text.

    See Also
    --------
    fields_of : The way back.
    """
    words = {
        "columns": list(moments.columns),
        "dropped": dict(moments.dropped),
        **{name: getattr(moments, name) for name in (*_NAMES, "merged", "simulated")},
    }
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
    """Fields of moments, and of their cells, from a file.

    Parameters
    ----------
    words, arrays : mapping
        As :func:`parts_of` gave them; from a foreign file anything at all.

    Returns
    -------
    fields : dict
        For `Moments`, without cells.
    cells : dict or None
        For `Cells`.

    Raises
    ------
    ValueError, KeyError, TypeError
        Where they do not hold together; the message names the part.

    See Also
    --------
    parts_of : The way there.
    """
    fields = _words(words)
    fields |= {name: arrays[name] for name in _NUMBERS}
    fields["keys"] = unpack_text(arrays["keys"], arrays["key_offsets"])
    _check_groups(fields)
    cells = None
    if "periods" in arrays:
        cells = {name: arrays[f"cell_{name}"] for name in _CELLS}
        cells["periods"] = unpack_text(arrays["periods"], arrays["period_offsets"])
        _check_cells(cells, fields)
    return fields, cells


def _need(holds: object, wrong: str) -> None:
    if not holds:
        raise ValueError(wrong)


def is_count(value: object) -> bool:
    """Whether a value out of a file is a whole number of 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _words(words: Mapping[str, Any]) -> dict[str, Any]:
    columns, dropped = words["columns"], words["dropped"]
    named = isinstance(columns, list) and columns and all(isinstance(name, str) for name in columns)
    _need(named and len(set(columns)) == len(columns), "columns are no different names")
    _need(
        isinstance(dropped, dict) and all(map(is_count, dropped.values())),
        "rows left out are no whole counts by reason",
    )
    for name in _NAMES:
        _need(isinstance(words[name], (str, type(None))), f"{name} is no name")
    merged, simulated = words.get("merged", 0), words.get("simulated", False)
    _need(is_count(merged) and isinstance(simulated, bool), "merged or simulated are of another type")
    return {
        "columns": tuple(columns),
        "dropped": dropped,
        "merged": merged,
        "simulated": simulated,
        **{name: words[name] for name in _NAMES},
    }


def _check_groups(fields: Mapping[str, Any]) -> None:
    """Shapes and types, whole counts, weights that are counts, different keys, products that rows can have."""
    k, groups = len(fields["columns"]), len(fields["keys"])
    shapes = {
        "origin": (k,),
        "count": (groups,),
        "weight": (groups,),
        "sums": (groups, k),
        "cross": (groups, k * (k + 1) // 2),
    }
    for name, shape in shapes.items():
        array = fields[name]
        kind = "i" if name == "count" else "f"
        _need(array.shape == shape and array.dtype.kind == kind, f"{name} has another shape or type")
        _need(np.isfinite(array).all(), f"{name} is not finite")
    count, weight, sums = fields["count"], fields["weight"], fields["sums"]
    _need((count >= 0).all() and (weight >= 0).all(), "a count or weight is negative")
    _need(len(set(fields["keys"])) == groups, "two groups have one key")
    _need(
        fields["by"] is not None or groups <= 1, "there are several groups without a column that names them"
    )
    if fields["weights"] is None:
        _need((weight == count).all(), "weights are no counts, and no column of weights is named")
    cross = np.empty((groups, k, k))
    i, j = np.triu_indices(k)
    cross[:, i, j] = cross[:, j, i] = fields["cross"]
    about = cross - sums[:, :, None] * sums[:, None, :] / np.where(weight > 0, weight, 1.0)[:, None, None]
    _need(is_positive(about, np.einsum("gii->gi", cross)), "products that no rows can have")


def is_positive(matrices: Array, scale: Array) -> bool:
    """Whether symmetric matrices have no negative direction, but for rounding.

    Parameters
    ----------
    matrices : (G, k, k) ndarray
        Symmetric.
    scale : (G, k) ndarray
        Size of each column's squares, against which rounding is measured.
    """
    if not matrices.size:
        return True
    size = np.sqrt(np.maximum(scale, 0.0))
    size = np.where(size > 0, size, 1.0)
    scaled = matrices / size[:, :, None] / size[:, None, :]
    if not np.isfinite(scaled).all() or (np.einsum("gii->gi", matrices) < -_ROUNDING * scale).any():
        return False
    return bool(np.linalg.eigvalsh(scaled)[:, 0].min() >= -_ROUNDING * matrices.shape[1])


def _check_cells(cells: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """Places inside, no cell twice, and the same totals as the groups."""
    account, period, weight, sums = (cells[name] for name in _CELLS)
    groups, k = len(fields["keys"]), len(fields["columns"])
    size = (len(account),)
    _need(fields["period"] is not None, "there are cells without a column that names their periods")
    _need(len(set(cells["periods"])) == len(cells["periods"]), "two periods have one name")
    for place, length in ((account, groups), (period, len(cells["periods"]))):
        _need(place.shape == size and place.dtype.kind == "i", "cells do not fit")
        _need(not place.size or (place.min() >= 0 and place.max() < length), "cells do not fit")
    _need(weight.shape == size and sums.shape == (*size, k), "cells do not fit")
    _need(weight.dtype.kind in "fi" and sums.dtype.kind == "f", "cells do not fit")
    _need(
        np.isfinite(weight).all() and np.isfinite(sums).all() and (weight >= 0).all(), "cells are not finite"
    )
    _need(
        len(np.unique(account * max(len(cells["periods"]), 1) + period)) == len(account),
        "a cell stands twice",
    )
    total = np.bincount(account, weights=weight, minlength=groups)
    _need(np.allclose(total, fields["weight"], rtol=_ROUNDING), "cells do not add up to their groups")
    spread = np.sqrt(np.abs(fields["weight"][:, None] * np.maximum(_squares(fields["cross"], k), 0.0)))
    for column in range(k):
        added = np.bincount(account, weights=sums[:, column], minlength=groups)
        near = (
            np.abs(added - fields["sums"][:, column])
            <= _ROUNDING * (spread[:, column] + np.abs(added)) + 1e-12
        )
        _need(near.all(), "cells do not add up to their groups")


def _squares(cross: Array, k: int) -> Array:
    """The diagonal of packed products."""
    return np.asarray(cross[:, [i * k - i * (i - 1) // 2 for i in range(k)]])
