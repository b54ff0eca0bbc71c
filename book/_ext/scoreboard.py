"""The scoreboard: verdict tables of the chapters, gathered on one page instead of written twice.

```{scoreboard} grammar
```

shows the table of the admonition of class `verdict` in book/grammar, with the numbers glued by that chapter.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

VERDICT = re.compile(r":class: verdict\n(.*?)\n`{3,}", re.DOTALL)
GLUE = re.compile(r"\{glue:text\}`([^`:]+)(?::([^`]*))?`")
RECORD = "application/papermill.record/text/plain"
COLUMNS = ["claim", "prediction", "measured", "verdict"]


def cells(row: str) -> list[str]:
    """The cells of a row of a Markdown table; a bar after a backslash is text."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


def from_afar(chapter: str, text: str) -> str:
    """The same glued numbers, named from another page."""
    return GLUE.sub(lambda found: f"{{glue:text}}`{chapter}.ipynb::{found[1]}:{found[2] or 's'}`", text)


def sign(verdict: str) -> str:
    """A mark before the word, for the eye that only skims."""
    if verdict.startswith("holds"):
        return "✓"
    return "✗" if verdict.startswith("does not hold") else "◐"


def glued(notebook: dict[str, Any]) -> dict[str, str]:
    """name → text of everything that a notebook glued."""
    return {
        output["metadata"]["scrapbook"]["name"]: "".join(output["data"].get(RECORD, "")).strip("'")
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "scrapbook" in output.get("metadata", {})
    }


def table(chapter: str, text: str, values: dict[str, str]) -> list[str]:
    """Lines of the verdict table of a chapter, its numbers and its verdicts looked up in that chapter."""
    found = VERDICT.search(text)
    rows = [line for line in found[1].splitlines() if line.startswith("|")] if found else []
    if len(rows) < 3 or [cell.split(" (")[0] for cell in cells(rows[0])] != COLUMNS:
        raise ValueError(f"{chapter}: no verdict table with the columns {', '.join(COLUMNS)}")
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---|---|---|"]
    for row in rows[2:]:
        *claim, verdict = cells(row)
        words = GLUE.sub(lambda found: values[found[1]], verdict)
        lines.append(from_afar(chapter, f"| {' | '.join([*claim, f'{sign(words)} {verdict}'])} |"))
    return lines


class Scoreboard(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        chapter = self.arguments[0]
        source = Path(self.env.doc2path(self.env.docname)).with_name(f"{chapter}.ipynb")
        self.env.note_dependency(str(source))
        notebook = json.loads(source.read_text(encoding="utf8"))
        text = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
        content = StringList(table(chapter, text, glued(notebook)), source=str(source))
        holder = nodes.Element()
        self.state.nested_parse(content, self.content_offset, holder)
        return holder.children


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("scoreboard", Scoreboard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
