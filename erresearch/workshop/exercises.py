"""The exercises of the workshop: what they expect, how an answer is judged, and the one call that tries one."""

from __future__ import annotations

import math
import numbers
import re
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np

from erresearch.audits import read_files, side_by_side, with_followers
from erresearch.claims.board import examine
from erresearch.engine.expressions import log
from erresearch.errors import Count, check_name
from erresearch.io import pd
from erresearch.io.files import registry
from erresearch.metrics.rates import engagement_rate
from erresearch.panel.build import build_panel
from erresearch.relate.association import correlate, regress
from erresearch.relate.reaction_models import decay
from erresearch.results import Estimate, Verdict
from erresearch.robustness import adversary, detectable
from erresearch.workshop.sliders import EXPLORATIONS, MOVES, PLANTED, drawn, in_time, unrelated
from erresearch.worlds import example_exports, simulate

# ----------------------------------------------------------------------------------------- what is expected
# Every function takes the seed first; shares are given in per cent, as the exercises ask for them.
ZONE: Final = "Europe/Amsterdam"
WEEKS: Final = 104


# Session 1: measuring


def one_post_rate(rng: int, comments: str = "7") -> float:
    """Give the rate of one post with 5,000 followers, 150 likes and 7 comments."""
    counts = {"likes": [150], "comments": [int(comments)], "followers": [5000]}
    post = pd.DataFrame({"account": ["shop"], **counts})
    return 100 * engagement_rate(post, definition="M01").mean


def day_rate(rng: int, per: Literal["period", "post"]) -> float:
    """Give the rate of three posts of a day: their sum over the followers once, or the mean of their rates."""
    counts = {"likes": [60, 50, 60], "comments": [10, 5, 5], "shares": [5, 3, 2]}
    when = pd.to_datetime(["2024-05-01 09:00", "2024-05-01 13:00", "2024-05-01 19:00"])
    posts = pd.DataFrame({"account": "shop", "published_at": when, "followers": 10_000, **counts})
    return 100 * engagement_rate(posts, denominator="followers", reactions=tuple(counts), per=per).mean


@cache
def _posts(rng: int) -> Any:
    return simulate("nil", accounts=12, weeks=26, rng=rng).posts


def class_rate(rng: int, definition: str) -> float:
    """Give the mean rate of the twelve simulated accounts under a definition."""
    return 100 * engagement_rate(_posts(rng), definition=definition).mean


def ratio_of_sums(rng: int) -> float:
    """Divide the sum of all reactions by the sum of all followers, which is another number than the mean rate."""
    posts = _posts(rng)
    return float(100 * (posts["likes"] + posts["comments"]).sum() / posts["followers"].sum())


def best_account(rng: int, definition: str) -> str:
    """Name the account with the highest mean rate."""
    values = engagement_rate(_posts(rng), definition=definition).values
    return str(values.groupby("account")["rate"].mean().idxmax())


def list_exponent(rng: int) -> float:
    """Fit the exponent of reactions on followers to a list of the best."""
    return decay(drawn("flat-selected-on-reactions", rng, accounts=1000), by="account").exponent.value


def truth_of_the_list(rng: int) -> str:
    """Say what the rate does where followers grow, in that world."""
    return "stays"


# Session 2: doubting


def pearson(rng: int, within: str = "") -> float:
    """Correlate the logs over all weeks, or within shops only."""
    return correlate(drawn("nil", rng), *map(log, MOVES), by="account", within=bool(within)).value


def raw_pearson(rng: int) -> float:
    """Correlate the columns themselves, without logs."""
    panel = drawn("nil", rng)
    return float(np.corrcoef(panel["engagement"], panel["revenue"])[0, 1])


def elasticity(rng: int, spend: str = "") -> float:
    """Give what last week's engagement brings, with or without advertising in the model."""
    return in_time(drawn("nil", rng), spend=bool(spend)).forward.value


def half_strength(rng: int) -> float:
    """Find the first strength of what moves both at which all weeks correlate above one half."""
    slider = EXPLORATIONS["confounding"]
    return next((s for s in slider.settings if slider.at(s, rng=rng).figures["r"] > 0.5), float("nan"))


def verdict_word(rng: int) -> str:
    """Judge C01 in the simulated shops."""
    return examine("C01", {"shops": drawn("nil", rng)})[0].word


