"""Evidence of several houses: what one of them shares, and the sum of what they shared."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial, reduce
from itertools import combinations
from operator import add
from pathlib import Path
from typing import Any, Final

import numpy as np

from erresearch.claims.disclosure import LEAST_ROWS, check_disclosure, check_rows, merge_small, of_accounts
from erresearch.claims.registry import Claim
from erresearch.claims.variables import Rowless
from erresearch.engine import as_text, sort_periods, sort_text
from erresearch.engine.moments import FORMAT, Moments
from erresearch.engine.stored import parts_of, read_archive, squares, write_archive
from erresearch.errors import (
    Count,
    DataError,
    EngineError,
    UnknownNameError,
    missing_columns,
    warn,
)
from erresearch.io.files import read_value
from erresearch.relate.random_effects import (
    MetaAnalysis,
    PartialPooling,
    estimate_in,
    meta_analysis,
    partial_pooling,
)
from erresearch.results import Estimate, StudentT

#: Characters of a salt.
_SALT: Final = 16


def share(
    data: Any,
    columns: Sequence[Any],
    path: str | Path,
    *,
    house: str,
    by: str | None = None,
    time: str | None = None,
    salt: str | None = None,
    plain: bool = False,
    earlier: Sequence[str | Path] = (),
    least: int = LEAST_ROWS,
) -> Moments:
    """Write the sums of a table that may leave the house, after looking at its rows.

    In every group (small accounts are merged first): `least` rows or more; no row with more than half of a column's
    Σ abs(z), over all its rows or over those of one value of a two-valued column; no row with more than 80 % of the
    squares about the mean; 3 rows or more apart from a column's commonest value; no few counts that follow from their
    sum and squares. Over all rows: no column that follows from another (a copy, a power, a logarithm). Whatever breaks a
    rule is refused by name, and nothing is written.

    Parameters
    ----------
    data : frame or path
        As for :meth:`erresearch.Moments.from_frame`; not changed.
    columns : sequence of str or narwhals.Expr
        Number columns.
    path : path
        The file to write.
    house : str
        Who shares. The file says it, and :func:`pool` refuses two files of one house over the same time.
    by : str, optional
        Account column.
    time : str, optional
        Time column. The file states the first and the last period; without it two files of one house are always taken
        to overlap.
    salt : str, optional
        A secret of 16 characters or more that the houses of a pool agree on (``secrets.token_hex(16)``). Accounts go
        out as keyed hashes, so that the same account still meets itself and nobody else reads its name.
    plain : bool
        Whether the names in `by` are labels that may be read (platforms, "commenter") and go out as they are.
    earlier : sequence of path
        Files that this house has shared before; those in the folder of `path` are looked at anyway.
    least : int
        Rows that every group needs; not below 10.

    Returns
    -------
    Moments
        What was written.

    Raises
    ------
    DataError
        Naming the rule and the column, or the earlier file whose difference to this one would give rows away.
    ColumnError, DesignError, EngineError
        As :meth:`erresearch.Moments.from_frame`, or if the file cannot be written.

    Warns
    -----
    ErresearchWarning
        That an earlier file overlaps with this one: the difference gives the sums over the rows between.

    See Also
    --------
    pool : Adds what several houses shared.
    erresearch.Moments.save : Keeps moments in the house.

    References
    ----------
    Hundepool, A. et al. (2012). *Statistical Disclosure Control*. Wiley, ch. 4 (dominance and p % rules).

    Examples
    --------
    >>> import tempfile, polars as pl
    >>> table = pl.DataFrame({"shop": ["a"] * 12 + ["b"] * 12, "x": [float(i % 7) + i / 50 for i in range(24)]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     share(table, ["x"], f"{folder}/north.npz", house="north", by="shop", plain=True)
    Moments of 'x': 24 rows, 2 accounts
    """
    _check_call(house, by, salt, plain=plain, least=least)
    whole = Moments.from_frame(data, columns, by=by, period=time)
    source = whole.source
    assert source is not None
    rows = source.collect()
    values = rows.select(whole.columns).to_numpy()
    group = np.zeros(len(values), dtype=np.int64)
    if source.account is not None:
        group = sort_text(as_text(rows[source.account]))[1]
    periods = None if source.period is None else as_text(rows[source.period])
    sums = merge_small(replace(whole, cells=None, period=None, source=None), least=least)
    check_rows(values, group, whole.columns, least)
    check_disclosure(sums, least=least)
    merged_key = None
    if sums.accounts < whole.accounts:
        merged_key = f"({Count(1 + whole.accounts - sums.accounts):account} of {house} merged)"
    secret = "" if plain or by is None else str(salt)
    ends = [None] if periods is None else sort_periods(periods)[0]
    mark = _hashed("", secret) if secret else ""
    shared = Shared(house=house, first=ends[0], last=ends[-1], merged_key=merged_key, salt_mark=mark)
    kept = set(sums.keys)
    names = {
        key: (_hashed(key, secret) if secret else key) if key in kept else merged_key for key in whole.keys
    }
    # sorted by their new names, so that their order tells nothing either
    keys = np.array([str(names.get(key, merged_key)) for key in sums.keys], dtype=object)
    made = of_accounts(replace(sums, keys=keys), np.argsort(keys, kind="stable"))
    inside = partial(_inside, np.array([names[key] for key in whole.keys], dtype=object)[group], periods)
    for other in dict.fromkeys([*map(Path, earlier), *sorted(Path(path).parent.glob("*.npz"))]):
        _check_difference(made, inside, shared, other, least)
    words, arrays = parts_of(made)
    write_archive(path, "moments", FORMAT, {**words, "shared": asdict(shared)}, arrays)
    return made


def _check_call(house: str, by: str | None, salt: str | None, *, plain: bool, least: int) -> None:
    if not house or not house.isprintable():
        raise DataError("a shared file says whose it is", got=f"house={house!r}", fix="name your house")
    if least < LEAST_ROWS:
        raise DataError(
            "cells of few rows would give rows away", got=f"least={least}", allowed=f"{LEAST_ROWS} or more"
        )
    if by is not None and not plain and (salt is None or len(salt) < _SALT):
        raise DataError(
            "accounts go out as hashes, which need a salt",
            got="none" if salt is None else f"{len(salt)} characters",
            allowed=f"{_SALT} characters or more, the same in every house of the pool",
            fix="agree on secrets.token_hex(16), or say plain=True where the names may be read",
        )


def _hashed(name: str, salt: str) -> str:
    return hashlib.blake2b(
        name.encode("utf-8", "surrogatepass"), key=salt.encode()[:64], digest_size=12
    ).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What a shared file says of itself.

    Parameters
    ----------
    house : str
        Who shared it.
    first, last : str or None
        First and last period of its rows; None where no time column was named.
    merged_key : str or None
        The key under which small accounts were merged.
    salt_mark : str
        Tells whether two files were made with one salt; empty where accounts are plain.
    """

    house: str
    first: str | None
    last: str | None
    merged_key: str | None
    salt_mark: str

    def overlaps(self, other: Shared) -> bool:
        """Whether two files of one house may hold the same rows."""
        if self.house != other.house:
            return False
        ends = (self.first, self.last, other.first, other.last)
        if any(end is None for end in ends):
            return True
        _, (first, last, begin, end) = sort_periods(np.array(ends, dtype=object))
        return bool(first <= end and begin <= last)


def _read(path: str | Path) -> tuple[Moments, Shared | None]:
    def make(words: dict[str, Any], arrays: dict[str, np.ndarray]) -> tuple[Moments, Shared | None]:
        told = words.get("shared")
        shared = None if told is None else read_value(Shared, told)
        return Moments.from_parts(words, arrays), shared

    return read_archive(path, "moments", FORMAT, make)


def _inside(owners: np.ndarray, periods: np.ndarray | None, other: Shared) -> Mapping[str, int]:
    """Rows by account within the period of another file; all of them where either states none."""
    if periods is not None and other.first is not None:
        ends = np.array([other.first, other.last], dtype=object)
        place = sort_periods(np.concatenate([periods, ends]))[1]
        owners = owners[(place[:-2] >= place[-2]) & (place[:-2] <= place[-1])]
    return Counter(owners.astype(str).tolist())


def _check_difference(
    made: Moments, inside: Callable[[Shared], Mapping[str, int]], shared: Shared, path: Path, least: int
) -> None:
    """Refuse a file whose difference to an earlier one is a row; warn where it is sums over some rows."""
    try:
        before, told = _read(path)
    except EngineError:
        return  # not a file of moments
    if told is None or not shared.overlaps(told):
        return
    ours, theirs = (dict(zip(one.keys, one.count.tolist(), strict=True)) for one in (made, before))
    both = inside(told)
    if shared.salt_mark != told.salt_mark:  # who is who in the other file cannot be told
        ours, theirs, both = ({"": sum(counts.values())} for counts in (ours, theirs, both))
    between = [
        abs(counts.get(key, 0) - both.get(key, 0)) for counts in (ours, theirs) for key in {**ours, **theirs}
    ]
    if not any(between):
        return  # the same rows again
    if any(0 < n < least for n in between):
        raise DataError(
            f"the difference to {str(path)!r} would give rows away",
            got=f"{Count(sum(0 < n < least for n in between)):account} with fewer than {Count(least):row} more or less",
            allowed=f"{least} or more in each, or a time that does not overlap",
            fix="share the rows after the last file's period in a file of their own",
            code="difference",
        )
    warn(
        f"{str(path)!r} of this house overlaps in time: who has both files can take one from the other, which gives the "
        f"sums over the {Count(sum(between)):row} between, by account"
    )


def pool(paths: Sequence[str | Path], *, same_accounts: bool = False) -> Moments:
    """Add the moments of several houses, each refused where its cells would give rows away.

    Parameters
    ----------
    paths : sequence of path
        Files written by :func:`share` or :meth:`erresearch.Moments.save`.
    same_accounts : bool
        Whether equal names in two files mean the same account. Otherwise two houses that both call an account "1"
        have two accounts, and the house (or the file's name) is put before each.

    Returns
    -------
    Moments
        What the rows of all of them together would give, up to rounding.

    Raises
    ------
    DataError
        With fewer than two files, where a cell has few rows or is constant, where two files of one house overlap in
        time or hold groups of the very same rows (which is all that can be seen of files without a period), or where
        files to be joined by account were made with different salts.
    EngineError
        If a file is damaged, of another version, or holds what no rows can give.
    ColumnError
        If columns, account, time or weights differ.

    See Also
    --------
    share : Writes such a file.
    """
    if len(paths) < 2:
        raise DataError("there is nothing to pool", got=f"{len(paths)} file", allowed="two files or more")
    parts, told = map(list, zip(*map(_read, paths), strict=True))
    for part in parts:
        check_disclosure(part)
    for (one, a, mine), (other, b, theirs) in combinations(zip(map(str, paths), parts, told, strict=True), 2):
        wrong = got = ""
        if mine is not None and theirs is not None and mine.overlaps(theirs):
            wrong = f"two files of {mine.house!r} overlap in time, so that rows would count twice"
            got = f"{one!r} ({_span(mine)}) and {other!r} ({_span(theirs)})"
        elif a.columns == b.columns and (twice := _same_groups(a, b)):
            wrong = "two files hold the same rows, which would count twice"
            got = f"{Count(twice):group} with the same rows, sums and products in {one!r} and {other!r}"
        if wrong:
            raise DataError(wrong, got=got, fix="pool one of them", code="overlap")
    if same_accounts and len({shared.salt_mark for shared in told if shared is not None}) > 1:
        raise DataError(
            "accounts of these files cannot meet",
            got="names hashed with different salts, or not hashed in all of them",
            fix="share them again with one salt, or pool them without same_accounts",
        )
    owners = [
        shared.house if shared is not None else f"{number}: {Path(path).stem}"
        for number, (path, shared) in enumerate(zip(paths, told, strict=True), start=1)
    ]
    merged_keys = [
        {str(shared.merged_key)} if shared else set(part.keys)
        for part, shared in zip(parts, told, strict=True)
    ]
    named = {(owner, key) for owner, part in zip(owners, parts, strict=True) for key in part.keys}
    if not same_accounts and len({key for _, key in named}) < len(named) and parts[0].by is not None:
        apart = [[f"{owner}: {key}" for key in part.keys] for owner, part in zip(owners, parts, strict=True)]
        parts = [replace(part, keys=np.array(keys, object)) for part, keys in zip(parts, apart, strict=True)]
        merged_keys = [
            {f"{owner}: {key}" for key in keys} for owner, keys in zip(owners, merged_keys, strict=True)
        ]
    return _added(parts, merged_keys)


def _same_groups(one: Moments, other: Moments) -> int:
    """Groups of rows that vary and have the very same products in both, whatever they are called."""
    other = other.about(one.origin)
    weight, own = one.weight[:, None], squares(one.cross, len(one.columns))
    varying = (own * weight - one.sums**2 > 1e-9 * own * weight).any(axis=1)
    found = 0
    for row in np.flatnonzero(varying):
        near = other.cross[other.count == one.count[row]]
        found += bool(np.isclose(near, one.cross[row], 1e-9, 1e-9 * own[row].max()).all(axis=1).any())
    return found


def _added(parts: Sequence[Moments], merged_keys: Sequence[set[str]]) -> Moments:
    """The sum; accounts that were merged in one house stay a group of their own."""
    for part, keys in zip(parts, merged_keys, strict=True):
        if part.merged and any(keys & set(other.keys) for other in parts if other is not part):
            return reduce(add, parts)
    total: Moments = reduce(add, (replace(part, merged=0) for part in parts))
    return replace(total, merged=sum(part.merged for part in parts))


def _span(shared: Shared) -> str:
    return "no period stated" if shared.first is None else f"{shared.first} to {shared.last}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding:
    """What one house found, with what the number speaks of.

    Parameters
    ----------
    name : str
        The house or data set.
    estimate : Estimate
        What it found.
    outcome, period, unit : str
        What was moved, how long a period lasts (day, week), in which unit: only findings that agree in all three, word
        for word, are put together.
    """

    name: str
    estimate: Estimate
    outcome: str
    period: str
    unit: str

    @classmethod
    def of(
        cls, name: str, found: object, *, outcome: str, period: str, unit: str, claim: Claim | None = None
    ) -> Finding:
        """Take the estimate of a verdict, a judged experiment, a pack's claim, or an estimate itself.

        Raises
        ------
        DataError
            If there is no estimate in it.
        """
        if isinstance(found, Rowless) and claim is not None:
            found = found.evidence(claim).estimate
        return cls(name=name, estimate=estimate_in(found), outcome=outcome, period=period, unit=unit)


_FINDING: Final = ("name", "value", "se", "outcome", "period", "unit")


def read_findings(path: str | Path) -> tuple[Finding, ...]:
    """Read findings from a text table with the columns name, value, se, outcome, period, unit and, if known, df.

    Cells may be parted by commas, semicolons or tabs; where it is not commas, numbers may have a decimal comma.

    Raises
    ------
    EngineError
        If the file cannot be read.
    ColumnError
        If a column is missing.
    DataError
        If a value or standard error is no number.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(
            f"findings cannot be read from {str(path)!r}",
            got=type(error).__name__,
            allowed=f"a text table in UTF-8 with the columns {', '.join(_FINDING)}",
            fix="name the file that holds them, and save it as CSV",
        ) from None
    parted = max(",;\t", key=text.partition("\n")[0].count)
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=parted))
    present = [name for name in rows[0] if name is not None] if rows else []
    if set(_FINDING) - set(present):
        raise missing_columns(_FINDING, present, where=repr(str(path)))
    return tuple(
        _finding(row, number, "," if parted != "," else ".") for number, row in enumerate(rows, start=1)
    )


def _finding(row: Mapping[str, str], number: int, point: str) -> Finding:
    try:
        cells = ((row.get(name) or "inf").replace(point, ".") for name in ("value", "se", "df"))
        value, se, df = map(float, cells)
    except ValueError:
        value = se = df = math.nan
    if not (math.isfinite(value) and 0 < se < math.inf and df > 0):
        raise DataError(
            f"finding {number} has no estimate",
            got="something else than a number, or a standard error that is not above 0",
            allowed="a value and its standard error",
            fix="correct the row or leave it out",
        )
    told = {key: row[key] for key in ("name", "outcome", "period", "unit")}
    stated = StudentT(value, se, df)
    estimate = stated.estimate(row["outcome"], 0.95, n_rows=0, unit=row["unit"], method="as stated")
    return Finding(estimate=estimate, **told)


def combine(
    findings: str | Path | Iterable[Finding], *, own: str | None = None, level: float = 0.95
) -> PartialPooling | MetaAnalysis:
    """Put one's own estimate beside those of others, and draw it towards what they lead one to expect.

    Both are shown: the own estimate as it is, and the mixed one, which is called mixed. Only findings on the same
    outcome, period and unit are put together, and beside one's own only five or more others. Without one of one's own
    they are put together as they are (:func:`erresearch.relate.meta_analysis`).

    Parameters
    ----------
    findings : path or iterable of Finding
        One's own and the others'; a path is read by :func:`read_findings`.
    own : str, optional
        Name of one's own.
    level : float
        Confidence level.

    Returns
    -------
    PartialPooling or MetaAnalysis
        Own, what the others lead one to expect, and both together with their weights; without one's own, all of them
        together.

    Raises
    ------
    UnknownNameError
        If no finding has that name.
    DataError
        If something is no finding, a name is there twice, outcomes, periods or units differ, or there are fewer than five
        others.
    EngineError, ColumnError
        As :func:`read_findings`.

    See Also
    --------
    erresearch.claims.pool : Adds sums of several houses, where they can be shared.
    erresearch.relate.meta_analysis : The others alone.

    Examples
    --------
    >>> def said(name, value, se):
    ...     found = StudentT(value, se, 40).estimate("slope", 0.95, n_rows=900, n_accounts=12)
    ...     return Finding.of(name, found, outcome="revenue", period="week", unit="elasticity")
    >>> others = [said(name, 0.02 + 0.004 * i, 0.01) for i, name in enumerate("abcde")]
    >>> print(combine([*others, said("mine", 0.2, 0.1)], own="mine"))  # doctest: +ELLIPSIS
    own estimate 0.20 ...; beside 5 others one would expect ..., and it lies outside, though not all of its interval; ...
    """
    told = read_findings(findings) if isinstance(findings, (str, Path)) else tuple(findings)
    strange = next((type(one).__name__ for one in told if not isinstance(one, Finding)), None)
    if strange is not None:
        raise DataError(
            "only findings are combined: they say of what outcome, period and unit an estimate is",
            got=strange,
            allowed="findings, or the path of a table of them",
            fix="make each with Finding.of(name, estimate, outcome=..., period=..., unit=...)",
        )
    names = [one.name for one in told]
    if own is not None and own not in names:
        raise UnknownNameError.of("finding", own, names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError("a finding is there twice", got=repr(twice[0]), fix="give each house one row")
    for kind in ("outcome", "period", "unit"):
        said = sorted({getattr(one, kind) for one in told})
        if len(said) > 1:
            raise DataError(
                f"findings on more than one {kind} are not put together",
                got=f"{len(said)} of them in {Count(len(told)):finding}",
                allowed="one",
                fix=f"keep those with the {kind} of your own"
                + (": how long one period lasts (day, week), not which year" if kind == "period" else ""),
            )
    estimates = {one.name: replace(one.estimate, unit=one.unit) for one in told}
    if own is None:
        return meta_analysis(estimates, level=level)
    mine = estimates.pop(own)
    return partial_pooling(mine, estimates, level=level)
