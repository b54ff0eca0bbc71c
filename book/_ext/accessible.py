"""Small corrections of the generated html, for readers who hear the page."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

CORRECTIONS = (
    # The words of the summary name it better than this label, which hides them.
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    # The list of references is a list in no way that a screen reader would find.
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
    (re.compile(r' role="doc-biblioentry"'), ""),
)


def correct(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    for pattern, replacement in CORRECTIONS:
        if "body" in context:
            context["body"] = pattern.sub(replacement, context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", correct)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
