"""Where npm is missing the book still builds, and its pages load what they need from a public CDN."""

import shutil

from tools import build, execute

PAGE = """# A page

It has mathematics, $x^2$, and cites {cite:t}`favero2025how`.

```{bibliography}
```
"""


def test_site_builds_without_vendored_assets(tmp_path):
    without = shutil.ignore_patterns("_extra", "*.md", "*.ipynb", "results", "__pycache__")
    shutil.copytree(execute.BOOK, tmp_path / "book", ignore=without)
    shutil.copy(execute.ROOT / "_config.yml", tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/page\n")
    (tmp_path / "book" / "page.md").write_text(PAGE)
    page = (build.build(tmp_path) / "book" / "page.html").read_text(encoding="utf8")
    assert "https://cdn.jsdelivr.net/npm/mathjax@3" in page
    assert "vendor/" not in page
