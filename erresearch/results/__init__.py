"""Every value that a test returns, each with the (binned) points its picture draws.

Numbers happen in functions elsewhere; the objects here only carry them, say them in one sentence and
lay them out as a small table. Nothing here rounds except ``__str__`` and the Markdown shown in a notebook.
"""

from __future__ import annotations

from erresearch.deprecations import old_names
from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__, otherwise=old_names(__name__))
