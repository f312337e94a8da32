from erresearch.results.doubts import (
    Adversary as Adversary,
    Curve as Curve,
    Detectable as Detectable,
    Equivalence as Equivalence,
    ListSelection as ListSelection,
    Sensitivity as Sensitivity,
    Shown as Shown,
    amount_beside as amount_beside,
    in_money as in_money,
)
from erresearch.results.estimates import (
    Affine as Affine,
    Estimate as Estimate,
    FisherZ as FisherZ,
    Interval as Interval,
    IntervalKind as IntervalKind,
    IntervalTable as IntervalTable,
    Reference as Reference,
    Reliability as Reliability,
    StudentT as StudentT,
)
from erresearch.results.fits import (
    Bins as Bins,
    DailyResponse as DailyResponse,
    Decay as Decay,
    Fit as Fit,
    Mix as Mix,
    Precedence as Precedence,
    PredictiveGain as PredictiveGain,
)
from erresearch.results.rounding import (
    Printed as Printed,
    at_least as at_least,
    escape as escape,
    first_largest as first_largest,
    largest as largest,
    plain as plain,
    ranked as ranked,
    rounded as rounded,
    steady as steady,
)
from erresearch.results.verdicts import (
    SENTENCES as SENTENCES,
    Certainty as Certainty,
    Doubt as Doubt,
    Reason as Reason,
    ReasonCode as ReasonCode,
    Table as Table,
    Verdict as Verdict,
    doubt_table as doubt_table,
    verdict_table as verdict_table,
)
from erresearch.schema.vocabulary import WORDS as WORDS, Word as Word
