"""How could that be wrong? Nil or not, power, confounders, every specification, noise, guards."""

from __future__ import annotations

from erresearch.deprecations import old_names
from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__, otherwise=old_names(__name__))
