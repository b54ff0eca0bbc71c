"""One way of executing: what it refuses, what it skips, what it leaves behind."""

import jupytext
import nbformat
import pytest

from tools import execute

HEADER = """\
---
jupytext:
  cell_metadata_filter: tags,mystnb,-all
  formats: ipynb,md:myst
  notebook_metadata_filter: -jupytext.text_representation.jupytext_version
  text_representation:
    extension: .md
    format_name: myst
    format_version: 0.13
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

# Small

```{code-cell} ipython3
:tags: [parameters]

n = 3         # how many
rate = 0.5    # per step
word = "σ"    # a letter
```

Prose.

```{code-cell} ipython3
from myst_nb import glue
from tqdm.auto import tqdm

glue("small_product", float(n * rate), display=False)
for _ in tqdm([1, 2], desc="waiting"):
    pass
1 / (n - 7)
```
"""
PROFILES = "small:\n  smoke: {}\n  book: {n: 12}\n  gpu: {n: 7}\n"


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of one small chapter; profile gpu divides by zero."""
    (tmp_path / "small.md").write_text(HEADER, encoding="utf8")
    (tmp_path / "profiles.yml").write_text(PROFILES)
    monkeypatch.setattr(execute, "BOOK", tmp_path)
    monkeypatch.setattr(execute, "PROFILES", tmp_path / "profiles.yml")
    return tmp_path


@pytest.fixture(scope="module")
def executed_once(tmp_path_factory):
    """The small chapter, executed with the profile book."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "small.md").write_text(HEADER, encoding="utf8")
    (folder / "profiles.yml").write_text(PROFILES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "BOOK", folder)
        patch.setattr(execute, "PROFILES", folder / "profiles.yml")
        execute.execute(execute.plan("small", "book", {}))
    return (folder / "small.ipynb").read_text(encoding="utf8")


BAD = [
    (("large", "book", {}), "no chapter 'large'.*there are: small"),
    (("small", "cloud", {}), "no profile 'cloud'; there are: smoke, book, gpu"),
    (("small", "book", {"m": 3}), "no parameter 'm'; there are: n, rate, word"),
    (("small", "book", {"n": "three"}), "n = 'three' is not a number .the default is 3"),
    (("small", "book", {"n": True}), "n = True is not a number"),
    (("small", "book", {"word": 4}), "word = 4 is not a str"),
]


@pytest.mark.parametrize("arguments, message", BAD)
def test_a_run_that_cannot_be_meant_is_refused_before_it_starts(book, arguments, message):
    with pytest.raises(execute.ChapterError, match=message):
        execute.plan(*arguments)


def test_an_unknown_parameter_in_a_profile_is_refused(book):
    (book / "profiles.yml").write_text("small: {smoke: {typo: 1}}")
    with pytest.raises(execute.ChapterError, match="no parameter 'typo'"):
        execute.plan("small", "smoke", {})


def test_command_line_reports_an_unknown_parameter_in_one_line(book, capsys):
    assert execute.main(["small", "-p", "typo=1", "--output", str(book / "out")]) == 1
    assert capsys.readouterr().err.strip() == "small: no parameter 'typo'; there are: n, rate, word"


def test_command_line_protects_the_published_notebooks(book, capsys):
    assert execute.main(["small", "-p", "n=4"]) == 1
    assert "--parameter needs --output" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, value", [("3", 3), ("1e-3", 1e-3), ("true", True), ("cuda", "cuda"), ("-2.5", -2.5), ("null", None)]
)
def test_command_line_reads_scalars(text, value):
    assert execute.parse_parameter(f"x={text}") == ("x", value)


@pytest.mark.parametrize("text", ["x", "=3", "x=[1, 2]", "2x=3"])
def test_command_line_refuses_what_is_no_scalar(text):
    with pytest.raises(execute.argparse.ArgumentTypeError):
        execute.parse_parameter(text)


def test_values_are_written_into_the_parameters_cell_and_comments_stay_in_place(book):
    notebook = execute.read(book / "small.md")
    execute.set_parameters(notebook, {"n": 1000000, "rate": -1e-05, "word": "long enough"})
    source = execute.parameters_cell(notebook).source
    assert execute.defaults(notebook) == {"n": 1000000, "rate": -1e-05, "word": "long enough"}
    assert source.splitlines()[0] == "n = 1000000   # how many"
    assert source.splitlines()[2] == "word = 'long enough'  # a letter"


def test_executed_notebook_says_how_it_was_computed(executed_once):
    run = nbformat.reads(executed_once, 4).metadata["hcg"]
    assert run["profile"] == "book"
    assert run["values"] == {"n": 12, "rate": 0.5, "word": "σ"}
    assert 0 < run["seconds"] < 120


def test_glued_values_are_those_of_the_run(executed_once):
    assert execute.glued(nbformat.reads(executed_once, 4)) == {"small_product": 6.0}


def test_progress_bars_do_not_stay_in_the_page(executed_once):
    notebook = nbformat.reads(executed_once, 4)
    assert [output for cell in execute.code_cells(notebook) for output in cell.outputs if output.get("text")] == []
    assert "waiting" not in str([cell.outputs for cell in execute.code_cells(notebook)])
    assert "widgets" not in notebook.metadata


def test_executed_notebook_is_its_text_again(executed_once):
    notebook = nbformat.reads(executed_once, 4)
    execute.set_parameters(notebook, {"n": 3})
    assert jupytext.writes(notebook, "md:myst") == HEADER


def test_an_edit_of_the_prose_does_not_execute(book, executed_once, monkeypatch):
    (book / "small.ipynb").write_text(executed_once, encoding="utf8")
    (book / "small.md").write_text(HEADER.replace("Prose.", "Better prose."), encoding="utf8")
    monkeypatch.setattr(execute.papermill, "execute_notebook", lambda *a, **k: pytest.fail("executed"))
    notebook, done = execute.ensure(execute.plan("small", "book", {}))
    assert done == "prose refreshed"
    assert "Better prose." in [cell.source for cell in notebook.cells]
    assert execute.glued(notebook) == {"small_product": 6.0}
    assert execute.ensure(execute.plan("small", "book", {}))[1] == "up to date"


@pytest.mark.parametrize("change", ["code", "profile", "library", "versions"])
def test_whatever_decides_the_outputs_makes_them_stale(book, executed_once, monkeypatch, tmp_path, change):
    (book / "small.ipynb").write_text(executed_once, encoding="utf8")
    assert execute.main(["--check"]) == 0
    if change == "code":
        (book / "small.md").write_text(HEADER.replace("n * rate", "n / rate"), encoding="utf8")
    elif change == "profile":
        (book / "profiles.yml").write_text(PROFILES.replace("12", "13"))
    elif change == "library":
        (tmp_path / "lib").mkdir()
        (tmp_path / "lib" / "new.py").write_text("x = 1")
        files = [*execute.library_files(), tmp_path / "lib" / "new.py"]
        monkeypatch.setattr(execute, "library_files", lambda: iter(files))
    else:
        monkeypatch.setattr(execute, "CONSTRAINTS", tmp_path / "profiles.yml")
    assert execute.main(["--check"]) == 1


def test_a_failing_cell_is_shown_and_the_partial_notebook_kept(book, capsys):
    assert execute.main(["small", "--profile", "gpu"]) == 1
    said = capsys.readouterr().err
    assert "small: cell 3 raised ZeroDivisionError" in said
    assert "1 / (n - 7)" in said
    partial = nbformat.read(book / "small.failed.ipynb", 4)
    assert execute.glued(partial) == {"small_product": 3.5}
    assert not (book / "small.ipynb").exists()
