"""Distributed lags of one series on another with few parameters, zeros kept, and a placebo from its own past."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Final, Literal, NamedTuple

import numpy as np

from erresearch.errors import Count, DesignError
from erresearch.results import DailyResponse, Doubt, Estimate, Precedence, Reliability, Shown, StudentT

#: Days below which a season, a memory and a window ahead cannot be told apart.
SHORTEST: Final = 180
#: A viral post must not set the floor: share of the median two weeks that is added before the logarithm.
_FLOOR: Final = 0.3
#: Times the median day with posts at which the capped series is cut.
_CAP: Final = 2.0
#: Share of a window that must be known.
_KNOWN: Final = 0.8
#: How often a planted effect must be found for the least effect that is printed.
_OFTEN: Final = 0.8
#: Estimator in words.
WORDS: Final = "feasible GLS, AR by Yule–Walker, zeros kept"


@dataclass(frozen=True, slots=True)
class Windows:
    """How the response is cut into windows of periods.

    Parameters
    ----------
    box, ahead : (int, int)
        First and last period before (of the word) and after (placebo).
    bands : tuple of (int, int)
        Windows whose sum is the size.
    close : tuple of (int, int)
        Finer windows beside which the same period is read: a wrong shape of the days after would pose as it (in 1 of 3
        shops with an effect of .2 where the box stands beside it, in 1 of 20 with these).
    memory : int
        Order of the autoregression.
    edge, step : int
        Least circular shift and the distance of two.
    year : float
        Periods in a year.
    """

    box: tuple[int, int] = (1, 14)
    ahead: tuple[int, int] = (-14, -1)
    bands: tuple[tuple[int, int], ...] = ((1, 7), (8, 14), (15, 28))
    close: tuple[tuple[int, int], ...] = ((1, 2), (3, 7), (8, 14), (15, 28))
    memory: int = 7
    edge: int = 42
    step: int = 7
    year: float = 365.25


DAYS: Final = Windows()
WEEKS: Final = Windows(
    (1, 2), (-2, -1), ((1, 1), (2, 2), (3, 4)), ((1, 1), (2, 2), (3, 4)), 2, 6, 1, 365.25 / 7
)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A combination of coefficients with its placebo distribution: the same at every circular shift.

    Parameters
    ----------
    value : float
        As it came out.
    draws : (3, S) ndarray
        By shift: of the outcome, of the residuals, and of a planted effect of 1.
    cosines : float
        Standard error by equally weighted cosines.
    df : float
        Degrees of freedom.
    rows : int
        Periods used.
    shops : int
        Shops that they are of.
    """

    value: float
    draws: np.ndarray
    cosines: float
    df: float
    rows: int
    shops: int = 1

    @property
    def se(self) -> float:
        """Root mean square over the shifts."""
        return float(np.sqrt(np.mean(self.draws[0] ** 2)))

    def estimate(
        self,
        name: str,
        level: float,
        *,
        se: float | None = None,
        how: str = "circular shifts",
        held: str = "",
    ) -> Estimate:
        """With Student's t about it."""
        method = f"{WORDS}, {how}, t({self.df:.0f}){held}"
        around = StudentT(self.value, self.se if se is None else se, self.df)
        return around.estimate(name, level, n_rows=self.rows, n_accounts=self.shops, method=method)


def weighted_sum(parts: Sequence[tuple[float, Drawn]]) -> Drawn:
    """A weighted sum; every shift is common to all parts, so that what they share stays in the spread."""
    shifts = min(part.draws.shape[1] for _, part in parts)
    return Drawn(
        sum(weight * part.value for weight, part in parts),
        np.sum([weight * part.draws[:, :shifts] for weight, part in parts], axis=0),
        math.sqrt(sum((weight * part.cosines) ** 2 for weight, part in parts)),
        min(part.df for _, part in parts),
        min(part.rows for _, part in parts),
        max(part.shops for _, part in parts),
    )


