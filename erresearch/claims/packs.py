"""Evidence packs: what was computed from a data set that may not be passed on, without one of its rows.

A pack says for each claim either *from pack* (moments by group, from which the estimate is computed again, digit by
digit) or *stored* (the finished fit, and for regressions the scores and Hessians of strata of rows, which let anybody
compute its standard error again in another way).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from erresearch.claims.decision_rule import Evidence
from erresearch.claims.registry import LARGEST_FAMILY, Claim
from erresearch.engine.moments import Moments
from erresearch.engine.stored import is_count, pack_text, read_archive, write_archive
from erresearch.errors import DataError
from erresearch.relate.scores import Scores
from erresearch.results import (
    Affine,
    Doubt,
    Estimate,
    Interval,
    IntervalTable,
    Precedence,
    Reliability,
    StudentT,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Entry",
    "Pack",
    "declaration",
    "read_pack",
    "write_pack",
]

_FORMAT: Final = 1
_MOMENTS: Final = ("origin", "count", "weight", "sums", "cross")
_SCORES: Final = ("beta", "bread", "scores", "hessians")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Evidence on one claim.

    Parameters
    ----------
    declared : str
        Hash of what the claim declared when the entry was made (:func:`declaration`).
    evidence : Evidence
        As computed from the rows; its `result` is empty.
    moments : Moments or None
        Cross-products by group, where they are all that the claim's procedure needs.
    scores : Scores or None
        Of the fitted regression, summed over strata of rows.
    """

    declared: str
    evidence: Evidence
    moments: Moments | None = None
    scores: Scores | None = None

    @property
    def kind(self) -> Literal["from pack", "stored"]:
        """What a verdict read off this entry rests on."""
        return "stored" if self.moments is None else "from pack"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pack:
    """Everything that was computed from one data set.

    Parameters
    ----------
    name : str
        Data set.
    sources : mapping of str to str
        SHA-256 of the file of each data set that it was computed from.
    columns : tuple of str
        Columns that the rows have.
    rows : int
        Rows that the data set has.
    entries : mapping of str to Entry
        By claim.
    licence, citation : str
        Of the data set.
    digest : str
        SHA-256 of the pack's own file; empty for one that was not read from a file.
    """

    name: str
    sources: Mapping[str, str]
    columns: tuple[str, ...]
    rows: int
    entries: Mapping[str, Entry]
    licence: str = ""
    citation: str = ""
    digest: str = ""

    def __len__(self) -> int:
        """Rows that the data set has."""
        return self.rows

    @property
    def attrs(self) -> dict[str, Any]:
        """What it says of itself, as a loaded table would."""
        said = {"sha256": dict(self.sources), "licence": self.licence, "citation": self.citation}
        return {"erresearch": said}

    def entry(self, claim: Claim) -> Entry:
        """Evidence on `claim`.

        Raises
        ------
        DataError
            If there is none, or it was made when the claim declared something else.
        """
        if claim.id not in self.entries:
            raise DataError(
                f"the evidence pack of {self.name!r} has nothing on {claim.id}",
                allowed=", ".join(sorted(self.entries)) or "nothing",
                fix="make it again from the rows with data/make_evidence.py",
            )
        found = self.entries[claim.id]
        if found.declared != declaration(claim, self.name):
            raise DataError(
                f"the evidence pack of {self.name!r} was made for another declaration of {claim.id}",
                got=f"declaration {found.declared[:12]}",
                allowed=declaration(claim, self.name)[:12],
                fix="make it again from the rows with data/make_evidence.py",
            )
        return found

    def totals(self, claim: Claim) -> pd.DataFrame:
        """Sums of a claim's columns by group, of their products, and how many rows.

        Raises
        ------
        DataError
            If there are no sums on the claim (:meth:`entry`).
        """
        import pandas as pd

        moments = self.entry(claim).moments
        if moments is None:
            raise DataError(
                f"the evidence on {claim.id} is a stored number without sums", fix="read its verdict instead"
            )
        about_zero, names = moments.about(np.zeros(len(moments.columns))), moments.columns
        sums = dict(zip(names, about_zero.sums.T, strict=True))
        products = {
            f"{names[i]} × {names[j]}": about_zero.grams()[:, i, j]
            for i in range(len(names))
            for j in range(i + 1, len(names))
        }
        return pd.DataFrame({**sums, **products, "rows": moments.count}, index=[str(k) for k in moments.keys])

    def __str__(self) -> str:
        """One sentence."""
        kinds = [entry.kind for entry in self.entries.values()]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        return f"Evidence pack of {self.name}: {len(kinds)} claims ({counted}) out of {self.rows:,} rows"


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


