"""What a terminal shows: the board of verdicts and a line that moves while work goes on."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Final

from erresearch.errors import EngineError, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from erresearch.results import Verdict

#: What stands for a character that an encoding does not have.
_PLAINER: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys("−–—‐‑─", "-"),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("“”„", '"'),
        "±": "+/-",
        "×": "x",
        "·": ".",
        "…": "...",
        "→": "->",
        "≤": "<=",
        "≥": ">=",
        "≈": "about ",
        "∞": "inf",
        "δ": "delta",
        "β": "beta",
        "ρ": "rho",
        "σ": "sigma",
        "Σ": "sum ",
        "√": "root ",
        "│": "|",
        "€": "EUR",
    }
)

# a pipe or a file has no width of its own, and a wrapped table is hard to read or to search
_WIDTH_ELSEWHERE = 160
#: Names of data sets up to here are never broken.
_LONGEST_NAME = 20
#: Head of the rows on simulated data, where real ones stand above them.
_WORLDS = "Simulated worlds: can the method see it?"


def plain(text: object) -> str:
    r"""Text on one line, without the characters that command a terminal.

    Examples
    --------
    >>> plain("a\nb\x1b[31m")
    'a b�[31m'
    """
    return printable(" ".join(str(text).split()))


def say(text: object, *, error: bool = False) -> None:
    """Print a line, whatever the other end can take.

    A character that the stream cannot print becomes a plain one that says the same ("−" a hyphen, "δ" delta). Where the
    reader has gone (``| head``) the rest is dropped in silence, so that the exit status is that of the work.

    Parameters
    ----------
    text : object
        One line or several.
    error : bool
        Print on standard error.

    Raises
    ------
    EngineError
        If standard output cannot be written, for example to a full disk.

    Examples
    --------
    >>> say("−0.5")
    −0.5
    """
    stream = sys.stderr if error else sys.stdout
    if stream is None:
        return
    try:
        stream.write(encodable(f"{text}\n", getattr(stream, "encoding", None) or "utf-8"))
        stream.flush()
    except OSError as failure:
        silence(stream)
        # Windows says "invalid argument" of a pipe that was closed
        if error or failure.errno in (errno.EPIPE, errno.EINVAL):
            return
        raise EngineError(
            "the results could not be printed",
            got=failure.strerror or type(failure).__name__,
            fix="print to a terminal, or to a disk with free space; files that were written are whole",
        ) from failure


def card(head: str, parts: Iterable[tuple[str, object]]) -> None:
    """Print what something is: a sentence, and named parts below it, folded to the width of the terminal.

    Parameters
    ----------
    head : str
        The sentence.
    parts : iterable of (str, object)
        Names and values; a part without a value is left out, and a name that comes again is printed once.

    Examples
    --------
    >>> card("A plan.", [("Weeks", 24), ("Costs", "")])
    A plan.
    <BLANKLINE>
    Weeks          24
    """
    width = min(max(shutil.get_terminal_size().columns, 40), 100)
    lines, before = [*textwrap.wrap(plain(head), width), ""], ""
    for name, value in parts:
        if text := plain("" if value is None else value):
            label = "" if name == before else name
            lines += textwrap.wrap(f"{label:<15}{text}", width, subsequent_indent=" " * 15)
            before = name
    say("\n".join(lines))


def fold(line: str) -> str:
    """Fold a line between words where somebody reads it on a terminal; a pipe or a file gets it whole.

    Examples
    --------
    >>> fold("a line")
    'a line'
    """
    line, width = printable(line), shutil.get_terminal_size().columns
    if sys.stdout.isatty() and len(line) > width:
        return textwrap.fill(line, width, subsequent_indent="    ")
    return line


def silence(stream: IO[str]) -> None:
    """Send the rest of a stream nowhere, also what it still holds and flushes at the exit."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path
        os.dup2(nowhere.fileno(), stream.fileno())


