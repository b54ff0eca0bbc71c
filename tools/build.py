"""Build the site from executed notebooks, with warnings as errors.

python tools/build.py                          the book → _build/html
python tools/build.py --stage DIR --from NBS   a copy of the book with the notebooks in NBS → DIR/_build/html
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
STRUCTURE = (
    "_config.yml",
    "_toc.yml",
    "book/_ext",
    "book/_static",
    "book/_templates",
    "book/_extra/_static/vendor/stamp",
)


class BuildError(Exception):
    """What the reader of a terminal should be told; no traceback."""


def entries(node: Any) -> Iterator[str]:
    """Every page a table of contents names, in reading order."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("root", "file"):
                yield value
            elif isinstance(value, list):
                yield from entries(value)
    elif isinstance(node, list):
        for item in node:
            yield from entries(item)


def toc(root: Path = ROOT) -> list[str]:
    return list(entries(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf8"))))


def pages(root: Path = ROOT) -> list[str]:
    """The html files of the table of contents, relative to the site."""
    return [f"{Path(entry).with_suffix('').as_posix()}.html" for entry in toc(root)]


def structure(root: Path) -> str:
    """Fingerprint of what every page depends on."""
    digest = hashlib.sha256()
    for name in STRUCTURE:
        path = root / name
        for part in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if part.is_file() and "__pycache__" not in part.parts:
                digest.update(part.relative_to(root).as_posix().encode() + part.read_bytes())
    return digest.hexdigest()


def build(root: Path = ROOT) -> Path:
    """Build the book below `root`; returns the folder of the site."""
    missing = [entry for entry in toc(root) if not list(root.glob(f"{entry}*"))]
    if missing:
        raise BuildError(f"_toc.yml names what is not there: {', '.join(missing)}")
    stamp, mark = root / "_build" / "structure", structure(root)
    jupyter_book = Path(sysconfig.get_path("scripts")) / "jupyter-book"
    command = [str(jupyter_book), "build", str(root), "-W", "-n", "--keep-going", "-q"]
    if not (stamp.exists() and stamp.read_text() == mark):
        command.append("--all")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    stamp.unlink(missing_ok=True)
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment
    )
    if done.returncode:
        raise BuildError(f"{done.stdout}\nthe site could not be built: warnings are errors")
    site = root / "_build" / "html"
    absent = [page for page in pages(root) if not (site / page).exists()]
    if absent:
        raise BuildError(f"the build wrote no {', '.join(absent)}")
    stamp.write_text(mark)
    return site


def stage(target: Path, notebooks: Path, root: Path = ROOT) -> Path:
    """A copy of the book at `target` whose chapters are the executed ones in the folder `notebooks`."""
    shutil.rmtree(target, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints", "__pycache__", "*.tmp")
    shutil.copytree(root / "book", target / "book", ignore=ignored)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(root / name, target / name)
    for notebook in notebooks.glob("*.ipynb"):
        shutil.copy(notebook, target / "book" / notebook.name)
    return target


def main(argv: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description="Build the site, with warnings as errors.")
    options.add_argument("--stage", type=Path, metavar="DIR", help="build a copy of the book there")
    options.add_argument("--from", dest="notebooks", type=Path, default=ROOT / "book", metavar="NBS")
    wanted = options.parse_args(argv)
    try:
        root = stage(wanted.stage.resolve(), wanted.notebooks.resolve()) if wanted.stage else ROOT
        site = build(root)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\nopen {site / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