def write_pack(pack: Pack, path: str | Path) -> Path:
    """Write a pack to one .npz file, whole or not at all.

    Raises
    ------
    EngineError
        If it cannot be written.
    DataError
        If an estimate came without its distribution.
    """
    arrays: dict[str, np.ndarray] = {}
    entries = {}
    for claim, entry in sorted(pack.entries.items()):
        words: dict[str, Any] = {"declared": entry.declared, "evidence": _to_words(entry.evidence)}
        if entry.moments is not None:
            m = entry.moments
            words["moments"] = {"columns": m.columns, "by": m.by, "dropped": dict(m.dropped)}
            arrays |= {f"{claim}/moments/{name}": getattr(m, name) for name in _MOMENTS}
            text, offsets = pack_text(m.keys)
            arrays |= {f"{claim}/moments/keys": text, f"{claim}/moments/offsets": offsets}
        if entry.scores is not None:
            s = entry.scores
            words["scores"] = {"n_rows": s.n_rows, "n_parameters": s.n_parameters}
            arrays |= {f"{claim}/scores/{name}": getattr(s, name) for name in _SCORES}
        entries[claim] = words
    words = {
        "name": pack.name,
        "sources": dict(pack.sources),
        "columns": pack.columns,
        "rows": pack.rows,
        "licence": pack.licence,
        "citation": pack.citation,
        "entries": entries,
    }
    return write_archive(path, "evidence", _FORMAT, words, arrays)


def read_pack(path: str | Path) -> Pack:
    """Read what :func:`write_pack` wrote; nothing in the file is executed.

    Raises
    ------
    EngineError
        If the file is missing, cut short, of another kind or of another version.
    """
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest() if Path(path).is_file() else ""

    def make(words: dict[str, Any], arrays: dict[str, np.ndarray]) -> Pack:
        texts = [words[name] for name in ("name", "licence", "citation")]
        texts += [*words["columns"], *words["sources"], *words["sources"].values()]
        if not all(isinstance(text, str) for text in texts) or not is_count(words["rows"]):
            raise TypeError("names are text and rows are counted")
        entries = {claim: _entry(claim, said, arrays) for claim, said in words["entries"].items()}
        plain = {name: words[name] for name in ("name", "sources", "rows", "licence", "citation")}
        return Pack(**plain, columns=tuple(words["columns"]), entries=entries, digest=digest)

    return read_archive(path, "evidence", _FORMAT, make)


