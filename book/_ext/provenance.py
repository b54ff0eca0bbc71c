"""A row below the title of each executed page: the run that computed it."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


def facts(run: dict[str, Any]) -> list[tuple[str, str]]:
    """label → value, in the order of the row."""
    values, versions = run["values"], run["versions"]
    rows = [("profile", run["profile"])]
    if "seed" in values:
        rows.append(("seed", str(values["seed"])))
    rows += [
        ("computed in", duration(run["seconds"])),
        ("hcg_lib", versions["hcg-book"]),
        ("numpy", versions["numpy"]),
        ("torch", versions["torch"]),
        ("Python", run["python"]),
    ]
    if run.get("commit"):
        rows.append(("commit", run["commit"]))
    return rows


def row(run: dict[str, Any]) -> str:
    cells = "".join(f"<li><span>{html.escape(label)}</span> {html.escape(value)}</li>" for label, value in facts(run))
    return f'\n<ul class="provenance" aria-label="How this page was computed">{cells}</ul>\n'


def add_row(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if doctree is None or "body" not in context:
        return
    source = Path(app.env.doc2path(page))
    if source.suffix != ".ipynb":
        return
    run = json.loads(source.read_text(encoding="utf8"))["metadata"].get("hcg")
    head, heading, rest = context["body"].partition("</h1>")
    if run and heading:
        context["body"] = head + heading + row(run) + rest


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", add_row)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
