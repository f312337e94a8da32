from erresearch.experiments.designs import (
    DESIGNS as DESIGNS,
    Blocks as Blocks,
    PauseDesign as PauseDesign,
    PausePlan as PausePlan,
    Power as Power,
    Schedule as Schedule,
)
from erresearch.experiments.documents import (
    draw_plan as draw_plan,
    read_holdout as read_holdout,
    read_plan as read_plan,
    wager as wager,
    write_holdout as write_holdout,
    write_plan as write_plan,
)
from erresearch.experiments.holdout import (
    Holdout as Holdout,
    judge_holdout as judge_holdout,
    plan_holdout as plan_holdout,
)
from erresearch.experiments.interruptions import (
    Interruption as Interruption,
    Pause as Pause,
    find_pauses as find_pauses,
    interruption as interruption,
)
from erresearch.experiments.judging import Judgement as Judgement, judge_experiment as judge_experiment
from erresearch.experiments.planning import plan_experiment as plan_experiment, wrong_blocks as wrong_blocks
