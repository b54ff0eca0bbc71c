"""Docstrings of hcg_lib on the API page: mathematics as in the chapters, and properties that are sentences."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

MATH = re.compile(r"(?<![\\$])\$([^$\n]+)\$")
DISPLAY = re.compile(r"^([ \t]*)\$\$(.+?)\$\$[ \t]*$", re.MULTILINE | re.DOTALL)
COLON, RATIO = ": ", "\u2236 "  # napoleon takes what stands before a colon for a type; it does not know a ratio


def display(match: re.Match[str]) -> str:
    indent, formula = match[1], " ".join(match[2].split())
    return f"{indent}.. math:: {formula}"


def before_napoleon(app: Sphinx, what: str, name: str, object_: Any, options: Any, lines: list[str]) -> None:
    lines[:] = DISPLAY.sub(display, "\n".join(lines)).split("\n")
    lines[:] = [MATH.sub(r":math:`\1`", line) for line in lines]
    if what in ("property", "attribute", "data"):
        lines[:] = [line.replace(COLON, RATIO) for line in lines]


def after_napoleon(app: Sphinx, what: str, name: str, object_: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [line.replace(RATIO, COLON) for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", after_napoleon, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
