"""JupyterLab as `make lab` opens it, in a real browser: notebooks run from top to bottom without an error.

In the workshop sliders are moved, unsolved exercises show ✗ and solved ones ✓. One short notebook and one session are
run always, one after the other in one window, all of them with ``-m slow``. Pictures are written to ``build/screens``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import script

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
psutil = pytest.importorskip(
    "psutil", reason="psutil, which comes with JupyterLab's kernel, is not installed"
)

ROOT = Path(__file__).resolve().parent.parent
SCREENS = ROOT / "build" / "screens"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
QUICK = "00-start-here"
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
SESSIONS = sorted(path.stem for path in (ROOT / "notebooks" / "workshop" / "source").glob("*.md"))
TOKEN = "test"
VIEW = {"width": 1280, "height": 900}
SCROLLED = ".jp-NotebookPanel-notebook .jp-WindowedPanel-outer"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt-get install chromium)")

# What a notebook on the screen holds: one entry per code cell.
CELLS = """() => jupyterapp.shell.currentWidget.content.widgets.filter((cell) => cell.model.type === 'code')
  .map((cell) => ({
    count: cell.model.executionCount, source: cell.model.sharedModel.getSource(),
    outputs: cell.model.outputs.toJSON().map((output) => ({
      type: output.output_type, name: output.name ?? '', text: output.ename ?? String(output.text ?? '')}))}))"""

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


class Server:
    """JupyterLab on a copy of notebooks and docs, so that what a browser saves does not touch the stored ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = (folder.parent / "jupyterlab.log").open("wb")
        options = [f"--port={self.port}", "--ip=127.0.0.1", "--no-browser", "--expose-app-in-browser"]
        options += ["--allow-root", f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0"]
        options += [f"--ServerApp.root_dir={folder}"]
        environment = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tools" / "lab.py"), *options],
            env=environment,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def get(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}", headers={"Authorization": f"token {TOKEN}"}, method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def wait(self) -> None:
        for _ in range(120):
            try:
                self.get("/api/status")
            except OSError:
                time.sleep(0.5)
            else:
                return
            if self.process.poll() is not None:
                break
        pytest.fail(f"JupyterLab did not answer: {Path(self.log.name).read_text()[-2000:]}")

    def idle(self, path: str) -> bool:
        sessions = [session for session in self.get("/api/sessions") if session["path"] == path]
        return bool(sessions) and sessions[0]["kernel"]["execution_state"] == "idle"

    def end_sessions(self) -> None:
        """A page that was closed ends its kernel a moment later, whoever has opened the notebook again by then."""
        for session in self.get("/api/sessions"):
            with contextlib.suppress(OSError):
                self.get(f"/api/sessions/{session['id']}", "DELETE")
        for _ in range(100):
            if not self.get("/api/sessions"):
                return
            time.sleep(0.1)
        pytest.fail("a kernel did not end")

    def stop(self) -> None:
        """End the server, and its kernels whatever they are doing."""
        begun = (
            psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        )
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _, left = psutil.wait_procs(begun, timeout=5)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.log.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """JupyterLab, of which nothing is left when it was stopped."""
    folder = tmp_path_factory.mktemp("lab") / "files"
    for name in ("notebooks", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    started, begun = Server(folder), []
    try:
        started.wait()
        yield started
        started.get("/api/kernels", "POST")
        begun = psutil.Process(started.process.pid).children(recursive=True)
    finally:
        started.stop()
    assert begun
    assert not any(process.is_running() for process in begun)
    with pytest.raises(OSError, match="refused"):
        started.get("/api/status")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, "--no-proxy-server"])
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def page(browser, server) -> Iterator[Any]:
    """JupyterLab on a screen of its own, with no kernel of another; a request to anybody else fails the test."""
    server.end_sessions()
    context = browser.new_context(viewport=VIEW)
    outside: list[str] = []

    def look(request: Any) -> None:
        if not request.url.startswith((server.url, server.url.replace("http", "ws"), "data:", "blob:")):
            outside.append(request.url)

    context.on("request", look)
    shown = context.new_page()
    shown.set_default_timeout(180_000)
    yield shown
    context.close()
    assert outside == []


