"""Pages that ask nobody: use the vendored browser assets where they are, and drop what only a CDN could serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

logger = logging.getLogger(__name__)
EXTRA = "book/_extra"


def use_vendored(app: Sphinx, config: Config) -> None:
    """Point MathJax and the widget runtime at book/_extra/_static/vendor, if tools/vendor_assets.py filled it."""
    if not (Path(app.srcdir) / EXTRA / "_static" / "vendor" / "stamp").exists():
        logger.info("no vendored browser assets: pages load MathJax and the widget runtime from a public CDN")
        return
    config["html_extra_path"] = [*config["html_extra_path"], EXTRA]
    config["mathjax_path"] = "vendor/mathjax/tex-mml-chtml.js"
    scripts = ("require.js", "widgets-config.js", "embed-amd.js")  # in this order
    config["nb_ipywidgets_js"] = {f"vendor/{name}": {} for name in scripts}


def drop_thebe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Thebe is off, yet its constants are declared on every page, twice."""

    def is_thebe(item: Any) -> bool:
        body = getattr(item, "attributes", {}).get("body") or ""
        return "sphinx-thebe" in str(getattr(item, "filename", item)) or "THEBE_JS_URL" in body

    context["script_files"] = [item for item in context.get("script_files", []) if not is_thebe(item)]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", use_vendored, priority=100)
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
