"""One's own files audited: read, joined, judged, and written down with what could not be told."""

from __future__ import annotations

from erresearch.audits.describing import account_table, side_by_side, with_followers
from erresearch.audits.judging import judge_panel
from erresearch.audits.running import Audit, audit
from erresearch.audits.scoring import with_scores
from erresearch.audits.sorting import Files, open_table, read_files

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
