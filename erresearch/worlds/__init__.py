"""Simulated tables with a known answer, to see whether a method finds it.

Everything here is simulated and says so: nothing that it returns is evidence about the world.
"""

from __future__ import annotations

from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__)
