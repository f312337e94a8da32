"""The workshop in JupyterLab in a real browser: sliders are moved, unsolved exercises show ✗ and solved ones ✓.

One session is run always, all of them with ``-m slow``. Pictures are written to ``build/screens``.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

import test_lab_browser as lab

ROOT = Path(__file__).resolve().parent.parent
SESSIONS = sorted(path.stem for path in (ROOT / "notebooks" / "workshop" / "source").glob("*.md"))
SLIDER = ".jp-OutputArea .widget-slider .noUi-handle"
# What the widget of the slider under the hand shows: its sentence and its picture.
SHOWN = """(handle) => {
  const box = handle.closest('.widget-vbox');
  return [box.querySelector('p[role=status]').innerText, box.querySelector('img').src, handle.ariaValueText];
}"""
# Outputs that a reader would have to scroll sideways.
WIDE = """() => [...document.querySelectorAll('.jp-OutputArea-output, .jp-RenderedMarkdown')]
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0).map((e) => e.innerText.slice(0, 80))"""
BYTES = (
    "(src) => fetch(src).then((r) => r.arrayBuffer()).then((b) => [...new Uint8Array(b)].slice(1, 4).join())"
)

pytestmark = pytest.mark.skipif(lab.CHROMIUM is None, reason="no Chromium here (apt-get install chromium)")

# JupyterLab on a copy of the notebooks, and a page that may ask nobody else
server, browser, visit = lab.server, lab.browser, lab.visit


def move(page: Any, handle: Any, key: str) -> tuple[list[str], list[str]]:
    """Press a key on a slider, and return what its widget showed before and shows then."""
    handle.scroll_into_view_if_needed()
    before = handle.evaluate(SHOWN)
    handle.focus()
    page.keyboard.press(key)
    page.wait_for_function(
        "([handle, was]) => handle.closest('.widget-vbox').querySelector('p[role=status]').innerText !== was",
        arg=[handle.element_handle(), before[0]],
    )
    page.wait_for_function(
        "([handle, was]) => handle.closest('.widget-vbox').querySelector('img').src !== was",
        arg=[handle.element_handle(), before[1]],
    )
    return before, handle.evaluate(SHOWN)


def check_session(visit: Any, server: Any, kind: str, stem: str, mark: str) -> None:
    name = f"workshop/{kind}/{stem}.ipynb"
    page = visit()
    lab.open_notebook(page, server, name)
    cells = [cell for cell in lab.run_all(page, server, name, 300) if cell["source"].strip()]
    said = [output for cell in cells for output in cell["outputs"]]
    assert [o["text"] for o in said if o["type"] == "error" or o["name"] == "stderr"] == []
    checks = [cell for cell in cells if cell["source"].startswith("check(")]
    lines = [
        line for cell in checks for o in cell["outputs"] for line in o["text"].splitlines() if line[0] != " "
    ]
    assert len(lines) == sum(cell["source"].count("check(") for cell in checks)
    assert {line[0] for line in lines} == {mark}
    lab.picture(page, f"workshop-{kind}-{stem[0]}")
    assert page.evaluate(WIDE) == []
    sliders = page.locator(SLIDER)
    assert sliders.count() == sum(cell["source"].startswith("explore(") for cell in cells)
    for number in range(sliders.count()):
        handle = sliders.nth(number)
        # from where it stands to the other end
        key = (
            "Home"
            if handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
            else "End"
        )
        before, after = move(page, handle, key)
        assert before[0] != after[0]
        assert page.evaluate(BYTES, after[1]) == "80,78,71"
    page.screenshot(path=lab.SCREENS / f"lab-workshop-{kind}-{stem[0]}-moved.png")


def test_sliders_move_and_unsolved_exercises_show_a_cross(visit: Any, server: Any):
    check_session(visit, server, "exercises", SESSIONS[0], "✗")


@pytest.mark.slow
@pytest.mark.parametrize("stem", SESSIONS)
@pytest.mark.parametrize(("kind", "mark"), [("exercises", "✗"), ("solutions", "✓")])
def test_every_session_in_the_browser(visit: Any, server: Any, kind: str, mark: str, stem: str):
    check_session(visit, server, kind, stem, mark)


def test_slides_turn_by_keyboard_and_ask_for_nothing(browser: Any, tmp_path: Path):
    spec = importlib.util.spec_from_file_location("workshop_slides", ROOT / "tools" / "workshop.py")
    assert spec is not None
    assert spec.loader is not None
    workshop = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = workshop
    spec.loader.exec_module(workshop)
    for source in workshop.sources():
        path = tmp_path / f"{source.stem}.html"
        path.write_text(workshop.slides(source), encoding="utf-8")
        context = browser.new_context(offline=True, viewport={"width": 1280, "height": 720})
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri())
        count = page.locator("section").count()
        for number in range(1, count):
            page.keyboard.press("ArrowRight")
            page.wait_for_function(
                f"() => Math.abs(document.querySelectorAll('section')[{number}].getBoundingClientRect().top) < 2"
            )
        heights = page.evaluate(
            "[...document.querySelectorAll('section')].map((slide) => slide.scrollHeight)"
        )
        assert max(heights) <= 721, "a slide is longer than the screen"
        assert [url for url in asked if not url.startswith(("data:", path.as_uri()))] == []
        context.close()
