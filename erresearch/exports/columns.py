"""From a table's cells to canonical columns: rows that are no data are set aside with a count, cells get their type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from erresearch.errors import ColumnError, Count, DataError, argument, in_mapping
from erresearch.exports.layouts import KEPT, Format, Kind, Settings, load_registry, normalise
from erresearch.exports.log import ReadLog, TextColumn
from erresearch.exports.numbers import Numbers, currency_in, parse_numbers, same_sign, show_code
from erresearch.exports.privacy import hashed, may_hold_contacts, names_people, without_contacts
from erresearch.exports.tables import ExportTable, is_note, zone_columns
from erresearch.io import pl

# the platform's own sentence about a table that it cut
_CUT = r"(?i)\b(top|first|erste[nr]?|eerste|prim(?:er[ao]s|eiros)|premi(?:er|ère)s|первы[ех])\s+\d"
OTHER_CURRENCY = "no amounts in this currency"
"""`code` of the error that a file holds none in the currency that was chosen."""
_NEVER_A_WORD = ("time", "id")
_LAST = 20
_HANDLES = {"tiktok": r"tiktok\.com/@([^/?]+)", "x": r"(?:twitter|x)\.com/([^/?]+)/status"}
# times the median of an account from which a value is looked at, and how many values tell the median
_FAR, _MANY = 100, 20
_TRUE = ["true", "1", "yes", "y", "ja", "si", "sí", "oui", "да", "wahr", "waar", "verdadero"]
_FALSE = ["false", "0", "no", "n", "nee", "nein", "non", "нет", "falsch", "onwaar", "falso"]


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """Canonical columns, still as text, of the rows that are data.

    Parameters
    ----------
    frame : polars.DataFrame
        Text columns by canonical name, and ``row``, the row number.
    totals : polars.DataFrame
        The same for the rows that sum others.
    table : ExportTable
        Where they come from; of several stacked tables the first.
    settings : Settings
        What the caller says.
    log : ReadLog
        Takes guesses, cautions and rows set aside.
    """

    frame: pl.DataFrame
    totals: pl.DataFrame
    table: ExportTable
    settings: Settings
    log: ReadLog

    @property
    def layout(self) -> Format:
        """The layout."""
        return self.table.match.layout

    @property
    def rows(self) -> pl.Series:
        """Row numbers."""
        return self.frame["row"]

    def header(self, target: str) -> str:
        """The header of a canonical column as printed."""
        return self.table.printed(target) if target in self.table.match.columns else target

    def column(self, target: str) -> TextColumn:
        """A canonical column as it stands in the file."""
        return TextColumn(self.frame[target], self.rows, self.header(target), self.log)

    def said(self, target: str) -> pl.Series:
        """The cells of a column without white space around them; blank where the file has no such column."""
        if target not in self.frame.columns:
            return pl.repeat("", self.frame.height, eager=True)
        return self.frame[target].str.strip_chars()

    def with_frame(self, frame: pl.DataFrame) -> Draft:
        """The same of other rows."""
        return replace(self, frame=frame)

    def unheard(self) -> Draft:
        """The same with a log of its own, so that what is said is said once."""
        return replace(self, log=ReadLog(self.log.name))


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """Canonical rows of one export.

    Parameters
    ----------
    frame : polars.DataFrame
        The rows.
    used : int
        How many rows of the file they stand for.
    kind : str
        What a row is.
    exported_at : datetime.date or None
        Day of the export, where the file says it.
    """

    frame: pl.DataFrame
    used: int
    kind: Kind
    exported_at: dt.date | None = None


def draft_of(table: ExportTable, settings: Settings, log: ReadLog) -> Draft:
    """Take the canonical columns out of a table and set aside the rows that are no data.

    Raises
    ------
    ColumnError
        If two columns have the same header and different cells.
    """
    _refuse_twins(table)
    table = _of_one_currency(table, settings, log)
    wanted = {t: i for t, i in table.match.loaded.items() if f"c{i}" in table.cells.columns}
    frame = pl.DataFrame([table.rows, *(table.cells[f"c{i}"].alias(target) for target, i in wanted.items())])
    frame = _with_clocks(frame, table, wanted)
    drafted = Draft(frame, frame.clear(), table, settings, log)
    if not wanted:
        return drafted
    key = _key(table, wanted)
    filled_key = frame[key].str.strip_chars()
    empty_key = filled_key == ""
    if empty_key.any():
        some = table.cells.filter(empty_key)
        nothing = table.rows.filter(empty_key).filter(_say_nothing(some, some.columns))
        blank = frame["row"].is_in(nothing.to_list())
        frame = log.set_aside(frame, blank, "out_of_scope", "blank lines")
        filled_key = filled_key.filter(~blank)
    repeated = filled_key == table.header[wanted[key]].strip()
    frame = log.set_aside(frame, repeated, "out_of_scope", "the row of headers again", warn=True)
    notes = _note_mask(frame, key)
    if notes.any() and frame[key].filter(notes).str.contains(_CUT).any():
        warn_cut("the platform writes below the table that it shows a first part only", log, frame.height)
    frame = log.set_aside(frame, notes, "out_of_scope", "a sentence below the table", warn=True)
    summed = _total_mask(frame, table)
    if summed.any():
        drafted = replace(drafted, totals=frame.filter(summed))
        log.note(f"set aside as sums of others: {Count(drafted.totals.height):row}")
        frame = log.set_aside(frame, summed, "totals", "rows that sum others")
    if empty_key.any() and table.match.layout.errors and set(table.match.layout.errors) <= set(wanted):
        empty, filled = (frame[name].str.strip_chars() for name in table.match.layout.errors)
        failed = (empty == "") & (filled != "")
        reason = "the platform could not compute the row"
        frame = log.set_aside(frame, failed, "error_rows", reason, warn=True)
    return _without_contacts(drafted.with_frame(frame))


def by_figure(drafted: Draft) -> list[Draft]:
    """The rows of a table of one figure a row, as a draft for each figure that the mapping names; any other as it is."""
    figures, log = drafted.layout.figures, drafted.log
    if not figures:
        return [drafted]
    named = {normalise(word): target for target, words in figures.items() for word in words}
    words = drafted.frame["metric"]
    targets = {word: named.get(normalise(word)) for word in words.unique()}
    absent = [repr(words[0]) for target, words in figures.items() if target not in targets.values()]
    if absent:
        raise ColumnError(
            f"{log.name}, column {drafted.header('metric')!r} never says {' nor '.join(absent[:3])}",
            got=f"{Count(words.n_unique()):different word}",
            fix=f"write the words of figures as the file has them {in_mapping()}",
        )
    target = words.replace_strict(targets, return_dtype=pl.String)
    reason = "figures that the mapping does not name"
    log.set_aside(drafted.frame, target.is_null(), "out_of_scope", reason, warn=True)
    frame = drafted.frame.drop("metric")
    return [drafted.with_frame(frame.filter(target == name).rename({"value": name})) for name in figures]


def _with_clocks(frame: pl.DataFrame, table: ExportTable, wanted: Mapping[str, int]) -> pl.DataFrame:
    """Days with the clock, and its zone, that stand in columns of their own."""
    frame = _with_years(frame)
    if "time" not in frame.columns:
        return frame
    day = next((name for name in ("published_at", "date") if name in frame.columns), "")
    clock = frame["time"].cast(pl.String).str.strip_chars()
    frame = frame.drop("time")
    if not day or wanted[day] == wanted["time"] or frame[day].str.contains(r"\d:\d").any():
        return frame
    clock = clock.str.replace(r"^(\d{1,2})$", "$1:00")
    parts = [pl.col(day).str.strip_chars(), clock]
    for position in zone_columns(table.match, table.header):
        zone = table.cells[f"c{position}"].str.strip_chars()
        parts += [zone] if zone.is_in([*load_registry().offsets, ""]).all() else []
    moments = frame.select(pl.concat_str(parts, separator=" ").str.strip_chars()).to_series()
    return frame.with_columns(moments.zip_with(clock != "", frame[day]).alias(day))


def _with_years(frame: pl.DataFrame) -> pl.DataFrame:
    """Days, weeks or months whose year stands in a column of its own."""
    there = [name for name in ("year_of", "week_of", "month_of", "day_of") if name in frame.columns]
    parts = {name: frame[name].cast(pl.String).str.strip_chars() for name in there}
    frame = frame.drop(there)
    if "year_of" not in parts or frame["date"].cast(pl.String).str.contains(r"\d{4}").any():
        return frame
    whole = pl.DataFrame(parts).with_columns(pl.col(there).str.replace(r"\.0$", ""))
    if "week_of" in parts:
        made = pl.concat_str("year_of", pl.lit("-W"), pl.col("week_of").str.extract(r"(\d+)$", 1))
    elif "month_of" not in parts:
        return frame
    elif whole["month_of"].str.contains(r"\p{L}").any():
        made = pl.concat_str(there[::-1], separator=" ")
    else:
        made = pl.concat_str(pl.col(there).str.zfill(2), separator="-")
    return frame.with_columns(whole.select(made).to_series().alias("date"))


def _without_contacts(drafted: Draft) -> Draft:
    """Labels and ids that are somebody's address or number become hashes, which mean nothing after this run."""
    frame, table, registry = drafted.frame, drafted.table, load_registry()
    texts = frame.select(pl.col(pl.String)).columns
    labels = [name for name in texts if registry.field(name).cell in ("id", "text")]
    signed = frame.select(may_hold_contacts(pl.col(labels))).row(0, named=True) if labels else {}
    for name in labels:
        people = names_people(table.printed(name))
        if not people and not signed[name]:
            continue
        cells, found = hashed(frame[name]), frame[name] != ""
        if not people:
            ids = registry.field(name).cell == "id" or name == "permalink"
            cells, found = without_contacts(frame[name], ids=ids)
        about = f"column {table.shown([table.match.columns[name]])}: {{count:cell is}} addresses or numbers of people, "
        if drafted.log.count("personal", about + "which stand as hashes of this run", found, frame["row"]):
            frame = frame.with_columns(cells.alias(name))
    return drafted.with_frame(frame)


