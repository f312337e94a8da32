"""Making evidence packs from rows, reading those that ship, and checking them against the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from erresearch.claims.decision_rule import Evidence
from erresearch.claims.disclosure import LEAST_ROWS, check_disclosure, strata
from erresearch.claims.packs import Entry, Pack, declaration, read_pack
from erresearch.claims.procedures import PROCEDURES
from erresearch.claims.procedures.comparison import look_beside
from erresearch.claims.procedures.people import group_moments, threshold_moments
from erresearch.claims.registry import Claim, read_claims
from erresearch.claims.variables import Variables, cast_roles
from erresearch.datasets import dataset_card, join_films, load, unshared_projects
from erresearch.datasets.entries import look
from erresearch.engine.moments import Moments
from erresearch.errors import DataError, EngineError
from erresearch.io.files import resource
from erresearch.relate.fitted_models import Fitted
from erresearch.relate.scores import Scores
from erresearch.results import Estimate, Fit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["evidence_from_pack", "here", "make_pack", "names_to_pack", "rows_of", "shipped", "verify_pack"]

_STRATUM: Final = "stratum"
#: Procedures that need nothing but moments, and who makes these from rows.
_SUMS: Final[Mapping[str, Callable[[Variables[Any]], Moments]]] = MappingProxyType(
    {"groups": group_moments, "threshold": threshold_moments}
)
#: Data sets that a board's data set is made from, and who makes it.
_JOINED: Final[Mapping[str, tuple[tuple[str, ...], Callable[[], Any]]]] = MappingProxyType(
    {
        "fandango": (("csm-movies", "fandango"), join_films),
        "best-of-web-python": (("best-of-ml-python", "best-of-web-python"), unshared_projects),
    }
)


def names_to_pack(claims: Iterable[Claim] | None = None) -> tuple[str, ...]:
    """Return the data sets that a claim names and that do not come with the package.

    Examples
    --------
    >>> "hillstrom" in names_to_pack()
    True
    """
    named = {name for claim in (claims or read_claims()) for name in claim.family}
    return tuple(sorted(name for name in named if not dataset_card(name).embedded))


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
        entries={claim.id: _entry(claim, name, table) for claim in mine},
        licence=account.get("licence", ""),
        citation=account.get("citation", ""),
    )


def _entry(claim: Claim, name: str, table: pd.DataFrame) -> Entry:
    cast = cast_roles(claim, table, dataset=name)
    found = PROCEDURES[claim.procedure](cast)
    evidence = replace(found, result=None, beside=look_beside(claim.procedure, cast))
    moments = scores = None
    if claim.procedure in _SUMS:
        moments = replace(_SUMS[claim.procedure](cast), source=None)
        check_disclosure(moments)
    elif claim.procedure in ("slope", "mix") and "by" not in cast.roles:
        scores = _strata_scores(claim, cast)
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
    again = replace(cast, data=labelled, options=replace(cast.options, strata=_STRATUM))
    fit = PROCEDURES[claim.procedure](again).result
    assert isinstance(fit, Fit)
    assert isinstance(fit.model, Fitted)
    return fit.model.model


def evidence_from_pack(claim: Claim, pack: Pack, *, level: float = 0.95) -> Evidence:
    """Evidence on a claim: computed again from the pack's moments, or as it was stored.

    Raises
    ------
    DataError
        If the pack has nothing on the claim as it is declared now.
    ColumnError
        If the data set lacks a column that the claim needs.
    """
    cast = cast_roles(claim, pack, dataset=pack.name, level=level)
    entry = pack.entry(claim)
    if entry.moments is None:
        return entry.evidence
    again = PROCEDURES[claim.procedure](replace(cast, data=entry.moments))
    return replace(again, beside=entry.evidence.beside)


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
    wrong = [
        f"{claim}: {_differs(pack, made, claim)}"
        for claim in sorted({*pack.entries, *made.entries})
        if _differs(pack, made, claim)
    ]
    if wrong:
        raise EngineError(
            f"the evidence pack of {name!r} is not what its rows give",
            got="; ".join(wrong),
            fix="make it again with data/make_evidence.py",
        )
    same = "the same file" if dict(pack.sources) == dict(made.sources) else "a copy saved anew"
    return f"{name}: evidence on {len(made.entries)} claims computed again from {same}, all digits as in the pack."


def _differs(pack: Pack, made: Pack, claim: str) -> str:
    if claim not in pack.entries or claim not in made.entries:
        return "in one of the two only"
    ours, theirs = pack.entries[claim], made.entries[claim]
    if ours.declared != theirs.declared:
        return "declared otherwise"
    a, b = ours.evidence.estimate, theirs.evidence.estimate
    return "" if _same(a, b) else f"{a.value:.10g} ± {a.se:.10g} in the pack, {b.value:.10g} ± {b.se:.10g}"


def _same(a: Estimate, b: Estimate) -> bool:
    pairs = ((a.value, b.value), (a.se, b.se), (a.df, b.df))
    return a.n_rows == b.n_rows and all(math.isclose(x, y, rel_tol=1e-8, abs_tol=1e-12) for x, y in pairs)
