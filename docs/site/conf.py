"""Sphinx settings of the site; ``tools/site.py`` stages the pages and runs Sphinx with them."""

from __future__ import annotations

import importlib
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
# annotations name tables of these libraries, which are not installed where the site is built
sys.modules |= {name: ModuleType(name) for name in ("pandas", "polars") if find_spec(name) is None}
MODULE_OF = {
    name: path.removeprefix("erresearch.")
    for path, names in re.findall(
        r"^from (\S+) import (\([^)]*\)|.*)$",
        (ROOT / "erresearch" / "__init__.pyi").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    for name in re.findall(r"as (\w+)", names)
}
_INIT = (ROOT / "erresearch" / "__init__.py").read_text(encoding="utf-8")

project = "erresearch"
author = "The erresearch developers"
copyright = "The erresearch developers, BSD-3-Clause"
version = release = re.search(r'__version__ = "(.+?)"', _INIT)[1]  # type: ignore[index]

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc", "sphinx_copybutton"]
root_doc = "index"
nitpicky = True

# notebooks are shown as they are stored; `make test` sees to it that this is what they print
nb_execution_mode = "off"
nb_merge_streams = True
# what a cell prints as Markdown has tables, and a dollar in it is money
nb_render_markdown_format = "gfm"
# without widgets nothing may be asked of a CDN
nb_ipywidgets_js = {}  # type: ignore[var-annotated]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # numpydoc's own sections say the types, in words
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}  # fields of classes stand among their parameters
numpydoc_show_class_members = False
toc_object_entries = False

html_theme = "furo"
html_title = "erresearch"
html_math_renderer = "mathml"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go"


def _inline(self: Any, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def _resolve(app: Sphinx, env: Any, node: Any, shown: nodes.Node) -> nodes.Node | None:
    """Find `erresearch.name` where its module documents it; leave names of internals as text, if there are such."""
    target, module = node["reftarget"], node.get("py:module", "")
    if node.get("refdomain") != "py":
        return None
    for name in (target, f"{module}.{target}"):
        found = _real_name(name)
        if found is None:
            continue
        domain, place = env.domains.python_domain, node.get("refdoc", "")
        linked = domain.resolve_xref(env, place, app.builder, "obj", found, node, shown)
        return linked if linked is not None else shown
    return None


def _real_name(name: str) -> str | None:
    """Return where something lies that a docstring names, or None where there is no such thing."""
    first, *rest = name.split(".")
    if first != "erresearch":
        return None
    value: Any = importlib.import_module(first)
    place = first
    for number, part in enumerate(rest):
        if not hasattr(value, part):
            try:
                value = importlib.import_module(".".join([first, *rest[: number + 1]]))
            except ImportError:
                return None
        else:
            value = getattr(value, part)
        public = MODULE_OF.get(part) if number == 0 else None
        place = f"erresearch.{public}.{part}" if public else f"{place}.{part}"
    return place


def _keep_bars(*said: Any) -> None:
    """Let |t| be the size of t, which reStructuredText would take for a name to replace."""
    lines = said[-1]
    stop = next((number for number, line in enumerate(lines) if line.strip() == "Examples"), len(lines))
    lines[:stop] = [
        line if "math:" in line else re.sub(r"(?<!`)\|(?!`)", r"\|", line) for line in lines[:stop]
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Write formulas as MathML, which browsers lay out by themselves: no script, no font, no request."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    app.connect("autodoc-process-docstring", _keep_bars, priority=900)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
