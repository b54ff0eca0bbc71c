"""Joins ES modules into one: a widget's code must be a single module, because nothing is served beside it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)


@cache
def bundle(name: str) -> str:
    """The module `name` of this folder with its local imports put in front, each once, in order of need.

    Examples
    --------
    >>> code = bundle("tree.mjs")
    >>> "import " in code, code.count("export default")
    (False, 1)
    """
    order: list[str] = []

    def visit(module: str) -> None:
        for needed in IMPORT.findall((HERE / module).read_text("utf-8")):
            visit(needed)
        if module not in order:
            order.append(module)

    visit(name)
    parts = [IMPORT.sub("", (HERE / module).read_text("utf-8")) for module in order]
    inner = [re.sub(r"^export (?!default)", "", part, flags=re.MULTILINE) for part in parts]
    return "\n".join(inner)


@cache
def style() -> str:
    """The style sheet that all pieces share."""
    return (HERE / "widgets.css").read_text("utf-8")
