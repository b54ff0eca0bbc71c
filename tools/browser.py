"""Find a Chromium for the tests of the site, or get one.

python tools/browser.py      prints its path
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-dejavu")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


def installed() -> str | None:
    """The system's browser, or the one playwright fetched before."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def run(*command: str) -> bool:
    print("+", *command, file=sys.stderr, flush=True)
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0


def get() -> str | None:
    """One present, else the system's package, else playwright's own."""
    if path := installed():
        return path
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root and shutil.which("apt-get"):
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES)
        if run("apt-get", "update", "-qq") and run(*install) and (path := installed()):
            return path
    run(sys.executable, "-m", "playwright", "install", *(["--with-deps"] if root else []), "chromium")
    return installed()


if __name__ == "__main__":
    browser = get()
    if browser is None:
        sys.exit("no Chromium: install one (package chromium), or run: python -m playwright install chromium")
    print(browser)