def encodable(text: str, encoding: str) -> str:
    """Text whose characters an encoding has: others become plain ones that say the same.

    Examples
    --------
    >>> encodable("−0.5 ± δ", "ascii"), encodable("−0.5 ± δ", "cp1252"), encodable("−0.5 ± δ", "utf-8")
    ('-0.5 +/- delta', '-0.5 ± delta', '−0.5 ± δ')
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_encodable(character, encoding) for character in text)
    return text


def _encodable(character: str, encoding: str) -> str:
    letter = unicodedata.normalize("NFKD", character)[0]
    for each in (character, _PLAINER.get(character, letter), "?"):
        with contextlib.suppress(UnicodeEncodeError):
            each.encode(encoding)
            return each
    return "?"


def show(what: Table) -> None:
    """Print a table of rich, with colours where somebody sees them.

    Examples
    --------
    >>> show(board([]))
    <BLANKLINE>
    ...
    """
    screen = console()
    with screen.capture() as captured:
        screen.print(what)
    say(captured.get().rstrip("\n"))


def console(*, stderr: bool = False) -> Console:
    """A console that keeps tables whole where it writes to a pipe or a file.

    Parameters
    ----------
    stderr : bool
        Write to standard error.

    Returns
    -------
    rich.console.Console

    Examples
    --------
    >>> console().is_terminal
    False
    """
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, width=_WIDTH_ELSEWHERE)


def board(verdicts: Iterable[Verdict]) -> Table:
    """Lay verdicts out as a table: claim by its short name × data set → words, estimate with its interval, rows.

    Parameters
    ----------
    verdicts : iterable of Verdict
        What was judged. Pairs that were not judged are only counted, in the caption.

    Returns
    -------
    rich.table.Table
        Simulated data sets stand in a section of their own after the real ones, and are marked beside their name. Words
        are kept whole from 80 columns on.

    Examples
    --------
    >>> from erresearch.results import Verdict
    >>> board([Verdict("C01", "movies", "not judged", reason="no panel")]).row_count
    0
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from erresearch.claims.registry import read_claims
    from erresearch.report.figures.style import WORD_STYLES, amount, span

    names = {claim.id: claim.short for claim in read_claims()}
    rows = sorted(verdicts, key=lambda v: (v.simulated, v.claim, v.dataset))
    judged = [verdict for verdict in rows if verdict.word != "not judged"]
    left = len(rows) - len(judged)
    caption = f"Pairs of claim and data set not judged: {left}; verdicts.csv says why." if left else None
    look: dict[str, Any] = {"box": box.SIMPLE_HEAD, "caption_justify": "left", "padding": (0, 1, 0, 0)}
    table = Table(title="Claims judged", caption=caption, **look)
    widest = max((len(verdict.dataset) for verdict in judged), default=0)
    table.add_column("claim", overflow="fold")
    table.add_column("data set", overflow="fold", min_width=min(widest, _LONGEST_NAME))
    table.add_column("verdict", min_width=14)
    table.add_column("estimate (interval)", min_width=15)
    table.add_column("rows", justify="right", no_wrap=True)
    before: tuple[bool, str] | None = None
    for verdict in judged:
        if before not in (None, (verdict.simulated, verdict.claim)):
            table.add_section()
        again = before == (verdict.simulated, verdict.claim)
        if verdict.simulated and before is not None and not before[0]:
            table.add_row(Text(_WORLDS, style="bold"), end_section=True)
        name = plain(verdict.dataset) + (" (simulated)" if verdict.simulated else "")
        estimate, number = verdict.judged, ""
        if verdict.estimate and estimate:
            shown = amount(estimate.value, verdict.estimate.interval)
            number = f"{shown} ({span(estimate.interval, sesoi=verdict.sesoi)})"
        table.add_row(
            Text("" if again else plain(f"{verdict.claim} {names.get(verdict.claim, '')}")),
            Text(name, style="italic dim" if verdict.simulated else ""),
            Text(plain(verdict.words_beside_name), style=WORD_STYLES[verdict.word]),
            Text(number),
            Text(f"{estimate.n_rows:,}" if estimate else ""),
        )
        before = verdict.simulated, verdict.claim
    return table


@contextlib.contextmanager
def progress_line(total: int, *, label: str, show: bool = True) -> Iterator[Callable[[str], None]]:
    """Show a bar on standard error while steps are done.

    Parameters
    ----------
    total : int
        Number of steps.
    label : str
        What is being done.
    show : bool
        Whether to show anything at all.

    Yields
    ------
    callable
        To be called with a word about each step done.

    Examples
    --------
    >>> with progress_line(2, label="counting", show=False) as step:
    ...     step("one")
    """
    if not show:
        yield lambda word: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    label_of, word_of = TextColumn("{task.description}"), TextColumn("{task.fields[word]}")
    columns = (label_of, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), word_of)
    with Progress(*columns, console=console(stderr=True), transient=False) as bar:
        task = bar.add_task(label, total=total, word="")
        yield lambda word: bar.update(task, advance=1, word=plain(word))
