from erresearch.audits import audit as audit
from erresearch.claims import (
    combine as combine,
    examine as examine,
    judge as judge,
    read_claims as read_claims,
)
from erresearch.datasets import catalog as catalog, load as load
from erresearch.engine.expressions import lag as lag, log as log
from erresearch.engine.moments import Moments as Moments
from erresearch.errors import ErresearchError as ErresearchError, ErresearchWarning as ErresearchWarning
from erresearch.experiments import (
    find_pauses as find_pauses,
    interruption as interruption,
    judge_experiment as judge_experiment,
    judge_holdout as judge_holdout,
    plan_experiment as plan_experiment,
    plan_holdout as plan_holdout,
    read_plan as read_plan,
    wager as wager,
    write_plan as write_plan,
)
from erresearch.exports import inspect_export as inspect_export, read_export as read_export
from erresearch.io.resources import memory_limit as memory_limit
from erresearch.metrics import (
    band as band,
    bands as bands,
    break_even as break_even,
    engagement_rate as engagement_rate,
    enps as enps,
    nps as nps,
    nps_over_time as nps_over_time,
    percentile_in_tier as percentile_in_tier,
    romi_gross as romi_gross,
    romi_incremental as romi_incremental,
    romi_net as romi_net,
)
from erresearch.panel import Rules as Rules, build_panel as build_panel
from erresearch.relate import (
    correlate as correlate,
    daily_response as daily_response,
    decay as decay,
    logit as logit,
    poisson as poisson,
    precedence as precedence,
    predictive_gain as predictive_gain,
    regress as regress,
)
from erresearch.report import figures as figures
from erresearch.report.reproduction import reproduce as reproduce
from erresearch.results import (
    Estimate as Estimate,
    Interval as Interval,
    Table as Table,
    Verdict as Verdict,
    doubt_table as doubt_table,
    verdict_table as verdict_table,
)
from erresearch.robustness import adversary as adversary, detectable as detectable, equivalence as equivalence
from erresearch.worlds import simulate as simulate

__version__: str
