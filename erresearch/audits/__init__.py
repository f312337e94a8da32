"""One's own files audited: read, joined, judged, and written down with what could not be told.

The names of ``__all__`` are imported at their first use.
"""

from __future__ import annotations

from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__)
