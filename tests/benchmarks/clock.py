"""Whole processes by the clock: wall time, processor time and peak memory as the operating system counts them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process."""

    wall: float
    cpu: float
    peak: float  # MiB
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Runs:
    """Several runs of one job on one file."""

    job: str
    runs: tuple[Run, ...]

    def median(self, what: str) -> float:
        """Median of a figure of the runs, or of one that the job itself reported."""
        return statistics.median(
            getattr(run, what) if hasattr(run, what) else run.answer[what] for run in self.runs
        )


class JobFailed(Exception):
    """A contender could not do the job; the text says why."""


def run(job: str, path: Path | str, *, timeout: float = 3600) -> Run:
    """Run one contender in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.contenders", job, str(path)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err)
        status, usage = _wait(child, start + timeout)
        wall = time.perf_counter() - start
        out.seek(0)
        err.seek(0)
        lines = out.read().decode().strip().splitlines()
        if status != 0 or not lines:
            last = err.read().decode(errors="replace").strip().splitlines()[-1:] or [f"status {status}"]
            raise JobFailed(f"{job}: {last[0][:100]}")
    scale = 1024 if sys.platform == "darwin" else 1
    peak = usage.ru_maxrss / scale / 1024
    return Run(wall, usage.ru_utime + usage.ru_stime, peak, json.loads(lines[-1]))


def _wait(child: subprocess.Popen[bytes], deadline: float) -> tuple[int, Any]:
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, usage
        if time.perf_counter() > deadline:
            child.kill()
        time.sleep(0.005)


def compare(jobs: Sequence[tuple[str, Path | str]], runs: int) -> list[Runs | JobFailed]:
    """Run jobs in turn, A B A B …, after one round that is not counted."""
    held: list[list[Run]] = [[] for _ in jobs]
    failed: dict[int, JobFailed] = {}
    for turn in range(runs + 1):
        for i, (job, path) in enumerate(jobs):
            if i in failed:
                continue
            try:
                done = run(job, path)
            except JobFailed as error:
                failed[i] = error
                continue
            if turn:
                held[i].append(done)
    return [failed.get(i) or Runs(job, tuple(held[i])) for i, (job, _) in enumerate(jobs)]
