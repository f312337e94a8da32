"""Print the tests that touch every room within seconds: ``pytest $(python tools/quick.py)``; ``make check`` runs them.

Each room names test files that are quick and go through its main way; a test sees that no room is left out.
"""

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
QUICK = {
    "errors": ["test_architecture.py", "test_schema.py"],
    "io": ["test_memory.py"],
    "schema": ["test_schema.py"],
    "results": ["test_display.py"],
    "engine": ["test_expressions.py"],
    "datasets": ["test_datasets.py::test_a_column_named_twice_is_refused"],
    "exports": ["test_exports_sheets.py"],
    "metrics": ["test_metrics_bands.py"],
    "panel": ["test_panel.py::test_j11_no_row_is_repeated_and_no_money_is_lost"],
    "relate": ["test_nist.py"],
    "robustness": ["test_equivalence.py", "test_power.py"],
    "claims": ["test_claims.py::test_films"],
    "worlds": ["test_worlds.py::test_any_small_panel_is_whole"],
    "audits": ["test_audit_lakes.py::test_parquet_is_audited_as_the_public_functions_would"],
    "report": ["test_ledger.py"],
    "workshop": ["test_workshop.py::test_no_answer_raises"],
    "cli": ["test_cli.py"],
}


def tests() -> list[str]:
    """Return what pytest is to run, each once."""
    return list(dict.fromkeys(str(TESTS / name) for names in QUICK.values() for name in names))


if __name__ == "__main__":
    print(*tests())
