"""Make the evidence packs in `data/evidence/` from the rows of the data sets that claims name.

Usage: ``ERRESEARCH_DATA_DIR=folder python data/make_evidence.py [NAME ...]``; without names, all whose rows are here. A
pack holds sums over many rows and finished estimates, never a row; which claims it answers and how stands in
`data/claims.toml`. What the claims say of each new pack is printed. Without names `aggregation_levels.csv` and
`project_groups.csv` are made too, and their SHA-256 printed for `datasets.toml`.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
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


def groups(name: str, number: int = 20) -> pd.DataFrame:
    """Twenty groups of one panel: projects by their new stars, and months by what is left of theirs.

    Of each project's month what project, month and the past of both do not explain is left (the model of C01): of its new
    stars, and of its downloads a month later. Count, means, standard deviations and correlation of a group give back
    every sum of its rows, and hold 20 projects or more.
    """
    rows = rows_of(name)
    month = pd.PeriodIndex(rows["month"], freq="M")
    rows = rows.assign(month=12 * month.year + month.month)
    for count in ("new_stars", "downloads"):
        rows[count] = np.log(rows[count].where(rows[count] > 0))
    rows = rows[["project", "month", "new_stars", "downloads"]]
    plain = rows.dropna()
    rank = pd.qcut(plain.groupby("project")["new_stars"].mean(), number, labels=False)
    left = _left_of_a_month(rows)
    looks = {
        "projects with each other": (plain, plain["project"].map(rank)),
        "a project with itself": (left, pd.qcut(left["new_stars"], number, labels=False)),
    }
    found = []
    for compared, (table, group) in looks.items():
        for place, part in table.groupby(group):
            each = part[["new_stars", "downloads"]]
            means, spread = each.mean(), each.std()
            r = each.corr().iloc[0, 1]
            sums = [means["new_stars"], spread["new_stars"], means["downloads"], spread["downloads"], r]
            counts = [int(place) + 1, part["project"].nunique(), len(part)]
            found.append([name, compared, *counts, *(round(x, 6) for x in sums)])
    heads = [
        "data",
        "compared",
        "group",
        "projects",
        "rows",
        "new_stars",
        "new_stars_sd",
        "downloads",
        "downloads_sd",
        "r",
    ]
    return pd.DataFrame(found, columns=heads)


def _left_of_a_month(rows: pd.DataFrame) -> pd.DataFrame:
    """What project, month and three months of both leave of new stars, and of downloads a month later."""
    table = rows
    for lag in (-1, 1, 2, 3):
        names = {"new_stars": f"new_stars {lag}", "downloads": f"downloads {lag}"}
        before = rows.assign(month=rows["month"] + lag).rename(columns=names)
        table = table.merge(before, on=["project", "month"], how="left")
    table = table.drop(columns="downloads -1").dropna()
    counts = table.drop(columns=["project", "month", "new_stars -1"])
    rest = counts
    # taken out in turn until nothing moves: rows are missing, so that once is not enough
    while True:
        before = rest
        for effect in ("project", "month"):
            rest = rest - rest.groupby(table[effect]).transform("mean")
        if (rest - before).abs().to_numpy().max() < 1e-11:
            break
    of, held = rest[["new_stars 1", "downloads"]], rest.drop(columns=["new_stars 1", "downloads"])
    left = of - held.to_numpy() @ np.linalg.lstsq(held, of, rcond=None)[0]
    return left.set_axis(["new_stars", "downloads"], axis=1).assign(project=table["project"])


def write_table(table: pd.DataFrame, name: str) -> None:
    """Write one of our tables, and print its hash."""
    text = table.to_csv(index=False, lineterminator="\n").encode()
    (HERE / name).write_bytes(text)
    print(name, hashlib.sha256(text).hexdigest())


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
        write_table(
            pd.DataFrame([row for name in PANELS for row in levels(name)], columns=heads),
            "aggregation_levels.csv",
        )
        write_table(pd.concat([groups(name) for name in PANELS]), "project_groups.csv")
