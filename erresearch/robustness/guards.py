"""Requests that would give a misleading number, refused by name: from the names of columns, and from the rows.

Each guard returns nothing where all is well and raises :class:`~erresearch.errors.GuardError` where it is not;
:func:`check` asks all that read names and formulas.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, Final, Literal

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.expressions import log
from erresearch.engine.lazy_rows import gather
from erresearch.engine.moments import Moments
from erresearch.engine.sources import as_narwhals, column_names, open_rows
from erresearch.errors import Count, DataError, DesignError, GuardError, check_name
from erresearch.io.files import read_value, registry
from erresearch.metrics.rates import DEFINITIONS, RateDefinition
from erresearch.relate.design import centred, open_moments, still, unexplained
from erresearch.relate.lags import open_panel, refuse_repeated
from erresearch.relate.shop_days import far_out
from erresearch.results import Doubt, ListSelection

_DONE: Final = re.compile(
    r"^(?:log_?1p|ln_?1p|log|ln|a(?:rc)?sinh|ihs|lag\d*|lead\d*|centered|rank of|"
    r"(?:Δ|diff(?:erence)?|change)(?: of| in)?)[\s_]+(?=\S)",
    re.I,
)
_SMALL: Final = r"(?:1(?:\.0*)?|0?\.\d+|1e-\d+)"  # what is added so that a zero has a logarithm
_CALL: Final = re.compile(
    r"^(?:(?:np|numpy|math)\.)?(?:log1p|log10|log2|log|ln|a(?:rc)?sinh|ihs|sqrt)\s*\((.*)\)$", re.I | re.S
)
_PLUS_ONE: Final = re.compile(rf"^\s*(?:{_SMALL}\s*\+\s*(.*?)|(.*?)\s*\+\s*{_SMALL})\s*$", re.S)
_LOG1P: Final = re.compile(
    r"(?:^|[\s_(.])(?:(?:log_?1p|ln_?1p|a(?:rc)?sinh|ihs)(?:\b|_)|(?:log|ln)\s*(?:\(?\s*1\s*\+|"
    rf"\(\s*{_SMALL}\s*\+|\(?[^()+]*\+\s*{_SMALL}\s*\)))",
    re.I,
)
_RATES: Final = frozenset({"er", "erf", "err", "erv", "eri", "erp", "erpost", "erday"})
_RATE_WORDS: Final = frozenset({"rate", "rt", "ratio", "percent", "pct", "share"})
_ACTED: Final = frozenset({"engagement", "eng", "interaction", "reaction"})
_HEADS: Final = frozenset({"follower", "reach", "impression", "view", "fan", "user"})
#: Words beside "err" or "erp" that say it is something else: a count of errors, a system's cost.
_NO_RATE: Final = frozenset(
    {"count", "number", "code", "message", "msg", "spend", "cost", "system", "project"}
)
#: Columns that say how many posts of a row were boosted, or whether the row's post was.
_MARKS: Final = ("paid_posts", "is_paid")
_SPEND: Final = "spend"
#: Rows beyond the columns, and distinct values of an outcome, before an exact fit is no accident.
_ROWS_BEYOND, _VALUES = 8, 5
#: A list needs this many accounts for its edges to be seen.
_FEWEST: Final = 100


def words(name: str) -> tuple[str, ...]:
    """Words of a column's name in lower case, without a plural s.

    Examples
    --------
    >>> words("PageValues_eur")
    ('page', 'value', 'eur')
    """
    split = re.sub(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Þ])|(?<=[A-Z]{2})(?=(?:by|per)[A-Z])", " ", name)
    found = [word.casefold() for word in re.findall(r"[^\W_]+", split)]
    return tuple(re.sub(r"(?<=...)(?<![sa])s$", "", word) for word in found)


def bare(name: str) -> str:
    """Name of the column that a log, lag, centring or rank was taken of.

    Examples
    --------
    >>> bare("lag1 log followers"), bare("log (1 + spend)")
    ('followers', 'spend')
    """
    while True:
        short = _DONE.sub("", name.strip())
        call = _CALL.match(short)
        if call:
            inner = call.group(1)
            plus = _PLUS_ONE.match(inner)
            short = (plus.group(1) or plus.group(2)) if plus else inner
        plus = _PLUS_ONE.match(short.strip("() ")) if short.startswith("(") and short.endswith(")") else None
        if plus:
            short = plus.group(1) or plus.group(2)
        if short == name or not short:
            return name
        name = short


def says(name: str, phrase: str) -> bool:
    """Whether a column's name holds the words of a phrase, one after the other.

    Examples
    --------
    >>> says("log Followers_count", "followers"), says("likelihood", "like")
    (True, False)
    """
    own, wanted = words(bare(name)), words(phrase)
    return (
        any(own[i : i + len(wanted)] == wanted for i in range(len(own) - len(wanted) + 1)) if wanted else True
    )


def is_rate(name: str) -> bool:
    """Whether a column calls itself an engagement rate.

    Examples
    --------
    >>> is_rate("Engagement rate, %"), is_rate("ER"), is_rate("interactions per follower"), is_rate("engagement")
    (True, True, True, False)
    """
    own = words(bare(name))
    head = any(one == "per" and other in _HEADS for one, other in pairwise(own))
    divided = head or "%" in name or any(word in _RATE_WORDS for word in own)
    if any(word in _ACTED for word in own) and divided:
        return True
    return len(own) <= 3 and any(w in _RATES for w in own) and not any(w in _NO_RATE for w in own)


def is_log1p(name: str) -> bool:
    """Whether a column is the log of something plus a small constant, or the inverse hyperbolic sine that stands for it.

    Examples
    --------
    >>> is_log1p("log1p likes"), is_log1p("log (1 + likes)"), is_log1p("ln(likes + 1)"), is_log1p("log likes")
    (True, True, True, False)
    """
    return bool(_LOG1P.search(name))


@dataclass(frozen=True, slots=True)
class Leak:
    """A kind of column that contains what it is set against."""

    names: tuple[str, ...]  # phrases that such a column's name holds
    side: Literal["outcome", "predictor"]
    against: tuple[str, ...]  # phrases of the other column's name; empty for any
    why: str  # what was computed from what, and who says so
    source: str

    def between(self, outcome: str, predictor: str) -> bool:
        """Whether these two columns are of that kind."""
        own, other = (outcome, predictor) if self.side == "outcome" else (predictor, outcome)
        named = any(says(own, name) for name in self.names)
        return named and (not self.against or any(says(other, name) for name in self.against))


@cache
def read_leaks() -> tuple[Leak, ...]:
    """Read the registry ``leaks.toml``, in the file's order."""
    return tuple(read_value(Leak, entry) for entry in registry("leaks.toml")["leak"])


