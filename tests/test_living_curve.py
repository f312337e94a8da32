"""The curve that a reader moves: the page solves what Python solves, offline, and says everything without scripts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from test_report_browser import CHROMIUM, browser, visit  # noqa: F401 - fixtures

from erresearch.engine.moments import Moments
from erresearch.report.reproduction import LivingCurve, living_curve
from erresearch.worlds import simulate_panel

CONTROLS = ["spend", "reach", "followers", "posts"]
DEFINITIONS = ["engagement", "likes", "comments"]
LAGS = [0, 1, 2]


@pytest.fixture(scope="module")
def living() -> LivingCurve:
    """Simulated: 12 accounts over 60 weeks."""
    panel, _ = simulate_panel("effect", accounts=12, weeks=60, rng=1)
    table = panel[["account", "week"]].copy()
    for name in ("revenue", *DEFINITIONS, *CONTROLS):
        table[name] = np.log(panel[name] + 1)
    for name, n in [("revenue", 1), *((name, n) for name in DEFINITIONS for n in LAGS[1:])]:
        table[f"lag{n} {name}"] = table.groupby("account")[name].shift(n)
    columns = [name for name in table.columns if name not in ("account", "week")]
    moments = Moments.from_frame(table, columns, by="account", period="week")
    return living_curve(
        moments, "revenue", "engagement", minimal=["lag1 revenue"], controls=CONTROLS, definitions=DEFINITIONS,
        lags=LAGS, open_points=["events-not-declared"],
    )  # fmt: skip


def test_sums_of_the_page_give_every_estimate_of_the_curve(living):
    payload = json.loads(re.search(r'application/json">(.*?)</script>', living.html).group(1))
    curve = living.curve
    assert len(curve) == len(payload["models"]) == 3 * 3 * 3 * 2**4
    place = payload["columns"].index
    for at in range(0, len(curve), 7):
        lag = int(curve.lag[at])
        x = f"lag{lag} {curve.definition[at]}" if lag else curve.definition[at]
        on = [place(name) for name in (x, "lag1 revenue", *curve.controls[at])]
        gram = np.array(payload["grams"][curve.effects[at]])
        solved = np.linalg.solve(gram[np.ix_(on, on)], gram[on, place("revenue")])
        assert solved[0] == pytest.approx(curve.value[at], rel=1e-9)
    assert sorted(model["at"] for model in payload["models"].values()) == list(range(len(curve)))
    assert not any("moderate" in model["certainty"] for model in payload["models"].values())


def test_without_scripts_the_picture_says_all(living):
    assert "432 models of revenue on engagement" in living.html
    assert living.html.count("<circle") == 432
    assert 'class="living-choices" hidden' in living.html
    assert "432 models" in repr(living)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt-get install chromium)")
def test_the_page_gives_what_python_gives_for_200_random_choices(living, tmp_path: Path, visit):  # noqa: F811
    path = tmp_path / "living.html"
    path.write_text(f"<!doctype html><meta charset='utf-8'><title>x</title>{living._repr_html_()}", "utf-8")
    page = visit(path)
    curve, rng = living.curve, np.random.default_rng(0)
    chosen = [int(at) for at in rng.choice(len(curve), size=200, replace=False)]
    asked = [
        [curve.definition[at], curve.lag[at], curve.effects[at], list(curve.controls[at])] for at in chosen
    ]
    answers = page.evaluate(
        """(asked) => asked.map(([definition, lag, effects, controls]) => {
          const box = document.querySelector("[data-living]");
          for (const input of box.querySelectorAll("input")) {
            const wanted = [definition, lag, effects];
            const at = ["definition", "lag", "effects"].findIndex((name) => input.name.endsWith(name));
            input.checked = at < 0 ? controls.includes(input.value) : input.value === wanted[at];
          }
          box.querySelector("form").dispatchEvent(new Event("change"));
          return [Number(box.dataset.value), box.querySelector(".living-answer").textContent];
        })""",
        asked,
    )
    assert [value for value, _ in answers] == pytest.approx(curve.value[chosen].tolist(), rel=1e-9)
    for at, (_, said) in zip(chosen, answers, strict=True):
        above, below = curve.low[at] > 0, curve.high[at] < 0
        assert (
            ("supported" in said and above)
            or ("contradicted" in said and below)
            or not (above or below)
            or ("practically nil" in said)
        )
        assert "certainty" in said
