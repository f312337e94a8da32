"""One's own files audited: read, joined, judged, and written down with what could not be told.

The names of ``__all__`` are imported at their first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from erresearch.audits.arrivals import (
        Files as Files,
        Joined as Joined,
        open_table as open_table,
        read_files as read_files,
    )
    from erresearch.audits.folder import (
        answer_in_money as answer_in_money,
        doubt_lines as doubt_lines,
        drawings as drawings,
    )
    from erresearch.audits.judgement import judge_panel as judge_panel
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
        audit as audit,
        join_files as join_files,
    )

_NAMES: Final = {
    "arrivals": ("Files", "Joined", "open_table", "read_files"),
    "next_steps": ("past_pauses", "settling_plan", "with_plan"),
    "folder": ("answer_in_money", "doubt_lines", "drawings"),
    "steps": ("Audit", "audit", "join_files"),
    "rate_tables": (
        "account_table",
        "column_table",
        "described_posts",
        "rate_table",
        "side_by_side",
        "survey_scores",
        "with_followers",
        "with_scores",
    ),
    "judgement": ("judge_panel",),
}
_MODULE_OF: Final = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - all of them are text


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
