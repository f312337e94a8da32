"""Sliders where a front end can move them; a picture and a table of three settings where none can."""

from __future__ import annotations

import base64
import importlib.util
import io
import os
import textwrap
from typing import TYPE_CHECKING, Any, Final

from erresearch.report.figures import theme
from erresearch.workshop.explorations import Exploration, View, exploration_named

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["explore", "slider_box", "static_picture", "static_table"]

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
    if _offered() if widgets is None else widgets:
        shown = slider_box(exploration, rng=rng)._repr_mimebundle_()
        bundle = {**shown, **bundle}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]


def _offered() -> bool:
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
