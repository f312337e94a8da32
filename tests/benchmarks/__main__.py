"""Print the table of ratios: ``python -m tests.benchmarks [--rows N] [--only fe,ppml,…]``."""

from __future__ import annotations

import argparse
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.clock import ROOT, JobFailed, Runs, compare

HEAD = """\
| work | against | time, ours | theirs | ratio | processor time | memory, ours | theirs | ratio | target |
|---|---|--:|--:|--:|--:|--:|--:|--:|---|"""


#: Above that it takes more than 16 GiB.
ROWS_OF_LINEARMODELS = 5_000_000


@dataclass(frozen=True, slots=True)
class Setting:
    """Sizes and where the data lie."""

    rows: int
    accounts: int
    runs: int
    folder: Path

    def data(self, kind: str = "posts", *, rows: int = 0, accounts: int = 0, columns: int = 6) -> Path:
        """A file of simulated rows, made once, by a process of its own."""
        rows, accounts = rows or self.rows, accounts or self.accounts
        path = self.folder.resolve() / f"{kind}-{rows}-{accounts}-{columns}.parquet"
        numbers = [str(rows), str(accounts)]
        command = [sys.executable, "-m", "tests.benchmarks.tables", str(path), *numbers, kind, str(columns)]
        if not path.exists():
            subprocess.run(command, check=True, cwd=ROOT)
        return path


@dataclass(frozen=True, slots=True)
class Target:
    """How many times faster and smaller a peer's work is meant to be done."""

    faster: float = math.nan
    smaller: float = math.nan

    def judged(self, faster: float, smaller: float) -> str:
        """The targets there are, each with whether it was met."""
        pairs = (("time", self.faster, faster), ("memory", self.smaller, smaller))
        said = [(what, wanted, "met" if got >= wanted else "not met") for what, wanted, got in pairs]
        return "; ".join(
            f"{what} ≥ {wanted:g}: {mark}" for what, wanted, mark in said if not math.isnan(wanted)
        )


def cells(*texts: str) -> str:
    """One row of the table."""
    return f"| {' | '.join(texts)} |"


def lost(work: str, error: JobFailed) -> str:
    """A row for a contender that could not run."""
    return cells(work, str(error), *[""] * 8)


def seconds(work: str, against: str, ours: float, theirs: float, target: Target) -> str:
    """A row about times that the jobs themselves took."""
    ratio = theirs / ours
    return cells(
        work,
        against,
        f"{ours:.3g} s",
        f"{theirs:.3g} s",
        f"{ratio:.2f}",
        "",
        "",
        "",
        "",
        target.judged(ratio, 0),
    )


def versus(
    setting: Setting, work: str, jobs: Sequence[tuple[str, Path | str]], targets: Mapping[str, Target]
) -> Iterator[str]:
    """The first job against each of the others."""
    ours, *peers = compare(jobs, setting.runs)
    if isinstance(ours, JobFailed):
        yield lost(work, ours)
        return
    for peer in peers:
        if isinstance(peer, JobFailed):
            yield lost(work, peer)
            continue
        a, b = ({what: runs.median(what) for what in ("wall", "cpu", "peak")} for runs in (ours, peer))
        ratio = {what: b[what] / a[what] for what in a}
        yield cells(
            work,
            peer.job,
            f"{a['wall']:.3g} s",
            f"{b['wall']:.3g} s",
            f"{ratio['wall']:.2f}",
            f"{ratio['cpu']:.2f}",
            f"{a['peak']:.0f} MiB",
            f"{b['peak']:.0f} MiB",
            f"{ratio['peak']:.2f}",
            targets.get(peer.job, Target()).judged(ratio["wall"], ratio["peak"]),
        )


def imports(setting: Setting) -> Iterator[str]:
    """Start-up."""
    jobs = [("import_erresearch", "-"), ("import_pandas", "-")]
    yield from versus(setting, "import, whole process", jobs, {"import_pandas": Target(2)})


def regression(setting: Setting) -> Iterator[str]:
    """Account effects and clustered standard errors, against a bare group-by-sum and the peers."""
    path = setting.data()
    work = f"FE regression, {setting.rows:,} rows, {setting.accounts:,} accounts"
    names = (
        "erresearch_moments",
        "erresearch_duckdb",
        "statsmodels_ols",
        "pyfixest_feols",
        "duckreg_mundlak",
        *(("linearmodels_panel",) if setting.rows <= ROWS_OF_LINEARMODELS else ()),
    )
    jobs = [(name, path) for name in ("erresearch_regress", "group_by_sum", *names)]
    targets = {
        "group_by_sum": Target(0.5),
        "statsmodels_ols": Target(10, 6),
        "pyfixest_feols": Target(16, 6),
    }
    yield from versus(setting, work, jobs, targets)


def yardstick(setting: Setting) -> Iterator[str]:
    """Only the regression against the bare group-by-sum, for sizes at which the peers do not fit."""
    path = setting.data()
    jobs = [("erresearch_regress", path), ("group_by_sum", path)]
    yield from versus(setting, f"FE regression, {setting.rows:,} rows", jobs, {"group_by_sum": Target(0.5)})


