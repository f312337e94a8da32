"""Verdicts and pictures in one HTML file that asks nothing of anyone: no network, no script, no server.

Verdicts are laid out as a board, cards, lists and interval strips; nothing is computed anew.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import warnings as cautions
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from erresearch.datasets.entries import short_names
from erresearch.errors import DataError, warn
from erresearch.io.files import atomic_write, resource
from erresearch.report import sentences
from erresearch.report.figures.challenges import CalibrationCell
from erresearch.report.figures.style import (
    INK,
    MUTED,
    RULE,
    SYMBOLS,
    WORD_COLOURS,
    amount,
    drawn_with,
    file_of,
    scale_of,
    span,
)
from erresearch.report.sentences import readable, sentence
from erresearch.results import Decay, Fit, Precedence, Verdict, plain, rounded

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
        answer=tuple(answer) or sentences.answer(verdicts, claims, names),
        ladder=ladder_of(cards, verdicts),
        footing=sentences.footing(verdicts),
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
        warn(
            f"the report is {len(content) / 1e6:.1f} MB, more than {_SIZE_LIMIT / 1e6:.0f} MB: "
            "draw binned points instead of rows, or hand fewer figures"
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
    said = (amount, span, sentences.estimate_sentence, sentences.flip_sentence, sentence, numbers_of)
    environment.globals.update({each.__name__: each for each in said}, symbols=SYMBOLS)
    return environment.get_template(name)


def page_parts(*names: str) -> list[str]:
    """Styles and scripts of these names, each put together."""
    folder = resource("data") / "report"
    files = [[folder / f"{name}.{ending}" for name in names] for ending in ("css", "js")]
    return ["".join(file.read_text(encoding="utf-8") for file in each) for each in files]


def evidence_figure(result: object, *, note: str = "") -> Figure | None:
    """Draw what a verdict's estimate was read off, with a note below; None where no figure is made for such evidence."""
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

    The prefix stands before every id inside, so that several figures live on one page; `fallback` is the text alternative
    where the figure has no title of its own.

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
    with drawn_with({"svg.hashsalt": "erresearch", "svg.fonttype": "none"}), cautions.catch_warnings():
        # the page's reader draws the text with fonts of its own: what matplotlib's font lacks is no loss here
        cautions.filterwarnings("ignore", message="Glyph .* missing from font")
        text = file_of(figure, "svg").decode()
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


# ------------------------------------------------------------------------------------------ what it lays out
_SAYS: Final = {
    "greater": "the claim says right of 0",
    "less": "the claim says left of 0",
    "absent": "the claim says inside the shaded zone",
}


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """What a report needs to know of a claim; a :class:`erresearch.claims.Claim` has all of it.

    Attributes ``direction``, ``minimum`` and ``unit`` are used where they are.

    Parameters
    ----------
    id : str
        Identifier, as in the registry.
    text, source : str
        The claim in plain English, and who says so.
    estimand : str or mapping of str to str
        What is estimated: text, or parts (unit, population, adjustment, …) with their text.
    sesoi : float
        Smallest effect of interest, δ.
    sesoi_reason : str
        Why δ is what it is.
    notebook : str
        Name of the notebook that works it through; with its ending where it lies beside the report.
    """

    id: str
    text: str = ""
    source: str = ""
    estimand: object = ""
    sesoi: float = math.nan
    sesoi_reason: str = ""
    notebook: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One verdict as the board and a card show it."""

    anchor: str
    verdict: Verdict
    called: str
    direction: str
    bar: Bar | None

    @property
    def slug(self) -> str:
        """The word as a class name."""
        return self.verdict.word.replace(" ", "-")

    @property
    def raised(self) -> int:
        """How many doubts weigh against the word."""
        return sum(doubt.raised for doubt in self.verdict.doubts)


@dataclass(frozen=True, slots=True)
class Card:
    """A claim with everything said about it; `simulated` are the checks on simulated data."""

    anchor: str
    claim: Any
    short: str
    estimand: tuple[tuple[str, str], ...]
    headline: str
    says: str
    minimum: str
    delta: str
    check: tuple[str, ...]
    axis: Axis | None
    unit: str
    real: tuple[Cell, ...]
    simulated: tuple[Cell, ...]
    picture: Picture | None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """What is shown one by one, verdicts on real data first."""
        return self.real + self.simulated

    @property
    def judged(self) -> tuple[Cell, ...]:
        """Verdicts on real data that gave a word."""
        return tuple(cell for cell in self.real if cell.verdict.word != "not judged")

    @property
    def waiting(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Why nothing was judged on the other real data sets: a reason and the data sets that it holds for."""
        reasons: dict[str, list[str]] = {}
        for cell in self.real:
            if cell.verdict.word == "not judged":
                reasons.setdefault(sentence(cell.verdict.reason), []).append(cell.called)
        return tuple((reason, tuple(names)) for reason, names in reasons.items())


