"""The report in a real browser: offline, on a phone, in the dark, on paper, by keyboard, without scripts.

Screenshots are written to ``build/screens`` for whoever wants to look.
"""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from report_samples import HOSTILE, board, claims, hostile

from erresearch.claims import read_claims
from erresearch.report import write_report
from erresearch.report.figures import theme
from erresearch.report.sentences import readable

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = re.compile(rb"/Type\s*/Page[^s]")
SCREENS = Path(__file__).resolve().parent.parent / "build" / "screens"
SIZES = {"phone": (360, 740), "tablet": (768, 1024), "desk": (1280, 860)}
# width of the printed page's content: A4 less the margins of the style sheet, in CSS pixels
PAPER = (round((210 - 28) / 25.4 * 96), 1000)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt-get install chromium)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    with theme():
        figure = Figure(figsize=(5, 3))
        figure.subplots().set_title("The rate falls", loc="left")
    return write_report(
        board(),
        out=tmp_path_factory.mktemp("report") / "report.html",
        claims=claims(),
        provenance={"versions": {"numpy": "2.4.6"}, "seeds": [1, 2]},
        accounting={"films": {"no figure": 14_000, "duplicate": 3}},
        warnings=["84 % of films have no figure."],
        figures={"C1": figure},
    )


@pytest.fixture(scope="module")
def harmful(tmp_path_factory) -> Path:
    return write_report(**hostile(), out=tmp_path_factory.mktemp("report") / "harmful.html")


