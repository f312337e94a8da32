"""Put `data/` and `notebooks/` into the wheel; an editable install reads them where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIPPED = {"__pycache__", ".ipynb_checkpoints", ".DS_Store"}


class PackageFiles(BuildHookInterface):
    """Include the two folders as `erresearch/_data` and `erresearch/_notebooks`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """List every file by its place in the wheel."""
        if version == "editable":
            return
        root = Path(self.root)
        for folder in ("data", "notebooks"):
            for path in sorted((root / folder).rglob("*")):
                inside = path.relative_to(root / folder)
                if path.is_file() and not SKIPPED & set(inside.parts):
                    build_data["force_include"][str(path)] = f"erresearch/_{folder}/{inside.as_posix()}"
