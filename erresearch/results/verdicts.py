"""The words of a verdict, why they are what they are, and several of them side by side in a table.

A program compares codes and facts and never a sentence. The sentences stand in one table (:data:`SENTENCES`), and a
:class:`Reason` is only turned into one where it is shown.
"""

from __future__ import annotations

import math
import numbers
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from erresearch.errors import Count, check_name
from erresearch.io.files import registry
from erresearch.results.estimates import Estimate, Interval
from erresearch.results.rounding import Printed, escape, plain
from erresearch.schema.vocabulary import Word


class ReasonCode(StrEnum):
    """What a :class:`Reason` is about; a member is text, so that codes survive JSON and TOML.

    ``reasons.toml`` has the sentence of each; a fact stands in braces. Floats are printed as everywhere, counts with
    thousands.
    """

    # the rule that gave a verdict's word
    NO_BOUND = "no-bound"
    INSIDE_SESOI = "inside-sesoi"
    BEYOND_SESOI = "beyond-sesoi"
    BEYOND_ZERO = "beyond-zero"
    BEYOND_ZERO_AND_SESOI = "beyond-zero-and-sesoi"
    HOLDS_SMALL_AND_LARGE = "holds-small-and-large"
    HOLDS_ZERO_AND_LARGE = "holds-zero-and-large"
    # what kept a word from being decisive
    RANGE_DISAGREES = "range-disagrees"
    FEW_CLUSTERS = "few-clusters"
    NO_LEAD = "no-lead"
    REVERSE_AS_STRONG = "reverse-as-strong"
    ONLY_BESIDE_SAME_PERIOD = "only-beside-same-period"
    NOT_OVER_LEAD = "not-over-lead"
    SAME_PERIOD_OTHER_WAY = "same-period-other-way"
    ONLY_WITH_LARGEST = "only-with-largest"
    SAME_PERIOD_UNKNOWN = "same-period-unknown"
    SAME_PERIOD_OPEN = "same-period-open"
    SAME_PERIOD_MOVES = "same-period-moves"
    LATER_PERIOD_OPEN = "later-period-open"
    HALVES_APART = "halves-apart"
    RELIABILITY_UNKNOWN = "reliability-unknown"
    RELIABILITY_TOO_LOW = "reliability-too-low"
    DEPENDS_ON_ADJUSTMENT = "depends-on-adjustment"
    LOSS_IS_NO_GAIN = "loss-is-no-gain"
    # a finding that stands before the rule
    SAME_PERIOD_TOGETHER = "same-period-together"
    LATER_PERIOD_MOVES = "later-period-moves"
    # why nothing was judged
    COLUMNS_MISSING = "columns-missing"
    TOO_FEW_ROWS = "too-few-rows"
    NO_COMPLETE_ROW = "no-complete-row"
    BOOSTED_UNPRICED = "boosted-unpriced"
    OTHER = "other"


#: The sentence of each code: ``reasons.toml``; of the others, the text itself.
SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {code.value: registry("reasons.toml")["sentences"].get(code, "{text}") for code in ReasonCode}
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is, or why something was not done.

    Parameters
    ----------
    code : str
        One of :data:`SENTENCES`; the codes that the package itself uses are :class:`ReasonCode`.
    facts : mapping of str to object
        What the sentence tells: floats, counts, text and values that print themselves.

    Raises
    ------
    UnknownNameError
        For a code that has no sentence.

    See Also
    --------
    erresearch.results.Verdict : Carries the code and the finished sentence.

    Examples
    --------
    >>> reason = Reason(ReasonCode.HOLDS_ZERO_AND_LARGE, {"sesoi": 0.05})
    >>> reason.code == "holds-zero-and-large", str(reason)
    (True, 'the interval holds both 0 and effects beyond 0.05')
    """

    code: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a code that nobody could read."""
        check_name("reason", self.code, SENTENCES)

    def __str__(self) -> str:
        """The sentence; no number in it is rounded to or across ±δ, or what is left of it."""
        sizes = [size for name in ("sesoi", "inner") if isinstance(size := self.facts.get(name), float)]
        lines = [*sizes, *(-size for size in sizes)]
        told = {
            name: Count(int(it)) if isinstance(it, numbers.Integral) else _text(it, lines)
            for name, it in self.facts.items()
        }
        return SENTENCES[self.code].format_map(told)


