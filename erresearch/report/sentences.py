"""What the report says about verdicts, in sentences, each composed from the numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from erresearch.errors import Count
from erresearch.io.files import registry
from erresearch.report.figures.style import amount, span
from erresearch.results import Estimate, Interval, Verdict, amount_beside, in_money, rounded
from erresearch.results.verdicts import ReasonCode
from erresearch.schema.vocabulary import DECISIVE

_SHOWN_NAMES = 4
#: What a word means of the title's question, on data that follow both sides over time.
_OVER_TIME: Final[Mapping[str, str]] = {
    "supported": "say that more of one is followed by more of the other",
    "contradicted": "say the opposite",
    "practically nil": "say that it is too little to matter",
    "inconclusive": "cannot tell",
    "association only": "say that the two move together, but not which comes first",
}
#: What would open a gate that is closed, by code (``reasons.toml``); any other open word waits for a narrower interval.
_OPENS: Final[Mapping[str, str]] = {
    code: text for text, codes in registry("reasons.toml")["opens"].items() for code in codes
}
#: Elasticities beyond this are no share that anybody could read.
_MOST = 10.0
# control characters but line feed and tab, and halves of surrogate pairs, which UTF-8 cannot hold
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
# marks that set the direction of the text after them
_TURNING = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def readable(text: object) -> str:
    r"""Text without the characters that no page can carry; each becomes the replacement character.

    Examples
    --------
    >>> readable("a\x00b\ud800c")
    'a\ufffdb\ufffdc'
    """
    return _UNPRINTABLE.sub("\ufffd", str(text))


def _listed(names: Sequence[str]) -> str:
    """Names in a row, at most a handful; semicolons where a name carries a comma of its own."""
    shown = list(names)
    if len(shown) > _SHOWN_NAMES:
        shown = [*shown[: _SHOWN_NAMES - 1], f"{len(names) - _SHOWN_NAMES + 1} more"]
    if len(shown) == 1:
        return shown[0]
    if any("," in name for name in shown):
        return "; ".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def _cut(name: str, limit: int = 40) -> str:
    """A name fit to stand inside a sentence: short, on one line, and without marks that turn what follows."""
    name = " ".join(_TURNING.sub("", name).split())
    return name if len(name) <= limit else name[: limit - 1] + "…"


def answer(
    verdicts: Iterable[Verdict], claims: Iterable[Any] = (), names: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """What real data say, in a few sentences: over time, where chance decided, across units, and not at all.

    Parameters
    ----------
    verdicts : iterable of Verdict
        All verdicts; simulated ones never count.
    claims : iterable of claim records
        Their short names and units, and the clause that tells an estimate.
    names : mapping of str to str, optional
        What data sets are called where people look.

    Returns
    -------
    tuple of str

    See Also
    --------
    erresearch.report.write_report : The page that begins with it.

    Examples
    --------
    >>> answer([Verdict("C01", "effect", "supported", qualifiers=("simulated",))])
    ('Nothing was judged on real data: one claim waits for data.',)
    >>> estimate = Estimate("x", value=0.005, se=0.001, df=9, interval=Interval(0.003, 0.007), n_rows=64_000,
    ...     n_accounts=0, unit="difference of shares")
    >>> from erresearch.results import Certainty
    >>> sure = Certainty("moderate", 3, ("randomised", "indirect"), ("chance decided", "indirect"))
    >>> answer([Verdict("C6", "mail", "supported", estimate=estimate, certainty=sure)])[1]
    'Where chance decided (mail): C6: 5.0 more in 1,000 (3.0 to 7.0). Supported, certainty moderate.'
    """
    known, names = {claim.id: claim for claim in claims}, names or {}
    everything = list(verdicts)
    asked = dict.fromkeys(verdict.claim for verdict in everything)
    judged = [v for v in everything if not v.simulated and v.word != "not judged"]
    waiting = len(asked) - len({v.claim for v in judged})
    waits = f"{Count(waiting, spelled=True):claim waits} for data"
    if not judged:
        return (f"Nothing was judged on real data: {waits}.",)
    by_design: dict[str, list[Verdict]] = {}
    for verdict in judged:
        by_design.setdefault(verdict.certainty.codes[0] if verdict.certainty else "", []).append(verdict)
    lines = [
        _over_time(by_design.pop("ordered"), known, names)
        if "ordered" in by_design
        else "Whether engagement brings revenue cannot be read off the real data here: no table follows both over time."
    ]
    if chance := by_design.pop("randomised", []):
        first = chance[0]
        lines.append(
            f"Where chance decided ({_called([first], names)}): {told(first, known.get(first.claim))}. "
            f"{sentence(', '.join([first.word, *_fragile(first), *_certainty([first])]))}"
        )
    rest = [verdict for group in by_design.values() for verdict in group]
    parts = [_counted(rest, " on tables without an order in time")] if rest else []
    parts += [sentence(waits)] if waiting else []
    return (*lines, *([" ".join(parts)] if parts else []))


def _over_time(verdicts: Sequence[Verdict], known: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What the data say of the first claim that follows both over time; the others are counted."""
    first = [v for v in verdicts if v.claim == verdicts[0].claim]
    said = "; others ".join(
        f"{', '.join([_OVER_TIME[word], *mark, *_certainty(group)])} ({_called(group, names)})"
        for word, mark in dict.fromkeys((v.word, _fragile(v)) for v in first)
        if (group := [v for v in first if (v.word, _fragile(v)) == (word, mark)])
    )
    claim, one = known.get(first[0].claim), told(first[0], known.get(first[0].claim))
    if "proxy" in first[0].qualifiers:
        one = f"in {'the first' if len(first) > 1 else _called(first, names)}, a proxy, {one}"
    elif len(first) > 1:
        one = f"in the first, {one}"
    about = short_name(claim, first[0].claim)
    line = f"{about}: the data that follow both over time {said}. {sentence(one)}"
    rest = [verdict for verdict in verdicts if verdict.claim != verdicts[0].claim]
    return f"{line} {_counted(rest, ' on other claims over time')}" if rest else line


