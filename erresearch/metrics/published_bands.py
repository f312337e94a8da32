"""Published bands and levels: only for the source's own definition, with its date; and where a rate stands among them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.errors import Count, DataError, GuardError, UnknownNameError
from erresearch.io import pd
from erresearch.io.files import frozen, registry, resource
from erresearch.metrics.rates import DEFINITIONS, RateDefinition, Rates
from erresearch.results import Estimate, Printed
from erresearch.results.rounding import Lined, percent

NPS_UNIT = "NPS points"


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One printed band.

    Parameters
    ----------
    id, label, source : str
        Identifier, the source's word, translated, and the source's key.
    low, high : float
        Its ends: fractions for rates, points for NPS; infinite where open.
    includes_low, includes_high : bool
        Whether an end belongs to it.
    conflicts : tuple of str
        Bands of other sources that give the same number another word.
    note : str
        What to know about it.
    """

    id: str
    label: str
    source: str
    low: float = -math.inf
    high: float = math.inf
    includes_low: bool = True
    includes_high: bool = False
    conflicts: tuple[str, ...] = ()
    note: str = ""

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the band."""
        above = value >= self.low if self.includes_low else value > self.low
        below = value <= self.high if self.includes_high else value < self.high
        return above and below


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSource:
    """A set of bands from one source.

    Parameters
    ----------
    name, title, date : str
        Key, name for people, and when it was printed.
    definition : str
        The rate it is for: a name in ``DEFINITIONS``, "M12" for NPS, or a formula in words.
    platform : str
        The platform it was printed for.
    note : str
        What is known about where the cut-offs come from.
    bands : tuple of Band
        The bands.
    caution : str
        Identifier of the sources' objection to bands of such a figure; empty where they do not speak of it.
    """

    name: str
    title: str
    date: str
    definition: str
    platform: str
    note: str
    bands: tuple[Band, ...]
    caution: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Banding(Lined, Printed):
    """A number placed in one source's bands.

    Parameters
    ----------
    value : float
        The number: a fraction, or NPS points.
    bands : tuple of Band
        Every band it lies in; empty where the source says nothing.
    source : BandSource
        Whose bands.
    caution : str
        The sources' own objection to fixed bands of such a figure; empty where they do not speak of it.
    """

    value: float
    bands: tuple[Band, ...]
    source: BandSource
    caution: str

    @property
    def label(self) -> str:
        """The source's words, or that it has none for this number."""
        return " and ".join(one.label for one in self.bands) or "outside every band of this source"

    @property
    def date(self) -> str:
        """When the source was printed."""
        return self.source.date

    @property
    def definition(self) -> str:
        """The definition the bands are for."""
        return self.source.definition

    def __str__(self) -> str:
        """Label, source, date, definition, and the objection or else what is known of the cut-offs."""
        value = f"{self.value:.3g} points" if self.definition == "M12" else percent(self.value)
        ids = ", ".join(one.id for one in self.bands)
        named = f"{self.label} ({ids})" if ids else self.label
        lines = [
            f"{value}: {named}",
            f"says {self.source.title} ({self.date}), for {_title(self.definition)}",
            f"but {self.caution} ({self.source.caution})" if self.caution else f"note: {self.source.note}",
        ]
        clash = sorted({other for one in self.bands for other in one.conflicts})
        if clash:
            lines.append(f"other sources use other words for part of this range: {', '.join(clash)}")
        return "\n".join(lines)


@cache
def _sources() -> Mapping[str, BandSource]:
    raw = registry("bands.toml")
    bands = [Band(**frozen(entry)) for entry in raw["bands"]]
    printed = {
        name: BandSource(name=name, bands=tuple(each for each in bands if each.source == name), **one)
        for name, one in raw["sources"].items()
    }
    return MappingProxyType(printed)


def _title(definition: str) -> str:
    if definition == "M12":
        return "M12 Net Promoter Score"
    return str(DEFINITIONS[definition]) if definition in DEFINITIONS else definition


