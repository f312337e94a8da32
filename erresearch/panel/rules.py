"""What a joining may do beyond its calendar: each choice has a name, a default, and a word in the panel's notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from erresearch.errors import DesignError, UnknownNameError

__all__ = ["Apart", "Rules"]

Apart = Literal["", "platform", "account", "post_type"]
Revenue = Literal["as-reported", "net-by-order-date"]
Paid = Literal["kept", "left out"]
Crossposts = Literal["kept", "merged"]
_LONGEST_LAG = 60


@dataclass(frozen=True, slots=True)
class Rules:
    """Choices of a joining.

    Parameters
    ----------
    currency : str
        The one currency to keep, where there are several.
    apart : {"", "platform", "account", "post_type"}
        Beside the sums of an entity, the figures of each platform, account or kind of post in columns of their own,
        such as ``engagement (instagram)``. Outcomes are never repeated.
    lags : int
        How many earlier periods of posts, engagement, spend and outcomes stand beside each period, as ``lag1 revenue``.
        A lag is the same entity's value so many periods earlier; after a gap it is missing.
    revenue : {"as-reported", "net-by-order-date"}
        Refunds on the day that their file gives, or carried to the day of the order that they give back.
    paid : {"kept", "left out"}
        Posts that were boosted (advertised). Kept, they are counted as ``paid_posts``, and no claim is judged unless what
        was spent is there to be held fixed; left out, they are counted among the rows left out.
    crossposts : {"kept", "merged"}
        Whether a post that stands on Facebook and on Instagram counts as two or as one.
    allow_break : bool
        Whether a figure whose definition changes midway may be one column; it then gets a column that marks the change.
    nothing_spent : bool
        Say that nothing was spent on advertising in these days (beside boosted posts that are left out); ``spend`` is
        then 0. Of what is not said, nothing is assumed.

    Raises
    ------
    UnknownNameError
        Naming what is allowed.
    DesignError
        If `lags` is no whole number from 0 to 60.

    Examples
    --------
    >>> Rules(apart="platform", lags=2).lags
    2
    """

    currency: str = ""
    apart: Apart = ""
    lags: int = 1
    revenue: Revenue = "as-reported"
    paid: Paid = "kept"
    crossposts: Crossposts = "kept"
    allow_break: bool = False
    nothing_spent: bool = False

    def __post_init__(self) -> None:
        """Refuse a choice that is none."""
        for name, allowed in (
            ("apart", Apart),
            ("revenue", Revenue),
            ("paid", Paid),
            ("crossposts", Crossposts),
        ):
            if getattr(self, name) not in get_args(allowed):
                raise UnknownNameError.of(
                    name, getattr(self, name), [word for word in get_args(allowed) if word]
                )
        if (
            isinstance(self.lags, bool)
            or not isinstance(self.lags, int)
            or not 0 <= self.lags <= _LONGEST_LAG
        ):
            raise DesignError(
                "`lags` must be a number of periods", got=repr(self.lags), allowed=f"0 to {_LONGEST_LAG}"
            )
