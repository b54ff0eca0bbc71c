"""Execute the chapters of the book: one text, one set of parameters, one papermill run.

    python tools/execute.py                              every chapter, profile "book"
    python tools/execute.py --profile smoke grammar      one chapter, in seconds
    python tools/execute.py grammar --parameter v=32 --output scratch/grammar.ipynb

A notebook carries a fingerprint of its code cells, its parameters and the library. While that holds, the
chapter is not executed again: an edit of the prose only replaces the prose.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
import yaml
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
LIBRARY = ROOT / "hcg_lib"
PROFILES = BOOK / "profiles.yml"
CONSTRAINTS = ROOT / "constraints.txt"
RECORD = "application/papermill.record/text/plain"
VIEW = "application/vnd.jupyter.widget-view+json"
# The half million objects of the chapters' libraries stay to the end: look at them seldom, and not again on leaving.
SELDOM = ["__import__('gc').set_threshold(50_000, 20, 50)", "__import__('atexit').register(__import__('gc').freeze)"]
Scalar = bool | int | float | str | None


class ChapterError(Exception):
    """What the reader of a terminal should be told; no traceback."""


# --- what a run is ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One chapter with its parameters and the place of its executed notebook."""

    chapter: str
    profile: str
    parameters: dict[str, Scalar]
    target: Path

    @property
    def source(self) -> Path:
        return BOOK / f"{self.chapter}.md"


def profiles() -> dict[str, dict[str, dict[str, Scalar]]]:
    """chapter → profile → {parameter: value}, from book/profiles.yml."""
    return yaml.safe_load(PROFILES.read_text(encoding="utf8")) or {}


def plan(chapter: str, profile: str, overrides: Mapping[str, Scalar], target: Path | None = None) -> Run:
    """The run of a chapter, with every name and type checked before anything is executed."""
    known = profiles()
    if chapter not in known:
        raise ChapterError(f"no chapter {chapter!r} in book/profiles.yml; there are: {', '.join(sorted(known))}")
    if profile not in known[chapter]:
        raise ChapterError(f"{chapter}: no profile {profile!r}; there are: {', '.join(known[chapter])}")
    if not (BOOK / f"{chapter}.md").exists():
        raise ChapterError(f"{chapter}: no text book/{chapter}.md")
    parameters = {**(known[chapter][profile] or {}), **overrides}
    check_parameters(chapter, defaults(read(BOOK / f"{chapter}.md")), parameters)
    return Run(chapter, profile, parameters, target or BOOK / f"{chapter}.ipynb")


def check_parameters(chapter: str, known: Mapping[str, Scalar], given: Mapping[str, Scalar]) -> None:
    """papermill only warns of an unknown parameter; a misspelt one would silently run the defaults."""
    for name, value in given.items():
        if name not in known:
            raise ChapterError(f"{chapter}: no parameter {name!r}; there are: {', '.join(known) or 'none'}")
        default = known[name]
        number = isinstance(default, int | float) and not isinstance(default, bool)
        if number and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ChapterError(f"{chapter}: {name} = {value!r} is not a number (the default is {default!r})")
        if isinstance(default, bool | str) and not isinstance(value, type(default)):
            kind = type(default).__name__
            raise ChapterError(f"{chapter}: {name} = {value!r} is not a {kind} (the default is {default!r})")


# --- notebooks --------------------------------------------------------------------------------------------


def read(source: Path) -> NotebookNode:
    """The text notebook as a notebook object."""
    return jupytext.read(source)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parameters_cell(notebook: NotebookNode) -> NotebookNode:
    """The first code cell, which must carry the tag `parameters`."""
    cells = code_cells(notebook)
    if not cells or "parameters" not in cells[0].metadata.get("tags", []):
        raise ChapterError("the first code cell is not tagged `parameters`")
    return cells[0]


