from erresearch.relate.association import (
    correlate as correlate,
    regress as regress,
)
from erresearch.relate.fitted_models import contrast as contrast
from erresearch.relate.poisson_regression import poisson as poisson
from erresearch.relate.prediction import predictive_gain as predictive_gain, reliability as reliability
from erresearch.relate.random_effects import (
    MetaAnalysis as MetaAnalysis,
    PartialPooling as PartialPooling,
    meta_analysis as meta_analysis,
    partial_pooling as partial_pooling,
)
from erresearch.relate.reaction_models import decay as decay, mix as mix
from erresearch.relate.regressions import logit as logit
from erresearch.relate.shop_days import daily_response as daily_response
from erresearch.relate.temporal_precedence import precedence as precedence
