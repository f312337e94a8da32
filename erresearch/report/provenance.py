"""What a result was made from: versions, data, seeds, commit; enough to make it again or to see why it differs."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Any

from erresearch.io.files import resource

if TYPE_CHECKING:
    from erresearch.report.notebooks import NotebookRun
    from erresearch.results import Verdict

__all__ = ["fingerprint", "manifest_text", "provenance"]

_ORIGIN = ("file", "rows_in_file", "excluded", "mended", "duplicates", "licence", "citation", "url")


def fingerprint(data: Any) -> str:
    """Identify a table by its content.

    Parameters
    ----------
    data : frame or Moments
        A pandas frame, any frame with ``to_pandas``, moments, or an evidence pack.

    Returns
    -------
    str
        For a frame the sha256 of the table written as CSV in UTF-8, which anybody can check; for moments that
        of their columns, keys, counts, sums and cross-products.

    Examples
    --------
    >>> import pandas as pd
    >>> fingerprint(pd.DataFrame({"likes": [1, 2]}))[:12]
    '...'
    """
    import pandas as pd

    from erresearch.claims.packs import Pack
    from erresearch.engine.moments import Moments

    # by type: a table may have columns called digest or cross
    if isinstance(data, Pack):
        return data.digest
    if isinstance(data, Moments):
        parts = [json.dumps([list(data.columns), [str(key) for key in data.keys]]).encode()]
        parts += [getattr(data, name).tobytes() for name in ("count", "weight", "origin", "sums", "cross")]
    else:
        table = data if isinstance(data, pd.DataFrame) else data.to_pandas()
        parts = [table.to_csv(index=False, lineterminator="\n").encode("utf-8", "surrogatepass")]
    joined = hashlib.sha256()
    for part in parts:
        joined.update(part)
    return joined.hexdigest()


def _packages() -> dict[str, str]:
    """Versions of what this package declares that it needs."""
    names = set()
    for text in requires("erresearch") or []:
        if "extra ==" not in text:
            names.add(re.split(r"[\s\[<>=!~;(]", text, maxsplit=1)[0])
    found = {}
    for name in sorted(names, key=str.lower):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _git() -> dict[str, Any] | None:
    """Commit of the checkout that this package runs from, and whether it was changed since; None elsewhere."""
    root = resource("data").parent
    if not (root / ".git").exists():
        return None

    def ask(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    try:
        return {"commit": ask("rev-parse", "HEAD"), "changed": bool(ask("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _table(data: Any) -> dict[str, Any]:
    """Size, hash and what the table says of itself."""
    from erresearch.engine.moments import Moments

    said: Mapping[str, Any] = getattr(data, "attrs", {})
    account: Mapping[str, Any] = said.get("erresearch", {})
    rows = data.rows if isinstance(data, Moments) else len(data)
    origin = {name: account[name] for name in _ORIGIN if name in account}
    return {
        "sha256": fingerprint(data),
        "rows": int(rows),
        "simulated": bool(said.get("simulated", False)),
        "seed": said.get("seed"),
        "file_sha256": account.get("sha256"),
        **origin,
    }


def provenance(
    data: Mapping[str, Any], *, verdicts: Iterable[Verdict] = (), notebooks: Iterable[NotebookRun] = ()
) -> dict[str, Any]:
    """Collect what a run was made from; no clock time, so that equal runs have equal manifests.

    Parameters
    ----------
    data : mapping of str to frame or Moments
        The data sets judged.
    verdicts : iterable of Verdict
        What was judged; only counted here.
    notebooks : iterable of NotebookRun
        What was run.

    Returns
    -------
    dict
        Plain values for JSON.

    Examples
    --------
    >>> sorted(provenance({}))[:4]
    ['claims_sha256', 'datasets', 'erresearch', 'git']
    """
    from erresearch import __version__

    claims = resource("data") / "claims.toml"
    tables = {name: _table(table) for name, table in sorted(data.items())}
    return {
        "erresearch": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": _packages(),
        "git": _git(),
        "claims_sha256": hashlib.sha256(claims.read_bytes()).hexdigest() if claims.is_file() else None,
        "datasets": tables,
        "seeds": {name: table["seed"] for name, table in tables.items() if table["seed"] is not None},
        "verdicts": len(tuple(verdicts)),
        "notebooks": {run.name: {"cells": run.cells, "error": run.error or None} for run in notebooks},
    }


def manifest_text(made: Mapping[str, Any]) -> str:
    """Lay a manifest out as JSON.

    Parameters
    ----------
    made : mapping
        What :func:`provenance` returned.

    Returns
    -------
    str
        Indented, in the order given, closed by a line end; values that JSON has no word for are written as text.

    Examples
    --------
    >>> print(manifest_text({"rows": 3}), end="")
    {
      "rows": 3
    }
    """
    return json.dumps(made, indent=2, ensure_ascii=False, default=str) + "\n"
