"""The quiet look of every picture: one theme, one colour and symbol per word, numbers cut at their doubt."""

from __future__ import annotations

import io
import math
import textwrap
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from erresearch.results import Estimate, Interval, Word, rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#1c1b19"
MUTED: Final = "#5d5a54"
RULE: Final = "#dcd8d0"
# half-way between page and text in either mode, because a hatch keeps its colour in the dark
HATCH: Final = "#a8a399"

#: How each word looks: its colour, its sign, and its style on a terminal. Hues of Okabe & Ito, darkened until each is
#: readable as text on white: told apart with every colour vision.
_LOOKS: Final[Mapping[Word, tuple[str, str, str]]] = {
    "supported": ("#00588f", "✓", "bold green"),
    "contradicted": ("#a63c06", "✗", "bold red"),
    "practically nil": ("#00664b", "≈", "bold blue"),
    "inconclusive": ("#7a5200", "?", "yellow"),
    "association only": ("#8b3a78", "↔", "yellow"),
    "not judged": ("#5d5a55", "–", "dim"),
}
WORD_COLOURS: Final = MappingProxyType({word: colour for word, (colour, _, _) in _LOOKS.items()})
SYMBOLS: Final = MappingProxyType({word: sign for word, (_, sign, _) in _LOOKS.items()})
WORD_STYLES: Final = MappingProxyType({word: style for word, (_, _, style) in _LOOKS.items()})

_LABEL_LIMIT: Final = 44
#: Settings of matplotlib are the whole process's: who changes them for a while keeps other threads out.
_DRAWING: Final = threading.RLock()
#: Share of an axis that is left free at either end.
_MARGIN: Final = 0.06
#: Characters of a title on an inch, and how many more of smaller ones.
_PER_INCH: Final = 9.6
_SMALLER: Final = 1.15


@contextmanager
def theme() -> Iterator[None]:
    """Draw in the package's quiet style inside a ``with`` block; nothing changes outside it, and threads take turns.

    The background is transparent and the frame reduced to what is read, so that a picture sits on a light
    page and, in the report, follows the reader's dark mode.

    Examples
    --------
    >>> import matplotlib
    >>> with theme():
    ...     matplotlib.rcParams["axes.spines.top"]
    False
    >>> matplotlib.rcParams["axes.spines.top"]
    True
    """
    import matplotlib as mpl
    from cycler import cycler

    style = Path(__file__).with_name("quiet.mplstyle")
    quiet: dict[str, Any] = mpl.rc_params_from_file(style, use_default_template=False)
    inked = dict.fromkeys(("text.color", "axes.titlecolor"), INK)
    muted = dict.fromkeys(("axes.labelcolor", "xtick.color", "ytick.color"), MUTED)
    ruled = dict.fromkeys(("axes.edgecolor", "grid.color"), RULE)
    words = cycler(color=list(WORD_COLOURS.values()))
    colours = {**inked, **muted, **ruled, "hatch.color": HATCH, "axes.prop_cycle": words}
    with drawn_with({**quiet, **colours}):
        yield


@contextmanager
def drawn_with(settings: dict[str, Any]) -> Iterator[None]:
    """Draw with settings of matplotlib inside a ``with`` block, while no other thread draws with others.

    Examples
    --------
    >>> with drawn_with({"svg.fonttype": "none"}):
    ...     pass
    """
    import matplotlib as mpl

    with _DRAWING, mpl.rc_context(settings):
        yield


def file_of(figure: Figure, form: Literal["png", "svg"]) -> bytes:
    """A figure as a file, drawn once: saving draws what lays itself out twice. For a page SVG has no background.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> file_of(Figure(layout="constrained"), "png")[1:4]
    b'PNG'
    """
    from matplotlib.backends import backend_agg, backend_svg

    canvas, size, colour, out = figure.canvas, figure.dpi, figure.get_facecolor(), io.BytesIO()
    with drawn_with({}):
        if form == "png":
            figure.set_dpi(100)
            backend_agg.FigureCanvasAgg(figure).print_png(out, metadata={"Software": None})
        else:
            figure.set_facecolor("none")
            backend_svg.FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    figure.set(dpi=size, facecolor=colour, canvas=canvas)
    return out.getvalue()


