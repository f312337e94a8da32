"""The board of verdicts as a picture: claims down, data sets across, simulated ones hatched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from erresearch.errors import DataError
from erresearch.report.figures.style import (
    HATCH,
    INK,
    MUTED,
    SYMBOLS,
    WORD_COLOURS,
    amount,
    label,
    new_axes,
    span,
    titled,
)
from erresearch.results import WORDS, Verdict, Word

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["board"]

_CELL = (1.95, 0.82)


def board(
    verdicts: Sequence[Verdict], *, palette: Mapping[Word, str] | None = None, ax: Axes | None = None
) -> Axes:
    r"""Draw claims × data sets, one tile per verdict, in colour, symbol and word.

    Columns of simulated data stand at the right, hatched, with the word under their name; they are not
    counted in the title.

    Parameters
    ----------
    verdicts : sequence of Verdict
        What was judged; rows and columns in the order of appearance, real data first.
    palette : mapping of word to colour, optional
        Colours other than the package's own.
    ax : matplotlib Axes, optional
        Where to draw; a new figure where it is not given.

    Returns
    -------
    matplotlib Axes
        With a title that counts the words given on real data.

    Raises
    ------
    DataError
        If there is no verdict to draw.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> made = [Verdict("C1", "shop", "inconclusive"),
    ...         Verdict("C1", "nil", "practically nil", qualifiers=("simulated",))]
    >>> ax = board(made, ax=Figure().subplots())
    >>> ax.get_title(loc="left"), [tick.get_text() for tick in ax.get_xticklabels()]
    ('On real data: 1 inconclusive', ['shop', 'nil\nsimulated'])
    """
    if not verdicts:
        raise DataError("a board needs a verdict", got="none", fix="judge at least one claim")
    claims = list(dict.fromkeys(verdict.claim for verdict in verdicts))
    columns = sorted(dict.fromkeys((v.dataset, v.simulated) for v in verdicts), key=lambda column: column[1])
    colours = {**WORD_COLOURS, **(palette or {})}
    ax = new_axes(ax, size=(1.2 + _CELL[0] * len(columns), 1.0 + _CELL[1] * len(claims)))
    for verdict in verdicts:
        place = columns.index((verdict.dataset, verdict.simulated)), claims.index(verdict.claim)
        _tile(ax, verdict, place, colours[verdict.word])
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(len(claims) - 0.5, -0.5)
    ax.xaxis.set_ticks_position("top")
    ax.set_xticks(
        range(len(columns)),
        [label(name, limit=20) + ("\nsimulated" if simulated else "") for name, simulated in columns],
        color=INK,
    )
    ax.set_yticks(range(len(claims)), [label(claim, limit=20) for claim in claims], color=INK)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    counts = Counter(verdict.word for verdict in verdicts if not verdict.simulated)
    said = ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])
    titled(ax, f"On real data: {said}" if said else "No verdict on real data")
    return ax


def _tile(ax: Axes, verdict: Verdict, place: tuple[int, int], colour: str) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    x, y = place
    patch = Rectangle(
        (x - 0.47, y - 0.44),
        0.94,
        0.88,
        facecolor="none" if verdict.simulated else to_rgba(colour, 0.13),
        edgecolor=HATCH if verdict.simulated else "none",
        hatch="////" if verdict.simulated else None,
        linestyle="--" if verdict.simulated else "-",
        linewidth=0.8 if verdict.simulated else 0,
        gid="simulated" if verdict.simulated else "real",
    )
    ax.add_patch(patch)
    ax.plot(
        [x - 0.47, x - 0.47], [y - 0.44, y + 0.44], color=colour, lw=2.5, solid_capstyle="butt", gid="mark"
    )
    ax.text(
        x - 0.41,
        y - 0.2,
        f"{SYMBOLS[verdict.word]} {verdict.word}",
        color=colour,
        weight="bold",
        va="center",
        fontsize=8.8,
        gid="word",
    )
    if verdict.estimate is not None:
        interval = verdict.estimate.interval
        number = f"{amount(verdict.estimate.value, interval)} ({span(interval)})"
        ax.text(x - 0.41, y + 0.04, number, color=INK, va="center", fontsize=7.6, gid="number")
    notes = [verdict.size, *(q for q in verdict.qualifiers if q != "simulated")]
    if verdict.estimate is not None:
        notes.append(f"n = {verdict.estimate.n_rows:,}")
    ax.text(
        x - 0.41,
        y + 0.26,
        ", ".join(note for note in notes if note),
        color=MUTED,
        va="center",
        fontsize=7.2,
        gid="note",
    )
