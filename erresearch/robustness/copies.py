"""Outcomes that their predictors give exactly, whatever the columns are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.expressions import log
from erresearch.engine.moments import Moments
from erresearch.errors import GuardError
from erresearch.relate.design import centred, still

__all__ = ["made_of_predictors"]

#: Rows beyond the columns, and distinct values of an outcome, before an exact fit is no accident; the share of the
#: outcome's variance that is rounding.
_ROWS_BEYOND: Final = 8
_VALUES: Final = 5
_ROUNDING: Final = 1e-12


def made_of_predictors(data: Any, outcome: str, on: Sequence[str]) -> None:
    """Refuse an outcome that the predictors give exactly: a copy in another unit, a sum of parts, a log of a ratio.

    Names can be changed, arithmetic cannot: outcome and predictors are looked at as they are and on logs (all of
    them, the outcome alone, the predictors alone), and R² = 1 but for rounding is no finding about the world.

    Parameters
    ----------
    data : frame, path or Moments
        The rows; moments are looked at as they are.
    outcome : str
        Left-hand side.
    on : sequence of str
        Predictors; with the outcome 8 rows more than there are columns are needed before anything is refused.

    Raises
    ------
    GuardError
        Naming the columns.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(np.random.default_rng(0).gamma(2, size=(30, 2)), columns=["likes", "sales"])
    >>> made_of_predictors(table, "sales", ["likes"])
    >>> made_of_predictors(table.assign(cents=100 * table.sales), "cents", ["sales"])
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 'cents' follows exactly from 'sales': ...
    """
    if outcome in on:
        return  # said by name
    for how, moments in _looks(data, [*on, outcome]):
        if moments.rows >= len(moments.columns) + _ROWS_BEYOND and _exact(moments):
            raise GuardError(
                f"{outcome!r} follows exactly from {', '.join(map(repr, on))}",
                got=f"R² = 1 over {moments.rows:,} rows, taken {how}",
                fix="use an outcome that was recorded independently of its predictors",
            )


def _looks(data: Any, names: list[str]) -> list[tuple[str, Moments]]:
    """The columns as they are and on logs, the outcome last."""
    if isinstance(data, Moments):
        return [("as they are", data[names])]
    plain = Moments.from_frame(data, names)
    assert plain.source is not None
    own = [f"{i}" for i in range(len(names))]
    rows = plain.source.complete().select(
        *(plain.source.col(name).alias(label) for name, label in zip(names, own, strict=True))
    )
    # rows without a logarithm are left out of all looks but the first
    both = Moments.from_frame(nw.to_native(rows), [*own, *map(log, own)])
    logged = list(both.columns[len(own) :])
    return [
        ("as they are", plain),
        ("on logs", both[logged]),
        ("with the outcome on logs", both[[*own[:-1], logged[-1]]]),
        ("with the predictors on logs", both[[*logged[:-1], own[-1]]]),
    ]


def _exact(moments: Moments) -> bool:
    """Whether the last column is a linear function of the others, and more than a few values."""
    gram = centred(moments, within=False)
    if still(np.diag(gram), np.einsum("gii->i", moments.grams())).any():
        return False
    scale = np.sqrt(np.diag(gram))
    gram = gram / np.outer(scale, scale)
    slopes = np.linalg.lstsq(gram[:-1, :-1], gram[:-1, -1], rcond=_ROUNDING)[0]
    if 1 - 2 * slopes @ gram[:-1, -1] + slopes @ gram[:-1, :-1] @ slopes > _ROUNDING:
        return False
    if moments.source is None:
        return True
    last = moments.source.col(moments.columns[-1])
    return moments.source.total([last.n_unique().alias("values")])["values"] >= _VALUES
