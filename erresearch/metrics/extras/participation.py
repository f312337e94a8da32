"""What people did, by kind of action and by rung of a ladder."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import ColumnError, DataError, UnknownNameError, missing_columns
from erresearch.io.files import resource
from erresearch.metrics.intervals import check_level, markdown, percent, proportion
from erresearch.results import Estimate, StudentT
from erresearch.schema import POSTS, Column, Rule, Table, validate

__all__ = [
    "FAMILIES",
    "ActionCounts",
    "Family",
    "Ordinal",
    "action_counts",
    "participation_ladder",
    "thermometer",
]


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
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

    See Also
    --------
    participation_ladder : How far people go.

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


Order = Literal["holds", "broken", "not settled"]
_COUNT = Rule("0 or more (or false and true)", low=0)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ordinal:
    """Persons on an ordered scale, and whether the sizes of its steps come in the order that its author states.

    Parameters
    ----------
    name : str
        Which scale.
    scores : table
        The rows that could be scored, with a column ``step`` added (0 = below the first step), in the kind of table
        that was given.
    labels : tuple of str
        Names of the steps, first to last.
    sizes : tuple of int
        Persons per step, as the stated order counts them.
    n : int
        Persons scored.
    steps : tuple of Estimate
        Differences between the shares of neighbouring steps, the larger as stated first; intervals at a joint level.
    order : tuple of {"holds", "broken", "not settled"}
        One word per difference: its interval lies above 0, below 0, or has 0 in it.
    consistent : float
        Share of persons without a later step ahead of an earlier one.
    dropped : mapping of str to int
        Persons left out.
    """

    name: str
    scores: Any
    labels: tuple[str, ...]
    sizes: tuple[int, ...]
    n: int
    steps: tuple[Estimate, ...]
    order: tuple[Order, ...]
    consistent: float
    dropped: Mapping[str, int]

    def __str__(self) -> str:
        """Sizes, and the order step by step."""
        sizes = ", ".join(
            f"{label} {size:,} ({percent(size / self.n)})"
            for label, size in zip(self.labels, self.sizes, strict=True)
        )
        dropped = "; ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "none"
        lines = [f"{self.name}, {self.n:,} persons: {sizes}; left out: {dropped}"]
        lines += [
            f"{step.name}: {word}, {percent(step.value)} {percent(step.interval.low)} to {percent(step.interval.high)}"
            for step, word in zip(self.steps, self.order, strict=True)
        ]
        lines.append(f"{percent(self.consistent)} of the persons take the steps in order")
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        return markdown(str(self))


def thermometer(
    survey: Any, *, steps: tuple[str, ...] = ("promise", "knowledge", "trust"), level: float = 0.95
) -> Ordinal:
    """Score persons on the engagement thermometer: promise, then knowledge, then trust.

    A person's score is the number of steps taken without a gap: 0 for none, 1 for knowing the promise, 2 for knowing
    also from experience what is delivered, 3 for trusting as well. Trust without knowledge does not count upward, but
    is reported in ``consistent``. The stated order of sizes is that each step is held by fewer persons than the one
    before; the differences are between paired shares of the same persons.

    Parameters
    ----------
    survey : table
        One row per person, any engine; the steps as true and false, or 1 and 0.
    steps : tuple of str
        Columns, first step first.
    level : float
        Joint confidence level of all differences (Bonferroni).

    Returns
    -------
    Ordinal
        ``sizes`` counts everybody who holds a step, so that the order can fail.

    Raises
    ------
    ColumnError, DataError
        For a missing column, values that are no yes or no, or nobody with an answer to every step.

    See Also
    --------
    participation_ladder : How far people go.

    References
    ----------
    One4Marketing blog, 22 April 2014 (Dutch), after E. Kolsky: engagement as a function of knowledge and trust.

    Examples
    --------
    >>> import pandas as pd
    >>> survey = pd.DataFrame({"promise": [1, 1, 1, 0], "knowledge": [1, 1, 0, 0], "trust": [1, 0, 0, 1]})
    >>> thermometer(survey).scores["step"].tolist()
    [3, 2, 1, 0]
    """
    flags, counts, scored, dropped = _patterns(
        survey, steps, Rule("true or false (or 1 and 0)", 0, 1), _gapless
    )
    n = int(counts.sum())
    held = flags.astype(float)
    sizes = tuple(int(size) for size in counts @ held)
    differences = [
        _difference(f"{a} more often than {b}", held[:, i] - held[:, i + 1], counts, level, len(steps) - 1)
        for i, (a, b) in enumerate(pairwise(steps))
    ]
    in_order = ~np.any(np.diff(held, axis=1) > 0, axis=1)
    return Ordinal(
        name="engagement thermometer",
        scores=scored,
        labels=steps,
        sizes=sizes,
        n=n,
        steps=tuple(differences),
        order=tuple(map(_word, differences)),
        consistent=float(counts @ in_order) / n,
        dropped=dropped,
    )


def participation_ladder(
    people: Any,
    *,
    rungs: tuple[str, ...] = ("watched", "collected", "commented", "created"),
    names: tuple[str, ...] = ("spectators", "collectors", "critics", "creators"),
    level: float = 0.95,
) -> Ordinal:
    """Score persons on the participation ladder: spectators, collectors, critics, creators.

    A person stands on the highest rung on which there was at least one action (0: no action at all), so the groups
    exclude each other. The stated order of sizes is that each group is smaller than the one below it.

    Parameters
    ----------
    people : table
        One row per person, any engine; a count of actions per rung.
    rungs : tuple of str
        Columns, lowest rung first.
    names : tuple of str
        What the groups are called.
    level : float
        Joint confidence level of all differences (Bonferroni).

    Returns
    -------
    Ordinal
        ``sizes`` counts persons by their highest rung; ``consistent`` those who also used every rung below it.

    Raises
    ------
    ColumnError, DataError
        For a missing column, negative counts, or nobody with a count on every rung.

    See Also
    --------
    thermometer : Answers to three questions in order.

    References
    ----------
    Ghuneim's continuum, in the Russian compilation on customer engagement: creators are the smallest group, couch
    potatoes (spectators) the largest.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"watched": [9, 5, 7, 0], "collected": [0, 1, 0, 0], "commented": [0, 0, 2, 0],
    ...                        "created": [0, 0, 0, 0]})
    >>> participation_ladder(people).sizes
    (1, 1, 1, 0)
    """
    if len(names) != len(rungs):
        raise DataError("each rung needs one name", got=f"{len(rungs)} rungs and {len(names)} names")
    flags, counts, scored, dropped = _patterns(people, rungs, _COUNT, _highest)
    n = int(counts.sum())
    k = len(rungs)
    top = np.where(flags.any(axis=1), k - np.argmax(flags[:, ::-1], axis=1), 0)
    member = np.array([top == rung for rung in range(1, k + 1)], dtype=float).T
    differences = [
        _difference(f"more {a} than {b}", member[:, i] - member[:, i + 1], counts, level, k - 1)
        for i, (a, b) in enumerate(pairwise(names))
    ]
    return Ordinal(
        name="participation ladder",
        scores=scored,
        labels=names,
        sizes=tuple(int(size) for size in counts @ member),
        n=n,
        steps=tuple(differences),
        order=tuple(map(_word, differences)),
        consistent=float(counts @ (flags.sum(axis=1) == top)) / n,
        dropped=dropped,
    )


def _gapless(flags: list[Any]) -> Any:
    """Number of steps taken from the first without a gap."""
    runs = [reduce(lambda a, b: a & b, flags[: i + 1]) for i in range(len(flags))]
    ones = [nw.when(run).then(nw.lit(1)).otherwise(nw.lit(0)) for run in runs]
    return reduce(lambda a, b: a + b, ones)


def _highest(flags: list[Any]) -> Any:
    """Number of the highest rung used."""
    score: Any = nw.lit(0)
    for rung, flag in enumerate(flags, start=1):
        score = nw.when(flag).then(nw.lit(rung)).otherwise(score)
    return score


def _patterns(
    data: Any, columns: tuple[str, ...], rule: Rule, score: Any
) -> tuple[np.ndarray, np.ndarray, Any, dict[str, int]]:
    """Distinct answer patterns with their counts, the scored rows, and how many rows could not be scored."""
    if len(columns) < 2:
        raise DataError("an ordered scale needs at least two steps", got=f"{len(columns)}: {columns!r}")
    table = Table("people", tuple(Column(name, "", "flag", rule, required=True) for name in columns))
    rows = validate(data, table).rows
    frame = nw.from_native(data)
    if "step" in frame.collect_schema().names():
        raise ColumnError(
            "the table already has a column `step`", fix="rename it: the answer adds one of that name"
        )
    values = [nw.col(name).cast(nw.Float64()) for name in columns]
    complete = reduce(lambda a, b: a & b, [~(value.is_null() | value.is_nan()) for value in values])
    used = frame.filter(complete)
    flags = [value > 0 for value in values]
    labels = [f"f{i}" for i in range(len(columns))]
    flat = used.lazy().select(**dict(zip(labels, flags, strict=True)))
    found = flat.group_by(*labels).agg(nw.len().alias("n")).collect()
    counts = found["n"].to_numpy().astype(int)
    n = int(counts.sum())
    if not n:
        raise DataError("nobody has an answer to every step", got=f"{rows:,} rows", fix="look at the columns")
    pattern = np.column_stack([found[label].to_numpy().astype(bool) for label in labels])
    order = np.lexsort(pattern.T[::-1])
    scored = used.with_columns(score(flags).alias("step"))
    dropped = {"without an answer to every step": rows - n} if rows > n else {}
    return pattern[order], counts[order], nw.to_native(scored), dropped


def _difference(name: str, signs: np.ndarray, counts: np.ndarray, level: float, tests: int) -> Estimate:
    """Mean of +1, 0 and −1 over persons, with its multinomial standard error."""
    n = int(counts.sum())
    value = float(counts @ signs) / n
    se = math.sqrt(max(0.0, float(counts @ signs**2) / n - value**2) / n)
    reference = StudentT(value, se, math.inf)
    joint = 1 - (1 - check_level(level)) / tests
    method = f"Wald, joint level {100 * level:.4g} % over {tests}"
    return Estimate(
        name,
        value=value,
        se=se,
        df=math.inf,
        interval=reference.interval(joint),
        n_rows=n,
        n_accounts=0,
        unit="",
        method=method,
        reference=reference,
    )


def _word(step: Estimate) -> Order:
    if step.interval.low > 0:
        return "holds"
    return "broken" if step.interval.high < 0 else "not settled"
