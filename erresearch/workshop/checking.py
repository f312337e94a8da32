"""Answers that check themselves: ✓ or ✗ and a hint, never the answer."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from erresearch.workshop.exercises import exercise_named

__all__ = ["Outcome", "assess", "check"]


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

    Examples
    --------
    >>> assess("1.1", 3.14, rng=4).passed
    True
    >>> print(assess("1.1", 0.0314, rng=4))
    ✗ 1.1 That is a share; per cent is asked.
    """
    exercise = exercise_named(name)
    if rng is None:
        return Outcome(name, None, "Your own data: no answer is stored. Compare with your neighbour.")
    if answer is ...:
        return Outcome(name, False, f"Not answered yet. Hint: {exercise.hint}")
    wrong = exercise.judge(answer, rng)
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

    Examples
    --------
    >>> check("1.1", ..., rng=4)
    ✗ 1.1 Not answered yet. Hint: likes and comments, divided by followers, times 100.
    """
    outcome = str(assess(name, answer, rng=rng))
    print(textwrap.fill(outcome, 84, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
