"""JupyterLite: what it serves itself, and its kernel with this package in a real browser, cut off from everybody else.

`make lite` builds it; without that the tests of what was built skip. Compiled packages (numpy and so on) are in no
registry, so a browser would fetch them from Pyodide's CDN: that it asks nobody else, and only for those, is tested;
what runs with them is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from builders import script

ROOT = Path(__file__).resolve().parent.parent
LITE = ROOT / "lite"
SCREENS = ROOT / "build" / "screens"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--no-proxy-server"]

built = pytest.mark.skipif(
    not (LITE / "lab" / "index.html").is_file(), reason="there is no lite/ (make lite builds it)"
)


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return script("tools/lite.py")


def entry(name: str, file: str, *depends: str) -> dict[str, Any]:
    return {"name": name, "version": "1", "file_name": file, "depends": list(depends), "imports": [name]}


@pytest.fixture
def listed() -> dict[str, Any]:
    """A list like Pyodide's: what the kernel and this package ask for, some of it compiled."""
    compiled = [
        "numpy",
        "pandas",
        "scipy",
        "matplotlib",
        "statsmodels",
        "polars",
        "pyarrow",
        "pydantic",
        "python-calamine",
    ]
    plain = [
        "ipython",
        "jedi",
        "micropip",
        "packaging",
        "click",
        "jinja2",
        "rich",
        "requests",
        "platformdirs",
        "traitlets",
        "wcwidth",
    ]
    entries = {name: entry(name, f"{name}-1-cp314-cp314-wasm32.whl") for name in compiled}
    entries |= {
        name: entry(name, f"{name}-1-py3-none-any.whl") for name in [*plain, "typing-extensions", "odd"]
    }
    entries["ipython"]["depends"] = ["prompt_toolkit"]
    entries["numpy-tests"] = entry("numpy-tests", "numpy-tests.tar")
    return {"info": {"python": "3.14"}, "packages": entries}


def test_pure_is_what_is_needed_and_not_compiled(tool: ModuleType, listed: dict[str, Any]):
    found = tool.pure(tool.entries(listed))
    assert {"ipython", "prompt-toolkit", "narwhals", "bokeh-sampledata"} <= set(found)
    assert not {"numpy", "odd", "numpy-tests"} & set(found)


def test_the_list_has_our_wheels_here_and_the_rest_at_the_cdn(
    tool: ModuleType, listed: dict[str, Any], tmp_path: Path
):
    wheels = {}
    for name in [*tool.pure(tool.entries(listed)), "erresearch"]:
        wheels[name] = tmp_path / f"{name.replace('-', '_')}-2.0-py3-none-any.whl"
        wheels[name].write_bytes(name.encode())
    made = tool.packages(listed, wheels)["packages"]
    own = made["erresearch"]
    assert own["file_name"] == "erresearch-2.0-py3-none-any.whl"
    assert own["sha256"] == hashlib.sha256(b"erresearch").hexdigest()
    assert {"numpy", "narwhals", "bokeh-sampledata"} <= set(own["depends"])
    assert made["numpy"]["file_name"] == tool.CDN + "numpy-1-cp314-cp314-wasm32.whl"
    assert made["prompt-toolkit"]["imports"] == ["prompt_toolkit"]
    assert all(needed in made for said in made.values() for needed in said["depends"])


def test_a_missing_wheel_is_named(tool: ModuleType, listed: dict[str, Any]):
    with pytest.raises(SystemExit, match=r"no wheel of .*erresearch.*make lock"):
        tool.packages(listed, {})


def test_another_pyodide_is_refused(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tool, "WORK", tmp_path)
    monkeypatch.setattr(tool.shutil, "which", lambda name: name)
    archive = tmp_path / "npm" / f"pyodide-{tool.PYODIDE}.tgz"
    archive.parent.mkdir()
    archive.write_bytes(b"something else")
    with pytest.raises(SystemExit, match="another Pyodide"):
        tool.pyodide(tmp_path / "runtime")
    assert not archive.exists()


def test_without_npm_it_says_so(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tool.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="npm is needed"):
        tool.pyodide(tmp_path)


@built
def test_everything_that_is_not_compiled_is_served_from_here(tool: ModuleType):
    runtime = LITE / "static" / "pyodide"
    listed = json.loads((runtime / "pyodide-lock.json").read_text())["packages"]
    wanted, asked = set(), ["erresearch", *tool.KERNEL]
    while asked:
        name = asked.pop()
        if name not in wanted:
            wanted.add(name)
            asked += listed[name]["depends"]
    away = {name for name in wanted if "://" in listed[name]["file_name"]}
    assert {"numpy", "pandas", "scipy"} <= away
    assert all(listed[name]["file_name"].startswith(tool.CDN) for name in away)
    assert all("wasm32" in listed[name]["file_name"] for name in away)
    for name in wanted - away:
        wheel = runtime / listed[name]["file_name"]
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == listed[name]["sha256"], name


