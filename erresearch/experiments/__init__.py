"""Experiments with posting: planned from a shop's own past, drawn at random, and judged by drawing again."""

from __future__ import annotations

from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__)