def text_accounts(setting: Setting) -> Iterator[str]:
    """The same with names for accounts."""
    path = setting.data("text")
    work = f"FE regression, {setting.rows:,} rows, {setting.accounts:,} text accounts"
    jobs = [("erresearch_regress", path), ("group_by_sum", path)]
    yield from versus(setting, work, jobs, {"group_by_sum": Target(0.5)})


def poisson(setting: Setting) -> Iterator[str]:
    """Poisson with account effects."""
    path = setting.data()
    jobs = [("erresearch_poisson", path), ("pyfixest_fepois", path)]
    work = f"PPML, {setting.rows:,} rows, {setting.accounts:,} accounts"
    yield from versus(setting, work, jobs, {"pyfixest_fepois": Target(10, 5)})


def curve(setting: Setting) -> Iterator[str]:
    """4,096 models; the peers fit a few and are scaled up."""
    rows = min(setting.rows, 1_000_000)
    path = setting.data("curve", rows=rows, accounts=1000)
    work = f"specification curve, 4,096 models, {rows:,} rows"
    peers = {"statsmodels_refits": Target(100), "specification_curve_fit": Target()}
    ours, *found = compare([(job, path) for job in ("erresearch_curve", *peers)], setting.runs)
    if isinstance(ours, JobFailed):
        yield lost(work, ours)
        return
    for peer, target in zip(found, peers.values(), strict=True):
        if isinstance(peer, JobFailed):
            yield lost(work, peer)
            continue
        scaled = peer.median("seconds") / peer.median("models") * ours.median("models")
        yield seconds(work, f"{peer.job} (8 done, scaled up)", ours.median("wall"), scaled, target)


def bootstrap(setting: Setting) -> Iterator[str]:
    """999 cluster bootstraps after the fit against one pass; the target is for 10 million rows."""
    work = f"999 cluster bootstraps, 5,000 accounts, {setting.rows:,} rows"
    (found,) = compare([("erresearch_bootstrap", setting.data(accounts=5000))], setting.runs)
    if isinstance(found, JobFailed):
        yield lost(work, found)
        return
    yield seconds(work, "one pass", found.median("seconds"), found.median("pass"), Target(2))


def growth(setting: Setting) -> Iterator[str]:
    """Exponent of the time of one pass in rows, accounts and columns."""
    rows, accounts = setting.rows, setting.accounts
    cases = {
        "rows": (setting.data(rows=rows // 4), setting.data(), 4.0, 1.05),
        "accounts": (setting.data(accounts=accounts // 4), setting.data(), 4.0, 1.05),
        "columns": (setting.data(columns=3), setting.data(columns=12), 13 / 4, 2.1),
    }
    for name, (small, large, factor, target) in cases.items():
        found = compare([("erresearch_moments", small), ("erresearch_moments", large)], setting.runs)
        a, b = (runs.median("seconds") for runs in found if isinstance(runs, Runs))
        exponent = math.log(b / a) / math.log(factor)
        mark = "met" if exponent <= target else "not met"
        times = (f"{a:.3g} s", f"{b:.3g} s", f"{exponent:.2f}")
        yield cells(f"exponent in {name}", f"×{factor:g}", *times, *[""] * 4, f"≤ {target}: {mark}")


def spark(setting: Setting) -> Iterator[str]:
    """Spark of two workers against Polars, with its start-up apart."""
    path = setting.data()
    work = f"FE regression on Spark, {setting.rows:,} rows"
    ours, other = compare([("erresearch_regress", path), ("erresearch_spark", path)], setting.runs)
    if isinstance(ours, JobFailed) or isinstance(other, JobFailed):
        yield lost(work, ours if isinstance(ours, JobFailed) else other)
        return
    yield seconds(work, "whole process", ours.median("wall"), other.median("wall"), Target())
    yield seconds(work, "its start-up alone", ours.median("wall"), other.median("start"), Target())
    yield seconds(work, "its passes alone", ours.median("seconds"), other.median("seconds"), Target())


PARTS: Mapping[str, Callable[[Setting], Iterator[str]]] = {
    "import": imports,
    "fe": regression,
    "text": text_accounts,
    "ppml": poisson,
    "curve": curve,
    "bootstrap": bootstrap,
    "growth": growth,
    "yardstick": yardstick,
    "spark": spark,
}
USUAL = ("import", "fe", "text", "ppml", "curve", "bootstrap", "growth")


def main() -> None:
    """Parse the arguments, run the parts, print as they come."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3, help="counted rounds; one more warms up")
    parser.add_argument("--only", default=",".join(USUAL), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--folder", type=Path, default=Path("results/benchmarks"), help="where data are kept")
    given = parser.parse_args()
    setting = Setting(given.rows, given.accounts, given.runs, given.folder)
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("polars", "narwhals", "statsmodels", "pyfixest")
    )
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {versions}")
    print("Simulated data; medians of whole processes run in turn; ratios are theirs over ours.\n")
    print(HEAD, flush=True)
    for name in given.only.split(","):
        for text in PARTS[name](setting):
            print(text, flush=True)


if __name__ == "__main__":
    main()
