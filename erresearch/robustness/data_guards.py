"""Guards that look at the rows: boosted posts without a price, outcomes made of predictors, lists chosen by reactions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np

from erresearch.engine.expressions import log
from erresearch.engine.lazy_rows import gather
from erresearch.engine.moments import Moments
from erresearch.engine.sources import as_narwhals, column_names, open_rows
from erresearch.errors import Count, DataError, DesignError, GuardError
from erresearch.relate.design import centred, open_moments, still
from erresearch.relate.distributed_lags import far_out
from erresearch.relate.lags import open_panel, refuse_repeated
from erresearch.results import Doubt, ListSelection

#: Columns that say how many posts of a row were boosted, or whether the row's post was.
_MARKS: Final = ("paid_posts", "is_paid")
_SPEND: Final = "spend"
#: Periods of an account from which on one can be far out.
_FEWEST_PERIODS: Final = 12


@dataclass(frozen=True, slots=True)
class Boosts:
    """What a table says of boosted posts and of their price.

    Parameters
    ----------
    mark : str
        The column that says so; empty where there is none.
    boosted, posts : float
        Boosted posts, and posts (rows, where the table does not count posts).
    priced : bool
        Whether there is a column of spending.
    paid_for : bool
        Whether spending is above 0 in some row with boosted posts.
    constant : bool
        Whether spending never moves, so that it cannot be a control.
    """

    mark: str = ""
    boosted: float = 0.0
    posts: float = 0.0
    priced: bool = False
    paid_for: bool = False
    constant: bool = False

    def __str__(self) -> str:
        """The count in words."""
        return f"{Count(round(self.boosted), of=round(self.posts)):post was} boosted"


def boosts_in(data: Any) -> Boosts:
    """Count boosted posts, and look whether spending is known where they are.

    Parameters
    ----------
    data : frame, path or Moments
        Rows with ``paid_posts`` (posts by period) or ``is_paid`` (one row per post); tables with neither say nothing.

    Returns
    -------
    Boosts

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
    asked = [marked.sum().alias("boosted"), nw.len().alias("rows")]
    if "posts" in names:
        asked.append(nw.col("posts").sum().alias("posts"))
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
        float(row["posts"] if "posts" in names else row["rows"]),
        _SPEND in names and row["high"] is not None,
        (row.get("most") or 0.0) > 0,
        row.get("high") == row.get("low"),
    )


def unpriced_boosts(data: Any, *, held: Iterable[str]) -> None:
    """Refuse to relate figures in which boosted posts are mixed with others unless what was paid is held fixed.

    Money for a boost buys reach and reactions, and brings buyers by itself: without it as a control the boost is read
    as an effect of engagement.

    Parameters
    ----------
    data : frame, path or Moments
        As in :func:`boosts_in`.
    held : iterable of str
        Columns that the model holds fixed or looks at.

    Raises
    ------
    GuardError
        If posts were boosted and spending is not there, is 0 wherever posts were boosted, or is no control; a count
        of the boosted posts as a control will do too.

    References
    ----------
    Gordon, B. R., Zettelmeyer, F., Bhargava, N., & Chapsky, D. (2019). A comparison of approaches to advertising
    measurement: evidence from big field experiments at Facebook. *Marketing Science*, 38(2), 193-225.

    Examples
    --------
    >>> import pandas as pd
    >>> weeks = pd.DataFrame({"posts": [3, 2], "paid_posts": [1, 0], "revenue": [9.0, 7.0]})
    >>> unpriced_boosts(weeks.assign(paid_posts=0), held=[])
    >>> unpriced_boosts(weeks.assign(spend=[5.0, 0.0]), held=["spend"])
    >>> unpriced_boosts(weeks, held=[])
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 1 of 5 posts was boosted, and there is no column of what was spent: ...
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


#: Rows beyond the columns, and distinct values of an outcome, before an exact fit is no accident; the share of the
#: outcome's variance that is rounding.
_ROWS_BEYOND: Final = 8
_VALUES: Final = 5
_ROUNDING: Final = 1e-12


def made_of_predictors(data: Any, outcome: str, on: Sequence[str]) -> None:
    """Refuse an outcome that the predictors give exactly: a copy in another unit, a sum of parts, a log of a ratio.

    Names can be changed, arithmetic cannot: outcome and predictors are looked at as they are and on logs (all of
    them, the outcome alone, the predictors alone), and R² = 1 but for rounding is no finding about the world.

    Parameters
    ----------
    data : frame, path or Moments
        The rows; moments are looked at as they are.
    outcome : str
        Left-hand side.
    on : sequence of str
        Predictors; with the outcome 8 rows more than there are columns are needed before anything is refused.

    Raises
    ------
    GuardError
        Naming the columns.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(np.random.default_rng(0).gamma(2, size=(30, 2)), columns=["likes", "sales"])
    >>> made_of_predictors(table, "sales", ["likes"])
    >>> made_of_predictors(table.assign(cents=100 * table.sales), "cents", ["sales"])
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 'cents' follows exactly from 'sales': ...
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


