"""Folders of results: written beside, exchanged when whole, and never in place of what is not our own.

A folder that the package wrote carries a marker, :data:`MARKER`, with the sha256 of each file. Only such a folder is
replaced, and only while every file in it is still the one that was written.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from erresearch.errors import DataError, EngineError, raise_as

#: The file that says what is in a folder of results.
MARKER: Final = ".erresearch.json"
_FORMAT: Final = "erresearch results"
#: What a file manager leaves in a folder that somebody looked into.
_LITTER: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
#: What the manifest of a reproduction by version 0.1, which wrote no marker, tells, and the files beside it.
_MANIFEST: Final = "manifest.json"
_TOLD_BY_0_1: Final = frozenset({"erresearch", "claims_sha256", "datasets", "notebooks", "verdicts"})
_BESIDE_0_1: Final = ("report.html", "verdicts.csv", _MANIFEST)
#: How often two runs may get into each other's way before one gives up.
_TRIES: Final = 20
#: Longer than a tick of the clock by which a file system dates changes.
_TICK_NS: Final = 50_000_000
_SHOWN: Final = 80
# Linux: exchange two names in one step (linux/fs.h); the folder of the process, for names that are not absolute
_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100
#: Folders that this process is writing, and where they are to go.
_LIVE: Final[dict[Path, Path]] = {}


def check_output(out: str | Path, *, inputs: Iterable[str | Path] = ()) -> None:
    """Refuse a folder that may not be replaced, before any work is done.

    Parameters
    ----------
    out : path
        Folder for results; it need not exist.
    inputs : iterable of path
        What the results are made from. Addresses (``s3://…``) are no files here and are passed over.

    Raises
    ------
    DataError
        If it is no folder, holds a file that the package did not write or that was changed since, holds an input, or is
        the folder in which the program works.
    EngineError
        If the system does not let its place be looked at: below a file, or under too long a name.

    See Also
    --------
    output_folder : Write the results.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "mine.txt").write_text("mine")
    ...     check_output(folder)
    Traceback (most recent call last):
    ...
    erresearch.errors.DataError: the folder '...' holds something that erresearch did not write: 'mine.txt'. ...
    """
    place = _place(out)
    with _writing(out):
        try:
            loop = place.is_symlink()
            mode = 0 if loop else place.stat().st_mode
        except FileNotFoundError:
            return
    if not stat.S_ISDIR(mode):
        what = "a link that leads back to itself" if loop else "a file"
        raise DataError(
            "results need a folder", got=f"{str(out)!r} is {what}", fix="name another folder with --out"
        )
    for given in inputs:
        path = _local(given)
        if path is not None and any(_same_place(one, place) for one in (path, *path.parents)):
            raise DataError(
                f"the folder {str(out)!r} would be replaced, and an input lies in it",
                got=_shown(path.name),
                fix="name another folder with --out",
            )
    with _writing(out):
        _refuse_foreign(place, str(out))
    here = Path.cwd()
    if any(_same_place(one, place) for one in (here, *here.parents)):
        raise DataError(
            "the folder in which the program works cannot be replaced",
            got=str(out),
            fix="name a folder inside it, such as --out results",
        )


@contextlib.contextmanager
def output_folder(out: str | Path, *, inputs: Iterable[str | Path] = ()) -> Iterator[Path]:
    """Give a new folder to write into, and put it in the place of `out` when the block has ended well.

    Where the block fails, or is interrupted, `out` stays as it was and the new folder is removed. Names are exchanged in
    one step where the system can do that. Elsewhere the old folder is moved away first; should the program be killed
    between the two steps, the next call brings the old folder back.

    Parameters
    ----------
    out : path
        Folder for results.
    inputs : iterable of path
        What the results are made from; none of them may lie in `out`.

    Yields
    ------
    pathlib.Path
        An empty folder beside `out` that nobody else can read.

    Raises
    ------
    DataError
        As :func:`check_output`, before and after the block.
    EngineError
        If the folder cannot be written.

    Notes
    -----
    Whoever could not read the old folder or a file in it cannot read the new one: modes are taken over by name, and a
    file that is new gets the mode of the old marker. Of two runs at once the last one to end stays, whole.

    See Also
    --------
    check_output : The refusals alone.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with output_folder(Path(place) / "results") as folder:
    ...         _ = (folder / "a.csv").write_text("x")
    ...     sorted(path.name for path in (Path(place) / "results").iterdir())
    ['.erresearch.json', 'a.csv']
    """
    place, given = _place(out), list(inputs)
    with contextlib.ExitStack() as stack:
        with _writing(out):
            place.parent.mkdir(parents=True, exist_ok=True)
            _recover(place)
            check_output(out, inputs=given)
            beside = place.with_name(f".{place.name[:40]}.{secrets.token_hex(6)}.tmp")
            new = beside / "new"
            _LIVE[beside] = place
            stack.callback(_tidy, beside, place)
            beside.mkdir(mode=0o700)
            stack.enter_context(_held(beside / "lock"))
            (beside / "begun").touch()
            new.mkdir()
            usual = stat.S_IMODE(new.stat().st_mode)
        yield new
        with _writing(out):
            _write_marker(new)
            new.chmod(usual)
            _put(new, place, beside / "old", str(out))


def abandon_outputs() -> None:
    """Remove the folders that this process is writing, since it ends now; what stood in their place is left or put back.

    For a program that cannot be ended in the usual way.
    """
    for beside, place in tuple(_LIVE.items()):
        _tidy(beside, place)


def replaceable_file(path: str | Path, *, inputs: Iterable[str | Path] = (), ours: bool) -> None:
    """Refuse to write over a file that is an input, or that the package did not write.

    Parameters
    ----------
    path : path
        Where one file of results goes.
    inputs : iterable of path
        What it is made from.
    ours : bool
        Whether what stands there was read as a file of this package.

    Raises
    ------
    DataError
        If it may not be replaced.

    Examples
    --------
    >>> replaceable_file("no such file", ours=False)
    """
    if not Path(path).exists():
        return
    if any(_same_place(Path(given), Path(path)) for given in inputs):
        raise DataError(
            "the result would replace an input", got=str(path), fix="name another file with --out"
        )
    if not ours:
        raise DataError(
            "there is a file that erresearch did not write", got=str(path), fix="name another file with --out"
        )


def _place(out: str | Path) -> Path:
    """The folder itself where a link to it is given."""
    return Path(os.path.realpath(out))


def _local(given: str | Path) -> Path | None:
    """The file of an input; None for an address. What follows ``?`` or holds ``*`` names something inside it."""
    text = str(given)
    if "://" in text:
        return None
    text = text.removeprefix("duckdb:") if text.startswith("duckdb:") else text
    return Path(os.path.realpath(text if Path(text).exists() else text.split("?", maxsplit=1)[0]))


def _same_place(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _shown(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")


def _writing(out: str | Path) -> contextlib.AbstractContextManager[None]:
    fix = "choose a folder that can be written or free some space"
    return raise_as(EngineError, f"could not write the folder {str(out)!r}", fix=fix)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Everything below a folder but folders, by its name there, in order; links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix(), path


def _write_marker(folder: Path) -> None:
    files = {name: _digest(path) for name, path in _files(folder)}
    text = json.dumps({"format": _FORMAT, "version": 1, "files": files}, indent=1, ensure_ascii=False)
    with (folder / MARKER).open("x", encoding="utf-8", newline="\n") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _written(folder: Path) -> Mapping[str, str | None] | None:
    """Files that we wrote there, with their hashes (None: not known); None where nothing says that we did."""
    told = _json(folder / MARKER)
    files = told.get("files")
    if told.get("format") == _FORMAT and isinstance(files, dict):
        return {**files, MARKER: None}
    told = _json(folder / _MANIFEST)
    if told.keys() >= _TOLD_BY_0_1 and isinstance(told["notebooks"], dict):
        return dict.fromkeys([*_BESIDE_0_1, *(f"notebooks/{name}.ipynb" for name in told["notebooks"])])
    return None


def _refuse_foreign(folder: Path, out: str) -> None:
    """Refuse a folder with a file in it that we did not write, or that was changed since.

    Another run may exchange the folder while it is read: then it is read again.
    """
    for _ in range(_TRIES):
        before = _identity(folder)
        if before is None:
            return
        try:
            _compare(folder, out)
        except (DataError, FileNotFoundError):
            if _identity(folder) != before:
                continue
            # two changes within one tick of the file system's clock carry one time: a time that is just now says
            # nothing yet
            if abs(time.time_ns() - before[1]) >= _TICK_NS:
                raise
            time.sleep(_TICK_NS / 1e9)
        else:
            return
    raise _busy(out)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_ctime_ns


def _busy(out: str) -> DataError:
    return DataError(
        f"the folder {out!r} is being written by several runs at once",
        fix="give each run a folder of its own, or wait for the others",
    )


def _compare(folder: Path, out: str) -> None:
    written = _written(folder)
    for name, path in _files(folder):
        if path.name in _LITTER and path.is_file():
            continue
        known = written is not None and name in written and path.is_file() and not path.is_symlink()
        if known and written is not None and written[name] in (None, _digest(path)):
            continue
        what = "was changed since erresearch wrote it" if known else "erresearch did not write"
        raise DataError(
            f"the folder {out!r} holds something that {what}",
            got=_shown(name),
            allowed="a new folder, an empty one, or one that holds nothing but results of erresearch",
            fix="name another folder with --out, or move the file out of this one",
        )


def _put(new: Path, place: Path, aside: Path, out: str) -> None:
    """Move a whole folder to its place; what stood there goes, if it is still ours."""
    for _ in range(_TRIES):
        if not place.exists():
            with contextlib.suppress(FileExistsError, NotADirectoryError):
                if _moved(new, place):
                    return
            continue
        if not place.is_dir():
            check_output(out)
        _refuse_foreign(place, out)
        try:
            _keep_modes(place, new)
        except FileNotFoundError:
            continue
        if _exchange(new, place):
            try:
                # somebody may have put a file there at this very moment
                _refuse_foreign(new, out)
            except DataError:
                _exchange(new, place)
                raise
            return
        if not _moved(place, aside):
            continue
        # where this fails the folder is moved back when the block is left
        _refuse_foreign(aside, out)
        if _moved(new, place):
            return
        _remove(aside)
    raise _busy(out)


def _moved(source: Path, target: Path) -> bool:
    """Whether a folder could be moved; not where another run was faster."""
    try:
        source.rename(target)
    except FileNotFoundError:
        return False
    except OSError as error:
        # the target was a folder with something in it when the system looked: another run put it there, and may have
        # taken it away since, so what stands there now says less than the error does
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) and not target.is_dir():
            raise
        return False
    return True


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where this system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    names = (os.fsencode(path) for path in (one, other))
    first, second = map(ctypes.c_char_p, names)
    return bool(rename(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_RENAME_EXCHANGE)) == 0)


def _keep_modes(old: Path, new: Path) -> None:
    """Let no one read the new who could not read the old."""
    marker = old / MARKER
    usual = stat.S_IMODE(marker.stat().st_mode) if marker.is_file() else None
    for name, path in _files(new):
        before = old / name
        mode = stat.S_IMODE(before.stat().st_mode) if before.is_file() else usual
        if mode is not None:
            path.chmod(mode)
    for folder in (new, *(path for path in new.rglob("*") if path.is_dir())):
        before = old / folder.relative_to(new)
        if before.is_dir():
            folder.chmod(stat.S_IMODE(before.stat().st_mode))


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[bool]:
    """Hold a lock that the system gives up when this process ends, however it ends.

    The standard library has one that is the same on every system: that of SQLite. Where there is none (a network drive,
    a Python without it) the folder is left alone for good.
    """
    try:
        import sqlite3
    except ImportError:
        yield False
        return
    connection = None
    try:
        # where another run has just removed the folder, there is no file to open
        connection = sqlite3.connect(lock, timeout=0, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        mine = True
    except sqlite3.Error:
        mine = False
    try:
        yield mine
    finally:
        if connection is not None:
            connection.close()


def _recover(place: Path) -> None:
    """Bring back what a killed run had moved away, and remove what it left beside."""
    for beside in place.parent.glob(f".{glob.escape(place.name[:40])}.*.tmp"):
        if not (beside / "begun").is_file():
            # it may be that its run is about to take the lock
            continue
        with _held(beside / "lock") as dead:
            if not dead:
                continue
        _tidy(beside, place)


def _tidy(beside: Path, place: Path) -> None:
    """Remove the folder beside; a folder that was moved into it goes back where its place is free."""
    _LIVE.pop(beside, None)
    old = beside / "old"
    if old.is_dir() and not place.exists():
        _moved(old, place)
    if old.is_dir():
        try:
            _refuse_foreign(old, str(old))
        except DataError:
            # somebody put a file there while it was moved: nothing of theirs is removed
            return
    _remove(beside)


def _remove(folder: Path) -> None:
    """Remove a folder of our own, the marker last: what a killed run leaves is still known as ours."""
    with contextlib.suppress(OSError):
        for _, path in _files(folder):
            if path.name != MARKER:
                path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
