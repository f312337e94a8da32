"""Ordinal scores of persons: the engagement thermometer and the participation ladder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import ColumnError, DataError
from erresearch.metrics.intervals import check_level
from erresearch.metrics.wording import markdown, percent
from erresearch.results import Estimate, StudentT
from erresearch.schema import Column, Rule, Table, validate

__all__ = ["Ordinal", "participation_ladder", "thermometer"]

Order = Literal["holds", "broken", "not settled"]
_COUNT = Rule("0 or more (or false and true)", low=0)


@dataclass(frozen=True, slots=True, eq=False)
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
