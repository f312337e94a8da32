"""Four things that a slider teaches, each over a simulated world whose truth is known."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from erresearch.engine.expressions import log
from erresearch.errors import Count, DesignError, check_name
from erresearch.io import pd
from erresearch.relate.association import regress
from erresearch.relate.reaction_models import decay
from erresearch.relate.temporal_precedence import precedence
from erresearch.report.figures.style import INK, MUTED, WORD_COLOURS
from erresearch.results import Interval, Precedence, plain
from erresearch.robustness import detectable
from erresearch.worlds import simulate_panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

SHOPS: Final = 300
"""Shops in the table of numbers that have nothing to do with each other."""
FEW_SHOPS: Final = 8
MOST_WEEKS: Final = 208
LISTED: Final = 2000
_EDGE: Final = 0.05
PLANTED: Final = 0.1
_MOVES: Final = ("engagement", "revenue")


@dataclass(frozen=True, slots=True)
class View:
    """What one setting of a slider shows.

    Parameters
    ----------
    setting : float
        Where the slider stands.
    figures : mapping of str to float
        What was measured, by name, in full precision.
    told : mapping of str to str
        The same as printed.
    sentence : str
        One sentence that says it.
    draw : callable
        Draws the picture into matplotlib Axes.
    """

    setting: float
    figures: Mapping[str, float]
    told: Mapping[str, str]
    sentence: str
    draw: Callable[[Axes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """A slider: what it moves, between which settings, and what is true whatever it shows.

    Parameters
    ----------
    name, title : str
        How it is asked for, and its headline.
    label : str
        What the slider moves.
    truth : str
        What was planted, in one sentence.
    settings : tuple of float
        Where the slider can stand, rising.
    start : float
        Where it stands at first.
    still : (float, float, float)
        Settings shown where nothing can be moved.
    form : str
        Format of a setting, for example ``"{:.0f} %"``.
    look : callable
        ``look(setting, rng)`` computes the view.
    """

    name: str
    title: str
    label: str
    truth: str
    settings: tuple[float, ...]
    start: float
    still: tuple[float, float, float]
    form: str
    look: Callable[[float, int], View]

    def at(self, setting: float, *, rng: int) -> View:
        """Look at one setting.

        Parameters
        ----------
        setting : float
            One of `settings`.
        rng : int
            Seed of the world.

        Returns
        -------
        View

        Raises
        ------
        DesignError
            If the slider cannot stand there.

        Examples
        --------
        >>> view = EXPLORATIONS["shared denominator"].at(1.0, rng=2)
        >>> view.figures["r per follower"] > 0.7 > 0.2 > abs(view.figures["r of the counts"])
        True
        """
        close = [known for known in self.settings if abs(known - setting) < 1e-9]
        if not close:
            shown = ", ".join(self.form.format(known) for known in self.settings)
            raise DesignError(
                f"the slider {self.name!r} cannot stand there",
                got=repr(setting),
                allowed=f"{self.settings[0]:g} to {self.settings[-1]:g}, in these steps: {shown}",
            )
        return self.look(close[0], rng)


def in_time(table: pd.DataFrame, *, spend: bool = True) -> Precedence:
    """Engagement before revenue and the other way round, with advertising held or not.

    Parameters
    ----------
    table : pandas.DataFrame
        Simulated shops by week.
    spend : bool
        Whether advertising is held.

    Returns
    -------
    Precedence
    """
    controls = [log("spend")] if spend else []
    return precedence(table, *map(log, _MOVES), by="account", time="week", controls=controls)


def _r(x: Floats, y: Floats) -> float:
    return float(np.corrcoef(x.ravel(), y.ravel())[0, 1])


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    """A panel, and the logs of a column in shops by weeks as shared part plus own part."""

    panel: Any
    shared: Mapping[str, Floats]
    own: Mapping[str, Floats]

    def mixed(self, column: str, strength: float) -> Floats:
        """Put the column together again, with the shared part stronger or weaker about its mean."""
        shared = self.shared[column]
        out: Floats = shared.mean() + strength * (shared - shared.mean()) + self.own[column]
        return out


def _centred(a: Floats) -> Floats:
    out: Floats = a - a.mean(1, keepdims=True) - a.mean(0, keepdims=True) + a.mean()
    return out


@functools.lru_cache(maxsize=8)
def _split(rng: int) -> _Split:
    """Divide the world nil into what its shops share and what is each week's own.

    Shared are the size of the shop, the season, and this and the last two weeks' advertising: everything that
    moves both columns in that world.
    """
    panel, _ = simulate_panel("nil", rng=rng)
    panel = panel.sort_values(["account", "week"]).reset_index(drop=True)
    shape = (panel["account"].nunique(), -1)
    logs = {name: np.log(panel[name].to_numpy(float)).reshape(shape) for name in (*_MOVES, "spend")}
    spend = _centred(logs["spend"])
    past = np.column_stack(
        [np.pad(spend, ((0, 0), (lag, 0)))[:, : spend.shape[1]].ravel() for lag in range(3)]
    )
    own = {}
    for name in _MOVES:
        rest = _centred(logs[name]).ravel()
        own[name] = (rest - past @ np.linalg.lstsq(past, rest, rcond=None)[0]).reshape(logs[name].shape)
    return _Split(panel, {name: logs[name] - own[name] for name in _MOVES}, own)


def _confounded(strength: float, rng: int) -> View:
    """Make what moves both columns stronger or weaker; engagement moves nothing at any strength."""
    split = _split(rng)
    x, y = (split.mixed(column, strength) for column in _MOVES)
    table = split.panel.assign(engagement=np.exp(x).ravel(), revenue=np.exp(y).ravel())
    found = in_time(table).forward
    r = _r(x, y)

    def draw(ax: Axes) -> None:
        """Show all weeks of all shops."""
        ax.plot(x.ravel(), y.ravel(), ".", ms=2, alpha=0.35, color=WORD_COLOURS["supported"])
        ax.set(xlabel="log engagement", ylabel="log revenue", xlim=(3, 12), ylim=(4, 14))
        ax.set_title(f"strength {strength:.1f}: r = {plain(r, '.2f')}")
        ax.text(
            11.9,
            4.1,
            f"elasticity, adjusted {plain(found.value, '+.3f')}",
            ha="right",
            va="bottom",
            color=INK,
        )

    return View(
        strength,
        {"r": r, "elasticity": found.value},
        {
            "r over all weeks": plain(r, ".2f"),
            "elasticity, adjusted": f"{plain(found.value, '+.3f')} {_short(found.interval)}",
        },
        f"At strength {strength:.1f} all weeks together correlate by r = {plain(r, '.2f')}. "
        f"With the past, advertising, shop and week held fixed, the elasticity is "
        f"{plain(found.value, '+.3f')} {_short(found.interval)}.",
        draw,
    )


def _short(interval: Interval) -> str:
    return f"[{plain(interval.low, '+.2f')}, {plain(interval.high, '+.2f')}]"


def unrelated(spread: float = 1.0, *, rng: int) -> pd.DataFrame:
    """Simulate likes, orders and followers of shops, none of which has to do with another.

    Parameters
    ----------
    spread : float
        Standard deviation of log followers.
    rng : int
        Seed.

    Returns
    -------
    pandas.DataFrame
        One row per shop: shop, likes, orders, followers. ``attrs["simulated"]`` is true.

    Examples
    --------
    >>> unrelated(rng=1).columns.tolist()
    ['shop', 'likes', 'orders', 'followers']
    """
    random = np.random.default_rng([rng, 300])
    likes, orders, followers = random.standard_normal((3, SHOPS))
    table = pd.DataFrame(
        {
            "shop": [f"shop-{number:03d}" for number in range(1, SHOPS + 1)],
            "likes": np.maximum(random.poisson(np.exp(6 + 0.5 * likes)), 1),
            "orders": np.maximum(random.poisson(np.exp(5 + 0.4 * orders)), 1),
            "followers": np.rint(np.exp(10 + spread * followers)).astype(np.int64),
        }
    )
    table.attrs["simulated"] = True
    return table


def _shared_denominator(spread: float, rng: int) -> View:
    """Divide two unrelated counts by the same followers."""
    table = unrelated(spread, rng=rng)
    likes, orders, followers = (
        np.log(table[name].to_numpy(float)) for name in ("likes", "orders", "followers")
    )
    counts, rates = _r(likes, orders), _r(likes - followers, orders - followers)
    # without any spread the followers cannot stand in the model, and need not
    held = [log("followers")] if spread else []
    cure = regress(table, log("orders"), on=[log("likes"), *held])["log likes"]

    def draw(ax: Axes) -> None:
        """Show the counts in grey, the rates in colour, both about their middle."""
        for x, y, name, colour in (
            (likes, orders, f"counts, r = {plain(counts, '.2f')}", MUTED),
            (
                likes - followers,
                orders - followers,
                f"per follower, r = {plain(rates, '.2f')}",
                WORD_COLOURS["contradicted"],
            ),
        ):
            ax.plot(x - x.mean(), y - y.mean(), ".", ms=4, alpha=0.5, color=colour, label=name)
        ax.set(xlabel="log likes (per follower), centred", ylabel="log orders (per follower), centred")
        ax.set(xlim=(-6, 6), ylim=(-6, 6))
        ax.set_title(f"spread of followers {spread:.2g}")
        ax.legend(loc="upper left", markerscale=2)
        ax.text(
            5.8, -5.8, f"elasticity, held {plain(cure.value, '+.2f')}", ha="right", va="bottom", color=INK
        )

    return View(
        spread,
        {"r of the counts": counts, "r per follower": rates, "elasticity": cure.value},
        {
            "r of the counts": plain(counts, ".2f"),
            "r per follower": plain(rates, ".2f"),
            "elasticity, followers held": f"{plain(cure.value, '+.2f')} {_short(cure.interval)}",
        },
        f"The counts correlate by r = {plain(counts, '.2f')}; divided by the same followers, "
        f"by r = {plain(rates, '.2f')}. With followers beside the likes instead of below them, the elasticity of "
        f"orders is {plain(cure.value, '+.2f')} {_short(cure.interval)}.",
        draw,
    )


@functools.lru_cache(maxsize=8)
def _long_panel(rng: int) -> Any:
    return simulate_panel("effect", accounts=FEW_SHOPS, weeks=MOST_WEEKS, rng=rng)[0]


def _weeks(weeks: float, rng: int) -> View:
    """Look at one shop and at eight after so many weeks of one history."""
    panel = _long_panel(rng)
    seen = panel[panel["week"] < panel["week"].min() + np.timedelta64(7 * int(weeks), "D")]
    first = seen[seen["account"] == seen["account"].iloc[0]]
    found = {name: in_time(table).forward for name, table in (("one shop", first), ("eight shops", seen))}
    could = {name: detectable(estimate).effect for name, estimate in found.items()}

    def draw(ax: Axes) -> None:
        """Show both intervals between what was planted and what would not matter."""
        ax.axvspan(-_EDGE, _EDGE, color=MUTED, alpha=0.15, lw=0)
        ax.axvline(PLANTED, color=INK, lw=1, ls=":")
        for at, estimate in enumerate(found.values()):
            tells = estimate.interval.low > 0 or estimate.interval.high < 0
            colour = WORD_COLOURS["supported" if tells else "inconclusive"]
            ax.plot([estimate.interval.low, estimate.interval.high], [at, at], lw=4, color=colour)
            ax.plot([estimate.value], [at], "o", ms=9, color=colour)
        ax.text(PLANTED, 1.5, "planted", ha="center", color=INK, backgroundcolor="white")
        ax.text(0.0, -0.75, "would not matter", ha="center", color=MUTED)
        ax.set(xlim=(-0.35, 0.5), ylim=(-1, 1.9))
        ax.set_yticks([0, 1], [f"{name},\nfinds from {could[name]:.2f}" for name in found])
        ax.set(xlabel="elasticity of next week's revenue")
        ax.set_title(f"{Count(int(weeks)):week}")

    told = {
        f"{name}{also}": text
        for name, estimate in found.items()
        for also, text in (
            ("", f"{plain(estimate.value, '+.2f')} {_short(estimate.interval)}"),
            (", finds from", f"{could[name]:.2f}"),
        )
    }
    return View(
        weeks,
        {f"{name}, finds from": effect for name, effect in could.items()},
        told,
        f"After {Count(int(weeks)):week} one shop shows an elasticity of {told['one shop']} and would find effects from "
        f"{told['one shop, finds from']} on; eight shops show {told['eight shops']} and would find effects from "
        f"{told['eight shops, finds from']} on (80 % power).",
        draw,
    )


@functools.lru_cache(maxsize=8)
def _flat_list(rng: int) -> Any:
    return simulate_panel("flat", accounts=LISTED, rng=rng)[0]


def _listed(percent: float, rng: int) -> View:
    """Keep only the accounts with the most reactions, as a list of the best does."""
    everybody = _flat_list(rng)
    kept = everybody.nlargest(max(50, round(percent / 100 * len(everybody))), "engagement")
    found = decay(kept, by="account").exponent

    def rate(table: Any) -> tuple[Any, Any]:
        return table["followers"], 100 * table["engagement"] / table["posts"] / table["followers"]

    def draw(ax: Axes) -> None:
        """Show rates by followers: all accounts in grey, those on the list in colour."""
        ax.plot(*rate(everybody), ".", ms=2, alpha=0.4, color="#b5b0a6", label="all")
        ax.plot(*rate(kept), ".", ms=2.5, alpha=0.6, color=WORD_COLOURS["contradicted"], label="on the list")
        ax.set(xscale="log", yscale="log", xlabel="followers", ylabel="reactions per post and follower (%)")
        ax.set_title(f"the best {percent:.0f} %: exponent {plain(found.value, '.2f')}")
        ax.legend(loc="lower left", markerscale=4)

    falls = 100 * (1 - 10 ** (found.value - 1))
    return View(
        percent,
        {"exponent": found.value, "low": found.interval.low, "high": found.interval.high},
        {"accounts": f"{len(kept):,}", "exponent": f"{plain(found.value, '.2f')} {_short(found.interval)}"},
        f"The list of the best {percent:.0f} % ({Count(len(kept)):account}) gives an exponent of "
        f"{plain(found.value, '.2f')} {_short(found.interval)}: ten times the followers seem to "
        f"{'cost' if falls >= 0 else 'add'} {abs(falls):.0f} % of the rate.",
        draw,
    )


EXPLORATIONS: Final[Mapping[str, Exploration]] = MappingProxyType(
    {
        one.name: one
        for one in (
            Exploration(
                name="list",
                title="Who is on the list?",
                label="the list keeps the best",
                truth="the rate does not depend on followers (exponent 1)",
                settings=(5.0, *(10.0 * k for k in range(1, 11))),
                start=100.0,
                still=(5.0, 30.0, 100.0),
                form="{:.0f} %",
                look=_listed,
            ),
            Exploration(
                name="confounding",
                title="How strong is what moves both?",
                label="strength",
                truth="engagement moves nothing; size, season and advertising move both columns",
                settings=tuple(round(0.1 * k, 1) for k in range(16)),
                start=1.0,
                still=(0.0, 0.5, 1.0),
                form="{:.1f}",
                look=_confounded,
            ),
            Exploration(
                name="shared denominator",
                title="Two rates, one denominator",
                label="spread of followers",
                truth="likes, orders and followers have nothing to do with each other",
                settings=tuple(0.25 * k for k in range(9)),
                start=0.0,
                still=(0.0, 0.5, 1.5),
                form="{:.2f}",
                look=_shared_denominator,
            ),
            Exploration(
                name="weeks",
                title="How many weeks does it take?",
                label="weeks",
                truth="1 % more engagement brings 0.1 % more revenue in the week after",
                settings=tuple(float(weeks) for weeks in range(28, MOST_WEEKS + 1, 12)),
                start=28.0,
                still=(28.0, 100.0, 208.0),
                form="{:.0f}",
                look=_weeks,
            ),
        )
    }
)
"""Every slider, by name."""


def exploration_named(name: str) -> Exploration:
    """Look a slider up.

    Parameters
    ----------
    name : str
        One of :data:`EXPLORATIONS`.

    Returns
    -------
    Exploration

    Raises
    ------
    UnknownNameError
        If there is no such slider.

    Examples
    --------
    >>> exploration_named("weeks").still
    (28.0, 100.0, 208.0)
    """
    check_name("slider", name, EXPLORATIONS)
    return EXPLORATIONS[name]
