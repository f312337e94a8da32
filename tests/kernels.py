"""Kernels of the tests, each a fork of one process that has imported what every notebook imports.

A kernel's start takes two seconds of processor time, nearly all of it imports of pandas, scipy, statsmodels and
seaborn; `make test` starts dozens. This package is imported by each kernel anew. Kernels of `make reproduce`, of the
command line as a program and of the lab start as everywhere, so an import that fails or warns is seen there.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

LAUNCHER = [sys.executable, "-m", "ipykernel_launcher"]
IMPORTED = ("ipykernel.kernelapp", "statsmodels.formula.api", "seaborn")


class Fork:
    """A kernel as its manager sees it: the part of ``subprocess.Popen`` that is used there."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def wait(self) -> int:
        """Wait for the end, after which nothing is asked any more."""
        select.select([self._handle], [], [])
        os.close(self._handle)
        return 0

    def poll(self) -> int | None:
        """Return a status once it has ended."""
        return 0 if select.select([self._handle], [], [], 0)[0] else None

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        signal.pidfd_send_signal(self._handle, number)


class Nursery:
    """The process that is forked, started with the first kernel."""

    def __init__(self, launch: Any) -> None:
        self.launch = launch
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, command: list[str], **options: Any) -> Any:
        """Start a kernel; whatever is no plain kernel of this interpreter starts as everywhere."""
        if command[:3] != LAUNCHER:
            return self.launch(command, **options)
        if self.process is None:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True)
            atexit.register(self.process.communicate)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        folder = str(options.get("cwd") or Path.cwd())
        env = dict(options.get("env") or os.environ)
        wanted = json.dumps({"arguments": command[3:], "folder": folder, "env": env})
        self.process.stdin.write(wanted + "\n")
        self.process.stdin.flush()
        return Fork(int(self.process.stdout.readline()))


def install() -> None:
    """Let the kernels of this process be forks, where the system has handles of processes."""
    from jupyter_client.provisioning import local_provisioner

    if hasattr(os, "pidfd_open"):
        local_provisioner.launch_kernel = Nursery(local_provisioner.launch_kernel)


def be_kernel(arguments: list[str], folder: str, env: Mapping[str, str]) -> None:
    """Become a kernel that knows nothing of the process it came from."""
    os.setsid()  # before anybody knows its number: signals go to a kernel's whole group
    print(os.getpid(), flush=True)
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(quiet, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    del sys.path[0]
    # a kernel ends with its parent; which that is was read from the environment when its program was imported
    sys.argv = [LAUNCHER[2], *arguments, f"--IPKernelApp.parent_handle={os.getppid()}"]
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()


def main() -> None:
    """Import, then fork for each line that arrives; kernels that ended are waited for, which counts their time."""
    # matplotlib and pandas ask at their import whether they are in a kernel
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    builtins.get_ipython = lambda: SimpleNamespace(kernel=None)
    for name in IMPORTED:
        importlib.import_module(name)
    del builtins.get_ipython
    for line in sys.stdin:
        if not os.fork():
            be_kernel(**json.loads(line))
            os._exit(0)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


if __name__ == "__main__":
    main()