@dataclass(frozen=True, slots=True)
class Ladder:
    """Every real estimate on one scale, in multiples of its claim's δ: from −5 to 5, what lies beyond is an arrow."""

    axis: Axis
    rungs: tuple[tuple[Card, Cell, Bar], ...]


def numbers_of(verdict: Verdict) -> tuple[str, ...]:
    """Estimate, ends of its interval, rows, accounts and the verdict's own level; empty where nothing was estimated."""
    estimate = verdict.estimate
    if estimate is None:
        return ("",) * 6
    ends = (estimate.value, estimate.interval.low, estimate.interval.high)
    accounts = f"{estimate.n_accounts:,}" if estimate.n_accounts else ""
    own = verdict.interval or estimate.interval
    shown = [rounded(end, like=estimate.interval.half) for end in ends]
    return (*shown, f"{estimate.n_rows:,}", accounts, f"{100 * own.level:.4g} %")


def _check(claim: Any) -> tuple[str, ...]:
    # an id may come from a file: only a plain one is put into a line that people paste into a shell
    named = f"erresearch claims {claim.id}" if claim.id.isalnum() else "erresearch claims"
    if claim.notebook.endswith(".ipynb"):
        return named, f"jupyter lab {claim.notebook}"
    notebook = [f"jupyter lab notebooks/{claim.notebook}.ipynb"] if claim.notebook else []
    return named, "erresearch reproduce --out results", *notebook


def arrange_cards(
    verdicts: Iterable[Verdict],
    claims: Iterable[Any],
    pictures: Mapping[str, Picture],
    names: Mapping[str, str],
) -> tuple[Card, ...]:
    """One card per claim, in the order of `claims`; claims that only verdicts name come last.

    Where nothing but simulated data were judged (an audit of example files), they stand in the place of real ones.

    Examples
    --------
    >>> [card.claim.id for card in arrange_cards([Verdict("C9", "shop", "inconclusive")], [], {}, {})]
    ['C9']
    """
    by_claim: dict[str, list[Verdict]] = {}
    for verdict in (verdicts := list(verdicts)):
        by_claim.setdefault(verdict.claim, []).append(verdict)
    alone = only_simulated(verdicts)
    records: dict[str, Any] = {claim.id: claim for claim in claims}
    for name in by_claim:
        records.setdefault(name, ClaimRecord(name))
    cards = []
    for number, (name, claim) in enumerate(records.items(), start=1):
        judged = by_claim.get(name, [])
        axis = axis_of(judged)
        real = [v for v in judged if alone or not v.simulated]
        ordered = real + [v for v in judged if not alone and v.simulated and v.word != "not judged"]
        direction = str(getattr(claim, "direction", ""))
        estimand = claim.estimand if isinstance(claim.estimand, Mapping) else {"": claim.estimand}
        cells = []
        for i, v in enumerate(ordered, start=1):
            bar, called = axis.bar(v) if axis else None, names.get(v.dataset, v.dataset)
            cells.append(Cell(f"verdict-{number}-{i}", v, called, direction, bar))
        delta = next((v.sesoi for v in ordered if math.isfinite(v.sesoi)), claim.sesoi)
        cards.append(
            Card(
                anchor=f"claim-{number}",
                claim=claim,
                short=sentences.short_name(claim),
                estimand=tuple((str(part), str(text)) for part, text in estimand.items() if text),
                says=_SAYS.get(direction, ""),
                minimum=str(getattr(claim, "minimum", "")),
                headline=sentences.headline(real, names),
                delta=rounded(delta) if math.isfinite(delta) else "",
                check=_check(claim),
                axis=axis,
                unit=next((v.estimate.unit for v in ordered if v.estimate and v.estimate.unit), "")
                or str(getattr(claim, "unit", "")),
                real=tuple(cells[: len(real)]),
                simulated=tuple(cells[len(real) :]),
                picture=pictures.get(name),
            )
        )
    return tuple(cards)


def only_simulated(verdicts: Iterable[Verdict]) -> bool:
    """Whether simulated data, and no others, gave a word."""
    return {verdict.simulated for verdict in verdicts if verdict.word != "not judged"} == {True}


def ladder_of(cards: Sequence[Card], verdicts: Iterable[Verdict]) -> Ladder | None:
    """Put the real estimates on one scale; None where there is none.

    Examples
    --------
    >>> from erresearch.results import Estimate, Interval
    >>> estimate = Estimate("x", value=0.1, se=0.02, df=9, interval=Interval(0.06, 0.14), n_rows=99, n_accounts=9)
    >>> made = [Verdict("C1", "shop", "supported", estimate=estimate, sesoi=0.05)]
    >>> (rung,) = ladder_of(arrange_cards(made, [], {}, {}), made).rungs
    >>> rung[1].verdict.dataset, rung[2].point
    ('shop', 68.18)
    """
    ticks = {float(tick): f"{plain(tick, 'g')}×" if tick else "0" for tick in (-5, -3, -1, 0, 1, 3, 5)}
    axis = _axis(-_REACH, _REACH, ticks, 1.0)
    by_name = {(card.claim.id, cell.verdict.dataset): (card, cell) for card in cards for cell in card.judged}
    rungs = []
    for verdict in verdicts:
        found = by_name.pop((verdict.claim, verdict.dataset), None)
        bar = axis.bar(verdict, unit=verdict.sesoi) if found and verdict.sesoi > 0 else None
        if found and bar:
            rungs.append((*found, bar))
    return Ladder(axis, tuple(rungs)) if rungs else None


