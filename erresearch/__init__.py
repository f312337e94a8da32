"""Does engagement go with revenue? Tests it, and shows its doubts.

The names listed in ``__all__`` are imported from their modules at first use, so that ``import erresearch``
takes a fraction of the time of ``import pandas``.

Examples
--------
>>> import erresearch as er
>>> er.Interval(0.02, 0.31, 0.95).inside(0, 1)
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from erresearch.errors import ErresearchError as ErresearchError, ErresearchWarning as ErresearchWarning
    from erresearch.expressions import lag as lag, log as log
    from erresearch.results import Estimate as Estimate, Interval as Interval, Verdict as Verdict

__version__ = "0.1.0"

# The same names as above, for the running program; a test keeps the two alike.
_NAMES: Final = {
    "errors": ("ErresearchError", "ErresearchWarning"),
    "expressions": ("lag", "log"),
    "results": ("Estimate", "Interval", "Verdict"),
}
_MODULE_OF: Final = {name: module for module, names in _NAMES.items() for name in names}

__all__ = ["__version__", *_MODULE_OF]  # noqa: PLE0604 - all of them are text


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; dir(erresearch) lists them")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Names for completion, whether imported yet or not."""
    return sorted(__all__)