def _entry(claim: str, said: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Entry:
    moments = scores = None
    if "moments" in said:
        at = f"{claim}/moments/"
        found = {name: arrays[at + name] for name in (*_MOMENTS, "keys")}
        words = {"period": None, "weights": None, **said["moments"]}
        moments = Moments.from_parts(words, {**found, "key_offsets": arrays[at + "offsets"]})
    if "scores" in said:
        beta, bread, own, hessians = (arrays[f"{claim}/scores/{name}"] for name in _SCORES)
        counts = [said["scores"][name] for name in ("n_rows", "n_parameters")]
        p, strata = len(beta), len(own)
        shapes = [(beta, (p,)), (bread, (p, p)), (own, (strata, p)), (hessians, (strata, p, p))]
        numbers = all(
            array.dtype.kind == "f" and np.isfinite(array).all() for array in (beta, bread, own, hessians)
        )
        if (
            any(array.shape != shape for array, shape in shapes)
            or not numbers
            or not all(map(is_count, counts))
        ):
            raise ValueError(f"scores of {claim} do not fit together")
        scores = Scores(beta, bread, own, hessians, *counts)
    if not isinstance(said["declared"], str):
        raise TypeError("a declaration is text")
    return Entry(said["declared"], _from_words(said["evidence"]), moments, scores)


_ESTIMATE: Final = ("name", "value", "se", "df", "n_rows", "n_accounts", "unit", "method")
#: Levels at which an interval without a distribution of a known name is stored: those of Holm's steps.
_LEVELS: Final = tuple(1 - 0.05 / left for left in range(1, LARGEST_FAMILY + 1))
_BOTH_WAYS: Final = ("forward", "reverse", "lead", "contemporaneous", "beside", "over_lead", "cumulated")


@dataclass(frozen=True, slots=True)
class _Said:
    """The layout of stored evidence, field by field."""

    estimate: Mapping[str, Any]
    doubts: list[list[Any]]
    beside: list[list[Any]] = field(default_factory=list)
    clusters: int = 0
    barrier: str = ""
    fragile: str = ""
    ends: list[Mapping[str, Any]] = field(default_factory=list)
    order: Mapping[str, Any] | None = None
    without: Mapping[str, Any] | None = None
    size: Mapping[str, Any] | None = None
    told: str = ""
    ambiguous: list[str] = field(default_factory=list)
    open_points: list[str] = field(default_factory=list)


def _to_words(evidence: Evidence) -> dict[str, Any]:
    words: dict[str, Any] = {
        "estimate": _estimate_words(evidence.estimate),
        "ends": [_estimate_words(end) for end in evidence.ends],
        "clusters": evidence.clusters,
        "barrier": evidence.barrier,
        "fragile": evidence.fragile,
        "doubts": _doubt_words(evidence.doubts),
    }
    if evidence.order is not None:
        words["order"] = _order_words(evidence.order)
    others = {"without": evidence.without, "size": evidence.size}
    words |= {name: _estimate_words(one) for name, one in others.items() if one is not None}
    words |= {"told": evidence.told} if evidence.told else {}
    words |= {"beside": _doubt_words(evidence.beside)} if evidence.beside else {}
    lists = {"ambiguous": list(evidence.ambiguous), "open_points": list(evidence.open_points)}
    return words | {name: value for name, value in lists.items() if value}


def _doubt_words(doubts: Iterable[Doubt]) -> list[list[Any]]:
    return [[d.name, d.text, _or_none(d.value), d.raised] for d in doubts]


def _order_words(order: Precedence) -> dict[str, Any]:
    held = {name: getattr(order, name) for name in _BOTH_WAYS}
    words = {name: None if one is None else _estimate_words(one) for name, one in held.items()}
    known = order.reliability
    return words | {
        "x": order.x,
        "y": order.y,
        "method": order.method,
        "counts": [order.n_rows, order.n_accounts],
        "lags": [[lag, _estimate_words(one)] for lag, one in order.lags],
        "dropped": dict(order.dropped),
        "cautions": list(order.cautions),
        "explained": list(order.explained),
        "reliability": None
        if known is None
        else [_or_none(known.value), _or_none(known.low), known.source, known.level],
    }


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _nan(value: object) -> float:
    return float("nan") if value is None else _number(value)


def _estimate_words(estimate: Estimate) -> dict[str, Any]:
    words: dict[str, Any] = {name: getattr(estimate, name) for name in _ESTIMATE}
    reference = estimate.reference
    while isinstance(reference, Affine):
        reference = reference.reference
    if reference is None:
        raise DataError(
            f"the interval of {estimate.name!r} does not fit into a pack",
            got="an estimate without its distribution",
            allowed="Student's t, or a distribution that gives an interval at every level",
            fix="judge this claim from rows",
        )
    words |= {"by": estimate.by} if estimate.by else {}
    if not isinstance(reference, StudentT):
        ends = [estimate.at(level).interval for level in _LEVELS]
        words["intervals"] = [[one.low, one.high, one.level] for one in ends]
    return words


def _from_words(words: Mapping[str, Any]) -> Evidence:
    said = _Said(**words)
    texts = (said.barrier, said.fragile, said.told, *said.ambiguous, *said.open_points)
    if not (is_count(said.clusters) and all(isinstance(text, str) for text in texts)):
        raise TypeError("evidence is of another type")
    order = None if said.order is None else _order(said.order)
    return Evidence(
        _estimate(said.estimate),
        ends=tuple(_estimate(end) for end in said.ends),
        order=order,
        without=None if said.without is None else _estimate(said.without),
        size=None if said.size is None else _estimate(said.size),
        told=said.told,
        ambiguous=tuple(said.ambiguous),
        open_points=tuple(said.open_points),
        clusters=said.clusters,
        barrier=said.barrier,
        fragile=said.fragile,
        doubts=tuple(_doubt(*doubt) for doubt in said.doubts),
        beside=tuple(_doubt(*doubt) for doubt in said.beside),
        result=order,
    )


def _order(words: Mapping[str, Any]) -> Precedence:
    held: dict[str, Any] = {
        name: None if words[name] is None else _estimate(words[name]) for name in _BOTH_WAYS
    }
    rows, accounts = words["counts"]
    texts = (words["x"], words["y"], words["method"], *words["cautions"], *words["dropped"])
    if not all(isinstance(text, str) for text in texts) or not all(
        map(is_count, (rows, accounts, *words["dropped"].values()))
    ):
        raise TypeError("an order in time is of another type")
    known = words["reliability"]
    explained = tuple(_number(share) for share in words["explained"])
    return Precedence(
        x=words["x"],
        y=words["y"],
        **held,
        method=words["method"],
        n_rows=rows,
        n_accounts=accounts,
        lags=tuple((int(lag), _estimate(one)) for lag, one in words["lags"]),
        dropped=dict(words["dropped"]),
        cautions=tuple(words["cautions"]),
        explained=(explained[0], explained[1]),
        reliability=None if known is None else Reliability(_nan(known[0]), _nan(known[1]), *known[2:]),
    )


def _doubt(name: object, text: object, value: object, raised: object) -> Doubt:
    if not (isinstance(name, str) and isinstance(text, str) and isinstance(raised, bool)):
        raise TypeError("a doubt is of another type")
    return Doubt(name, text, _nan(value), raised)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("a number is of another type")
    return value


def _estimate(words: Mapping[str, Any]) -> Estimate:
    plain = {name: words[name] for name in _ESTIMATE}
    for name in ("value", "se", "df"):
        _number(plain[name])
    plain["by"] = words.get("by", "")
    texts = [plain[name] for name in ("name", "unit", "method", "by")]
    counts = [plain[name] for name in ("n_rows", "n_accounts")]
    if not all(isinstance(text, str) for text in texts) or not all(map(is_count, counts)):
        raise TypeError("an estimate is of another type")
    reference: StudentT | IntervalTable = StudentT(plain["value"], plain["se"], plain["df"])
    if "intervals" in words:
        reference = IntervalTable(
            tuple(Interval(*(_number(end) for end in one)) for one in words["intervals"])
        )
    return Estimate(**plain, interval=reference.interval(0.95), reference=reference)
