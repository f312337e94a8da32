"""Data sets by name: found, read, counted, verified."""

from __future__ import annotations

import bz2
import contextlib
import fnmatch
import hashlib
import io
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final

from erresearch.datasets.entries import (
    CodebookColumn,
    Condition,
    Dataset,
    Format,
    Found,
    Kind,
    Part,
    Source,
    Verified,
    dataset_card,
    find,
    look,
    parts_of,
    place_of,
    registered,
)
from erresearch.errors import ColumnError, Count, DataError, EngineError, missing_columns, raise_as
from erresearch.io import pd


def read(dataset: Dataset, found: Found) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read one file of a data set and clean it as the registry says: the rows kept, and the account of every row.

    The account is plain text and numbers, fit for JSON. A file that is not pinned by a hash must have the column sums
    that are registered.

    Examples
    --------
    >>> card = dataset_card("er-benchmarks")
    >>> frame, account = read(card, look(card))
    >>> account["rows_in_file"], account["rows"], account["missing"]["er_percent"]
    (114, 114, 6)
    """
    with raise_as(
        EngineError,
        f"{found.path.name!r} cannot be read as data set {dataset.name!r}",
        of=(OSError, ValueError, KeyError, zipfile.BadZipFile, sqlite3.Error),
        got=lambda error: f"{type(error).__name__}: {error}",
        fix="get the file again: it may be cut short",
    ):
        raw = _raw(dataset, found)
    if not found.pinned:  # a copy saved anew may write its headers in other letters
        known = {name.casefold(): name for name in (*(c.source for c in dataset.columns), *dataset.unused)}
        raw = raw.rename(columns=lambda name: known.get(str(name).casefold(), name))
    _check_columns(dataset, raw, found.path.name)
    rows_in_file = len(raw)
    raw = raw[(raw != "").any(axis=1)].reset_index(drop=True)
    excluded = {"empty row": rows_in_file - len(raw)} if rows_in_file > len(raw) else {}
    mended: dict[str, int] = {}
    stored = [column for column in dataset.columns if column.source]
    frame = pd.DataFrame({c.name: _converted(raw[c.source], c, dataset, mended) for c in stored})
    if not found.pinned and not found.source.parts:
        _check_sums(dataset, frame, found.path.name)
    for rule in dataset.exclude:
        out = _told_by(rule, frame)
        excluded[rule.reason] = int(out.sum())
        frame = frame[~out]
    if dataset.derive:
        frame = DERIVED[dataset.derive](frame, excluded, mended)
    frame = frame[[column.name for column in dataset.columns if column.name in frame]].reset_index(drop=True)
    # with gaps a column stays float: plain numpy types work in every library downstream
    whole = {c.name: _WHOLE[c.kind] for c in dataset.columns if c.kind in _WHOLE and c.name in frame}
    frame = frame.astype({name: kind for name, kind in whole.items() if frame[name].notna().all()})
    account = _account(dataset, found, frame)
    return frame, account | {"rows_in_file": rows_in_file, "excluded": excluded, "mended": mended}


def _raw(dataset: Dataset, found: Found) -> pd.DataFrame:
    """The cells of a file, or of every file of a folder, as text."""
    source, read_one = found.source, _READERS[found.source.format]
    if not source.parts:
        return read_one(found.path.read_bytes(), source, found)
    wanted = {column.source for column in dataset.columns}
    frames = []
    for part in parts_of(source):
        content = (found.path / part.file).read_bytes()
        try:
            frame = read_one(content, source, found)
        except ValueError as error:
            raise _another_part(dataset, part, f"{type(error).__name__}: {error}") from None
        if hashlib.sha256(content).hexdigest() != part.sha256:
            _check_part(dataset, part, frame)
        frames.append(frame[[name for name in frame.columns if name in wanted]].assign(file=part.file))
    return pd.concat(frames, ignore_index=True).fillna("")


def _check_part(dataset: Dataset, part: Part, frame: pd.DataFrame) -> None:
    """Take a file of another hash as a copy saved anew where its rows and column sums are those registered."""
    names = dataset.columns[0].source
    absent = [name for name in (names, *part.sums) if name not in frame]
    if absent:
        raise _another_part(dataset, part, f"{Count(len(frame)):row} without {', '.join(map(repr, absent))}")
    told = _other_rows(
        frame.assign(**{n: pd.to_numeric(frame[n], errors="coerce") for n in part.sums}), part.rows, part.sums
    )
    if told:
        raise _another_part(dataset, part, told)
    if hashlib.sha256("\n".join(sorted(frame[names])).encode()).hexdigest()[:16] != part.names:
        raise _another_part(dataset, part, f"other names in {names!r}: one renamed would be two series")


def _another_part(dataset: Dataset, part: Part, got: str) -> EngineError:
    return EngineError(
        f"{part.file!r} is not the file registered for data set {dataset.name!r}",
        got=got,
        allowed=_rows_and_sums(part.rows, part.sums),
        fix=f"get it again from {dataset.sources[0].download}{part.file}",
    )


def _told_by(rule: Condition, frame: pd.DataFrame) -> pd.Series[Any]:
    column = frame[rule.column]
    if rule.matches:
        return column.astype(str).str.contains(rule.matches, regex=False)
    if rule.equals is not None:
        return column == rule.equals
    return column.isna() if rule.below is None else column < rule.below


def _account(dataset: Dataset, found: Found, frame: pd.DataFrame) -> dict[str, Any]:
    missing = {str(column): int(n) for column, n in frame.isna().sum().items() if n}
    without_key = frame.drop(columns=list(dataset.key))
    return {
        "name": dataset.name,
        "title": dataset.title,
        "unit": dataset.unit,
        "rows": len(frame),
        "complete_rows": int(frame.notna().all(axis=1).sum()),
        "missing": missing,
        "duplicates": int(without_key.duplicated().sum()),
        "counted": {rule.reason: int(_told_by(rule, frame).sum()) for rule in dataset.count},
        "columns": {
            column.name: {"from": column.source}
            | {told: getattr(column, told) for told in ("unit", "meaning", "leaks", "distance")}
            for column in dataset.columns
            if column.name in frame
        },
        "columns_left_out": list(dataset.unused),
        "file": found.source.file,
        "sha256": found.sha256,
        "checked_by": "sha256" if found.pinned else "column sums",
        "where": found.where,
        "randomised": dataset.randomised,
        "distance": dataset.distance,
        "licence": dataset.licence,
        "citation": dataset.citation,
        "url": dataset.url,
        "quirks": list(dataset.quirks),
    }


def _read_csv(content: bytes, source: Source, found: Found) -> pd.DataFrame:
    content = bz2.decompress(content) if source.path.endswith(".bz2") else content
    return pd.read_csv(
        io.BytesIO(content), sep=source.sep, dtype=str, keep_default_na=False, encoding="utf-8-sig"
    )


def _read_xlsx(content: bytes, source: Source, found: Found) -> pd.DataFrame:
    import python_calamine

    from erresearch.exports.containers import cell_text

    try:
        with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
            header, *rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except python_calamine.CalamineError as error:
        raise ValueError(str(error)) from None
    names = [cell_text(name).strip() for name in header]
    return pd.DataFrame([[cell_text(cell) for cell in row] for row in rows], columns=names)


def _read_zip(content: bytes, source: Source, found: Found) -> pd.DataFrame:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = fnmatch.filter(archive.namelist(), source.member)
        if len(members) != 1:
            raise EngineError(
                f"{found.path.name!r} should hold one file like {source.member!r}",
                got=", ".join(archive.namelist()) or "nothing",
                fix="get the file again",
            )
        return _READERS[source.inner](archive.read(members[0]), source, found)


def _read_sqlite(content: bytes, source: Source, found: Found) -> pd.DataFrame:
    # immutable: no lock and no journal beside a file that belongs to another package
    address = found.path.resolve().as_uri() + "?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
        cursor = connection.execute(source.query)
        names = [item[0] for item in cursor.description]
        rows = [[c if type(c) is str else "" if c is None else str(c) for c in row] for row in cursor]
    return pd.DataFrame(rows, columns=names)


_READERS: Mapping[Format, Callable[[bytes, Source, Found], pd.DataFrame]] = {
    "csv": _read_csv,
    "xlsx": _read_xlsx,
    "zip": _read_zip,
    "sqlite": _read_sqlite,
}


def _check_columns(dataset: Dataset, raw: pd.DataFrame, file: str) -> None:
    wanted = list(dict.fromkeys(column.source for column in dataset.columns if column.source))
    present = list(map(str, raw.columns))
    if not set(wanted) & set(present):
        raise ColumnError(
            f"{file!r} is another file than that of data set {dataset.name!r}: none of its columns is there",
            allowed=", ".join(wanted[:5]) + (f" and {len(wanted) - 5} more" if len(wanted) > 5 else ""),
            fix=f"use the file from {dataset.url}",
        )
    if set(wanted) - set(present):
        raise missing_columns(wanted, present, where=f"{file!r} (data set {dataset.name!r})")
    twice = sorted({name for name in present if present.count(name) > 1})
    unknown = sorted(set(present) - set(wanted) - set(dataset.unused))
    if twice or unknown:
        raise ColumnError(
            f"{file!r} has columns that data set {dataset.name!r} does not have",
            got=", ".join(map(repr, twice or unknown)) + (" more than once" if twice else ""),
            allowed=", ".join([*wanted, *dataset.unused]),
            fix=f"use the file from {dataset.url}",
        )


def _check_sums(dataset: Dataset, frame: pd.DataFrame, file: str) -> None:
    told = _other_rows(frame, dataset.n, dataset.sums)
    if told:
        raise EngineError(
            f"{file!r} does not hold the rows registered for data set {dataset.name!r}",
            got=told,
            allowed=_rows_and_sums(dataset.n, dataset.sums),
            fix=f"get the file again from {dataset.url}",
        )


def _other_rows(frame: pd.DataFrame, rows: int, sums: Mapping[str, float]) -> str:
    """How many rows there are and what columns add to, where that is not what is registered."""
    found = {name: float(frame[name].sum()) for name in sums}
    if len(frame) == rows and all(abs(found[name] - total) <= 0.5 for name, total in sums.items()):
        return ""
    return _rows_and_sums(len(frame), {f"{name} adds to": total for name, total in found.items()})


def _rows_and_sums(rows: int, sums: Mapping[str, float]) -> str:
    return ", ".join([f"{Count(rows):row}", *(f"{name} {total:,.0f}" for name, total in sums.items())])


def _converted(
    raw: pd.Series[Any], column: CodebookColumn, dataset: Dataset, mended: dict[str, int]
) -> pd.Series[Any]:
    text, part = raw, ((old, new, True) for old, new in column.mend.items())
    for old, new, within in (*part, *((old, new, False) for old, new in column.recode.items())):
        hit = text.str.contains(old, regex=False) if within else text == old
        if hit.any():
            mended[f"{column.name}: {old!r} to {new!r}"] = int(hit.sum())
        text = text.str.replace(old, new, regex=False) if within else text.mask(hit, new)
    if column.take:
        taken = text.str.extract(column.take, expand=False)
        _refuse_unreadable(taken.isna() & (text != ""), text, column, dataset, f"text like {column.take}")
        text = taken
    return _typed(text, column, dataset)


_FLAGS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}


def _typed(text: pd.Series[Any], column: CodebookColumn, dataset: Dataset) -> pd.Series[Any]:
    """Text as values of the column's kind; a whole number with gaps stays a float."""
    given = ~text.isin(["", "NA"])
    value: pd.Series[Any]
    match column.kind:
        case "text":
            return text.mask(text == "")
        case "date":
            given, allowed = text != "", "dates like 2014-12-31"
            value = pd.to_datetime(text.where(given), format="%Y-%m-%d", errors="coerce")
        case "flag":
            value, allowed = text.str.lower().map(_FLAGS), "TRUE, FALSE, 1, 0"
        case "integer" | "number":
            value, allowed = pd.to_numeric(text.where(given), errors="coerce").astype("float64"), "numbers"
    _refuse_unreadable(value.isna() & given, text, column, dataset, allowed)
    if column.kind == "integer":
        _refuse_unreadable(value.notna() & (value % 1 != 0), text, column, dataset, "whole numbers")
    return value


