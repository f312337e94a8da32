"""Every value that a test returns, each with the (binned) points its picture draws.

Numbers happen in functions elsewhere; the objects here only carry them, say them in one sentence and
lay them out as a small table. Nothing here rounds except ``__str__`` and the Markdown shown in a notebook.
"""

from erresearch.results.checks import Attenuation, ListSelection, Permutation, Smearing
from erresearch.results.doubts import (
    Curve,
    Detectable,
    Equivalence,
    SampleNeeded,
    Sensitivity,
)
from erresearch.results.fits import Bins, Decay, Fit
from erresearch.results.mixture import Mix
from erresearch.results.numbers import Affine, Estimate, FisherZ, Interval, Reference, StudentT, escape, plain
from erresearch.results.reasons import SENTENCES, IntervalKind, Reason, ReasonCode
from erresearch.results.reliability import Reliability
from erresearch.results.rounding import at_least, first_largest, first_smallest, largest, ranked, steady
from erresearch.results.tables import Table, doubt_table, verdict_table
from erresearch.results.timing import Precedence, PredictiveGain
from erresearch.results.verdicts import WORDS, Certainty, Doubt, Verdict, Word

__all__ = [
    "SENTENCES",
    "WORDS",
    "Affine",
    "Attenuation",
    "Bins",
    "Certainty",
    "Curve",
    "Decay",
    "Detectable",
    "Doubt",
    "Equivalence",
    "Estimate",
    "FisherZ",
    "Fit",
    "Interval",
    "IntervalKind",
    "ListSelection",
    "Mix",
    "Permutation",
    "Precedence",
    "PredictiveGain",
    "Reason",
    "ReasonCode",
    "Reference",
    "Reliability",
    "SampleNeeded",
    "Sensitivity",
    "Smearing",
    "StudentT",
    "Table",
    "Verdict",
    "Word",
    "at_least",
    "doubt_table",
    "escape",
    "first_largest",
    "first_smallest",
    "largest",
    "plain",
    "ranked",
    "steady",
    "verdict_table",
]
