"""How numbers and names are printed, and what rounding may not decide: which is larger, how many are tied.

Processors and libraries add in different orders, so the last bits of a double differ between machines. A choice made on
those bits would change a word or a name from one machine to the next. Every such choice is made here: numbers within
a tolerance are equal, and equal numbers keep the order in which they were declared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, TypeVar

import numpy as np

#: Numbers that differ by less than this share of the larger one are equal.
TOLERANCE: Final = 1e-9
#: Digits that every machine computes alike.
_DIGITS: Final = 12

#: Sizes that are printed without an exponent.
_SMALLEST: Final = 1e-6
_LARGEST: Final = 1e9

Item = TypeVar("Item")


def steady(value: float) -> float:
    """Round to twelve significant digits, so that a half is the same half on every machine.

    Parameters
    ----------
    value : float
        The number to print.

    Returns
    -------
    float

    See Also
    --------
    erresearch.results.plain : Writes a number for people.

    Examples
    --------
    >>> f"{0.12500000000000003:.2f}", f"{steady(0.12500000000000003):.2f}"
    ('0.13', '0.12')
    """
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else value


def rounded(value: float, *, like: float = math.nan, beside: Iterable[float] = ()) -> str:
    """A number to the digits that its uncertainty leaves readable, on the same side of every line as before.

    Parameters
    ----------
    value : float
        What is printed.
    like : float
        Half-width of its interval: two digits of it are kept. Without it, two
        significant digits below 1, three above, and the whole part.
    beside : iterable of float
        Lines beside 0 that rounding may not reach or cross, such as ±δ: digits are added until it does not. A number
        that is such a line is written like any other.

    Returns
    -------
    str

    See Also
    --------
    erresearch.results.plain : A number without an interval, or by a format.

    Examples
    --------
    >>> rounded(0.314159, like=0.0412), rounded(-1234.5, like=80.0), rounded(0.05), rounded(float("inf"))
    ('0.314', '−1,234', '0.05', '∞')
    >>> rounded(-0.3, like=34.0), rounded(0.0496, like=0.02, beside=[0.05]), rounded(42_515_877, like=6e6)
    ('−0.3', '0.0496', '42,500,000')
    >>> rounded(-0.0642, like=0.29), rounded(0.2, like=0.29)
    ('−0.06', '0.20')
    """
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "not a number")
    value = steady(value)
    if value == 0:
        return "0"
    size = abs(value)
    if not _SMALLEST <= size < _LARGEST:
        return f"{value:.2e}".replace("-", "−")
    known = math.isfinite(like) and like > 0
    kept = 1 - math.floor(math.log10(like)) if known else 0
    wanted = kept if known else max(0, (1 if size < 1 else 2) - math.floor(math.log10(size)))
    lines = [line for line in (0.0, *map(steady, beside)) if line != value]
    digits = next(
        (more for more in range(min(wanted, 8), _DIGITS) if _same_side(value, more, lines)), _DIGITS
    )
    text = f"{round(value, digits):,.{max(digits, 0)}f}"
    while digits > max(kept, 0) and text[-1] == "0":
        text, digits = text[:-1], digits - 1
    return text.rstrip(".").replace("-", "−")


def _same_side(value: float, digits: int, lines: Iterable[float]) -> bool:
    shown = round(value, digits)
    return all((shown > line) == (value > line) and (shown < line) == (value < line) for line in lines)


def at_least(values: Any, bound: Any) -> np.ndarray:
    """Whether each value reaches the bound; a tie within the tolerance does.

    Parameters
    ----------
    values, bound : array_like
        Numbers; broadcast against each other.

    Returns
    -------
    bool ndarray

    See Also
    --------
    first_largest : The largest of several numbers.

    Examples
    --------
    >>> at_least([0.1 + 0.2, 0.2], 0.3 + 1e-16).tolist()
    [True, False]
    """
    found, wanted = np.asarray(values, dtype=float), np.asarray(bound, dtype=float)
    with np.errstate(invalid="ignore"):
        slack = TOLERANCE * np.maximum(np.abs(found), np.abs(wanted))
        return np.asarray((found >= wanted) | (found >= wanted - np.where(np.isfinite(slack), slack, 0.0)))


def first_largest(values: Any) -> int:
    """Place of the largest number; of several equal ones, the first.

    Parameters
    ----------
    values : array_like
        At least one number; what is not a number never wins.

    Returns
    -------
    int

    See Also
    --------
    largest : The same for things with a size.

    Examples
    --------
    >>> first_largest([1.0, 3.0, 3.0 + 1e-12])
    1
    """
    found = np.asarray(values, dtype=float)
    found = np.where(np.isnan(found), -np.inf, found)
    return int(np.argmax(at_least(found, found.max())))


def largest(items: Iterable[Item], size: Callable[[Item], float]) -> Item:
    """Pick the item of the largest size; of several equal ones, the first.

    Parameters
    ----------
    items : iterable
        At least one item, in their declared order.
    size : callable
        The number that decides.

    Returns
    -------
    item

    See Also
    --------
    ranked : All of them in order.

    Examples
    --------
    >>> largest({"reviews": 1.187, "meter": 1.187 + 2e-16}.items(), lambda pair: pair[1])[0]
    'reviews'
    """
    known = list(items)
    return known[first_largest([size(item) for item in known])]


def ranked(items: Iterable[Item], size: Callable[[Item], float]) -> list[Item]:
    """Sort from the largest size down; equal ones keep their order.

    Parameters
    ----------
    items : iterable
        In their declared order.
    size : callable
        The number that decides.

    Returns
    -------
    list

    See Also
    --------
    largest : Only the first.

    Examples
    --------
    >>> ranked(["a", "b", "c"], {"a": 1.0, "b": 2.0, "c": 2.0 + 1e-13}.get)
    ['b', 'c', 'a']
    """
    known = sorted(((size(item), place, item) for place, item in enumerate(items)), key=lambda one: -one[0])
    out: list[Item] = []
    while known:
        tied = at_least([one[0] for one in known], known[0][0])
        length = int(np.argmin(tied)) if not tied.all() else len(known)
        out += [one[2] for one in sorted(known[:length], key=lambda one: one[1])]
        known = known[length:]
    return out


def plain(value: float, spec: str = "", *, beside: Iterable[float] = ()) -> str:
    """Write a number for people: with a true minus sign, as every number of this package is printed.

    Without `spec`, a format as in ``format(value, spec)``: two significant digits below 1, three above and the
    whole part. `beside` are lines that rounding may not reach or cross, beside 0.

    Examples
    --------
    >>> plain(-0.0123456), plain(-0.0123456, "+.3f"), plain(12.5, "+.1f"), plain(0.0504, beside=[0.05])
    ('−0.012', '−0.012', '+12.5', '0.0504')
    """
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "not a number")
    if not spec:
        return rounded(value, beside=beside)
    text = format(steady(value), spec)
    return (text if any(digit in text for digit in "123456789") else text.replace("-", "")).replace("-", "−")


class Printed:
    """Shown as `str` says it: short, and the same on every machine.

    See Also
    --------
    Estimate : One that is.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """The same."""
        return str(self)


