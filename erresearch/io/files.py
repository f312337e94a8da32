"""Where the package's own files are, and how a file is written so that a crash leaves the old one whole."""

from __future__ import annotations

import functools
import os
import secrets
import stat
from pathlib import Path
from typing import Literal

from erresearch.errors import EngineError

__all__ = ["atomic_write", "resource"]


def resource(kind: Literal["data", "notebooks"]) -> Path:
    """Folder of the package's data or notebooks.

    In an installed wheel they lie inside the package (``erresearch/_data``, ``erresearch/_notebooks``), in a
    checkout at its root.

    Parameters
    ----------
    kind : {"data", "notebooks"}
        Which folder.

    Returns
    -------
    pathlib.Path
        An existing folder.

    Raises
    ------
    EngineError
        If neither place has it (a broken installation).

    Examples
    --------
    >>> resource("data").is_dir()
    True
    """
    here = Path(__file__).resolve().parent.parent
    for folder in (here / f"_{kind}", here.parent / kind):
        if folder.is_dir():
            return folder
    raise EngineError(
        f"the package's {kind} folder was not found",
        got=f"neither in {here} nor beside it",
        fix="install erresearch again",
    )


def atomic_write(path: str | Path, content: str | bytes, *, private: bool = False) -> Path:
    r"""Write a file whole or not at all.

    The content goes to a temporary file in the same folder, is flushed to disk and moved into place. A file that was
    private stays private.

    Parameters
    ----------
    path : path
        Where to write; its folder is made if it is not there.
    content : str or bytes
        Text is written as UTF-8 with ``\n`` line ends.
    private : bool
        Whether only the owner may read it (mode 0600, where the system knows modes).

    Returns
    -------
    pathlib.Path
        The path written.

    Raises
    ------
    EngineError
        If the file cannot be written (no permission, full disk); the old file is then untouched.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(Path(folder) / "a.txt", "é").read_bytes()
    b'\xc3\xa9'
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # whoever could not read the old file cannot read the new one
        mode = 0o600 if private else stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}")
        opener = functools.partial(os.open, mode=0o666 if mode is None else mode & 0o600)
        with open(temporary, "xb", opener=opener) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(path)
    except OSError as error:
        raise EngineError(
            f"could not write {str(path)!r}",
            got=str(error),
            fix="choose a folder that can be written or free some space",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return path
