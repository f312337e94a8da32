"""The worlds by name, the factors that may be varied in them, and the truth that each one plants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final, Literal

from erresearch.errors import DesignError
from erresearch.io.files import registry
from erresearch.schema.vocabulary import DECISIVE, Word

SESOI: Final = 0.05
"""The smallest effect of interest that the words of a truth assume, on elasticities and on exponents."""


@dataclass(frozen=True, slots=True)
class PanelWorld:
    """A world of accounts followed week by week, with revenue.

    Parameters
    ----------
    sentence : str
        What is true in it; may name the parameters in braces.
    elasticity : float
        Effect of log engagement on the next week's log revenue.
    feedback : float
        Effect of log revenue on the next week's log engagement.
    """

    sentence: str
    elasticity: float = 0.0
    feedback: float = 0.0


@dataclass(frozen=True, slots=True)
class ListWorld:
    """A world of one list of accounts, each with its followers and its reactions.

    Parameters
    ----------
    sentence : str
        What is true in it; may name the parameters in braces.
    exponent : float
        β in expected reactions per post = c·followers^β.
    followers_noise : float
        Standard deviation of the error in the log of the followers shown.
    selected_on : {None, "reactions", "followers"}
        What the list keeps the top of.
    pool : int
        How many times as many accounts the list was chosen from.
    """

    sentence: str
    exponent: float = 1.0
    followers_noise: float = 0.0
    selected_on: Literal["reactions", "followers"] | None = None
    pool: int = 1


WORLDS: Final[Mapping[str, PanelWorld | ListWorld]] = MappingProxyType(
    {name: PanelWorld(**said) for name, said in registry("worlds.toml")["panel"].items()}
    | {name: ListWorld(**said) for name, said in registry("worlds.toml")["list"].items()}
)
"""Every world, by name: ``worlds.toml`` lists them."""


_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "theta": (-1.0, 1.0),
    "feedback": (0.0, 2.0),
    "ar": (0.0, 0.9),
    "slopes_sd": (0.0, 0.3),
    "zero_share": (0.0, 0.9),
    "x_noise": (0.0, 2.0),
    "largest_share": (0.0, 0.99),
    "exponent": (0.1, 2.0),
}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "tail": ("lognormal", "t"),
    "persistence": ("outcome", "error"),
}
_OF_LISTS: Final = frozenset({"exponent", "x_noise", "tail"})
_NOT_OF_PANELS: Final = frozenset({"exponent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The factors of a calibration: each may be varied alone, the others stay at the world's own value.

    Parameters
    ----------
    theta : float, optional
        Elasticity of the next week's revenue with respect to engagement. Panel worlds.
    feedback : float, optional
        Elasticity of the next week's engagement with respect to revenue. Panel worlds.
    ar : float
        First-order autoregression of both disturbances. Panel worlds.
    persistence : {"outcome", "error"}
        Where the autoregression of revenue sits: in last week's log revenue itself, so that a model with one
        lag of it is exact, or in the disturbance, where such a model also needs the second lag of engagement
        and the first of spend (without them it finds .07 where .10 was planted). Panel worlds.
    slopes_sd : float
        Standard deviation of the elasticity between accounts (random slopes around `theta`). Panel worlds.
    tail : {"lognormal", "t"}
        Normal disturbances of the logs, or Student's t with 3 degrees of freedom, scaled to the same variance
        and cut at 12 standard deviations.
    zero_share : float
        Share of weeks whose revenue is 0 for reasons of their own. Panel worlds.
    x_noise : float, optional
        Standard deviation of the error in the log of the engagement shown (panel worlds) or of the followers
        shown (list worlds).
    largest_share : float, optional
        Share of all rows that the largest account has; the number of rows stays accounts × weeks, the other
        accounts are seen for equally many weeks each from a random week on. Panel worlds.
    exponent : float, optional
        β in reactions = c·followers^β. List worlds.

    Raises
    ------
    DesignError
        If a factor lies outside its range.

    Examples
    --------
    >>> Design(ar=0.8).ar
    0.8
    """

    theta: float | None = None
    feedback: float | None = None
    ar: float = 0.5
    persistence: Literal["outcome", "error"] = "outcome"
    slopes_sd: float = 0.0
    tail: Literal["lognormal", "t"] = "lognormal"
    zero_share: float = 0.0
    x_noise: float | None = None
    largest_share: float | None = None
    exponent: float | None = None

    def __post_init__(self) -> None:
        """Refuse factors outside their range."""
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise DesignError(
                    f"the design's `{name}` is out of range", got=repr(value), allowed=f"{low:g} to {high:g}"
                )
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise DesignError(
                    f"the design's `{name}` is not known",
                    got=repr(getattr(self, name)),
                    allowed=", ".join(allowed),
                )

    def check(self, name: str, world: PanelWorld | ListWorld) -> None:
        """Refuse a factor that means nothing in `world`.

        Parameters
        ----------
        name : str
            The world's name, for the message.
        world : PanelWorld or ListWorld
            The world.

        Raises
        ------
        DesignError
            If a factor is set that the world does not have, or the two effects together explode.
        """
        changed = {f.name for f in fields(self) if getattr(self, f.name) != f.default}
        alien = changed & _NOT_OF_PANELS if isinstance(world, PanelWorld) else changed - _OF_LISTS
        if alien:
            raise DesignError(
                f"the world {name!r} has no such factor",
                got=", ".join(f"`{factor}`" for factor in sorted(alien)),
                fix="leave it out or choose another world",
            )
        if isinstance(world, ListWorld):
            return
        theta = world.elasticity if self.theta is None else self.theta
        feedback = world.feedback if self.feedback is None else self.feedback
        # characteristic roots of λ² = ar·λ + θ·κ; three sd cover the random slopes that will be drawn
        growth = self.ar + (abs(theta) + 3 * self.slopes_sd) * feedback
        if growth >= 1:
            raise DesignError(
                "engagement and revenue would drive each other without end",
                got=f"ar + (|theta| + 3·slopes_sd)·feedback = {growth:.3g}",
                allowed="less than 1",
                fix="lower one of them",
            )


