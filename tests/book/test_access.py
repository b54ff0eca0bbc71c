"""Pages can be read by everybody: on a phone, in the dark, with a screen reader."""

import pytest

from tools import build, vendor_assets

PAGES = [*build.pages(), "search.html", "genindex.html"]
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="session")
def axe():
    script = vendor_assets.CACHE / "axe.min.js"
    if not script.exists():
        pytest.skip("axe-core is not here: tools/vendor_assets.py --tests fetches it where npm exists")
    return script.read_text(encoding="utf8")


@pytest.mark.parametrize("width, theme", [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation(server, visit, axe, name, width, theme):
    page = visit(f"{server}/{name}", width=width, theme=theme)
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    serious = [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found
        for node in violation["nodes"]
        if violation["impact"] in SERIOUS
    ]
    assert not serious, "\n".join(serious)


@pytest.mark.parametrize("width, theme", [(1280, "dark"), (390, "light"), (390, "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_page_fits_its_screen(server, visit, name, width, theme):
    page = visit(f"{server}/{name}", width=width, theme=theme)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_on_a_phone(server, visit, name):
    """What is wider than the screen lies in a box that scrolls."""
    page = visit(f"{server}/{name}", width=390)
    cut = page.evaluate("""() => {
      const scrolls = (node) => node && node !== document.body
        && (["auto", "scroll"].includes(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
      return [...document.querySelectorAll("main p, main img, main table, main pre, main svg, main canvas")]
        .filter((node) => node.getBoundingClientRect().right > 391 && node.offsetParent && !scrolls(node))
        .map((node) => node.outerHTML.slice(0, 120));
    }""")
    assert cut == []


@pytest.mark.parametrize("name", PAGES)
def test_claims_and_their_verdicts_are_read_on_a_phone_without_scrolling(server, visit, name):
    page = visit(f"{server}/{name}", width=390)
    hidden = page.evaluate("""() => [...document.querySelectorAll("div.admonition.verdict td")]
      .filter((cell) => !(cell.getBoundingClientRect().right <= 390 && cell.scrollWidth <= cell.clientWidth))
      .map((cell) => cell.textContent)""")
    assert hidden == []
