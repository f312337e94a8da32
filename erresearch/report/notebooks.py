"""Notebooks executed from top to bottom, several at a time, each in a kernel process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from erresearch.errors import DataError
from erresearch.io.files import atomic_write

Result = TypeVar("Result")
_CELL_SECONDS: Final = 600
#: Seconds that kernels get to end after an interrupt.
_PATIENCE: Final = 1.5
#: Seconds between two looks at whether an interrupt came: one that arrives in the moment before a wait begins does not
#: wake a wait that has no end.
_LOOK: Final = 0.2


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


@contextlib.contextmanager
def notebooks_running(
    paths: Sequence[Path],
    out: str | Path,
    *,
    jobs: int | None = None,
    on_cell: Callable[[str], object] | None = None,
) -> Iterator[Callable[[], tuple[NotebookRun, ...]]]:
    """Execute notebooks while the block does other work; every kernel has ended when the block is left.

    The originals are only read. A notebook that fails is kept up to the cell that failed; the others go on.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        The notebooks.
    out : path
        Folder for the executed copies. Kernels work elsewhere, in an empty folder that is removed in the end.
    jobs : int, optional
        Kernels at a time; as many as there are processors, at most eight, where it is not given.
    on_cell : callable, optional
        Called with a notebook's name after each of its cells that ran.

    Yields
    ------
    callable
        Waits for the last notebook and returns what became of them, in the order of `paths`.

    Raises
    ------
    DataError
        If `jobs` is not a positive number or a file is no notebook.
    """
    if jobs is not None and jobs < 1:
        raise DataError("`jobs` must be at least 1", got=str(jobs), fix="leave it out to use every processor")
    if not paths:
        yield tuple
        return
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    loaded = [(path, _load(path)) for path in paths]
    limit = jobs or min(os.cpu_count() or 1, 8)
    kernels: list[Any] = []

    async def every() -> tuple[NotebookRun, ...]:
        slots = asyncio.Semaphore(limit)

        async def one(path: Path, notebook: Any) -> NotebookRun:
            async with slots:
                return await _run_one(path, notebook, out, kernels, on_cell)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(path, notebook)) for path, notebook in loaded]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return tuple(task.result() for task in tasks)

    with _in_a_loop_of_its_own(every, kernels) as result:
        yield result


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
    path: Path, notebook: Any, out: Path, kernels: list[Any], on_cell: Callable[[str], object] | None
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

    kernel = AsyncKernelManager(kernel_name="python3")
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=_CELL_SECONDS,
        record_timing=False,
        on_cell_execute=begin,
        on_cell_executed=end,
    )
    kernels.append(kernel)
    error = ""
    try:
        with tempfile.TemporaryDirectory(prefix="erresearch-", ignore_cleanup_errors=True) as empty:
            try:
                await _execute(client, empty)
            finally:
                await _stop(client)
    except CellExecutionError as failure:
        error = f"cell {len(begun)}: {failure.ename}: {failure.evalue}"
    except (CellTimeoutError, DeadKernelError) as failure:
        # nbclient takes a cancelled wait for a dead kernel
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError from None
        error = f"cell {len(begun)}: {failure}"
    target = atomic_write(out / path.name, nbformat.writes(notebook))
    return NotebookRun(path.stem, target, len(begun), " ".join(error.split()))


async def _execute(client: Any, folder: str) -> None:
    """Run every cell in a new kernel that works in a folder.

    The client's own ``async_execute`` stops its kernel at the exit of the program and not where it is cancelled while
    the kernel starts.
    """
    # there are as many kernels as processors, so that further threads of each would only wait for each other;
    # a backend chosen for this process (Agg, say) would silence the pictures of the kernels
    inherited = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    environment = {"OPENBLAS_NUM_THREADS": "1", **inherited}
    # kernels listen on this machine only; their warning that they do would come once per notebook
    quiet = ["--IPKernelApp.log_level=ERROR"]
    await client.km.start_kernel(extra_arguments=quiet, cwd=folder, env=environment)
    await client.async_start_new_kernel_client()
    reply = await client.async_wait_for_reply(client.kc.kernel_info())
    if reply is not None:
        client.nb.metadata["language_info"] = reply["content"]["language_info"]
    for index, cell in enumerate(client.nb.cells):
        await client.async_execute_cell(cell, index, execution_count=client.code_cells_executed + 1)
    client.set_widgets_metadata()


async def _stop(client: Any) -> None:
    """End a kernel at once, whether it had started or not, and let go of its sockets."""
    if client.km.has_kernel:
        await client.km.shutdown_kernel(now=True)
    if client.kc is not None:
        client.kc.stop_channels()


@contextlib.contextmanager
def _in_a_loop_of_its_own(
    main: Callable[[], Coroutine[Any, Any, Result]], kernels: Sequence[Any]
) -> Iterator[Callable[[], Result]]:
    """Run a coroutine in a thread with its own event loop beside the block.

    Works inside Jupyter, whose loop is running already, and leaves Ctrl-C to the main thread. Where the block is left
    before the end the coroutine is cancelled, which ends its kernels; one that does not end is killed.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(main())
    ended = threading.Event()

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(asyncio.wait([task]))
            left = asyncio.all_tasks(loop)
            for one in left:
                one.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
            ended.set()

    def result() -> Result:
        while not ended.wait(_LOOK):
            pass
        return task.result()

    threading.Thread(target=work, name="notebooks", daemon=True).start()
    try:
        yield result
    finally:
        if not ended.is_set():
            with contextlib.suppress(RuntimeError):  # it closed at this moment
                loop.call_soon_threadsafe(task.cancel)
            if not ended.wait(_PATIENCE):
                for kernel in kernels:
                    process = getattr(kernel.provisioner, "process", None)
                    if process is not None:
                        process.kill()
