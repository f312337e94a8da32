"""Sliders and questions over simulated worlds; a picture, a table or text where none can be moved."""

from __future__ import annotations

import base64
import functools
import importlib.util
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from erresearch.engine.expressions import log
from erresearch.errors import Count, DesignError, check_name
from erresearch.io import pd
from erresearch.io.files import frozen, registry
from erresearch.relate.association import regress
from erresearch.relate.reaction_models import decay
from erresearch.relate.temporal_precedence import precedence
from erresearch.report.figures.style import INK, MUTED, WORD_COLOURS, file_of, theme
from erresearch.results import Estimate, Precedence, plain
from erresearch.robustness import detectable
from erresearch.worlds import simulate_panel
from erresearch.worlds.panels import marked, numbered

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

SHOPS: Final = 300  # in the table of numbers that have nothing to do with each other
_EDGE: Final = 0.05
PLANTED: Final = 0.1
MOVES: Final = ("engagement", "revenue")


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

    def __post_init__(self) -> None:
        """Views are kept: what is done to one must not be shown to whoever asks next."""
        for name in ("figures", "told"):
            object.__setattr__(self, name, MappingProxyType(getattr(self, name)))


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
    question : str
        What is asked about it.
    replies : mapping of str to str
        What each answer to the question is told.
    """

    name: str
    title: str
    label: str
    truth: str
    settings: tuple[float, ...]
    start: float
    still: tuple[float, float, float]
    form: str
    question: str
    replies: Mapping[str, str]

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
        return _LOOKS[self.name](close[0], rng)


_TOLD: Final = registry("workshop.toml")["slider"]
EXPLORATIONS: Final[Mapping[str, Exploration]] = MappingProxyType(
    {name: Exploration(name=name, **frozen(told)) for name, told in _TOLD.items()}
)
"""Every slider, by name: ``workshop.toml`` lists them."""


def in_time(table: pd.DataFrame, *, spend: bool = True) -> Precedence:
    """Engagement before revenue and the other way round, with advertising held or not."""
    controls = [log("spend")] if spend else []
    return precedence(table, *map(log, MOVES), by="account", time="week", controls=controls)


@functools.lru_cache(maxsize=16)
def drawn(world: str, rng: int, accounts: int | None = None, weeks: int | None = None) -> pd.DataFrame:
    """The panel of a simulated world, drawn once."""
    return simulate_panel(world, accounts=accounts, weeks=weeks, rng=rng)[0]


def _r(x: Floats, y: Floats) -> float:
    return float(np.corrcoef(x.ravel(), y.ravel())[0, 1])


def _shown(found: Estimate, digits: str = "+.2f") -> str:
    low, high = (plain(end, "+.2f") for end in (found.interval.low, found.interval.high))
    return f"{plain(found.value, digits)} [{low}, {high}]"


def _note(ax: Axes, x: float, y: float, text: str) -> None:
    ax.text(x, y, text, ha="right", va="bottom", color=INK)


def _centred(a: Floats) -> Floats:
    out: Floats = a - a.mean(1, keepdims=True) - a.mean(0, keepdims=True) + a.mean()
    return out


@functools.lru_cache(maxsize=8)
def _split(rng: int) -> tuple[pd.DataFrame, Mapping[str, tuple[Floats, Floats]]]:
    """The world nil, and the logs of both columns in shops by weeks: what shops share, and what is each week's own.

    Shared are the size of the shop, the season, and this and the last two weeks' advertising: everything that
    moves both columns in that world.
    """
    panel = drawn("nil", rng).sort_values(["account", "week"]).reset_index(drop=True)
    shape = (panel["account"].nunique(), -1)
    logs = {name: np.log(panel[name].to_numpy(float)).reshape(shape) for name in (*MOVES, "spend")}
    spend = _centred(logs["spend"])
    past = np.column_stack(
        [np.pad(spend, ((0, 0), (lag, 0)))[:, : spend.shape[1]].ravel() for lag in range(3)]
    )
    parts = {}
    for name in MOVES:
        rest = _centred(logs[name]).ravel()
        own = (rest - past @ np.linalg.lstsq(past, rest, rcond=None)[0]).reshape(logs[name].shape)
        parts[name] = (logs[name] - own, own)
    return panel, parts


def _confounded(strength: float, rng: int) -> View:
    """Make what moves both columns stronger or weaker; engagement moves nothing at any strength."""
    panel, parts = _split(rng)
    x, y = (s.mean() + strength * (s - s.mean()) + own for s, own in (parts[name] for name in MOVES))
    found = in_time(panel.assign(engagement=np.exp(x).ravel(), revenue=np.exp(y).ravel())).forward
    r = _r(x, y)
    told = {"r over all weeks": plain(r, ".2f"), "elasticity, adjusted": _shown(found, "+.3f")}

    def draw(ax: Axes) -> None:
        """Show all weeks of all shops."""
        ax.plot(x.ravel(), y.ravel(), ".", ms=2, alpha=0.35, color=WORD_COLOURS["supported"])
        ax.set(xlabel="log engagement", ylabel="log revenue", xlim=(3, 12), ylim=(4, 14))
        ax.set_title(f"strength {strength:.1f}: r = {plain(r, '.2f')}")
        _note(ax, 11.9, 4.1, f"elasticity, adjusted {plain(found.value, '+.3f')}")

    return View(
        strength,
        {"r": r, "elasticity": found.value},
        told,
        f"At strength {strength:.1f} all weeks together correlate by r = {told['r over all weeks']}. With the past, "
        f"advertising, shop and week held fixed, the elasticity is {told['elasticity, adjusted']}.",
        draw,
    )


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
    columns = {
        "shop": numbered("shop", SHOPS),
        "likes": np.maximum(random.poisson(np.exp(6 + 0.5 * likes)), 1),
        "orders": np.maximum(random.poisson(np.exp(5 + 0.4 * orders)), 1),
        "followers": np.rint(np.exp(10 + spread * followers)).astype(np.int64),
    }
    return marked(pd.DataFrame(columns))


def _shared_denominator(spread: float, rng: int) -> View:
    """Divide two unrelated counts by the same followers."""
    table = unrelated(spread, rng=rng)
    likes, orders, followers = np.log(table[["likes", "orders", "followers"]].to_numpy(float).T)
    counts, rates = _r(likes, orders), _r(likes - followers, orders - followers)
    # without any spread the followers cannot stand in the model, and need not
    held = [log("followers")] if spread else []
    cure = regress(table, log("orders"), on=[log("likes"), *held])["log likes"]
    figures = {"r of the counts": counts, "r per follower": rates}
    told = {name: plain(r, ".2f") for name, r in figures.items()}

    def draw(ax: Axes) -> None:
        """Show the counts in grey, the rates in colour, both about their middle."""
        for x, y, name, colour in (
            (likes, orders, f"counts, r = {told['r of the counts']}", MUTED),
            (likes - followers, orders - followers, per_follower, WORD_COLOURS["contradicted"]),
        ):
            ax.plot(x - x.mean(), y - y.mean(), ".", ms=4, alpha=0.5, color=colour, label=name)
        ax.set(xlabel="log likes (per follower), centred", ylabel="log orders (per follower), centred")
        ax.set(xlim=(-6, 6), ylim=(-6, 6))
        ax.set_title(f"spread of followers {spread:.2g}")
        ax.legend(loc="upper left", markerscale=2)
        _note(ax, 5.8, -5.8, f"elasticity, held {plain(cure.value, '+.2f')}")

    per_follower = f"per follower, r = {told['r per follower']}"
    return View(
        spread,
        {**figures, "elasticity": cure.value},
        {**told, "elasticity, followers held": _shown(cure)},
        f"The counts correlate by r = {told['r of the counts']}; divided by the same followers, by r = "
        f"{told['r per follower']}. With followers beside the likes instead of below them, the elasticity of "
        f"orders is {_shown(cure)}.",
        draw,
    )


def _weeks(weeks: float, rng: int) -> View:
    """Look at one shop and at eight after so many weeks of one history."""
    panel = drawn("effect", rng, accounts=8, weeks=208)
    seen = panel[panel["week"] < panel["week"].min() + np.timedelta64(7 * int(weeks), "D")]
    first = seen[seen["account"] == seen["account"].iloc[0]]
    found = {name: in_time(table).forward for name, table in (("one shop", first), ("eight shops", seen))}
    could = {f"{name}, finds from": detectable(estimate).effect for name, estimate in found.items()}
    told = {}
    for name, estimate in found.items():
        told[name] = _shown(estimate)
        told[f"{name}, finds from"] = f"{could[f'{name}, finds from']:.2f}"

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
        ax.set_yticks([0, 1], [f"{name},\nfinds from {told[f'{name}, finds from']}" for name in found])
        ax.set(xlabel="elasticity of next week's revenue")
        ax.set_title(f"{Count(int(weeks)):week}")

    return View(
        weeks,
        could,
        told,
        f"After {Count(int(weeks)):week} one shop shows an elasticity of {told['one shop']} and would find effects from "
        f"{told['one shop, finds from']} on; eight shops show {told['eight shops']} and would find effects from "
        f"{told['eight shops, finds from']} on (80 % power).",
        draw,
    )


def _listed(percent: float, rng: int) -> View:
    """Keep only the accounts with the most reactions, as a list of the best does."""
    everybody = drawn("flat", rng, accounts=2000)
    kept = everybody.nlargest(max(50, round(percent / 100 * len(everybody))), "engagement")
    found = decay(kept, by="account").exponent
    ends = found.interval

    def draw(ax: Axes) -> None:
        """Show rates by followers: all accounts in grey, those on the list in colour."""
        for table, size, alpha, colour, label in (
            (everybody, 2.0, 0.4, "#b5b0a6", "all"),
            (kept, 2.5, 0.6, WORD_COLOURS["contradicted"], "on the list"),
        ):
            rate = 100 * table["engagement"] / table["posts"] / table["followers"]
            ax.plot(table["followers"], rate, ".", ms=size, alpha=alpha, color=colour, label=label)
        ax.set(xscale="log", yscale="log", xlabel="followers", ylabel="reactions per post and follower (%)")
        ax.set_title(f"the best {percent:.0f} %: exponent {plain(found.value, '.2f')}")
        ax.legend(loc="lower left", markerscale=4)

    falls = 100 * (1 - 10 ** (found.value - 1))
    return View(
        percent,
        {"exponent": found.value, "low": ends.low, "high": ends.high},
        {"accounts": f"{len(kept):,}", "exponent": _shown(found, ".2f")},
        f"The list of the best {percent:.0f} % ({Count(len(kept)):account}) gives an exponent of {_shown(found, '.2f')}: "
        f"ten times the followers seem to {'cost' if falls >= 0 else 'add'} {abs(falls):.0f} % of the rate.",
        draw,
    )


# each fitted once: a slider comes back to where it stood, and starts at a setting that is shown still
_LOOKS: Final[Mapping[str, Callable[[float, int], View]]] = {
    "list": functools.lru_cache(maxsize=32)(_listed),
    "confounding": functools.lru_cache(maxsize=32)(_confounded),
    "shared denominator": functools.lru_cache(maxsize=32)(_shared_denominator),
    "weeks": functools.lru_cache(maxsize=32)(_weeks),
}

SWITCH: Final = "ERRESEARCH_WIDGETS"
"""Environment variable; "off" shows the static picture only."""


def explore(name: str, *, rng: int, at: float | None = None, widgets: bool | None = None) -> None:
    """Show a slider over a simulated world, or one of its settings in words.

    A front end that knows no widgets (an exported page, a plain terminal) shows the picture or the table of three
    settings that come with the slider, so the cell teaches the same everywhere.

    Parameters
    ----------
    name : str
        "list", "confounding", "shared denominator" or "weeks".
    rng : int
        Seed of the world.
    at : float, optional
        One setting: its sentence is printed, and nothing is drawn.
    widgets : bool, optional
        Whether to offer the slider; by default where ipywidgets is installed, unless ``ERRESEARCH_WIDGETS=off``.

    Raises
    ------
    UnknownNameError, DesignError
        If there is no such slider, or it cannot stand at `at`.

    See Also
    --------
    slider_box : The slider alone.
    static_picture : What stands where no slider can be moved.

    Examples
    --------
    >>> explore("shared denominator", rng=2, at=0.0)
    The counts correlate by r = ...; divided by the same followers, by r = ...
    """
    check_name("slider", name, EXPLORATIONS)
    exploration = EXPLORATIONS[name]
    if at is not None:
        print(textwrap.fill(exploration.at(at, rng=rng).sentence, 88))
        return
    from IPython.display import display

    views = [exploration.at(setting, rng=rng) for setting in exploration.still]
    bundle: dict[str, Any] = {
        "text/plain": static_table(exploration, views),
        "image/png": base64.b64encode(static_picture(views)).decode("ascii"),
    }
    if _offered(widgets):
        bundle = {**slider_box(exploration, rng=rng)._repr_mimebundle_(), **bundle}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]


def _offered(widgets: bool | None) -> bool:
    """What was asked for; else whether ipywidgets is installed and the environment does not turn it off."""
    wanted = os.environ.get(SWITCH, "on").strip().lower() not in ("off", "0", "no", "false")
    return wanted and importlib.util.find_spec("ipywidgets") is not None if widgets is None else widgets


def slider_box(exploration: Exploration, *, rng: int) -> Any:
    """Make the slider with its sentence and picture, which follow it.

    Parameters
    ----------
    exploration : Exploration
        What it moves.
    rng : int
        Seed of the world.

    Returns
    -------
    ipywidgets.VBox
        Headline, slider, sentence, picture.

    Examples
    --------
    >>> headline, slider, sentence, picture = slider_box(EXPLORATIONS["shared denominator"], rng=2).children
    >>> before = sentence.value
    >>> slider.value = 2.0
    >>> sentence.value == before
    False
    """
    import ipywidgets

    headline = ipywidgets.HTML(f"<b>{exploration.title}</b> Simulated. Planted truth: {exploration.truth}.")
    slider = ipywidgets.SelectionSlider(
        options=[(exploration.form.format(setting), setting) for setting in exploration.settings],
        value=exploration.start,
        description=exploration.label,
        # each move fits a model: wait until the hand rests
        continuous_update=False,
        style={"description_width": "initial"},
        layout=ipywidgets.Layout(width="min(36rem, 95%)"),
    )
    sentence = ipywidgets.HTML()
    picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%", width="620px"))

    def follow(setting: float) -> None:
        view = exploration.at(setting, rng=rng)
        sentence.value = f'<p role="status">{view.sentence}</p>'
        picture.value = static_picture([view])

    slider.observe(lambda change: follow(change["new"]), names="value")
    follow(slider.value)
    return ipywidgets.VBox([headline, slider, sentence, picture])


def static_picture(views: Sequence[View]) -> bytes:
    """Draw views side by side.

    Parameters
    ----------
    views : sequence of View
        One picture each.

    Returns
    -------
    bytes
        PNG on white.

    Examples
    --------
    >>> static_picture([EXPLORATIONS["shared denominator"].at(1.0, rng=2)])[1:4]
    b'PNG'
    """
    from matplotlib.figure import Figure

    wide = 6.2 if len(views) == 1 else 3.6 * len(views)
    with theme():
        figure = Figure(figsize=(wide, 3.4), dpi=100, facecolor="white", layout="constrained")
        for number, view in enumerate(views, start=1):
            axes = figure.add_subplot(1, len(views), number, facecolor="white")
            view.draw(axes)
            if number > 1:
                axes.set_ylabel("")
        return file_of(figure, "png")


def static_table(exploration: Exploration, views: Sequence[View]) -> str:
    """Write views one below the other.

    Parameters
    ----------
    exploration : Exploration
        What was moved.
    views : sequence of View
        One line each.

    Returns
    -------
    str
        Headline, planted truth, and a table in plain text.

    Examples
    --------
    >>> one = EXPLORATIONS["shared denominator"]
    >>> print(static_table(one, [one.at(1.0, rng=2)]))
    Two rates, one denominator (simulated; planted truth: likes, orders and followers have nothing ...)
    spread of followers  r of the counts  r per follower  elasticity, followers held
                   1.00             ...            ...          ...
    """
    rows = [[exploration.label, *views[0].told]]
    rows += [[exploration.form.format(view.setting), *view.told.values()] for view in views]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([f"{exploration.title} (simulated; planted truth: {exploration.truth})", *lines])


def choose(name: str, *, widgets: bool | None = None) -> None:
    """Ask a question and answer to each choice; where no button can be pressed, the choices are printed.

    Parameters
    ----------
    name : str
        "confounding", "shared denominator", "list" or "weeks": the slider that it is about.
    widgets : bool, optional
        Whether to offer buttons; as for :func:`erresearch.workshop.explore` where it is not given.

    Raises
    ------
    UnknownNameError
        If there is no such question.

    See Also
    --------
    erresearch.workshop.explore : The slider.

    Examples
    --------
    >>> choose("weeks", widgets=False)
    The effect is there. Your 28 weeks do not show it. What do you report?
      ( ) There is no effect
      ( ) These data cannot tell
      ( ) There is an effect
    """
    check_name("question", name, EXPLORATIONS)
    asked = EXPLORATIONS[name]
    text = "\n".join([textwrap.fill(asked.question, 88), *(f"  ( ) {answer}" for answer in asked.replies)])
    if not _offered(widgets):
        print(text)
        return
    from IPython.display import display

    bundle: dict[str, Any] = {**choice_box(name)._repr_mimebundle_(), "text/plain": text}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]


def choice_box(name: str) -> Any:
    """Make the buttons with the reply that follows them.

    Examples
    --------
    >>> question, buttons, reply = choice_box("weeks").children
    >>> buttons.value = "These data cannot tell"
    >>> reply.value
    '<p role="status">Yes. Say as well how many weeks it would take.</p>'
    """
    import ipywidgets

    asked, layout = EXPLORATIONS[name], ipywidgets.Layout(width="max-content")
    buttons = ipywidgets.RadioButtons(options=list(asked.replies), value=None, layout=layout)
    reply = ipywidgets.HTML()

    def answer(change: Mapping[str, Any]) -> None:
        reply.value = f'<p role="status">{asked.replies[change["new"]]}</p>' if change["new"] else ""

    buttons.observe(answer, names="value")
    return ipywidgets.VBox([ipywidgets.HTML(f"<b>{asked.question}</b>"), buttons, reply])