def _counted(verdicts: Sequence[Verdict], where: str) -> str:
    """How many verdicts of a kind there are, word by word."""
    if len(verdicts) == 1:
        said = ", ".join([verdicts[0].word, *_fragile(verdicts[0]), *_certainty(verdicts)])
        return f"One verdict{where}: {said}."
    words = [" but ".join([v.word, *_fragile(v)]) for v in verdicts]
    said = ", ".join(f"{Count(words.count(word), spelled=True)} {word}" for word in dict.fromkeys(words))
    return sentence(f"{Count(len(verdicts), spelled=True):verdict}{where}: {said}")


def _called(verdicts: Iterable[Verdict], names: Mapping[str, str]) -> str:
    return _listed([_cut(names.get(v.dataset, v.dataset)) for v in {v.dataset: v for v in verdicts}.values()])


def _fragile(verdict: Verdict) -> tuple[str, ...]:
    """The mark that a summary may not leave out: without it the word says more than was found."""
    return tuple(mark for mark in verdict.qualifiers if mark == "fragile")


def _certainty(verdicts: Iterable[Verdict]) -> list[str]:
    levels = dict.fromkeys(v.certainty.level for v in verdicts if v.certainty is not None)
    return [f"certainty {' or '.join(levels)}"] if levels else []


def short_name(claim: Any, name: str = "") -> str:
    """What a claim is called where people look: its short name, else its id."""
    return _cut(str(getattr(claim, "short", "") or getattr(claim, "id", "") or name))


