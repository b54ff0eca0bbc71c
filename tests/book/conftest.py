"""The site of the smoke profile, a server for it, and a browser."""

import hashlib
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import sync_playwright

from tests import smoke
from tools import browser as chromium
from tools import build, execute, vendor_assets

STAGE = execute.ROOT / "_build" / "stage"


def content_key():
    """Fingerprint of everything the site is made from."""
    sources = [*execute.library_files(), *smoke.FOLDER.glob("*.ipynb"), execute.ROOT / "tools" / "build.py"]
    sources += [execute.ROOT / name for name in ("_config.yml", "_toc.yml")]
    sources += [path for path in execute.BOOK.rglob("*") if path.suffix != ".ipynb" and path.is_file()]
    digest = hashlib.sha256()
    for path in sorted(sources):
        if "__pycache__" not in path.parts:
            digest.update(path.as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


@pytest.fixture(scope="session")
def site(testrun_uid):
    """Folder of the html, built once for all workers from the notebooks of the smoke profile."""
    for chapter in smoke.chapters():
        smoke.run(chapter)
    key, stamp = content_key(), STAGE / "_build" / "key"
    with execute.locked(STAGE.with_suffix(".lock")):
        known = stamp.read_text().split() if stamp.exists() else []
        if not {key, testrun_uid} & set(known):  # one run of the tests sees one site
            build.build(build.stage(STAGE, smoke.FOLDER))
        stamp.write_text(f"{key}\n{testrun_uid}\n")
    return STAGE / "_build" / "html"


@pytest.fixture(scope="session")
def assets():
    """The browser assets; without npm there are none, and pages load them from a CDN."""
    if shutil.which("npm") is None and not (vendor_assets.VENDOR / "stamp").exists():
        pytest.skip("no npm: the pages of this build load their assets from a public CDN")
    assert (vendor_assets.VENDOR / "stamp").exists(), "run tools/vendor_assets.py"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def server(site):
    """Address of a local server of the site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser():
    path = chromium.installed()
    assert path is not None, "no Chromium: run tools/browser.py"
    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=path, args=list(chromium.QUIET))
        yield window
        window.close()


@pytest.fixture
def visit(browser):
    """visit(address, width=…, theme=…) → a settled page: mathematics typeset, widgets drawn."""
    contexts = []

    def open_page(address, width=1280, theme="light", watch=lambda page: None):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        watch(page)
        page.goto(address, wait_until="load")
        page.evaluate("() => window.MathJax && MathJax.startup ? MathJax.startup.promise : null")
        views = page.locator('script[type="application/vnd.jupyter.widget-view+json"]').count()
        if views:
            page.wait_for_function(
                "n => document.querySelectorAll('.widget-subarea > *:not(script)').length >= n", arg=views
            )
        page.wait_for_timeout(150)
        return page

    yield open_page
    for context in contexts:
        context.close()