class Headed(Printed):
    """The same, in notebooks under the name of its kind.

    See Also
    --------
    Printed : What it is in a terminal.
    """

    __slots__ = ()
    heading: ClassVar[str]

    def _repr_markdown_(self) -> str:
        return f"**{self.heading}** {escape(str(self))}"


def short(text: str) -> str:
    """Cut words that no screen can break: names from files may be of any length."""
    return re.sub(r"\S{61,}", lambda found: f"{found[0][:59]}…", text)


def escape(text: str) -> str:
    """Names come from files: they are shown as text, never as markup, and words without an end are cut."""
    text = short(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_{}[]|#$~" else c for c in text).replace("\n", " ")


def grouped(count: int, by: str) -> str:
    """Clusters in words: accounts by their own name, anything else as groups by its column.

    Examples
    --------
    >>> grouped(40, "account"), grouped(75, "year")
    ('40 accounts', '75 groups by year')
    """
    if by in ("", "account", "entity", "row"):
        return f"{count:,} account{'' if count == 1 else 's'}"
    return f"{count:,} group{'' if count == 1 else 's'} by {by}"


def percent(value: float) -> str:
    """Say a fraction in per cent, three significant digits.

    Examples
    --------
    >>> percent(0.0314), percent(0.02), percent(0.2 / 30), percent(-0.5)
    ('3.14 %', '2.00 %', '0.667 %', '−50.0 %')
    """
    number = 100 * value
    if not math.isfinite(number):
        return "not a number"
    size = math.floor(math.log10(abs(number))) if number else 0
    return f"{number:,.{min(max(2 - size, 0), 9)}f} %".replace("-", "−")


class Lined:
    """A value of several lines, each of which a notebook shows as text: names come from files and are never markup."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return "<br>".join(map(escape, str(self).split("\n")))
