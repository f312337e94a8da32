"""The exercises of the workshop, their checks, and the one call that tries an answer."""

from __future__ import annotations

import math
import numbers
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from erresearch.errors import Count, check_name
from erresearch.results import WORDS, Estimate
from erresearch.workshop import answers

Judge = Callable[[object, int], str]
"""``judge(answer, rng)`` gives what is wrong with an answer, or an empty text."""


def _as_number(answer: object) -> float | None:
    """The number that an answer holds, where it holds one."""
    if isinstance(answer, Estimate):
        return answer.value
    if isinstance(answer, bool) or not isinstance(answer, numbers.Real):
        return None
    try:
        return float(answer)
    except OverflowError:
        return math.inf


_KINDS = {
    "DataFrame": "a whole table",
    "Series": "a whole column",
    "ndarray": "a whole array",
    "str": "text in quotes",
    "NoneType": "nothing, which is what print(...) gives back",
    "method": "a function: its brackets ( ) are missing",
    "function": "a function: its brackets ( ) are missing",
    "builtin_function_or_method": "a function: its brackets ( ) are missing",
    "NAType": "a missing value",
}


def _kind(answer: object) -> str:
    """What an answer is, in the words of somebody who does not program."""
    name = type(answer).__name__
    return _KINDS.get(name) or f"{'an' if name[:1].lower() in {*'aeiou'} else 'a'} {name}"


def number(
    expected: Callable[[int], float],
    *,
    within: float,
    hint: str,
    slips: Sequence[tuple[Callable[[int], float], str]] = (),
    percent: bool = False,
) -> Judge:
    """Judge a number.

    Parameters
    ----------
    expected : callable
        ``expected(rng)`` computes the answer.
    within : float
        How far off is still right.
    hint : str
        What is said of any other number.
    slips : sequence of (callable, str)
        Wrong answers that are known, computed likewise, each with what to say.
    percent : bool
        Whether per cent are asked, so that a share is told apart.

    Returns
    -------
    Judge

    Examples
    --------
    >>> half = number(lambda rng: 50.0, within=0.1, hint="Count again.", percent=True)
    >>> [half(answer, 0) for answer in (50, 0.5, 49, "50")]
    ['', 'That is a share; per cent is asked.', 'Count again.', 'A number is asked, this is text in quotes.']
    """

    def judge(answer: object, rng: int) -> str:
        """Compare with the number and with its known slips."""
        given = _as_number(answer)
        if given is None:
            return f"A number is asked, this is {_kind(answer)}."
        if not math.isfinite(given):
            return "That is not a finite number: is a row missing, or a 0 below the line?"
        right = expected(rng)
        if abs(given - right) <= within:
            return ""
        if percent and abs(100 * given - right) <= within:
            return "That is a share; per cent is asked."
        known = (said for slip, said in slips if abs(given - slip(rng)) <= within)
        return next(known, hint)

    return judge


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("−", "-").split()).strip(" .")


def word(expected: Callable[[int], str], *, hint: str, allowed: Sequence[str] = ()) -> Judge:
    """Judge a word or a name, whatever its capitals and spaces.

    Parameters
    ----------
    expected : callable
        ``expected(rng)`` computes the answer.
    hint : str
        What is said of any other text.
    allowed : sequence of str
        The words to choose from; any text where there are none.

    Returns
    -------
    Judge

    Examples
    --------
    >>> yes = word(lambda rng: "yes", hint="Look again.", allowed=["yes", "no"])
    >>> [yes(answer, 0) for answer in (" Yes. ", "no", "maybe", 3)]
    ['', 'Look again.', 'One of these is asked: yes, no.', 'A word in quotes is asked, this is an int.']
    """
    known = {_plain(one) for one in allowed}

    def judge(answer: object, rng: int) -> str:
        """Compare with the word."""
        if not isinstance(answer, str):
            return f"A word in quotes is asked, this is {_kind(answer)}."
        if known and _plain(answer) not in known:
            return f"One of these is asked: {', '.join(allowed)}."
        return "" if _plain(answer) == _plain(expected(rng)) else hint

    return judge


