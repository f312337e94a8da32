"""Where a data set's file is: with a package, in the user's data folder, in the cache, or on the network."""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from erresearch.datasets.registry import Dataset, Source
from erresearch.errors import EngineError
from erresearch.io.files import resource

__all__ = ["Found", "Where", "cache_folder", "data_folder", "find", "look", "retrieve"]

Where = Literal["embedded", "data dir", "cached", "downloaded"]


@dataclass(frozen=True, slots=True)
class Found:
    r"""A file that holds a data set, with its hash.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    source : Source
        The registered file it stands for.
    where : {"embedded", "data dir", "cached", "downloaded"}
        In which place it was found.
    sha256 : str
        Hash of its bytes (for our own text tables, of the bytes with ``\n`` as line end).
    pinned : bool
        Whether that is the registered hash.
    """

    path: Path
    source: Source
    where: Where
    sha256: str
    pinned: bool


def data_folder() -> Path | None:
    """Folder named by ``ERRESEARCH_DATA_DIR``, or None.

    Raises
    ------
    EngineError
        If the variable names something that is no folder.
    """
    named = os.environ.get("ERRESEARCH_DATA_DIR", "").strip()
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise EngineError(
            "ERRESEARCH_DATA_DIR names no folder",
            got=repr(named),
            fix="point it at the folder that holds your copies, or unset it",
        )
    return folder


def cache_folder() -> Path:
    """Folder of downloaded files: ``ERRESEARCH_CACHE_DIR``, else the system's cache. It may not exist yet."""
    named = os.environ.get("ERRESEARCH_CACHE_DIR", "").strip()
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("erresearch"))


def look(dataset: Dataset) -> Found | None:
    """Find a local copy, without the network.

    Parameters
    ----------
    dataset : Dataset
        What to look for.

    Returns
    -------
    Found or None
        The first copy in the order embedded, data folder, cache.

    Raises
    ------
    EngineError
        If a copy is there but is not the file registered, or the package that carries it is missing.

    Examples
    --------
    >>> from erresearch.datasets import dataset_card
    >>> look(dataset_card("movies")).where
    'embedded'
    """
    if dataset.embedded:
        return _hashed(dataset, _packaged(dataset), dataset.sources[0], "embedded")
    places: list[tuple[Path | None, Where]] = [(data_folder(), "data dir"), (cache_folder(), "cached")]
    for folder, where in places:
        for source in dataset.sources:
            if folder is not None and (folder / source.file).is_file():
                return _hashed(dataset, folder / source.file, source, where)
    return None


def find(dataset: Dataset, *, check: Callable[[Found], object]) -> Found:
    """Find a copy, fetching it where there is none.

    Parameters
    ----------
    dataset : Dataset
        What to look for.
    check : callable
        Called with a fetched file before it enters the cache; raises if the file is not what it should be.

    Returns
    -------
    Found
        The copy.

    Raises
    ------
    EngineError
        If no copy is there and none can be fetched or kept, or a copy is not the file registered.

    Examples
    --------
    >>> from erresearch.datasets import dataset_card
    >>> find(dataset_card("er-benchmarks"), check=print).pinned
    True
    """
    found = look(dataset)
    if found is not None:
        return found
    source = next(source for source in dataset.sources if source.download)
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as folder:
            fetched = Path(folder) / source.file
            _fetch(dataset, source, fetched)
            # the check reads the whole file, so that the cache never holds half of one
            check(_hashed(dataset, fetched, source, "downloaded"))
            kept = fetched.replace(cache / source.file)
    except OSError as error:
        raise EngineError(
            f"the cache for downloaded data cannot be written: {str(cache)!r}",
            got=str(error),
            fix="name another folder in ERRESEARCH_CACHE_DIR, or put the file into a folder named in "
            "ERRESEARCH_DATA_DIR",
        ) from error
    return _hashed(dataset, kept, source, "downloaded")


def retrieve(url: str, target: Path) -> None:
    """Fetch one address into one file with a progress bar (pooch)."""
    import pooch

    shown = importlib.util.find_spec("tqdm") is not None
    pooch.HTTPDownloader(progressbar=shown, timeout=60)(url, target, None)


def _fetch(dataset: Dataset, source: Source, target: Path) -> None:
    names = " or ".join(repr(other.file) for other in dataset.sources)
    try:
        retrieve(source.download, target)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"data set {dataset.name!r} is not on this machine and could not be fetched from {source.download}",
            got=f"{type(error).__name__}: {error}",
            fix=f"download it elsewhere, save it as {names} in a folder, and set ERRESEARCH_DATA_DIR to that "
            f"folder (or put it into {str(cache_folder())!r})",
        ) from error


def _packaged(dataset: Dataset) -> Path:
    source = dataset.sources[0]
    if not source.package:
        return resource("data") / source.file
    try:
        path = Path(str(importlib.resources.files(source.package).joinpath(source.path)))
    except ModuleNotFoundError as error:
        raise EngineError(
            f"data set {dataset.name!r} comes with the package {source.package}, which is not installed",
            got=str(error),
            fix=f"install {source.package}",
        ) from error
    return path


def _hashed(dataset: Dataset, path: Path, source: Source, where: Where) -> Found:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EngineError(
            f"the file of data set {dataset.name!r} cannot be read",
            got=str(error),
            fix="check that it is there and may be read",
        ) from error
    if where == "embedded" and source.format == "csv":
        # a checkout on Windows may have changed the line ends of our own tables
        content = content.replace(b"\r\n", b"\n")
    digest = hashlib.sha256(content).hexdigest()
    pinned = digest == source.sha256
    if not pinned and not dataset.sums:
        remedy = {
            "embedded": f"install {source.package or 'erresearch'} again, in the version the lock file names",
            "data dir": f"replace it by the file from {dataset.url}",
            "cached": "delete it and load again",
            "downloaded": f"look at {dataset.url}: the file there may be a new edition",
        }[where]
        raise EngineError(
            f"{str(path)!r} is not the file registered for data set {dataset.name!r}",
            got=f"SHA-256 {digest}, {len(content):,} bytes",
            allowed=f"SHA-256 {source.sha256}",
            fix=remedy,
        )
    return Found(path=path, source=source, where=where, sha256=digest, pinned=pinned)