def over_four_weeks(
    plain: Sequence[Drawn], capped: Sequence[Drawn], x: str, y: str, level: float
) -> tuple[list[tuple[int, int, Estimate]], Estimate]:
    """Each band, half of either series, and their sum, whose error is wider where the two series disagree."""
    *bands, size = (
        weighted_sum([(0.5, one), (0.5, other)]) for one, other in zip(plain, capped, strict=True)
    )
    apart = weighted_sum([(0.5, plain[-1]), (-0.5, capped[-1])])
    se = math.hypot(max(size.se, size.cosines), math.sqrt(max(0.0, apart.value**2 - apart.se**2)))
    how = "three windows, larger of circular shifts and cosines"
    ladder = [
        (first, last, band.estimate(f"{x} {first} to {last} days before {y}", level))
        for (first, last), band in zip(DAYS.bands, bands, strict=True)
    ]
    return ladder, size.estimate(f"{y} on {x}, four weeks", level, se=se, how=how)


@dataclass(frozen=True, slots=True, eq=False)
class ShiftFit:
    """Least squares of y on a few columns of x beside what is held fixed, at every circular shift of x.

    Parameters
    ----------
    beta : (k,) ndarray
        Coefficients of x.
    shifted : (S, k, 3) ndarray
        The same with x moved in a circle: of y, of the residuals, of the first column of x as outcome.
    covariance : (k, k) ndarray
        By equally weighted cosines.
    rows : int
        Rows after the filter.
    missing : float
        Share of rows that were filled and tell nothing.
    """

    beta: np.ndarray
    shifted: np.ndarray
    covariance: np.ndarray
    rows: int
    missing: float

    def pick(self, weights: np.ndarray | Sequence[float], unit: float) -> Drawn:
        """A combination; `unit` is what an effect of 1 is to the first coefficient."""
        w = np.asarray(weights)
        known = self.rows * (1 - self.missing)
        wider = 1 / math.sqrt(1 - self.missing)
        draws = np.einsum("skc,k->cs", self.shifted, w) * np.array([[wider], [wider], [unit]])
        cosines = math.sqrt(max(float(w @ self.covariance @ w), 0.0)) * wider
        df = min(0.4 * known ** (2 / 3), draws.shape[1] / 2)
        return Drawn(float(self.beta @ w), draws, cosines, df, round(known))


def window_means(values: np.ndarray, first: int, last: int) -> np.ndarray:
    """Mean of the known values of periods t − last … t − first; nan where less than four fifths are known."""
    length, known = last - first + 1, ~np.isnan(values)
    figures = np.where(known, values, 0.0), known
    sums, counts = (np.convolve(part, np.ones(length))[: len(values)] for part in figures)
    means = np.where(counts >= math.ceil(_KNOWN * length), sums / np.maximum(counts, 1), math.nan)
    means[: length - 1] = math.nan  # the window begins before the first period
    return np.roll(np.pad(means, (0, abs(first)), constant_values=math.nan), first)[: len(values)]


