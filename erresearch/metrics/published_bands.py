"""Benchmark bands: a label only from a source, with its date, and only for the source's own definition."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from erresearch.errors import DataError, GuardError, UnknownNameError
from erresearch.io import pd
from erresearch.io.files import registry
from erresearch.metrics.definitions import DEFINITIONS, RateDefinition
from erresearch.metrics.intervals import markdown, percent
from erresearch.metrics.rates import Rates
from erresearch.results import Estimate, Printed

NPS_UNIT = "NPS points"


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One printed band.

    Parameters
    ----------
    id, label : str
        Identifier and the source's word, translated.
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
    low: float
    high: float
    includes_low: bool
    includes_high: bool
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
class Banding(Printed):
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

    def _repr_markdown_(self) -> str:
        return markdown(str(self))


@cache
def _sources() -> Mapping[str, BandSource]:
    raw = registry("bands.toml")
    return MappingProxyType(
        {
            name: BandSource(
                name=name,
                bands=tuple(_band(entry) for entry in raw["bands"] if entry["source"] == name),
                **one,
            )
            for name, one in raw["sources"].items()
        }
    )


def _band(entry: Mapping[str, Any]) -> Band:
    strict = "above" in entry
    return Band(
        id=entry["id"],
        label=entry["label"],
        low=float(entry.get("above", entry.get("low", -math.inf))),
        high=float(entry.get("high", math.inf)),
        includes_low=not strict,
        includes_high=bool(entry.get("closed", False)),
        conflicts=tuple(entry.get("conflicts", ())),
        note=entry.get("note", ""),
    )


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
    return float(rate), definition


def _same(given: str | RateDefinition | None, wanted: str) -> bool:
    if isinstance(given, str):
        given = DEFINITIONS.get(given, given)
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
    rows = [
        {
            "id": one.id,
            "source": source.name,
            "label": one.label,
            "low": one.low,
            "high": one.high,
            "definition": source.definition,
            "platform": source.platform,
            "date": source.date,
            "overlaps": _overlaps(source, one),
            "note": one.note or source.note,
        }
        for source in _sources().values()
        for one in source.bands
    ]
    return pd.DataFrame(rows).set_index("id")


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
