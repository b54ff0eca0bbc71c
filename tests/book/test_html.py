"""The files of the site, read as text."""

import html.parser
import json
import re
from urllib.parse import unquote, urlsplit

import pytest

from tests import smoke
from tools import build, execute

REMOTE = re.compile(r"""<(?:script|link|img|iframe|source|video|audio)\b[^>]*\b(?:src|href)=["'](?:https?:)?//""")
PAGES = [*build.pages(), "search.html", "genindex.html"]


VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Reader(html.parser.HTMLParser):
    """Collects links, anchors, images and prose (neither code nor mathematics) of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.images, self.prose = [], set(), [], []
        self.silent = []  # open elements from the outermost one on whose text is not prose
        self.feed(text)

    def handle_data(self, data):
        if not self.silent:
            self.prose.append(data)

    def handle_endtag(self, tag):
        if self.silent and tag == self.silent[-1]:
            self.silent.pop()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        no_prose = tag in ("pre", "code", "script", "style") or "math" in (values.get("class") or "").split()
        if tag not in VOID and (self.silent or no_prose):
            self.silent.append(tag)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag == "img":
            self.images.append(values)


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf8") for path in site.rglob("*.html")}


@pytest.fixture(scope="module")
def readers(pages):
    return {name: Reader(text) for name, text in pages.items() if not name.startswith("_static/")}


@pytest.mark.parametrize("page", PAGES)
def test_page_exists(pages, page):
    assert "<h1" in pages[page] or page == "search.html"


def test_front_page_leads_to_the_introduction(pages):
    assert "book/intro.html" in pages["index.html"]


def test_nothing_is_loaded_from_elsewhere(pages, assets):
    assert {name: REMOTE.findall(text) for name, text in pages.items() if REMOTE.search(text)} == {}


def test_links_within_the_book_lead_somewhere(site, readers):
    broken = []
    for name, reader in readers.items():
        for link in reader.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            known = readers.get(target.resolve().relative_to(site.resolve()).as_posix())
            if not target.exists() or (parts.fragment and known and parts.fragment not in known.anchors):
                broken.append((name, link))
    assert broken == []


def test_every_picture_has_alternative_text(readers):
    pictures = [(name, image) for name, reader in readers.items() for image in reader.images]
    silent = [(name, image["src"]) for name, image in pictures if not image.get("alt")]
    assert {source.rpartition("/")[2] for _, source in silent} <= {"logo.svg"}  # its title stands beside it


@pytest.mark.parametrize("chapter", smoke.chapters())
def test_chapter_offers_its_executed_notebook(site, pages, chapter):
    notebook = json.loads((site / "_sources" / "book" / f"{chapter}.ipynb").read_text(encoding="utf8"))
    assert notebook["metadata"]["hcg"]["profile"] == "smoke"
    assert f"_sources/book/{chapter}.ipynb" in pages[f"book/{chapter}.html"]


@pytest.mark.parametrize("chapter", smoke.chapters())
def test_chapter_says_how_it_was_computed(pages, chapter):
    assert '<ul class="provenance"' in pages[f"book/{chapter}.html"]


def test_no_page_knows_where_it_was_built(pages):
    assert [name for name, text in pages.items() if str(execute.ROOT) in text] == []


def test_no_page_shows_an_error_or_a_raw_directive(pages):
    signs = ("Traceback (most recent call last)", "{glue:", "{numref}", "{cite:t}", "system-message", "<td>nan</td>")
    assert [(name, sign) for name, text in pages.items() for sign in signs if sign in text] == []


def test_mathematics_is_closed_where_it_was_opened(readers):
    """A dollar or a TeX command in the prose is a formula that was not recognized."""
    raw = re.compile(r".{0,30}(?:\$(?!HCG_)|\\[a-zA-Z]{2,}).{0,30}")
    found = {name: raw.findall("".join(reader.prose)) for name, reader in readers.items()}
    assert {name: signs for name, signs in found.items() if signs} == {}


def test_search_knows_every_page(site):
    index = (site / "searchindex.js").read_text(encoding="utf8")
    missing = [entry for entry in build.toc() if f'"{entry.removesuffix(".ipynb")}"' not in index]
    assert missing == []
