"""What README.md and the page on reproducibility tell a reader to type works."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

from tools import build, execute

ROOT = execute.ROOT
README = (ROOT / "README.md").read_text(encoding="utf8")
RUNNING = (ROOT / "book" / "reproducibility.md").read_text(encoding="utf8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_library_example_runs_and_finds_the_synonyms(capsys):
    (example,) = [block for block in blocks(README, "python") if "hcg_lib" in block]
    assert len([line for line in example.splitlines() if line]) < 16
    exec(compile(example, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert "found: 1.00 of level 1" in said
    assert 1 / 8 < float(re.search(r"sure of the root: ([\d.]+)", said)[1]) < 1


@pytest.mark.parametrize("text", [README, RUNNING], ids=["README", "reproducibility"])
def test_python_line_runs_a_chapter_with_other_parameters(text, tmp_path, monkeypatch):
    (example,) = [block for block in blocks(text, "python") if "execute.plan" in block]
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["values"]["grammar_v"] == 16
    assert list(tmp_path.glob("*.ipynb"))


def test_papermill_line_runs_a_chapter_with_other_parameters(tmp_path):
    (line,) = [block for block in blocks(README, "bash") if "papermill" in block]
    command = shlex.split(line)
    assert command[0] == ".venv/bin/papermill"
    assert command[3] == "book/grammar.ipynb"
    jupytext.write(execute.read(ROOT / "book" / "grammar.md"), tmp_path / "grammar.ipynb")
    command[:4] = [sys.executable, "-m", "papermill", "--cwd", str(ROOT / "book"), str(tmp_path / "grammar.ipynb")]
    command[6] = str(tmp_path / command[6])
    subprocess.run([*command, "--no-progress-bar"], check=True, capture_output=True)
    assert execute.glued(jupytext.read(tmp_path / "grammar-v16.ipynb"))["grammar_v"] == 16


@pytest.mark.parametrize("line", re.findall(r"^(?:\.venv/bin/)?python (tools/.*?)\s*(?:#.*)?$", RUNNING, re.MULTILINE))
def test_command_lines_are_understood(line):
    program, *arguments = shlex.split(line)
    assert program == "tools/execute.py"
    options = execute.parser().parse_args(arguments)
    overrides = dict(options.parameter)
    assert [execute.plan(name, options.profile, overrides) for name in options.chapters or execute.profiles()]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)\b", README + RUNNING)) - {"it"}))
def test_every_make_target_that_is_named_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_make_alone_prints_every_target():
    said = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"book", "serve", "test", "lint", "bench", "results", "clean"} <= set(re.findall(r"make (\w+)", said))


def test_files_that_are_linked_exist():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_chapter_is_in_the_map():
    chapters = {Path(entry).stem for entry in build.toc() if entry.endswith(".ipynb")}
    assert chapters <= set(re.findall(r"\(book/(\w+)\.md\)", README))
