"""Where a rate stands among published levels of the same definition, and among one's own accounts."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import narwhals.stable.v2 as nw

from erresearch.errors import DataError, GuardError, UnknownNameError
from erresearch.io import pd
from erresearch.io.files import registry, resource
from erresearch.metrics.definitions import DEFINITIONS, RateDefinition
from erresearch.metrics.intervals import markdown, percent
from erresearch.metrics.rates import Rates
from erresearch.results import Printed

TIERS = (0.0, 1e3, 1e4, 1e5, 1e6, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """One published level, as the table has it."""

    source: str
    year: str
    platform: str
    low: float
    high: float
    level: float
    statistic: str
    definition: str
    status: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A rate beside one published level.

    Parameters
    ----------
    source, year : str
        Who printed the level and when.
    tier : tuple of float
        Followers from (included) and to (not included).
    level : float
        The published level, a fraction.
    statistic : str
        "mean", "median", "not stated" or "label doubtful".
    ratio : float
        The rate over the level.
    share_below : tuple of float
        Bounds on the share of that source's accounts with a lower rate, as far as the level allows.
    status : str
        "verified" on the source's own page, or "secondary".
    note : str
        What is known to be odd about it.
    """

    source: str
    year: str
    tier: tuple[float, float]
    level: float
    statistic: str
    ratio: float
    share_below: tuple[float, float]
    status: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TierPosition(Printed):
    """A rate among its likes: published levels of the same definition, and one's own accounts of the same size.

    Parameters
    ----------
    rate, followers : float
        The rate (a fraction) and the account's followers.
    platform : str
        Platform.
    definition : RateDefinition
        What the rate is.
    comparisons : tuple of Comparison
        Newest first.
    refused : int
        Published levels of this platform that measure something else, or do not say what.
    own : float
        Share of one's own accounts in the tier with a lower rate (ties count half); nan where none were given.
    own_accounts : int
        How many accounts that is.
    own_tier : tuple of float
        The tier they are in.
    """

    rate: float
    followers: float
    platform: str
    definition: RateDefinition
    comparisons: tuple[Comparison, ...]
    refused: int
    own: float = math.nan
    own_accounts: int = 0
    own_tier: tuple[float, float] = (0.0, math.inf)

    def to_frame(self) -> pd.DataFrame:
        """One row per published level (a pandas DataFrame)."""
        return pd.DataFrame(
            [
                {
                    "source": one.source,
                    "year": one.year,
                    "tier": _tier(one.tier),
                    "level": one.level,
                    "statistic": one.statistic,
                    "ratio": one.ratio,
                    "share_below_at_least": one.share_below[0],
                    "share_below_at_most": one.share_below[1],
                    "status": one.status,
                    "note": one.note,
                }
                for one in self.comparisons
            ]
        )

    def __str__(self) -> str:
        """One line per source."""
        lines = [
            f"{percent(self.rate)} with {self.followers:,.0f} followers on {self.platform}; {self.definition}"
        ]
        for one in self.comparisons:
            what = f"{one.statistic}, {_tier(one.tier)}"
            line = f"{one.ratio:.2g} × {percent(one.level)} ({what}), {one.source}, {one.year}"
            low, high = one.share_below
            if (low, high) != (0.0, 1.0):
                line += f": above {'at least' if low else 'at most'} {percent(low or high)} of its accounts"
            lines.append(line)
        lines.append(f"not compared: {self.refused} published levels of another or of no stated definition")
        if self.own_accounts:
            lines.append(
                f"above {percent(self.own)} of {self.own_accounts:,} own accounts ({_tier(self.own_tier)})"
            )
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        return markdown(str(self))


def _tier(tier: tuple[float, float]) -> str:
    low, high = tier
    if low == 0 and math.isinf(high):
        return "all sizes"
    return f"{low:,.0f} followers or more" if math.isinf(high) else f"{low:,.0f} to {high:,.0f} followers"


@cache
def _levels() -> tuple[_Level, ...]:
    known: dict[str, str] = registry("bands.toml")["benchmarks"]
    with (resource("data") / "er_benchmarks.csv").open(encoding="utf-8", newline="") as text:
        rows = [
            row for row in csv.DictReader(text) if row["er_percent"] and row["scope"] in ("tier", "overall")
        ]
    return tuple(
        _Level(
            source=row["source"],
            year=row["year"],
            platform=row["platform"],
            low=float(row["tier_low"] or 0),
            high=float(row["tier_high"] or math.inf),
            level=float(row["er_percent"]) / 100,
            statistic=row["statistic"],
            definition=known.get(row["er_definition"], ""),
            status=row["status"],
            note=row["notes"],
        )
        for row in rows
    )