def sentence(
    needs: Callable[[int], Mapping[str, Sequence[str]]], *, never: Mapping[str, str], longest: int
) -> Judge:
    """Judge a sentence by what it names and what it must not say.

    Parameters
    ----------
    needs : callable
        ``needs(rng)`` gives for each missing thing the hint, with the texts of which one must occur.
    never : mapping of str to str
        Patterns of words that promise too much, each with what to say.
    longest : int
        Most words.

    Returns
    -------
    Judge

    Examples
    --------
    >>> told = sentence(lambda rng: {"Name the weeks.": ["52 weeks"]}, never={"prov": "Nothing is proved."}, longest=9)
    >>> [told(answer, 0) for answer in ("52 weeks tell nothing.", "52 weeks prove it.", "Years tell nothing.")]
    ['', 'Nothing is proved.', 'Name the weeks.']
    """

    def judge(answer: object, rng: int) -> str:
        """Look for what is missing, then for what is too much."""
        if not isinstance(answer, str):
            return f"A sentence in quotes is asked, this is {_kind(answer)}."
        said = _plain(answer)
        if len(said.split()) > longest:
            return f"{Count(len(said.split())):word is} more than anybody reads: {longest} at most."
        for pattern, hint in never.items():
            if re.search(rf"\b{pattern}", said):
                return hint
        for hint, texts in needs(rng).items():
            if not any(_plain(text) in said for text in texts):
                return hint
        return ""

    return judge


_TOO_MUCH: Final[Mapping[str, str]] = MappingProxyType(
    {
        "caus": "Nothing was decided by chance here: no word of causing.",
        "prov": "An interval proves nothing; it says what these data allow.",
        "no effect": "Not shown is not the same as not there.",
        "because": "Why it moves is not in these files.",
    }
)
_R: Final = 0.0051
"""Two digits of a correlation."""

_MEASURING: Final[Mapping[str, Judge]] = {
    "1.1": number(
        answers.one_post_rate,
        within=0.006,
        percent=True,
        hint="Likes and comments in one sum, divided by followers, times 100.",
        slips=((lambda rng: 3.0, "The comments are reactions too."),),
    ),
    "1.2a": number(
        answers.day_rate,
        within=0.006,
        percent=True,
        hint="Sum likes, comments and shares of all three posts, then divide by the followers once.",
        slips=((answers.post_rate, "That is the mean per post; here the sum of the day is asked."),),
    ),
    "1.2b": number(
        answers.post_rate,
        within=0.006,
        percent=True,
        hint="A rate for each of the three posts, then the mean of the three.",
        slips=((answers.day_rate, "That is the sum of the day; here the mean per post is asked."),),
    ),
    "1.3": number(
        lambda rng: answers.class_rate(rng, "M01"),
        within=0.006,
        percent=True,
        hint="A rate for each post, then .mean(), times 100. Only likes and comments count here.",
        slips=(
            (answers.ratio_of_sums, "That is sum over sum; here each post has one vote: mean of the rates."),
            (lambda rng: answers.class_rate(rng, "M02"), "You counted the shares as well."),
            (lambda rng: answers.class_rate(rng, "M10"), "You counted shares and saves as well."),
        ),
    ),
    "1.4": number(
        lambda rng: answers.class_rate(rng, "M04"),
        within=0.006,
        percent=True,
        hint="Which row of the table above divides by reach? er.engagement_rate(posts, definition=...) has a .mean.",
        slips=(
            (lambda rng: answers.class_rate(rng, "M01"), "That one divides by followers."),
            (lambda rng: answers.class_rate(rng, "M05"), "That one divides by views."),
        ),
    ),
    "1.5a": word(
        lambda rng: answers.best_account(rng, "M01"),
        hint="Look at the column M01 of by_account: .idxmax() names the row of the highest value.",
    ),
    "1.5b": word(
        lambda rng: answers.best_account(rng, "M04"),
        hint="Look at the column M04 of by_account: .idxmax() names the row of the highest value.",
    ),
    "1.6": number(
        answers.list_exponent,
        within=_R,
        hint="er.decay has an .exponent, and that has a .value. It is not the slope of a line through the logs.",
    ),
    "1.7": word(
        lambda rng: "stays",
        allowed=("falls", "stays"),
        hint="Ask what is true of all accounts, not of those on the list. It stands beside the slider.",
    ),
}