def arrange_promises(
    calibration: Mapping[str, Sequence[CalibrationCell]],
) -> tuple[tuple[str, str, str, str, str], ...]:
    """Rows of the table of kept promises: world, promise, share of the draws, bar, draws; empty counts left out.

    Examples
    --------
    >>> arrange_promises({"right": [CalibrationCell("nil", 0.994, 500, 0.8, "at least")]})
    (('nil', 'right', '99.4 %', 'at least 80 %', '500'),)
    """
    return tuple(
        (one.name, promise, f"{100 * one.share:.1f} %", f"{one.side} {100 * one.bar:.3g} %", f"{one.draws:,}")
        for promise, kept in calibration.items()
        for one in kept
        if not math.isnan(one.share)
    )


def losses(
    accounting: Mapping[str, Mapping[str, int]] | Iterable[tuple[str, str, int]],
) -> tuple[tuple[str, str, int], ...]:
    """Bring an account of left-out rows to one form, reasons without a row left out of it."""
    if isinstance(accounting, Mapping):
        triples = [(name, why, n) for name, reasons in accounting.items() for why, n in reasons.items()]
    else:
        triples = list(accounting)
    return tuple((str(name), str(why), int(n)) for name, why, n in triples if n)


@dataclass(frozen=True, slots=True)
class Picture:
    """What a page shows for one figure: its markup, and the finding as text."""

    markup: Markup
    alt: str


#: Half the width of the one scale: effects beyond five times δ are arrows.
_REACH: Final = 5.5
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One verdict's marks on a strip, in per cent; arrows where an end is unbounded or out of view."""

    point: float
    low: float
    high: float
    inner_low: float
    inner_high: float
    arrow_low: bool
    arrow_high: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """The common scale of a claim's strips; ticks, 0 and the band of ±δ in per cent of it."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    zero: float
    band: tuple[float, float] | None

    def at(self, value: float) -> float:
        """Position of `value` in per cent, kept inside the strip."""
        if math.isnan(value):
            return self.zero
        share = 100 * (value - self.low) / (self.high - self.low)
        return round(min(max(share, 0.0), 100.0), 2)

    def bar(self, verdict: Verdict, *, unit: float = 1.0) -> Bar | None:
        """Marks of one verdict, in multiples of `unit`; None where it has no estimate."""
        estimate = verdict.estimate
        if estimate is None or not math.isfinite(estimate.value):
            return None
        shown, own = estimate.interval, verdict.interval or estimate.interval
        low, high = min(shown.low, own.low) / unit, max(shown.high, own.high) / unit
        marks = (estimate.value / unit, low, high, shown.low / unit, shown.high / unit)
        point, left, right, inner_low, inner_high = map(self.at, marks)
        return Bar(point, left, right, inner_low, inner_high, low < self.low, high > self.high)


def axis_of(verdicts: Iterable[Verdict]) -> Axis | None:
    """Scale that holds 0, ±δ and every bounded interval of one claim; None where no verdict has an estimate."""
    verdicts = list(verdicts)
    known = [one for v in verdicts for one in (v.estimate, v.judged) if one is not None]
    if not any(math.isfinite(end) for e in known for end in (e.value, e.interval.low, e.interval.high)):
        return None
    delta = max((v.sesoi for v in verdicts if 0 < v.sesoi < math.inf), default=math.nan)
    low, high = scale_of(known, beside=[0.0, -delta, delta])
    return _axis(low, high, {tick: plain(tick, "g") for tick in _ticks(low, high)}, delta)


def _axis(low: float, high: float, ticks: Mapping[float, str], delta: float) -> Axis:
    blank = Axis(low, high, (), 0.0, None)
    band = None if math.isnan(delta) else (blank.at(-delta), blank.at(delta))
    marks = tuple((blank.at(tick), text) for tick, text in ticks.items())
    return replace(blank, ticks=marks, zero=blank.at(0.0), band=band)


def _ticks(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    located = MaxNLocator(nbins=_TICKS, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    step = located[1] - located[0]
    # a tick a rounding error away from 0 would be printed as 1e-17
    return [0.0 if abs(tick) < step / 1e6 else float(tick) for tick in located if low <= tick <= high]