def cautions() -> Mapping[str, str]:
    """What the sources themselves hold against bands.

    Returns
    -------
    mapping of str to str
        B09 and B10.

    See Also
    --------
    band : The band of one figure.

    Examples
    --------
    >>> cautions()["B10"]
    'a visitor who comes back is not for that reason engaged'
    """
    return MappingProxyType({one["id"]: one["text"] for one in registry("bands.toml")["cautions"]})


def band(
    rate: Rates | Estimate | float,
    *,
    source: str | None = None,
    definition: str | RateDefinition | None = None,
) -> Banding:
    """Place a rate in one source's bands, if it is the rate that the bands are for.

    Parameters
    ----------
    rate : Rates, Estimate or float
        Engagement rates (their mean is placed), an NPS, or a fraction whose `definition` is given.
    source : str, optional
        "scrunch", "oberlo-da", "one4marketing" or "russian-compilation"; :func:`bands` lists them. By default, the
        source whose bands are for this rate.
    definition : str or RateDefinition, optional
        What a bare number is: "M01", "M12" …

    Returns
    -------
    Banding
        Label with source, date and definition.

    Raises
    ------
    GuardError
        If the number was computed by another definition than the bands', or by none that is known; the message
        names the rates that have bands.
    UnknownNameError
        For an unknown source or definition.
    DataError
        If the number is not finite.

    See Also
    --------
    engagement_rate : The rate itself.
    bands : Every band that is known.
    percentile_in_tier : Where a rate stands among published ones.

    Examples
    --------
    >>> print(band(0.0314, definition="M01"))
    3.14 %: average or good (B02)
    says Dutch collage of web answers on engagement; the cut-offs are Scrunch's (about 2017), for M01 HubSpot and
    Mention: (likes + comments) / followers, per post
    but the Russian compilation holds that no engagement rate is good or bad for everybody: compare with your own
    past (B09)
    other sources use other words for part of this range: B04
    """
    sources = _sources()
    if source is not None and source not in sources:
        raise UnknownNameError.of("band source", source, sources)
    value, given = _number(rate, definition)
    fitting = [one for one in sources.values() if _same(given, one.definition)]
    if source is None and not fitting:
        raise GuardError(
            "no source prints bands for this rate",
            got=str(given) if given else "a number without its definition",
            allowed="; ".join(_title(one.definition) for one in sources.values()),
            fix='say what the number is: er.band(0.03, definition="M01"), or compute one that has bands: '
            'er.engagement_rate(posts, definition="M01")',
        )
    chosen = fitting[0] if source is None else sources[source]
    if not math.isfinite(value):
        raise DataError("a band needs a finite number", got=repr(value), fix="see what the rate dropped")
    if not _same(given, chosen.definition):
        raise GuardError(
            f"the bands of {source!r} are for another rate",
            got=str(given) if given else "a number without its definition",
            allowed=_title(chosen.definition),
            fix="compute that rate, or say what the number is with definition=",
        )
    return Banding(
        value=value,
        bands=tuple(one for one in chosen.bands if one.holds(value)),
        source=chosen,
        caution=cautions().get(chosen.caution, ""),
    )


def _number(
    rate: Rates | Estimate | float, definition: str | RateDefinition | None
) -> tuple[float, str | RateDefinition | None]:
    if isinstance(rate, Rates):
        return rate.mean, rate.definition
    if isinstance(rate, Estimate):
        return rate.value, "M12" if rate.unit == NPS_UNIT else rate.name
    known = {one.definition for one in _sources().values()} | set(DEFINITIONS)
    if isinstance(definition, str) and definition not in known:
        raise UnknownNameError.of("definition", definition, known)
    if isinstance(rate, str):
        raise DataError(
            "a band needs a number",
            got="text",
            allowed="a share, such as 0.0314 for 3.14 %",
            fix="write it as a number",
        )
    return float(rate), DEFINITIONS.get(definition, definition) if isinstance(definition, str) else definition


def _same(given: str | RateDefinition | None, wanted: str) -> bool:
    if isinstance(given, RateDefinition):
        return wanted in DEFINITIONS and given.matches(DEFINITIONS[wanted])
    return given is not None and given == wanted


