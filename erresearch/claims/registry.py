"""Claims and points of certainty as data: read from ``claims.toml`` and ``certainty.toml``, checked, frozen."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from erresearch.claims.options import Options, read_options, roles_in, without_role
from erresearch.datasets.entries import dataset_card
from erresearch.errors import (
    DataError,
    EngineError,
    UnknownNameError,
    check_name,
    is_number,
    raise_as,
)
from erresearch.io.files import UnfitError, from_toml, read_value, registry, resource
from erresearch.results import Printed, escape
from erresearch.results.verdicts import LEVELS, Certainty
from erresearch.schema.vocabulary import PERIODS, Freq
from erresearch.worlds.panels import WORLDS
from erresearch.worlds.simulation import CASES

#: Units in which a slope of logarithms is read.
ELASTICITIES: Final = ("elasticity", "elasticity of the conversion rate", "long-run elasticity")
#: A family is one claim over its real data sets, named beforehand.
LARGEST_FAMILY: Final = 6


Direction = Literal["greater", "less", "absent"]
Design = Literal["randomised", "ordered", "cross-section"]


@dataclass(frozen=True, slots=True)
class DataSetNote:
    """What a claim declares about one data set.

    Parameters
    ----------
    qualifiers : tuple of str
        Stand beside every verdict there, for example "proxy".
    note : str
        Why.
    options : mapping
        Options of the procedure that differ there.
    roles : mapping of str to tuple of str
        Columns that play a role there, in place of the claim's own; further roles that its options name.
    events : mapping of str to str
        Columns of declared events there, each "pulse" or "step".
    last : str
        Column of the period of which only the last is judged: a panel as a list. Empty for all rows.
    design : {"randomised", "ordered", "cross-section", ""}
        Where it differs from the claim's.
    told : str
        The clause that tells the estimate there, where x or y are other columns than the claim's own.
    """

    qualifiers: tuple[str, ...] = ()
    note: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    events: Mapping[str, Any] = field(default_factory=dict)
    last: str = ""
    design: Literal["", Design] = ""
    told: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Claim(Printed):
    """A sentence from a source, and how it is judged.

    Parameters
    ----------
    id, text, source : str
        Identifier, plain English sentence, who says so.
    estimand : mapping of str to str
        unit, population, adjustment, order.
    direction : {"greater", "less", "absent"}
        θ > 0, θ < 0 or |θ| < δ.
    arrow : bool
        Whether it says that one thing moves another.
    design : {"randomised", "ordered", "cross-section"}
        Where the certainty of its words starts.
    short, told : str
        Short name, such as "Engagement → sales"; a clause in which ``{}`` stands for the estimate in people's units.
    sesoi : float
        δ, the smallest effect of interest, in `unit`.
    unit, sesoi_reason : str
        Unit of θ and δ; why δ is what it is.
    procedure : str
        Name of the procedure that estimates θ.
    roles : mapping of str to tuple of str
        For each role, the column names that may play it, best first.
    options : mapping
        Arguments of the procedure as they were declared; :meth:`arguments` has them typed.
    optional : tuple of str
        Roles that a table may leave empty.
    family : tuple of str
        Real data sets it is judged on, named beforehand.
    worlds : tuple of str
        Simulated worlds it is judged on.
    notebook, minimum : str
        Where it is worked through; the least data it needs.
    sets : mapping of str to DataSetNote
        What it declares about single data sets.

    Raises
    ------
    UnknownNameError
        For a procedure, an option, a role or a world that does not exist, with the nearest one that does.
    DataError
        If an option or a role is missing, or an option has a wrong type or contradicts something else.

    See Also
    --------
    erresearch.claims.options : The options of each procedure.
    """

    id: str
    text: str
    source: str
    estimand: Mapping[str, str]
    direction: Direction
    arrow: bool
    design: Design
    short: str
    sesoi: float
    unit: str
    sesoi_reason: str
    procedure: str
    roles: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Any]
    optional: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    worlds: tuple[str, ...] = ()
    notebook: str = ""
    minimum: str = ""
    told: str = ""
    sets: Mapping[str, DataSetNote] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what would be silently left out or change a word unseen."""
        for role in self.optional:
            check_name(f"role for `optional` (claim {self.id})", role, self.roles)
        for world in self.worlds:
            if world not in WORLDS and world not in CASES:
                raise UnknownNameError.of(f"world (claim {self.id})", world, (*WORLDS, *CASES))
        for dataset in ("", *self.sets):
            self._check_logs(self.arguments(dataset))

    def _check_logs(self, options: Options) -> None:
        """An elasticity is a slope of logarithms (log(1 + x) is refused later, by the guard that says why)."""
        if self.unit not in ELASTICITIES:
            return
        logged = (*options.logs, *options.log1p, *(["y"] if options.log_link else []))
        plain = [role for role in ("x", "y") if role in self.roles and role not in logged]
        if plain:
            raise DataError(
                f"claim {self.id} speaks of an {self.unit}, but {plain[0]!r} has no logarithm",
                got=f"logs = {list(options.logs)}",
                fix=f"add {plain[0]!r} to `logs`, or declare another unit",
            )

    def arguments(self, dataset: str = "") -> Options:
        """Arguments of the procedure on a data set, typed.

        Examples
        --------
        >>> claim_named("C18").arguments().lags
        4
        """
        given = {**self.options, **self.about(dataset).options}
        return read_options(given, procedure=self.procedure, roles=self.cast(dataset), claim=self.id)

    def cast(self, dataset: str = "") -> dict[str, tuple[str, ...]]:
        """Roles and the column names that may play them on a data set."""
        return {**self.roles, **self.about(dataset).roles}

    def without(self, role: str) -> Claim:
        """The same claim without one of its roles, in the options too."""
        options = functools.partial(without_role, role=role, procedure=self.procedure)
        sets = {name: replace(note, options=options(note.options)) for name, note in self.sets.items()}
        roles = {name: columns for name, columns in self.roles.items() if name != role}
        optional = tuple(name for name in self.optional if name != role)
        return replace(self, roles=roles, options=options(self.options), optional=optional, sets=sets)

    def about(self, dataset: str) -> DataSetNote:
        """What the claim declares about `dataset` (nothing, for most)."""
        return self.sets.get(dataset, DataSetNote())

    def _told_in(self, freq: Freq, *, alone: bool) -> Claim:
        """The claim in periods of a length: ``{period}`` and ``{effects}`` of its texts are filled."""
        one = PERIODS[freq].one
        effects = "a trend and yearly waves" if alone else f"account and {one} effects"

        def told(text: str) -> str:
            text = text.replace("{period}", one).replace("{Period}", one.capitalize())
            return text.replace("{effects}", effects)

        estimand = {part: told(said) for part, said in self.estimand.items()}
        return replace(self, text=told(self.text), minimum=told(self.minimum), estimand=estimand)

    def clause(self, dataset: str) -> str:
        """Return how the estimate is told on a data set; empty where other columns play x or y and nobody says how."""
        about = self.about(dataset)
        return about.told or ("" if {"x", "y"} & set(about.roles) else self.told)

    def __str__(self) -> str:
        """Identifier, sentence and δ."""
        return f"{self.id}: {self.text} (δ = {self.sesoi:g}, {self.unit})"

    def _repr_markdown_(self) -> str:
        return f"**{escape(self.id)}** {escape(self.text)}  \nSource: {escape(self.source)}"


