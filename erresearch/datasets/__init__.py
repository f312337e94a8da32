"""Named tables with a licence, a hash and an account of every row.

`load` reads one, `catalog` lists them, `dataset_card` describes one without reading it, `verify` checks the
copy on this machine, `join_films` joins the two sets of films. What is registered stands in
``data/datasets.toml``; no row of a set that others own is part of this project.
"""

from __future__ import annotations

from erresearch.deprecations import old_names
from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__, otherwise=old_names(__name__))