def _key(table: ExportTable, wanted: Mapping[str, int]) -> str:
    """The column that every row of data fills."""
    layout = table.match.layout
    order = [name for part in (layout.key, *layout.signature) for name in part.split("|")]
    return next((name for name in order if name in wanted), next(iter(wanted)))


def _say_nothing(frame: pl.DataFrame, names: Iterable[str]) -> pl.Series:
    """Which rows hold nothing in some columns; none where there are no columns."""
    empty = [
        pl.col(name).str.strip_chars() == "" if frame[name].dtype == pl.String else pl.col(name).is_null()
        for name in names
    ]
    none = pl.repeat(False, frame.height, eager=True, dtype=pl.Boolean)
    return frame.select(pl.all_horizontal(*empty)).to_series() if empty else none


def _note_mask(frame: pl.DataFrame, key: str) -> pl.Series:
    """Rows that hold nothing but a sentence where a day or an id should be."""
    # the last rows are enough: a sentence further up stands between rows and is to be told like any odd cell
    last = frame.tail(_LAST if load_registry().field(key).cell in _NEVER_A_WORD else 0)
    alone = last.filter(_say_nothing(last, (n for n in last.columns if n not in ("row", key, "account_id"))))
    notes = [row for row, text in alone.select("row", key).iter_rows() if is_note(str(text))]
    return frame["row"].is_in(notes)


