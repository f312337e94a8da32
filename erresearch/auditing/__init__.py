"""One's own files audited: read, joined, judged, and written down with what could not be told."""

from __future__ import annotations

from erresearch.auditing.describing import account_table, side_by_side, with_followers
from erresearch.auditing.judging import judge_panel
from erresearch.auditing.running import Audit, audit
from erresearch.auditing.scoring import with_scores
from erresearch.auditing.sorting import Files, open_table, read_files

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
