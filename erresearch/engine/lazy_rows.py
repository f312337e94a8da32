"""The rows behind moments, still lazy: brought here from any engine, complete, and their keys as one text for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine import coded, refuse_blurred, sum_into
from erresearch.errors import Count, DataError, DesignError, EngineError, without_cells
from erresearch.io import pl
from erresearch.io.resources import share_of_memory, waiting

Array = np.ndarray[Any, Any]
Names = Sequence[str]
HEAD = 10_000  # rows that place the origin
ROWS_BYTES = 1 << 30  # of rows that are brought into memory
# what Polars, DuckDB, Ibis and Spark all read as a number
_NUMBER = r"^\s*[-+]?((\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[iI]nf(inity)?|[nN]a[nN])\s*$"
_ROW = "__row__"
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

    def row_count(self) -> int:
        """Rows, complete or not."""
        return int(gather(self.frame.select(nw.len().alias("rows")), small=self.small)["rows"][0])

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
                got=f"{Count(rows):complete row} of {each} bytes: {rows * each / 2**30:.3g} GiB",
                allowed=f"{most / 2**30:.3g} GiB ({Count(most // each):row})",
                fix="take a sample of the accounts, or longer periods",
            )
        inside = [self.col(name).alias(f"c{i}") for i, name in enumerate(chosen)]
        table = gather(self.complete().select(*inside, *[nw.col(name) for name in extra]))
        table.columns = [*chosen, *extra]
        return table


def in_groups(
    accounts: nw.LazyFrame[Any], key: str | None, groups: int, *, before: int = 0
) -> nw.LazyFrame[Any]:
    """Numbers of accounts added up by group, which the account column names then.

    The group is drawn from an account's place in the order of the keys (`before` other accounts) by a fixed scramble
    (a cubic congruence). Were it the place mod `groups`, a pattern in the keys (every fifth a shop, ids that grow
    with age) would go into the groups and make sums of independent accounts look alike, or unlike.
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


def count_distinct(rows: nw.LazyFrame[Any], name: str) -> int:
    """How many different values a column has."""
    return int(gather(rows.select(nw.col(name).n_unique().alias("n")))["n"][0])


def aggregated(
    rows: nw.LazyFrame[Any], keys: Sequence[str], expressions: Sequence[nw.Expr]
) -> nw.LazyFrame[Any]:
    """Expressions that aggregate the rows of each key, or all rows where there is no key."""
    return rows.group_by(*keys).agg(*expressions) if keys else rows.select(*expressions)


def conditions(source: LazyRows) -> list[tuple[str, nw.Expr]]:
    """What makes a row complete, each with the words for its absence, in the order in which a first lack is counted."""
    found: list[tuple[str, nw.Expr]] = []
    schema = source.frame.collect_schema()
    for name, words in ((source.account, "account missing"), (source.period, "period missing")):
        if name is not None:
            there = ~nw.col(name).is_null()
            found.append((words, there & ~nw.col(name).is_nan() if schema[name].is_float() else there))
    if source.weight is not None:
        weight = nw.col(source.weight)
        found += [("weight not finite", _finite(weight)), ("weight negative", weight >= 0)]
        found.append(("weight zero", weight > 0))
    pairs = zip(source.columns, source.names, strict=True)
    return found + [(f"not finite: {column}", _finite(nw.col(name))) for column, name in pairs]


def lacks(source: LazyRows) -> dict[str, int]:
    """Rows that are not complete, by the first thing that they lack; weights below 0 are refused."""
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
    return refuse_negative(lost, left[0])


def refuse_negative(counts: Mapping[str, int], rows: int) -> dict[str, int]:
    """Rows that are left out, by reason; weights below 0 are refused."""
    if counts.get("weight negative"):
        raise DataError(
            "a weight is negative",
            got=f"{Count(counts['weight negative'], of=rows):row}",
            allowed="weights above 0; rows of weight 0 are left out and counted",
        )
    return {words: count for words, count in counts.items() if count}


def _finite(value: nw.Expr) -> nw.Expr:
    # only some engines take NaN for null: both are asked for
    return ~value.is_null() & value.is_finite()


def numbers(column: pl.Series) -> Array:
    """Values of an aggregate; SQL gives null for the sum of no rows, which is 0."""
    return column.fill_null(0).to_numpy()


