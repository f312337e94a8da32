"""Old name of :mod:`erresearch.relate.scores` and :mod:`erresearch.relate.bootstrap`, kept for one release."""

from __future__ import annotations

import warnings
from typing import Any

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    from erresearch.relate import bootstrap, scores

    for module in (scores, bootstrap):
        if name in module.__all__:
            text = (
                f"erresearch.inference.{name} is {module.__name__}.{name}; the old name goes with version 0.3"
            )
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            return getattr(module, name)
    raise AttributeError(
        f"module 'erresearch.inference' has no attribute {name!r}; see erresearch.relate.scores"
    )
