"""How long a posts file takes from bytes to panel, against Polars reading the same file as text.

    python -m tests.benchmarks.bench_panel [--rows 1000000] [--repeat 3]

Writes simulated posts in Instagram's layout, then measures each job in a process of its own: seconds (the least of
the repeats) and the peak of memory. Prints the ratios; asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAD = (
    "Post ID,Account ID,Account username,Account name,Description,Duration (sec),Publish time,Permalink,Post type,"
    "Data comment,Date,Views,Reach,Likes,Shares,Follows,Comments,Saves"
)
JOBS = ("text", "export", "panel")
ACCOUNTS = 200


def write_posts(path: Path, rows: int) -> None:
    """Simulated posts: 200 accounts over two years, without addresses, so that times come from the column."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(1)
    minutes = np.sort(rng.integers(0, 2 * 365 * 24 * 60, rows))
    account = rng.integers(0, ACCOUNTS, rows)
    when = np.datetime64("2024-01-01") + minutes.astype("timedelta64[m]")
    frame = pl.DataFrame({"at": when.astype("datetime64[us]"), "account": account}).with_row_index("n")
    counts = {
        name: rng.poisson(mean, rows)
        for name, mean in {
            "Views": 5000,
            "Reach": 4000,
            "Likes": 120,
            "Shares": 9,
            "Follows": 1,
            "Comments": 8,
            "Saves": 11,
        }.items()
    }
    text = pl.lit
    table = frame.select(
        (pl.lit(18 * 10**16, pl.Int64) + pl.col("n").cast(pl.Int64)).alias("Post ID"),
        (pl.lit(178 * 10**14, pl.Int64) + pl.col("account")).alias("Account ID"),
        pl.format("shop_{}", pl.col("account")).alias("Account username"),
        text("A shop").alias("Account name"),
        text("Soap, and more").alias("Description"),
        text(0).alias("Duration (sec)"),
        pl.col("at").dt.strftime("%m/%d/%Y %H:%M").alias("Publish time"),
        text("").alias("Permalink"),
        text("IG image").alias("Post type"),
        text("").alias("Data comment"),
        text("Lifetime").alias("Date"),
        *[pl.Series(name, values) for name, values in counts.items()],
    )
    table.select(HEAD.split(",")).write_csv(path, include_bom=True)


def job(name: str, path: Path) -> dict[str, float]:
    """Do one job here; seconds and the peak of memory in bytes, without what the imports took."""
    import warnings

    warnings.simplefilter("ignore")
    import pandas  # noqa: F401
    import polars as pl

    import erresearch as er
    from erresearch.exports import reading  # noqa: F401
    from erresearch.panel import build_panel

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    if name == "text":
        pl.read_csv(path, infer_schema=False)
    else:
        export = er.read_export(path, tz="Europe/Amsterdam")
        if name == "panel":
            build_panel(
                export, tz="Europe/Amsterdam", entity={f"shop_{n}": f"shop_{n}" for n in range(ACCOUNTS)}
            )
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "bytes": 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.job:
        print(json.dumps(job(asked.job[0], Path(asked.job[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "posts.csv"
        write_posts(path, asked.rows)
        size = path.stat().st_size
        found = {name: [_child(name, path) for _ in range(asked.repeat)] for name in JOBS}
    seconds = {name: min(run["seconds"] for run in runs) for name, runs in found.items()}
    memory = {name: min(run["bytes"] for run in runs) for name, runs in found.items()}
    print(f"{asked.rows:,} rows, {size / 1e6:.0f} MB")
    for name in JOBS:
        print(f"{name:7} {seconds[name]:7.2f} s {memory[name] / 1e6:8.0f} MB")
    print(f"export / text: {seconds['export'] / seconds['text']:.1f} times the time")
    print(f"panel / text: {seconds['panel'] / seconds['text']:.1f} times the time (wanted: at most 4)")
    extra = (memory["panel"] - memory["text"]) / size
    print(f"memory above the text reader's: {extra:.1f} times the file (wanted: at most 3)")


def _child(name: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_panel", "--job", name, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