_WHOLE: Mapping[Kind, str] = {"integer": "int64", "flag": "bool"}


def _refuse_unreadable(
    bad: pd.Series[Any], text: pd.Series[Any], column: CodebookColumn, dataset: Dataset, allowed: str
) -> None:
    if not bad.any():
        return
    row = int(bad.to_numpy().argmax())
    raise DataError(
        f"column {column.source!r} of data set {dataset.name!r} holds values that do not fit",
        got=f"{Count(int(bad.sum()), of=len(bad)):row}, first in row {row + 1}: {text.iloc[row]!r}",
        allowed=allowed,
        fix=f"use the file from {dataset.url}" if dataset.url else "install erresearch again",
    )


def project_months(frame: pd.DataFrame, excluded: dict[str, int], mended: dict[str, int]) -> pd.DataFrame:
    """One row per project and month, a renamed project under its last name, and what each month added.

    A project that is listed twice in a month keeps the row with more downloads. New stars, issues and watchers are
    differences to the calendar month before; where that month is not there they are missing, never spread over a gap.
    Rows left out and names changed are added to `excluded` and `mended`, as in every derivation.
    """
    told = frame[frame["renamed_to"].notna()].sort_values("month")
    later = dict(zip(told["project"], told["renamed_to"], strict=True))

    def last_name(name: str) -> str:
        met = {name}
        while later.get(name, name) not in met:
            name = later[name]
            met.add(name)
        return name

    names = {name: last_name(name) for name in frame["project"].unique()}
    mended["project: under its last name"] = int((frame["project"].map(names) != frame["project"]).sum())
    frame = frame.assign(project=frame["project"].map(names)).sort_values(
        ["project", "month", "downloads"], ascending=[True, True, False], kind="stable"
    )
    once = frame.drop_duplicates(["project", "month"])
    excluded["listed twice in a month"] = len(frame) - len(once)
    once = once.assign(issues=once["open_issues"] + once["closed_issues"])
    number = once["month"].str[:4].astype(int) * 12 + once["month"].str[5:7].astype(int)
    before = once.groupby("project")[["stars", "issues", "watchers"]].shift()
    next_door = number.groupby(once["project"]).diff() == 1
    for column in before:
        once[f"new_{column}"] = (once[column] - before[column]).where(next_door)
    return once


