"""What every test file may use."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# The matrices of the tests are small, and there are as many workers as processors: threads of linear algebra, and those
# of Polars, would only wait for each other. Kernels and programs that the tests start inherit this; no library has been
# loaded yet.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")

# Where Python may not keep what it has compiled, each of the many programs and kernels that are started here would
# compile the package again, which takes longer than most of what they do.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# without doctests; the tests that need them import them
collect_ignore_glob = ["benchmarks/[!t]*.py", "oracle/*.py", "exports/*.py"]

# Files that take long though they hold few tests.
WAITING = {"test_lab_browser.py", "test_report_browser.py", "test_site.py", "test_lite.py", "test_cli.py"}

# No test judges by the clock, and a red run must be red again when somebody looks into it.
settings.register_profile(
    "erresearch", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("erresearch")


# Between two notebooks a kernel forgets what the first one named, drew, set and was warned of.
FORGETTING = """
import sys, warnings
get_ipython().run_line_magic("reset", "-f")
import sys, warnings
if "matplotlib.pyplot" in sys.modules:
    sys.modules["matplotlib.pyplot"].close("all")
    sys.modules["matplotlib"].rcdefaults()
if "pandas" in sys.modules:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.modules["pandas"].reset_option("all", silent=True)
get_ipython().run_line_magic("cd", "-q {folder}")
get_ipython().run_line_magic("reset", "-f")
"""

# nbval compares no picture: they are drawn, once and not a second time to be cut close, and little is packed.
PICTURES = """
get_ipython().config.InlineBackend.print_figure_kwargs = {"bbox_inches": None, "pil_kwargs": {"compress_level": 1}}
"""


class KernelsInTurn:
    """Starts nbval's kernel for the first notebook and hands it on to the next, for its imports take longest.

    `make reproduce` and `tools/notebooks.py` give each notebook a kernel of its own, so that nothing can live on what
    another notebook has left.
    """

    def __init__(self) -> None:
        self.idle: Any = None

    def __call__(self, kernel_name: str, cwd: str, startup_timeout: float) -> Any:
        """Give a kernel that works in the folder `cwd`: the one that was handed back, or a new one."""
        from nbval.kernel import RunningKernel

        kernel, self.idle = self.idle, None
        if kernel is not None and kernel.is_alive():
            asked = kernel.execute_cell_input(FORGETTING.format(folder=cwd), allow_stdin=False)
            try:
                kernel.await_reply(asked, timeout=startup_timeout)
                kernel.await_idle(asked, startup_timeout)
            except Empty:  # a cell of the notebook before hangs
                kernel.end()
            else:
                return kernel
        made = RunningKernel(kernel_name, cwd=cwd, startup_timeout=startup_timeout)
        made.await_idle(made.execute_cell_input(PICTURES, allow_stdin=False), startup_timeout)
        made.end, made.stop = made.stop, lambda: self.keep(made)
        return made

    def keep(self, kernel: Any) -> None:
        """Take back the kernel of a notebook that is through."""
        self.idle = kernel

    def end(self) -> None:
        """End the kernel that waits."""
        if self.idle is not None:
            self.idle.end()


KERNELS = KernelsInTurn()


def pytest_configure(config: pytest.Config) -> None:
    """Where nbval runs, its notebooks take turns at one kernel a worker."""
    if config.pluginmanager.hasplugin("nbval"):
        from nbval import plugin

        plugin.RunningKernel = KERNELS


# What is imported and collected stays until the end: looking through it for garbage again and again takes seconds.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that wait for a browser or a kernel: begun last, the other workers would wait for them."""
    items.sort(key=lambda item: item.path.name not in WAITING)


def pytest_collection_finish() -> None:
    """Look for garbage from now on, in what the tests make; less often than usual, for it takes long to look."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


# What was held is given back at the very end, or DuckDB complains that it leaks: pytest need not look through it.
atexit.register(gc.unfreeze)


def pytest_sessionfinish() -> None:
    """No kernel outlives the tests."""
    KERNELS.end()


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout's root."""
    return ROOT


def _outside(folder: str) -> Path:
    """A folder of real files that lie beside the checkout, never in it."""
    data = Path(os.environ.get("ERRESEARCH_DATA_DIR") or ROOT.parent / "shared" / "data")
    found = data if folder == "data" else data.parent / folder
    if not found.is_dir():
        pytest.skip(f"no real files here: {found} is not there (ERRESEARCH_DATA_DIR names the data folder)")
    return found


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data sets; skips where it is not there."""
    return _outside("data")


@pytest.fixture(scope="session")
def real_samples() -> Path:
    """Folder of real export files; skips where it is not there."""
    return _outside("samples")
