"""Claims as data: read from ``claims.toml``, checked field by field, frozen."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from erresearch.claims.options import Options, read_options, roles_in, without_role
from erresearch.errors import DataError, EngineError, ErresearchError, UnknownNameError
from erresearch.io.files import from_toml, resource
from erresearch.worlds.simulation import CASES
from erresearch.worlds.truths import WORLDS

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
class Claim:
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
            if role not in self.roles:
                raise UnknownNameError.of(f"role for `optional` (claim {self.id})", role, self.roles)
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
        options = without_role(self.options, role, procedure=self.procedure)
        sets = {
            name: replace(note, options=without_role(note.options, role, procedure=self.procedure))
            for name, note in self.sets.items()
        }
        roles = {name: columns for name, columns in self.roles.items() if name != role}
        optional = tuple(name for name in self.optional if name != role)
        return replace(self, roles=roles, options=options, optional=optional, sets=sets)

    def about(self, dataset: str) -> DataSetNote:
        """What the claim declares about `dataset` (nothing, for most)."""
        return self.sets.get(dataset, DataSetNote())

    def clause(self, dataset: str) -> str:
        """Return how the estimate is told on a data set; empty where other columns play x or y and nobody says how."""
        about = self.about(dataset)
        return about.told or ("" if {"x", "y"} & set(about.roles) else self.told)

    def __repr__(self) -> str:
        """Say what `str` says, which fits on a line."""
        return str(self)

    def __str__(self) -> str:
        """Identifier, sentence and δ."""
        return f"{self.id}: {self.text} (δ = {self.sesoi:g}, {self.unit})"

    def _repr_markdown_(self) -> str:
        from erresearch.results import escape

        return f"**{escape(self.id)}** {escape(self.text)}  \nSource: {escape(self.source)}"


def claims_path() -> Path:
    """Return where the registry lies."""
    return resource("data") / "claims.toml"


def claims_sha256() -> str:
    """Return the SHA-256 of the registry: the effects of interest were declared in exactly this file."""
    return hashlib.sha256(claims_path().read_bytes()).hexdigest()


def read_claims(path: str | Path | None = None) -> tuple[Claim, ...]:
    """Read the claims of the package, or those of a file of the same layout.

    Parameters
    ----------
    path : path, optional
        A TOML file with ``[[claim]]`` entries; the package's own by default.

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
    try:
        return _claims(where.read_text(encoding="utf-8"), str(where))
    except OSError as error:
        raise EngineError(
            f"cannot read the claims in {str(where)!r}",
            got=error.strerror or str(error),
            fix="name a file such as claims.toml",
        ) from error
    except ErresearchError:
        raise
    except ValueError as error:
        raise EngineError(
            f"{str(where)!r} is not a TOML file", got=str(error), fix="mend that line"
        ) from error


@functools.lru_cache(maxsize=4)
def _claims(text: str, where: str) -> tuple[Claim, ...]:
    """Return what a file declares, taken apart once: every call of `examine` asks for it."""
    entries = from_toml(text).get("claim", [])
    if not isinstance(entries, list) or not entries:
        raise DataError(f"{where!r} holds no claim", fix="write each claim as a [[claim]] entry")
    claims = tuple(_claim(entry, number) for number, entry in enumerate(entries, start=1))
    ids = [claim.id for claim in claims]
    twice = sorted({name for name in ids if ids.count(name) > 1})
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
        raise UnknownNameError.of("claim", name, [claim.id for claim in known])
    return found


_TEXT: Final = ("id", "short", "text", "source", "unit", "sesoi_reason", "procedure")
_KINDS: Final[Mapping[str, type]] = MappingProxyType({"arrow": bool, "estimand": dict, "roles": dict})
_OPTIONAL: Final[Mapping[str, type]] = MappingProxyType(
    {
        "optional": list,
        "family": list,
        "worlds": list,
        "notebook": str,
        "minimum": str,
        "told": str,
        "sets": dict,
        "options": dict,
    }
)
_NOTE: Final = tuple(one.name for one in fields(DataSetNote))
_NEEDED: Final = (*_TEXT, "estimand", "direction", "design", "arrow", "sesoi", "roles")


