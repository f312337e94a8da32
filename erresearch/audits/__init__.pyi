from erresearch.audits.arrivals import (
    Files as Files,
    open_table as open_table,
    read_files as read_files,
)
from erresearch.audits.folder import (
    answer_in_money as answer_in_money,
    doubt_lines as doubt_lines,
    drawings as drawings,
)
from erresearch.audits.judgement import Wanting as Wanting, judge_panel as judge_panel
from erresearch.audits.next_steps import (
    past_pauses as past_pauses,
    settling_plan as settling_plan,
    with_plan as with_plan,
)
from erresearch.audits.rate_tables import (
    account_table as account_table,
    column_table as column_table,
    described_posts as described_posts,
    rate_table as rate_table,
    side_by_side as side_by_side,
    survey_scores as survey_scores,
    with_followers as with_followers,
    with_scores as with_scores,
)
from erresearch.audits.steps import (
    Audit as Audit,
    Joined as Joined,
    audit as audit,
    join_files as join_files,
)
