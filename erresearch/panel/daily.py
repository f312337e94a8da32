"""Figures by day of whole accounts (views, reach, visits of the profile …) summed to the panel's periods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from erresearch.engine.periods import Clock, numbered, start_of
from erresearch.errors import ColumnError
from erresearch.exports.layouts import load_registry
from erresearch.panel.entities import plain_name
from erresearch.panel.records import Account

if TYPE_CHECKING:
    import polars as pl

__all__ = ["daily_figures", "figures_by_day"]

_TYPES = ("count", "number", "seconds", "money")
_KEYS = ("date", "platform", "account")
_SHOWN = 4


def figures_by_day() -> tuple[str, ...]:
    """Canonical figures that may be added up over days.

    Examples
    --------
    >>> "views" in figures_by_day(), "followers" in figures_by_day(), "er_reported" in figures_by_day()
    (True, False, False)
    """
    fields = load_registry().fields
    return tuple(name for name, field in fields.items() if field.type in _TYPES and not field.stock)


def daily_figures(
    rows: pl.DataFrame,
    owners: pl.DataFrame,
    spine: pl.DataFrame,
    clock: Clock,
    notes: list[str],
) -> tuple[pl.DataFrame | None, dict[str, str], Account]:
    """Sum figures by day to periods, one column per figure and platform.

    Days are taken as printed. A period of which an account lacks a day is missing, not smaller.

    Parameters
    ----------
    rows : polars.DataFrame
        date, figures, and platform and account where there are several.
    owners : polars.DataFrame
        platform, account, entity of the accounts that published.
    spine : polars.DataFrame
        entity, number: the panel's rows.
    clock : Clock
        How time is cut.
    notes : list of str
        Takes what was decided.

    Returns
    -------
    table, definitions, account
        entity, number and ``daily_<figure> (<platform>)``; None where nothing can be joined.

    Raises
    ------
    ColumnError
        If several platforms or accounts published and the rows do not say of which they are.
    """
    import polars as pl

    total = rows.height
    names = [name for name in rows.columns if name not in _KEYS]
    for name in ("platform", "account"):
        if name not in rows.columns:
            rows = rows.with_columns(pl.lit(_only(owners, name)).alias(name))
    rows = rows.with_columns(
        pl.col("date").cast(pl.Datetime("us")).dt.truncate("1d"),
        pl.col("platform", "account").cast(pl.String),
        *[_finite(name) for name in names],
    )
    dated = rows.filter(pl.col("date").is_not_null())
    left = {"without a date": total - dated.height}
    owned = dated.join(_owners(dated, owners, spine, notes), on=["platform", "account"], how="inner")
    left["of no account here"] = dated.height - owned.height
    number = nw.from_native(owned).select(numbered("date", clock.freq, clock.week_start).alias("number"))
    owned = owned.with_columns(number.to_native()["number"])
    inside = owned.join(spine, on=["entity", "number"], how="semi")
    left["outside the panel's periods"] = owned.height - inside.height
    account = Account(total, inside.height, left)
    if not inside.height:
        return None, {}, account
    grid = spine.join(inside.select("entity").unique(), on="entity", how="semi")
    table, definitions = _summed(inside, names, grid, clock, notes)
    return table, definitions, account


def _only(owners: pl.DataFrame, name: str) -> str:
    only = owners[name].unique().sort()
    if len(only) > 1:
        raise ColumnError(
            f"the figures by day do not say of which {name} they are",
            got=f"posts of {len(only)} {name}s",
            fix=f"add a column {name!r}",
        )
    return str(only[0])


def _finite(name: str) -> Any:
    import polars as pl

    value = pl.col(name).cast(pl.Float64)
    return pl.when(value.is_finite()).then(value).alias(name)


def _owners(rows: pl.DataFrame, owners: pl.DataFrame, spine: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """The entity of each account of the rows: by name; of a platform's only account, whatever its name here."""
    import polars as pl

    exact = {(p, plain_name(a)): e for p, a, e in owners.select("platform", "account", "entity").iter_rows()}
    alone: dict[str, set[str]] = {}
    for platform, entity in owners.select("platform", "entity").iter_rows():
        alone.setdefault(platform, set()).add(entity)
    entities = spine["entity"].unique().sort().to_list()
    found: list[tuple[str, str, str | None]] = []
    lost: list[tuple[str, str, str | None]] = []
    named = rows.select("platform", "account").unique().sort("platform", "account").rows()
    # beside an account that published, a second name is another account
    known = {platform for platform, account in named if (platform, plain_name(account)) in exact}
    for platform, account in named:
        entity = exact.get((platform, plain_name(account)))
        if entity is None and platform not in known and len(alone.get(platform, ())) == 1:
            (entity,) = alone[platform]
        if entity is None and platform not in known and len(entities) == 1:
            entity = entities[0]
        (lost if entity is None else found).append((platform, account, entity))
    if lost:
        shown = ", ".join(f"{a} ({p})" for p, a, _ in lost[:_SHOWN])
        notes.append(f"figures by day of {shown} belong to no account that published, and were left out")
    schema = {"platform": pl.String, "account": pl.String, "entity": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def _summed(
    rows: pl.DataFrame, names: Sequence[str], table: pl.DataFrame, clock: Clock, notes: list[str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    import polars as pl

    who = ["entity", "platform", "account"]
    # several rows of one day are those of several posts
    days = rows.group_by(*who, "number", "date").agg(
        pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in names
    )
    sums = days.group_by(*who, "number").agg(
        *[pl.col(name).sum() for name in names], *[pl.col(name).count().alias(f"n {name}") for name in names]
    )
    numbers = sums["number"].unique().sort().to_list()
    lengths = pl.DataFrame(
        {"number": numbers, "length": [_length(n, clock) for n in numbers]},
        schema={"number": pl.Int64, "length": pl.Int64},
    )
    sums = sums.join(lengths, on="number").with_columns(
        pl.when(pl.col(f"n {name}") == pl.col("length")).then(pl.col(name)).alias(name) for name in names
    )
    # an account that has the figure at all must have it in a period, or the period's sum is not known
    several = sums.group_by("entity", "platform").agg(
        pl.col("account").filter(pl.col(f"n {name}") > 0).n_unique().alias(f"all {name}") for name in names
    )
    by_platform = sums.group_by("entity", "platform", "number").agg(
        *[pl.col(name).sum() for name in names], *[pl.col(name).count().alias(f"n {name}") for name in names]
    )
    by_platform = by_platform.join(several, on=["entity", "platform"])
    definitions, holes = {}, 0
    unique = {name for name, field in load_registry().fields.items() if field.unique}
    for platform in by_platform["platform"].unique().sort().to_list():
        mine = by_platform.filter(pl.col("platform") == platform)
        for name in names:
            if not int(mine[f"all {name}"].sum()):
                continue
            whole = pl.when(pl.col(f"n {name}") == pl.col(f"all {name}")).then(pl.col(name))
            column = f"daily_{name} ({platform})"
            table = table.join(
                mine.select("entity", "number", whole.alias(column)), on=["entity", "number"], how="left"
            )
            known = table.filter(pl.col(column).is_not_null())["number"].to_list()
            if known:
                between = pl.col("number").is_between(min(known), max(known))
                holes += int(table.filter(between)[column].null_count())
            people = "; people are counted once a day, so more than once" if name in unique else ""
            definitions[column] = f"{name} of the whole account, added up over the days of the period{people}"
    if holes:
        notes.append(f"{holes:,} sums of figures by day lack some of their days and are missing, not smaller")
    return table, definitions


def _length(number: int, clock: Clock) -> int:
    first = start_of(number, clock.freq, clock.week_start)
    return (start_of(number + 1, clock.freq, clock.week_start) - first).days