def new_axes(ax: Axes | None, *, size: tuple[float, float] | None = None) -> Axes:
    """Return `ax`, or axes on a figure of their own where it is None.

    Parameters
    ----------
    ax : matplotlib Axes or None
        What the caller handed in.
    size : (float, float), optional
        Width and height in inches of the new figure.

    Examples
    --------
    >>> new_axes(None, size=(3, 2)).figure.get_size_inches().tolist()
    [3.0, 2.0]
    """
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    made: Axes = plt.subplots(figsize=size)[1]
    return made


def scale_of(estimates: Sequence[Estimate], *, beside: Sequence[float] = ()) -> tuple[float, float]:
    """Ends of an axis that holds every bounded interval, and the values `beside`, with a margin.

    Examples
    --------
    >>> low, high = scale_of([Estimate("x", value=0.5, se=0.1, df=9, interval=Interval(0.3, math.inf),
    ...     n_rows=20, n_accounts=10)], beside=[0.0])
    >>> round(low, 3), round(high, 3)
    (-0.03, 0.53)
    """
    ends = [
        end for e in estimates for end in (e.value, e.interval.low, e.interval.high) if math.isfinite(end)
    ]
    ends += [value for value in beside if math.isfinite(value)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    pad = _MARGIN * (high - low) if high > low else 1.0
    return low - pad, high + pad


def titled(ax: Axes, *texts: str) -> None:
    r"""Write the finding over the axes: the first text that one line holds, else the last, small or in several lines.

    Examples
    --------
    >>> ax = new_axes(None, size=(4, 2))
    >>> titled(ax, "A sentence that is much longer than these four inches can hold", "A short one")
    >>> ax.get_title(loc="left")
    'A short one'
    >>> titled(ax, "A sentence that is much longer than these four inches can hold")
    >>> ax.get_title(loc="left").count("\n")
    1
    """
    figure, place = ax.figure, ax.get_window_extent()
    # axes that stand alone leave the room beside them, where numbers of rows are written, to their title
    width = place.width
    if len(figure.axes) == 1:
        beside = ax.yaxis.get_tightbbox() if figure.get_layout_engine() is not None else None
        width = figure.bbox.width - (place.x0 if beside is None else place.x0 - beside.x0)
    room = max(24, int(_PER_INCH * width / figure.dpi))
    text = next((text for text in texts if len(text) <= room), texts[-1])
    small = room < len(text) <= _SMALLER * room
    title = ax.set_title(text if small else textwrap.fill(text, room), loc="left")
    if small:
        title.set_fontsize(10)


def label(text: object, *, limit: int = _LABEL_LIMIT) -> str:
    r"""Text that can stand beside an axis: one line, never read as mathematics, cut where it is very long.

    Examples
    --------
    >>> label("net $ sales\n2024")
    'net \\$ sales 2024'
    >>> len(label("x" * 10_000))
    44
    """
    line = "".join(c if c.isprintable() else " " for c in str(text))
    line = " ".join(line.split())
    if len(line) > limit:
        line = line[: limit - 1].rstrip() + "…"
    # a pair of dollar signs would switch matplotlib to its mathematics and fail on what is none
    return line.replace("$", r"\$")


def _lines(sesoi: float) -> tuple[float, ...]:
    return (-sesoi, sesoi) if math.isfinite(sesoi) else ()


def amount(value: float, interval: Interval, unit: str = "", *, sesoi: float = math.nan) -> str:
    """`value` rounded as its interval allows, with its unit; on the same side of 0 and ±`sesoi` as before.

    Examples
    --------
    >>> amount(0.31, Interval(0.22, 0.40), "EUR per comment")
    '0.310 EUR per comment'
    """
    return f"{rounded(value, like=interval.half, beside=_lines(sesoi))}{f' {unit}' if unit else ''}"


def span(interval: Interval, *, sesoi: float = math.nan) -> str:
    """The ends of an interval, as they are read aloud; on the same side of 0 and ±`sesoi` as before.

    Examples
    --------
    >>> span(Interval(-0.02, 0.40)), span(Interval(-math.inf, 2.0))
    ('−0.02 to 0.40', 'unbounded below to 2')
    """
    half, lines = interval.half, _lines(sesoi)
    low = "unbounded below" if math.isinf(interval.low) else rounded(interval.low, like=half, beside=lines)
    high = "unbounded above" if math.isinf(interval.high) else rounded(interval.high, like=half, beside=lines)
    return f"{low} to {high}"