@dataclass(frozen=True, slots=True)
class Ratio:
    """What a ratio column was divided by, and the columns whose sum it divides."""

    numerator: tuple[str, ...]
    denominator: str


Declared = str | RateDefinition | Ratio


def _ratio(definition: Declared) -> Ratio:
    if isinstance(definition, Ratio):
        return definition
    if isinstance(definition, str):
        check_name("rate definition", definition, DEFINITIONS)
        definition = DEFINITIONS[definition]
    return Ratio((*definition.reactions, *definition.exposure), definition.denominator)


def ratio_against_part(
    ratio: str, other: str, *, definition: Declared, other_definition: Declared | None = None
) -> None:
    """Refuse a ratio that is set against one of its own parts, or against a ratio with the same denominator.

    With X, F independent and of equal spread on logs, r(log X/F, log F) = −.71 and r(log X/F, log Y/F) = +.50: the
    correlation is arithmetic. Logs and lags in the columns' names are looked through.

    References
    ----------
    Kronmal, R. A. (1993). Spurious correlation and the fallacy of the ratio standard revisited. *Journal of the Royal
    Statistical Society A*, 156(3), 379-392. The first was Pearson, in 1897.
    """
    own = _ratio(definition)
    if other_definition is not None:
        shared = bare(own.denominator)
        if says(_ratio(other_definition).denominator, shared):
            raise GuardError(
                f"{ratio!r} and {other!r} share a denominator",
                got=f"both are divided by {shared}, which alone makes independent quantities correlate at about .5",
                fix=f"compare the numerators with log {shared} as a control",
            )
    for part in (*own.numerator, own.denominator):
        if says(other, part):
            role = "its denominator" if part == own.denominator else "in its numerator"
            raise GuardError(
                f"{ratio!r} contains {other!r}",
                got=f"{part} is {role}",
                fix=f"model {' + '.join(own.numerator) or 'the numerator'} with log {own.denominator} as a regressor "
                "and look whether its slope is 1 (`decay` does)",
            )