def visit(page: Any, server: Server, address: str) -> None:
    """Open an address of the server, and wait until JupyterLab is there."""
    page.goto(f"{server.url}{address}?token={TOKEN}&reset")
    page.wait_for_function("() => window.jupyterapp !== undefined")
    page.evaluate("() => jupyterapp.restored.then(() => true)")


def open_notebook(page: Any, server: Server, name: str) -> None:
    """Open a notebook and wait until its kernel is idle; accept the kernel that a dialog proposes."""
    if page.url == "about:blank":
        visit(page, server, "/lab")
    page.evaluate("(path) => jupyterapp.commands.execute('docmanager:open', {path}).then(() => true)", name)
    deadline = time.monotonic() + 180
    while not server.idle(name):
        dialog = page.locator(".jp-Dialog button.jp-mod-accept")
        if dialog.count():
            dialog.first.click()
        assert time.monotonic() < deadline, f"no idle kernel for {name}"
        page.wait_for_timeout(250)
    page.wait_for_function("() => jupyterapp.shell.currentWidget.context.isReady")


def run_all(page: Any, server: Server, name: str, limit: float) -> list[dict[str, Any]]:
    """Run all cells as the menu does, from a cleared notebook, and return what the code cells then hold."""
    page.evaluate("() => jupyterapp.commands.execute('notebook:clear-all-cell-outputs').then(() => true)")
    assert not any(cell["outputs"] for cell in page.evaluate(CELLS))
    page.evaluate("() => { window.ran = false; jupyterapp.commands.execute('notebook:run-all-cells')"
                  ".then(() => { window.ran = true; }); }")  # fmt: skip
    page.wait_for_function("() => window.ran", timeout=limit * 1000)
    for _ in range(40):  # the kernel says so a moment later
        page.wait_for_timeout(300)
        if server.idle(name):
            break
    assert server.idle(name)
    return page.evaluate(CELLS)


