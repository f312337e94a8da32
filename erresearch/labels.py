"""Account keys and periods as text: the one form in which every engine's keys can be compared, sorted and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl

__all__ = ["as_text", "pack_text", "sort_periods", "sort_text", "sum_into", "unpack_text"]

Array = np.ndarray[Any, Any]


def as_text(column: pl.Series) -> Array:
    """Keys as text; a whole number reads the same whether it came as 1 or as 1.0.

    Parameters
    ----------
    column : polars.Series
        Keys without nulls.

    Returns
    -------
    ndarray of str
        Dtype object.

    Examples
    --------
    >>> import polars as pl
    >>> as_text(pl.Series([2.0, 10.5])).tolist(), as_text(pl.Series([True])).tolist()
    (['2', '10.5'], ['true'])
    """
    import polars as pl

    if column.dtype.is_float():
        values = column.cast(pl.Float64).to_list()
        return np.array([str(int(v)) if v.is_integer() else str(v) for v in values], dtype=object)
    if column.dtype.is_decimal():
        return as_text(column.cast(pl.Float64))
    if column.dtype in (pl.Object, pl.Binary):
        return np.array([str(value) for value in column], dtype=object)
    return np.array(column.cast(pl.String).to_list(), dtype=object)


def sort_text(labels: Array) -> tuple[Array, Array]:
    """Sorted distinct labels and the position of each label among them (order of code points).

    Parameters
    ----------
    labels : (n,) ndarray of str
        Labels, in any order.

    Returns
    -------
    keys : (G,) ndarray of str
        Dtype object.
    position : (n,) ndarray of int
        ``keys[position]`` gives `labels` back.

    Examples
    --------
    >>> keys, position = sort_text(np.array(["b", "a", "b"], dtype=object))
    >>> keys.tolist(), position.tolist()
    (['a', 'b'], [1, 0, 1])
    """
    import polars as pl

    column = pl.Series(labels.tolist(), dtype=pl.String)
    keys = column.unique().sort()
    if keys.is_empty():
        return np.empty(0, dtype=object), np.empty(0, dtype=np.int64)
    position = column.replace_strict(keys, pl.int_range(len(keys), eager=True))
    return np.array(keys.to_list(), dtype=object), position.to_numpy().astype(np.int64)


def sort_periods(labels: Array) -> tuple[Array, Array]:
    """Sorted distinct periods, by number where all are numbers, else as text (ISO dates then sort by time).

    Parameters
    ----------
    labels : (n,) ndarray of str
        Labels, in any order.

    Returns
    -------
    periods : (T,) ndarray of str
        Dtype object.
    position : (n,) ndarray of int
        ``periods[position]`` gives `labels` back.

    Examples
    --------
    >>> sort_periods(np.array(["10", "9"], dtype=object))[0].tolist()
    ['9', '10']
    """
    keys, position = sort_text(labels)
    try:
        order = np.argsort(np.array([float(key) for key in keys]), kind="stable")
    except ValueError:
        return keys, position
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return keys[order], rank[position]


def sum_into(values: Array, position: Array, groups: int) -> Array:
    """Sum values whose keys became the same text; whole numbers stay whole.

    Parameters
    ----------
    values : (n,) or (n, k) ndarray
        One value or row of values per key.
    position : (n,) ndarray of int
        Where each goes.
    groups : int
        Length of the result.

    Returns
    -------
    (groups,) or (groups, k) ndarray
        Sums.

    Examples
    --------
    >>> sum_into(np.array([1, 2, 4]), np.array([1, 0, 1]), 2).tolist()
    [2, 5]
    """
    whole = values.dtype.kind in "biu"
    out = np.zeros((groups, *values.shape[1:]), dtype=np.int64 if whole else np.float64)
    if len(values) == groups:
        out[position] = values
    else:
        np.add.at(out, position, values)
    return out


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
    if len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != len(data) or np.any(np.diff(offsets) < 0):
        raise ValueError("text offsets do not fit")
    raw = data.tobytes()
    pieces = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    return np.array([raw[a:b].decode("utf-8", "surrogatepass") for a, b in pieces], dtype=object)