@pytest.fixture
def visit(browser) -> Iterator[Any]:
    """Open a file offline; every request but the file's own, dialog or console message fails the test."""
    contexts, noise = [], []

    def go(path: Path, *, size: str = "desk", **options: Any) -> Any:
        width, height = PAPER if size == "paper" else SIZES[size]
        context = browser.new_context(offline=True, viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: noise.append(f"request: {request.url}"))
        page.on("console", lambda message: noise.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: noise.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (noise.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path.as_uri())
        own = [said for said in noise if said == f"request: {path.as_uri()}"]
        noise[:] = [said for said in noise if said not in own and not said.startswith("request: data:")]
        return page

    yield go
    for context in contexts:
        context.close()
    assert noise == []


def overflow(page: Any) -> list[str]:
    """Elements that reach beyond the page and that nothing lets the reader scroll to."""
    return page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          const reachable = (e) => e.closest('.scroll, pre, .visually-hidden, .skip, thead') !== null;
          return [...document.querySelectorAll('body *')]
            .filter((e) => !(e instanceof SVGElement && e.tagName !== 'svg') && !reachable(e))
            .filter((e) => e.getBoundingClientRect().right > width + 1 && e.getClientRects().length)
            .map((e) => e.outerHTML.slice(0, 120));
        }"""
    )


@pytest.mark.parametrize(
    ("size", "scheme"), [("phone", "light"), ("tablet", "light"), ("desk", "light"), ("desk", "dark")]
)
def test_nothing_is_cut_and_pictures_of_the_page_are_kept(visit, report, size, scheme):
    page = visit(report, size=size, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert overflow(page) == []
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"report-{size}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("size", SIZES)
def test_hostile_names_neither_run_nor_break_the_page(visit, harmful, size):
    page = visit(harmful, size=size)
    assert page.evaluate("window.harmed") is None
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    text = page.evaluate("document.body.textContent")
    for name in HOSTILE:
        assert readable(name) in text
    page.screenshot(path=SCREENS / f"hostile-{size}.png", full_page=False)


def test_right_to_left_names_do_not_turn_what_follows(visit, harmful):
    page = visit(harmful)
    directions = page.evaluate(
        "[...document.querySelectorAll('bdi')].filter((e) => e.textContent.startsWith('شركة'))"
        ".map((e) => [getComputedStyle(e).direction, getComputedStyle(e.parentElement).direction])"
    )
    assert directions
    assert {tuple(pair) for pair in directions} == {("rtl", "ltr")}


def test_the_one_picture_is_readable_on_a_phone(visit, report):
    page = visit(report, size="phone")
    rows = page.evaluate(
        """() => [...document.querySelectorAll('.ladder .strip-row:not(.strip-axis)')].map((row) => {
          const box = row.getBoundingClientRect();
          const size = parseFloat(getComputedStyle(row.querySelector('.word')).fontSize);
          return {left: box.left, right: box.right, size, text: row.innerText};
        })"""
    )
    drawn = [made for made in board() if made.estimate is not None and not made.simulated]
    assert len(rows) == len(drawn)
    for row in rows:
        assert row["left"] >= 0
        assert row["right"] <= 360
        assert row["size"] >= 12
    assert all(any(made.dataset in row["text"] for row in rows) for made in drawn)


def test_simulated_verdicts_are_hatched_and_named(visit, report):
    page = visit(report)
    page.get_by_role("button", name="Unfold everything").click()
    worlds = page.locator(".verdict.sim").evaluate_all(
        "all => all.map((e) => [getComputedStyle(e).backgroundImage, getComputedStyle(e).borderTopStyle, e.innerText])"
    )
    assert len(worlds) == 2
    for image, border, text in worlds:
        assert image.startswith("repeating-linear-gradient")
        assert border == "dashed"
        assert "simulated" in text
    assert page.locator(".ladder .sim-chip").count() == 0


@pytest.mark.parametrize(
    ("which", "size", "scheme"),
    [
        ("report", "phone", "light"),
        ("report", "desk", "dark"),
        pytest.param("report", "phone", "dark", marks=pytest.mark.slow),
        pytest.param("report", "desk", "light", marks=pytest.mark.slow),
        pytest.param("harmful", "phone", "light", marks=pytest.mark.slow),
        pytest.param("harmful", "desk", "dark", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_no_violation(visit, request, which, size, scheme):
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe is not installed (pip install axe-playwright-python)")
    axe = (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    page = visit(request.getfixturevalue(which), size=size, color_scheme=scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.evaluate(axe)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    result = page.evaluate("(tags) => axe.run(document, {runOnly: tags})", tags)
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in result["violations"]] == []
    assert len(result["passes"]) > 20


def test_everything_can_be_read_without_scripts(visit, report):
    page = visit(report, java_script_enabled=False)
    assert page.locator("svg[role=img]").first.is_visible()
    assert page.locator("[data-tools]").first.is_hidden()
    page.locator("#simulated summary").first.click()
    assert page.locator("#simulated .verdict").first.is_visible()


def test_keyboard_reaches_links_tools_and_folds_in_order(visit, report):
    page = visit(report)
    seen = []
    for _ in range(16):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.innerText.trim().slice(0, 20)"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
    assert seen[:4] == ["Skip to the content", "Claims", "Numbers", "Provenance"]
    assert "Unfold everything" in seen
    page.keyboard.press("Shift+Tab")
    focused = page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert 0 <= focused <= SIZES["desk"][1]


def test_skip_link_leads_to_the_content(visit, report):
    page = visit(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"


def test_tables_sort_by_number_and_text(visit, report):
    page = visit(report)
    page.locator("#numbers summary").click()
    table = page.locator("[data-filterable]")
    head = table.locator("th", has_text="Estimate")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    column = "rows => rows.map((row) => row.cells[3].textContent.trim()).filter((text) => text)"
    rising = table.locator("tbody tr").evaluate_all(column)
    numbers = [float(text.replace("−", "-")) for text in rising]
    assert numbers == sorted(numbers)
    assert numbers[0] < 0 < numbers[-1]
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert table.locator("tbody tr").evaluate_all(column) == rising[::-1]


def test_filter_keeps_matching_rows_and_says_how_many(visit, report):
    page = visit(report)
    page.locator("#numbers summary").click()
    page.get_by_label("Filter").fill("contradicted")
    assert page.locator("[data-filterable] tbody tr:visible").count() == 1
    assert page.locator("[data-status]").inner_text() == f"1 of {len(board())} shown"
    page.get_by_label("Filter").fill("")
    assert page.locator("[data-filterable] tbody tr:visible").count() == len(board())


def test_a_link_of_the_picture_opens_its_folded_verdict(visit, report):
    page = visit(report)
    link = page.locator(".ladder a").first
    target = link.get_attribute("href")
    assert not page.locator(target).is_visible()
    link.click()
    assert page.locator(target).is_visible()
    assert 0 <= page.locator(target).bounding_box()["y"] < SIZES["desk"][1]


def test_paper_shows_what_is_unfolded_uncut(visit, report):
    page = visit(report, size="paper")
    page.emulate_media(media="print")
    short = page.pdf(prefer_css_page_size=True)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.locator("#simulated .verdict").first.is_visible()
    wide = page.evaluate(
        "[...document.querySelectorAll('table, pre, svg, .scroll')].filter((e) => e.getClientRects().length)"
        ".map((e) => e.getBoundingClientRect()).filter((box) => box.right > innerWidth + 1).length"
    )
    assert wide == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER[0]
    made = page.pdf(prefer_css_page_size=True, print_background=True)
    assert made.startswith(b"%PDF")
    assert len(PAGES.findall(short)) < len(PAGES.findall(made))
    (SCREENS / "report.pdf").write_bytes(made)


def test_the_report_of_every_expected_verdict_is_short_on_paper_and_before_unfolding(visit, tmp_path):
    root = Path(__file__).resolve().parent.parent
    verdicts = runpy.run_path(str(root / "tools" / "readme.py"))["real_verdicts"]()
    assert len(verdicts) > 100
    path = write_report(verdicts, out=tmp_path / "r.html", claims=read_claims())
    page = visit(path)
    assert 300 < len(page.inner_text("body").split()) < 6_000
    assert 2 < len(PAGES.findall(page.pdf(format="A4", prefer_css_page_size=True))) <= 12