def prewhiten(columns: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Take an autoregression out: each row less its weighted past; the first rows have none and are cut."""
    out = columns.copy()
    for lag, weight in enumerate(memory, start=1):
        out[lag:] -= weight * columns[:-lag]
    return out[len(memory) :]


def _blocks(columns: np.ndarray, *, numbers: int = 8_000) -> list[np.ndarray]:
    """Rows of tall columns in parts so small that a BLAS starts no threads, which would only wait for each other."""
    most = len(columns) // max(2 * columns.shape[1], 1)
    return np.array_split(columns, max(1, min(math.ceil(columns.size / numbers), most)))


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """An orthonormal basis of tall columns: Q of their QR decomposition, from that of each block of rows."""
    outer, upper = zip(*map(np.linalg.qr, _blocks(columns)), strict=True)
    inner = np.array_split(np.linalg.qr(np.vstack(upper))[0], len(outer))
    return np.vstack([one @ other for one, other in zip(outer, inner, strict=True)])


def triangle(columns: np.ndarray) -> np.ndarray:
    """R of the same decomposition: RᵀR are the cross-products, and R keeps the digits that they lose."""
    parts = [np.linalg.qr(part, mode="r") for part in _blocks(columns)]
    return np.asarray(np.linalg.qr(np.vstack(parts), mode="r"))


def coefficients(columns: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least squares of y on tall columns."""
    upper = triangle(np.column_stack([columns, y]))
    return np.asarray(np.linalg.lstsq(upper[:, :-1], upper[:, -1], rcond=None)[0])


def fit_shifts(y: np.ndarray, own: np.ndarray, fixed: np.ndarray, calendar: Windows) -> ShiftFit:
    """Feasible GLS, and its coefficients of `own` at all circular shifts from one Fourier transform.

    With Q an orthonormal basis of the filtered fixed columns, X_s the filtered own columns moved by s, the coefficients
    at s are (X₀ᵀX₀ − A_sᵀA_s)⁻¹ X_sᵀMy with A_s = QᵀX_s and M = I − QQᵀ; X_sᵀMy and A_s are circular correlations.
    """
    from scipy import linalg

    whole = np.isfinite(own).all(axis=1)
    inside = np.flatnonzero(whole)
    span = slice(inside[0], inside[-1] + 1) if len(inside) else slice(0, 0)
    y, own, whole, fixed = y[span], own[span], whole[span], _independent(fixed[span])
    k, n = own.shape[1], len(y)
    if n - calendar.memory < fixed.shape[1] + k + 2 * calendar.edge:
        raise DesignError(
            f"{Count(n):period} cannot carry {Count(fixed.shape[1] + k):parameter} and their placebo shifts",
            code="too-few-rows",
            allowed=f"{fixed.shape[1] + k + 2 * calendar.edge + calendar.memory} or more",
            fix="bring a longer past, or fewer controls and kinds of events",
        )
    holes = ~np.isfinite(y) | ~whole
    own = np.where(np.isfinite(own), own, np.nanmean(own, axis=0))
    both = np.column_stack([own, fixed])
    beta = coefficients(both[~holes], y[~holes])
    for _ in range(2):
        full = np.where(holes, both @ beta, y)
        left = full - both @ beta
        left -= left.mean()
        moments = [left[: len(left) - lag] @ left[lag:] for lag in range(calendar.memory + 1)]
        memory = linalg.solve_toeplitz(moments[:-1], moments[1:])
        beta = coefficients(prewhiten(both, memory), prewhiten(full, memory))
    full = prewhiten(np.where(holes, both @ beta, y), memory)
    filtered = prewhiten(both, memory)
    x, basis = filtered[:, :k], orthonormal(filtered[:, k:])
    rest, left = (part - basis @ (basis.T @ part) for part in (x, full))
    gram = x.T @ x
    lost = np.linalg.eigvalsh(rest.T @ rest / np.sqrt(np.outer(np.diag(gram), np.diag(gram))))[0]
    if lost < 1e-10:
        raise DesignError(
            "the reactions cannot be told apart from what is held fixed",
            fix="leave out a control or a kind of event that says the same as the posts; reactions that are alike "
            "every week cannot be told from the weekday",
        )
    beta = np.linalg.solve(rest.T @ rest, rest.T @ left)
    residuals = left - rest @ beta
    rows = len(full)
    targets = np.fft.rfft(np.column_stack([left, residuals, rest[:, 0], basis]), axis=0)[:, None, :]
    moved = np.fft.irfft(np.conj(np.fft.rfft(x, axis=0))[:, :, None] * targets, rows, axis=0)
    shifts = np.arange(calendar.edge, rows - calendar.edge + 1, calendar.step)
    explained = moved[shifts][:, :, 3:]
    grams = gram - explained @ explained.transpose(0, 2, 1)
    shifted = np.linalg.solve(grams, moved[shifts][:, :, :3])
    covariance, _ = cosine_covariance(rest, residuals, parameters=basis.shape[1] + k)
    return ShiftFit(beta, shifted, covariance, rows, float(holes.mean()))


def _independent(columns: np.ndarray) -> np.ndarray:
    """Columns that those before them do not explain."""
    sizes = np.linalg.norm(columns, axis=0)
    columns = columns[:, sizes > 0]
    own = np.abs(np.diag(triangle(columns)))
    return np.asarray(columns[:, own > 1e-8 * np.linalg.norm(columns, axis=0)])


@dataclass(frozen=True, slots=False, eq=False, kw_only=True)
class ShopSeries:
    """One shop's periods on a whole calendar.

    Parameters
    ----------
    x, y : (n,) ndarray
        Reactions to the period's posts, and log revenue; nan where not known.
    fixed : (n, f) ndarray
        Constant, trend, season, weekdays, controls.
    happened : (n, e) ndarray
        Declared events with their leads and lags.
    calendar : Windows
        Days, or weeks.
    """

    x: np.ndarray
    y: np.ndarray
    fixed: np.ndarray
    happened: np.ndarray
    calendar: Windows

    @cached_property
    def capped(self) -> ShopSeries:
        """The same with every day at twice the median day with posts at most."""
        most = _CAP * float(np.nanmedian(self.x[self.x > 0]))
        return replace(self, x=np.minimum(self.x, most))

    @cached_property
    def floor(self) -> float:
        """What is added before the logarithm: zeros are kept, and a viral post does not set it."""
        usual = window_means(self.x, *self.calendar.box)
        middle = float(np.nanmedian(usual))
        return _FLOOR * (middle if middle > 0 else float(np.nanmean(usual)))

    def column(self, first: int, last: int) -> tuple[np.ndarray, float]:
        """Logarithm of a window's mean, and what turns its coefficient into an elasticity."""
        mean = window_means(self.x, first, last) if (first, last) != (0, 0) else self.x
        share = mean / (mean + self.floor)
        return np.log(mean + self.floor), float(np.nanmean(share))

    def fit(self, *windows: tuple[int, int]) -> tuple[ShiftFit, np.ndarray]:
        """The model with these windows and the same period, and what its coefficients are as elasticities."""
        made = [self.column(*window) for window in (*windows, (0, 0))]
        fixed = np.column_stack([self.fixed, self.happened])
        fitted = fit_shifts(self.y, np.column_stack([column for column, _ in made]), fixed, self.calendar)
        return fitted, np.array([share for _, share in made])

    @cached_property
    def movement(self) -> tuple[Drawn, ...]:
        """Before, the same period beside finer windows and beside the box, after, and before less after."""
        shape = self.calendar
        fitted, share = self.fit(shape.box)
        before, beside = (fitted.pick(one, 1 / share[0]) for one in ([share[0], 0], [0, share[1]]))
        fitted, share = self.fit(*shape.close)
        same = fitted.pick([0] * len(shape.close) + [share[-1]], 1 / share[0])
        fitted, share = self.fit(shape.box, shape.ahead)
        unit = 1 / share[0]
        return (
            before,
            same,
            beside,
            fitted.pick([0, share[1], 0], unit),
            fitted.pick([share[0], -share[1], 0], unit),
        )

    @cached_property
    def bands(self) -> tuple[Drawn, ...]:
        """Each band, and their sum last."""
        fitted, share = self.fit(*self.calendar.bands)
        unit = 1 / share[0]
        rows = [np.where(np.arange(len(share)) == i, share, 0.0) for i in range(len(share) - 1)]
        return (*(fitted.pick(row, unit) for row in rows), fitted.pick(np.sum(rows, axis=0), unit))

    def share_explained(self) -> tuple[float, float]:
        """Share of the variance of x of the same period, and of the box, that the others explain."""
        own = np.column_stack([self.column(*window)[0] for window in (self.calendar.box, (0, 0))])
        whole = np.isfinite(own).all(axis=1)
        both = np.column_stack([own, self.fixed, self.happened])[whole]
        left = []
        for i in (1, 0):
            others = np.delete(both, i, axis=1)
            rest = both[:, i] - others @ coefficients(others, both[:, i])
            left.append(float(1 - rest.var() / both[:, i].var()))
        return left[0], left[1]


def reach(
    moved: Sequence[Drawn], capped: Sequence[Drawn], level: float, *, more: float = 1.0
) -> tuple[float, float]:
    """Least effect that is *supported* four times in five, and least δ that holds a nil as often, from both movements.

    Each shift of the shop's own noise stands for one draw. An effect widens the placebo, because a shifted x then meets
    the echo of the true one; more data narrow all of it by the root of their number.
    """
    before, same, *_, over = moved
    nils = (before, same, *capped[:2])
    narrower = 1 / math.sqrt(more)
    factor = StudentT(0.0, 1.0, before.df * more ** (2 / 3)).critical(level)
    shifts = min(part.draws.shape[1] for part in (*nils, over))
    planted = np.geomspace(0.01, 3.0, 120)
    found = np.ones((len(planted), shifts), dtype=bool)
    for part in (before, over):
        _, noise, unit = part.draws
        spread = noise + planted[:, None] * unit
        half = factor * narrower * np.sqrt(np.mean(spread**2, axis=1))
        found &= planted[:, None] + narrower * noise[:shifts] > half[:, None]
    often = np.flatnonzero(found.mean(axis=1) >= _OFTEN)
    widest = [
        narrower * (np.abs(noise[:shifts]) + factor * np.sqrt(np.mean(noise**2)))
        for _, noise, _ in (part.draws for part in nils)
    ]
    nil = float(np.quantile(np.max(widest, axis=0), _OFTEN))
    return float(planted[often[0]]) if len(often) else math.inf, nil


def season(position: np.ndarray, year: float, pairs: int = 3) -> list[np.ndarray]:
    """Constant, trend and, from about a year on, pairs of yearly waves."""
    n = len(position)
    columns = [np.ones(n), np.linspace(-1.0, 1.0, n)]
    return columns + waves(position / year, pairs) if n >= 0.8 * year else columns


class Shop(NamedTuple):
    """A shop's days and weeks, revenue and posts of a day, the days covered, and what had to be said about them."""

    days: ShopSeries
    weeks: ShopSeries
    money: float
    posts: float
    first: str
    last: str
    cautions: tuple[Doubt, ...]


def respond(
    shops: Sequence[Shop],
    *,
    x: str,
    y: str,
    level: float,
    currency: str,
    held: str,
    told: tuple[Doubt, ...],
) -> DailyResponse:
    """Numbers of one shop, or of several together: weights by precision, and shifts that all share."""
    whole, cut = [shop.days for shop in shops], [shop.days.capped for shop in shops]
    precision = np.array([1 / days.movement[0].se ** 2 for days in whole])
    pooled = partial(_pooled, weights=(precision / precision.sum()).tolist())
    before, same, beside, after, over = movement = pooled([days.movement for days in whole])
    capped = pooled([days.movement for days in cut])
    plain, flat = (pooled([days.bands for days in each]) for each in (whole, cut))
    ladder, four_weeks = over_four_weeks(plain, flat, x, y, level)
    forward = before.estimate(f"{x} before {y}", level, held=held)
    same_day, dip = (part.estimate(f"{x} with {y}", level) for part in (same, beside))
    # less after a rise of the same day is a dip, as when a hit sells out; beside the box that rise is seen more often
    contemporaneous = dip if forward.interval.high < 0 < dip.interval.low else same_day
    lead = after.estimate(f"{x} after {y} (placebo)", level)
    worth = _worth(shops, replace(four_weeks, unit=currency), x)
    order = Precedence(
        x=f"log {x}",
        y=f"log {y}",
        forward=forward,
        reverse=lead,
        lead=lead,
        lags=((-1, lead), (0, contemporaneous), *enumerate((each for *_, each in ladder), start=1)),
        rungs=("14 days\nafter", "same\nday", *(f"days\n{first}–{last}" for first, last, _ in ladder)),
        contemporaneous=contemporaneous,
        method=forward.method,
        n_rows=forward.n_rows,
        n_accounts=len(shops),
        dropped={},
        beside=forward,
        over_lead=over.estimate(f"{x} before {y} less after it", level),
        explained=shops[0].days.share_explained(),
        reliability=Reliability(math.nan, math.nan, "days"),
        same="same day",
        after="next two weeks",
        worth=worth,
    )
    return DailyResponse(
        x=x,
        y=y,
        order=order,
        size=four_weeks,
        bands=tuple(ladder),
        capped=(
            capped[0].estimate(f"{x} before {y}, capped", level),
            capped[1].estimate(f"{x} with {y}, capped", level),
        ),
        worth=worth[0],
        per_post=worth[1] if len(worth) > 1 else None,
        shown=tuple(_shown(shops, pooled, movement, capped, level)),
        cautions=(*told, *(doubt for shop in shops for doubt in shop.cautions)),
        first=min(shop.first for shop in shops),
        last=max(shop.last for shop in shops),
    )


def _pooled(parts: Sequence[Sequence[Drawn]], *, weights: Sequence[float]) -> list[Drawn]:
    """Each combination over all shops: weighted, and of the rows of all."""
    sums = (weighted_sum(list(zip(weights, each, strict=True))) for each in zip(*parts, strict=True))
    rows = [sum(part.rows for part in each) for each in zip(*parts, strict=True)]
    return [replace(one, rows=n, shops=len(weights)) for one, n in zip(sums, rows, strict=True)]


def _worth(shops: Sequence[Shop], size: Estimate, x: str) -> tuple[Estimate, ...]:
    """What one more reaction goes with in revenue, and one more post where posts are counted."""
    name = x.removesuffix("_24h")
    one = "reaction" if name == "engagement" else name.removesuffix("s")
    money, posts = sum(shop.money for shop in shops), sum(shop.posts for shop in shops)
    reactions = sum(float(np.nanmean(shop.days.x)) for shop in shops)
    worth = size.transformed(f"one more {one}", factor=money / reactions)
    if not posts > 0:
        return (worth,)
    return worth, size.transformed("one more usual post", factor=money / posts)


def _shown(
    shops: Sequence[Shop],
    pooled: Callable[[Sequence[Sequence[Drawn]]], list[Drawn]],
    moved: list[Drawn],
    capped: list[Drawn],
    level: float,
) -> Iterator[Shown]:
    """What these days could show, what another year would add, and what weeks or undeclared events would cost."""

    def part(data: Literal["as-weeks", "without-events"], each: Sequence[ShopSeries]) -> Shown:
        found = pooled([series.movement for series in each])
        most = pooled([series.capped.movement for series in each])
        return Shown(data, found[0].rows, *reach(found, most, level))

    rows = moved[0].rows
    longer = rows + DAYS.year * len(shops)  # of each of them
    yield Shown("as-it-is", rows, *reach(moved, capped, level))
    yield Shown("another-year", round(longer), *reach(moved, capped, level, more=longer / rows))
    with suppress(DesignError):  # too few weeks for shifts: nothing could be shown, and nothing is said
        yield part("as-weeks", [shop.weeks for shop in shops])
    if any(shop.days.happened.size for shop in shops):
        yield part(
            "without-events", [replace(shop.days, happened=shop.days.happened[:, :0]) for shop in shops]
        )


def cosine_covariance(
    regressors: np.ndarray, residuals: np.ndarray, *, parameters: int | None = None
) -> tuple[np.ndarray, int]:
    """Covariance of least squares under autocorrelation, by equally weighted cosines, and its degrees of freedom.

    V = H⁻¹ΩH⁻¹ with H = XᵀX and Ω = T/ν · Σ_j Λ_jΛ_jᵀ, Λ_j = √(2/T) Σ_t x_t u_t cos(πj(t − ½)/T), j = 1 … ν,
    ν = 0.4·T^⅔; times T/(T − k). Under fixed-b asymptotics the t statistic has Student's t with ν degrees of freedom.

    Parameters
    ----------
    regressors : (T, k) ndarray
        In order of time.
    residuals : (T,) ndarray
        Of the regression.
    parameters : int, optional
        What T − k counts, if not the columns: 0 where the residuals are over 1 − leverage already.

    Returns
    -------
    covariance : (k, k) ndarray
        Of the coefficients.
    df : int
        ν.

    References
    ----------
    Lazarus, E., Lewis, D. J., Stock, J. H., & Watson, M. W. (2018). HAR inference: recommendations for practice.
    *Journal of Business & Economic Statistics*, 36(4), 541-559.

    Examples
    --------
    >>> u = np.random.default_rng(0).normal(size=400)
    >>> v, df = cosine_covariance(np.ones((400, 1)), u - u.mean())
    >>> df, bool(0.02 < v[0, 0] ** 0.5 < 0.09)
    (22, True)
    """
    length, k = regressors.shape
    k = k if parameters is None else parameters
    df = max(1, round(0.4 * length ** (2 / 3)))
    angles = np.pi * np.arange(1, df + 1)[:, None] * (np.arange(length) + 0.5) / length
    waves = np.sqrt(2 / length) * np.cos(angles) @ (regressors * residuals[:, None])
    bread = np.linalg.inv(regressors.T @ regressors)
    meat = length / df * waves.T @ waves * length / (length - k)
    return bread @ meat @ bread, df


def waves(turns: np.ndarray, pairs: int) -> list[np.ndarray]:
    """Pairs of sine and cosine, of one turn, of two, and so on.

    Examples
    --------
    >>> [wave.round(6).tolist() for wave in waves(np.array([0.0, 0.25]), 1)]
    [[0.0, 1.0], [1.0, 0.0]]
    """
    angles = [2 * np.pi * n * turns for n in range(1, pairs + 1)]
    return [wave for angle in angles for wave in (np.sin(angle), np.cos(angle))]
