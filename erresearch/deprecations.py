"""Old addresses that still work for one release, each with a warning; ``data/renamed.toml`` lists them.

`erresearch.auditing.audit` is `erresearch.audits.audit`, say. An import of the old name gives the new one and a
`DeprecationWarning` that names it. A release later the line is taken out of the table.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Literal


@cache
def addresses(kind: Literal["modules", "names", "removed"]) -> Mapping[str, str]:
    """Return by its old address the new one of each module or single name, or what does the work of a removed one.

    Examples
    --------
    >>> addresses("modules")["erresearch.auditing"], addresses("names")["erresearch.panel.Account"]
    ('erresearch.audits', 'erresearch.panel.RowAccounting')
    >>> addresses("removed")["erresearch.metrics.session_duration"]
    'scipy.stats.bootstrap gives the interval of a mean or a median'
    """
    from erresearch.io.files import registry

    found: Mapping[str, str] = registry("renamed.toml")[kind]
    return found


def _warn(old: str, new: str, stacklevel: int) -> None:
    warnings.warn(f"{old} is {new} from now on", DeprecationWarning, stacklevel=stacklevel + 1)


def old_names(module: str, new: str | None = None) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a module from which single names moved.

    Parameters
    ----------
    module : str
        The module's name, ``__name__``.
    new : str, optional
        Where the module as a whole is now; its names are looked up there without a word, as the import had one.

    Returns
    -------
    callable
        It hands out what ``data/renamed.toml`` knows, with a `DeprecationWarning`, and refuses other names; of what
        was removed it says what to use.

    See Also
    --------
    addresses : The table that it reads.

    Examples
    --------
    >>> old_names("erresearch.panel")("Acount")
    Traceback (most recent call last):
    AttributeError: module 'erresearch.panel' has no attribute 'Acount'; dir(erresearch.panel) lists what it has
    """

    def get(name: str) -> object:
        use = addresses("removed").get(f"{module}.{name}")
        if use:
            raise AttributeError(f"{module}.{name} was removed in 0.2.0: {use}")
        address = addresses("names").get(f"{module}.{name}")
        if address and not new:
            _warn(f"{module}.{name}", address, 2)
        home, _, own = (address or f"{new or ''}.{name}").rpartition(".")
        if not home or (own.startswith("__") and own != "__all__"):
            raise AttributeError(
                f"module {module!r} has no attribute {name!r}; dir({new or module}) lists what it has"
            )
        return getattr(importlib.import_module(home), own)

    return get


class OldAddresses(MetaPathFinder, Loader):
    """Finds a module under an old address, after all others have looked for it.

    See Also
    --------
    addresses : The table that it reads.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for old addresses inside this package only."""
        if not fullname.startswith("erresearch.") or fullname not in addresses("modules"):
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make a module that forwards."""
        made = ModuleType(spec.name, f"Forwards to {addresses('modules')[spec.name]}.")
        new = addresses("modules")[spec.name]
        made.__getattr__ = old_names(spec.name, new)  # type: ignore[method-assign]
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Say where it is now, in the name of the line that imports it."""
        # the caller stands above importlib's own frames, which `warnings` leaves out of its count
        _warn(module.__name__, addresses("modules")[module.__name__], 2)


def install() -> None:
    """Let old addresses be found; asked for once, by the package itself."""
    if not any(isinstance(finder, OldAddresses) for finder in sys.meta_path):
        sys.meta_path.append(OldAddresses())