def reported_rate(column: str, definition: Declared | None = None) -> None:
    """Refuse a column that calls itself an engagement rate (ER, ERF, ERR …) and has no declared formula."""
    if definition is not None:
        _ratio(definition)
    elif is_rate(column):
        raise GuardError(
            f"{column!r} is an engagement rate of unknown formula",
            got="a finished number without its numerator and denominator",
            allowed=f"one of {', '.join(sorted(DEFINITIONS))}, or Ratio(numerator, denominator)",
            fix="declare its formula, or compute it with `engagement_rate`",
        )


def pooled_definitions(column: str, definitions: Iterable[Declared]) -> None:
    """Refuse to pool rates of different formulas under one name."""
    seen: dict[tuple[frozenset[str], str, str], str] = {}
    for definition in definitions:
        ratio = _ratio(definition)
        found = DEFINITIONS[definition] if isinstance(definition, str) else definition
        per = found.per if isinstance(found, RateDefinition) else ""
        name = definition if isinstance(definition, str) else str(definition)
        seen.setdefault((frozenset(ratio.numerator), ratio.denominator, per), name)
    if len(seen) > 1:
        raise GuardError(
            f"{column!r} pools rates of {Count(len(seen)):different formula}",
            got="; ".join(sorted(seen.values())),
            fix="keep one formula, or make the formula an axis of a specification curve",
        )


def log1p_elasticity(outcome: str, x: str) -> None:
    """Refuse to read an elasticity off log(1 + y): it depends on the unit that y happens to have.

    Chen, J., & Roth, J. (2024). Logs with zeros? Some problems and solutions. *Quarterly Journal of Economics*, 139(2).
    """
    found = [name for name in (outcome, x) if is_log1p(name)]
    if found:
        raise GuardError(
            f"the slope of {outcome!r} on {x!r} is no elasticity",
            got=f"{' and '.join(map(repr, found))}, whose slope changes with the unit of measurement",
            fix="use `poisson` for an outcome with zeros, or log(x) on the rows where x is positive",
        )


def outcome_contains_predictor(outcome: str, x: str) -> None:
    """Refuse a pair of columns of which one was computed from the other, by the registry ``leaks.toml``.

    Attributed conversions, page values, returns on spend, conversion rates, totals against their parts; logs and lags
    in the columns' names are looked through.
    """
    if words(bare(outcome)) == words(bare(x)) and not x.casefold().startswith(("lag", "lead")):
        raise GuardError(f"{outcome!r} cannot explain itself", got=f"{x!r} as a predictor")
    for leak in read_leaks():
        if leak.between(outcome, x):
            raise GuardError(
                f"{outcome!r} and {x!r} contain one another",
                got=leak.why,
                fix=f"use a column that was recorded independently (source: {leak.source})",
            )


def check(
    outcome: str,
    on: Sequence[str],
    *,
    definitions: Mapping[str, Declared | tuple[Declared, ...]] | None = None,
    elasticity: bool = False,
) -> None:
    """Ask every guard that reads names and formulas; the first that refuses ends it.

    Parameters
    ----------
    outcome, on : str, sequence of str
        Left-hand side, and the predictors that the claim is about; controls need not be named.
    definitions : mapping, optional
        Declared formula of each column that is a ratio, or a log or lag of one; several in a tuple where rows differ.
    elasticity : bool
        Whether slopes will be read as elasticities.

    Examples
    --------
    >>> check("log ER", ["log followers"], definitions={"ER": "M01"})
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 'log ER' contains 'log followers': followers is its denominator. ...
    """
    formulas: dict[str, Declared | None] = {}
    definitions = definitions or {}
    for column in (outcome, *on):
        found = definitions.get(column, definitions.get(bare(column), ()))
        declared = found if isinstance(found, tuple) else (found,)
        formulas[column] = next(iter(declared), None)
        reported_rate(column, formulas[column])
        pooled_definitions(column, declared)
    for x in on:
        outcome_contains_predictor(outcome, x)
        if elasticity:
            log1p_elasticity(outcome, x)
        # a ratio on either side against the other column; two ratios are looked at once
        for ratio, other in ((outcome, x), (x, outcome)):
            own = formulas[ratio]
            if own is not None:
                ratio_against_part(ratio, other, definition=own, other_definition=formulas[other])
                break


