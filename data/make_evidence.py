"""Make the evidence packs in `data/evidence/` from the rows of the data sets that claims name.

Usage: ``ERRESEARCH_DATA_DIR=folder python data/make_evidence.py [NAME ...]``; without names, all whose rows are here. A
pack holds sums over many rows and finished estimates, never a row; which claims it answers and how stands in
`data/claims.toml`. What the claims say of each new pack is printed. Without names `aggregation_levels.csv` is made too,
and its SHA-256 printed for `datasets.toml`.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

import erresearch as er
from erresearch.claims import examine, read_claims
from erresearch.claims.packing import here, make_pack, names_to_pack, rows_of, write_pack
from erresearch.datasets import dataset_card
from erresearch.errors import ErresearchWarning

HERE = Path(__file__).resolve().parent
PANELS = ("best-of-ml-python", "best-of-web-python")


def levels(name: str) -> list[list[Any]]:
    """Slope of log downloads on log new stars in one panel: as it is, within, and summed up in two ways."""
    rows = rows_of(name)
    rows = rows[(rows["new_stars"] > 0) & (rows["downloads"] > 0)]
    counts = ["new_stars", "downloads"]
    by = {"by": "project", "period": "month"}
    with warnings.catch_warnings():
        # a series of totals, read as people read it: that is what is shown
        warnings.simplefilter("ignore", ErresearchWarning)
        fits = {
            "month totals": (rows.groupby("month", as_index=False)[counts].sum(), {}),
            "project totals": (rows.groupby("project", as_index=False)[counts].sum(), {}),
            "all rows": (rows, {"by": "project", "effects": ()}),
            "within projects": (rows, {**by, "effects": ("account", "period")}),
        }
        found = {
            level: er.regress(table, er.log("downloads"), on=[er.log("new_stars")], **more)["log new_stars"]
            for level, (table, more) in fits.items()
        }
    return [
        [name, level, *(round(x, 6) for x in (e.value, e.se, e.interval.low, e.interval.high)), e.n_rows]
        for level, e in found.items()
    ]


def main(names: list[str], folder: Path) -> None:
    """Make the packs of some data sets, say what their claims say of them, and what is left to do."""
    for name in names:
        pack = make_pack(name)
        print(pack, "->", write_pack(pack, folder / f"{name}.npz").name)
        for verdict in examine([claim for claim in read_claims() if name in claim.family], {name: pack}):
            print(f"  {verdict}")
        if dataset_card(name).pending:
            print(
                f"  it has been run now: take `pending` of {name} out of datasets.toml, then `make expected`"
            )


if __name__ == "__main__":
    main(sys.argv[1:] or [*filter(here, names_to_pack())], HERE / "evidence")
    if not sys.argv[1:] and all(map(here, PANELS)):
        heads = ["data", "level", "value", "se", "low", "high", "n"]
        table = pd.DataFrame([row for name in PANELS for row in levels(name)], columns=heads)
        text = table.to_csv(index=False, lineterminator="\n").encode()
        (HERE / "aggregation_levels.csv").write_bytes(text)
        print("aggregation_levels.csv", hashlib.sha256(text).hexdigest())
