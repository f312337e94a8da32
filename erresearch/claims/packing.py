"""Evidence packs: what was computed from a data set that may not be passed on, without one of its rows.

A pack says for each claim either *from pack* (moments by group, from which the estimate is computed again, digit by
digit) or *stored* (the finished fit, and for regressions the scores and Hessians of strata of rows, which let anybody
compute its standard error again in another way).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass, fields, is_dataclass, replace
from itertools import combinations, zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np

from erresearch.claims.decision_rule import Evidence
from erresearch.claims.disclosure import LEAST_ROWS, check_disclosure, strata
from erresearch.claims.procedures import PROCEDURES, look_beside
from erresearch.claims.procedures.longitudinal import list_scores, panel_scores, scores_of
from erresearch.claims.procedures.people import group_moments, threshold_moments
from erresearch.claims.registry import LARGEST_FAMILY, Claim, declaration, names_to_pack, read_claims
from erresearch.claims.variables import Rowless, Variables, cast_roles
from erresearch.datasets import dataset_card, join_films, load, unshared_projects
from erresearch.datasets.entries import look, registered
from erresearch.engine.moments import Moments
from erresearch.engine.stored import is_count, pack_text, read_archive, write_archive
from erresearch.errors import Count, DataError, EngineError, warn
from erresearch.io import pd
from erresearch.io.files import read_fields, read_value, resource
from erresearch.relate.inference import Scores
from erresearch.results import Affine, Estimate, Interval, IntervalTable, StudentT
from erresearch.worlds import CASES, WORLDS, simulate_panel

_FORMAT: Final = 2
_SEED: Final = 2026  # of the simulated worlds on the embedded board
_MOMENTS: Final = ("origin", "count", "weight", "sums", "cross")
#: What a pack says of its data set, as it is.
_WORDS: Final = ("name", "sources", "columns", "rows", "licence", "citation")
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
        Of the fitted regression, summed over strata of rows or of accounts.
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
class Pack(Rowless):
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
        again, found = "make it again from the rows with data/make_evidence.py", self.entries.get(claim.id)
        pack, declared = f"the evidence pack of {self.name!r}", declaration(claim, self.name)
        if found is None:
            known = ", ".join(sorted(self.entries)) or "nothing"
            raise DataError(f"{pack} has nothing on {claim.id}", allowed=known, fix=again)
        if found.declared != declared:
            wrong, got = f"{pack} was made for another declaration of {claim.id}", found.declared[:12]
            raise DataError(wrong, got=f"declaration {got}", allowed=declared[:12], fix=again)
        return found

    def evidence(self, claim: Claim, *, level: float = 0.95) -> Evidence:
        """Evidence on a claim: computed again from its moments, or as it was stored."""
        cast = cast_roles(claim, self, dataset=self.name, level=level)
        entry = self.entry(claim)
        if entry.moments is None:
            return replace(entry.evidence, source=entry.kind)
        again = PROCEDURES[claim.procedure](replace(cast, data=entry.moments))
        return replace(again, beside=entry.evidence.beside, source=entry.kind)

    def totals(self, claim: Claim) -> pd.DataFrame:
        """Sums of a claim's columns by group, of their products, and how many rows.

        Raises
        ------
        DataError
            If there are no sums on the claim (:meth:`entry`).
        """
        moments = self.entry(claim).moments
        if moments is None:
            raise DataError(
                f"the evidence on {claim.id} is a stored number without sums", fix="read its verdict instead"
            )
        about_zero = moments.about(np.zeros(len(moments.columns)))
        found = dict(zip(moments.columns, about_zero.sums.T, strict=True))
        for (i, one), (j, other) in combinations(enumerate(moments.columns), 2):
            found[f"{one} × {other}"] = about_zero.grams()[:, i, j]
        return pd.DataFrame({**found, "rows": moments.count}, index=[str(key) for key in moments.keys])

    def __str__(self) -> str:
        """One sentence."""
        kinds = [entry.kind for entry in self.entries.values()]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        return f"Evidence pack of {self.name}: {Count(len(kinds)):claim} ({counted}) out of {Count(self.rows):row}"


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
    words = {name: getattr(pack, name) for name in _WORDS} | {"entries": entries}
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
        plain = read_fields(Pack, {name: words[name] for name in _WORDS}, leave=("entries", "digest"))
        entries = {claim: _entry(claim, said, arrays) for claim, said in words["entries"].items()}
        return Pack(**plain, entries=entries, digest=digest)

    return read_archive(path, "evidence", _FORMAT, make)


def _entry(claim: str, said: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Entry:
    moments = scores = None
    if "moments" in said:
        at = f"{claim}/moments/"
        found = {name: arrays[at + name] for name in (*_MOMENTS, "keys")}
        words = {"period": None, "weights": None, **said["moments"]}
        moments = Moments.from_parts(words, {**found, "key_offsets": arrays[at + "offsets"]})
    if "scores" in said:
        parts: list[Any] = [arrays[f"{claim}/scores/{name}"] for name in _SCORES]
        counts = [said["scores"][name] for name in ("n_rows", "n_parameters")]
        p, strata = len(parts[0]), len(parts[2])
        shapes = [(p,), (p, p), (strata, p), (strata, p, p)]
        numbers = all(part.dtype.kind == "f" and np.isfinite(part).all() for part in parts)
        if [part.shape for part in parts] != shapes or not numbers or not all(map(is_count, counts)):
            raise ValueError(f"scores of {claim} do not fit together")
        scores = Scores(*parts, *counts)
    evidence = read_value(Evidence, said["evidence"], makers={Estimate: _estimate})
    declared = read_value(str, said["declared"])
    return Entry(declared, replace(evidence, result=evidence.order), moments, scores)


#: Levels at which an interval without a distribution of a known name is stored: those of Holm's steps.
_LEVELS: Final = tuple(1 - 0.05 / left for left in range(1, LARGEST_FAMILY + 1))
#: Fields that are not stored: they follow from others, or are made again.
_MADE_AGAIN: Final[Mapping[type, frozenset[str]]] = MappingProxyType(
    {Estimate: frozenset({"interval", "reference"}), Evidence: frozenset({"result", "source"})}
)


def _to_words(value: Any) -> Any:
    """What JSON can hold of a value, field by field; of an estimate also its distribution, or intervals without one."""
    if is_dataclass(value):
        again = _MADE_AGAIN.get(type(value), ())
        kept = [each.name for each in fields(value) if each.name not in again]
        words = {name: _to_words(getattr(value, name)) for name in kept}
        return words | (_intervals(value) if isinstance(value, Estimate) else {})
    if isinstance(value, Mapping):
        return {key: _to_words(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_to_words(each) for each in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _intervals(estimate: Estimate) -> dict[str, Any]:
    reference = estimate.behind("a pack")
    while isinstance(reference, Affine):
        reference = reference.reference
    if isinstance(reference, StudentT):
        return {}
    return {"intervals": [list(astuple(estimate.at(level).interval)) for level in _LEVELS]}


def _estimate(words: Mapping[str, Any]) -> Estimate:
    """An estimate with its distribution, or with the intervals that were stored in its place."""
    plain = {name: word for name, word in words.items() if name != "intervals"}
    held = read_fields(Estimate, plain, leave=_MADE_AGAIN[Estimate])
    reference: StudentT | IntervalTable = StudentT(held["value"], held["se"], held["df"])
    if "intervals" in words:
        ends = read_value(tuple[tuple[float, float, float], ...], words["intervals"])
        reference = IntervalTable(tuple(Interval(*one) for one in ends))
    return Estimate(**held, interval=reference.interval(0.95), reference=reference)


# ---------------------------------------------------------------------------------------------- made from rows
_STRATUM: Final = "stratum"
#: Procedures whose scores are summed over strata of whole accounts, and who makes these from rows.
_OVER_ACCOUNTS: Final[Mapping[str, Callable[..., Scores | None]]] = MappingProxyType(
    {"precedence": panel_scores, "long run": panel_scores, "decay": list_scores}
)
#: Procedures that need nothing but moments, and who makes these from rows.
_SUMS: Final[Mapping[str, Callable[[Variables[Any]], Moments]]] = MappingProxyType(
    {"groups": group_moments, "threshold": threshold_moments}
)
#: Data sets that a board's data set is made from, and who makes it.
_JOINED: Final[Mapping[str, tuple[tuple[str, ...], Callable[[], Any]]]] = {
    "fandango": (("csm-movies", "fandango"), join_films),
    "best-of-web-python": (("best-of-ml-python", "best-of-web-python"), unshared_projects),
}


def here(name: str) -> bool:
    """Whether the rows of a data set are on this machine."""
    parts = _JOINED[name][0] if name in _JOINED else (name,)
    return all(look(dataset_card(part)) is not None for part in parts)


def rows_of(name: str) -> pd.DataFrame:
    """Load the rows that claims are judged on: two sets joined, or what one holds beyond another; most as they are."""
    return _JOINED[name][1]() if name in _JOINED else load(name)


def make_pack(name: str, data: Any = None, *, claims: Iterable[Claim] | None = None) -> Pack:
    """Compute from the rows of a data set all that its claims need.

    Parameters
    ----------
    name : str
        Data set, as claims name it.
    data : pandas.DataFrame, optional
        Its rows; loaded where they are not given.
    claims : iterable of Claim, optional
        The registry by default; those with `name` in their family are packed.

    Returns
    -------
    Pack

    Raises
    ------
    DataError
        If a cell would give rows away.
    EngineError
        If the rows are not to be had.
    """
    table = rows_of(name) if data is None else data
    account = table.attrs.get("erresearch", {})
    hashes = account.get("sha256", "")
    mine = [claim for claim in (claims or read_claims()) if name in claim.family]
    return Pack(
        name=name,
        sources=hashes if isinstance(hashes, dict) else {name: hashes},
        columns=tuple(map(str, table.columns)),
        rows=len(table),
        entries={claim.id: _computed(claim, name, table) for claim in mine},
        licence=account.get("licence", ""),
        citation=account.get("citation", ""),
    )


def _computed(claim: Claim, name: str, table: pd.DataFrame) -> Entry:
    cast = cast_roles(claim, table, dataset=name)
    found = PROCEDURES[claim.procedure](cast)
    evidence = replace(found, result=None, beside=look_beside(claim.procedure, cast))
    moments = scores = None
    if claim.procedure in _SUMS:
        moments = replace(_SUMS[claim.procedure](cast), source=None)
        check_disclosure(moments)
    elif claim.procedure in ("slope", "mix") and "by" not in cast.roles:
        scores = _strata_scores(claim, cast)
    elif claim.procedure in _OVER_ACCOUNTS:
        scores = _OVER_ACCOUNTS[claim.procedure](cast, salt=claim.id)
    return Entry(declaration(claim, name), evidence, moments, scores)


def _strata_scores(claim: Claim, cast: Variables[Any]) -> Scores:
    """Scores and Hessians of the same regression, summed over strata of rows."""
    table = cast.data
    labelled = table.assign(**{_STRATUM: strata(len(table), salt=claim.id)})
    used = cast.terms(cast.roles)
    counts = Moments.from_frame(labelled, used, by=_STRATUM).count
    if counts.min() < LEAST_ROWS:
        raise DataError(
            f"a stratum of {claim.id} has few complete rows",
            got=f"{counts.min()} in the smallest of {len(counts)}",
            allowed=f"{LEAST_ROWS} or more",
            fix="use fewer strata",
        )
    again = replace(cast, data=labelled, strata=_STRATUM)
    return scores_of(PROCEDURES[claim.procedure](again).result)


def shipped() -> dict[str, Pack]:
    """Read the packs that come with the package, by name of the data set.

    Raises
    ------
    EngineError
        If one of them is damaged or of another version.

    Examples
    --------
    >>> print(shipped()["hillstrom"])
    Evidence pack of hillstrom: 3 claims (3 from pack) out of 64,000 rows
    """
    folder = resource("data") / "evidence"
    paths = {name: folder / f"{name}.npz" for name in names_to_pack()}
    return {name: read_pack(path) for name, path in paths.items() if path.is_file()}


def verify_pack(name: str, pack: Pack | None = None) -> str:
    """Compute a data set's evidence again from its rows and compare it with the pack.

    Returns
    -------
    str
        What was compared.

    Raises
    ------
    EngineError
        If there is no pack or no copy of the rows, the rows are another file, or a number differs.
    """
    pack = pack if pack is not None else shipped().get(name)
    if pack is None or not here(name):
        raise EngineError(
            f"the evidence of {name!r} cannot be computed again",
            got="no pack" if pack is None else "no copy of the rows on this machine",
            fix="load the data set once, or point ERRESEARCH_DATA_DIR at a copy",
        )
    made = make_pack(name)
    every = sorted({*pack.entries, *made.entries})
    wrong = [f"{claim}: {how}" for claim in every if (how := _differs(pack, made, claim))]
    if wrong:
        said = f"the evidence pack of {name!r} is not what its rows give"
        raise EngineError(said, got="; ".join(wrong), fix="make it again with data/make_evidence.py")
    same = "the same file" if dict(pack.sources) == dict(made.sources) else "a copy saved anew"
    return f"{name}: evidence on {Count(len(made.entries)):claim} computed again from {same}, all digits as in the pack."


def _differs(pack: Pack, made: Pack, claim: str) -> str:
    if claim not in pack.entries or claim not in made.entries:
        return "in one of the two only"
    ours, theirs = pack.entries[claim], made.entries[claim]
    if ours.declared != theirs.declared:
        return "declared otherwise"
    a, b = ours.evidence.estimate, theirs.evidence.estimate
    pairs = ((a.value, b.value), (a.se, b.se), (a.df, b.df))
    if a.n_rows != b.n_rows or not all(math.isclose(*pair, rel_tol=1e-8, abs_tol=1e-12) for pair in pairs):
        return f"{a.value:.10g} ± {a.se:.10g} in the pack, {b.value:.10g} ± {b.se:.10g}"
    # alike but for rounding, at the size of each
    both = zip_longest(_arrays(ours), _arrays(theirs), fillvalue=np.empty(0))
    alike = (
        one.shape == other.shape
        and np.allclose(one, other, rtol=1e-6, atol=1e-6 * np.abs(one).max(initial=0.0))
        for one, other in both
    )
    return "" if all(alike) else "other sums over groups or strata"


def _arrays(entry: Entry) -> list[np.ndarray]:
    parts = ((entry.moments, _MOMENTS), (entry.scores, _SCORES))
    return [np.asarray(getattr(part, name)) for part, names in parts if part is not None for name in names]


def embedded() -> dict[str, Any]:
    """Data sets that the board needs no network for: the embedded one, evidence packs, every simulated world.

    What is on the machine is not looked at, so that everybody gets the same board.

    Returns
    -------
    dict of str to pandas.DataFrame or Pack
        Simulated tables carry ``attrs["simulated"]`` and ``attrs["seed"]``.

    Warns
    -----
    ErresearchWarning
        Naming data sets that have no pack and are left out.

    Examples
    --------
    >>> list(embedded())[:2]
    ['movies', 'er-benchmarks']
    """
    real: dict[str, Any] = {name: load(name) for name in ("movies", "er-benchmarks")}
    packs = shipped()
    for name in names_to_pack():
        if name in packs:
            real[name] = packs[name]
        elif not registered()[name].pending:
            warn(f"{name} is left out: it has no evidence pack")
    worlds = {name: simulate_panel(name, rng=_SEED)[0] for name in (*WORLDS, *CASES)}
    for table in worlds.values():
        table.attrs["seed"] = _SEED
    return {**real, **worlds}
