"""What people see of results: pictures, one HTML file, a board on the terminal, tables on disk, reproductions.

The names of ``__all__`` are imported at their first use, so that a picture does not load what writes a page.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from erresearch.report import figures as figures
    from erresearch.report.html import ClaimRecord as ClaimRecord, write_report as write_report
    from erresearch.report.reproduction import living_curve as living_curve
    from erresearch.report.sentences import answer as answer

_MODULE_OF: Final = {
    "ClaimRecord": "html",
    "answer": "sentences",
    "figures": "",
    "living_curve": "reproduction",
    "write_report": "html",
}

__all__ = ["ClaimRecord", "answer", "figures", "living_curve", "write_report"]


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _MODULE_OF[name]:
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
