"""The command line: ``erresearch reproduce | audit | plan | wager | judge | inspect | …``.

It ends with 0 where all is well; with 1 where a verdict or a printed digit differs from the expected ones or a
notebook failed; with 2 where the input is at fault or nothing could be printed, which one line on standard error then
says; with 130 after an interrupt (143 where it was told to end). The commands are imported once interrupts are looked
after.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["main"]

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
    ended = _end_soon_after_a_signal() if arguments is None else []
    try:
        from erresearch.cli.commands import run

        return run(arguments)
    except KeyboardInterrupt:
        print(_SAID, file=sys.stderr)
        return 128 + (ended[0] if ended else signal.SIGINT)


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

    watched = [signal.SIGINT, signal.SIGTERM]
    for number in watched:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)

    import socket

    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        while (told := receiver.recv(1)) and told[0] not in watched:
            pass
        threading.Event().wait(_PATIENCE)
        from erresearch.io.outputs import abandon_outputs

        abandon_outputs()
        os.write(2, f"{_SAID}\n".encode())
        os._exit(128 + told[0])

    # the thread keeps the sender open, too
    threading.Thread(target=watch, name="interrupts", args=(), daemon=True).start()
    _KEPT.append(sender)
    return came


_KEPT: Final[list[object]] = []
