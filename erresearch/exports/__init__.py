"""Files that platforms export, read to canonical rows with an account of every row.

A file is known by its bytes and headers; what it does not say is guessed with a reason and can be overridden; every row
is counted as used, as a total, as an error of the platform, as rejected or as out of scope, and these always add up.
Layouts are data (``platforms.toml``): a new platform is an entry and a fixture.
"""

from __future__ import annotations

from erresearch.exports.combine import Change, combine_exports, definition_changes
from erresearch.exports.layouts import platforms
from erresearch.exports.log import Accounting, Caution, Export, Guess, Inspection
from erresearch.exports.reading import inspect_export, read_export, read_exports, suggest_mapping
from erresearch.io.files import table_csv as safe_csv

__all__ = [
    "Accounting",
    "Caution",
    "Change",
    "Export",
    "Guess",
    "Inspection",
    "combine_exports",
    "definition_changes",
    "inspect_export",
    "platforms",
    "read_export",
    "read_exports",
    "safe_csv",
    "suggest_mapping",
]