def copied_from_another_period(data: Any, outcome: str, predictor: str, *, by: str, time: str) -> None:
    """Refuse a predictor that is the outcome of another period: a column that slipped, or one made of the other.

    Parameters
    ----------
    data : frame or path
        One row per account and period; rows that cannot be lagged are for others to refuse.
    outcome, predictor : str
        The columns.
    by, time : str
        Account and period.

    Raises
    ------
    GuardError
        Naming the columns.

    See Also
    --------
    made_of_predictors : The same within the period.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.DataFrame({"shop": "a", "day": range(40), "sales": np.random.default_rng(0).gamma(2, size=40)})
    >>> days["likes"] = days["sales"].shift(-1)
    >>> copied_from_another_period(days, "sales", "likes", by="shop", time="day")
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 'sales' follows exactly from 'lag1 likes': ...
    """
    moves = (-2, -1, 1, 2, 3)
    try:
        panel = open_panel(data, [predictor, outcome], by=by, time=time)
        moments = panel.moments([(1, 0), *((0, lag) for lag in moves)])
    except (DataError, DesignError):
        return
    for lag in moves:
        made_of_predictors(moments, panel.label(1, 0), [panel.label(0, lag)])


def far_out_periods(data: Any, names: Sequence[str], *, by: str, time: str) -> list[Doubt]:
    """Name the period that carries a column of its account, of a table in memory; it counts all the same."""
    if not isinstance(as_narwhals(data, pass_through=True), nw.DataFrame):
        return []
    found, value, positive = [], nw.col("value"), nw.col("positive")
    odd = (nw.col("n") >= _FEWEST_PERIODS) & far_out(nw.col("share"), nw.col("times"))
    for name in names:
        keys = (nw.col(by).alias("account"), nw.col(time).alias("period"))
        opened = open_rows(data, [name], [by, time], None).frame
        rows = opened.select(nw.col(name).cast(nw.Float64()).alias("value"), *keys).filter(value.is_finite())
        above = rows.with_columns(nw.when(value > 0).then(value).alias("positive")).group_by("account")
        each = above.agg(
            positive.count().alias("n"), positive.median().alias("usual"), value.sum().alias("total")
        )
        beside = rows.join(each, on="account").with_columns(
            (value / nw.col("total")).alias("share"), (value / nw.col("usual")).alias("times")
        )
        far = gather(beside.filter(odd).select("share", "times", "period"))
        found += [(*row, name) for row in far.iter_rows()]
    if not found:
        return []
    share, times, when, name = max(found, key=lambda each: each[1])
    which = f"the period of {when:%Y-%m-%d}" if isinstance(when, dt.date) else "one period"
    more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
    said = f"{which}{more} holds {100 * share:.2g} % of all {name} of its account, {times:,.0f} times a usual one"
    text = f"{said}: is it right? Correct or empty it, or declare what happened as an event"
    return [Doubt("one period", text, share, raised=True, code="one-period")]


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
    if still(np.diag(gram), np.einsum("gii->i", moments.grams())).any():
        return False
    scale = np.sqrt(np.diag(gram))
    gram = gram / np.outer(scale, scale)
    slopes = np.linalg.lstsq(gram[:-1, :-1], gram[:-1, -1], rcond=_ROUNDING)[0]
    if 1 - 2 * slopes @ gram[:-1, -1] + slopes @ gram[:-1, :-1] @ slopes > _ROUNDING:
        return False
    if moments.source is None:
        return True
    last = moments.source.col(moments.columns[-1])
    return moments.source.total([last.n_unique().alias("values")])["values"] >= _VALUES


#: A list needs this many accounts for its edges to be seen.
_FEWEST = 100
_LOWEST_SHARE = 0.02
_SHARP = 0.75
#: The lower envelope stands still when it moves by less than this share of the upper one.
_STILL = 0.35


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
    DesignError
        With fewer than 100 accounts: edges of short lists cannot be seen.
    DataError
        If the two differ in length or followers do not vary.

    See Also
    --------
    erresearch.decay : What a chosen list would distort.

    Notes
    -----
    Measured in simulated worlds, 200 lists of each kind and size: of lists selected on reactions 99, 98 and 92 % were
    caught at 3,000, 500 and 150 accounts; lists seen whole, with noisy followers, with decay or selected on followers
    gave no false alarm at 500 and more, and up to 3 % at 150.

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
    m = min(max(20, int(_LOWEST_SHARE * n)), n // 4)
    lowest = np.sort(r)[: m + 1]
    span = lowest[m] - lowest[0]
    # many accounts with the very same least number are a floor of the counting, not a cut of the list
    sharpness = float((lowest[m // 2] - lowest[0]) / span) if span > 0 else 1.0
    selected = sharpness < _SHARP and high > 0 and low < _STILL * high
    return ListSelection(sharpness, low, high, n, bool(selected))


def repeated_outcome(data: Any, outcome: str, *, by: str | None = None, period: str | None = None) -> None:
    """Refuse one outcome series that stands on the rows of several accounts.

    A shop with one revenue series and two accounts is one witness, not two.

    Parameters
    ----------
    data : frame, path or Moments
        Rows by account and period; moments made with both.
    outcome : str
        The column.
    by, period : str, optional
        The account and time columns; known already to moments.

    Raises
    ------
    GuardError
        Naming the accounts that share a series.
    DesignError
        If account or period are missing.

    Examples
    --------
    >>> import pandas as pd
    >>> week, revenue = np.arange(20), np.random.default_rng(0).normal(size=20)
    >>> table = pd.concat(pd.DataFrame({"account": a, "week": week, "revenue": revenue}) for a in ("ig", "tt"))
    >>> repeated_outcome(table, "revenue", by="account", period="week")
    Traceback (most recent call last):
        ...
    erresearch.errors.GuardError: 'revenue' is the same series on several accounts, ...
    """
    moments = open_moments(data, [outcome], by=by, period=period)
    cells = moments.cells
    if cells is None:
        raise GuardError(
            "a series needs its time",
            got="no period column",
            fix="name the time column with `period`",
        )
    means = replace(cells, sums=cells.sums / cells.weight[:, None])
    refuse_repeated(replace(moments, cells=means), outcome)
