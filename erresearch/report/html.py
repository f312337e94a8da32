"""Verdicts and pictures in one HTML file that asks nothing of anyone: no network, no script, no server."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import warnings as cautions
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from erresearch.datasets.entries import short_names
from erresearch.errors import DataError, ErresearchWarning
from erresearch.io.files import atomic_write, resource
from erresearch.report.figures.challenges import CalibrationCell
from erresearch.report.figures.style import INK, MUTED, RULE, SYMBOLS, WORD_COLOURS, amount, span
from erresearch.report.sentences import (
    answer as told_by,
    estimate_sentence,
    flip_sentence,
    footing,
    readable,
    sentence,
)
from erresearch.report.views import (
    Picture,
    arrange_cards,
    arrange_promises,
    ladder_of,
    losses,
    numbers_of,
    only_simulated,
)
from erresearch.results import Decay, Fit, Precedence, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from erresearch.report.reproduction import LivingCurve

_TITLE: Final = "Does engagement go with revenue?"
_SIZE_LIMIT: Final = 3_000_000
#: What a claim's evidence is, the figure that draws it and the height that this needs.
_DRAWINGS: Final[Mapping[type, tuple[str, float]]] = {
    Precedence: ("precedence", 4.0),
    Decay: ("decay", 4.0),
    Fit: ("forest", 2.2),
}
_TAG = re.compile(r"<[^!?][^>]*>")
_ID = re.compile(r"""(\bid="|href="#|url\(#)""")
_PAGE_COLOURS = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    **{colour: f"--{word.replace(' ', '-')}" for word, colour in WORD_COLOURS.items()},
}
_COLOUR = re.compile("|".join(_PAGE_COLOURS))


def write_report(
    verdicts: Sequence[Verdict],
    *,
    out: str | Path,
    question: str = _TITLE,
    answer: Sequence[str] = (),
    claims: Sequence[Any] = (),
    provenance: Mapping[str, object] | None = None,
    accounting: Mapping[str, Mapping[str, int]] | Iterable[tuple[str, str, int]] = (),
    warnings: Sequence[str] = (),
    figures: Mapping[str, Figure | LivingCurve] | None = None,
    calibration: Mapping[str, Sequence[CalibrationCell]] | None = None,
) -> Path:
    """Write verdicts, their pictures and their doubts into one self-contained HTML file.

    The file holds everything it shows: it makes no request, is read without scripts (where they run, tables
    sort and the board filters) and carries a content security policy that would block anything else. The
    same arguments give the same bytes.

    Parameters
    ----------
    verdicts : sequence of Verdict
        What was judged. Simulated verdicts are shown as such and never count in the answer.
    out : path
        The HTML file to write; the old one stays whole if anything fails.
    question : str
        Title of the document, over the answer.
    answer : sequence of str
        Sentences that answer it; made from the verdicts where none is given.
    claims : sequence of claim records
        See :class:`ClaimRecord`; the board follows their order.
    provenance : mapping
        Versions, data hashes, seeds, commit: text, numbers, lists or mappings of them, shown as they are.
    accounting : mapping of str to mapping, or triples (data set, reason, count)
        Rows left out.
    warnings : sequence of str
        Every warning given on the way.
    figures : mapping of str to Figure or LivingCurve
        A picture per claim id; other keys are shown after the claims under their own name, and a curve that the reader
        moves (:func:`erresearch.report.living_curve`) in a chapter of its own.
    calibration : mapping of str to sequence
        Per promise about the words, how simulated worlds kept it (:func:`erresearch.report.calibration.promises`).

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    DataError
        If a figure is none.
    EngineError
        If the file cannot be written.

    See Also
    --------
    erresearch.verdict_table : The same verdicts in a notebook or a terminal.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_report([Verdict("C01", "shop", "inconclusive")], out=Path(folder) / "report.html")
    ...     "inconclusive" in path.read_text(encoding="utf-8")
    True
    """
    verdicts = list(verdicts)
    names = short_names()  # registered data sets are called so; others by their own name
    known = {claim.id for claim in claims} | {verdict.claim for verdict in verdicts}
    moving = {name: figure.html for name, figure in (figures or {}).items() if hasattr(figure, "html")}
    pictures = {
        name: picture(figure, prefix=f"figure-{number}", fallback=name)
        for number, (name, figure) in enumerate((figures or {}).items(), start=1)
        if not hasattr(figure, "html")
    }
    cards = arrange_cards(verdicts, claims, pictures, names)
    style, script = page_parts("report", "living")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page: str = template("report.html.j2").render(
        style=Markup(style),  # noqa: S704 - the package's own file
        script=Markup(script),  # noqa: S704 - the package's own file
        script_hash=f"sha256-{digest}",
        question=question,
        answer=tuple(answer) or told_by(verdicts, claims, names),
        ladder=ladder_of(cards, verdicts),
        footing=footing(verdicts),
        alone=only_simulated(verdicts),
        cards=cards,
        further={name: made for name, made in pictures.items() if name not in known},
        provenance=provenance or {},
        losses=losses(accounting),
        warnings=list(warnings),
        promises=arrange_promises(calibration or {}),
        living=Markup("".join(moving.values())),  # noqa: S704 - made by this package
    )
    content = page.encode()
    if len(content) > _SIZE_LIMIT:
        cautions.warn(
            f"the report is {len(content) / 1e6:.1f} MB, more than {_SIZE_LIMIT / 1e6:.0f} MB: "
            "draw binned points instead of rows, or hand fewer figures",
            ErresearchWarning,
            stacklevel=2,
        )
    return atomic_write(out, content)


