"""Simulated posts for the benchmarks: seeded, heavy tails, unequal accounts, written piece by piece.

``python -m tests.benchmarks.tables FILE ROWS ACCOUNTS [posts|text|curve] [COLUMNS]`` writes one file, so that the
process that measures others stays small.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

REGRESSORS = tuple(f"x{i}" for i in range(6))
CONTROLS = tuple(f"c{i}" for i in range(12))
SLOPES = np.array([0.5, -0.3, 0.2, 0.1, 0.0, -0.1])
PIECE = 500_000


def accounts_of(rng: np.random.Generator, rows: int, accounts: int) -> np.ndarray:
    """Accounts of unequal size, in no order."""
    size = np.random.default_rng(1).lognormal(0, 1, accounts)
    return np.searchsorted(np.cumsum(size / size.sum()), rng.random(rows)).clip(0, accounts - 1)


def piece(seed: int, rows: int, accounts: int, *, text: bool, columns: int) -> dict[str, np.ndarray]:
    """Some rows: outcome `y`, count `n`, regressors, account as a whole number or as text."""
    rng = np.random.default_rng(seed)
    account = accounts_of(rng, rows, accounts)
    effect = np.random.default_rng(2).normal(0, 1, accounts)[account]
    x = rng.standard_t(3, (rows, columns)) + 0.3 * effect[:, None] + 5
    slopes = np.resize(SLOPES, columns)
    signal = effect + (x - 5) @ slopes
    key = np.char.add("shop-", np.char.zfill(account.astype(str), 7)) if text else account.astype(np.int32)
    count = rng.poisson(np.exp(np.clip(0.2 * signal, -3, 3)))
    outcome = {"y": signal + rng.standard_t(3, rows), "n": count.astype(np.int32)}
    return {"account": key, **outcome, **{f"x{i}": x[:, i] for i in range(columns)}}


def write_posts(
    path: Path, rows: int, accounts: int, *, text: bool = False, columns: int = len(REGRESSORS)
) -> Path:
    """Write `rows` simulated posts; the same arguments give the same file."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    writer = None
    for seed, start in enumerate(range(0, rows, PIECE)):
        length = min(PIECE, rows - start)
        table = pa.table(piece(seed, length, accounts, text=text, columns=columns))
        writer = writer or pq.ParquetWriter(part, table.schema)
        writer.write_table(table)
    writer.close()
    return part.rename(path)


def write_curve(path: Path, rows: int, accounts: int) -> Path:
    """Posts with twelve controls, for a specification curve of 4,096 models."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    account = accounts_of(rng, rows, accounts)
    controls = rng.normal(size=(rows, len(CONTROLS)))
    x = rng.normal(size=rows) + 0.2 * controls[:, :3].sum(axis=1)
    y = 0.1 * x + 0.3 * controls.sum(axis=1) + rng.normal(size=rows)
    held = {name: controls[:, i] for i, name in enumerate(CONTROLS)}
    pq.write_table(pa.table({"account": account.astype(np.int32), "y": y, "x": x, **held}), path)
    return path


if __name__ == "__main__":
    place, kind = Path(sys.argv[1]), sys.argv[4]
    if kind == "curve":
        write_curve(place, int(sys.argv[2]), int(sys.argv[3]))
    else:
        sizes = [int(text) for text in sys.argv[2:4]]
        write_posts(place, *sizes, text=kind == "text", columns=int(sys.argv[5]))
