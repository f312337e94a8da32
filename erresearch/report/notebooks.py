"""Notebooks executed from top to bottom, several at a time, each in a kernel process of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erresearch.errors import DataError
from erresearch.io.files import atomic_write

__all__ = ["NotebookRun", "notebook_paths", "run_notebooks"]

_CELL_SECONDS = 600


@dataclass(frozen=True, slots=True)
class NotebookRun:
    """What became of one notebook.

    Parameters
    ----------
    name : str
        File name without its ending.
    path : pathlib.Path
        The executed copy.
    cells : int
        Code cells executed.
    error : str
        Empty where all went well; else the cell and its error in one line.
    """

    name: str
    path: Path
    cells: int
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether every cell ran."""
        return not self.error


def notebook_paths(folder: str | Path) -> tuple[Path, ...]:
    """Notebooks of a folder, in the order of their names.

    Parameters
    ----------
    folder : path
        Where to look; its subfolders are left alone.

    Returns
    -------
    tuple of pathlib.Path
        Sorted.

    Raises
    ------
    DataError
        If there is none.

    Examples
    --------
    >>> notebook_paths("no such folder")
    Traceback (most recent call last):
    ...
    erresearch.errors.DataError: There is no notebook in 'no such folder'. ...
    """
    found = tuple(sorted(Path(folder).glob("*.ipynb")))
    if not found:
        raise DataError(
            f"There is no notebook in {str(folder)!r}", fix="name a folder that holds .ipynb files"
        )
    return found


def run_notebooks(
    paths: Sequence[Path],
    out: str | Path,
    *,
    jobs: int | None = None,
    on_cell: Callable[[str], object] | None = None,
) -> tuple[NotebookRun, ...]:
    """Execute notebooks in parallel and keep their executed copies.

    The originals are only read. A notebook that fails is kept up to the cell that failed; the others go on.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        The notebooks.
    out : path
        Folder for the executed copies; kernels work in it.
    jobs : int, optional
        Kernels at a time; as many as there are processors, at most eight, where it is not given.
    on_cell : callable, optional
        Called with a notebook's name after each of its cells that ran.

    Returns
    -------
    tuple of NotebookRun
        In the order of `paths`.

    Raises
    ------
    DataError
        If `jobs` is not a positive number or a file is no notebook.
    """
    if jobs is not None and jobs < 1:
        raise DataError("`jobs` must be at least 1", got=str(jobs), fix="leave it out to use every processor")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    loaded = [(path, _load(path)) for path in paths]
    limit = jobs or min(os.cpu_count() or 1, 8)

    async def every() -> list[NotebookRun]:
        slots = asyncio.Semaphore(limit)
        runs = (_run_one(path, notebook, out, slots, on_cell) for path, notebook in loaded)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(run) for run in runs]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    return tuple(_in_a_loop_of_its_own(every))


def _load(path: Path) -> Any:
    """Parsed notebook."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (OSError, UnicodeDecodeError, nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise DataError(
            f"{str(path)!r} is not a notebook", got=str(error).split("\n", maxsplit=1)[0][:200]
        ) from error


async def _run_one(
    path: Path,
    notebook: Any,
    out: Path,
    slots: asyncio.Semaphore,
    on_cell: Callable[[str], object] | None,
) -> NotebookRun:
    """Execute one notebook and store its copy whole, whatever its end."""
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    begun: list[int] = []

    def begin(cell_index: int, **_: object) -> None:
        begun.append(cell_index)

    def end(**_: object) -> None:
        if on_cell is not None:
            on_cell(path.stem)

    # a backend chosen for this process (Agg, say) would silence the pictures of the kernels
    environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    async with slots:
        client = NotebookClient(
            notebook,
            timeout=_CELL_SECONDS,
            kernel_name="python3",
            kernel_manager_class=AsyncKernelManager,
            resources={"metadata": {"path": str(out)}},
            record_timing=False,
            # kernels listen on this machine only; their warning that they do would come once per notebook
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            on_cell_execute=begin,
            on_cell_executed=end,
        )
        error = ""
        try:
            await client.async_execute(env=environment)
        except CellExecutionError as failure:
            error = f"cell {len(begun)}: {failure.ename}: {failure.evalue}"
        except (CellTimeoutError, DeadKernelError) as failure:
            # nbclient takes a cancelled wait for a dead kernel
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError from None
            error = f"cell {len(begun)}: {failure}"
        target = atomic_write(out / path.name, nbformat.writes(notebook))
    return NotebookRun(path.stem, target, len(begun), " ".join(error.split()))


def _in_a_loop_of_its_own(main: Callable[[], Any]) -> Any:
    """Run a coroutine in a thread with its own event loop.

    Works inside Jupyter, whose loop is running already, and leaves Ctrl-C to the main thread: on an interrupt
    the coroutine is cancelled, which shuts its kernels down, before the interrupt goes on.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(main())
    ended = threading.Event()

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(asyncio.wait([task]))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
            ended.set()

    threading.Thread(target=work, name="notebooks", daemon=True).start()
    try:
        ended.wait()
    except BaseException:
        loop.call_soon_threadsafe(task.cancel)
        ended.wait(30)
        raise
    return task.result()
