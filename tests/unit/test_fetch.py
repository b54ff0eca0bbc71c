"""Fetching with clients that the tests write: every way it can fail leaves a clear error and an intact cache."""

import errno
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import textwrap
import time
import zipfile
from dataclasses import replace

import pytest

from hcg_lib import fetch as module
from hcg_lib.fetch import FetchError, fetch, fetched, main
from hcg_lib.sources import SOURCES, Source

FILES = {"package/data/a.txt": b"first", "package/data/deep/b.txt": b"second" * 1000, "package/other.js": b"no"}


def tar_bytes(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as bundle:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            bundle.addfile(member, io.BytesIO(content))
    return stream.getvalue()


class Stage:
    """A cache, a package to be had, and a client `npm` on the path that hands it over."""

    def __init__(self, folder, monkeypatch):
        self.cache, self.tools, self.monkeypatch = folder / "cache", folder / "tools", monkeypatch
        self.served = folder / "served.tgz"
        self.tools.mkdir()
        self.serve(tar_bytes(FILES))
        self.client("cp {served} toy-1.0.0.tgz")
        monkeypatch.setenv("PATH", f"{self.tools}{os.pathsep}{os.environ['PATH']}")

    def serve(self, content, recorded=None):
        self.served.write_bytes(content)
        digest = hashlib.sha256(content if recorded is None else recorded).hexdigest()
        self.source = Source("npm", "toy", "1.0.0", "toy-1.0.0.tgz", digest, len(content), "package/data", "a toy")
        self.monkeypatch.setitem(SOURCES, "toy", self.source)

    def client(self, script, name="npm"):
        path = self.tools / name
        path.write_text(f"#!/bin/sh\necho called >> {self.tools}/calls\n" + script.format(served=self.served) + "\n")
        path.chmod(0o755)

    @property
    def calls(self):
        log = self.tools / "calls"
        return log.read_text().count("called") if log.exists() else 0

    def leftovers(self):
        """What lies in the cache beside archives and lock files."""
        if not self.cache.exists():
            return []
        return [p.name for p in self.cache.rglob("*") if p.name != "archives" and p.suffix != ".lock"]


@pytest.fixture
def stage(tmp_path, monkeypatch):
    return Stage(tmp_path, monkeypatch)


def test_fetch_unpacks_the_wanted_folder_once(stage):
    folder = fetch("toy", stage.cache, progress=False)
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == {"a.txt": b"first", os.path.join("deep", "b.txt"): b"second" * 1000}
    assert fetch("toy", stage.cache) == folder == fetched("toy", stage.cache)
    shutil.rmtree(folder)
    fetch("toy", stage.cache)  # from the kept archive
    assert stage.calls == 1
    assert not list(stage.cache.glob(".partial-*"))


def test_checksum_mismatch_keeps_nothing(stage):
    stage.serve(tar_bytes(FILES), recorded=b"something else")
    with pytest.raises(FetchError, match=r"checksum of toy: expected .*, got .* in toy-1.0.0.tgz.*--any-version"):
        fetch("toy", stage.cache)
    assert stage.leftovers() == []
    assert (fetch("toy", stage.cache, any_version=True) / "a.txt").read_bytes() == b"first"


def test_an_archive_spoiled_in_the_cache_is_fetched_again(stage):
    shutil.rmtree(fetch("toy", stage.cache))
    (stage.cache / "archives" / "toy-1.0.0.tgz").write_bytes(b"spoiled")
    assert (fetch("toy", stage.cache) / "a.txt").exists()
    assert stage.calls == 2


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
def test_truncated_archive_is_removed(stage, keep):
    whole = tar_bytes({**FILES, "package/data/c.bin": os.urandom(4000)})
    stage.serve(whole[: int(keep * len(whole))])
    with pytest.raises(FetchError, match=r"damaged or cut short.*fetch again"):
        fetch("toy", stage.cache)
    assert stage.leftovers() == []


def test_archive_without_the_wanted_files(stage):
    stage.serve(tar_bytes({"package/other.js": b"no"}))
    with pytest.raises(FetchError, match="holds no files under package/data"):
        fetch("toy", stage.cache)
    assert fetched("toy", stage.cache) is None


def test_members_that_climb_out_are_left_in(stage):
    stage.serve(tar_bytes({**FILES, "package/data/../../../escaped.txt": b"!", "/package/data/x": b"!"}))
    folder = fetch("toy", stage.cache)
    assert sorted(p.name for p in folder.iterdir()) == ["a.txt", "deep"]
    assert not list(stage.cache.parent.rglob("escaped.txt"))


def test_no_network_repeats_what_the_client_said(stage):
    stage.client("echo getaddrinfo ENOTFOUND >&2; exit 7")
    with pytest.raises(FetchError, match=r"npm could not download toy \(exit code 7\).*network.*ENOTFOUND"):
        fetch("toy", stage.cache)
    assert stage.leftovers() == []


def test_client_that_hangs_is_stopped(stage):
    stage.client("sleep 60")
    with pytest.raises(FetchError, match=r"gave no toy within 0\.3 s"):
        fetch("toy", stage.cache, timeout=0.3)
    assert stage.leftovers() == []


def test_client_that_brings_nothing(stage):
    stage.client("true")
    with pytest.raises(FetchError, match="left 0 archives"):
        fetch("toy", stage.cache)


def test_missing_client(stage, monkeypatch):
    monkeypatch.setenv("PATH", str(stage.tools.parent / "nowhere"))
    with pytest.raises(FetchError, match="npm is not installed; toy comes from npm"):
        fetch("toy", stage.cache)


def test_apt_is_told_to_update(stage, monkeypatch):
    stage.client("echo E: Unable to locate package >&2; exit 100", name="apt-get")
    monkeypatch.setitem(SOURCES, "toy", replace(stage.source, client="apt"))
    with pytest.raises(FetchError, match=r"apt-get update.*Unable to locate"):
        fetch("toy", stage.cache)


def test_full_disk_before_and_during(stage, monkeypatch):
    usage = shutil.disk_usage("/")
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=10))
        with pytest.raises(FetchError, match=r"0 MB free, toy needs"):
            fetch("toy", stage.cache)
    assert stage.calls == 0

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.Path, "write_bytes", full)
        with pytest.raises(FetchError, match="No space left on device; nothing was left half done"):
            fetch("toy", stage.cache)
    assert stage.leftovers() == ["toy-1.0.0.tgz"]  # the verified archive
    assert fetch("toy", stage.cache).is_dir()


