"""What the workshop's notebooks use: answers that check themselves, and sliders over simulated worlds.

Everything here is simulated, and made to be wrong on purpose in ways that are known.
"""

from __future__ import annotations

from erresearch.io import names_at_first_use

__getattr__, __dir__, __all__ = names_at_first_use(__name__, __file__)