def bands() -> pd.DataFrame:
    """List every printed band with its source, date and definition, and show where sources contradict each other.

    Returns
    -------
    pandas.DataFrame
        One row per band; ``overlaps`` names the bands of other sources that share part of the range although they
        print another word, and whether they are for another definition.

    See Also
    --------
    band : The band of one figure.

    Examples
    --------
    >>> bands().loc["B02", ["label", "definition", "overlaps"]].tolist()
    ['average or good', 'M01', "B04 'strong' (M02) from 3.00 % to 3.50 %"]
    """
    of_band, of_source = ("id", "source", "label", "low", "high"), ("definition", "platform", "date")
    rows = [
        [getattr(one, name) for name in of_band]
        + [getattr(source, name) for name in of_source]
        + [_overlaps(source, one), one.note or source.note]
        for source in _sources().values()
        for one in source.bands
    ]
    return pd.DataFrame(rows, columns=[*of_band, *of_source, "overlaps", "note"]).set_index("id")


def _overlaps(source: BandSource, one: Band) -> str:
    """Bands of other sources of engagement rates that cover part of this one."""
    found = []
    for other in _sources().values():
        rates = other.definition in DEFINITIONS and source.definition in DEFINITIONS
        for two in other.bands if rates and other is not source else ():
            low, high = max(one.low, two.low), min(one.high, two.high)
            if low < high:
                found.append(
                    f"{two.id} {two.label!r} ({other.definition}) from {percent(low)} to {percent(high)}"
                )
    return "; ".join(found)