def retailer_weeks(frame: pd.DataFrame, excluded: dict[str, int], mended: dict[str, int]) -> pd.DataFrame:
    """Weeks of one retailer, with all spending on media and whether a holiday fell into the week."""
    return frame.assign(
        account="retailer",
        spend=frame.filter(regex="^spend_").sum(axis=1),
        holiday=frame.filter(regex="^holiday_").max(axis=1),
    )


def shop_weeks(frame: pd.DataFrame, excluded: dict[str, int], mended: dict[str, int]) -> pd.DataFrame:
    """Whole weeks of shops (clicks and impressions on social media, all spending) from days of shops and territories.

    A shop whose file has a row over all territories keeps that; the others' territories are summed. A channel without
    a figure was not used that day: 0. Weeks (from Monday) with fewer than 7 days are left out.
    """
    whole = frame["territory"] == "All Territories"
    part_of_sum = ~whole & frame["account"].isin(frame.loc[whole, "account"])
    excluded["in the row over all territories"] = int(part_of_sum.sum())
    frame = frame[~part_of_sum]
    channels = frame.filter(regex="_(spend|clicks|impressions)$")
    mended["no figure of a channel: 0"] = int(channels.isna().sum().sum())
    channels = channels.fillna(0.0)
    social = channels.filter(regex="^(meta|tiktok)_")
    days = frame[["account", "day"]].assign(
        engagement=social.filter(regex="_clicks$").sum(axis=1),
        reach=social.filter(regex="_impressions$").sum(axis=1),
        spend=channels.filter(regex="_spend$").sum(axis=1),
        revenue=frame["gross"] - frame["discount"].fillna(0.0),
        week=frame["day"].dt.to_period("W-SUN").dt.start_time.dt.strftime("%Y-%m-%d"),
    )
    weeks = days.groupby(["account", "week"], as_index=False).agg(
        engagement=("engagement", "sum"),
        reach=("reach", "sum"),
        spend=("spend", "sum"),
        revenue=("revenue", "sum"),
        days=("day", "nunique"),
    )
    excluded["week of fewer than 7 days"] = int((weeks["days"] < 7).sum())
    return weeks[weeks["days"] == 7]


