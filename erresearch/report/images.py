"""Matplotlib figures and images as parts of a page: inline, without a request, in the reader's colours."""

from __future__ import annotations

import base64
import io
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from erresearch.errors import DataError
from erresearch.report.figures.style import INK, MUTED, RULE, WORD_COLOURS
from erresearch.report.sentences import readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture", "picture"]

_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"<svg": "image/svg+xml"}
_TAG = re.compile(r"<[^!?][^>]*>")
_ID = re.compile(r"""(\bid="|href="#|url\(#)""")
_PAGE_COLOURS = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    **{colour: f"--{word.replace(' ', '-')}" for word, colour in WORD_COLOURS.items()},
}
_COLOUR = re.compile("|".join(_PAGE_COLOURS))


@dataclass(frozen=True, slots=True)
class Picture:
    """What a page shows for one figure: its markup, and the finding as text."""

    markup: Markup
    alt: str
    inline: bool


def picture(figure: Figure | bytes, *, prefix: str, fallback: str) -> Picture:
    """Turn a figure or the bytes of an image into markup for one page.

    Parameters
    ----------
    figure : matplotlib Figure or bytes
        A figure becomes inline SVG whose theme colours follow the page; PNG, JPEG and SVG bytes become an
        image with a ``data:`` address (scripts inside an image never run).
    prefix : str
        Put before every id inside, so that several figures live on one page.
    fallback : str
        Text alternative where the figure has no title of its own.

    Returns
    -------
    Picture
        Markup and alternative text.

    Raises
    ------
    DataError
        If the bytes are no PNG, JPEG or SVG.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> made = Figure(figsize=(2, 1))
    >>> _ = made.subplots().set_title("The rate falls")
    >>> picture(made, prefix="p1", fallback="").alt
    'The rate falls'
    """
    if isinstance(figure, bytes):
        kind = next((mime for head, mime in _KINDS.items() if figure.lstrip().startswith(head)), None)
        if kind is None and figure.lstrip().startswith(b"<?xml") and b"<svg" in figure[:2000]:
            kind = "image/svg+xml"
        if kind is None:
            raise DataError(
                "a figure must be a matplotlib Figure or an image",
                got=f"{len(figure):,} bytes that begin with {figure[:8]!r}",
                allowed="PNG, JPEG or SVG",
                fix="save the figure with savefig(format='png') first",
            )
        alt = _embedded_title(figure) or fallback
        data = base64.b64encode(figure).decode("ascii")
        return Picture(Markup('<img src="data:{};base64,{}" alt="{}">').format(kind, data, alt), alt, False)
    alt = _spoken(figure) or fallback
    return Picture(Markup(_svg(figure, prefix, alt)), alt, True)  # noqa: S704 - made by matplotlib just now


def _spoken(figure: Figure) -> str:
    titles = [figure.get_suptitle()]
    titles += [axes.get_title(where) for axes in figure.axes for where in ("left", "center", "right")]
    return readable(". ".join(title.replace("\n", " ") for title in titles if title).replace(r"\$", "$"))


def _embedded_title(image: bytes) -> str:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(image)) as opened:
            return readable(opened.info.get("Title", ""))
    except UnidentifiedImageError:
        return ""


def _svg(figure: Figure, prefix: str, alt: str) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "erresearch", "svg.fonttype": "none"}), warnings.catch_warnings():
        # the page's reader draws the text with fonts of its own: what matplotlib's font lacks is no loss here
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, facecolor="none")
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = _TAG.sub(lambda tag: _on_page(tag.group(), prefix), text)
    head, rest = text.split(">", 1)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    spoken = Markup(' role="img" aria-label="{}"').format(alt)
    return f"{head}{spoken}>{readable(rest)}"


def _on_page(tag: str, prefix: str) -> str:
    tag = _ID.sub(lambda m: f"{m.group()}{prefix}-", tag)
    return _COLOUR.sub(lambda m: f"var({_PAGE_COLOURS[m.group()]}, {m.group()})", tag)