def _total_mask(frame: pl.DataFrame, table: ExportTable) -> pl.Series:
    """Rows that sum others, by the words that say so and by the layout's rules."""
    sums = sorted(load_registry().sums)
    key = _key(table, {n: i for n, i in table.match.columns.items() if n in frame.columns})
    types = {name: load_registry().field(name).cell for name in frame.columns if name != "row"}
    found: list[int] = []
    for name in (name for name, kind in types.items() if kind == "time" or (name == key and kind == "id")):
        # ":" is the sign after "9"
        words = ((frame[name] < "0") | (frame[name] >= ":")).arg_true()
        said = frame[name].gather(words).str.strip_chars().str.to_lowercase()
        summed = said.is_in(sums)
        if types[name] == "time":
            # "Subtotal January" as well: no day begins so
            summed = summed | said.str.extract(r"^([\p{L}-]+)", 1).is_in(sums).fill_null(False)
        found += frame["row"].gather(words.filter(summed)).to_list()
    mask = frame["row"].is_in(found)
    for rule in table.match.layout.totals:
        if rule.column == "*":
            # of the rows that are left
            cells = table.cells["c0"].filter(table.rows.is_in(frame["row"].to_list()))
        elif rule.column in frame.columns:
            cells = frame[rule.column]
        else:
            continue
        lower = cells.str.strip_chars().str.to_lowercase()
        if rule.how == "blank":
            mask = mask | (lower == "")
        for text in rule.texts:
            mask = mask | (lower == text if rule.how == "equals" else lower.str.starts_with(text))
    return mask