#: What `derive` in the registry may name.
DERIVED: Final[Mapping[str, Callable[[pd.DataFrame, dict[str, int], dict[str, int]], pd.DataFrame]]] = {
    "project months": project_months,
    "retailer weeks": retailer_weeks,
    "shop weeks": shop_weeks,
}


def load(name: str) -> pd.DataFrame:
    """Load a registered data set.

    The package looks for it in four places, in this order: among its own files and those of its dependencies, in the
    folder that the environment variable ``ERRESEARCH_DATA_DIR`` names, in the cache (``ERRESEARCH_CACHE_DIR``, else
    the system's), and on the network, with a progress bar. Every copy is checked before its rows are used.

    Parameters
    ----------
    name : str
        A name of `catalog`.

    Returns
    -------
    pandas.DataFrame
        Clean rows with plain numpy types (a whole-number column with gaps is float64). ``.attrs["erresearch"]``
        is the account as a plain dict: rows in the file, excluded by reason, kept, missing, mended, counted,
        duplicates, units, licence, hash and quirks.

    Raises
    ------
    UnknownNameError
        If there is no such data set.
    EngineError
        If no copy is to be had, a copy is not the file registered, or the cache cannot be written.
    ColumnError, DataError
        If the columns or values of a copy saved anew are not those registered.

    See Also
    --------
    catalog : What there is.
    dataset_card : Where a table comes from.
    verify : Whether the copy here is the registered one.

    Examples
    --------
    >>> films = load("movies")
    >>> films.shape
    (2754, 23)
    >>> films.attrs["erresearch"]["excluded"]
    {'no box-office figure': 14712, 'box-office figure under 1,000 USD': 6}
    """
    dataset = dataset_card(name)
    found = find(dataset, check=lambda fetched: read(dataset, fetched))
    frame, account = read(dataset, found)
    frame.attrs["erresearch"] = account
    return frame


