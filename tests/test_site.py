"""The site: its pages are made from the registries, its guides do what they say, its links lead somewhere.

`make site` builds it with warnings as errors; the tests of what was built skip where it was not.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from builders import script

from erresearch.claims import read_claims

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "site"
SCREENS = ROOT / "build" / "screens"
GUIDES = [ROOT / "docs" / "site" / "index.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]

built = pytest.mark.skipif(
    not (SITE / "index.html").is_file(), reason="there is no site/ (make site builds it)"
)


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    return script("tools/site_pages.py")


@pytest.fixture(scope="module")
def checker() -> ModuleType:
    return script("tools/site_check.py")


def registry(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "data" / name).read_text(encoding="utf-8"))


# ---------------------------------------------------------------------------------------------------- pages
def test_every_claim_is_told_whole(pages: ModuleType):
    text = pages.claims_page()
    for claim in read_claims():
        for said in ("id", "text", "source", "unit", "sesoi_reason"):
            assert pages.md(getattr(claim, said)) in text, (claim.id, said)
        assert f"δ = {claim.sesoi:g}" in text


def test_every_data_set_band_layout_and_command_has_its_place(pages: ModuleType):
    sets, bands, layouts = registry("datasets.toml"), registry("bands.toml"), registry("platforms.toml")
    assert all(pages.md(entry["licence"]) in pages.datasets_page() for entry in sets.values())
    assert all(f"| {band['id']} |" in pages.bands_page() for band in bands["bands"])
    assert all(pages.md(entry["id"]) in pages.platforms_page() for entry in layouts["format"])
    commands = pages.commands_page()
    assert all(f"## erresearch {name}\n" in commands for name in ("audit", "inspect", "pool", "reproduce"))


BARE = """
import importlib, pkgutil, sys, types
sys.modules |= {name: types.ModuleType(name) for name in ("pandas", "polars")}
import erresearch
for found in pkgutil.walk_packages(erresearch.__path__, "erresearch."):
    if not found.name.startswith("erresearch.cli"):
        importlib.import_module(found.name)
"""


def test_what_the_pages_are_made_of_is_imported_without_pandas_and_polars():
    done = subprocess.run([sys.executable, "-c", BARE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_in_the_reference(pages: ModuleType):
    import erresearch

    index = pages.reference_index()
    assert all(f"er.{name}" in index for name in set(erresearch.__all__) - {"__version__", "figures"})
    every = "".join(pages.reference_page(*said) for said in pages.REFERENCE.values())
    for module in ("relate", "robustness", "claims", "metrics", "exports", "report.figures"):
        loaded = importlib.import_module(f"erresearch.{module}")
        for name in loaded.__all__:
            if getattr(getattr(loaded, name), "__module__", "").startswith("erresearch"):
                assert f":: erresearch.{module}.{name}\n" in every


@pytest.mark.parametrize("text", ["a | b", "*x* _y_", "<script>", "$1 [a](b)", "`c` {d} #e ~f"])
def test_plain_text_stays_plain(pages: ModuleType, text: str):
    escaped = pages.md(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == text
    assert not re.search(r"(?<!\\)[|*_<>$`{}\[\]]", escaped)


def test_whatever_a_page_links_to_is_laid_out_with_it(tmp_path: Path):
    staging = script("tools/site.py")
    staging.stage(tmp_path)
    linked = staging.linked(tmp_path)
    assert len(linked) > 20
    assert [(path, page) for path, page in linked.items() if not (tmp_path / path).exists()] == []


def test_what_the_theme_leaves_out_is_added_for_ear_and_keyboard():
    better = script("tools/site.py").accessible(
        '<p class="caption" role="heading">Learn</p><aside class="sidebar-drawer"></aside><aside class="toc-drawer">'
        '</aside><pre id="a">x</pre><preview><div class="table-wrapper docutils"></div><table><th></th><th>a</th>'
    )
    assert 'role="heading" aria-level="2"' in better
    assert len(set(re.findall(r'<aside [^>]*aria-label="([^"]+)"', better))) == 2
    assert re.findall(r"<(\w+)[^>]* tabindex", better) == ["pre", "div"]
    assert "<td></td><th>a</th>" in better


def test_a_phone_gets_a_narrow_picture_and_sentences_that_wrap():
    accessible = script("tools/site.py").accessible
    better = accessible('<p><img alt="a" src="../_images/found.svg" /></p><img src="b.svg" />')
    assert better.count("<picture>") == 1
    assert (
        'srcset="../_images/found-narrow.svg"><img alt="a" src="../_images/found.svg" /></picture>' in better
    )
    printed = '<div class="highlight-text notranslate"><div class="highlight"><pre><span></span>{}\n</pre></div></div>'
    table, said = (accessible(printed.format(text)) for text in ("a  b\n" * 60, "a  b\n" + "word " * 30))
    assert "sentences" not in table
    assert 'class="highlight-text sentences notranslate"' in said
    assert 'class="highlight-text notranslate"' in accessible(
        printed.format("a") + printed.format("word " * 30)
    )


# --------------------------------------------------------------------------------------------------- guides
@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_guide_prints_what_it_shows(guide: Path, capfd):
    assert script("tools/guides.py").run(guide) == guide.read_text(encoding="utf-8"), (
        "run: python tools/guides.py"
    )
    assert capfd.readouterr() == ("", "")


def test_a_guide_that_prints_something_else_is_seen(tmp_path: Path):
    wrong = tmp_path / "wrong.md"
    wrong.write_text("# A\n\n```python\nprint(6 * 7)\n```\n\n```text\n43\n```\n", encoding="utf-8")
    made = script("tools/guides.py").run(wrong)
    assert made == wrong.read_text(encoding="utf-8").replace("43", "42")


def test_commands_in_the_guides_exist_with_their_options():
    from erresearch.cli.commands import command

    lines = [line for guide in GUIDES for line in guide.read_text(encoding="utf-8").splitlines()]
    used = [line.split() for line in lines if line.startswith("erresearch ")]
    assert len(used) >= 4
    for _, name, *rest in used:
        known = {option for parameter in command.commands[name].params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, (name, rest)


def test_the_lock_is_of_the_extra_in_pyproject():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "requirements-docs.lock").read_text()
    locked: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;\\]+)", text, re.MULTILINE):
        locked.setdefault(canonicalize_name(name), []).append(version)
    for wanted in map(Requirement, project["optional-dependencies"]["docs"]):
        versions = locked.get(canonicalize_name(wanted.name), [])
        assert versions, f"{wanted} is not in requirements-docs.lock: make lock"
        assert all(wanted.specifier.contains(version) for version in versions), f"{wanted}: make lock"


LICENCES = """
import importlib.metadata, json
print(json.dumps({d.metadata["Name"]: " | ".join([d.metadata.get("License-Expression") or "",
    (d.metadata.get("License") or "").split("\\n")[0],
    *(c for c in d.metadata.get_all("Classifier") or [] if c.startswith("License"))])
    for d in importlib.metadata.distributions()}))
