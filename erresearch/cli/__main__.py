"""``python -m erresearch.cli``."""

from __future__ import annotations

import sys

from erresearch.cli import main

if __name__ == "__main__":
    sys.exit(main())
