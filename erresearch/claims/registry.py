"""Claims as data: read from ``claims.toml``, checked field by field, frozen."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from erresearch.errors import DataError, EngineError, UnknownNameError
from erresearch.io.files import resource

__all__ = ["Claim", "DataSetNote", "claim_named", "claims_path", "claims_sha256", "read_claims"]

#: A family is one claim over its real data sets, named beforehand.
LARGEST_FAMILY: Final = 6


Direction = Literal["greater", "less", "absent"]


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
    """

    qualifiers: tuple[str, ...] = ()
    note: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
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
    sesoi : float
        δ, the smallest effect of interest, in `unit`.
    unit, sesoi_reason : str
        Unit of θ and δ; why δ is what it is.
    procedure : str
        Name of the procedure that estimates θ.
    roles : mapping of str to tuple of str
        For each role, the column names that may play it, best first.
    options : mapping
        Arguments of the procedure.
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
    """

    id: str
    text: str
    source: str
    estimand: Mapping[str, str]
    direction: Direction
    arrow: bool
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
    sets: Mapping[str, DataSetNote] = field(default_factory=dict)

    def about(self, dataset: str) -> DataSetNote:
        """What the claim declares about `dataset` (nothing, for most)."""
        return self.sets.get(dataset, DataSetNote())

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

    Examples
    --------
    >>> [claim.id for claim in read_claims()][:2]
    ['C01', 'C01b']
    """
    where = Path(path) if path is not None else claims_path()
    try:
        table = tomllib.loads(where.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(
            f"cannot read the claims in {str(where)!r}", got=error.strerror or str(error)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"{str(where)!r} is not a TOML file", got=str(error)) from error
    entries = table.get("claim", [])
    if not isinstance(entries, list) or not entries:
        raise DataError(f"{str(where)!r} holds no claim", fix="write each claim as a [[claim]] entry")
    claims = tuple(_claim(entry, number) for number, entry in enumerate(entries, start=1))
    ids = [claim.id for claim in claims]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise DataError(f"the claim {twice[0]!r} is there twice", fix="give each claim its own id")
    return claims


def claim_named(name: str, claims: tuple[Claim, ...] | None = None) -> Claim:
    """Look a claim up by its id.

    Raises
    ------
    UnknownNameError
        If there is none.

    Examples
    --------
    >>> claim_named("C07").sesoi
    0.05
    """
    known = {claim.id: claim for claim in (claims if claims is not None else read_claims())}
    if name not in known:
        raise UnknownNameError.of("claim", name, known)
    return known[name]


_TEXT: Final = ("id", "text", "source", "unit", "sesoi_reason", "procedure")
_OPTIONAL: Final[Mapping[str, type]] = MappingProxyType(
    {
        "optional": list,
        "family": list,
        "worlds": list,
        "notebook": str,
        "minimum": str,
        "sets": dict,
        "options": dict,
    }
)
_NEEDED: Final = (*_TEXT, "estimand", "direction", "arrow", "sesoi", "roles")


def _claim(entry: Mapping[str, Any], number: int) -> Claim:
    name = repr(entry.get("id", f"number {number}"))
    absent = [key for key in _NEEDED if key not in entry]
    if absent:
        raise DataError(f"claim {name} lacks {', '.join(absent)}", allowed=", ".join((*_NEEDED, *_OPTIONAL)))
    extra = [key for key in entry if key not in (*_NEEDED, *_OPTIONAL)]
    if extra:
        raise UnknownNameError.of(f"field of claim {name}", extra[0], (*_NEEDED, *_OPTIONAL))
    wrong = [key for key in _TEXT if not isinstance(entry[key], str) or not entry[key].strip()]
    wrong += [key for key, kind in _OPTIONAL.items() if key in entry and not isinstance(entry[key], kind)]
    if wrong:
        raise DataError(f"claim {name} has a wrong {wrong[0]}", got=repr(entry[wrong[0]])[:80])
    if entry["direction"] not in ("greater", "less", "absent"):
        raise UnknownNameError.of(
            f"direction (claim {name})", entry["direction"], ("greater", "less", "absent")
        )
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
            tuple(value.get("qualifiers", ())), value.get("note", ""), dict(value.get("options", {}))
        )
        for key, value in entry.get("sets", {}).items()
    }
    return Claim(
        **{key: entry[key] for key in (*_TEXT, "direction")},
        estimand=dict(entry["estimand"]),
        arrow=bool(entry["arrow"]),
        sesoi=float(sesoi),
        roles={role: tuple(names) for role, names in entry["roles"].items()},
        options=dict(entry.get("options", {})),
        optional=tuple(entry.get("optional", ())),
        family=tuple(entry.get("family", ())),
        worlds=tuple(entry.get("worlds", ())),
        notebook=entry.get("notebook", ""),
        minimum=entry.get("minimum", ""),
        sets=sets,
    )