def per_follower(rng: int, counts: str = "") -> float:
    """Correlate the logs of likes and orders that have nothing to do with each other, per follower or as counts."""
    figures = EXPLORATIONS["shared denominator"].at(1.0, rng=rng).figures
    return figures["r of the counts" if counts else "r per follower"]


def followers_beside(rng: int) -> float:
    """Give the elasticity of orders on likes with followers as a second column."""
    return regress(unrelated(rng=rng), log("orders"), on=[log("likes"), log("followers")])["log likes"].value


def stronger_way(rng: int) -> str:
    """Name what comes first in the world of session 2's last exercise."""
    found = in_time(drawn("reverse", rng))
    return "engagement" if abs(found.forward.value) > abs(found.reverse.value) else "revenue"


def granted(rng: int) -> float:
    """Count the analyses of the first table that say "positive", in per cent of all that were tried."""
    found = adversary(drawn("nil", rng), wish="positive")
    return 100 * found.granted / found.tried


# Session 3: judging


@cache
def _shop(rng: int) -> tuple[Any, Any, Verdict]:
    with tempfile.TemporaryDirectory() as folder:
        files = read_files(example_exports(folder, weeks=WEEKS, effect=PLANTED, rng=rng), tz=ZONE)
    panel = build_panel(
        list(files.posts),
        list(files.outcomes),
        freq="W",
        tz=ZONE,
        followers=list(files.followers),
        spend=list(files.ads),
    )
    return files, panel, examine("C01", {"the shop": panel.rows})[0]


def order_lines(rng: int, further: str = "") -> float:
    """Count the lines of the order file: all of them, or those that are no orders of their own."""
    (orders,) = (one for one in _shop(rng)[0].outcomes if one.name == "orders_export.csv")
    return float(orders.accounting.out_of_scope if further else orders.accounting.rows_in)


def on_every_platform(rng: int) -> str:
    """Name the one definition that the files of every platform allow."""
    files, *_ = _shop(rng)
    rates = side_by_side(with_followers(files.all_posts.rows, files.followers)).dropna(subset=["mean"])
    platforms = rates.groupby("definition")["platform"].nunique()
    (shared,) = platforms[platforms == rates["platform"].nunique()].index
    return str(shared)


def weeks_kept(rng: int) -> float:
    """Count the weeks on which everything is known."""
    return float(len(_shop(rng)[1].rows))


def weeks_of_files(rng: int) -> float:
    """Count the weeks that the files span."""
    return float(WEEKS)


def finds_from(rng: int) -> float:
    """Give the smallest elasticity that these weeks would find with 80 % power."""
    estimate = _shop(rng)[2].estimate
    return detectable(estimate).effect if estimate is not None else float("nan")


def weeks_needed(rng: int) -> float:
    """Find the first number of weeks at which eight shops would find the planted effect."""
    slider = EXPLORATIONS["weeks"]
    could = ((s, slider.at(s, rng=rng).figures["eight shops, finds from"]) for s in slider.settings)
    return next((weeks for weeks, effect in could if effect <= PLANTED), float("nan"))


def _spellings(value: float) -> tuple[str, ...]:
    """Give a number as people write it: with two to four digits, with or without the 0 before the point."""
    full = [f"{value:.{digits}f}" for digits in (2, 3, 4)]
    return (*full, *(text.replace("0.", ".", 1) for text in full))


def sentence_needs(rng: int) -> Mapping[str, Sequence[str]]:
    """Say what the sentence of session 3 must name, each with the texts of which one will do."""
    _, panel, verdict = _shop(rng)
    interval = verdict.interval
    ends = () if interval is None else (interval.low, interval.high)
    return {
        "Which word did the verdict give? Use it as it stands.": [verdict.word],
        "How many weeks is it about? Write the number and then the word weeks.": [
            f"{Count(len(panel.rows)):week}"
        ],
        **{
            f"Give the {name} end of the interval with two digits.": _spellings(end)
            for name, end in zip(("lower", "upper"), ends, strict=False)
        },
        "Say that the shop is simulated.": ["simulated"],
    }


# ---------------------------------------------------------------------------------------- how it is judged
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
        said["slips"] = [(computing(slip), text) for slip, text in said["slips"]]
    return _JUDGES[kind](computing(said.pop(kind)), **said)


@cache
def computing(told: str) -> Callable[[int], Any]:
    """The function that computes an answer, with what it is told beside the seed ("class_rate M01"); asked often."""
    name, *how = told.split()
    compute: Callable[..., Any] = globals()[name]
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
