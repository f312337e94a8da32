"""Notebooks run in kernels of their own, and what a run leaves: its verdicts as a table, and what they were made from."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hashlib
import io
import json
import math
import os
import platform
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from erresearch.errors import DataError, raise_as
from erresearch.io import pd
from erresearch.io.files import atomic_write, resource

if TYPE_CHECKING:
    from erresearch.results import Verdict

Result = TypeVar("Result")
_CELL_SECONDS: Final = 600
#: Seconds that kernels get to end after an interrupt.
_PATIENCE: Final = 1.5
#: Seconds between two looks at whether an interrupt came: one that arrives in the moment before a wait begins does not
#: wake a wait that has no end.
_LOOK: Final = 0.2
#: Columns of verdicts.csv, and where a verdict has each.
_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: name for name in ("claim", "dataset", "words", "certainty")},
        "estimate": "estimate.name",
        **{name: f"estimate.{name}" for name in ("value", "se")},
        **{name: f"interval.{name}" for name in ("low", "high", "level")},
        "low_95": "estimate.interval.low",
        "high_95": "estimate.interval.high",
        **{name: f"estimate.{name}" for name in ("unit", "n_rows", "n_accounts")},
        "sesoi": "sesoi",
        "method": "estimate.method",
        **{name: name for name in ("evidence", "reason")},
    }
)
COLUMNS = (*_FIELDS, "doubts_raised")
_NUMBER: Final = re.compile(r"[+\-−]?\d[\d,]*(?:\.\d+)?(?:e[+\-−]?\d+)?")


def verdict_rows(verdicts: Iterable[Verdict]) -> list[tuple[object, ...]]:
    """One row per verdict, in the order of :data:`COLUMNS`, sorted by claim and data set.

    Parameters
    ----------
    verdicts : iterable of Verdict
        What was judged.

    Returns
    -------
    list of tuple
        Raw values; nothing is rounded here.

    Examples
    --------
    >>> from erresearch.results import Verdict
    >>> verdict_rows([Verdict("C01", "movies", "not judged", reason="no panel")])[0][:3]
    ('C01', 'movies', 'not judged')
    """
    rows = []
    for verdict in sorted(verdicts, key=lambda v: (v.claim, v.dataset)):
        raised = "; ".join(doubt.name for doubt in verdict.doubts if doubt.raised)
        rows.append((*(_held(verdict, place) for place in _FIELDS.values()), raised))
    return rows


def _held(value: object, place: str) -> object:
    for name in place.split("."):
        value = None if value is None else getattr(value, name)
    return value


def _read(path: Path) -> tuple[list[str], dict[tuple[str, str], dict[str, str]]]:
    wrong, fix = f"the table of verdicts {str(path)!r} cannot be read", "name a verdicts.csv"
    with raise_as(DataError, wrong, of=(OSError, UnicodeDecodeError), fix=fix):
        lines = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    columns = list(lines[0]) if lines else []
    if not {"claim", "dataset"} <= set(columns):
        raise DataError(
            f"{str(path)!r} is not a table of verdicts",
            got=f"columns {', '.join(map(str, columns)) or '(none)'}",
            allowed="a verdicts.csv that `erresearch reproduce` wrote",
        )
    return columns, {(line["claim"], line["dataset"]): line for line in lines}


def _same(found: str, expected: str) -> bool:
    """Same text, whose numbers print the same four digits or differ by round-off alone."""
    if found == expected:
        return True
    numbers = _NUMBER.findall(found), _NUMBER.findall(expected)
    if len(numbers[0]) != len(numbers[1]) or _NUMBER.sub("#", found) != _NUMBER.sub("#", expected):
        return False
    alone = [found] == numbers[0]
    return all(
        # a count or a date inside a sentence has no digits that do not matter
        one == other or ((alone or not (one + other).strip("+-−").isdigit()) and _near(one, other))
        for one, other in zip(*numbers, strict=True)
    )


def _near(one: str, other: str) -> bool:
    a, b = (float(text.replace(",", "").replace("−", "-")) for text in (one, other))
    # two numbers on either side of a rounding boundary may print differently and yet be the same
    return f"{a:.4g}" == f"{b:.4g}" or math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)


def differences(found: str | Path, expected: str | Path) -> tuple[str, ...]:
    r"""Every verdict or printed digit in which two tables of verdicts differ.

    Numbers, those inside a sentence too, are the same when they print the same four significant digits or differ by less
    than a millionth; what is nothing but round-off counts as 0.

    Parameters
    ----------
    found, expected : path
        Two files named ``verdicts.csv``.

    Returns
    -------
    tuple of str
        One line per difference; empty where there is none.

    Raises
    ------
    DataError
        If a file cannot be read or is no table of verdicts.

    See Also
    --------
    verdict_rows : What is written there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     a, b = Path(folder) / "a.csv", Path(folder) / "b.csv"
    ...     _ = a.write_text("claim,dataset,value\nC01,movies,0.12345\n")
    ...     _ = b.write_text("claim,dataset,value\nC01,movies,0.13345\n")
    ...     differences(a, b)
    ("C01 on movies: value is '0.12345', expected '0.13345'",)
    """
    columns, ours = _read(Path(found))
    _, theirs = _read(Path(expected))
    said = [f"{claim} on {data}: is new" for claim, data in sorted(ours.keys() - theirs.keys())]
    said += [f"{claim} on {data}: is missing" for claim, data in sorted(theirs.keys() - ours.keys())]
    for key in sorted(ours.keys() & theirs.keys()):
        said += [
            f"{key[0]} on {key[1]}: {column} is {ours[key][column]!r}, expected {theirs[key].get(column)!r}"
            for column in columns
            if not _same(ours[key][column] or "", theirs[key].get(column) or "")
        ]
    return tuple(said)


_ORIGIN = ("file", "rows_in_file", "excluded", "mended", "duplicates", "licence", "citation", "url")


def fingerprint(data: Any) -> str:
    """Identify a table by its content.

    Parameters
    ----------
    data : frame or Moments
        A pandas frame, any frame with ``to_pandas``, moments, or an evidence pack.

    Returns
    -------
    str
        For a frame the sha256 of the table written as CSV in UTF-8, which anybody can check; for moments that
        of their columns, keys, counts, sums and cross-products.

    Examples
    --------
    >>> import pandas as pd
    >>> fingerprint(pd.DataFrame({"likes": [1, 2]}))[:12]
    '...'
    """
    from erresearch.claims.variables import Rowless
    from erresearch.engine.moments import Moments

    # by type: a table may have columns called digest or cross
    if isinstance(data, Rowless):
        return data.digest
    if isinstance(data, Moments):
        parts = [json.dumps([list(data.columns), [str(key) for key in data.keys]]).encode()]
        parts += [getattr(data, name).tobytes() for name in ("count", "weight", "origin", "sums", "cross")]
    else:
        table = data if isinstance(data, pd.DataFrame) else data.to_pandas()
        parts = [table.to_csv(index=False, lineterminator="\n").encode("utf-8", "surrogatepass")]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _packages() -> dict[str, str]:
    """Versions of what this package declares that it needs."""
    needed = (text for text in requires("erresearch") or [] if "extra ==" not in text)
    names = {re.split(r"[\s\[<>=!~;(]", text, maxsplit=1)[0] for text in needed}
    found = dict.fromkeys(sorted(names, key=str.lower), "not installed")
    for name in found:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _git() -> dict[str, Any] | None:
    """Commit of the checkout that this package runs from, and whether it was changed since; None elsewhere."""
    root = resource("data").parent
    if not (root / ".git").exists():
        return None

    def ask(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    try:
        return {"commit": ask("rev-parse", "HEAD"), "changed": bool(ask("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _table(data: Any) -> dict[str, Any]:
    """Size, hash and what the table says of itself."""
    from erresearch.engine.moments import Moments

    said: Mapping[str, Any] = getattr(data, "attrs", {})
    account: Mapping[str, Any] = said.get("erresearch", {})
    rows = data.rows if isinstance(data, Moments) else len(data)
    origin = {name: account[name] for name in _ORIGIN if name in account}
    return {
        "sha256": fingerprint(data),
        "rows": int(rows),
        "simulated": bool(said.get("simulated", False)),
        "seed": said.get("seed"),
        "file_sha256": account.get("sha256"),
        **origin,
    }


def provenance(
    data: Mapping[str, Any], *, verdicts: Iterable[Verdict] = (), notebooks: Iterable[NotebookRun] = ()
) -> dict[str, Any]:
    """Collect what a run was made from; no clock time, so that equal runs have equal manifests.

    Parameters
    ----------
    data : mapping of str to frame or Moments
        The data sets judged.
    verdicts : iterable of Verdict
        What was judged; only counted here.
    notebooks : iterable of NotebookRun
        What was run.

    Returns
    -------
    dict
        Plain values for JSON.

    Examples
    --------
    >>> sorted(provenance({}))[:4]
    ['claims_sha256', 'datasets', 'erresearch', 'git']
    """
    from erresearch import __version__
    from erresearch.claims.registry import claims_sha256

    tables = {name: _table(table) for name, table in sorted(data.items())}
    return {
        "erresearch": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": _packages(),
        "git": _git(),
        "claims_sha256": claims_sha256(),
        "datasets": tables,
        "seeds": {name: table["seed"] for name, table in tables.items() if table["seed"] is not None},
        "verdicts": len(tuple(verdicts)),
        "notebooks": {run.name: {"cells": run.cells, "error": run.error or None} for run in notebooks},
    }


def manifest_text(made: Mapping[str, Any]) -> str:
    """Lay a manifest out as JSON.

    Parameters
    ----------
    made : mapping
        What :func:`provenance` returned.

    Returns
    -------
    str
        Indented, in the order given, closed by a line end; values that JSON has no word for are written as text.

    Examples
    --------
    >>> print(manifest_text({"rows": 3}), end="")
    {
      "rows": 3
    }
    """
    return json.dumps(made, indent=2, ensure_ascii=False, default=str) + "\n"


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
        ) from None


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
