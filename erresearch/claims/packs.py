"""Evidence packs: what was computed from a data set that may not be passed on, without one of its rows.

A pack says for each claim either *from pack* (moments by group, from which the estimate is computed again, digit by
digit) or *stored* (the finished fit, and for regressions the scores and Hessians of strata of rows, which let anybody
compute its standard error again in another way).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from erresearch.archives import read_archive, write_archive
from erresearch.claims.evidence import Evidence
from erresearch.claims.registry import Claim
from erresearch.errors import DataError
from erresearch.inference import Scores
from erresearch.labels import pack_text, unpack_text
from erresearch.moments import Moments
from erresearch.results import Doubt, Estimate, StudentT

__all__ = [
    "LEAST_ROWS",
    "Entry",
    "Pack",
    "check_disclosure",
    "declaration",
    "merge_small",
    "read_pack",
    "strata",
    "write_pack",
]

#: A cell of fewer rows says too much about each of them.
LEAST_ROWS: Final = 10
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


@dataclass(frozen=True, slots=True, eq=False)
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

    def __str__(self) -> str:
        """One sentence."""
        kinds = [entry.kind for entry in self.entries.values()]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        return f"Evidence pack of {self.name}: {len(kinds)} claims ({counted}) out of {self.rows:,} rows"


def declaration(claim: Claim, dataset: str) -> str:
    """Hash of all that decides what is computed for a claim on a data set: procedure, roles and options."""
    declared = {
        "procedure": claim.procedure,
        "roles": {role: list(names) for role, names in claim.roles.items()},
        "options": {**claim.options, **claim.about(dataset).options},
    }
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def strata(rows: int, *, salt: str, least: int = 20) -> np.ndarray:
    """Put rows without an account into strata by a salted hash of their number, never of their content.

    Parameters
    ----------
    rows : int
        Number of rows.
    salt : str
        Makes the strata of one data set differ from those of another.
    least : int
        Rows per stratum at least; there are at most 200 strata.

    Returns
    -------
    (rows,) ndarray of str
        Label of each row's stratum; sizes differ by one at most.

    Raises
    ------
    DataError
        If there are too few rows for two strata.

    Examples
    --------
    >>> labels = strata(100, salt="films")
    >>> np.unique(labels, return_counts=True)[1].tolist()
    [20, 20, 20, 20, 20]
    """
    if least < LEAST_ROWS or rows < 2 * least:
        raise DataError(
            "rows cannot be put into strata",
            got=f"{rows} rows, {least} per stratum",
            allowed=f"at least {LEAST_ROWS} per stratum and two strata",
            fix="bring more rows",
        )
    digests = [hashlib.sha256(f"{salt}:{row}".encode()).digest() for row in range(rows)]
    order = sorted(range(rows), key=digests.__getitem__)
    groups = min(200, rows // least)
    labels = np.empty(rows, dtype="<U4")
    labels[order] = [f"{place * groups // rows:03d}" for place in range(rows)]
    return labels


def check_disclosure(moments: Moments, *, least: int = LEAST_ROWS) -> None:
    """Refuse moments whose cells say too much about single rows.

    Every group needs `least` rows, and no column of zeros and ones may be constant in a group. This is disclosure
    control, not a guarantee of privacy: who knows all rows of a group but one can still work that one out.

    Raises
    ------
    DataError
        Naming the groups or the column.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame({"shop": ["a"] * 12 + ["b"] * 12, "x": range(24)})
    >>> check_disclosure(Moments.from_frame(table, ["x"], by="shop"))
    """
    small = np.flatnonzero(moments.count < least)
    if len(small):
        raise DataError(
            "cells of few rows would give rows away",
            got=f"{len(small):,} of {moments.accounts:,} accounts have fewer than {least} rows",
            allowed=f"{least} or more in each",
            fix="merge them with merge_small",
        )
    plain = moments.about(np.zeros(len(moments.columns)))
    squares = np.einsum("gii->gi", plain.grams())
    for j, name in enumerate(moments.columns):
        ones, n = plain.sums[:, j], plain.weight
        binary = np.allclose(squares[:, j], ones, rtol=1e-9, atol=1e-6) and ones.min() >= -1e-6
        still = (np.abs(ones) < 1e-6) | (np.abs(ones - n) < 1e-6)
        if binary and still.any() and (ones <= n + 1e-6).all():
            raise DataError(
                f"{name!r} is the same in every row of a cell, which gives all of them away",
                got=f"{int(still.sum()):,} of {moments.accounts:,} accounts",
                allowed="zeros and ones in each cell",
                fix="leave the column out, or use fewer and larger cells",
            )


def merge_small(moments: Moments, *, least: int = LEAST_ROWS) -> Moments:
    """Merge accounts with few rows into one, keeping what regressions within accounts need exact.

    The merged account has C = W + s sᵀ/n with W = Σ_g (C_g − s_g s_gᵀ/n_g) and s = Σ_g s_g, so that
    :meth:`erresearch.Moments.within` gives back W: merging before taking the means out would turn differences between
    the accounts into an effect within them. What is lost: the differences between the merged accounts, and their
    number as clusters.

    Parameters
    ----------
    moments : Moments
        By account, without periods.
    least : int
        Rows below which an account is merged.

    Returns
    -------
    Moments
        The merged accounts under the key "(n accounts merged)".

    Raises
    ------
    DataError
        If there are periods, or the merged accounts together have fewer than `least` rows.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame({"shop": ["a"] * 12 + ["b"] * 6 + ["c"] * 6, "x": range(24)})
    >>> m = Moments.from_frame(table, ["x"], by="shop")
    >>> merged = merge_small(m)
    >>> merged.keys.tolist(), merged.within().sum() == m.within().sum()
    (['(2 accounts merged)', 'a'], True)
    """
    if moments.cells is not None:
        raise DataError(
            "moments with periods cannot be merged",
            got=f"period={moments.period!r}",
            fix="make them without `period`",
        )
    small = moments.count < least
    if not small.any():
        return moments
    if moments.count[small].sum() < least:
        raise DataError(
            "the accounts with few rows are too few to be merged",
            got=f"{int(moments.count[small].sum())} rows in {int(small.sum())} accounts",
            allowed=f"{least} rows or more together",
            fix="leave them out of the table",
        )
    within = moments.within()[small].sum(axis=0)
    sums, weight = moments.sums[small].sum(axis=0), moments.weight[small].sum()
    cross = (within + np.outer(sums, sums) / weight)[np.triu_indices(len(moments.columns))]
    keys = np.array([f"({int(small.sum())} accounts merged)", *moments.keys[~small]], dtype=object)
    order = np.argsort(keys.astype(str), kind="stable")
    return Moments(
        columns=moments.columns,
        origin=moments.origin,
        keys=keys[order],
        count=np.array([moments.count[small].sum(), *moments.count[~small]])[order],
        weight=np.array([weight, *moments.weight[~small]])[order],
        sums=np.vstack([sums, moments.sums[~small]])[order],
        cross=np.vstack([cross, moments.cross[~small]])[order],
        dropped=moments.dropped,
        by=moments.by,
        weights=moments.weights,
    )


def write_pack(pack: Pack, path: str | Path) -> Path:
    """Write a pack to one .npz file, whole or not at all.

    Raises
    ------
    EngineError
        If it cannot be written.
    DataError
        If an estimate's interval does not come from Student's t, which is all that the layout can hold.
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
        entries = {claim: _entry(claim, said, arrays) for claim, said in words["entries"].items()}
        plain = {name: words[name] for name in ("name", "sources", "rows", "licence", "citation")}
        return Pack(**plain, columns=tuple(words["columns"]), entries=entries, digest=digest)

    return read_archive(path, "evidence", _FORMAT, make)