@built
def test_settings_name_nobody_else():
    said = json.loads((LITE / "jupyter-lite.json").read_text())["jupyter-config-data"]
    settings = said["litePluginSettings"]["@jupyterlite/pyodide-kernel-extension:kernel"]
    assert settings["pyodideUrl"].startswith("./static/pyodide/")
    assert "://" not in json.dumps(settings)
    inside = [path.name for path in (LITE / "files" / "notebooks").glob("*.ipynb")]
    assert "00-start-here.ipynb" in inside
    assert len(inside) > 5
    assert (LITE / "files" / "docs" / "BOARD.md").is_file()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The built folder, served as anybody would serve it."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        "--directory",
        str(LITE),
        "0",
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        port = re.search(r"port (\d+)", server.stdout.readline())
        assert port is not None
        url = f"http://127.0.0.1:{port[1]}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(50):
            try:
                opener.open(f"{url}/jupyter-lite.json", timeout=5).close()
            except OSError:
                time.sleep(0.1)
            else:
                break
        yield url
    finally:
        server.kill()
        server.communicate()


# The page's own account of the notebook: whether its kernel has answered and waits, and what a cell holds.
LISTENS = """async () => {
  const session = jupyterapp.shell.currentWidget?.sessionContext;
  await session?.ready;
  const kernel = session?.session?.kernel;
  await kernel?.info;
  return kernel?.status === 'idle';
}"""
CELL = """(number) => {
  const panel = jupyterapp.shell.currentWidget;
  const cell = panel.content.widgets[number];
  return {
    source: cell.model.sharedModel.getSource(), count: cell.model.executionCount,
    sent: cell.node.querySelector('.jp-InputPrompt').innerText.includes('*'),
    idle: panel.sessionContext.session?.kernel?.status === 'idle',
    outputs: cell.model.outputs.toJSON().map((output) => String(output.text ?? output.evalue ?? '')),
  };
}"""
LIMIT = 600  # seconds for one step on a busy machine; a step that is done ends at once


def settings_that_show_the_app(route: Any) -> None:
    """Serve the site's settings with the one more that lets a test ask the page for its state."""
    settings = json.loads((LITE / "jupyter-lite.json").read_text())
    settings["jupyter-config-data"]["exposeAppInBrowser"] = "true"
    route.fulfill(json=settings)


def run_cell(page: Any, number: int, code: str) -> str:
    """Type a cell, run it, and return what it prints.

    Typing and sending are done again for as long as the page says that they came to nothing: text that is not in
    the cell, a cell that is neither sent nor counted, a sent cell without a count while the kernel waits.
    """
    editor = page.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(number)
    deadline, lost = time.monotonic() + LIMIT, 0
    while (cell := page.evaluate(CELL, number))["count"] is None or not (cell["idle"] and cell["outputs"]):
        assert time.monotonic() < deadline, f"cell {number} printed nothing: {cell}"
        lost = lost + 1 if cell["sent"] and cell["idle"] and cell["count"] is None else 0
        if cell["source"] != code:
            editor.click()
            page.keyboard.press("Control+A")
            page.keyboard.insert_text(code)
        elif cell["count"] is None and (not cell["sent"] or lost >= 20):
            editor.click()
            page.keyboard.press("Shift+Enter")
            lost = 0
        page.wait_for_timeout(250)
    return "".join(cell["outputs"]).strip()


@built
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt-get install chromium)")
def test_the_kernel_boots_with_our_wheel_and_asks_nobody_but_for_compiled_packages(
    tool: ModuleType, address: str
):
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    outside: list[str] = []

    def away(url: str) -> bool:
        return not url.startswith((address, "data:", "blob:"))

    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            context.on("request", lambda made: outside.append(made.url) if away(made.url) else None)
            context.route(away, lambda route: route.abort())
            context.route(f"{address}/jupyter-lite.json*", settings_that_show_the_app)
            page = context.new_page()
            page.set_default_timeout(LIMIT * 1000)
            page.goto(f"{address}/lab/index.html?reset")
            page.wait_for_function("() => window.jupyterapp !== undefined")
            page.evaluate("() => jupyterapp.restored.then(() => true)")
            page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
            page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell")
            page.wait_for_function(LISTENS, polling=250)
            assert run_cell(page, 0, "import sys; print(sys.platform, 6 * 7)") == "emscripten 42"
            assert outside == []
            code = (
                "import tomllib, erresearch as er\nfrom erresearch.io.files import resource\n"
                "claims = tomllib.loads((resource('data') / 'claims.toml').read_text())['claim']\n"
                "print('wheel', er.__version__, claims[0]['id'])"
            )
            said = run_cell(page, 1, code)
            SCREENS.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=SCREENS / "lite.png")
        finally:
            browser.close()
    version = re.search(r'__version__ = "(.+?)"', (ROOT / "erresearch" / "__init__.py").read_text())
    assert version is not None
    assert said == f"wheel {version[1]} C01"
    assert outside
    assert {url for url in outside if not url.startswith(tool.CDN) or "wasm32" not in url} == set()
