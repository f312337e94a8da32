"""What the template lays out: verdicts as a board, cards, lists and interval strips; nothing is computed anew."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup

from erresearch.report.figures.challenges import CalibrationCell
from erresearch.report.sentences import headline, sentence, short_name
from erresearch.results import Verdict, plain, rounded

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
    """Every real estimate on one scale, in multiples of the smallest effect that matters to its claim.

    Parameters
    ----------
    axis : Axis
        From −5 to 5 times δ; what lies beyond is an arrow.
    rungs : tuple of (Card, Cell, Bar)
        From top to bottom.
    """

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


def _estimand(value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, Mapping):
        return tuple((str(part), str(text)) for part, text in value.items())
    return (("", str(value)),) if value else ()


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
        cells = []
        for i, v in enumerate(ordered, start=1):
            bar, called = axis.bar(v) if axis else None, names.get(v.dataset, v.dataset)
            cells.append(Cell(f"verdict-{number}-{i}", v, called, direction, bar))
        delta = next((v.sesoi for v in ordered if math.isfinite(v.sesoi)), claim.sesoi)
        cards.append(
            Card(
                anchor=f"claim-{number}",
                claim=claim,
                short=short_name(claim),
                estimand=_estimand(claim.estimand),
                says=_SAYS.get(direction, ""),
                minimum=str(getattr(claim, "minimum", "")),
                headline=headline(real, names),
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

    Parameters
    ----------
    cards : sequence of Card
        As :func:`arrange_cards` gave them.
    verdicts : iterable of Verdict
        The same verdicts.

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
    """Bring an account of left-out rows to one form, reasons without a row left out of it.

    Examples
    --------
    >>> losses({"films": {"no figure": 14_000, "duplicate": 0}})
    (('films', 'no figure', 14000),)
    """
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
_MARGIN = 0.06


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
    """The common scale of a claim's strips.

    Parameters
    ----------
    low, high : float
        Ends of the scale.
    ticks : tuple of (float, str)
        Position in per cent and text of each tick.
    zero : float
        Position of 0 in per cent.
    band : (float, float) or None
        Where ±δ lies, in per cent; None where no δ was declared.
    """

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
    """Scale that holds 0, ±δ and every bounded interval; None where no verdict has an estimate.

    Parameters
    ----------
    verdicts : iterable of Verdict
        The verdicts of one claim, all in its unit.

    Examples
    --------
    >>> from erresearch.results import Estimate, Interval
    >>> estimate = Estimate("x", value=0.3, se=0.05, df=39, interval=Interval(0.2, 0.4), n_rows=100, n_accounts=10)
    >>> axis = axis_of([Verdict("C1", "shop", "supported", estimate=estimate, sesoi=0.05)])
    >>> [text for _, text in axis.ticks]
    ['0', '0.2', '0.4']
    """
    verdicts = list(verdicts)
    known = [one for v in verdicts for one in (v.estimate, v.judged) if one is not None]
    ends = [end for one in known for end in (one.value, one.interval.low, one.interval.high)]
    ends = list(filter(math.isfinite, ends))
    if not ends:
        return None
    deltas = [verdict.sesoi for verdict in verdicts if math.isfinite(verdict.sesoi) and verdict.sesoi > 0]
    delta = max(deltas, default=math.nan)
    ends += [0.0, *([-delta, delta] if deltas else [])]
    low, high = min(ends), max(ends)
    pad = _MARGIN * (high - low) if high > low else 1.0
    low, high = low - pad, high + pad
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