def catalog() -> pd.DataFrame:
    """List every registered data set, one row each; nothing is read or fetched.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``title``, ``unit``, ``n``, ``randomised``, ``where`` (embedded, installed, data dir, cached or to
        download), ``distance`` to purchase, ``licence``.

    Raises
    ------
    EngineError
        If ``ERRESEARCH_DATA_DIR`` names no folder.

    See Also
    --------
    load : One of them.

    Examples
    --------
    >>> table = catalog()
    >>> table.loc[table["randomised"], "name"].tolist()
    ['hillstrom']
    >>> table.set_index("name").loc["movies", "where"]
    'embedded'
    """
    told = ("name", "title", "unit", "n", "randomised", "distance", "licence")
    sets = registered().values()
    made = pd.DataFrame([[getattr(each, name) for name in told] for each in sets], columns=told)
    places = [place_of(each) for each in sets]
    made.insert(5, "where", ["to download" if place is None else place[2] for place in places])
    return made


def verify(name: str) -> Verified:
    """Read the copy on this machine whole and compare it with the registry. Nothing is fetched.

    Parameters
    ----------
    name : str
        A name of `catalog`.

    Returns
    -------
    Verified
        What was checked, and by what.

    Raises
    ------
    UnknownNameError
        If there is no such data set.
    EngineError
        If there is no copy, or it is not what was registered.

    See Also
    --------
    load : The table itself.

    Examples
    --------
    >>> print(verify("movies"))
    movies: 2,754 rows in movies.db (embedded), checked by sha256.
    """
    dataset = dataset_card(name)
    found = look(dataset)
    if found is None:
        raise EngineError(
            f"there is no copy of data set {name!r} on this machine to verify",
            fix=f"load it once, or put {dataset.sources[0].file!r} into a folder named in ERRESEARCH_DATA_DIR",
        )
    frame, account = read(dataset, found)
    if len(frame) != dataset.n and not dataset.pending:
        raise EngineError(
            f"data set {name!r} has another number of rows than registered",
            got=f"{len(frame):,}",
            allowed=f"{dataset.n:,}",
            fix="look at .attrs['erresearch'] of the loaded table for the rows excluded",
        )
    return Verified(
        name=name,
        file=found.source.file,
        where=found.where,
        sha256=found.sha256,
        checked_by=account["checked_by"],
        rows=len(frame),
    )