@dataclass(frozen=True, slots=True)
class Boosts:
    """What a table says of boosted posts and of their price."""

    mark: str = ""  # the column that says so; empty where there is none
    boosted: float = 0.0
    posts: float = 0.0  # rows, where the table does not count posts
    priced: bool = False  # there is a column of spending
    paid_for: bool = False  # spending is above 0 in some row with boosted posts
    constant: bool = False  # spending never moves, so that it cannot be a control

    def __str__(self) -> str:
        """The count in words."""
        return f"{Count(round(self.boosted), of=round(self.posts)):post was} boosted"


def boosts_in(data: Any) -> Boosts:
    """Count boosted posts, and look whether spending is known where they are.

    Of rows with ``paid_posts`` (posts by period) or ``is_paid`` (one row per post); tables with neither say nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> print(boosts_in(pd.DataFrame({"posts": [3, 2], "paid_posts": [1, 0]})))
    1 of 5 posts was boosted
    """
    present = data.columns if isinstance(data, Moments) else column_names(data)
    mark = next((name for name in _MARKS if name in present), "")
    if not mark:
        return Boosts()
    if isinstance(data, Moments):
        place = data.columns.index(mark)
        boosted = float(data.sums[:, place].sum() + data.weight.sum() * data.origin[place])
        # which rows were paid for cannot be told from sums
        return Boosts(mark, boosted, float(data.rows), _SPEND in present, _SPEND in present)
    names = [mark, *(name for name in ("posts", _SPEND) if name in present)]
    try:
        opened = open_rows(data, names, [], None)
    except DataError:
        # a mark that is text is another column than ours
        return Boosts()
    frame = opened.frame.with_columns(*[nw.col(name).cast(nw.Float64()).alias(name) for name in names])
    known = nw.col(mark).is_finite().fill_null(False)
    marked = nw.when(known).then(nw.col(mark)).otherwise(0.0)
    posts = nw.col("posts").sum() if "posts" in names else nw.len()
    asked = [marked.sum().alias("boosted"), posts.alias("posts")]
    if _SPEND in names:
        spent = nw.when(nw.col(_SPEND).is_finite().fill_null(False)).then(nw.col(_SPEND))
        asked += [
            nw.when(marked > 0).then(spent).max().alias("most"),
            spent.min().alias("low"),
            spent.max().alias("high"),
        ]
    (row,) = gather(frame.select(*asked), small=opened.small).to_dicts()
    return Boosts(
        mark,
        float(row["boosted"] or 0.0),
        float(row["posts"]),
        row.get("high") is not None,
        (row.get("most") or 0.0) > 0,
        row.get("high") == row.get("low"),
    )


def unpriced_boosts(data: Any, *, held: Iterable[str]) -> None:
    """Refuse to relate figures in which boosted posts are mixed with others unless what was paid is held fixed.

    Money for a boost buys reach and reactions, and brings buyers by itself: without it as a control the boost is read
    as an effect of engagement. A count of the boosted posts among the columns `held` will do too.

    References
    ----------
    Gordon, B. R., Zettelmeyer, F., Bhargava, N., & Chapsky, D. (2019). A comparison of approaches to advertising
    measurement: evidence from big field experiments at Facebook. *Marketing Science*, 38(2), 193-225.
    """
    found = boosts_in(data)
    if not found.boosted > 0 or found.mark in set(held):
        return
    wanted = "add what was spent by day as a column 'spend' and hold it fixed, or leave the boosted posts out"
    why = "paid reach moves reactions and sales alike"
    if not found.priced:
        raise GuardError(f"{found}, and there is no column of what was spent", got=why, fix=wanted)
    if not found.paid_for:
        raise GuardError(
            f"{found}, yet the spending is 0 wherever they are",
            got="what is known of the spending does not hold what they cost",
            fix=wanted,
        )
    if _SPEND not in set(held) and not found.constant:
        raise GuardError(f"{found}, and what was spent is not held fixed", got=why, fix=wanted)


