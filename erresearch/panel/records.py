"""What a panel is, what its building may decide, and which account belongs to which entity."""

from __future__ import annotations

import datetime as dt
import difflib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import narwhals.stable.v2 as nw

from erresearch.engine.expressions import Clock
from erresearch.engine.lazy_rows import gather
from erresearch.errors import Count, DataError, DesignError, GuardError, UnknownNameError, is_number
from erresearch.exports.combine import plain_name
from erresearch.io import pl
from erresearch.panel.events import known_country
from erresearch.results import Printed, escape
from erresearch.schema.vocabulary import PERIODS, Freq

#: The column that holds the sum of the posts' ages.
AGES = "sum of ages"
#: The column that holds the status of what was summed (:class:`erresearch.schema.vocabulary.RowStatus`).
STATUS = "__status__"


@dataclass(frozen=True, slots=True)
class RowAccounting:
    """What became of the rows of one table; the parts always add up.

    Parameters
    ----------
    rows_in, used : int
        Rows that arrived, and rows that the panel rests on.
    reasons : mapping of str to int
        Why the others were left out.

    Raises
    ------
    DataError
        If the parts do not add up.

    Examples
    --------
    >>> print(RowAccounting(10, 8, {"younger than 7 days": 2}))
    10 in = 8 used + 2 younger than 7 days
    """

    rows_in: int
    used: int
    reasons: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an account that does not add up."""
        left = {reason: count for reason, count in self.reasons.items() if count}
        object.__setattr__(self, "reasons", MappingProxyType(left))
        if self.used + sum(left.values()) != self.rows_in:
            raise DataError(
                "the account of the rows does not add up",
                got=f"{self.rows_in:,} in, {self.used + sum(left.values()):,} accounted for",
                fix="this is a fault of the package, please report it",
            )

    def __str__(self) -> str:
        """One line."""
        parts = [f"{self.used:,} used", *(f"{count:,} {reason}" for reason, count in self.reasons.items())]
        return f"{self.rows_in:,} in = {' + '.join(parts)}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Panel(Printed):
    """Posts and outcomes on one calendar: one row per entity and period.

    Parameters
    ----------
    rows : frame
        Columns entity, period (first day), posts, reactions, engagement, exposures, followers, rates, spend and
        outcomes, as far as the data have them. A table of the kind that was given; lazy where it was lazy.
    accounting : mapping of str to RowAccounting
        For posts, outcomes, followers, spend and periods: rows in, used, and why others were not.
    notes : tuple of str
        What was decided, counted or looks odd.
    freq : {"D", "W", "M"}
        Length of a period.
    currency : str
        Currency of the money columns; empty where unknown.
    tz : str
        Time zone of the days.
    definitions : mapping of str to str
        What each computed column is.
    simulated : bool
        Whether the posts or the outcomes say of themselves that they were simulated.

    See Also
    --------
    erresearch.build_panel : Builds one.
    """

    rows: Any
    accounting: Mapping[str, RowAccounting]
    notes: tuple[str, ...]
    freq: Freq
    _: KW_ONLY
    currency: str = ""
    tz: str = "UTC"
    definitions: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(nw.from_native(self.rows).collect_schema().names())

    def _shape(self) -> tuple[str, list[str]]:
        frame = nw.from_native(self.rows)
        word = PERIODS[self.freq].one
        if isinstance(frame, nw.LazyFrame):
            head = f"panel by {word}, lazy ({frame.implementation})"
        else:
            head = f"panel of {Count(len(frame)):row}: {frame['entity'].n_unique():,} × {word}"
            if len(frame):
                head += f", {frame['period'].min():%Y-%m-%d} to {frame['period'].max():%Y-%m-%d}"
        money = f", money in {self.currency}" if self.currency else ""
        return head + f"; days of {self.tz}{money}", [name for name in self.columns if name != "entity"]

    def __str__(self) -> str:
        """What it holds, the account of every row, and the notes."""
        head, columns = self._shape()
        lines = [head, f"columns: {', '.join(columns)}"]
        lines += [f"{name}: {account}" for name, account in self.accounting.items()]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _repr_markdown_(self) -> str:
        head, columns = self._shape()
        lines = [f"**{escape(head)}**", "", f"Columns: {escape(', '.join(columns))}", ""]
        lines += [f"* {escape(name)}: {escape(str(account))}" for name, account in self.accounting.items()]
        return "\n".join([*lines, *(f"* note: {escape(note)}" for note in self.notes)])

    def collect(self) -> Panel:
        """Return the same panel with its rows in pandas, wherever they lay.

        Examples
        --------
        >>> import polars as pl
        >>> from erresearch import build_panel
        >>> posts = {"account": ["a"] * 3, "published_at": ["2026-01-01", "2026-01-02", "2026-01-12"], "likes": [1, 2, 3]}
        >>> lazy = pl.LazyFrame(posts).with_columns(pl.col("published_at").str.to_datetime(time_zone="UTC"))
        >>> panel = build_panel(lazy, freq="D", tz="UTC", min_age_days=0)
        >>> len(panel.collect().rows)
        12
        """
        frame = nw.from_native(self.rows)
        if frame.implementation.is_pandas():
            return self
        table = gather(frame.lazy()) if isinstance(frame, nw.LazyFrame) else frame.to_polars()
        rows = table.sort("entity", "period").to_pandas()
        rows.attrs = {"simulated": True} if self.simulated else {}
        return replace(self, rows=rows)


Apart = Literal["", "platform", "account", "post_type"]
Revenue = Literal["as-reported", "net-by-order-date"]
Paid = Literal["kept", "left out"]
Crossposts = Literal["kept", "merged"]
Choice = Literal["", "all", "followers", "reactions", "mixed"]
_LONGEST_LAG = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Choices that :func:`erresearch.build_panel` leaves to the caller.

    Parameters
    ----------
    currency : str
        The one currency to keep, where there are several.
    apart : {"", "platform", "account", "post_type"}
        Whether each platform, account or kind of post gets columns of its own beside the sums of an entity, such as
        ``engagement (instagram)``. Outcomes are never repeated.
    lags : int
        How many earlier periods of posts, engagement, spend and outcomes stand beside each period, as ``lag1 revenue``.
        A lag is the same entity's value so many periods earlier; after a gap it is missing.
    revenue : {"as-reported", "net-by-order-date"}
        Whether a refund counts on the day that its file gives, or on the day of the order that it gives back.
    paid : {"kept", "left out"}
        What happens to boosted (advertised) posts. If kept, they are counted as ``paid_posts``, and no claim is judged
        unless the spending is known and can be held fixed. If left out, they are counted among the rows left out.
    crossposts : {"kept", "merged"}
        Whether a post that stands on Facebook and on Instagram counts as two or as one.
    allow_break : bool
        Whether a figure whose definition changes midway may be one column; it then gets a column that marks the change.
    nothing_spent : bool
        Say that nothing was spent on advertising in these days (beside boosted posts that are left out); ``spend`` is
        then 0. Without this, nothing is assumed about spending.
    events : str
        File of declared events (:func:`erresearch.panel.events.read_events`); "none" says that there were none.
    holidays : str
        Country whose public holidays are events beside those of `events`, such as "NL" or "DE-BY".
    choice : {"", "all", "followers", "reactions", "mixed"}
        How the accounts of a list were chosen; where it is not said, claims about lists get no decisive word.

    Raises
    ------
    UnknownNameError
        Naming what is allowed.
    DesignError
        If `lags` is no whole number from 0 to 60, or holidays are given and no other events.

    See Also
    --------
    erresearch.build_panel : What they are for.

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
    events: str = ""
    holidays: str = ""
    choice: Choice = ""

    def __post_init__(self) -> None:
        """Refuse a choice that is none."""
        for name, kind in get_type_hints(Rules).items():
            if get_origin(kind) is Literal and getattr(self, name) not in get_args(kind):
                raise UnknownNameError.of(name, getattr(self, name), filter(None, get_args(kind)))
        if not (isinstance(self.lags, int) and is_number(self.lags, 0, _LONGEST_LAG)):
            raise DesignError(
                "`lags` must be a number of periods", got=repr(self.lags), allowed=f"0 to {_LONGEST_LAG}"
            )
        if self.holidays:
            known_country(self.holidays)
        if self.holidays and not self.events:
            raise DesignError(
                "public holidays alone do not say whether there were promotions",
                got=f"holidays of {self.holidays} and no other events",
                fix="add --events FILE (events=FILE), or --events none where nothing else happened",
            )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Request:
    """What is asked of a panel, and what it tells of itself."""

    clock: Clock
    rules: Rules
    entity: Mapping[str, str] | str | None  # account → entity, or a column of the posts
    min_age_days: float  # age from which a post's counts no longer grow
    notes: list[str] = field(default_factory=list)  # what was decided on the way

    @property
    def mapping(self) -> Mapping[str, str] | None:
        """Account → entity, where that is how entities are named."""
        return None if isinstance(self.entity, str) else self.entity


_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Belonging:
    """The entity of each account and of each name that outcomes use, and how it was decided."""

    accounts: Mapping[str, str]
    outcomes: Mapping[str, str]
    notes: tuple[str, ...] = ()


def shown(names: Sequence[str], most: int = _SHOWN) -> str:
    """The first of some names, with a mark where there are more."""
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")


def look_up(names: Iterable[str], mapping: Mapping[str, str], *, what: str) -> dict[str, str]:
    """Find every name in a mapping, whatever its spelling; one that is not there is refused with the nearest."""
    spelt = {plain_name(name): entity for name, entity in mapping.items()}
    spelt |= {plain_name(entity): entity for entity in mapping.values() if plain_name(entity) not in spelt}
    found = {name: spelt[plain_name(name)] for name in names if plain_name(name) in spelt}
    absent = sorted(set(names) - set(found))
    if absent:
        near = difflib.get_close_matches(plain_name(absent[0]), list(spelt), n=1)
        original = [name for name in (*mapping, *mapping.values()) if near and plain_name(name) == near[0]]
        hint = f"; perhaps {original[0]!r} means {absent[0]!r}" if original else ""
        raise DataError(
            f"`entity` does not name the entity of {what} {', '.join(map(repr, absent[:_SHOWN]))}",
            got=f"names {', '.join(map(repr, list(mapping)[:_SHOWN]))}{hint}",
            fix=f"add a line for each, such as {{{absent[0]!r}: 'my shop'}}",
        )
    return found


def belong(
    accounts: Sequence[str],
    outcomes: Mapping[str, Sequence[str]],
    mapping: Mapping[str, str] | None,
) -> Belonging:
    """Decide which accounts and which names of outcomes (each with the sources that use it) belong to one entity.

    The caller's `mapping`, of accounts or names to entities, goes before everything else. Several entities with
    outcomes are refused where nothing says which account belongs to which.
    """
    if mapping is not None:
        entities = sorted(set(mapping.values()))
        mine = look_up(accounts, mapping, what="account")
        if len(entities) == 1:
            return Belonging(mine, dict.fromkeys(outcomes, entities[0]))
        return Belonging(mine, look_up(outcomes, mapping, what="outcome of"))
    notes = []
    if len(accounts) > 1:
        named = shown(list(map(str, accounts)))
        notes.append(f"{Count(len(accounts)):account is} summed to one entity: {named}")
    sources = [source for each in outcomes.values() for source in each]
    # different names may only come from different programs
    if len(outcomes) < 2 or (len(sources) == len(set(sources)) and all(sources)):
        name = accounts[0] if len(accounts) == 1 else "all accounts"
        if outcomes:
            sold = {of: any("order" in s or "pay" in s for s in each) for of, each in outcomes.items()}
            name = min(outcomes, key=lambda each: (not sold[each], each))
        if len(outcomes) > 1:
            every = ", ".join(sorted(outcomes))
            notes.append(f"outcomes of {every} are taken as those of one business, {name}")
        return Belonging(dict.fromkeys(accounts, name), dict.fromkeys(outcomes, name), tuple(notes))
    spelt = {plain_name(name): name for name in outcomes}
    unknown = sorted(account for account in accounts if plain_name(account) not in spelt)
    if unknown:
        raise GuardError(
            "several entities have outcomes, and it is not said which account belongs to which",
            got=f"accounts {shown([*map(repr, unknown)])}; entities {shown([*map(repr, sorted(outcomes))])}",
            allowed="one outcome series per entity, never repeated over several accounts",
            fix=f"pass entity={{{unknown[0]!r}: {sorted(outcomes)[0]!r}, …}}"
            if len(accounts) > 1
            else f"--entity {shlex.quote(f'{unknown[0]}=all')} adds them up",
        )
    return Belonging(
        {account: spelt[plain_name(account)] for account in accounts},
        {name: name for name in outcomes},
        ("each account has outcomes of its own name",),
    )


def count_of(name: str) -> str:
    """The column that counts the posts whose figure is known."""
    return f"n {name}"


def numerator(name: str) -> str:
    """The column of engagement summed over the posts whose exposure is known, for a rate by that exposure."""
    return f"above {name}"


def denominator(name: str) -> str:
    """The column of that exposure, summed over the same posts."""
    return f"below {name}"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Activity:
    """Posts summed by account and period."""

    #: Keys (platform, account or entity), ``number`` of the period, first and last local moment, sums.
    frame: nw.LazyFrame[Any]
    summed: tuple[str, ...]  # figures; count_of names how many posts have each
    parts: tuple[str, ...]  # sums that are parts of rates and means, and no figures of their own
    engagement: str  # what it is, in words; empty where the posts have no reactions
    newest: dt.datetime  # the last moment seen, in UTC without a zone
    cutoff: dt.datetime | None  # that after which posts are too young


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Books:
    """Outcomes by entity and period."""

    table: pl.DataFrame  # entity, number, outcome, value; missing where a period is not whole or has a gap
    spans: Mapping[tuple[str, str], tuple[dt.date, dt.date]]  # first and last day of each entity's outcome
    zero: frozenset[str]  # outcomes of which a period without rows is 0
    currency: str
    left: Mapping[str, int]  # rows left out, by reason
    rows: int  # rows in


def kept_currency(what: str, counts: Mapping[str, int], wanted: str, notes: list[str]) -> str:
    """The one currency that is kept: the caller's, or that of most rows, which is said; amounts are never added up.

    Raises
    ------
    DataError
        If no row is in the caller's.
    """
    wanted = wanted.upper()
    known = ", ".join(f"{Count(n):row} in {c}" for c, n in counts.items())
    if wanted and counts and wanted not in counts:
        other = next(iter(counts))
        raise DataError(
            f"no {what} is in {wanted}",
            got=known,
            fix=f'choose one of these: --currency {other} (Rules(currency="{other}"))',
        )
    if wanted or len(counts) < 2:
        return wanted or next(iter(counts), "")
    chosen, other, *_ = counts
    notes.append(
        f"the {what} is in several currencies, which are never added up ({known}): {chosen} was kept, the rest was left "
        f'out; --currency {other} (Rules(currency="{other}")) keeps another'
    )
    return chosen


def counts_by_currency(table: pl.DataFrame, rows: str = "") -> dict[str, int]:
    """Rows by the code of their currency, most first; those without a code are of any."""
    if "currency" not in table.columns:
        return {}
    codes = pl.col("currency").fill_null("").str.to_uppercase().alias("currency")
    counted = table.group_by(codes).agg((pl.col(rows).sum() if rows else pl.len()).alias("n"))
    ordered = counted.sort("n", "currency", descending=[True, False])
    return {code: count for code, count in ordered.iter_rows() if code}


def refuse_coarse(table: pl.DataFrame, clock: Clock) -> None:
    """Refuse rows (outcome, day, end) that reach over more than one period.

    Raises
    ------
    GuardError
        Naming the frequency that is possible.
    DataError
        If weeks begin on another day.
    """
    begins, ends = (clock.with_numbers(table.select(name), name)["number"] for name in ("day", "end"))
    over = table.select("outcome", "day", "end").filter(begins != ends)
    if not over.height:
        return
    lengths = (over["end"] - over["day"]).dt.total_days() + 1
    # the grain is that of most rows: the first may be a month that has only begun
    length = int(lengths.sort()[len(lengths) // 2])
    first = over.filter(lengths == length).row(0, named=True)
    step: Freq = "M" if length >= PERIODS["M"].days else "W"
    if length <= PERIODS[clock.freq].days and clock.freq == "W":
        raise DataError(
            f"the weeks of {first['outcome']!r} do not begin on a {clock.week_start}",
            got=f"{Count(over.height):row}, first {first['day']:%A %Y-%m-%d}",
            fix=f"pass week_start={format(first['day'], '%A').lower()!r}, for posts and outcomes alike",
        )
    shorter = "days" if clock.freq == "D" else "other periods"
    possible = length <= 31 and step != clock.freq
    raise GuardError(
        f"{first['outcome']!r} has one value per {PERIODS[step].one}, which cannot be spread over {shorter}",
        got=f"a row of {first['day']:%Y-%m-%d} to {first['end']:%Y-%m-%d}, freq={clock.freq!r}",
        allowed=f'freq="{step}"' if possible else "a report by calendar month, week or day",
        fix="choose that frequency, or export the outcome by day"
        if possible
        else "export the outcome by day",
    )