_DOUBTING: Final[Mapping[str, Judge]] = {
    "2.1": number(
        lambda rng: answers.pearson(rng, False),
        within=_R,
        hint='Both columns in logs, all weeks of all shops: er.correlate with er.log("engagement").',
        slips=(
            (answers.raw_pearson, "That is without logs: the few largest shops decide it alone."),
            (
                lambda rng: answers.pearson(rng, True),
                "That is within shops; here all weeks together are asked.",
            ),
        ),
    ),
    "2.2": number(
        lambda rng: answers.pearson(rng, True),
        within=_R,
        hint="Add within=True to the call of 2.1: each shop is compared with itself only.",
        slips=(
            (lambda rng: answers.pearson(rng, False), "That still compares large shops with small ones."),
        ),
    ),
    "2.3": number(
        answers.half_strength,
        within=0.001,
        hint="The first step of the slider at which r is above .50; the steps are 0.1 apart.",
    ),
    "2.4": number(
        lambda rng: answers.elasticity(rng, True),
        within=0.0006,
        hint="Three digits of .forward.value, with advertising among the controls.",
        slips=((lambda rng: answers.elasticity(rng, False), "Advertising is not in that model yet."),),
    ),
    "2.5": word(
        answers.verdict_word,
        allowed=WORDS,
        hint="Does the whole interval of 2.4 lie inside ±0.05? Does it hold 0 and effects that matter?",
    ),
    "2.6": number(
        answers.per_follower,
        within=_R,
        hint="Divide both columns by followers, take logs, and correlate.",
        slips=((answers.counts_only, "Those are the counts; divide both by followers first."),),
    ),
    "2.7": number(
        answers.followers_beside,
        within=_R,
        hint='Two columns in on=[...]: er.log("likes") and er.log("followers").',
    ),
    "2.8": word(
        answers.stronger_way,
        allowed=("engagement", "revenue"),
        hint="Compare .forward with .reverse: which of the two intervals is away from 0?",
    ),
    "2.9": number(answers.granted, within=0.5, hint="Divide granted by tried, times 100.", percent=True),
}

_JUDGING: Final[Mapping[str, Judge]] = {
    "3.1": number(
        answers.further_lines,
        within=0.5,
        hint="An order with three articles has three lines. What is out of scope in orders_export.csv, and why?",
        slips=((answers.order_lines, "Those are all lines; how many of them are no orders of their own?"),),
    ),
    "3.2": word(
        answers.on_every_platform, hint='Count platforms by definition: rates.groupby("definition").'
    ),
    "3.3": number(
        answers.weeks_kept,
        within=0.5,
        hint="One row of panel.rows is one week; half weeks and weeks without all tables are left out.",
        slips=((lambda rng: 104.0, "So many the files span; not all of them are whole and covered."),),
    ),
    "3.4": number(
        answers.finds_from, within=_R, hint="Two digits of er.detectable(verdict.estimate).effect."
    ),
    "3.5": number(
        answers.weeks_needed,
        within=0.5,
        hint="The first setting at which eight shops would find effects from 0.10 on, or smaller ones.",
    ),
    "3.6": sentence(answers.sentence_needs, never=_TOO_MUCH, longest=40),
}

EXERCISES: Final[Mapping[str, Judge]] = MappingProxyType({**_MEASURING, **_DOUBTING, **_JUDGING})
"""The judge of every exercise, by its name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check says.

    Parameters
    ----------
    name : str
        The exercise.
    passed : bool or None
        Whether the answer is right; None where there is nothing to compare with.
    text : str
        What was wrong and a hint; empty if right.
    """

    name: str
    passed: bool | None
    text: str = ""

    def __str__(self) -> str:
        """✓ or ✗, the exercise and the hint."""
        mark = {True: "✓", False: "✗", None: "○"}[self.passed]
        return " ".join(part for part in (mark, self.name, self.text) if part)


def assess(name: str, answer: object, *, rng: int | None) -> Outcome:
    """Compare an answer with what the package computes from the same seed.

    Parameters
    ----------
    name : str
        The exercise, for example "1.3".
    answer : object
        The answer; three dots where there is none yet.
    rng : int or None
        Seed of the notebook. None says that the data are one's own, so that no answer is known.

    Returns
    -------
    Outcome

    Raises
    ------
    UnknownNameError
        If there is no such exercise. Whatever the answer is, it raises nothing.

    See Also
    --------
    check : The same in words.

    Examples
    --------
    >>> assess("1.1", 3.14, rng=4).passed
    True
    >>> print(assess("1.1", 0.0314, rng=4))
    ✗ 1.1 That is a share; per cent is asked.
    """
    check_name("exercise", name, EXERCISES)
    if rng is None:
        return Outcome(name, None, "Your own data: no answer is stored. Compare with your neighbour.")
    if answer is ...:
        return Outcome(name, False, "Not answered yet: write your answer in place of the dots above.")
    wrong = EXERCISES[name](answer, rng)
    return Outcome(name, not wrong, wrong)


def check(name: str, answer: object, *, rng: int | None) -> None:
    """Print ✓, or ✗ with a hint.

    Parameters
    ----------
    name : str
        The exercise, for example "1.3".
    answer : object
        The answer; three dots where there is none yet.
    rng : int or None
        Seed of the notebook. None says that the data are one's own, so that no answer is known.

    Raises
    ------
    UnknownNameError
        If there is no such exercise. Whatever the answer is, it raises nothing.

    See Also
    --------
    assess : The same as a value.

    Examples
    --------
    >>> check("1.1", ..., rng=4)
    ✗ 1.1 Not answered yet: write your answer in place of the dots above.
    """
    outcome = str(assess(name, answer, rng=rng))
    print(textwrap.fill(outcome, 84, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