def _claim(entry: Mapping[str, Any], number: int) -> Claim:
    name = repr(entry.get("id", f"number {number}"))
    absent = [key for key in _NEEDED if key not in entry]
    if absent:
        raise DataError(f"claim {name} lacks {', '.join(absent)}", allowed=", ".join((*_NEEDED, *_OPTIONAL)))
    extra = [key for key in entry if key not in (*_NEEDED, *_OPTIONAL)]
    if extra:
        raise UnknownNameError.of(f"field of claim {name}", extra[0], (*_NEEDED, *_OPTIONAL))
    wrong = [key for key in _TEXT if not isinstance(entry[key], str) or not entry[key].strip()]
    kinds = {**_KINDS, **_OPTIONAL}
    wrong += [key for key, kind in kinds.items() if key in entry and not isinstance(entry[key], kind)]
    if wrong:
        raise DataError(f"claim {name} has a wrong {wrong[0]}", got=repr(entry[wrong[0]])[:80])
    _check_types(entry, name)
    if entry["direction"] not in ("greater", "less", "absent"):
        raise UnknownNameError.of(
            f"direction (claim {name})", entry["direction"], ("greater", "less", "absent")
        )
    if entry["design"] not in get_args(Design):
        raise UnknownNameError.of(f"design (claim {name})", entry["design"], get_args(Design))
    sesoi = entry["sesoi"]
    if isinstance(sesoi, bool) or not isinstance(sesoi, (int, float)) or not 0 < sesoi < float("inf"):
        raise DataError(
            f"claim {name} needs a positive sesoi", got=repr(sesoi), fix="declare δ before seeing data"
        )
    if len(entry.get("family", ())) > LARGEST_FAMILY:
        raise DataError(
            f"claim {name} names too many data sets",
            got=f"{len(entry['family'])}",
            allowed=f"at most {LARGEST_FAMILY}, so that the correction stays payable",
        )
    sets = {
        key: DataSetNote(
            tuple(value.get("qualifiers", ())),
            value.get("note", ""),
            dict(value.get("options", {})),
            {role: tuple(names) for role, names in value.get("roles", {}).items()},
            dict(value.get("events", {})),
            value.get("last", ""),
            value.get("design", ""),
            value.get("told", ""),
        )
        for key, value in entry.get("sets", {}).items()
    }
    claim = Claim(
        **{key: entry[key] for key in (*_TEXT, "direction", "design")},
        estimand=dict(entry["estimand"]),
        arrow=entry["arrow"],
        sesoi=float(sesoi),
        roles={role: tuple(names) for role, names in entry["roles"].items()},
        options=dict(entry.get("options", {})),
        optional=tuple(entry.get("optional", ())),
        family=tuple(entry.get("family", ())),
        worlds=tuple(entry.get("worlds", ())),
        **{key: entry.get(key, "") for key in ("notebook", "minimum", "told")},
        sets=sets,
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


def _check_types(entry: Mapping[str, Any], name: str) -> None:
    """Refuse a text where a list of texts is wanted: it would be read letter by letter."""
    lists = {key: entry.get(key, ()) for key in ("optional", "family", "worlds")}
    lists |= {f"roles.{role}": names for role, names in entry["roles"].items()}
    for key, note in entry.get("sets", {}).items():
        extra = [part for part in note if part not in _NOTE]
        if extra:
            raise UnknownNameError.of(f"field of sets.{key} (claim {name})", extra[0], _NOTE)
        lists[f"sets.{key}.qualifiers"] = note.get("qualifiers", ())
        if not isinstance(note.get("options", {}), dict) or not isinstance(note.get("note", ""), str):
            raise DataError(
                f"claim {name} has a wrong sets.{key}",
                got=repr(note)[:80],
                allowed="options: a table, note: a text",
            )
        lists |= {f"sets.{key}.roles.{role}": names for role, names in note.get("roles", {}).items()}
        if note.get("design", "") not in ("", *get_args(Design)):
            raise UnknownNameError.of(
                f"design of sets.{key} (claim {name})", note["design"], get_args(Design)
            )
    for key, names in lists.items():
        if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
            raise DataError(
                f"claim {name} has a wrong {key}", got=repr(names)[:80], allowed="a list of texts"
            )
