"""Files written whole, archives of arrays, memory and progress.

What is large is imported at its first use, so that ``import erresearch`` stays light. A module takes libraries from here
(``from erresearch.io import pd, pl``) as it would import them. A room's front door lists its names once, in the stub
beside it (``__init__.pyi``), which type checkers and :func:`names_at_first_use` read.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["Deferred", "names_at_first_use", "pd", "pl"]


class Deferred:
    """A library that is imported when a name of it is wanted.

    Parameters
    ----------
    name : str
        The library.
    """

    def __init__(self, name: str) -> None:
        self._library = name

    def __getattr__(self, name: str) -> Any:
        """A name of the library, which is kept."""
        value = getattr(importlib.import_module(self._library), name)
        setattr(self, name, value)
        return value


def names_at_first_use(
    package: str, place: str, *, otherwise: Callable[[str], object] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Names in the stub beside a package's ``__init__.py``; those that it imports are imported when first asked for.

    Parameters
    ----------
    package, place : str
        ``__name__`` and ``__file__`` of the package.
    otherwise : callable, optional
        What answers for a name that is not in the stub.

    Returns
    -------
    tuple
        ``__getattr__``, ``__dir__`` and ``__all__`` of the package, as Scientific Python's SPEC 1 has them.
    """
    stub = ast.parse(Path(place).with_suffix(".pyi").read_text(encoding="utf-8")).body
    module_of = {
        alias.name: node.module or ""
        for node in stub
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    own = [ast.unparse(node.target) for node in stub if isinstance(node, ast.AnnAssign)]
    listed = sorted([*own, *module_of])
    rooms = {module.removeprefix(f"{package}.").partition(".")[0] for module in module_of.values()}

    def get(name: str) -> object:
        """Import a public name, or a module of the package, at its first use."""
        if name in rooms or module_of.get(name) == package:
            return importlib.import_module(f"{package}.{name}")
        if name in module_of:
            return getattr(importlib.import_module(module_of[name]), name)
        if otherwise is not None:
            return otherwise(name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}; dir({package}) lists them")

    return get, lambda: listed, listed


if not TYPE_CHECKING:
    pd, pl = Deferred("pandas"), Deferred("polars")
