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

from erresearch import deprecations
from erresearch.io import names_at_first_use

__version__ = "0.2.0"

deprecations.install()

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__)
