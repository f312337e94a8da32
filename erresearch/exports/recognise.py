"""Which layout a row of headers belongs to, and which column is which."""

from __future__ import annotations

import difflib
import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from erresearch.errors import ColumnError
from erresearch.exports.registry import Format, aliases, load_registry, normalise

__all__ = ["Match", "best_match", "match_header", "not_recognised", "vocabulary"]


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A row of headers read as one layout.

    Parameters
    ----------
    layout : Format
        The layout.
    columns : mapping of str to int
        Canonical column → position.
    language : str
        Language of most headers.
    currencies : mapping of str to str
        Canonical column → currency code that its header carries.
    unknown : tuple of int
        Positions of headers that the layout does not know.
    twins : mapping of str to tuple of int
        Canonical column → positions of columns with exactly the same header.
    mixed : mapping of str to tuple of str
        Canonical column → the currencies of its headers, where they are several.
    """

    layout: Format
    columns: Mapping[str, int]
    language: str
    currencies: Mapping[str, str]
    unknown: tuple[int, ...]
    twins: Mapping[str, tuple[int, ...]]
    mixed: Mapping[str, tuple[str, ...]]

    @property
    def score(self) -> int:
        """How many canonical columns were found."""
        return len(self.columns)


@dataclass(frozen=True, slots=True)
class _Hit:
    position: int
    rank: int
    exact: bool
    language: str
    currency: str


def match_header(layout: Format, header: Sequence[str]) -> Match | None:
    """Read a row as the headers of a layout.

    Parameters
    ----------
    layout : Format
        The layout.
    header : sequence of str
        Cells of the row.

    Returns
    -------
    Match or None
        None where a column of the signature has no header.

    Examples
    --------
    >>> from erresearch.exports.registry import load_registry
    >>> layout, = load_registry().choose("tiktok-followers")
    >>> match_header(layout, ["DATE", "Followers ", "difference in followers from previous day"]).columns
    {'date': 0, 'followers': 1, 'followers_gained': 2}
    """
    hits: dict[str, list[_Hit]] = {}
    claimed = set()
    for position, cell in enumerate(header):
        for target, hit in _hits(layout, position, cell):
            hits.setdefault(target, []).append(hit)
            claimed.add(position)
    if not all(any(target in hits for target in wanted.split("|")) for wanted in layout.signature):
        return None
    ignored = {normalise(text) for text in layout.ignore}
    unknown = tuple(
        i
        for i, cell in enumerate(header)
        if cell.strip() and i not in claimed and normalise(cell) not in ignored
    )
    if layout.exact and unknown:
        return None
    best = {
        target: min(found, key=lambda hit: (hit.rank, not hit.exact, hit.position))
        for target, found in hits.items()
    }
    columns = {
        target: hit.position for target, hit in sorted(best.items(), key=lambda item: item[1].position)
    }
    twins = {
        target: tuple(h.position for h in found if header[h.position] == header[best[target].position])
        for target, found in hits.items()
    }
    languages = Counter(hit.language for hit in best.values())
    return Match(
        layout,
        columns,
        max(languages, key=lambda language: (languages[language], language == "en"), default="en"),
        {target: hit.currency for target, hit in best.items() if hit.currency},
        unknown,
        {target: positions for target, positions in twins.items() if len(positions) > 1},
        {
            target: codes
            for target, found in hits.items()
            if len(codes := tuple(sorted({h.currency for h in found}))) > 1
        },
    )


def _hits(layout: Format, position: int, cell: str) -> Iterable[tuple[str, _Hit]]:
    plain, patterned = aliases(layout)
    key = normalise(cell)
    if not key:
        return
    for alias in plain.get(key, ()):
        texts = layout.columns[alias.target][alias.language]
        exact = cell.strip() == alias.text
        yield alias.target, _Hit(position, texts.index(alias.text), exact, alias.language, "")
    for alias in patterned:
        found = alias.pattern.fullmatch(key) if alias.pattern else None
        if found:
            yield alias.target, _Hit(position, 0, True, alias.language, found["currency"].upper())


def best_match(header: Sequence[str], layouts: Iterable[Format], *, preamble: bool = False) -> Match | None:
    """Return the layout that knows most of a row's headers.

    Parameters
    ----------
    header : sequence of str
        Cells of the row.
    layouts : iterable of Format
        Layouts to try.
    preamble : bool
        Whether the lines above announced a downloaded report, so that any row may be its header.

    Returns
    -------
    Match or None
        None where no layout fits.
    """
    found = [
        match
        for layout in layouts
        if (preamble or not layout.preamble) and (match := match_header(layout, header))
    ]
    announced = [match for match in found if match.layout.preamble]
    return max(announced or found, key=lambda match: (len(match.layout.signature), match.score), default=None)


@functools.lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """Every header that any layout knows, normalised."""
    return frozenset(key for layout in load_registry().formats for key in aliases(layout)[0])


def not_recognised(name: str, head: Sequence[Sequence[str]], layouts: Iterable[Format]) -> ColumnError:
    """Say that no row is a known header, and which layout comes nearest.

    Parameters
    ----------
    name : str
        File name.
    head : sequence of rows
        The first rows.
    layouts : iterable of Format
        Layouts that were tried.

    Returns
    -------
    ColumnError
        To be raised by the caller; it shows the headers of the likeliest row and the closest known ones.
    """
    known = vocabulary()
    rows = [[cell for cell in row if cell.strip()] for row in head]
    rows = [row for row in rows if row] or [[]]
    best = max(rows, key=lambda row: (sum(normalise(cell) in known for cell in row), len(row)))
    if (
        rows[0]
        and all(_looks_like_data(cell) for cell in rows[0])
        and not any(normalise(c) in known for c in best)
    ):
        return ColumnError(
            f"{name} has no row of headers",
            got="row 1 already holds data: " + ", ".join(map(repr, rows[0][:5])),
            fix="add a row of headers, or say which column is which with mapping=",
        )
    strange = [cell for cell in best if normalise(cell) not in known]
    near = []
    for cell in strange[:8]:
        close = difflib.get_close_matches(normalise(cell), known, n=1, cutoff=0.75)
        if close:
            near.append(f"{cell.strip()!r} (near {close[0]!r})")
    nearest = max(layouts, key=lambda layout: _shared(layout, best), default=None)
    hint = ""
    if nearest is not None and _shared(nearest, best):
        lacking = [
            " or ".join(repr(h) for t in wanted.split("|") for h in nearest.headers(t)[:2])
            for wanted in nearest.signature
            if not any(
                normalise(c) in {normalise(h) for t in wanted.split("|") for h in nearest.headers(t)}
                for c in best
            )
        ]
        needed = ", ".join(lacking) or "the lines that the platform writes above the headers"
        hint = f"nearest layout: {nearest.name}, which needs {needed}"
    first = "; ".join(" | ".join(cell[:24] for cell in row[:6]) for row in rows[:4])
    return ColumnError(
        f"{name}: no known layout has these headers",
        got=", ".join(repr(cell[:40]) for cell in best[:30]) if len(best) > 1 else f"first rows: {first}",
        allowed=hint,
        fix=(f"unknown headers: {', '.join(near)}; " if near else "")
        + "say which column is which with mapping=, or see erresearch.exports.platforms()",
    )


def _shared(layout: Format, cells: Sequence[str]) -> int:
    keys = aliases(layout)[0]
    return sum(normalise(cell) in keys for cell in cells)


def _looks_like_data(cell: str) -> bool:
    digits = sum(character.isdigit() for character in cell)
    return digits > 0 and digits >= 0.3 * len(cell.strip())