def join_films() -> pd.DataFrame:
    """Join `csm-movies` with `fandango` by title: reactions at every distance from the ticket, and the gross.

    Titles are compared without regard to case. Years are not compared: Fandango dates some films by their wide
    release, a year later.

    Returns
    -------
    pandas.DataFrame
        One row per film in both sets (84), the columns of `csm-movies` and then those of `fandango`, whose year
        is ``fandango_year``. ``.attrs["erresearch"]`` tells what did not join and the units of all columns.

    Raises
    ------
    EngineError
        If one of the two sets is not to be had.

    See Also
    --------
    load : Each of the two.

    Examples
    --------
    >>> [column.name for column in dataset_card("fandango").columns if column.distance == 1]
    ['fandango_stars', 'fandango_rating', 'fandango_votes']
    """
    csm, fandango = load("csm-movies"), load("fandango")
    right = fandango.rename(columns={"year": "fandango_year", "title": "fandango_title"})
    joined = csm.assign(_title=csm["title"].str.casefold()).merge(
        right.assign(_title=right["fandango_title"].str.casefold()), on="_title", validate="one_to_one"
    )
    joined = joined.drop(columns=["_title", "fandango_title"])
    accounts: list[dict[str, Any]] = [csm.attrs["erresearch"], fandango.attrs["erresearch"]]
    joined.attrs = {
        "erresearch": {
            "name": "csm-movies with fandango",
            "joined_from": [account["name"] for account in accounts],
            "rows": len(joined),
            "not_joined": {account["name"]: account["rows"] - len(joined) for account in accounts},
            "another_year": int((joined["year"] != joined["fandango_year"]).sum()),
            "columns": accounts[1]["columns"] | accounts[0]["columns"],
            "sha256": {account["name"]: account["sha256"] for account in accounts},
            "randomised": False,
            "licence": "CC BY 4.0",
            "citation": "; ".join(account["citation"] for account in accounts),
        }
    }
    return joined


def unshared_projects() -> pd.DataFrame:
    """Load `best-of-web-python` without the projects that `best-of-ml-python` holds too, so that none counts twice.

    See Also
    --------
    load : Each of the two; raises as it does.
    """
    first, second = load("best-of-ml-python"), load("best-of-web-python")
    own = second[~second["project"].isin(first["project"])].reset_index(drop=True)
    own.attrs = second.attrs
    return own
