"""How each kind of claim is estimated: rows in roles go in, evidence comes out, and what a naive look says beside it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.claims.decision_rule import Evidence
from erresearch.claims.options import PrecedenceOptions
from erresearch.claims.procedures.cross_section import (
    judge_distance,
    judge_mix,
    judge_slope,
    judge_tiers,
    published_tiers,
)
from erresearch.claims.procedures.longitudinal import (
    judge_decay,
    judge_long_run,
    judge_precedence,
    judge_prediction,
)
from erresearch.claims.procedures.people import (
    choose_in_halves,
    curve_and_places,
    judge_groups,
    judge_threshold,
    membership,
    threshold_moments,
    with_constant,
)
from erresearch.claims.variables import Variables
from erresearch.errors import ErresearchError, ErresearchWarning
from erresearch.relate import correlate, precedence, predictive_gain
from erresearch.results import Doubt, plain

__all__ = ["LEAD", "NAIVE", "PROCEDURES", "REVERSE", "SAME", "UNSEEN", "look_beside", "saved_share"]

#: Every procedure that ``claims.toml`` may name.
PROCEDURES: Final[Mapping[str, Callable[[Variables[Any]], Evidence]]] = MappingProxyType(
    {
        "precedence": judge_precedence,
        "slope": judge_slope,
        "decay": judge_decay,
        "prediction": judge_prediction,
        "long run": judge_long_run,
        "mix": judge_mix,
        "distance": judge_distance,
        "groups": judge_groups,
        "threshold": judge_threshold,
        "tiers": judge_tiers,
    }
)
# -------------------------------------------------------------------------------------- what stands beside
#: Names under which the figures stand; those of the order in time are the names that an arrow gives them.
NAIVE: Final = "naive correlation"
SAME, LEAD, REVERSE = "same period", "lead placebo", "reverse direction"
UNSEEN: Final = "out of sample"
#: Parts of the rows that are left out in turn where there are no accounts.
_PARTS: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """One pair of columns: its rows, what a forecast of y may know without x, and the groups it compares within.

    `glance` is what a naive look would take in the place of x.
    """

    name: str
    y: np.ndarray
    x: np.ndarray
    held: Sequence[np.ndarray] = ()
    groups: np.ndarray | None = None
    glance: np.ndarray | None = None

    @property
    def naive(self) -> float:
        x = self.x if self.glance is None else self.glance
        known = np.isfinite(x) & np.isfinite(self.y)
        x, y = x[known], self.y[known]
        return float(np.corrcoef(x, y)[0, 1]) if known.any() and np.ptp(x) > 0 < np.ptp(y) else math.nan

    @property
    def unseen(self) -> float:
        """Share of the squared error saved in parts of the rows, or whole groups, that were left out."""
        columns = [*self.held, self.x, self.y]
        known = np.isfinite(columns).all(axis=0)
        table = np.column_stack([column[known] for column in columns])
        if self.groups is None:
            parts = np.arange(len(table)) % _PARTS
            table = np.column_stack([np.ones(len(table)), table - table.mean(axis=0)])
        else:
            parts = np.unique(self.groups[known], return_inverse=True)[1]
            table = table - _means(table, parts)[parts]
        spread = table.std(axis=0)
        table = table / np.where(spread > 0, spread, 1.0)
        crosses = np.stack([table[parts == part].T @ table[parts == part] for part in np.unique(parts)])
        at = list(range(table.shape[1]))
        return saved_share([(crosses.sum(axis=0) - one, one, at[:-2], at[-2:-1]) for one in crosses])


def _means(table: np.ndarray, parts: np.ndarray) -> np.ndarray:
    sums = np.zeros((parts.max() + 1, table.shape[1]))
    np.add.at(sums, parts, table)
    return np.asarray(sums / np.bincount(parts)[:, None])


def saved_share(rounds: Sequence[tuple[np.ndarray, np.ndarray, list[int], list[int]]]) -> float:
    """Share of the squared error that further columns save where they were not estimated: Σ e₀(e₀ − e₁) / Σ e₀².

    As :func:`erresearch.predictive_gain` counts it (Clark and West): about 0 where they say nothing.

    Parameters
    ----------
    rounds : sequence of (k × k ndarray, k × k ndarray, list of int, list of int)
        Cross-products of the rows used and of those left out, the outcome last; columns of the smaller model, and those
        that the larger has beyond them.
    """
    saved = lost = 0.0
    for used, left, held, added in rounds:
        smaller, larger = (_errors(used, on) for on in (held, [*held, *added]))
        saved += float(smaller @ left @ (smaller - larger))
        lost += float(smaller @ left @ smaller)
    return saved / lost if lost else math.nan


def _errors(used: np.ndarray, on: list[int]) -> np.ndarray:
    """Weights whose product with a row is the error of its forecast."""
    weights = np.zeros(len(used))
    weights[-1] = 1.0
    if on:
        weights[on] = -np.linalg.lstsq(used[np.ix_(on, on)], used[on, -1], rcond=None)[0]
    return weights


# ---------------------------------------------------------------------------------------- pairs, by procedure
def _column(cast: Variables[Any], term: Any, *, log: bool = False) -> np.ndarray:
    value = nw.col(term) if isinstance(term, str) else term
    rows = nw.from_native(cast.data, eager_only=True).select(value.cast(nw.Float64()).alias("value"))
    found = rows["value"].to_numpy().astype(float)
    return np.log(np.where(found > 0, found, np.nan)) if log else found


def _keys(cast: Variables[Any], role: str) -> np.ndarray | None:
    if role not in cast.roles:
        return None
    keys = nw.from_native(cast.data, eager_only=True)[cast.column(role)]
    return np.asarray(keys.to_numpy()).astype(str)


def _of_slope(cast: Variables[Any]) -> list[_Look]:
    options = cast.options
    y = _column(cast, cast.term("y"), log=options.log_link)
    held = [_column(cast, cast.term(role)) for role in options.regressors if role not in options.weights]
    return [
        _Look(cast.column(role), y, _column(cast, cast.term(role)), held, _keys(cast, "by"))
        for role in options.weights
    ]


def _of_mix(cast: Variables[Any]) -> list[_Look]:
    options = cast.options
    counts = [_column(cast, cast.column(role)) for role in options.actions]
    logs = {
        role: np.log(np.where(count > 0, count, 0.5))
        for role, count in zip(options.actions, counts, strict=True)
    }
    total = sum(counts)
    others = [role for role in options.actions if role != options.action]
    ratio = logs[options.action] - np.mean([logs[role] for role in others], axis=0)
    held = [np.log(np.where(total > 0, total, np.nan))]
    held += [logs[role] - logs[others[-1]] for role in others[:-1]]
    held += [_column(cast, cast.term(role)) for role in options.controls if role in cast.roles]
    y = _column(cast, cast.term("y"), log=options.log_link)
    return [_Look(f"{cast.column(options.action)} against the others", y, ratio, held, _keys(cast, "by"))]


def _of_groups(cast: Variables[Any]) -> list[_Look]:
    y = _column(cast, cast.column("y"))
    look = _Look(cast.column("group"), y, _column(cast, membership(cast)))
    if cast.options.scale == "difference":
        through = cast.roles.get("through")
        return [look if through is None else replace(look, glance=_column(cast, through))]
    amount = np.where(y > 0, _column(cast, cast.column("money")), np.nan)
    return [replace(look, name="whether"), replace(look, name="how much", y=amount)]


def _of_distance(cast: Variables[Any]) -> list[_Look]:
    steps = sorted(cast.options.steps, key=lambda role: cast.options.steps[role])
    y = _column(cast, cast.column("y"), log=True)
    logs = [_column(cast, cast.column(role), log=True) for role in steps]
    whole = np.where(np.isfinite(logs).all(axis=0), y, np.nan)
    return [_Look(cast.column(steps[end]), whole, logs[end]) for end in (0, -1)]


def _of_decay(cast: Variables[Any]) -> list[_Look]:
    followers, reactions = (_column(cast, cast.column(role), log=True) for role in ("followers", "reactions"))
    return [_Look(f"{cast.column('reactions')} per follower", reactions - followers, followers)]


def _of_tiers(cast: Variables[Any]) -> list[_Look]:
    tiers = published_tiers(cast)
    series = np.array([" / ".join(key) for key in tiers.keys])
    rate, middle, groups = (of[tiers.judged] for of in (tiers.rate, tiers.middle, series))
    return [_Look("followers", np.log(rate), np.log(middle), groups=groups)]


def _of_threshold(cast: Variables[Any]) -> list[_Look]:
    count, y = (_column(cast, cast.column(role)) for role in ("x", "y"))
    return [_Look(cast.column("x"), y, np.log1p(count))]


_PAIRS: Final[Mapping[str, Callable[[Variables[Any]], list[_Look]]]] = MappingProxyType(
    {
        "slope": _of_slope,
        "mix": _of_mix,
        "groups": _of_groups,
        "distance": _of_distance,
        "decay": _of_decay,
        "tiers": _of_tiers,
        "threshold": _of_threshold,
    }
)


def look_beside(procedure: str, cast: Variables[Any]) -> tuple[Doubt, ...]:
    """Naive correlation, gain out of sample and, where a forecast is judged, the order in time of its pair.

    A claim that sets two things against each other has each figure twice, in their order.

    Parameters
    ----------
    procedure : str
        Of the claim.
    cast : Variables
        Rows in memory.

    Returns
    -------
    tuple of Doubt
        Under :data:`NAIVE`, :data:`UNSEEN`, :data:`SAME`, :data:`LEAD` and :data:`REVERSE`; none is raised.
    """
    if {"by", "time"} <= cast.roles.keys():
        return (*_in_time(procedure, cast),)
    looks = _PAIRS[procedure](cast)
    gains = [_jump_unseen(cast)] if procedure == "threshold" else [look.unseen for look in looks]
    parts = "rows" if looks[0].groups is None else f"whole {cast.column('by')}s"
    return (
        *(Doubt(NAIVE, f"{look.name}, nothing held: {plain(look.naive)}", look.naive) for look in looks),
        *(
            Doubt(
                UNSEEN,
                f"share of the squared error that {look.name} saves in {parts} that were left out: {plain(gain)}",
                gain,
            )
            for look, gain in zip(looks, gains, strict=True)
        ),
    )


def _jump_unseen(cast: Variables[Any]) -> float:
    """What a jump saves beyond a smooth curve, its place and size from the other half of the rows."""
    moments = threshold_moments(cast)
    powers, places = curve_and_places(moments, cast)
    rounds = []
    for half, place, other in choose_in_halves(moments, places, powers):
        names = [*powers, place, moments.columns[-1]]
        used, left = (with_constant(each, names).sum(axis=0) for each in (half, other))
        rounds.append((used, left, list(range(1 + len(powers))), [1 + len(powers)]))
    return saved_share(rounds)


def _in_time(procedure: str, cast: Variables[Any]) -> list[Doubt]:
    y = cast.term("y")
    time: dict[str, Any] = {"by": cast.column("by"), "time": cast.column("time"), "level": cast.level}
    others = cast.terms(cast.options.baseline) if procedure == "prediction" else []
    rivals = [role for role in ("x", "rival") if role in cast.roles]
    doubts = []
    with warnings.catch_warnings():
        # rows in time are no independent rows: this is the look that does not ask
        warnings.simplefilter("ignore", ErresearchWarning)
        for role in rivals:
            naive = correlate(cast.data, cast.term(role), y, level=cast.level).value
            said = f"{cast.name(role)}, in the same period, nothing held: {plain(naive)}"
            doubts.append(Doubt(NAIVE, said, naive))
    if procedure == "prediction":
        lags = PrecedenceOptions().lags
        found = precedence(cast.data, cast.term("x"), y, lags=lags, **time)
        for name, one in ((SAME, found.contemporaneous), (LEAD, found.lead), (REVERSE, found.reverse)):
            if one is not None:
                doubts.append(Doubt(name, one.number(), one.value))
    for role in rivals:
        try:
            gain = predictive_gain(cast.data, y, baseline=others, add=cast.term(role), **time).gain
        except ErresearchError as error:
            doubts.append(Doubt(UNSEEN, f"could not be looked at: {error}"))
            continue
        said = f"share of the squared error of a forecast that {cast.name(role)} saves: {gain.number()}"
        doubts.append(Doubt(UNSEEN, said, gain.value))
    return doubts
