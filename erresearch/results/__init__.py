"""Every value that a test returns, each with the (binned) points its picture draws.

Numbers happen in functions elsewhere; the objects here only carry them, say them in one sentence and
lay them out as a small table. Nothing here rounds except ``__str__`` and the Markdown shown in a notebook.
"""

from erresearch.deprecations import old_names
from erresearch.results.doubts import (
    Adversary,
    Attenuation,
    Curve,
    Detectable,
    Equivalence,
    ListSelection,
    SampleNeeded,
    Sensitivity,
    Shown,
)
from erresearch.results.estimates import (
    Affine,
    Estimate,
    FisherZ,
    Interval,
    IntervalKind,
    IntervalTable,
    Reference,
    Reliability,
    StudentT,
)
from erresearch.results.fits import (
    Bins,
    DailyResponse,
    Decay,
    Fit,
    Mix,
    Precedence,
    PredictiveGain,
    in_money,
)
from erresearch.results.rounding import (
    Printed,
    at_least,
    escape,
    first_largest,
    largest,
    plain,
    ranked,
    rounded,
    steady,
)
from erresearch.results.verdicts import (
    SENTENCES,
    Certainty,
    Doubt,
    Reason,
    ReasonCode,
    Table,
    Verdict,
    doubt_table,
    verdict_table,
)
from erresearch.schema.vocabulary import WORDS, Word

__all__ = [
    "SENTENCES",
    "WORDS",
    "Adversary",
    "Affine",
    "Attenuation",
    "Bins",
    "Certainty",
    "Curve",
    "DailyResponse",
    "Decay",
    "Detectable",
    "Doubt",
    "Equivalence",
    "Estimate",
    "FisherZ",
    "Fit",
    "Interval",
    "IntervalKind",
    "IntervalTable",
    "ListSelection",
    "Mix",
    "Precedence",
    "PredictiveGain",
    "Printed",
    "Reason",
    "ReasonCode",
    "Reference",
    "Reliability",
    "SampleNeeded",
    "Sensitivity",
    "Shown",
    "StudentT",
    "Table",
    "Verdict",
    "Word",
    "at_least",
    "doubt_table",
    "escape",
    "first_largest",
    "in_money",
    "largest",
    "plain",
    "ranked",
    "rounded",
    "steady",
    "verdict_table",
]

__getattr__ = old_names(__name__)
