"""Tables that hold reactions and sales side by side, one row per account and day, week or month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from erresearch.engine.expressions import Clock
from erresearch.errors import DataError, DesignError, in_mapping
from erresearch.exports.log import Export
from erresearch.io import pd
from erresearch.schema.vocabulary import EARLY, EXPOSURES, PERIODS, REACTIONS, WEEKDAYS, Freq

#: How many posts a day had, as the table says: its own rows are no posts.
COUNTED: Final = "posts_counted"
#: Outcomes that may stand beside the reactions, in the order in which the panel shows them.
_SOLD: Final = ("revenue", "revenue_net", "orders", "conversions", "sessions")
_SUMMED: Final = (
    *REACTIONS,
    *EARLY,
    "engagements_reported",
    COUNTED,
    "clicks",
    "link_clicks",
    "profile_visits",
    *EXPOSURES,
)
#: The most days between two rows that may be days; between most rows that may be weeks; what weeks and months have.
_DAYS_APART, _WEEKS_APART = 6, 20
_LENGTHS: Final[Mapping[Freq, tuple[int, int]]] = {"W": (7, 7), "M": (28, 31)}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DayTable:
    """A table of days, taken apart into what a panel is built from.

    Parameters
    ----------
    figures : pandas.DataFrame
        Account, platform, moment and the reactions and exposures; those of a period that lacks rows are missing.
    outcomes, spend, followers : pandas.DataFrame or None
        Sales by day, advertising by day, and followers, where the table has them.
    filled : int
        Rows without figures that were added for periods without any row.
    short : int
        Periods of an account that lack rows.
    week_start : str
        First day of the table's weeks; empty where its rows are no weeks.
    """

    figures: pd.DataFrame
    outcomes: pd.DataFrame | None
    spend: pd.DataFrame | None
    followers: pd.DataFrame | None
    filled: int
    short: int
    week_start: str

    def notes(self, freq: Freq) -> list[str]:
        """What is worth a word: periods that lack rows, and what the date of a week means."""
        one, many = PERIODS[freq].one, PERIODS[freq].many
        lacking = f"{self.short:,} {one if self.short == 1 else many} lack days: their reactions are missing"
        first = (
            f"each row is a week, and its date is taken for the first day of it, a {self.week_start.title()}"
        )
        return [lacking] * bool(self.short) + [first] * bool(self.week_start)


def holds_days(export: Export) -> bool:
    """Whether an export has reactions by account and day, and no posts."""
    names = export.rows.columns
    return (
        export.kind == "daily"
        and "post_id" not in names
        and bool({*REACTIONS, "engagements_reported"} & set(names))
    )


def sells(exports: Sequence[Export]) -> bool:
    """Whether one of the tables has sales beside the reactions."""
    return any(set(_SOLD) & set(one.rows.columns) for one in exports)


def days_of_sales(exports: Sequence[Export], tz: str) -> pd.DataFrame:
    """A row for each day between the first and the last sale, in the place of posts of which the files say nothing."""
    found = []
    for one in exports:
        rows = one.rows.assign(account=one.rows["entity"].fillna("") if "entity" in one.rows.columns else "")
        ends = rows["date_end"].fillna(rows["date"]) if "date_end" in rows.columns else rows["date"]
        found.append(rows.assign(last=ends)[["account", "date", "last"]])
    spans = pd.concat(found).groupby("account").agg({"date": "min", "last": "max"})
    days = [
        pd.DataFrame({"account": name, "published_at": pd.date_range(first, last) + pd.Timedelta(hours=12)})
        for name, first, last in spans.itertuples()
    ]
    made = pd.concat(days, ignore_index=True)
    return made.assign(published_at=made["published_at"].dt.tz_localize(tz))


def only_days(posts: Any) -> list[Export]:
    """The exports, where all of them hold days; otherwise none."""
    given = [posts] if isinstance(posts, Export) else posts
    fits = isinstance(given, (list, tuple)) and given and all(isinstance(one, Export) for one in given)
    return list(given) if fits and all(map(holds_days, given)) else []


def rows_by(exports: Sequence[Export]) -> Freq:
    """Length of what a row stands for, from the days between two rows of an account."""
    apart = _apart(exports)
    if not apart.min() > _DAYS_APART:
        return "D"
    return "W" if apart.median() <= _WEEKS_APART else "M"


def _apart(exports: Sequence[Export]) -> pd.Series:
    """Days from each row of an account to its next."""
    rows = pd.concat([one.rows[["platform", "account", "date"]] for one in exports])
    days: pd.Series = rows.sort_values("date").groupby(["platform", "account"])["date"].diff().dt.days
    return days[days > 0]


def day_table(exports: Sequence[Export], clock: Clock, *, entity: Mapping[str, str] | None) -> DayTable:
    """Take tables of days apart, and mark the periods that lack rows.

    Parameters
    ----------
    exports : sequence of Export
        Tables for which :func:`holds_days` is true.
    clock : Clock
        How time is cut.
    entity : mapping of str to str, optional
        Account to entity.

    Returns
    -------
    DayTable

    Raises
    ------
    DesignError
        If the rows are longer than the periods asked for, or are weeks that fill no month.
    DataError
        If two tables hold the same account and day.

    See Also
    --------
    erresearch.build_panel : Takes such tables in the place of posts.
    """
    by, apart = rows_by(exports), _apart(exports).median()
    if by in _LENGTHS and not _LENGTHS[by][0] <= apart <= _LENGTHS[by][1]:
        raise DesignError(
            f"the rows of {exports[0].name} are no days, weeks or months",
            got=f"{apart:g} days from one to the next",
            allowed="a row per day, per week or per calendar month",
            fix="make the table again by day, by week or by month",
        )
    if (by, clock.freq) not in {(by, by), ("D", "W"), ("D", "M")}:
        raise DesignError(
            f"each row of {exports[0].name} is a {PERIODS[by].one}",
            got=f"freq={clock.freq!r}",
            allowed=f"{by!r}" + (", 'W' or 'M'" if by == "D" else ""),
            fix=f"judge by {PERIODS[by].one}: --freq {by}, or freq={by!r}",
        )
    rows = pd.concat([one.rows for one in exports], ignore_index=True).rename(columns={"posts": COUNTED})
    keys = ["platform", "account"]
    if len(exports) > 1 and rows.duplicated([*keys, "date"]).any():
        raise DataError(
            "two tables hold figures of the same account and day",
            got=f"{int(rows.duplicated([*keys, 'date']).sum()):,} rows twice",
            fix=f'say whose each is with account = "…" {in_mapping()}, or leave one of them out',
        )
    if by == "M":
        # whatever day stands for a month, the last one of it too
        rows["date"] = rows["date"].dt.to_period("M").dt.to_timestamp()
    weekday = list(WEEKDAYS)[int(rows["date"].dt.day_of_week.mode()[0])] if by == "W" else ""
    clock = Clock(clock.freq, clock.tz, weekday or clock.week_start)
    names = [name for name in _SUMMED if name in rows.columns]
    sold = [name for name in _SOLD if name in rows.columns]
    unit = rows["account"].map(entity).fillna(rows["account"]) if entity else rows["account"]
    # one shop's sales in another file: a period is whole where it is whole for every account
    unit = unit if sold or entity else pd.Series("", index=rows.index)
    rows = rows.assign(unit=unit, number=[clock.number(day.date()) for day in rows["date"]])
    wanted = _expected(rows, clock, each=by != clock.freq)
    had = rows.groupby(["unit", "number"]).size().reindex(wanted.index, fill_value=0)
    short = wanted.index[had < wanted]
    figures = rows.rename(columns={"date": "published_at"})[[*keys, "published_at", "unit", "number", *names]]
    lacks = pd.MultiIndex.from_frame(figures[["unit", "number"]]).isin(short)
    figures.loc[lacks, names] = float("nan")
    # rows without figures: a period without any row is missing and not 0, and a row that is a week lasts to its end
    empty = had.index[had == 0]
    whose = rows.drop_duplicates("unit").set_index("unit")[keys]
    added = [whose.loc[[unit for unit, _ in empty]].reset_index(drop=True)]
    added[0]["published_at"] = pd.to_datetime([clock.start(int(number)) for _, number in empty])
    if by == clock.freq != "D":
        added.append(rows.groupby(keys)[["number"]].max().reset_index())
        last = [clock.start(int(number) + 1) for number in added[1].pop("number")]
        added[1]["published_at"] = pd.to_datetime(last) - pd.Timedelta(days=1)
    figures = pd.concat([figures, *(one for one in added if len(one))], ignore_index=True)
    # noon is there on every day, midnight is not where clocks change at it
    noon = figures["published_at"] + pd.Timedelta(hours=12)
    figures["published_at"] = noon.dt.tz_localize(clock.tz).dt.tz_convert("UTC")
    return DayTable(
        figures=figures.drop(columns=["unit", "number"]),
        # a day without a figure of spending is not known to have cost nothing: it is missing, like a day of sales
        outcomes=_long(rows, [*sold, *(["spend"] if "spend" in rows.columns else [])]) if sold else None,
        spend=None
        if sold or "spend" not in rows.columns
        else rows[["date", "spend", "account"]].rename(columns={"account": "entity"}).dropna(),
        followers=rows[[*keys, "date", "followers"]].dropna() if "followers" in rows.columns else None,
        filled=sum(map(len, added)),
        short=len(short),
        week_start=weekday,
    )


def _expected(rows: pd.DataFrame, clock: Clock, *, each: bool) -> pd.Series:
    """Rows that each period of a unit should have: one per account, or one per account and day within its span."""
    found = []
    for (unit, *_), part in rows.groupby(["unit", "platform", "account"])["date"]:
        first, last = part.min(), part.max()
        days = pd.date_range(first, last) if each else None
        numbers = (
            [clock.number(day.date()) for day in days]
            if days is not None
            else range(clock.number(first.date()), clock.number(last.date()) + 1)
        )
        found.append(pd.DataFrame({"unit": unit, "number": list(numbers)}))
    return pd.concat(found).groupby(["unit", "number"]).size()


def _long(rows: pd.DataFrame, sold: Sequence[str]) -> pd.DataFrame:
    """Sales as outcomes: one row per day, entity and figure."""
    money = [name for name in ("currency",) if name in rows.columns]
    long = rows.rename(columns={"account": "entity"}).melt(
        ["date", "entity", *money], list(sold), var_name="outcome", value_name="value"
    )
    return long.dropna(subset=["value"])
