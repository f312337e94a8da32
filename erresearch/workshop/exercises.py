"""The exercises of the workshop, their checks, and the one call that tries an answer."""

from __future__ import annotations

import math
import numbers
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from erresearch.errors import Count, check_name
from erresearch.io.files import registry
from erresearch.results import Estimate
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


_JUDGES: Final[Mapping[str, Callable[..., Judge]]] = {"number": number, "word": word, "sentence": sentence}


def _judge(entry: Mapping[str, Any]) -> Judge:
    """The judge of an exercise, from its entry in ``workshop.toml``."""
    said = dict(entry)
    kind = next(kind for kind in _JUDGES if kind in said)
    if "slips" in said:
        said["slips"] = [(_answer(slip), text) for slip, text in said["slips"]]
    return _JUDGES[kind](_answer(said.pop(kind)), **said)


def _answer(told: str) -> Callable[[int], Any]:
    """The function that computes an answer, with what it is told beside the seed ("class_rate M01"); asked often."""
    name, *how = told.split()
    compute: Callable[..., Any] = getattr(answers, name)
    return cache(lambda rng: compute(rng, *how))


EXERCISES: Final[Mapping[str, Judge]] = MappingProxyType(
    {name: _judge(entry) for name, entry in registry("workshop.toml")["exercise"].items()}
)
"""The judge of every exercise, by its name: ``workshop.toml`` lists them."""


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
