"""``python -m erresearch.cli``: the command line, and how it ends when it is interrupted."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

#: Seconds that a program which was interrupted may take to clean up before it is ended from outside.
_PATIENCE: Final = 2.0
_SAID: Final = "erresearch: interrupted; files written before are whole"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the program's name. Where they are not given, those of this process, which then ends within two
        seconds of an interrupt whatever a library does.

    Returns
    -------
    int
        The exit status: 0, 1 or 2 as the module says, 130 after an interrupt.

    Examples
    --------
    >>> main(["--version"])
    erresearch 0.1.0
    0
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started this, as some schedulers do
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    ended = _end_soon_after_a_signal() if arguments is None else []
    try:
        from erresearch.cli.commands import run

        status = run(arguments)
    except BaseException as error:
        # Python 3.11 turns an interrupt into a RuntimeError while a class is made
        if not ended and not isinstance(error, KeyboardInterrupt):
            raise
        status = 128 + (ended[0] if ended else signal.SIGINT)
        with contextlib.suppress(OSError):  # the terminal may be closed
            print(_SAID, file=sys.stderr)
        if arguments is None:
            _leave(status)
    if arguments is None:
        _ignore_signals()
    return status


def _ignore_signals() -> None:
    """Nothing is left to interrupt: while Python shuts down, a signal would end it under another status."""
    for number in _WATCHED:
        signal.signal(number, signal.SIG_IGN)


def _leave(status: int) -> None:
    """End at once with this status.

    Python ends by the signal itself where an interrupt once passed through code that a library made from text (every
    dataclass does), although it was caught later.
    """
    _ignore_signals()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _end_soon_after_a_signal() -> list[int]:
    """Turn the first signal to end into an interrupt, pass over the next ones, and look that the program ends.

    A library may swallow the interrupt, or compute for a long time before Python hears of it: a thread is told by the
    system itself, through a socket.

    Returns
    -------
    list of int
        Filled with the signal when it comes.
    """
    came: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        if not came:
            came.append(number)
            raise KeyboardInterrupt

    for number in _WATCHED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)

    import socket

    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        while (told := receiver.recv(1)) and told[0] not in _WATCHED:
            pass
        threading.Event().wait(_PATIENCE)
        from erresearch.io.outputs import abandon_outputs

        abandon_outputs()
        with contextlib.suppress(OSError):
            os.write(2, f"{_SAID}\n".encode())
        os._exit(128 + told[0])

    # the thread keeps the sender open, too
    threading.Thread(target=watch, name="interrupts", args=(), daemon=True).start()
    _KEPT.append(sender)
    return came


_KEPT: Final[list[object]] = []
#: Ctrl-C, being told to end, and a terminal that was closed, where the system has that signal.
_WATCHED: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

if __name__ == "__main__":
    sys.exit(main())