def check_ids(frame: nw.LazyFrame[Any], account: str, by: str) -> None:
    """Refuse accounts whose ids lost digits as floats (:func:`refuse_blurred`); outside their column is called `by`."""
    if frame.collect_schema()[account].is_float():
        size = nw.col(account).cast(nw.Float64()).abs()
        known = nw.when(_finite(size)).then(size)
        refuse_blurred(by, "the table", gather(frame.select(known.max().alias("most")))["most"][0])


def free_name(name: str, taken: set[str]) -> str:
    """A name that is not taken yet, in any letter case; it is then (`taken` holds names case-folded).

    Examples
    --------
    >>> free_name("part", {"part"})
    'part_'
    """
    while name.casefold() in taken:
        name += "_"
    taken.add(name.casefold())
    return name


def no_rows() -> DataError:
    """The error of an empty table."""
    return DataError("the table has no rows", got="0 rows", fix="check the filter or the file it came from")


def near(mean: float, spread: float, first: float) -> float:
    """Round `mean` to a grid of a power of two below `spread`, so that subtracting it loses nothing.

    A constant column gives its own value, of which `first` is one.

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


def gather(frame: nw.LazyFrame[Any], *, small: bool = False) -> pl.DataFrame:
    """Compute a small result where the rows are and bring it here.

    Polars' streaming engine adds partial sums in the order in which its threads end, so that a last bit may differ
    between two runs; where few rows in memory are behind the result (`small`), its other engine gives the same bits.
    """
    try:
        with waiting("a pass over the rows"):
            if frame.implementation.is_polars():
                return frame.collect(engine="in-memory" if small else "streaming").to_native()  # type: ignore[no-any-return]
            return frame.collect(backend="polars").to_native()  # type: ignore[no-any-return]
    except (Exception, pl.exceptions.PanicException) as error:
        raise EngineError(
            "the engine could not compute this pass over the rows",
            got=f"{frame.implementation}: {without_cells(error)}",
            fix="check that the columns hold what the request needs",
        ) from None


def is_text(dtype: Any) -> bool:
    """Whether an engine holds a column as text, or as objects that read as text."""
    return dtype in (nw.String, nw.Categorical, nw.Enum, nw.Object)


def check_text(parts: Sequence[tuple[str, nw.LazyFrame[Any]]], columns: Names) -> None:
    """Look for text among numbers and say where the first one stands.

    `parts` are path and rows of each file, or no path and the one table, as they came; columns that a part does not
    have as text are passed over.
    """
    for path, part in parts:
        schema = part.collect_schema()
        for name in columns:
            if is_text(schema.get(name)):
                where = repr(path) if path else "the table"
                _raise_text(where, part, name, guessed=path.lower().endswith(".csv"))


def _raise_text(where: str, part: nw.LazyFrame[Any], name: str, *, guessed: bool) -> None:
    column = part.collect_schema().names().index(name)
    rows = part.select(nw.nth(column).cast(nw.String()).alias("value"))
    polars = rows.implementation.is_polars()
    if polars:
        rows = nw.from_native(rows.to_native().with_row_index(_ROW))
    value = nw.col("value")
    bad = ~value.is_null() & ~value.str.contains(_NUMBER)
    if guessed:
        # true and false are numbers where the whole column is made of them
        bad = bad & ~value.is_in(["true", "false"])
    counts = gather(rows.select(nw.len().alias("rows"), nw.when(bad).then(1).otherwise(0).sum().alias("bad")))
    total, wrong = int(counts["rows"][0]), int(counts["bad"][0] or 0)
    if wrong:
        row = ""
        if polars:
            row = f", first in row {gather(rows.filter(bad).head(1))[_ROW][0]} (the first row is 0)"
        raise DataError(
            f"{name!r} in {where} must hold numbers",
            got=f"{Count(wrong, of=total):value is} text{row}",
            fix="correct or empty those cells; signs of money and commas are taken out by "
            f"table[{name!r}].replace('[, €$£]', '', regex=True).astype(float)",
        )
    if not guessed and total:
        raise DataError(
            f"{name!r} in {where} holds numbers written as text",
            got=f"{Count(total):value} of type text",
            fix="convert the column to numbers first (for example .astype(float))",
        )
