"""Pictures of results. Each takes results and returns matplotlib axes; none estimates anything.

Examples
--------
>>> from matplotlib.figure import Figure
>>> from erresearch.results import Estimate, Interval
>>> talk = Estimate("talk", value=0.31, se=0.045, df=39, interval=Interval(0.22, 0.40), n_rows=4160, n_accounts=40)
>>> with theme():
...     ax = forest([talk], ax=Figure().subplots())
>>> ax.get_title(loc="left")
'talk lies above 0'
"""

from __future__ import annotations

from erresearch.report.figures.challenges import CalibrationCell, calibration, precedence, sensitivity
from erresearch.report.figures.forests_and_curves import decay, estimate_interval, forest, specification_curve
from erresearch.report.figures.style import SYMBOLS, WORD_COLOURS, theme

__all__ = [
    "SYMBOLS",
    "WORD_COLOURS",
    "CalibrationCell",
    "calibration",
    "decay",
    "estimate_interval",
    "forest",
    "precedence",
    "sensitivity",
    "specification_curve",
    "theme",
]
