"""What the revenue of one shop does after its posts, in money, and what its days could show at all."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from erresearch.results.estimates import Estimate, Printed, escape, plain
from erresearch.results.fits import Precedence
from erresearch.results.verdicts import Doubt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DailyResponse", "Shown", "in_money"]

Data = Literal["as-it-is", "another-year", "as-weeks", "without-events"]
_DATA: Final[Mapping[str, str]] = MappingProxyType(
    {
        "as-it-is": "these days",
        "another-year": "with another year like it",
        "as-weeks": "the same as weeks",
        "without-events": "without the declared events",
    }
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What data of one shop could show, by the noise of that shop.

    Parameters
    ----------
    data : {"as-it-is", "another-year", "as-weeks", "without-events"}
        Which data.
    periods : int
        How many days, or weeks.
    supported : float
        Least elasticity that would be called *supported* four times in five; infinite where none would.
    nil : float
        Least δ inside which an effect of 0 would lie four times in five, and so could be called nil.
    """

    data: Data
    periods: int
    supported: float
    nil: float

    def __str__(self) -> str:
        """One line."""
        return (
            f"{_DATA[self.data]} ({self.periods:,}): supported from {plain(self.supported)}, nil within "
            f"±{plain(self.nil)}"
        )


def in_money(worth: Estimate) -> str:
    """What one more of something goes with in revenue, and what it may cost at most.

    Parameters
    ----------
    worth : Estimate
        Revenue of one more, named "one more like".

    Returns
    -------
    str

    See Also
    --------
    erresearch.break_even : What it must bring, from a cost and a margin.

    Examples
    --------
    >>> from erresearch.results import StudentT
    >>> def e(value):
    ...     ref = StudentT(value, 0.5, 40)
    ...     return Estimate("one more like", value=value, se=0.5, df=40, interval=ref.interval(0.95), n_rows=700,
    ...     n_accounts=1, reference=ref, unit="EUR")
    >>> print(in_money(e(0.1)))
    one more like goes with anything from 0.9 EUR less to 1.1 EUR more revenue, and does not pay if it costs more than
    1.1 EUR times the margin
    >>> print(in_money(e(2.0)))
    one more like goes with 1.0 to 3.0 EUR more revenue, and pays if it costs less than 1.0 EUR times the margin
    >>> print(in_money(e(-2.0)))
    one more like goes with 1.0 to 3.0 EUR less revenue, so these rows show no gain that could pay for it
    """
    ends, unit = worth.interval, f" {worth.unit}".rstrip()
    low, high = ends.ends()[1:-1].split(", ")
    most, least = replace(ends, low=-ends.high, high=-ends.low).ends()[1:-1].split(", ")
    goes = f"{worth.name} goes with"
    if ends.low > 0:
        pays = f"pays if it costs less than {low}{unit} times the margin"
        return f"{goes} {low} to {high}{unit} more revenue, and {pays}"
    if ends.high == math.inf:
        return f"these data set no bound on the revenue that {worth.name} goes with"
    if ends.high > 0:
        range_ = f"anything from {least}{unit} less to" if ends.low > -math.inf else "at most"
        pays = f"does not pay if it costs more than {high}{unit} times the margin"
        return f"{goes} {range_} {high}{unit} more revenue, and {pays}"
    less = f"{most} to {least}" if ends.low > -math.inf else f"{most} or more"
    return f"{goes} {less}{unit} less revenue, so these rows show no gain that could pay for it"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class DailyResponse(Printed):
    """How the revenue of one shop answers its posts over four weeks.

    Parameters
    ----------
    x, y : str
        Reactions and revenue.
    order : Precedence
        The box of two weeks: `forward` before, `contemporaneous` the same day, `lead` the two weeks after (the placebo),
        `over_lead` the difference. The word of a verdict is read from it.
    size : Estimate
        Elasticity over four weeks, the sum of the bands.
    bands : tuple of (int, int, Estimate)
        First and last day of each, and its part.
    capped : (Estimate, Estimate)
        Box and same day with viral posts capped: a nil needs them too.
    worth : Estimate
        Revenue over four weeks of one more x, at the shop's usual revenue and reactions.
    per_post : Estimate or None
        The same of one more usual post; None where posts are not counted.
    shown : tuple of Shown
        What the data could show, those at hand first.
    cautions : tuple of Doubt
        What was left out, filled or not declared, counted.
    first, last : str
        Days covered.
    shops : mapping of str to DailyResponse
        Each shop by itself where there are several; then the numbers above are of all together.

    See Also
    --------
    erresearch.daily_response : Makes it.
    """

    x: str
    y: str
    order: Precedence
    size: Estimate
    bands: tuple[tuple[int, int, Estimate], ...]
    capped: tuple[Estimate, Estimate]
    worth: Estimate
    per_post: Estimate | None
    shown: tuple[Shown, ...]
    cautions: tuple[Doubt, ...]
    first: str
    last: str
    shops: Mapping[str, DailyResponse] = field(default_factory=dict)

    @property
    def answer(self) -> str:
        """What one more x goes with over four weeks, a range or not more than, and what it may cost at most."""
        return in_money(self.worth)

    def to_frame(self) -> pd.DataFrame:
        """One row per number: value, se, low, high, unit."""
        import pandas as pd

        rows = [
            {
                "of": code,
                "value": each.value,
                "se": each.se,
                "low": each.interval.low,
                "high": each.interval.high,
                "unit": each.unit,
            }
            for code, each in self._numbers().items()
        ]
        return pd.DataFrame(rows).set_index("of")

    def _numbers(self) -> dict[str, Estimate]:
        order = self.order
        assert order.contemporaneous is not None and order.over_lead is not None  # noqa: PT018
        return {
            "before": order.forward,
            "same day": order.contemporaneous,
            "after (placebo)": order.lead,
            "before less after": order.over_lead,
            **{f"days {first}-{last}": each for first, last, each in self.bands},
            "four weeks": self.size,
            "worth": self.worth,
            **({} if self.per_post is None else {"worth of a post": self.per_post}),
        }

    def __str__(self) -> str:
        """What the days could show, the answer in money, the order."""
        lines = [
            f"{self.y} after {self.x}, {self.first} to {self.last}",
            *(f"  could show: {each}" for each in self.shown),
            f"  {self.answer}",
            *([] if self.per_post is None else [f"  {in_money(self.per_post)}"]),
            *(f"  {code}: {each.number()}" for code, each in self._numbers().items()),
            *(f"  caution: {each}" for each in self.cautions if each.raised),
        ]
        lines += [f"  {name}: {one.answer}" for name, one in self.shops.items()]
        return "\n".join(textwrap.fill(line, 88, subsequent_indent="      ") for line in lines)

    def _repr_html_(self) -> str:
        """The sentence and the tables."""
        import html

        import pandas as pd

        told = self.to_frame().map(lambda each: plain(each) if isinstance(each, float) else each)
        could = pd.DataFrame(
            [
                {"data": _DATA[each.data], "periods": f"{each.periods:,}", "supported from": plain(each.supported),
                 "nil within ±": plain(each.nil)}
                for each in self.shown
            ]
        )  # fmt: skip
        said = "".join(f"<li>{html.escape(str(each))}</li>" for each in self.cautions if each.raised)
        shops = "".join(
            f"<li>{html.escape(name)}: {html.escape(one.answer)}</li>" for name, one in self.shops.items()
        )
        parts = [
            could.to_html(index=False),
            f"<p>{html.escape(self.answer)}</p>",
            "" if self.per_post is None else f"<p>{html.escape(in_money(self.per_post))}</p>",
            told.to_html(),
            f"<ul>{said}{shops}</ul>" * bool(said or shops),
        ]
        return "".join(parts)

    def _repr_markdown_(self) -> str:
        return f"**daily response** {escape(self.answer)}"