def entities(drafted: Draft, *, otherwise: str = "") -> pl.Series:
    """Whose each row is: a column of the file, else what the caller says, else the file's own word, else the platform."""
    return drafted.said("entity").replace("", drafted.settings.entity or otherwise or drafted.layout.platform)


def without_copies(frame: pl.DataFrame, log: ReadLog, *, only: pl.Series | None = None) -> pl.DataFrame:
    """Keep the first of rows whose every cell is equal, and count the others.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows.
    log : ReadLog
        Takes those set aside.
    only : polars.Series, optional
        Which rows may be copies at all.

    See Also
    --------
    erresearch.exports.combine_exports : Rows that stand in several exports.
    """
    cells = pl.struct(pl.exclude("row", "source_row"))
    copies = frame.select(cells.is_first_distinct().not_()).to_series()
    copies = copies if only is None else copies & only
    return log.set_aside(frame, copies, "rejected", "copies of an earlier row", warn=True)


def _refuse_twins(table: ExportTable) -> None:
    for target, positions in table.match.twins.items():
        first, *others = (table.cells[f"c{i}"] for i in positions if f"c{i}" in table.cells.columns)
        if any(not first.equals(other.alias(first.name)) for other in others):
            raise ColumnError(
                f"{table.part} has the header {table.printed(target)!r} more than once with different cells",
                got=f"columns {', '.join(str(i + 1) for i in positions)}",
                fix="rename or delete the one that is not wanted",
            )


def _of_one_currency(table: ExportTable, settings: Settings, log: ReadLog) -> ExportTable:
    """Of columns of one figure in several currencies, the one that the caller chooses or that has most amounts."""
    match = table.match
    for target, places in match.mixed.items():
        filled = {
            code: int((table.cells[f"c{i}"].str.strip_chars() != "").sum()) for code, i in places.items()
        }
        what = f"{target} stands in a column for each of several currencies"
        chosen = choose_currency(what, filled, settings.currency, log)
        columns = {**match.columns, target: places[chosen]}
        match = replace(match, columns=columns, currencies={**match.currencies, target: chosen})
    return replace(table, match=match)


def choose_currency(what: str, counts: Mapping[str, int], currency: str | None, log: ReadLog) -> str:
    """Of several currencies the one that the caller chooses or that most amounts are in; the others are told."""
    chosen = (currency or "").upper()
    chosen = chosen if chosen in counts else max(counts, key=lambda code: (counts[code], code))
    others = {code: count for code, count in counts.items() if code != chosen}
    left = ", ".join(f"{count:,} in {show_code(code)}" for code, count in others.items())
    code = next((code for code in others if code in load_registry().currencies), "EUR")
    log.caution(
        "several currencies",
        f"{what}, and amounts of several currencies are never added up: those in {show_code(chosen)} were kept and the "
        f"others left out ({left}); currency={code!r} (--currency {code}) keeps another",
        count=sum(others.values()),
    )
    return chosen


def numeric_targets(drafted: Draft) -> list[str]:
    """Canonical columns of numbers that the draft has."""
    registry, names = load_registry(), drafted.frame.columns
    canonical = (name for name in names if name != "row" and not name.startswith(KEPT))
    return [name for name in canonical if registry.field(name).numeric]


def number_column(drafted: Draft, target: str) -> Numbers:
    """Read one column of a draft as numbers, with the currency of the header, where the header carries one.

    Raises
    ------
    ColumnError
        If the header's currency and the cells' differ.
    """
    match, settings, column = drafted.table.match, drafted.settings, drafted.column(target)
    kind, sign = str(load_registry().field(target).cell), settings.decimal or match.layout.decimal
    found = parse_numbers(column, kind, decimal=sign, fixed=settings.decimal is not None)
    stated = match.currencies.get(target, "")
    if kind == "money":
        stated = stated or currency_in(column.header)
    if stated and found.currency and not same_sign(found.currency, stated):
        raise ColumnError(
            f"{drafted.log.name}, column {column.header!r} names one currency and its cells another",
            got=f"{stated} and {show_code(found.currency)}",
            fix="export it again in one currency",
        )
    return replace(found, currency=stated or found.currency)


