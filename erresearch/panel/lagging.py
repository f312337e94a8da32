"""Earlier periods beside each period: the same entity's, by time, never across a gap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["with_lags"]


def with_lags(
    panel: pl.DataFrame, names: Sequence[str], lags: int, notes: list[str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Add the values of `lags` earlier periods as columns.

    Parameters
    ----------
    panel : polars.DataFrame
        entity, number of the period, figures; one row per entity and period.
    names : sequence of str
        Figures.
    lags : int
        How many.
    notes : list of str
        Takes how many periods have no earlier one, and why.

    Returns
    -------
    panel, definitions
        With ``lag1 <figure>``, ``lag2 <figure>`` …; missing where that period is not in the panel.

    Examples
    --------
    >>> import polars as pl
    >>> notes = []
    >>> shop = pl.DataFrame({"entity": "a", "number": [1, 2, 4], "sales": [5.0, 6.0, 7.0]})
    >>> with_lags(shop, ["sales"], 1, notes)[0]["lag1 sales"].to_list()
    [None, 5.0, None]
    >>> notes
    ['1 periods follow a gap, so that their lag 1 is missing']
    """
    import polars as pl

    keys = ["entity", "number"]
    definitions: dict[str, str] = {}
    for n in range(1, lags + 1):
        made = {name: f"lag{n} {name}" for name in names}
        earlier = panel.select("entity", pl.col("number") + n, *[pl.col(k).alias(v) for k, v in made.items()])
        there = earlier.select(*keys, pl.lit(value=True).alias("__there__"))
        panel = panel.join(earlier, on=keys, how="left").join(there, on=keys, how="left")
        begun = pl.col("number") - pl.col("number").min().over("entity") >= n
        holes = panel.filter(begun & pl.col("__there__").is_null()).height
        if holes:
            notes.append(f"{holes:,} periods follow a gap, so that their lag {n} is missing")
        panel = panel.drop("__there__")
        words = "one period" if n == 1 else f"{n} periods"
        definitions |= {
            v: f"{k} of the same entity {words} earlier; missing after a gap" for k, v in made.items()
        }
    return panel, definitions
