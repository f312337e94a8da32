"""Files of all kinds, read and sorted by what they hold."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from erresearch.audits.rate_tables import own_posts
from erresearch.errors import (
    Count,
    DataError,
    DesignError,
    EngineError,
    ErresearchError,
    mapping_in,
    raise_as,
)
from erresearch.exports.combine import combine_exports, plain_name, settle_owners
from erresearch.exports.layouts import platforms
from erresearch.exports.lazy_tables import Lake, called_simulated, is_lake, open_lake
from erresearch.exports.log import Export
from erresearch.exports.mapping import mapping_path
from erresearch.exports.reading import read_exports
from erresearch.io import pd
from erresearch.panel.inputs import holds_days, rows_by
from erresearch.panel.records import Rules
from erresearch.schema.vocabulary import Freq

_KINDS = ("posts", "daily", "followers", "outcomes", "survey", "ads")
_SHOWN = 3
_WEEK, _FEW_WEEKS = 7, 4
_TIMED = ("outcomes", "ads")
_SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xls", ".zip")
#: Characters of a label that are shown.
LONGEST: Final = 60
#: Columns whose cells may be shown, and what their pseudonyms are called. One name is one pseudonym, whether it stands
#: for an account or for the shop that the account belongs to.
_LABELS: Final[Mapping[str, str]] = {
    "account": "account",
    "entity": "entity",
    "platform": "platform",
    "post_type": "format",
    "currency": "currency",
    "segment": "event",
}
_FORMATS: Final = (
    "", "image", "video", "reel", "carousel", "story", "text", "link", "live", "poll", "article", "document", "event",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labels:
    """What is shown for each label.

    Parameters
    ----------
    shown : mapping of str to str
        For the labels that are not shown as they are.
    hidden : bool
        Whether a name that stands in no file is replaced, too.

    Examples
    --------
    >>> Labels({"Maple & Moss": "account 1"}).text("2 posts of 'Maple & Moss'")
    "2 posts of 'account 1'"
    """

    shown: Mapping[str, str] = field(default_factory=dict)
    hidden: bool = False

    @classmethod
    def of(cls, exports: Iterable[Export], *, pseudonyms: bool) -> Labels:
        """Look through every label column.

        Parameters
        ----------
        exports : iterable of Export
            What was read.
        pseudonyms : bool
            Whether every label is replaced. Words of this package (platforms and kinds of post that it knows) stay.

        Returns
        -------
        Labels
        """
        found: dict[str, str] = {}
        every = list(exports)
        for column, called in _LABELS.items():
            for export in every:
                if column in export.rows.columns:
                    values = set(map(str, export.rows[column].dropna().unique()))
                    found |= {value: called for value in sorted(values) if value and value not in found}
        return cls(_pseudonyms(found), hidden=True) if pseudonyms else cls(_short(found))

    def text(self, text: str) -> str:
        """A text with every label in it as it is shown."""
        if not self.shown:
            return text
        every = sorted(self.shown, key=len, reverse=True)
        # a quote inside a label is printed with a backslash before it
        spelt = {spelling: label for label in every for spelling in (label, repr(label)[1:-1])}
        pattern = "|".join(map(re.escape, sorted(spelt, key=len, reverse=True)))
        return re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", lambda match: self.shown[spelt[match[0]]], text)

    def mapping(self, entity: Mapping[str, str] | None) -> dict[str, str] | None:
        """Accounts and their entities, as the caller gave them, with what is shown for both."""
        if entity is None:
            return None
        spelt: dict[str, str] = {}
        for label, shown in self.shown.items():
            spelt.setdefault(plain_name(label), shown)  # accounts and entities come first
        if self.hidden:
            new = dict.fromkeys(shop for shop in entity.values() if plain_name(shop) not in spelt)
            spelt |= {plain_name(shop): f"group {number}" for number, shop in enumerate(new, start=1)}
        else:
            spelt |= {plain_name(shop): _short([shop]).get(shop, shop) for shop in entity.values()}
        return {
            spelt.get(plain_name(account), account): spelt.get(plain_name(shop), shop)
            for account, shop in entity.items()
        }

    def export(self, export: Export) -> Export:
        """Rows and words of a file with labels as they are shown; the one given is not changed."""
        if not self.shown:
            return export
        rows = export.rows.copy()
        for column in _LABELS.keys() & set(rows.columns):
            rows[column] = self._column(rows[column])
        rows.attrs = dict(export.rows.attrs)
        return replace(
            export,
            rows=rows,
            guesses=tuple(self._told(one, "value", "reason", "override") for one in export.guesses),
            warnings=tuple(self._told(one, "text") for one in export.warnings),
            notes=tuple(map(self.text, export.notes)),
        )

    def _told(self, one: Any, *names: str) -> Any:
        return replace(one, **{name: self.text(getattr(one, name)) for name in names})

    def _column(self, column: pd.Series[str]) -> pd.Series[str]:
        known = {value: self.shown.get(str(value), value) for value in column.dropna().unique()}
        return column.map(known).astype(column.dtype if column.dtype.name != "category" else object)


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """Exports by what they hold.

    Parameters
    ----------
    posts, daily, followers, outcomes, survey, ads : tuple of Export
        What was read.
    unusable : tuple of (str, str)
        Files that were read but cannot be put on a calendar, with the reason.
    unjoined : tuple of Export
        What those files hold.
    lakes : tuple of Lake
        Parquet files and tables of databases, whose rows stay where they are.
    labels : Labels
        How labels of the files are shown: the rows hold them as they are shown.
    """

    posts: tuple[Export, ...] = ()
    daily: tuple[Export, ...] = ()
    followers: tuple[Export, ...] = ()
    outcomes: tuple[Export, ...] = ()
    survey: tuple[Export, ...] = ()
    ads: tuple[Export, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()
    unjoined: tuple[Export, ...] = ()
    lakes: tuple[Lake, ...] = ()
    labels: Labels = field(default_factory=Labels)

    @property
    def exports(self) -> tuple[Export, ...]:
        """All of them, also those that cannot be joined."""
        return tuple(one for kind in (*_KINDS, "unjoined") for one in getattr(self, kind))

    @property
    def unpriced(self) -> str:
        """Why a file of advertising does not say what was spent by day; empty where none is like that."""
        advertising = {export.name for export in self.unjoined if export.kind == "ads"}
        return "; ".join(f"{name}: {reason}" for name, reason in self.unusable if name in advertising)

    @property
    def unsold(self) -> str:
        """That there is no file of outcomes, and which files could not be used."""
        others = {export.name for export in self.unjoined if export.kind != "outcomes"}
        lost = [name for name, _ in self.unusable if name not in others]
        which = f" ({', '.join(lost)} could not be used)" if lost else ""
        return f"there is no file of outcomes{which}, so nothing about revenue could be tested"

    @property
    def week_start(self) -> str:
        """The day on which weeks begin: that of outcomes that are known by week and agree on one; else Monday."""
        found = {day for export in self.outcomes if (day := _weekly(export))}
        return found.pop() if len(found) == 1 else "monday"

    @property
    def all_posts(self) -> Export | None:
        """The posts of all files as one, each post once."""
        if not self.posts:
            return None
        return self.posts[0] if len(self.posts) == 1 else combine_exports(self.posts)

    @property
    def days(self) -> tuple[Export, ...]:
        """Reactions by account and day, where there are no posts."""
        lakes = any(lake.kind == "posts" for lake in self.lakes)
        return () if self.posts or lakes else tuple(one for one in self.daily if holds_days(one))

    @property
    def grain(self) -> Freq:
        """How long what a row stands for is at most: figures by month give no weeks."""
        grains = (one.rows["grain"].eq("month").any() for one in self.outcomes if "grain" in one.rows.columns)
        return "M" if any(grains) else rows_by(self.days) if self.days else "D"

    @property
    def accounts(self) -> tuple[str, ...]:
        """Accounts of the posts (or days) that were exported, without those of other accounts among them."""
        tables = [own_posts(export.rows) for export in self.posts] or [export.rows for export in self.days]
        own = (rows["account"].dropna().astype(str) for rows in tables)
        return tuple(sorted({name for names in own for name in names}))

    def source(self, *kinds: str) -> Any:
        """Give what :func:`erresearch.build_panel` takes for some kinds: exports, or a table; None where there is none.

        Raises
        ------
        DataError
            If exports and a table, or two tables, hold one kind.
        """
        exports = [one for kind in kinds for one in getattr(self, kind)]
        tables = [one for one in self.lakes if one.kind in kinds]
        if not tables:
            return exports or None
        if exports or len(tables) > 1:
            raise DataError(
                f"{kinds[0]} come in several tables that nobody can put together here",
                got=", ".join(one.name for one in (*tables, *exports)),
                allowed="one table (several files of it are one), or exports",
                fix="store them as one table, or audit them one by one",
            )
        return tables[0] if kinds[0] == "posts" else tables[0].rows

    @property
    def lines(self) -> tuple[str, ...]:
        """One line per file."""
        read = ((one, Count(one.accounting.used)) for one in self.exports)
        lines = [f"{one.name}: {one.kind}, {one.format}, {count:row} used" for one, count in read]
        lost = [f"{name}: not joined: {reason}" for name, reason in self.unusable]
        return (*lines, *map(str, self.lakes), *lost)

    def __str__(self) -> str:
        """What was read, file by file, and what cannot be joined."""
        lost = "\n".join(f"{name} is not joined: {reason}" for name, reason in self.unusable)
        return "\n\n".join(filter(None, [*map(str, (*self.exports, *self.lakes)), lost]))

    def __repr__(self) -> str:
        """One line per file."""
        return "\n".join(self.lines)


def read_files(
    files: Iterable[str | Path],
    *,
    outcomes: Iterable[str | Path] = (),
    survey: Iterable[str | Path] = (),
    tz: str,
    currency: str | None = None,
    pseudonyms: bool = False,
    entity: Mapping[str, str] | None = None,
) -> Files:
    """Read exports and sort them by what they hold.

    Beside a file ``x.csv`` a file ``x.csv.toml`` may say what it does not (see
    :func:`erresearch.exports.mapping.read_mapping`).

    Parameters
    ----------
    files : iterable of path
        Any exports, folders of them, or archives; everything that an archive or a workbook holds is read. Parquet files
        (``"posts/*.parquet"``, a folder of them) and ``duckdb:file.db?table=posts`` are tables whose rows stay where
        they are (see :func:`erresearch.exports.lazy_tables.open_lake`).
    outcomes, survey : iterable of path
        Files that must hold outcomes, and answers.
    tz : str
        Zone of clocks for which neither the file nor a rule of the platform says one.
    currency : str, optional
        The one currency to keep.
    pseudonyms : bool
        Whether labels (accounts, entities, currencies …) are replaced by "account 1", "entity 1" …; otherwise those that
        are long or hold what no line can show are cut.
    entity : mapping of str to str, optional
        Account to entity; accounts that it names are one's own.

    Returns
    -------
    Files

    Raises
    ------
    DesignError
        If labels of a table that stays where it is are to be replaced.
    DataError
        If there is no file, one stands there twice, or one holds something else than asked for.
    ErresearchError
        If a file cannot be read; the message names it.
    """
    places = [
        (each, kind)
        for kind, given in (("", files), ("outcomes", outcomes), ("survey", survey))
        for each in listed(given)
    ]
    stored = [(each, kind) for each, kind in places if not _exports_in(Path(each)) and is_lake(each)]
    asked = [
        (path, kind, Path(each).is_dir())
        for each, kind in places
        if (each, kind) not in stored
        for path in _within(Path(each))
    ]
    lakes = _open_lakes(stored)
    if not asked and not lakes:
        raise DataError("there is no file to audit", fix="name the exports")
    # of links in a ring as well, which no file is then behind
    real = [os.path.realpath(path) for path, _, _ in asked]
    if again := next((at for at, path in enumerate(real) if path in real[:at]), 0):
        raise DataError(f"the file {asked[again][0].name!r} is named twice", fix="name each file once")
    exports: list[Export] = []
    unusable: list[tuple[str, str]] = []
    for path, kind, among in asked:
        # of a folder nobody said that each file is an export
        found, reasons = _exports_of(path, kind, tz, currency, surely=len(asked) == 1 or not among)
        exports += found
        unusable += reasons
    if not exports and not lakes:
        raise DataError(
            "no file here is an export that is known",
            got="; ".join(f"{name}: {reason}" for name, reason in unusable[:_SHOWN]),
            fix="name the exports themselves, or say in a mapping file beside each what its columns are",
        )
    return _sorted(settle_owners(exports, entity), unusable, lakes, pseudonyms=pseudonyms)


def _exports_of(
    path: Path, kind: str, tz: str, currency: str | None, *, surely: bool
) -> tuple[list[Export], list[tuple[str, str]]]:
    """What one file holds of a kind (empty: any), and by name why something in it is not used."""
    beside = mapping_path(path)
    try:
        # an audit has no argument mapping=: its lines stand in a file
        with mapping_in(f"a file {beside.name} beside it"):
            mapping = beside if beside.is_file() else None
            exports, unread = read_exports(path, tz=tz, currency=currency, mapping=mapping)
    except ErresearchError as error:
        if not surely:
            return [], [(path.name, str(error).removeprefix(path.name).lstrip(": "))]
        wrong = error.wrong if path.name in str(error) else f"{path.name}: {error.wrong}"
        parts = {"got": error.got, "allowed": error.allowed, "fix": error.fix, "code": error.code}
        raise type(error)(wrong, **parts) from error
    kinds = {one.kind for one in exports} if not kind else {kind, "ads" if kind == "outcomes" else kind}
    wanted = [one for one in exports if one.kind in kinds]
    if not wanted:
        holds = f"it holds {exports[0].kind} ({exports[0].format})"
        raise DataError(f"{path.name} was given as {kind}", got=holds, fix="give it as a file")
    for export in wanted:
        told = [export.rows[name].unique() for name in ("account", "platform") if name in export.rows.columns]
        # as the accounts or the platform of our examples do
        if any(map(called_simulated, told)):
            export.rows.attrs["simulated"] = True
    others = [one for one in exports if one not in wanted]
    reason = f"in a file that was given as {kind}; give it as a file"
    return wanted, [*unread, *((one.name, f"a table of {one.kind} {reason}") for one in others)]


def _sorted(
    exports: Sequence[Export],
    unusable: Sequence[tuple[str, str]],
    lakes: tuple[Lake, ...],
    *,
    pseudonyms: bool,
) -> Files:
    """Exports by what they hold, with the labels that are shown; those without a calendar apart, with the reason."""
    if pseudonyms and lakes:
        raise DesignError(
            "labels of a table that stays where it is cannot be replaced",
            got=lakes[0].name,
            allowed="exports, whose rows are read",
            fix="leave out --pseudonyms (pseudonyms=True), or write the table as a .csv file",
        )
    told = [(one, _no_calendar(one)) for one in exports]
    lost = [(one.name, reason) for one, reason in told if reason]
    told.sort(key=lambda pair: (pair[1] != "", _KINDS.index(pair[0].kind)))
    labels = Labels.of([one for one, _ in told], pseudonyms=pseudonyms)
    shown = [(labels.export(one), reason) for one, reason in told]
    kinds: dict[str, Any] = {
        kind: tuple(one for one, reason in shown if one.kind == kind and not reason) for kind in _KINDS
    }
    return Files(
        **kinds,
        unusable=tuple((name, labels.text(reason)) for name, reason in (*unusable, *lost)),
        unjoined=tuple(one for one, reason in shown if reason),
        lakes=lakes,
        labels=labels if labels.shown else Labels(),
    )


def _weekly(export: Export) -> str:
    """The weekday of figures that are reported once a week; empty where they are not."""
    rows = export.rows
    if "order_id" in rows.columns:
        rows = rows[rows["order_id"].isna() | rows["order_id"].eq("")]
    days = rows["date"].dropna().dt.normalize().drop_duplicates().sort_values()
    gaps = days.diff().dropna().dt.days
    weekdays = set(days.dt.day_name().str.lower())
    weekly = len(days) > _FEW_WEEKS and len(weekdays) == 1 and gaps.median() == _WEEK
    return weekdays.pop() if weekly else ""


def _open_lakes(stored: Sequence[tuple[str | Path, str]]) -> tuple[Lake, ...]:
    """Tables; .parquet files of one kind in one folder are one table, as a shell hands them over."""
    together: dict[tuple[str, Path], list[str | Path]] = {}
    found: list[Lake] = []
    for place, kind in stored:
        lake, path = open_table([place], kind), Path(place)
        if path.suffix.lower() == ".parquet" and path.is_file() and not mapping_path(path).is_file():
            together.setdefault((lake.kind, path.parent), []).append(place)
        else:
            found.append(lake)
    return (*found, *(open_table(places, kind) for (kind, _), places in together.items()))


def open_table(places: Sequence[str | Path], kind: str = "") -> Lake:
    """Open a table with the mapping that lies beside its file or its folder.

    Parameters
    ----------
    places : sequence of path
        A place as for :func:`erresearch.exports.lazy_tables.open_lake`, or several .parquet files that are one table.
    kind : str
        What it must hold; empty where its columns decide.

    Returns
    -------
    Lake

    Raises
    ------
    ErresearchError
        As :func:`erresearch.exports.lazy_tables.open_lake`, with the name of the mapping's file.
    """
    bare = Path(str(places[0]).removeprefix("duckdb:").split("?", maxsplit=1)[0])
    beside = mapping_path(bare)
    above = mapping_path(bare.parent) if bare.parent.name else beside
    if "*" in bare.name or (bare.suffix.lower() == ".parquet" and above.is_file() and not beside.is_file()):
        beside = above
    with mapping_in(f"a file {beside.name} beside it"):
        mapping, one = beside if beside.is_file() else None, len(places) == 1
        return open_lake(places[0] if one else places, kind=kind or None, mapping=mapping)


def _within(path: Path) -> list[Path]:
    """The files of a folder that may be exports, in the order of their names; a file is itself."""
    if not path.is_dir():
        return [path]
    found, inside = _exports_in(path), list(path.iterdir())
    tables = [one.name for one in inside if one.suffix.lower() == ".parquet"]
    if found and tables:
        raise DataError(
            f"the folder {path.name!r} holds exports and Parquet files",
            got=f"{Count(len(found)):export} and {Count(len(tables)):Parquet file}, such as {min(tables)}",
            fix="name the exports and the Parquet files (such as 'posts/*.parquet') one by one",
        )
    if not found:
        raise DataError(
            f"the folder {path.name!r} holds no export",
            got=f"{Count(len(inside)):other file}",
            allowed=f"files that end in {', '.join(_SUFFIXES)}",
            fix="name the folder with the exports, or the files themselves",
        )
    return found


def _exports_in(path: Path) -> list[Path]:
    """Files of a folder that may be exports; none where it is no folder."""
    if not path.is_dir():
        return []
    with raise_as(EngineError, f"could not read the folder {str(path)!r}", fix="check its rights"):
        inside = sorted(path.iterdir())
    return [one for one in inside if one.suffix.lower() in _SUFFIXES and not one.name.startswith((".", "~$"))]


def listed(files: Iterable[str | Path] | str | Path) -> list[str | Path]:
    """One file or several as a list."""
    if hasattr(files, "columns"):
        raise DataError(
            "an audit reads files",
            got="a table in memory",
            fix="save it and name the file: table.to_csv('shop.csv', index=False); or ask one claim of it: "
            "er.examine('C01', table)",
        )
    return [files] if isinstance(files, (str, Path)) else list(files)


def _no_calendar(export: Export) -> str:
    """Why an export cannot be joined by date."""
    rows = export.rows
    if export.kind in _TIMED and "grain" in rows.columns and len(rows) and (rows["grain"] == "range").all():
        first, last = rows["date"].min(), rows["date_end"].max()
        return f"each row stands for the whole range {first:%Y-%m-%d} to {last:%Y-%m-%d}; export it by day"
    return ""


def refuse_spending(files: Files, rules: Rules) -> None:
    """Refuse the word that nothing was spent beside a file that says otherwise.

    Raises
    ------
    DesignError
        Naming the files.
    """
    tables: tuple[Export | Lake, ...] = (*files.ads, *files.unjoined, *files.lakes)
    spending = [one.name for one in tables if one.kind == "ads"]
    if rules.nothing_spent and spending:
        raise DesignError(
            "it was said that nothing was spent on advertising, and a file says otherwise",
            got=", ".join(spending),
            fix="leave out --nothing-spent (nothing_spent=True in Rules), or the file",
        )


def _pseudonyms(found: Mapping[str, str]) -> dict[str, str]:
    ours = {*platforms()["platform"], *_FORMATS}
    shown: dict[str, str] = {}
    counts = Counter[str]()
    names: dict[tuple[bool, str], str] = {}
    for value, called in found.items():
        named = called in ("account", "entity")
        if value in ours and not named:
            continue
        # an account and its shop may be spelt differently, and are one
        key = (named, plain_name(value) if named else value)
        if key not in names:
            counts[called] += 1
            names[key] = f"{called} {counts[called]}"
        shown[value] = names[key]
    return shown


def _short(found: Iterable[str]) -> dict[str, str]:
    """Labels that are too long or hold what no line can show."""
    shown: dict[str, str] = {}
    for value in found:
        line = " ".join("".join(c if c.isprintable() else " " for c in value).split())
        if line == value and len(line) <= LONGEST:
            continue
        short = line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
        taken, number = {*shown.values(), *found}, 2
        name = short or "(blank)"
        while name in taken:
            name, number = f"{short[: LONGEST - 6]} ({number})", number + 1
        shown[value] = name
    return shown