def made_of_predictors(data: Any, outcome: str, on: Sequence[str]) -> None:
    """Refuse an outcome that the predictors give exactly: a copy in another unit, a sum of parts, a log of a ratio.

    Names can be changed, arithmetic cannot: columns are looked at as they are and, but for moments, on logs (all of
    them, the outcome alone, the predictors alone). R² = 1 but for rounding is no finding about the world.
    """
    if outcome in on:
        return  # said by name
    for how, moments in _looks(data, [*on, outcome]):
        if moments.rows >= len(moments.columns) + _ROWS_BEYOND and _exact(moments):
            raise GuardError(
                f"{outcome!r} follows exactly from {', '.join(map(repr, on))}",
                got=f"R² = 1 over {Count(moments.rows):row}, taken {how}",
                fix="use an outcome that was recorded independently of its predictors",
            )


def _looks(data: Any, names: list[str]) -> list[tuple[str, Moments]]:
    """The columns as they are and on logs, the outcome last."""
    if isinstance(data, Moments):
        return [("as they are", data[names])]
    plain = Moments.from_frame(data, names)
    assert plain.source is not None
    if not plain.rows:
        return []
    own = [f"{i}" for i in range(len(names))]
    rows = plain.source.complete().select(
        *(plain.source.col(name).alias(label) for name, label in zip(names, own, strict=True))
    )
    logged = [f"log {name}" for name in own]
    rows = rows.with_columns(log(name).alias(label) for name, label in zip(own, logged, strict=True))
    held = gather(rows, small=True) if plain.source.small else nw.to_native(rows)
    # rows without a logarithm are left out of all looks but the first
    both = Moments.from_frame(held, [*own, *logged])
    return [
        ("as they are", plain),
        ("on logs", both[logged]),
        ("with the outcome on logs", both[[*own[:-1], logged[-1]]]),
        ("with the predictors on logs", both[[*logged[:-1], own[-1]]]),
    ]


def _exact(moments: Moments) -> bool:
    """Whether the last column is a linear function of the others, and more than a few values."""
    gram = centred(moments, within=False)
    if still(np.diag(gram), np.einsum("gii->i", moments.grams())).any() or unexplained(gram) > 1e-12:
        return False
    if moments.source is None:
        return True
    last = moments.source.col(moments.columns[-1])
    return moments.source.total([last.n_unique().alias("values")])["values"] >= _VALUES


def copied_from_another_period(data: Any, outcome: str, predictor: str, *, by: str, time: str) -> None:
    """Refuse a predictor that is the outcome of another period: a column that slipped, or one made of the other.

    Rows that cannot be lagged are for others to refuse.
    """
    moved = [(1, 0), *((0, lag) for lag in (-2, -1, 1, 2, 3))]
    try:
        panel = open_panel(data, [predictor, outcome], by=by, time=time)
        moments = Moments.from_frame(panel.lagged(moved), [panel.label(*pair) for pair in moved])
    except (DataError, DesignError):
        return
    for other in moments.columns[1:]:
        made_of_predictors(moments, moments.columns[0], [other])


def repeated_outcome(data: Any, outcome: str, *, by: str | None = None, period: str | None = None) -> None:
    """Refuse one outcome series that stands on the rows of several accounts.

    A shop with one revenue series and two accounts is one witness, not two.
    """
    moments = open_moments(data, [outcome], by=by, period=period)
    cells = moments.cells
    if cells is None:
        raise GuardError(
            "a series needs its time", got="no period column", fix="name the time column with `period`"
        )
    means = replace(cells, sums=cells.sums / cells.weight[:, None])
    refuse_repeated(replace(moments, cells=means), outcome)


def far_out_periods(data: Any, names: Sequence[str], *, by: str, time: str) -> list[Doubt]:
    """Name the period that carries a column of its account, of a table in memory; it counts all the same."""
    if not isinstance(as_narwhals(data, pass_through=True), nw.DataFrame):
        return []
    found, value, positive = [], nw.col("value"), nw.col("positive")
    odd = (positive.count().over("account") >= 12) & far_out(nw.col("share"), nw.col("times"))
    opened = open_rows(data, names, [by, time], None)
    keys = (nw.col(by).alias("account"), nw.col(time).alias("period"))
    for name in names:
        own = nw.col(name).cast(nw.Float64()).alias("value")
        rows = opened.frame.filter(~nw.col(by).is_null()).select(own, *keys).filter(value.is_finite())
        rows = rows.with_columns(nw.when(value > 0).then(value).alias("positive"))
        shares = value / value.sum().over("account"), value / positive.median().over("account")
        far = rows.with_columns(shares[0].alias("share"), shares[1].alias("times")).filter(odd)
        seen = gather(far.select("share", "times", "period"), small=opened.small)
        found += [(*row, name) for row in seen.iter_rows()]
    if not found:
        return []
    share, times, when, name = max(found, key=lambda each: each[1])
    which = f"the period of {when:%Y-%m-%d}" if isinstance(when, dt.date) else "one period"
    more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
    said = f"{which}{more} holds {100 * share:.2g} % of all {name} of its account, {times:,.0f} times a usual one"
    text = f"{said}: is it right? Correct or empty it, or declare what happened as an event"
    return [Doubt("one period", text, share, raised=True, code="one-period")]