def told(verdict: Verdict, claim: Any = None) -> str:
    """An estimate in the claim's own clause, else behind its short name: always in people's units.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> claim = SimpleNamespace(unit="difference of shares", clause=lambda dataset: "of those mailed, {} bought")
    >>> estimate = Estimate("x", value=0.005, se=0.001, df=9, interval=Interval(0.003, 0.007), n_rows=99, n_accounts=0)
    >>> told(Verdict("C6", "mail", "supported", estimate=estimate), claim)
    'of those mailed, 5.0 more in 1,000 bought (3.0 to 7.0)'
    """
    unit = str(getattr(claim, "unit", ""))
    clause = claim.clause(verdict.dataset) if claim is not None else ""
    said, ends = _in_units(verdict, unit)
    if clause and said:
        return f"{clause.replace('{}', said)} ({ends})"
    return f"{short_name(claim, verdict.claim)}: {in_units(verdict, unit) or verdict.word}"


def in_units(verdict: Verdict, unit: str = "") -> str:
    """An effect as people say it: so many in 1,000, so many per cent where something doubles, money.

    Examples
    --------
    >>> estimate = Estimate("x", value=0.1, se=0.02, df=9, interval=Interval(0.06, 0.14), n_rows=99, n_accounts=9)
    >>> in_units(Verdict("C1", "shop", "supported", estimate=estimate), "elasticity")
    '7.2 % more where it doubles (4.2 to 10.2)'
    """
    said, ends = _in_units(verdict, unit)
    doubles = " where it doubles" if said.endswith((" % more", " % less")) else ""
    return f"{said}{doubles} ({ends})" if said else ""


def _in_units(verdict: Verdict, unit: str) -> tuple[str, str]:
    """The amount with what it is, and the ends of its interval."""
    estimate = verdict.estimate
    if estimate is None:
        return "", ""
    interval, unit = estimate.interval, estimate.unit or unit
    ends = [estimate.value, interval.low, interval.high]
    if unit == "difference of shares":
        tail, shown = "more in 1,000", [1000 * end for end in ends]
    elif "elasticity" in unit.split():
        tail, shown = "% more", [100 * (2**end - 1) if end < _MOST else math.inf for end in ends]
    elif unit.startswith("share of "):
        # the share is the claim's own number: better or worse, never more or less
        part = Interval(100 * interval.low, 100 * interval.high)
        return f"{amount(100 * estimate.value, part)} % of {unit.removeprefix('share of ')}", span(part)
    else:
        said = amount(estimate.value, interval, unit, sesoi=verdict.sesoi)
        return said, span(interval, sesoi=verdict.sesoi)
    value, low, high = shown
    if value < 0:
        tail, value, low, high = tail.replace("more", "less"), -value, -high, -low
    return f"{amount(value, Interval(low, high))} {tail}", span(Interval(low, high))


def revenue_after(
    verdict: Verdict, many: str, short: str, worth: Sequence[Estimate], when: str, *, pays: bool = True
) -> str:
    """What revenue did after more of something, with the claim's word; then the same in money.

    The plain sentence is made from the word and from the side of 0 on which the verdict's interval lies. The money is
    an estimate of its own, so that the sentence between the two says where it does not follow.

    Parameters
    ----------
    verdict : Verdict
        On revenue over time.
    many : str
        Of what there is more, such as "comments".
    short : str
        What the claim is called: its word may deny an effect.
    worth : sequence of Estimate
        Revenue of one more.
    when : str
        Over which time that is.
    pays : bool
        Whether to say what it may cost; on one page once is enough.

    Examples
    --------
    >>> def e(unit, low, high):
    ...     return Estimate("one more like", value=(low + high) / 2, se=1, df=9, interval=Interval(low, high), n_rows=99,
    ...     n_accounts=1, unit=unit)
    >>> nil = Verdict("C02", "shop", "supported", estimate=e("", -0.04, -0.01), sesoi=0.05)
    >>> print(revenue_after(nil, "likes", "Likes earn nothing", [e("EUR", -46, -2)], "over four weeks"))
    Revenue hardly changed after more likes, too little to matter (Likes earn nothing: supported). If anything, over four
    weeks, one more like goes with 2 to 46 EUR less revenue; these rows show no gain that could pay for it.
    """
    assert verdict.judged is not None
    seen, money = verdict.judged.interval, worth[0].interval
    inside = verdict.sesoi > 0 and seen.inside(-verdict.sesoi, verdict.sesoi)
    if verdict.word == "association only":
        plainly = f"Revenue and {many} move together, and which comes first is not shown"
    elif verdict.word not in DECISIVE:
        plainly = f"Whether revenue is higher after more {many}, these files cannot tell"
    elif inside:
        plainly = f"Revenue hardly changed after more {many}, too little to matter"
    else:
        plainly = f"Revenue was {'higher' if seen.low > 0 else 'lower'} after more {many}"
    simulated = ["simulated"] if verdict.simulated else []
    words = [verdict.word, *_fragile(verdict), *simulated, *_certainty([verdict])]
    between = amount_beside(verdict.word, seen, money, verdict.sesoi)
    amounts = f"{between}{when}, {in_money(*worth, pays=pays)}"
    return f"{plainly} ({short}: {', '.join(words)}). {sentence(amounts)}"


