"""How long a large export takes and how much memory, beside Polars reading the same file as text.

``python tests/benchmarks/bench_exports.py [rows]`` writes a file of posts in the layout of Meta's Instagram export to a
temporary folder, reads it in fresh processes in turn, and prints medians and ratios. Nothing here is a test: times belong
to a machine.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HEAD = [
    "Post ID", "Account ID", "Account username", "Account name", "Description", "Duration (sec)", "Publish time",
    "Permalink", "Post type", "Data comment", "Date", "Views", "Reach", "Likes", "Shares", "Follows", "Comments", "Saves",
]  # fmt: skip
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_REPEATS = 3

# each runs in a process of its own: seconds, and megabytes at the peak above those after the imports
_MEASURE = """
import json, resource, sys, time
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
{imports}
before, start = peak(), time.perf_counter()
{work}
print(json.dumps([time.perf_counter() - start, peak() - before]))
"""
RUNS = {
    "polars as text": ("import polars", "out = polars.read_csv(sys.argv[1], infer_schema=False)"),
    "read_export": (
        "import pandas, polars, pyarrow.csv\nfrom erresearch.exports import read_export",
        "out = read_export(sys.argv[1])\nassert out.accounting.used > 0",
    ),
}


def write_posts(path: Path, rows: int, seed: int = 1) -> None:
    """Write simulated posts in the layout of Meta's Instagram export."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    when = np.sort(rng.integers(1_640_995_200, 1_767_225_600, rows))
    ids = ((when * 1000 - 1_314_220_021_721) << 23) + rng.integers(0, 1 << 23, rows)
    letters = np.empty((rows, 11), dtype=np.uint8)
    rest = ids.copy()
    for column in range(10, -1, -1):
        letters[:, column] = np.frombuffer(_ALPHABET, dtype=np.uint8)[rest & 63]
        rest >>= 6
    codes = pl.Series(letters.view("S11").ravel().astype(str))
    printed = pl.from_epoch(pl.Series(when), "s").dt.replace_time_zone("UTC")
    captions = pl.Series([f"A caption, with a comma and words that go on for a while #tag{i}" for i in range(500)]
                         + [f'Two\nlines, "quoted" 🎉 {i}' for i in range(50)])  # fmt: skip
    tops = {
        "Views": 500_000,
        "Reach": 400_000,
        "Likes": 900,
        "Shares": 90,
        "Follows": 9,
        "Comments": 90,
        "Saves": 90,
    }
    counts = {name: rng.integers(0, top, rows) for name, top in tops.items()}
    counts["Reach"] += 5000
    frame = pl.DataFrame({
        "Post ID": (18_000_000_000_000_000 + rng.permutation(rows) * 7).astype(str), "Account ID": "17840000000000001",
        "Account username": "shop", "Account name": "My shop", "Description": captions.gather(rng.integers(0, 550, rows)),
        "Duration (sec)": rng.integers(0, 60, rows),
        "Publish time": printed.dt.convert_time_zone("America/Los_Angeles").dt.strftime("%m/%d/%Y %H:%M"),
        "Permalink": "https://www.instagram.com/reel/" + codes + "/", "Post type": "IG reel", "Data comment": "",
        "Date": "Lifetime", **counts,
    })  # fmt: skip
    frame.select(HEAD).write_csv(path)


def measure(name: str, path: Path) -> tuple[float, float]:
    """Run one of RUNS in a fresh process."""
    imports, work = RUNS[name]
    code = _MEASURE.format(imports=imports, work=work)
    out = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    seconds, megabytes = json.loads(out.stdout)
    return seconds, megabytes


def main() -> None:
    """Print the figures."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "posts.csv"
        # in a process of its own: a child's peak of memory begins at its parent's
        subprocess.run([sys.executable, __file__, "write", str(path), str(rows)], check=True)
        size = path.stat().st_size / 2**20
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in RUNS}
        for _ in range(_REPEATS):
            for name in RUNS:
                runs[name].append(measure(name, path))
    medians = {
        name: tuple(statistics.median(part) for part in zip(*found, strict=True))
        for name, found in runs.items()
    }
    for name, (seconds, megabytes) in medians.items():
        print(f"{name}: {seconds:.2f} s, {megabytes:.0f} MB above its imports")
    plain, own = medians["polars as text"], medians["read_export"]
    print(f"{rows:,} rows, {size:.0f} MB: {own[0] / plain[0]:.2f} times the time (at most 4)")
    print(f"memory above that reader: {(own[1] - plain[1]) / size:.2f} times the file (at most 3)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write_posts(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