Level = Literal["very low", "low", "moderate", "high"]
#: From the least sure to the surest.
LEVELS: Final[tuple[Level, ...]] = ("very low", "low", "moderate", "high")


@dataclass(frozen=True, slots=True)
class Certainty:
    """How sure a word is, in the manner of GRADE.

    Parameters
    ----------
    level : {"very low", "low", "moderate", "high"}
        The level.
    points : int
        The sum that gave it, before it was clipped.
    codes : tuple of str
        What gave points, the design first: names of ``certainty.toml``.
    reasons : tuple of str
        The same as text for people.

    Raises
    ------
    UnknownNameError
        For another level.

    See Also
    --------
    erresearch.claims.registry.grade : Makes it.

    References
    ----------
    Guyatt, G. H., et al. (2008). GRADE: an emerging consensus on rating quality of evidence and strength of
    recommendations. *BMJ*, 336, 924-926.

    Examples
    --------
    >>> print(Certainty("low", 2, ("ordered",), ("ordered in time, not randomised",)))
    certainty low: ordered in time, not randomised
    """

    level: Level
    points: int
    codes: tuple[str, ...]
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a level that nobody could order."""
        check_name("level of certainty", self.level, LEVELS)

    def __str__(self) -> str:
        """The level and its reasons in one line."""
        return f"certainty {self.level}: {'; '.join(self.reasons)}"


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason for caution, with its figure.

    Parameters
    ----------
    name : str
        Short name, for example "reverse direction" or "declarable nil".
    text : str
        What it says, in one sentence.
    value : float
        The figure; nan where the doubt is only words.
    raised : bool
        Whether the doubt weighs against the verdict here.
    code : str
        Short stable name for programs; empty where nothing reads it.
    """

    name: str
    text: str
    value: float = math.nan
    raised: bool = False
    code: str = ""

    def __str__(self) -> str:
        """Name and sentence."""
        return f"{self.name}: {self.text}"


@dataclass(frozen=True, slots=True, repr=False)
class Verdict(Printed):
    """A claim judged on one data set.

    Parameters
    ----------
    claim, dataset : str
        Identifiers.
    word : Word
        One of :data:`WORDS`.
    size : str
        "at least δ" or "size not settled" beside *supported*; else empty.
    qualifiers : tuple of str
        Any of "fragile", "proxy", "simulated".
    estimate : Estimate or None
        The number judged, with its 95 % interval; None where the claim was not judged.
    interval : Interval or None
        The interval at the verdict's own level, after correction for the family.
    sesoi : float
        δ, the smallest effect of interest declared for the claim.
    reason : str
        The rule that gave the word, or why the claim was not judged: a sentence for people. Programs read
        `reason_code` and `needs`.
    reason_code : str
        The same as a :class:`ReasonCode`; empty where nobody said.
    needs : frozenset of str
        What the claim waits for where it was not judged: names of canonical columns, such as "revenue" and "spend".
    certainty : Certainty or None
        How sure the word is, with its reasons; None where the claim was not judged.
    doubts : tuple of Doubt
        The figures beside the word.
    evidence : str
        "from rows", "from pack" or "stored".
    result : object or None
        The value that the verdict's picture draws (a Fit, Decay, Precedence, …), with binned points, never rows.

    See Also
    --------
    erresearch.examine : Gives one per data set.
    verdict_table : Several side by side.
    """

    claim: str
    dataset: str
    word: Word
    _: KW_ONLY
    size: str = ""
    qualifiers: tuple[str, ...] = ()
    estimate: Estimate | None = None
    interval: Interval | None = None
    sesoi: float = math.nan
    reason: str = ""
    doubts: tuple[Doubt, ...] = ()
    evidence: str = "from rows"
    result: object | None = field(default=None, repr=False, compare=False)
    reason_code: str = ""
    needs: frozenset[str] = frozenset()
    certainty: Certainty | None = None

    @property
    def simulated(self) -> bool:
        """Whether the data were simulated, and so say nothing about the world."""
        return "simulated" in self.qualifiers

    @property
    def words(self) -> str:
        """The word with its size, qualifiers and certainty, as it is printed everywhere."""
        size = f" ({self.size})" if self.size else ""
        sure = [f"certainty {self.certainty.level}"] if self.certainty is not None else []
        return ", ".join([f"{self.word}{size}", *self.qualifiers, *sure])

    @property
    def words_beside_name(self) -> str:
        """The same where the name of the data set already says that it is simulated."""
        return replace(self, qualifiers=tuple(one for one in self.qualifiers if one != "simulated")).words

    @property
    def judged(self) -> Estimate | None:
        """The estimate with the interval from which the word was read; None where there is none."""
        if self.estimate is None or self.interval is None:
            return self.estimate
        return replace(self.estimate, interval=self.interval)

    @property
    def number(self) -> str:
        """The same with its unit, as text; empty where there is none."""
        return "" if self.judged is None else self.judged.number(-self.sesoi, self.sesoi)

    def __str__(self) -> str:
        """One sentence."""
        said = self.reason if self.estimate is None else self.estimate.sentence(-self.sesoi, self.sesoi)
        return f"{self.claim} on {self.dataset}: {self.words}; {said}"

    def _repr_markdown_(self) -> str:
        """The word, the interval that was judged, the rule, and the doubts that are raised."""
        head = f"**{escape(self.claim)}** on *{escape(self.dataset)}*: **{escape(self.words)}**"
        said = "; ".join(escape(one) for one in (self.number, self.reason) if one)
        raised = [f"* **{escape(one.name)}**: {escape(one.text)}" for one in self.doubts if one.raised]
        said += f"  \n{escape(str(self.certainty))}" if self.certainty is not None else ""
        quiet = len(self.doubts) - len(raised)
        more = [f"* {quiet} more in .doubts, not raised"] if raised and quiet else []
        return "\n".join([f"{head}  ", said, *([""] if raised else []), *raised, *more])


