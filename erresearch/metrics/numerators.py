"""The numerator: whose reaction set counts for which row, as expressions built once for any engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import narwhals.stable.v2 as nw

from erresearch.errors import ColumnError, GuardError, missing_columns
from erresearch.metrics.definitions import PLATFORMS, RateDefinition, named, resolve
from erresearch.schema.vocabulary import REACTIONS

__all__ = ["bottom", "rate_expression", "settle", "total"]


def rate_expression(definition: str | RateDefinition, *, name: str = "rate") -> Any:
    """The rate of one post as a lazy expression, for use inside any engine.

    Parameters
    ----------
    definition : str or RateDefinition
        A rate per post; its reactions must be known (not the open "platform's own set" of a name).
    name : str
        Alias of the expression.

    Returns
    -------
    narwhals.Expr
        Reactions over denominator; missing where a count is missing or the denominator is not positive.

    Raises
    ------
    GuardError
        For a rate that sums over posts: that takes a group, which :func:`engagement_rate` makes.

    Examples
    --------
    >>> import narwhals.stable.v2 as nw, polars as pl
    >>> posts = pl.LazyFrame({"likes": [150], "comments": [7], "followers": [5000]})
    >>> nw.from_native(posts).select(rate_expression("M01")).collect()["rate"].to_list()
    [0.0314]
    """
    chosen = resolve(definition, None, None, None)
    if chosen.per != "post":
        raise GuardError(
            f"a rate per {chosen.per} is a sum over posts, not an expression of one row",
            got=str(chosen),
            fix="call engagement_rate, which groups the posts (also lazily)",
        )
    if not chosen.reactions or chosen.reactions == ("all",):
        raise GuardError(
            "the expression needs to know which reactions it sums",
            got=str(chosen),
            fix='use engagement_rate(...).definition, or name them: reactions=("likes", "comments")',
        )
    below = bottom(chosen)
    return nw.when(below > 0).then(total(chosen) / below).alias(name)


def settle(asked: RateDefinition, frame: Any, columns: list[str]) -> RateDefinition:
    """Choose the reactions: those named, all there are, or each platform's own.

    Parameters
    ----------
    asked : RateDefinition
        As resolved from the request.
    frame : narwhals frame
        The posts; looked at only for the platforms in it.
    columns : list of str
        Its column names.

    Returns
    -------
    RateDefinition
        With every reaction named, and with the registry's name where the formula has one.

    Raises
    ------
    ColumnError
        If a reaction of a platform's set has no column: a missing count is not 0.
    """
    if asked.reactions == ("all",):
        there = tuple(name for name in REACTIONS if name in columns)
        if not there:
            raise missing_columns(REACTIONS, columns, where="the posts table")
        return named(replace(asked, reactions=there))
    if asked.reactions:
        return asked
    sets = {"other": PLATFORMS["other"].reactions}
    if "platform" in columns:
        seen = frame.lazy().select(p=_platform()).unique().collect()["p"].to_list()
        sets = {_set_of(name): PLATFORMS[_set_of(name)].reactions for name in sorted(map(str, seen))}
    for name, reactions in sets.items():
        absent = [reaction for reaction in reactions if reaction not in columns]
        if absent:
            error = missing_columns(absent, columns, where="the posts table")
            fix = f"the set of {PLATFORMS[name].title} is {' + '.join(reactions)}; name what was counted"
            way = f'{fix}, for example reactions=("likes", "comments"); a missing count is not 0'
            raise ColumnError(error.wrong, allowed=error.allowed, fix=way)
    distinct = dict.fromkeys(sets.values())
    if len(distinct) == 1:
        return named(replace(asked, reactions=next(iter(distinct))))
    union = tuple(name for name in REACTIONS if any(name in reactions for reactions in distinct))
    return replace(asked, reactions=union, by_platform=tuple(sets.items()))


def _platform() -> Any:
    return nw.col("platform").cast(nw.String()).str.strip_chars().str.to_lowercase()


def _set_of(spelling: str) -> str:
    return next((name for name, one in PLATFORMS.items() if spelling in one.aliases), "other")


def _sum(reactions: tuple[str, ...]) -> Any:
    terms = [nw.col(name).cast(nw.Float64()) for name in reactions]
    return sum(terms[1:], terms[0])


def total(definition: RateDefinition) -> Any:
    """Reactions of one post as an expression; missing where any of its counts is."""
    if not definition.by_platform:
        return _sum(definition.reactions)
    chosen = dict(definition.by_platform)
    summed = _sum(chosen.get("other", definition.by_platform[0][1]))
    for name, reactions in definition.by_platform:
        if name != "other":
            here = _platform().is_in(list(PLATFORMS[name].aliases))
            summed = nw.when(here).then(_sum(reactions)).otherwise(summed)
    return summed


def bottom(definition: RateDefinition) -> Any:
    """The denominator of one post as an expression."""
    return nw.col(definition.denominator).cast(nw.Float64())