def typed(drafted: Draft, targets: Iterable[str]) -> tuple[dict[str, pl.Series], dict[str, str]]:
    """Read columns of numbers.

    Returns
    -------
    columns, currencies
        Float64 by name (and ``rounded``, ``censored`` where some cell is), and the currency of columns of money.
    """
    columns: dict[str, pl.Series] = {}
    currencies: dict[str, str] = {}
    marks: dict[str, pl.Series] = {}
    for target in targets:
        found = number_column(drafted, target)
        values, currency = found.values, found.currency
        if found.codes is not None:
            counts = dict(found.codes.drop_nulls().value_counts(sort=True).iter_rows())
            what = f"the amounts of {target} have the signs of several currencies"
            currency = choose_currency(what, counts, drafted.settings.currency or currency, drafted.log)
            values = values.set((found.codes != currency).fill_null(False), None)
        columns[target] = values.alias(target)
        if currency:
            currencies[target] = currency
        for name, mark in (("rounded", found.rounded), ("censored", found.censored)):
            if mark is not None:
                marks[name] = (marks[name] | mark if name in marks else mark).alias(name)
    return columns | {name: marks[name] for name in ("rounded", "censored") if name in marks}, currencies


def one_currency(frame: pl.DataFrame, drafted: Draft) -> pl.DataFrame:
    """Keep the currency that the caller chooses, or that most amounts are in; the others are counted, never added up.

    Raises
    ------
    DataError
        If the chosen one is not there, or if what stands for currencies names none.
    """
    settings, log = drafted.settings, drafted.log
    named = frame.filter(pl.col("currency") != "")
    order = named.group_by("currency").len().sort("len", "currency", descending=[True, False])
    counts = {str(code): int(count) for code, count in order.iter_rows()}
    known = [code for code in counts if code in load_registry().currencies]
    wanted = settings.currency.upper() if settings.currency else next(iter(known or counts), "")
    if not counts:
        if wanted:
            log.note(f"amounts are in {wanted}, as given")
        return frame.with_columns(pl.lit(wanted).alias("currency"))
    if wanted not in counts and len(counts) == 1 and any(guess.name == "currency" for guess in log.guesses):
        return frame.with_columns(pl.lit(wanted).alias("currency"))
    if wanted not in counts or (len(counts) > 1 and not known):
        raise DataError(
            f"{log.name} holds no amounts in {wanted if settings.currency else 'a currency that is known'}",
            got=", ".join(map(show_code, sorted(counts)[:6])),
            fix=f"choose one of these with {argument('currency')}",
            code=OTHER_CURRENCY,
        )
    kept = frame.filter(pl.col("currency").is_in([wanted, ""]))
    if kept.height == frame.height:
        return frame
    if not settings.currency:
        choose_currency("the rows are in several currencies", counts, wanted, log)
    reason = f"amounts in other currencies than {wanted}"
    log.remove("out_of_scope", reason, lost_rows(frame, kept), warn=True)
    return kept


def lost_rows(before: pl.DataFrame, after: pl.DataFrame) -> list[int]:
    """Rows of the file that stand in one table and in a later one no more."""
    return sorted({*before["source_row"]} - {*after["source_row"]})


def account_of(drafted: Draft, *, platform: str = "") -> pl.Series:
    """Who published each row: a column, else the handle in the address, else one name for all."""
    frame, platform = drafted.frame, platform or drafted.layout.platform
    named = [name for name in ("account", "account_id") if name in frame.columns]
    given = drafted.settings.account
    if named:
        account = drafted.said(named[0])
        if "account_id" in named:
            account = account.zip_with(account != "", frame["account_id"])
        return account.replace("", given or "unknown")
    if given:
        return pl.repeat(given, frame.height, eager=True)
    if "permalink" in frame.columns and platform in _HANDLES:
        handle = frame["permalink"].str.extract(_HANDLES[platform], 1)
        if handle.is_not_null().any():
            return handle.fill_null(handle.drop_nulls().mode().sort()[0])
    reason = "the file names no account, so all rows are taken as one"
    drafted.log.guess("account", platform, reason, f"account {in_mapping()}")
    return pl.repeat(platform, frame.height, eager=True)


