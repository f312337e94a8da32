"""Print the tests that touch every room within seconds: ``pytest $(python tools/quick.py)``; ``make check`` runs them.

Each room names test files that are quick and go through its main way; a test sees that no room is left out.
"""

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
QUICK = {
    "errors": ["test_architecture.py", "test_cli.py::test_a_fault_of_ours_keeps_its_traceback"],
    "io": ["test_memory.py"],
    "schema": ["test_contract.py"],
    "deprecations": ["test_deprecations.py"],
    "results": ["test_display.py"],
    "engine": ["test_expressions.py"],
    "datasets": ["test_datasets.py::test_a_column_named_twice_is_refused"],
    "exports": ["test_exports_sheets.py"],
    "metrics": ["test_metrics_bands.py"],
    "panel": ["test_panel.py::test_j11_no_row_is_repeated_and_no_money_is_lost"],
    "relate": ["test_nist.py"],
    "robustness": ["test_equivalence.py", "test_power.py"],
    "claims": ["test_claims.py::test_films", "test_claim_options.py"],
    "worlds": ["test_worlds.py::test_any_small_panel_is_whole"],
    "experiments": ["test_experiments.py::test_wrong_wagers", "test_experiments.py::test_damaged_plans"],
    "audits": ["test_audit.py::test_fewer_than_52_weeks_get_no_decisive_word"],
    "report": ["test_ledger.py"],
    "workshop": ["test_workshop.py::test_own_files_get_no_answer_and_a_missing_column_is_named"],
    "cli": [
        "test_cli.py::test_claims_lists_and_shows",
        "test_cli.py::test_bad_input_is_one_line_and_status_2",
    ],
}


def tests() -> list[str]:
    """Return what pytest is to run, each once."""
    return list(dict.fromkeys(str(TESTS / name) for names in QUICK.values() for name in names))


if __name__ == "__main__":
    print(*tests())
