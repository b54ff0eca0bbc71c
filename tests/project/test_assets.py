"""Browser assets: pinned, verified, and not needed for a build."""

import os
import subprocess
import sys

import pytest

from tools import vendor_assets
from tools.vendor_assets import ROOT, SITE, TESTS, AssetError, destination


def test_a_tarball_with_another_hash_is_refused_and_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(vendor_assets, "CACHE", tmp_path)
    package = SITE[1]
    package.tarball.write_bytes(b"something else")
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(vendor_assets.subprocess, "run", lambda *a, **k: done)
    with pytest.raises(AssetError, match="does not have the pinned sha512"):
        vendor_assets.fetch([package])
    assert not package.tarball.exists()


def test_unreachable_npm_is_told_from_a_wrong_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(vendor_assets, "CACHE", tmp_path)
    done = subprocess.CompletedProcess([], 1, "", "network is down")
    monkeypatch.setattr(vendor_assets.subprocess, "run", lambda *a, **k: done)
    with pytest.raises(vendor_assets.Unreachable, match="network is down"):
        vendor_assets.fetch(SITE)


@pytest.mark.parametrize("package", [*SITE, *TESTS], ids=lambda package: package.name)
def test_packages_are_pinned_exactly(package):
    assert all(part.isdigit() for part in package.version.split("."))
    assert len(package.sha512) == 88


@pytest.mark.parametrize(
    "member, place",
    [
        ("es5/output/chtml/fonts/woff-v2/a.woff", "mathjax/output/chtml/fonts/woff-v2/a.woff"),
        ("es5/tex-mml-chtml.js", "mathjax/tex-mml-chtml.js"),
        ("es5/tex-svg.js", None),
    ],
)
def test_only_what_pages_use_is_kept(member, place):
    assert destination(member, SITE[0].members) == place


def test_without_npm_one_line_says_so(tmp_path):
    command = [sys.executable, str(ROOT / "tools" / "vendor_assets.py")]
    done = subprocess.run(
        command, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("npm not found: the pages will load MathJax and the widget runtime from")
    assert len(done.stdout.splitlines()) == 1