def picture(page: Any, name: str) -> None:
    """Keep the whole notebook as one picture."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.evaluate("() => jupyterapp.shell.collapseLeft()")
    height = page.evaluate(f"() => document.querySelector('{SCROLLED}').scrollHeight")
    page.set_viewport_size({"width": 1000, "height": min(16_000, int(height) + 140)})
    page.wait_for_timeout(1000)
    page.evaluate(f"() => {{ document.querySelector('{SCROLLED}').scrollTop = 0; }}")
    page.wait_for_timeout(500)
    page.screenshot(path=SCREENS / f"lab-{name}.png")


def cut_cells(page: Any) -> list[str]:
    """Code, outputs and text that are wider than their cell: a reader would have to scroll them sideways."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.jp-OutputArea-output, .jp-RenderedMarkdown, .jp-CodeCell .cm-scroller')]
          .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
          .map((e) => e.scrollWidth + ' > ' + e.clientWidth + ': ' + e.innerText.slice(0, 80))"""
    )


def check(page: Any, server: Server, stem: str, limit: float) -> None:
    name = f"notebooks/{stem}.ipynb"
    open_notebook(page, server, name)
    cells = [cell for cell in run_all(page, server, name, limit) if cell["source"].strip()]
    said = [output for cell in cells for output in cell["outputs"]]
    assert said
    assert [o["text"] for o in said if o["type"] == "error" or o["name"] == "stderr"] == []
    assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
    picture(page, stem)
    assert cut_cells(page) == []
    session = next(s for s in server.get("/api/sessions") if s["path"] == name)
    page.evaluate("(id) => jupyterapp.serviceManager.sessions.shutdown(id)", session["id"])


def test_slides_turn_by_keyboard_and_ask_for_nothing(browser: Any, tmp_path: Path):
    workshop = script("tools/workshop.py")
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


def test_the_profile_opens_the_first_notebook_which_leads_to_the_board_and_a_session_runs_beside_it(
    page, server
):
    """The notebooks are listed in order; there is neither news nor a tour. A long cell can be interrupted."""
    visit(page, server, "/")
    page.wait_for_selector(".jp-NotebookPanel")
    page.wait_for_selector(".jp-DirListing-item")
    listed = page.locator(".jp-DirListing-item .jp-DirListing-itemText").all_inner_texts()
    notebooks = [name.strip() for name in listed if name.strip().endswith(".ipynb")]
    assert notebooks == [f"{stem}.ipynb" for stem in NOTEBOOKS]
    assert page.url.split("?")[0] == f"{server.url}/lab/tree/notebooks/{QUICK}.ipynb"
    page.wait_for_timeout(2000)
    assert page.locator(".jp-toast, .Toastify__toast").count() == 0
    assert page.locator("[class*=tour i], [class*=joyride i]").count() == 0
    settings = page.evaluate(
        "() => fetch('/lab/api/settings/@jupyterlab/apputils-extension:notification?token=test')"
        ".then((answer) => answer.json()).then((found) => found.schema.properties)"
    )
    assert settings["fetchNews"]["default"] == "false"
    assert settings["checkForUpdates"]["default"] is False

    check(page, server, QUICK, limit=600)
    page.evaluate(
        "() => jupyterapp.shell.currentWidget.content.scrollToItem("
        "jupyterapp.shell.currentWidget.content.widgets.length - 1, 'end')"
    )
    page.locator(".jp-RenderedMarkdown a", has_text="the board").click()
    page.locator(".jp-MarkdownViewer h1", has_text="The board").wait_for()

    check_session(page, server, "exercises", SESSIONS[0], "✗")
    page.evaluate(
        "() => { const cell = jupyterapp.shell.currentWidget.content.widgets"
        ".find((cell) => cell.model.type === 'code');"
        "cell.model.sharedModel.setSource('import time\\nprint(\"begun\", flush=True)\\ntime.sleep(600)'); }"
    )
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.locator(".jp-OutputArea-output", has_text="begun").wait_for()
    page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel').then(() => true)")
    page.locator(".jp-OutputArea-output", has_text="KeyboardInterrupt").first.wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("stem", [name for name in NOTEBOOKS if name != QUICK])
def test_every_notebook_runs_in_jupyterlab(page, server, stem):
    check(page, server, stem, limit=600)


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


def check_session(page: Any, server: Any, kind: str, stem: str, mark: str) -> None:
    name = f"notebooks/workshop/{kind}/{stem}.ipynb"
    open_notebook(page, server, name)
    cells = [cell for cell in run_all(page, server, name, 300) if cell["source"].strip()]
    said = [output for cell in cells for output in cell["outputs"]]
    assert [o["text"] for o in said if o["type"] == "error" or o["name"] == "stderr"] == []
    checks = [cell for cell in cells if cell["source"].startswith("check(")]
    lines = [
        line for cell in checks for o in cell["outputs"] for line in o["text"].splitlines() if line[0] != " "
    ]
    assert len(lines) == sum(cell["source"].count("check(") for cell in checks)
    assert {line[0] for line in lines} == {mark}
    picture(page, f"workshop-{kind}-{stem[0]}")
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
    page.screenshot(path=SCREENS / f"lab-workshop-{kind}-{stem[0]}-moved.png")


@pytest.mark.slow
@pytest.mark.parametrize("stem", SESSIONS)
@pytest.mark.parametrize(("kind", "mark"), [("exercises", "✗"), ("solutions", "✓")])
def test_every_session_in_the_browser(page: Any, server: Any, kind: str, mark: str, stem: str):
    check_session(page, server, kind, stem, mark)


@pytest.mark.slow
def test_the_session_without_code_in_the_browser(page: Any, server: Any):
    """No code is seen, every slider moves from end to end, and every question answers."""
    name = "notebooks/workshop/without-code.ipynb"
    open_notebook(page, server, name)
    cells = run_all(page, server, name, 300)
    assert [o["text"] for cell in cells for o in cell["outputs"] if o["type"] == "error"] == []
    assert page.locator(".jp-CodeCell .jp-InputArea-editor:visible").count() == 0
    picture(page, "workshop-without-code")
    assert page.evaluate(WIDE) == []
    sliders = page.locator(SLIDER)
    assert sliders.count() == 4
    for number in range(4):
        for key in ("Home", "End"):
            handle = sliders.nth(number)
            at = handle.get_attribute("aria-valuenow")
            if at != handle.get_attribute("aria-valuemin" if key == "Home" else "aria-valuemax"):
                move(page, handle, key)
    page.screenshot(path=SCREENS / "lab-workshop-without-code-moved.png")