def footing(verdicts: Iterable[Verdict]) -> str:
    """What the simulated verdicts are for, and how many were given; empty where there is none.

    Examples
    --------
    >>> footing([Verdict("C01", "nil", "practically nil", qualifiers=("simulated",))])
    'One verdict on simulated data only checks the method against a known truth. It is no evidence...'
    """
    verdicts = list(verdicts)
    n = sum(verdict.simulated and verdict.word != "not judged" for verdict in verdicts)
    if not n:
        return ""
    tail = "It is" if n == 1 else "They are"
    said = f"{Count(n, spelled=True):verdict} on simulated data only {'checks' if n == 1 else 'check'} the method"
    return f"{sentence(f'{said} against a known truth')} {tail} no evidence on the world."


def headline(verdicts: Sequence[Verdict], names: Mapping[str, str] | None = None) -> str:
    """Where the intervals of a claim lie on its real data sets: the title over its picture.

    Examples
    --------
    >>> estimate = Estimate("x", value=0.31, se=0.05, df=39, interval=Interval(0.22, 0.40), n_rows=100, n_accounts=10)
    >>> headline([Verdict("C1", "shop", "supported", estimate=estimate, sesoi=0.05)])
    'shop: wholly above δ = 0.05'
    """
    said = [
        f"{_called([verdict], names or {})}: {_place(verdict.judged.interval, verdict.sesoi)}"
        for verdict in verdicts
        if verdict.judged is not None
    ]
    if not said:
        return "No estimate on real data: only simulated worlds, where the truth is known"
    rest = [f"{len(said) - _SHOWN_NAMES} more below"] if len(said) > _SHOWN_NAMES else []
    return "; ".join(said[:_SHOWN_NAMES] + rest)


def sentence(text: str) -> str:
    """A clause as a sentence: a capital to begin with, a stop to end it.

    Examples
    --------
    >>> sentence("the interval lies below 0"), sentence("Why not?"), sentence("")
    ('The interval lies below 0.', 'Why not?', '')
    """
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if not text or text[-1] in ".!?…" else ".")


def _place(interval: Interval, sesoi: float) -> str:
    side = "above" if interval.low > 0 else "below"
    if math.isnan(sesoi):
        return "0 lies inside" if 0 in interval else f"wholly {side} 0"
    delta = f"δ = {rounded(sesoi)}"
    if interval.inside(-sesoi, sesoi):
        return f"wholly inside ±{delta}"
    if interval.low >= sesoi or interval.high <= -sesoi:
        return f"wholly above {delta}" if side == "above" else f"wholly below −δ = {rounded(-sesoi)}"
    if interval.low > 0 or interval.high < 0:
        return f"{side} 0, but not settled whether as large as {delta}"
    return f"reaches across 0 and out of ±{delta}"