def selected_list(log_followers: Any, log_reactions: Any) -> ListSelection:
    """Look for the mark that a cut at a number of reactions leaves in a list of accounts.

    A list of "top" accounts by likes or comments keeps small accounts only where they did unusually well, so that the
    rate seems to fall with followers (β ≈ .7 where nothing falls). Such a list has a sharp lower edge in reactions, and
    the edge stands still as followers grow; in a list seen whole, or cut by followers, it moves as the rest does.
    Sharpness is (r₍m/2₎ − r₍1₎)/(r₍m₎ − r₍1₎) of the lowest m = 2 % (at least 20), with mean .5 at a cut. The envelopes
    are the 5 % and 90 % quantiles of reactions in groups of the smaller half of the accounts.

    Parameters
    ----------
    log_followers, log_reactions : (n,) array
        Logs, one entry per account; rows without both are left out.

    Returns
    -------
    ListSelection
        Both marks, and whether they say "selected".

    Raises
    ------
    DesignError, DataError
        With fewer than 100 accounts: edges of short lists cannot be seen. If the two differ in length or followers do
        not vary.

    See Also
    --------
    erresearch.decay : What a chosen list would distort.

    Notes
    -----
    Of 200 simulated lists of each kind and size, those selected on reactions were caught in 99, 98 and 92 % at 3,000,
    500 and 150 accounts; lists seen whole, with noisy followers, with decay or selected on followers gave no false
    alarm at 500 and more, and up to 3 % at 150.

    References
    ----------
    Heckman, J. J. (1979). Sample selection bias as a specification error. *Econometrica*, 47(1), 153-161.

    Examples
    --------
    >>> from erresearch.worlds import simulate_panel
    >>> for world in ("flat-selected-on-reactions", "flat-selected-on-followers"):
    ...     accounts, _ = simulate_panel(world, accounts=800, rng=1)
    ...     print(selected_list(np.log(accounts["followers"]), np.log(accounts["engagement"])).selected)
    True
    False
    """
    f, r = (np.asarray(values, dtype=float).ravel() for values in (log_followers, log_reactions))
    if len(f) != len(r):
        raise DataError("followers and reactions differ in length", got=f"{len(f):,} and {len(r):,}")
    both = np.isfinite(f) & np.isfinite(r)
    f, r = f[both], r[both]
    n = len(f)
    if n < _FEWEST:
        raise DesignError(
            "this list is too short for its edges to be seen",
            got=f"{Count(n):account} with followers and reactions",
            allowed=f"{_FEWEST} or more",
        )
    order = np.argsort(f, kind="stable")
    groups = np.array_split(order[: n // 2], max(3, min(8, n // 50)))
    at = np.array([f[group].mean() for group in groups])
    if not np.ptp(at) > 0:
        raise DataError("followers do not vary among the smaller accounts", got=f"{Count(n):account}")
    low, high = (
        float(np.polyfit(at, [np.quantile(r[group], q) for group in groups], 1)[0]) for q in (0.05, 0.90)
    )
    m = min(max(20, int(0.02 * n)), n // 4)
    lowest = np.sort(r)[: m + 1]
    span = lowest[m] - lowest[0]
    # many accounts with the very same least number are a floor of the counting, not a cut of the list
    sharpness = float((lowest[m // 2] - lowest[0]) / span) if span > 0 else 1.0
    # the lower envelope stands still when it moves by less than this share of the upper one
    selected = sharpness < 0.75 and high > 0 and low < 0.35 * high
    return ListSelection(sharpness, low, high, n, bool(selected))
