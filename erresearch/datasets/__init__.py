"""Named tables with a licence, a hash and an account of every row.

`load` reads one, `catalog` lists them, `dataset_card` describes one without reading it, `verify` checks the
copy on this machine, `join_films` joins the two sets of films. What is registered stands in
``data/datasets.toml``; no row of a set that others own is part of this project.
"""

from __future__ import annotations

from erresearch.datasets.entries import Column, Dataset, Verified, dataset_card
from erresearch.datasets.loading import catalog, join_films, load, unshared_projects, verify

__all__ = [
    "Column",
    "Dataset",
    "Verified",
    "catalog",
    "dataset_card",
    "join_films",
    "load",
    "unshared_projects",
    "verify",
]