def claims_path() -> Path:
    """Return where the registry lies."""
    return resource("data") / "claims.toml"


def claims_sha256() -> str:
    """Return the SHA-256 of the registry: the effects of interest were declared in exactly this file."""
    return hashlib.sha256(claims_path().read_bytes()).hexdigest()


def read_claims(
    path: str | Path | None = None, *, freq: Freq = "W", alone: bool = False
) -> tuple[Claim, ...]:
    """Read the claims of the package, or those of a file of the same layout.

    Parameters
    ----------
    path : path, optional
        A TOML file with ``[[claim]]`` entries; the package's own by default.
    freq : {"D", "W", "M"}
        The periods in which its claims over time are told.
    alone : bool
        Whether they are told of one entity, which shares no period with others.

    Returns
    -------
    tuple of Claim
        In the file's order.

    Raises
    ------
    EngineError
        If the file cannot be read or is not TOML.
    DataError
        If an entry lacks a field, has one too many or a wrong value.

    See Also
    --------
    erresearch.examine : Judges them.

    Examples
    --------
    >>> [claim.id for claim in read_claims()][:2]
    ['C01', 'C01b']
    """
    where = Path(path) if path is not None else claims_path()
    unread = f"cannot read the claims in {str(where)!r}"
    with raise_as(EngineError, f"{str(where)!r} is not a TOML file", of=ValueError, fix="mend that line"):
        with raise_as(EngineError, unread, fix="name a file such as claims.toml"):
            text = where.read_text(encoding="utf-8")
        # what a caller does to its claims is not done to the registry
        return copy.deepcopy(_claims(text, str(where), freq, alone))


