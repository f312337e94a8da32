"""How the numbers of this package are said: per cent with three digits, Markdown with nothing to interpret."""

from __future__ import annotations

import math

from erresearch.results.numbers import escape

__all__ = ["markdown", "percent"]


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


def markdown(text: str) -> str:
    r"""Lines of text as Markdown: names come from files and are shown as text, never as markup.

    Examples
    --------
    >>> print(markdown("a <b>*c*"))
    a &lt;b&gt;\*c\*
    """
    return "<br>".join(escape(line) for line in text.split("\n"))
