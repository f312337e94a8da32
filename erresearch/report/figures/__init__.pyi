from erresearch.report.figures.challenges import (
    CalibrationCell as CalibrationCell,
    calibration as calibration,
    precedence as precedence,
    sensitivity as sensitivity,
)
from erresearch.report.figures.forests_and_curves import (
    decay as decay,
    estimate_interval as estimate_interval,
    forest as forest,
    specification_curve as specification_curve,
)
from erresearch.report.figures.style import SYMBOLS as SYMBOLS, WORD_COLOURS as WORD_COLOURS, theme as theme
