"""Write the text notebooks in the one form that jupytext writes, so that text and notebook are the same thing.

python tools/canonical.py           rewrite what differs
python tools/canonical.py --check   only say so, and exit 1
"""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext

BOOK = Path(__file__).resolve().parents[1] / "book"


def canonical(text: str) -> str:
    return jupytext.writes(jupytext.reads(text, "md:myst"), "md:myst")


def main(arguments: list[str]) -> int:
    differing = []
    for path in sorted(BOOK.glob("*.md")):
        text = path.read_text(encoding="utf8")
        if text.startswith("---\njupytext:") and canonical(text) != text:
            differing.append(path)
            if "--check" not in arguments:
                path.write_text(canonical(text), encoding="utf8")
    verb = "differs from what jupytext writes" if "--check" in arguments else "rewritten"
    for path in differing:
        print(f"{path.name}: {verb}")
    return bool(differing) and "--check" in arguments


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