@dataclass(frozen=True, slots=True)
class Expected:
    """The words that a claim may get in a world.

    Parameters
    ----------
    right : tuple of Word
        Words that count as right.
    wrong : tuple of Word
        Decisive words that would be wrong; any word in neither is neither right nor a wrong decision.
    """

    right: tuple[Word, ...]
    wrong: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true in a simulated world.

    Parameters
    ----------
    world : str
        Name of the world.
    parameters : mapping of str to float
        Planted parameters by name, for example "elasticity" or "exponent".
    words : mapping of str to Expected
        Per claim, by id, the words that are right and the decisive ones that would be wrong, with a smallest
        effect of interest of 0.05.
    sentence : str
        The truth in one plain sentence.

    Examples
    --------
    >>> truth = truth_of("effect", Design())
    >>> truth.words["C01"].right, truth.parameters["elasticity"]
    (('supported',), 0.1)
    """

    world: str
    parameters: Mapping[str, float]
    words: Mapping[str, Expected]
    sentence: str

    def __str__(self) -> str:
        """The sentence, marked as simulated."""
        return f"Simulated world {self.world!r}. {self.sentence}"


def _expected(value: float, *also: Word) -> Expected:
    """Words for the claim that a parameter whose true value is `value` is positive."""
    right: list[Word] = ["practically nil"] if abs(value) < SESOI else []
    if value:
        right.append("supported" if value > 0 else "contradicted")
    return Expected((*right, *also), tuple(word for word in DECISIVE if word not in right))


def truth_of(name: str, design: Design) -> Truth:
    """State what a world plants under a design.

    Parameters
    ----------
    name : str
        World.
    design : Design
        Factors that replace the world's own.

    Returns
    -------
    Truth

    Raises
    ------
    UnknownNameError
        If there is no such world.
    DesignError
        If the design does not fit it.

    Examples
    --------
    >>> print(truth_of("nil", Design()))
    Simulated world 'nil'. Size, ad spend and season drive both engagement and revenue; ...
    """
    world = WORLDS[name]
    design.check(name, world)
    if isinstance(world, PanelWorld):
        parameters = {
            "elasticity": world.elasticity if design.theta is None else design.theta,
            "elasticity sd": design.slopes_sd,
            "feedback": world.feedback if design.feedback is None else design.feedback,
            "autoregression": design.ar,
            "engagement noise": design.x_noise or 0.0,
        }
        doubt: tuple[Word, ...] = ("association only",) if parameters["feedback"] else ()
        words = {"C01": _expected(parameters["elasticity"], *doubt)}
    else:
        parameters = {
            "exponent": world.exponent if design.exponent is None else design.exponent,
            "followers_noise": world.followers_noise if design.x_noise is None else design.x_noise,
            "pool": float(world.pool),
        }
        biased = parameters["followers_noise"] > 0 or world.selected_on == "reactions"
        words = {
            "C07": _expected(round(1 - parameters["exponent"], 12), *(("inconclusive",) if biased else ()))
        }
    return Truth(name, parameters, words, world.sentence.format(**parameters))
