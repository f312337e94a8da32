"""Pictures of results. Each takes results and returns matplotlib axes; none estimates anything."""

from __future__ import annotations

from erresearch.figures.style import SYMBOLS, WORD_COLOURS, theme

__all__ = ["SYMBOLS", "WORD_COLOURS", "theme"]