def percentile_in_tier(
    rate: Rates | float,
    followers: float,
    platform: str,
    *,
    definition: str | RateDefinition | None = None,
    among: Rates | None = None,
) -> TierPosition:
    r"""Compare a rate with what was published for accounts of its size, by the same definition only.

    A published mean or median is no distribution, so it cannot give a percentile, only a bound on it. A rate r at or
    above the median has at least half of the accounts below it. For a mean m, Markov's inequality gives
    :math:`P(X \ge r) \le m/r`, so at least 1 − m/r lie below. A percentile proper comes only from accounts whose
    rates are at hand: one's own, through `among`.

    Parameters
    ----------
    rate : Rates or float
        The account's rate (the mean is taken), or a fraction with its `definition`.
    followers : float
        Followers of the account.
    platform : str
        Platform, as published: "Instagram", "TikTok" …
    definition : str or RateDefinition, optional
        What a bare number is.
    among : Rates, optional
        Rates of one's own accounts, of the same definition, with followers as denominator.

    Returns
    -------
    TierPosition
        Ratios and bounds per source and year; the percentile among own accounts of the same tier.

    Raises
    ------
    GuardError
        If nothing was published by this definition for that platform and size, and no own accounts were given.
    DataError
        If rate or followers are not usable numbers.

    See Also
    --------
    engagement_rate : The rate itself.
    band : Which band of the sources a rate lies in.

    References
    ----------
    Markov's inequality: any text on probability. Every level names its own source.

    Examples
    --------
    >>> place = percentile_in_tier(0.09, 3_000, "Instagram", definition="M01")
    >>> place.comparisons[-1].source[:21], place.comparisons[-1].share_below[0] >= 0.5
    ('HypeAuditor benchmark', True)
    """
    value, given = _given(rate, definition)
    if not (math.isfinite(value) and value >= 0 and math.isfinite(followers) and followers > 0):
        raise DataError(
            "a rate of 0 or more and a positive number of followers are needed",
            got=f"rate {value!r}, followers {followers!r}",
        )
    levels = [one for one in _levels() if one.platform.casefold() == platform.strip().casefold()]
    alike = [
        one
        for one in levels
        if one.definition and given.matches(DEFINITIONS[one.definition]) and one.low <= followers < one.high
    ]
    comparisons = tuple(
        Comparison(
            source=one.source,
            year=one.year,
            tier=(one.low, one.high),
            level=one.level,
            statistic=one.statistic,
            ratio=value / one.level,
            share_below=_share_below(value, one, alike),
            status=one.status,
            note=one.note,
        )
        for one in sorted(alike, key=lambda one: (one.year, one.source, -one.level), reverse=True)
    )
    if not comparisons and among is None:
        there = sorted({one.definition for one in levels if one.definition})
        raise GuardError(
            f"nothing was published by this definition for {platform} at {followers:,.0f} followers",
            got=str(given),
            allowed=f"for {platform}: {', '.join(there) or 'no stated definition at all'}",
            fix="compute that rate, or compare with your own accounts through among=",
        )
    refused = sum(not (one.definition and given.matches(DEFINITIONS[one.definition])) for one in levels)
    place = TierPosition(
        rate=value,
        followers=float(followers),
        platform=platform,
        definition=given,
        comparisons=comparisons,
        refused=refused,
    )
    return place if among is None else _among(place, among)


def _given(rate: Rates | float, definition: str | RateDefinition | None) -> tuple[float, RateDefinition]:
    if isinstance(rate, Rates):
        return rate.mean, rate.definition
    if isinstance(definition, RateDefinition):
        return float(rate), definition
    if definition is None:
        raise GuardError(
            "a number without its definition cannot be compared",
            got=repr(rate),
            fix='say what it is, for example definition="M01"',
        )
    if definition not in DEFINITIONS:
        raise UnknownNameError.of("definition", definition, DEFINITIONS)
    return float(rate), DEFINITIONS[definition]


def _share_below(value: float, one: _Level, alike: list[_Level]) -> tuple[float, float]:
    """What a single published number says about the share of accounts below."""
    median, mean = math.nan, math.nan
    if one.statistic == "median":
        median = one.level
    elif one.statistic == "mean":
        mean = one.level
    elif one.statistic == "label doubtful":
        # one of the two is the median and the other the mean, so only what holds either way is said
        pair = [
            two.level
            for two in alike
            if (two.source, two.year, two.low, two.high) == (one.source, one.year, one.low, one.high)
            and two.statistic == one.statistic
        ]
        if len(pair) == 2:
            mean = max(pair)
            median = max(pair) if value >= max(pair) else min(pair) if value < min(pair) else math.nan
    low = 0.5 if value >= median else 0.0
    high = 0.5 if value < median else 1.0
    if value > mean:
        low = max(low, 1 - mean / value)
    return low, high


def _among(place: TierPosition, among: Rates) -> TierPosition:
    """Mid-rank among one's own accounts of the same size, each account counted once."""
    import numpy as np

    if not among.definition.matches(place.definition) or among.definition.denominator != "followers":
        raise GuardError(
            "own accounts can be ranked only by the same rate, and by followers",
            got=str(among.definition),
            allowed=str(place.definition),
        )
    frame = nw.from_native(among.values)
    if among.by is None or among.by not in frame.collect_schema().names():
        raise GuardError(
            "own accounts cannot be told apart", got="rates without an account column", fix="name it with by="
        )
    keys = [name for name in ("platform", among.by) if name in frame.collect_schema().names()]
    table = frame.lazy().group_by(*keys).agg(nw.col("rate").mean(), nw.col("followers").mean()).collect()
    rates, sizes = table["rate"].to_numpy(), table["followers"].to_numpy()
    low, high = next(pair for pair in pairwise(TIERS) if place.followers < pair[1])
    here = rates[(sizes >= low) & (sizes < high)]
    if not len(here):
        raise DataError(
            "none of the own accounts is in the tier",
            got=f"{len(rates):,} accounts, none with {_tier((low, high))}",
            fix="leave `among` out",
        )
    below = float(np.mean(here < place.rate) + np.mean(here == place.rate) / 2)
    return replace(place, own=below, own_accounts=len(here), own_tier=(low, high))
