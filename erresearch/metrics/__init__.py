"""Engagement, loyalty and money ratios, each by its own definition and with its uncertainty."""

from __future__ import annotations

from erresearch.deprecations import old_names
from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__, otherwise=old_names(__name__))