def _entry(claim: str, said: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Entry:
    moments = scores = None
    if "moments" in said:
        at = f"{claim}/moments/"
        head = said["moments"]
        origin, count, weight, sums, cross = (arrays[at + name] for name in _MOMENTS)
        moments = Moments(
            columns=tuple(head["columns"]),
            origin=origin,
            keys=unpack_text(arrays[at + "keys"], arrays[at + "offsets"]),
            count=count,
            weight=weight,
            sums=sums,
            cross=cross,
            by=head["by"],
            dropped=head["dropped"],
        )
    if "scores" in said:
        beta, bread, own, hessians = (arrays[f"{claim}/scores/{name}"] for name in _SCORES)
        scores = Scores(beta, bread, own, hessians, said["scores"]["n_rows"], said["scores"]["n_parameters"])
    return Entry(said["declared"], _from_words(said["evidence"]), moments, scores)


_ESTIMATE: Final = ("name", "value", "se", "df", "n_rows", "n_accounts", "unit", "method")


@dataclass(frozen=True, slots=True)
class _Said:
    """The layout of stored evidence, field by field."""

    estimate: Mapping[str, Any]
    doubts: list[list[Any]]
    clusters: int = 0
    barrier: str = ""
    fragile: str = ""
    ends: list[Mapping[str, Any]] = field(default_factory=list)


def _to_words(evidence: Evidence) -> dict[str, Any]:
    if evidence.lead is not None or evidence.reverse is not None:
        raise DataError(
            "evidence with a lead or a reverse direction does not fit into a pack",
            got=evidence.estimate.name,
            fix="arrow claims are judged from rows",
        )
    doubts = [[d.name, d.text, None if np.isnan(d.value) else d.value, d.raised] for d in evidence.doubts]
    return {
        "estimate": _estimate_words(evidence.estimate),
        "ends": [_estimate_words(end) for end in evidence.ends],
        "clusters": evidence.clusters,
        "barrier": evidence.barrier,
        "fragile": evidence.fragile,
        "doubts": doubts,
    }


def _estimate_words(estimate: Estimate) -> dict[str, Any]:
    if not isinstance(estimate.reference, StudentT):
        raise DataError(
            f"the interval of {estimate.name!r} does not fit into a pack",
            got=type(estimate.reference).__name__,
            allowed="Student's t",
            fix="judge this claim from rows",
        )
    return {name: getattr(estimate, name) for name in _ESTIMATE}


def _from_words(words: Mapping[str, Any]) -> Evidence:
    said = _Said(**words)
    return Evidence(
        _estimate(said.estimate),
        ends=tuple(_estimate(end) for end in said.ends),
        clusters=said.clusters,
        barrier=said.barrier,
        fragile=said.fragile,
        doubts=tuple(
            Doubt(name, text, float("nan") if value is None else value, raised)
            for name, text, value, raised in said.doubts
        ),
    )


def _estimate(words: Mapping[str, Any]) -> Estimate:
    reference = StudentT(words["value"], words["se"], words["df"])
    return Estimate(**words, interval=reference.interval(0.95), reference=reference)