WIDTH = 88  # characters of a printed line that JupyterLab shows beside an open file list
Cell = str | float | Interval | Estimate | None
# blanks inside one number or interval, where no line may end
GLUED = re.compile(r"(?<=[\d∞],) (?=[−\d∞])|(?<=\d) (?=%)")
# text that stands in a column of numbers: figures with sign, thousands and per cent, and what stands for none
FIGURE = re.compile(r"[+−]?(?:[\d,]*\.?\d+(?:e[+−]\d+)?|∞)(?: ?%)?|not a number|no number|–|")


def _text(value: object, lines: Sequence[float] = ()) -> str:
    """One value as people read it; counts with thousands, other numbers as everywhere else, none across `lines`."""
    match value:
        case None:
            return ""
        case str():
            return " ".join(value.split())
        case bool():
            return "yes" if value else "no"
        case numbers.Integral():
            return f"{int(value):,}".replace("-", "−")
        case numbers.Real():
            return plain(float(value), beside=lines)
        case Estimate():
            return value.number(*lines)
        case tuple() | list():
            return ", ".join(_text(one, lines) for one in value)
    return str(value)


@dataclass(frozen=True, slots=True, repr=False)
class Table(Printed):
    """A small table of text for people: what a notebook shows of several results.

    Parameters
    ----------
    columns : tuple of str
        Heads.
    rows : tuple of tuple of str
        Cells, one tuple per row, as they are shown.
    right : frozenset of int
        Columns of numbers, which end at the same place.

    See Also
    --------
    verdict_table : Several verdicts side by side.
    doubt_table : The doubts of several verdicts.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
        """Lay out values: numbers as everywhere in this package, intervals with their ends, None as nothing.

        Examples
        --------
        >>> print(Table.of(["shop", "slope", "rows"], [["north", -0.1251, 4160], ["south", 0.2, 52]]))
        shop   slope   rows
        -------------------
        north  −0.13  4,160
        south    0.2     52
        """
        cells = tuple(tuple(_text(cell) for cell in row) for row in rows)
        figures = frozenset(
            at for at in range(len(columns)) if cells and all(FIGURE.fullmatch(row[at]) for row in cells)
        )
        return cls(tuple(columns), cells, figures)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def __str__(self) -> str:
        """Columns under their heads; the widest is folded where a line would not fit."""
        return self.folded(WIDTH)

    def folded(self, width: int) -> str:
        """Lay it out in lines of at most so many characters, if its words allow."""
        cells = [self.columns, *self.rows]
        widths = [max(1, *(len(row[at]) for row in cells)) for at in range(len(self.columns))]
        free = width - 2 * (len(widths) - 1)
        words = [[12, *(len(word) for row in cells for word in row[at].split())] for at in range(len(widths))]
        for least in ([max(lengths) for lengths in words], [12] * len(words)):  # words are broken last
            while sum(widths) > free and (over := [at for at, most in enumerate(least) if widths[at] > most]):
                widest = max(over, key=widths.__getitem__)
                widths[widest] = max(least[widest], widths[widest] - (sum(widths) - free))
        lines = []
        for row in cells:
            folded = [textwrap.wrap(text, width) or [""] for text, width in zip(row, widths, strict=True)]
            for at in range(max(map(len, folded), default=0)):
                parts = [part[at] if at < len(part) else "" for part in folded]
                sides = [
                    text.rjust(width) if column in self.right else text.ljust(width)
                    for column, (text, width) in enumerate(zip(parts, widths, strict=True))
                ]
                lines.append("  ".join(sides).rstrip())
            if row is self.columns:
                lines.append("-" * (sum(widths) + 2 * (len(widths) - 1)))
        return "\n".join(lines if self.rows else [*lines, "(no rows)"])

    def _repr_markdown_(self) -> str:
        marks = ["--:" if at in self.right else ":--" for at in range(len(self.columns))]
        shown = [[GLUED.sub("&nbsp;", escape(cell)) for cell in row] for row in self.rows]
        lines = [[escape(name) for name in self.columns], marks, *shown]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + (
            "" if self.rows else "\n\n*(no rows)*"
        )


def verdict_table(
    verdicts: Iterable[Verdict] | Verdict, *, reason: bool = False, names: Mapping[str, str] | None = None
) -> Table:
    """Put verdicts side by side: claim, data, word, estimate and the interval that was judged.

    Parameters
    ----------
    verdicts : iterable of Verdict, or one
        In the order in which they are to stand.
    reason : bool
        Whether the rule that gave the word, or why nothing was judged, stands in a last column.
    names : mapping of str to str, optional
        What a claim is called, by its id; the id stands behind.

    Returns
    -------
    Table
        A column that is the same throughout (one claim, one data set, one level) is said once or left out.

    See Also
    --------
    doubt_table : The doubts beside them.

    Examples
    --------
    >>> print(verdict_table([Verdict("C01", "shops", "not judged", reason="no spend")], reason=True))
    claim  data   verdict     estimate  interval  why
    ------------------------------------------------------
    C01    shops  not judged                      no spend
    """
    given = [verdicts] if isinstance(verdicts, Verdict) else list(verdicts)
    called = {key: f"{name} ({key})" for key, name in (names or {}).items()}
    numbers = [_numbers(v.judged, -v.sesoi, v.sesoi) for v in given]
    levels = {level for _, _, level in numbers if level}
    alike = len(levels) == 1
    said = {
        "claim": [called.get(v.claim, v.claim) for v in given],
        "data": [v.dataset for v in given],
        "verdict": [v.words for v in given],
        "estimate": [value for value, _, _ in numbers],
        f"{levels.pop()} interval" if alike else "interval": [
            ends if alike or not level else f"{ends} ({level})" for _, ends, level in numbers
        ],
    }
    if reason:
        said["why"] = [v.reason for v in given]
    once = [name for name in ("claim", "data") if len(given) > 1 and len(set(said[name])) == 1]
    shown = [name for name in said if name not in once[:1]]
    return Table.of(shown, zip(*(said[name] for name in shown), strict=True))


def doubt_table(verdict: Verdict) -> Table:
    """List the doubts beside a verdict's word, one to a row; an exclamation mark says that it weighs against the word.

    Parameters
    ----------
    verdict : Verdict
        As :func:`erresearch.examine` returns it.

    See Also
    --------
    verdict_table : The verdicts themselves.

    Examples
    --------
    >>> from erresearch.results import Doubt
    >>> print(doubt_table(Verdict("C01", "shops", "inconclusive", doubts=(Doubt("power", "few weeks", 1, True),))))
       doubt  what it says
    ----------------------
    !  power  few weeks
    """
    rows = [("!" if doubt.raised else "", doubt.name, doubt.text) for doubt in verdict.doubts]
    return Table.of(["", "doubt", "what it says"], rows)


def _numbers(judged: Estimate | None, *lines: float) -> tuple[str, str, str]:
    """Value, ends of its interval and the level, none rounded to or across the lines."""
    if judged is None:
        return "", "", ""
    return judged.short(*lines), judged.interval.ends(*lines), f"{100 * judged.interval.level:.4g} %"
