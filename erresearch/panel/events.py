"""What else happened: promotions, launches, closures and holidays, declared and laid on the calendar of a panel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np

from erresearch.engine.sources import as_narwhals
from erresearch.errors import (
    ColumnError,
    Count,
    DataError,
    EngineError,
    UnknownNameError,
    missing_columns,
    said_by,
    type_name,
    warn,
)
from erresearch.io import pd
from erresearch.schema.vocabulary import EVENT

Kind = Literal["pulse", "step"]
_COUNTRIES: Final = "take a code of ISO 3166-1, such as NL; `holidays.list_supported_countries()` lists them"
_KINDS: Final = ("pulse", "step")
_COLUMNS: Final = ("start", "end", "name", "kind", "entity")
#: A pulse in fewer rows than this shares a column with the other rare ones.
_RARE: Final = 3
_OTHERS: Final = f"{EVENT}others"
#: Robust z beyond which a period stands out, and periods below which nothing can.
_STANDS_OUT, _FEWEST = 3.5, 12
#: What candidates may be read from: what a shop decides itself. Never what it earns.
_CHOSEN: Final[Mapping[str, str]] = MappingProxyType(
    {"posts": "many posts", "discount": "discount", "discount_share": "discount", "price": "price"}
)


@dataclass(frozen=True, slots=True, eq=False)
class EventColumns:
    """A panel with one column per kind of event.

    Parameters
    ----------
    rows : pandas.DataFrame
        The panel's rows in their order, with further columns: the share of a period's days that a pulse covers, or
        that have passed since a step.
    kinds : mapping of str to {"pulse", "step"}
        The further columns.
    cautions : tuple of str
        What was warned of.
    """

    rows: pd.DataFrame
    kinds: Mapping[str, Kind]
    cautions: tuple[str, ...] = ()


def read_events(events: Any) -> pd.DataFrame:
    """Read declared events and check them.

    Parameters
    ----------
    events : path or frame
        Columns ``date`` (or ``start`` and, where it lasts, ``end``, the last day), ``name``, and where wanted ``kind``
        ("pulse", a promotion that passes, or "step", a new site that stays; "pulse" where it is not said) and ``entity``
        (empty: all of them). A path names a .csv file.

    Returns
    -------
    pandas.DataFrame
        Columns start, end, name, kind, entity, one row per event, sorted by start.

    Raises
    ------
    EngineError
        If the file cannot be read.
    ColumnError
        If a column is missing or unknown.
    DataError
        If there is no event, a day cannot be read, or an event ends before it starts; for another kind, or what is no
        table.

    See Also
    --------
    public_holidays : Holidays of a country as events.
    event_columns : Lays them on a panel.

    Examples
    --------
    >>> import pandas as pd
    >>> sale = pd.DataFrame({"date": ["2024-11-29"], "name": ["Black Friday"]})
    >>> read_events(sale)["kind"].item()
    'pulse'
    """
    table, where = _declared(events)
    start = _days(table["start"], where)
    end = _days(table["end"], where, empty=True).fillna(start)
    found = pd.DataFrame({"start": start, "end": end})
    found["name"] = [" ".join(str(name).split()) for name in table["name"]]
    found["kind"] = [str(kind).strip().lower() or "pulse" for kind in table["kind"].fillna("")]
    for what, wrong, allowed, way in (
        ("ends before it starts", end < start, "", "write the first day as `start` and the last as `end`"),
        ("has no name", found["name"].isin(["", "nan", "None"]), "", "name what happened, such as sale"),
        (
            "has an unknown kind", ~found["kind"].isin(_KINDS), ", ".join(_KINDS),
            "write pulse for what passes, step for what stays",
        ),
    ):  # fmt: skip
        if wrong.any():
            raise DataError(f"an event {what}", got=_first_row(wrong, where), allowed=allowed, fix=way)
    both = found.groupby("name")["kind"].nunique()
    if bool((both > 1).any()):
        raise DataError(
            "one name stands for a pulse and for a step",
            got=f"{Count(int((both > 1).sum()), of=len(both)):name}",
            fix="give them two names",
        )
    found["entity"] = ["" if pd.isna(each) else _key(each) for each in table["entity"]]
    return found.sort_values(["start", "end", "name"], kind="stable", ignore_index=True)


def _first_row(wrong: pd.Series[Any], where: str) -> str:
    return f"row {wrong.idxmax()} of {where}"


def _as_pandas(events: Any) -> pd.DataFrame:
    """A table of any engine, as a table of its own."""
    try:
        frame = as_narwhals(events)
    except TypeError:
        raise DataError(
            "events come as a table or a file",
            got=f"a value of type {type(events).__name__}",
            allowed="a table or a .csv file with the columns date and name",
            fix="write pd.DataFrame({'date': ['2024-11-29'], 'name': ['sale']})",
        ) from None
    table: pd.DataFrame = frame.lazy().collect("pandas").to_native()
    return table.copy()


def _key(entity: Any) -> str:
    """An entity as text: 1.0, which is how pandas reads 1 beside an empty cell, is 1."""
    whole = isinstance(entity, float) and entity.is_integer()
    return str(int(entity) if whole else entity).strip()


def _declared(events: Any) -> tuple[pd.DataFrame, str]:
    """The rows as they came, under names in small letters, and what to call their place."""
    if not isinstance(events, (str, Path)):
        table, where = _as_pandas(events), "the events"
    else:
        where = Path(events).name
        try:
            with Path(events).open(encoding="utf-8-sig") as file:
                separator = max(",;\t", key=file.readline().count)
            table = pd.read_csv(events, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise EngineError(
                f"cannot read the events in {where}",
                got=said_by(error) if isinstance(error, OSError) else type(error).__name__,
                fix="write a .csv file in UTF-8 with the columns date and name",
            ) from None
    # of a file rows are numbered as a spreadsheet does, its head among them
    first = 2 if isinstance(events, (str, Path)) else 1
    table.index = pd.RangeIndex(first, first + len(table))
    table.columns = pd.Index([str(name).strip().lower() for name in table.columns])
    known = ("date", *_COLUMNS)
    extra = [name for name in table.columns if name not in known]
    if extra:
        raise UnknownNameError.of("column of events", extra[0], known)
    if not {"date", "start"} & set(table.columns) or "name" not in table.columns:
        raise missing_columns(["date", "name"], list(table.columns), where=where)
    if {"date", "start"} <= set(table.columns):
        raise ColumnError(
            "an event has a `date` or a `start`, not both", got="both columns", fix="leave `date` out"
        )
    if not len(table):
        raise DataError(f"there is no event in {where}", fix="write one row per event, or leave `events` out")
    absent = {name: table["date"] if name == "start" else "" for name in _COLUMNS if name not in table}
    return table.assign(**absent), where


def public_holidays(country: str, years: Iterable[int]) -> pd.DataFrame:
    """Public holidays of a country, as events of one name.

    Parameters
    ----------
    country : str
        Code by ISO 3166-1, such as "NL", or with its part after a dash, such as "DE-BY".
    years : iterable of int
        Years wanted.

    Returns
    -------
    pandas.DataFrame
        As :func:`read_events` gives it.

    Raises
    ------
    UnknownNameError
        If the country, or its part, is not known.

    Notes
    -----
    From the package ``holidays`` (MIT), which knows some 250 countries. School holidays and paydays are not among them.

    Examples
    --------
    >>> found = public_holidays("NL", [2024])
    >>> str(found["start"].iloc[0].date()), found["name"].unique().tolist()
    ('2024-01-01', ['public holiday'])
    """
    import holidays

    whole, part = known_country(country)
    found = holidays.country_holidays(whole, subdiv=part or None, years=sorted(set(years)))
    days = pd.to_datetime(sorted(date.fromisoformat(str(day)) for day in found))
    return read_events(pd.DataFrame({"date": days, "name": "public holiday"}))


def known_country(country: str) -> tuple[str, str]:
    """Split a country from its part, and refuse what is none.

    Examples
    --------
    >>> known_country("de-by")
    ('DE', 'BY')
    """
    import holidays

    whole, _, part = country.upper().partition("-")
    known = holidays.list_supported_countries(include_aliases=False)
    if whole not in known:
        raise UnknownNameError.of("country", country, known, listed=_COUNTRIES)
    if part and part not in known[whole]:
        raise UnknownNameError.of(f"part of {whole}", part, known[whole])
    return whole, part


def declared_events(events: str, holidays: str, periods: pd.Series[Any]) -> Any:
    """Events of a file, with the public holidays of a country among them.

    Parameters
    ----------
    events : str
        A file, "none" (nothing else happened), or empty: nothing was said.
    holidays : str
        Country, or empty.
    periods : pandas.Series
        First days of the table's periods.

    Returns
    -------
    pandas.DataFrame, "none" or None
        None where nothing was said.
    """
    if not events:
        return None
    parts = [] if events == "none" else [read_events(events)]
    if holidays:
        days = pd.to_datetime(periods).drop_duplicates().sort_values()
        first, last = days.iloc[0], days.iloc[-1] + days.diff().mode().head(1).sum()
        found = public_holidays(holidays, range(first.year, last.year + 1))
        # nobody declared those before and after the table
        inside = found[found["start"].between(first, last, inclusive="left")]
        parts += [inside] if len(inside) else []
    return pd.concat(parts, ignore_index=True) if parts else "none"


def event_columns(rows: pd.DataFrame, events: Any, *, by: str | None, time: str) -> EventColumns:
    """Lay events on the periods of a panel.

    A period lasts from its own date to the next one of the table. A pulse is the share of its days that the event
    covers (a sale of three days in a week is .43), a step the share that has passed since it began. Pulses in fewer
    than 3 rows share one column, because a column of its own would take such a row out of the data.

    Parameters
    ----------
    rows : pandas.DataFrame
        One row per entity and period; not changed.
    events : path or frame
        As for :func:`read_events`.
    by : str or None
        Entity column; None for one entity.
    time : str
        Column with the first day of each period.

    Returns
    -------
    EventColumns

    Raises
    ------
    DataError
        If the periods are no dates, no event falls into the table, or an event names an entity that is not there.

    Warns
    -----
    ErresearchWarning
        Counting events outside the table, events of one name that overlap (their days count once), and those that
        cover all of it.

    Examples
    --------
    >>> import pandas as pd
    >>> weeks = pd.DataFrame({"week": pd.date_range("2024-11-04", periods=5, freq="7D")})
    >>> sale = pd.DataFrame({"start": ["2024-11-18"], "end": ["2024-12-01"], "name": ["sale"], "kind": ["step"]})
    >>> event_columns(weeks, sale, by=None, time="week").rows["event: sale"].tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0]
    """
    declared = read_events(events)
    starts, lasts = _periods(rows[time], time)
    entities = np.array([""] * len(rows) if by is None else [_key(each) for each in rows[by]])
    unknown = {each for each in declared["entity"] if each} - set(entities)
    if unknown:
        raise DataError(
            "events are declared for entities that the table does not have",
            got=f"{len(unknown)} of them",
            allowed="the entities of the table, or nothing for all of them",
            fix="write their names as the table does, or leave the column entity empty",
        )
    outside = _outside(declared, min(starts.values()), max(lasts.values()))
    overlapping = _overlaps(declared)
    begin, end = (_ordinals(rows[time].map(each)) for each in (starts, lasts))
    columns: dict[str, np.ndarray] = {}
    kinds: dict[str, Kind] = {}
    inside: list[Any] = declared[~outside].to_dict("records")
    for each in inside:
        label = f"{EVENT}{each['name']}"
        last = end if each["kind"] == "step" else np.minimum(end, each["end"].toordinal())
        covered = np.maximum(last - np.maximum(begin, each["start"].toordinal()) + 1, 0) / (end - begin + 1)
        own = np.ones(len(rows)) if not each["entity"] else (entities == each["entity"]) * 1.0
        columns[label] = np.minimum(columns.get(label, 0.0) + own * covered, 1.0)
        kinds[label] = each["kind"]
    throughout = sum(bool((column == 1).all()) for column in columns.values())
    said = {
        f"{Count(int(outside.sum()), of=len(outside)):event lies} outside the table, without effect; bring the "
        "periods around them": outside.any(),
        f"events that overlap with another of the same name: {overlapping}; their days count once": overlapping,
        f"events that cover the whole table and tell nothing: {throughout}; declare when they began or ended": throughout,
    }
    cautions = tuple(text for text, holds in said.items() if holds)
    for text in cautions:
        warn(text)
    made = rows.assign(**_without_rare(columns, kinds))
    made.attrs.update(rows.attrs)
    return EventColumns(made, MappingProxyType(kinds), cautions)


def _outside(declared: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> np.ndarray:
    """Which events lie before or after the table; a step before it is one that never changes there."""
    found = ((declared["start"] > last) | (declared["end"] < first)).to_numpy()
    if found.all():
        raise DataError(
            "no event falls into the table",
            got=f"events: {len(found)}; the table is of {first:%Y-%m-%d} to {last:%Y-%m-%d}",
            fix="declare the events of these days, or leave `events` out",
        )
    return np.asarray(found)


def _ordinals(days: pd.Series[Any]) -> np.ndarray:
    """Days as whole numbers; a row without a period counts no day."""
    absent = days.isna().to_numpy()
    return np.array([0 if gone else day.toordinal() for day, gone in zip(days, absent, strict=True)])


def _without_rare(columns: dict[str, np.ndarray], kinds: dict[str, Kind]) -> dict[str, np.ndarray]:
    """Rare pulses share one column; `kinds` follows."""
    rare = [
        label for label in columns if kinds[label] == "pulse" and np.count_nonzero(columns[label]) < _RARE
    ]
    if len(rare) < 2:
        return columns
    shared = np.minimum(np.sum([columns[label] for label in rare], axis=0), 1.0)
    for label in rare:
        del columns[label], kinds[label]
    columns[_OTHERS], kinds[_OTHERS] = shared, "pulse"
    return columns


def event_candidates(rows: pd.DataFrame, *, by: str | None, time: str) -> pd.DataFrame:
    """Periods that look like events, to be confirmed or struck out by who knows: never read from revenue.

    A period stands out where the number of posts or the discount lies 3.5 robust standard deviations above the
    entity's median, or the price moves by as much from one period to the next. What a shop decides itself is looked
    at; what it earns is not, because an event read off the outcome would explain the outcome by itself.

    Parameters
    ----------
    rows : pandas.DataFrame
        One row per entity and period, with any of the columns posts, discount, discount_share, price.
    by : str or None
        Entity column.
    time : str
        First day of each period.

    Returns
    -------
    pandas.DataFrame
        As :func:`read_events` gives it, one row per candidate; empty where nothing stands out.

    References
    ----------
    Iglewicz, B., & Hoaglin, D. C. (1993). *How to detect and handle outliers*. ASQC Quality Press.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=20, freq="7D"), "posts": [3, 4] * 10})
    >>> table.loc[7, "posts"] = 40
    >>> event_candidates(table, by=None, time="week")["name"].tolist()
    ['many posts']
    """
    none = pd.DataFrame({name: pd.Series(dtype=object) for name in _COLUMNS})
    if rows[time].nunique() < _FEWEST:  # nothing can stand out
        return none
    starts, lasts = _periods(rows[time], time)
    found = []
    for entity, own in [(None, rows)] if by is None else list(rows.groupby(by, sort=True)):
        ordered = own.sort_values(time)
        for column, name in _CHOSEN.items():
            if column not in ordered:
                continue
            values = ordered[column].to_numpy(dtype=float)
            if column == "price":
                values = np.abs(np.diff(np.log(np.where(values > 0, values, np.nan)), prepend=np.nan))
            found += [
                {"start": starts[when], "end": lasts[when], "name": name, "entity": entity or ""}
                for when in ordered[time][_standing_out(values)]
            ]
    return read_events(pd.DataFrame(found)) if found else none


def _standing_out(values: np.ndarray) -> np.ndarray:
    seen = values[np.isfinite(values)]
    if len(seen) < _FEWEST:
        return np.zeros(len(values), dtype=bool)
    middle = np.median(seen)
    spread = 1.4826 * np.median(np.abs(seen - middle)) or 1.2533 * np.mean(np.abs(seen - middle))
    return np.asarray(np.isfinite(values) & (values - middle > _STANDS_OUT * spread) & (spread > 0))


def _days(column: pd.Series[Any], where: str, *, empty: bool = False) -> pd.Series[Any]:
    blank = column.isna() | column.astype(str).str.strip().isin(["", "None", "NaT", "nan"])
    if pd.api.types.is_numeric_dtype(column):  # 20241129
        column = column.map("{:.0f}".format)
    found = pd.to_datetime(column.where(~blank).astype(object), errors="coerce", format="ISO8601")
    wrong = (found.isna() & ~blank) | (blank & (not empty))
    if bool(wrong.any()):
        raise DataError(
            "a day of an event cannot be read",
            got=_first_row(wrong, where),
            allowed="days as 2024-11-29",
            fix="write the day as year, month, day",
        )
    return found.dt.tz_localize(None).dt.normalize()


def _periods(time: pd.Series[Any], name: str) -> tuple[dict[Any, pd.Timestamp], dict[Any, pd.Timestamp]]:
    """First and last day of each period of the table."""
    unique = time.dropna().drop_duplicates().sort_values()
    try:
        first = pd.to_datetime(unique) if not pd.api.types.is_numeric_dtype(unique) else None
    except (ValueError, TypeError):
        first = None
    if first is None or len(first) < 2:
        raise DataError(
            f"events need dates in {name!r}",
            got=f"{Count(len(unique)):period} of type {type_name(time.dtype)}",
            allowed="dates, two periods or more",
            fix="use the first day of each period as its name",
        )
    first = first.dt.tz_localize(None).dt.normalize() if first.dt.tz is not None else first.dt.normalize()
    usual = first.diff().dropna().mode().iloc[0]
    following = first.shift(-1)
    # a gap in the table is no longer period
    length = (following - first).where(lambda each: each <= 1.2 * usual, usual).fillna(usual)
    last = first + length - pd.Timedelta(days=1)
    return dict(zip(unique, first, strict=True)), dict(zip(unique, last, strict=True))


def _overlaps(declared: pd.DataFrame) -> int:
    """Events that begin before an earlier one of the same name and entity has ended."""
    pulses = declared[declared["kind"] == "pulse"]
    count = 0
    for _, group in pulses.groupby(["name", "entity"]):
        start, end = _ordinals(group["start"]), np.maximum.accumulate(_ordinals(group["end"]))
        count += int(np.count_nonzero(start[1:] <= end[:-1]))
    return count