def test_cache_that_cannot_be_made(stage, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FetchError, match="cannot write toy into"):
        fetch("toy", tmp_path / "file")


def test_two_processes_at_once_download_once(stage, tmp_path):
    go = stage.tools / "go"  # the first download ends only when the second process has said that it waits
    stage.client(f"while [ ! -e {go} ]; do sleep 0.05; done; cp {{served}} toy-1.0.0.tgz")
    code = textwrap.dedent(f"""
        from hcg_lib.fetch import SOURCES, fetch
        from hcg_lib.sources import Source
        SOURCES["toy"] = {stage.source!r}
        print((fetch("toy", {str(stage.cache)!r}) / "a.txt").read_text())
    """)
    start = [sys.executable, "-c", code]
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    both = []
    for log in logs:
        with log.open("w") as told:
            both.append(subprocess.Popen(start, stdout=subprocess.PIPE, stderr=told, text=True))
    deadline = time.monotonic() + 60
    while not any("waiting for it" in log.read_text() for log in logs) and time.monotonic() < deadline:
        time.sleep(0.02)
    go.touch()
    answers = [process.communicate(timeout=60)[0].strip() for process in both]
    assert answers == ["first", "first"]
    assert sorted("waiting for it" in log.read_text() for log in logs) == [False, True]
    assert stage.calls == 1


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
def test_debian_package(stage, tmp_path, monkeypatch):
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    control = "Package: toy\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: toy\n"
    (tree / "DEBIAN" / "control").write_text(control)
    (tree / "usr/share/toy").mkdir(parents=True)
    (tree / "usr/share/toy/words.txt").write_text("words")
    deb = tmp_path / "toy_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, deb], check=True, capture_output=True)
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    source = Source("apt", "toy", "1", deb.name, digest, deb.stat().st_size, "usr/share/toy", "a toy")
    monkeypatch.setitem(SOURCES, "toy", source)
    stage.client(f"cp {deb} .", name="apt-get")
    assert (fetch("toy", stage.cache) / "words.txt").read_text() == "words"
    shutil.rmtree(stage.cache)
    content = deb.read_bytes()[: deb.stat().st_size // 2]
    deb.write_bytes(content)
    monkeypatch.setitem(SOURCES, "toy", replace(source, sha256=hashlib.sha256(content).hexdigest()))
    with pytest.raises(FetchError, match="damaged or cut short"):
        fetch("toy", stage.cache)


def test_wheel(stage, tmp_path, monkeypatch):
    wheel = tmp_path / "toy-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as bundle:
        bundle.writestr("toy/data/table.json", "{}")
        bundle.writestr("toy/__init__.py", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    source = Source("pip", "toy", "1", wheel.name, digest, 500, "toy/data", "a toy")
    monkeypatch.setitem(SOURCES, "toy", source)
    monkeypatch.setattr(module, "_command", lambda _: ["cp", str(wheel), "."])
    assert [p.name for p in fetch("toy", stage.cache).iterdir()] == ["table.json"]


def test_commands_pin_versions_and_name_no_host():
    for source in SOURCES.values():
        command = " ".join(module._command(source))
        assert source.package in command
        assert "://" not in command
        assert source.client == "apt" or source.version in command
        assert len(source.sha256) == 64


def test_command_line(stage, capsys):
    assert main(["toy", "--cache", str(stage.cache)]) == 0
    assert main(["--list", "--cache", str(stage.cache)]) == 0
    out = capsys.readouterr().out
    assert "toy             a toy (in the cache)" in out
    assert "gcide           " in out
    assert main(["nothing"]) == 1
    assert "error: name must be one of 'sotu'" in capsys.readouterr().err
    stage.client("exit 3")
    shutil.rmtree(stage.cache)
    assert main(["toy", "--cache", str(stage.cache)]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HCG_DATA", str(tmp_path / "here"))
    assert module.cache_folder() == tmp_path / "here"
    monkeypatch.delenv("HCG_DATA")
    assert module.cache_folder().parts[-2:] == (".cache", "hcg")
