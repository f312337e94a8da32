"""What a column's name says: its words, what was done to it, whether it calls itself an engagement rate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from erresearch.errors import DataError
from erresearch.io.files import registry

_DONE: Final = re.compile(
    r"^(?:log_?1p|ln_?1p|log|ln|a(?:rc)?sinh|ihs|lag\d*|lead\d*|centered|rank of|"
    r"(?:Δ|diff(?:erence)?|change)(?: of| in)?)[\s_]+(?=\S)",
    re.I,
)
_SMALL: Final = r"(?:1(?:\.0*)?|0?\.\d+|1e-\d+)"  # what is added so that a zero has a logarithm
_CALL: Final = re.compile(
    r"^(?:(?:np|numpy|math)\.)?(?:log1p|log10|log2|log|ln|a(?:rc)?sinh|ihs|sqrt)\s*\((.*)\)$", re.I | re.S
)
_PLUS_ONE: Final = re.compile(rf"^\s*(?:{_SMALL}\s*\+\s*(.*?)|(.*?)\s*\+\s*{_SMALL})\s*$", re.S)
_LOG1P: Final = re.compile(
    r"(?:^|[\s_(.])(?:(?:log_?1p|ln_?1p|a(?:rc)?sinh|ihs)(?:\b|_)|(?:log|ln)\s*(?:\(?\s*1\s*\+|"
    rf"\(\s*{_SMALL}\s*\+|\(?[^()+]*\+\s*{_SMALL}\s*\)))",
    re.I,
)
_RATES: Final = frozenset({"er", "erf", "err", "erv", "eri", "erp", "erpost", "erday", "eng"})
_RATE_WORDS: Final = frozenset({"rate", "rt", "ratio", "percent", "pct", "share"})
_ACTED: Final = frozenset({"engagement", "eng", "interaction", "reaction"})
_HEADS: Final = frozenset({"follower", "reach", "impression", "view", "fan", "user"})
#: Words beside "err" or "erp" that say it is something else: a count of errors, a system's cost.
_NO_RATE: Final = frozenset(
    {"count", "number", "code", "message", "msg", "spend", "cost", "system", "project"}
)


def words(name: str) -> tuple[str, ...]:
    """Words of a column's name in lower case, without a plural s.

    Examples
    --------
    >>> words("PageValues_eur")
    ('page', 'value', 'eur')
    """
    split = re.sub(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Þ])|(?<=[A-Z]{2})(?=(?:by|per)[A-Z])", " ", name)
    found = re.findall(r"[^\W_]+", split)
    return tuple(_singular(word.casefold()) for word in found)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "as")) else word


def bare(name: str) -> str:
    """Name of the column that a log, lag, centring or rank was taken of.

    Examples
    --------
    >>> bare("lag1 log followers"), bare("log (1 + spend)")
    ('followers', 'spend')
    """
    while True:
        short = _DONE.sub("", name.strip())
        call = _CALL.match(short)
        if call:
            inner = call.group(1)
            plus = _PLUS_ONE.match(inner)
            short = (plus.group(1) or plus.group(2)) if plus else inner
        plus = _PLUS_ONE.match(short.strip("() ")) if short.startswith("(") and short.endswith(")") else None
        if plus:
            short = plus.group(1) or plus.group(2)
        if short == name or not short:
            return name
        name = short


def says(name: str, phrase: str) -> bool:
    """Whether a column's name holds the words of a phrase, one after the other.

    Examples
    --------
    >>> says("log Followers_count", "followers"), says("likelihood", "like")
    (True, False)
    """
    own, wanted = words(bare(name)), words(phrase)
    return (
        any(own[i : i + len(wanted)] == wanted for i in range(len(own) - len(wanted) + 1)) if wanted else True
    )


def is_rate(name: str) -> bool:
    """Whether a column calls itself an engagement rate.

    Examples
    --------
    >>> is_rate("Engagement rate, %"), is_rate("ER"), is_rate("interactions per follower"), is_rate("engagement")
    (True, True, True, False)
    """
    own = words(bare(name))
    head = any(one == "per" and other in _HEADS for one, other in pairwise(own))
    divided = head or "%" in name or any(word in _RATE_WORDS for word in own)
    if any(word in _ACTED for word in own) and divided:
        return True
    return len(own) <= 3 and any(w in _RATES - {"eng"} for w in own) and not any(w in _NO_RATE for w in own)


def is_log1p(name: str) -> bool:
    """Whether a column is the log of something plus a small constant, or the inverse hyperbolic sine that stands for it.

    Examples
    --------
    >>> is_log1p("log1p likes"), is_log1p("log (1 + likes)"), is_log1p("ln(likes + 1)"), is_log1p("log likes")
    (True, True, True, False)
    """
    return bool(_LOG1P.search(name))


@dataclass(frozen=True, slots=True)
class Leak:
    """A kind of column that contains what it is set against.

    Parameters
    ----------
    names : tuple of str
        Phrases that such a column's name holds.
    side : {"outcome", "predictor"}
        Which of the two it is.
    against : tuple of str
        Phrases of the other column's name; empty for any.
    why, source : str
        What was computed from what, and who says so.
    """

    names: tuple[str, ...]
    side: Literal["outcome", "predictor"]
    against: tuple[str, ...]
    why: str
    source: str

    def between(self, outcome: str, predictor: str) -> bool:
        """Whether these two columns are of that kind."""
        own, other = (outcome, predictor) if self.side == "outcome" else (predictor, outcome)
        named = any(says(own, name) for name in self.names)
        return named and (not self.against or any(says(other, name) for name in self.against))


def read_leaks() -> tuple[Leak, ...]:
    """Read the registry ``leaks.toml``.

    Returns
    -------
    tuple of Leak
        In the file's order.

    Raises
    ------
    DataError
        If an entry lacks a field or has a wrong one.

    Examples
    --------
    >>> [leak.side for leak in read_leaks()][:2]
    ['predictor', 'outcome']
    """
    return tuple(_leak(entry) for entry in registry("leaks.toml")["leak"])


def _leak(entry: Mapping[str, Any]) -> Leak:
    wanted = {"names", "side", "against", "why", "source"}
    if set(entry) != wanted or entry["side"] not in ("outcome", "predictor"):
        raise DataError(
            "an entry of leaks.toml is not complete",
            got=", ".join(sorted(entry)),
            allowed=f"{', '.join(sorted(wanted))}; side = outcome or predictor",
        )
    return Leak(tuple(entry["names"]), entry["side"], tuple(entry["against"]), entry["why"], entry["source"])