@functools.lru_cache(maxsize=16)
def _claims(text: str, where: str, freq: Freq, alone: bool) -> tuple[Claim, ...]:
    """Return what a file declares, taken apart once: every call of `examine` asks for it."""
    entries = from_toml(text).get("claim", [])
    if not isinstance(entries, list) or not entries:
        raise DataError(f"{where!r} holds no claim", fix="write each claim as a [[claim]] entry")
    claims = tuple(
        _claim(entry, number)._told_in(freq, alone=alone) for number, entry in enumerate(entries, start=1)
    )
    ids = [claim.id.casefold() for claim in claims]
    twice = [claim.id for claim in claims if ids.count(claim.id.casefold()) > 1]
    if twice:
        raise DataError(f"the claim {twice[0]!r} is there twice", fix="give each claim its own id")
    return claims


def claim_named(name: str, claims: tuple[Claim, ...] | None = None) -> Claim:
    """Look a claim up by its id, in capital or small letters.

    Raises
    ------
    UnknownNameError
        If there is none.

    See Also
    --------
    erresearch.read_claims : All of them.

    Examples
    --------
    >>> claim_named("c07").id
    'C07'
    """
    known = claims if claims is not None else read_claims()
    found = next((claim for claim in known if claim.id.casefold() == str(name).casefold()), None)
    if found is None:
        listed = "`erresearch claims` lists them with what they say"
        raise UnknownNameError.of("claim", name, [claim.id for claim in known], listed=listed)
    return found


def declaration(claim: Claim, dataset: str) -> str:
    """Hash of all that decides what is computed for a claim on a data set: procedure, roles and options."""
    note = claim.about(dataset)
    declared: dict[str, Any] = {
        "procedure": claim.procedure,
        "roles": {role: list(names) for role, names in claim.cast(dataset).items()},
        "options": {**claim.options, **note.options},
    }
    declared |= {"events": dict(note.events)} if note.events else {}
    declared |= {"last": note.last} if note.last else {}
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def names_to_pack() -> tuple[str, ...]:
    """Return the data sets that a claim names and that do not come with the package.

    Examples
    --------
    >>> "hillstrom" in names_to_pack()
    True
    """
    named = {name for claim in read_claims() for name in claim.family}
    return tuple(sorted(name for name in named if not dataset_card(name).embedded))


_NEEDED: Final = tuple(
    each.name
    for each in fields(Claim)
    if each.default is MISSING and each.default_factory is MISSING and each.name != "options"
)


