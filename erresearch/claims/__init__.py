"""Sentences from sources, judged: the registry of claims, the words of a verdict, the board."""

from __future__ import annotations

from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__)
