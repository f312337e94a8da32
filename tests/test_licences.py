"""This package is BSD-licensed and stays so: nothing it needs at run time is copyleft beyond a file."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

STRONG = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)
# A choice of licences that includes a permissive one is taken as the permissive one.
CHOICE = re.compile(r"\bOR\b|\bor\b|Artistic|/")


def needed(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """Names of everything that `name` needs here, itself included."""
    found: set[str] = set()
    queue = [(canonicalize_name(name), extras)]
    while queue:
        current, asked = queue.pop()
        try:
            requires = distribution(current).requires or []
        except PackageNotFoundError:
            continue
        if current in found and not asked:
            continue
        found.add(current)
        for requirement in map(Requirement, requires):
            marker = requirement.marker
            wanted = marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *asked))
            target = canonicalize_name(requirement.name)
            if wanted and target not in found:
                queue.append((target, frozenset(requirement.extras)))
    return found


def licence(name: str) -> str:
    """What a package says of its licence: expression, first line of the text, classifiers."""
    metadata = distribution(name).metadata
    text = (metadata.get("License") or "").strip().split("\n")[0][:120]
    classifiers = [c for c in metadata.get_all("Classifier") or [] if c.startswith("License")]
    return " | ".join(filter(None, [metadata.get("License-Expression"), text, *classifiers]))


PACKAGES = sorted(needed("erresearch"))


def test_the_walk_reaches_beyond_the_first_ring():
    assert {"pandas", "six", "tornado"} <= set(PACKAGES)


@pytest.mark.parametrize("name", PACKAGES)
def test_no_strong_copyleft(name: str):
    said = licence(name)
    strong = STRONG.search(re.sub(r"LGPL|Lesser General Public", "", said))
    assert not strong or CHOICE.search(said), f"{name}: {said}"
