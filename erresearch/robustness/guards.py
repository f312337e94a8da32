"""Requests that would give a misleading number, refused by name; and what the names of columns say.

Each guard returns nothing where all is well and raises :class:`~erresearch.errors.GuardError` where it is not;
:func:`check` asks all that read names and formulas; those that read rows are in
:mod:`erresearch.robustness.data_guards`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final, Literal

from erresearch.errors import Count, GuardError, check_name
from erresearch.io.files import read_value, registry
from erresearch.metrics.rates import DEFINITIONS, RateDefinition

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


@cache
def read_leaks() -> tuple[Leak, ...]:
    """Read the registry ``leaks.toml``.

    Returns
    -------
    tuple of Leak
        In the file's order.

    Examples
    --------
    >>> [leak.side for leak in read_leaks()][:2]
    ['predictor', 'outcome']
    """
    return tuple(read_value(Leak, entry) for entry in registry("leaks.toml")["leak"])


@dataclass(frozen=True, slots=True)
class Ratio:
    """What a ratio column was divided by, and what it divides.

    Parameters
    ----------
    numerator : tuple of str
        Columns that were summed.
    denominator : str
        Column that divides.

    Examples
    --------
    >>> Ratio(("revenue",), "followers").parts
    ('revenue', 'followers')
    """

    numerator: tuple[str, ...]
    denominator: str

    @property
    def parts(self) -> tuple[str, ...]:
        """All columns that it is made of."""
        return (*self.numerator, self.denominator)


Declared = str | RateDefinition | Ratio


def _ratio(definition: Declared) -> Ratio:
    if isinstance(definition, Ratio):
        return definition
    if isinstance(definition, str):
        check_name("rate definition", definition, DEFINITIONS)
        definition = DEFINITIONS[definition]
    return Ratio((*definition.reactions, *definition.exposure), definition.denominator)


def ratio_against_part(
    ratio: str, other: str, *, definition: Declared, other_definition: Declared | None = None
) -> None:
    """Refuse a ratio that is set against one of its own parts, or against a ratio with the same denominator.

    With X, F independent and of equal spread on logs, r(log X/F, log F) = −.71 and r(log X/F, log Y/F) = +.50: the
    correlation is arithmetic.

    Parameters
    ----------
    ratio, other : str
        The two columns; logs and lags in their names are looked through.
    definition : str, RateDefinition or Ratio
        What `ratio` is made of, for example ``"M01"``.
    other_definition : str, RateDefinition or Ratio, optional
        What `other` is made of, where it is a ratio too.

    Raises
    ------
    GuardError
        Naming the part.
    UnknownNameError
        If the definition is in no registry.

    References
    ----------
    Pearson, K. (1897). On a form of spurious correlation which may arise when indices are used in the measurement of
    organs. *Proceedings of the Royal Society of London*, 60, 489-498.
    Kronmal, R. A. (1993). Spurious correlation and the fallacy of the ratio standard revisited. *Journal of the Royal
    Statistical Society A*, 156(3), 379-392.

    Examples
    --------
    >>> ratio_against_part("log ER", "log reach", definition="M01")
    >>> ratio_against_part("log ER", "log followers", definition="M01")
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 'log ER' contains 'log followers': followers is its denominator. ...
    """
    own = _ratio(definition)
    if other_definition is not None:
        shared = bare(own.denominator)
        if says(_ratio(other_definition).denominator, shared):
            raise GuardError(
                f"{ratio!r} and {other!r} share a denominator",
                got=f"both are divided by {shared}, which alone makes independent quantities correlate at about .5",
                fix=f"compare the numerators with log {shared} as a control",
            )
    for part in own.parts:
        if says(other, part):
            role = "its denominator" if part == own.denominator else "in its numerator"
            raise GuardError(
                f"{ratio!r} contains {other!r}",
                got=f"{part} is {role}",
                fix=f"model {' + '.join(own.numerator) or 'the numerator'} with log {own.denominator} as a regressor "
                "and look whether its slope is 1 (`decay` does)",
            )


def reported_rate(column: str, definition: Declared | None = None) -> None:
    """Refuse an engagement rate whose formula nobody declared.

    Parameters
    ----------
    column : str
        A column; only names that say "engagement rate" (ER, ERF, ERR …) are looked at.
    definition : str, RateDefinition or Ratio, optional
        The declared formula.

    Raises
    ------
    GuardError
        If it calls itself a rate and has no formula.
    UnknownNameError
        If the formula is in no registry.

    Examples
    --------
    >>> reported_rate("ER", "M02")
    >>> reported_rate("engagement")
    >>> reported_rate("ER")
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 'ER' is an engagement rate of unknown formula: ...
    """
    if definition is not None:
        _ratio(definition)
    elif is_rate(column):
        raise GuardError(
            f"{column!r} is an engagement rate of unknown formula",
            got="a finished number without its numerator and denominator",
            allowed=f"one of {', '.join(sorted(DEFINITIONS))}, or Ratio(numerator, denominator)",
            fix="declare its formula, or compute it with `engagement_rate`",
        )


def pooled_definitions(column: str, definitions: Iterable[Declared]) -> None:
    """Refuse to pool rates of different formulas under one name.

    Parameters
    ----------
    column : str
        The column that would hold them all.
    definitions : iterable of str, RateDefinition or Ratio
        The formulas of its rows.

    Raises
    ------
    GuardError
        Naming the formulas.
    UnknownNameError
        If a formula is in no registry.

    Examples
    --------
    >>> pooled_definitions("ER", ["M01", "M01"])
    >>> pooled_definitions("ER", ["M01", "M03"])
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 'ER' pools rates of 2 different formulas: ...
    """
    seen: dict[tuple[frozenset[str], str, str], str] = {}
    for definition in definitions:
        ratio = _ratio(definition)
        found = DEFINITIONS[definition] if isinstance(definition, str) else definition
        per = found.per if isinstance(found, RateDefinition) else ""
        name = definition if isinstance(definition, str) else str(definition)
        seen.setdefault((frozenset(ratio.numerator), ratio.denominator, per), name)
    if len(seen) > 1:
        raise GuardError(
            f"{column!r} pools rates of {Count(len(seen)):different formula}",
            got="; ".join(sorted(seen.values())),
            fix="keep one formula, or make the formula an axis of a specification curve",
        )


def log1p_elasticity(outcome: str, x: str) -> None:
    """Refuse to read an elasticity off log(1 + y): it depends on the unit that y happens to have.

    Parameters
    ----------
    outcome, x : str
        The two columns of a slope that is to be an elasticity.

    Raises
    ------
    GuardError
        If one of them is log(1 + something).

    References
    ----------
    Chen, J., & Roth, J. (2024). Logs with zeros? Some problems and solutions. *Quarterly Journal of Economics*,
    139(2), 891-936.

    Examples
    --------
    >>> log1p_elasticity("log revenue", "log engagement")
    >>> log1p_elasticity("log (1 + revenue)", "log engagement")
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: the slope of 'log (1 + revenue)' on 'log engagement' is no elasticity: ...
    """
    found = [name for name in (outcome, x) if is_log1p(name)]
    if found:
        raise GuardError(
            f"the slope of {outcome!r} on {x!r} is no elasticity",
            got=f"{' and '.join(map(repr, found))}, whose slope changes with the unit of measurement",
            fix="use `poisson` for an outcome with zeros, or log(x) on the rows where x is positive",
        )


def outcome_contains_predictor(outcome: str, x: str) -> None:
    """Refuse a pair of columns of which one was computed from the other.

    Looks the names up in the registry ``leaks.toml``: attributed conversions, page values, returns on spend,
    conversion rates, totals against their parts.

    Parameters
    ----------
    outcome, x : str
        The two columns; logs and lags in their names are looked through.

    Raises
    ------
    GuardError
        Saying what was computed from what.

    References
    ----------
    Gordon, B. R., Zettelmeyer, F., Bhargava, N., & Chapsky, D. (2019). A comparison of approaches to advertising
    measurement: evidence from big field experiments at Facebook. *Marketing Science*, 38(2), 193-225.

    Examples
    --------
    >>> outcome_contains_predictor("revenue", "likes")
    >>> outcome_contains_predictor("revenue", "PageValues")
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 'revenue' and 'PageValues' contain one another: ...
    """
    if words(bare(outcome)) == words(bare(x)) and not _lagged(x):
        raise GuardError(f"{outcome!r} cannot explain itself", got=f"{x!r} as a predictor")
    for leak in read_leaks():
        if leak.between(outcome, x):
            raise GuardError(
                f"{outcome!r} and {x!r} contain one another",
                got=leak.why,
                fix=f"use a column that was recorded independently (source: {leak.source})",
            )


def _lagged(name: str) -> bool:
    return name.casefold().startswith(("lag", "lead"))


def check(
    outcome: str,
    on: Sequence[str],
    *,
    definitions: Mapping[str, Declared | tuple[Declared, ...]] | None = None,
    elasticity: bool = False,
) -> None:
    """Ask every guard that reads names and formulas; the first that refuses ends it.

    Parameters
    ----------
    outcome : str
        Left-hand side.
    on : sequence of str
        Predictors that the claim is about; controls need not be named.
    definitions : mapping of str to str, RateDefinition or Ratio, optional
        Declared formula of each column that is a ratio, by its own name or by the one that it is a log or lag of;
        several in a tuple where rows differ.
    elasticity : bool
        Whether slopes will be read as elasticities.

    Raises
    ------
    GuardError
        From the guard that refuses.
    UnknownNameError
        If a declared formula is in no registry.

    Examples
    --------
    >>> check("log revenue", ["log engagement"])
    >>> check("log ER", ["log followers"], definitions={"ER": "M01"})
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 'log ER' contains 'log followers': followers is its denominator. ...
    """
    formulas: dict[str, Declared | None] = {}
    for column in (outcome, *on):
        found = (definitions or {}).get(column, (definitions or {}).get(bare(column), ()))
        declared = found if isinstance(found, tuple) else (found,)
        formulas[column] = next(iter(declared), None)
        reported_rate(column, formulas[column])
        pooled_definitions(column, declared)
    for x in on:
        outcome_contains_predictor(outcome, x)
        if elasticity:
            log1p_elasticity(outcome, x)
        # a ratio on either side against the other column; two ratios are looked at once
        for ratio, other in ((outcome, x), (x, outcome)):
            own = formulas[ratio]
            if own is not None:
                ratio_against_part(ratio, other, definition=own, other_definition=formulas[other])
                break
