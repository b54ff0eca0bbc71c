"""Every page opens without a request leaving the machine, over http and from the disk."""

import pytest

from tools import build

PAGES = [*build.pages(), "search.html", "genindex.html"]
LOCAL = ("http://127.0.0.1", "file:", "data:", "blob:")
HARMLESS = (
    # the widget runtime's schema validator about its own schema
    'strict mode: use allowUnionTypes to allow union type keyword at "#/properties/state/additionalProperties',
)


class Log:
    """What a page asked for and complained about."""

    def __init__(self):
        self.remote, self.broken, self.complaints = [], [], []

    def watch(self, page):
        page.on("request", lambda request: self.remote.append(request.url) if self.leaves(request) else None)
        page.on("requestfailed", lambda request: self.broken.append(request.url))
        page.on("response", lambda answer: self.broken.append(answer.url) if answer.status >= 400 else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self.hear)

    @staticmethod
    def leaves(request):
        return not request.url.startswith(LOCAL)

    def hear(self, message):
        if message.type in ("error", "warning") and not message.text.startswith(HARMLESS):
            self.complaints.append(message.text)


@pytest.mark.parametrize("scheme", ["http", "file"])
@pytest.mark.parametrize("name", PAGES)
def test_page_asks_nobody_and_complains_of_nothing(site, server, visit, assets, name, scheme):
    log = Log()
    page = visit(f"{server if scheme == 'http' else site.as_uri()}/{name}", watch=log.watch)
    page.mouse.wheel(0, 1e6)
    page.wait_for_timeout(200)
    assert (log.remote, log.broken, log.complaints) == ([], [], [])


@pytest.mark.parametrize("name", PAGES)
def test_pictures_and_mathematics_are_there(server, visit, assets, name):
    page = visit(f"{server}/{name}")
    page.evaluate("document.querySelectorAll('img[loading=lazy]').forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert page.evaluate("[...document.images].filter(i => i.naturalWidth === 0).map(i => i.src)") == []
    assert page.locator("mjx-merror").count() == 0
    if page.locator("script[src*=mathjax]").count():
        assert page.locator(".math mjx-container").count() == page.locator(".math").count()


def test_search_finds_a_page(server, visit):
    page = visit(f"{server}/search.html?q=bibliography")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a").count() > 0
