"""Sliders and questions where a front end can move them; a picture, a table or the text where none can."""

from __future__ import annotations

import base64
import importlib.util
import io
import os
import textwrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from erresearch.errors import check_name
from erresearch.report.figures.style import theme
from erresearch.workshop.explorations import Exploration, View, exploration_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        Whether to offer the slider. Left out: where ipywidgets is installed, unless the environment says
        ``ERRESEARCH_WIDGETS=off``.

    Raises
    ------
    UnknownNameError
        If there is no such slider.
    DesignError
        If the slider cannot stand at `at`.

    See Also
    --------
    slider_box : The slider alone.
    static_picture : What stands where no slider can be moved.

    Examples
    --------
    >>> explore("shared denominator", rng=2, at=0.0)
    The counts correlate by r = ...; divided by the same followers, by r = ...
    """
    exploration = exploration_named(name)
    if at is not None:
        print(textwrap.fill(exploration.at(at, rng=rng).sentence, 88))
        return
    from IPython.display import display

    views = [exploration.at(setting, rng=rng) for setting in exploration.still]
    bundle: dict[str, Any] = {
        "text/plain": static_table(exploration, views),
        "image/png": base64.b64encode(static_picture(views)).decode("ascii"),
    }
    if widgets_offered() if widgets is None else widgets:
        shown = slider_box(exploration, rng=rng)._repr_mimebundle_()
        bundle = {**shown, **bundle}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]


def widgets_offered() -> bool:
    """Whether ipywidgets is installed and the environment does not turn it off."""
    wanted = os.environ.get(SWITCH, "on").strip().lower() not in ("off", "0", "no", "false")
    return wanted and importlib.util.find_spec("ipywidgets") is not None


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
    >>> from erresearch.workshop.explorations import EXPLORATIONS
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
    >>> static_picture([exploration_named("shared denominator").at(1.0, rng=2)])[1:4]
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
        out = io.BytesIO()
        figure.savefig(out, format="png", facecolor="white", metadata={"Software": None})
    return out.getvalue()


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
    >>> one = exploration_named("shared denominator")
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


#: Per question: what is asked, and what each answer is told.
CHOICES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = MappingProxyType(
    {
        "confounding": (
            "Engagement moves no revenue here. What makes the two go together?",
            {
                "Chance": "Move the slider to 0: what is left there is chance.",
                "Something that moves both": "Yes. Size, season and advertising move both columns.",
                "Revenue brings engagement": "It might elsewhere. Read the planted truth above the slider.",
            },
        ),
        "shared denominator": (
            "Likes and orders have nothing to do with each other. Why do the two rates go together?",
            {
                "Large accounts sell more": "Read the planted truth: followers have nothing to do with orders either.",
                "Both were divided by the same followers": "Yes. What divides both sides makes both rise and fall.",
                "The sample is too small": "A larger one would give the same r. The slider does not change its size.",
            },
        ),
        "list": (
            "The rate does not depend on followers. Why does it seem to fall on a list of the best?",
            {
                "Large accounts are lazy": "In this world they are as good as small ones. Keep everybody and look.",
                "A small account needs luck to get on it": "Yes. The small ones on the list are the lucky ones.",
                "The platform hides large accounts": "No platform is in this world. What does the slider leave out?",
            },
        ),
        "weeks": (
            "The effect is there. Your 28 weeks do not show it. What do you report?",
            {
                "There is no effect": "Not shown is not the same as not there. Move the slider to the right.",
                "These data cannot tell": "Yes. Say as well how many weeks it would take.",
                "There is an effect": "It is planted, but these weeks do not show it: nobody could know.",
            },
        ),
    }
)


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
    check_name("question", name, CHOICES)
    question, replies = CHOICES[name]
    text = "\n".join([textwrap.fill(question, 88), *(f"  ( ) {answer}" for answer in replies)])
    if not (widgets_offered() if widgets is None else widgets):
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

    question, replies = CHOICES[name]
    buttons = ipywidgets.RadioButtons(
        options=list(replies), value=None, layout=ipywidgets.Layout(width="max-content")
    )
    reply = ipywidgets.HTML()

    def answer(change: Mapping[str, Any]) -> None:
        reply.value = f'<p role="status">{replies[change["new"]]}</p>' if change["new"] else ""

    buttons.observe(answer, names="value")
    return ipywidgets.VBox([ipywidgets.HTML(f"<b>{question}</b>"), buttons, reply])