TIERS = (0.0, 1e3, 1e4, 1e5, 1e6, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TierPosition(Lined, Printed):
    """A rate among its likes: published levels of the same definition, and one's own accounts of the same size.

    Parameters
    ----------
    rate, followers : float
        The rate (a fraction) and the account's followers.
    platform : str
        Platform.
    definition : RateDefinition
        What the rate is.
    comparisons : pandas.DataFrame
        One row per published level, newest first: source, year, tier, level (a fraction), statistic ("mean", "median",
        "not stated" or "label doubtful"), ratio of the rate to it, share_below_at_least and share_below_at_most (of that
        source's accounts, as far as the level allows), status ("verified" on the source's own page, or "secondary") and
        note (what is known to be odd about it).
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
    comparisons: pd.DataFrame
    refused: int
    own: float = math.nan
    own_accounts: int = 0
    own_tier: tuple[float, float] = (0.0, math.inf)

    def __str__(self) -> str:
        """One line per source."""
        lines = [
            f"{percent(self.rate)} with {self.followers:,.0f} followers on {self.platform}; {self.definition}"
        ]
        for one in self.comparisons.to_dict("records"):
            what = f"{one['statistic']}, {one['tier']}"
            line = f"{one['ratio']:.2g} × {percent(one['level'])} ({what}), {one['source']}, {one['year']}"
            low, high = one["share_below_at_least"], one["share_below_at_most"]
            if (low, high) != (0.0, 1.0):
                line += f": above {'at least' if low else 'at most'} {percent(low or high)} of its accounts"
            lines.append(line)
        lines.append(f"not compared: {self.refused} published levels of another or of no stated definition")
        if self.own_accounts:
            tier = _tier(*self.own_tier)
            lines.append(f"above {percent(self.own)} of {Count(self.own_accounts):own account} ({tier})")
        return "\n".join(lines)


def _tier(low: float, high: float) -> str:
    if low == 0 and math.isinf(high):
        return "all sizes"
    return f"{low:,.0f} followers or more" if math.isinf(high) else f"{low:,.0f} to {high:,.0f} followers"


@cache
def _levels() -> pd.DataFrame:
    """Every published level of a tier or of all sizes, with the definition that it is for, "" where none is known."""
    table = pd.read_csv(resource("data") / "er_benchmarks.csv", dtype=str, keep_default_na=False)
    table = table[(table["er_percent"] != "") & table["scope"].isin(["tier", "overall"])]
    return table.rename(columns={"notes": "note"}).assign(
        definition=table["er_definition"].map(registry("bands.toml")["benchmarks"]).fillna(""),
        low=table["tier_low"].replace("", "0").astype(float),
        high=table["tier_high"].replace("", "inf").astype(float),
        level=table["er_percent"].astype(float) / 100,
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
    >>> place.comparisons["source"].iloc[-1][:21], bool(place.comparisons["share_below_at_least"].iloc[-1] >= 0.5)
    ('HypeAuditor benchmark', True)
    """
    value, given = _number(rate, definition)
    if not isinstance(given, RateDefinition):
        raise GuardError(
            "a number without its definition cannot be compared",
            got=repr(rate),
            fix='say what it is, for example definition="M01"',
        )
    if not (math.isfinite(value) and value >= 0 and math.isfinite(followers) and followers > 0):
        raise DataError(
            "a rate of 0 or more and a positive number of followers are needed",
            got=f"rate {value!r}, followers {followers!r}",
        )
    levels = _levels()
    levels = levels[levels["platform"].str.casefold() == platform.strip().casefold()]
    same = np.array([_same(given, name) for name in levels["definition"]], dtype=bool)
    alike = levels[same & (levels["low"] <= followers) & (followers < levels["high"])]
    if not len(alike) and among is None:
        there = sorted({name for name in levels["definition"] if name})
        raise GuardError(
            f"nothing was published by this definition for {platform} at {followers:,.0f} followers",
            got=str(given),
            allowed=f"for {platform}: {', '.join(there) or 'no stated definition at all'}",
            fix="compute that rate, or compare with your own accounts through among=",
        )
    alike = alike.sort_values(["year", "source", "level"], ascending=[False, False, True], kind="stable")
    bounds = [_share_below(value, one, alike) for one in alike.itertuples()]
    shown = alike.assign(
        tier=[_tier(*ends) for ends in zip(alike["low"], alike["high"], strict=True)],
        ratio=value / alike["level"],
        share_below_at_least=[low for low, _ in bounds],
        share_below_at_most=[high for _, high in bounds],
    )
    place = TierPosition(
        rate=value,
        followers=float(followers),
        platform=platform,
        definition=given,
        comparisons=shown[list(_SHOWN)].reset_index(drop=True),
        refused=int((~same).sum()),
    )
    return place if among is None else _among(place, among)


_SHOWN = (
    "source", "year", "tier", "level", "statistic", "ratio", "share_below_at_least", "share_below_at_most",
    "status", "note",
)  # fmt: skip


def _share_below(value: float, one: Any, alike: pd.DataFrame) -> tuple[float, float]:
    """What a single published number says about the share of accounts below."""
    median = one.level if one.statistic == "median" else math.nan
    mean = one.level if one.statistic == "mean" else math.nan
    if one.statistic == "label doubtful":
        # one of the two is the median and the other the mean, so only what holds either way is said
        keys = ["source", "year", "low", "high", "statistic"]
        pair = alike.loc[(alike[keys] == [getattr(one, key) for key in keys]).all(axis=1), "level"].tolist()
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
    if not among.definition.matches(place.definition) or among.definition.denominator != "followers":
        raise GuardError(
            "own accounts can be ranked only by the same rate, and by followers",
            got=str(among.definition),
            allowed=str(place.definition),
        )
    frame = nw.from_native(among.values)
    keys = [name for name in ("platform", among.by) if name in frame.collect_schema().names()]
    if among.by not in keys:
        raise GuardError(
            "own accounts cannot be told apart", got="rates without an account column", fix="name it with by="
        )
    table = frame.lazy().group_by(*keys).agg(nw.col("rate").mean(), nw.col("followers").mean()).collect()
    rates, sizes = table["rate"].to_numpy(), table["followers"].to_numpy()
    low, high = next(pair for pair in pairwise(TIERS) if place.followers < pair[1])
    here = rates[(sizes >= low) & (sizes < high)]
    if not len(here):
        raise DataError(
            "none of the own accounts is in the tier",
            got=f"{Count(len(rates)):account}, none with {_tier(low, high)}",
            fix="leave `among` out",
        )
    below = float(np.mean(here < place.rate) + np.mean(here == place.rate) / 2)
    return replace(place, own=below, own_accounts=len(here), own_tier=(low, high))
