"""Tables as CSV in which no cell can become a formula, whatever a spreadsheet takes for the separator."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["csv_text", "safe_cell", "table_csv"]

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


def table_csv(table: pd.DataFrame, *, columns: Iterable[str] | None = None, digits: int | None = None) -> str:
    """Write a pandas table as CSV that a spreadsheet may open.

    Parameters
    ----------
    table : pandas.DataFrame
        The table; it is not changed.
    columns : iterable of str, optional
        Columns to write, in their order; all of them where not given.
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
    chosen = table if columns is None else table[list(columns)]
    cells = [_cells(chosen.iloc[:, number]) for number in range(chosen.shape[1])]
    return csv_text(map(str, chosen.columns), zip(*cells, strict=True), digits=digits)


def _cells(column: pd.Series[Any]) -> list[Any]:
    """Python values of a column, nothing where one is missing."""
    if column.dtype.kind == "M":
        at_midnight = bool((column.dropna() == column.dropna().dt.normalize()).all())
        column = column.dt.strftime("%Y-%m-%d") if at_midnight else column.astype(str)
    gone = column.isna()
    return [None if lost else value for value, lost in zip(column.tolist(), gone, strict=True)]