"""


def test_what_builds_the_site_is_free_of_strong_copyleft():
    python = ROOT / ".venv-docs" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        pytest.skip("there is no .venv-docs (make docs)")
    done = subprocess.run([str(python), "-c", LICENCES], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert {"furo", "myst-nb", "jupyterlite-core"} <= {name.lower() for name in said}
    strong = {name: text for name, text in said.items() if re.search(r"\bA?GPL|GNU General Public", text)}
    # docutils offers its files under the public domain or BSD; the GPL is that of an editor mode in its sources
    assert set(strong) <= {"docutils"}


# -------------------------------------------------------------------------------------------------- checker
GOOD = (
    '<a href="b.html#place">b</a><a href="https://example.org">away</a><a href="#top">top</a><p id="top">'
    '<img src="a.png"><link rel="canonical" href="https://example.org/a"><a href="mailto:a@example.org">m</a>'
)


def site(folder: Path, first: str) -> Path:
    (folder / "a.html").write_text(first, encoding="utf-8")
    (folder / "b.html").write_text('<p id="place"><a href="a.html">a</a>', encoding="utf-8")
    (folder / "a.png").write_bytes(b"")
    return folder


def test_a_sound_site_has_no_fault(checker: ModuleType, tmp_path: Path):
    assert list(checker.faults(site(tmp_path, GOOD))) == []
    assert checker.counts(tmp_path) == (2, 4)


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ('<a href="c.html">', "leads to c.html, which is not there"),
        ('<a href="b.html#other">', "leads to b.html#other, which has no such place"),
        ('<a href="#nowhere">', "leads to #nowhere, which has no such place"),
        ('<a href="../outside.html">', "which is not there"),
        ('<img src="b.png">', "leads to b.png, which is not there"),
        ('<script src="https://cdn.example.org/x.js"></script>', "fetches https://cdn.example.org/x.js"),
        ('<link rel="stylesheet" href="//fonts.example.org/f.css">', "fetches //fonts.example.org/f.css"),
        ('<link rel="preconnect" href="https://fonts.example.org">', "fetches https://fonts.example.org"),
        ('<p style="background: url(https://example.org/x.png)">', "fetches https://example.org/x.png"),
        ("<style>@import 'https://example.org/x.css';</style>", "fetches https://example.org/x.css"),
        ('<img srcset="https://example.org/x.png 2x">', "fetches https://example.org/x.png"),
    ],
)
def test_each_fault_is_told(checker: ModuleType, tmp_path: Path, added: str, told: str):
    found = list(checker.faults(site(tmp_path, GOOD + added)))
    assert len(found) == 1
    assert found[0].startswith("a.html ")
    assert told in found[0]


def test_a_style_sheet_that_fetches_is_told(checker: ModuleType, tmp_path: Path):
    folder = site(tmp_path, GOOD)
    (folder / "x.css").write_text("@font-face { src: url('https://fonts.example.org/f.woff2') }")
    assert list(checker.faults(folder)) == ["x.css fetches https://fonts.example.org/f.woff2"]


# ------------------------------------------------------------------------------------------------- as built
@built
def test_no_link_inside_is_dead_and_no_page_fetches_from_outside(checker: ModuleType):
    assert list(checker.faults(SITE)) == []
    count, links = checker.counts(SITE)
    assert count > 30
    assert links > 1_000


@built
def test_no_field_of_a_class_stands_in_the_reference_without_a_word():
    pages = [page.read_text(encoding="utf-8") for page in (SITE / "reference").glob("*.html")]
    assert pages
    assert not any("</dt>\n<dd></dd>" in page for page in pages)


@built
def test_tables_that_cells_print_are_tables():
    pages = list((SITE / "notebooks").glob("*.html"))
    assert len(pages) > 10
    assert [page.name for page in pages if "<p>|" in page.read_text(encoding="utf-8")] == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


def look(browser: Any, names: list[str], width: int, *, pictures: bool = False) -> list[str]:
    """Open pages offline; return whatever is wrong: requests to outside, messages, pages wider than the screen."""
    wrong: list[str] = []
    context = browser.new_context(offline=True, viewport={"width": width, "height": 900})
    context.on(
        "request",
        lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else wrong.append(f"asks {r.url}"),
    )
    page = context.new_page()
    page.set_default_timeout(180_000)
    page.on("console", lambda said: wrong.append(f"says {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(f"fails {error}"))
    for name in names:
        before = len(wrong)
        page.goto((SITE / name).as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"is {wide} wide on a screen of {width}")
        wrong[before:] = [f"{name} {said}" for said in wrong[before:]]
        if pictures:
            SCREENS.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=SCREENS / f"site-{width}-{name.replace('/', '-')[:-5]}.png", full_page=True)
    context.close()
    return wrong


FEW = ["index.html", "notebooks/00-start-here.html", "catalogue/claims.html", "reference/relating.html"]


@built
@pytest.mark.parametrize("width", [360, 1280])
def test_pages_ask_nobody_and_fit_the_screen(browser: Any, width: int):
    assert look(browser, FEW, width, pictures=True) == []


@built
@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_all_pages_ask_nobody_and_fit_the_screen(browser: Any, width: int):
    names = [path.relative_to(SITE).as_posix() for path in sorted(SITE.rglob("*.html"))]
    assert look(browser, names, width) == []


@built
@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (360, "dark"),
        *(pytest.param(*more, marks=pytest.mark.slow) for more in [(768, "light"), (1280, "light")]),
    ],
)
def test_axe_finds_no_violation_on_the_site(browser: Any, width: int, scheme: str):
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe is not installed (pip install axe-playwright-python)")
    axe = (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    context = browser.new_context(
        offline=True, bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    page = context.new_page()
    page.set_default_timeout(180_000)
    for name in [*FEW, "search.html"]:
        page.goto((SITE / name).as_uri())
        page.evaluate(axe)
        violations = page.evaluate("axe.run(document)")["violations"]
        assert [(name, v["id"], v["nodes"][0]["html"][:200]) for v in violations] == []
    context.close()


@built
def test_search_finds_a_word_without_a_server(browser: Any):
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(f"{(SITE / 'search.html').as_uri()}?q=bootstrap")
    page.locator("#search-results li").first.wait_for(timeout=20_000)
    assert page.locator("#search-results li a").count() >= 1
    context.close()


@built
def test_formulas_are_laid_out_by_the_browser(browser: Any):
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((SITE / "notebooks" / "00-start-here.html").as_uri())
    sizes = page.locator("math[display=block]").evaluate_all(
        "all => all.map((m) => m.getBoundingClientRect().height)"
    )
    assert sizes
    assert all(height > 10 for height in sizes)
    context.close()
