"""Every chapter is a canonical text notebook of the agreed form."""

import re

import jupytext
import pytest
import yaml

from tools import execute

CHAPTERS = sorted(path.stem for path in execute.BOOK.glob("*.md") if "jupytext:" in path.read_text()[:40])
LAST = "## What we did differently from the paper, and why"


def text(chapter):
    return (execute.BOOK / f"{chapter}.md").read_text(encoding="utf8")


def notebook(chapter):
    return execute.read(execute.BOOK / f"{chapter}.md")


def figures(chapter):
    """The figure metadata of a chapter's cells."""
    return [
        cell.metadata["mystnb"]
        for cell in execute.code_cells(notebook(chapter))
        if "figure" in cell.metadata.get("mystnb", {})
    ]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_text_is_what_jupytext_writes(chapter):
    assert jupytext.writes(jupytext.reads(text(chapter), "md:myst"), "md:myst") == text(chapter)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_text_survives_the_notebook(chapter, tmp_path):
    jupytext.write(notebook(chapter), tmp_path / "x.ipynb")
    assert jupytext.writes(jupytext.read(tmp_path / "x.ipynb"), "md:myst") == text(chapter)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_first_code_cell_holds_scalars_with_comments(chapter):
    cell = execute.parameters_cell(notebook(chapter))
    known = execute.defaults(notebook(chapter))
    assert known
    assert all(isinstance(value, bool | int | float | str | None) for value in known.values())
    lines = [line for line in cell.source.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) == len(known), "one parameter a line"
    assert all(re.search(r"\s#\s*\S", line) for line in lines), "every parameter has a comment"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_there_is_one_parameters_cell(chapter):
    tagged = [c for c in execute.code_cells(notebook(chapter)) if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_figures_have_caption_name_and_alternative_text(chapter):
    found = figures(chapter)
    assert found, "a chapter shows something"
    for meta in found:
        assert meta["figure"]["caption"].strip()
        assert meta["figure"]["name"].startswith("fig-")
        assert len(meta["image"]["alt"].strip()) > 20, "say what is to be seen"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_last_section_says_what_differs_from_the_paper(chapter):
    sections = [line for line in text(chapter).splitlines() if line.startswith("## ")]
    assert sections[-1] == LAST


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_glued_names_carry_the_name_of_their_chapter(chapter, executed):
    assert [name for name in executed(chapter)[1] if not name.startswith(f"{chapter}_")] == []


def test_names_of_figures_are_unique_across_the_book():
    names = [meta["figure"]["name"] for chapter in CHAPTERS for meta in figures(chapter)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_prose_glues_only_what_is_glued(chapter, executed):
    used = set(re.findall(r"\{glue:(?:text|math|)\}`([\w-]+)(?::[^`]*)?`", text(chapter)))
    assert used <= set(executed(chapter)[1])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_executed_notebook_is_the_text_with_the_values_of_its_run(chapter, executed):
    ran, source = executed(chapter)[0], notebook(chapter)
    execute.set_parameters(source, ran.metadata["hcg"]["parameters"])
    assert [cell.source for cell in ran.cells] == [cell.source for cell in source.cells]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_profiles_name_known_parameters(chapter):
    profiles = yaml.safe_load(execute.PROFILES.read_text())[chapter]
    assert set(profiles) == {"smoke", "book", "gpu"}
    for profile in profiles:
        assert execute.plan(chapter, profile, {}).chapter == chapter
