"""What each engagement rate divides by what, and the expressions that compute it on any engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

import narwhals.stable.v2 as nw

from erresearch.errors import ColumnError, GuardError, UnknownNameError, check_name, missing_columns
from erresearch.io.files import frozen, registry
from erresearch.schema.vocabulary import AUDIENCES, REACTIONS

Denominator = Literal["followers", "reach", "views", "impressions"]
Per = Literal["post", "day", "period", "user"]


@dataclass(frozen=True, slots=True)
class PlatformSet:
    """What counts as a reaction on one platform.

    Parameters
    ----------
    name, title : str
        Key in the registry and name for people.
    aliases : tuple of str
        Spellings of the `platform` column, lower case.
    reactions : tuple of str
        Columns that are summed.
    source : str
        Who says so.
    """

    name: str
    title: str
    aliases: tuple[str, ...]
    reactions: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class RateDefinition:
    """One engagement rate: reactions over a denominator, per post, day, period or user.

    Parameters
    ----------
    id : str
        Name in the registry (``M01`` …), empty for one that no source defines.
    name : str
        Name for people.
    reactions : tuple of str
        Columns that are summed in the numerator; empty while the platforms' own sets are still to be chosen.
    denominator : {"followers", "reach", "views", "impressions"}
        What divides.
    per : {"post", "day", "period", "user"}
        Unit of analysis.
    source : str
        Where the formula comes from.
    by_platform : tuple of (str, tuple of str)
        Reactions per platform where a table holds platforms with different sets.
    caution : str
        What the number is easily mistaken for.
    open : tuple of str
        What the source left open and a caller may choose.

    Examples
    --------
    >>> print(DEFINITIONS["M01"])
    M01 HubSpot and Mention: (likes + comments) / followers, per post
    >>> DEFINITIONS["M01"].matches(DEFINITIONS["M02"])
    False
    """

    id: str
    name: str
    reactions: tuple[str, ...]
    denominator: Denominator
    per: Per
    _: KW_ONLY
    source: str = ""
    by_platform: tuple[tuple[str, tuple[str, ...]], ...] = ()
    caution: str = ""
    open: tuple[str, ...] = ()

    @property
    def formula(self) -> str:
        """The formula in the words of the columns."""
        chosen = " + ".join(self.reactions)
        top = f"({chosen})" if chosen else "(the platform's reactions)"
        if self.by_platform:
            top = "(" + "; ".join(f"{name}: {' + '.join(set_)}" for name, set_ in self.by_platform) + ")"
        return f"{top} / {self.denominator}, per {self.per}"

    @property
    def exposure(self) -> tuple[str, ...]:
        """Exposure columns in the numerator: where there are any the number is no engagement rate."""
        used = {*self.reactions, *(name for _, set_ in self.by_platform for name in set_)}
        return tuple(name for name in AUDIENCES if name in used)

    def matches(self, other: RateDefinition) -> bool:
        """Whether both are the same formula: same reactions (in any order), denominator and unit."""
        return (
            frozenset(self.reactions) == frozenset(other.reactions)
            and self.denominator == other.denominator
            and self.per == other.per
            and not self.by_platform
            and not other.by_platform
        )

    def __str__(self) -> str:
        """Identifier, name and formula."""
        return f"{' '.join(part for part in (self.id, self.name) if part)}: {self.formula}"


def _read() -> tuple[Mapping[str, PlatformSet], Mapping[str, RateDefinition]]:
    raw = registry("reactions.toml")
    platforms = {name: PlatformSet(name=name, **frozen(one)) for name, one in raw["platforms"].items()}
    definitions = {
        name: RateDefinition(id=name, **{"reactions": (), **frozen(one)})
        for name, one in raw["definitions"].items()
    }
    return MappingProxyType(platforms), MappingProxyType(definitions)


PLATFORMS, DEFINITIONS = _read()


def resolve(
    definition: str | RateDefinition | None,
    denominator: str | None,
    reactions: str | tuple[str, ...] | None,
    per: str | None,
) -> RateDefinition:
    """Turn the four ways of saying which rate into one definition.

    Parameters
    ----------
    definition : str, RateDefinition or None
        A name in :data:`DEFINITIONS` or a definition of one's own.
    denominator, reactions, per : str or None
        Overrides; refused where the named definition fixes them.

    Returns
    -------
    RateDefinition
        Reactions are empty where the platforms' sets are to be used.

    Raises
    ------
    UnknownNameError
        For a name in no registry.
    GuardError
        If a named definition is asked for with another formula, or people are counted by displays.

    Examples
    --------
    >>> resolve("M10", "views", None, None).formula
    '(likes + comments + shares + saves) / views, per post'
    """
    for word, value, allowed in (
        ("denominator", denominator, get_args(Denominator)),
        ("per", per, get_args(Per)),
    ):
        if value is not None and value not in allowed:
            raise UnknownNameError.of(word, value, allowed)
    chosen = _reactions(reactions)
    if definition is None:
        made = RateDefinition(
            "",
            "engagement rate",
            chosen,
            cast(Denominator, denominator or "followers"),
            cast(Per, per or "post"),
        )
        return _checked(named(made))
    if isinstance(definition, str):
        if definition == "M11":
            raise GuardError(
                "M11 is three rates under one name",
                allowed="M11-post, M11-period, M11-user",
                fix="say which unit of analysis is meant",
            )
        check_name("definition", definition, DEFINITIONS)
        definition = DEFINITIONS[definition]
    asked: dict[str, Any] = {"denominator": denominator, "per": per, "reactions": chosen or None}
    changes = {
        name: value
        for name, value in asked.items()
        if value is not None and value != getattr(definition, name)
    }
    fixed = sorted(name for name in changes if name not in definition.open)
    if fixed:
        raise GuardError(
            f"{definition.id or 'this definition'} fixes its {' and '.join(fixed)}",
            got=", ".join(f"{name}={changes[name]!r}" for name in fixed),
            allowed=str(definition),
            fix="leave `definition` out to compute another rate",
        )
    return _checked(replace(definition, **changes))


def named(definition: RateDefinition) -> RateDefinition:
    """Give a formula the name under which a source defines it, where one does.

    Examples
    --------
    >>> named(RateDefinition("", "mine", ("comments", "likes"), "followers", "post")).id
    'M01'
    """
    if definition.id or not definition.reactions:
        return definition
    return next((one for one in DEFINITIONS.values() if one.matches(definition)), definition)


def _reactions(reactions: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Names to sum; "all" and None are settled when the table is seen."""
    if reactions is None:
        return ()
    if isinstance(reactions, str):
        if reactions == "all":
            return ("all",)
        if reactions not in PLATFORMS:
            raise UnknownNameError.of("reaction set", reactions, ["all", *PLATFORMS])
        return PLATFORMS[reactions].reactions
    names = tuple(reactions)
    if not names or len(set(names)) < len(names):
        raise GuardError(
            "`reactions` must name at least one column and none twice",
            got=repr(names),
            fix='give names such as ("likes", "comments"), "all", a platform, or nothing',
        )
    return names


