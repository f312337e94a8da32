"""Build the site into ``site/``: ``python tools/site.py [--out FOLDER]``, with the Python of ``.venv-docs``.

The pages are the guides under ``docs/``, the notebooks as they are stored, and pages made from registries and
docstrings. Warnings are errors; afterwards every link inside is followed and every address that a page would fetch
is looked at.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import site_check  # noqa: E402 - both lie beside this file
import site_pages  # noqa: E402

# Copied as they are, so that their links to each other hold here as they do in the repository.
COPIED = ("CHANGELOG.md", "CONTRIBUTING.md")
LINK = re.compile(r"\]\(([^)\s#:]+\.\w+)(?:#[^)\s]*)?\)")
# What the first page lists by name; other guides under docs/ are for teachers.
LISTED = {"BOARD", "DESIGN", "STATISTICS", "STYLE"}


# What the theme leaves out for people who read by ear or keyboard: names of landmarks, levels of headings, a way for the
# keyboard into whatever scrolls, and no heading without text.
MENDED = (
    (r'<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    (r'<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="Pages">'),
    (r'<aside class="toc-drawer([^"]*)">', r'<aside class="toc-drawer\1" aria-label="On this page">'),
    (r'<(pre|div class="(?:table-wrapper|output text_html|math)[^"]*")(?=[ >])', r'<\1 tabindex="0"'),
    # the first picture has a drawing for phones
    (
        r'(<img [^>]*src="([^"]*)found\.svg"[^>]*>)',
        r'<picture><source media="(max-width: 40em)" srcset="\2found-narrow.svg">\1</picture>',
    ),
    # what a guide prints in sentences wraps; its tables, which are narrower, scroll
    (
        r'<div class="highlight-text (?=notranslate"><div class="highlight"><pre[^>]*>(?:[^<]|<(?!/pre))*?[^<\n]{100})',
        '<div class="highlight-text sentences ',
    ),
    (r"<th></th>", "<td></td>"),
    (r'(?=<div id="search-results">)', "<h1>Search</h1>\n"),
)


def stage(source: Path) -> None:
    """Lay out everything that Sphinx reads in an empty folder."""
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for name in COPIED:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    shutil.copyfile(ROOT / "docs" / "site" / "index.md", source / "index.md")
    shutil.copytree(ROOT / "docs" / "how-to", source / "docs" / "how-to")
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    (source / "notebooks").mkdir()
    for path in notebooks:
        shutil.copyfile(path, source / "notebooks" / path.name)
    shutil.copyfile(ROOT / "docs" / "found.svg", source / "docs" / "found.svg")
    workshop = []
    for path in sorted((ROOT / "docs").glob("*.md")):
        shutil.copyfile(path, source / "docs" / path.name)
        if path.stem not in LISTED:
            workshop.append(f"docs/{path.stem}")
    taught = ROOT / "notebooks" / "workshop"
    for path in sorted([*taught.rglob("*.ipynb"), *taught.rglob("*.md")]):
        inside = path.relative_to(ROOT)
        if "source" not in inside.parts and not any(part.startswith(".") for part in inside.parts):
            (source / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, source / inside)
            workshop.append(inside.with_suffix("").as_posix())
    for name, text in site_pages.pages(notebooks, workshop).items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    for inside in linked(source):
        origin = ROOT / inside
        if origin.is_file() and not (source / inside).exists():
            (source / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, source / inside)


def linked(source: Path) -> dict[Path, Path]:
    """Files that the staged pages link to, each with a page that does."""
    found = {}
    for page in sorted([*source.rglob("*.md"), *source.rglob("*.ipynb")]):
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            path = (page.parent / link).resolve()
            if path.is_relative_to(source.resolve()):
                found[path.relative_to(source.resolve())] = page.relative_to(source)
    return found


def build(source: Path, out: Path) -> int:
    """Run Sphinx on the staged pages; return its exit status, which is not 0 where it has warned."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-j", "auto", "-b", "html"]
    command += ["-d", source.parent / "doctrees", "-c", ROOT / "docs" / "site", source, out]
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode


def accessible(page: str) -> str:
    """Return a page with what the theme leaves out."""
    for pattern, better in MENDED:
        page = re.sub(pattern, better, page)
    return page


def main(arguments: list[str]) -> int:
    """Stage, build and check; return 0 where nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "site", help="where the pages go")
    out = parser.parse_args(arguments).out.resolve()
    begun = time.monotonic()
    work = ROOT / "build" / "site"
    shutil.rmtree(work, ignore_errors=True)
    stage(work / "source")
    status = build(work / "source", work / "html")
    shutil.rmtree(out, ignore_errors=True)
    if (work / "html").is_dir():
        shutil.copy(ROOT / "docs" / "found-narrow.svg", work / "html" / "_images")
        for path in (work / "html").rglob("*.html"):
            path.write_text(accessible(path.read_text(encoding="utf-8")), encoding="utf-8")
        shutil.move(work / "html", out)
    wrong = list(site_check.faults(out)) if out.is_dir() else ["Sphinx wrote nothing"]
    for line in wrong:
        print(line, file=sys.stderr)
    pages, links = site_check.counts(out)
    warned = "no warning" if status == 0 else "with warnings (above)"
    print(
        f"{out.name}/index.html: {pages} pages, {links:,} links inside, {len(wrong)} dead or outside, {warned}, "
        f"{time.monotonic() - begun:.0f} s"
    )
    return 1 if status or wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
