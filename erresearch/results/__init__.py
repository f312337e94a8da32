"""Every value that a test returns, each with the (binned) points its picture draws.

Numbers happen in functions elsewhere; the objects here only carry them, say them in one sentence and
lay them out as a small table. Nothing here rounds except ``__str__`` and the Markdown shown in a notebook.
"""

from erresearch.results.doubts import (
    Adversary,
    Attenuation,
    Curve,
    Detectable,
    Equivalence,
    ListSelection,
    Permutation,
    SampleNeeded,
    Sensitivity,
    Smearing,
)
from erresearch.results.fits import Bins, Decay, Fit, Mix, Precedence, PredictiveGain, Reliability
from erresearch.results.numbers import Affine, Estimate, FisherZ, Interval, Reference, StudentT, escape, plain
from erresearch.results.rounding import (
    at_least,
    first_largest,
    first_smallest,
    largest,
    ranked,
    rounded,
    steady,
)
from erresearch.results.tables import Table, doubt_table, verdict_table
from erresearch.results.verdicts import (
    SENTENCES,
    WORDS,
    Certainty,
    Doubt,
    IntervalKind,
    Reason,
    ReasonCode,
    Verdict,
    Word,
)

__all__ = [
    "SENTENCES",
    "WORDS",
    "Adversary",
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
    "rounded",
    "steady",
    "verdict_table",
]
