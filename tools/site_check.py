"""Check a built site: every link inside leads somewhere, and no page asks anything of anybody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, as against what a reader may click.
FETCHED = {
    ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"), ("audio", "src"),
    ("embed", "src"), ("object", "data"), ("use", "href"), ("image", "href"), ("input", "src"), ("track", "src"),
}  # fmt: skip
FETCHING_RELS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "manifest"}
IN_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)['"]?([^'")\s]+)""")


@dataclass(slots=True)
class Page(HTMLParser):
    """What one page names, links to and fetches."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    styling: bool = False

    def __post_init__(self) -> None:
        """Start as a parser."""
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        said = {name: value or "" for name, value in attrs}
        self.anchors.update(said[name] for name in ("id", "name") if said.get(name))
        self.styling = tag == "style"
        if tag in ("a", "area") and said.get("href"):
            self.links.append(said["href"])
        if tag == "link" and FETCHING_RELS & set(said.get("rel", "").lower().split()):
            self.fetched.append(said.get("href", ""))
        self.fetched += [
            said[name] for name in ("src", "data", "href") if (tag, name) in FETCHED and said.get(name)
        ]
        self.fetched += [part.split()[0] for part in said.get("srcset", "").split(",") if part.strip()]
        self.fetched += IN_STYLE.findall(said.get("style", ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element that closes itself."""
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        """Take note of what a style sheet inside the page fetches."""
        if self.styling:
            self.fetched += IN_STYLE.findall(data)


def read(path: Path) -> Page:
    """Parse one page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def outside(address: str) -> bool:
    """Whether an address is somebody else's."""
    return bool(re.match(r"(?:[a-z][a-z0-9+.-]*:)?//", address, re.IGNORECASE))


def faults(site: Path) -> Iterator[str]:
    """Yield each dead link, missing file and request to outside of a built site, in the order of its pages."""
    site = site.resolve()
    read_pages = {path: read(path) for path in sorted(site.rglob("*.html"))}
    for path, page in read_pages.items():
        name = path.relative_to(site).as_posix()
        for address in page.fetched:
            if outside(address):
                yield f"{name} fetches {address}"
            elif not address.startswith(("data:", "#")):
                yield from _missing(site, path, name, address, {})
        for address in page.links:
            if not outside(address) and not re.match(r"[a-z][a-z0-9+.-]*:", address, re.IGNORECASE):
                yield from _missing(site, path, name, address, read_pages)
    for path in sorted(site.rglob("*.css")):
        for address in IN_STYLE.findall(path.read_text(encoding="utf-8", errors="replace")):
            if outside(address):
                yield f"{path.relative_to(site).as_posix()} fetches {address}"


def _missing(site: Path, path: Path, name: str, address: str, known: dict[Path, Page]) -> Iterator[str]:
    """Yield what is wrong with one address inside the site."""
    parts = urlsplit(address)
    target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
    if parts.path.endswith("/") or target.is_dir():
        target /= "index.html"
    if not target.is_file() or not target.is_relative_to(site):
        yield f"{name} leads to {address}, which is not there"
    elif parts.fragment and target in known and unquote(parts.fragment) not in known[target].anchors:
        yield f"{name} leads to {address}, which has no such place"


def counts(site: Path) -> tuple[int, int]:
    """Return how many pages a site has, and how many links inside."""
    every = [read(path) for path in sorted(site.rglob("*.html"))]
    return len(every), sum(not outside(link) for page in every for link in page.links)
