"""One's own files audited: read, joined, judged, and written down with what could not be told."""

from __future__ import annotations

from erresearch.audits.inputs import Files, open_table, read_files
from erresearch.audits.nps_by_period import with_scores
from erresearch.audits.rate_tables import account_table, side_by_side, with_followers
from erresearch.audits.steps import Audit, audit
from erresearch.audits.verdicts import judge_panel

__all__ = [
    "Audit",
    "Files",
    "account_table",
    "audit",
    "judge_panel",
    "open_table",
    "read_files",
    "side_by_side",
    "with_followers",
    "with_scores",
]
