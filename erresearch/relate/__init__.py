"""Do two things move together? Correlation, regression, growth and precedence, all from moments."""

from __future__ import annotations

from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__)
