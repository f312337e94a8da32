"""How often is a verdict right? Simulated tables with a known answer, judged and counted, cell by cell."""

from erresearch.calibration.cells import BARS, Cell, cells
from erresearch.calibration.outcomes import Kept, Outcome, kept, promises, stored, table
from erresearch.calibration.running import calibrate, run_cell

__all__ = [
    "BARS",
    "Cell",
    "Kept",
    "Outcome",
    "calibrate",
    "cells",
    "kept",
    "promises",
    "run_cell",
    "stored",
    "table",
]
