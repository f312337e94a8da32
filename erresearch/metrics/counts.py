"""Counts of actions as each source lists them, exposure and rates kept apart from actions."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import narwhals.stable.v2 as nw

from erresearch.errors import ColumnError, UnknownNameError, missing_columns
from erresearch.io.files import resource
from erresearch.metrics.intervals import proportion
from erresearch.metrics.wording import markdown
from erresearch.results import Estimate
from erresearch.schema import POSTS, validate

__all__ = ["FAMILIES", "ActionCounts", "Family", "action_counts"]


@dataclass(frozen=True, slots=True)
class Family:
    """A list of actions that a source calls engagement.

    Parameters
    ----------
    id, name, source : str
        Identifier (M18, M21 …), name for people, who says so.
    engagement : tuple of str
        Columns of actions.
    exposure : tuple of str
        Columns of exposure that the source counts along; here they stand apart.
    rates : mapping of str to tuple of str
        Rates in the list, as (numerator, denominator).
    caution : str
        What is mixed up in the list.
    """

    id: str
    name: str
    source: str
    engagement: tuple[str, ...]
    exposure: tuple[str, ...]
    rates: Mapping[str, tuple[str, str]]
    caution: str


def _read() -> Mapping[str, Family]:
    with (resource("data") / "reactions.toml").open("rb") as file:
        raw: dict[str, Any] = tomllib.load(file)["families"]
    return MappingProxyType(
        {
            name: Family(
                id=name,
                name=one["name"],
                source=one["source"],
                engagement=tuple(one["engagement"]),
                exposure=tuple(one.get("exposure", ())),
                rates=MappingProxyType({rate: (a, b) for rate, (a, b) in one.get("rates", {}).items()}),
                caution=one.get("caution", ""),
            )
            for name, one in raw.items()
        }
    )


FAMILIES = _read()


@dataclass(frozen=True, slots=True, eq=False)
class ActionCounts:
    """Sums of one family's actions, with exposure and rates beside them.

    Parameters
    ----------
    values : table
        One row per account (or one row): a sum per column and ``engagement``, the sum of the actions alone.
    family : Family
        Which list.
    engagement, exposure : mapping of str to float
        Sums over all rows.
    rates : mapping of str to Estimate
        Rates in the list.
    absent : tuple of str
        Columns of the list that are not in the table: not counted, and not 0.
    missing : mapping of str to int
        Missing values per column; they add nothing to its sum.
    """

    values: Any
    family: Family
    engagement: Mapping[str, float]
    exposure: Mapping[str, float]
    rates: Mapping[str, Estimate]
    absent: tuple[str, ...]
    missing: Mapping[str, int]

    def __str__(self) -> str:
        """Actions, exposure, rates, what is not there."""
        actions = ", ".join(f"{value:,.0f} {name}" for name, value in self.engagement.items())
        lines = [f"{self.family.id} {self.family.name}: {actions}"]
        if self.exposure:
            shown = ", ".join(f"{value:,.0f} {name}" for name, value in self.exposure.items())
            lines.append(f"exposure, not engagement: {shown}")
        lines += [str(rate) for rate in self.rates.values()]
        if self.absent:
            lines.append(f"not in the table, so not counted: {', '.join(self.absent)}")
        lines += [f"missing in {name}: {count:,}" for name, count in self.missing.items()]
        return "\n".join([*lines, *([f"note: {self.family.caution}"] if self.family.caution else [])])

    def _repr_markdown_(self) -> str:
        return markdown(str(self))


def action_counts(
    table: Any,
    *,
    family: str,
    by: str | None = None,
    absent: Literal["raise", "skip"] = "raise",
    level: float = 0.95,
) -> ActionCounts:
    """Sum the actions that one source calls engagement (M18, M21, M22, M23, M24).

    Parameters
    ----------
    table : table
        One row per post, page or day, any engine.
    family : str
        "M18" raw counts, "M21" intent, "M22" attitude read off behaviour, "M23" broad, "M24" broadest.
    by : str, optional
        Account column; one row per account then.
    absent : {"raise", "skip"}
        What to do about columns of the list that are not there. Skipped ones are named in the result.
    level : float
        Confidence level of rates.

    Returns
    -------
    ActionCounts
        Exposure (views, impressions, reach) is never added to actions.

    Raises
    ------
    ColumnError
        For absent columns, or none of the list's actions in the table.
    DataError
        For negative or infinite counts, or no rows.
    UnknownNameError
        For an unknown family.

    References
    ----------
    ``FAMILIES[...].source`` names the source of each list.

    Examples
    --------
    >>> import pandas as pd
    >>> posts = pd.DataFrame({"views": [900, 100], "likes": [30, 5], "comments": [4, 0]})
    >>> print(action_counts(posts, family="M18"))
    M18 raw counts: 35 likes, 4 comments
    exposure, not engagement: 1,000 views
    """
    if family not in FAMILIES:
        raise UnknownNameError.of("family of actions", family, FAMILIES)
    if absent not in ("raise", "skip"):
        raise UnknownNameError.of("treatment of absent columns", absent, ["raise", "skip"])
    chosen = FAMILIES[family]
    frame = nw.from_native(table, pass_through=True)
    known = isinstance(frame, nw.DataFrame | nw.LazyFrame)
    columns = list(frame.collect_schema().names()) if known else []
    pairs = [name for pair in chosen.rates.values() for name in pair]
    wanted = list(dict.fromkeys([*chosen.engagement, *chosen.exposure, *pairs]))
    gone = tuple(name for name in wanted if name not in columns)
    actions = [name for name in chosen.engagement if name in columns]
    if known and gone and (absent == "raise" or not actions):
        error = missing_columns(gone, columns)
        fix = error.fix or 'pass absent="skip" to count what is there; an absent column is not 0'
        raise ColumnError(error.wrong, allowed=error.allowed, fix=fix)
    present = [name for name in wanted if name in columns]
    others = [by] if by is not None else []
    checked = validate(table, POSTS.only(present, others=others))
    sums = {name: _sum(name) for name in present}
    totals = frame.lazy().select(**{f"s{i}": sums[name] for i, name in enumerate(present)}).collect()
    total = {name: float(totals[f"s{i}"][0] or 0) for i, name in enumerate(present)}
    rates = {
        rate: proportion(rate.replace("_", " "), total[a], total[b], level=level)
        for rate, (a, b) in chosen.rates.items()
        if a in total and b in total
    }
    return ActionCounts(
        values=_by_account(frame, present, actions, by),
        family=chosen,
        engagement={name: total[name] for name in actions},
        exposure={name: total[name] for name in chosen.exposure if name in total},
        rates=rates,
        absent=gone,
        missing={name: count for name, count in checked.missing.items() if name in present},
    )


def _sum(name: str) -> Any:
    value = nw.col(name).cast(nw.Float64())
    return nw.when(~value.is_nan()).then(value).sum()


def _by_account(frame: Any, present: list[str], actions: list[str], by: str | None) -> Any:
    """Sums per account under names of their own, then the columns' names."""
    labels = {f"s{i}": name for i, name in enumerate(present)}
    flat = {
        label: nw.when(~nw.col(name).cast(nw.Float64()).is_nan()).then(nw.col(name).cast(nw.Float64()))
        for label, name in labels.items()
    }
    key = nw.lit("") if by is None else nw.col(by)
    grouped = frame.select(key=key, **flat).group_by("key").agg(*(nw.col(label).sum() for label in labels))
    total: Any = nw.lit(0.0)
    for label, name in labels.items():
        if name in actions:
            total += nw.col(label)
    shown = {} if by is None else {by: nw.col("key")}
    values = grouped.select(
        **shown, **{name: nw.col(label) for label, name in labels.items()}, engagement=total
    )
    return nw.to_native(values.sort(by) if by is not None else values)
