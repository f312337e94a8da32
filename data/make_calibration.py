"""Make ``calibration.csv``: run every cell of ``calibration.toml`` that the table lacks.

    python data/make_calibration.py [--jobs 2] [--draws N] [CELL ...]

It may be stopped and started again: a cell that is done is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from erresearch.calibration import calibrate

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="*", metavar="CELL")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--draws", type=int)
    parser.add_argument("--table", type=Path, default=Path(__file__).with_name("calibration.csv"))
    chosen = parser.parse_args()
    calibrate(chosen.table, only=chosen.cells or None, jobs=chosen.jobs, draws=chosen.draws, say=print)