def _checked(definition: RateDefinition) -> RateDefinition:
    if definition.per == "user" and definition.denominator not in ("followers", "reach"):
        raise GuardError(
            f"a rate per user cannot divide by {definition.denominator}",
            got=f"{definition.denominator} count displays, not people",
            allowed="followers, reach",
        )
    if definition.denominator in definition.reactions:
        raise GuardError(
            f"`{definition.denominator}` cannot stand above and below the line",
            fix="take it out of `reactions` or divide by another column",
        )
    return definition


def settle(asked: RateDefinition, frame: Any, columns: list[str]) -> RateDefinition:
    """Choose the reactions: those named, all there are, or those of each platform's own set that have a column.

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
        With every reaction named, with the registry's name where the formula has one, and with a caution where
        a platform's set has reactions without a column: a missing count is not 0.

    Raises
    ------
    ColumnError
        If no reaction of a platform's set has a column.
    """
    if asked.reactions == ("all",):
        there = tuple(name for name in REACTIONS if name in columns)
        if not there:
            raise missing_columns(REACTIONS, columns, where="the posts table")
        return named(replace(asked, reactions=there))
    if asked.reactions:
        return asked
    names = {"other"}
    if "platform" in columns:
        seen = frame.lazy().select(p=_platform()).unique().collect()["p"].to_list()
        names = {_set_of(str(name)) for name in seen}
    counted = {name: PLATFORMS[name].reactions for name in sorted(names)}
    sets = {name: tuple(one for one in full if one in columns) for name, full in counted.items()}
    for name, held in sets.items():
        if not held:
            error = missing_columns(counted[name], columns, where="the posts table")
            way = f'name what {PLATFORMS[name].title} counts, as in reactions=("likes", "comments")'
            raise ColumnError(error.wrong, allowed=error.allowed, fix=way)
    distinct = dict.fromkeys(sets.values())
    if len(distinct) == 1:
        made = named(replace(asked, reactions=next(iter(distinct))))
    else:
        union = tuple(name for name in REACTIONS if any(name in reactions for reactions in distinct))
        made = replace(asked, reactions=union, by_platform=tuple(sets.items()))
    absent = [name for name in REACTIONS if any(name in set(counted[at]) - set(sets[at]) for at in sets)]
    return replace(made, caution="; ".join(filter(None, (made.caution, _without(absent)))))


def _without(absent: list[str]) -> str:
    """What a rate that counts fewer kinds of reactions than its platform has is easily mistaken for."""
    if not absent:
        return ""
    return (
        f"there is no column of {' or '.join(absent)}, so they are not counted: compare this rate only with rates "
        "of the same formula"
    )


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