def compare_totals(drafted: Draft, frame: pl.DataFrame) -> None:
    """Compare the platform's own row of totals with the sums of the rows, where a figure may be added up."""
    # of several rows only a platform's own order tells which sums all
    whole = drafted.totals.height == 1 or any(rule.how == "prefix" for rule in drafted.layout.totals)
    if not (drafted.totals.height and whole and frame.height):
        return
    totals = drafted.unheard().with_frame(drafted.totals.head(1))
    try:
        stated, _ = typed(totals, numeric_targets(totals))
    except DataError:
        return
    off = []
    for name in (name for name in stated if name in frame.columns and name != "followers_gained"):
        field, total, summed = load_registry().field(name), stated[name][0], frame[name].sum()
        added_up = field.cell in ("count", "money") and not (field.people or field.stock)
        if added_up and total and abs(total - summed) > 0.005 * abs(total):
            off.append(f"{name} to {summed / total:.0%}")
    if off:
        drafted.log.caution(
            "totals",
            f"the rows do not add up to the platform's row of totals ({'; '.join(off[:4])}): the table may be a part",
        )


def rows_of(drafted: Draft, columns: Mapping[str, object], *, dated: bool) -> pl.DataFrame:
    """Canonical rows: columns, or one text for all rows, with the number of each row and the columns that are kept.

    Where they are `dated`, rows without a date are rejected.
    """
    made = {name: pl.lit(one) if isinstance(one, str) else one for name, one in columns.items()}
    frame = drafted.frame.select(pl.col("row").alias("source_row")).with_columns(**made)  # type: ignore[arg-type]
    frame = frame.select(*columns, "source_row").with_columns(further(drafted).values())
    return without_gaps(frame, "date", "no date", drafted.log) if dated else frame


def warn_cut(text: str, log: ReadLog, rows: int) -> None:
    """Say that a table is a selection."""
    log.caution("cut table", f"{text}, so the posts are selected on their success", count=rows)


def check_spikes(frame: pl.DataFrame, names: Sequence[str], log: ReadLog) -> None:
    """Count values of a hundred times the account's median: somebody may have bought them, or counted wrongly.

    Nothing is changed: what went viral looks alike.
    """
    # a median lies between the least and the most, so most columns are done with at one look
    wide = frame.select(
        (pl.col(name).max() > _FAR * pl.when(pl.col(name) > 0).then(pl.col(name)).min()).alias(name)
        for name in names
    )
    names = [name for name in names if wide[name].any()]
    if not names:
        return
    some = {name: pl.col(name).filter(pl.col(name) > 0) for name in names}
    usual = frame.group_by("account").agg(
        *(positive.median().alias(f"usual {name}") for name, positive in some.items()),
        *(positive.count().alias(f"count {name}") for name, positive in some.items()),
        *(pl.col(name).max().alias(f"most {name}") for name in names),
    )
    for name in names:
        bound = pl.when(pl.col(f"count {name}") >= _MANY).then(_FAR * pl.col(f"usual {name}"))
        if not usual.select((pl.col(f"most {name}") > bound).any()).item():
            continue
        bounds = dict(usual.select("account", bound.alias("bound")).iter_rows())
        beyond = frame["account"].replace_strict(bounds, return_dtype=pl.Float64)
        text = f"column {name!r}: {{count:value is}} over {_FAR} times the usual one of their account; they were kept, "
        log.count("spikes", text + "and should be looked at", frame[name] > beyond, frame["source_row"])


def without_gaps(frame: pl.DataFrame, name: str, reason: str, log: ReadLog) -> pl.DataFrame:
    """Reject rows without a value in a column that they cannot do without."""
    return log.set_aside(frame, frame[name].is_null(), "rejected", reason, warn=True)


def further(drafted: Draft) -> dict[str, pl.Series]:
    """The further columns that the caller asked to keep, or to keep hashed, under their own headers.

    The hashed text of a post is called ``caption`` whatever the file calls it, so that two networks can be compared.
    """
    captions, frame = drafted.layout.headers("caption"), drafted.frame
    kept = {
        header: frame[KEPT + header] for header in drafted.settings.keep if KEPT + header in frame.columns
    }
    for header in drafted.settings.hash:
        if KEPT + header in frame.columns:
            kept["caption" if header in captions else header] = hashed(frame[KEPT + header])
    return {name: column.alias(name) for name, column in kept.items()}


def flags(cells: pl.Series) -> pl.Series:
    """Read yes and no in several languages; anything else is missing.

    Examples
    --------
    >>> import polars as pl
    >>> flags(pl.Series(["TRUE", "0", "ja", ""])).to_list()
    [True, False, True, None]
    """
    table = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
    lower = cells.str.strip_chars().str.to_lowercase()
    return lower.replace_strict(table, default=None, return_dtype=pl.Boolean)
