"""Verdicts as a table on disk, and the comparison of two such tables."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from erresearch.errors import DataError
from erresearch.io.files import csv_text

if TYPE_CHECKING:
    from erresearch.results import Verdict

__all__ = ["COLUMNS", "csv_text", "differences", "verdict_rows"]

COLUMNS = (
    "claim",
    "dataset",
    "words",
    "certainty",
    "estimate",
    "value",
    "se",
    "low",
    "high",
    "level",
    "low_95",
    "high_95",
    "unit",
    "n_rows",
    "n_accounts",
    "sesoi",
    "method",
    "evidence",
    "reason",
    "doubts_raised",
)

#: A number in a cell or inside a sentence.
_NUMBER: Final = re.compile(r"[+\-−]?\d[\d,]*(?:\.\d+)?(?:e[+\-−]?\d+)?")


def verdict_rows(verdicts: Iterable[Verdict]) -> list[tuple[object, ...]]:
    """One row per verdict, in the order of :data:`COLUMNS`, sorted by claim and data set.

    Parameters
    ----------
    verdicts : iterable of Verdict
        What was judged.

    Returns
    -------
    list of tuple
        Raw values; nothing is rounded here.

    Examples
    --------
    >>> from erresearch.results import Verdict
    >>> verdict_rows([Verdict("C01", "movies", "not judged", reason="no panel")])[0][:3]
    ('C01', 'movies', 'not judged')
    """
    rows: list[tuple[object, ...]] = []
    for verdict in sorted(verdicts, key=lambda v: (v.claim, v.dataset)):
        estimate, interval = verdict.estimate, verdict.interval
        rows.append(
            (
                verdict.claim,
                verdict.dataset,
                verdict.words,
                str(verdict.certainty) if verdict.certainty else None,
                estimate.name if estimate else None,
                estimate.value if estimate else None,
                estimate.se if estimate else None,
                interval.low if interval else None,
                interval.high if interval else None,
                interval.level if interval else None,
                estimate.interval.low if estimate else None,
                estimate.interval.high if estimate else None,
                estimate.unit if estimate else None,
                estimate.n_rows if estimate else None,
                estimate.n_accounts if estimate else None,
                verdict.sesoi,
                estimate.method if estimate else None,
                verdict.evidence,
                verdict.reason,
                "; ".join(doubt.name for doubt in verdict.doubts if doubt.raised),
            )
        )
    return rows


def _read(path: Path) -> tuple[list[str], dict[tuple[str, str], dict[str, str]]]:
    try:
        lines = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the table of verdicts {str(path)!r} cannot be read", got=str(error), fix="name a verdicts.csv"
        ) from error
    columns = list(lines[0]) if lines else []
    if not {"claim", "dataset"} <= set(columns):
        raise DataError(
            f"{str(path)!r} is not a table of verdicts",
            got=f"columns {', '.join(map(str, columns)) or '(none)'}",
            allowed="a verdicts.csv that `erresearch reproduce` wrote",
        )
    return columns, {(line["claim"], line["dataset"]): line for line in lines}


def _same(found: str, expected: str) -> bool:
    """Same text, whose numbers print the same four digits or differ by round-off alone."""
    if found == expected:
        return True
    numbers = _NUMBER.findall(found), _NUMBER.findall(expected)
    if len(numbers[0]) != len(numbers[1]) or _NUMBER.sub("#", found) != _NUMBER.sub("#", expected):
        return False
    alone = [found] == numbers[0]
    return all(
        # a count or a date inside a sentence has no digits that do not matter
        one == other or ((alone or not (one + other).strip("+-−").isdigit()) and _near(one, other))
        for one, other in zip(*numbers, strict=True)
    )


def _near(one: str, other: str) -> bool:
    a, b = (float(text.replace(",", "").replace("−", "-")) for text in (one, other))
    # two numbers on either side of a rounding boundary may print differently and yet be the same
    return f"{a:.4g}" == f"{b:.4g}" or math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)


def differences(found: str | Path, expected: str | Path) -> tuple[str, ...]:
    r"""Every verdict or printed digit in which two tables of verdicts differ.

    Numbers, those inside a sentence too, are the same when they print the same four significant digits or differ by less
    than a millionth; what is nothing but round-off counts as 0.

    Parameters
    ----------
    found, expected : path
        Two files named ``verdicts.csv``.

    Returns
    -------
    tuple of str
        One line per difference; empty where there is none.

    Raises
    ------
    DataError
        If a file cannot be read or is no table of verdicts.

    See Also
    --------
    verdict_rows : What is written there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     a, b = Path(folder) / "a.csv", Path(folder) / "b.csv"
    ...     _ = a.write_text("claim,dataset,value\nC01,movies,0.12345\n")
    ...     _ = b.write_text("claim,dataset,value\nC01,movies,0.13345\n")
    ...     differences(a, b)
    ("C01 on movies: value is '0.12345', expected '0.13345'",)
    """
    columns, ours = _read(Path(found))
    _, theirs = _read(Path(expected))
    said = [f"{claim} on {data}: is new" for claim, data in sorted(ours.keys() - theirs.keys())]
    said += [f"{claim} on {data}: is missing" for claim, data in sorted(theirs.keys() - ours.keys())]
    for key in sorted(ours.keys() & theirs.keys()):
        said += [
            f"{key[0]} on {key[1]}: {column} is {ours[key][column]!r}, expected {theirs[key].get(column)!r}"
            for column in columns
            if not _same(ours[key][column] or "", theirs[key].get(column) or "")
        ]
    return tuple(said)