def estimate_sentence(verdict: Verdict) -> str:
    """The number, its interval, what it rests on, and the verdict's own level where it differs.

    Examples
    --------
    >>> estimate = Estimate("log talk", value=0.31, se=0.05, df=39, interval=Interval(0.22, 0.40), n_rows=4160,
    ...     n_accounts=40, method="OLS")
    >>> estimate_sentence(Verdict("C1", "shop", "supported", estimate=estimate))
    'The estimate is 0.310, 95 % interval 0.220 to 0.400, from 4,160 rows of 40 accounts (OLS).'
    """
    estimate = verdict.estimate
    if estimate is None:
        return "There is no estimate."
    accounts = f" of {estimate.groups}" if estimate.n_accounts else ""
    method = f" ({estimate.method})" if estimate.method else ""
    shown, level = estimate.interval, f"{100 * estimate.interval.level:.4g} %"
    head = (
        f"The estimate is {amount(estimate.value, shown, estimate.unit, sesoi=verdict.sesoi)}, {level} interval "
        f"{span(shown, sesoi=verdict.sesoi)}, from {Count(estimate.n_rows):row}{accounts}{method}."
    )
    own = verdict.interval
    if own is None or math.isclose(own.level, estimate.interval.level):
        return head
    return f"{head} The word was given at {100 * own.level:.4g} %, interval {span(own, sesoi=verdict.sesoi)}."


def flip_sentence(verdict: Verdict, *, direction: str = "") -> str:
    """What it would take for another word, computed from the interval and δ.

    Parameters
    ----------
    verdict : Verdict
        The verdict in question.
    direction : str
        "greater", "less" or "absent": what the claim says of the effect; empty where it is not known.

    Examples
    --------
    >>> estimate = Estimate("x", value=0.31, se=0.05, df=39, interval=Interval(0.22, 0.40), n_rows=100, n_accounts=10)
    >>> flip_sentence(Verdict("C1", "shop", "supported", estimate=estimate, sesoi=0.05))
    'A shift of the estimate by 0.220 towards 0, or an interval 3.4 times as wide, would take the word away.'
    """
    estimate = verdict.judged
    if estimate is None:
        return "Data that allow the test; the reason says what was missing."
    interval, alone = estimate.interval, estimate.n_accounts == 1
    if not interval.bounded:
        more = "a longer time" if alone else "more accounts, or more variation within them"
        return f"Data that bound the estimate on both sides: {more}."
    half, centre = interval.half, estimate.value
    code = verdict.reason_code
    if code in _OPENS or verdict.word == "association only":
        return _OPENS.get(code, _OPENS[ReasonCode.NO_LEAD])
    if verdict.word == "inconclusive":
        return _needed(interval, verdict.sesoi, absent=direction == "absent", alone=alone)
    inside = math.isfinite(verdict.sesoi) and interval.inside(-verdict.sesoi, verdict.sesoi)
    line = verdict.sesoi if direction == "absent" else 0.0
    clear = interval.low if interval.low > 0 else -interval.high
    gap = verdict.sesoi - max(abs(interval.low), abs(interval.high)) if inside else clear - line
    if gap <= 0 or half <= 0:
        return "Another estimate or a wider interval."
    room = (verdict.sesoi - abs(centre)) if inside else abs(centre) - line
    heading = "outwards" if inside else "towards 0"
    return (
        f"A shift of the estimate by {rounded(gap, like=half)} {heading}, or an interval "
        f"{room / half:.1f} times as wide, would take the word away."
    )


def _needed(interval: Interval, sesoi: float, *, absent: bool, alone: bool) -> str:
    """What an open answer waits for; of one entity only its time can be longer."""
    width = interval.high - interval.low
    if not math.isfinite(sesoi) or sesoi <= 0 or width <= sesoi:
        more = "a longer time" if alone else "more accounts"
        return f"A narrower interval: {more}, or a design that leaves less unexplained."
    wide, delta = f"{rounded(width, like=width / 2)} wide now", rounded(sesoi)
    if absent:
        return f"A narrower interval, inside ±δ = ±{delta} or wholly outside it; it is {wide}."
    times = f"{rounded(float(f'{(width / sesoi) ** 2:.2g}'))} times as many"
    of = "rows like these of the one entity" if alone else "accounts of the same kind"
    fits = f"at most δ = {delta} would fit beside 0 or inside ±δ"
    return f"A narrower interval. It is {wide}; {fits}, which takes about {times} {of}."
