"""Work that takes long says so: one line that counts the seconds, and is gone when the work is done."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["AFTER", "waiting"]

#: Seconds of work before a word is said.
AFTER: Final = 3.0
_EVERY: Final = 1.0
_WIDEST: Final = 100
_WAITING: ContextVar[bool] = ContextVar("waiting", default=False)


@contextmanager
def waiting(what: str, *, after: float = AFTER) -> Iterator[None]:
    """Count the seconds on standard error (or below the cell of a notebook) while something takes long.

    Nothing is shown where nobody looks: into files and pipes, and in notebooks that a program runs. Inside another one
    it says nothing: the outermost work has the word.

    Parameters
    ----------
    what : str
        What is being done.
    after : float
        Seconds before the first word.

    Examples
    --------
    >>> with waiting("adding up"):
    ...     sum(range(10))
    45
    """
    show = None if _WAITING.get() else _line()
    if show is None:
        yield
        return
    done = threading.Event()
    words = "".join(character if character.isprintable() else "\ufffd" for character in what)[:_WIDEST]

    def count() -> None:
        start = time.monotonic()
        if done.wait(after):
            return
        while True:
            show(f"erresearch: {words} … {time.monotonic() - start:.0f} s")
            if done.wait(_EVERY):
                break
        show("")

    thread = threading.Thread(target=count, name="erresearch-patience", daemon=True)
    token = _WAITING.set(True)
    thread.start()
    try:
        yield
    finally:
        _WAITING.reset(token)
        done.set()
        thread.join()


def _line() -> Callable[[str], None] | None:
    """Where a line can be shown and taken back; None where nobody looks."""
    if sys.stderr is not None and sys.stderr.isatty():
        return _on_terminal
    return _below_cell()


def _on_terminal(text: str) -> None:
    # \r and "erase to the end of the line"
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()


def _below_cell() -> Callable[[str], None] | None:
    """A display that is updated in place, in a notebook in front of which somebody sits."""
    # another thread may be importing it at this moment: half a module has not everything
    shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    kernel = getattr(shell(), "kernel", None) if shell is not None else None
    # programs that run notebooks (nbclient, nbval) allow no input
    if kernel is None or not getattr(kernel, "_allow_stdin", False):
        return None
    from IPython import display

    shown: list[Callable[..., object]] = []

    def update(text: str) -> None:
        bundle = {"text/plain": text}
        if shown:
            shown[0](bundle, raw=True)
        else:
            handle = display.DisplayHandle()  # type: ignore[no-untyped-call]
            handle.display(bundle, raw=True)  # type: ignore[no-untyped-call]
            shown.append(handle.update)

    return update