def assignments(source: str) -> dict[str, ast.expr]:
    """name → expression for each `name = literal` line."""
    return {
        node.targets[0].id: node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def defaults(notebook: NotebookNode) -> dict[str, Scalar]:
    """The parameters of a chapter with their default values."""
    found = assignments(parameters_cell(notebook).source)
    return {name: ast.literal_eval(value) for name, value in found.items()}


def substitute(line: bytes, where: ast.expr, value: bytes) -> bytes:
    """Replace an expression in its line; a trailing comment keeps its column."""
    before, after = line[: where.col_offset], line[where.end_col_offset :]
    comment = after.lstrip(b" ")
    if comment.startswith(b"#"):
        width = len(line) - len(comment) - len(before) - len(value)
        after = b" " * max(2, width) + comment
    return before + value + after


def set_parameters(notebook: NotebookNode, parameters: Mapping[str, Scalar]) -> None:
    """Write the values into the parameters cell itself, so that the page shows the values of its run."""
    cell = parameters_cell(notebook)
    for name, value in parameters.items():
        where = assignments(cell.source)[name]
        lines = cell.source.encode().splitlines(keepends=True)
        lines[where.lineno - 1] = substitute(lines[where.lineno - 1], where, repr(value).encode())
        cell.source = b"".join(lines).decode()


def glued(notebook: NotebookNode) -> dict[str, Any]:
    """name → value of everything the notebook glued."""
    return {
        output["metadata"]["scrapbook"]["name"]: ast.literal_eval(output["data"][RECORD])
        for cell in code_cells(notebook)
        for output in cell.get("outputs", [])
        if "scrapbook" in output.get("metadata", {}) and RECORD in output.get("data", {})
    }


# --- fingerprint ------------------------------------------------------------------------------------------


def library_files() -> Iterator[Path]:
    kept = {".py", ".mjs", ".css", ".mplstyle"}
    data = LIBRARY / "data"
    for path in sorted(LIBRARY.rglob("*")):
        if path.is_file() and (path.suffix in kept or data in path.parents):
            yield path


def fingerprint(run: Run, notebook: NotebookNode) -> str:
    """Of all that decides the outputs: code cells, parameters, library, installed versions."""
    digest = hashlib.sha256()
    for path in [*library_files(), CONSTRAINTS]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    for cell in code_cells(notebook):
        digest.update(cell.source.encode() + b"\0")
    digest.update(json.dumps(run.parameters, sort_keys=True).encode())
    return digest.hexdigest()


def stored(target: Path) -> NotebookNode | None:
    """The executed notebook at `target`, if it can be read."""
    try:
        return nbformat.read(target, 4)
    except (OSError, ValueError):
        return None


def is_fresh(run: Run) -> bool:
    old = stored(run.target)
    return old is not None and old.metadata.get("hcg", {}).get("fingerprint") == fingerprint(run, read(run.source))


# --- execution --------------------------------------------------------------------------------------------


def commit() -> str | None:
    """The commit of the working tree, with a + where it was changed; None outside of version control."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--abbrev=7", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None
    except FileNotFoundError:
        return None


def provenance(run: Run, seconds: float) -> dict[str, Any]:
    """Who computed this notebook: shown at the head of the page."""
    return {
        "chapter": run.chapter,
        "profile": run.profile,
        "parameters": run.parameters,
        "seconds": round(seconds, 2),
        "commit": commit(),
        "python": platform.python_version(),
        "versions": {name: version(name).split("+")[0] for name in ("hcg-book", "numpy", "torch")},
        "processor": platform.machine(),
    }


def execute(run: Run) -> NotebookNode:
    """Run the chapter through papermill and store the notebook; a partial one stays where the run fails."""
    notebook = read(run.source)
    mark = fingerprint(run, notebook)
    values = {**defaults(notebook), **run.parameters}
    set_parameters(notebook, run.parameters)
    run.target.parent.mkdir(parents=True, exist_ok=True)
    partial = run.target.with_suffix(".failed.ipynb")
    started = time.perf_counter()
    try:
        with kernel_settings() as config:
            notebook = papermill.execute_notebook(
                notebook,
                str(partial),
                kernel_name="python3",
                progress_bar=False,
                cwd=str(BOOK),
                config=config,
                start_timeout=180,
                execution_timeout=None,
            )
    except PapermillExecutionError as error:
        raise ChapterError(describe(run, error, partial)) from None
    clean(notebook)
    notebook.metadata["hcg"] = {
        "fingerprint": mark,
        **provenance(run, time.perf_counter() - started),
        "values": values,
    }
    write(notebook, run.target)
    partial.unlink(missing_ok=True)
    return notebook


@contextlib.contextmanager
def kernel_settings() -> Iterator[Config]:
    """Settings of the kernel: little garbage collection, and files of its own to talk through.

    With files there are no ports, no races and no warning of open ones.
    """
    lines = [f"--IPKernelApp.exec_lines={line}" for line in SELDOM]
    with tempfile.TemporaryDirectory(prefix="hcg-") as folder:
        local = os.name == "posix" and len(folder) < 80  # longer paths make no sockets
        sockets = {"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}} if local else {}
        yield Config({"NotebookClient": {"extra_arguments": lines}, **sockets})


def is_progress_bar(output: NotebookNode) -> bool:
    """Whether an output is a bar of tqdm, which is of the run and not of the page."""
    data = output.get("data", {})
    return VIEW in data and re.search(r"\d+%\|.*\| \d|\dit \[", data.get("text/plain", "")) is not None


def clean(notebook: NotebookNode) -> None:
    """Nothing volatile in the artefact, and no tag that the text does not have."""
    notebook.metadata.pop("papermill", None)
    for cell in code_cells(notebook):
        cell.outputs = [output for output in cell.outputs if not is_progress_bar(output)]
    if not any(VIEW in output.get("data", {}) for cell in code_cells(notebook) for output in cell.outputs):
        notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.metadata.get("tags") == []:
            del cell.metadata["tags"]


def write(notebook: NotebookNode, target: Path) -> None:
    """Atomically: a reader sees the old notebook or the new one."""
    draft = target.with_suffix(f".{os.getpid()}.tmp")
    nbformat.write(notebook, draft)
    os.replace(draft, target)


def describe(run: Run, error: PapermillExecutionError, partial: Path) -> str:
    traceback = "\n".join(error.traceback[-1:])
    with contextlib.suppress(ValueError):
        partial = partial.relative_to(ROOT)
    return (
        f"{run.chapter}: cell {error.cell_index} raised {error.ename}: {error.evalue}\n\n"
        f"{error.source}\n\n{traceback}\n\nthe notebook up to that cell: {partial}"
    )


def refresh_text(run: Run) -> bool:
    """Give a fresh notebook the present prose; True if anything changed."""
    new, old = read(run.source), nbformat.read(run.target, 4)
    set_parameters(new, run.parameters)
    for cell, done in zip(code_cells(new), code_cells(old), strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
    new.metadata.update(old.metadata)
    for cell, done in zip(new.cells, old.cells, strict=False):
        cell.id = done.id
    if new == old:
        return False
    write(new, run.target)
    return True


def ensure(run: Run, force: bool = False) -> tuple[NotebookNode, str]:
    """The executed notebook and what had to be done for it."""
    if force or not is_fresh(run):
        notebook = execute(run)
        return notebook, f"executed in {notebook.metadata['hcg']['seconds']:.1f} s"
    done = "prose refreshed" if refresh_text(run) else "up to date"
    return nbformat.read(run.target, 4), done


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the others wait."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def report(run: Run, words: str) -> None:
    print(f"  {run.chapter:<14} {words}", flush=True)


def attempt(run: Run, force: bool) -> str | None:
    """Make one chapter fresh, say so, and return what went wrong, if anything."""
    if force or not is_fresh(run):
        report(run, f"executing (profile {run.profile})")
    try:
        report(run, ensure(run, force)[1])
    except ChapterError as error:
        report(run, "failed")
        return str(error)
    return None


def execute_all(runs: Sequence[Run], jobs: int = 1, force: bool = False) -> list[str]:
    """Run the stale ones, `jobs` at a time, sharing the cores; returns the failures, as text."""
    jobs = min(jobs, len(runs))
    if jobs <= 1:
        found = [attempt(run, force) for run in runs]
    else:
        threads = max(1, (os.cpu_count() or 1) // jobs)
        for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
            os.environ.setdefault(f"{name}_NUM_THREADS", str(threads))
        with ProcessPoolExecutor(max_workers=jobs) as pool:
            found = list(pool.map(attempt, runs, [force] * len(runs)))
    return [failure for failure in found if failure]


# --- command line -----------------------------------------------------------------------------------------


def parse_parameter(text: str) -> tuple[str, Scalar]:
    name, equals, value = text.partition("=")
    if not (name.isidentifier() and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    parsed = yaml.safe_load(value)
    if isinstance(parsed, str):
        with contextlib.suppress(ValueError):
            parsed = float(value)  # YAML reads 1e-3 as a word
    if not isinstance(parsed, bool | int | float | str | None):
        raise argparse.ArgumentTypeError(f"{text!r}: parameters are numbers, words or true/false")
    return name, parsed


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(description="Execute chapters of the book through papermill.")
    out.add_argument("chapters", nargs="*", metavar="chapter", help="default: all of book/profiles.yml")
    out.add_argument("--profile", default="book", help="smoke, book or gpu (default: book)")
    out.add_argument(
        "--parameter", "-p", action="append", default=[], type=parse_parameter, metavar="NAME=VALUE",
        help="overrides the profile; needs --output, so that no published notebook is replaced",
    )  # fmt: skip
    out.add_argument("--output", type=Path, metavar="PATH", help="a folder, or one .ipynb for one chapter")
    out.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="chapters at a time")
    out.add_argument("--force", action="store_true", help="execute even what is up to date")
    out.add_argument("--check", action="store_true", help="execute nothing; exit 1 if anything is stale")
    return out


def target_of(chapter: str, output: Path | None) -> Path | None:
    if output is None or output.suffix == ".ipynb":
        return output and output.resolve()
    return output.resolve() / f"{chapter}.ipynb"


def main(argv: Sequence[str] | None = None) -> int:
    options = parser().parse_args(argv)
    overrides = dict(options.parameter)
    try:
        names = options.chapters or list(profiles())
        if overrides and options.output is None:
            raise ChapterError("--parameter needs --output: notebooks beside the text are the published ones")
        if options.output and options.output.suffix == ".ipynb" and len(names) != 1:
            raise ChapterError(f"--output {options.output} is one notebook, but {len(names)} chapters are asked for")
        if options.jobs < 1:
            raise ChapterError(f"--jobs {options.jobs}: at least 1")
        runs = [plan(name, options.profile, overrides, target_of(name, options.output)) for name in names]
        if options.check:
            stale = [run.chapter for run in runs if not is_fresh(run)]
            print("\n".join(f"stale: {name}" for name in stale) or "all chapters are up to date")
            return bool(stale)
        failures = execute_all(runs, options.jobs, options.force)
    except ChapterError as error:
        failures = [str(error)]
    for failure in failures:
        print(f"\n{failure}", file=sys.stderr)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
