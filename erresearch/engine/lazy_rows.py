"""The rows behind moments, still lazy: complete rows, safe names, an origin near the means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.group_keys import coded, refuse_blurred, sum_into
from erresearch.engine.sources import Opened, check_text, gather, open_rows
from erresearch.engine.table_files import check_files
from erresearch.errors import DataError, DesignError, EngineError
from erresearch.io import pl
from erresearch.io.resources import share_of_memory

Array = np.ndarray[Any, Any]
Column = str | nw.Expr

HEAD = 10_000  # rows that place the origin
ROWS_BYTES = 1 << 30  # of rows that are brought into memory
#: Sums by account that are brought out of the engine at most, and rows that wait in it.
DRIVER_BYTES: Final = 1 << 30
#: Accounts that Polars sums as their rows come, and accounts of a slice where there are more.
_HOT, _SLICE = 50_000, 40_000
#: Scramble of an account's place: products stay below 2⁶³.
_PRIME, _FACTOR, _SHIFT = 2**31 - 1, 742_938_285, 1_226_874_159


@dataclass(frozen=True, slots=True, kw_only=True)
class LazyRows:
    """The rows behind moments, still lazy: what a further pass is made of.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        Needed columns only, numbers as Float64; not yet filtered.
    columns : tuple of str
        Names of the number columns, as in the moments.
    names : tuple of str
        Their names inside `frame`; use :meth:`col` and :meth:`z`, which know them.
    origin : (k,) ndarray
        The point near the means from which :meth:`z` measures.
    account, period, weight : str or None
        Names inside `frame` of the account, time and weight columns.
    whole : bool
        Whether `frame` holds complete rows only, so that a pass need not look.
    small : bool
        Whether the rows came in memory and are few, so that sums can be the same to the last bit each time.
    groups : int
        Number of groups that accounts are summed in before they are brought here; 0 where each comes by itself.
    cuts : tuple of (key, int)
        Where accounts are summed a slice of them at a time (:func:`sliced`): first key of each further slice, and how
        many accounts come before it.
    lost : mapping of str to int, optional
        Rows left out already, by reason, where they have been counted (small tables).

    Examples
    --------
    >>> import polars as pl
    >>> from erresearch.engine.moments import Moments
    >>> posts = pl.DataFrame({"shop": ["a", "a", "b"], "likes": [1.0, 3.0, 8.0]})
    >>> source = Moments.from_frame(posts, ["likes"], by="shop").source
    >>> source.total([source.col("likes").max().alias("most")])
    {'most': 8.0}
    >>> keys, values = source.by_account([source.col("likes").exp().sum().alias("e")])
    >>> keys.tolist(), values["e"].round(1).tolist()
    (['a', 'b'], [22.8, 2981.0])
    """

    frame: nw.LazyFrame[Any]
    columns: tuple[str, ...]
    names: tuple[str, ...]
    origin: Array
    account: str | None = None
    period: str | None = None
    weight: str | None = None
    whole: bool = False
    small: bool = False
    groups: int = 0
    cuts: tuple[tuple[Any, int], ...] = ()
    lost: Mapping[str, int] | None = None

    def col(self, name: str) -> nw.Expr:
        """Column `name` as it is."""
        return nw.col(self.names[self.columns.index(name)])

    def z(self, name: str) -> nw.Expr:
        """Column `name` minus its origin: safe to multiply however large the column's level is."""
        index = self.columns.index(name)
        return nw.col(self.names[index]) - float(self.origin[index])

    def w(self) -> nw.Expr:
        """Row weight (1 where the moments have none)."""
        return nw.lit(1.0) if self.weight is None else nw.col(self.weight)

    def complete(self) -> nw.LazyFrame[Any]:
        """Only the complete rows, the ones that the moments count."""
        if self.whole:
            return self.frame
        return self.frame.filter(
            nw.all_horizontal(*[holds for _, holds in conditions(self)], ignore_nulls=False)
        )

    def staged(self, rows: nw.LazyFrame[Any], account: str) -> LazyRows:
        """The same accounts over columns that are worked out once and named, not again in each sum."""
        key = None if self.account is None else account
        bare = replace(self, frame=rows, columns=(), names=(), origin=np.zeros(0), account=key, whole=True)
        return replace(bare, period=None, weight=None)

    def total(self, expressions: Sequence[nw.Expr]) -> dict[str, float]:
        """One pass: each expression aggregates the complete rows to one number."""
        table = gather(self.complete().select(*expressions), small=self.small)
        return {name: float(table[name][0] or 0.0) for name in table.columns}

    def by_account(
        self, expressions: Sequence[nw.Expr], *, then: Sequence[nw.Expr] = ()
    ) -> tuple[Array, dict[str, Array]]:
        """One pass: each expression aggregates an account to one number; keys in the order of the moments.

        Where accounts come in groups the numbers of a group's accounts are added up. `then` are expressions of an
        account's numbers that take their place before that.
        """
        key = [] if self.account is None else [self.account]

        def accounts(part: LazyRows) -> nw.LazyFrame[Any]:
            sums = aggregated(part.complete(), key, expressions)
            return sums.select(*key, *then) if then else sums

        table = self.gathered(accounts)
        keys, position = self.keys_in(table)
        table = table.drop(key)
        return keys, {name: sum_into(numbers(table[name]), position, len(keys)) for name in table.columns}

    def keys_in(self, table: pl.DataFrame) -> tuple[Array, Array]:
        """Accounts of a table that was brought here, as sorted text, and the place of each row's among them."""
        return coded(None if self.account is None else table[self.account], len(table))

    def gathered(self, numbers_of: Callable[[LazyRows], nw.LazyFrame[Any]]) -> pl.DataFrame:
        """Numbers of accounts brought here, slice by slice; of groups of accounts where there are groups.

        A group has one row for each slice then, to be added up.
        """
        key = nw.col(self.account or "")
        starts = [(None, 0), *self.cuts]
        tables = []
        for (start, before), end in zip(starts, [*(cut for cut, _ in self.cuts), None], strict=True):
            edges = [] if start is None else [key >= start]
            edges += [] if end is None else [key < end]
            part = replace(self, frame=self.frame.filter(*edges)) if edges else self
            found = in_groups(numbers_of(part), self.account, self.groups, before=before)
            tables.append(gather(found, small=self.small))
        return pl.concat(tables) if len(tables) > 1 else tables[0]

    def collect(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Bring the complete rows into memory under their own names (small tables only).

        Account, period and weight follow as ``__account__``, ``__period__`` and ``__weight__`` where they are set.

        Raises
        ------
        DesignError
            If they would take more than 1 GiB, or a quarter of :func:`erresearch.memory_limit`.
        """
        chosen = self.columns if columns is None else tuple(columns)
        extra = [name for name in (self.account, self.period, self.weight) if name is not None]
        each, most = 8 * (len(chosen) + len(extra)), share_of_memory(ROWS_BYTES)
        rows = 0 if self.small else int(self.total([nw.len().alias("rows")])["rows"])
        if rows * each > most:
            raise DesignError(
                "this needs the rows in memory, and they do not fit",
                got=f"{rows:,} complete rows of {each} bytes: {rows * each / 2**30:.3g} GiB",
                allowed=f"{most / 2**30:.3g} GiB ({most // each:,} rows)",
                fix="take a sample of the accounts, or longer periods",
            )
        inside = [self.col(name).alias(f"c{i}") for i, name in enumerate(chosen)]
        table = gather(self.complete().select(*inside, *[nw.col(name) for name in extra]))
        table.columns = [*chosen, *extra]
        return table


def sliced(source: LazyRows) -> LazyRows:
    """Rows whose accounts are to be summed a slice at a time, where Polars would else hold all rows at once.

    Its streaming engine keeps sums by key for some ten thousand keys; rows of further keys wait in memory, with every
    product that is to be summed, until the end (20 million rows, 100,000 accounts, 7 columns: 5.7 GB). A slice of the
    accounts at a time costs a further reading and keeps that within bounds; other engines go to the disk.

    Parameters
    ----------
    source : LazyRows
        Rows.

    Returns
    -------
    LazyRows
        With its cuts; the same where there is no need.
    """
    key = source.account
    if key is None or source.small or not source.frame.implementation.is_polars():
        return source
    dtype = source.frame.collect_schema()[key]
    if not (dtype.is_integer() or dtype in (nw.String, nw.Date, nw.Datetime)):
        return source
    if not expects_accounts(source, _HOT):
        return source
    waiting = row_count(source) * account_bytes(len(source.columns))
    most = share_of_memory(DRIVER_BYTES)
    if waiting <= most:
        return source
    keys = source.complete().select(key)
    accounts = int(gather(keys.select(nw.col(key).n_unique().alias("accounts")))["accounts"][0])
    if accounts <= _HOT:
        return source
    step = -(-accounts // min(-(-waiting // most), -(-accounts // _SLICE)))
    numbered = keys.unique().with_row_index("number", order_by=key)
    firsts = gather(numbered.filter(nw.col("number") % step == 0, nw.col("number") > 0)).sort("number")
    return replace(source, cuts=tuple(zip(firsts[key].to_list(), firsts["number"].to_list(), strict=True)))


def account_bytes(columns: int) -> int:
    """Bytes that one account takes: k(k + 1)/2 cross-products, k sums, a count and a weight, 8 bytes each.

    Examples
    --------
    >>> account_bytes(7), DRIVER_BYTES // account_bytes(7)
    (296, 3627506)
    """
    return 8 * (columns * (columns + 1) // 2 + columns + 2)


def row_count(source: LazyRows) -> int:
    """Rows, complete or not."""
    return int(gather(source.frame.select(nw.len().alias("rows")))["rows"][0])


def expects_accounts(source: LazyRows, least: float) -> bool:
    """Whether the first rows let expect `least` accounts or more; rows are counted only where it may be so."""
    assert source.account is not None
    keys = gather(source.frame.select(source.account).head(HEAD))[source.account]
    distinct, runs = keys.n_unique(), int((keys != keys.shift(1)).sum()) + 1
    if len(keys) < HEAD:
        return distinct >= least
    # runs of one account as draws: pairs among the first ones (birthdays), but no more than there are runs in all
    pairs = runs * runs / (2 * max(runs - distinct, 0.5))
    return pairs >= least and row_count(source) * runs / HEAD >= least


def in_groups(
    accounts: nw.LazyFrame[Any], key: str | None, groups: int, *, before: int = 0
) -> nw.LazyFrame[Any]:
    """Numbers of accounts added up by group.

    The group is drawn from an account's place in the order of the keys by a fixed scramble (a cubic congruence). Were
    it the place mod `groups`, a pattern in the keys (every fifth a shop, ids that grow with age) would go into the
    groups and make sums of independent accounts look alike, or unlike.

    Parameters
    ----------
    accounts : narwhals.LazyFrame
        One row per account, numbers beside the key.
    key : str or None
        The account column, which names the group then; without one nothing is to be grouped.
    groups : int
        Number of groups; 0 leaves the accounts as they are.
    before : int
        How many accounts come before these.

    Returns
    -------
    narwhals.LazyFrame
    """
    if key is None or not groups:
        return accounts
    names = accounts.collect_schema().names()
    taken = {name.casefold() for name in names}
    index, group = free_name("number", taken), free_name("group", taken)
    place = ((nw.col(index).cast(nw.Int64()) + before) * _FACTOR + _SHIFT) % _PRIME
    drawn = (place * place % _PRIME * place + _SHIFT) % _PRIME % groups
    table = accounts.with_row_index(index, order_by=key).with_columns(drawn.alias(group))
    sums = [nw.col(name).sum() for name in names if name != key]
    return table.group_by(group).agg(*sums).rename({group: key})


def aggregated(
    rows: nw.LazyFrame[Any], keys: Sequence[str], expressions: Sequence[nw.Expr]
) -> nw.LazyFrame[Any]:
    """Expressions that aggregate the rows of each key, or all rows where there is no key."""
    return rows.group_by(*keys).agg(*expressions) if keys else rows.select(*expressions)


def conditions(source: LazyRows) -> list[tuple[str, nw.Expr]]:
    """What makes a row complete, each with the words for its absence.

    Parameters
    ----------
    source : LazyRows
        The rows.

    Returns
    -------
    list of (str, narwhals.Expr)
        In the order in which a row's first lack is counted.
    """
    found: list[tuple[str, nw.Expr]] = []
    schema = source.frame.collect_schema()
    for name, words in ((source.account, "account missing"), (source.period, "period missing")):
        if name is not None:
            there = ~nw.col(name).is_null()
            found.append((words, there & ~nw.col(name).is_nan() if schema[name].is_float() else there))
    if source.weight is not None:
        weight = nw.col(source.weight)
        found += [
            ("weight not finite", _finite(weight)),
            ("weight negative", weight >= 0),
            ("weight zero", weight > 0),
        ]
    pairs = zip(source.columns, source.names, strict=True)
    return found + [(f"not finite: {column}", _finite(nw.col(name))) for column, name in pairs]


def lacks(source: LazyRows) -> dict[str, int]:
    """Rows that are not complete, by the first thing that they lack.

    Raises
    ------
    DataError
        If a weight is below 0.
    """
    words, holds = zip(*conditions(source), strict=True)
    names = [f"d{i}" for i in range(len(holds))]
    # rows that are whole up to each condition: what one of them lacks first is what the count falls by
    counts = [
        nw.all_horizontal(*names[: i + 1], ignore_nulls=False).cast(nw.Int64).sum().alias(name)
        for i, name in enumerate(names)
    ]
    flags = source.frame.select(*(flag.alias(name) for name, flag in zip(names, holds, strict=True)))
    table = gather(flags.select(nw.len().alias("rows"), *counts), small=source.small)
    left = [int(table[name][0] or 0) for name in ["rows", *names]]
    lost = {word: before - after for word, before, after in zip(words, left, left[1:], strict=False)}
    return _lost(lost, left[0])


def _lost(counts: Mapping[str, int], rows: int) -> dict[str, int]:
    """Rows that are left out, by reason; weights below 0 are refused."""
    if counts.get("weight negative"):
        raise DataError(
            "a weight is negative",
            got=f"{counts['weight negative']} of {rows} rows",
            allowed="weights above 0; rows of weight 0 are left out and counted",
        )
    return {words: count for words, count in counts.items() if count}


def _finite(value: nw.Expr) -> nw.Expr:
    # only some engines take NaN for null: both are asked for
    return ~value.is_null() & value.is_finite()


def numbers(column: pl.Series) -> Array:
    """Values of an aggregate; SQL gives null for the sum of no rows.

    Parameters
    ----------
    column : polars.Series
        Numbers.

    Returns
    -------
    ndarray
        With 0 for null.
    """
    return column.fill_null(0).to_numpy()


def prepare(
    data: Any, columns: Sequence[Column], *, by: str | None, period: str | None, weights: str | None
) -> tuple[LazyRows, Opened]:
    """Open the rows, check the columns asked for and choose the origin.

    Parameters
    ----------
    data : frame or path
        See :func:`erresearch.engine.sources.open_rows`.
    columns : sequence of str or narwhals.Expr
        Number columns.
    by, period, weights : str or None
        Account, time and weight columns.

    Returns
    -------
    source : LazyRows
        The lazy rows.
    opened : Opened
        The rows as they came, for :func:`count_dropped`.
    """
    keys = [name for name in (by, period) if name is not None]
    opened = open_rows(data, columns, keys, weights, period=period)
    names = _inner_names(opened.names)
    taken = {name.casefold() for name in names}
    account, time, weight = (
        None if column is None else free_name(label, taken)
        for label, column in (("__account__", by), ("__period__", period), ("__weight__", weights))
    )
    values = [opened.number(c).alias(n) for c, n in zip(columns, names, strict=True)]
    keyed = ((by, account), (period, time))
    others = [opened.column(c).alias(n) for c, n in keyed if c is not None and n is not None]
    if weights is not None and weight is not None:
        others.append(opened.number(weights).alias(weight))
    frame = opened.frame.select(*values, *others)
    if by is not None and account is not None:
        check_ids(frame, account, by)
    source = LazyRows(
        frame=frame,
        columns=opened.names,
        names=names,
        origin=np.zeros(len(names)),
        account=account,
        period=time,
        weight=weight,
        small=opened.small,
    )
    try:
        if opened.small:
            return _held(source), opened
        head = gather(opened.frame.head(HEAD).select(*values))
        return replace(source, origin=_origin(head, names)), opened
    except EngineError:
        # an expression that cannot read text fails here first: say which column holds it
        check_text(opened.parts, opened.roots)
        check_files(opened.parts)
        raise


def check_ids(frame: nw.LazyFrame[Any], account: str, by: str) -> None:
    """Refuse accounts whose ids lost digits as floats (:func:`erresearch.engine.group_keys.refuse_blurred`).

    Parameters
    ----------
    frame : narwhals.LazyFrame
        Rows.
    account, by : str
        The account column in them, and what it is called outside.
    """
    if frame.collect_schema()[account].is_float():
        size = nw.col(account).cast(nw.Float64()).abs()
        known = nw.when(_finite(size)).then(size)
        refuse_blurred(by, "the table", gather(frame.select(known.max().alias("most")))["most"][0])


def _inner_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names that no engine reads as a pattern, as nothing, or as another column in other letters."""
    out: list[str] = []
    taken = {name.casefold() for name in names}
    for i, name in enumerate(names):
        pattern = name in ("", "*") or (name.startswith("^") and name.endswith("$"))
        double = any(name.casefold() == other.casefold() for other in names[:i])
        out.append(free_name(f"column {i}", taken) if pattern or double else name)
    return tuple(out)


def free_name(name: str, taken: set[str]) -> str:
    """A name that is not taken yet, in any letter case; it is then.

    Parameters
    ----------
    name : str
        The name wanted.
    taken : set of str
        Case-folded names in use; gets the new one.

    Returns
    -------
    str
        `name`, with underscores where needed.

    Examples
    --------
    >>> free_name("part", {"part"})
    'part_'
    """
    while name.casefold() in taken:
        name += "_"
    taken.add(name.casefold())
    return name


def _origin(head: pl.DataFrame, names: Sequence[str]) -> Array:
    """Near the means, on a grid a little finer than the spread, so that z − o is exact wherever it can be."""
    out = np.zeros(len(names))
    for i, name in enumerate(names):
        value = head[name].to_numpy()
        value = value[np.isfinite(value)]
        if value.size:
            with np.errstate(over="ignore", invalid="ignore"):
                out[i] = near(float(np.mean(value)), float(np.std(value)), float(value[0]))
    return out


def _held(source: LazyRows) -> LazyRows:
    """Few rows brought here once: complete ones for every pass to come, the others counted by their first lack.

    What :func:`conditions` asks an engine is asked of arrays here, which takes a tenth of the time.
    """
    table = gather(source.frame, small=True)
    if table.is_empty():
        raise no_rows()
    found: list[tuple[str, Array]] = []
    for name, words in ((source.account, "account missing"), (source.period, "period missing")):
        if name is not None:
            key = table[name]
            there = ~np.isnan(key.to_numpy()) if key.dtype.is_float() else key.is_not_null().to_numpy()
            found.append((words, there))
    if source.weight is not None:
        w = table[source.weight].to_numpy()
        found += [
            ("weight not finite", np.isfinite(w)),
            ("weight negative", ~(w < 0)),
            ("weight zero", w != 0),
        ]
    for column, name in zip(source.columns, source.names, strict=True):
        found.append((f"not finite: {column}", np.isfinite(table[name].to_numpy())))
    left, counts = np.ones(len(table), dtype=bool), {}
    for words, holds in found:
        counts[words] = int(np.count_nonzero(left & ~holds))
        left &= holds
    complete = table if left.all() else table.filter(left)
    lost, origin = _lost(counts, len(table)), _origin(table.head(HEAD), source.names)
    return replace(source, frame=nw.from_native(complete.lazy()), origin=origin, whole=True, lost=lost)


def no_rows() -> DataError:
    """The error of an empty table."""
    return DataError("the table has no rows", got="0 rows", fix="check the filter or the file it came from")


def near(mean: float, spread: float, first: float) -> float:
    """Round `mean` to a grid of a power of two below `spread`; a constant column gives its own value.

    Parameters
    ----------
    mean, spread : float
        Mean and standard deviation of some values.
    first : float
        One of the values.

    Returns
    -------
    float
        A number near the mean with few digits, so that subtracting it loses nothing.

    Examples
    --------
    >>> near(1e9 + 0.3, 1.0, 1e9)
    1000000000.25
    >>> near(5.1, 0.0, 5.1)
    5.1
    """
    if not np.isfinite(mean) or not np.isfinite(spread):
        return 0.0
    if spread <= abs(mean) * 1e-15:
        return first
    grid = 2.0 ** (np.floor(np.log2(spread)) - 2)
    return float(np.round(mean / grid) * grid)
