"""Engagement rates: what each definition divides by what, one function for all, and a value that carries which it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Every, check_every, period_start, with_calendar
from erresearch.engine.sources import as_narwhals
from erresearch.errors import ColumnError, Count, DataError, GuardError, check_name, missing_columns
from erresearch.io.files import frozen, registry
from erresearch.results import Printed
from erresearch.results.rounding import Lined, percent
from erresearch.schema import POSTS, Rule, TableSchema, validate
from erresearch.schema.vocabulary import AUDIENCES, REACTIONS

Denominator = Literal["followers", "reach", "views", "impressions"]
Per = Literal["post", "day", "period", "user"]
_REASON = "__reason__"
_MADE = ("reactions", "posts", "rate")


@dataclass(frozen=True, slots=True)
class PlatformSet:
    """What counts as a reaction on one platform.

    Parameters
    ----------
    title : str
        Name for people.
    aliases : tuple of str
        Spellings of the `platform` column, lower case.
    reactions : tuple of str
        Columns that are summed.
    source : str
        Who says so.
    """

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

    @property
    def below(self) -> nw.Expr:
        """The denominator of one post as an expression."""
        return nw.col(self.denominator).cast(nw.Float64())

    @property
    def above(self) -> nw.Expr:
        """Reactions of one post as an expression; missing where any of its counts is."""
        chosen = dict(self.by_platform)
        summed = _sum(chosen.get("other", self.by_platform[0][1]) if chosen else self.reactions)
        for name, reactions in self.by_platform:
            if name != "other":
                here = _platform().is_in(list(PLATFORMS[name].aliases))
                summed = nw.when(here).then(_sum(reactions)).otherwise(summed)
        return summed

    def __str__(self) -> str:
        """Identifier, name and formula."""
        return f"{' '.join(part for part in (self.id, self.name) if part)}: {self.formula}"


def _platform() -> nw.Expr:
    # made when it is used: narwhals looks for pandas, which has no part in building the pages of the site
    return nw.col("platform").cast(nw.String()).str.strip_chars().str.to_lowercase()


def _sum(reactions: Sequence[str]) -> nw.Expr:
    terms = [nw.col(name).cast(nw.Float64()) for name in reactions]
    return sum(terms[1:], terms[0])


PLATFORMS: Mapping[str, PlatformSet] = MappingProxyType(
    {name: PlatformSet(**frozen(one)) for name, one in registry("reactions.toml")["platforms"].items()}
)
DEFINITIONS: Mapping[str, RateDefinition] = MappingProxyType(
    {
        name: RateDefinition(name, **{"reactions": (), **frozen(one)})
        for name, one in registry("reactions.toml")["definitions"].items()
    }
)


def resolve(
    definition: str | RateDefinition | None,
    denominator: str | None,
    reactions: str | tuple[str, ...] | None,
    per: str | None,
) -> RateDefinition:
    """Turn the four ways of saying which rate into one definition; what a named definition fixes is refused.

    Reactions are empty where the platforms' sets are to be used.

    Examples
    --------
    >>> resolve("M10", "views", None, None).formula
    '(likes + comments + shares + saves) / views, per post'
    """
    for word, value, kind in (("denominator", denominator, Denominator), ("per", per, Per)):
        if value is not None:
            check_name(word, value, get_args(kind))
    chosen = _reactions(reactions)
    if definition is None:
        formula: Any = (chosen, denominator or "followers", per or "post")
        return _checked(named(RateDefinition("", "engagement rate", *formula)))
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
    """Give a formula the name under which a source defines it, where one does."""
    if definition.id or not definition.reactions:
        return definition
    return next((one for one in DEFINITIONS.values() if one.matches(definition)), definition)


def _reactions(reactions: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Names to sum; "all" and None are settled when the table is seen."""
    if isinstance(reactions, str):
        check_name("reaction set", reactions, ["all", *PLATFORMS])
        return PLATFORMS[reactions].reactions if reactions in PLATFORMS else (reactions,)
    if reactions is None:
        return ()
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

    The formula gets the registry's name where it has one, and a caution where a platform's set has reactions without
    a column: a missing count is not 0.
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
        seen = map(str, frame.lazy().select(p=_platform()).unique().collect()["p"].to_list())
        spelt = {alias: name for name, one in PLATFORMS.items() for alias in one.aliases}
        names = {spelt.get(name, "other") for name in seen}
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
    if not absent:
        return made
    caution = (
        f"there is no column of {' or '.join(absent)}, so they are not counted: compare this rate only with rates "
        "of the same formula"
    )
    return replace(made, caution="; ".join(filter(None, (made.caution, caution))))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Rates(Lined, Printed):
    """Engagement rates with the definition that made them.

    Parameters
    ----------
    values : frame
        A table of the kind that was given (lazy where it was lazy): what names a row (account, post, time), then
        ``reactions``, the denominator, ``posts`` where rows were summed, and ``rate`` as a fraction.
    definition : RateDefinition
        What was computed.
    mean, median : float
        Over the rows of `values`, each counted once.
    n : int
        Rows of `values`.
    posts : int
        Posts that went into them.
    dropped : mapping of str to int
        Posts left out, by reason.
    notes : tuple of str
        What to know before using the number.
    by : str or None
        The account column.
    """

    values: Any
    definition: RateDefinition
    mean: float
    median: float
    n: int
    posts: int
    dropped: Mapping[str, int]
    notes: tuple[str, ...] = ()
    by: str | None = None

    def __str__(self) -> str:
        """Definition, level, counts and what was left out."""
        mean, median = (
            f"{value:.3g} actions per user" if self.definition.per == "user" else percent(value)
            for value in (self.mean, self.median)
        )
        unit = {"post": "post", "day": "account-day", "period": "account-period", "user": "account"}
        count = format(Count(self.n), unit[self.definition.per])
        if self.definition.per != "post":
            count += f" from {Count(self.posts):post}"
        dropped = "; ".join(f"{number:,} {reason}" for reason, number in self.dropped.items()) or "none"
        lines = [
            f"{self.definition}",
            f"mean {mean}, median {median}; {count}; left out: {dropped}",
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def engagement_rate(
    posts: Any,
    *,
    denominator: Denominator | None = None,
    reactions: Literal["all"] | str | tuple[str, ...] | None = None,
    per: Per | None = None,
    definition: str | RateDefinition | None = None,
    by: str | None = "account",
    period: str = "published_at",
    every: Every | None = None,
    zero: Literal["raise", "drop"] = "raise",
) -> Rates:
    """Compute engagement rates by any of the definitions in use, and say which one it was.

    Parameters
    ----------
    posts : frame
        One row per post, in any engine narwhals knows; lazy tables stay lazy.
    denominator : {"followers", "reach", "views", "impressions"}, optional
        What the reactions are divided by. By default followers, or the only one of the four that has a column.
    reactions : "all", a platform, or tuple of str, optional
        What is summed: every reaction column there is, one platform's set, or these columns. By default, each row is
        counted by the set of its own platform (:data:`PLATFORMS`), as far as the table has its columns; a note names
        the others.
    per : {"post", "day", "period", "user"}, optional
        Unit of analysis. *post*: each post by itself. *day* and *period*: reactions summed over the account's posts,
        divided by its mean followers, or by the sum of reach, views or impressions. *user*: actions per follower or
        per person reached over the whole table.
    definition : str or RateDefinition, optional
        A definition by name, "M01" to "M11-user"; then the three options above may fill only what it leaves open.
    by, period : str
        Account and time columns. ``by=None`` takes the table as one account.
    every : {"day", "week", "month", "quarter", "year"}, optional
        Length of a period; left out, the whole table is one period.
    zero : {"raise", "drop"}
        What to do with posts whose denominator is 0 or negative: refuse, or leave out and count.

    Returns
    -------
    Rates
        Values as fractions, with their definition; percentages appear in print only.

    Raises
    ------
    ColumnError
        A column is missing, or holds text.
    DataError
        A denominator is not positive, a count is negative or infinite, or no post is left.
    GuardError
        The request contradicts the definition it names.
    UnknownNameError
        For a definition, platform or unit in no registry.

    See Also
    --------
    compare_rates : Its interval, and differences between periods, kinds of post and accounts.
    band : Which band of the sources a rate lies in.
    percentile_in_tier : Where a rate stands among published ones.

    Notes
    -----
    A post with a missing count is left out and counted: missing is not 0. With followers the sum over a period grows
    with the number of posts, so `per="post"` and `per="period"` differ on the same posts by that factor.

    References
    ----------
    The sources of each formula are in ``DEFINITIONS[...].source``.

    Examples
    --------
    157 reactions among 5,000 followers:

    >>> import pandas as pd
    >>> one = pd.DataFrame({"account": ["shop"], "likes": [150], "comments": [7], "followers": [5000]})
    >>> print(engagement_rate(one, definition="M01"))
    M01 HubSpot and Mention: (likes + comments) / followers, per post
    mean 3.14 %, median 3.14 %; 1 post; left out: none

    Three posts in a day, 200 reactions, 10,000 followers: the same data give two rates.

    >>> day = pd.DataFrame({"account": "shop", "likes": [100, 60, 40], "followers": 10_000})
    >>> engagement_rate(day, reactions=("likes",), definition="M03").mean
    0.02
    >>> engagement_rate(day, reactions=("likes",)).mean
    0.00667
    """
    check_name("treatment of zeros", zero, ["raise", "drop"])
    if every is not None:
        check_every(every)
    frame = as_narwhals(posts, pass_through=True)
    known = isinstance(frame, nw.DataFrame | nw.LazyFrame)
    columns = list(frame.collect_schema().names()) if known else []
    if denominator is None and definition is None:
        there: list[Denominator] = [name for name in get_args(Denominator) if name in columns]
        denominator = there[0] if len(there) == 1 else None
    asked = resolve(definition, denominator, reactions, per)
    if every is not None and asked.per != "period":
        raise GuardError(
            "`every` cuts time into periods, so it needs a rate per period",
            got=f"per={asked.per!r}",
            fix='use per="period", or leave `every` out',
        )
    timed = asked.per == "day" or every is not None
    others = ([by] if by is not None and asked.per != "post" else []) + ([period] if timed else [])
    _free_names(columns, others, period)
    named_now = () if asked.reactions in ((), ("all",)) else asked.reactions
    # the door before the platforms: what is no table, or has no followers, should hear that first
    rows = validate(
        posts,
        _needs(asked, named_now, others, period=period, zero=zero),
        divides=[asked.denominator] if zero == "raise" else (),
    ).rows
    if timed:
        frame = with_calendar(frame, period)
    settled = settle(asked, frame, columns)
    if settled.reactions != named_now:
        validate(posts, POSTS.only(settled.reactions))
    usable, dropped = _accounted(frame, settled, others)
    if settled.per == "post":
        free = set(columns) - {*_MADE, settled.denominator}
        names = [name for name in ("platform", by, "post_id", "post_type", period) if name in free]
        above, below = settled.above, settled.below
        rate = nw.when(below > 0).then(above / below)
        values = usable.select(*names, reactions=above, **{settled.denominator: below}, rate=rate)
    else:
        values = _grouped(usable, settled, by, period if timed else None, every or "day")
    return _summary(values, settled, dropped, rows, by)


def _needs(
    definition: RateDefinition, summed: tuple[str, ...], others: list[str], *, period: str, zero: str
) -> TableSchema:
    """The part of the declaration that this rate needs."""
    table = POSTS.only([*summed, definition.denominator], others=others)
    changes: dict[str, dict[str, Any]] = {period: {"dtype": "time"}}
    if zero == "drop":
        changes[definition.denominator] = {"rule": Rule("any number")}
    changed = (replace(column, **changes.get(column.name, {})) for column in table.columns)
    return replace(table, columns=tuple(changed))


def _free_names(columns: list[str], others: list[str], period: str) -> None:
    clash = [name for name in others if name in (*_MADE, "period")]
    if clash:
        raise ColumnError(
            f"`{clash[0]}` cannot be the name of an account or time column here",
            got=f"the answer has a column of that name ({', '.join((*_MADE, 'period'))})",
            fix="rename it",
        )
    absent = [name for name in others if columns and name not in columns]
    if absent:
        way = (
            "say which with period="
            if absent[0] == period
            else "pass by=None to take the table as one account"
        )
        raise missing_columns(absent, columns, where="the posts table", fix=way)


def _accounted(frame: Any, definition: RateDefinition, others: list[str]) -> tuple[Any, dict[str, int]]:
    """Rows that can be used, and the others counted once each by their first reason."""
    below = definition.below
    reasons = {f"without {name}": nw.col(name).is_null() for name in others}
    summed = {name: _sum([name]) for name in definition.reactions}
    if definition.by_platform:
        summed = {"one of the platform's reactions": definition.above}
    for name, value in {**summed, definition.denominator: below}.items():
        reasons[f"without {name}"] = value.is_null() | value.is_nan()
    reasons[f"with {definition.denominator} of 0 or less"] = (below <= 0) & ~below.is_nan()
    number = nw.lit(0)
    for code, condition in reversed(list(enumerate(reasons.values(), start=1))):
        number = nw.when(condition).then(nw.lit(code)).otherwise(number)
    marked = frame.with_columns(number.alias(_REASON))
    table = marked.lazy().group_by(_REASON).agg(nw.len().alias("posts")).collect()
    found = {int(code): int(n) for code, n in table.select(_REASON, "posts").iter_rows()}
    dropped = {reason: found[code] for code, reason in enumerate(reasons, start=1) if code in found}
    if not found.get(0):
        said = "; ".join(f"{count:,} {reason}" for reason, count in dropped.items())
        raise DataError(
            f"no post has all that {definition.id or 'this rate'} needs",
            got=said,
            allowed=str(definition),
            fix="choose another denominator or other reactions",
        )
    return marked.filter(nw.col(_REASON) == 0), dropped


def _grouped(
    usable: Any, definition: RateDefinition, by: str | None, period: str | None, every: Every
) -> Any:
    """Sum reactions per account and period; followers are a stock and averaged, the rest are flows and summed."""
    keys: dict[str, Any] = {}
    if by is not None:
        # one name on two platforms is two accounts
        if "platform" in usable.collect_schema().names() and by != "platform":
            keys["platform"] = nw.col("platform")
        keys[by] = nw.col(by)
    if period is not None:
        keys["period"] = period_start(period, every)
    whole = not keys
    if whole:
        keys["account"] = nw.lit("")
    labels = {f"key{i}": name for i, name in enumerate(keys)}
    flat = usable.select(
        **{label: keys[name] for label, name in labels.items()},
        reactions=definition.above,
        below=definition.below,
    )
    below = nw.col("below").mean() if definition.denominator == "followers" else nw.col("below").sum()
    summed = flat.group_by(*labels).agg(nw.col("reactions").sum(), nw.len().alias("posts"), below)
    shown = {} if whole else {name: nw.col(label) for label, name in labels.items()}
    table = summed.select(
        **shown,
        reactions=nw.col("reactions"),
        **{definition.denominator: nw.col("below")},
        posts=nw.col("posts"),
        rate=nw.col("reactions") / nw.col("below"),
    )
    return table.sort(*shown) if shown else table


def _summary(
    values: Any, definition: RateDefinition, dropped: dict[str, int], rows: int, by: str | None
) -> Rates:
    rate = nw.col("rate")
    row = (
        values.lazy()
        .select(
            mean=rate.mean(),
            median=rate.median(),
            n=nw.len(),
            above=nw.when(rate > 1).then(nw.lit(1)).otherwise(nw.lit(0)).sum(),
        )
        .collect()
    )
    above, n = int(row["above"][0] or 0), int(row["n"][0])
    notes = [definition.caution] if definition.caution else []
    if definition.exposure:
        notes.append(
            f"incompatible: {' and '.join(definition.exposure)} in the numerator is exposure, not engagement; "
            "not to be compared with any other rate"
        )
    if above and definition.per != "user":
        notes.append(f"{Count(above, of=n):rate is} above 100 %: check what was exported")
    return Rates(
        values=nw.to_native(values),
        definition=definition,
        mean=float(row["mean"][0]),
        median=float(row["median"][0]),
        n=n,
        posts=rows - sum(dropped.values()),
        dropped=dropped,
        notes=tuple(notes),
        by=by,
    )