def template(name: str) -> Any:
    """Open one of the package's templates; what is no markup is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("data") / "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        # what is already markup is let through; everything else loses what a page cannot carry, then is escaped
        finalize=lambda it: readable(it) if isinstance(it, str) and not isinstance(it, Markup) else it,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    said = (amount, span, estimate_sentence, flip_sentence, sentence, numbers_of)
    environment.globals.update({each.__name__: each for each in said}, symbols=SYMBOLS)
    return environment.get_template(name)


def page_parts(*names: str) -> list[str]:
    """Styles and scripts of these names, each put together."""
    folder = resource("data") / "report"
    files = [[folder / f"{name}.{ending}" for name in names] for ending in ("css", "js")]
    return ["".join(file.read_text(encoding="utf-8") for file in each) for each in files]


def evidence_figure(result: object, *, note: str = "") -> Figure | None:
    """Draw what a verdict's estimate was read off.

    Parameters
    ----------
    result : Precedence, Decay, Fit or another
        The evidence.
    note : str
        What stands below, such as the name of the data set.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where no figure is made for such evidence.
    """
    from matplotlib.figure import Figure

    from erresearch.report import figures

    drawing, height = _DRAWINGS.get(type(result), ("", 0.0))
    if not drawing:
        return None
    with figures.theme():
        figure = Figure(figsize=(7, height), layout="constrained")
        getattr(figures, drawing)(result, ax=figure.subplots())
        if note:
            figure.supxlabel(note, fontsize=9, style="italic", x=0.01, ha="left")
    return figure


def picture(figure: Figure, *, prefix: str, fallback: str) -> Picture:
    """Turn a figure into SVG for one page, whose theme colours follow the page.

    Parameters
    ----------
    figure : matplotlib Figure
        What is shown.
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
        If it is no figure.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> made = Figure(figsize=(2, 1))
    >>> _ = made.subplots().set_title("The rate falls")
    >>> picture(made, prefix="p1", fallback="").alt
    'The rate falls'
    """
    if not hasattr(figure, "savefig"):
        raise DataError(
            "a report shows matplotlib figures",
            got=type(figure).__name__,
            fix="hand over the figure, unsaved",
        )
    titles = [figure.get_suptitle()]
    titles += [axes.get_title(where) for axes in figure.axes for where in ("left", "center", "right")]
    said = ". ".join(title.replace("\n", " ") for title in titles if title).replace(r"\$", "$")
    alt = readable(said) or fallback
    return Picture(Markup(_svg(figure, prefix, alt)), alt)  # noqa: S704 - made by matplotlib just now


def _svg(figure: Figure, prefix: str, alt: str) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "erresearch", "svg.fonttype": "none"}), cautions.catch_warnings():
        # the page's reader draws the text with fonts of its own: what matplotlib's font lacks is no loss here
        cautions.filterwarnings("ignore", message="Glyph .* missing from font")
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
