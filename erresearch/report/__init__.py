"""What people see of results: pictures, one HTML file, a board on the terminal, tables on disk, reproductions.

The names of ``__all__`` are imported at their first use, so that a picture does not load what writes a page.
"""

from __future__ import annotations

from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__)