def _claim(entry: Mapping[str, Any], number: int) -> Claim:
    name = repr(entry.get("id", f"number {number}"))
    absent = [key for key in _NEEDED if key not in entry]
    if absent:
        allowed = ", ".join(each.name for each in fields(Claim))
        raise DataError(f"claim {name} lacks {', '.join(absent)}", allowed=allowed)
    _refuse_unknown(entry, Claim, f"field of claim {name}")
    for key, note in dict(entry.get("sets", {})).items():
        _refuse_unknown(note, DataSetNote, f"field of sets.{key} (claim {name})")
    sesoi = entry["sesoi"]
    if not is_number(sesoi, sys.float_info.min, sys.float_info.max):
        wrong = f"claim {name} needs a positive sesoi"
        raise DataError(wrong, got=repr(sesoi), fix="declare δ before seeing data")
    try:
        claim: Claim = read_value(Claim, {"options": {}, **entry, "sesoi": float(sesoi)})
    except UnfitError as error:
        if error.choices:
            choices = filter(None, error.choices)
            raise UnknownNameError.of(f"{error.at} (claim {name})", error.value, choices) from error
        wrong = f"claim {name} has a wrong {error.at}"
        raise DataError(wrong, got=repr(error.value)[:80], allowed=error.wanted) from error
    blank = [key for key in _NEEDED if isinstance(entry[key], str) and not entry[key].strip()]
    if blank:
        raise DataError(f"claim {name} has a wrong {blank[0]}", got=repr(entry[blank[0]])[:80])
    if len(claim.family) > LARGEST_FAMILY:
        raise DataError(
            f"claim {name} names too many data sets",
            got=f"{len(claim.family)}",
            allowed=f"at most {LARGEST_FAMILY}, so that the correction stays payable",
        )
    idle = [role for role in claim.roles if role not in roles_in(claim.arguments())]
    if idle:
        raise DataError(
            f"claim {name} has a role that nothing uses",
            got=repr(idle[0]),
            allowed=f"roles that {claim.procedure!r} takes or an option names",
            fix="name it in an option, such as `controls`, or take it out",
        )
    return claim


def _refuse_unknown(table: Any, kind: type, what: str) -> None:
    for key in table if isinstance(table, dict) else ():
        check_name(what, key, [each.name for each in fields(kind)])


# ------------------------------------------------------------------------------------------------- certainty
#: The one design that may start above the ceiling, and what lifts others over it.
_RANDOMISED, _AGREE = "randomised", "independent-designs-agree"


@dataclass(frozen=True, slots=True)
class Point:
    """What a design gives, or what is open takes, and how it is said.

    Parameters
    ----------
    points : int
        How many.
    text : str
        The reason, for people.
    """

    points: int
    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """The table of points.

    Parameters
    ----------
    start, change : mapping of str to Point
        Of each design, and of what is open.
    ceiling, agreeing : int
        Most points of one observational data set, alone and where independent designs agree.
    """

    start: Mapping[str, Point]
    change: Mapping[str, Point]
    ceiling: int
    agreeing: int


@functools.cache
def read_points() -> Points:
    """Read ``certainty.toml``.

    Examples
    --------
    >>> read_points().start["ordered"].points
    2
    """
    points: Points = read_value(Points, registry("certainty.toml"))
    return points


def grade(
    design: str, open_points: Iterable[str] = (), *, told: Mapping[str, str] = MappingProxyType({})
) -> Certainty:
    """Sum the points of a design and of what is open, and clip.

    Randomised designs start high, designs ordered in time low, cross-sections very low. One observational data set never
    goes above low; where independent designs agree it may reach moderate.

    Parameters
    ----------
    design : str
        "randomised", "ordered" or "cross-section".
    open_points : iterable of str
        Names of what raises or lowers it; each counts once, in the table's order.
    told : mapping of str to str
        What is said of some of them in place of the table's text.

    Returns
    -------
    Certainty

    Raises
    ------
    UnknownNameError
        If a design or a name is not in the table.

    References
    ----------
    Guyatt et al. (2008), as for :class:`erresearch.results.verdicts.Certainty`.

    Examples
    --------
    >>> print(grade("ordered", ["events-not-declared"]))
    certainty very low: ordered in time, not randomised; promotions not declared
    """
    table = read_points()
    check_name("design", design, table.start)
    asked = set(open_points)
    unknown = sorted(asked - set(table.change))
    if unknown:
        raise UnknownNameError.of("point of certainty", unknown[0], table.change)
    named = [name for name in table.change if name in asked]
    total = table.start[design].points + sum(table.change[name].points for name in named)
    most = len(LEVELS) if design == _RANDOMISED else table.agreeing if _AGREE in asked else table.ceiling
    reasons = (table.start[design].text, *(told.get(name, table.change[name].text) for name in named))
    return Certainty(LEVELS[max(1, min(total, most)) - 1], total, (design, *named), reasons)
